/* methods.c - GET /v1/methods: what can be used here and now, best first, with the reason. */
#include "api/api_int.h"

#include "base/ensure.h"
#include "domain/refs.h"
#include "payment/methods.h"

#define ANSWER_BYTES ((size_t)128 * 1024) /* 64 channels of some 1 KiB and their schemes */

static bool amount_parameters(struct call *call, struct money *out)
{
    struct view amount, currency;
    if (!parameter(call, "amount", 20, &amount) || !parameter(call, "currency", 3, &currency))
        return false;
    if (currency.len == 0 || currency_by_code(currency, &out->currency) != STATUS_OK) {
        reply_problem(call, PROBLEM_INVALID_PARAMETER,
                      "`currency` must be an ISO 4217 code in capital letters.");
        return false;
    }
    uint64_t minor = 0;
    if (amount.len > 0 && (view_to_u64(amount, INT64_MAX, &minor) != STATUS_OK || minor == 0)) {
        reply_problem(call, PROBLEM_INVALID_PARAMETER,
                      "`amount` must be a positive integer of minor units.");
        return false;
    }
    out->minor = (int64_t)minor;
    return true;
}

static bool country_parameter(struct call *call, struct view *out)
{
    if (!parameter(call, "country", 2, out))
        return false;
    bool fine = out->len == 0 || out->len == 2;
    for (size_t i = 0; i < out->len; i++)
        fine = fine && out->ptr[i] >= 'A' && out->ptr[i] <= 'Z';
    if (!fine)
        reply_problem(call, PROBLEM_INVALID_PARAMETER,
                      "`country` must be two capital letters (ISO 3166 alpha-2).");
    return fine;
}

void run_methods(struct call *call)
{
    struct methods_question question = { .details = VIEW_EMPTY };
    struct view country;
    if (!amount_parameters(call, &question.amount) || !country_parameter(call, &country) ||
        !parameter(call, "region", 128, &question.region))
        return;
    uint8_t details[64];
    struct writer d = writer_over(details, sizeof details);
    if (country.len > 0)
        refs_put(&d, VIEW("payer_country"), country, 0);
    ENSURE(!d.overflow);
    question.details = writer_done(&d);
    uint8_t *room = arena_alloc(&call->arena, ANSWER_BYTES);
    struct writer w = writer_over(room, room != NULL ? ANSWER_BYTES : 0);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    payments_methods(call->api->o.payments, &question, &j);
    json_close_object(&j);
    if (w.overflow)
        reply_problem(call, PROBLEM_INTERNAL, "The answer is too large.");
    else
        reply(call, 200, writer_done(&w));
}
