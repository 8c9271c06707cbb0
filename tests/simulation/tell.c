/* tell.c - the story of one payment: its journal, its attempts, and what the card host has of it;
 * for the other rails the requests, answers and notices in which an attempt is named.
 */
#include "sim.h"

#include "base/ensure.h"
#include "domain/time.h"

#include <stdio.h>

#define ARENA_MAX ((size_t)16 * 1024 * 1024)

static void print_time(int64_t wall_us)
{
    char text[40];
    struct writer w = writer_over(text, sizeof text);
    time_format(&w, wall_us);
    printf("    %.*s ", (int)w.len, text);
}

static void tell_events(struct world *world, int64_t payment)
{
    struct arena arena;
    arena_init(&arena, ARENA_MAX);
    struct store_read read = { .question = STORE_EVENTS_OF_PAYMENT,
                               .arena = &arena,
                               .payment = payment };
    printf("  journal:\n");
    if (world_read(world, &read) == STATUS_OK)
        for (size_t i = 0; i < read.count; i++) {
            const struct event_row *e = &read.events[i];
            print_time(e->time_us);
            printf("%lld %.*s %.*s\n", (long long)e->seq, (int)e->kind.len,
                   (const char *)e->kind.ptr, (int)e->data_json.len,
                   (const char *)e->data_json.ptr);
        }
    arena_reset(&arena);
}

static void tell_entry(struct world *world, const struct card_entry *e)
{
    char text[CARD_ENTRY_JSON_MAX];
    struct writer w = writer_over(text, sizeof text);
    struct json_out j;
    json_out_init(&j, &w);
    card_entry_write(&j, e);
    int64_t offset_us = loop_wall_us(world->loop) - loop_now_us(world->loop);
    print_time(e->at_us + offset_us);
    printf("%.*s\n", (int)w.len, text);
}

static void tell_attempts(struct world *world, int64_t payment)
{
    const struct card_ledger *ledger = card_host_ledger(card_side_host(world->card));
    struct arena arena;
    arena_init(&arena, ARENA_MAX);
    struct store_read read = { .question = STORE_ATTEMPTS, .arena = &arena, .payment = payment };
    printf("  attempts, and the card host's entries:\n");
    if (world_read(world, &read) == STATUS_OK)
        for (size_t i = 0; i < read.count; i++) {
            const struct attempt_row *a = &read.attempts[i];
            struct card_identity id;
            const struct card_entry *e;
            attempt_identity(a, &id);
            print_time(a->created_us);
            printf("%s %lld, trace %06u, %.*s, tries %u: %s\n", operation_word(a->verb),
                   (long long)a->amount, a->trace, (int)a->channel.len,
                   (const char *)a->channel.ptr, a->tries, attempt_state_word(a->state));
            for (uint64_t n = card_ledger_first(ledger); (e = card_ledger_get(ledger, n)) != NULL;
                 n++)
                if (memcmp(&e->id, &id, sizeof id) == 0)
                    tell_entry(world, e);
        }
    arena_reset(&arena);
}

/* Every attempt's name in the forms that counterparts are told, and the merchant's code. */
static void tell_said(struct world *world, int64_t payment)
{
    struct arena arena;
    arena_init(&arena, ARENA_MAX);
    struct store_read read = { .question = STORE_ATTEMPTS, .arena = &arena, .payment = payment };
    char texts[2 * STORE_PAGE_MAX][ID_TEXT_MAX];
    const char *names[2 * STORE_PAGE_MAX];
    size_t count = 0;
    printf("  what was said between gateway and counterparts:\n");
    if (world_read(world, &read) == STATUS_OK)
        for (size_t i = 0; i < read.count; i++) {
            names[count] = texts[count];
            (void)id_format(ID_ATTEMPT, read.attempts[i].id, texts[count++]);
            names[count] = texts[count];
            attempt_base36(read.attempts[i].id, texts[count++]);
        }
    for (unsigned rail = RAIL_QR; rail <= RAIL_CBDC; rail++)
        if (world->sides[rail] != NULL)
            http_side_tell(world->sides[rail], names, count);
    arena_reset(&arena);
}

void tell_payment(struct world *world, int64_t payment)
{
    char id[ID_TEXT_MAX];
    if (world->gateway == NULL || world->life != LIFE_UP)
        return;
    printf("  --- %s\n", id_format(ID_PAYMENT, payment, id));
    tell_events(world, payment);
    tell_attempts(world, payment);
    tell_said(world, payment);
    for (uint32_t i = 0; i < world->options->payments; i++) {
        const struct story *story = &world->stories[i];
        for (size_t k = 0; story->payment == payment && k < story->ask_count; k++)
            printf("    asked %s %s %s: %d after %u tries\n", story->asks[k]->key,
                   story->asks[k]->path, k > 0 ? story->asks[k]->body : "", story->asks[k]->status,
                   story->asks[k]->tries);
    }
}
