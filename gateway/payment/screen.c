/* screen.c - see screen.h. A list that a profile names and that is not there, could not be read or
 * is too old is a fact of its own: compliance/ denies what needs it. */
#include "payment/screen.h"

#include "base/ensure.h"
#include "base/json_out.h"

#define HIT_BYTES 4096

static enum list_state lists_state(const struct screening *screening,
                                   const struct settings_list *names, int64_t wall_us)
{
    enum list_state state = LISTS_FINE;
    for (size_t i = 0; i < names->count; i++) {
        const struct screening_list *list =
            screening != NULL ? screening_list(screening, names->items[i]) : NULL;
        if (list == NULL || !list->loaded)
            return LISTS_MISSING;
        if (!screening_fresh(list, wall_us))
            state = LISTS_STALE;
    }
    return state;
}

static void party_look_up(const struct screening *screening, const struct region_settings *settings,
                          struct compliance_facts *facts, enum fact name, enum fact country,
                          enum fact birth_date, enum fact listed, struct screened_party *out)
{
    struct screening_query query = {
        .name = facts->values[name].text,
        .country = facts->values[country].text,
        .birth_date = birth_date != FACT_NONE ? facts->values[birth_date].text : VIEW_EMPTY,
        .lists = settings->screening_lists.items,
        .lists_count = settings->screening_lists.count,
        .threshold = (uint32_t)settings->screening_threshold,
    };
    uint32_t best = 0;
    out->count = screening_find(screening, &query, out->hits, &best);
    facts_number(facts, listed, best);
}

void policy_look_up(const struct policy *policy, const struct profile *profile,
                    struct compliance_facts *facts, struct screened *out)
{
    out->looked_up = 0;
    out->payer.count = out->payee.count = 0;
    facts->lists = LISTS_NOT_ASKED;
    if (profile == NULL || !profile_screens(profile, facts->rail))
        return;
    const struct region_settings *settings = profile_settings(profile);
    facts->lists = lists_state(policy->screening, &settings->screening_lists, facts->wall_us);
    if (facts->lists != LISTS_FINE)
        return;
    if (settings->screening_payer && facts->values[FACT_PAYER_NAME].given) {
        party_look_up(policy->screening, settings, facts, FACT_PAYER_NAME, FACT_PAYER_COUNTRY,
                      FACT_PAYER_BIRTH_DATE, FACT_PAYER_LISTED, &out->payer);
        out->looked_up++;
    }
    if (settings->screening_payee && facts->values[FACT_PAYEE_NAME].given) {
        party_look_up(policy->screening, settings, facts, FACT_PAYEE_NAME, FACT_PAYEE_COUNTRY,
                      FACT_NONE, FACT_PAYEE_LISTED, &out->payee);
        out->looked_up++;
    }
}

static void put_hits(struct json_out *j, const char *party, const struct screened_party *found)
{
    for (size_t i = 0; i < found->count; i++) {
        const struct screening_hit *hit = &found->hits[i];
        json_open_object(j, NULL);
        json_put_text(j, "party", view_text(party));
        json_put_text(j, "list", view_text(hit->list));
        json_put_text(j, "entry", view_text(hit->entry));
        json_put_text(j, "name", view_slice(view_text(hit->name), 0, SCREENING_NAME_MAX));
        json_put_bool(j, "alias", hit->alias);
        json_put_i64(j, "score", hit->score);
        json_put_text(j, "reason", view_text(hit->reason));
        json_close_object(j);
    }
}

struct view screened_members(struct arena *arena, const struct screened *screened)
{
    size_t count = screened->payer.count + screened->payee.count;
    if (count == 0)
        return VIEW_EMPTY;
    uint8_t *room = arena_alloc(arena, count * HIT_BYTES);
    struct writer w = writer_over(room, room != NULL ? count * HIT_BYTES : 0);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_open_array(&j, "hits");
    put_hits(&j, "payer", &screened->payer);
    put_hits(&j, "payee", &screened->payee);
    json_close_array(&j);
    json_close_object(&j);
    if (w.overflow)
        return VIEW_EMPTY;
    arena_trim(arena, room, w.len);
    return view_of(room + 1, w.len - 2);
}
