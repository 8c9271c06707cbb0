/* read_camt.c - a bank's statement (camt.053) or notification (camt.054), ISO 20022 XML.
 *
 *     Document / BkToCstmrStmt | BkToCstmrDbtCdtNtfctn
 *       Stmt | Ntfctn       FrToDt, Acct/Ccy, Bal (OPBD, CLBD), TxsSummry
 *         Ntry              Amt@Ccy, CdtDbtInd, RvslInd, Sts, BookgDt, BkTxCd
 *           NtryDtls/TxDtls Refs (EndToEndId, TxId), Amt, CdtDbtInd, RmtInf, RtrInf
 *
 * Any version whose namespace says camt.053.001 or camt.054.001. An entry may have several
 * transactions: each is a line, and together they must be the entry. Totals and balances stand
 * before the entries; they are kept and compared when the statement ends.
 *
 * Each amount is read by its own Ccy, without which there is none: how many digits "1250" has
 * behind the point is a matter of it. Totals have no currency; they are compared with as many
 * digits as the standard allows. The account's currency (Acct/Ccy) may be left out; then it is that
 * of all amounts.
 *
 * The XML is read as a stream by xml/xml_stream.h, which stands against hostile bytes. What is cut
 * off in the middle is not well-formed, and then nothing of it counts.
 *
 * By what a line is named: money that went out by EndToEndId, that came in by our structured
 * reference; what came back of a payment by the payment's EndToEndId; what we returned of one that
 * had come in by TxId, since its EndToEndId is the payer's.
 */
#include "reconcile/reconcile_int.h"

#include "base/ensure.h"
#include "xml/xml_stream.h"

#include <stdlib.h>

#define TEXT_MAX    140 /* of one element that is read */
#define FINE_DIGITS 5   /* behind the point, at most, whatever the currency */
#define NAMESPACE   "urn:iso:std:iso:20022:tech:xsd:camt.05"

// clang-format off
#define ELEMENTS(X)                                                                             \
    X(Document) X(BkToCstmrStmt) X(BkToCstmrDbtCdtNtfctn) X(Stmt) X(Ntfctn) X(StmtPgntn)        \
    X(NtfctnPgntn) X(LastPgInd) X(FrToDt) X(FrDtTm) X(ToDtTm) X(Acct) X(Ccy) X(Bal) X(Tp)       \
    X(CdOrPrtry) X(Cd) X(Amt) X(CdtDbtInd) X(TxsSummry) X(TtlNtries) X(TtlCdtNtries)            \
    X(TtlDbtNtries) X(NbOfNtries) X(Sum) X(Ntry) X(RvslInd) X(Sts) X(BookgDt) X(Dt) X(DtTm)     \
    X(BkTxCd) X(Domn) X(Fmly) X(SubFmlyCd) X(AcctSvcrRef) X(NtryDtls) X(TxDtls) X(Refs)         \
    X(EndToEndId) X(TxId) X(AmtDtls) X(TxAmt) X(RmtInf) X(Strd) X(CdtrRefInf) X(Ref) X(RtrInf)
// clang-format on

enum element {
    EL_OTHER = XML_OTHER,
#define X(name) EL_##name,
    ELEMENTS(X)
#undef X
};

struct sums {
    int64_t count, fine; /* fine: 10^-FINE_DIGITS of a unit */
};

/* A total that stood before the entries. */
struct said {
    bool count_given, sum_given;
    int64_t count;
    char sum[40];
};

struct balance {
    bool given;
    int64_t fine;
};

struct transaction {
    char end_to_end[TEXT_MAX + 1], tx_id[TEXT_MAX + 1], reference[TEXT_MAX + 1],
        servicer[TEXT_MAX + 1];
    bool has_amount, has_direction, credit, returned;
    int64_t minor;
};

struct entry {
    uint64_t line;
    bool booked, has_amount, has_direction, credit, reversal, returned, has_time;
    char currency[4];
    char servicer[TEXT_MAX + 1];
    int64_t minor, fine, at_us, detailed_minor, details;
};

