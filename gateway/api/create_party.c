/* create_party.c - payer and payee, and what the merchant knows of the circumstances: device, risk,
 * who starts it, cash.
 *
 * All of it may be shown again, except what looks like a card number; what a region profile wants
 * masked is masked when the payment is recorded. Adapters of the rails other than card are told the
 * few members that their messages have room for.
 */
#include "api/api_int.h"

#include "base/ensure.h"

#define KYC_TIER_MAX   9
#define BIRTH_YEAR_MIN 1900

static const char *const payer_fields[] = { "id",    "name",        "country", "kyc_tier",
                                            "email", "phone",       "address", "birth_date",
                                            "type",  "national_id", "account", "alias" };
static const char *const payee_fields[] = { "id",    "name",        "country", "kyc_tier",
                                            "email", "phone",       "address", "birth_date",
                                            "type",  "national_id", "account", "alias",
                                            "mcc",   "balance" };
/* Digits are their nature; see put_account for what the answer shows. */
static const char *const digits_fields[] = { "account", "alias" };

/* What all rails but card tell their adapter of payer and payee. */
static void put_party_details(struct writer *details, const char *name,
                              const struct json_node *party)
{
    static const char *const told[] = { "id", "name", "country", "account", "alias", "address" };
    for (size_t i = 0; i < COUNT_OF(told); i++) {
        struct view value = VIEW_EMPTY;
        if (json_text(json_member(party, told[i]), &value) == STATUS_OK)
            put_detail(details, name, told[i], value);
    }
}

static void read_tier(struct fields *f, const struct json_node *party, struct json_out *facts)
{
    const struct json_node *tier = json_member(party, "kyc_tier");
    int64_t number = 0;
    if (tier != NULL &&
        (json_i64(tier, &number) != STATUS_OK || number < 0 || number > KYC_TIER_MAX))
        field_error(f, tier, "out_of_range", "An integer from 0 to %d is expected.", KYC_TIER_MAX);
    else if (tier != NULL)
        json_put_i64(facts, "kyc_tier", number);
}

/* The members that both have; the object stays open. */
static void read_party(struct fields *f, const struct json_node *party, bool by_card,
                       struct json_out *facts)
{
    static const char *const types[] = { "person", "business" };
    field_no_pan_but(f, party, digits_fields, by_card ? 0 : COUNT_OF(digits_fields));
    json_put_text_if(facts, "id", field_text(f, party, "id", 1, 64, false));
    json_put_text_if(facts, "name", field_text(f, party, "name", 1, 140, false));
    json_put_text_if(facts, "type", field_word(f, party, "type", types, COUNT_OF(types), false));
    json_put_text_if(facts, "country", field_country(f, party, "country"));
    read_tier(f, party, facts);
    json_put_text_if(facts, "email", field_text(f, party, "email", 3, 254, false));
    json_put_text_if(facts, "phone", field_text(f, party, "phone", 3, 32, false));
    json_put_text_if(facts, "address", field_text(f, party, "address", 1, 280, false));
    json_put_text_if(facts, "birth_date", field_date(f, party, "birth_date", BIRTH_YEAR_MIN));
    json_put_text_if(facts, "national_id", field_text(f, party, "national_id", 1, 64, false));
    put_account(facts, "account", field_text(f, party, "account", 1, 64, false));
    put_account(facts, "alias", field_text(f, party, "alias", 1, 128, false));
}

void read_payer(struct fields *f, const struct json_node *root, struct writer *details,
                struct json_out *facts)
{
    const struct json_node *payer = field_object(f, root, "payer", false);
    if (payer == NULL)
        return;
    fields_known(f, payer, payer_fields, COUNT_OF(payer_fields));
    json_open_object(facts, "payer");
    read_party(f, payer, details == NULL, facts);
    json_close_object(facts);
    if (details != NULL)
        put_party_details(details, "payer", payer);
}

/* A balance in another currency would be compared with nothing, so it is a mistake. */
static void read_balance(struct fields *f, const struct json_node *payee,
                         const struct currency *currency, struct json_out *facts)
{
    struct money balance = { 0 };
    if (!field_balance(f, payee, "balance", &balance))
        return;
    if (currency != NULL && balance.currency != currency) {
        field_error(f, json_member(json_member(payee, "balance"), "currency"), "contradiction",
                    "The balance must be in the payment's currency, %s.", currency->code);
        return;
    }
    json_open_object(facts, "balance");
    json_put_i64(facts, "value", balance.minor);
    json_put_text(facts, "currency", view_text(balance.currency->code));
    json_close_object(facts);
}

void read_payee(struct fields *f, const struct json_node *root, const struct currency *currency,
                struct writer *details, struct json_out *facts)
{
    const struct json_node *payee = field_object(f, root, "payee", false);
    if (payee == NULL)
        return;
    fields_known(f, payee, payee_fields, COUNT_OF(payee_fields));
    json_open_object(facts, "payee");
    read_party(f, payee, details == NULL, facts);
    json_put_text_if(facts, "mcc", field_code(f, payee, "mcc", 'd', 4, 4, false));
    read_balance(f, payee, currency, facts);
    json_close_object(facts);
    if (details != NULL)
        put_party_details(details, "payee", payee);
}

static void read_device(struct fields *f, const struct json_node *root, struct json_out *facts)
{
    static const char *const known[] = { "id", "registered" };
    const struct json_node *device = field_object(f, root, "device", false);
    bool registered = false;
    if (device == NULL)
        return;
    fields_known(f, device, known, COUNT_OF(known));
    field_no_pan(f, device);
    json_open_object(facts, "device");
    json_put_text_if(facts, "id", field_text(f, device, "id", 1, 128, true));
    if (field_flag(f, device, "registered", &registered))
        json_put_bool(facts, "registered", registered);
    json_close_object(facts);
}

void read_circumstances(struct fields *f, const struct json_node *root, struct json_out *facts)
{
    static const char *const risks[] = { "low", "medium", "high" };
    static const char *const initiators[] = { "payer", "merchant" };
    bool cash = false;
    read_device(f, root, facts);
    json_put_text_if(facts, "risk", field_word(f, root, "risk", risks, COUNT_OF(risks), false));
    json_put_text_if(facts, "initiator",
                     field_word(f, root, "initiator", initiators, COUNT_OF(initiators), false));
    if (field_flag(f, root, "cash", &cash))
        json_put_bool(facts, "cash", cash);
}
