/* test_code.c - one-time codes: the published vectors, and codes of another payment, payer, amount,
 * payee or half minute.
 *
 * Vectors: RFC 6238 appendix B, the rows of SHA256. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ensure.h"
#include "domain/ids.h"
#include "payment/authenticate_int.h"

#define NOW_US  INT64_C(1700000010000000) /* 1700000010 is a multiple of 30 */
#define STEP_US INT64_C(30000000)
#define PAYMENT INT64_C(4711)

struct fixture {
    struct loop *loop;
    struct secrets *secrets;
    struct settings settings;
    struct authentication_of of;
};

static const struct currency *currency(const char *code)
{
    const struct currency *found = NULL;
    assert_int_equal(currency_by_code(view_text(code), &found), STATUS_OK);
    return found;
}

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){ .settings.authentication_code_key = "codes" };
    f.loop = loop_open_virtual(7, NOW_US);
    assert_int_equal(secrets_open(&f.secrets, f.loop), STATUS_OK);
    assert_int_equal(secret_put(f.secrets, "codes", SECRET_HMAC_SHA256,
                                VIEW("a key for the codes of this test")),
                     STATUS_OK);
    f.of = (struct authentication_of){ .merchant = 1,
                                       .payment = PAYMENT,
                                       .payer = VIEW("cus_1"),
                                       .amount = { 1250, currency("EUR") },
                                       .payee = VIEW("shop_1") };
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    secrets_close(f->secrets);
    loop_close(f->loop);
    return 0;
}

static void code_at(struct fixture *f, const struct authentication_of *of, int64_t wall_us,
                    char out[AUTHENTICATION_CODE_DIGITS + 1])
{
    assert_int_equal(authentication_code(f->secrets, &f->settings, of, wall_us, out), STATUS_OK);
    assert_int_equal(strlen(out), 8);
}

static enum authentication_result check(struct fixture *f, const struct authentication_of *of,
                                        const char *code, int64_t wall_us)
{
    char text[256];
    struct writer why = writer_over(text, sizeof text);
    enum authentication_result result =
        authentication_code_check(f->secrets, &f->settings, of, view_text(code), wall_us, &why);
    assert_false(why.overflow);
    assert_int_equal(why.len > 0, result != AUTHENTICATION_RIGHT);
    if (strlen(code) == 8 && result != AUTHENTICATION_RIGHT) {
        assert_int_equal(writer_terminate(&why), STATUS_OK);
        assert_null(strstr(text, code)); /* it is never told */
    }
    return result;
}

static void published_vectors(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint64_t unix_s;
        const char *code;
    } rows[] = {
        { 59, "46119246" },         { 1111111109, "68084774" }, { 1111111111, "67062674" },
        { 1234567890, "91819424" }, { 2000000000, "90698825" }, { 20000000000, "77737706" },
    };
    assert_int_equal(secret_put(f->secrets, "rfc6238", SECRET_HMAC_SHA256,
                                VIEW("12345678901234567890123456789012")),
                     STATUS_OK);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char code[AUTHENTICATION_CODE_DIGITS + 1];
        assert_int_equal(totp_code(secret_find(f->secrets, "rfc6238"), rows[i].unix_s / 30, code),
                         STATUS_OK);
        assert_string_equal(code, rows[i].code);
    }
}

/* What an authenticator that holds only the payer's key has to compute. */
static void keys_are_derived_as_the_header_says(void **state)
{
    struct fixture *f = *state;
    char label[128], expected[AUTHENTICATION_CODE_DIGITS + 1], code[AUTHENTICATION_CODE_DIGITS + 1];
    struct secret_key *payer = NULL, *payment = NULL;
    struct writer w = writer_over(label, sizeof label);
    writer_text(&w, "payment\n");
    id_write(&w, ID_PAYMENT, PAYMENT);
    writer_text(&w, "\n1250 EUR\nshop_1");
    assert_int_equal(secret_derive(secret_find(f->secrets, "codes"),
                                   VIEW("payer\nmer_0000000000001\ncus_1"), &payer),
                     STATUS_OK);
    assert_int_equal(secret_derive(payer, writer_done(&w), &payment), STATUS_OK);
    assert_int_equal(totp_code(payment, (uint64_t)(NOW_US / STEP_US), expected), STATUS_OK);
    code_at(f, &f->of, NOW_US, code);
    assert_string_equal(code, expected);
    secret_key_close(payment);
    secret_key_close(payer);
}

