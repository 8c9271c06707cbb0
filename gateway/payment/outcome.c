/* outcome.c - what a channel said, as members of the merchant's answer; and refs, sealed and
 * opened. */
#include "payment/payment_int.h"

#include "base/ensure.h"
#include "base/vault.h"

#define OUTCOME_BYTES 512 /* beside the texts */

/* A value that is a card number and nothing else: 13 to 19 digits, perhaps grouped, with the right
 * check digit. Longer references hold such runs by chance and stay as they are. */
bool is_card_number(struct view text)
{
    unsigned sum = 0, count = 0;
    for (size_t i = text.len; i > 0; i--) {
        uint8_t c = text.ptr[i - 1];
        if (c == ' ' || c == '-')
            continue;
        if (c < '0' || c > '9')
            return false;
        unsigned digit = (unsigned)(c - '0') * (1 + count % 2);
        sum += digit > 9 ? digit - 9 : digit;
        count++;
    }
    return count >= 13 && count <= 19 && sum % 10 == 0;
}

void put_shown(struct json_out *j, const char *name, struct view value)
{
    uint8_t masked[64];
    struct writer w = writer_over(masked, sizeof masked);
    if (is_card_number(value)) {
        redact_text(&w, value);
        value = w.overflow ? VIEW("...") : writer_done(&w);
    }
    json_put_text_if(j, name, value);
}

static void put_extra(struct json_out *j, struct view extra)
{
    struct cursor c = cursor_over(extra);
    struct ref row;
    bool broken = false;
    while (refs_next(&c, &row, &broken)) {
        char name[REFS_NAME_MAX + 1];
        if ((row.flags & REF_SENSITIVE) == 0 &&
            view_to_text(row.name, name, sizeof name) == STATUS_OK)
            put_shown(j, name, row.value);
    }
}

/* What a person must do, and until when; the same for every rail. */
static void put_action(struct json_out *j, const struct exchange_result *result, int64_t payment,
                       int64_t expires_us)
{
    json_open_object(j, "next_action");
    json_put_text(j, "type", view_text(channel_action_word(result->action)));
    put_extra(j, result->action_values);
    if (expires_us != 0)
        json_put_time(j, "expires", expires_us);
    if (result->action == ACTION_SHOW_CODE) {
        char id[ID_TEXT_MAX], path[64];
        struct writer w = writer_over(path, sizeof path);
        writer_format(&w, "/v1/payments/%s/code.svg", id_format(ID_PAYMENT, payment, id));
        json_put_text(j, "svg", writer_done(&w));
        w = writer_over(path, sizeof path);
        writer_format(&w, "/v1/payments/%s/code.png", id);
        json_put_text(j, "png", writer_done(&w));
    }
    json_close_object(j);
}

struct view outcome_members(struct arena *arena, const struct exchange_result *result,
                            const char *channel, struct view why)
{
    return action_members(arena, result, channel, why, 0, 0);
}

struct view action_members(struct arena *arena, const struct exchange_result *result,
                           const char *channel, struct view why, int64_t payment,
                           int64_t expires_us)
{
    struct view message = result->message.len > 0 ? result->message : result->diagnosis;
    if (result->conflict)
        message =
            VIEW("The answer contradicts what was asked. Do not ship, do not pay again: a person "
                 "looks at it.");
    /* An escape takes six letters. */
    size_t size = OUTCOME_BYTES + 6 * (message.len + result->reference.len + result->rail_code.len +
                                       result->extra.len + why.len + result->action_values.len);
    uint8_t *room = arena_alloc(arena, size);
    if (room == NULL)
        return VIEW_EMPTY;
    struct writer w = writer_over(room, size);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_open_object(&j, "outcome");
    json_put_text(&j, "result", view_text(outcome_word(result->outcome)));
    put_shown(&j, "code", result->rail_code);
    if (result->category != 0)
        json_put_text(&j, "category", view_text(category_word(result->category)));
    json_put_text_if(&j, "message", message);
    put_shown(&j, "rail_reference", result->reference);
    if (result->conflict)
        json_put_bool(&j, "conflict", true);
    if (result->extra.len > 0) {
        json_open_object(&j, "rail");
        put_extra(&j, result->extra);
        json_close_object(&j);
    }
    json_close_object(&j);
    json_open_object(&j, "route");
    if (channel != NULL)
        json_put_text(&j, "channel", view_text(channel));
    else
        json_put_null(&j, "channel");
    json_put_text_if(&j, "why", why);
    json_close_object(&j);
    if (payment != 0)
        put_action(&j, result, payment, expires_us);
    json_close_object(&j);
    arena_trim(arena, room, w.len);
    if (w.overflow)
        return VIEW_EMPTY;
    return view_of(room + 1, w.len - 2); /* without the outer braces */
}

