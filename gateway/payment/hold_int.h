/* hold_int.h - what the files of held payments share: hold.c (somebody speaks), hold_kept.c (what
 * is kept meanwhile), hold_overdue.c (nobody does). The rest of the room sees payment_int.h.
 */
#ifndef PAYMENT_HOLD_INT_H
#define PAYMENT_HOLD_INT_H

#include "payment/payment_int.h"

#define HOLD_RESETS_MAX STORE_SPENDS_MAX

/* What was sealed of it; views live in the work's arena. */
struct hold {
    int64_t operation;
    int64_t authenticate_for_us, wrong_max;
    bool challenge_next; /* after an operator's yes */
    bool authenticated;  /* the request itself was */
    struct view region, payer, payee, methods, details;
    size_t reset_count;
    uint8_t resets[HOLD_RESETS_MAX][16];
};

/* --- hold_kept.c ----------------------------------------------------------------------------- */
/* What the work needs of a held payment, from its rows; leaves work->hold. NO_MEMORY; another
 * status: what is sealed cannot be opened. */
enum status hold_open(struct work *work, const struct payment_row *row,
                      const struct held_row *held);
/* The request as it would be now, from the rows or (cards) from memory: work->request. False: the
 * card data is not there (any more, or another work has it), or memory is out. */
bool hold_request_again(struct work *work, const struct payment_row *row);
/* It still waits: the next confirmation needs its card data, which goes back into memory. */
void hold_put_back(struct work *work);
/* It waits no more: card data is wiped. */
void hold_forget_kept(struct payments *room, int64_t payment);
/* The counters that begin anew, as spends of the transaction being prepared. */
void hold_resets_to_txn(struct work *work);
enum status hold_kept_open(struct payments *room);
void hold_kept_close(struct payments *room);

/* --- hold.c ---------------------------------------------------------------------------------- */
/* Nobody said so in time: records that it has failed. */
void hold_forgo_late(struct work *work);

/* --- hold_overdue.c -------------------------------------------------------------------------- */
/* One more waits: the clock runs. One waits no more. */
void hold_one_more(struct payments *room);
void hold_one_less(struct payments *room);

#endif
