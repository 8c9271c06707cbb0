/* id_json.h - ids as members of JSON objects: "attempt":"att_01k3v9...". */
#ifndef DOMAIN_ID_JSON_H
#define DOMAIN_ID_JSON_H

#include "base/json_out.h"
#include "domain/ids.h"

void json_put_id(struct json_out *j, const char *key, enum id_kind kind, int64_t id);
/* Leaves the member out when id is 0. */
void json_put_id_if(struct json_out *j, const char *key, enum id_kind kind, int64_t id);

#endif
