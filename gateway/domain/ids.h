/* ids.h - time-ordered ids: a positive 63-bit number (43 bits of milliseconds since 1970, 20 bits
 * that count up), written as a prefix and 13 letters of Crockford's base 32 ("pay_01k3v9...").
 *
 * Numbers only grow, so database keys are appended, never inserted at random. The generator belongs
 * to one loop; it starts above the largest id that the store has seen, so a clock set back cannot
 * bring one twice.
 */
#ifndef DOMAIN_IDS_H
#define DOMAIN_IDS_H

#include "base/bytes.h"

#define ID_TEXT_MAX 24 /* prefix, '_', 13 letters, zero byte */

enum id_kind {
    ID_PAYMENT = 1,    /* pay_ */
    ID_CAPTURE,        /* cap_ */
    ID_CANCEL,         /* can_ */
    ID_REFUND,         /* ref_ */
    ID_CHARGE,         /* chg_: the first operation of a payment (authorise or sale) */
    ID_ATTEMPT,        /* att_ */
    ID_EVENT,          /* evt_ */
    ID_KEY,            /* key_ */
    ID_REQUEST,        /* req_ */
    ID_MERCHANT,       /* mer_ */
    ID_ENDPOINT,       /* whe_: where a merchant's webhooks go */
    ID_RECONCILIATION, /* rec_: a comparison with a counterpart's record */
    ID_DIFFERENCE,     /* dif_: something that it found */
};

struct id_source {
    int64_t last;
};
/* above: the largest id in use, or 0. */
void id_source_init(struct id_source *source, int64_t above);
/* wall_us: now, microseconds since 1970. Always larger than the one before. */
int64_t id_next(struct id_source *source, int64_t wall_us);
/* Writes "pay_..." with a zero byte; returns out. */
const char *id_format(enum id_kind kind, int64_t id, char out[ID_TEXT_MAX]);
void id_write(struct writer *w, enum id_kind kind, int64_t id);
/* MALFORMED unless it is exactly that kind's prefix and 13 valid lower-case letters > 0. */
enum status id_parse(enum id_kind kind, struct view text, int64_t *out);

#endif
