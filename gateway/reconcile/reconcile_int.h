/* reconcile_int.h - what the room's files share.
 *
 *     read_card.c, read_wallet.c (csv.c), read_ledger.c, read_camt.c   a record to lines
 *     record.c        the file under them: lines, hash, totals, what is wrong and where
 *     here.c          an attempt to the name by which the record knows it
 *     due.c           whether this record must tell of an attempt, or another one
 *     judge.c         what both sides say under one name -> matched, or which difference
 *     reconcile.c     the order of things
 *     journal.c       into the store, page by page
 */
#ifndef RECONCILE_RECONCILE_INT_H
#define RECONCILE_RECONCILE_INT_H

#include "base/json_out.h"
#include "domain/money.h"
#include "reconcile/reconcile.h"
#include "secret/digest.h"

#include <stdio.h>

/* --- a name, and what each side says under it ---------------------------------------------- */

/* A name is a text: "000017/1122183000/SIMTERM1", "att_...", "EndToEndId RGE...". What undoes
 * something stands under the name of what it undoes. */
#define NAME_MAX_BYTES 120

enum role {
    ROLE_FORWARD = 1, /* what was asked for: a sale, capture, refund, lock */
    ROLE_BACK,        /* of that, what was given back: a reversal, return, cancel, expiry */
};

/* A set of operations, and of what else a line about one of ours must be. */
#define OF(operation) (UINT32_C(1) << OPERATION_##operation)
#define OF_KIND(n)    (UINT32_C(1) << (16 + (n))) /* a ledger's entry: of that kind, 0 to 6 */
#define OF_RECEIVED   (UINT32_C(1) << 24)         /* a wallet's payment: to the merchant, */
#define OF_PAID       (UINT32_C(1) << 25)         /* or by the merchant */
#define OF_ANY        UINT32_MAX

/* What a refund, capture or remedy is about, in words that both sides can write:
 * "000017/1122183000", "att_...", "reference ...". */
#define ORIGINAL_MAX_BYTES 47

/* One line of a record, as its reader hands it out. */
struct record_line {
    struct view name;
    struct view original; /* what it is about; empty: the record does not say */
    enum role role;
    bool beside; /* is also told under another name, where it counts; here it only explains */
    uint32_t of; /* OF() of all operations that it can tell of, by what it is and which way its
                    money went; 0: of none that goes by such a name */
    struct view from, to; /* wallets, where the record names them */
    int64_t amount_minor; /* above 0 */
    char currency[4];
    int64_t at_us;
    uint64_t line;    /* of the file, from 1 */
    const char *what; /* "SALE", "CRDT RRTN": for people; lives for ever */
};

struct there {
    int64_t amount_minor, at_us, line;
    uint64_t from, to; /* wallets, as reconcile_party() has them */
    const char *what;
    uint32_t of;
    uint8_t role, beside, outside;
    char currency[4];
    char original[ORIGINAL_MAX_BYTES + 1]; /* empty: not said */
};

enum here_role {
    HERE_MAIN = 1, /* moved what stands under its name */
    HERE_RECALL,   /* asked for it back: the record tells of it under the name of what came back */
    HERE_REMEDY,   /* undid something: what it moved counts under the name of that */
};
struct here {
    int64_t attempt, payment, merchant;
    int64_t amount_minor; /* asked, or when approved what was approved */
    int64_t refunded;     /* of its payment */
    int64_t created_us, updated_us;
    int64_t carried;       /* by this reconciliation until now; 0: by none */
    int64_t carried_minor; /* what records told of it until then, net */
    uint64_t from, to; /* our own wallet, on its side; 0: it is not known, or not on that side */
    uint32_t must;     /* of a line about it, beside OF() its verb */
    uint8_t role, state, verb;
    char currency[4];
    char original[ORIGINAL_MAX_BYTES + 1]; /* empty: there is none, or it is not known */
};

/* How the name of an attempt is written, and its role. false: the record tells nothing of such an
 * attempt (it holds, inquires, ...). */
bool reconcile_here(enum rail rail, const struct channel_attempt_row *row, struct writer *name,
                    struct here *out);
/* Our own wallet, in *to when it gets the money of the attempt and in *from when it pays. Empty
 * where the rail has no wallets or we do not know what the counterpart calls ours. */
void reconcile_own_wallet(enum rail rail, const struct attempt_row *row, struct view *from,
                          struct view *to);
/* A wallet by a number, under a key of this run: whoever makes a record cannot find another wallet
 * with the same one. 0: none. */
