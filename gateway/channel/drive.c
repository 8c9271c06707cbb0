/* drive.c - calls an adapter's begin and resume until it wants to send, is done or fails, and
 * believes nothing that comes back.
 *
 * The adapter writes into rooms of the workspace, which all exchanges of a set share, because calls
 * never nest and nothing of it is needed after the call: a message and its refs are copied out
 * (take_message), an answer is turned into a result (judge.c). What was written is wiped at once.
 *
 * After each call, before anything is read: pointers and rooms must still be ours, lengths and
 * counts within them, rows inside the text they were put into, names and flags of the kind the ABI
 * allows, and no overflow latched. Whatever is not so is FAIL, with a diagnosis that names the
 * adapter's mistake and no value. What FAIL means (refused, unknown) is up to the caller, who knows
 * whether bytes have left.
 *
 * SIGN is answered here: the MAC comes from secret/ with the link's key, the adapter never sees a
 * key.
 */
#include "channel/channel_int.h"

#include "base/ensure.h"
#include "base/vault.h"
#include "domain/ids.h"
#include "domain/time.h"

void exchange_diagnose(struct exchange *exchange, const char *text)
{
    size_t len = strnlen(text, sizeof exchange->diagnosis);
    memcpy(exchange->diagnosis, text, len);
    exchange->diagnosis_len = len;
}

/* The adapter's own words: for people, so they must be text, and no card number slips through. */
static void diagnose_from(struct exchange *exchange, const struct rg_buffer *said)
{
    struct view text = view_of(said->ptr, said->len);
    struct writer w = writer_over(exchange->diagnosis, sizeof exchange->diagnosis);
    if (text.len == 0 || !view_is_utf8(text)) {
        exchange_diagnose(exchange, "the adapter failed without saying why");
        return;
    }
    redact_text(&w, text);
    exchange->diagnosis_len = w.len;
    for (size_t i = 0; i < w.len; i++) /* one sentence, one line */
        if ((uint8_t)exchange->diagnosis[i] < 0x20 || exchange->diagnosis[i] == 0x7f)
            exchange->diagnosis[i] = ' ';
}

/* --- the workspace --------------------------------------------------------------------------- */

static struct rg_buffer room(uint8_t *ptr, size_t size)
{
    return (struct rg_buffer){ .ptr = ptr, .room = size };
}

static void workspace_open(struct workspace *w, size_t bytes_room)
{
    w->out = (struct rg_out){
        .size = sizeof w->out,
        .bytes = room(w->bytes, bytes_room),
        .correlation = room(w->correlation, sizeof w->correlation),
        .sign_key = room(w->sign_key, sizeof w->sign_key),
        .refs = { .rows = w->refs_rows,
                  .room = COUNT_OF(w->refs_rows),
                  .text = room(w->refs_text, sizeof w->refs_text) },
        .grants = { .rows = w->grants_rows,
                    .room = COUNT_OF(w->grants_rows),
                    .text = room(w->grants_text, sizeof w->grants_text) },
        .reference = room(w->reference, sizeof w->reference),
        .rail_code = room(w->rail_code, sizeof w->rail_code),
        .message = room(w->message, sizeof w->message),
        .diagnosis = room(w->diagnosis, sizeof w->diagnosis),
        .extra = { .rows = w->extra_rows,
                   .room = COUNT_OF(w->extra_rows),
                   .text = room(w->extra_text, sizeof w->extra_text) },
        .amount_minor = -1,
    };
}

static void wipe_used(uint8_t *ptr, uint64_t used, size_t size)
{
    vault_wipe(ptr, used < size ? (size_t)used : size);
}

void drive_clean(struct channels *set)
{
    struct workspace *w = set->workspace;
    wipe_used(w->bytes, w->out.bytes.len, w->bytes_room);
    wipe_used(w->refs_text, w->out.refs.text.len, sizeof w->refs_text);
    wipe_used(w->grants_text, w->out.grants.text.len, sizeof w->grants_text);
    wipe_used(w->extra_text, w->out.extra.text.len, sizeof w->extra_text);
}

