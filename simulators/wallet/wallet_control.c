/* wallet_control.c - the control port of the wallet provider.
 *
 *     POST /scan       {"code" or "order_id", "phone", "amount", "after_ms", "times", "late",
 *                      "never", "merchant"}     a phone scans a code
 *     POST /present    {"phone"}                a phone shows a consumer-presented code
 *     POST /cancel     {"order_id"}             the provider cancels an order by itself
 *     GET  /orders, GET /payments               all of them, the last 500
 *     GET  /phones                              balances and habits
 */
#include "wallet_int.h"

#include "base/ensure.h"

#include <stdlib.h>

#define LISTED_MAX 500
#define DAY_MS     86400000

static enum status refuse(struct writer *why, const char *where, const char *what)
{
    writer_format(why, "%s: %s", where, what);
    return STATUS_MALFORMED;
}

static enum status no_others(const struct json_node *object, const char *const *known, size_t count,
                             struct writer *why)
{
    if (object == NULL || object->kind != JSON_OBJECT)
        return refuse(why, "body", "must be an object");
    const struct json_node *other = json_unknown(object, known, count, NULL);
    if (other == NULL)
        return STATUS_OK;
    writer_text(why, "no such member: ");
    writer_view(why, view_slice(other->key, 0, 40));
    return STATUS_MALFORMED;
}

static enum status take_i64(const struct json_node *object, const char *name, int64_t low,
                            int64_t high, int64_t *out, struct writer *why)
{
    const struct json_node *node = json_member(object, name);
    int64_t value = 0;
    if (node == NULL)
        return STATUS_OK;
    if (json_i64(node, &value) != STATUS_OK || value < low || value > high)
        return refuse(why, name, "not an integer in the allowed range");
    *out = value;
    return STATUS_OK;
}

static enum status take_bool(const struct json_node *object, const char *name, bool *out,
                             struct writer *why)
{
    const struct json_node *node = json_member(object, name);
    if (node != NULL && json_bool(node, out) != STATUS_OK)
        return refuse(why, name, "must be true or false");
    return STATUS_OK;
}

static enum status take_text(const struct json_node *object, const char *name, struct view *out,
                             struct writer *why)
{
    const struct json_node *node = json_member(object, name);
    if (node != NULL && json_text(node, out) != STATUS_OK)
        return refuse(why, name, "must be a text");
    return STATUS_OK;
}

/* --- settings and keys ------------------------------------------------------------------- */
void wallet_settings_init(struct wallet_settings *s)
{
    *s = (struct wallet_settings){ .slow_ms = 3000,
                                   .code_valid_ms = 300000,
                                   .signature_window_s = 300,
                                   .fee_bp = 60,
                                   .magic = true };
}

static enum status read_settings(const struct json_node *o, struct wallet_settings *s,
                                 const struct json_node **balances, struct writer *why)
{
    static const char *const KNOWN[] = { "slow_ms", "code_valid_ms", "signature_window_s",
                                         "magic",   "notice_url",    "balances",
                                         "fee_bp" };
    struct view url = view_text(s->notice_url);
    TRY(no_others(o, KNOWN, COUNT_OF(KNOWN), why));
    TRY(take_i64(o, "slow_ms", 0, DAY_MS, &s->slow_ms, why));
    TRY(take_i64(o, "code_valid_ms", 0, DAY_MS, &s->code_valid_ms, why));
    TRY(take_i64(o, "signature_window_s", 1, 86400, &s->signature_window_s, why));
    TRY(take_i64(o, "fee_bp", 0, 10000, &s->fee_bp, why));
    TRY(take_bool(o, "magic", &s->magic, why));
    TRY(take_text(o, "notice_url", &url, why));
    if (json_member(o, "notice_url") != NULL &&
        view_to_text(url, s->notice_url, sizeof s->notice_url) != STATUS_OK)
        return refuse(why, "notice_url", "is too long");
    *balances = json_member(o, "balances");
    if (*balances != NULL && (*balances)->kind != JSON_OBJECT)
        return refuse(why, "balances", "must be an object: phone to minor units");
    return STATUS_OK;
}

static enum status check_balances(struct wallet *w, const struct json_node *balances,
                                  struct writer *why)
{
    for (JSON_EACH(row, balances)) {
        int64_t value = 0;
        if (book_phone_named(w->book, row->key) == NULL)
            return refuse(why, "balances", "no such phone");
        if (json_i64(row, &value) != STATUS_OK || value < 0 || value > 1000000000000000)
            return refuse(why, "balances", "must be minor units");
    }
    return STATUS_OK;
}

