/* json_read_test.c - what the JSON reader takes, what it refuses, where and why. */
#include "base/ensure.h"
#include "base/vault.h"
#include "json/json_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_BYTES ((size_t)32 << 20)
/* Of a char array that holds a literal. */
#define ARRAY_VIEW(array) view_of((array), sizeof(array) - 1)

static struct arena arena;
static struct json_error last;

/* Reads under the default limits; the tree is good until the next call. */
static const struct json_node *parse(struct view text, enum status expected)
{
    arena_reset(&arena);
    const struct json_node *root = NULL;
    last = (struct json_error){ 0 };
    enum status status = json_read(text, NULL, &arena, &root, &last);
    if (status != expected)
        fail_msg("%s instead of %s for %.*s: %s", status_name(status), status_name(expected),
                 (int)(text.len < 200 ? text.len : 200), (const char *)text.ptr, last.message);
    assert_int_equal(last.status, status == STATUS_OK ? STATUS_INVALID : status);
    assert_true(status == STATUS_OK ? root != NULL : root == NULL);
    return root;
}

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, ARENA_BYTES);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_reset(&arena);
    return vault_in_use() == 0 ? 0 : -1;
}

static void test_tree(void **state)
{
    (void)state;
    static const char text[] =
        " {\"a\": 1 , \"b\":[true,false,null,\"x\",{}],\t\"c\":{\"d\":-2.5e3}}\n";
    const struct json_node *root = parse(ARRAY_VIEW(text), STATUS_OK);
    assert_int_equal(root->kind, JSON_OBJECT);
    assert_int_equal(root->count, 3);
    assert_null(root->parent);
    assert_true(view_equal(json_raw(root, ARRAY_VIEW(text)), view_trim(ARRAY_VIEW(text))));

    const struct json_node *b = json_member(root, "b");
    static const enum json_kind kinds[] = { JSON_TRUE, JSON_FALSE, JSON_NULL, JSON_TEXT,
                                            JSON_OBJECT };
    static const char *const raws[] = { "true", "false", "null", "\"x\"", "{}" };
    assert_int_equal(b->count, COUNT_OF(kinds));
    size_t i = 0;
    for (JSON_EACH(e, b)) {
        assert_int_equal(e->kind, kinds[i]);
        assert_true(view_is(json_raw(e, ARRAY_VIEW(text)), raws[i]));
        assert_ptr_equal(json_element(b, (uint32_t)i), e);
        assert_ptr_equal(e->parent, b);
        i++;
    }
    assert_int_equal(i, COUNT_OF(kinds));
    assert_null(json_element(b, 5));
    assert_null(json_element(root, 0));

    const struct json_node *d = json_member(json_member(root, "c"), "d");
    assert_true(view_is(d->text, "-2.5e3"));
    assert_true(view_is(view_slice(ARRAY_VIEW(text), d->key_offset, 3), "\"d\""));
    /* Looking where nothing is comes back empty-handed, however often. */
    assert_null(json_member(json_member(json_member(root, "zz"), "y"), "x"));
    assert_null(json_member(b, "a"));
    assert_null(json_element(NULL, 0));
}

static void test_single_values(void **state)
{
    (void)state;
    static const struct {
        struct view text;
        enum json_kind kind;
    } rows[] = {
        { VIEW("1"), JSON_NUMBER },      { VIEW("  -17  "), JSON_NUMBER },
        { VIEW("1E+2"), JSON_NUMBER },   { VIEW("0.5"), JSON_NUMBER },
        { VIEW("-0"), JSON_NUMBER },     { VIEW("true"), JSON_TRUE },
        { VIEW("false\n"), JSON_FALSE }, { VIEW("null"), JSON_NULL },
        { VIEW("\"\""), JSON_TEXT },     { VIEW("\"a\""), JSON_TEXT },
        { VIEW("[]"), JSON_ARRAY },      { VIEW("\r\n\t {}"), JSON_OBJECT },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct json_node *root = parse(rows[i].text, STATUS_OK);
        assert_int_equal(root->kind, rows[i].kind);
        assert_true(view_equal(json_raw(root, rows[i].text), view_trim(rows[i].text)));
        if (root->kind == JSON_NUMBER)
            assert_true(view_equal(root->text, view_trim(rows[i].text)));
    }
}

/* A table of texts that are no JSON. Each is also tried inside an open array and object, where yajl
 * takes another way through its lexer, and followed by more text. */
