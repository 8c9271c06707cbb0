/* SPDX-License-Identifier: Apache-2.0
 *
 * kits/qr_codes.h - EMV QR codes: merchant-presented (EMVCo MPM 1.1, text TLV with a CRC) and
 * consumer-presented (EMVCo CPM 1.1, base64 of BER-TLV). Reading and checking; qr_schemes.h knows
 * the national schemes and builds codes.
 *
 * Pure, bounded, no memory taken: struct qr_code holds the objects in reading order and what was
 * found wrong. Views point into the text that was handed in (MPM) or into qr_code.decoded (CPM).
 *
 * A length counts letters (code points), the CRC runs over bytes, and a finding has the position in
 * both. Reading never stops at the first finding, unless nothing behind it can be cut any more.
 *
 *     static struct qr_code code;      large: not on a small stack
 *     qr_mpm_read(text, QR_LENIENT, &code);
 *     if (code.errors == 0) ...        what is only a warning is in code.findings too
 *
 * Strict: every deviation from EMVCo's mandatory rules is an error. Lenient: what real codes get
 * wrong without any doubt about who is paid, how much and where (a name of 26 letters, a missing
 * city) is a warning.
 *
 * Card numbers may stand in a code (MPM 02-25, CPM 57 and 5A). Nothing here prints a value
 * unmasked but the views themselves: use qr_put_masked().
 */
#ifndef KITS_QR_CODES_H
#define KITS_QR_CODES_H

#include <railgate/writer.h>

#define QR_TEXT_MAX     2048u /* bytes read at most; the standard says 512 letters */
#define QR_LETTERS_MAX  512u  /* MPM, EMVCo 1.1 section 3.1; CPM 512 too */
#define QR_OBJECTS_MAX  192u
#define QR_FINDINGS_MAX 48u
#define QR_DECODED_MAX  1536u
#define QR_PATH_MAX     24u

enum qr_mode { QR_STRICT = 1, QR_LENIENT };
enum qr_presented { QR_MERCHANT = 1, QR_CONSUMER };
enum qr_weight { QR_ERROR = 1, QR_WARNING };

enum qr_finding_kind {
    QR_FINDING_NONE = 0,
#define QR_FINDING(name, strict, lenient, text) QR_FOUND_##name,
#include "kits/qr_findings.def"
#undef QR_FINDING
    QR_FINDING_KINDS
};

struct qr_finding {
    uint32_t kind;          /* enum qr_finding_kind */
    uint32_t weight;        /* enum qr_weight, by the mode */
    char path[QR_PATH_MAX]; /* "26.01", "61.9F26"; "" the code as a whole; zero-terminated */
    uint64_t at_byte;       /* in the text handed in */
    uint64_t at_letter;
    uint64_t letters; /* how much of the text it is about; 0: the place between two letters */
};

struct qr_object {
    uint32_t tag;      /* MPM 0..99; CPM the BER tag, 0x9F26 */
    uint32_t depth;    /* 0 top */
    int32_t parent;    /* index of the template it is in, or -1 */
    uint32_t template; /* 1: its value was read as objects, which follow */
    struct rg_bytes value;
    uint64_t letters; /* of the value */
    uint64_t at_byte; /* of its first letter, in the text handed in */
    uint64_t at_letter;
};

struct qr_code {
    uint32_t presented; /* enum qr_presented */
    uint32_t mode;
    struct rg_bytes text;
    struct qr_object objects[QR_OBJECTS_MAX];
    uint32_t count;
    struct qr_finding findings[QR_FINDINGS_MAX];
    uint32_t findings_count;
    uint32_t errors, warnings;       /* of all, also of those that found no room above */
    uint32_t crc;                    /* MPM: computed over the text up to and including "6304" */
    uint8_t decoded[QR_DECODED_MAX]; /* CPM */
    uint64_t decoded_len;
};

void qr_mpm_read(struct rg_bytes text, uint32_t mode, struct qr_code *out);
void qr_cpm_read(struct rg_bytes text, uint32_t mode, struct qr_code *out);
/* "CRC_BAD"; "the checksum ..."; never NULL. */
const char *qr_finding_name(uint32_t kind);
const char *qr_finding_text(uint32_t kind);

/* The value at a path of MPM ids: "54", "26.00", "38.01.00" (a value that was not read as a
 * template is tried as one). 1, or 0 when nothing stands there. */
uint32_t qr_mpm_value(const struct qr_code *code, const char *path, struct rg_bytes *out);
/* The object on the top level, or NULL. */
const struct qr_object *qr_top(const struct qr_code *code, uint32_t tag);

/* What is to be paid, in minor units of a currency with `exponent` decimals: 54 plus a fixed fee
 * (55 "02", 56). 1: said; 0: the payer enters it; 2: cannot be told (a percentage, a tip to be
 * asked for with a fixed amount is 54 alone; too many decimals; beyond int64). */
uint32_t qr_mpm_amount(const struct qr_code *code, uint32_t exponent, int64_t *minor);
/* "12.50" with at most `exponent` decimals to 1250; 1 or 0. */
uint32_t qr_amount_read(struct rg_bytes text, uint32_t exponent, int64_t *minor);
/* 1250 to "12.50"; no decimals, no point, when exponent is 0. */
void qr_amount_put(struct rg_buffer *b, int64_t minor, uint32_t exponent);

/* CRC-16, polynomial 1021, start FFFF (EMVCo MPM section 4.7.2.2). */
uint32_t qr_crc(struct rg_bytes bytes);
/* The text, with the digits between the first six and the last four of card numbers as '*': runs of
 * 12 to 19 digits that pass the Luhn check. The length stays. `all`: any run of 12 or more digits
 * is taken for one. */
void qr_put_masked(struct rg_buffer *b, struct rg_bytes text, uint32_t all);
/* What somebody else said, for records and answers: masked as above, where digits may also be
 * grouped by single blanks or hyphens (13 to 19 of them, the groups taken whole). `sent`, or NULL:
 * the code that the other side got. Of a consumer-presented one each card number in it is masked
 * wherever its digits stand in this order with no letter between, and a text that repeats a part of
 * the code itself is left out. Writes at most QR_TOLD_MAX bytes; 1 when it is not the text as it
 * was, else 0. */
#define QR_TOLD_MAX 512u
uint32_t qr_put_told(struct rg_buffer *b, struct rg_bytes text, const struct qr_code *sent);
/* A whole code for people: the text with card numbers masked, as long as before, so that positions
 * still fit. CPM text is all '*' but its first eight letters. */
void qr_put_masked_code(struct rg_buffer *b, const struct qr_code *code);
/* Objects whose value must be masked: MPM 02-25 and what looks like a card number, CPM 57, 5A,
 * 9F25, 5F24; 0 or 1. */
uint32_t qr_object_secret(const struct qr_code *code, const struct qr_object *object);

/* Base64 (RFC 4648 section 4, padded, canonical): 1 and *len, or 0 with *len the place of the
 * letter that does not belong there. */
uint32_t qr_base64_read(struct rg_bytes text, uint8_t *room, uint64_t size, uint64_t *len);

#endif