/* --- is it as it must be? -------------------------------------------------------------------- */

bool buffer_holds(const struct rg_buffer *buffer, const uint8_t *ptr, uint64_t size)
{
    return buffer->ptr == ptr && buffer->room == size && buffer->len <= size &&
           buffer->overflow == 0;
}

static bool inside(struct rg_bytes part, const struct rg_buffer *whole)
{
    if (part.len == 0)
        return true;
    uintptr_t at = (uintptr_t)part.ptr, from = (uintptr_t)whole->ptr;
    return at >= from && at - from <= whole->len && part.len <= whole->len - (at - from);
}

static bool is_row_name(struct rg_bytes name)
{
    if (name.len < 1 || name.len > REFS_NAME_MAX)
        return false;
    for (uint64_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        bool fits =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
        if (!fits)
            return false;
    }
    return true;
}

bool table_holds(const struct rg_table *table, const struct rg_named *rows, uint64_t rows_max,
                 const uint8_t *text, uint64_t size)
{
    if (table->rows != rows || table->room != rows_max || table->count > rows_max ||
        !buffer_holds(&table->text, text, size))
        return false;
    for (uint64_t i = 0; i < table->count; i++) {
        const struct rg_named *row = &rows[i];
        if (!inside(row->name, &table->text) || !inside(row->value, &table->text) ||
            !is_row_name(row->name) || row->value.len > REFS_VALUE_MAX ||
            (row->flags & ~RG_NAMED_SENSITIVE) != 0)
            return false;
    }
    return true;
}

static bool out_holds(const struct workspace *w, size_t bytes_room)
{
    const struct rg_out *o = &w->out;
    return buffer_holds(&o->bytes, w->bytes, bytes_room) &&
           buffer_holds(&o->correlation, w->correlation, sizeof w->correlation) &&
           buffer_holds(&o->sign_key, w->sign_key, sizeof w->sign_key) &&
           buffer_holds(&o->reference, w->reference, sizeof w->reference) &&
           buffer_holds(&o->rail_code, w->rail_code, sizeof w->rail_code) &&
           buffer_holds(&o->message, w->message, sizeof w->message) &&
           table_holds(&o->refs, w->refs_rows, COUNT_OF(w->refs_rows), w->refs_text,
                       sizeof w->refs_text) &&
           table_holds(&o->grants, w->grants_rows, COUNT_OF(w->grants_rows), w->grants_text,
                       sizeof w->grants_text) &&
           table_holds(&o->extra, w->extra_rows, COUNT_OF(w->extra_rows), w->extra_text,
                       sizeof w->extra_text);
}

/* --- what a step brings ---------------------------------------------------------------------- */

size_t table_set_len(const struct rg_table *table)
{
    size_t len = 0;
    for (uint64_t i = 0; i < table->count; i++)
        len += 4 + (size_t)table->rows[i].name.len + (size_t)table->rows[i].value.len;
    return len;
}

void table_put_set(struct writer *w, const struct rg_table *table)
{
    for (uint64_t i = 0; i < table->count; i++) {
        const struct rg_named *row = &table->rows[i];
        refs_put(w, view_of(row->name.ptr, (size_t)row->name.len),
                 view_of(row->value.ptr, (size_t)row->value.len),
                 (row->flags & RG_NAMED_SENSITIVE) != 0 ? REF_SENSITIVE : 0);
    }
}

static enum drive fail(struct exchange *exchange, const char *diagnosis)
{
    exchange_diagnose(exchange, diagnosis);
    return DRIVE_FAIL;
}

