/* world.c - one run: open everything, let it happen, wait until it is quiet, check, close.
 *
 *     trouble   stories begin one after the other; accidents of network, card host and gateway
 *     calm      no accidents any more; until every story has ended and no work is open
 *     late      two late windows longer, for answers that are still on their way
 *     replay    every request once more: the same answers
 *     check     check.c
 *     a week    days_later.c, in some runs
 *
 * A crash is gateway_crash at a random moment, or right behind a named step of a payment (which is
 * where it hurts), or in the middle of something that the disk does. Then the gateway opens again
 * on what the disk has kept.
 */
#include "sim.h"

#include "base/ensure.h"
#include "base/map.h"
#include "base/vault.h"

#include <railgate/adapter.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define START_WALL_US   1767225600000000LL /* 2026-01-01T00:00:00Z */
#define TROUBLE_MORE_US (900 * LOOP_US_PER_S)
#define CALM_MAX_US     (6 * 3600 * LOOP_US_PER_S)
#define LATE_US         (200 * LOOP_US_PER_S)
#define WRONGS_TOLD_MAX 12
#define WHY_BYTES       4096
#define START_WAIT_US   (10 * LOOP_US_PER_S)
#define START_DOUBLINGS 3

static const uint8_t host_key[32] = "the simulation's host key......";

static void life_ends(struct world *world, enum gateway_life how);
static void accident(struct timer *timer, void *arg);

/* --- dice, trace, wrongs -----------------------------------------------------------------------
 */

uint64_t dice_next(struct dice *dice)
{
    return card_random(&dice->state);
}

uint64_t dice_below(struct dice *dice, uint64_t limit)
{
    return dice_next(dice) % limit;
}

int64_t dice_between(struct dice *dice, int64_t low, int64_t high)
{
    return low + (int64_t)dice_below(dice, (uint64_t)(high - low) + 1);
}

bool dice_percent(struct dice *dice, unsigned percent)
{
    return dice_below(dice, 100) < percent;
}

void world_trace(struct world *world, const char *what, struct view bytes)
{
    uint64_t now_us = (uint64_t)loop_now_us(world->loop);
    world->trace = siphash(world->trace, now_us, view_text(what));
    world->trace = siphash(world->trace, now_us, bytes);
    if (world->options->verbose)
        printf("%10.6f %s %.*s\n", (double)(now_us - 1000000000) / 1e6, what, (int)bytes.len,
               (const char *)bytes.ptr);
}

