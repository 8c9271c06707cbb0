/* check_whose.c - was it the money of the right one, in the right currency? What an attempt has
 * moved, as the counterpart itself has written it down, against what the story asked for:
 *
 *     currency   that of the payment
 *     card       the card number of the request, in every message
 *     bank       what is sent goes to the creditor that was named; what came in came from its
 *                payer, and what is given back of it goes there
 *     cbdc       the payer's wallet pays, and is given back to; the other side is the merchant's
 *
 * Amounts are compared by check.c and check_http.c, and fit whoever was paid. At a wallet provider
 * a refund names its order, and nobody it could go to instead.
 */
#include "sim.h"

#include <stdio.h>

#define MERCHANT_WALLET "w_merchant" /* channels/cbdc_*.yaml */

/* "": nothing is said of that side. */
struct sides {
    const char *from, *to;
};

static bool is_kind(const struct whose *of, const char *kind)
{
    return strcmp(of->kind, kind) == 0;
}

static struct sides sides_of(const struct story *story, const struct attempt_row *row,
                             const struct whose *of)
{
    const char *other = story->other;
    bool back = row->verb == OPERATION_REFUND;
    switch (story->rail) {
    case RAIL_CARD: return (struct sides){ other, "" };
    case RAIL_BANK:
        if (is_kind(of, "recall")) /* a call for money, and none itself */
            break;
        return story->receives && !back ? (struct sides){ other, "" } : (struct sides){ "", other };
    case RAIL_CBDC:
        if (is_kind(of, "cancel") || is_kind(of, "expire")) /* of a lock, which says all */
            break;
        return back ? (struct sides){ MERCHANT_WALLET, other }
                    : (struct sides){ other, MERCHANT_WALLET };
    default: break;
    }
    return (struct sides){ "", "" };
}

/* Whom the counterpart does not know it does not name, and moves nothing. */
static bool is_another(const char *theirs, const char *due)
{
    return due[0] != '\0' && theirs[0] != '\0' && strcmp(theirs, due) != 0;
}

void check_whose(struct world *world, const struct story *story, const struct payment_row *p,
                 const struct attempt_row *row, const struct whose *of)
{
    const char *rail = p->rail == RAIL_CARD ? "the card host" : rail_word(p->rail);
    if (strcmp(of->currency, p->currency) != 0)
        wrong(world, p->id, "%s of a payment in %s: %s has it in %s", operation_word(row->verb),
              p->currency, rail, of->currency);
    if (story == NULL)
        return;
    struct sides due = sides_of(story, row, of);
    world_tally(world, "whose: %s %s", rail_word(p->rail), of->kind);
    /* Numbers of cards are not for print. */
    bool wrong_from = is_another(of->from, due.from), wrong_to = is_another(of->to, due.to);
    if (wrong_from && p->rail == RAIL_CARD)
        wrong(world, p->id, "%s: the card host has it of another card", operation_word(row->verb));
    else if (wrong_from)
        wrong(world, p->id, "%s: %s has it from %s, and it is from %s", operation_word(row->verb),
              rail, of->from, due.from);
    if (wrong_to)
        wrong(world, p->id, "%s: %s has it go to %s, and it is for %s", operation_word(row->verb),
              rail, of->to, due.to);
}
