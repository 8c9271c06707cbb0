/* SPDX-License-Identifier: Apache-2.0
 *
 * transcript.c - plays a transcript against an adapter: a host small enough to read.
 *
 *     transcript ADAPTER.so FILE...
 *
 * A transcript is text. A line that begins with a blank continues the one above; '#' begins a
 * comment. BYTES are any mix of "text", hexadecimal, and len2 or ascii4, which stand for the length
 * of all bytes after them (2 bytes big-endian, or 4 digits).
 *
 *     set NAME VALUE                  a setting; the adapter's rows give defaults and types
 *     configure                       must succeed
 *     configure refused NAME          must refuse and name that setting
 *     command OP key=value...         a new command: amount original currency exponent code trace
 *                                     repeat utc local (2026-11-22T13:14:15)
 *     detail NAME VALUE               a detail of it
 *     refs LABEL                      its refs, kept earlier
 *     begin                           begins a new exchange with it
 *     signature HEX | reply BYTES     the events of the exchange
 *     keep LABEL sent | all           keeps refs: of the last SEND, or of DONE as well
 *     frame BYTES | notice BYTES      a call of frame() or notice()
 *     expect send BYTES | expect sign KEY BYTES | expect fail WORDS
 *     expect done OUTCOME key=value...  amount currency category code reference
 *     expect correlation TEXT | expect ref NAME VALUE | expect no-ref NAME
 *     expect sensitive NAME | expect extra NAME VALUE | expect grant NAME HEX
 *     expect frame reply KEY | unsolicited | need N | broken
 *     expect notice BYTES | expect notice broken
 *
 * Every begin is done twice, in fresh memory, and must come out the same. Memory handed to the
 * adapter has its exact size on the heap, so that a sanitizer sees what goes over it. A step that
 * no expect line looks at is an error.
 */
#include <dlfcn.h>
#include <railgate/adapter.h>
#include <railgate/writer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM     8192u
#define ROWS     64u
#define LINE_MAX 16384u

struct outputs {
    struct rg_out out;
    uint8_t bytes[ROOM], correlation[64], sign_key[64], refs_text[ROOM], grants_text[1024];
    uint8_t reference[128], rail_code[32], message[256], diagnosis[512], extra_text[4096];
    struct rg_named refs[ROWS], grants[ROWS], extra[ROWS];
};

struct kept {
    char label[32];
    uint8_t text[ROOM];
    uint64_t text_len;
    struct rg_named rows[ROWS];
    uint64_t count;
};

struct play {
    const char *file;
    unsigned line;
    unsigned failures;
    const struct rg_adapter *adapter;
    void *instance;
    struct rg_value values[ROWS];
    char value_text[ROWS][4096];
    struct rg_command command;
    struct rg_named details[ROWS];
    char detail_text[ROWS][2][1040];
    void *exchange;
    struct outputs step; /* of the last begin or resume */
    uint32_t step_kind;
    uint32_t looked_at;
    struct kept sent; /* refs of the last SEND of this exchange */
    struct kept kept[8];
    uint64_t kept_count;
    uint32_t frame_answer;
    struct rg_frame frame;
    uint8_t frame_key[64];
    uint32_t notice_answer;
    uint8_t acknowledgement[ROOM];
    uint64_t acknowledgement_len;
};

static const char *const operations[] = { "none",   "authorise",  "sale",    "capture", "cancel",
                                          "refund", "inquire",    "reverse", "sign_on", "sign_off",
                                          "echo",   "key_change", "token" };
static const char *const outcomes[] = { "none",    "approved", "declined",
                                        "pending", "rejected", "not_found" };
static const char *const categories[] = { "none",           "funds",       "limit",    "credential",
                                          "authentication", "restricted",  "fraud",    "request",
                                          "duplicate",      "unavailable", "security", "other" };
#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static void complain(struct play *p, const char *what, const char *detail)
{
    fprintf(stderr, "%s:%u: %s%s%s\n", p->file, p->line, what, detail[0] != '\0' ? ": " : "",
            detail);
    p->failures++;
}

/* --- words and bytes ----------------------------------------------------------------------- */

/* The next blank-separated word; "" at the end. Changes *rest. */
static char *word(char **rest)
{
    char *at = *rest + strspn(*rest, " \t");
    char *end = at + strcspn(at, " \t");
    *rest = *end != '\0' ? end + 1 : end;
    *end = '\0';
    return at;
}

