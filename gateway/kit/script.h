/* script.h - reads a transcript: text that tells what a host says to an adapter and what comes
 * back.
 *
 * A line that begins with a blank continues the one above; '#' begins a comment. The words are
 * explained in docs/adapter-developer.md. BYTES are any mix of "text", upper-case hexadecimal, and
 * len2 or ascii4, which stand for the length of all bytes after them.
 */
#ifndef KIT_SCRIPT_H
#define KIT_SCRIPT_H

#include "base/arena.h"

#define SCRIPT_LINES_MAX 8192
#define SCRIPT_FILE_MAX  (1u << 20)

struct script_line {
    unsigned number;  /* of its first line in the file */
    struct view verb; /* "command" */
    struct view rest; /* what follows, trimmed */
};

struct script {
    const char *path; /* borrowed */
    struct arena arena;
    struct script_line *lines;
    size_t count;
};

/* `why`: "FILE: reason". script_close is due in any case. */
enum status script_open(struct script *script, const char *path, struct writer *why);
void script_close(struct script *script);

/* The next word of a line, empty at its end. */
struct view script_word(struct cursor *rest);
/* BYTES to bytes; MALFORMED, or FULL when `out` is too small. */
enum status script_bytes(struct view text, struct writer *out);

#endif
