/* bank_decide.c - what becomes of a transaction that was looked at: refused, booked now, booked
 * later, or what its magic amount asks for; and how the other side is told.
 */
#include "bank_int.h"

static const struct bank_magic MAGIC[] = {
#define MAGIC(number, kind, code, sentence) { number, MAGIC_##kind, code },
#include "bank_magic.def"
#undef MAGIC
};

const struct bank_magic *bank_magic_of(unsigned number)
{
    for (size_t i = 0; i < COUNT_OF(MAGIC); i++)
        if (MAGIC[i].number == number)
            return &MAGIC[i];
    return NULL;
}

static const struct bank_magic *magic_for(const struct bank *b, const struct bank_entry *e)
{
    const struct bank_magic *m = bank_magic_of((unsigned)(e->amount_minor % 10000));
    uint32_t at = bank_account_find(b, view_text(e->creditor_account));
    if (m == NULL && at != BANK_NONE && e->kind == KIND_TRANSFER)
        m = bank_magic_of(b->accounts[at].magic);
    return m;
}

/* What a refund took from its original is free again. */
void bank_refuse(struct bank *b, struct bank_entry *e, const char *reason)
{
    struct bank_entry *original = bank_entry_get(b, e->original);
    e->state = STATE_REJECTED;
    BANK_COPY(e->reason, view_text(reason));
    b->stats.rejected++;
    if (e->kind == KIND_RETURN && original != NULL)
        original->returned_minor -= e->amount_minor;
}

/* The debit advice that a customer gets. */
static void tell_debit(struct bank *b, const struct bank_entry *e, int64_t now_us)
{
    if (!b->settings.notify_debits || e->participant || b->accounts[e->debit].inside)
        return;
    struct writer w = bank_notice_begin(b);
    bank_write_entry_notice(b, &w, e, e->debit, bank_wall(b, now_us));
    bank_notice_send(b, &w, e->url, now_us);
}

void bank_book_now(struct bank *b, struct bank_entry *e, int64_t now_us, bool tell)
{
    char status[24];
    int64_t wall_us = bank_wall(b, now_us);
    if (!bank_entry_has_funds(b, e)) {
        bank_refuse(b, e, "AM04");
        if (tell)
            bank_say_status(b, e, "RJCT", "AM04", now_us);
        return;
    }
    bank_entry_book(b, e, wall_us);
    if (tell)
        bank_say_status(b, e, bank_status_of(b, e, status), "", now_us);
    if (tell)
        tell_debit(b, e, now_us);
}

struct bank_entry *bank_give_back(struct bank *b, struct bank_entry *original, int64_t amount_minor,
                                  const char *reason, int64_t now_us)
{
    struct bank_entry *e = bank_entry_new(b, KIND_RETURN, bank_wall(b, now_us));
    if (e == NULL)
        return NULL;
    e->amount_minor = amount_minor;
    memcpy(e->currency, original->currency, sizeof e->currency);
    memcpy(e->end_to_end_id, original->end_to_end_id, sizeof e->end_to_end_id);
    memcpy(e->instr_id, original->instr_id, sizeof e->instr_id);
    memcpy(e->uetr, original->uetr, sizeof e->uetr);
    memcpy(e->debtor, original->creditor, sizeof e->debtor);
    memcpy(e->debtor_account, original->creditor_account, sizeof e->debtor_account);
    memcpy(e->creditor, original->debtor, sizeof e->creditor);
    memcpy(e->creditor_account, original->debtor_account, sizeof e->creditor_account);
    bank_new_id(b, e->tx_id, 'D', e->at_us);
    e->msg_name = "pacs.004.001.09";
    e->debit = original->credit;
    e->credit = original->debit;
    e->original = original->number;
    e->participant = original->participant;
    e->enveloped = original->enveloped;
    e->url = original->url;
    bank_entry_index(b, e);
    original->returned_minor += amount_minor;
    if (!bank_entry_has_funds(b, e)) {
        bank_refuse(b, e, "AM04");
        return NULL;
    }
    bank_entry_book(b, e, e->at_us);
    BANK_COPY(e->reason, view_text(reason));
    bank_tell_credit(b, e, now_us);
    return e;
}

static void say(struct bank_outcome *o, const struct bank_entry *e, const char *status,
                const char *reason, const char *text)
{
    ENSURE(o->count < BANK_TXS_MAX);
    o->said[o->count++] =
        (struct bank_said){ .e = e, .status = status, .reason = reason, .text = text };
}

/* On its merits: now, or when it is due. */
static void accept(struct bank_call *call, struct bank_entry *e, struct bank_outcome *o)
{
    struct bank *b = call->b;
    int64_t due_us = bank_plan_due(b, e, call->now_us);
    if (due_us > call->now_us) {
        e->state = STATE_PENDING;
        bank_plan_add(b, EVENT_BOOK, e->number, "", "", due_us);
        say(o, e, "ACSP", "", NULL);
        return;
    }
    bank_book_now(b, e, call->now_us, false);
    bool booked = e->state == STATE_BOOKED;
    say(o, e, booked ? "booked" : "RJCT", booked ? "" : e->reason, NULL);
}

