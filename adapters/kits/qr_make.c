/* SPDX-License-Identifier: Apache-2.0
 *
 * qr_make.c - builds merchant-presented codes, see qr_schemes.h.
 *
 * Everything becomes an entry (path, value) first; the last entry of a path wins, so defaults come
 * before what was given. Then the entries are written in the order of their ids, templates with the
 * length patched in behind them, and the checksum at the end.
 */
#include "kits/qr_schemes.h"

#include "kits/text.h"
#include "qr_codes_int.h"

#define ENTRIES_MAX 64u
#define SCRATCH_MAX 256u

struct entry {
    struct qr_path path;
    struct rg_bytes value;
};

struct making {
    const struct qr_make *make;
    struct entry entries[ENTRIES_MAX];
    uint32_t count;
    const char *wrong;
    uint8_t scratch[SCRATCH_MAX]; /* numbers and dates as text */
    uint64_t scratch_len;
};

/* --- days (proleptic Gregorian) --------------------------------------------------------------- */

int64_t qr_days_of(uint64_t year, uint64_t month, uint64_t day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = y / 400, of_era = y % 400;
    int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void put_day(struct rg_buffer *b, int64_t days)
{
    int64_t z = days + 719468, era = z / 146097, of_era = z % 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    int64_t day = of_year - (153 * month + 2) / 5 + 1;
    month += month < 10 ? 3 : -9;
    rg_put_digits(b, (uint64_t)(year + era * 400 + (month <= 2)), 4);
    rg_put_digits(b, (uint64_t)month, 2);
    rg_put_digits(b, (uint64_t)day, 2);
}

/* --- entries --------------------------------------------------------------------------------- */

static uint32_t same_path(const struct qr_path *a, const struct qr_path *b)
{
    if (a->depth != b->depth)
        return 0;
    for (uint32_t i = 0; i < a->depth; i++)
        if (a->id[i] != b->id[i])
            return 0;
    return 1;
}

/* Empty values are left out. */
static void add(struct making *m, struct qr_path path, struct rg_bytes value)
{
    if (value.len == 0 || path.depth == 0)
        return;
    if (path.id[0] == QR_ACCOUNT)
        path.id[0] = m->make->scheme->first;
    for (uint32_t i = 0; i < m->count; i++)
        if (same_path(&m->entries[i].path, &path)) {
            m->entries[i].value = value;
            return;
        }
    if (m->count >= ENTRIES_MAX)
        m->wrong = "there are too many values";
    else
        m->entries[m->count++] = (struct entry){ path, value };
}

static void add_top(struct making *m, uint32_t id, struct rg_bytes value)
{
    add(m, (struct qr_path){ { id }, 1 }, value);
}

static struct rg_buffer scratch(struct making *m)
{
    return (struct rg_buffer){ m->scratch + m->scratch_len, SCRATCH_MAX - m->scratch_len, 0, 0, 0 };
}

static struct rg_bytes scratch_keep(struct making *m, const struct rg_buffer *b)
{
    if (b->overflow != 0)
        m->wrong = "a number does not fit";
    m->scratch_len += b->len;
    return (struct rg_bytes){ b->ptr, b->len };
}

static void add_date(struct making *m, const struct qr_path *path, uint32_t format, int64_t unix_s)
{
    struct rg_buffer b = scratch(m);
    if (path->depth == 0 || unix_s <= 0)
        return;
    int64_t local = unix_s + (int64_t)m->make->scheme->zone_hours * 3600;
    if (format == QR_UNIX_MS) {
        rg_put_digits(&b, (uint64_t)unix_s * 1000, 13);
    } else {
        put_day(&b, local / 86400);
        if (format == QR_DATE_TIME) {
            rg_put_digits(&b, (uint64_t)(local / 3600 % 24), 2);
            rg_put_digits(&b, (uint64_t)(local / 60 % 60), 2);
            rg_put_digits(&b, (uint64_t)(local % 60), 2);
        }
    }
    add(m, *path, scratch_keep(m, &b));
}

static const struct qr_field *field_named(const struct qr_scheme *s, struct rg_bytes name)
{
    for (uint32_t i = 0; i < s->fields_count; i++)
        if (text_same(s->fields[i].name, name))
            return &s->fields[i];
    return NULL;
}

static uint32_t path_of(struct rg_bytes name, struct qr_path *path)
{
    *path = (struct qr_path){ 0 };
    for (uint64_t at = 0; path->depth < QR_PATH_DEPTH; at += 3) {
        struct rg_bytes digits = text_slice(name, at, 2);
        if (digits.len != 2 || !text_digits(digits))
            return 0;
        path->id[path->depth++] =
            (uint32_t)(digits.ptr[0] - '0') * 10 + (uint32_t)(digits.ptr[1] - '0');
        if (at + 2 == name.len)
            return path->id[0] >= 2 && path->id[0] != 63;
        if (name.ptr[at + 2] != '.')
            return 0;
    }
    return 0;
}

static void add_values(struct making *m)
{
    const struct qr_make *make = m->make;
    for (uint64_t i = 0; i < make->values_count; i++) {
        const struct qr_field *f = field_named(make->scheme, make->values[i].name);
        struct qr_path path;
        if (f == NULL && !path_of(make->values[i].name, &path))
            m->wrong = "the scheme has no field of this name";
        else if (f != NULL && !qr_field_fits(f, make->values[i].value))
            m->wrong = "a field's value does not have the form that the scheme wants";
        else
            add(m, f != NULL ? f->path : path, make->values[i].value);
    }
}

static uint32_t has(const struct making *m, struct qr_path path)
{
    if (path.id[0] == QR_ACCOUNT)
        path.id[0] = m->make->scheme->first;
    for (uint32_t i = 0; i < m->count; i++)
        if (same_path(&m->entries[i].path, &path))
            return 1;
    return 0;
}

static void check_needs(struct making *m)
{
    const struct qr_scheme *s = m->make->scheme;
    uint32_t wants_one = 0, has_one = 0;
    for (uint32_t i = 0; i < s->fields_count; i++) {
        uint32_t there = has(m, s->fields[i].path);
        if (s->fields[i].need == QR_REQUIRED && !there)
            m->wrong = "a field that the scheme requires is missing";
        wants_one |= s->fields[i].need == QR_ONE_OF;
        has_one |= s->fields[i].need == QR_ONE_OF && there;
    }
    if (wants_one && !has_one)
        m->wrong = "one of the scheme's keys must be given";
}

static void add_money(struct making *m)
{
    const struct qr_make *make = m->make;
    struct rg_buffer b = scratch(m);
    rg_put_digits(&b, make->currency, 3);
    add_top(m, 53, scratch_keep(m, &b));
    if (make->amount_minor > 0) {
        b = scratch(m);
        qr_amount_put(&b, make->amount_minor, make->exponent);
        if (b.len > 13)
            m->wrong = "the amount has more than 13 letters";
        add_top(m, 54, scratch_keep(m, &b));
    }
    if (make->tip == 0)
        return;
    b = scratch(m);
    rg_put_digits(&b, make->tip, 2);
    add_top(m, 55, scratch_keep(m, &b));
    if (make->tip >= 2)
        add_top(m, 54 + make->tip, make->fee);
}

static void collect(struct making *m)
{
    const struct qr_make *make = m->make;
    const struct qr_scheme *s = make->scheme;
    uint32_t any_guid = 0;
    for (uint64_t i = 0; i < s->guid.len; i++)
        any_guid |= s->guid.ptr[i] == '*';
    add_top(m, 0, text_of("01"));
    add_top(m, 1, text_of(make->dynamic ? "12" : "11"));
    if (!any_guid)
        add(m, (struct qr_path){ { QR_ACCOUNT, 0 }, 2 }, s->guid);
    for (uint32_t i = 0; i < s->fixed_count; i++)
        add(m, s->fixed_path[i], s->fixed[i]);
    for (uint32_t i = 0; i < s->fields_count; i++)
        if (s->fields[i].need == QR_DEFAULT)
            add(m, s->fields[i].path, s->fields[i].value);
    add_top(m, 52, make->category.len > 0 ? make->category : text_of("0000"));
    add_money(m);
    add_top(m, 58, make->country.len > 0 ? make->country : s->country);
    add_top(m, 59, make->name);
    add_top(m, 60, make->city);
    add_top(m, 61, make->postcode);
    if (make->language.len > 0) {
        add(m, (struct qr_path){ { 64, 0 }, 2 }, make->language);
        add(m, (struct qr_path){ { 64, 1 }, 2 }, make->language_name);
        add(m, (struct qr_path){ { 64, 2 }, 2 }, make->language_city);
    }
    add(m, s->reference, make->reference);
    add_date(m, &s->created, s->created_format, make->created_unix_s);
    add_date(m, &s->expires, s->expires_format, make->expires_unix_s);
    add_values(m);
    check_needs(m);
}

/* --- writing --------------------------------------------------------------------------------- */

static uint32_t inside(const struct qr_path *path, const struct qr_path *of)
{
    if (path->depth <= of->depth)
        return 0;
    for (uint32_t i = 0; i < of->depth; i++)
        if (path->id[i] != of->id[i])
            return 0;
    return 1;
}

/* Patches the two digits of a length at `at` once the value behind them is written. */
static void close_length(struct making *m, struct rg_buffer *out, uint64_t at)
{
    uint32_t good;
    if (out->overflow != 0)
        return;
    uint64_t letters =
        text_letters((struct rg_bytes){ out->ptr + at + 2, out->len - at - 2 }, &good);
    if (!good || letters > 99)
        m->wrong = "a value is not UTF-8, or a value or template has more than 99 letters";
    out->ptr[at] = (uint8_t)('0' + letters / 10 % 10);
    out->ptr[at + 1] = (uint8_t)('0' + letters % 10);
}

static const struct entry *entry_at(const struct making *m, const struct qr_path *path)
{
    for (uint32_t i = 0; i < m->count; i++)
        if (same_path(&m->entries[i].path, path))
            return &m->entries[i];
    return NULL;
}

static uint32_t any_inside(const struct making *m, const struct qr_path *path)
{
    for (uint32_t i = 0; i < m->count; i++)
        if (inside(&m->entries[i].path, path))
            return 1;
    return 0;
}

/* All objects directly under `path`, in the order of their ids; recursion ends at QR_PATH_DEPTH. */
static void put_level(struct making *m, struct rg_buffer *out, struct qr_path path)
{
    if (path.depth >= QR_PATH_DEPTH)
        return;
    path.depth++;
    for (uint32_t id = 0; id <= 99; id++) {
        path.id[path.depth - 1] = id;
        const struct entry *entry = entry_at(m, &path);
        uint32_t template = any_inside(m, &path);
        if (entry == NULL && !template)
            continue;
        if (entry != NULL && template)
            m->wrong = "an id has a value and objects inside at the same time";
        rg_put_digits(out, id, 2);
        uint64_t length_at = out->len;
        rg_put_text(out, "00");
        if (entry != NULL)
            rg_put_bytes(out, entry->value);
        else
            put_level(m, out, path);
        close_length(m, out, length_at);
    }
}

uint32_t qr_make(const struct qr_make *make, struct rg_buffer *out, struct rg_buffer *why)
{
    struct making m = { .make = make };
    uint64_t begin = out->len;
    collect(&m);
    if (m.wrong == NULL)
        put_level(&m, out, (struct qr_path){ 0 });
    if (m.wrong == NULL) {
        rg_put_text(out, "6304");
        uint32_t crc = qr_crc((struct rg_bytes){ out->ptr + begin, out->len - begin });
        for (int shift = 12; shift >= 0; shift -= 4)
            rg_put_u8(out,
                      (uint8_t)(make->scheme->crc_lower ? "0123456789abcdef"
                                                        : "0123456789ABCDEF")[crc >> shift & 15]);
        if (out->overflow != 0)
            m.wrong = "the code does not fit";
    }
    if (m.wrong != NULL)
        rg_put_text(why, m.wrong);
    return m.wrong == NULL;
}

uint32_t qr_values_read(struct rg_bytes text, struct qr_value *rows, uint64_t room, uint64_t *count)
{
    *count = 0;
    while (text.len > 0) {
        uint64_t end = 0, equals = 0;
        while (end < text.len && text.ptr[end] != ';')
            end++;
        struct rg_bytes pair = text_slice(text, 0, end);
        text = text_slice(text, end + 1, text.len);
        while (pair.len > 0 && pair.ptr[0] == ' ')
            pair = text_slice(pair, 1, pair.len);
        while (pair.len > 0 && pair.ptr[pair.len - 1] == ' ')
            pair.len--;
        if (pair.len == 0)
            continue;
        while (equals < pair.len && pair.ptr[equals] != '=')
            equals++;
        if (*count >= room || equals == 0 || equals + 1 >= pair.len)
            return 0;
        rows[*count].name = text_slice(pair, 0, equals);
        rows[(*count)++].value = text_slice(pair, equals + 1, pair.len);
    }
    return 1;
}
