/* book.c - see book_int.h.
 *
 * How a name becomes numbers: letters_normalise -> book_split (words) -> each word is looked up by
 * hash and stored when it is new -> the name holds the numbers. Words of words.def are stored
 * first, so that the class of a word and what it stands for come from the same lookup.
 *
 * Weight of a word, in thousandths:
 *
 *     plain      400 + 600 * (ln(N / names) / ln N) ^ 1.5      N: names in all lists, at least 1000
 *     initial    300      particle 150      legal form 100      title 50
 *
 * so a word that stands in one name weighs 1000, one that stands in every tenth some 490.
 */
#include "screening/book_int.h"

#include "base/ensure.h"

#include <stdlib.h>

/* --- arrays ---------------------------------------------------------------------------------- */

/* Makes room for `more` rows; none of the arrays comes near the limit before its own maximum. */
static enum status rows_room(struct book_rows *rows, size_t more, size_t size)
{
    if (more > UINT32_MAX / 2 - rows->count)
        return STATUS_FULL;
    if (rows->count + more <= rows->room)
        return STATUS_OK;
    size_t room = rows->room > 0 ? rows->room * 2 : 256;
    while (room < rows->count + more)
        room *= 2;
    void *grown = realloc(rows->rows, room * size);
    if (grown == NULL)
        return STATUS_NO_MEMORY;
    *rows = (struct book_rows){ .rows = grown, .count = rows->count, .room = room };
    return STATUS_OK;
}

static enum status text_add(struct book *b, struct view text, uint32_t *at)
{
    TRY(rows_room(&b->text, text.len + 1, 1));
    char *to = (char *)b->text.rows + b->text.count;
    for (size_t i = 0; i < text.len; i++) /* control characters and zero bytes become blanks */
        to[i] = text.ptr[i] < 0x20 || text.ptr[i] == 0x7F ? ' ' : (char)text.ptr[i];
    to[text.len] = '\0';
    *at = (uint32_t)b->text.count;
    b->text.count += text.len + 1;
    return STATUS_OK;
}

/* --- words ----------------------------------------------------------------------------------- */

uint32_t letters_hash(const uint16_t *letters, size_t len, uint32_t seed)
{
    uint32_t hash = UINT32_C(2166136261) ^ seed;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ letters[i]) * UINT32_C(16777619);
    hash ^= hash >> 15;
    hash *= UINT32_C(0x2C1B3C6D);
    return hash ^ (hash >> 13);
}

uint32_t letter_set_of(const uint16_t *letters, size_t len)
{
    uint32_t set = 0;
    for (size_t i = 0; i < len; i++) {
        uint16_t c = letters[i];
        if (c >= '0' && c <= '9')
            set |= LETTER_SET_DIGIT;
        else
            set |= UINT32_C(1) << (c >= 'a' && c <= 'z' ? c - 'a' : c % 31);
    }
    return set;
}

/* The slot that holds the word, or the free one where it belongs. */
static uint32_t *slot_of(const struct book *b, const uint16_t *letters, size_t len)
{
    uint32_t *slots = b->slots.rows;
    size_t mask = b->slots.room - 1;
    for (size_t at = letters_hash(letters, len, 0) & mask;; at = (at + 1) & mask) {
        if (slots[at] == 0)
            return &slots[at];
        const struct book_word *word = &book_words(b)[slots[at] - 1];
        if (word->len == len && memcmp(book_letters(b, word), letters, len * sizeof *letters) == 0)
            return &slots[at];
    }
}

static enum status slots_grow(struct book *b)
{
    size_t room = b->slots.room > 0 ? b->slots.room * 2 : 4096;
    uint32_t *slots = calloc(room, sizeof *slots);
    if (slots == NULL)
        return STATUS_NO_MEMORY;
    free(b->slots.rows);
    b->slots = (struct book_rows){ .rows = slots, .room = room };
    for (size_t i = 0; i < b->words.count; i++) {
        const struct book_word *word = &book_words(b)[i];
        *slot_of(b, book_letters(b, word), word->len) = (uint32_t)i + 1;
    }
    return STATUS_OK;
}

uint32_t book_find(const struct book *b, const uint16_t *letters, size_t len)
{
    uint32_t found = *slot_of(b, letters, len < BOOK_WORD_MAX ? len : BOOK_WORD_MAX);
    return found > 0 ? book_words(b)[found - 1].same_as : BOOK_NONE;
}

