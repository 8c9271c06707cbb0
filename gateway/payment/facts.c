/* facts.c - what a request says, as facts for compliance/.
 *
 * A table for each part of the request (the whole, payer, payee, device, the method of each rail)
 * names the member and the fact that it becomes; what takes more than one member to know is code
 * below the tables:
 *
 *   accounts   the method's own (IBAN, account, wallet, alias) before the party's, because that is
 *              where the money goes; of a bank order that receives, the party's before the debtor's
 *              (a creditor's alias comes last: the order has the payee's account beside it)
 *   names      those of the bank method, which go out, before the party's
 *   cards      the entry decides whether a PIN says anything
 *   scans      a scanned order for a bank (EPC069-12, Swiss QR-bill) names its payee in the code
 *
 * Nothing is copied and nothing is checked beyond its type: a member that the API would have
 * refused is as good as absent.
 */
#include "payment/facts.h"

#include "base/ensure.h"

#define KYC_TIER_MAX 9
#define MCC_LEN      4
#define FIRST_LEN    6

/* --- members that are facts as they are ------------------------------------------------------ */

struct member_row {
    const char *name;
    enum fact fact;
};

static const struct member_row root_texts[] = { { "purpose", FACT_PURPOSE },
                                                { "risk", FACT_RISK },
                                                { "initiator", FACT_INITIATOR } };
static const struct member_row payer_texts[] = { { "id", FACT_PAYER_ID },
                                                 { "name", FACT_PAYER_NAME },
                                                 { "country", FACT_PAYER_COUNTRY },
                                                 { "type", FACT_PAYER_TYPE },
                                                 { "address", FACT_PAYER_ADDRESS },
                                                 { "birth_date", FACT_PAYER_BIRTH_DATE },
                                                 { "national_id", FACT_PAYER_NATIONAL_ID } };
static const struct member_row payee_texts[] = { { "id", FACT_PAYEE_ID },
                                                 { "name", FACT_PAYEE_NAME },
                                                 { "country", FACT_PAYEE_COUNTRY },
                                                 { "type", FACT_PAYEE_TYPE },
                                                 { "address", FACT_PAYEE_ADDRESS } };
static const struct member_row qr_texts[] = { { "mode", FACT_MODE }, { "scheme", FACT_SCHEME } };
static const struct member_row bank_texts[] = { { "scheme", FACT_SCHEME },
                                                { "direction", FACT_DIRECTION },
                                                { "speed", FACT_SPEED } };
static const struct member_row cbdc_texts[] = { { "action", FACT_ACTION } };
static const struct member_row device_texts[] = { { "id", FACT_DEVICE_ID } };

/* Empty when absent or no text. */
static struct view text_of(const struct json_node *parent, const char *name)
{
    struct view text = VIEW_EMPTY;
    if (json_text(json_member(parent, name), &text) != STATUS_OK)
        return VIEW_EMPTY;
    return text;
}

/* Words, countries and dates only when they are ones: what is read need not come from the API. */
static void take_text(struct compliance_facts *facts, enum fact fact, struct view text)
{
    char unheard[128];
    struct writer why = writer_over(unheard, sizeof unheard);
    const struct fact_row *row = fact_row(fact);
    if (text.len > 0 && row->type == FACT_TYPE_TEXT)
        facts_text(facts, fact, text);
    else if (text.len > 0)
        facts_parse(facts, view_text(row->name), text, &why);
}

static void take_texts(struct compliance_facts *facts, const struct json_node *parent,
                       const struct member_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        take_text(facts, rows[i].fact, text_of(parent, rows[i].name));
}

static void take_flag(struct compliance_facts *facts, const struct json_node *parent,
                      const char *name, enum fact fact)
{
    bool value = false;
    if (json_bool(json_member(parent, name), &value) == STATUS_OK)
        facts_flag(facts, fact, value);
}

