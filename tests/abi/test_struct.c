/* The struct an adapter returns: each field wrong by itself, and the loader must see it. A test
 * here turns red when the loader ignores the field that the test is about.
 *
 * The struct lies at the very end of a page, the next page may not be read: a loader that reads
 * beyond `size`, or before it has compared magic and version, dies. */
#include "base/ensure.h"
#include "channel/loader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* Tables and struct of the adapter under test, rebuilt before each test. */
static struct rg_setting settings[65];
static struct rg_ability abilities[17];
static struct rg_adapter subject;
static uint8_t *page;
static size_t page_size;
static const struct rg_adapter *offered; /* what the entry returns */
static uint32_t asked_abi;
static char why_text[512];

static const struct rg_adapter *entry(uint32_t host_abi)
{
    asked_abi = host_abi;
    return offered;
}

static uint32_t configure(void *instance, const struct rg_value *values, struct rg_diag *diag)
{
    (void)instance, (void)values, (void)diag;
    return 1;
}
static uint32_t begin(const void *i, void *e, const struct rg_command *c, struct rg_out *o)
{
    (void)i, (void)e, (void)c, (void)o;
    return RG_STEP_FAIL;
}
static uint32_t resume(const void *i, void *e, const struct rg_event *v, struct rg_out *o)
{
    (void)i, (void)e, (void)v, (void)o;
    return RG_STEP_FAIL;
}
static uint32_t frame(const void *i, const struct rg_bytes *b, struct rg_frame *o)
{
    (void)i, (void)b, (void)o;
    return RG_FRAME_BROKEN;
}

static int set_up(void **state)
{
    (void)state;
    if (page == NULL) {
        page_size = (size_t)sysconf(_SC_PAGESIZE);
        page =
            mmap(NULL, 2 * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ENSURE(page != MAP_FAILED && mprotect(page + page_size, page_size, PROT_NONE) == 0);
    }
    static char names[65][8];
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        snprintf(names[i], sizeof names[i], "s%zu", i);
        settings[i] = (struct rg_setting){ .size = sizeof settings[i],
                                           .name = names[i],
                                           .type = RG_SETTING_TEXT,
                                           .max = 10,
                                           .sentence = "A setting." };
    }
    for (size_t i = 0; i < COUNT_OF(abilities); i++)
        abilities[i] = (struct rg_ability){ .size = sizeof abilities[i],
                                            .operation = (uint32_t)i + 1,
                                            .deadline_ms = 1000,
                                            .amount_minor_max = 1000 };
    subject = (struct rg_adapter){
        .magic = RG_ABI_MAGIC,
        .abi_major = RG_ABI_MAJOR,
        .abi_minor = RG_ABI_MINOR,
        .transport = RG_TRANSPORT_FRAMED,
        .size = sizeof subject,
        .id = "subject",
        .version = "1",
        .licence = "Apache-2.0",
        .origin = "railgate",
        .rail = "card",
        .settings = settings,
        .settings_count = 2,
        .abilities = abilities,
        .abilities_count = 7,
        .instance_size = 16,
        .exchange_size = 16,
        .request_max = 100,
        .answer_max = 100,
        .steps_max = 4,
        .configure = configure,
        .begin = begin,
        .resume = resume,
        .frame = frame,
    };
    return 0;
}

/* Offers the first `len` bytes of the subject, with nothing readable behind them. */
static enum status offer(size_t len)
{
    struct loaded_adapter *adapter = NULL;
    uint8_t *at = page + page_size - (len + 7) / 8 * 8; /* a struct is aligned */
    memcpy(at, &subject, len);
    offered = (const struct rg_adapter *)(const void *)at;
    struct writer why = writer_over(why_text, sizeof why_text);
    enum status status = adapter_load_static(entry, &adapter, &why);
    assert_int_equal(writer_terminate(&why), STATUS_OK);
    if (status != STATUS_OK) {
        assert_null(adapter);
        assert_true(why.len > 0);
    } else {
        assert_string_equal(adapter->path, "static:subject");
        adapter_unload(&adapter);
    }
    return status;
}

