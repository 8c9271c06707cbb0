/* bank_check.c - what a bank looks at before it takes a payment, in this order; the first thing
 * that is wrong gives the reason. The schema has been checked before (iso_check.c), funds are
 * looked at when it is booked.
 */
#include "bank_int.h"

#include <ctype.h>

#define DAY_US INT64_C(86400000000)

const struct bank_scheme BANK_SCHEMES[SCHEME_COUNT] = {
#define SCHEME(name, ...) [SCHEME_##name] = { #name, __VA_ARGS__ },
#include "bank_scheme.def"
#undef SCHEME
};

static const struct bank_scheme *scheme_of(const struct bank *b)
{
    return &BANK_SCHEMES[b->settings.scheme];
}

static const char *say(struct bank_call *call, const char *code, const char *sentence)
{
    BANK_COPY(call->sentence, view_text(sentence));
    return code;
}

static bool one_of(const char *words, struct view text)
{
    for (struct view rest = view_text(words); rest.len > 0;) {
        size_t len = view_find(rest, '|');
        if (view_equal(view_slice(rest, 0, len), text))
            return true;
        rest = view_slice(rest, len + 1, rest.len);
    }
    return false;
}

/* --- reading -------------------------------------------------------------------------------- */
static struct view first_of(const struct xml_node *a, const struct xml_node *b, const char *path)
{
    const struct xml_node *found = xml_at(a, path);
    return found != NULL ? found->text : xml_text_at(b, path);
}

static struct view account_of(const struct xml_node *node, const char *name, struct view *iban)
{
    const struct xml_node *id = xml_at(xml_child(node, name), "Id");
    *iban = xml_text_at(id, "IBAN");
    return iban->len > 0 ? *iban : xml_text_at(id, "Othr/Id");
}

static struct view agent_of(const struct xml_node *node, const char *name)
{
    const struct xml_node *agent = xml_at(xml_child(node, name), "FinInstnId");
    struct view bic = xml_text_at(agent, "BICFI");
    return bic.len > 0 ? bic : xml_text_at(agent, "BIC");
}

/* Fills what the message says; nothing is judged here. */
void bank_check_read(struct bank_call *call, struct bank_transfer *t)
{
    const struct xml_node *tx = t->tx, *batch = t->batch;
    struct bank_entry *e = t->e;
    bool pain = call->kind->kind == ISO_PAIN_001;
    const struct xml_node *amount = xml_at(tx, pain ? "Amt/InstdAmt" : "IntrBkSttlmAmt");
    const struct xml_node *payer = pain ? batch : tx;
    t->amount = amount != NULL ? amount->text : VIEW_EMPTY;
    t->currency = xml_attribute(amount, "Ccy");
    t->uetr = xml_text_at(tx, "PmtId/UETR");
    t->service = first_of(tx, batch, "PmtTpInf/SvcLvl/Cd");
    t->service_prtry = first_of(tx, batch, "PmtTpInf/SvcLvl/Prtry");
    t->instrument = first_of(tx, batch, "PmtTpInf/LclInstrm/Cd");
    t->instrument_prtry = first_of(tx, batch, "PmtTpInf/LclInstrm/Prtry");
    t->bearer = first_of(tx, batch, "ChrgBr");
    t->date = first_of(tx, batch, "IntrBkSttlmDt");
    if (pain) {
        t->date = xml_text_at(batch, "ReqdExctnDt");
        const struct xml_node *date = xml_child(batch, "ReqdExctnDt");
        if (date != NULL && date->first != NULL)
            t->date = date->first->text;
    }
    t->debtor_bic = agent_of(payer, "DbtrAgt");
    t->creditor_bic = agent_of(tx, "CdtrAgt");
    t->structured = xml_text_at(tx, "RmtInf/Strd/CdtrRefInf/Ref");
    BANK_COPY(e->end_to_end_id, xml_text_at(tx, "PmtId/EndToEndId"));
    BANK_COPY(e->instr_id, xml_text_at(tx, "PmtId/InstrId"));
    BANK_COPY(e->tx_id, xml_text_at(tx, "PmtId/TxId"));
    BANK_COPY(e->uetr, t->uetr);
    BANK_COPY(e->msg_id, call->msg_id);
    BANK_COPY(e->pmt_inf_id, xml_text_at(batch, "PmtInfId"));
    BANK_COPY(e->debtor, xml_text_at(payer, "Dbtr/Nm"));
    BANK_COPY(e->creditor, xml_text_at(tx, "Cdtr/Nm"));
    BANK_COPY(e->debtor_account, account_of(payer, "DbtrAcct", &t->debtor_iban));
    BANK_COPY(e->creditor_account, account_of(tx, "CdtrAcct", &t->creditor_iban));
    BANK_COPY(e->debtor_agent, bic_valid(t->debtor_bic) ? t->debtor_bic : VIEW_EMPTY);
    BANK_COPY(e->creditor_agent, bic_valid(t->creditor_bic) ? t->creditor_bic : VIEW_EMPTY);
    BANK_COPY(e->reference, t->structured);
    BANK_COPY(e->remittance, xml_text_at(tx, "RmtInf/Ustrd"));
    BANK_COPY(e->purpose, xml_text_at(tx, "Purp/Cd"));
    BANK_COPY(e->currency, t->currency);
    if (money_read(t->amount, t->currency, &e->amount_minor) != STATUS_OK)
        e->amount_minor = -1;
    e->participant = !pain;
    e->instant = scheme_of(call->b)->instant || view_is(t->instrument, "INST") ||
                 view_is(t->service, "INST");
}

