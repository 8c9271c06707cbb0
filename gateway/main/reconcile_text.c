/* reconcile_text.c - what `railgate reconcile` and its commands print for people, within 80
 * columns: what was compared, the sums of each kind, and a difference with what to do next. The
 * same for a comparison that has just been made and for one from the records.
 */
#include "main/reconcile_int.h"

#include "domain/money.h"
#include "domain/time.h"
#include "json/json_read.h"

#include <stdlib.h>

#define COLUMNS_MAX 80
#define INDENT      13 /* of what stands behind a word such as "here" */

static const char *text_of(struct writer *w)
{
    IGNORE_STATUS(writer_terminate(w)); /* a cut text is still a text */
    return (const char *)w->ptr;
}

const char *difference_money(int64_t minor, const char *currency, char out[48])
{
    struct money money = { .minor = minor };
    struct writer w = writer_over(out, 48);
    if (currency_by_code(view_text(currency), &money.currency) == STATUS_OK)
        money_format(&w, money);
    else
        writer_format(&w, "%lld %s", (long long)minor, currency);
    return text_of(&w);
}

/* --- lines that are not too long ---------------------------------------------------------------
 */

struct line {
    FILE *to;
    size_t column;
};

static bool is_letter_begin(uint8_t c)
{
    return (c & 0xC0) != 0x80;
}

static void new_line(struct line *line)
{
    fprintf(line->to, "\n%*s", INDENT, "");
    line->column = INDENT;
}

/* Letters that stay together, as far as a line has room for them. */
static void put_word(struct line *line, struct view word)
{
    size_t width = 0;
    for (size_t i = 0; i < word.len; i++)
        width += is_letter_begin(word.ptr[i]);
    if (line->column + (line->column > INDENT) + width > COLUMNS_MAX && line->column > INDENT)
        new_line(line);
    else if (line->column > INDENT) {
        fputc(' ', line->to);
        line->column++;
    }
    for (size_t from = 0, at = 0; from < word.len; from = at) {
        for (; at < word.len; at++) {
            bool begins = is_letter_begin(word.ptr[at]);
            if (begins && line->column == COLUMNS_MAX)
                break;
            line->column += begins;
        }
        print_safe(line->to, view_slice(word, from, at - from));
        if (at < word.len)
            new_line(line);
    }
}

static void put_text(struct line *line, struct view text)
{
    while (text.len > 0) {
        size_t end = view_find(text, ' ');
        if (end > 0)
            put_word(line, view_slice(text, 0, end));
        text = view_slice(text, end + 1, text.len);
    }
}

static struct line begin_line(FILE *to, const char *word)
{
    fprintf(to, "    %-9s", word);
    return (struct line){ to, INDENT };
}

static void put_line(FILE *to, const char *word, struct view text)
{
    struct line line = begin_line(to, word);
    put_text(&line, text);
    fputc('\n', to);
}

/* --- a difference ------------------------------------------------------------------------------
 */

static const char *next_step(enum difference_kind kind)
{
    switch (kind) {
    case DIFFERENCE_MISSING_HERE:
        return "money moved and nothing here knows of it: ask the counterpart what it is, and have "
               "it given back if it is not yours";
    case DIFFERENCE_MISSING_THERE:
        return "what is approved here is not in the record: look into that of the next day, then "
               "ask the counterpart";
    case DIFFERENCE_AMOUNT:
        return "ask the counterpart which amount is right; have what is too much given back, or "
               "refund it";
    case DIFFERENCE_CURRENCY:
        return "ask the counterpart why it was booked in another currency, and have that put right";
    case DIFFERENCE_TWICE:
        return "ask the counterpart to give back what was booked too often, or refund it";
    case DIFFERENCE_FAILED_HERE:
        return "the merchant was told that it failed, and the money moved: have it given back by "
               "the counterpart";
    case DIFFERENCE_ORIGINAL:
        return "the number is ours and the payment another one: ask the counterpart to put both "
               "right";
    case DIFFERENCE_UNKNOWN_HERE:
        return "the gateway is still finding out; when it is parked, settle it with this record as "
               "evidence";
    }
    return "";
}

static bool ends_with(struct view text, const char *word)
{
    size_t len = strlen(word);
    return text.len >= len && view_is(view_slice(text, text.len - len, len), word);
}

