/* check_http.c - the gateway's books against the ledgers of wallet, bank and central bank.
 *
 * These are told the attempt's own name, in the letters that they allow, so entry and attempt find
 * each other one by one:
 *
 *     qr     order_id, refund_id: the attempt; a static code's payment: its reference holds it
 *     bank   EndToEndId "RGE" (of a refund "RGF"), RtrId "RGR" and 13 letters of base 36; a payment
 *            that came in: the structured reference that the payer was given
 *     cbdc   id: the attempt
 *
 * For every operation: what its attempts have moved there, less what came back, is what the gateway
 * says: its amount if it succeeded, else nothing. No entry is booked twice, none is nobody's.
 *
 * What may be otherwise needs two things: that the story did something no machine can put right
 * (enum excuse), and that the gateway says so openly, by an attempt in conflict or parked, or by an
 * event (paid_again, returned, return_unexpected, late_answer). Only where notices were lost for
 * good (http_side_lost_notices) may it know nothing of money that came without our asking.
 */
#include "sim.h"

#include "base/ensure.h"
#include "base/map.h"
#include "flow/flow.h"
#include "json/json_read.h"

#include <stdio.h>
#include <stdlib.h>

#define LEDGER_PAGE  2000
#define ARENA_MAX    ((size_t)64 * 1024 * 1024)
#define NAME_LETTERS 64
#define RECEIVE_US   (300 * LOOP_US_PER_S) /* receive_expires_s of channels/bank_a.yaml */

struct movement {
    struct movement *same; /* the next with this name */
    char name[NAME_LETTERS], kind[16];
    char theirs[32]; /* the counterpart's own name of it */
    char currency[4], from[40], to[40];
    int64_t amount, returned;
    int64_t booked; /* times */
    bool seen;
};

struct http_books {
    struct world *world;
    enum rail rail;
    struct movement *rows;
    size_t count, room;
    struct map *by_name;
    bool lossy, garbles;
};

/* --- the ledger ----------------------------------------------------------------------------------
 */

static void take_text(const struct json_node *entry, const char *name, char *out, size_t room)
{
    struct view text;
    out[0] = '\0';
    if (json_text(json_member(entry, name), &text) == STATUS_OK)
        ENSURE(view_to_text(text, out, room) == STATUS_OK);
}

static int64_t number_of(const struct json_node *entry, const char *name)
{
    int64_t number = 0;
    IGNORE_STATUS(json_i64(json_member(entry, name), &number)); /* absent: 0 */
    return number;
}

/* By what an attempt can be found. A refund by pacs.004 has the credit's EndToEndId, and its own id
 * as TxId; a payment of a static code, or one that came in, has a reference only. */
static void take_name(struct http_books *books, const struct json_node *entry, struct movement *m)
{
    char reference[NAME_LETTERS];
    take_text(entry, "reference", reference, sizeof reference);
    take_text(entry, "id", m->name, sizeof m->name);
    if (books->rail == RAIL_QR && m->name[0] == '\0')
        memcpy(m->name, reference, sizeof m->name);
    if (books->rail != RAIL_BANK)
        return;
    if (strcmp(m->kind, "credit") == 0)
        memcpy(m->name, reference, sizeof m->name);
    if (strcmp(m->kind, "return") == 0)
        take_text(entry, "tx_id", m->name, sizeof m->name);
}

/* As it stands in answers and notices. */
static void take_theirs(const struct http_books *books, const struct json_node *entry,
                        struct movement *m)
{
    if (books->rail == RAIL_QR)
        take_text(entry, "provider_id", m->theirs, sizeof m->theirs);
    else
        (void)snprintf(m->theirs, sizeof m->theirs,
                       books->rail == RAIL_BANK ? "A%015lld" : "cb-%012lld",
                       (long long)number_of(entry, "number"));
}

