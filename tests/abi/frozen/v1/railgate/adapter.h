/* SPDX-License-Identifier: Apache-2.0
 *
 * railgate/adapter.h - the interface between the railgate host and an adapter, version 1.
 *
 * An adapter is a function with a little memory:
 *     (settings, command, bytes in) -> (bytes out, outcome)
 * It opens no socket, reads no clock, rolls no dice, holds no secret, starts no thread and keeps
 * nothing after an exchange. The host does all of that, once, for all channels.
 *
 * Life of an adapter
 *     rg_adapter_get()  once after dlopen, any thread
 *     configure()       once per channel at load and at reload, on the loading thread
 *     begin()           an operation starts              \
 *     resume()          a reply came, or a signature      } on the loop thread that owns the
 *     frame()           bytes arrived on a framed stream  } exchange; different exchanges may run
 *     notice()          the channel sent something unasked/  on different threads at once
 *
 * The instance is constant after configure(). An exchange's state is used by one thread at a time.
 * Every pointer handed in lives until the call returns, except the instance and exchange memory.
 * The host allocates, zeroes and wipes instance and exchange memory; nothing is freed across the
 * border and no function may block.
 *
 * Transports
 *     HTTP      each SEND is one request (method, path, headers, bytes), its answer is the REPLY;
 *               an exchange may take several. Host, Content-Length, connection and TLS are not the
 *               adapter's.
 *     FRAMED    long-lived streams; frame() cuts them, the correlation key joins reply and request.
 *     LOCAL     begin() answers DONE by itself.
 *     Whatever the transport, begin() may answer DONE without sending, and an operation may end as
 *     PENDING: the final word then comes as a notice, or the host inquires.
 *
 * The name of an attempt
 *     A channel echoes some reference of ours in everything it says (EndToEndId, order id, txid,
 *     structured creditor reference). Adapters make it from command.attempt_id so that notice() can
 *     give the attempt id back from the message alone: nothing has to be looked up, and nothing is
 *     lost when a notice overtakes the answer.
 *
 * Rules of the border
 *     - only fixed-width integers, pointers and arrays of char cross; no enum, bool, long, float;
 *     - zero is never a valid step, outcome, operation, currency or kind;
 *     - every struct starts with its size; the other side reads no further than that size;
 *     - append only: a later minor version adds members at the end and never changes a meaning;
 *     - same command and same events in, same bytes out. What varies (time, trace number, random
 *       bytes, idempotency key) comes in with the command.
 *
 * Changes (frozen: what an adapter was compiled with stays as it is for as long as the major
 * version is 1; tests/abi/ holds every offset, size and number)
 *     1.0  first version
 */
#ifndef RAILGATE_ADAPTER_H
#define RAILGATE_ADAPTER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RG_ABI_MAGIC 0x31474152u /* "RAG1" read as little-endian bytes R A G 1 */
#define RG_ABI_MAJOR 1u
#define RG_ABI_MINOR 0u

/* --- numbers that cross the border --------------------------------------------------------- */

/* Operations. A new number may come with a minor version; an adapter answers FAIL to what it does
 * not know. */
#define RG_OP_AUTHORISE  1u /* hold the amount */
#define RG_OP_SALE       2u /* authorise and capture in one */
#define RG_OP_CAPTURE    3u /* take (a part of) what was authorised */
#define RG_OP_CANCEL     4u /* give back the rest of an authorisation that was approved */
#define RG_OP_REFUND     5u /* give back (a part of) what was captured */
#define RG_OP_INQUIRE    6u /* what became of the referenced attempt? */
#define RG_OP_REVERSE    7u /* undo the referenced attempt, whose outcome may be unknown */
#define RG_OP_SIGN_ON    8u /* the next four concern the link, not a payment */
#define RG_OP_SIGN_OFF   9u
#define RG_OP_ECHO       10u
#define RG_OP_KEY_CHANGE 11u
#define RG_OP_TOKEN      12u /* fetch an access token (HTTP channels) */