static void test_not_json(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "tru",
        "nul",
        "True",
        "NaN",
        "Infinity",
        "-Infinity",
        "undefined",
        "-",
        "+1",
        "01",
        "-01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x10",
        "1_000",
        "--1",
        "'a'",
        "\"a",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12G4\"",
        "\"\t\"",
        "\"\n\"",
        "\"\\\"",
        "[",
        "]",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1,,2]",
        "{",
        "}",
        "{]",
        "[}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,\"a\":1}",
        "{a:1}",
        "{1:1}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1,,\"b\":2}",
        "/* c */ 1",
        "1 // c",
        "#",
        "\"a\"b\"",
        "1 2",
        "1,",
        "1 x",
        "{} {}",
        "[] ]",
        "null null",
        "\"a\" \"b\"",
        "{\"a\":1}}",
        "\x01",
        "\x7F",
        "\\u0031",
        "\xC2\xA0"
        "1",
        "\x0C"
        "1",
        "\x0B"
        "1",
        "truefalse",
        "true1",
        "1true",
        "\"a\"1",
        "[1]2",
        "{\"a\":1}x",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        char bracketed[64];
        const struct json_node *root = NULL;
        arena_reset(&arena);
        enum status status = json_read(view_text(texts[i]), NULL, &arena, &root, &last);
        if (status != STATUS_MALFORMED && status != STATUS_SHORT)
            fail_msg("%s for %s", status_name(status), texts[i]);
        assert_true(last.offset <= strlen(texts[i]));
        assert_true(strlen(last.message) > 10);
        assert_null(root);
        (void)snprintf(bracketed, sizeof bracketed, "[{\"a\":%s ", texts[i]);
        arena_reset(&arena);
        status = json_read(view_text(bracketed), NULL, &arena, &root, NULL);
        if (status != STATUS_MALFORMED && status != STATUS_SHORT)
            fail_msg("%s for %s", status_name(status), bracketed);
    }
}

static void test_bytes_after_value(void **state)
{
    (void)state;
    static const char *const texts[] = { "1 2", "{}x",    "{}{}", "[]]",  "null,",  "\"a\"\"b\"",
                                         "1}",  "true t", "0 0",  "[1]2", "{} \x01" };
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        (void)parse(view_text(texts[i]), STATUS_MALFORMED);
    (void)parse(VIEW("{}\0"), STATUS_MALFORMED); /* NUL is no blank */
    (void)parse(VIEW("1\0"), STATUS_MALFORMED);
    (void)parse(VIEW("{} \t\r\n "), STATUS_OK);
}

/* Every proper prefix of a text that is an object is refused, and for what is missing. */
static void test_every_truncation(void **state)
{
    (void)state;
    static const char text[] =
        "{\"a\":[1,-2.5e+3,true,false,null,\"x\\n\\u00e9\\ud83d\\ude00\",{}],\"b\":{\"c\":\"d\"}}";
    for (size_t len = 0; len < sizeof text - 1; len++) {
        uint8_t *copy = malloc(len + 1); /* exact, so that a sanitizer sees a read past the end */
        assert_non_null(copy);
        memcpy(copy, text, len);
        (void)parse(view_of(len > 0 ? copy : NULL, len), STATUS_SHORT);
        assert_int_equal(last.offset, len);
        free(copy);
    }
    (void)parse(ARRAY_VIEW(text), STATUS_OK);
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        struct view text;
        size_t offset;
    } bad[] = {
        { VIEW("\"\xFF\""), 1 },
        { VIEW("\"abc\xC0\xAF\""), 4 },
        { VIEW("\"\xED\xA0\x80\""), 1 },
        { VIEW("\"\xE2\x82\""), 1 },
        { VIEW("\"\xF4\x90\x80\x80\""), 1 },
        { VIEW("{\"\xE2\x82\xAC\x80\":1}"), 5 },
        { VIEW("\"\xE2\x82"), 1 },
        { VIEW("\xC3("), 0 },
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        (void)parse(bad[i].text, STATUS_MALFORMED);
        assert_int_equal(last.offset, bad[i].offset);
        assert_string_equal(last.message, "The JSON text is not UTF-8.");
    }
    (void)parse(VIEW("\xEF\xBB\xBF{}"), STATUS_MALFORMED);
    struct view out;
    assert_int_equal(json_text(parse(VIEW("\"\xF0\x9F\x98\x80\xE2\x82\xAC\""), STATUS_OK), &out),
                     STATUS_OK);
    assert_true(view_is(out, "\xF0\x9F\x98\x80\xE2\x82\xAC"));
}

