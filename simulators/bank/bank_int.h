/* bank_int.h - inside of the bank's brain: what its files share. Not for callers.
 *
 *     bank_brain.c     the door: routes, signature, token, which message is it
 *     iso_check.c      is the message formally right (iso_types.def)
 *     bank_pay.c       pain.001 and pacs.008: checks (bank_check.c)
 *     bank_decide.c    what becomes of it: magic amounts, booking, the answer
 *     bank_after.c     pacs.028, camt.056, pacs.004: what comes after a payment
 *     bank_plan.c      what is due later
 *     bank_status.c    writes pain.002, pacs.002, camt.029, admi.002
 *     bank_report.c    writes camt.054, camt.053, pacs.004, pacs.008
 *     bank_settle.c    the same camt.053 and camt.054 over any time, as a stream
 *     bank_send.c      envelope, signature, where to
 *     bank_command.c   POST /credit, /return, /statement, /accounts
 *     bank_book.c      accounts and entries;  bank_knobs.c  settings and keys
 */
#ifndef SIM_BANK_INT_H
#define SIM_BANK_INT_H

#include "bank_brain.h"
#include "iso_check.h"
#include "jose.h"
#include "money.h"
#include "xml_out.h"

#include "base/ensure.h"

#define BANK_CURRENCIES   64
#define BANK_ACCOUNTS_MAX 2048
#define BANK_ENTRIES_MAX  1000000u
#define BANK_SEEN_MAX     65536u /* messages whose answers are kept; then the oldest is forgotten */
#define BANK_BUCKETS      16384u
#define BANK_TXS_MAX      64 /* transactions in one message */
#define BANK_TOKENS_MAX   256
#define BANK_URLS_MAX     64
#define BANK_NONE         UINT32_MAX

/* --- settings ------------------------------------------------------------------------------- */
enum bank_scheme_id {
#define SCHEME(name, ...) SCHEME_##name,
#include "bank_scheme.def"
#undef SCHEME
    SCHEME_COUNT
};
struct bank_scheme {
    const char *name, *currencies;
    int64_t maximum_minor;
    const char *settlement, *clearing;
    bool clearing_mandatory;
    const char *service, *instrument, *bearers;
    bool iban_only, instant;
};
extern const struct bank_scheme BANK_SCHEMES[SCHEME_COUNT];

struct bank_settings {
#define CHOICE(name, words)              uint8_t name;
#define NUMBER(name, value, least, most) int64_t name;
#define FLAG(name, value)                bool name;
#define TEXT(name, value, longest)       char name[(longest) + 1];
#include "bank_settings.def"
#undef CHOICE
#undef NUMBER
#undef FLAG
#undef TEXT
};
/* The word a choice stands at: bank_word(b->settings.recall, "recall"). */
const char *bank_word(const struct bank_settings *s, const char *name, char out[24]);
bool bank_is(const struct bank_settings *s, const char *name, const char *word);

struct bank_keys {
    struct jose_key own[2];     /* by alg - 1 */
    struct jose_key channel[2]; /* any of these */
    char own_kid[64], channel_kid[64];
};

/* --- books ---------------------------------------------------------------------------------- */
enum account_state { ACCOUNT_OPEN = 1, ACCOUNT_POOR, ACCOUNT_CLOSED, ACCOUNT_BLOCKED };
struct bank_account {
    char id[36], bic[12], name[72];
    enum account_state state;
    unsigned magic;
    bool inside;         /* CLEARING, PARTICIPANT: may go below zero */
    uint64_t currencies; /* bit by index of the currency */
    int64_t opening_minor[BANK_CURRENCIES], balance_minor[BANK_CURRENCIES];
    int64_t debits_minor[BANK_CURRENCIES], credits_minor[BANK_CURRENCIES];
};
#define BANK_CLEARING    0u /* everybody who has no account here */
#define BANK_PARTICIPANT 1u /* the settlement account of the participant we talk to */

enum bank_kind { KIND_TRANSFER = 1, KIND_RETURN, KIND_CREDIT, KIND_RECALL };
enum bank_state { STATE_PENDING = 1, STATE_BOOKED, STATE_REJECTED };

