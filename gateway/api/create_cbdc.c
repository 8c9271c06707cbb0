/* create_cbdc.c - method.cbdc: digital central-bank money between wallets.
 *
 * Who is not named is the channel's own wallet. Whether a wallet exists and what it may hold is
 * said by the other side.
 */
#include "api/api_int.h"

#include "base/ensure.h"

#define EXPIRES_S_MIN 10
#define EXPIRES_S_MAX (366 * 86400)

static const char *const cbdc_fields[] = { "action", "payer", "payee", "lock_purpose",
                                           "expires_in" };
static const char *const wallet_fields[] = { "wallet", "alias" };

static void read_wallet(struct fields *f, const struct json_node *cbdc, const char *role,
                        struct writer *details, struct json_out *facts)
{
    const struct json_node *node = field_object(f, cbdc, role, false);
    if (node == NULL)
        return;
    fields_known(f, node, wallet_fields, COUNT_OF(wallet_fields));
    struct view wallet = field_text(f, node, "wallet", 1, 128, false);
    struct view alias = field_text(f, node, "alias", 1, 128, false);
    if (json_member(node, "wallet") != NULL && json_member(node, "alias") != NULL)
        field_error(f, json_member(node, "alias"), "contradiction",
                    "Either wallet or alias is expected, not both.");
    else if (json_member(node, "wallet") == NULL && json_member(node, "alias") == NULL)
        field_missing(f, node, "wallet", "Either wallet or alias");
    if (looks_like_pan(wallet))
        field_error(f, json_member(node, "wallet"), "card_number",
                    "This looks like a card number; it would be stored in the clear.");
    put_detail(details, role, "wallet", wallet);
    put_detail(details, role, "alias", alias);
    json_open_object(facts, role);
    json_put_text_if(facts, "wallet", wallet);
    put_account(facts, "alias", alias);
    json_close_object(facts);
}

/* Issued money has no payer and redeemed money no payee: that is the central bank. */
static void check_action(struct fields *f, const struct json_node *cbdc, struct view action)
{
    const struct json_node *payer = json_member(cbdc, "payer");
    const struct json_node *payee = json_member(cbdc, "payee");
    if (view_is(action, "issue") && payer != NULL)
        field_error(f, payer, "contradiction", "Money that is issued has no payer.");
    if (view_is(action, "redeem") && payee != NULL)
        field_error(f, payee, "contradiction", "Money that is redeemed has no payee.");
    if (view_is(action, "transfer") && payer == NULL && payee == NULL)
        field_missing(f, cbdc, "payee", "With action transfer payer or payee or both");
}

void read_cbdc(struct fields *f, const struct json_node *cbdc, struct writer *details,
               struct json_out *facts)
{
    static const char *const actions[] = { "transfer", "issue", "redeem" };
    fields_known(f, cbdc, cbdc_fields, COUNT_OF(cbdc_fields));
    struct view action = field_word(f, cbdc, "action", actions, COUNT_OF(actions), false);
    if (json_member(cbdc, "action") == NULL)
        action = VIEW("transfer");
    struct view purpose = field_text(f, cbdc, "lock_purpose", 1, 64, false);
    int64_t expires_s = field_number(f, cbdc, "expires_in", EXPIRES_S_MIN, EXPIRES_S_MAX);
    field_no_pan(f, json_member(cbdc, "lock_purpose"));
    check_action(f, cbdc, action);
    put_detail(details, "", "action", action);
    json_put_text_if(facts, "action", action);
    read_wallet(f, cbdc, "payer", details, facts);
    read_wallet(f, cbdc, "payee", details, facts);
    put_detail(details, "", "lock_purpose", purpose);
    json_put_text_if(facts, "lock_purpose", purpose);
    if (expires_s < 0)
        return;
    char text[24];
    struct writer w = writer_over(text, sizeof text);
    writer_i64_text(&w, expires_s);
    put_detail(details, "", "expires_in", writer_done(&w));
    json_put_i64(facts, "expires_in", expires_s);
}