uint64_t reconcile_party(const uint64_t key[2], struct view wallet);
/* OF_KIND() of a ledger's word; 0: it is none. */
uint32_t record_ledger_kind(struct view word);
/* OF_RECEIVED or OF_PAID by a wallet's word for how a deal was paid; 0: it is none. */
uint32_t record_wallet_way(struct view word);

/* --- the verdict ------------------------------------------------------------------------------ */

struct span {
    int64_t from_us, until_us; /* from <= time < until */
};
struct period {
    int64_t from_us, until_us, tolerance_us;
    int64_t lookback_us;
    int64_t now_us; /* when our side was read; 0: after everything */
    /* What earlier records of this channel told of, tolerance included; and from the beginning of
     * the first period to the end of the last one, this one among them. */
    const struct span *seen;
    size_t seen_count;
    struct span known;
};

/* Whether an attempt of which the record has nothing is missing in it. */
enum due {
    DUE_NOW = 1, /* no other record can have it, or those that could were seen */
    DUE_LATER,   /* the record before or after may have it: it is carried over */
    DUE_NOT,     /* it was judged with an earlier record, or is no matter of this one */
};
enum due reconcile_due(const struct here *here, const struct period *period);
/* Nobody works on it, and its outcome is not known. */
bool reconcile_is_stuck(const struct here *here);

/* Everything under one name. Amounts saturate. */
struct group {
    enum rail rail;
    struct here here; /* the first of role MAIN; attempt 0: none */
    int64_t here_count;
    struct here remedy;                           /* the last of role REMEDY; attempt 0: none */
    int64_t approved_minor;                       /* of all MAIN that are approved */
    int64_t recalled_minor;                       /* of approved RECALLs; */
    int64_t recall_due_minor, recall_later_minor; /* of these, by enum due */
    struct here recall; /* the last one that is not DUE_NOT; attempt 0: none */
    struct there there; /* the first line; line 0: none */
    int64_t lines;      /* all; */
    int64_t own_lines;  /* not those that stand beside; */
    int64_t within;     /* of these, those of the period */
    int64_t forwards;
    int64_t forward_minor, back_minor;
    bool currencies_differ; /* among the lines */
    bool original_differs;  /* a line is about something else than ours */
};
void reconcile_add_here(struct group *group, const struct here *here, const struct period *period);
void reconcile_add_there(struct group *group, const struct there *there);

enum finding_verdict {
    FOUND_NOTHING = 1, /* nothing moved, and nobody says otherwise */
    FOUND_MATCHED,
    FOUND_WAITING,   /* its outcome is not due yet; carried over as well */
    FOUND_CARRIED,   /* another record may tell of it: there_minor was told so far, net */
    FOUND_ELSEWHERE, /* is judged with another record */
    FOUND_DIFFERENCE,
};
struct finding {
    enum finding_verdict verdict;
    enum difference_kind kind; /* DIFFERENCE */
    int64_t here_minor, there_minor;
};
struct finding reconcile_judge(const struct group *group, const struct period *period);
/* What was asked back and agreed is not there yet, and a later record may have it. */
bool reconcile_recall_waits(const struct group *group);

/* --- a record ----------------------------------------------------------------------------------
 */

#define RECORD_LINE_MAX  16384
#define RECORD_LINES_MAX INT64_C(100000000)

struct record {
    /* By the caller. */
    FILE *file;
    const char *path;
    struct writer *why;
    enum status (*take)(const struct record_line *line, void *arg);
    void *arg;
    /* By the reader. */
    const char *format;
    char currency[4];          /* if it is of one currency only; else empty */
    int64_t from_us, until_us; /* if it names a period; else 0 */
    int64_t lines;
    int64_t first_us, last_us; /* of its lines, when there are any */
};

/* Each reads the whole record and hands out its lines; OK only when it is whole. */
enum status record_read_card(struct record *r);
enum status record_read_wallet(struct record *r);
enum status record_read_ledger(struct record *r);
enum status record_read_camt(struct record *r);

/* Says "path:line: what" in r->why (line 0: without), and gives `status`. */
enum status record_refuse(const struct record *r, enum status status, uint64_t line,
                          const char *what);
/* Counts a line, and notes its time: none is counted without one. */
void record_count(struct record *r, int64_t at_us);
/* Hands out a line; checks name and amount. Counts it, unless it stands beside. */
enum status record_hand_out(struct record *r, const struct record_line *line);

