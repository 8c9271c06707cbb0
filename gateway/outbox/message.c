/* message.c - what a webhook says and how it is signed (Standard Webhooks 1.0). */
#include "outbox_int.h"

#include "base/json_out.h"

/* The same form as GET /v1/events (payment/render.h), so that one description is enough. */
static void put_event(struct json_out *j, const struct event_row *event)
{
    char id[ID_TEXT_MAX];
    json_open_object(j, "data");
    json_put_text(j, "id", view_text(id_format(ID_EVENT, event->seq, id)));
    json_put_i64(j, "sequence", event->seq);
    json_put_time(j, "time", event->time_us);
    json_put_text(j, "kind", event->kind);
    if (event->payment != 0)
        json_put_text(j, "payment", view_text(id_format(ID_PAYMENT, event->payment, id)));
    json_put_raw(j, "data", event->data_json.len > 0 ? event->data_json : VIEW("{}"));
    json_close_object(j);
}

void outbox_body(struct writer *w, const struct event_row *event)
{
    struct json_out j;
    json_out_init(&j, w);
    json_open_object(&j, NULL);
    json_put_text(&j, "type", event->kind);
    json_put_time(&j, "timestamp", event->time_us);
    put_event(&j, event);
    json_close_object(&j);
}

void outbox_body_rendered(struct writer *w, struct view kind, struct view time,
                          struct view rendered)
{
    struct json_out j;
    json_out_init(&j, w);
    json_open_object(&j, NULL);
    json_put_text(&j, "type", kind);
    json_put_text(&j, "timestamp", time);
    json_put_raw(&j, "data", rendered);
    json_close_object(&j);
}

enum status outbox_signature(struct secret_key *key, const char *id, int64_t timestamp_s,
                             struct view body, struct arena *arena, struct writer *out)
{
    uint8_t mac[SECRET_MAC_MAX];
    size_t room = strlen(id) + body.len + 32, len = 0;
    uint8_t *bytes = arena_alloc(arena, room);
    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    struct writer w = writer_over(bytes, room);
    writer_text(&w, id);
    writer_u8(&w, '.');
    writer_i64_text(&w, timestamp_s);
    writer_u8(&w, '.');
    writer_view(&w, body);
    TRY(writer_status(&w));
    TRY(secret_mac(key, writer_done(&w), mac, &len));
    writer_text(out, "v1,");
    base64_write(out, view_of(mac, len));
    return writer_status(out);
}
