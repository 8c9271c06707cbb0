/* SPDX-License-Identifier: Apache-2.0
 *
 * evm_read.c - answers of JSON-RPC 2.0.
 *
 * Believed is only what is complete and about what was asked: version, id, exactly one of result
 * and error; a receipt of our transaction, to our contract; an event of our contract between our
 * accounts. Everything else is not clear.
 *
 * Blocks can be large. An answer is checked once as JSON, then walked once; transactions are only
 * looked at when the mark stands somewhere in the bytes.
 */
#include "evm_int.h"

/* --- walking --------------------------------------------------------------------------------- */

struct evm_list evm_list_of(const struct jl_value *array)
{
    struct evm_list list = { { NULL, 0 } };
    if (array->kind == JL_ARRAY)
        list.rest = array->raw;
    return list;
}

/* jl_element() steps over the first byte, which is the bracket or the comma before the element. */
uint32_t evm_list_next(struct evm_list *list, struct jl_value *element)
{
    struct jl_value rest = { .kind = JL_ARRAY, .raw = list->rest };
    if (list->rest.len == 0 || !jl_element(&rest, 0, element))
        return 0;
    const uint8_t *at = element->raw.ptr + element->raw.len;
    const uint8_t *end = list->rest.ptr + list->rest.len;
    if (element->kind == JL_TEXT)
        at++; /* its closing quote */
    while (at < end && *at != ',' && *at != ']')
        at++;
    list->rest = at < end && *at == ',' ? (struct rg_bytes){ at, (uint64_t)(end - at) }
                                        : (struct rg_bytes){ NULL, 0 };
    return 1;
}

uint32_t evm_read_answer(const struct jl_value *object, struct evm_answer *out)
{
    struct jl_value id;
    *out = (struct evm_answer){ 0 };
    if (!text_is(jl_plain(object, "jsonrpc"), "2.0") || !jl_member(object, "id", &id) ||
        !jl_integer(&id, &out->id))
        return 0;
    uint32_t has_result = jl_member(object, "result", &out->result);
    uint32_t has_error = jl_member(object, "error", &out->error);
    return has_result != has_error && (!has_error || out->error.kind == JL_OBJECT);
}

uint32_t evm_answer_of(const struct jl_value *root, int64_t id, struct evm_answer *out)
{
    struct jl_value element;
    struct evm_list list = evm_list_of(root);
    uint32_t found = 0;
    if (root->kind == JL_OBJECT)
        return evm_read_answer(root, out) && out->id == id;
    while (evm_list_next(&list, &element)) {
        struct evm_answer answer;
        if (!evm_read_answer(&element, &answer))
            return 0;
        if (answer.id != id)
            continue;
        *out = answer;
        found++;
    }
    return found == 1;
}

static uint32_t quantity_of(const struct jl_value *value, uint64_t *out)
{
    return value->kind == JL_TEXT && value->escaped == 0 && evm_read_quantity(value->raw, out);
}

uint32_t evm_read_check(const struct jl_value *root, uint64_t *chain_id, uint64_t *decimals)
{
    struct evm_answer chain, call;
    struct evm_word word;
    int64_t number = 0;
    if (root->kind != JL_ARRAY || !evm_answer_of(root, 1, &chain) || !evm_answer_of(root, 2, &call))
        return 0;
    if (!quantity_of(&chain.result, chain_id) || call.result.kind != JL_TEXT)
        return 0;
    *decimals = UINT64_MAX; /* no such contract there, or one that has none */
    if (evm_read_word(call.result.raw, &word) && evm_word_i64(&word, &number))
        *decimals = (uint64_t)number;
    return 1;
}

uint32_t evm_read_number(const struct jl_value *root, uint64_t *value)
{
    struct evm_answer answer;
    return root->kind == JL_OBJECT && evm_answer_of(root, 1, &answer) &&
           quantity_of(&answer.result, value);
}

/* --- receipts -------------------------------------------------------------------------------- */

static uint32_t member_quantity(const struct jl_value *object, const char *name, uint64_t *out)
{
    return evm_read_quantity(jl_plain(object, name), out);
}

static uint32_t member_is_address(const struct jl_value *object, const char *name,
                                  const struct evm_address *address)
{
    struct evm_address said;
    return evm_read_address(jl_plain(object, name), &said) && evm_same(&said, address);
}

/* The n-th topic is this address, filled up in front. */
static uint32_t topic_is(const struct jl_value *topics, uint64_t n,
                         const struct evm_address *address)
{
    struct jl_value topic;
    struct evm_address said;
    return jl_element(topics, n, &topic) && topic.kind == JL_TEXT &&
           evm_read_padded_address(topic.raw, &said) && evm_same(&said, address);
}

