/* bank_brain.c - the door of the bank: which request, whose signature, which message, seen before?
 *
 *     POST /oauth2/token    bank_token.c
 *     POST /messages        signature, token, XML, kind, schema, header, MsgId; then bank_pay.c or
 *                           bank_after.c
 *
 * Each step answers by itself when something is wrong; the order is that of a real bank.
 */
#include "bank_int.h"

#include "base/map.h"

#include <stdlib.h>

#define BANK_MAGIC      0x42414E4Bu
#define ARENA_BYTES     ((size_t)24 * 1024 * 1024)
#define SIGNATURE_AGE_S 300

static struct bank *bank_of(const void *brain)
{
    struct bank *b = (struct bank *)(uintptr_t)brain;
    ENSURE_MAGIC(b, BANK_MAGIC);
    return b;
}

/* --- answers that are no message ------------------------------------------------------------ */
static void problem(struct bank_call *call, int http_status, const char *error,
                    const char *sentence)
{
    struct json_out out;
    call->answer->http_status = http_status;
    writer_text(&call->answer->headers, "content-type: application/json\n");
    json_out_init(&out, &call->answer->body);
    json_open_object(&out, NULL);
    json_put_text(&out, "error", view_text(error));
    json_put_text(&out, "message", view_text(sentence));
    json_close_object(&out);
}

/* A message that is not even looked at by its kind: admi.002, or the status that a customer gets.
 */
static void refuse_message(struct bank_call *call, const char *code)
{
    bool admin = bank_is(&call->b->settings, "connection", "participant") || call->kind == NULL ||
                 call->kind->kind == ISO_CAMT_056;
    call->b->stats.unreadable++;
    if (!admin) {
        bank_group_reply(call, code, 400);
        return;
    }
    call->answer->http_status = 400;
    bank_write_reject(call->b, &call->answer->body, call->msg_id, code, call->sentence,
                      call->wall_us);
}

/* --- the steps ------------------------------------------------------------------------------ */
static bool signature_good(struct bank_call *call)
{
    struct bank *b = call->b;
    struct jose_header header;
    struct view text = sim_header(call->request->headers, "x-jws-signature");
    if (!b->settings.check_signature)
        return true;
    enum status s = text.len == 0 ? STATUS_NOT_FOUND
                                  : jose_verify_detached(b->keys.channel, 2, b->keys.channel_kid,
                                                         text, call->request->body, &header);
    int64_t age_s = s == STATUS_OK ? call->wall_us / 1000000 - header.iat_s : 0;
    const char *sentence = s == STATUS_NOT_FOUND  ? "x-jws-signature is missing"
                           : s == STATUS_MISMATCH ? "no key for this alg and kid"
                           : s == STATUS_REFUSED  ? "the signature does not fit the body"
                           : s != STATUS_OK       ? "x-jws-signature cannot be read"
                           : header.iat_s < 0     ? "iat is missing"
                           : age_s > SIGNATURE_AGE_S || age_s < -SIGNATURE_AGE_S
                               ? "iat is too far from now"
                               : NULL;
    if (sentence == NULL)
        return true;
    b->stats.wrong_signatures++;
    problem(call, 401, "invalid_signature", sentence);
    return false;
}

static bool token_good(struct bank_call *call)
{
    struct bank *b = call->b;
    if (!b->settings.tokens_required || bank_token_good(b, call->request->headers, call->wall_us))
        return true;
    b->stats.wrong_tokens++;
    writer_text(&call->answer->headers, "www-authenticate: Bearer error=\"invalid_token\"\n");
    problem(call, 401, "invalid_token", "the access token is missing, unknown or has expired");
    return false;
}

