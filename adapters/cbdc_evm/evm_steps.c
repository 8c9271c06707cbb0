/* SPDX-License-Identifier: Apache-2.0
 *
 * evm_steps.c - what follows an answer. Reading down is following the money.
 *
 *     sale, refund   CHECK -> SENT -> RECEIPT --- all moved -----------> approved
 *                                      |  |  \--- nothing moved -------> declined
 *                                      |  \------ reverted -> REASON --> declined
 *                                      \--------- a part moved --------> the way back
 *     inquiry        CHECK -> POOL -> PENDING -> LATEST -> BISECT... -> SCAN... -> RECEIPT as above
 *     the way back   NONCE -> POOL -> PENDING -> LATEST -> SCAN... --- found -----> RECEIPT
 *                                                            \-- not there -> SENT -> RECEIPT
 *
 * The trap. A policy of the sandbox's that limits what a wallet may hold does not refuse a transfer
 * that is too large: the transaction succeeds and only what fits moves. So the amount is always
 * that of the Transfer events. What came to our own merchant in part is sent back, and the payment
 * is declined if, and only if, the receipt of the way back proves that all of it went. Else the
 * amount that stayed is told, the host sees another one than was asked for, and a person looks.
 *
 * The way back must happen once, over crashes and over inquiries that overlap with a late sale. The
 * lock is the payee's nonce: first the next nonce is read, then it is looked whether the way back
 * is already there, then it is sent with that nonce. Whoever sent another one meanwhile has used
 * that nonce up, and ours is refused: FAIL, and the next inquiry finds the other's.
 *
 * Searching goes the way of a transaction, so that none slips by: first those that wait in the
 * node's pool (with a gap in the nonces before it one may wait for long), then the pending block,
 * then the blocks. A node that does not show its pool is believed without; docs/rails/cbdc-evm.md
 * says what that costs. Blocks carry time stamps that never fall; the first that is not older than
 * the payment (less the clock's slack) is found by halving. From there, and at least the newest 64
 * whatever the clocks say, blocks are read whole up to the newest. NOT_FOUND is said only when all
 * of them were read, and the pending one. When they are too many for one exchange, or the chain is
 * younger than the payment: FAIL, and a person decides in the end.
 */
#include "evm_int.h"

#define VERDICT_DECLINED 1u
#define VERDICT_REJECTED 2u
#define VERDICT_AGAIN    3u
#define REASON_MAX       256u

