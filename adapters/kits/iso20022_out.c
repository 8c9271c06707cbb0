/* SPDX-License-Identifier: Apache-2.0
 *
 * iso20022_out.c - see iso20022_out.h. Each function reads like the schema it writes: one line per
 * element, in its order.
 */
#include "kits/iso20022_out.h"
#include "kits/xml_out.h"

#define PAIN_03 "pain.001.001.03"

static uint32_t given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* <outer><inner>text</inner></outer>, or nothing. */
static void put_in(struct rg_buffer *b, const char *outer, const char *inner, struct rg_bytes text)
{
    if (text.len == 0)
        return;
    xml_out_open(b, outer);
    xml_out_leaf(b, inner, text);
    xml_out_close(b, outer);
}

/* A choice of a code and a proprietary word, or nothing. */
static void put_choice(struct rg_buffer *b, const char *outer, const char *code, const char *own)
{
    if (given(code))
        put_in(b, outer, "Cd", text_of(code));
    else if (given(own))
        put_in(b, outer, "Prtry", text_of(own));
}

static void put_amount(struct rg_buffer *b, const char *name, const struct iso_money *money)
{
    if (money->currency.len == 0)
        return;
    rg_put_u8(b, '<');
    rg_put_text(b, name);
    rg_put_text(b, " Ccy=\"");
    xml_out_text(b, money->currency);
    rg_put_text(b, "\">");
    xml_out_decimal(b, money->minor, money->exponent);
    xml_out_close(b, name);
}

/* --- parties --------------------------------------------------------------------------------- */

static void put_institution(struct rg_buffer *b, const char *bic_name,
                            const struct iso_agent *agent)
{
    xml_out_open(b, "FinInstnId");
    xml_out_leaf(b, bic_name, agent->bic);
    if (agent->member.len > 0) {
        xml_out_open(b, "ClrSysMmbId");
        put_in(b, "ClrSysId", "Cd", agent->member_system);
        xml_out_leaf(b, "MmbId", agent->member);
        xml_out_close(b, "ClrSysMmbId");
    }
    if (agent->bic.len == 0 &&
        agent->member.len == 0) /* what banks expect for an IBAN-only order */
        put_in(b, "Othr", "Id", text_of("NOTPROVIDED"));
    xml_out_close(b, "FinInstnId");
}

static uint32_t has_agent(const struct iso_agent *agent)
{
    return agent->bic.len > 0 || agent->member.len > 0;
}

static void put_agent(struct rg_buffer *b, const char *name, const struct iso_agent *agent)
{
    xml_out_open(b, name);
    put_institution(b, "BICFI", agent);
    xml_out_close(b, name);
}

static void put_agent_if(struct rg_buffer *b, const char *name, const struct iso_agent *agent)
{
    if (has_agent(agent))
        put_agent(b, name, agent);
}

static void put_address(struct rg_buffer *b, const struct iso_party *party)
{
    if (party->street.len + party->building.len + party->postcode.len + party->town.len +
            party->country.len + party->lines[0].len + party->lines[1].len ==
        0)
        return;
    xml_out_open(b, "PstlAdr");
    xml_out_leaf(b, "StrtNm", party->street);
    xml_out_leaf(b, "BldgNb", party->building);
    xml_out_leaf(b, "PstCd", party->postcode);
    xml_out_leaf(b, "TwnNm", party->town);
    xml_out_leaf(b, "Ctry", party->country);
    xml_out_leaf(b, "AdrLine", party->lines[0]);
    xml_out_leaf(b, "AdrLine", party->lines[1]);
    xml_out_close(b, "PstlAdr");
}

static void put_party(struct rg_buffer *b, const char *name, const struct iso_party *party)
{
    xml_out_open(b, name);
    xml_out_leaf(b, "Nm", party->name);
    put_address(b, party);
    if (party->id.len > 0) {
        xml_out_open(b, "Id");
        xml_out_open(b, "PrvtId");
        put_in(b, "Othr", "Id", party->id);
        xml_out_close(b, "PrvtId");
        xml_out_close(b, "Id");
    }
    xml_out_close(b, name);
}

static void put_account(struct rg_buffer *b, const char *name, const struct iso_party *party)
{
    if (party->iban.len == 0 && party->account.len == 0)
        return;
    xml_out_open(b, name);
    xml_out_open(b, "Id");
    if (party->iban.len > 0)
        xml_out_leaf(b, "IBAN", party->iban);
    else
        put_in(b, "Othr", "Id", party->account);
    xml_out_close(b, "Id");
    put_in(b, "Tp", "Cd", party->account_type);
    put_in(b, "Prxy", "Id", party->proxy);
    xml_out_close(b, name);
}

