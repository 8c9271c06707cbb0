/* deciding.c - see deciding.h. */
#include "main/deciding.h"

#include "domain/time.h"
#include "payment/facts.h"

#include <stdio.h>
#include <time.h>

enum status deciding_facts(const struct json_node *root, const struct settings *settings,
                           int64_t wall_us, struct compliance_facts *facts, struct writer *why)
{
    TRY(facts_of_payment(root, wall_us, facts, why));
    facts->store_country = view_text(settings->store_country);
    if (facts->rail == RAIL_CARD && !facts->values[FACT_PAYER_ACCOUNT].given)
        facts_text(facts, FACT_PAYER_ACCOUNT, VIEW("(this card)"));
    if (!facts->values[FACT_MERCHANT].given)
        facts_text(facts, FACT_MERCHANT, VIEW("(this merchant)"));
    return STATUS_OK;
}

static int digits(const char **at, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return -1;
        value = value * 10 + (**at - '0');
    }
    return value;
}

static bool letter(const char **at, char wanted)
{
    return **at == wanted ? (*at)++, true : false;
}

bool deciding_time(const char *text, int64_t *wall_us)
{
    struct civil c = { 0 };
    int32_t offset_minutes = 0;
    c.year = digits(&text, 4);
    if (c.year < 1970 || !letter(&text, '-') || (c.month = digits(&text, 2)) < 1 || c.month > 12 ||
        !letter(&text, '-') || (c.day = digits(&text, 2)) < 1 || c.day > 31)
        return false;
    if (*text != '\0') {
        if (!letter(&text, 'T') || (c.hour = digits(&text, 2)) < 0 || c.hour > 23 ||
            !letter(&text, ':') || (c.minute = digits(&text, 2)) < 0 || c.minute > 59 ||
            !letter(&text, ':') || (c.second = digits(&text, 2)) < 0 || c.second > 59 ||
            offset_parse(view_text(text), &offset_minutes) != STATUS_OK)
            return false;
    }
    struct civil back;
    int64_t us = civil_to_us(&c);
    civil_from_us(us, 0, &back);
    if (back.day != c.day) /* 31 April */
        return false;
    *wall_us = us - (int64_t)offset_minutes * 60 * LOOP_US_PER_S;
    return true;
}

int64_t deciding_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * LOOP_US_PER_S + now.tv_nsec / 1000;
}
