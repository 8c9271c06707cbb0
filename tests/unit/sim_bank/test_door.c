/* test_door.c - stories at the door of the bank: signatures, tokens, messages that are none. */
#include "customer.h"

#include "base/ensure.h"
#include "json/json_read.h"

#include <stdio.h>

static void sign_headers(struct customer *c, char out[2048], const char *kid, int64_t age_s,
                         const char *xml, const char *more)
{
    struct writer w = writer_over(out, 2047);
    writer_text(&w, more);
    writer_text(&w, "x-jws-signature: ");
    ENSURE(jose_sign_detached(&c->key, kid, CUSTOMER_WALL_US / 1000000 - age_s, view_text(xml),
                              &w) == STATUS_OK);
    writer_text(&w, "\n");
    out[w.len] = '\0';
}

static void without_a_good_signature_nothing_is_looked_at(void **state)
{
    struct customer *c = *state;
    char headers[2048];
    const char *xml = pain_001(c, &(struct order){ 0 });
    customer_post_unsigned(c, "/messages", "", xml);
    assert_int_equal(c->http_status, 401);
    sign_headers(c, headers, "k", 301, xml, "");
    customer_post_unsigned(c, "/messages", headers, xml);
    assert_int_equal(c->http_status, 401); /* too old */
    sign_headers(c, headers, "k", 0, "<another/>", "");
    customer_post_unsigned(c, "/messages", headers, xml);
    assert_int_equal(c->http_status, 401);
    customer_post_unsigned(c, "/messages", "x-jws-signature: a..b\n", xml);
    assert_int_equal(c->http_status, 401);
    assert_int_equal(moved(c, CREDITOR, "EUR"), 0);
    sign_headers(c, headers, "k", 300, xml, "");
    customer_post_unsigned(c, "/messages", headers, xml);
    assert_int_equal(c->http_status, 200);
    customer_set(c, "{\"check_signature\":false}");
    customer_post_unsigned(c, "/messages", "", xml);
    assert_int_equal(c->http_status, 200);
}

static void what_the_bank_says_is_signed(void **state)
{
    struct customer *c = *state;
    static const char *const keys[] = {
        "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw",
        "YP7UuiVanTHJYet0xjVtaMBJuJI7Yfps5mliLmDyn7Z5A_4QCLi8maQa6elWKLxk8vGyDC1-n1F3o8KU1EYimQ"
    };
    customer_set(c, "{\"answer\":\"notice\"}");
    for (int i = 0; i < 2; i++) {
        struct jose_key key;
        struct jose_header header;
        char id[8];
        snprintf(id, sizeof id, "N%d", i);
        customer_set(c, i == 0 ? "{\"jws_alg\":\"EdDSA\"}" : "{\"jws_alg\":\"ES256\"}");
        customer_forget(c);
        customer_post(c, pain_001(c, &(struct order){ .msg_id = id, .end_to_end_id = id }));
        assert_int_equal(jose_key_public(&key, view_text(keys[i])), STATUS_OK);
        struct view value = sim_header(view_text(c->notices[0].headers), "x-jws-signature");
        assert_int_equal(
            jose_verify_detached(&key, 1, "bank-1", value, view_text(c->notices[0].body), &header),
            STATUS_OK);
        assert_int_equal(header.iat_s, CUSTOMER_WALL_US / 1000000);
        jose_key_fini(&key);
    }
}

static int token(struct customer *c, const char *client, int64_t lives_s, char out[128])
{
    char payload[256], body[4096];
    int len = snprintf(payload, sizeof payload,
                       "{\"iss\":\"%s\",\"sub\":\"%s\",\"aud\":\"https://bank/oauth2/token\","
                       "\"exp\":%lld,\"jti\":\"1\"}",
                       client, client, (long long)(CUSTOMER_WALL_US / 1000000 + lives_s));
    struct writer w = writer_over(body, sizeof body - 1);
    writer_text(&w, "grant_type=client_credentials&client_id=railgate&client_assertion_type="
                    "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&"
                    "client_assertion=");
    ENSURE(jose_sign_token(&c->key, "channel-1", view_of(payload, (size_t)len), &w) == STATUS_OK);
    body[w.len] = '\0';
    customer_post_unsigned(c, "/oauth2/token", "", body);
    const struct json_node *root = NULL;
    struct view text = VIEW_EMPTY;
    assert_int_equal(json_read(arena_copy(&c->arena, view_of(c->body, c->body_len)), NULL,
                               &c->arena, &root, NULL),
                     STATUS_OK);
    if (json_text(json_member(root, "access_token"), &text) == STATUS_OK)
        assert_int_equal(view_to_text(text, out, 128), STATUS_OK);
    return c->http_status;
}