/* Steps: what begin() and resume() return. */
#define RG_STEP_SEND 1u /* out->bytes is one whole message; refs and correlation are set */
#define RG_STEP_SIGN 2u /* out->bytes is what must be signed or MACed with key out->sign_key */
#define RG_STEP_DONE 3u /* out->outcome and what belongs to it are set */
#define RG_STEP_FAIL 4u /* the adapter cannot go on; out->diagnosis says why */

/* Outcomes. The first five are an adapter's to give; the last two only the host may set. */
#define RG_OUTCOME_APPROVED  1u
#define RG_OUTCOME_DECLINED  2u /* the other side refused; nothing moved */
#define RG_OUTCOME_PENDING   3u /* accepted, final outcome comes later (notice or inquiry) */
#define RG_OUTCOME_REJECTED  4u /* the message itself was not accepted; nothing moved */
#define RG_OUTCOME_NOT_FOUND 5u /* answer to inquire or reverse: no such attempt */
#define RG_OUTCOME_NOT_SENT  6u
#define RG_OUTCOME_UNKNOWN   7u

/* Transports. */
#define RG_TRANSPORT_HTTP   1u /* one HTTP exchange per SEND */
#define RG_TRANSPORT_FRAMED 2u /* messages on long-lived streams, matched by correlation key */
#define RG_TRANSPORT_LOCAL  3u /* no exchange: begin() answers DONE by itself */

/* Events into resume(). */
#define RG_EVENT_REPLY  1u /* event->bytes is one whole message (a frame's payload as received) */
#define RG_EVENT_SIGNED 2u /* event->bytes is the signature or MAC asked for */

/* Methods of an HTTP request. */
#define RG_HTTP_GET    1u
#define RG_HTTP_POST   2u
#define RG_HTTP_PUT    3u
#define RG_HTTP_DELETE 4u
#define RG_HTTP_PATCH  5u

/* What a person must do before a pending payment can go on. */
#define RG_ACTION_SHOW_CODE    1u /* show action_values "payload" as a QR code to the payer */
#define RG_ACTION_AUTHENTICATE 2u
#define RG_ACTION_REDIRECT     3u /* send the payer to action_values "url" */
#define RG_ACTION_TRANSFER     4u /* the payer makes a bank transfer as action_values say */

/* frame() answers. */
#define RG_FRAME_COMPLETE 1u /* out->length bytes make one message */
#define RG_FRAME_NEED     2u /* not yet; out->length is the total needed if known, else 0 */
#define RG_FRAME_BROKEN   3u /* this stream cannot be understood any more; the host closes it */

/* Kinds of a complete frame. */
#define RG_FRAME_REPLY       1u /* answers the exchange with this correlation key */
#define RG_FRAME_UNSOLICITED 2u /* goes to notice() */

/* notice() answers. */
#define RG_NOTICE_VERIFY                                                                           \
    1u /* out->bytes / out->sign_key: the host must verify first, then calls again */
#define RG_NOTICE_DONE                                                                             \
    2u /* reference and outcome (may be 0: link matter only) and acknowledgement */
#define RG_NOTICE_BROKEN 3u /* not understood; the host logs and drops it */

/* What (an entry of) a notice is about. */
#define RG_ABOUT_STATUS 1u /* the outcome of the attempt named */
#define RG_ABOUT_RETURN 2u /* money of an approved attempt came back, without our asking */
#define RG_ABOUT_CREDIT                                                                            \
    3u /* money came in that no attempt of ours asked for; or, with an attempt_id, money towards   \
          that attempt from somebody who was free to choose the amount: the right one settles it,  \
          another is noted and leaves it open */
#define RG_ABOUT_LINK 4u /* nothing about a payment */

