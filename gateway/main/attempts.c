/* attempts.c - `railgate attempts`: what is not settled, from the records, also while the gateway
 * runs (read only); and `railgate attempt resolve`: a person's word, through the gateway's socket.
 *
 * The list goes page by page and prints as it goes, so its length does not matter. Beside each
 * attempt stands what reverses or asks about it, and the last reason that the journal gives: looked
 * up for all of a page at once, since one payment may have most of them.
 */
#include "main/cli.h"

#include "base/ensure.h"
#include "base/json_out.h"
#include "domain/money.h"
#include "domain/time.h"
#include "main/admin_client.h"
#include "main/masked.h"
#include "main/paint.h"
#include "payment/render.h"
#include "payment/resolve.h"
#include "json/json_read.h"

#include <stdlib.h>

#define ARENA_BYTES ((size_t)32 * 1024 * 1024)
#define LINE_BYTES  ((size_t)16 * 1024)
#define TOTALS_MAX  256 /* more than there are currencies */

struct wanted {
    const char *config, *older_than;
    bool unknown, parked, conflict, pending, all, json;
    int64_t older_us;
};

struct total {
    char currency[4];
    uint64_t count;
    int64_t amount;
};

struct listing {
    struct cli_store cli;
    const struct wanted *wanted;
    struct arena page, beside; /* attempts of a page; what is asked beside them */
    int64_t now_us;
    int channel_width;
    uint64_t printed;
    struct total totals[TOTALS_MAX];
    size_t total_count;
};

/* An attempt and what is known beside its row. */
struct looked_up {
    const struct attempt_row *row;
    struct attempt_row remedy; /* the last one that reverses or asks about it; id 0: none */
    struct view reason;        /* in `room` */
    uint8_t *room;
    size_t room_len;
};

static const char *text_of(struct writer *w)
{
    IGNORE_STATUS(writer_terminate(w)); /* a cut text is still a text */
    return (const char *)w->ptr;
}

static void format_money(struct writer *w, int64_t minor, const char *code)
{
    struct money money = { .minor = minor };
    if (currency_by_code(view_text(code), &money.currency) == STATUS_OK)
        money_format(w, money);
    else
        writer_format(w, "%lld %s", (long long)minor, code);
}

/* "45s", "12m", "3h", "9d". */
static void format_age(struct writer *w, int64_t age_us)
{
    static const struct {
        int64_t s;
        char unit;
    } units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' } };
    int64_t s = age_us > 0 ? age_us / LOOP_US_PER_S : 0;
    for (size_t i = 0; i < COUNT_OF(units); i++)
        if (s >= 2 * units[i].s) {
            writer_format(w, "%lld%c", (long long)(s / units[i].s), units[i].unit);
            return;
        }
    writer_format(w, "%llds", (long long)s);
}

/* --- what stands beside a row ------------------------------------------------------------------
 */

static struct view member_text(const struct json_node *object, const char *name)
{
    struct view text = VIEW_EMPTY;
    IGNORE_STATUS(json_text(json_member(object, name), &text));
    return text;
}

/* The id in an event's data; 0: there is none. */
static int64_t member_attempt(const struct json_node *data, const char *name)
{
    int64_t id = 0;
    return id_parse(ID_ATTEMPT, member_text(data, name), &id) == STATUS_OK ? id : 0;
}

/* Of this attempt, or of one that serves it. */
static bool is_about(const struct json_node *data, int64_t attempt)
{
    return member_attempt(data, "attempt") == attempt ||
           member_attempt(data, "of_attempt") == attempt;
}

static const struct json_node *event_data(const struct event_row *event, struct arena *arena)
{
    const struct json_node *data = NULL;
    if (event->data_json.len == 0 ||
        json_read(event->data_json, NULL, arena, &data, NULL) != STATUS_OK)
        return NULL;
    return data;
}

/* Some attempts of one payment, by id: what is asked about one of them is asked about all at once,
 * for each question goes through all that the payment has. */
struct group {
    int64_t payment;
    struct looked_up *rows[STORE_PAGE_MAX];
    size_t count;
};

static struct looked_up *in_group(const struct group *group, int64_t attempt)
{
    for (size_t i = 0; i < group->count; i++)
        if (group->rows[i]->row->id == attempt)
            return group->rows[i];
    return NULL;
}