static void put_next(FILE *to, const struct difference_row *row)
{
    char attempt[ID_TEXT_MAX];
    if (row->kind == DIFFERENCE_MISSING_THERE && ends_with(row->here, "carried over")) {
        put_line(to, "next", VIEW("no record that could have it has it: ask the counterpart"));
        return;
    }
    if (row->kind != DIFFERENCE_UNKNOWN_HERE ||
        (!ends_with(row->here, "parked") && !ends_with(row->here, "conflict"))) {
        put_line(to, "next", view_text(next_step(row->kind)));
        return;
    }
    put_line(to, "next", VIEW("the record is the evidence that was missing:"));
    fprintf(to, "%*srailgate attempt resolve %s --as %s \\\n%*s    ", INDENT, "",
            id_format(ID_ATTEMPT, row->attempt, attempt),
            row->there_minor != 0 ? "approved" : "declined", INDENT, "");
    if (row->there_minor > 0 && row->there_minor < row->here_minor)
        fprintf(to, "--amount %lld ", (long long)row->there_minor);
    fprintf(to, "--by WHO --why TEXT --evidence TEXT\n");
}

static void put_side(FILE *to, const char *word, int64_t minor, const char *currency,
                     struct view said, int64_t number)
{
    char money[48], where[40];
    struct line line = begin_line(to, word);
    put_text(&line, view_text(difference_money(minor, currency, money)));
    put_text(&line, VIEW("-"));
    put_text(&line, said.len > 0 ? said : VIEW("nothing"));
    if (number != 0) {
        (void)snprintf(where, sizeof where, "(line %lld)", (long long)number);
        put_text(&line, view_text(where));
    }
    fputc('\n', to);
}

static void put_resolved(FILE *to, const struct difference_row *row)
{
    struct line line = begin_line(to, "resolved");
    put_text(&line, VIEW("by"));
    put_text(&line, row->by);
    put_text(&line, VIEW("-"));
    put_text(&line, row->why);
    if (row->evidence.len > 0) {
        put_text(&line, VIEW("-"));
        put_text(&line, row->evidence);
    }
    fputc('\n', to);
}

void difference_print(FILE *to, const struct paint *paint, const struct difference_row *row)
{
    char id[ID_TEXT_MAX], payment[ID_TEXT_MAX];
    bool open = row->status == DIFFERENCE_STATUS_OPEN;
    fprintf(to, "%s%s%s%s%s\n", row->id != 0 ? id_format(ID_DIFFERENCE, row->id, id) : "",
            row->id != 0 ? "  " : "", paint_begin(paint, open ? COLOUR_RED : COLOUR_DIM),
            difference_kind_word(row->kind), paint_end(paint));
    put_side(to, "here", row->here_minor, row->currency, row->here, 0);
    put_side(to, "there", row->there_minor, row->currency, row->there, row->line);
    if (row->attempt != 0)
        fprintf(to, "    %-9s%s of %s\n", "attempt", id_format(ID_ATTEMPT, row->attempt, id),
                id_format(ID_PAYMENT, row->payment, payment));
    put_line(to, "name", row->identity);
    if (open)
        put_next(to, row);
    else
        put_resolved(to, row);
}

void difference_print_found(FILE *to, const struct difference_row *row)
{
    char id[ID_TEXT_MAX];
    struct line line = begin_line(to, "found");
    put_text(&line, VIEW("in"));
    put_text(&line, view_text(id_format(ID_RECONCILIATION, row->reconciliation, id)));
    put_text(&line, VIEW("of channel"));
    put_text(&line, row->channel);
    fputc('\n', to);
}

/* --- what was compared -------------------------------------------------------------------------
 */

static void print_count(const struct paint *paint, const char *word, int64_t count,
                        const char *said)
{
    if (count > 0)
        printf("%s%-20s%s %9lld  %s\n", paint_begin(paint, COLOUR_DIM), word, paint_end(paint),
               (long long)count, said);
}

static void print_sum(const struct paint *paint, enum colour colour, const char *word,
                      const struct reconcile_sum *sum, const char *currency)
{
    char here[48], there[48];
    if (sum->count > 0)
        printf("%s%-20s%s %9lld %20s %20s\n", paint_begin(paint, colour), word, paint_end(paint),
               (long long)sum->count, difference_money(sum->here_minor, currency, here),
               difference_money(sum->there_minor, currency, there));
}