static char *trimmed(char *text)
{
    text += strspn(text, " \t");
    size_t len = strlen(text);
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        text[--len] = '\0';
    return text;
}

static int nibble(char c)
{
    const char *digits = "0123456789ABCDEF";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

static size_t read_bytes(struct play *p, char *text, uint8_t *room, size_t size)
{
    size_t len = 0;
    while (*(text += strspn(text, " \t")) != '\0') {
        if (*text == '"') {
            for (text++; *text != '"' && *text != '\0' && len < size; text++)
                room[len++] = (uint8_t)*text;
            if (*text != '"') {
                complain(p, "unfinished text", "");
                return 0;
            }
            text++;
            continue;
        }
        char *token = word(&text);
        if (strcmp(token, "len2") == 0 || strcmp(token, "ascii4") == 0) {
            size_t head = token[0] == 'l' ? 2 : 4;
            char digits[8];
            size_t after = read_bytes(p, text, room + len + head, size - len - head);
            if (head == 2) {
                room[len] = (uint8_t)(after >> 8);
                room[len + 1] = (uint8_t)after;
            } else {
                snprintf(digits, sizeof digits, "%04u", (unsigned)after % 10000u);
                memcpy(room + len, digits, 4);
            }
            return len + head + after;
        }
        size_t digits = strlen(token);
        for (size_t i = 0; i < digits; i += 2) {
            int high = nibble(token[i]);
            int low = high < 0 ? -1 : nibble(token[i + 1]);
            if (low < 0 || len >= size) {
                complain(p, "not hexadecimal", token);
                return 0;
            }
            room[len++] = (uint8_t)(high << 4 | low);
        }
    }
    return len;
}

static void show(const char *title, const uint8_t *bytes, size_t len)
{
    fprintf(stderr, "    %s (%zu):", title, len);
    uint32_t in_text = 0;
    for (size_t i = 0; i < len; i++) {
        uint32_t printable = bytes[i] >= 0x20 && bytes[i] < 0x7F && bytes[i] != '"';
        if (printable != in_text)
            fprintf(stderr, printable ? " \"" : "\" ");
        if (printable)
            fputc(bytes[i], stderr);
        else
            fprintf(stderr, "%02X", bytes[i]);
        in_text = printable;
    }
    fprintf(stderr, in_text ? "\"\n" : "\n");
}

static void expect_bytes(struct play *p, const char *what, const uint8_t *seen, size_t seen_len,
                         char *text)
{
    uint8_t wanted[ROOM];
    size_t len = read_bytes(p, text, wanted, sizeof wanted);
    if (len == seen_len && memcmp(wanted, seen, len) == 0)
        return;
    complain(p, what, "differs");
    show("wanted", wanted, len);
    show("seen  ", seen, seen_len);
}

/* An exact-size copy, so that a sanitizer sees every byte too far. */
static struct rg_bytes heap_copy(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    if (copy == NULL)
        abort();
    memcpy(copy, bytes, len);
    return (struct rg_bytes){ copy, len };
}

/* --- the host's side ----------------------------------------------------------------------- */

static void reset_outputs(struct outputs *o)
{
    memset(o, 0, sizeof *o);
    o->out.size = sizeof o->out;
    o->out.bytes = (struct rg_buffer){ o->bytes, sizeof o->bytes, 0, 0, 0 };
    o->out.correlation = (struct rg_buffer){ o->correlation, sizeof o->correlation, 0, 0, 0 };
    o->out.sign_key = (struct rg_buffer){ o->sign_key, sizeof o->sign_key, 0, 0, 0 };
    o->out.reference = (struct rg_buffer){ o->reference, sizeof o->reference, 0, 0, 0 };
    o->out.rail_code = (struct rg_buffer){ o->rail_code, sizeof o->rail_code, 0, 0, 0 };
    o->out.message = (struct rg_buffer){ o->message, sizeof o->message, 0, 0, 0 };
    o->out.diagnosis = (struct rg_buffer){ o->diagnosis, sizeof o->diagnosis, 0, 0, 0 };
    o->out.refs = (struct rg_table){ o->refs, ROWS, 0, { o->refs_text, ROOM, 0, 0, 0 } };
    o->out.grants = (struct rg_table){ o->grants, ROWS, 0, { o->grants_text, 1024, 0, 0, 0 } };
    o->out.extra = (struct rg_table){ o->extra, ROWS, 0, { o->extra_text, 4096, 0, 0, 0 } };
}

static void keep_rows(struct kept *kept, const struct rg_table *table)
{
    for (uint64_t i = 0; i < table->count && kept->count < ROWS; i++) {
        struct rg_named *row = &kept->rows[kept->count++];
        *row = table->rows[i];
        struct rg_bytes *parts[] = { &row->name, &row->value };
        for (unsigned k = 0; k < 2; k++) {
            if (parts[k]->len > ROOM - kept->text_len)
                abort();
            memcpy(kept->text + kept->text_len, parts[k]->ptr, parts[k]->len);
            /* The text moves with the struct: hold offsets as pointers from 0 until used. */
            parts[k]->ptr = (const uint8_t *)(uintptr_t)kept->text_len;
            kept->text_len += parts[k]->len;
        }
    }
}

static uint64_t resolve_rows(const struct kept *kept, struct rg_named *rows)
{
    for (uint64_t i = 0; i < kept->count; i++) {
        rows[i] = kept->rows[i];
        rows[i].name.ptr = kept->text + (uintptr_t)rows[i].name.ptr;
        rows[i].value.ptr = kept->text + (uintptr_t)rows[i].value.ptr;
    }
    return kept->count;
}

static void after_step(struct play *p)
{
    p->looked_at = 0;
    if (p->step_kind == RG_STEP_SEND) {
        memset(&p->sent, 0, sizeof p->sent);
        keep_rows(&p->sent, &p->step.out.refs);
    }
}

static void *exchange_memory(const struct play *p)
{
    void *memory = calloc(1, p->adapter->exchange_size);
    if (memory == NULL)
        abort();
    return memory;
}

static void do_begin(struct play *p)
{
    static struct outputs first;
    p->command.details = p->details;
    if (p->step_kind != 0 && p->looked_at == 0)
        complain(p, "the step before was not looked at", "");
    void *trial = exchange_memory(p);
    reset_outputs(&first);
    uint32_t kind = p->adapter->begin(p->instance, trial, &p->command, &first.out);
    free(trial);
    free(p->exchange);
    p->exchange = exchange_memory(p);
    reset_outputs(&p->step);
    p->step_kind = p->adapter->begin(p->instance, p->exchange, &p->command, &p->step.out);
    if (kind != p->step_kind || first.out.bytes.len != p->step.out.bytes.len ||
        memcmp(first.bytes, p->step.bytes, first.out.bytes.len) != 0 ||
        memcmp(first.refs_text, p->step.refs_text, sizeof first.refs_text) != 0 ||
        memcmp(first.correlation, p->step.correlation, sizeof first.correlation) != 0)
        complain(p, "the same command gave something else the second time", "");
    after_step(p);
}

static void do_event(struct play *p, uint32_t kind, char *text)
{
    uint8_t bytes[ROOM];
    size_t len = read_bytes(p, text, bytes, sizeof bytes);
    if (p->exchange == NULL || p->looked_at == 0) {
        complain(p, "an event, but the step before was not looked at", "");
        return;
    }
    struct rg_event event = { sizeof event, kind, 0, heap_copy(bytes, len) };
    reset_outputs(&p->step);
    p->step_kind = p->adapter->resume(p->instance, p->exchange, &event, &p->step.out);
    /* The adapter may not keep a pointer: the bytes go away. */
    free((void *)(uintptr_t)event.bytes.ptr);
    after_step(p);
}

static uint32_t choice_index(const char *choices, const char *name, int64_t *index)
{
    size_t len = strlen(name);
    for (*index = 0; choices != NULL; (*index)++) {
        if (strncmp(choices, name, len) == 0 && (choices[len] == '|' || choices[len] == '\0'))
            return 1;
        choices = strchr(choices, '|');
        choices = choices != NULL ? choices + 1 : NULL;
    }
    return 0;
}

static void set_value(struct play *p, uint64_t row, const char *text)
{
    const struct rg_setting *setting = &p->adapter->settings[row];
    struct rg_value *value = &p->values[row];
    snprintf(p->value_text[row], sizeof p->value_text[row], "%s", text);
    value->present = 1;
    value->text = (struct rg_bytes){ (const uint8_t *)p->value_text[row], strlen(text) };
    value->number = strtoll(text, NULL, 10);
    if (setting->type == RG_SETTING_CHOICE && !choice_index(setting->choices, text, &value->number))
        complain(p, "not a choice of this setting", text);
}

static void do_set(struct play *p, char *rest)
{
    char *name = word(&rest);
    for (uint64_t i = 0; i < p->adapter->settings_count; i++) {
        if (strcmp(p->adapter->settings[i].name, name) == 0) {
            set_value(p, i, trimmed(rest));
            return;
        }
    }
    complain(p, "no such setting", name);
}

static void do_configure(struct play *p, char *rest)
{
    char text[512] = { 0 };
    struct rg_diag diag = {
        sizeof diag, 0xFFFFFFFFu, 0, { (uint8_t *)text, sizeof text - 1, 0, 0, 0 }
    };
    for (uint64_t i = 0; i < p->adapter->settings_count; i++)
        if (p->values[i].present == 0 && p->adapter->settings[i].fallback != NULL)
            set_value(p, i, p->adapter->settings[i].fallback);
    memset(p->instance, 0, p->adapter->instance_size);
    uint32_t good = p->adapter->configure(p->instance, p->values, &diag);
    if (strcmp(word(&rest), "refused") != 0) {
        if (good != 1)
            complain(p, "configure refused", text);
        return;
    }
    char *name = word(&rest);
    if (good == 1 || diag.row >= p->adapter->settings_count || text[0] == '\0' ||
        strcmp(p->adapter->settings[diag.row].name, name) != 0)
        complain(p, "configure did not refuse and name", name);
}

static struct rg_civil civil(const char *text)
{
    struct rg_civil c = { 0 };
    if (sscanf(text, "%u-%u-%uT%u:%u:%u", &c.year, &c.month, &c.day, &c.hour, &c.minute,
               &c.second) != 6)
        c.year = 0;
    return c;
}

/* The index of a word in a list; 0 when it is not there. */
static uint32_t listed(const char *const *list, size_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(list[i], name) == 0)
            return i;
    return 0;
}