static enum status look_up_remedies(struct cli_store *cli, struct arena *page,
                                    const struct group *group)
{
    struct store_read read = { .question = STORE_ATTEMPTS,
                               .arena = page,
                               .payment = group->payment,
                               .through = group->rows[0]->row->id }; /* remedies come later */
    do {
        TRY(cli_ask_page(cli, &read));
        for (size_t i = 0; i < read.count; i++) {
            const struct attempt_row *row = &read.attempts[i];
            struct looked_up *of = row->parent != 0 ? in_group(group, row->parent) : NULL;
            if (of != NULL) /* its texts end with the page */
                of->remedy = (struct attempt_row){
                    .id = row->id, .verb = row->verb, .state = row->state, .tries = row->tries
                };
        }
    } while (read.more);
    return STATUS_OK;
}

/* The last one counts, and takes the room of those before it. */
static void note_reason(struct looked_up *of, struct arena *arena, struct view reason)
{
    if (of == NULL)
        return;
    if (of->room_len < reason.len) {
        of->room = arena_alloc(arena, 2 * reason.len);
        of->room_len = of->room != NULL ? 2 * reason.len : 0;
    }
    struct writer w = writer_over(of->room, of->room_len);
    writer_view(&w, reason);
    of->reason = writer_done(&w);
}

static enum status look_up_reasons(struct cli_store *cli, struct arena *page, struct arena *arena,
                                   const struct group *group)
{
    struct store_read read = { .question = STORE_EVENTS_OF_PAYMENT,
                               .arena = page,
                               .payment = group->payment };
    do {
        TRY(cli_ask_page(cli, &read));
        for (size_t i = 0; i < read.count; i++) {
            const struct json_node *data = event_data(&read.events[i], page);
            struct view reason = member_text(data, "reason");
            if (reason.len == 0)
                continue;
            int64_t attempt = member_attempt(data, "attempt"),
                    served = member_attempt(data, "of_attempt");
            note_reason(in_group(group, attempt), arena, reason);
            if (served != attempt)
                note_reason(in_group(group, served), arena, reason);
        }
    } while (read.more);
    return STATUS_OK;
}

/* A payment may have very many attempts and events: only what was found of them is kept. */
static enum status look_up(struct cli_store *cli, struct arena *arena, const struct group *group)
{
    struct arena page;
    arena_init(&page, ARENA_BYTES);
    enum status status = look_up_remedies(cli, &page, group);
    if (status == STATUS_OK)
        status = look_up_reasons(cli, &page, arena, group);
    arena_reset(&page);
    return status;
}

/* Rows of a page, of any payments; those of one stand anywhere among them. */
static enum status look_up_all(struct cli_store *cli, struct arena *arena, struct looked_up *found,
                               size_t count)
{
    bool done[STORE_PAGE_MAX] = { false };
    for (size_t i = 0; i < count; i++) {
        struct group group = { .payment = found[i].row->payment };
        for (size_t j = i; j < count; j++)
            if (!done[j] && found[j].row->payment == group.payment) {
                group.rows[group.count++] = &found[j];
                done[j] = true;
            }
        if (group.count > 0)
            TRY(look_up(cli, arena, &group));
    }
    return STATUS_OK;
}

/* --- one row ---------------------------------------------------------------------------------- */

static void print_head(const struct listing *l)
{
    printf("%-18s %-18s %-*s %-9s %-9s %18s %6s %6s %-24s %s\n", "ID", "PAYMENT", l->channel_width,
           "CHANNEL", "VERB", "STATE", "AMOUNT", "AGE", "TRIES", "NEXT", "REASON");
}

static void print_row(const struct listing *l, const struct looked_up *found)
{
    const struct attempt_row *row = found->row;
    char id[ID_TEXT_MAX], payment[ID_TEXT_MAX], amount[48], age[24], tries[32], next[40];
    struct writer a = writer_over(amount, sizeof amount), g = writer_over(age, sizeof age),
                  t = writer_over(tries, sizeof tries), n = writer_over(next, sizeof next);
    format_money(&a, watch_amount(row), row->currency);
    format_age(&g, l->now_us - watch_since_us(row));
    writer_format(&t, "%u", row->tries);
    if (found->remedy.id != 0)
        writer_format(&t, "+%u", found->remedy.tries);
    if (row->next_us != 0)
        time_format(&n, row->next_us);
    else
        writer_text(&n, "-");
    printf("%-18s %-18s %-*.*s %-9s %-9s %18s %6s %6s %-24s ", id_format(ID_ATTEMPT, row->id, id),
           id_format(ID_PAYMENT, row->payment, payment), l->channel_width, (int)row->channel.len,
           (const char *)row->channel.ptr, operation_word(row->verb),
           attempt_state_word(row->state), text_of(&a), text_of(&g), text_of(&t), text_of(&n));
    print_safe(stdout, found->reason);
    printf("\n");
}

