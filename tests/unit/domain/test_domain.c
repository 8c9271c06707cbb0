/* test_domain.c - money, words, ids, refs and civil time, each against figures from outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/ensure.h"
#include "domain/id_json.h"
#include "domain/ids.h"
#include "domain/money.h"
#include "domain/refs.h"
#include "domain/time.h"
#include "domain/words.h"

#include <railgate/adapter.h>
#include <time.h>

#define assert_ok(call) assert_int_equal((call), STATUS_OK)

/* --- money --------------------------------------------------------------------------------- */

static void currencies_are_found_with_their_exponents(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        uint16_t number;
        uint8_t exponent;
    } known[] = {
        { "EUR", 978, 2 }, { "USD", 840, 2 }, { "JPY", 392, 0 }, { "KWD", 414, 3 },
        { "CLF", 990, 4 }, { "AED", 784, 2 }, { "ZWG", 924, 2 }, { "ISK", 352, 0 },
        { "TND", 788, 3 }, { "UYW", 927, 4 }, { "ALL", 8, 2 },   { "XCG", 532, 2 },
    };
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        const struct currency *by_code = NULL, *by_number = NULL;
        assert_ok(currency_by_code(view_text(known[i].code), &by_code));
        assert_ok(currency_by_number(known[i].number, &by_number));
        assert_ptr_equal(by_code, by_number);
        assert_int_equal(by_code->exponent, known[i].exponent);
        assert_string_equal(by_code->code, known[i].code);
    }
    const struct currency *none = NULL;
    static const char *const refused[] = { "",    "E",   "EU",  "eur", "EURO", "XXX", "XTS",
                                           "XAU", "HRK", "BGN", "AAA", "ZZZ",  "EU " };
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        assert_int_equal(currency_by_code(view_text(refused[i]), &none), STATUS_NOT_FOUND);
    assert_int_equal(currency_by_number(0, &none), STATUS_NOT_FOUND);
    assert_int_equal(currency_by_number(999, &none), STATUS_NOT_FOUND);
    assert_null(none);
}

static const char *const rows[] = {
#define CURRENCY(code, number, exponent, name) code,
#include "domain/currency.def"
#undef CURRENCY
};

static void the_table_is_sorted_and_unique(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct currency *row = NULL, *same = NULL;
        if (i > 0)
            assert_true(strcmp(rows[i - 1], rows[i]) < 0);
        assert_ok(currency_by_code(view_text(rows[i]), &row)); /* every row can be found */
        assert_ok(currency_by_number(row->number, &same));
        assert_ptr_equal(row, same); /* or a number stands twice */
        assert_true(row->exponent == 0 || (row->exponent >= 2 && row->exponent <= 4));
        assert_true(row->number > 0 && row->number <= 999);
    }
}

static void assert_money(int64_t minor, const char *code, const char *expected)
{
    char text[64];
    struct writer w = writer_over(text, sizeof text);
    struct money money = { .minor = minor };
    assert_ok(currency_by_code(view_text(code), &money.currency));
    money_format(&w, money);
    assert_ok(writer_terminate(&w));
    assert_string_equal(text, expected);
}

static void money_is_written_for_people(void **state)
{
    (void)state;
    assert_money(1250, "EUR", "12.50 EUR");
    assert_money(500, "JPY", "500 JPY");
    assert_money(-5, "KWD", "-0.005 KWD");
    assert_money(0, "EUR", "0.00 EUR");
    assert_money(1, "CLF", "0.0001 CLF");
    assert_money(9007199254740993, "EUR", "90071992547409.93 EUR");
    assert_money(INT64_MIN, "EUR", "-92233720368547758.08 EUR");
    assert_money(INT64_MAX, "JPY", "9223372036854775807 JPY");
}

static void sums_do_not_wrap(void **state)
{
    (void)state;
    int64_t sum = 7;
    assert_int_equal(money_add(INT64_MAX, 1, &sum), STATUS_RANGE);
    assert_int_equal(money_add(INT64_MIN, -1, &sum), STATUS_RANGE);
    assert_int_equal(sum, 7);
    assert_ok(money_add(INT64_MAX - 1, 1, &sum));
    assert_true(sum == INT64_MAX);
}

/* --- words --------------------------------------------------------------------------------- */

