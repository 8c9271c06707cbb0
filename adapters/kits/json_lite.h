/* SPDX-License-Identifier: Apache-2.0
 *
 * kits/json_lite.h - reading and writing small JSON (RFC 8259) without memory of its own.
 *
 * Reading. jl_read() checks the whole text first; after it succeeded the other functions cannot
 * meet broken text. Values point into the caller's bytes.
 *
 *     struct jl_value root, state;
 *     if (!jl_read(body, &root) || !jl_member(&root, "state", &state)) refuse
 *     if (jl_is(&state, "paid")) ...
 *
 * Refused, so that two readers can never see two things in one text: a key twice in one object, a
 * key with an escape in it, bytes that are not UTF-8, U+0000, lone surrogates, anything behind the
 * value, more than JL_DEPTH_MAX levels, more than JL_MEMBERS_MAX members in an object.
 * A number that is no exact int64 (1.5, 1e3, 2^63) is JL_NUMBER: it may stand there, and
 * jl_integer() does not give it.
 *
 * Writing. jl_put_*() append to a rg_buffer and place commas by looking at the last byte, so there
 * is no state but the buffer; overflow latches there.
 *
 *     jl_open(&b, NULL); jl_put_text(&b, "order_id", id); jl_put_integer(&b, "n", 7); jl_close(&b);
 */
#ifndef KITS_JSON_LITE_H
#define KITS_JSON_LITE_H

#include <railgate/writer.h>

#define JL_DEPTH_MAX   8u
#define JL_MEMBERS_MAX 128u

enum jl_kind {
    JL_OBJECT = 1,
    JL_ARRAY,
    JL_TEXT,
    JL_INTEGER,
    JL_NUMBER,
    JL_TRUE,
    JL_FALSE,
    JL_NULL
};

struct jl_value {
    uint32_t kind;    /* enum jl_kind */
    uint32_t escaped; /* text: has escapes, so raw is not yet what it means */
    struct rg_bytes
        raw;         /* object, array: with brackets; text: between the quotes; else as written */
    int64_t integer; /* JL_INTEGER */
};

/* The whole text, blanks around it allowed: 1, or 0 when anything in it is not as told above. */
uint32_t jl_read(struct rg_bytes text, struct jl_value *out);
/* `out` of the next two may be the struct that is looked into.
 * Member of an object: 1, or 0 when it is not there or `object` is none (out->kind is 0 then). */
uint32_t jl_member(const struct jl_value *object, const char *name, struct jl_value *out);
/* Element `index` (from 0) of an array: 1, or 0. Walks from the front: for all of them, one after
 * the other, there is jl_next(). */
uint32_t jl_element(const struct jl_value *array, uint64_t index, struct jl_value *out);

/* The elements of an array in their order; each byte is read once.
 *
 *     struct jl_list list = jl_list_of(&array);
 *     while (jl_next(&list, &element)) ...
 */
struct jl_list {
    struct rg_bytes rest; /* from the bracket or the comma before the next element on */
};

/* Of what is no array, a list without elements. */
struct jl_list jl_list_of(const struct jl_value *array);
/* 1 and the next element; 0 (and out->kind 0) when there is none. */
uint32_t jl_next(struct jl_list *list, struct jl_value *out);

/* The text, unescaped, as UTF-8: 1; 0 when it is no text or does not fit (then *len is 0). */
uint32_t jl_text(const struct jl_value *value, uint8_t *room, uint64_t size, uint64_t *len);
/* Is a text with this meaning; a text with escapes never is. */
uint32_t jl_is(const struct jl_value *value, const char *literal);
/* 1 and the number, or 0. */
uint32_t jl_integer(const struct jl_value *value, int64_t *out);

/* jl_member() of a text without escapes, as a view: what ids, states and amounts are. Empty when it
 * is not there, not a text, or has escapes. */
struct rg_bytes jl_plain(const struct jl_value *object, const char *name);

/* key NULL: at the top or inside an array. Bytes of `value` that are not UTF-8 latch overflow. */
void jl_open(struct rg_buffer *b, const char *key);
void jl_close(struct rg_buffer *b);
void jl_open_array(struct rg_buffer *b, const char *key);
void jl_close_array(struct rg_buffer *b);
void jl_put_text(struct rg_buffer *b, const char *key, struct rg_bytes value);
void jl_put_literal(struct rg_buffer *b, const char *key, const char *value);
void jl_put_integer(struct rg_buffer *b, const char *key, int64_t value);
void jl_put_flag(struct rg_buffer *b, const char *key, uint32_t value);

#endif
