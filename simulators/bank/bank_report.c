/* bank_report.c - writes what the bank says about money that moved: camt.054, camt.053, pacs.004,
 * pacs.008. Element by element in the order of the schemas. */
#include "bank_int.h"

#define STATEMENT_ENTRIES_MAX 600

static void put_account(struct xml_out *x, const char *element, struct view id)
{
    if (id.len == 0)
        return;
    xml_open(x, element);
    xml_open(x, "Id");
    if (iban_valid(id))
        xml_leaf(x, "IBAN", id);
    else {
        xml_open(x, "Othr");
        xml_leaf(x, "Id", view_slice(id, 0, 34));
        xml_close(x);
    }
    xml_close_to(x, x->depth - 2);
}

static void put_named(struct xml_out *x, const char *element, const char *name, bool as_party)
{
    if (name[0] == '\0')
        return;
    xml_open(x, element);
    if (as_party)
        xml_path(x, "Pty", "Nm", name);
    else
        xml_leaf_text(x, "Nm", name);
    xml_close(x);
}

static void put_agent(struct xml_out *x, const char *element, const char *bic)
{
    xml_open(x, element);
    xml_path(x, "FinInstnId", "BICFI", bic);
    xml_close(x);
}

static void put_remittance(struct xml_out *x, const struct bank_entry *e)
{
    if (e->reference[0] == '\0' && e->remittance[0] == '\0')
        return;
    xml_open(x, "RmtInf");
    xml_leaf_if_text(x, "Ustrd", e->remittance);
    if (e->reference[0] != '\0') {
        bool qr = qr_reference_valid(view_text(e->reference));
        xml_open(x, "Strd");
        xml_open(x, "CdtrRefInf");
        xml_open(x, "Tp");
        xml_path(x, "CdOrPrtry", qr ? "Prtry" : "Cd", qr ? "QRR" : "SCOR");
        xml_close(x);
        xml_leaf_text(x, "Ref", e->reference);
        xml_close_to(x, x->depth - 2);
    }
    xml_close(x);
}

void bank_put_booking(struct xml_out *x, const char *element, uint64_t number)
{
    char text[32];
    struct writer w = writer_over(text, sizeof text);
    writer_text(&w, "A");
    writer_u64_padded(&w, number, 15);
    xml_leaf(x, element, writer_done(&w));
}

/* --- camt.054, camt.053 --------------------------------------------------------------------- */
void bank_put_entry(struct xml_out *x, const struct bank_entry *e, bool debit, int64_t amount_minor)
{
    const char *way = debit ? "DBIT" : "CRDT";
    bool uetr = uetr_valid(view_text(e->uetr));
    xml_open(x, "Ntry");
    bank_put_booking(x, "NtryRef", e->number);
    xml_amount(x, "Amt", amount_minor, e->currency);
    xml_leaf_text(x, "CdtDbtInd", way);
    xml_path(x, "Sts", "Cd", "BOOK");
    xml_open(x, "BookgDt");
    xml_time(x, "DtTm", e->booked_us);
    xml_close(x);
    xml_open(x, "ValDt");
    xml_date(x, "Dt", e->booked_us);
    xml_close(x);
    bank_put_booking(x, "AcctSvcrRef", e->number);
    xml_open(x, "BkTxCd");
    xml_open(x, "Domn");
    xml_leaf_text(x, "Cd", "PMNT");
    xml_open(x, "Fmly");
    xml_leaf_text(x, "Cd", debit ? "ICDT" : "RCDT");
    xml_leaf_text(x, "SubFmlyCd", e->kind == KIND_RETURN ? "RRTN" : "ESCT");
    xml_close_to(x, x->depth - 3);
    xml_open(x, "NtryDtls");
    xml_open(x, "TxDtls");
    xml_open(x, "Refs");
    xml_leaf_if_text(x, "MsgId", e->msg_id);
    bank_put_booking(x, "AcctSvcrRef", e->number);
    xml_leaf_if_text(x, "PmtInfId", e->pmt_inf_id);
    xml_leaf_if_text(x, "InstrId", e->instr_id);
    xml_leaf_text(x, "EndToEndId", e->end_to_end_id[0] != '\0' ? e->end_to_end_id : "NOTPROVIDED");
    xml_leaf_if_text(x, "UETR", uetr ? e->uetr : "");
    xml_leaf_if_text(x, "TxId", e->tx_id);
    xml_close(x);
    xml_amount(x, "Amt", amount_minor, e->currency);
    xml_leaf_text(x, "CdtDbtInd", way);
    xml_open(x, "RltdPties");
    put_named(x, "Dbtr", e->debtor, true);
    put_account(x, "DbtrAcct", view_text(e->debtor_account));
    put_named(x, "Cdtr", e->creditor, true);
    put_account(x, "CdtrAcct", view_text(e->creditor_account));
    xml_close(x);
    put_remittance(x, e);
    if (e->kind == KIND_RETURN && e->reason[0] != '\0') {
        xml_open(x, "RtrInf");
        xml_path(x, "Rsn", "Cd", e->reason);
        xml_close(x);
    }
    xml_close_to(x, x->depth - 3);
}

