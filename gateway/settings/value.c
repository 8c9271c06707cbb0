/* value.c - one value: text of a file to the type of its row, and back to text for people.
 *
 * `value_read` dispatches on the row's type; each reader below says exactly what it expected.
 * Secret values never get into a finding. Defaults go through the same readers, so a default that
 * its own row would refuse cannot exist (ENSURE, and a test loads every section with nothing
 * given).
 */
#include "settings/row_int.h"

#include "base/ensure.h"
#include "domain/time.h"
#include "settings/condition.h"
#include "settings/figure_int.h"

#include <stdio.h>

struct suffix {
    const char *text;
    int64_t factor;
};
static const struct suffix byte_suffixes[] = {
    { "", 1 }, { "KiB", 1024 }, { "MiB", 1024 * 1024 }, { "GiB", 1024 * 1024 * 1024 }
};
static const struct suffix duration_suffixes[] = {
    { "us", 1 },
    { "ms", 1000 },
    { "s", 1000000 },
    { "m", INT64_C(60000000) },
    { "h", INT64_C(3600000000) },
    { "d", INT64_C(86400000000) },
};

/* One value being read. */
struct value {
    const struct reader *reader;
    const struct setting_row *row;
    const struct yaml_node *node;
    struct view text; /* of the node, or of one item of a list */
    bool quiet;       /* a default: nothing to complain about */
};

static bool refuse(const struct value *v, const char *id, const char *expected)
{
    if (v->quiet)
        return false;
    if (v->row->secret) {
        reader_complain(v->reader, v->node->line, v->node->column, id,
                        "`%s`: the value (not shown) does not fit; expected %s", v->row->path,
                        expected);
        return false;
    }
    reader_complain(v->reader, v->node->line, v->node->column, id, "`%s`: `%.*s` is not %s",
                    v->row->path, (int)(v->text.len < 80 ? v->text.len : 80),
                    v->text.len > 0 ? (const char *)v->text.ptr : "", expected);
    return false;
}

/* --- numbers ------------------------------------------------------------------------------- */

static void amount_show(struct writer *w, const struct setting_row *row, int64_t number)
{
    const struct suffix *suffixes = byte_suffixes;
    size_t count = COUNT_OF(byte_suffixes), best = 0;
    if (row->type == SETTING_DURATION) {
        suffixes = duration_suffixes;
        count = COUNT_OF(duration_suffixes);
        best = number == 0 ? 2 : 0; /* 0s */
    } else if (row->type != SETTING_BYTES) {
        writer_i64_text(w, number);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (number != 0 && number % suffixes[i].factor == 0)
            best = i;
    }
    writer_i64_text(w, number / suffixes[best].factor);
    writer_text(w, suffixes[best].text);
}

static bool in_range(const struct value *v, int64_t number)
{
    char text[96];
    struct writer w = writer_over(text, sizeof text);
    if (number >= v->row->min && number <= v->row->max)
        return true;
    writer_text(&w, "in range: ");
    amount_show(&w, v->row, v->row->min);
    writer_text(&w, " to ");
    amount_show(&w, v->row, v->row->max);
    if (writer_terminate(&w) != STATUS_OK)
        return false;
    return refuse(v, "settings.range", text);
}

static bool number_read(const struct value *v, int64_t *out)
{
    int64_t number = 0;
    enum status s = view_to_i64(v->text, &number);
    if (s == STATUS_RANGE)
        return refuse(v, "settings.range", "a number that fits in 64 bits");
    if (s != STATUS_OK)
        return refuse(v, "settings.type", "a whole number");
    if (!in_range(v, number))
        return false;
    *out = number;
    return true;
}

