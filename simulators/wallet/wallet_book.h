/* wallet_book.h - the provider's books: merchants with a float, phones with a balance, deals,
 * refunds, and an entry for every time that money moved. Knows neither HTTP nor JSON in; announces
 * what happened through `say`.
 *
 *     order      what a dynamic code asks for       open -> paid | canceled | expired
 *     static     a payment of a static code         paid
 *     payment    of the merchant's own wallet       open -> paid | declined
 *     charge     of a consumer-presented code       open -> paid | declined
 *     refund     of (a part of) one of these        open -> done | declined
 */
#ifndef SIM_WALLET_BOOK_H
#define SIM_WALLET_BOOK_H

#include "base/json_out.h"
#include "codes.h"

#define WALLET_ID_MAX        60
#define WALLET_URL_MAX       1024
#define WALLET_MERCHANTS_MAX 16
#define WALLET_PHONES_MAX    64
#define WALLET_KEY_MAX       64
#define WALLET_DEALS_MAX     262144 /* deals, refunds, entries: each */

enum wallet_habit {
    HABIT_PAYS = 1,
    HABIT_BLOCKED,
    HABIT_DECLINED,
    HABIT_WRONG,
    HABIT_SLOW,
    HABIT_LATE,
    HABIT_TWICE,
    HABIT_NEVER,
    HABIT_CLOSED
};
enum deal_kind { DEAL_ORDER = 1, DEAL_STATIC, DEAL_PAYMENT, DEAL_CHARGE };
enum deal_state { DEAL_OPEN = 1, DEAL_PAID, DEAL_CANCELED, DEAL_EXPIRED, DEAL_DECLINED };
enum refund_state { REFUND_OPEN = 1, REFUND_DONE, REFUND_DECLINED };

struct wallet_merchant {
    char id[WALLET_ID_MAX + 1];
    uint8_t key[WALLET_KEY_MAX];
    size_t key_len;
    int64_t opening_minor, float_minor;
};

struct wallet_phone {
    char name[32];
    enum wallet_habit habit;
    int64_t opening_minor, balance_minor;
};

struct deal {
    enum deal_kind kind;
    enum deal_state state;
    uint32_t number; /* provider_id: "wp_00000001" */
    size_t merchant;
    char order_id[WALLET_ID_MAX + 1]; /* "" of static codes */
    char reference[CODE_REFERENCE_MAX + 1];
    char *code, *notice_url;
    const struct wallet_currency *currency;
    int64_t amount_minor, paid_minor; /* asked; paid */
    int64_t refunded_minor;           /* refunds that are open or done */
    int64_t expires_us, paid_us;      /* since 1970; expires INT64_MAX: never */
    struct wallet_phone *phone;       /* who paid, or is charged; NULL: nobody, or one outside */
    const char *reason;               /* why declined; "" */
    struct merchant_code read;        /* of `code`, when it is merchant-presented */
    uint64_t fingerprint;             /* of what was asked */
};

struct refund {
    enum refund_state state;
    uint32_t number; /* "wr_00000001" */
    size_t merchant;
    char refund_id[WALLET_ID_MAX + 1];
    struct deal *deal;
    char *notice_url;
    int64_t amount_minor;
    const char *reason;
    uint64_t fingerprint;
};

enum entry_kind { ENTRY_PAID = 1, ENTRY_CHARGE, ENTRY_PAYMENT, ENTRY_REFUND };
struct entry {
    enum entry_kind kind;
    const struct deal *deal;
    const struct refund *refund; /* of ENTRY_REFUND */
    int64_t amount_minor, at_us;
    bool wrong; /* booked although the order did not allow it (late) */
};

struct wallet_totals {
    int64_t paid_minor, charged_minor, payments_minor, refunded_minor;
    uint64_t refused; /* phones that were told no */
};

struct book;
struct book_events {
    /* A deal or a refund has a new state that the merchant is to be told by a notice. */
    void (*deal)(void *arg, const struct deal *deal);
    void (*refund)(void *arg, const struct refund *refund);
    void *arg;
};

struct book *book_open(const struct book_events *events, uint64_t seed);
void book_close(struct book *b);
void book_clear(struct book *b); /* merchants keep their keys */

struct wallet_merchant *book_merchant(struct book *b, size_t index); /* NULL: no more */
size_t book_merchant_named(const struct book *b, struct view id); /* WALLET_MERCHANTS_MAX: none */
/* Adds a merchant, or changes its key. */
enum status book_set_key(struct book *b, struct view id, struct view key);
struct wallet_phone *book_phone(struct book *b, size_t index); /* NULL: no more */
struct wallet_phone *book_phone_named(struct book *b, struct view name);
enum status book_set_balance(struct book *b, struct view name, int64_t balance_minor);

/* Adds what is filled in of `from`; code and notice_url are copied, the references in `read` lie in
 * `code`. FULL, EXISTS. */
enum status book_add_deal(struct book *b, const struct deal *from, struct deal **out);
struct deal *book_deal(struct book *b, size_t merchant, struct view order_id);
struct deal *book_deal_numbered(struct book *b, uint32_t number);
/* The order that a scanned code belongs to, of any merchant; NULL. */
struct deal *book_order_of_code(struct book *b, struct view code);
/* Walks: *position 0 first; NULL at the end. */
struct deal *book_next_deal(const struct book *b, size_t *position);
/* Was this code, dynamic and of somebody we do not know, paid by one of our merchants? */
bool book_code_was_paid(const struct book *b, struct view code);

/* A phone pays. Why not: "already_paid", "canceled", "expired", "insufficient_funds",
 * "wallet_blocked", "declined_by_issuer"; NULL: paid. late: books although expired or canceled. */
const char *book_pay(struct book *b, struct deal *deal, struct wallet_phone *phone,
                     int64_t amount_minor, bool late, int64_t wall_us);
/* Why this phone would not pay, counted as a refusal; NULL: it would. */
const char *book_phone_refusal(struct book *b, const struct wallet_phone *phone,
                               int64_t amount_minor);
/* Payment or charge: decides now. NULL: paid; else declined, why. */
const char *book_settle(struct book *b, struct deal *deal, const char *reason, int64_t wall_us);
void book_cancel(struct book *b, struct deal *deal);
void book_expire(struct book *b, struct deal *deal);

enum status book_add_refund(struct book *b, const struct refund *from, struct refund **out);
struct refund *book_refund(struct book *b, size_t merchant, struct view refund_id);
/* Why a refund cannot be given; NULL: it can. */
const char *book_refund_refusal(const struct book *b, const struct refund *refund);
/* Settles an open refund: reason NULL: gives it if it can be given. */
void book_settle_refund(struct book *b, struct refund *refund, const char *reason, int64_t wall_us);

const struct wallet_totals *book_totals(const struct book *b);
const struct entry *book_entry(const struct book *b, uint64_t number); /* from 1; NULL: no more */

uint64_t book_entry_count(const struct book *b);

const char *deal_kind_name(enum deal_kind kind);
const char *deal_state_name(enum deal_state state);
const char *refund_state_name(enum refund_state state);
const char *entry_kind_name(enum entry_kind kind);

#endif