static void put_members(struct json_out *j, const struct looked_up *found, int64_t now_us)
{
    const struct attempt_row *row = found->row;
    char id[ID_TEXT_MAX];
    int64_t since_us = watch_since_us(row);
    json_put_text(j, "id", view_text(id_format(ID_ATTEMPT, row->id, id)));
    json_put_text(j, "payment", view_text(id_format(ID_PAYMENT, row->payment, id)));
    json_put_text(j, "merchant", view_text(id_format(ID_MERCHANT, row->merchant, id)));
    json_put_text(j, "channel", row->channel);
    json_put_text(j, "verb", view_text(operation_word(row->verb)));
    json_put_text(j, "state", view_text(attempt_state_word(row->state)));
    json_open_object(j, "amount");
    json_put_i64(j, "value", watch_amount(row));
    json_put_text(j, "currency", view_text(row->currency));
    json_close_object(j);
    json_put_time(j, "created", row->created_us);
    json_put_time(j, "since", since_us);
    json_put_i64(j, "age_s", now_us > since_us ? (now_us - since_us) / LOOP_US_PER_S : 0);
    json_put_i64(j, "trace", row->trace);
    json_put_i64(j, "tries", row->tries);
    if (row->next_us != 0)
        json_put_time(j, "next", row->next_us);
    else
        json_put_null(j, "next");
    if (found->remedy.id != 0) {
        json_open_object(j, "remedy");
        json_put_text(j, "id", view_text(id_format(ID_ATTEMPT, found->remedy.id, id)));
        json_put_text(j, "verb", view_text(operation_word(found->remedy.verb)));
        json_put_text(j, "state", view_text(attempt_state_word(found->remedy.state)));
        json_put_i64(j, "tries", found->remedy.tries);
        json_close_object(j);
    }
    json_put_text_if(j, "reason", found->reason);
}

static void print_json_row(struct listing *l, const struct looked_up *found)
{
    uint8_t *room = arena_alloc(&l->beside, LINE_BYTES);
    struct writer w = writer_over(room, room != NULL ? LINE_BYTES : 0);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    put_members(&j, found, l->now_us);
    json_close_object(&j);
    if (l->printed > 0)
        cli_print(VIEW(",\n"));
    cli_print(writer_done(&w));
}

/* --- the list --------------------------------------------------------------------------------- */

static bool is_wanted(const struct listing *l, const struct attempt_row *row)
{
    const struct wanted *w = l->wanted;
    if (l->now_us - watch_since_us(row) < w->older_us)
        return false;
    bool any = w->unknown || w->parked || w->conflict || w->pending;
    switch (watch_class_of(row)) {
    case WATCH_UNKNOWN: return !any || w->unknown;
    case WATCH_PARKED: return !any || w->parked;
    case WATCH_CONFLICT: return !any || w->conflict;
    default: break;
    }
    if (row->state == ATTEMPT_PENDING)
        return !any || w->pending;
    return w->all; /* its answer is not due yet */
}

static void add_total(struct listing *l, const struct attempt_row *row)
{
    size_t i = 0;
    while (i < l->total_count && strcmp(l->totals[i].currency, row->currency) != 0)
        i++;
    if (i == TOTALS_MAX)
        return;
    if (i == l->total_count) {
        memcpy(l->totals[i].currency, row->currency, sizeof l->totals[i].currency);
        l->total_count++;
    }
    int64_t amount = watch_amount(row), left = INT64_MAX - l->totals[i].amount;
    l->totals[i].count++;
    l->totals[i].amount += amount < left ? amount : left;
}

