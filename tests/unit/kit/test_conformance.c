/* The suite finds nothing wrong with good adapters, and each vice of naughty.c with the check that
 * is made for it: a check that cannot fail is none. */
#include "base/ensure.h"
#include "kit/conformance.h"
#include "kit/symbols.h"

#include "../../support/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define PATIENT_US 2000000
#define HASTY_US   1000 /* what naughty.c counts in vain takes more on any machine */

/* Runs the suite; *report (to be freed) is what it wrote. */
static enum status run(const char *path, const char *setting, const char *const *transcripts,
                       size_t count, char **report, struct conformance_result *result)
{
    size_t len = 0;
    bool hasty = setting != NULL && strcmp(setting, "vice=slow") == 0;
    struct conformance_options options = {
        .path = path,
        .settings = &setting,
        .settings_count = setting != NULL,
        .transcripts = transcripts,
        .transcripts_count = count,
        .budget_us = hasty ? HASTY_US : PATIENT_US,
        .report = open_memstream(report, &len),
    };
    assert_non_null(options.report);
    enum status status = conformance_run(&options, result);
    fclose(options.report);
    return status;
}

static void assert_passes(const char *path, const char *setting, const char *const *transcripts,
                          size_t count, unsigned skipped_max)
{
    char *report = NULL;
    struct conformance_result result;
    enum status status = run(path, setting, transcripts, count, &report, &result);
    if (status != STATUS_OK)
        print_message("%s", report);
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(result.failed, 0);
    assert_true(result.skipped <= skipped_max);
    assert_true(result.cases > 100);
    free(report);
}

static void null_adapters(void **state)
{
    (void)state;
    static const char *const framed[] = { TRANSCRIPTS "/framed.txt", TRANSCRIPTS "/signed.txt" };
    static const char *const http[] = { TRANSCRIPTS "/http.txt", TRANSCRIPTS "/ed25519.txt" };
    static const char *const local[] = { TRANSCRIPTS "/local.txt" };
    assert_passes(ADAPTERS "/null.so", NULL, framed, 2, 2);    /* no HTTP */
    assert_passes(ADAPTERS "/null_http.so", NULL, http, 2, 1); /* no frames */
    assert_passes(ADAPTERS "/null_local.so", NULL, local, 1, 8);
    /* without a transcript: what needs no reply */
    assert_passes(ADAPTERS "/null.so", "terminal_id=T1", NULL, 0, 8);
}

struct vice {
    const char *vice, *title;
};

static void assert_seen(const char *path, const char *const *transcript, const struct vice *vice)
{
    char setting[64], line[64];
    char *report = NULL;
    struct conformance_result result;
    snprintf(setting, sizeof setting, "vice=%s", vice->vice);
    snprintf(line, sizeof line, "FAIL %s ", vice->title);
    enum status status = run(path, setting, transcript, 1, &report, &result);
    if (status != STATUS_MISMATCH || strstr(report, line) == NULL)
        print_message("%s should fail \"%s\":\n%s", setting, vice->title, report);
    assert_int_equal(status, STATUS_MISMATCH);
    assert_non_null(strstr(report, line));
    free(report);
}

static void each_vice(void **state)
{
    (void)state;
    static const char *const transcript[] = { NAUGHTY_TRANSCRIPT };
    static const struct vice rows[] = {
        { "fresh", "repeatable" },
        { "keeps", "no pointers kept" },
        { "beyond", "well formed" },
        { "quiet_overflow", "small rooms" },
        { "bad_step", "well formed" },
        { "no_correlation", "well formed" },
        { "no_diag", "well formed" },
        { "cut", "cut replies" },
        { "negative", "amounts" },
        { "largest", "amounts" },
        { "unknown_op", "later operations" },
        { "any_event", "wrong events" },
        { "no_refs", "reversal without answer" },
        { "early_frame", "frames" },
        { "wrong_key", "frames" },
        { "moody_notice", "notices" },
        { "cut_notice", "notices" },
        { "talks", "no values in texts" },
        { "slow", "time" },
        { "instance", "well formed" },
        { "refuses", "settings" },
        { "wrong_outcome", "well formed" },
        { "exchange", "well formed" },
        { "wrong_outcome", "transcripts" },
        { "flip", "flipped bytes" },
        { "foreign", "currencies" },
    };
    assert_passes(NAUGHTY, "vice=none", transcript, 1, 3);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_seen(NAUGHTY, transcript, &rows[i]);
}

static void each_vice_over_http(void **state)
{
    (void)state;
    static const char *const transcript[] = { NAUGHTY_HTTP_TRANSCRIPT };
    static const struct vice rows[] = {
        { "any_status", "http statuses" },   { "refused_500", "http statuses" },
        { "header_order", "http statuses" }, { "slot", "slots" },
        { "host_header", "well formed" },    { "path", "well formed" },
        { "method", "well formed" },         { "blank_action", "pending" },
        { "action_of_refund", "pending" },   { "endless", "notices" },
        { "foreign_name", "notices" },       { "uncovered", "notices" },
        { "unsigned_change", "notices" },    { "second_entry", "notices" },
        { "later_size", "later hosts" },
    };
    assert_passes(NAUGHTY_HTTP, "vice=none", transcript, 1, 3);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_seen(NAUGHTY_HTTP, transcript, &rows[i]);
}

