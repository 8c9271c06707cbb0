/* test_lists.c - files as they come: good, old, cut off, hostile. All entries are invented. */
#include "screening_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_US INT64_C(86400000000)

/* --- what is in good files ------------------------------------------------------------------- */

static void test_good_files(void **state)
{
    (void)state;
    struct screening *s = open_lists();
    assert_int_equal(screening_count(s), 3);
    const struct screening_list *ofac = screening_list(s, "ofac"), *un = screening_list(s, "un"),
                                *plain = screening_list(s, "plain");
    assert_null(screening_list(s, "none"));
    assert_ptr_equal(screening_at(s, 1), un);
    assert_true(ofac->loaded && un->loaded && plain->loaded);
    assert_int_equal(ofac->entries, 7);
    assert_int_equal(ofac->names, 12);
    assert_int_equal(ofac->skipped, 1);
    assert_string_equal(ofac->why, "alt.csv:5: sdn.csv has no entry of that number");
    assert_int_equal(un->entries, 4);
    assert_int_equal(un->names, 9);
    assert_int_equal(un->skipped, 1);
    assert_string_equal(un->why, "un.xml:39: the entry has no name");
    assert_int_equal(un->published_us, INT64_C(1793404799000000));
    assert_int_equal(plain->entries, 11);
    assert_int_equal(plain->skipped, 0);
    assert_string_equal(plain->why, "");
    assert_int_equal(plain->published_us, INT64_C(1793491200000000));
    screening_close(s);
}

static void test_nothing_to_open(void **state)
{
    (void)state;
    struct screening *s;
    assert_int_equal(screening_open(&s, NULL, 0), STATUS_OK);
    assert_int_equal(screening_count(s), 0);
    expect_below(s, "Anybody Atall", 1);
    screening_close(s);
    screening_close(NULL);
}

/* --- age ------------------------------------------------------------------------------------- */

static void test_age(void **state)
{
    (void)state;
    struct screening_list list = { .loaded = true,
                                   .published_us = 1000 * DAY_US,
                                   .max_age_us = 7 * DAY_US };
    int64_t end = 1007 * DAY_US;
    assert_true(screening_fresh(&list, 1000 * DAY_US));
    assert_true(screening_fresh(&list, end - 1000000));
    assert_true(screening_fresh(&list, end - 1));
    assert_false(screening_fresh(&list, end));
    assert_false(screening_fresh(&list, end + 1000000));
    assert_false(screening_fresh(&list, INT64_MAX));
    /* dated ahead: a day is a wrong clock, more is a list that would never be old */
    assert_true(screening_fresh(&list, 999 * DAY_US));
    assert_false(screening_fresh(&list, 999 * DAY_US - 1));
    list.loaded = false;
    assert_false(screening_fresh(&list, 1000 * DAY_US));
}

static void test_without_a_date_the_files_date_counts(void **state)
{
    (void)state;
    struct folder folder;
    folder_make(&folder);
    const char *path = folder_write(&folder, "a.csv", "name\nTarvold Mesk\n", 18);
    struct timespec times[2] = { { 1700000000, 0 }, { 1700000000, 5000 } };
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    struct screening *s = open_one(SCREENING_CSV, path);
    assert_int_equal(screening_at(s, 0)->published_us, INT64_C(1700000000000005));
    screening_close(s);
    /* of the three files of OFAC the oldest */
    static const char *const names[] = { "o/sdn.csv", "o/alt.csv", "o/add.csv" };
    static const char row[] = "7,\"MESK, Tarvold\",\"individual\",,,,,,,,,\n";
    for (size_t i = 0; i < 3; i++) {
        path = folder_write(&folder, names[i], row, i == 0 ? sizeof row - 1 : 0);
        times[1].tv_sec = 1700000000 + (i == 1 ? -500 : (time_t)i);
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    }
    char of[SCRATCH_FILE_MAX];
    snprintf(of, sizeof of, "%s/o", folder.path);
    s = open_one(SCREENING_OFAC_SDN, of);
    assert_true(screening_at(s, 0)->loaded);
    assert_int_equal(screening_at(s, 0)->published_us, INT64_C(1699999500000005));
    screening_close(s);
    folder_remove(&folder);
}

/* --- what is not loaded ---------------------------------------------------------------------- */