static const struct reason {
    const char *phrase;
    uint32_t verdict, category;
    const char *code, *sentence;
} reasons[] = {
#define REASON(phrase, verdict, category, code, sentence, source)                                  \
    { phrase, VERDICT_##verdict, RG_CATEGORY_##category, code, sentence },
#include "reasons.def"
#undef REASON
};

/* --- the ends of an exchange ----------------------------------------------------------------- */

uint32_t evm_fail(struct evm_exchange *x, struct rg_out *out, const char *why)
{
    x->stage = STAGE_OVER;
    out->outcome = 0;
    rg_put_text(&out->diagnosis, why);
    return RG_STEP_FAIL;
}

static void put_hash(const struct evm_exchange *x, uint32_t leg, struct rg_buffer *b)
{
    evm_put_data(b, (struct rg_bytes){ x->hash[leg - 1], 32 });
}

static void put_extra_minor(const struct evm_instance *evm, const struct evm_exchange *x,
                            const char *name, const struct evm_word *units, struct rg_out *out)
{
    uint8_t text[24];
    struct rg_buffer b = { text, sizeof text, 0, 0, 0 };
    int64_t minor = 0;
    if (!evm_minor(evm, x, units, 0, &minor))
        return;
    rg_put_i64(&b, minor);
    rg_table_put(&out->extra, name, text, b.len, 0);
}

static uint32_t is_set(const uint8_t hash[32])
{
    uint8_t any = 0;
    for (unsigned i = 0; i < 32; i++)
        any |= hash[i];
    return any != 0;
}

static uint32_t done(struct evm_exchange *x, struct rg_out *out, uint32_t outcome,
                     uint32_t category, const char *code, const char *sentence)
{
    static const char *const names[] = { "transaction", "transaction_back" };
    x->stage = STAGE_OVER;
    out->outcome = outcome;
    out->category = category;
    rg_put_text(&out->rail_code, code);
    rg_put_text(&out->message, sentence);
    for (uint32_t leg = LEG_PAY; leg <= LEG_BACK; leg++) {
        uint8_t text[66];
        struct rg_buffer b = { text, sizeof text, 0, 0, 0 };
        if (!is_set(x->hash[leg - 1]))
            continue;
        put_hash(x, leg, &b);
        if (leg == LEG_PAY)
            rg_put_bytes(&out->reference, (struct rg_bytes){ text, b.len });
        rg_table_put(&out->extra, names[leg - 1], text, b.len, 0);
    }
    if (out->reference.overflow != 0 || out->rail_code.overflow != 0 ||
        out->message.overflow != 0 || out->extra.text.overflow != 0)
        return evm_fail(x, out, "there is no room for what was answered");
    return RG_STEP_DONE;
}

static uint32_t declined(struct evm_exchange *x, struct rg_out *out, const struct reason *reason)
{
    out->amount_minor = 0;
    out->currency_number = x->currency_number;
    return done(x, out, RG_OUTCOME_DECLINED, reason->category, reason->code, reason->sentence);
}

static uint32_t pending(struct evm_exchange *x, struct rg_out *out, const char *sentence)
{
    out->amount_minor = -1;
    return done(x, out, RG_OUTCOME_PENDING, RG_CATEGORY_NONE, "", sentence);
}

/* What the chain says moved. Another amount than was asked for is for the host to see. A rest of a
 * minor unit never rounds to what was asked. */
static uint32_t moved(const struct evm_instance *evm, struct evm_exchange *x, struct rg_out *out,
                      const struct evm_word *units)
{
    uint32_t more = evm_compare(units, &x->asked) > 0;
    uint32_t same = evm_compare(units, &x->asked) == 0;
    if (!evm_minor(evm, x, units, more, &out->amount_minor))
        return evm_fail(x, out, "the amount that moved is larger than an amount can be");
    out->currency_number = x->currency_number;
    return done(x, out, RG_OUTCOME_APPROVED, RG_CATEGORY_NONE, same ? "mined" : "other_amount",
                same ? "The transaction is on the chain."
                     : "Another amount moved than was asked for.");
}

/* --- refusals -------------------------------------------------------------------------------- */

static uint32_t contains(struct rg_bytes text, const char *phrase)
{
    struct rg_bytes p = text_of(phrase);
    for (uint64_t at = 0; at + p.len <= text.len; at++)
        if (text_same(text_slice(text, at, p.len), p))
            return 1;
    return 0;
}

static const struct reason *reason_of(struct rg_bytes text, uint32_t verdict)
{
    for (unsigned i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].verdict == verdict && contains(text, reasons[i].phrase))
            return &reasons[i];
    return NULL;
}

struct refusal {
    uint32_t reverted;
    int64_t code;
    uint64_t len;
    uint8_t text[REASON_MAX];
};

/* The words of an error: those of the contract when they are there, else the node's. */
static uint32_t read_refusal(const struct jl_value *error, struct refusal *out)
{
    struct jl_value code, message;
    *out = (struct refusal){ 0 };
    if (!jl_member(error, "code", &code) || !jl_integer(&code, &out->code) ||
        !jl_member(error, "message", &message) || message.kind != JL_TEXT)
        return 0;
    if (evm_read_reason(jl_plain(error, "data"), out->text, sizeof out->text, &out->len)) {
        out->reverted = 1;
        return 1;
    }
    (void)jl_text(&message, out->text, sizeof out->text, &out->len); /* too long: no row fits */
    out->reverted = out->code == 3 || contains((struct rg_bytes){ out->text, out->len }, "revert");
    return 1;
}

static uint32_t reverted(struct evm_exchange *x, struct rg_out *out, const struct refusal *refusal)
{
    static const struct reason other = { "", VERDICT_DECLINED, RG_CATEGORY_OTHER, "reverted",
                                         "The contract undid the transaction." };
    struct rg_bytes text = { refusal->text, refusal->len };
    const struct reason *reason = reason_of(text, VERDICT_DECLINED);
    return declined(x, out, reason != NULL ? reason : &other);
}

/* --- going on -------------------------------------------------------------------------------- */