/* --- parts of orders ------------------------------------------------------------------------- */

static void put_type(struct rg_buffer *b, const struct iso_terms *terms)
{
    if (!given(terms->priority) && !given(terms->level) && !given(terms->level_own) &&
        !given(terms->local) && !given(terms->local_own) && !given(terms->category_own))
        return;
    xml_out_open(b, "PmtTpInf");
    if (given(terms->priority))
        xml_out_literal(b, "InstrPrty", terms->priority);
    put_choice(b, "SvcLvl", terms->level, terms->level_own);
    put_choice(b, "LclInstrm", terms->local, terms->local_own);
    put_choice(b, "CtgyPurp", NULL, terms->category_own);
    xml_out_close(b, "PmtTpInf");
}

static uint32_t is_code(struct rg_bytes text)
{
    if (text.len != 4)
        return 0;
    for (uint64_t i = 0; i < 4; i++)
        if (text.ptr[i] < 'A' || text.ptr[i] > 'Z')
            return 0;
    return 1;
}

static void put_purpose_and_remittance(struct rg_buffer *b, const struct iso_order *order)
{
    put_in(b, "Purp", is_code(order->purpose) ? "Cd" : "Prtry", order->purpose);
    if (order->remittance.len == 0 && order->reference.len == 0)
        return;
    xml_out_open(b, "RmtInf");
    if (order->reference.len == 0) {
        xml_out_leaf(b, "Ustrd", order->remittance);
    } else {
        xml_out_open(b, "Strd");
        xml_out_open(b, "CdtrRefInf");
        if (given(order->reference_code) || given(order->reference_own)) {
            xml_out_open(b, "Tp");
            put_choice(b, "CdOrPrtry", order->reference_code, order->reference_own);
            xml_out_close(b, "Tp");
        }
        xml_out_leaf(b, "Ref", order->reference);
        xml_out_close(b, "CdtrRefInf");
        xml_out_leaf(b, "AddtlRmtInf", order->remittance);
        xml_out_close(b, "Strd");
    }
    xml_out_close(b, "RmtInf");
}

static void open_document(struct rg_buffer *b, const char *definition)
{
    rg_put_text(b, "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:");
    rg_put_text(b, definition);
    rg_put_text(b, "\">");
}

/* --- orders ---------------------------------------------------------------------------------- */

static void put_pain_transaction(struct rg_buffer *b, const struct iso_order *order, uint32_t v03)
{
    xml_out_open(b, "CdtTrfTxInf");
    xml_out_open(b, "PmtId");
    xml_out_leaf(b, "InstrId", order->instruction);
    xml_out_leaf(b, "EndToEndId", order->end_to_end);
    if (!v03)
        xml_out_leaf(b, "UETR", order->uetr);
    xml_out_close(b, "PmtId");
    xml_out_open(b, "Amt");
    put_amount(b, "InstdAmt", &order->amount);
    xml_out_close(b, "Amt");
    if (has_agent(&order->creditor.agent)) {
        xml_out_open(b, "CdtrAgt");
        put_institution(b, v03 ? "BIC" : "BICFI", &order->creditor.agent);
        xml_out_close(b, "CdtrAgt");
    }
    put_party(b, "Cdtr", &order->creditor);
    put_account(b, "CdtrAcct", &order->creditor);
    put_purpose_and_remittance(b, order);
    xml_out_close(b, "CdtTrfTxInf");
}

void iso_put_pain_001(struct rg_buffer *b, const char *definition, const struct iso_order *order)
{
    uint32_t v03 = text_is(text_of(definition), PAIN_03);
    struct iso_party only_name = { .name = order->debtor.name };
    open_document(b, definition);
    xml_out_open(b, "CstmrCdtTrfInitn");
    xml_out_open(b, "GrpHdr");
    xml_out_leaf(b, "MsgId", order->message_id);
    xml_out_leaf(b, "CreDtTm", order->created);
    xml_out_literal(b, "NbOfTxs", "1");
    xml_out_open(b, "CtrlSum");
    xml_out_decimal(b, order->amount.minor, order->amount.exponent);
    xml_out_close(b, "CtrlSum");
    put_party(b, "InitgPty", &only_name);
    xml_out_close(b, "GrpHdr");
    xml_out_open(b, "PmtInf");
    xml_out_leaf(b, "PmtInfId", order->payment_info);
    xml_out_literal(b, "PmtMtd", "TRF");
    put_type(b, &order->terms);
    if (v03)
        xml_out_leaf(b, "ReqdExctnDt", order->date);
    else
        put_in(b, "ReqdExctnDt", "Dt", order->date);
    put_party(b, "Dbtr", &order->debtor);
    put_account(b, "DbtrAcct", &order->debtor);
    xml_out_open(b, "DbtrAgt");
    put_institution(b, v03 ? "BIC" : "BICFI", &order->debtor.agent);
    xml_out_close(b, "DbtrAgt");
    if (given(order->terms.charges))
        xml_out_literal(b, "ChrgBr", order->terms.charges);
    put_pain_transaction(b, order, v03);
    xml_out_close(b, "PmtInf");
    xml_out_close(b, "CstmrCdtTrfInitn");
    xml_out_close(b, "Document");
}

