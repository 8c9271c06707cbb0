/* here.c - an attempt of ours, by the name under which the counterpart's record knows it.
 *
 * The names are values that the channel gave for later use (refs); docs/rails/settlement.md says
 * for each record which of them a line carries. What only holds money or asks has no line:
 *
 *     card   sales, captures, refunds: stan/time/terminal. A hold is none; a reversal stands under
 *            what it reverses
 *     qr     sales and refunds by the attempt; of a static code by its reference
 *     bank   sent: EndToEndId; awaited: our reference; a return of ours: TxId; a recall is only a
 *            question, what comes of it stands under the payment's EndToEndId
 *     cbdc   everything that the ledger books, by the attempt
 */
#include "reconcile/reconcile_int.h"

#include "base/map.h"
#include "domain/refs.h"

static bool put(struct writer *w, const char *prefix, struct view value)
{
    if (value.len == 0)
        return false;
    writer_text(w, prefix);
    writer_view(w, value);
    return true;
}

static bool card_name(const struct attempt_row *row, struct writer *w)
{
    if (row->verb != OPERATION_SALE && row->verb != OPERATION_CAPTURE &&
        row->verb != OPERATION_REFUND)
        return false;
    return put(w, "", refs_find(row->refs, "stan")) && put(w, "/", refs_find(row->refs, "time")) &&
           put(w, "/", view_trim(refs_find(row->refs, "terminal")));
}

/* What undoes has a parent. Where it has a line of its own (a wallet's refund) it must be known;
 * what it moved counts under the name of what it undoes. */
static bool remedy_name(enum rail rail, const struct attempt_row *row, struct writer *w)
{
    if (row->verb != OPERATION_REVERSE || (rail != RAIL_QR && rail != RAIL_CBDC))
        return false;
    id_write(w, ID_ATTEMPT, row->id);
    return true;
}

static void put_attempt(struct writer *w, const struct attempt_row *row)
{
    id_write(w, ID_ATTEMPT, row->id);
}

static bool qr_name(const struct attempt_row *row, struct writer *w)
{
    if (row->verb == OPERATION_SALE && view_is(refs_find(row->refs, "kind"), "static"))
        return put(w, "reference ", refs_find(row->refs, "reference"));
    put_attempt(w, row);
    return row->verb == OPERATION_SALE || row->verb == OPERATION_REFUND;
}

static bool cbdc_name(const struct attempt_row *row, struct writer *w)
{
    put_attempt(w, row);
    if (row->verb == OPERATION_CANCEL) /* of a lock that was over before, nothing is booked */
        return refs_find(row->refs, "lock_was").len == 0;
    return row->verb == OPERATION_SALE || row->verb == OPERATION_AUTHORISE ||
           row->verb == OPERATION_CAPTURE || row->verb == OPERATION_REFUND;
}

static bool bank_name(const struct attempt_row *row, struct writer *w, enum here_role *role)
{
    struct view what = refs_find(row->refs, "what"),
                transaction = refs_find(row->refs, "transaction"),
                end_to_end = refs_find(row->refs, "end_to_end");
    if (view_is(what, "receive"))
        return row->verb == OPERATION_SALE &&
               put(w, "reference ", refs_find(row->refs, "reference"));
    if (row->verb == OPERATION_CANCEL || row->verb == OPERATION_REFUND) {
        if (refs_find(row->refs, "of_message").len > 0)
            *role = HERE_RECALL;
        else if (row->verb == OPERATION_CANCEL)
            return false;
        else if (transaction.len > 0)
            return put(w, "TxId ", transaction);
        return put(w, "EndToEndId ", end_to_end);
    }
    return row->verb == OPERATION_SALE && put(w, "EndToEndId ", end_to_end);
}

/* What a line under this attempt's name must be about; nothing: the record does not say, or we do
 * not know. A refund or capture names the message with which its payment began. */
static void put_original(enum rail rail, const struct channel_attempt_row *row, struct writer *w)
{
    const struct attempt_row *a = &row->attempt;
    bool follows = a->verb == OPERATION_CAPTURE || a->verb == OPERATION_REFUND;
    struct view refs = row->original;
    if (rail == RAIL_CBDC) {
        put(w, "", refs_find(a->refs, "lock"));
    } else if (rail == RAIL_QR && a->parent != 0) {
        id_write(w, ID_ATTEMPT, a->parent);
    } else if (rail == RAIL_QR && follows) {
        if (view_is(refs_find(refs, "kind"), "static"))
            put(w, "reference ", refs_find(refs, "reference"));
        else
            put(w, "", refs_find(refs, "order_id"));
    } else if (rail == RAIL_CARD && follows) {
        (void)(put(w, "", refs_find(refs, "stan")) && put(w, "/", refs_find(refs, "time")));
    }
}

/* A set without such rows is of before they were kept: then the verb alone says what is booked. */
static uint32_t must_be(enum rail rail, const struct attempt_row *row)
{
    if (rail == RAIL_CBDC)
        return record_ledger_kind(refs_find(row->refs, "what"));
    return rail == RAIL_QR ? record_wallet_way(refs_find(row->refs, "kind")) : 0;
}

void reconcile_own_wallet(enum rail rail, const struct attempt_row *row, struct view *from,
                          struct view *to)
{
    struct view side = refs_find(row->refs, "own_side"), own = refs_find(row->refs, "own_wallet");
    *from = *to = VIEW_EMPTY;
    if (rail != RAIL_CBDC || !view_starts_with(own, VIEW("w_"))) /* an alias is in no ledger */
        return;
    if (view_is(side, "payee"))
        *to = own;
    else if (view_is(side, "payer"))
        *from = own;
}

uint64_t reconcile_party(const uint64_t key[2], struct view wallet)
{
    return wallet.len > 0 ? siphash(key[0], key[1], wallet) | 1 : 0;
}

bool reconcile_here(enum rail rail, const struct channel_attempt_row *row, struct writer *name,
                    struct here *out)
{
    const struct attempt_row *a = &row->attempt;
    enum here_role role = HERE_MAIN;
    bool told = false;
    if (a->parent != 0) {
        told = remedy_name(rail, a, name);
        role = HERE_REMEDY;
    } else if (rail == RAIL_CARD) {
        told = card_name(a, name);
    } else if (rail == RAIL_QR) {
        told = qr_name(a, name);
    } else if (rail == RAIL_BANK) {
        told = bank_name(a, name, &role);
    } else if (rail == RAIL_CBDC) {
        told = cbdc_name(a, name);
    }
    if (!told || name->overflow)
        return false;
    *out = (struct here){ .attempt = a->id,
                          .payment = a->payment,
                          .merchant = a->merchant,
                          .amount_minor = a->state == ATTEMPT_APPROVED ? row->approved : a->amount,
                          .refunded = row->refunded,
                          .carried = row->carried,
                          .carried_minor = row->carried_minor,
                          .created_us = a->created_us,
                          .updated_us = a->updated_us,
                          .must = must_be(rail, a),
                          .role = (uint8_t)role,
                          .state = (uint8_t)a->state,
                          .verb = (uint8_t)a->verb };
    memcpy(out->currency, a->currency, sizeof out->currency);
    struct writer original = writer_over(out->original, sizeof out->original);
    put_original(rail, row, &original);
    if (writer_terminate(&original) != STATUS_OK)
        out->original[0] = '\0';
    return true;
}
