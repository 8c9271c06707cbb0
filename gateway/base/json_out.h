/* json_out.h - a bounded JSON writer on top of struct writer: no allocation, overflow latches.
 *
 * Commas are placed by the writer; the caller opens and closes. Text is escaped (RFC 8259); bytes
 * that are not UTF-8 become U+FFFD. Strings longer than the room latch overflow.
 */
#ifndef BASE_JSON_OUT_H
#define BASE_JSON_OUT_H

#include "bytes.h"

#define JSON_OUT_DEPTH_MAX 24

struct json_out {
    struct writer *w;
    uint8_t depth;
    bool comma[JSON_OUT_DEPTH_MAX + 1];
};

void json_out_init(struct json_out *j, struct writer *w);
/* key NULL inside an array or at the top. */
void json_open_object(struct json_out *j, const char *key);
void json_close_object(struct json_out *j);
void json_open_array(struct json_out *j, const char *key);
void json_close_array(struct json_out *j);
void json_put_text(struct json_out *j, const char *key, struct view value);
/* Leaves the member out when value is empty. */
void json_put_text_if(struct json_out *j, const char *key, struct view value);
void json_put_i64(struct json_out *j, const char *key, int64_t value);
void json_put_bool(struct json_out *j, const char *key, bool value);
void json_put_null(struct json_out *j, const char *key);
/* `value` is JSON already (as this writer or the reader produced it); copied as it is. */
void json_put_raw(struct json_out *j, const char *key, struct view value);
/* RFC 3339 UTC with milliseconds, from microseconds since 1970. */
void json_put_time(struct json_out *j, const char *key, int64_t wall_us);

#endif
