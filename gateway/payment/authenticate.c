/* authenticate.c - was it the payer, and did the payer mean this payment?
 *
 * Codes: the key of the payment is derived in two steps from the configured one (authenticate.h),
 * so an authenticator that holds the payer's key can make the code by itself from what it shows the
 * payer: amount and payee. All steps in question are always computed and compared in constant time.
 * Steps further off than the tolerance never fit; the past ones are only looked at to tell a person
 * whose code is old what is wrong. Never those to come: who guesses would be told a code that will
 * be right in some minutes.
 *
 * Assertions: nothing that one says is believed before its signature is verified, except which
 * issuer to ask. The algorithm is that of the issuer's key, never the header's to choose (RFC 8725,
 * 3.1): a header that says something else is refused. Members of the header that change how a JWS
 * is to be read (crit, b64, jwk, jku, x5u, ...) are refused by taking none but alg, typ, kid.
 */
#include "payment/authenticate.h"

#include "base/arena.h"
#include "base/ensure.h"
#include "base/vault.h"
#include "domain/ids.h"
#include "payment/authenticate_int.h"
#include "json/json_read.h"

#define US_PER_S            INT64_C(1000000)
#define STEP_US             (30 * US_PER_S)
#define STEPS_TOLERATED     1  /* to either side */
#define STEPS_TOLD          10 /* that are over: told as late, five minutes */
#define ASSERTION_BYTES_MAX 4096
#define ASSERTION_LIFE_MAX  600 /* s, exp - iat */
#define CLOCK_AHEAD_MAX     60  /* s, iat and nbf may be in the future */
#define ASSERTION_ARENA_MAX ((size_t)128 * 1024)
#define LABEL_MAX           1024 /* payee: 140 characters, so at most 560 bytes */

static enum authentication_result say(enum authentication_result result, struct writer *why,
                                      const char *sentence)
{
    writer_text(why, sentence);
    return result;
}

/* --- keys ------------------------------------------------------------------------------------ */

/* NULL when it is not there, or not of a kind that can do this. */
static struct secret_key *code_key(struct secrets *secrets, const struct settings *settings)
{
    if (settings->authentication_code_key[0] == '\0')
        return NULL;
    struct secret_key *key = secret_find(secrets, settings->authentication_code_key);
    return key != NULL && secret_kind_of(key) == SECRET_HMAC_SHA256 ? key : NULL;
}

static struct secret_key *issuer_key(struct secrets *secrets, const struct issuer_settings *issuer)
{
    struct secret_key *key = secret_find(secrets, issuer->key);
    if (key == NULL)
        return NULL;
    enum secret_kind kind = secret_kind_of(key);
    return kind == SECRET_VERIFY_ED25519 || kind == SECRET_VERIFY_ES256 ? key : NULL;
}

/* The key of one payment of one payer. Nothing after the last part can be mistaken for another:
 * what stands before it holds no line end. */
static enum status payment_key(struct secret_key *code_key, const struct authentication_of *of,
                               struct secret_key **out)
{
    uint8_t label[LABEL_MAX];
    struct secret_key *payer_key = NULL;
    struct writer w = writer_over(label, sizeof label);
    writer_text(&w, "payer\n"); /* two merchants may use one name for two people */
    id_write(&w, ID_MERCHANT, of->merchant);
    writer_text(&w, "\n");
    writer_view(&w, of->payer);
    TRY(writer_status(&w));
    TRY(secret_derive(code_key, writer_done(&w), &payer_key));
    w = writer_over(label, sizeof label);
    writer_text(&w, "payment\n");
    id_write(&w, ID_PAYMENT, of->payment);
    writer_text(&w, "\n");
    writer_i64_text(&w, of->amount.minor);
    writer_text(&w, " ");
    writer_text(&w, of->amount.currency->code);
    writer_text(&w, "\n");
    writer_view(&w, of->payee);
    enum status status = writer_status(&w);
    if (status == STATUS_OK)
        status = secret_derive(payer_key, writer_done(&w), out);
    secret_key_close(payer_key);
    return status;
}

