/* text.c - sentences with figures, for reasons and for explain.
 *
 * A text is put together in a buffer larger than any reason, and cut at a letter when it is handed
 * out; only rules that fire, or that someone watches, get here.
 */
#include "base/ensure.h"
#include "compliance/compliance_int.h"

#include <stdio.h>

void text_start(struct text *text)
{
    text->w = writer_over(text->bytes, TEXT_ROOM - 1);
}

/* As much as there is room for; a writer would drop the whole piece. */
static void put_bytes(struct text *text, const void *bytes, size_t len)
{
    size_t left = text->w.room - text->w.len;
    writer_bytes(&text->w, bytes, len < left ? len : left);
}

void text_put(struct text *text, const char *words)
{
    put_bytes(text, words, strlen(words));
}

void text_format(struct text *text, const char *format, ...)
{
    char piece[TEXT_ROOM];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(piece, sizeof piece, format, arguments);
    va_end(arguments);
    if (len > 0)
        put_bytes(text, piece, (size_t)len < sizeof piece ? (size_t)len : sizeof piece - 1);
}

void text_money(struct text *text, int64_t minor, const struct currency *currency)
{
    char piece[64];
    struct writer w = writer_over(piece, sizeof piece);
    money_format(&w, (struct money){ minor, currency });
    put_bytes(text, piece, w.len);
}

void text_number(struct text *text, int64_t number)
{
    char piece[24];
    struct writer w = writer_over(piece, sizeof piece);
    writer_i64_text(&w, number);
    put_bytes(text, piece, w.len);
}

void text_percent(struct text *text, const char *words, int64_t ppm)
{
    char piece[32];
    int len = snprintf(piece, sizeof piece, "%lld.%04lld", (long long)(ppm / 10000),
                       (long long)(ppm % 10000));
    while (len > 0 && piece[len - 1] == '0')
        len--;
    if (len > 0 && piece[len - 1] == '.')
        len--;
    text_put(text, words);
    put_bytes(text, piece, len > 0 ? (size_t)len : 0);
    text_put(text, "%");
}

static void put_time(struct text *text, int32_t second)
{
    text_format(text, "%02d:%02d", second / 3600, second / 60 % 60);
    if (second % 60 != 0)
        text_format(text, ":%02d", second % 60);
}

void text_hours(struct text *text, const struct settings_hours *hours)
{
    put_time(text, hours->from_s);
    text_put(text, "-");
    put_time(text, hours->until_s);
}

void text_window(struct text *text, enum settings_window_kind kind, int64_t us)
{
    static const struct {
        int64_t us;
        const char *one, *many;
    } units[] = { { INT64_C(86400000000), "day", "days" },
                  { INT64_C(3600000000), "hour", "hours" },
                  { INT64_C(60000000), "minute", "minutes" },
                  { INT64_C(1000000), "second", "seconds" },
                  { 1, "microsecond", "microseconds" } };
    static const char *const words[] = {
        [SETTINGS_WINDOW_DAY] = "day",
        [SETTINGS_WINDOW_WEEK] = "week",
        [SETTINGS_WINDOW_MONTH] = "month",
        [SETTINGS_WINDOW_YEAR] = "year",
    };
    if (kind != SETTINGS_WINDOW_SLIDING) {
        text_put(text, kind == SETTINGS_WINDOW_NONE ? "?" : words[kind]);
        return;
    }
    size_t i = 0;
    while (us % units[i].us != 0) /* the last one divides everything */
        i++;
    int64_t count = us / units[i].us;
    if (units[i].us == INT64_C(86400000000) && count == 1) { /* "24 hours" is no calendar day */
        text_put(text, "24 hours");
        return;
    }
    text_number(text, count);
    text_put(text, " ");
    text_put(text, count == 1 ? units[i].one : units[i].many);
}

void text_reason(struct text *text, const char *reason)
{
    if (reason[0] == '\0')
        return;
    text_put(text, ". ");
    text_put(text, reason);
}

void text_cut(const struct text *text, char out[DECISION_TEXT_MAX])
{
    size_t len = text->w.len;
    if (len > DECISION_TEXT_MAX - 1)
        len = DECISION_TEXT_MAX - 1;
    /* Never in the middle of a letter: a byte 10xxxxxx goes on what stands before it. */
    while (len > 0 && len < text->w.len && (text->bytes[len] & 0xC0) == 0x80)
        len--;
    memcpy(out, text->bytes, len);
    out[len] = '\0';
}

const char *text_done(struct text *text)
{
    text->bytes[text->w.len] = '\0';
    return (const char *)text->bytes;
}

const char *per_word(enum settings_per per)
{
    switch (per) {
    case SETTINGS_PER_PAYMENT: return "payment";
    case SETTINGS_PER_PAYER: return "payer";
    case SETTINGS_PER_PAYEE: return "payee";
    case SETTINGS_PER_ACCOUNT: return "account";
    case SETTINGS_PER_DEVICE: return "device";
    case SETTINGS_PER_MERCHANT: return "merchant";
    }
    ENSURE(false);
}
