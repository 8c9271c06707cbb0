/* warn.c - figures that somebody still has to look up: marked `verify`, or without a source.
 *
 * One warning per entry, where it was written: a profile that is extended warns of its own.
 */
#include "compliance/compile_int.h"

struct entry {
    const char *file;
    uint32_t line, column;
    const char *id, *source;
    bool verify, figure;
};

static void warn(const struct compiler *c, const struct entry *entry)
{
    if (!entry_is_own(c->region, entry->file))
        return;
    const char *file = entry->file != NULL ? entry->file : "";
    const char *source = entry->source != NULL ? entry->source : "";
    if (entry->verify)
        finding_add(c->findings, FINDING_WARNING, file, entry->line, entry->column,
                    "profile.verify", "%s still has to be verified (source: %s)", entry->id,
                    source[0] != '\0' ? source : "none");
    if (entry->figure && source[0] == '\0')
        finding_add(c->findings, FINDING_WARNING, file, entry->line, entry->column,
                    "profile.no_source", "%s has a figure but does not say where it comes from",
                    entry->id);
}

#define WARN(c, rule, has_figure)                                                                  \
    warn((c), &(const struct entry){ .file = (rule)->s->file,                                      \
                                     .line = (rule)->s->line,                                      \
                                     .column = (rule)->s->column,                                  \
                                     .id = (rule)->head.id,                                        \
                                     .source = (rule)->s->source,                                  \
                                     .verify = (rule)->s->verify,                                  \
                                     .figure = (has_figure) })

static void warn_tier(const struct compiler *c, const struct tier_rule *rule)
{
    const struct tier_settings *s = rule->s;
    char id[32];
    struct writer w = writer_over(id, sizeof id);
    writer_format(&w, "kyc.tier %d", (int)s->tier);
    if (writer_terminate(&w) != STATUS_OK)
        return;
    bool figure =
        s->single.count + s->day.count + s->month.count + s->year.count + s->balance.count > 0;
    warn(c, &(const struct entry){ s->file, s->line, s->column, id, s->source, s->verify, figure });
}

void warn_figures(const struct compiler *c)
{
    const struct profile *p = c->profile;
    for (size_t i = 0; i < p->tiers_count; i++)
        warn_tier(c, &p->tiers[i]);
    for (size_t i = 0; i < p->limits_count; i++)
        WARN(c, &p->limits[i], true);
    for (size_t i = 0; i < p->exemptions_count; i++) {
        const struct exemption_settings *s = p->exemptions[i].s;
        WARN(c, &p->exemptions[i],
             s->max.count + s->total.count > 0 || s->count > 0 || s->fraud_rate_max_ppm < 1000000);
    }
    for (size_t i = 0; i < p->corridors_count; i++)
        WARN(c, &p->corridors[i], false);
    for (size_t i = 0; i < p->fields_count; i++)
        WARN(c, &p->fields[i], p->fields[i].s->from.count + p->fields[i].s->over.count > 0);
    for (size_t i = 0; i < p->rules_count; i++)
        WARN(c, &p->rules[i], false);
    if (c->region->data_verify)
        warn(c, &(const struct entry){ .file = region_file(c->region, REGION_data_verify),
                                       .line = region_line(c->region, REGION_data_verify),
                                       .column = 1,
                                       .id = "data",
                                       .source = c->region->data_source,
                                       .verify = true });
}