/* --- codes ----------------------------------------------------------------------------------- */

enum status totp_code(struct secret_key *key, uint64_t step,
                      char out[AUTHENTICATION_CODE_DIGITS + 1])
{
    uint8_t counter[8], mac[SECRET_MAC_MAX];
    size_t len = 0;
    struct writer c = writer_over(counter, sizeof counter);
    struct writer w = writer_over(out, AUTHENTICATION_CODE_DIGITS + 1);
    writer_u64_be(&c, step);
    TRY(secret_mac(key, writer_done(&c), mac, &len));
    ENSURE(len == 32);
    size_t at = mac[len - 1] & 0x0f; /* RFC 4226, 5.3: dynamic truncation */
    uint32_t number = (uint32_t)(mac[at] & 0x7f) << 24 | (uint32_t)mac[at + 1] << 16 |
                      (uint32_t)mac[at + 2] << 8 | mac[at + 3];
    writer_u64_padded(&w, number % 100000000u, AUTHENTICATION_CODE_DIGITS);
    vault_wipe(mac, sizeof mac);
    return writer_terminate(&w);
}

enum code_fits { CODE_FITS = 1, CODE_FITTED, CODE_FITS_NEVER };

static enum status code_compare(struct secret_key *key, struct view code, int64_t step_now,
                                enum code_fits *out)
{
    char expected[AUTHENTICATION_CODE_DIGITS + 1];
    bool now = false, other = false;
    for (int64_t off = -STEPS_TOLD; off <= STEPS_TOLERATED; off++) {
        if (step_now + off < 0)
            continue;
        TRY(totp_code(key, (uint64_t)(step_now + off), expected));
        bool equal = view_equal_constant_time(view_of(expected, AUTHENTICATION_CODE_DIGITS), code);
        if (off >= -STEPS_TOLERATED && off <= STEPS_TOLERATED)
            now |= equal;
        else
            other |= equal;
    }
    vault_wipe(expected, sizeof expected);
    *out = now ? CODE_FITS : other ? CODE_FITTED : CODE_FITS_NEVER;
    return STATUS_OK;
}

enum authentication_result authentication_code_check(struct secrets *secrets,
                                                     const struct settings *settings,
                                                     const struct authentication_of *of,
                                                     struct view code, int64_t wall_us,
                                                     struct writer *why)
{
    ENSURE(of->amount.currency != NULL && of->payment > 0 && wall_us >= 0);
    struct secret_key *master = code_key(secrets, settings), *key = NULL;
    enum code_fits fits = CODE_FITS_NEVER;
    if (master == NULL)
        return say(AUTHENTICATION_IMPOSSIBLE, why, "One-time codes are not configured here.");
    if (of->payer.len == 0)
        return say(AUTHENTICATION_IMPOSSIBLE, why,
                   "The payment names no payer (payer.id or an account), so nobody's code fits.");
    if (code.len != AUTHENTICATION_CODE_DIGITS || !view_is_digits(code))
        return say(AUTHENTICATION_WRONG, why, "A code has 8 digits.");
    enum status status = payment_key(master, of, &key);
    if (status == STATUS_OK) {
        status = code_compare(key, code, wall_us / STEP_US, &fits);
        secret_key_close(key);
    }
    if (status == STATUS_NO_MEMORY)
        return AUTHENTICATION_STARVED;
    if (status != STATUS_OK)
        return say(AUTHENTICATION_IMPOSSIBLE, why, "The payer's code cannot be computed.");
    if (fits == CODE_FITS)
        return AUTHENTICATION_RIGHT;
    if (fits == CODE_FITTED)
        return say(AUTHENTICATION_LATE, why,
                   "The code is not of now: a code holds for the half minute in which it is shown "
                   "and the next.");
    return say(AUTHENTICATION_WRONG, why,
               "This is not the payer's code for this payment, amount and payee.");
}