static void take_entry(struct http_books *books, const struct json_node *entry)
{
    if (books->count == books->room) {
        books->room = books->room * 2 + 256;
        books->rows = realloc(books->rows, books->room * sizeof *books->rows);
        ENSURE(books->rows != NULL);
    }
    struct movement *m = &books->rows[books->count++];
    char state[16];
    *m = (struct movement){ .amount = number_of(entry, "amount_minor"),
                            .returned = number_of(entry, "returned_minor"),
                            .booked = 1 };
    take_text(entry, "kind", m->kind, sizeof m->kind);
    take_text(entry, "state", state, sizeof state);
    take_text(entry, "currency", m->currency, sizeof m->currency);
    take_text(entry, books->rail == RAIL_BANK ? "debtor_account" : "from", m->from, sizeof m->from);
    take_text(entry, books->rail == RAIL_BANK ? "creditor_account" : "to", m->to, sizeof m->to);
    take_name(books, entry, m);
    take_theirs(books, entry, m);
    if (books->rail == RAIL_BANK)
        m->booked = number_of(entry, "booked");
    if (books->rail == RAIL_CBDC)
        m->booked = strcmp(state, "declined") != 0;
    /* A lock that ended without a release: all of it went back. */
    if (books->rail == RAIL_CBDC && strcmp(m->kind, "lock") == 0 &&
        (strcmp(state, "expired") == 0 || strcmp(state, "canceled") == 0) &&
        number_of(entry, "released_minor") == 0)
        m->returned = m->amount;
}

static uint64_t read_page(struct http_books *books, uint64_t from)
{
    struct http_host *host = http_side_host(books->world->sides[books->rail]);
    struct json_limits limits = { .bytes_max = ARENA_MAX, .nodes_max = 1000000, .depth_max = 16 };
    struct arena arena;
    const struct json_node *root = NULL;
    struct json_error error;
    char query[64];
    (void)snprintf(query, sizeof query, "from=%llu&limit=%d", (unsigned long long)from,
                   LEDGER_PAGE);
    size_t room = http_host_control_room(host, VIEW("GET"), VIEW("/ledger"), view_text(query));
    uint8_t *text = malloc(room);
    ENSURE(text != NULL);
    struct writer w = writer_over(text, room);
    arena_init(&arena, ARENA_MAX);
    ENSURE(http_host_control(host, VIEW("GET"), VIEW("/ledger"), view_text(query), VIEW_EMPTY,
                             loop_now_us(books->world->loop), &w) == 200);
    ENSURE(json_read(writer_done(&w), &limits, &arena, &root, &error) == STATUS_OK);
    bool balanced = true;
    if (json_bool(json_member(json_member(root, "totals"), "balanced"), &balanced) == STATUS_OK &&
        !balanced)
        wrong(books->world, 0, "the books of %s are not balanced", rail_word(books->rail));
    for (JSON_EACH(entry, json_member(root, "entries")))
        take_entry(books, entry);
    uint64_t next = (uint64_t)number_of(root, "next");
    arena_reset(&arena);
    free(text);
    return next;
}

struct http_books *http_books_read(struct world *world, enum rail rail)
{
    struct http_books *books = calloc(1, sizeof *books);
    ENSURE(books != NULL);
    books->world = world;
    books->rail = rail;
    books->lossy = http_side_lost_notices(world->sides[rail]);
    books->garbles = http_side_garbles(world->sides[rail]);
    for (uint64_t from = 1; from != 0;)
        from = read_page(books, from);
    books->by_name = map_open(books->count + 64, 1);
    ENSURE(books->by_name != NULL);
    for (size_t i = books->count; i > 0; i--) { /* so that the first comes first */
        struct movement *m = &books->rows[i - 1];
        m->same = map_take(books->by_name, view_text(m->name));
        ENSURE(map_put(books->by_name, view_text(m->name), m) == STATUS_OK);
    }
    return books;
}

void http_books_close(struct http_books *books)
{
    map_close(books->by_name);
    free(books->rows);
    free(books);
}

/* --- what an attempt has moved -------------------------------------------------------------------
 */

void attempt_base36(int64_t number, char out[14])
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (int i = 12; i >= 0; i--, number /= 36)
        out[i] = digits[number % 36];
    out[13] = '\0';
}

