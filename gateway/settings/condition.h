/* condition.h - one row of a channel's `takes`: "scheme=pix|promptpay", "pan=4*|51*", "mode=-".
 *
 * The field is the name of a detail of the payment's method, as the adapter gets it; one of the
 * patterns behind '=' must match its value. `*` at the end of a pattern matches any rest; the
 * pattern `-` matches a payment that does not have the field. Letters are compared exactly.
 */
#ifndef SETTINGS_CONDITION_H
#define SETTINGS_CONDITION_H

#include "base/bytes.h"

#define CONDITION_BYTES_MAX 256

struct condition {
    struct view field;
    struct view patterns; /* separated by '|' */
};

/* Splits; false when there is no '='. What settings_load let through always splits. */
bool condition_split(struct view text, struct condition *out);
/* Does one of the patterns match? `present` false: the payment does not have the field. */
bool condition_matches(const struct condition *condition, struct view value, bool present);
/* For settings_load: NULL when the row is right, else what was expected instead. `room` is used for
 * the sentence. */
const char *condition_wrong(struct view text, char *room, size_t room_size);

#endif