enum status authentication_code(struct secrets *secrets, const struct settings *settings,
                                const struct authentication_of *of, int64_t wall_us,
                                char out[AUTHENTICATION_CODE_DIGITS + 1])
{
    ENSURE(of->amount.currency != NULL && of->payment > 0 && wall_us >= 0);
    struct secret_key *master = code_key(secrets, settings), *key = NULL;
    out[0] = '\0';
    if (master == NULL || of->payer.len == 0)
        return STATUS_NOT_FOUND;
    TRY(payment_key(master, of, &key));
    enum status status = totp_code(key, (uint64_t)(wall_us / STEP_US), out);
    secret_key_close(key);
    return status;
}

void authentication_methods(const struct secrets *secrets, const struct settings *settings,
                            struct writer *out)
{
    /* Looking for a name changes nothing; secret_find only hands out keys that can be used. */
    struct secrets *table = (struct secrets *)(uintptr_t)secrets;
    bool code = code_key(table, settings) != NULL, assertion = false;
    for (size_t i = 0; i < settings->issuers_count && !assertion; i++)
        assertion = issuer_key(table, &settings->issuers[i]) != NULL;
    if (code)
        writer_text(out, "code");
    if (assertion)
        writer_text(out, code ? " assertion" : "assertion");
}

/* --- compact JWS ----------------------------------------------------------------------------- */

static int base64url_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

enum status base64url_decode(struct view text, struct writer *out)
{
    uint32_t bits = 0;
    unsigned held = 0; /* bits of `bits` that are not written yet: 0, 2, 4, 6 */
    for (size_t i = 0; i < text.len; i++) {
        int value = base64url_value(text.ptr[i]);
        if (value < 0)
            return STATUS_MALFORMED;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            writer_u8(out, (uint8_t)(bits >> held));
            bits &= (1u << held) - 1;
        }
    }
    if (held == 6 || bits != 0) /* a letter too many; two texts for the same bytes */
        return STATUS_MALFORMED;
    return writer_status(out);
}

struct jws {
    struct view signed_bytes; /* header, dot, payload, as they came */
    struct view signature;
    const struct json_node *header, *claims; /* objects */
};

static enum status decode_part(struct view text, struct arena *arena, struct view *out)
{
    uint8_t *room = arena_alloc(arena, text.len);
    if (room == NULL)
        return STATUS_NO_MEMORY;
    struct writer w = writer_over(room, text.len);
    TRY(base64url_decode(text, &w));
    *out = writer_done(&w);
    return STATUS_OK;
}

static enum status decode_object(struct view text, struct arena *arena,
                                 const struct json_node **out)
{
    static const struct json_limits limits = { .bytes_max = ASSERTION_BYTES_MAX,
                                               .nodes_max = 128,
                                               .depth_max = 4 };
    struct view json = VIEW_EMPTY;
    TRY(decode_part(text, arena, &json));
    TRY(json_read(json, &limits, arena, out, NULL));
    return (*out)->kind == JSON_OBJECT ? STATUS_OK : STATUS_MALFORMED;
}

/* RFC 7515, 7.1: three parts between two dots, none of them empty. */
static enum status jws_read(struct view text, struct arena *arena, struct jws *out)
{
    if (text.len > ASSERTION_BYTES_MAX)
        return STATUS_RANGE;
    size_t first = view_find(text, '.');
    struct view rest = view_slice(text, first + 1, text.len);
    size_t second = view_find(rest, '.');
    struct view header = view_slice(text, 0, first);
    struct view payload = view_slice(rest, 0, second);
    struct view signature = view_slice(rest, second + 1, rest.len);
    if (header.len == 0 || payload.len == 0 || signature.len == 0)
        return STATUS_MALFORMED;
    out->signed_bytes = view_slice(text, 0, header.len + 1 + payload.len);
    TRY(decode_object(header, arena, &out->header));
    TRY(decode_object(payload, arena, &out->claims));
    return decode_part(signature, arena, &out->signature);
}

/* The algorithm that the header names; false: the header is not one we read. */
static bool header_read(const struct json_node *header, struct view *alg)
{
    static const char *const known[] = { "alg", "typ", "kid" };
    if (json_unknown(header, known, COUNT_OF(known), NULL) != NULL)
        return false;
    for (JSON_EACH(member, header)) {
        if (member->kind != JSON_TEXT)
            return false;
    }
    return json_text(json_member(header, "alg"), alg) == STATUS_OK;
}

