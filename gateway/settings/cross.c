/* cross.c - what only the whole configuration shows: names given twice, references to what is not
 * there. Runs when every file by itself is right; before, it would report what is only a
 * consequence.
 */
#include "settings/load_int.h"

#include "base/ensure.h"

#include <arpa/inet.h>

#define NAMES_MAX 512

static size_t active_names(const struct settings *s, const char *names[NAMES_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < s->regions_count && count < NAMES_MAX; i++) {
        if (!s->regions[i].shadow)
            names[count++] = s->regions[i].region;
    }
    return count;
}

/* The profile of that name; NULL with a finding when there is none. */
static const struct region_settings *region_named(const struct settings *s,
                                                  struct findings *findings, const char *file,
                                                  uint32_t line, const char *name)
{
    const char *names[NAMES_MAX];
    char room[96];
    const struct region_settings *region = settings_region(s, view_text(name));
    if (region != NULL)
        return region;
    size_t count = active_names(s, names);
    finding_add(findings, FINDING_ERROR, file, line, 1, "settings.no_such_region",
                "there is no region profile `%s`%s; correct the name or add the profile", name,
                near_name(view_text(name), names, count, room));
    return NULL;
}

void region_cross_check(const struct settings *s, const struct region_settings *region,
                        struct findings *findings)
{
    const char *names[NAMES_MAX];
    char room[96];
    size_t index = 0, count = 0;
    if (region->abstract)
        return;
    (void)section_row(&section_region, offsetof(struct region_settings, screening_lists), &index);
    for (; count < s->lists_count && count < NAMES_MAX; count++)
        names[count] = s->lists[count].name;
    for (size_t i = 0; i < region->screening_lists.count; i++) {
        const char *name = region->screening_lists.items[i];
        bool found = false;
        for (size_t k = 0; k < s->lists_count && !found; k++)
            found = strcmp(s->lists[k].name, name) == 0;
        if (found)
            continue;
        bool own = strcmp(region->given_in[index], region->file) == 0;
        finding_add(findings, FINDING_ERROR, region->file, own ? region->from[index] : 1, 1,
                    "settings.no_such_list",
                    "`screening.lists`%s%s: gateway.yaml has no list `%s`%s; correct the name, or "
                    "add it to `lists` there",
                    own ? "" : " of ", own ? "" : region->given_in[index], name,
                    near_name(view_text(name), names, count, room));
    }
}

static void channel_names(const struct settings *s, size_t index, struct findings *findings)
{
    const struct channel_settings *c = &s->channels[index];
    for (size_t k = 0; k < index; k++) {
        if (strcmp(s->channels[k].name, c->name) == 0)
            finding_add(findings, FINDING_ERROR, c->file,
                        LINE_OF(&section_channel, channel_settings, name, c->from), 1,
                        "settings.name_twice", "a channel named `%s` is in %s already; rename one",
                        c->name, s->channels[k].file);
    }
    for (size_t k = 0; k < c->regions.count; k++)
        (void)region_named(s, findings, c->file,
                           LINE_OF(&section_channel, channel_settings, regions, c->from),
                           c->regions.items[k]);
}

static void region_names(const struct settings *s, size_t index, struct findings *findings)
{
    const struct region_settings *r = &s->regions[index];
    uint32_t line = LINE_OF(&section_region, region_settings, region, r->from);
    for (size_t k = 0; k < index; k++) {
        if (s->regions[k].shadow == r->shadow && strcmp(s->regions[k].region, r->region) == 0)
            finding_add(findings, FINDING_ERROR, r->file, line, 1, "settings.name_twice",
                        "a %sregion profile named `%s` is in %s already; rename one",
                        r->shadow ? "shadow " : "", r->region, s->regions[k].file);
    }
    if (!r->shadow || settings_region(s, view_text(r->region)) != NULL)
        return;
    const char *names[NAMES_MAX];
    char room[96];
    size_t count = active_names(s, names);
    finding_add(findings, FINDING_ERROR, r->file, line, 1, "settings.shadow_alone",
                "the shadow profile `%s` has no profile of the same name to run beside%s; add it, "
                "or set `shadow` to no",
                r->region, near_name(view_text(r->region), names, count, room));
}

