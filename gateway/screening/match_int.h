/* match_int.h - how alike are two names? The formula stands at the top of match.c. */
#ifndef SCREENING_MATCH_INT_H
#define SCREENING_MATCH_INT_H

#include "screening/index_int.h"

/* What was different, for the reason. */
struct verdict {
    uint32_t score;   /* 0..100 */
    uint8_t letters;  /* that differ in words that were taken for each other */
    uint8_t joined;   /* words written as one, or apart */
    uint8_t initials; /* that stand for a name */
    uint8_t voweled;  /* words alike but for their vowels */
    uint8_t missing;  /* words of the list's name that were not asked for */
    uint8_t extra;    /* words asked for that the list's name has not */
    uint8_t small;    /* particles, legal forms and titles on one side only */
    bool reordered;
    bool exact;
};

/* How many letters may differ when the longer word has so many. */
static inline unsigned letters_allowed(size_t longer)
{
    return longer <= 3 ? 0 : longer <= 7 ? 1 : longer <= 12 ? 2 : 3;
}

#define ALIKE_VOWELS 0xFF /* *letters: the words differ in vowels only */
/* 0..1000, 0: not the same word. *letters: how many differ. */
uint32_t alike(const struct token *a, const struct token *b, uint8_t *letters);

/* Compares words asked for with words of a name of the list. `firm`: not a person. */
void match_names(const struct token *asked, size_t asked_count, const struct token *listed,
                 size_t listed_count, bool firm, struct verdict *out);

/* What `words` points of weight, of which `found` were found, could score at most; for leaving out
 * names before they are compared. */
uint32_t match_bound(uint32_t found, uint32_t words);

#endif
