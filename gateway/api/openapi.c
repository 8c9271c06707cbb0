/* openapi.c - GET /v1/openapi.json: docs/openapi.yaml, turned into JSON when the gateway was built.
 *
 * No key is needed: it says nothing that the public documentation does not. */
#include "api/api_int.h"

/* In a file that the build makes (scripts/openapi_to_c.py). */
extern const unsigned char openapi_json[];
extern const size_t openapi_json_len;

void run_openapi(struct call *call)
{
    reply(call, 200, view_of(openapi_json, openapi_json_len));
}
