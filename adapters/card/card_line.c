/* SPDX-License-Identifier: Apache-2.0
 *
 * card_line.c - where a message ends, whom it answers, and what a card host sends unasked.
 *
 * frame() unpacks the message to find its correlation key (MTI, DE11, DE41). A message that cannot
 * be unpacked to its end but whose DE11 and DE41 were read is still handed to its exchange, which
 * fails at once instead of waiting for a time-out. Only the framing itself can break a
 * stream: a bad message between two good lengths does no harm to those behind it.
 *
 * notice() serves 0800 and 0820: the host's own echo, sign-on, sign-off and its wish for a new key.
 * None of them moves money; each is acknowledged, and the refs row "link" tells the gateway which
 * it was. They carry no MAC, so a key itself is never taken from one.
 */
#include "card_int.h"

#include <string.h>

#define PAYLOAD_MIN 12u

static uint64_t header_len(const struct card_instance *card)
{
    switch (card->framing) {
    case FRAMING_LEN2: return 2;
    case FRAMING_LEN2_TPDU: return 2 + CARD_TPDU_LEN;
    default: return 4;
    }
}

void card_put_header(const struct card_instance *card, const uint8_t *tpdu, uint64_t len,
                     struct rg_buffer *out)
{
    if (card->framing == FRAMING_ASCII4) {
        rg_put_digits(out, len, 4);
        return;
    }
    uint64_t total = len + (card->framing == FRAMING_LEN2_TPDU ? CARD_TPDU_LEN : 0);
    rg_put_u8(out, (uint8_t)(total >> 8));
    rg_put_u8(out, (uint8_t)total);
    if (card->framing == FRAMING_LEN2_TPDU)
        rg_put(out, tpdu, CARD_TPDU_LEN);
}

/* Bytes after the length, or 0 when the length is not one. frame has the whole header. */
static uint64_t announced(const struct card_instance *card, const uint8_t *frame)
{
    uint64_t len = 0;
    if (card->framing != FRAMING_ASCII4)
        return (uint64_t)frame[0] << 8 | frame[1];
    for (unsigned i = 0; i < 4; i++) {
        if (frame[i] < '0' || frame[i] > '9')
            return 0;
        len = len * 10 + (uint64_t)(frame[i] - '0');
    }
    return len;
}

/* RG_FRAME_...; *total is then known unless it is NEED of the header itself (0). */
static uint32_t measure(const struct card_instance *card, struct rg_bytes bytes, uint64_t *total)
{
    uint64_t header = header_len(card);
    uint64_t length_len = card->framing == FRAMING_ASCII4 ? 4 : 2;
    *total = 0;
    if (bytes.len < length_len)
        return RG_FRAME_NEED;
    uint64_t after = announced(card, bytes.ptr);
    uint64_t tpdu = header - length_len;
    if (after < PAYLOAD_MIN + tpdu || after > ISO_MESSAGE_MAX + tpdu)
        return RG_FRAME_BROKEN;
    if (tpdu != 0 && bytes.len > length_len && bytes.ptr[length_len] != card->tpdu[0])
        return RG_FRAME_BROKEN;
    *total = length_len + after;
    return bytes.len < *total ? RG_FRAME_NEED : RG_FRAME_COMPLETE;
}

/* Ours, or ours with destination and source swapped. */
static uint32_t tpdu_is_ours(const struct card_instance *card, const uint8_t *tpdu)
{
    uint8_t swapped[CARD_TPDU_LEN] = { card->tpdu[0], card->tpdu[3], card->tpdu[4], card->tpdu[1],
                                       card->tpdu[2] };
    return memcmp(tpdu, card->tpdu, CARD_TPDU_LEN) == 0 ||
           memcmp(tpdu, swapped, CARD_TPDU_LEN) == 0;
}

struct rg_bytes card_frame_payload(const struct card_instance *card, struct rg_bytes frame)
{
    uint64_t total = 0;
    uint64_t header = header_len(card);
    if (measure(card, frame, &total) != RG_FRAME_COMPLETE || total != frame.len)
        return (struct rg_bytes){ 0 };
    if (card->framing == FRAMING_LEN2_TPDU && !tpdu_is_ours(card, frame.ptr + 2))
        return (struct rg_bytes){ 0 };
    return (struct rg_bytes){ frame.ptr + header, frame.len - header };
}

void card_put_correlation(struct rg_buffer *out, const char *answer_mti, struct rg_bytes stan,
                          struct rg_bytes terminal)
{
    rg_put(out, answer_mti, 4);
    rg_put_u8(out, ':');
    rg_put_bytes(out, stan);
    rg_put_u8(out, ':');
    rg_put_bytes(out, terminal);
}

