/* settle.c - see settle.h. */
#include "settle.h"

#include "base/ensure.h"

#include <openssl/evp.h>
#include <stdlib.h>

#define SETTLE_MAGIC 0x7365746cu
#define HASH_BYTES   32u

enum phase { PHASE_HEAD = 1, PHASE_LINES, PHASE_TAIL, PHASE_END };

/* Where a walk over the lines is. */
struct walk {
    uint64_t taken;  /* true lines so far */
    size_t invented; /* rules looked at for lines between the ones taken and the next */
    bool drained;    /* no true line is left */
    bool pending;    /* `line` is to be written once more */
    bool lost;       /* the source cannot go on */
    struct settle_line line;
};

struct settlement {
    uint32_t magic;
    enum phase phase;
    struct settle_source source;
    struct settle_faults faults;
    const uint64_t *books;
    uint64_t books_then;
    struct walk walk;
    uint64_t written; /* lines */
    struct settle_sums sums, announced;
    EVP_MD_CTX *hash;
    uint8_t piece[SETTLE_PIECE_MAX];
};

uint64_t settle_dice(uint64_t seed, uint64_t salt)
{
    uint64_t z = seed * 0x9e3779b97f4a7c15u + salt + 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t hash_of(struct view text)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < text.len; i++)
        h = (h ^ text.ptr[i]) * 0x100000001b3u;
    return h;
}

/* --- faults ------------------------------------------------------------------------------- */
static bool rule_hits(const struct settlement *s, size_t at, const struct settle_line *line)
{
    const struct settle_rule *rule = &s->faults.rules[at];
    if (rule->has_line)
        return rule->line == s->walk.taken;
    for (size_t i = 0; rule->id[0] != '\0' && i < SETTLE_NAMES; i++)
        if (view_is(line->names[i], rule->id))
            return true;
    return rule->per_million > 0 &&
           settle_dice(s->faults.seed + at, hash_of(line->names[0])) % 1000000 < rule->per_million;
}

/* How often the true line at hand is written; its amount may change. */
static unsigned fate_of(const struct settlement *s, struct settle_line *line)
{
    unsigned times = 1;
    bool changed = false;
    for (size_t i = 0; i < s->faults.count; i++) {
        const struct settle_rule *rule = &s->faults.rules[i];
        if (rule->fault > SETTLE_REPEAT || !rule_hits(s, i, line))
            continue;
        if (rule->fault == SETTLE_OMIT)
            return 0;
        if (rule->fault == SETTLE_REPEAT) {
            times = 2;
        } else if (line->amount_minor <= INT64_MAX - SETTLE_MINOR_MAX) {
            line->amount_minor += rule->by_minor;
            changed = true;
        }
    }
    if (changed && line->amount_minor < 1)
        line->amount_minor = 1;
    return times;
}

/* A line that a rule puts here: after as many true lines as were taken; at the end, also those that
 * wait for more lines than there are. */
static bool invented_here(struct settlement *s)
{
    struct walk *walk = &s->walk;
    while (walk->invented < s->faults.count) {
        size_t at = walk->invented++;
        const struct settle_rule *rule = &s->faults.rules[at];
        bool here = walk->drained ? rule->line > walk->taken : rule->line == walk->taken;
        if (rule->fault != SETTLE_INVENT || !here)
            continue;
        walk->line = (struct settle_line){ .amount_minor = rule->amount_minor };
        s->source.invent(s->source.state, settle_dice(s->faults.seed, at), &walk->line);
        ENSURE(walk->line.names[0].len > 0);
        return true;
    }
    return false;
}

/* --- lines -------------------------------------------------------------------------------- */
/* The next line to write, in walk.line; false at the end, or when the rest is lost. */
static bool next_line(struct settlement *s)
{
    struct walk *walk = &s->walk;
    if (walk->pending) {
        walk->pending = false;
        return true;
    }
    while (!invented_here(s)) {
        if (walk->drained)
            return false;
        walk->line = (struct settle_line){ 0 };
        enum settle_next next = s->source.next(s->source.state, &walk->line);
        walk->invented = 0;
        if (next == SETTLE_LINE) {
            ENSURE(walk->line.names[0].len > 0 && walk->line.amount_minor >= 0);
            walk->taken++;
            unsigned times = fate_of(s, &walk->line);
            walk->pending = times > 1;
            if (times > 0)
                return true;
        } else {
            walk->drained = true;
            walk->lost = next == SETTLE_LOST;
            if (walk->lost)
                return false;
        }
    }
    return true;
}

static void add_up(struct settle_sums *sums, const struct settle_line *line)
{
    sums->lines++;
    if (line->debit) {
        sums->debits++;
        sums->debit_minor += line->amount_minor;
    } else {
        sums->credits++;
        sums->credit_minor += line->amount_minor;
    }
}

