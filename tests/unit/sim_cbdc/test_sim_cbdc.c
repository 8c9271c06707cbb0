/* test_sim_cbdc.c - the brain of the CBDC ledger simulator as seen from HTTP and from the control
 * port: what docs/rails/cbdc-wire.md and docs/rails/cbdc-simulator.md say, written out as requests.
 */
#include "cbdc/cbdc_brain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROOM   ((size_t)1 << 20)
#define SECOND INT64_C(1000000)
#define WALL   (INT64_C(1795353255) * SECOND)

struct sim {
    void *brain;
    int64_t now_us;
    char *text; /* of the newest answer */
    char token[64];
};

static int set_up(void **state)
{
    struct sim *s = calloc(1, sizeof *s);
    struct sim_config config = { .seed = 3, .wall_offset_us = WALL };
    s->brain = cbdc_brain.open(&config);
    s->text = malloc(ROOM);
    assert_non_null(s->brain);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct sim *s = *state;
    cbdc_brain.close(s->brain);
    free(s->text);
    free(s);
    return 0;
}

/* Sends with the token and, when the body has an id, the header that belongs to it. */
static int send(struct sim *s, const char *method, const char *target, const char *body)
{
    uint8_t headers[256];
    char lines[256], id[65] = "";
    struct sim_answer answer = { .http_status = 200,
                                 .headers = writer_over(headers, sizeof headers),
                                 .body = writer_over(s->text, ROOM - 1) };
    const char *at = body != NULL ? strstr(body, "\"id\":\"") : NULL;
    if (at != NULL)
        sscanf(at, "\"id\":\"%64[^\"]", id);
    snprintf(lines, sizeof lines, "authorization: Bearer %s\nidempotency-key: %s\n", s->token, id);
    struct sim_request request = { .method = view_text(method),
                                   .target = view_text(target),
                                   .headers = view_text(lines),
                                   .body = view_text(body) };
    cbdc_brain.request(s->brain, &request, s->now_us, &answer);
    assert_false(answer.body.overflow || answer.headers.overflow);
    s->text[answer.body.len] = '\0';
    return answer.http_status;
}

static void answered(struct sim *s, int http, int expected, const char *part)
{
    if (http != expected || strstr(s->text, part) == NULL)
        print_error("%d %s\nwanted: %d %s\n", http, s->text, expected, part);
    assert_int_equal(http, expected);
    assert_non_null(strstr(s->text, part));
}
#define ANSWERS(s, method, target, body, http, part)                                               \
    answered((s), send((s), (method), (target), (body)), (http), (part))

static enum status control(struct sim *s, const char *method, const char *path, const char *body)
{
    char reason[256];
    struct writer w = writer_over(s->text, ROOM - 1), why = writer_over(reason, sizeof reason);
    struct json_out out;
    struct arena arena;
    const struct json_node *root = NULL;
    arena_init(&arena, 65536);
    if (body != NULL)
        assert_int_equal(json_read(view_text(body), NULL, &arena, &root, NULL), STATUS_OK);
    json_out_init(&out, &w);
    enum status status = cbdc_brain.command(s->brain, view_text(method), view_text(path), root,
                                            s->now_us, &out, &why);
    s->text[w.len] = '\0';
    assert_true(status == STATUS_OK || status == STATUS_NOT_FOUND || why.len > 0);
    arena_reset(&arena);
    return status;
}

static enum status set(struct sim *s, const char *settings, const char *keys)
{
    char reason[256];
    struct writer why = writer_over(reason, sizeof reason);
    struct arena arena;
    const struct json_node *a = NULL, *b = NULL;
    arena_init(&arena, 65536);
    if (settings != NULL)
        assert_int_equal(json_read(view_text(settings), NULL, &arena, &a, NULL), STATUS_OK);
    if (keys != NULL)
        assert_int_equal(json_read(view_text(keys), NULL, &arena, &b, NULL), STATUS_OK);
    enum status status = cbdc_brain.set(s->brain, a, b, s->now_us, &why);
    assert_true(status == STATUS_OK || why.len > 0);
    arena_reset(&arena);
    return status;
}

static void open_door(struct sim *s)
{
    assert_int_equal(set(s, "{\"token_required\":false}", NULL), STATUS_OK);
}

