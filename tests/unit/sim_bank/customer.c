/* customer.c - see customer.h. */
#include "customer.h"

#include "base/ensure.h"
#include "json/json_read.h"

#include <stdio.h>
#include <stdlib.h>

#define CHANNEL_ED25519 "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A" /* RFC 8037, appendix A */

static char *copy(struct view v)
{
    char *text = calloc(1, v.len + 1);
    ENSURE(text != NULL);
    if (v.len > 0)
        memcpy(text, v.ptr, v.len);
    return text;
}

static void catch_notice(void *arg, const struct sim_notice *notice)
{
    struct customer *c = arg;
    ENSURE(c->notice_count < CUSTOMER_NOTICES);
    c->notices[c->notice_count++] = (struct seen_notice){ .url = copy(notice->url),
                                                          .headers = copy(notice->headers),
                                                          .body = copy(notice->body),
                                                          .at_us = notice->at_us };
    if (c->sees != NULL)
        c->sees(notice->body);
}

int customer_start(void **state)
{
    struct customer *c = calloc(1, sizeof *c);
    ENSURE(c != NULL);
    struct sim_config config = {
        .seed = 7, .wall_offset_us = CUSTOMER_WALL_US, .send = catch_notice, .send_arg = c
    };
    c->bank = bank_brain.open(&config);
    c->body = malloc(SIM_HTTP_BODY_MAX);
    arena_init(&c->arena, (size_t)64 * 1024 * 1024);
    ENSURE(c->bank != NULL && c->body != NULL);
    ENSURE(jose_key_private(&c->key, VIEW(CHANNEL_ED25519), JOSE_EDDSA) == STATUS_OK);
    customer_set(c, "{\"notify_debits\":false}");
    *state = c;
    return 0;
}

void customer_forget(struct customer *c)
{
    for (size_t i = 0; i < c->notice_count; i++) {
        free(c->notices[i].url);
        free(c->notices[i].headers);
        free(c->notices[i].body);
    }
    c->notice_count = 0;
}

int customer_stop(void **state)
{
    struct customer *c = *state;
    customer_forget(c);
    bank_brain.close(c->bank);
    jose_key_fini(&c->key);
    arena_reset(&c->arena);
    free(c->body);
    free(c);
    return 0;
}

static const struct json_node *json_of(struct customer *c, struct view text)
{
    const struct json_node *root = NULL;
    struct json_limits limits = { .bytes_max = 4 << 20, .nodes_max = 100000, .depth_max = 16 };
    struct view kept = arena_copy(&c->arena, text);
    assert_int_equal(json_read(kept, &limits, &c->arena, &root, NULL), STATUS_OK);
    return root;
}

void customer_set(struct customer *c, const char *settings)
{
    uint8_t text[256];
    struct writer why = writer_over(text, sizeof text);
    enum status s = bank_brain.set(c->bank, json_of(c, view_text(settings)), NULL, c->now_us, &why);
    if (s != STATUS_OK)
        fail_msg("%.*s", (int)why.len, (const char *)text);
}

const char *customer_command(struct customer *c, const char *path, const char *body)
{
    uint8_t text[256];
    struct writer why = writer_over(text, sizeof text);
    struct writer out = writer_over(c->body, SIM_HTTP_BODY_MAX - 1);
    struct json_out j;
    json_out_init(&j, &out);
    if (bank_brain.command(c->bank, VIEW("POST"), view_text(path), json_of(c, view_text(body)),
                           c->now_us, &j, &why) != STATUS_OK)
        return NULL;
    return arena_text(&c->arena, writer_done(&out));
}

const char *customer_ledger(struct customer *c)
{
    size_t room = bank_brain.ledger_room(c->bank, 1, 1000);
    void *place = arena_alloc(&c->arena, room);
    struct writer out = writer_over(place, room);
    struct json_out j;
    json_out_init(&j, &out);
    bank_brain.write_ledger(c->bank, &j, 1, 1000);
    assert_false(out.overflow);
    return arena_text(&c->arena, writer_done(&out));
}

void customer_post_unsigned(struct customer *c, const char *target, const char *headers,
                            const char *body)
{
    struct sim_answer answer = { .http_status = 200,
                                 .headers = writer_over(c->headers, sizeof c->headers - 1),
                                 .body = writer_over(c->body, SIM_HTTP_BODY_MAX) };
    struct sim_request request = { .method = VIEW("POST"),
                                   .target = view_text(target),
                                   .headers = view_text(headers),
                                   .body = view_text(body) };
    bank_brain.request(c->bank, &request, c->now_us, &answer);
    c->headers[answer.headers.len] = '\0';
    c->http_status = answer.http_status;
    c->delay_us = answer.delay_us;
    c->body_len = answer.body.len;
    assert_false(answer.body.overflow);
    if (c->sees != NULL && c->body_len > 0 && c->body[0] == '<')
        c->sees(view_of(c->body, c->body_len));
}

