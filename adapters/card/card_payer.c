/* SPDX-License-Identifier: Apache-2.0
 *
 * card_payer.c - the payer's card in a request: DE2, 14, 22, 23, 35, 48 (CVV2), 52, 55.
 *
 * Details by name (all ASCII text): entry, pan, expiry, cvv, track2, psn, emv, pin_block. Others
 * are for other people and are left alone.
 *
 * The same fact may come in several ways: the card number by itself and in track 2, the amount in
 * the command and in the EMV data that the card has signed. They must agree. A message in which the
 * issuer checks one amount and books another is refused here, before it exists.
 *
 * DE55 carries what the issuer needs to check the card's cryptogram and nothing that repeats the
 * card number, the tracks or the PIN: terminals hand over everything they have, so those tags are
 * taken out and not refused.
 */
#include "card_int.h"
#include "kits/hex.h"
#include "kits/tlv.h"

#include <string.h>

enum entry_needs {
    NEEDS_NUMBER = 1, /* card number and expiry */
    NEEDS_TRACK2,
    NEEDS_EMV, /* and a card number, from wherever */
};

struct entry_mode {
    const char *word;
    const char *code; /* first two digits of DE22 */
    uint32_t needs;   /* enum entry_needs */
};

static const struct entry_mode entry_modes[] = {
    { "manual", "01", NEEDS_NUMBER },   { "stripe", "90", NEEDS_TRACK2 },
    { "chip", "05", NEEDS_EMV },        { "contactless", "07", NEEDS_EMV },
    { "fallback", "80", NEEDS_TRACK2 },
};

/* Tags that never leave in DE55: track 1 (56), track 2 (57, 9F6B), card number (5A), cardholder
 * name (5F20), expiry (5F24), CVM list (8E), PIN data (99), discretionary data of the tracks (9F1F,
 * 9F20). */
static const uint32_t kept_back[] = { 0x56, 0x57, 0x5A,   0x5F20, 0x5F24,
                                      0x8E, 0x99, 0x9F1F, 0x9F20, 0x9F6B };

#define EMV_GIVEN_MAX 512u
#define TRACK2_MAX    37u
#define TAG_AMOUNT    0x9F02u
#define TAG_CURRENCY  0x5F2Au

static struct rg_bytes detail(const struct rg_command *command, const char *name)
{
    const struct rg_named *row = rg_find(command->details, command->details_count, name);
    return row != NULL ? row->value : (struct rg_bytes){ 0 };
}

