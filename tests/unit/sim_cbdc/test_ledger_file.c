/* test_ledger_file.c - the ledger as JSON Lines: an object for everything that was booked, exactly
 * as docs/rails/settlement.md says, and the summary. */
#include "cbdc/cbdc_brain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define WALL   (INT64_C(1795353255) * SECOND) /* 2026-11-22T13:14:15Z */

struct sim {
    void *brain;
    int64_t now_us;
    uint64_t books;
    char text[65536];
};

static int set_up(void **state)
{
    struct sim *s = calloc(1, sizeof *s);
    struct sim_config config = { .seed = 3, .wall_offset_us = WALL };
    struct arena arena;
    const struct json_node *open = NULL;
    uint8_t why[256];
    struct writer w = writer_over(why, sizeof why);
    s->brain = cbdc_brain.open(&config);
    arena_init(&arena, 65536);
    assert_int_equal(json_read(VIEW("{\"token_required\":false}"), NULL, &arena, &open, NULL),
                     STATUS_OK);
    assert_int_equal(cbdc_brain.set(s->brain, open, NULL, 0, &w), STATUS_OK);
    arena_reset(&arena);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct sim *s = *state;
    cbdc_brain.close(s->brain);
    free(s);
    return 0;
}

static void ask(struct sim *s, const char *target, const char *id, const char *rest, int http)
{
    uint8_t headers[256];
    static uint8_t text[65536];
    char lines[128], body[512];
    struct sim_answer answer = { .http_status = 200,
                                 .headers = writer_over(headers, sizeof headers),
                                 .body = writer_over(text, sizeof text) };
    snprintf(lines, sizeof lines, "idempotency-key: %s\n", id);
    snprintf(body, sizeof body, "{\"id\":\"%s\"%s}", id, rest);
    struct sim_request request = { .method = VIEW("POST"),
                                   .target = view_text(target),
                                   .headers = view_text(lines),
                                   .body = view_text(body) };
    cbdc_brain.request(s->brain, &request, s->now_us, &answer);
    if (answer.http_status != http)
        fail_msg("%d %.*s", answer.http_status, (int)answer.body.len, (const char *)text);
}

static const char *record(struct sim *s, const char *query, const char *faults)
{
    struct settle_source source;
    struct settle_faults wrong = { 0 };
    struct arena arena;
    const struct json_node *root = NULL;
    uint8_t why[256];
    struct writer reason = writer_over(why, sizeof why);
    struct writer w = writer_over(s->text, sizeof s->text - 1);
    arena_init(&arena, 65536);
    if (faults != NULL) {
        assert_int_equal(json_read(view_text(faults), NULL, &arena, &root, NULL), STATUS_OK);
        assert_int_equal(settle_faults_read(&wrong, root, &reason), STATUS_OK);
    }
    arena_reset(&arena);
    if (cbdc_brain.settlement(s->brain, view_text(query), s->now_us, &source, &reason) != STATUS_OK)
        return NULL;
    struct settlement *record = settlement_open(&source, &wrong, &s->books);
    while (settlement_read(record, &w))
        ;
    settlement_close(record);
    s->text[w.len] = '\0';
    return s->text;
}

static void has(const char *text, const char *part)
{
    if (text == NULL || strstr(text, part) == NULL)
        fail_msg("no %s in %s", part, text != NULL ? text : "nothing");
}

static void book_some(struct sim *s)
{
    ask(s, "/v1/transfers", "t1",
        ",\"from\":\"w_full\",\"to\":\"w_merchant\",\"amount\":1250,\"currency\":\"EUR\"", 201);
    ask(s, "/v1/transfers", "t2",
        ",\"from\":\"w_blocked\",\"to\":\"w_merchant\",\"amount\":100,\"currency\":\"EUR\"", 402);
    s->now_us += 60 * SECOND;
    ask(s, "/v1/locks", "l1",
        ",\"payer\":\"w_full\",\"payee\":\"w_merchant\",\"releaser\":\"railgate\",\"amount\":900,"
        "\"currency\":\"EUR\",\"expires_at\":1795353400",
        201);
    ask(s, "/v1/locks/l1/release", "r1", ",\"amount\":300", 201);
    s->now_us += 200 * SECOND; /* the rest of it goes back */
}

static void what_was_booked(void **state)
{
    struct sim *s = *state;
    book_some(s);
    const char *text = record(s, "", NULL);
    static const char FIRST[] =
        "{\"seq\":1,\"kind\":\"transfer\",\"id\":\"t1\",\"client\":\"railgate\",\"from\":\"w_"
        "full\","
        "\"to\":\"w_merchant\",\"amount\":\"1250\",\"currency\":\"EUR\",\"state\":\"settled\","
        "\"lock\":null,\"time\":\"2026-11-22T13:14:15.000Z\"}\n{\"seq\":3,\"kind\":\"lock\",";
    assert_memory_equal(text, FIRST, sizeof FIRST - 1);
    has(text, "\"kind\":\"release\",\"id\":\"r1\"");
    has(text, "\"amount\":\"300\",\"currency\":\"EUR\",\"state\":\"settled\",\"lock\":\"l1\"");
    has(text, "\"kind\":\"expire\",\"id\":\"l1\"");
    has(text, "\"amount\":\"600\",\"currency\":\"EUR\",\"state\":\"expired\",\"lock\":\"l1\"");
    assert_null(strstr(text, "\"t2\"")); /* declined */
    has(text,
        "\n{\"summary\":true,\"count\":4,\"first\":1,\"last\":5,\"sum\":\"3050\",\"sha256\":\"");
    text = record(s, "from=2026-11-22T13:15:00Z&to=2026-11-22T13:16:00Z", NULL);
    has(text, "{\"summary\":true,\"count\":2,\"first\":3,\"last\":4,\"sum\":\"1200\",");
    has(record(s, "client=nobody", NULL),
        "{\"summary\":true,\"count\":0,\"first\":null,\"last\":null,\"sum\":\"0\",");
    assert_null(record(s, "wallet=w_full", NULL));
}

static void what_is_wrong_with_it(void **state)
{
    struct sim *s = *state;
    book_some(s);
    const char *text = record(s, "",
                              "{\"faults\":[{\"fault\":\"omit\",\"id\":\"t1\"},"
                              "{\"fault\":\"amount\",\"id\":\"r1\",\"by_minor\":-1},"
                              "{\"fault\":\"invent\",\"line\":4,\"amount_minor\":5}]}");
    assert_null(strstr(text, "\"t1\""));
    has(text, "\"amount\":\"299\"");
    has(text, "\"seq\":6,\"kind\":\"transfer\"");
    has(text, "{\"summary\":true,\"count\":4,\"first\":3,\"last\":6,\"sum\":\"1804\",");
    text = record(s, "", "{\"faults\":[{\"fault\":\"repeat\",\"line\":4}]}");
    has(text, "\"seq\":6,\"kind\":\"expire\"");
    text = record(s, "", "{\"faults\":[{\"fault\":\"truncate\",\"line\":4}]}");
    assert_null(strstr(text, "sha256\":\""));
    text = record(s, "", "{\"faults\":[{\"fault\":\"trailer\"}]}");
    has(text, "\"count\":5,");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_booked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_wrong_with_it, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
