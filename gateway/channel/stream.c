/* stream.c - what comes in on a link: bytes into messages, messages to whom they concern.
 *
 * The adapter's frame() says where a message ends and whose answer it is. Messages are taken
 * straight out of the bytes that came; only the beginning of one whose end is missing is kept, in a
 * buffer of answer_max bytes. Whatever frame() says is checked: it can neither stop the stream (a
 * message of 0 bytes), nor reach beyond what came, nor let a message grow over answer_max. If it
 * says BROKEN, or something impossible, the link is closed: after that no boundary can be trusted.
 *
 * An answer whose correlation key nobody awaits is counted, logged and dropped: a second copy of an
 * answer can never end an exchange a second time, because the first took its key out of the map.
 *
 * What comes unasked goes to notice(). It may be verified with a key first. Matters of the link are
 * acknowledged and acted upon (refs row "link": key_change). A notice about a payment is not
 * acknowledged here, because it must be stored first, and nobody stores notices of framed channels
 * yet.
 *
 * The other side decides how many such messages there are, so it must not decide how long the log
 * gets: of each kind one line a second and link is written, and the next says how many were not.
 */
#include "base/ensure.h"
#include "base/vault.h"
#include "channel/channel_int.h"
#include "domain/time.h"

#define CHATTER_EVERY_US (1 * LOOP_US_PER_S)

static bool link_lives(const struct link *link)
{
    return link->conn != NULL && link->state != LINK_CLOSING;
}

/* True when a line of this kind may be written now; *kept_back: how many were not before it. */
static bool may_say(struct link *link, enum chatter_kind kind, uint64_t *kept_back)
{
    struct chatter *chatter = &link->chatter[kind];
    int64_t now_us = channel_now(link->channel);
    if (chatter->said && now_us - chatter->said_us < CHATTER_EVERY_US) {
        chatter->kept_back++;
        return false;
    }
    *kept_back = chatter->kept_back;
    *chatter = (struct chatter){ .said_us = now_us, .said = true };
    return true;
}

static void reply(struct link *link, struct view key, struct view message)
{
    struct channel *channel = link->channel;
    struct exchange *exchange = map_get(channel->awaited, key);
    if (exchange != NULL) {
        exchange_answered(exchange, link, message);
        return;
    }
    channel->unmatched++;
    uint64_t kept_back;
    if (may_say(link, CHATTER_UNMATCHED, &kept_back))
        CHANNEL_LOG(channel, LOG_WARN, "channel.unmatched_reply", LOG_INT("link", link->index),
                    LOG_INT("bytes", message.len), LOG_INT("kept_back", kept_back));
}

/* --- notices --------------------------------------------------------------------------------- */

#define NOTICE_BYTES 4096u
#define NOTICE_ROWS  16u

struct notice_room {
    struct rg_notice_out out;
    struct rg_named rows[NOTICE_ROWS];
    uint8_t bytes[NOTICE_BYTES], acknowledgement[NOTICE_BYTES], refs[NOTICE_BYTES];
    uint8_t signature[64], sign_key[64], reference[128], rail_code[32];
};

static void notice_open(struct notice_room *n)
{
#define ROOM(array) { .ptr = n->array, .room = sizeof n->array }
    n->out = (struct rg_notice_out){
        .size = sizeof n->out,
        .bytes = ROOM(bytes),
        .signature = ROOM(signature),
        .sign_key = ROOM(sign_key),
        .reference = ROOM(reference),
        .acknowledgement = ROOM(acknowledgement),
        .refs = { .rows = n->rows, .room = NOTICE_ROWS, .text = ROOM(refs) },
        .rail_code = ROOM(rail_code),
        .amount_minor = -1,
    };
#undef ROOM
}

