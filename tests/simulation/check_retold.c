/* check_retold.c - the journal against the rows: whoever reads only the journal (webhooks, streams,
 * audit) must come to what the rows say.
 *
 *   - The status of a payment is that of the last event that names one.
 *   - Each later operation was told once as pending (unless it ended where it began: money that
 *     came back by itself, a cancel of what was held) and once with its end and amount.
 *   - An attempt was told as being sent as often as it was sent.
 *   - No channel has used a trace number for two attempts.
 */
#include "sim.h"

#include "base/ensure.h"
#include "base/map.h"
#include "payment/render.h"
#include "json/json_read.h"

#include <stdio.h>
#include <stdlib.h>

#define ARENA_MAX ((size_t)16 * 1024 * 1024)
/* A life takes trace numbers in blocks of a thousand; after so many lives they begin anew. */
#define LIVES_MAX 500

struct told_operation {
    unsigned pending, ended;
    int64_t amount; /* at the end */
};

struct told {
    char status[24];
    struct told_operation *operations;
    unsigned *sent; /* by attempt */
};

struct retold {
    struct world *world;
    const struct payment_row *payment;
    const struct operation_row *operations;
    size_t operation_count;
    const struct attempt_row *attempts;
    size_t attempt_count;
};

/* The row that a member of the event names; count: none. */
static size_t operation_named(const struct retold *r, const struct json_node *data)
{
    struct view text;
    size_t i = 0;
    if (json_text(json_member(data, "operation"), &text) != STATUS_OK)
        return r->operation_count;
    for (int64_t id = 0; i < r->operation_count; i++)
        if (id_parse(operation_id_kind(r->operations[i].kind), text, &id) == STATUS_OK &&
            id == r->operations[i].id)
            break;
    return i;
}

static size_t attempt_named(const struct retold *r, const struct json_node *data)
{
    struct view text;
    int64_t id = 0;
    size_t i = 0;
    if (json_text(json_member(data, "attempt"), &text) != STATUS_OK ||
        id_parse(ID_ATTEMPT, text, &id) != STATUS_OK)
        return r->attempt_count;
    while (i < r->attempt_count && r->attempts[i].id != id)
        i++;
    return i;
}

static void hear(const struct retold *r, const struct event_row *e, struct told *told)
{
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    struct json_error error;
    struct arena arena;
    const struct json_node *data = NULL;
    struct view status;
    arena_init(&arena, ARENA_MAX);
    if (json_read(e->data_json, &limits, &arena, &data, &error) != STATUS_OK) {
        wrong(r->world, e->payment, "event %lld is no JSON", (long long)e->seq);
        arena_reset(&arena);
        return;
    }
    bool named = json_text(json_member(data, "status"), &status) == STATUS_OK;
    size_t operation = operation_named(r, data), attempt = attempt_named(r, data);
    if (named && view_starts_with(e->kind, VIEW("payment.")))
        ENSURE(view_to_text(status, told->status, sizeof told->status) == STATUS_OK);
    if (named && operation < r->operation_count) {
        struct told_operation *o = &told->operations[operation];
        bool pending = view_is(status, "pending");
        o->pending += pending;
        o->ended += !pending;
        if (!pending)
            IGNORE_STATUS(json_i64(json_member(data, "amount"), &o->amount)); /* else it stays 0 */
    }
    if (attempt < r->attempt_count && view_is(e->kind, "attempt.sending"))
        told->sent[attempt]++;
    arena_reset(&arena);
}

static void hear_all(const struct retold *r, struct told *told)
{
    int64_t after = 0;
    bool more = true;
    while (more) {
        struct arena arena;
        arena_init(&arena, ARENA_MAX);
        struct store_read page = { .question = STORE_EVENTS_OF_PAYMENT,
                                   .arena = &arena,
                                   .payment = r->payment->id,
                                   .after = after };
        ENSURE(world_read(r->world, &page) == STATUS_OK);
        for (size_t i = 0; i < page.count; i++) {
            after = page.events[i].seq;
            hear(r, &page.events[i], told);
        }
        more = page.more;
        arena_reset(&arena);
    }
}

static void compare_operation(const struct retold *r, const struct operation_row *o,
                              const struct told_operation *told)
{
    bool at_once = o->kind == OPERATION_REFUND || o->kind == OPERATION_CANCEL;
    bool is_open = o->status == OPERATION_STATUS_PENDING;
    if (o->kind == OPERATION_SALE || o->kind == OPERATION_AUTHORISE)
        return; /* the payment's own events tell of it */
    if (told->pending > 1 || (told->pending == 0 && !at_once) || told->ended != (is_open ? 0 : 1))
        wrong(r->world, r->payment->id,
              "%s %s: the journal tells %u times that it began and %u times that it ended",
              operation_word(o->kind), operation_status_word(o->status), told->pending,
              told->ended);
    else if (!is_open && told->amount != o->amount)
        wrong(r->world, r->payment->id, "%s %s of %lld is told as of %lld", operation_word(o->kind),
              operation_status_word(o->status), (long long)o->amount, (long long)told->amount);
}

void check_retold(struct world *world, const struct payment_row *p,
                  const struct operation_row *operations, size_t operation_count,
                  const struct attempt_row *attempts, size_t attempt_count)
{
    struct retold r = { world, p, operations, operation_count, attempts, attempt_count };
    struct told told = { .operations = calloc(operation_count + 1, sizeof *told.operations),
                         .sent = calloc(attempt_count + 1, sizeof *told.sent) };
    ENSURE(told.operations != NULL && told.sent != NULL);
    hear_all(&r, &told);
    if (strcmp(told.status, payment_status_word(p->status)) != 0)
        wrong(world, p->id, "it is %s, and the journal told last that it is %s",
              payment_status_word(p->status), told.status);
    for (size_t i = 0; i < operation_count; i++)
        compare_operation(&r, &operations[i], &told.operations[i]);
    for (size_t i = 0; i < attempt_count; i++)
        if (told.sent[i] != attempts[i].tries)
            wrong(world, p->id, "an attempt (%s) was sent %u times, and told %u times",
                  operation_word(attempts[i].verb), attempts[i].tries, told.sent[i]);
    free(told.operations);
    free(told.sent);
}

/* --- trace numbers -----------------------------------------------------------------------------
 */

void check_traces(struct world *world, struct map *seen, const struct attempt_row *attempts,
                  size_t count)
{
    if (world->crashes + world->restarts > LIVES_MAX)
        return;
    for (size_t i = 0; i < count; i++) {
        char key[80];
        int len = snprintf(key, sizeof key, "%.*s/%u", (int)attempts[i].channel.len,
                           (const char *)attempts[i].channel.ptr, attempts[i].trace);
        if (map_put(seen, view_of(key, (size_t)len), world) == STATUS_EXISTS)
            wrong(world, attempts[i].payment, "trace number %u of %.*s was used twice",
                  attempts[i].trace, (int)attempts[i].channel.len,
                  (const char *)attempts[i].channel.ptr);
    }
}
