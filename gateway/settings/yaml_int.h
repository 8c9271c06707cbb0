/* yaml_int.h - a YAML file as a small tree with places; the only door to libfyaml.
 *
 * What the tree cannot hold is refused while reading: anchors, aliases, tags, directives, a second
 * document, keys that are not plain text, a key given twice, too much size or depth.
 */
#ifndef SETTINGS_YAML_INT_H
#define SETTINGS_YAML_INT_H

#include "settings/finding.h"

#define YAML_BYTES_MAX       ((size_t)256 * 1024)
#define YAML_NODES_MAX       8000
#define YAML_TESTS_BYTES_MAX ((size_t)1024 * 1024) /* of *.tests.yaml */
#define YAML_TESTS_NODES_MAX 40000                 /* 400 cases of 100 values */
#define YAML_DEPTH_MAX       16
#define YAML_KEYS_MAX        2000 /* of one map: each is compared with those before it */

enum yaml_kind { YAML_SCALAR = 1, YAML_MAP, YAML_LIST };

struct yaml_node {
    enum yaml_kind kind;
    bool plain;            /* SCALAR: written without quotes, so that `no` may mean no */
    uint32_t line, column; /* from 1 */
    struct view text;      /* SCALAR; zero-terminated behind its end */
    struct view key;       /* of an entry of a MAP; zero-terminated behind its end */
    uint32_t key_line, key_column;
    struct yaml_node *first, *last; /* of a MAP or LIST */
    struct yaml_node *next;
    size_t count; /* entries */
};

enum yaml_room { YAML_ROOM_SETTINGS = 1, YAML_ROOM_TESTS };

/* Reads one document into the arena. MALFORMED when something was wrong (all of it is in findings:
 * after a syntax error nothing more can be said about the file), NO_MEMORY. file is for findings.
 */
enum status yaml_read(struct arena *arena, struct view bytes, enum yaml_room room, const char *file,
                      struct findings *findings, struct yaml_node **out);

#endif
