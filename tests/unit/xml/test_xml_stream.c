/* test_xml_stream.c - what the host's XML reader tells, in which order, and what it refuses. A
 * reading is written down as a text: "(1a" an element opens (depth, name), "=x" its text, ")" it
 * closes; a name that is no word of the rules is "?".
 */
#include "base/ensure.h"
#include "xml/xml_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#define TEXT_ROOM 20
#define HUGE_LEN  ((size_t)3 * XML_TAG_MAX)

struct told {
    struct writer w;
    char text[4096];
    uint64_t opened, closed, line; /* line: of the last call */
    bool cut;                      /* the last text was */
    uint64_t stop_at;              /* the event that is not liked; 0: none */
    struct xml_refusal refusal;
};

static const struct view words[] = { VIEW("a"), VIEW("b"), VIEW("c") };
enum { EL_OTHER = XML_OTHER, EL_A, EL_B, EL_C };

static char letter_of(const struct xml_place *place)
{
    assert_in_range(place->depth, 1, XML_DEPTH_MAX);
    uint8_t number = place->path[place->depth - 1];
    assert_in_range(number, EL_OTHER, EL_C);
    return "?abc"[number - EL_OTHER];
}

static enum status liked(struct told *told)
{
    return told->opened + told->closed == told->stop_at ? STATUS_MISMATCH : STATUS_OK;
}

static enum status on_open(void *arg, const struct xml_place *place)
{
    struct told *told = arg;
    struct view value;
    assert_true(told->stop_at == 0 || told->opened + told->closed < told->stop_at);
    assert_int_equal(place->text.len, 0);
    told->opened++;
    assert_int_equal(place->depth, told->opened - told->closed);
    told->line = place->line;
    writer_format(&told->w, "(%zu%c", place->depth, letter_of(place));
    if (place->space.len > 0)
        writer_format(&told->w, "{%.*s}", (int)place->space.len, (const char *)place->space.ptr);
    if (xml_attribute_value(place->attributes, VIEW("k"), &value))
        writer_format(&told->w, "[%.*s]", (int)value.len, (const char *)value.ptr);
    return liked(told);
}

static enum status on_close(void *arg, const struct xml_place *place)
{
    struct told *told = arg;
    struct view value;
    assert_true(told->stop_at == 0 || told->opened + told->closed < told->stop_at);
    assert_int_equal(place->depth, told->opened - told->closed);
    assert_false(xml_attribute_value(place->attributes, VIEW("k"), &value));
    assert_true(view_is_utf8(place->text) || place->text_cut);
    told->closed++;
    told->line = place->line;
    told->cut = place->text_cut;
    if (place->text.len > 0) {
        writer_text(&told->w, "=");
        writer_view(&told->w, place->text);
    }
    writer_text(&told->w, ")");
    return liked(told);
}

static enum status read_file(FILE *file, uint64_t bytes_max, uint64_t stop_at, struct told *told)
{
    const struct xml_rules rules = { .words = words,
                                     .word_count = COUNT_OF(words),
                                     .text_max = TEXT_ROOM,
                                     .bytes_max = bytes_max,
                                     .too_large = "more than the test allows",
                                     .open = on_open,
                                     .close = on_close };
    *told = (struct told){ .stop_at = stop_at };
    told->w = writer_over(told->text, sizeof told->text - 1);
    enum status status = xml_stream(file, &rules, told, &told->refusal);
    assert_int_equal(fclose(file), 0);
    assert_true(status != STATUS_OK || (told->opened == told->closed && told->opened > 0));
    return status;
}

static FILE *file_of(struct view bytes)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.ptr, 1, bytes.len, file), bytes.len);
    rewind(file);
    return file;
}

static enum status read_bytes(struct view bytes, struct told *told)
{
    return read_file(file_of(bytes), UINT64_MAX, 0, told);
}

/* With its zero bytes. */
#define TELLS(literal, expected)                                                                   \
    do {                                                                                           \
        struct told told_;                                                                         \
        assert_int_equal(read_bytes(VIEW(literal), &told_), STATUS_OK);                            \
        assert_null(told_.refusal.what);                                                           \
        assert_int_equal(writer_terminate(&told_.w), STATUS_OK);                                   \
        assert_string_equal(told_.text, expected);                                                 \
    } while (0)