struct bank_entry {
    uint64_t number; /* from 1 */
    enum bank_kind kind;
    enum bank_state state;
    char reason[8];
    char end_to_end_id[36], instr_id[36], tx_id[36], uetr[37], msg_id[36], pmt_inf_id[36];
    const char *msg_name; /* "pacs.008.001.08"; static */
    int64_t amount_minor;
    char currency[4];
    uint32_t debit, credit; /* accounts */
    char debtor[144], debtor_account[36], debtor_agent[12];
    char creditor[144], creditor_account[36], creditor_agent[12];
    char reference[36], remittance[144], purpose[8];
    char case_id[36], cancel_id[36]; /* recall */
    uint64_t original;               /* of a return or recall */
    int64_t returned_minor;          /* of this one, so far */
    int64_t at_us, booked_us;        /* wall; booked 0: never */
    int64_t execute_us;              /* wall; not booked before; 0: at once */
    uint64_t content;                /* fingerprint for AM05 */
    uint32_t url;                    /* bank_url_* */
    unsigned magic;
    uint8_t bookings;
    bool participant; /* came as pacs, is answered as pacs */
    bool enveloped;
    bool instant;
    uint64_t same_end_to_end, same_tx, same_uetr; /* next of the chain */
};

struct bank_seen {
    char msg_id[36];
    uint64_t digest[2];
    int http_status;
    bool again; /* the first was answered 503 and not handled */
    uint8_t *body;
    size_t body_len;
    uint32_t next; /* index + 1 */
};

enum bank_event_kind {
    EVENT_BOOK = 1,
    EVENT_STATUS, /* tells `status` once more */
    EVENT_RECALL, /* end of a pending recall */
    EVENT_RETURN, /* the beneficiary's bank gives it back */
};
struct bank_event {
    int64_t at_us;
    uint64_t order;
    enum bank_event_kind kind;
    uint64_t entry;
    char status[8], reason[8];
};

#define BANK_STATS(X)                                                                              \
    X(messages)                                                                                    \
    X(transactions)                                                                                \
    X(repeats)                                                                                     \
    X(rejected)                                                                                    \
    X(wrong_signatures)                                                                            \
    X(wrong_tokens)                                                                                \
    X(tokens_given)                                                                                \
    X(unreadable)                                                                                  \
    X(notices_written)                                                                             \
    X(notices_without_url)                                                                         \
    X(forgotten)

struct bank {
    uint32_t magic;
    struct sim_config config;
    struct bank_settings settings;
    struct bank_keys keys;
    struct bank_account *accounts;
    uint32_t account_count;
    struct bank_entry **entries;
    size_t entry_count, entry_room;
    uint64_t *by_end_to_end, *by_tx, *by_uetr; /* BANK_BUCKETS numbers */
    struct bank_seen *seen;
    size_t seen_count; /* of all; place is count % MAX */
    uint32_t *by_msg;
    struct bank_event *plan; /* heap */
    size_t plan_len, plan_room;
    struct {
        char text[48];
        int64_t until_us; /* wall */
    } tokens[BANK_TOKENS_MAX];
    size_t token_count;
    char *urls[BANK_URLS_MAX];
    size_t url_count;
    uint32_t last_url; /* + 1; 0: none seen */
    bool last_enveloped;
    uint64_t order, next_id, random;
    uint8_t *scratch; /* SIM_HTTP_BODY_MAX, for notices */
    struct {
#define X(name) uint64_t name;
        BANK_STATS(X)
#undef X
    } stats;
};

/* One request on its way. */
struct bank_call {
    struct bank *b;
    const struct sim_request *request;
    struct sim_answer *answer;
    int64_t now_us, wall_us;
    struct arena *arena;
    const struct xml_node *document, *message, *header; /* message: child of Document */
    const struct iso_message *kind;
    struct view msg_id;
    uint32_t url;
    char sentence[200];     /* why not */
    struct bank_seen *seen; /* of this message; never NULL once a kind handles it */
    bool busy;              /* the answer is kept for the repeat, this time it is 503 */
};

static inline int64_t bank_wall(const struct bank *b, int64_t now_us)
{
    return b->config.wall_offset_us + now_us;
}
uint64_t bank_random(struct bank *b);
/* Cuts at `room` - 1 bytes without halving a letter. */
void bank_copy(char *out, size_t room, struct view text);
#define BANK_COPY(field, view) bank_copy(field, sizeof(field), view)

/* bank_book.c */
enum status bank_books_open(struct bank *b);
void bank_books_clear(struct bank *b); /* empty books, balances as at the start */
void bank_books_close(struct bank *b);
int bank_currency(struct view currency);
uint32_t bank_account_find(const struct bank *b, struct view id); /* BANK_NONE */
struct bank_account *bank_account_add(struct bank *b, struct view id, struct view bic,
                                      struct view name, uint64_t currencies,
                                      enum account_state state, unsigned magic,
                                      int64_t opening_minor);
bool bank_account_takes(const struct bank_account *a, struct view currency);
/* NULL when the books are full. Indexed by bank_entry_index when its ids are in. */
struct bank_entry *bank_entry_new(struct bank *b, enum bank_kind kind, int64_t wall_us);
void bank_entry_index(struct bank *b, struct bank_entry *e);
struct bank_entry *bank_entry_get(const struct bank *b, uint64_t number);
/* By UETR, else TxId, else EndToEndId; the newest that was not refused, else the newest. `kinds` is
 * a bit set of 1 << kind. Empty ids do not match. */