static void test_escapes(void **state)
{
    (void)state;
    struct view out;
    const struct json_node *root =
        parse(VIEW("\"\\\"\\\\\\/"
                   "\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\uD83D\\uDE00\\uFFFF\\ud7ff\\ue000\""),
              STATUS_OK);
    assert_int_equal(json_text(root, &out), STATUS_OK);
    assert_true(view_is(out, "\"\\/\b\f\n\r\tA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xEF\xBF\xBF"
                             "\xED\x9F\xBF\xEE\x80\x80"));
    assert_true(view_is_utf8(out));
    assert_false(root->has_nul);

    root = parse(VIEW("{\"a\\u0000b\":\"x\\u0000\"}"), STATUS_OK);
    assert_true(view_equal(root->first->key, VIEW("a\0b")));
    assert_true(view_equal(root->first->text, VIEW("x\0")));
    assert_true(root->first->has_nul);
    assert_null(json_member(root, "a"));

    /* Positions after escapes are right. */
    static const char text[] = "{\"\\u0061\" : \"\\n\" , \"b\":[\"\\\\\",7]}";
    root = parse(ARRAY_VIEW(text), STATUS_OK);
    assert_true(view_is(json_raw(json_member(root, "a"), ARRAY_VIEW(text)), "\"\\n\""));
    assert_true(view_is(json_raw(json_member(root, "b"), ARRAY_VIEW(text)), "[\"\\\\\",7]"));
    assert_true(view_is(json_raw(json_find(root, VIEW("/b/1")), ARRAY_VIEW(text)), "7"));
}

static void test_half_surrogates(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t offset;
    } rows[] = {
        { "\"\\ud800\"", 1 },
        { "\"\\udfff\"", 1 },
        { "\"ab\\uD83D\"", 3 },
        { "\"\\ud83dx\"", 1 },
        { "\"\\ud83d\\n\"", 1 },
        { "\"\\ud83d\\u0041\"", 1 },
        { "\"\\ud83d\\ud83d\"", 1 },
        { "\"\\ude00\\ud83d\"", 1 },
        { "\"\\uD83D\\uDE00\\uDE00\"", 13 },
        { "{\"\\ud800\":1}", 2 },
        { "[1,\"\\\\\\udc00\"]", 6 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        (void)parse(view_text(rows[i].text), STATUS_MALFORMED);
        assert_non_null(strstr(last.message, "surrogate"));
        assert_int_equal(last.offset, rows[i].offset);
    }
    (void)parse(VIEW("\"\\\\ud800\""), STATUS_OK); /* a backslash and five letters */
}

static void test_integers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum status status;
        int64_t value;
    } rows[] = {
        { "0", STATUS_OK, 0 },
        { "-1", STATUS_OK, -1 },
        { "9007199254740993", STATUS_OK, INT64_C(9007199254740993) },
        { "-9007199254740993", STATUS_OK, -INT64_C(9007199254740993) },
        { "9223372036854775807", STATUS_OK, INT64_MAX },
        { "-9223372036854775808", STATUS_OK, INT64_MIN },
        { "9223372036854775808", STATUS_RANGE, 0 },
        { "-9223372036854775809", STATUS_RANGE, 0 },
        { "18446744073709551617", STATUS_RANGE, 0 },
        { "100000000000000000000000000000000000000000", STATUS_RANGE, 0 },
        { "1e2", STATUS_MALFORMED, 0 },
        { "1E2", STATUS_MALFORMED, 0 },
        { "1e400", STATUS_MALFORMED, 0 },
        { "10.0", STATUS_MALFORMED, 0 },
        { "-0", STATUS_MALFORMED, 0 },
        { "-0.0", STATUS_MALFORMED, 0 },
        { "0e0", STATUS_MALFORMED, 0 },
        { "\"12\"", STATUS_MISMATCH, 0 },
        { "null", STATUS_MISMATCH, 0 },
        { "true", STATUS_MISMATCH, 0 },
        { "[1]", STATUS_MISMATCH, 0 },
        { "{}", STATUS_MISMATCH, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t value = 77;
        enum status status = json_i64(parse(view_text(rows[i].text), STATUS_OK), &value);
        if (status != rows[i].status || value != (status == STATUS_OK ? rows[i].value : 77))
            fail_msg("%s: %s", rows[i].text, status_name(status));
    }
    int64_t value;
    assert_int_equal(json_i64(NULL, &value), STATUS_NOT_FOUND);
}

