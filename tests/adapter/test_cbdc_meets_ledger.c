/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cbdc_meets_ledger.c - the loadable CBDC adapter and the brain of the ledger simulator, face
 * to face. The two share no code, so this is where a misreading of docs/rails/cbdc-wire.md by one
 * of them shows. This file is the host between them: it signs, keeps the token, fills the slot,
 * keeps refs, and holds the ledger's answer against what was asked.
 */
#include "cbdc/cbdc_brain.h"

#include <dlfcn.h>
#include <openssl/hmac.h>
#include <railgate/adapter.h>
#include <railgate/writer.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROOM 4096u
#define ROWS 32u
#define NOW  INT64_C(1000000)
/* 2026-11-22T13:14:15Z less NOW, microseconds. */
#define WALL (INT64_C(1795353255) * 1000000 - NOW)

struct rooms {
    struct rg_out out;
    uint8_t bytes[ROOM], sign_key[64], reference[128], code[32], message[256], diagnosis[512];
    uint8_t path[2048], refs_text[2048], grants_text[1024], extra_text[1024], headers_text[2048];
    struct rg_named refs[ROWS], grants[ROWS], extra[ROWS], headers[ROWS];
};

struct payment {
    struct rg_named refs[4 * ROWS];
    uint64_t refs_count;
    uint8_t text[8192];
    uint64_t text_len;
};

struct meeting {
    const struct rg_adapter *adapter;
    void *library, *instance, *exchange, *brain;
    uint8_t key[32];
    char token[512];
    uint64_t token_len;
    int64_t now_us;
    unsigned attempt;      /* number of the newest attempt */
    char attempt_id[24];   /* and its name */
    unsigned lose_answers; /* so many answers do not arrive */
    unsigned requests;
    struct rooms r;
};

struct result {
    uint32_t step, outcome, category, currency;
    int64_t amount_minor;
    char code[33];
};

static struct rg_bytes bytes_of(const char *text)
{
    return (struct rg_bytes){ (const uint8_t *)text, strlen(text) };
}

/* --- the host's side ------------------------------------------------------------------------- */
static void open_rooms(struct rooms *r)
{
    memset(r, 0, sizeof *r);
#define BUFFER(at) ((struct rg_buffer){ (at), sizeof(at), 0, 0, 0 })
    r->out = (struct rg_out){
        .size = sizeof r->out,
        .bytes = BUFFER(r->bytes),
        .sign_key = BUFFER(r->sign_key),
        .reference = BUFFER(r->reference),
        .rail_code = BUFFER(r->code),
        .message = BUFFER(r->message),
        .diagnosis = { r->diagnosis, sizeof r->diagnosis - 1, 0, 0, 0 },
        .path = { r->path, sizeof r->path - 1, 0, 0, 0 },
        .refs = { r->refs, ROWS, 0, BUFFER(r->refs_text) },
        .grants = { r->grants, ROWS, 0, BUFFER(r->grants_text) },
        .extra = { r->extra, ROWS, 0, BUFFER(r->extra_text) },
        .headers = { r->headers, ROWS, 0, BUFFER(r->headers_text) },
    };
#undef BUFFER
}

static void keep_refs(struct payment *p, const struct rg_table *table)
{
    for (uint64_t i = 0; p != NULL && i < table->count; i++) {
        struct rg_named row = table->rows[i];
        struct rg_bytes *parts[] = { &row.name, &row.value };
        for (unsigned k = 0; k < 2; k++) {
            assert_true(p->text_len + parts[k]->len <= sizeof p->text);
            uint8_t *copy = p->text + p->text_len;
            memcpy(copy, parts[k]->ptr, parts[k]->len);
            p->text_len += parts[k]->len;
            parts[k]->ptr = copy;
        }
        assert_true(p->refs_count < 4 * ROWS);
        p->refs[p->refs_count++] = row;
    }
}

