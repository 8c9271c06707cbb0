/* cbdc_control.c - the control port's side of the brain.
 *
 *     POST /wallets         {"wallet","alias"?,"tier","balance_minor"?,"blocked"?,"purposes"?}
 *     POST /wallets/change  {"wallet","tier"?,"blocked"?,"purposes"?: added}
 *     POST /day             the next day: what was spent counts from zero
 *     POST /expire          {"id"?}: this lock, or every lock, expires now
 *     POST /tokens/drop     every access token is refused from now on
 *     GET  /check           replays all entries against the balances
 */
#include "cbdc_int.h"

#include "base/ensure.h"

#define ACCOUNT_JSON_MAX 1280
#define ENTRY_JSON_MAX   1024

static enum status refuse(struct writer *why, const char *sentence)
{
    writer_text(why, sentence);
    return STATUS_MALFORMED;
}

static struct cbdc *cbdc_of(void *brain)
{
    struct cbdc *c = brain;
    ENSURE_MAGIC(c, CBDC_MAGIC);
    return c;
}

/* --- commands ----------------------------------------------------------------------------------
 */
/* What may be said of a wallet, read whole before anything changes. */
struct wallet_words {
    struct view name, alias;
    enum cbdc_tier tier;
    bool has_tier, has_blocked, blocked;
    int64_t opening_minor;
    struct view purposes[CBDC_PURPOSES_MAX];
    unsigned purpose_count;
};

static enum status read_purposes(const struct json_node *list, struct wallet_words *words,
                                 struct writer *why)
{
    if (list == NULL)
        return STATUS_OK;
    if (list->kind != JSON_ARRAY || list->count > CBDC_PURPOSES_MAX)
        return refuse(why, "purposes: at most 8 texts");
    for (JSON_EACH(item, list)) {
        struct view *purpose = &words->purposes[words->purpose_count++];
        if (json_text(item, purpose) != STATUS_OK || !cbdc_is_purpose(*purpose))
            return refuse(why, "purposes: each is 1 to 64 of a-z, 0-9 and _");
    }
    return STATUS_OK;
}

static enum status read_wallet(const struct json_node *body, struct wallet_words *words,
                               struct writer *why)
{
    static const char *const KNOWN[] = { "wallet",        "alias",   "tier",
                                         "balance_minor", "blocked", "purposes" };
    struct view tier = VIEW_EMPTY;
    *words = (struct wallet_words){ .tier = CBDC_TIER_BASIC };
    if (body == NULL || body->kind != JSON_OBJECT ||
        json_unknown(body, KNOWN, COUNT_OF(KNOWN), NULL) != NULL)
        return refuse(why, "not a wallet: wallet, alias, tier, balance_minor, blocked, purposes");
    if (json_text(json_member(body, "wallet"), &words->name) != STATUS_OK)
        return refuse(why, "wallet: must be text");
    if (json_member(body, "alias") != NULL &&
        json_text(json_member(body, "alias"), &words->alias) != STATUS_OK)
        return refuse(why, "alias: must be text");
    words->has_tier = json_member(body, "tier") != NULL;
    if (words->has_tier && (json_text(json_member(body, "tier"), &tier) != STATUS_OK ||
                            cbdc_tier_of(tier, &words->tier) != STATUS_OK))
        return refuse(why, "tier: basic, standard, full or business");
    if (json_member(body, "balance_minor") != NULL &&
        json_i64(json_member(body, "balance_minor"), &words->opening_minor) != STATUS_OK)
        return refuse(why, "balance_minor: must be an integer");
    words->has_blocked = json_member(body, "blocked") != NULL;
    if (words->has_blocked && json_bool(json_member(body, "blocked"), &words->blocked) != STATUS_OK)
        return refuse(why, "blocked: must be true or false");
    return read_purposes(json_member(body, "purposes"), words, why);
}

static void write_account(struct json_out *j, struct cbdc *c, uint32_t wallet)
{
    const struct cbdc_wallet *w = cbdc_wallet_at(c->books, wallet);
    json_open_object(j, NULL);
    json_put_text(j, "wallet", view_text(w->name));
    json_put_text_if(j, "alias", view_text(w->alias));
    json_put_text(j, "tier", view_text(cbdc_tier_name(w->tier)));
    cbdc_write_limits(j, w->tier);
    json_put_text(j, "state", w->blocked ? VIEW("blocked") : VIEW("active"));
    json_put_i64(j, "opening_minor", w->opening_minor);
    json_put_i64(j, "balance_minor", w->balance_minor);
    json_put_i64(j, "locked_minor", w->locked_minor);
    json_put_i64(j, "spent_today_minor", cbdc_wallet_spent(c->books, w));
    cbdc_write_purposes(j, w);
    json_close_object(j);
}