static void words_go_both_ways(void **state)
{
    (void)state;
    enum payment_status status = 0;
    assert_string_equal(payment_status_word(PAYMENT_PARTIALLY_REFUNDED), "partially_refunded");
    assert_ok(payment_status_parse(VIEW("partially_refunded"), &status));
    assert_int_equal(status, PAYMENT_PARTIALLY_REFUNDED);
    assert_int_equal(payment_status_parse(VIEW("Refunded"), &status), STATUS_NOT_FOUND);
    assert_int_equal(payment_status_parse(VIEW(""), &status), STATUS_NOT_FOUND);
    assert_string_equal(payment_status_word((enum payment_status)0), "?");
    assert_string_equal(rail_word((enum rail)99), "?");
    assert_false(payment_status_valid(0));
    assert_false(payment_status_valid(10));
    assert_false(payment_status_valid(INT64_C(1) << 33)); /* not cut to 32 bits */
    assert_true(payment_status_valid(9));
    int valid = 0;
    for (int64_t i = -1; i < 40; i++) {
        enum attempt_state again = 0;
        if (!attempt_state_valid(i))
            continue;
        valid++;
        assert_ok(
            attempt_state_parse(view_text(attempt_state_word((enum attempt_state)i)), &again));
        assert_int_equal(again, i);
    }
    assert_int_equal(valid, 13);
}

static void numbers_equal_those_of_the_adapter_interface(void **state)
{
    (void)state;
    assert_int_equal(OPERATION_AUTHORISE, RG_OP_AUTHORISE);
    assert_int_equal(OPERATION_SALE, RG_OP_SALE);
    assert_int_equal(OPERATION_CAPTURE, RG_OP_CAPTURE);
    assert_int_equal(OPERATION_CANCEL, RG_OP_CANCEL);
    assert_int_equal(OPERATION_REFUND, RG_OP_REFUND);
    assert_int_equal(OPERATION_INQUIRE, RG_OP_INQUIRE);
    assert_int_equal(OPERATION_REVERSE, RG_OP_REVERSE);
    assert_int_equal(OPERATION_SIGN_ON, RG_OP_SIGN_ON);
    assert_int_equal(OPERATION_SIGN_OFF, RG_OP_SIGN_OFF);
    assert_int_equal(OPERATION_ECHO, RG_OP_ECHO);
    assert_int_equal(OPERATION_KEY_CHANGE, RG_OP_KEY_CHANGE);
    assert_int_equal(OPERATION_TOKEN, RG_OP_TOKEN);
    assert_int_equal(OUTCOME_APPROVED, RG_OUTCOME_APPROVED);
    assert_int_equal(OUTCOME_DECLINED, RG_OUTCOME_DECLINED);
    assert_int_equal(OUTCOME_PENDING, RG_OUTCOME_PENDING);
    assert_int_equal(OUTCOME_REJECTED, RG_OUTCOME_REJECTED);
    assert_int_equal(OUTCOME_NOT_FOUND, RG_OUTCOME_NOT_FOUND);
}

/* --- ids ----------------------------------------------------------------------------------- */

static void ids_only_grow(void **state)
{
    (void)state;
    struct id_source source;
    id_source_init(&source, 0);
    int64_t first = id_next(&source, INT64_C(1700000000000000));
    assert_true(first >> 20 == INT64_C(1700000000000));
    assert_true(id_next(&source, INT64_C(1700000000000000)) == first + 1);
    assert_true(id_next(&source, 0) == first + 2);         /* the clock was set back */
    assert_true(id_next(&source, INT64_MIN) == first + 3); /* or is broken */
    assert_true(id_next(&source, INT64_C(1700000000001000)) > first + 3);
    id_source_init(&source, first + (1 << 21)); /* the store has seen a larger one */
    assert_true(id_next(&source, INT64_C(1700000000000000)) > first + (1 << 21));
    id_source_init(&source, 0);
    assert_true(id_next(&source, 0) > 0); /* zero is no id */
    assert_true(id_next(&source, INT64_MAX) > 0);
}

static void ids_are_text_and_back(void **state)
{
    (void)state;
    static const int64_t numbers[] = { 1, 31, 32, INT64_C(1782561836498763776), INT64_MAX };
    char text[ID_TEXT_MAX], before[ID_TEXT_MAX] = "";
    for (int kind = ID_PAYMENT; kind <= ID_MERCHANT; kind++) {
        before[0] = '\0';
        for (size_t i = 0; i < COUNT_OF(numbers); i++) {
            int64_t again = 0;
            id_format((enum id_kind)kind, numbers[i], text);
            assert_int_equal(strlen(text), 17);
            assert_ok(id_parse((enum id_kind)kind, view_text(text), &again));
            assert_true(again == numbers[i]);
            assert_true(strcmp(before, text) < 0); /* text order is number order */
            memcpy(before, text, sizeof before);
        }
    }
    assert_string_equal(id_format(ID_PAYMENT, 1, text), "pay_0000000000001");
    assert_string_equal(id_format(ID_REFUND, INT64_MAX, text), "ref_7zzzzzzzzzzzz");
}

