/* candidates_int.h - the configured channels as route/ wants to see them; for pick.c and methods.c.
 */
#ifndef PAYMENT_CANDIDATES_INT_H
#define PAYMENT_CANDIDATES_INT_H

#include "channel/channel.h"
#include "route/route.h"

/* One candidate for each channel, in the order of channels_at, as it stands now; their count. */
size_t candidates_of(struct channels *channels, enum operation operation, const char code[4],
                     struct route_candidate out[ROUTE_CANDIDATES_MAX]);

#endif