void bank_put_account_of(struct bank *b, struct xml_out *x, uint32_t account, const char *currency)
{
    const struct bank_account *a = &b->accounts[account];
    struct view id = view_text(a->id);
    xml_open(x, "Acct");
    xml_open(x, "Id");
    if (iban_valid(id))
        xml_leaf(x, "IBAN", id);
    else
        xml_path(x, "Othr", "Id", a->id);
    xml_close(x);
    xml_leaf_text(x, "Ccy", currency);
    put_named(x, "Ownr", a->name, false);
    xml_close(x);
}

void bank_put_group_header(struct xml_out *x, const char *id, int64_t wall_us)
{
    xml_open(x, "GrpHdr");
    xml_leaf_text(x, "MsgId", id);
    xml_time(x, "CreDtTm", wall_us);
    xml_close(x);
}

void bank_write_entry_notice(struct bank *b, struct writer *w, const struct bank_entry *e,
                             uint32_t account, int64_t wall_us)
{
    struct bank_paper p;
    struct xml_out *x = &p.x;
    bank_paper_open(b, &p, w, "camt.054.001.08", "BkToCstmrDbtCdtNtfctn",
                    bank_enveloped(b, b->last_enveloped), wall_us);
    bank_put_group_header(x, p.id, wall_us);
    xml_open(x, "Ntfctn");
    xml_leaf_text(x, "Id", p.id);
    xml_time(x, "CreDtTm", wall_us);
    bank_put_account_of(b, x, account, e->currency);
    bank_put_entry(x, e, e->debit == account, e->amount_minor);
    bank_paper_close(&p);
}

void bank_put_balance(struct xml_out *x, const char *type, int64_t amount_minor,
                      const char *currency, int64_t day_us)
{
    xml_open(x, "Bal");
    xml_open(x, "Tp");
    xml_path(x, "CdOrPrtry", "Cd", type);
    xml_close(x);
    xml_amount(x, "Amt", amount_minor < 0 ? -amount_minor : amount_minor, currency);
    xml_leaf_text(x, "CdtDbtInd", amount_minor < 0 ? "DBIT" : "CRDT");
    xml_open(x, "Dt");
    xml_date(x, "Dt", day_us);
    xml_close_to(x, x->depth - 2);
}

void bank_write_statement(struct bank *b, struct writer *w, uint32_t account, int currency,
                          int64_t day_wall_us, int64_t wall_us)
{
    const int64_t day = INT64_C(86400000000);
    int64_t from_us = day_wall_us / day * day, to_us = from_us + day;
    const char *code = currency_code(currency);
    int64_t closing_minor = b->accounts[account].balance_minor[currency], net_minor = 0;
    for (size_t i = 0; i < b->entry_count; i++) {
        const struct bank_entry *e = b->entries[i];
        bool in = e->credit == account, out = e->debit == account;
        if (e->bookings == 0 || in == out || strcmp(e->currency, code) != 0)
            continue;
        int64_t change_minor = in ? e->amount_minor : -e->amount_minor;
        if (e->booked_us >= to_us)
            closing_minor -= change_minor;
        else if (e->booked_us >= from_us)
            net_minor += change_minor;
    }
    struct bank_paper p;
    struct xml_out *x = &p.x;
    bank_paper_open(b, &p, w, "camt.053.001.08", "BkToCstmrStmt",
                    bank_enveloped(b, b->last_enveloped), wall_us);
    bank_put_group_header(x, p.id, wall_us);
    xml_open(x, "Stmt");
    xml_leaf_text(x, "Id", p.id);
    xml_time(x, "CreDtTm", wall_us);
    bank_put_account_of(b, x, account, code);
    bank_put_balance(x, "OPBD", closing_minor - net_minor, code, from_us);
    bank_put_balance(x, "CLBD", closing_minor, code, from_us);
    size_t written = 0;
    for (size_t i = 0; i < b->entry_count && written < STATEMENT_ENTRIES_MAX; i++) {
        const struct bank_entry *e = b->entries[i];
        if (e->bookings > 0 && (e->credit == account) != (e->debit == account) &&
            strcmp(e->currency, code) == 0 && e->booked_us >= from_us && e->booked_us < to_us) {
            bank_put_entry(x, e, e->debit == account, e->amount_minor);
            written++;
        }
    }
    bank_paper_close(&p);
}

/* --- between participants ------------------------------------------------------------------- */
static void put_settlement(struct bank *b, struct xml_out *x)
{
    const struct bank_scheme *s = &BANK_SCHEMES[b->settings.scheme];
    xml_open(x, "SttlmInf");
    xml_leaf_text(x, "SttlmMtd", "CLRG");
    if (s->clearing[0] != '\0')
        xml_path(x, "ClrSys", "Cd", s->clearing);
    xml_close(x);
}

