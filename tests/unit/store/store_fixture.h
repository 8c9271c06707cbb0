/* store_fixture.h - a store in a test: opened on a virtual loop, asked and answered in one call. */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include "base/ensure.h"
#include "store/store.h"

#include "../../support/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define START_WALL_US 1700000000000000LL

struct fixture {
    struct loop *loop;
    struct store *store;
    struct store_options options;
    char path[SCRATCH_FILE_MAX];
    char folder[SCRATCH_MAX]; /* of the file; empty for memory */
    char why[400];
};

/* A store under "memory:NAME", or in a file of a new temporary folder (name NULL). */
void fixture_open(struct fixture *f, const char *memory_name, const struct store_options *options);
/* Opens again after fixture_close_store or fixture_crash. */
void fixture_reopen(struct fixture *f);
enum status fixture_try_reopen(struct fixture *f);
void fixture_close_store(struct fixture *f);
void fixture_crash(struct fixture *f);
/* Closes all, removes the folder. */
void fixture_close(struct fixture *f);
/* Copies database and log as they lie in the file system now, as a power failure would leave them,
 * and makes the copy the fixture's path. The old store stays open and must be closed by the caller.
 */
void fixture_copy_files(struct fixture *f, struct store **old);
/* Runs the loop until nothing is waiting. */
void fixture_settle(struct fixture *f);

/* A request and its memory. */
struct request {
    struct arena arena;
    struct store_txn txn;
    bool done;
};
void request_init(struct request *r, int64_t merchant);
void request_fini(struct request *r);
void request_submit(struct fixture *f, struct request *r);
/* Submits and waits; gives the result. */
enum store_result request_run(struct fixture *f, struct request *r);
/* payment `id` with an operation (id + 1), an attempt (id + 2) and two events; all inserted. */
void request_new_payment(struct request *r, int64_t merchant, int64_t id, int64_t amount);
void request_key(struct request *r, const char *key, uint8_t mac);
void request_answer(struct request *r, uint32_t status, const char *body);
/* The whole: a new payment under a key; asserts COMMITTED. */
void pay(struct fixture *f, int64_t merchant, int64_t id, const char *key);
/* The result of a request with this key that would create payment 999999000. */
enum store_result probe_key(struct fixture *f, int64_t merchant, const char *key, uint8_t mac,
                            int64_t *payment);

struct question {
    struct arena arena;
    struct store_read read;
    bool done;
};
void question_init(struct question *q, enum store_question question);
void question_fini(struct question *q);
enum status question_run(struct fixture *f, struct question *q);
/* The journal is 1, 2, ... n without gaps; gives n. */
int64_t journal_length(struct fixture *f);
uint64_t take_counter(struct fixture *f, const char *name, uint64_t count);
/* Reads one payment; false when it is not there. */
bool payment_exists(struct fixture *f, int64_t id, struct payment_row *out);

#endif
