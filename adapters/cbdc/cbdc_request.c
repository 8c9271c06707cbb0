/* SPDX-License-Identifier: Apache-2.0
 *
 * cbdc_request.c - from a command to a request of the core API.
 *
 * Who pays whom: the merchant's wallet is the payee, or with kind payout or transfer the payer;
 * what the details say of payer and payee comes first. Money that is issued comes from the central
 * bank, redeemed money goes there. A refund goes the way of the payment backwards, by the wallets
 * that the ledger named in its answer: an alias may point elsewhere by then.
 */
#include "cbdc_int.h"

#include <string.h>

static const char *const NAMES[WHAT_COUNT] = { "",       "transfer", "lock",  "release",
                                               "cancel", "issue",    "redeem" };

const char *cbdc_what_name(enum cbdc_what what)
{
    return NAMES[what];
}

static enum cbdc_what what_of(struct rg_bytes name)
{
    unsigned what = WHAT_TRANSFER;
    while (what < WHAT_COUNT && !text_is(name, NAMES[what]))
        what++;
    return what < WHAT_COUNT ? (enum cbdc_what)what : (enum cbdc_what)0;
}

uint32_t cbdc_take(struct cbdc_text *text, struct rg_bytes bytes, uint64_t longest)
{
    text->len = 0;
    if (bytes.len > longest || bytes.len > sizeof text->bytes)
        return 0;
    for (uint64_t i = 0; i < bytes.len; i++)
        text->bytes[i] = bytes.ptr[i];
    text->len = bytes.len;
    return 1;
}

/* The value of the last row of that name: what is said later counts. */
static struct rg_bytes find(const struct rg_named *rows, uint64_t count, const char *name)
{
    for (uint64_t i = count; i > 0; i--)
        if (text_is(rows[i - 1].name, name))
            return rows[i - 1].value;
    return (struct rg_bytes){ NULL, 0 };
}

static struct rg_bytes detail(const struct rg_command *command, const char *name)
{
    return find(command->details, command->details_count, name);
}

static struct rg_bytes ref(const struct rg_command *command, const char *name)
{
    return find(command->refs, command->refs_count, name);
}

static uint32_t letters(struct rg_bytes text, uint64_t least, uint64_t most, uint32_t upper,
                        const char *more)
{
    if (text.len < least || text.len > most)
        return 0;
    for (uint64_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        uint64_t k = 0;
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
            (upper != 0 && c >= 'A' && c <= 'Z'))
            continue;
        while (more[k] != '\0' && (uint8_t)more[k] != c)
            k++;
        if (more[k] == '\0')
            return 0;
    }
    return 1;
}

#define IS_ID(text)      letters(text, 1, CBDC_ID_MAX, 1, "_-")
#define IS_PURPOSE(text) letters(text, 1, 64, 0, "_")

uint32_t cbdc_is_party(struct rg_bytes text)
{
    if (text_starts(text, "w_"))
        return letters(text, 3, 32, 0, "_");
    return text_starts(text, "alias:") && letters(text_slice(text, 6, text.len), 1, 63, 1, "+@._-");
}

/* Wallet before alias; empty when the details name neither. 0: what they name is none. */
static uint32_t take_party(const struct rg_command *command, const char *wallet, const char *alias,
                           struct cbdc_text *party)
{
    struct rg_bytes text = detail(command, wallet);
    struct rg_buffer b = { party->bytes, sizeof party->bytes, 0, 0, 0 };
    party->len = 0;
    if (text.len == 0) {
        text = detail(command, alias);
        if (text.len == 0)
            return 1;
        if (!text_starts(text, "alias:"))
            rg_put_text(&b, "alias:");
    }
    rg_put_bytes(&b, text);
    party->len = b.len;
    return b.overflow == 0 && cbdc_is_party(cbdc_bytes(party));
}

/* For whoever compares the ledger's entries with ours. */
static void own_side(const struct cbdc_instance *cbdc, struct cbdc_exchange *x)
{
    struct rg_bytes own = cbdc_bytes(&cbdc->merchant);
    uint32_t pays = text_same(own, cbdc_bytes(&x->payer));
    uint32_t gets = text_same(own, cbdc_bytes(&x->payee));
    if (pays == gets)
        return;
    x->side = gets ? SIDE_PAYEE : SIDE_PAYER;
    x->own = cbdc->merchant;
}

/* As an earlier operation had it; its refs have none when they are of before they were kept. */
static void own_side_as(struct cbdc_exchange *x, const struct rg_command *command)
{
    struct rg_bytes side = ref(command, "own_side"), own = ref(command, "own_wallet");
    if (cbdc_is_party(own) && cbdc_take(&x->own, own, CBDC_PARTY_MAX))
        x->side = text_is(side, "payee")   ? SIDE_PAYEE
                  : text_is(side, "payer") ? SIDE_PAYER
                                           : (enum cbdc_side)0;
}

