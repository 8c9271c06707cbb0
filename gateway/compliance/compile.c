/* compile.c - settings of a region -> a profile with nothing left to parse.
 *
 * First what the profile says as a whole (time, zone, countries, lists), then its lists in the
 * order in which they are evaluated (compile_lists.c), last what only warns: figures to verify,
 * entries without a source (warn.c) and rules that can never fire (never.c). Entries that come from
 * a profile that this one extends are compiled here too, but warned of only where they were
 * written.
 */
#include "base/ensure.h"
#include "compliance/compile_int.h"
#include "domain/time.h"

_Static_assert((int)SETTINGS_ALLOW == (int)VERDICT_ALLOW &&
                   (int)SETTINGS_CHALLENGE == (int)VERDICT_CHALLENGE &&
                   (int)SETTINGS_REVIEW == (int)VERDICT_REVIEW &&
                   (int)SETTINGS_DENY == (int)VERDICT_DENY,
               "a CHOICE of verdicts is a verdict");

uint32_t region_line(const struct region_settings *region, enum region_setting setting)
{
    uint32_t line = region->from != NULL ? region->from[setting] : 0;
    return line > 0 ? line : 1;
}

bool entry_is_own(const struct region_settings *region, const char *file)
{
    return file == NULL || region->file == NULL || strcmp(file, region->file) == 0;
}

const char *region_file(const struct region_settings *region, enum region_setting setting)
{
    if (region->given_in != NULL && region->given_in[setting] != NULL)
        return region->given_in[setting];
    return region->file != NULL ? region->file : "";
}

bool rails_read(const struct settings_list *rails, uint32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < rails->count; i++) {
        enum rail rail;
        if (rail_parse(view_text(rails->items[i]), &rail) != STATUS_OK)
            return false;
        *out |= RAIL_BIT(rail);
    }
    if (rails->count == 0)
        *out = RAILS_ALL;
    return true;
}

#define COMPLAIN(c, setting, id, ...)                                                              \
    finding_add((c)->findings, FINDING_ERROR, region_file((c)->region, (setting)),                 \
                region_line((c)->region, (setting)), 1, (id), __VA_ARGS__)

/* --- the profile as a whole ---------------------------------------------------------------- */

static void compile_effective(const struct compiler *c)
{
    const struct region_settings *region = c->region;
    if (region->effective_until_us != 0 && region->effective_until_us <= region->effective_from_us)
        COMPLAIN(c, REGION_effective_until_us, "profile.effective",
                 "effective_until is not after effective_from: the profile would never hold");
}

static enum status compile_zone(const struct compiler *c)
{
    const char *name = c->region->time_zone;
    enum status s =
        zone_load(name != NULL && name[0] != '\0' ? name : "UTC", c->arena, &c->profile->zone);
    if (s == STATUS_NO_MEMORY)
        return s;
    if (s == STATUS_NOT_FOUND)
        COMPLAIN(c, REGION_time_zone, "profile.time_zone",
                 "there is no time zone `%s`; write a name of the IANA list, e.g. Europe/Berlin "
                 "(the package tzdata must be installed)",
                 name);
    else if (s != STATUS_OK)
        COMPLAIN(c, REGION_time_zone, "profile.time_zone",
                 "the file of the time zone `%s` cannot be read: %s", name, status_text(s));
    return STATUS_OK;
}

static enum status compile_currencies(const struct compiler *c)
{
    const struct settings_list *codes = &c->region->currencies;
    const struct currency **currencies =
        arena_alloc(c->arena, (codes->count + 1) * sizeof(const struct currency *));
    if (currencies == NULL)
        return STATUS_NO_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < codes->count; i++) {
        if (currency_by_code(view_text(codes->items[i]), &currencies[count]) == STATUS_OK)
            count++;
        else
            COMPLAIN(c, REGION_currencies, "profile.currency", "`%s` is no currency of ISO 4217",
                     codes->items[i]);
    }
    c->profile->currencies = currencies;
    c->profile->currencies_count = count;
    return STATUS_OK;
}

static void compile_rails(const struct compiler *c)
{
    const struct region_settings *region = c->region;
    struct profile *profile = c->profile;
    const struct {
        enum region_setting setting;
        const struct settings_list *rails;
        uint32_t *out;
    } places[] = {
        { REGION_rails, &region->rails, &profile->rails },
        { REGION_authentication_rails, &region->authentication_rails,
          &profile->authentication_rails },
        { REGION_screening_rails, &region->screening_rails, &profile->screening_rails },
    };
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        if (!rails_read(places[i].rails, places[i].out))
            COMPLAIN(c, places[i].setting, "profile.rail", "a rail is one of card, qr, bank, cbdc");
    }
    if (region->screening_lists.count == 0 ||
        (!region->screening_payer && !region->screening_payee))
        profile->screening_rails = 0;
    if (!region->authentication_required)
        profile->authentication_rails = 0;
}

