/* SPDX-License-Identifier: Apache-2.0
 *
 * null.c - an adapter for a channel that does not exist. It uses every corner of the interface, so
 * it is the host's test piece, and it is written to be read: docs/adapter-developer.md walks
 * through it.
 *
 * The same source makes two adapters, because a struct has one transport (null_http.c has the
 * third):
 *     null.so        framed    lines on a long-lived stream
 *     null_local.so  local     no other side: begin() answers by the script
 *
 * The protocol, in full. A message is one line of printable ASCII, at most 1024 bytes, ended by LF.
 * Fields stand between separators ('|' or ';', a setting). An empty field is '-'.
 *
 *     request  VERB | trace | version | repeat | amount | currency | time | terminal | original |
 *              account | want | MAC
 *              AUTH 000123   1         0        000000001000 978 20260102030405 T1 - 4711 00 -
 *     reply    RE | trace | code | amount | currency | reference | text | MAC
 *              RE   000123  00     000000001000 978    R77         -      -
 *     notice   NO, then as a reply; trace names the request it is about. Acknowledged with
 *              AK | trace
 *
 *     VERB      AUTH SALE CAPT CANC REFU INQU REVE SION SIOF ECHO KEYS TOKE
 *     trace     6 digits, new for each attempt; repeats keep it. `original` is that of another
 *               attempt: of the authorisation for CAPT, of the lost request for REVE and INQU
 *     amount    minor units, 12 digits; currency ISO 4217 number; both '-' in a reply that is
 *               about no money
 *     want      with the setting `script`: the code that the last two digits of the amount ask for
 *               (10.51 asks for 51), so that a counterpart needs no rules of its own; else --
 *     code      null_codes.def; a code that is not there makes the outcome unknown
 *     text      KEYS: the new MAC key wrapped under wrap_key, hexadecimal, `reference` being its
 *               check value; TOKE: the token; else text for people
 *     MAC       with the setting `sign`: 16 hexadecimal digits over all bytes before them, under
 *               mac_key, in requests, replies and notices; else '-'
 *     SIOF      is not answered.
 *
 * With null_local.so the amount's last two digits are the code, and 99 lets the adapter FAIL.
 */
#include "null_int.h"

#if NULL_TRANSPORT == RG_TRANSPORT_FRAMED
#define NULL_ID   "null"
#define NULL_RAIL "card"
#else
#define NULL_ID   "null_local"
#define NULL_RAIL "cbdc"
#endif

/* --- tables ---------------------------------------------------------------------------------- */

/* The host parses, checks, shows and documents these; configure() sees only values that fit. */
static const struct rg_setting settings[ROW_COUNT] = {
    [ROW_TERMINAL] = { .size = sizeof(struct rg_setting),
                       .name = "terminal_id",
                       .type = RG_SETTING_TEXT,
                       .required = 1,
                       .min = 1,
                       .max = 16,
                       .sentence = "Name of the terminal, as the other side knows it." },
    [ROW_VERSION] = { .size = sizeof(struct rg_setting),
                      .name = "version",
                      .type = RG_SETTING_NUMBER,
                      .fallback = "1",
                      .min = 1,
                      .max = 9,
                      .unit = "edition",
                      .sentence = "Edition of the protocol to announce." },
    [ROW_SEPARATOR] = { .size = sizeof(struct rg_setting),
                        .name = "separator",
                        .type = RG_SETTING_CHOICE,
                        .fallback = "pipe",
                        .choices = "pipe|semicolon",
                        .sentence = "What stands between fields." },
    [ROW_SCRIPT] = { .size = sizeof(struct rg_setting),
                     .name = "script",
                     .type = RG_SETTING_FLAG,
                     .fallback = "yes",
                     .sentence = "Whether the last two digits of the amount ask for a code." },
    [ROW_SIGN] = { .size = sizeof(struct rg_setting),
                   .name = "sign",
                   .type = RG_SETTING_FLAG,
                   .fallback = "no",
                   .sentence = "Whether messages carry a MAC." },
    [ROW_MAC_KEY] = { .size = sizeof(struct rg_setting),
                      .name = "mac_key",
                      .type = RG_SETTING_KEY,
                      .secret = 1,
                      .sentence = "Key of the MAC; needed when messages are signed." },
    [ROW_WRAP_KEY] = { .size = sizeof(struct rg_setting),
                       .name = "wrap_key",
                       .type = RG_SETTING_KEY,
                       .secret = 1,
                       .sentence = "Key under which a new MAC key arrives." },
    [ROW_NOTE] = { .size = sizeof(struct rg_setting),
                   .name = "note",
                   .type = RG_SETTING_TEXT,
                   .max = 64,
                   .sentence = "Not used; shows a text that need not be given." },
};