static void ids_are_members_of_objects(void **state)
{
    (void)state;
    uint8_t room[200];
    struct writer w = writer_over(room, sizeof room);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_put_id(&j, "payment", ID_PAYMENT, 1);
    json_put_id_if(&j, "merchant", ID_MERCHANT, 0);
    json_put_id_if(&j, "attempt", ID_ATTEMPT, 33);
    json_close_object(&j);
    assert_true(view_is(writer_done(&w), "{\"payment\":\"pay_0000000000001\","
                                         "\"attempt\":\"att_0000000000011\"}"));
}

static void broken_ids_are_refused(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "",
        "pay",
        "pay_",
        "pay_0000000000000",  /* zero */
        "pay_000000000001",   /* short */
        "pay_00000000000001", /* long */
        "ref_0000000000001",  /* another kind */
        "PAY_0000000000001",
        "pay_000000000000A", /* upper case */
        "pay_000000000000i", /* not in the alphabet */
        "pay_000000000000u",
        "pay_8000000000000", /* 2^63 */
        "pay_zzzzzzzzzzzzz",
        "pay-0000000000001",
        "pay_00000000 0001",
    };
    int64_t id = -7;
    for (size_t i = 0; i < COUNT_OF(broken); i++)
        assert_int_equal(id_parse(ID_PAYMENT, view_text(broken[i]), &id), STATUS_MALFORMED);
    /* A zero byte inside is no letter either. */
    assert_int_equal(id_parse(ID_PAYMENT, view_of("pay_000000000000\0", 17), &id),
                     STATUS_MALFORMED);
    assert_true(id == -7);
}

/* --- refs ---------------------------------------------------------------------------------- */

static void refs_are_read_as_written(void **state)
{
    (void)state;
    uint8_t room[256];
    struct writer w = writer_over(room, sizeof room);
    refs_put(&w, VIEW("stan"), VIEW("000123"), 0);
    refs_put(&w, VIEW("pan"), VIEW("x"), REF_SENSITIVE | REF_SEALED);
    refs_put(&w, VIEW("rrn"), VIEW_EMPTY, 0);
    refs_put(&w, VIEW("stan"), VIEW("000124"), 0);
    assert_ok(writer_status(&w));
    struct view set = writer_done(&w);
    assert_ok(refs_check(set));
    assert_true(view_is(refs_find(set, "stan"), "000124")); /* later rows override */
    assert_int_equal(refs_find(set, "rrn").len, 0);
    assert_int_equal(refs_find(set, "none").len, 0);
    struct cursor c = cursor_over(set);
    struct ref row;
    bool broken = true;
    assert_true(refs_next(&c, &row, &broken));
    assert_true(view_is(row.name, "stan") && view_is(row.value, "000123"));
    assert_true(refs_next(&c, &row, &broken));
    assert_int_equal(row.flags, REF_SENSITIVE | REF_SEALED);

    /* Cut anywhere but between rows it is malformed, and nothing is read past the end. */
    size_t whole = 0;
    for (size_t cut = 0; cut < set.len; cut++) {
        uint8_t *copy = malloc(cut > 0 ? cut : 1);
        assert_non_null(copy);
        memcpy(copy, set.ptr, cut);
        whole += refs_check(view_of(copy, cut)) == STATUS_OK ? 1 : 0;
        free(copy);
    }
    assert_int_equal(whole, 4); /* after 0, 1, 2 and 3 rows */
}

static void refs_have_limits(void **state)
{
    (void)state;
    static uint8_t room[REFS_ROWS_MAX * 8 + 4096];
    static const uint8_t zeros[REFS_VALUE_MAX + 1];
    struct writer w = writer_over(room, sizeof room);
    refs_put(&w, VIEW("n"), view_of(zeros, REFS_VALUE_MAX), 0);
    assert_ok(writer_status(&w));
    refs_put(&w, VIEW("n"), view_of(zeros, REFS_VALUE_MAX + 1), 0);
    assert_int_equal(writer_status(&w), STATUS_FULL);
    w = writer_over(room, sizeof room);
    refs_put(&w, VIEW(""), VIEW("v"), 0);
    assert_int_equal(writer_status(&w), STATUS_FULL);
    w = writer_over(room, sizeof room);
    refs_put(&w, view_of(zeros, REFS_NAME_MAX + 1), VIEW("v"), 0);
    assert_int_equal(writer_status(&w), STATUS_FULL);
    w = writer_over(room, sizeof room);
    for (int i = 0; i < REFS_ROWS_MAX; i++)
        refs_put(&w, VIEW("n"), VIEW("v"), 0);
    assert_ok(refs_check(writer_done(&w)));
    refs_put(&w, VIEW("n"), VIEW("v"), 0);
    assert_int_equal(refs_check(writer_done(&w)), STATUS_FULL);
    assert_int_equal(refs_check(VIEW("\x04\x01\x00\x00n")), STATUS_MALFORMED); /* unknown flag */
    assert_int_equal(refs_check(VIEW("\x00\x00\x00\x00")), STATUS_MALFORMED);  /* no name */
}