static bool has_fault(const struct settlement *s, enum settle_fault fault)
{
    for (size_t i = 0; i < s->faults.count; i++)
        if (s->faults.rules[i].fault == fault)
            return true;
    return false;
}

/* The file breaks off in what is written next, a line or the trailer. */
static bool breaks_here(const struct settlement *s)
{
    for (size_t i = 0; i < s->faults.count; i++) {
        const struct settle_rule *rule = &s->faults.rules[i];
        if (rule->fault == SETTLE_TRUNCATE &&
            (rule->line == s->written || (s->phase == PHASE_TAIL && rule->line > s->written)))
            return true;
    }
    return false;
}

/* What head and trailer say of lines that were, or will be, written. */
static struct settle_sums said(const struct settlement *s, const struct settle_sums *sums)
{
    struct settle_sums out = *sums;
    out.lines += has_fault(s, SETTLE_TRAILER);
    return out;
}

/* All lines, counted: for a head that has the sums. */
static void count_all(struct settlement *s)
{
    struct settle_sums sums = { 0 };
    while (next_line(s))
        add_up(&sums, &s->walk.line);
    s->announced = said(s, &sums);
    s->walk = (struct walk){ 0 };
    s->source.rewind(s->source.state);
}

/* --- the stream --------------------------------------------------------------------------- */
struct settlement *settlement_open(const struct settle_source *source,
                                   const struct settle_faults *faults, const uint64_t *books)
{
    struct settlement *s = calloc(1, sizeof *s);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    if (s == NULL || hash == NULL || EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(hash);
        free(s);
        source->close(source->state);
        return NULL;
    }
    *s = (struct settlement){ .magic = SETTLE_MAGIC,
                              .phase = PHASE_HEAD,
                              .source = *source,
                              .books = books,
                              .books_then = *books,
                              .hash = hash };
    if (faults != NULL)
        s->faults = *faults;
    return s;
}

void settlement_close(struct settlement *s)
{
    if (s == NULL)
        return;
    ENSURE_MAGIC(s, SETTLE_MAGIC);
    s->source.close(s->source.state);
    EVP_MD_CTX_free(s->hash);
    s->magic = 0;
    free(s);
}

const char *settlement_type(const struct settlement *s)
{
    return s->source.content_type;
}

static void write_tail(struct settlement *s, struct writer *w)
{
    uint8_t digest[HASH_BYTES], text[2 * HASH_BYTES];
    unsigned len = sizeof digest;
    struct writer hex = writer_over(text, sizeof text);
    struct settle_sums sums = said(s, &s->sums);
    ENSURE(EVP_DigestFinal_ex(s->hash, digest, &len) == 1 && len == sizeof digest);
    writer_hex_lower(&hex, view_of(digest, sizeof digest));
    s->source.tail(s->source.state, &sums, writer_done(&hex), w);
}

/* The next piece, into s->piece. */
static struct view next_piece(struct settlement *s)
{
    struct writer w = writer_over(s->piece, sizeof s->piece);
    bool breaks = false;
    if (s->phase == PHASE_HEAD) {
        if (s->source.sums_first)
            count_all(s);
        s->source.head(s->source.state, &s->announced, &w);
        s->phase = PHASE_LINES;
    } else if (next_line(s)) {
        breaks = breaks_here(s);
        s->source.line(s->source.state, &s->walk.line, &w);
        add_up(&s->sums, &s->walk.line);
        s->written++;
    } else if (s->walk.lost) {
        s->phase = PHASE_END;
    } else {
        s->phase = PHASE_TAIL;
        breaks = breaks_here(s);
        write_tail(s, &w);
        s->phase = PHASE_END;
    }
    ENSURE(!w.overflow); /* SETTLE_PIECE_MAX is what a source promises */
    if (breaks) {
        s->phase = PHASE_END;
        w.len /= 2;
    }
    if (s->phase != PHASE_END)
        ENSURE(EVP_DigestUpdate(s->hash, w.ptr, w.len) == 1);
    return writer_done(&w);
}

bool settlement_read(struct settlement *s, struct writer *out)
{
    ENSURE_MAGIC(s, SETTLE_MAGIC);
    ENSURE(out->room - out->len >= SETTLE_PIECE_MAX);
    while (s->phase != PHASE_END && out->room - out->len >= SETTLE_PIECE_MAX) {
        if (*s->books != s->books_then) {
            s->phase = PHASE_END; /* what the source looks at is gone */
            break;
        }
        writer_view(out, next_piece(s));
    }
    return s->phase != PHASE_END;
}