static void refused(enum screening_format format, const char *path, const char *why)
{
    struct screening *s = open_one(format, path);
    const struct screening_list *list = screening_at(s, 0);
    if (list->loaded || strstr(list->why, why) == NULL)
        fail_msg("loaded %d: %s, not %s", list->loaded, list->why, why);
    assert_int_equal(list->entries, 0);
    assert_int_equal(list->names, 0);
    assert_false(screening_fresh(list, list->published_us));
    expect_below(s, "Tarvold Mesk", 1);
    screening_close(s);
}

static void refused_text(enum screening_format format, const char *text, size_t len,
                         const char *why)
{
    struct folder folder;
    folder_make(&folder);
    refused(format, folder_write(&folder, "list", text, len), why);
    folder_remove(&folder);
}
#define REFUSED(format, text, why) refused_text(format, text, sizeof(text) - 1, why)

static void test_not_there(void **state)
{
    (void)state;
    struct folder folder;
    folder_make(&folder);
    char path[SCRATCH_FILE_MAX];
    snprintf(path, sizeof path, "%s/none.csv", folder.path);
    refused(SCREENING_CSV, path, "none.csv: No such file");
    refused(SCREENING_UN_XML, path, "none.csv: No such file");
    refused(SCREENING_CSV, folder.path, "is not a file");
    refused(SCREENING_OFAC_SDN, folder.path, "sdn.csv: No such file");
    folder_write(&folder, "sdn.csv", "1,A B,,,,,,,,,,\n", 16);
    refused(SCREENING_OFAC_SDN, folder.path, "alt.csv: No such file");
    folder_write(&folder, "alt.csv", "", 0);
    refused(SCREENING_OFAC_SDN, folder.path, "add.csv: No such file");
    snprintf(path, sizeof path, "%s/pipe", folder.path);
    assert_int_equal(mkfifo(path, 0600), 0);
    refused(SCREENING_CSV, path, "is not a file"); /* and nobody waits for a writer */
    folder_remove(&folder);
}

static void test_csv_that_is_not_loaded(void **state)
{
    (void)state;
    REFUSED(SCREENING_CSV, "", "no entry could be read");
    REFUSED(SCREENING_CSV, "# published: 2026-11-01\n", "no entry could be read");
    REFUSED(SCREENING_CSV, "name\n", "no entry could be read");
    REFUSED(SCREENING_CSV, "name\n,\n\"\"\n", "2: the row has no name");
    REFUSED(SCREENING_CSV, "Tarvold Mesk\n", "must name the columns");
    REFUSED(SCREENING_CSV, "id,name\n1,Tarvold Mesk\n2,\"Tarvold",
            "3: the file ends within quotation");
    REFUSED(SCREENING_CSV, "id,name\n1,Tarvold Mesk\n2,\"Tarvold\n",
            "3: the file ends within quotation");
    REFUSED(SCREENING_CSV, "id,name\n1,Tarvold Mesk\n2", "3: the file ends within a row");
    REFUSED(SCREENING_CSV, "\xFF\xFE\0n\0a\0m\0e\0\n", "must name the columns");
}

static void test_csv_with_bad_rows(void **state)
{
    (void)state;
    struct screening *s = open_csv_text("\xEF\xBB\xBFname,aliases,birth_date\r\n"
                                        "\"Open Quote\r\n"
                                        "Tarvold Mesk,;??;Good Aliasson,19xx-01-01\r\n"
                                        "\"Shut\" wrongly,,\r\n"
                                        "\r\n"
                                        "# a remark\r\n"
                                        ",Nameless Aliasson,\r\n"
                                        "Jos\xE9 Ping\xFCino,,\r\n");
    const struct screening_list *list = screening_at(s, 0);
    assert_true(list->loaded);
    assert_int_equal(list->entries, 2);
    assert_int_equal(list->names, 3);
    assert_int_equal(list->skipped, 5);
    assert_string_equal(list->why, "text.csv:2: quotation marks are not closed");
    expect(s, "Good Aliasson", "line 3", 100, 100);
    expect(s, "José Pingüino", "line 8", 100, 100);
    expect_below(s, "Nameless Aliasson", 80);
    screening_close(s);
}

