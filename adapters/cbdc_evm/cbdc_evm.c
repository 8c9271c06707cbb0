/* SPDX-License-Identifier: Apache-2.0
 *
 * cbdc_evm.c - the adapter for digital central-bank money that is an ERC-20 token with policies, as
 * in Norges Bank's published sandbox, spoken to over plain JSON-RPC with a node that signs for the
 * accounts ("unlocked"). That is how sandboxes are run and nothing for real money: whoever reaches
 * the node can send from every wallet. docs/rails/cbdc-evm.md tells what goes over the wire.
 *
 *     sale     transfer(payee, amount) from the payer; with action issue mint, redeem burn
 *     refund   the other way: transfer from payee to payer; burn, mint
 *     inquire  finds the transaction on the chain by the mark that stands behind its calldata
 *
 * There is no authorise: the contracts have no lock. Nothing is repeated, since a second
 * transaction would be a second payment; everything can be inquired.
 *
 * This file has the tables, the settings and the border; evm_steps.c is where the money moves.
 */
#include "evm_int.h"

#include <string.h>

/* --- tables ---------------------------------------------------------------------------------- */
/* clang-format off */
#define SETTING(row, ...) [row] = { .size = sizeof(struct rg_setting), __VA_ARGS__ }

static const struct rg_setting settings[SET_COUNT] = {
    SETTING(SET_CONTRACT, .name = "contract", .type = RG_SETTING_TEXT, .required = 1, .min = 42,
            .max = 42, .sentence = "Address of the token's contract (0x and 40 digits)."),
    SETTING(SET_CHAIN_ID, .name = "chain_id", .type = RG_SETTING_NUMBER, .required = 1, .min = 1,
            .max = EVM_CHAIN_MAX,
            .sentence = "Number of the chain; a node of another chain is not used."),
    SETTING(SET_CURRENCY, .name = "currency", .type = RG_SETTING_TEXT, .required = 1, .min = 3,
            .max = 3, .sentence = "ISO 4217 code of the currency that the token stands for."),
    SETTING(SET_DECIMALS, .name = "decimals", .type = RG_SETTING_NUMBER, .required = 1, .min = 0,
            .max = EVM_DECIMALS_MAX, .unit = "digits",
            .sentence = "Decimals of the token; compared with the contract before every payment."),
    SETTING(SET_MERCHANT, .name = "merchant", .type = RG_SETTING_TEXT, .required = 1, .min = 42,
            .max = 42, .sentence = "The merchant's account: gets what is sold, pays what is paid out."),
    SETTING(SET_MINTER, .name = "minter", .type = RG_SETTING_TEXT, .min = 42, .max = 42,
            .sentence = "The account that may mint; without it nothing can be issued."),
    SETTING(SET_BURNER, .name = "burner", .type = RG_SETTING_TEXT, .min = 42, .max = 42,
            .sentence = "The account that may burn; without it nothing can be redeemed."),
    SETTING(SET_GAS, .name = "gas", .type = RG_SETTING_NUMBER, .fallback = "600000", .min = 100000,
            .max = 30000000, .unit = "gas",
            .sentence = "Gas limit of a transaction; it must be enough for all policies."),
    SETTING(SET_CONFIRMATIONS, .name = "confirmations", .type = RG_SETTING_NUMBER, .fallback = "0",
            .min = 0, .max = 64, .unit = "blocks",
            .sentence = "Blocks that must follow a transaction before it counts."),
    SETTING(SET_CLOCK_SLACK_S, .name = "clock_slack_s", .type = RG_SETTING_NUMBER, .fallback = "60",
            .min = 0, .max = 3600, .unit = "s",
            .sentence = "How far the chain's clock may be behind ours."),
    SETTING(SET_BLOCKS_AT_ONCE, .name = "blocks_at_once", .type = RG_SETTING_NUMBER,
            .fallback = "16", .min = 1, .max = EVM_BLOCKS_MAX, .unit = "blocks",
            .sentence = "Blocks that an inquiry reads with one request."),
    SETTING(SET_PATH, .name = "path", .type = RG_SETTING_TEXT, .fallback = "/", .min = 1,
            .max = EVM_PATH_MAX, .sentence = "Path of the node's JSON-RPC."),
};

#define ABILITY(op, able, money)                                                                    \
    { .size = sizeof(struct rg_ability), .operation = RG_OP_##op, .flags = (able),                  \
      .late_window_ms = 30000, .deadline_ms = 10000, .amount_minor_max = (money) }

static const struct rg_ability abilities[] = {
    ABILITY(SALE, RG_ABLE_INQUIRE, EVM_AMOUNT_MAX),
    ABILITY(REFUND, RG_ABLE_INQUIRE | RG_ABLE_PARTIAL, EVM_AMOUNT_MAX),
    ABILITY(INQUIRE, RG_ABLE_REPEAT, 0),
};
/* clang-format on */

/* --- configure ------------------------------------------------------------------------------- */

static uint32_t refuse(struct rg_diag *diag, uint32_t row, const char *why)
{
    diag->row = row;
    rg_put_text(&diag->text, why);
    return 0;
}

/* 1 and a number in range, or 0. */
static uint32_t take_number(const struct rg_value *values, uint32_t row, uint64_t *out)
{
    const struct rg_setting *s = &settings[row];
    *out = (uint64_t)values[row].number;
    return values[row].present != 0 && values[row].number >= s->min && values[row].number <= s->max;
}

static uint32_t take_address(const struct rg_value *value, struct evm_address *out)
{
    return value->present != 0 && evm_read_address(value->text, out) && !evm_is_nobody(out);
}

