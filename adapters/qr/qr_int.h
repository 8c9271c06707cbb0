/* SPDX-License-Identifier: Apache-2.0
 *
 * qr_int.h - what the files of this adapter share.
 *
 *   qr.c           tables, settings, the steps of an exchange
 *   qr_request.c   a command to a request of the provider, or to an end without one
 *   qr_answer.c    an answer to an outcome
 *   qr_notice.c    what the provider tells unasked
 *   qr_words.c     states, reasons, currencies; reasons.def
 *
 * Every exchange is the same two steps: SIGN over "<t>.<METHOD>.<path>.<body>", then SEND. Codes
 * are read, checked and built by kits/qr_codes.h and kits/qr_schemes.h.
 */
#ifndef QR_INT_H
#define QR_INT_H

#include "kits/json_lite.h"
#include "kits/qr_schemes.h"
#include "kits/text.h"

#define QR_INSTANCE_MAGIC  0x51524931u
#define QR_EXCHANGE_MAGIC  0x51524531u
#define QR_ID_MAX          64u /* order ids, references, provider ids */
#define QR_PATH_TEXT_MAX   160u
#define QR_BODY_MAX        6144u
#define QR_REQUEST_MAX     8192u /* what is signed is longer than what is sent */
#define QR_ANSWER_MAX      65536u
#define QR_FRESH_S         300
#define QR_AMOUNT_MAX      999999999999ll
#define QR_MERCHANT_FIELDS 16u
#define QR_PAYMENTS_MAX    64u /* of one static code, in one answer */

/* Rows of the settings table, in its order. */
enum qr_setting {
    SET_MERCHANT_ID,
    SET_PROVIDER_KEY,
    SET_NOTICE_KEY,
    SET_NOTICE_PATH,
    SET_SCHEME,
    SET_SCHEMES_FILE,
    SET_ACCOUNT_FIELDS,
    SET_MERCHANT_NAME,
    SET_MERCHANT_CITY,
    SET_MERCHANT_CATEGORY,
    SET_COUNTRY,
    SET_POSTCODE,
    SET_LANGUAGE,
    SET_LANGUAGE_NAME,
    SET_LANGUAGE_CITY,
    SET_EXPIRES_S,
    SET_SCAN_CHECK,
    SET_COUNT
};

/* Views are of setting values, or of the built-in schemes: both live as long as the instance. */
struct qr_instance {
    uint32_t magic;
    uint32_t scan_mode; /* enum qr_mode */
    uint32_t has_notice_key;
    int64_t expires_s;
    struct rg_bytes merchant_id, notice_path, name, city, category, country, postcode;
    struct rg_bytes language, language_name, language_city;
    const struct qr_scheme *scheme;
    struct qr_value values[QR_MERCHANT_FIELDS];
    uint64_t values_count;
    struct qr_schemes schemes;
};

enum qr_stage { STAGE_SIGN = 1, STAGE_WAIT, STAGE_OVER };

/* What an attempt is at the provider; the names are those in the refs ("kind"). */
enum qr_kind { KIND_ORDER = 1, KIND_STATIC, KIND_PAYMENT, KIND_CHARGE, KIND_REFUND };

struct qr_exchange {
    uint32_t magic;
    uint32_t stage; /* enum qr_stage */
    uint32_t operation, repeat;
    uint32_t kind; /* enum qr_kind: of the attempt, or of the one referred to */
    uint32_t method;
    uint32_t currency, exponent;
    char currency_code[4];
    int64_t amount_minor;             /* of this operation; of an inquiry that of the attempt */
    int64_t time_s, now_s, expires_s; /* now_s: of this sending, for signatures */
    uint8_t id[QR_ID_MAX]; /* which order, payment, charge or refund the answer must be about */
    uint64_t id_len;
    uint8_t reference[QR_ID_MAX]; /* what stands in our code */
    uint64_t reference_len;
    uint8_t path[QR_PATH_TEXT_MAX];
    uint64_t path_len;
    uint8_t body[QR_BODY_MAX];
    uint64_t body_len;
    uint8_t payload[QR_TEXT_MAX]; /* the code, ours or scanned */
    uint64_t payload_len;
    const struct qr_scheme *scheme; /* of the code; NULL: none known */
    struct qr_code code;            /* of payload */
};

static inline struct rg_bytes qr_id(const struct qr_exchange *x)
{
    return (struct rg_bytes){ x->id, x->id_len };
}

/* --- qr.c ---------------------------------------------------------------------------------- */
uint32_t qr_fail(struct qr_exchange *x, struct rg_out *out, const char *diagnosis);
/* DONE without a request: nothing moved. `message` is for the merchant. */
uint32_t qr_refuse(struct qr_exchange *x, struct rg_out *out, uint32_t outcome, uint32_t category,
                   const char *code, const char *message);

/* --- qr_request.c ---------------------------------------------------------------------------- */
/* Path, method and body of the request into x, and what must be known later. Returns 0, or the step
 * that ends the exchange at once. */
uint32_t qr_build(const struct qr_instance *qr, struct qr_exchange *x,
                  const struct rg_command *command, struct rg_out *out);
/* A static code that is to be shown, or any other end without an exchange: DONE. */
uint32_t qr_shown(const struct qr_exchange *x, struct rg_out *out);
/* The attempt's references, stored before a byte leaves. */
void qr_put_refs(const struct qr_exchange *x, struct rg_table *refs);
/* What a scanned code says, for the merchant; card numbers masked. */
void qr_put_scanned(const struct qr_exchange *x, struct rg_table *extra);

/* --- qr_answer.c ----------------------------------------------------------------------------- */
uint32_t qr_answer(struct qr_exchange *x, const struct rg_event *event, struct rg_out *out);

/* The provider's own number, masked for people; whole in the refs, where a refund needs it. */
void qr_put_provider(struct rg_bytes id, const struct qr_code *sent, struct rg_buffer *reference,
                     struct rg_table *refs);
/* The provider's word for why, masked and cut, where it is one. */
void qr_put_word(struct rg_bytes word, const struct qr_code *sent, struct rg_buffer *rail_code);

/* --- qr_notice.c ------------------------------------------------------------------------------ */
uint32_t qr_notice(const void *instance, const struct rg_notice *in, struct rg_notice_out *out);

/* --- qr_words.c ------------------------------------------------------------------------------- */
/* "paid" and the like to RG_OUTCOME_...; 0: not a word of the protocol. */
uint32_t qr_outcome_of(struct rg_bytes state);
/* The amount that an order, payment, charge or refund is about. What was paid may be another one
 * than what was asked for, so who says "paid" must say how much: else it is empty. */
struct rg_bytes qr_amount_of(const struct jl_value *entry);
struct qr_reason {
    const char *word;
    uint32_t category;
    const char *message;
};
/* Never NULL: a row that stands for all others. */
const struct qr_reason *qr_reason_of(struct rg_bytes word);
/* 1 and number and decimals, or 0. */
uint32_t qr_currency_of(struct rg_bytes code, uint32_t *number, uint32_t *exponent);
/* 1..64 letters, digits, '_', '-', '.': what may stand in a path and in our records. */
uint32_t qr_plain_id(struct rg_bytes id);

#endif
