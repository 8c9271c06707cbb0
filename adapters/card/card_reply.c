/* SPDX-License-Identifier: Apache-2.0
 *
 * card_reply.c - from an answer to an outcome.
 *
 * card_check_reply() holds the answer against the request: it must be the answer to that message
 * and not to one that had the same trace number a day ago. card_finish() runs only when the answer
 * may be believed (the MAC was right, or the channel has no MAC key).
 *
 * Amount and currency are reported as the card host sees them; the gateway compares. For cancel
 * and reverse DE4 is the original's amount and not the command's, so a difference between the DE4s
 * is carried over to the command's amount: no difference reads as agreement, any difference as one.
 */
#include "card_int.h"
#include "kits/hex.h"
#include "kits/tlv.h"

#include <string.h>

#define WRAPPED_LEN 16u
#define KCV_LEN     3u

static uint32_t equals(struct rg_bytes value, const char *text)
{
    return value.len == strlen(text) && memcmp(value.ptr, text, value.len) == 0;
}

const char *card_check_reply(const struct card_instance *card, struct card_exchange *x)
{
    const struct iso_message *m = &x->iso;
    if (strcmp(m->mti, x->shape->mti_answer) != 0)
        return "the answer has the wrong message type";
    if (!equals(iso_get(m, 11), x->self.stan))
        return "the answer has another trace number (DE11)";
    if (!equals(iso_get(m, 41), x->self.terminal))
        return "the answer has another terminal (DE41)";
    if (iso_get(m, 7).ptr != NULL && !equals(iso_get(m, 7), x->self.time))
        return "the answer has another transmission time (DE7)";
    if (iso_get(m, 39).len != 2)
        return "the answer has no response code (DE39)";
    if (x->shape->family == FAMILY_LINK)
        return NULL;
    if (iso_get(m, 3).ptr != NULL && !equals(iso_get(m, 3), x->self.processing_code))
        return "the answer has another processing code (DE3)";
    if (iso_get(m, 42).ptr != NULL && !equals(iso_get(m, 42), card->merchant))
        return "the answer has another merchant (DE42)";
    return NULL;
}

static uint32_t done(struct card_exchange *x, struct rg_out *out, uint32_t outcome)
{
    if ((out->refs.text.overflow | out->extra.text.overflow | out->grants.text.overflow |
         out->reference.overflow | out->rail_code.overflow | out->message.overflow) != 0)
        return card_fail(x, out, "there is no room for the outcome");
    x->stage = STAGE_OVER;
    out->outcome = outcome;
    return RG_STEP_DONE;
}

/* Letters of the approval code and references are the host's; write them as they came. */
static void put_named(struct rg_table *table, const char *name, struct rg_bytes value)
{
    if (value.ptr != NULL && value.len > 0)
        rg_table_put(table, name, value.ptr, value.len, 0);
}

static void report_amount(const struct card_exchange *x, struct rg_out *out)
{
    uint64_t seen = 0;
    uint64_t currency = 0;
    out->amount_minor = -1;
    out->currency_number = 0;
    if (iso_get_number(&x->iso, 49, &currency) != 0)
        out->currency_number = (uint32_t)currency;
    if (iso_get_number(&x->iso, 4, &seen) == 0)
        return;
    int64_t sent = 0;
    for (unsigned i = 0; i < 12; i++)
        sent = sent * 10 + (x->self.amount[i] - '0');
    if (x->shape->family != FAMILY_REVERSAL) {
        out->amount_minor = (int64_t)seen;
        return;
    }
    /* Never below zero, where -1 would read as "does not say". */
    int64_t carried = x->amount_minor + ((int64_t)seen - sent);
    out->amount_minor = carried >= 0 ? carried : (int64_t)seen + sent;
}

/* DE4 of the answer compared with DE4 of the request: -1, 0, 1; 2 when the answer has none. */
static int compare_amount(const struct card_exchange *x)
{
    struct rg_bytes seen = iso_get(&x->iso, 4);
    if (seen.len != 12)
        return 2;
    int order = memcmp(seen.ptr, x->self.amount, 12);
    return order < 0 ? -1 : order > 0;
}

/* What an issuer sends to a card (EMV 4.3 book 3, annex A): scripts, their commands, authorisation
 * code, response code, authentication data. */
static uint32_t is_for_the_card(uint32_t tag)
{
    return tag == 0x71 || tag == 0x72 || tag == 0x86 || tag == 0x89 || tag == 0x8A || tag == 0x91;
}

/* Hosts exist that send back all they got, card number (5A) and track 2 (57) included. What becomes
 * `emv_response` is stored and shown, so only what is meant for the card goes into it. */
static uint32_t take_emv(struct card_exchange *x, struct rg_out *out)
{
    struct rg_bytes emv = iso_get(&x->iso, 55);
    uint8_t kept_bytes[CARD_EMV_MAX], text[2 * CARD_EMV_MAX];
    struct rg_buffer kept = { .ptr = kept_bytes, .room = sizeof kept_bytes };
    struct tlv_object object;
    if (emv.len == 0)
        return 1;
    if (emv.len > CARD_EMV_MAX || tlv_check(emv.ptr, emv.len, 3) != TLV_OK)
        return 0;
    for (struct tlv_reader in = tlv_reader(emv.ptr, emv.len); tlv_next(&in, &object) == TLV_OK;)
        if (is_for_the_card(object.tag))
            tlv_put(&kept, object.tag, object.value, object.len);
    hex_write(kept.ptr, kept.len, text);
    if (kept.len > 0)
        rg_table_put(&out->extra, "emv_response", text, 2 * kept.len, 0);
    return 1;
}

