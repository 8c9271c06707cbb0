/* card_side.c - the card host's brain on the memory network: what simulators/shell does with
 * sockets, and the accidents of one run.
 *
 * Which kinds of accident a run has, and how often, is drawn once per run: runs with few kinds but
 * many of each find other things than runs with a little of everything. Wrong amounts are not among
 * them: they end with a person, by design.
 */
#include "sim.h"

#include "base/ensure.h"

#include <stdio.h>
#include <stdlib.h>

#define CARD_SIDE_MAGIC 0x43415244u
#define LINKS_MAX       64
#define KNOBS_BYTES     4096

struct side_link {
    struct card_side *side;
    struct conn *conn;
    uint64_t id;
};

struct card_side {
    uint32_t magic;
    struct world *world;
    struct card_host *host;
    struct listener *listener;
    struct timer pump;
    struct side_link *links[LINKS_MAX];
    uint64_t next_link;
    struct dice dice;
};

static int64_t now_us(const struct card_side *side)
{
    return loop_now_us(side->world->loop);
}

/* --- links -------------------------------------------------------------------------------------
 */

static struct side_link **place_of(struct card_side *side, uint64_t id)
{
    for (size_t i = 0; i < LINKS_MAX; i++)
        if (side->links[i] != NULL && side->links[i]->id == id)
            return &side->links[i];
    return NULL;
}

static void pump(struct card_side *side)
{
    struct card_action action;
    while (card_host_take(side->host, now_us(side), &action)) {
        struct side_link **place = place_of(side, action.link);
        if (place == NULL)
            continue; /* gone meanwhile */
        struct conn *conn = (*place)->conn;
        switch (action.kind) {
        case CARD_ACTION_SEND:
            if (conn_write(conn, action.bytes) == STATUS_FULL)
                conn_abort(conn);
            break;
        case CARD_ACTION_CLOSE: conn_close(conn); break;
        case CARD_ACTION_HALF_CLOSE: conn_half_close(conn); break;
        case CARD_ACTION_RESET: conn_abort(conn); break;
        }
    }
    int64_t next_us = card_host_next_us(side->host);
    if (next_us == INT64_MAX)
        timer_stop(&side->pump);
    else
        timer_start(&side->pump, next_us - now_us(side));
}

static void pump_later(struct timer *timer, void *arg)
{
    struct card_side *side = arg;
    (void)timer;
    ENSURE_MAGIC(side, CARD_SIDE_MAGIC);
    pump(side);
}

static void link_bytes(struct conn *conn, void *arg, struct view bytes)
{
    struct side_link *link = arg;
    (void)conn;
    ENSURE_MAGIC(link->side, CARD_SIDE_MAGIC);
    card_host_receive(link->side->host, link->id, bytes, now_us(link->side));
    pump(link->side);
}

static void link_closed(struct conn *conn, void *arg, enum status why)
{
    struct side_link *link = arg;
    struct card_side *side = link->side;
    (void)conn, (void)why;
    ENSURE_MAGIC(side, CARD_SIDE_MAGIC);
    card_host_link_closed(side->host, link->id);
    *place_of(side, link->id) = NULL;
    free(link);
}

static const struct conn_events link_events = { .bytes = link_bytes, .closed = link_closed };

static void accepted(struct listener *listener, void *arg, struct conn *conn)
{
    struct card_side *side = arg;
    (void)listener;
    ENSURE_MAGIC(side, CARD_SIDE_MAGIC);
    size_t place = 0;
    while (place < LINKS_MAX && side->links[place] != NULL)
        place++;
    uint64_t id = ++side->next_link;
    if (place == LINKS_MAX || card_host_link_open(side->host, id, now_us(side)) != STATUS_OK) {
        conn_abort(conn);
        return;
    }
    struct side_link *link = calloc(1, sizeof *link);
    ENSURE(link != NULL);
    *link = (struct side_link){ .side = side, .conn = conn, .id = id };
    side->links[place] = link;
    conn_set_events(conn, &link_events, link);
}

/* --- what it saw -------------------------------------------------------------------------------
 */

static void saw(void *arg, const struct card_sight *sight)
{
    struct card_side *side = arg;
    char text[256];
    struct writer w = writer_over(text, sizeof text);
    ENSURE_MAGIC(side, CARD_SIDE_MAGIC);
    writer_format(&w, "%d %llu %s %.*s %lld %.*s %x %s", (int)sight->what,
                  (unsigned long long)sight->link, sight->mti, (int)sight->stan.len,
                  (const char *)sight->stan.ptr, (long long)sight->amount_minor,
                  (int)sight->response.len, (const char *)sight->response.ptr, sight->faults,
                  sight->note);
    world_trace(side->world, "card", writer_done(&w));
    for (unsigned f = 1; f < 32; f++)
        if ((sight->faults >> f & 1u) != 0)
            world_faults(side->world, "card", card_fault_name((enum card_fault)f));
}

/* --- accidents ---------------------------------------------------------------------------------
 */

static void set_knobs(struct card_side *side, struct view json, enum card_knobs_mode mode)
{
    char text[256];
    struct writer why = writer_over(text, sizeof text);
    enum status status = card_host_set(side->host, json, mode, now_us(side), &why);
    if (status != STATUS_OK)
        fprintf(stderr, "knobs: %.*s: %.*s\n", (int)json.len, (const char *)json.ptr, (int)why.len,
                text);
    ENSURE(status == STATUS_OK);
    pump(side);
}

