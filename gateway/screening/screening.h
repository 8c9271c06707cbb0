/* screening.h - is this name on a sanctions list? Lists as published, names normalised, a score and
 * the reasons for it.
 *
 *     screening_open (blocks: on a worker) -> screening_find (on the loop) -> screening_close
 *
 * The lists of a screening never change after it was opened; a reload opens a new one.
 * screening_find works in room that belongs to the screening: ONE THREAD AT A TIME may call it (the
 * loop). The other functions may be called from every thread. screening_find allocates nothing
 * itself (ICU may, for names in scripts that are neither Latin nor Cyrillic) and looks only at
 * entries that share enough of the name (an index over letter groups), so that 17,000 names cost
 * far less than a millisecond.
 *
 * Limits, for every byte that is read: a file 256 MiB, a line 64 KiB, 200,000 entries and 1,000,000
 * names in all lists of a screening together.
 */
#ifndef SCREENING_SCREENING_H
#define SCREENING_SCREENING_H

#include "base/arena.h"

#define SCREENING_LISTS_MAX  32
#define SCREENING_HITS_MAX   8
#define SCREENING_NAME_MAX   512 /* bytes of a name that is looked up; what is longer is cut */
#define SCREENING_REASON_MAX 200

enum screening_format { SCREENING_OFAC_SDN = 1, SCREENING_UN_XML, SCREENING_CSV };
struct screening_source {
    const char *name; /* of the list */
    enum screening_format format;
    const char *path; /* file; OFAC_SDN: folder with sdn.csv, alt.csv and add.csv */
    int64_t max_age_us;
};

/* What became of a source. */
struct screening_list {
    const char *name;
    bool loaded;
    int64_t published_us; /* wall clock: date in the list, else of the (oldest) file */
    int64_t max_age_us;
    size_t entries, names; /* names: with aliases */
    size_t skipped;        /* rows, or values in them, that could not be read */
    char why[200];         /* not loaded, or what was skipped: a sentence with file and line */
};

struct screening;

/* Opens what can be opened: a list that cannot be read (not there, cut off, over a limit, or
 * without one row that can be read) is there with loaded false. Names and paths are copied.
 * NO_MEMORY only. At most SCREENING_LISTS_MAX sources. Blocks, some 300 ms for 17,000 entries: on a
 * worker. */
enum status screening_open(struct screening **out, const struct screening_source *sources,
                           size_t count);
void screening_close(struct screening *screening); /* NULL is allowed */
size_t screening_count(const struct screening *screening);
const struct screening_list *screening_at(const struct screening *screening, size_t index);
/* NULL when there is none of that name. */
const struct screening_list *screening_list(const struct screening *screening, const char *name);
/* May it be used at this time? Loaded, younger than its limit (at exactly max_age it is too old),
 * and not dated more than a day ahead. */
bool screening_fresh(const struct screening_list *list, int64_t wall_us);

struct screening_query {
    struct view name;       /* UTF-8; what is not is screened letter by letter as far as it goes */
    struct view country;    /* ISO 3166 alpha-2; empty: not known. Never changes a score; in
                             * the reason, where the list has alpha-2 codes too */
    struct view birth_date; /* YYYY-MM-DD; empty: not known. A year that contradicts lowers */
    const char *const *lists; /* names of lists to look in; those not loaded are passed over:
                               * whoever needs one asks screening_fresh first */
    size_t lists_count;       /* 0: all */
    uint32_t threshold;       /* 50..100 */
};
struct screening_hit {
    uint32_t score;    /* 0..100 */
    const char *list;  /* this and the next live as long as the screening */
    const char *entry; /* the list's own number of the entry */
    const char *name;  /* as published: the name or alias that matched */
    bool alias;
    char reason[SCREENING_REASON_MAX]; /* "name in other order; 1 letter differs; born 1970 fits" */
};
/* Best first; returns how many (at most SCREENING_HITS_MAX). *best: the best score found, also
 * below the threshold as far as it was computed. */
size_t screening_find(const struct screening *screening, const struct screening_query *query,
                      struct screening_hit hits[SCREENING_HITS_MAX], uint32_t *best);

/* The name as it is compared: decomposed, without marks, lower case, transliterated to Latin
 * letters where that is known, punctuation to blanks, one blank between words. For tests and
 * explain: it opens a transliterator of its own each time, which takes milliseconds. Any thread.
 * When memory is out nothing is written. */
void screening_normalise(struct view name, struct writer *out);

#endif
