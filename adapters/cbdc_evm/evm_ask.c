/* SPDX-License-Identifier: Apache-2.0
 *
 * evm_ask.c - requests of JSON-RPC 2.0, one HTTP request each. Several questions that belong
 * together go as one batch; ids are 1, 2, ... within a request, the answers may come in any order.
 */
#include "evm_int.h"

static struct rg_bytes written(const struct rg_buffer *b)
{
    return (struct rg_bytes){ b->ptr, b->len };
}

static void head(const struct evm_instance *evm, struct rg_out *out)
{
    out->http_method = RG_HTTP_POST;
    rg_put_bytes(&out->path, (struct rg_bytes){ evm->path, evm->path_len });
    rg_header(out, "content-type", "application/json");
}

/* Opens one question, up to and with its array of params. */
static void open_question(struct rg_buffer *b, int64_t id, const char *method)
{
    jl_open(b, NULL);
    jl_put_literal(b, "jsonrpc", "2.0");
    jl_put_integer(b, "id", id);
    jl_put_literal(b, "method", method);
    jl_open_array(b, "params");
}

static void close_question(struct rg_buffer *b)
{
    jl_close_array(b);
    jl_close(b);
}

static void put_address(struct rg_buffer *b, const char *key, const struct evm_address *address)
{
    uint8_t room[42];
    struct rg_buffer text = { room, sizeof room, 0, 0, 0 };
    evm_put_address(&text, address);
    jl_put_text(b, key, written(&text));
}

static void put_quantity(struct rg_buffer *b, const char *key, uint64_t value)
{
    uint8_t room[18];
    struct rg_buffer text = { room, sizeof room, 0, 0, 0 };
    evm_put_quantity(&text, value);
    jl_put_text(b, key, written(&text));
}

static void put_call(const struct evm_instance *evm, const struct evm_exchange *x,
                     struct rg_buffer *b)
{
    uint8_t room[EVM_CALLDATA_MAX];
    struct rg_buffer data = { room, sizeof room, 0, 0, 0 };
    evm_put_calldata(x, x->leg, &data);
    jl_open(b, NULL);
    put_address(b, "from", evm_sender(x, x->leg));
    put_address(b, "to", &evm->contract);
    put_quantity(b, "gas", evm->gas);
    jl_put_text(b, "data", written(&data));
    b->overflow |= data.overflow;
}

void evm_ask_check(const struct evm_instance *evm, struct rg_out *out)
{
    struct rg_buffer *b = &out->bytes;
    head(evm, out);
    jl_open_array(b, NULL);
    open_question(b, 1, "eth_chainId");
    close_question(b);
    open_question(b, 2, "eth_call");
    jl_open(b, NULL);
    put_address(b, "to", &evm->contract);
    jl_put_literal(b, "data", "0x313ce567"); /* EVM_SELECTOR_DECIMALS */
    jl_close(b);
    jl_put_literal(b, NULL, "latest");
    close_question(b);
    jl_close_array(b);
}

void evm_ask_send(const struct evm_instance *evm, const struct evm_exchange *x, struct rg_out *out)
{
    struct rg_buffer *b = &out->bytes;
    head(evm, out);
    open_question(b, 1, "eth_sendTransaction");
    put_call(evm, x, b);
    put_quantity(b, "chainId", evm->chain_id); /* the node compares: it may be another one by now */
    if (x->leg == LEG_BACK)
        put_quantity(b, "nonce", x->nonce);
    jl_close(b);
    close_question(b);
}

void evm_ask_receipt(const struct evm_instance *evm, const struct evm_exchange *x,
                     struct rg_out *out)
{
    struct rg_buffer *b = &out->bytes;
    uint8_t room[66];
    struct rg_buffer hash = { room, sizeof room, 0, 0, 0 };
    evm_put_data(&hash, (struct rg_bytes){ x->hash[x->leg - 1], 32 });
    head(evm, out);
    jl_open_array(b, NULL);
    open_question(b, 1, "eth_getTransactionReceipt");
    jl_put_text(b, NULL, written(&hash));
    close_question(b);
    open_question(b, 2, "eth_blockNumber");
    close_question(b);
    jl_close_array(b);
}

/* The same call on what was true before its block. */
void evm_ask_reason(const struct evm_instance *evm, const struct evm_exchange *x,
                    struct rg_out *out)
{
    struct rg_buffer *b = &out->bytes;
    head(evm, out);
    open_question(b, 1, "eth_call");
    put_call(evm, x, b);
    jl_close(b);
    put_quantity(b, NULL, x->block > 0 ? x->block - 1 : 0);
    close_question(b);
}

void evm_ask_nonce(const struct evm_instance *evm, const struct evm_exchange *x, struct rg_out *out)
{
    struct rg_buffer *b = &out->bytes;
    head(evm, out);
    open_question(b, 1, "eth_getTransactionCount");
    put_address(b, NULL, evm_sender(x, LEG_BACK));
    jl_put_literal(b, NULL, "pending");
    close_question(b);
}

void evm_ask_pool(const struct evm_instance *evm, struct rg_out *out)
{
    head(evm, out);
    open_question(&out->bytes, 1, "txpool_content");
    close_question(&out->bytes);
}

void evm_ask_block(const struct evm_instance *evm, const struct evm_exchange *x, const char *tag,
                   struct rg_out *out)
{
    struct rg_buffer *b = &out->bytes;
    head(evm, out);
    open_question(b, 1, "eth_getBlockByNumber");
    if (tag != NULL)
        jl_put_literal(b, NULL, tag);
    else
        put_quantity(b, NULL, x->middle);
    jl_put_flag(b, NULL, tag != NULL && tag[0] == 'p');
    close_question(b);
}

uint64_t evm_blocks_count(const struct evm_instance *evm, const struct evm_exchange *x)
{
    uint64_t left = x->high - x->low + 1;
    return left < evm->blocks_at_once ? left : evm->blocks_at_once;
}

void evm_ask_blocks(const struct evm_instance *evm, const struct evm_exchange *x,
                    struct rg_out *out)
{
    struct rg_buffer *b = &out->bytes;
    uint64_t count = evm_blocks_count(evm, x);
    head(evm, out);
    jl_open_array(b, NULL);
    for (uint64_t i = 0; i < count; i++) {
        open_question(b, (int64_t)i + 1, "eth_getBlockByNumber");
        put_quantity(b, NULL, x->low + i);
        jl_put_flag(b, NULL, 1);
        close_question(b);
    }
    jl_close_array(b);
}
