/* book_int.h - what was read: entries, their names, and the words that names are made of.
 *
 *     names_book_open -> for each list: book_mark, names_book_entry / book_name / ..., on failure
 *                        book_rewind
 *                     -> book_weigh (once, after the last list) -> read only
 *
 * Everything is an array and a number into it, so that 200,000 entries are a dozen allocations. A
 * word is stored once, as 16-bit letters (what lies above U+FFFF is folded below it: good enough to
 * compare), and knows in how many names it stands: what is rare weighs more. Not thread-safe while
 * it is filled.
 */
#ifndef SCREENING_BOOK_INT_H
#define SCREENING_BOOK_INT_H

#include "screening/letters_int.h"

#define BOOK_ENTRIES_MAX 200000u
#define BOOK_NAMES_MAX   1000000u
#define BOOK_TOKENS_MAX  24 /* words of a name that are compared */
#define BOOK_WORD_MAX    40 /* letters of a word that are compared */
#define BOOK_BIRTHS_MAX  16
#define BOOK_NONE        UINT32_MAX

enum word_class { WORD_PLAIN = 1, WORD_INITIAL, WORD_PARTICLE, WORD_LEGAL, WORD_TITLE };

struct book_word {
    uint32_t letters_at;
    uint32_t letter_set; /* one bit for each letter that occurs: letter_set_of() */
    uint32_t names;      /* in how many names it stands */
    uint32_t same_as;    /* itself, or the word it is written for: el is al */
    uint16_t weight;     /* 0..1000, from book_weigh */
    uint8_t len;
    uint8_t class;
};

enum { NAME_ALIAS = 1, NAME_WEAK = 2, NAME_INITIAL = 4 };
struct book_name {
    uint32_t entry;
    uint32_t text_at;   /* as published, zero-terminated */
    uint32_t tokens_at; /* `tokens` numbers of words */
    uint8_t tokens;
    uint8_t flags;
};

struct book_birth {
    int16_t from_year, to_year;
};

enum entry_kind { ENTRY_PERSON = 1, ENTRY_ENTITY };
struct names_book_entry {
    uint32_t id_at;
    uint32_t births_at;
    uint8_t births;
    uint8_t list;
    uint8_t kind;
    char country[3]; /* alpha-2 or "" */
};

/* A growing array: `count` of `room` elements are in use. */
struct book_rows {
    void *rows;
    size_t count, room;
};

struct book {
    struct book_rows words;   /* struct book_word */
    struct book_rows letters; /* uint16_t, of the words */
    struct book_rows slots;   /* uint32_t: number of a word plus one, by hash; open addressing */
    struct book_rows names;   /* struct book_name */
    struct book_rows tokens;  /* uint32_t */
    struct book_rows entries; /* struct names_book_entry */
    struct book_rows births;  /* struct book_birth */
    struct book_rows text;    /* char */
    struct letters *speller;  /* borrowed */
};

static inline const struct book_word *book_words(const struct book *b)
{
    return b->words.rows;
}
static inline const struct book_name *book_names(const struct book *b)
{
    return b->names.rows;
}
static inline const struct names_book_entry *book_entries(const struct book *b)
{
    return b->entries.rows;
}
static inline const uint32_t *book_tokens(const struct book *b)
{
    return b->tokens.rows;
}
static inline const uint16_t *book_letters(const struct book *b, const struct book_word *word)
{
    return (const uint16_t *)b->letters.rows + word->letters_at;
}
static inline const char *book_text(const struct book *b, uint32_t at)
{
    return (const char *)b->text.rows + at;
}

/* NO_MEMORY. Fills in the words of words.def. */
enum status names_book_open(struct book *b, struct letters *speller);
void names_book_close(struct book *b);

/* A list that turns out broken is taken back as a whole. */
struct book_mark {
    size_t names, tokens, entries, births, text;
};
struct book_mark book_mark(const struct book *b);
void book_rewind(struct book *b, struct book_mark mark);

/* Begins an entry; its first name is the next book_name. FULL at BOOK_ENTRIES_MAX. */
enum status names_book_entry(struct book *b, uint8_t list, enum entry_kind kind, struct view id,
                             uint32_t *out);
/* `published` is UTF-8. MALFORMED when no letter is in it; FULL at BOOK_NAMES_MAX. "SURNAME, Given"
 * of a person is compared as "Given SURNAME". */
enum status book_name(struct book *b, uint32_t entry, struct view published, unsigned flags);
/* Of the last entry only. What is over BOOK_BIRTHS_MAX is left out. */
enum status book_birth(struct book *b, struct book_birth birth);
/* Two letters; anything else is ignored. The first one given stays. */
void book_country(struct book *b, uint32_t entry, struct view country);
/* Weights from how many names hold a word. */
void book_weigh(struct book *b);

/* --- words of a name, also of one that is looked up ------------------------------------------ */
struct token {
    const uint16_t *letters;
    uint32_t word; /* BOOK_NONE: stands in no list */
    uint32_t letter_set;
    uint16_t weight;
    uint8_t len;
    uint8_t class;
};
uint32_t letter_set_of(const uint16_t *letters, size_t len);
#define LETTER_SET_DIGIT UINT32_C(0x80000000)
uint32_t letters_hash(const uint16_t *letters, size_t len, uint32_t seed);
/* BOOK_NONE when it is in no list. */
uint32_t book_find(const struct book *b, const uint16_t *letters, size_t len);
struct token book_token(const struct book *b, uint32_t word);
/* Splits normalised letters at blanks; "l l c" becomes one word (in place, hence the pointer). A
 * word in no list has the weight of the rarest. */
/* *more: there are further words, which are not compared. */
size_t book_split(const struct book *b, uint16_t *letters, size_t len,
                  struct token out[BOOK_TOKENS_MAX], bool *more);

#endif