#define ABILITY(op, able, money, list)                                                             \
    {                                                                                              \
        .size = sizeof(struct rg_ability), .operation = RG_OP_##op, .flags = (able),               \
        .late_window_ms = 60000, .deadline_ms = 10000, .amount_minor_max = (money),                \
        .currencies = (list)                                                                       \
    }
static const struct rg_ability abilities[] = {
    ABILITY(AUTHORISE,
            RG_ABLE_REPEAT | RG_ABLE_INQUIRE | RG_ABLE_REVERSE | RG_ABLE_PARTIAL_APPROVAL,
            AMOUNT_MAX, NULL),
    ABILITY(SALE, RG_ABLE_INQUIRE | RG_ABLE_REVERSE | RG_ABLE_PARTIAL_APPROVAL, AMOUNT_MAX, NULL),
    ABILITY(CAPTURE, RG_ABLE_REPEAT | RG_ABLE_INQUIRE | RG_ABLE_PARTIAL, AMOUNT_MAX, NULL),
    ABILITY(CANCEL, RG_ABLE_REPEAT, AMOUNT_MAX, NULL),
    ABILITY(REFUND, RG_ABLE_REPEAT | RG_ABLE_INQUIRE | RG_ABLE_PARTIAL, AMOUNT_MAX,
            "EUR USD JPY KWD"),
    ABILITY(INQUIRE, RG_ABLE_REPEAT, 0, NULL),
    ABILITY(REVERSE, RG_ABLE_REPEAT, AMOUNT_MAX, NULL),
#if NULL_TRANSPORT != RG_TRANSPORT_LOCAL
    ABILITY(SIGN_ON, 0, 0, NULL),
    ABILITY(SIGN_OFF, 0, 0, NULL),
    ABILITY(ECHO, RG_ABLE_REPEAT, 0, NULL),
    ABILITY(KEY_CHANGE, 0, 0, NULL),
    ABILITY(TOKEN, 0, 0, NULL),
#endif
};

/* --- configure ------------------------------------------------------------------------------- */

static uint32_t configure(void *memory, const struct rg_value *values, struct rg_diag *diag)
{
    struct null_instance *instance = memory;
    instance->terminal = values[ROW_TERMINAL].text;
    instance->version = (uint64_t)values[ROW_VERSION].number;
    instance->separator = values[ROW_SEPARATOR].number == 1 ? ';' : '|';
    instance->script = values[ROW_SCRIPT].number == 1;
    instance->sign = values[ROW_SIGN].number == 1;
    /* Only what one row cannot say of itself is left to check here. */
    if (instance->sign && values[ROW_MAC_KEY].present == 0) {
        diag->row = ROW_MAC_KEY;
        rg_put_text(&diag->text, "messages are to be signed, so mac_key must name a key");
        return 0;
    }
    return 1;
}

static uint32_t fail(struct rg_out *out, const char *reason)
{
    rg_put_text(&out->diagnosis, reason);
    return RG_STEP_FAIL;
}

/* --- the exchange ---------------------------------------------------------------------------- */
#if NULL_TRANSPORT != RG_TRANSPORT_LOCAL

/* "-" stands for nothing. */
static uint32_t is_empty(struct rg_bytes field)
{
    return null_is(field, "-");
}

/* Where an exchange stands. Zero is the memory the host gave: not begun. */
enum { AT_SIGN = 1, AT_REPLY, AT_VERIFY, AT_END };

struct null_exchange {
    uint32_t at;
    uint32_t operation;
    uint32_t expects_reply;
    uint32_t trace;
    int64_t amount_minor;
    uint8_t account[64]; /* kept because refs are handed over with SEND, after a SIGN step */
    uint64_t account_len;
    uint8_t line[LINE_MAX]; /* the request while it is signed, the reply while it is verified */
    uint64_t line_len;
};

/* The message is whole: hand it over, with all that a reversal or an inquiry will need. The host
 * stores refs before a byte leaves. */
