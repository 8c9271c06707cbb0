/* checks_http.c - the same good body under another status, and behind headers that nobody needs. */
#include "conformance_int.h"

#define HEADERS_HUGE 16000 /* the gateway gives no more than 16384 bytes of them */

/* Did the exchange go on, or end well? Both take what was in the body for what it says. */
static bool believed(const struct run *run)
{
    const struct host_step *step = &run->host.step;
    if (step->kind == RG_STEP_SEND)
        return true;
    return step->kind == RG_STEP_DONE &&
           (step->out.outcome == RG_OUTCOME_APPROVED || step->out.outcome == RG_OUTCOME_PENDING);
}

/* 204 has no content; 302 is another place's word; 401 is about us; 500 is nobody's word. */
static void check_statuses(struct run *run)
{
    static const uint32_t statuses[] = { 204, 302, 401, 500 };
    const struct host_event *own = &run->take.events[run->take.events_count - 1];
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        struct host_event event = *own;
        event.http_status = statuses[i];
        if (statuses[i] == own->http_status || own->bytes.len == 0)
            continue;
        check_case(run, CHECK_HTTP_STATUS);
        check_with_reply(run, &event, "another status");
        if (believed(run))
            check_fail(run, CHECK_HTTP_STATUS, "the body is believed under status %u too",
                       (unsigned)statuses[i]);
        /* A 500 is not a refusal: money may have moved. */
        bool refused = run->host.step.kind == RG_STEP_DONE &&
                       (run->host.step.out.outcome == RG_OUTCOME_DECLINED ||
                        run->host.step.out.outcome == RG_OUTCOME_REJECTED);
        if (statuses[i] == 500 && refused)
            check_fail(run, CHECK_HTTP_STATUS, "a 500 is taken for a refusal");
    }
}

/* "x-filler: aaaa...\n", again and again; one line without a colon; then those of the transcript.
 */
static void check_huge_headers(struct run *run)
{
    const struct host_event *own = &run->take.events[run->take.events_count - 1];
    size_t room = HEADERS_HUGE + own->headers.len + 64;
    uint8_t *text = arena_alloc(&run->arena, room);
    if (text == NULL)
        return;
    struct writer w = writer_over(text, room);
    writer_text(&w, "no colon here\n");
    while (w.len < HEADERS_HUGE) {
        writer_text(&w, "x-filler: ");
        for (size_t i = 0; i < 100; i++)
            writer_u8(&w, 'a');
        if (w.len + 111 >= HEADERS_HUGE)
            break;
        writer_u8(&w, '\n');
    }
    writer_u8(&w, '\n');
    writer_view(&w, own->headers);
    struct host_event event = *own;
    event.headers = writer_done(&w);
    uint32_t kind = run->host.step.kind, outcome = run->host.step.out.outcome;
    check_case(run, CHECK_HTTP_STATUS);
    check_with_reply(run, &event, "huge headers");
    bool same = run->host.step.kind == kind && run->host.step.out.outcome == outcome;
    if (!same && run->host.step.kind != RG_STEP_FAIL && kind != RG_STEP_SIGN)
        check_fail(run, CHECK_HTTP_STATUS, "headers that it does not know change the answer");
}

void check_http_reply(struct run *run)
{
    size_t events = run->take.events_count;
    if (!run_step(run, &run->take, events, NULL, "under its own status"))
        return;
    check_huge_headers(run);
    check_statuses(run);
}
