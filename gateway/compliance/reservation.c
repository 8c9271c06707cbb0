/* reservation.c - what a counter says when the payment is recorded. Pure: the commit, test cases
 * and explain ask the same function. */
#include "base/ensure.h"
#include "compliance/compliance_int.h"

static int64_t sum_of(int64_t a, int64_t b)
{
    int64_t sum;
    if (money_add(a, b, &sum) != STATUS_OK)
        return b > 0 ? INT64_MAX : INT64_MIN;
    return sum;
}

static bool fires(const struct reservation *r, int64_t sum, int64_t count)
{
    return (r->amount_max >= 0 && sum > r->amount_max) ||
           (r->amount_from >= 0 && sum >= r->amount_from) ||
           (r->count_max > 0 && count > r->count_max);
}

enum verdict reservation_judge(const struct reservation *r, int64_t amount_minor,
                               int64_t spent_minor, int64_t spent_count, bool *reports)
{
    *reports = false;
    if (r->kind == RESERVE_RESET)
        return VERDICT_ALLOW;
    ENSURE(verdict_valid((int64_t)r->verdict));
    if (!fires(r, sum_of(spent_minor, amount_minor), sum_of(spent_count, 1)))
        return VERDICT_ALLOW;
    *reports = r->report && !fires(r, spent_minor, spent_count);
    return r->verdict;
}

/* "of the day", "of the last 24 hours", "since the last authentication" */
static void put_window(struct text *text, const struct reservation *r)
{
    if (r->kind == RESERVE_SINCE_AUTHENTICATION) {
        text_put(text, " since the last authentication");
        return;
    }
    text_put(text, r->kind == RESERVE_SLIDING ? " of the last " : " of the ");
    text_window(text, r->window, r->window_us);
}

/* An account is counted at all merchants together, and any of them may read this. So it is said
 * that the sum is over, never what it is: that would be what the account has paid to others. */
static bool sum_is_told(const struct reservation *r)
{
    return r->per != SETTINGS_PER_ACCOUNT;
}

void reservation_text(const struct reservation *r, struct money amount, int64_t spent_minor,
                      int64_t spent_count, char out[DECISION_TEXT_MAX])
{
    int64_t sum = sum_of(spent_minor, amount.minor), count = sum_of(spent_count, 1);
    struct text text;
    text_start(&text);
    if (r->kind == RESERVE_RESET) {
        text_put(&text, "The payer is authenticated: what is counted begins anew");
        text_cut(&text, out);
        return;
    }
    bool over = r->amount_max >= 0 && sum > r->amount_max;
    bool reached = r->amount_from >= 0 && sum >= r->amount_from;
    bool many = r->count_max > 0 && count > r->count_max;
    bool by_count = (many && !over && !reached) || (r->amount_max < 0 && r->amount_from < 0);
    text_format(&text, "With this payment the %s's %s", per_word(r->per),
                by_count ? "number of payments" : "sum");
    put_window(&text, r);
    text_put(&text, " is ");
    if (by_count) {
        if (sum_is_told(r))
            text_format(&text, "%lld, ", (long long)count);
        text_format(&text, "%s %lld", many ? "over" : "at most", (long long)r->count_max);
    } else {
        bool show_from = !over && (reached || r->amount_max < 0);
        if (sum_is_told(r)) {
            text_money(&text, sum, amount.currency);
            text_put(&text, ", ");
        }
        text_put(&text, over        ? "over "
                        : reached   ? (sum_is_told(r) ? "reaches " : "at least ")
                        : show_from ? "below "
                                    : "at most ");
        text_money(&text, show_from ? r->amount_from : r->amount_max, amount.currency);
    }
    if (over || reached || many)
        text_reason(&text, r->text);
    text_cut(&text, out);
}
