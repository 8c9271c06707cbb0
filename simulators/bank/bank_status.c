/* bank_status.c - writes what the bank says about a message and its transactions: pain.002.001.10,
 * pacs.002.001.10, camt.029.001.09, admi.002.001.01. Element by element in the order of the
 * schemas.
 */
#include "bank_int.h"

#define ADDITIONAL_MAX 105

static const char *or_not_provided(const char *text)
{
    return text[0] != '\0' ? text : "NOTPROVIDED";
}

static void put_reason(struct xml_out *x, const char *element, const char *code, const char *text)
{
    if ((code == NULL || code[0] == '\0') && (text == NULL || text[0] == '\0'))
        return;
    char cut[ADDITIONAL_MAX + 1] = "";
    if (text != NULL)
        BANK_COPY(cut, view_text(text));
    xml_open(x, element);
    if (code != NULL && code[0] != '\0')
        xml_path(x, "Rsn", "Cd", code);
    xml_leaf_if_text(x, "AddtlInf", cut);
    xml_close(x);
}

static void put_agent(struct xml_out *x, const char *element, const char *bic)
{
    if (bic[0] == '\0')
        return;
    xml_open(x, element);
    xml_path(x, "FinInstnId", "BICFI", bic);
    xml_close(x);
}

static void put_number(struct xml_out *x, const char *element, char letter, uint64_t number)
{
    char text[32];
    struct writer w = writer_over(text, sizeof text);
    writer_u8(&w, (uint8_t)letter);
    writer_u64_padded(&w, number, 15);
    xml_leaf(x, element, writer_done(&w));
}

/* What it was about, with the lies that a magic amount asks for. */
static void put_original(struct xml_out *x, const struct bank_entry *e, bool pain)
{
    bool accepted = e->state != STATE_REJECTED;
    int64_t amount_minor = e->amount_minor + (accepted && e->magic == 9108 ? 1 : 0);
    const char *currency = e->currency;
    if (accepted && e->magic == 9109)
        currency = strcmp(currency, "USD") == 0 ? "CAD" : "USD";
    if (currency_digits(view_text(currency)) < 0 || amount_minor < 0)
        return;
    xml_open(x, "OrgnlTxRef");
    if (pain)
        xml_open(x, "Amt");
    xml_amount(x, pain ? "InstdAmt" : "IntrBkSttlmAmt", amount_minor, currency);
    if (pain)
        xml_close(x);
    xml_close(x);
}

static void put_transaction(struct xml_out *x, const struct bank_said *said, bool pain)
{
    const struct bank_entry *e = said->e;
    bool foreign = e->magic == 9112 && e->state != STATE_REJECTED;
    xml_open(x, "TxInfAndSts");
    put_number(x, "StsId", 'S', e->number);
    xml_leaf_if_text(x, "OrgnlInstrId", foreign ? "" : e->instr_id);
    xml_leaf_text(x, "OrgnlEndToEndId",
                  foreign ? "NOBODYSENTTHIS" : or_not_provided(e->end_to_end_id));
    if (!pain)
        xml_leaf_if_text(x, "OrgnlTxId", foreign ? "" : e->tx_id);
    xml_leaf_if_text(x, "OrgnlUETR", foreign || !uetr_valid(view_text(e->uetr)) ? "" : e->uetr);
    xml_leaf_text(x, "TxSts", said->status);
    put_reason(x, "StsRsnInf", said->reason, said->text);
    if (strcmp(said->status, "RJCT") != 0) {
        xml_time(x, "AccptncDtTm", e->at_us);
        put_number(x, "AcctSvcrRef", 'A', e->number);
    }
    put_original(x, e, pain);
    xml_close(x);
}

static void put_unknown(struct xml_out *x, const struct bank_reply *reply)
{
    xml_open(x, "TxInfAndSts");
    xml_leaf_if(x, "OrgnlEndToEndId", reply->unknown_end_to_end);
    xml_leaf_if(x, "OrgnlTxId", reply->unknown_tx);
    xml_leaf_if(x, "OrgnlUETR", reply->unknown_uetr);
    xml_leaf_text(x, "TxSts", "RJCT");
    put_reason(x, "StsRsnInf", "NOOR", "no original transaction received");
    xml_close(x);
}

static void put_group(struct xml_out *x, const struct bank_reply *reply)
{
    struct view id = reply->msg_id.len > 0 ? reply->msg_id : VIEW("NOTPROVIDED");
    xml_open(x, "OrgnlGrpInfAndSts");
    xml_leaf(x, "OrgnlMsgId", id);
    xml_leaf_text(x, "OrgnlMsgNmId", or_not_provided(reply->msg_name));
    if (reply->group_status != NULL)
        xml_leaf_text(x, "GrpSts", reply->group_status);
    put_reason(x, "StsRsnInf", reply->group_reason, reply->group_text);
    xml_close(x);
}

