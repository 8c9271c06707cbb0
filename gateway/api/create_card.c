/* create_card.c - method.card: checked, handed to the adapter as named values, and described for
 * the answer without anything that must not be kept (first six and last four digits only, PCI
 * DSS 3.4.1). */
#include "api/api_int.h"

#include "base/ensure.h"
#include "domain/refs.h"

#define EMV_HEX_MAX 510 /* field 55: 255 bytes of TLV */

static const char *const card_fields[] = { "entry", "pan",       "expiry",
                                           "cvv",   "track2",    "psn",
                                           "emv",   "pin_block", "cardholder_name" };
static const char *const entries[] = { "manual", "stripe", "chip", "contactless", "fallback" };

struct card {
    struct view entry, pan, expiry, cvv, track2, psn, emv, pin_block, name;
};

static bool entry_is(const struct card *card, const char *word)
{
    return view_is(card->entry, word);
}

static void check_entry(struct fields *f, const struct json_node *node, const struct card *card)
{
    bool chip = entry_is(card, "chip") || entry_is(card, "contactless");
    if (entry_is(card, "manual") && card->pan.len == 0 && json_member(node, "pan") == NULL)
        field_missing(f, node, "pan", "With entry manual the card number");
    if (card->pan.len > 0 && card->expiry.len == 0 && json_member(node, "expiry") == NULL)
        field_missing(f, node, "expiry", "With pan the expiry (YYMM)");
    if ((entry_is(card, "stripe") || entry_is(card, "fallback")) &&
        json_member(node, "track2") == NULL)
        field_missing(f, node, "track2", "With entry stripe or fallback track 2");
    if (chip && json_member(node, "pan") == NULL && json_member(node, "track2") == NULL)
        field_missing(f, node, "pan", "With entry chip or contactless pan or track2");
    if (chip && json_member(node, "emv") == NULL)
        field_missing(f, node, "emv",
                      "With entry chip or contactless the EMV data (field 55, hexadecimal)");
}

/* Track 2 (ISO/IEC 7813): PAN, '=' or 'D', YYMM, service code, discretionary data; at most 37. */
static bool track2_pan(struct view track2, struct view *pan)
{
    for (size_t i = 0; i < track2.len; i++) {
        uint8_t c = track2.ptr[i];
        if (c == '=' || c == 'D' || c == 'd') {
            *pan = view_slice(track2, 0, i);
            struct view rest = view_slice(track2, i + 1, track2.len);
            return i >= 12 && i <= 19 && rest.len >= 7 && view_is_digits(rest);
        }
        if (c < '0' || c > '9')
            return false;
    }
    return false;
}

static void check_values(struct fields *f, const struct json_node *node, struct card *card)
{
    if (card->pan.len > 0 && !luhn_valid(card->pan))
        field_error(f, json_member(node, "pan"), "wrong_check_digit",
                    "The card number's check digit is wrong.");
    if (card->expiry.len == 4) {
        int month = (card->expiry.ptr[2] - '0') * 10 + (card->expiry.ptr[3] - '0');
        if (month < 1 || month > 12)
            field_error(f, json_member(node, "expiry"), "wrong_date",
                        "YYMM is expected, e.g. 2812.");
    }
    struct view pan = VIEW_EMPTY;
    if (card->track2.len > 0 && (!track2_pan(card->track2, &pan) || !luhn_valid(pan)))
        field_error(f, json_member(node, "track2"), "wrong_track2",
                    "Card number, '=' or 'D', YYMM, service code and further digits are expected.");
    else if (card->track2.len > 0 && card->pan.len > 0 && !view_equal(pan, card->pan))
        field_error(f, json_member(node, "pan"), "contradiction",
                    "pan is not the card number in track2.");
    else if (card->track2.len > 0)
        card->pan = pan;
    if (card->emv.len % 2 != 0)
        field_error(f, json_member(node, "emv"), "wrong_length",
                    "An even number of hexadecimal digits is expected.");
}

static void put(struct writer *details, const char *name, struct view value, uint32_t flags)
{
    if (value.len > 0)
        refs_put(details, view_text(name), value, flags);
}

void read_card(struct fields *f, const struct json_node *node, struct writer *details,
               struct json_out *facts)
{
    fields_known(f, node, card_fields, COUNT_OF(card_fields));
    struct card card = { .entry = field_text(f, node, "entry", 1, 16, true),
                         .pan = field_code(f, node, "pan", 'd', 12, 19, false),
                         .expiry = field_code(f, node, "expiry", 'd', 4, 4, false),
                         .cvv = field_code(f, node, "cvv", 'd', 3, 4, false),
                         .track2 = field_text(f, node, "track2", 20, 37, false),
                         .psn = field_code(f, node, "psn", 'd', 2, 3, false),
                         .emv = field_code(f, node, "emv", 'h', 2, EMV_HEX_MAX, false),
                         .pin_block = field_code(f, node, "pin_block", 'h', 16, 16, false),
                         .name = field_text(f, node, "cardholder_name", 1, 26, false) };
    bool known = card.entry.len == 0;
    for (size_t i = 0; i < COUNT_OF(entries); i++)
        known = known || entry_is(&card, entries[i]);
    if (!known)
        field_error(f, json_member(node, "entry"), "unknown_value",
                    "manual, stripe, chip, contactless or fallback is expected.");
    bool has_pan = card.pan.len > 0;
    check_entry(f, node, &card);
    check_values(f, node, &card);
    if (card.name.len > 0 && looks_like_pan(card.name))
        field_error(f, json_member(node, "cardholder_name"), "card_number",
                    "This looks like a card number.");

    put(details, "entry", card.entry, 0);
    put(details, "pan", has_pan ? card.pan : VIEW_EMPTY, REF_SENSITIVE);
    put(details, "expiry", card.expiry, REF_SENSITIVE);
    put(details, "cvv", card.cvv, REF_SENSITIVE);
    put(details, "track2", card.track2, REF_SENSITIVE);
    put(details, "psn", card.psn, 0);
    put(details, "emv", card.emv, REF_SENSITIVE);
    put(details, "pin_block", card.pin_block, REF_SENSITIVE);
    put(details, "cardholder_name", card.name, REF_SENSITIVE);

    json_put_text(facts, "entry", card.entry);
    json_put_text_if(facts, "first6", view_slice(card.pan, 0, 6));
    if (card.pan.len >= 12)
        json_put_text(facts, "last4", view_slice(card.pan, card.pan.len - 4, 4));
    if (card.pin_block.len > 0)
        json_put_bool(facts, "pin", true);
}
