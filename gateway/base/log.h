/* log.h - JSON lines for people and machines, redacted at the source.
 *
 * A line has time, level, a stable id ("channel.link_down"), and typed fields. Text fields pass a
 * last filter: any run of 12 to 19 digits (blanks and dashes between them ignored) that passes the
 * Luhn check is masked to first 6 and last 4; a longer unbroken run always is. Fields that are
 * sensitive by nature are not logged at all; the filter is for what slipped through. Thread-safe: a
 * line is one write(2); while a pipe's reader does not read, lines are lost.
 *
 *     LOG(log, LOG_WARN, "channel.link_down", LOG_TEXT("channel", name), LOG_INT("tries", n));
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "arena.h"
#include "bytes.h"

enum log_level { LOG_NONE = 0, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

enum log_kind { LOG_KIND_TEXT = 1, LOG_KIND_INT, LOG_KIND_STATUS };

struct log_field {
    const char *name;
    enum log_kind kind;
    struct view text;
    int64_t number;
};

#define LOG_TEXT(n, cstr)                                                                          \
    ((struct log_field){ .name = (n), .kind = LOG_KIND_TEXT, .text = view_text(cstr) })
#define LOG_VIEW(n, v) ((struct log_field){ .name = (n), .kind = LOG_KIND_TEXT, .text = (v) })
#define LOG_INT(n, i)                                                                              \
    ((struct log_field){ .name = (n), .kind = LOG_KIND_INT, .number = (int64_t)(i) })
#define LOG_STATUS(n, s)                                                                           \
    ((struct log_field){ .name = (n), .kind = LOG_KIND_STATUS, .number = (int64_t)(s) })

struct log {
    int fd;                     /* where lines go; -1 is silent */
    enum log_level level;       /* lines below it are dropped */
    int64_t (*wall_us)(void *); /* clock, microseconds since 1970; NULL leaves the time out */
    void *clock;
};

void log_write(const struct log *log, enum log_level level, const char *id,
               const struct log_field *fields, size_t count);
#define LOG(log, level, id, ...)                                                                   \
    log_write((log), (level), (id), (const struct log_field[]){ __VA_ARGS__ },                     \
              sizeof((const struct log_field[]){ __VA_ARGS__ }) / sizeof(struct log_field))
/* DEBUG, "warn" ... ; NOT_FOUND for another word. */
enum status log_level_parse(struct view text, enum log_level *out);
/* The filter by itself: copies text to out with card numbers masked. */
void redact_text(struct writer *out, struct view text);
/* The same into memory of the arena, for words that people typed. "..." when there is none. */
struct view redact_copy(struct arena *arena, struct view text);

#endif