void bank_write_return(struct bank *b, struct writer *w, const struct bank_entry *e,
                       const struct bank_entry *original, int64_t wall_us)
{
    struct bank_paper p;
    struct xml_out *x = &p.x;
    bool fednow = b->settings.scheme == SCHEME_fednow;
    bank_paper_open(b, &p, w, fednow ? "pacs.004.001.10" : "pacs.004.001.09", "PmtRtr",
                    bank_enveloped(b, b->last_enveloped), wall_us);
    xml_open(x, "GrpHdr");
    xml_leaf_text(x, "MsgId", p.id);
    xml_time(x, "CreDtTm", wall_us);
    xml_leaf_text(x, "NbOfTxs", "1");
    put_settlement(b, x);
    put_agent(x, "InstgAgt", b->settings.bic);
    xml_close(x);
    xml_open(x, "TxInf");
    xml_leaf_text(x, "RtrId", e->tx_id);
    xml_open(x, "OrgnlGrpInf");
    xml_leaf_text(x, "OrgnlMsgId", original->msg_id);
    xml_leaf_text(x, "OrgnlMsgNmId", original->msg_name);
    xml_close(x);
    xml_leaf_if_text(x, "OrgnlInstrId", original->instr_id);
    xml_leaf_if_text(x, "OrgnlEndToEndId", original->end_to_end_id);
    xml_leaf_if_text(x, "OrgnlTxId", original->tx_id);
    xml_leaf_if_text(x, "OrgnlUETR", uetr_valid(view_text(original->uetr)) ? original->uetr : "");
    xml_amount(x, "OrgnlIntrBkSttlmAmt", original->amount_minor, original->currency);
    xml_amount(x, "RtrdIntrBkSttlmAmt", e->amount_minor, e->currency);
    xml_date(x, "IntrBkSttlmDt", wall_us);
    xml_open(x, "RtrRsnInf");
    xml_path(x, "Rsn", "Cd", e->reason);
    bank_paper_close(&p);
}

void bank_write_credit(struct bank *b, struct writer *w, const struct bank_entry *e,
                       int64_t wall_us)
{
    const struct bank_scheme *s = &BANK_SCHEMES[b->settings.scheme];
    struct bank_paper p;
    struct xml_out *x = &p.x;
    bank_paper_open(b, &p, w, "pacs.008.001.08", "FIToFICstmrCdtTrf",
                    bank_enveloped(b, b->last_enveloped), wall_us);
    xml_open(x, "GrpHdr");
    xml_leaf_text(x, "MsgId", e->msg_id);
    xml_time(x, "CreDtTm", wall_us);
    xml_leaf_text(x, "NbOfTxs", "1");
    xml_date(x, "IntrBkSttlmDt", wall_us);
    put_settlement(b, x);
    if (s->service[0] != '\0' || s->instrument[0] != '\0') {
        xml_open(x, "PmtTpInf");
        if (s->service[0] != '\0')
            xml_path(x, "SvcLvl", "Cd", s->service);
        if (s->instrument[0] != '\0')
            xml_path(x, "LclInstrm", strlen(s->service) > 0 ? "Cd" : "Prtry", s->instrument);
        xml_close(x);
    }
    put_agent(x, "InstgAgt", b->settings.bic);
    xml_close(x);
    xml_open(x, "CdtTrfTxInf");
    xml_open(x, "PmtId");
    xml_leaf_if_text(x, "InstrId", e->instr_id);
    xml_leaf_text(x, "EndToEndId", e->end_to_end_id);
    xml_leaf_if_text(x, "TxId", e->tx_id);
    xml_leaf_if_text(x, "UETR", e->uetr);
    xml_close(x);
    xml_amount(x, "IntrBkSttlmAmt", e->amount_minor, e->currency);
    xml_leaf_text(x, "ChrgBr", "SLEV");
    xml_path(x, "Dbtr", "Nm", e->debtor[0] != '\0' ? e->debtor : "Payer");
    put_account(x, "DbtrAcct", view_text(e->debtor_account));
    put_agent(x, "DbtrAgt", e->debtor_agent[0] != '\0' ? e->debtor_agent : b->settings.bic);
    put_agent(x, "CdtrAgt", e->creditor_agent[0] != '\0' ? e->creditor_agent : b->settings.bic);
    xml_path(x, "Cdtr", "Nm", e->creditor[0] != '\0' ? e->creditor : "Payee");
    put_account(x, "CdtrAcct", view_text(e->creditor_account));
    put_remittance(x, e);
    bank_paper_close(&p);
}

void bank_tell_credit(struct bank *b, const struct bank_entry *e, int64_t now_us)
{
    struct writer w = bank_notice_begin(b);
    int64_t wall_us = bank_wall(b, now_us);
    const struct bank_entry *original = bank_entry_get(b, e->original);
    if (e->participant && e->kind == KIND_RETURN && original != NULL)
        bank_write_return(b, &w, e, original, wall_us);
    else if (e->participant)
        bank_write_credit(b, &w, e, wall_us);
    else
        bank_write_entry_notice(b, &w, e, e->credit, wall_us);
    bank_notice_send(b, &w, e->url, now_us);
}
