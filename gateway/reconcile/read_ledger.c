/* read_ledger.c - a central bank's ledger: JSON Lines, an object for every entry, and a summary.
 *
 * An entry is named by the id of its operation, which is the attempt. Its kind is that of what was
 * asked for, and our wallet stands on the side where it was: judge.c looks at both. A cancel stands
 * beside under its lock as well, and so does the ledger's own entry when a lock's time is over:
 * what is locked and given back has not moved.
 *
 *     {"summary":true,"count":N,"first":seq,"last":seq,"sum":"...","sha256":"..."}
 */
#include "reconcile/reconcile_int.h"

#include "json/json_read.h"

#include <stdlib.h>

#define ARENA_BYTES ((size_t)1024 * 1024)

struct ledger {
    struct record *record;
    struct record_lines *lines;
    struct arena arena; /* of one line */
    int64_t count, sum, first_seq, last_seq;
    bool over; /* the summary was read */
};

static enum status refuse(struct ledger *l, enum status status, const char *what)
{
    return record_refuse(l->record, status, l->lines->number, what);
}

/* What an entry is, and what it tells of. */
struct kind {
    const char *word;
    uint32_t of;
};
static const struct kind kinds[] = {
    { "transfer", OF_KIND(0) | OF(SALE) | OF(REFUND) },
    { "lock", OF_KIND(1) | OF(AUTHORISE) },
    { "release", OF_KIND(2) | OF(CAPTURE) },
    { "cancel", OF_KIND(3) | OF(CANCEL) },
    { "issue", OF_KIND(4) | OF(SALE) | OF(REFUND) },
    { "redeem", OF_KIND(5) | OF(SALE) | OF(REFUND) },
    { "expire", OF_KIND(6) | OF(AUTHORISE) },
};

static const struct kind *kind_of(struct view word)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (view_is(word, kinds[i].word))
            return &kinds[i];
    return NULL;
}

uint32_t record_ledger_kind(struct view word)
{
    const struct kind *kind = kind_of(word);
    return kind != NULL ? OF_KIND(kind - kinds) : 0;
}

/* null: the central bank, or nobody. */
static bool read_wallet(const struct json_node *node, struct view *out)
{
    *out = VIEW_EMPTY;
    return node != NULL && (node->kind == JSON_NULL || json_text(node, out) == STATUS_OK);
}

static enum status read_entry(struct ledger *l, const struct json_node *root)
{
    struct view kind, id, amount, currency, time, lock = VIEW_EMPTY;
    struct record_line line = { .line = l->lines->number, .role = ROLE_FORWARD };
    int64_t seq;
    unsigned exponent;
    if (json_i64(json_member(root, "seq"), &seq) != STATUS_OK)
        return refuse(l, STATUS_MALFORMED, "`seq` is no number");
    if (json_text(json_member(root, "kind"), &kind) != STATUS_OK ||
        json_text(json_member(root, "id"), &id) != STATUS_OK ||
        json_text(json_member(root, "amount"), &amount) != STATUS_OK ||
        json_text(json_member(root, "currency"), &currency) != STATUS_OK ||
        json_text(json_member(root, "time"), &time) != STATUS_OK)
        return refuse(l, STATUS_MALFORMED, "the entry has not all of its members");
    IGNORE_STATUS(json_text(json_member(root, "lock"), &lock)); /* null in most */
    const struct kind *is = kind_of(kind);
    if (is == NULL)
        return refuse(l, STATUS_MALFORMED, "`kind` is none that a ledger has");
    line.what = is->word;
    line.of = is->of;
    if (!read_wallet(json_member(root, "from"), &line.from) ||
        !read_wallet(json_member(root, "to"), &line.to))
        return refuse(l, STATUS_MALFORMED, "`from` or `to` is no wallet");
    if (view_to_i64(amount, &line.amount_minor) != STATUS_OK)
        return refuse(l, STATUS_MALFORMED, "`amount` is no number");
    if (record_currency(currency, line.currency, &exponent) != STATUS_OK)
        return refuse(l, STATUS_MALFORMED, "`currency` is no currency");
    if (reconcile_time(time, &line.at_us) != STATUS_OK)
        return refuse(l, STATUS_MALFORMED, "`time` is no time");
    l->first_seq = l->count == 0 ? seq : l->first_seq;
    l->last_seq = seq;
    l->count++;
    l->sum = record_add(l->sum, line.amount_minor);
    line.name = id;
    line.original = lock;
    bool expire = view_is(kind, "expire");
    if (expire) /* has no name of its own */
        record_count(l->record, line.at_us);
    else
        TRY(record_hand_out(l->record, &line));
    if (!expire && !view_is(kind, "cancel"))
        return STATUS_OK;
    line.name = lock.len > 0 ? lock : id;
    line.of = OF_ANY;
    line.role = ROLE_BACK;
    line.beside = true;
    return record_hand_out(l->record, &line);
}