/* The structured creditor reference (ISO 11649): check digits over "RG..." and "RF". */
static void creditor_reference(const char *letters, char out[24])
{
    unsigned rest = 0;
    char text[24];
    (void)snprintf(text, sizeof text, "RG%sRF00", letters);
    for (const char *c = text; *c != '\0'; c++) {
        unsigned value = *c >= 'A' ? (unsigned)(*c - 'A') + 10 : (unsigned)(*c - '0');
        rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
    }
    (void)snprintf(out, 24, "RF%02uRG%s", 98 - rest, letters);
}

#define NAMES_MAX 4

static void names_of(enum rail rail, const struct attempt_row *row, char out[NAMES_MAX][24])
{
    char letters[14];
    memset(out, 0, NAMES_MAX * sizeof out[0]);
    attempt_base36(row->id, letters);
    if (rail != RAIL_BANK) {
        (void)id_format(ID_ATTEMPT, row->id, out[0]);
        if (rail == RAIL_QR)
            memcpy(out[1], letters, sizeof letters);
        return;
    }
    (void)snprintf(out[0], sizeof out[0], "RGE%s", letters);
    (void)snprintf(out[1], sizeof out[1], "RGR%s", letters);
    (void)snprintf(out[2], sizeof out[2], "RGF%s", letters);
    creditor_reference(letters, out[3]);
}

struct moved {
    int64_t minor, returned, expired;
    unsigned times;
};

static struct moved moved_by(struct http_books *books, const struct attempt_row *row)
{
    struct moved sum = { 0 };
    char names[NAMES_MAX][24];
    names_of(books->rail, row, names);
    for (size_t i = 0; i < NAMES_MAX; i++) {
        struct movement *m =
            names[i][0] != '\0' ? map_get(books->by_name, view_text(names[i])) : NULL;
        for (; m != NULL; m = m->same) {
            m->seen = true;
            /* Neither is a movement that was asked for: a lock that ended, a call for money. */
            sum.expired += strcmp(m->kind, "expire") == 0 ? m->amount : 0;
            if (m->booked == 0 || strcmp(m->kind, "expire") == 0 || strcmp(m->kind, "recall") == 0)
                continue;
            sum.times++;
            sum.minor += m->amount;
            sum.returned += m->returned;
            if (m->booked > 1)
                wrong(books->world, row->payment, "%s: %s was booked %lld times",
                      rail_word(books->rail), m->name, (long long)m->booked);
        }
    }
    return sum;
}

static void whose_moved(struct http_books *books, const struct payment_row *p,
                        const struct story *story, const struct attempt_row *row)
{
    char names[NAMES_MAX][24];
    names_of(books->rail, row, names);
    for (size_t i = 0; i < NAMES_MAX; i++) {
        const struct movement *m =
            names[i][0] != '\0' ? map_get(books->by_name, view_text(names[i])) : NULL;
        for (; m != NULL; m = m->same) {
            struct whose of = {
                .kind = m->kind, .currency = m->currency, .from = m->from, .to = m->to
            };
            check_whose(books->world, story, p, row, &of);
        }
    }
}

bool http_books_calls(struct http_books *books, const struct attempt_row *row, int64_t amount,
                      const char *name)
{
    char names[NAMES_MAX][24];
    names_of(books->rail, row, names);
    for (size_t i = 0; i < NAMES_MAX; i++) {
        const struct movement *m =
            names[i][0] != '\0' ? map_get(books->by_name, view_text(names[i])) : NULL;
        for (; m != NULL; m = m->same)
            if (m->booked > 0 && m->amount == amount &&
                (name == NULL || strcmp(name, m->theirs) == 0 || strcmp(name, m->name) == 0))
                return true;
    }
    return false;
}

void http_books_whose(const struct http_books *books, const char *name, char *out, size_t room)
{
    (void)snprintf(out, room, "nothing that %s knows", rail_word(books->rail));
    for (size_t i = 0; i < books->count; i++) {
        const struct movement *m = &books->rows[i];
        if (strcmp(m->theirs, name) == 0 || strcmp(m->name, name) == 0)
            (void)snprintf(out, room, "the %s %.30s of %lld", m->kind, m->name,
                           (long long)m->amount);
    }
}