/* Header lines as the wire would carry them, the token in its slot. */
static struct view header_lines(struct meeting *m, uint8_t *room, size_t size)
{
    struct writer w = writer_over(room, size);
    for (uint64_t i = 0; i < m->r.out.headers.count; i++) {
        struct view name = view_of(m->r.headers[i].name.ptr, m->r.headers[i].name.len);
        struct view value = view_of(m->r.headers[i].value.ptr, m->r.headers[i].value.len);
        size_t zero = view_find(value, 0);
        writer_view(&w, name);
        writer_text(&w, ": ");
        writer_view(&w, view_slice(value, 0, zero));
        if (m->r.headers[i].flags & RG_NAMED_SLOT) {
            assert_true(view_is(view_slice(value, zero + 1, value.len), "access_token"));
            writer_bytes(&w, m->token, m->token_len);
        }
        writer_u8(&w, '\n');
    }
    assert_false(w.overflow);
    return writer_done(&w);
}

static struct sim_answer ask(struct meeting *m, uint8_t body[ROOM], uint8_t headers[ROOM])
{
    uint8_t lines[ROOM];
    struct sim_answer answer = { .http_status = 200,
                                 .headers = writer_over(headers, ROOM),
                                 .body = writer_over(body, ROOM) };
    struct sim_request request = {
        .method = m->r.out.http_method == RG_HTTP_GET ? VIEW("GET") : VIEW("POST"),
        .target = view_of(m->r.path, m->r.out.path.len),
        .headers = header_lines(m, lines, sizeof lines),
        .body = view_of(m->r.bytes, m->r.out.bytes.len),
    };
    m->requests++;
    cbdc_brain.request(m->brain, &request, m->now_us, &answer);
    return answer;
}

static struct result take_result(struct meeting *m, uint32_t step)
{
    struct result result = { .step = step,
                             .outcome = m->r.out.outcome,
                             .category = m->r.out.category,
                             .currency = m->r.out.currency_number,
                             .amount_minor = m->r.out.amount_minor };
    memcpy(result.code, m->r.code, sizeof m->r.code);
    if (step == RG_STEP_FAIL)
        assert_true(m->r.out.diagnosis.len > 0);
    if (step == RG_STEP_DONE)
        assert_true(m->r.out.outcome >= RG_OUTCOME_APPROVED &&
                    m->r.out.outcome <= RG_OUTCOME_NOT_FOUND && m->r.out.message.len > 0);
    return result;
}

/* One exchange. An answer that is lost ends it with step SEND. */
static struct result carry_out(struct meeting *m, struct payment *p,
                               const struct rg_command *command)
{
    uint8_t body[ROOM], headers[ROOM], mac[32];
    unsigned mac_len = sizeof mac;
    memset(m->exchange, 0, m->adapter->exchange_size);
    open_rooms(&m->r);
    uint32_t step = m->adapter->begin(m->instance, m->exchange, command, &m->r.out);
    for (unsigned steps = 1; step == RG_STEP_SEND || step == RG_STEP_SIGN; steps++) {
        struct rg_event event = { .size = sizeof event };
        assert_true(steps < m->adapter->steps_max);
        if (step == RG_STEP_SIGN) {
            assert_string_equal((char *)m->r.sign_key, "client_key");
            HMAC(EVP_sha256(), m->key, sizeof m->key, m->r.bytes, m->r.out.bytes.len, mac,
                 &mac_len);
            event.kind = RG_EVENT_SIGNED;
            event.bytes = (struct rg_bytes){ mac, mac_len };
        } else {
            keep_refs(p, &m->r.out.refs);
            struct sim_answer answer = ask(m, body, headers);
            if (m->lose_answers > 0) {
                m->lose_answers--;
                return (struct result){ .step = RG_STEP_SEND };
            }
            event.kind = RG_EVENT_REPLY;
            event.http_status = (uint32_t)answer.http_status;
            event.bytes = (struct rg_bytes){ body, answer.body.len };
            event.headers = (struct rg_bytes){ headers, answer.headers.len };
        }
        open_rooms(&m->r);
        step = m->adapter->resume(m->instance, m->exchange, &event, &m->r.out);
    }
    if (step == RG_STEP_DONE)
        keep_refs(p, &m->r.out.refs);
    return take_result(m, step);
}

