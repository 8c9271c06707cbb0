/* id_json.c - see id_json.h. */
#include "domain/id_json.h"

void json_put_id(struct json_out *j, const char *key, enum id_kind kind, int64_t id)
{
    char text[ID_TEXT_MAX];
    json_put_text(j, key, view_text(id_format(kind, id, text)));
}

void json_put_id_if(struct json_out *j, const char *key, enum id_kind kind, int64_t id)
{
    if (id != 0)
        json_put_id(j, key, kind, id);
}