/* --- letters -------------------------------------------------------------------------------- */
static bool plain_letter(uint8_t c)
{
    return isalnum(c) || (c != 0 && strchr("/-?:().,'+ ", c) != NULL);
}

/* ids: letters that every scheme takes, no slash at an end, no two together. */
static bool id_good(const char *id)
{
    size_t len = strlen(id);
    for (size_t i = 0; i < len; i++)
        if (!plain_letter((uint8_t)id[i]) && id[i] != '_' && id[i] != '*')
            return false;
    return len == 0 || (id[0] != '/' && id[len - 1] != '/' && strstr(id, "//") == NULL);
}

/* Latin-1 and Latin Extended-A, no control letters (Swiss payment standards). */
static bool latin_good(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c < 0x20 || c == 0x7F || c > 0xC5)
            return false;
        if (c >= 0xC0) {
            uint32_t letter = (uint32_t)(c & 0x1F) << 6 | (text.ptr[i + 1] & 0x3F);
            if (letter < 0xA0 || letter > 0x17F)
                return false;
            i++;
        }
    }
    return true;
}

static bool text_good(const struct bank *b, struct view text)
{
    bool plain = bank_is(&b->settings, "charset", "sepa");
    bool latin = bank_is(&b->settings, "charset", "latin") ||
                 (bank_is(&b->settings, "charset", "scheme") && b->settings.scheme == SCHEME_swiss);
    if (latin)
        return latin_good(text);
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7F || (plain && !plain_letter(text.ptr[i])))
            return false;
    return true;
}

static const char *check_letters(struct bank_call *call, struct bank_transfer *t)
{
    const struct bank_entry *e = t->e;
    if (!id_good(e->end_to_end_id) || !id_good(e->instr_id) || !id_good(e->tx_id) ||
        !id_good(e->msg_id) || !id_good(e->pmt_inf_id))
        return say(call, "RR10", "a reference has letters that are not allowed");
    static const char *const texts[] = { "Dbtr/Nm",
                                         "Cdtr/Nm",
                                         "RmtInf/Ustrd",
                                         "Cdtr/PstlAdr/TwnNm",
                                         "Cdtr/PstlAdr/StrtNm",
                                         "Cdtr/PstlAdr/AdrLine" };
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (!text_good(call->b, xml_text_at(t->tx, texts[i])) ||
            !text_good(call->b, xml_text_at(t->batch, texts[i])))
            return say(call, "RR10", "a text has letters that are not allowed");
    return "";
}