static struct rg_command command_of(struct meeting *m, uint32_t operation, int64_t amount_minor)
{
    struct rg_command c = { .size = sizeof c,
                            .operation = operation,
                            .amount_minor = amount_minor,
                            .currency_number = 978,
                            .currency_exponent = 2,
                            .currency_code = "EUR",
                            .time_unix_us = WALL + m->now_us };
    struct writer w = writer_over(m->attempt_id, sizeof m->attempt_id - 1);
    writer_text(&w, "att_");
    writer_u64_padded(&w, ++m->attempt, 13);
    c.attempt_id = (struct rg_bytes){ (uint8_t *)m->attempt_id, w.len };
    return c;
}

static void fetch_token(struct meeting *m)
{
    struct rg_command c = command_of(m, RG_OP_TOKEN, 0);
    c.currency_number = 0;
    struct result r = carry_out(m, NULL, &c);
    assert_int_equal(r.step, RG_STEP_DONE);
    assert_int_equal(r.outcome, RG_OUTCOME_APPROVED);
    assert_int_equal(m->r.out.grants.count, 1);
    assert_int_equal(m->r.out.grants_lifetime_s, 3570);
    assert_true(m->r.grants[0].flags & RG_NAMED_SENSITIVE);
    m->token_len = m->r.grants[0].value.len;
    memcpy(m->token, m->r.grants[0].value.ptr, m->token_len);
}

/* details: name, value, name, value, ..., NULL */
static struct result first(struct meeting *m, struct payment *p, uint32_t operation,
                           int64_t amount_minor, const char *const *details)
{
    struct rg_named rows[ROWS] = { 0 };
    uint64_t count = 0;
    for (; details[2 * count] != NULL; count++) {
        rows[count].name = bytes_of(details[2 * count]);
        rows[count].value = bytes_of(details[2 * count + 1]);
    }
    struct rg_command c = command_of(m, operation, amount_minor);
    c.original_minor = amount_minor;
    c.details = rows;
    c.details_count = count;
    memset(p, 0, sizeof *p);
    return carry_out(m, p, &c);
}

static struct result later(struct meeting *m, const struct payment *p, struct payment *own,
                           uint32_t operation, int64_t amount_minor)
{
    struct rg_command c = command_of(m, operation, amount_minor);
    c.refs = p->refs;
    c.refs_count = p->refs_count;
    if (own != NULL)
        memset(own, 0, sizeof *own);
    return carry_out(m, own, &c);
}

static void configure(struct meeting *m)
{
    struct rg_value values[64] = { 0 };
    char why[256] = { 0 };
    struct rg_diag diag = { sizeof diag, 0, 0, { (uint8_t *)why, sizeof why - 1, 0, 0, 0 } };
    for (uint64_t i = 0; i < m->adapter->settings_count; i++) {
        const char *name = m->adapter->settings[i].name;
        if (strcmp(name, "client_id") == 0)
            values[i] = (struct rg_value){ 1, 0, 0, bytes_of("railgate") };
        if (strcmp(name, "client_key") == 0)
            values[i] = (struct rg_value){ 1, 0, 0, bytes_of("ledger") };
        if (strcmp(name, "merchant_wallet") == 0)
            values[i] = (struct rg_value){ 1, 0, 0, bytes_of("w_merchant") };
        if (strcmp(name, "lock_s") == 0)
            values[i] = (struct rg_value){ 1, 0, 3600, bytes_of("3600") };
    }
    assert_int_equal(m->adapter->configure(m->instance, values, &diag), 1);
}

