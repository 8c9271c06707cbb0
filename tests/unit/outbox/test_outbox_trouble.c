/* test_outbox_trouble.c - the n-th question that the outbox asks the store fails, and so do some
 * that follow, for n = 1, 2, 3, ... until a run meets no failure any more. In each run an endpoint
 * is there at the start with an event that waits, moves to another URL, and gets one more event:
 * both arrive, the second one at the new place only. Nothing is ever given up until the next start.
 *
 * And its commits fail for a while, after each answer of the receiver: the commit is repeated, and
 * not the POST; the pause that the receiver asked for is kept. Or they come late, behind the one by
 * which the endpoint moves: what the former receiver answered is not held against the new one.
 *
 * And memory is out when it reads whom an event is for, or that an endpoint has changed.
 */
#include "outbox/outbox.h"

#include "base/arena.h"
#include "base/ensure.h"
#include "domain/webhook.h"
#include "wire/memory.h"
#include "json/json_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define STORE_PATH   "memory:outbox_trouble"
#define IN_A_ROW     3
#define PATIENCE_US  (120 * LOOP_US_PER_S)
#define QUESTIONS    200 /* far more than a run asks */
#define ENDPOINT     7
#define MERCHANT     9
#define START_US     1700000000000000
#define FAILED_READS 8 /* under way at once */
#define COMMITS_FAIL 7 /* after each answer; their pauses are shorter than PAUSE_S together */
#define PAUSE_S      40

enum trouble { TROUBLE_BUSY = 1, TROUBLE_IO, TROUBLE_LATE };

/* --- a store that does not want to -------------------------------------------------------------
 */

static struct {
    struct loop *loop;
    enum trouble kind;
    unsigned asked, first, failures; /* failures: of those from the first on */
    struct failed_read {
        struct task task;
        struct store_read *read;
    } failed[FAILED_READS];
    unsigned commits_left, commits_failed; /* of the outbox: those to fail; those that did */
    struct task commit_task;
    struct store_txn *commit;
    unsigned starves, starved; /* readings of JSON that have no memory; those that had none */
    bool no_memory;            /* calloc gives none */
} trouble;

enum status __real_store_ask(struct store *store, struct store_read *read);
enum status __wrap_store_ask(struct store *store, struct store_read *read);

static void answer_broken(struct task *task)
{
    struct failed_read *failed = CONTAINER_OF(task, struct failed_read, task);
    struct store_read *read = failed->read;
    failed->read = NULL;
    read->result = STATUS_IO;
    read->done(read, read->arg);
}

enum status __wrap_store_ask(struct store *store, struct store_read *read)
{
    trouble.asked++;
    if (trouble.asked < trouble.first || trouble.asked >= trouble.first + IN_A_ROW)
        return __real_store_ask(store, read);
    trouble.failures++;
    if (trouble.kind == TROUBLE_BUSY)
        return STATUS_BUSY;
    for (size_t i = 0; i < FAILED_READS; i++) {
        if (trouble.failed[i].read != NULL)
            continue;
        trouble.failed[i] = (struct failed_read){ .task = { .run = answer_broken }, .read = read };
        loop_defer(trouble.loop, &trouble.failed[i].task);
        return STATUS_OK;
    }
    return STATUS_BUSY;
}

static void on_done(struct store_txn *txn, void *arg);
enum status __real_store_commit(struct store *store, struct store_txn *txn);
enum status __wrap_store_commit(struct store *store, struct store_txn *txn);

static void fail_commit(struct task *task)
{
    (void)task;
    struct store_txn *txn = trouble.commit;
    trouble.commit = NULL;
    txn->result = STORE_FAILED;
    txn->why = VIEW("the disk is full");
    txn->done(txn, txn->arg);
}

enum status __wrap_store_commit(struct store *store, struct store_txn *txn)
{
    if (trouble.commits_left == 0 || txn->done == on_done)
        return __real_store_commit(store, txn);
    trouble.commits_left--;
    trouble.commits_failed++;
    if (trouble.kind == TROUBLE_BUSY)
        return STATUS_BUSY;
    assert_null(trouble.commit);
    trouble.commit = txn;
    if (trouble.kind == TROUBLE_LATE)
        return STATUS_OK; /* until let_commit */
    trouble.commit_task.run = fail_commit;
    loop_defer(trouble.loop, &trouble.commit_task);
    return STATUS_OK;
}

enum status __real_json_read(struct view bytes, const struct json_limits *limits,
                             struct arena *arena, const struct json_node **root,
                             struct json_error *error);
enum status __wrap_json_read(struct view bytes, const struct json_limits *limits,
                             struct arena *arena, const struct json_node **root,
                             struct json_error *error);