static uint32_t all_digits(struct rg_bytes text)
{
    for (uint64_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return 0;
    return text.len > 0;
}

static uint32_t is_expiry(struct rg_bytes text)
{
    if (text.len != 4 || all_digits(text) == 0)
        return 0;
    unsigned month = (unsigned)(text.ptr[2] - '0') * 10 + (unsigned)(text.ptr[3] - '0');
    return month >= 1 && month <= 12;
}

/* Copies into a text of x->self, or compares when there is one already. */
static uint32_t agree(char *room, struct rg_bytes text)
{
    if (room[0] != '\0')
        return strlen(room) == text.len && memcmp(room, text.ptr, text.len) == 0;
    memcpy(room, text.ptr, text.len);
    room[text.len] = '\0';
    return 1;
}

static const char *put_number(struct card_exchange *x, const struct rg_command *command)
{
    struct rg_bytes pan = detail(command, "pan");
    struct rg_bytes expiry = detail(command, "expiry");
    if (pan.len > 0) {
        if (pan.len < 12 || pan.len > 19 || all_digits(pan) == 0)
            return "the card number is not 12 to 19 digits";
        (void)agree(x->self.pan, pan);
    }
    if (expiry.len > 0) {
        if (is_expiry(expiry) == 0)
            return "the expiry is not YYMM";
        (void)agree(x->self.expiry, expiry);
    }
    return NULL;
}

static const char *read_track2(struct card_exchange *x, struct rg_bytes given,
                               uint8_t track[TRACK2_MAX])
{
    /* A chip pads its track 2 equivalent with F to whole bytes. */
    if (given.ptr[given.len - 1] == 'F' || given.ptr[given.len - 1] == 'f')
        given.len--;
    if (given.len > TRACK2_MAX)
        return "track 2 is longer than 37 characters";
    uint64_t separator = given.len;
    for (uint64_t i = 0; i < given.len; i++) {
        uint8_t c = given.ptr[i];
        track[i] = c == 'D' || c == 'd' ? '=' : c;
        if (track[i] == '=' && separator == given.len)
            separator = i;
        else if (c < '0' || c > '9')
            return "track 2 has a character that is not allowed";
    }
    if (separator < 12 || separator > 19 || given.len < separator + 8)
        return "track 2 is not number, separator, expiry and service code";
    struct rg_bytes expiry = { track + separator + 1, 4 };
    if (is_expiry(expiry) == 0)
        return "the expiry in track 2 is not YYMM";
    if (!agree(x->self.pan, (struct rg_bytes){ track, separator }))
        return "the card number is not the one in track 2";
    if (!agree(x->self.expiry, expiry))
        return "the expiry is not the one in track 2";
    iso_set(&x->iso, 35, track, given.len);
    return NULL;
}

static const char *put_track2(struct card_exchange *x, const struct rg_command *command)
{
    struct rg_bytes given = detail(command, "track2");
    uint8_t track[TRACK2_MAX];
    if (given.len == 0)
        return NULL;
    const char *fault = read_track2(x, given, track);
    card_wipe(track, sizeof track);
    return fault;
}

static const char *put_psn(struct card_exchange *x, const struct rg_command *command)
{
    struct rg_bytes psn = detail(command, "psn");
    if (psn.len == 0)
        return NULL;
    if (psn.len < 2 || psn.len > 3 || all_digits(psn) == 0)
        return "the card sequence number is not 2 or 3 digits";
    iso_set(&x->iso, 23, psn.ptr, psn.len);
    return NULL;
}

static const char *put_cvv(struct card_exchange *x, const struct rg_command *command)
{
    struct rg_bytes cvv = detail(command, "cvv");
    uint8_t subfield[8] = { '9', '2', '0' };
    if (cvv.len == 0)
        return NULL;
    if (cvv.len < 3 || cvv.len > 4 || all_digits(cvv) == 0)
        return "the CVV is not 3 or 4 digits";
    subfield[3] = (uint8_t)('0' + cvv.len);
    memcpy(subfield + 4, cvv.ptr, cvv.len);
    iso_set(&x->iso, 48, subfield, 4 + cvv.len);
    card_wipe(subfield, sizeof subfield);
    return NULL;
}

static const char *put_pin_block(struct card_exchange *x, const struct rg_command *command)
{
    struct rg_bytes text = detail(command, "pin_block");
    uint8_t block[8];
    if (text.len == 0)
        return NULL;
    uint32_t good = text.len == 16 && hex_read(text.ptr, text.len, block, sizeof block);
    if (good != 0)
        iso_set(&x->iso, 52, block, sizeof block);
    card_wipe(block, sizeof block);
    return good != 0 ? NULL : "the PIN block is not 16 hexadecimal digits";
}

/* Binary-coded decimal equals a number. */
static uint32_t bcd_is(const struct tlv_object *object, uint64_t len, uint64_t number)
{
    if (object->len != len)
        return 0;
    for (uint64_t i = len; i > 0; i--) {
        uint8_t pair = object->value[i - 1];
        if (pair != ((number / 10 % 10) << 4 | number % 10))
            return 0;
        number /= 100;
    }
    return number == 0;
}

static const char *filter_emv(const struct rg_command *command, struct tlv_reader in,
                              struct rg_buffer *out)
{
    struct tlv_object object;
    enum tlv_result result;
    while ((result = tlv_next(&in, &object)) == TLV_OK) {
        uint32_t keep = 1;
        /* A template could hide what must not leave. */
        if (object.constructed != 0)
            return "the EMV data hold a template";
        if (object.tag == TAG_AMOUNT && !bcd_is(&object, 6, (uint64_t)command->amount_minor))
            return "the amount in the EMV data (9F02) is not the amount of the payment";
        if (object.tag == TAG_CURRENCY && !bcd_is(&object, 2, command->currency_number))
            return "the currency in the EMV data (5F2A) is not the currency of the payment";
        for (unsigned i = 0; i < sizeof kept_back / sizeof kept_back[0]; i++)
            if (object.tag == kept_back[i])
                keep = 0;
        if (keep != 0)
            tlv_put(out, object.tag, object.value, object.len);
    }
    if (result != TLV_END)
        return "the EMV data are not BER-TLV";
    if (out->overflow != 0)
        return "the EMV data are longer than 255 bytes";
    return out->len == 0 ? "the EMV data are empty" : NULL;
}

static const char *put_emv(struct card_exchange *x, const struct rg_command *command)
{
    struct rg_bytes text = detail(command, "emv");
    uint8_t given[EMV_GIVEN_MAX];
    uint8_t kept[CARD_EMV_MAX];
    const char *fault = "the EMV data are not hexadecimal";
    if (text.len == 0)
        return NULL;
    if (hex_read(text.ptr, text.len, given, sizeof given)) {
        struct rg_buffer out = { kept, sizeof kept, 0, 0, 0 };
        fault = filter_emv(command, tlv_reader(given, text.len / 2), &out);
        if (fault == NULL)
            iso_set(&x->iso, 55, kept, out.len);
    }
    card_wipe(given, sizeof given);
    return fault;
}

static const char *put_entry(const struct card_instance *card, struct card_exchange *x,
                             const struct rg_command *command)
{
    struct rg_bytes word = detail(command, "entry");
    const struct entry_mode *mode = NULL;
    for (unsigned i = 0; i < sizeof entry_modes / sizeof entry_modes[0]; i++)
        if (strlen(entry_modes[i].word) == word.len &&
            memcmp(entry_modes[i].word, word.ptr, word.len) == 0)
            mode = &entry_modes[i];
    if (mode == NULL)
        return "the entry mode is not manual, stripe, chip, contactless or fallback";
    if (x->self.pan[0] == '\0')
        return "there is no card number";
    if (mode->needs == NEEDS_NUMBER && x->self.expiry[0] == '\0')
        return "manual entry needs the expiry";
    if (mode->needs == NEEDS_TRACK2 && iso_get(&x->iso, 35).ptr == NULL)
        return "this entry mode needs track 2";
    if (mode->needs == NEEDS_EMV && iso_get(&x->iso, 55).ptr == NULL)
        return "this entry mode needs EMV data";
    if (mode->needs != NEEDS_EMV && iso_get(&x->iso, 55).ptr != NULL)
        return "this entry mode has no EMV data";
    memcpy(x->self.entry, mode->code, 2);
    x->self.entry[2] = (char)card->pin_digit;
    x->self.entry[3] = '\0';
    return NULL;
}

const char *card_put_payer(const struct card_instance *card, struct card_exchange *x,
                           const struct rg_command *command)
{
    static const char *(*const steps[])(struct card_exchange *, const struct rg_command *) = {
        put_number, put_track2, put_psn, put_cvv, put_pin_block, put_emv,
    };
    for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        const char *fault = steps[i](x, command);
        if (fault != NULL)
            return fault;
    }
    return put_entry(card, x, command);
}