static void refused(struct view bytes, enum status expected, uint64_t line, const char *sentence)
{
    struct told told;
    assert_int_equal(read_bytes(bytes, &told), expected);
    assert_non_null(told.refusal.what);
    assert_non_null(strstr(told.refusal.what, sentence));
    if (line > 0)
        assert_int_equal(told.refusal.line, line);
}
#define REFUSED(literal, ...) refused(VIEW(literal), __VA_ARGS__)
#define MALFORMED(literal)    refused(VIEW(literal), STATUS_MALFORMED, 0, "not well-formed")

/* --- what is told ------------------------------------------------------------------------------
 */

static void elements_and_texts(void **state)
{
    (void)state;
    TELLS("<a/>", "(1a)");
    TELLS("<?xml version=\"1.0\"?>\n<a><b>x</b><z><c/></z></a>\n", "(1a(2b=x)(2?(3c)))");
    TELLS("<a xmlns='urn:x'><y:b xmlns:y='urn:y'/><c/></a>", "(1a{urn:x}(2b{urn:y})(2c{urn:x}))");
    TELLS("<a k='1'><b j='2'/><c k='&#60;3&amp;'/></a>", "(1a[1](2b)(2c[<3&#38;]))");
    TELLS("<a k='1' y:k='2' xmlns:y='urn:y'><b y:k='2' xmlns:y='urn:y'/></a>", "(1a[1](2b))");
    TELLS("<a>  two\n words </a>", "(1a=two\n words)");
    TELLS("<a>1<![CDATA[<b>]]>&lt;&#233;<!-- no --><?no no?>&quot;</a>", "(1a=1<b><\xC3\xA9\")");
    /* Of a text with elements in it, what stands behind the last. */
    TELLS("<a>one<b>two</b>three</a>", "(1a(2b=two)=three)");
    TELLS("<a> 1234567890 </a>", "(1a=1234567890)");
}

static void lines_are_counted(void **state)
{
    (void)state;
    struct told told;
    assert_int_equal(read_bytes(VIEW("<a>\n\n<b>\n</b\n>\n</a>"), &told), STATUS_OK);
    assert_int_equal(told.line, 6);
    assert_int_equal(read_file(file_of(VIEW("<a>\n\n<b>\n</b\n>\n</a>")), UINT64_MAX, 2, &told),
                     STATUS_MISMATCH);
    assert_int_equal(told.line, 3);
}

static void texts_are_cut(void **state)
{
    (void)state;
    struct told told;
    TELLS("<a>12345678901234567890</a>", "(1a=12345678901234567890)");
    assert_int_equal(read_bytes(VIEW("<a>12345678901234567890</a>"), &told), STATUS_OK);
    assert_false(told.cut);
    assert_int_equal(read_bytes(VIEW("<a>123456789012345678901</a>"), &told), STATUS_OK);
    assert_true(told.cut);
    TELLS("<a>123456789012345678901</a>", "(1a=12345678901234567890)");
    /* Blanks do not count. */
    TELLS("<a>                                        x</a>", "(1a=x)");
    TELLS("<a>             <!-- -->\n               <![CDATA[   ]]>  x</a>", "(1a=x)");
    TELLS("<a><b>123456789012345678901</b><c>1</c></a>", "(1a(2b=12345678901234567890)(2c=1))");
}

/* A handler that says no ends it, at once and without a sentence of ours. */
static void a_handler_ends_it(void **state)
{
    (void)state;
    struct told told;
    for (uint64_t stop_at = 1; stop_at <= 6; stop_at++) {
        enum status status =
            read_file(file_of(VIEW("<a k='1'><b>x</b><c/></a><wrong")), UINT64_MAX, stop_at, &told);
        assert_int_equal(status, STATUS_MISMATCH);
        assert_int_equal(told.opened + told.closed, stop_at);
        assert_null(told.refusal.what);
    }
}

/* --- what is refused ---------------------------------------------------------------------------
 */

