/* conformance.c - loads an object, plays what there is to play, reports. Interface: conformance.h.
 *
 * With transcripts, each is played from a fresh instance. Without, the suite makes one command for
 * each ability itself; it knows no details of a payment method, so an adapter may answer FAIL to
 * those. */
#include "conformance_int.h"

#include "base/ensure.h"
#include "domain/words.h"
#include "kit/symbols.h"

#include <stdlib.h>

#define BUDGET_US 20000

static const struct {
    const char *title, *meaning;
} checks[CHECK_COUNT] = {
#define CHECK(name, title, meaning) { title, meaning },
#include "kit/checks.def"
#undef CHECK
};

/* --- steps ----------------------------------------------------------------------------------- */

/* Has a message of this exchange been answered, so that another one left before? */
static bool was_answered(const struct host_take *take)
{
    for (size_t i = 0; i < take->events_count; i++)
        if (take->events[i].kind == RG_EVENT_REPLY)
            return true;
    return false;
}

static void remember_send(struct run *run)
{
    const struct rg_out *out = &run->host.step.out;
    if (run->host.step.kind != RG_STEP_SEND)
        return;
    /* Refs go out with the first message of an exchange; later ones have none and take none away.
     */
    if (out->refs.count > 0 && was_answered(&run->take))
        check_fail(run, CHECK_WELL_FORMED,
                   "SEND: refs with a later message; the host stores them before the first leaves");
    if (out->refs.count > 0)
        run->sent.count = 0;
    if (host_rows_copy(&run->arena, out->refs.rows, out->refs.count, &run->sent) != STATUS_OK)
        check_fail(run, CHECK_WELL_FORMED, "SEND: too many refs to keep");
    run->correlation_len = out->correlation.len;
    memcpy(run->correlation, out->correlation.ptr, out->correlation.len);
}

void run_take(struct run *run)
{
    size_t events = run->take.events_count;
    run->notice.entry = NULL;
    run->looked = false;
    run->live = run_step(run, &run->take, events, NULL, events == 0 ? "begin" : "resume");
    if (!run->live)
        return;
    if (events + 1 > run->adapter->api.steps_max)
        check_fail(run, CHECK_WELL_FORMED, "call %zu is more than steps_max", events + 1);
    remember_send(run);
    if (run->options->depth == CONFORMANCE_PLAY)
        check_step_quick(run);
    else
        check_step(run);
    run->live = run_step(run, &run->take, events, NULL, "the same again");
}

/* --- commands of its own --------------------------------------------------------------------- */

static void own_command(struct run *run, const struct rg_ability *able,
                        const struct host_rows *refs)
{
    static const uint8_t mac[8] = { 8, 7, 6, 5, 4, 3, 2, 1 };
    bool money = able->operation <= RG_OP_REFUND || able->operation == RG_OP_REVERSE;
    int64_t amount = able->amount_minor_max < 1000 ? able->amount_minor_max : 1000;
    run->take = (struct host_take){
        .command = { .size = sizeof run->take.command,
                     .operation = able->operation,
                     .amount_minor = money ? amount : 0,
                     .original_minor = money ? amount : 0,
                     .currency_number = able->operation <= RG_OP_REVERSE ? 978 : 0,
                     .currency_exponent = 2,
                     .currency_code = "EUR",
                     .trace = 1,
                     .time_unix_us = 1767323045000000,
                     .now_unix_us = 1767323045000000,
                     .utc = { 2026, 1, 2, 3, 4, 5 },
                     .local = { 2026, 1, 2, 4, 4, 5 },
                     .random = { 1, 2, 3, 4, 5, 6, 7, 8 },
                     .attempt_id = { (const uint8_t *)"att_0000000000001", 17 } },
    };
    if (able->operation >= RG_OP_CAPTURE && able->operation <= RG_OP_REVERSE)
        run->take.refs = *refs;
    run->sent.count = 0;
    run_take(run);
    while (run->live && run->host.step.kind == RG_STEP_SIGN &&
           run->take.events_count + 1 < run->adapter->api.steps_max) {
        run->take.events[run->take.events_count++] =
            (struct host_event){ .kind = RG_EVENT_SIGNED, .bytes = view_of(mac, sizeof mac) };
        run_take(run);
    }
}

static void own_commands(struct run *run)
{
    static const struct host_rows none;
    struct host_rows first = none; /* refs of the first attempt that was sent */
    run->where = run->options->path;
    run->line = 0;
    for (uint64_t i = 0; i < run->adapter->api.abilities_count; i++) {
        const struct rg_ability *able = adapter_ability(run->adapter, i);
        if (able->operation > RG_OP_TOKEN)
            continue;
        own_command(run, able, &first);
        if (first.count == 0)
            first = run->sent;
    }
}

/* --- before anything is called --------------------------------------------------------------- */

static void on_symbol(void *arg, const char *name, bool imported, bool weak)
{
    struct run *run = arg;
    check_case(run, CHECK_SYMBOLS);
    if (!imported && strcmp(name, RG_ADAPTER_ENTRY) != 0)
        check_fail(run, CHECK_SYMBOLS, "exports %s beside %s", name, RG_ADAPTER_ENTRY);
    if (imported && !weak && !symbols_allowed(name))
        check_fail(run, CHECK_SYMBOLS, "imports %s", name);
}

