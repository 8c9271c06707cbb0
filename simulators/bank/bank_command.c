/* bank_command.c - what a test tells the bank to do: money comes in, a payment comes back, a
 * statement is due, a pending payment is decided, an account is opened.
 */
#include "bank_int.h"

#define CREDITOR_DEFAULT "DE21990000010000000000"

struct order {
    struct bank *b;
    const struct json_node *body;
    int64_t now_us;
    struct json_out *out;
    struct writer *why;
};

static enum status refuse(struct order *o, const char *sentence)
{
    writer_text(o->why, sentence);
    return STATUS_REFUSED;
}

static struct view text_of(const struct order *o, const char *name)
{
    struct view text = VIEW_EMPTY;
    const struct json_node *node = json_member(o->body, name);
    if (node != NULL && !node->has_nul && json_text(node, &text) != STATUS_OK)
        text = VIEW_EMPTY;
    return text;
}

/* "12.50", or 1250 in minor units. */
static enum status amount_of(struct order *o, const char *name, struct view currency,
                             int64_t *amount_minor)
{
    const struct json_node *node = json_member(o->body, name);
    if (node == NULL)
        return STATUS_NOT_FOUND;
    enum status s = node->kind == JSON_NUMBER
                        ? json_i64(node, amount_minor)
                        : money_read(text_of(o, name), currency, amount_minor);
    if (s == STATUS_OK && (*amount_minor <= 0 || *amount_minor > MONEY_MINOR_MAX))
        s = STATUS_RANGE;
    if (s != STATUS_OK)
        writer_text(o->why, "amount is \"12.50\" or minor units, more than zero");
    return s;
}

static void write_entry(struct order *o, const struct bank_entry *e)
{
    static const char *const states[] = { "", "pending", "booked", "rejected" };
    json_open_object(o->out, NULL);
    json_put_i64(o->out, "number", (int64_t)e->number);
    json_put_text(o->out, "end_to_end_id", view_text(e->end_to_end_id));
    json_put_text_if(o->out, "tx_id", view_text(e->tx_id));
    json_put_text_if(o->out, "uetr", view_text(e->uetr));
    json_put_i64(o->out, "amount_minor", e->amount_minor);
    json_put_text(o->out, "currency", view_text(e->currency));
    json_put_text(o->out, "state", view_text(states[e->state]));
    json_put_text_if(o->out, "reason", view_text(e->reason));
    json_close_object(o->out);
}

/* --- money comes in ------------------------------------------------------------------------- */
static void credit_ids(struct order *o, struct bank_entry *e)
{
    struct bank *b = o->b;
    char id[36];
    struct view end_to_end = text_of(o, "end_to_end_id"), uetr = text_of(o, "uetr");
    bank_new_id(b, e->msg_id, 'M', e->at_us);
    bank_new_id(b, e->tx_id, 'E', e->at_us);
    if (b->settings.scheme == SCHEME_pix) { /* a payment's one id */
        BANK_COPY(id, view_text(e->tx_id));
    } else {
        BANK_COPY(id, VIEW("NOTPROVIDED"));
    }
    BANK_COPY(e->end_to_end_id, end_to_end.len > 0 ? end_to_end : view_text(id));
    if (uetr.len > 0) {
        BANK_COPY(e->uetr, uetr);
        return;
    }
    uint64_t high = bank_random(b), low = bank_random(b);
    struct writer w = writer_over(e->uetr, sizeof e->uetr);
    writer_format(&w, "%08x-%04x-4%03x-%c%03x-%012llx", (unsigned)(high >> 32),
                  (unsigned)(high >> 16 & 0xFFFF), (unsigned)(high & 0xFFF), "89ab"[low >> 62],
                  (unsigned)(low >> 48 & 0xFFF), (unsigned long long)(low & 0xFFFFFFFFFFFF));
    e->uetr[w.len] = '\0';
}

