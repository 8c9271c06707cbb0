/* log_test.c - log lines and the card number filter.
 *
 * Test card numbers from published ranges: 4761739001010010 and 4111111111111111 (published test
 * numbers of Visa), 378282246310005 (American Express), 5555555555554444 (Mastercard).
 */
#include "base/ensure.h"
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static void check_redaction(const char *text, const char *expected)
{
    char out[512];
    struct writer w = writer_over(out, sizeof out);
    redact_text(&w, view_text(text));
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    assert_string_equal(out, expected);
}

static void test_redaction(void **state)
{
    (void)state;
    check_redaction("", "");
    check_redaction("nothing here", "nothing here");
    check_redaction("4761739001010010", "476173******0010");
    check_redaction("pan=4761739001010010.", "pan=476173******0010.");
    check_redaction("378282246310005", "378282*****0005");
    check_redaction("4761 7390 0101 0010", "4761 73** **** 0010");
    check_redaction("4761-7390-0101-0010 x", "4761-73**-****-0010 x");
    check_redaction("4111111111111111,5555555555554444", "411111******1111,555555******4444");
    /* One digit off: no card. */
    check_redaction("4761739001010011", "4761739001010011");
    /* 11 digits are too few, whatever Luhn says. */
    check_redaction("79927398713", "79927398713");
    /* Track 2: PAN, separator, expiry and the rest. */
    check_redaction("4761739001010010=22122011143878089", "476173******0010=22122011143878089");
    /* A neighbour does not hide it. */
    check_redaction("tries 3 4761739001010010", "tries 3 476173******0010");
    check_redaction("2024-01-02 4761739001010010 ok", "2024-01-02 476173******0010 ok");
    check_redaction("4761739001010010 978", "476173******0010 978");
    /* Over 19 digits in one piece: a dump, masked whole. */
    check_redaction("16476173900101001000", "164761**********1000");
    check_redaction("0200164761739001010010003000", "020016******************3000");
}

/* A card number in pieces of every size: only the first six and last four digits are seen. */
static void test_redaction_dividers(void **state)
{
    (void)state;
    static const char pan[] = "4761739001010010";
    for (size_t group = 1; group <= 16; group++) {
        char text[64], out[64], left[64];
        size_t len = 0, shown = 0;
        for (size_t i = 0; i < 16; i++) {
            if (i > 0 && i % group == 0)
                text[len++] = group % 2 ? ' ' : '-';
            text[len++] = pan[i];
        }
        struct writer w = writer_over(out, sizeof out);
        redact_text(&w, view_of(text, len));
        assert_false(w.overflow);
        for (size_t i = 0; i < w.len; i++)
            if (out[i] != ' ' && out[i] != '-')
                left[shown++] = out[i];
        assert_int_equal(shown, 16);
        assert_memory_equal(left, "476173******0010", 16);
    }
}

static void test_redaction_room(void **state)
{
    (void)state;
    char out[8];
    struct writer w = writer_over(out, sizeof out);
    redact_text(&w, VIEW("123456789"));
    assert_true(w.overflow);
    assert_int_equal(w.len, 0);
}

/* --- lines --- */

static int64_t fixed_clock(void *clock)
{
    return *(int64_t *)clock;
}

struct capture {
    int ends[2];
    int64_t now_us;
    struct log log;
    char line[8192];
};

static void capture_open(struct capture *c)
{
    *c = (struct capture){ .now_us = INT64_C(1700000000123456) };
    assert_int_equal(pipe2(c->ends, O_NONBLOCK), 0);
    c->log = (struct log){
        .fd = c->ends[1], .level = LOG_INFO, .wall_us = fixed_clock, .clock = &c->now_us
    };
}

static const char *capture_line(struct capture *c)
{
    ssize_t len = read(c->ends[0], c->line, sizeof c->line - 1);
    c->line[len > 0 ? len : 0] = '\0';
    return c->line;
}

static void capture_close(struct capture *c)
{
    close(c->ends[0]);
    close(c->ends[1]);
}