static void write_ledger(struct sim *s, uint64_t from, size_t limit)
{
    struct writer w = writer_over(s->text, ROOM - 1);
    struct json_out out;
    json_out_init(&out, &w);
    cbdc_brain.write_ledger(s->brain, &out, from, limit);
    assert_false(w.overflow);
    assert_true(w.len <= cbdc_brain.ledger_room(s->brain, from, limit));
    s->text[w.len] = '\0';
}

/* HMAC-SHA256 of "railgate.1795353255" under 00 01 .. 1f: made with OpenSSL's command line. */
#define PROOF "98d3de69e0f6c2a51b116c7532e13eb6b1ffe46d8772440d8bfa5d50b588f639"

static void gives_tokens(void **state)
{
    struct sim *s = *state;
    ANSWERS(s, "GET", "/v1/operations/a", NULL, 401, "\"error\":\"token\"");
    ANSWERS(s, "POST", "/oauth/token",
            "{\"client_id\":\"railgate\",\"time\":1795353255,\"client_secret_proof\":\"00\"}", 401,
            "\"error\":\"client\"");
    ANSWERS(s, "POST", "/oauth/token",
            "{\"client_id\":\"nobody\",\"time\":1795353255,\"client_secret_proof\":\"" PROOF "\"}",
            401, "client");
    ANSWERS(s, "POST", "/oauth/token", "{\"client_id\":\"railgate\"}", 400, "malformed");
    ANSWERS(s, "POST", "/oauth/token", NULL, 400, "malformed");
    ANSWERS(s, "POST", "/oauth/token", "[]", 400, "malformed");
    ANSWERS(s, "POST", "/oauth/token",
            "{\"client_id\":\"railgate\",\"time\":1795353255,\"client_secret_proof\":\"" PROOF
            "\"}",
            200, "\"expires_in\":3600");
    assert_int_equal(sscanf(s->text, "{\"access_token\":\"%63[^\"]", s->token), 1);
    ANSWERS(s, "GET", "/v1/operations/a", NULL, 404, "not_found");
    s->now_us = 3600 * SECOND;
    ANSWERS(s, "GET", "/v1/operations/a", NULL, 401, "token");
    ANSWERS(s, "POST", "/oauth/token",
            "{\"client_id\":\"railgate\",\"time\":1795353255,\"client_secret_proof\":\"" PROOF
            "\"}",
            401, "client"); /* an hour old */
    ANSWERS(s, "GET", "/nowhere", NULL, 404, "not_found");
    ANSWERS(s, "GET", "/v1/transfers", NULL, 405, "method");
}

