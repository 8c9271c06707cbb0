/* settle.h - a counterpart's own record of what it booked, as a stream (docs/rails/settlement.md).
 *
 *     the counterpart     knows its books and its format: struct settle_source
 *     this room           windows of time, count, sums and hash, and everything that goes wrong
 *
 *     counterpart's function -> struct settle_source
 *     settlement_open        takes the source
 *     settlement_read        until false: more of the text
 *     settlement_close
 *
 * How it works: the source hands out the true lines one after the other and writes a line when told
 * to. Between the two stand the faults: a line can be left out, be written twice or with another
 * amount, and lines that nobody made come in between. What is written is counted and hashed, so the
 * trailer fits whatever stands above it. A format whose head has sums (camt) is walked through
 * twice. Nothing is kept but the line at hand.
 *
 * One thread: that of the counterpart.
 */
#ifndef SIM_SETTLE_SETTLE_H
#define SIM_SETTLE_SETTLE_H

#include "base/bytes.h"
#include "base/json_out.h"
#include "json/json_read.h"

#define SETTLE_FAULTS_MAX 64
#define SETTLE_NAME_MAX   64
#define SETTLE_NAMES      5
/* The longest head, line or tail; what settlement_read needs at least. */
#define SETTLE_PIECE_MAX ((size_t)16384)
/* No amount of a line is made larger than this. */
#define SETTLE_MINOR_MAX INT64_C(1000000000000000)

/* --- what goes wrong ---------------------------------------------------------------------- */
enum settle_fault {
    SETTLE_OMIT = 1,
    SETTLE_AMOUNT,
    SETTLE_REPEAT,
    SETTLE_INVENT,
    SETTLE_TRUNCATE,
    SETTLE_TRAILER,
};

struct settle_rule {
    enum settle_fault fault;
    bool has_line;
    char id[SETTLE_NAME_MAX + 1]; /* "": by line or by dice */
    uint64_t line;
    uint32_t per_million;
    int64_t by_minor, amount_minor;
};

/* Zeroed: nothing goes wrong. */
struct settle_faults {
    uint64_t seed;
    size_t count;
    struct settle_rule rules[SETTLE_FAULTS_MAX];
};

/* The member "settlement" of a knobs body. `*f` changes only when OK; else `why` has a sentence. */
enum status settle_faults_read(struct settle_faults *f, const struct json_node *object,
                               struct writer *why);
/* The same shape back, as a member of the object that is open; nothing when nothing is set. */
void settle_faults_write(const struct settle_faults *f, struct json_out *out);

/* --- what a counterpart gives -------------------------------------------------------------- */
struct settle_line {
    struct view names[SETTLE_NAMES]; /* the first is never empty; live until the next call */
    int64_t amount_minor;            /* over zero; a fault may change it before it is written */
    bool debit;                      /* money leaves the merchant */
    const void *record;              /* the source's own */
};

struct settle_sums {
    uint64_t lines, credits, debits; /* lines: what the trailer shall say */
    int64_t credit_minor, debit_minor;
};

enum settle_next { SETTLE_LINE = 1, SETTLE_DONE, SETTLE_LOST /* the rest is gone: no trailer */ };

struct settle_source {
    const char *content_type;
    bool sums_first; /* head needs the sums */
    void *state;
    /* The next true line. */
    enum settle_next (*next)(void *state, struct settle_line *line);
    /* A line that nobody made, all but its amount: `dice` decides its names. */
    void (*invent)(void *state, uint64_t dice, struct settle_line *line);
    void (*rewind)(void *state); /* to the first line again; only with sums_first, else NULL */
    /* `sums` are zero unless sums_first. */
    void (*head)(void *state, const struct settle_sums *sums, struct writer *w);
    void (*line)(void *state, const struct settle_line *line, struct writer *w);
    /* sha256: 64 letters, over all that was written before. */
    void (*tail)(void *state, const struct settle_sums *sums, struct view sha256, struct writer *w);
    void (*close)(void *state); /* frees it */
};

/* --- the stream ---------------------------------------------------------------------------- */
struct settlement;

/* Takes the source, also when it fails: NULL, memory is out. `faults` are copied; they may be NULL.
 * `*books` is a number that changes when the books are emptied: the record then ends as it is.
 * Whoever owns the books closes the settlement before them. */
struct settlement *settlement_open(const struct settle_source *source,
                                   const struct settle_faults *faults, const uint64_t *books);
void settlement_close(struct settlement *s); /* NULL is allowed */
const char *settlement_type(const struct settlement *s);
/* Writes as many pieces as there is room for, one at least; `out` must have SETTLE_PIECE_MAX left.
 * False: that was the end. */
bool settlement_read(struct settlement *s, struct writer *out);

/* A mix of bits: the same numbers give the same one. */
uint64_t settle_dice(uint64_t seed, uint64_t salt);

#endif
