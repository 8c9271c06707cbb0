/* section.c - the .def files as tables, and the lists of a region profile as a table.
 *
 * A new kind of list needs its .def file, its struct in settings.h, and a line in each of the two
 * tables below; reading, extending, showing, the manual and the schema follow from them.
 */
#include "settings/row_int.h"

#include "base/ensure.h"

#define SETTING(type_, member_, path_, fallback_, min_, max_, unit_, choices_, secret_, sentence_) \
    { .type = SETTING_##type_,                                                                     \
      .offset = offsetof(struct SECTION, member_),                                                 \
      .path = (path_),                                                                             \
      .fallback = (fallback_),                                                                     \
      .min = (min_),                                                                               \
      .max = (max_),                                                                               \
      .unit = (unit_),                                                                             \
      .choices = (choices_),                                                                       \
      .secret = (secret_) != 0,                                                                    \
      .sentence = (sentence_) },

#define SECTION settings
static const struct setting_row gateway_rows[] = {
#include "settings/gateway.def"
};
#undef SECTION
#define SECTION key_settings
static const struct setting_row key_rows[] = {
#include "settings/key.def"
};
#undef SECTION
#define SECTION list_settings
static const struct setting_row list_rows[] = {
#include "settings/list.def"
};
#undef SECTION
#define SECTION merchant_settings
static const struct setting_row merchant_rows[] = {
#include "settings/merchant.def"
};
#undef SECTION
#define SECTION issuer_settings
static const struct setting_row issuer_rows[] = {
#include "settings/issuer.def"
};
#undef SECTION
#define SECTION channel_settings
static const struct setting_row channel_rows[] = {
#include "settings/channel.def"
};
#undef SECTION
#define SECTION region_settings
static const struct setting_row region_rows[] = {
#include "settings/region.def"
};
#undef SECTION
#define SECTION limit_settings
static const struct setting_row limit_rows[] = {
#include "settings/limit.def"
};
#undef SECTION
#define SECTION tier_settings
static const struct setting_row tier_rows[] = {
#include "settings/tier.def"
};
#undef SECTION
#define SECTION exemption_settings
static const struct setting_row exemption_rows[] = {
#include "settings/exemption.def"
};
#undef SECTION
#define SECTION corridor_settings
static const struct setting_row corridor_rows[] = {
#include "settings/corridor.def"
};
#undef SECTION
#define SECTION field_settings
static const struct setting_row field_rows[] = {
#include "settings/field.def"
};
#undef SECTION
#define SECTION mask_settings
static const struct setting_row mask_rows[] = {
#include "settings/mask.def"
};
#undef SECTION
#define SECTION rule_settings
static const struct setting_row rule_rows[] = {
#include "settings/rule.def"
};
#undef SECTION
#define SECTION region_tests
static const struct setting_row tests_rows[] = {
#include "settings/tests.def"
};
#undef SECTION
#define SECTION test_case
static const struct setting_row case_rows[] = {
#include "settings/case.def"
};
#undef SECTION

static const char *const none[] = { NULL };
static const char *const gateway_extras[] = { "keys", "lists", "issuers", "merchants", NULL };
static const char *const channel_extras[] = { "settings", NULL };
static const char *const region_extras[] = { "limits",
                                             "rules",
                                             "kyc.tiers",
                                             "authentication.exemptions",
                                             "cross_border.corridors",
                                             "cross_border.fields",
                                             "data.mask",
                                             NULL };
static const char *const tests_extras[] = { "cases", NULL };
static const char *const case_extras[] = { "facts", "spent", NULL };

#define SECTION(name, title, extras)                                                               \
    const struct setting_section section_##name = { (title), name##_rows, COUNT_OF(name##_rows),   \
                                                    (extras) };
SECTION(gateway, "gateway.yaml", gateway_extras)
SECTION(key, "gateway.yaml, each of `keys`", none)
SECTION(list, "gateway.yaml, each of `lists`", none)
SECTION(issuer, "gateway.yaml, each of `issuers`", none)
SECTION(merchant, "gateway.yaml, each of `merchants`", none)
SECTION(channel, "channels/*.yaml", channel_extras)
SECTION(region, "regions/*.yaml", region_extras)
SECTION(limit, "regions/*.yaml, each of `limits`", none)
SECTION(tier, "regions/*.yaml, each of `kyc.tiers`", none)
SECTION(exemption, "regions/*.yaml, each of `authentication.exemptions`", none)
SECTION(corridor, "regions/*.yaml, each of `cross_border.corridors`", none)
SECTION(field, "regions/*.yaml, each of `cross_border.fields`", none)
SECTION(mask, "regions/*.yaml, each of `data.mask`", none)
SECTION(rule, "regions/*.yaml, each of `rules`", none)
SECTION(tests, "regions/*.tests.yaml", tests_extras)
SECTION(case, "regions/*.tests.yaml, each of `cases`", case_extras)

#define LIST(path_, name, member, extended_)                                                       \
    {                                                                                              \
        .path = (path_), .section = &section_##name, .size = sizeof(struct name##_settings),       \
        .items = offsetof(struct region_settings, member),                                         \
        .count = offsetof(struct region_settings, member##_count),                                 \
        .file = offsetof(struct name##_settings, file),                                            \
        .line = offsetof(struct name##_settings, line),                                            \
        .column = offsetof(struct name##_settings, column),                                        \
        .given = offsetof(struct name##_settings, given), .extended = (extended_)                  \
    }

const struct region_list region_lists[REGION_LISTS] = {
    LIST("limits", limit, limits, REGION_LIST_BY_ID),
    LIST("kyc.tiers", tier, tiers, REGION_LIST_AS_A_WHOLE),
    LIST("authentication.exemptions", exemption, exemptions, REGION_LIST_BY_ID),
    LIST("cross_border.corridors", corridor, corridors, REGION_LIST_BY_ID),
    LIST("cross_border.fields", field, fields, REGION_LIST_BY_ID),
    LIST("data.mask", mask, masks, REGION_LIST_APPENDED),
    LIST("rules", rule, rules, REGION_LIST_BY_ID),
};
