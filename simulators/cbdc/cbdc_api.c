/* cbdc_api.c - the core API: a request finds its route, its body becomes an ask, the ledger books
 * or refuses it, and the entry is written as the answer. A repeat is answered from the entry of the
 * first arrival; so what an answer says may only depend on what an entry keeps.
 *
 *     route -> token -> body -> known id? -> magic amount -> cbdc_book -> answer
 */
#include "cbdc_int.h"

#include "base/ensure.h"

#define BODY_ARENA_MAX ((size_t)256 * 1024)

/* --- magic amounts --------------------------------------------------------------------------- */
enum trouble {
    TROUBLE_NONE = 1,
    TROUBLE_NOT_BOOKED_500,
    TROUBLE_NOT_BOOKED_503,
    TROUBLE_BOOKED_500,
    TROUBLE_WRONG_AMOUNT,
    TROUBLE_WRONG_CURRENCY,
    TROUBLE_WRONG_ID,
    TROUBLE_NOT_JSON,
    TROUBLE_SLOW,
};
static const struct magic {
    unsigned tail;
    enum cbdc_refusal refusal;
    enum trouble trouble;
} MAGIC[] = {
#define REFUSE(tail, refusal)  { tail, CBDC_##refusal, TROUBLE_NONE },
#define TROUBLE(tail, trouble) { tail, CBDC_FINE, TROUBLE_##trouble },
#include "magic_amounts.def"
#undef REFUSE
#undef TROUBLE
};

static struct magic magic_of(int64_t amount_minor)
{
    for (size_t i = 0; i < COUNT_OF(MAGIC); i++)
        if (amount_minor % 10000 == MAGIC[i].tail)
            return MAGIC[i];
    return (struct magic){ 0, CBDC_FINE, TROUBLE_NONE };
}

/* --- a call: one request on its way ------------------------------------------------------------
 */
struct call {
    struct cbdc *c;
    const struct sim_request *request;
    struct sim_answer *answer;
    int64_t now_us, wall_us;
    unsigned client;
    struct view lock; /* of the path: the lock, operation, wallet or alias named */
    const struct json_node *body;
    struct json_out out;
};

static void refuse(struct call *call, enum cbdc_refusal refusal)
{
    call->answer->http_status = cbdc_refusal_http(refusal);
    json_open_object(&call->out, NULL);
    json_put_text(&call->out, "error", view_text(cbdc_refusal_word(refusal)));
    json_put_text(&call->out, "message", view_text(cbdc_refusal_sentence(refusal)));
    json_close_object(&call->out);
}

static const char *wallet_name(struct call *call, uint32_t wallet)
{
    return wallet != CBDC_NO_WALLET ? cbdc_wallet_at(call->c->books, wallet)->name : "";
}

/* `first`: as it was answered the first time; else as things stand now. */
enum tense { TENSE_FIRST = 1, TENSE_NOW };

static void write_lock(struct call *call, const struct cbdc_entry *e, enum tense tense)
{
    struct json_out *j = &call->out;
    json_put_text(j, "releaser", view_text(e->releaser));
    json_put_i64(j, "expires_at", e->expires_us / 1000000);
    json_put_i64(j, "locked", tense == TENSE_FIRST ? e->amount_minor : e->locked_minor);
    json_put_i64(j, "released", tense == TENSE_FIRST ? 0 : e->released_minor);
}

static void write_operation(struct call *call, const struct cbdc_entry *e, enum tense tense,
                            enum trouble trouble)
{
    struct json_out *j = &call->out;
    enum cbdc_state state = e->kind == CBDC_LOCK && e->refusal == CBDC_FINE && tense == TENSE_FIRST
                                ? CBDC_LOCKED
                                : e->state;
    uint8_t number[24];
    struct writer w = writer_over(number, sizeof number);
    writer_text(&w, "cb-");
    writer_u64_padded(&w, e->number, 12);
    json_open_object(j, NULL);
    json_put_text(j, "id", trouble == TROUBLE_WRONG_ID ? VIEW("somebody-elses") : view_text(e->id));
    json_put_text(j, "kind", view_text(cbdc_kind_name(e->kind)));
    json_put_text(j, "state", view_text(cbdc_state_name(state)));
    json_put_i64(j, "amount", e->amount_minor + (trouble == TROUBLE_WRONG_AMOUNT));
    json_put_text(j, "currency",
                  trouble == TROUBLE_WRONG_CURRENCY ? VIEW("XTS")
                                                    : view_text(call->c->settings.currency));
    json_put_text_if(j, "from", view_text(wallet_name(call, e->from)));
    json_put_text_if(j, "to", view_text(wallet_name(call, e->to)));
    json_put_text(j, "ledger_id", writer_done(&w));
    if (e->lock > 0) {
        json_put_text(j, "lock", view_text(cbdc_entry_at(call->c->books, e->lock)->id));
        if (e->refusal == CBDC_FINE)
            json_put_i64(j, "locked", e->locked_minor);
    }
    if (e->kind == CBDC_LOCK && e->refusal == CBDC_FINE)
        write_lock(call, e, tense);
    if (e->refusal != CBDC_FINE)
        json_put_text(j, "error", view_text(cbdc_refusal_word(e->refusal)));
    json_close_object(j);
}

