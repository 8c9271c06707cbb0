/* store_commit.c - how many payments a second the store makes durable, and at what cost.
 *
 *     bench_store_commit FILE [seconds]
 *
 * A payment is two commits, as in the gateway: `record` (payment, operation, attempt, idempotency
 * key, three events) and `settle` (load the three, judge, update them, answer, two events). A fixed
 * number of payments is in flight; each begins anew when it is settled, so the batch size follows
 * from it. FILE is made anew for each size, on the disk that is to be measured, and left behind.
 *
 * Each size runs twice: without counters, and with three that `record` spends as limits do (two of
 * a calendar period, one over a sliding window), of one of 10,000 subjects each time.
 */
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define WALL_US       1700000000000000LL
#define IN_FLIGHT_MAX 512
#define SUBJECTS      10000
#define DAY_US        (24LL * 3600 * 1000000)

enum spending { SPEND_NOTHING = 1, SPEND_LIMITS };

struct bench;

struct lane {
    struct bench *bench;
    struct arena arena;
    struct store_txn txn;
    int64_t id, start_us;
    char key[40];
};

struct bench {
    struct loop *loop;
    struct store *store;
    enum spending spending;
    int64_t next_id, end_us;
    uint64_t settled, wait_us_total, wait_us_max;
    size_t running;
    struct lane lanes[IN_FLIGHT_MAX];
};

static const char facts[] =
    "{\"description\":\"two coffees and a croissant\",\"reference\":\"order-1234567890\","
    "\"method\":{\"type\":\"card\",\"brand\":\"demo\",\"last4\":\"4242\",\"entry\":\"chip\"},"
    "\"metadata\":{\"basket\":\"b-998877\",\"till\":\"12\"},\"region\":\"eu\",\"decision\":"
    "{\"verdict\":\"allow\",\"profile\":\"default@1\"}}";
static const char answer[] =
    "{\"id\":\"pay_01k3v9xxxxxxx\",\"status\":\"succeeded\",\"amount\":1250,\"currency\":\"EUR\","
    "\"description\":\"two coffees and a croissant\",\"reference\":\"order-1234567890\","
    "\"method\":{\"type\":\"card\",\"brand\":\"demo\",\"last4\":\"4242\",\"entry\":\"chip\"},"
    "\"outcome\":{\"result\":\"approved\",\"code\":\"00\",\"approval\":\"A12345\"},"
    "\"created\":\"2026-11-22T13:00:00.123Z\",\"updated\":\"2026-11-22T13:00:00.129Z\"}";
static const char refs[] = "\0\004\0\006stan123456\0\003\0\014rrn012345678901\0\003\0\006apr123456";

static void fail(const char *what)
{
    fprintf(stderr, "bench_store_commit: %s\n", what);
    exit(1);
}

static void record(struct lane *lane);

static struct event_row event_of(const struct lane *lane, const char *kind)
{
    return (struct event_row){ .time_us = WALL_US,
                               .merchant = 1 + lane->id % 20,
                               .payment = lane->id,
                               .kind = view_text(kind),
                               .data_json = VIEW("{\"amount\":1250,\"channel\":\"card_demo\"}") };
}

static void on_settled(struct store_txn *txn, void *arg)
{
    struct lane *lane = arg;
    struct bench *b = lane->bench;
    if (txn->result != STORE_COMMITTED)
        fail("a settlement was not committed");
    int64_t now_us = loop_now_us(b->loop);
    uint64_t wait_us = (uint64_t)(now_us - lane->start_us);
    b->settled++;
    b->wait_us_total += wait_us;
    if (wait_us > b->wait_us_max)
        b->wait_us_max = wait_us;
    arena_reset(&lane->arena);
    if (now_us < b->end_us)
        record(lane);
    else if (--b->running == 0)
        loop_stop(b->loop);
}