static bool notice_holds(const struct notice_room *n)
{
    const struct rg_notice_out *o = &n->out;
    return buffer_holds(&o->bytes, n->bytes, sizeof n->bytes) &&
           buffer_holds(&o->signature, n->signature, sizeof n->signature) &&
           buffer_holds(&o->sign_key, n->sign_key, sizeof n->sign_key) &&
           buffer_holds(&o->reference, n->reference, sizeof n->reference) &&
           buffer_holds(&o->acknowledgement, n->acknowledgement, sizeof n->acknowledgement) &&
           buffer_holds(&o->rail_code, n->rail_code, sizeof n->rail_code) &&
           table_holds(&o->refs, n->rows, NOTICE_ROWS, n->refs, sizeof n->refs);
}

static bool verified(const struct link *link, const struct rg_notice_out *o)
{
    struct secret_key *key =
        link_key(link, link->channel, view_of(o->sign_key.ptr, (size_t)o->sign_key.len), NULL);
    return key != NULL &&
           secret_verify(key, view_of(o->bytes.ptr, (size_t)o->bytes.len),
                         view_of(o->signature.ptr, (size_t)o->signature.len)) == STATUS_OK;
}

/* NULL, or why it is dropped. */
static const char *notice_read(struct link *link, struct notice_room *n, struct view message)
{
    const struct channel *channel = link->channel;
    struct rg_notice in = { .size = sizeof in, .bytes = { message.ptr, message.len } };
    struct civil now;
    civil_from_us(loop_wall_us(channel->set->options.loop), 0, &now);
    in.utc = (struct rg_civil){ (uint32_t)now.year, (uint32_t)now.month,  (uint32_t)now.day,
                                (uint32_t)now.hour, (uint32_t)now.minute, (uint32_t)now.second };
    if (channel->api->notice == NULL)
        return "the adapter takes no notices";
    for (;;) {
        notice_open(n);
        uint32_t said = channel->api->notice(channel->instance, &in, &n->out);
        if (said == RG_NOTICE_BROKEN)
            return "the adapter does not understand it";
        if (!notice_holds(n))
            return "what the adapter wrote is too long or broken";
        if (said == RG_NOTICE_DONE)
            return NULL;
        if (said != RG_NOTICE_VERIFY || in.verified != 0)
            return "the adapter answered with something that does not exist";
        if (!verified(link, &n->out))
            return "its signature is not right";
        in.verified = 1;
    }
}

static void notice_act(struct link *link, const struct notice_room *n)
{
    const struct rg_notice_out *o = &n->out;
    struct channel *channel = link->channel;
    uint64_t kept_back = 0;
    bool say = may_say(link, CHATTER_NOTICE, &kept_back);
    if (o->outcome != 0) {
        if (say)
            CHANNEL_LOG(channel, LOG_ERROR, "channel.notice_not_taken",
                        LOG_INT("link", link->index), LOG_INT("kept_back", kept_back),
                        LOG_TEXT("why", "notices about payments on framed channels are not stored "
                                        "yet; it was not acknowledged"));
        return;
    }
    if (o->acknowledgement.len > 0 &&
        conn_write(link->conn, view_of(o->acknowledgement.ptr, (size_t)o->acknowledgement.len)) !=
            STATUS_OK) {
        link_break(link, "an acknowledgement cannot be sent");
        return;
    }
    const struct rg_named *about = rg_find(o->refs.rows, o->refs.count, "link");
    struct view word =
        about != NULL ? view_of(about->value.ptr, (size_t)about->value.len) : VIEW_EMPTY;
    if (say)
        CHANNEL_LOG(channel, LOG_INFO, "channel.link_notice", LOG_INT("link", link->index),
                    LOG_VIEW("about", word), LOG_INT("kept_back", kept_back));
    if (view_is(word, "key_change"))
        link_asked_for_key_change(link);
    else if (view_is(word, "sign_off"))
        link_break(link, "the other side signed off");
}