static void print_totals(const struct listing *l)
{
    if (l->wanted->json)
        cli_print(VIEW("],\"totals\":["));
    else if (l->printed == 0)
        printf("no such attempt\n");
    for (size_t i = 0; i < l->total_count; i++) {
        const struct total *total = &l->totals[i];
        char amount[48];
        struct writer w = writer_over(amount, sizeof amount);
        if (l->wanted->json) {
            printf("%s{\"currency\":\"%s\",\"count\":%llu,\"amount\":%lld}", i > 0 ? "," : "",
                   total->currency, (unsigned long long)total->count, (long long)total->amount);
            continue;
        }
        format_money(&w, total->amount, total->currency);
        printf("total %s in %llu attempt%s\n", text_of(&w), (unsigned long long)total->count,
               total->count == 1 ? "" : "s");
    }
    if (l->wanted->json)
        printf("]}\n");
}

static uint32_t states_wanted(const struct wanted *w)
{
    bool any = w->unknown || w->parked || w->conflict || w->pending;
    uint32_t states = 0;
    if (w->all || !any)
        return 0;
    if (w->unknown)
        states |= 1u << ATTEMPT_UNKNOWN | 1u << ATTEMPT_REVERSING | 1u << ATTEMPT_SENDING;
    if (w->parked)
        states |= 1u << ATTEMPT_PARKED;
    if (w->conflict)
        states |= 1u << ATTEMPT_CONFLICT;
    if (w->pending)
        states |= 1u << ATTEMPT_PENDING;
    return states;
}

static enum status print_page(struct listing *l, const struct store_read *read)
{
    struct looked_up found[STORE_PAGE_MAX] = { 0 };
    size_t count = 0;
    for (size_t i = 0; i < read->count; i++)
        if (is_wanted(l, &read->attempts[i]))
            found[count++].row = &read->attempts[i];
    arena_reset(&l->beside);
    TRY(look_up_all(&l->cli, &l->beside, found, count));
    for (size_t i = 0; i < count; i++) {
        if (l->wanted->json)
            print_json_row(l, &found[i]);
        else {
            if (l->printed == 0)
                print_head(l);
            print_row(l, &found[i]);
        }
        l->printed++;
        add_total(l, found[i].row);
    }
    return STATUS_OK;
}

static enum status list_pages(struct listing *l)
{
    struct store_read read;
    int64_t after = 0;
    do {
        arena_reset(&l->page);
        read = (struct store_read){ .question = STORE_ATTEMPTS_UNSETTLED,
                                    .arena = &l->page,
                                    .states = states_wanted(l->wanted),
                                    .after = after };
        TRY(cli_ask(&l->cli, &read));
        if (read.count > 0)
            after = read.attempts[read.count - 1].id;
        TRY(print_page(l, &read));
    } while (read.more);
    return STATUS_OK;
}

static int widest_channel(const struct settings *settings)
{
    size_t width = strlen("CHANNEL");
    for (size_t i = 0; i < settings->channels_count; i++)
        if (strlen(settings->channels[i].name) > width)
            width = strlen(settings->channels[i].name);
    return (int)width;
}

static int list(const struct wanted *wanted)
{
    struct listing *l = calloc(1, sizeof *l);
    if (l == NULL || !cli_store_open_to_show(&l->cli, wanted->config, "attempts")) {
        free(l);
        return EXIT_COULD_NOT;
    }
    l->wanted = wanted;
    l->now_us = loop_wall_us(l->cli.loop);
    l->channel_width = widest_channel(l->cli.settings);
    arena_init(&l->page, ARENA_BYTES);
    arena_init(&l->beside, ARENA_BYTES);
    if (wanted->json)
        cli_print(VIEW("{\"data\":["));
    enum status status = list_pages(l);
    if (status == STATUS_OK)
        print_totals(l);
    else
        fprintf(stderr, "railgate attempts: the records cannot be read: %s\n", status_text(status));
    arena_reset(&l->page);
    arena_reset(&l->beside);
    cli_store_close(&l->cli);
    free(l);
    return status == STATUS_OK ? EXIT_GOOD : EXIT_COULD_NOT;
}