struct bank_entry *bank_entry_find(const struct bank *b, struct view end_to_end_id,
                                   struct view tx_id, struct view uetr, unsigned kinds);
/* Moves the money, once. */
void bank_entry_book(struct bank *b, struct bank_entry *e, int64_t wall_us);
bool bank_entry_has_funds(const struct bank *b, const struct bank_entry *e);
struct bank_seen *bank_seen_find(struct bank *b, struct view msg_id);
struct bank_seen *bank_seen_add(struct bank *b, struct view msg_id);
bool bank_books_balanced(const struct bank *b);

/* bank_check.c: reason code, or "" when nothing is wrong; call->sentence says more. */
struct bank_transfer {
    const struct xml_node *tx, *batch; /* batch: PmtInf or GrpHdr */
    struct view currency, amount, uetr, service, service_prtry, instrument, instrument_prtry;
    struct view bearer, date, debtor_iban, creditor_iban;
    struct view debtor_bic, creditor_bic, structured;
    struct bank_entry *e;
};
void bank_check_read(struct bank_call *call, struct bank_transfer *t);
const char *bank_check(struct bank_call *call, struct bank_transfer *t);
/* Ids of a Pix message: letter, ISPB, time, rest. */
bool bank_pix_id(struct view id, char letter, bool with_time);

/* bank_pay.c */
void bank_pay(struct bank_call *call);
void bank_group_reply(struct bank_call *call, const char *code, int http_status);
/* bank_decide.c: what becomes of a transaction that was looked at, and how it is told. */
struct bank_said {
    const struct bank_entry *e;
    const char *status, *reason, *text;
};
struct bank_outcome {
    struct bank_said said[BANK_TXS_MAX];
    size_t count;
    bool by_notice; /* a magic amount wants 202 */
    bool busy;      /* 503 instead of the answer */
};
/* `code`: what bank_check found; "": nothing. Books, plans, or refuses. */
void bank_decide(struct bank_call *call, struct bank_entry *e, const char *code,
                 struct bank_outcome *o);
void bank_answer(struct bank_call *call, const struct bank_outcome *o);
/* Booked: tells by notice what is to be told (status when `tell`, camt.054 when settings say so);
 * or refused when the money is gone. */
void bank_book_now(struct bank *b, struct bank_entry *e, int64_t now_us, bool tell);
void bank_refuse(struct bank *b, struct bank_entry *e, const char *reason);
/* The beneficiary's bank gives back `amount_minor` of a booked payment. NULL: no funds there. */
struct bank_entry *bank_give_back(struct bank *b, struct bank_entry *original, int64_t amount_minor,
                                  const char *reason, int64_t now_us);
enum bank_magic_kind {
    MAGIC_REJECT = 1,
    MAGIC_PENDING_BOOKED,
    MAGIC_PENDING_REJECTED,
    MAGIC_SILENT_BOOKED,
    MAGIC_SILENT_PENDING,
    MAGIC_CONTRADICTION,
    MAGIC_TWICE,
    MAGIC_OUT_OF_ORDER,
    MAGIC_WRONG_AMOUNT,
    MAGIC_WRONG_CURRENCY,
    MAGIC_SLOW,
    MAGIC_RETURNED,
    MAGIC_FOREIGN,
    MAGIC_BUSY,
    MAGIC_BUSY_BOOKED,
    MAGIC_RECALL,
    MAGIC_RECALL_LATER,
    MAGIC_RECALL_SILENT
};
struct bank_magic {
    unsigned number;
    enum bank_magic_kind kind;
    const char *code;
};
const struct bank_magic *bank_magic_of(unsigned number); /* NULL: none */
/* bank_after.c */
void bank_after_inquiry(struct bank_call *call);
void bank_after_recall(struct bank_call *call);
void bank_after_return(struct bank_call *call);
/* A pending recall ends: `reason` "" gives the money back. */
void bank_after_recall_end(struct bank *b, struct bank_entry *recall, const char *reason,
                           int64_t now_us);

/* bank_plan.c */
void bank_plan_add(struct bank *b, enum bank_event_kind kind, uint64_t entry, const char *status,
                   const char *reason, int64_t at_us);
void bank_plan_run(struct bank *b, int64_t now_us);
int64_t bank_plan_next_us(const struct bank *b);
/* When a payment that is accepted now is booked by the settings; `now_us`: at once. */
int64_t bank_plan_due(const struct bank *b, const struct bank_entry *e, int64_t now_us);