/* --- ids and what the scheme asks for ------------------------------------------------------- */
bool bank_pix_id(struct view id, char letter, bool with_time)
{
    int64_t wall_us;
    char time[24];
    if (id.len != 32 || id.ptr[0] != (uint8_t)letter)
        return false;
    for (size_t i = 1; i < 32; i++)
        if (!isalnum(id.ptr[i]) || (i < 9 && islower(id.ptr[i])))
            return false;
    if (!with_time)
        return true;
    struct writer w = writer_over(time, sizeof time);
    for (size_t i = 9; i < 21; i++) {
        writer_text(&w, i == 13 || i == 15 ? "-" : i == 17 ? "T" : i == 19 ? ":" : "");
        writer_u8(&w, id.ptr[i]);
    }
    writer_text(&w, ":00");
    return wall_read(writer_done(&w), &wall_us) == STATUS_OK;
}

static const char *check_ids(struct bank_call *call, struct bank_transfer *t)
{
    const struct bank *b = call->b;
    if (b->settings.scheme == SCHEME_pix && t->e->participant) {
        if (!bank_pix_id(call->msg_id, 'M', false))
            return say(call, "FF02", "MsgId is not M, ISPB and 23 letters");
        if (!bank_pix_id(view_text(t->e->end_to_end_id), 'E', true))
            return say(call, "FF08", "EndToEndId is not E, ISPB, time and 11 letters");
    }
    if (b->settings.uetr_required && t->uetr.len == 0)
        return say(call, "CH21", "UETR is missing");
    return "";
}

static const char *check_scheme(struct bank_call *call, struct bank_transfer *t)
{
    const struct bank_scheme *s = scheme_of(call->b);
    if (t->e->participant) {
        struct view method = xml_text_at(t->batch, "SttlmInf/SttlmMtd");
        struct view clearing = xml_text_at(t->batch, "SttlmInf/ClrSys/Cd");
        if (s->settlement[0] != '\0' && !view_is(method, s->settlement))
            return say(call, "CH16", "SttlmMtd is not that of the scheme");
        if (s->clearing[0] != '\0' && (s->clearing_mandatory || clearing.len > 0) &&
            !view_is(clearing, s->clearing))
            return say(call, "CH16", "ClrSys is not that of the scheme");
    }
    bool must = t->e->participant;
    if (s->service[0] != '\0' && (must || t->service.len + t->service_prtry.len > 0) &&
        !view_is(t->service, s->service))
        return say(call, "FF03", "SvcLvl is not that of the scheme");
    bool named =
        view_is(t->instrument, s->instrument) || view_is(t->instrument_prtry, s->instrument);
    must = must || call->b->settings.scheme == SCHEME_sepa_inst;
    if (s->instrument[0] != '\0' && (must || t->instrument.len + t->instrument_prtry.len > 0) &&
        !named)
        return say(call, "FF05", "LclInstrm is not that of the scheme");
    if (s->bearers[0] != '\0' && t->bearer.len > 0 && !one_of(s->bearers, t->bearer))
        return say(call, "CH16", "ChrgBr is not one of the scheme's");
    if (s->iban_only && (t->debtor_iban.len == 0 || t->creditor_iban.len == 0))
        return say(call, "AC01", "the scheme wants IBANs");
    if (call->b->settings.scheme != SCHEME_pix && t->e->creditor[0] == '\0')
        return say(call, "RR03", "the creditor's name is missing");
    if (t->e->debtor[0] == '\0')
        return say(call, "RR02", "the debtor's name is missing");
    return "";
}

static const char *check_amount(struct bank_call *call, struct bank_transfer *t)
{
    const struct bank_scheme *s = scheme_of(call->b);
    int64_t amount_minor = 0, maximum_minor = call->b->settings.maximum_minor;
    if (t->amount.len == 0)
        return say(call, "AM12", "only InstdAmt is taken");
    enum status read = money_read(t->amount, t->currency, &amount_minor);
    if (read == STATUS_UNSUPPORTED ||
        (s->currencies[0] != '\0' && !one_of(s->currencies, t->currency)))
        return say(call, "AM03", "the currency is not processed");
    if (read != STATUS_OK)
        return say(call, "AM12", "more fraction digits than the currency has, or too long");
    if (amount_minor == 0)
        return say(call, "AM01", "the amount is zero");
    if (maximum_minor == 0)
        maximum_minor = s->maximum_minor;
    if (maximum_minor > 0 && amount_minor > maximum_minor)
        return say(call, "AM02", "the amount is over the scheme's maximum");
    return "";
}