/* --- what the gateway says openly ---------------------------------------------------------------
 */

struct said_openly {
    bool conflict, parked, paid_again, returned, late;
    int64_t began_us, conflict_us; /* of the first event; of the last conflict, or 0 */
    bool heard_yes;                /* an answer, a notice or an inquiry has said that it was done */
    bool by_amount;                /* what was left to refund is an amount that answers another */
};

/* "attempt.conflict" and "payment.conflict" both tell of a conflict. */
static bool tells(struct view kind, const char *what)
{
    size_t dot = view_find(kind, '.');
    return view_is(view_slice(kind, dot + 1, kind.len), what);
}

static struct said_openly openly(struct world *world, int64_t payment)
{
    struct said_openly said = { 0 };
    int64_t after = 0;
    bool more = true;
    while (more) {
        struct arena arena;
        arena_init(&arena, ARENA_MAX);
        struct store_read page = {
            .question = STORE_EVENTS_OF_PAYMENT, .arena = &arena, .payment = payment, .after = after
        };
        ENSURE(world_read(world, &page) == STATUS_OK);
        for (size_t i = 0; i < page.count; i++) {
            struct view kind = page.events[i].kind;
            after = page.events[i].seq;
            if (said.began_us == 0)
                said.began_us = page.events[i].time_us;
            if (tells(kind, "conflict"))
                said.conflict_us = page.events[i].time_us;
            said.conflict |= tells(kind, "conflict") || tells(kind, "paid_other_amount");
            said.parked |= tells(kind, "parked");
            said.paid_again |= tells(kind, "paid_again");
            said.returned |= tells(kind, "returned") || tells(kind, "return_unexpected") ||
                             tells(kind, "return_covered");
            said.late |= tells(kind, "late_answer") || tells(kind, "paid_late");
            said.heard_yes |= tells(kind, "approved") || tells(kind, "found");
        }
        more = page.more;
        arena_reset(&arena);
    }
    return said;
}

/* --- one payment --------------------------------------------------------------------------------
 */

static bool excused(const struct http_books *books, const struct story *story,
                    const struct said_openly *said)
{
    unsigned excuses = story != NULL ? story->excuses : 0;
    if (story != NULL && story->canceled)
        excuses |= EXCUSE_LATE; /* it may have been paid at that moment */
    if (said->by_amount)
        excuses |= EXCUSE_AMOUNT;
    if ((excuses & (EXCUSE_AMOUNT | EXCUSE_LATE | EXCUSE_CONTRADICTION)) != 0 &&
        (said->conflict || said->returned || said->late))
        return true;
    if ((excuses & EXCUSE_TWICE) != 0 && (said->paid_again || said->conflict))
        return true;
    if ((excuses & EXCUSE_RETURNED) != 0 && said->returned)
        return true;
    if ((excuses & EXCUSE_FOREVER) != 0 && said->parked)
        return true;
    /* Paid in time, but the gateway was down, or the network, whenever the bank told of it, until
     * the time to pay was over; and a bank cannot be asked who has paid. */
    if (books->rail == RAIL_BANK && story != NULL && story->receives && said->conflict_us != 0 &&
        (said->conflict_us - said->began_us >= RECEIVE_US || books->world->clock_moves))
        return true;
    /* Unheard of: came by a notice only. */
    if (books->lossy && story != NULL &&
        ((excuses & (EXCUSE_TWICE | EXCUSE_RETURNED | EXCUSE_LATE | EXCUSE_CONTRADICTION)) != 0 ||
         story->receives))
        return true;
    return books->garbles && (said->conflict || said->parked);
}

static bool is_open(enum attempt_state state)
{
    return state == ATTEMPT_SENDING || state == ATTEMPT_PENDING || state == ATTEMPT_UNKNOWN ||
           state == ATTEMPT_REVERSING;
}

