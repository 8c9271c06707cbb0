/* bank_after.c - what comes after a payment: pacs.028 asks about it or about its recall, camt.056
 * wants it back, pacs.004 from the other side gives back a credit that it got.
 */
#include "bank_int.h"

/* --- pacs.028 ------------------------------------------------------------------------------- */
static struct bank_entry *entry_of_message(const struct bank *b, struct view msg_id)
{
    for (size_t i = b->entry_count; i > 0 && msg_id.len > 0; i--)
        if (view_is(msg_id, b->entries[i - 1]->msg_id) && b->entries[i - 1]->kind != KIND_RECALL)
            return b->entries[i - 1];
    return NULL;
}

/* A payment of theirs by any of its ids, or a return of theirs by its own id. */
static struct bank_entry *asked_for(struct bank_call *call, const struct xml_node *tx)
{
    const struct bank *b = call->b;
    struct view end_to_end = xml_text_at(tx, "OrgnlEndToEndId");
    struct view tx_id = xml_text_at(tx, "OrgnlTxId"), instr = xml_text_at(tx, "OrgnlInstrId");
    struct view uetr = xml_text_at(tx, "OrgnlUETR");
    struct bank_entry *e = bank_entry_find(b, VIEW_EMPTY, tx_id.len > 0 ? tx_id : instr, VIEW_EMPTY,
                                           1u << KIND_RETURN);
    if (e == NULL)
        e = bank_entry_find(b, end_to_end, tx_id, uetr, 1u << KIND_TRANSFER);
    struct view msg_id = xml_text_at(tx, "OrgnlGrpInf/OrgnlMsgId");
    if (msg_id.len == 0)
        msg_id = xml_text_at(call->message, "OrgnlGrpInf/OrgnlMsgId");
    if (e == NULL && end_to_end.len + tx_id.len + instr.len + uetr.len == 0)
        e = entry_of_message(b, msg_id);
    return e;
}

static struct view original_group(struct bank_call *call, const struct xml_node *tx,
                                  const char *member)
{
    const struct xml_node *of_tx = xml_child(tx, "OrgnlGrpInf");
    const struct xml_node *group = of_tx != NULL ? of_tx : xml_child(call->message, "OrgnlGrpInf");
    return xml_text_at(group, member);
}

static bool is_recall(struct bank_call *call, const struct xml_node *tx)
{
    struct view name = original_group(call, tx, "OrgnlMsgNmId");
    return name.len >= 8 && view_is(view_slice(name, 0, 8), "camt.056");
}

/* Asks about a recall: the answer is what the recall has come to. False: no recall that we know. */
static bool answer_recall(struct bank_call *call, const struct xml_node *tx)
{
    struct bank *b = call->b;
    struct view id = original_group(call, tx, "OrgnlMsgId");
    const struct bank_entry *recall = NULL;
    for (size_t i = b->entry_count; i > 0 && recall == NULL && id.len > 0; i--)
        if (b->entries[i - 1]->kind == KIND_RECALL && view_is(id, b->entries[i - 1]->msg_id))
            recall = b->entries[i - 1];
    if (recall == NULL)
        return false;
    const char *outcome = recall->state == STATE_PENDING    ? "PDCR"
                          : recall->state == STATE_REJECTED ? "RJCR"
                                                            : "CNCL";
    const char *reason = recall->state == STATE_REJECTED ? recall->reason : "";
    bool sync = bank_is(&b->settings, "inquiry", "sync");
    struct writer notice = bank_notice_begin(b);
    struct writer *w = sync ? &call->answer->body : &notice;
    bank_write_resolution(b, w, recall, bank_entry_get(b, recall->original), outcome, reason,
                          call->wall_us);
    if (!sync) {
        bank_notice_send(b, w, call->url, call->now_us);
        call->answer->http_status = 202;
    }
    return true;
}