struct camt {
    struct record *r;
    const struct xml_place *place; /* its path: enum element */
    enum status status;            /* OK until something ends the reading */
    char attribute[4];             /* Ccy of the Amt at hand */
    bool has_report;               /* a Stmt or Ntfctn was there */
    char currency[4];              /* of the first amount */
    bool mixed;                    /* another one has another */
    /* the Stmt or Ntfctn */
    struct said totals[3]; /* all, credits, debits */
    struct sums counted[3];
    struct balance opening, closing;
    char balance_kind[8];
    int64_t balance_fine;
    bool balance_debit;
    struct entry entry;
    struct transaction tx;
};

static void stop(struct camt *c, enum status status, const char *what)
{
    if (c->status == STATUS_OK)
        c->status = record_refuse(c->r, status, c->place->line, what);
}

/* The n-th element from the innermost: 0 is the one at hand. */
static enum element at(const struct camt *c, size_t n)
{
    const struct xml_place *place = c->place;
    return n < place->depth ? (enum element)place->path[place->depth - 1 - n] : EL_OTHER;
}

static bool inside(const struct camt *c, enum element element)
{
    for (size_t i = 0; i < c->place->depth; i++)
        if (c->place->path[i] == element)
            return true;
    return false;
}

static bool is_report(enum element element)
{
    return element == EL_Stmt || element == EL_Ntfctn;
}

static bool text_is(const struct camt *c, const char *word)
{
    return view_is(c->place->text, word);
}

static void keep(struct camt *c, char *out, size_t room)
{
    if (view_to_text(c->place->text, out, room) != STATUS_OK)
        stop(c, STATUS_RANGE, "a text is longer than the standard allows");
}

/* CRDT: true. */
static bool read_direction(struct camt *c)
{
    if (!text_is(c, "CRDT") && !text_is(c, "DBIT"))
        stop(c, STATUS_MALFORMED, "CdtDbtInd is neither CRDT nor DBIT");
    return text_is(c, "CRDT");
}

/* The amount at hand, by its own currency. */
static int64_t read_amount(struct camt *c, char currency[4], int64_t *fine)
{
    int64_t minor = 0;
    unsigned exponent = 0;
    currency[0] = '\0';
    if (c->attribute[0] == '\0')
        stop(c, STATUS_MALFORMED, "an amount has no currency (Ccy)");
    else if (record_currency(view_text(c->attribute), currency, &exponent) != STATUS_OK)
        stop(c, STATUS_MALFORMED, "an amount's currency is none");
    else if (record_decimal(c->place->text, exponent, false, &minor) != STATUS_OK ||
             record_decimal(c->place->text, FINE_DIGITS, false, fine) != STATUS_OK)
        stop(c, STATUS_MALFORMED, "an amount is none of its currency");
    if (c->currency[0] == '\0')
        memcpy(c->currency, currency, sizeof c->currency);
    c->mixed |= strcmp(c->currency, currency) != 0;
    return minor;
}

static int64_t read_time(struct camt *c)
{
    int64_t us = 0;
    if (reconcile_time(c->place->text, &us) != STATUS_OK)
        stop(c, STATUS_MALFORMED, "a date or time is none");
    return us;
}

/* --- the statement -----------------------------------------------------------------------------
 */

static void report_begin(struct camt *c)
{
    if (c->has_report && c->r->currency[0] == '\0')
        stop(c, STATUS_UNSUPPORTED, "a record of several statements must name their currency");
    c->has_report = true;
    memset(c->totals, 0, sizeof c->totals);
    memset(c->counted, 0, sizeof c->counted);
    c->opening = c->closing = (struct balance){ 0 };
}

static void account_currency(struct camt *c)
{
    char code[4];
    unsigned exponent;
    if (record_currency(c->place->text, code, &exponent) != STATUS_OK)
        stop(c, STATUS_MALFORMED, "the account's currency is none");
    else if (c->r->currency[0] != '\0' && strcmp(c->r->currency, code) != 0)
        stop(c, STATUS_UNSUPPORTED,
             "the record has statements in several currencies: give one at a time");
    else
        memcpy(c->r->currency, code, sizeof code);
}

