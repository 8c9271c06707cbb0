/* words.h - the enums of the glossary, each with its word: one list, words.def.
 *
 *     enum payment_status, operation, operation_status, attempt_state, outcome, category,
 *          capture_mode, payment_kind, rail, verdict, difference_kind
 *
 * x_word(value) is the word ("authorized"; "?" for a number outside the list); x_parse(view,
 * &value) is NOT_FOUND for another word; x_valid(number) tells whether a stored number is one of
 * the list. Zero is none of them.
 */
#ifndef DOMAIN_WORDS_H
#define DOMAIN_WORDS_H

#include "base/bytes.h"

enum payment_status {
#define PAYMENT_STATUS(name, number, word) PAYMENT_##name = (number),
#include "domain/words.def"
#undef PAYMENT_STATUS
};
enum operation {
#define OPERATION(name, number, word) OPERATION_##name = (number),
#include "domain/words.def"
#undef OPERATION
};
enum operation_status {
#define OPERATION_STATUS(name, number, word) OPERATION_STATUS_##name = (number),
#include "domain/words.def"
#undef OPERATION_STATUS
};
enum attempt_state {
#define ATTEMPT_STATE(name, number, word) ATTEMPT_##name = (number),
#include "domain/words.def"
#undef ATTEMPT_STATE
};
enum outcome {
#define OUTCOME(name, number, word) OUTCOME_##name = (number),
#include "domain/words.def"
#undef OUTCOME
};
enum category {
#define CATEGORY(name, number, word) CATEGORY_##name = (number),
#include "domain/words.def"
#undef CATEGORY
};
enum capture_mode {
#define CAPTURE_MODE(name, number, word) CAPTURE_##name = (number),
#include "domain/words.def"
#undef CAPTURE_MODE
};
enum payment_kind {
#define PAYMENT_KIND(name, number, word) PAYMENT_KIND_##name = (number),
#include "domain/words.def"
#undef PAYMENT_KIND
};
enum rail {
#define RAIL(name, number, word) RAIL_##name = (number),
#include "domain/words.def"
#undef RAIL
};
enum difference_kind {
#define DIFFERENCE_KIND(name, number, word) DIFFERENCE_##name = (number),
#include "domain/words.def"
#undef DIFFERENCE_KIND
};
enum verdict {
#define VERDICT(name, number, word) VERDICT_##name = (number),
#include "domain/words.def"
#undef VERDICT
};

#define WORDS_DECLARE(type)                                                                        \
    const char *type##_word(enum type value);                                                      \
    enum status type##_parse(struct view word, enum type *out);                                    \
    bool type##_valid(int64_t number);
WORDS_DECLARE(payment_status)
WORDS_DECLARE(operation)
WORDS_DECLARE(operation_status)
WORDS_DECLARE(attempt_state)
WORDS_DECLARE(outcome)
WORDS_DECLARE(category)
WORDS_DECLARE(capture_mode)
WORDS_DECLARE(payment_kind)
WORDS_DECLARE(rail)
WORDS_DECLARE(verdict)
WORDS_DECLARE(difference_kind)
#undef WORDS_DECLARE

#endif
