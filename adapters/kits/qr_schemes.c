/* SPDX-License-Identifier: Apache-2.0
 *
 * qr_schemes.c - reads a schemes file (adapters/qr/schemes.conf tells its words), recognises the
 * scheme of a code and holds a code against it.
 */
#include "kits/qr_schemes.h"

#include "kits/attempt.h"
#include "kits/text.h"
#include "qr_codes_int.h"

/* --- the file --------------------------------------------------------------------------------- */

static uint32_t is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of a line; empty at its end. */
static struct rg_bytes take_word(struct rg_bytes *line)
{
    uint64_t from = 0, to;
    while (from < line->len && is_blank(line->ptr[from]))
        from++;
    for (to = from; to < line->len && !is_blank(line->ptr[to]); to++)
        ;
    struct rg_bytes word = text_slice(*line, from, to - from);
    *line = text_slice(*line, to, line->len);
    return word;
}

/* What is left of a line, without blanks at both ends. */
static struct rg_bytes take_rest(struct rg_bytes *line)
{
    struct rg_bytes rest = *line;
    while (rest.len > 0 && is_blank(rest.ptr[0]))
        rest = text_slice(rest, 1, rest.len);
    while (rest.len > 0 && is_blank(rest.ptr[rest.len - 1]))
        rest.len--;
    line->len = 0;
    return rest;
}

static uint32_t take_number(struct rg_bytes *line, uint64_t max, uint64_t *out)
{
    return text_number(take_word(line), max, out);
}

/* The position (from 1) of a word in "one two three"; 0: not there. */
static uint32_t take_choice(struct rg_bytes *line, const char *choices)
{
    struct rg_bytes word = take_word(line), rest = text_of(choices), choice;
    for (uint32_t i = 1; (choice = take_word(&rest)).len > 0; i++)
        if (text_same(word, choice))
            return i;
    return 0;
}

/* "A.01.00" or "62.07". */
static uint32_t read_path(struct rg_bytes text, struct qr_path *path)
{
    *path = (struct qr_path){ 0 };
    while (text.len > 0 && path->depth < QR_PATH_DEPTH) {
        struct rg_bytes digits = text_slice(text, 0, 2);
        uint64_t used = 2;
        if (path->depth == 0 && text.ptr[0] == 'A') {
            path->id[path->depth++] = QR_ACCOUNT;
            used = 1;
        } else {
            if (digits.len != 2 || !text_digits(digits))
                return 0;
            path->id[path->depth++] =
                (uint32_t)(digits.ptr[0] - '0') * 10 + (uint32_t)(digits.ptr[1] - '0');
        }
        if (text.len == used)
            return 1;
        if (text.ptr[used] != '.')
            return 0;
        text = text_slice(text, used + 1, text.len);
    }
    return 0;
}

static const char *read_account(struct qr_scheme *s, struct rg_bytes *line)
{
    uint64_t first = 0, last = 0;
    if (!take_number(line, 51, &first) || !take_number(line, 51, &last) || first < 26 ||
        last < first)
        return "an account wants two ids from 26 to 51";
    s->first = (uint32_t)first;
    s->last = (uint32_t)last;
    s->guid = take_word(line);
    return s->guid.len >= 1 && s->guid.len <= 32
               ? NULL
               : "an account wants an identifier of 1 to 32 bytes";
}

static const char *read_field(struct qr_scheme *s, struct rg_bytes *line)
{
    if (s->fields_count >= QR_FIELDS_MAX)
        return "a scheme has at most 20 fields";
    struct qr_field *f = &s->fields[s->fields_count++];
    if (!read_path(take_word(line), &f->path))
        return "a path is ids with dots, as 62.07 or A.01";
    f->name = take_word(line);
    f->format = take_choice(line, "digits upper alnum text phone");
    if (f->name.len == 0 || f->format == 0)
        return "a field wants a name and one of digits, upper, alnum, text, phone";
    if (!take_number(line, 99, &f->min) || !take_number(line, 99, &f->max) || f->min < 1 ||
        f->max < f->min)
        return "a field wants its smallest and largest number of letters, 1 to 99";
    f->need = take_choice(line, "required optional oneof default");
    if (f->need == QR_DEFAULT)
        f->value = take_rest(line);
    return f->need == 0 || (f->need == QR_DEFAULT && f->value.len == 0)
               ? "a field ends with required, optional, oneof, or default and a value"
               : NULL;
}