static bool amount_read(const struct value *v, const struct suffix *suffixes, size_t count,
                        const char *expected, int64_t *out)
{
    size_t digits = 0;
    uint64_t number = 0;
    int64_t all = 0;
    while (digits < v->text.len && v->text.ptr[digits] >= '0' && v->text.ptr[digits] <= '9')
        digits++;
    struct view unit = view_slice(v->text, digits, SIZE_MAX);
    enum status s = view_to_u64(view_slice(v->text, 0, digits), INT64_MAX, &number);
    if (s == STATUS_RANGE)
        return refuse(v, "settings.range", "a number that fits in 64 bits");
    for (size_t i = 0; i < count && s == STATUS_OK; i++) {
        if (!view_is(unit, suffixes[i].text))
            continue;
        if (__builtin_mul_overflow((int64_t)number, suffixes[i].factor, &all))
            return refuse(v, "settings.range", "a number that fits in 64 bits");
        if (!in_range(v, all))
            return false;
        *out = all;
        return true;
    }
    return refuse(v, "settings.type", expected);
}

static bool time_read(const struct value *v, int64_t *out)
{
    static const char expected[] = "a date or time in UTC like 2026-01-31 or 2026-01-31T12:00:00Z";
    /* Digits stand at fixed places: 2026-01-31T12:00:00Z */
    static const char pattern[] = "dddd-dd-ddTdd:dd:ddZ";
    int32_t part[6] = { 0 };
    size_t parts = 0;
    if (v->text.len != 10 && v->text.len != sizeof pattern - 1)
        return refuse(v, "settings.type", expected);
    for (size_t i = 0; i < v->text.len; i++) {
        uint8_t c = v->text.ptr[i];
        if (pattern[i] != 'd') {
            if (c != (uint8_t)pattern[i])
                return refuse(v, "settings.type", expected);
            parts++;
        } else if (c < '0' || c > '9') {
            return refuse(v, "settings.type", expected);
        } else {
            part[parts] = part[parts] * 10 + (c - '0');
        }
    }
    struct civil given = { .year = part[0],
                           .month = part[1],
                           .day = part[2],
                           .hour = part[3],
                           .minute = part[4],
                           .second = part[5] };
    struct civil back;
    if (given.year < 1970 || given.month < 1 || given.month > 12 || given.day < 1 ||
        given.day > 31 || given.hour > 23 || given.minute > 59 || given.second > 59)
        return refuse(v, "settings.range", expected);
    int64_t us = civil_to_us(&given);
    civil_from_us(us, 0, &back);
    if (back.day != given.day) /* 30 February */
        return refuse(v, "settings.range", "a day that exists");
    /* 0 is kept for "not given"; the first moment of 1970 is no use as a date here. */
    *out = us > 0 ? us : 1;
    return true;
}

static bool offset_read(const struct value *v, int32_t *out)
{
    if (offset_parse(v->text, out) != STATUS_OK)
        return refuse(v, "settings.type", "an offset from UTC like Z, +02:00 or -05:30");
    return true;
}

/* --- words --------------------------------------------------------------------------------- */

/* Position in row->choices from 1, or 0. */
static int choice_find(const struct setting_row *row, struct view text)
{
    int position = 1;
    for (const char *at = row->choices; *at != '\0'; position++) {
        size_t len = strcspn(at, "|");
        if (view_equal(text, view_of(at, len)))
            return position;
        at += len;
        if (*at == '|')
            at++;
    }
    return 0;
}

static bool choice_read(const struct value *v, int *out)
{
    int position = choice_find(v->row, v->text);
    if (position == 0) {
        char copy[200], expected[320];
        const char *names[16];
        size_t count = 0;
        (void)snprintf(copy, sizeof copy, "%s", v->row->choices);
        char *rest = copy;
        for (char *name; count < COUNT_OF(names) && (name = strsep(&rest, "|")) != NULL;)
            names[count++] = name;
        const char *near = finding_did_you_mean(v->text, names, count);
        (void)snprintf(expected, sizeof expected, "one of %s%s%s%s", v->row->choices,
                       near != NULL ? "; did you mean `" : "", near != NULL ? near : "",
                       near != NULL ? "`?" : "");
        return refuse(v, "settings.choice", expected);
    }
    *out = position;
    return true;
}

