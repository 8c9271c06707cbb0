/* SPDX-License-Identifier: Apache-2.0
 *
 * evm_int.h - what the files of this adapter share.
 *
 *   cbdc_evm.c   tables, settings, the border
 *   evm_plan.c   a command to a plan: who sends which call; refs
 *   evm_ask.c    requests of JSON-RPC
 *   evm_read.c   answers of JSON-RPC
 *   evm_steps.c  what follows an answer; reasons.def
 */
#ifndef EVM_INT_H
#define EVM_INT_H

#include "kits/evm_abi.h"
#include "kits/json_lite.h"
#include "kits/text.h"

#define EVM_INSTANCE_MAGIC 0x45564d49u
#define EVM_EXCHANGE_MAGIC 0x45564d58u
#define EVM_ATTEMPT_MAX    64u
#define EVM_AMOUNT_MAX     999999999999999ll
#define EVM_CHAIN_MAX      9007199254740991ll
#define EVM_DECIMALS_MAX   30
#define EVM_PATH_MAX       128u
#define EVM_BLOCKS_MAX     32u
#define EVM_REQUEST_MAX    8192u
#define EVM_ANSWER_MAX     (1u << 20)
#define EVM_BLOCKS_LEAST   64u  /* the newest, looked through whatever the clocks say */
#define EVM_CALLDATA_MAX   512u /* hexadecimal digits with 0x */
/* Steps of an exchange: the host allows 64. Looking for the payment must leave enough to finish it:
 * receipt, nonce, pending, latest, blocks, the way back, its receipt, the reason. */
#define EVM_STEPS_MAX        64u
#define EVM_STEPS_LOOK       42u
#define EVM_STEPS_LOOK_BACK  54u
#define EVM_POLLS_MAX        12u /* of a receipt after we sent */
#define EVM_SENDINGS_MAX     12u /* of a transaction whose nonce was taken by another */
#define EVM_STEPS_BACK_AGAIN 40u /* until then the way back may be begun anew */
#define EVM_POLLS_FOUND_MAX  4u  /* of a receipt of what was found in a block */

/* Rows of the settings table, in its order. */
enum evm_setting {
    SET_CONTRACT,
    SET_CHAIN_ID,
    SET_CURRENCY,
    SET_DECIMALS,
    SET_MERCHANT,
    SET_MINTER,
    SET_BURNER,
    SET_GAS,
    SET_CONFIRMATIONS,
    SET_CLOCK_SLACK_S,
    SET_BLOCKS_AT_ONCE,
    SET_PATH,
    SET_COUNT
};

struct evm_instance {
    uint32_t magic;
    uint32_t decimals;
    struct evm_address contract, merchant, minter, burner; /* minter, burner: zero is none */
    uint64_t chain_id, gas, confirmations, clock_slack_s, blocks_at_once;
    uint8_t currency[3];
    uint8_t path[EVM_PATH_MAX];
    uint64_t path_len;
};

enum evm_what { WHAT_TRANSFER = 1, WHAT_ISSUE, WHAT_REDEEM, WHAT_COUNT };

/* Whose transaction it is about: the payment's, or the one that sends a part of it back. */
enum evm_leg { LEG_PAY = 1, LEG_BACK };

/* What the answer that is awaited belongs to. */
enum evm_stage {
    STAGE_CHECK = 1, /* chain id and decimals, before anything else */
    STAGE_SENT,      /* eth_sendTransaction */
    STAGE_RECEIPT,   /* receipt and newest block */
    STAGE_REASON,    /* eth_call: why was it reverted? */
    STAGE_NONCE,     /* next nonce of the payee, before looking for a way back */
    STAGE_POOL,      /* transactions that wait */
    STAGE_PENDING,   /* the block that is not yet one */
    STAGE_LATEST,    /* newest block */
    STAGE_BISECT,    /* a block between, by its time */
    STAGE_SCAN,      /* blocks, whole */
    STAGE_OVER
};

struct evm_exchange {
    uint32_t magic;
    uint32_t stage, leg;
    uint32_t operation; /* RG_OP_... */
    uint32_t what;
    uint32_t steps, polls, sendings;
    uint32_t currency_number, exponent;
    int64_t minor;                       /* of the payment */
    int64_t time_s;                      /* when the payment was recorded */
    struct evm_address sender, from, to; /* from, to: as the event says them; zero: central bank */
    struct evm_word asked, moved, returned; /* units of the token */
    uint8_t hash[2][32];                    /* of both legs */
    uint64_t block;                         /* of the leg in question */
    uint64_t nonce;                         /* of the way back */
    uint64_t low, high;   /* blocks still to be looked through; high is the newest */
    uint64_t middle, top; /* of the search for the first by its time */
    uint64_t attempt_len;
    uint8_t attempt[EVM_ATTEMPT_MAX];
};