static void refuses_what_is_not_a_request(void **state)
{
    struct sim *s = *state;
    static const struct {
        const char *target, *body, *word;
    } CASES[] = {
        { "/v1/transfers", "", "malformed" },
        { "/v1/transfers", "{", "malformed" },
        { "/v1/transfers", "{\"id\":\"a\"}", "malformed" },
        { "/v1/transfers",
          "{\"id\":\"a b\",\"from\":\"w_full\",\"to\":\"w_empty\",\"amount\":1,\"currency\":"
          "\"EUR\"}",
          "malformed" },
        { "/v1/transfers",
          "{\"id\":\"a\",\"from\":\"w_full\",\"to\":\"w_empty\",\"amount\":1,\"currency\":"
          "\"EUR\",\"more\":1}",
          "malformed" },
        { "/v1/transfers",
          "{\"id\":\"a\",\"from\":\"w_full\",\"to\":\"w_empty\",\"amount\":1.0,\"currency\":"
          "\"EUR\"}",
          "amount" },
        { "/v1/transfers",
          "{\"id\":\"a\",\"from\":\"w_full\",\"to\":\"w_empty\",\"amount\":0,\"currency\":\"EUR\"}",
          "amount" },
        { "/v1/transfers",
          "{\"id\":\"a\",\"from\":\"w_full\",\"to\":\"w_empty\",\"amount\":-5,\"currency\":"
          "\"EUR\"}",
          "amount" },
        { "/v1/transfers",
          "{\"id\":\"a\",\"from\":\"w_full\",\"to\":\"w_empty\",\"amount\":1000000000000000,"
          "\"currency\":\"EUR\"}",
          "amount" },
        { "/v1/transfers",
          "{\"id\":\"a\",\"from\":\"w_full\",\"to\":\"w_empty\",\"amount\":9223372036854775808,"
          "\"currency\":\"EUR\"}",
          "amount" },
        { "/v1/transfers",
          "{\"id\":\"a\",\"from\":\"w_full\",\"to\":\"w_empty\",\"amount\":1,\"currency\":\"USD\"}",
          "currency" },
        { "/v1/transfers",
          "{\"id\":\"a\",\"from\":\"w_full\",\"to\":\"w_empty\",\"amount\":1,\"currency\":"
          "\"EUR\",\"purpose\":\"Food\"}",
          "purpose" },
        { "/v1/locks",
          "{\"id\":\"a\",\"payer\":\"w_full\",\"payee\":\"w_merchant\",\"releaser\":\"railgate\","
          "\"amount\":1,\"currency\":\"EUR\",\"expires_at\":1795353255}",
          "expires_at" },
        { "/v1/locks",
          "{\"id\":\"a\",\"payer\":\"w_full\",\"payee\":\"w_merchant\",\"releaser\":\"railgate\","
          "\"amount\":1,\"currency\":\"EUR\",\"expires_at\":1797945256}",
          "expires_at" },
        { "/v1/locks",
          "{\"id\":\"a\",\"payer\":\"w_full\",\"payee\":\"w_merchant\",\"releaser\":\"railgate\","
          "\"amount\":1,\"currency\":\"EUR\",\"expires_at\":9223372036854775807}",
          "expires_at" },
    };
    open_door(s);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        ANSWERS(s, "POST", CASES[i].target, CASES[i].body, 400, CASES[i].word);
    ANSWERS(s, "GET", "/v1/operations/a", NULL, 404, "not_found"); /* nothing was remembered */
    struct sim_answer answer = { .http_status = 200,
                                 .headers = writer_over(s->token, sizeof s->token),
                                 .body = writer_over(s->text, ROOM) };
    struct sim_request request = {
        .method = VIEW("POST"),
        .target = VIEW("/v1/issue"),
        .headers = VIEW("idempotency-key: b\n"),
        .body = VIEW("{\"id\":\"a\",\"to\":\"w_empty\",\"amount\":1,\"currency\":\"EUR\"}")
    };
    cbdc_brain.request(s->brain, &request, s->now_us, &answer);
    assert_int_equal(answer.http_status, 400);
}

#define LOCK(id, amount)                                                                           \
    "{\"id\":\"" id "\",\"payer\":\"alias:full@example.com\",\"payee\":\"w_merchant\","            \
    "\"releaser\":\"railgate\",\"amount\":" amount ",\"currency\":\"EUR\","                        \
    "\"expires_at\":1795353355}"

