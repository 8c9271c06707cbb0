/* index_int.h - from letters to the words that resemble them, from words to names. See index.c. */
#ifndef SCREENING_INDEX_INT_H
#define SCREENING_INDEX_INT_H

#include "screening/book_int.h"

#define INDEX_SHORT  8 /* words up to here are found by what is left without one letter */
#define INDEX_JOINED 3 /* so many neighbouring words may be written as one */
#define INDEX_LONG   6 /* words from here on are found by groups of three letters */

/* Numbers by key: those of key k stand in ids[start[k & mask] .. start[(k & mask) + 1]). Other keys
 * may share a place; who asks compares what he finds. */
struct keyed {
    uint32_t mask;
    uint32_t *start;
    uint32_t *ids;
};

struct index {
    struct keyed groups;    /* three letters, and length of the word -> words */
    struct keyed shortened; /* a word, and the word without one letter -> words */
    struct keyed skeletons; /* consonants of a word -> words */
    struct keyed holders;   /* word -> names */
    struct keyed joined;    /* two or three neighbouring words as one -> names */
};

/* NO_MEMORY, then nothing is held. */
enum status index_open(struct index *x, const struct book *book);
void index_close(struct index *x);

static inline const uint32_t *keyed_get(const struct keyed *k, uint32_t key, size_t *count)
{
    uint32_t at = key & k->mask;
    *count = k->start[at + 1] - k->start[at];
    return k->ids + k->start[at];
}

/* The keys of a word; each returns how many (at most BOOK_WORD_MAX + 1). */
size_t index_groups(const uint16_t *letters, size_t len, uint32_t keys[BOOK_WORD_MAX + 1]);
/* The key of a group as words of `len` letters have it, from the key that index_groups gave. */
static inline uint32_t index_group_in(uint32_t key, size_t len)
{
    return key ^ (uint32_t)len * UINT32_C(0x9E3779B1) >> 15;
}
size_t index_shortened(const uint16_t *letters, size_t len, uint32_t keys[BOOK_WORD_MAX + 1]);
/* 0 keys when it has fewer than three consonants. */
size_t index_skeleton(const uint16_t *letters, size_t len, uint32_t keys[BOOK_WORD_MAX + 1]);
/* Consonants of a word as they are compared: no vowels, nothing twice in a row, k for q. */
size_t skeleton_of(const uint16_t *letters, size_t len, uint16_t out[BOOK_WORD_MAX]);
/* Written without vowels after its first letter, as Arabic and Hebrew are. */
bool is_vowelless(const uint16_t *letters, size_t len);
/* Words written as one, cut at BOOK_WORD_MAX letters; and the key of that. */
size_t index_join(const struct token *tokens, size_t count, uint16_t out[BOOK_WORD_MAX]);
uint32_t index_joined(const uint16_t *letters, size_t len);

#endif
