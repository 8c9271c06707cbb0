/* judge.c - what an adapter was DONE with, held against what was asked.
 *
 * The rule: an outcome other than UNKNOWN needs an answer in which everything fits. What the other
 * side says it did is compared with the command, here and nowhere else:
 *
 *     currency   said and another one           conflict
 *     amount     not said                       as asked
 *                as asked                       fine
 *                that of the whole original     fine for cancel and reverse, whose messages name it
 *                0 and refused                  fine, nothing moved
 *                less, approved                 partial approval, where the adapter is able to
 *                else                           conflict
 *
 * A conflict is UNKNOWN with a mark: never approved, never declined, a person looks. An outcome or
 * an amount that does not exist is the adapter's mistake and simply UNKNOWN; so is an action for a
 * person where none can be (it belongs to a PENDING authorise or sale), or one without what it
 * needs.
 *
 * Codes, messages and references are for people and records; one that is not text is left out. In
 * messages, which are words, card numbers are masked; codes and references must stay as they are.
 */
#include "channel/channel_int.h"

#include "base/ensure.h"
#include "base/vault.h"

/* The ABI's numbers are ours, the categories' plus one. */
_Static_assert(OUTCOME_APPROVED == RG_OUTCOME_APPROVED && OUTCOME_DECLINED == RG_OUTCOME_DECLINED &&
                   OUTCOME_PENDING == RG_OUTCOME_PENDING &&
                   OUTCOME_REJECTED == RG_OUTCOME_REJECTED &&
                   OUTCOME_NOT_FOUND == RG_OUTCOME_NOT_FOUND &&
                   OUTCOME_NOT_SENT == RG_OUTCOME_NOT_SENT && OUTCOME_UNKNOWN == RG_OUTCOME_UNKNOWN,
               "outcomes cross the border as they are");
_Static_assert(CATEGORY_NONE == RG_CATEGORY_NONE + 1 && CATEGORY_OTHER == RG_CATEGORY_OTHER + 1,
               "categories cross the border plus one");
_Static_assert(OPERATION_AUTHORISE == RG_OP_AUTHORISE && OPERATION_TOKEN == RG_OP_TOKEN,
               "operations cross the border as they are");

_Static_assert(ACTION_SHOW_CODE == RG_ACTION_SHOW_CODE &&
                   ACTION_AUTHENTICATE == RG_ACTION_AUTHENTICATE &&
                   ACTION_REDIRECT == RG_ACTION_REDIRECT &&
                   ACTION_MAKE_TRANSFER == RG_ACTION_TRANSFER,
               "actions cross the border as they are");

#define EXPIRES_S_MAX (366u * 86400u)

const char *channel_action_word(enum channel_action action)
{
    switch (action) {
    case ACTION_SHOW_CODE: return "show_code";
    case ACTION_AUTHENTICATE: return "authenticate";
    case ACTION_REDIRECT: return "redirect";
    case ACTION_MAKE_TRANSFER: return "make_transfer";
    }
    return "?";
}

static struct view text_or_empty(const struct rg_buffer *b)
{
    struct view text = view_of(b->ptr, (size_t)b->len);
    return view_is_utf8(text) ? text : VIEW_EMPTY;
}

static struct view keep(struct writer *w, struct view bytes)
{
    size_t at = w->len;
    writer_view(w, bytes);
    return view_of(w->ptr + at, bytes.len);
}

/* Copies sets and texts out of the workspace into one block of the exchange's own. */
static bool result_copy(struct exchange *exchange)
{
    const struct rg_out *o = &exchange->channel->set->workspace->out;
    struct exchange_result *r = &exchange->result;
    struct view reference = text_or_empty(&o->reference), code = text_or_empty(&o->rail_code),
                message = text_or_empty(&o->message);
    size_t refs_len = table_set_len(&o->refs), extra_len = table_set_len(&o->extra);
    size_t action_len = table_set_len(&o->action_values);
    size_t len = refs_len + extra_len + action_len + reference.len + code.len + message.len;
    vault_free(exchange->result_block);
    exchange->result_block = vault_alloc(len);
    if (exchange->result_block == NULL)
        return false;
    struct writer w = writer_over(exchange->result_block, len);
    table_put_set(&w, &o->refs);
    r->refs = view_of(w.ptr, refs_len);
    table_put_set(&w, &o->extra);
    r->extra = view_of(w.ptr + refs_len, extra_len);
    table_put_set(&w, &o->action_values);
    r->action_values = view_of(w.ptr + refs_len + extra_len, action_len);
    r->reference = keep(&w, reference);
    r->rail_code = keep(&w, code);
    r->message = view_of(w.ptr + w.len, message.len);
    redact_text(&w, message);
    ENSURE(!w.overflow && w.len == len);
    return true;
}