void customer_post(struct customer *c, const char *xml)
{
    char headers[2048];
    struct writer w = writer_over(headers, sizeof headers - 1);
    writer_text(&w, "content-type: application/xml\n"
                    "x-notice-url: http://127.0.0.1:1/notices/bank\nx-jws-signature: ");
    ENSURE(jose_sign_detached(&c->key, "channel-1", (CUSTOMER_WALL_US + c->now_us) / 1000000,
                              view_text(xml), &w) == STATUS_OK);
    writer_text(&w, "\n");
    headers[w.len] = '\0';
    customer_post_unsigned(c, "/messages", headers, xml);
}

void customer_wait(struct customer *c, int64_t ms)
{
    int64_t until_us = c->now_us + ms * 1000;
    for (int64_t next_us; (next_us = bank_brain.next_us(c->bank)) <= until_us;) {
        c->now_us = next_us > c->now_us ? next_us : c->now_us;
        bank_brain.tick(c->bank, c->now_us);
    }
    c->now_us = until_us;
}

/* --- messages ------------------------------------------------------------------------------- */
#define OR(value, otherwise) ((value) != NULL ? (value) : (otherwise))

static const char *account(struct customer *c, const char *id)
{
    bool iban = id[0] >= 'A' && id[0] <= 'Z';
    return arena_text(
        &c->arena,
        arena_format(&c->arena,
                     iban ? "<Id><IBAN>%s</IBAN></Id>" : "<Id><Othr><Id>%s</Id></Othr></Id>", id));
}

static const char *finish(struct customer *c, const char *type, const char *inside)
{
    const char *head =
        c->enveloped
            ? arena_text(
                  &c->arena,
                  arena_format(&c->arena,
                               "<m:Envelope xmlns:m=\"urn:somebody\"><h:AppHdr "
                               "xmlns:h=\"urn:iso:std:iso:20022:tech:xsd:head.001.001.02\"><h:Fr>"
                               "<h:FIId><h:FinInstnId><h:BICFI>RAILDEFFXXX</h:BICFI>"
                               "</h:FinInstnId></h:FIId></h:Fr><h:To><h:FIId><h:FinInstnId>"
                               "<h:BICFI>SIMBDEFFXXX</h:BICFI></h:FinInstnId></h:FIId></h:To>"
                               "<h:BizMsgIdr>B1</h:BizMsgIdr><h:MsgDefIdr>%s</h:MsgDefIdr>"
                               "<h:CreDt>2026-11-22T12:00:00Z</h:CreDt></h:AppHdr>",
                               type))
            : "";
    snprintf(c->text, sizeof c->text,
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n%s<Document "
             "xmlns=\"urn:iso:std:iso:20022:tech:xsd:%s\">%s</Document>%s",
             head, type, inside, c->enveloped ? "</m:Envelope>" : "");
    return c->text;
}

static const char *uetr_of(struct customer *c, const struct order *o)
{
    return o->uetr == NULL
               ? ""
               : arena_text(&c->arena, arena_format(&c->arena, "<UETR>%s</UETR>", o->uetr));
}

const char *pain_001(struct customer *c, const struct order *o)
{
    const char *version = OR(o->version, "09"), *msg_id = OR(o->msg_id, "M1");
    const char *end_to_end_id = OR(o->end_to_end_id, "E1"), *amount = OR(o->amount, "12.50");
    bool old = strcmp(version, "03") == 0;
    const char *bic = old ? "BIC" : "BICFI";
    struct view inside = arena_format(
        &c->arena,
        "<CstmrCdtTrfInitn><GrpHdr><MsgId>%s</MsgId><CreDtTm>2026-11-22T12:00:00Z</CreDtTm>"
        "<NbOfTxs>%s</NbOfTxs><CtrlSum>%s</CtrlSum><InitgPty><Nm>Merchant</Nm></InitgPty>%s</"
        "GrpHdr>"
        "<PmtInf><PmtInfId>P-%s</PmtInfId><PmtMtd>TRF</PmtMtd>%s<ReqdExctnDt>%s%s%s</ReqdExctnDt>"
        "<Dbtr><Nm>Merchant One</Nm></Dbtr><DbtrAcct>%s</DbtrAcct><DbtrAgt><FinInstnId><%s>%s</%s>"
        "</FinInstnId></DbtrAgt>%s%s%s<CdtTrfTxInf><PmtId><InstrId>I-%s</InstrId><EndToEndId>%s"
        "</EndToEndId>%s</PmtId><Amt><InstdAmt Ccy=\"%s\">%s</InstdAmt></Amt><CdtrAgt><FinInstnId>"
        "<%s>%s</%s></FinInstnId></CdtrAgt><Cdtr><Nm>%s</Nm></Cdtr><CdtrAcct>%s</CdtrAcct>%s"
        "</CdtTrfTxInf>%s</PmtInf></CstmrCdtTrfInitn>",
        msg_id, OR(o->count, "1"), OR(o->sum, amount), OR(o->extra_group, ""), msg_id,
        OR(o->type_info, ""), old ? "" : "<Dt>", OR(o->date, "2026-11-22"), old ? "" : "</Dt>",
        account(c, OR(o->debtor, DEBTOR)), bic, OR(o->debtor_bic, "SIMBDEFFXXX"), bic,
        o->bearer != NULL ? "<ChrgBr>" : "", OR(o->bearer, ""),
        o->bearer != NULL ? "</ChrgBr>" : "", end_to_end_id, end_to_end_id, uetr_of(c, o),
        OR(o->currency, "EUR"), amount, bic, OR(o->creditor_bic, "SIMBDEFFXXX"), bic,
        OR(o->creditor_name, "Customer"), account(c, OR(o->creditor, CREDITOR)),
        OR(o->remittance, ""), OR(o->extra_tx, ""));
    return finish(c, old ? "pain.001.001.03" : "pain.001.001.09", arena_text(&c->arena, inside));
}

