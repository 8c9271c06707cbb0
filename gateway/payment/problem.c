/* problem.c - RFC 9457 documents from the one list of problems. */
#include "payment/problem.h"

#include "base/ensure.h"
#include "base/json_out.h"

struct problem_row {
    int status;
    const char *code;
    const char *title;
};

static const struct problem_row rows[PROBLEM_COUNT] = {
#define PROBLEM(name, status, code, title) [PROBLEM_##name] = { status, code, title },
#include "payment/problem.def"
#undef PROBLEM
};

static const struct problem_row *row_of(enum problem problem)
{
    ENSURE(problem > PROBLEM_NONE && problem < PROBLEM_COUNT);
    return &rows[problem];
}

int problem_status(enum problem problem)
{
    return row_of(problem)->status;
}

const char *problem_code(enum problem problem)
{
    return row_of(problem)->code;
}

const char *problem_pointer(enum problem problem)
{
    switch (problem) {
    case PROBLEM_AMOUNT_NOT_POSSIBLE:
    case PROBLEM_AMOUNT_EXCEEDS_CAPTURABLE:
    case PROBLEM_AMOUNT_EXCEEDS_REFUNDABLE: return "/amount/value";
    case PROBLEM_CURRENCY_MISMATCH: return "/amount/currency";
    case PROBLEM_METHOD_NOT_AVAILABLE: return "/method/type";
    case PROBLEM_NOT_ENCODABLE: return "/method";
    default: return NULL;
    }
}

void problem_write(struct writer *w, enum problem problem, struct view detail,
                   const struct problem_error *errors, size_t error_count)
{
    const struct problem_row *row = row_of(problem);
    char type[96];
    struct writer type_writer = writer_over(type, sizeof type);
    writer_text(&type_writer, "urn:railgate:problem:");
    writer_text(&type_writer, row->code);

    struct json_out j;
    json_out_init(&j, w);
    json_open_object(&j, NULL);
    json_put_text(&j, "type", writer_done(&type_writer));
    json_put_text(&j, "title", view_text(row->title));
    json_put_i64(&j, "status", row->status);
    json_put_text(&j, "code", view_text(row->code));
    json_put_text_if(&j, "detail", detail);
    struct problem_error only = { .code = row->code, .detail = detail };
    if (error_count == 0 && problem_pointer(problem) != NULL) {
        only.pointer = view_text(problem_pointer(problem));
        errors = &only;
        error_count = 1;
    }
    if (error_count > 0) {
        json_open_array(&j, "errors");
        for (size_t i = 0; i < error_count; i++) {
            json_open_object(&j, NULL);
            json_put_text(&j, "pointer", errors[i].pointer);
            json_put_text(&j, "code", view_text(errors[i].code));
            json_put_text_if(&j, "detail", errors[i].detail);
            json_close_object(&j);
        }
        json_close_array(&j);
    }
    json_close_object(&j);
}