/* --- plans ---------------------------------------------------------------------------------------
 */
static const char *plan_parties(const struct cbdc_instance *cbdc, struct cbdc_exchange *x,
                                const struct rg_command *command)
{
    struct rg_bytes kind = detail(command, "kind");
    uint32_t outward = text_is(kind, "payout") || text_is(kind, "transfer");
    if (!take_party(command, "payer_wallet", "payer_alias", &x->payer))
        return "payer_wallet or payer_alias is not the name of a wallet";
    if (!take_party(command, "payee_wallet", "payee_alias", &x->payee))
        return "payee_wallet or payee_alias is not the name of a wallet";
    if (x->what == WHAT_ISSUE)
        x->payer.len = 0; /* the central bank */
    else if (x->payer.len == 0 && (outward || x->payee.len > 0 || x->what == WHAT_REDEEM))
        x->payer = cbdc->merchant;
    if (x->what == WHAT_REDEEM)
        x->payee.len = 0;
    else if (x->payee.len == 0 && (!outward || x->what == WHAT_ISSUE))
        x->payee = cbdc->merchant;
    if (x->payer.len == 0 && x->what != WHAT_ISSUE)
        return "payer_wallet or payer_alias is missing";
    if (x->payee.len == 0 && x->what != WHAT_REDEEM)
        return "payee_wallet or payee_alias is missing";
    own_side(cbdc, x);
    return NULL;
}

static const char *plan_first(const struct cbdc_instance *cbdc, struct cbdc_exchange *x,
                              const struct rg_command *command)
{
    struct rg_bytes action = detail(command, "action");
    uint32_t locks = command->operation == RG_OP_AUTHORISE;
    x->what = locks ? WHAT_LOCK : WHAT_TRANSFER;
    if (action.len > 0 && !text_is(action, "transfer")) {
        if (locks)
            return "money that is issued or redeemed cannot be locked";
        x->what = text_is(action, "issue")    ? WHAT_ISSUE
                  : text_is(action, "redeem") ? WHAT_REDEEM
                                              : (enum cbdc_what)0;
    }
    return x->what != 0 ? plan_parties(cbdc, x, command)
                        : "action is neither transfer, issue nor redeem";
}

/* CAPTURE and CANCEL: refs are those of the authorisation, or of an earlier capture of it. */
static const char *plan_lock(struct cbdc_exchange *x, const struct rg_command *command)
{
    enum cbdc_what what = what_of(ref(command, "what"));
    struct rg_bytes lock = ref(command, what == WHAT_RELEASE ? "lock" : "id");
    if ((what != WHAT_LOCK && what != WHAT_RELEASE) || !IS_ID(lock) ||
        !cbdc_take(&x->lock, lock, CBDC_ID_MAX))
        return "the refs do not name a lock";
    x->what = command->operation == RG_OP_CAPTURE ? WHAT_RELEASE : WHAT_CANCEL;
    own_side_as(x, command);
    /* Kept for a refund; the release itself does not say them. */
    return cbdc_take(&x->payer, ref(command, "payer"), CBDC_PARTY_MAX) &&
                   cbdc_take(&x->payee, ref(command, "payee"), CBDC_PARTY_MAX)
               ? NULL
               : "the refs' wallets are too long";
}

static const char *plan_refund(struct cbdc_exchange *x, const struct rg_command *command)
{
    enum cbdc_what what = what_of(ref(command, "what"));
    if (!cbdc_take(&x->payer, ref(command, "payee"), CBDC_PARTY_MAX) ||
        !cbdc_take(&x->payee, ref(command, "payer"), CBDC_PARTY_MAX))
        return "the refs' wallets are too long";
    x->what = what == WHAT_ISSUE ? WHAT_REDEEM : what == WHAT_REDEEM ? WHAT_ISSUE : WHAT_TRANSFER;
    if (what == 0 || what == WHAT_CANCEL)
        return "the refs do not name a payment";
    if ((x->payer.len == 0 && x->what != WHAT_ISSUE) ||
        (x->payee.len == 0 && x->what != WHAT_REDEEM))
        return "the refs do not name payer and payee";
    own_side_as(x, command);
    if (x->side != 0)
        x->side = x->side == SIDE_PAYEE ? SIDE_PAYER : SIDE_PAYEE;
    return NULL;
}