static void put_settlement(struct rg_buffer *b, const char *clearing)
{
    xml_out_open(b, "SttlmInf");
    xml_out_literal(b, "SttlmMtd", "CLRG");
    put_choice(b, "ClrSys", clearing, NULL);
    xml_out_close(b, "SttlmInf");
}

void iso_put_pacs_008(struct rg_buffer *b, const struct iso_order *order)
{
    open_document(b, "pacs.008.001.08");
    xml_out_open(b, "FIToFICstmrCdtTrf");
    xml_out_open(b, "GrpHdr");
    xml_out_leaf(b, "MsgId", order->message_id);
    xml_out_leaf(b, "CreDtTm", order->created);
    xml_out_literal(b, "NbOfTxs", "1");
    put_settlement(b, order->terms.clearing);
    xml_out_close(b, "GrpHdr");
    xml_out_open(b, "CdtTrfTxInf");
    xml_out_open(b, "PmtId");
    xml_out_leaf(b, "InstrId", order->instruction);
    xml_out_leaf(b, "EndToEndId", order->end_to_end);
    xml_out_leaf(b, "TxId", order->transaction);
    xml_out_leaf(b, "UETR", order->uetr);
    xml_out_close(b, "PmtId");
    put_type(b, &order->terms);
    put_amount(b, "IntrBkSttlmAmt", &order->amount);
    xml_out_leaf(b, "IntrBkSttlmDt", order->date);
    xml_out_literal(b, "ChrgBr", given(order->terms.charges) ? order->terms.charges : "SHAR");
    put_agent_if(b, "InstgAgt", &order->from);
    put_agent_if(b, "InstdAgt", &order->to);
    put_party(b, "Dbtr", &order->debtor);
    put_account(b, "DbtrAcct", &order->debtor);
    put_agent(b, "DbtrAgt", &order->debtor.agent);
    put_agent(b, "CdtrAgt", &order->creditor.agent);
    put_party(b, "Cdtr", &order->creditor);
    put_account(b, "CdtrAcct", &order->creditor);
    put_purpose_and_remittance(b, order);
    xml_out_close(b, "CdtTrfTxInf");
    xml_out_close(b, "FIToFICstmrCdtTrf");
    xml_out_close(b, "Document");
}

/* --- what comes later ------------------------------------------------------------------------ */

static void put_original_group(struct rg_buffer *b, const char *name, const struct iso_original *o)
{
    xml_out_open(b, name);
    xml_out_leaf(b, "OrgnlMsgId", o->message_id);
    xml_out_leaf(b, "OrgnlMsgNmId", o->kind);
    xml_out_leaf(b, "OrgnlCreDtTm", o->created);
    xml_out_close(b, name);
}

static void put_original_ids(struct rg_buffer *b, const struct iso_original *o)
{
    xml_out_leaf(b, "OrgnlInstrId", o->instruction);
    xml_out_leaf(b, "OrgnlEndToEndId", o->end_to_end);
    xml_out_leaf(b, "OrgnlTxId", o->transaction);
    xml_out_leaf(b, "OrgnlUETR", o->uetr);
}

void iso_put_pacs_028(struct rg_buffer *b, const struct iso_follow_up *m)
{
    open_document(b, "pacs.028.001.03");
    xml_out_open(b, "FIToFIPmtStsReq");
    xml_out_open(b, "GrpHdr");
    xml_out_leaf(b, "MsgId", m->message_id);
    xml_out_leaf(b, "CreDtTm", m->created);
    put_agent_if(b, "InstgAgt", &m->from);
    put_agent_if(b, "InstdAgt", &m->to);
    xml_out_close(b, "GrpHdr");
    put_original_group(b, "OrgnlGrpInf", &m->original);
    xml_out_open(b, "TxInf");
    xml_out_leaf(b, "StsReqId", m->id);
    put_original_ids(b, &m->original);
    xml_out_close(b, "TxInf");
    xml_out_close(b, "FIToFIPmtStsReq");
    xml_out_close(b, "Document");
}

