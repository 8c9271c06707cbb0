/* region.c - `railgate region new` and `railgate schema region`: how a profile begins.
 *
 * What `new` writes passes `railgate check` as it is; every line of it says what it is for, and
 * what is only an example is commented out.
 */
#include "main/cli.h"

#include "base/ensure.h"
#include "main/replace.h"

#include <stdlib.h>
#include <time.h>

#define FILE_BYTES   ((size_t)16 * 1024)
#define SCHEMA_BYTES ((size_t)512 * 1024)

/* %1: name, %2: date, %3: the line with `extends`. */
static void write_profile(struct writer *w, const char *name, const char *country, const char *date,
                          const char *extends)
{
    writer_format(w,
                  "# Compliance profile of %s. `railgate check` checks it and runs its cases "
                  "(%s.tests.yaml);\n"
                  "# `railgate explain --region %s request.json` shows how it decides; `railgate "
                  "reload` puts it\n"
                  "# in force. Every key, its type and its range: `railgate schema region`.\n"
                  "region: %s\n"
                  "version: \"1\" # a payment remembers it; give a new one with every change\n"
                  "effective_from: %s # before, its payments are denied\n",
                  name, name, name, name, date);
    if (extends != NULL)
        writer_format(w, "extends: %s # holds too where this file says nothing\n", extends);
    writer_format(w,
                  "owner: compliance # who answers for it\n"
                  "time_zone: UTC # of days, months and hours; an IANA name, e.g. Europe/Berlin\n");
    if (country != NULL)
        writer_format(w, "countries: [%s]\n", country);
    else
        writer_text(w, "# countries: [DE] # ISO 3166 codes that it is written for\n");
    writer_text(w, "rails: [card, qr, bank, cbdc] # that are allowed\n"
                   "# currencies: [EUR] # all when left out\n"
                   "\n"
                   "# What one payment may be, and what the payments of one payer may be together. "
                   "Put the figures\n"
                   "# of your region here, each with its source.\n"
                   "limits:\n"
                   "  - id: single\n"
                   "    max: [10000.00 EUR, 10000.00 USD]\n"
                   "    then: review # deny, review, challenge or report\n"
                   "    reason: A person looks at large payments.\n"
                   "    source: own policy\n"
                   "#  - id: day\n"
                   "#    per: payer # payee, account, device, merchant\n"
                   "#    window: 24h # sliding; or day, week, month, year of the calendar\n"
                   "#    max: 20000.00 EUR\n"
                   "#    count: 50\n"
                   "#    source: own policy\n"
                   "#  - id: night\n"
                   "#    hours: 22:00-06:00 # in time_zone; first included, last not\n"
                   "#    max: 1000.00 EUR\n"
                   "#    source: own policy\n"
                   "\n"
                   "# Strong authentication of the payer, and when it is not needed.\n"
                   "# authentication:\n"
                   "#   required: yes\n"
                   "#   rails: [card]\n"
                   "#   when: [initiator=payer]\n"
                   "#   exemptions:\n"
                   "#     - id: low_value\n"
                   "#       max: 30.00 EUR\n"
                   "#       total: 100.00 EUR\n"
                   "#       count: 5\n"
                   "#       source: RTS 2018/389 Art. 16\n"
                   "\n"
                   "# Own rules, in order; the strictest of all that fire wins.\n"
                   "# rules:\n"
                   "#   - id: no_gambling\n"
                   "#     when: [payee.mcc=7995]\n"
                   "#     then: deny\n"
                   "#     reason: Gambling is not allowed here.\n"
                   "#     source: own policy\n");
}

/* Of a tests file: both sides of the one limit. */
static void write_tests(struct writer *w, const char *name, const char *date)
{
    writer_format(
        w,
        "# Cases of %s.yaml, run by `railgate check`. Both sides of every figure: exactly at it\n"
        "# and one minor unit over.\n"
        "region: %s\n"
        "cases:\n"
        "  - name: exactly at the single limit\n"
        "    at: %sT12:00:00Z\n"
        "    facts: { rail: bank, kind: purchase, amount: 10000.00 EUR }\n"
        "    not: [single]\n"
        "    expect: allow\n"
        "  - name: one cent over the single limit\n"
        "    at: %sT12:00:00Z\n"
        "    facts: { rail: bank, kind: purchase, amount: 10000.01 EUR }\n"
        "    because: [single]\n"
        "    expect: review\n",
        name, name, date, date);
}

static bool name_is_fine(const char *name)
{
    size_t len = strlen(name);
    return len >= 1 && len <= 32 && name[0] >= 'a' && name[0] <= 'z' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len;
}