static enum status check(void)
{
    return offer(sizeof subject);
}

/* The good one stays good: what fails below fails because of the one thing that was changed. */
static void nothing_wrong(void **state)
{
    (void)state;
    assert_int_equal(check(), STATUS_OK);
    assert_int_equal(asked_abi, (RG_ABI_MAJOR << 16) | RG_ABI_MINOR);
    subject.settings_count = 64;
    subject.abilities_count = 12;
    assert_int_equal(check(), STATUS_OK);
    subject.settings_count = 0;
    subject.settings = NULL;
    assert_int_equal(check(), STATUS_OK);
}

static void returned_null(void **state)
{
    (void)state;
    struct loaded_adapter *adapter = NULL;
    struct writer why = writer_over(why_text, sizeof why_text);
    offered = NULL;
    assert_int_equal(adapter_load_static(entry, &adapter, &why), STATUS_UNSUPPORTED);
}

static void magic(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 32; bit++) {
        subject.magic = RG_ABI_MAGIC ^ (1u << bit);
        assert_int_equal(check(), STATUS_MISMATCH);
    }
    assert_int_equal(offer(24), STATUS_MISMATCH); /* nothing else is looked at before */
}

static void major(void **state)
{
    (void)state;
    static const uint32_t others[] = { 0, 2, 3, 0x100, 0x10001, 0xffffffff };
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        subject.abi_major = others[i];
        assert_int_equal(check(), STATUS_MISMATCH);
        assert_int_equal(offer(24), STATUS_MISMATCH);
    }
}

static void minor(void **state)
{
    (void)state;
    subject.abi_minor = RG_ABI_MINOR + 1;
    assert_int_equal(check(), STATUS_OK);
    subject.abi_minor = 0xffffffff;
    assert_int_equal(check(), STATUS_OK);
    /* What only a later minor may have is refused from one that says it is of ours. */
    abilities[3].operation = 99;
    assert_int_equal(check(), STATUS_OK);
    subject.abi_minor = RG_ABI_MINOR;
    assert_int_equal(check(), STATUS_RANGE);
    abilities[3].operation = 4;
    abilities[3].flags = 1u << 31;
    assert_int_equal(check(), STATUS_RANGE);
    subject.abi_minor = RG_ABI_MINOR + 1;
    assert_int_equal(check(), STATUS_OK);
}

static void size(void **state)
{
    (void)state;
    size_t least = offsetof(struct rg_adapter, frame);
    subject.transport = RG_TRANSPORT_HTTP;
    subject.frame = NULL;
    for (size_t len = 24; len < sizeof subject; len++) { /* only `len` bytes can be read at all */
        subject.size = len;
        assert_int_equal(offer(len), len < least || len % 8 != 0 ? STATUS_RANGE : STATUS_OK);
    }
    subject.frame = frame;
    subject.transport = RG_TRANSPORT_FRAMED;
    subject.size = least; /* no frame function, but a framed transport */
    assert_int_equal(offer(least), STATUS_MALFORMED);
    subject.size = least + 8;
    assert_int_equal(offer(least + 8), STATUS_OK);
    static const uint64_t wrong[] = { 0, 1, 8, 24, 65537, 1ull << 32, ~0ull };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        subject.size = wrong[i];
        assert_int_equal(check(), STATUS_RANGE);
    }
}

static void row_sizes(void **state)
{
    (void)state;
    static const uint64_t wrong[] = { 0, 8, 24, 65544, ~0ull, sizeof(struct rg_setting) + 4 };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        settings[0].size = settings[1].size = wrong[i];
        assert_int_equal(check(), STATUS_RANGE);
    }
    settings[0].size = sizeof settings[0];
    settings[1].size = sizeof settings[0] + 8; /* rows of one table have one size */
    assert_int_equal(check(), STATUS_RANGE);
    settings[1].size = sizeof settings[0];
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        for (size_t row = 0; row < 7; row++)
            abilities[row].size = i == COUNT_OF(wrong) - 1 ? sizeof abilities[0] + 4 : wrong[i];
        assert_int_equal(check(), STATUS_RANGE);
    }
    for (size_t row = 0; row < 7; row++)
        abilities[row].size = sizeof abilities[0];
    abilities[6].size = 0;
    assert_int_equal(check(), STATUS_RANGE);
}

