/* SPDX-License-Identifier: Apache-2.0
 *
 * qr.c - the QR adapter: a wallet provider behind JSON over HTTPS. What goes over the wire is told
 * in docs/rails/qr-wire.md, codes and schemes in docs/rails/qr-codes.md, the files in qr_int.h;
 * this file has the tables, the settings and the steps.
 *
 * Orders, payments, charges and refunds are booked once per id whatever happens, so a request
 * without an answer may be sent again; the host inquires first where it can. There is no reversal:
 * an order is canceled, what was paid is refunded.
 */
#include "qr_int.h"

#include "kits/hex.h"

/* --- tables ---------------------------------------------------------------------------------- */

#define SETTING(row, label, kind, must, standard, words, low, high, of, tells)                     \
    [row] = { .size = sizeof(struct rg_setting),                                                   \
              .name = label,                                                                       \
              .type = RG_SETTING_##kind,                                                           \
              .required = must,                                                                    \
              .fallback = standard,                                                                \
              .choices = words,                                                                    \
              .min = low,                                                                          \
              .max = high,                                                                         \
              .unit = of,                                                                          \
              .sentence = tells }

static const struct rg_setting settings[SET_COUNT] = {
    SETTING(SET_MERCHANT_ID, "merchant_id", TEXT, 1, NULL, NULL, 1, 64, "bytes",
            "Name of the merchant at the provider."),
    SETTING(SET_PROVIDER_KEY, "provider_key", KEY, 1, NULL, NULL, 0, 0, NULL,
            "HMAC-SHA256 key that signs requests, and notices unless notice_key is set."),
    SETTING(SET_NOTICE_KEY, "notice_key", KEY, 0, NULL, NULL, 0, 0, NULL,
            "HMAC-SHA256 key under which the provider signs notices, where it is another one."),
    SETTING(SET_NOTICE_PATH, "notice_path", TEXT, 1, NULL, NULL, 1, 128, "bytes",
            "Path of the notice address as the provider calls it, e.g. /notices/wallet; it is part "
            "of what a notice's signature covers."),
    SETTING(SET_SCHEME, "scheme", TEXT, 0, "emvco", NULL, 1, 32, "bytes",
            "Scheme of the codes to show: a name from the schemes file."),
    SETTING(SET_SCHEMES_FILE, "schemes_file", FILE, 0, NULL, NULL, 1, 65536, "bytes",
            "Schemes instead of the built-in ones (docs/rails/qr-codes.md tells the words)."),
    SETTING(SET_ACCOUNT_FIELDS, "account_fields", TEXT, 1, NULL, NULL, 3, 1024, "bytes",
            "Who is paid: the scheme's fields as `name=value; name=value`."),
    SETTING(SET_MERCHANT_NAME, "merchant_name", TEXT, 1, NULL, NULL, 1, 100, "bytes",
            "Merchant's name in codes, at most 25 letters."),
    SETTING(SET_MERCHANT_CITY, "merchant_city", TEXT, 1, NULL, NULL, 1, 60, "bytes",
            "Merchant's city in codes, at most 15 letters."),
    SETTING(SET_MERCHANT_CATEGORY, "merchant_category", TEXT, 0, "0000", NULL, 4, 4, "digits",
            "Merchant category code, ISO 18245."),
    SETTING(SET_COUNTRY, "country", TEXT, 0, NULL, NULL, 2, 2, "letters",
            "Merchant's country, ISO 3166; the scheme's when left out."),
    SETTING(SET_POSTCODE, "postcode", TEXT, 0, NULL, NULL, 1, 40, "bytes",
            "Merchant's postal code in codes, at most 10 letters."),
    SETTING(SET_LANGUAGE, "language", TEXT, 0, NULL, NULL, 2, 2, "letters",
            "Language of language_name and language_city, ISO 639."),
    SETTING(SET_LANGUAGE_NAME, "language_name", TEXT, 0, NULL, NULL, 1, 100, "bytes",
            "Merchant's name in that language, at most 25 letters."),
    SETTING(SET_LANGUAGE_CITY, "language_city", TEXT, 0, NULL, NULL, 1, 60, "bytes",
            "Merchant's city in that language, at most 15 letters."),
    SETTING(SET_EXPIRES_S, "code_expires_s", NUMBER, 0, "900", NULL, 1, 2592000, "s",
            "How long a dynamic code can be paid, unless the payment says."),
    SETTING(SET_SCAN_CHECK, "scan_check", CHOICE, 0, "lenient", "strict|lenient", 0, 0, NULL,
            "Whether a scanned code may have a too long name and the like."),
};