static void do_command(struct play *p, char *rest)
{
    struct rg_command *c = &p->command;
    const char *name = word(&rest);
    memset(c, 0, sizeof *c);
    c->size = sizeof *c;
    c->operation = listed(operations, COUNT(operations), name);
    c->attempt_id = (struct rg_bytes){ (const uint8_t *)"attempt-1", 9 };
    if (c->operation == 0)
        complain(p, "no such operation", name);
    for (char *pair = word(&rest); pair[0] != '\0'; pair = word(&rest)) {
        char *value = strchr(pair, '=');
        if (value == NULL) {
            complain(p, "not key=value", pair);
            return;
        }
        *value++ = '\0';
        long long number = strtoll(value, NULL, 10);
        if (strcmp(pair, "amount") == 0)
            c->amount_minor = number;
        else if (strcmp(pair, "original") == 0)
            c->original_minor = number;
        else if (strcmp(pair, "currency") == 0)
            c->currency_number = (uint32_t)number;
        else if (strcmp(pair, "exponent") == 0)
            c->currency_exponent = (uint32_t)number;
        else if (strcmp(pair, "code") == 0)
            snprintf(c->currency_code, sizeof c->currency_code, "%s", value);
        else if (strcmp(pair, "trace") == 0)
            c->trace = (uint32_t)number;
        else if (strcmp(pair, "repeat") == 0)
            c->repeat = (uint32_t)number;
        else if (strcmp(pair, "utc") == 0)
            c->utc = civil(value);
        else if (strcmp(pair, "local") == 0)
            c->local = civil(value);
        else
            complain(p, "no such part of a command", pair);
    }
}

