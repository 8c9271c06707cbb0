/* check.c - the books of the gateway against the ledger of the card host, when all is quiet; the
 * ledgers of the other counterparts are looked at in check_http.c.
 *
 *     1  every payment and operation that was answered with 2xx is there, once, as it was told
 *     2  every entry of the card host has its attempt: nothing left without a record
 *     3  for every operation: what is in force at the card host is what the gateway has booked;
 *        nothing was booked twice; all together the card host's total is the gateway's
 *     4  the sums of every payment hold, and nothing is on its way any more
 *     5  every attempt has come to its end; none waits for a person, except where an approval
 *        came after its attempt had been reversed (docs: a late answer is a conflict), or where an
 *        answer named another amount
 *     6  the journal has no gap, and every payment's part of it begins with payment.created
 *        What it tells is what the rows say (check_retold.c)
 *     7  requests that went out on two connections at once were answered with the same bytes
 *     8  references and codes are those of the very entry (check_answers.c)
 *     9  each entry is about whom it was asked for, in the payment's currency (check_whose.c)
 *
 * The card host and the gateway share no name for a thing. What ties an entry to an attempt is what
 * the message carried: trace number, time and terminal (docs/rails/card-wire.md).
 */
#include "sim.h"

#include "base/ensure.h"
#include "base/map.h"
#include "domain/time.h"
#include "flow/flow.h"

#include <stdio.h>
#include <stdlib.h>

#define ARENA_MAX      ((size_t)16 * 1024 * 1024)
#define IDENTITY_KINDS 3 /* 0400 and 0420 are entries of one kind; their MTIs differ */

struct books {
    struct world *world;
    const struct card_ledger *ledger;
    struct map *entries; /* identity and MTI -> entry */
    struct map *traces;  /* those that were used */
    bool *seen;          /* by entry number: an attempt belongs to it */
    uint64_t first, last;
    int64_t charged_minor; /* by the gateway's books */
    struct http_books *http[RAIL_CBDC + 1];
    struct rules_check *rules;
};

/* --- entries and attempts ----------------------------------------------------------------------
 */

void attempt_identity(const struct attempt_row *row, struct card_identity *out)
{
    struct civil t;
    char text[CARD_IDENTITY_SIZE * 4];
    civil_from_us(row->time_us, 0, &t);
    bool a = view_is(row->channel, "card_a");
    (void)snprintf(text, sizeof text, "%06u%02d%02d%02d%02d%02d%s", row->trace, t.month, t.day,
                   t.hour, t.minute, t.second, a ? "SIMTERMA" : "SIMTERMB");
    memcpy(out->text, text, CARD_IDENTITY_SIZE);
}

/* Class and function of the message: a repeat (0221) is the same as the first (0220). */
static const char *mti_of(enum operation verb)
{
    switch (verb) {
    case OPERATION_AUTHORISE: return "0100";
    case OPERATION_SALE:
    case OPERATION_REFUND: return "0200";
    case OPERATION_CAPTURE: return "0220";
    case OPERATION_CANCEL: return "0400";
    default: return "0420";
    }
}

static struct view entry_key(const struct card_identity *id, const char *mti, uint8_t out[64])
{
    struct writer w = writer_over(out, 64);
    writer_bytes(&w, id->text, CARD_IDENTITY_SIZE);
    writer_bytes(&w, mti, 3);
    return writer_done(&w);
}

static void index_entries(struct books *books)
{
    const struct card_entry *e;
    uint8_t key[64];
    struct world *world = books->world;
    books->first = card_ledger_first(books->ledger);
    for (uint64_t n = books->first; (e = card_ledger_get(books->ledger, n)) != NULL; n++) {
        books->last = n;
        char first[5] = { e->mti[0], e->mti[1], e->mti[2], '0', '\0' };
        if (e->booked > 1)
            wrong(world, 0, "entry %llu was booked %u times", (unsigned long long)n, e->booked);
        if (map_put(books->entries, entry_key(&e->id, first, key), (void *)(uintptr_t)e) !=
            STATUS_OK)
            wrong(world, 0, "entry %llu: the card host has two entries for one message",
                  (unsigned long long)n);
    }
    if (card_ledger_forgotten(books->ledger) > 0)
        wrong(world, 0, "the card host's ledger is too small for this run");
}