static enum status settle_judge(struct store_txn *txn, void *arg)
{
    struct lane *lane = arg;
    txn->payment.status = PAYMENT_SUCCEEDED;
    txn->payment.authorized = txn->payment.captured = txn->payment.amount;
    txn->payment.outcome_json = VIEW("{\"result\":\"approved\",\"code\":\"00\"}");
    txn->payment.refs = view_of(refs, sizeof refs - 1);
    txn->operation.status = OPERATION_STATUS_SUCCEEDED;
    txn->operation.outcome_json = txn->payment.outcome_json;
    txn->attempt.state = ATTEMPT_APPROVED;
    txn->attempt.refs = txn->payment.refs;
    txn->attempt.outcome_json = txn->payment.outcome_json;
    txn->write_payment = txn->write_operation = txn->write_attempt = STORE_UPDATE;
    txn->events[0] = event_of(lane, "attempt.approved");
    txn->events[1] = event_of(lane, "payment.succeeded");
    txn->event_count = 2;
    return STATUS_OK;
}

static void on_recorded(struct store_txn *txn, void *arg)
{
    struct lane *lane = arg;
    if (txn->result != STORE_COMMITTED)
        fail("a record was not committed");
    struct view key = txn->idem_key;
    *txn = (struct store_txn){ .arena = &lane->arena,
                               .arg = lane,
                               .merchant = 1 + lane->id % 20,
                               .idem_key = key,
                               .idem_answer_only = true,
                               .load_payment = lane->id,
                               .load_operation = lane->id + 1,
                               .load_attempt = lane->id + 2,
                               .judge = settle_judge,
                               .done = on_settled,
                               .answer_status = 201,
                               .answer_body = view_of(answer, sizeof answer - 1) };
    if (store_commit(lane->bench->store, txn) != STATUS_OK)
        fail("the store is busy");
}

static enum status record_judge(struct store_txn *txn, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < txn->spend_count; i++) {
        struct store_spend *spend = &txn->spends[i];
        if (spend->too_many || spend->spent > INT64_MAX - spend->amount)
            return STATUS_REFUSED;
        spend->write = true;
    }
    return STATUS_OK;
}

/* Keys as keyed hashes are: the number of the subject, spread over all pages by a mixing step. */
static void spend_limits(struct store_txn *t, uint64_t random)
{
    static const enum store_spend_kind kinds[] = { STORE_SPEND_PERIOD, STORE_SPEND_PERIOD,
                                                   STORE_SPEND_SLIDING };
    for (uint64_t i = 0; i < 3; i++) {
        struct store_spend *spend = &t->spends[i];
        *spend = (struct store_spend){ .kind = kinds[i],
                                       .window_us = DAY_US,
                                       .start_us = WALL_US - WALL_US % DAY_US,
                                       .amount = 1250 };
        uint64_t key = (random % SUBJECTS * 4 + i + 1) * UINT64_C(0x9E3779B97F4A7C15);
        memcpy(spend->key, &key, sizeof key);
    }
    t->spend_count = 3;
    t->spend_now_us = WALL_US;
    t->judge = record_judge;
}