static void doctypes(void **state)
{
    (void)state;
    static const struct view hostile[] = {
        VIEW("<!DOCTYPE a><a/>"),
        VIEW("<!DOCTYPE a []><a/>"),
        VIEW("<?xml version=\"1.0\"?>\n<!-- x -->\n<!DOCTYPE a SYSTEM "
             "\"file:///etc/hostname\"><a/>"),
        VIEW("<!DOCTYPE a PUBLIC \"-//X//Y\" \"http://127.0.0.1:9/x.dtd\"><a/>"),
        VIEW("<!DOCTYPE a [<!ENTITY e SYSTEM \"file:///etc/hostname\">]><a>&e;</a>"),
        VIEW("<!DOCTYPE a [<!ENTITY % p SYSTEM \"file:///etc/hostname\">%p;]><a/>"),
        VIEW("<!DOCTYPE a [<!ATTLIST a k CDATA \"1\">]><a/>"),
        /* A billion laughs. */
        VIEW(
            "<!DOCTYPE a [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">"
            "<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\"><!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;\">"
            "<!ENTITY e \"&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;\"><!ENTITY f \"&e;&e;&e;&e;&e;&e;&e;&e;\">"
            "<!ENTITY g \"&f;&f;&f;&f;&f;&f;&f;&f;&f;&f;\"><!ENTITY h \"&g;&g;&g;&g;&g;&g;&g;&g;\">"
            "]><a>&h;</a>"),
    };
    for (size_t i = 0; i < COUNT_OF(hostile); i++) {
        struct told told;
        assert_int_equal(read_bytes(hostile[i], &told), STATUS_REFUSED);
        assert_string_equal(told.refusal.what, "a DOCTYPE is not accepted");
        assert_int_equal(told.refusal.line, i == 2 ? 3 : 1);
        assert_int_equal(told.opened, 0);
    }
    MALFORMED("<a><!DOCTYPE a></a>"); /* where none can be */
    MALFORMED("<a/><!DOCTYPE a>");
}

static void entities(void **state)
{
    (void)state;
    MALFORMED("<a>&unknown;</a>");
    MALFORMED("<a k='&unknown;'/>");
    MALFORMED("<a>&#0;</a>");
    MALFORMED("<a>&#xD800;</a>");
    MALFORMED("<a>%p;&</a>");
    TELLS("<a k='&lt;&apos;'>&gt;&amp;</a>", "(1a[<']=>&)");
}

static void nesting(void **state)
{
    (void)state;
    char text[512];
    struct writer w = writer_over(text, sizeof text);
    for (size_t i = 0; i < XML_DEPTH_MAX; i++)
        writer_text(&w, "<a>\n");
    size_t open = w.len;
    for (size_t i = 0; i < XML_DEPTH_MAX; i++)
        writer_text(&w, "</a>");
    struct told told;
    assert_int_equal(read_bytes(writer_done(&w), &told), STATUS_OK);
    assert_int_equal(told.closed, XML_DEPTH_MAX);
    w.len = open;
    writer_text(&w, "<a>");
    refused(writer_done(&w), STATUS_RANGE, XML_DEPTH_MAX + 1, "nested too deeply");
}

static void cut_anywhere(void **state)
{
    (void)state;
    static const char whole[] = "<?xml version=\"1.0\"?><a k='1'><b>x &amp; y</b>"
                                "<!-- z --><c/><![CDATA[d]]></a>";
    struct told told;
    for (size_t len = 0; len < sizeof whole - 1; len++)
        refused(view_of(whole, len), STATUS_MALFORMED, 0, "not complete");
    assert_int_equal(read_bytes(view_of(whole, sizeof whole - 1), &told), STATUS_OK);
}

static void what_is_no_xml(void **state)
{
    (void)state;
    MALFORMED("");
    MALFORMED("\n\n");
    MALFORMED("a,b\n1,2\n");
    MALFORMED("<?xml version=\"1.0\"?>");
    MALFORMED("<a></b>");
    MALFORMED("<a/><a/>");
    MALFORMED("<a/>x");
    MALFORMED("<a>\0</a>");
    MALFORMED("<a k='1' k='2'/>");
    MALFORMED("<a k=1/>");
    MALFORMED("<a>\x01</a>");
    REFUSED("<a>\n<b>\n</a>", STATUS_MALFORMED, 3, "not well-formed");
}

static void encodings(void **state)
{
    (void)state;
    TELLS("\xEF\xBB\xBF<a>\xC3\xA9</a>", "(1a=\xC3\xA9)");
    TELLS("<?xml version='1.0' encoding='ISO-8859-1'?><a>\xE9</a>", "(1a=\xC3\xA9)");
    TELLS("\xFF\xFE<\0a\0>\0\xE9\0<\0/\0a\0>\0", "(1a=\xC3\xA9)"); /* UTF-16 */
    MALFORMED("<a>\xE9</a>");
    MALFORMED("<a>\xC3</a>");
    MALFORMED("<a>\xC0\xBC</a>");     /* overlong */
    MALFORMED("<a>\xED\xA0\x80</a>"); /* a surrogate */
    MALFORMED("<a k='\xFF'/>");
    MALFORMED("<\xE9/>");
    MALFORMED("<?xml version='1.0' encoding='UTF-8'?><a>\xE9</a>");
    MALFORMED("<?xml version='1.0' encoding='no-such-thing'?><a/>");
}