static enum status check_keys(struct wallet *w, const struct json_node *keys, struct writer *why)
{
    size_t more = 0, have = 0;
    if (keys->kind != JSON_OBJECT)
        return refuse(why, "keys", "must be an object: merchant to hexadecimal key");
    while (book_merchant(w->book, have) != NULL)
        have++;
    for (JSON_EACH(row, keys)) {
        uint8_t key[WALLET_KEY_MAX];
        size_t len = 0;
        struct view text;
        if (json_text(row, &text) != STATUS_OK ||
            hex_decode(text, key, sizeof key, &len) != STATUS_OK || len < 16)
            return refuse(why, "keys", "must be 32 to 128 hexadecimal characters");
        if (row->key.len == 0 || row->key.len > WALLET_ID_MAX || row->has_nul)
            return refuse(why, "keys", "a merchant's name has 1 to 60 characters");
        for (size_t i = 0; i < row->key.len; i++)
            if (row->key.ptr[i] <= ' ' || row->key.ptr[i] >= 0x7f)
                return refuse(why, "keys", "a merchant's name is plain ASCII");
        more += book_merchant_named(w->book, row->key) == WALLET_MERCHANTS_MAX;
    }
    return have + more <= WALLET_MERCHANTS_MAX ? STATUS_OK
                                               : refuse(why, "keys", "16 merchants at most");
}

enum status wallet_set(void *brain, const struct json_node *settings, const struct json_node *keys,
                       int64_t now_us, struct writer *why)
{
    struct wallet *w = brain;
    struct wallet_settings staged = w->settings;
    const struct json_node *balances = NULL;
    ENSURE_MAGIC(w, WALLET_MAGIC);
    w->now_us = now_us;
    if (settings != NULL)
        TRY(read_settings(settings, &staged, &balances, why));
    if (balances != NULL)
        TRY(check_balances(w, balances, why));
    if (keys != NULL)
        TRY(check_keys(w, keys, why));
    w->settings = staged; /* nothing can fail any more */
    if (balances != NULL)
        for (JSON_EACH(row, balances)) {
            int64_t value = 0;
            ENSURE(json_i64(row, &value) == STATUS_OK);
            ENSURE(book_set_balance(w->book, row->key, value) == STATUS_OK);
        }
    if (keys != NULL)
        for (JSON_EACH(row, keys)) {
            uint8_t key[WALLET_KEY_MAX];
            size_t len = 0;
            ENSURE(hex_decode(row->text, key, sizeof key, &len) == STATUS_OK);
            ENSURE(book_set_key(w->book, row->key, view_of(key, len)) == STATUS_OK);
        }
    return STATUS_OK;
}

void wallet_write_settings(const void *brain, struct json_out *out)
{
    const struct wallet *w = brain;
    json_put_i64(out, "slow_ms", w->settings.slow_ms);
    json_put_i64(out, "code_valid_ms", w->settings.code_valid_ms);
    json_put_i64(out, "signature_window_s", w->settings.signature_window_s);
    json_put_i64(out, "fee_bp", w->settings.fee_bp);
    json_put_bool(out, "magic", w->settings.magic);
    json_put_text(out, "notice_url", view_text(w->settings.notice_url));
}

/* --- commands ---------------------------------------------------------------------------- */
static struct deal *order_named(struct wallet *w, struct view order_id)
{
    for (size_t i = 0; book_merchant(w->book, i) != NULL; i++) {
        struct deal *d = book_deal(w->book, i, order_id);
        if (d != NULL && d->kind == DEAL_ORDER)
            return d;
    }
    return NULL;
}

/* An amount that somebody types: in the digits of the currency that the code or order has. */
static enum status typed_amount(struct wallet *w, struct scan *scan, struct view text,
                                struct writer *why)
{
    struct merchant_code code;
    const char *word = "";
    const struct wallet_currency *currency = scan->order != NULL ? scan->order->currency : NULL;
    (void)w;
    if (text.len == 0)
        return STATUS_OK;
    if (currency == NULL && merchant_code_read(view_text(scan->code), &code, &word) == STATUS_OK)
        currency = code.currency;
    if (currency == NULL)
        return STATUS_OK; /* the scan will say what is wrong with the code */
    if (amount_read(text, currency, &scan->amount_minor) != STATUS_OK)
        return refuse(why, "amount", "must be over zero with exactly the currency's digits");
    return STATUS_OK;
}