static enum status word_add(struct book *b, const uint16_t *letters, size_t len,
                            enum word_class class, uint32_t *out)
{
    ENSURE(len > 0);
    len = len < BOOK_WORD_MAX ? len : BOOK_WORD_MAX;
    *out = book_find(b, letters, len);
    if (*out != BOOK_NONE)
        return STATUS_OK;
    if (2 * (b->words.count + 1) > b->slots.room)
        TRY(slots_grow(b));
    TRY(rows_room(&b->words, 1, sizeof(struct book_word)));
    TRY(rows_room(&b->letters, len, sizeof *letters));
    memcpy((uint16_t *)b->letters.rows + b->letters.count, letters, len * sizeof *letters);
    *out = (uint32_t)b->words.count;
    uint32_t *slot = slot_of(b, letters, len);
    ((struct book_word *)b->words.rows)[b->words.count++] =
        (struct book_word){ .letters_at = (uint32_t)b->letters.count,
                            .letter_set = letter_set_of(letters, len),
                            .same_as = *out,
                            .len = (uint8_t)len,
                            .class = (uint8_t) class };
    b->letters.count += len;
    *slot = *out + 1;
    return STATUS_OK;
}

/* A single letter of an alphabet stands for a name; a single Chinese or Thai letter is one. */
static enum word_class class_of(const uint16_t *letters, size_t len)
{
    return len == 1 && letters[0] < 0x0600 && (letters[0] < '0' || letters[0] > '9') ? WORD_INITIAL
                                                                                     : WORD_PLAIN;
}

static enum status known_word(struct book *b, const char *text, enum word_class class,
                              const char *meant)
{
    uint16_t letters[BOOK_WORD_MAX];
    size_t len = strlen(text);
    ENSURE(len <= COUNT_OF(letters));
    for (size_t i = 0; i < len; i++)
        letters[i] = (uint8_t)text[i];
    uint32_t word;
    TRY(word_add(b, letters, len, class, &word));
    if (meant != NULL) {
        len = strlen(meant);
        for (size_t i = 0; i < len; i++)
            letters[i] = (uint8_t)meant[i];
        uint32_t other = book_find(b, letters, len);
        ENSURE(other != BOOK_NONE);
        struct book_word *rows = b->words.rows;
        rows[word].same_as = other;
        rows[word].class = rows[other].class;
    }
    return STATUS_OK;
}

enum status names_book_open(struct book *b, struct letters *speller)
{
    static const struct {
        const char *text, *meant;
        enum word_class class;
    } known[] = {
#define WORD(kind, text)    { text, NULL, WORD_##kind },
#define SAME(text, meaning) { text, meaning, WORD_PLAIN },
#include "screening/words.def"
#undef WORD
#undef SAME
    };
    *b = (struct book){ .speller = speller };
    TRY(slots_grow(b));
    for (size_t i = 0; i < COUNT_OF(known); i++)
        TRY(known_word(b, known[i].text, known[i].class, known[i].meant));
    return STATUS_OK;
}

void names_book_close(struct book *b)
{
    struct book_rows *all[] = { &b->words,  &b->letters, &b->slots,  &b->names,
                                &b->tokens, &b->entries, &b->births, &b->text };
    for (size_t i = 0; i < COUNT_OF(all); i++)
        free(all[i]->rows);
    *b = (struct book){ .speller = NULL };
}

/* --- from letters to words ------------------------------------------------------------------- */

struct token book_token(const struct book *b, uint32_t word)
{
    const struct book_word *row = &book_words(b)[word];
    return (struct token){ .letters = book_letters(b, row),
                           .word = word,
                           .letter_set = row->letter_set,
                           .weight = row->weight,
                           .len = row->len,
                           .class = row->class };
}