static int attempts_list(int argc, char **argv)
{
    struct wanted wanted = { .config = "config", .older_than = "0s" };
    const struct option_row rows[] = {
        OPTION_CONFIG(&wanted.config),
        { "unknown", NULL, "Those whose outcome is unknown, or that are being undone.", NULL,
          &wanted.unknown },
        { "parked", NULL, "Those that the gateway has given up: a person must settle them.", NULL,
          &wanted.parked },
        { "conflict", NULL, "Those whose answer contradicts what is known.", NULL,
          &wanted.conflict },
        { "pending", NULL, "Those that were accepted; their final word comes later.", NULL,
          &wanted.pending },
        { "all-open", NULL, "All of these, and those whose answer is not due yet.", NULL,
          &wanted.all },
        { "older-than", "DURATION", "Only those that have been so for longer: 90s, 10m, 2h, 3d.",
          &wanted.older_than, NULL },
        { "json", NULL, "Print one JSON object.", NULL, &wanted.json },
    };
    const struct usage usage = {
        .command = "attempts",
        .sentence = "Lists attempts that are not settled, oldest first: unknown, pending, parked "
                    "and in conflict when\nnothing else is said. With totals for each currency.",
        .more =
            "`railgate attempts show ID` shows one of them; see railgate attempts show --help.\n"
            "TRIES: of the attempt, + of what reverses or asks about it. AGE: how long it has "
            "been so.",
        .arguments = "",
        .options = rows,
        .option_count = COUNT_OF(rows)
    };
    int count;
    enum options_result read = options_read(&usage, argc, argv, &count);
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    if (!cli_read_duration(wanted.older_than, 1000000, &wanted.older_us)) {
        fprintf(stderr,
                "railgate attempts: --older-than takes a duration such as 90s, 10m, 2h or 3d.\n");
        return EXIT_COULD_NOT;
    }
    return list(&wanted);
}

/* --- one attempt ------------------------------------------------------------------------------ */

/* Its events, masked as operators may see them, in the order of the journal. */
static enum status each_event(struct cli_store *cli, const struct looked_up *found,
                              struct arena *arena, struct arena *page, struct json_out *j)
{
    struct store_read payment = { .question = STORE_ONE_PAYMENT,
                                  .arena = arena,
                                  .payment = found->row->payment };
    struct masks masks;
    struct view json;
    struct store_read read = { .question = STORE_EVENTS_OF_PAYMENT,
                               .arena = page,
                               .payment = found->row->payment };
    TRY(cli_ask(cli, &payment));
    TRY(masked_payment(cli->settings, &payment.payments[0], arena, &masks, &json));
    do {
        TRY(cli_ask_page(cli, &read));
        for (size_t i = 0; i < read.count; i++) {
            struct event_row event = read.events[i];
            const struct json_node *data = event_data(&event, page);
            if (data == NULL || !is_about(data, found->row->id))
                continue;
            TRY(masked_json(&masks, event.data_json, page, &event.data_json));
            if (j != NULL) {
                render_event(j, NULL, &event);
                continue;
            }
            char time[40];
            struct writer w = writer_over(time, sizeof time);
            time_format(&w, event.time_us);
            printf("  %s  %-22.*s ", text_of(&w), (int)event.kind.len,
                   (const char *)event.kind.ptr);
            print_safe(stdout, event.data_json);
            printf("\n");
        }
    } while (read.more);
    return STATUS_OK;
}

static enum status show_json(struct cli_store *cli, const struct looked_up *found,
                             struct arena *arena, struct arena *page)
{
    size_t size = (size_t)2 * 1024 * 1024;
    uint8_t *room = arena_alloc(arena, size);
    struct writer w = writer_over(room, room != NULL ? size : 0);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    put_members(&j, found, loop_wall_us(cli->loop));
    json_open_array(&j, "events");
    TRY(each_event(cli, found, arena, page, &j));
    json_close_array(&j);
    json_close_object(&j);
    writer_text(&w, "\n");
    TRY(writer_status(&w));
    cli_print(writer_done(&w));
    return STATUS_OK;
}