static bool flag_read(const struct value *v, bool *out)
{
    bool yes = view_is(v->text, "yes");
    if (!yes && !view_is(v->text, "no"))
        return refuse(v, "settings.type", "yes or no");
    *out = yes;
    return true;
}

bool name_fine(struct view text)
{
    if (text.len < 1 || text.len > 32 || text.ptr[0] < 'a' || text.ptr[0] > 'z')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    }
    return true;
}

bool id_fine(struct view text)
{
    bool fine = text.len >= 1 && text.len <= 64;
    while (fine && text.len > 0) {
        size_t dot = view_find(text, '.');
        struct view part = view_slice(text, 0, dot);
        fine = part.len > 0 && dot + 1 != text.len;
        for (size_t i = 0; i < part.len && fine; i++) {
            uint8_t c = part.ptr[i];
            fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
        }
        text = view_slice(text, dot + 1, SIZE_MAX);
    }
    return fine;
}

static bool endpoint_fine(struct view text)
{
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':')
        colon--;
    if (colon < 2) /* no colon, or nothing before it */
        return false;
    uint64_t port = 0;
    struct view host = view_slice(text, 0, colon - 1);
    if (view_to_u64(view_slice(text, colon, SIZE_MAX), 65535, &port) != STATUS_OK)
        return false;
    bool brackets = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (brackets)
        host = view_slice(host, 1, host.len - 2);
    if (host.len > 253)
        return false;
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '.' && c != '-' && c != '_' && !(brackets && (c == ':' || c == '%')))
            return false;
    }
    return true;
}

static bool hex_fine(const struct value *v)
{
    char expected[96];
    bool fine = v->text.len % 2 == 0 && (int64_t)v->text.len >= v->row->min &&
                (int64_t)v->text.len <= v->row->max;
    for (size_t i = 0; i < v->text.len && fine; i++) {
        uint8_t c = v->text.ptr[i];
        fine = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    }
    if (fine)
        return true;
    if (v->row->min == v->row->max)
        (void)snprintf(expected, sizeof expected, "%lld hexadecimal digits",
                       (long long)v->row->min);
    else
        (void)snprintf(expected, sizeof expected,
                       "an even number of hexadecimal digits, %lld to %lld", (long long)v->row->min,
                       (long long)v->row->max);
    return refuse(v, "settings.type", expected);
}

static bool country_fine(struct view text)
{
    return text.len == 2 && text.ptr[0] >= 'A' && text.ptr[0] <= 'Z' && text.ptr[1] >= 'A' &&
           text.ptr[1] <= 'Z';
}

static bool condition_check(const struct value *v)
{
    char room[192];
    const char *wrong = condition_wrong(v->text, room, sizeof room);
    return wrong == NULL || refuse(v, "settings.condition", wrong);
}