void bank_after_inquiry(struct bank_call *call)
{
    struct bank *b = call->b;
    const struct xml_node *tx = xml_child(call->message, "TxInf");
    bool of_recall = is_recall(call, tx);
    struct bank_entry *e = of_recall ? NULL : asked_for(call, tx);
    char status[24];
    struct bank_said said = { .e = e };
    struct bank_reply reply = { .msg_id = xml_text_at(tx, "OrgnlGrpInf/OrgnlMsgId"),
                                .msg_name = "" };
    if (tx != NULL && xml_again(tx) != NULL) {
        BANK_COPY(call->sentence, VIEW("one transaction at a time"));
        bank_group_reply(call, "FF01", 200);
        return;
    }
    if (of_recall && answer_recall(call, tx))
        return;
    if (e != NULL) {
        said.status = bank_status_of(b, e, status);
        said.reason = e->state == STATE_REJECTED && strcmp(status, "CANC") != 0 ? e->reason : "";
        if (strcmp(said.status, "CANC") == 0)
            said.reason = "";
        reply.msg_id = view_text(e->msg_id);
        reply.msg_name = e->msg_name;
        reply.said = &said;
        reply.said_count = 1;
    } else {
        if (bank_is(&b->settings, "unknown_transaction", "silent")) {
            call->answer->http_status = 202;
            return;
        }
        reply.unknown_end_to_end = xml_text_at(tx, "OrgnlEndToEndId");
        reply.unknown_tx = xml_text_at(tx, "OrgnlTxId");
        reply.unknown_uetr = xml_text_at(tx, "OrgnlUETR");
        if (reply.unknown_end_to_end.len + reply.unknown_tx.len + reply.unknown_uetr.len == 0) {
            reply.group_status = "RJCT";
            reply.group_reason = "NOOR";
        }
        if (reply.msg_id.len == 0)
            reply.msg_id = xml_text_at(call->message, "OrgnlGrpInf/OrgnlMsgId");
    }
    if (bank_is(&b->settings, "inquiry", "sync")) {
        bank_write_status(b, &call->answer->body, &reply, call->wall_us);
        return;
    }
    struct writer w = bank_notice_begin(b);
    bank_write_status(b, &w, &reply, call->wall_us);
    bank_notice_send(b, &w, call->url, call->now_us);
    call->answer->http_status = 202;
}

/* --- camt.056 ------------------------------------------------------------------------------- */
static void tell_resolution(struct bank *b, struct bank_entry *recall, const char *outcome,
                            const char *reason, int64_t now_us, struct bank_call *call)
{
    struct writer notice = bank_notice_begin(b);
    bool sync = call != NULL && bank_is(&b->settings, "recall_answer", "sync");
    struct writer *w = sync ? &call->answer->body : &notice;
    bank_write_resolution(b, w, recall, bank_entry_get(b, recall->original), outcome, reason,
                          bank_wall(b, now_us));
    if (!sync)
        bank_notice_send(b, w, recall->url, now_us);
    if (!sync && call != NULL)
        call->answer->http_status = 202;
}

/* Gives back what is left of the original. */
static void give_back(struct bank *b, struct bank_entry *recall, int64_t now_us,
                      struct bank_call *call)
{
    struct bank_entry *original = bank_entry_get(b, recall->original);
    int64_t left_minor = original->amount_minor - original->returned_minor;
    int at = bank_currency(view_text(original->currency));
    const struct bank_account *holder = &b->accounts[original->credit];
    if (left_minor <= 0 || (!holder->inside && holder->balance_minor[at] < left_minor)) {
        recall->state = STATE_REJECTED;
        BANK_COPY(recall->reason, left_minor <= 0 ? VIEW("ARDT") : VIEW("AM04"));
        tell_resolution(b, recall, "RJCR", recall->reason, now_us, call);
        return;
    }
    recall->state = STATE_BOOKED;
    recall->booked_us = bank_wall(b, now_us);
    tell_resolution(b, recall, "CNCL", "", now_us, call);
    (void)bank_give_back(b, original, left_minor, "FOCR", now_us);
}

static void refuse(struct bank *b, struct bank_entry *recall, const char *reason, int64_t now_us,
                   struct bank_call *call)
{
    recall->state = STATE_REJECTED;
    BANK_COPY(recall->reason, view_text(reason));
    tell_resolution(b, recall, "RJCR", recall->reason, now_us, call);
}

void bank_after_recall_end(struct bank *b, struct bank_entry *recall, const char *reason,
                           int64_t now_us)
{
    if (reason[0] == '\0')
        give_back(b, recall, now_us, NULL);
    else
        refuse(b, recall, reason, now_us, NULL);
}

