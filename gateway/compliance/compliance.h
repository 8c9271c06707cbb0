/* compliance.h - may this payment be made? A pure function from (profile, facts) to a decision.
 *
 *     compliance_compile   settings of a region -> profile (checked, flat, nothing left to parse)
 *     facts_start, facts_text ...    what is known of the payment; what follows from it
 *                          (cross_border, payer.age) is compliance_decide's own work
 *     compliance_decide    (profile, facts) -> decision: verdict, reasons, reservations, reports
 *
 * Fail closed: no profile, one that is not in force at the payment's time, a fact that a rule needs
 * and that is missing, a list that is missing or stale, more than the evaluation has room for: deny
 * with that reason. The strictest wins (deny > review > challenge > allow); every rule that fired
 * is recorded, not only the first.
 *
 * What depends on other payments (sums, counts) cannot be decided here: the decision carries
 * *reservations*, which the commit that records the payment checks and spends at once, and each
 * says what happens when it does not fit.
 *
 * compliance_decide is called before anything is recorded, on the loop's thread; no I/O, no clock,
 * no allocation. compliance_compile blocks (time-zone files): at start or on a worker.
 */
#ifndef COMPLIANCE_COMPLIANCE_H
#define COMPLIANCE_COMPLIANCE_H

#include "base/arena.h"
#include "domain/money.h"
#include "domain/words.h"
#include "settings/settings.h"

#define DECISION_REASONS_MAX      16
#define DECISION_TEXT_MAX         200
#define DECISION_RESERVATIONS_MAX 16
#define DECISION_REPORTS_MAX      8

/* --- conditions -----------------------------------------------------------------------------
 *
 *     scheme=pix                 equal; scheme=pix|fast: one of them; card.first6=4*: begins with
 *     payer.country!=DE|FR       none of them
 *     amount>100.00 EUR          also >=, <, <=; amounts, numbers and dates; an amount in another
 *                                currency makes it false
 *     payer.kyc_tier<2
 *     payer.address missing      also `given`; never unknown
 *
 * `needs` of fields names facts; payer.address|payer.birth_date: one of them is enough.
 * Of the conditions of one rule all must hold (Kleene: false beats unknown beats true). A rule that
 * ends as unknown denies with the reason "fact missing: NAME", except rules that only allow, report
 * or exempt: those do not fire. A figure is one of a rule's conditions: an amount that it does not
 * touch makes the rule false whatever is missing. Letters are compared exactly, words by their
 * list. Three facts have a value when nothing is said, except to `missing` and `given`:
 * initiator=payer, cash=no, authenticated=no.
 *
 * A challenge asks for strong authentication: what says so says ALLOW when the fact `authenticated`
 * holds.
 */

/* --- facts --------------------------------------------------------------------------------- */

enum fact {
    FACT_NONE = 0,
#define FACT(code, name, type, missing, choices, sentence) FACT_##code,
#include "compliance/fact.def"
#undef FACT
    FACT_END,
};
enum fact_type {
    FACT_TYPE_TEXT = 1,
    FACT_TYPE_COUNTRY,
    FACT_TYPE_WORD,
    FACT_TYPE_NUMBER,
    FACT_TYPE_FLAG,
    FACT_TYPE_MONEY,
    FACT_TYPE_DATE, /* YYYY-MM-DD, kept as text */
};
struct fact_row {
    const char *name; /* "payer.country" */
    enum fact_type type;
    bool unknown_when_missing;
    const char *choices, *sentence;
};
/* fact_row(FACT_NONE) is our mistake (ENSURE). */
const struct fact_row *fact_row(enum fact fact);
/* FACT_NONE when there is none of that name. */
enum fact fact_by_name(struct view name);

struct fact_value {
    bool given;
    struct view text; /* TEXT, COUNTRY, WORD, DATE; lives as long as the facts */
    int64_t number;   /* NUMBER; FLAG: 1 or 0; MONEY: minor units */
};
enum list_state { LISTS_FINE = 1, LISTS_MISSING, LISTS_STALE, LISTS_NOT_ASKED };
struct compliance_facts {
    enum rail rail;
    enum payment_kind kind;
    struct money amount;
    int64_t wall_us; /* when the payment is decided */
    enum list_state
        lists; /* of screening; NOT_ASKED: nobody looked, which is a deny if it was needed */
    struct view store_country; /* where records live; empty: not configured */
    struct fact_value values[FACT_END];
};
/* Zeroes all and sets rail, kind, amount, currency. */
void facts_start(struct compliance_facts *facts, enum rail rail, enum payment_kind kind,
                 struct money amount, int64_t wall_us);
/* TEXT, COUNTRY, WORD, DATE. An empty value is not given. */
void facts_text(struct compliance_facts *facts, enum fact fact, struct view value);
void facts_number(struct compliance_facts *facts, enum fact fact, int64_t value);
void facts_flag(struct compliance_facts *facts, enum fact fact, bool value);
/* By name and text, as test cases and explain give them: "payer.kyc_tier", "2". False when there is
 * no such fact or the value is not of its type; `why` gets a sentence (with a near name). Sets
 * rail, kind and amount too. */
bool facts_parse(struct compliance_facts *facts, struct view name, struct view value,
                 struct writer *why);
/* "DE", "yes", "100.00 EUR"; "-" when not given. */
void facts_write(struct writer *w, const struct compliance_facts *facts, enum fact fact);

/* --- profiles ------------------------------------------------------------------------------- */

struct profile; /* compiled; immutable; may be read from every thread */

/* What is wrong goes to `findings` (unknown facts with a near name, values that are none, unknown
 * time zones, lists and keys that gateway.yaml does not have, ids given twice, a period of no
 * length; as warnings: rules that can never fire, `verify` figures (id "profile.verify"), residency
 * that store.country does not meet). OK and *out set when there was no error. The profile lives in
 * `arena` and refers to the settings: both must live as long. NO_MEMORY, MALFORMED. */
