/* reconcile.h - compares our attempts on a channel with the counterpart's own record of what it
 * booked, and puts what differs into the journal.
 *
 * Records, by rail (docs/rails/settlement.md): card and qr CSV with a trailer, bank camt.053 or
 * camt.054, cbdc JSON Lines with a summary. A record that is not whole, or whose totals do not fit
 * its lines, is refused and reconciles nothing.
 *
 * Everything here is for a command: it blocks, and runs the loop of its store itself. The gateway
 * may run and write meanwhile. Memory does not grow with the record or with the attempts: both go
 * through a sort on disk (store/store_sort.h), where what has one name comes out together.
 */
#ifndef RECONCILE_RECONCILE_H
#define RECONCILE_RECONCILE_H

#include "base/json_out.h"
#include "store/store.h"

#define RECONCILE_CURRENCIES_MAX  64     /* in one record */
#define RECONCILE_DIFFERENCES_MAX 100000 /* that are written without `force` */
#define RECONCILE_KINDS           (DIFFERENCE_ORIGINAL + 1)

struct reconcile_sum {
    int64_t count, here_minor, there_minor;
};
struct reconcile_currency {
    char code[4];
    struct reconcile_sum matched;
    struct reconcile_sum kinds[RECONCILE_KINDS]; /* by enum difference_kind */
};

/* What came out. */
struct reconcile_report {
    int64_t id;         /* of the reconciliation; 0: nothing was written */
    int64_t known;      /* an earlier one of the same file and period; 0: none */
    bool known_open;    /* of its differences some are not resolved */
    char file_hash[65]; /* lower-case hexadecimal */
    const char *format; /* "card settlement", "camt.053", ... */
    int64_t from_us, until_us;
    int64_t lines, attempts; /* read of each side */
    int64_t matched;         /* attempts that both sides tell alike */
    int64_t differences;
    int64_t carried_over; /* of ours: not in this record, and the one before or after may tell */
    int64_t taken_up;     /* carried over by earlier ones, and judged now */
    int64_t waiting;      /* of ours: their outcome is not due yet, and the record has nothing */
    int64_t outside;      /* lines before or after the period */
    struct reconcile_currency currencies[RECONCILE_CURRENCIES_MAX];
    size_t currency_count;
};

/* A difference as it is found; views live until the call returns. id 0: it is not written. */
typedef void reconcile_found_fn(const struct difference_row *row, void *arg);
/* Now and then: how far it has come. */
enum reconcile_phase { RECONCILE_READING = 1, RECONCILE_COLLECTING, RECONCILE_COMPARING };
typedef void reconcile_progress_fn(enum reconcile_phase phase, int64_t count, void *arg);

struct reconcile_options {
    struct loop *loop;
    struct store *store;
    const char *lock_path; /* a file that is made and locked, so that one writes at a time */
    struct view channel;
    enum rail rail;
    const char *path;          /* the record */
    int64_t from_us, until_us; /* 0: what the record says, or the UTC days that its lines touch */
    int64_t tolerance_us;      /* how far clocks, and booking and answer, may be apart */
    int64_t lookback_us;       /* how long before the period an attempt may have been made */
    int64_t now_us;
    bool dry_run;                    /* write nothing */
    bool again;                      /* even if this very file was reconciled before */
    bool force;                      /* even if nothing matches, or very much differs */
    reconcile_found_fn *found;       /* may be NULL; called in the order of lines, those without
                                        one last */
    reconcile_progress_fn *progress; /* may be NULL */
    void *arg;
};

/* OK: `report` is whole, and on disk unless dry_run or `known` is set (then nothing was compared).
 * Else nothing is visible of it, and `why` has a sentence:
 *   MALFORMED, SHORT, RANGE   the record cannot be believed: "day.csv:17: ..."
 *   MISMATCH                  nothing of it belongs to this channel (see force)
 *   FULL                      more differences than a record of this channel can have (see force)
 *   BUSY                      another one is being written, or was since this one began
 *   IO, NO_MEMORY, DENIED */
enum status reconcile_run(const struct reconcile_options *options, struct reconcile_report *report,
                          struct writer *why);
/* The report's counts and sums as members of an open object. */
void reconcile_put_summary(struct json_out *j, const struct reconcile_report *report);
/* What was found, as members of an open object: all but its id, merchant, and a person's word. */
void reconcile_put_difference(struct json_out *j, const struct difference_row *row);

/* A person's word on a difference: it is marked as resolved, with an event. Nothing else changes;
 * an attempt is settled with `railgate attempt resolve`. NOT_FOUND, REFUSED (it is resolved
 * already; *out has it), IO. `arena` holds *out. */
struct reconcile_resolution {
    int64_t difference;
    struct view by, why, evidence; /* evidence may be empty */
    int64_t now_us;
};
enum status reconcile_resolve(struct loop *loop, struct store *store, struct arena *arena,
                              const struct reconcile_resolution *resolution,
                              struct difference_row *out, struct writer *why);

/* "2026-11-22", "2026-11-22T18:30:00Z", "...T18:30:00.250+02:00" -> microseconds since 1970; a date
 * is its first instant, UTC. MALFORMED. */
enum status reconcile_time(struct view text, int64_t *out_us);

#endif