#define ABILITY(op, able, deadline, window, money)                                                 \
    {                                                                                              \
        .size = sizeof(struct rg_ability), .operation = RG_OP_##op, .flags = able,                 \
        .late_window_ms = window, .deadline_ms = deadline, .amount_minor_max = money               \
    }

static const struct rg_ability abilities[] = {
    ABILITY(SALE, RG_ABLE_REPEAT | RG_ABLE_INQUIRE | RG_ABLE_REVERSE, 10000, 30000, QR_AMOUNT_MAX),
    ABILITY(CANCEL, RG_ABLE_REPEAT, 10000, 30000, QR_AMOUNT_MAX),
    ABILITY(REFUND, RG_ABLE_REPEAT | RG_ABLE_INQUIRE | RG_ABLE_PARTIAL, 10000, 30000,
            QR_AMOUNT_MAX),
    ABILITY(INQUIRE, RG_ABLE_REPEAT, 10000, 30000, 0),
    ABILITY(REVERSE, RG_ABLE_REPEAT, 10000, 30000, QR_AMOUNT_MAX),
};

/* --- configure ------------------------------------------------------------------------------- */

static uint32_t refuse(struct rg_diag *diag, uint32_t row, const char *why)
{
    diag->row = row;
    rg_put_text(&diag->text, why);
    return 0;
}

static uint32_t visible(struct rg_bytes text)
{
    for (uint64_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= 0x20 || text.ptr[i] > 0x7E)
            return 0;
    return 1;
}

static uint32_t configure_schemes(struct qr_instance *qr, const struct rg_value *values,
                                  struct rg_diag *diag)
{
    struct rg_bytes file = values[SET_SCHEMES_FILE].present != 0 ? values[SET_SCHEMES_FILE].text
                                                                 : qr_schemes_builtin();
    diag->row = SET_SCHEMES_FILE;
    if (!qr_schemes_read(file, &qr->schemes, &diag->text))
        return 0;
    qr->scheme = qr_scheme_named(&qr->schemes, values[SET_SCHEME].text);
    if (qr->scheme == NULL)
        return refuse(diag, SET_SCHEME, "there is no scheme of this name in the schemes file");
    if (!qr_values_read(values[SET_ACCOUNT_FIELDS].text, qr->values, QR_MERCHANT_FIELDS,
                        &qr->values_count))
        return refuse(diag, SET_ACCOUNT_FIELDS, "write name=value; name=value, at most 16 of them");
    return 1;
}

/* A code as a payment would have it, so that a mistake is seen now and not by the first payer. */
static uint32_t try_code(const struct qr_instance *qr, struct rg_diag *diag)
{
    uint8_t text[QR_TEXT_MAX];
    struct qr_code code;
    struct rg_buffer out = { text, sizeof text, 0, 0, 0 };
    struct qr_make make = {
        .scheme = qr->scheme,
        .dynamic = 1,
        .currency = qr->scheme->currencies > 0 ? qr->scheme->currency[0] : 978,
        .exponent = qr->scheme->currencies > 0 ? qr->scheme->decimals[0] : 2,
        .amount_minor = 100,
        .name = qr->name,
        .city = qr->city,
        .category = qr->category,
        .country = qr->country,
        .postcode = qr->postcode,
        .language = qr->language,
        .language_name = qr->language_name,
        .language_city = qr->language_city,
        .reference = text_of("0000000000001"),
        .created_unix_s = 1767225600,
        .expires_unix_s = 1767225600,
        .values = qr->values,
        .values_count = qr->values_count,
    };
    diag->row = SET_ACCOUNT_FIELDS;
    if (!qr_make(&make, &out, &diag->text))
        return 0;
    qr_mpm_read((struct rg_bytes){ text, out.len }, QR_STRICT, &code);
    qr_scheme_check(&code, qr->scheme, qr->scheme->first, 0);
    for (uint32_t i = 0; i < code.findings_count; i++)
        if (code.findings[i].weight == QR_ERROR) {
            uint32_t kind = code.findings[i].kind;
            diag->row = kind == QR_FOUND_NAME_LONG       ? SET_MERCHANT_NAME
                        : kind == QR_FOUND_CITY_LONG     ? SET_MERCHANT_CITY
                        : kind == QR_FOUND_CATEGORY      ? SET_MERCHANT_CATEGORY
                        : kind == QR_FOUND_COUNTRY       ? SET_COUNTRY
                        : kind == QR_FOUND_POSTCODE_LONG ? SET_POSTCODE
                        : kind == QR_FOUND_LANGUAGE      ? SET_LANGUAGE
                        : kind == QR_FOUND_MISSING       ? SET_COUNTRY
                                                         : SET_ACCOUNT_FIELDS;
            rg_put_text(&diag->text, "in the code made of the settings, at ");
            rg_put_text(&diag->text, code.findings[i].path);
            rg_put_text(&diag->text, ": ");
            rg_put_text(&diag->text, qr_finding_text(kind));
            return 0;
        }
    return 1;
}

