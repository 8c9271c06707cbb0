/* check_resends.c - when all is quiet: whether each event that was promised once more has come once
 * more.
 *
 *     A resend with an Idempotency-Key that was answered 202 stands in the journal once, whatever
 *     crashed meanwhile; one without, once for each 202; and nothing stands there that nobody asked
 *     for.
 *     Since it was asked for, the endpoint has taken the event again: at least as often as it was
 *     promised from then on, wherever the endpoint leads to now. What it had taken before counts
 *     for nothing. (An endpoint that was deleted gets nothing any more.)
 *
 * In which order they come, and with which body and signature, is looked at with all that comes.
 */
#include "hooks.h"

#include "base/ensure.h"

static bool same(const struct hook_resend *a, const struct hook_resend *b)
{
    return a->e == b->e && a->event == b->event;
}

static unsigned promised(const struct hook_resend *r)
{
    return r->keyed ? r->said > 0 : r->said;
}

static bool gets_nothing(const struct hook_endpoint *e)
{
    return e->mover != NULL && e->mover->versions[e->mover->count - 1].deleted;
}

/* All of one event to one endpoint; `r` is the first of them. */
static void check_recorded(const struct hook_resend *r, const struct hook_resend *end,
                           const struct journal *j)
{
    int64_t id = 0;
    unsigned least = 0, most = 0, recorded = 0;
    ENSURE(id_parse(ID_ENDPOINT, view_text(r->e->id), &id) == STATUS_OK);
    for (const struct hook_resend *at = r; at < end; at++)
        if (same(at, r)) {
            least += promised(at);
            most += at->keyed ? 1 : at->tries;
        }
    for (size_t i = 0; i < j->count; i++)
        recorded += strcmp(j->lines[i].kind, "webhook_endpoint.resend") == 0 &&
                    j->lines[i].names_endpoint == id && j->lines[i].names_event == r->event;
    if (recorded < least || recorded > most)
        wrong(r->e->side->world, 0,
              "event %lld is to be sent again to %sendpoint %u %u times, asked for were %u to %u",
              (long long)r->event, r->e->mover != NULL ? "moved " : "", r->e->index, recorded,
              least, most);
}

static void check_came(const struct hook_resend *r, const struct hook_resend *end)
{
    unsigned due = 0;
    for (const struct hook_resend *at = r; at < end; at++)
        if (same(at, r))
            due += promised(at);
    if (promised(r) > 0 && r->takes < due)
        wrong(r->e->side->world, 0,
              "event %lld was promised again %u times to %sendpoint %u, and taken %u times since",
              (long long)r->event, due, r->e->mover != NULL ? "moved " : "", r->e->index, r->takes);
}

void check_resends(struct hook_side *side, const struct journal *j)
{
    size_t count;
    const struct hook_resend *all = hook_resends_all(side->resends, &count);
    for (size_t i = 0; i < count; i++) {
        bool first = true;
        for (size_t k = 0; k < i; k++)
            first = first && !same(&all[k], &all[i]);
        if (first)
            check_recorded(&all[i], &all[count], j);
        if (!gets_nothing(all[i].e))
            check_came(&all[i], &all[count]);
        world_tally(side->world, "webhooks: resend to %s %s",
                    all[i].e->mover != NULL ? "one that moves" : "one that stays",
                    promised(&all[i]) > 0 ? "promised" : "not answered");
    }
}
