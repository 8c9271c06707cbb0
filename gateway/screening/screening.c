/* screening.c - lists as a whole: opened once, never changed, closed.
 *
 *     files -> readers (read_*.c) -> book (book.c) -> weights -> index (index.c)
 *         -> lookups (find.c)
 *
 * A list is taken whole or not at all: what a reader had put into the book before it met the end of
 * a cut-off file is taken back. Rows that cannot be read are passed over and counted; a list in
 * which no row could be read is not loaded, since an empty list would let everybody pass.
 */
#include "screening/screening.h"

#include "screening/find_int.h"
#include "screening/read_int.h"

#include "base/ensure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCREENING_MAGIC UINT32_C(0x5343524E)
/* A list from tomorrow is a clock that is wrong or a zone; one from next year would never be old.
 */
#define AHEAD_MAX_US ((int64_t)86400 * 1000000)

struct screening {
    uint32_t magic;
    size_t count;
    struct screening_list lists[SCREENING_LISTS_MAX];
    char *names[SCREENING_LISTS_MAX];
    struct letters *speller;
    struct book book;
    struct index index;
    struct find_room room;
};

/* --- opening --------------------------------------------------------------------------------- */

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* A regular file; its date goes into *mtime_us when that is later. */
static FILE *open_file(struct screening_list *list, const char *path, int64_t *mtime_us)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not hold us up */
    if (fd < 0) {
        snprintf(list->why, sizeof list->why, "%s: %s", last_part(path), strerror(errno));
        return NULL;
    }
    FILE *file = NULL;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        snprintf(list->why, sizeof list->why, "%s: is not a file", last_part(path));
    else if ((file = fdopen(fd, "rb")) == NULL)
        snprintf(list->why, sizeof list->why, "%s: %s", last_part(path), strerror(errno));
    if (file == NULL) {
        close(fd);
        return NULL;
    }
    int64_t us = (int64_t)info.st_mtim.tv_sec * 1000000 + info.st_mtim.tv_nsec / 1000;
    if (us < *mtime_us)
        *mtime_us = us;
    return file;
}

static enum status read_one(struct reading *r, const char *path, enum screening_format format,
                            int64_t *mtime_us)
{
    FILE *file = open_file(r->list, path, mtime_us);
    if (file == NULL)
        return STATUS_IO;
    r->file = last_part(path);
    enum status s = format == SCREENING_CSV ? read_csv(r, file) : read_un_xml(r, file);
    fclose(file);
    return s;
}

static enum status read_folder(struct reading *r, const char *folder, int64_t *mtime_us)
{
    static const char *const names[3] = { "sdn.csv", "alt.csv", "add.csv" };
    FILE *files[3] = { NULL, NULL, NULL };
    char path[4096];
    enum status s = STATUS_OK;
    for (size_t i = 0; i < COUNT_OF(names) && s == STATUS_OK; i++) {
        int len = snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (len < 0 || (size_t)len >= sizeof path)
            s = read_refuse(r, STATUS_RANGE, names[i], 0, "the path is too long");
        else if ((files[i] = open_file(r->list, path, mtime_us)) == NULL)
            s = STATUS_IO;
    }
    if (s == STATUS_OK)
        s = read_ofac(r, files[0], files[1], files[2]);
    for (size_t i = 0; i < COUNT_OF(files); i++)
        if (files[i] != NULL)
            fclose(files[i]);
    return s;
}

/* NO_MEMORY only; everything else is said in the list. */
static enum status load(struct screening *sc, size_t at, const struct screening_source *source)
{
    struct screening_list *list = &sc->lists[at];
    struct book_mark mark = book_mark(&sc->book);
    struct reading r = { .book = &sc->book, .list = list, .list_number = (uint8_t)at };
    int64_t mtime_us = INT64_MAX; /* the oldest of the files */
    enum status s = STATUS_UNSUPPORTED;
    switch (source->format) {
    case SCREENING_OFAC_SDN: s = read_folder(&r, source->path, &mtime_us); break;
    case SCREENING_UN_XML:
    case SCREENING_CSV: s = read_one(&r, source->path, source->format, &mtime_us); break;
    }
    if (s == STATUS_NO_MEMORY)
        return s;
    list->entries = sc->book.entries.count - mark.entries;
    list->names = sc->book.names.count - mark.names;
    list->loaded = s == STATUS_OK && list->entries > 0;
    if (list->published_us == 0 && mtime_us != INT64_MAX)
        list->published_us = mtime_us;
    if (list->loaded)
        return STATUS_OK;
    if (list->why[0] == '\0')
        snprintf(list->why, sizeof list->why, "%s: no entry could be read",
                 last_part(source->path));
    book_rewind(&sc->book, mark);
    list->entries = list->names = 0;
    return STATUS_OK;
}

