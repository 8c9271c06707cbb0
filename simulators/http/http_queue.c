/* http_queue.c - the heap of things that wait; see http_host_int.h. */
#include "http_host_int.h"

#include "base/ensure.h"

#include <stdlib.h>

static struct view keep(uint8_t **at, struct view v)
{
    uint8_t *to = *at;
    if (v.len > 0)
        memcpy(to, v.ptr, v.len);
    *at += v.len;
    return view_of(to, v.len);
}

struct http_item *http_item_new(struct view method, struct view target, struct view headers,
                                struct view body)
{
    struct http_item *item =
        malloc(sizeof *item + method.len + target.len + headers.len + body.len + 1);
    ENSURE(item != NULL); /* a simulator without memory can keep no promise */
    *item = (struct http_item){ .how = HTTP_HOST_WHOLE };
    uint8_t *at = item->bytes;
    item->method = keep(&at, method);
    item->target = keep(&at, target);
    item->headers = keep(&at, headers);
    item->body = keep(&at, body);
    return item;
}

static bool before(const struct http_item *a, const struct http_item *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void http_queue_push(struct http_queue *q, struct http_item *item)
{
    if (q->count == q->room) {
        size_t room = q->room > 0 ? q->room * 2 : 64;
        struct http_item **items = realloc(q->items, room * sizeof(struct http_item *));
        ENSURE(items != NULL);
        q->items = items;
        q->room = room;
    }
    size_t at = q->count++;
    for (; at > 0 && before(item, q->items[(at - 1) / 2]); at = (at - 1) / 2)
        q->items[at] = q->items[(at - 1) / 2];
    q->items[at] = item;
}

struct http_item *http_queue_take(struct http_queue *q)
{
    if (q->count == 0)
        return NULL;
    struct http_item *first = q->items[0], *last = q->items[--q->count];
    for (size_t at = 0;;) {
        size_t child = at * 2 + 1;
        if (child + 1 < q->count && before(q->items[child + 1], q->items[child]))
            child++;
        if (child >= q->count || !before(q->items[child], last)) {
            q->items[at] = last;
            return first;
        }
        q->items[at] = q->items[child];
        at = child;
    }
}

int64_t http_queue_at_us(const struct http_queue *q)
{
    return q->count > 0 ? q->items[0]->at_us : INT64_MAX;
}

bool http_queue_before(const struct http_queue *a, const struct http_queue *b)
{
    return a->count > 0 && (b->count == 0 || before(a->items[0], b->items[0]));
}

void http_queue_clear(struct http_queue *q)
{
    for (size_t i = 0; i < q->count; i++)
        free(q->items[i]);
    q->count = 0;
}

void http_queue_fini(struct http_queue *q)
{
    http_queue_clear(q);
    free(q->items);
    *q = (struct http_queue){ 0 };
}