/* --- agents and accounts -------------------------------------------------------------------- */
/* Member ids that have a form: American routing numbers with their check digit, sort codes. */
static bool member_good(const struct xml_node *node, const char *agent)
{
    const struct xml_node *member = xml_at(xml_child(node, agent), "FinInstnId/ClrSysMmbId");
    struct view id = xml_text_at(member, "MmbId"), system = xml_text_at(member, "ClrSysId/Cd");
    if (view_is(system, "GBDSC"))
        return id.len == 6 && view_is_digits(id);
    if (!view_is(system, "USABA"))
        return true;
    static const uint8_t weights[] = { 3, 7, 1 };
    unsigned sum = 0;
    for (size_t i = 0; i < id.len; i++)
        sum += weights[i % 3] * (unsigned)(id.ptr[i] - '0');
    return id.len == 9 && view_is_digits(id) && sum % 10 == 0;
}

static const char *check_agents(struct bank_call *call, struct bank_transfer *t)
{
    const struct bank *b = call->b;
    if (!member_good(t->e->participant ? t->tx : t->batch, "DbtrAgt"))
        return say(call, "RC09", "the debtor agent's member id is none");
    if (!member_good(t->tx, "CdtrAgt"))
        return say(call, "RC10", "the creditor agent's member id is none");
    if (t->debtor_bic.len > 0 && !bic_valid(t->debtor_bic))
        return say(call, "RC01", "the debtor agent's BIC is none");
    if (t->creditor_bic.len > 0 && !bic_valid(t->creditor_bic))
        return say(call, "RC01", "the creditor agent's BIC is none");
    struct view instructed = agent_of(t->batch, "InstdAgt");
    if (instructed.len == 0)
        instructed = agent_of(t->tx, "InstdAgt");
    if (t->e->participant && instructed.len > 0 &&
        !view_equal(view_slice(instructed, 0, 8), view_of(b->settings.bic, 8)))
        return say(call, "AGNT", "the message is for another bank");
    const struct {
        struct view bic;
        const char *account;
    } sides[] = { { t->debtor_bic, t->e->debtor_account },
                  { t->creditor_bic, t->e->creditor_account } };
    for (size_t i = 0; i < 2; i++) {
        uint32_t at = bank_account_find(b, view_text(sides[i].account));
        if (at != BANK_NONE && sides[i].bic.len > 0 && b->accounts[at].bic[0] != '\0' &&
            !view_equal(view_slice(sides[i].bic, 0, 8), view_of(b->accounts[at].bic, 8)))
            return say(call, "AGNT", "the account is not kept by the agent that is named");
    }
    return "";
}

/* Our own sort codes: whoever has such a number and is not in the books does not exist. */
static bool ours(struct view account)
{
    struct view bank_code = view_slice(account, 4, account.len);
    return (view_starts_with(account, VIEW("DE")) &&
            view_starts_with(bank_code, VIEW("99000001"))) ||
           (view_starts_with(account, VIEW("GB")) && view_starts_with(bank_code, VIEW("SIMB")));
}

static const char *check_account(struct bank_call *call, struct bank_transfer *t, bool debtor)
{
    const struct bank *b = call->b;
    struct view iban = debtor ? t->debtor_iban : t->creditor_iban;
    struct view id = view_text(debtor ? t->e->debtor_account : t->e->creditor_account);
    uint32_t *place = debtor ? &t->e->debit : &t->e->credit;
    bool elsewhere = debtor && t->e->participant; /* the participant's customer, not ours */
    if (iban.len > 0 ? !iban_valid(iban) : id.len == 0 && !elsewhere)
        return say(call, "AC01",
                   debtor ? "the debtor's account number is wrong"
                          : "the creditor's account number is wrong");
    uint32_t at = bank_account_find(b, id);
    if (elsewhere) {
        *place = BANK_PARTICIPANT;
        return "";
    }
    bool accept = bank_is(&b->settings, debtor ? "unknown_debtor" : "unknown_creditor", "accept");
    if (at == BANK_NONE || b->accounts[at].inside) {
        *place = BANK_CLEARING;
        return accept && !ours(id) ? "" : say(call, "AC01", "no such account");
    }
    *place = at;
    const struct bank_account *a = &b->accounts[at];
    if (a->state == ACCOUNT_CLOSED)
        return say(call, "AC04", "the account is closed");
    if (a->state == ACCOUNT_BLOCKED)
        return say(call, "AC06", "the account is blocked");
    if (!bank_account_takes(a, t->currency))
        return say(call, "AM03", "the account does not hold this currency");
    return "";
}

