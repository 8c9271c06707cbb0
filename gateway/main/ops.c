/* ops.c - what operators and monitoring see: /livez, /readyz, /metrics (Prometheus text format). */
#include "main/gateway.h"

#include "base/ensure.h"
#include "base/vault.h"

#include <stdio.h>
#include <string.h>

#define METRICS_BYTES ((size_t)512 * 1024)

static void text(struct http_request *request, int http_status, struct view body)
{
    http_respond(request, http_status, "text/plain; charset=utf-8", NULL, 0, body);
}

static void readyz(struct http_request *request, struct gateway *g)
{
    uint8_t room[4096];
    struct writer w = writer_over(room, sizeof room);
    bool ready = gateway_ready(g), any = false;
    writer_format(&w, "payments: %s\n", ready ? "ready" : "starting or stopping");
    for (size_t i = 0; i < channels_count(gateway_channels(g)); i++) {
        const struct channel *channel = channels_at(gateway_channels(g), i);
        struct channel_health health;
        channel_health(channel, &health);
        any = any || channel_ready(channel);
        writer_format(&w, "channel %s: %s", channel_name(channel), health.state);
        if (health.links > 0) /* over HTTP there are none */
            writer_format(&w, ", %u of %u links ready", health.links_ready, health.links);
        writer_u8(&w, '\n');
    }
    if (!any)
        writer_text(&w, "no channel is ready\n");
    text(request, ready && any ? 200 : 503, writer_done(&w));
}

/* One row a metric: help and type come once, values follow. */
static void metric(struct writer *w, const char *name, const char *type, const char *help,
                   uint64_t value)
{
    writer_format(w, "# HELP railgate_%s %s\n# TYPE railgate_%s %s\nrailgate_%s %llu\n", name, help,
                  name, type, name, (unsigned long long)value);
}

/* Of a label: what Prometheus wants escaped is. */
static void label_value(struct writer *w, const char *value)
{
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\' || *at == '\n')
            writer_u8(w, '\\');
        writer_u8(w, *at == '\n' ? 'n' : (uint8_t)*at);
    }
}

static void metrics_payments(struct writer *w, struct gateway *g)
{
    struct payments_stats s;
    payments_stats(gateway_payments(g), &s);
    metric(w, "payments_submitted_total", "counter", "Requests that reached the payment room.",
           s.submitted);
    metric(w, "payments_answered_total", "counter", "Requests answered.", s.answered);
    metric(w, "payments_replayed_total", "counter", "Repeats answered with the first answer.",
           s.replayed);
    metric(w, "payments_refused_total", "counter", "Requests refused before anything was sent.",
           s.refused);
    metric(w, "attempts_approved_total", "counter", "Attempts approved.", s.approved);
    metric(w, "attempts_declined_total", "counter", "Attempts declined or rejected.", s.declined);
    metric(w, "attempts_unknown_total", "counter", "Attempts whose outcome was unknown at first.",
           s.unknown);
    metric(w, "attempts_not_sent_total", "counter", "Attempts of which no byte left.", s.not_sent);
    metric(w, "attempts_reversed_total", "counter", "Attempts undone by a reversal.", s.reversed);
    metric(w, "attempts_parked_total", "counter", "Attempts left for a person.", s.parked);
    metric(w, "attempts_conflict_total", "counter", "Answers that contradict what was asked.",
           s.conflicts);
    metric(w, "attempts_resolved_total", "counter", "Attempts that a person has settled.",
           s.resolved);
    metric(w, "attempts_recovered_total", "counter", "Attempts found open at start.", s.recovered);
    metric(w, "payment_notices_total", "counter", "Verified entries of notices.", s.notices);
    metric(w, "payment_hints_total", "counter", "Unverified entries of notices, not believed.",
           s.hints);
    metric(w, "payments_working", "gauge", "Requests and unresolved attempts now.",
           payments_working(gateway_payments(g)));
    metric(w, "payments_waiting", "gauge", "Merchants waiting for an answer now.",
           payments_waiting(gateway_payments(g)));
}

