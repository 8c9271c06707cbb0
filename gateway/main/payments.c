/* payments.c - `railgate payments`: looks into the records, also while the gateway runs (read
 * only). */
#include "main/cli.h"

#include "base/ensure.h"
#include "base/json_out.h"
#include "domain/money.h"
#include "domain/time.h"
#include "main/masked.h"
#include "main/paint.h"
#include "payment/render.h"

#include <stdlib.h>

static void format_money(struct writer *w, int64_t minor, const char *code)
{
    struct money money = { .minor = minor };
    if (currency_by_code(view_text(code), &money.currency) == STATUS_OK)
        money_format(w, money);
    else
        writer_format(w, "%lld %s", (long long)minor, code);
}

static const char *text_of(struct writer *w)
{
    IGNORE_STATUS(writer_terminate(w)); /* a cut text is still a text */
    return (const char *)w->ptr;
}

/* --- list
 * -------------------------------------------------------------------------------------------- */

static const char status_sentence[] = "Only payments in this status, one of:"
#define PAYMENT_STATUS(name, number, word) " " word
#include "domain/words.def"
#undef PAYMENT_STATUS
                                      ".";

struct list_options {
    const char *config, *status, *reference, *limit, *cursor;
    bool json;
};

/* The payment with what operators may not see masked; an object without members when it cannot be
 * read. */
static struct view shown_payment(const struct cli_store *cli, const struct payment_row *row,
                                 struct arena *arena, struct masks *masks)
{
    struct view json;
    if (masked_payment(cli->settings, row, arena, masks, &json) != STATUS_OK)
        return VIEW("{}");
    return json;
}

static void print_row(const struct payment_row *row)
{
    char id[ID_TEXT_MAX], amount[48], created[40];
    struct writer a = writer_over(amount, sizeof amount), c = writer_over(created, sizeof created);
    format_money(&a, row->amount, row->currency);
    time_format(&c, row->created_us);
    printf("%-18s %-25s %-19s %20s  %-14.*s ", id_format(ID_PAYMENT, row->id, id), text_of(&c),
           payment_status_word(row->status), text_of(&a), (int)row->channel.len,
           (const char *)row->channel.ptr);
    print_safe(stdout, row->reference);
    printf("\n");
}

static int list_with(struct cli_store *cli, const struct list_options *o, struct store_read *read)
{
    if (cli_ask(cli, read) != STATUS_OK) {
        fprintf(stderr, "railgate payments list: the records cannot be read: %s\n",
                status_text(read->result));
        return EXIT_COULD_NOT;
    }
    if (!o->json) {
        printf("%-18s %-25s %-19s %20s  %-14s %s\n", "ID", "CREATED", "STATUS", "AMOUNT", "CHANNEL",
               "REFERENCE");
        for (size_t i = 0; i < read->count; i++)
            print_row(&read->payments[i]);
        if (read->more) {
            char id[ID_TEXT_MAX];
            printf("more: --cursor %s\n",
                   id_format(ID_PAYMENT, read->payments[read->count - 1].id, id));
        }
        return EXIT_GOOD;
    }
    size_t room = 1024;
    for (size_t i = 0; i < read->count; i++)
        room += 2048 + read->payments[i].facts_json.len + read->payments[i].outcome_json.len;
    char *text = arena_alloc(read->arena, room);
    struct writer w = writer_over(text, text != NULL ? room : 0);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_array(&j, NULL);
    for (size_t i = 0; i < read->count; i++) {
        struct masks masks;
        json_put_raw(&j, NULL, shown_payment(cli, &read->payments[i], read->arena, &masks));
    }
    json_close_array(&j);
    writer_text(&w, "\n");
    cli_print(writer_done(&w));
    return w.overflow ? EXIT_COULD_NOT : EXIT_GOOD;
}