/* --- evm_plan.c --- */
/* Reads the command into the exchange. NULL, or why it cannot be done. */
const char *evm_plan(const struct evm_instance *evm, struct evm_exchange *x,
                     const struct rg_command *command);
/* What an inquiry or a later operation needs. */
void evm_put_refs(const struct evm_exchange *x, struct rg_table *refs);
/* The account that sends a leg, and its calldata as hexadecimal text. */
const struct evm_address *evm_sender(const struct evm_exchange *x, uint32_t leg);
void evm_put_calldata(const struct evm_exchange *x, uint32_t leg, struct rg_buffer *b);
/* The mark at its end, as hexadecimal digits. */
void evm_put_mark(const struct evm_exchange *x, uint32_t leg, struct rg_buffer *b);
/* Units to minor units; up 1: rounded up. 0 when it does not fit. */
uint32_t evm_minor(const struct evm_instance *evm, const struct evm_exchange *x,
                   const struct evm_word *units, uint32_t up, int64_t *minor);

/* --- evm_ask.c: each writes one request --- */
void evm_ask_check(const struct evm_instance *evm, struct rg_out *out);
void evm_ask_send(const struct evm_instance *evm, const struct evm_exchange *x, struct rg_out *out);
void evm_ask_receipt(const struct evm_instance *evm, const struct evm_exchange *x,
                     struct rg_out *out);
void evm_ask_reason(const struct evm_instance *evm, const struct evm_exchange *x,
                    struct rg_out *out);
void evm_ask_nonce(const struct evm_instance *evm, const struct evm_exchange *x,
                   struct rg_out *out);
void evm_ask_pool(const struct evm_instance *evm, struct rg_out *out);
/* tag "pending" (with its transactions) or "latest" (without), or NULL for the block `middle` */
void evm_ask_block(const struct evm_instance *evm, const struct evm_exchange *x, const char *tag,
                   struct rg_out *out);
/* blocks from x->low on, whole */
void evm_ask_blocks(const struct evm_instance *evm, const struct evm_exchange *x,
                    struct rg_out *out);
/* How many that are. */
uint64_t evm_blocks_count(const struct evm_instance *evm, const struct evm_exchange *x);

/* --- evm_read.c: 1, or 0 when the answer is not clear. root: the whole answer, read --- */
/* Elements of an array, one after the other, each looked at once. */
struct evm_list {
    struct rg_bytes rest; /* from a bracket or comma on */
};
struct evm_list evm_list_of(const struct jl_value *array);
uint32_t evm_list_next(struct evm_list *list, struct jl_value *element);

/* One answer: its id, and either result or error; the other's kind is 0. */
struct evm_answer {
    int64_t id;
    struct jl_value result, error;
};
uint32_t evm_read_answer(const struct jl_value *object, struct evm_answer *out);
/* That of question `id`, alone or in a batch. */
uint32_t evm_answer_of(const struct jl_value *root, int64_t id, struct evm_answer *out);

uint32_t evm_read_check(const struct jl_value *root, uint64_t *chain_id, uint64_t *decimals);
uint32_t evm_read_number(const struct jl_value *root, uint64_t *value);

struct evm_receipt {
    uint32_t mined, succeeded,
        events; /* events: Transfer of the contract, from and to as planned */
    uint64_t block, newest;
    struct evm_word moved;
};
uint32_t evm_read_receipt(const struct evm_instance *evm, const struct evm_exchange *x,
                          const struct jl_value *root, struct evm_receipt *out);

struct evm_block {
    uint32_t there; /* 0: the node says there is none */
    uint64_t number, time_s;
};
uint32_t evm_read_block(const struct jl_value *result, struct evm_block *out);
/* Looks for the leg's transaction among those of a block: *found counts up, x->hash is set. */
uint32_t evm_find(const struct evm_instance *evm, struct evm_exchange *x,
                  const struct jl_value *block, uint32_t *found);
/* Whether the leg's mark stands anywhere in the answer: a quick no. */
uint32_t evm_has_mark(const struct evm_exchange *x, struct rg_bytes body);

/* --- evm_steps.c --- */
/* What comes after begin, and after an answer. RG_STEP_... */
uint32_t evm_first(const struct evm_instance *evm, struct evm_exchange *x, struct rg_out *out);
uint32_t evm_next(const struct evm_instance *evm, struct evm_exchange *x,
                  const struct rg_event *event, struct rg_out *out);
uint32_t evm_fail(struct evm_exchange *x, struct rg_out *out, const char *why);

#endif
