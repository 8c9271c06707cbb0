/* SPDX-License-Identifier: Apache-2.0
 *
 * bank_int.h - what the files of the bank adapter share.
 *
 *     bank.c           settings, abilities, begin(), resume(), the exported struct
 *     bank_configure.c settings -> instance
 *     bank_order.c     SALE: details -> a checked credit transfer, or the wait for one
 *     bank_rules.c     the rules that no schema checks, each with its ISO reason code
 *     bank_follow.c    INQUIRE, CANCEL, REFUND, REVERSE: messages about an earlier one, from its
 *                      refs
 *     bank_ids.c       references that hold the attempt, and reading them back
 *     bank_jws.c       detached JWS, base64url
 *     bank_token.c     the access token
 *     bank_reply.c     what the bank answers
 *     bank_notice.c    what the bank says unasked
 *     bank_codes.c     profiles.def, reason_codes.def and statuses as tables
 *
 * Way of an exchange; without a sign_key the SIGN step falls away:
 *     begin          check, write the message                      -> SIGN (or DONE, nothing sent)
 *     resume SIGNED  protected header, "..", signature             -> SEND
 *     resume REPLY   read, compare with what was asked, by table   -> DONE
 *
 * A payment that is refused here, before anything left, is DONE REJECTED with the ISO reason code
 * that a bank would have given.
 */
#ifndef BANK_INT_H
#define BANK_INT_H

#include "kits/account.h"
#include "kits/attempt.h"
#include "kits/iso20022.h"
#include "kits/iso20022_out.h"
#include "kits/text.h"
#include <railgate/adapter.h>
#include <railgate/writer.h>

#include <string.h>

#define BANK_INSTANCE_MAGIC 0x42494E53u
#define BANK_EXCHANGE_MAGIC 0x42455843u

#define BANK_MESSAGE_MAX   24576u /* of a message that we write */
#define BANK_REQUEST_MAX   40960u /* that message in base64url, with its protected header */
#define BANK_ANSWER_MAX    (1024u * 1024u)
#define BANK_AMOUNT_MAX    INT64_C(99999999999999999) /* 18 digits, one to spare */
#define BANK_PROTECTED_MAX 256u
#define BANK_JWS_AGE_S     300
#define BANK_HINTS_MAX     8u /* payments that are read of a message which nobody has signed */

/* Setting rows, in the order of the table in bank.c. */
enum bank_setting {
    SET_SCHEME = 0,
    SET_INITIATION,
    SET_HEADER,
    SET_PAIN_VERSION,
    SET_NAME,
    SET_COUNTRY,
    SET_IBAN,
    SET_ACCOUNT,
    SET_ACCOUNT_TYPE,
    SET_PARTY_ID,
    SET_BIC,
    SET_MEMBER,
    SET_TO_BIC,
    SET_TO_MEMBER,
    SET_RECEIVE_IBAN,
    SET_RECEIVE_REFERENCE,
    SET_QRR_PREFIX,
    SET_RECEIVE_EXPIRES_S,
    SET_AMOUNT_MAX,
    SET_ACSP_IS_FINAL,
    SET_INQUIRY,
    SET_PATH,
    SET_SIGN_ALG,
    SET_SIGN_KEY,
    SET_SIGN_KEY_ID,
    SET_BANK_KEY,
    SET_BANK_KEY_ID,
    SET_TOKEN,
    SET_TOKEN_PATH,
    SET_TOKEN_AUDIENCE,
    SET_CLIENT_ID,
    SET_COUNT,
};

/* --- schemes --------------------------------------------------------------------------------- */

