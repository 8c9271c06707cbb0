/* check_answers.c - was each answer that of its own question? What the gateway tells and keeps of
 * one, against what the counterpart itself says of just that operation:
 *
 *     reference   the name that the counterpart has given it: retrieval reference, number of the
 *                 provider, of the ledger, of the booking. It is what people ask by, and what a
 *                 refund or a reconciliation goes by
 *     code        of an approval (card), or why it was declined
 *     channel     the one that its attempt went out on
 *
 * Amounts and whether money moved are compared by check.c and check_http.c. An answer that was
 * meant for somebody else and has the same amount and outcome harms nobody's money at once, and so
 * would pass there.
 *
 * A garbled answer of those who do not sign theirs may name anything (http_side_garbles).
 */
#include "sim.h"

#include "base/ensure.h"
#include "domain/refs.h"
#include "json/json_read.h"

#include <stdio.h>

#define ARENA_MAX  ((size_t)1024 * 1024)
#define TEXT_BYTES 80

/* The members of an outcome that a merchant sees; "": not said. */
struct told {
    char result[TEXT_BYTES], code[TEXT_BYTES], reference[TEXT_BYTES], channel[TEXT_BYTES];
    char approval_code[TEXT_BYTES], bank_reference[TEXT_BYTES];
};

static void take(const struct json_node *object, const char *name, char out[TEXT_BYTES])
{
    struct view text;
    if (json_text(json_member(object, name), &text) != STATUS_OK ||
        view_to_text(text, out, TEXT_BYTES) != STATUS_OK)
        out[0] = '\0';
}

static bool read_told(const struct payment_row *p, const struct operation_row *o, struct told *told)
{
    bool first = o->kind == OPERATION_SALE || o->kind == OPERATION_AUTHORISE;
    struct view members = first ? p->outcome_json : o->outcome_json;
    const struct json_node *root = NULL;
    struct arena arena;
    memset(told, 0, sizeof *told);
    arena_init(&arena, ARENA_MAX);
    struct view object =
        arena_format(&arena, "{%.*s}", (int)members.len, (const char *)members.ptr);
    bool good = members.len > 0 && json_read(object, NULL, &arena, &root, NULL) == STATUS_OK;
    const struct json_node *outcome = json_member(root, "outcome");
    const struct json_node *rail = json_member(outcome, "rail");
    take(outcome, "result", told->result);
    take(outcome, "code", told->code);
    take(outcome, "rail_reference", told->reference);
    take(rail, "approval_code", told->approval_code);
    take(rail, "bank_reference", told->bank_reference);
    take(json_member(root, "route"), "channel", told->channel);
    arena_reset(&arena);
    return good;
}

static void kept(const struct attempt_row *row, const char *name, char out[TEXT_BYTES])
{
    if (view_to_text(refs_find(row->refs, name), out, TEXT_BYTES) != STATUS_OK)
        out[0] = '\0';
}

/* What an operation that has ended was told with, by the attempt that ended it. */
static bool ended_by(const struct operation_row *o, const struct attempt_row *row)
{
    if (row->operation != o->id || row->verb != o->kind)
        return false;
    return o->status == OPERATION_STATUS_SUCCEEDED ? row->state == ATTEMPT_APPROVED
           : o->status == OPERATION_STATUS_FAILED  ? row->state == ATTEMPT_DECLINED
                                                   : false;
}

static bool tells(struct world *world, const struct payment_row *p, const struct operation_row *o,
                  const struct attempt_row *row, struct told *told)
{
    bool approved = row->state == ATTEMPT_APPROVED;
    if (!read_told(p, o, told)) {
        wrong(world, p->id, "%s %s, and does not say what was answered", operation_word(o->kind),
              operation_status_word(o->status));
        return false;
    }
    if (strcmp(told->result, approved ? "approved" : "declined") != 0)
        wrong(world, p->id, "%s %s, and is told as %s", operation_word(o->kind),
              operation_status_word(o->status), told->result);
    if (!view_is(row->channel, told->channel))
        wrong(world, p->id, "%s went to %.*s, and is told as of %s", operation_word(o->kind),
              (int)row->channel.len, (const char *)row->channel.ptr, told->channel);
    return true;
}

/* --- cards -------------------------------------------------------------------------------------
 */

static void compare(struct world *world, const struct attempt_row *row, const char *what,
                    const char *ours, const char *theirs)
{
    if (ours[0] != '\0' && strcmp(ours, theirs) != 0)
        wrong(world, row->payment, "%s %s: its %s is %s, and at the card host %s",
              operation_word(row->verb), attempt_state_word(row->state), what, ours, theirs);
}

/* Of a refused repeat (94), and of a refusal before anything was looked at (91: not signed on, or
 * not now), the entry knows nothing. */
static bool says_of_entry(const char *code)
{
    return code[0] != '\0' && strcmp(code, "94") != 0 && strcmp(code, "91") != 0;
}

void check_card_answer(struct world *world, const struct payment_row *p,
                       const struct operation_row *o, const struct attempt_row *row,
                       const struct card_entry *e)
{
    struct told told;
    char text[TEXT_BYTES];
    if (!ended_by(o, row) || !tells(world, p, o, row, &told) || e == NULL)
        return;
    world_tally(world, "answers compared: card");
    compare(world, row, "reference", told.reference, e->rrn);
    if (row->state == ATTEMPT_DECLINED) {
        if (says_of_entry(told.code))
            compare(world, row, "code", told.code, e->response);
        return;
    }
    kept(row, "host_rrn", text);
    compare(world, row, "kept reference", text, e->rrn);
    if (row->verb == OPERATION_CANCEL) /* the host gives no code for one */
        return;
    compare(world, row, "approval code", told.approval_code, e->auth_code);
    kept(row, "approval_code", text);
    if (row->verb == OPERATION_SALE || row->verb == OPERATION_AUTHORISE) /* else the original's */
        compare(world, row, "kept approval code", text, e->auth_code);
}

/* --- wallet, bank, central bank ----------------------------------------------------------------
 */

static void name_fits(struct http_books *books, struct world *world, const struct operation_row *o,
                      const struct attempt_row *row, const char *name)
{
    char whose[TEXT_BYTES];
    if (name[0] == '\0' || http_books_calls(books, row, o->amount, name))
        return;
    http_books_whose(books, name, whose, sizeof whose);
    wrong(world, row->payment, "%s %s: it is told as %s, and that is %s", operation_word(o->kind),
          operation_status_word(o->status), name, whose);
}

void check_http_answer(struct http_books *books, struct world *world, const struct payment_row *p,
                       const struct operation_row *o, const struct attempt_row *row)
{
    static const char *const names[] = {
        [RAIL_QR] = "provider_id", [RAIL_BANK] = "bank_reference", [RAIL_CBDC] = ""
    };
    struct told told;
    char text[TEXT_BYTES];
    if (!ended_by(o, row) || !tells(world, p, o, row, &told) || row->state != ATTEMPT_APPROVED ||
        http_side_garbles(world->sides[p->rail]) || !http_books_calls(books, row, o->amount, NULL))
        return;
    world_tally(world, "answers compared: %s", rail_word(p->rail));
    name_fits(books, world, o, row, told.reference);
    name_fits(books, world, o, row, told.bank_reference);
    kept(row, names[p->rail], text);
    name_fits(books, world, o, row, text);
}