static int set_up(void **state)
{
    struct meeting *m = calloc(1, sizeof *m);
    struct sim_config config = { .seed = 7, .wall_offset_us = WALL };
    assert_non_null(m);
    m->library = dlopen(CBDC_ADAPTER, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(m->library);
    const struct rg_adapter *(*get)(uint32_t) = NULL;
    *(void **)&get = dlsym(m->library, RG_ADAPTER_ENTRY);
    assert_non_null(get);
    m->adapter = get((RG_ABI_MAJOR << 16) | RG_ABI_MINOR);
    m->instance = calloc(1, m->adapter->instance_size);
    m->exchange = calloc(1, m->adapter->exchange_size);
    m->brain = cbdc_brain.open(&config);
    m->now_us = NOW;
    for (unsigned i = 0; i < sizeof m->key; i++)
        m->key[i] = (uint8_t)i;
    configure(m);
    fetch_token(m);
    *state = m;
    return 0;
}

static int tear_down(void **state)
{
    struct meeting *m = *state;
    cbdc_brain.close(m->brain);
    free(m->instance);
    free(m->exchange);
    dlclose(m->library);
    free(m);
    return 0;
}

/* --- the ledger's side ------------------------------------------------------------------------ */
static void command_brain(struct meeting *m, const char *method, const char *path, const char *body,
                          const char *expected)
{
    uint8_t text[ROOM], reason[256];
    struct writer w = writer_over(text, sizeof text), why = writer_over(reason, sizeof reason);
    struct json_out out;
    struct arena arena;
    const struct json_node *root = NULL;
    arena_init(&arena, 65536);
    if (body != NULL)
        assert_int_equal(json_read(view_text(body), NULL, &arena, &root, NULL), STATUS_OK);
    json_out_init(&out, &w);
    assert_int_equal(cbdc_brain.command(m->brain, view_text(method), view_text(path), root,
                                        m->now_us, &out, &why),
                     STATUS_OK);
    writer_u8(&w, 0);
    if (expected != NULL)
        assert_non_null(strstr((char *)text, expected));
    arena_reset(&arena);
}

static int64_t balance_of(struct meeting *m, const char *wallet, const char *member)
{
    size_t room = cbdc_brain.ledger_room(m->brain, 1, 1000);
    uint8_t *text = malloc(room);
    struct writer w = writer_over(text, room);
    struct json_out out;
    struct arena arena;
    const struct json_node *root = NULL;
    struct json_limits limits = { 1 << 20, 65536, 16 };
    int64_t value = -1;
    json_out_init(&out, &w);
    cbdc_brain.write_ledger(m->brain, &out, 1, 1000);
    arena_init(&arena, 1 << 24);
    assert_int_equal(json_read(writer_done(&w), &limits, &arena, &root, NULL), STATUS_OK);
    for (JSON_EACH(item, json_member(root, "accounts"))) {
        struct view name;
        assert_int_equal(json_text(json_member(item, "wallet"), &name), STATUS_OK);
        if (view_is(name, wallet))
            assert_int_equal(json_i64(json_member(item, member), &value), STATUS_OK);
    }
    arena_reset(&arena);
    free(text);
    command_brain(m, "GET", "/check", NULL, "\"balanced\":true,\"replayed\":true");
    return value;
}

#define HAS(m, wallet)    balance_of(m, wallet, "balance_minor")
#define LOCKED(m, wallet) balance_of(m, wallet, "locked_minor")

static void approved(struct result r, int64_t amount_minor)
{
    assert_int_equal(r.step, RG_STEP_DONE);
    assert_int_equal(r.outcome, RG_OUTCOME_APPROVED);
    assert_int_equal(r.amount_minor, amount_minor);
    assert_int_equal(r.currency, 978);
}

static void not_approved(struct result r, uint32_t outcome, uint32_t category, const char *code)
{
    assert_int_equal(r.step, RG_STEP_DONE);
    assert_int_equal(r.outcome, outcome);
    assert_int_equal(r.category, category);
    assert_string_equal(r.code, code);
}

static const char *const PAYER[] = { "payer_wallet", "w_full", "reference", "order 1", NULL };

/* --- stories
 * -------------------------------------------------------------------------------------- */
static void locks_releases_and_cancels(void **state)
{
    struct meeting *m = *state;
    struct payment p, capture;
    int64_t payer = HAS(m, "w_full"), merchant = HAS(m, "w_merchant");
    approved(first(m, &p, RG_OP_AUTHORISE, 10000, PAYER), 10000);
    assert_int_equal(HAS(m, "w_full"), payer - 10000);
    assert_int_equal(LOCKED(m, "w_full"), 10000);
    approved(later(m, &p, &capture, RG_OP_CAPTURE, 3000), 3000);
    approved(later(m, &p, NULL, RG_OP_CAPTURE, 2500), 2500);
    not_approved(later(m, &p, NULL, RG_OP_CAPTURE, 4501), RG_OUTCOME_DECLINED, RG_CATEGORY_LIMIT,
                 "over_locked");
    approved(later(m, &p, NULL, RG_OP_CANCEL, 4500), 4500);
    assert_int_equal(LOCKED(m, "w_full"), 0);
    assert_int_equal(HAS(m, "w_full"), payer - 5500);
    assert_int_equal(HAS(m, "w_merchant"), merchant + 5500);
    /* Once more under another id: the rest went back already, which is what was asked for. */
    approved(later(m, &p, NULL, RG_OP_CANCEL, 4500), 4500);
    not_approved(later(m, &p, NULL, RG_OP_CAPTURE, 1), RG_OUTCOME_DECLINED, RG_CATEGORY_RESTRICTED,
                 "nothing_locked");
    /* The refund goes back by the wallets of the lock, from either's refs. */
    approved(later(m, &p, NULL, RG_OP_REFUND, 1000), 1000);
    approved(later(m, &capture, NULL, RG_OP_REFUND, 500), 500);
    assert_int_equal(HAS(m, "w_full"), payer - 4000);
}

static void cancels_too_late(void **state)
{
    struct meeting *m = *state;
    struct payment p;
    approved(first(m, &p, RG_OP_AUTHORISE, 700, PAYER), 700);
    approved(later(m, &p, NULL, RG_OP_CAPTURE, 700), 700);
    not_approved(later(m, &p, NULL, RG_OP_CANCEL, 700), RG_OUTCOME_DECLINED, RG_CATEGORY_RESTRICTED,
                 "released");
}

static void locks_expire(void **state)
{
    struct meeting *m = *state;
    static const char *const SHORT[] = { "payer_wallet", "w_full", "expires_in", "60", NULL };
    struct payment p, q;
    int64_t payer = HAS(m, "w_full");
    approved(first(m, &p, RG_OP_AUTHORISE, 500, SHORT), 500);
    m->lose_answers = 1;
    assert_int_equal(first(m, &q, RG_OP_AUTHORISE, 900, SHORT).step, RG_STEP_SEND);
    approved(later(m, &p, NULL, RG_OP_CAPTURE, 200), 200);
    assert_int_equal(cbdc_brain.next_us(m->brain), NOW + 60 * 1000000);
    m->now_us = NOW + 60 * 1000000;
    cbdc_brain.tick(m->brain, m->now_us);
    assert_int_equal(cbdc_brain.next_us(m->brain), INT64_MAX);
    assert_int_equal(HAS(m, "w_full"), payer - 200);
    not_approved(later(m, &p, NULL, RG_OP_CAPTURE, 100), RG_OUTCOME_DECLINED,
                 RG_CATEGORY_RESTRICTED, "lock_expired");
    approved(later(m, &p, NULL, RG_OP_CANCEL, 300), 300);
    /* What was paid out of it stays approved; a lock that never paid holds nothing any more. */
    approved(later(m, &p, NULL, RG_OP_INQUIRE, 0), 500);
    not_approved(later(m, &q, NULL, RG_OP_INQUIRE, 0), RG_OUTCOME_DECLINED, RG_CATEGORY_RESTRICTED,
                 "expired");
}

static void sells_refunds_and_pays_out(void **state)
{
    struct meeting *m = *state;
    static const char *const ALIAS[] = { "payer_alias", "full@example.com", NULL };
    static const char *const OUT[] = { "kind", "payout", "payee_wallet", "w_standard", NULL };
    static const char *const TO[] = { "action", "transfer", "payee_wallet", "w_standard", NULL };
    static const char *const ISSUE[] = { "action",       "issue",      "kind", "top_up",
                                         "payee_wallet", "w_standard", NULL };
    static const char *const REDEEM[] = { "action", "redeem", "kind", "payout", NULL };
    struct payment p;
    int64_t payer = HAS(m, "w_full"), merchant = HAS(m, "w_merchant");
    int64_t standard = HAS(m, "w_standard");
    approved(first(m, &p, RG_OP_SALE, 1200, ALIAS), 1200);
    approved(later(m, &p, NULL, RG_OP_REFUND, 200), 200);
    assert_int_equal(HAS(m, "w_full"), payer - 1000);
    approved(first(m, &p, RG_OP_SALE, 300, OUT), 300);
    assert_int_equal(HAS(m, "w_merchant"), merchant + 700);
    /* Who is not named is the merchant. */
    approved(first(m, &p, RG_OP_SALE, 50, TO), 50);
    assert_int_equal(HAS(m, "w_merchant"), merchant + 650);
    approved(later(m, &p, NULL, RG_OP_REFUND, 50), 50);
    approved(first(m, &p, RG_OP_SALE, 400, ISSUE), 400);
    approved(later(m, &p, NULL, RG_OP_REFUND, 150), 150);
    assert_int_equal(HAS(m, "w_standard"), standard + 300 + 250);
    approved(first(m, &p, RG_OP_SALE, 700, REDEEM), 700);
    assert_int_equal(HAS(m, "w_merchant"), merchant);
    approved(later(m, &p, NULL, RG_OP_REFUND, 700), 700);
    assert_int_equal(HAS(m, "w_merchant"), merchant + 700);
}

static void refuses_over_limits(void **state)
{
    struct meeting *m = *state;
    static const struct {
        const char *payer, *payee;
        int64_t amount_minor;
        uint32_t category;
        const char *code;
    } CASES[] = {
        { "w_empty", "w_merchant", 1, RG_CATEGORY_FUNDS, "insufficient_funds" },
        { "w_full", "w_brim", 1, RG_CATEGORY_LIMIT, "holding_limit" },
        { "w_basic", "w_merchant", 15001, RG_CATEGORY_LIMIT, "single_limit" },
        { "w_full", "w_nobody", 1, RG_CATEGORY_CREDENTIAL, "unknown_wallet" },
        { "w_blocked", "w_merchant", 1, RG_CATEGORY_RESTRICTED, "wallet_blocked" },
        { "w_full", "w_full", 1, RG_CATEGORY_REQUEST, "same_wallet" },
        { "w_full", "w_merchant", 19004, RG_CATEGORY_LIMIT, "day_limit" }, /* magic */
    };
    struct payment p;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const char *details[] = { "payer_wallet", CASES[i].payer, "payee_wallet", CASES[i].payee,
                                  NULL };
        not_approved(first(m, &p, RG_OP_SALE, CASES[i].amount_minor, details), RG_OUTCOME_DECLINED,
                     CASES[i].category, CASES[i].code);
        not_approved(later(m, &p, NULL, RG_OP_INQUIRE, 0), RG_OUTCOME_DECLINED, CASES[i].category,
                     CASES[i].code);
    }
    assert_int_equal(HAS(m, "w_brim"), 50000); /* not a part of it either */
}