/* Of a channel: all its currencies together. */
static uint64_t watched(const struct watch *watch, const char *channel, enum watch_class class,
                        int64_t *oldest_us)
{
    uint64_t count = 0;
    *oldest_us = 0;
    for (size_t i = 0; i < watch_sum_count(watch); i++) {
        const struct watch_sum *sum = watch_sum_at(watch, i);
        if (sum->class != class || strcmp(sum->channel, channel) != 0 || sum->count == 0)
            continue;
        count += sum->count;
        if (*oldest_us == 0 || sum->oldest_us < *oldest_us)
            *oldest_us = sum->oldest_us;
    }
    return count;
}

/* Has an earlier sum named this channel already? */
static bool named_before(const struct watch *watch, size_t nth)
{
    for (size_t i = 0; i < nth; i++)
        if (strcmp(watch_sum_at(watch, i)->channel, watch_sum_at(watch, nth)->channel) == 0)
            return true;
    return false;
}

static void watched_channel(struct writer *w, struct gateway *g, const char *name,
                            enum watch_class class, bool age)
{
    int64_t oldest_us;
    uint64_t count = watched(payments_watch(gateway_payments(g)), name, class, &oldest_us);
    int64_t age_us = oldest_us != 0 ? gateway_wall_us(g) - oldest_us : 0;
    writer_format(w, "railgate_attempts_%s%s{channel=\"%s\"} %llu\n", watch_class_word(class),
                  age ? "_age_seconds" : "", name,
                  age ? (unsigned long long)(age_us > 0 ? age_us / LOOP_US_PER_S : 0)
                      : (unsigned long long)count);
}

/* A line for each channel, also for one that is not configured any more and has left something. */
static void watched_channels(struct writer *w, struct gateway *g, enum watch_class class, bool age)
{
    const struct watch *watch = payments_watch(gateway_payments(g));
    struct channels *channels = gateway_channels(g);
    for (size_t i = 0; i < channels_count(channels); i++)
        watched_channel(w, g, channel_name(channels_at(channels, i)), class, age);
    for (size_t i = 0; i < watch_sum_count(watch); i++) {
        const char *name = watch_sum_at(watch, i)->channel;
        if (!named_before(watch, i) && channels_find(channels, view_text(name)) == NULL)
            watched_channel(w, g, name, class, age);
    }
}

static void metrics_watched(struct writer *w, struct gateway *g, enum watch_class class)
{
    static const char *const help[] = {
        [WATCH_UNKNOWN] = "Attempts whose outcome is unknown now",
        [WATCH_PARKED] = "Attempts that are parked now: a person must settle them",
        [WATCH_CONFLICT] = "Attempts in conflict now: a person must settle them",
    };
    const struct watch *watch = payments_watch(gateway_payments(g));
    const char *word = watch_class_word(class);
    writer_format(w, "# HELP railgate_attempts_%s %s.\n# TYPE railgate_attempts_%s gauge\n", word,
                  help[class], word);
    watched_channels(w, g, class, false);
    writer_format(w,
                  "# HELP railgate_attempts_%s_amount What they are about, minor units.\n"
                  "# TYPE railgate_attempts_%s_amount gauge\n",
                  word, word);
    for (size_t i = 0; i < watch_sum_count(watch); i++) {
        const struct watch_sum *sum = watch_sum_at(watch, i);
        if (sum->class == class)
            writer_format(w, "railgate_attempts_%s_amount{channel=\"%s\",currency=\"%s\"} %lld\n",
                          word, sum->channel, sum->currency, (long long)sum->amount);
    }
    writer_format(w,
                  "# HELP railgate_attempts_%s_age_seconds How long the oldest has been so.\n"
                  "# TYPE railgate_attempts_%s_age_seconds gauge\n",
                  word, word);
    watched_channels(w, g, class, true);
}

