/* load.c - settings_load: gateway.yaml first, then the files of the two folders it names.
 *
 * Everything goes into one arena, which moves into the result at the end. Errors do not stop the
 * walk: an operator sees all of them at once. Blocking file reads; never on a loop thread while it
 * serves.
 */
#include "settings/load_int.h"

#include "base/ensure.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY_MAX  ((size_t)256 * 1024 * 1024)
#define SCRATCH_MAX ((size_t)64 * 1024 * 1024) /* bytes and tree of one file */
#define FILES_MAX   256                        /* of one kind in one folder */
#define TESTS_END   ".tests.yaml"

/* What is looked for in a folder. */
enum files { FILES_CHANNELS = 1, FILES_REGIONS, FILES_TESTS };

struct load {
    struct arena arena;
    struct findings *findings;
    const char *folder; /* of gateway.yaml, absolute */
    const char *shown;  /* the same as the operator wrote it */
    struct settings *settings;
    bool gateway_only; /* no channels, regions, tests */
    bool no_regions;   /* their folder could not be opened, which was said */
};

/* --- files --------------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len > end_len && strcmp(text + len - end_len, end) == 0;
}

/* How a path is shown: relative to what the operator wrote, where that is possible. */
static const char *shown_path(struct load *load, const char *path)
{
    size_t len = strlen(load->folder);
    if (strncmp(path, load->folder, len) != 0 || path[len] != '/')
        return path;
    return (const char *)arena_format(&load->arena, "%s%s", load->shown, path + len).ptr;
}

