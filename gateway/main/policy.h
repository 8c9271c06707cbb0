/* policy.h - what payments are decided by (struct policy of payment/payment.h), made of settings.
 *
 *     settings_load -> policy_open -> (read from every thread) -> policy_free -> settings_free
 *
 * Every profile is compiled, the abstract ones too, so that a payment that names one is denied with
 * that reason. Sanctions lists are read as settings name them.
 *
 * policy_open blocks (files of time zones and lists): at start or on a worker. The settings must
 * live longer than the policy.
 */
#ifndef MAIN_POLICY_H
#define MAIN_POLICY_H

#include "payment/payment.h"
#include "settings/finding.h"

/* What is wrong goes to `findings`, each once, also when several profiles inherit it; figures that
 * still have to be verified go to `verify` instead (NULL: they are left out). OK and *out set when
 * there was no error; else MALFORMED, or NO_MEMORY. */
enum status policy_open(const struct settings *settings, struct findings *findings,
                        struct findings *verify, struct policy **out);
/* NULL is allowed. */
void policy_free(struct policy *policy);

/* Lists that a profile names and that cannot be used at this time: "lists.not_loaded",
 * "lists.stale". Both are errors in `check`; a gateway runs, and denies the payments that need
 * them. */
void policy_check_lists(const struct policy *policy, const struct settings *settings,
                        int64_t wall_us, struct findings *findings);
/* The findings of one id. */
size_t findings_of(const struct findings *findings, const char *id);

/* Figures of a profile that have `verify: yes`. */
size_t policy_unverified(const struct region_settings *region);

/* One profile that is in no folder (diff, backtest), compiled into `arena`. */
enum status policy_compile_text(const struct settings *settings, struct view text, const char *file,
                                struct arena *arena, struct findings *findings,
                                struct region_settings **settings_out, struct profile **out);

#endif
