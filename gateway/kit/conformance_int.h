/* conformance_int.h - what the files of the suite know of each other.
 *
 *   conformance.c   loads, makes commands of its own, reports
 *   play.c          plays a transcript: each event becomes a step that checks.c then turns over
 *   message.c       HTTP messages of a transcript, read and shown; headers with slots, signatures
 *   expect.c        the expect lines of a transcript
 *   expect_notice.c those about a notice and its entries
 *   checks.c        the checks of one step: repeat it with everything changed that may change
 *   checks_form.c   is an answer one that a host could use?
 *   checks_http.c   a reply under another status, behind other headers
 *   checks_notice.c the checks of a stream and of a notice
 *   host.c          the calls; script.c the transcripts; symbols.c the object's symbols
 */
#ifndef KIT_CONFORMANCE_INT_H
#define KIT_CONFORMANCE_INT_H

#include "kit/conformance.h"
#include "kit/host.h"
#include "kit/script.h"
#include "kit/signer.h"

enum check {
#define CHECK(name, title, meaning) CHECK_##name,
#include "kit/checks.def"
#undef CHECK
    CHECK_COUNT
};

#define COMPLAINTS_MAX 3
#define KEPT_MAX       64
#define NAMES_MAX      64
#define PRINT_MAX      (3u << 20)

struct finding {
    uint64_t cases, failures;
    char complaint[COMPLAINTS_MAX][400]; /* the first few */
};

struct kept_refs {
    struct view label;
    struct host_rows rows;
};

/* The notice that was played last. */
struct played_notice {
    struct host_message message;
    struct host_notice *entry;  /* the one that expect lines look at; NULL: no notice */
    struct host_notice *verify; /* what was to be verified, or NULL */
    enum status signature;      /* of the transcript's key; NOT_FOUND: it has none */
    uint32_t index;
    bool looked; /* an expect line looked at this entry */
};

struct run {
    const struct conformance_options *options;
    struct loaded_adapter *adapter;
    struct host host;
    struct finding findings[CHECK_COUNT];
    const char *where; /* file that is played, or the object */
    unsigned line;
    struct arena arena; /* takes, kept refs; reset for each transcript */
    struct host_take take;
    bool live;             /* take holds a begun exchange */
    bool looked;           /* an expect line looked at its last step */
    unsigned expectations; /* expect lines of this transcript */
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
    struct played_notice notice;
    struct signer *signer;        /* keys of this transcript */
    struct view names[NAMES_MAX]; /* attempt ids of its commands */
    size_t names_count;
    struct view grants[NAMES_MAX]; /* names of tokens that were granted to it */
    size_t grants_count;
    struct rg_civil now; /* when notices come */
};

/* --- conformance.c --- */
/* Begins run->take, or goes on with the event at its end, and checks the step from all sides.
 * Leaves its answer in run->host.step. */
void run_take(struct run *run);

/* --- play.c --- */
enum status play_script(struct run *run, const struct script *script);

/* Bytes of a line: BYTES of `text`, then its body. `body`: what the word body stands for. */
enum status line_bytes(struct run *run, const struct script_line *line, struct view text,
                       struct view body, struct view *out);
int64_t civil_us(const struct rg_civil *civil);

/* --- message.c --- */

/* "GET" to RG_HTTP_GET; 0: none of them. */
uint32_t message_method(struct view word);
const char *message_method_word(uint32_t method);
/* A value as it stands in a transcript: {slot NAME} becomes a zero byte and NAME (*slot is set),
 * {sign KEY hex|base64|base64url BYTES} the signature under a key of the transcript. */
enum status message_value(struct run *run, struct view text, struct view body, struct writer *out,
                          bool *slot);
/* The continuations of a line as "name: value\n" lines. */
enum status message_headers(struct run *run, const struct script_line *line, struct view body,
                            struct view *out);
/* Holds a SEND over HTTP against a line "METHOD PATH", its continuations and its body. */
void message_expect(struct run *run, const struct script_line *line, struct view method);

/* --- expect.c --- */
void expect_line(struct run *run, const struct script_line *line);
void expect_equal(struct run *run, const char *what, struct view seen, struct view wanted);
void expect_bytes(struct run *run, const char *what, struct view seen, struct view wanted);
struct view buffer_view(const struct rg_buffer *b);
/* The row with this name, or NULL. */
const struct rg_named *row_named(const struct rg_table *table, struct view name);
extern const char *const category_words[12];

/* --- expect_notice.c --- */
void expect_verify(struct run *run, const struct script_line *line, struct view text);
enum notice_word { NOTICE_WORD_NOTICE = 1, NOTICE_WORD_HINT };
void expect_notice(struct run *run, const struct script_line *line, struct view text,
                   enum notice_word word);
void expect_ack(struct run *run, const struct script_line *line, struct view text);
void expect_refused(struct run *run);
/* Before anything else begins: every entry was looked at. */
void expect_notice_end(struct run *run);

/* --- checks.c --- */

void check_case(struct run *run, enum check check);
void check_fail(struct run *run, enum check check, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* host_replay with a complaint (WELL_FORMED) when the adapter misbehaved. */
bool run_step(struct run *run, const struct host_take *take, size_t events,
              const struct host_variation *v, const char *what);
/* Everything that can be done with the take as it stands (its last event is the step). */
void check_step(struct run *run);
/* Well formed, and the same twice. */
void check_step_quick(struct run *run);
/* The reply at the end of the take is replaced; what follows is signed. */
void check_with_reply(struct run *run, const struct host_event *reply, const char *what);
/* Only white space was cut off: that is no loss in a text protocol. */
bool lost_nothing(struct view whole, size_t kept);

/* --- checks_form.c --- */
/* Is the answer in run->host.step one that a host could use? */
void check_well_formed(struct run *run);
/* Names a setting of type KEY. */
void check_key_name(struct run *run, const struct rg_buffer *key, const char *where);

/* --- checks_http.c --- */
void check_http_reply(struct run *run);

/* --- checks_notice.c --- */
/* The same for a stream and for a notice. */
void check_frame(struct run *run, struct view bytes, bool reply);
void check_notice(struct run *run, const struct host_message *message);

#endif