static int payments_list(int argc, char **argv)
{
    struct list_options o = {
        .config = "config", .status = "", .reference = "", .limit = "20", .cursor = ""
    };
    const struct option_row rows[] = {
        OPTION_CONFIG(&o.config),
        { "status", "WORD", status_sentence, &o.status, NULL },
        { "reference", "TEXT", "Only payments with this merchant reference.", &o.reference, NULL },
        { "limit", "N", "At most so many, 1 to 100. Default: 20", &o.limit, NULL },
        { "cursor", "ID", "Only payments older than this one.", &o.cursor, NULL },
        { "json", NULL, "Print a JSON array.", NULL, &o.json },
    };
    const struct usage usage = { .command = "payments list",
                                 .sentence = "Lists payments of all merchants, newest first.",
                                 .arguments = "",
                                 .options = rows,
                                 .option_count = COUNT_OF(rows) };
    int count;
    enum options_result options = options_read(&usage, argc, argv, &count);
    if (options != OPTIONS_GO)
        return options == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    struct arena arena;
    arena_init(&arena, (size_t)32 * 1024 * 1024);
    struct store_read read = { .question = STORE_PAYMENTS,
                               .arena = &arena,
                               .reference = view_text(o.reference) };
    const char *wrong = NULL;
    uint64_t limit = 0;
    if (view_to_u64(view_text(o.limit), STORE_PAGE_MAX, &limit) != STATUS_OK || limit == 0)
        wrong = "--limit takes 1 to 100";
    else if (o.status[0] != '\0' &&
             payment_status_parse(view_text(o.status), &read.status) != STATUS_OK)
        wrong = "--status takes one of the words that --help shows";
    else if (o.cursor[0] != '\0' &&
             id_parse(ID_PAYMENT, view_text(o.cursor), &read.after) != STATUS_OK)
        wrong = "--cursor takes the id of a payment (pay_...)";
    if (wrong != NULL) {
        fprintf(stderr, "railgate payments list: %s.\n", wrong);
        return EXIT_COULD_NOT;
    }
    read.limit = (uint32_t)limit;
    struct cli_store cli;
    if (!cli_store_open_to_show(&cli, o.config, "payments"))
        return EXIT_COULD_NOT;
    int code = list_with(&cli, &o, &read);
    arena_reset(&arena);
    cli_store_close(&cli);
    return code;
}

/* --- show: rows page by page, and printed as they come, however many a payment has
 * --------------------------------------------------------------------------------------------- */

#define ARENA_BYTES ((size_t)32 * 1024 * 1024)
#define ROW_BYTES   ((size_t)4096) /* of its JSON, beside what is JSON already */

struct showing {
    struct cli_store *cli;
    const struct payment_row *payment;
    struct masks masks;
    struct arena page; /* rows, and what is made of them */
    uint64_t shown;    /* rows of the question at hand */
};
typedef enum status show_row_fn(struct showing *s, const struct store_read *read, size_t nth);

static enum status each_row(struct showing *s, enum store_question question, show_row_fn *show)
{
    struct store_read read = { .question = question, .arena = &s->page, .payment = s->payment->id };
    s->shown = 0;
    do {
        TRY(cli_ask_page(s->cli, &read));
        for (size_t i = 0; i < read.count; i++, s->shown++)
            TRY(show(s, &read, i));
    } while (read.more);
    return STATUS_OK;
}

static struct event_row masked_event(const struct event_row *event, const struct masks *masks,
                                     struct arena *arena)
{
    struct event_row row = *event;
    if (row.data_json.len > 0 &&
        masked_json(masks, event->data_json, arena, &row.data_json) != STATUS_OK)
        row.data_json = VIEW("{}");
    return row;
}

static struct json_out element(struct showing *s, size_t size, struct writer *w)
{
    struct json_out j;
    uint8_t *room = arena_alloc(&s->page, size);
    *w = writer_over(room, room != NULL ? size : 0);
    json_out_init(&j, w);
    return j;
}

static enum status print_element(struct showing *s, const struct writer *w)
{
    TRY(writer_status(w));
    cli_print(s->shown > 0 ? VIEW(",") : VIEW_EMPTY);
    cli_print(writer_done(w));
    arena_trim(&s->page, w->ptr, w->len);
    return STATUS_OK;
}