/* Lines of text, and the digest of all before the one at hand. */
struct record_lines {
    struct record *record;
    struct secret_digest *digest;
    uint64_t number;
    struct view text; /* without LF; lives until the next call */
    bool ended;       /* with an LF */
    uint8_t room[RECORD_LINE_MAX + 1];
};
enum status record_lines_open(struct record_lines **out, struct record *record);
/* NOT_FOUND at the end of the file; RANGE for a line that is too long; IO. Both are said. */
enum status record_lines_next(struct record_lines *lines);
/* Whether `hex` is the digest of everything before the line at hand. */
bool record_digest_is(const struct record_lines *lines, struct view hex);
void record_lines_close(struct record_lines *lines);

/* Rows with named columns (RFC 4180). The last line is a trailer whose first field is TRAILER. */
#define CSV_COLUMNS_MAX 48
struct record_csv {
    struct record_lines *lines;
    struct view fields[CSV_COLUMNS_MAX];
    size_t count;
    uint8_t place[CSV_COLUMNS_MAX]; /* of each wanted column, from 1 */
    bool trailer;                   /* the row at hand is it */
    uint8_t room[RECORD_LINE_MAX];
};
/* Reads the header: every one of `columns` must be there, once, in any order. */
enum status record_csv_open(struct record_csv **out, struct record *record,
                            const char *const *columns, size_t count);
/* The next row or the trailer; NOT_FOUND behind the trailer. A file that ends without one, or goes
 * on behind it, is refused. */
enum status record_csv_next(struct record_csv *csv);
struct view record_csv_field(const struct record_csv *csv, size_t column);
enum status record_csv_refuse(const struct record_csv *csv, enum status status, const char *what);
/* The trailer's number in field `at`, compared. */
enum status record_csv_total(const struct record_csv *csv, size_t at, int64_t counted,
                             const char *what);
/* The SHA-256 in field `at` of the trailer, compared. */
enum status record_csv_digest(const struct record_csv *csv, size_t at);
void record_csv_close(struct record_csv *csv);
/* The whole file: `row` for each row, `trailer` for the last line; totals is for both. */
typedef enum status record_csv_line_fn(struct record *record, struct record_csv *csv, void *totals);
enum status record_csv_read(struct record *record, const char *const *columns, size_t count,
                            record_csv_line_fn *row, record_csv_line_fn *trailer, void *totals);

/* --- small readings ----------------------------------------------------------------------------
 */

/* "12.50" with `exponent` digits behind the point; exact: with all of them, else at most (further
 * zeros are let through). MALFORMED, RANGE. Never negative. */
enum status record_decimal(struct view text, unsigned exponent, bool exact, int64_t *out_minor);
/* Three letters; the exponent where we know the currency, else 2. MALFORMED. */
enum status record_currency(struct view text, char out[4], unsigned *exponent);
/* Saturating; never below -INT64_MAX. */
int64_t record_add(int64_t a, int64_t b);

/* --- into the store ----------------------------------------------------------------------------
 */

/* One that was found, as it lies in the sort. Texts are zero-terminated. */
struct found {
    struct finding finding;
    struct here here;
    int64_t line, at_us;
    char currency[4];
    char name[NAME_MAX_BYTES + 1];
    char here_words[40], there_words[40];
};

struct reconcile_journal {
    struct loop *loop;
    struct store *store;
    const struct reconcile_options *options;
    struct reconcile_report *report;
    struct id_source ids;
    int lock_fd;
    struct view file;
    const char *currency; /* of all lines; "": of any */
    struct journal_page *pages;
    size_t page_count, in_page; /* pages that are full, rows in the next one */
    struct writer *why;
};
/* Takes the lock, ends what was left unfinished, and writes the row. `newest`: of the channel's
 * finished ones, when our side was read; BUSY if another one came since. IO. `record` gives the
 * currency. */
enum status reconcile_journal_begin(struct reconcile_journal *journal,
                                    const struct reconcile_options *options,
                                    struct reconcile_report *report, struct view file_name,
                                    const char *currency, int64_t newest, struct writer *why);
/* Written with the next page. */
enum status reconcile_journal_add(struct reconcile_journal *journal, const struct found *found,
                                  int64_t *id);
/* The same for an attempt that is carried over, or is not any more; `reconciliation` is filled in.
 * After all differences. */
enum status reconcile_journal_carry(struct reconcile_journal *journal,
                                    const struct carried_row *row);
/* The last page, and the row that makes all of it visible. */
enum status reconcile_journal_finish(struct reconcile_journal *journal);
/* After begin, whatever it said; without finish nothing of it becomes visible. */
void reconcile_journal_end(struct reconcile_journal *journal);
/* A found one as a row, for whoever watches. */
void reconcile_found_row(const struct reconcile_options *options, const struct found *found,
                         int64_t id, struct difference_row *out);

/* Asks and waits. */
enum status reconcile_ask(struct loop *loop, struct store *store, struct store_read *read);

#endif
