/* body_read.h - a request body in a test: read, and the errors that were noted. */
#ifndef BODY_READ_H
#define BODY_READ_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/api_int.h"

struct body {
    struct arena arena;
    struct fields f;
    const struct json_node *root;
};

static inline void body_open(struct body *b, const char *json)
{
    *b = (struct body){ .f.arena = &b->arena };
    arena_init(&b->arena, (size_t)1024 * 1024);
    assert_int_equal(json_read(view_text(json), NULL, &b->arena, &b->root, NULL), STATUS_OK);
}

static inline void body_close(struct body *b)
{
    arena_reset(&b->arena);
}

/* Is there an error with this code at this place? */
static inline void body_error_is(const struct body *b, const char *pointer, const char *code)
{
    for (size_t i = 0; i < b->f.count; i++) {
        if (view_is(b->f.errors[i].pointer, pointer) && strcmp(b->f.errors[i].code, code) == 0)
            return;
    }
    for (size_t i = 0; i < b->f.count; i++)
        print_message("%.*s %s\n", (int)b->f.errors[i].pointer.len,
                      (const char *)b->f.errors[i].pointer.ptr, b->f.errors[i].code);
    fail_msg("no error %s at %s", code, pointer);
}

#endif