enum status __wrap_json_read(struct view bytes, const struct json_limits *limits,
                             struct arena *arena, const struct json_node **root,
                             struct json_error *error)
{
    if (trouble.starves == 0)
        return __real_json_read(bytes, limits, arena, root, error);
    trouble.starves--;
    trouble.starved++;
    arena->overflow = arena->starved = true;
    return STATUS_NO_MEMORY;
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
    return trouble.no_memory ? NULL : __real_calloc(count, size);
}

static void let_commit(struct store *store)
{
    struct store_txn *txn = trouble.commit;
    trouble.commit = NULL;
    assert_int_equal(__real_store_commit(store, txn), STATUS_OK);
}

/* --- the world ---------------------------------------------------------------------------------
 */

struct world {
    struct loop *loop;
    struct wire *wire;
    struct store *store;
    struct store_keeper *keeper;
    struct secrets *secrets;
    struct settings settings;
    struct outbox *outbox;
    struct http_server *sink;
    struct log log;
    unsigned at_old, at_new; /* events that came, in order; a repeat does not count */
    bool moved, starved;     /* starved: there is no memory to hear of the move */
    unsigned posts, taken;
    int64_t posted_us;
    int owner;
};

static void on_request(struct http_request *request, void *arg)
{
    struct world *w = arg;
    struct view path = http_path(request), body = http_body(request);
    bool second = memmem(body.ptr, body.len, "\"n\":2", 5) != NULL;
    if (second) {
        assert_true(view_is(path, "/new"));
        assert_int_equal(w->at_old, 1);
        w->at_new = 1;
    } else {
        assert_true(view_is(path, "/old"));
        assert_false(w->moved);
        w->at_old = 1;
    }
    http_respond(request, 200, NULL, NULL, 0, VIEW_EMPTY);
}

struct step {
    bool done;
    const char *url; /* the endpoint moves there; NULL: it does not */
};

static void on_done(struct store_txn *txn, void *arg)
{
    struct step *step = arg;
    assert_int_equal(txn->result, STORE_COMMITTED);
    step->done = true;
}

static enum status move(struct store_txn *txn, void *arg)
{
    const struct step *step = arg;
    txn->endpoint.url = view_text(step->url);
    txn->write_endpoint = STORE_UPDATE;
    return STATUS_OK;
}

static void commit(struct world *w, struct store_txn *txn, const char *url)
{
    struct step step = { .url = url };
    txn->judge = url != NULL ? move : NULL;
    txn->done = on_done;
    txn->arg = &step;
    assert_int_equal(store_commit(w->store, txn), STATUS_OK);
    while (!step.done)
        assert_true(loop_step(w->loop, INT64_MAX));
    txn->arg = NULL;
}

static void put_endpoint(struct world *w, const char *url)
{
    static const uint8_t key[32] = { 7 };
    char context[48];
    uint8_t sealed[80];
    struct arena arena;
    struct writer s = writer_over(sealed, sizeof sealed);
    arena_init(&arena, (size_t)1 << 20);
    assert_int_equal(secret_seal(secret_find(w->secrets, "host.seal"),
                                 webhook_seal_context(ENDPOINT, context), view_of(key, 32), &s),
                     STATUS_OK);
    struct store_txn txn = { .arena = &arena,
                             .write_endpoint = STORE_INSERT,
                             .endpoint = { .id = ENDPOINT,
                                           .merchant = MERCHANT,
                                           .status = ENDPOINT_ENABLED,
                                           .kinds = VIEW("*"),
                                           .url = view_text(url),
                                           .secret = writer_done(&s) } };
    commit(w, &txn, NULL);
    arena_reset(&arena);
}

static void move_endpoint(struct world *w, const char *url)
{
    struct arena arena;
    arena_init(&arena, (size_t)1 << 20);
    struct store_txn txn = { .arena = &arena, .merchant = MERCHANT, .load_endpoint = ENDPOINT };
    commit(w, &txn, url);
    arena_reset(&arena);
    w->moved = true;
    trouble.no_memory = w->starved;
    outbox_endpoint_changed(w->outbox, ENDPOINT);
    trouble.no_memory = false;
}

static void put_event_of(struct world *w, const char *kind, const char *data)
{
    struct arena arena;
    arena_init(&arena, (size_t)1 << 20);
    struct store_txn txn = { .arena = &arena, .event_count = 1 };
    txn.events[0] = (struct event_row){ .time_us = loop_wall_us(w->loop),
                                        .merchant = MERCHANT,
                                        .kind = view_text(kind),
                                        .data_json = view_text(data) };
    commit(w, &txn, NULL);
    arena_reset(&arena);
}

static void put_event(struct world *w, const char *data)
{
    put_event_of(w, "payment.succeeded", data);
}

