/* notice.c - reads what a channel says unasked, entry by entry, and believes nothing of it.
 *
 *     VERIFY   the adapter names bytes, signature and key; the host checks, and asks again
 *     DONE     one entry; `more` asks for the next one, with index + 1
 *     BROKEN   not understood
 *
 * The whole message is read before anything is done about it: what is recorded and what is
 * acknowledged are then one and the same. Entries are copied into the caller's arena, refs as sets.
 * A message may verify only once, before its first entry: an adapter that asks again has changed
 * its mind about what is signed. An adapter that never asks gives hints, whatever it says of them.
 *
 * The room in which the adapter writes is vault memory, sized by the largest message that it
 * declared: what must be verified may be that message in base 64 and a little more.
 */
#include "base/ensure.h"
#include "base/vault.h"
#include "channel/channel_int.h"
#include "domain/ids.h"
#include "domain/time.h"

_Static_assert(NOTICE_POST == RG_HTTP_POST, "methods cross the border as they are");

#define NOTICE_ROWS       16u
#define NOTICE_HINTS_MAX  8u /* entries of a message that nobody has signed */
#define NOTICE_TEXT_BYTES 4096u
#define NOTICE_ACK_BYTES  16384u

struct notice_room {
    struct rg_notice_out out;
    struct rg_named rows[NOTICE_ROWS];
    uint8_t refs[NOTICE_TEXT_BYTES], acknowledgement[NOTICE_ACK_BYTES];
    uint8_t signature[SECRET_SIGNATURE_MAX], sign_key[64], reference[128], rail_code[32];
    uint8_t attempt_id[ID_TEXT_MAX], message[256], ack_type[64], diagnosis[DIAGNOSIS_MAX];
    size_t bytes_room;
    uint8_t *memory; /* the adapter's, for this message */
    uint8_t bytes[];
};

static struct notice_room *room_new(const struct channel *channel)
{
    size_t bytes_room = (size_t)channel->api->answer_max * 3 / 2 + 8192;
    struct notice_room *n = vault_alloc(sizeof *n + bytes_room);
    if (n == NULL)
        return NULL;
    n->bytes_room = bytes_room;
    size_t memory = (size_t)channel->api->notice_size;
    n->memory = memory > 0 ? vault_alloc(memory) : NULL;
    if (memory > 0 && n->memory == NULL) {
        vault_free(n);
        return NULL;
    }
    return n;
}

static void room_free(struct notice_room *n)
{
    if (n == NULL)
        return;
    vault_free(n->memory);
    vault_free(n);
}

static void room_open(struct notice_room *n)
{
#define ROOM(array) { .ptr = n->array, .room = sizeof n->array }
    n->out = (struct rg_notice_out){
        .size = sizeof n->out,
        .bytes = { .ptr = n->bytes, .room = n->bytes_room },
        .signature = ROOM(signature),
        .sign_key = ROOM(sign_key),
        .reference = ROOM(reference),
        .acknowledgement = ROOM(acknowledgement),
        .refs = { .rows = n->rows, .room = NOTICE_ROWS, .text = ROOM(refs) },
        .rail_code = ROOM(rail_code),
        .attempt_id = ROOM(attempt_id),
        .message = ROOM(message),
        .ack_type = ROOM(ack_type),
        .diagnosis = ROOM(diagnosis),
        .amount_minor = -1,
    };
#undef ROOM
}

static bool room_holds(const struct notice_room *n)
{
#define HOLDS(array) buffer_holds(&o->array, n->array, sizeof n->array)
    const struct rg_notice_out *o = &n->out;
    return buffer_holds(&o->bytes, n->bytes, n->bytes_room) && HOLDS(signature) &&
           HOLDS(sign_key) && HOLDS(reference) && HOLDS(acknowledgement) && HOLDS(rail_code) &&
           HOLDS(attempt_id) && HOLDS(message) && HOLDS(ack_type) &&
           table_holds(&o->refs, n->rows, NOTICE_ROWS, n->refs, sizeof n->refs);
#undef HOLDS
}

static struct view text_of(const struct rg_buffer *b)
{
    return view_of(b->ptr, (size_t)b->len);
}

static bool verify(const struct channel *channel, const struct link *link,
                   const struct rg_notice_out *o)
{
    struct secret_key *key = link_key(link, channel, text_of(&o->sign_key), NULL);
    return key != NULL &&
           secret_verify(key, text_of(&o->bytes), text_of(&o->signature)) == STATUS_OK;
}

/* Text for people that goes into records and answers: only UTF-8, and no card number in it. */
static struct view text_copy(struct arena *arena, const struct rg_buffer *b)
{
    struct view text = text_of(b);
    if (text.len == 0 || !view_is_utf8(text))
        return VIEW_EMPTY;
    uint8_t *bytes = arena_alloc(arena, text.len);
    if (bytes == NULL)
        return VIEW_EMPTY;
    struct writer w = writer_over(bytes, text.len);
    redact_text(&w, text);
    return writer_done(&w);
}

/* As it is, byte for byte: it tells one movement of money from another. Whoever shows it masks it.
 */