static uint32_t qr_configure(void *instance, const struct rg_value *values, struct rg_diag *diag)
{
    struct qr_instance *qr = instance;
    *qr = (struct qr_instance){
        .scan_mode = values[SET_SCAN_CHECK].number == 0 ? QR_STRICT : QR_LENIENT,
        .has_notice_key = values[SET_NOTICE_KEY].present != 0,
        .expires_s = values[SET_EXPIRES_S].number,
        .merchant_id = values[SET_MERCHANT_ID].text,
        .notice_path = values[SET_NOTICE_PATH].text,
        .name = values[SET_MERCHANT_NAME].text,
        .city = values[SET_MERCHANT_CITY].text,
        .category = values[SET_MERCHANT_CATEGORY].text,
        .country = values[SET_COUNTRY].text,
        .postcode = values[SET_POSTCODE].text,
        .language = values[SET_LANGUAGE].text,
        .language_name = values[SET_LANGUAGE_NAME].text,
        .language_city = values[SET_LANGUAGE_CITY].text,
    };
    if (!visible(qr->merchant_id))
        return refuse(diag, SET_MERCHANT_ID, "write visible ASCII characters");
    if (!visible(qr->notice_path) || !text_starts(qr->notice_path, "/"))
        return refuse(diag, SET_NOTICE_PATH, "write a path that begins with /");
    if (!configure_schemes(qr, values, diag) || !try_code(qr, diag))
        return 0;
    qr->magic = QR_INSTANCE_MAGIC;
    return 1;
}

/* --- the steps of an exchange ------------------------------------------------------------------
 */

uint32_t qr_fail(struct qr_exchange *x, struct rg_out *out, const char *diagnosis)
{
    x->stage = STAGE_OVER;
    out->outcome = 0;
    rg_put_text(&out->diagnosis, diagnosis);
    return RG_STEP_FAIL;
}

uint32_t qr_refuse(struct qr_exchange *x, struct rg_out *out, uint32_t outcome, uint32_t category,
                   const char *code, const char *message)
{
    x->stage = STAGE_OVER;
    out->outcome = outcome;
    out->category = category;
    out->amount_minor = -1;
    rg_put_text(&out->rail_code, code);
    rg_put_text(&out->message, message);
    return RG_STEP_DONE;
}

static void put_time(const struct qr_exchange *x, struct rg_buffer *b)
{
    unsigned digits = 1;
    for (int64_t rest = x->now_s; rest >= 10; rest /= 10)
        digits++;
    rg_put_digits(b, (uint64_t)x->now_s, digits);
}

