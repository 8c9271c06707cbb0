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
/* What only the whole shows: names given twice, regions that do not exist. file: gateway.yaml, as
 * it is shown in findings. */
void settings_cross_check(const struct settings *settings, const char *file,
                          struct findings *findings);

#endif
