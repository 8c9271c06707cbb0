/* bank_pay.c - pain.001 and pacs.008: first the message as a whole, then one transaction after the
 * other.
 */
#include "bank_int.h"

#include "base/map.h"

#define DAY_US INT64_C(86400000000)

/* A decimal of the schema in units of 10^-5; false when it does not fit. */
static bool scaled(struct view text, int64_t *out)
{
    int64_t value = 0;
    int after = -1;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '.') {
            after = 0;
        } else if (after < 0 || ++after <= 5) {
            if (text.ptr[i] < '0' || text.ptr[i] > '9' || value > INT64_MAX / 100)
                return false;
            value = value * 10 + (text.ptr[i] - '0');
        } else if (text.ptr[i] != '0') {
            return false;
        }
    }
    for (int i = after < 0 ? 0 : after; i < 5; i++) {
        if (value > INT64_MAX / 100)
            return false;
        value *= 10;
    }
    *out = value;
    return true;
}

struct sums {
    uint64_t count;
    int64_t sum; /* 10^-5 */
};

/* Adds the transactions below one batch; false when an amount is too large to be added. */
static bool add_batch(const struct xml_node *batch, const char *amount_path, struct sums *sums)
{
    const struct xml_node *tx = xml_child(batch, "CdtTrfTxInf");
    for (; tx != NULL; tx = xml_again(tx)) {
        int64_t one;
        sums->count++;
        const struct xml_node *amount = xml_at(tx, amount_path);
        if (amount == NULL)
            continue;
        if (!scaled(amount->text, &one) || sums->sum > INT64_MAX - one)
            return false;
        sums->sum += one;
    }
    return true;
}

static const char *compare(struct bank_call *call, const struct sums *sums,
                           const struct xml_node *header, const char *count_code,
                           const char *sum_code)
{
    struct view number = xml_text_at(header, "NbOfTxs"), control = xml_text_at(header, "CtrlSum");
    uint64_t count = 0;
    int64_t sum;
    for (size_t i = 0; i < number.len; i++)
        count = count * 10 + (uint64_t)(number.ptr[i] - '0'); /* 15 digits by the schema */
    if (number.len > 0 && count != sums->count) {
        BANK_COPY(call->sentence, VIEW("NbOfTxs is not the number of transactions"));
        return count_code;
    }
    if (control.len > 0 && (!scaled(control, &sum) || sum != sums->sum)) {
        BANK_COPY(call->sentence, VIEW("CtrlSum is not the sum of the amounts"));
        return sum_code;
    }
    return "";
}

static const char *check_group(struct bank_call *call)
{
    bool pain = call->kind->kind == ISO_PAIN_001;
    const struct xml_node *header = xml_child(call->message, "GrpHdr");
    struct sums all = { .count = 0 };
    int64_t created_us;
    const char *code = "";
    bool adds = true;
    if (!pain) {
        adds = add_batch(call->message, "IntrBkSttlmAmt", &all);
        struct view total = xml_text_at(header, "TtlIntrBkSttlmAmt");
        int64_t sum;
        if (adds && total.len > 0 && (!scaled(total, &sum) || sum != all.sum)) {
            BANK_COPY(call->sentence, VIEW("TtlIntrBkSttlmAmt is not the sum of the amounts"));
            return "AM10";
        }
    }
    for (const struct xml_node *batch = pain ? xml_child(call->message, "PmtInf") : NULL;
         batch != NULL && code[0] == '\0' && adds; batch = xml_again(batch)) {
        struct sums one = { .count = 0 };
        adds = add_batch(batch, "Amt/InstdAmt", &one) && all.sum <= INT64_MAX - one.sum;
        all.count += one.count;
        all.sum += adds ? one.sum : 0;
        code = compare(call, &one, batch, "AM18", "AM10");
    }
    if (code[0] == '\0' && !adds) {
        BANK_COPY(call->sentence, VIEW("an amount is too large"));
        return "AM12";
    }
    if (code[0] == '\0')
        code = compare(call, &all, header, "AM18", "AM10");
    if (code[0] == '\0' && all.count > BANK_TXS_MAX) {
        BANK_COPY(call->sentence, VIEW("too many transactions in one message"));
        return "FF01";
    }
    if (code[0] == '\0' &&
        (wall_read(xml_text_at(header, "CreDtTm"), &created_us) != STATUS_OK ||
         created_us > call->wall_us + DAY_US || created_us < call->wall_us - 7 * DAY_US)) {
        BANK_COPY(call->sentence, VIEW("CreDtTm is too far away"));
        return "DT02";
    }
    return code;
}