/* The answer to a request that booked, now or earlier. */
static void answer_entry(struct call *call, const struct cbdc_entry *e, enum trouble trouble)
{
    if (trouble != TROUBLE_NONE)
        call->c->stats.troubled++;
    if (trouble == TROUBLE_BOOKED_500) {
        refuse(call, CBDC_INTERNAL);
        return;
    }
    if (trouble == TROUBLE_NOT_JSON) {
        call->answer->http_status = 201;
        writer_text(&call->answer->body, "{\"id\":\"");
        return;
    }
    if (trouble == TROUBLE_SLOW)
        call->answer->delay_us = call->c->settings.slow_ms * 1000;
    if (e->refusal != CBDC_FINE) {
        refuse(call, e->refusal);
        return;
    }
    call->answer->http_status = e->kind == CBDC_CANCEL ? 200 : 201;
    write_operation(call, e, TENSE_FIRST, trouble);
}

/* --- reading a body ----------------------------------------------------------------------------
 */
static bool is_id(struct view id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = (char)id.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '_' && c != '-')
            return false;
    }
    return id.len >= 1 && id.len <= CBDC_ID_MAX;
}

/* Text that must be there, 1 to `longest` bytes without NUL. */
static bool take(const struct json_node *body, const char *name, size_t longest, struct view *out)
{
    const struct json_node *node = json_member(body, name);
    return json_text(node, out) == STATUS_OK && out->len >= 1 && out->len <= longest &&
           !node->has_nul;
}

#define MEMBERS_MAX 10
static const struct route {
    const char *method, *path; /* '*' stands for one part of the path */
    enum cbdc_kind kind;       /* of what books, else 0 */
    const char *from, *to;     /* members that name wallets */
    const char *members[MEMBERS_MAX];
    void (*run)(struct call *call, const struct route *route);
} ROUTES[];

static enum cbdc_refusal read_money(struct call *call, struct cbdc_ask *ask)
{
    struct view currency = VIEW_EMPTY;
    const struct json_node *amount = json_member(call->body, "amount");
    if (json_i64(amount, &ask->amount_minor) != STATUS_OK || ask->amount_minor < 1 ||
        ask->amount_minor > CBDC_AMOUNT_MAX)
        return CBDC_AMOUNT;
    call->answer->amount_minor = ask->amount_minor;
    if (ask->kind == CBDC_RELEASE)
        return CBDC_FINE;
    return take(call->body, "currency", 3, &currency) &&
                   view_is(currency, call->c->settings.currency)
               ? CBDC_FINE
               : CBDC_CURRENCY;
}

static enum cbdc_refusal read_optional(struct call *call, struct cbdc_ask *ask)
{
    struct view reference = VIEW_EMPTY;
    if (json_member(call->body, "purpose") != NULL &&
        (!take(call->body, "purpose", CBDC_PURPOSE_MAX, &ask->purpose) ||
         !cbdc_is_purpose(ask->purpose)))
        return CBDC_PURPOSE;
    if (json_member(call->body, "reference") != NULL &&
        !take(call->body, "reference", CBDC_REFERENCE_MAX, &reference))
        return CBDC_REFERENCE;
    return CBDC_FINE;
}

