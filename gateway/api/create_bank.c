/* create_bank.c - method.bank: a credit transfer that is sent, or one that is to be received.
 *
 * Letters, lengths and dates are looked at here; check digits, what a scheme needs and which banks
 * there are is the adapter's. Account numbers are shown in the answer as they were given, unless
 * one could be a card number: then only its last four digits are.
 */
#include "api/api_int.h"

#include "base/ensure.h"

static const char *const bank_fields[] = { "direction",     "scheme", "speed",
                                           "creditor",      "debtor", "structured_reference",
                                           "execution_date" };
static const char *const party_fields[] = { "name",  "iban",  "account", "bic",
                                            "agent", "alias", "country", "address" };
/* Digits are their nature; see put_account for what the answer shows. */
static const char *const digits_fields[] = { "iban", "account", "alias" };

struct bank_party {
    struct view name, iban, account, bic, agent, alias, country, address;
};

static void read_bank_party(struct fields *f, const struct json_node *bank, const char *role,
                            struct writer *details, struct json_out *facts)
{
    const struct json_node *node = field_object(f, bank, role, false);
    if (node == NULL)
        return;
    fields_known(f, node, party_fields, COUNT_OF(party_fields));
    field_no_pan_but(f, node, digits_fields, COUNT_OF(digits_fields));
    struct bank_party p = { .name = field_text(f, node, "name", 1, 140, false),
                            .iban = field_iban(f, node, "iban"),
                            .account = field_text(f, node, "account", 1, 64, false),
                            .bic = field_bic(f, node, "bic"),
                            .agent = field_text(f, node, "agent", 1, 64, false),
                            .alias = field_text(f, node, "alias", 1, 128, false),
                            .country = field_country(f, node, "country"),
                            .address = field_text(f, node, "address", 1, 280, false) };
    if (json_member(node, "iban") != NULL && json_member(node, "account") != NULL)
        field_error(f, json_member(node, "account"), "contradiction",
                    "Either iban or account is expected, not both.");
    put_detail(details, role, "name", p.name);
    put_detail(details, role, "iban", p.iban);
    put_detail(details, role, "account", p.account);
    put_detail(details, role, "bic", p.bic);
    put_detail(details, role, "agent", p.agent);
    put_detail(details, role, "alias", p.alias);
    put_detail(details, role, "country", p.country);
    put_detail(details, role, "address", p.address);
    json_open_object(facts, role);
    json_put_text_if(facts, "name", p.name);
    json_put_text_if(facts, "iban", p.iban);
    put_account(facts, "account", p.account);
    json_put_text_if(facts, "bic", p.bic);
    json_put_text_if(facts, "agent", p.agent);
    put_account(facts, "alias", p.alias);
    json_put_text_if(facts, "country", p.country);
    json_put_text_if(facts, "address", p.address);
    json_close_object(facts);
}

/* Money that is sent needs somebody to get it. */
static void check_send(struct fields *f, const struct json_node *bank)
{
    const struct json_node *creditor = json_member(bank, "creditor");
    if (creditor == NULL) {
        field_missing(f, bank, "creditor", "With direction send an object");
        return;
    }
    if (creditor->kind == JSON_OBJECT && json_member(creditor, "iban") == NULL &&
        json_member(creditor, "account") == NULL && json_member(creditor, "alias") == NULL)
        field_missing(f, creditor, "iban", "One of iban, account and alias");
}

void read_bank(struct fields *f, const struct json_node *bank, struct writer *details,
               struct json_out *facts)
{
    static const char *const directions[] = { "send", "receive" };
    static const char *const speeds[] = { "instant", "normal" };
    fields_known(f, bank, bank_fields, COUNT_OF(bank_fields));
    struct view direction =
        field_word(f, bank, "direction", directions, COUNT_OF(directions), false);
    if (json_member(bank, "direction") == NULL)
        direction = VIEW("send");
    struct view scheme = field_text(f, bank, "scheme", 1, 32, false);
    struct view speed = field_word(f, bank, "speed", speeds, COUNT_OF(speeds), false);
    struct view reference = field_identifier(f, bank, "structured_reference", 1, 35);
    struct view date = field_date(f, bank, "execution_date", 1970);
    field_no_pan(f, json_member(bank, "scheme"));
    if (view_is(direction, "send"))
        check_send(f, bank);
    put_detail(details, "", "direction", direction);
    put_detail(details, "", "scheme", scheme);
    put_detail(details, "", "speed", speed);
    put_detail(details, "", "structured_reference", reference);
    put_detail(details, "", "execution_date", date);
    json_put_text_if(facts, "direction", direction);
    json_put_text_if(facts, "scheme", scheme);
    json_put_text_if(facts, "speed", speed);
    read_bank_party(f, bank, "creditor", details, facts);
    read_bank_party(f, bank, "debtor", details, facts);
    put_account(facts, "structured_reference", reference);
    json_put_text_if(facts, "execution_date", date);
}