/* What is allowed for trying things out would let a merchant reach our own network. */
static void webhooks_live(const struct settings *s, const char *file, struct findings *findings)
{
    if (s->mode != SETTINGS_LIVE)
        return;
    if (s->webhooks_allow_http)
        finding_add(findings, FINDING_ERROR, file,
                    LINE_OF(&section_gateway, settings, webhooks_allow_http, s->from), 1,
                    "settings.only_in_sandbox",
                    "`webhooks.allow_http` is for mode sandbox; set it to no");
    if (s->webhooks_allow_private)
        finding_add(findings, FINDING_ERROR, file,
                    LINE_OF(&section_gateway, settings, webhooks_allow_private, s->from), 1,
                    "settings.only_in_sandbox",
                    "`webhooks.allow_private` is for mode sandbox; set it to no");
}

/* "192.0.2.53:53", "[2001:db8::53]:53": a name server that has to be looked up itself is none. */
static bool is_address_and_port(const char *text)
{
    char host[INET6_ADDRSTRLEN];
    struct in6_addr room;
    const char *colon = strrchr(text, ':');
    bool brackets = text[0] == '[' && colon != NULL && colon > text && colon[-1] == ']';
    const char *from = brackets ? text + 1 : text;
    const char *to = brackets ? colon - 1 : colon;
    if (to == NULL || (size_t)(to - from) >= sizeof host || strcmp(colon, ":0") == 0)
        return false;
    memcpy(host, from, (size_t)(to - from));
    host[to - from] = '\0';
    return inet_pton(brackets ? AF_INET6 : AF_INET, host, &room) == 1;
}

static void webhooks_name_servers(const struct settings *s, const char *file,
                                  struct findings *findings)
{
    for (size_t i = 0; i < s->webhooks_name_servers.count; i++) {
        if (!is_address_and_port(s->webhooks_name_servers.items[i]))
            finding_add(findings, FINDING_ERROR, file,
                        LINE_OF(&section_gateway, settings, webhooks_name_servers, s->from), 1,
                        "settings.no_address",
                        "`%s` in `webhooks.name_servers` is no IP address with a port; write it "
                        "like 192.0.2.53:53 or [2001:db8::53]:53",
                        s->webhooks_name_servers.items[i]);
    }
}

void settings_cross_check(const struct settings *s, const char *file, struct findings *findings)
{
    for (size_t i = 0; i < s->channels_count; i++)
        channel_names(s, i, findings);
    for (size_t i = 0; i < s->regions_count; i++) {
        region_names(s, i, findings);
        region_cross_check(s, &s->regions[i], findings);
    }
    for (size_t i = 0; i < s->tests_count; i++)
        (void)region_named(s, findings, s->tests[i].file, s->tests[i].line, s->tests[i].region);
    webhooks_live(s, file, findings);
    webhooks_name_servers(s, file, findings);
    uint32_t line = LINE_OF(&section_gateway, settings, region, s->from);
    for (size_t i = 0; i < s->merchants_count; i++) {
        const struct merchant_settings *m = &s->merchants[i];
        if (m->region[0] != '\0')
            (void)region_named(s, findings, file, m->line, m->region);
        for (size_t k = 0; k < m->regions.count; k++)
            (void)region_named(s, findings, file, m->line, m->regions.items[k]);
    }
    const struct region_settings *fallback = region_named(s, findings, file, line, s->region);
    if (fallback != NULL && fallback->abstract)
        finding_add(findings, FINDING_ERROR, file, line, 1, "settings.abstract_region",
                    "the profile `%s` is abstract: it is only there to be extended; name one that "
                    "extends it",
                    s->region);
    if (s->channels_count == 0)
        finding_add(findings, FINDING_WARNING, file, 0, 0, "settings.no_channel",
                    "no channel is configured: every payment will be refused; add a file to %s",
                    s->channels_folder);
}
