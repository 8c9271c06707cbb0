/* store_fixture.c - see store_fixture.h. */
#include "store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void make_folder(struct fixture *f)
{
    scratch_folder(f->folder, "store");
    snprintf(f->path, sizeof f->path, "%s/0.db", f->folder);
}

enum status fixture_try_reopen(struct fixture *f)
{
    struct writer why = writer_over(f->why, sizeof f->why - 1);
    f->options.path = f->path;
    enum status status = store_open(&f->store, f->loop, &f->options, &why);
    f->why[why.len] = '\0';
    return status;
}

void fixture_reopen(struct fixture *f)
{
    enum status status = fixture_try_reopen(f);
    if (status != STATUS_OK)
        print_error("%s: %s\n", status_name(status), f->why);
    assert_int_equal(status, STATUS_OK);
}

void fixture_open(struct fixture *f, const char *memory_name, const struct store_options *options)
{
    *f = (struct fixture){ 0 };
    if (options != NULL)
        f->options = *options;
    if (memory_name != NULL)
        snprintf(f->path, sizeof f->path, "memory:%s", memory_name);
    else
        make_folder(f);
    f->loop = loop_open_virtual(1, START_WALL_US);
    assert_non_null(f->loop);
    fixture_reopen(f);
}

void fixture_close_store(struct fixture *f)
{
    store_close(f->store);
    f->store = NULL;
}

void fixture_crash(struct fixture *f)
{
    store_crash(f->store);
    f->store = NULL;
}

void fixture_close(struct fixture *f)
{
    fixture_close_store(f);
    loop_close(f->loop);
    if (f->folder[0] == '\0')
        return;
    scratch_remove(f->folder);
}

