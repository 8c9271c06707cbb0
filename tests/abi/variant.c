/* variant.c - small adapters for the loader's tests, compiled against the frozen header of version
 * 1:
 *
 *     (none)           a plain one, as it would have been delivered with version 1.0
 *     VARIANT_SHORTER  its struct ends after `frame`: made before notice and extension were there
 *     VARIANT_NEWER    minor version 7: a longer struct and longer rows, an operation, a flag and
 *                      members that the host has never heard of
 *     VARIANT_REFUSES  returns NULL, as one does that needs a newer host
 *     VARIANT_NO_ENTRY has no entry at all
 */
#include <railgate/adapter.h>

#ifdef VARIANT_NEWER
#define MINOR 7u
#else
#define MINOR 0u
#endif

#if !defined(VARIANT_NO_ENTRY) && !defined(VARIANT_REFUSES)

struct setting_row {
    struct rg_setting row;
#ifdef VARIANT_NEWER
    const char *later[3];
#endif
};

struct ability_row {
    struct rg_ability row;
#ifdef VARIANT_NEWER
    uint64_t later[5];
#endif
};

static const struct setting_row settings[] = {
    { .row = { .size = sizeof(struct setting_row),
               .name = "first",
               .type = RG_SETTING_TEXT,
               .max = 8,
               .fallback = "x",
               .sentence = "The first setting." } },
    { .row = { .size = sizeof(struct setting_row),
               .name = "second",
               .type = RG_SETTING_NUMBER,
               .min = 1,
               .max = 9,
               .fallback = "5",
               .unit = "pieces",
               .sentence = "The second setting." } },
};

static const struct ability_row abilities[] = {
    { .row = { .size = sizeof(struct ability_row),
               .operation = RG_OP_SALE,
               .amount_minor_max = 1000 } },
    { .row = { .size = sizeof(struct ability_row),
               .operation = RG_OP_REFUND,
               .amount_minor_max = 500,
               .currencies = "EUR USD" } },
#ifdef VARIANT_NEWER
    { .row = { .size = sizeof(struct ability_row), .operation = 77, .flags = 0x80000001u } },
#endif
};

static uint32_t configure(void *instance, const struct rg_value *values, struct rg_diag *diag)
{
    (void)instance, (void)values, (void)diag;
    return 1;
}

static uint32_t begin(const void *instance, void *exchange, const struct rg_command *command,
                      struct rg_out *out)
{
    (void)instance, (void)exchange;
    out->outcome = RG_OUTCOME_APPROVED;
    out->amount_minor = command->amount_minor;
    out->currency_number = command->currency_number;
    return RG_STEP_DONE;
}

struct longer {
    struct rg_adapter v1;
    uint64_t later[8]; /* what version 1.7 may have added */
};

static const struct longer adapter = {
    .v1 = {
        .magic = RG_ABI_MAGIC,
        .abi_major = 1,
        .abi_minor = MINOR,
        .transport = RG_TRANSPORT_LOCAL,
#if defined(VARIANT_SHORTER)
        .size = offsetof(struct rg_adapter, notice),
        /* What stands behind `size` must not be taken for a function. */
        .notice = (uint32_t (*)(const void *, const struct rg_notice *, struct rg_notice_out *))16,
        .extension = (const void *(*)(const char *, uint32_t))32,
#elif defined(VARIANT_NEWER)
        .size = sizeof(struct longer),
#else
        .size = sizeof(struct rg_adapter),
#endif
        .id = "variant",
        .version = "1.0.0",
        .licence = "Apache-2.0",
        .origin = "railgate",
        .rail = "cbdc",
        .settings = &settings[0].row,
        .settings_count = sizeof settings / sizeof settings[0],
        .abilities = &abilities[0].row,
        .abilities_count = sizeof abilities / sizeof abilities[0],
        .instance_size = 8,
        .exchange_size = 8,
        .steps_max = 1,
        .configure = configure,
        .begin = begin,
    },
    .later = { ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull },
};
#endif

#ifdef VARIANT_NO_ENTRY
extern const int not_an_entry;
const int not_an_entry = 1;
#else
const struct rg_adapter *rg_adapter_get(uint32_t host_abi)
{
#ifdef VARIANT_REFUSES
    (void)host_abi;
    return 0;
#else
    return host_abi >> 16 == 1 ? &adapter.v1 : 0;
#endif
}
#endif