static bool readable(struct bank_call *call)
{
    const struct xml_node *root = NULL;
    struct xml_error error;
    if (xml_read(call->request->body, call->arena, &root, &error) != STATUS_OK) {
        struct writer w = writer_over(call->sentence, sizeof call->sentence - 1);
        writer_format(&w, "%s, at byte %zu", error.message, error.offset);
        call->sentence[w.len] = '\0';
        refuse_message(call, "FF01");
        return false;
    }
    call->document = xml_find(root, "Document", ISO_NAMESPACE);
    call->header = xml_find(root, "AppHdr", ISO_NAMESPACE "head.001.001.");
    call->b->last_enveloped = call->header != NULL;
    call->kind = call->document != NULL ? iso_message_of(call->document) : NULL;
    if (call->kind == NULL) {
        BANK_COPY(call->sentence, VIEW("no Document with a namespace that this bank takes"));
        call->msg_id = view_slice(xml_text_at(call->header, "BizMsgIdr"), 0, 35);
        refuse_message(call, "FF01");
        return false;
    }
    call->message = call->document->first;
    call->msg_id = xml_text_at(call->message,
                               call->kind->kind == ISO_CAMT_056 ? "Assgnmt/Id" : "GrpHdr/MsgId");
    return true;
}

static bool formal(struct bank_call *call)
{
    struct writer why = writer_over(call->sentence, sizeof call->sentence - 1);
    const struct xml_node *h = call->header;
    bool good = iso_check(call->kind, call->document, &why) == STATUS_OK;
    if (good && h != NULL) {
        if (!view_is(xml_text_at(h, "MsgDefIdr"), call->kind->name))
            writer_text(&why, "MsgDefIdr is not the type of the Document");
        else if (xml_child(h, "Fr") == NULL || xml_child(h, "To") == NULL ||
                 xml_text_at(h, "BizMsgIdr").len == 0 || xml_text_at(h, "CreDt").len == 0)
            writer_text(&why, "Fr, To, BizMsgIdr or CreDt is missing in AppHdr");
        good = why.len == 0;
    }
    call->sentence[why.len] = '\0';
    if (good)
        return true;
    if (call->msg_id.len > 35) /* it has to stand in our answer */
        call->msg_id = VIEW_EMPTY;
    refuse_message(call, "FF01");
    return false;
}

/* What a message says, without when it was written: a repeat may be built again. */
static void digest_of(struct bank_call *call, uint64_t digest[2])
{
    size_t room = call->request->body.len * 2 + 64 * 1024;
    void *place = arena_alloc(call->arena, room);
    struct writer w = writer_over(place, place != NULL ? room : 0);
    writer_view(&w, call->document->ns);
    for (const struct xml_node *n = call->message; n != NULL; n = xml_walk(n, call->message)) {
        if (view_is(n->name, "CreDtTm"))
            continue;
        writer_u8(&w, '<');
        writer_view(&w, n->name);
        writer_u8(&w, '>');
        writer_view(&w, xml_attribute(n, "Ccy"));
        if (n->first == NULL)
            writer_view(&w, n->text);
    }
    digest[0] = siphash(1, 2, writer_done(&w));
    digest[1] = siphash(3, 4, writer_done(&w));
    arena_trim(call->arena, place, 0);
}

/* True when the message is to be handled now. */
static bool first_time(struct bank_call *call)
{
    struct bank *b = call->b;
    uint64_t digest[2];
    if (call->kind->kind == ISO_PACS_028) /* asking changes nothing: always what is true now */
        return true;
    digest_of(call, digest);
    call->seen = bank_seen_find(b, call->msg_id);
    if (call->seen == NULL) {
        call->seen = bank_seen_add(b, call->msg_id);
        memcpy(call->seen->digest, digest, sizeof digest);
        return true;
    }
    if (memcmp(call->seen->digest, digest, sizeof digest) != 0) {
        BANK_COPY(call->sentence, VIEW("this MsgId was used for another message"));
        if (call->kind->kind == ISO_CAMT_056)
            refuse_message(call, "DU01");
        else
            bank_group_reply(call, "DU01", 200);
        return false;
    }
    b->stats.repeats++;
    if (call->seen->http_status == 503)
        return true;
    call->answer->http_status = call->seen->http_status;
    writer_view(&call->answer->body, view_of(call->seen->body, call->seen->body_len));
    return false;
}

static void remember(struct bank_call *call)
{
    struct view body = writer_done(&call->answer->body);
    struct bank_seen *s = call->seen;
    if (call->answer->body.overflow) {
        call->answer->body = writer_over(call->answer->body.ptr, call->answer->body.room);
        call->answer->http_status = 503;
    }
    if (s == NULL)
        return;
    s->http_status = call->answer->http_status;
    free(s->body);
    s->body = body.len > 0 ? malloc(body.len) : NULL;
    s->body_len = s->body != NULL ? body.len : 0;
    if (s->body != NULL)
        memcpy(s->body, body.ptr, body.len);
    if (call->busy) {
        call->answer->body.len = 0;
        call->answer->http_status = 503;
    }
}