static void put_fault(struct json_out *j, struct dice *dice, const char *name, const char *mti,
                      int64_t per_million, int64_t ms)
{
    json_open_object(j, NULL);
    json_put_text(j, "fault", view_text(name));
    if (mti[0] != '\0')
        json_put_text(j, "mti", view_text(mti));
    json_put_i64(j, "per_million", per_million);
    json_put_i64(j, "next", -1);
    if (ms > 0)
        json_put_i64(j, "ms", ms);
    if (strcmp(name, "garble") == 0)
        json_put_i64(j, "bytes", dice_between(dice, 1, 4));
    if (strcmp(name, "code") == 0)
        json_put_text(j, "code", VIEW("91")); /* not now */
    json_close_object(j);
}

void card_side_trouble(struct card_side *side)
{
    static const char *const names[] = { "delay",
                                         "drop_before_booking",
                                         "drop_after_booking",
                                         "duplicate",
                                         "reorder",
                                         "garble",
                                         "truncate",
                                         "half_close",
                                         "reset",
                                         "reset_before_booking",
                                         "wrong_stan",
                                         "wrong_mac",
                                         "no_sign_on_answer",
                                         "code",
                                         "late",
                                         "late" };
    static const char *const mtis[] = { "", "", "01", "02", "022", "04", "08" };
    struct dice *dice = &side->dice;
    char room[KNOBS_BYTES];
    struct writer w = writer_over(room, sizeof room);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_open_object(&j, "settings");
    json_put_text(&j, "repeat_answer", dice_percent(dice, 50) ? VIEW("same") : VIEW("94"));
    json_put_text(&j, "key_scope", VIEW("link"));
    bool late = dice_percent(dice, 25) && !side->world->clock_jumps;
    json_put_text(&j, "late_original", late ? VIEW("book") : VIEW("refuse"));
    json_close_object(&j);
    json_open_array(&j, "faults");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (dice_percent(dice, 50))
            continue;
        int64_t ms = 0;
        if (strcmp(names[i], "delay") == 0)
            ms = dice_between(dice, 1, 14000);
        if (strcmp(names[i], "late") == 0)
            ms = dice_between(dice, 14500, 95000);
        const char *mti = mtis[dice_below(dice, COUNT_OF(mtis))];
        if (strcmp(names[i], "no_sign_on_answer") == 0)
            mti = "08";
        if (strcmp(names[i], "code") == 0 && strcmp(mti, "08") == 0)
            mti = "";
        put_fault(&j, dice, names[i], mti, dice_between(dice, 1000, 80000), ms);
    }
    json_close_array(&j);
    json_close_object(&j);
    ENSURE(!w.overflow);
    world_trace(side->world, "knobs", writer_done(&w));
    set_knobs(side, writer_done(&w), CARD_KNOBS_REPLACE);
}

void card_side_calm(struct card_side *side)
{
    set_knobs(side, VIEW("{\"faults\":[],\"down_ms\":0}"), CARD_KNOBS_REPLACE);
}

static void drop_links(struct card_side *side, enum card_drop how)
{
    card_host_drop_links(side->host, how, 0, now_us(side));
    world_fault(side->world, FAULT_RESTARTED, "card", 1);
}

void card_side_incident(struct card_side *side)
{
    char text[64];
    struct writer w = writer_over(text, sizeof text);
    switch (dice_below(&side->dice, 6)) {
    case 0:
        writer_format(&w, "{\"down_ms\":%lld}", (long long)dice_between(&side->dice, 100, 20000));
        set_knobs(side, writer_done(&w), CARD_KNOBS_ADD);
        world_fault(side->world, FAULT_DOWN, "card", 1);
        break;
    case 1: drop_links(side, CARD_DROP_CLOSE); break;
    case 2: drop_links(side, CARD_DROP_RESET); break;
    case 3: IGNORE_STATUS(card_host_send(side->host, VIEW("101"), 0, now_us(side))); break;
    case 4: IGNORE_STATUS(card_host_send(side->host, VIEW("301"), 0, now_us(side))); break;
    /* The two above are NOT_FOUND without a link: then there is nobody to send to. */
    default: break;
    }
    pump(side);
}

/* --- open, close -------------------------------------------------------------------------------
 */

enum status card_side_open(struct card_side **out, struct world *world)
{
    struct card_side *side = calloc(1, sizeof *side);
    *out = side;
    if (side == NULL)
        return STATUS_NO_MEMORY;
    side->magic = CARD_SIDE_MAGIC;
    side->world = world;
    side->dice.state = world->options->seed ^ 0xca4d;
    timer_init(&side->pump, world->loop, pump_later, side);
    struct card_config config = { .packaging = ISO_BCD,
                                  .framing = FRAMING_LEN2,
                                  .seed = world->options->seed,
                                  .wall_offset_us = loop_wall_us(world->loop) - now_us(side),
                                  .ledger_entries_max = 64 + world->options->payments * 64,
                                  .saw = saw,
                                  .saw_arg = side };
    side->host = card_host_open(&config);
    if (side->host == NULL)
        return STATUS_NO_MEMORY;
    struct endpoint at;
    struct listen_options listen = { .accept = accepted, .arg = side, .owner = side };
    TRY(endpoint_parse(VIEW("card:1"), &at));
    return listen_open(world->wire, &at, &listen, &side->listener);
}

/* After wire_close, which ended listener and links. */
void card_side_close(struct card_side *side)
{
    if (side == NULL)
        return;
    timer_stop(&side->pump);
    card_host_close(side->host);
    free(side);
}

struct card_host *card_side_host(struct card_side *side)
{
    return side->host;
}
