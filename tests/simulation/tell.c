/* tell.c - the story of one payment, for somebody who has never seen the simulation: what the
 * merchant asked and was told, what the gateway wrote down, what it sent, what the counterpart has
 * in its books or said; and at the end again what does not fit.
 *
 * Times are those of the gateway's wall clock. Card numbers are masked, though they are test ones.
 */
#include "sim.h"

#include "base/ensure.h"
#include "domain/time.h"

#include <stdio.h>

#define ARENA_MAX ((size_t)16 * 1024 * 1024)

#define BODY_TOLD_MAX 600

static void print_time(int64_t wall_us)
{
    char text[40];
    struct writer w = writer_over(text, sizeof text);
    time_format(&w, wall_us);
    printf("    %.*s ", (int)w.len, text);
}

void tell_time(const struct world *world, int64_t loop_us)
{
    print_time(loop_us + loop_wall_us(world->loop) - loop_now_us(world->loop));
}

static void print_masked(const char *body)
{
    char text[BODY_TOLD_MAX];
    (void)snprintf(text, sizeof text, "%s", body);
    char *pan = strstr(text, "\"pan\":\"");
    for (size_t i = 0; pan != NULL && pan[7 + i] != '"' && pan[7 + i] != '\0'; i++)
        if (i >= 6 && i < 12)
            pan[7 + i] = '*';
    printf("%s", text);
}

static void tell_asked(const struct story *story)
{
    printf("  What the merchant asked for, under which idempotency key, and the final answer:\n");
    for (size_t i = 0; i < story->ask_count; i++) {
        const struct ask *ask = story->asks[i];
        printf("    %s POST %s ", ask->key, ask->path);
        print_masked(ask->body);
        printf("\n        -> %d after %u %s%s\n", ask->status, ask->tries,
               ask->tries == 1 ? "try" : "tries",
               ask->twin != NULL ? " (the same request, on a second connection)" : "");
        if (ask->answer != NULL)
            printf("           %.*s\n", BODY_TOLD_MAX, ask->answer);
    }
}

static void tell_events(struct world *world, int64_t payment)
{
    struct arena arena;
    arena_init(&arena, ARENA_MAX);
    struct store_read read = { .question = STORE_EVENTS_OF_PAYMENT,
                               .arena = &arena,
                               .payment = payment };
    printf("  What the gateway wrote into its journal (time, position, event):\n");
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
    tell_time(world, e->at_us);
    printf("  booked: %.*s\n", (int)w.len, text);
}

static void tell_attempts(struct world *world, int64_t payment)
{
    const struct card_ledger *ledger = card_host_ledger(card_side_host(world->card));
    struct arena arena;
    arena_init(&arena, ARENA_MAX);
    struct store_read read = { .question = STORE_ATTEMPTS, .arena = &arena, .payment = payment };
    printf("  What it sent, attempt by attempt, and what came of it%s:\n",
           world_has(world, RAIL_CARD) ? " (and below each what the card host has booked)" : "");
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
    printf("  What was said between gateway, counterparts and payers:\n");
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

static const struct story *story_with(const struct world *world, int64_t payment)
{
    for (uint32_t i = 0; i < world->options->payments; i++)
        if (world->stories[i].payment == payment)
            return &world->stories[i];
    return NULL;
}

void tell_payment(struct world *world, int64_t payment)
{
    char id[ID_TEXT_MAX];
    const struct story *story = story_with(world, payment);
    if (world->gateway == NULL || world->life != LIFE_UP)
        return;
    printf("  --- the story of %s", id_format(ID_PAYMENT, payment, id));
    if (story != NULL)
        printf(": %s, %lld %s in minor units", rail_word(story->rail), (long long)story->amount,
               story->currency);
    printf("; the gateway crashed %llu times in this run, and its clock %s\n",
           (unsigned long long)world->crashes, world_clock_wrong(world) ? "jumped" : "was right");
    if (story != NULL)
        tell_asked(story);
    tell_events(world, payment);
    tell_attempts(world, payment);
    if (story == NULL || story->rail != RAIL_CARD)
        tell_said(world, payment);
    printf("  What does not fit:\n    %s\n", world->wrong_text);
}
