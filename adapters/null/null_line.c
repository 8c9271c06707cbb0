/* null_line.c - the protocol of the null adapter: one line of text a message. The protocol page is
 * at the head of null.c.
 *
 * Nothing here knows steps or outcomes. Reading is strict: a byte that the page does not name is an
 * error, because a reply that was understood by chance moves money by chance. */
#include "null_int.h"

static const struct null_code codes[] = {
#define CODE(code, outcome, category, message)                                                     \
    { code, RG_OUTCOME_##outcome, RG_CATEGORY_##category, message },
#include "null_codes.def"
#undef CODE
};
#define CODES_COUNT (sizeof codes / sizeof codes[0])

uint32_t null_equal(struct rg_bytes a, struct rg_bytes b)
{
    if (a.len != b.len)
        return 0;
    for (uint64_t i = 0; i < a.len; i++)
        if (a.ptr[i] != b.ptr[i])
            return 0;
    return 1;
}

uint32_t null_is(struct rg_bytes a, const char *text)
{
    uint64_t len = 0;
    while (text[len] != '\0')
        len++;
    return null_equal(a, (struct rg_bytes){ (const uint8_t *)text, len });
}

uint32_t null_number(struct rg_bytes digits, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    if (digits.len < 1 || digits.len > 15)
        return 0;
    for (uint64_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return 0;
        value = value * 10 + (uint64_t)(digits.ptr[i] - '0');
    }
    *out = value;
    return value <= max;
}

void null_hex(struct rg_buffer *out, struct rg_bytes bytes)
{
    static const char letters[] = "0123456789ABCDEF";
    for (uint64_t i = 0; i < bytes.len; i++) {
        rg_put_u8(out, (uint8_t)letters[bytes.ptr[i] >> 4]);
        rg_put_u8(out, (uint8_t)letters[bytes.ptr[i] & 15]);
    }
}

static int nibble(uint8_t letter)
{
    if (letter >= '0' && letter <= '9')
        return letter - '0';
    return letter >= 'A' && letter <= 'F' ? letter - 'A' + 10 : -1;
}

uint64_t null_unhex(struct rg_bytes text, uint8_t *out, uint64_t room)
{
    if (text.len % 2 != 0 || text.len / 2 > room)
        return 0;
    for (uint64_t i = 0; i < text.len / 2; i++) {
        int high = nibble(text.ptr[2 * i]), low = nibble(text.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return 0;
        out[i] = (uint8_t)(high * 16 + low);
    }
    return text.len / 2;
}

const struct null_code *null_code_find(struct rg_bytes code)
{
    for (uint64_t i = 0; i < CODES_COUNT; i++)
        if (null_is(code, codes[i].code))
            return &codes[i];
    return NULL;
}

const char *null_code_by_amount(int64_t amount_minor)
{
    uint8_t digits[2] = { (uint8_t)('0' + amount_minor / 10 % 10),
                          (uint8_t)('0' + amount_minor % 10) };
    const struct null_code *row = null_code_find((struct rg_bytes){ digits, 2 });
    return row != NULL ? row->code : "00";
}

/* --- writing --------------------------------------------------------------------------------- */

/* A text field may hold printable ASCII other than both separators. */
static uint32_t put_text(const struct null_instance *instance, struct rg_buffer *out,
                         struct rg_bytes text)
{
    for (uint64_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 0x20 || text.ptr[i] > 0x7e || text.ptr[i] == '|' || text.ptr[i] == ';')
            return 0;
    if (text.len == 0)
        rg_put_u8(out, '-');
    rg_put_bytes(out, text);
    rg_put_u8(out, instance->separator);
    return 1;
}

static void put_number(const struct null_instance *instance, struct rg_buffer *out, uint64_t value,
                       unsigned digits)
{
    rg_put_digits(out, value, digits);
    rg_put_u8(out, instance->separator);
}

/* A reversal after a crash has no details any more, only the refs that were stored with the
 * original. */
const struct rg_named *null_account(const struct rg_command *command)
{
    const struct rg_named *account = rg_find(command->details, command->details_count, "account");
    return account != NULL ? account : rg_find(command->refs, command->refs_count, "account");
}

static const char *verb(uint32_t operation)
{
    static const char *const verbs[] = {
        [RG_OP_AUTHORISE] = "AUTH", [RG_OP_SALE] = "SALE",       [RG_OP_CAPTURE] = "CAPT",
        [RG_OP_CANCEL] = "CANC",    [RG_OP_REFUND] = "REFU",     [RG_OP_INQUIRE] = "INQU",
        [RG_OP_REVERSE] = "REVE",   [RG_OP_SIGN_ON] = "SION",    [RG_OP_SIGN_OFF] = "SIOF",
        [RG_OP_ECHO] = "ECHO",      [RG_OP_KEY_CHANGE] = "KEYS", [RG_OP_TOKEN] = "TOKE"
    };
    return operation < sizeof verbs / sizeof verbs[0] ? verbs[operation] : NULL;
}

uint32_t null_line_write(const struct null_instance *instance, const struct rg_command *command,
                         struct rg_bytes original, struct rg_buffer *out,
                         struct rg_buffer *diagnosis)
{
    const char *word = verb(command->operation);
    const struct rg_named *account = null_account(command);
    struct rg_bytes none = { NULL, 0 };
    if (word == NULL) {
        rg_put_text(diagnosis, "this operation is not known");
        return 0;
    }
    if (command->amount_minor < 0 || command->amount_minor > AMOUNT_MAX) {
        rg_put_text(diagnosis, "the amount does not fit 12 digits");
        return 0;
    }
    rg_put_text(out, word);
    rg_put_u8(out, instance->separator);
    put_number(instance, out, command->trace, 6);
    put_number(instance, out, instance->version, 1);
    put_number(instance, out, command->repeat > 9 ? 9 : command->repeat, 1);
    put_number(instance, out, (uint64_t)command->amount_minor, 12);
    put_number(instance, out, command->currency_number, 3);
    rg_put_digits(out, command->utc.year, 4);
    rg_put_digits(out, command->utc.month, 2);
    rg_put_digits(out, command->utc.day, 2);
    rg_put_digits(out, command->utc.hour, 2);
    rg_put_digits(out, command->utc.minute, 2);
    put_number(instance, out, command->utc.second, 2);
    uint32_t written = put_text(instance, out, instance->terminal) &&
                       put_text(instance, out, original) &&
                       put_text(instance, out, account != NULL ? account->value : none);
    if (written == 0) {
        rg_put_text(diagnosis, "a text holds a separator or a byte that is not printable ASCII");
        return 0;
    }
    rg_put_text(out, instance->script ? null_code_by_amount(command->amount_minor) : "--");
    rg_put_u8(out, instance->separator);
    return 1;
}

/* --- reading --------------------------------------------------------------------------------- */

uint64_t null_line_end(struct rg_bytes bytes)
{
    for (uint64_t i = 0; i < bytes.len && i < LINE_MAX; i++) {
        if (bytes.ptr[i] == '\n')
            return i + 1;
        if (bytes.ptr[i] < 0x20 || bytes.ptr[i] > 0x7e)
            return LINE_MAX + 1;
    }
    return bytes.len < LINE_MAX ? 0 : LINE_MAX + 1;
}

uint32_t null_line_read(const struct null_instance *instance, struct rg_bytes bytes,
                        struct null_line *out)
{
    uint64_t end = null_line_end(bytes);
    if (end == 0 || end != bytes.len)
        return 0;
    uint64_t start = 0;
    out->count = 0;
    for (uint64_t i = 0; i < end; i++) {
        if (bytes.ptr[i] != instance->separator && bytes.ptr[i] != '\n')
            continue;
        if (out->count == FIELDS_MAX)
            return 0;
        out->signed_part = (struct rg_bytes){ bytes.ptr, start };
        out->fields[out->count++] = (struct rg_bytes){ bytes.ptr + start, i - start };
        start = i + 1;
    }
    return 1;
}