static void counts_the_day(void **state)
{
    struct meeting *m = *state;
    static const char *const BASIC[] = { "payer_wallet", "w_basic", NULL };
    struct payment p;
    approved(first(m, &p, RG_OP_SALE, 15000, BASIC), 15000);
    approved(first(m, &p, RG_OP_AUTHORISE, 15000, BASIC), 15000);
    not_approved(first(m, &p, RG_OP_SALE, 1, BASIC), RG_OUTCOME_DECLINED, RG_CATEGORY_LIMIT,
                 "day_limit");
    command_brain(m, "POST", "/day", NULL, NULL);
    approved(first(m, &p, RG_OP_SALE, 10000, BASIC), 10000);
    not_approved(first(m, &p, RG_OP_SALE, 1, BASIC), RG_OUTCOME_DECLINED, RG_CATEGORY_FUNDS,
                 "insufficient_funds");
}

static void binds_to_a_purpose(void **state)
{
    struct meeting *m = *state;
    static const char *const FOOD[] = { "payer_wallet", "w_full", "lock_purpose", "groceries",
                                        NULL };
    static const char *const OTHER[] = {
        "payer_wallet", "w_full", "payee_wallet", "w_merchant2", "lock_purpose", "groceries", NULL
    };
    struct payment p;
    approved(first(m, &p, RG_OP_AUTHORISE, 500, FOOD), 500);
    approved(later(m, &p, NULL, RG_OP_CAPTURE, 500), 500);
    not_approved(first(m, &p, RG_OP_AUTHORISE, 500, OTHER), RG_OUTCOME_DECLINED,
                 RG_CATEGORY_RESTRICTED, "wrong_purpose");
    command_brain(m, "POST", "/wallets/change",
                  "{\"wallet\":\"w_merchant2\",\"purposes\":[\"groceries\"]}", "groceries");
    approved(first(m, &p, RG_OP_AUTHORISE, 500, OTHER), 500);
}