/* "l l c" is one word. Two letters only at the end: "A. G. Petrov" has initials. */
static size_t join_legal_forms(const struct book *b, uint16_t *letters, size_t len)
{
    for (size_t at = 0; at < len; at++) {
        if ((at > 0 && letters[at - 1] != ' ') || letters[at] == ' ')
            continue;
        uint16_t form[4];
        size_t count = 0;
        while (count < COUNT_OF(form) && at + 2 * count < len && letters[at + 2 * count] != ' ' &&
               (at + 2 * count + 1 == len || letters[at + 2 * count + 1] == ' ')) {
            form[count] = letters[at + 2 * count];
            count++;
        }
        for (; count >= 2; count--) {
            size_t end = at + 2 * count - 1;
            uint32_t word = book_find(b, form, count);
            if (word == BOOK_NONE || book_words(b)[word].class != WORD_LEGAL ||
                (count == 2 && (end < len || at == 0)))
                continue;
            memcpy(letters + at, form, count * sizeof *form);
            memmove(letters + at + count, letters + end, (len - end) * sizeof *letters);
            len -= count - 1;
            break;
        }
    }
    return len;
}

size_t book_split(const struct book *b, uint16_t *letters, size_t len,
                  struct token out[BOOK_TOKENS_MAX], bool *more)
{
    size_t count = 0, at = 0;
    len = join_legal_forms(b, letters, len);
    while (at < len && count < BOOK_TOKENS_MAX) {
        size_t end = at;
        while (end < len && letters[end] != ' ')
            end++;
        size_t size = end - at < BOOK_WORD_MAX ? end - at : BOOK_WORD_MAX;
        if (size > 0) {
            uint32_t word = book_find(b, letters + at, size);
            if (word != BOOK_NONE)
                out[count++] = book_token(b, word);
            else
                out[count++] = (struct token){ .letters = letters + at,
                                               .word = BOOK_NONE,
                                               .letter_set = letter_set_of(letters + at, size),
                                               .weight = 1000,
                                               .len = (uint8_t)size,
                                               .class = (uint8_t)class_of(letters + at, size) };
            if (out[count - 1].class == WORD_INITIAL)
                out[count - 1].weight = 300;
        }
        at = end + 1;
    }
    while (at < len && letters[at] == ' ')
        at++;
    *more = at < len;
    return count;
}

/* --- entries --------------------------------------------------------------------------------- */

struct book_mark book_mark(const struct book *b)
{
    return (struct book_mark){ .names = b->names.count,
                               .tokens = b->tokens.count,
                               .entries = b->entries.count,
                               .births = b->births.count,
                               .text = b->text.count };
}

/* Words stay; they stand in no name then. */
void book_rewind(struct book *b, struct book_mark mark)
{
    ENSURE(mark.names <= b->names.count && mark.entries <= b->entries.count);
    b->names.count = mark.names;
    b->tokens.count = mark.tokens;
    b->entries.count = mark.entries;
    b->births.count = mark.births;
    b->text.count = mark.text;
}

enum status names_book_entry(struct book *b, uint8_t list, enum entry_kind kind, struct view id,
                             uint32_t *out)
{
    if (b->entries.count >= BOOK_ENTRIES_MAX)
        return STATUS_FULL;
    TRY(rows_room(&b->entries, 1, sizeof(struct names_book_entry)));
    uint32_t id_at;
    TRY(text_add(b, view_slice(id, 0, 64), &id_at));
    *out = (uint32_t)b->entries.count++;
    ((struct names_book_entry *)b->entries.rows)[*out] = (struct names_book_entry){
        .id_at = id_at, .births_at = (uint32_t)b->births.count, .list = list, .kind = (uint8_t)kind
    };
    return STATUS_OK;
}

/* "SURNAME, Given" turned round; other names are given back as they are. */
static struct view given_first(struct view name, uint8_t room[SCREENING_NAME_MAX])
{
    size_t comma = view_find(name, ',');
    if (comma == 0 || comma + 1 >= name.len || name.len >= SCREENING_NAME_MAX)
        return name;
    struct writer w = writer_over(room, SCREENING_NAME_MAX);
    struct view given = view_slice(name, comma + 1, name.len);
    if (view_find(given, ',') < given.len)
        return name;
    writer_view(&w, given);
    writer_u8(&w, ' ');
    writer_view(&w, view_slice(name, 0, comma));
    return w.overflow ? name : writer_done(&w);
}