static uint32_t send(struct null_exchange *exchange, struct rg_out *out)
{
    uint8_t digits[6];
    struct rg_buffer trace = { digits, sizeof digits, 0, 0, 0 };
    rg_put_digits(&trace, exchange->trace, 6);
    rg_put(&out->bytes, exchange->line, exchange->line_len);
    rg_put(&out->correlation, digits, trace.len);
    rg_table_put(&out->refs, "trace", digits, trace.len, 0);
    if (exchange->account_len > 0) /* whose money it is: the host seals it */
        rg_table_put(&out->refs, "account", exchange->account, exchange->account_len,
                     RG_NAMED_SENSITIVE);
    out->expects_reply = exchange->expects_reply;
    exchange->at = exchange->expects_reply == 1 ? AT_REPLY : AT_END;
    return RG_STEP_SEND;
}

static uint32_t ask_for_mac(struct rg_bytes bytes, struct rg_out *out)
{
    rg_put_bytes(&out->bytes, bytes);
    rg_put_text(&out->sign_key, "mac_key");
    return RG_STEP_SIGN;
}

/* Ends the line with the MAC, or with "-". */
static uint32_t close_line(struct null_exchange *exchange, struct rg_bytes mac, struct rg_out *out)
{
    struct rg_buffer line = { exchange->line, LINE_MAX, exchange->line_len, 0, 0 };
    if (mac.len > 0)
        null_hex(&line, mac);
    else
        rg_put_u8(&line, '-');
    rg_put_u8(&line, '\n');
    if (line.overflow != 0)
        return fail(out, "the message does not fit one line");
    exchange->line_len = line.len;
    return send(exchange, out);
}

static uint32_t begin(const void *memory, void *state, const struct rg_command *command,
                      struct rg_out *out)
{
    const struct null_instance *instance = memory;
    struct null_exchange *exchange = state;
    struct rg_bytes none = { NULL, 0 };
    const struct rg_named *original = rg_find(command->refs, command->refs_count, "trace");
    const struct rg_named *account = null_account(command);
    uint32_t refers = command->operation >= RG_OP_CAPTURE && command->operation <= RG_OP_REVERSE;
    if (refers && original == NULL)
        return fail(out, "the refs of the attempt it refers to are missing");
    struct rg_buffer line = { exchange->line, LINE_MAX, 0, 0, 0 };
    if (null_line_write(instance, command, refers ? original->value : none, &line,
                        &out->diagnosis) == 0)
        return RG_STEP_FAIL;
    if (line.overflow != 0 || (account != NULL && account->value.len > sizeof exchange->account))
        return fail(out, "the message does not fit one line");
    struct rg_buffer keep = { exchange->account, sizeof exchange->account, 0, 0, 0 };
    if (account != NULL)
        rg_put_bytes(&keep, account->value);
    exchange->account_len = keep.len;
    exchange->line_len = line.len;
    exchange->operation = command->operation;
    exchange->trace = command->trace;
    exchange->amount_minor = command->amount_minor;
    exchange->expects_reply = command->operation == RG_OP_SIGN_OFF ? 2 : 1;
    if (instance->sign == 0)
        return close_line(exchange, none, out);
    exchange->at = AT_SIGN;
    return ask_for_mac((struct rg_bytes){ exchange->line, exchange->line_len }, out);
}

/* KEYS: the new key arrives wrapped; the host unwraps it, we never see it. */
static uint32_t grant_key(const struct null_line *line, struct rg_out *out)
{
    uint8_t wrapped[64], kcv[3];
    uint64_t len = null_unhex(line->fields[IN_TEXT], wrapped, sizeof wrapped);
    if (len == 0 || null_unhex(line->fields[IN_REFERENCE], kcv, sizeof kcv) != sizeof kcv)
        return fail(out, "the new key or its check value is not hexadecimal");
    rg_table_put_wrapped_key(&out->grants, "mac_key", "wrap_key", wrapped, len, kcv, sizeof kcv);
    return RG_STEP_DONE;
}