static enum status who_scans_what(struct wallet *w, struct scan *scan, struct view code,
                                  struct view order_id, struct view phone, struct view merchant,
                                  struct arena *arena, struct writer *why)
{
    if ((code.len == 0) == (order_id.len == 0))
        return refuse(why, "scan", "needs a code or an order_id");
    scan->phone = book_phone_named(w->book, phone);
    if (scan->phone == NULL) {
        writer_text(why, "no such phone");
        return STATUS_NOT_FOUND;
    }
    scan->order = code.len > 0 ? book_order_of_code(w->book, code) : order_named(w, order_id);
    if (order_id.len > 0 && scan->order == NULL) {
        writer_text(why, "no such order");
        return STATUS_NOT_FOUND;
    }
    scan->merchant = merchant.len > 0 ? book_merchant_named(w->book, merchant) : 0;
    if (scan->merchant == WALLET_MERCHANTS_MAX) {
        writer_text(why, "no such merchant");
        return STATUS_NOT_FOUND;
    }
    if (code.len > CODE_TEXT_MAX || (code.len > 0 && memchr(code.ptr, 0, code.len) != NULL))
        return refuse(why, "code", "is too long or no text");
    scan->code = arena_text(arena, code);
    return scan->code != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

/* A phone pays a dynamic code only where an order stands behind it: the provider of another's
 * code would not be this one. */
static enum status needs_order(const struct scan *scan, struct writer *why)
{
    struct merchant_code code;
    const char *word = "";
    if (scan->order != NULL ||
        merchant_code_read(view_text(scan->code), &code, &word) != STATUS_OK || !code.dynamic)
        return STATUS_OK;
    writer_text(why, "no order has this dynamic code");
    return STATUS_NOT_FOUND;
}

static enum status run_scan(struct wallet *w, const struct json_node *body, struct arena *arena,
                            struct json_out *out, struct writer *why)
{
    static const char *const KNOWN[] = { "code",  "order_id", "phone", "amount",  "after_ms",
                                         "times", "late",     "never", "merchant" };
    struct scan scan = { .amount_minor = -1 };
    struct view code = VIEW_EMPTY, order_id = VIEW_EMPTY, phone = VIEW("phone-1");
    struct view amount = VIEW_EMPTY, merchant = VIEW_EMPTY;
    int64_t after_ms = 0, times = 1;
    TRY(no_others(body, KNOWN, COUNT_OF(KNOWN), why));
    TRY(take_text(body, "code", &code, why));
    TRY(take_text(body, "order_id", &order_id, why));
    TRY(take_text(body, "phone", &phone, why));
    TRY(take_text(body, "amount", &amount, why));
    TRY(take_text(body, "merchant", &merchant, why));
    TRY(take_i64(body, "after_ms", 0, DAY_MS, &after_ms, why));
    TRY(take_i64(body, "times", 1, 10, &times, why));
    TRY(take_bool(body, "late", &scan.late, why));
    TRY(take_bool(body, "never", &scan.never, why));
    TRY(who_scans_what(w, &scan, code, order_id, phone, merchant, arena, why));
    TRY(needs_order(&scan, why));
    TRY(typed_amount(w, &scan, amount, why));
    scan.times = (unsigned)times;
    json_open_object(out, NULL);
    json_open_array(out, "results"); /* empty: later, or never */
    if (after_ms > 0 && !scan.never) {
        struct job job = { .at_us = w->now_us + after_ms * 1000, .kind = JOB_SCAN, .scan = scan };
        job.scan.code = strdup(scan.code);
        ENSURE(job.scan.code != NULL);
        wallet_job_add(w, &job);
    } else {
        wallet_scan(w, &scan, out);
    }
    json_close_array(out);
    json_close_object(out);
    return STATUS_OK;
}

static enum status run_present(struct wallet *w, const struct json_node *body, struct arena *arena,
                               struct json_out *out, struct writer *why)
{
    static const char *const KNOWN[] = { "phone" };
    struct view name = VIEW("phone-1");
    uint8_t text[256];
    struct writer code = writer_over(text, sizeof text);
    (void)arena;
    if (body != NULL) {
        TRY(no_others(body, KNOWN, COUNT_OF(KNOWN), why));
        TRY(take_text(body, "phone", &name, why));
    }
    struct wallet_phone *phone = book_phone_named(w->book, name);
    if (phone == NULL) {
        writer_text(why, "no such phone");
        return STATUS_NOT_FOUND;
    }
    wallet_show(w, phone, &code);
    json_open_object(out, NULL);
    json_put_text(out, "phone", view_text(phone->name));
    json_put_text(out, "code", writer_done(&code));
    json_close_object(out);
    return STATUS_OK;
}

static enum status run_cancel(struct wallet *w, const struct json_node *body, struct arena *arena,
                              struct json_out *out, struct writer *why)
{
    static const char *const KNOWN[] = { "order_id" };
    struct view order_id = VIEW_EMPTY;
    (void)arena;
    TRY(no_others(body, KNOWN, COUNT_OF(KNOWN), why));
    TRY(take_text(body, "order_id", &order_id, why));
    struct deal *d = order_named(w, order_id);
    if (d == NULL) {
        writer_text(why, "no such order");
        return STATUS_NOT_FOUND;
    }
    if (d->state != DEAL_OPEN)
        return refuse(why, "order", "is not open");
    book_cancel(w->book, d);
    wallet_tell_as(w, "order.canceled", d);
    wallet_write_deal(out, NULL, d);
    return STATUS_OK;
}

static void list_deals(struct wallet *w, const char *name, bool orders, struct json_out *out)
{
    struct deal *last[LISTED_MAX];
    size_t count = 0, position = 0;
    for (struct deal *d; (d = book_next_deal(w->book, &position)) != NULL;)
        if ((d->kind == DEAL_ORDER) == orders)
            last[count++ % LISTED_MAX] = d;
    json_open_object(out, NULL);
    json_open_array(out, name);
    for (size_t i = count > LISTED_MAX ? count - LISTED_MAX : 0; i < count; i++)
        wallet_write_deal(out, NULL, last[i % LISTED_MAX]);
    json_close_array(out);
    json_close_object(out);
}

static enum status run_orders(struct wallet *w, const struct json_node *body, struct arena *arena,
                              struct json_out *out, struct writer *why)
{
    (void)body;
    (void)arena;
    (void)why;
    list_deals(w, "orders", true, out);
    return STATUS_OK;
}

static enum status run_payments(struct wallet *w, const struct json_node *body, struct arena *arena,
                                struct json_out *out, struct writer *why)
{
    (void)body;
    (void)arena;
    (void)why;
    list_deals(w, "payments", false, out);
    return STATUS_OK;
}

static enum status run_phones(struct wallet *w, const struct json_node *body, struct arena *arena,
                              struct json_out *out, struct writer *why)
{
    (void)body;
    (void)arena;
    (void)why;
    json_open_object(out, NULL);
    json_open_array(out, "phones");
    struct wallet_phone *phone;
    for (size_t i = 0; (phone = book_phone(w->book, i)) != NULL; i++) {
        json_open_object(out, NULL);
        json_put_text(out, "phone", view_text(phone->name));
        json_put_i64(out, "balance_minor", phone->balance_minor);
        json_close_object(out);
    }
    json_close_array(out);
    json_close_object(out);
    return STATUS_OK;
}

enum status wallet_command(void *brain, struct view method, struct view path,
                           const struct json_node *body, int64_t now_us, struct json_out *out,
                           struct writer *why)
{
    static const struct {
        const char *method, *path;
        enum status (*run)(struct wallet *w, const struct json_node *body, struct arena *arena,
                           struct json_out *out, struct writer *why);
    } ROUTES[] = {
        { "POST", "/scan", run_scan },        { "POST", "/present", run_present },
        { "POST", "/cancel", run_cancel },    { "GET", "/orders", run_orders },
        { "GET", "/payments", run_payments }, { "GET", "/phones", run_phones },
    };
    struct wallet *w = brain;
    struct arena arena;
    enum status s = STATUS_NOT_FOUND;
    ENSURE_MAGIC(w, WALLET_MAGIC);
    w->now_us = now_us;
    arena_init(&arena, 65536);
    for (size_t i = 0; i < COUNT_OF(ROUTES); i++)
        if (view_is(method, ROUTES[i].method) && view_is(path, ROUTES[i].path))
            s = ROUTES[i].run(w, body, &arena, out, why);
    arena_reset(&arena);
    return s;
}
