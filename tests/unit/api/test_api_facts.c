/* test_api_facts.c - a live request's facts: copied, with accounts as they are counted.
 *
 * Test card numbers from published ranges. */
#include "body_read.h"

#include "base/ensure.h"
#include "domain/refs.h"

struct scene {
    struct loop *loop;
    struct secrets *secrets;
    struct payment_request r;
};

/* `json` is wiped before the facts are looked at, as the HTTP body would be. */
static void read_facts(struct scene *s, enum rail rail, struct view details, const char *json)
{
    char copy[2048];
    struct body body;
    size_t len = strlen(json);
    assert_true(len < sizeof copy);
    memcpy(copy, json, len + 1);
    s->loop = loop_open_virtual(7, 1);
    assert_int_equal(secrets_open(&s->secrets, s->loop), STATUS_OK);
    assert_int_equal(
        secret_put(s->secrets, "k", SECRET_HMAC_SHA256, VIEW("12345678901234567890123456789012")),
        STATUS_OK);
    s->r = (struct payment_request){ .rail = rail,
                                     .kind = PAYMENT_KIND_PURCHASE,
                                     .amount = { .minor = 5 },
                                     .merchant = 1,
                                     .details = details };
    assert_int_equal(currency_by_code(VIEW("EUR"), &s->r.amount.currency), STATUS_OK);
    arena_init(&s->r.arena, (size_t)64 * 1024);
    body_open(&body, copy);
    assert_int_equal(
        facts_of_request(&s->r, body.root, secret_find(s->secrets, "k"), 1700000000000000),
        STATUS_OK);
    memset(copy, 'z', sizeof copy);
    body_close(&body);
    assert_non_null(s->r.facts);
    assert_int_equal(s->r.facts->wall_us, 1700000000000000);
}

static void end(struct scene *s)
{
    arena_reset(&s->r.arena);
    secrets_close(s->secrets);
    loop_close(s->loop);
}

static void is(const struct scene *s, enum fact fact, const char *value)
{
    char text[256];
    struct writer w = writer_over(text, sizeof text);
    facts_write(&w, s->r.facts, fact);
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    assert_string_equal(text, value);
}

static struct view put_row(uint8_t room[64], const char *name, const char *value)
{
    struct writer w = writer_over(room, 64);
    refs_put(&w, view_text(name), view_text(value), REF_SENSITIVE);
    assert_false(w.overflow);
    return writer_done(&w);
}

static void a_card_is_a_keyed_hash(void **state)
{
    (void)state;
    struct scene s;
    uint8_t room[64], mac[SECRET_MAC_MAX];
    char expected[80];
    size_t len = 0;
    static const char json[] = "{\"method\":{\"type\":\"card\",\"card\":{\"entry\":\"manual\","
                               "\"pan\":\"4242424242424242\"}},\"payee\":{\"id\":\"s\"}}";
    read_facts(&s, RAIL_CARD, put_row(room, "pan", "4242424242424242"), json);
    assert_int_equal(
        secret_mac(secret_find(s.secrets, "k"), VIEW("card-account\n4242424242424242"), mac, &len),
        STATUS_OK);
    struct writer w = writer_over(expected, sizeof expected);
    writer_text(&w, "card:");
    writer_hex_lower(&w, view_of(mac, len));
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    is(&s, FACT_PAYER_ACCOUNT, expected);
    is(&s, FACT_CARD_FIRST6, "424242");
    is(&s, FACT_PAYEE_ID, "s");
    is(&s, FACT_MERCHANT, "mer_0000000000001");
    end(&s);
    /* The same card by its stripe is the same account. */
    read_facts(&s, RAIL_CARD, put_row(room, "track2", "4242424242424242=30121011234500000"), json);
    is(&s, FACT_PAYER_ACCOUNT, expected);
    end(&s);
    read_facts(&s, RAIL_CARD, put_row(room, "track2", "4242424242424242D30121011234500000"), json);
    is(&s, FACT_PAYER_ACCOUNT, expected);
    end(&s);
    read_facts(&s, RAIL_CARD, put_row(room, "pan", "4111111111111111"), json);
    assert_false(view_is(s.r.facts->values[FACT_PAYER_ACCOUNT].text, expected));
    end(&s);
    read_facts(&s, RAIL_CARD, put_row(room, "entry", "chip"), json);
    is(&s, FACT_PAYER_ACCOUNT, "-");
    end(&s);
}

static void accounts_are_counted_without_blanks(void **state)
{
    (void)state;
    struct scene s;
    read_facts(&s, RAIL_BANK, VIEW_EMPTY,
               "{\"method\":{\"type\":\"bank\",\"bank\":{\"debtor\":{\"iban\":"
               "\"DE75 5121 0800 1245 1261 99\",\"name\":\"A  B\"},"
               "\"creditor\":{\"account\":\" \"}}}}");
    is(&s, FACT_PAYER_ACCOUNT, "DE75512108001245126199");
    is(&s, FACT_PAYER_NAME, "A  B");
    is(&s, FACT_PAYEE_ACCOUNT, "-");
    end(&s);
}

static void too_little_memory_is_told(void **state)
{
    (void)state;
    struct body body;
    struct payment_request r = { .rail = RAIL_BANK, .kind = PAYMENT_KIND_BILL, .merchant = 1 };
    assert_int_equal(currency_by_code(VIEW("EUR"), &r.amount.currency), STATUS_OK);
    body_open(&body, "{\"payer\":{\"name\":\"N\"}}");
    arena_init(&r.arena, 16);
    assert_int_equal(facts_of_request(&r, body.root, NULL, 0), STATUS_NO_MEMORY);
    assert_null(r.facts);
    arena_reset(&r.arena);
    body_close(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_card_is_a_keyed_hash),
        cmocka_unit_test(accounts_are_counted_without_blanks),
        cmocka_unit_test(too_little_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
