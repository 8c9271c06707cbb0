/* host_int.h - inside of the card host: what card_host.c, card_net.c, card_out.c, card_book.c,
 * card_check.c and card_report.c share. Not for callers. */
#ifndef SIM_CARD_HOST_INT_H
#define SIM_CARD_HOST_INT_H

#include "card_host.h"
#include "emv.h"

#include "base/ensure.h"

#define CARD_OUT_BYTES 768 /* the longest answer is some 400 bytes */

/* The MAC key of a link or of the host, and the one before it: a request that was under way during
 * a key change is still accepted for settings.key_grace_ms. */
struct mac_keys {
    struct tdes_key current, previous;
    int64_t previous_until_us; /* 0: none */
    uint32_t generation;
};

struct card_out {
    struct card_out *next_free;
    size_t heap_index;
    int64_t at_us;
    uint64_t order;
    uint64_t link;
    enum card_action_kind kind;
    uint32_t generation; /* of the key its MAC was made with */
    uint16_t len, payload_at, mac_at;
    bool mac_may_be_renewed;
    uint8_t bytes[CARD_OUT_BYTES];
};

struct card_link {
    uint64_t id; /* 0: free place */
    bool signed_on;
    bool finished; /* a close or reset is on its way: input is ignored */
    struct mac_keys keys;
    struct card_out *held; /* waits for another answer to overtake it */
    uint8_t tpdu[ISO_TPDU_SIZE];
    size_t tpdu_len;
    uint8_t *rx; /* the beginning of a frame; ISO_FRAME_MAX + ISO_HEADER_MAX bytes */
    size_t rx_len;
};

/* Counters of GET /stats. */
#define CARD_STATS(X)                                                                              \
    X(links_opened)                                                                                \
    X(links_refused)                                                                               \
    X(bytes_in)                                                                                    \
    X(messages_in)                                                                                 \
    X(answers_out)                                                                                 \
    X(unreadable)                                                                                  \
    X(format_errors)                                                                               \
    X(wrong_macs)                                                                                  \
    X(not_signed_on)                                                                               \
    X(sign_ons)                                                                                    \
    X(sign_offs)                                                                                   \
    X(echoes)                                                                                      \
    X(key_changes)                                                                                 \
    X(unsolicited_out)                                                                             \
    X(unsolicited_answered)                                                                        \
    X(faults_hit)                                                                                  \
    X(lost_in)                                                                                     \
    X(lost_out)                                                                                    \
    X(outs_full)

struct card_stats {
#define X(name) uint64_t name;
    CARD_STATS(X)
#undef X
};

struct card_host {
    struct card_config config;
    struct card_knobs knobs;
    struct card_accounts accounts;
    struct card_ledger *ledger;
    struct card_stats stats;
    struct mac_keys keys; /* with key_scope host */
    struct tdes_key zone, imk, pin;
    uint64_t random;
    uint64_t books;        /* changes when the books are emptied */
    int64_t down_until_us; /* INT64_MAX: for good */
    uint32_t next_stan;    /* of messages this host begins */
    uint32_t next_auth;
    struct card_link links[CARD_LINKS_MAX];
    struct card_out **heap;
    size_t heap_len, heap_room;
    struct card_out *free_outs;
    struct card_out *taken; /* handed out by card_host_take last */
    uint64_t order;
    struct iso_msg request, answer; /* places to work in */
};

/* One request on its way through the host. */
struct card_call {
    struct card_host *h;
    struct card_link *link;
    const struct iso_msg *req;
    struct view payload; /* the bytes of the request */
    size_t mac_at;       /* in payload; payload.len: no MAC */
    int64_t now_us;
    int64_t amount_minor; /* DE4, -1 none */
    struct view pan;
    struct card_plan plan;
    /* result */
    char code[3];
    struct card_entry *entry; /* booked or declined, may be NULL */
    bool lost;                /* no answer, nothing happened */
    const char *note;
};

static inline struct mac_keys *card_keys_of(struct card_host *h, struct card_link *link)
{
    return h->knobs.settings.key_scope == CARD_KEYS_PER_HOST ? &h->keys : &link->keys;
}
static inline void card_call_code(struct card_call *c, const char *code, const char *note)
{
    memcpy(c->code, code, 3);
    c->note = note;
}
/* A card number may come in DE2 or at the head of DE35. */
struct view card_pan_of(const struct iso_msg *m);
struct card_link *card_find_link(struct card_host *h, uint64_t link);

/* card_net.c: 0800 and 0820. */
void card_net_handle(struct card_call *c);
/* card_book.c: everything that moves money; sets code, entry, lost. */
void card_book(struct card_call *c);

/* card_check.c: what an issuer looks at. Each sets *code (3 bytes) and returns false when wrong. */
bool card_check_expiry(const struct card_call *c);
const char *card_check_cvv2(const struct card_call *c, const struct card_account *a);
const char *card_check_pin(const struct card_call *c, struct card_account *a);
/* Looks at DE55; "" when good or absent. On a good ARQC `*chip` is filled and `*mk` the card key.
 */
const char *card_check_chip(const struct card_call *c, struct card_account *a, struct tdes_key *mk,
                            struct emv_data *chip);

/* card_out.c: answers on their way out. */
void card_answer_init(const struct card_call *c, struct iso_msg *answer);
void card_answer_send(struct card_call *c, struct iso_msg *answer, bool with_mac);
void card_out_action(struct card_host *h, uint64_t link, enum card_action_kind kind, int64_t at_us);
/* Frames and queues a message of the host's own. */
void card_out_message(struct card_host *h, struct card_link *link, const struct iso_msg *m,
                      int64_t now_us);
void card_out_forget_link(struct card_host *h, struct card_link *link);
void card_out_fini(struct card_host *h);

void card_see(struct card_host *h, uint64_t link, int what, const struct iso_msg *m,
              uint32_t faults, const char *note);
void card_mac_keys_set(struct mac_keys *k, const uint8_t bytes[TDES_KEY_SIZE]);

#endif