static void compile_countries(const struct compiler *c)
{
    const struct region_settings *region = c->region;
    country_set_fill(&c->profile->domestic, region->cross_border_domestic.count > 0
                                                ? &region->cross_border_domestic
                                                : &region->countries);
    country_set_fill(&c->profile->residency, &region->data_residency);
}

/* Lists that gateway.yaml does not have would deny every payment. */
static void compile_screening(const struct compiler *c)
{
    const char *names[LISTS_COMPARED_MAX];
    size_t count = 0;
    if (c->settings == NULL)
        return;
    for (size_t i = 0; i < c->settings->lists_count && count < COUNT_OF(names); i++)
        names[count++] = c->settings->lists[i].name;
    for (size_t i = 0; i < c->region->screening_lists.count; i++) {
        const char *wanted = c->region->screening_lists.items[i];
        bool known = false;
        for (size_t j = 0; j < c->settings->lists_count; j++)
            known = known || strcmp(wanted, c->settings->lists[j].name) == 0;
        if (known)
            continue;
        const char *near = finding_did_you_mean(view_text(wanted), names, count);
        if (near != NULL)
            COMPLAIN(c, REGION_screening_lists, "profile.unknown_list",
                     "`lists` in gateway.yaml has no `%s`; did you mean `%s`?", wanted, near);
        else
            COMPLAIN(c, REGION_screening_lists, "profile.unknown_list",
                     "`lists` in gateway.yaml has no `%s`; add it there", wanted);
    }
}

static enum status compile_authentication(const struct compiler *c)
{
    return clauses_read(&c->region->authentication_when,
                        region_file(c->region, REGION_authentication_when), c->arena, c->findings,
                        &c->profile->authentication_when);
}

static void compile_masks(const struct compiler *c)
{
    for (size_t i = 0; i < c->region->masks_count; i++) {
        const struct mask_settings *mask = &c->region->masks[i];
        const char *file = mask->file != NULL ? mask->file : "";
        if (fact_by_name(view_text(mask->fact)) == FACT_NONE) {
            const char *near = fact_near(view_text(mask->fact));
            finding_add(c->findings, FINDING_ERROR, file, mask->line, mask->column,
                        "profile.unknown_fact", "there is no fact `%s`%s%s%s", mask->fact,
                        near != NULL ? "; did you mean `" : "", near != NULL ? near : "",
                        near != NULL ? "`?" : "");
        }
        for (size_t j = 0; j < mask->shown_to.count; j++) {
            const char *role = mask->shown_to.items[j];
            if (strcmp(role, "merchant") != 0 && strcmp(role, "operator") != 0)
                finding_add(c->findings, FINDING_ERROR, file, mask->line, mask->column,
                            "profile.role", "`%s` is no role; `for` takes merchant and operator",
                            role);
        }
    }
}

static void warn_residency(const struct compiler *c)
{
    if (c->settings == NULL || c->profile->residency.any || c->region->abstract)
        return;
    const char *country = c->settings->store_country != NULL ? c->settings->store_country : "";
    if (!country_set_has(&c->profile->residency, view_text(country)))
        finding_add(c->findings, FINDING_WARNING, region_file(c->region, REGION_data_residency),
                    region_line(c->region, REGION_data_residency), 1, "profile.residency",
                    "store.country in gateway.yaml is %s, which is not in data.residency: every "
                    "payment of this profile will be denied",
                    country[0] != '\0' ? country : "not given");
}

/* --- all of it ----------------------------------------------------------------------------- */

enum status compliance_compile(const struct region_settings *region,
                               const struct settings *settings, struct arena *arena,
                               struct findings *findings, struct profile **out)
{
    *out = NULL;
    size_t errors = findings->errors;
    struct profile *profile = ARENA_NEW(arena, struct profile);
    if (profile == NULL)
        return STATUS_NO_MEMORY;
    *profile = (struct profile){ .magic = PROFILE_MAGIC, .s = region };
    const struct compiler c = { region, settings, arena, findings, profile };
    compile_effective(&c);
    TRY(compile_zone(&c));
    TRY(compile_currencies(&c));
    compile_rails(&c);
    compile_countries(&c);
    compile_screening(&c);
    TRY(compile_authentication(&c));
    TRY(compile_lists(&c));
    compile_masks(&c);
    warn_residency(&c);
    warn_figures(&c);
    if (findings->errors != errors)
        return STATUS_MALFORMED;
    never_find(profile, findings);
    *out = profile;
    return STATUS_OK;
}

const struct region_settings *profile_settings(const struct profile *profile)
{
    ENSURE_MAGIC(profile, PROFILE_MAGIC);
    return profile->s;
}

bool profile_screens(const struct profile *profile, enum rail rail)
{
    ENSURE_MAGIC(profile, PROFILE_MAGIC);
    ENSURE(rail_valid(rail));
    return (profile->screening_rails & RAIL_BIT(rail)) != 0;
}
