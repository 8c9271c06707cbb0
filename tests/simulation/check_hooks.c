/* check_hooks.c - when all is quiet: what receivers of webhooks got, against the journal.
 *
 *     Each endpoint has an order: the merchant's events from when it was made, those of its kinds,
 *     tests and resends that name it. Every one of them was taken (answered with a whole 2xx) at
 *     least as often as it stands there; none arrived for the first time before the one in front of
 *     it was taken; nothing else came. The same id always has the same body, which is what GET
 *     /v1/events shows. Every signature fits a secret that a merchant was told.
 *     An endpoint that is disabled has a part of it, from the front, and the journal says why.
 *     An endpoint to which nothing came, though something was due, is disabled, or its deliveries
 *     have failed for no longer than webhooks.give_up_after. Nobody is given up sooner, nor tried
 *     again sooner than the pauses say.
 *     GET /v1/events, page after page, is the merchant's part of the journal.
 *
 * Which events are whose is decided here anew, not by the gateway's code.
 */
#include "hooks.h"

#include "base/ensure.h"
#include "domain/webhook.h"
#include "json/json_read.h"

#include <stdio.h>
#include <stdlib.h>

static void read_data(struct line *line, struct view data)
{
    struct arena arena;
    const struct json_node *root = NULL;
    struct view text;
    if (strncmp(line->kind, "webhook_endpoint.", 17) != 0)
        return;
    arena_init(&arena, (size_t)1 << 20);
    if (json_read(data, NULL, &arena, &root, NULL) == STATUS_OK) {
        if (json_text(json_member(root, "endpoint"), &text) == STATUS_OK)
            IGNORE_STATUS(id_parse(ID_ENDPOINT, text, &line->names_endpoint));
        if (json_text(json_member(root, "event"), &text) == STATUS_OK)
            IGNORE_STATUS(id_parse(ID_EVENT, text, &line->names_event));
        line->gone =
            json_text(json_member(root, "reason"), &text) == STATUS_OK && view_is(text, "gone");
    }
    arena_reset(&arena);
}

static void journal_read(struct world *world, struct journal *j)
{
    struct arena arena;
    bool more = true;
    arena_init(&arena, (size_t)64 << 20);
    while (more) {
        arena_reset(&arena);
        struct store_read read = { .question = STORE_EVENTS,
                                   .arena = &arena,
                                   .after = j->count > 0 ? j->lines[j->count - 1].seq : 0,
                                   .limit = 500 };
        ENSURE(world_read(world, &read) == STATUS_OK);
        for (size_t i = 0; i < read.count; i++) {
            const struct event_row *row = &read.events[i];
            if (j->count == j->room) {
                j->room = j->room == 0 ? 1024 : 2 * j->room;
                j->lines = realloc(j->lines, j->room * sizeof *j->lines);
                ENSURE(j->lines != NULL);
            }
            struct line *line = &j->lines[j->count++];
            *line = (struct line){ .seq = row->seq,
                                   .merchant = row->merchant,
                                   .time_us = row->time_us };
            ENSURE(view_to_text(row->kind, line->kind, sizeof line->kind) == STATUS_OK);
            read_data(line, row->data_json);
        }
        more = read.more;
    }
    arena_reset(&arena);
}

/* --- GET /v1/events -----------------------------------------------------------------------------
 */

static struct line *next_of(struct journal *j, size_t *at, int64_t merchant)
{
    while (*at < j->count && j->lines[*at].merchant != merchant)
        ++*at;
    return *at < j->count ? &j->lines[(*at)++] : NULL;
}

