/* SPDX-License-Identifier: Apache-2.0
 *
 * tlv.c - EMV BER-TLV, see tlv.h.
 *
 * tlv_check() walks templates with a stack of end offsets instead of recursion, so its depth is a
 * loop bound and not a promise about the caller's stack.
 */
#include "kits/tlv.h"

#include <railgate/writer.h>

#define TAG_BYTES_MAX 4u
#define LENGTH_MAX    65535u

static enum tlv_result take_tag(struct tlv_reader *in, struct tlv_object *object)
{
    uint8_t first = in->bytes[in->at++];
    object->tag = first;
    object->constructed = (first & 0x20u) != 0;
    if ((first & 0x1Fu) != 0x1Fu)
        return TLV_OK;
    for (unsigned taken = 1;; taken++) {
        if (in->at >= in->len)
            return TLV_TRUNCATED;
        if (taken >= TAG_BYTES_MAX)
            return TLV_BAD_TAG;
        uint8_t next = in->bytes[in->at++];
        if (taken == 1 && next == 0x80u)
            return TLV_BAD_TAG;
        object->tag = object->tag << 8 | next;
        if ((next & 0x80u) == 0)
            return TLV_OK;
    }
}

static enum tlv_result take_length(struct tlv_reader *in, uint64_t *len)
{
    if (in->at >= in->len)
        return TLV_TRUNCATED;
    uint8_t first = in->bytes[in->at++];
    *len = first;
    if (first < 0x80u)
        return TLV_OK;
    unsigned count = first & 0x7Fu;
    if (count < 1 || count > 2)
        return TLV_BAD_LENGTH;
    if (in->len - in->at < count)
        return TLV_TRUNCATED;
    *len = 0;
    for (unsigned i = 0; i < count; i++)
        *len = *len << 8 | in->bytes[in->at++];
    /* One spelling for one length: a second one would let two readers disagree. */
    return *len < (count == 1 ? 0x80u : 0x100u) ? TLV_BAD_LENGTH : TLV_OK;
}

enum tlv_result tlv_next(struct tlv_reader *in, struct tlv_object *object)
{
    *object = (struct tlv_object){ 0 };
    while (in->at < in->len && in->bytes[in->at] == 0)
        in->at++;
    if (in->at >= in->len)
        return TLV_END;
    enum tlv_result result = take_tag(in, object);
    if (result != TLV_OK)
        return result;
    uint64_t len = 0;
    result = take_length(in, &len);
    if (result != TLV_OK)
        return result;
    if (len > in->len - in->at)
        return TLV_TRUNCATED;
    object->value = in->bytes + in->at;
    object->len = len;
    in->at += len;
    return TLV_OK;
}

enum tlv_result tlv_check(const uint8_t *bytes, uint64_t len, unsigned depth)
{
    struct tlv_reader levels[TLV_DEPTH_MAX];
    unsigned level = 0;
    if (depth < 1 || depth > TLV_DEPTH_MAX)
        return TLV_TOO_DEEP;
    levels[0] = tlv_reader(bytes, len);
    for (;;) {
        struct tlv_object object;
        enum tlv_result result = tlv_next(&levels[level], &object);
        if (result == TLV_END) {
            if (level == 0)
                return TLV_OK;
            level--;
            continue;
        }
        if (result != TLV_OK)
            return result;
        if (object.constructed == 0 || object.len == 0)
            continue;
        if (level + 1 >= depth)
            return TLV_TOO_DEEP;
        levels[++level] = tlv_reader(object.value, object.len);
    }
}

enum tlv_result tlv_find(const uint8_t *bytes, uint64_t len, uint32_t tag,
                         struct tlv_object *object)
{
    struct tlv_reader in = tlv_reader(bytes, len);
    enum tlv_result result;
    while ((result = tlv_next(&in, object)) == TLV_OK)
        if (object->tag == tag)
            return TLV_OK;
    return result;
}

void tlv_put(struct rg_buffer *out, uint32_t tag, const void *value, uint64_t len)
{
    uint8_t head[TAG_BYTES_MAX + 3];
    unsigned at = 0;
    for (int shift = 24; shift >= 0; shift -= 8)
        if (at > 0 || (tag >> shift & 0xFFu) != 0)
            head[at++] = (uint8_t)(tag >> shift);
    if (at == 0 || len > LENGTH_MAX) {
        out->overflow = 1;
        return;
    }
    /* Read the tag back: only what tlv_next() accepts may be written. */
    struct tlv_reader back = tlv_reader(head, at);
    struct tlv_object object;
    if (take_tag(&back, &object) != TLV_OK || back.at != at) {
        out->overflow = 1;
        return;
    }
    if (len >= 0x100u) {
        head[at++] = 0x82u;
        head[at++] = (uint8_t)(len >> 8);
    } else if (len >= 0x80u) {
        head[at++] = 0x81u;
    }
    head[at++] = (uint8_t)len;
    rg_put(out, head, at);
    rg_put(out, value, len);
}
