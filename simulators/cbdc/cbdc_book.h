/* cbdc_book.h - the central bank's ledger: wallets, operations, locks. Knows nothing of HTTP.
 *
 * Money is in four places: outside (not issued), in wallets, locked (off the payer's balance, not
 * yet the payee's), redeemed. issued - redeemed = sum of balances + sum of locked, always;
 * cbdc_balanced adds it up. All sums are bounded by what was issued, and that is bounded by int64,
 * so no addition of balances can overflow.
 *
 * An operation that was looked at, refused or not, is remembered under its client and id for ever:
 * nothing is forgotten, at CBDC_ENTRIES_MAX the books are full. Times are microseconds since 1970.
 */
#ifndef SIM_CBDC_CBDC_BOOK_H
#define SIM_CBDC_CBDC_BOOK_H

#include "base/bytes.h"

#define CBDC_ENTRIES_MAX   (1u << 21)
#define CBDC_WALLETS_MAX   8192u
#define CBDC_PURPOSES_MAX  8u
#define CBDC_ID_MAX        64u
#define CBDC_WALLET_MAX    32u
#define CBDC_ALIAS_MAX     64u /* as a key of the map: one letter more than the alias */
#define CBDC_PURPOSE_MAX   64u
#define CBDC_REFERENCE_MAX 140u
#define CBDC_CLIENT_MAX    32u
#define CBDC_AMOUNT_MAX    INT64_C(999999999999999)
#define NO_LIMIT           INT64_MAX
#define CBDC_NO_WALLET     UINT32_MAX

enum cbdc_refusal {
    CBDC_FINE = 1,
#define REFUSAL(name, http, word, sentence) CBDC_##name,
#include "refusals.def"
#undef REFUSAL
    CBDC_REFUSAL_COUNT
};
int cbdc_refusal_http(enum cbdc_refusal refusal);
const char *cbdc_refusal_word(enum cbdc_refusal refusal);
const char *cbdc_refusal_sentence(enum cbdc_refusal refusal);

enum cbdc_tier {
#define TIER(name, word, holding, single, day) CBDC_TIER_##name,
#include "tiers.def"
#undef TIER
    CBDC_TIER_COUNT
};
struct cbdc_limits {
    int64_t holding_minor, single_minor, day_minor; /* NO_LIMIT: none */
};
const char *cbdc_tier_name(enum cbdc_tier tier);
struct cbdc_limits cbdc_tier_limits(enum cbdc_tier tier);
/* NOT_FOUND when no tier is called so. */
enum status cbdc_tier_of(struct view word, enum cbdc_tier *tier);

struct cbdc_wallet {
    char name[CBDC_WALLET_MAX + 1];
    char alias[CBDC_ALIAS_MAX]; /* "" none */
    enum cbdc_tier tier;
    bool blocked;
    unsigned purpose_count;
    char purposes[CBDC_PURPOSES_MAX][CBDC_PURPOSE_MAX + 1];
    int64_t opening_minor, balance_minor;
    int64_t locked_minor; /* as payer */
    int64_t spent_minor;  /* on spent_day: paid and locked, less what came back that day */
    uint64_t spent_day;
};

enum cbdc_kind {
    CBDC_TRANSFER = 1,
    CBDC_LOCK,
    CBDC_RELEASE,
    CBDC_CANCEL,
    CBDC_ISSUE,
    CBDC_REDEEM,
    CBDC_EXPIRE, /* the ledger's own: what was locked went back */
};
enum cbdc_state {
    CBDC_DECLINED = 1,
    CBDC_SETTLED,
    CBDC_LOCKED, /* the next three end a lock */
    CBDC_RELEASED,
    CBDC_CANCELED,
    CBDC_EXPIRED,
};
const char *cbdc_kind_name(enum cbdc_kind kind);
const char *cbdc_state_name(enum cbdc_state state);