/* Reasons why a payment did not go through: one word for merchants, whatever the rail. */
#define RG_CATEGORY_NONE           0u
#define RG_CATEGORY_FUNDS          1u /* not enough money */
#define RG_CATEGORY_LIMIT          2u /* an amount or frequency limit of the other side */
#define RG_CATEGORY_CREDENTIAL     3u /* account or card number, expiry, CVV, PIN not right */
#define RG_CATEGORY_AUTHENTICATION 4u /* the payer must authenticate more strongly */
#define RG_CATEGORY_RESTRICTED     5u /* account blocked, closed, lost, stolen, not permitted */
#define RG_CATEGORY_FRAUD          6u /* suspicion of fraud */
#define RG_CATEGORY_REQUEST        7u /* the message or transaction type was not acceptable */
#define RG_CATEGORY_DUPLICATE      8u
#define RG_CATEGORY_UNAVAILABLE    9u  /* the other side or its issuer is down: try later */
#define RG_CATEGORY_SECURITY       10u /* MAC, cryptogram or key failure */
#define RG_CATEGORY_OTHER          11u /* refused without a reason that we may pass on */

/* Flags of a named value. */
#define RG_NAMED_SENSITIVE 1u /* the host seals it before it stores it, and never logs it */
/* Only in out->headers: the value is a prefix, a zero byte and the name of a grant (or of a KEY
 * setting of kind `token`); the host puts its bytes in the place of zero byte and name. */
#define RG_NAMED_SLOT 2u

/* --- small structures ---------------------------------------------------------------------- */

struct rg_bytes {
    const uint8_t *ptr; /* may be NULL when len is 0 */
    uint64_t len;
};

/* A room of the host's into which the adapter writes; use railgate/writer.h. */
struct rg_buffer {
    uint8_t *ptr;
    uint64_t room;
    uint64_t len;
    uint32_t overflow; /* latched: non-zero once something did not fit */
    uint32_t reserved;
};

struct rg_named {
    struct rg_bytes name;  /* lower-case ASCII, 1..32 bytes */
    struct rg_bytes value; /* 0..2048 bytes */
    uint32_t flags;        /* RG_NAMED_... */
    uint32_t reserved;
};

/* Civil date and time; the host computes them, in UTC and in the channel's own time zone. */
struct rg_civil {
    uint32_t year, month, day;     /* 2026, 1..12, 1..31 */
    uint32_t hour, minute, second; /* 0..23, 0..59, 0..59 */
};

/* --- settings ------------------------------------------------------------------------------ */

#define RG_SETTING_TEXT   1u
#define RG_SETTING_NUMBER 2u
#define RG_SETTING_CHOICE 3u /* choices: names separated by '|' */
#define RG_SETTING_FLAG   4u /* yes or no; number is 1 or 0 */
#define RG_SETTING_KEY    5u /* name of a key of the host; its bytes are never seen here */
#define RG_SETTING_FILE                                                                            \
    6u /* a path in the channel file; text is what the file holds, min..max bytes */

struct rg_setting {
    uint64_t size;
    const char *name;     /* "terminal_id" */
    uint32_t type;        /* RG_SETTING_... */
    uint32_t required;    /* non-zero: a channel without it does not load */
    const char *fallback; /* default as text, or NULL */
    const char *choices;  /* "ascii|bcd", or NULL */
    int64_t min, max;     /* number: range; text, file: length in bytes */
    const char *unit;     /* "ms", "digits", or NULL */
    uint32_t secret;      /* non-zero: never shown */
    uint32_t reserved;
    const char *sentence; /* one sentence for the manual */
};

/* One value per setting row, in the order of the rows. */
struct rg_value {
    uint32_t present; /* 0: not given and no default */
    uint32_t reserved;
    int64_t number;       /* number; flag 0/1; choice: index from 0 */
    struct rg_bytes text; /* text, choice name, key name; lives as long as the instance */
};

/* Where configure() says what is wrong. */
struct rg_diag {
    uint64_t size;
    uint32_t row; /* setting row it is about, or 0xffffffff */
    uint32_t reserved;
    struct rg_buffer text; /* what is wrong and what to do, one sentence */
};

/* --- abilities ----------------------------------------------------------------------------- */