static bool outcome_fits(enum operation operation, uint32_t outcome)
{
    if (outcome < RG_OUTCOME_APPROVED || outcome > RG_OUTCOME_NOT_FOUND)
        return false; /* NOT_SENT and UNKNOWN are not an adapter's to give */
    return outcome != RG_OUTCOME_NOT_FOUND || operation == OPERATION_INQUIRE ||
           operation == OPERATION_REVERSE;
}

static bool has_value(const struct rg_table *table, const char *name)
{
    const struct rg_named *row = rg_find(table->rows, table->count, name);
    return row != NULL && row->value.len > 0;
}

static bool action_fits(enum operation operation, const struct rg_out *o)
{
    bool none = o->action == 0 && o->expires_in_s == 0 && o->action_values.count == 0;
    if (none)
        return true;
    if (o->outcome != RG_OUTCOME_PENDING || o->action > RG_ACTION_TRANSFER ||
        (operation != OPERATION_AUTHORISE && operation != OPERATION_SALE) ||
        o->expires_in_s > EXPIRES_S_MAX)
        return false;
    for (uint64_t i = 0; i < o->action_values.count; i++) { /* they are shown to people */
        struct rg_bytes value = o->action_values.rows[i].value;
        if (!view_is_utf8(view_of(value.ptr, (size_t)value.len)))
            return false;
    }
    switch (o->action) {
    case 0: return o->action_values.count == 0; /* it may expire without anybody's doing anything */
    case RG_ACTION_SHOW_CODE: return has_value(&o->action_values, "payload");
    case RG_ACTION_REDIRECT: return has_value(&o->action_values, "url");
    default: return true;
    }
}

static bool refers_to_original(enum operation operation)
{
    return operation == OPERATION_CANCEL || operation == OPERATION_REVERSE;
}

/* False: conflict. */
static bool amount_fits(const struct exchange *exchange, const struct rg_out *o, int64_t *approved)
{
    const struct exchange_command *c = &exchange->command;
    int64_t asked = c->operation == OPERATION_INQUIRE ? c->original_minor : c->amount_minor;
    if (asked == 0 && refers_to_original(c->operation))
        asked = c->original_minor;
    *approved = asked;
    if (o->amount_minor == -1 || o->amount_minor == asked)
        return true;
    if (refers_to_original(c->operation) && o->amount_minor == c->original_minor)
        return true;
    bool moved = o->outcome == RG_OUTCOME_APPROVED || o->outcome == RG_OUTCOME_PENDING;
    if (!moved && o->amount_minor == 0)
        return true;
    *approved = o->amount_minor;
    return o->outcome == RG_OUTCOME_APPROVED && (exchange->able & RG_ABLE_PARTIAL_APPROVAL) != 0 &&
           o->amount_minor > 0 && o->amount_minor < asked;
}

static enum category category_of(const struct rg_out *o)
{
    if (o->outcome == RG_OUTCOME_APPROVED || o->outcome == RG_OUTCOME_PENDING)
        return CATEGORY_NONE;
    if (o->category == RG_CATEGORY_NONE || o->category > RG_CATEGORY_OTHER)
        return CATEGORY_OTHER;
    return (enum category)(o->category + 1);
}

void judge_host(struct exchange *exchange, enum outcome outcome)
{
    ENSURE(outcome == OUTCOME_NOT_SENT || outcome == OUTCOME_UNKNOWN);
    vault_free(exchange->result_block);
    exchange->result_block = NULL;
    exchange->result = (struct exchange_result){
        .outcome = outcome,
        .category = CATEGORY_UNAVAILABLE,
        .diagnosis = view_of(exchange->diagnosis, exchange->diagnosis_len),
    };
}

static void conflict(struct exchange *exchange, const char *diagnosis)
{
    exchange_diagnose(exchange, diagnosis);
    struct exchange_result *r = &exchange->result;
    r->outcome = OUTCOME_UNKNOWN;
    r->conflict = true;
    r->category = CATEGORY_OTHER;
    r->amount_minor = 0;
    r->action = 0;
    r->expires_in_s = 0;
    r->action_values = VIEW_EMPTY;
    r->diagnosis = view_of(exchange->diagnosis, exchange->diagnosis_len);
}