/* SEND: copies message, correlation and refs out of the workspace. */
static enum drive take_message(struct exchange *exchange)
{
    const struct rg_out *o = &exchange->channel->set->workspace->out;
    if (o->bytes.len == 0)
        return fail(exchange, "the adapter sends an empty message");
    if (o->expects_reply != 1 && o->expects_reply != 2)
        return fail(exchange, "the adapter does not say whether it expects a reply");
    if (o->expects_reply == 1 && o->correlation.len == 0)
        return fail(exchange, "the adapter gives no correlation key for its message");
    size_t refs_len = table_set_len(&o->refs);
    if (exchange->bytes_left && refs_len != 0)
        return fail(exchange, "the adapter adds refs to a second message; they cannot be stored "
                              "before it leaves");
    size_t message_len = (size_t)o->bytes.len;
    uint8_t *block = vault_alloc(message_len + refs_len);
    if (block == NULL)
        return fail(exchange, "memory is out");
    memcpy(block, o->bytes.ptr, message_len);
    struct writer w = writer_over(block + message_len, refs_len);
    table_put_set(&w, &o->refs);
    ENSURE(!w.overflow && w.len == refs_len);
    vault_free(exchange->block);
    exchange->block = block;
    exchange->message_len = message_len;
    exchange->refs_len = refs_len;
    exchange->expects_reply = o->expects_reply;
    exchange->correlation_len = (size_t)o->correlation.len;
    memcpy(exchange->correlation, o->correlation.ptr, exchange->correlation_len);
    return DRIVE_SEND;
}

/* SIGN: the MAC of what the adapter wrote, under the link's key. */
static bool sign(struct exchange *exchange, const struct link *link, uint8_t mac[SECRET_MAC_MAX],
                 size_t *mac_len)
{
    const struct rg_out *o = &exchange->channel->set->workspace->out;
    struct secret_key *key =
        link_key(link, exchange->channel, view_of(o->sign_key.ptr, (size_t)o->sign_key.len), NULL);
    if (key == NULL) {
        exchange_diagnose(exchange, "the adapter asks for a key that is not configured");
        return false;
    }
    exchange->used_key = true;
    exchange->key_generation = link != NULL ? link->key_generation : 0;
    if (secret_mac(key, view_of(o->bytes.ptr, (size_t)o->bytes.len), mac, mac_len) == STATUS_OK)
        return true;
    exchange_diagnose(exchange, "the key that the adapter asks for cannot make a MAC");
    return false;
}

static enum drive drive(struct exchange *exchange, const struct link *link,
                        const struct rg_command *command, struct view reply)
{
    struct channel *channel = exchange->channel;
    struct workspace *w = channel->set->workspace;
    size_t bytes_room = (size_t)channel->api->request_max;
    if (bytes_room < WORKSPACE_BYTES_MIN) /* what is signed may be longer than what is sent */
        bytes_room = WORKSPACE_BYTES_MIN;
    ENSURE(bytes_room <= w->bytes_room);
    struct rg_event event = { .size = sizeof event,
                              .kind = RG_EVENT_REPLY,
                              .bytes = { reply.ptr, reply.len } };
    uint8_t mac[SECRET_MAC_MAX] = { 0 };
    for (;;) {
        if (exchange->steps >= channel->api->steps_max)
            return fail(exchange, "the adapter takes more steps than it declared");
        exchange->steps++;
        workspace_open(w, bytes_room);
        uint32_t step =
            command != NULL
                ? channel->api->begin(channel->instance, exchange->adapter_state, command, &w->out)
                : channel->api->resume(channel->instance, exchange->adapter_state, &event, &w->out);
        if (step == RG_STEP_FAIL &&
            buffer_holds(&w->out.diagnosis, w->diagnosis, sizeof w->diagnosis)) {
            diagnose_from(exchange, &w->out.diagnosis);
            return DRIVE_FAIL;
        }
        if (!out_holds(w, bytes_room))
            return fail(exchange, "what the adapter wrote is too long or broken");
        size_t mac_len = 0;
        switch (step) {
        case RG_STEP_SEND:
            if (w->out.bytes.len > channel->api->request_max)
                return fail(exchange, "the adapter's message is longer than it declared");
            return take_message(exchange);
        case RG_STEP_DONE: return DRIVE_DONE;
        case RG_STEP_SIGN:
            if (!sign(exchange, link, mac, &mac_len))
                return DRIVE_FAIL;
            break;
        default: return fail(exchange, "the adapter answered with a step that does not exist");
        }
        drive_clean(channel->set);
        command = NULL;
        event.kind = RG_EVENT_SIGNED;
        event.bytes = (struct rg_bytes){ mac, mac_len };
    }
}