#define RG_ABLE_REPEAT                                                                             \
    1u /* the same message may be sent again (command.repeat > 0) and is booked once */
#define RG_ABLE_INQUIRE          2u  /* an attempt of this operation can be inquired */
#define RG_ABLE_REVERSE          4u  /* an attempt of this operation can be reversed */
#define RG_ABLE_PARTIAL          8u  /* works for a part of the amount */
#define RG_ABLE_PARTIAL_APPROVAL 16u /* the other side may approve less than asked */

struct rg_ability {
    uint64_t size;
    uint32_t operation;       /* RG_OP_... */
    uint32_t flags;           /* RG_ABLE_... */
    uint32_t late_window_ms;  /* how long after the deadline an answer may still arrive */
    uint32_t deadline_ms;     /* how long the host waits for an answer, unless the channel says */
    int64_t amount_minor_max; /* largest amount the protocol can carry */
    const char *currencies;   /* "EUR USD", or NULL for any */
};

/* --- command in, result out ---------------------------------------------------------------- */

struct rg_command {
    uint64_t size;
    uint32_t operation;     /* RG_OP_... */
    uint32_t repeat;        /* 0 first time, n: n-th repetition of the same message */
    int64_t amount_minor;   /* of this operation; 0 for link operations and inquiries */
    int64_t original_minor; /* of the payment or, for reverse/inquire, of the attempt referenced */
    uint32_t currency_number;   /* ISO 4217 numeric, 978; 0 for link operations */
    uint32_t currency_exponent; /* 0..4 */
    char currency_code[4];      /* "EUR" and a zero byte */
    uint32_t trace;             /* durable trace number of the channel, 1..999999 */
    int64_t time_unix_us;       /* when the operation was recorded; a repeat has the first one's */
    struct rg_civil utc;
    struct rg_civil local;
    uint8_t random[16];         /* fixed per attempt */
    struct rg_bytes attempt_id; /* unique text, usable as idempotency key towards the channel */
    const struct rg_named
        *details; /* the payment method's own fields: "pan", "expiry", "emv", ... */
    uint64_t details_count;
    const struct rg_named
        *refs; /* of the attempt this operation refers to; empty for a first one */
    uint64_t refs_count;
    struct rg_bytes notice_url; /* where the channel can send notices; empty: nowhere */
    int64_t now_unix_us; /* when this very sending is made: for what must be fresh (the time in a
                            signature), never for what names the operation. A repeat has its own */
};

struct rg_event {
    uint64_t size;
    uint32_t kind;        /* RG_EVENT_... */
    uint32_t http_status; /* REPLY over HTTP: 100..599; else 0 */
    struct rg_bytes bytes;
    struct rg_bytes
        headers; /* REPLY over HTTP: "name: value\n" lines, lower-case names; else empty */
};

/* Named values an adapter hands back; written with rg_table_put() of writer.h. */
struct rg_table {
    struct rg_named *rows;
    uint64_t room; /* rows there is room for */
    uint64_t count;
    struct rg_buffer text; /* where names and values are copied */
};

struct rg_out {
    uint64_t size;
    struct rg_buffer bytes; /* SEND: the message. SIGN: what is signed */
    struct rg_buffer
        correlation; /* SEND on a framed stream: the key its reply will carry, <= 64 bytes */
    struct rg_buffer sign_key; /* SIGN: name of a setting row of type KEY */
    struct rg_table refs;     /* SEND: what a reversal or inquiry will need (stored before the bytes
                                 leave). DONE: added to them */
    struct rg_table grants;   /* DONE of sign_on, key_change, token: see below */
    uint32_t expects_reply;   /* SEND: 1 yes, 2 no (fire and forget: next event never comes) */
    uint32_t outcome;         /* DONE: RG_OUTCOME_... */
    uint32_t category;        /* DONE, not approved: RG_CATEGORY_... */
    uint32_t currency_number; /* DONE: as the channel sees it; 0 when it does not say */
    int64_t amount_minor;     /* DONE: as the channel sees it; -1 when it does not say */
    struct rg_buffer reference; /* DONE: the channel's own reference (RRN, UETR, ...) */
    struct rg_buffer rail_code; /* DONE: the channel's own code ("51", "AC04") */
    struct rg_buffer message;   /* DONE: one short sentence for people, from the code table */
    struct rg_buffer diagnosis; /* FAIL: what could not be encoded or understood, without values */
    struct rg_table extra; /* DONE: values for the merchant ("approval_code", "emv_response") */

