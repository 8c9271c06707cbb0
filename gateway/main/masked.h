/* masked.h - payments as an operator may see them: what the profile masks for operators
 * (`data.mask`) shows its last four characters only.
 *
 * The profile is the one that the payment was decided by, as the configuration holds it today; a
 * payment of a profile that is gone is shown by the strictest: with the masks of all profiles.
 */
#ifndef MAIN_MASKED_H
#define MAIN_MASKED_H

#include "payment/mask.h"
#include "settings/settings.h"
#include "store/store.h"

/* The payment as JSON, masked, and what was masked in it. Everything lives in the arena. */
enum status masked_payment(const struct settings *settings, const struct payment_row *row,
                           struct arena *arena, struct masks *masks, struct view *out);

#endif
