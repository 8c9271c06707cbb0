/* problem.h - RFC 9457 problem documents: one list of codes, each with its status and title
 * (problem.def); detail says what with which values and what to do; errors[] point with JSON
 * pointers (RFC 6901). */
#ifndef PAYMENT_PROBLEM_H
#define PAYMENT_PROBLEM_H

#include "base/bytes.h"

enum problem {
    PROBLEM_NONE = 0,
#define PROBLEM(name, status, code, title) PROBLEM_##name,
#include "payment/problem.def"
#undef PROBLEM
    PROBLEM_COUNT
};

#define PROBLEM_ERRORS_MAX 16
struct problem_error {
    struct view pointer; /* "/amount/value" */
    const char *code;    /* "not_an_integer" */
    struct view detail;  /* what was expected */
};

/* The detail when nobody could look whether the request was carried out before: its Idempotency-Key
 * is not known to be new. What this try did is certain, what an earlier one did is not. "Nothing
 * was done" may be said only of a key that the store did not know, or of what the store tells. */
#define DID_NOTHING                                                                                \
    "This try did nothing, whatever an earlier one did; repeat it unchanged, with its "            \
    "Idempotency-Key if it has one."

int problem_status(enum problem problem);
/* The field that a problem of this kind is always about ("/amount/value"), or NULL. */
const char *problem_pointer(enum problem problem);
const char *problem_code(enum problem problem);
/* Writes the document. detail and errors may be empty. */
void problem_write(struct writer *w, enum problem problem, struct view detail,
                   const struct problem_error *errors, size_t error_count);

#endif