static void do_detail(struct play *p, char *rest)
{
    uint64_t i = p->command.details_count;
    if (i >= ROWS)
        return;
    snprintf(p->detail_text[i][0], sizeof p->detail_text[i][0], "%s", word(&rest));
    snprintf(p->detail_text[i][1], sizeof p->detail_text[i][1], "%s", trimmed(rest));
    p->details[i] =
        (struct rg_named){ { (const uint8_t *)p->detail_text[i][0], strlen(p->detail_text[i][0]) },
                           { (const uint8_t *)p->detail_text[i][1], strlen(p->detail_text[i][1]) },
                           0,
                           0 };
    p->command.details_count = i + 1;
}

static void do_keep(struct play *p, char *rest)
{
    if (p->kept_count >= COUNT(p->kept))
        return;
    struct kept *kept = &p->kept[p->kept_count++];
    *kept = p->sent;
    snprintf(kept->label, sizeof kept->label, "%s", word(&rest));
    if (strcmp(word(&rest), "all") == 0)
        keep_rows(kept, &p->step.out.refs);
}

static void do_refs(struct play *p, char *rest)
{
    static struct rg_named rows[ROWS];
    const char *label = word(&rest);
    for (uint64_t i = 0; i < p->kept_count; i++) {
        if (strcmp(p->kept[i].label, label) == 0) {
            p->command.refs = rows;
            p->command.refs_count = resolve_rows(&p->kept[i], rows);
            return;
        }
    }
    complain(p, "nothing kept under", label);
}