static uint32_t send(struct evm_exchange *x, struct rg_out *out, enum evm_stage stage)
{
    out->expects_reply = 1;
    if (out->bytes.overflow != 0 || out->path.overflow != 0 || out->headers.text.overflow != 0 ||
        out->refs.text.overflow != 0)
        return evm_fail(x, out, "there is no room for the request or its references");
    if (++x->steps >= EVM_STEPS_MAX)
        return evm_fail(x, out, "the exchange has too many steps");
    x->stage = stage;
    return RG_STEP_SEND;
}

uint32_t evm_first(const struct evm_instance *evm, struct evm_exchange *x, struct rg_out *out)
{
    evm_ask_check(evm, out);
    if (x->operation != RG_OP_INQUIRE)
        evm_put_refs(x, &out->refs);
    return send(x, out, STAGE_CHECK);
}

static uint32_t ask_send(const struct evm_instance *evm, struct evm_exchange *x, struct rg_out *out)
{
    evm_ask_send(evm, x, out);
    return send(x, out, STAGE_SENT);
}

static uint32_t ask_receipt(const struct evm_instance *evm, struct evm_exchange *x,
                            struct rg_out *out)
{
    evm_ask_receipt(evm, x, out);
    return send(x, out, STAGE_RECEIPT);
}

static uint32_t ask_pool(const struct evm_instance *evm, struct evm_exchange *x, struct rg_out *out)
{
    evm_ask_pool(evm, out);
    return send(x, out, STAGE_POOL);
}

static uint32_t on_check(const struct evm_instance *evm, struct evm_exchange *x,
                         const struct jl_value *root, struct rg_out *out)
{
    uint64_t chain_id = 0, decimals = 0;
    if (!evm_read_check(root, &chain_id, &decimals))
        return evm_fail(x, out, "the node does not say its chain or the token's decimals");
    uint32_t chain_fits = chain_id == evm->chain_id;
    if (chain_fits && decimals == evm->decimals)
        return x->operation == RG_OP_INQUIRE ? ask_pool(evm, x, out) : ask_send(evm, x, out);
    if (x->operation == RG_OP_INQUIRE)
        return evm_fail(x, out, "the node has another chain or another token there");
    out->amount_minor = -1; /* nothing was sent yet */
    return done(x, out, RG_OUTCOME_REJECTED, RG_CATEGORY_REQUEST,
                chain_fits ? "wrong_token" : "wrong_chain",
                chain_fits ? "There is no such token, or with other decimals."
                           : "The node is on another chain.");
}

/* The node did not take the payment. */
static uint32_t not_taken(const struct evm_instance *evm, struct evm_exchange *x,
                          struct rg_out *out, const struct refusal *refusal)
{
    struct rg_bytes text = { refusal->text, refusal->len };
    const struct reason *again = reason_of(text, VERDICT_AGAIN);
    const struct reason *reason = again != NULL ? again : reason_of(text, VERDICT_REJECTED);
    uint32_t unprocessed =
        refusal->code == -32700 || (refusal->code <= -32600 && refusal->code >= -32602);
    if (again != NULL && ++x->sendings < EVM_SENDINGS_MAX)
        return ask_send(evm, x, out);
    out->amount_minor = -1;
    if (reason != NULL)
        return done(x, out, RG_OUTCOME_REJECTED, reason->category, reason->code, reason->sentence);
    return unprocessed ? done(x, out, RG_OUTCOME_REJECTED, RG_CATEGORY_REQUEST, "refused",
                              "The node did not take the transaction.")
                       : evm_fail(x, out, "the node's error does not tell what became of it");
}

/* The node did not take the way back. When its nonce was used, perhaps by another way back: look
 * again from the start. */
static uint32_t back_not_taken(const struct evm_instance *evm, struct evm_exchange *x,
                               struct rg_out *out, const struct refusal *refusal)
{
    struct rg_bytes text = { refusal->text, refusal->len };
    if (refusal->reverted)
        return moved(evm, x, out, &x->moved);
    if (reason_of(text, VERDICT_AGAIN) == NULL || x->steps >= EVM_STEPS_BACK_AGAIN)
        return evm_fail(x, out, "the way back was not taken");
    evm_ask_nonce(evm, x, out);
    return send(x, out, STAGE_NONCE);
}