static void copy_file(const char *from, const char *to)
{
    FILE *in = fopen(from, "rb");
    if (in == NULL)
        return; /* no log yet */
    FILE *out = fopen(to, "wb");
    assert_non_null(out);
    char buffer[65536];
    size_t len;
    while ((len = fread(buffer, 1, sizeof buffer, in)) > 0)
        assert_int_equal(fwrite(buffer, 1, len, out), len);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

void fixture_copy_files(struct fixture *f, struct store **old)
{
    char to[sizeof f->path], from_log[sizeof to + 4], to_log[sizeof to + 4];
    int number = atoi(strrchr(f->path, '/') + 1);
    snprintf(to, sizeof to, "%s/%d.db", f->folder, number + 1);
    snprintf(from_log, sizeof from_log, "%s-wal", f->path);
    snprintf(to_log, sizeof to_log, "%s-wal", to);
    copy_file(f->path, to);
    copy_file(from_log, to_log);
    memcpy(f->path, to, sizeof to);
    *old = f->store;
    f->store = NULL;
}

void fixture_settle(struct fixture *f)
{
    while (loop_step(f->loop, INT64_MAX)) {
    }
}

/* --- requests ---------------------------------------------------------------------------- */

static void on_txn(struct store_txn *txn, void *arg)
{
    (void)txn;
    struct request *r = CONTAINER_OF(txn, struct request, txn);
    (void)arg;
    assert_false(r->done);
    r->done = true;
}

void request_init(struct request *r, int64_t merchant)
{
    *r = (struct request){ 0 };
    arena_init(&r->arena, 1 << 20);
    r->txn.arena = &r->arena;
    r->txn.done = on_txn;
    r->txn.merchant = merchant;
}

void request_fini(struct request *r)
{
    arena_reset(&r->arena);
}

void request_submit(struct fixture *f, struct request *r)
{
    r->done = false;
    assert_int_equal(store_commit(f->store, &r->txn), STATUS_OK);
}

enum store_result request_run(struct fixture *f, struct request *r)
{
    request_submit(f, r);
    while (!r->done)
        assert_true(loop_step(f->loop, INT64_MAX));
    return r->txn.result;
}

void request_new_payment(struct request *r, int64_t merchant, int64_t id, int64_t amount)
{
    request_init(r, merchant);
    struct store_txn *t = &r->txn;
    t->payment = (struct payment_row){ .id = id,
                                       .merchant = merchant,
                                       .status = PAYMENT_PROCESSING,
                                       .capture = CAPTURE_MANUAL,
                                       .kind = PAYMENT_KIND_PURCHASE,
                                       .rail = RAIL_CARD,
                                       .currency = "EUR",
                                       .amount = amount,
                                       .created_us = START_WALL_US,
                                       .updated_us = START_WALL_US,
                                       .channel = VIEW("card_demo"),
                                       .facts_json = VIEW("{\"description\":\"tea\"}"),
                                       .refs = VIEW("\x00\x01\x00\x01n1") };
    t->operation = (struct operation_row){ .id = id + 1,
                                           .payment = id,
                                           .merchant = merchant,
                                           .kind = OPERATION_AUTHORISE,
                                           .status = OPERATION_STATUS_PENDING,
                                           .amount = amount,
                                           .created_us = START_WALL_US,
                                           .updated_us = START_WALL_US };
    t->attempt = (struct attempt_row){ .id = id + 2,
                                       .payment = id,
                                       .operation = id + 1,
                                       .merchant = merchant,
                                       .verb = OPERATION_AUTHORISE,
                                       .state = ATTEMPT_SENDING,
                                       .amount = amount,
                                       .currency = "EUR",
                                       .channel = VIEW("card_demo"),
                                       .trace = 123456,
                                       .time_us = START_WALL_US,
                                       .random = { 1, 2, 3, 255 },
                                       .created_us = START_WALL_US,
                                       .updated_us = START_WALL_US };
    t->write_payment = t->write_operation = t->write_attempt = STORE_INSERT;
    t->events[0] = (struct event_row){ .time_us = START_WALL_US,
                                       .merchant = merchant,
                                       .payment = id,
                                       .kind = VIEW("payment.created"),
                                       .data_json = VIEW("{}") };
    t->events[1] = t->events[0];
    t->events[1].kind = VIEW("attempt.sending");
    t->event_count = 2;
}

void request_key(struct request *r, const char *key, uint8_t mac)
{
    r->txn.idem_key = view_text(key);
    memset(r->txn.idem_mac, mac, sizeof r->txn.idem_mac);
}

void request_answer(struct request *r, uint32_t status, const char *body)
{
    r->txn.answer_status = status;
    r->txn.answer_body = view_text(body);
}

void pay(struct fixture *f, int64_t merchant, int64_t id, const char *key)
{
    struct request r;
    request_new_payment(&r, merchant, id, 1000);
    request_key(&r, key, 7);
    assert_int_equal(request_run(f, &r), STORE_COMMITTED);
    request_fini(&r);
}

enum store_result probe_key(struct fixture *f, int64_t merchant, const char *key, uint8_t mac,
                            int64_t *payment)
{
    struct request r;
    request_new_payment(&r, merchant, 999999000, 1);
    request_key(&r, key, mac);
    enum store_result result = request_run(f, &r);
    if (payment != NULL)
        *payment = r.txn.payment.id;
    request_fini(&r);
    return result;
}

/* --- questions --------------------------------------------------------------------------- */

static void on_read(struct store_read *read, void *arg)
{
    (void)arg;
    CONTAINER_OF(read, struct question, read)->done = true;
}

void question_init(struct question *q, enum store_question question)
{
    *q = (struct question){ 0 };
    arena_init(&q->arena, 4 << 20);
    q->read.question = question;
    q->read.arena = &q->arena;
    q->read.done = on_read;
}

void question_fini(struct question *q)
{
    arena_reset(&q->arena);
}

enum status question_run(struct fixture *f, struct question *q)
{
    q->done = false;
    assert_int_equal(store_ask(f->store, &q->read), STATUS_OK);
    while (!q->done)
        assert_true(loop_step(f->loop, INT64_MAX));
    return q->read.result;
}

int64_t journal_length(struct fixture *f)
{
    int64_t length = 0;
    bool more = true;
    while (more) {
        struct question q;
        question_init(&q, STORE_EVENTS);
        q.read.after = length;
        assert_int_equal(question_run(f, &q), STATUS_OK);
        for (size_t i = 0; i < q.read.count; i++)
            assert_int_equal(q.read.events[i].seq, ++length);
        more = q.read.more;
        question_fini(&q);
    }
    return length;
}

struct counter_wait {
    struct store_counter counter;
    bool done;
};

static void on_counter(struct store_counter *counter, void *arg)
{
    (void)arg;
    CONTAINER_OF(counter, struct counter_wait, counter)->done = true;
}

uint64_t take_counter(struct fixture *f, const char *name, uint64_t count)
{
    struct counter_wait w = { .counter = { .count = count, .done = on_counter } };
    snprintf(w.counter.name, sizeof w.counter.name, "%s", name);
    assert_int_equal(store_counter_take(f->store, &w.counter), STATUS_OK);
    while (!w.done)
        assert_true(loop_step(f->loop, INT64_MAX));
    assert_int_equal(w.counter.status, STATUS_OK);
    return w.counter.first;
}

bool payment_exists(struct fixture *f, int64_t id, struct payment_row *out)
{
    struct question q;
    question_init(&q, STORE_ONE_PAYMENT);
    q.read.payment = id;
    enum status status = question_run(f, &q);
    assert_true(status == STATUS_OK || status == STATUS_NOT_FOUND);
    if (status == STATUS_OK && out != NULL)
        *out = q.read.payments[0]; /* its texts die with the question */
    question_fini(&q);
    return status == STATUS_OK;
}