static enum status apply_settings(struct run *run, struct writer *why)
{
    for (size_t i = 0; i < run->options->settings_count; i++) {
        struct view pair = view_text(run->options->settings[i]);
        size_t at = view_find(pair, '=');
        struct view name = view_slice(pair, 0, at), value = view_slice(pair, at + 1, pair.len);
        if (host_setting_is_file(&run->host, name) &&
            host_read_file(&run->arena, run->options->settings[i] + at + 1, &value) != STATUS_OK) {
            writer_format(why, "%s: cannot be read", run->options->settings[i] + at + 1);
            return STATUS_IO;
        }
        TRY(host_set(&run->host, name, value, why));
    }
    return STATUS_OK;
}

/* --- runs ------------------------------------------------------------------------------------ */

static enum status run_own(struct run *run, struct writer *why)
{
    uint32_t row = 0xffffffff;
    TRY(apply_settings(run, why));
    enum status status = host_configure(&run->host, &row, why);
    if (status != STATUS_OK) {
        writer_text(why, " (give it with --set name=value)");
        return status;
    }
    check_case(run, CHECK_SETTINGS);
    own_commands(run);
    return STATUS_OK;
}

static enum status run_transcript(struct run *run, const char *path, struct writer *why)
{
    struct script script;
    memset(run->host.values, 0, sizeof run->host.values);
    enum status status = apply_settings(run, why);
    if (status == STATUS_OK) {
        status = script_open(&script, path, why);
        if (status == STATUS_OK)
            status = play_script(run, &script);
        script_close(&script);
    }
    run->line = 0;
    return status;
}

static enum status run_all(struct run *run, struct writer *why)
{
    const struct conformance_options *options = run->options;
    /* every transcript has its own host: nothing of one may reach the next */
    size_t rounds = options->transcripts_count > 0 ? options->transcripts_count : 1;
    int64_t slowest_ns = 0;
    uint64_t calls = 0;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < rounds && status == STATUS_OK; i++) {
        arena_init(&run->arena, 48u << 20);
        status = host_open(&run->host, run->adapter);
        if (status == STATUS_OK)
            status = options->transcripts_count > 0
                         ? run_transcript(run, options->transcripts[i], why)
                         : run_own(run, why);
        if (run->host.slowest_ns > slowest_ns)
            slowest_ns = run->host.slowest_ns;
        calls += run->host.calls;
        host_close(&run->host);
        arena_reset(&run->arena);
    }
    uint32_t budget_us = options->budget_us > 0 ? options->budget_us : BUDGET_US;
    run->host.calls = calls;
    run->findings[CHECK_TIME].cases = calls;
    if (slowest_ns > (int64_t)budget_us * 1000)
        check_fail(run, CHECK_TIME, "a call took %lld us; the budget is %u us",
                   (long long)slowest_ns / 1000, (unsigned)budget_us);
    return status;
}

/* --- report ---------------------------------------------------------------------------------- */

static void report(struct run *run, struct conformance_result *result)
{
    FILE *out = run->options->report;
    for (int i = 0; i < CHECK_COUNT; i++) {
        const struct finding *finding = &run->findings[i];
        const char *word = finding->failures > 0 ? "FAIL" : finding->cases > 0 ? "ok" : "--";
        result->failed += finding->failures > 0;
        result->passed += finding->failures == 0 && finding->cases > 0;
        result->skipped += finding->failures == 0 && finding->cases == 0;
        result->cases += finding->cases;
        fprintf(out, "%-4s %-24s %8llu  %s\n", word, checks[i].title,
                (unsigned long long)finding->cases, checks[i].meaning);
        for (uint64_t k = 0; k < finding->failures && k < COMPLAINTS_MAX; k++)
            fprintf(out, "       %s\n", finding->complaint[k]);
        if (finding->failures > COMPLAINTS_MAX)
            fprintf(out, "       and %llu more\n",
                    (unsigned long long)finding->failures - COMPLAINTS_MAX);
    }
    result->calls = run->host.calls;
    fprintf(out, "%u passed, %u failed, %u had nothing to look at; %llu calls\n", result->passed,
            result->failed, result->skipped, (unsigned long long)result->calls);
    if (run->options->transcripts_count == 0)
        fprintf(out, "without a transcript no reply was ever given; add --transcript FILE\n");
}

static enum status run_loaded(struct run *run, struct writer *why)
{
    run->print_a = malloc(PRINT_MAX);
    run->print_b = malloc(PRINT_MAX);
    if (run->print_a == NULL || run->print_b == NULL)
        return STATUS_NO_MEMORY;
    run->where = run->options->path;
    if (symbols_read(run->options->path, on_symbol, run) != STATUS_OK)
        check_fail(run, CHECK_SYMBOLS, "its symbol table cannot be read");
    return run_all(run, why);
}

enum status conformance_run(const struct conformance_options *options,
                            struct conformance_result *result)
{
    ENSURE(options->report != NULL);
    *result = (struct conformance_result){ 0 };
    char text[1500];
    struct writer why = writer_over(text, sizeof text);
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL)
        return STATUS_NO_MEMORY;
    run->options = options;
    enum status status = adapter_load(options->path, NULL, &run->adapter, &why);
    if (status == STATUS_OK) {
        fprintf(options->report, "%s: adapter %s %s, ABI %u.%u\n", options->path,
                run->adapter->api.id, run->adapter->api.version,
                (unsigned)run->adapter->api.abi_major, (unsigned)run->adapter->api.abi_minor);
        status = run_loaded(run, &why);
    }
    if (status == STATUS_OK)
        report(run, result);
    else
        fprintf(options->report, "%.*s\n", (int)why.len, text);
    free(run->print_a);
    free(run->print_b);
    adapter_unload(&run->adapter);
    free(run);
    TRY(status);
    return result->failed > 0 ? STATUS_MISMATCH : STATUS_OK;
}