    /* SEND over HTTP. */
    uint32_t http_method; /* RG_HTTP_... ; with GET and DELETE `bytes` may be empty */
    uint32_t
        grants_lifetime_s;   /* DONE of token: how long the grants hold; 0: until refused (401) */
    struct rg_buffer path;   /* "/v1/orders?x=1": begins with '/', visible ASCII, <= 2048 bytes */
    struct rg_table headers; /* names in lower case; not host, content-length, connection,
                                transfer-encoding, expect */

    /* DONE of authorise or sale with PENDING. */
    uint32_t action;               /* RG_ACTION_..., or 0: only waiting */
    uint32_t expires_in_s;         /* the action is good for so long from command.time_unix_us on;
                                      0: no end. Afterwards the host inquires, then cancels */
    struct rg_table action_values; /* "payload", "url", "iban", ... */
};

/* Grants of `token`: name and value of a token for slots (RG_NAMED_SLOT), kept for the channel.
 *
 * Grants of sign_on and key_change: rows whose name is a setting row of type KEY replace that key
 * for this link. The value is
 *     name of the wrapping KEY setting, a zero byte, one byte KCV length (0 or 3), KCV, wrapped key
 * written with rg_table_put_wrapped_key(). The host unwraps (TDES-ECB or AES-KW by the
 * wrapping key's type), compares the check value (KCV) and refuses the grant when it differs. */

struct rg_frame {
    uint64_t size;
    uint32_t kind; /* COMPLETE: RG_FRAME_REPLY or RG_FRAME_UNSOLICITED */
    uint32_t reserved;
    uint64_t length; /* COMPLETE: bytes of the message from the front; NEED: total or 0 */
    struct rg_buffer correlation; /* COMPLETE and REPLY: as set with SEND */
};

struct rg_notice {
    uint64_t size;
    uint32_t verified; /* 0 not yet, 1 the host verified what VERIFY asked for */
    uint32_t reserved;
    struct rg_bytes bytes;   /* the message */
    struct rg_bytes headers; /* HTTP: "name: value\n" lines, lower-case names; else empty */
    struct rg_civil utc;     /* now */
    int64_t time_unix_us;    /* the same */
    uint32_t index; /* a message may tell of several payments: 0 first, then while out->more */
    uint32_t http_method; /* RG_HTTP_...; 0 on a framed stream */
    struct rg_bytes path; /* HTTP: what follows the channel's notice address, with query; may be
                             empty */
    void
        *memory; /* notice_size bytes for this message: zeroed before its first call, kept until its
                    last, so that it need not be read again for each entry; NULL if notice_size is 0
                  */
};

struct rg_notice_out {
    uint64_t size;
    struct rg_buffer bytes;     /* VERIFY: what must be verified */
    struct rg_buffer signature; /* VERIFY: with this signature or MAC */
    struct rg_buffer sign_key;  /* VERIFY: under this KEY setting */
    struct rg_buffer reference; /* DONE: the channel's own reference; of RETURN and CREDIT the name
                                   of that movement, by which a repeated notice is recognised */
    struct rg_buffer acknowledgement; /* DONE: bytes to send back after it is stored; may be empty.
                                         Of several entries that of the last one counts */
    struct rg_table refs;
    uint32_t outcome; /* 0: nothing about a payment (a link matter) */
    uint32_t category;
    uint32_t currency_number;
    uint32_t reserved;
    int64_t amount_minor; /* as the channel sees it; -1 when it does not say */
    struct rg_buffer rail_code;
    uint32_t about;              /* DONE: RG_ABOUT_... ; 0: STATUS if outcome is set, else LINK */
    uint32_t more;               /* DONE: non-zero: call again with index + 1 (same verified) */
    struct rg_buffer attempt_id; /* DONE: as command.attempt_id was; empty: the
                                    message names none of ours */
    struct rg_buffer message;    /* DONE: one short sentence for people */
    uint32_t ack_status;         /* HTTP: status of the acknowledgement; 0: 200 */
    uint32_t reserved2;
    struct rg_buffer ack_type;  /* HTTP: its content type; empty: text/plain */
    struct rg_buffer diagnosis; /* BROKEN: what was not understood, without values */
};