/* The answer is lost: what an inquiry and a repeat say, and that it was booked once. */
static void finds_what_was_lost(void **state)
{
    struct meeting *m = *state;
    struct payment p, own;
    int64_t payer = HAS(m, "w_full");
    m->lose_answers = 1;
    assert_int_equal(first(m, &p, RG_OP_AUTHORISE, 800, PAYER).step, RG_STEP_SEND);
    approved(later(m, &p, NULL, RG_OP_INQUIRE, 0), 800);
    m->lose_answers = 1;
    assert_int_equal(later(m, &p, &own, RG_OP_CAPTURE, 300).step, RG_STEP_SEND);
    approved(later(m, &own, NULL, RG_OP_INQUIRE, 0), 300);
    m->lose_answers = 1;
    assert_int_equal(later(m, &p, &own, RG_OP_REFUND, 100).step, RG_STEP_SEND);
    approved(later(m, &own, NULL, RG_OP_INQUIRE, 0), 100);
    m->lose_answers = 1;
    assert_int_equal(later(m, &p, &own, RG_OP_CANCEL, 500).step, RG_STEP_SEND);
    approved(later(m, &own, NULL, RG_OP_INQUIRE, 0), 500);
    assert_int_equal(HAS(m, "w_full"), payer - 200);
    /* Never sent, so not there. */
    p.refs[0].value = bytes_of("att_9999999999999");
    struct result r = later(m, &p, NULL, RG_OP_INQUIRE, 0);
    assert_int_equal(r.step, RG_STEP_DONE);
    assert_int_equal(r.outcome, RG_OUTCOME_NOT_FOUND);
}