static struct view raw_copy(struct arena *arena, const struct rg_buffer *b)
{
    return arena_copy(arena, text_of(b));
}

/* NULL, or what the adapter must not say. */
static const char *entry_take(const struct rg_notice_out *o, struct arena *arena,
                              struct notice_entry *entry)
{
    uint32_t about = o->about != 0 ? o->about : o->outcome != 0 ? RG_ABOUT_STATUS : RG_ABOUT_LINK;
    if (about > RG_ABOUT_LINK)
        return "the adapter's notice is about something that does not exist";
    if (o->amount_minor < -1 || o->category > RG_CATEGORY_OTHER)
        return "the adapter's notice has an amount or category that cannot be";
    if (about == RG_ABOUT_STATUS &&
        (o->outcome < RG_OUTCOME_APPROVED || o->outcome > RG_OUTCOME_REJECTED))
        return "the adapter's notice has an outcome that cannot be";
    if ((about == RG_ABOUT_RETURN || about == RG_ABOUT_CREDIT) &&
        (o->reference.len == 0 || o->amount_minor <= 0 || o->currency_number == 0))
        return "the adapter's notice tells of money without reference, amount and currency";
    size_t refs_len = table_set_len(&o->refs);
    uint8_t *refs = arena_alloc(arena, refs_len);
    if (refs == NULL)
        return "memory is out";
    struct writer w = writer_over(refs, refs_len);
    table_put_set(&w, &o->refs);
    bool moved = o->outcome == RG_OUTCOME_APPROVED || o->outcome == RG_OUTCOME_PENDING;
    *entry = (struct notice_entry){
        .about = (enum notice_about)about,
        .outcome = (enum outcome)o->outcome,
        .category = moved ? CATEGORY_NONE
                          : (o->category == RG_CATEGORY_NONE ? CATEGORY_OTHER
                                                             : (enum category)(o->category + 1)),
        .amount_minor = o->amount_minor,
        .currency_number = o->currency_number,
        .reference = raw_copy(arena, &o->reference),
        .rail_code = text_copy(arena, &o->rail_code),
        .message = text_copy(arena, &o->message),
        .refs = writer_done(&w),
    };
    if (o->attempt_id.len > 0 &&
        id_parse(ID_ATTEMPT, text_of(&o->attempt_id), &entry->attempt_id) != STATUS_OK)
        return "the adapter's notice names an attempt in a form that none has";
    return arena->overflow ? "memory is out" : NULL;
}

static enum notice_verdict said_wrong(struct notice_read *out, const char *why)
{
    out->count = 0;
    out->why = why;
    return NOTICE_NOT_UNDERSTOOD;
}

static void ack_take(const struct rg_notice_out *o, struct arena *arena, struct notice_read *out)
{
    out->ack_status = o->ack_status >= 200 && o->ack_status <= 299 ? (int)o->ack_status : 200;
    out->ack = arena_copy(arena, text_of(&o->acknowledgement));
    struct view type = text_of(&o->ack_type);
    for (size_t i = 0; i < type.len; i++)
        if (type.ptr[i] < ' ' || type.ptr[i] > '~')
            type = VIEW_EMPTY; /* it becomes a header */
    out->ack_type = arena_copy(arena, type);
}

/* Room for one entry more. False: memory is out. */
static bool entries_room(struct notice_read *out, struct arena *arena)
{
    size_t room = 16;
    while (room < out->count)
        room *= 2;
    if (out->count != 0 && out->count != room)
        return true;
    size_t more = out->count == 0 ? room : 2 * room;
    struct notice_entry *entries = arena_alloc(arena, more * sizeof *entries);
    if (entries == NULL)
        return false;
    if (out->count > 0)
        memcpy(entries, out->entries, out->count * sizeof *entries);
    out->entries = entries;
    return true;
}

static enum notice_verdict read_all(const struct channel *channel, const struct link *link,
                                    struct notice_room *n, struct rg_notice *in,
                                    struct arena *arena, struct notice_read *out)
{
    bool first = true;
    in->memory = n->memory;
    /* verified is known after the first call. */
    while (entries_room(out, arena) &&
           out->count < (first || in->verified != 0 ? NOTICE_ENTRIES_MAX : NOTICE_HINTS_MAX)) {
        room_open(n);
        uint32_t said = channel->api->notice(channel->instance, in, &n->out);
        if (said == RG_NOTICE_BROKEN)
            return said_wrong(out, "the adapter does not understand it");
        if (!room_holds(n))
            return said_wrong(out, "what the adapter wrote is too long or broken");
        if (said == RG_NOTICE_VERIFY && first && in->verified == 0) {
            if (!verify(channel, link, &n->out)) {
                out->why = "its signature is not right";
                return NOTICE_NOT_VERIFIED;
            }
            in->verified = 1;
            continue;
        }
        if (said != RG_NOTICE_DONE)
            return said_wrong(out, "the adapter answered with something that does not exist");
        struct notice_entry *entry = &out->entries[out->count];
        const char *wrong = entry_take(&n->out, arena, entry);
        if (wrong != NULL)
            return said_wrong(out, wrong);
        entry->verified = in->verified != 0;
        out->count++;
        first = false;
        if (n->out.more == 0) {
            ack_take(&n->out, arena, out);
            return arena->overflow ? said_wrong(out, "memory is out") : NOTICE_READ;
        }
        in->index++;
    }
    if (arena->overflow)
        return said_wrong(out, "memory is out");
    if (in->verified != 0)
        return said_wrong(out, "it tells of more payments than one message may");
    ack_take(&n->out, arena, out); /* whoever it is may ask us to look, but not to read for long */
    return NOTICE_READ;
}

