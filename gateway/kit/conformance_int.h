/* conformance_int.h - what the files of the suite know of each other.
 *
 *   conformance.c   loads, makes commands of its own, reports
 *   play.c          plays a transcript: each event becomes a step that checks.c then turns over
 *   expect.c        the expect lines of a transcript
 *   checks.c        the checks of one step: repeat it with everything changed that may change
 *   host.c          the calls; script.c the transcripts; symbols.c the object's symbols
 */
#ifndef KIT_CONFORMANCE_INT_H
#define KIT_CONFORMANCE_INT_H

#include "kit/conformance.h"
#include "kit/host.h"
#include "kit/script.h"

enum check {
#define CHECK(name, title, meaning) CHECK_##name,
#include "kit/checks.def"
#undef CHECK
    CHECK_COUNT
};

#define COMPLAINTS_MAX 3
#define KEPT_MAX       16
#define PRINT_MAX      (3u << 20)

struct finding {
    uint64_t cases, failures;
    char complaint[COMPLAINTS_MAX][400]; /* the first few */
};

struct kept_refs {
    struct view label;
    struct host_rows rows;
};

struct run {
    const struct conformance_options *options;
    struct loaded_adapter *adapter;
    struct host host;
    struct finding findings[CHECK_COUNT];
    const char *where; /* file that is played */
    unsigned line;
    struct arena arena; /* takes, kept refs; reset for each transcript */
    struct host_take take;
    bool live;             /* take holds a begun exchange */
    struct host_rows sent; /* refs of the last SEND of the take */
    uint8_t correlation[64];
    size_t correlation_len;
    uint8_t *print_a, *print_b; /* PRINT_MAX each: two steps to compare */
    struct kept_refs kept[KEPT_MAX];
    size_t kept_count;
    struct view bad_setting; /* a set line that did not fit its row: configure must refuse it */
    uint32_t frame_answer;   /* of the last frame line */
    struct rg_frame frame;
    uint8_t frame_key[64];
    struct host_notice *notice; /* of the last notice line, or NULL */
};

/* --- conformance.c --- */
/* Begins run->take, or goes on with the event at its end, and checks the step from all sides.
 * Leaves its answer in run->host.step. */
void run_take(struct run *run);

/* --- play.c --- */
enum status play_script(struct run *run, const struct script *script);

/* --- expect.c --- */
void expect_line(struct run *run, struct view rest);

/* --- checks.c --- */

void check_case(struct run *run, enum check check);
void check_fail(struct run *run, enum check check, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* host_replay with a complaint (WELL_FORMED) when the adapter misbehaved. */
bool run_step(struct run *run, const struct host_take *take, size_t events,
              const struct host_variation *v, const char *what);
/* Is the answer in run->host.step one that a host could use? */
void check_well_formed(struct run *run);
/* Everything that can be done with the take as it stands (its last event is the step). */
void check_step(struct run *run);
/* The same for a stream and for a notice. */
void check_frame(struct run *run, struct view bytes, bool reply);
void check_notice(struct run *run, struct view bytes);

#endif
