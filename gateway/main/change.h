/* change.h - what is different between two configurations, for the log and the answer to a reload.
 */
#ifndef MAIN_CHANGE_H
#define MAIN_CHANGE_H

#include "base/json_out.h"
#include "settings/settings.h"

/* "eu 1 -> 2, br added 3, cn removed 1, us 4 (text only)"; "nothing" when the profiles are the
 * same. */
void change_regions_text(struct writer *w, const struct settings *old, const struct settings *new);
/* The member "regions": [{"region","old","new"}], only those that differ. */
void change_regions_json(struct json_out *j, const struct settings *old,
                         const struct settings *new);
/* What takes effect only at the next start: rows of gateway.yaml but `regions`, and channels. For
 * each its name is told, "api.listen", "channel card_demo", "keys". */
typedef void change_fn(void *arg, const char *what);
void change_needs_restart(const struct settings *first, const struct settings *now, change_fn *told,
                          void *arg);

#endif