static void take_tier(struct compliance_facts *facts, const struct json_node *party, enum fact fact)
{
    int64_t tier = 0;
    if (json_i64(json_member(party, "kyc_tier"), &tier) == STATUS_OK && tier >= 0 &&
        tier <= KYC_TIER_MAX)
        facts_number(facts, fact, tier);
}

static void text_if_none(struct compliance_facts *facts, enum fact fact, struct view text)
{
    if (!facts->values[fact].given)
        take_text(facts, fact, text);
}

/* The first of the members that is there. */
static struct view first_text(const struct json_node *parent, const char *const *names,
                              size_t count)
{
    struct view text = VIEW_EMPTY;
    for (size_t i = 0; i < count && text.len == 0; i++)
        text = text_of(parent, names[i]);
    return text;
}

static struct view party_account(const struct json_node *party)
{
    static const char *const names[] = { "account", "alias" };
    return first_text(party, names, COUNT_OF(names));
}

/* --- methods --------------------------------------------------------------------------------- */

static struct view card_first6(const struct json_node *card)
{
    static const char *const names[] = { "first6", "pan", "track2" };
    struct view first = view_slice(first_text(card, names, COUNT_OF(names)), 0, FIRST_LEN);
    return first.len == FIRST_LEN && view_is_digits(first) ? first : VIEW_EMPTY;
}

/* A PIN proves who pays only together with the chip: a stripe can be copied. */
static void read_card(const struct json_node *card, struct compliance_facts *facts)
{
    struct view entry = text_of(card, "entry");
    bool pin = false;
    if (json_bool(json_member(card, "pin"), &pin) != STATUS_OK) /* as it is recorded */
        pin = text_of(card, "pin_block").len > 0;
    take_text(facts, FACT_ENTRY, entry);
    facts_flag(facts, FACT_PIN, pin);
    take_text(facts, FACT_CARD_FIRST6, card_first6(card));
    bool chip = view_is(entry, "chip") || view_is(entry, "contactless");
    facts_flag(facts, FACT_AUTHENTICATED, chip && pin);
}

/* Line `index` of a code whose lines end with LF or CR LF; empty when there are not so many. */
static struct view code_line(struct view code, size_t index)
{
    for (; index > 0 && code.len > 0; index--) {
        size_t end = view_find(code, '\n');
        code = view_slice(code, end + 1, code.len);
    }
    struct view line = view_slice(code, 0, view_find(code, '\n'));
    return line.len > 0 && line.ptr[line.len - 1] == '\r' ? view_slice(line, 0, line.len - 1)
                                                          : line;
}

static bool is_bank_order(struct view code)
{
    struct view first = code_line(code, 0);
    return view_find(code, '\n') < code.len && (view_is(first, "BCD") || view_is(first, "SPC"));
}

/* Money goes to whom the code names, whatever the request says of its payee. EPC069-12, 3.1: name
 * and IBAN are elements 6 and 7. Swiss payment standards, QR-bill: IBAN is element 4, the
 * creditor's name 6, country 11. */
static void read_bank_order(struct view code, struct compliance_facts *facts)
{
    bool swiss = view_is(code_line(code, 0), "SPC");
    struct view name = code_line(code, 5);
    struct view iban = code_line(code, swiss ? 3 : 6);
    struct view country = swiss ? code_line(code, 10) : VIEW_EMPTY;
    facts_text(facts, FACT_DIRECTION, VIEW("send"));
    take_text(facts, FACT_PAYEE_NAME, name);
    take_text(facts, FACT_PAYEE_ACCOUNT, iban);
    take_text(facts, FACT_PAYEE_COUNTRY, country);
}

/* An alias leads to an account; where the payee has one as well, that is what the order names. */
static struct view creditor_account(const struct json_node *creditor, const struct json_node *payee)
{
    static const char *const accounts[] = { "iban", "account" };
    struct view account = first_text(creditor, accounts, COUNT_OF(accounts));
    if (account.len == 0)
        account = text_of(payee, "account");
    return account.len > 0 ? account : text_of(creditor, "alias");
}