/* True: a person has it. */
static bool check_states(struct http_books *books, const struct story *story,
                         const struct attempt_row *attempts, size_t count,
                         const struct said_openly *said)
{
    struct world *world = books->world;
    bool with_a_person = false;
    for (size_t i = 0; i < count; i++) {
        const struct attempt_row *row = &attempts[i];
        world_tally(world, "%s %s %s", rail_word(books->rail), operation_word(row->verb),
                    attempt_state_word(row->state));
        if (is_open(row->state))
            wrong(world, row->payment, "an attempt (%s) is left %s", operation_word(row->verb),
                  attempt_state_word(row->state));
        if (row->state != ATTEMPT_PARKED && row->state != ATTEMPT_CONFLICT)
            continue;
        with_a_person = true;
        world->conflicts += row->state == ATTEMPT_CONFLICT;
        world->parked += row->state == ATTEMPT_PARKED;
        /* Nobody pays, and nobody can be asked whether somebody will: after its time a person
         * decides. If it was paid all the same, check_one finds that. */
        bool never_paid = story != NULL && (story->is_static || story->receives) &&
                          (row->verb == OPERATION_SALE || row->verb == OPERATION_INQUIRE) &&
                          row->state == ATTEMPT_PARKED;
        /* The bank never answers to a recall of this amount, by which it is canceled or refunded.
         */
        bool silent_recall = story != NULL && books->rail == RAIL_BANK && story->amount == 9207 &&
                             row->verb != OPERATION_SALE;
        /* The lock was over when it was asked about, and only then came the answer that it is
         * made: the gateway leaves such a thing to a person, and no money is missing. */
        bool lapsed = story != NULL && story->lock_expires && row->verb == OPERATION_AUTHORISE &&
                      row->state == ATTEMPT_CONFLICT;
        if (!never_paid && !silent_recall && !lapsed && !excused(books, story, said))
            wrong(world, row->payment, "an attempt (%s) is %s, and nothing has happened to it",
                  operation_word(row->verb), attempt_state_word(row->state));
    }
    return with_a_person;
}

/* What was sent by bank comes back as a whole or in parts of the very entry that sent it: for a
 * refund or a recall the sale's entry tells, and these have none. */
static bool comes_back(const struct http_books *books, const struct story *story)
{
    return books->rail == RAIL_BANK && story != NULL && !story->receives;
}

static int64_t expected_of(const struct http_books *books, const struct payment_row *p,
                           const struct story *story, const struct operation_row *o)
{
    if (o->status != OPERATION_STATUS_SUCCEEDED)
        return 0;
    if (o->kind == OPERATION_SALE && comes_back(books, story))
        return o->amount - p->refunded;
    if (o->kind == OPERATION_REFUND && comes_back(books, story))
        return 0;
    /* To cancel moves nothing, but at the ledger, where it gives back what is locked. */
    return o->kind == OPERATION_CANCEL && books->rail != RAIL_CBDC ? 0 : o->amount;
}

static int64_t expired_of(struct http_books *books, const struct attempt_row *attempts,
                          size_t count)
{
    int64_t expired = 0;
    for (size_t i = 0; i < count; i++)
        if (attempts[i].verb == OPERATION_AUTHORISE)
            expired += moved_by(books, &attempts[i]).expired;
    return expired;
}