/* Rows from before `unit`, `secret` and `sentence`: what is missing reads as nothing. */
static void shorter_rows(void **state)
{
    (void)state;
    struct loaded_adapter *adapter = NULL;
    size_t least = offsetof(struct rg_setting, unit);
    uint8_t *packed = page + page_size - 2 * least;
    for (size_t i = 0; i < 2; i++) {
        settings[i].size = least;
        memcpy(packed + i * least, &settings[i], least);
    }
    subject.settings = (const struct rg_setting *)(const void *)packed;
    offered = &subject;
    struct writer why = writer_over(why_text, sizeof why_text);
    assert_int_equal(adapter_load_static(entry, &adapter, &why), STATUS_OK);
    assert_string_equal(adapter_setting(adapter, 1)->name, "s1");
    assert_null(adapter_setting(adapter, 1)->unit);
    assert_string_equal(adapter_setting(adapter, 1)->sentence, "");
    adapter_unload(&adapter);
}

static void names(void **state)
{
    (void)state;
    static const char long_text[200] = { [0 ... 198] = 'a' };
    static const char *const wrong[] = {
        NULL, "", "Card", "a-b", "a b", "\x01", long_text, "012345678901234567890123456789012"
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        subject.id = wrong[i];
        assert_int_equal(check(), STATUS_MALFORMED);
        subject.id = "subject";
        subject.rail = wrong[i];
        assert_int_equal(check(), STATUS_MALFORMED);
        subject.rail = "card";
        settings[1].name = wrong[i];
        assert_int_equal(check(), STATUS_MALFORMED);
        settings[1].name = "s1";
    }
    static const char *const texts[] = { NULL, "", "line\nbreak", "\xff", long_text };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const char **fields[] = { &subject.version, &subject.licence, &subject.origin };
        for (size_t k = 0; k < COUNT_OF(fields); k++) {
            const char *kept = *fields[k];
            *fields[k] = texts[i];
            assert_int_equal(check(), STATUS_MALFORMED);
            *fields[k] = kept;
        }
    }
    settings[1].name = "s0";
    assert_int_equal(check(), STATUS_MALFORMED);
}

static void transport(void **state)
{
    (void)state;
    static const uint32_t wrong[] = { 0, 4, 0xffffffff };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        subject.transport = wrong[i];
        assert_int_equal(check(), STATUS_RANGE);
    }
}

static void limits(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        uint64_t largest;
        int zero_is_fine;
    } rows[] = {
        { offsetof(struct rg_adapter, settings_count), 64, 1 },
        { offsetof(struct rg_adapter, instance_size), 1u << 20, 1 },
        { offsetof(struct rg_adapter, exchange_size), 64u << 10, 1 },
        { offsetof(struct rg_adapter, request_max), 1u << 20, 0 },
        { offsetof(struct rg_adapter, answer_max), 1u << 20, 0 },
        { offsetof(struct rg_adapter, steps_max), 64, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t len = rows[i].offset == offsetof(struct rg_adapter, steps_max) ? 4 : 8;
        const uint64_t values[] = { 0, 1, rows[i].largest, rows[i].largest + 1, 0xffffffff };
        for (size_t k = 0; k < COUNT_OF(values); k++) {
            set_up(NULL);
            memcpy((uint8_t *)&subject + rows[i].offset, &values[k], len);
            bool fine = values[k] == 0 ? rows[i].zero_is_fine : values[k] <= rows[i].largest;
            assert_int_equal(check(), fine ? STATUS_OK : STATUS_RANGE);
        }
    }
    set_up(NULL);
    subject.abilities_count = 0;
    assert_int_equal(check(), STATUS_RANGE);
    subject.abilities_count = 17;
    assert_int_equal(check(), STATUS_RANGE);
    set_up(NULL);
    subject.transport = RG_TRANSPORT_LOCAL; /* no messages, so no room for them is needed */
    subject.frame = NULL;
    subject.request_max = subject.answer_max = 0;
    assert_int_equal(check(), STATUS_OK);
}