static enum status run_credit(struct order *o)
{
    struct bank *b = o->b;
    struct view account = text_of(o, "account"), currency = text_of(o, "currency");
    struct view as = text_of(o, "as"), uetr = text_of(o, "uetr");
    struct view debtor_account = text_of(o, "debtor_account"), reference = text_of(o, "reference");
    int64_t amount_minor = 0;
    bool participant =
        as.len > 0 ? view_is(as, "pacs.008") : bank_is(&b->settings, "connection", "participant");
    if (currency_digits(currency) < 0)
        return refuse(o, "currency is missing or not known");
    if (amount_of(o, "amount", currency, &amount_minor) != STATUS_OK)
        return o->why->len > 0 ? STATUS_REFUSED : refuse(o, "amount is missing");
    if ((uetr.len > 0 && !uetr_valid(uetr)) || text_of(o, "end_to_end_id").len > 35 ||
        reference.len > 35 || account.len > 34 || debtor_account.len > 34)
        return refuse(o, "uetr, end_to_end_id, reference or an account is too long or wrong");
    if (account.len == 0)
        account = VIEW(CREDITOR_DEFAULT);
    uint32_t to = participant ? BANK_PARTICIPANT : bank_account_find(b, account);
    if (to == BANK_NONE || (!participant && (b->accounts[to].state == ACCOUNT_CLOSED ||
                                             !bank_account_takes(&b->accounts[to], currency))))
        return refuse(o, "no such account, closed, or not in this currency");
    uint32_t from = bank_account_find(b, debtor_account);
    struct bank_entry *e = bank_entry_new(b, KIND_CREDIT, bank_wall(b, o->now_us));
    if (e == NULL)
        return refuse(o, "the books are full");
    e->amount_minor = amount_minor;
    BANK_COPY(e->currency, currency);
    e->credit = to;
    e->debit = from != BANK_NONE && from != to ? from : BANK_CLEARING;
    e->participant = participant;
    e->msg_name = participant ? "pacs.008.001.08" : "";
    credit_ids(o, e);
    struct view debtor = text_of(o, "debtor"), creditor = text_of(o, "creditor");
    BANK_COPY(e->debtor, debtor.len > 0 ? debtor : VIEW("Payer"));
    BANK_COPY(e->debtor_account, debtor_account);
    BANK_COPY(e->creditor, creditor.len > 0 ? creditor
                           : participant    ? VIEW("Payee")
                                            : view_text(b->accounts[to].name));
    BANK_COPY(e->creditor_account, account);
    BANK_COPY(e->reference, reference);
    BANK_COPY(e->remittance, text_of(o, "remittance"));
    bank_entry_index(b, e);
    bank_entry_book(b, e, e->at_us);
    bank_tell_credit(b, e, o->now_us);
    write_entry(o, e);
    return STATUS_OK;
}

/* --- payments that are there ---------------------------------------------------------------- */
static struct bank_entry *payment_of(struct order *o)
{
    return bank_entry_find(o->b, text_of(o, "end_to_end_id"), text_of(o, "tx_id"),
                           text_of(o, "uetr"), 1u << KIND_TRANSFER);
}

static enum status run_return(struct order *o)
{
    struct bank_entry *e = payment_of(o);
    if (e == NULL || e->state != STATE_BOOKED)
        return refuse(o, "no booked payment of that id");
    int64_t left_minor = e->amount_minor - e->returned_minor, amount_minor = left_minor;
    struct view reason = text_of(o, "reason");
    char code[5];
    enum status s = amount_of(o, "amount", view_text(e->currency), &amount_minor);
    if (s != STATUS_OK && s != STATUS_NOT_FOUND)
        return STATUS_REFUSED;
    if (left_minor <= 0 || amount_minor > left_minor)
        return refuse(o, "more than is left of the payment");
    BANK_COPY(code, reason.len > 0 ? reason : VIEW("AC04"));
    struct bank_entry *back = bank_give_back(o->b, e, amount_minor, code, o->now_us);
    if (back == NULL)
        return refuse(o, "the creditor's account has no money");
    write_entry(o, back);
    return STATUS_OK;
}

static enum status run_settle(struct order *o)
{
    struct bank_entry *e = payment_of(o);
    struct view reason = text_of(o, "reason");
    if (e == NULL || e->state != STATE_PENDING)
        return refuse(o, "no pending payment of that id");
    if (reason.len > 4)
        return refuse(o, "a reason has four letters");
    if (view_is(text_of(o, "result"), "book")) {
        bank_book_now(o->b, e, o->now_us, true);
    } else if (view_is(text_of(o, "result"), "reject")) {
        char code[5];
        BANK_COPY(code, reason.len > 0 ? reason : VIEW("MS03"));
        bank_refuse(o->b, e, code);
        bank_say_status(o->b, e, "RJCT", e->reason, o->now_us);
    } else {
        return refuse(o, "result is book or reject");
    }
    write_entry(o, e);
    return STATUS_OK;
}