static void metrics_watch(struct writer *w, struct gateway *g)
{
    const struct watch *watch = payments_watch(gateway_payments(g));
    for (int class = WATCH_UNKNOWN; class <= WATCH_CLASSES; class ++)
        metrics_watched(w, g, (enum watch_class) class);
    writer_text(w, "# HELP railgate_alert A threshold of the settings (alerts) is passed now.\n"
                   "# TYPE railgate_alert gauge\n");
    for (int i = WATCH_ALERT_AGE; i <= WATCH_ALERT_COUNT; i++)
        writer_format(w, "railgate_alert{name=\"%s\"} %d\n", watch_alert_word((enum watch_alert)i),
                      watch_alert_is_on(watch, (enum watch_alert)i));
}

static void metrics_compliance(struct writer *w, struct gateway *g)
{
    struct payments_stats s;
    payments_stats(gateway_payments(g), &s);
    metric(w, "payments_denied_total", "counter", "Payments that a profile denied.", s.denied);
    metric(w, "payments_challenged_total", "counter", "Payments that wait or waited for the payer.",
           s.challenged);
    metric(w, "payments_confirmed_total", "counter", "Challenges that the payer met.", s.confirmed);
    metric(w, "wrong_results_total", "counter", "Results of a challenge that were refused.",
           s.wrong_results);
    metric(w, "payments_reviewed_total", "counter", "Payments that were sent to a review.",
           s.reviewed);
    metric(w, "payments_expired_total", "counter", "Challenges and reviews whose time was over.",
           s.expired);
    metric(w, "limits_fired_total", "counter", "Cumulative limits that fired.", s.limits_fired);
    metric(w, "compliance_reports_total", "counter", "Compliance events in the journal.",
           s.reports);
    metric(w, "screened_total", "counter", "Names looked up on lists.", s.screened);
    metric(w, "screening_hits_total", "counter", "Names that hit.", s.screening_hits);
    metric(w, "shadow_differences_total", "counter",
           "Payments that a shadow profile would have decided otherwise.", s.shadow_differences);
}

static void metrics_profiles(struct writer *w, struct gateway *g)
{
    const struct settings *settings = gateway_settings(g);
    struct reload_stats s;
    reload_stats(gateway_reload(g), &s);
    metric(w, "profile_reloads_total", "counter", "Reloads that took effect.", s.reloads);
    metric(w, "profile_reload_failures_total", "counter", "Reloads that changed nothing.",
           s.failures);
    metric(w, "profile_loaded_timestamp_seconds", "gauge",
           "When the profiles in force were loaded, since 1970.",
           (uint64_t)(s.loaded_us / LOOP_US_PER_S));
    writer_text(w, "# HELP railgate_profile_info Profiles in force.\n"
                   "# TYPE railgate_profile_info gauge\n");
    for (size_t i = 0; i < settings->regions_count; i++) {
        const struct region_settings *region = &settings->regions[i];
        if (region->shadow)
            continue;
        writer_format(w, "railgate_profile_info{region=\"%s\",version=\"", region->region);
        label_value(w, region->version);
        writer_format(w, "\",hash=\"%s\"} 1\n", region->content_hash);
    }
}

static void metrics_lists(struct writer *w, struct gateway *g)
{
    const struct screening *screening = gateway_policy(g)->screening;
    if (screening == NULL)
        return;
    int64_t now_us = gateway_wall_us(g);
    writer_text(w, "# HELP railgate_screening_list_entries Entries of a list; 0: not loaded.\n"
                   "# TYPE railgate_screening_list_entries gauge\n");
    for (size_t i = 0; i < screening_count(screening); i++) {
        const struct screening_list *list = screening_at(screening, i);
        writer_format(w, "railgate_screening_list_entries{list=\"%s\"} %zu\n", list->name,
                      list->loaded ? list->entries : 0);
    }
    writer_text(w, "# HELP railgate_screening_list_age_seconds Since the list was published.\n"
                   "# TYPE railgate_screening_list_age_seconds gauge\n");
    for (size_t i = 0; i < screening_count(screening); i++) {
        const struct screening_list *list = screening_at(screening, i);
        if (list->loaded)
            writer_format(w, "railgate_screening_list_age_seconds{list=\"%s\"} %lld\n", list->name,
                          (long long)((now_us - list->published_us) / LOOP_US_PER_S));
    }
}

