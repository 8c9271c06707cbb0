/* find.c - a lookup: from the words asked for to the names that could score, and only those
 * compared.
 *
 *     1 the name is normalised and split into words
 *     2 for each word: the words of the lists that are alike (index.c), and then the names that
 *       hold them; each such name is marked with the weight that was found
 *     3 names whose marks could reach the threshold (match_bound) are compared in full (match.c)
 *     4 birth, alias: a year of birth more than two years off what the list says takes 12 points,
 *       a weak alias 5; nothing adds
 *     5 the best name of each entry, best first
 *
 * Particles, legal forms, titles and initials are in so many names that they are not looked up
 * (unless the name has nothing else): what they weigh is granted to every name in step 3. Nothing
 * is allocated; the arrays of find_room have a place for each word and each name of the lists, and
 * what a lookup has touched it zeroes again.
 */
#include "screening/find_int.h"

#include "base/ensure.h"

#include <stdlib.h>

#define FIND_SEEN         0xFF
#define BIRTH_POINTS      12
#define BIRTH_YEARS_MAX   2
#define WEAK_POINTS       5
#define SIM_MIN           700u
#define WEIGHT_OF_INITIAL 300u

enum status find_room_open(struct find_room *room, const struct book *book)
{
    size_t words = book->words.count + 1, names = book->names.count + 1;
    *room = (struct find_room){ .shared = calloc(words, sizeof *room->shared),
                                .words = calloc(words, sizeof *room->words),
                                .like = calloc(words, sizeof *room->like),
                                .asked = calloc(words, sizeof *room->asked),
                                .asked_words = calloc(words, sizeof *room->asked_words),
                                .marks = calloc(names, sizeof *room->marks),
                                .names = calloc(names, sizeof *room->names) };
    if (room->shared != NULL && room->words != NULL && room->like != NULL && room->asked != NULL &&
        room->asked_words != NULL && room->marks != NULL && room->names != NULL)
        return STATUS_OK;
    find_room_close(room);
    return STATUS_NO_MEMORY;
}

void find_room_close(struct find_room *room)
{
    free(room->shared);
    free(room->words);
    free(room->like);
    free(room->asked);
    free(room->asked_words);
    free(room->marks);
    free(room->names);
    *room = (struct find_room){ .shared = NULL };
}

struct search {
    const struct book *book;
    const struct index *index;
    struct find_room *room;
    const struct screening_query *query;
    uint32_t lists;
    const char *const *list_names;
    struct token tokens[BOOK_TOKENS_MAX];
    size_t count;
    size_t words_touched, names_touched, asked_count;
    uint32_t granted;                       /* weight that every name is taken to have */
    uint32_t heaviest[BOOK_TOKENS_MAX + 1]; /* what so many words asked for weigh at most */
    struct screening_hit *hits;
    uint32_t hit_entries[SCREENING_HITS_MAX];
    size_t hits_count;
    uint32_t best;
};

/* --- words that are alike -------------------------------------------------------------------- */

/* Could at most so many letters differ? A letter that is changed changes two bits of a set. */
static bool is_near(const struct search *s, const struct token *token, uint32_t word)
{
    const struct book_word *row = &book_words(s->book)[word];
    size_t longer = token->len > row->len ? token->len : row->len;
    return (unsigned)__builtin_popcount(token->letter_set ^ row->letter_set) <=
           2 * letters_allowed(longer);
}

/* Compares a word of the lists once. */
static size_t consider(struct search *s, const struct token *token, uint32_t word, size_t found)
{
    uint8_t letters;
    if (s->room->shared[word] == 0)
        s->room->words[s->words_touched++] = word;
    if (s->room->shared[word] == FIND_SEEN)
        return found;
    s->room->shared[word] = FIND_SEEN;
    struct token other = book_token(s->book, word);
    uint32_t likeness = alike(token, &other, &letters);
    if (likeness >= SIM_MIN)
        s->room->like[found++] = (struct found_word){ .word = word, .likeness = likeness };
    return found;
}

static size_t consider_all(struct search *s, const struct token *token, const struct keyed *keyed,
                           const uint32_t *keys, size_t keys_count, size_t found)
{
    for (size_t k = 0; k < keys_count; k++) {
        size_t count;
        const uint32_t *words = keyed_get(keyed, keys[k], &count);
        for (size_t i = 0; i < count; i++)
            found = consider(s, token, words[i], found);
    }
    return found;
}

