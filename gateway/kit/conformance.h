/* conformance.h - the conformance suite: is this shared object a good adapter?
 *
 * It loads the object as the gateway would, plays transcripts (or commands of its own making when
 * there are none) and repeats every step with cut, changed, poisoned and missing bytes, in rooms of
 * every size. It needs no network, no keys, no clock and no counterpart: an adapter is a function.
 *
 * Used by `railgate adapter test PATH.so [--set name=value]... [--transcript FILE]...`, and by
 * tests. Blocking; takes a second or less. The adapter runs in this process: one that crashes takes
 * it down, which is an answer as well. Any one thread.
 */
#ifndef KIT_CONFORMANCE_H
#define KIT_CONFORMANCE_H

#include "base/bytes.h"

#include <stdio.h>

enum conformance_depth {
    CONFORMANCE_ALL = 1, /* every check at every step */
    CONFORMANCE_PLAY,    /* only what the transcripts say, and that it comes out the same twice */
};

struct conformance_options {
    const char *path;            /* absolute path of the object */
    const char *const *settings; /* "name=value"; a transcript's own `set` lines come after them */
    size_t settings_count;
    const char *const *transcripts; /* file names; none: only what needs no reply is checked */
    size_t transcripts_count;
    uint32_t budget_us;           /* CPU time a call may take; 0: 20000 */
    enum conformance_depth depth; /* 0 counts as CONFORMANCE_ALL */
    FILE *report;                 /* where the readable report goes */
};

struct conformance_result {
    uint32_t passed, failed, skipped; /* checks; skipped ones had nothing to look at */
    uint64_t cases, calls;
};

/* OK: every check that could run passed. MISMATCH: at least one failed. Others: it could not begin
 * (the object does not load, a transcript cannot be read); the report says why. The exit status of
 * the command is 0, 1 and 2. */
enum status conformance_run(const struct conformance_options *options,
                            struct conformance_result *result);

#endif
