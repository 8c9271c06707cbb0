/* rules.h - region profiles in the simulated world: what payments are decided by, who changes it
 * while they run, who says yes to what waits, and whether the figures held.
 *
 *     rulebook.c      the profiles of config/profiles, in a folder of this process
 *     rules_side.c    operators: they reload profiles, broken ones too, roll back, and review
 *     story_hold.c    whom a payment names, and what payers do who must say yes first
 *     check_rules.c   every sum anew from the journal, against the figures of the version in force
 *     check_held.c    what waits for a yes, by the version that decided it
 *
 * A run without rules has the profile of config/regions, which says nothing.
 */
#ifndef SIMULATION_RULES_H
#define SIMULATION_RULES_H

#include "payment/authenticate.h"
#include "settings/settings.h"
#include "store/store.h"

struct world;
struct story;
struct ask;

/* --- the texts of the default region -----------------------------------------------------------
 */
enum rules_text {
    RULES_PLAIN = 1,
    RULES_NORMAL,
    RULES_STRICT,
    RULES_LOOSE,
    RULES_BROKEN_FORM, /* this and those behind it cannot come into force */
    RULES_BROKEN_FACT,
    RULES_BROKEN_ZONE,
    RULES_END
};

struct rulebook;
/* Makes a folder with the settings of `config`, the profile's file apart. NULL, and a line on
 * stderr, when something is wrong with them. */
struct rulebook *rulebook_open(const char *config);
void rulebook_close(struct rulebook *book);
const char *rulebook_folder(const struct rulebook *book);
/* Writes the profile's file. The same text with another serial has another hash. */
void rulebook_put(const struct rulebook *book, enum rules_text text, unsigned serial);
/* NULL: broken. */
const struct region_settings *rulebook_region(const struct rulebook *book, enum rules_text text);
/* By `version`; 0: none of ours. */
enum rules_text rulebook_by_version(const struct rulebook *book, struct view version);

/* --- operators ---------------------------------------------------------------------------------
 */
struct rules_side;
/* Before the settings are loaded: puts the first profile into its file, and the wall clock shortly
 * before a day, week, month, year or night begins, or so. */
enum status rules_side_open(struct rules_side **out, struct world *world);
/* Nobody says anything any more. */
void rules_side_stop(struct rules_side *side);
void rules_side_close(struct rules_side *side);
bool rules_side_on(const struct rules_side *side);
/* In some runs payments come so slowly that windows slide on under them. */
int64_t rules_side_every_us(struct rules_side *side, int64_t every_us);
/* Before the gateway opens: `settings` gets the profile that is in the file now. */
void rules_side_wakes(struct rules_side *side, struct settings *settings);
/* After it has closed or crashed. */
void rules_side_sleeps(struct rules_side *side);
void rules_side_trouble(struct rules_side *side);
void rules_side_calm(struct rules_side *side);
/* Wall clock from which on nothing disturbs any more, and the gateway is up for good. */
int64_t rules_side_calm_us(const struct rules_side *side);
/* Moves the wall clock. */
void rules_side_jump(struct rules_side *side, int64_t by_us);
/* Whether this text may have been in force at that wall clock. */
bool rules_side_in_force(const struct rules_side *side, enum rules_text text, int64_t wall_us);
/* Sometimes the gateway crashes soon after something was asked of it. */
struct dice;
void rules_side_hurts(struct world *world, struct dice *dice, unsigned percent, int64_t within_us);
/* Whether an operator has said yes to it, or tried to. */
bool rules_side_approved(const struct rules_side *side, int64_t payment);
/* The one in force at the end. */
enum rules_text rules_side_now(const struct rules_side *side);
/* What the payer's device shows at that time. */
bool rules_side_code(struct rules_side *side, const struct authentication_of *of, int64_t wall_us,
                     char out[AUTHENTICATION_CODE_DIGITS + 1]);
/* An assertion of the issuer over these bytes. */
void rules_side_sign(struct rules_side *side, struct view bytes, uint8_t out[64]);

/* --- a story's part ----------------------------------------------------------------------------
 */
struct story_hold {
    char payer[8], account[24], device[8], payee[8]; /* "": not named */
    const char *risk;                                /* "": not said */
    bool watched, gambling;
    bool nobody;   /* no payer says anything */
    bool said_yes; /* its payer did, or tried to */
};
/* Adds payer, payee, device and risk to the request. */
void story_hold_parties(struct ask *create);
/* False: it waits for something else than a payer's yes. */
bool story_hold_meets(struct story *story);

/* --- checks ------------------------------------------------------------------------------------
 */
struct rules_check;
struct rules_check *rules_check_open(struct world *world);
/* Every payment once, before the journal. */
void rules_check_payment(struct rules_check *check, const struct story *story,
                         const struct payment_row *p, size_t attempts);
/* Every event of the journal in its order. */
void rules_check_event(struct rules_check *check, const struct event_row *e);
void rules_check_close(struct rules_check *check);
/* check_held.c */
struct held_seen {
    const struct region_settings *profile;   /* by which it was decided; NULL: not known */
    int64_t payer_from_us, operator_from_us; /* wall clock since when one is waited for; 0: never */
    int64_t wrongs;                          /* results of the payer */
};
void held_check_event(struct world *world, struct held_seen *seen, const struct event_row *e);

#endif
