/* rules_side.c - operators of the simulated gateway: profiles change while payments run, and what
 * waits for a review gets a word, or none.
 *
 * The profile's file is what a reload reads (the way of SIGHUP and of `railgate reload`). It is
 * written with a stricter, a looser or a broken text at random moments, sometimes while the gateway
 * is down, sometimes shortly before it crashes. A gateway does not start with a broken file: then
 * somebody puts the last good one back.
 *
 * Which text may have been in force when is kept as spans of the wall clock. Between the asking for
 * a reload and its answer both the old and the new one may be; a rollback names no text, so all may
 * be until the gateway says which.
 */
#include "sim.h"

#include "base/ensure.h"
#include "base/map.h"
#include "domain/time.h"

#include <stdio.h>
#include <stdlib.h>

#define RULES_SIDE_MAGIC   0x52554c45u
#define RULES_PERCENT      75 /* of runs */
#define REVIEWS_AT_ONCE    20
#define REVIEW_ARENA_BYTES ((size_t)4 * 1024 * 1024)

struct span {
    enum rules_text text;
    int64_t from_us, until_us; /* wall clock; INT64_MAX: still */
};

struct rules_side {
    uint32_t magic;
    struct world *world;
    const struct rulebook *book;
    struct dice dice;
    bool on;
    int64_t calm_us;            /* wall clock; 0: not yet */
    enum rules_text file, good; /* what lies in the file; what lay there last and can be used */
    unsigned puts;
    enum rules_text now;       /* in force */
    struct settings *settings; /* of this life */
    struct secrets *secrets;   /* the payers' devices, and the issuer */
    struct timer change, look;
    unsigned reload_percent; /* how often a change of the file is told */
    /* The reload under way. */
    bool asked, rollback;
    enum rules_text asked_for;
    int64_t asked_us;
    /* The look at what waits. */
    bool reading;
    struct map *approved; /* payments, by an operator */
    struct arena arena;
    struct store_read read;
    struct span *spans;
    size_t span_count, span_room;
};

static int64_t wall_us(const struct rules_side *side)
{
    return loop_wall_us(side->world->loop);
}

/* --- what is in force --------------------------------------------------------------------------
 */

static void may_be(struct rules_side *side, enum rules_text text, int64_t from_us, int64_t until_us)
{
    if (side->span_count == side->span_room) {
        side->span_room = side->span_room > 0 ? 2 * side->span_room : 64;
        side->spans = realloc(side->spans, side->span_room * sizeof *side->spans);
        ENSURE(side->spans != NULL);
    }
    side->spans[side->span_count++] = (struct span){ text, from_us, until_us };
}

/* The text in force until now is so no more. */
static void no_more(struct rules_side *side)
{
    for (size_t i = 0; i < side->span_count; i++)
        if (side->spans[i].until_us == INT64_MAX)
            side->spans[i].until_us = wall_us(side);
}

bool rules_side_in_force(const struct rules_side *side, enum rules_text text, int64_t at_us)
{
    for (size_t i = 0; i < side->span_count; i++) {
        const struct span *span = &side->spans[i];
        if (span->text == text && at_us >= span->from_us && at_us <= span->until_us)
            return true;
    }
    return false;
}

static enum rules_text in_force(const struct rules_side *side)
{
    const struct settings *settings = gateway_settings(side->world->gateway);
    const struct region_settings *region = settings_region(settings, VIEW("default"));
    return rulebook_by_version(side->book, view_text(region->version));
}

static bool is_good(enum rules_text text)
{
    return text < RULES_BROKEN_FORM;
}

/* --- reload ------------------------------------------------------------------------------------
 */

static void put(struct rules_side *side, enum rules_text text)
{
    rulebook_put(side->book, text, ++side->puts);
    side->file = text;
    if (is_good(text))
        side->good = text;
}

/* What may be in force between the asking and now. */
static void asked_until_now(struct rules_side *side)
{
    for (int i = RULES_NORMAL; i < RULES_BROKEN_FORM; i++)
        if (side->rollback || i == (int)side->asked_for)
            may_be(side, (enum rules_text)i, side->asked_us, wall_us(side));
}

static void asked_spans(struct rules_side *side)
{
    asked_until_now(side);
    side->asked = false;
}

