/* compliance.c - the conditions of a region profile, one function each, and the strictest verdict.
 *
 * `rules` is the list in the order in which reasons are told. A rule looks at profile and facts and
 * either says nothing or adds a reason. Adding one can only make the verdict stricter.
 */
#include "compliance/compliance.h"

#include "base/ensure.h"
#include "domain/time.h"

#include <stdio.h>

typedef void rule_check(const struct region_settings *profile, const struct compliance_facts *facts,
                        struct decision *out);

/* Starts a reason; its text is written by the caller. NULL when there is no room: the verdict
 * counts nevertheless. */
static struct decision_reason *reason_add(struct decision *out, const char *rule,
                                          enum verdict verdict)
{
    if (verdict > out->verdict) /* allow < challenge < review < deny, see words.def */
        out->verdict = verdict;
    if (out->reason_count == DECISION_REASONS_MAX)
        return NULL;
    struct decision_reason *reason = &out->reasons[out->reason_count++];
    reason->rule = rule;
    reason->verdict = verdict;
    reason->text[0] = '\0';
    return reason;
}

/* A text that does not fit is cut, never left out: what is there is valid UTF-8 because every part
 * that can be long (profile names) is ASCII. */
__attribute__((format(printf, 2, 3))) static void reason_text(struct decision_reason *reason,
                                                              const char *format, ...)
{
    va_list arguments;
    if (reason == NULL)
        return;
    va_start(arguments, format);
    (void)vsnprintf(reason->text, sizeof reason->text, format, arguments);
    va_end(arguments);
}

static void time_text(int64_t wall_us, char out[32])
{
    struct writer w = writer_over(out, 32);
    time_format(&w, wall_us);
    if (writer_terminate(&w) != STATUS_OK)
        out[0] = '\0';
}

static void money_text(struct money money, char out[48])
{
    struct writer w = writer_over(out, 48);
    money_format(&w, money);
    if (writer_terminate(&w) != STATUS_OK)
        out[0] = '\0';
}

static bool list_has(const struct settings_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], text) == 0)
            return true;
    }
    return false;
}

/* --- rules --------------------------------------------------------------------------------- */

static void check_effective(const struct region_settings *profile,
                            const struct compliance_facts *facts, struct decision *out)
{
    char when[32];
    if (facts->wall_us < profile->effective_from_us) {
        time_text(profile->effective_from_us, when);
        reason_text(reason_add(out, "region.effective_from", VERDICT_DENY),
                    "Profile %s version %s is not in force before %s.", profile->region,
                    profile->version, when);
    }
    if (profile->effective_until_us != 0 && facts->wall_us >= profile->effective_until_us) {
        time_text(profile->effective_until_us, when);
        reason_text(reason_add(out, "region.effective_until", VERDICT_DENY),
                    "Profile %s version %s is not in force from %s on.", profile->region,
                    profile->version, when);
    }
}

static void check_rail(const struct region_settings *profile, const struct compliance_facts *facts,
                       struct decision *out)
{
    const char *rail = rail_word(facts->rail);
    if (profile->rails.count > 0 && !list_has(&profile->rails, rail))
        reason_text(reason_add(out, "region.rails", VERDICT_DENY),
                    "Rail %s is not allowed in region %s.", rail, profile->region);
}

static void check_currency(const struct region_settings *profile,
                           const struct compliance_facts *facts, struct decision *out)
{
    const char *code = facts->amount.currency->code;
    if (profile->currencies.count > 0 && !list_has(&profile->currencies, code))
        reason_text(reason_add(out, "region.currencies", VERDICT_DENY),
                    "Currency %s is not allowed in region %s.", code, profile->region);
}

static void check_payment_max(const struct region_settings *profile,
                              const struct compliance_facts *facts, struct decision *out)
{
    for (size_t i = 0; i < profile->maximums_count; i++) {
        const struct maximum_settings *maximum = &profile->maximums[i];
        if (strcmp(maximum->currency, facts->amount.currency->code) != 0 ||
            facts->amount.minor <= maximum->minor)
            continue;
        char asked[48], most[48];
        money_text(facts->amount, asked);
        money_text((struct money){ maximum->minor, facts->amount.currency }, most);
        reason_text(reason_add(out, "region.payment_max", VERDICT_DENY),
                    "%s is more than the largest payment in region %s, %s.", asked, profile->region,
                    most);
    }
}

static rule_check *const rules[] = { check_effective, check_rail, check_currency,
                                     check_payment_max };

/* --- decision ------------------------------------------------------------------------------ */

void compliance_decide(const struct region_settings *profile, const struct compliance_facts *facts,
                       struct decision *out)
{
    ENSURE(facts->amount.currency != NULL);
    ENSURE(rail_valid(facts->rail));
    *out = (struct decision){
        .verdict = VERDICT_ALLOW, .profile = "", .version = "", .content_hash = ""
    };
    if (profile == NULL) {
        reason_text(reason_add(out, "region.none", VERDICT_DENY),
                    "No region profile matches this payment.");
        return;
    }
    out->profile = profile->region;
    out->version = profile->version;
    out->content_hash = profile->content_hash;
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        rules[i](profile, facts, out);
    ENSURE(verdict_valid(out->verdict));
}