/* bank_status.c: what is said about a message and its transactions. */
struct bank_reply {
    struct view msg_id;                                   /* of the original; empty: NOTPROVIDED */
    const char *msg_name;                                 /* of the original */
    const char *group_status, *group_reason, *group_text; /* NULL: none */
    const struct bank_said *said;
    size_t said_count;
    struct view unknown_end_to_end, unknown_tx, unknown_uetr; /* pacs.028 for nothing we know */
    bool as_pain;
};
void bank_write_status(struct bank *b, struct writer *w, const struct bank_reply *reply,
                       int64_t wall_us);
void bank_write_reject(struct bank *b, struct writer *w, struct view reference, const char *code,
                       const char *sentence, int64_t wall_us); /* admi.002 */
/* outcome: CNCL, RJCR, PDCR. `original` NULL: not known, named by the fields of `recall`. */
void bank_write_resolution(struct bank *b, struct writer *w, const struct bank_entry *recall,
                           const struct bank_entry *original, const char *outcome,
                           const char *reason, int64_t wall_us);
void bank_say_status(struct bank *b, const struct bank_entry *e, const char *status,
                     const char *reason, int64_t now_us);
const char *bank_status_of(const struct bank *b, const struct bank_entry *e, char out[24]);

/* bank_report.c */
void bank_write_entry_notice(struct bank *b, struct writer *w, const struct bank_entry *e,
                             uint32_t account, int64_t wall_us); /* camt.054 */
void bank_write_statement(struct bank *b, struct writer *w, uint32_t account, int currency,
                          int64_t day_wall_us, int64_t wall_us); /* camt.053 */
void bank_write_return(struct bank *b, struct writer *w, const struct bank_entry *e,
                       const struct bank_entry *original, int64_t wall_us); /* pacs.004 */
void bank_write_credit(struct bank *b, struct writer *w, const struct bank_entry *e,
                       int64_t wall_us); /* pacs.008 */
/* Parts of camt.053 and camt.054. `debit`: seen from the account that is told of. */
void bank_put_group_header(struct xml_out *x, const char *id, int64_t wall_us);
void bank_put_account_of(struct bank *b, struct xml_out *x, uint32_t account, const char *currency);
void bank_put_balance(struct xml_out *x, const char *type, int64_t amount_minor,
                      const char *currency, int64_t day_us);
void bank_put_booking(struct xml_out *x, const char *element, uint64_t number);
void bank_put_entry(struct xml_out *x, const struct bank_entry *e, bool debit,
                    int64_t amount_minor);
/* Tells the owner of the account, or the participant, that money came. */
void bank_tell_credit(struct bank *b, const struct bank_entry *e, int64_t now_us);

/* bank_send.c */
uint32_t bank_url_intern(struct bank *b, struct view url); /* 0: none */
/* letter: M of a message, D of a return, E of a payment; only Pix has forms for them. */
void bank_new_id(struct bank *b, char out[36], char letter, int64_t wall_us);
struct bank_paper {
    struct xml_out x;
    struct writer *w;
    char id[36];
};
/* Envelope, header (when `enveloped`), Document with its namespace, and the message's element. */
void bank_paper_open(struct bank *b, struct bank_paper *p, struct writer *w, const char *msg_name,
                     const char *element, bool enveloped, int64_t wall_us);
void bank_paper_close(struct bank_paper *p);
/* Our answer in the envelope that the other side uses? */
bool bank_enveloped(const struct bank *b, bool same);
/* The scratch writer for a notice, and sending what is in it. */
struct writer bank_notice_begin(struct bank *b);
void bank_notice_send(struct bank *b, const struct writer *w, uint32_t url, int64_t at_us);
/* Signature header of an answer or notice. */
void bank_sign(struct bank *b, struct view body, int64_t wall_us, struct writer *headers);

/* bank_knobs.c */
void bank_settings_default(struct bank_settings *s);
enum status bank_keys_default(struct bank_keys *k);
void bank_keys_fini(struct bank_keys *k);
enum status bank_set(void *brain, const struct json_node *settings, const struct json_node *keys,
                     int64_t now_us, struct writer *why);
void bank_write_settings(const void *brain, struct json_out *out);
/* bank_command.c, bank_ledger.c, bank_settle.c, bank_token.c */
enum status bank_command(void *brain, struct view method, struct view path,
                         const struct json_node *body, int64_t now_us, struct json_out *out,
                         struct writer *why);
void bank_write_ledger(const void *brain, struct json_out *out, uint64_t from, size_t limit);
size_t bank_ledger_room(const void *brain, uint64_t from, size_t limit);
void bank_write_stats(const void *brain, struct json_out *out);
enum status bank_settlement(void *brain, struct view query, int64_t now_us,
                            struct settle_source *out, struct writer *why);
void bank_token_request(struct bank_call *call);
bool bank_token_good(const struct bank *b, struct view headers, int64_t wall_us);

#endif
