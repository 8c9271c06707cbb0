/* test_store_crash.c - real files, real processes: SIGKILL at any moment, a second process on the
 * same file, permissions, files that are not ours. */
#include "store_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#define LANES 8

/* --- a process that pays without end and tells, line by line, what was committed ----------- */

struct payer {
    struct loop *loop;
    struct store *store;
    int tell_fd;
    int64_t next_id;
    struct request lanes[LANES];
    char keys[LANES][32];
    int64_t payments_left;
};

static void payer_next(struct payer *p, size_t lane);

static void on_paid(struct store_txn *txn, void *arg)
{
    struct payer *p = arg;
    struct request *r = CONTAINER_OF(txn, struct request, txn);
    size_t lane = (size_t)(r - p->lanes);
    int64_t id = txn->result == STORE_COMMITTED ? txn->payment.id : -1;
    if (write(p->tell_fd, &id, sizeof id) != sizeof id)
        _exit(3);
    request_fini(r);
    if (p->payments_left-- > LANES)
        payer_next(p, lane);
    else if (p->payments_left == 0)
        loop_stop(p->loop);
}

/* Each payment adds one to three counters; so they tell how many there are. At a time that is no
 * past for the children's clock either: what is over is removed. */
#define SPEND_US (2 * START_WALL_US)
static const enum store_spend_kind kinds[] = { STORE_SPEND_SLIDING, STORE_SPEND_PERIOD,
                                               STORE_SPEND_SINCE_RESET };

static struct store_spend spend_of(enum store_spend_kind kind)
{
    return (struct store_spend){
        .kind = kind, .key = { 1 }, .window_us = 1000, .start_us = SPEND_US, .amount = 1
    };
}

static void spend(struct request *r)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        r->txn.spends[i] = spend_of(kinds[i]);
        r->txn.spends[i].write = true;
    }
    r->txn.spend_count = COUNT_OF(kinds);
    r->txn.spend_now_us = SPEND_US;
}

static void check_spent(struct fixture *f, int64_t count)
{
    struct store_spend spends[COUNT_OF(kinds)];
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        spends[i] = spend_of(kinds[i]);
    struct question q;
    question_init(&q, STORE_SPENT);
    q.read.spends = spends;
    q.read.spend_count = COUNT_OF(kinds);
    q.read.spend_now_us = SPEND_US;
    assert_int_equal(question_run(f, &q), STATUS_OK);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        assert_int_equal(spends[i].spent, count);
        assert_int_equal(spends[i].count, count);
    }
    question_fini(&q);
}

static void payer_next(struct payer *p, size_t lane)
{
    struct request *r = &p->lanes[lane];
    int64_t id = p->next_id;
    p->next_id += 10;
    request_new_payment(r, 5, id, 100);
    snprintf(p->keys[lane], sizeof p->keys[lane], "key-%lld", (long long)id);
    request_key(r, p->keys[lane], 7);
    spend(r);
    r->txn.done = on_paid;
    r->txn.arg = p;
    if (store_commit(p->store, &r->txn) != STATUS_OK)
        _exit(4);
}

/* Small bounds, so that indexing goes on all the time. Keys are kept for ever: the test's clock is
 * a virtual one, its children's the machine's. */
static const struct store_options small = { .recent_keys_max = 32,
                                            .batch_max = LANES,
                                            .idem_keep_us = INT64_MAX / 4 };

static void payer_run(const char *path, int tell_fd, int64_t first_id, int64_t payments)
{
    struct payer p = { .tell_fd = tell_fd, .next_id = first_id, .payments_left = payments };
    struct store_options options = small;
    options.path = path;
    char why[300];
    struct writer w = writer_over(why, sizeof why);
    p.loop = loop_open_real();
    if (p.loop == NULL || store_open(&p.store, p.loop, &options, &w) != STATUS_OK)
        _exit(5);
    for (size_t lane = 0; lane < LANES; lane++)
        payer_next(&p, lane);
    loop_run(p.loop);
    store_close(p.store);
    loop_close(p.loop);
}

static pid_t payer_start(const char *path, int64_t first_id, int64_t payments, int *tell_fd)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(fds[0]);
        payer_run(path, fds[1], first_id, payments);
        _exit(0);
    }
    (void)close(fds[1]);
    *tell_fd = fds[0];
    return pid;
}

static bool told(int fd, int64_t *id)
{
    ssize_t len = read(fd, id, sizeof *id);
    assert_true(len == 0 || len == sizeof *id);
    return len > 0;
}