/* The store's trouble of this kind begins with question `first`. */
static void world_open(struct world *w, http_handler_fn *handler, enum trouble kind, unsigned first)
{
    static const uint8_t host_key[32] = { 1, 2, 3 };
    char text[512];
    struct writer why = writer_over(text, sizeof text);
    *w = (struct world){ .log = { .fd = -1, .level = LOG_ERROR },
                         .settings = { .webhooks_allow_http = true,
                                       .webhooks_allow_private = true,
                                       .webhooks_ca = "",
                                       .webhooks_connections = 8,
                                       .webhooks_timeout_us = 15 * LOOP_US_PER_S,
                                       .webhooks_first_retry_us = 5 * LOOP_US_PER_S,
                                       .webhooks_give_up_us = 86400 * LOOP_US_PER_S } };
    memset(&trouble, 0, sizeof trouble);
    trouble.kind = kind;
    trouble.first = first;
    trouble.loop = w->loop = loop_open_virtual(42, START_US);
    assert_int_equal(wire_open_memory(&w->wire, w->loop, NULL), STATUS_OK);
    assert_int_equal(store_keeper_open(&w->keeper, STORE_PATH), STATUS_OK);
    assert_int_equal(secrets_open(&w->secrets, w->loop), STATUS_OK);
    assert_int_equal(secret_set_host_key(w->secrets, view_of(host_key, 32)), STATUS_OK);
    struct store_options store = { .path = STORE_PATH, .log = &w->log };
    assert_int_equal(store_open(&w->store, w->loop, &store, &why), STATUS_OK);
    struct outbox_options options = { .loop = w->loop,
                                      .store = w->store,
                                      .wire = w->wire,
                                      .secrets = w->secrets,
                                      .settings = &w->settings,
                                      .log = &w->log,
                                      .owner = w };
    assert_int_equal(outbox_open(&w->outbox, &options, &why), STATUS_OK);
    struct http_server_options sink = { .handler = handler, .arg = w, .owner = &w->owner };
    assert_int_equal(endpoint_parse(VIEW("sink:80"), &sink.at), STATUS_OK);
    assert_int_equal(http_server_open(&w->sink, w->wire, w->loop, &sink), STATUS_OK);
}

static void world_close(struct world *w)
{
    outbox_stop(w->outbox);
    store_close(w->store);
    outbox_close(w->outbox);
    http_server_close(w->sink);
    wire_close(w->wire);
    secrets_close(w->secrets);
    store_keeper_close(w->keeper);
    loop_close(w->loop);
}

/* An endpoint, and an event that waits for it. */
static void start_with_old(struct world *w)
{
    put_endpoint(w, "http://sink/old");
    put_event(w, "{\"n\":1}");
    outbox_start(w->outbox);
}

static void until(struct world *w, const unsigned *came)
{
    int64_t until_us = loop_now_us(w->loop) + PATIENCE_US;
    while (*came == 0) {
        if (loop_now_us(w->loop) > until_us || !loop_step(w->loop, until_us + 1))
            fail_msg("question %u to %u failed: an event never came", trouble.first,
                     trouble.first + IN_A_ROW - 1);
    }
}

static void run(enum trouble kind, unsigned first)
{
    struct world world, *w = &world;
    world_open(w, on_request, kind, first);
    start_with_old(w);
    until(w, &w->at_old);
    move_endpoint(w, "http://sink/new");
    put_event(w, "{\"n\":2}");
    until(w, &w->at_new);
    world_close(w);
}

static void each_fails_once(enum trouble kind)
{
    unsigned first = 0;
    do {
        run(kind, ++first);
        assert_true(first < QUESTIONS);
    } while (trouble.failures > 0);
    assert_true(first > 4); /* ends, rows, pages, the row again */
}

static void test_busy(void **state)
{
    (void)state;
    each_fails_once(TROUBLE_BUSY);
}

static void test_broken(void **state)
{
    (void)state;
    each_fails_once(TROUBLE_IO);
}

static void calm(struct world *w)
{
    int64_t until_us = loop_now_us(w->loop) + LOOP_US_PER_S;
    while (loop_step(w->loop, until_us)) /* it waits for nothing any more */
        ;
}

static void test_a_change_without_memory(void **state)
{
    struct world world, *w = &world;
    (void)state;
    world_open(w, on_request, TROUBLE_IO, QUESTIONS);
    start_with_old(w);
    until(w, &w->at_old);
    calm(w);
    w->starved = true;
    move_endpoint(w, "http://sink/new");
    put_event(w, "{\"n\":2}");
    until(w, &w->at_new);
    world_close(w);
}