static const char *plan_inquiry(struct cbdc_exchange *x, const struct rg_command *command)
{
    x->what = what_of(ref(command, "what"));
    if (x->what == 0 || !IS_ID(ref(command, "id")) ||
        !cbdc_take(&x->id, ref(command, "id"), CBDC_ID_MAX))
        return "the refs do not name an operation";
    if ((x->what == WHAT_CANCEL || x->what == WHAT_RELEASE) &&
        (!IS_ID(ref(command, "lock")) || !cbdc_take(&x->lock, ref(command, "lock"), CBDC_ID_MAX)))
        return "the refs do not name the lock";
    own_side_as(x, command);
    return cbdc_take(&x->payer, ref(command, "payer"), CBDC_PARTY_MAX) &&
                   cbdc_take(&x->payee, ref(command, "payee"), CBDC_PARTY_MAX)
               ? NULL
               : "the refs' wallets are too long";
}

static const char *plan_money(struct cbdc_exchange *x, const struct rg_command *command)
{
    if (command->amount_minor < 1 || command->amount_minor > CBDC_AMOUNT_MAX)
        return "the amount is not from 1 to 999999999999999";
    for (unsigned i = 0; i < 3; i++)
        if (command->currency_code[i] < 'A' || command->currency_code[i] > 'Z')
            return "the currency code is not three letters";
    return IS_ID(command->attempt_id) && cbdc_take(&x->id, command->attempt_id, CBDC_ID_MAX)
               ? NULL
               : "the attempt's id is not 1 to 64 letters, digits, _ or -";
}

const char *cbdc_plan(const struct cbdc_instance *cbdc, struct cbdc_exchange *x,
                      const struct rg_command *command)
{
    const char *why = NULL;
    x->operation = command->operation;
    x->repeat = command->repeat;
    x->currency_number = command->currency_number;
    for (unsigned i = 0; i < 3; i++)
        x->currency[i] = command->currency_code[i];
    switch (command->operation) {
    case RG_OP_TOKEN: x->time_s = command->time_unix_us / 1000000; return NULL;
    case RG_OP_INQUIRE: return plan_inquiry(x, command);
    case RG_OP_AUTHORISE:
    case RG_OP_SALE: why = plan_first(cbdc, x, command); break;
    case RG_OP_CAPTURE:
    case RG_OP_CANCEL: why = plan_lock(x, command); break;
    case RG_OP_REFUND: why = plan_refund(x, command); break;
    default: return "this operation is not one of this adapter";
    }
    return why != NULL ? why : plan_money(x, command);
}

/* --- bytes ---------------------------------------------------------------------------------------
 */
static void put_header(struct rg_out *out, const char *name, struct rg_bytes value, uint32_t flags)
{
    rg_table_put(&out->headers, name, value.ptr, value.len, flags);
}

static void put_access(struct rg_out *out)
{
    static const char value[] = "Bearer \0" CBDC_TOKEN_NAME;
    put_header(out, "authorization", (struct rg_bytes){ (const uint8_t *)value, sizeof value - 1 },
               RG_NAMED_SLOT);
}

void cbdc_put_inquiry(const struct cbdc_text *id, struct rg_out *out)
{
    out->http_method = RG_HTTP_GET;
    rg_put_text(&out->path, "/v1/operations/");
    rg_put_bytes(&out->path, cbdc_bytes(id));
    put_access(out);
}

static void put_path(const struct cbdc_exchange *x, struct rg_buffer *path)
{
    static const char *const PATHS[WHAT_COUNT] = {
        "", "/v1/transfers", "/v1/locks", "/v1/locks/", "/v1/locks/", "/v1/issue", "/v1/redeem",
    };
    rg_put_text(path, PATHS[x->what]);
    if (x->what != WHAT_RELEASE && x->what != WHAT_CANCEL)
        return;
    rg_put_bytes(path, cbdc_bytes(&x->lock));
    rg_put_text(path, x->what == WHAT_RELEASE ? "/release" : "/cancel");
}

/* At most CBDC_REFERENCE_MAX bytes, whole letters. */
static struct rg_bytes shorten(struct rg_bytes text)
{
    uint64_t len = 0;
    while (len < text.len) {
        uint32_t letter = text_letter(text_slice(text, len, text.len));
        if (letter == 0 || len + letter > CBDC_REFERENCE_MAX)
            break;
        len += letter;
    }
    return text_slice(text, 0, len);
}

static const char *put_lock_members(const struct cbdc_instance *cbdc,
                                    const struct rg_command *command, struct rg_buffer *b)
{
    uint64_t seconds = (uint64_t)cbdc->lock_s;
    struct rg_bytes wish = detail(command, "expires_in");
    if (wish.len > 0 && (!text_number(wish, (uint64_t)CBDC_EXPIRY_S_MAX, &seconds) || seconds < 1))
        return "expires_in is not a number of seconds from 1 to 31622400";
    jl_put_text(b, "releaser", cbdc_bytes(&cbdc->releaser));
    jl_put_integer(b, "expires_at", command->time_unix_us / 1000000 + (int64_t)seconds);
    return NULL;
}