/* The whole message is refused: no transaction is looked at. */
void bank_group_reply(struct bank_call *call, const char *code, int http_status)
{
    struct bank_reply reply = { .msg_id = call->msg_id,
                                .msg_name = call->kind != NULL ? call->kind->name : "",
                                .group_status = "RJCT",
                                .group_reason = code,
                                .group_text = call->sentence,
                                .as_pain = call->kind != NULL ? call->kind->kind == ISO_PAIN_001
                                                              : bank_is(&call->b->settings,
                                                                        "connection", "customer") };
    call->b->stats.rejected++;
    call->answer->http_status = http_status;
    bank_write_status(call->b, &call->answer->body, &reply, call->wall_us);
}

static uint64_t fingerprint(const struct bank_entry *e)
{
    char text[256];
    struct writer w = writer_over(text, sizeof text);
    writer_i64_text(&w, e->amount_minor);
    writer_text(&w, e->currency);
    writer_text(&w, "|");
    writer_text(&w, e->debtor_account);
    writer_text(&w, "|");
    writer_text(&w, e->creditor_account);
    return siphash(0x70617966, 2, writer_done(&w));
}

static bool pay_one(struct bank_call *call, const struct xml_node *batch, const struct xml_node *tx,
                    struct bank_outcome *o)
{
    struct bank *b = call->b;
    struct bank_entry *e = bank_entry_new(b, KIND_TRANSFER, call->wall_us);
    if (e == NULL)
        return false;
    struct bank_transfer t = { .tx = tx, .batch = batch, .e = e };
    e->msg_name = call->kind->name;
    e->url = call->url;
    e->enveloped = b->last_enveloped;
    bank_check_read(call, &t);
    e->content = fingerprint(e);
    call->answer->amount_minor = e->amount_minor;
    call->sentence[0] = '\0';
    const char *code = bank_check(call, &t);
    int64_t date_us;
    if (t.date.len > 0 && wall_read(t.date, &date_us) == STATUS_OK && date_us > call->wall_us)
        e->execute_us = date_us;
    bank_decide(call, e, code, o);
    return true;
}

/* Magic 9113: the first time there is no bank. */
static bool wants_busy(struct bank_call *call)
{
    bool pain = call->kind->kind == ISO_PAIN_001;
    const struct xml_node *amount = xml_at(call->message, pain ? "PmtInf/CdtTrfTxInf/Amt/InstdAmt"
                                                               : "CdtTrfTxInf/IntrBkSttlmAmt");
    int64_t amount_minor = 0;
    if (call->seen->again || amount == NULL ||
        money_read(amount->text, xml_attribute(amount, "Ccy"), &amount_minor) != STATUS_OK)
        return false;
    const struct bank_magic *m = bank_magic_of((unsigned)(amount_minor % 10000));
    return m != NULL && m->kind == MAGIC_BUSY;
}

void bank_pay(struct bank_call *call)
{
    if (wants_busy(call)) {
        call->seen->again = true;
        call->answer->http_status = 503;
        return;
    }
    bool pain = call->kind->kind == ISO_PAIN_001;
    struct bank_outcome *o = ARENA_NEW(call->arena, struct bank_outcome);
    const char *code = check_group(call);
    bool room = o != NULL;
    if (code[0] != '\0') {
        bank_group_reply(call, code, 200);
        return;
    }
    const struct xml_node *batch =
        pain ? xml_child(call->message, "PmtInf") : xml_child(call->message, "GrpHdr");
    for (; batch != NULL && room; batch = pain ? xml_again(batch) : NULL) {
        const struct xml_node *tx = xml_child(pain ? batch : call->message, "CdtTrfTxInf");
        for (; tx != NULL && room; tx = xml_again(tx))
            room = pay_one(call, batch, tx, o);
    }
    if (room)
        bank_answer(call, o);
    else
        call->answer->http_status = 503;
}
