/* screening_fixture.c - see screening_fixture.h. */
#include "screening_fixture.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void folder_make(struct folder *folder)
{
    scratch_folder(folder->path, "screening");
}

void folder_remove(struct folder *folder)
{
    scratch_remove(folder->path);
}

const char *folder_write(const struct folder *folder, const char *name, const void *bytes,
                         size_t len)
{
    static char path[SCRATCH_FILE_MAX];
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    (void)mkdir(path, 0700); /* may be there already */
    *slash = '/';
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    return path;
}

struct screening *open_one(enum screening_format format, const char *path)
{
    struct screening_source source = { "one", format, path, 86400000000 };
    struct screening *screening = NULL;
    assert_int_equal(screening_open(&screening, &source, 1), STATUS_OK);
    return screening;
}

struct screening *open_csv_text(const char *text)
{
    struct folder folder;
    folder_make(&folder);
    struct screening *screening =
        open_one(SCREENING_CSV, folder_write(&folder, "text.csv", text, strlen(text)));
    folder_remove(&folder);
    return screening;
}

struct screening *open_lists(void)
{
    static const struct screening_source sources[] = {
        { "ofac", SCREENING_OFAC_SDN, LISTS_FOLDER "/ofac", 86400000000 },
        { "un", SCREENING_UN_XML, LISTS_FOLDER "/un.xml", 86400000000 },
        { "plain", SCREENING_CSV, LISTS_FOLDER "/plain.csv", 86400000000 },
    };
    struct screening *screening = NULL;
    assert_int_equal(screening_open(&screening, sources, COUNT_OF(sources)), STATUS_OK);
    return screening;
}

struct answer ask_born(const struct screening *screening, const char *name, const char *birth_date)
{
    struct answer answer = { .count = 0 };
    struct screening_query query = { .name = view_text(name),
                                     .birth_date = view_text(birth_date),
                                     .threshold = 50 };
    answer.count = screening_find(screening, &query, answer.hits, &answer.best);
    assert_true(answer.count <= SCREENING_HITS_MAX);
    for (size_t i = 0; i < answer.count; i++) {
        assert_in_range(answer.hits[i].score, 50, 100);
        assert_true(i == 0 || answer.hits[i - 1].score >= answer.hits[i].score);
        assert_true(answer.hits[i].reason[0] != '\0');
    }
    assert_true(answer.count == 0 || answer.best == answer.hits[0].score);
    return answer;
}

struct answer ask(const struct screening *screening, const char *name)
{
    return ask_born(screening, name, NULL);
}

void expect(const struct screening *screening, const char *name, const char *entry, uint32_t least,
            uint32_t most)
{
    struct answer answer = ask(screening, name);
    if (answer.count == 0)
        fail_msg("%s: no hit, best %u", name, answer.best);
    if (strcmp(answer.hits[0].entry, entry) != 0 || answer.hits[0].score < least ||
        answer.hits[0].score > most)
        fail_msg("%s: %s with %u (%s), not %s with %u to %u", name, answer.hits[0].entry,
                 answer.hits[0].score, answer.hits[0].reason, entry, least, most);
}

void expect_below(const struct screening *screening, const char *name, uint32_t below)
{
    struct answer answer = ask(screening, name);
    if (answer.best >= below)
        fail_msg("%s: %u (%s, %s)", name, answer.best, answer.count > 0 ? answer.hits[0].name : "",
                 answer.count > 0 ? answer.hits[0].reason : "");
}
