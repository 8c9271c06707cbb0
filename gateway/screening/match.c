/* match.c - the formula: how alike are two names?
 *
 * Words are paired, whatever their order, each at most once:
 *
 *     the same word                                              likeness 1
 *     written together or apart (Xiaoming, Xiao Ming)            as the words put together are
 *                                                                alike
 *     letters differ                                             1 - 0.6 * d / longer, and 0.04
 *                                                                less when the first letter differs
 *     alike but for vowels, one side written without             0.88
 *     an initial for a name                                      0.85, with an initial's weight
 *
 * d counts letters changed, added, left out or swapped with their neighbour (optimal string
 * alignment): none in words of up to 3 letters, 1 up to 7, 2 up to 12, 3 above; none in words with
 * digits. Words weigh 0.4 to 1 by their rarity in the lists, particles, legal forms and titles next
 * to nothing (book.c). Then
 *
 *                            sum of weight * likeness over pairs
 *     score = 100 * -------------------------------------------------------
 *                    weight of pairs + contradiction + lack + 0.2 * small
 *
 *     small           weight of unpaired particles, legal forms, titles and initials
 *     contradiction   what is unpaired on both sides: the smaller of the two weights. Different
 *                     words where there should be the same one
 *     lack            what one side has more: a middle name or a second surname left out. Costs
 *                     0.15 of its weight as long as two words are paired and it is at most 0.75 of
 *                     their weight, 0.5 of the rest; when one word is paired, all of it (0.5 when
 *                     an initial goes with it, or when it is a rare word of a firm's name)
 *
 * Only the same words in the same order are 100; in another order 99; with anything else at
 * most 98. So two people who share one name have a contradiction that weighs as much as what they
 * share, and stay below 70; one wrong letter in a long name costs three to seven points.
 */
#include "screening/match_int.h"

#include "base/ensure.h"

#define SIM_VOWELS  880u
#define SIM_INITIAL 850u

/* --- two words ------------------------------------------------------------------------------- */

/* Optimal string alignment distance, or limit + 1 when it is more. Only the band of the table that
 * can stay within the limit is computed. */
static unsigned distance(const struct token *a, const struct token *b, unsigned limit)
{
    uint8_t rows[3][BOOK_WORD_MAX + 2];
    uint8_t far = (uint8_t)(limit + 1);
    size_t la = a->len, lb = b->len;
    memset(rows, far, sizeof rows);
    for (size_t j = 0; j <= lb && j <= limit; j++)
        rows[0][j] = (uint8_t)j;
    for (size_t i = 1; i <= la; i++) {
        uint8_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *twice = rows[(i + 1) % 3];
        size_t from = i > limit ? i - limit : 1, to = i + limit < lb ? i + limit : lb;
        uint8_t least = far;
        row[from - 1] = from == 1 && i <= limit ? (uint8_t)i : far;
        for (size_t j = from; j <= to; j++) {
            uint8_t best = (uint8_t)(above[j - 1] + (a->letters[i - 1] != b->letters[j - 1]));
            uint8_t other = (uint8_t)((above[j] < row[j - 1] ? above[j] : row[j - 1]) + 1);
            best = other < best ? other : best;
            if (i > 1 && j > 1 && a->letters[i - 1] == b->letters[j - 2] &&
                a->letters[i - 2] == b->letters[j - 1] && twice[j - 2] + 1 < best)
                best = (uint8_t)(twice[j - 2] + 1);
            row[j] = best < far ? best : far;
            least = row[j] < least ? row[j] : least;
        }
        row[to + 1] = far;
        /* A swap may still come from the row above. */
        if (least >= far && i > 1) {
            uint8_t before = far;
            for (size_t j = from > 1 ? from - 1 : 0; j <= to; j++)
                before = above[j] < before ? above[j] : before;
            if (before >= far)
                return far;
        }
    }
    return rows[la % 3][lb];
}

uint32_t alike(const struct token *a, const struct token *b, uint8_t *letters)
{
    size_t longer = a->len > b->len ? a->len : b->len;
    size_t shorter = a->len + b->len - longer;
    *letters = 0;
    if (a->len == b->len && memcmp(a->letters, b->letters, a->len * sizeof *a->letters) == 0)
        return 1000;
    if (((a->letter_set | b->letter_set) & LETTER_SET_DIGIT) != 0)
        return 0;
    unsigned limit = letters_allowed(longer);
    if (limit > 0 && longer - shorter <= limit &&
        (unsigned)__builtin_popcount(a->letter_set ^ b->letter_set) <= 2 * limit) {
        unsigned d = distance(a, b, limit);
        if (d <= limit) {
            *letters = (uint8_t)d;
            return 1000 - (uint32_t)(600 * d / longer) - (a->letters[0] != b->letters[0] ? 40 : 0);
        }
    }
    if (is_vowelless(a->letters, a->len) != is_vowelless(b->letters, b->len)) {
        uint16_t bones_a[BOOK_WORD_MAX], bones_b[BOOK_WORD_MAX];
        size_t count = skeleton_of(a->letters, a->len, bones_a);
        if (count >= 3 && count == skeleton_of(b->letters, b->len, bones_b) &&
            memcmp(bones_a, bones_b, count * sizeof *bones_a) == 0) {
            *letters = ALIKE_VOWELS;
            return SIM_VOWELS;
        }
    }
    return 0;
}