static void what_was_told_survives_sigkill(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, &small);
    fixture_close_store(&f);
    int64_t first = 1000, committed = 0;
    for (int round = 0; round < 6; round++) {
        int fd;
        pid_t pid = payer_start(f.path, first, INT64_MAX, &fd);
        int64_t known[400], id;
        size_t count = 0, until = 40 + 55 * (size_t)round;
        while (count < until && told(fd, &known[count]))
            assert_true(known[count++] > 0);
        assert_int_equal(count, until);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        while (told(fd, &id)) /* told before the end, read after it */
            if (count < COUNT_OF(known))
                known[count++] = id;
        (void)close(fd);
        fixture_reopen(&f);
        for (size_t i = 0; i < count; i++) {
            char key[32];
            snprintf(key, sizeof key, "key-%lld", (long long)known[i]);
            int64_t payment;
            assert_int_equal(probe_key(&f, 5, key, 7, &payment), STORE_REPLAY);
            assert_int_equal(payment, known[i]);
            assert_true(payment_exists(&f, known[i], NULL));
        }
        /* More may be committed than was told, never less; and always whole. */
        int64_t payments = journal_length(&f) / 2;
        assert_true(payments >= committed + (int64_t)count);
        check_spent(&f, payments);
        committed = payments;
        first = store_last_id(f.store) / 10 * 10 + 10;
        fixture_close_store(&f);
    }
    fixture_reopen(&f);
    fixture_close(&f);
}

static void two_processes_write_to_one_file(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, &small);
    int fd_a, fd_b;
    pid_t a = payer_start(f.path, 1000000, 300, &fd_a);
    pid_t b = payer_start(f.path, 2000000, 300, &fd_b);
    int64_t id, count = 0;
    /* This one writes as well, in between. */
    for (int64_t i = 0; i < 20; i++) {
        char key[16];
        snprintf(key, sizeof key, "own-%d", (int)i);
        pay(&f, 5, 1000 + 10 * i, key);
        count++;
    }
    while (told(fd_a, &id)) {
        assert_true(id > 0);
        count++;
    }
    while (told(fd_b, &id)) {
        assert_true(id > 0);
        count++;
    }
    int status;
    assert_int_equal(waitpid(a, &status, 0), a);
    assert_int_equal(status, 0);
    assert_int_equal(waitpid(b, &status, 0), b);
    assert_int_equal(status, 0);
    (void)close(fd_a);
    (void)close(fd_b);
    assert_int_equal(count, 620);
    assert_int_equal(journal_length(&f), 2 * count);
    check_spent(&f, count - 20); /* the two others' */
    /* A key that another process wrote is known here, without opening anew. */
    assert_int_equal(probe_key(&f, 5, "key-2000000", 7, &id), STORE_REPLAY);
    assert_int_equal(id, 2000000);
    assert_int_equal(probe_key(&f, 5, "own-3", 7, &id), STORE_REPLAY);
    assert_int_equal(id, 1030);
    fixture_close(&f);
}

static int hold_lock(sqlite3 **db, const char *path)
{
    assert_int_equal(sqlite3_open(path, db), SQLITE_OK);
    return sqlite3_exec(*db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
}

struct waiting {
    struct loop *loop;
    sqlite3 *holder;
    struct timer let_go;
    bool released;
};

static void on_let_go(struct timer *timer, void *arg)
{
    (void)timer;
    struct waiting *w = arg;
    w->released = sqlite3_exec(w->holder, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
}

static void on_waited(struct store_txn *txn, void *arg)
{
    (void)txn;
    loop_stop(((struct waiting *)arg)->loop);
}

/* Longer than SQLite's own patience of a second: the store asks again. */
static void a_lock_that_is_held_for_long_is_waited_for(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, NULL);
    fixture_close_store(&f);
    struct waiting w = { .loop = loop_open_real() };
    assert_non_null(w.loop);
    char why[300];
    struct writer text = writer_over(why, sizeof why);
    struct store *store;
    assert_int_equal(store_open(&store, w.loop, &(struct store_options){ .path = f.path }, &text),
                     STATUS_OK);
    assert_int_equal(hold_lock(&w.holder, f.path), SQLITE_OK);
    timer_init(&w.let_go, w.loop, on_let_go, &w);
    timer_start(&w.let_go, 1300 * LOOP_US_PER_MS);
    struct request r;
    request_new_payment(&r, 5, 1000, 10);
    r.txn.done = on_waited;
    r.txn.arg = &w;
    assert_int_equal(store_commit(store, &r.txn), STATUS_OK);
    loop_run(w.loop);
    assert_true(w.released);
    assert_int_equal(r.txn.result, STORE_COMMITTED);
    request_fini(&r);
    assert_int_equal(sqlite3_close(w.holder), SQLITE_OK);
    store_close(store);
    loop_close(w.loop);
    fixture_reopen(&f);
    fixture_close(&f);
}

/* --- files -------------------------------------------------------------------------------- */

static void the_files_are_nobody_elses(void **state)
{
    (void)state;
    struct fixture f;
    mode_t before = umask(0);
    fixture_open(&f, NULL, NULL);
    pay(&f, 5, 1000, "k");
    umask(before);
    static const char *const endings[] = { "", "-wal", "-shm" };
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        char name[sizeof f.path + 4];
        struct stat s;
        snprintf(name, sizeof name, "%s%s", f.path, endings[i]);
        assert_int_equal(stat(name, &s), 0);
        assert_int_equal(s.st_mode & 0777, 0600);
    }
    fixture_close(&f);
}