enum status book_name(struct book *b, uint32_t entry, struct view published, unsigned flags)
{
    ENSURE(entry < b->entries.count);
    uint8_t turned[SCREENING_NAME_MAX];
    struct token tokens[BOOK_TOKENS_MAX];
    struct view name = view_trim(published);
    size_t len;
    if (b->names.count >= BOOK_NAMES_MAX)
        return STATUS_FULL;
    uint16_t *letters = letters_normalise(
        b->speller, book_entries(b)[entry].kind == ENTRY_PERSON ? given_first(name, turned) : name,
        &len);
    bool more = false; /* of a listed name: what is compared of it is its first words */
    size_t count = book_split(b, letters, len, tokens, &more);
    if (count == 0)
        return STATUS_MALFORMED;
    TRY(rows_room(&b->names, 1, sizeof(struct book_name)));
    TRY(rows_room(&b->tokens, count, sizeof(uint32_t)));
    struct book_name row = { .entry = entry,
                             .tokens_at = (uint32_t)b->tokens.count,
                             .tokens = (uint8_t)count,
                             .flags = (uint8_t)flags };
    TRY(text_add(b, view_slice(name, 0, SCREENING_NAME_MAX), &row.text_at));
    for (size_t i = 0; i < count; i++) {
        uint32_t word = tokens[i].word;
        if (word == BOOK_NONE) /* the same new word twice in one name is found by word_add */
            TRY(word_add(b, tokens[i].letters, tokens[i].len, (enum word_class)tokens[i].class,
                         &word));
        ((uint32_t *)b->tokens.rows)[b->tokens.count + i] = word;
        if (tokens[i].class == WORD_INITIAL)
            row.flags |= NAME_INITIAL;
    }
    b->tokens.count += count;
    ((struct book_name *)b->names.rows)[b->names.count++] = row;
    return STATUS_OK;
}

enum status book_birth(struct book *b, struct book_birth birth)
{
    ENSURE(b->entries.count > 0);
    struct names_book_entry *entry =
        &((struct names_book_entry *)b->entries.rows)[b->entries.count - 1];
    if (entry->births >= BOOK_BIRTHS_MAX)
        return STATUS_OK;
    TRY(rows_room(&b->births, 1, sizeof birth));
    ((struct book_birth *)b->births.rows)[b->births.count++] = birth;
    entry->births++;
    return STATUS_OK;
}

void book_country(struct book *b, uint32_t entry, struct view country)
{
    ENSURE(entry < b->entries.count);
    struct names_book_entry *row = &((struct names_book_entry *)b->entries.rows)[entry];
    if (row->country[0] != '\0' || country.len != 2)
        return;
    for (size_t i = 0; i < 2; i++) {
        uint8_t c = country.ptr[i] & (uint8_t)~0x20; /* to upper case, were it a letter */
        if (c < 'A' || c > 'Z') {
            row->country[0] = '\0';
            return;
        }
        row->country[i] = (char)c;
    }
}

/* log2 times 1024, the part after the point by a straight line: at most 9 percent of a bit wrong.
 */
static uint32_t log2_1024(uint32_t value)
{
    uint32_t bit = 31 - (uint32_t)__builtin_clz(value | 1);
    return bit * 1024 + (uint32_t)((((uint64_t)value << 10) >> bit) - 1024);
}

static uint32_t root(uint32_t value)
{
    uint32_t r = 0;
    for (uint32_t bit = 1u << 15; bit > 0; bit >>= 1)
        if ((uint64_t)(r + bit) * (r + bit) <= value)
            r += bit;
    return r;
}

static uint16_t plain_weight(uint32_t names, uint32_t all)
{
    if (names >= all)
        return 400;
    uint32_t rare = 1000 - 1000 * log2_1024(names > 0 ? names : 1) / log2_1024(all);
    return (uint16_t)(400 + 600 * rare / 1000 * root(rare * 1000) / 1000);
}

void book_weigh(struct book *b)
{
    struct book_word *words = b->words.rows;
    const uint32_t *tokens = book_tokens(b);
    uint32_t all = b->names.count > 1000 ? (uint32_t)b->names.count : 1000;
    for (size_t i = 0; i < b->words.count; i++)
        words[i].names = 0;
    for (size_t i = 0; i < b->tokens.count; i++)
        words[tokens[i]].names++;
    for (size_t i = 0; i < b->words.count; i++) {
        switch ((enum word_class)words[i].class) {
        case WORD_PLAIN: words[i].weight = plain_weight(words[i].names, all); break;
        case WORD_INITIAL: words[i].weight = 300; break;
        case WORD_PARTICLE: words[i].weight = 150; break;
        case WORD_LEGAL: words[i].weight = 100; break;
        case WORD_TITLE: words[i].weight = 50; break;
        }
    }
}