/* Counts for each word of `len` letters how many groups it shares. */
static size_t count_groups(struct search *s, const uint32_t *keys, size_t keys_count, size_t len,
                           size_t touched)
{
    uint8_t *shared = s->room->shared;
    uint32_t *list = s->room->words;
    for (size_t k = 0; k < keys_count; k++) {
        size_t count;
        const uint32_t *words = keyed_get(&s->index->groups, index_group_in(keys[k], len), &count);
        for (size_t i = 0; i < count; i++) {
            uint32_t word = words[i];
            uint8_t before = shared[word];
            if (before == 0)
                list[touched++] = word;
            shared[word] = (uint8_t)(before + (before < FIND_SEEN - 1));
        }
    }
    return touched;
}

/* Words that share enough groups of three letters. */
static size_t consider_groups(struct search *s, const struct token *token, size_t found)
{
    uint32_t keys[BOOK_WORD_MAX + 1];
    size_t keys_count = index_groups(token->letters, token->len, keys), touched = s->words_touched;
    size_t allowed = letters_allowed(token->len), destroyed = 3 * allowed;
    for (size_t len = token->len - allowed; len <= BOOK_WORD_MAX; len++) {
        if (len > token->len && len - token->len > letters_allowed(len))
            break;
        touched = count_groups(s, keys, keys_count, len, touched);
    }
    size_t enough = token->len > destroyed + 2 ? token->len - destroyed : 2;
    for (size_t i = s->words_touched; i < touched; i++)
        if (s->room->shared[s->room->words[i]] >= enough && is_near(s, token, s->room->words[i]))
            found = consider(s, token, s->room->words[i], found);
    s->words_touched = touched;
    return found;
}

/* Fills room->like with the words of the lists that are like this one, itself first. */
static size_t find_alike(struct search *s, const struct token *token)
{
    uint32_t keys[BOOK_WORD_MAX + 1];
    size_t found = 0, count;
    s->words_touched = 0;
    if (token->word != BOOK_NONE && book_words(s->book)[token->word].names > 0)
        found = consider(s, token, token->word, found);
    if (token->class == WORD_PLAIN && (token->letter_set & LETTER_SET_DIGIT) == 0) {
        if (token->len <= INDEX_SHORT) {
            count = index_shortened(token->letters, token->len, keys);
            found = consider_all(s, token, &s->index->shortened, keys, count, found);
        }
        count = index_skeleton(token->letters, token->len, keys);
        found = consider_all(s, token, &s->index->skeletons, keys, count, found);
        if (token->len >= INDEX_LONG)
            found = consider_groups(s, token, found);
    }
    for (size_t i = 0; i < s->words_touched; i++)
        s->room->shared[s->room->words[i]] = 0;
    return found;
}

/* --- names that hold them -------------------------------------------------------------------- */

static void mark(struct search *s, uint32_t name, size_t by, uint32_t weight)
{
    struct name_mark *m = &s->room->marks[name];
    if (m->by == 0)
        s->room->names[s->names_touched++] = name;
    if (m->by != by + 1) {
        m->by = (uint8_t)(by + 1);
        m->latest = 0;
    }
    if (weight > m->latest) {
        m->found += weight - m->latest;
        m->latest = (uint16_t)weight;
    }
}

static void mark_all(struct search *s, const struct keyed *keyed, uint32_t key, size_t by,
                     uint32_t weight, bool joined)
{
    size_t count;
    const uint32_t *names = keyed_get(keyed, key, &count);
    for (size_t i = 0; i < count; i++) {
        mark(s, names[i], by, weight);
        s->room->marks[names[i]].joined |= joined;
    }
}

static void mark_word(struct search *s, size_t at)
{
    struct token *token = &s->tokens[at];
    size_t found = find_alike(s, token);
    /* A word of no list may be a list's word misspelt: then it weighs what that weighs. */
    uint32_t best = 0;
    for (size_t i = 0; token->weight == 1000 && i < found; i++) {
        const struct found_word *like = &s->room->like[i];
        if (like->likeness <= best)
            continue;
        best = like->likeness;
        token->weight = book_words(s->book)[like->word].weight;
    }
    for (size_t i = 0; i < found; i++) {
        uint32_t word = s->room->like[i].word;
        if (s->room->asked[word] == 0)
            s->room->asked_words[s->asked_count++] = word;
        s->room->asked[word] = 1;
        mark_all(s, &s->index->holders, word, at, token->weight, false);
    }
    mark_all(s, &s->index->joined, index_joined(token->letters, token->len), at, token->weight,
             true);
}

/* Neighbouring words asked for that the lists write as one. */
static void mark_joined(struct search *s, size_t at)
{
    uint16_t whole[BOOK_WORD_MAX];
    uint32_t weight = s->tokens[at].weight;
    for (size_t n = 2; n <= INDEX_JOINED && at + n <= s->count; n++) {
        size_t len = index_join(&s->tokens[at], n, whole);
        uint32_t word = book_find(s->book, whole, len);
        weight += s->tokens[at + n - 1].weight;
        if (word != BOOK_NONE) /* numbered apart from the single words */
            mark_all(s, &s->index->holders, word, BOOK_TOKENS_MAX + at, weight, true);
    }
}

