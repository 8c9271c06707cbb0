/* rulebook.c - the profiles that a run may have, and the folder in which a gateway finds its
 * settings: a reload reads files, so there are some.
 *
 *     FOLDER/gateway.yaml            of the configuration, as it is
 *     FOLDER/channels                leads to those of the configuration
 *     FOLDER/regions/default.yaml    written anew for each run and each reload
 *
 * The folder is this process's own, below TMPDIR, and is removed at the end.
 */
#include "rules.h"

#include "base/ensure.h"
#include "main/replace.h"

#include "../support/scratch.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX ((size_t)64 * 1024)

static const char *const files[RULES_END] = {
    [RULES_PLAIN] = "regions/default.yaml",
    [RULES_NORMAL] = "profiles/normal.yaml",
    [RULES_STRICT] = "profiles/strict.yaml",
    [RULES_LOOSE] = "profiles/loose.yaml",
    [RULES_BROKEN_FORM] = "profiles/broken_form.yaml",
    [RULES_BROKEN_FACT] = "profiles/broken_fact.yaml",
    [RULES_BROKEN_ZONE] = "profiles/broken_zone.yaml",
};

struct rulebook {
    char folder[SCRATCH_MAX];
    struct arena arena;
    struct view texts[RULES_END];
    struct settings *settings[RULES_END]; /* NULL: broken */
};

static bool read_texts(struct rulebook *book, const char *config)
{
    for (int i = RULES_PLAIN; i < RULES_END; i++) {
        char path[PATH_MAX];
        (void)snprintf(path, sizeof path, "%s/%s", config, files[i]);
        if (file_read(path, TEXT_MAX, &book->arena, &book->texts[i]) != STATUS_OK) {
            fprintf(stderr, "%s: cannot be read\n", path);
            return false;
        }
    }
    return true;
}

static void write_file(const struct rulebook *book, const char *name, struct view text,
                       struct view more)
{
    char path[PATH_MAX + 64];
    (void)snprintf(path, sizeof path, "%s/%s", book->folder, name);
    FILE *file = fopen(path, "w");
    ENSURE(file != NULL);
    ENSURE(fwrite(text.ptr, 1, text.len, file) == text.len);
    ENSURE(more.len == 0 || fwrite(more.ptr, 1, more.len, file) == more.len);
    ENSURE(fclose(file) == 0);
}

static bool make_folder(struct rulebook *book, const char *config)
{
    char path[PATH_MAX + 64], channels[PATH_MAX];
    struct view gateway;
    scratch_folder(book->folder, "simulate");
    (void)snprintf(path, sizeof path, "%s/gateway.yaml", config);
    if (file_read(path, TEXT_MAX, &book->arena, &gateway) != STATUS_OK)
        return false;
    write_file(book, "gateway.yaml", gateway, VIEW_EMPTY);
    (void)snprintf(path, sizeof path, "%s/channels", config);
    if (realpath(path, channels) == NULL)
        return false;
    (void)snprintf(path, sizeof path, "%s/channels", book->folder);
    if (symlink(channels, path) != 0)
        return false;
    (void)snprintf(path, sizeof path, "%s/regions", book->folder);
    return mkdir(path, 0700) == 0;
}

static bool load_settings(struct rulebook *book)
{
    for (int i = RULES_PLAIN; i < RULES_BROKEN_FORM; i++) {
        struct findings findings;
        char text[8192];
        struct writer w = writer_over(text, sizeof text);
        findings_init(&findings);
        rulebook_put(book, (enum rules_text)i, 0);
        enum status status = settings_load(book->folder, &book->settings[i], &findings);
        findings_write(&w, &findings);
        findings_clear(&findings);
        if (status != STATUS_OK) {
            fprintf(stderr, "%.*s", (int)w.len, text);
            return false;
        }
    }
    return true;
}

struct rulebook *rulebook_open(const char *config)
{
    struct rulebook *book = calloc(1, sizeof *book);
    ENSURE(book != NULL);
    arena_init(&book->arena, (size_t)1024 * 1024);
    if (!read_texts(book, config) || !make_folder(book, config) || !load_settings(book)) {
        fprintf(stderr, "%s: no settings to simulate with\n", config);
        rulebook_close(book);
        return NULL;
    }
    return book;
}

static void remove_file(const struct rulebook *book, const char *name)
{
    char path[PATH_MAX + 64];
    (void)snprintf(path, sizeof path, "%s/%s", book->folder, name);
    (void)remove(path); /* may never have been made */
}

/* What a rollback has kept of a file, which it names by the time: the same in the next run. */
static void remove_kept(const struct rulebook *book)
{
    char path[PATH_MAX + 512];
    (void)snprintf(path, sizeof path, "%s/regions", book->folder);
    DIR *folder = opendir(path);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (strstr(entry->d_name, ".kept-") == NULL)
            continue;
        (void)snprintf(path, sizeof path, "%s/regions/%s", book->folder, entry->d_name);
        (void)remove(path);
    }
    if (folder != NULL)
        (void)closedir(folder);
}

void rulebook_close(struct rulebook *book)
{
    if (book == NULL)
        return;
    if (book->folder[0] != '\0')
        remove_kept(book);
    static const char *const made[] = { "regions/default.yaml", "regions", "channels",
                                        "gateway.yaml", "" };
    for (size_t i = 0; book->folder[0] != '\0' && i < COUNT_OF(made); i++)
        remove_file(book, made[i]);
    for (int i = RULES_PLAIN; i < RULES_END; i++)
        settings_free(book->settings[i]);
    arena_reset(&book->arena);
    free(book);
}

const char *rulebook_folder(const struct rulebook *book)
{
    return book->folder;
}

void rulebook_put(const struct rulebook *book, enum rules_text text, unsigned serial)
{
    char comment[48];
    int len = snprintf(comment, sizeof comment, "\n# written %u\n", serial);
    if (serial == 0) /* a run begins */
        remove_kept(book);
    write_file(book, "regions/default.yaml", book->texts[text], view_of(comment, (size_t)len));
}

const struct region_settings *rulebook_region(const struct rulebook *book, enum rules_text text)
{
    const struct settings *settings = book->settings[text];
    return settings != NULL ? settings_region(settings, VIEW("default")) : NULL;
}

enum rules_text rulebook_by_version(const struct rulebook *book, struct view version)
{
    for (int i = RULES_PLAIN; i < RULES_BROKEN_FORM; i++)
        if (view_is(version, rulebook_region(book, (enum rules_text)i)->version))
            return (enum rules_text)i;
    return 0;
}