const char *pacs_008(struct customer *c, const struct order *o)
{
    const char *end_to_end_id = OR(o->end_to_end_id, "E1"), *amount = OR(o->amount, "12.50");
    struct view inside = arena_format(
        &c->arena,
        "<FIToFICstmrCdtTrf><GrpHdr><MsgId>%s</MsgId><CreDtTm>2026-11-22T12:00:00Z</CreDtTm>"
        "<NbOfTxs>%s</NbOfTxs>%s<SttlmInf>%s</SttlmInf>%s<InstdAgt><FinInstnId><BICFI>SIMBDEFFXXX"
        "</BICFI></FinInstnId></InstdAgt></GrpHdr><CdtTrfTxInf><PmtId><InstrId>I-%.30s</InstrId>"
        "<EndToEndId>%s</EndToEndId><TxId>%s</TxId>%s</PmtId><IntrBkSttlmAmt Ccy=\"%s\">%s"
        "</IntrBkSttlmAmt><IntrBkSttlmDt>%s</IntrBkSttlmDt><ChrgBr>%s</ChrgBr><Dbtr><Nm>Payer</Nm>"
        "</Dbtr><DbtrAcct>%s</DbtrAcct><DbtrAgt><FinInstnId><BICFI>%s</BICFI></FinInstnId></"
        "DbtrAgt>"
        "<CdtrAgt><FinInstnId><BICFI>%s</BICFI></FinInstnId></CdtrAgt><Cdtr><Nm>%s</Nm></Cdtr>"
        "<CdtrAcct>%s</CdtrAcct>%s</CdtTrfTxInf>%s</FIToFICstmrCdtTrf>",
        OR(o->msg_id, "M1"), OR(o->count, "1"), OR(o->extra_group, ""),
        OR(o->settlement, "<SttlmMtd>CLRG</SttlmMtd>"), OR(o->type_info, ""), end_to_end_id,
        end_to_end_id, OR(o->tx_id, end_to_end_id), uetr_of(c, o), OR(o->currency, "EUR"), amount,
        OR(o->date, "2026-11-22"), OR(o->bearer, "SLEV"),
        account(c, OR(o->debtor, "DE89370400440532013000")), OR(o->debtor_bic, "RAILDEFFXXX"),
        OR(o->creditor_bic, "SIMBDEFFXXX"), OR(o->creditor_name, "Customer"),
        account(c, OR(o->creditor, CREDITOR)), OR(o->remittance, ""), OR(o->extra_tx, ""));
    return finish(c, "pacs.008.001.08", arena_text(&c->arena, inside));
}

const char *pacs_028(struct customer *c, const char *msg_id, const char *end_to_end_id)
{
    struct view inside = arena_format(
        &c->arena,
        "<FIToFIPmtStsReq><GrpHdr><MsgId>%s</MsgId><CreDtTm>2026-11-22T12:00:00Z</CreDtTm></GrpHdr>"
        "<TxInf><StsReqId>S1</StsReqId><OrgnlEndToEndId>%s</OrgnlEndToEndId></TxInf>"
        "</FIToFIPmtStsReq>",
        msg_id, end_to_end_id);
    return finish(c, "pacs.028.001.03", arena_text(&c->arena, inside));
}