static void balance_amount(struct camt *c)
{
    char currency[4];
    (void)read_amount(c, currency, &c->balance_fine);
    if (c->status == STATUS_OK && c->r->currency[0] != '\0' &&
        strcmp(c->r->currency, currency) != 0)
        stop(c, STATUS_MISMATCH, "a balance is not in the account's currency");
}

static void balance_end(struct camt *c)
{
    struct balance *to =
        strcmp(c->balance_kind, "CLBD") == 0                                           ? &c->closing
        : strcmp(c->balance_kind, "OPBD") == 0 || strcmp(c->balance_kind, "PRCD") == 0 ? &c->opening
                                                                                       : NULL;
    if (to != NULL)
        *to = (struct balance){ true, c->balance_debit ? -c->balance_fine : c->balance_fine };
}

static struct said *total_at(struct camt *c, enum element element)
{
    return element == EL_TtlNtries      ? &c->totals[0]
           : element == EL_TtlCdtNtries ? &c->totals[1]
           : element == EL_TtlDbtNtries ? &c->totals[2]
                                        : NULL;
}

static void read_total(struct camt *c, enum element element, struct said *total)
{
    uint64_t count = 0;
    if (element == EL_NbOfNtries) {
        total->count_given = true;
        if (view_to_u64(c->place->text, INT64_MAX, &count) != STATUS_OK)
            stop(c, STATUS_MALFORMED, "NbOfNtries is no number");
        total->count = (int64_t)count;
    } else if (element == EL_Sum) {
        total->sum_given = true;
        keep(c, total->sum, sizeof total->sum);
    }
}

static void report_end(struct camt *c)
{
    int64_t fine = 0;
    for (size_t i = 0; i < COUNT_OF(c->totals); i++) {
        const struct said *said = &c->totals[i];
        if (said->count_given && said->count != c->counted[i].count)
            stop(c, STATUS_MISMATCH,
                 "TxsSummry counts other entries than there are: the record is not whole");
        if (said->sum_given &&
            (record_decimal(view_text(said->sum), FINE_DIGITS, false, &fine) != STATUS_OK ||
             fine != c->counted[i].fine))
            stop(c, STATUS_MISMATCH,
                 "TxsSummry has another sum than the entries: the record is not whole");
    }
    int64_t net = record_add(c->opening.fine, record_add(c->counted[1].fine, -c->counted[2].fine));
    if (c->opening.given && c->closing.given && net != c->closing.fine)
        stop(c, STATUS_MISMATCH,
             "the closing balance is not the opening balance and the entries: the record is not "
             "whole");
}

/* Of several statements: from the first to the last, whatever their order. */
static void period_from(struct camt *c, int64_t at_us)
{
    if (c->r->from_us == 0 || at_us < c->r->from_us)
        c->r->from_us = at_us;
}

static void period_until(struct camt *c, int64_t at_us)
{
    if (at_us > c->r->until_us)
        c->r->until_us = at_us;
}

static void in_report(struct camt *c, enum element element)
{
    struct said *total = total_at(c, at(c, 1));
    if (total != NULL)
        read_total(c, element, total);
    else if (at(c, 1) == EL_FrToDt && element == EL_FrDtTm)
        period_from(c, read_time(c));
    else if (at(c, 1) == EL_FrToDt && element == EL_ToDtTm)
        period_until(c, read_time(c));
    else if (at(c, 1) == EL_Acct && element == EL_Ccy)
        account_currency(c);
    else if (at(c, 1) == EL_CdOrPrtry && element == EL_Cd && inside(c, EL_Bal))
        keep(c, c->balance_kind, sizeof c->balance_kind);
    else if (at(c, 1) == EL_Bal && element == EL_Amt)
        balance_amount(c);
    else if (at(c, 1) == EL_Bal && element == EL_CdtDbtInd)
        c->balance_debit = !read_direction(c);
    else if (element == EL_Bal)
        balance_end(c);
}