enum status compliance_compile(const struct region_settings *region,
                               const struct settings *settings, struct arena *arena,
                               struct findings *findings, struct profile **out);
const struct region_settings *profile_settings(const struct profile *profile);
/* The lists that a payment of this rail must be screened against; false: none. */
bool profile_screens(const struct profile *profile, enum rail rail);

/* --- decision ------------------------------------------------------------------------------- */

struct decision_reason {
    const char *rule;             /* id: "limit.pix_night", "region.currencies"; lives as long as
                                     the profile */
    enum verdict verdict;         /* what this rule alone says */
    const char *source;           /* may be ""; lives as long as the profile */
    char text[DECISION_TEXT_MAX]; /* a sentence for people, UTF-8, with the figures compared */
};

/* What the commit checks and spends. */
enum reservation_kind {
    RESERVE_SLIDING = 1,          /* sum over (now - window_us, now] */
    RESERVE_PERIOD,               /* sum since start_us (local midnight, Monday, first of ...) */
    RESERVE_SINCE_AUTHENTICATION, /* sum since the last RESERVE_RESET */
    RESERVE_RESET,                /* the payer is authenticated: the sum begins anew when the
                                     channel approves (a confirmed challenge: when the payment
                                     goes ahead) */
};
struct reservation {
    enum reservation_kind kind;
    const char *rule; /* as in decision_reason */
    const char *source;
    const char *counter; /* what is counted, stable over versions: "limit.pix_night" */
    struct view subject; /* whose: the payer's id, an account, ...; points into the facts */
    enum settings_per per;
    enum settings_window_kind window; /* for the text; NONE: since the last authentication */
    int64_t window_us;                /* SLIDING */
    int64_t start_us;                 /* PERIOD */
    int64_t amount_max;   /* fires when the sum with this payment is above; -1: not limited */
    int64_t amount_from;  /* fires when the sum with this payment reaches it; -1: not limited */
    int64_t count_max;    /* fires when the count with this payment is above; 0: not counted */
    enum verdict verdict; /* what it says when it fires; ALLOW: only reports */
    bool report;          /* when it fires: a compliance event (only by the payment that crosses) */
    bool counts;      /* false: this payment is only compared with the sum, it does not add to it */
    const char *text; /* a sentence when it fires; may be "" */
};

struct decision_report {
    const char *rule, *source;
    char text[DECISION_TEXT_MAX];
};

struct decision {
    enum verdict verdict; /* with every reservation fitting */
    const char *profile;  /* region name; "" when there is none. This and the next two live as
                             long as the profile */
    const char *version;
    const char *content_hash;
    const char *exemption;      /* id of the exemption from authentication that is used, as in
                                   decision_reason ("exemption.low_value"); "" */
    bool authentication_needed; /* strong authentication is needed and there is no exemption; the
                                   verdict may be stricter than challenge all the same */
    int64_t retention_days;     /* 0: not said */
    struct settings_list residency; /* empty: anywhere */
    int64_t valid_for_us;           /* how long a challenge or review waits */
    int64_t wrong_max;
    size_t reason_count; /* 0 with verdict ALLOW: nothing spoke against it */
    struct decision_reason reasons[DECISION_REASONS_MAX];
    size_t reservation_count;
    struct reservation reservations[DECISION_RESERVATIONS_MAX];
    size_t report_count;
    struct decision_report reports[DECISION_REPORTS_MAX];
};

/* Sees every rule in the order in which it is evaluated, for `explain`. */
enum rule_state {
    RULE_FIRED = 1,    /* it says something */
    RULE_NOT_FIRED,    /* it was looked at, and its figure was not passed */
    RULE_NOT_ABOUT_IT, /* a condition does not hold, other rail, other currency, other hours */
    RULE_UNKNOWN,      /* a fact that it needs is missing */
    RULE_RESERVES,     /* decided by the sum when the payment is recorded */
};
struct rule_seen {
    const char *section; /* "limits" */
    const char *rule;    /* id as in decision_reason */
    enum rule_state state;
    enum verdict verdict; /* what it would say */
    const char *figure; /* "max 1000.00 BRL", "window day, max 200.00 BRL"; valid during the call */
    const char *facts;  /* "amount=1000.01 BRL scheme=pix"; valid during the call */
    const char *source;
    bool verify;
};
struct compliance_watch {
    void (*saw)(void *arg, const struct rule_seen *seen);
    void *arg;
};

/* profile: NULL when none matched. watch: NULL in the payment's way. */
void compliance_decide(const struct profile *profile, const struct compliance_facts *facts,
                       const struct compliance_watch *watch, struct decision *out);

/* What a reservation says with this much spent before: VERDICT_ALLOW when it fits. Pure; the same
 * function in the commit, in test cases and in explain. Sums saturate. *reports: whether it crosses
 * now and asks for a compliance event. */
enum verdict reservation_judge(const struct reservation *reservation, int64_t amount_minor,
                               int64_t spent_minor, int64_t spent_count, bool *reports);
/* A sentence with the figures: "With this payment the payer's sum of the day is 201.00 BRL, over
 * 200.00 BRL." */
void reservation_text(const struct reservation *reservation, struct money amount,
                      int64_t spent_minor, int64_t spent_count, char out[DECISION_TEXT_MAX]);

/* --- test cases ------------------------------------------------------------------------------ */

/* Runs the cases against the profile; each that goes wrong is a finding (error, id "profile.test")
 * at its place, which says what was decided and why. Returns how many passed. */
size_t compliance_test(const struct profile *profile, const struct region_tests *tests,
                       const struct settings *settings, struct findings *findings);

#endif