static void a_token_opens_the_door_for_a_while(void **state)
{
    struct customer *c = *state;
    char access[128] = "", more[256], headers[2048];
    const char *xml;
    customer_set(c, "{\"tokens_required\":true,\"token_ttl_s\":60}");
    customer_post(c, pain_001(c, &(struct order){ 0 }));
    assert_int_equal(c->http_status, 401);
    assert_int_equal(token(c, "somebody", 60, access), 401);
    assert_int_equal(token(c, "railgate", 0, access), 401); /* assertion has expired */
    assert_int_equal(token(c, "railgate", 60, access), 200);
    assert_true(access[0] != '\0');
    snprintf(more, sizeof more, "authorization: Bearer %s\n", access);
    xml = pain_001(c, &(struct order){ 0 });
    sign_headers(c, headers, "k", 0, xml, more);
    customer_post_unsigned(c, "/messages", headers, xml);
    assert_int_equal(c->http_status, 200);
    customer_wait(c, 60000);
    customer_post_unsigned(c, "/messages", headers, xml);
    assert_int_equal(c->http_status, 401);
    customer_post_unsigned(c, "/oauth2/token", "", "grant_type=password");
    assert_int_equal(c->http_status, 400);
}

static void what_is_no_message_is_refused(void **state)
{
    struct customer *c = *state;
    customer_post(c, "<not xml");
    assert_int_equal(c->http_status, 400);
    assert_string_equal(answer_has(c, "RjctgPtyRsn"), "FF01");
    customer_post(c, "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pain.001.001.99\"><a/>"
                     "</Document>");
    assert_string_equal(answer_has(c, "RjctgPtyRsn"), "FF01");
    customer_post(c, "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><Document/>");
    assert_int_equal(c->http_status, 400);

    char *xml = c->text; /* a customer hears of what is missing by pain.002 */
    pain_001(c, &(struct order){ 0 });
    memcpy(strstr(xml, "<PmtMtd>"), "<XmtMtd>", 8);
    memcpy(strstr(xml, "</PmtMtd>"), "</XmtMtd>", 9);
    customer_post(c, xml);
    assert_int_equal(c->http_status, 400);
    assert_string_equal(answer_has(c, "GrpSts"), "RJCT");
    assert_string_equal(answer_has(c, "Cd"), "FF01");
    assert_string_equal(answer_has(c, "OrgnlMsgId"), "M1");

    customer_set(c, "{\"connection\":\"participant\"}"); /* a participant by admi.002 */
    pacs_008(c, &(struct order){ 0 });
    memcpy(strstr(xml, "<ChrgBr>SLEV"), "<ChrgBr>XXXX", 12);
    customer_post(c, xml);
    assert_int_equal(c->http_status, 400);
    assert_string_equal(answer_has(c, "RjctgPtyRsn"), "FF01");
    assert_string_equal(answer_has(c, "Ref"), "M1");
    assert_non_null(strstr((char *)c->body, "ChrgBr"));
}

static void header_and_document_have_to_agree(void **state)
{
    struct customer *c = *state;
    c->enveloped = true;
    pain_001(c, &(struct order){ 0 });
    memcpy(strstr(c->text, "MsgDefIdr>pain.001.001.09"), "MsgDefIdr>pain.001.001.03", 25);
    customer_post(c, c->text);
    assert_int_equal(c->http_status, 400);
    assert_string_equal(answer_has(c, "Cd"), "FF01");
    customer_post(c, pain_001(c, &(struct order){ 0 }));
    assert_int_equal(c->http_status, 200);
}