static void locks(void **state)
{
    struct sim *s = *state;
    open_door(s);
    ANSWERS(s, "POST", "/v1/locks", LOCK("l1", "1000"), 201,
            "{\"id\":\"l1\",\"kind\":\"lock\",\"state\":\"locked\",\"amount\":1000,\"currency\":"
            "\"EUR\",\"from\":\"w_full\",\"to\":\"w_merchant\",\"ledger_id\":\"cb-000000000001\","
            "\"releaser\":\"railgate\",\"expires_at\":1795353355,\"locked\":1000,\"released\":0}");
    ANSWERS(s, "POST", "/v1/locks/l1/release", "{\"id\":\"r1\",\"amount\":400}", 201,
            "\"lock\":\"l1\",\"locked\":600");
    ANSWERS(s, "POST", "/v1/locks/l1/release", "{\"id\":\"r2\",\"amount\":601}", 402,
            "over_locked");
    ANSWERS(s, "POST", "/v1/locks/l2/release", "{\"id\":\"r3\",\"amount\":1}", 404, "not_found");
    /* The repeat answers as at first, the inquiry as it is now. */
    ANSWERS(s, "POST", "/v1/locks", LOCK("l1", "1000"), 201, "\"locked\":1000,\"released\":0");
    ANSWERS(s, "GET", "/v1/operations/l1", NULL, 200, "\"locked\":600,\"released\":400");
    ANSWERS(s, "POST", "/v1/locks", LOCK("l1", "1001"), 409, "id_reused");
    ANSWERS(s, "POST", "/v1/locks/l1/cancel", "{\"id\":\"l1\"}", 409, "id_reused");
    ANSWERS(s, "POST", "/v1/locks/l1/cancel", "{\"id\":\"c1\"}", 200,
            "\"kind\":\"cancel\",\"state\":\"canceled\",\"amount\":600");
    ANSWERS(s, "POST", "/v1/locks/l1/cancel", "{\"id\":\"c1\"}", 200, "\"amount\":600");
    ANSWERS(s, "POST", "/v1/locks/l1/cancel", "{\"id\":\"c2\"}", 409, "nothing_locked");
    ANSWERS(s, "POST", "/v1/locks/l1/cancel", "{\"id\":\"c2\"}", 409, "nothing_locked");
    ANSWERS(s, "GET", "/v1/operations/l1", NULL, 200, "\"state\":\"canceled\"");
    ANSWERS(s, "GET", "/v1/operations/r2", NULL, 200, "\"state\":\"declined\"");
    ANSWERS(s, "POST", "/v1/locks", LOCK("l3", "50"), 201, "locked");
    ANSWERS(s, "POST", "/v1/locks", LOCK("l4", "60"), 201, "locked");
    assert_int_equal(control(s, "POST", "/expire", "{\"id\":\"l3\"}"), STATUS_OK);
    assert_non_null(strstr(s->text, "\"expired\":1"));
    ANSWERS(s, "POST", "/v1/locks/l3/release", "{\"id\":\"r4\",\"amount\":1}", 402, "lock_expired");
    assert_int_equal(cbdc_brain.next_us(s->brain), 100 * SECOND);
    s->now_us = 100 * SECOND; /* nobody called tick */
    ANSWERS(s, "POST", "/v1/locks/l4/release", "{\"id\":\"r5\",\"amount\":60}", 402,
            "lock_expired");
    /* A repeat of a lock whose time is over is still that lock. */
    ANSWERS(s, "POST", "/v1/locks", LOCK("l4", "60"), 201, "\"state\":\"locked\"");
    ANSWERS(s, "POST", "/v1/locks", LOCK("l5", "60"), 400, "expires_at");
}

static void only_the_releaser_releases(void **state)
{
    struct sim *s = *state;
    open_door(s);
    ANSWERS(s, "POST", "/v1/locks",
            "{\"id\":\"l1\",\"payer\":\"w_full\",\"payee\":\"w_merchant\",\"releaser\":\"court\","
            "\"amount\":10,\"currency\":\"EUR\",\"expires_at\":1795353355}",
            201, "court");
    ANSWERS(s, "POST", "/v1/locks/l1/release", "{\"id\":\"r\",\"amount\":1}", 403, "not_releaser");
    ANSWERS(s, "POST", "/v1/locks/l1/cancel", "{\"id\":\"c\"}", 403, "not_releaser");
    ANSWERS(s, "GET", "/v1/operations/r", NULL, 404, "not_found");
}

