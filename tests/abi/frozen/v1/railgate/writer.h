/* SPDX-License-Identifier: Apache-2.0
 *
 * railgate/writer.h - inline writers into the host's rooms. Overflow latches: write all, then look
 * at buffer.overflow once (the host looks as well and treats an overflow as FAIL).
 */
#ifndef RAILGATE_WRITER_H
#define RAILGATE_WRITER_H

#include <railgate/adapter.h>

static inline void rg_put(struct rg_buffer *b, const void *bytes, uint64_t len)
{
    if (b->overflow != 0 || len > b->room - b->len) {
        b->overflow = 1;
        return;
    }
    for (uint64_t i = 0; i < len; i++)
        b->ptr[b->len + i] = ((const uint8_t *)bytes)[i];
    b->len += len;
}

static inline void rg_put_u8(struct rg_buffer *b, uint8_t value)
{
    rg_put(b, &value, 1);
}

static inline void rg_put_bytes(struct rg_buffer *b, struct rg_bytes bytes)
{
    rg_put(b, bytes.ptr, bytes.len);
}

static inline void rg_put_text(struct rg_buffer *b, const char *text)
{
    uint64_t len = 0;
    while (text[len] != '\0')
        len++;
    rg_put(b, text, len);
}

/* Decimal, left-padded with zeros to `digits` (1..20); latches when the value needs more. */
static inline void rg_put_digits(struct rg_buffer *b, uint64_t value, unsigned digits)
{
    uint8_t text[20];
    if (digits < 1 || digits > sizeof text) {
        b->overflow = 1;
        return;
    }
    for (unsigned i = digits; i > 0; i--) {
        text[i - 1] = (uint8_t)('0' + value % 10);
        value /= 10;
    }
    if (value != 0) {
        b->overflow = 1;
        return;
    }
    rg_put(b, text, digits);
}

/* Adds a row; latches t->text.overflow when rows or room run out. */
static inline void rg_table_put(struct rg_table *t, const char *name, const void *value,
                                uint64_t len, uint32_t flags)
{
    if (t->count >= t->room || t->text.overflow != 0) {
        t->text.overflow = 1;
        return;
    }
    uint64_t name_at = t->text.len;
    rg_put_text(&t->text, name);
    uint64_t value_at = t->text.len;
    rg_put(&t->text, value, len);
    if (t->text.overflow != 0)
        return;
    struct rg_named *row = &t->rows[t->count++];
    row->name.ptr = t->text.ptr + name_at;
    row->name.len = value_at - name_at;
    row->value.ptr = t->text.ptr + value_at;
    row->value.len = len;
    row->flags = flags;
    row->reserved = 0;
}

static inline void rg_table_put_text(struct rg_table *t, const char *name, const char *value)
{
    uint64_t len = 0;
    while (value[len] != '\0')
        len++;
    rg_table_put(t, name, value, len, 0);
}

/* A key that came wrapped under another; kcv_len is 0 or 3. name and wrapped_by are setting rows of
 * type KEY. */
static inline void rg_table_put_wrapped_key(struct rg_table *grants, const char *name,
                                            const char *wrapped_by, const uint8_t *wrapped,
                                            uint64_t wrapped_len, const uint8_t *kcv,
                                            uint64_t kcv_len)
{
    uint8_t value[160];
    struct rg_buffer b = { value, sizeof value, 0, 0, 0 };
    rg_put_text(&b, wrapped_by);
    rg_put_u8(&b, 0);
    rg_put_u8(&b, (uint8_t)kcv_len);
    rg_put(&b, kcv, kcv_len);
    rg_put(&b, wrapped, wrapped_len);
    if (b.overflow != 0) {
        grants->text.overflow = 1;
        return;
    }
    rg_table_put(grants, name, value, b.len, RG_NAMED_SENSITIVE);
}

/* The row with this name, or NULL. */
static inline const struct rg_named *rg_find(const struct rg_named *rows, uint64_t count,
                                             const char *name)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t k = 0;
        while (k < rows[i].name.len && name[k] != '\0' && rows[i].name.ptr[k] == (uint8_t)name[k])
            k++;
        if (k == rows[i].name.len && name[k] == '\0')
            return &rows[i];
    }
    return NULL;
}

#endif