static enum status show_text(struct cli_store *cli, const struct looked_up *found,
                             struct arena *arena, struct arena *page)
{
    const struct attempt_row *row = found->row;
    char id[ID_TEXT_MAX], amount[48], since[40], age[24];
    struct writer a = writer_over(amount, sizeof amount), s = writer_over(since, sizeof since),
                  g = writer_over(age, sizeof age);
    format_money(&a, watch_amount(row), row->currency);
    time_format(&s, watch_since_us(row));
    format_age(&g, loop_wall_us(cli->loop) - watch_since_us(row));
    printf("attempt     %s\n", id_format(ID_ATTEMPT, row->id, id));
    printf("payment     %s\n", id_format(ID_PAYMENT, row->payment, id));
    printf("merchant    %s\n", id_format(ID_MERCHANT, row->merchant, id));
    printf("channel     ");
    print_safe(stdout, row->channel);
    printf("\nverb        %s\nstate       %s since %s (%s)\namount      %s\ntrace       %06u\n"
           "tries       %u\n",
           operation_word(row->verb), attempt_state_word(row->state), text_of(&s), text_of(&g),
           text_of(&a), row->trace, row->tries);
    if (row->parent != 0)
        printf("serves      %s\n", id_format(ID_ATTEMPT, row->parent, id));
    if (found->remedy.id != 0)
        printf("remedy      %s  %s  %s  tries %u\n", id_format(ID_ATTEMPT, found->remedy.id, id),
               operation_word(found->remedy.verb), attempt_state_word(found->remedy.state),
               found->remedy.tries);
    printf("reason      ");
    print_safe(stdout, found->reason);
    printf("\n\ntimeline\n");
    return each_event(cli, found, arena, page, NULL);
}

static int attempts_show(int argc, char **argv)
{
    const char *config = "config";
    bool json = false;
    const struct option_row rows[] = {
        OPTION_CONFIG(&config),
        { "json", NULL, "Print one JSON object.", NULL, &json },
    };
    const struct usage usage = { .command = "attempts show",
                                 .sentence = "Shows an attempt, what reverses or asks about it, "
                                             "and what was said.",
                                 .arguments = "ID",
                                 .options = rows,
                                 .option_count = COUNT_OF(rows),
                                 .arguments_max = 1 };
    int count;
    int64_t id = 0;
    enum options_result options = options_read(&usage, argc, argv, &count);
    struct cli_store cli;
    if (options != OPTIONS_GO)
        return options == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    if (count != 1 || id_parse(ID_ATTEMPT, view_text(argv[1]), &id) != STATUS_OK) {
        fprintf(stderr, "railgate attempts show: give an attempt's id (att_...).\n");
        return EXIT_COULD_NOT;
    }
    if (!cli_store_open_to_show(&cli, config, "attempts"))
        return EXIT_COULD_NOT;
    struct arena arena, page;
    arena_init(&arena, ARENA_BYTES);
    arena_init(&page, ARENA_BYTES);
    struct store_read read = { .question = STORE_ONE_ATTEMPT, .arena = &arena, .attempt = id };
    struct looked_up found = { 0 };
    enum status status = cli_ask(&cli, &read);
    if (status == STATUS_OK) {
        found.row = &read.attempts[0];
        status = look_up_all(&cli, &arena, &found, 1);
    }
    if (status == STATUS_OK)
        status =
            json ? show_json(&cli, &found, &arena, &page) : show_text(&cli, &found, &arena, &page);
    if (status != STATUS_OK)
        fprintf(stderr, "railgate attempts show: %s: %s\n", argv[1], status_text(status));
    arena_reset(&page);
    arena_reset(&arena);
    cli_store_close(&cli);
    return status == STATUS_OK          ? EXIT_GOOD
           : status == STATUS_NOT_FOUND ? EXIT_FINDINGS
                                        : EXIT_COULD_NOT;
}

int command_attempts(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "show") == 0)
        return attempts_show(argc - 1, argv + 1);
    return attempts_list(argc, argv);
}

/* --- resolve ---------------------------------------------------------------------------------- */

struct word {
    const char *config, *as, *by, *why, *amount, *evidence;
    bool json;
};

static void print_resolved(const char *attempt, const struct admin_answer *answer,
                           struct arena *arena)
{
    const struct json_node *root = NULL;
    struct json_limits limits = { .bytes_max = (size_t)1024 * 1024,
                                  .nodes_max = 65536,
                                  .depth_max = 24 };
    if (json_read(answer->body, &limits, arena, &root, NULL) != STATUS_OK)
        root = NULL;
    const struct json_node *payment = json_member(root, "payment");
    printf("%s is ", attempt);
    print_safe(stdout, member_text(root, "state"));
    printf("; payment ");
    print_safe(stdout, member_text(payment, "id"));
    printf(" is ");
    print_safe(stdout, member_text(payment, "status"));
    printf("\n");
}

