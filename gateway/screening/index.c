/* index.c - see index_int.h.
 *
 * Each index is two arrays: where the numbers of a key begin, and the numbers. They are built in
 * two walks over the book, one that counts and one that fills in, by the same function.
 *
 * A word one letter away from another has a key of index_shortened in common with it, whatever the
 * letter did: was changed, left out, added, or has changed places with its neighbour. That holds
 * for short words, where three-letter groups would all be destroyed. Long words that are two or
 * three letters away still share groups: a change destroys at most three of as many as the word has
 * letters.
 */
#include "screening/index_int.h"

#include "base/ensure.h"

#include <stdlib.h>

/* --- keys of a word -------------------------------------------------------------------------- */

size_t index_groups(const uint16_t *letters, size_t len, uint32_t keys[BOOK_WORD_MAX + 1])
{
    ENSURE(len <= BOOK_WORD_MAX);
    for (size_t i = 0; i < len; i++) { /* the word's ends count as letters */
        uint16_t group[3] = { i > 0 ? letters[i - 1] : 1, letters[i],
                              i + 1 < len ? letters[i + 1] : 1 };
        keys[i] = letters_hash(group, 3, 3);
    }
    return len;
}

size_t index_shortened(const uint16_t *letters, size_t len, uint32_t keys[BOOK_WORD_MAX + 1])
{
    ENSURE(len <= BOOK_WORD_MAX);
    uint16_t rest[BOOK_WORD_MAX];
    size_t count = 0;
    keys[count++] = letters_hash(letters, len, 1);
    for (size_t gap = 0; gap < len; gap++) {
        if (gap > 0 && letters[gap] == letters[gap - 1])
            continue; /* leaving out either of two equal letters is the same */
        memcpy(rest, letters, gap * sizeof *rest);
        memcpy(rest + gap, letters + gap + 1, (len - gap - 1) * sizeof *rest);
        keys[count++] = letters_hash(rest, len - 1, 1);
    }
    return count;
}

static bool is_vowel(uint16_t letter)
{
    return letter == 'a' || letter == 'e' || letter == 'i' || letter == 'o' || letter == 'u';
}

bool is_vowelless(const uint16_t *letters, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (letters[i] < 'a' || letters[i] > 'z' || (i > 0 && is_vowel(letters[i])))
            return false;
    return len >= 3;
}

size_t skeleton_of(const uint16_t *letters, size_t len, uint16_t out[BOOK_WORD_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++) {
        uint16_t letter = letters[i] == 'q' ? 'k' : letters[i];
        /* w and y are long vowels as often as consonants */
        if (is_vowel(letter) || letter == 'w' || letter == 'y' ||
            (count > 0 && out[count - 1] == letter))
            continue;
        out[count++] = letter;
    }
    return count;
}

size_t index_skeleton(const uint16_t *letters, size_t len, uint32_t keys[BOOK_WORD_MAX + 1])
{
    uint16_t bones[BOOK_WORD_MAX];
    size_t count = skeleton_of(letters, len, bones);
    if (count < 3)
        return 0;
    keys[0] = letters_hash(bones, count, 2);
    return 1;
}

size_t index_join(const struct token *tokens, size_t count, uint16_t out[BOOK_WORD_MAX])
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        size_t size = tokens[i].len < BOOK_WORD_MAX - len ? tokens[i].len : BOOK_WORD_MAX - len;
        memcpy(out + len, tokens[i].letters, size * sizeof *out);
        len += size;
    }
    return len;
}

uint32_t index_joined(const uint16_t *letters, size_t len)
{
    return letters_hash(letters, len, 4);
}

/* --- building -------------------------------------------------------------------------------- */

struct pass {
    struct keyed *index;
    const struct book *book;
    bool fills;
};

static void put(const struct pass *p, uint32_t key, uint32_t id)
{
    uint32_t at = key & p->index->mask;
    if (p->fills)
        p->index->ids[--p->index->start[at]] = id;
    else
        p->index->start[at]++;
}

typedef size_t keys_of_word(const uint16_t *letters, size_t len, uint32_t keys[BOOK_WORD_MAX + 1]);