static void test_long_lines(void **state)
{
    (void)state;
    size_t len = 200000;
    char *text = malloc(len + 100);
    assert_non_null(text);
    size_t at = (size_t)sprintf(text, "name\nTarvold Mesk\n");
    memset(text + at, 'x', len - at);
    strcpy(text + len, "\nLater Mesk\n");
    struct screening *s = open_csv_text(text);
    assert_int_equal(screening_at(s, 0)->entries, 2);
    assert_int_equal(screening_at(s, 0)->skipped, 1);
    assert_string_equal(screening_at(s, 0)->why, "text.csv:3: the line is longer than 64 KiB");
    expect(s, "Later Mesk", "line 4", 100, 100);
    screening_close(s);
    /* exactly 64 KiB is read, one more is not; all of it in a script that grows */
    memset(text + at, '\xE9', 65537);
    strcpy(text + at + 65536, "\n");
    s = open_csv_text(text);
    assert_int_equal(screening_at(s, 0)->entries, 2);
    screening_close(s);
    memset(text + at, '\xE9', 65537);
    strcpy(text + at + 65537, "\n");
    s = open_csv_text(text);
    assert_int_equal(screening_at(s, 0)->entries, 1);
    screening_close(s);
    free(text);
}

static void test_a_broken_list_leaves_the_others_alone(void **state)
{
    (void)state;
    struct folder folder;
    folder_make(&folder);
    char bad[256], good[256];
    strcpy(bad, folder_write(&folder, "bad.csv", "name\nTarvold Mesk\n\"cut", 22));
    strcpy(good, folder_write(&folder, "good.csv", "name\nGerda Mesk\n", 16));
    struct screening_source sources[] = { { "bad", SCREENING_CSV, bad, 1 },
                                          { "good", SCREENING_CSV, good, 1 },
                                          { "worse", (enum screening_format)9, good, 1 } };
    struct screening *s;
    assert_int_equal(screening_open(&s, sources, 3), STATUS_OK);
    assert_false(screening_list(s, "bad")->loaded);
    assert_true(screening_list(s, "good")->loaded);
    assert_false(screening_list(s, "worse")->loaded);
    struct answer answer = ask(s, "Gerda Mesk");
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.best, 100);
    assert_string_equal(answer.hits[0].list, "good");
    expect_below(s, "Tarvold Mesk", 80);
    screening_close(s);
    folder_remove(&folder);
}

static void test_too_many_entries(void **state)
{
    (void)state;
    struct folder folder;
    folder_make(&folder);
    size_t rows = 200001, len = 5;
    char *text = malloc(rows * 12 + 16);
    assert_non_null(text);
    memcpy(text, "name\n", 5);
    for (size_t i = 0; i < rows; i++)
        len += (size_t)sprintf(text + len, "ab%06zuz\n", i);
    struct screening *s = open_one(SCREENING_CSV, folder_write(&folder, "a", text, len - 10));
    assert_true(screening_at(s, 0)->loaded);
    assert_int_equal(screening_at(s, 0)->entries, 200000);
    expect(s, "ab000007z", "line 9", 100, 100);
    screening_close(s);
    refused(SCREENING_CSV, folder_write(&folder, "a", text, len), "too many entries");
    free(text);
    folder_remove(&folder);
}

/* --- OFAC ------------------------------------------------------------------------------------ */

static void test_ofac_rows(void **state)
{
    (void)state;
    struct folder folder;
    folder_make(&folder);
    static const char sdn[] =
        "12,\"MESK, Tarvold\",\"individual\",,,,,,,,,\r\n"
        "x,\"WRONG, Number\",\"individual\",,,,,,,,,\r\n"
        "13,\"FEW, Columns\"\r\n"
        "14,-0- ,\"individual\",,,,,,,,,\r\n"
        "15,\"OPEN, Quote,individual,,,,,,,,,\r\n"
        "4294967296,\"BIG, Number\",,,,,,,,,,\r\n"
        "11,\"EARLIER, Mesk\",\"individual\",,,,,,,,,\"DOB Unknown\"\r\n\x1a\r\n";
    static const char alt[] = "11,1,\"aka\",\"Second Earlierson\",-0-\r\n12,2,\"aka\",-0- ,-0-\r\n";
    folder_write(&folder, "sdn.csv", sdn, sizeof sdn - 1);
    folder_write(&folder, "alt.csv", alt, sizeof alt - 1);
    folder_write(&folder, "add.csv", "99,1,a,b,c,d\r\n", 14);
    struct screening *s = open_one(SCREENING_OFAC_SDN, folder.path);
    const struct screening_list *list = screening_at(s, 0);
    assert_true(list->loaded);
    assert_int_equal(list->entries, 2);
    assert_int_equal(list->names, 3);
    assert_int_equal(list->skipped, 8);
    assert_string_equal(list->why, "sdn.csv:2: the entry's number is no number");
    expect(s, "Second Earlierson", "11", 100, 100); /* rows need not be in order */
    screening_close(s);
    folder_write(&folder, "alt.csv", alt, 24); /* cut within quotation marks */
    refused(SCREENING_OFAC_SDN, folder.path, "alt.csv:1: the file ends within quotation marks");
    folder_write(&folder, "alt.csv", alt, 9);
    refused(SCREENING_OFAC_SDN, folder.path, "alt.csv:1: the file ends within");
    folder_remove(&folder);
}