enum bank_initiation { INITIATION_CUSTOMER = 1, INITIATION_PARTICIPANT };
enum bank_ids { IDS_PLAIN = 1, IDS_PIX, IDS_FEDNOW };
enum bank_account { ACCOUNT_IBAN = 1, ACCOUNT_OTHER, ACCOUNT_EITHER };
enum bank_charset { CHARSET_SEPA = 1, CHARSET_LATIN, CHARSET_ANY };
enum bank_profile_flag {
    PROFILE_INSTANT_SWITCH = 1,   /* speed=instant makes LclInstrm INST */
    PROFILE_NEEDS_NAME = 2,       /* of the creditor */
    PROFILE_NEEDS_MEMBER = 4,     /* the creditor's bank by its clearing number */
    PROFILE_NO_NAME = 8,          /* of the creditor: never written */
    PROFILE_NO_RECALL = 16,       /* camt.056 is not used */
    PROFILE_QR_IBAN = 32,         /* a QR-IBAN wants a QR reference and the other way round */
    PROFILE_CHOOSES = 64,         /* settings `initiation` and `header` decide */
    PROFILE_LOCAL_BY_ALIAS = 128, /* Pix: MANU without an alias, DICT with one */
};

struct bank_profile {
    const char *name;
    uint32_t initiation;
    const char *header, *envelope;
    uint32_t ids, account, charset, flags;
    const char *currencies; /* blank-separated; NULL: any */
    int64_t amount_max;
    struct iso_terms terms;
    const char *member_system;
    uint32_t member_digits;
    uint32_t name_max;
    const char *return_reason;
};

/* Of the profile table; NULL beyond its end. */
const struct bank_profile *bank_profile_at(uint64_t index);
const struct bank_profile *bank_profile_named(struct rg_bytes name);

/* --- instance and exchange ------------------------------------------------------------------- */

struct bank_text {
    uint8_t bytes[144];
    uint32_t len;
};

struct bank_instance {
    uint32_t magic;
    uint32_t initiation; /* enum bank_initiation */
    uint32_t pain_03, acsp_is_final, inquiry, use_token, receive_qrr, es256;
    uint32_t has_sign_key, has_bank_key;
    uint32_t receive_expires_s;
    int64_t amount_max;
    const struct bank_profile *profile;
    const char *header; /* version, or NULL */
    struct bank_text name, country, iban, account, account_type, party_id, bic, member, to_bic,
        to_member, receive_iban, qrr_prefix, path, sign_key_id, bank_key_id, token_path,
        token_audience, client_id;
};

enum bank_stage { STAGE_SIGN = 1, STAGE_WAIT_REPLY, STAGE_OVER };

/* What later messages need of this one: named values of the attempt, texts. REF(name, longest) */
#define BANK_REFS(REF)                                                                             \
    REF(what, 12) /* sale, receive, cancel, refund */                                              \
    REF(message, 35)                                                                               \
    REF(message_kind, 35)                                                                          \
    REF(created, 35)                                                                               \
    REF(instruction, 35)                                                                           \
    REF(end_to_end, 35)                                                                            \
    REF(transaction, 35)                                                                           \
    REF(uetr, 36)                                                                                  \
    REF(amount, 24)                                                                                \
    REF(currency, 3)                                                                               \
    REF(date, 10)                                                                                  \
    REF(repeated, 1)                                                                               \
    REF(reference, 35)  /* receive: the structured reference that we wait for */                   \
    REF(of_message, 35) /* cancel, refund by recall: the recalled payment's message */             \
    REF(in_message, 35) /* receive: of what came in, for its return */                             \
    REF(in_kind, 35)                                                                               \
    REF(in_instruction, 35)                                                                        \
    REF(in_end_to_end, 35)                                                                         \
    REF(in_transaction, 35)                                                                        \
    REF(in_uetr, 36)                                                                               \
    REF(in_date, 10)                                                                               \
    REF(debtor_name, 140)                                                                          \
    REF(debtor_account, 34)                                                                        \
    REF(debtor_agent, 35)

struct bank_refs {
#define REF(name, longest) char name[longest + 1];
    BANK_REFS(REF)
#undef REF
};

struct bank_exchange {
    uint32_t magic;
    uint32_t stage; /* enum bank_stage */
    uint32_t operation;
    uint32_t repeat;
    uint32_t currency_number;
    int64_t original_minor;
    uint32_t original_repeated; /* INQUIRE: the attempt in question was sent more than once */
    struct bank_refs self;      /* of the message that we send */
    struct bank_refs original;  /* of the attempt it refers to */
    uint8_t attempt[ATTEMPT_TEXT_LEN];
    uint8_t notice_url[512];
    uint32_t notice_url_len;
    uint32_t protected_len;
    uint8_t protected_header[BANK_PROTECTED_MAX]; /* base64url */
    uint32_t body_len;
    uint8_t body[BANK_MESSAGE_MAX];
};

