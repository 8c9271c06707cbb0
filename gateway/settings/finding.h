/* finding.h - what is wrong in a configuration: all of it at once, each with its place.
 *
 * A list of findings has memory of its own and a fixed room of FINDINGS_MAX; what is over is only
 * counted. A finding is for people (message) and for machines (id, place). Other rooms add findings
 * of their own, e.g. about an adapter's settings. Single-threaded.
 *
 *     findings_init -> (finding_add | settings_load)* -> read -> findings_clear
 */
#ifndef SETTINGS_FINDING_H
#define SETTINGS_FINDING_H

#include "base/arena.h"

#define FINDINGS_MAX 200

enum finding_severity { FINDING_ERROR = 1, FINDING_WARNING };

struct finding {
    const char *file; /* as it was opened; "" when it is about no file */
    uint32_t line;    /* from 1; 0: about the file as a whole */
    uint32_t column;  /* from 1, in characters; 0 with line 0 */
    enum finding_severity severity;
    const char *id;      /* stable: "settings.unknown_key" */
    const char *message; /* what is wrong, what was expected, what to do */
};

struct findings {
    struct arena arena;
    struct finding rows[FINDINGS_MAX];
    size_t count;  /* rows */
    size_t errors; /* of severity ERROR, counted or not shown */
    size_t warnings;
    size_t dropped; /* over FINDINGS_MAX */
};

void findings_init(struct findings *findings);
void findings_clear(struct findings *findings);
/* file, id: file is copied, id must be a constant. The message is printf-style, cut at 500 bytes.
 */
void finding_add(struct findings *findings, enum finding_severity severity, const char *file,
                 uint32_t line, uint32_t column, const char *id, const char *format, ...)
    __attribute__((format(printf, 7, 8)));
/* "config/gateway.yaml:12:3: error: ... [settings.unknown_key]\n" for each row; last a line with
 * the number of those dropped, if any. */
void findings_write(struct writer *w, const struct findings *findings);
/* The nearest of `count` names to what was written, or NULL when none is near enough to be a typo.
 */
const char *finding_did_you_mean(struct view written, const char *const *names, size_t count);

#endif
