/* card_ledger.h - what this host has booked: one entry for every message that asked for money.
 *
 * Entries are numbered from 1 as they come. At most `entries_max` are kept: a new one then takes
 * the place of the oldest, which is forgotten (`forgotten` counts them; totals go on over all). A
 * forgotten original cannot be repeated, captured or reversed any more, so whoever compares books
 * opens the host with enough room.
 *
 * For comparing books from C:
 *     for (uint64_t n = card_ledger_first(l); (e = card_ledger_get(l, n)) != NULL; n++)
 *         if (e->kind == CARD_ENTRY_SALE && e->state == CARD_STATE_BOOKED) ...
 *
 * Owned by one card host; not thread-safe.
 */
#ifndef SIM_CARD_CARD_LEDGER_H
#define SIM_CARD_CARD_LEDGER_H

#include "base/bytes.h"
#include "base/json_out.h"
#include "card_account.h"

#define CARD_LEDGER_ENTRIES_DEFAULT 262144

enum card_entry_kind {
    CARD_ENTRY_AUTHORISATION = 1, /* 0100: a hold */
    CARD_ENTRY_SALE,              /* 0200 */
    CARD_ENTRY_CAPTURE,           /* 0220 */
    CARD_ENTRY_REFUND,            /* 0200 with DE3 20 */
    CARD_ENTRY_REVERSAL,          /* 0400, 0420 */
};

enum card_entry_state {
    CARD_STATE_DECLINED = 1,
    CARD_STATE_BOOKED,      /* money moved or held; a reversal: it took effect */
    CARD_STATE_REVERSED,    /* was booked and is undone as a whole */
    CARD_STATE_NO_ORIGINAL, /* a reversal that came before its original, or without one */
    CARD_STATE_NO_EFFECT,   /* a reversal of what was declined or reversed already */
};

/* What makes two messages the same: STAN, DE7 and terminal. */
#define CARD_IDENTITY_SIZE 24
struct card_identity {
    char text[CARD_IDENTITY_SIZE]; /* DE11 (6), DE7 (10), DE41 (8) */
};

struct card_entry {
    uint64_t number;
    enum card_entry_kind kind;
    enum card_entry_state state;
    struct card_identity id;
    struct card_identity original; /* of a reversal, capture, refund; else zero bytes */
    char mti[5];                   /* of the first arrival */
    char original_mti[5];
    char rrn[13], merchant[16], auth_code[7], response[3], currency[4];
    char processing_code[7], local_date[5], local_time[7]; /* DE3, DE13, DE12 */
    char pan[CARD_PAN_MAX + 1];
    int64_t amount_minor;   /* DE4 */
    int64_t approved_minor; /* what was booked; a reversal: what it gave back */
    int64_t captured_minor; /* authorisation: sum of captures in force */
    int64_t refunded_minor; /* sale, capture, authorisation: sum of refunds in force */
    int64_t reversed_minor; /* given back by reversals */
    uint32_t booked;    /* how often money moved for this entry; more than 1 is a fault of ours */
    uint32_t arrivals;  /* how often the message came */
    uint32_t reversals; /* reversals that took effect on this entry */
    uint64_t parent;    /* number of the entry it refers to, 0 none */
    enum card_entry_kind parent_kind; /* of a reversal that found its original; else 0 */
    uint64_t link;                    /* where it came from */
    int64_t at_us;
    int64_t booked_us;       /* when money moved; 0: it never did */
    uint8_t issuer_data[10]; /* tag 91 of the answer, for repeats */
    uint8_t issuer_data_len;
    /* Hash chains, newest first; entry numbers. */
    uint64_t next_by_id, next_by_rrn, next_by_original;
};

struct card_totals {
    int64_t authorisations, sales, captures, refunds, reversals, declined;
    int64_t authorised_minor, sold_minor, captured_minor, refunded_minor; /* as booked */
    int64_t reversed_minor; /* given back, of all kinds */
    int64_t charged_minor;  /* net: sold + captured - refunded, less what was reversed of each */
    int64_t held_minor;     /* still held by authorisations */
    int64_t arrivals_again; /* repeats that were recognised */
    int64_t booked_more_than_once;
};

struct card_ledger;

/* NULL when memory is out. entries_max 0: the default; rounded up to a power of two. */
struct card_ledger *card_ledger_open(size_t entries_max, uint64_t seed);
void card_ledger_close(struct card_ledger *l);
void card_ledger_clear(struct card_ledger *l);

/* A new entry, zeroed but for number and id; may forget the oldest. Valid until forgotten. */
struct card_entry *card_ledger_add(struct card_ledger *l, const struct card_identity *id);
/* Once, after rrn and original are set: makes the entry findable by them. */
void card_ledger_index(struct card_ledger *l, struct card_entry *e);
/* Newest entry with this identity whose MTI has the same class and function (0200 and 0201). */
struct card_entry *card_ledger_find(struct card_ledger *l, const struct card_identity *id,
                                    const char *mti);
/* Newest entry of this kind with the retrieval reference and PAN; NULL. */
struct card_entry *card_ledger_find_rrn(struct card_ledger *l, enum card_entry_kind kind,
                                        struct view rrn, struct view pan);
/* A reversal that names this identity and MTI as its original and found none. */
struct card_entry *card_ledger_find_early_reversal(struct card_ledger *l,
                                                   const struct card_identity *id, const char *mti);

uint64_t card_ledger_first(const struct card_ledger *l);
/* Of the newest entry; 0: none. */
uint64_t card_ledger_last(const struct card_ledger *l);
/* NULL when forgotten or not there yet. */
const struct card_entry *card_ledger_get(const struct card_ledger *l, uint64_t number);
struct card_entry *card_ledger_change(struct card_ledger *l, uint64_t number);
uint64_t card_ledger_forgotten(const struct card_ledger *l);
/* The host keeps this up to date as it books. */
struct card_totals *card_ledger_totals(struct card_ledger *l);
const struct card_totals *card_ledger_sums(const struct card_ledger *l);

const char *card_entry_kind_name(enum card_entry_kind kind);
const char *card_entry_state_name(enum card_entry_state state);
/* One entry as a JSON object, card number masked. */
void card_entry_write(struct json_out *j, const struct card_entry *e);
#define CARD_ENTRY_JSON_MAX 1024

#endif