/* --- the names that could score -------------------------------------------------------------- */

static int32_t year_of(struct view date)
{
    uint64_t year;
    return view_is_digits(view_slice(date, 0, 4)) && date.len >= 4 &&
                   view_to_u64(view_slice(date, 0, 4), 9999, &year) == STATUS_OK
               ? (int32_t)year
               : 0;
}

/* How far from what the list says; -1: nothing to compare. */
static int32_t birth_distance(const struct search *s, const struct names_book_entry *entry,
                              int32_t *listed)
{
    int32_t year = year_of(s->query->birth_date), least = -1;
    for (size_t i = 0; year > 0 && i < entry->births; i++) {
        const struct book_birth *birth =
            &((const struct book_birth *)s->book->births.rows)[entry->births_at + i];
        int32_t nearest = year < birth->from_year ? birth->from_year
                          : year > birth->to_year ? birth->to_year
                                                  : year;
        int32_t apart = nearest > year ? nearest - year : year - nearest;
        if (least < 0 || apart < least) {
            least = apart;
            *listed = nearest;
        }
    }
    return least;
}

static void also(struct writer *w, const char *text)
{
    writer_text(w, w->len > 0 ? "; " : "");
    writer_text(w, text);
}

static void also_count(struct writer *w, unsigned count, const char *one, const char *many)
{
    if (count == 0)
        return;
    writer_text(w, w->len > 0 ? "; " : "");
    writer_u64_text(w, count);
    writer_u8(w, ' ');
    writer_text(w, count == 1 ? one : many);
}

static void explain(const struct search *s, const struct book_name *name, const struct verdict *v,
                    int32_t apart, int32_t listed, char out[SCREENING_REASON_MAX])
{
    const struct names_book_entry *entry = &book_entries(s->book)[name->entry];
    struct writer w = writer_over(out, SCREENING_REASON_MAX - 1);
    if (v->exact)
        also(&w, "the same name");
    if (v->reordered)
        also(&w, "name in other order");
    also_count(&w, v->letters, "letter differs", "letters differ");
    also_count(&w, v->voweled, "word differs in vowels", "words differ in vowels");
    if (v->joined > 0)
        also(&w, "words written together or apart");
    also_count(&w, v->initials, "initial fits", "initials fit");
    also_count(&w, v->missing, "word of the list's name missing",
               "words of the list's name missing");
    also_count(&w, v->extra, "word the list has not", "words the list has not");
    if (v->small > 0)
        also(&w, "particles, titles or legal forms differ");
    if ((name->flags & NAME_WEAK) != 0)
        also(&w, "weak alias");
    if (apart >= 0) {
        also(&w, "born ");
        writer_u64_text(&w, (uint64_t)year_of(s->query->birth_date));
        if (apart == 0)
            writer_text(&w, " fits");
        else
            writer_format(&w, ", the list says %d", (int)listed);
    }
    if (s->query->country.len == 2 &&
        view_equal_nocase(s->query->country, view_text(entry->country)))
        also(&w, "country fits");
    out[w.len] = '\0';
}

/* Puts a hit into its place; one entry has one place. */
static void keep(struct search *s, uint32_t entry, const struct screening_hit *hit)
{
    size_t at = s->hits_count;
    for (size_t i = 0; i < s->hits_count; i++)
        if (s->hit_entries[i] == entry)
            at = i;
    if (at < s->hits_count && s->hits[at].score >= hit->score)
        return;
    if (at == SCREENING_HITS_MAX) {
        if (s->hits[--at].score >= hit->score)
            return;
    } else if (at == s->hits_count) {
        s->hits_count++;
    }
    for (; at > 0 && s->hits[at - 1].score < hit->score; at--) {
        s->hits[at] = s->hits[at - 1];
        s->hit_entries[at] = s->hit_entries[at - 1];
    }
    s->hits[at] = *hit;
    s->hit_entries[at] = entry;
}

static void compare(struct search *s, const struct book_name *name)
{
    const struct names_book_entry *entry = &book_entries(s->book)[name->entry];
    struct token listed[BOOK_TOKENS_MAX];
    struct verdict v;
    for (size_t i = 0; i < name->tokens; i++)
        listed[i] = book_token(s->book, book_tokens(s->book)[name->tokens_at + i]);
    match_names(s->tokens, s->count, listed, name->tokens, entry->kind != ENTRY_PERSON, &v);
    int32_t year = 0, apart = birth_distance(s, entry, &year);
    uint32_t loss = (apart > BIRTH_YEARS_MAX ? BIRTH_POINTS : 0) +
                    ((name->flags & NAME_WEAK) != 0 ? WEAK_POINTS : 0);
    v.score -= loss < v.score ? loss : v.score;
    if (v.score > s->best)
        s->best = v.score;
    if (v.score < s->query->threshold || v.score == 0)
        return;
    struct screening_hit hit = { .score = v.score,
                                 .list = s->list_names[entry->list],
                                 .entry = book_text(s->book, entry->id_at),
                                 .name = book_text(s->book, name->text_at),
                                 .alias = (name->flags & NAME_ALIAS) != 0 };
    explain(s, name, &v, apart, year, hit.reason);
    keep(s, name->entry, &hit);
}