/* --- two names ------------------------------------------------------------------------------- */

struct pairing {
    const struct token *asked, *listed;
    size_t asked_count, listed_count;
    uint8_t to[BOOK_TOKENS_MAX]; /* of a word asked for: number of the listed one plus one */
    bool taken[BOOK_TOKENS_MAX]; /* of a listed word */
    uint32_t gained;             /* weight * likeness / 1000 */
    uint32_t paired;             /* weight */
    uint32_t lack;               /* of initials: the rest of the name */
    uint32_t rarest;             /* heaviest paired word */
    unsigned plain;              /* paired words that say who it is */
};

static void pair_up(struct pairing *p, size_t i, size_t j, uint32_t weight, uint32_t likeness)
{
    p->to[i] = (uint8_t)(j + 1);
    p->taken[j] = true;
    p->paired += weight;
    p->gained += weight * likeness / 1000;
    if (weight > p->rarest)
        p->rarest = weight;
}

static void pair_same(struct pairing *p)
{
    for (size_t i = 0; i < p->asked_count; i++) {
        const struct token *asked = &p->asked[i];
        for (size_t j = 0; asked->word != BOOK_NONE && j < p->listed_count; j++) {
            if (p->taken[j] || p->listed[j].word != asked->word)
                continue;
            pair_up(p, i, j, asked->weight, 1000);
            p->plain += asked->class == WORD_PLAIN;
            break;
        }
    }
}

/* The most alike first. */
static void pair_alike(struct pairing *p, struct verdict *v)
{
    for (;;) {
        uint32_t best = 0;
        size_t best_i = 0, best_j = 0;
        uint8_t best_letters = 0;
        for (size_t i = 0; i < p->asked_count; i++) {
            for (size_t j = 0; p->to[i] == 0 && j < p->listed_count; j++) {
                uint8_t letters;
                if (p->taken[j] || p->asked[i].class != WORD_PLAIN ||
                    p->listed[j].class != WORD_PLAIN)
                    continue;
                uint32_t likeness = alike(&p->asked[i], &p->listed[j], &letters);
                if (likeness > best) {
                    best = likeness;
                    best_i = i;
                    best_j = j;
                    best_letters = letters;
                }
            }
        }
        if (best == 0)
            return;
        pair_up(p, best_i, best_j, p->asked[best_i].weight, best);
        p->plain++;
        if (best_letters == ALIKE_VOWELS)
            v->voweled++;
        else
            v->letters += best_letters;
    }
}

/* Is one[at] what `count` words of many[from..] are when written together? */
static uint32_t alike_joined(const struct token *one, const struct token *many, size_t count,
                             uint8_t *letters)
{
    uint16_t whole[BOOK_WORD_MAX];
    size_t len = index_join(many, count, whole);
    struct token joined = { .letters = whole,
                            .letter_set = letter_set_of(whole, len),
                            .len = (uint8_t)len,
                            .class = WORD_PLAIN };
    return alike(one, &joined, letters);
}

static bool free_run(const struct pairing *p, bool of_listed, size_t from, size_t count)
{
    bool plain = false;
    for (size_t k = from; k < from + count; k++) {
        if (of_listed ? p->taken[k] : p->to[k] != 0)
            return false;
        plain |= (of_listed ? p->listed[k] : p->asked[k]).class == WORD_PLAIN;
    }
    return plain;
}