static enum cbdc_refusal read_expiry(struct call *call, struct cbdc_ask *ask)
{
    int64_t at_s = 0, now_s = call->wall_us / 1000000;
    if (json_i64(json_member(call->body, "expires_at"), &at_s) != STATUS_OK || at_s <= now_s ||
        at_s - now_s > call->c->settings.lock_max_s)
        return CBDC_EXPIRES_AT;
    ask->expires_us = at_s * 1000000;
    return CBDC_FINE;
}

/* What two requests of one id must have in common: the path and every member, whatever their order.
 */
static enum status fingerprint(struct call *call, const struct route *route, struct cbdc_ask *ask)
{
    uint8_t text[2048];
    struct writer w = writer_over(text, sizeof text);
    writer_view(&w, call->request->target);
    for (size_t i = 0; i < MEMBERS_MAX && route->members[i] != NULL; i++) {
        const struct json_node *node = json_member(call->body, route->members[i]);
        writer_u8(&w, node != NULL ? (uint8_t)node->kind : 0);
        writer_u16_be(&w, node != NULL ? (uint16_t)node->text.len : 0);
        if (node != NULL)
            writer_view(&w, node->text);
    }
    TRY(writer_status(&w));
    cbdc_sha256(writer_done(&w), ask->content);
    return STATUS_OK;
}

/* Everything that a request may have wrong before the ledger is asked. */
static enum cbdc_refusal read_ask(struct call *call, const struct route *route,
                                  struct cbdc_ask *ask)
{
    enum cbdc_refusal refusal = CBDC_FINE;
    size_t known = 0;
    while (known < MEMBERS_MAX && route->members[known] != NULL)
        known++;
    if (call->body == NULL || call->body->kind != JSON_OBJECT ||
        json_unknown(call->body, route->members, known, NULL) != NULL ||
        !take(call->body, "id", CBDC_ID_MAX, &ask->id) || !is_id(ask->id) ||
        (route->from != NULL && !take(call->body, route->from, 70, &ask->from)) ||
        (route->to != NULL && !take(call->body, route->to, 70, &ask->to)) ||
        (ask->kind == CBDC_LOCK &&
         !take(call->body, "releaser", CBDC_CLIENT_MAX, &ask->releaser)) ||
        fingerprint(call, route, ask) != STATUS_OK)
        return CBDC_MALFORMED;
    if (!view_equal(cbdc_header(call->request->headers, "idempotency-key"), ask->id))
        return CBDC_IDEMPOTENCY_KEY;
    if (ask->kind != CBDC_CANCEL)
        refusal = read_money(call, ask);
    return refusal == CBDC_FINE ? read_optional(call, ask) : refusal;
}

/* --- routes ------------------------------------------------------------------------------------
 */
static void run_again(struct call *call, const struct cbdc_ask *ask, struct cbdc_entry *e)
{
    if (memcmp(e->content, ask->content, sizeof e->content) != 0) {
        call->c->stats.id_reused++;
        refuse(call, CBDC_ID_REUSED);
        return;
    }
    e->arrivals++;
    call->c->stats.again++;
    answer_entry(call, e, TROUBLE_NONE);
}

static void run_booking(struct call *call, const struct route *route)
{
    struct cbdc *c = call->c;
    struct cbdc_entry *e = NULL;
    struct cbdc_ask ask = { .kind = route->kind,
                            .client = view_text(c->clients[call->client].name),
                            .lock = call->lock,
                            .wish = CBDC_FINE };
    enum cbdc_refusal refusal = read_ask(call, route, &ask);
    if (refusal != CBDC_FINE) {
        c->stats.malformed++;
        refuse(call, refusal);
        return;
    }
    e = cbdc_find(c->books, ask.client, ask.id);
    if (e != NULL) {
        run_again(call, &ask, e);
        return;
    }
    /* Only the first time: a repeat of a lock may come when little is left of its time. */
    refusal = ask.kind == CBDC_LOCK ? read_expiry(call, &ask) : CBDC_FINE;
    if (refusal != CBDC_FINE) {
        refuse(call, refusal);
        return;
    }
    struct magic magic = magic_of(ask.amount_minor);
    if (magic.trouble == TROUBLE_NOT_BOOKED_500 || magic.trouble == TROUBLE_NOT_BOOKED_503) {
        c->stats.troubled++;
        refuse(call, magic.trouble == TROUBLE_NOT_BOOKED_500 ? CBDC_INTERNAL : CBDC_UNAVAILABLE);
        return;
    }
    ask.wish = magic.refusal;
    refusal = cbdc_book(c->books, &ask, call->wall_us, &e);
    if (e == NULL) {
        refuse(call, refusal);
        return;
    }
    c->stats.booked += refusal == CBDC_FINE;
    c->stats.declined += refusal != CBDC_FINE;
    answer_entry(call, e, magic.trouble);
}

