/* emv.c - see emv.h. The elements and their order are those of docs/rails/card-simulator.md; the
 * numbers that prove them are in tests/unit/sim_card/test_emv.c. */
#include "emv.h"

#include "base/ensure.h"

/* Every element the host looks at: tag, member, shortest and longest length. */
#define ELEMENTS(X)                                                                                \
    X(0x9f26, arqc, 8, 8)                                                                          \
    X(0x9f27, cid, 1, 1)                                                                           \
    X(0x9f10, iad, 7, 32)                                                                          \
    X(0x9f37, un, 4, 4)                                                                            \
    X(0x9f36, atc, 2, 2)                                                                           \
    X(0x95, tvr, 5, 5)                                                                             \
    X(0x9a, date, 3, 3)                                                                            \
    X(0x9c, type, 1, 1)                                                                            \
    X(0x9f02, amount, 6, 6)                                                                        \
    X(0x9f03, other, 6, 6)                                                                         \
    X(0x5f2a, currency, 2, 2)                                                                      \
    X(0x82, aip, 2, 2)                                                                             \
    X(0x9f1a, country, 2, 2)                                                                       \
    X(0x5f34, psn, 1, 1)

enum { CVN10 = 0x0a, CVN18 = 0x12, IAD_CVN_AT = 2, IAD_CVR_AT = 3, IAD_CVR_LEN = 4 };

static enum status take_tag(struct cursor *in, uint32_t *tag)
{
    uint8_t byte;
    TRY(cursor_u8(in, &byte));
    *tag = byte;
    if ((byte & 0x1f) != 0x1f)
        return STATUS_OK;
    for (unsigned more = 0; more < 3; more++) {
        TRY(cursor_u8(in, &byte));
        *tag = *tag << 8 | byte;
        if (!(byte & 0x80))
            return STATUS_OK;
    }
    return STATUS_MALFORMED;
}

static enum status take_length(struct cursor *in, size_t *len)
{
    uint8_t byte;
    TRY(cursor_u8(in, &byte));
    *len = byte;
    if (byte < 0x80)
        return STATUS_OK;
    if (byte != 0x81 && byte != 0x82)
        return STATUS_MALFORMED;
    *len = 0;
    for (unsigned n = byte & 0x0f; n > 0; n--) {
        uint8_t part;
        TRY(cursor_u8(in, &part));
        *len = *len << 8 | part;
    }
    return STATUS_OK;
}

static enum status keep(struct emv_data *out, uint32_t tag, struct view value)
{
    switch (tag) {
#define X(t, member, min, max)                                                                     \
    case t:                                                                                        \
        if (value.len < (min) || value.len > (max))                                                \
            return STATUS_RANGE;                                                                   \
        if (out->member.len > 0)                                                                   \
            return STATUS_EXISTS;                                                                  \
        out->member = value;                                                                       \
        return STATUS_OK;
        ELEMENTS(X)
#undef X
    default: return STATUS_OK; /* of no interest */
    }
}

enum status emv_read(struct view tlv, struct emv_data *out)
{
    struct cursor in = cursor_over(tlv);
    *out = (struct emv_data){ 0 };
    while (cursor_left(&in) > 0) {
        uint32_t tag;
        size_t len;
        struct view value;
        uint8_t next = in.ptr[in.taken];
        if (next == 0x00 || next == 0xff) { /* filler between objects */
            in.taken++;
            continue;
        }
        TRY(take_tag(&in, &tag));
        TRY(take_length(&in, &len));
        TRY(cursor_take(&in, len, &value));
        TRY(keep(out, tag, value));
    }
    return STATUS_OK;
}

uint16_t emv_atc(const struct emv_data *data)
{
    ENSURE(data->atc.len == 2);
    return (uint16_t)(data->atc.ptr[0] << 8 | data->atc.ptr[1]);
}

void emv_master_key(const struct tdes_key *imk, struct view pan, unsigned psn, struct tdes_key *out)
{
    ENSURE(psn <= 99 && pan.len <= 19);
    uint8_t digits[21] = { 0 };
    uint8_t y[8] = { 0 }, raw[16];
    for (size_t i = 0; i < pan.len; i++)
        digits[i] = (uint8_t)(pan.ptr[i] - '0');
    digits[pan.len] = (uint8_t)(psn / 10);
    digits[pan.len + 1] = (uint8_t)(psn % 10);
    size_t count = pan.len + 2;
    /* The rightmost 16 digits, zeros in front when there are fewer. */
    for (size_t i = 0; i < 16 && i < count; i++) {
        uint8_t digit = digits[count - 1 - i];
        y[7 - i / 2] |= (uint8_t)(i % 2 == 0 ? digit : digit << 4);
    }
    tdes_encrypt(imk, y, raw);
    for (size_t i = 0; i < 8; i++)
        y[i] ^= 0xff;
    tdes_encrypt(imk, y, raw + 8);
    tdes_odd_parity(raw, sizeof raw);
    tdes_key_set(out, raw);
}