/* --- time ---------------------------------------------------------------------------------- */

static void civil_time_agrees_with_the_c_library(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252u; /* any seed: the walk is the same each time */
    for (int i = 0; i < 20000; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        /* From about the year -1000 to 5000. */
        int64_t seconds = (int64_t)(x % 189000000000u) - INT64_C(94000000000);
        time_t when = (time_t)seconds;
        struct tm expected;
        struct civil c;
        assert_non_null(gmtime_r(&when, &expected));
        civil_from_us(seconds * 1000000 + 123456, 0, &c);
        assert_int_equal(c.year, expected.tm_year + 1900);
        assert_int_equal(c.month, expected.tm_mon + 1);
        assert_int_equal(c.day, expected.tm_mday);
        assert_int_equal(c.hour, expected.tm_hour);
        assert_int_equal(c.minute, expected.tm_min);
        assert_int_equal(c.second, expected.tm_sec);
        assert_int_equal(c.microsecond, 123456);
        assert_true(civil_to_us(&c) == seconds * 1000000 + 123456);
    }
    struct civil far = { .year = INT32_MAX, .month = 1, .day = 1 };
    assert_true(civil_to_us(&far) == INT64_MAX);
    far.year = INT32_MIN;
    assert_true(civil_to_us(&far) == INT64_MIN);
    civil_from_us(INT64_MIN, -840, &far); /* must not overflow */
    civil_from_us(INT64_MAX, 840, &far);
    assert_int_equal(far.year, 294247);
}

static void local_time_is_shifted(void **state)
{
    (void)state;
    struct civil c;
    civil_from_us(INT64_C(951782399) * 1000000, 60, &c); /* 2000-02-28T23:59:59Z */
    assert_int_equal(c.day, 29);
    assert_int_equal(c.hour, 0);
    assert_int_equal(c.minute, 59);
    civil_from_us(0, -330, &c);
    assert_int_equal(c.year, 1969);
    assert_int_equal(c.hour, 18);
    assert_int_equal(c.minute, 30);
}

static void time_is_written_as_in_rfc_3339(void **state)
{
    (void)state;
    char text[64];
    struct writer w = writer_over(text, sizeof text);
    time_format(&w, INT64_C(1795352400123456));
    assert_ok(writer_terminate(&w));
    assert_string_equal(text, "2026-11-22T13:00:00.123Z");
    w = writer_over(text, sizeof text);
    time_format(&w, INT64_MAX);
    assert_int_equal(writer_status(&w), STATUS_FULL); /* the year has more than four digits */
}

static void offsets_are_read(void **state)
{
    (void)state;
    int32_t minutes = 1;
    assert_ok(offset_parse(VIEW("Z"), &minutes));
    assert_int_equal(minutes, 0);
    assert_ok(offset_parse(VIEW("+02:00"), &minutes));
    assert_int_equal(minutes, 120);
    assert_ok(offset_parse(VIEW("-05:30"), &minutes));
    assert_int_equal(minutes, -330);
    assert_int_equal(offset_parse(VIEW("+15:00"), &minutes), STATUS_RANGE);
    static const char *const broken[] = { "",       "z",      "02:00",   "+2:00",
                                          "+02:60", "+0200",  "+02:000", "+ 2:00",
                                          "+a2:00", "-05-30", "UTC" };
    for (size_t i = 0; i < COUNT_OF(broken); i++)
        assert_int_equal(offset_parse(view_text(broken[i]), &minutes), STATUS_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(currencies_are_found_with_their_exponents),
        cmocka_unit_test(the_table_is_sorted_and_unique),
        cmocka_unit_test(money_is_written_for_people),
        cmocka_unit_test(sums_do_not_wrap),
        cmocka_unit_test(words_go_both_ways),
        cmocka_unit_test(numbers_equal_those_of_the_adapter_interface),
        cmocka_unit_test(ids_only_grow),
        cmocka_unit_test(ids_are_text_and_back),
        cmocka_unit_test(ids_are_members_of_objects),
        cmocka_unit_test(broken_ids_are_refused),
        cmocka_unit_test(refs_are_read_as_written),
        cmocka_unit_test(refs_have_limits),
        cmocka_unit_test(civil_time_agrees_with_the_c_library),
        cmocka_unit_test(local_time_is_shifted),
        cmocka_unit_test(time_is_written_as_in_rfc_3339),
        cmocka_unit_test(offsets_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
