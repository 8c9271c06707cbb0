/* SPDX-License-Identifier: Apache-2.0
 *
 * kits/tlv.h - EMV BER-TLV (EMV Book 3 annex B; ISO/IEC 8825-1).
 *
 * Strict: tags of 1 to 4 bytes, definite lengths in their shortest form of up to two length bytes
 * (00..7F, 81 xx, 82 xx xx), zero bytes tolerated between objects and nowhere else. Pure, no memory
 * taken; values point into the caller's bytes.
 *
 *     struct tlv_reader in = tlv_reader(bytes, len);
 *     struct tlv_object object;
 *     while ((result = tlv_next(&in, &object)) == TLV_OK) ...
 *     if (result != TLV_END) broken
 */
#ifndef KITS_TLV_H
#define KITS_TLV_H

#include <railgate/adapter.h>
#include <stdint.h>

enum tlv_result {
    TLV_OK = 1,
    TLV_END,        /* nothing more */
    TLV_TRUNCATED,  /* ends inside a tag, a length or a value */
    TLV_BAD_TAG,    /* longer than 4 bytes, or with a leading zero group */
    TLV_BAD_LENGTH, /* indefinite, not the shortest form, or over 65,535 */
    TLV_TOO_DEEP,
};

#define TLV_DEPTH_MAX 8u /* templates within templates that tlv_check() follows */

struct tlv_reader {
    const uint8_t *bytes;
    uint64_t len;
    uint64_t at;
};

struct tlv_object {
    uint32_t tag;         /* the tag's bytes as a big-endian number: 0x9F26, 0x5A */
    uint32_t constructed; /* 1: the value is itself a sequence of objects */
    const uint8_t *value; /* inside the reader's bytes */
    uint64_t len;
};

static inline struct tlv_reader tlv_reader(const uint8_t *bytes, uint64_t len)
{
    return (struct tlv_reader){ bytes, len, 0 };
}

/* The next object on this level. After anything but TLV_OK the reader must not be used again. */
enum tlv_result tlv_next(struct tlv_reader *in, struct tlv_object *object);

/* TLV_OK when all of it is well formed, templates included, to `depth` levels (1: no template may
 * hold objects; at most TLV_DEPTH_MAX). */
enum tlv_result tlv_check(const uint8_t *bytes, uint64_t len, unsigned depth);

/* The first object with this tag on the top level: TLV_OK, or TLV_END when there is none. */
enum tlv_result tlv_find(const uint8_t *bytes, uint64_t len, uint32_t tag,
                         struct tlv_object *object);

/* Appends one object; latches out->overflow when it does not fit, when the tag is not one, or when
 * len is over 65,535. */
void tlv_put(struct rg_buffer *out, uint32_t tag, const void *value, uint64_t len);

#endif