struct view refs_members(struct arena *arena, struct view plain_refs)
{
    size_t size = 64 + 6 * plain_refs.len;
    uint8_t *room = arena_alloc(arena, size);
    if (room == NULL)
        return VIEW_EMPTY;
    struct writer w = writer_over(room, size);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    put_extra(&j, plain_refs);
    json_close_object(&j);
    arena_trim(arena, room, w.len);
    if (w.overflow)
        return VIEW_EMPTY;
    return view_of(room + 1, w.len - 2);
}

/* Sealed values are bound to their payment and name: moved elsewhere they do not open. */
static struct view seal_context(int64_t payment, struct view name, uint8_t out[8 + REFS_NAME_MAX])
{
    struct writer w = writer_over(out, 8 + REFS_NAME_MAX);
    writer_u64_be(&w, (uint64_t)payment);
    writer_view(&w, name);
    return writer_done(&w);
}

static enum status refs_convert(struct secret_key *key, int64_t payment, struct view in,
                                struct arena *arena, struct view *out, bool sealing)
{
    *out = VIEW_EMPTY;
    if (in.len == 0)
        return STATUS_OK;
    size_t room = in.len + REFS_ROWS_MAX * SECRET_SEAL_OVERHEAD;
    uint8_t *bytes = arena_alloc(arena, room);
    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    struct writer w = writer_over(bytes, room);
    struct cursor c = cursor_over(in);
    struct ref row;
    bool broken = false;
    while (refs_next(&c, &row, &broken)) {
        bool convert = sealing ? (row.flags & REF_SENSITIVE) != 0 && (row.flags & REF_SEALED) == 0
                               : (row.flags & REF_SEALED) != 0;
        if (!convert) {
            refs_put(&w, row.name, row.value, row.flags);
            continue;
        }
        uint8_t name[8 + REFS_NAME_MAX];
        uint8_t value[REFS_VALUE_MAX + SECRET_SEAL_OVERHEAD];
        struct writer v = writer_over(value, sizeof value);
        struct view context = seal_context(payment, row.name, name);
        enum status done = sealing ? secret_seal(key, context, row.value, &v)
                                   : secret_unseal(key, context, row.value, &v);
        if (done == STATUS_OK)
            refs_put(&w, row.name, writer_done(&v),
                     sealing ? row.flags | REF_SEALED : row.flags & ~REF_SEALED);
        vault_wipe(value, sizeof value);
        TRY(done);
    }
    if (broken)
        return STATUS_MALFORMED;
    TRY(writer_status(&w));
    arena_trim(arena, bytes, w.len);
    *out = writer_done(&w);
    return STATUS_OK;
}

enum status refs_seal(struct secret_key *key, int64_t payment, struct view plain,
                      struct arena *arena, struct view *out)
{
    return refs_convert(key, payment, plain, arena, out, true);
}

enum status refs_unseal(struct secret_key *key, int64_t payment, struct view sealed,
                        struct arena *arena, struct view *out)
{
    return refs_convert(key, payment, sealed, arena, out, false);
}

struct view reference_to_keep(struct secret_key *key, struct arena *arena, struct view reference)
{
    uint8_t digest[SECRET_MAC_MAX];
    size_t len = 0;
    if (!is_card_number(reference) || secret_mac(key, reference, digest, &len) != STATUS_OK)
        return reference;
    uint8_t *text = arena_alloc(arena, 32);
    if (text == NULL)
        return VIEW_EMPTY;
    struct writer w = writer_over(text, 32);
    writer_text(&w, "mac:");
    for (size_t i = 0; i < 12; i++)
        writer_format(&w, "%02x", digest[i]);
    return writer_done(&w);
}

void refs_put_heard(struct writer *w, struct view reference)
{
    refs_put(w, VIEW(HEARD_ROW),
             view_slice(reference, 0, reference.len < 128 ? reference.len : 128), 0);
}

struct view refs_join(struct arena *arena, struct view a, struct view b)
{
    if (b.len == 0)
        return arena_copy(arena, a);
    uint8_t *bytes = arena_alloc(arena, a.len + b.len);
    if (bytes == NULL)
        return VIEW_EMPTY;
    struct writer w = writer_over(bytes, a.len + b.len);
    writer_view(&w, a);
    writer_view(&w, b);
    return writer_done(&w);
}