static void functions(void **state)
{
    (void)state;
    subject.configure = NULL;
    assert_int_equal(check(), STATUS_MALFORMED);
    set_up(NULL);
    subject.begin = NULL;
    assert_int_equal(check(), STATUS_MALFORMED);
    set_up(NULL);
    subject.resume = NULL;
    assert_int_equal(check(), STATUS_MALFORMED);
    subject.transport = RG_TRANSPORT_LOCAL;
    subject.frame = NULL;
    assert_int_equal(check(), STATUS_OK);
    set_up(NULL);
    subject.frame = NULL;
    assert_int_equal(check(), STATUS_MALFORMED);
    subject.transport = RG_TRANSPORT_HTTP;
    assert_int_equal(check(), STATUS_OK);
    subject.frame = frame;
    assert_int_equal(check(), STATUS_MALFORMED);
}

static void settings_rows(void **state)
{
    (void)state;
    struct rg_setting *row = &settings[1];
    const struct rg_setting good = *row;
    const struct {
        struct rg_setting row;
        enum status status;
    } cases[] = {
        { { .type = 0 }, STATUS_RANGE },
        { { .type = 7 }, STATUS_RANGE },
        { { .type = RG_SETTING_FILE, .max = 0 }, STATUS_RANGE },
        { { .type = RG_SETTING_FILE, .min = -1, .max = 5 }, STATUS_RANGE },
        { { .type = RG_SETTING_FILE, .min = 6, .max = 5 }, STATUS_RANGE },
        { { .type = RG_SETTING_FILE, .max = 1 << 30 }, STATUS_RANGE },
        { { .type = RG_SETTING_FILE, .max = 5, .fallback = "a" }, STATUS_MALFORMED },
        { { .type = RG_SETTING_FILE, .max = 5 }, STATUS_OK },
        { { .type = RG_SETTING_TEXT, .max = 0 }, STATUS_RANGE },
        { { .type = RG_SETTING_TEXT, .min = -1, .max = 5 }, STATUS_RANGE },
        { { .type = RG_SETTING_TEXT, .min = 6, .max = 5 }, STATUS_RANGE },
        { { .type = RG_SETTING_TEXT, .max = 3, .fallback = "four" }, STATUS_MALFORMED },
        { { .type = RG_SETTING_TEXT, .max = 4, .fallback = "four" }, STATUS_OK },
        { { .type = RG_SETTING_NUMBER, .min = 2, .max = 1 }, STATUS_RANGE },
        { { .type = RG_SETTING_NUMBER, .min = 1, .max = 9, .fallback = "10" }, STATUS_MALFORMED },
        { { .type = RG_SETTING_NUMBER, .min = 1, .max = 9, .fallback = "x" }, STATUS_MALFORMED },
        { { .type = RG_SETTING_NUMBER, .min = -5, .max = 9, .fallback = "-5" }, STATUS_OK },
        { { .type = RG_SETTING_CHOICE }, STATUS_MALFORMED },
        { { .type = RG_SETTING_CHOICE, .choices = "" }, STATUS_MALFORMED },
        { { .type = RG_SETTING_CHOICE, .choices = "a||b" }, STATUS_MALFORMED },
        { { .type = RG_SETTING_CHOICE, .choices = "a|b|" }, STATUS_MALFORMED },
        { { .type = RG_SETTING_CHOICE, .choices = "a|b|a" }, STATUS_MALFORMED },
        { { .type = RG_SETTING_CHOICE, .choices = "ab|b", .fallback = "a" }, STATUS_MALFORMED },
        { { .type = RG_SETTING_CHOICE, .choices = "ab|b", .fallback = "b" }, STATUS_OK },
        { { .type = RG_SETTING_FLAG, .fallback = "true" }, STATUS_MALFORMED },
        { { .type = RG_SETTING_FLAG, .fallback = "yes" }, STATUS_OK },
        { { .type = RG_SETTING_KEY, .fallback = "" }, STATUS_MALFORMED },
        { { .type = RG_SETTING_KEY }, STATUS_OK },
        { { .type = RG_SETTING_KEY, .unit = "" }, STATUS_MALFORMED },
        { { .type = RG_SETTING_FILE, .max = 262144 }, STATUS_OK },
        { { .type = RG_SETTING_FILE, .max = 262145 }, STATUS_RANGE },
        { { .type = RG_SETTING_FILE }, STATUS_RANGE },
        { { .type = RG_SETTING_FILE, .min = 2, .max = 1 }, STATUS_RANGE },
        { { .type = RG_SETTING_FILE, .min = -1, .max = 1 }, STATUS_RANGE },
        { { .type = RG_SETTING_FILE, .max = 9, .fallback = "file" }, STATUS_MALFORMED },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        *row = cases[i].row;
        row->size = good.size;
        row->name = good.name;
        row->sentence = good.sentence;
        assert_int_equal(check(), cases[i].status);
        if (cases[i].status != STATUS_OK)
            assert_non_null(strstr(why_text, "s1")); /* it names the row */
    }
    *row = good;
    row->sentence = NULL;
    assert_int_equal(check(), STATUS_MALFORMED);
    *row = good;
    subject.settings = NULL;
    assert_int_equal(check(), STATUS_MALFORMED);
}

