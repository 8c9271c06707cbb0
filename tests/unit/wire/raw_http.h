/* raw_http.h - an HTTP server under test and a client that sends raw bytes and knows no HTTP.
 *
 *     raw_open(&raw, RAW_MEMORY, seed); raw_connect; raw_send ...; raw_until_closed; look;
 *     raw_close
 */
#ifndef TESTS_RAW_HTTP_H
#define TESTS_RAW_HTTP_H

#include "wire/http_server.h"
#include "wire/memory.h"

enum raw_kind { RAW_MEMORY = 1, RAW_REAL };
enum raw_answering { RAW_AT_ONCE = 1, RAW_LATER, RAW_NEVER };

struct raw {
    enum raw_kind kind;
    struct loop *loop;
    struct wire *wire;
    struct http_server *server;
    struct http_limits limits;
    /* the client */
    struct conn *conn;
    bool opened, closed;
    enum status why;
    uint8_t reply[1 << 18];
    size_t reply_len;
    size_t stop_at_len; /* real: raw_until_reply stops the loop here */
    /* the handler */
    enum raw_answering answering;
    int calls;
    char last[512]; /* "METHOD path|query|body" of the last request */
    size_t body_len;
    struct http_request *held;
    struct timer later;
};

/* Limits in raw->limits must be set (or zero) before. */
void raw_open(struct raw *raw, enum raw_kind kind, uint64_t seed);
void raw_close(struct raw *raw);
void raw_connect(struct raw *raw);
void raw_send(struct raw *raw, struct view bytes);
/* Lets `us` of virtual time pass (memory only). */
void raw_pass(struct raw *raw, int64_t us);
/* Until the client's connection is closed, or (virtual) 200 s have passed. */
void raw_until_closed(struct raw *raw);
/* Until at least `len` bytes of reply have come. */
void raw_until_reply(struct raw *raw, size_t len);

/* Reads the reply as a row of whole answers with Content-Length. Returns how many; -1 when it is
 * not that. statuses may be NULL. 100 is counted as an answer of its own. */
int raw_answers(const struct raw *raw, int *statuses, int max);

#endif