static const char *read_date(struct rg_bytes *line, struct qr_path *path, uint32_t *format)
{
    uint32_t good = read_path(take_word(line), path);
    *format = take_choice(line, "yyyymmdd yyyymmddhhmmss unix_ms");
    return good && *format != 0 ? NULL
                                : "a date wants a path and yyyymmdd, yyyymmddhhmmss or unix_ms";
}

static const char *read_currency(struct qr_scheme *s, struct rg_bytes *line)
{
    uint64_t number = 0, decimals = 0;
    if (s->currencies >= QR_CURRENCIES_MAX || !take_number(line, 999, &number) ||
        !take_number(line, 4, &decimals))
        return "a currency wants its ISO 4217 number and its decimals; at most 4 of them";
    s->currency[s->currencies] = (uint32_t)number;
    s->decimals[s->currencies++] = (uint32_t)decimals;
    return NULL;
}

static const char *read_zone(struct qr_scheme *s, struct rg_bytes *line)
{
    struct rg_bytes word = take_word(line);
    uint32_t west = word.len > 0 && word.ptr[0] == '-';
    uint64_t hours = 0;
    if (!text_number(text_slice(word, west, word.len), 14, &hours))
        return "a zone is a number of hours from -14 to 14";
    s->zone_hours = west ? -(int32_t)hours : (int32_t)hours;
    return NULL;
}

static const char *read_fixed(struct qr_scheme *s, struct rg_bytes *line)
{
    if (s->fixed_count >= QR_FIXED_MAX ||
        !read_path(take_word(line), &s->fixed_path[s->fixed_count]))
        return "fixed wants a path and a value; at most 6 of them";
    s->fixed[s->fixed_count] = take_rest(line);
    return s->fixed[s->fixed_count++].len > 0 ? NULL : "fixed wants a value";
}

static const char *read_word(struct qr_scheme *s, struct rg_bytes word, struct rg_bytes *line)
{
    if (text_is(word, "title")) {
        s->title = take_rest(line);
        return NULL;
    }
    if (text_is(word, "country")) {
        s->country = take_word(line);
        return s->country.len == 2 ? NULL : "a country is two letters";
    }
    if (text_is(word, "currency"))
        return read_currency(s, line);
    if (text_is(word, "account"))
        return read_account(s, line);
    if (text_is(word, "field"))
        return read_field(s, line);
    if (text_is(word, "fixed"))
        return read_fixed(s, line);
    if (text_is(word, "reference")) {
        uint32_t good = read_path(take_word(line), &s->reference);
        s->reference_letters = take_choice(line, "base36 base62 digits");
        return good && s->reference_letters != 0
                   ? NULL
                   : "reference wants a path and base36, base62 or digits";
    }
    if (text_is(word, "expires"))
        return read_date(line, &s->expires, &s->expires_format);
    if (text_is(word, "created"))
        return read_date(line, &s->created, &s->created_format);
    if (text_is(word, "zone"))
        return read_zone(s, line);
    if (text_is(word, "crc")) {
        uint32_t choice = take_choice(line, "upper lower");
        s->crc_lower = choice == 2;
        return choice != 0 ? NULL : "crc is upper or lower";
    }
    return "this word is not known";
}

/* What only the whole scheme can tell. */
static const char *check_scheme(const struct qr_schemes *schemes)
{
    if (schemes->count == 0)
        return NULL;
    const struct qr_scheme *s = &schemes->rows[schemes->count - 1];
    if (s->first == 0)
        return "the scheme above has no account";
    for (uint32_t i = 0; i + 1 < schemes->count; i++)
        if (text_same(schemes->rows[i].name, s->name))
            return "two schemes have the same name";
    return NULL;
}

static const char *read_line(struct qr_schemes *out, struct rg_bytes line)
{
    struct rg_bytes word = take_word(&line);
    const char *wrong;
    if (word.len == 0 || word.ptr[0] == '#')
        return NULL;
    if (!text_is(word, "scheme")) {
        wrong = out->count == 0 ? "a file begins with a scheme"
                                : read_word(&out->rows[out->count - 1], word, &line);
        if (wrong == NULL && take_word(&line).len > 0)
            wrong = "there is more on this line than belongs to it";
        return wrong;
    }
    wrong = check_scheme(out);
    if (wrong == NULL && out->count >= QR_SCHEMES_MAX)
        wrong = "there are more than 32 schemes";
    if (wrong != NULL)
        return wrong;
    out->rows[out->count++].name = take_word(&line);
    return out->rows[out->count - 1].name.len > 0 ? NULL : "a scheme wants a name";
}