static bool alg_fits(struct view alg, enum secret_kind kind)
{
    return kind == SECRET_VERIFY_ED25519 ? view_is(alg, "EdDSA") : view_is(alg, "ES256");
}

/* --- claims ---------------------------------------------------------------------------------- */

struct claims {
    struct view issuer, subject, payment, currency, payee;
    int64_t issued_s, expires_s, not_before_s; /* not_before_s: issued_s when not given */
    int64_t amount_minor;
    const struct json_node *audience;
};

static enum status claims_read(const struct json_node *node, struct claims *out)
{
    const struct json_node *payee = json_member(node, "payee");
    const struct json_node *not_before = json_member(node, "nbf");
    out->audience = json_member(node, "aud");
    TRY(json_text(json_member(node, "iss"), &out->issuer));
    TRY(json_text(json_member(node, "sub"), &out->subject));
    TRY(json_text(json_member(node, "payment"), &out->payment));
    TRY(json_text(json_member(node, "currency"), &out->currency));
    TRY(json_i64(json_member(node, "amount"), &out->amount_minor));
    TRY(json_i64(json_member(node, "iat"), &out->issued_s));
    TRY(json_i64(json_member(node, "exp"), &out->expires_s));
    out->payee = VIEW_EMPTY;
    if (payee != NULL) /* a payment may have none to name */
        TRY(json_text(payee, &out->payee));
    out->not_before_s = out->issued_s;
    if (not_before != NULL)
        TRY(json_i64(not_before, &out->not_before_s));
    bool sane = out->issued_s >= 0 && out->expires_s > out->issued_s &&
                out->expires_s - out->issued_s <= ASSERTION_LIFE_MAX;
    return sane ? STATUS_OK : STATUS_RANGE;
}

/* RFC 7519, 4.1.3: one text, or an array of texts. */
static bool audience_is(const struct json_node *audience, const char *ours)
{
    struct view text = VIEW_EMPTY;
    bool found = false;
    if (json_text(audience, &text) == STATUS_OK)
        return view_is(text, ours);
    if (audience == NULL || audience->kind != JSON_ARRAY)
        return false;
    for (JSON_EACH(item, audience)) {
        if (json_text(item, &text) != STATUS_OK)
            return false;
        found = found || view_is(text, ours);
    }
    return found;
}

/* Dynamic linking: every part of what the payer agreed to, as it is here. */
static enum authentication_result
binding_check(const struct claims *claims, const struct authentication_of *of, struct writer *why)
{
    char payment[ID_TEXT_MAX];
    const char *other = NULL;
    if (!view_is(claims->payment, id_format(ID_PAYMENT, of->payment, payment)))
        other = "payment";
    else if (!view_equal(claims->subject, of->payer))
        other = "payer";
    else if (claims->amount_minor != of->amount.minor ||
             !view_is(claims->currency, of->amount.currency->code))
        other = "amount";
    else if (!view_equal(claims->payee, of->payee))
        other = "payee";
    if (other == NULL)
        return AUTHENTICATION_RIGHT;
    writer_format(why, "The assertion is about another %s.", other);
    return AUTHENTICATION_OTHER;
}

static enum authentication_result time_check(const struct claims *claims, int64_t now_s,
                                             struct writer *why)
{
    if (now_s >= claims->expires_s)
        return say(AUTHENTICATION_LATE, why, "The assertion has expired.");
    if (claims->issued_s > now_s + CLOCK_AHEAD_MAX ||
        claims->not_before_s > now_s + CLOCK_AHEAD_MAX)
        return say(AUTHENTICATION_LATE, why, "The assertion is from the future.");
    return AUTHENTICATION_RIGHT;
}