uint32_t card_frame(const void *instance, const struct rg_bytes *bytes, struct rg_frame *out)
{
    const struct card_instance *card = instance;
    if (card->magic != CARD_INSTANCE_MAGIC)
        return RG_FRAME_BROKEN;
    uint32_t state = measure(card, *bytes, &out->length);
    if (state != RG_FRAME_COMPLETE)
        return state;
    out->kind = RG_FRAME_UNSOLICITED;
    struct rg_bytes payload =
        card_frame_payload(card, (struct rg_bytes){ bytes->ptr, out->length });
    if (payload.ptr == NULL)
        return RG_FRAME_COMPLETE; /* notice() says that it is not understood */
    struct iso_message m;
    (void)iso_unpack(&card->packaging, payload.ptr, payload.len, &m);
    struct rg_bytes stan = iso_get(&m, 11);
    struct rg_bytes terminal = iso_get(&m, 41);
    if ((m.mti[2] == '1' || m.mti[2] == '3') && stan.len > 0 && terminal.len > 0) {
        out->kind = RG_FRAME_REPLY;
        card_put_correlation(&out->correlation, m.mti, stan, terminal);
    }
    card_wipe(m.text, m.text_len); /* a host may echo what it should not */
    return RG_FRAME_COMPLETE;
}

struct link_word {
    uint64_t network_code;
    const char *word;
};

static const struct link_word link_words[] = {
    { 1, "sign_on" },
    { 2, "sign_off" },
    { 101, "key_change" },
    { 301, "echo" },
};

static const char *link_word_of(const struct iso_message *m)
{
    uint64_t code = 0;
    if (iso_get_number(m, 70, &code) == 0)
        return NULL;
    /* A key that somebody pushes without a MAC is refused; asking for a change is fine. */
    if (iso_get(m, 48).ptr != NULL)
        return NULL;
    for (unsigned i = 0; i < sizeof link_words / sizeof link_words[0]; i++)
        if (link_words[i].network_code == code)
            return link_words[i].word;
    return NULL;
}

uint32_t card_notice(const void *instance, const struct rg_notice *in, struct rg_notice_out *out)
{
    static const unsigned echoed[] = { 7, 11, 32, 41, 70 };
    const struct card_instance *card = instance;
    if (card->magic != CARD_INSTANCE_MAGIC)
        return RG_NOTICE_BROKEN;
    struct rg_bytes payload = card_frame_payload(card, in->bytes);
    struct iso_message m;
    if (payload.ptr == NULL || iso_unpack(&card->packaging, payload.ptr, payload.len, &m) != ISO_OK)
        return RG_NOTICE_BROKEN;
    uint32_t advice = memcmp(m.mti, "0820", 4) == 0;
    if (memcmp(m.mti, "0800", 4) != 0 && advice == 0)
        return RG_NOTICE_BROKEN;
    const char *word = link_word_of(&m);

    struct iso_message answer;
    iso_message_init(&answer, advice != 0 ? "0830" : "0810");
    for (unsigned i = 0; i < sizeof echoed / sizeof echoed[0]; i++) {
        struct rg_bytes value = iso_get(&m, echoed[i]);
        if (value.ptr != NULL)
            iso_set(&answer, echoed[i], value.ptr, value.len);
    }
    iso_set_text(&answer, 39, word != NULL ? "00" : "12");
    uint8_t packed[256];
    struct rg_buffer room = { packed, sizeof packed, 0, 0, 0 };
    if (iso_pack(&card->packaging, &answer, &room) != ISO_OK)
        return RG_NOTICE_BROKEN;
    uint8_t tpdu[CARD_TPDU_LEN] = { 0 };
    if (card->framing == FRAMING_LEN2_TPDU) {
        const uint8_t *came = in->bytes.ptr + 2;
        const uint8_t back[CARD_TPDU_LEN] = { came[0], came[3], came[4], came[1], came[2] };
        memcpy(tpdu, back, sizeof tpdu);
    }
    card_put_header(card, tpdu, room.len, &out->acknowledgement);
    rg_put(&out->acknowledgement, packed, room.len);
    if (word != NULL)
        rg_table_put_text(&out->refs, "link", word);
    out->outcome = 0;
    out->amount_minor = -1;
    if (out->acknowledgement.overflow != 0 || out->refs.text.overflow != 0)
        return RG_NOTICE_BROKEN;
    return RG_NOTICE_DONE;
}
