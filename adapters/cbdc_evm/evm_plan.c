/* SPDX-License-Identifier: Apache-2.0
 *
 * evm_plan.c - from a command to a plan: which account sends which call, and what must be stored
 * before the first byte leaves so that an inquiry can find the transaction.
 *
 *     what      sender  call                event Transfer
 *     transfer  payer   transfer(payee, n)  payer -> payee
 *     issue     minter  mint(payee, n)      nobody -> payee
 *     redeem    burner  burn(payer, n)      payer -> nobody
 *     way back  payee   transfer(payer, n)  payee -> payer
 *
 * Behind the arguments of each call stands the mark, readable text: "railgate:pay:" or
 * "railgate:back:" and the attempt's id. Contracts written in Solidity do not look at it, blocks
 * keep it. So what an attempt did can be found without having heard the answer to it.
 */
#include "evm_int.h"

static const char *const NAMES[WHAT_COUNT] = { "", "transfer", "issue", "redeem" };

static uint32_t what_of(struct rg_bytes name)
{
    uint32_t what = WHAT_TRANSFER;
    while (what < WHAT_COUNT && !text_is(name, NAMES[what]))
        what++;
    return what < WHAT_COUNT ? what : 0;
}

static struct rg_bytes detail(const struct rg_command *command, const char *name)
{
    return rg_named_view(command->details, command->details_count, name);
}

/* The value of the last row of that name: what was said later counts. */
static struct rg_bytes ref(const struct rg_command *command, const char *name)
{
    for (uint64_t i = command->refs_count; i > 0; i--)
        if (text_is(command->refs[i - 1].name, name))
            return command->refs[i - 1].value;
    return (struct rg_bytes){ NULL, 0 };
}

/* --- parties --------------------------------------------------------------------------------- */

/* The account named, else `fallback`; 0: what is named is none. */
static uint32_t take_party(struct rg_bytes named, const struct evm_address *fallback,
                           struct evm_address *out)
{
    *out = *fallback;
    return named.len == 0 || (evm_read_address(named, out) && !evm_is_nobody(out));
}

static const char *plan_sale(const struct evm_instance *evm, struct evm_exchange *x,
                             const struct rg_command *command)
{
    static const struct evm_address nobody;
    struct rg_bytes action = detail(command, "action"), kind = detail(command, "kind");
    x->what = action.len == 0 ? (uint32_t)WHAT_TRANSFER : what_of(action);
    uint32_t outward = text_is(kind, "payout") || text_is(kind, "transfer");
    if (x->what == 0)
        return "action is neither transfer, issue nor redeem";
    if (detail(command, "payer_alias").len > 0 || detail(command, "payee_alias").len > 0)
        return "the contracts know no aliases, only wallets";
    if (detail(command, "lock_purpose").len > 0)
        return "the contracts know no purposes";
    if (!take_party(detail(command, "payer_wallet"),
                    outward || x->what == WHAT_REDEEM ? &evm->merchant : &nobody, &x->from))
        return "payer_wallet is not an account: 0x and 40 hexadecimal digits";
    if (!take_party(detail(command, "payee_wallet"),
                    !outward || x->what == WHAT_ISSUE ? &evm->merchant : &nobody, &x->to))
        return "payee_wallet is not an account: 0x and 40 hexadecimal digits";
    if (x->what == WHAT_ISSUE)
        x->from = nobody;
    if (x->what == WHAT_REDEEM)
        x->to = nobody;
    return NULL;
}

static const char *plan_parties_of_refs(struct evm_exchange *x, const struct rg_command *command)
{
    static const struct evm_address nobody;
    x->what = what_of(ref(command, "what"));
    if (x->what == 0)
        return "the refs do not say what was done";
    if (!take_party(ref(command, "payer"), &nobody, &x->from) ||
        !take_party(ref(command, "payee"), &nobody, &x->to))
        return "the refs' accounts are none";
    return NULL;
}