static void run_inquiry(struct call *call, const struct route *route)
{
    (void)route;
    const struct cbdc_entry *e =
        cbdc_find(call->c->books, view_text(call->c->clients[call->client].name), call->lock);
    if (e == NULL) {
        refuse(call, CBDC_NOT_FOUND);
        return;
    }
    call->answer->amount_minor = e->amount_minor;
    write_operation(call, e, TENSE_NOW, TROUBLE_NONE);
}

static void put_limit(struct json_out *j, const char *key, int64_t limit_minor)
{
    if (limit_minor == NO_LIMIT)
        json_put_null(j, key);
    else
        json_put_i64(j, key, limit_minor);
}

void cbdc_write_limits(struct json_out *j, enum cbdc_tier tier)
{
    struct cbdc_limits limits = cbdc_tier_limits(tier);
    json_open_object(j, "limits");
    put_limit(j, "holding", limits.holding_minor);
    put_limit(j, "single", limits.single_minor);
    put_limit(j, "day", limits.day_minor);
    json_close_object(j);
}

void cbdc_write_purposes(struct json_out *j, const struct cbdc_wallet *w)
{
    json_open_array(j, "purposes");
    for (unsigned i = 0; i < w->purpose_count; i++)
        json_put_text(j, NULL, view_text(w->purposes[i]));
    json_close_array(j);
}

static void run_wallet(struct call *call, const struct route *route)
{
    (void)route;
    struct json_out *j = &call->out;
    uint32_t wallet = cbdc_wallet_find(call->c->books, call->lock);
    if (wallet == CBDC_NO_WALLET || !view_starts_with(call->lock, VIEW("w_"))) {
        refuse(call, CBDC_NOT_FOUND);
        return;
    }
    const struct cbdc_wallet *w = cbdc_wallet_at(call->c->books, wallet);
    json_open_object(j, NULL);
    json_put_text(j, "wallet", view_text(w->name));
    json_put_text(j, "tier", view_text(cbdc_tier_name(w->tier)));
    json_put_i64(j, "balance", w->balance_minor);
    json_put_i64(j, "locked", w->locked_minor);
    json_put_text(j, "currency", view_text(call->c->settings.currency));
    cbdc_write_limits(j, w->tier);
    json_put_i64(j, "spent_today", cbdc_wallet_spent(call->c->books, w));
    cbdc_write_purposes(j, w);
    json_put_text(j, "state", w->blocked ? VIEW("blocked") : VIEW("active"));
    json_close_object(j);
}

static void run_alias(struct call *call, const struct route *route)
{
    (void)route;
    uint8_t name[6 + CBDC_ALIAS_MAX];
    struct writer w = writer_over(name, sizeof name);
    writer_text(&w, "alias:");
    writer_view(&w, call->lock);
    uint32_t wallet =
        w.overflow ? CBDC_NO_WALLET : cbdc_wallet_find(call->c->books, writer_done(&w));
    if (wallet == CBDC_NO_WALLET) {
        refuse(call, CBDC_NOT_FOUND);
        return;
    }
    json_open_object(&call->out, NULL);
    json_put_text(&call->out, "alias", call->lock);
    json_put_text(&call->out, "wallet", view_text(wallet_name(call, wallet)));
    json_close_object(&call->out);
}

static void run_token(struct call *call, const struct route *route)
{
    struct view client = VIEW_EMPTY, proof = VIEW_EMPTY;
    int64_t time_s = 0;
    const struct cbdc_token *token = NULL;
    if (call->body == NULL || json_unknown(call->body, route->members, 3, NULL) != NULL ||
        !take(call->body, "client_id", CBDC_CLIENT_MAX, &client) ||
        !take(call->body, "client_secret_proof", 64, &proof) ||
        json_i64(json_member(call->body, "time"), &time_s) != STATUS_OK) {
        call->c->stats.malformed++;
        refuse(call, CBDC_MALFORMED);
        return;
    }
    enum cbdc_refusal refusal =
        cbdc_token_give(call->c, client, time_s, proof, call->now_us, &token);
    if (refusal != CBDC_FINE) {
        call->c->stats.refused_401++;
        refuse(call, refusal);
        return;
    }
    json_open_object(&call->out, NULL);
    json_put_text(&call->out, "access_token", view_text(token->text));
    json_put_i64(&call->out, "expires_in", call->c->settings.token_s);
    json_close_object(&call->out);
}

