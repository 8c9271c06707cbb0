/* drive.c - calls an adapter's begin and resume until it wants to send, is done or fails, and
 * believes nothing that comes back.
 *
 * The adapter writes into rooms of the workspace, which all exchanges of a set share, because calls
 * never nest and nothing of it is needed after the call: a message and its refs are copied out
 * (request.c), an answer is turned into a result (judge.c). What was written is wiped at once.
 *
 * After each call, before anything is read: pointers and rooms must still be ours, lengths and
 * counts within them, rows inside the text they were put into, names and flags of the kind the ABI
 * allows, and no overflow latched. Whatever is not so is FAIL, with a diagnosis that names the
 * adapter's mistake and no value. What FAIL means (refused, unknown) is up to the caller, who knows
 * whether bytes have left.
 *
 * SIGN is answered here: MAC or signature come from secret/ with the link's key, the adapter never
 * sees a key.
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
        .path = room(w->path, sizeof w->path),
        .headers = { .rows = w->header_rows,
                     .room = COUNT_OF(w->header_rows),
                     .text = room(w->header_text, sizeof w->header_text) },
        .action_values = { .rows = w->action_rows,
                           .room = COUNT_OF(w->action_rows),
                           .text = room(w->action_text, sizeof w->action_text) },
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
    wipe_used(w->path, w->out.path.len, sizeof w->path);
    wipe_used(w->header_text, w->out.headers.text.len, sizeof w->header_text);
    wipe_used(w->action_text, w->out.action_values.text.len, sizeof w->action_text);
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

bool row_name_fits(struct rg_bytes name)
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

bool table_holds_flags(const struct rg_table *table, const struct rg_named *rows, uint64_t rows_max,
                       const uint8_t *text, uint64_t size, uint32_t flags_allowed)
{
    if (table->rows != rows || table->room != rows_max || table->count > rows_max ||
        !buffer_holds(&table->text, text, size))
        return false;
    for (uint64_t i = 0; i < table->count; i++) {
        const struct rg_named *row = &rows[i];
        if (!inside(row->name, &table->text) || !inside(row->value, &table->text) ||
            !row_name_fits(row->name) || row->value.len > REFS_VALUE_MAX ||
            (row->flags & ~flags_allowed) != 0)
            return false;
    }
    return true;
}

bool table_holds(const struct rg_table *table, const struct rg_named *rows, uint64_t rows_max,
                 const uint8_t *text, uint64_t size)
{
    return table_holds_flags(table, rows, rows_max, text, size, RG_NAMED_SENSITIVE);
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
                       sizeof w->extra_text) &&
           buffer_holds(&o->path, w->path, sizeof w->path) &&
           table_holds_flags(&o->headers, w->header_rows, COUNT_OF(w->header_rows), w->header_text,
                             sizeof w->header_text, RG_NAMED_SENSITIVE | RG_NAMED_SLOT) &&
           table_holds(&o->action_values, w->action_rows, COUNT_OF(w->action_rows), w->action_text,
                       sizeof w->action_text);
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

/* SIGN: the MAC or signature of what the adapter wrote, under the link's key. */
static bool sign(struct exchange *exchange, const struct link *link,
                 uint8_t signature[SECRET_SIGNATURE_MAX], size_t *len)
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
    enum status signed_so =
        secret_sign(key, view_of(o->bytes.ptr, (size_t)o->bytes.len), signature, len);
    if (signed_so == STATUS_OK)
        return true;
    exchange->starved = signed_so == STATUS_NO_MEMORY;
    exchange_diagnose(exchange, "the key that the adapter asks for cannot sign");
    return false;
}

static enum drive drive(struct exchange *exchange, const struct link *link,
                        const struct rg_command *command, struct rg_event event)
{
    struct channel *channel = exchange->channel;
    struct workspace *w = channel->set->workspace;
    size_t bytes_room = (size_t)channel->api->request_max;
    if (bytes_room < WORKSPACE_BYTES_MIN) /* what is signed may be longer than what is sent */
        bytes_room = WORKSPACE_BYTES_MIN;
    ENSURE(bytes_room <= w->bytes_room);
    uint8_t signature[SECRET_SIGNATURE_MAX] = { 0 };
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
        size_t len = 0;
        const char *wrong = NULL;
        switch (step) {
        case RG_STEP_SEND:
            wrong = request_take(exchange);
            return wrong == NULL ? DRIVE_SEND : fail(exchange, wrong);
        case RG_STEP_DONE: return DRIVE_DONE;
        case RG_STEP_SIGN:
            if (!sign(exchange, link, signature, &len))
                return DRIVE_FAIL;
            break;
        default: return fail(exchange, "the adapter answered with a step that does not exist");
        }
        drive_clean(channel->set);
        command = NULL;
        event = (struct rg_event){ .size = sizeof event,
                                   .kind = RG_EVENT_SIGNED,
                                   .bytes = { signature, len } };
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
    out->now_unix_us = loop_wall_us(exchange->channel->set->options.loop);
    const char *notice_url = exchange->channel->notice_url;
    out->notice_url = (struct rg_bytes){ (const uint8_t *)notice_url, strlen(notice_url) };
    if (!exchange_is_payment(exchange)) { /* no attempt: the trace number is unique enough */
        struct writer text = writer_over(attempt, ID_TEXT_MAX);
        writer_format(&text, exchange->for_token ? "tok_%06u" : "lnk_%06u", (unsigned)c->trace);
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
    return drive(exchange, link, &command, (struct rg_event){ .size = sizeof(struct rg_event) });
}

enum drive drive_reply(struct exchange *exchange, const struct link *link, struct view message)
{
    return drive(exchange, link, NULL,
                 (struct rg_event){ .size = sizeof(struct rg_event),
                                    .kind = RG_EVENT_REPLY,
                                    .bytes = { message.ptr, message.len } });
}

enum drive drive_http_reply(struct exchange *exchange, int http_status, struct view body,
                            struct view headers)
{
    return drive(exchange, NULL, NULL,
                 (struct rg_event){ .size = sizeof(struct rg_event),
                                    .kind = RG_EVENT_REPLY,
                                    .http_status = (uint32_t)http_status,
                                    .bytes = { body.ptr, body.len },
                                    .headers = { headers.ptr, headers.len } });
}
