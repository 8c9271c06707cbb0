/* json_read.h - the one door through which JSON comes in: a bounded text to a bounded tree.
 *
 *     struct json_error error;
 *     const struct json_node *root;
 *     if (json_read(body, NULL, &arena, &root, &error) != STATUS_OK)
 *         ... error.status, error.offset, json_error_pointer(&error), error.message
 *     TRY(json_i64(json_member(root, "amount"), &amount_minor));
 *
 * Strict RFC 8259, and stricter where two readers of one text might see different things: the text
 * is well-formed UTF-8 without a byte order mark, nothing follows the value but blanks, no object
 * has a name twice, no \u escape is half of a surrogate pair. Numbers stay as they were written
 * until somebody asks for an integer. A NUL in a string (\u0000) is let through and flagged.
 *
 * Nothing here is shared: any thread may read with an arena of its own.
 */
#ifndef JSON_JSON_READ_H
#define JSON_JSON_READ_H

#include "base/arena.h"
#include "base/bytes.h"

#define JSON_DEPTH_MAX   64  /* no limit may ask for more */
#define JSON_POINTER_MAX 255 /* bytes of a pointer in an error */

enum json_kind {
    JSON_NULL = 1,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_TEXT,
    JSON_ARRAY,
    JSON_OBJECT
};

/* One value. Nodes live in the arena and never change after json_read. */
struct json_node {
    enum json_kind kind;
    bool has_nul;                   /* JSON_TEXT: contains U+0000 */
    uint32_t offset;                /* of the value's first byte in the text */
    uint32_t end;                   /* and one past its last */
    uint32_t key_offset;            /* of the name's opening quote; 0 outside objects */
    uint32_t count;                 /* elements or members */
    struct view key;                /* inside an object: the name, unescaped; else empty */
    struct view text;               /* JSON_TEXT: unescaped; JSON_NUMBER: as written */
    const struct json_node *parent; /* NULL at the root */
    struct json_node *first;        /* first element or member, in the order of the text */
    struct json_node *next;         /* next in the same parent */
    struct json_node *sorted;       /* the reader's own */
};

/* for (JSON_EACH(item, array)) ...; `parent` is not NULL. */
#define JSON_EACH(item, parent)                                                                    \
    const struct json_node *item = (parent)->first;                                                \
    item != NULL;                                                                                  \
    item = item->next

struct json_limits {
    size_t bytes_max;   /* of the text; at most 4 GiB - 1 */
    uint32_t nodes_max; /* values in the tree, containers included */
    uint32_t depth_max; /* containers inside each other; 1..JSON_DEPTH_MAX */
};
#define JSON_LIMITS_DEFAULT                                                                        \
    ((struct json_limits){ .bytes_max = 256 * 1024, .nodes_max = 4096, .depth_max = 16 })

struct json_error {
    enum status status; /* as json_read returned it */
    size_t offset;      /* of the token or byte at fault, from 0 */
    size_t pointer_len;
    char
        pointer[JSON_POINTER_MAX + 1]; /* RFC 6901; names that do not fit are left off at the end */
    char message[160];                 /* a sentence; holds no bytes of the text */
};
static inline struct view json_error_pointer(const struct json_error *error)
{
    return view_of(error->pointer, error->pointer_len);
}

/* Reads one value that fills `text`. Strings and numbers of the tree borrow from `text` where they
 * can, so `text` must live as long as the tree; everything else, the parser's own memory too, is in
 * `arena` (vault memory; reset by the caller, also after an error). `limits` NULL: the default.
 * `error` may be NULL; it is written only on failure.
 *   SHORT       the text ends inside the value, or is empty
 *   MALFORMED   not JSON, not UTF-8, half a surrogate pair, or bytes after the value
 *   EXISTS      an object has a name twice
 *   FULL        a limit of `limits` is reached
 *   NO_MEMORY   the arena is used up */
enum status json_read(struct view text, const struct json_limits *limits, struct arena *arena,
                      const struct json_node **root, struct json_error *error);

/* The member of that name; NULL when absent, or when `object` is NULL or no object. Linear. */
const struct json_node *json_member(const struct json_node *object, const char *name);
/* NULL when absent, or when `array` is NULL or no array. Linear. */
const struct json_node *json_element(const struct json_node *array, uint32_t index);
/* The node that an RFC 6901 pointer names below `root` ("" is root); NULL when there is none. */
const struct json_node *json_find(const struct json_node *root, struct view pointer);

/* Typed access. Each is NOT_FOUND for NULL (absent) and MISMATCH for another kind, null included.
 *
 * Exact: MALFORMED when the number is not written as an integer (1e2, 10.0, -0), RANGE when it is
 * no int64. Never goes through a double. */
enum status json_i64(const struct json_node *node, int64_t *out);
enum status json_text(const struct json_node *node, struct view *out);
enum status json_bool(const struct json_node *node, bool *out);

/* The value as it stands in `text`, the same text that was read: for storing a part as it came. */
struct view json_raw(const struct json_node *node, struct view text);

/* Walks the members whose names are not in `known`: pass NULL first, then the last answer; NULL at
 * the end (or when `object` is no object). */
const struct json_node *json_unknown(const struct json_node *object, const char *const *known,
                                     size_t known_count, const struct json_node *after);

/* Writes the RFC 6901 pointer of a node, "/items/3/na~1me"; the root is "". Names are written as
 * they are (escape again when it goes into JSON). */
void json_pointer(struct writer *out, const struct json_node *node);

#endif