void judge_done(struct exchange *exchange)
{
    const struct exchange_command *c = &exchange->command;
    const struct rg_out *o = &exchange->channel->set->workspace->out;
    if (!outcome_fits(c->operation, o->outcome) || o->amount_minor < -1) {
        exchange_diagnose(exchange,
                          "the adapter answered with an outcome or amount that cannot be");
        judge_host(exchange, OUTCOME_UNKNOWN);
        return;
    }
    if (!action_fits(c->operation, o)) {
        exchange_diagnose(exchange, "the adapter asks a person for an action that cannot be");
        judge_host(exchange, OUTCOME_UNKNOWN);
        return;
    }
    exchange->result = (struct exchange_result){
        .outcome = (enum outcome)o->outcome,
        .category = category_of(o),
        .action = (enum channel_action)o->action,
        .expires_in_s = o->expires_in_s,
    };
    /* Without memory nothing says what the answer is about, and it can be asked for again. Nobody
     * asks again for a late one: what it says of money needs no memory, its texts are left out. */
    if (!result_copy(exchange) && exchange->state != EXCHANGE_LATE) {
        exchange_diagnose(exchange, "memory is out while the answer is read");
        judge_host(exchange, OUTCOME_UNKNOWN);
        return;
    }
    if (!exchange_is_payment(exchange))
        return; /* no money in it */
    int64_t approved = 0;
    if (o->currency_number != 0 &&
        (c->currency == NULL || o->currency_number != c->currency->number))
        conflict(exchange, "the answer is about another currency than was asked for");
    else if (!amount_fits(exchange, o, &approved))
        conflict(exchange, "the answer is about another amount than was asked for");
    else if (o->outcome == RG_OUTCOME_APPROVED)
        exchange->result.amount_minor = approved;
}

/* --- grants ---------------------------------------------------------------------------------- */

/* One row: name of the wrapping key, zero byte, length of the check value, check value, key. */
static enum status grant_unwrap(const struct link *link, const struct rg_named *row,
                                uint64_t *setting, struct secret_key **out, struct writer *why)
{
    const struct channel *channel = link->channel;
    struct view name = view_of(row->name.ptr, (size_t)row->name.len);
    struct secret_key *old = link_key(link, channel, name, setting);
    if (old == NULL) {
        writer_text(why, "it grants a key that the channel does not have");
        return STATUS_NOT_FOUND;
    }
    struct view value = view_of(row->value.ptr, (size_t)row->value.len);
    struct cursor c = cursor_over(value);
    struct view wrapping_name, kcv, wrapped;
    uint8_t zero = 0, kcv_len = 0;
    enum status s = cursor_take(&c, view_find(value, 0), &wrapping_name);
    if (s == STATUS_OK)
        s = cursor_u8(&c, &zero);
    if (s == STATUS_OK)
        s = cursor_u8(&c, &kcv_len);
    if (s == STATUS_OK)
        s = cursor_take(&c, kcv_len, &kcv);
    wrapped = cursor_rest(&c);
    if (s != STATUS_OK || (kcv_len != 0 && kcv_len != 3) || wrapped.len == 0) {
        writer_text(why, "the granted key is not laid out as it must be");
        return STATUS_MALFORMED;
    }
    struct secret_key *wrapping = link_key(link, channel, wrapping_name, NULL);
    if (wrapping == NULL) {
        writer_text(why, "the granted key is wrapped under a key that the channel does not have");
        return STATUS_NOT_FOUND;
    }
    s = secret_unwrap(wrapping, secret_kind_of(old), wrapped, kcv, out);
    if (s != STATUS_OK)
        writer_text(why, "the granted key cannot be unwrapped, or its check value differs");
    return s;
}

enum status judge_grants(struct link *link, const struct rg_table *grants, struct writer *why)
{
    struct secret_key *fresh[SETTINGS_ROWS_MAX] = { NULL };
    enum status s = STATUS_OK;
    for (uint64_t i = 0; i < grants->count && s == STATUS_OK; i++) {
        uint64_t setting = 0;
        struct secret_key *key = NULL;
        s = grant_unwrap(link, &grants->rows[i], &setting, &key, why);
        if (s == STATUS_OK && fresh[setting] != NULL) {
            secret_key_close(key);
            writer_text(why, "it grants the same key twice");
            s = STATUS_EXISTS;
        } else if (s == STATUS_OK) {
            fresh[setting] = key;
        }
    }
    for (size_t i = 0; i < SETTINGS_ROWS_MAX; i++) {
        if (fresh[i] == NULL)
            continue;
        if (s != STATUS_OK) {
            secret_key_close(fresh[i]);
            continue;
        }
        if (link->granted[i] != NULL)
            secret_key_close(link->granted[i]);
        link->granted[i] = fresh[i];
    }
    if (s == STATUS_OK && grants->count > 0)
        link->key_generation = ++link->channel->key_generations;
    return s;
}