static void do_frame(struct play *p, char *rest)
{
    uint8_t bytes[ROOM];
    size_t len = read_bytes(p, rest, bytes, sizeof bytes);
    struct rg_bytes in = heap_copy(bytes, len);
    p->frame = (struct rg_frame){ .size = sizeof p->frame };
    p->frame.correlation = (struct rg_buffer){ p->frame_key, sizeof p->frame_key, 0, 0, 0 };
    p->frame_answer = p->adapter->frame(p->instance, &in, &p->frame);
    if (p->frame_answer == RG_FRAME_COMPLETE && p->frame.length > len)
        complain(p, "a complete frame is longer than what came", "");
    free((void *)(uintptr_t)in.ptr);
}

static void do_notice(struct play *p, char *rest)
{
    uint8_t bytes[ROOM];
    size_t len = read_bytes(p, rest, bytes, sizeof bytes);
    struct rg_notice in = { .size = sizeof in, .bytes = heap_copy(bytes, len) };
    struct rg_notice_out out = { .size = sizeof out };
    reset_outputs(&p->step);
    out.acknowledgement =
        (struct rg_buffer){ p->acknowledgement, sizeof p->acknowledgement, 0, 0, 0 };
    out.refs = p->step.out.refs;
    p->notice_answer = p->adapter->notice(p->instance, &in, &out);
    p->step.out.refs = out.refs;
    p->acknowledgement_len = out.acknowledgement.len;
    free((void *)(uintptr_t)in.bytes.ptr);
}

/* --- expectations -------------------------------------------------------------------------- */

static void expect_step(struct play *p, uint32_t kind)
{
    static const char *const names[] = { "nothing", "send", "sign", "done", "fail" };
    char detail[600];
    p->looked_at = 1;
    if (p->step_kind == kind)
        return;
    snprintf(detail, sizeof detail, "%s (%.*s)", p->step_kind < 5 ? names[p->step_kind] : "?",
             (int)p->step.out.diagnosis.len, (const char *)p->step.diagnosis);
    complain(p, "the step is", detail);
}

static void expect_row(struct play *p, const struct rg_table *table, char *rest, uint32_t hex)
{
    const char *name = word(&rest);
    const struct rg_named *row = rg_find(table->rows, table->count, name);
    uint8_t wanted[ROOM];
    char *text = trimmed(rest);
    size_t len = hex != 0 ? read_bytes(p, text, wanted, sizeof wanted) : strlen(text);
    const uint8_t *value = hex != 0 ? wanted : (const uint8_t *)text;
    if (row == NULL)
        complain(p, "no such row", name);
    else if (row->value.len != len || memcmp(row->value.ptr, value, len) != 0)
        complain(p, "row differs", name);
}

static void expect_text(struct play *p, const char *what, const struct rg_buffer *seen,
                        const char *wanted)
{
    char text[512];
    snprintf(text, sizeof text, "%s is %.*s", what, (int)seen->len, (const char *)seen->ptr);
    if (seen->len != strlen(wanted) || memcmp(seen->ptr, wanted, seen->len) != 0)
        complain(p, "differs", text);
}