/* --- dates, references ---------------------------------------------------------------------- */
static const char *check_dates(struct bank_call *call, struct bank_transfer *t)
{
    int64_t date_us, wall_us = call->wall_us, cut_off_s = call->b->settings.cut_off_s;
    if (t->date.len == 0)
        return "";
    if (wall_read(t->date, &date_us) != STATUS_OK)
        return say(call, "DT01", "the date is wrong");
    int64_t latest_us = wall_us + (t->e->participant ? 1 : 365) * DAY_US;
    if (date_us < wall_us - 2 * DAY_US || date_us > latest_us)
        return say(call, "DT01", "the date is too far away");
    if (cut_off_s >= 0 && !t->e->instant && wall_us % DAY_US > cut_off_s * 1000000 &&
        date_us / DAY_US <= wall_us / DAY_US)
        return say(call, "TM01", "after cut-off");
    return "";
}

static const char *check_reference(struct bank_call *call, struct bank_transfer *t)
{
    struct view reference = t->structured;
    bool qr = reference.len == 27 && view_is_digits(reference);
    if (view_starts_with(reference, VIEW("RF")) && !creditor_reference_valid(reference))
        return say(call, "CH16", "the creditor reference's check digits are wrong");
    if (call->b->settings.scheme != SCHEME_swiss)
        return "";
    if (iban_is_qr(t->creditor_iban) != qr || (qr && !qr_reference_valid(reference)))
        return say(call, "CH16", "a QR-IBAN and a QR reference belong together");
    return "";
}

static const char *check_regulatory(struct bank_call *call, struct bank_transfer *t)
{
    struct view country = xml_text_at(t->tx, "Cdtr/PstlAdr/Ctry");
    if (view_is(country, "KP") || strstr(t->e->creditor, "Sanctioned") != NULL)
        return say(call, "RR04", "regulatory reason");
    return "";
}

/* The same payment in another message: same ids and content, not rejected before. */
static const char *check_duplicate(struct bank_call *call, struct bank_transfer *t)
{
    struct bank_entry *e = t->e;
    struct view end_to_end = view_text(e->end_to_end_id);
    struct bank_entry *other =
        bank_entry_find(call->b, end_to_end, view_text(e->tx_id), t->uetr, 1u << KIND_TRANSFER);
    if (other == NULL || other->state == STATE_REJECTED)
        return "";
    return other->content == e->content
               ? say(call, "AM05", "this payment came before in another message")
               : say(call, "RF01", "the reference belongs to another payment");
}

const char *bank_check(struct bank_call *call, struct bank_transfer *t)
{
    static const char *(*const steps[])(struct bank_call *, struct bank_transfer *) = {
        check_ids, check_letters, check_scheme, check_amount, check_agents,
    };
    static const char *(*const later[])(struct bank_call *, struct bank_transfer *) = {
        check_reference,
        check_dates,
        check_regulatory,
        check_duplicate,
    };
    const char *code = "";
    for (size_t i = 0; i < COUNT_OF(steps) && code[0] == '\0'; i++)
        code = steps[i](call, t);
    if (code[0] == '\0')
        code = check_account(call, t, true);
    if (code[0] == '\0')
        code = check_account(call, t, false);
    for (size_t i = 0; i < COUNT_OF(later) && code[0] == '\0'; i++)
        code = later[i](call, t);
    return code;
}