/* --- XML ------------------------------------------------------------------------------------- */

#define UN(inside)                                                                                 \
    "<CONSOLIDATED_LIST dateGenerated=\"2026-10-30\"><INDIVIDUALS>" inside                         \
    "</INDIVIDUALS></CONSOLIDATED_LIST>"
#define MESK                                                                                       \
    "<INDIVIDUAL><DATAID>5</DATAID><FIRST_NAME>Tarvold</FIRST_NAME>"                               \
    "<SECOND_NAME>Mesk</SECOND_NAME></INDIVIDUAL>"

static void test_xml_that_is_not_loaded(void **state)
{
    (void)state;
    REFUSED(SCREENING_UN_XML, "", "not well-formed");
    REFUSED(SCREENING_UN_XML, "name\nTarvold Mesk\n", "not well-formed");
    REFUSED(SCREENING_UN_XML, "<LIST>" MESK "</LIST>", "not a CONSOLIDATED_LIST");
    REFUSED(SCREENING_UN_XML, UN(""), "no entry could be read");
    REFUSED(SCREENING_UN_XML, "<CONSOLIDATED_LIST><INDIVIDUALS>" MESK, "not complete");
    REFUSED(SCREENING_UN_XML, "<CONSOLIDATED_LIST><INDIVIDUALS>" MESK "</INDIVIDUALS>",
            "not complete");
    REFUSED(SCREENING_UN_XML, UN(MESK) "<more/>", "not well-formed");
    REFUSED(SCREENING_UN_XML, "<!DOCTYPE a>" UN(MESK), "DOCTYPE");
    REFUSED(SCREENING_UN_XML,
            "<!DOCTYPE a [<!ENTITY a \"Mesk\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>" UN(MESK),
            "DOCTYPE");
    REFUSED(SCREENING_UN_XML, "<!DOCTYPE a SYSTEM \"file:///etc/hostname\">" UN(MESK), "DOCTYPE");
    REFUSED(SCREENING_UN_XML, UN(MESK "<INDIVIDUAL>&unknown;</INDIVIDUAL>"), "not well-formed");
    REFUSED(SCREENING_UN_XML, UN(MESK "<A>\xE9</A>"), "not well-formed");
    /* Rows outside of their place are not entries. */
    REFUSED(SCREENING_UN_XML, "<CONSOLIDATED_LIST>" MESK "</CONSOLIDATED_LIST>", "no entry");
    char deep[4000] = "<CONSOLIDATED_LIST><INDIVIDUALS>" MESK;
    for (size_t i = 0; i < 500; i++)
        strcat(deep, "<a>");
    refused_text(SCREENING_UN_XML, deep, strlen(deep), "nested too deeply");
}

/* Wherever the file is cut off: not loaded. */
static void test_xml_cut_anywhere(void **state)
{
    (void)state;
    static const char whole[] = UN(MESK);
    struct folder folder;
    folder_make(&folder);
    for (size_t len = 0; len < sizeof whole - 1; len++)
        refused(SCREENING_UN_XML, folder_write(&folder, "un.xml", whole, len), "");
    struct screening *s =
        open_one(SCREENING_UN_XML, folder_write(&folder, "un.xml", whole, sizeof whole - 1));
    assert_true(screening_at(s, 0)->loaded);
    expect(s, "Tarvold Mesk", "5", 100, 100);
    screening_close(s);
    folder_remove(&folder);
}