static bool number_is(const struct json_node *node, int64_t value, bool none)
{
    int64_t said;
    if (none)
        return node != NULL && node->kind == JSON_NULL;
    return json_i64(node, &said) == STATUS_OK && said == value;
}

static enum status read_summary(struct ledger *l, const struct json_node *root)
{
    struct view sum, digest;
    int64_t minor;
    l->over = true;
    if (!number_is(json_member(root, "count"), l->count, false))
        return refuse(l, STATUS_MISMATCH,
                      "the summary counts other entries than the file has: it is not whole");
    if (!number_is(json_member(root, "first"), l->first_seq, l->count == 0) ||
        !number_is(json_member(root, "last"), l->last_seq, l->count == 0))
        return refuse(l, STATUS_MISMATCH, "the summary names another first or last entry");
    if (json_text(json_member(root, "sum"), &sum) != STATUS_OK ||
        view_to_i64(sum, &minor) != STATUS_OK || minor != l->sum)
        return refuse(l, STATUS_MISMATCH, "the summary has another sum than the entries");
    if (json_text(json_member(root, "sha256"), &digest) != STATUS_OK ||
        !record_digest_is(l->lines, digest))
        return refuse(l, STATUS_MISMATCH, "the SHA-256 of the summary is not that of the file");
    return STATUS_OK;
}

static enum status read_line(struct ledger *l)
{
    const struct json_node *root = NULL;
    const struct json_limits limits = { .bytes_max = RECORD_LINE_MAX,
                                        .nodes_max = 64,
                                        .depth_max = 4 };
    if (l->over)
        return refuse(l, STATUS_MALFORMED, "something stands behind the summary");
    if (!l->lines->ended)
        return refuse(l, STATUS_SHORT, "the file ends within a line: it is cut");
    arena_reset(&l->arena);
    enum status status = json_read(l->lines->text, &limits, &l->arena, &root, NULL);
    if (status == STATUS_NO_MEMORY)
        return status;
    if (status != STATUS_OK || root->kind != JSON_OBJECT)
        return refuse(l, STATUS_MALFORMED, "the line is no JSON object");
    return json_member(root, "summary") != NULL ? read_summary(l, root) : read_entry(l, root);
}

enum status record_read_ledger(struct record *r)
{
    struct ledger l = { .record = r, .last_seq = 0 };
    r->format = "CBDC ledger";
    TRY(record_lines_open(&l.lines, r));
    arena_init(&l.arena, ARENA_BYTES);
    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        status = record_lines_next(l.lines);
        if (status == STATUS_OK)
            status = read_line(&l);
    }
    if (status == STATUS_NOT_FOUND)
        status = l.over ? STATUS_OK
                        : record_refuse(r, STATUS_SHORT, l.lines->number,
                                        "the file ends without a summary: it is cut");
    arena_reset(&l.arena);
    record_lines_close(l.lines);
    return status;
}
