/* card_account.c - see card_account.h. */
#include "card_account.h"

#include "base/ensure.h"
#include "base/map.h"

#define PLENTY CARD_PLENTY_MINOR

static const struct {
    const char *pan, *pin, *cvv2, *decline;
    int64_t balance_minor, limit_minor;
    const char *note;
} CARDS[] = {
#define CARD(pan_, pin_, cvv2_, decline_, balance_, limit_, note_)                                 \
    { .pan = (pan_),                                                                               \
      .pin = (pin_),                                                                               \
      .cvv2 = (cvv2_),                                                                             \
      .decline = (decline_),                                                                       \
      .balance_minor = (balance_),                                                                 \
      .limit_minor = (limit_),                                                                     \
      .note = (note_) },
#include "test_cards.def"
#undef CARD
};
_Static_assert(COUNT_OF(CARDS) <= CARD_ACCOUNTS_MAX, "the table fits");

/* Ranges of first digits that some scheme issues: lowest and highest, as many digits as given. */
static const struct {
    uint32_t low, high;
    unsigned digits;
} BINS[] = {
    { 4, 4, 1 },       /* Visa */
    { 51, 55, 2 },     /* Mastercard */
    { 2221, 2720, 4 }, /* Mastercard */
    { 34, 34, 2 },     /* American Express */
    { 37, 37, 2 },     /* American Express */
    { 6011, 6011, 4 }, /* Discover */
    { 644, 649, 3 },   /* Discover */
    { 65, 65, 2 },     /* Discover, RuPay */
    { 3528, 3589, 4 }, /* JCB */
    { 300, 305, 3 },   /* Diners Club */
    { 36, 36, 2 },     /* Diners Club */
    { 38, 39, 2 },     /* Diners Club */
    { 62, 62, 2 },     /* UnionPay */
    { 81, 82, 2 },     /* UnionPay, RuPay */
};

static size_t slot_of(const struct card_accounts *a, struct view pan)
{
    size_t mask = sizeof a->slot - 1;
    size_t at = siphash(0x63617264, 0x686f7374, pan) & mask;
    while (a->slot[at] != 0 && !view_is(pan, a->all[a->slot[at] - 1].pan))
        at = (at + 1) & mask;
    return at;
}

void card_accounts_reset(struct card_accounts *a)
{
    memset(a, 0, sizeof *a);
    for (size_t i = 0; i < COUNT_OF(CARDS); i++) {
        struct card_account *c = &a->all[a->count];
        ENSURE(view_to_text(view_text(CARDS[i].pan), c->pan, sizeof c->pan) == STATUS_OK);
        ENSURE(view_to_text(view_text(CARDS[i].pin), c->pin, sizeof c->pin) == STATUS_OK);
        ENSURE(view_to_text(view_text(CARDS[i].cvv2), c->cvv2, sizeof c->cvv2) == STATUS_OK);
        ENSURE(view_to_text(view_text(CARDS[i].decline), c->decline, sizeof c->decline) ==
               STATUS_OK);
        ENSURE(luhn_valid(view_text(c->pan)));
        c->note = CARDS[i].note;
        c->opening_minor = c->balance_minor = CARDS[i].balance_minor;
        c->limit_minor = CARDS[i].limit_minor;
        size_t slot = slot_of(a, view_text(c->pan));
        ENSURE(a->slot[slot] == 0); /* no number twice */
        a->slot[slot] = (uint8_t)++a->count;
    }
}

struct card_account *card_account_find(struct card_accounts *a, struct view pan)
{
    size_t slot = slot_of(a, pan);
    return a->slot[slot] != 0 ? &a->all[a->slot[slot] - 1] : NULL;
}

bool card_bin_known(struct view pan)
{
    for (size_t i = 0; i < COUNT_OF(BINS); i++) {
        uint64_t head = 0;
        if (pan.len >= BINS[i].digits &&
            view_to_u64(view_slice(pan, 0, BINS[i].digits), 9999, &head) == STATUS_OK &&
            head >= BINS[i].low && head <= BINS[i].high)
            return true;
    }
    return false;
}

int64_t card_account_available(const struct card_account *c)
{
    return c->balance_minor - c->held_minor;
}

bool card_account_take_atc(struct card_account *c, uint16_t atc)
{
    if (!c->atc_known) {
        c->atc_known = true;
        c->atc_highest = atc;
        c->atc_seen = 1;
        return true;
    }
    if (atc > c->atc_highest) {
        unsigned by = (unsigned)(atc - c->atc_highest);
        c->atc_seen = by < 64 ? c->atc_seen << by | 1 : 1;
        c->atc_highest = atc;
        return true;
    }
    unsigned behind = (unsigned)(c->atc_highest - atc);
    if (behind >= 64 || (c->atc_seen >> behind) & 1)
        return false;
    c->atc_seen |= 1ull << behind;
    return true;
}

void card_mask_pan(struct writer *w, struct view pan)
{
    for (size_t i = 0; i < pan.len; i++)
        writer_u8(w, i < 6 || i + 4 >= pan.len ? pan.ptr[i] : '*');
}