static uint32_t on_sent(const struct evm_instance *evm, struct evm_exchange *x,
                        const struct jl_value *root, struct rg_out *out)
{
    struct evm_answer answer;
    struct refusal refusal;
    if (root->kind != JL_OBJECT || !evm_answer_of(root, 1, &answer))
        return evm_fail(x, out, "the answer to the transaction is not clear");
    if (answer.error.kind == 0) {
        if (answer.result.kind != JL_TEXT ||
            !evm_read_data(answer.result.raw, x->hash[x->leg - 1], 32))
            return evm_fail(x, out, "the transaction has no name");
        x->polls = 0;
        return ask_receipt(evm, x, out);
    }
    if (!read_refusal(&answer.error, &refusal))
        return evm_fail(x, out, "the node's error is not clear");
    if (x->leg == LEG_BACK)
        return back_not_taken(evm, x, out, &refusal);
    return refusal.reverted ? reverted(x, out, &refusal) : not_taken(evm, x, out, &refusal);
}

/* --- what the receipt says ------------------------------------------------------------------- */

static uint32_t on_moved(const struct evm_instance *evm, struct evm_exchange *x,
                         const struct evm_receipt *receipt, struct rg_out *out)
{
    static const struct reason full = { "", VERDICT_DECLINED, RG_CATEGORY_LIMIT, "holding_limit",
                                        "The receiving wallet may not hold that much." };
    if (receipt->events == 0)
        return evm_fail(x, out, "the transaction succeeded and does not say what moved");
    x->moved = receipt->moved;
    x->block = receipt->block;
    if (evm_is_zero(&x->moved))
        return declined(x, out, &full);
    /* Only what came to ourselves is ours to send back. */
    if (evm_compare(&x->moved, &x->asked) >= 0 || x->what != WHAT_TRANSFER ||
        !evm_same(&x->to, &evm->merchant))
        return moved(evm, x, out, &x->moved);
    x->leg = LEG_BACK;
    evm_ask_nonce(evm, x, out);
    return send(x, out, STAGE_NONCE);
}

static uint32_t on_returned(const struct evm_instance *evm, struct evm_exchange *x,
                            const struct evm_receipt *receipt, struct rg_out *out)
{
    static const struct reason partial = {
        "", VERDICT_DECLINED, RG_CATEGORY_LIMIT, "partial_returned",
        "The receiving wallet may not hold that much; the part that came was sent back."
    };
    struct evm_word stayed = x->moved;
    x->returned = receipt->moved;
    put_extra_minor(evm, x, "moved", &x->moved, out);
    put_extra_minor(evm, x, "returned", &x->returned, out);
    if (!evm_subtract(&stayed, &x->returned))
        return evm_fail(x, out, "more went back than came");
    return evm_is_zero(&stayed) ? declined(x, out, &partial) : moved(evm, x, out, &stayed);
}

static uint32_t on_receipt(const struct evm_instance *evm, struct evm_exchange *x,
                           const struct jl_value *root, struct rg_out *out)
{
    struct evm_receipt receipt;
    if (!evm_read_receipt(evm, x, root, &receipt))
        return evm_fail(x, out, "the receipt is not clear, or not that of our transaction");
    uint32_t polls_max = x->operation == RG_OP_INQUIRE ? EVM_POLLS_FOUND_MAX : EVM_POLLS_MAX;
    if (!receipt.mined)
        return ++x->polls < polls_max ? ask_receipt(evm, x, out)
                                      : pending(x, out, "The transaction is not in a block yet.");
    if (receipt.newest < receipt.block || receipt.newest - receipt.block < evm->confirmations)
        return pending(x, out, "Not enough blocks follow the transaction yet.");
    if (x->leg == LEG_BACK)
        return receipt.succeeded ? on_returned(evm, x, &receipt, out)
                                 : moved(evm, x, out, &x->moved);
    if (receipt.succeeded)
        return on_moved(evm, x, &receipt, out);
    x->block = receipt.block;
    evm_ask_reason(evm, x, out);
    return send(x, out, STAGE_REASON);
}

/* It is reverted whatever comes out now; this only finds the words. */
static uint32_t on_reason(struct evm_exchange *x, const struct jl_value *root, struct rg_out *out)
{
    struct evm_answer answer;
    struct refusal refusal = { 0 };
    if (root->kind != JL_OBJECT || !evm_answer_of(root, 1, &answer))
        return evm_fail(x, out, "the answer to the question for the reason is not clear");
    if (answer.error.kind != 0 && !read_refusal(&answer.error, &refusal))
        return evm_fail(x, out, "the node's error is not clear");
    return reverted(x, out, &refusal);
}

