/* ids.c - time-ordered ids and their text.
 *
 * Number: bit 62..20 milliseconds since 1970 (enough until the year 2248), bit 19..0 a count that
 * starts at 0 in each millisecond. When a clock stands still or runs back, the count simply goes
 * on, over into the next millisecond if it must: order is promised, the time in it is only
 * approximate. Text: prefix, '_', 13 letters of Crockford's alphabet (no i, l, o, u), most
 * significant first, so text order is number order.
 */
#include "domain/ids.h"

#include "base/ensure.h"

#define COUNT_BITS 20
#define LETTERS    13 /* 13 * 5 bits = 65; the first letter is 0..7 */
#define MS_MAX     ((INT64_C(1) << 43) - 1)

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
static const char *const prefixes[] = {
    [ID_PAYMENT] = "pay",    [ID_CAPTURE] = "cap",  [ID_CANCEL] = "can",
    [ID_REFUND] = "ref",     [ID_CHARGE] = "chg",   [ID_ATTEMPT] = "att",
    [ID_EVENT] = "evt",      [ID_KEY] = "key",      [ID_REQUEST] = "req",
    [ID_MERCHANT] = "mer",   [ID_ENDPOINT] = "whe", [ID_RECONCILIATION] = "rec",
    [ID_DIFFERENCE] = "dif",
};

void id_source_init(struct id_source *source, int64_t above)
{
    source->last = above > 0 ? above : 0;
}

int64_t id_next(struct id_source *source, int64_t wall_us)
{
    int64_t ms = wall_us > 0 ? wall_us / 1000 : 0;
    if (ms > MS_MAX)
        ms = MS_MAX;
    int64_t id = ms << COUNT_BITS;
    if (id <= source->last) {
        ENSURE(source->last < INT64_MAX);
        id = source->last + 1;
    }
    source->last = id;
    return id;
}

const char *id_format(enum id_kind kind, int64_t id, char out[ID_TEXT_MAX])
{
    ENSURE(kind >= ID_PAYMENT && kind <= ID_DIFFERENCE);
    ENSURE(id > 0);
    char *at = out;
    for (const char *p = prefixes[kind]; *p != '\0'; p++)
        *at++ = *p;
    *at++ = '_';
    for (int i = LETTERS - 1; i >= 0; i--)
        *at++ = alphabet[((uint64_t)id >> (5 * i)) & 31];
    *at = '\0';
    return out;
}

void id_write(struct writer *w, enum id_kind kind, int64_t id)
{
    char text[ID_TEXT_MAX];
    writer_text(w, id_format(kind, id, text));
}

enum status id_parse(enum id_kind kind, struct view text, int64_t *out)
{
    ENSURE(kind >= ID_PAYMENT && kind <= ID_DIFFERENCE);
    struct view prefix = view_text(prefixes[kind]);
    if (text.len != prefix.len + 1 + LETTERS || !view_starts_with(text, prefix) ||
        text.ptr[prefix.len] != '_')
        return STATUS_MALFORMED;
    uint64_t id = 0;
    for (size_t i = prefix.len + 1; i < text.len; i++) {
        const char *letter = memchr(alphabet, text.ptr[i], sizeof alphabet - 1);
        if (letter == NULL)
            return STATUS_MALFORMED;
        if (id >> 58 != 0) /* the next five bits would leave 63 */
            return STATUS_MALFORMED;
        id = id << 5 | (uint64_t)(letter - alphabet);
    }
    if (id == 0)
        return STATUS_MALFORMED;
    *out = (int64_t)id;
    return STATUS_OK;
}
