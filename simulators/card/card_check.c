/* card_check.c - what the issuer looks at before it says yes: expiry, CVV2, PIN, chip. */
#include "host_int.h"

#include <time.h>

struct view card_pan_of(const struct iso_msg *m)
{
    if (iso_msg_has(m, 2))
        return iso_msg_get(m, 2);
    struct view track = iso_msg_get(m, 35);
    struct view pan = view_slice(track, 0, view_find(track, '='));
    return pan.len <= CARD_PAN_MAX ? pan : VIEW_EMPTY;
}

static unsigned two_digits(struct view v, size_t at)
{
    return (unsigned)(v.ptr[at] - '0') * 10 + (unsigned)(v.ptr[at + 1] - '0');
}

/* DE14, or the four digits behind the separator of track 2; a card is good to the end of the month.
 */
bool card_check_expiry(const struct card_call *c)
{
    struct view expiry = iso_msg_get(c->req, 14);
    if (expiry.len == 0) {
        struct view track = iso_msg_get(c->req, 35);
        expiry = view_slice(track, view_find(track, '=') + 1, 4);
    }
    if (expiry.len != 4 || !view_is_digits(expiry))
        return true; /* not given */
    unsigned month = two_digits(expiry, 2);
    if (month < 1 || month > 12)
        return false;
    time_t seconds = (time_t)((c->now_us + c->h->config.wall_offset_us) / 1000000);
    struct tm now;
    if (gmtime_r(&seconds, &now) == NULL)
        return true;
    return (2000 + (int)two_digits(expiry, 0)) * 12 + (int)month >=
           (1900 + now.tm_year) * 12 + now.tm_mon + 1;
}

/* DE48: subfields of tag (2 digits), length (2 digits), value; 92 is the CVV2. */
const char *card_check_cvv2(const struct card_call *c, const struct card_account *a)
{
    struct cursor in = cursor_over(iso_msg_get(c->req, 48));
    while (cursor_left(&in) > 0) {
        struct view head, value;
        if (cursor_take(&in, 4, &head) != STATUS_OK || !view_is_digits(head) ||
            cursor_take(&in, two_digits(head, 2), &value) != STATUS_OK)
            return "30";
        if (two_digits(head, 0) == 92 && !view_is(value, a->cvv2))
            return "82";
    }
    return "";
}

/* ISO 9564 format 0: 0, length, PIN, F...; xor 0000 and the twelve rightmost digits of the card
 * number without its check digit. */
const char *card_check_pin(const struct card_call *c, struct card_account *a)
{
    struct view block = iso_msg_get(c->req, 52);
    uint8_t clear[TDES_BLOCK], digits[14];
    if (block.len == 0)
        return "";
    if (a->pin_wrong >= CARD_PIN_TRIES)
        return "75";
    size_t pan_len = strlen(a->pan);
    ENSURE(pan_len >= 13);
    const char *twelve = a->pan + pan_len - 13;
    tdes_decrypt(&c->h->pin, block.ptr, clear);
    for (size_t i = 0; i < 6; i++)
        clear[2 + i] ^= (uint8_t)((twelve[2 * i] - '0') << 4 | (twelve[2 * i + 1] - '0'));
    for (size_t i = 0; i < sizeof digits; i++)
        digits[i] = i % 2 == 0 ? clear[1 + i / 2] >> 4 : clear[1 + i / 2] & 0x0f;
    size_t len = clear[0] & 0x0f;
    if (clear[0] >> 4 != 0 || len < 4 || len > 12)
        return "86"; /* no PIN block of this format under this key */
    for (size_t i = 0; i < sizeof digits; i++) {
        if (i < len ? digits[i] > 9 : digits[i] != 0x0f)
            return "86";
        digits[i] = (uint8_t)('0' + digits[i]);
    }
    if (view_is(view_of(digits, len), a->pin)) {
        a->pin_wrong = 0;
        return "";
    }
    return ++a->pin_wrong >= CARD_PIN_TRIES ? "75" : "55";
}

const char *card_check_chip(const struct card_call *c, struct card_account *a, struct tdes_key *mk,
                            struct emv_data *chip)
{
    struct view de55 = iso_msg_get(c->req, 55);
    struct view sequence = iso_msg_get(c->req, 23);
    unsigned psn = 0;
    *chip = (struct emv_data){ 0 };
    if (de55.len == 0)
        return "";
    if (emv_read(de55, chip) != STATUS_OK)
        return "30";
    if (chip->psn.len == 1)
        psn = (unsigned)(chip->psn.ptr[0] >> 4) * 10 + (chip->psn.ptr[0] & 0x0fu);
    else if (sequence.len == 3)
        psn = two_digits(sequence, 1);
    if (psn > 99)
        return "30";
    emv_master_key(&c->h->imk, view_text(a->pan), psn, mk);
    switch (emv_verify(mk, chip)) {
    case EMV_GOOD: break;
    case EMV_WRONG_ARQC: *chip = (struct emv_data){ 0 }; return "82";
    case EMV_NOT_AN_ARQC: *chip = (struct emv_data){ 0 }; return "05";
    case EMV_INCOMPLETE:
    case EMV_UNKNOWN_CVN: *chip = (struct emv_data){ 0 }; return "88";
    }
    if (c->h->knobs.settings.atc_check && !card_account_take_atc(a, emv_atc(chip)))
        return "59"; /* a cryptogram that was used before */
    return "";
}
