/* targets.c - the endpoints in memory: two hash tables with chains through the targets. */
#include "outbox_int.h"

#include <stdlib.h>

#define BUCKETS_FIRST 64

static size_t bucket_of(const struct outbox *outbox, int64_t number)
{
    uint64_t mixed = (uint64_t)number * UINT64_C(0x9E3779B97F4A7C15); /* 2^64 / golden ratio */
    return (size_t)(mixed >> 32) & (outbox->buckets - 1);
}

struct target *target_find(const struct outbox *outbox, int64_t id)
{
    if (outbox->buckets == 0)
        return NULL;
    struct target *at = outbox->by_id[bucket_of(outbox, id)];
    while (at != NULL && at->row.id != id)
        at = at->next_of_id;
    return at;
}

struct target *target_of_merchant(const struct outbox *outbox, int64_t merchant)
{
    return outbox->buckets == 0 ? NULL : outbox->by_merchant[bucket_of(outbox, merchant)];
}

bool target_next(const struct outbox *outbox, size_t *bucket, struct target **at)
{
    if (*at != NULL)
        *at = (*at)->next_of_id;
    else if (outbox->buckets > 0)
        *at = outbox->by_id[*bucket];
    while (*at == NULL && *bucket + 1 < outbox->buckets)
        *at = outbox->by_id[++*bucket];
    return *at != NULL;
}

static void link_in(struct outbox *outbox, struct target *target)
{
    struct target **id = &outbox->by_id[bucket_of(outbox, target->row.id)];
    struct target **merchant = &outbox->by_merchant[bucket_of(outbox, target->row.merchant)];
    target->next_of_id = *id;
    *id = target;
    target->next_of_merchant = *merchant;
    *merchant = target;
}

static enum status grow(struct outbox *outbox)
{
    size_t before = outbox->buckets, after = before == 0 ? BUCKETS_FIRST : before * 2;
    struct target **by_id = calloc(after, sizeof *by_id);
    struct target **by_merchant = calloc(after, sizeof *by_merchant);
    if (by_id == NULL || by_merchant == NULL) {
        free(by_id);
        free(by_merchant);
        return STATUS_NO_MEMORY;
    }
    struct target **old = outbox->by_id;
    free(outbox->by_merchant);
    outbox->by_id = by_id;
    outbox->by_merchant = by_merchant;
    outbox->buckets = after;
    for (size_t i = 0; i < before; i++)
        for (struct target *at = old[i], *next; at != NULL; at = next) {
            next = at->next_of_id;
            link_in(outbox, at);
        }
    free(old);
    return STATUS_OK;
}

static struct view keep(uint8_t **at, struct view text)
{
    if (text.len == 0)
        return VIEW_EMPTY;
    struct view copy = view_of(*at, text.len);
    memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return copy;
}

enum status target_set(struct target *target, const struct endpoint_row *row)
{
    size_t len = row->url.len + row->kinds.len + row->secret.len + row->old_secret.len;
    uint8_t *text = malloc(len), *at = text;
    if (text == NULL)
        return STATUS_NO_MEMORY;
    struct endpoint_row copy = *row;
    copy.url = keep(&at, row->url);
    copy.kinds = keep(&at, row->kinds);
    copy.secret = keep(&at, row->secret); /* sealed */
    copy.old_secret = keep(&at, row->old_secret);
    copy.description = copy.why = VIEW_EMPTY; /* of no interest here */
    free(target->text);
    target->text = text;
    target->row = copy;
    return STATUS_OK;
}

static void retry(struct timer *timer, void *arg)
{
    struct target *target = arg;
    ENSURE_MAGIC(target, TARGET_MAGIC);
    (void)timer;
    ENSURE(target->state == TARGET_WAITING);
    if (target->stale) {
        outbox_read_row(target->outbox, target->row.id);
        return;
    }
    target->row.next_us = 0;
    target->state = TARGET_IDLE;
    target_settle(target);
}

enum status target_add(struct outbox *outbox, const struct endpoint_row *row, struct target **out)
{
    if (outbox->target_count >= OUTBOX_ENDPOINTS_MAX)
        return STATUS_FULL;
    if (outbox->target_count >= outbox->buckets)
        TRY(grow(outbox));
    struct target *target = calloc(1, sizeof *target);
    if (target == NULL)
        return STATUS_NO_MEMORY;
    target->magic = TARGET_MAGIC;
    target->outbox = outbox;
    target->state = TARGET_IDLE;
    timer_init(&target->timer, outbox->o.loop, retry, target);
    if (target_set(target, row) != STATUS_OK) {
        free(target);
        return STATUS_NO_MEMORY;
    }
    target->scan_from = target->pending_to = row->cursor;
    link_in(outbox, target);
    outbox->target_count++;
    *out = target;
    return STATUS_OK;
}

void target_remove(struct target *target)
{
    struct outbox *outbox = target->outbox;
    struct target **at = &outbox->by_id[bucket_of(outbox, target->row.id)];
    while (*at != target)
        at = &(*at)->next_of_id;
    *at = target->next_of_id;
    at = &outbox->by_merchant[bucket_of(outbox, target->row.merchant)];
    while (*at != target)
        at = &(*at)->next_of_merchant;
    *at = target->next_of_merchant;
    outbox->target_count--;
    timer_stop(&target->timer);
    list_remove(&target->link);
    free(target->text);
    target->magic = 0;
    free(target);
}