void bank_write_status(struct bank *b, struct writer *w, const struct bank_reply *reply,
                       int64_t wall_us)
{
    struct bank_paper p;
    struct xml_out *x = &p.x;
    bool pain = reply->as_pain;
    bank_paper_open(b, &p, w, pain ? "pain.002.001.10" : "pacs.002.001.10",
                    pain ? "CstmrPmtStsRpt" : "FIToFIPmtStsRpt",
                    bank_enveloped(b, b->last_enveloped), wall_us);
    xml_open(x, "GrpHdr");
    xml_leaf_text(x, "MsgId", p.id);
    xml_time(x, "CreDtTm", wall_us);
    put_agent(x, pain ? "DbtrAgt" : "InstgAgt", b->settings.bic);
    xml_close(x);
    put_group(x, reply);
    const char *batch = NULL;
    for (size_t i = 0; i < reply->said_count; i++) {
        const struct bank_entry *e = reply->said[i].e;
        if (pain && (batch == NULL || strcmp(batch, e->pmt_inf_id) != 0)) {
            if (batch != NULL)
                xml_close(x);
            xml_open(x, "OrgnlPmtInfAndSts");
            xml_leaf_text(x, "OrgnlPmtInfId", or_not_provided(e->pmt_inf_id));
            batch = e->pmt_inf_id;
        }
        put_transaction(x, &reply->said[i], pain);
    }
    if (reply->unknown_end_to_end.len + reply->unknown_tx.len + reply->unknown_uetr.len > 0)
        put_unknown(x, reply);
    bank_paper_close(&p);
}

const char *bank_status_of(const struct bank *b, const struct bank_entry *e, char out[24])
{
    switch (e->state) {
    case STATE_BOOKED: return bank_word(&b->settings, "final_status", out);
    case STATE_PENDING: return "ACSP";
    default: return strcmp(e->reason, "CANC") == 0 ? "CANC" : "RJCT";
    }
}

static void say(struct bank *b, const struct bank_entry *e, const char *status, const char *reason,
                int64_t now_us)
{
    struct writer w = bank_notice_begin(b);
    struct bank_said said = { .e = e, .status = status, .reason = reason };
    struct bank_reply reply = { .msg_id = view_text(e->msg_id),
                                .msg_name = e->msg_name,
                                .said = &said,
                                .said_count = 1,
                                .as_pain = !e->participant };
    if (strcmp(reason, "NARR") == 0)
        said.text = "see the conditions of the account";
    bank_write_status(b, &w, &reply, bank_wall(b, now_us));
    bank_notice_send(b, &w, e->url, now_us);
}

void bank_say_status(struct bank *b, const struct bank_entry *e, const char *status,
                     const char *reason, int64_t now_us)
{
    say(b, e, status, reason, now_us);
    if (e->magic == 9106)
        say(b, e, status, reason, now_us);
}

/* --- camt.029 and admi.002 ------------------------------------------------------------------ */
static void put_assignment(struct bank *b, struct xml_out *x, const char *id, const char *to,
                           int64_t wall_us)
{
    xml_open(x, "Assgnmt");
    xml_leaf_text(x, "Id", id);
    xml_open(x, "Assgnr");
    put_agent(x, "Agt", b->settings.bic);
    xml_close(x);
    xml_open(x, "Assgne");
    xml_path(x, "Pty", "Nm", to);
    xml_close(x);
    xml_time(x, "CreDtTm", wall_us);
    xml_close(x);
}

void bank_write_resolution(struct bank *b, struct writer *w, const struct bank_entry *recall,
                           const struct bank_entry *original, const char *outcome,
                           const char *reason, int64_t wall_us)
{
    struct bank_paper p;
    struct xml_out *x = &p.x;
    const char *individual = strcmp(outcome, "CNCL") == 0 ? "ACCR" : outcome;
    bank_paper_open(b, &p, w, "camt.029.001.09", "RsltnOfInvstgtn",
                    bank_enveloped(b, recall->enveloped), wall_us);
    put_assignment(b, x, p.id, "PARTICIPANT", wall_us);
    if (recall->case_id[0] != '\0') {
        xml_open(x, "RslvdCase");
        xml_leaf_text(x, "Id", recall->case_id);
        xml_open(x, "Cretr");
        xml_path(x, "Pty", "Nm", "PARTICIPANT");
        xml_close_to(x, x->depth - 2);
    }
    xml_path(x, "Sts", "Conf", outcome);
    xml_open(x, "CxlDtls");
    xml_open(x, "TxInfAndSts");
    xml_leaf_if_text(x, "CxlStsId", recall->cancel_id);
    xml_open(x, "OrgnlGrpInf");
    xml_leaf_text(x, "OrgnlMsgId", or_not_provided(original != NULL ? original->msg_id : ""));
    xml_leaf_text(x, "OrgnlMsgNmId", or_not_provided(original != NULL ? original->msg_name : ""));
    xml_close(x);
    xml_leaf_if_text(x, "OrgnlInstrId", recall->instr_id);
    xml_leaf_if_text(x, "OrgnlEndToEndId", recall->end_to_end_id);
    xml_leaf_if_text(x, "OrgnlTxId", recall->tx_id);
    xml_leaf_if_text(x, "OrgnlUETR", recall->uetr);
    xml_leaf_text(x, "TxCxlSts", individual);
    put_reason(x, "CxlStsRsnInf", reason, NULL);
    if (original != NULL)
        xml_amount(x, "OrgnlIntrBkSttlmAmt", original->amount_minor, original->currency);
    bank_paper_close(&p);
}

void bank_write_reject(struct bank *b, struct writer *w, struct view reference, const char *code,
                       const char *sentence, int64_t wall_us)
{
    struct bank_paper p;
    struct xml_out *x = &p.x;
    bank_paper_open(b, &p, w, "admi.002.001.01", "admi.002.001.01",
                    bank_enveloped(b, b->last_enveloped), wall_us);
    xml_open(x, "RltdRef");
    xml_leaf(x, "Ref", reference.len > 0 ? reference : VIEW("NOTPROVIDED"));
    xml_close(x);
    xml_open(x, "Rsn");
    xml_leaf_text(x, "RjctgPtyRsn", code);
    xml_time(x, "RjctnDtTm", wall_us);
    xml_leaf_if_text(x, "RsnDesc", sentence);
    bank_paper_close(&p);
}