static void add_purposes(struct cbdc_wallet *w, const struct wallet_words *words)
{
    for (unsigned i = 0; i < words->purpose_count; i++)
        IGNORE_STATUS(cbdc_wallet_allow(w, words->purposes[i])); /* the ninth is left out */
}

static enum status command_add(struct cbdc *c, const struct json_node *body, struct json_out *out,
                               struct writer *why)
{
    struct wallet_words words;
    uint32_t wallet = 0;
    TRY(read_wallet(body, &words, why));
    enum status added = cbdc_wallet_add(c->books, words.name, words.alias, words.tier,
                                        words.opening_minor, &wallet);
    if (added != STATUS_OK) {
        writer_format(why, "the wallet cannot be added: %s", status_text(added));
        return added;
    }
    struct cbdc_wallet *w = cbdc_wallet_at(c->books, wallet);
    w->blocked = words.blocked;
    add_purposes(w, &words);
    write_account(out, c, wallet);
    return STATUS_OK;
}

static enum status command_change(struct cbdc *c, const struct json_node *body,
                                  struct json_out *out, struct writer *why)
{
    struct wallet_words words;
    TRY(read_wallet(body, &words, why));
    uint32_t wallet = cbdc_wallet_find(c->books, words.name);
    if (wallet == CBDC_NO_WALLET)
        return refuse(why, "there is no such wallet");
    struct cbdc_wallet *w = cbdc_wallet_at(c->books, wallet);
    if (words.has_tier)
        w->tier = words.tier; /* what it holds over a new limit it keeps */
    if (words.has_blocked)
        w->blocked = words.blocked;
    add_purposes(w, &words);
    write_account(out, c, wallet);
    return STATUS_OK;
}

static enum status command_expire(struct cbdc *c, const struct json_node *body, int64_t now_us,
                                  struct json_out *out, struct writer *why)
{
    struct view id = VIEW_EMPTY;
    int64_t expired = 0, wall_us = cbdc_wall_us(c, now_us);
    uint64_t count = cbdc_entry_count(c->books);
    if (json_member(body, "id") != NULL && json_text(json_member(body, "id"), &id) != STATUS_OK)
        return refuse(why, "id: must be text");
    for (uint64_t n = 1; n <= count; n++) {
        struct cbdc_entry *e = cbdc_entry_at(c->books, n);
        if (id.len == 0 || view_is(id, e->id))
            expired += cbdc_expire(c->books, e, wall_us);
    }
    json_open_object(out, NULL);
    json_put_i64(out, "expired", expired);
    json_close_object(out);
    return STATUS_OK;
}

enum status cbdc_command(void *brain, struct view method, struct view path,
                         const struct json_node *body, int64_t now_us, struct json_out *out,
                         struct writer *why)
{
    struct cbdc *c = cbdc_of(brain);
    bool post = view_is(method, "POST");
    cbdc_advance(c, now_us);
    if (post && view_is(path, "/wallets"))
        return command_add(c, body, out, why);
    if (post && view_is(path, "/wallets/change"))
        return command_change(c, body, out, why);
    if (post && view_is(path, "/expire"))
        return command_expire(c, body, now_us, out, why);
    if (post && view_is(path, "/day")) {
        cbdc_next_day(c->books);
    } else if (post && view_is(path, "/tokens/drop")) {
        memset(c->tokens, 0, sizeof c->tokens);
    } else if (!(view_is(method, "GET") && view_is(path, "/check"))) {
        return STATUS_NOT_FOUND;
    }
    struct cbdc_sums sums = cbdc_add_up(c->books);
    json_open_object(out, NULL);
    json_put_i64(out, "day", (int64_t)cbdc_day(c->books));
    if (!post) {
        json_put_bool(out, "balanced", cbdc_balanced(&sums));
        json_put_bool(out, "replayed", cbdc_replay(c->books));
    }
    json_close_object(out);
    return STATUS_OK;
}

/* --- settings ----------------------------------------------------------------------------------
 */
/* NUMBER(member, low, high, at the start) */
#define NUMBERS(NUMBER)                                                                            \
    NUMBER(token_s, 1, 86400, 3600)                                                                \
    NUMBER(lock_max_s, 1, 31536000, 2592000)                                                       \
    NUMBER(day_s, 0, 31536000, 86400)                                                              \
    NUMBER(slow_ms, 0, 86400000, 30000)