/* notice(): a message that is authenticated by a signature or MAC answers VERIFY first (verified is
 * 0); the host checks it and calls again with verified 1, or refuses the message (401). A message
 * that answers DONE without VERIFY is not authenticated: the host takes it as a hint, inquires
 * about the attempt it names, and changes no money because of it. */

/* --- the adapter --------------------------------------------------------------------------- */

struct rg_adapter {
    uint32_t magic;      /* RG_ABI_MAGIC */
    uint32_t abi_major;  /* must equal the host's */
    uint32_t abi_minor;  /* of the header it was compiled with; may be larger than the host's */
    uint32_t transport;  /* RG_TRANSPORT_... */
    uint64_t size;       /* sizeof(struct rg_adapter) where it was compiled */
    const char *id;      /* "card"; [a-z0-9_]{1,32} */
    const char *version; /* "1.0.0" */
    const char *licence; /* SPDX */
    const char *origin;  /* who made it, for people */
    const char *rail;    /* "card", "qr", "bank", "cbdc" */
    const struct rg_setting *settings;
    uint64_t settings_count; /* <= 64 */
    const struct rg_ability *abilities;
    uint64_t abilities_count; /* <= 16 */
    uint64_t instance_size;   /* bytes; <= 1 MiB */
    uint64_t exchange_size;   /* bytes; <= 64 KiB */
    uint64_t request_max;     /* largest message out, bytes; <= 1 MiB */
    uint64_t answer_max;      /* largest message in, bytes; <= 1 MiB */
    uint32_t steps_max;       /* most calls of begin+resume in one exchange; <= 64 */
    uint32_t reserved;

    /* Once per channel. values: settings_count rows. Returns 1, or 0 with diag filled. */
    uint32_t (*configure)(void *instance, const struct rg_value *values, struct rg_diag *diag);
    /* Starts one operation. Returns RG_STEP_... */
    uint32_t (*begin)(const void *instance, void *exchange, const struct rg_command *command,
                      struct rg_out *out);
    /* Goes on with it. Returns RG_STEP_... Never called again after DONE or FAIL. */
    uint32_t (*resume)(const void *instance, void *exchange, const struct rg_event *event,
                       struct rg_out *out);
    /* Framed transports only, else NULL. bytes: everything received and not yet consumed, from the
     * start of a message. Returns RG_FRAME_... */
    uint32_t (*frame)(const void *instance, const struct rg_bytes *bytes, struct rg_frame *out);
    /* May be NULL. Returns RG_NOTICE_... */
    uint32_t (*notice)(const void *instance, const struct rg_notice *in, struct rg_notice_out *out);
    /* Families that come later; NULL or returns NULL for what it does not know. */
    const void *(*extension)(const char *name, uint32_t version);
    uint64_t notice_size; /* bytes of memory that notice() wants for a message; <= 4 MiB */
};

/* The one exported symbol. host_abi is (major << 16) | minor of the host; an adapter that cannot
 * serve it returns NULL. The struct is constant and lives until the object is unloaded. */
#define RG_ADAPTER_ENTRY "rg_adapter_get"
const struct rg_adapter *rg_adapter_get(uint32_t host_abi);

#ifdef __cplusplus
}
#endif
#endif