static const char *plan_refund(struct evm_exchange *x, const struct rg_command *command)
{
    const char *why = plan_parties_of_refs(x, command);
    struct evm_address payer = x->from;
    x->from = x->to;
    x->to = payer;
    if (x->what == WHAT_ISSUE)
        x->what = WHAT_REDEEM;
    else if (x->what == WHAT_REDEEM)
        x->what = WHAT_ISSUE;
    return why;
}

static const char *check_parties(const struct evm_instance *evm, struct evm_exchange *x)
{
    if (evm_is_nobody(&x->from) != (x->what == WHAT_ISSUE))
        return x->what == WHAT_ISSUE ? "money that is issued has no payer"
                                     : "payer_wallet is missing";
    if (evm_is_nobody(&x->to) != (x->what == WHAT_REDEEM))
        return x->what == WHAT_REDEEM ? "money that is redeemed has no payee"
                                      : "payee_wallet is missing";
    if (evm_same(&x->from, &x->to))
        return "payer and payee are the same account";
    x->sender = x->what == WHAT_ISSUE    ? evm->minter
                : x->what == WHAT_REDEEM ? evm->burner
                                         : x->from;
    if (evm_is_nobody(&x->sender))
        return x->what == WHAT_ISSUE ? "the channel has no minter: nothing can be issued"
                                     : "the channel has no burner: nothing can be redeemed";
    return NULL;
}

/* --- the attempt and its money --------------------------------------------------------------- */

static const char *take_attempt(struct evm_exchange *x, struct rg_bytes id)
{
    if (id.len < 1 || id.len > EVM_ATTEMPT_MAX)
        return "the attempt's id is not 1 to 64 bytes long";
    for (uint64_t i = 0; i < id.len; i++) {
        if (id.ptr[i] <= 0x20 || id.ptr[i] >= 0x7F)
            return "the attempt's id has other than visible characters";
        x->attempt[i] = id.ptr[i];
    }
    x->attempt_len = id.len;
    return NULL;
}

/* Minor units to units of the token: exact or not at all. */
static const char *take_money(const struct evm_instance *evm, struct evm_exchange *x,
                              const struct rg_command *command)
{
    for (unsigned i = 0; i < 3; i++)
        if ((uint8_t)command->currency_code[i] != evm->currency[i])
            return "the token stands for another currency";
    if (command->currency_exponent > 4)
        return "the currency's exponent is over 4";
    if (x->minor < 1 || x->minor > EVM_AMOUNT_MAX)
        return "the amount is not from 1 to 999999999999999";
    x->currency_number = command->currency_number;
    x->exponent = command->currency_exponent;
    x->asked = evm_word_of((uint64_t)x->minor);
    if (evm->decimals >= x->exponent)
        return evm_scale_up(&x->asked, evm->decimals - x->exponent)
                   ? NULL
                   : "the amount is larger than a token can be";
    return evm_scale_down(&x->asked, x->exponent - evm->decimals)
               ? NULL
               : "the token has no units that are small enough for the amount";
}

uint32_t evm_minor(const struct evm_instance *evm, const struct evm_exchange *x,
                   const struct evm_word *units, uint32_t up, int64_t *minor)
{
    struct evm_word word = *units, one = evm_word_of(1);
    if (evm->decimals <= x->exponent)
        return evm_scale_up(&word, x->exponent - evm->decimals) && evm_word_i64(&word, minor);
    if (!evm_scale_down(&word, evm->decimals - x->exponent) && up != 0 && !evm_add(&word, &one))
        return 0;
    return evm_word_i64(&word, minor);
}