const char *camt_056(struct customer *c, const char *msg_id, const char *end_to_end_id,
                     const char *amount)
{
    struct view inside = arena_format(
        &c->arena,
        "<FIToFIPmtCxlReq><Assgnmt><Id>%s</Id><Assgnr><Agt><FinInstnId><BICFI>RAILDEFFXXX</BICFI>"
        "</FinInstnId></Agt></Assgnr><Assgne><Agt><FinInstnId><BICFI>SIMBDEFFXXX</BICFI>"
        "</FinInstnId></Agt></Assgne><CreDtTm>2026-11-22T12:00:00Z</CreDtTm></Assgnmt><Case>"
        "<Id>C-%s</Id><Cretr><Pty><Nm>Merchant</Nm></Pty></Cretr></Case><Undrlyg><TxInf><CxlId>X-%s"
        "</CxlId><OrgnlEndToEndId>%s</OrgnlEndToEndId><OrgnlIntrBkSttlmAmt Ccy=\"EUR\">%s"
        "</OrgnlIntrBkSttlmAmt><CxlRsnInf><Rsn><Cd>DUPL</Cd></Rsn></CxlRsnInf></TxInf></Undrlyg>"
        "</FIToFIPmtCxlReq>",
        msg_id, msg_id, msg_id, end_to_end_id, amount);
    return finish(c, "camt.056.001.08", arena_text(&c->arena, inside));
}

const char *pacs_004(struct customer *c, const char *msg_id, const char *return_id,
                     const char *end_to_end_id, const char *amount)
{
    struct view inside = arena_format(
        &c->arena,
        "<PmtRtr><GrpHdr><MsgId>%s</MsgId><CreDtTm>2026-11-22T12:00:00Z</CreDtTm><NbOfTxs>1"
        "</NbOfTxs><SttlmInf><SttlmMtd>CLRG</SttlmMtd></SttlmInf></GrpHdr><TxInf><RtrId>%s</RtrId>"
        "<OrgnlEndToEndId>%s</OrgnlEndToEndId><RtrdIntrBkSttlmAmt Ccy=\"EUR\">%s"
        "</RtrdIntrBkSttlmAmt><RtrRsnInf><Rsn><Cd>MD06</Cd></Rsn></RtrRsnInf></TxInf></PmtRtr>",
        msg_id, return_id, end_to_end_id, amount);
    return finish(c, "pacs.004.001.09", arena_text(&c->arena, inside));
}

/* --- looking -------------------------------------------------------------------------------- */
static const struct xml_node *tree(struct customer *c, struct view text)
{
    const struct xml_node *root = NULL;
    struct xml_error error;
    enum status s = xml_read(arena_copy(&c->arena, text), &c->arena, &root, &error);
    if (s != STATUS_OK)
        fail_msg("not XML: %s: %.*s", error.message, (int)text.len, (const char *)text.ptr);
    return root;
}

static const char *first_text(struct customer *c, struct view text, const char *element)
{
    const struct xml_node *found =
        text.len > 0 ? xml_find(tree(c, text), element, "urn:iso") : NULL;
    return found != NULL ? arena_text(&c->arena, found->text) : "";
}

const char *answer_has(struct customer *c, const char *element)
{
    return first_text(c, view_of(c->body, c->body_len), element);
}

const char *notice_has(struct customer *c, size_t n, const char *element)
{
    assert_true(n < c->notice_count);
    return first_text(c, view_text(c->notices[n].body), element);
}

const char *notice_type(struct customer *c, size_t n)
{
    assert_true(n < c->notice_count);
    const struct xml_node *document =
        xml_find(tree(c, view_text(c->notices[n].body)), "Document", "urn:iso");
    assert_non_null(document);
    return arena_text(&c->arena, view_slice(document->ns, 31, document->ns.len));
}

int64_t moved(struct customer *c, const char *id, const char *currency)
{
    const struct json_node *root = json_of(c, view_text(customer_ledger(c)));
    for (JSON_EACH(a, json_member(root, "accounts"))) {
        struct view name;
        int64_t opening_minor = 0, balance_minor = 0;
        if (json_text(json_member(a, "account"), &name) != STATUS_OK || !view_is(name, id))
            continue;
        const struct json_node *m = json_member(json_member(a, "moved"), currency);
        if (m == NULL)
            return 0;
        assert_int_equal(json_i64(json_member(m, "opening_minor"), &opening_minor), STATUS_OK);
        assert_int_equal(json_i64(json_member(m, "balance_minor"), &balance_minor), STATUS_OK);
        return balance_minor - opening_minor;
    }
    fail_msg("no account %s", id);
    return 0;
}

bool balanced(struct customer *c)
{
    const struct json_node *root = json_of(c, view_text(customer_ledger(c)));
    bool good = false;
    int64_t twice = -1;
    const struct json_node *totals = json_member(root, "totals");
    assert_int_equal(json_bool(json_member(totals, "balanced"), &good), STATUS_OK);
    assert_int_equal(json_i64(json_member(totals, "booked_more_than_once"), &twice), STATUS_OK);
    return good && twice == 0;
}