static bool text_check(const struct value *v)
{
    const struct currency *currency;
    enum rail rail;
    char expected[96];
    int choice = 0;
    if (view_find(v->text, '\n') < v->text.len || view_find(v->text, '\t') < v->text.len)
        return refuse(v, "settings.type", "a text on one line");
    switch (v->row->type) {
    case SETTING_NAME:
        return name_fine(v->text) || refuse(v, "settings.type",
                                            "a name: a small letter, then small letters, digits, _ "
                                            "or -, at most 32 together");
    case SETTING_HEX: return hex_fine(v);
    case SETTING_PATH:
        return (v->text.len > 0 && v->text.len < 1024) ||
               refuse(v, "settings.type", "a file name (leave the line out for none)");
    case SETTING_ENDPOINT:
    case SETTING_ENDPOINTS:
        return endpoint_fine(v->text) ||
               refuse(v, "settings.type", "an address like 127.0.0.1:8080, [::1]:8080 or host:443");
    case SETTING_WORD: return choice_read(v, &choice);
    case SETTING_CURRENCIES:
        return currency_by_code(v->text, &currency) == STATUS_OK ||
               refuse(v, "settings.currency", "an ISO 4217 code like EUR");
    case SETTING_RAILS:
        return rail_parse(v->text, &rail) == STATUS_OK ||
               refuse(v, "settings.choice", "one of card, qr, bank, cbdc");
    case SETTING_COUNTRIES:
    case SETTING_COUNTRY:
        return country_fine(v->text) ||
               refuse(v, "settings.type", "an ISO 3166 code of two capitals like DE");
    case SETTING_CONDITIONS: return condition_check(v);
    case SETTING_TEXTS:
        if (v->row->choices != NULL)
            return choice_read(v, &choice);
        return name_fine(v->text) || refuse(v, "settings.type", "a name");
    case SETTING_IDS: return id_fine(v->text) || refuse(v, "settings.type", "the name of a rule");
    default: break;
    }
    if ((int64_t)v->text.len >= v->row->min && (int64_t)v->text.len <= v->row->max)
        return true;
    (void)snprintf(expected, sizeof expected, "a text of %lld to %lld bytes",
                   (long long)v->row->min, (long long)v->row->max);
    return refuse(v, "settings.range", expected);
}

static bool text_read(const struct value *v, const char **out)
{
    if (!text_check(v))
        return false;
    bool relative = v->row->type == SETTING_PATH && v->text.ptr[0] != '/';
    const char *kept;
    if (relative)
        kept = (const char *)arena_format(v->reader->arena, "%s/%.*s", v->reader->folder,
                                          (int)v->text.len, (const char *)v->text.ptr)
                   .ptr;
    else
        kept = arena_text(v->reader->arena, v->text);
    if (kept == NULL)
        return false;
    *out = kept;
    return true;
}

static bool list_read(const struct reader *reader, const struct setting_row *row,
                      const struct yaml_node *node, struct settings_list *out)
{
    bool fine = true;
    if (node->kind != YAML_LIST) {
        reader_complain(reader, node->line, node->column, "settings.type",
                        "`%s` is a list; write it as [a, b] or as `- a` lines", row->path);
        return false;
    }
    if ((int64_t)node->count > row->max) {
        reader_complain(reader, node->line, node->column, "settings.range",
                        "`%s` has %zu entries; at most %lld are allowed", row->path, node->count,
                        (long long)row->max);
        return false;
    }
    const char **items = arena_alloc(reader->arena, (node->count + 1) * sizeof *items);
    if (items == NULL)
        return false;
    size_t count = 0;
    for (const struct yaml_node *item = node->first; item != NULL; item = item->next) {
        struct value v = { .reader = reader, .row = row, .node = item, .text = item->text };
        if (item->kind != YAML_SCALAR) {
            reader_complain(reader, item->line, item->column, "settings.type",
                            "`%s` is a list of single values", row->path);
            fine = false;
        } else if (!text_read(&v, &items[count])) {
            fine = false;
        } else {
            for (size_t i = 0; i < count; i++) {
                if (strcmp(items[i], items[count]) == 0)
                    fine = refuse(&v, "settings.twice", "needed: it stands in the list already");
            }
            count++;
        }
    }
    if (fine)
        *out = (struct settings_list){ .items = items, .count = count };
    return fine;
}

/* --- lists of profiles: a single value stands for a list of one ----------------------------- */

#define CLAUSE_BYTES_MAX 300

/* The first item, or the value itself; NULL with a finding when it is neither or too much. */
static const struct yaml_node *items_begin(const struct reader *reader,
                                           const struct setting_row *row,
                                           const struct yaml_node *node, size_t *count)
{
    *count = node->kind == YAML_SCALAR ? 1 : node->count;
    if (node->kind == YAML_MAP) {
        reader_complain(reader, node->line, node->column, "settings.type",
                        "`%s` is a value or a list of them, not a group; write it as [a, b] or as "
                        "`- a` lines",
                        row->path);
        return NULL;
    }
    if (*count == 0) {
        reader_complain(reader, node->line, node->column, "settings.no_value",
                        "`%s` is an empty list; name something, or leave the line out", row->path);
        return NULL;
    }
    if ((int64_t)*count > row->max) {
        reader_complain(reader, node->line, node->column, "settings.range",
                        "`%s` has %zu entries; at most %lld are allowed", row->path, *count,
                        (long long)row->max);
        return NULL;
    }
    return node->kind == YAML_SCALAR ? node : node->first;
}