static void tells_wallets_and_aliases(void **state)
{
    struct sim *s = *state;
    open_door(s);
    ANSWERS(s, "GET", "/v1/wallets/w_basic", NULL, 200,
            "{\"wallet\":\"w_basic\",\"tier\":\"basic\",\"balance\":40000,\"locked\":0,"
            "\"currency\":\"EUR\",\"limits\":{\"holding\":50000,\"single\":15000,\"day\":30000},"
            "\"spent_today\":0,\"purposes\":[],\"state\":\"active\"}");
    ANSWERS(s, "GET", "/v1/wallets/w_merchant", NULL, 200,
            "\"limits\":{\"holding\":null,\"single\":null,\"day\":null}");
    ANSWERS(s, "GET", "/v1/wallets/alias:full@example.com", NULL, 404, "not_found");
    ANSWERS(s, "GET", "/v1/wallets/", NULL, 404, "not_found");
    ANSWERS(s, "GET", "/v1/aliases/full@example.com", NULL, 200, "\"wallet\":\"w_full\"");
    ANSWERS(s, "GET", "/v1/aliases/full", NULL, 404, "not_found");
    ANSWERS(s, "GET",
            "/v1/aliases/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            NULL, 404, "not_found");
}

#define PAY(id, from, amount)                                                                      \
    "{\"id\":\"" id "\",\"from\":\"" from "\",\"to\":\"w_merchant\",\"amount\":" amount            \
    ",\"currency\":\"EUR\"}"

static void obeys_the_control_port(void **state)
{
    struct sim *s = *state;
    open_door(s);
    assert_int_equal(control(s, "POST", "/wallets",
                             "{\"wallet\":\"w_new\",\"alias\":\"new\",\"tier\":\"basic\","
                             "\"balance_minor\":20000,\"purposes\":[\"books\"]}"),
                     STATUS_OK);
    assert_int_not_equal(control(s, "POST", "/wallets", "{\"wallet\":\"w_new\"}"), STATUS_OK);
    assert_int_not_equal(control(s, "POST", "/wallets", "{\"wallet\":\"w_x\",\"tier\":\"gold\"}"),
                         STATUS_OK);
    assert_int_not_equal(control(s, "POST", "/wallets", NULL), STATUS_OK);
    assert_int_equal(control(s, "POST", "/nothing", NULL), STATUS_NOT_FOUND);
    ANSWERS(s, "POST", "/v1/transfers", PAY("p1", "alias:new", "15000"), 201, "w_new");
    ANSWERS(s, "POST", "/v1/transfers", PAY("p2", "w_basic", "15000"), 201, "settled");
    ANSWERS(s, "POST", "/v1/transfers", PAY("p3", "w_basic", "15000"), 201, "settled");
    ANSWERS(s, "POST", "/v1/transfers", PAY("p4", "w_basic", "1"), 402, "day_limit");
    assert_int_equal(control(s, "POST", "/day", NULL), STATUS_OK);
    ANSWERS(s, "POST", "/v1/transfers", PAY("p4", "w_basic", "1"), 402, "day_limit"); /* the same */
    ANSWERS(s, "POST", "/v1/transfers", PAY("p5", "w_basic", "1"), 201, "settled");
    assert_int_equal(
        control(s, "POST", "/wallets/change", "{\"wallet\":\"w_basic\",\"blocked\":true}"),
        STATUS_OK);
    ANSWERS(s, "POST", "/v1/transfers", PAY("p6", "w_basic", "1"), 402, "wallet_blocked");
    assert_int_equal(
        control(s, "POST", "/wallets/change", "{\"wallet\":\"w_basic\",\"blocked\":false}"),
        STATUS_OK);
    ANSWERS(s, "POST", "/v1/transfers", PAY("p7", "w_basic", "1"), 201, "settled");
    assert_int_equal(control(s, "GET", "/check", NULL), STATUS_OK);
    assert_non_null(strstr(s->text, "\"balanced\":true,\"replayed\":true"));
    /* A day also ends by itself. */
    ANSWERS(s, "POST", "/v1/transfers", PAY("q1", "w_standard", "150000"), 201, "settled");
    ANSWERS(s, "GET", "/v1/wallets/w_standard", NULL, 200, "\"spent_today\":150000");
    s->now_us = 86400 * SECOND;
    ANSWERS(s, "GET", "/v1/wallets/w_standard", NULL, 200, "\"spent_today\":0");
}

static void settings_whole_or_not_at_all(void **state)
{
    struct sim *s = *state;
    struct writer w = writer_over(s->text, ROOM - 1);
    struct json_out out;
    assert_int_not_equal(set(s, "{\"token_required\":false,\"token_s\":0}", NULL), STATUS_OK);
    assert_int_not_equal(set(s, "{\"token_required\":false}", "{\"railgate\":\"0\"}"), STATUS_OK);
    assert_int_not_equal(set(s, "{\"token_required\":false,\"nothing\":1}", NULL), STATUS_OK);
    ANSWERS(s, "GET", "/v1/wallets/w_full", NULL, 401, "token");
    assert_int_equal(
        set(s, "{\"currency\":\"NOK\",\"token_required\":false}", "{\"other\":\"00ff\"}"),
        STATUS_OK);
    ANSWERS(s, "GET", "/v1/wallets/w_full", NULL, 200, "NOK");
    ANSWERS(s, "POST", "/v1/transfers", PAY("p1", "w_full", "1"), 400, "currency");
    assert_int_equal(set(s, "{\"currency\":\"EUR\"}", NULL), STATUS_OK);
    ANSWERS(s, "POST", "/v1/transfers", PAY("p1", "w_full", "1"), 201, "EUR");
    assert_int_not_equal(set(s, "{\"currency\":\"NOK\"}", NULL), STATUS_OK); /* booked in EUR */
    json_out_init(&out, &w);
    json_open_object(&out, NULL);
    cbdc_brain.write_settings(s->brain, &out);
    json_close_object(&out);
    s->text[w.len] = '\0';
    assert_string_equal(s->text, "{\"currency\":\"EUR\",\"token_required\":false,\"token_s\":3600,"
                                 "\"lock_max_s\":2592000,\"day_s\":86400,\"slow_ms\":30000}");
    cbdc_brain.reset(s->brain, s->now_us);
    ANSWERS(s, "GET", "/v1/wallets/w_full", NULL, 401, "token");
    open_door(s);
    ANSWERS(s, "GET", "/v1/operations/p1", NULL, 404, "not_found");
}

static void shows_its_books(void **state)
{
    struct sim *s = *state;
    open_door(s);
    ANSWERS(s, "POST", "/v1/transfers", PAY("p1", "w_full", "100"), 201, "settled");
    ANSWERS(s, "POST", "/v1/transfers", PAY("p2", "w_empty", "100"), 402, "insufficient_funds");
    ANSWERS(s, "POST", "/v1/locks", LOCK("l1", "1000"), 201, "locked");
    write_ledger(s, 1, 100);
    assert_non_null(strstr(s->text,
                           "\"totals\":{\"opening_minor\":68390000,\"issued_minor\":"
                           "68390000,\"redeemed_minor\":0,\"balances_minor\":68389000,"
                           "\"locked_minor\":1000,\"currency\":\"EUR\",\"balanced\":true"));
    assert_non_null(strstr(s->text, "{\"number\":1,\"kind\":\"transfer\",\"id\":\"p1\",\"client\":"
                                    "\"railgate\",\"from\":\"w_full\",\"to\":\"w_merchant\","
                                    "\"amount_minor\":100,\"currency\":\"EUR\",\"state\":"
                                    "\"settled\",\"arrivals\":1,\"time\":\"2026-11-22T13:14:15"));
    assert_non_null(strstr(s->text, "\"state\":\"declined\",\"error\":\"insufficient_funds\""));
    assert_non_null(strstr(s->text, "\"next\":null}"));
    write_ledger(s, 2, 1);
    assert_null(strstr(s->text, "\"id\":\"p1\""));
    assert_non_null(strstr(s->text, "\"id\":\"p2\""));
    assert_non_null(strstr(s->text, "\"next\":3}"));
    write_ledger(s, 4, 100);
    assert_non_null(strstr(s->text, "\"entries\":[],\"next\":null}"));
    /* Names of the greatest length fit the room that is promised. */
    char body[2048], purposes[1024] = "";
    for (unsigned i = 0; i < 8; i++)
        snprintf(purposes + strlen(purposes), sizeof purposes - strlen(purposes), "%s\"%c%063d\"",
                 i > 0 ? "," : "", (char)('a' + i), 0);
    snprintf(body, sizeof body,
             "{\"wallet\":\"w_%030d\",\"alias\":\"%063d\",\"tier\":\"business\","
             "\"balance_minor\":9000000000000000000,\"purposes\":[%s]}",
             0, 0, purposes);
    assert_int_equal(control(s, "POST", "/wallets", body), STATUS_OK);
    for (unsigned i = 0; i < 200; i++) {
        snprintf(body, sizeof body,
                 "{\"id\":\"%064u\",\"payer\":\"w_%030d\",\"payee\":\"alias:%063d\","
                 "\"releaser\":\"%032d\",\"amount\":999999999999999,\"currency\":\"EUR\","
                 "\"expires_at\":1795353355,\"purpose\":\"a%063d\"}",
                 i, 0, 0, 0, 0);
        ANSWERS(s, "POST", "/v1/locks", body, 402, "same_wallet");
    }
    write_ledger(s, 1, 1000);
    write_ledger(s, UINT64_MAX, SIZE_MAX);
    assert_non_null(strstr(s->text, "\"entries\":[]"));
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        STORY(gives_tokens),
        STORY(refuses_what_is_not_a_request),
        STORY(locks),
        STORY(only_the_releaser_releases),
        STORY(tells_wallets_and_aliases),
        STORY(obeys_the_control_port),
        STORY(settings_whole_or_not_at_all),
        STORY(shows_its_books),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