static void weigh_heaviest(struct search *s)
{
    bool taken[BOOK_TOKENS_MAX] = { false };
    s->heaviest[0] = 0;
    for (size_t n = 1; n <= s->count; n++) {
        size_t best = BOOK_TOKENS_MAX;
        for (size_t i = 0; i < s->count; i++)
            if (!taken[i] &&
                (best == BOOK_TOKENS_MAX || s->tokens[i].weight > s->tokens[best].weight))
                best = i;
        ENSURE(best < BOOK_TOKENS_MAX); /* n of them are not more than there are */
        taken[best] = true;
        s->heaviest[n] = s->heaviest[n - 1] + s->tokens[best].weight;
    }
}

/* A word of the list pairs with one word asked for (or with INDEX_JOINED that it is made of). So
 * "Ali" asked for twenty times is not twenty words of every name with an Ali; without this one
 * odd name would cost as much as thousands of others. */
static uint32_t most_paired(const struct search *s, const struct book_name *name, bool joined)
{
    size_t words = 0;
    for (size_t i = 0; i < name->tokens; i++)
        words += joined ? INDEX_JOINED : s->room->asked[book_tokens(s->book)[name->tokens_at + i]];
    return s->heaviest[words < s->count ? words : s->count];
}

static void forget_asked(struct search *s)
{
    for (size_t i = 0; i < s->asked_count; i++)
        s->room->asked[s->room->asked_words[i]] = 0;
}

static void compare_marked(struct search *s)
{
    weigh_heaviest(s);
    uint32_t all = s->heaviest[s->count];
    for (size_t i = 0; i < s->names_touched; i++) {
        uint32_t number = s->room->names[i];
        struct name_mark *m = &s->room->marks[number];
        const struct book_name *name = &book_names(s->book)[number];
        uint32_t found = m->found, most = most_paired(s, name, m->joined);
        found = (found < most ? found : most) + s->granted;
        *m = (struct name_mark){ .by = 0 };
        if ((s->lists & (UINT32_C(1) << book_entries(s->book)[name->entry].list)) == 0)
            continue;
        if ((name->flags & NAME_INITIAL) != 0)
            found += 2 * WEIGHT_OF_INITIAL;
        uint32_t least = s->query->threshold;
        if (s->hits_count == SCREENING_HITS_MAX) /* no place for less */
            least = s->hits[SCREENING_HITS_MAX - 1].score;
        if (match_bound(found, all) + 1 >= least)
            compare(s, name);
    }
}

/* Words that nobody compares may hide the one that matters: a person looks. */
static uint32_t too_long(struct search *s)
{
    size_t at = s->hits_count < SCREENING_HITS_MAX ? s->hits_count++ : SCREENING_HITS_MAX - 1;
    s->hits[at] =
        (struct screening_hit){ .score = 100,
                                .list = "",
                                .entry = "",
                                .name = "",
                                .reason = "the name has more words or letters than are compared" };
    return 100;
}

size_t find_names(const struct book *book, const struct index *index, struct find_room *room,
                  const struct screening_query *query, uint32_t lists,
                  const char *const *list_names, struct screening_hit hits[SCREENING_HITS_MAX],
                  uint32_t *best)
{
    struct search s = { .book = book,
                        .index = index,
                        .room = room,
                        .query = query,
                        .lists = lists,
                        .list_names = list_names,
                        .hits = hits };
    size_t len;
    uint16_t *letters = letters_normalise(book->speller, query->name, &len);
    bool plain = false, more = false;
    s.count = book_split(book, letters, len, s.tokens, &more);
    for (size_t i = 0; i < s.count; i++)
        plain |= s.tokens[i].class == WORD_PLAIN;
    for (size_t i = 0; i < s.count; i++) {
        if (s.tokens[i].class == WORD_PLAIN || !plain)
            mark_word(&s, i);
        else
            s.granted += s.tokens[i].weight;
    }
    for (size_t i = 0; i < s.count; i++)
        mark_joined(&s, i);
    compare_marked(&s);
    forget_asked(&s);
    *best = s.best;
    if (more || query->name.len > SCREENING_NAME_MAX)
        *best = too_long(&s);
    return s.hits_count;
}