/* What the gateway takes, a statement of some hundred entries, is no fault of the adapter. */
static void a_long_notice(void **state)
{
    (void)state;
    static const char last[] = "expect notice about=status amount=10 more=0\n";
    char text[8192], path[SCRATCH_MAX];
    FILE *from = fopen(NAUGHTY_HTTP_TRANSCRIPT, "r"), *to = fdopen(scratch_file(path, "kit"), "w");
    assert_true(from != NULL && to != NULL);
    size_t len = fread(text, 1, sizeof text, from);
    fclose(from);
    assert_true(len > sizeof last && len < sizeof text);
    len -= sizeof last - 1;
    assert_memory_equal(text + len, last, sizeof last - 1);
    fwrite(text, 1, len, to);
    for (int entry = 1; entry < 299; entry++)
        fprintf(to, "expect notice about=status amount=10 more=1\n");
    fputs(last, to);
    fclose(to);
    const char *const transcript[] = { path };
    assert_passes(NAUGHTY_HTTP, "vice=long_notice", transcript, 1, 3);
    remove(path);
}

/* A transcript is a test: what it forgets to look at, or cannot be true, is a failure. */
static void transcripts_that_lie(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "expect send POST /other\n  ...\n  <<<\natt_0000000000001 10\n>>>\n",
        "expect send GET /s\n  ...\n  <<<\natt_0000000000001 10\n>>>\n",
        "expect send POST /s\n  <<<\natt_0000000000001 10\n>>>\n", /* a header is not named */
        "expect send POST /s\n  authorization: Bearer x\n  <<<\natt_0000000000001 10\n>>>\n",
        "expect send POST /s\n  authorization: Bearer {slot other}\n  <<<\natt_0000000000001 "
        "10\n>>>\n",
        "expect send POST /s\n  ...\n  x: y\n  <<<\natt_0000000000001 10\n>>>\n",
        "expect send POST /s\n  ...\n  <<<\natt_0000000000001 11\n>>>\n",
        "expect ref order att_0000000000001\n", /* looks at no step */
        "expect send POST /s\n  ...\n  <<<\natt_0000000000001 10\n>>>\nreply 200\n  <<<\npaid "
        "10.\n>>>\n",
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        char path[SCRATCH_MAX];
        FILE *file = fdopen(scratch_file(path, "kit"), "w");
        assert_non_null(file);
        fprintf(file,
                "configure\ncommand sale amount=10 currency=978 exponent=2 code=EUR trace=1 "
                "utc=2026-01-02T03:04:05 attempt=att_0000000000001\nbegin\n%s",
                lines[i]);
        fclose(file);
        const char *const transcript[] = { path };
        char *report = NULL;
        struct conformance_result result;
        enum status status = run(NAUGHTY_HTTP, NULL, transcript, 1, &report, &result);
        if (status != STATUS_MISMATCH)
            print_message("line %zu: %s", i, report);
        assert_int_equal(status, STATUS_MISMATCH);
        assert_non_null(strstr(report, "FAIL transcripts"));
        free(report);
        remove(path);
    }
}

static void reaching_outside(void **state)
{
    (void)state;
    static const char *const transcript[] = { NAUGHTY_TRANSCRIPT };
    char *report = NULL;
    struct conformance_result result;
    assert_int_equal(run(NAUGHTY_SYMBOLS, NULL, transcript, 1, &report, &result), STATUS_MISMATCH);
    assert_non_null(strstr(report, "imports getenv"));
    assert_int_equal(result.failed, 1);
    free(report);
}

static void what_may_be_imported(void **state)
{
    (void)state;
    static const char *const good[] = { "memcpy", "strlen", "xmlParseChunk", "QRcode_free" };
    static const char *const bad[] = { "malloc",           "socket",       "time",
                                       "clock_gettime",    "getenv",       "open",
                                       "pthread_create",   "printf",       "xmlReadFile",
                                       "xmlNanoHTTPFetch", "xmlParseFile", "xml",
                                       "xmlParseChunk2" };
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(symbols_allowed(good[i]));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(symbols_allowed(bad[i]));
}

static void what_cannot_begin(void **state)
{
    (void)state;
    static const char *const absent[] = { "/nonexistent.txt" };
    char *report = NULL;
    struct conformance_result result;
    assert_int_equal(run("/nonexistent/x.so", NULL, NULL, 0, &report, &result), STATUS_IO);
    free(report);
    assert_int_equal(run(NAUGHTY, NULL, absent, 1, &report, &result), STATUS_NOT_FOUND);
    assert_non_null(strstr(report, "/nonexistent.txt"));
    free(report);
    assert_int_equal(run(NAUGHTY, "no_such=1", NULL, 0, &report, &result), STATUS_NOT_FOUND);
    assert_non_null(strstr(report, "no_such"));
    free(report);
    assert_int_equal(run(ADAPTERS "/null.so", NULL, NULL, 0, &report, &result), STATUS_REFUSED);
    assert_non_null(strstr(report, "terminal_id"));
    free(report);
}

#ifdef CARD_TRANSCRIPTS
static void card_adapter(void **state)
{
    (void)state;
    static const char *const names[] = { CARD_TRANSCRIPTS };
    assert_passes(ADAPTERS "/card.so", NULL, names, COUNT_OF(names), 3);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_adapters),        cmocka_unit_test(each_vice),
        cmocka_unit_test(each_vice_over_http),  cmocka_unit_test(a_long_notice),
        cmocka_unit_test(transcripts_that_lie), cmocka_unit_test(reaching_outside),
        cmocka_unit_test(what_cannot_begin),    cmocka_unit_test(what_may_be_imported),
#ifdef CARD_TRANSCRIPTS
        cmocka_unit_test(card_adapter),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
