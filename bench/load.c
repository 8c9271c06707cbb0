/* load.c - payments over HTTP, a fixed number in flight, every answer counted.
 *
 *     bench_load --to HOST:PORT --key rg_test_... --in-flight N [--warm S] [--seconds S]
 *
 * What it does that wrk does not, and why it exists: each payment has a new random Idempotency-Key,
 * answers are counted by status (wrk tells only those of 400 and more), and at the end it stops
 * asking and waits for every answer it is owed. So what the merchant saw can be compared, to the
 * single payment, with what the gateway recorded and what the card host booked. It is one thread,
 * and takes about a third of the processor time of wrk with a script, which matters on a small
 * machine where load and loaded share the cores.
 *
 * Each connection has one request on its way (closed loop, no pipelining). Latency is from the
 * write of the request to the last byte of its answer. The warm-up's answers are counted, but are
 * in neither rate nor latencies; "begin" and "end" go to stdout when the measured time begins and
 * ends, so that whoever started it can read the clocks of other processes at these moments. The
 * last line is JSON.
 *
 * Test card numbers in here are from ranges that the card schemes publish for sandboxes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define IN_FLIGHT_MAX    8192
#define REQUEST_BYTES    2048
#define ANSWER_BYTES_MAX 16384
#define EVENTS_MAX       256
#define STATUS_MAX       600
#define DRAIN_US         (30 * 1000000LL)
/* Latencies: 64 steps for each power of two of microseconds, so at most 1.6 % wide. */
#define STEPS   64
#define BUCKETS (STEPS * 40)

static const char *const cards[] = { "4111111111111111", "4242424242424242", "5555555555554444",
                                     "5200828282828210" };
#define CARDS (sizeof cards / sizeof cards[0])

struct connection {
    int fd; /* -1: broken */
    bool waiting;
    int64_t sent_us;
    size_t got;
    char answer[ANSWER_BYTES_MAX];
};

struct load {
    struct sockaddr_in to;
    const char *host, *key;
    size_t in_flight, open, waiting;
    double warm_s, seconds;
    int poll;
    uint64_t random[2], sent;
    bool measuring, stopping;
    /* Counted. */
    uint64_t statuses[STATUS_MAX], in_window, broken, answer_bytes;
    uint64_t buckets[BUCKETS];
    int64_t slowest_us;
    struct connection all[IN_FLIGHT_MAX];
};