static void check_one(struct http_books *books, const struct payment_row *p,
                      const struct story *story, const struct operation_row *o,
                      const struct attempt_row *attempts, size_t count,
                      const struct said_openly *said)
{
    struct world *world = books->world;
    struct moved sum = { 0 };
    bool theirs = false;
    for (size_t i = 0; i < count; i++) {
        if (attempts[i].operation != o->id)
            continue;
        theirs = true;
        if (attempts[i].verb == OPERATION_INQUIRE || attempts[i].verb == OPERATION_REVERSE)
            continue;
        check_http_answer(books, world, p, o, &attempts[i]);
        whose_moved(books, p, story, &attempts[i]);
        struct moved one = moved_by(books, &attempts[i]);
        if (one.times > 0 && attempts[i].state == ATTEMPT_NOT_SENT &&
            o->status != OPERATION_STATUS_SUCCEEDED)
            wrong(world, p->id, "an attempt is not_sent, but %s has it", rail_word(books->rail));
        sum.minor += one.minor;
        sum.times += one.times;
        sum.returned += one.returned;
    }
    int64_t expected = expected_of(books, p, story, o);
    if (!theirs) { /* money that came back by itself; the sale's entry tells of it */
        bool by_itself = o->kind == OPERATION_REFUND && books->rail == RAIL_BANK;
        by_itself = by_itself || (o->kind == OPERATION_CANCEL && count == 0); /* waited for a yes */
        if (!by_itself && o->status != OPERATION_STATUS_FAILED) /* failed: no channel took it */
            wrong(world, p->id, "%s without an attempt", operation_word(o->kind));
        return;
    }
    if (o->kind == OPERATION_SALE && comes_back(books, story))
        sum.minor -= sum.returned;
    /* What was to be given back had gone back by itself. */
    if (o->kind == OPERATION_CANCEL && sum.minor == 0 && expired_of(books, attempts, count) > 0)
        return;
    /* Found only when the lock had ended: as if it had never been. */
    if (o->kind == OPERATION_AUTHORISE && expected == 0)
        sum.minor -= sum.returned;
    if (sum.minor == expected && sum.times <= 1)
        return;
    /* The bank says yes to this amount and books it, and then says no. Whom only the no has
     * reached, because the connection broke under the yes, cannot know of a contradiction: the
     * bank's statement would tell. Who has heard both must say so. */
    bool half_heard = story != NULL && (story->excuses & EXCUSE_CONTRADICTION) != 0 &&
                      o->kind == OPERATION_SALE && o->status == OPERATION_STATUS_FAILED &&
                      !said->heard_yes && sum.times == 1;
    if (half_heard)
        world_tally(world, "excused: %s said yes and no, and the no was heard",
                    rail_word(books->rail));
    if (half_heard || excused(books, story, said)) {
        world->excused++;
        return;
    }
    wrong(world, p->id, "%s %s: the gateway has %lld in force, %s %lld (%u entries)",
          operation_word(o->kind), operation_status_word(o->status), (long long)expected,
          rail_word(books->rail), (long long)sum.minor, sum.times);
}

bool check_http_payment(struct http_books *books, const struct payment_row *p,
                        const struct story *story, const struct operation_row *ops, size_t count,
                        const struct attempt_row *attempts, size_t attempt_count)
{
    struct said_openly said = openly(books->world, p->id);
    for (size_t i = 0; i < attempt_count && books->rail == RAIL_CBDC; i++)
        said.by_amount |=
            attempts[i].verb == OPERATION_REFUND && cbdc_answers_another(attempts[i].amount);
    bool with_a_person = check_states(books, story, attempts, attempt_count, &said);
    for (size_t i = 0; i < count; i++) {
        if (ops[i].status == OPERATION_STATUS_PENDING && !with_a_person)
            wrong(books->world, p->id, "an operation (%s) is left pending",
                  operation_word(ops[i].kind));
        check_one(books, p, story, &ops[i], attempts, attempt_count, &said);
    }
    return with_a_person;
}

void check_http_rest(struct http_books *books)
{
    for (size_t i = 0; i < books->count; i++) {
        const struct movement *m = &books->rows[i];
        bool by_itself = strcmp(m->kind, "recall") == 0 ||
                         (strcmp(m->kind, "return") == 0 && strncmp(m->name, "RG", 2) != 0);
        if (m->booked > 0 && !m->seen && !by_itself)
            wrong(books->world, 0, "%s: entry %zu (%s %s, %lld) has no attempt",
                  rail_word(books->rail), i + 1, m->kind, m->name, (long long)m->amount);
        if (m->booked > 1)
            wrong(books->world, 0, "%s: entry %zu (%s %s) was booked %lld times",
                  rail_word(books->rail), i + 1, m->kind, m->name, (long long)m->booked);
    }
}