/* The reply is genuine (or lines are not signed): say what it means. */
static uint32_t finish(const struct null_exchange *exchange, const struct null_line *line,
                       struct rg_out *out)
{
    const struct rg_bytes *field = line->fields;
    const struct null_code *code = null_code_find(field[IN_CODE]);
    uint64_t amount = 0, currency = 0;
    if (code == NULL)
        return fail(out, "the reply's code is not in the table");
    if (code->outcome == RG_OUTCOME_NOT_FOUND && exchange->operation != RG_OP_INQUIRE &&
        exchange->operation != RG_OP_REVERSE)
        return fail(out, "not found answers only an inquiry or a reversal");
    if (is_empty(field[IN_AMOUNT]) == 0) {
        if (field[IN_AMOUNT].len != 12 || field[IN_CURRENCY].len != 3 ||
            null_number(field[IN_AMOUNT], (uint64_t)AMOUNT_MAX, &amount) == 0 ||
            null_number(field[IN_CURRENCY], 999, &currency) == 0)
            return fail(out, "the reply's amount or currency is not a number");
        out->amount_minor = (int64_t)amount; /* the host compares; we only report */
        out->currency_number = (uint32_t)currency;
    } else if (exchange->operation < RG_OP_INQUIRE) {
        return fail(out, "the reply says no amount");
    } else {
        out->amount_minor = -1;
    }
    out->outcome = code->outcome;
    out->category = code->category;
    rg_put_bytes(&out->rail_code, field[IN_CODE]);
    rg_put_text(&out->message, code->message);
    if (code->outcome == RG_OUTCOME_APPROVED && exchange->operation == RG_OP_KEY_CHANGE)
        return grant_key(line, out);
    if (code->outcome == RG_OUTCOME_APPROVED && exchange->operation == RG_OP_TOKEN) {
        rg_table_put(&out->grants, "token", field[IN_TEXT].ptr, field[IN_TEXT].len,
                     RG_NAMED_SENSITIVE);
        return RG_STEP_DONE;
    }
    if (is_empty(field[IN_REFERENCE]) == 0) {
        rg_put_bytes(&out->reference, field[IN_REFERENCE]);
        rg_table_put(&out->refs, "reference", field[IN_REFERENCE].ptr, field[IN_REFERENCE].len, 0);
    }
    if (is_empty(field[IN_TEXT]) == 0)
        rg_table_put(&out->extra, "text", field[IN_TEXT].ptr, field[IN_TEXT].len, 0);
    return RG_STEP_DONE;
}

/* Everything about a reply but what it means: is it a line, a reply, and ours. */
static uint32_t take_reply(const struct null_instance *instance, uint32_t trace,
                           struct rg_bytes bytes, struct null_line *line)
{
    uint64_t number = 0;
    return null_line_read(instance, bytes, line) != 0 && line->count == IN_COUNT + 1 &&
           null_is(line->fields[IN_KIND], "RE") && line->fields[IN_TRACE].len == 6 &&
           null_number(line->fields[IN_TRACE], 999999, &number) != 0 && number == trace;
}

static uint32_t on_reply(const struct null_instance *instance, struct null_exchange *exchange,
                         struct rg_bytes bytes, struct rg_out *out)
{
    struct null_line line;
    exchange->at = AT_END;
    if (bytes.len > LINE_MAX || take_reply(instance, exchange->trace, bytes, &line) == 0)
        return fail(out, "the reply is not a line of the protocol for this trace number");
    if (instance->sign == 0)
        return is_empty(line.fields[IN_COUNT]) ? finish(exchange, &line, out)
                                               : fail(out, "the reply carries a MAC unasked");
    /* Event bytes live until we return; what is needed later is copied. */
    struct rg_buffer copy = { exchange->line, LINE_MAX, 0, 0, 0 };
    rg_put_bytes(&copy, bytes);
    exchange->line_len = copy.len;
    exchange->at = AT_VERIFY;
    return ask_for_mac(line.signed_part, out);
}

/* The host computed the MAC that the reply should have carried. */
static uint32_t on_verify(const struct null_instance *instance, struct null_exchange *exchange,
                          struct rg_bytes mac, struct rg_out *out)
{
    struct null_line line;
    uint8_t digits[64];
    struct rg_buffer expected = { digits, sizeof digits, 0, 0, 0 };
    exchange->at = AT_END;
    null_hex(&expected, mac);
    if (take_reply(instance, exchange->trace,
                   (struct rg_bytes){ exchange->line, exchange->line_len }, &line) == 0)
        return fail(out, "the reply is not a line of the protocol for this trace number");
    if (expected.overflow != 0 || mac.len == 0 ||
        null_equal(line.fields[IN_COUNT], (struct rg_bytes){ digits, expected.len }) == 0)
        return fail(out, "the reply's MAC is not right");
    return finish(exchange, &line, out);
}