static const struct card_entry *entry_of(struct books *books, const struct attempt_row *row)
{
    struct card_identity id;
    uint8_t key[64];
    attempt_identity(row, &id);
    const struct card_entry *e = map_get(books->entries, entry_key(&id, mti_of(row->verb), key));
    if (e != NULL)
        books->seen[e->number] = true;
    return e;
}

static struct story *story_of(struct world *world, const struct payment_row *p);

/* --- one operation -----------------------------------------------------------------------------
 */

struct operation_sums {
    int64_t in_force; /* at the card host: booked, less what was given back */
    unsigned attempts, booked, approved;
    bool conflict; /* an answer named another amount, and a person has it */
};

static void check_attempt_state(struct books *books, const struct attempt_row *row,
                                const struct operation_row *operation, struct operation_sums *sums)
{
    struct world *world = books->world;
    bool first = row->verb == OPERATION_AUTHORISE || row->verb == OPERATION_SALE;
    if (first && row->amount == CARD_AMOUNT_ANSWERED_WRONG && row->state == ATTEMPT_APPROVED)
        wrong(world, row->payment, "an attempt (%s) is approved by an answer of another amount",
              operation_word(row->verb));
    switch (row->state) {
    case ATTEMPT_SENDING:
    case ATTEMPT_PENDING:
    case ATTEMPT_UNKNOWN:
    case ATTEMPT_REVERSING:
    case ATTEMPT_PARKED:
        wrong(world, row->payment, "an attempt (%s) is left %s", operation_word(row->verb),
              attempt_state_word(row->state));
        break;
    case ATTEMPT_CONFLICT:
        world->conflicts++;
        sums->conflict = operation->status == OPERATION_STATUS_PENDING &&
                         row->amount == CARD_AMOUNT_ANSWERED_WRONG;
        if (operation->status != OPERATION_STATUS_FAILED && !sums->conflict)
            wrong(world, row->payment, "an attempt (%s) is in conflict, its operation %s",
                  operation_word(row->verb), operation_status_word(operation->status));
        break;
    default: break;
    }
}

/* What became of an attempt at the card host, added to its operation's sums. */
static void add_attempt(struct books *books, const struct attempt_row *row,
                        struct operation_sums *sums)
{
    const struct card_entry *e = entry_of(books, row);
    world_tally(books->world, "attempt %s %s%s", operation_word(row->verb),
                attempt_state_word(row->state), row->tries > 1 ? " repeated" : "");
    if (row->verb == OPERATION_REVERSE || row->verb == OPERATION_INQUIRE)
        return;
    sums->attempts++;
    sums->approved += row->state == ATTEMPT_APPROVED;
    if (e == NULL)
        return;
    if (row->state == ATTEMPT_NOT_SENT)
        wrong(books->world, row->payment, "an attempt is not_sent, but the card host has it");
    sums->booked += e->booked > 0;
    /* What a cancel gave back stays given back: `reversed` of the entry it refers to. */
    sums->in_force += e->approved_minor - e->reversed_minor;
}

static void check_entry_whose(struct books *books, const struct payment_row *p,
                              const struct attempt_row *row)
{
    const struct card_entry *e = entry_of(books, row);
    const struct currency *currency = NULL;
    uint64_t number = 0;
    if (e == NULL)
        return;
    bool known = view_to_u64(view_text(e->currency), UINT16_MAX, &number) == STATUS_OK &&
                 currency_by_number((uint16_t)number, &currency) == STATUS_OK;
    struct whose of = { .kind = card_entry_kind_name(e->kind),
                        .currency = known ? currency->code : "none",
                        .from = e->pan,
                        .to = "" };
    check_whose(books->world, story_of(books->world, p), p, row, &of);
}