static const char *plan_inquiry(const struct evm_instance *evm, struct evm_exchange *x,
                                const struct rg_command *command)
{
    uint64_t minor = 0, time_s = 0;
    const char *why = plan_parties_of_refs(x, command);
    if (why == NULL)
        why = take_attempt(x, ref(command, "attempt"));
    if (why == NULL && (!text_number(ref(command, "minor"), (uint64_t)EVM_AMOUNT_MAX, &minor) ||
                        !text_number(ref(command, "time"), INT64_MAX / 2, &time_s)))
        why = "the refs do not say amount and time";
    x->minor = (int64_t)minor;
    x->time_s = (int64_t)time_s;
    return why != NULL ? why : take_money(evm, x, command);
}

const char *evm_plan(const struct evm_instance *evm, struct evm_exchange *x,
                     const struct rg_command *command)
{
    const char *why = NULL;
    x->operation = command->operation;
    x->leg = LEG_PAY;
    if (command->time_unix_us < 0)
        return "the time is before 1970";
    if (command->operation == RG_OP_SALE)
        why = plan_sale(evm, x, command);
    else if (command->operation == RG_OP_REFUND)
        why = plan_refund(x, command);
    else if (command->operation == RG_OP_INQUIRE)
        why = plan_inquiry(evm, x, command);
    else
        return "the contracts have nothing for this operation";
    if (why == NULL && command->operation != RG_OP_INQUIRE) {
        x->minor = command->amount_minor;
        x->time_s = command->time_unix_us / 1000000;
        why = command->repeat > 0 ? "a second transaction would be a second payment"
                                  : take_attempt(x, command->attempt_id);
        if (why == NULL)
            why = take_money(evm, x, command);
    }
    return why != NULL ? why : check_parties(evm, x);
}

static void put_number_ref(struct rg_table *refs, const char *name, int64_t value)
{
    uint8_t text[24];
    struct rg_buffer b = { text, sizeof text, 0, 0, 0 };
    rg_put_i64(&b, value);
    rg_table_put(refs, name, text, b.len, 0);
}

static void put_account_ref(struct rg_table *refs, const char *name, const struct evm_address *who)
{
    uint8_t text[42];
    struct rg_buffer b = { text, sizeof text, 0, 0, 0 };
    evm_put_address(&b, who);
    if (!evm_is_nobody(who))
        rg_table_put(refs, name, text, b.len, RG_NAMED_SENSITIVE);
}

void evm_put_refs(const struct evm_exchange *x, struct rg_table *refs)
{
    rg_table_put(refs, "attempt", x->attempt, x->attempt_len, 0);
    rg_table_put_text(refs, "what", NAMES[x->what]);
    put_account_ref(refs, "payer", &x->from);
    put_account_ref(refs, "payee", &x->to);
    put_number_ref(refs, "minor", x->minor);
    put_number_ref(refs, "time", x->time_s);
}

/* --- calls ----------------------------------------------------------------------------------- */

const struct evm_address *evm_sender(const struct evm_exchange *x, uint32_t leg)
{
    return leg == LEG_BACK ? &x->to : &x->sender;
}

void evm_put_mark(const struct evm_exchange *x, uint32_t leg, struct rg_buffer *b)
{
    rg_put_hex(b, text_of(leg == LEG_BACK ? "railgate:back:" : "railgate:pay:"));
    rg_put_hex(b, (struct rg_bytes){ x->attempt, x->attempt_len });
}

void evm_put_calldata(const struct evm_exchange *x, uint32_t leg, struct rg_buffer *b)
{
    if (leg == LEG_BACK)
        evm_put_call(b, EVM_SELECTOR_TRANSFER, &x->from, &x->moved);
    else if (x->what == WHAT_ISSUE)
        evm_put_call(b, EVM_SELECTOR_MINT, &x->to, &x->asked);
    else if (x->what == WHAT_REDEEM)
        evm_put_call(b, EVM_SELECTOR_BURN, &x->from, &x->asked);
    else
        evm_put_call(b, EVM_SELECTOR_TRANSFER, &x->to, &x->asked);
    evm_put_mark(x, leg, b);
}