static void print_sums(const struct paint *paint, const struct reconcile_report *report)
{
    printf("%s%-20s %9s %20s %20s%s\n", paint_begin(paint, COLOUR_BOLD), "", "COUNT", "HERE",
           "THERE", paint_end(paint));
    for (size_t i = 0; i < report->currency_count; i++) {
        const struct reconcile_currency *row = &report->currencies[i];
        print_sum(paint, COLOUR_GREEN, "matched", &row->matched, row->code);
        for (int kind = 1; kind < RECONCILE_KINDS; kind++)
            print_sum(paint, COLOUR_RED, difference_kind_word((enum difference_kind)kind),
                      &row->kinds[kind], row->code);
    }
    print_count(paint, "carried over", report->carried_over,
                "of ours may stand in the record before or after");
    print_count(paint, "taken up", report->taken_up, "were carried over, and are judged now");
    print_count(paint, "not due yet", report->waiting, "of ours have no outcome yet");
    print_count(paint, "outside", report->outside, "lines are not of the period");
}

void reconcile_print_report(const struct paint *paint, struct view channel, struct view file,
                            const struct reconcile_report *report)
{
    char from[40], until[40];
    struct writer f = writer_over(from, sizeof from), u = writer_over(until, sizeof until);
    time_format(&f, report->from_us);
    time_format(&u, report->until_us);
    printf("channel   ");
    print_safe(stdout, channel);
    printf("\nrecord    ");
    print_safe(stdout, view_text(report->format));
    printf(", ");
    print_safe(stdout, file);
    printf("\nsha256    ");
    print_safe(stdout, view_text(report->file_hash));
    printf("\nperiod    %s to %s\nread      %lld lines, %lld attempts\n\n", text_of(&f),
           text_of(&u), (long long)report->lines, (long long)report->attempts);
    print_sums(paint, report);
}

const char *reconcile_good_word(const struct reconcile_report *report)
{
    return report->carried_over + report->waiting == 0
               ? "everything matches"
               : "nothing differs so far; the next record decides the rest";
}

void reconcile_print_how(void)
{
    printf("\nwhen one is explained:\n"
           "    railgate reconcile resolve dif_... --by WHO --why TEXT --evidence TEXT\n");
}

/* --- from the records --------------------------------------------------------------------------
 */

static int64_t number_of(const struct json_node *object, const char *name)
{
    int64_t number = 0;
    return json_i64(json_member(object, name), &number) == STATUS_OK ? number : 0;
}

static struct reconcile_sum sum_of(const struct json_node *object, const char *name)
{
    const struct json_node *sum = json_member(object, name);
    return (struct reconcile_sum){ number_of(sum, "count"), number_of(sum, "here_minor"),
                                   number_of(sum, "there_minor") };
}

static void read_currency(const struct json_node *object, struct reconcile_currency *out)
{
    struct view code = VIEW_EMPTY;
    IGNORE_STATUS(json_text(json_member(object, "currency"), &code));
    IGNORE_STATUS(view_to_text(code, out->code, sizeof out->code));
    out->matched = sum_of(object, "matched");
    for (int kind = 1; kind < RECONCILE_KINDS; kind++)
        out->kinds[kind] = sum_of(object, difference_kind_word((enum difference_kind)kind));
}

bool reconcile_read_report(const struct reconciliation_row *row, struct arena *arena,
                           struct reconcile_report *out)
{
    const struct json_limits limits = { .bytes_max = (size_t)1024 * 1024,
                                        .nodes_max = 65536,
                                        .depth_max = 8 };
    const struct json_node *root = NULL;
    const char *format = arena_text(arena, row->format);
    *out = (struct reconcile_report){ .id = row->id,
                                      .format = format != NULL ? format : "",
                                      .from_us = row->from_us,
                                      .until_us = row->until_us,
                                      .lines = row->lines,
                                      .differences = row->differences };
    IGNORE_STATUS(view_to_text(row->file_hash, out->file_hash, sizeof out->file_hash));
    if (json_read(row->summary_json, &limits, arena, &root, NULL) != STATUS_OK)
        return false;
    out->attempts = number_of(root, "attempts");
    out->matched = number_of(root, "matched");
    out->carried_over = number_of(root, "carried_over");
    out->taken_up = number_of(root, "taken_up");
    out->waiting = number_of(root, "waiting");
    out->outside = number_of(root, "outside");
    const struct json_node *currencies = json_member(root, "currencies");
    for (const struct json_node *one = currencies != NULL ? currencies->first : NULL;
         one != NULL && out->currency_count < RECONCILE_CURRENCIES_MAX; one = one->next)
        read_currency(one, &out->currencies[out->currency_count++]);
    return true;
}