static void read_bank(const struct json_node *bank, const struct json_node *payee,
                      struct compliance_facts *facts)
{
    static const char *const accounts[] = { "iban", "account", "alias" };
    const struct json_node *debtor = json_member(bank, "debtor");
    const struct json_node *creditor = json_member(bank, "creditor");
    take_texts(facts, bank, bank_texts, COUNT_OF(bank_texts));
    text_if_none(facts, FACT_DIRECTION, VIEW("send"));
    struct view from = first_text(debtor, accounts, COUNT_OF(accounts));
    struct view to = creditor_account(creditor, payee);
    bool send = view_is(facts->values[FACT_DIRECTION].text, "send");
    if (send) {
        take_text(facts, FACT_PAYER_ACCOUNT, from);
        take_text(facts, FACT_PAYEE_ACCOUNT, to);
    }
    text_if_none(facts, FACT_PAYER_ACCOUNT, from);
    text_if_none(facts, FACT_PAYEE_ACCOUNT, to);
    take_text(facts, FACT_PAYER_NAME, text_of(debtor, "name"));
    take_text(facts, FACT_PAYEE_NAME, text_of(creditor, "name"));
    take_text(facts, FACT_PAYER_COUNTRY, text_of(debtor, "country"));
    take_text(facts, FACT_PAYEE_COUNTRY, text_of(creditor, "country"));
    take_text(facts, FACT_PAYER_ADDRESS, text_of(debtor, "address"));
    take_text(facts, FACT_PAYEE_ADDRESS, text_of(creditor, "address"));
}

static void read_cbdc(const struct json_node *cbdc, struct compliance_facts *facts)
{
    static const char *const wallets[] = { "wallet", "alias" };
    take_texts(facts, cbdc, cbdc_texts, COUNT_OF(cbdc_texts));
    text_if_none(facts, FACT_ACTION, VIEW("transfer"));
    struct view from = first_text(json_member(cbdc, "payer"), wallets, COUNT_OF(wallets));
    struct view to = first_text(json_member(cbdc, "payee"), wallets, COUNT_OF(wallets));
    take_text(facts, FACT_PAYER_ACCOUNT, from);
    take_text(facts, FACT_PAYEE_ACCOUNT, to);
}

static void read_method(const struct json_node *method, const struct json_node *payee,
                        struct compliance_facts *facts)
{
    const struct json_node *qr = json_member(method, "qr");
    switch (facts->rail) {
    case RAIL_CARD: read_card(json_member(method, "card"), facts); break;
    case RAIL_QR: take_texts(facts, qr, qr_texts, COUNT_OF(qr_texts)); break;
    case RAIL_BANK:
        if (view_is(text_of(method, "type"), "qr")) /* as the merchant sends it */
            read_bank_order(text_of(qr, "code"), facts);
        else
            read_bank(json_member(method, "bank"), payee, facts);
        break;
    case RAIL_CBDC: read_cbdc(json_member(method, "cbdc"), facts); break;
    }
}

/* --- parties --------------------------------------------------------------------------------- */

/* What the wallet holds; in another currency it says nothing about this payment. */
static void take_balance(const struct json_node *payee, struct compliance_facts *facts)
{
    const struct json_node *balance = json_member(payee, "balance");
    int64_t minor = 0;
    if (json_i64(json_member(balance, "value"), &minor) == STATUS_OK && minor >= 0 &&
        view_is(text_of(balance, "currency"), facts->amount.currency->code))
        facts_number(facts, FACT_PAYEE_BALANCE, minor);
}

static void read_parties(const struct json_node *root, struct compliance_facts *facts)
{
    const struct json_node *payer = json_member(root, "payer");
    const struct json_node *payee = json_member(root, "payee");
    take_texts(facts, payer, payer_texts, COUNT_OF(payer_texts));
    take_texts(facts, payee, payee_texts, COUNT_OF(payee_texts));
    take_tier(facts, payer, FACT_PAYER_KYC_TIER);
    take_tier(facts, payee, FACT_PAYEE_KYC_TIER);
    take_balance(payee, facts);
    struct view mcc = text_of(payee, "mcc");
    if (mcc.len == MCC_LEN && view_is_digits(mcc))
        facts_text(facts, FACT_PAYEE_MCC, mcc);
    if (facts->rail != RAIL_CARD) /* there it is a keyed hash of the number */
        text_if_none(facts, FACT_PAYER_ACCOUNT, party_account(payer));
    text_if_none(facts, FACT_PAYEE_ACCOUNT, party_account(payee));
}