/* --- an entry ----------------------------------------------------------------------------------
 */

static void entry_begin(struct camt *c)
{
    c->entry = (struct entry){ .line = c->place->line };
}

/* False: the line has the EndToEndId of a payment sent, but its money went the other way. */
static bool name_line(const struct entry *e, const struct transaction *tx, bool credit, bool back,
                      struct writer *w)
{
    const char *servicer = tx->servicer[0] != '\0' ? tx->servicer : e->servicer;
    bool no_end_to_end = tx->end_to_end[0] == '\0' || strcmp(tx->end_to_end, "NOTPROVIDED") == 0;
    if (credit && !back && tx->reference[0] != '\0')
        writer_format(w, "reference %s", tx->reference);
    else if (!credit && back && tx->tx_id[0] != '\0')
        writer_format(w, "TxId %s", tx->tx_id);
    else if (!no_end_to_end)
        writer_format(w, "EndToEndId %s", tx->end_to_end);
    else
        writer_format(w, "AcctSvcrRef %s", servicer[0] != '\0' ? servicer : "(none)");
    return !credit || back || tx->reference[0] != '\0';
}

/* A line for a transaction of the entry, or for the entry when it has none. */
static void hand_out(struct camt *c, const struct transaction *tx)
{
    static const char *const words[2][2] = { { "DBIT", "DBIT return" }, { "CRDT", "CRDT return" } };
    const struct entry *e = &c->entry;
    uint8_t room[NAME_MAX_BYTES + 1];
    struct writer w = writer_over(room, sizeof room);
    bool credit = tx->has_direction ? tx->credit : e->credit;
    bool back = e->returned || tx->returned;
    /* Undone by the bank itself: under the name of what it undoes, which went the other way. */
    bool fits = name_line(e, tx, e->reversal ? !credit : credit, back, &w);
    /* What we return of a payment that had come in is an operation of ours. */
    struct record_line line = { .role = (back && credit) || e->reversal ? ROLE_BACK : ROLE_FORWARD,
                                .of = fits ? OF_ANY : 0,
                                .amount_minor = tx->has_amount ? tx->minor : e->minor,
                                .at_us = e->at_us,
                                .line = e->line,
                                .what = words[credit][back || e->reversal],
                                .name = w.overflow ? VIEW_EMPTY : writer_done(&w) };
    memcpy(line.currency, e->currency, sizeof line.currency);
    if (!e->booked || c->status != STATUS_OK)
        return;
    c->status = record_hand_out(c->r, &line);
}

static bool entry_is_whole(struct camt *c)
{
    const struct entry *e = &c->entry;
    if (!e->has_amount || !e->has_direction)
        stop(c, STATUS_MALFORMED, "an entry has no amount or no direction");
    else if (e->booked && !e->has_time)
        stop(c, STATUS_MALFORMED, "a booked entry has no booking date");
    return c->status == STATUS_OK;
}

/* BookgDt and Amt stand before NtryDtls, so a transaction can be handed out when it ends. */
static void transaction_end(struct camt *c)
{
    struct entry *e = &c->entry;
    if (!entry_is_whole(c))
        return;
    e->details++;
    bool same_way = !c->tx.has_direction || c->tx.credit == e->credit;
    int64_t minor = c->tx.has_amount ? c->tx.minor : e->minor;
    e->detailed_minor = record_add(e->detailed_minor, same_way ? minor : -minor);
    hand_out(c, &c->tx);
}

static void entry_end(struct camt *c)
{
    struct entry *e = &c->entry;
    if (!entry_is_whole(c))
        return;
    if (e->details == 0)
        hand_out(c, &(struct transaction){ 0 });
    else if (e->detailed_minor != e->minor)
        stop(c, STATUS_MISMATCH, "the transactions of an entry are not its amount");
    size_t side = e->credit ? 1 : 2;
    c->counted[0].count++;
    c->counted[0].fine = record_add(c->counted[0].fine, e->fine);
    c->counted[side].count++;
    c->counted[side].fine = record_add(c->counted[side].fine, e->fine);
}

