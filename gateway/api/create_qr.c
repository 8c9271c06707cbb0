/* create_qr.c - method.qr: a code to be shown (`present`) or one that was scanned (`scan`).
 *
 * What a scanned code says is the adapter's to read; here only its kind is found out, because it
 * decides the rail: EPC069-12 and Swiss QR-bill codes are orders for a bank. The code itself never
 * goes into the answer: a consumer-presented one holds the payer's card number, and is marked
 * sensitive for the adapter.
 */
#include "api/api_int.h"

#include "base/ensure.h"
#include "domain/refs.h"

#define CODE_MAX        2048 /* bytes: REFS_VALUE_MAX */
#define EXPIRES_S_MIN   10
#define EXPIRES_S_MAX   (366 * 86400)
#define CPM_BASE64      "hQVDUFYwM" /* 85 05 "CPV0.": EMVCo consumer-presented, version 01 */
#define MPM_FIRST       "0002"      /* payload format indicator, two characters */
#define SCHEME_NAME_MAX 32

static const char *const qr_fields[] = { "mode",       "scheme", "code_type",
                                         "expires_in", "code",   "format" };
static const char *const present_only[] = { "scheme", "code_type", "expires_in" };
static const char *const scan_only[] = { "code", "format" };

/* A first line, ended by LF or CR LF. */
static bool first_line_is(struct view text, const char *line)
{
    size_t len = strlen(line);
    if (!view_starts_with(text, view_text(line)))
        return false;
    struct view rest = view_slice(text, len, 2);
    return view_starts_with(rest, VIEW("\n")) || view_is(rest, "\r\n");
}

const char *bank_code(const struct json_node *qr)
{
    struct view code = VIEW_EMPTY;
    if (qr == NULL || json_text(json_member(qr, "code"), &code) != STATUS_OK)
        return NULL;
    if (first_line_is(code, "BCD"))
        return "epc069-12";
    return first_line_is(code, "SPC") ? "swiss-qr-bill" : NULL;
}

static bool is_base64(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!letter && c != '+' && c != '/' && !(c == '=' && i + 2 >= text.len))
            return false;
    }
    return text.len > 0 && text.len % 4 == 0;
}

/* A scheme's name as data files have it: small letters, digits, - and _. */
static struct view read_scheme(struct fields *f, const struct json_node *qr)
{
    struct view scheme = field_text(f, qr, "scheme", 1, SCHEME_NAME_MAX, false);
    field_no_pan(f, json_member(qr, "scheme")); /* it is stored and shown, and may be all digits */
    for (size_t i = 0; i < scheme.len; i++) {
        uint8_t c = scheme.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-')) {
            field_error(f, json_member(qr, "scheme"), "wrong_letters",
                        "A scheme's name has small letters, digits, - and _.");
            return VIEW_EMPTY;
        }
    }
    return scheme;
}

static void read_present(struct fields *f, const struct json_node *qr, struct writer *details,
                         struct json_out *facts)
{
    static const char *const types[] = { "dynamic", "static" };
    struct view scheme = read_scheme(f, qr);
    struct view type = field_word(f, qr, "code_type", types, COUNT_OF(types), false);
    int64_t expires_s = field_number(f, qr, "expires_in", EXPIRES_S_MIN, EXPIRES_S_MAX);
    if (type.len == 0)
        type = VIEW("dynamic");
    put_detail(details, "", "scheme", scheme);
    put_detail(details, "", "code_type", type);
    json_put_text_if(facts, "scheme", scheme);
    json_put_text(facts, "code_type", type);
    if (expires_s < 0)
        return;
    char text[24];
    struct writer w = writer_over(text, sizeof text);
    writer_i64_text(&w, expires_s);
    put_detail(details, "", "expires_in", writer_done(&w));
    json_put_i64(facts, "expires_in", expires_s);
}

