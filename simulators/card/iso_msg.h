/* iso_msg.h - ISO 8583:1987 messages of the card host simulator: a codec of its own.
 *
 * The simulator shares no code with the card adapter, so that a mistake in one of the two shows.
 * A message holds its elements in a canonical form that does not depend on the packaging: digits
 * as ASCII digits, track 2 with '=', binary elements as raw bytes. iso_fields.def lists them.
 *
 * Packagings (docs/rails/card-wire.md):
 *     ASCII   everything is text; bitmap and binary elements as hexadecimal; lengths in decimal
 *     BCD     digits two in a byte, odd counts with a leading 0 (track 2: closing F); bitmap and
 *             binary elements raw; lengths in BCD, counting digits for digit elements
 *     BINARY  digits and lengths as text; bitmap and binary elements raw
 * Lengths of binary elements count bytes in all three; hexadecimal is upper case.
 *
 * Pure; any thread.
 */
#ifndef SIM_CARD_ISO_MSG_H
#define SIM_CARD_ISO_MSG_H

#include "base/bytes.h"

enum iso_packaging { ISO_ASCII = 1, ISO_BCD, ISO_BINARY };

#define ISO_FIELD_MAX  128
#define ISO_STORE_SIZE 4096
struct iso_msg {
    char mti[5]; /* four digits and a zero byte */
    bool overflow;
    uint16_t used;
    uint64_t present[2]; /* bit (n-1)%64 of word (n-1)/64 */
    struct {
        uint16_t at, len;
    } field[ISO_FIELD_MAX + 1];
    uint8_t store[ISO_STORE_SIZE];
};

/* Empties the message. `mti` has four digits. */
void iso_msg_init(struct iso_msg *m, const char *mti);
bool iso_msg_has(const struct iso_msg *m, unsigned number);
/* Lives as long as the message and until it is changed; empty when absent. */
struct view iso_msg_get(const struct iso_msg *m, unsigned number);
/* Sets an element, canonical form. Digits of fixed length are filled with zeros at the left, fixed
 * text with blanks at the right. Latches `overflow` when the value does not fit the element. */
void iso_msg_put(struct iso_msg *m, unsigned number, struct view value);
void iso_msg_put_number(struct iso_msg *m, unsigned number, uint64_t value);
void iso_msg_remove(struct iso_msg *m, unsigned number);

/* Reads one message that fills `bytes` exactly. On failure `*field_at_fault` is the element (0:
 * MTI, 1: bitmap) and `out` holds what came before it; out->mti is "" when not even that was
 * readable.
 * `*mac_at`: index of the first byte of element 64 or 128 (the one that carries the MAC), or the
 * message's length when there is none. */
enum status iso_msg_decode(struct view bytes, enum iso_packaging packaging, struct iso_msg *out,
                           unsigned *field_at_fault, size_t *mac_at);
/* Appends the message. `*mac_at` as above, counted from the first byte this call wrote. */
enum status iso_msg_encode(const struct iso_msg *m, enum iso_packaging packaging, struct writer *w,
                           size_t *mac_at);
/* "iso87-ascii", "iso87-bcd", "iso87-binary"; NOT_FOUND for another word. */
enum status iso_packaging_parse(struct view text, enum iso_packaging *out);

#endif
