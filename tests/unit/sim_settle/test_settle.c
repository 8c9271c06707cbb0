/* test_settle.c - records of a counterpart that books nothing but numbers: what is written, counted
 * and hashed; and everything that can go wrong with a record, each thing alone. */
#include "settle/settle.h"

#include "base/ensure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/evp.h>

#define TEXT_MAX 65536

/* Lines "n1 100", "n2 200", ...; every third leaves the merchant. */
struct books {
    uint64_t count, at, lost_at, number;
    char name[32];
    unsigned closed;
    bool sums_first;
};

struct bench {
    struct books books;
    struct settle_faults faults;
    uint64_t generation;
    char text[TEXT_MAX];
    size_t len;
    unsigned reads;
};

static enum settle_next next(void *state, struct settle_line *line)
{
    struct books *b = state;
    if (b->lost_at > 0 && b->at == b->lost_at)
        return SETTLE_LOST;
    if (b->at == b->count)
        return SETTLE_DONE;
    b->number = ++b->at;
    snprintf(b->name, sizeof b->name, "n%llu", (unsigned long long)b->number);
    line->names[0] = view_text(b->name);
    line->names[2] = b->number == 2 ? VIEW("second") : VIEW_EMPTY;
    line->amount_minor = (int64_t)b->number * 100;
    line->debit = b->number % 3 == 0;
    line->record = &b->number;
    return SETTLE_LINE;
}

static void invent(void *state, uint64_t dice, struct settle_line *line)
{
    struct books *b = state;
    b->number = 1000 + dice % 1000;
    line->names[0] = VIEW("nobody");
    line->record = &b->number;
}

static void start_again(void *state)
{
    struct books *b = state;
    b->at = 0;
}

static void head(void *state, const struct settle_sums *sums, struct writer *w)
{
    (void)state;
    writer_format(w, "head %llu %lld %lld\n", (unsigned long long)sums->lines,
                  (long long)sums->credit_minor, (long long)sums->debit_minor);
}

static void put_line(void *state, const struct settle_line *line, struct writer *w)
{
    const uint64_t *number = line->record;
    (void)state;
    writer_format(w, "%s%llu %lld\n", line->debit ? "-" : "", (unsigned long long)*number,
                  (long long)line->amount_minor);
}

static void tail(void *state, const struct settle_sums *sums, struct view sha256, struct writer *w)
{
    (void)state;
    writer_format(w, "tail %llu %lld %lld ", (unsigned long long)sums->lines,
                  (long long)sums->credit_minor, (long long)sums->debit_minor);
    writer_view(w, sha256);
    writer_u8(w, '\n');
}

static void closed(void *state)
{
    struct books *b = state;
    b->closed++;
}

static struct settlement *open_record(struct bench *b)
{
    const struct settle_source source = { .content_type = "text/plain",
                                          .sums_first = b->books.sums_first,
                                          .state = &b->books,
                                          .next = next,
                                          .invent = invent,
                                          .rewind = start_again,
                                          .head = head,
                                          .line = put_line,
                                          .tail = tail,
                                          .close = closed };
    b->books.at = 0;
    b->books.closed = 0;
    struct settlement *s = settlement_open(&source, &b->faults, &b->generation);
    assert_non_null(s);
    assert_string_equal(settlement_type(s), "text/plain");
    return s;
}

static const char *record(struct bench *b)
{
    struct settlement *s = open_record(b);
    bool more = true;
    b->len = 0;
    b->reads = 0;
    while (more) {
        uint8_t chunk[SETTLE_PIECE_MAX];
        struct writer w = writer_over(chunk, sizeof chunk);
        more = settlement_read(s, &w);
        assert_true(b->len + w.len < TEXT_MAX);
        memcpy(b->text + b->len, chunk, w.len);
        b->len += w.len;
        b->reads++;
    }
    settlement_close(s);
    assert_int_equal(b->books.closed, 1);
    b->text[b->len] = '\0';
    return b->text;
}

/* The record, but for its trailer; the trailer's sums are `sums`, and its hash is right. */
static void holds(struct bench *b, const char *lines, const char *sums)
{
    uint8_t digest[32], hex[64];
    unsigned len = sizeof digest;
    struct writer w = writer_over(hex, sizeof hex);
    const char *text = record(b), *last = strstr(text, "tail ");
    assert_non_null(last);
    size_t body = (size_t)(last - text);
    assert_int_equal(EVP_Digest(text, body, digest, &len, EVP_sha256(), NULL), 1);
    writer_hex_lower(&w, view_of(digest, sizeof digest));
    char expected[TEXT_MAX];
    snprintf(expected, sizeof expected, "%stail %s %.64s\n", lines, sums, (const char *)hex);
    assert_string_equal(text, expected);
}