static void test_other_kinds(void **state)
{
    (void)state;
    struct view text;
    bool flag = false;
    const struct json_node *root = parse(VIEW("[\"s\",true,false,null,1]"), STATUS_OK);
    assert_int_equal(json_text(json_element(root, 0), &text), STATUS_OK);
    assert_true(view_is(text, "s"));
    assert_int_equal(json_bool(json_element(root, 1), &flag), STATUS_OK);
    assert_true(flag);
    assert_int_equal(json_bool(json_element(root, 2), &flag), STATUS_OK);
    assert_false(flag);
    assert_int_equal(json_bool(json_element(root, 3), &flag), STATUS_MISMATCH);
    assert_int_equal(json_bool(NULL, &flag), STATUS_NOT_FOUND);
    assert_int_equal(json_text(json_element(root, 4), &text), STATUS_MISMATCH);
    assert_int_equal(json_text(NULL, &text), STATUS_NOT_FOUND);
}

static void check_place(enum status status, const char *pointer, size_t offset)
{
    assert_int_equal(last.status, status);
    assert_string_equal(last.pointer, pointer);
    assert_int_equal(last.pointer_len, strlen(pointer));
    assert_int_equal(last.offset, offset);
}

static void test_names_twice(void **state)
{
    (void)state;
    (void)parse(VIEW("{\"a\":1,\"b\":2,\"a\":3}"), STATUS_EXISTS);
    check_place(STATUS_EXISTS, "/a", 13);
    (void)parse(VIEW("{\"a\":1,\"\\u0061\":2}"), STATUS_EXISTS); /* equal once unescaped */
    (void)parse(VIEW("{\"\":1,\"\":2}"), STATUS_EXISTS);
    (void)parse(VIEW("[{\"x\":[0,{\"k\":1,\"k\":2}]}]"), STATUS_EXISTS);
    check_place(STATUS_EXISTS, "/0/x/1/k", 16);
    (void)parse(VIEW("{\"a\":{\"a\":{\"a\":1}},\"A\":[{\"a\":1},{\"a\":1}]}"), STATUS_OK);
}

/* Objects of every size up to 100, with the same name twice at every pair of a few places. */
static void test_names_twice_large(void **state)
{
    (void)state;
    static char text[4096];
    for (size_t count = 2; count <= 100; count += count < 24 ? 1 : 19) {
        for (size_t first = 0; first < count; first += count < 24 ? 1 : 13) {
            for (size_t second = first; second < count; second += count < 24 ? 1 : 7) {
                size_t at = 0, expected = 0;
                for (size_t i = 0; i < count; i++) {
                    text[at++] = i == 0 ? '{' : ',';
                    expected = i == second ? at : expected;
                    at += (size_t)snprintf(text + at, sizeof text - at, "\"k%zu\":%zu",
                                           i == second ? first : i, i);
                }
                text[at++] = '}';
                /* first == second: nothing is there twice */
                (void)parse(view_of(text, at), first == second ? STATUS_OK : STATUS_EXISTS);
                if (first != second) {
                    char pointer[16];
                    (void)snprintf(pointer, sizeof pointer, "/k%zu", first);
                    check_place(STATUS_EXISTS, pointer, expected);
                }
            }
        }
    }
}

/* 200,000 names in one object: at n log n a moment, at n squared minutes (ctest's timeout). */
static void test_names_many(void **state)
{
    (void)state;
    size_t count = 200000, room = count * 20;
    char *text = malloc(room);
    assert_non_null(text);
    for (int twice = 0; twice < 2; twice++) {
        size_t at = 0;
        for (size_t i = 0; i < count; i++) {
            text[at++] = i == 0 ? '{' : ',';
            size_t name = twice && i == count - 1 ? 0 : i;
            at += (size_t)snprintf(text + at, room - at, "\"k%06zu\":1", name);
        }
        text[at++] = '}';
        struct json_limits limits = { .bytes_max = room, .nodes_max = 300000, .depth_max = 2 };
        const struct json_node *root;
        arena_reset(&arena);
        assert_int_equal(json_read(view_of(text, at), &limits, &arena, &root, &last),
                         twice ? STATUS_EXISTS : STATUS_OK);
        if (twice)
            assert_string_equal(last.pointer, "/k000000");
    }
    free(text);
}

