/* SPDX-License-Identifier: Apache-2.0
 *
 * json_lite.c - see json_lite.h.
 *
 * The check is one loop with a stack of levels, no recursion. Each level keeps hash and place of
 * the keys it has seen, so that a duplicate is found without a second reading; equal hashes are
 * compared byte by byte. Looking up walks the text again with a skipper that relies on the check.
 */
#include "kits/json_lite.h"

#include "kits/hex.h"
#include "kits/text.h"

struct jl_level {
    uint32_t is_object;
    uint32_t keys;
    uint32_t hash[JL_MEMBERS_MAX];
    struct rg_bytes key[JL_MEMBERS_MAX];
};

struct jl_text {
    struct rg_bytes bytes;
    uint64_t at;
};

static uint32_t peek(const struct jl_text *t)
{
    return t->at < t->bytes.len ? t->bytes.ptr[t->at] : 0;
}

static void skip_blanks(struct jl_text *t)
{
    for (;;) {
        uint32_t c = peek(t);
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            return;
        t->at++;
    }
}

static uint32_t take(struct jl_text *t, uint8_t c)
{
    if (peek(t) != c)
        return 0;
    t->at++;
    return 1;
}

/* --- the parts ------------------------------------------------------------------------------ */

/* Four hexadecimal digits at `at`; -1 when they are none. */
static int32_t read_unit(const struct jl_text *t, uint64_t at)
{
    int32_t unit = 0;
    for (uint64_t i = 0; i < 4; i++) {
        int digit = at + i < t->bytes.len ? hex_digit(t->bytes.ptr[at + i]) : -1;
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

/* At a backslash: the letter it stands for, 0 when it is none that we take. */
static uint32_t take_escape(struct jl_text *t)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint64_t at = t->at + 1;
    if (at >= t->bytes.len)
        return 0;
    for (uint32_t i = 0; i < sizeof from - 1; i++)
        if (t->bytes.ptr[at] == (uint8_t)from[i]) {
            t->at += 2;
            return (uint8_t)to[i];
        }
    int32_t high = t->bytes.ptr[at] == 'u' ? read_unit(t, at + 1) : -1;
    if (high <= 0 || (high >= 0xDC00 && high <= 0xDFFF))
        return 0;
    t->at += 6;
    if (high < 0xD800 || high > 0xDBFF)
        return (uint32_t)high;
    int32_t low = peek(t) == '\\' && t->at + 1 < t->bytes.len && t->bytes.ptr[t->at + 1] == 'u'
                      ? read_unit(t, t->at + 2)
                      : -1;
    if (low < 0xDC00 || low > 0xDFFF)
        return 0;
    t->at += 6;
    return 0x10000u + ((uint32_t)(high - 0xD800) << 10) + (uint32_t)(low - 0xDC00);
}

static uint32_t take_text(struct jl_text *t, struct jl_value *out)
{
    if (!take(t, '"'))
        return 0;
    uint64_t begin = t->at;
    *out = (struct jl_value){ .kind = JL_TEXT };
    for (;;) {
        uint32_t c = peek(t);
        if (c == '"')
            break;
        if (c == '\\') {
            out->escaped = 1;
            if (take_escape(t) == 0)
                return 0;
            continue;
        }
        uint32_t len = c < 0x20 ? 0 : text_letter(text_slice(t->bytes, t->at, 4));
        if (len == 0)
            return 0;
        t->at += len;
    }
    out->raw = (struct rg_bytes){ t->bytes.ptr + begin, t->at - begin };
    t->at++;
    return 1;
}

static uint64_t take_digits(struct jl_text *t)
{
    uint64_t begin = t->at;
    while (peek(t) >= '0' && peek(t) <= '9')
        t->at++;
    return t->at - begin;
}

static uint32_t take_number(struct jl_text *t, struct jl_value *out)
{
    uint64_t begin = t->at, value = 0;
    uint32_t negative = take(t, '-'), exact = 1;
    uint64_t first = t->at, digits = take_digits(t);
    if (digits == 0 || (digits > 1 && t->bytes.ptr[first] == '0'))
        return 0;
    struct rg_bytes whole = { t->bytes.ptr + first, digits };
    if (take(t, '.')) {
        exact = 0;
        if (take_digits(t) == 0)
            return 0;
    }
    if (take(t, 'e') || take(t, 'E')) {
        exact = 0;
        if (!take(t, '+'))
            (void)take(t, '-');
        if (take_digits(t) == 0)
            return 0;
    }
    *out = (struct jl_value){ .kind = JL_NUMBER };
    out->raw = (struct rg_bytes){ t->bytes.ptr + begin, t->at - begin };
    if (exact && text_number(whole, (uint64_t)INT64_MAX + negative, &value) &&
        !(negative && value == 0)) {
        out->kind = JL_INTEGER;
        out->integer = negative ? (int64_t)(0 - value) : (int64_t)value;
    }
    return 1;
}

static uint32_t take_word(struct jl_text *t, const char *word, uint32_t kind, struct jl_value *out)
{
    struct rg_bytes w = text_of(word);
    struct rg_bytes here = text_slice(t->bytes, t->at, w.len);
    if (!text_same(here, w))
        return 0;
    t->at += w.len;
    *out = (struct jl_value){ .kind = kind, .raw = here };
    return 1;
}

/* Anything but an object or array. */
static uint32_t take_scalar(struct jl_text *t, struct jl_value *out)
{
    switch (peek(t)) {
    case '"': return take_text(t, out);
    case 't': return take_word(t, "true", JL_TRUE, out);
    case 'f': return take_word(t, "false", JL_FALSE, out);
    case 'n': return take_word(t, "null", JL_NULL, out);
    default: return take_number(t, out);
    }
}

/* --- the check ------------------------------------------------------------------------------- */

static uint32_t take_key(struct jl_text *t, struct jl_level *level)
{
    struct jl_value key;
    skip_blanks(t);
    if (!take_text(t, &key) || key.escaped != 0 || level->keys >= JL_MEMBERS_MAX)
        return 0;
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (uint64_t i = 0; i < key.raw.len; i++)
        hash = (hash ^ key.raw.ptr[i]) * 16777619u;
    for (uint32_t i = 0; i < level->keys; i++)
        if (level->hash[i] == hash && text_same(level->key[i], key.raw))
            return 0;
    level->hash[level->keys] = hash;
    level->key[level->keys++] = key.raw;
    skip_blanks(t);
    return take(t, ':');
}

/* Behind a value: on to the next one, closing what closes. 1: a value follows; 2: all is closed; 0:
 * broken. */
static uint32_t after_value(struct jl_text *t, struct jl_level *levels, uint32_t *depth)
{
    while (*depth > 0) {
        struct jl_level *level = &levels[*depth - 1];
        skip_blanks(t);
        if (take(t, ','))
            return level->is_object ? take_key(t, level) : 1;
        if (!take(t, level->is_object ? '}' : ']'))
            return 0;
        --*depth;
    }
    return 2;
}

/* At a value: over it when it is a scalar or empty, into it otherwise. As after_value(). */
static uint32_t walk_value(struct jl_text *t, struct jl_level *levels, uint32_t *depth)
{
    struct jl_value ignored;
    skip_blanks(t);
    uint32_t open = peek(t);
    if (open != '{' && open != '[')
        return take_scalar(t, &ignored) ? after_value(t, levels, depth) : 0;
    if (*depth >= JL_DEPTH_MAX)
        return 0;
    struct jl_level *level = &levels[(*depth)++];
    level->is_object = open == '{';
    level->keys = 0;
    t->at++;
    skip_blanks(t);
    if (peek(t) == (open == '{' ? '}' : ']'))
        return after_value(t, levels, depth);
    return level->is_object ? take_key(t, level) : 1;
}

static uint32_t check(struct rg_bytes text)
{
    struct jl_level levels[JL_DEPTH_MAX];
    struct jl_text t = { text, 0 };
    uint32_t depth = 0, next = 1;
    while (next == 1)
        next = walk_value(&t, levels, &depth);
    skip_blanks(&t);
    return next == 2 && t.at == text.len;
}

/* --- looking up ------------------------------------------------------------------------------- */

/* Over one value of checked text. */
static uint32_t take_value(struct jl_text *t, struct jl_value *out)
{
    skip_blanks(t);
    uint32_t open = peek(t);
    if (open != '{' && open != '[')
        return take_scalar(t, out);
    uint64_t begin = t->at, depth = 0;
    struct jl_value ignored;
    do {
        uint32_t c = peek(t);
        if (c == '"') {
            if (!take_text(t, &ignored))
                return 0;
            continue;
        }
        if (t->at >= t->bytes.len)
            return 0;
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        t->at++;
    } while (depth > 0);
    *out = (struct jl_value){ .kind = open == '{' ? JL_OBJECT : JL_ARRAY };
    out->raw = (struct rg_bytes){ t->bytes.ptr + begin, t->at - begin };
    return 1;
}

uint32_t jl_read(struct rg_bytes text, struct jl_value *out)
{
    struct jl_text t = { text, 0 };
    *out = (struct jl_value){ 0 };
    return check(text) && take_value(&t, out);
}

uint32_t jl_member(const struct jl_value *object, const char *name, struct jl_value *out)
{
    struct jl_text t = { object->raw, 1 };
    struct jl_value key;
    uint32_t kind = object->kind; /* `out` may be the same struct */
    *out = (struct jl_value){ 0 };
    if (kind != JL_OBJECT)
        return 0;
    for (;;) {
        skip_blanks(&t);
        if (!take_text(&t, &key))
            return 0; /* the closing bracket */
        skip_blanks(&t);
        if (!take(&t, ':') || !take_value(&t, out)) {
            *out = (struct jl_value){ 0 };
            return 0;
        }
        if (text_is(key.raw, name))
            return 1;
        *out = (struct jl_value){ 0 };
        skip_blanks(&t);
        if (!take(&t, ','))
            return 0;
    }
}

struct jl_list jl_list_of(const struct jl_value *array)
{
    return (struct jl_list){ array->kind == JL_ARRAY ? array->raw : (struct rg_bytes){ NULL, 0 } };
}

uint32_t jl_next(struct jl_list *list, struct jl_value *out)
{
    struct jl_text t = { list->rest, 1 };
    skip_blanks(&t);
    if (list->rest.len == 0 || peek(&t) == ']' || !take_value(&t, out)) {
        *out = (struct jl_value){ 0 };
        list->rest.len = 0;
        return 0;
    }
    skip_blanks(&t);
    list->rest = peek(&t) == ',' ? text_slice(list->rest, t.at, list->rest.len)
                                 : (struct rg_bytes){ NULL, 0 };
    return 1;
}

uint32_t jl_element(const struct jl_value *array, uint64_t index, struct jl_value *out)
{
    struct jl_list list = jl_list_of(array); /* `out` may be the same struct */
    do {
        if (!jl_next(&list, out))
            return 0;
    } while (index-- > 0);
    return 1;
}

static void put_letter(struct rg_buffer *b, uint32_t c)
{
    if (c < 0x80) {
        rg_put_u8(b, (uint8_t)c);
    } else if (c < 0x800) {
        rg_put_u8(b, (uint8_t)(0xC0u | c >> 6));
        rg_put_u8(b, (uint8_t)(0x80u | (c & 0x3Fu)));
    } else if (c < 0x10000) {
        rg_put_u8(b, (uint8_t)(0xE0u | c >> 12));
        rg_put_u8(b, (uint8_t)(0x80u | (c >> 6 & 0x3Fu)));
        rg_put_u8(b, (uint8_t)(0x80u | (c & 0x3Fu)));
    } else {
        rg_put_u8(b, (uint8_t)(0xF0u | c >> 18));
        rg_put_u8(b, (uint8_t)(0x80u | (c >> 12 & 0x3Fu)));
        rg_put_u8(b, (uint8_t)(0x80u | (c >> 6 & 0x3Fu)));
        rg_put_u8(b, (uint8_t)(0x80u | (c & 0x3Fu)));
    }
}

uint32_t jl_text(const struct jl_value *value, uint8_t *room, uint64_t size, uint64_t *len)
{
    *len = 0;
    if (value->kind != JL_TEXT)
        return 0;
    struct rg_buffer out = { room, size, 0, 0, 0 };
    struct jl_text t = { value->raw, 0 };
    while (t.at < t.bytes.len) {
        if (t.bytes.ptr[t.at] == '\\') {
            uint32_t letter = take_escape(&t);
            if (letter == 0)
                return 0;
            put_letter(&out, letter);
        } else {
            rg_put_u8(&out, t.bytes.ptr[t.at++]);
        }
    }
    if (out.overflow != 0)
        return 0;
    *len = out.len;
    return 1;
}

uint32_t jl_is(const struct jl_value *value, const char *literal)
{
    return value->kind == JL_TEXT && value->escaped == 0 && text_is(value->raw, literal);
}

uint32_t jl_integer(const struct jl_value *value, int64_t *out)
{
    if (value->kind != JL_INTEGER)
        return 0;
    *out = value->integer;
    return 1;
}

struct rg_bytes jl_plain(const struct jl_value *object, const char *name)
{
    struct jl_value value;
    if (!jl_member(object, name, &value) || value.kind != JL_TEXT || value.escaped != 0)
        return (struct rg_bytes){ NULL, 0 };
    return value.raw;
}

/* --- writing --------------------------------------------------------------------------------- */

static void put_quoted(struct rg_buffer *b, struct rg_bytes text)
{
    rg_put_u8(b, '"');
    for (uint64_t i = 0; i < text.len;) {
        uint8_t c = text.ptr[i];
        uint32_t len = text_letter(text_slice(text, i, 4));
        if (len == 0) {
            b->overflow = 1;
            return;
        }
        if (c == '"' || c == '\\')
            rg_put_u8(b, '\\');
        if (c < 0x20) {
            rg_put_text(b, "\\u00");
            rg_put_u8(b, (uint8_t) "0123456789abcdef"[c >> 4]);
            rg_put_u8(b, (uint8_t) "0123456789abcdef"[c & 15]);
        } else {
            rg_put(b, text.ptr + i, len);
        }
        i += len;
    }
    rg_put_u8(b, '"');
}

static void put_key(struct rg_buffer *b, const char *key)
{
    if (b->len > 0 && b->ptr[b->len - 1] != '{' && b->ptr[b->len - 1] != '[')
        rg_put_u8(b, ',');
    if (key == NULL)
        return;
    put_quoted(b, text_of(key));
    rg_put_u8(b, ':');
}

/* A comma must not follow the key of what is opened: it is placed before the key. */
void jl_open(struct rg_buffer *b, const char *key)
{
    put_key(b, key);
    rg_put_u8(b, '{');
}

void jl_close(struct rg_buffer *b)
{
    rg_put_u8(b, '}');
}

void jl_open_array(struct rg_buffer *b, const char *key)
{
    put_key(b, key);
    rg_put_u8(b, '[');
}

void jl_close_array(struct rg_buffer *b)
{
    rg_put_u8(b, ']');
}

void jl_put_text(struct rg_buffer *b, const char *key, struct rg_bytes value)
{
    put_key(b, key);
    put_quoted(b, value);
}

void jl_put_literal(struct rg_buffer *b, const char *key, const char *value)
{
    jl_put_text(b, key, text_of(value));
}

void jl_put_integer(struct rg_buffer *b, const char *key, int64_t value)
{
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    unsigned digits = 1;
    for (uint64_t rest = size; rest >= 10; rest /= 10)
        digits++;
    put_key(b, key);
    if (value < 0)
        rg_put_u8(b, '-');
    rg_put_digits(b, size, digits);
}

void jl_put_flag(struct rg_buffer *b, const char *key, uint32_t value)
{
    put_key(b, key);
    rg_put_text(b, value != 0 ? "true" : "false");
}
