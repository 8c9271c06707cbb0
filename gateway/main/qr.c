/* qr.c - `railgate qr`: reads and checks codes (parse), builds them (make). Everything happens on
 * the command line: no configuration, no store, no network.
 *
 * What parse reads is one of: an EMV merchant-presented code, a consumer-presented one (base64), an
 * EPC069-12 or a Swiss QR-bill code. Card numbers in codes are masked in all that is printed, and
 * letters that would speak to the terminal, or be no letters on it, are printed as numbers: a code
 * is whatever somebody stuck to a wall. */
#include "main/cli.h"

#include "base/ensure.h"
#include "base/json_out.h"
#include "domain/money.h"
#include "kits/qr_schemes.h"
#include "kits/qr_transfer.h"
#include "kits/text.h"
#include "picture/picture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SCHEMES_FILE_MAX 65536
#define OUT_MAX          (256u * 1024)
#define FIELDS_MAX       16
#define MODULE_PX        8

static struct view view_of_bytes(struct rg_bytes bytes)
{
    return view_of(bytes.ptr, (size_t)bytes.len);
}

static struct rg_bytes bytes_of_view(struct view view)
{
    return (struct rg_bytes){ view.ptr, view.len };
}

static struct rg_bytes bytes_of_text(const char *text)
{
    return bytes_of_view(view_text(text));
}

/* Reads at most `room` - 1 bytes; says on stderr why not. */
static bool read_file(FILE *file, const char *name, char *out, size_t room, size_t *len)
{
    if (file == NULL) {
        fprintf(stderr, "railgate qr: %s cannot be read: %s\n", name, strerror(errno));
        return false;
    }
    *len = fread(out, 1, room, file);
    bool good = ferror(file) == 0 && *len < room;
    if (!good)
        fprintf(stderr, "railgate qr: %s cannot be read, or is larger than %zu bytes\n", name,
                room - 1);
    if (file != stdin)
        (void)fclose(file);
    return good;
}

/* The schemes of a file, or the built-in ones. `text` must live as long as they. */
static bool load_schemes(const char *path, char *text, struct qr_schemes *schemes)
{
    uint8_t reason[200];
    struct rg_buffer why = { reason, sizeof reason, 0, 0, 0 };
    size_t len = 0;
    if (path != NULL && !read_file(fopen(path, "re"), path, text, SCHEMES_FILE_MAX, &len))
        return false;
    struct rg_bytes bytes =
        path != NULL ? (struct rg_bytes){ (uint8_t *)text, len } : qr_schemes_builtin();
    if (qr_schemes_read(bytes, schemes, &why))
        return true;
    fprintf(stderr, "railgate qr: %s: %.*s\n", path != NULL ? path : "built-in schemes",
            (int)why.len, (const char *)reason);
    return false;
}

/* --- parse: letters of others --------------------------------------------------------------------
 */

#define NO_LETTER UINT32_MAX

/* The letter at the front and its length in bytes; NO_LETTER and 1 when it is no UTF-8. */
static uint32_t first_letter(struct view text, size_t *len)
{
    uint32_t bytes = text_letter(bytes_of_view(text));
    *len = bytes > 0 ? bytes : 1;
    if (bytes == 0)
        return NO_LETTER;
    uint32_t letter = bytes == 1 ? text.ptr[0] : text.ptr[0] & (0x7Fu >> bytes);
    for (uint32_t i = 1; i < bytes; i++)
        letter = letter << 6 | (text.ptr[i] & 0x3Fu);
    return letter;
}

/* Controls, and what Unicode calls format characters (Cf) and line ends (Zl, Zp): bidirectional
 * marks, joiners, tags, soft hyphen, byte order mark. */