/* clang-format off */
static const struct route ROUTES[] = {
    { "POST", "/oauth/token",        0, NULL, NULL,
      { "client_id", "time", "client_secret_proof" }, run_token },
    { "POST", "/v1/transfers",       CBDC_TRANSFER, "from", "to",
      { "id", "from", "to", "amount", "currency", "purpose", "reference" }, run_booking },
    { "POST", "/v1/locks",           CBDC_LOCK, "payer", "payee",
      { "id", "payer", "payee", "releaser", "amount", "currency", "expires_at", "purpose", "reference" }, run_booking },
    { "POST", "/v1/locks/*/release", CBDC_RELEASE, NULL, NULL, { "id", "amount" }, run_booking },
    { "POST", "/v1/locks/*/cancel",  CBDC_CANCEL, NULL, NULL, { "id" }, run_booking },
    { "POST", "/v1/issue",           CBDC_ISSUE, NULL, "to",
      { "id", "to", "amount", "currency", "reference" }, run_booking },
    { "POST", "/v1/redeem",          CBDC_REDEEM, "from", NULL,
      { "id", "from", "amount", "currency", "reference" }, run_booking },
    { "GET",  "/v1/operations/*",    0, NULL, NULL, { NULL }, run_inquiry },
    { "GET",  "/v1/wallets/*",       0, NULL, NULL, { NULL }, run_wallet },
    { "GET",  "/v1/aliases/*",       0, NULL, NULL, { NULL }, run_alias },
};
/* clang-format on */

/* Holds a path against a route's; `part` is what stood for '*'. */
static bool matches(struct view path, const char *pattern, struct view *part)
{
    *part = VIEW_EMPTY;
    for (; *pattern != '\0'; pattern++) {
        size_t len = 1;
        if (*pattern == '*') {
            len = view_find(path, '/');
            *part = view_slice(path, 0, len);
            if (len == 0)
                return false;
        } else if (path.len == 0 || path.ptr[0] != (uint8_t)*pattern) {
            return false;
        }
        path = view_slice(path, len, path.len);
    }
    return path.len == 0;
}

/* NULL: NOT_FOUND or METHOD. */
static const struct route *find_route(struct call *call, enum cbdc_refusal *refusal)
{
    *refusal = CBDC_NOT_FOUND;
    for (size_t i = 0; i < COUNT_OF(ROUTES); i++) {
        if (!matches(call->request->target, ROUTES[i].path, &call->lock))
            continue;
        if (view_is(call->request->method, ROUTES[i].method))
            return &ROUTES[i];
        *refusal = CBDC_METHOD;
    }
    return NULL;
}

void cbdc_request(struct cbdc *c, const struct sim_request *request, int64_t now_us,
                  struct sim_answer *answer)
{
    struct arena arena;
    struct call call = { .c = c,
                         .request = request,
                         .answer = answer,
                         .now_us = now_us,
                         .wall_us = cbdc_wall_us(c, now_us) };
    enum cbdc_refusal refusal = CBDC_FINE;
    cbdc_advance(c, now_us);
    answer->http_status = 200;
    answer->amount_minor = -1;
    writer_text(&answer->headers, "content-type: application/json\n");
    json_out_init(&call.out, &answer->body);
    const struct route *route = find_route(&call, &refusal);
    if (route != NULL && route->run != run_token) {
        refusal = cbdc_token_check(c, request->headers, now_us, &call.client);
        c->stats.refused_401 += refusal != CBDC_FINE;
    } else if (route != NULL) {
        refusal = CBDC_FINE;
    }
    if (refusal != CBDC_FINE) {
        refuse(&call, refusal);
        return;
    }
    arena_init(&arena, BODY_ARENA_MAX);
    if (request->body.len > 0 &&
        json_read(request->body, NULL, &arena, &call.body, NULL) != STATUS_OK)
        call.body = NULL; /* whoever needs one says that it is malformed */
    ENSURE(route != NULL);
    route->run(&call, route);
    arena_reset(&arena);
}