static void test_a_new_one_without_memory(void **state)
{
    struct world world, *w = &world;
    (void)state;
    world_open(w, on_request, TROUBLE_IO, QUESTIONS);
    outbox_start(w->outbox);
    calm(w);
    put_endpoint(w, "http://sink/old");
    trouble.no_memory = true;
    outbox_endpoint_changed(w->outbox, ENDPOINT);
    trouble.no_memory = false;
    put_event(w, "{\"n\":1}");
    until(w, &w->at_old);
    world_close(w);
}

/* --- commits that fail -------------------------------------------------------------------------
 */

/* The first event: 503 with a pause, then 200; the second: 200. */
static void on_counted(struct http_request *request, void *arg)
{
    struct world *w = arg;
    struct view body = http_body(request);
    const struct http_header pause = { VIEW("Retry-After"), VIEW("40") };
    bool second = memmem(body.ptr, body.len, "\"n\":2", 5) != NULL;
    bool refused = ++w->posts == 1;
    assert_int_equal(second, w->posts == 3);
    if (w->posts == 2)
        assert_true(loop_now_us(w->loop) - w->posted_us >= PAUSE_S * LOOP_US_PER_S);
    w->posted_us = loop_now_us(w->loop);
    w->taken = second;
    trouble.commits_left = COMMITS_FAIL;
    http_respond(request, refused ? 503 : 200, NULL, &pause, refused, VIEW_EMPTY);
}

static void only_the_commit_is_repeated(enum trouble kind)
{
    struct world world, *w = &world;
    world_open(w, on_counted, kind, QUESTIONS);
    start_with_old(w);
    until(w, &w->posts);
    put_event(w, "{\"n\":2}");
    until(w, &w->taken);
    assert_int_equal(trouble.commits_failed, 2 * COMMITS_FAIL);
    world_close(w);
}

static void test_only_the_commit_is_repeated(void **state)
{
    (void)state;
    only_the_commit_is_repeated(TROUBLE_BUSY);
    only_the_commit_is_repeated(TROUBLE_IO);
}

/* The old place says that it is gone, and nothing can be written. */
static void on_gone_at_old(struct http_request *request, void *arg)
{
    struct world *w = arg;
    bool old = view_is(http_path(request), "/old");
    w->at_old += old;
    w->at_new += !old;
    trouble.commits_left = old ? COMMITS_FAIL : 0;
    http_respond(request, old ? 410 : 200, NULL, NULL, 0, VIEW_EMPTY);
}

static void moved_while_the_commit_fails(enum trouble kind)
{
    struct world world, *w = &world;
    world_open(w, on_gone_at_old, kind, QUESTIONS);
    start_with_old(w);
    until(w, &trouble.commits_failed);
    move_endpoint(w, "http://sink/new");
    trouble.commits_left = 0;
    if (kind == TROUBLE_LATE)
        let_commit(w->store);
    until(w, &w->at_new);
    assert_int_equal(w->at_old, 1);
    world_close(w);
}

static void test_what_the_former_place_answered_is_not_the_new_ones(void **state)
{
    (void)state;
    moved_while_the_commit_fails(TROUBLE_IO);
}

/* The move is committed while the outbox still means to write down what the old place has said. */
static void test_what_is_written_behind_the_move_is_not_the_new_ones(void **state)
{
    (void)state;
    moved_while_the_commit_fails(TROUBLE_LATE);
}

/* --- whom it is for ---------------------------------------------------------------------------
 */

static void on_test(struct http_request *request, void *arg)
{
    struct world *w = arg;
    w->posts++;
    http_respond(request, 200, NULL, NULL, 0, VIEW_EMPTY);
}

static void test_an_event_that_cannot_be_read_is_read_again(void **state)
{
    struct world world, *w = &world;
    char id[ID_TEXT_MAX], data[64];
    (void)state;
    world_open(w, on_test, TROUBLE_IO, QUESTIONS);
    put_endpoint(w, "http://sink/old");
    id_format(ID_ENDPOINT, ENDPOINT, id);
    (void)snprintf(data, sizeof data, "{\"endpoint\":\"%s\"}", id);
    put_event_of(w, "webhook_endpoint.test", data);
    trouble.starves = IN_A_ROW;
    outbox_start(w->outbox);
    until(w, &w->posts);
    assert_int_equal(trouble.starved, IN_A_ROW);
    world_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_a_change_without_memory),
        cmocka_unit_test(test_a_new_one_without_memory),
        cmocka_unit_test(test_only_the_commit_is_repeated),
        cmocka_unit_test(test_what_the_former_place_answered_is_not_the_new_ones),
        cmocka_unit_test(test_what_is_written_behind_the_move_is_not_the_new_ones),
        cmocka_unit_test(test_an_event_that_cannot_be_read_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