static void a_code_fits_one_step_to_either_side(void **state)
{
    struct fixture *f = *state;
    char code[AUTHENTICATION_CODE_DIGITS + 1];
    code_at(f, &f->of, NOW_US, code); /* of [NOW, NOW + 30 s) */
    assert_int_equal(check(f, &f->of, code, NOW_US), AUTHENTICATION_RIGHT);
    assert_int_equal(check(f, &f->of, code, NOW_US + STEP_US - 1), AUTHENTICATION_RIGHT);
    assert_int_equal(check(f, &f->of, code, NOW_US + 2 * STEP_US - 1), AUTHENTICATION_RIGHT);
    assert_int_equal(check(f, &f->of, code, NOW_US + 2 * STEP_US), AUTHENTICATION_LATE);
    assert_int_equal(check(f, &f->of, code, NOW_US - STEP_US), AUTHENTICATION_RIGHT);
    /* A code that will be right soon is not told from one that never is: it could be guessed now.
     */
    assert_int_equal(check(f, &f->of, code, NOW_US - STEP_US - 1), AUTHENTICATION_WRONG);
    assert_int_equal(check(f, &f->of, code, NOW_US + 11 * STEP_US - 1), AUTHENTICATION_LATE);
    assert_int_equal(check(f, &f->of, code, NOW_US + 11 * STEP_US), AUTHENTICATION_WRONG);
    /* At the beginning of time there is no step before. */
    code_at(f, &f->of, 0, code);
    assert_int_equal(check(f, &f->of, code, 0), AUTHENTICATION_RIGHT);
}

static void a_code_fits_nothing_else(void **state)
{
    struct fixture *f = *state;
    char code[AUTHENTICATION_CODE_DIGITS + 1];
    struct authentication_of other[9];
    for (size_t i = 0; i < COUNT_OF(other); i++)
        other[i] = f->of;
    other[0].payment++;
    other[1].payer = VIEW("cus_2");
    other[2].amount.minor++;
    other[3].amount.currency = currency("USD");
    other[4].payee = VIEW("shop_2");
    other[5].payee = VIEW_EMPTY;
    other[6].amount.minor = 12500; /* 1250 and a zero */
    other[7].payer = VIEW("cus_1\n");
    other[8].merchant++; /* whose cus_1 is somebody else */
    code_at(f, &f->of, NOW_US, code);
    for (size_t i = 0; i < COUNT_OF(other); i++)
        assert_int_equal(check(f, &other[i], code, NOW_US), AUTHENTICATION_WRONG);
}

static void what_is_no_code(void **state)
{
    struct fixture *f = *state;
    char code[AUTHENTICATION_CODE_DIGITS + 1], changed[12];
    code_at(f, &f->of, NOW_US, code);
    for (size_t i = 0; i < 8; i++) { /* each digit matters */
        memcpy(changed, code, sizeof code);
        changed[i] = changed[i] == '9' ? '0' : (char)(changed[i] + 1);
        assert_int_equal(check(f, &f->of, changed, NOW_US), AUTHENTICATION_WRONG);
    }
    memcpy(changed, code, sizeof code);
    changed[7] = '\0';
    assert_int_equal(check(f, &f->of, changed, NOW_US), AUTHENTICATION_WRONG);
    assert_int_equal(check(f, &f->of, changed + 2, NOW_US), AUTHENTICATION_WRONG);
    assert_int_equal(check(f, &f->of, "", NOW_US), AUTHENTICATION_WRONG);
    memcpy(changed, code, 8);
    memcpy(changed + 8, "0", 2);
    assert_int_equal(check(f, &f->of, changed, NOW_US), AUTHENTICATION_WRONG);
    memcpy(changed, code, sizeof code);
    changed[0] = ' ';
    assert_int_equal(check(f, &f->of, changed, NOW_US), AUTHENTICATION_WRONG);
}

static void without_key_or_payer_it_is_impossible(void **state)
{
    struct fixture *f = *state;
    char code[AUTHENTICATION_CODE_DIGITS + 1];
    struct authentication_of nobody = f->of;
    nobody.payer = VIEW_EMPTY;
    assert_int_equal(check(f, &nobody, "12345678", NOW_US), AUTHENTICATION_IMPOSSIBLE);
    assert_int_equal(authentication_code(f->secrets, &f->settings, &nobody, NOW_US, code),
                     STATUS_NOT_FOUND);
    f->settings.authentication_code_key = "";
    assert_int_equal(check(f, &f->of, "12345678", NOW_US), AUTHENTICATION_IMPOSSIBLE);
    f->settings.authentication_code_key = "not there";
    assert_int_equal(check(f, &f->of, "12345678", NOW_US), AUTHENTICATION_IMPOSSIBLE);
    assert_int_equal(secret_put(f->secrets, "token", SECRET_TOKEN, VIEW("0123456789abcdef")),
                     STATUS_OK);
    f->settings.authentication_code_key = "token";
    assert_int_equal(check(f, &f->of, "12345678", NOW_US), AUTHENTICATION_IMPOSSIBLE);
    assert_int_equal(authentication_code(f->secrets, &f->settings, &f->of, NOW_US, code),
                     STATUS_NOT_FOUND);
    assert_string_equal(code, "");
}

static void texts_longer_than_any_payee_are_no_way_round(void **state)
{
    struct fixture *f = *state;
    static char payee[2048];
    memset(payee, 'x', sizeof payee);
    f->of.payee = view_of(payee, sizeof payee);
    assert_int_equal(check(f, &f->of, "12345678", NOW_US), AUTHENTICATION_IMPOSSIBLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(published_vectors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_are_derived_as_the_header_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_code_fits_one_step_to_either_side, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_code_fits_nothing_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_code, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_key_or_payer_it_is_impossible, set_up, tear_down),
        cmocka_unit_test_setup_teardown(texts_longer_than_any_payee_are_no_way_round, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