static bool create(const char *folder, const char *name, const char *end, struct view text)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s%s", folder, name, end) >= (int)sizeof path)
        return false;
    enum status status = file_create(path, text);
    if (status == STATUS_EXISTS)
        fprintf(stderr, "railgate region new: %s is there already; nothing was written over\n",
                path);
    else if (status != STATUS_OK)
        fprintf(stderr, "railgate region new: %s cannot be written: %s\n", path,
                status_text(status));
    else
        printf("wrote %s\n", path);
    return status == STATUS_OK;
}

static int new_region(const struct settings *settings, const char *name, const char *extends)
{
    char lower[64] = "", country[3] = "", date[16];
    char profile[FILE_BYTES], tests[FILE_BYTES];
    for (size_t i = 0; name[i] != '\0' && i + 1 < sizeof lower; i++)
        lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
    if (!name_is_fine(lower) || strlen(name) >= sizeof lower) {
        fprintf(stderr,
                "railgate region new: a name is 1 to 32 letters, digits, _ and -, and begins "
                "with a letter.\n");
        return EXIT_COULD_NOT;
    }
    if (settings_region(settings, view_text(lower)) != NULL) {
        fprintf(stderr,
                "railgate region new: there is a region `%s` already; nothing was written\n",
                lower);
        return EXIT_COULD_NOT;
    }
    if (extends != NULL && settings_region(settings, view_text(extends)) == NULL) {
        fprintf(stderr, "railgate region new: there is no region `%s` to extend\n", extends);
        return EXIT_COULD_NOT;
    }
    time_t now = time(NULL);
    struct tm utc;
    (void)gmtime_r(&now, &utc);
    (void)strftime(date, sizeof date, "%Y-%m-%d", &utc);
    /* "EU" and "UK" are no countries of ISO 3166; whoever means one writes it. */
    if (strlen(lower) == 2 && strcmp(lower, "eu") != 0 && strcmp(lower, "uk") != 0) {
        country[0] = (char)(lower[0] - 32);
        country[1] = (char)(lower[1] - 32);
    }
    bool is_country =
        country[0] >= 'A' && country[0] <= 'Z' && country[1] >= 'A' && country[1] <= 'Z';
    struct writer p = writer_over(profile, sizeof profile), t = writer_over(tests, sizeof tests);
    write_profile(&p, lower, is_country ? country : NULL, date, extends);
    write_tests(&t, lower, date);
    ENSURE(!p.overflow && !t.overflow);
    if (!create(settings->regions_folder, lower, ".yaml", writer_done(&p)) ||
        !create(settings->regions_folder, lower, ".tests.yaml", writer_done(&t)))
        return EXIT_COULD_NOT;
    printf("next: railgate check; then edit, check, and railgate reload\n");
    return EXIT_GOOD;
}

static int region_new(int argc, char **argv)
{
    const char *config = "config", *extends = NULL;
    const struct option_row rows[] = {
        OPTION_CONFIG(&config),
        { "extends", "NAME", "Profile that holds too where the new one says nothing, e.g. base.",
          &extends, NULL },
    };
    const struct usage usage = {
        .command = "region new",
        .sentence =
            "Writes a commented profile and its test cases into the folder of region profiles; "
            "both pass\n`railgate check`. They count from the next `railgate reload`.",
        .arguments = "NAME",
        .options = rows,
        .option_count = COUNT_OF(rows),
        .arguments_max = 1
    };
    int count;
    enum options_result read = options_read(&usage, argc, argv, &count);
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    if (count != 1) {
        fprintf(stderr, "railgate region new: give a name, e.g. de.\n");
        return EXIT_COULD_NOT;
    }
    struct settings *settings = cli_settings_load(config);
    if (settings == NULL)
        return EXIT_COULD_NOT;
    int code = new_region(settings, argv[1], extends);
    settings_free(settings);
    return code;
}

int command_region(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "new") == 0)
        return region_new(argc - 1, argv + 1);
    bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    fprintf(help ? stdout : stderr, "usage: railgate region new NAME [OPTIONS]\n\n"
                                    "Region profiles. It takes --help.\n");
    return help ? EXIT_GOOD : EXIT_COULD_NOT;
}

int command_schema(int argc, char **argv)
{
    const struct usage usage = {
        .command = "schema",
        .sentence =
            "Prints the JSON Schema (draft 2020-12) of a region profile: editors complete and "
            "check with it.",
        .arguments = "region",
        .arguments_max = 1
    };
    int count;
    enum options_result read = options_read(&usage, argc, argv, &count);
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    if (count != 1 || strcmp(argv[1], "region") != 0) {
        fprintf(stderr, "railgate schema: `railgate schema region` is the one there is.\n");
        return EXIT_COULD_NOT;
    }
    char *text = malloc(SCHEMA_BYTES);
    struct writer w = writer_over(text, text != NULL ? SCHEMA_BYTES : 0);
    settings_region_schema(&w);
    cli_print(writer_done(&w));
    bool good = !w.overflow;
    free(text);
    return good ? EXIT_GOOD : EXIT_COULD_NOT;
}