struct cbdc_entry {
    uint64_t number;
    enum cbdc_kind kind;
    enum cbdc_state state;
    enum cbdc_refusal refusal; /* FINE unless declined */
    char client[CBDC_CLIENT_MAX + 1];
    char id[CBDC_ID_MAX + 1]; /* EXPIRE: that of the lock */
    uint8_t content[32];      /* what makes two requests the same */
    uint32_t from, to;        /* wallets, or CBDC_NO_WALLET */
    uint64_t lock;            /* RELEASE, CANCEL, EXPIRE: entry of the lock; else 0 */
    int64_t amount_minor;     /* CANCEL, EXPIRE: what went back */
    int64_t locked_minor;     /* LOCK: still locked; RELEASE: what it left locked */
    int64_t released_minor;   /* LOCK: paid so far */
    int64_t expires_us;       /* LOCK */
    int64_t at_us;
    uint64_t day;
    uint32_t arrivals;
    uint32_t trouble; /* cbdc_api's: how it was answered the first time */
    char releaser[CBDC_CLIENT_MAX + 1];
    char purpose[CBDC_PURPOSE_MAX + 1];
    uint64_t next; /* hash chain */
};

struct cbdc_books; /* opaque */

/* With the wallets of wallets.def. NULL when memory is out. */
struct cbdc_books *cbdc_books_open(uint64_t seed);
void cbdc_books_close(struct cbdc_books *b);

/* --- wallets --- */
/* By wallet or "alias:..."; CBDC_NO_WALLET. */
uint32_t cbdc_wallet_find(const struct cbdc_books *b, struct view name);
/* Borrowed until the next cbdc_wallet_add. */
struct cbdc_wallet *cbdc_wallet_at(struct cbdc_books *b, uint32_t wallet);
uint32_t cbdc_wallet_count(const struct cbdc_books *b);
/* Its opening balance counts as issued. EXISTS: name or alias is taken; FULL; RANGE: over the
 * supply or the tier's holding limit; MALFORMED: not a name. */
enum status cbdc_wallet_add(struct cbdc_books *b, struct view name, struct view alias,
                            enum cbdc_tier tier, int64_t opening_minor, uint32_t *wallet);
/* Adds a purpose; MALFORMED, FULL. Nothing happens when it is there. */
enum status cbdc_wallet_allow(struct cbdc_wallet *w, struct view purpose);
/* Paid today, in view of what day it is. */
int64_t cbdc_wallet_spent(const struct cbdc_books *b, const struct cbdc_wallet *w);
bool cbdc_is_purpose(struct view text);

/* --- operations --- */
struct cbdc_ask {
    enum cbdc_kind kind;
    struct view client, id;
    uint8_t content[32];
    struct view from, to, releaser, purpose; /* as the kind has them, else empty */
    struct view lock;                        /* RELEASE, CANCEL: id of the lock */
    int64_t amount_minor;                    /* CANCEL: 0 */
    int64_t expires_us;
    enum cbdc_refusal wish; /* FINE, or what it is to be refused with */
};
/* The operation of that client and id, or NULL. */
struct cbdc_entry *cbdc_find(struct cbdc_books *b, struct view client, struct view id);
/* Books or refuses an operation whose id is new. What is refused for good (402, 409) becomes an
 * entry too; else the refusal comes back and *entry is NULL. UNAVAILABLE: the books are full. */
enum cbdc_refusal cbdc_book(struct cbdc_books *b, const struct cbdc_ask *ask, int64_t now_us,
                            struct cbdc_entry **entry);
/* Gives back what locks hold whose time has come. */
void cbdc_expire_due(struct cbdc_books *b, int64_t now_us);
/* Gives back what this lock holds, now; false when it holds nothing. */
bool cbdc_expire(struct cbdc_books *b, struct cbdc_entry *lock, int64_t now_us);
/* When the next lock expires; INT64_MAX: none. */
int64_t cbdc_next_expiry_us(const struct cbdc_books *b);
/* The next day: what was spent counts from zero. */
void cbdc_next_day(struct cbdc_books *b);
uint64_t cbdc_day(const struct cbdc_books *b);

/* --- for comparing --- */
uint64_t cbdc_entry_count(const struct cbdc_books *b);
/* number from 1; NULL past the end. Borrowed until the next cbdc_book. */
struct cbdc_entry *cbdc_entry_at(struct cbdc_books *b, uint64_t number);
struct cbdc_sums {
    int64_t opening_minor; /* part of issued */
    int64_t issued_minor, redeemed_minor;
    int64_t balances_minor, locked_minor; /* added up over wallets */
    int64_t locks_minor;                  /* added up over locks */
};
struct cbdc_sums cbdc_add_up(struct cbdc_books *b);
/* issued - redeemed = balances + locked, and what wallets say is locked is what locks hold. */
bool cbdc_balanced(const struct cbdc_sums *sums);
/* Replays all entries from the opening balances; true when every wallet ends where it stands. */
bool cbdc_replay(struct cbdc_books *b);

#endif
