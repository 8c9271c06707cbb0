/* words.c - the tables behind words.h: for each enum its numbers and words, from words.def.
 *
 * The lists are short (at most 12 rows), so looking up is a walk.
 */
#include "domain/words.h"

#include "base/ensure.h"

struct word {
    int64_t number;
    const char *text;
};

static const char *word_of(const struct word *words, size_t count, int64_t number)
{
    for (size_t i = 0; i < count; i++) {
        if (words[i].number == number)
            return words[i].text;
    }
    return "?";
}

static bool word_number(const struct word *words, size_t count, struct view text, int64_t *out)
{
    for (size_t i = 0; i < count; i++) {
        if (view_is(text, words[i].text)) {
            *out = words[i].number;
            return true;
        }
    }
    return false;
}

static bool word_known(const struct word *words, size_t count, int64_t number)
{
    for (size_t i = 0; i < count; i++) {
        if (words[i].number == number)
            return true;
    }
    return false;
}

/* The three functions of one enum, over its table type##_words. */
#define WORDS_DEFINE(type)                                                                         \
    const char *type##_word(enum type value)                                                       \
    {                                                                                              \
        return word_of(type##_words, COUNT_OF(type##_words), (int64_t)value);                      \
    }                                                                                              \
    enum status type##_parse(struct view word, enum type *out)                                     \
    {                                                                                              \
        int64_t number = 0;                                                                        \
        if (!word_number(type##_words, COUNT_OF(type##_words), word, &number))                     \
            return STATUS_NOT_FOUND;                                                               \
        *out = (enum type)number;                                                                  \
        return STATUS_OK;                                                                          \
    }                                                                                              \
    bool type##_valid(int64_t number)                                                              \
    {                                                                                              \
        return word_known(type##_words, COUNT_OF(type##_words), number);                           \
    }

static const struct word payment_status_words[] = {
#define PAYMENT_STATUS(name, number, word) { (number), word },
#include "domain/words.def"
#undef PAYMENT_STATUS
};
WORDS_DEFINE(payment_status)

static const struct word operation_words[] = {
#define OPERATION(name, number, word) { (number), word },
#include "domain/words.def"
#undef OPERATION
};
WORDS_DEFINE(operation)

static const struct word operation_status_words[] = {
#define OPERATION_STATUS(name, number, word) { (number), word },
#include "domain/words.def"
#undef OPERATION_STATUS
};
WORDS_DEFINE(operation_status)

static const struct word attempt_state_words[] = {
#define ATTEMPT_STATE(name, number, word) { (number), word },
#include "domain/words.def"
#undef ATTEMPT_STATE
};
WORDS_DEFINE(attempt_state)

static const struct word outcome_words[] = {
#define OUTCOME(name, number, word) { (number), word },
#include "domain/words.def"
#undef OUTCOME
};
WORDS_DEFINE(outcome)

static const struct word category_words[] = {
#define CATEGORY(name, number, word) { (number), word },
#include "domain/words.def"
#undef CATEGORY
};
WORDS_DEFINE(category)

static const struct word capture_mode_words[] = {
#define CAPTURE_MODE(name, number, word) { (number), word },
#include "domain/words.def"
#undef CAPTURE_MODE
};
WORDS_DEFINE(capture_mode)

static const struct word payment_kind_words[] = {
#define PAYMENT_KIND(name, number, word) { (number), word },
#include "domain/words.def"
#undef PAYMENT_KIND
};
WORDS_DEFINE(payment_kind)

static const struct word rail_words[] = {
#define RAIL(name, number, word) { (number), word },
#include "domain/words.def"
#undef RAIL
};
WORDS_DEFINE(rail)

static const struct word verdict_words[] = {
#define VERDICT(name, number, word) { (number), word },
#include "domain/words.def"
#undef VERDICT
};
WORDS_DEFINE(verdict)

static const struct word difference_kind_words[] = {
#define DIFFERENCE_KIND(name, number, word) { (number), word },
#include "domain/words.def"
#undef DIFFERENCE_KIND
};
WORDS_DEFINE(difference_kind)