static bool is_unseen(uint32_t letter)
{
    static const struct {
        uint32_t first, last;
    } rows[] = {
        { 0, 0x1F },          { 0x7F, 0x9F },       { 0xAD, 0xAD },       { 0x600, 0x605 },
        { 0x61C, 0x61C },     { 0x6DD, 0x6DD },     { 0x70F, 0x70F },     { 0x890, 0x891 },
        { 0x8E2, 0x8E2 },     { 0x180E, 0x180E },   { 0x200B, 0x200F },   { 0x2028, 0x202E },
        { 0x2060, 0x206F },   { 0xFEFF, 0xFEFF },   { 0xFFF9, 0xFFFB },   { 0x110BD, 0x110BD },
        { 0x110CD, 0x110CD }, { 0x13430, 0x1343F }, { 0x1BCA0, 0x1BCA3 }, { 0x1D173, 0x1D17A },
        { 0xE0000, 0xE0FFF },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (letter >= rows[i].first && letter <= rows[i].last)
            return true;
    return letter == NO_LETTER;
}

/* U+202E as \u{202E}, a byte that is no letter as \xFF. */
static void print_seen(struct view text, FILE *to)
{
    size_t len;
    for (size_t at = 0; at < text.len; at += len) {
        uint32_t letter = first_letter(view_slice(text, at, 4), &len);
        if (letter == NO_LETTER)
            fprintf(to, "\\x%02X", text.ptr[at]);
        else if (is_unseen(letter))
            fprintf(to, "\\u{%04X}", (unsigned)letter);
        else
            (void)fwrite(text.ptr + at, 1, len, to);
    }
}

/* JSON as it was written: what is unseen in it (json_out has escaped the controls) can only stand
 * in a text, and goes out as \uXXXX. */
static void print_json(struct view json)
{
    size_t len;
    for (size_t at = 0; at < json.len; at += len) {
        uint32_t letter = first_letter(view_slice(json, at, 4), &len);
        if (letter < 0x80 || !is_unseen(letter) || letter == NO_LETTER)
            cli_print(view_slice(json, at, len));
        else if (letter < 0x10000)
            printf("\\u%04x", (unsigned)letter);
        else
            printf("\\u%04x\\u%04x", (unsigned)(0xD800 + ((letter - 0x10000) >> 10)),
                   (unsigned)(0xDC00 + (letter & 0x3FF)));
    }
}

/* --- parse: EMV codes ---------------------------------------------------------------------------
 */

struct parsing {
    struct qr_code code;
    struct qr_schemes schemes;
    const struct qr_scheme *scheme;
    uint32_t account;
    char schemes_text[SCHEMES_FILE_MAX];
    char text[QR_TEXT_MAX * 4];
    char out[OUT_MAX];
};

static struct view masked(const struct qr_code *code, const struct qr_object *o, uint8_t *room,
                          size_t size)
{
    struct rg_buffer b = { room, size, 0, 0, 0 };
    if (code->presented == QR_MERCHANT) {
        qr_put_masked(&b, o->value, qr_object_secret(code, o));
        return view_of(room, (size_t)b.len);
    }
    struct writer w = writer_over(room, size);
    if (qr_object_secret(code, o))
        writer_text(&w, "(not shown)");
    else
        writer_hex_upper(&w, view_of_bytes(o->value));
    return writer_done(&w);
}

static void write_tag(char out[12], const struct qr_code *code, uint32_t tag)
{
    (void)snprintf(out, 12, code->presented == QR_MERCHANT ? "%02u" : "%X", (unsigned)tag);
}

static const char *meaning(const struct parsing *p, const struct qr_object *o)
{
    static const struct {
        uint32_t parent, tag; /* parent 0: top */
        const char *text;
    } rows[] = {
        { 0, 0, "payload format" },
        { 0, 1, "point of initiation" },
        { 0, 52, "merchant category" },
        { 0, 53, "currency" },
        { 0, 54, "amount" },
        { 0, 55, "tip" },
        { 0, 56, "fixed fee" },
        { 0, 57, "fee in percent" },
        { 0, 58, "country" },
        { 0, 59, "merchant name" },
        { 0, 60, "merchant city" },
        { 0, 61, "postal code" },
        { 0, 62, "additional data" },
        { 0, 63, "checksum" },
        { 0, 64, "other language" },
        { 62, 1, "bill number" },
        { 62, 2, "mobile number" },
        { 62, 3, "store" },
        { 62, 4, "loyalty number" },
        { 62, 5, "reference" },
        { 62, 6, "customer" },
        { 62, 7, "terminal" },
        { 62, 8, "purpose" },
        { 62, 9, "data asked of the consumer" },
        { 64, 0, "language" },
        { 64, 1, "merchant name" },
        { 64, 2, "merchant city" },
    };
    const struct qr_code *code = &p->code;
    uint32_t parent = o->parent >= 0 ? code->objects[o->parent].tag : 0;
    if (code->presented != QR_MERCHANT || o->depth > 1)
        return "";
    if (o->depth == 0 && o->tag >= 2 && o->tag <= 51)
        return "merchant account";
    if (o->depth == 1 && o->tag == 0 && parent != 64)
        return "identifier";
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].tag == o->tag && rows[i].parent == parent && (parent != 0) == (o->depth == 1))
            return rows[i].text;
    return "";
}