static enum status bytes_read(int fd, size_t room, struct arena *arena, struct view *out)
{
    uint8_t *bytes = arena_alloc(arena, room);
    size_t len = 0;
    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    while (len < room) {
        ssize_t n = read(fd, bytes + len, room - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return STATUS_IO;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    arena_trim(arena, bytes, len);
    *out = view_of(bytes, len);
    return STATUS_OK;
}

/* NOT_FOUND and IO: a finding tells why. The bytes are in `scratch`. */
static enum status file_read(struct load *load, const char *path, const char *shown,
                             struct arena *scratch, struct view *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat info;
    enum status s = STATUS_IO;
    if (fd < 0) {
        finding_add(load->findings, FINDING_ERROR, shown, 0, 0, "settings.file",
                    "cannot open it: %s", strerror(errno));
        return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;
    }
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        finding_add(load->findings, FINDING_ERROR, shown, 0, 0, "settings.file",
                    "this is not a regular file");
    } else {
        /* One byte more than allowed, so that yaml_read sees that it is too much. */
        bool tests = ends_with(path, TESTS_END);
        s = bytes_read(fd, (tests ? YAML_TESTS_BYTES_MAX : YAML_BYTES_MAX) + 1, scratch, out);
        if (s == STATUS_IO)
            finding_add(load->findings, FINDING_ERROR, shown, 0, 0, "settings.file",
                        "cannot read it: %s", strerror(errno));
    }
    close(fd);
    return s;
}

struct names {
    char *items[FILES_MAX];
    size_t count;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum status name_take(struct load *load, enum files files, const char *shown,
                             const char *name, struct names *names)
{
    bool tests = ends_with(name, TESTS_END);
    if (name[0] == '.')
        return STATUS_OK;
    if (files != FILES_TESTS && ends_with(name, ".yml"))
        finding_add(load->findings, FINDING_WARNING, shown, 0, 0, "settings.file_ignored",
                    "`%s` is not read: only *.yaml is; rename it", name);
    else if (files == FILES_CHANNELS && tests)
        finding_add(load->findings, FINDING_WARNING, shown, 0, 0, "settings.file_ignored",
                    "`%s` is not read: only region profiles have test cases", name);
    else if (ends_with(name, ".yaml") && tests == (files == FILES_TESTS)) {
        if (names->count == FILES_MAX) {
            finding_add(load->findings, FINDING_ERROR, shown, 0, 0, "settings.too_many_files",
                        "more than %d files in one folder", FILES_MAX);
            return STATUS_FULL;
        }
        char *kept = arena_text(&load->arena, view_text(name));
        if (kept == NULL)
            return STATUS_NO_MEMORY;
        names->items[names->count++] = kept;
    }
    return STATUS_OK;
}

/* The *.yaml of a folder, sorted. A folder that cannot be read is a finding and has no files. */
static enum status folder_list(struct load *load, enum files files, const char *folder,
                               struct names *names)
{
    names->count = 0;
    const char *shown = shown_path(load, folder);
    if (shown == NULL)
        return STATUS_NO_MEMORY;
    DIR *dir = opendir(folder);
    if (dir == NULL && files == FILES_TESTS && load->no_regions)
        return STATUS_OK; /* said already: the profiles are in the same folder */
    if (dir == NULL) {
        load->no_regions = files == FILES_REGIONS;
        finding_add(load->findings, FINDING_ERROR, shown, 0, 0, "settings.folder",
                    "cannot open the folder: %s", strerror(errno));
        return STATUS_OK;
    }
    enum status s = STATUS_OK;
    struct dirent *entry;
    while (errno = 0, s == STATUS_OK && (entry = readdir(dir)) != NULL)
        s = name_take(load, files, shown, entry->d_name, names);
    if (s == STATUS_OK && errno != 0) /* half of the regions would be none of the rest */
        finding_add(load->findings, FINDING_ERROR, shown, 0, 0, "settings.folder",
                    "cannot read the folder to its end: %s", strerror(errno));
    closedir(dir);
    qsort(names->items, names->count, sizeof names->items[0], by_text);
    return s == STATUS_NO_MEMORY ? s : STATUS_OK;
}

/* Reads each file of a folder into the next element of an array. */
typedef enum status element_read(const struct reader *reader, struct view bytes, void *element);

static enum status folder_read(struct load *load, enum files files, const char *folder,
                               size_t element_size, element_read *read_one, void **out,
                               size_t *out_count)
{
    struct names names;
    TRY(folder_list(load, files, folder, &names));
    uint8_t *elements = arena_alloc(&load->arena, (names.count + 1) * element_size);
    if (elements == NULL)
        return STATUS_NO_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < names.count; i++) {
        const char *path =
            (const char *)arena_format(&load->arena, "%s/%s", folder, names.items[i]).ptr;
        const char *shown = path != NULL ? shown_path(load, path) : NULL;
        if (shown == NULL)
            return STATUS_NO_MEMORY;
        struct arena scratch;
        struct view bytes;
        arena_init(&scratch, SCRATCH_MAX);
        enum status s = file_read(load, path, shown, &scratch, &bytes);
        size_t errors = load->findings->errors;
        if (s == STATUS_OK) {
            struct reader reader = { &load->arena, load->findings, shown, load->folder, &scratch };
            s = read_one(&reader, bytes, elements + count * element_size);
            /* A file with errors is left out: what is missing in it would be found twice. */
            if (load->findings->errors == errors)
                count++;
            else
                memset(elements + count * element_size, 0, element_size);
        }
        arena_reset(&scratch);
        if (s == STATUS_NO_MEMORY)
            return s;
    }
    *out = elements;
    *out_count = count;
    return STATUS_OK;
}

static enum status channel_element(const struct reader *reader, struct view bytes, void *element)
{
    return channel_read(reader, bytes, element);
}

static enum status region_element(const struct reader *reader, struct view bytes, void *element)
{
    return region_read(reader, bytes, element);
}

static enum status tests_element(const struct reader *reader, struct view bytes, void *element)
{
    return tests_read(reader, bytes, element);
}

/* --- the walk ------------------------------------------------------------------------------ */

/* Splits what the operator gave into folder and file. */
static enum status place_find(struct load *load, const char *path, const char **file)
{
    struct stat info;
    char folder[PATH_MAX];
    bool is_folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    const char *slash = strrchr(path, '/');
    const char *name = "gateway.yaml";
    size_t shown_len = strlen(path);
    if (is_folder) {
        while (shown_len > 1 && path[shown_len - 1] == '/')
            shown_len--;
        load->shown = arena_text(&load->arena, view_of(path, shown_len));
    } else if (slash == NULL) {
        name = path;
        load->shown = ".";
    } else {
        name = slash + 1;
        load->shown =
            arena_text(&load->arena, view_of(path, slash > path ? (size_t)(slash - path) : 1));
    }
    if (load->shown == NULL)
        return STATUS_NO_MEMORY;
    if (realpath(load->shown, folder) == NULL) {
        finding_add(load->findings, FINDING_ERROR, path, 0, 0, "settings.file",
                    "cannot open it: %s", strerror(errno));
        return STATUS_NOT_FOUND;
    }
    /* "/" itself would give paths that begin with two slashes, which is harmless. */
    load->folder = arena_text(&load->arena, view_text(folder));
    *file = (const char *)arena_format(&load->arena, "%s/%s", folder, name).ptr;
    return load->folder != NULL && *file != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status all_read(struct load *load, const char *path)
{
    const char *file = NULL;
    TRY(place_find(load, path, &file));
    struct settings *s = ARENA_NEW(&load->arena, struct settings);
    const char *shown = shown_path(load, file);
    if (s == NULL || shown == NULL)
        return STATUS_NO_MEMORY;
    load->settings = s;
    s->file = file;
    s->folder = load->folder;

    struct arena scratch;
    struct view bytes;
    arena_init(&scratch, SCRATCH_MAX);
    enum status status = file_read(load, file, shown, &scratch, &bytes);
    if (status == STATUS_OK) {
        struct reader reader = { &load->arena, load->findings, shown, load->folder, NULL };
        status = gateway_read(&reader, bytes, s);
    }
    arena_reset(&scratch);
    TRY(status);
    if (load->gateway_only)
        return STATUS_OK;

    void *channels = NULL, *regions = NULL, *tests = NULL;
    TRY(folder_read(load, FILES_CHANNELS, s->channels_folder, sizeof(struct channel_settings),
                    channel_element, &channels, &s->channels_count));
    s->channels = channels;
    TRY(folder_read(load, FILES_REGIONS, s->regions_folder, sizeof(struct region_settings),
                    region_element, &regions, &s->regions_count));
    s->regions = regions;
    TRY(folder_read(load, FILES_TESTS, s->regions_folder, sizeof(struct region_tests),
                    tests_element, &tests, &s->tests_count));
    s->tests = tests;
    /* Cross checks need whole files; with errors left they would report what is only a consequence.
     */
    if (load->findings->errors == 0)
        TRY(regions_extend(&load->arena, regions, s->regions_count, load->findings));
    if (load->findings->errors == 0)
        settings_cross_check(s, shown, load->findings);
    return STATUS_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct finding *x = a, *y = b;
    int files = strcmp(x->file, y->file);
    if (files != 0)
        return files;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->column < y->column ? -1 : x->column > y->column;
}

static enum status load_with(struct load load, const char *path, struct settings **out,
                             struct findings *findings)
{
    load.findings = findings;
    size_t errors = findings->errors;
    *out = NULL;
    arena_init(&load.arena, MEMORY_MAX);
    enum status s = all_read(&load, path);
    qsort(findings->rows, findings->count, sizeof findings->rows[0], by_place);
    if (s == STATUS_NO_MEMORY || load.arena.overflow) {
        arena_reset(&load.arena);
        finding_add(findings, FINDING_ERROR, path, 0, 0, "settings.memory",
                    "memory is out: the configuration was not read to its end");
        return STATUS_NO_MEMORY;
    }
    if (findings->errors > errors || s != STATUS_OK) {
        arena_reset(&load.arena);
        return STATUS_MALFORMED;
    }
    load.settings->arena = load.arena;
    *out = load.settings;
    return STATUS_OK;
}

enum status settings_load(const char *path, struct settings **out, struct findings *findings)
{
    return load_with((struct load){ 0 }, path, out, findings);
}

enum status settings_load_gateway(const char *path, struct settings **out,
                                  struct findings *findings)
{
    return load_with((struct load){ .gateway_only = true }, path, out, findings);
}

void settings_free(struct settings *settings)
{
    if (settings == NULL)
        return;
    struct arena arena = settings->arena; /* the struct lies in it */
    arena_reset(&arena);
}

const struct channel_settings *settings_channel(const struct settings *settings, struct view name)
{
    for (size_t i = 0; i < settings->channels_count; i++) {
        if (view_is(name, settings->channels[i].name))
            return &settings->channels[i];
    }
    return NULL;
}

const struct region_settings *settings_region(const struct settings *settings, struct view name)
{
    if (name.len == 0)
        name = view_text(settings->region);
    for (size_t i = 0; i < settings->regions_count; i++) {
        const struct region_settings *region = &settings->regions[i];
        if (!region->shadow && view_equal_nocase(name, view_text(region->region)))
            return region;
    }
    return NULL;
}