static void ability_rows(void **state)
{
    (void)state;
    struct rg_ability *row = &abilities[1];
    const struct rg_ability good = *row;
    static const char *const lists[] = { "", "eur", "EU", "EURO", "EUR,USD", "EUR  USD", "EUR " };
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        row->currencies = lists[i];
        assert_int_equal(check(), STATUS_MALFORMED);
    }
    row->currencies = "EUR USD JPY";
    assert_int_equal(check(), STATUS_OK);
    *row = good;
    row->operation = 0;
    assert_int_equal(check(), STATUS_RANGE);
    row->operation = 13;
    assert_int_equal(check(), STATUS_RANGE);
    row->operation = 1; /* twice */
    assert_int_equal(check(), STATUS_MALFORMED);
    *row = good;
    row->amount_minor_max = 0;
    assert_int_equal(check(), STATUS_RANGE);
    *row = good;
    row->deadline_ms = 0;
    assert_int_equal(check(), STATUS_RANGE);
    *row = good;
    subject.abilities = NULL;
    assert_int_equal(check(), STATUS_MALFORMED);
}

static void promises(void **state)
{
    (void)state;
    abilities[1].flags = RG_ABLE_REVERSE | RG_ABLE_INQUIRE;
    assert_int_equal(check(), STATUS_OK); /* rows 6 and 7 are inquire and reverse */
    subject.abilities_count = 6;
    assert_int_equal(check(), STATUS_MALFORMED);
    abilities[1].flags = RG_ABLE_INQUIRE;
    assert_int_equal(check(), STATUS_OK);
    subject.abilities_count = 5;
    assert_int_equal(check(), STATUS_MALFORMED);
}

int main(void)
{
#define STORY(f) cmocka_unit_test_setup(f, set_up)
    const struct CMUnitTest tests[] = {
        STORY(nothing_wrong), STORY(returned_null), STORY(magic),     STORY(major),
        STORY(minor),         STORY(size),          STORY(row_sizes), STORY(shorter_rows),
        STORY(names),         STORY(transport),     STORY(limits),    STORY(functions),
        STORY(settings_rows), STORY(ability_rows),  STORY(promises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
