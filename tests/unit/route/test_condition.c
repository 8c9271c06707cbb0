/* test_condition.c - what may stand under `takes` of a channel, and what is said of the rest. Test
 * card numbers from published ranges only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/ensure.h"
#include "settings/condition.h"

static void right_ones_are_taken(void **state)
{
    (void)state;
    static const char *const right[] = { "scheme=pix|promptpay", "mode=-",
                                         "payee_country=*",      "pan=4*|51*|-",
                                         "pan=41111111*",        "creditor_iban=DE*|AT*" };
    char room[192];
    for (size_t i = 0; i < COUNT_OF(right); i++) {
        const char *wrong = condition_wrong(view_text(right[i]), room, sizeof room);
        if (wrong != NULL)
            fail_msg("%s: %s", right[i], wrong);
    }
}

static void wrong_ones_are_told_why(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
    } wrong[] = {
        { "scheme", "a condition like" },
        { "=pix", "a condition like" },
        { "", "a condition like" },
        { "shceme=pix", "did you mean `scheme`?" },
        { "cvv=123", "a field that payments have" },
        { "track2=4*", "a field that payments have" },
        { "code=0002*", "a field that payments have" },
        { "scheme=", "complete" },
        { "scheme=pix|", "complete" },
        { "scheme=|pix", "divided by" },
        { "scheme=p*x", "`*` only as the last letter" },
        { "scheme=pix |fps", "no blank" },
        { "pan=4111111111111111", "beginning of a card number" },
        { "pan=411111111*", "beginning of a card number" },
        { "pan=*", "beginning of a card number" },
    };
    char room[192];
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        const char *said = condition_wrong(view_text(wrong[i].text), room, sizeof room);
        if (said == NULL || strstr(said, wrong[i].said) == NULL)
            fail_msg("%s: %s", wrong[i].text, said != NULL ? said : "was taken");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_ones_are_taken),
        cmocka_unit_test(wrong_ones_are_told_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