enum notice_verdict notice_read_on(struct channel *channel, const struct link *link,
                                   const struct notice_message *message, struct arena *arena,
                                   struct notice_read *out)
{
    *out = (struct notice_read){ .why = "the adapter takes no notices" };
    if (channel->api->notice == NULL)
        return NOTICE_NOT_TAKEN;
    if (message->body.len > channel->api->answer_max)
        return said_wrong(out, "it is longer than the adapter's largest message");
    int64_t now_us = loop_wall_us(channel->set->options.loop);
    struct civil now;
    civil_from_us(now_us, 0, &now);
    struct rg_notice in = {
        .size = sizeof in,
        .bytes = { message->body.ptr, message->body.len },
        .headers = { message->headers.ptr, message->headers.len },
        .utc = { (uint32_t)now.year, (uint32_t)now.month, (uint32_t)now.day, (uint32_t)now.hour,
                 (uint32_t)now.minute, (uint32_t)now.second },
        .time_unix_us = now_us,
        .http_method = message->http_method,
        .path = { message->path.ptr, message->path.len },
    };
    struct notice_room *n = room_new(channel);
    enum notice_verdict verdict =
        n == NULL ? said_wrong(out, "memory is out") : read_all(channel, link, n, &in, arena, out);
    room_free(n);
    return verdict;
}

enum notice_verdict channel_notice_read(struct channel *channel,
                                        const struct notice_message *message, struct arena *arena,
                                        struct notice_read *out)
{
    ENSURE_MAGIC(channel, CHANNEL_MAGIC);
    return notice_read_on(channel, NULL, message, arena, out);
}

/* --- on a framed link ------------------------------------------------------------------------ */

/* A notice about payments that waits until it is recorded, then is acknowledged on its link. */
struct notice_waiting {
    struct list item; /* of channel->notices */
    struct channel *channel;
    uint32_t link;
    uint64_t connection; /* link->connections when it came: a later connection is another one */
    struct arena arena;
    struct notice_read read;
};

static void notice_recorded(void *arg, enum status status)
{
    struct notice_waiting *w = arg;
    struct channel *channel = w->channel;
    struct link *link = &channel->links[w->link];
    bool stands =
        link->conn != NULL && link->state != LINK_CLOSING && link->connections == w->connection;
    if (status == STATUS_OK && stands && w->read.ack.len > 0 &&
        conn_write(link->conn, w->read.ack) != STATUS_OK)
        link_break(link, "an acknowledgement cannot be sent");
    list_remove(&w->item);
    arena_reset(&w->arena);
    vault_free(w);
}

static bool is_about_payments(const struct notice_read *read)
{
    for (size_t i = 0; i < read->count; i++)
        if (read->entries[i].about != NOTICE_LINK)
            return true;
    return false;
}

const char *notice_on_link(struct link *link, struct view message, struct view *about_link)
{
    struct channel *channel = link->channel;
    const struct channels_options *options = &channel->set->options;
    *about_link = VIEW_EMPTY;
    struct notice_waiting *w = vault_alloc(sizeof *w);
    if (w == NULL)
        return "memory is out";
    w->channel = channel;
    w->link = link->index;
    w->connection = link->connections;
    list_init(&w->item);
    arena_init(&w->arena, (size_t)4 << 20);
    struct notice_message in = { .body = message };
    const char *wrong = NULL;
    if (notice_read_on(channel, link, &in, &w->arena, &w->read) != NOTICE_READ)
        wrong = w->read.why;
    else if (is_about_payments(&w->read) && options->notice == NULL)
        wrong = "nobody takes notices about payments";
    if (wrong == NULL && is_about_payments(&w->read)) {
        list_append(&channel->notices, &w->item);
        options->notice(options->arg, channel, &w->read, notice_recorded, w);
        return NULL;
    }
    if (wrong == NULL) {
        if (w->read.ack.len > 0 && conn_write(link->conn, w->read.ack) != STATUS_OK)
            link_break(link, "an acknowledgement cannot be sent");
        struct view word = refs_find(w->read.entries[0].refs, "link");
        *about_link = view_is(word, "key_change") ? VIEW("key_change")
                      : view_is(word, "sign_off") ? VIEW("sign_off")
                                                  : VIEW("other");
    }
    arena_reset(&w->arena);
    vault_free(w);
    return wrong;
}

void notices_fini(struct channel *channel)
{
    struct list *item;
    while ((item = list_take_first(&channel->notices)) != NULL) {
        struct notice_waiting *w = CONTAINER_OF(item, struct notice_waiting, item);
        arena_reset(&w->arena);
        vault_free(w);
    }
}