static bool item_fine(const struct value *v)
{
    if (v->node->kind != YAML_SCALAR) {
        reader_complain(v->reader, v->node->line, v->node->column, "settings.type",
                        "`%s` is a list of single values; put quotes around one that has `: ` in "
                        "it",
                        v->row->path);
        return false;
    }
    if (value_absent(v->node)) {
        reader_complain(v->reader, v->node->line, v->node->column, "settings.no_value",
                        "`%s` has an entry without a value; give one, or remove it", v->row->path);
        return false;
    }
    return true;
}

static bool clauses_read(const struct reader *reader, const struct setting_row *row,
                         const struct yaml_node *node, struct settings_clauses *out)
{
    size_t room = 0, count = 0;
    bool fine = true;
    const struct yaml_node *item = items_begin(reader, row, node, &room);
    if (item == NULL)
        return false;
    struct settings_clause *clauses = arena_alloc(reader->arena, room * sizeof *clauses);
    if (clauses == NULL)
        return false;
    for (; room > 0; room--, item = item->next) {
        struct value v = { .reader = reader, .row = row, .node = item, .text = item->text };
        if (!item_fine(&v)) {
            fine = false;
        } else if (v.text.len == 0 || v.text.len > CLAUSE_BYTES_MAX ||
                   view_find(v.text, '\n') < v.text.len) {
            fine = refuse(&v, "settings.type", "a text on one line, at most 300 bytes");
        } else {
            const char *text = arena_text(reader->arena, v.text);
            if (text == NULL)
                return false;
            for (size_t i = 0; i < count; i++) {
                if (strcmp(clauses[i].text, text) == 0)
                    fine = refuse(&v, "settings.twice", "needed: it stands in the list already");
            }
            clauses[count++] = (struct settings_clause){ .text = text,
                                                         .line = item->line,
                                                         .column = item->column };
        }
    }
    if (fine)
        *out = (struct settings_clauses){ .items = clauses, .count = count };
    return fine;
}

static bool moneys_read(const struct reader *reader, const struct setting_row *row,
                        const struct yaml_node *node, struct settings_moneys *out)
{
    size_t room = 0, count = 0;
    bool fine = true;
    char sentence[FIGURE_ROOM];
    const struct yaml_node *item = items_begin(reader, row, node, &room);
    if (item == NULL)
        return false;
    struct money *moneys = arena_alloc(reader->arena, room * sizeof *moneys);
    if (moneys == NULL)
        return false;
    for (; room > 0; room--, item = item->next) {
        struct value v = { .reader = reader, .row = row, .node = item, .text = item->text };
        const char *wrong = NULL;
        if (!item_fine(&v)) {
            fine = false;
        } else if ((wrong = figure_money(v.text, &moneys[count], sentence)) != NULL) {
            fine = refuse(&v, "settings.amount", wrong);
        } else {
            for (size_t i = 0; i < count; i++) {
                if (moneys[i].currency == moneys[count].currency)
                    fine = refuse(&v, "settings.twice",
                                  "needed: the list has an amount in this currency already");
            }
            count++;
        }
    }
    if (fine)
        *out = (struct settings_moneys){ .items = moneys, .count = count };
    return fine;
}

/* --- dispatch ------------------------------------------------------------------------------ */

static bool is_list(enum setting_type type)
{
    return type >= SETTING_TEXTS;
}

static bool is_text(enum setting_type type)
{
    return type <= SETTING_WORD || type == SETTING_COUNTRY;
}

