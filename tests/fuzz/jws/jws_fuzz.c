/* jws_fuzz.c - assertions under hostile bytes.
 *
 * The first byte says what the others are: `t` the whole assertion, `h` a header and `c` claims
 * that a trusted issuer signs. Beside not crashing: bytes that nobody signed are never right; what
 * is right has the algorithm of the key and every claim as the payment has it; a reason is given
 * for everything else.
 *
 * Keys: RFC 8032 section 7.1, test 1. */
#include "base/arena.h"
#include "base/ensure.h"
#include "jws_maker.h"
#include "payment/authenticate_int.h"
#include "json/json_read.h"

#define NOW_S INT64_C(1700000000)
#define ROOM  16384

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct issuer {
    struct loop *loop;
    struct secrets *secrets;
    struct issuer_settings row;
    struct settings settings;
    struct authentication_of of;
};

static void open_issuer(struct issuer *i)
{
    char text[128];
    struct writer why = writer_over(text, sizeof text);
    *i = (struct issuer){ .row = { .name = "i", .key = "public", .audience = "railgate" } };
    i->loop = loop_open_virtual(1, 1);
    ENSURE(i->loop != NULL && secrets_open(&i->secrets, i->loop) == STATUS_OK);
    ENSURE(secret_put_hex(i->secrets, "secret", SECRET_SIGN_ED25519,
                          VIEW("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
                          &why) == STATUS_OK);
    ENSURE(secret_put_hex(i->secrets, "public", SECRET_VERIFY_ED25519,
                          VIEW("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
                          &why) == STATUS_OK);
    i->settings.authentication_code_key = "";
    i->settings.issuers = &i->row;
    i->settings.issuers_count = 1;
    i->of = (struct authentication_of){
        .payment = 1, .payer = VIEW("p"), .amount = { .minor = 5 }, .payee = VIEW("q")
    };
    ENSURE(currency_by_code(VIEW("EUR"), &i->of.amount.currency) == STATUS_OK);
}

static void close_issuer(struct issuer *i)
{
    secrets_close(i->secrets);
    loop_close(i->loop);
}

static bool text_is(const struct json_node *claims, const char *name, const char *value)
{
    struct view text = VIEW_EMPTY;
    return json_text(json_member(claims, name), &text) == STATUS_OK && view_is(text, value);
}

static void must_be_right(const char *header, const char *claims)
{
    struct arena arena;
    const struct json_node *h, *c;
    int64_t amount = 0, issued = 0, expires = 0;
    arena_init(&arena, (size_t)1 << 20);
    ENSURE(json_read(view_text(header), NULL, &arena, &h, NULL) == STATUS_OK);
    ENSURE(json_read(view_text(claims), NULL, &arena, &c, NULL) == STATUS_OK);
    ENSURE(text_is(h, "alg", "EdDSA"));
    ENSURE(text_is(c, "iss", "i") && text_is(c, "sub", "p") && text_is(c, "currency", "EUR"));
    ENSURE(text_is(c, "payment", "pay_0000000000001") && text_is(c, "payee", "q"));
    ENSURE(json_i64(json_member(c, "amount"), &amount) == STATUS_OK && amount == 5);
    ENSURE(json_i64(json_member(c, "iat"), &issued) == STATUS_OK && issued <= NOW_S + 60);
    ENSURE(json_i64(json_member(c, "exp"), &expires) == STATUS_OK && expires > NOW_S);
    ENSURE(expires - issued <= 600);
    arena_reset(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[ROOM], part[4096];
    char said[512];
    const char *header = "{\"alg\":\"EdDSA\"}";
    const char *claims =
        "{\"iss\":\"i\",\"aud\":\"railgate\",\"iat\":1700000000,\"exp\":1700000300,"
        "\"sub\":\"p\",\"payment\":\"pay_0000000000001\",\"amount\":5,"
        "\"currency\":\"EUR\",\"payee\":\"q\"}";
    if (size == 0 || size > sizeof part || (size > 1 && memchr(data + 1, 0, size - 1) != NULL))
        return 0;
    memcpy(part, data + 1, size - 1);
    part[size - 1] = '\0';
    struct issuer i;
    open_issuer(&i);
    struct writer w = writer_over(text, sizeof text), why = writer_over(said, sizeof said);
    bool is_signed = data[0] == 'h' || data[0] == 'c';
    if (data[0] == 'h')
        header = part;
    else if (data[0] == 'c')
        claims = part;
    if (is_signed)
        jws_make(&w, secret_find(i.secrets, "secret"), header, claims);
    else
        writer_text(&w, part);
    ENSURE(!w.overflow);
    enum authentication_result result = authentication_assertion_check(
        i.secrets, &i.settings, &i.of, writer_done(&w), NOW_S * 1000000, &why);
    ENSURE(!why.overflow && (why.len > 0) == (result != AUTHENTICATION_RIGHT));
    ENSURE(is_signed || result != AUTHENTICATION_RIGHT);
    if (result == AUTHENTICATION_RIGHT)
        must_be_right(header, claims);
    close_issuer(&i);
    return 0;
}
