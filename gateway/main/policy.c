/* policy.c - compiles all profiles, reads all lists; see policy.h. */
#include "main/policy.h"

#include "base/ensure.h"

#include <stdio.h>
#include <stdlib.h>

#define POLICY_MAGIC       0x504f4c59u
#define POLICY_ARENA_BYTES ((size_t)64 * 1024 * 1024)

struct owned_policy {
    struct policy policy; /* first: what others see */
    uint32_t magic;
    struct arena arena;
};

/* --- findings -------------------------------------------------------------------------------- */

static bool said_already(const struct findings *findings, const struct finding *row)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *other = &findings->rows[i];
        if (other->line == row->line && other->column == row->column &&
            strcmp(other->id, row->id) == 0 && strcmp(other->file, row->file) == 0 &&
            strcmp(other->message, row->message) == 0)
            return true;
    }
    return false;
}

static void findings_sort_out(const struct findings *from, struct findings *findings,
                              struct findings *verify)
{
    ENSURE(findings != NULL);
    for (size_t i = 0; i < from->count; i++) {
        const struct finding *row = &from->rows[i];
        struct findings *to = strcmp(row->id, "profile.verify") == 0 ? verify : findings;
        if (to != NULL && !said_already(to, row))
            finding_add(to, row->severity, row->file, row->line, row->column, row->id, "%s",
                        row->message);
    }
    findings->dropped += from->dropped;
}

size_t findings_of(const struct findings *findings, const char *id)
{
    size_t count = 0;
    for (size_t i = 0; i < findings->count; i++)
        count += strcmp(findings->rows[i].id, id) == 0;
    return count;
}

/* --- profiles -------------------------------------------------------------------------------- */

static enum status compile(const struct region_settings *region, const struct settings *settings,
                           struct arena *arena, struct findings *findings, struct findings *verify,
                           struct profile **out)
{
    struct findings *own = malloc(sizeof *own);
    if (own == NULL)
        return STATUS_NO_MEMORY;
    findings_init(own);
    enum status status = compliance_compile(region, settings, arena, own, out);
    findings_sort_out(own, findings, verify);
    findings_clear(own);
    free(own);
    return status;
}

static enum status compile_all(struct owned_policy *own, const struct settings *settings,
                               struct findings *findings, struct findings *verify)
{
    struct profile **profiles =
        arena_alloc(&own->arena, settings->regions_count * sizeof(struct profile *));
    struct profile **shadows =
        arena_alloc(&own->arena, settings->regions_count * sizeof(struct profile *));
    enum status result = STATUS_OK;
    if (profiles == NULL || shadows == NULL)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < settings->regions_count; i++) {
        const struct region_settings *region = &settings->regions[i];
        struct profile *profile = NULL;
        enum status status = compile(region, settings, &own->arena, findings, verify, &profile);
        if (status == STATUS_NO_MEMORY)
            return status;
        if (status != STATUS_OK)
            result = status; /* go on: all errors at once */
        else if (region->shadow)
            shadows[own->policy.shadow_count++] = profile;
        else
            profiles[own->policy.profile_count++] = profile;
    }
    own->policy.profiles = profiles;
    own->policy.shadows = shadows;
    own->policy.default_region = view_text(settings->region);
    return result;
}

/* Nobody could confirm what such a profile asks for; said once, not for every profile. */
static void check_authentication(const struct settings *settings, struct findings *findings)
{
    const char *first = NULL;
    size_t count = 0;
    for (size_t i = 0; i < settings->regions_count; i++) {
        const struct region_settings *region = &settings->regions[i];
        if (region->abstract || region->shadow || !region->authentication_required)
            continue;
        first = count++ == 0 ? region->region : first;
    }
    if (count == 0 || settings->authentication_code_key[0] != '\0' || settings->issuers_count > 0)
        return;
    char others[40] = "";
    if (count > 1)
        (void)snprintf(others, sizeof others, " and %zu more", count - 1);
    finding_add(findings, FINDING_WARNING, settings->file, 0, 0, "authentication.impossible",
                "neither `authentication.code_key` nor `issuers` is given, but there are regions "
                "(%s%s) that want payers authenticated: nobody can confirm such payments",
                first, others);
}

static enum status open_lists(struct owned_policy *own, const struct settings *settings)
{
    size_t count = settings->lists_count;
    struct screening_source sources[SCREENING_LISTS_MAX];
    if (count == 0)
        return STATUS_OK;
    if (count > SCREENING_LISTS_MAX)
        count = SCREENING_LISTS_MAX;
    for (size_t i = 0; i < count; i++)
        sources[i] =
            (struct screening_source){ .name = settings->lists[i].name,
                                       .format = (enum screening_format)settings->lists[i].format,
                                       .path = settings->lists[i].path,
                                       .max_age_us = settings->lists[i].max_age_us };
    return screening_open(&own->policy.screening, sources, count);
}