/* --- the two ways in ------------------------------------------------------------------------- */

static void civil_put(int64_t wall_us, int32_t offset_minutes, struct rg_civil *out)
{
    struct civil c;
    civil_from_us(wall_us, offset_minutes, &c);
    *out = (struct rg_civil){ (uint32_t)c.year, (uint32_t)c.month,  (uint32_t)c.day,
                              (uint32_t)c.hour, (uint32_t)c.minute, (uint32_t)c.second };
}

/* The rows of a set; false when there are too many or it is broken. */
static bool named_rows(struct view set, struct rg_named *rows, uint64_t *count)
{
    struct cursor c = cursor_over(set);
    struct ref row;
    bool broken = false;
    *count = 0;
    while (refs_next(&c, &row, &broken)) {
        if (*count == REFS_ROWS_MAX || (row.flags & REF_SEALED) != 0)
            return false;
        rows[(*count)++] = (struct rg_named){
            .name = { row.name.ptr, row.name.len },
            .value = { row.value.ptr, row.value.len },
            .flags = (row.flags & REF_SENSITIVE) != 0 ? RG_NAMED_SENSITIVE : 0,
        };
    }
    return !broken;
}

static bool command_put(const struct exchange *exchange, char attempt[ID_TEXT_MAX],
                        struct rg_command *out)
{
    const struct exchange_command *c = &exchange->command;
    struct workspace *w = exchange->channel->set->workspace;
    *out = (struct rg_command){
        .size = sizeof *out,
        .operation = (uint32_t)c->operation,
        .repeat = c->repeat,
        .amount_minor = c->amount_minor,
        .original_minor = c->original_minor,
        .trace = c->trace,
        .time_unix_us = c->time_us,
        .details = w->details_in,
        .refs = w->refs_in,
    };
    if (c->currency != NULL) {
        out->currency_number = c->currency->number;
        out->currency_exponent = c->currency->exponent;
        memcpy(out->currency_code, c->currency->code, sizeof out->currency_code);
    }
    civil_put(c->time_us, 0, &out->utc);
    civil_put(c->time_us, exchange->channel->settings->time_offset_minutes, &out->local);
    memcpy(out->random, c->random, sizeof out->random);
    if (exchange->op_of != NULL) { /* no attempt: the trace number is unique enough for a link */
        struct writer text = writer_over(attempt, ID_TEXT_MAX);
        writer_format(&text, "lnk_%06u", (unsigned)c->trace);
        out->attempt_id = (struct rg_bytes){ text.ptr, text.len };
    } else {
        const char *text = id_format(ID_ATTEMPT, c->attempt_id, attempt);
        out->attempt_id = (struct rg_bytes){ (const uint8_t *)text, strlen(text) };
    }
    return named_rows(c->details, w->details_in, &out->details_count) &&
           named_rows(c->refs, w->refs_in, &out->refs_count);
}

enum drive drive_begin(struct exchange *exchange, const struct link *link)
{
    struct rg_command command;
    char attempt[ID_TEXT_MAX];
    if (!command_put(exchange, attempt, &command))
        return fail(exchange, "the details or refs of the command are broken or too many");
    return drive(exchange, link, &command, VIEW_EMPTY);
}

enum drive drive_reply(struct exchange *exchange, const struct link *link, struct view message)
{
    return drive(exchange, link, NULL, message);
}