static uint32_t resume(const void *memory, void *state, const struct rg_event *event,
                       struct rg_out *out)
{
    const struct null_instance *instance = memory;
    struct null_exchange *exchange = state;
    if (exchange->at == AT_SIGN && event->kind == RG_EVENT_SIGNED && event->bytes.len > 0)
        return close_line(exchange, event->bytes, out);
    if (exchange->at == AT_REPLY && event->kind == RG_EVENT_REPLY)
        return on_reply(instance, exchange, event->bytes, out);
    if (exchange->at == AT_VERIFY && event->kind == RG_EVENT_SIGNED)
        return on_verify(instance, exchange, event->bytes, out);
    exchange->at = AT_END;
    return fail(out, "this event was not expected here");
}

/* --- notices --------------------------------------------------------------------------------- */

/* First call: which bytes, which MAC. The host verifies and calls again with verified = 1. */
static uint32_t notice_verify(struct rg_bytes bytes, struct rg_bytes mac_text,
                              struct rg_notice_out *out)
{
    uint8_t mac[MAC_DIGITS / 2];
    if (null_unhex(mac_text, mac, sizeof mac) != sizeof mac)
        return RG_NOTICE_BROKEN;
    rg_put_bytes(&out->bytes, bytes);
    rg_put(&out->signature, mac, sizeof mac);
    rg_put_text(&out->sign_key, "mac_key");
    return RG_NOTICE_VERIFY;
}

static uint32_t notice(const void *memory, const struct rg_notice *in, struct rg_notice_out *out)
{
    const struct null_instance *instance = memory;
    struct null_line line;
    uint64_t amount = 0, currency = 0;
    if (null_line_read(instance, in->bytes, &line) == 0 || line.count != IN_COUNT + 1 ||
        null_is(line.fields[IN_KIND], "NO") == 0)
        return RG_NOTICE_BROKEN;
    const struct rg_bytes *field = line.fields;
    const struct null_code *code = null_code_find(field[IN_CODE]);
    if (code == NULL || field[IN_TRACE].len != 6 || field[IN_AMOUNT].len != 12 ||
        null_number(field[IN_AMOUNT], (uint64_t)AMOUNT_MAX, &amount) == 0 ||
        null_number(field[IN_CURRENCY], 999, &currency) == 0)
        return RG_NOTICE_BROKEN;
    if (instance->sign && in->verified == 0)
        return notice_verify(line.signed_part, field[IN_COUNT], out);
    out->outcome = code->outcome;
    out->category = code->category;
    out->amount_minor = (int64_t)amount;
    out->currency_number = (uint32_t)currency;
    /* A line has a trace number and no room for the attempt's name, so attempt_id stays empty. */
    out->about = RG_ABOUT_STATUS;
    rg_put_bytes(&out->reference, field[IN_TRACE]);
    rg_put_bytes(&out->rail_code, field[IN_CODE]);
    if (is_empty(field[IN_REFERENCE]) == 0)
        rg_table_put(&out->refs, "reference", field[IN_REFERENCE].ptr, field[IN_REFERENCE].len, 0);
    rg_put_text(&out->acknowledgement, "AK");
    rg_put_u8(&out->acknowledgement, instance->separator);
    rg_put_bytes(&out->acknowledgement, field[IN_TRACE]);
    rg_put_u8(&out->acknowledgement, '\n');
    return RG_NOTICE_DONE;
}

#else /* local */

struct null_exchange {
    uint32_t unused;
};

