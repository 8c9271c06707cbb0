/* SPDX-License-Identifier: Apache-2.0
 *
 * bank_codes.c - profiles.def and reason_codes.def as tables, and the two places where words of a
 * bank become an outcome: a payment's status and a recall's.
 */
#include "bank_int.h"

#include <string.h>

/* --- schemes --------------------------------------------------------------------------------- */

/* Names of flags in profiles.def. */
#define INSTANT_SWITCH PROFILE_INSTANT_SWITCH
#define NEEDS_NAME     PROFILE_NEEDS_NAME
#define NEEDS_MEMBER   PROFILE_NEEDS_MEMBER
#define NO_NAME        PROFILE_NO_NAME
#define NO_RECALL      PROFILE_NO_RECALL
#define QR_IBAN        PROFILE_QR_IBAN
#define CHOOSES        PROFILE_CHOOSES
#define LOCAL_BY_ALIAS PROFILE_LOCAL_BY_ALIAS

static const struct bank_profile profiles[] = {
#define PROFILE(name_, initiation_, header_, envelope_, ids_, account_, charset_, flags_,          \
                currencies_, amount_, level_, level_own_, local_, local_own_, priority_,           \
                category_own_, charges_, clearing_, system_, digits_, name_max_, reason_)          \
    { .name = name_,                                                                               \
      .initiation = INITIATION_##initiation_,                                                      \
      .header = header_,                                                                           \
      .envelope = envelope_,                                                                       \
      .ids = IDS_##ids_,                                                                           \
      .account = ACCOUNT_##account_,                                                               \
      .charset = CHARSET_##charset_,                                                               \
      .flags = flags_,                                                                             \
      .currencies = currencies_,                                                                   \
      .amount_max = amount_,                                                                       \
      .terms = { .priority = priority_,                                                            \
                 .level = level_,                                                                  \
                 .level_own = level_own_,                                                          \
                 .local = local_,                                                                  \
                 .local_own = local_own_,                                                          \
                 .category_own = category_own_,                                                    \
                 .charges = charges_,                                                              \
                 .clearing = clearing_ },                                                          \
      .member_system = system_,                                                                    \
      .member_digits = digits_,                                                                    \
      .name_max = name_max_,                                                                       \
      .return_reason = reason_ },
#include "profiles.def"
#undef PROFILE
};

const struct bank_profile *bank_profile_at(uint64_t index)
{
    return index < sizeof profiles / sizeof profiles[0] ? &profiles[index] : NULL;
}

const struct bank_profile *bank_profile_named(struct rg_bytes name)
{
    for (uint64_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++)
        if (text_is(name, profiles[i].name))
            return &profiles[i];
    return NULL;
}

/* --- reasons --------------------------------------------------------------------------------- */