/* --- searching ------------------------------------------------------------------------------- */

static uint32_t not_found(struct evm_exchange *x, struct rg_out *out)
{
    out->amount_minor = -1;
    return done(x, out, RG_OUTCOME_NOT_FOUND, RG_CATEGORY_NONE, "",
                "There is no such transaction on the chain.");
}

static uint32_t found_it(const struct evm_instance *evm, struct evm_exchange *x, uint32_t found,
                         struct rg_out *out)
{
    if (found > 1)
        return evm_fail(x, out, "more than one transaction carries the mark of the attempt");
    x->polls = 0;
    return ask_receipt(evm, x, out);
}

static uint32_t on_nonce(const struct evm_instance *evm, struct evm_exchange *x,
                         const struct jl_value *root, struct rg_out *out)
{
    if (!evm_read_number(root, &x->nonce))
        return evm_fail(x, out, "the payee's nonce is not clear");
    return ask_pool(evm, x, out);
}

static uint32_t on_pool(const struct evm_instance *evm, struct evm_exchange *x,
                        const struct rg_event *event, const struct jl_value *root,
                        struct rg_out *out)
{
    struct evm_answer answer;
    struct refusal refusal;
    if (root->kind != JL_OBJECT || !evm_answer_of(root, 1, &answer))
        return evm_fail(x, out, "the node's pool is not clear");
    if (answer.error.kind != 0 &&
        (!read_refusal(&answer.error, &refusal) || refusal.code != -32601))
        return evm_fail(x, out, "the node's error about its pool is not clear");
    if (answer.error.kind == 0 && answer.result.kind != JL_OBJECT)
        return evm_fail(x, out, "the node's pool is not clear");
    if (evm_has_mark(x, event->bytes))
        return pending(x, out, "The transaction is not in a block yet.");
    evm_ask_block(evm, x, "pending", out);
    return send(x, out, STAGE_PENDING);
}

static uint32_t on_pending(const struct evm_instance *evm, struct evm_exchange *x,
                           const struct rg_event *event, const struct jl_value *root,
                           struct rg_out *out)
{
    struct evm_answer answer;
    uint32_t found = 0;
    if (root->kind != JL_OBJECT || !evm_answer_of(root, 1, &answer) ||
        (answer.result.kind != JL_OBJECT && answer.result.kind != JL_NULL))
        return evm_fail(x, out, "the pending block is not clear");
    if (evm_has_mark(x, event->bytes) && !evm_find(evm, x, &answer.result, &found))
        return evm_fail(x, out, "the pending block's transactions are not clear");
    if (found > 0)
        return pending(x, out, "The transaction is not in a block yet.");
    evm_ask_block(evm, x, "latest", out);
    return send(x, out, STAGE_LATEST);
}

static uint32_t ask_blocks(const struct evm_instance *evm, struct evm_exchange *x,
                           struct rg_out *out)
{
    if (x->steps >= (x->leg == LEG_PAY ? EVM_STEPS_LOOK : EVM_STEPS_LOOK_BACK))
        return evm_fail(x, out, "there are more blocks than one inquiry can look through");
    evm_ask_blocks(evm, x, out);
    return send(x, out, STAGE_SCAN);
}

/* Halves until one request can hold what is between, or it is among the newest anyway. */
static uint32_t bisect(const struct evm_instance *evm, struct evm_exchange *x, struct rg_out *out)
{
    uint64_t least = x->high < EVM_BLOCKS_LEAST ? 0 : x->high - EVM_BLOCKS_LEAST + 1;
    if (x->low >= least || x->top - x->low < evm->blocks_at_once) {
        x->low = x->low < least ? x->low : least;
        return ask_blocks(evm, x, out);
    }
    x->middle = x->low + (x->top - x->low) / 2;
    evm_ask_block(evm, x, NULL, out);
    return send(x, out, STAGE_BISECT);
}

static uint32_t is_before(const struct evm_instance *evm, const struct evm_exchange *x,
                          const struct evm_block *block)
{
    return block->time_s + evm->clock_slack_s < (uint64_t)x->time_s;
}

