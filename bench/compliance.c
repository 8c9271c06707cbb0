/* compliance.c - what deciding a payment costs, profile by profile.
 *
 *     bench_compliance [CONFIG]          CONFIG: folder or gateway.yaml; default: config
 *
 * Loads and compiles every profile of the folder, and decides a handful of payments with each: all
 * four rails, small and large, with many facts and with few, so that rules fire, do not fire and
 * reserve. The best of several rounds is told, in nanoseconds per evaluation: the machine's own
 * noise only adds.
 *
 * The linker turns every call of malloc, calloc, realloc and vault_alloc in here into one of the
 * functions below (--wrap), which count: an evaluation that allocates is an error, exit 1.
 */
#include "compliance/compliance.h"
#include "base/vault.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>

#define ROUNDS       7
#define ROUND_NS     30000000
#define PAYMENTS     8
#define ARENA_BYTES  ((size_t)64 * 1024 * 1024)
#define FINDINGS_OUT ((size_t)256 * 1024)

/* --- counting ------------------------------------------------------------------------------ */

static uint64_t allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_vault_alloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_vault_alloc(size_t size);

void *__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    allocations++;
    return __real_realloc(block, size);
}

void *__wrap_vault_alloc(size_t size)
{
    allocations++;
    return __real_vault_alloc(size);
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* --- payments ------------------------------------------------------------------------------ */

static void fact(struct compliance_facts *facts, const char *name, const char *value)
{
    char why[200];
    struct writer w = writer_over(why, sizeof why);
    if (!facts_parse(facts, view_text(name), view_text(value), &w)) {
        fprintf(stderr, "bench_compliance: %.*s\n", (int)w.len, why);
        exit(2);
    }
}

static void known_parties(struct compliance_facts *facts, const char *payer, const char *payee)
{
    static const char *const both[][2] = {
        { "payer.id", "cus_1" },
        { "payer.name", "Ann Example" },
        { "payer.type", "person" },
        { "payer.kyc_tier", "2" },
        { "payer.account", "acc_1" },
        { "payer.address", "1 Example Street" },
        { "payer.birth_date", "1980-05-17" },
        { "payee.id", "cus_2" },
        { "payee.name", "Example Shop" },
        { "payee.type", "business" },
        { "payee.kyc_tier", "2" },
        { "payee.account", "acc_2" },
        { "payee.address", "2 Example Street" },
        { "payee.balance", "1000" },
        { "payee.mcc", "5411" },
        { "device.id", "dev_1" },
        { "device.registered", "yes" },
        { "merchant", "mer_1" },
        { "risk", "low" },
        { "purpose", "GDDS" },
        { "capture", "automatic" },
    };
    for (size_t i = 0; i < sizeof both / sizeof both[0]; i++)
        fact(facts, both[i][0], both[i][1]);
    fact(facts, "payer.country", payer);
    fact(facts, "payee.country", payee);
    facts_number(facts, FACT_PAYER_LISTED, 12);
    facts_number(facts, FACT_PAYEE_LISTED, 12);
}

/* In a currency and countries of the region, when it names any. */
static void payments_make(const struct region_settings *region,
                          struct compliance_facts payments[PAYMENTS])
{
    static const enum rail rails[] = { RAIL_CARD, RAIL_QR, RAIL_BANK, RAIL_CBDC };
    const char *code = region->currencies.count > 0 ? region->currencies.items[0] : "EUR";
    const char *home = region->countries.count > 0 ? region->countries.items[0] : "DE";
    for (size_t i = 0; i < PAYMENTS; i++) {
        struct money amount = { .minor = i < 4 ? 2500 : 90000000 };
        if (currency_by_code(view_text(code), &amount.currency) != STATUS_OK)
            exit(2);
        facts_start(&payments[i], rails[i % 4],
                    i % 3 == 0 ? PAYMENT_KIND_PURCHASE : PAYMENT_KIND_TRANSFER, amount,
                    region->effective_from_us + (int64_t)i * 3 * 3600 * 1000000);
        payments[i].lists = LISTS_FINE;
        payments[i].store_country = view_text(home);
        if (i != 3) /* one of which nothing is known */
            known_parties(&payments[i], home,
                          i < 4 ? home : (strcmp(home, "US") == 0 ? "CA" : "US"));
        if (rails[i % 4] == RAIL_CARD)
            fact(&payments[i], "entry", i == 0 ? "contactless" : "manual");
        if (rails[i % 4] == RAIL_QR || rails[i % 4] == RAIL_BANK)
            fact(&payments[i], "scheme", "pix");
    }
}

/* --- measuring ----------------------------------------------------------------------------- */

struct measured {
    double ns;
    uint64_t evaluations, allocated;
};

static struct measured measure(const struct profile *profile,
                               const struct compliance_facts payments[PAYMENTS])
{
    struct measured m = { .ns = 1e18 };
    static struct decision decision;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t count = 0, before = allocations;
        int64_t begin = now_ns(), end;
        do {
            for (size_t i = 0; i < PAYMENTS * 64; i++)
                compliance_decide(profile, &payments[i % PAYMENTS], NULL, &decision);
            count += (uint64_t)PAYMENTS * 64;
            end = now_ns();
        } while (end - begin < ROUND_NS);
        double ns = (double)(end - begin) / (double)count;
        if (ns < m.ns)
            m.ns = ns;
        m.evaluations += count;
        m.allocated += allocations - before;
    }
    return m;
}

