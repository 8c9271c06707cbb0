/* shop.h - a merchant for tests of the wallet provider: signs its requests by itself, looks at
 * answers, and receives notices, whose signatures it checks. */
#ifndef TEST_SHOP_H
#define TEST_SHOP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/http_host.h"

#define WALL_S     1790000000 /* when the clock says 0 */
#define NOTICE_URL "https://127.0.0.1:7/notices/wallet"

extern const struct sim_brain wallet_brain;

struct shop {
    struct http_host *host;
    int64_t now_us;
    uint64_t asked;
    const char *merchant;
    int64_t clock_error_s; /* of this shop's clock */
    bool bad_signature;
    int http_status;
    char body[8192];   /* of the last answer, control answer or notice */
    char notice[4096]; /* the last notice */
    unsigned notices;  /* that came */
    int acknowledge;   /* how notices are answered; 200 */
};
void shop_open(struct shop *s);
void shop_close(struct shop *s);
/* Asks and waits for the answer, at the same time; notices that are due are taken. */
void shop_ask(struct shop *s, const char *method, const char *target, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Status and a part of the answer. */
void shop_expect(struct shop *s, int http_status, const char *part);
/* The control port; 200 and a part of the answer. */
void shop_control(struct shop *s, const char *method, const char *path, const char *json,
                  const char *part);
/* Lets time pass; notices are taken. */
void shop_wait(struct shop *s, int64_t ms);
/* An order of this id over an amount, "12.50", ending in so many seconds. */
void shop_order(struct shop *s, const char *order_id, const char *amount, int ends_in_s);
/* The code of such an order; lives until the next call. */
const char *shop_code(const char *order_id, const char *amount, bool dynamic);
/* A number of the ledger: the first after "name": . */
int64_t shop_total(struct shop *s, const char *name);
unsigned shop_entries(struct shop *s);
/* What merchants and phones have together: never changes, but for payments to others. */
int64_t shop_all_money(struct shop *s);

#endif
