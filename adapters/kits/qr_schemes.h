/* SPDX-License-Identifier: Apache-2.0
 *
 * kits/qr_schemes.h - national QR schemes as data (adapters/qr/schemes.conf), and building codes.
 *
 * A scheme says in which template it stands, which fields it has, where our reference goes and in
 * which letters. qr_schemes_read() reads such a file once; views point into its text, which must
 * live as long. Everything is pure and takes no memory.
 *
 *     qr_schemes_read(qr_schemes_builtin(), &schemes, &why)
 *     scheme = qr_scheme_named(&schemes, text)          to build for
 *     scheme = qr_scheme_of(&schemes, &code, &place)    of a code that was read
 */
#ifndef KITS_QR_SCHEMES_H
#define KITS_QR_SCHEMES_H

#include "kits/qr_codes.h"

#define QR_SCHEMES_MAX    32u
#define QR_FIELDS_MAX     20u
#define QR_FIXED_MAX      6u
#define QR_CURRENCIES_MAX 4u
#define QR_PATH_DEPTH     3u
#define QR_ACCOUNT        100u /* in a path: the scheme's own template */

enum qr_format { QR_DIGITS = 1, QR_UPPER, QR_ALNUM, QR_ANY_TEXT, QR_PHONE };
enum qr_need { QR_REQUIRED = 1, QR_OPTIONAL, QR_ONE_OF, QR_DEFAULT };
enum qr_letters { QR_BASE36 = 1, QR_BASE62, QR_NUMBERS };
enum qr_date { QR_DATE = 1, QR_DATE_TIME, QR_UNIX_MS };

struct qr_path {
    uint32_t id[QR_PATH_DEPTH]; /* 0..99, or QR_ACCOUNT */
    uint32_t depth;             /* 0: not set */
};

struct qr_field {
    struct qr_path path;
    struct rg_bytes name;
    uint32_t format; /* enum qr_format */
    uint64_t min, max;
    uint32_t need;         /* enum qr_need */
    struct rg_bytes value; /* of QR_DEFAULT */
};

struct qr_scheme {
    struct rg_bytes name, title, country;
    uint32_t currency[QR_CURRENCIES_MAX], decimals[QR_CURRENCIES_MAX], currencies;
    uint32_t first, last; /* account template */
    struct rg_bytes guid;
    struct qr_field fields[QR_FIELDS_MAX];
    uint32_t fields_count;
    struct qr_path fixed_path[QR_FIXED_MAX];
    struct rg_bytes fixed[QR_FIXED_MAX];
    uint32_t fixed_count;
    struct qr_path reference, expires, created;
    uint32_t reference_letters;              /* enum qr_letters */
    uint32_t expires_format, created_format; /* enum qr_date */
    int32_t zone_hours;
    uint32_t crc_lower;
};

struct qr_schemes {
    struct qr_scheme rows[QR_SCHEMES_MAX];
    uint32_t count;
};

/* The text of adapters/qr/schemes.conf as it was built in. */
struct rg_bytes qr_schemes_builtin(void);
/* 1; or 0 with "line 7: ..." in `why`. */
uint32_t qr_schemes_read(struct rg_bytes text, struct qr_schemes *out, struct rg_buffer *why);
const struct qr_scheme *qr_scheme_named(const struct qr_schemes *schemes, struct rg_bytes name);

/* The scheme of a merchant-presented code and the id of its template, or NULL. */
const struct qr_scheme *qr_scheme_of(const struct qr_schemes *schemes, const struct qr_code *code,
                                     uint32_t *account);
/* Adds findings about the scheme's fields, currency and (when now_unix_s is not 0) expiry. */
void qr_scheme_check(struct qr_code *code, const struct qr_scheme *scheme, uint32_t account,
                     int64_t now_unix_s);
/* The value of a field of the scheme in a code; 1 or 0. */
uint32_t qr_scheme_value(const struct qr_code *code, const struct qr_path *path, uint32_t account,
                         struct rg_bytes *out);
/* Our reference for an attempt (kits/attempt.h) in the letters of the scheme. */
void qr_reference_put(struct rg_buffer *b, const struct qr_scheme *scheme, uint64_t attempt);
/* The attempt that a reference names, whatever the scheme: 1, or 0 when it is none of ours. */
uint32_t qr_reference_read(struct rg_bytes reference, uint64_t *attempt);

/* --- building -------------------------------------------------------------------------------- */

struct qr_value {
    struct rg_bytes name; /* of a scheme's field, or a path: "62.07" */
    struct rg_bytes value;
};

struct qr_make {
    const struct qr_scheme *scheme;
    uint32_t dynamic; /* 1: for one payment (12); 0: many (11) */
    uint32_t currency, exponent;
    int64_t amount_minor; /* 0: the payer enters it */
    uint32_t tip;         /* 0 none, 1 the payer is asked, 2 fixed, 3 percentage */
    struct rg_bytes fee;  /* of 2 and 3, as it stands in the code */
    struct rg_bytes name, city, category, country, postcode; /* country empty: the scheme's */
    struct rg_bytes language, language_name, language_city;
    struct rg_bytes reference;              /* as it stands in the code; empty: none */
    int64_t created_unix_s, expires_unix_s; /* 0: not said; written when the scheme has a place */
    const struct qr_value *values;
    uint64_t values_count;
};

/* Writes the code with its checksum. 1; or 0 with one sentence in `why` (values are not in it).
 * What it writes is not more than well-formed: read it back to be sure. */
uint32_t qr_make(const struct qr_make *make, struct rg_buffer *out, struct rg_buffer *why);
/* "name=value; name=value" to rows (at most `room`); blanks around are taken off. 1, or 0. */
uint32_t qr_values_read(struct rg_bytes text, struct qr_value *rows, uint64_t room,
                        uint64_t *count);

#endif