static void metrics_store(struct writer *w, struct gateway *g)
{
    struct store_stats s;
    store_stats(gateway_store(g), &s);
    metric(w, "store_commits_total", "counter", "Commits flushed to disk.", s.commits);
    metric(w, "store_requests_total", "counter", "Requests in those commits.", s.requests);
    metric(w, "store_failed_total", "counter", "Requests that could not be committed.", s.failed);
    metric(w, "store_batch_max", "gauge", "Largest number of requests in one commit.", s.batch_max);
    metric(w, "store_flush_microseconds_total", "counter", "Time spent in commits.",
           s.flush_us_total);
    metric(w, "store_looked_rows_total", "counter", "Rows that lists and streams have looked at.",
           s.looked);
    metric(w, "store_looked_rows_max", "gauge", "Most rows that one question has looked at.",
           s.looked_max);
    metric(w, "store_pending", "gauge", "Requests waiting for the store.",
           store_pending(gateway_store(g)));
}

static void metrics_api(struct writer *w, struct gateway *g)
{
    struct api_stats s;
    gateway_api_stats(g, &s);
    metric(w, "http_requests_total", "counter", "HTTP requests of merchants.", s.requests);
    metric(w, "http_unauthorized_total", "counter", "Requests without a valid key.",
           s.unauthorized);
    metric(w, "http_limited_total", "counter", "Requests over a key's rate.", s.limited);
    writer_text(w, "# HELP railgate_http_answers_total Answers by class.\n"
                   "# TYPE railgate_http_answers_total counter\n");
    for (unsigned i = 2; i <= 5; i++)
        writer_format(w, "railgate_http_answers_total{class=\"%uxx\"} %llu\n", i,
                      (unsigned long long)s.answers[i]);
    metric(w, "vault_bytes", "gauge", "Memory for sensitive bytes now in use.", vault_in_use());
}

static void metrics_notify(struct writer *w, struct gateway *g)
{
    struct notify_stats s;
    if (gateway_notify(g) == NULL)
        return;
    notify_stats(gateway_notify(g), &s);
    metric(w, "notices_received_total", "counter", "Notices of channels.", s.received);
    metric(w, "notices_acknowledged_total", "counter", "Notices recorded and acknowledged.",
           s.acknowledged);
    metric(w, "notices_refused_total", "counter", "Notices not understood or not verified.",
           s.refused);
    metric(w, "notices_again_total", "counter", "Notices that the channel was asked to repeat.",
           s.again);
}

static void metrics_webhooks(struct writer *w, struct gateway *g)
{
    struct outbox_stats s;
    struct api_stats api;
    outbox_stats(gateway_outbox(g), &s);
    gateway_api_stats(g, &api);
    metric(w, "webhook_deliveries_total", "counter", "Webhooks that a receiver took (2xx).",
           s.delivered);
    metric(w, "webhook_failures_total", "counter", "Tries that failed.", s.failed);
    metric(w, "webhook_disabled_total", "counter", "Endpoints that were disabled: 410, or failing.",
           s.disabled);
    metric(w, "webhook_endpoints", "gauge", "Webhook endpoints.", s.endpoints);
    metric(w, "webhook_endpoints_pending", "gauge",
           "Enabled endpoints with something to deliver now.", s.pending);
    metric(w, "webhook_working", "gauge", "Deliveries under way.", s.working);
    metric(w, "webhook_lag_seconds_max", "gauge",
           "Age of the oldest event that waits for an enabled endpoint.",
           (uint64_t)(s.lag_us_max / LOOP_US_PER_S));
    metric(w, "event_streams", "gauge", "Event streams open.", api.streams);
    metric(w, "event_streams_dropped_total", "counter", "Event streams dropped: not read from.",
           api.streams_dropped);
}