/* One page; false: the last one, or it was wrong. */
static bool check_page(struct world *world, struct journal *j, size_t *at, int64_t merchant,
                       struct view text, char cursor[ID_TEXT_MAX])
{
    struct json_limits limits = { .bytes_max = (size_t)4 << 20,
                                  .nodes_max = 200000,
                                  .depth_max = 32 };
    struct arena arena;
    const struct json_node *root = NULL;
    struct view id, kind;
    bool more = false;
    arena_init(&arena, (size_t)64 << 20);
    if (json_read(text, &limits, &arena, &root, NULL) != STATUS_OK)
        wrong(world, 0, "GET /v1/events cannot be read");
    const struct json_node *data = json_member(root, "data");
    for (const struct json_node *item = data != NULL ? data->first : NULL; item != NULL;
         item = item->next) {
        int64_t seq = 0;
        struct line *line = next_of(j, at, merchant);
        if (line == NULL || json_text(json_member(item, "id"), &id) != STATUS_OK ||
            json_text(json_member(item, "kind"), &kind) != STATUS_OK ||
            id_parse(ID_EVENT, id, &seq) != STATUS_OK || seq != line->seq ||
            !view_is(kind, line->kind)) {
            wrong(world, 0, "GET /v1/events shows event %lld where the journal has %lld",
                  (long long)seq, line != NULL ? (long long)line->seq : 0LL);
            arena_reset(&arena);
            return false;
        }
        line->shown_hash = hook_hash(json_raw(item, text));
    }
    more = json_text(json_member(root, "next_cursor"), &id) == STATUS_OK &&
           view_to_text(id, cursor, ID_TEXT_MAX) == STATUS_OK;
    arena_reset(&arena);
    return more;
}

static void check_list(struct hook_side *side, struct journal *j, const struct merchant *merchant)
{
    char cursor[ID_TEXT_MAX] = "", path[128];
    size_t at = 0;
    bool more = true;
    while (more) {
        char *body;
        size_t len;
        (void)snprintf(path, sizeof path, "/v1/events?limit=100%s%s",
                       cursor[0] != '\0' ? "&cursor=" : "", cursor);
        if (!hook_get(side, merchant, path, &body, &len))
            return;
        more = check_page(side->world, j, &at, merchant->id, view_of(body, len), cursor);
        free(body);
    }
    if (next_of(j, &at, merchant->id) != NULL)
        wrong(side->world, 0, "GET /v1/events ends before the journal does");
}

/* --- endpoints ----------------------------------------------------------------------------------
 */

bool kind_wanted(const char *kinds, const char *kind)
{
    char list[256];
    (void)snprintf(list, sizeof list, "%s", kinds);
    for (char *rest = list, *one; (one = strsep(&rest, " ")) != NULL;) {
        size_t len = strlen(one);
        if (one[len - 1] == '*' ? strncmp(kind, one, len - 1) == 0 : strcmp(kind, one) == 0)
            return true;
    }
    return false;
}

/* The event that this line brings to the endpoint; 0: none. */
static int64_t brings(const struct journal *j, const struct hook_endpoint *e, int64_t id,
                      const struct line *line)
{
    if (line->merchant != e->merchant->id)
        return 0;
    if (strcmp(line->kind, "webhook_endpoint.test") == 0)
        return line->names_endpoint == id ? line->seq : 0;
    if (strcmp(line->kind, "webhook_endpoint.resend") != 0)
        return kind_wanted(e->kinds, line->kind) ? line->seq : 0;
    if (line->names_endpoint != id)
        return 0;
    for (size_t i = 0; i < j->count; i++)
        if (j->lines[i].seq == line->names_event)
            return j->lines[i].merchant == e->merchant->id ? line->names_event : 0;
    return 0;
}

struct due {
    int64_t seq;
    uint32_t times;
};

static size_t due_of(const struct journal *j, const struct hook_endpoint *e, int64_t id,
                     struct due *due)
{
    size_t count = 0;
    int64_t from = e->got_count > 0 ? e->got[0].seq : e->sure_from;
    if (from == 0) /* a dead one to which nothing came: it may have been made after all was over */
        return 0;
    for (size_t i = 0; i < j->count; i++) {
        if (j->lines[i].seq < from)
            continue;
        int64_t seq = brings(j, e, id, &j->lines[i]);
        size_t at = 0;
        while (at < count && seq != 0 && due[count - 1 - at].seq != seq)
            at++;
        if (seq != 0 && at < count)
            due[count - 1 - at].times++;
        else if (seq != 0)
            due[count++] = (struct due){ seq, 1 };
    }
    return count;
}