static void entry_amount(struct camt *c)
{
    struct entry *e = &c->entry;
    e->minor = read_amount(c, e->currency, &e->fine);
    e->has_amount = true;
}

static void in_transaction(struct camt *c, enum element element)
{
    struct transaction *tx = &c->tx;
    enum element parent = at(c, 1);
    if (parent == EL_Refs && element == EL_EndToEndId)
        keep(c, tx->end_to_end, sizeof tx->end_to_end);
    else if (parent == EL_Refs && element == EL_TxId)
        keep(c, tx->tx_id, sizeof tx->tx_id);
    else if (parent == EL_Refs && element == EL_AcctSvcrRef)
        keep(c, tx->servicer, sizeof tx->servicer);
    else if (parent == EL_CdtrRefInf && element == EL_Ref)
        keep(c, tx->reference, sizeof tx->reference);
    else if (element == EL_RtrInf || (element == EL_SubFmlyCd && text_is(c, "RRTN")))
        tx->returned = true;
    else if (element == EL_Amt && (parent == EL_TxDtls || parent == EL_TxAmt)) {
        char currency[4];
        int64_t fine, minor;
        if (c->attribute[0] != '\0' && strcmp(c->attribute, c->entry.currency) != 0)
            return; /* instructed in another currency: the entry's amount counts */
        minor = read_amount(c, currency, &fine);
        tx->minor = minor;
        tx->has_amount = true;
    } else if (element == EL_CdtDbtInd && parent == EL_TxDtls) {
        tx->credit = read_direction(c);
        tx->has_direction = true;
    } else if (element == EL_TxDtls) {
        transaction_end(c);
    }
}

static void in_entry(struct camt *c, enum element element)
{
    struct entry *e = &c->entry;
    enum element parent = at(c, 1);
    if (parent == EL_Ntry && element != EL_NtryDtls && e->details > 0) /* was needed before */
        stop(c, STATUS_MALFORMED, "what an entry is stands behind its transactions");
    else if (parent == EL_Ntry && element == EL_Amt)
        entry_amount(c);
    else if (parent == EL_Ntry && element == EL_CdtDbtInd) {
        e->credit = read_direction(c);
        e->has_direction = true;
    } else if (parent == EL_Ntry && element == EL_RvslInd)
        e->reversal = text_is(c, "true") || text_is(c, "1");
    else if (parent == EL_Ntry && element == EL_AcctSvcrRef)
        keep(c, e->servicer, sizeof e->servicer);
    else if ((parent == EL_Sts && element == EL_Cd) || (parent == EL_Ntry && element == EL_Sts))
        e->booked = e->booked || text_is(c, "BOOK"); /* the code stood in Sts itself before 2019 */
    else if (parent == EL_BookgDt && (element == EL_DtTm || element == EL_Dt)) {
        e->at_us = read_time(c);
        e->has_time = true;
    } else if (element == EL_SubFmlyCd)
        e->returned = text_is(c, "RRTN");
    else if (element == EL_Ntry)
        entry_end(c);
}

/* --- the document ------------------------------------------------------------------------------
 */

static void root_begin(struct camt *c)
{
    struct view space = c->place->space, rest;
    if (at(c, 0) != EL_Document || !view_starts_with(space, VIEW(NAMESPACE))) {
        stop(c, STATUS_MALFORMED, "this is no camt.053 or camt.054");
        return;
    }
    rest = view_slice(space, sizeof NAMESPACE - 1, space.len); /* "3.001.08" */
    if (view_starts_with(rest, VIEW("3.001.")))
        c->r->format = "camt.053";
    else if (view_starts_with(rest, VIEW("4.001.")))
        c->r->format = "camt.054";
    else
        stop(c, STATUS_MALFORMED, "this is no camt.053.001 or camt.054.001");
}

