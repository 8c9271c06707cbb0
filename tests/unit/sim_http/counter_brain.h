/* counter_brain.h - the smallest counterpart there can be: counts what it is asked, says what it is
 * told. POST /add with a number books it and answers the sum; POST /later answers 5 ms late; POST
 * /notice sends one; every 100 ms it ticks when told to. And a host around it, with a clock. */
#ifndef TEST_COUNTER_BRAIN_H
#define TEST_COUNTER_BRAIN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/http_host.h"

#define NOTICE_URL "https://127.0.0.1:7/notices/counter?x=1"

struct counter {
    const struct sim_config config;
    int64_t sum, asked, ticks, step;
    int64_t next_us;
    int64_t asked_at_us;
    int64_t last_tag;
    int last_done; /* what notice_done was told; -9: nothing */
    uint64_t tags;
};
extern const struct sim_brain counter_brain;

struct desk {
    struct http_host *host;
    struct counter *counter;
    int64_t now_us;
    uint64_t asked;
    struct http_host_action last;
    uint8_t text[4096];
    int http_status;
};
void desk_open(struct desk *d);
void desk_close(struct desk *d);
/* The request's number. */
uint64_t desk_ask(struct desk *d, const char *method, const char *target, const char *body);
/* Takes what is due now. */
bool desk_take(struct desk *d);
/* Moves time to the next thing that is due and takes it. */
bool desk_wait(struct desk *d);
void desk_set(struct desk *d, const char *json);
/* Answer's body (zero-terminated) of the control port. */
const char *desk_control(struct desk *d, const char *method, const char *path, const char *query,
                         const char *body);
/* The last action is an answer to `id` like this. */
void desk_expect(struct desk *d, uint64_t id, int http_status, const char *body);
void desk_expect_how(struct desk *d, uint64_t id, enum http_host_how how);
void desk_expect_notice(struct desk *d, const char *body);

#endif