/* The entry of the issuer whose key verifies it; an issuer may have several while keys change. */
static enum authentication_result
signature_check(struct secrets *secrets, const struct settings *settings, const struct jws *jws,
                struct view alg, struct view name, const struct issuer_settings **out,
                struct writer *why)
{
    bool named = false, usable = false;
    for (size_t i = 0; i < settings->issuers_count; i++) {
        const struct issuer_settings *issuer = &settings->issuers[i];
        if (!view_is(name, issuer->name))
            continue;
        named = true;
        struct secret_key *key = issuer_key(secrets, issuer);
        if (key == NULL)
            continue;
        usable = true;
        if (!alg_fits(alg, secret_kind_of(key)))
            continue;
        enum status verified = secret_verify(key, jws->signed_bytes, jws->signature);
        if (verified == STATUS_NO_MEMORY)
            return AUTHENTICATION_STARVED;
        if (verified != STATUS_OK)
            continue;
        *out = issuer;
        return AUTHENTICATION_RIGHT;
    }
    if (!named)
        return say(AUTHENTICATION_WRONG, why,
                   "The assertion's issuer (iss) is not one that is trusted here.");
    if (!usable)
        return say(AUTHENTICATION_IMPOSSIBLE, why, "The issuer's key is not there.");
    return say(AUTHENTICATION_WRONG, why,
               "The assertion's signature is not that of its issuer (alg must be that of the "
               "issuer's key: EdDSA or ES256).");
}

static enum authentication_result assertion_read(struct secrets *secrets,
                                                 const struct settings *settings,
                                                 const struct authentication_of *of,
                                                 struct view assertion, int64_t wall_us,
                                                 struct arena *arena, struct writer *why)
{
    struct jws jws = { 0 };
    struct claims claims = { 0 };
    struct view alg = VIEW_EMPTY, name = VIEW_EMPTY;
    const struct issuer_settings *issuer = NULL;
    enum authentication_result result;
    if (jws_read(assertion, arena, &jws) != STATUS_OK ||
        json_text(json_member(jws.claims, "iss"), &name) != STATUS_OK)
        return say(AUTHENTICATION_WRONG, why,
                   "This is no compact JWS (RFC 7515) with a JSON header and JSON claims.");
    if (!header_read(jws.header, &alg))
        return say(AUTHENTICATION_WRONG, why,
                   "The assertion's header may have alg, typ and kid, each a text, and nothing "
                   "else.");
    result = signature_check(secrets, settings, &jws, alg, name, &issuer, why);
    if (result != AUTHENTICATION_RIGHT)
        return result;
    if (claims_read(jws.claims, &claims) != STATUS_OK)
        return say(AUTHENTICATION_WRONG, why,
                   "The claims iss, aud, iat, exp (at most 10 minutes after iat), sub, payment, "
                   "amount (an integer of minor units), currency and payee are expected.");
    if (!audience_is(claims.audience, issuer->audience))
        return say(AUTHENTICATION_OTHER, why, "The assertion is for somebody else (aud).");
    result = binding_check(&claims, of, why);
    if (result != AUTHENTICATION_RIGHT)
        return result;
    return time_check(&claims, wall_us / US_PER_S, why);
}

enum authentication_result authentication_assertion_check(struct secrets *secrets,
                                                          const struct settings *settings,
                                                          const struct authentication_of *of,
                                                          struct view assertion, int64_t wall_us,
                                                          struct writer *why)
{
    ENSURE(of->amount.currency != NULL && of->payment > 0 && wall_us >= 0);
    if (settings->issuers_count == 0)
        return say(AUTHENTICATION_IMPOSSIBLE, why, "No issuer of assertions is configured here.");
    if (of->payer.len == 0)
        return say(AUTHENTICATION_IMPOSSIBLE, why,
                   "The payment names no payer (payer.id or an account), so no assertion fits.");
    struct arena arena;
    arena_init(&arena, ASSERTION_ARENA_MAX);
    enum authentication_result result =
        assertion_read(secrets, settings, of, assertion, wall_us, &arena, why);
    if (arena.starved) /* what could not be read was not wrong */
        result = AUTHENTICATION_STARVED;
    arena_reset(&arena);
    return result;
}