static void unsolicited(struct link *link, struct view message)
{
    struct notice_room *n = vault_alloc(sizeof *n);
    const char *wrong = n != NULL ? notice_read(link, n, message) : "memory is out";
    uint64_t kept_back;
    if (wrong == NULL)
        notice_act(link, n);
    else if (may_say(link, CHATTER_DROPPED, &kept_back))
        CHANNEL_LOG(link->channel, LOG_WARN, "channel.notice_dropped", LOG_INT("link", link->index),
                    LOG_TEXT("why", wrong), LOG_INT("kept_back", kept_back));
    vault_free(n);
}

/* --- frames ---------------------------------------------------------------------------------- */

/* Takes one message from the front. *taken 0: more bytes are needed. False: the link is broken. */
static bool message_take(struct link *link, struct view bytes, size_t *taken)
{
    const struct rg_adapter *api = link->channel->api;
    uint8_t key[CORRELATION_MAX];
    struct rg_frame frame = { .size = sizeof frame,
                              .correlation = { .ptr = key, .room = sizeof key } };
    struct rg_bytes in = { bytes.ptr, bytes.len };
    *taken = 0;
    uint32_t said = api->frame(link->channel->instance, &in, &frame);
    const char *wrong = NULL;
    if (said == RG_FRAME_NEED) {
        if (frame.length > api->answer_max || bytes.len >= api->answer_max)
            wrong = "a message is longer than the adapter's largest";
        else if (frame.length != 0 && frame.length <= bytes.len)
            wrong = "the adapter needs bytes that it has";
        if (wrong == NULL)
            return true;
    } else if (said == RG_FRAME_BROKEN) {
        wrong = "the stream cannot be understood";
    } else if (said != RG_FRAME_COMPLETE || frame.length == 0 || frame.length > bytes.len) {
        wrong = "the adapter says something impossible about a frame";
    } else if (frame.length > api->answer_max) {
        wrong = "a message is longer than the adapter's largest";
    } else if (frame.kind != RG_FRAME_REPLY && frame.kind != RG_FRAME_UNSOLICITED) {
        wrong = "the adapter says something impossible about a frame";
    } else if (frame.kind == RG_FRAME_REPLY && !buffer_holds(&frame.correlation, key, sizeof key)) {
        wrong = "the adapter's correlation key is too long";
    }
    if (wrong != NULL) {
        link_break(link, wrong);
        return false;
    }
    *taken = (size_t)frame.length;
    struct view message = view_of(bytes.ptr, *taken);
    if (frame.kind == RG_FRAME_REPLY)
        reply(link, view_of(key, (size_t)frame.correlation.len), message);
    else
        unsolicited(link, message);
    return link_lives(link);
}

/* Takes all whole messages; gives the number of bytes taken. */
static size_t messages_take(struct link *link, struct view bytes)
{
    size_t from = 0, taken = 0;
    while (from < bytes.len && message_take(link, view_slice(bytes, from, bytes.len), &taken) &&
           taken > 0)
        from += taken;
    return from;
}

void stream_bytes(struct link *link, struct view bytes)
{
    size_t answer_max = (size_t)link->channel->api->answer_max;
    while (bytes.len > 0 && link_lives(link)) {
        if (link->in_len == 0) {
            size_t taken = messages_take(link, bytes);
            bytes = view_slice(bytes, taken, bytes.len);
            if (bytes.len == 0 || !link_lives(link))
                return;
        }
        /* The beginning of a message: fill up behind it and look again. */
        if (link->in == NULL)
            link->in = vault_alloc(answer_max);
        if (link->in == NULL) {
            link_break(link, "memory is out");
            return;
        }
        size_t part = answer_max - link->in_len < bytes.len ? answer_max - link->in_len : bytes.len;
        memcpy(link->in + link->in_len, bytes.ptr, part);
        link->in_len += part;
        bytes = view_slice(bytes, part, bytes.len);
        size_t taken = messages_take(link, view_of(link->in, link->in_len));
        if (!link_lives(link))
            return;
        memmove(link->in, link->in + taken, link->in_len - taken);
        vault_wipe(link->in + link->in_len - taken, taken);
        link->in_len -= taken;
    }
}
