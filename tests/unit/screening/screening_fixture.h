/* screening_fixture.h - lists to look names up in. All names in these tests are invented. */
#ifndef SCREENING_FIXTURE_H
#define SCREENING_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/ensure.h"
#include "screening/screening.h"

#include "../../support/scratch.h"

/* A fresh folder for files of one test; folder_remove takes it away again. */
struct folder {
    char path[SCRATCH_MAX];
};
void folder_make(struct folder *folder);
void folder_remove(struct folder *folder);
/* `name` is below the folder; folders between are made. Returns the path; static until the next
 * call. */
const char *folder_write(const struct folder *folder, const char *name, const void *bytes,
                         size_t len);

/* Opens one list. */
struct screening *open_one(enum screening_format format, const char *path);
struct screening *open_csv_text(const char *text);
/* The three lists beside these tests: "ofac", "un" and "plain". */
struct screening *open_lists(void);

struct answer {
    struct screening_hit hits[SCREENING_HITS_MAX];
    size_t count;
    uint32_t best;
};
/* Everything from 50 on, in all lists. */
struct answer ask(const struct screening *screening, const char *name);
struct answer ask_born(const struct screening *screening, const char *name, const char *birth_date);
/* The best hit is this entry and has at least `least`, at most `most`. */
void expect(const struct screening *screening, const char *name, const char *entry, uint32_t least,
            uint32_t most);
/* No hit of `below` or more. */
void expect_below(const struct screening *screening, const char *name, uint32_t below);

#endif