static uint32_t on_block(const struct evm_instance *evm, struct evm_exchange *x,
                         const struct jl_value *root, struct rg_out *out)
{
    struct evm_answer answer;
    struct evm_block block;
    if (root->kind != JL_OBJECT || !evm_answer_of(root, 1, &answer) ||
        !evm_read_block(&answer.result, &block) || !block.there)
        return evm_fail(x, out, "the block is not clear");
    if (x->stage == STAGE_BISECT) {
        if (block.number != x->middle)
            return evm_fail(x, out, "the block is another than was asked for");
        if (is_before(evm, x, &block))
            x->low = x->middle + 1;
        else
            x->top = x->middle;
        return bisect(evm, x, out);
    }
    x->high = block.number;
    if (x->leg == LEG_BACK) {
        x->low = x->block;
        return x->low <= x->high ? ask_blocks(evm, x, out)
                                 : evm_fail(x, out, "the chain became shorter");
    }
    x->low = is_before(evm, x, &block) ? x->high : 0; /* no block since: only the least */
    x->top = x->high;
    return bisect(evm, x, out);
}

/* What the blocks of one answer told. */
struct look {
    uint32_t seen; /* bits */
    uint32_t found, young;
};

static const char *look_through(const struct evm_instance *evm, struct evm_exchange *x,
                                const struct rg_event *event, const struct jl_value *root,
                                struct look *look)
{
    uint64_t count = evm_blocks_count(evm, x);
    uint32_t marked = evm_has_mark(x, event->bytes);
    struct evm_list list = evm_list_of(root);
    struct jl_value element;
    while (evm_list_next(&list, &element)) {
        struct evm_answer answer;
        struct evm_block block;
        if (!evm_read_answer(&element, &answer) || answer.id < 1 || (uint64_t)answer.id > count ||
            (look->seen >> (answer.id - 1) & 1) != 0)
            return "the blocks are not those that were asked for";
        if (!evm_read_block(&answer.result, &block) || !block.there ||
            block.number != x->low + (uint64_t)answer.id - 1)
            return "a block is not clear";
        if (marked && !evm_find(evm, x, &answer.result, &look->found))
            return "the transactions of a block are not clear";
        look->seen |= 1u << (answer.id - 1);
        uint64_t payment_s = (uint64_t)x->time_s;
        look->young |= block.number == 0 && block.time_s > payment_s + evm->clock_slack_s;
    }
    uint32_t all = count == 32 ? UINT32_MAX : (1u << count) - 1;
    return look->seen == all ? NULL : "not all blocks that were asked for came";
}

static uint32_t on_scan(const struct evm_instance *evm, struct evm_exchange *x,
                        const struct rg_event *event, const struct jl_value *root,
                        struct rg_out *out)
{
    struct look look = { 0 };
    const char *why = look_through(evm, x, event, root, &look);
    if (why != NULL)
        return evm_fail(x, out, why);
    if (look.found > 0)
        return found_it(evm, x, look.found, out);
    x->low += evm_blocks_count(evm, x);
    if (x->leg == LEG_BACK)
        return x->low <= x->high ? ask_blocks(evm, x, out) : ask_send(evm, x, out);
    if (look.young)
        return evm_fail(x, out, "the chain is younger than the payment");
    return x->low > x->high ? not_found(x, out) : ask_blocks(evm, x, out);
}

uint32_t evm_next(const struct evm_instance *evm, struct evm_exchange *x,
                  const struct rg_event *event, struct rg_out *out)
{
    struct jl_value root;
    if (!jl_read(event->bytes, &root))
        return evm_fail(x, out, "the node's answer is not JSON");
    switch (x->stage) {
    case STAGE_CHECK: return on_check(evm, x, &root, out);
    case STAGE_SENT: return on_sent(evm, x, &root, out);
    case STAGE_RECEIPT: return on_receipt(evm, x, &root, out);
    case STAGE_REASON: return on_reason(x, &root, out);
    case STAGE_NONCE: return on_nonce(evm, x, &root, out);
    case STAGE_POOL: return on_pool(evm, x, event, &root, out);
    case STAGE_PENDING: return on_pending(evm, x, event, &root, out);
    case STAGE_LATEST:
    case STAGE_BISECT: return on_block(evm, x, &root, out);
    case STAGE_SCAN: return on_scan(evm, x, event, &root, out);
    default: return evm_fail(x, out, "this event does not belong to this step");
    }
}
