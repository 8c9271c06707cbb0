/* iso_frame.c - see iso_frame.h. */
#include "iso_frame.h"

enum status iso_frame_next(enum iso_framing framing, struct view stream, struct view *payload,
                           struct view *tpdu, size_t *used)
{
    size_t header = framing == FRAMING_ASCII4 ? 4 : 2;
    size_t skip = framing == FRAMING_LEN2_TPDU ? ISO_TPDU_SIZE : 0;
    size_t len = 0;
    if (stream.len < header)
        return STATUS_SHORT;
    for (size_t i = 0; i < header; i++) {
        if (framing == FRAMING_ASCII4 && (stream.ptr[i] < '0' || stream.ptr[i] > '9'))
            return STATUS_MALFORMED;
        len = framing == FRAMING_ASCII4 ? len * 10 + (size_t)(stream.ptr[i] - '0')
                                        : len << 8 | stream.ptr[i];
    }
    if (len < ISO_FRAME_MIN || len > ISO_FRAME_MAX)
        return STATUS_MALFORMED;
    if (skip > 0 && stream.len > header && stream.ptr[header] != 0x60)
        return STATUS_MALFORMED;
    if (stream.len < header + len)
        return STATUS_SHORT;
    *tpdu = view_slice(stream, header, skip);
    *payload = view_slice(stream, header + skip, len - skip);
    *used = header + len;
    return STATUS_OK;
}

void iso_frame_header(enum iso_framing framing, size_t payload_len, struct view tpdu,
                      struct writer *w)
{
    if (framing == FRAMING_ASCII4) {
        writer_u64_padded(w, payload_len, 4);
        return;
    }
    bool with_tpdu = framing == FRAMING_LEN2_TPDU;
    writer_u16_be(w, (uint16_t)(payload_len + (with_tpdu ? ISO_TPDU_SIZE : 0)));
    if (!with_tpdu)
        return;
    uint8_t back[ISO_TPDU_SIZE] = { 0x60, 0, 0, 0, 0 };
    if (tpdu.len == ISO_TPDU_SIZE) {
        memcpy(back + 1, tpdu.ptr + 3, 2);
        memcpy(back + 3, tpdu.ptr + 1, 2);
    }
    writer_bytes(w, back, sizeof back);
}

enum status iso_framing_parse(struct view text, enum iso_framing *out)
{
    static const char *const NAMES[] = {
        [FRAMING_LEN2] = "len2", [FRAMING_LEN2_TPDU] = "len2_tpdu", [FRAMING_ASCII4] = "ascii4"
    };
    for (unsigned i = FRAMING_LEN2; i <= FRAMING_ASCII4; i++) {
        if (view_is(text, NAMES[i])) {
            *out = (enum iso_framing)i;
            return STATUS_OK;
        }
    }
    return STATUS_NOT_FOUND;
}