static void reloaded(void *arg, int http_status, struct view body)
{
    struct rules_side *side = arg;
    struct world *world = side->world;
    ENSURE_MAGIC(side, RULES_SIDE_MAGIC);
    ENSURE(side->asked);
    bool good = side->rollback || is_good(side->asked_for);
    world_tally(world, "%s %s %d", side->rollback ? "rollback" : "reload", good ? "good" : "broken",
                http_status);
    world_fault(world, FAULT_RELOADED, side->rollback ? "rollback" : "reload", 1);
    if (world->gateway == NULL) /* it stops, and nothing is known of it */
        return;
    enum rules_text before = side->now;
    side->now = in_force(side);
    bool expected = http_status == 200   ? good
                    : http_status == 422 ? !good
                    : http_status == 503 ? side->rollback || disk_side_struck(world->disk)
                                         : side->rollback;
    if (!expected)
        wrong(world, 0, "a %s profile was answered %d %.*s", good ? "good" : "broken", http_status,
              (int)body.len, (const char *)body.ptr);
    if (http_status == 200 && !side->rollback && side->now != side->asked_for)
        wrong(world, 0, "reloaded, but text %d is in force and not %d", (int)side->now,
              (int)side->asked_for);
    if (http_status != 200 && side->now != before)
        wrong(world, 0, "nothing was reloaded, but text %d is in force and not %d", (int)side->now,
              (int)before);
    if (side->rollback && http_status == 200) /* it has written the file */
        side->file = side->good = side->now;
    if (http_status == 200) {
        asked_spans(side);
        no_more(side);
        may_be(side, side->now, side->asked_us, INT64_MAX);
    }
    side->asked = false;
}

void rules_side_hurts(struct world *world, struct dice *dice, unsigned percent, int64_t within_us)
{
    if (!world->calm && world->aim_permille > 0 && world_may_crash(world) &&
        dice_percent(dice, percent) && !timer_is_armed(&world->aimed))
        timer_start(&world->aimed, dice_between(dice, 0, within_us));
}

static enum rules_text some_text(struct rules_side *side, bool good_only)
{
    return (enum rules_text)dice_between(&side->dice, RULES_NORMAL,
                                         good_only ? RULES_LOOSE : RULES_BROKEN_ZONE);
}

static void ask_for_reload(struct rules_side *side)
{
    struct reload *reload = gateway_reload(side->world->gateway);
    side->asked = true;
    side->asked_us = wall_us(side);
    side->asked_for = side->file;
    side->rollback = dice_percent(&side->dice, 15);
    if (side->rollback)
        reload_rollback(reload, VIEW("default"),
                        dice_percent(&side->dice, 50) ? 0 : dice_between(&side->dice, 1, 4),
                        VIEW("somebody"), reloaded, side);
    else
        reload_ask(reload, reloaded, side);
}

static void change(struct timer *timer, void *arg)
{
    struct rules_side *side = arg;
    struct world *world = side->world;
    ENSURE_MAGIC(side, RULES_SIDE_MAGIC);
    if (!world->calm)
        timer_start(timer, dice_between(&side->dice, LOOP_US_PER_S / 2, 20 * LOOP_US_PER_S));
    if (side->asked || world->calm)
        return;
    bool up = world->gateway != NULL && world->life == LIFE_UP;
    put(side, some_text(side, !up));
    if (!up || !dice_percent(&side->dice, side->reload_percent))
        return; /* it counts from the next reload or start */
    ask_for_reload(side);
    rules_side_hurts(world, &side->dice, 20, 3000);
}

/* --- reviews -----------------------------------------------------------------------------------
 */

static void reviewed(void *arg, enum status status, struct view text)
{
    struct rules_side *side = arg;
    (void)text;
    ENSURE_MAGIC(side, RULES_SIDE_MAGIC);
    world_tally(side->world, "review answered %s", status_name(status));
}

/* The merchant may not have been told of the payment yet. */
static void allow(struct rules_side *side, const int64_t *payment)
{
    IGNORE_STATUS(map_put(side->approved, view_of(payment, sizeof *payment), side));
}

bool rules_side_approved(const struct rules_side *side, int64_t payment)
{
    return map_get(side->approved, view_of(&payment, sizeof payment)) != NULL;
}