/* Who sends the recall: a bank, or a customer by its name. */
static void put_role(struct rg_buffer *b, const char *name, const struct iso_party *party,
                     const struct iso_agent *agent)
{
    xml_out_open(b, name);
    if (party != NULL && party->name.len > 0)
        put_party(b, "Pty", party);
    else
        put_agent(b, "Agt", agent);
    xml_out_close(b, name);
}

void iso_put_camt_056(struct rg_buffer *b, const struct iso_follow_up *m)
{
    open_document(b, "camt.056.001.08");
    xml_out_open(b, "FIToFIPmtCxlReq");
    xml_out_open(b, "Assgnmt");
    xml_out_leaf(b, "Id", m->message_id);
    put_role(b, "Assgnr", &m->assigner, &m->from);
    put_role(b, "Assgne", NULL, &m->to);
    xml_out_leaf(b, "CreDtTm", m->created);
    xml_out_close(b, "Assgnmt");
    xml_out_open(b, "Case");
    xml_out_leaf(b, "Id", m->id);
    put_role(b, "Cretr", &m->assigner, &m->from);
    xml_out_close(b, "Case");
    put_in(b, "CtrlData", "NbOfTxs", text_of("1"));
    xml_out_open(b, "Undrlyg");
    xml_out_open(b, "TxInf");
    xml_out_leaf(b, "CxlId", m->id);
    put_original_group(b, "OrgnlGrpInf", &m->original);
    put_original_ids(b, &m->original);
    put_amount(b, "OrgnlIntrBkSttlmAmt", &m->original.amount);
    xml_out_leaf(b, "OrgnlIntrBkSttlmDt", m->original.date);
    xml_out_open(b, "CxlRsnInf");
    put_choice(b, "Rsn", m->reason, NULL);
    xml_out_close(b, "CxlRsnInf");
    xml_out_close(b, "TxInf");
    xml_out_close(b, "Undrlyg");
    xml_out_close(b, "FIToFIPmtCxlReq");
    xml_out_close(b, "Document");
}

void iso_put_pacs_004(struct rg_buffer *b, const struct iso_follow_up *m)
{
    open_document(b, "pacs.004.001.09");
    xml_out_open(b, "PmtRtr");
    xml_out_open(b, "GrpHdr");
    xml_out_leaf(b, "MsgId", m->message_id);
    xml_out_leaf(b, "CreDtTm", m->created);
    xml_out_literal(b, "NbOfTxs", "1");
    put_settlement(b, m->clearing);
    put_agent_if(b, "InstgAgt", &m->from);
    put_agent_if(b, "InstdAgt", &m->to);
    xml_out_close(b, "GrpHdr");
    xml_out_open(b, "TxInf");
    xml_out_leaf(b, "RtrId", m->id);
    put_original_group(b, "OrgnlGrpInf", &m->original);
    put_original_ids(b, &m->original);
    put_amount(b, "OrgnlIntrBkSttlmAmt", &m->original.amount);
    xml_out_leaf(b, "OrgnlIntrBkSttlmDt", m->original.date);
    put_amount(b, "RtrdIntrBkSttlmAmt", &m->amount);
    xml_out_leaf(b, "IntrBkSttlmDt", m->date);
    xml_out_open(b, "RtrRsnInf");
    put_choice(b, "Rsn", m->reason, NULL);
    xml_out_close(b, "RtrRsnInf");
    xml_out_close(b, "TxInf");
    xml_out_close(b, "PmtRtr");
    xml_out_close(b, "Document");
}

/* --- header ---------------------------------------------------------------------------------- */

static void put_end(struct rg_buffer *b, const char *name, const struct iso_agent *agent)
{
    xml_out_open(b, name);
    put_agent(b, "FIId", agent);
    xml_out_close(b, name);
}

void iso_put_header(struct rg_buffer *b, const struct iso_header *header)
{
    rg_put_text(b, "<AppHdr xmlns=\"urn:iso:std:iso:20022:tech:xsd:");
    rg_put_text(b, header->version);
    rg_put_text(b, "\">");
    put_end(b, "Fr", &header->from);
    put_end(b, "To", &header->to);
    xml_out_leaf(b, "BizMsgIdr", header->message_id);
    xml_out_literal(b, "MsgDefIdr", header->definition);
    if (given(header->service))
        xml_out_literal(b, "BizSvc", header->service);
    xml_out_leaf(b, "CreDt", header->created);
    xml_out_close(b, "AppHdr");
}