/* The code in bytes that a row for the adapter can hold. */
static struct view read_code(struct fields *f, const struct json_node *qr)
{
    struct view code = field_lines(f, qr, "code", 1, CODE_MAX, true);
    if (code.len <= CODE_MAX)
        return code;
    field_error(f, json_member(qr, "code"), "wrong_length", "At most %d bytes are expected.",
                CODE_MAX);
    return VIEW_EMPTY;
}

static void read_scan(struct fields *f, const struct json_node *qr, struct writer *details,
                      struct json_out *facts)
{
    static const char *const formats[] = { "mpm", "cpm" };
    struct view code = read_code(f, qr);
    struct view format = field_word(f, qr, "format", formats, COUNT_OF(formats), false);
    if (code.len == 0)
        return;
    if (format.len == 0 && view_starts_with(code, VIEW(CPM_BASE64)))
        format = VIEW("cpm");
    else if (format.len == 0 && view_starts_with(code, VIEW(MPM_FIRST)))
        format = VIEW("mpm");
    if (format.len == 0 && json_member(qr, "format") == NULL)
        field_error(f, json_member(qr, "code"), "unknown_code",
                    "This is none of the codes known here (merchant-presented, consumer-presented, "
                    "EPC069-12, Swiss QR-bill); say its `format` if it is mpm or cpm.");
    bool consumer = view_is(format, "cpm");
    if (consumer && !is_base64(code))
        field_error(f, json_member(qr, "code"), "wrong_letters",
                    "A consumer-presented code is expected in base64.");
    refs_put(details, VIEW("code"), code, consumer || looks_like_pan(code) ? REF_SENSITIVE : 0);
    put_detail(details, "", "format", format);
    json_put_text_if(facts, "format", format);
}

/* Members that belong to the other mode. */
static void check_mode(struct fields *f, const struct json_node *qr, struct view mode)
{
    bool present = view_is(mode, "present");
    const char *const *names = present ? scan_only : present_only;
    size_t count = present ? COUNT_OF(scan_only) : COUNT_OF(present_only);
    for (size_t i = 0; i < count; i++) {
        const struct json_node *node = json_member(qr, names[i]);
        if (node != NULL)
            field_error(f, node, "wrong_mode", "With mode %s there is no such field.",
                        present ? "present" : "scan");
    }
}

static struct view read_mode(struct fields *f, const struct json_node *qr)
{
    static const char *const modes[] = { "present", "scan" };
    fields_known(f, qr, qr_fields, COUNT_OF(qr_fields));
    struct view mode = field_word(f, qr, "mode", modes, COUNT_OF(modes), true);
    if (mode.len > 0)
        check_mode(f, qr, mode);
    return mode;
}

void read_qr(struct fields *f, const struct json_node *qr, struct writer *details,
             struct json_out *facts)
{
    struct view mode = read_mode(f, qr);
    bool unclear = mode.len == 0; /* refused; what else is wrong is told as well */
    put_detail(details, "", "mode", mode);
    json_put_text_if(facts, "mode", mode);
    if (unclear || view_is(mode, "present"))
        read_present(f, qr, details, facts);
    if (view_is(mode, "scan") ||
        (unclear && (json_member(qr, "code") != NULL || json_member(qr, "format") != NULL)))
        read_scan(f, qr, details, facts);
}

void read_qr_bank(struct fields *f, const struct json_node *qr, struct writer *details,
                  struct json_out *facts)
{
    (void)read_mode(f, qr);
    const struct json_node *format = json_member(qr, "format");
    struct view code = read_code(f, qr);
    const char *kind = bank_code(qr);
    ENSURE(kind != NULL);
    if (format != NULL)
        field_error(f, format, "contradiction",
                    "The code is an order for a bank (%s), neither mpm nor cpm.", kind);
    put_detail(details, "", "direction", VIEW("send"));
    refs_put(details, VIEW("code"), code, looks_like_pan(code) ? REF_SENSITIVE : 0);
    json_put_text(facts, "direction", VIEW("send"));
    json_put_text(facts, "scanned", view_text(kind));
}