/* Objects in the order of the text. */
static const struct qr_object *next_object(const struct qr_code *code,
                                           const struct qr_object *after)
{
    const struct qr_object *best = NULL;
    for (uint32_t i = 0; i < code->count; i++) {
        const struct qr_object *o = &code->objects[i];
        bool later = after == NULL || o->at_byte > after->at_byte ||
                     (o->at_byte == after->at_byte && o > after);
        if (later && (best == NULL || o->at_byte < best->at_byte))
            best = o;
    }
    return best;
}

static void print_objects(const struct parsing *p)
{
    const struct qr_code *code = &p->code;
    uint8_t room[QR_TEXT_MAX * 2];
    for (const struct qr_object *o = NULL; (o = next_object(code, o)) != NULL;) {
        char tag[12];
        write_tag(tag, code, o->tag);
        struct view value = o->template ? VIEW_EMPTY : masked(code, o, room, sizeof room);
        printf("  %*s%-*s %2u  %-*s ", (int)o->depth * 2, "",
               code->presented == QR_MERCHANT ? 2 : 4, tag, (unsigned)o->letters, 22,
               meaning(p, o));
        print_seen(value, stdout);
        printf("\n");
    }
}

/* The code with a caret under what a finding is about, and a window around it when it is long. What
 * is unseen has one place there as every letter, so that the caret fits. */
static void print_caret(const struct qr_code *code, const struct qr_finding *f, FILE *to)
{
    uint8_t room[QR_TEXT_MAX];
    struct rg_buffer text = { room, sizeof room, 0, 0, 0 };
    qr_put_masked_code(&text, code);
    uint64_t first = f->at_letter > 30 ? f->at_letter - 30 : 0, letter = 0, at = 0;
    uint64_t carets = f->letters > 40 ? 40 : f->letters > 0 ? f->letters : 1;
    fprintf(to, "      %s", first > 0 ? "..." : "");
    for (; at < text.len && letter < first + 72; letter++) {
        size_t size;
        uint32_t here = first_letter(view_of(room + at, (size_t)(text.len - at)), &size);
        if (letter >= first && is_unseen(here))
            fputc('?', to);
        else if (letter >= first)
            (void)fwrite(room + at, 1, size, to);
        at += size;
    }
    fprintf(to, "%s\n      %*s", at < text.len ? "..." : "",
            (int)(f->at_letter - first + (first > 0 ? 3 : 0)), "");
    for (uint64_t i = 0; i < carets; i++)
        fputc('^', to);
    fputc('\n', to);
}

static void print_findings(const struct parsing *p, FILE *to)
{
    const struct qr_code *code = &p->code;
    for (uint32_t i = 0; i < code->findings_count; i++) {
        const struct qr_finding *f = &code->findings[i];
        fprintf(to, "%s: %s%s%s (letter %llu, byte %llu) [%s]\n",
                f->weight == QR_ERROR ? "error" : "warning", f->path,
                f->path[0] != '\0' ? ": " : "", qr_finding_text(f->kind),
                (unsigned long long)f->at_letter + 1, (unsigned long long)f->at_byte + 1,
                qr_finding_name(f->kind));
        print_caret(code, f, to);
    }
    if (code->errors + code->warnings > code->findings_count)
        fprintf(to, "and %u more\n",
                (unsigned)(code->errors + code->warnings - code->findings_count));
}

static void json_objects(struct json_out *j, const struct qr_code *code)
{
    uint8_t room[QR_TEXT_MAX * 2];
    json_open_array(j, "objects");
    for (const struct qr_object *o = NULL; (o = next_object(code, o)) != NULL;) {
        const struct qr_object *up[4];
        size_t depth = 0;
        char path[64], tag[12];
        struct writer w = writer_over(path, sizeof path);
        for (const struct qr_object *at = o; at != NULL && depth < COUNT_OF(up);
             at = at->parent >= 0 ? &code->objects[at->parent] : NULL)
            up[depth++] = at;
        while (depth > 0) {
            write_tag(tag, code, up[--depth]->tag);
            writer_text(&w, tag);
            writer_text(&w, depth > 0 ? "." : "");
        }
        json_open_object(j, NULL);
        json_put_text(j, "path", writer_done(&w));
        json_put_i64(j, "letter", (int64_t)o->at_letter + 1);
        json_put_i64(j, "length", (int64_t)o->letters);
        if (!o->template)
            json_put_text(j, "value", masked(code, o, room, sizeof room));
        json_close_object(j);
    }
    json_close_array(j);
}