uint32_t qr_schemes_read(struct rg_bytes text, struct qr_schemes *out, struct rg_buffer *why)
{
    const char *wrong = NULL;
    uint64_t number = 0, at = 0;
    for (uint64_t i = 0; i < sizeof *out; i++)
        ((uint8_t *)out)[i] = 0;
    while (at < text.len && wrong == NULL) {
        uint64_t end = at;
        while (end < text.len && text.ptr[end] != '\n')
            end++;
        number++;
        wrong = read_line(out, text_slice(text, at, end - at));
        at = end + 1;
    }
    if (wrong == NULL)
        wrong = out->count == 0 ? "there is no scheme in it" : check_scheme(out);
    if (wrong == NULL)
        return 1;
    rg_put_text(why, "line ");
    rg_put_digits(why, number, number < 10 ? 1 : number < 100 ? 2 : number < 1000 ? 3 : 6);
    rg_put_text(why, ": ");
    rg_put_text(why, wrong);
    return 0;
}

const struct qr_scheme *qr_scheme_named(const struct qr_schemes *schemes, struct rg_bytes name)
{
    for (uint32_t i = 0; i < schemes->count; i++)
        if (text_same(schemes->rows[i].name, name))
            return &schemes->rows[i];
    return NULL;
}

/* --- a code and its scheme ------------------------------------------------------------------- */

/* ASCII case is ignored; '*' stands for any text. Goes back to the last '*' at most once per letter
 * of the text. */
