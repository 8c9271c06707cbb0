/* web_fixture.h - one HTTP channel with the web adapter, two servers, virtual or real time.
 *
 *     web_open(&w, &(struct web_plan){ ... });
 *     w.servers[0].answer = "A";                    what it says to payments; NULL: nothing yet
 *     struct web_call *c = web_call(&w, "");        prepared and started
 *     web_run(&w, 50);                              time passes (virtual)
 *     assert c->done ...
 *     web_close(&w);                                nothing may be left over
 */
#ifndef WEB_FIXTURE_H
#define WEB_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "channel/channel.h"
#include "wire/http_server.h"
#include "wire/memory.h"
#include "wire/tls.h"

#define WEB_CALLS_MAX    80
#define WEB_REQUESTS_MAX 160
#define WEB_WALL         1795352400000000 /* 2026-11-22T13:00:00Z */

struct web_call {
    struct web *w;
    struct exchange *exchange;
    uint8_t details[128];
    int done;
    bool keep;                     /* do not drop within done */
    struct exchange_result result; /* views emptied */
    char code[33], reference[129], diagnosis[257], action[64];
};

struct web_request {
    struct http_request *request; /* NULL: answered */
    char line[64];                /* "POST /pay?v=1" */
    char body[128];
    char authorization[64], api_key[64], notice[128];
};

struct web_server {
    struct web *w;
    struct http_server *server;
    const char *answer, *token; /* to payments, to token requests; NULL: held back */
    int status, token_status;   /* 0: 200 */
    const char *good_token;     /* else 401; NULL: any is good */
    bool big_head;
    size_t payments, tokens;
};

struct web_late {
    int64_t attempt_id;
    enum outcome outcome;
};

struct web_plan {
    const struct raw_setting *raw;
    size_t raw_count;
    int servers;       /* that listen */
    int64_t endpoints; /* 0: one, -1: none */
    int64_t connections, in_flight_max, circuit_failures;
    bool real, no_traces;
    const char *certificate, *key, *ca; /* TLS: paths; the server's, and whom the channel trusts */
    const char *server_name;
    const char *notice_base;
    const char *folder;
};

struct web {
    struct loop *loop;
    struct wire *wire;
    struct secrets *secrets;
    struct log log;
    struct settings settings;
    struct channel_settings channel_settings;
    struct tls_context *tls; /* of the servers */
    const char *endpoints[2];
    char endpoint_texts[2][64];
    struct channels *channels;
    struct channel *channel;
    char why[1000];
    size_t vault_before;
    struct web_server servers[2];
    struct web_request requests[WEB_REQUESTS_MAX];
    size_t requests_count;
    trace_taken_fn *taken;
    void *taken_arg;
    struct timer trace_timer;
    struct web_late late[WEB_CALLS_MAX];
    size_t late_count;
    unsigned late_refused; /* so many late answers are not taken */
    struct web_call calls[WEB_CALLS_MAX];
    size_t calls_count;
    uint32_t next_trace;
    int64_t deadline_us; /* of exchanges that are started; 0: the adapter's */
};

/* False when channels_open left the channel out; w->why says why. */
bool web_open(struct web *w, const struct web_plan *plan);
void web_close(struct web *w);
/* As after a crash: nothing is closed in order. */
void web_crash(struct web *w);
void web_run(struct web *w, int64_t ms);
/* Real time: until every call that was made is done. */
void web_run_until_done(struct web *w);
void web_listen(struct web *w, size_t server);
enum status web_prepare(struct web *w, struct web_call **out, const char *begin);
void web_start(struct web_call *c);
struct web_call *web_call(struct web *w, const char *begin);
/* Answers the index-th request that was held back. */
void web_answer(struct web *w, size_t index, int http_status, const char *body);
struct channel_health web_health(struct web *w);
void web_give_traces(struct web *w);

#endif