static void review(struct rules_side *side, int64_t payment)
{
    unsigned throw = (unsigned)dice_below(&side->dice, 100);
    struct review review = { .payment = payment,
                             .word = throw < 22 ? REVIEW_APPROVE : REVIEW_REJECT,
                             .by = VIEW("somebody"),
                             .why = VIEW("has looked") };
    if (throw >= 30)
        return; /* not yet */
    if (review.word == REVIEW_APPROVE)
        allow(side, &payment);
    unsigned times = dice_percent(&side->dice, 15) ? 2 : 1; /* two of them at once */
    for (unsigned i = 0; i < times; i++)
        payments_review(gateway_payments(side->world->gateway), &review, reviewed, side);
    rules_side_hurts(side->world, &side->dice, 10, 6000);
}

static void waiting_read(struct store_read *read, void *arg)
{
    struct rules_side *side = arg;
    ENSURE_MAGIC(side, RULES_SIDE_MAGIC);
    side->reading = false;
    int64_t payments[REVIEWS_AT_ONCE];
    size_t count = read->result == STATUS_OK ? read->count : 0;
    for (size_t i = 0; i < count; i++)
        payments[i] = read->held[i].payment;
    arena_reset(&side->arena);
    for (size_t i = 0; i < count && side->world->gateway != NULL; i++)
        review(side, payments[i]);
}

static void look(struct timer *timer, void *arg)
{
    struct rules_side *side = arg;
    struct world *world = side->world;
    ENSURE_MAGIC(side, RULES_SIDE_MAGIC);
    timer_start(timer, dice_between(&side->dice, LOOP_US_PER_S, 15 * LOOP_US_PER_S));
    if (world->gateway == NULL || world->life != LIFE_UP || side->reading)
        return;
    side->read = (struct store_read){ .question = STORE_HELD,
                                      .arena = &side->arena,
                                      .held_kind = HELD_REVIEW,
                                      .limit = REVIEWS_AT_ONCE,
                                      .done = waiting_read,
                                      .arg = side };
    side->reading = store_ask(gateway_store(world->gateway), &side->read) == STATUS_OK;
}

/* --- payers' devices ---------------------------------------------------------------------------
 */

static const char issuer_seed[] =
    "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"; /* RFC 8032 test 3 */

static void open_devices(struct rules_side *side)
{
    struct world *world = side->world;
    char text[256];
    struct writer why = writer_over(text, sizeof text);
    const struct settings *settings = world->loaded;
    ENSURE(secrets_open(&side->secrets, world->loop) == STATUS_OK);
    for (size_t i = 0; i < settings->keys_count; i++)
        if (strcmp(settings->keys[i].name, settings->authentication_code_key) == 0)
            ENSURE(secret_put_hex(side->secrets, settings->keys[i].name, SECRET_HMAC_SHA256,
                                  view_text(settings->keys[i].test_value), &why) == STATUS_OK);
    ENSURE(secret_put_hex(side->secrets, "issuer", SECRET_SIGN_ED25519, view_text(issuer_seed),
                          &why) == STATUS_OK);
}

bool rules_side_code(struct rules_side *side, const struct authentication_of *of, int64_t at_us,
                     char out[AUTHENTICATION_CODE_DIGITS + 1])
{
    if (side->secrets == NULL)
        open_devices(side);
    return authentication_code(side->secrets, side->world->loaded, of, at_us, out) == STATUS_OK;
}

void rules_side_sign(struct rules_side *side, struct view bytes, uint8_t out[64])
{
    uint8_t signature[SECRET_SIGNATURE_MAX];
    size_t len = 0;
    if (side->secrets == NULL)
        open_devices(side);
    ENSURE(secret_sign(secret_find(side->secrets, "issuer"), bytes, signature, &len) == STATUS_OK);
    ENSURE(len == 64);
    memcpy(out, signature, 64);
}

/* --- a gateway's life --------------------------------------------------------------------------
 */

void rules_side_wakes(struct rules_side *side, struct settings *settings)
{
    struct findings findings;
    if (side->calm_us != 0)
        side->calm_us = wall_us(side);
    if (!side->on)
        return;
    if (!is_good(side->file))
        put(side, side->good);
    settings_free(side->settings);
    findings_init(&findings);
    ENSURE(settings_load(rulebook_folder(side->book), &side->settings, &findings) == STATUS_OK);
    findings_clear(&findings);
    settings->regions = side->settings->regions;
    settings->regions_count = side->settings->regions_count;
    side->now = side->file;
    may_be(side, side->now, wall_us(side), INT64_MAX);
}

void rules_side_sleeps(struct rules_side *side)
{
    if (!side->on)
        return;
    if (side->asked && side->rollback) { /* whether it has written its file, nobody knows */
        asked_spans(side);
        put(side, side->good);
    } else if (side->asked) {
        asked_spans(side);
    }
    no_more(side);
    side->reading = false;
    arena_reset(&side->arena);
}