/* --- all ------------------------------------------------------------------------------------- */

void facts_read(const struct json_node *root, struct compliance_facts *facts)
{
    ENSURE(rail_valid(facts->rail) && facts->amount.currency != NULL);
    enum capture_mode capture = CAPTURE_AUTOMATIC;
    if (json_member(root, "capture") == NULL ||
        capture_mode_parse(text_of(root, "capture"), &capture) == STATUS_OK)
        facts_text(facts, FACT_CAPTURE, view_text(capture_mode_word(capture)));
    facts_flag(facts, FACT_AUTHENTICATED, false);
    take_flag(facts, root, "cash", FACT_CASH);
    take_texts(facts, root, root_texts, COUNT_OF(root_texts));
    const struct json_node *device = json_member(root, "device");
    take_texts(facts, device, device_texts, COUNT_OF(device_texts));
    take_flag(facts, device, "registered", FACT_DEVICE_REGISTERED);
    read_parties(root, facts);
    read_method(json_member(root, "method"), json_member(root, "payee"), facts);
}

static enum status read_amount(const struct json_node *root, struct money *out, struct writer *why)
{
    const struct json_node *amount = json_member(root, "amount");
    if (json_i64(json_member(amount, "value"), &out->minor) != STATUS_OK || out->minor <= 0) {
        writer_text(why, "/amount/value: an integer of minor units above zero is expected.");
        return STATUS_MALFORMED;
    }
    if (currency_by_code(text_of(amount, "currency"), &out->currency) != STATUS_OK) {
        writer_text(why, "/amount/currency: an ISO 4217 code in capital letters is expected.");
        return STATUS_MALFORMED;
    }
    return STATUS_OK;
}

enum status facts_of_payment(const struct json_node *root, int64_t wall_us,
                             struct compliance_facts *facts, struct writer *why)
{
    const struct json_node *method = json_member(root, "method");
    enum payment_kind kind = PAYMENT_KIND_PURCHASE;
    struct money amount = { 0 };
    enum rail rail;
    TRY(read_amount(root, &amount, why));
    if (json_member(root, "kind") != NULL &&
        payment_kind_parse(text_of(root, "kind"), &kind) != STATUS_OK) {
        writer_text(why, "/kind: purchase, top_up, transfer, payout or bill is expected.");
        return STATUS_MALFORMED;
    }
    if (rail_parse(text_of(method, "type"), &rail) != STATUS_OK) {
        writer_text(why, "/method/type: card, qr, bank or cbdc is expected.");
        return STATUS_MALFORMED;
    }
    if (rail == RAIL_QR && is_bank_order(text_of(json_member(method, "qr"), "code")))
        rail = RAIL_BANK; /* as api/ takes it */
    facts_start(facts, rail, kind, amount, wall_us);
    facts_read(root, facts);
    return STATUS_OK;
}

static struct view first_given(const struct compliance_facts *facts, const enum fact *order,
                               size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (facts->values[order[i]].given)
            return facts->values[order[i]].text;
    return VIEW_EMPTY;
}

struct view facts_bound_payer(const struct compliance_facts *facts)
{
    static const enum fact order[] = { FACT_PAYER_ID, FACT_PAYER_ACCOUNT };
    return first_given(facts, order, COUNT_OF(order));
}

struct view facts_bound_payee(const struct compliance_facts *facts)
{
    static const enum fact order[] = { FACT_PAYEE_ID, FACT_PAYEE_ACCOUNT, FACT_PAYEE_NAME };
    return first_given(facts, order, COUNT_OF(order));
}