static void json_findings(struct json_out *j, const struct qr_code *code)
{
    json_open_array(j, "findings");
    for (uint32_t i = 0; i < code->findings_count; i++) {
        const struct qr_finding *f = &code->findings[i];
        json_open_object(j, NULL);
        json_put_text(j, "weight", f->weight == QR_ERROR ? VIEW("error") : VIEW("warning"));
        json_put_text(j, "code", view_text(qr_finding_name(f->kind)));
        json_put_text(j, "path", view_text(f->path));
        json_put_text(j, "message", view_text(qr_finding_text(f->kind)));
        json_put_i64(j, "letter", (int64_t)f->at_letter + 1);
        json_put_i64(j, "byte", (int64_t)f->at_byte + 1);
        json_put_i64(j, "letters", (int64_t)f->letters);
        json_close_object(j);
    }
    json_close_array(j);
}

static int parse_emv(struct parsing *p, bool json)
{
    struct qr_code *code = &p->code;
    if (json) {
        struct writer w = writer_over(p->out, sizeof p->out);
        struct json_out j;
        json_out_init(&j, &w);
        json_open_object(&j, NULL);
        json_put_text(&j, "format", code->presented == QR_MERCHANT ? VIEW("mpm") : VIEW("cpm"));
        if (p->scheme != NULL)
            json_put_text(&j, "scheme", view_of_bytes(p->scheme->name));
        json_put_bool(&j, "good", code->errors == 0);
        json_put_i64(&j, "errors", code->errors);
        json_put_i64(&j, "warnings", code->warnings);
        json_objects(&j, code);
        json_findings(&j, code);
        json_close_object(&j);
        writer_text(&w, "\n");
        if (w.overflow)
            return EXIT_COULD_NOT;
        print_json(writer_done(&w));
    } else {
        printf("%s%s%.*s\n",
               code->presented == QR_MERCHANT ? "merchant-presented code"
                                              : "consumer-presented code",
               p->scheme != NULL ? ", " : "", p->scheme != NULL ? (int)p->scheme->title.len : 0,
               p->scheme != NULL ? (const char *)p->scheme->title.ptr : "");
        print_objects(p);
        print_findings(p, stdout);
        if (code->errors == 0)
            printf("good%s\n", code->warnings > 0 ? ", with warnings" : "");
    }
    return code->errors == 0 ? EXIT_GOOD : EXIT_FINDINGS;
}

/* --- parse: transfers ---------------------------------------------------------------------------
 */

struct row {
    const char *name;
    struct rg_bytes value;
};

static void print_rows(const struct row *rows, size_t count, struct json_out *j)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].value.len == 0)
            continue;
        if (j != NULL) {
            json_put_text(j, rows[i].name, view_of_bytes(rows[i].value));
            continue;
        }
        printf("  %-22s ", rows[i].name);
        print_seen(view_of_bytes(rows[i].value), stdout);
        printf("\n");
    }
}