size_t value_size(enum setting_type type)
{
    switch (type) {
    case SETTING_NUMBER:
    case SETTING_BYTES:
    case SETTING_DURATION:
    case SETTING_TIME:
    case SETTING_TLS_VERSION:
    case SETTING_PERCENT:
    case SETTING_YEARS: return sizeof(int64_t);
    case SETTING_OFFSET: return sizeof(int32_t);
    case SETTING_FLAG: return sizeof(bool);
    case SETTING_CHOICE: return sizeof(int);
    case SETTING_HOURS: return sizeof(struct settings_hours);
    case SETTING_WINDOW: return sizeof(struct settings_window);
    case SETTING_CLAUSES: return sizeof(struct settings_clauses);
    case SETTING_MONEYS: return sizeof(struct settings_moneys);
    default: return is_list(type) ? sizeof(struct settings_list) : sizeof(const char *);
    }
}

static bool figure_read(const struct value *v, void *member)
{
    char room[FIGURE_ROOM];
    const char *wrong = NULL;
    switch (v->row->type) {
    case SETTING_PERCENT: wrong = figure_percent(v->text, member); break;
    case SETTING_YEARS: wrong = figure_years(v->text, v->row->max, member, room); break;
    case SETTING_HOURS: wrong = figure_hours(v->text, member); break;
    default: wrong = figure_window(v->text, member, room); break;
    }
    return wrong == NULL || refuse(v, "settings.type", wrong);
}

static bool scalar_read(const struct value *v, void *member)
{
    switch (v->row->type) {
    case SETTING_NUMBER: return number_read(v, member);
    case SETTING_BYTES:
        return amount_read(v, byte_suffixes, COUNT_OF(byte_suffixes),
                           "a size like 4096, 64KiB or 2MiB", member);
    case SETTING_DURATION:
        return amount_read(v, duration_suffixes, COUNT_OF(duration_suffixes),
                           "a time with its unit, like 500ms, 10s, 5m, 2h or 7d", member);
    case SETTING_OFFSET: return offset_read(v, member);
    case SETTING_TIME: return time_read(v, member);
    case SETTING_FLAG: return flag_read(v, member);
    case SETTING_CHOICE: return choice_read(v, member);
    case SETTING_TLS_VERSION: {
        int choice = 0;
        if (!choice_read(v, &choice))
            return false;
        *(int64_t *)member = 11 + choice; /* 1.2|1.3 */
        return true;
    }
    case SETTING_PERCENT:
    case SETTING_YEARS:
    case SETTING_HOURS:
    case SETTING_WINDOW: return figure_read(v, member);
    default: return text_read(v, member);
    }
}

bool value_absent(const struct yaml_node *node)
{
    return node->kind == YAML_SCALAR && node->plain &&
           (node->text.len == 0 || view_is(node->text, "~") ||
            view_equal_nocase(node->text, VIEW("null")));
}

bool value_read(const struct reader *reader, const struct setting_row *row,
                const struct yaml_node *node, void *member)
{
    if (value_absent(node)) {
        reader_complain(reader, node->line, node->column, "settings.no_value",
                        "`%s` has no value; give one, or leave the line out", row->path);
        return false;
    }
    if (row->type == SETTING_CLAUSES)
        return clauses_read(reader, row, node, member);
    if (row->type == SETTING_MONEYS)
        return moneys_read(reader, row, node, member);
    if (is_list(row->type))
        return list_read(reader, row, node, member);
    if (node->kind != YAML_SCALAR) {
        reader_complain(reader, node->line, node->column, "settings.type",
                        "`%s` is a single value, not a %s", row->path,
                        node->kind == YAML_MAP ? "group" : "list");
        return false;
    }
    struct value v = { .reader = reader, .row = row, .node = node, .text = node->text };
    return scalar_read(&v, member);
}

