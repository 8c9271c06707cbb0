/* customer.h - the other side of the bank for its tests: writes messages by hand, signs them with
 * the published channel key, keeps what the bank answers and sends. */
#ifndef TEST_SIM_BANK_CUSTOMER_H
#define TEST_SIM_BANK_CUSTOMER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bank/bank_brain.h"
#include "bank/jose.h"
#include "bank/xml_in.h"

/* 2026-11-22 12:00:00 UTC */
#define CUSTOMER_WALL_US INT64_C(1795348800000000)
#define CUSTOMER_NOTICES 256
#define DEBTOR           "DE21990000010000000000"
#define CREDITOR         "DE91990000010000000001"
#define CLOSED           "DE10990000010000000004"

/* What a payment says; NULL: the default. */
struct order {
    const char *msg_id, *end_to_end_id, *amount, *currency, *debtor, *creditor, *creditor_name;
    const char *date, *count, *sum, *extra_group, *extra_tx, *type_info, *bearer, *settlement;
    const char *creditor_bic, *debtor_bic, *uetr, *tx_id, *remittance, *version;
};

struct seen_notice {
    char *url, *headers, *body;
    int64_t at_us;
};

struct customer {
    void *bank;
    struct jose_key key;
    int64_t now_us;
    bool enveloped; /* send with AppHdr */
    /* the last answer */
    int http_status;
    int64_t delay_us;
    uint8_t *body;
    size_t body_len;
    char headers[8192];
    struct seen_notice notices[CUSTOMER_NOTICES];
    size_t notice_count;
    /* called with everything the bank writes; may be NULL */
    void (*sees)(struct view body);
    char text[65536];
    struct arena arena; /* of trees that were looked at */
};

int customer_start(void **state);
int customer_stop(void **state);
void customer_forget(struct customer *c); /* notices so far */
void customer_set(struct customer *c, const char *settings);
/* {"..."} of a command; the answer as text, or NULL when refused. */
const char *customer_command(struct customer *c, const char *path, const char *body);
const char *customer_ledger(struct customer *c);
/* Signed and with x-notice-url; answer in c. */
void customer_post(struct customer *c, const char *xml);
void customer_post_unsigned(struct customer *c, const char *target, const char *headers,
                            const char *body);
/* Lets time pass, in steps of what the bank has planned. */
void customer_wait(struct customer *c, int64_t ms);

const char *pain_001(struct customer *c, const struct order *o);
const char *pacs_008(struct customer *c, const struct order *o);
const char *pacs_028(struct customer *c, const char *msg_id, const char *end_to_end_id);
const char *camt_056(struct customer *c, const char *msg_id, const char *end_to_end_id,
                     const char *amount);
const char *pacs_004(struct customer *c, const char *msg_id, const char *return_id,
                     const char *end_to_end_id, const char *amount);

/* Text of the first element of that name in an answer or the n-th notice; "" when there is none. */
const char *answer_has(struct customer *c, const char *element);
const char *notice_has(struct customer *c, size_t n, const char *element);
/* The message's type, "pain.002.001.10". */
const char *notice_type(struct customer *c, size_t n);
#define assert_answer(c, status, reason)                                                           \
    do {                                                                                           \
        assert_string_equal(answer_has(c, "TxSts"), status);                                       \
        assert_string_equal(answer_has(c, "Cd"), reason);                                          \
    } while (0)
/* A number of the ledger: "balance" of an account in a currency, net of its opening. */
int64_t moved(struct customer *c, const char *account, const char *currency);
bool balanced(struct customer *c);

#endif