static const char *const an_address = "write an address: 0x and 40 hexadecimal digits";

static uint32_t take_addresses(struct evm_instance *evm, const struct rg_value *values,
                               struct rg_diag *diag)
{
    if (!take_address(&values[SET_CONTRACT], &evm->contract))
        return refuse(diag, SET_CONTRACT, an_address);
    if (!take_address(&values[SET_MERCHANT], &evm->merchant))
        return refuse(diag, SET_MERCHANT, an_address);
    if (values[SET_MINTER].present != 0 && !take_address(&values[SET_MINTER], &evm->minter))
        return refuse(diag, SET_MINTER, an_address);
    if (values[SET_BURNER].present != 0 && !take_address(&values[SET_BURNER], &evm->burner))
        return refuse(diag, SET_BURNER, an_address);
    return 1;
}

static uint32_t take_texts(struct evm_instance *evm, const struct rg_value *values,
                           struct rg_diag *diag)
{
    struct rg_bytes currency = values[SET_CURRENCY].text, path = values[SET_PATH].text;
    for (unsigned i = 0; i < 3; i++) {
        if (values[SET_CURRENCY].present == 0 || currency.len != 3 || currency.ptr[i] < 'A' ||
            currency.ptr[i] > 'Z')
            return refuse(diag, SET_CURRENCY, "write three capital letters, as in ISO 4217");
        evm->currency[i] = currency.ptr[i];
    }
    if (values[SET_PATH].present == 0 || path.len < 1 || path.len > EVM_PATH_MAX ||
        path.ptr[0] != '/')
        return refuse(diag, SET_PATH, "write a path that begins with /");
    for (uint64_t i = 0; i < path.len; i++) {
        if (path.ptr[i] <= 0x20 || path.ptr[i] >= 0x7F || path.ptr[i] == '#')
            return refuse(diag, SET_PATH, "write visible ASCII characters without #");
        evm->path[i] = path.ptr[i];
    }
    evm->path_len = path.len;
    return 1;
}

static uint32_t configure(void *instance, const struct rg_value *values, struct rg_diag *diag)
{
    struct evm_instance *evm = instance;
    memset(evm, 0, sizeof *evm);
    uint64_t decimals = 0;
    struct {
        uint32_t row;
        uint64_t *out;
    } numbers[] = {
        { SET_CHAIN_ID, &evm->chain_id },
        { SET_DECIMALS, &decimals },
        { SET_GAS, &evm->gas },
        { SET_CONFIRMATIONS, &evm->confirmations },
        { SET_CLOCK_SLACK_S, &evm->clock_slack_s },
        { SET_BLOCKS_AT_ONCE, &evm->blocks_at_once },
    };
    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (!take_number(values, numbers[i].row, numbers[i].out))
            return refuse(diag, numbers[i].row, "write a number within the setting's range");
    evm->decimals = (uint32_t)decimals;
    if (!take_addresses(evm, values, diag) || !take_texts(evm, values, diag))
        return 0;
    evm->magic = EVM_INSTANCE_MAGIC;
    return 1;
}

/* --- the border ------------------------------------------------------------------------------ */

static uint32_t begin(const void *instance, void *exchange, const struct rg_command *command,
                      struct rg_out *out)
{
    const struct evm_instance *evm = instance;
    struct evm_exchange *x = exchange;
    memset(x, 0, sizeof *x);
    x->magic = EVM_EXCHANGE_MAGIC;
    if (evm->magic != EVM_INSTANCE_MAGIC)
        return evm_fail(x, out, "the channel is not configured");
    const char *why = evm_plan(evm, x, command);
    return why != NULL ? evm_fail(x, out, why) : evm_first(evm, x, out);
}

static uint32_t resume(const void *instance, void *exchange, const struct rg_event *event,
                       struct rg_out *out)
{
    const struct evm_instance *evm = instance;
    struct evm_exchange *x = exchange;
    if (evm->magic != EVM_INSTANCE_MAGIC || x->magic != EVM_EXCHANGE_MAGIC)
        return evm_fail(x, out, "the exchange was not begun");
    if (event->kind != RG_EVENT_REPLY || x->stage == 0 || x->stage == STAGE_OVER)
        return evm_fail(x, out, "this event does not belong to this step");
    if (event->http_status != 200)
        return evm_fail(x, out, "the node did not answer with 200");
    return evm_next(evm, x, event, out);
}

static const struct rg_adapter adapter = {
    .magic = RG_ABI_MAGIC,
    .abi_major = RG_ABI_MAJOR,
    .abi_minor = RG_ABI_MINOR,
    .transport = RG_TRANSPORT_HTTP,
    .size = sizeof(struct rg_adapter),
    .id = "cbdc_evm",
    .version = "1.0.0",
    .licence = "Apache-2.0",
    .origin = "railgate",
    .rail = "cbdc",
    .settings = settings,
    .settings_count = SET_COUNT,
    .abilities = abilities,
    .abilities_count = sizeof abilities / sizeof abilities[0],
    .instance_size = sizeof(struct evm_instance),
    .exchange_size = sizeof(struct evm_exchange),
    .request_max = EVM_REQUEST_MAX,
    .answer_max = EVM_ANSWER_MAX,
    .steps_max = EVM_STEPS_MAX,
    .configure = configure,
    .begin = begin,
    .resume = resume,
};

__attribute__((visibility("default"))) const struct rg_adapter *rg_adapter_get(uint32_t host_abi)
{
    return host_abi >> 16 == RG_ABI_MAJOR ? &adapter : NULL;
}