static void decide_recall(struct bank_call *call, struct bank_entry *recall,
                          const struct bank_entry *original)
{
    struct bank *b = call->b;
    char word[24];
    const struct bank_magic *m = bank_magic_of(original->magic);
    bank_word(&b->settings, "recall", word);
    const char *code = word;
    bool silent = strcmp(word, "silent") == 0, later = strncmp(word, "pending_", 8) == 0;
    if (later)
        code = strcmp(word, "pending_reject") == 0 ? "CUST" : "";
    else if (strcmp(word, "accept") == 0)
        code = "";
    if (m != NULL && m->number >= 9200) { /* the payment's own amount says more */
        silent = m->kind == MAGIC_RECALL_SILENT;
        later = m->kind == MAGIC_RECALL_LATER;
        code = m->code;
    }
    if (silent) {
        recall->state = STATE_PENDING;
        call->answer->http_status = 202;
    } else if (later) {
        recall->state = STATE_PENDING;
        bank_plan_add(b, EVENT_RECALL, recall->number, "", code,
                      call->now_us + b->settings.delay_ms * 1000);
        tell_resolution(b, recall, "PDCR", "", call->now_us, call);
    } else if (code[0] == '\0') {
        give_back(b, recall, call->now_us, call);
    } else {
        refuse(b, recall, code, call->now_us, call);
    }
}

void bank_after_recall(struct bank_call *call)
{
    struct bank *b = call->b;
    const struct xml_node *under = xml_child(call->message, "Undrlyg");
    const struct xml_node *tx = xml_child(under, "TxInf");
    if (xml_again(under) != NULL || tx == NULL || xml_again(tx) != NULL) {
        BANK_COPY(call->sentence, VIEW("one transaction at a time"));
        bank_group_reply(call, "FF01", 200);
        return;
    }
    struct view end_to_end = xml_text_at(tx, "OrgnlEndToEndId"),
                uetr = xml_text_at(tx, "OrgnlUETR");
    struct view tx_id = xml_text_at(tx, "OrgnlTxId");
    struct bank_entry *original = bank_entry_find(b, end_to_end, tx_id, uetr, 1u << KIND_TRANSFER);
    struct bank_entry *recall = bank_entry_new(b, KIND_RECALL, call->wall_us);
    if (recall == NULL) {
        call->answer->http_status = 503;
        return;
    }
    BANK_COPY(recall->end_to_end_id, end_to_end);
    BANK_COPY(recall->instr_id, xml_text_at(tx, "OrgnlInstrId"));
    BANK_COPY(recall->tx_id, tx_id);
    BANK_COPY(recall->uetr, uetr);
    BANK_COPY(recall->msg_id, call->msg_id);
    BANK_COPY(recall->cancel_id, xml_text_at(tx, "CxlId"));
    struct view tx_case = xml_text_at(tx, "Case/Id");
    BANK_COPY(recall->case_id, tx_case.len > 0 ? tx_case : xml_text_at(call->message, "Case/Id"));
    recall->msg_name = call->kind->name;
    recall->url = call->url;
    recall->enveloped = b->last_enveloped;
    recall->participant = true;
    recall->original = original != NULL ? original->number : 0;
    recall->amount_minor = original != NULL ? original->amount_minor : 0;
    memcpy(recall->currency, original != NULL ? original->currency : "", original != NULL ? 4 : 1);
    const struct xml_node *amount = xml_child(tx, "OrgnlIntrBkSttlmAmt");
    int64_t amount_minor = -1;
    bool other_amount =
        original != NULL && amount != NULL &&
        (money_read(amount->text, xml_attribute(amount, "Ccy"), &amount_minor) != STATUS_OK ||
         amount_minor != original->amount_minor ||
         !view_is(xml_attribute(amount, "Ccy"), original->currency));
    if (original == NULL || other_amount) {
        refuse(b, recall, "NOOR", call->now_us, call);
    } else if (original->state == STATE_PENDING) { /* stopped before any money moved */
        bank_refuse(b, original, "CANC");
        recall->state = STATE_BOOKED;
        tell_resolution(b, recall, "CNCL", "", call->now_us, call);
    } else if (original->state == STATE_REJECTED) {
        if (strcmp(original->reason, "CANC") == 0) {
            recall->state = STATE_BOOKED;
            tell_resolution(b, recall, "CNCL", "", call->now_us, call);
        } else {
            refuse(b, recall, "NOOR", call->now_us, call);
        }
    } else if (original->returned_minor >= original->amount_minor) {
        refuse(b, recall, "ARDT", call->now_us, call);
    } else {
        decide_recall(call, recall, original);
    }
}

/* --- pacs.004 ------------------------------------------------------------------------------- */
static const char *say(struct bank_call *call, const char *code, const char *sentence)
{
    BANK_COPY(call->sentence, view_text(sentence));
    return code;
}

