/* settle_faults.c - the member "settlement" of a knobs body: {"seed": 7, "faults": [{...}]}. */
#include "settle.h"

#include "base/ensure.h"

#define INVENTED_MINOR 4711
#define LINES_MAX      1000000000

static const char *const FAULT_NAMES[] = { "",       "omit",     "amount", "repeat",
                                           "invent", "truncate", "trailer" };

static enum status refuse(struct writer *why, const char *sentence)
{
    writer_text(why, "settlement: ");
    writer_text(why, sentence);
    return STATUS_MISMATCH;
}

static enum status take_number(const struct json_node *rule, const char *name, int64_t least,
                               int64_t most, int64_t *out, struct writer *why)
{
    const struct json_node *node = json_member(rule, name);
    if (node == NULL)
        return STATUS_OK;
    if (json_i64(node, out) == STATUS_OK && *out >= least && *out <= most)
        return STATUS_OK;
    writer_format(why, "settlement: %s is an integer from %lld to %lld", name, (long long)least,
                  (long long)most);
    return STATUS_MISMATCH;
}

static enum status read_fault(const struct json_node *rule, struct settle_rule *out,
                              struct writer *why)
{
    struct view word;
    if (json_text(json_member(rule, "fault"), &word) != STATUS_OK)
        return refuse(why, "a fault is an object with a text \"fault\"");
    for (unsigned f = SETTLE_OMIT; f <= SETTLE_TRAILER; f++)
        if (view_is(word, FAULT_NAMES[f])) {
            out->fault = (enum settle_fault)f;
            return STATUS_OK;
        }
    return refuse(why, "no such fault; omit, amount, repeat, invent, truncate, trailer");
}

/* Which members go with which fault. */
static enum status check_members(const struct json_node *rule, enum settle_fault fault,
                                 struct writer *why)
{
    static const char *const OF_LINES[] = { "fault", "id", "line", "per_million" };
    static const char *const OF_AMOUNT[] = { "fault", "id", "line", "per_million", "by_minor" };
    static const char *const OF_INVENT[] = { "fault", "line", "amount_minor" };
    static const char *const OF_TRUNCATE[] = { "fault", "line" };
    static const struct {
        const char *const *names;
        size_t count;
    } KNOWN[] = { { NULL, 0 },
                  { OF_LINES, COUNT_OF(OF_LINES) },
                  { OF_AMOUNT, COUNT_OF(OF_AMOUNT) },
                  { OF_LINES, COUNT_OF(OF_LINES) },
                  { OF_INVENT, COUNT_OF(OF_INVENT) },
                  { OF_TRUNCATE, COUNT_OF(OF_TRUNCATE) },
                  { OF_LINES, 1 } };
    if (json_unknown(rule, KNOWN[fault].names, KNOWN[fault].count, NULL) != NULL)
        return refuse(why, "a member that does not go with this fault");
    int ways = (json_member(rule, "id") != NULL) + (json_member(rule, "line") != NULL) +
               (json_member(rule, "per_million") != NULL);
    if (fault <= SETTLE_REPEAT && ways != 1)
        return refuse(why, "omit, amount and repeat need one of id, line, per_million");
    return STATUS_OK;
}

static enum status read_rule(const struct json_node *rule, struct settle_rule *out,
                             struct writer *why)
{
    int64_t line = 0, per_million = 0;
    struct view id = VIEW_EMPTY;
    *out = (struct settle_rule){ .by_minor = 1, .amount_minor = INVENTED_MINOR };
    TRY(read_fault(rule, out, why));
    TRY(check_members(rule, out->fault, why));
    if (json_member(rule, "id") != NULL) {
        if (json_text(json_member(rule, "id"), &id) != STATUS_OK || id.len == 0 ||
            view_to_text(id, out->id, sizeof out->id) != STATUS_OK)
            return refuse(why, "id is a text of 1 to 64 bytes");
    }
    TRY(take_number(rule, "line", 0, LINES_MAX, &line, why));
    TRY(take_number(rule, "per_million", 1, 1000000, &per_million, why));
    TRY(take_number(rule, "by_minor", -SETTLE_MINOR_MAX, SETTLE_MINOR_MAX, &out->by_minor, why));
    TRY(take_number(rule, "amount_minor", 1, SETTLE_MINOR_MAX, &out->amount_minor, why));
    out->has_line = json_member(rule, "line") != NULL;
    out->line = (uint64_t)line;
    out->per_million = (uint32_t)per_million;
    return STATUS_OK;
}

enum status settle_faults_read(struct settle_faults *f, const struct json_node *object,
                               struct writer *why)
{
    static const char *const KNOWN[] = { "seed", "faults" };
    struct settle_faults staged = *f;
    int64_t seed = (int64_t)(f->seed & INT64_MAX);
    const struct json_node *rules = json_member(object, "faults");
    if (object->kind != JSON_OBJECT || json_unknown(object, KNOWN, COUNT_OF(KNOWN), NULL) != NULL)
        return refuse(why, "an object of seed and faults");
    TRY(take_number(object, "seed", 0, INT64_MAX, &seed, why));
    staged.seed = (uint64_t)seed;
    if (rules != NULL) {
        if (rules->kind != JSON_ARRAY || rules->count > SETTLE_FAULTS_MAX)
            return refuse(why, "faults is an array of at most 64 objects");
        staged.count = 0;
        for (JSON_EACH(rule, rules))
            TRY(read_rule(rule, &staged.rules[staged.count++], why));
    }
    *f = staged;
    return STATUS_OK;
}

static void write_rule(const struct settle_rule *rule, struct json_out *out)
{
    json_open_object(out, NULL);
    json_put_text(out, "fault", view_text(FAULT_NAMES[rule->fault]));
    json_put_text_if(out, "id", view_text(rule->id));
    if (rule->has_line)
        json_put_i64(out, "line", (int64_t)rule->line);
    if (rule->per_million > 0)
        json_put_i64(out, "per_million", rule->per_million);
    if (rule->fault == SETTLE_AMOUNT)
        json_put_i64(out, "by_minor", rule->by_minor);
    if (rule->fault == SETTLE_INVENT)
        json_put_i64(out, "amount_minor", rule->amount_minor);
    json_close_object(out);
}

void settle_faults_write(const struct settle_faults *f, struct json_out *out)
{
    if (f->count == 0 && f->seed == 0)
        return;
    json_open_object(out, "settlement");
    json_put_i64(out, "seed", (int64_t)f->seed);
    json_open_array(out, "faults");
    for (size_t i = 0; i < f->count; i++)
        write_rule(&f->rules[i], out);
    json_close_array(out);
    json_close_object(out);
}
