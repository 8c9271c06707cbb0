/* cases.c - x.tests.yaml: the test cases of a profile, as written.
 *
 * What the facts mean, and what is decided, is compliance/'s; here only their shape is checked. The
 * sum in `spent` is an amount in the currency of the case's own amount: anything else would be a
 * case that tests nothing.
 */
#include "settings/load_int.h"

#include "base/ensure.h"
#include "settings/figure_int.h"

#define CASES_MAX 1000
#define FACTS_MAX 100
#define SPENT_MAX 32

_Static_assert((int)SETTINGS_ALLOW == VERDICT_ALLOW &&
                   (int)SETTINGS_CHALLENGE == VERDICT_CHALLENGE &&
                   (int)SETTINGS_REVIEW == VERDICT_REVIEW && (int)SETTINGS_DENY == VERDICT_DENY,
               "the choices of `expect` are those of enum verdict");
_Static_assert(sizeof(enum verdict) == sizeof(int), "`expect` is read as a choice");

/* The entries of a group; NULL when absent, or with a finding when it is none or too much. */
static const struct yaml_node *group_find(const struct reader *reader, const struct yaml_node *item,
                                          const char *name, size_t entries_max)
{
    const struct yaml_node *group = node_find(item, name);
    if (group == NULL)
        return NULL;
    if (group->kind != YAML_MAP) {
        reader_complain(reader, group->line, group->column, "settings.not_a_group",
                        "`%s` is a group; write it as {name: value, ...} or as lines below it",
                        name);
        return NULL;
    }
    if (group->count > entries_max) {
        reader_complain(reader, group->line, group->column, "settings.range",
                        "`%s` has %zu entries; at most %zu are allowed", name, group->count,
                        entries_max);
        return NULL;
    }
    return group;
}

static bool key_fine(const struct reader *reader, const struct yaml_node *entry, const char *what)
{
    if (id_fine(entry->key))
        return true;
    reader_complain(reader, entry->key_line, entry->key_column, "settings.type",
                    "`%.*s` is not %s: small letters, digits, _ and -, with dots between, at most "
                    "64 together",
                    (int)(entry->key.len < 64 ? entry->key.len : 64), (const char *)entry->key.ptr,
                    what);
    return false;
}

/* --- facts ---------------------------------------------------------------------------------- */

static enum status facts_read(const struct reader *reader, const struct yaml_node *item,
                              struct test_case *out)
{
    const struct yaml_node *group = group_find(reader, item, "facts", FACTS_MAX);
    if (group == NULL)
        return STATUS_OK;
    struct test_fact *facts = arena_alloc(reader->arena, group->count * sizeof *facts);
    if (facts == NULL)
        return STATUS_NO_MEMORY;
    size_t count = 0;
    for (const struct yaml_node *entry = group->first; entry != NULL; entry = entry->next) {
        if (!key_fine(reader, entry, "the name of a fact"))
            continue;
        const char *name = (const char *)entry->key.ptr;
        if (entry->kind != YAML_SCALAR) {
            reader_complain(
                reader, entry->line, entry->column, "settings.type",
                "the fact `%s` is a single value; write `payer.country: DE`, not groups "
                "in groups",
                name);
            continue;
        }
        if (value_absent(entry) || entry->text.len == 0) {
            reader_complain(reader, entry->line, entry->column, "settings.no_value",
                            "the fact `%s` has no value; give one, or leave it out", name);
            continue;
        }
        struct test_fact *fact = &facts[count++];
        fact->name = arena_text(reader->arena, entry->key);
        fact->value = arena_text(reader->arena, entry->text);
        fact->line = entry->line;
        fact->column = entry->column;
        if (fact->name == NULL || fact->value == NULL)
            return STATUS_NO_MEMORY;
    }
    out->facts = facts;
    out->facts_count = count;
    return STATUS_OK;
}

/* --- spent ---------------------------------------------------------------------------------- */

/* The currency of the case's own amount; NULL when it has none. */
static const struct currency *case_currency(const struct yaml_node *item)
{
    char room[FIGURE_ROOM];
    struct money amount = { .minor = 0, .currency = NULL };
    const struct yaml_node *facts = node_find(item, "facts");
    const struct yaml_node *entry = facts != NULL ? node_find(facts, "amount") : NULL;
    if (entry != NULL && entry->kind == YAML_SCALAR)
        (void)figure_money(entry->text, &amount, room);
    return amount.currency;
}

static void spent_amount(const struct reader *reader, const struct yaml_node *entry,
                         const struct currency *currency, struct test_spent *out)
{
    char room[FIGURE_ROOM];
    struct money amount;
    const char *wrong = figure_money(entry->text, &amount, room);
    if (wrong != NULL)
        reader_complain(reader, entry->line, entry->column, "settings.amount",
                        "`amount`: `%.*s` is not %s",
                        (int)(entry->text.len < 80 ? entry->text.len : 80),
                        (const char *)entry->text.ptr, wrong);
    else if (currency == NULL)
        reader_complain(
            reader, entry->line, entry->column, "settings.currency",
            "what was spent is in the currency of the case's amount, but `facts` has no "
            "`amount` like 30.00 EUR");
    else if (currency != amount.currency)
        reader_complain(reader, entry->line, entry->column, "settings.currency",
                        "what was spent is in the currency of the case's amount, which is %s",
                        currency->code);
    else
        out->minor = amount.minor;
}