static uint32_t guid_fits(struct rg_bytes pattern, struct rg_bytes text)
{
    uint64_t p = 0, t = 0, star = UINT64_MAX, mark = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern.len && text_lower(pattern.ptr[p]) == text_lower(text.ptr[t])) {
            p++;
            t++;
        } else if (star != UINT64_MAX) {
            p = star + 1;
            t = ++mark;
        } else {
            return 0;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

const struct qr_scheme *qr_scheme_of(const struct qr_schemes *schemes, const struct qr_code *code,
                                     uint32_t *account)
{
    for (uint32_t i = 0; i < schemes->count; i++)
        for (uint32_t k = 0; k < code->count; k++) {
            const struct qr_scheme *s = &schemes->rows[i];
            const struct qr_object *guid = &code->objects[k];
            if (guid->depth != 1 || guid->tag != 0)
                continue;
            const struct qr_object *template = &code->objects[guid->parent];
            if (template->tag < s->first || template->tag > s->last ||
                !guid_fits(s->guid, guid->value))
                continue;
            *account = template->tag;
            return s;
        }
    return NULL;
}

static void put_path(const struct qr_path *path, uint32_t account, char text[12])
{
    struct rg_buffer b = { (uint8_t *)text, 11, 0, 0, 0 };
    for (uint32_t i = 0; i < path->depth; i++) {
        if (i > 0)
            rg_put_u8(&b, '.');
        rg_put_digits(&b, path->id[i] == QR_ACCOUNT ? account : path->id[i], 2);
    }
    text[b.len] = '\0';
}

uint32_t qr_scheme_value(const struct qr_code *code, const struct qr_path *path, uint32_t account,
                         struct rg_bytes *out)
{
    char text[12];
    put_path(path, account, text);
    return path->depth > 0 && qr_mpm_value(code, text, out);
}

/* At the value when it is there, else at the template it should be in, else at the end. */
static void say_at_path(struct qr_code *code, uint32_t kind, const struct qr_path *path,
                        uint32_t account, struct rg_bytes value)
{
    uint32_t good, top = path->id[0] == QR_ACCOUNT ? account : path->id[0];
    uint64_t from = code->text.len, letters = 0;
    const struct qr_object *template = qr_top(code, top);
    int32_t parent = -1;
    if (path->depth > 1 && template != NULL) {
        from = template->at_byte;
        parent = (int32_t)(template - code->objects);
    }
    if (value.ptr != NULL) {
        from = (uint64_t)(value.ptr - code->text.ptr);
        letters = text_letters(value, &good);
    }
    qr_say(code, kind, parent, path->depth > 1 && parent >= 0 ? path->id[1] : top, from,
           text_letters(text_slice(code->text, 0, from), &good), letters);
}

static uint32_t has_format(struct rg_bytes value, const struct qr_field *f)
{
    uint32_t good;
    uint64_t letters = text_letters(value, &good);
    if (!good || letters < f->min || letters > f->max)
        return 0;
    for (uint64_t i = 0; i < value.len; i++) {
        uint8_t c = value.ptr[i];
        uint32_t digit = c >= '0' && c <= '9', upper = c >= 'A' && c <= 'Z';
        uint32_t fits = f->format == QR_DIGITS  ? digit
                        : f->format == QR_UPPER ? digit || upper
                        : f->format == QR_ALNUM ? digit || upper || (c >= 'a' && c <= 'z')
                        : f->format == QR_PHONE ? digit || c == '+' || c == '-'
                                                : c >= 0x20 && c != 0x7F;
        if (!fits)
            return 0;
    }
    return 1;
}

uint32_t qr_field_fits(const struct qr_field *field, struct rg_bytes value)
{
    return has_format(value, field);
}

/* 20261231 or 20261231235959 in the scheme's zone, or milliseconds: the last second at which the
 * code is good. 0: not a date. */
static int64_t read_expiry(const struct qr_scheme *s, struct rg_bytes value)
{
    uint64_t ms = 0, part[6] = { 0, 0, 0, 23, 59, 59 };
    if (s->expires_format == QR_UNIX_MS)
        return text_number(value, INT64_MAX, &ms) ? (int64_t)(ms / 1000) : 0;
    uint64_t at = 0;
    uint32_t parts = s->expires_format == QR_DATE ? 3 : 6;
    if (!text_digits(value) || value.len != (parts == 3 ? 8u : 14u))
        return 0;
    for (uint32_t i = 0; i < parts; i++) {
        part[i] = 0;
        for (uint32_t k = 0; k < (i == 0 ? 4u : 2u); k++)
            part[i] = part[i] * 10 + (uint64_t)(value.ptr[at++] - '0');
    }
    int64_t days = qr_days_of(part[0], part[1], part[2]);
    return days * 86400 + (int64_t)(part[3] * 3600 + part[4] * 60 + part[5]) -
           (int64_t)s->zone_hours * 3600;
}

void qr_scheme_check(struct qr_code *code, const struct qr_scheme *scheme, uint32_t account,
                     int64_t now_unix_s)
{
    const struct rg_bytes nothing = { NULL, 0 };
    struct rg_bytes value;
    uint32_t wants_one = 0, has_one = 0, known = scheme->currencies == 0;
    const struct qr_path *first = NULL;
    for (uint32_t i = 0; i < scheme->fields_count; i++) {
        const struct qr_field *f = &scheme->fields[i];
        uint32_t there = qr_scheme_value(code, &f->path, account, &value);
        if (there && !has_format(value, f))
            say_at_path(code, QR_FOUND_SCHEME_FIELD, &f->path, account, value);
        if (!there && f->need == QR_REQUIRED)
            say_at_path(code, QR_FOUND_SCHEME_MISSING, &f->path, account, nothing);
        if (f->need == QR_ONE_OF) {
            wants_one = 1;
            has_one |= there;
            first = first != NULL ? first : &f->path;
        }
    }
    if (wants_one && !has_one)
        say_at_path(code, QR_FOUND_SCHEME_MISSING, first, account, nothing);
    uint32_t there = qr_mpm_value(code, "53", &value) && value.len == 3 && text_digits(value);
    for (uint32_t i = 0; there && i < scheme->currencies; i++)
        known |= scheme->currency[i] == (uint32_t)(value.ptr[0] - '0') * 100 +
                                            (uint32_t)(value.ptr[1] - '0') * 10 +
                                            (uint32_t)(value.ptr[2] - '0');
    if (there && !known)
        say_at_path(code, QR_FOUND_SCHEME_CURRENCY, &(struct qr_path){ { 53 }, 1 }, account, value);
    if (qr_scheme_value(code, &scheme->expires, account, &value)) {
        int64_t expiry = read_expiry(scheme, value);
        if (expiry == 0)
            say_at_path(code, QR_FOUND_SCHEME_FIELD, &scheme->expires, account, value);
        else if (now_unix_s > 0 && now_unix_s > expiry)
            say_at_path(code, QR_FOUND_EXPIRED, &scheme->expires, account, value);
    }
}

/* --- references ------------------------------------------------------------------------------ */

void qr_reference_put(struct rg_buffer *b, const struct qr_scheme *scheme, uint64_t attempt)
{
    if (scheme->reference_letters == QR_BASE62)
        attempt_put_base62(b, attempt);
    else if (scheme->reference_letters == QR_NUMBERS)
        attempt_put_digits(b, attempt);
    else
        attempt_put_base36(b, attempt);
}

uint32_t qr_reference_read(struct rg_bytes reference, uint64_t *attempt)
{
    return attempt_read_base36(reference, attempt) || attempt_read_base62(reference, attempt) ||
           attempt_read_digits(reference, attempt);
}