static void fail(const char *what)
{
    fprintf(stderr, "bench_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000000 + at.tv_nsec / 1000;
}

/* --- latencies ----------------------------------------------------------------------------- */

static size_t bucket_of(int64_t us)
{
    uint64_t value = us < 0 ? 0 : (uint64_t)us;
    if (value < STEPS)
        return (size_t)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - 6;
    size_t bucket = (size_t)(shift + 1) * STEPS + (size_t)(value >> shift) - STEPS;
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

/* The upper end of what falls into the bucket. */
static int64_t bucket_us(size_t bucket)
{
    if (bucket < STEPS)
        return (int64_t)bucket;
    unsigned shift = (unsigned)(bucket / STEPS) - 1;
    return (int64_t)((bucket % STEPS + STEPS + 1) << shift) - 1;
}

static int64_t quantile_us(const struct load *load, double share)
{
    uint64_t wanted = (uint64_t)((double)load->in_window * share), seen = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        seen += load->buckets[i];
        if (seen > wanted)
            return bucket_us(i);
    }
    return load->slowest_us;
}

/* --- one request --------------------------------------------------------------------------- */

static uint64_t random_next(struct load *load)
{
    /* xorshift128+: unique keys are wanted, not secret ones. */
    uint64_t a = load->random[0], b = load->random[1];
    load->random[0] = b;
    a ^= a << 23;
    load->random[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
    return load->random[1] + b;
}

/* 32 letters (never digits: a key that looks like a card number is refused). */
static void draw_key(struct load *load, char out[33])
{
    for (int half = 0; half < 2; half++) {
        uint64_t bits = random_next(load);
        for (int i = 0; i < 16; i++, bits >>= 4)
            out[half * 16 + i] = (char)('a' + (bits & 15));
    }
    out[32] = '\0';
}

static int write_body(struct load *load, char *body, size_t size)
{
    unsigned long long n = (unsigned long long)load->sent;
    return snprintf(
        body, size,
        "{\"amount\":{\"value\":%llu,\"currency\":\"EUR\"},\"kind\":\"purchase\","
        "\"capture\":\"automatic\",\"method\":{\"type\":\"card\",\"card\":{\"entry\":\"manual\","
        "\"pan\":\"%s\",\"expiry\":\"3012\",\"cvv\":\"123\",\"cardholder_name\":\"CARDHOLDER/A\"}},"
        "\"payer\":{\"id\":\"cus_%08llx\",\"name\":\"A. Cardholder\",\"country\":\"DE\","
        "\"kyc_tier\":2,\"email\":\"cardholder@example.com\"},"
        "\"payee\":{\"id\":\"shop_berlin_12\",\"name\":\"Corner shop\",\"country\":\"DE\"},"
        "\"reference\":\"order-%llx\",\"description\":\"two coffees and a croissant\","
        "\"purpose\":\"GDDS\",\"metadata\":{\"till\":\"12\",\"shift\":\"morning\","
        "\"basket\":\"b-%08llx\",\"loyalty\":\"none\",\"channel\":\"in store\"}}",
        1250 + n % 50, cards[n % CARDS], n % 100000, n, n);
}

static void drop(struct load *load, struct connection *c)
{
    if (c->waiting) {
        load->broken++;
        load->waiting--;
    }
    (void)close(c->fd);
    c->fd = -1;
    c->waiting = false;
    load->open--;
}

static void ask(struct load *load, struct connection *c)
{
    char body[REQUEST_BYTES], request[2 * REQUEST_BYTES], key[33];
    draw_key(load, key);
    int body_len = write_body(load, body, sizeof body);
    int len = snprintf(request, sizeof request,
                       "POST /v1/payments HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"
                       "Content-Type: application/json\r\nAccept: application/json\r\n"
                       "User-Agent: bench_load\r\nIdempotency-Key: %s\r\n"
                       "Content-Length: %d\r\n\r\n%s",
                       load->host, load->key, key, body_len, body);
    load->sent++;
    c->got = 0;
    c->waiting = true;
    load->waiting++;
    c->sent_us = now_us();
    /* One request fits into an empty send buffer; anything else is a broken connection. */
    if (send(c->fd, request, (size_t)len, MSG_NOSIGNAL) != len)
        drop(load, c);
}

/* --- one answer ---------------------------------------------------------------------------- */

/* Length of the whole answer once its head is there; 0: more is needed; -1: cannot be read. */
static long answer_len(struct connection *c, int *status)
{
    c->answer[c->got] = '\0';
    char *end = strstr(c->answer, "\r\n\r\n");
    if (end == NULL)
        return 0;
    *status = strncmp(c->answer, "HTTP/1.1 ", 9) == 0 ? atoi(c->answer + 9) : 0;
    const char *length = strcasestr(c->answer, "\r\ncontent-length:");
    if (*status < 100 || *status >= STATUS_MAX || length == NULL || length > end)
        return -1;
    return end + 4 - c->answer + atol(length + 17);
}

static void take_answer(struct load *load, struct connection *c, int status, int64_t at_us)
{
    int64_t took_us = at_us - c->sent_us;
    c->waiting = false;
    load->waiting--;
    load->statuses[status]++;
    load->answer_bytes += c->got;
    if (load->measuring) {
        load->in_window++;
        load->buckets[bucket_of(took_us)]++;
        if (took_us > load->slowest_us)
            load->slowest_us = took_us;
    }
    if (load->statuses[status] <= 1 && status != 201) {
        fprintf(stderr, "bench_load: the first answer with status %d:\n%.*s\n", status, (int)c->got,
                c->answer);
    }
    if (!load->stopping)
        ask(load, c);
}

static void readable(struct load *load, struct connection *c)
{
    ssize_t got = recv(c->fd, c->answer + c->got, sizeof c->answer - 1 - c->got, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        drop(load, c);
        return;
    }
    c->got += (size_t)got;
    int status = 0;
    long len = answer_len(c, &status);
    if (len < 0 || (len > 0 && (size_t)len < c->got) || c->got == sizeof c->answer - 1)
        drop(load, c); /* unreadable, too long, or more than was asked for */
    else if (len > 0 && (size_t)len == c->got)
        take_answer(load, c, status, now_us());
}

/* --- the run ------------------------------------------------------------------------------- */

static void open_all(struct load *load)
{
    load->poll = epoll_create1(EPOLL_CLOEXEC);
    if (load->poll < 0)
        fail("epoll");
    for (size_t i = 0; i < load->in_flight; i++) {
        struct connection *c = &load->all[i];
        int one = 1;
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&load->to, sizeof load->to) != 0)
            fail("connect");
        (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        (void)fcntl(c->fd, F_SETFL, O_NONBLOCK);
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
        if (epoll_ctl(load->poll, EPOLL_CTL_ADD, c->fd, &event) != 0)
            fail("epoll_ctl");
        load->open++;
    }
    for (size_t i = 0; i < load->in_flight; i++)
        ask(load, &load->all[i]);
}

/* Works until then, or until nothing is owed any more. */
static void run_until(struct load *load, int64_t until_us)
{
    struct epoll_event events[EVENTS_MAX];
    while (load->waiting > 0) {
        int64_t left_us = until_us - now_us();
        if (left_us <= 0)
            return;
        int count = epoll_wait(load->poll, events, EVENTS_MAX, (int)(left_us / 1000 + 1));
        if (count < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if (c->fd >= 0)
                readable(load, c);
        }
    }
}

static void tell(const char *word)
{
    puts(word);
    (void)fflush(stdout);
}

static double run(struct load *load)
{
    open_all(load);
    int64_t start_us = now_us();
    run_until(load, start_us + (int64_t)(load->warm_s * 1e6));
    load->measuring = true;
    int64_t begin_us = now_us();
    tell("begin");
    run_until(load, begin_us + (int64_t)(load->seconds * 1e6));
    load->measuring = false;
    int64_t end_us = now_us();
    tell("end");
    load->stopping = true;
    run_until(load, end_us + DRAIN_US);
    return (double)(end_us - begin_us) / 1e6;
}

static void report(const struct load *load, double seconds)
{
    printf("{\"seconds\":%.4f,\"in_window\":%llu,\"sent\":%llu,\"unanswered\":%llu,\"broken\":%llu,"
           "\"answer_bytes\":%llu,\"statuses\":{",
           seconds, (unsigned long long)load->in_window, (unsigned long long)load->sent,
           (unsigned long long)load->waiting, (unsigned long long)load->broken,
           (unsigned long long)load->answer_bytes);
    const char *comma = "";
    for (int i = 0; i < STATUS_MAX; i++) {
        if (load->statuses[i] == 0)
            continue;
        printf("%s\"%d\":%llu", comma, i, (unsigned long long)load->statuses[i]);
        comma = ",";
    }
    printf("},\"p50_us\":%lld,\"p90_us\":%lld,\"p99_us\":%lld,\"p999_us\":%lld,\"max_us\":%lld}\n",
           (long long)quantile_us(load, 0.5), (long long)quantile_us(load, 0.9),
           (long long)quantile_us(load, 0.99), (long long)quantile_us(load, 0.999),
           (long long)load->slowest_us);
}

static void read_address(struct load *load, char *text)
{
    char *colon = strrchr(text, ':');
    load->host = strdup(text);
    if (colon != NULL && load->host != NULL) {
        *colon = '\0';
        load->to.sin_family = AF_INET;
        load->to.sin_port = htons((uint16_t)atoi(colon + 1));
        /* Loopback only: nobody else is to be loaded by this. */
        if (inet_pton(AF_INET, text, &load->to.sin_addr) == 1 &&
            ntohl(load->to.sin_addr.s_addr) >> 24 == 127)
            return;
    }
    fputs("bench_load: --to takes 127.x.x.x:PORT\n", stderr);
    exit(2);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "to", required_argument, NULL, 't' },        { "key", required_argument, NULL, 'k' },
        { "in-flight", required_argument, NULL, 'n' }, { "warm", required_argument, NULL, 'w' },
        { "seconds", required_argument, NULL, 's' },   { 0 }
    };
    struct load *load = calloc(1, sizeof *load);
    if (load == NULL)
        fail("memory");
    load->warm_s = 1;
    load->seconds = 5;
    for (int got; (got = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (got) {
        case 't': read_address(load, optarg); break;
        case 'k': load->key = optarg; break;
        case 'n': load->in_flight = (size_t)atol(optarg); break;
        case 'w': load->warm_s = atof(optarg); break;
        case 's': load->seconds = atof(optarg); break;
        default: return 2;
        }
    }
    if (load->host == NULL || load->key == NULL || load->in_flight < 1 ||
        load->in_flight > IN_FLIGHT_MAX || load->seconds <= 0) {
        fputs("bench_load: --to, --key and --in-flight (1..8192) are needed\n", stderr);
        return 2;
    }
    if (getrandom(load->random, sizeof load->random, 0) != (ssize_t)sizeof load->random)
        fail("getrandom");
    report(load, run(load));
    (void)fflush(stdout);
    /* Whoever reads our clocks at "end" must find us alive: they close stdin when they have. */
    while (!isatty(STDIN_FILENO) && getchar() != EOF) {
    }
    return 0;
}