static void test_log_line(void **state)
{
    (void)state;
    struct capture c;
    capture_open(&c);
    LOG(&c.log, LOG_WARN, "channel.link_down", LOG_TEXT("channel", "acq \"1\""),
        LOG_INT("tries", -3), LOG_STATUS("status", STATUS_TIMEOUT),
        LOG_VIEW("raw", VIEW("4761739001010010\n")));
    assert_string_equal(capture_line(&c),
                        "{\"time\":\"2023-11-14T22:13:20.123Z\",\"level\":\"warn\","
                        "\"id\":\"channel.link_down\",\"channel\":\"acq \\\"1\\\"\",\"tries\":-3,"
                        "\"status\":\"TIMEOUT\",\"raw\":\"476173******0010\\n\"}\n");
    log_write(&c.log, LOG_ERROR, "bare", NULL, 0);
    assert_string_equal(capture_line(&c), "{\"time\":\"2023-11-14T22:13:20.123Z\","
                                          "\"level\":\"error\",\"id\":\"bare\"}\n");
    LOG(&c.log, LOG_DEBUG, "too.low", LOG_INT("x", 1));
    assert_string_equal(capture_line(&c), "");
    c.log.fd = -1;
    LOG(&c.log, LOG_ERROR, "silent", LOG_INT("x", 1));
    assert_string_equal(capture_line(&c), "");
    LOG(NULL, LOG_ERROR, "nobody", LOG_INT("x", 1));
    capture_close(&c);
}

/* Long fields are cut, many are left out, and the line is whole and one read(2) long; a card number
 * across the cut is masked as well. */
static void test_log_long(void **state)
{
    (void)state;
    struct capture c;
    capture_open(&c);
    c.log.wall_us = NULL;
    char text[3000];
    memset(text, 'a', sizeof text);
    memcpy(text + 1024 - 12, "4761739001010010", 16);
    LOG(&c.log, LOG_INFO, "long", LOG_VIEW("a", view_of(text, sizeof text)), LOG_INT("after", 1));
    const char *line = capture_line(&c);
    assert_non_null(strstr(line, "aaa476173******\",\"after\":1}\n"));
    assert_null(strstr(line, "truncated"));

    memset(text, '\x01', sizeof text); /* six times as long in JSON */
    LOG(&c.log, LOG_INFO, "longer", LOG_VIEW("a", view_of(text, sizeof text)), LOG_INT("after", 1));
    assert_string_equal(capture_line(&c), "{\"level\":\"info\",\"id\":\"longer\",\"after\":1,"
                                          "\"truncated\":true}\n");

    struct log_field fields[400];
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        fields[i] = LOG_INT("number", i * 1000);
    log_write(&c.log, LOG_INFO, "many", fields, COUNT_OF(fields));
    line = capture_line(&c);
    size_t len = strlen(line);
    assert_true(len > 3900 && len <= 4096);
    assert_string_equal(line + len - 19, ",\"truncated\":true}\n");

    /* The cut falls inside the euro sign: it goes as a whole. */
    memset(text, 'a', sizeof text);
    memcpy(text + 1022, "\xE2\x82\xAC", 3);
    LOG(&c.log, LOG_INFO, "cut", LOG_VIEW("a", view_of(text, sizeof text)));
    assert_non_null(strstr(capture_line(&c), "aaa\"}\n"));
    capture_close(&c);
}

static void test_log_levels(void **state)
{
    (void)state;
    enum log_level level = LOG_NONE;
    assert_int_equal(log_level_parse(VIEW("DEBUG"), &level), STATUS_OK);
    assert_int_equal(level, LOG_DEBUG);
    assert_int_equal(log_level_parse(VIEW("warn"), &level), STATUS_OK);
    assert_int_equal(level, LOG_WARN);
    assert_int_equal(log_level_parse(VIEW("loud"), &level), STATUS_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_redaction),      cmocka_unit_test(test_redaction_dividers),
        cmocka_unit_test(test_redaction_room), cmocka_unit_test(test_log_line),
        cmocka_unit_test(test_log_long),       cmocka_unit_test(test_log_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
