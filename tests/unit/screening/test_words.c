/* test_words.c - names as they are compared, and dates as they are read. All names are invented. */
#include "screening_fixture.h"

#include "screening/read_int.h"

static void same(const char *name, const char *expected)
{
    char text[1024];
    struct writer w = writer_over(text, sizeof text);
    screening_normalise(view_text(name), &w);
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    assert_string_equal(text, expected);
}

static void test_case_marks_and_punctuation(void **state)
{
    (void)state;
    same("", "");
    same("  KORBUTANOV,\tAlexei  ", "korbutanov alexei");
    same("O'Brannaghan", "obrannaghan");
    same("O\xE2\x80\x99"
         "Brannaghan",
         "obrannaghan");
    same("Anne-Marie d`Ombre", "anne marie dombre");
    same("Björn Øresundsen", "bjorn oresundsen");
    same("Bjo\xCC\x88rn", "bjorn"); /* the mark on its own */
    same("Łucja Żółćowska", "lucja zolcowska");
    same("Nguyễn Thị Ánh Đào", "nguyen thi anh dao");
    same("Straßenmüller & Söhne", "strassenmuller sohne");
    same("Ｆｕｌｌ Ｗｉｄｔｈ", "full width");
    same("İpek Işıklı", "ipek isikli");
    same("Firm No. 7/11", "firm no 7 11");
    same("***", "");
}

static void test_cyrillic_as_in_passports(void **state)
{
    (void)state;
    same("Юрий Щукарёвский", "yuriy shchukarevskiy");
    same("Юрии\xCC\x86", "yuriy"); /* a letter and a mark for one letter */
    same("ЖУРАВЛЬ", "zhuravl");
    same("Її Ґанок", "yiyi ganok");
    same("ООО «Северный»", "ooo severnyy");
}

static void test_other_scripts(void **state)
{
    (void)state;
#ifdef RAILGATE_ICU
    same("王大寿", "wang da shou");
    same("Αλέξανδρος", "alexandros");
    same("محمد", "mhmd");
#else
    same("王大寿", "王大寿");
    same("محمد", "محمد");
#endif
}

static void test_what_is_not_utf8_is_read_all_the_same(void **state)
{
    (void)state;
    same("Jos\xE9 Mu\xF1oz", "jose munoz");
    same("\xC3", "a"); /* half a letter: Windows-1252 has an A with tilde there */
    same("Kor\xFF\xFE", "koryth");
    same("\x93Quoted\x94", "quoted");
}

static void test_long_names_are_cut(void **state)
{
    (void)state;
    char *name = malloc(100001);
    assert_non_null(name);
    memset(name, 'a', 100000);
    name[100000] = '\0';
    char text[2048];
    struct writer w = writer_over(text, sizeof text);
    screening_normalise(view_text(name), &w);
    assert_int_equal(w.len, SCREENING_NAME_MAX);
    free(name);
    /* One letter that decomposes into eighteen: the longest there is. */
    char ligatures[3 * 300 + 1] = "";
    for (size_t i = 0; i < 300; i++)
        memcpy(ligatures + 3 * i, "\xEF\xB7\xBA", 4);
    char wide[8192];
    w = writer_over(wide, sizeof wide);
    screening_normalise(view_text(ligatures), &w);
    assert_false(w.overflow);
    assert_true(w.len > 0);
}

static void test_times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds; /* -1: refused */
    } cases[] = { { "1970-01-01", 0 },
                  { "2026-11-01", 1793491200 },
                  { "2024-02-29", 1709164800 },
                  { "2026-10-30T23:59:59.999Z", 1793404799 },
                  { "2026-10-30T23:59:59", 1793404799 },
                  { "2026-10-30T23:59:59+02:00", 1793397599 },
                  { "2026-10-30T23:59:59.5-04:00", 1793419199 },
                  { " 2026-11-01 ", 1793491200 },
                  { "2025-02-29", -1 },
                  { "2026-13-01", -1 },
                  { "2026-11-31", -1 },
                  { "2026-11-00", -1 },
                  { "2026-11-1", -1 },
                  { "2026/11/01", -1 },
                  { "2026-11-01T", -1 },
                  { "2026-11-01T24:00:00", -1 },
                  { "2026-11-01T10:00:00 CET", -1 },
                  { "", -1 } };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t time_us = -1;
        enum status s = read_time(view_text(cases[i].text), &time_us);
        if ((s == STATUS_OK) != (cases[i].seconds >= 0) ||
            (s == STATUS_OK && time_us != cases[i].seconds * 1000000))
            fail_msg("%s: %lld", cases[i].text, (long long)time_us);
    }
}

static void test_values_between_commas(void **state)
{
    (void)state;
    uint8_t room[256];
    struct view fields[READ_FIELDS_MAX];
    size_t count;
    assert_int_equal(
        fields_split(VIEW("1, \"A \"\"B\"\", C\" ,-0- ,,x"), room, sizeof room, fields, &count),
        STATUS_OK);
    assert_int_equal(count, 5);
    assert_true(view_is(fields[1], "A \"B\", C"));
    assert_true(view_is(fields[2], "-0-"));
    assert_int_equal(fields[3].len, 0);
    assert_int_equal(fields_split(VIEW("a,\"b"), room, sizeof room, fields, &count), STATUS_SHORT);
    assert_int_equal(fields_split(VIEW("a,\"b\"c"), room, sizeof room, fields, &count),
                     STATUS_MALFORMED);
    char commas[READ_FIELDS_MAX + 1];
    memset(commas, ',', sizeof commas);
    assert_int_equal(
        fields_split(view_of(commas, READ_FIELDS_MAX - 1), room, sizeof room, fields, &count),
        STATUS_OK);
    assert_int_equal(count, READ_FIELDS_MAX);
    assert_int_equal(
        fields_split(view_of(commas, READ_FIELDS_MAX), room, sizeof room, fields, &count),
        STATUS_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_case_marks_and_punctuation),
        cmocka_unit_test(test_cyrillic_as_in_passports),
        cmocka_unit_test(test_other_scripts),
        cmocka_unit_test(test_what_is_not_utf8_is_read_all_the_same),
        cmocka_unit_test(test_long_names_are_cut),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_values_between_commas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