static void test_limits(void **state)
{
    (void)state;
    struct json_limits limits = { .bytes_max = 20, .nodes_max = 5, .depth_max = 3 };
    static const struct {
        const char *text;
        enum status status;
        const char *pointer;
        size_t offset;
    } rows[] = {
        { "[[[1]]]", STATUS_OK, "", 0 },
        { "[[[[]]]]", STATUS_FULL, "/0/0/0", 3 },
        { "[1,{\"a\":[{}]}]", STATUS_FULL, "/1/a/0", 9 },
        { "[1,2,3,4]", STATUS_OK, "", 0 },
        { "[1,2,3,4,5]", STATUS_FULL, "/4", 9 },
        { "[[],[],[],[],[]]", STATUS_FULL, "/4", 13 },
        { "\"345678901234567890\"", STATUS_OK, "", 0 },
        { "\"3456789012345678901\"", STATUS_FULL, "", 20 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct json_node *root;
        arena_reset(&arena);
        assert_int_equal(json_read(view_text(rows[i].text), &limits, &arena, &root, &last),
                         rows[i].status);
        if (rows[i].status != STATUS_OK)
            check_place(STATUS_FULL, rows[i].pointer, rows[i].offset);
    }
    /* The default depth. */
    (void)parse(VIEW("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"), STATUS_OK);
    (void)parse(VIEW("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]"), STATUS_FULL);
    /* A hundred thousand brackets are refused at the seventeenth. */
    char *deep = malloc(100000);
    assert_non_null(deep);
    memset(deep, '[', 100000);
    (void)parse(view_of(deep, 100000), STATUS_FULL);
    assert_int_equal(last.offset, 16);
    free(deep);
}

static void test_places(void **state)
{
    (void)state;
    (void)parse(VIEW("{\"amount\": x}"), STATUS_MALFORMED);
    check_place(STATUS_MALFORMED, "/amount", 11);
    (void)parse(VIEW("[1,,2]"), STATUS_MALFORMED);
    check_place(STATUS_MALFORMED, "/1", 3);
    (void)parse(VIEW("{\"a\":1 \"b\":2}"), STATUS_MALFORMED);
    check_place(STATUS_MALFORMED, "", 7);
    (void)parse(VIEW("[\"ab\tc\"]"), STATUS_MALFORMED);
    check_place(STATUS_MALFORMED, "/0", 1);
    (void)parse(VIEW("{} x"), STATUS_MALFORMED);
    check_place(STATUS_MALFORMED, "", 3);
    (void)parse(VIEW("1 2"), STATUS_MALFORMED);
    check_place(STATUS_MALFORMED, "", 2);
    (void)parse(VIEW("{\"a/b\":{\"m~n\":[1,2,}]}}"), STATUS_MALFORMED);
    assert_string_equal(last.pointer, "/a~1b/m~0n/2");
    (void)parse(VIEW("{\"a\":1"), STATUS_SHORT);
    check_place(STATUS_SHORT, "", 6);
    (void)parse(VIEW(""), STATUS_SHORT);
    check_place(STATUS_SHORT, "", 0);
    (void)parse(VIEW("{\"a\\u0000b\":[00]}"), STATUS_MALFORMED);
    assert_true(view_starts_with(json_error_pointer(&last), VIEW("/a\0b/")));

    /* A name that does not fit the error is left off, with all below it. */
    static char text[1024];
    int len = snprintf(text, sizeof text, "{\"a\":{\"%0300d\":{\"b\":x}}}", 7);
    (void)parse(view_of(text, (size_t)len), STATUS_MALFORMED);
    assert_string_equal(last.pointer, "/a");
}

static void test_pointers(void **state)
{
    (void)state;
    /* RFC 6901, section 5. */
    const struct json_node *root =
        parse(VIEW("{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,"
                   "\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,\"m~n\":8}"),
              STATUS_OK);
    static const char *const numbers[] = { "/",     "/a~1b", "/c%d", "/e^f", "/g|h",
                                           "/i\\j", "/k\"l", "/ ",   "/m~0n" };
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        int64_t value = -1;
        const struct json_node *node = json_find(root, view_text(numbers[i]));
        assert_int_equal(json_i64(node, &value), STATUS_OK);
        assert_int_equal(value, i);
        char back[32];
        struct writer w = writer_over(back, sizeof back);
        json_pointer(&w, node);
        assert_int_equal(writer_terminate(&w), STATUS_OK);
        assert_string_equal(back, numbers[i]);
    }
    assert_ptr_equal(json_find(root, VIEW_EMPTY), root);
    assert_true(view_is(json_find(root, VIEW("/foo/1"))->text, "baz"));
    static const char *const nowhere[] = { "foo",     "/foo/2", "/foo/-",   "/foo/01",
                                           "/foo/+1", "/fo",    "/fooo",    "/m~n",
                                           "/m~2n",   "/m~",    "/foo/0/x", "/foo/4294967296",
                                           "//" };
    for (size_t i = 0; i < COUNT_OF(nowhere); i++)
        assert_null(json_find(root, view_text(nowhere[i])));
    assert_null(json_find(NULL, VIEW("/a")));

    char small[4];
    struct writer w = writer_over(small, sizeof small);
    json_pointer(&w, json_find(root, VIEW("/foo/1")));
    assert_true(w.overflow);
}

