/* values.c - the adapter's own settings of a channel file, held against the adapter's rows.
 *
 * settings/ hands them over as written (name, text, place), because only the adapter knows what
 * they must be. Every mistake is said, each on a line with its place, before the channel is
 * refused: an operator corrects a file once, not five times.
 *
 * Files that settings name (type FILE) are read here, once, whole; a changed file counts from the
 * next start on.
 */
#include "base/ensure.h"
#include "channel/channel_int.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXTS_BYTES_MAX (16u << 20)

struct reading {
    struct channel_values *values;
    const struct channel_settings *settings;
    const struct loaded_adapter *adapter;
    struct secrets *secrets;
    const char *folder;
    struct writer *why;
    uint32_t mistakes;
};

/* Begins a line of `why`; the caller writes what is wrong. */
static void mistake(struct reading *r, const struct raw_setting *raw)
{
    if (r->mistakes++ > 0)
        writer_u8(r->why, '\n');
    if (raw != NULL)
        writer_format(r->why, "%s:%u:%u: error: ", raw->file, raw->value_line, raw->value_column);
    else
        writer_format(r->why, "%s: error: ", r->settings->file);
}

static const struct raw_setting *raw_of(const struct channel_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->settings_count; i++)
        if (strcmp(settings->settings[i].name, name) == 0)
            return &settings->settings[i];
    return NULL;
}

static void check_unknown(struct reading *r)
{
    const char *names[SETTINGS_ROWS_MAX];
    size_t count = (size_t)r->adapter->api.settings_count;
    for (size_t i = 0; i < count; i++)
        names[i] = adapter_setting(r->adapter, i)->name;
    for (size_t i = 0; i < r->settings->settings_count; i++) {
        const struct raw_setting *raw = &r->settings->settings[i];
        size_t at = 0;
        while (at < count && strcmp(names[at], raw->name) != 0)
            at++;
        if (at < count)
            continue;
        const char *near = finding_did_you_mean(view_text(raw->name), names, count);
        mistake(r, raw);
        writer_format(r->why, "adapter %s has no setting '%s'", r->adapter->api.id, raw->name);
        if (near != NULL)
            writer_format(r->why, "; did you mean '%s'?", near);
    }
}

/* Index of the choice, or -1. */
static int64_t choice_of(const char *choices, struct view text)
{
    struct view left = view_text(choices);
    for (int64_t index = 0;; index++) {
        size_t end = view_find(left, '|');
        if (view_equal(view_slice(left, 0, end), text))
            return index;
        if (end >= left.len)
            return -1;
        left = view_slice(left, end + 1, left.len);
    }
}

static void read_number(struct reading *r, const struct rg_setting *row,
                        const struct raw_setting *raw, struct view text, struct rg_value *value)
{
    enum status s = view_to_i64(text, &value->number);
    if (s == STATUS_OK && value->number >= row->min && value->number <= row->max)
        return;
    mistake(r, raw);
    writer_format(r->why, "setting '%s' must be a whole number from %lld to %lld%s%s", row->name,
                  (long long)row->min, (long long)row->max, row->unit != NULL ? " " : "",
                  row->unit != NULL ? row->unit : "");
}

static void read_text(struct reading *r, const struct rg_setting *row,
                      const struct raw_setting *raw, struct view text)
{
    if ((int64_t)text.len >= row->min && (int64_t)text.len <= row->max)
        return;
    mistake(r, raw);
    writer_format(r->why, "setting '%s' must have %lld to %lld bytes, it has %zu", row->name,
                  (long long)row->min, (long long)row->max, text.len);
}

/* --- files ----------------------------------------------------------------------------------- */

/* Reads to the end, at most `room` bytes. */
static bool read_all(int fd, uint8_t *out, size_t room, size_t *len)
{
    *len = 0;
    while (*len < room) {
        ssize_t got = read(fd, out + *len, room - *len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (got == 0)
            break;
        *len += (size_t)got;
    }
    return true;
}

static void file_mistake(struct reading *r, const struct rg_setting *row,
                         const struct raw_setting *raw, const char *path, const char *what)
{
    mistake(r, raw);
    writer_format(r->why, "setting '%s': %s: %s", row->name, path, what);
}

/* From an open file into the instance's texts; the value then has its zero byte behind it. */
static void take_file(struct reading *r, const struct rg_setting *row,
                      const struct raw_setting *raw, const char *path, int fd,
                      struct rg_value *value)
{
    struct stat info;
    size_t room = (size_t)row->max + 2, len = 0; /* one more to see that it is too long, one zero */
    uint8_t *bytes = NULL;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        file_mistake(r, row, raw, path, "is not a regular file");
    } else if ((bytes = arena_alloc(&r->values->texts, room)) == NULL) {
        file_mistake(r, row, raw, path, "memory is out");
    } else if (!read_all(fd, bytes, room - 1, &len)) {
        file_mistake(r, row, raw, path, "cannot be read");
    } else if ((int64_t)len < row->min || (int64_t)len > row->max) {
        mistake(r, raw);
        writer_format(r->why, "setting '%s': %s must have %lld to %lld bytes, it has %lld",
                      row->name, path, (long long)row->min, (long long)row->max,
                      (long long)info.st_size);
    } else {
        bytes[len] = 0;
        arena_trim(&r->values->texts, bytes, len + 1);
        value->text = (struct rg_bytes){ bytes, len };
    }
}

