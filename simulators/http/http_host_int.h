/* http_host_int.h - what the files of the host share: things that wait, and the host itself. */
#ifndef SIM_HTTP_HOST_INT_H
#define SIM_HTTP_HOST_INT_H

#include "http_faults.h"
#include "http_host.h"

#define HTTP_HOST_MAGIC 0x73696d68u

/* Something that waits for its time. Parts by kind:
 *     a request that is handled later: method, target, headers, body
 *     an answer:                       -, -, headers, body
 *     a notice:                        -, url, headers, body */
struct http_item {
    int64_t at_us;
    uint64_t order; /* equal times: the older one first */
    uint64_t id;
    struct view method, target, headers, body; /* in bytes */
    enum http_host_how how;                    /* answers, from here */
    size_t cut_bytes;
    int http_status;
    uint64_t tag; /* notices, from here */
    uint32_t tries;
    int64_t again_us;
    bool planned;   /* its accidents of this sending are decided */
    bool duplicate; /* a copy: nobody waits for its acknowledgement */
    struct http_plan plan;
    struct http_item *next; /* in flight */
    uint8_t bytes[];
};

/* A heap by (at_us, order). */
struct http_queue {
    struct http_item **items;
    size_t count, room;
};
struct http_item *http_item_new(struct view method, struct view target, struct view headers,
                                struct view body);
void http_queue_push(struct http_queue *q, struct http_item *item);
struct http_item *http_queue_take(struct http_queue *q); /* the first; NULL: empty */
int64_t http_queue_at_us(const struct http_queue *q);    /* of the first; INT64_MAX: empty */
bool http_queue_before(const struct http_queue *a, const struct http_queue *b);
void http_queue_clear(struct http_queue *q); /* frees the items; the queue can be used on */
void http_queue_fini(struct http_queue *q);

struct http_stats {
    uint64_t requests, handled, not_handled, closed, notices, notices_acknowledged,
        notices_given_up, notices_dropped, notices_lost;
};

struct http_host {
    uint32_t magic;
    struct http_host_config config;
    const struct sim_brain *type;
    void *brain;
    struct http_queue requests, answers, notices; /* that wait */
    struct http_item *in_flight;                  /* notices that were taken */
    struct http_item *given;                      /* the answer taken last: its views still live */
    uint64_t order, notice_id;
    int64_t clock_us;      /* the latest time that the brain has seen */
    int64_t down_until_us; /* INT64_MIN: up; INT64_MAX: until told otherwise */
    struct http_faults faults;
    struct settle_faults settlement; /* what goes wrong with records */
    uint64_t books;                  /* changes when the books are emptied */
    struct http_stats stats;
    uint8_t *headers_room, *body_room; /* what the brain writes into; garbled and cut copies */
};

/* Does what is due for the brain: requests that were held back, its ticks. */
void http_host_settle(struct http_host *h, int64_t now_us);
void http_host_forget_waiting(struct http_host *h, int64_t now_us);

#endif
