/* zone.c - local time by search in a zone's steps; where the system keeps its zones.
 *
 * Local time is not a function that can be turned round: an hour may be missing, or come twice. So
 * the beginning of a day is looked for among the steps: the first one during which the clock on the
 * wall shows midnight, or, when it jumps over midnight, the moment of the jump.
 */
#include "compliance/zone_int.h"

#include "base/ensure.h"
#include "compliance/compliance_int.h"
#include "domain/time.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define US_PER_S        INT64_C(1000000)
#define SECONDS_PER_DAY INT64_C(86400)
#define FILE_MAX        ((size_t)256 * 1024)
#define NAME_MAX_BYTES  64
#define PATH_ROOM       512

/* --- loading ------------------------------------------------------------------------------- */

/* Letters of the IANA names; no part that is empty or only points ("..", "."). */
static bool name_valid(struct view name)
{
    if (name.len == 0 || name.len > NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '+' || c == '-';
        bool between = c == '/' && i > 0 && i + 1 < name.len && name.ptr[i - 1] != '/';
        if (!letter && !between)
            return false;
    }
    return true;
}

static enum status file_read(int fd, struct arena *scratch, struct view *out)
{
    struct stat about;
    if (fstat(fd, &about) != 0)
        return STATUS_MALFORMED;
    if (!S_ISREG(about.st_mode))
        return STATUS_NOT_FOUND; /* "America" is a folder */
    if (about.st_size < 0 || (uint64_t)about.st_size > FILE_MAX)
        return STATUS_MALFORMED;
    size_t room = (size_t)about.st_size, len = 0;
    uint8_t *bytes = arena_alloc(scratch, room);
    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    while (len < room) {
        ssize_t got = read(fd, bytes + len, room - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break; /* what is short does not agree with its own header */
        len += (size_t)got;
    }
    *out = view_of(bytes, len);
    return STATUS_OK;
}

static enum status file_load(const char *name, struct arena *arena, struct zone *out)
{
    char path[PATH_ROOM];
    struct writer w = writer_over(path, sizeof path);
    const char *folder = getenv("TZDIR");
    writer_text(&w, folder != NULL && folder[0] != '\0' ? folder : "/usr/share/zoneinfo");
    writer_text(&w, "/");
    writer_text(&w, name);
    if (writer_terminate(&w) != STATUS_OK)
        return STATUS_NOT_FOUND;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? STATUS_NOT_FOUND : STATUS_MALFORMED;
    struct arena scratch;
    struct view bytes = VIEW_EMPTY;
    arena_init(&scratch, FILE_MAX + 4096);
    enum status s = file_read(fd, &scratch, &bytes);
    (void)close(fd);
    if (s == STATUS_OK)
        s = zone_file_read(bytes, arena, out);
    arena_reset(&scratch);
    return s;
}

enum status zone_load(const char *name, struct arena *arena, const struct zone **out)
{
    static const struct zone_step always = { INT64_MIN, 0 };
    static const struct zone utc = { .magic = ZONE_MAGIC, .steps = &always, .count = 1 };
    *out = NULL;
    if (strcmp(name, "UTC") == 0) {
        *out = &utc;
        return STATUS_OK;
    }
    if (!name_valid(view_text(name)))
        return STATUS_NOT_FOUND;
    struct zone *zone = ARENA_NEW(arena, struct zone);
    if (zone == NULL)
        return STATUS_NO_MEMORY;
    TRY(file_load(name, arena, zone));
    *out = zone;
    return STATUS_OK;
}

/* --- asking -------------------------------------------------------------------------------- */

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

/* The last step that has begun. */
static size_t step_find(const struct zone *zone, int64_t second)
{
    size_t low = 0, high = zone->count;
    ENSURE_MAGIC(zone, ZONE_MAGIC);
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (zone->steps[middle].at_s <= second)
            low = middle;
        else
            high = middle;
    }
    return low;
}

int32_t zone_offset_s(const struct zone *zone, int64_t wall_us)
{
    return zone->steps[step_find(zone, floor_divide(wall_us, US_PER_S))].offset_s;
}

static int64_t local_second(const struct zone *zone, int64_t wall_us)
{
    return floor_divide(wall_us, US_PER_S) + zone_offset_s(zone, wall_us);
}

int32_t zone_second_of_day(const struct zone *zone, int64_t wall_us)
{
    int64_t local = local_second(zone, wall_us);
    return (int32_t)(local - floor_divide(local, SECONDS_PER_DAY) * SECONDS_PER_DAY);
}

/* The first moment at which the clock on the wall shows `local` or, when it jumps over it, more. A
 * clock is never two days off, so the search begins two days before. */
static int64_t first_moment_s(const struct zone *zone, int64_t local)
{
    for (size_t i = step_find(zone, local - 2 * SECONDS_PER_DAY);; i++) {
        const struct zone_step *step = &zone->steps[i];
        int64_t moment = local - step->offset_s;
        if (moment < step->at_s)
            return step->at_s;
        if (i + 1 == zone->count || moment < zone->steps[i + 1].at_s)
            return moment;
    }
}

int64_t zone_period_start_us(const struct zone *zone, enum settings_window_kind kind,
                             int64_t wall_us)
{
    int64_t day = floor_divide(local_second(zone, wall_us), SECONDS_PER_DAY);
    struct civil c;
    civil_from_us(day * SECONDS_PER_DAY * US_PER_S, 0, &c);
    switch (kind) {
    case SETTINGS_WINDOW_DAY: break;
    case SETTINGS_WINDOW_WEEK: /* 1970-01-01 was a Thursday */
        day -= day + 3 - floor_divide(day + 3, 7) * 7;
        break;
    case SETTINGS_WINDOW_MONTH: day -= c.day - 1; break;
    case SETTINGS_WINDOW_YEAR:
        day = floor_divide(civil_to_us(&(struct civil){ .year = c.year, .month = 1, .day = 1 }),
                           SECONDS_PER_DAY * US_PER_S);
        break;
    default: ENSURE(false);
    }
    return first_moment_s(zone, day * SECONDS_PER_DAY) * US_PER_S;
}

bool zone_in_hours(const struct zone *zone, const struct settings_hours *hours, int64_t wall_us)
{
    return hours_hold(hours, zone_second_of_day(zone, wall_us));
}