void world_tally(struct world *world, const char *format, ...)
{
    char name[TALLY_NAME_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(name, sizeof name, format, args);
    va_end(args);
    tally_add(world->options->tally, name, 1);
}

void wrong(struct world *world, int64_t payment, const char *format, ...)
{
    char text[sizeof world->wrong_text];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (world->wrong_payment == 0 && payment != 0) {
        world->wrong_payment = payment;
        memcpy(world->wrong_text, text, sizeof text);
    }
    if (world->wrongs++ >= WRONGS_TOLD_MAX)
        return;
    char id[ID_TEXT_MAX];
    printf("%s  WRONG %s: %s\n", world->wrongs == 1 ? "\n" : "",
           payment != 0 ? id_format(ID_PAYMENT, payment, id) : "", text);
}

/* --- the gateway -------------------------------------------------------------------------------
 */

adapter_entry_fn rg_adapter_get_card, rg_adapter_get_qr, rg_adapter_get_bank, rg_adapter_get_cbdc;

/* By the last part of the path. */
static adapter_entry_fn *builtin(void *arg, const char *adapter)
{
    (void)arg;
    const char *slash = strrchr(adapter, '/');
    struct view name = view_text(slash != NULL ? slash + 1 : adapter);
    return view_is(name, "qr")     ? rg_adapter_get_qr
           : view_is(name, "bank") ? rg_adapter_get_bank
           : view_is(name, "cbdc") ? rg_adapter_get_cbdc
                                   : rg_adapter_get_card;
}

bool world_may_crash(const struct world *world)
{
    uint64_t lasted_us = (uint64_t)(loop_now_us(world->loop) - world->began_us);
    uint64_t begun = lasted_us / (uint64_t)world->story_every_us;
    if (begun > world->options->payments)
        begun = world->options->payments;
    return world->options->payments_per_crash == 0 || world->next_crash <= begun;
}

static void crash_budget(struct world *world)
{
    if (world->options->payments_per_crash > 0)
        world->next_crash += dice_below(&world->dice, 2 * world->options->payments_per_crash);
}

/* Called inside the gateway: it cannot crash here and now, but at the very next thing that happens.
 */
static void step(void *arg, const char *name)
{
    struct world *world = arg;
    ENSURE_MAGIC(world, WORLD_MAGIC);
    world_trace(world, "step", view_text(name));
    world_tally(world, "step %s", name);
    if (world->calm || world->aim_permille == 0 || timer_is_armed(&world->aimed) ||
        !world_may_crash(world) || dice_below(&world->dice, 1000) >= world->aim_permille)
        return;
    int64_t delay_us = dice_percent(&world->dice, 50) ? 0 : dice_between(&world->dice, 0, 5000);
    timer_start(&world->aimed, delay_us);
}

static void ready(void *arg, enum status status)
{
    struct world *world = arg;
    ENSURE_MAGIC(world, WORLD_MAGIC);
    world_trace(world, "ready", view_text(status_name(status)));
    if (status != STATUS_OK && disk_side_struck(world->disk)) {
        world_tally(world, "gateway could not recover");
        world->life = LIFE_DRAINING; /* `railgate serve` ends, and is started again */
        timer_start(&world->accident, 0);
    } else if (status != STATUS_OK)
        wrong(world, 0, "the gateway does not get ready: %s", status_text(status));
}

/* Trace numbers come in blocks of a thousand, and the next block is asked for when half of one is
 * used. Uses numbers up until just before, so that the sign-offs of a close have to ask. */
static void use_up_traces(struct world *world)
{
    struct channels *channels = gateway_channels(world->gateway);
    for (size_t i = 0; i < channels_count(channels); i++) {
        uint32_t trace = 0;
        for (int n = 0; n < 1200 && trace % 1000 != 499; n++)
            if (channel_trace(channels_at(channels, i), &trace) != STATUS_OK)
                break; /* BUSY: being asked for already */
    }
    world_pass(world, LOOP_US_PER_S);
}

/* With this plant a database may be beyond help. */
static bool not_synced(struct world *world)
{
    return world->options->plant == PLANT_NO_SYNC && world->planted;
}

/* Whoever looks after the process starts it again, and leaves it alone for longer each time. */
static void did_not_open(struct world *world, struct view why)
{
    world_trace(world, "did not open", why);
    world_tally(world, "gateway did not open");
    rules_side_sleeps(world->rules);
    if (not_synced(world))
        wrong(world, 0, "the gateway does not open: %.*s", (int)why.len, (const char *)why.ptr);
    timer_start(&world->accident, dice_between(&world->dice, LOOP_US_PER_S / 10,
                                               START_WAIT_US << world->starts_failed));
    if (world->starts_failed < START_DOUBLINGS)
        world->starts_failed++;
}

static void life_begins(struct world *world)
{
    char text[WHY_BYTES];
    struct writer why = writer_over(text, sizeof text);
    struct gateway_options options = { .settings = &world->settings,
                                       .loop = world->loop,
                                       .wire = world->wire,
                                       .log = &world->log,
                                       .builtin = builtin,
                                       .store_vfs = disk_side_vfs(world->disk),
                                       .host_key = host_key,
                                       .step = step,
                                       .step_arg = world };
    ENSURE(world->gateway == NULL);
    world_trace(world, "open", VIEW_EMPTY);
    rules_side_wakes(world->rules, &world->settings);
    disk_side_start(world->disk);
    enum status status = gateway_open(&world->gateway, &options, &why);
    if (status != STATUS_OK && (disk_side_struck(world->disk) || not_synced(world))) {
        did_not_open(world, writer_done(&why));
        return;
    }
    if (status != STATUS_OK || why.len > 0)
        wrong(world, 0, "the gateway does not open: %s: %.*s", status_text(status), (int)why.len,
              text);
    ENSURE(status == STATUS_OK);
    world->life = LIFE_UP;
    world->starts_failed = 0;
    gateway_start(world->gateway, ready, world);
}

static void life_ends(struct world *world, enum gateway_life how)
{
    struct gateway *gateway = world->gateway;
    timer_stop(&world->aimed);
    world->gateway = NULL;
    world->life = LIFE_DOWN;
    world_trace(world, how == LIFE_DOWN ? "crash" : "close", VIEW_EMPTY);
    world_fault(world,
                how != LIFE_DOWN         ? FAULT_CLOSED
                : gateway_ready(gateway) ? FAULT_CRASH
                                         : FAULT_CRASH_EARLY,
                "gateway", 1);
    if (how == LIFE_DOWN) {
        world->crashes++;
        if (store_pending(gateway_store(gateway)) > 0)
            world_fault(world, FAULT_UNFLUSHED, "gateway", 1);
        crash_budget(world);
        disk_side_crash(world->disk);
        gateway_crash(gateway);
    } else {
        world->restarts++;
        gateway_close(gateway);
        /* What it still had to say is cut off: the next gateway may lie at the same address, and a
         * crash of it would else hit, or not, what this one left behind. */
        wire_crash(world->wire, gateway);
        timer_stop(&world->aimed); /* when the power failed meanwhile */
    }
    rules_side_sleeps(world->rules);
    hook_side_sleeps(world->hooks);
    if (world->options->plant == PLANT_LOSE && world->crashes == 3) {
        disk_side_wipe(world->disk);
        world->planted = true;
    }
    clock_side_sleeps(world->clock);
    timer_start(&world->accident, dice_percent(&world->dice, 40)
                                      ? dice_between(&world->dice, 0, 2000)
                                      : dice_between(&world->dice, 2000, 6 * LOOP_US_PER_S));
}

/* --- accidents ---------------------------------------------------------------------------------
 */

static bool crashes_on(const struct world *world)
{
    return !world->clock_moves &&
           (world->options->faults == FAULTS_CRASH || world->options->faults == FAULTS_DISK ||
            world->options->faults == FAULTS_ALL);
}

static bool network_on(const struct world *world)
{
    return world->options->faults == FAULTS_NETWORK || world->options->faults == FAULTS_ALL;
}

static uint32_t some(struct dice *dice, uint32_t most)
{
    return dice_percent(dice, 50) ? 0 : (uint32_t)dice_below(dice, most);
}

static void network_trouble(struct world *world)
{
    struct dice *dice = &world->dice;
    struct memory_faults faults = { .delay_us_min = 50 };
    /* One by one: in an initialiser compilers throw the dice in different orders. */
    faults.delay_us_max = dice_between(dice, 100, 60000);
    faults.stall_per_million = some(dice, 8000);
    faults.stall_us = dice_between(dice, 10000, 30 * LOOP_US_PER_S);
    faults.reset_per_million = some(dice, 12000);
    faults.connect_refused_per_million = some(dice, 60000);
    faults.cut_per_million = some(dice, 300000);
    wire_memory_set_faults(world->wire, &faults);
}

static void network_calm(struct world *world)
{
    struct memory_faults faults = { .delay_us_min = 50, .delay_us_max = 2000 };
    wire_memory_set_faults(world->wire, &faults);
}

static void incident(struct world *world)
{
    struct http_side *sides[RAIL_CBDC + 1];
    size_t count = 0;
    for (unsigned rail = RAIL_QR; rail <= RAIL_CBDC; rail++)
        if (world->sides[rail] != NULL)
            sides[count++] = world->sides[rail];
    size_t which = world_has(world, RAIL_CARD) ? dice_below(&world->dice, count + 1)
                                               : dice_below(&world->dice, count);
    if (which == count)
        card_side_incident(world->card);
    else
        http_side_incident(sides[which]);
}

static void drained(void *arg)
{
    struct world *world = arg;
    ENSURE_MAGIC(world, WORLD_MAGIC);
    timer_start(&world->accident, 0); /* closes it */
}

static void accident_next(struct world *world)
{
    timer_start(&world->accident,
                dice_between(&world->dice, LOOP_US_PER_S / 10, 12 * LOOP_US_PER_S));
}

static void accident(struct timer *timer, void *arg)
{
    struct world *world = arg;
    (void)timer;
    ENSURE_MAGIC(world, WORLD_MAGIC);
    if (world->life == LIFE_DOWN) {
        life_begins(world);
        if (!world->calm && crashes_on(world) && world_may_crash(world) &&
            dice_percent(&world->dice, 20))
            timer_start(&world->aimed, dice_between(&world->dice, 0, 5000)); /* hardly awake */
    } else if (world->life == LIFE_DRAINING) {
        life_ends(world, LIFE_DRAINING);
        return;
    } else if (crashes_on(world) && world_may_crash(world) &&
               dice_percent(&world->dice, world->crash_percent)) {
        life_ends(world, LIFE_DOWN);
        return;
    } else if (crashes_on(world) && dice_percent(&world->dice, 8)) {
        world->life = LIFE_DRAINING;
        gateway_drain(world->gateway, dice_between(&world->dice, 0, 4 * LOOP_US_PER_S), drained,
                      world);
        return;
    } else if (network_on(world)) {
        if (dice_percent(&world->dice, 50))
            network_trouble(world);
        if (dice_percent(&world->dice, world->incident_percent))
            incident(world);
    }
    if (!world->calm)
        accident_next(world);
}

static void aimed(struct timer *timer, void *arg)
{
    struct world *world = arg;
    (void)timer;
    ENSURE_MAGIC(world, WORLD_MAGIC);
    if (world->life != LIFE_DOWN)
        life_ends(world, LIFE_DOWN);
}

static void trouble_begins(struct world *world)
{
    world->clock_moves = network_on(world) && clock_side_may_move(world->clock);
    world->clock_jumps = crashes_on(world) && dice_percent(&world->dice, 15);
    network_calm(world);
    rules_side_trouble(world->rules);
    if (network_on(world)) {
        network_trouble(world);
        hook_side_trouble(world->hooks);
        card_side_trouble(world->card);
        for (unsigned rail = RAIL_QR; rail <= RAIL_CBDC; rail++)
            if (world->sides[rail] != NULL)
                http_side_trouble(world->sides[rail]);
    }
    world->began_us = loop_now_us(world->loop);
    world->began_wall_us = loop_wall_us(world->loop);
    crash_budget(world);
    if (crashes_on(world)) {
        world->aim_permille = (unsigned)dice_below(&world->dice, 12);
        world->crash_percent = (unsigned)dice_below(&world->dice, 40);
    }
    if (crashes_on(world))
        disk_side_trouble(world->disk, world->options->faults != FAULTS_CRASH);
    world->incident_percent = (unsigned)dice_below(&world->dice, 60);
    clock_side_trouble(world->clock);
    if (world->options->faults != FAULTS_NONE)
        accident_next(world);
}

static void trouble_ends(struct world *world)
{
    world_trace(world, "calm", VIEW_EMPTY);
    world->calm = true;
    if (disk_side_powered(world->disk)) /* else the process ends: nothing it has open works */
        timer_stop(&world->aimed);
    clock_side_calm(world->clock);
    rules_side_calm(world->rules);
    hook_side_calm(world->hooks);
    disk_side_calm(world->disk);
    network_calm(world);
    card_side_calm(world->card);
    for (unsigned rail = RAIL_QR; rail <= RAIL_CBDC; rail++)
        if (world->sides[rail] != NULL)
            http_side_calm(world->sides[rail]);
    /* A gateway that is down, or about to be, comes up once more; else nothing is pending. */
    if (world->life == LIFE_UP)
        timer_stop(&world->accident);
}

/* --- time --------------------------------------------------------------------------------------
 */

void world_pass(struct world *world, int64_t us)
{
    int64_t until_us = loop_now_us(world->loop) + us;
    while (loop_step(world->loop, until_us)) {
    }
}

static bool stories_running(const struct world *world)
{
    if (world->stories_done < world->options->payments)
        return true;
    for (uint32_t i = 0; i < world->options->payments; i++)
        if (world->stories[i].running > 0 || world->stories[i].look.running)
            return true;
    return false;
}

static bool quiet(const struct world *world)
{
    return world->stories_done == world->options->payments && world->life == LIFE_UP &&
           gateway_ready(world->gateway) &&
           payments_working(gateway_payments(world->gateway)) == 0 &&
           store_pending(gateway_store(world->gateway)) == 0 && !stories_running(world) &&
           hook_side_quiet(world->hooks);
}

/* True when it became quiet within the time. */
static bool pass_until_quiet(struct world *world, int64_t most_us)
{
    int64_t until_us = loop_now_us(world->loop) + most_us;
    while (!quiet(world))
        if (!loop_step(world->loop, until_us))
            return false;
    return true;
}

static void read_done(struct store_read *read, void *arg)
{
    (void)read;
    *(bool *)arg = true;
}

enum status world_read(struct world *world, struct store_read *read)
{
    bool done = false;
    read->done = read_done;
    read->arg = &done;
    TRY(store_ask(gateway_store(world->gateway), read));
    while (!done)
        ENSURE(loop_step(world->loop, INT64_MAX));
    return read->result;
}

/* --- opening, closing --------------------------------------------------------------------------
 */

static void key_put(struct store_key_change *change, void *arg)
{
    (void)change;
    *(bool *)arg = true;
}

static void make_keys(struct world *world, struct store *store, struct secrets *secrets)
{
    struct id_source ids;
    id_source_init(&ids, store_last_id(store));
    for (size_t i = 0; i < MERCHANTS_COUNT; i++) {
        struct merchant *merchant = &world->merchants[i];
        bool done = false;
        struct store_key_change change = { .done = key_put, .arg = &done };
        merchant->id = id_next(&ids, loop_wall_us(world->loop));
        api_key_draw(world->loop, false, merchant->key);
        change.row = (struct key_row){ .id = id_next(&ids, loop_wall_us(world->loop)),
                                       .merchant = merchant->id,
                                       .scopes = SCOPE_ALL,
                                       .created_us = loop_wall_us(world->loop),
                                       .name = VIEW("simulation") };
        ENSURE(api_key_hash(secrets, view_text(merchant->key), change.row.hash) == STATUS_OK);
        ENSURE(store_key_put(store, &change) == STATUS_OK);
        while (!done)
            ENSURE(loop_step(world->loop, INT64_MAX));
        ENSURE(change.result == STATUS_OK);
    }
}

static void open_store_and_keys(struct world *world)
{
    char text[WHY_BYTES];
    struct writer why = writer_over(text, sizeof text);
    struct store *store;
    struct secrets *secrets;
    struct store_options options = { .path = world->settings.store_path,
                                     .vfs = disk_side_vfs(world->disk),
                                     .log = &world->log };
    ENSURE(secrets_open(&secrets, world->loop) == STATUS_OK);
    ENSURE(secret_set_host_key(secrets, view_of(host_key, sizeof host_key)) == STATUS_OK);
    enum status status = store_open(&store, world->loop, &options, &why);
    if (status != STATUS_OK)
        fprintf(stderr, "store: %s: %.*s\n", status_text(status), (int)why.len, text);
    ENSURE(status == STATUS_OK);
    make_keys(world, store, secrets);
    store_close(store);
    secrets_close(secrets);
}

static bool open_settings(struct world *world, const char *config)
{
    struct findings findings;
    char text[8192];
    struct writer w = writer_over(text, sizeof text);
    findings_init(&findings);
    enum status status = settings_load(config, &world->loaded, &findings);
    if (status != STATUS_OK) {
        findings_write(&w, &findings);
        fprintf(stderr, "%.*s", (int)w.len, text);
    }
    findings_clear(&findings);
    if (status != STATUS_OK)
        return false;
    world->settings = *world->loaded;
    world->settings.store_path = "railgate.db";
    world->channels = calloc(world->loaded->channels_count, sizeof *world->channels);
    ENSURE(world->channels != NULL);
    world->settings.channels = world->channels;
    world->settings.channels_count = 0;
    for (size_t i = 0; i < world->loaded->channels_count; i++)
        if (world_has(world, (enum rail)world->loaded->channels[i].rail))
            world->channels[world->settings.channels_count++] = world->loaded->channels[i];
    hook_settings(world);
    /* As many as there can be: room for all that a real gateway has would be taken, and cleared, at
     * every start. */
    world->settings.limit_payments_in_flight = 256 + (int64_t)world->options->payments;
    /* Some runs reach the gateway's own limits; what is refused there must be as if never asked. */
    if (world->options->faults != FAULTS_NONE && dice_percent(&world->dice, 20))
        world->settings.limit_payments_in_flight =
            dice_between(&world->dice, 3, 20) +
            (world->options->rails == 1u << RAIL_CARD ? 0 : world->options->payments / 2);
    if (world->options->faults != FAULTS_NONE && dice_percent(&world->dice, 20))
        world->settings.limit_requests_per_second_per_key = dice_between(&world->dice, 2, 20);
    return true;
}

static int64_t log_clock(void *loop)
{
    return loop_wall_us(loop);
}

static bool world_open(struct world *world, const struct sim_options *options, const char *config)
{
    *world = (struct world){ .magic = WORLD_MAGIC, .options = options, .life = LIFE_DOWN };
    world->vault_before = vault_in_use();
    world->dice.state = options->seed ^ 0x90a7;
    world->loop = loop_open_virtual(options->seed, START_WALL_US);
    ENSURE(world->loop != NULL);
    world->log = (struct log){ .fd = options->verbose ? STDOUT_FILENO : -1,
                               .level = LOG_DEBUG,
                               .wall_us = log_clock,
                               .clock = world->loop };
    ENSURE(rules_side_open(&world->rules, world) == STATUS_OK);
    ENSURE(clock_side_open(&world->clock, world) == STATUS_OK);
    if (!open_settings(world, config)) {
        clock_side_close(world->clock);
        rules_side_close(world->rules);
        loop_close(world->loop);
        return false;
    }
    struct memory_faults none = { 0 };
    ENSURE(wire_open_memory(&world->wire, world->loop, &none) == STATUS_OK);
    ENSURE(disk_side_open(&world->disk, world) == STATUS_OK);
    ENSURE(card_side_open(&world->card, world) == STATUS_OK);
    for (unsigned rail = RAIL_QR; rail <= RAIL_CBDC; rail++)
        if (world_has(world, (enum rail)rail))
            ENSURE(http_side_open(&world->sides[rail], world, (enum rail)rail) == STATUS_OK);
    open_store_and_keys(world);
    ENSURE(hook_side_open(&world->hooks, world) == STATUS_OK);
    timer_init(&world->accident, world->loop, accident, world);
    timer_init(&world->aimed, world->loop, aimed, world);
    world->stories = calloc(options->payments, sizeof *world->stories);
    ENSURE(world->stories != NULL);
    world->story_every_us = dice_percent(&world->dice, 25)
                                ? dice_between(&world->dice, 10, 1000)
                                : dice_between(&world->dice, 1000, 400 * LOOP_US_PER_MS);
    world->story_every_us = rules_side_every_us(world->rules, world->story_every_us);
    for (uint32_t i = 0; i < options->payments; i++)
        story_open(&world->stories[i], world, i, (int64_t)i * world->story_every_us);
    return true;
}

/* What is only known, or only counted, when all is over. */
static void tally_rest(struct world *world)
{
    for (uint32_t i = 0; i < world->options->payments; i++)
        if ((world->stories[i].excuses & EXCUSE_AMOUNT) != 0 && world->stories[i].payment != 0)
            world_fault(world, FAULT_WRONG_AMOUNT, rail_word(world->stories[i].rail), 1);
    struct memory_counts counts;
    wire_memory_counts(world->wire, &counts);
    world_fault(world, FAULT_DELAYED, "network", counts.stalled);
    world_fault(world, FAULT_TRUNCATED, "network", counts.truncated);
    world_fault(world, FAULT_RESET, "network", counts.reset);
    world_fault(world, FAULT_REFUSED, "network", counts.refused);
    world_fault(world, FAULT_GARBLED, "network", counts.flipped);
}

static void world_close(struct world *world)
{
    tally_rest(world);
    timer_stop(&world->accident);
    timer_stop(&world->aimed);
    rules_side_stop(world->rules);
    clock_side_stop(world->clock);
    hook_side_stop(world->hooks);
    for (uint32_t i = 0; i < world->options->payments; i++)
        story_close(&world->stories[i]);
    free(world->stories);
    if (world->gateway != NULL) {
        use_up_traces(world);
        gateway_close(world->gateway);
    }
    world_pass(world, 30 * LOOP_US_PER_S);
    for (unsigned rail = RAIL_QR; rail <= RAIL_CBDC; rail++)
        http_side_stop(world->sides[rail]);
    wire_close(world->wire);
    hook_side_close(world->hooks);
    card_side_close(world->card);
    for (unsigned rail = RAIL_QR; rail <= RAIL_CBDC; rail++)
        http_side_close(world->sides[rail]);
    rules_side_close(world->rules);
    clock_side_close(world->clock);
    free(world->channels);
    disk_side_close(world->disk);
    settings_free(world->loaded);
    loop_close(world->loop);
    size_t left = vault_in_use();
    if (left != world->vault_before)
        wrong(world, 0, "%lld bytes of vault memory were not given back",
              (long long)(left - world->vault_before));
}

/* --- a run -------------------------------------------------------------------------------------
 */

static void settle_down(struct world *world)
{
    int64_t trouble_us =
        (int64_t)world->options->payments * world->story_every_us + TROUBLE_MORE_US;
    /* In some runs it ends in the middle: then much is open, and has to end in its time. */
    if (dice_percent(&world->dice, 35))
        trouble_us = dice_between(&world->dice, 0,
                                  (int64_t)world->options->payments * world->story_every_us);
    (void)pass_until_quiet(world, trouble_us);
    trouble_ends(world);
    if (!pass_until_quiet(world, CALM_MAX_US))
        wrong(world, 0, "it does not get quiet: %zu of %u stories have ended, %zu works are open",
              world->stories_done, world->options->payments,
              world->gateway != NULL ? payments_working(gateway_payments(world->gateway)) : 0);
    world_pass(world, LATE_US);
}

void world_replay(struct world *world)
{
    for (uint32_t i = 0; i < world->options->payments; i++) {
        story_replay(&world->stories[i]);
        world_pass(world, 20 * LOOP_US_PER_MS);
    }
    if (!pass_until_quiet(world, CALM_MAX_US))
        wrong(world, 0, "not every repeat at the end was answered");
}

void world_crash(struct world *world, int64_t delay_us)
{
    world_pass(world, delay_us);
    if (world->life != LIFE_UP)
        return;
    life_ends(world, LIFE_DOWN);
    while (world->life != LIFE_UP || !gateway_ready(world->gateway))
        ENSURE(loop_step(world->loop, INT64_MAX));
}

static void add_sums(const struct world *world, struct sim_sums *sums)
{
    sums->seeds++;
    sums->payments += world->options->payments;
    sums->crashes += world->crashes;
    sums->restarts += world->restarts;
    sums->tries += world->tries;
    sums->answers += world->answers;
    sums->replays += world->replays;
    sums->events += world->events;
    sums->hooks_taken += world->hooks_taken;
    sums->conflicts += world->conflicts;
    sums->parked += world->parked;
    sums->excused += world->excused;
    sums->wrongs += world->wrongs;
    sums->virtual_us += world->virtual_us;
}

bool world_run(const struct sim_options *options, const char *config, uint64_t *trace)
{
    struct world *world = calloc(1, sizeof *world);
    ENSURE(world != NULL);
    if (!world_open(world, options, config)) {
        free(world);
        return false;
    }
    life_begins(world);
    trouble_begins(world);
    settle_down(world);
    world_replay(world);
    check_books(world);
    check_hooks(world);
    days_later(world);
    if (world->wrong_payment != 0)
        tell_payment(world, world->wrong_payment);
    *trace = world->trace;
    world->virtual_us = (uint64_t)(loop_now_us(world->loop) - world->began_us);
    world_close(world);
    add_sums(world, options->sums);
    printf("%016llx  crashes %llu restarts %llu tries %llu answers %llu repeats %llu events %llu "
           "conflicts %llu parked %llu excused %llu webhooks %llu\n",
           (unsigned long long)*trace, (unsigned long long)world->crashes,
           (unsigned long long)world->restarts, (unsigned long long)world->tries,
           (unsigned long long)world->answers, (unsigned long long)world->replays,
           (unsigned long long)world->events, (unsigned long long)world->conflicts,
           (unsigned long long)world->parked, (unsigned long long)world->excused,
           (unsigned long long)world->hooks_taken);
    bool good = world->wrongs == 0;
    free(world);
    return good;
}
