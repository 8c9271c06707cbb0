/* script.h - reads a transcript: text that tells what a host says to an adapter and what comes
 * back.
 *
 * A line that begins with a blank continues the one above; '#' begins a comment. The words are
 * explained in docs/adapter-developer.md. BYTES are any mix of "text", 'text', hexadecimal, and
 * len2 or ascii4, which stand for the length of all bytes after them.
 *
 * A continuation that is "<<<" opens a body: all up to a line that is ">>>" is taken as it stands,
 * comments and blanks too, without the last line break. "<<< json" drops white space outside of
 * strings, "<<< xml" the indentation and the line breaks, so that a compact message can be read.
 */
#ifndef KIT_SCRIPT_H
#define KIT_SCRIPT_H

#include "base/arena.h"

#define SCRIPT_LINES_MAX 8192
#define SCRIPT_FILE_MAX  (1u << 20)
#define SCRIPT_PARTS_MAX 32

struct script_line {
    unsigned number;  /* of its first line in the file */
    struct view verb; /* "command" */
    struct view rest; /* what follows, with all continuations, trimmed */
    /* The same line by line: parts[0] follows the verb, each other one is a continuation. */
    struct view parts[SCRIPT_PARTS_MAX];
    size_t parts_count;
    struct view body; /* what stood between <<< and >>> */
    bool has_body;
};

struct script {
    const char *path; /* borrowed */
    struct arena arena;
    struct script_line *lines;
    size_t count;
    unsigned reading; /* number of the line that is being read */
};

/* `why`: "FILE: reason". script_close is due in any case. */
enum status script_open(struct script *script, const char *path, struct writer *why);
void script_close(struct script *script);

/* The next word of a line, empty at its end. */
struct view script_word(struct cursor *rest);
/* BYTES to bytes; MALFORMED, or FULL when `out` is too small. `body` is what the words body and
 * body64 (base64url without padding) stand for. */
enum status script_bytes(struct view text, struct view body, struct writer *out);
/* Base64 with the letters of RFC 4648 section 4, padded, or section 5 (URL), not padded. */
enum script_base64 { SCRIPT_BASE64 = 1, SCRIPT_BASE64_URL };
void script_put_base64(struct view bytes, enum script_base64 kind, struct writer *out);

#endif