/* `least`: likeness from which it counts. */
static void pair_joined(struct pairing *p, struct verdict *v, uint32_t least)
{
    uint8_t letters;
    for (size_t i = 0; i < p->asked_count; i++) { /* one asked for, several listed */
        for (size_t j = 0; p->to[i] == 0 && j < p->listed_count; j++) {
            for (size_t n = 2; n <= INDEX_JOINED && j + n <= p->listed_count; n++) {
                uint32_t likeness;
                if (p->to[i] != 0 || !free_run(p, true, j, n) ||
                    (likeness = alike_joined(&p->asked[i], &p->listed[j], n, &letters)) < least)
                    continue;
                pair_up(p, i, j, p->asked[i].weight, likeness);
                for (size_t k = j; k < j + n; k++)
                    p->taken[k] = true;
                p->plain += 2;
                v->joined++;
                v->letters += letters != ALIKE_VOWELS ? letters : 0;
            }
        }
    }
    for (size_t j = 0; j < p->listed_count; j++) { /* several asked for, one listed */
        for (size_t i = 0; !p->taken[j] && i < p->asked_count; i++) {
            for (size_t n = 2; n <= INDEX_JOINED && i + n <= p->asked_count; n++) {
                uint32_t likeness;
                if (p->taken[j] || !free_run(p, false, i, n) ||
                    (likeness = alike_joined(&p->listed[j], &p->asked[i], n, &letters)) < least)
                    continue;
                for (size_t k = i; k < i + n; k++)
                    p->to[k] = (uint8_t)(j + 1);
                pair_up(p, i, j, p->listed[j].weight, likeness);
                p->plain += 2;
                v->joined++;
                v->letters += letters != ALIKE_VOWELS ? letters : 0;
            }
        }
    }
}

static void pair_initials(struct pairing *p, struct verdict *v)
{
    for (size_t i = 0; i < p->asked_count; i++) {
        for (size_t j = 0; p->to[i] == 0 && j < p->listed_count; j++) {
            const struct token *a = &p->asked[i], *b = &p->listed[j];
            bool of_asked = a->class == WORD_INITIAL && b->class == WORD_PLAIN;
            bool of_listed = b->class == WORD_INITIAL && a->class == WORD_PLAIN;
            if (p->taken[j] || a->letters[0] != b->letters[0] || (!of_asked && !of_listed))
                continue;
            const struct token *initial = of_asked ? a : b, *name = of_asked ? b : a;
            pair_up(p, i, j, initial->weight, SIM_INITIAL);
            p->lack += name->weight - initial->weight;
            v->initials++;
        }
    }
}

static uint32_t cost_of_lack(uint32_t lack, uint32_t gained)
{
    uint32_t little = 3 * gained / 4;
    return lack <= little ? lack * 15 / 100 : little * 15 / 100 + (lack - little) / 2;
}

uint32_t match_bound(uint32_t found, uint32_t words)
{
    if (found >= words)
        return 100;
    return found > 0 ? 100 * found / (found + cost_of_lack(words - found, found)) : 0;
}

static void settle(const struct pairing *p, bool firm, struct verdict *v)
{
    uint32_t unpaired_asked = 0, unpaired_listed = 0, small = 0;
    size_t last = 0;
    for (size_t i = 0; i < p->asked_count; i++) {
        if (p->to[i] != 0) {
            v->reordered |= p->to[i] < last;
            last = p->to[i];
        } else if (p->asked[i].class == WORD_PLAIN) {
            unpaired_asked += p->asked[i].weight;
            v->extra++;
        } else {
            small += p->asked[i].weight;
            v->small++;
        }
    }
    for (size_t j = 0; j < p->listed_count; j++) {
        if (p->taken[j])
            continue;
        if (p->listed[j].class == WORD_PLAIN) {
            unpaired_listed += p->listed[j].weight;
            v->missing++;
        } else {
            small += p->listed[j].weight;
            v->small++;
        }
    }
    bool asked_less = unpaired_asked < unpaired_listed;
    uint32_t contradiction = asked_less ? unpaired_asked : unpaired_listed;
    uint32_t lack = unpaired_asked + unpaired_listed - 2 * contradiction + p->lack;
    if (p->plain >= 2)
        lack = cost_of_lack(lack, p->gained);
    else if (p->plain == 1 && (v->initials > 0 || (firm && p->rarest >= 900)))
        lack /= 2;
    uint32_t whole = p->paired + contradiction + lack + small / 5;
    v->score = whole > 0 ? (100 * p->gained + whole / 2) / whole : 0;
    bool same =
        v->letters + v->joined + v->initials + v->voweled + v->missing + v->extra + v->small == 0;
    v->exact = same && !v->reordered;
    uint32_t most = v->exact ? 100 : same ? 99 : 98;
    if (same && v->reordered && v->score > 0)
        v->score--;
    v->score = v->score < most ? v->score : most;
}

void match_names(const struct token *asked, size_t asked_count, const struct token *listed,
                 size_t listed_count, bool firm, struct verdict *out)
{
    ENSURE(asked_count <= BOOK_TOKENS_MAX && listed_count <= BOOK_TOKENS_MAX);
    struct pairing p = {
        .asked = asked, .listed = listed, .asked_count = asked_count, .listed_count = listed_count
    };
    *out = (struct verdict){ .score = 0 };
    pair_same(&p);
    pair_joined(&p, out, 1000);
    pair_alike(&p, out);
    pair_joined(&p, out, 1);
    pair_initials(&p, out);
    settle(&p, firm, out);
}