static void spent_part(const struct reader *reader, const struct yaml_node *entry,
                       const struct currency *currency, struct test_spent *out)
{
    static const char *const names[] = { "amount", "count" };
    char room[96];
    uint64_t count = 0;
    if (entry->kind != YAML_SCALAR)
        reader_complain(reader, entry->line, entry->column, "settings.type",
                        "this is a single value");
    else if (view_is(entry->key, "amount"))
        spent_amount(reader, entry, currency, out);
    else if (!view_is(entry->key, "count"))
        reader_complain(reader, entry->key_line, entry->key_column, "settings.unknown_key",
                        "`spent` has `amount` and `count`, not `%.*s`%s",
                        (int)(entry->key.len < 64 ? entry->key.len : 64),
                        (const char *)entry->key.ptr,
                        near_name(entry->key, names, COUNT_OF(names), room));
    else if (view_to_u64(entry->text, INT64_MAX, &count) != STATUS_OK)
        reader_complain(reader, entry->line, entry->column, "settings.type",
                        "`count` is a whole number");
    else
        out->count = (int64_t)count;
}

static enum status spent_read(const struct reader *reader, const struct yaml_node *item,
                              struct test_case *out)
{
    const struct yaml_node *group = group_find(reader, item, "spent", SPENT_MAX);
    if (group == NULL)
        return STATUS_OK;
    const struct currency *currency = case_currency(item);
    struct test_spent *all = arena_alloc(reader->arena, group->count * sizeof *all);
    if (all == NULL)
        return STATUS_NO_MEMORY;
    size_t count = 0;
    for (const struct yaml_node *entry = group->first; entry != NULL; entry = entry->next) {
        if (!key_fine(reader, entry, "the name of a rule"))
            continue;
        if (entry->kind != YAML_MAP) {
            reader_complain(reader, entry->line, entry->column, "settings.not_a_group",
                            "write what was spent as { amount: 70.00 EUR, count: 4 }");
            continue;
        }
        struct test_spent *spent = &all[count++];
        spent->id = arena_text(reader->arena, entry->key);
        spent->line = entry->key_line;
        spent->column = entry->key_column;
        if (spent->id == NULL)
            return STATUS_NO_MEMORY;
        for (const struct yaml_node *part = entry->first; part != NULL; part = part->next)
            spent_part(reader, part, currency, spent);
    }
    out->spent = all;
    out->spent_count = count;
    return STATUS_OK;
}

/* --- the file ------------------------------------------------------------------------------- */

static enum status case_read(const struct reader *reader, const struct yaml_node *item,
                             struct test_case *cases, size_t index)
{
    struct test_case *out = &cases[index];
    const uint32_t *rows = NULL;
    TRY(section_read(reader, &section_case, item, out, &rows));
    out->line = item->line;
    out->column = item->column;
    for (size_t i = 0; i < index && given(out->name); i++) {
        if (strcmp(cases[i].name, out->name) == 0)
            finding_add(reader->findings, FINDING_WARNING, reader->file, item->line, item->column,
                        "settings.name_twice",
                        "a case named `%s` stands in line %u already; rename one", out->name,
                        cases[i].line);
    }
    if (item->kind != YAML_MAP)
        return STATUS_OK;
    if (node_find(item, "facts") == NULL)
        reader_complain(reader, item->line, item->column, "settings.missing",
                        "`facts` is missing: the payment that is decided. Add it");
    TRY(facts_read(reader, item, out));
    return spent_read(reader, item, out);
}

enum status tests_read(const struct reader *reader, struct view bytes, struct region_tests *out)
{
    struct yaml_node *root = NULL;
    struct arena *tree = reader->scratch != NULL ? reader->scratch : reader->arena;
    const uint32_t *rows = NULL;
    out->file = reader->file;
    if (yaml_read(tree, bytes, YAML_ROOM_TESTS, reader->file, reader->findings, &root) ==
        STATUS_NO_MEMORY)
        return STATUS_NO_MEMORY;
    if (root == NULL)
        return STATUS_OK;
    TRY(section_read(reader, &section_tests, root, out, &rows));
    out->line = LINE_OF(&section_tests, region_tests, region, rows);
    const struct yaml_node *list = list_find(reader, root, "cases", CASES_MAX);
    if (root->kind == YAML_MAP && node_find(root, "cases") == NULL)
        reader_complain(reader, root->line, root->column, "settings.missing",
                        "`cases` is missing: a list of payments and what is decided. Add it");
    if (list == NULL || list->count == 0)
        return STATUS_OK;
    struct test_case *cases = arena_alloc(reader->arena, list->count * sizeof *cases);
    if (cases == NULL)
        return STATUS_NO_MEMORY;
    size_t count = 0;
    for (const struct yaml_node *item = list->first; item != NULL; item = item->next, count++)
        TRY(case_read(reader, item, cases, count));
    out->cases = cases;
    out->count = count;
    return STATUS_OK;
}