/* True when it is as it must be. */
static bool check_one(const struct hook_endpoint *e, const struct due *due,
                      const struct hook_got *got, const struct hook_got *before, bool enabled,
                      bool last)
{
    struct world *world = e->side->world;
    bool calm = world->options->faults == FAULTS_NONE;
    if (got->seq != due->seq)
        wrong(world, 0, "endpoint %u (%s) got event %lld where %lld was its turn", e->index,
              e->kinds, (long long)got->seq, (long long)due->seq);
    else if (got->taken < due->times && (enabled || !last))
        wrong(world, 0, "endpoint %u has taken event %lld %u times, it was due %u times", e->index,
              (long long)due->seq, got->taken, due->times);
    else if (calm && got->arrivals != due->times && !e->dead)
        wrong(world, 0, "endpoint %u got event %lld %u times though nothing went wrong", e->index,
              (long long)due->seq, got->arrivals);
    else if (before != NULL && (before->taken_turn == 0 || before->taken_turn > got->first_turn))
        wrong(world, 0, "endpoint %u got event %lld before it had taken the one in front of it",
              e->index, (long long)due->seq);
    else
        return true;
    return false;
}

static void check_bodies(const struct hook_endpoint *e, const struct journal *j)
{
    for (size_t i = 0; i < e->got_count; i++)
        for (size_t k = 0; k < j->count; k++)
            if (j->lines[k].seq == e->got[i].seq && j->lines[k].shown_hash != e->got[i].data_hash) {
                wrong(e->side->world, 0,
                      "endpoint %u got event %lld otherwise than GET /v1/events shows it", e->index,
                      (long long)e->got[i].seq);
                return;
            }
}

void check_signed_and_shown(struct hook_endpoint *e, const struct journal *j)
{
    check_signatures(e);
    check_bodies(e, j);
    for (size_t i = 0; i < e->got_count; i++)
        e->side->world->hooks_taken += e->got[i].taken;
}

/* Nothing came. What was there for it since it was made must still be tried, or be given up. */
static void check_unreached(const struct hook_endpoint *e, const struct journal *j, int64_t id,
                            const struct endpoint_row *row)
{
    struct world *world = e->side->world;
    int64_t pause_us = webhook_backoff_us(INT32_MAX, world->settings.webhooks_first_retry_us);
    int64_t failing_us = loop_wall_us(world->loop) - row->failing_since_us;
    const struct line *due = NULL;
    size_t count = 0;
    if (e->got_count > 0 || world_clock_wrong(world)) /* when it was made, the clock must tell */
        return;
    for (size_t i = j->count; i > 0; i--)
        if (j->lines[i - 1].time_us > row->created_us && brings(j, e, id, &j->lines[i - 1]) != 0) {
            due = &j->lines[i - 1];
            count++;
        }
    world_tally(world, "webhooks: nothing came, %s",
                count > 0 ? "and something was due" : "nor was due");
    if (count == 0 || row->status == ENDPOINT_DISABLED)
        return;
    if (row->cursor >= due->seq)
        wrong(world, 0, "endpoint %u has got nothing, and its cursor has passed %zu events for it",
              e->index, count);
    else if (row->failures == 0 || failing_us > world->settings.webhooks_give_up_us + 2 * pause_us)
        wrong(world, 0,
              "endpoint %u has got nothing of %zu events, has failed %lld times, "
              "and is not disabled",
              e->index, count, (long long)row->failures);
}

/* Of one that never takes anything: its failures are counted from its first try. */
static void check_pauses(const struct hook_endpoint *e, int64_t id)
{
    struct world *world = e->side->world;
    struct arena arena;
    arena_init(&arena, (size_t)1 << 20);
    struct store_read read = { .question = STORE_DELIVERIES, .arena = &arena, .endpoint = id };
    ENSURE(world_read(world, &read) == STATUS_OK);
    for (size_t i = 0; i + 1 < read.count; i++) {
        const struct delivery_row *a = &read.deliveries[i], *b = &read.deliveries[i + 1];
        const struct delivery_row *first = a->number < b->number ? a : b;
        int64_t waited_us = first == a ? b->at_us - a->at_us : a->at_us - b->at_us;
        int64_t least_us =
            webhook_backoff_us(first->number, world->settings.webhooks_first_retry_us) / 10 * 8;
        if (waited_us < least_us)
            wrong(world, 0, "endpoint %u was tried again after %lld ms, and not after %lld",
                  e->index, (long long)(waited_us / 1000), (long long)(least_us / 1000));
    }
    arena_reset(&arena);
}