static inline struct rg_bytes bank_view(const struct bank_text *text)
{
    return (struct rg_bytes){ text->bytes, text->len };
}

static inline struct rg_bytes bank_detail(const struct rg_command *command, const char *name)
{
    return rg_named_view(command->details, command->details_count, name);
}

/* --- bank.c ---------------------------------------------------------------------------------- */

/* Writes the diagnosis and returns RG_STEP_FAIL. */
uint32_t bank_fail(struct bank_exchange *x, struct rg_out *out, const char *diagnosis);
/* DONE REJECTED before anything was sent: an ISO reason code of reason_codes.def and a sentence. */
uint32_t bank_refuse(struct bank_exchange *x, struct rg_out *out, const char *code,
                     const char *sentence);
/* x->body is written, x->self filled: SIGN or SEND. */
uint32_t bank_sign_or_send(const struct bank_instance *bank, struct bank_exchange *x,
                           const struct rg_command *command, struct rg_out *out);
uint32_t bank_configure(void *instance, const struct rg_value *values, struct rg_diag *diag);
extern const struct rg_setting bank_settings[SET_COUNT];

/* --- bank_order.c, bank_follow.c, bank_token.c: begin() of an operation ------------------------
 */

uint32_t bank_begin_sale(const struct bank_instance *bank, struct bank_exchange *x,
                         const struct rg_command *command, struct rg_out *out);
uint32_t bank_begin_inquire(const struct bank_instance *bank, struct bank_exchange *x,
                            const struct rg_command *command, struct rg_out *out);
uint32_t bank_begin_cancel(const struct bank_instance *bank, struct bank_exchange *x,
                           const struct rg_command *command, struct rg_out *out);
uint32_t bank_begin_reverse(struct bank_exchange *x, const struct rg_command *command,
                            struct rg_out *out);
uint32_t bank_begin_refund(const struct bank_instance *bank, struct bank_exchange *x,
                           const struct rg_command *command, struct rg_out *out);
uint32_t bank_begin_token(const struct bank_instance *bank, struct bank_exchange *x,
                          const struct rg_command *command, struct rg_out *out);
/* An order that is complete but for its references: writes it into x->body. */
uint32_t bank_send_order(const struct bank_instance *bank, struct bank_exchange *x,
                         const struct rg_command *command, struct iso_order *order, char kind,
                         struct rg_out *out);
/* Header and envelope of the scheme around what `put` writes. */
typedef void bank_put_fn(struct rg_buffer *b, const void *arg);
void bank_put_message(const struct bank_instance *bank, struct bank_exchange *x,
                      const char *definition, bank_put_fn *put, const void *arg);
struct iso_agent bank_agent(struct rg_bytes bic, struct rg_bytes member, const char *system);
struct iso_agent bank_own_agent(const struct bank_instance *bank);
struct iso_agent bank_other_agent(const struct bank_instance *bank);
/* The amount of the command as `self` tells it later. */
void bank_keep_amount(struct bank_exchange *x, const struct rg_command *command, int64_t minor);

/* Is this the attempt of a recall, by CANCEL or REFUND? */
static inline uint32_t bank_is_recall(const struct bank_refs *refs)
{
    return strncmp(refs->message_kind, "camt.056", 8) == 0;
}

/* --- bank_rules.c ---------------------------------------------------------------------------- */

struct bank_refusal {
    const char *code; /* NULL: nothing is wrong */
    const char *sentence;
};
struct bank_refusal bank_check_amount(const struct bank_instance *bank,
                                      const struct bank_profile *profile,
                                      const struct rg_command *command);
struct bank_refusal bank_check_order(const struct bank_profile *profile,
                                     const struct iso_order *order);

/* --- bank_ids.c ------------------------------------------------------------------------------ */

/* Which reference: M message, I instruction, E end to end, F end to end of a refund that is a
 * transfer, T transaction, P payment information, S status request, C case of a cancel, B case of a
 * refund (both are recalls), R return. */