static const struct bank_reason reasons[] = {
#define REASON(code, verdict, category, sentence, source)                                          \
    { code, REASON_##verdict, RG_CATEGORY_##category, sentence },
#include "reason_codes.def"
#undef REASON
};

const struct bank_reason *bank_reason_of(const char *code)
{
    static const struct bank_reason other = { "", REASON_DECLINED, RG_CATEGORY_OTHER,
                                              "The bank refused with a code of its own." };
    for (uint64_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (strcmp(reasons[i].code, code) == 0)
            return &reasons[i];
    return &other;
}

/* --- statuses -------------------------------------------------------------------------------- */

struct status_row {
    char status[5];
    uint8_t state; /* enum bank_state */
};

static uint32_t state_in(const struct status_row *rows, uint64_t count, const char *status)
{
    for (uint64_t i = 0; i < count; i++)
        if (strcmp(rows[i].status, status) == 0)
            return rows[i].state;
    return 0;
}

uint32_t bank_state_of(const char *status)
{
    /* ISO 20022 external payment group and transaction status. What is not the last word is OPEN: a
     * check passed (ACTC, ACCP, ACFC), a question of the payee's name (RCVC ... RVNA), money held
     * back by a rule (BLCK), accepted but not yet posted (ACWP, ACPD). */
    static const struct status_row rows[] = {
        { "RCVD", STATE_OPEN },    { "ACTC", STATE_OPEN },    { "ACCP", STATE_OPEN },
        { "ACWC", STATE_OPEN },    { "ACFC", STATE_OPEN },    { "ACFW", STATE_OPEN },
        { "ACIS", STATE_OPEN },    { "ACPD", STATE_OPEN },    { "ACWP", STATE_OPEN },
        { "PDNG", STATE_OPEN },    { "PART", STATE_OPEN },    { "PATC", STATE_OPEN },
        { "PRES", STATE_OPEN },    { "BLCK", STATE_OPEN },    { "RCVC", STATE_OPEN },
        { "RVCM", STATE_OPEN },    { "RVNC", STATE_OPEN },    { "RVMC", STATE_OPEN },
        { "RVNM", STATE_OPEN },    { "RVNA", STATE_OPEN },    { "ACSP", STATE_SETTLING },
        { "ACSC", STATE_DONE },    { "ACCC", STATE_DONE },    { "CPUC", STATE_DONE },
        { "RJCT", STATE_REFUSED }, { "CANC", STATE_REFUSED },
    };
    return state_in(rows, sizeof rows / sizeof rows[0], status);
}

uint32_t bank_recall_state_of(const char *status)
{
    /* Cancellation status and investigation confirmation. IPAY: the money is on its way back. */
    static const struct status_row rows[] = {
        { "CNCL", STATE_DONE },    { "ACCR", STATE_DONE }, { "IPAY", STATE_DONE },
        { "RJCR", STATE_REFUSED }, { "PDCR", STATE_OPEN }, { "PACR", STATE_OPEN },
        { "UWFW", STATE_OPEN },    { "PECR", STATE_OPEN }, { "INFO", STATE_OPEN },
    };
    return state_in(rows, sizeof rows / sizeof rows[0], status);
}

static void keep_code(struct bank_verdict *v, const struct iso_item *item)
{
    const char *code = item->reason[0] != '\0' ? item->reason : item->status;
    memcpy(v->code, code, strlen(code) + 1);
}

void bank_judge_payment(const struct bank_instance *bank, const struct iso_item *item,
                        enum bank_sight sight, uint32_t sure, struct bank_verdict *v)
{
    uint32_t state = bank_state_of(item->status);
    if (state == STATE_SETTLING)
        state = bank->acsp_is_final != 0 ? STATE_DONE : STATE_OPEN;
    *v = (struct bank_verdict){ .outcome = 0 };
    keep_code(v, item);
    if (state == STATE_DONE) {
        v->outcome = RG_OUTCOME_APPROVED;
        v->sentence = "The payment is settled.";
    } else if (state == STATE_OPEN) {
        v->outcome = RG_OUTCOME_PENDING;
        v->sentence = "The bank is working on the payment.";
    } else if (state == STATE_REFUSED) {
        const struct bank_reason *reason = bank_reason_of(item->reason);
        v->outcome = RG_OUTCOME_DECLINED;
        v->category = reason->category;
        v->sentence = reason->sentence;
        if (reason->verdict == REASON_DUPLICATE && sure == 0) {
            v->outcome = RG_OUTCOME_PENDING;
            v->category = RG_CATEGORY_NONE;
            v->sentence = "The bank has the payment already and was asked what became of it.";
        } else if (reason->verdict == REASON_UNKNOWN && sight != SIGHT_ANSWER) {
            /* In a notice it answers an inquiry that nobody waits for any more. */
            v->outcome = sight == SIGHT_INQUIRY ? RG_OUTCOME_NOT_FOUND : 0;
        }
    }
}

void bank_judge_recall(const struct iso_item *item, struct bank_verdict *v)
{
    uint32_t state = bank_recall_state_of(item->status);
    *v = (struct bank_verdict){ .outcome = 0 };
    keep_code(v, item);
    if (state == STATE_DONE) {
        v->outcome = RG_OUTCOME_APPROVED;
        v->sentence = "The payment is called back.";
    } else if (state == STATE_OPEN) {
        v->outcome = RG_OUTCOME_PENDING;
        v->sentence = "The other bank was asked to give the payment back.";
    } else if (state == STATE_REFUSED) {
        const struct bank_reason *reason = bank_reason_of(item->reason);
        v->outcome = RG_OUTCOME_DECLINED;
        v->category = reason->category;
        v->sentence = item->reason[0] != '\0' ? reason->sentence : "The payment is not given back.";
    }
}