static void test_unknown_members(void **state)
{
    (void)state;
    static const char *const known[] = { "amount", "currency" };
    const struct json_node *root =
        parse(VIEW("{\"x\":1,\"amount\":2,\"y\":3,\"currency\":4,\"Amount\":5}"), STATUS_OK);
    const struct json_node *member = json_unknown(root, known, COUNT_OF(known), NULL);
    assert_true(view_is(member->key, "x"));
    member = json_unknown(root, known, COUNT_OF(known), member);
    assert_true(view_is(member->key, "y"));
    member = json_unknown(root, known, COUNT_OF(known), member);
    assert_true(view_is(member->key, "Amount"));
    assert_null(json_unknown(root, known, COUNT_OF(known), member));
    assert_null(json_unknown(NULL, known, COUNT_OF(known), NULL));
    assert_null(json_unknown(json_element(parse(VIEW("[1]"), STATUS_OK), 0), known, 2, NULL));
}

/* With every arena from nothing to enough, 16 bytes more each time: NO_MEMORY or the whole tree,
 * and never a crash inside yajl, which does not look at what its allocator returns. */
static void test_every_arena(void **state)
{
    (void)state;
    static const char text[] = "{\"a\\n\":[1,\"\\u20ac long enough to be decoded in a buffer\"],"
                               "\"b\":{\"c\":[[[[[[null]]]]]]},\"d\":x";
    for (int broken = 0; broken < 2; broken++) {
        struct view view = view_of(text, sizeof text - 1);
        if (!broken)
            view = VIEW("{\"a\\n\":[1,\"\\u20ac long enough to be decoded in a buffer\"],"
                        "\"b\":{\"c\":[[[[[[null]]]]]]},\"d\":\"x\"}");
        size_t refused = 0;
        for (size_t limit = 0;; limit += 16) {
            struct arena small;
            arena_init(&small, limit);
            const struct json_node *root;
            enum status status = json_read(view, NULL, &small, &root, &last);
            arena_reset(&small);
            if (status != STATUS_NO_MEMORY) {
                assert_int_equal(status, broken ? STATUS_MALFORMED : STATUS_OK);
                break;
            }
            assert_int_equal(last.status, STATUS_NO_MEMORY);
            refused++;
            assert_true(limit < 1 << 20);
        }
        assert_true(refused > 50);
    }
}

/* What the reader holds is in the vault, the parser's own buffers too, and goes with the arena. */
static void test_memory_is_vault(void **state)
{
    (void)state;
    struct arena own;
    size_t before = vault_in_use();
    arena_init(&own, 1 << 20);
    const struct json_node *root;
    assert_int_equal(json_read(VIEW("{\"a\":\"\\u0041\"}"), NULL, &own, &root, NULL), STATUS_OK);
    assert_true(vault_in_use() > before);
    arena_reset(&own);
    assert_int_equal(vault_in_use(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_single_values),
        cmocka_unit_test(test_not_json),
        cmocka_unit_test(test_bytes_after_value),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_half_surrogates),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_other_kinds),
        cmocka_unit_test(test_names_twice),
        cmocka_unit_test(test_names_twice_large),
        cmocka_unit_test(test_names_many),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_pointers),
        cmocka_unit_test(test_unknown_members),
        cmocka_unit_test(test_every_arena),
        cmocka_unit_test(test_memory_is_vault),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