static void message(struct bank_call *call)
{
    struct bank *b = call->b;
    b->stats.messages++;
    if (!signature_good(call) || !token_good(call))
        return;
    if (readable(call) && formal(call) && first_time(call)) {
        switch (call->kind->kind) {
        case ISO_PAIN_001:
        case ISO_PACS_008: bank_pay(call); break;
        case ISO_PACS_004: bank_after_return(call); break;
        case ISO_PACS_028: bank_after_inquiry(call); break;
        case ISO_CAMT_056: bank_after_recall(call); break;
        }
        remember(call);
    }
    if (call->answer->body.len > 0)
        bank_sign(b, writer_done(&call->answer->body), call->wall_us, &call->answer->headers);
}

/* --- the brain ------------------------------------------------------------------------------ */
static void bank_request(void *brain, const struct sim_request *request, int64_t now_us,
                         struct sim_answer *answer)
{
    struct bank *b = bank_of(brain);
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct bank_call call = { .b = b,
                              .request = request,
                              .answer = answer,
                              .now_us = now_us,
                              .wall_us = bank_wall(b, now_us),
                              .arena = &arena };
    struct view path = view_slice(request->target, 0, view_find(request->target, '?'));
    bool token = view_is(path, "/oauth2/token");
    answer->amount_minor = -1;
    bank_plan_run(b, now_us);
    call.url = bank_url_intern(b, sim_header(request->headers, "x-notice-url"));
    if (call.url != 0)
        b->last_url = call.url;
    if (!token && !view_is(path, "/messages"))
        problem(&call, 404, "not_found", "there is /messages and /oauth2/token");
    else if (!view_is(request->method, "POST"))
        problem(&call, 405, "method_not_allowed", "POST");
    else if (token)
        bank_token_request(&call);
    else
        message(&call);
    arena_reset(&arena);
}

static void bank_close(void *brain)
{
    struct bank *b = brain;
    if (b == NULL)
        return;
    ENSURE_MAGIC(b, BANK_MAGIC);
    bank_books_close(b);
    bank_keys_fini(&b->keys);
    for (size_t i = 0; i < BANK_URLS_MAX; i++)
        free(b->urls[i]);
    free(b->plan);
    free(b->scratch);
    free(b);
}

static void *bank_open(const struct sim_config *config)
{
    struct bank *b = calloc(1, sizeof *b);
    if (b == NULL)
        return NULL;
    b->magic = BANK_MAGIC;
    b->config = *config;
    b->scratch = malloc(SIM_HTTP_BODY_MAX);
    bank_settings_default(&b->settings);
    if (b->scratch == NULL || bank_books_open(b) != STATUS_OK ||
        bank_keys_default(&b->keys) != STATUS_OK) {
        bank_close(b);
        return NULL;
    }
    return b;
}

static void bank_tick(void *brain, int64_t now_us)
{
    bank_plan_run(bank_of(brain), now_us);
}

static int64_t bank_next_us(const void *brain)
{
    return bank_plan_next_us(bank_of(brain));
}

static void bank_reset(void *brain, int64_t now_us)
{
    struct bank *b = bank_of(brain);
    (void)now_us;
    bank_books_clear(b);
    bank_settings_default(&b->settings);
    b->last_enveloped = false;
}

const struct sim_brain bank_brain = {
    .name = "bank",
    .sentence = "a bank or clearing system that speaks ISO 20022 over HTTP",
    .notices_again_us = 2000000,
    .notices_tries = 12,
    .open = bank_open,
    .close = bank_close,
    .request = bank_request,
    .tick = bank_tick,
    .next_us = bank_next_us,
    .command = bank_command,
    .set = bank_set,
    .write_settings = bank_write_settings,
    .write_ledger = bank_write_ledger,
    .ledger_room = bank_ledger_room,
    .settlement = bank_settlement,
    .write_stats = bank_write_stats,
    .reset = bank_reset,
};
