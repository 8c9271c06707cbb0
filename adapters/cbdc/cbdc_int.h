/* SPDX-License-Identifier: Apache-2.0
 *
 * cbdc_int.h - what the files of this adapter share.
 *
 *   cbdc.c          tables, settings, the steps of an exchange
 *   cbdc_request.c  a command to what is asked of the ledger, and that to bytes
 *   cbdc_answer.c   an answer to an outcome; errors.def
 *
 * An exchange is one request, but for two: TOKEN signs first, and a cancel that finds nothing
 * locked looks at the lock before it says whether the money is back or gone.
 */
#ifndef CBDC_INT_H
#define CBDC_INT_H

#include "kits/json_lite.h"
#include "kits/text.h"

#include <railgate/writer.h>

#define CBDC_INSTANCE_MAGIC 0x43424e49u
#define CBDC_EXCHANGE_MAGIC 0x43424558u
#define CBDC_ID_MAX         64u
#define CBDC_CLIENT_MAX     32u
#define CBDC_PARTY_MAX      72u /* "alias:" and 63, rounded up */
#define CBDC_REFERENCE_MAX  140u
#define CBDC_AMOUNT_MAX     999999999999999ll
#define CBDC_EXPIRY_S_MAX   31622400ll /* 366 days */
#define CBDC_REQUEST_MAX    2048u
#define CBDC_ANSWER_MAX     16384u
#define CBDC_TOKEN_NAME     "access_token"

/* Rows of the settings table, in its order. */
enum cbdc_setting {
    SET_CLIENT_ID,
    SET_CLIENT_KEY,
    SET_MERCHANT_WALLET,
    SET_RELEASER,
    SET_LOCK_S,
    SET_COUNT
};

/* Text of our own with its length; never zero-terminated when it crosses the border. */
struct cbdc_text {
    uint64_t len;
    uint8_t bytes[CBDC_PARTY_MAX];
};

struct cbdc_instance {
    uint32_t magic;
    struct cbdc_text client, merchant, releaser;
    int64_t lock_s;
};

enum cbdc_stage { STAGE_SIGN = 1, STAGE_WAIT, STAGE_WAIT_LOCK, STAGE_OVER };

/* What is asked of the ledger; the names are those of `kind` in its answers. */
enum cbdc_what {
    WHAT_TRANSFER = 1,
    WHAT_LOCK,
    WHAT_RELEASE,
    WHAT_CANCEL,
    WHAT_ISSUE,
    WHAT_REDEEM,
    WHAT_COUNT
};
const char *cbdc_what_name(enum cbdc_what what);

enum cbdc_side { SIDE_PAYER = 1, SIDE_PAYEE };

struct cbdc_exchange {
    uint32_t magic;
    uint32_t stage;
    uint32_t operation; /* RG_OP_... */
    uint32_t repeat;
    enum cbdc_what what;           /* INQUIRE: what is asked about; TOKEN: 0 */
    struct cbdc_text id;           /* of that operation: our attempt's, INQUIRE: the other's */
    struct cbdc_text payer, payee; /* as asked; empty: the ledger decides or the central bank */
    enum cbdc_side side;           /* where the merchant's wallet stands; 0: nowhere */
    struct cbdc_text own;          /* which is this one */
    struct cbdc_text lock;         /* RELEASE, CANCEL: id of the lock */
    int64_t time_s;                /* TOKEN */
    uint32_t currency_number;
    char currency[4];
};

/* --- cbdc_request.c --- */
/* Reads the command into the exchange. NULL, or why it cannot be done. */
const char *cbdc_plan(const struct cbdc_instance *cbdc, struct cbdc_exchange *x,
                      const struct rg_command *command);
/* Writes method, path, headers, body and refs. NULL, or why not. */
const char *cbdc_put_request(const struct cbdc_instance *cbdc, const struct cbdc_exchange *x,
                             const struct rg_command *command, struct rg_out *out);
/* GET of the operation `id`. */
void cbdc_put_inquiry(const struct cbdc_text *id, struct rg_out *out);
/* "<client_id>.<time>", what TOKEN signs; then its request. */
void cbdc_put_claim(const struct cbdc_instance *cbdc, const struct cbdc_exchange *x,
                    struct rg_buffer *b);
void cbdc_put_token_request(const struct cbdc_instance *cbdc, const struct cbdc_exchange *x,
                            struct rg_bytes mac, struct rg_out *out);
/* 1 when it fits; 0 leaves `text` empty. */
uint32_t cbdc_take(struct cbdc_text *text, struct rg_bytes bytes, uint64_t longest);
static inline struct rg_bytes cbdc_bytes(const struct cbdc_text *text)
{
    return (struct rg_bytes){ text->bytes, text->len };
}
/* `w_...` or `alias:...` as the ledger writes them. */
uint32_t cbdc_is_party(struct rg_bytes text);

/* --- cbdc_answer.c --- */
/* What the answer says, or why it says nothing that can be believed. */
#define CBDC_DONE      1u
#define CBDC_LOOK      2u /* a cancel found nothing locked: look at the lock */
#define CBDC_NOT_CLEAR 3u /* *why is set */
uint32_t cbdc_read_answer(const struct cbdc_exchange *x, const struct rg_event *event,
                          struct rg_out *out, const char **why);
uint32_t cbdc_read_lock(const struct cbdc_exchange *x, const struct rg_event *event,
                        struct rg_out *out, const char **why);
uint32_t cbdc_read_token(const struct rg_event *event, struct rg_out *out, const char **why);

#endif