void rules_side_jump(struct rules_side *side, int64_t by_us)
{
    bool up = side->on && side->world->gateway != NULL;
    if (side->asked)
        asked_until_now(side);
    if (up)
        no_more(side);
    loop_shift_wall(side->world->loop, by_us);
    side->asked_us = wall_us(side);
    if (up)
        may_be(side, side->now, wall_us(side), INT64_MAX);
}

void rules_side_trouble(struct rules_side *side)
{
    if (!side->on)
        return;
    side->reload_percent = (unsigned)dice_between(&side->dice, 20, 90);
    if (side->world->options->faults != FAULTS_NONE && dice_percent(&side->dice, 70))
        timer_start(&side->change, dice_between(&side->dice, 0, 20 * LOOP_US_PER_S));
    timer_start(&side->look, LOOP_US_PER_S);
}

void rules_side_calm(struct rules_side *side)
{
    timer_stop(&side->change);
    side->calm_us = wall_us(side);
}

int64_t rules_side_calm_us(const struct rules_side *side)
{
    return side->calm_us;
}

/* --- open, close -------------------------------------------------------------------------------
 */

/* Just before something begins: a year, a Monday, a month, a night's end (06:00), a night, all in
 * Sao Paulo; a day in Kolkata; noon there, where nothing does. */
static int64_t some_start(struct dice *dice, uint32_t payments)
{
    static const int64_t moments_s[] = { 1767225600, 1767236400, 1767582000, 1769914800,
                                         1767258000, 1767308400, 1767292200, 1767279600 };
    /* So that mostly some payments come before it, and some behind. */
    int64_t before_us = dice_between(dice, 0, (int64_t)payments * 150 * LOOP_US_PER_MS);
    int64_t moment_s = moments_s[dice_below(dice, COUNT_OF(moments_s))];
    return moment_s * LOOP_US_PER_S - before_us % (3600 * LOOP_US_PER_S);
}

enum status rules_side_open(struct rules_side **out, struct world *world)
{
    struct rules_side *side = *out = calloc(1, sizeof *side);
    if (side == NULL)
        return STATUS_NO_MEMORY;
    *side = (struct rules_side){ .magic = RULES_SIDE_MAGIC,
                                 .world = world,
                                 .book = world->options->rules,
                                 .dice = { world->options->seed ^ 0x2e9d },
                                 .file = RULES_PLAIN,
                                 .good = RULES_PLAIN,
                                 .now = RULES_PLAIN };
    side->on = dice_percent(&side->dice, RULES_PERCENT) && world->options->plant == PLANT_NOTHING;
    int64_t start_us = side->on ? some_start(&side->dice, world->options->payments) : wall_us(side);
    if (side->on)
        side->file = side->good =
            (enum rules_text)dice_between(&side->dice, RULES_NORMAL, RULES_LOOSE);
    rulebook_put(side->book, side->file, 0);
    timer_init(&side->change, world->loop, change, side);
    timer_init(&side->look, world->loop, look, side);
    arena_init(&side->arena, REVIEW_ARENA_BYTES);
    side->approved = map_open(world->options->payments + 16, 1);
    if (side->approved == NULL)
        return STATUS_NO_MEMORY;
    loop_shift_wall(world->loop, start_us - wall_us(side));
    return STATUS_OK;
}

void rules_side_stop(struct rules_side *side)
{
    timer_stop(&side->change);
    timer_stop(&side->look);
}

void rules_side_close(struct rules_side *side)
{
    if (side == NULL)
        return;
    rules_side_stop(side);
    map_close(side->approved);
    secrets_close(side->secrets);
    settings_free(side->settings);
    arena_reset(&side->arena);
    free(side->spans);
    side->magic = 0;
    free(side);
}

int64_t rules_side_every_us(struct rules_side *side, int64_t every_us)
{
    struct dice dice = { side->world->options->seed ^ 0x51de }; /* moves nothing else */
    return side->on && dice_percent(&dice, 12)
               ? dice_between(&dice, LOOP_US_PER_S, 3 * LOOP_US_PER_S)
               : every_us;
}

bool rules_side_on(const struct rules_side *side)
{
    return side->on;
}

enum rules_text rules_side_now(const struct rules_side *side)
{
    return side->now;
}