static size_t rules_of(const struct region_settings *r)
{
    return r->tiers_count + r->limits_count + r->exemptions_count + r->corridors_count +
           r->fields_count + r->rules_count;
}

static void findings_print(const struct findings *findings)
{
    static char text[FINDINGS_OUT];
    struct writer w = writer_over(text, sizeof text);
    findings_write(&w, findings);
    fwrite(text, 1, w.len, stderr);
}

static void machine_print(void)
{
    struct utsname machine;
    char line[200], model[120] = "unknown processor";
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "model name : %119[^\n]", model) == 1)
            break;
    }
    if (file != NULL)
        fclose(file);
    if (uname(&machine) == 0)
        printf("machine: %s, %s %s\n", model, machine.sysname, machine.machine);
#ifdef __clang__
    printf("compiler: %s\n", __VERSION__);
#else
    printf("compiler: gcc %s\n", __VERSION__);
#endif
}

/* Decides once each, so that what the payments run into is told too. */
static void region_print(const struct region_settings *region, const struct measured *m,
                         const struct profile *profile,
                         const struct compliance_facts payments[PAYMENTS])
{
    static struct decision d;
    unsigned verdicts[5] = { 0 };
    for (size_t i = 0; i < PAYMENTS; i++) {
        compliance_decide(profile, &payments[i], NULL, &d);
        verdicts[d.verdict]++;
    }
    printf("%-12s %5zu rules %9.0f ns  %10llu evaluations  %llu allocations  (of %d payments: %u "
           "allowed, %u challenged, %u reviewed, %u denied)\n",
           region->region, rules_of(region), m->ns, (unsigned long long)m->evaluations,
           (unsigned long long)m->allocated, PAYMENTS, verdicts[VERDICT_ALLOW],
           verdicts[VERDICT_CHALLENGE], verdicts[VERDICT_REVIEW], verdicts[VERDICT_DENY]);
}

/* A counter that counts nothing would find nothing. Through a pointer that the compiler does not
 * see through, else it leaves out a block that nobody uses. */
static bool counter_works(void)
{
    void *(*volatile take)(size_t) = malloc;
    uint64_t before = allocations;
    free(take(16));
    vault_free(vault_alloc(16));
    return allocations - before >= 2;
}

int main(int argc, char **argv)
{
    static struct findings findings;
    static struct compliance_facts payments[PAYMENTS];
    struct settings *settings = NULL;
    struct arena arena;
    findings_init(&findings);
    arena_init(&arena, ARENA_BYTES);
    if (settings_load(argc > 1 ? argv[1] : "config", &settings, &findings) != STATUS_OK) {
        findings_print(&findings);
        return 2;
    }
    if (!counter_works()) {
        fprintf(stderr, "bench_compliance: allocations are not counted\n");
        return 2;
    }
    machine_print();
    uint64_t allocated = 0;
    for (size_t i = 0; i < settings->regions_count; i++) {
        const struct region_settings *region = &settings->regions[i];
        struct profile *profile;
        if (compliance_compile(region, settings, &arena, &findings, &profile) != STATUS_OK) {
            findings_print(&findings);
            return 2;
        }
        payments_make(region, payments);
        struct measured m = measure(profile, payments);
        region_print(region, &m, profile, payments);
        allocated += m.allocated;
    }
    arena_reset(&arena);
    settings_free(settings);
    findings_clear(&findings);
    if (allocated > 0)
        fprintf(stderr, "bench_compliance: an evaluation allocated\n");
    return allocated > 0 ? 1 : 0;
}