/* `count` bytes 'x' between two texts, as a file. */
static FILE *long_file(const char *before, size_t count, const char *after)
{
    static char block[65536];
    FILE *file = tmpfile();
    assert_non_null(file);
    memset(block, 'x', sizeof block);
    assert_true(fputs(before, file) >= 0);
    for (size_t left = count, some; left > 0; left -= some) {
        some = left < sizeof block ? left : sizeof block;
        assert_int_equal(fwrite(block, 1, some, file), some);
    }
    assert_true(fputs(after, file) >= 0);
    rewind(file);
    return file;
}

/* What would have to be kept as a whole has an end; a text is cut, and its rest goes by. */
static void huge_parts(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after;
        enum status status;
    } cases[] = {
        { "<a k='", "'/>", STATUS_RANGE },
        { "<a k='", "", STATUS_RANGE },
        { "<", "/>", STATUS_RANGE },
        { "<a ", "='1'/>", STATUS_RANGE },
        { "<a xmlns='", "'/>", STATUS_RANGE },
        { "<a></a ", "", STATUS_RANGE },
        { "<a>&", ";</a>", STATUS_RANGE },
        { "<a><!--", "--></a>", STATUS_RANGE },
        { "<a><?", "?></a>", STATUS_RANGE },
        { "<a><![CDATA[", "]]></a>", STATUS_RANGE },
        { "<!DOCTYPE ", "><a/>", STATUS_RANGE },
        { "<a>", "</a>", STATUS_OK },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct told told;
        FILE *file = long_file(cases[i].before, HUGE_LEN, cases[i].after);
        enum status status = read_file(file, UINT64_MAX, 0, &told);
        if (status != cases[i].status)
            fail_msg("%s...%s: %s", cases[i].before, cases[i].after, status_name(status));
        assert_int_equal(told.cut, status == STATUS_OK);
        assert_true(told.w.len < 64);
    }
    struct told told;
    assert_int_equal(read_file(long_file("<a k='", 50000, "'/>"), UINT64_MAX, 0, &told), STATUS_OK);
}

/* As many as may be, and one more; of attributes and of namespaces. */
static void many_attributes(void **state)
{
    (void)state;
    static const char *const prefixes[] = { "k", "xmlns:k" };
    static char text[64 * XML_ATTRIBUTES_MAX];
    for (size_t i = 0; i < 2 * COUNT_OF(prefixes); i++) {
        size_t count = XML_ATTRIBUTES_MAX + i % 2;
        struct writer w = writer_over(text, sizeof text);
        writer_text(&w, "<a>\n<b");
        for (size_t k = 0; k < count; k++)
            writer_format(&w, " %s%zu='1'", prefixes[i / 2], k);
        writer_text(&w, "/></a>");
        struct told told;
        if (count == XML_ATTRIBUTES_MAX)
            assert_int_equal(read_bytes(writer_done(&w), &told), STATUS_OK);
        else
            refused(writer_done(&w), STATUS_RANGE, 2, "too many attributes");
    }
}

static void the_size_of_the_file(void **state)
{
    (void)state;
    struct told told;
    assert_int_equal(read_file(file_of(VIEW("<a></a>")), 7, 0, &told), STATUS_OK);
    assert_int_equal(read_file(file_of(VIEW("<a> </a>")), 7, 0, &told), STATUS_FULL);
    assert_string_equal(told.refusal.what, "more than the test allows");
    assert_int_equal(read_file(long_file("<a>", 100000, "</a>"), 100007, 0, &told), STATUS_OK);
    assert_int_equal(read_file(long_file("<a>", 100000, "</a>"), 100006, 0, &told), STATUS_FULL);
}

static void a_file_that_cannot_be_read(void **state)
{
    (void)state;
    struct told told;
    FILE *folder = fopen(".", "rb");
    assert_non_null(folder);
    assert_int_equal(read_file(folder, UINT64_MAX, 0, &told), STATUS_IO);
    assert_string_equal(told.refusal.what, "the file cannot be read");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_and_texts),
        cmocka_unit_test(lines_are_counted),
        cmocka_unit_test(texts_are_cut),
        cmocka_unit_test(a_handler_ends_it),
        cmocka_unit_test(doctypes),
        cmocka_unit_test(entities),
        cmocka_unit_test(nesting),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(what_is_no_xml),
        cmocka_unit_test(encodings),
        cmocka_unit_test(huge_parts),
        cmocka_unit_test(many_attributes),
        cmocka_unit_test(the_size_of_the_file),
        cmocka_unit_test(a_file_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