static void knobs_are_whole_or_not_at_all(void **state)
{
    struct customer *c = *state;
    static const char *const bad[] = {
        "{\"scheme\":\"sepa\",\"nothing\":1}",        "{\"scheme\":\"sepa\",\"delay_ms\":-1}",
        "{\"scheme\":\"sepa\",\"answer\":\"maybe\"}", "{\"scheme\":\"sepa\",\"bic\":\"X\"}",
        "{\"scheme\":\"sepa\",\"notify_debits\":1}",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        uint8_t text[256];
        struct writer why = writer_over(text, sizeof text);
        const struct json_node *root = NULL;
        assert_int_equal(json_read(view_text(bad[i]), NULL, &c->arena, &root, NULL), STATUS_OK);
        assert_int_not_equal(bank_brain.set(c->bank, root, NULL, 0, &why), STATUS_OK);
        assert_true(why.len > 0);
    }
    char text[4096];
    struct writer w = writer_over(text, sizeof text - 1);
    struct json_out out;
    json_out_init(&out, &w);
    json_open_object(&out, NULL);
    bank_brain.write_settings(c->bank, &out);
    json_close_object(&out);
    text[w.len] = '\0';
    assert_non_null(strstr(text, "\"scheme\":\"generic\""));
    assert_null(strstr(text, "TM0Imyj")); /* no secrets */
}

static void keys_can_be_others(void **state)
{
    struct customer *c = *state;
    uint8_t text[256];
    struct writer why = writer_over(text, sizeof text);
    const struct json_node *root = NULL;
    static const char keys[] =
        "{\"channel_public\":\"PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw\"}";
    assert_int_equal(json_read(view_text(keys), NULL, &c->arena, &root, NULL), STATUS_OK);
    assert_int_equal(bank_brain.set(c->bank, NULL, root, 0, &why), STATUS_OK);
    customer_post(c, pain_001(c, &(struct order){ 0 })); /* signed with the key of before */
    assert_int_equal(c->http_status, 401);
    jose_key_fini(&c->key);
    assert_int_equal(
        jose_key_private(&c->key, VIEW("TM0Imyj_ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U-4pvs"), JOSE_EDDSA),
        STATUS_OK);
    customer_post(c, pain_001(c, &(struct order){ 0 }));
    assert_int_equal(c->http_status, 200);
}

static void reset_empties_the_books(void **state)
{
    struct customer *c = *state;
    customer_set(c, "{\"booking\":\"delayed\"}");
    customer_post(c, pain_001(c, &(struct order){ 0 }));
    bank_brain.reset(c->bank, 0);
    assert_true(bank_brain.next_us(c->bank) == INT64_MAX);
    customer_post(c, pain_001(c, &(struct order){ 0 })); /* not known any more */
    assert_answer(c, "ACSC", "");
    assert_int_equal(moved(c, CREDITOR, "EUR"), 1250);
}

static void other_doors_are_closed(void **state)
{
    struct customer *c = *state;
    customer_post_unsigned(c, "/elsewhere", "", "");
    assert_int_equal(c->http_status, 404);
    struct sim_answer answer = { .http_status = 200,
                                 .headers = writer_over(c->headers, 100),
                                 .body = writer_over(c->body, 1000) };
    struct sim_request request = { .method = VIEW("GET"), .target = VIEW("/messages?x=1") };
    bank_brain.request(c->bank, &request, 0, &answer);
    assert_int_equal(answer.http_status, 405);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORY(name) cmocka_unit_test_setup_teardown(name, customer_start, customer_stop)
        STORY(without_a_good_signature_nothing_is_looked_at),
        STORY(what_the_bank_says_is_signed),
        STORY(a_token_opens_the_door_for_a_while),
        STORY(what_is_no_message_is_refused),
        STORY(header_and_document_have_to_agree),
        STORY(knobs_are_whole_or_not_at_all),
        STORY(keys_can_be_others),
        STORY(reset_empties_the_books),
        STORY(other_doors_are_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