static const char *check_return(struct bank_call *call, const struct xml_node *tx,
                                struct bank_entry *e, struct bank_entry **original)
{
    struct bank *b = call->b;
    struct view end_to_end = xml_text_at(tx, "OrgnlEndToEndId"),
                tx_id = xml_text_at(tx, "OrgnlTxId");
    struct view uetr = xml_text_at(tx, "OrgnlUETR");
    const struct xml_node *amount = xml_child(tx, "RtrdIntrBkSttlmAmt");
    const struct xml_node *whole = xml_child(tx, "OrgnlIntrBkSttlmAmt");
    struct view currency = xml_attribute(amount, "Ccy");
    int64_t whole_minor = 0;
    enum status read = money_read(amount->text, currency, &e->amount_minor);
    BANK_COPY(e->currency, currency);
    if (e->tx_id[0] == '\0')
        return say(call, "CH21", "RtrId is missing");
    if (b->settings.scheme == SCHEME_pix && !bank_pix_id(view_text(e->tx_id), 'D', true))
        return say(call, "FF02", "RtrId is not D, ISPB, time and 11 letters");
    *original = bank_entry_find(b, end_to_end, tx_id, uetr, 1u << KIND_CREDIT);
    if (*original == NULL && bank_entry_find(b, end_to_end, tx_id, uetr, 1u << KIND_RETURN) != NULL)
        return say(call, "AG13", "a return is not returned");
    if (*original == NULL)
        return say(call, "NOOR", "no original transaction");
    e->debit = (*original)->credit;
    e->credit = (*original)->debit;
    if (read == STATUS_UNSUPPORTED || !view_is(currency, (*original)->currency))
        return say(call, "AM03", "another currency than the original's");
    if (read != STATUS_OK)
        return say(call, "AM12", "more fraction digits than the currency has, or too long");
    if (e->amount_minor == 0)
        return say(call, "AM01", "the amount is zero");
    if (whole != NULL &&
        (money_read(whole->text, xml_attribute(whole, "Ccy"), &whole_minor) != STATUS_OK ||
         whole_minor != (*original)->amount_minor))
        return say(call, "AM09", "OrgnlIntrBkSttlmAmt is not the original's amount");
    if (bank_entry_find(b, VIEW_EMPTY, view_text(e->tx_id), VIEW_EMPTY, 1u << KIND_RETURN) != NULL)
        return say(call, "AM05", "this RtrId came before");
    if (e->amount_minor > (*original)->amount_minor - (*original)->returned_minor)
        return say(call, "AM09", "more than is left of the original");
    return "";
}

void bank_after_return(struct bank_call *call)
{
    struct bank *b = call->b;
    struct bank_outcome *o = ARENA_NEW(call->arena, struct bank_outcome);
    const struct xml_node *tx = xml_child(call->message, "TxInf");
    struct bank_entry *e = o != NULL ? bank_entry_new(b, KIND_RETURN, call->wall_us) : NULL;
    if (e == NULL) {
        call->answer->http_status = 503;
        return;
    }
    if (tx == NULL || xml_again(tx) != NULL ||
        !view_is(xml_text_at(call->message, "GrpHdr/NbOfTxs"), "1")) {
        BANK_COPY(call->sentence, VIEW("NbOfTxs is not the number of transactions, or not 1"));
        BANK_COPY(e->reason, VIEW("AM18"));
        bank_group_reply(call, "AM18", 200);
        return;
    }
    struct bank_entry *original = NULL;
    struct view end_to_end = xml_text_at(tx, "OrgnlEndToEndId");
    BANK_COPY(e->end_to_end_id, end_to_end);
    BANK_COPY(e->tx_id, xml_text_at(tx, "RtrId"));
    BANK_COPY(e->instr_id, xml_text_at(tx, "RtrId"));
    BANK_COPY(e->uetr, xml_text_at(tx, "OrgnlUETR"));
    BANK_COPY(e->msg_id, call->msg_id);
    e->msg_name = call->kind->name;
    e->url = call->url;
    e->enveloped = b->last_enveloped;
    e->participant = true;
    const char *code = check_return(call, tx, e, &original);
    call->answer->amount_minor = e->amount_minor;
    if (code[0] == '\0') { /* taken from the original until it is refused */
        e->original = original->number;
        original->returned_minor += e->amount_minor;
    }
    bank_decide(call, e, code, o);
    if (e->reason[0] == '\0')
        BANK_COPY(e->reason, xml_text_at(tx, "RtrRsnInf/Rsn/Cd"));
    bank_answer(call, o);
}