static void read_attributes(struct camt *c)
{
    struct view code = VIEW_EMPTY; /* it may have none */
    (void)xml_attribute_value(c->place->attributes, VIEW("Ccy"), &code);
    if (view_to_text(code, c->attribute, sizeof c->attribute) != STATUS_OK)
        stop(c, STATUS_MALFORMED, "an amount's currency is none");
}

/* What counts stands in its place and nowhere else: else it would be passed over. */
static bool in_its_place(const struct camt *c, enum element element)
{
    if (is_report(element))
        return c->place->depth == 3;
    if (element == EL_Ntry)
        return c->place->depth == 4 && is_report(at(c, 1));
    if (element == EL_TxDtls)
        return c->place->depth == 6 && at(c, 1) == EL_NtryDtls && at(c, 2) == EL_Ntry;
    return true;
}

static enum status on_open(void *arg, const struct xml_place *place)
{
    struct camt *c = arg;
    c->place = place;
    enum element element = at(c, 0);
    if (place->depth == 1)
        root_begin(c);
    else if (place->depth == 2 && element != EL_BkToCstmrStmt &&
             element != EL_BkToCstmrDbtCdtNtfctn)
        stop(c, STATUS_MALFORMED, "the document is no statement and no notification");
    else if (!in_its_place(c, element))
        stop(c, STATUS_MALFORMED, "an entry or statement stands where none may");
    else if (is_report(element))
        report_begin(c);
    else if (element == EL_Ntry)
        entry_begin(c);
    else if (element == EL_TxDtls)
        c->tx = (struct transaction){ 0 };
    else if (element == EL_Bal) {
        c->balance_kind[0] = '\0';
        c->balance_debit = false;
        c->balance_fine = 0;
    } else if (element == EL_Amt)
        read_attributes(c);
    return c->status;
}

/* A text that was cut is longer than any that is read, and matters only if it is one of those. */
static enum status on_close(void *arg, const struct xml_place *place)
{
    struct camt *c = arg;
    c->place = place;
    enum element element = at(c, 0);
    if (element != EL_OTHER && place->text_cut && place->text.len > 0)
        stop(c, STATUS_RANGE, "a text is longer than the standard allows");
    else if (element == EL_LastPgInd && !text_is(c, "true") && !text_is(c, "1"))
        stop(c, STATUS_UNSUPPORTED, /* in GrpHdr/MsgPgntn, and from 2019 on in the Stmt as well */
             "the statement goes on in another message (LastPgInd): join the pages first");
    else if (element == EL_OTHER || place->depth < 3 || !is_report((enum element)place->path[2]))
        (void)element; /* nothing that is read */
    else if (inside(c, EL_TxDtls))
        in_transaction(c, element);
    else if (inside(c, EL_Ntry))
        in_entry(c, element);
    else if (place->depth == 3 && is_report(element))
        report_end(c);
    else
        in_report(c, element);
    return c->status;
}

enum status record_read_camt(struct record *r)
{
    static const struct view words[] = {
#define X(name) VIEW(#name),
        ELEMENTS(X)
#undef X
    };
    struct camt *c = calloc(1, sizeof *c);
    if (c == NULL)
        return STATUS_NO_MEMORY;
    const struct xml_rules rules = { .words = words,
                                     .word_count = COUNT_OF(words),
                                     .text_max = TEXT_MAX,
                                     .bytes_max = UINT64_MAX,
                                     .open = on_open,
                                     .close = on_close };
    struct xml_refusal refusal;
    c->r = r;
    c->status = STATUS_OK;
    r->format = "camt";
    enum status status = xml_stream(r->file, &rules, c, &refusal);
    if (refusal.what != NULL)
        status = record_refuse(r, status, refusal.line, refusal.what);
    if (status == STATUS_OK && !c->has_report)
        status = record_refuse(r, STATUS_MALFORMED, 0, "there is no statement in it");
    if (status == STATUS_OK && r->currency[0] == '\0' && !c->mixed)
        memcpy(r->currency, c->currency, sizeof r->currency);
    free(c);
    return status;
}