static void check_disabled(const struct hook_endpoint *e, const struct journal *j, int64_t id,
                           const struct endpoint_row *row)
{
    struct world *world = e->side->world;
    size_t said = 0;
    for (size_t i = 0; i < j->count; i++) {
        const struct line *line = &j->lines[i];
        if (line->names_endpoint != id || strcmp(line->kind, "webhook_endpoint.disabled") != 0)
            continue;
        said++;
        if (line->gone && !e->said_gone)
            wrong(world, 0, "endpoint %u was disabled as gone, and never said so", e->index);
        int64_t failed_us = line->time_us - row->failing_since_us;
        if (e->dead && !world_clock_wrong(world) && failed_us < world->settings.webhooks_give_up_us)
            wrong(world, 0, "endpoint %u was disabled after %lld s", e->index,
                  (long long)(failed_us / LOOP_US_PER_S));
    }
    if (row->status == ENDPOINT_DISABLED && said == 0)
        wrong(world, 0, "endpoint %u is disabled, and the journal does not say so", e->index);
    if (row->status == ENDPOINT_DISABLED && !e->dead)
        wrong(world, 0, "endpoint %u is disabled though it answers", e->index);
    if (row->status == ENDPOINT_ENABLED && e->dead && e->got_count > 0) /* else: check_unreached */
        wrong(world, 0, "endpoint %u never takes anything, and is not disabled", e->index);
}

static void check_endpoint(struct hook_endpoint *e, const struct journal *j, struct due *due)
{
    struct world *world = e->side->world;
    struct arena arena;
    int64_t id = 0;
    arena_init(&arena, (size_t)1 << 20);
    ENSURE(id_parse(ID_ENDPOINT, view_text(e->id), &id) == STATUS_OK);
    struct store_read read = { .question = STORE_ENDPOINTS, .arena = &arena, .endpoint = id };
    if (world_read(world, &read) != STATUS_OK || read.count != 1) {
        wrong(world, 0, "endpoint %u is not there any more", e->index);
        arena_reset(&arena);
        return;
    }
    const struct endpoint_row *row = &read.endpoints[0];
    bool enabled = row->status == ENDPOINT_ENABLED;
    check_disabled(e, j, id, row);
    check_unreached(e, j, id, row);
    if (e->dead && !world_clock_wrong(world))
        check_pauses(e, id);
    size_t count = due_of(j, e, id, due);
    if (!e->dead && e->sure_from != 0 && (count == 0 || due[0].seq > e->sure_from))
        wrong(world, 0, "endpoint %u misses what came after it was made", e->index);
    for (size_t i = 0; i < e->got_count && i < count; i++)
        if (!check_one(e, &due[i], &e->got[i], i > 0 ? &e->got[i - 1] : NULL, enabled,
                       i + 1 == e->got_count))
            break;
    if (e->got_count > count || (enabled && e->got_count < count))
        wrong(world, 0, "endpoint %u (%s) got %zu events, %zu were due", e->index, e->kinds,
              e->got_count, count);
    if (enabled && count > 0)
        for (size_t i = 0; i < j->count; i++)
            if (j->lines[i].seq > row->cursor && brings(j, e, id, &j->lines[i]) != 0) {
                wrong(world, 0, "the cursor of endpoint %u stands at %lld, before event %lld",
                      e->index, (long long)row->cursor, (long long)j->lines[i].seq);
                break;
            }
    if (e->dead)
        world_tally(world, "webhooks: a receiver that %s",
                    e->nobody ? "is not there" : "only fails");
    check_signed_and_shown(e, j);
    arena_reset(&arena);
}

void check_hooks(struct world *world)
{
    struct hook_side *side = world->hooks;
    struct journal j = { 0 };
    if (side->count == 0 && hook_moves_count(side->moves) == 0 &&
        hook_reads_count(side->reads) == 0)
        return;
    journal_read(world, &j);
    struct due *due = calloc(j.count + 1, sizeof *due);
    ENSURE(due != NULL);
    for (size_t i = 0; i < MERCHANTS_COUNT; i++)
        check_list(side, &j, &world->merchants[i]);
    for (size_t i = 0; i < side->count; i++)
        if (side->endpoints[i].made)
            check_endpoint(&side->endpoints[i], &j, due);
        else
            wrong(world, 0, "endpoint %zu could not be made", i);
    check_moves(side, &j);
    check_resends(side, &j);
    check_reads(side->reads, &j);
    free(due);
    free(j.lines);
}