static uint32_t qr_begin(const void *instance, void *exchange, const struct rg_command *command,
                         struct rg_out *out)
{
    const struct qr_instance *qr = instance;
    struct qr_exchange *x = exchange;
    x->magic = QR_EXCHANGE_MAGIC;
    x->stage = STAGE_OVER;
    if (qr->magic != QR_INSTANCE_MAGIC || command->time_unix_us < 0 || command->now_unix_us < 0)
        return qr_fail(x, out, "the channel is not configured");
    if (command->amount_minor < 0 || command->original_minor < 0)
        return qr_fail(x, out, "an amount is negative");
    uint32_t ended = qr_build(qr, x, command, out);
    if (ended != 0)
        return ended;
    put_time(x, &out->bytes);
    rg_put_text(&out->bytes, x->method == RG_HTTP_GET ? ".GET." : ".POST.");
    rg_put(&out->bytes, x->path, x->path_len);
    rg_put_text(&out->bytes, ".");
    rg_put(&out->bytes, x->body, x->body_len);
    rg_put_text(&out->sign_key, "provider_key");
    x->stage = STAGE_SIGN;
    return RG_STEP_SIGN;
}

static uint32_t send(const struct qr_instance *qr, struct qr_exchange *x,
                     const struct rg_event *event, struct rg_out *out)
{
    uint8_t text[128];
    struct rg_buffer b = { text, sizeof text, 0, 0, 0 };
    if (event->bytes.len != 32)
        return qr_fail(x, out, "the signature is not that of HMAC-SHA256");
    rg_put_text(&b, "t=");
    put_time(x, &b);
    rg_put_text(&b, ",v1=");
    for (uint64_t i = 0; i < event->bytes.len; i++) {
        rg_put_u8(&b, (uint8_t) "0123456789abcdef"[event->bytes.ptr[i] >> 4]);
        rg_put_u8(&b, (uint8_t) "0123456789abcdef"[event->bytes.ptr[i] & 15]);
    }
    out->http_method = x->method;
    rg_put(&out->path, x->path, x->path_len);
    rg_table_put(&out->headers, "x-merchant", qr->merchant_id.ptr, qr->merchant_id.len, 0);
    rg_table_put(&out->headers, "x-signature", text, b.len, 0);
    rg_table_put_text(&out->headers, "accept", "application/json");
    if (x->body_len > 0)
        rg_table_put_text(&out->headers, "content-type", "application/json");
    rg_put(&out->bytes, x->body, x->body_len);
    if (x->operation == RG_OP_SALE || x->operation == RG_OP_REFUND)
        qr_put_refs(x, &out->refs);
    out->expects_reply = 1;
    x->stage = STAGE_WAIT;
    return RG_STEP_SEND;
}

static uint32_t qr_resume(const void *instance, void *exchange, const struct rg_event *event,
                          struct rg_out *out)
{
    struct qr_exchange *x = exchange;
    if (x->magic != QR_EXCHANGE_MAGIC)
        return qr_fail(x, out, "the exchange was never begun");
    if (x->stage == STAGE_SIGN && event->kind == RG_EVENT_SIGNED)
        return send(instance, x, event, out);
    if (x->stage == STAGE_WAIT && event->kind == RG_EVENT_REPLY)
        return qr_answer(x, event, out);
    return qr_fail(x, out, "this event does not belong here");
}

/* --- the adapter ------------------------------------------------------------------------------ */

static const struct rg_adapter adapter = {
    .magic = RG_ABI_MAGIC,
    .abi_major = RG_ABI_MAJOR,
    .abi_minor = RG_ABI_MINOR,
    .transport = RG_TRANSPORT_HTTP,
    .size = sizeof(struct rg_adapter),
    .id = "qr",
    .version = "1.0.0",
    .licence = "Apache-2.0",
    .origin = "railgate",
    .rail = "qr",
    .settings = settings,
    .settings_count = SET_COUNT,
    .abilities = abilities,
    .abilities_count = sizeof abilities / sizeof abilities[0],
    .instance_size = sizeof(struct qr_instance),
    .exchange_size = sizeof(struct qr_exchange),
    .request_max = QR_REQUEST_MAX,
    .answer_max = QR_ANSWER_MAX,
    .steps_max = 4,
    .configure = qr_configure,
    .begin = qr_begin,
    .resume = qr_resume,
    .notice = qr_notice,
};

__attribute__((visibility("default"))) const struct rg_adapter *rg_adapter_get(uint32_t host_abi)
{
    return host_abi >> 16 == RG_ABI_MAJOR ? &adapter : NULL;
}
