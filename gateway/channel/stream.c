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
 * What comes unasked goes to notice.c. Matters of the link are acknowledged and acted upon here
 * (refs row "link": key_change, sign_off); what is about payments is recorded first.
 *
 * The other side decides how many such messages there are, so it must not decide how long the log
 * gets: of each kind one line a second and link is written, and the next says how many were not.
 */
#include "base/ensure.h"
#include "base/vault.h"
#include "channel/channel_int.h"

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

static void unsolicited(struct link *link, struct view message)
{
    struct channel *channel = link->channel;
    struct view about;
    uint64_t kept_back = 0;
    const char *wrong = notice_on_link(link, message, &about);
    if (wrong != NULL) {
        if (may_say(link, CHATTER_DROPPED, &kept_back))
            CHANNEL_LOG(channel, LOG_WARN, "channel.notice_dropped", LOG_INT("link", link->index),
                        LOG_TEXT("why", wrong), LOG_INT("kept_back", kept_back));
        return;
    }
    if (about.len == 0 || !link_lives(link))
        return;
    if (may_say(link, CHATTER_NOTICE, &kept_back))
        CHANNEL_LOG(channel, LOG_INFO, "channel.link_notice", LOG_INT("link", link->index),
                    LOG_VIEW("about", about), LOG_INT("kept_back", kept_back));
    if (view_is(about, "key_change"))
        link_asked_for_key_change(link);
    else if (view_is(about, "sign_off"))
        link_break(link, "the other side signed off");
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