void bank_put_id(const struct bank_instance *bank, char kind, const struct rg_command *command,
                 uint64_t attempt, struct rg_buffer *out);
/* 1 and the attempt (and the kind, 'E' for a structured reference) when the text is one of ours. */
uint32_t bank_read_id(const struct bank_instance *bank, const char *text, uint64_t *attempt,
                      char *kind);
/* The structured creditor reference of an attempt, and back. */
void bank_put_reference(const struct bank_instance *bank, uint64_t attempt, struct rg_buffer *out);
uint32_t bank_read_reference(const struct bank_instance *bank, struct rg_bytes text,
                             uint64_t *attempt);
void bank_put_time(struct rg_buffer *out, const struct rg_civil *utc, uint32_t with_ms);
void bank_put_date(struct rg_buffer *out, const struct rg_civil *civil);

/* --- bank_jws.c ------------------------------------------------------------------------------ */

void bank_put_base64url(struct rg_buffer *out, struct rg_bytes bytes);
/* 1 and the bytes, or 0: foreign letters, padding, a length that is none, no room. */
uint32_t bank_read_base64url(struct rg_bytes text, struct rg_buffer *out);
/* The protected header of our signature, base64url. */
void bank_put_protected(const struct bank_instance *bank, int64_t time_unix_s,
                        struct rg_buffer *out);
/* Takes `x-jws-signature` apart: writes what must be verified and the signature. NULL, or what is
 * wrong with it. */
const char *bank_take_signature(const struct bank_instance *bank, const struct rg_notice *in,
                                struct rg_bytes value, struct rg_notice_out *out);

/* --- bank_token.c, bank_reply.c --------------------------------------------------------------- */

uint32_t bank_token_signed(const struct bank_instance *bank, struct bank_exchange *x,
                           struct rg_bytes signature, struct rg_out *out);
uint32_t bank_token_reply(struct bank_exchange *x, const struct rg_event *event,
                          struct rg_out *out);
uint32_t bank_reply(const struct bank_instance *bank, struct bank_exchange *x,
                    const struct rg_event *event, struct rg_out *out);

/* --- bank_notice.c --------------------------------------------------------------------------- */

uint32_t bank_notice(const void *instance, const struct rg_notice *in, struct rg_notice_out *out);

/* --- bank_codes.c ---------------------------------------------------------------------------- */

enum bank_reason_verdict { REASON_DECLINED = 1, REASON_DUPLICATE, REASON_UNKNOWN };
struct bank_reason {
    const char *code;
    uint32_t verdict;
    uint32_t category;
    const char *sentence;
};
/* Never NULL: a row for all others when there is none. */
const struct bank_reason *bank_reason_of(const char *code);

enum bank_state {
    STATE_OPEN = 1, /* on its way */
    STATE_DONE,     /* the creditor has the money, or the debtor's bank has settled */
    STATE_SETTLING, /* ACSP: accepted, settlement in process; a setting says whether that is final
                     */
    STATE_REFUSED,
};
/* Of a payment status (TxSts, PmtInfSts, GrpSts); 0 for a word that is not in the table. */
uint32_t bank_state_of(const char *status);
/* Of a recall status (TxCxlSts, Conf): STATE_DONE the money comes back; 0: not in the table. */
uint32_t bank_recall_state_of(const char *status);

/* A verdict about a payment: the same for an answer and a notice. */
struct bank_verdict {
    uint32_t outcome; /* RG_OUTCOME_..., 0: the message does not tell */
    uint32_t category;
    const char *sentence;
    char code[36]; /* reason, or the status when there is none */
};
enum bank_sight { SIGHT_ANSWER = 1, SIGHT_INQUIRY, SIGHT_NOTICE };
/* `sure`: what is refused as a duplicate was sent only once, so the refusal is about that sending.
 */
void bank_judge_payment(const struct bank_instance *bank, const struct iso_item *item,
                        enum bank_sight sight, uint32_t sure, struct bank_verdict *v);
void bank_judge_recall(const struct iso_item *item, struct bank_verdict *v);

#endif