static void set(struct bench *b, const char *json)
{
    struct arena arena;
    const struct json_node *root = NULL;
    uint8_t why[256];
    struct writer w = writer_over(why, sizeof why);
    arena_init(&arena, 65536);
    assert_int_equal(json_read(view_text(json), NULL, &arena, &root, NULL), STATUS_OK);
    assert_int_equal(settle_faults_read(&b->faults, root, &w), STATUS_OK);
    arena_reset(&arena);
}

static int start(void **state)
{
    static struct bench b;
    b = (struct bench){ .books = { .count = 4 } };
    *state = &b;
    return 0;
}

static void a_true_record(void **state)
{
    struct bench *b = *state;
    holds(b, "head 0 0 0\n1 100\n2 200\n-3 300\n4 400\n", "4 700 300");
    b->books.sums_first = true;
    holds(b, "head 4 700 300\n1 100\n2 200\n-3 300\n4 400\n", "4 700 300");
    b->books.count = 0;
    holds(b, "head 0 0 0\n", "0 0 0");
}

static void lines_that_are_wrong(void **state)
{
    struct bench *b = *state;
    set(b, "{\"faults\":[{\"fault\":\"omit\",\"id\":\"second\"}]}");
    holds(b, "head 0 0 0\n1 100\n-3 300\n4 400\n", "3 500 300");
    set(b, "{\"faults\":[{\"fault\":\"omit\",\"id\":\"n3\"},{\"fault\":\"omit\",\"line\":4}]}");
    holds(b, "head 0 0 0\n1 100\n2 200\n", "2 300 0");
    set(b, "{\"faults\":[{\"fault\":\"repeat\",\"line\":3}]}");
    holds(b, "head 0 0 0\n1 100\n2 200\n-3 300\n-3 300\n4 400\n", "5 700 600");
    set(b, "{\"faults\":[{\"fault\":\"amount\",\"line\":1,\"by_minor\":-5000},"
           "{\"fault\":\"amount\",\"id\":\"n2\"}]}");
    b->books.sums_first = true; /* the head knows of it */
    holds(b, "head 4 602 300\n1 1\n2 201\n-3 300\n4 400\n", "4 602 300");
    set(b, "{\"faults\":[{\"fault\":\"amount\",\"line\":2,\"by_minor\":5},"
           "{\"fault\":\"repeat\",\"line\":2}]}");
    holds(b, "head 5 910 300\n1 100\n2 205\n2 205\n-3 300\n4 400\n", "5 910 300");
}

static void lines_that_nobody_made(void **state)
{
    struct bench *b = *state;
    char lines[256], first[64];
    set(b, "{\"seed\":7,\"faults\":[{\"fault\":\"invent\"},"
           "{\"fault\":\"invent\",\"line\":2,\"amount_minor\":5},"
           "{\"fault\":\"invent\",\"line\":99}]}");
    unsigned at = 1000 + (unsigned)(settle_dice(7, 0) % 1000);
    unsigned between = 1000 + (unsigned)(settle_dice(7, 1) % 1000);
    unsigned end = 1000 + (unsigned)(settle_dice(7, 2) % 1000);
    snprintf(lines, sizeof lines,
             "head 0 0 0\n%u 4711\n1 100\n2 200\n%u 5\n-3 300\n4 400\n%u 4711\n", at, between, end);
    holds(b, lines, "7 10127 300");
    snprintf(first, sizeof first, "%.60s", record(b));
    set(b, "{\"seed\":8}");
    assert_true(strncmp(first, record(b), strlen(first)) != 0);
}

static void dice_are_thrown_for_each_line_alone(void **state)
{
    struct bench *b = *state;
    b->books.count = 2000;
    set(b, "{\"seed\":3,\"faults\":[{\"fault\":\"omit\",\"per_million\":100000}]}");
    size_t lines = 0;
    for (const char *c = record(b); *c != '\0'; c++)
        lines += *c == '\n';
    assert_in_range(lines, 2002 - 300, 2002 - 120);
    char *whole = strdup(b->text);
    b->books.count = 1999; /* what happens to the others does not depend on it */
    size_t body = (size_t)(strstr(record(b), "tail") - b->text);
    assert_memory_equal(whole, b->text, body);
    free(whole);
}