static enum status run_status(struct order *o)
{
    struct bank_entry *e = payment_of(o);
    char status[5], reason[5];
    BANK_COPY(status, text_of(o, "status"));
    BANK_COPY(reason, text_of(o, "reason"));
    if (e == NULL || status[0] == '\0')
        return refuse(o, "no payment of that id, or no status");
    bank_say_status(o->b, e, status, reason, o->now_us);
    write_entry(o, e);
    return STATUS_OK;
}

/* --- statements, accounts ------------------------------------------------------------------- */
static enum status run_statement(struct order *o)
{
    struct bank *b = o->b;
    struct view account = text_of(o, "account"), currency = text_of(o, "currency");
    int64_t wall_us = bank_wall(b, o->now_us), day_us = wall_us;
    if (account.len == 0)
        account = VIEW(CREDITOR_DEFAULT);
    if (currency.len == 0)
        currency = VIEW("EUR");
    uint32_t at = bank_account_find(b, account);
    int index = bank_currency(currency);
    if (at == BANK_NONE || index < 0)
        return refuse(o, "no such account or currency");
    if (text_of(o, "date").len > 0 && wall_read(text_of(o, "date"), &day_us) != STATUS_OK)
        return refuse(o, "date is 2026-11-22");
    struct writer w = bank_notice_begin(b);
    bank_write_statement(b, &w, at, index, day_us, wall_us);
    if (w.overflow)
        return refuse(o, "the statement is too long");
    bank_notice_send(b, &w, b->last_url, o->now_us);
    json_open_object(o->out, NULL);
    json_put_text(o->out, "statement", writer_done(&w));
    json_close_object(o->out);
    return STATUS_OK;
}

static enum status run_accounts(struct order *o)
{
    struct bank *b = o->b;
    struct view id = text_of(o, "account"), state = text_of(o, "state");
    int64_t balance_minor = 0, magic = 0;
    const struct json_node *balance = json_member(o->body, "balance_minor");
    const struct json_node *number = json_member(o->body, "magic");
    int index = bank_currency(text_of(o, "currency"));
    if (id.len == 0 || id.len > 34 || bank_account_find(b, id) != BANK_NONE)
        return refuse(o, "account is missing, too long or there already");
    if ((balance != NULL && json_i64(balance, &balance_minor) != STATUS_OK) || balance_minor < 0 ||
        balance_minor > MONEY_MINOR_MAX || text_of(o, "bic").len > 11 ||
        (number != NULL && json_i64(number, &magic) != STATUS_OK) ||
        (magic != 0 && bank_magic_of((unsigned)magic) == NULL))
        return refuse(o, "balance_minor, bic or magic is wrong");
    enum account_state is = view_is(state, "closed")    ? ACCOUNT_CLOSED
                            : view_is(state, "blocked") ? ACCOUNT_BLOCKED
                                                        : ACCOUNT_OPEN;
    const struct bank_account *a = bank_account_add(b, id, text_of(o, "bic"), text_of(o, "name"),
                                                    index >= 0 ? UINT64_C(1) << index : UINT64_MAX,
                                                    is, (unsigned)magic, balance_minor);
    if (a == NULL)
        return refuse(o, "there is no room for another account");
    json_open_object(o->out, NULL);
    json_put_text(o->out, "account", view_text(a->id));
    json_close_object(o->out);
    return STATUS_OK;
}

enum status bank_command(void *brain, struct view method, struct view path,
                         const struct json_node *body, int64_t now_us, struct json_out *out,
                         struct writer *why)
{
    static const struct {
        const char *path;
        enum status (*run)(struct order *o);
    } COMMANDS[] = { { "/credit", run_credit },       { "/return", run_return },
                     { "/settle", run_settle },       { "/status", run_status },
                     { "/statement", run_statement }, { "/accounts", run_accounts } };
    struct order order = { .b = brain, .body = body, .now_us = now_us, .out = out, .why = why };
    if (!view_is(method, "POST"))
        return STATUS_NOT_FOUND;
    bank_plan_run(brain, now_us);
    for (size_t i = 0; i < COUNT_OF(COMMANDS); i++)
        if (view_is(path, COMMANDS[i].path))
            return COMMANDS[i].run(&order);
    return STATUS_NOT_FOUND;
}