static enum status show_json_operation(struct showing *s, const struct store_read *read, size_t nth)
{
    const struct operation_row *row = &read->operations[nth];
    struct writer w;
    struct json_out j = element(s, ROW_BYTES + row->facts_json.len + row->outcome_json.len, &w);
    render_operation(&j, NULL, row, s->payment->currency);
    return print_element(s, &w);
}

static enum status show_json_event(struct showing *s, const struct store_read *read, size_t nth)
{
    struct event_row row = masked_event(&read->events[nth], &s->masks, &s->page);
    struct writer w;
    struct json_out j = element(s, ROW_BYTES + row.data_json.len, &w);
    render_event(&j, NULL, &row);
    return print_element(s, &w);
}

static enum status show_json(struct showing *s, struct arena *arena)
{
    cli_print(VIEW("{\"payment\":"));
    cli_print(shown_payment(s->cli, s->payment, arena, &s->masks));
    cli_print(VIEW(",\"operations\":["));
    TRY(each_row(s, STORE_OPERATIONS, show_json_operation));
    cli_print(VIEW("],\"events\":["));
    TRY(each_row(s, STORE_EVENTS_OF_PAYMENT, show_json_event));
    cli_print(VIEW("]}\n"));
    return STATUS_OK;
}

static struct view member_text(const struct json_node *object, const char *name)
{
    struct view text = VIEW_EMPTY;
    IGNORE_STATUS(json_text(json_member(object, name), &text));
    return text;
}

static void print_member(const char *before, struct view text, const char *after)
{
    fputs(before, stdout);
    print_safe(stdout, text);
    fputs(after, stdout);
}

/* Why it was decided as it was. */
static void show_decision(const struct json_node *decision)
{
    struct paint paint = paint_for(stdout);
    struct view result = member_text(decision, "result");
    enum verdict verdict;
    if (decision == NULL || verdict_parse(result, &verdict) != STATUS_OK)
        return;
    printf("\ndecision    %s%s%s", paint_begin(&paint, colour_of_verdict(verdict)),
           verdict_word(verdict), paint_end(&paint));
    print_member("  by ", member_text(decision, "profile"), "");
    print_member(" ", member_text(decision, "version"), "");
    print_member(" (", view_slice(member_text(decision, "content_hash"), 0, 12), ")\n");
    const struct json_node *reasons = json_member(decision, "reasons");
    for (const struct json_node *at = reasons != NULL ? reasons->first : NULL; at != NULL;
         at = at->next) {
        print_member("  ", member_text(at, "result"), "  ");
        print_member("", member_text(at, "rule"), ": ");
        print_member("", member_text(at, "text"), "\n");
        if (member_text(at, "source").len > 0)
            print_member("      source: ", member_text(at, "source"), "\n");
    }
    if (member_text(decision, "exemption").len > 0)
        print_member("  exempt from authentication by ", member_text(decision, "exemption"), "\n");
}

static void show_head(struct showing *s, struct arena *arena)
{
    const struct json_node *root = NULL;
    const struct payment_row *row = s->payment;
    struct view json = shown_payment(s->cli, row, arena, &s->masks);
    struct json_limits limits = { .bytes_max = json.len + 1, .nodes_max = 65536, .depth_max = 24 };
    IGNORE_STATUS(json_read(json, &limits, arena, &root, NULL)); /* no tree: no decision shown */
    char id[ID_TEXT_MAX];
    char sums[4][48];
    const int64_t minor[4] = { row->amount, row->authorized, row->captured, row->refunded };
    for (size_t i = 0; i < COUNT_OF(minor); i++) {
        struct writer w = writer_over(sums[i], sizeof sums[i]);
        format_money(&w, minor[i], row->currency);
        (void)text_of(&w);
    }
    printf("payment     %s\nmerchant    %s\n", id_format(ID_PAYMENT, row->id, id),
           id_format(ID_MERCHANT, row->merchant, (char[ID_TEXT_MAX]){ 0 }));
    printf("status      %s\namount      %s\nauthorized  %s\ncaptured    %s\nrefunded    %s\n",
           payment_status_word(row->status), sums[0], sums[1], sums[2], sums[3]);
    print_member("channel     ", row->channel, "\n");
    print_member("reference   ", row->reference, "\n");
    show_decision(json_member(root, "decision"));
}