static void expect_done(struct play *p, char *rest)
{
    const struct rg_out *out = &p->step.out;
    const char *name = word(&rest);
    expect_step(p, RG_STEP_DONE);
    if (p->step_kind != RG_STEP_DONE)
        return;
    if (out->outcome != listed(outcomes, COUNT(outcomes), name))
        complain(p, "the outcome is",
                 out->outcome < COUNT(outcomes) ? outcomes[out->outcome] : "?");
    for (char *pair = word(&rest); pair[0] != '\0'; pair = word(&rest)) {
        char *value = strchr(pair, '=');
        if (value == NULL)
            continue;
        *value++ = '\0';
        if (strcmp(pair, "amount") == 0 && out->amount_minor != strtoll(value, NULL, 10))
            complain(p, "the amount differs", value);
        else if (strcmp(pair, "currency") == 0 && out->currency_number != strtoul(value, NULL, 10))
            complain(p, "the currency differs", value);
        else if (strcmp(pair, "category") == 0 &&
                 out->category != listed(categories, COUNT(categories), value))
            complain(p, "the category differs", value);
        else if (strcmp(pair, "code") == 0)
            expect_text(p, "code", &out->rail_code, value);
        else if (strcmp(pair, "reference") == 0)
            expect_text(p, "reference", &out->reference, value);
    }
}

static void expect_frame(struct play *p, char *rest)
{
    const char *what = word(&rest);
    uint32_t complete = p->frame_answer == RG_FRAME_COMPLETE;
    uint32_t good;
    if (strcmp(what, "broken") == 0) {
        good = p->frame_answer == RG_FRAME_BROKEN;
    } else if (strcmp(what, "need") == 0) {
        good = p->frame_answer == RG_FRAME_NEED && p->frame.length == strtoull(rest, NULL, 10);
    } else if (strcmp(what, "unsolicited") == 0) {
        good = complete && p->frame.kind == RG_FRAME_UNSOLICITED;
    } else {
        good = complete && p->frame.kind == RG_FRAME_REPLY;
        expect_text(p, "key", &p->frame.correlation, trimmed(rest));
    }
    if (!good)
        complain(p, "the frame is not", what);
}

static void do_expect(struct play *p, char *rest)
{
    const struct rg_out *out = &p->step.out;
    const char *what = word(&rest);
    if (strcmp(what, "send") == 0) {
        expect_step(p, RG_STEP_SEND);
        expect_bytes(p, "the message", p->step.bytes, out->bytes.len, rest);
    } else if (strcmp(what, "sign") == 0) {
        expect_step(p, RG_STEP_SIGN);
        expect_text(p, "sign key", &out->sign_key, word(&rest));
        expect_bytes(p, "what is signed", p->step.bytes, out->bytes.len, rest);
    } else if (strcmp(what, "fail") == 0) {
        expect_step(p, RG_STEP_FAIL);
        if (strstr((const char *)p->step.diagnosis, trimmed(rest)) == NULL)
            complain(p, "the diagnosis is", (const char *)p->step.diagnosis);
    } else if (strcmp(what, "done") == 0) {
        expect_done(p, rest);
    } else if (strcmp(what, "correlation") == 0) {
        expect_text(p, "correlation", &out->correlation, trimmed(rest));
    } else if (strcmp(what, "ref") == 0) {
        expect_row(p, &out->refs, rest, 0);
    } else if (strcmp(what, "no-ref") == 0) {
        if (rg_find(out->refs.rows, out->refs.count, word(&rest)) != NULL)
            complain(p, "this row should not be there", "");
    } else if (strcmp(what, "sensitive") == 0) {
        const struct rg_named *row = rg_find(out->refs.rows, out->refs.count, word(&rest));
        if (row == NULL || (row->flags & RG_NAMED_SENSITIVE) == 0)
            complain(p, "this row is not there or not marked as sensitive", "");
    } else if (strcmp(what, "extra") == 0) {
        expect_row(p, &out->extra, rest, 0);
    } else if (strcmp(what, "grant") == 0) {
        expect_row(p, &out->grants, rest, 1);
    } else if (strcmp(what, "frame") == 0) {
        expect_frame(p, rest);
    } else if (strcmp(what, "notice") == 0) {
        uint32_t broken = strncmp(trimmed(rest), "broken", 6) == 0;
        if (p->notice_answer != (broken ? RG_NOTICE_BROKEN : RG_NOTICE_DONE))
            complain(p, "notice() answered otherwise", "");
        else if (!broken)
            expect_bytes(p, "the acknowledgement", p->acknowledgement, p->acknowledgement_len,
                         rest);
    } else {
        complain(p, "cannot expect", what);
    }
}