static void test_xml_text(void **state)
{
    (void)state;
    struct folder folder;
    folder_make(&folder);
    static const char latin[] = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>" UN(
        "<INDIVIDUAL><FIRST_NAME>Jos\xE9</FIRST_NAME><SECOND_NAME><![CDATA[Ping]]>&#252;ino &amp; X"
        "</SECOND_NAME><INDIVIDUAL_DATE_OF_BIRTH><YEAR>long ago</YEAR></INDIVIDUAL_DATE_OF_BIRTH>"
        "</INDIVIDUAL>");
    struct screening *s =
        open_one(SCREENING_UN_XML, folder_write(&folder, "un.xml", latin, sizeof latin - 1));
    expect(s, "José Pingüino X", "", 100, 100);
    screening_close(s);
    /* More aliases than are kept: the entry stays, and it is said. */
    size_t room = 400 * 100, len = 0;
    char *many = malloc(room);
    assert_non_null(many);
    len += (size_t)snprintf(many, room,
                            "<CONSOLIDATED_LIST><ENTITIES><ENTITY><FIRST_NAME>Tarvold"
                            " Mesk</FIRST_NAME>");
    for (size_t i = 0; i < 300; i++)
        len +=
            (size_t)snprintf(many + len, room - len,
                             "<ENTITY_ALIAS><ALIAS_NAME>Alias %zu</ALIAS_NAME></ENTITY_ALIAS>", i);
    len += (size_t)snprintf(many + len, room - len, "</ENTITY></ENTITIES></CONSOLIDATED_LIST>");
    s = open_one(SCREENING_UN_XML, folder_write(&folder, "un.xml", many, len));
    assert_int_equal(screening_at(s, 0)->names, 257);
    assert_int_equal(screening_at(s, 0)->skipped, 1);
    assert_non_null(strstr(screening_at(s, 0)->why, "more aliases than are read"));
    screening_close(s);
    free(many);
    folder_remove(&folder);
}

/* --- a disk that fails ----------------------------------------------------------------------- */

/* Of the files that are opened from now on the n-th read fails, and those behind it work. */
static struct {
    unsigned reads, fails; /* 0: none */
} disk;

FILE *__real_fdopen(int fd, const char *mode);
FILE *__wrap_fdopen(int fd, const char *mode);

static ssize_t read_some(void *cookie, char *to, size_t size)
{
    if (++disk.reads == disk.fails) {
        errno = EIO;
        return -1;
    }
    return read(*(int *)cookie, to, size < 400 ? size : 400);
}

static int close_it(void *cookie)
{
    int closed = close(*(int *)cookie);
    free(cookie);
    return closed;
}

FILE *__wrap_fdopen(int fd, const char *mode)
{
    if (disk.fails == 0)
        return __real_fdopen(fd, mode);
    int *cookie = malloc(sizeof *cookie);
    assert_non_null(cookie);
    *cookie = fd;
    FILE *file =
        fopencookie(cookie, mode, (cookie_io_functions_t){ .read = read_some, .close = close_it });
    assert_non_null(file);
    return file;
}

/* Half a list would let the others pass. */
static void expect_none_is_half(enum screening_format format, const char *path, size_t entries)
{
    disk.fails = 0;
    for (;;) {
        disk.reads = 0;
        disk.fails++;
        struct screening *s = open_one(format, path);
        bool failed = disk.reads >= disk.fails;
        const struct screening_list *list = screening_at(s, 0);
        assert_int_equal(list->entries, failed ? 0 : entries);
        if (list->loaded == failed || (failed && list->why[0] == '\0'))
            fail_msg("%s: read %u failed, and the list is %s: %s", path, disk.fails,
                     list->loaded ? "loaded" : "not loaded", list->why);
        screening_close(s);
        if (!failed)
            break;
        assert_true(disk.fails < 1000);
    }
    assert_in_range(disk.fails, 3, 1000); /* 400 bytes at a time, and the end */
    disk.fails = 0;
}

static void test_a_list_that_cannot_be_read_to_its_end(void **state)
{
    (void)state;
    expect_none_is_half(SCREENING_CSV, LISTS_FOLDER "/plain.csv", 11);
    expect_none_is_half(SCREENING_UN_XML, LISTS_FOLDER "/un.xml", 4);
    expect_none_is_half(SCREENING_OFAC_SDN, LISTS_FOLDER "/ofac", 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_files),
        cmocka_unit_test(test_nothing_to_open),
        cmocka_unit_test(test_age),
        cmocka_unit_test(test_without_a_date_the_files_date_counts),
        cmocka_unit_test(test_not_there),
        cmocka_unit_test(test_csv_that_is_not_loaded),
        cmocka_unit_test(test_csv_with_bad_rows),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_a_broken_list_leaves_the_others_alone),
        cmocka_unit_test(test_too_many_entries),
        cmocka_unit_test(test_ofac_rows),
        cmocka_unit_test(test_xml_that_is_not_loaded),
        cmocka_unit_test(test_xml_cut_anywhere),
        cmocka_unit_test(test_xml_text),
        cmocka_unit_test(test_a_list_that_cannot_be_read_to_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