static uint32_t is_transfer(const struct evm_instance *evm, const struct evm_exchange *x,
                            const struct jl_value *log)
{
    struct jl_value topics, first, more;
    const struct evm_address *from = x->leg == LEG_BACK ? &x->to : &x->from;
    const struct evm_address *to = x->leg == LEG_BACK ? &x->from : &x->to;
    return member_is_address(log, "address", &evm->contract) && jl_member(log, "topics", &topics) &&
           jl_element(&topics, 0, &first) && jl_is(&first, EVM_TOPIC_TRANSFER) &&
           topic_is(&topics, 1, from) && topic_is(&topics, 2, to) && !jl_element(&topics, 3, &more);
}

static uint32_t sum_transfers(const struct evm_instance *evm, const struct evm_exchange *x,
                              const struct jl_value *receipt, struct evm_receipt *out)
{
    struct jl_value logs, log;
    if (!jl_member(receipt, "logs", &logs) || logs.kind != JL_ARRAY)
        return 0;
    struct evm_list list = evm_list_of(&logs);
    while (evm_list_next(&list, &log)) {
        struct evm_word value;
        if (!is_transfer(evm, x, &log))
            continue;
        if (!evm_read_word(jl_plain(&log, "data"), &value) || !evm_add(&out->moved, &value))
            return 0;
        out->events++;
    }
    return 1;
}

uint32_t evm_read_receipt(const struct evm_instance *evm, const struct evm_exchange *x,
                          const struct jl_value *root, struct evm_receipt *out)
{
    struct evm_answer receipt, newest;
    uint8_t hash[32];
    uint64_t status = 0;
    *out = (struct evm_receipt){ 0 };
    if (root->kind != JL_ARRAY || !evm_answer_of(root, 1, &receipt) ||
        !evm_answer_of(root, 2, &newest) || !quantity_of(&newest.result, &out->newest))
        return 0;
    if (receipt.result.kind == JL_NULL)
        return 1;
    const struct jl_value *r = &receipt.result;
    if (!evm_read_data(jl_plain(r, "transactionHash"), hash, sizeof hash) ||
        !rg_same((struct rg_bytes){ hash, 32 }, (struct rg_bytes){ x->hash[x->leg - 1], 32 }) ||
        !member_is_address(r, "from", evm_sender(x, x->leg)) ||
        !member_is_address(r, "to", &evm->contract) || !member_quantity(r, "status", &status) ||
        status > 1 || !member_quantity(r, "blockNumber", &out->block))
        return 0;
    out->mined = 1;
    out->succeeded = status == 1;
    return sum_transfers(evm, x, r, out);
}

/* --- blocks ---------------------------------------------------------------------------------- */

uint32_t evm_read_block(const struct jl_value *result, struct evm_block *out)
{
    *out = (struct evm_block){ 0 };
    if (result->kind == JL_NULL)
        return 1;
    out->there = 1;
    return member_quantity(result, "number", &out->number) &&
           member_quantity(result, "timestamp", &out->time_s) && out->time_s <= INT64_MAX / 2;
}

uint32_t evm_has_mark(const struct evm_exchange *x, struct rg_bytes body)
{
    uint8_t room[EVM_CALLDATA_MAX];
    struct rg_buffer mark = { room, sizeof room, 0, 0, 0 };
    evm_put_mark(x, x->leg, &mark);
    for (uint64_t at = 0; at + mark.len <= body.len; at++) {
        uint64_t same = 0;
        while (same < mark.len && body.ptr[at + same] == room[same])
            same++;
        if (same == mark.len)
            return 1;
    }
    return 0;
}

uint32_t evm_find(const struct evm_instance *evm, struct evm_exchange *x,
                  const struct jl_value *block, uint32_t *found)
{
    struct jl_value all, one;
    uint8_t room[EVM_CALLDATA_MAX];
    struct rg_buffer data = { room, sizeof room, 0, 0, 0 };
    evm_put_calldata(x, x->leg, &data);
    if (!jl_member(block, "transactions", &all) || all.kind != JL_ARRAY)
        return 0;
    struct evm_list list = evm_list_of(&all);
    while (evm_list_next(&list, &one)) {
        if (one.kind != JL_OBJECT)
            return 0; /* only their names: nothing can be seen */
        struct rg_bytes input = jl_plain(&one, "input");
        if (!text_same_nocase(input, (struct rg_bytes){ room, data.len }) ||
            !member_is_address(&one, "from", evm_sender(x, x->leg)) ||
            !member_is_address(&one, "to", &evm->contract))
            continue;
        if (!evm_read_data(jl_plain(&one, "hash"), x->hash[x->leg - 1], 32))
            return 0;
        ++*found;
    }
    return 1;
}