/* True: a person has it. */
static bool check_operation(struct books *books, const struct payment_row *p,
                            const struct operation_row *o, const struct attempt_row *attempts,
                            size_t count)
{
    struct world *world = books->world;
    struct operation_sums sums = { 0 };
    for (size_t i = 0; i < count; i++) {
        if (attempts[i].operation != o->id)
            continue;
        check_attempt_state(books, &attempts[i], o, &sums);
        add_attempt(books, &attempts[i], &sums);
        check_card_answer(world, p, o, &attempts[i], entry_of(books, &attempts[i]));
        check_entry_whose(books, p, &attempts[i]);
    }
    if (sums.conflict) { /* the card host has booked it all the same */
        books->charged_minor += o->kind == OPERATION_AUTHORISE ? 0
                                : o->kind == OPERATION_REFUND  ? -sums.in_force
                                                               : sums.in_force;
        return true;
    }
    int64_t expected = o->status == OPERATION_STATUS_SUCCEEDED ? o->amount : 0;
    if (o->kind == OPERATION_AUTHORISE && o->status == OPERATION_STATUS_SUCCEEDED)
        expected -= p->released;
    if (o->status == OPERATION_STATUS_PENDING)
        wrong(world, p->id, "an operation (%s) is left pending", operation_word(o->kind));
    if (o->kind == OPERATION_CANCEL && count == 0) /* it waited for somebody: nothing was sent */
        return false;
    if (sums.approved != (o->status == OPERATION_STATUS_SUCCEEDED ? 1 : 0))
        wrong(world, p->id, "%s %s with %u approved attempts", operation_word(o->kind),
              operation_status_word(o->status), sums.approved);
    if (sums.in_force != expected)
        wrong(world, p->id,
              "%s %s: the gateway has %lld in force, the card host %lld (%u attempts, %u booked)",
              operation_word(o->kind), operation_status_word(o->status), (long long)expected,
              (long long)sums.in_force, sums.attempts, sums.booked);
    return false;
}

/* --- one payment -------------------------------------------------------------------------------
 */

static void check_sums(struct world *world, const struct payment_row *p,
                       const struct operation_row *ops, size_t count, bool with_a_person)
{
    struct flow_sums sums = { p->amount,    p->authorized, p->capturing, p->captured,
                              p->releasing, p->released,   p->refunding, p->refunded };
    int64_t captured = 0, refunded = 0, released = 0;
    if (!flow_sums_hold(&sums))
        wrong(world, p->id, "the sums do not hold");
    if (!with_a_person &&
        (p->capturing != 0 || p->releasing != 0 || p->refunding != 0 || !flow_is_final(p->status)))
        wrong(world, p->id,
              "it is quiet, but %s with %lld capturing, %lld releasing, %lld refunding",
              payment_status_word(p->status), (long long)p->capturing, (long long)p->releasing,
              (long long)p->refunding);
    for (size_t i = 0; i < count; i++) {
        if (ops[i].status != OPERATION_STATUS_SUCCEEDED)
            continue;
        captured +=
            ops[i].kind == OPERATION_SALE || ops[i].kind == OPERATION_CAPTURE ? ops[i].amount : 0;
        refunded += ops[i].kind == OPERATION_REFUND ? ops[i].amount : 0;
        /* A cancel before anything was approved takes no sums (flow.h). */
        released += ops[i].kind == OPERATION_CANCEL && p->authorized > 0 ? ops[i].amount : 0;
    }
    if (captured != p->captured || refunded != p->refunded || released != p->released)
        wrong(world, p->id,
              "captured %lld, released %lld, refunded %lld, and by its operations %lld, %lld, %lld",
              (long long)p->captured, (long long)p->released, (long long)p->refunded,
              (long long)captured, (long long)released, (long long)refunded);
}