static void repeats_are_booked_once(void **state)
{
    struct meeting *m = *state;
    struct rg_named rows[] = { { bytes_of("payer_wallet"), bytes_of("w_full"), 0, 0 } };
    struct payment p = { 0 };
    int64_t payer = HAS(m, "w_full");
    struct rg_command c = command_of(m, RG_OP_AUTHORISE, 600);
    c.details = rows;
    c.details_count = 1;
    approved(carry_out(m, &p, &c), 600);
    c.repeat = 1;
    m->now_us += 5 * 1000000; /* the repeat keeps the first one's time, so its expiry too */
    approved(carry_out(m, &p, &c), 600);
    assert_int_equal(LOCKED(m, "w_full"), 600);
    assert_int_equal(HAS(m, "w_full"), payer - 600);
    c.amount_minor = 601; /* the same id with other content: nobody may believe any answer */
    assert_int_equal(carry_out(m, &p, &c).step, RG_STEP_FAIL);
}

/* Magic amounts: an answer that is not to be believed is never an approval of what was asked. */
static void distrusts(void **state)
{
    struct meeting *m = *state;
    static const struct {
        int64_t amount_minor;
        uint32_t step;
        uint32_t found; /* what an inquiry says afterwards */
    } CASES[] = {
        { 9020, RG_STEP_FAIL, RG_OUTCOME_NOT_FOUND }, { 9021, RG_STEP_FAIL, RG_OUTCOME_APPROVED },
        { 9024, RG_STEP_FAIL, RG_OUTCOME_APPROVED },  { 9025, RG_STEP_FAIL, RG_OUTCOME_APPROVED },
        { 9026, RG_STEP_FAIL, RG_OUTCOME_NOT_FOUND }, { 9027, RG_STEP_DONE, RG_OUTCOME_APPROVED },
    };
    struct payment p;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        assert_int_equal(first(m, &p, RG_OP_SALE, CASES[i].amount_minor, PAYER).step,
                         CASES[i].step);
        struct result r = later(m, &p, NULL, RG_OP_INQUIRE, 0);
        assert_int_equal(r.step, RG_STEP_DONE);
        assert_int_equal(r.outcome, CASES[i].found);
    }
    /* Handed out as the ledger said, for the host to compare. */
    struct result wrong = first(m, &p, RG_OP_SALE, 9022, PAYER);
    assert_int_equal(wrong.step, RG_STEP_DONE);
    assert_int_equal(wrong.amount_minor, 9023);
    wrong = first(m, &p, RG_OP_SALE, 9023, PAYER);
    assert_int_equal(wrong.step, RG_STEP_DONE);
    assert_int_not_equal(wrong.currency, 978);
    assert_int_not_equal(wrong.currency, 0);
}