void emv_session_key(const struct tdes_key *mk, const uint8_t atc[2], struct tdes_key *out)
{
    uint8_t left[8] = { atc[0], atc[1], 0xf0 }, right[8] = { atc[0], atc[1], 0x0f };
    uint8_t raw[16];
    tdes_encrypt(mk, left, raw);
    tdes_encrypt(mk, right, raw + 8);
    tdes_odd_parity(raw, sizeof raw);
    tdes_key_set(out, raw);
}

enum emv_verdict emv_arqc(const struct tdes_key *mk, const struct emv_data *d, uint8_t out[8])
{
    const struct view parts[] = { d->amount, d->other, d->country, d->tvr, d->currency,
                                  d->date,   d->type,  d->un,      d->aip, d->atc };
    uint8_t bytes[96];
    struct writer w = writer_over(bytes, sizeof bytes);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (parts[i].len == 0)
            return EMV_INCOMPLETE;
        writer_view(&w, parts[i]);
    }
    if (d->iad.len == 0)
        return EMV_INCOMPLETE;
    switch (d->iad.ptr[IAD_CVN_AT]) {
    case CVN10:
        writer_view(&w, view_slice(d->iad, IAD_CVR_AT, IAD_CVR_LEN));
        tdes_retail_mac(mk, MAC_PADDING_ZEROS, writer_done(&w), out);
        return EMV_GOOD;
    case CVN18: {
        struct tdes_key sk;
        emv_session_key(mk, d->atc.ptr, &sk);
        writer_view(&w, d->iad);
        tdes_retail_mac(&sk, MAC_PADDING_BIT, writer_done(&w), out);
        return EMV_GOOD;
    }
    default: return EMV_UNKNOWN_CVN;
    }
}

enum emv_verdict emv_verify(const struct tdes_key *mk, const struct emv_data *d)
{
    uint8_t expected[8];
    if (d->arqc.len == 0)
        return EMV_INCOMPLETE;
    if (d->cid.len == 1 && (d->cid.ptr[0] & 0xc0) != 0x80)
        return EMV_NOT_AN_ARQC;
    enum emv_verdict verdict = emv_arqc(mk, d, expected);
    if (verdict != EMV_GOOD)
        return verdict;
    return memcmp(expected, d->arqc.ptr, 8) == 0 ? EMV_GOOD : EMV_WRONG_ARQC;
}

void emv_arpc_1(const struct tdes_key *mk, struct view arqc, const uint8_t arc[2], uint8_t out[8])
{
    ENSURE(arqc.len == 8);
    uint8_t block[8];
    memcpy(block, arqc.ptr, 8);
    block[0] ^= arc[0];
    block[1] ^= arc[1];
    tdes_encrypt(mk, block, out);
}

void emv_arpc_2(const struct tdes_key *sk, struct view arqc, struct view csu, uint8_t out[4])
{
    ENSURE(arqc.len == 8 && csu.len == 4);
    uint8_t data[12], mac[8];
    memcpy(data, arqc.ptr, 8);
    memcpy(data + 8, csu.ptr, 4);
    tdes_retail_mac(sk, MAC_PADDING_BIT, view_of(data, sizeof data), mac);
    memcpy(out, mac, 4);
}

size_t emv_issuer_data(const struct tdes_key *mk, const struct emv_data *d,
                       const char arc[static 2], uint8_t out[EMV_ISSUER_DATA_MAX])
{
    ENSURE(d->iad.len >= 7 && d->atc.len == 2);
    if (d->iad.ptr[IAD_CVN_AT] == CVN10) {
        emv_arpc_1(mk, d->arqc, (const uint8_t *)arc, out);
        memcpy(out + 8, arc, 2);
        return 10;
    }
    /* CSU byte 2, bit 8: the issuer approves. */
    bool approved = arc[0] == '0' && arc[1] == '0';
    uint8_t csu[4] = { 0, approved ? 0x80 : 0x00, 0, 0 };
    struct tdes_key sk;
    emv_session_key(mk, d->atc.ptr, &sk);
    emv_arpc_2(&sk, d->arqc, view_of(csu, 4), out);
    memcpy(out + 4, csu, 4);
    return 8;
}