static int ask_resolve(const struct word *word, const char *attempt, int64_t amount)
{
    struct settings *settings = cli_gateway_load(word->config);
    if (settings == NULL)
        return EXIT_COULD_NOT;
    struct arena arena;
    struct admin_answer answer = { 0 };
    char path[96];
    arena_init(&arena, ARENA_BYTES);
    size_t size = 1024 + 6 * (strlen(word->by) + strlen(word->why) + strlen(word->evidence));
    uint8_t *room = arena_alloc(&arena, size);
    struct writer w = writer_over(room, room != NULL ? size : 0);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_put_text(&j, "as", view_text(word->as));
    json_put_text(&j, "by", view_text(word->by));
    json_put_text(&j, "why", view_text(word->why));
    if (amount != 0)
        json_put_i64(&j, "amount", amount);
    json_put_text_if(&j, "evidence", view_text(word->evidence));
    json_close_object(&j);
    (void)snprintf(path, sizeof path, "/attempts/%s/resolve", attempt);
    enum status status =
        admin_request(settings->admin_socket, "POST", path, writer_done(&w), &arena, &answer);
    if (status != STATUS_OK)
        admin_complain("attempt resolve", settings->admin_socket, status);
    else if (word->json) {
        cli_print(answer.body);
        cli_print(VIEW("\n"));
    } else if (answer.http_status >= 400)
        admin_print_problem("attempt resolve", &answer, &arena);
    else
        print_resolved(attempt, &answer, &arena);
    settings_free(settings);
    arena_reset(&arena);
    return status != STATUS_OK        ? EXIT_COULD_NOT
           : answer.http_status < 400 ? EXIT_GOOD
                                      : EXIT_FINDINGS;
}

static int attempt_resolve(int argc, char **argv)
{
    struct word word = { .config = "config", .amount = "", .evidence = "" };
    const struct option_row rows[] = {
        OPTION_CONFIG(&word.config),
        { "as", "WORD", "approved, declined or reversed.", &word.as, NULL },
        { "by", "WHO", "Who found it out; stands in the journal.", &word.by, NULL },
        { "why", "TEXT", "The reason; stands in the journal.", &word.why, NULL },
        { "amount", "MINOR", "What was approved, when it is less than what was asked.",
          &word.amount, NULL },
        { "evidence", "TEXT", "What shows it: the bank's reference, a line of a statement.",
          &word.evidence, NULL },
        { "json", NULL, "Print the gateway's answer as JSON.", NULL, &word.json },
    };
    const struct usage usage = {
        .command = "attempt resolve",
        .sentence = "Settles an attempt that is parked or in conflict, with its payment, after you "
                    "have found out at the\nbank what became of it.",
        .more =
            "approved: the money moved. declined: it did not, and will not. reversed: it moved, "
            "and went back.",
        .arguments = "ATTEMPT --as WORD --by WHO --why TEXT",
        .options = rows,
        .option_count = COUNT_OF(rows),
        .arguments_max = 1
    };
    int count;
    int64_t id = 0;
    uint64_t amount = 0;
    enum resolve_as as;
    enum options_result read = options_read(&usage, argc, argv, &count);
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    if (count != 1 || word.by == NULL || word.why == NULL || word.as == NULL ||
        id_parse(ID_ATTEMPT, view_text(argv[1]), &id) != STATUS_OK) {
        fprintf(stderr, "railgate attempt resolve: give an attempt's id (att_...), --as, --by WHO "
                        "and --why TEXT.\n");
        return EXIT_COULD_NOT;
    }
    if (resolve_as_parse(view_text(word.as), &as) != STATUS_OK) {
        fprintf(stderr, "railgate attempt resolve: --as takes approved, declined or reversed.\n");
        return EXIT_COULD_NOT;
    }
    if (word.amount[0] != '\0' &&
        (view_to_u64(view_text(word.amount), INT64_MAX, &amount) != STATUS_OK || amount == 0)) {
        fprintf(stderr, "railgate attempt resolve: --amount takes minor units, above 0.\n");
        return EXIT_COULD_NOT;
    }
    return ask_resolve(&word, argv[1], (int64_t)amount);
}

int command_attempt(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "resolve") == 0)
        return attempt_resolve(argc - 1, argv + 1);
    bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    fprintf(help ? stdout : stderr,
            "usage: railgate attempt resolve ATTEMPT --as WORD --by WHO --why TEXT [OPTIONS]\n\n"
            "Settles what waits for a person. Takes --help. `railgate attempts` lists.\n");
    return help ? EXIT_GOOD : EXIT_COULD_NOT;
}