static void metrics_reconciliation(struct writer *w, struct gateway *g)
{
    struct open_differences *open = gateway_open_differences(g);
    if (open->known) {
        int64_t age_us = open->count > 0 ? gateway_wall_us(g) - open->since_us : 0;
        metric(w, "reconciliation_differences_open", "gauge",
               "Differences of reconciliations that nobody has resolved, as of the last scrape.",
               (uint64_t)open->count);
        metric(w, "reconciliation_differences_age_seconds", "gauge",
               "How long the oldest of them has been known.",
               (uint64_t)(age_us > 0 ? age_us / LOOP_US_PER_S : 0));
    }
    open_differences_ask(open, gateway_store(g), gateway_wall_us(g));
}

static void metrics_channels(struct writer *w, struct gateway *g)
{
    static const char *const names[] = { "ready",    "links_ready", "circuit_open", "in_flight",
                                         "sent",     "approved",    "declined",     "unknown",
                                         "not_sent", "late",        "unmatched",    "latency_us" };
    for (size_t n = 0; n < COUNT_OF(names); n++) {
        writer_format(w, "# TYPE railgate_channel_%s gauge\n", names[n]);
        for (size_t i = 0; i < channels_count(gateway_channels(g)); i++) {
            const struct channel *channel = channels_at(gateway_channels(g), i);
            struct channel_health h;
            channel_health(channel, &h);
            const uint64_t values[] = { channel_ready(channel),
                                        h.links_ready,
                                        h.circuit_open,
                                        h.in_flight,
                                        h.sent,
                                        h.approved,
                                        h.declined,
                                        h.unknown,
                                        h.not_sent,
                                        h.late,
                                        h.unmatched,
                                        (uint64_t)h.latency_us_mean };
            _Static_assert(COUNT_OF(values) == COUNT_OF(names), "a value for each name");
            writer_format(w, "railgate_channel_%s{channel=\"%s\"} %llu\n", names[n],
                          channel_name(channel), (unsigned long long)values[n]);
        }
    }
}

static void metrics(struct http_request *request, struct gateway *g)
{
    uint8_t *room = vault_alloc(METRICS_BYTES);
    struct writer w = writer_over(room, room != NULL ? METRICS_BYTES : 0);
    metrics_api(&w, g);
    metrics_payments(&w, g);
    metrics_watch(&w, g);
    metrics_compliance(&w, g);
    metrics_profiles(&w, g);
    metrics_lists(&w, g);
    metrics_store(&w, g);
    metrics_notify(&w, g);
    metrics_webhooks(&w, g);
    metrics_reconciliation(&w, g);
    metrics_channels(&w, g);
    if (w.overflow)
        text(request, 500, VIEW("too many channels for one page\n"));
    else
        http_respond(request, 200, "text/plain; version=0.0.4; charset=utf-8", NULL, 0,
                     writer_done(&w));
    vault_free(room);
}

void ops_handle(struct http_request *request, void *arg)
{
    struct gateway *g = arg;
    struct view path = http_path(request);
    if (!view_is(http_method(request), "GET"))
        text(request, 405, VIEW("only GET here\n"));
    else if (view_is(path, "/livez"))
        text(request, 200, VIEW("alive\n"));
    else if (view_is(path, "/readyz"))
        readyz(request, g);
    else if (view_is(path, "/metrics"))
        metrics(request, g);
    else
        text(request, 404, VIEW("/livez /readyz /metrics\n"));
}