static void a_file_that_is_not_whole(void **state)
{
    struct bench *b = *state;
    set(b, "{\"faults\":[{\"fault\":\"truncate\",\"line\":2}]}");
    assert_string_equal(record(b), "head 0 0 0\n1 100\n2 200\n-3 ");
    set(b, "{\"faults\":[{\"fault\":\"truncate\"}]}");
    assert_string_equal(record(b), "head 0 0 0\n1 1");
    for (int line = 4; line < 6; line++) {
        char json[96];
        snprintf(json, sizeof json, "{\"faults\":[{\"fault\":\"truncate\",\"line\":%d}]}", line);
        set(b, json);
        assert_non_null(strstr(record(b), "4 400\ntail "));
        assert_int_not_equal(b->text[b->len - 1], '\n');
    }
    set(b, "{\"faults\":[{\"fault\":\"trailer\"}]}");
    holds(b, "head 0 0 0\n1 100\n2 200\n-3 300\n4 400\n", "5 700 300");
    set(b, "{\"faults\":[]}");
    b->books.lost_at = 3;
    assert_string_equal(record(b), "head 0 0 0\n1 100\n2 200\n-3 300\n");
}

static void books_that_are_emptied_meanwhile(void **state)
{
    struct bench *b = *state;
    b->books.count = 100000;
    struct settlement *s = open_record(b);
    uint8_t chunk[SETTLE_PIECE_MAX];
    struct writer w = writer_over(chunk, sizeof chunk);
    assert_true(settlement_read(s, &w));
    b->generation++;
    uint64_t at = b->books.at;
    struct writer again = writer_over(chunk, sizeof chunk);
    assert_false(settlement_read(s, &again));
    assert_int_equal(again.len, 0);
    assert_int_equal(b->books.at, at); /* nobody looked into them any more */
    settlement_close(s);
}

static void a_million_lines_take_no_room(void **state)
{
    struct bench *b = *state;
    static uint8_t chunk[SETTLE_PIECE_MAX + 512];
    uint64_t lines = 0;
    bool more = true;
    b->books.count = 1000000;
    struct settlement *s = open_record(b);
    while (more) {
        struct writer w = writer_over(chunk, sizeof chunk);
        more = settlement_read(s, &w);
        for (size_t i = 0; i < w.len; i++)
            lines += chunk[i] == '\n';
    }
    settlement_close(s);
    assert_int_equal(lines, 1000002);
}

static void knobs_that_are_refused(void **state)
{
    static const char *const BAD[] = {
        "[]",
        "{\"oops\":1}",
        "{\"seed\":-1}",
        "{\"faults\":{}}",
        "{\"faults\":[1]}",
        "{\"faults\":[{}]}",
        "{\"faults\":[{\"fault\":\"burn\",\"line\":1}]}",
        "{\"faults\":[{\"fault\":\"omit\"}]}",
        "{\"faults\":[{\"fault\":\"omit\",\"line\":1,\"id\":\"x\"}]}",
        "{\"faults\":[{\"fault\":\"omit\",\"id\":\"\"}]}",
        "{\"faults\":[{\"fault\":\"omit\",\"line\":1,\"by_minor\":1}]}",
        "{\"faults\":[{\"fault\":\"repeat\",\"per_million\":0}]}",
        "{\"faults\":[{\"fault\":\"amount\",\"line\":1,\"by_minor\":1000000000000001}]}",
        "{\"faults\":[{\"fault\":\"invent\",\"amount_minor\":0}]}",
        "{\"faults\":[{\"fault\":\"invent\",\"id\":\"x\"}]}",
        "{\"faults\":[{\"fault\":\"truncate\",\"line\":-1}]}",
        "{\"faults\":[{\"fault\":\"trailer\",\"line\":1}]}",
        "{\"faults\":[{\"fault\":\"trailer\"},{\"fault\":\"omit\"}]}",
    };
    struct bench *b = *state;
    set(b, "{\"seed\":9,\"faults\":[{\"fault\":\"omit\",\"line\":1}]}");
    struct settle_faults before = b->faults;
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct arena arena;
        const struct json_node *root = NULL;
        uint8_t why[256];
        struct writer w = writer_over(why, sizeof why);
        arena_init(&arena, 65536);
        assert_int_equal(json_read(view_text(BAD[i]), NULL, &arena, &root, NULL), STATUS_OK);
        if (settle_faults_read(&b->faults, root, &w) == STATUS_OK)
            fail_msg("taken: %s", BAD[i]);
        assert_true(w.len > 0);
        assert_memory_equal(&before, &b->faults, sizeof before);
        arena_reset(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_true_record, start),
        cmocka_unit_test_setup(lines_that_are_wrong, start),
        cmocka_unit_test_setup(lines_that_nobody_made, start),
        cmocka_unit_test_setup(dice_are_thrown_for_each_line_alone, start),
        cmocka_unit_test_setup(a_file_that_is_not_whole, start),
        cmocka_unit_test_setup(books_that_are_emptied_meanwhile, start),
        cmocka_unit_test_setup(a_million_lines_take_no_room, start),
        cmocka_unit_test_setup(knobs_that_are_refused, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
