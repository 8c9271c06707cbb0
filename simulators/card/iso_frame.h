/* iso_frame.h - how one message is told from the next on a stream.
 *
 *     len2       two bytes, big-endian: count of what follows
 *     len2_tpdu  the same; what follows begins with a five byte TPDU: 60, destination, source.
 *                An answer goes back with destination and source exchanged
 *     ascii4     four decimal digits: count of what follows
 *
 * A length below ISO_FRAME_MIN or over ISO_FRAME_MAX is MALFORMED: the stream cannot be trusted any
 * more and the link is closed. Pure; any thread.
 */
#ifndef SIM_CARD_ISO_FRAME_H
#define SIM_CARD_ISO_FRAME_H

#include "base/bytes.h"

enum iso_framing { FRAMING_LEN2 = 1, FRAMING_LEN2_TPDU, FRAMING_ASCII4 };

#define ISO_FRAME_MIN  12
#define ISO_FRAME_MAX  4096 /* payload and TPDU, without the length itself */
#define ISO_TPDU_SIZE  5
#define ISO_HEADER_MAX 7 /* the longest length and TPDU */

/* Looks at the bytes of a stream from a frame's start. OK: `*payload` is the message, `*tpdu` its
 * TPDU (empty without), `*used` how many bytes the frame took. SHORT: more must come first. */
enum status iso_frame_next(enum iso_framing framing, struct view stream, struct view *payload,
                           struct view *tpdu, size_t *used);
/* Writes the header of a frame with `payload_len` bytes. `tpdu`: the five bytes as they came with
 * the request, exchanged here; empty: 60 00 00 00 00. Ignored by the other framings. */
void iso_frame_header(enum iso_framing framing, size_t payload_len, struct view tpdu,
                      struct writer *w);
enum status iso_framing_parse(struct view text, enum iso_framing *out);

#endif
