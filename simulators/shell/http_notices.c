/* http_notices.c - notices out; see http_shell.h. One HTTP client for each host they go to, made
 * when the first notice goes there. */
#include "http_shell.h"

#include "base/ensure.h"

#include <stdlib.h>

#define NOTICE_TIMEOUT_US (10 * LOOP_US_PER_S)

struct notice {
    struct http_shell *shell;
    uint64_t id;
};

/* "https://127.0.0.1:1234/notices/wallet": the port may be absent. */
static enum status url_parse(struct view url, bool *tls, struct endpoint *at, struct view *path)
{
    uint8_t text[300];
    struct writer w = writer_over(text, sizeof text);
    *tls = view_starts_with(url, VIEW("https://"));
    if (!*tls && !view_starts_with(url, VIEW("http://")))
        return STATUS_MALFORMED;
    struct view rest = view_slice(url, *tls ? 8 : 7, url.len);
    struct view host = view_slice(rest, 0, view_find(rest, '/'));
    *path = view_slice(rest, host.len, rest.len);
    if (path->len == 0)
        *path = VIEW("/");
    for (size_t i = 0; i < path->len; i++)
        if (path->ptr[i] <= ' ' || path->ptr[i] >= 0x7f || path->ptr[i] == '#')
            return STATUS_MALFORMED;
    writer_view(&w, host);
    size_t bracket = view_find(host, ']');
    size_t after = bracket < host.len ? bracket : 0;
    if (view_find(view_slice(host, after, host.len), ':') == host.len - after)
        writer_text(&w, *tls ? ":443" : ":80");
    TRY(writer_status(&w));
    return endpoint_parse(writer_done(&w), at);
}

static struct http_client *client_for(struct http_shell *shell, bool tls, const struct endpoint *at)
{
    for (size_t i = 0; i < shell->origin_count; i++) {
        struct http_origin *o = &shell->origins[i];
        if (o->tls == tls && o->at.port == at->port && strcmp(o->at.host, at->host) == 0)
            return o->client;
    }
    if (shell->origin_count == HTTP_ORIGINS_MAX)
        return NULL;
    struct http_origin *o = &shell->origins[shell->origin_count];
    char why[256] = "";
    struct writer w = writer_over(why, sizeof why - 1);
    if (tls && shell->notice_tls == NULL &&
        tls_open_client(&shell->options.notice_tls, &shell->notice_tls, &w) != STATUS_OK) {
        LOG(&shell->log, LOG_WARN, "http.notice_tls", LOG_TEXT("why", why));
        return NULL;
    }
    *o = (struct http_origin){ .tls = tls, .at = *at };
    struct http_client_options options = { .to = *at, .tls = tls ? shell->notice_tls : NULL };
    if (http_client_open(&o->client, shell->wire, shell->loop, &options) != STATUS_OK)
        return NULL;
    shell->origin_count++;
    return o->client;
}

static void notice_done(void *arg, const struct http_answer *answer)
{
    struct notice *notice = arg;
    struct http_shell *shell = notice->shell;
    ENSURE_MAGIC(shell, HTTP_SHELL_MAGIC);
    if (answer->status == STATUS_CANCELED) { /* the program ends */
        free(notice);
        return;
    }
    if (answer->status != STATUS_OK)
        LOG(&shell->log, LOG_INFO, "http.notice_failed", LOG_STATUS("why", answer->status));
    http_host_notice_done(shell->host, notice->id,
                          answer->status == STATUS_OK ? answer->http_status : 0,
                          loop_now_us(shell->loop));
    free(notice);
    http_shell_pump(shell);
}

static size_t split_headers(struct view lines, struct http_header *out, size_t room)
{
    size_t count = 0;
    while (lines.len > 0 && count < room) {
        size_t end = view_find(lines, '\n');
        struct view line = view_slice(lines, 0, end);
        size_t colon = view_find(line, ':');
        lines = view_slice(lines, end + 1, lines.len);
        if (colon > 0 && colon < line.len)
            out[count++] =
                (struct http_header){ .name = view_slice(line, 0, colon),
                                      .value = view_trim(view_slice(line, colon + 1, line.len)) };
    }
    return count;
}

void http_notice_send(struct http_shell *shell, const struct http_host_action *action)
{
    struct http_header headers[HTTP_HEADERS_MAX];
    struct endpoint at;
    struct view path;
    bool tls = false;
    struct http_call *call = NULL;
    struct notice *notice = malloc(sizeof *notice);
    enum status s = notice != NULL ? url_parse(action->url, &tls, &at, &path) : STATUS_NO_MEMORY;
    struct http_client *client = s == STATUS_OK ? client_for(shell, tls, &at) : NULL;
    if (client != NULL) {
        size_t count = split_headers(action->headers, headers, COUNT_OF(headers));
        *notice = (struct notice){ .shell = shell, .id = action->id };
        s = http_call(client, "POST", path, headers, count, action->body, NOTICE_TIMEOUT_US,
                      notice_done, notice, &call);
        if (s == STATUS_OK)
            return;
    }
    LOG(&shell->log, LOG_WARN, "http.notice_not_sent", LOG_VIEW("url", action->url),
        LOG_STATUS("why", client == NULL && s == STATUS_OK ? STATUS_TLS : s));
    free(notice);
    http_host_notice_done(shell->host, action->id, 0, loop_now_us(shell->loop));
}

void http_notices_close(struct http_shell *shell)
{
    for (size_t i = 0; i < shell->origin_count; i++)
        http_client_close(shell->origins[i].client);
    if (shell->notice_tls != NULL)
        tls_close(shell->notice_tls);
}