/* DE48 of a key change: "K", 32 hex characters, 6 hex characters. */
static uint32_t take_key(struct card_exchange *x, struct rg_out *out)
{
    struct rg_bytes text = iso_get(&x->iso, 48);
    uint8_t wrapped[WRAPPED_LEN];
    uint8_t kcv[KCV_LEN];
    if (text.len != 1 + 2 * (WRAPPED_LEN + KCV_LEN) || text.ptr[0] != 'K' ||
        !hex_read(text.ptr + 1, 2 * WRAPPED_LEN, wrapped, sizeof wrapped) ||
        !hex_read(text.ptr + 1 + 2 * WRAPPED_LEN, 2 * KCV_LEN, kcv, sizeof kcv))
        return 0;
    rg_table_put_wrapped_key(&out->grants, "mac_key", "zone_key", wrapped, sizeof wrapped, kcv,
                             sizeof kcv);
    return 1;
}

static uint32_t finish_link(struct card_exchange *x, struct rg_out *out,
                            const struct card_code *code)
{
    rg_put_text(&out->message, code->message);
    out->amount_minor = -1;
    if (!equals(iso_get(&x->iso, 39), "00")) {
        out->category = code->category != RG_CATEGORY_NONE ? code->category : RG_CATEGORY_OTHER;
        return done(x, out, RG_OUTCOME_DECLINED);
    }
    if (x->shape->operation == RG_OP_KEY_CHANGE && !take_key(x, out))
        return card_fail(x, out, "the answer to the key change has no readable key (DE48)");
    return done(x, out, RG_OUTCOME_APPROVED);
}

static uint32_t verdict_of(const struct card_exchange *x, const struct card_code *code)
{
    uint32_t verdict = x->shape->family == FAMILY_REQUEST   ? code->request
                       : x->shape->family == FAMILY_CAPTURE ? code->capture
                                                            : code->reversal;
    if (verdict == VERDICT_BOOKED_IF_REPEAT)
        verdict = x->repeat > 0 ? VERDICT_APPROVED : VERDICT_OPEN;
    /* The ABI knows "not found" only as an answer to inquire and reverse. A cancel of something
     * that the other side does not have is a cancel that it refuses. */
    if (verdict == VERDICT_NOT_FOUND && x->shape->operation != RG_OP_REVERSE)
        verdict = VERDICT_DECLINED;
    return verdict;
}

static uint32_t approve(struct card_exchange *x, struct rg_out *out)
{
    out->category = RG_CATEGORY_NONE;
    if (!take_emv(x, out))
        return card_fail(x, out, "the EMV data of the answer (DE55) are not BER-TLV");
    put_named(&out->extra, "approval_code", iso_get(&x->iso, 38));
    if (x->self.approval_code[0] == '\0')
        put_named(&out->refs, "approval_code", iso_get(&x->iso, 38));
    put_named(&out->refs, "host_rrn", iso_get(&x->iso, 37));
    if (compare_amount(x) < 0 && x->shape->family == FAMILY_REQUEST)
        put_named(&out->refs, "approved_amount", iso_get(&x->iso, 4));
    return done(x, out, RG_OUTCOME_APPROVED);
}

uint32_t card_finish(struct card_exchange *x, struct rg_out *out)
{
    struct rg_bytes de39 = iso_get(&x->iso, 39);
    const struct card_code *code = card_code_of(de39);
    rg_put_bytes(&out->rail_code, de39);
    if (x->shape->family == FAMILY_LINK)
        return finish_link(x, out, code);

    report_amount(x, out);
    struct rg_bytes reference = iso_get(&x->iso, 37);
    if (reference.ptr != NULL)
        rg_put_bytes(&out->reference, reference);
    else
        rg_put_text(&out->reference, x->self.rrn);
    out->category = code->category;
    rg_put_text(&out->message, code->message);

    switch (verdict_of(x, code)) {
    case VERDICT_APPROVED:
        /* Less than asked is a partial approval only when the code says so. Otherwise somebody is
         * wrong about the money, and it must not look like a partial approval to the gateway. */
        if (x->shape->family == FAMILY_REQUEST && compare_amount(x) < 0)
            return card_fail(x, out, "the answer approves less than asked without saying so");
        return approve(x, out);
    case VERDICT_PARTIAL:
        if (x->shape->operation == RG_OP_REFUND || compare_amount(x) >= 0 || out->amount_minor < 1)
            return card_fail(x, out, "the answer approves a part but its amount is not one");
        return approve(x, out);
    case VERDICT_DECLINED:
        /* A chip wants the issuer's data also when the issuer refuses; without them it is still
         * refused. */
        (void)take_emv(x, out);
        return done(x, out, RG_OUTCOME_DECLINED);
    case VERDICT_REJECTED: return done(x, out, RG_OUTCOME_REJECTED);
    case VERDICT_NOT_FOUND: return done(x, out, RG_OUTCOME_NOT_FOUND);
    default: return card_fail(x, out, "the response code of the answer leaves the outcome open");
    }
}