static void needs_a_token(void **state)
{
    struct meeting *m = *state;
    struct payment p;
    command_brain(m, "POST", "/tokens/drop", NULL, NULL);
    not_approved(first(m, &p, RG_OP_SALE, 100, PAYER), RG_OUTCOME_REJECTED, RG_CATEGORY_SECURITY,
                 "token");
    assert_int_equal(later(m, &p, NULL, RG_OP_INQUIRE, 0).step, RG_STEP_FAIL);
    fetch_token(m);
    approved(first(m, &p, RG_OP_SALE, 100, PAYER), 100);
    m->now_us += INT64_C(3600) * 1000000; /* it holds an hour */
    not_approved(first(m, &p, RG_OP_SALE, 100, PAYER), RG_OUTCOME_REJECTED, RG_CATEGORY_SECURITY,
                 "token");
    m->key[0] ^= 1;
    struct rg_command c = command_of(m, RG_OP_TOKEN, 0);
    not_approved(carry_out(m, NULL, &c), RG_OUTCOME_DECLINED, RG_CATEGORY_SECURITY, "client");
    m->key[0] ^= 1;
    c = command_of(m, RG_OP_TOKEN, 0);
    c.time_unix_us -= INT64_C(301) * 1000000;
    not_approved(carry_out(m, NULL, &c), RG_OUTCOME_DECLINED, RG_CATEGORY_SECURITY, "client");
}

/* What cannot be asked never leaves. */
static void does_not_ask(void **state)
{
    struct meeting *m = *state;
    static const char *const CASES[][5] = {
        { NULL },
        { "payer_wallet", "bank account", NULL },
        { "payer_alias", "a\"b", NULL },
        { "payer_wallet", "w_full", "expires_in", "0", NULL },
        { "payer_wallet", "w_full", "expires_in", "31622401", NULL },
        { "payer_wallet", "w_full", "lock_purpose", "Food!", NULL },
        { "payer_wallet", "w_full", "action", "issue", NULL },
        { "payer_wallet", "w_full", "action", "burn", NULL },
    };
    struct payment p;
    unsigned requests = m->requests;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        assert_int_equal(first(m, &p, RG_OP_AUTHORISE, 100, CASES[i]).step, RG_STEP_FAIL);
    assert_int_equal(first(m, &p, RG_OP_AUTHORISE, 0, PAYER).step, RG_STEP_FAIL);
    assert_int_equal(first(m, &p, RG_OP_AUTHORISE, -1, PAYER).step, RG_STEP_FAIL);
    assert_int_equal(first(m, &p, RG_OP_AUTHORISE, INT64_C(1000000000000000), PAYER).step,
                     RG_STEP_FAIL);
    assert_int_equal(later(m, &p, NULL, RG_OP_CAPTURE, 100).step, RG_STEP_FAIL);
    assert_int_equal(later(m, &p, NULL, RG_OP_INQUIRE, 0).step, RG_STEP_FAIL);
    assert_int_equal(first(m, &p, RG_OP_REVERSE, 100, PAYER).step, RG_STEP_FAIL);
    assert_int_equal(first(m, &p, 77, 100, PAYER).step, RG_STEP_FAIL);
    assert_int_equal(m->requests, requests);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        STORY(locks_releases_and_cancels),
        STORY(cancels_too_late),
        STORY(locks_expire),
        STORY(sells_refunds_and_pays_out),
        STORY(refuses_over_limits),
        STORY(counts_the_day),
        STORY(binds_to_a_purpose),
        STORY(finds_what_was_lost),
        STORY(repeats_are_booked_once),
        STORY(distrusts),
        STORY(needs_a_token),
        STORY(does_not_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
