/* status.h - what a function says when it cannot do what it was asked.
 *
 * One convention for the whole host: a function that can fail for a reason from
 * outside returns `enum status`; the compiler refuses to let it drop. OK is 1:
 * zeroed memory never means success. What *we* promised is checked with ENSURE
 * (ensure.h), never with a status.
 *
 *     TRY(cursor_take(&in, 4, &len));     happy path on the left margin
 */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

/*        name          text for a log line or an error answer */
#define STATUS_LIST(X)                                                                             \
    X(OK, "ok")                                                                                    \
    X(SHORT, "input ends too early")                                                               \
    X(MALFORMED, "input is malformed")                                                             \
    X(RANGE, "value out of range")                                                                 \
    X(FULL, "a fixed limit is reached")                                                            \
    X(BUSY, "queue is full, try later")                                                            \
    X(NOT_FOUND, "not found")                                                                      \
    X(EXISTS, "exists already")                                                                    \
    X(REFUSED, "refused")                                                                          \
    X(CLOSED, "closed by the other side")                                                          \
    X(TIMEOUT, "no answer in time")                                                                \
    X(IO, "input or output error")                                                                 \
    X(TLS, "TLS failure")                                                                          \
    X(DENIED, "permission denied")                                                                 \
    X(MISMATCH, "does not match")                                                                  \
    X(UNSUPPORTED, "not supported")                                                                \
    X(NO_MEMORY, "out of memory")                                                                  \
    X(CANCELED, "canceled")

enum [[nodiscard]] status{ STATUS_INVALID = 0,
#define X(name, text) STATUS_##name,
                           STATUS_LIST(X)
#undef X
                               STATUS_COUNT };

/* Short text of a status; never NULL. */
const char *status_text(enum status s);
/* The name, "TIMEOUT"; never NULL. */
const char *status_name(enum status s);

/* Returns from the calling function when `call` did not return STATUS_OK. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        enum status try_status_ = (call);                                                          \
        if (try_status_ != STATUS_OK)                                                              \
            return try_status_;                                                                    \
    } while (0)

/* Says that a status is of no interest here; the reason belongs in a comment beside it. */
#define IGNORE_STATUS(call)                                                                        \
    do {                                                                                           \
        enum status ignored_ = (call);                                                             \
        (void)ignored_;                                                                            \
    } while (0)

#endif
