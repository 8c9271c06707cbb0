/* change.c - compares two configurations row by row, from the same .def rows that make the structs;
 * see change.h. */
#include "main/change.h"

#include "base/ensure.h"

#include <stdio.h>

/* --- regions --------------------------------------------------------------------------------- */

static const struct region_settings *same_region(const struct settings *in,
                                                 const struct region_settings *region)
{
    for (size_t i = 0; i < in->regions_count; i++)
        if (strcmp(in->regions[i].region, region->region) == 0 &&
            in->regions[i].shadow == region->shadow)
            return &in->regions[i];
    return NULL;
}

typedef void pair_fn(void *arg, const struct region_settings *old,
                     const struct region_settings *new);

static void each_change(const struct settings *old, const struct settings *new, pair_fn *saw,
                        void *arg)
{
    for (size_t i = 0; i < new->regions_count; i++) {
        const struct region_settings *before = same_region(old, &new->regions[i]);
        if (before == NULL || strcmp(before->content_hash, new->regions[i].content_hash) != 0)
            saw(arg, before, &new->regions[i]);
    }
    for (size_t i = 0; i < old->regions_count; i++)
        if (same_region(new, &old->regions[i]) == NULL)
            saw(arg, &old->regions[i], NULL);
}

static void pair_text(void *arg, const struct region_settings *old,
                      const struct region_settings *new)
{
    struct writer *w = arg;
    const struct region_settings *any = new != NULL ? new : old;
    writer_format(w, "%s%s%s ", w->len > 0 ? ", " : "", any->region,
                  any->shadow ? " (shadow)" : "");
    if (old == NULL)
        writer_format(w, "added %s", new->version);
    else if (new == NULL)
        writer_format(w, "removed %s", old->version);
    else if (strcmp(old->version, new->version) == 0)
        writer_format(w, "%s (same version, other text)", new->version);
    else
        writer_format(w, "%s -> %s", old->version, new->version);
}

void change_regions_text(struct writer *w, const struct settings *old, const struct settings *new)
{
    each_change(old, new, pair_text, w);
    if (w->len == 0)
        writer_text(w, "nothing");
}

static void pair_json(void *arg, const struct region_settings *old,
                      const struct region_settings *new)
{
    struct json_out *j = arg;
    const struct region_settings *any = new != NULL ? new : old;
    ENSURE(any != NULL);
    json_open_object(j, NULL);
    json_put_text(j, "region", view_text(any->region));
    if (any->shadow)
        json_put_bool(j, "shadow", true);
    if (old != NULL)
        json_put_text(j, "old", view_text(old->version));
    if (new != NULL) {
        json_put_text(j, "new", view_text(new->version));
        json_put_text(j, "content_hash", view_text(new->content_hash));
    }
    json_close_object(j);
}

void change_regions_json(struct json_out *j, const struct settings *old, const struct settings *new)
{
    json_open_array(j, "regions");
    each_change(old, new, pair_json, j);
    json_close_array(j);
}

/* --- what needs a restart -------------------------------------------------------------------- */

static bool text_differs(const char *a, const char *b)
{
    return strcmp(a, b) != 0;
}

static bool number_differs(int64_t a, int64_t b)
{
    return a != b;
}

static bool list_differs(struct settings_list a, struct settings_list b)
{
    bool differs = a.count != b.count;
    for (size_t i = 0; i < a.count && !differs; i++)
        differs = strcmp(a.items[i], b.items[i]) != 0;
    return differs;
}

#define DIFFERS(a, b)                                                                              \
    _Generic((a), const char *: text_differs, struct settings_list: list_differs,                  \
             default: number_differs)(a, b)

static bool key_differs(const struct key_settings *a, const struct key_settings *b)
{
    bool differs = false;
#define SETTING(type, member, path, fallback, min, max, unit, choices, secret, sentence)           \
    differs = differs || DIFFERS(a->member, b->member);
#include "settings/key.def"
#undef SETTING
    return differs;
}

static bool issuer_differs(const struct issuer_settings *a, const struct issuer_settings *b)
{
    bool differs = false;
#define SETTING(type, member, path, fallback, min, max, unit, choices, secret, sentence)           \
    differs = differs || DIFFERS(a->member, b->member);
#include "settings/issuer.def"
#undef SETTING
    return differs;
}

static bool channel_differs(const struct channel_settings *a, const struct channel_settings *b)
{
    bool differs = a->settings_count != b->settings_count;
#define SETTING(type, member, path, fallback, min, max, unit, choices, secret, sentence)           \
    differs = differs || DIFFERS(a->member, b->member);
#include "settings/channel.def"
#undef SETTING
    for (size_t i = 0; i < a->settings_count && !differs; i++)
        differs = strcmp(a->settings[i].name, b->settings[i].name) != 0 ||
                  strcmp(a->settings[i].text, b->settings[i].text) != 0;
    return differs;
}

static void channels_told(const struct settings *first, const struct settings *now, change_fn *told,
                          void *arg)
{
    char what[128];
    for (size_t i = 0; i < now->channels_count; i++) {
        const struct channel_settings *channel = &now->channels[i];
        const struct channel_settings *before = settings_channel(first, view_text(channel->name));
        (void)snprintf(what, sizeof what, "channel %s", channel->name);
        if (before == NULL || channel_differs(before, channel))
            told(arg, what);
    }
    for (size_t i = 0; i < first->channels_count; i++) {
        (void)snprintf(what, sizeof what, "channel %s", first->channels[i].name);
        if (settings_channel(now, view_text(first->channels[i].name)) == NULL)
            told(arg, what);
    }
}

void change_needs_restart(const struct settings *first, const struct settings *now, change_fn *told,
                          void *arg)
{
#define SETTING(type, member, path, fallback, min, max, unit, choices, secret, sentence)           \
    if (DIFFERS(first->member, now->member))                                                       \
        told(arg, path);
#include "settings/gateway.def"
#undef SETTING
    bool keys = first->keys_count != now->keys_count;
    for (size_t i = 0; i < first->keys_count && !keys; i++)
        keys = key_differs(&first->keys[i], &now->keys[i]);
    if (keys)
        told(arg, "keys");
    bool issuers = first->issuers_count != now->issuers_count;
    for (size_t i = 0; i < first->issuers_count && !issuers; i++)
        issuers = issuer_differs(&first->issuers[i], &now->issuers[i]);
    if (issuers)
        told(arg, "issuers");
    channels_told(first, now, told, arg);
}
