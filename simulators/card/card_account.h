/* card_account.h - the cards this issuer has given out, and the money behind them.
 *
 * The cards come from test_cards.def. A hold lowers what is available, a charge lowers the balance.
 * Lookups are by hash; nothing is allocated. Owned by one card host; not thread-safe.
 */
#ifndef SIM_CARD_CARD_ACCOUNT_H
#define SIM_CARD_CARD_ACCOUNT_H

#include "base/bytes.h"

#define CARD_PAN_MAX      19
#define CARD_ACCOUNTS_MAX 64
#define CARD_PIN_TRIES    3
/* Balance of a card that never runs out, minor units. */
#define CARD_PLENTY_MINOR 4000000000000000000

struct card_account {
    char pan[CARD_PAN_MAX + 1];
    char pin[13];
    char cvv2[4];
    char decline[3]; /* "" or DE39 */
    const char *note;
    int64_t opening_minor, balance_minor, held_minor, limit_minor;
    unsigned pin_wrong; /* in a row; CARD_PIN_TRIES blocks the PIN until reset */
    bool atc_known;
    uint16_t atc_highest;
    uint64_t atc_seen; /* bit i: atc_highest - i was used */
};

struct card_accounts {
    struct card_account all[CARD_ACCOUNTS_MAX];
    size_t count;
    uint8_t slot[CARD_ACCOUNTS_MAX * 4]; /* open addressing: index + 1, 0 empty */
};

/* All cards as in the table. */
void card_accounts_reset(struct card_accounts *a);
/* NULL when this issuer does not know the number. */
struct card_account *card_account_find(struct card_accounts *a, struct view pan);
/* True when the first digits belong to a card scheme at all. */
bool card_bin_known(struct view pan);
/* What may still be spent. */
int64_t card_account_available(const struct card_account *c);
/* Takes note of a transaction counter; false when it was used before, or lies more than 63 behind
 * the highest one (several links may deliver a little out of order). */
bool card_account_take_atc(struct card_account *c, uint16_t atc);
/* First six and last four digits, stars between. */
void card_mask_pan(struct writer *w, struct view pan);

#endif