enum status policy_open(const struct settings *settings, struct findings *findings,
                        struct findings *verify, struct policy **out)
{
    *out = NULL;
    struct owned_policy *own = calloc(1, sizeof *own);
    if (own == NULL)
        return STATUS_NO_MEMORY;
    own->magic = POLICY_MAGIC;
    arena_init(&own->arena, POLICY_ARENA_BYTES);
    if (settings->lists_count > SCREENING_LISTS_MAX)
        finding_add(findings, FINDING_ERROR, settings->file,
                    settings->lists[SCREENING_LISTS_MAX].line, 1, "lists.too_many",
                    "at most %d lists are possible", SCREENING_LISTS_MAX);
    check_authentication(settings, findings);
    enum status status = compile_all(own, settings, findings, verify);
    if (status == STATUS_OK && settings->lists_count > SCREENING_LISTS_MAX)
        status = STATUS_MALFORMED;
    if (status == STATUS_OK)
        status = open_lists(own, settings);
    if (status != STATUS_OK) {
        policy_free(&own->policy);
        return status;
    }
    *out = &own->policy;
    return STATUS_OK;
}

void policy_free(struct policy *policy)
{
    if (policy == NULL)
        return;
    struct owned_policy *own = CONTAINER_OF(policy, struct owned_policy, policy);
    ENSURE_MAGIC(own, POLICY_MAGIC);
    screening_close(policy->screening);
    arena_reset(&own->arena);
    own->magic = 0;
    free(own);
}

enum status policy_compile_text(const struct settings *settings, struct view text, const char *file,
                                struct arena *arena, struct findings *findings,
                                struct region_settings **settings_out, struct profile **out)
{
    struct region_settings *region = ARENA_NEW(arena, struct region_settings);
    if (region == NULL)
        return STATUS_NO_MEMORY;
    TRY(settings_region_read(settings, text, file, arena, findings, region));
    *settings_out = region;
    return out != NULL ? compile(region, settings, arena, findings, NULL, out) : STATUS_OK;
}

/* --- lists ----------------------------------------------------------------------------------- */

static const struct list_settings *list_row(const struct settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->lists_count; i++)
        if (strcmp(settings->lists[i].name, name) == 0)
            return &settings->lists[i];
    return NULL;
}

static bool names_list(const struct region_settings *region, const char *name)
{
    for (size_t i = 0; i < region->screening_lists.count; i++)
        if (strcmp(region->screening_lists.items[i], name) == 0)
            return true;
    return false;
}

/* "us, uk": which profiles need the list; of many the first, and how many more. */
static size_t needed_by(const struct settings *settings, const char *list, struct writer *out)
{
    size_t count = 0;
    for (size_t i = 0; i < settings->regions_count; i++) {
        const struct region_settings *region = &settings->regions[i];
        if (region->abstract || !names_list(region, list))
            continue;
        if (count++ < 8)
            writer_format(out, "%s%s", count > 1 ? ", " : "", region->region);
    }
    if (count > 8)
        writer_format(out, " and %zu more", count - 8);
    return count;
}

void policy_check_lists(const struct policy *policy, const struct settings *settings,
                        int64_t wall_us, struct findings *findings)
{
    for (size_t i = 0; policy->screening != NULL && i < screening_count(policy->screening); i++) {
        const struct screening_list *list = screening_at(policy->screening, i);
        const struct list_settings *row = list_row(settings, list->name);
        char regions[400];
        struct writer w = writer_over(regions, sizeof regions);
        size_t needed = needed_by(settings, list->name, &w);
        if (row == NULL)
            continue;
        enum finding_severity severity = needed > 0 ? FINDING_ERROR : FINDING_WARNING;
        const char *who = needed > 0 ? "; needed by " : "; no profile needs it";
        if (!list->loaded)
            finding_add(findings, severity, settings->file, row->line, 1, "lists.not_loaded",
                        "list `%s` cannot be used: %s%s%.*s", list->name, list->why, who,
                        needed > 0 ? (int)w.len : 0, regions);
        else if (!screening_fresh(list, wall_us))
            finding_add(findings, severity, settings->file, row->line, 1, "lists.stale",
                        "list `%s` is %lld days old, older than its max_age; fetch a new one%s%.*s",
                        list->name,
                        (long long)((wall_us - list->published_us) / (86400 * LOOP_US_PER_S)), who,
                        needed > 0 ? (int)w.len : 0, regions);
        else if (list->skipped > 0)
            finding_add(findings, FINDING_WARNING, settings->file, row->line, 1, "lists.skipped",
                        "list `%s`: %zu rows could not be read: %s", list->name, list->skipped,
                        list->why);
    }
}

size_t policy_unverified(const struct region_settings *r)
{
    size_t count = r->data_verify ? 1 : 0;
    for (size_t i = 0; i < r->limits_count; i++)
        count += r->limits[i].verify;
    for (size_t i = 0; i < r->tiers_count; i++)
        count += r->tiers[i].verify;
    for (size_t i = 0; i < r->exemptions_count; i++)
        count += r->exemptions[i].verify;
    for (size_t i = 0; i < r->corridors_count; i++)
        count += r->corridors[i].verify;
    for (size_t i = 0; i < r->fields_count; i++)
        count += r->fields[i].verify;
    for (size_t i = 0; i < r->rules_count; i++)
        count += r->rules[i].verify;
    return count;
}