static void record(struct lane *lane)
{
    struct bench *b = lane->bench;
    lane->id = b->next_id;
    b->next_id += 3;
    lane->start_us = loop_now_us(b->loop);
    uint64_t random[2];
    loop_random(b->loop, random, sizeof random);
    snprintf(lane->key, sizeof lane->key, "%016llx%016llx", (unsigned long long)random[0],
             (unsigned long long)random[1]);
    int64_t merchant = 1 + lane->id % 20;
    struct store_txn *t = &lane->txn;
    *t = (struct store_txn){ .arena = &lane->arena,
                             .arg = lane,
                             .merchant = merchant,
                             .idem_key = view_text(lane->key),
                             .done = on_recorded };
    t->payment = (struct payment_row){ .id = lane->id,
                                       .merchant = merchant,
                                       .status = PAYMENT_PROCESSING,
                                       .capture = CAPTURE_AUTOMATIC,
                                       .kind = PAYMENT_KIND_PURCHASE,
                                       .rail = RAIL_CARD,
                                       .currency = "EUR",
                                       .amount = 1250,
                                       .created_us = WALL_US,
                                       .updated_us = WALL_US,
                                       .channel = VIEW("card_demo"),
                                       .reference = VIEW("order-1234567890"),
                                       .facts_json = view_of(facts, sizeof facts - 1) };
    t->operation = (struct operation_row){ .id = lane->id + 1,
                                           .payment = lane->id,
                                           .merchant = merchant,
                                           .kind = OPERATION_SALE,
                                           .status = OPERATION_STATUS_PENDING,
                                           .amount = 1250,
                                           .created_us = WALL_US,
                                           .updated_us = WALL_US };
    t->attempt = (struct attempt_row){ .id = lane->id + 2,
                                       .payment = lane->id,
                                       .operation = lane->id + 1,
                                       .merchant = merchant,
                                       .verb = OPERATION_SALE,
                                       .state = ATTEMPT_SENDING,
                                       .amount = 1250,
                                       .currency = "EUR",
                                       .channel = VIEW("card_demo"),
                                       .trace = (uint32_t)lane->id % 1000000,
                                       .time_us = WALL_US,
                                       .created_us = WALL_US,
                                       .updated_us = WALL_US,
                                       .refs = view_of(refs, sizeof refs - 1) };
    t->write_payment = t->write_operation = t->write_attempt = STORE_INSERT;
    t->events[0] = event_of(lane, "payment.created");
    t->events[1] = event_of(lane, "payment.decided");
    t->events[2] = event_of(lane, "attempt.sending");
    t->event_count = 3;
    if (b->spending == SPEND_LIMITS)
        spend_limits(t, random[0]);
    if (store_commit(b->store, t) != STATUS_OK)
        fail("the store is busy");
}

static double cpu_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void remove_files(const char *path)
{
    static const char *const endings[] = { "", "-wal", "-shm" };
    for (size_t i = 0; i < 3; i++) {
        char name[600];
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        (void)unlink(name);
    }
}

/* Gives the CPU time of a payment in microseconds. */
static double run(struct bench *b, const char *path, size_t in_flight, enum spending spending,
                  int64_t seconds)
{
    *b = (struct bench){ .loop = loop_open_real(), .spending = spending, .next_id = 1 };
    remove_files(path);
    char why[300];
    struct writer w = writer_over(why, sizeof why);
    if (b->loop == NULL ||
        store_open(&b->store, b->loop, &(struct store_options){ .path = path }, &w) != STATUS_OK)
        fail("cannot open the store");
    int64_t start_us = loop_now_us(b->loop);
    double cpu = cpu_s();
    b->end_us = start_us + seconds * LOOP_US_PER_S;
    b->running = in_flight;
    for (size_t i = 0; i < in_flight; i++) {
        b->lanes[i].bench = b;
        arena_init(&b->lanes[i].arena, 1 << 16);
        record(&b->lanes[i]);
    }
    loop_run(b->loop);
    double took_s = (double)(loop_now_us(b->loop) - start_us) / 1e6;
    cpu = cpu_s() - cpu;
    struct store_stats stats;
    store_stats(b->store, &stats);
    printf("%4zu in flight%s: %8.0f payments/s  %6.1f us CPU each  mean %7.0f us  max %7llu us  "
           "%6.1f requests a commit  %5.0f us a flush\n",
           in_flight, spending == SPEND_LIMITS ? ", 3 counters" : "            ",
           (double)b->settled / took_s, cpu * 1e6 / (double)b->settled,
           (double)b->wait_us_total / (double)b->settled, (unsigned long long)b->wait_us_max,
           (double)stats.requests / (double)stats.commits,
           (double)stats.flush_us_total / (double)stats.commits);
    store_close(b->store);
    loop_close(b->loop);
    return cpu * 1e6 / (double)b->settled;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_store_commit FILE [seconds]\n");
        return 2;
    }
    static const size_t sizes[] = { 1, 16, 64, 256, 512 };
    struct bench *b = calloc(1, sizeof *b);
    if (b == NULL)
        fail("memory is out");
    int64_t seconds = argc > 2 ? atoi(argv[2]) : 3;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        double without = run(b, argv[1], sizes[i], SPEND_NOTHING, seconds);
        double with = run(b, argv[1], sizes[i], SPEND_LIMITS, seconds);
        printf("                     the counters cost %.1f us CPU a payment\n", with - without);
    }
    free(b);
    return 0;
}