static void walk_words(const struct pass *p, keys_of_word *keys_of, size_t from, size_t to)
{
    uint32_t keys[BOOK_WORD_MAX + 1];
    for (size_t i = 0; i < p->book->words.count; i++) {
        const struct book_word *word = &book_words(p->book)[i];
        if (word->class != WORD_PLAIN || word->names == 0 || word->len < from || word->len > to ||
            (word->letter_set & LETTER_SET_DIGIT) != 0)
            continue;
        size_t count = keys_of(book_letters(p->book, word), word->len, keys);
        for (size_t k = 0; k < count; k++)
            put(p, keys[k], (uint32_t)i);
    }
}

static size_t index_own_groups(const uint16_t *letters, size_t len,
                               uint32_t keys[BOOK_WORD_MAX + 1])
{
    size_t count = index_groups(letters, len, keys);
    for (size_t i = 0; i < count; i++)
        keys[i] = index_group_in(keys[i], len);
    return count;
}

static void walk_groups(const struct pass *p)
{
    walk_words(p, index_own_groups, INDEX_LONG, BOOK_WORD_MAX);
}
static void walk_shortened(const struct pass *p)
{
    walk_words(p, index_shortened, 3, INDEX_SHORT);
}
static void walk_skeletons(const struct pass *p)
{
    walk_words(p, index_skeleton, 3, BOOK_WORD_MAX);
}

static void walk_holders(const struct pass *p)
{
    for (size_t n = 0; n < p->book->names.count; n++) {
        const struct book_name *name = &book_names(p->book)[n];
        for (size_t t = 0; t < name->tokens; t++)
            put(p, book_tokens(p->book)[name->tokens_at + t], (uint32_t)n);
    }
}

static void walk_joined(const struct pass *p)
{
    struct token tokens[BOOK_TOKENS_MAX];
    uint16_t whole[BOOK_WORD_MAX];
    for (size_t n = 0; n < p->book->names.count; n++) {
        const struct book_name *name = &book_names(p->book)[n];
        for (size_t t = 0; t < name->tokens; t++)
            tokens[t] = book_token(p->book, book_tokens(p->book)[name->tokens_at + t]);
        for (size_t t = 0; t + 2 <= name->tokens; t++) {
            for (size_t joined = 2; joined <= INDEX_JOINED && t + joined <= name->tokens;
                 joined++) {
                size_t len = index_join(&tokens[t], joined, whole);
                put(p, index_joined(whole, len), (uint32_t)n);
            }
        }
    }
}

/* `keys`: how many places are worth having. */
static enum status build(struct keyed *k, const struct book *book,
                         void (*walk)(const struct pass *), size_t keys)
{
    size_t places = 1024;
    while (places < keys)
        places *= 2;
    *k = (struct keyed){ .mask = (uint32_t)(places - 1),
                         .start = calloc(places + 1, sizeof *k->start) };
    if (k->start == NULL)
        return STATUS_NO_MEMORY;
    walk(&(struct pass){ .index = k, .book = book, .fills = false });
    uint32_t sum = 0;
    for (size_t i = 0; i < places; i++)
        k->start[i] = sum += k->start[i];
    k->start[places] = sum;
    k->ids = malloc((sum > 0 ? sum : 1) * sizeof *k->ids);
    if (k->ids == NULL)
        return STATUS_NO_MEMORY;
    /* start[] holds the ends now; filling from the back turns them into beginnings. */
    walk(&(struct pass){ .index = k, .book = book, .fills = true });
    return STATUS_OK;
}

static enum status build_all(struct index *x, const struct book *book)
{
    size_t words = book->words.count;
    TRY(build(&x->groups, book, walk_groups, 131072));
    TRY(build(&x->shortened, book, walk_shortened, 4 * words));
    TRY(build(&x->skeletons, book, walk_skeletons, words));
    TRY(build(&x->holders, book, walk_holders, words)); /* more places than words: one each */
    return build(&x->joined, book, walk_joined, 2 * book->names.count);
}

enum status index_open(struct index *x, const struct book *book)
{
    *x = (struct index){ .groups.mask = 0 };
    enum status s = build_all(x, book);
    if (s != STATUS_OK)
        index_close(x);
    return s;
}

void index_close(struct index *x)
{
    struct keyed *all[] = { &x->groups, &x->shortened, &x->skeletons, &x->holders, &x->joined };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        free(all[i]->start);
        free(all[i]->ids);
        *all[i] = (struct keyed){ .mask = 0 };
    }
}