static enum status open_all(struct screening *sc, const struct screening_source *sources,
                            size_t count)
{
    TRY(letters_open(&sc->speller));
    TRY(names_book_open(&sc->book, sc->speller));
    for (size_t i = 0; i < count; i++) {
        sc->names[i] = strdup(sources[i].name);
        if (sc->names[i] == NULL)
            return STATUS_NO_MEMORY;
        sc->lists[i].name = sc->names[i];
        sc->lists[i].max_age_us = sources[i].max_age_us;
        TRY(load(sc, i, &sources[i]));
        sc->count++;
    }
    book_weigh(&sc->book);
    TRY(index_open(&sc->index, &sc->book));
    TRY(find_room_open(&sc->room, &sc->book));
    letters_warm(sc->speller);
    return STATUS_OK;
}

enum status screening_open(struct screening **out, const struct screening_source *sources,
                           size_t count)
{
    ENSURE(count <= SCREENING_LISTS_MAX);
    struct screening *sc = calloc(1, sizeof *sc);
    if (sc == NULL)
        return STATUS_NO_MEMORY;
    sc->magic = SCREENING_MAGIC;
    enum status s = open_all(sc, sources, count);
    if (s != STATUS_OK) {
        screening_close(sc);
        return s;
    }
    *out = sc;
    return STATUS_OK;
}

void screening_close(struct screening *screening)
{
    if (screening == NULL)
        return;
    ENSURE_MAGIC(screening, SCREENING_MAGIC);
    find_room_close(&screening->room);
    index_close(&screening->index);
    names_book_close(&screening->book);
    letters_close(screening->speller);
    for (size_t i = 0; i < COUNT_OF(screening->names); i++)
        free(screening->names[i]);
    screening->magic = 0;
    free(screening);
}

/* --- lists ----------------------------------------------------------------------------------- */

size_t screening_count(const struct screening *screening)
{
    ENSURE_MAGIC(screening, SCREENING_MAGIC);
    return screening->count;
}

const struct screening_list *screening_at(const struct screening *screening, size_t index)
{
    ENSURE_MAGIC(screening, SCREENING_MAGIC);
    ENSURE(index < screening->count);
    return &screening->lists[index];
}

const struct screening_list *screening_list(const struct screening *screening, const char *name)
{
    ENSURE_MAGIC(screening, SCREENING_MAGIC);
    for (size_t i = 0; i < screening->count; i++)
        if (strcmp(screening->names[i], name) == 0)
            return &screening->lists[i];
    return NULL;
}

bool screening_fresh(const struct screening_list *list, int64_t wall_us)
{
    if (!list->loaded || list->published_us - AHEAD_MAX_US > wall_us)
        return false;
    return wall_us < list->published_us || wall_us - list->published_us < list->max_age_us;
}

/* --- a lookup -------------------------------------------------------------------------------- */

size_t screening_find(const struct screening *screening, const struct screening_query *query,
                      struct screening_hit hits[SCREENING_HITS_MAX], uint32_t *best)
{
    ENSURE_MAGIC(screening, SCREENING_MAGIC);
    ENSURE(query->threshold >= 50 && query->threshold <= 100);
    uint32_t lists = query->lists_count == 0 ? UINT32_MAX : 0;
    for (size_t i = 0; i < query->lists_count; i++)
        for (size_t k = 0; k < screening->count; k++)
            if (strcmp(screening->names[k], query->lists[i]) == 0)
                lists |= UINT32_C(1) << k;
    /* The room is this screening's own; screening.h: one thread at a time. */
    struct find_room room = screening->room;
    return find_names(&screening->book, &screening->index, &room, query, lists,
                      (const char *const *)screening->names, hits, best);
}