static void obey(struct bank_call *call, struct bank_entry *e, const struct bank_magic *m,
                 struct bank_outcome *o)
{
    struct bank *b = call->b;
    int64_t later_us = call->now_us + b->settings.delay_ms * 1000;
    switch (m->kind) {
    case MAGIC_PENDING_BOOKED:
    case MAGIC_PENDING_REJECTED:
        e->state = STATE_PENDING;
        bank_plan_add(b, EVENT_BOOK, e->number, "", m->code, later_us);
        say(o, e, "ACSP", "", NULL);
        return;
    case MAGIC_SILENT_PENDING:
        e->state = STATE_PENDING;
        o->by_notice = true;
        return;
    case MAGIC_SILENT_BOOKED:
        bank_book_now(b, e, call->now_us, false);
        o->by_notice = true;
        return;
    case MAGIC_CONTRADICTION:
        bank_plan_add(b, EVENT_STATUS, e->number, "RJCT", m->code, later_us);
        break;
    case MAGIC_RETURNED: bank_plan_add(b, EVENT_RETURN, e->number, "", m->code, later_us); break;
    case MAGIC_TWICE:
    case MAGIC_OUT_OF_ORDER:
    case MAGIC_FOREIGN: o->by_notice = true; break;
    case MAGIC_SLOW: call->answer->delay_us = later_us - call->now_us; break;
    case MAGIC_BUSY_BOOKED: o->busy = true; break;
    default: break;
    }
    accept(call, e, o);
}

void bank_decide(struct bank_call *call, struct bank_entry *e, const char *code,
                 struct bank_outcome *o)
{
    struct bank *b = call->b;
    b->stats.transactions++;
    bank_entry_index(b, e);
    const struct bank_magic *m = code[0] == '\0' ? magic_for(b, e) : NULL;
    if (m != NULL && m->kind == MAGIC_BUSY) /* bank_brain let it through: it is the repeat */
        m = NULL;
    e->magic = m != NULL ? m->number : 0;
    if (m != NULL && m->kind == MAGIC_REJECT)
        code = m->code;
    if (code[0] == '\0' && !bank_entry_has_funds(b, e))
        code = "AM04";
    if (code[0] != '\0') {
        bank_refuse(b, e, code);
        const char *text = arena_text(call->arena, view_text(call->sentence));
        say(o, e, "RJCT", e->reason, strcmp(code, "NARR") == 0 ? "see the conditions" : text);
    } else if (m != NULL) {
        obey(call, e, m, o);
    } else {
        accept(call, e, o);
    }
}

/* --- telling -------------------------------------------------------------------------------- */
static void answer_now(struct bank_call *call, const struct bank_outcome *o)
{
    char final[24];
    struct bank_outcome *copy = ARENA_NEW(call->arena, struct bank_outcome);
    if (copy == NULL) {
        call->answer->http_status = 503;
        return;
    }
    *copy = *o;
    bank_word(&call->b->settings, "final_status", final);
    for (size_t i = 0; i < copy->count; i++) {
        if (strcmp(copy->said[i].status, "booked") == 0) {
            copy->said[i].status = final;
            tell_debit(call->b, copy->said[i].e, call->now_us);
        }
    }
    struct bank_reply reply = { .msg_id = call->msg_id,
                                .msg_name = call->kind->name,
                                .said = copy->said,
                                .said_count = copy->count,
                                .as_pain = call->kind->kind == ISO_PAIN_001 };
    bank_write_status(call->b, &call->answer->body, &reply, call->wall_us);
}

static void answer_later(struct bank_call *call, const struct bank_outcome *o)
{
    struct bank *b = call->b;
    char final[24];
    bank_word(&b->settings, "final_status", final);
    call->answer->http_status = 202;
    for (size_t i = 0; i < o->count; i++) {
        const struct bank_said *said = &o->said[i];
        if (strcmp(said->status, "booked") != 0) {
            bank_say_status(b, said->e, said->status, said->reason, call->now_us);
            continue;
        }
        bool reversed = said->e->magic == 9107;
        bank_say_status(b, said->e, reversed ? final : "ACSP", "", call->now_us);
        bank_say_status(b, said->e, reversed ? "ACSP" : final, "", call->now_us);
        tell_debit(b, said->e, call->now_us);
    }
}

void bank_answer(struct bank_call *call, const struct bank_outcome *o)
{
    if (o->by_notice || bank_is(&call->b->settings, "answer", "notice"))
        answer_later(call, o);
    else
        answer_now(call, o);
    call->busy = o->busy;
}