static bool contains(struct view text, const char *part)
{
    return text.len > 0 && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

static const struct operation_row *find_operation(const struct operation_row *ops, size_t count,
                                                  const char *reference, unsigned *found)
{
    char text[96];
    const struct operation_row *last = NULL;
    *found = 0;
    (void)snprintf(text, sizeof text, "\"reference\":\"%s\"", reference);
    for (size_t i = 0; i < count; i++) {
        if (!contains(ops[i].facts_json, text))
            continue;
        last = &ops[i];
        ++*found;
    }
    return last;
}

/* What the merchant was told is what is in the books. */
static void check_told(struct world *world, const struct story *story, const struct payment_row *p,
                       const struct operation_row *ops, size_t count)
{
    bool told_good =
        strcmp(story->told, "authorized") == 0 || strcmp(story->told, "succeeded") == 0;
    bool told_bad = strcmp(story->told, "failed") == 0 || strcmp(story->told, "reversed") == 0;
    bool is_bad = p->status == PAYMENT_FAILED || p->status == PAYMENT_REVERSED;
    if ((told_good && is_bad) || (told_bad && !is_bad))
        wrong(world, p->id, "the merchant was told %s, and it is %s", story->told,
              payment_status_word(p->status));
    for (size_t i = 0; i < story->ask_count; i++) {
        const struct ask *ask = story->asks[i];
        unsigned found;
        char status[24];
        if (ask->verb <= OPERATION_SALE || ask->twin != NULL)
            continue;
        if (strstr(ask->body, "probe") != NULL || ask->verb > OPERATION_REFUND)
            continue;
        const struct operation_row *o = find_operation(ops, count, ask->key, &found);
        bool accepted = ask->status >= 200 && ask->status < 300;
        if (found > 1 || (accepted && found == 0) || (!accepted && found > 0))
            wrong(world, p->id, "%s %s was answered %d and is recorded %u times", ask->path,
                  ask->key, ask->status, found);
        if (o == NULL || ask->verb != OPERATION_REFUND || ask->status != 201)
            continue;
        if (!ask_text(ask, "status", status, sizeof status) ||
            strcmp(status, operation_status_word(o->status)) != 0)
            wrong(world, p->id, "the merchant was told that a refund %s, and it %s", status,
                  operation_status_word(o->status));
    }
}

static void check_twins(struct world *world, const struct story *story)
{
    for (size_t i = 0; i < story->ask_count; i++) {
        const struct ask *a = story->asks[i], *b = a->twin;
        if (b != NULL && (a->status != b->status || a->answer_len != b->answer_len ||
                          memcmp(a->answer, b->answer, a->answer_len) != 0))
            wrong(world, story->payment, "one key, two answers: %d %s and %d %s", a->status,
                  a->answer, b->status, b->answer);
    }
}

static bool check_card_payment(struct books *books, const struct payment_row *p,
                               const struct store_read *ops, const struct store_read *attempts)
{
    bool with_a_person = false;
    for (size_t i = 0; i < ops->count; i++)
        if (check_operation(books, p, &ops->operations[i], attempts->attempts, attempts->count))
            with_a_person = true;
    books->charged_minor += p->captured - p->refunded;
    return with_a_person;
}

static void check_payment(struct books *books, const struct payment_row *p)
{
    struct world *world = books->world;
    const struct story *story = story_of(world, p);
    struct arena arena;
    arena_init(&arena, ARENA_MAX);
    struct store_read ops = { .question = STORE_OPERATIONS, .arena = &arena, .payment = p->id };
    struct store_read attempts = { .question = STORE_ATTEMPTS, .arena = &arena, .payment = p->id };
    ENSURE(world_read(world, &ops) == STATUS_OK && !ops.more);
    ENSURE(world_read(world, &attempts) == STATUS_OK);
    bool with_a_person = false;
    if (ops.count == 0)
        wrong(world, p->id, "a payment without an operation");
    if (p->rail == RAIL_CARD)
        with_a_person = check_card_payment(books, p, &ops, &attempts);
    else if (books->http[p->rail] == NULL)
        wrong(world, p->id, "a payment of a rail that nobody asked for");
    else
        with_a_person = check_http_payment(books->http[p->rail], p, story, ops.operations,
                                           ops.count, attempts.attempts, attempts.count);
    check_sums(world, p, ops.operations, ops.count, with_a_person);
    check_traces(world, books->traces, attempts.attempts, attempts.count);
    check_retold(world, p, ops.operations, ops.count, attempts.attempts, attempts.count);
    if (story != NULL && story->payment == p->id)
        check_told(world, story, p, ops.operations, ops.count);
    if (!with_a_person && story != NULL)
        check_in_time(world, story, p, ops.operations, ops.count);
    rules_check_payment(books->rules, story, p, attempts.count);
    world_tally(world, "%s payment %s", rail_word(p->rail), payment_status_word(p->status));
    arena_reset(&arena);
}

/* --- all of them -------------------------------------------------------------------------------
 */

/* The story that a payment belongs to, by the reference the merchant gave it. */
static struct story *story_of(struct world *world, const struct payment_row *p)
{
    char text[64];
    unsigned number = 0;
    if (view_to_text(p->reference, text, sizeof text) != STATUS_OK ||
        sscanf(text, "story-%u", &number) != 1 || number >= world->options->payments)
        return NULL;
    return &world->stories[number];
}

static void check_payments(struct books *books)
{
    struct world *world = books->world;
    int64_t after = 0;
    bool more = true;
    unsigned *made = calloc(world->options->payments, sizeof *made);
    ENSURE(made != NULL);
    while (more) {
        struct arena arena;
        arena_init(&arena, ARENA_MAX);
        struct store_read page = { .question = STORE_PAYMENTS, .arena = &arena, .after = after };
        ENSURE(world_read(world, &page) == STATUS_OK);
        for (size_t i = 0; i < page.count; i++) {
            struct story *story = story_of(world, &page.payments[i]);
            after = page.payments[i].id;
            if (story == NULL)
                wrong(world, after, "a payment that nobody asked for");
            else if (++made[story->number] > 1)
                wrong(world, after, "story %u has made more than one payment", story->number);
            else if (story->payment != after)
                wrong(world, after, "story %u was not told of this payment", story->number);
            check_payment(books, &page.payments[i]);
        }
        more = page.more;
        arena_reset(&arena);
    }
    for (uint32_t i = 0; i < world->options->payments; i++) {
        if (made[i] == 0 && world->stories[i].payment != 0)
            wrong(world, world->stories[i].payment, "this payment was answered and is lost");
        check_twins(world, &world->stories[i]);
    }
    free(made);
}

static void check_entries(struct books *books)
{
    for (uint64_t n = books->first; n <= books->last; n++) {
        const struct card_entry *e = card_ledger_get(books->ledger, n);
        if (e != NULL && !books->seen[n])
            wrong(books->world, 0, "entry %llu of the card host (%s, %lld) has no attempt",
                  (unsigned long long)n, card_entry_kind_name(e->kind), (long long)e->amount_minor);
    }
}

static void check_journal(struct world *world, struct rules_check *rules)
{
    int64_t seq = 0;
    bool more = true;
    struct map *begun = map_open(world->options->payments * 2 + 64, 1);
    ENSURE(begun != NULL);
    while (more) {
        struct arena arena;
        arena_init(&arena, ARENA_MAX);
        struct store_read page = { .question = STORE_EVENTS, .arena = &arena, .after = seq };
        ENSURE(world_read(world, &page) == STATUS_OK);
        for (size_t i = 0; i < page.count; i++) {
            const struct event_row *e = &page.events[i];
            if (e->seq != ++seq)
                wrong(world, e->payment, "the journal jumps from %lld to %lld",
                      (long long)(seq - 1), (long long)e->seq);
            seq = e->seq;
            struct view key = view_of(&e->payment, sizeof e->payment);
            if (e->payment != 0 && /* else it is about a profile */
                view_is(e->kind, "payment.created") == (map_get(begun, key) != NULL))
                wrong(world, e->payment, "event %lld: %.*s", (long long)seq, (int)e->kind.len,
                      (const char *)e->kind.ptr);
            IGNORE_STATUS(map_put(begun, key, world)); /* EXISTS after the first */
            if (contains(e->data_json, "\"state\":\"reversing\"") &&
                !contains(e->data_json, "\"reason\":"))
                wrong(world, e->payment, "event %lld: it is reversed, and nothing says why",
                      (long long)seq);
            if (view_is(e->kind, "attempt.late_answer") &&
                contains(e->data_json, "\"state\":\"reversed\"") &&
                contains(e->data_json, "\"code\":\"00\""))
                wrong(world, e->payment, "a late approval of what was reversed, and no conflict");
            rules_check_event(rules, e);
            world_trace(world, "event", e->kind);
            world_tally(world, "event %.*s", (int)e->kind.len, (const char *)e->kind.ptr);
            world_trace(world, "data", e->data_json);
        }
        more = page.more;
        arena_reset(&arena);
    }
    world->events = (uint64_t)seq;
    map_close(begun);
}

static void check_totals(struct books *books)
{
    const struct card_totals *totals = card_ledger_sums(books->ledger);
    if (totals->booked_more_than_once > 0)
        wrong(books->world, 0, "the card host has booked %lld entries more than once",
              (long long)totals->booked_more_than_once);
    if (totals->charged_minor != books->charged_minor)
        wrong(books->world, 0,
              "the card host has charged %lld in all, the gateway's books say %lld",
              (long long)totals->charged_minor, (long long)books->charged_minor);
}

/* --- bugs put in on purpose --------------------------------------------------------------------
 */

static void plant(struct world *world)
{
    /* The ledger is the host's own; this is the hand of a saboteur. */
    struct card_ledger *ledger =
        (struct card_ledger *)(uintptr_t)card_host_ledger(card_side_host(world->card));
    struct card_entry *e;
    for (uint64_t n = card_ledger_first(ledger); (e = card_ledger_change(ledger, n)) != NULL; n++) {
        if (e->kind > CARD_ENTRY_SALE || e->booked == 0)
            continue;
        if (world->options->plant == PLANT_BOOK_TWICE) {
            e->approved_minor *= 2;
            card_ledger_totals(ledger)->charged_minor += e->approved_minor / 2;
        } else if (world->options->plant == PLANT_UNRECORDED) {
            e->id.text[5] = e->id.text[5] == '9' ? '8' : '9';
        } else {
            return;
        }
        world->planted = true;
        return;
    }
}

void check_books(struct world *world)
{
    if (world->gateway == NULL || !gateway_ready(world->gateway)) {
        wrong(world, 0, "the gateway is not up at the end");
        return;
    }
    plant(world);
    struct books books = { .world = world,
                           .ledger = card_host_ledger(card_side_host(world->card)) };
    size_t room = 256 + world->options->payments * 128;
    books.entries = map_open(room, 1);
    books.traces = map_open(room, 1);
    ENSURE(books.entries != NULL && books.traces != NULL);
    index_entries(&books);
    books.rules = rules_check_open(world);
    books.seen = calloc(books.last + 1, sizeof *books.seen);
    ENSURE(books.seen != NULL);
    for (unsigned rail = RAIL_QR; rail <= RAIL_CBDC; rail++)
        if (world->sides[rail] != NULL)
            books.http[rail] = http_books_read(world, (enum rail)rail);
    check_payments(&books);
    for (unsigned rail = RAIL_QR; rail <= RAIL_CBDC; rail++)
        if (books.http[rail] != NULL) {
            check_http_rest(books.http[rail]);
            http_books_close(books.http[rail]);
        }
    check_entries(&books);
    check_totals(&books);
    check_journal(world, books.rules);
    rules_check_close(books.rules);
    free(books.seen);
    map_close(books.entries);
    map_close(books.traces);
}