static void read_file(struct reading *r, const struct rg_setting *row,
                      const struct raw_setting *raw, struct view name, struct rg_value *value)
{
    char path[PATH_MAX];
    struct writer w = writer_over(path, sizeof path);
    value->text = (struct rg_bytes){ NULL, 0 };
    if (name.len == 0 || memchr(name.ptr, 0, name.len) != NULL) {
        mistake(r, raw);
        writer_format(r->why, "setting '%s' must be a file name", row->name);
        return;
    }
    if (name.ptr[0] != '/' && r->folder != NULL) {
        writer_text(&w, r->folder);
        writer_u8(&w, '/');
    }
    writer_view(&w, name);
    if (writer_terminate(&w) != STATUS_OK) {
        mistake(r, raw);
        writer_format(r->why, "setting '%s': the file's path is too long", row->name);
        return;
    }
    /* O_NONBLOCK: a pipe of that name must not stop us. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        mistake(r, raw);
        writer_format(r->why, "setting '%s': %s cannot be opened: %s", row->name, path,
                      strerror(errno));
        return;
    }
    take_file(r, row, raw, path, fd, value);
    close(fd);
}

/* --- rows ------------------------------------------------------------------------------------ */

static void read_value(struct reading *r, const struct rg_setting *row,
                       const struct raw_setting *raw, struct view text, struct rg_value *value)
{
    value->present = 1;
    if (row->type == RG_SETTING_FILE) {
        read_file(r, row, raw, text, value);
        return;
    }
    char *copy = arena_text(&r->values->texts, text); /* with a zero byte, for secret_find */
    if (copy == NULL) {
        mistake(r, raw);
        writer_format(r->why, "setting '%s': memory is out", row->name);
        return;
    }
    value->text = (struct rg_bytes){ (const uint8_t *)copy, text.len };
    switch (row->type) {
    case RG_SETTING_NUMBER: read_number(r, row, raw, text, value); return;
    case RG_SETTING_TEXT: read_text(r, row, raw, text); return;
    case RG_SETTING_CHOICE:
        value->number = choice_of(row->choices, text);
        if (value->number < 0) {
            mistake(r, raw);
            writer_format(r->why, "setting '%s' must be one of %s", row->name, row->choices);
        }
        return;
    case RG_SETTING_FLAG:
        value->number = view_is(text, "yes") ? 1 : 0;
        if (!view_is(text, "yes") && !view_is(text, "no")) {
            mistake(r, raw);
            writer_format(r->why, "setting '%s' must be yes or no", row->name);
        }
        return;
    default:
        if (text.len > SECRET_NAME_MAX || secret_find(r->secrets, copy) == NULL) {
            mistake(r, raw);
            writer_format(r->why,
                          "setting '%s' names a key that is not in the list of keys (keys: of "
                          "gateway.yaml)",
                          row->name);
        }
    }
}

enum status values_read(struct channel_values *values, const struct channel_settings *settings,
                        const struct loaded_adapter *adapter, struct secrets *secrets,
                        const char *folder, struct writer *why)
{
    ENSURE(adapter->api.settings_count <= SETTINGS_ROWS_MAX);
    struct reading r = { values, settings, adapter, secrets, folder, why, 0 };
    *values = (struct channel_values){ 0 };
    arena_init(&values->texts, TEXTS_BYTES_MAX);
    for (uint64_t i = 0; i < adapter->api.settings_count; i++) {
        const struct rg_setting *row = adapter_setting(adapter, i);
        const struct raw_setting *raw = raw_of(settings, row->name);
        if (raw != NULL) {
            read_value(&r, row, raw, view_text(raw->text), &values->rows[i]);
        } else if (row->fallback != NULL) {
            read_value(&r, row, NULL, view_text(row->fallback), &values->rows[i]);
        } else if (row->required != 0) {
            mistake(&r, NULL);
            writer_format(why, "setting '%s' of adapter %s is missing under settings: (%s)",
                          row->name, adapter->api.id, row->sentence);
        }
    }
    check_unknown(&r);
    return r.mistakes == 0 ? STATUS_OK : STATUS_REFUSED;
}