static int parse_transfer(struct parsing *p, struct rg_bytes text, bool json)
{
    struct qr_transfer t;
    struct qr_transfer_fault fault;
    struct writer w = writer_over(p->out, sizeof p->out);
    struct json_out j;
    uint8_t amount_text[32];
    struct rg_buffer amount = { amount_text, sizeof amount_text, 0, 0, 0 };
    uint32_t good = qr_transfer_read(text, &t, &fault);
    static const char *const references[] = { "", "none", "QRR", "SCOR", "other" };
    if (good && t.amount_minor > 0)
        qr_amount_put(&amount, t.amount_minor, 2);
    const struct row rows[] = {
        { "version", t.version },
        { "creditor_iban", t.iban },
        { "creditor_bic", t.bic },
        { "creditor_name", t.creditor.name },
        { "creditor_street", t.creditor.street },
        { "creditor_house", t.creditor.house },
        { "creditor_line1", t.creditor.line1 },
        { "creditor_line2", t.creditor.line2 },
        { "creditor_postcode", t.creditor.postcode },
        { "creditor_town", t.creditor.town },
        { "creditor_country", t.creditor.country },
        { "amount", { amount_text, amount.len } },
        { "currency", bytes_of_text(t.currency) },
        { "debtor_name", t.debtor.name },
        { "debtor_country", t.debtor.country },
        { "reference_type", bytes_of_text(references[good ? t.reference_kind : 0]) },
        { "reference", t.reference },
        { "message", t.message },
        { "purpose", t.purpose },
        { "information", t.information },
        { "bill_information", t.bill_information },
    };
    const char *format = t.format == QR_TRANSFER_EPC ? "epc" : "spc";
    if (json) {
        json_out_init(&j, &w);
        json_open_object(&j, NULL);
        json_put_text(&j, "format", view_text(format));
        json_put_bool(&j, "good", good == 1);
        if (good) {
            print_rows(rows, COUNT_OF(rows), &j);
        } else {
            json_put_text(&j, "message", view_text(qr_transfer_fault_text(fault.kind)));
            json_put_i64(&j, "line", fault.line);
            json_put_i64(&j, "byte", (int64_t)fault.at + 1);
        }
        json_close_object(&j);
        writer_text(&w, "\n");
        print_json(writer_done(&w));
        return good ? EXIT_GOOD : EXIT_FINDINGS;
    }
    printf("%s\n", t.format == QR_TRANSFER_EPC ? "EPC069-12 credit transfer" : "Swiss QR-bill");
    if (good) {
        print_rows(rows, COUNT_OF(rows), NULL);
        printf("good\n");
        return EXIT_GOOD;
    }
    size_t end = (size_t)fault.at;
    while (end < text.len && text.ptr[end] != '\n' && text.ptr[end] != '\r')
        end++;
    printf("error: line %u (byte %llu): %s\n", (unsigned)fault.line,
           (unsigned long long)fault.at + 1, qr_transfer_fault_text(fault.kind));
    if (fault.line > 0) {
        printf("      ");
        print_seen(view_of(text.ptr + fault.at, end - (size_t)fault.at), stdout);
        printf("\n      ^\n");
    }
    return EXIT_FINDINGS;
}

/* --- parse ---------------------------------------------------------------------------------------
 */

static bool looks_like_cpm(struct rg_bytes text)
{
    return text.len >= 4 && memcmp(text.ptr, "hQVD", 4) == 0; /* 85 05 "C" in base64 */
}

static int parse_text(struct parsing *p, struct rg_bytes text, bool strict, bool json)
{
    uint32_t mode = strict ? QR_STRICT : QR_LENIENT;
    if (qr_transfer_looks_like(text))
        return parse_transfer(p, text, json);
    if (looks_like_cpm(text)) {
        qr_cpm_read(text, mode, &p->code);
        return parse_emv(p, json);
    }
    qr_mpm_read(text, mode, &p->code);
    p->scheme = qr_scheme_of(&p->schemes, &p->code, &p->account);
    if (p->scheme != NULL)
        qr_scheme_check(&p->code, p->scheme, p->account, (int64_t)time(NULL));
    return parse_emv(p, json);
}

