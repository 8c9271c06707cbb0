/* create_facts.c - what the region profile may ask about, out of a request that is right.
 *
 * Most of it is read by payment/facts.h, which reads recorded payments in the same way. Added here
 * is what only a live request has: the merchant, and for cards the account, which is a keyed hash
 * of the number, so that limits can be counted per card and nobody can find the number again.
 *
 * What the tree says is borrowed from the HTTP body, so all of it is copied. Accounts lose their
 * blanks on the way: "DE75 5121 ..." and "DE755121..." must be counted as one.
 */
#include "api/api_int.h"

#include "base/ensure.h"
#include "base/vault.h"
#include "domain/ids.h"
#include "domain/refs.h"
#include "payment/facts.h"

#define PAN_MAX 19

static struct view copy_account(struct arena *arena, struct view account)
{
    uint8_t *room = arena_alloc(arena, account.len);
    size_t len = 0;
    for (size_t i = 0; i < account.len && room != NULL; i++) {
        if (account.ptr[i] != ' ')
            room[len++] = account.ptr[i];
    }
    return view_of(room, len);
}

static void keep(struct arena *arena, struct compliance_facts *facts)
{
    for (enum fact fact = FACT_NONE + 1; fact < FACT_END; fact++) {
        struct fact_value *value = &facts->values[fact];
        if (!value->given || value->text.len == 0)
            continue;
        bool account = fact == FACT_PAYER_ACCOUNT || fact == FACT_PAYEE_ACCOUNT;
        value->text = account ? copy_account(arena, value->text) : arena_copy(arena, value->text);
        value->given = value->text.len > 0;
    }
}

/* The card's number, wherever it came from; empty when the rows have none. */
static struct view pan_of(struct view details)
{
    struct view pan = refs_find(details, "pan");
    if (pan.len > 0)
        return pan;
    struct view track2 = refs_find(details, "track2");
    size_t len = 0;
    while (len < track2.len && track2.ptr[len] >= '0' && track2.ptr[len] <= '9')
        len++;
    return view_slice(track2, 0, len);
}

static enum status put_card_account(struct arena *arena, struct compliance_facts *facts,
                                    struct secret_key *key, struct view pan)
{
    static const char prefix[] = "card-account\n";
    uint8_t bytes[sizeof prefix + PAN_MAX], mac[SECRET_MAC_MAX];
    char text[sizeof "card:" + 2 * sizeof mac];
    size_t len = 0;
    if (pan.len == 0 || pan.len > PAN_MAX)
        return STATUS_OK;
    struct writer b = writer_over(bytes, sizeof bytes);
    writer_text(&b, prefix);
    writer_view(&b, pan);
    enum status status = secret_mac(key, writer_done(&b), mac, &len);
    vault_wipe(bytes, sizeof bytes);
    TRY(status);
    struct writer w = writer_over(text, sizeof text);
    writer_text(&w, "card:");
    writer_hex_lower(&w, view_of(mac, len));
    ENSURE(!w.overflow);
    facts_text(facts, FACT_PAYER_ACCOUNT, arena_copy(arena, writer_done(&w)));
    return STATUS_OK;
}

enum status facts_of_request(struct payment_request *r, const struct json_node *root,
                             struct secret_key *key, int64_t wall_us)
{
    char merchant[ID_TEXT_MAX];
    struct compliance_facts *facts = ARENA_NEW(&r->arena, struct compliance_facts);
    if (facts == NULL)
        return STATUS_NO_MEMORY;
    facts_start(facts, r->rail, r->kind, r->amount, wall_us);
    facts_read(root, facts);
    facts_text(facts, FACT_MERCHANT, view_text(id_format(ID_MERCHANT, r->merchant, merchant)));
    keep(&r->arena, facts);
    if (r->rail == RAIL_CARD)
        TRY(put_card_account(&r->arena, facts, key, pan_of(r->details)));
    r->facts = facts;
    return r->arena.overflow ? STATUS_NO_MEMORY : STATUS_OK;
}