/* No other side: the script answers at once. What became of an attempt is in its own refs. */
static uint32_t begin(const void *memory, void *state, const struct rg_command *command,
                      struct rg_out *out)
{
    const struct null_instance *instance = memory;
    const struct rg_named *earlier = rg_find(command->refs, command->refs_count, "code");
    uint32_t looks_back =
        command->operation == RG_OP_INQUIRE || command->operation == RG_OP_REVERSE;
    const char *word = instance->script ? null_code_by_amount(command->amount_minor) : "00";
    struct rg_bytes code = { (const uint8_t *)word, 2 };
    (void)state;
    if (command->operation < RG_OP_AUTHORISE || command->operation > RG_OP_REVERSE)
        return fail(out, "this operation is not known");
    if (command->amount_minor < 0 || command->amount_minor > AMOUNT_MAX)
        return fail(out, "the amount does not fit 12 digits");
    if (instance->script && command->amount_minor % 100 == 99)
        return fail(out, "the script says so");
    if (looks_back)
        code = earlier == NULL ? (struct rg_bytes){ (const uint8_t *)"25", 2 }
               : command->operation == RG_OP_INQUIRE
                   ? earlier->value
                   : (struct rg_bytes){ (const uint8_t *)"00", 2 };
    const struct null_code *row = null_code_find(code);
    if (row == NULL || (row->outcome == RG_OUTCOME_NOT_FOUND && looks_back == 0))
        return fail(out, "the code is not in the table");
    out->outcome = row->outcome;
    out->category = row->category;
    out->amount_minor = looks_back ? -1 : command->amount_minor;
    if (null_is(code, "10") && looks_back == 0)
        out->amount_minor = command->amount_minor / 2;
    out->currency_number = looks_back ? 0 : command->currency_number;
    rg_put_bytes(&out->rail_code, code);
    rg_put_text(&out->message, row->message);
    rg_put_bytes(&out->reference, command->attempt_id);
    rg_table_put(&out->refs, "code", code.ptr, code.len, 0);
    return RG_STEP_DONE;
}

#endif

/* --- frames ---------------------------------------------------------------------------------- */
#if NULL_TRANSPORT == RG_TRANSPORT_FRAMED
static uint32_t frame(const void *memory, const struct rg_bytes *bytes, struct rg_frame *out)
{
    const struct null_instance *instance = memory;
    uint64_t end = null_line_end(*bytes);
    if (end == 0)
        return RG_FRAME_NEED; /* how many bytes are missing is not known: out->length stays 0 */
    if (end > LINE_MAX || end < 10 || bytes->ptr[2] != instance->separator ||
        bytes->ptr[9] != instance->separator)
        return RG_FRAME_BROKEN;
    out->length = end;
    if (bytes->ptr[0] == 'R' && bytes->ptr[1] == 'E') {
        out->kind = RG_FRAME_REPLY;
        rg_put(&out->correlation, bytes->ptr + 3, 6);
        return RG_FRAME_COMPLETE;
    }
    if (bytes->ptr[0] == 'N' && bytes->ptr[1] == 'O') {
        out->kind = RG_FRAME_UNSOLICITED;
        return RG_FRAME_COMPLETE;
    }
    return RG_FRAME_BROKEN;
}
#endif

/* --- the adapter ----------------------------------------------------------------------------- */

/* A family of its own, to show how one is found: extension("null.codes", 1) lists the codes. */
static const char all_codes[] =
#define CODE(code, outcome, category, message) code " "
#include "null_codes.def"
#undef CODE
    ;

static const void *extension(const char *name, uint32_t version)
{
    static const char mine[] = "null.codes";
    for (unsigned i = 0; i < sizeof mine; i++)
        if (name[i] != mine[i])
            return NULL;
    return version == 1 ? all_codes : NULL;
}

static const struct rg_adapter adapter = {
    .magic = RG_ABI_MAGIC,
    .abi_major = RG_ABI_MAJOR,
    .abi_minor = RG_ABI_MINOR,
    .transport = NULL_TRANSPORT,
    .size = sizeof(struct rg_adapter),
    .id = NULL_ID,
    .version = "1.0.0",
    .licence = "Apache-2.0",
    .origin = "railgate",
    .rail = NULL_RAIL,
    .settings = settings,
    .settings_count = ROW_COUNT,
    .abilities = abilities,
    .abilities_count = sizeof abilities / sizeof abilities[0],
    .instance_size = sizeof(struct null_instance),
    .exchange_size = sizeof(struct null_exchange),
    .request_max = LINE_MAX,
    .answer_max = LINE_MAX,
    .steps_max = 4, /* begin SIGN, resume SEND, resume SIGN, resume DONE */
    .configure = configure,
    .begin = begin,
#if NULL_TRANSPORT != RG_TRANSPORT_LOCAL
    .resume = resume,
    .notice = notice,
#endif
#if NULL_TRANSPORT == RG_TRANSPORT_FRAMED
    .frame = frame,
#endif
    .extension = extension,
};

__attribute__((visibility("default"))) const struct rg_adapter *rg_adapter_get(uint32_t host_abi)
{
    return host_abi >> 16 == RG_ABI_MAJOR ? &adapter : NULL;
}