bool value_default(const struct reader *reader, const struct setting_row *row, void *member)
{
    static const struct yaml_node nowhere = { .kind = YAML_SCALAR };
    struct value v = { .reader = reader,
                       .row = row,
                       .node = &nowhere,
                       .text = view_text(row->fallback),
                       .quiet = true };
    if (is_list(row->type)) {
        ENSURE(row->fallback != NULL && row->fallback[0] == '\0');
        memset(member, 0, value_size(row->type));
        return true;
    }
    if (v.text.len == 0) { /* required, or not given: numbers are zero already */
        bool text = is_text(row->type);
        ENSURE(text || row->fallback == NULL || row->type == SETTING_TIME ||
               row->type == SETTING_YEARS || row->type == SETTING_HOURS ||
               row->type == SETTING_WINDOW);
        if (text)
            *(const char **)member = "";
        return true;
    }
    bool fine = scalar_read(&v, member);
    ENSURE(fine || reader->arena->overflow);
    return fine;
}

static void choice_show(struct writer *w, const struct setting_row *row, int position)
{
    const char *at = row->choices;
    for (int i = 1; i < position && *at != '\0'; i++) {
        at += strcspn(at, "|");
        at += *at == '|' ? 1 : 0;
    }
    writer_bytes(w, at, strcspn(at, "|"));
}

static void clauses_show(struct writer *w, const struct settings_clauses *clauses)
{
    writer_text(w, "[");
    for (size_t i = 0; i < clauses->count; i++) {
        writer_text(w, i > 0 ? ", " : "");
        writer_text(w, clauses->items[i].text);
    }
    writer_text(w, "]");
}

static void moneys_show(struct writer *w, const struct settings_moneys *moneys)
{
    writer_text(w, "[");
    for (size_t i = 0; i < moneys->count; i++) {
        writer_text(w, i > 0 ? ", " : "");
        money_format(w, moneys->items[i]);
    }
    writer_text(w, "]");
}

void value_show(struct writer *w, const struct setting_row *row, const void *member)
{
    if (row->type == SETTING_CLAUSES) {
        clauses_show(w, member);
        return;
    }
    if (row->type == SETTING_MONEYS) {
        moneys_show(w, member);
        return;
    }
    if (is_list(row->type)) {
        const struct settings_list *list = member;
        writer_text(w, "[");
        for (size_t i = 0; i < list->count; i++) {
            writer_text(w, i > 0 ? ", " : "");
            writer_text(w, list->items[i]);
        }
        writer_text(w, "]");
        return;
    }
    switch (row->type) {
    case SETTING_NUMBER:
    case SETTING_BYTES:
    case SETTING_DURATION: amount_show(w, row, *(const int64_t *)member); return;
    case SETTING_OFFSET: {
        int32_t minutes = *(const int32_t *)member;
        uint32_t size = (uint32_t)(minutes < 0 ? -minutes : minutes);
        writer_text(w, minutes < 0 ? "-" : "+");
        writer_u64_padded(w, size / 60, 2);
        writer_text(w, ":");
        writer_u64_padded(w, size % 60, 2);
        return;
    }
    case SETTING_TIME:
        if (*(const int64_t *)member != 0)
            time_format(w, *(const int64_t *)member);
        return;
    case SETTING_FLAG: writer_text(w, *(const bool *)member ? "yes" : "no"); return;
    case SETTING_CHOICE: choice_show(w, row, *(const int *)member); return;
    case SETTING_TLS_VERSION: choice_show(w, row, (int)(*(const int64_t *)member - 11)); return;
    case SETTING_PERCENT: figure_percent_write(w, *(const int64_t *)member); return;
    case SETTING_YEARS: figure_years_write(w, *(const int64_t *)member); return;
    case SETTING_HOURS: figure_hours_write(w, member); return;
    case SETTING_WINDOW: figure_window_write(w, member); return;
    default: break;
    }
    const char *text = *(const char *const *)member;
    if (row->secret && text[0] != '\0')
        text = "(secret)";
    writer_text(w, text);
}