static int qr_parse(int argc, char **argv)
{
    bool strict = false, json = false;
    const char *schemes = NULL;
    const struct option_row rows[] = {
        { "strict", NULL, "Every deviation from the standard is an error.", NULL, &strict },
        { "json", NULL, "Print JSON.", NULL, &json },
        { "schemes", "FILE", "Schemes instead of the built-in ones.", &schemes, NULL },
    };
    const struct usage usage = {
        .command = "qr parse",
        .sentence = "Reads and checks a payment code; errors point at the letter.",
        .more = "TEXT is what a scanner read; - reads it from standard input.\n"
                "Exit code 0: good, 1: findings, 2: could not.\n\n"
                "  railgate qr parse 00020101021126400012hk.com.hkicl...6304C246\n"
                "  zbarimg -q --raw code.png | railgate qr parse --strict --json -",
        .arguments = "TEXT|-",
        .options = rows,
        .option_count = COUNT_OF(rows),
        .arguments_max = 1,
    };
    int count;
    enum options_result options = options_read(&usage, argc, argv, &count);
    if (options != OPTIONS_GO)
        return options == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    struct parsing *p = count == 1 ? calloc(1, sizeof *p) : NULL;
    if (p == NULL) {
        fprintf(stderr, "railgate qr parse: give one text, or - . See railgate qr parse --help.\n");
        return EXIT_COULD_NOT;
    }
    int code = EXIT_COULD_NOT;
    struct view text = view_text(argv[1]);
    size_t len = 0;
    bool there = strcmp(argv[1], "-") != 0;
    if (!there && read_file(stdin, "standard input", p->text, sizeof p->text, &len)) {
        text = view_of(p->text, len);
        /* A scanner ends with a line end of its own; a transfer code is read with it. */
        while (text.len > 0 && !qr_transfer_looks_like(bytes_of_view(text)) &&
               (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r'))
            text.len--;
        there = true;
    }
    if (there && load_schemes(schemes, p->schemes_text, &p->schemes))
        code = parse_text(p, bytes_of_view(text), strict, json);
    free(p);
    return code;
}

/* --- make ----------------------------------------------------------------------------------------
 */

struct making {
    struct qr_make make;
    struct qr_schemes schemes;
    struct qr_code code;
    struct qr_value values[FIELDS_MAX];
    uint8_t payload[QR_TEXT_MAX];
    uint8_t picture[PICTURE_BYTES_MAX];
    char schemes_text[SCHEMES_FILE_MAX];
};

struct make_options {
    const char *scheme, *amount, *currency, *key, *name, *city, *category, *country, *postcode;
    const char *reference, *schemes, *svg, *png, *expires;
    bool is_static, terminal, json;
};

/* --field name=value may come several times: they are taken out of argv. */
static int take_fields(int argc, char **argv, struct making *m)
{
    int kept = 1;
    for (int i = 1; i < argc; i++) {
        const char *equals = i + 1 < argc ? strchr(argv[i + 1], '=') : NULL;
        if (strcmp(argv[i], "--field") == 0 && equals != NULL &&
            m->make.values_count < FIELDS_MAX - 1) {
            const char *name = argv[++i];
            m->values[m->make.values_count++] =
                (struct qr_value){ { (const uint8_t *)name, (uint64_t)(equals - name) },
                                   bytes_of_text(equals + 1) };
        } else {
            argv[kept++] = argv[i];
        }
    }
    return kept;
}

static int complain(const char *what)
{
    fprintf(stderr, "railgate qr make: %s. See railgate qr make --help.\n", what);
    return EXIT_COULD_NOT;
}

/* `key` where the scheme has it, else the first field that must be given. */
static struct rg_bytes key_field(const struct qr_scheme *s)
{
    for (uint32_t i = 0; i < s->fields_count; i++)
        if (text_is(s->fields[i].name, "key"))
            return s->fields[i].name;
    for (uint32_t i = 0; i < s->fields_count; i++)
        if (s->fields[i].need == QR_REQUIRED || s->fields[i].need == QR_ONE_OF)
            return s->fields[i].name;
    return (struct rg_bytes){ NULL, 0 };
}

static const char *fill_make(struct making *m, const struct make_options *o)
{
    struct qr_make *make = &m->make;
    const struct currency *currency = NULL;
    make->scheme = qr_scheme_named(&m->schemes, bytes_of_text(o->scheme));
    if (make->scheme == NULL)
        return "there is no such scheme; railgate qr schemes lists them";
    make->currency = make->scheme->currency[0];
    make->exponent = make->scheme->decimals[0];
    if (o->currency != NULL) {
        if (currency_by_code(view_text(o->currency), &currency) != STATUS_OK)
            return "--currency is not a currency of ISO 4217";
        make->currency = currency->number;
        make->exponent = currency->exponent;
        for (uint32_t i = 0; i < make->scheme->currencies; i++)
            if (make->scheme->currency[i] == currency->number)
                make->exponent = make->scheme->decimals[i];
    }
    if (make->currency == 0)
        return "give --currency: the scheme has none of its own";
    if (o->amount != NULL &&
        (!qr_amount_read(bytes_of_text(o->amount), make->exponent, &make->amount_minor) ||
         make->amount_minor == 0))
        return "--amount is not an amount of that currency, as 12.50";
    if (o->key != NULL)
        m->values[make->values_count++] =
            (struct qr_value){ key_field(make->scheme), bytes_of_text(o->key) };
    uint64_t seconds = 0;
    if (o->expires != NULL && (!text_number(bytes_of_text(o->expires), 31622400, &seconds)))
        return "--expires is a number of seconds";
    make->dynamic = o->is_static ? 0 : 1;
    make->name = bytes_of_text(o->name);
    make->city = bytes_of_text(o->city);
    make->category = bytes_of_text(o->category);
    make->country = bytes_of_text(o->country);
    make->postcode = bytes_of_text(o->postcode);
    make->reference = bytes_of_text(o->reference);
    make->created_unix_s = (int64_t)time(NULL);
    make->expires_unix_s = seconds > 0 ? make->created_unix_s + (int64_t)seconds : 0;
    make->values = m->values;
    return NULL;
}

static bool write_picture(struct making *m, struct view payload, const char *path, bool png)
{
    struct writer w = writer_over(m->picture, sizeof m->picture);
    enum status drawn =
        png ? picture_png(payload, MODULE_PX, &w) : picture_svg(payload, MODULE_PX, &w);
    FILE *file = drawn == STATUS_OK ? fopen(path, "wbe") : NULL;
    bool good = file != NULL && fwrite(w.ptr, 1, w.len, file) == w.len;
    if (file != NULL && fclose(file) != 0)
        good = false;
    if (!good)
        fprintf(stderr, "railgate qr make: %s cannot be written: %s\n", path,
                drawn == STATUS_OK ? strerror(errno) : status_text(drawn));
    return good;
}

static int show_made(struct making *m, struct view payload, const struct make_options *o)
{
    if (o->json) {
        uint8_t text[QR_TEXT_MAX * 2];
        struct writer w = writer_over(text, sizeof text);
        struct json_out j;
        json_out_init(&j, &w);
        json_open_object(&j, NULL);
        json_put_text(&j, "scheme", view_of_bytes(m->make.scheme->name));
        json_put_text(&j, "payload", payload);
        json_close_object(&j);
        writer_text(&w, "\n");
        cli_print(writer_done(&w));
    } else {
        cli_print(payload);
        cli_print(VIEW("\n"));
    }
    if (o->terminal) {
        struct writer w = writer_over(m->picture, sizeof m->picture);
        if (picture_terminal(payload, &w) != STATUS_OK)
            return complain("the code cannot be drawn");
        cli_print(writer_done(&w));
    }
    bool good = o->svg == NULL || write_picture(m, payload, o->svg, false);
    good = (o->png == NULL || write_picture(m, payload, o->png, true)) && good;
    return good ? EXIT_GOOD : EXIT_COULD_NOT;
}

static int make_code(struct making *m, const struct make_options *o)
{
    uint8_t reason[200];
    char message[256];
    struct rg_buffer out = { m->payload, sizeof m->payload, 0, 0, 0 };
    struct rg_buffer why = { reason, sizeof reason, 0, 0, 0 };
    const char *wrong = fill_make(m, o);
    if (wrong != NULL)
        return complain(wrong);
    if (!qr_make(&m->make, &out, &why)) {
        (void)snprintf(message, sizeof message, "%.*s", (int)why.len, (const char *)reason);
        return complain(message);
    }
    /* What was made is read back: only a code that parse calls good is given out. */
    struct rg_bytes text = { m->payload, out.len };
    uint32_t account = m->make.scheme->first;
    qr_mpm_read(text, QR_STRICT, &m->code);
    qr_scheme_check(&m->code, m->make.scheme, account, 0);
    for (uint32_t i = 0; i < m->code.findings_count; i++)
        if (m->code.findings[i].weight == QR_ERROR) {
            (void)snprintf(message, sizeof message, "the code would not be valid: %s: %s",
                           m->code.findings[i].path, qr_finding_text(m->code.findings[i].kind));
            (void)complain(message);
        }
    return m->code.errors == 0 ? show_made(m, view_of_bytes(text), o) : EXIT_COULD_NOT;
}

static int qr_make_command(int argc, char **argv)
{
    struct make_options o = { .scheme = "emvco", .name = "NA", .city = "NA", .category = "0000" };
    const char *unused = NULL;
    const struct option_row rows[] = {
        { "scheme", "NAME", "National scheme; `railgate qr schemes` lists them. Default: emvco",
          &o.scheme, NULL },
        { "amount", "12.50", "Amount; left out, the payer enters it.", &o.amount, NULL },
        { "currency", "CODE", "ISO 4217 letters. Default: the scheme's", &o.currency, NULL },
        { "key", "TEXT", "Who is paid: the scheme's main field.", &o.key, NULL },
        { "field", "NAME=TEXT", "Another field, or a path (62.07=T1); may come several times.",
          &unused, NULL },
        { "name", "TEXT", "Merchant name. Default: NA", &o.name, NULL },
        { "city", "TEXT", "Merchant city. Default: NA", &o.city, NULL },
        { "mcc", "DIGITS", "Merchant category. Default: 0000", &o.category, NULL },
        { "country", "CC", "Default: the scheme's", &o.country, NULL },
        { "postcode", "TEXT", "Postal code.", &o.postcode, NULL },
        { "reference", "TEXT", "Reference, where the scheme has it.", &o.reference, NULL },
        { "expires", "SECONDS", "From now on; where the scheme has a place for it.", &o.expires,
          NULL },
        { "static", NULL, "For many payments (11); default: for one (12).", NULL, &o.is_static },
        { "svg", "FILE", "Write a picture.", &o.svg, NULL },
        { "png", "FILE", "Write a picture.", &o.png, NULL },
        { "terminal", NULL, "Draw it here.", NULL, &o.terminal },
        { "json", NULL, "Print JSON.", NULL, &o.json },
        { "schemes", "FILE", "Schemes instead of the built-in ones.", &o.schemes, NULL },
    };
    const struct usage usage = {
        .command = "qr make",
        .sentence = "Builds a merchant-presented code and prints it.",
        .more = "Exit code 0: made, 2: could not.\n\n"
                "  railgate qr make --scheme pix --amount 12.50 --key shop@example.com --terminal\n"
                "  railgate qr make --scheme vietqr --static --field bank=970403 "
                "--field account=0011012345678 --svg code.svg",
        .arguments = "",
        .options = rows,
        .option_count = COUNT_OF(rows),
        .arguments_max = 0,
    };
    struct making *m = calloc(1, sizeof *m);
    if (m == NULL)
        return EXIT_COULD_NOT;
    int count, code = EXIT_COULD_NOT;
    enum options_result options = options_read(&usage, take_fields(argc, argv, m), argv, &count);
    if (options == OPTIONS_HELP)
        code = EXIT_GOOD;
    else if (options == OPTIONS_GO && unused != NULL)
        code = complain("--field wants name=value, at most 15 times");
    else if (options == OPTIONS_GO && load_schemes(o.schemes, m->schemes_text, &m->schemes))
        code = make_code(m, &o);
    free(m);
    return code;
}

/* --- schemes -------------------------------------------------------------------------------------
 */

static int qr_list_schemes(int argc, char **argv)
{
    const char *path = NULL;
    const struct option_row rows[] = {
        { "schemes", "FILE", "Schemes instead of the built-in ones.", &path, NULL },
    };
    const struct usage usage = { .command = "qr schemes",
                                 .sentence = "Lists the national schemes and their fields.",
                                 .arguments = "",
                                 .options = rows,
                                 .option_count = COUNT_OF(rows),
                                 .arguments_max = 0 };
    static const char *const needs[] = { "", "required", "optional", "one of these",
                                         "has a default" };
    int count, code = EXIT_COULD_NOT;
    enum options_result options = options_read(&usage, argc, argv, &count);
    if (options != OPTIONS_GO)
        return options == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    struct parsing *p = calloc(1, sizeof *p);
    if (p != NULL && load_schemes(path, p->schemes_text, &p->schemes)) {
        for (uint32_t i = 0; i < p->schemes.count; i++) {
            const struct qr_scheme *s = &p->schemes.rows[i];
            printf("%-16.*s %.*s\n", (int)s->name.len, (const char *)s->name.ptr, (int)s->title.len,
                   (const char *)s->title.ptr);
            for (uint32_t k = 0; k < s->fields_count; k++)
                printf("  %-20.*s %s\n", (int)s->fields[k].name.len,
                       (const char *)s->fields[k].name.ptr, needs[s->fields[k].need]);
        }
        code = EXIT_GOOD;
    }
    free(p);
    return code;
}

int command_qr(int argc, char **argv)
{
    static const struct {
        const char *name;
        command_fn *run;
    } commands[] = { { "parse", qr_parse },
                     { "make", qr_make_command },
                     { "schemes", qr_list_schemes } };
    for (size_t i = 0; argc > 1 && i < COUNT_OF(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    fprintf(help ? stdout : stderr,
            "usage: railgate qr parse TEXT|- | make | schemes  [OPTIONS]\n\n"
            "Payment codes: what stands in one, and a new one. Each takes --help.\n");
    return help ? EXIT_GOOD : EXIT_COULD_NOT;
}
