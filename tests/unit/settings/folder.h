/* folder.h - a folder of configuration files that a test writes, loads and drops; and findings at
 * their places. */
#ifndef TESTS_SETTINGS_FOLDER_H
#define TESTS_SETTINGS_FOLDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/ensure.h"
#include "base/log.h"
#include "base/vault.h"
#include "settings/row_int.h"
#include "settings/settings.h"

#include "../../support/scratch.h"

#include <sys/stat.h>
#include <unistd.h>

#define REGION "region: default\nversion: \"1\"\neffective_from: 2026-01-01\n"

/* --- a folder to load from ----------------------------------------------------------------- */

struct folder {
    char path[SCRATCH_MAX];
    struct findings findings;
    struct settings *settings;
    enum status status;
};

static inline void file_write(const struct folder *f, const char *name, const char *text)
{
    char path[SCRATCH_FILE_MAX];
    assert_true(snprintf(path, sizeof path, "%s/%s", f->path, name) < (int)sizeof path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
}

static inline void folder_make(struct folder *f, const char *gateway)
{
    char path[SCRATCH_FILE_MAX];
    scratch_folder(f->path, "settings");
    snprintf(path, sizeof path, "%s/channels", f->path);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/regions", f->path);
    assert_int_equal(mkdir(path, 0700), 0);
    file_write(f, "gateway.yaml", gateway);
    file_write(f, "regions/default.yaml", REGION);
    findings_init(&f->findings);
    f->settings = NULL;
}

static inline void folder_load(struct folder *f)
{
    f->status = settings_load(f->path, &f->settings, &f->findings);
    assert_int_equal(f->status == STATUS_OK, f->settings != NULL);
    assert_int_equal(f->status == STATUS_OK, f->findings.errors == 0);
}

static inline void folder_drop(struct folder *f)
{
    settings_free(f->settings);
    findings_clear(&f->findings);
    scratch_remove(f->path);
    assert_int_equal(vault_in_use(), 0);
}

/* Exactly one finding of that id, at that place. */
static inline const struct finding *assert_finding(const struct folder *f, const char *id,
                                                   const char *file, uint32_t line, uint32_t column)
{
    const struct finding *found = NULL;
    for (size_t i = 0; i < f->findings.count; i++) {
        const struct finding *row = &f->findings.rows[i];
        size_t len = strlen(row->file), end = strlen(file);
        if (strcmp(row->id, id) == 0 && row->line == line && row->column == column && len >= end &&
            strcmp(row->file + len - end, file) == 0) {
            assert_null(found);
            found = row;
        }
    }
    if (found == NULL) {
        static char text[65536];
        struct writer w = writer_over(text, sizeof text);
        findings_write(&w, &f->findings);
        print_error("expected %s at %s:%u:%u among\n", id, file, line, column);
        if (writer_terminate(&w) == STATUS_OK)
            fputs(text, stderr);
    }
    assert_non_null(found);
    return found;
}

static inline void assert_text_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        print_error("`%s` is not in `%s`\n", part, text);
    assert_non_null(strstr(text, part));
}

#endif
