/* SPDX-License-Identifier: Apache-2.0
 *
 * cbdc_answer.c - what an answer of the ledger means.
 *
 * Believed is only an answer that is about what was asked: its id, its kind, its lock, and the
 * wallets when they were asked for by name. Amount and currency are handed out as the ledger says
 * them; the host compares. Anything else is not clear: FAIL, and the gateway inquires.
 */
#include "cbdc_int.h"

#define VERDICT_DECLINED 1u
#define VERDICT_REJECTED 2u
#define VERDICT_OPEN     3u

#define CURRENCY_FOREIGN 999u /* ISO 4217 XXX: some other currency than was asked for */

static const struct error {
    uint32_t http;
    const char *word;
    uint32_t verdict, category;
    const char *sentence;
} errors[] = {
#define ERROR(http, word, verdict, category, sentence, source)                                     \
    { http, word, VERDICT_##verdict, RG_CATEGORY_##category, sentence },
#include "errors.def"
#undef ERROR
};

static const struct error refused = { 402, "", VERDICT_DECLINED, RG_CATEGORY_OTHER,
                                      "The ledger refused for a reason of its own." };

/* http 0: whatever status. NULL: no row. */
static const struct error *error_of(uint32_t http, struct rg_bytes word)
{
    for (unsigned i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if ((http == 0 || http == errors[i].http) && text_is(word, errors[i].word))
            return &errors[i];
    return word.len > 0 && (http == 0 || http == 402) ? &refused : NULL;
}

static uint32_t not_clear(const char **why, const char *reason)
{
    *why = reason;
    return CBDC_NOT_CLEAR;
}

static uint32_t done(struct rg_out *out, uint32_t outcome, uint32_t category, struct rg_bytes code,
                     const char *sentence)
{
    out->outcome = outcome;
    out->category = category;
    rg_put_bytes(&out->rail_code, code);
    rg_put_text(&out->message, sentence);
    return CBDC_DONE;
}

/* Words go to people and logs: only those that look like one. */
static struct rg_bytes word_of(const struct jl_value *object)
{
    struct rg_bytes word = jl_plain(object, "error");
    for (uint64_t i = 0; i < word.len; i++)
        if (!(word.ptr[i] >= 'a' && word.ptr[i] <= 'z') && word.ptr[i] != '_')
            return (struct rg_bytes){ NULL, 0 };
    return word.len <= 32 ? word : (struct rg_bytes){ NULL, 0 };
}

static uint32_t read_body(const struct rg_event *event, struct jl_value *root)
{
    return jl_read(event->bytes, root) && root->kind == JL_OBJECT;
}

/* --- errors
 * ---------------------------------------------------------------------------------------- */
static uint32_t read_error(const struct cbdc_exchange *x, const struct rg_event *event,
                           struct rg_out *out, const char **why)
{
    struct jl_value root;
    if (!read_body(event, &root))
        return not_clear(why, "the error is not a JSON object");
    struct rg_bytes word = word_of(&root);
    const struct error *error = error_of(event->http_status, word);
    out->amount_minor = -1;
    if (x->operation == RG_OP_INQUIRE)
        return event->http_status == 404 && text_is(word, "not_found")
                   ? done(out, RG_OUTCOME_NOT_FOUND, RG_CATEGORY_NONE, word,
                          "The ledger has no such operation.")
                   : not_clear(why, "the inquiry was refused");
    if (error == NULL || error->verdict == VERDICT_OPEN)
        return not_clear(why, "the error does not tell what was booked");
    if (x->what == WHAT_CANCEL && text_is(word, "nothing_locked"))
        return CBDC_LOOK;
    if (error->verdict == VERDICT_DECLINED)
        return done(out, RG_OUTCOME_DECLINED, error->category, word, error->sentence);
    return x->repeat == 0
               ? done(out, RG_OUTCOME_REJECTED, error->category, word, error->sentence)
               : not_clear(why, "a repeat was refused, which says nothing of the first sending");
}

/* --- operations
 * ------------------------------------------------------------------------------------ */
/* A wallet that was asked for by name must be the one in the answer; an alias may be any wallet. */
static uint32_t party_fits(const struct cbdc_text *asked, const struct jl_value *root,
                           const char *name)
{
    struct rg_bytes said = jl_plain(root, name);
    struct rg_bytes want = cbdc_bytes(asked);
    if (said.len > 0 && (!cbdc_is_party(said) || !text_starts(said, "w_")))
        return 0;
    return !text_starts(want, "w_") || text_same(want, said);
}

static const char *check_operation(const struct cbdc_exchange *x, const struct jl_value *root)
{
    if (!text_same(jl_plain(root, "id"), cbdc_bytes(&x->id)))
        return "the answer is about another id";
    if (!text_is(jl_plain(root, "kind"), cbdc_what_name(x->what)))
        return "the answer is about another kind of operation";
    if (x->lock.len > 0 && !text_same(jl_plain(root, "lock"), cbdc_bytes(&x->lock)))
        return "the answer is about another lock";
    if (x->what != WHAT_RELEASE && x->what != WHAT_CANCEL &&
        !text_is(jl_plain(root, "state"), "declined") &&
        (!party_fits(&x->payer, root, "from") || !party_fits(&x->payee, root, "to")))
        return "the answer is about another wallet";
    return NULL;
}

/* Amount and currency as the ledger says; 0 when it says none that could be. */
static uint32_t take_money(const struct cbdc_exchange *x, const struct jl_value *root,
                           struct rg_out *out)
{
    struct jl_value amount;
    int64_t minor = 0;
    struct rg_bytes currency = jl_plain(root, "currency");
    if (!jl_member(root, "amount", &amount) || !jl_integer(&amount, &minor) || minor < 0 ||
        minor > CBDC_AMOUNT_MAX || currency.len != 3)
        return 0;
    out->amount_minor = minor;
    out->currency_number = text_same(currency, (struct rg_bytes){ (const uint8_t *)x->currency, 3 })
                               ? x->currency_number
                               : CURRENCY_FOREIGN;
    return 1;
}

static void take_names(const struct cbdc_exchange *x, const struct jl_value *root,
                       struct rg_out *out)
{
    struct rg_bytes name = jl_plain(root, "ledger_id");
    uint32_t visible = name.len >= 1 && name.len <= 64;
    for (uint64_t i = 0; i < name.len; i++)
        visible = visible && name.ptr[i] > 0x20 && name.ptr[i] < 0x7F;
    if (visible)
        rg_put_bytes(&out->reference, name);
    if (x->what == WHAT_RELEASE || x->what == WHAT_CANCEL)
        return;
    struct rg_bytes from = jl_plain(root, "from"), to = jl_plain(root, "to");
    if (from.len > 0)
        rg_table_put(&out->refs, "payer", from.ptr, from.len, RG_NAMED_SENSITIVE);
    if (to.len > 0)
        rg_table_put(&out->refs, "payee", to.ptr, to.len, RG_NAMED_SENSITIVE);
    struct rg_bytes own = x->side == SIDE_PAYEE ? to : from;
    if (x->side != 0 && own.len > 0 && !text_same(own, cbdc_bytes(&x->own))) /* by an alias */
        rg_table_put(&out->refs, "own_wallet", own.ptr, own.len, 0);
}

/* What a lock has paid so far; 0 when it does not say so in numbers that can be. */
static uint32_t take_released(const struct jl_value *root, int64_t amount_minor,
                              int64_t *released_minor)
{
    struct jl_value released;
    return jl_member(root, "released", &released) && jl_integer(&released, released_minor) &&
           *released_minor >= 0 && *released_minor <= amount_minor;
}

/* A lock that gave everything back is an authorisation that holds nothing: declined. */
static uint32_t read_lock_state(struct rg_bytes state, const struct jl_value *root,
                                struct rg_out *out, const char **why)
{
    int64_t released_minor = 0;
    uint32_t over = text_is(state, "expired") || text_is(state, "canceled");
    if (!take_released(root, out->amount_minor, &released_minor))
        return not_clear(why, "the lock does not say what was released");
    if (text_is(state, "locked") || text_is(state, "released") || (over && released_minor > 0))
        return done(out, RG_OUTCOME_APPROVED, RG_CATEGORY_NONE, state, "The money is locked.");
    if (!over)
        return not_clear(why, "the state of the lock is not known");
    return done(out, RG_OUTCOME_DECLINED, RG_CATEGORY_RESTRICTED, state,
                "The lock is over, the payer has the money back.");
}

static uint32_t read_declined(const struct cbdc_exchange *x, const struct jl_value *root,
                              struct rg_out *out, const char **why)
{
    struct rg_bytes word = word_of(root);
    const struct error *error = error_of(0, word);
    if (error == NULL || error->verdict != VERDICT_DECLINED)
        return not_clear(why, "the ledger does not say why it declined");
    if (x->what == WHAT_CANCEL && text_is(word, "nothing_locked"))
        return CBDC_LOOK;
    return done(out, RG_OUTCOME_DECLINED, error->category, word, error->sentence);
}

static uint32_t read_operation(const struct cbdc_exchange *x, const struct rg_event *event,
                               struct rg_out *out, const char **why)
{
    struct jl_value root;
    if (!read_body(event, &root))
        return not_clear(why, "the answer is not a JSON object");
    *why = check_operation(x, &root);
    if (*why != NULL)
        return CBDC_NOT_CLEAR;
    if (!take_money(x, &root, out))
        return not_clear(why, "the answer's amount or currency is none");
    struct rg_bytes state = jl_plain(&root, "state");
    take_names(x, &root, out);
    if (text_is(state, "declined"))
        return x->operation == RG_OP_INQUIRE ? read_declined(x, &root, out, why)
                                             : not_clear(why, "declined comes with 402");
    if (x->what == WHAT_LOCK)
        return read_lock_state(state, &root, out, why);
    if (text_is(state, x->what == WHAT_CANCEL ? "canceled" : "settled"))
        return done(out, RG_OUTCOME_APPROVED, RG_CATEGORY_NONE, state,
                    x->what == WHAT_CANCEL ? "The rest of the lock went back." : "Settled.");
    return not_clear(why, "the state of the operation is not known");
}

uint32_t cbdc_read_answer(const struct cbdc_exchange *x, const struct rg_event *event,
                          struct rg_out *out, const char **why)
{
    if (event->http_status == 200 || event->http_status == 201)
        return read_operation(x, event, out, why);
    if (event->http_status >= 400 && event->http_status <= 499)
        return read_error(x, event, out, why);
    return not_clear(why, event->http_status >= 500 ? "the ledger reports trouble of its own"
                                                    : "the HTTP status is not one of this API");
}

/* The cancel found nothing locked. When the lock gave its rest back by itself, that is what was
 * wanted; when it was released to the last unit, the cancel came too late. */
uint32_t cbdc_read_lock(const struct cbdc_exchange *x, const struct rg_event *event,
                        struct rg_out *out, const char **why)
{
    struct jl_value root;
    int64_t released_minor = 0;
    if (event->http_status != 200 || !read_body(event, &root) ||
        !text_same(jl_plain(&root, "id"), cbdc_bytes(&x->lock)) ||
        !text_is(jl_plain(&root, "kind"), "lock") || !take_money(x, &root, out) ||
        !take_released(&root, out->amount_minor, &released_minor))
        return not_clear(why, "the answer does not tell the state of the lock");
    struct rg_bytes state = jl_plain(&root, "state");
    out->amount_minor -= released_minor;
    if (text_is(state, "expired") || text_is(state, "canceled")) {
        /* The ledger has no entry of this cancel. */
        rg_table_put(&out->refs, "lock_was", state.ptr, state.len, 0);
        return done(out, RG_OUTCOME_APPROVED, RG_CATEGORY_NONE, state,
                    "The rest of the lock had gone back already.");
    }
    if (text_is(state, "released"))
        return done(out, RG_OUTCOME_DECLINED, RG_CATEGORY_RESTRICTED, state,
                    "All of the lock was paid out.");
    return not_clear(why, "the ledger says that nothing is locked and that something is");
}

/* --- token
 * ------------------------------------------------------------------------------------------- */
uint32_t cbdc_read_token(const struct rg_event *event, struct rg_out *out, const char **why)
{
    struct jl_value root, expires;
    int64_t seconds = 0;
    out->amount_minor = -1;
    if (!read_body(event, &root))
        return not_clear(why, "the answer is not a JSON object");
    if (event->http_status == 401) {
        struct rg_bytes word = word_of(&root);
        const struct error *error = error_of(401, word);
        return error != NULL
                   ? done(out, RG_OUTCOME_DECLINED, error->category, word, error->sentence)
                   : not_clear(why, "the access was refused without a word");
    }
    struct rg_bytes token = jl_plain(&root, "access_token");
    uint32_t good = event->http_status == 200 && token.len >= 1 && token.len <= 512 &&
                    jl_member(&root, "expires_in", &expires) && jl_integer(&expires, &seconds) &&
                    seconds >= 1 && seconds <= 86400;
    for (uint64_t i = 0; i < token.len; i++)
        good = good && token.ptr[i] > 0x20 && token.ptr[i] < 0x7F;
    if (!good)
        return not_clear(why, "the answer has no token that could be used");
    rg_table_put(&out->grants, CBDC_TOKEN_NAME, token.ptr, token.len, RG_NAMED_SENSITIVE);
    /* A little less than it holds, so that it does not end on its way. */
    out->grants_lifetime_s = (uint32_t)(seconds - (seconds >= 300 ? 30 : seconds / 10));
    return done(out, RG_OUTCOME_APPROVED, RG_CATEGORY_NONE, (struct rg_bytes){ NULL, 0 },
                "The ledger gave access.");
}
