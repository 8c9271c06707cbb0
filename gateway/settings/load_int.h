/* load_int.h - from the bytes of one file to its struct; the steps of settings_load, open to tests
 * and fuzzing. */
#ifndef SETTINGS_LOAD_INT_H
#define SETTINGS_LOAD_INT_H

#include "settings/row_int.h"

/* Each reads one file's bytes; base structs are zeroed by the caller. What is wrong is in
 * reader->findings; the struct then holds what could be read. NO_MEMORY, or OK when the file was
 * looked at (whatever was found). */
enum status gateway_read(const struct reader *reader, struct view bytes, struct settings *out);
enum status channel_read(const struct reader *reader, struct view bytes,
                         struct channel_settings *out);
enum status region_read(const struct reader *reader, struct view bytes,
                        struct region_settings *out);
enum status tests_read(const struct reader *reader, struct view bytes, struct region_tests *out);

/* Makes of what each profile says itself what holds (settings.h). `regions` are those of
 * `settings`, writable. What is wrong with `extends` goes to findings; nothing is then changed.
 * NO_MEMORY. */
enum status regions_extend(struct arena *arena, struct region_settings *regions, size_t count,
                           struct findings *findings);
/* Lists that a profile wants to be screened against and that gateway.yaml does not have. */
void region_cross_check(const struct settings *settings, const struct region_settings *region,
                        struct findings *findings);
/* What only the whole shows: names given twice, references to what does not exist. file:
 * gateway.yaml, as it is shown in findings. */
void settings_cross_check(const struct settings *settings, const char *file,
                          struct findings *findings);

/* Line of a row's value: where it was given, or the file's first line. */
#define LINE_OF(section, type, member, from)                                                       \
    line_of((section), offsetof(struct type, member), (from))
uint32_t line_of(const struct setting_section *section, size_t offset, const uint32_t *from);

/* "; did you mean `x`?" or "", for the end of a sentence. */
const char *near_name(struct view written, const char *const *names, size_t count, char room[96]);

static inline bool given(const char *text)
{
    return text[0] != '\0';
}

#endif