void cbdc_settings_init(struct cbdc_settings *s)
{
    *s = (struct cbdc_settings){ .currency = "EUR", .token_required = true };
#define NUMBER(name, low, high, start) s->name = (start);
    NUMBERS(NUMBER)
#undef NUMBER
}

static bool is_currency(struct view text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 'A' || text.ptr[i] > 'Z')
            return false;
    return text.len == 3;
}

static enum status read_settings(const struct cbdc *c, const struct json_node *object,
                                 struct cbdc_settings *s, struct writer *why)
{
    struct view currency = VIEW_EMPTY;
    static const char *const KNOWN[] = { "currency", "token_required",
#define NUMBER(name, low, high, start) #name,
                                         NUMBERS(NUMBER)
#undef NUMBER
    };
    const struct json_node *node = NULL;
    if (object->kind != JSON_OBJECT || json_unknown(object, KNOWN, COUNT_OF(KNOWN), NULL) != NULL)
        return refuse(why, "settings: a member that is not known");
#define NUMBER(name, low, high, start)                                                             \
    node = json_member(object, #name);                                                             \
    if (node != NULL &&                                                                            \
        (json_i64(node, &s->name) != STATUS_OK || s->name < (low) || s->name > (high)))            \
        return refuse(why, #name ": not an integer from " #low " to " #high);
    NUMBERS(NUMBER)
#undef NUMBER
    node = json_member(object, "token_required");
    if (node != NULL && json_bool(node, &s->token_required) != STATUS_OK)
        return refuse(why, "token_required: must be true or false");
    node = json_member(object, "currency");
    if (node == NULL)
        return STATUS_OK;
    if (json_text(node, &currency) != STATUS_OK || !is_currency(currency))
        return refuse(why, "currency: three letters, as EUR");
    if (!view_is(currency, c->settings.currency) && cbdc_entry_count(c->books) > 0)
        return refuse(why, "currency: something is booked already, reset first");
    return view_to_text(currency, s->currency, sizeof s->currency);
}

/* {"client": "hexadecimal key", ...} */
static enum status read_keys(const struct json_node *object, struct cbdc *trial, struct writer *why)
{
    if (object->kind != JSON_OBJECT)
        return refuse(why, "keys: an object of client and key");
    for (JSON_EACH(item, object)) {
        struct view hex = VIEW_EMPTY;
        uint8_t key[CBDC_KEY_MAX];
        size_t len = 0;
        if (json_text(item, &hex) != STATUS_OK ||
            hex_decode(hex, key, sizeof key, &len) != STATUS_OK ||
            cbdc_client_set(trial, item->key, view_of(key, len)) != STATUS_OK)
            return refuse(why, "keys: at most 8 clients, each with 1 to 64 bytes in hexadecimal");
    }
    return STATUS_OK;
}

enum status cbdc_set(void *brain, const struct json_node *settings, const struct json_node *keys,
                     int64_t now_us, struct writer *why)
{
    struct cbdc *c = cbdc_of(brain);
    struct cbdc trial = *c; /* all of it or nothing */
    cbdc_advance(c, now_us);
    if (settings != NULL)
        TRY(read_settings(c, settings, &trial.settings, why));
    if (keys != NULL)
        TRY(read_keys(keys, &trial, why));
    if (trial.settings.day_s != c->settings.day_s)
        c->day_ends_us =
            trial.settings.day_s > 0 ? now_us + trial.settings.day_s * 1000000 : INT64_MAX;
    c->settings = trial.settings;
    memcpy(c->clients, trial.clients, sizeof c->clients);
    c->client_count = trial.client_count;
    return STATUS_OK;
}

void cbdc_write_settings(const void *brain, struct json_out *out)
{
    const struct cbdc *c = brain;
    ENSURE_MAGIC(c, CBDC_MAGIC);
    json_put_text(out, "currency", view_text(c->settings.currency));
    json_put_bool(out, "token_required", c->settings.token_required);
#define NUMBER(name, low, high, start) json_put_i64(out, #name, c->settings.name);
    NUMBERS(NUMBER)
#undef NUMBER
}

/* --- books -------------------------------------------------------------------------------------
 */
static void write_entry(struct json_out *j, struct cbdc *c, const struct cbdc_entry *e)
{
    json_open_object(j, NULL);
    json_put_i64(j, "number", (int64_t)e->number);
    json_put_text(j, "kind", view_text(cbdc_kind_name(e->kind)));
    json_put_text(j, "id", view_text(e->id));
    json_put_text(j, "client", view_text(e->client));
    json_put_text_if(
        j, "from",
        view_text(e->from != CBDC_NO_WALLET ? cbdc_wallet_at(c->books, e->from)->name : NULL));
    json_put_text_if(
        j, "to", view_text(e->to != CBDC_NO_WALLET ? cbdc_wallet_at(c->books, e->to)->name : NULL));
    json_put_i64(j, "amount_minor", e->amount_minor);
    json_put_text(j, "currency", view_text(c->settings.currency));
    json_put_text(j, "state", view_text(cbdc_state_name(e->state)));
    if (e->refusal != CBDC_FINE)
        json_put_text(j, "error", view_text(cbdc_refusal_word(e->refusal)));
    if (e->lock > 0)
        json_put_text(j, "lock", view_text(cbdc_entry_at(c->books, e->lock)->id));
    if (e->kind == CBDC_LOCK) {
        json_put_i64(j, "locked_minor", e->locked_minor);
        json_put_i64(j, "released_minor", e->released_minor);
        json_put_text(j, "releaser", view_text(e->releaser));
        json_put_i64(j, "expires_at", e->expires_us / 1000000);
    }
    json_put_text_if(j, "purpose", view_text(e->purpose));
    json_put_i64(j, "arrivals", e->arrivals);
    json_put_time(j, "time", e->at_us);
    json_close_object(j);
}

static void write_totals(struct json_out *j, struct cbdc *c)
{
    struct cbdc_sums sums = cbdc_add_up(c->books);
    ENSURE(cbdc_balanced(&sums)); /* double entry: else every figure below is worth nothing */
    json_open_object(j, "totals");
    json_put_i64(j, "opening_minor", sums.opening_minor);
    json_put_i64(j, "issued_minor", sums.issued_minor);
    json_put_i64(j, "redeemed_minor", sums.redeemed_minor);
    json_put_i64(j, "balances_minor", sums.balances_minor);
    json_put_i64(j, "locked_minor", sums.locked_minor);
    json_put_text(j, "currency", view_text(c->settings.currency));
    json_put_bool(j, "balanced", true);
    json_put_i64(j, "day", (int64_t)cbdc_day(c->books));
    json_put_i64(j, "entries", (int64_t)cbdc_entry_count(c->books));
    json_close_object(j);
}

/* The same for room and writing: how many entries that is. */
static uint64_t ledger_end(const struct cbdc *c, uint64_t *from, size_t limit)
{
    uint64_t count = cbdc_entry_count(c->books);
    *from = *from > 0 ? *from : 1;
    uint64_t left = *from <= count ? count - *from + 1 : 0;
    return *from + (limit < left ? limit : left);
}

size_t cbdc_ledger_room(const void *brain, uint64_t from, size_t limit)
{
    const struct cbdc *c = brain;
    ENSURE_MAGIC(c, CBDC_MAGIC);
    uint64_t end = ledger_end(c, &from, limit);
    return 1024 + cbdc_wallet_count(c->books) * (size_t)ACCOUNT_JSON_MAX +
           (size_t)(end - from) * ENTRY_JSON_MAX;
}

void cbdc_write_ledger(const void *brain, struct json_out *out, uint64_t from, size_t limit)
{
    /* Adding up and looking at changes nothing; the ledger's functions are one set for both. */
    struct cbdc *c = cbdc_of((void *)(uintptr_t)brain);
    uint64_t end = ledger_end(c, &from, limit);
    json_open_object(out, NULL);
    write_totals(out, c);
    json_open_array(out, "accounts");
    for (uint32_t i = 0; i < cbdc_wallet_count(c->books); i++)
        write_account(out, c, i);
    json_close_array(out);
    json_open_array(out, "entries");
    for (uint64_t n = from; n < end; n++)
        write_entry(out, c, cbdc_entry_at(c->books, n));
    json_close_array(out);
    if (end <= cbdc_entry_count(c->books))
        json_put_i64(out, "next", (int64_t)end);
    else
        json_put_null(out, "next");
    json_close_object(out);
}

void cbdc_write_stats(const void *brain, struct json_out *out)
{
    const struct cbdc *c = brain;
    ENSURE_MAGIC(c, CBDC_MAGIC);
    const struct cbdc_stats *s = &c->stats;
    json_put_i64(out, "tokens", s->tokens);
    json_put_i64(out, "refused_401", s->refused_401);
    json_put_i64(out, "booked", s->booked);
    json_put_i64(out, "declined", s->declined);
    json_put_i64(out, "again", s->again);
    json_put_i64(out, "id_reused", s->id_reused);
    json_put_i64(out, "malformed", s->malformed);
    json_put_i64(out, "troubled", s->troubled);
}