static void alter(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void a_file_that_is_not_ours_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, NULL);
    pay(&f, 5, 1000, "k");
    pay(&f, 5, 2000, "l");
    fixture_close_store(&f);
    static const struct {
        const char *sql, *undo, *why;
        enum status status;
    } cases[] = {
        { "PRAGMA user_version = 99", "PRAGMA user_version = 6", "newer", STATUS_DENIED },
        { "PRAGMA application_id = 5", "PRAGMA application_id = 1919377780", "another program",
          STATUS_DENIED },
        { "UPDATE journal SET seq = 9 WHERE seq = 2", "UPDATE journal SET seq = 2 WHERE seq = 9",
          "gap", STATUS_MALFORMED },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        alter(f.path, cases[i].sql);
        assert_int_equal(fixture_try_reopen(&f), cases[i].status);
        assert_non_null(strstr(f.why, cases[i].why));
        assert_null(f.store);
        alter(f.path, cases[i].undo);
    }
    fixture_reopen(&f);
    fixture_close_store(&f);
    int fd = open(f.path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_int_equal(
        write(fd, "this is no database, this is a long text to be read in vain.....", 64), 64);
    (void)close(fd);
    assert_true(fixture_try_reopen(&f) != STATUS_OK);
    assert_true(f.why[0] != '\0');
    f.options.path = "/nonexistent-folder/x.db";
    char why[200];
    struct writer w = writer_over(why, sizeof why);
    assert_int_equal(store_open(&f.store, f.loop, &f.options, &w), STATUS_IO);
    assert_true(w.len > 0);
    fixture_close(&f);
}

/* Rows that cannot be what we wrote are an error, never a value of an enum. */
static void a_damaged_row_is_an_error(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, NULL);
    pay(&f, 5, 1000, "k");
    pay(&f, 5, 2000, "l");
    alter(f.path, "UPDATE payments SET status = 77 WHERE id = 1000;"
                  "UPDATE attempts SET trace = -1 WHERE id = 1002;");
    static const enum store_question questions[] = { STORE_ONE_PAYMENT, STORE_PAYMENTS,
                                                     STORE_ATTEMPTS };
    for (size_t i = 0; i < COUNT_OF(questions); i++) {
        struct question q;
        question_init(&q, questions[i]);
        q.read.payment = 1000;
        assert_int_equal(question_run(&f, &q), STATUS_IO);
        assert_int_equal(q.read.count, 0);
        question_fini(&q);
    }
    /* The one who loads it fails; the batch and the store go on. */
    struct request r;
    request_init(&r, 5);
    r.txn.load_payment = 1000;
    assert_int_equal(request_run(&f, &r), STORE_FAILED);
    request_fini(&r);
    assert_true(payment_exists(&f, 2000, NULL));
    pay(&f, 5, 3000, "m");
    fixture_close(&f);
}

static void reading_only_reads(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, NULL);
    pay(&f, 5, 1000, "k");
    struct store *server = f.store;
    for (int i = 0; i < 2; i++) { /* while the server runs, and when it does not */
        f.options.read_only = true;
        fixture_reopen(&f);
        assert_int_equal(store_last_id(f.store), 1002);
        assert_true(payment_exists(&f, 1000, NULL));
        assert_int_equal(journal_length(&f), 2);
        assert_int_equal(probe_key(&f, 5, "k", 7, NULL), STORE_FAILED);
        fixture_close_store(&f);
        if (i == 0)
            store_close(server);
    }
    f.options.read_only = false;
    fixture_reopen(&f);
    assert_int_equal(journal_length(&f), 2);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_told_survives_sigkill),
        cmocka_unit_test(two_processes_write_to_one_file),
        cmocka_unit_test(a_lock_that_is_held_for_long_is_waited_for),
        cmocka_unit_test(the_files_are_nobody_elses),
        cmocka_unit_test(a_file_that_is_not_ours_is_refused),
        cmocka_unit_test(a_damaged_row_is_an_error),
        cmocka_unit_test(reading_only_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
