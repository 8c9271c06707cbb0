/* wallet_read.c - the bodies of requests: a row for each member, nothing else is let in. */
#include "wallet_int.h"

#include "base/ensure.h"
#include "base/map.h"

#define BIT(what) (1u << (what))
#define ALL       (BIT(ASKED_ORDER) | BIT(ASKED_PAYMENT) | BIT(ASKED_REFUND))

enum member { ORDER_ID, REFUND_ID, REFERENCE, CODE, NOTICE_URL, AMOUNT, CURRENCY_CODE, MEMBERS };
static const struct {
    const char *name;
    unsigned in;
    size_t max;
} ROWS[MEMBERS] = {
    [ORDER_ID] = { "order_id", ALL, WALLET_ID_MAX },
    [REFUND_ID] = { "refund_id", BIT(ASKED_REFUND), WALLET_ID_MAX },
    [REFERENCE] = { "reference", BIT(ASKED_ORDER), CODE_REFERENCE_MAX },
    [CODE] = { "code", BIT(ASKED_ORDER) | BIT(ASKED_PAYMENT), CODE_TEXT_MAX },
    [NOTICE_URL] = { "notice_url", ALL, WALLET_URL_MAX },
    [AMOUNT] = { "amount", ALL, 20 },
    [CURRENCY_CODE] = { "currency", ALL, 3 },
};

static bool known(const struct json_node *member, unsigned what)
{
    if (view_is(member->key, "expires_at"))
        return what == ASKED_ORDER;
    for (size_t i = 0; i < MEMBERS; i++)
        if (view_is(member->key, ROWS[i].name))
            return (ROWS[i].in & BIT(what)) != 0;
    return false;
}

static const char *bad(const char **sentence, const char *word, const char *text)
{
    *sentence = text;
    return word;
}

static const char *read_members(const struct json_node *root, unsigned what,
                                struct view values[static MEMBERS], const char **sentence)
{
    for (JSON_EACH(member, root))
        if (!known(member, what))
            return bad(sentence, "unknown_field", "the body has a member that is not known here");
    for (size_t i = 0; i < MEMBERS; i++) {
        const struct json_node *node = json_member(root, ROWS[i].name);
        if ((ROWS[i].in & BIT(what)) == 0 || (i == NOTICE_URL && node == NULL))
            continue; /* without a notice_url nothing is told */
        if (json_text(node, &values[i]) != STATUS_OK || values[i].len > ROWS[i].max ||
            node->has_nul || (values[i].len == 0 && i != NOTICE_URL))
            return bad(sentence, "bad_request", "a member is missing, no text, empty or too long");
    }
    return NULL;
}

/* Ids go into paths and books as they are. */
static bool is_plain(struct view id)
{
    for (size_t i = 0; i < id.len; i++)
        if (id.ptr[i] <= ' ' || id.ptr[i] >= 0x7f || memchr("\"\\/?#%", id.ptr[i], 6) != NULL)
            return false;
    return true;
}

const char *asked_read(struct view body, unsigned what, struct arena *arena, struct asked *out,
                       const char **sentence)
{
    const struct json_node *root = NULL;
    struct view values[MEMBERS] = { 0 };
    *out = (struct asked){ .expires_at_s = INT64_MAX };
    if (json_read(body, NULL, arena, &root, NULL) != STATUS_OK || root->kind != JSON_OBJECT)
        return bad(sentence, "bad_request", "the body is not a JSON object");
    const char *word = read_members(root, what, values, sentence);
    if (word != NULL)
        return word;
    if (!is_plain(values[ORDER_ID]) || !is_plain(values[REFUND_ID]))
        return bad(sentence, "bad_request", "ids are plain ASCII without / ? # % and quotes");
    const struct json_node *expires = json_member(root, "expires_at");
    if (expires != NULL && (json_i64(expires, &out->expires_at_s) != STATUS_OK ||
                            out->expires_at_s < 0 || out->expires_at_s > INT32_MAX * 16LL))
        return bad(sentence, "bad_request", "expires_at must be seconds since 1970");
    out->currency = currency_named(values[CURRENCY_CODE]);
    if (out->currency == NULL)
        return bad(sentence, "currency", "this currency is not dealt in");
    if (amount_read(values[AMOUNT], out->currency, &out->amount_minor) != STATUS_OK)
        return bad(sentence, "amount",
                   "the amount must be over zero with exactly the currency's digits");
    out->order_id = values[ORDER_ID];
    out->refund_id = values[REFUND_ID];
    out->reference = values[REFERENCE];
    out->code = values[CODE];
    out->notice_url = values[NOTICE_URL];
    uint64_t print = siphash(what, (uint64_t)out->expires_at_s, VIEW_EMPTY);
    for (size_t i = 0; i < MEMBERS; i++)
        print = siphash(print, i, values[i]);
    out->fingerprint = print;
    return NULL;
}