static const char *put_body(const struct cbdc_instance *cbdc, const struct cbdc_exchange *x,
                            const struct rg_command *command, struct rg_buffer *b)
{
    struct rg_bytes purpose = detail(command, "lock_purpose");
    struct rg_bytes reference = shorten(detail(command, "reference"));
    uint32_t locks = x->what == WHAT_LOCK;
    uint32_t on_lock = x->what == WHAT_RELEASE || x->what == WHAT_CANCEL;
    const char *why = NULL;
    jl_open(b, NULL);
    jl_put_text(b, "id", cbdc_bytes(&x->id));
    if (!on_lock && x->payer.len > 0)
        jl_put_text(b, locks ? "payer" : "from", cbdc_bytes(&x->payer));
    if (!on_lock && x->payee.len > 0)
        jl_put_text(b, locks ? "payee" : "to", cbdc_bytes(&x->payee));
    if (x->what != WHAT_CANCEL)
        jl_put_integer(b, "amount", command->amount_minor);
    if (!on_lock)
        jl_put_text(b, "currency", (struct rg_bytes){ (const uint8_t *)x->currency, 3 });
    if (locks)
        why = put_lock_members(cbdc, command, b);
    if (purpose.len > 0 && (locks || command->operation == RG_OP_SALE) &&
        (x->what == WHAT_LOCK || x->what == WHAT_TRANSFER)) {
        if (!IS_PURPOSE(purpose))
            return "lock_purpose is not 1 to 64 of a-z, 0-9 and _";
        jl_put_text(b, "purpose", purpose);
    }
    if (reference.len > 0 && !on_lock)
        jl_put_text(b, "reference", reference);
    jl_close(b);
    return why;
}

static void put_ref(struct rg_table *refs, const char *name, const struct cbdc_text *text,
                    uint32_t flags)
{
    if (text->len > 0)
        rg_table_put(refs, name, text->bytes, text->len, flags);
}

/* What an inquiry or a later operation needs. */
static void put_refs(const struct cbdc_exchange *x, struct rg_table *refs)
{
    put_ref(refs, "id", &x->id, 0);
    rg_table_put_text(refs, "what", cbdc_what_name(x->what));
    put_ref(refs, "lock", &x->lock, 0);
    put_ref(refs, "payer", &x->payer, RG_NAMED_SENSITIVE);
    put_ref(refs, "payee", &x->payee, RG_NAMED_SENSITIVE);
    /* What goes back of a lock goes to the payer, whoever that is. */
    if (x->side == 0 || x->what == WHAT_CANCEL)
        return;
    rg_table_put_text(refs, "own_side", x->side == SIDE_PAYEE ? "payee" : "payer");
    put_ref(refs, "own_wallet", &x->own, 0);
}

const char *cbdc_put_request(const struct cbdc_instance *cbdc, const struct cbdc_exchange *x,
                             const struct rg_command *command, struct rg_out *out)
{
    const char *why = put_body(cbdc, x, command, &out->bytes);
    if (why != NULL)
        return why;
    out->http_method = RG_HTTP_POST;
    put_path(x, &out->path);
    put_header(out, "content-type", text_of("application/json"), 0);
    put_header(out, "idempotency-key", cbdc_bytes(&x->id), 0);
    put_access(out);
    put_refs(x, &out->refs);
    return NULL;
}

/* --- token ---------------------------------------------------------------------------------------
 */
static void put_decimal(struct rg_buffer *b, int64_t value)
{
    unsigned digits = 1;
    for (int64_t rest = value; rest >= 10; rest /= 10)
        digits++;
    rg_put_digits(b, (uint64_t)value, digits);
}

void cbdc_put_claim(const struct cbdc_instance *cbdc, const struct cbdc_exchange *x,
                    struct rg_buffer *b)
{
    rg_put_bytes(b, cbdc_bytes(&cbdc->client));
    rg_put_u8(b, '.');
    put_decimal(b, x->time_s);
}

void cbdc_put_token_request(const struct cbdc_instance *cbdc, const struct cbdc_exchange *x,
                            struct rg_bytes mac, struct rg_out *out)
{
    uint8_t hex[64];
    for (unsigned i = 0; i < sizeof hex; i++)
        hex[i] = (uint8_t) "0123456789abcdef"[mac.ptr[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
    out->http_method = RG_HTTP_POST;
    rg_put_text(&out->path, "/oauth/token");
    put_header(out, "content-type", text_of("application/json"), 0);
    jl_open(&out->bytes, NULL);
    jl_put_text(&out->bytes, "client_id", cbdc_bytes(&cbdc->client));
    jl_put_integer(&out->bytes, "time", x->time_s);
    jl_put_text(&out->bytes, "client_secret_proof", (struct rg_bytes){ hex, sizeof hex });
    jl_close(&out->bytes);
}
