/* card_knobs.h - what can be set on the card host: behaviour, keys, accidents.
 *
 * One JSON body does for a scenario file and for the control port (docs/rails/card-simulator.md):
 *
 *     { "settings": {"late_ms": 20000}, "keys": {"mac": "..."},
 *       "faults": [ {"fault": "drop_after_booking", "mti": "0200", "next": 3} ],
 *       "settlement": {"seed": 7, "faults": [ {"fault": "omit", "line": 2} ]},
 *       "down_ms": 5000 }
 *
 * A body is applied as a whole or not at all. Owned by one card host; not thread-safe.
 */
#ifndef SIM_CARD_CARD_KNOBS_H
#define SIM_CARD_CARD_KNOBS_H

#include "base/bytes.h"
#include "base/json_out.h"
#include "settle/settle.h"
#include "tdes.h"

enum card_fault {
    CARD_FAULT_NONE = 0,
#define FAULT(name, json, text) CARD_FAULT_##name,
#include "faults.def"
#undef FAULT
    CARD_FAULT_COUNT
};
const char *card_fault_name(enum card_fault fault);

#define CARD_FAULT_RULES_MAX 32
#define CARD_MILLION         1000000

struct card_fault_rule {
    enum card_fault fault;
    char mti[5];          /* leading digits that must match; "" all */
    uint32_t per_million; /* how probable, under the host's seed */
    int64_t skip;         /* matching messages let through first */
    int64_t next;         /* then this many are hit; -1 no end */
    int64_t amount_minor; /* -1 any */
    int64_t ms;           /* -1 the fault's default */
    int64_t bytes;        /* garble */
    char code[3];         /* code */
    uint64_t hits;
};

enum card_key_scope { CARD_KEYS_PER_LINK = 1, CARD_KEYS_PER_HOST };
enum card_repeat_answer { CARD_REPEAT_SAME = 1, CARD_REPEAT_94 };
enum card_late_original { CARD_LATE_REFUSE = 1, CARD_LATE_BOOK };

struct card_settings {
    enum card_key_scope key_scope;
    enum card_repeat_answer repeat_answer;
    enum card_late_original late_original;
    bool sign_on_required, mac_required, atc_check;
    int64_t late_ms, key_grace_ms;
};

/* Published test keys; see card_knobs.c. */
struct card_key_bytes {
    uint8_t zone[TDES_KEY_SIZE], mac[TDES_KEY_SIZE], imk[TDES_KEY_SIZE], pin[TDES_KEY_SIZE];
};

struct card_knobs {
    struct card_settings settings;
    struct card_key_bytes keys;
    struct card_fault_rule rules[CARD_FAULT_RULES_MAX];
    size_t rule_count;
    struct settle_faults settlement; /* what goes wrong with the settlement file */
};

enum card_knobs_mode {
    CARD_KNOBS_REPLACE = 1, /* faults of the body take the place of those there are */
    CARD_KNOBS_ADD,         /* and are appended */
};

void card_knobs_init(struct card_knobs *k);
/* Reads a body into `*k`, which is unchanged unless OK. `*down_ms`: -2 not mentioned, -1 down for
 * good, 0 up, else down for that long. `why` gets one sentence when the status is not OK. */
enum status card_knobs_read(struct card_knobs *k, struct view json, enum card_knobs_mode mode,
                            int64_t *down_ms, struct writer *why);
/* The same shape back; keys only by their check values. */
void card_knobs_write(const struct card_knobs *k, struct json_out *j, int64_t down_ms);

/* What is to happen to one message. */
struct card_plan {
    uint32_t faults; /* bit 1 << enum card_fault */
    int64_t delay_us;
    int64_t reorder_us;
    int64_t bytes;
    char code[3];
};
static inline bool card_plan_has(const struct card_plan *p, enum card_fault fault)
{
    return p->faults >> fault & 1u;
}
void card_plan_add(struct card_plan *p, enum card_fault fault, int64_t ms, int64_t bytes,
                   const char *code, const struct card_settings *settings);
/* Adds every rule that matches; `*random` is the host's stream of dice. amount_minor -1: none. */
void card_knobs_plan(struct card_knobs *k, const char *mti, int64_t amount_minor, uint64_t *random,
                     struct card_plan *p);
/* The next number of the stream (splitmix64). */
uint64_t card_random(uint64_t *state);

#endif