static enum status show_attempt(struct showing *s, const struct store_read *read, size_t nth)
{
    const struct attempt_row *a = &read->attempts[nth];
    char id[ID_TEXT_MAX], amount[48];
    struct writer w = writer_over(amount, sizeof amount);
    (void)s;
    format_money(&w, a->amount, a->currency);
    printf("  %s  %-10s %-10s %18s  trace %06u  tries %u\n", id_format(ID_ATTEMPT, a->id, id),
           operation_word(a->verb), attempt_state_word(a->state), text_of(&w), a->trace, a->tries);
    return STATUS_OK;
}

static enum status show_event(struct showing *s, const struct store_read *read, size_t nth)
{
    struct event_row e = masked_event(&read->events[nth], &s->masks, &s->page);
    char time[40];
    struct writer w = writer_over(time, sizeof time);
    time_format(&w, e.time_us);
    printf("  %s  %-28.*s ", text_of(&w), (int)e.kind.len, (const char *)e.kind.ptr);
    print_member("", e.data_json, "\n"); /* names of merchants, lists and banks */
    return STATUS_OK;
}

static enum status show_text(struct showing *s, struct arena *arena)
{
    show_head(s, arena);
    printf("\nattempts\n");
    TRY(each_row(s, STORE_ATTEMPTS, show_attempt));
    printf("\ntimeline\n");
    return each_row(s, STORE_EVENTS_OF_PAYMENT, show_event);
}

static enum status show(struct cli_store *cli, int64_t id, bool json)
{
    struct arena arena;
    struct showing s = { .cli = cli };
    arena_init(&arena, ARENA_BYTES);
    arena_init(&s.page, ARENA_BYTES);
    struct store_read read = { .question = STORE_ONE_PAYMENT, .arena = &arena, .payment = id };
    enum status status = cli_ask(cli, &read);
    if (status == STATUS_OK) {
        s.payment = &read.payments[0];
        status = json ? show_json(&s, &arena) : show_text(&s, &arena);
    }
    arena_reset(&s.page);
    arena_reset(&arena);
    return status;
}

static int payments_show(int argc, char **argv)
{
    const char *config = "config";
    bool json = false;
    const struct option_row rows[] = {
        OPTION_CONFIG(&config),
        { "json", NULL, "Print one JSON object.", NULL, &json },
    };
    const struct usage usage = { .command = "payments show",
                                 .sentence = "Shows a payment, its attempts and its timeline.",
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
    if (count != 1 || id_parse(ID_PAYMENT, view_text(argv[1]), &id) != STATUS_OK) {
        fprintf(stderr, "railgate payments show: give a payment's id (pay_...).\n");
        return EXIT_COULD_NOT;
    }
    if (!cli_store_open_to_show(&cli, config, "payments"))
        return EXIT_COULD_NOT;
    enum status status = show(&cli, id, json);
    if (status != STATUS_OK)
        fprintf(stderr, "railgate payments show: %s: %s\n", argv[1], status_text(status));
    cli_store_close(&cli);
    return status == STATUS_OK          ? EXIT_GOOD
           : status == STATUS_NOT_FOUND ? EXIT_FINDINGS
                                        : EXIT_COULD_NOT;
}

int command_payments(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "list") == 0)
        return payments_list(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "show") == 0)
        return payments_show(argc - 1, argv + 1);
    bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    fprintf(help ? stdout : stderr, "usage: railgate payments list | show ID [OPTIONS]\n\n"
                                    "Payments as recorded. Each takes --help.\n");
    return help ? EXIT_GOOD : EXIT_COULD_NOT;
}