/* --- the file ------------------------------------------------------------------------------ */

static void do_line(struct play *p, char *line)
{
    char *rest = line;
    const char *verb = word(&rest);
    if (strcmp(verb, "set") == 0)
        do_set(p, rest);
    else if (strcmp(verb, "configure") == 0)
        do_configure(p, rest);
    else if (strcmp(verb, "command") == 0)
        do_command(p, rest);
    else if (strcmp(verb, "detail") == 0)
        do_detail(p, rest);
    else if (strcmp(verb, "refs") == 0)
        do_refs(p, rest);
    else if (strcmp(verb, "begin") == 0)
        do_begin(p);
    else if (strcmp(verb, "signature") == 0)
        do_event(p, RG_EVENT_SIGNED, rest);
    else if (strcmp(verb, "reply") == 0)
        do_event(p, RG_EVENT_REPLY, rest);
    else if (strcmp(verb, "keep") == 0)
        do_keep(p, rest);
    else if (strcmp(verb, "frame") == 0)
        do_frame(p, rest);
    else if (strcmp(verb, "notice") == 0)
        do_notice(p, rest);
    else if (strcmp(verb, "expect") == 0)
        do_expect(p, rest);
    else
        complain(p, "no such line", verb);
}

static void strip_comment(char *line)
{
    uint32_t quoted = 0;
    for (; *line != '\0'; line++) {
        if (*line == '"')
            quoted = !quoted;
        if (*line == '\n' || (*line == '#' && !quoted)) {
            *line = '\0';
            return;
        }
    }
}

static void play_file(struct play *p, FILE *file)
{
    static char whole[LINE_MAX];
    static char line[LINE_MAX];
    unsigned number = 0;
    unsigned expectations = 0;
    whole[0] = '\0';
    for (;;) {
        char *got = fgets(line, sizeof line, file);
        if (got != NULL) {
            number++;
            strip_comment(line);
            size_t used = strlen(whole);
            if (line[0] == ' ' || line[0] == '\t') {
                snprintf(whole + used, sizeof whole - used, "%s", line);
                continue;
            }
        }
        if (trimmed(whole)[0] != '\0') {
            expectations += strncmp(whole, "expect", 6) == 0;
            do_line(p, whole);
        }
        if (got == NULL)
            break;
        p->line = number;
        snprintf(whole, sizeof whole, "%s", line);
    }
    if (p->step_kind != 0 && p->looked_at == 0)
        complain(p, "the last step was not looked at", "");
    if (expectations == 0)
        complain(p, "nothing is expected: the transcript tests nothing", "");
}

static unsigned play(const struct rg_adapter *adapter, const char *path)
{
    FILE *file = fopen(path, "r");
    struct play *p = calloc(1, sizeof *p);
    if (file == NULL || p == NULL) {
        perror(path);
        exit(1);
    }
    p->file = path;
    p->adapter = adapter;
    p->instance = calloc(1, adapter->instance_size);
    if (p->instance == NULL || adapter->settings_count > ROWS)
        exit(1);
    play_file(p, file);
    unsigned failures = p->failures;
    printf("%s: %s\n", path, failures == 0 ? "passed" : "failed");
    fclose(file);
    free(p->exchange);
    free(p->instance);
    free(p);
    return failures;
}

int main(int argc, char **argv)
{
    unsigned failures = 0;
    if (argc < 3) {
        fprintf(stderr, "usage: transcript ADAPTER.so FILE...\n");
        return 2;
    }
    void *object = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (object == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    const struct rg_adapter *(*entry)(uint32_t) = NULL;
    *(void **)&entry = dlsym(object, RG_ADAPTER_ENTRY);
    const struct rg_adapter *adapter =
        entry != NULL ? entry(RG_ABI_MAJOR << 16 | RG_ABI_MINOR) : NULL;
    if (adapter == NULL || adapter->magic != RG_ABI_MAGIC || adapter->abi_major != RG_ABI_MAJOR) {
        fprintf(stderr, "%s: not an adapter of this version\n", argv[1]);
        return 2;
    }
    for (int i = 2; i < argc; i++)
        failures += play(adapter, argv[i]);
    dlclose(object);
    return failures == 0 ? 0 : 1;
}
