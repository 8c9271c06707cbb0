/* test_region.c - region profiles: every section, every mistake at its place, extending, versions.
 */
#include "folder.h"

#include "settings/figure_int.h"

#define HEAD(name) "region: " name "\nversion: \"1\"\neffective_from: 2026-01-01\n" /* 3 lines */
#define HOUR_US    INT64_C(3600000000)

static const char full[] = HEAD("eu") /* 1 to 3 */
    "owner: compliance\n"
    "time_zone: Europe/Berlin\n"
    "countries: [DE, NO]\n"
    "limits:\n" /* 7 */
    "  - id: pix_night\n"
    "    rails: [qr]\n"
    "    when: scheme=pix\n"
    "    hours: 20:00-06:00\n"
    "    per: payer\n"
    "    window: day\n"
    "    max: 1000.00 BRL\n"
    "    source: \"Res. BCB 142/2021: Art. 3\"\n"
    "    verify: yes\n"
    "  - {id: many, per: device, window: 24h, count: 10, then: review}\n" /* 17 */
    "  - {id: large, max: [15000.00 EUR, 1000000 JPY], from: 10000 USD, min: [0.01 EUR], then: "
    "report}\n"
    "rules:\n" /* 19 */
    "  - {id: casino, when: [payee.mcc=7995, 'amount>100.00 EUR'], hours: 00:00-24:00, then: deny, "
    "reason: No gambling}\n"
    "kyc:\n" /* 21 */
    "  without_tier: challenge\n"
    "  tiers:\n"
    "    - {tier: 1, rails: [bank], single: 50000.00 NGN, day: 50000 NGN, balance: 300000 NGN}\n"
    "authentication:\n" /* 25 */
    "  required: yes\n"
    "  when: [initiator=payer]\n"
    "  fraud_rate: 0.13%\n"
    "  exemptions:\n"
    "    - {id: low_value, rails: [card], when: entry=manual, max: 30 EUR, total: 100.00 EUR, "
    "count: 5}\n"
    "    - {id: tra, max: 250.00 EUR, fraud_rate_max: 0.06%}\n"
    "cross_border:\n" /* 32 */
    "  other: review\n"
    "  corridors:\n"
    "    - {id: to_kp, to: [KP], then: deny, reason: embargo}\n"
    "  fields:\n"
    "    - {id: travel, over: 1000.00 EUR, needs: [payer.name, payer.account]}\n"
    "screening: {lists: [ofac], threshold: 92, hit: deny}\n"
    "data:\n" /* 39 */
    "  retention: 5y\n"
    "  residency: [DE]\n"
    "  mask:\n"
    "    - {fact: payer.account, for: [merchant]}\n"
    "review: {valid_for: 2d}\n";

static const char gateway_lists[] = "region: eu\n"
                                    "store: {country: DE}\n"
                                    "authentication: {code_key: codes}\n"
                                    "keys:\n"
                                    "  - {name: codes, kind: hmac_sha256, hex_file: a}\n"
                                    "  - {name: bank, kind: verify_es256, file: b}\n"
                                    "lists:\n"
                                    "  - {name: ofac, format: ofac_sdn, path: lists/ofac}\n"
                                    "  - {name: own, format: csv, path: own.csv, max_age: 30d}\n"
                                    "issuers:\n"
                                    "  - {name: https://id.example, key: bank}\n";

static void assert_money(const struct settings_moneys *moneys, size_t index, int64_t minor,
                         const char *code)
{
    assert_true(index < moneys->count);
    assert_true(moneys->items[index].minor == minor);
    assert_string_equal(moneys->items[index].currency->code, code);
}

static void every_section_is_read(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f, gateway_lists);
    file_write(&f, "regions/eu.yaml", full);
    folder_load(&f);
    assert_int_equal(f.status, STATUS_OK);
    assert_int_equal(f.findings.warnings, 1); /* no channel */
    const struct settings *s = f.settings;
    assert_string_equal(s->store_country, "DE");
    assert_int_equal(s->lists_count, 2);
    assert_int_equal(s->lists[1].line, 9);
    assert_int_equal(s->lists[1].max_age_us, 30 * 24 * HOUR_US);
    assert_int_equal(s->issuers_count, 1);
    assert_string_equal(s->issuers[0].audience, "railgate");
    const struct region_settings *r = settings_region(s, VIEW("EU"));
    assert_non_null(r);
    assert_string_equal(r->countries.items[1], "NO"); /* a country, not a `no` */
    assert_int_equal(r->limits_count, 3);
    const struct limit_settings *pix = &r->limits[0];
    assert_int_equal(pix->line, 8);
    assert_int_equal(pix->column, 5);
    assert_string_equal(pix->file + strlen(pix->file) - 7, "eu.yaml");
    assert_int_equal(pix->when.count, 1);
    assert_string_equal(pix->when.items[0].text, "scheme=pix");
    assert_int_equal(pix->when.items[0].line, 10);
    assert_int_equal(pix->when.items[0].column, 11);
    assert_true(pix->hours.given);
    assert_int_equal(pix->hours.from_s, 72000);
    assert_int_equal(pix->hours.until_s, 21600);
    assert_int_equal(pix->per, SETTINGS_PER_PAYER);
    assert_int_equal(pix->window.kind, SETTINGS_WINDOW_DAY);
    assert_money(&pix->max, 0, 100000, "BRL");
    assert_true(pix->verify);
    assert_string_equal(pix->source, "Res. BCB 142/2021: Art. 3");
    const struct limit_settings *many = &r->limits[1];
    assert_int_equal(many->window.kind, SETTINGS_WINDOW_SLIDING);
    assert_int_equal(many->window.us, 24 * HOUR_US);
    assert_int_equal(many->count, 10);
    assert_int_equal(many->then, SETTINGS_THEN_REVIEW);
    assert_false(many->hours.given);
    const struct limit_settings *large = &r->limits[2];
    assert_int_equal(large->per, SETTINGS_PER_PAYMENT);
    assert_int_equal(large->window.kind, SETTINGS_WINDOW_NONE);
    assert_money(&large->max, 0, 1500000, "EUR");
    assert_money(&large->max, 1, 1000000, "JPY");
    assert_money(&large->from, 0, 1000000, "USD");
    assert_money(&large->min, 0, 1, "EUR");
    assert_int_equal(large->then, SETTINGS_THEN_LAST);
    assert_int_equal(r->rules_count, 1);
    assert_int_equal(r->rules[0].when.count, 2);
    assert_string_equal(r->rules[0].when.items[1].text, "amount>100.00 EUR");
    assert_int_equal(r->rules[0].when.items[1].column, 41);
    assert_int_equal(r->rules[0].hours.until_s, 86400);
    assert_int_equal(r->kyc_without_tier, SETTINGS_CHALLENGE);
    assert_int_equal(r->tiers_count, 1);
    assert_int_equal(r->tiers[0].tier, 1);
    assert_money(&r->tiers[0].day, 0, 5000000, "NGN");
    assert_int_equal(r->tiers[0].month.count, 0);
    assert_true(r->authentication_required);
    assert_int_equal(r->authentication_fraud_rate_ppm, 1300);
    assert_int_equal(r->exemptions_count, 2);
    assert_int_equal(r->exemptions[0].count, 5);
    assert_int_equal(r->exemptions[0].fraud_rate_max_ppm, 1000000);
    assert_int_equal(r->exemptions[1].fraud_rate_max_ppm, 600);
    assert_int_equal(r->cross_border_other, SETTINGS_REVIEW);
    assert_int_equal(r->corridors[0].then, SETTINGS_DENY);
    assert_int_equal(r->fields[0].then, SETTINGS_THEN_DENY);
    assert_int_equal(r->fields[0].scope, SETTINGS_CROSS_BORDER);
    assert_string_equal(r->fields[0].needs.items[1].text, "payer.account");
    assert_int_equal(r->screening_threshold, 92);
    assert_int_equal(r->data_retention_days, 1826);
    assert_int_equal(r->masks_count, 1);
    assert_string_equal(r->masks[0].shown_to.items[0], "merchant");
    assert_int_equal(r->review_valid_for_us, 48 * HOUR_US);
    assert_int_equal(r->text.len, sizeof full - 1);
    assert_memory_equal(r->text.ptr, full, sizeof full - 1);

    static char text[65536];
    struct writer w = writer_over(text, sizeof text);
    settings_show(&w, s);
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    assert_text_has(text, "limits.hours = 20:00-06:00    # ");
    assert_text_has(text, "limits.max = [15000.00 EUR, 1000000 JPY]    # ");
    assert_text_has(text, "limits.window = 1d    # ");
    assert_text_has(text, "limits.window = day    # ");
    assert_text_has(text, "authentication.fraud_rate = 0.13%    # ");
    assert_text_has(text, "data.retention = 5y    # ");
    assert_text_has(text, "rules.when = [payee.mcc=7995, amount>100.00 EUR]    # ");
    assert_text_has(text, "lists.format = ofac_sdn    # gateway.yaml:8");
    folder_drop(&f);
}

/* --- figures -------------------------------------------------------------------------------- */

static void figures_are_exact(void **state)
{
    (void)state;
    char room[FIGURE_ROOM];
    struct money money;
    static const struct {
        const char *text;
        int64_t minor;
        const char *code;
    } fine[] = {
        { "30 EUR", 3000, "EUR" },
        { "30.00 EUR", 3000, "EUR" },
        { "30.5 EUR", 3050, "EUR" },
        { "0 EUR", 0, "EUR" },
        { "0.01 EUR", 1, "EUR" },
        { "500 JPY", 500, "JPY" },
        { "1.005 KWD", 1005, "KWD" },
        { "0.0001 CLF", 1, "CLF" },
        { "92233720368547758.07 EUR", INT64_MAX, "EUR" },
    };
    for (size_t i = 0; i < COUNT_OF(fine); i++) {
        assert_null(figure_money(view_text(fine[i].text), &money, room));
        assert_true(money.minor == fine[i].minor);
        assert_string_equal(money.currency->code, fine[i].code);
    }
    static const char *const wrong[][2] = {
        { "30.005 EUR", "EUR has 2 decimals" },
        { "1.5 JPY", "JPY has no decimals" },
        { "1,000.00 EUR", "thousands" },
        { "1 000.00 EUR", "thousands" },
        { "1'000 EUR", "thousands" },
        { "1.000.000 EUR", "thousands" },
        { "1,5 EUR", "thousands" },
        { "-1 EUR", "0 or more" },
        { "92233720368547758.08 EUR", "64 bits" },
        { "30 EUX", "ISO 4217" },
        { "30.00", "like 30.00 EUR" },
        { "EUR 30", "like 30.00 EUR" },
        { "", "like 30.00 EUR" },
        { "EUR", "like 30.00 EUR" },
        { " EUR", "like 30.00 EUR" },
        { "30. EUR", "like 30.00 EUR" },
        { ".5 EUR", "like 30.00 EUR" },
        { "030 EUR", "like 30.00 EUR" },
        { "+3 EUR", "like 30.00 EUR" },
        { "1e3 EUR", "like 30.00 EUR" },
        { "30 eur", "ISO 4217" },
        { "x EUR", "like 30.00 EUR" },
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        const char *why = figure_money(view_text(wrong[i][0]), &money, room);
        assert_non_null(why);
        assert_text_has(why, wrong[i][1]);
    }
    int64_t number = 0;
    static const struct {
        const char *text;
        int64_t ppm;
    } rates[] = { { "0.13%", 1300 }, { "13%", 130000 }, { "100%", 1000000 },
                  { "0%", 0 },       { "0.0001%", 1 },  { "99.9999%", 999999 } };
    for (size_t i = 0; i < COUNT_OF(rates); i++) {
        struct writer w = writer_over(room, sizeof room);
        assert_null(figure_percent(view_text(rates[i].text), &number));
        assert_true(number == rates[i].ppm);
        figure_percent_write(&w, number);
        assert_int_equal(writer_terminate(&w), STATUS_OK);
        assert_string_equal(room, rates[i].text);
    }
    static const char *const no_rates[] = { "0.00001%", "101%", "100.0001%", "1", "%", "-1%", "" };
    for (size_t i = 0; i < COUNT_OF(no_rates); i++)
        assert_non_null(figure_percent(view_text(no_rates[i]), &number));
    assert_null(figure_years(VIEW("5y"), 36600, &number, room));
    assert_true(number == 1826);
    assert_null(figure_years(VIEW("10y"), 36600, &number, room));
    assert_true(number == 3652);
    assert_null(figure_years(VIEW("1y"), 36600, &number, room));
    assert_true(number == 365);
    assert_null(figure_years(VIEW("400d"), 36600, &number, room));
    assert_true(number == 400);
    assert_non_null(figure_years(VIEW("5"), 36600, &number, room));
    assert_non_null(figure_years(VIEW("0y"), 36600, &number, room));
    assert_non_null(figure_years(VIEW("y"), 36600, &number, room));
    assert_non_null(figure_years(VIEW(""), 36600, &number, room));
    assert_non_null(figure_years(VIEW("101y"), 36600, &number, room));
}

static void hours_and_windows(void **state)
{
    (void)state;
    char room[FIGURE_ROOM];
    struct settings_hours hours = { .given = false };
    struct settings_window window = { .kind = SETTINGS_WINDOW_NONE };
    assert_null(figure_hours(VIEW("00:00-24:00"), &hours));
    assert_int_equal(hours.until_s, 86400);
    assert_null(figure_hours(VIEW("23:59-00:00"), &hours));
    assert_int_equal(hours.from_s, 86340);
    static const char *const no_hours[] = { "24:00-06:00", "20:00-20:00",
                                            "20:00-24:01", "25:00-1:00",
                                            "20:60-21:00", "8:00-09:00",
                                            "20:00",       "",
                                            "20:00 06:00", "20:00-06:00 " };
    for (size_t i = 0; i < COUNT_OF(no_hours); i++)
        assert_non_null(figure_hours(view_text(no_hours[i]), &hours));
    assert_null(figure_window(VIEW("1m"), &window, room));
    assert_int_equal(window.us, 60000000);
    assert_null(figure_window(VIEW("366d"), &window, room));
    assert_int_equal(window.us, 366 * 24 * HOUR_US);
    assert_null(figure_window(VIEW("month"), &window, room));
    assert_int_equal(window.kind, SETTINGS_WINDOW_MONTH);
    assert_int_equal(window.us, 0);
    assert_text_has(figure_window(VIEW("monht"), &window, room), "did you mean `month`?");
    static const char *const no_windows[] = { "367d", "0d", "30s", "d", "30", "", "-1d", "1w" };
    for (size_t i = 0; i < COUNT_OF(no_windows); i++)
        assert_non_null(figure_window(view_text(no_windows[i]), &window, room));
}

/* --- mistakes ------------------------------------------------------------------------------- */

static void all_mistakes_of_a_profile(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f, "mode: sandbox\n");
    file_write(&f, "regions/y.yaml",
               HEAD("y")                                                     /* 1 to 3 */
               "limits:\n"                                                   /* 4 */
               "  - {id: a, per: payer, max: 1 EUR}\n"                       /* 5 */
               "  - {id: b, window: 1d, max: 1 EUR}\n"                       /* 6 */
               "  - {id: c, per: payer, window: 1d, min: 1 EUR}\n"           /* 7 */
               "  - {id: d}\n"                                               /* 8 */
               "  - {id: e, max: [1.005 EUR, 2 USD, 3 USD]}\n"               /* 9 */
               "  - {id: f, max: 1 EUR, tehn: deny}\n"                       /* 10 */
               "  - {id: a, max: 1 EUR, hours: 20:00-20:00, window: yaer}\n" /* 11 */
               "  - {max: '1,000.00 EUR', when: [a: b]}\n"                   /* 12 */
               "  - {id: g, count: 5}\n"                                     /* 13 */
               "rules:\n"                                                    /* 14 */
               "  - {id: d, when: [a=b, a=b], then: reject}\n"               /* 15 */
               "  - {id: h, then: deny, when: {a: b}}\n"                     /* 16 */
               "kyc:\n"                                                      /* 17 */
               "  tiesr: []\n"                                               /* 18 */
               "  tiers: {tier: 1}\n"                                        /* 19 */
               "tiers: []\n"                                                 /* 20 */
               "authentication:\n"                                           /* 21 */
               "  fraud_rate: 0.13\n"                                        /* 22 */
               "  exemptions:\n"                                             /* 23 */
               "    - {id: f, count: -1}\n"                                  /* 24 */
               "    - nothing\n"                                             /* 25 */
               "cross_border:\n"                                             /* 26 */
               "  fields: [{id: k}]\n"                                       /* 27 */
               "  domestic: [deu]\n"                                         /* 28 */
               "data:\n"                                                     /* 29 */
               "  retention: 5\n"                                            /* 30 */
               "  mask: [{fact: a, for: [merchants]}]\n"                     /* 31 */
               "screening: {threshold: 40}\n"                                /* 32 */
               "limits.x: 1\n"                                               /* 33 */
               "effective_until: 2025-12-31\n");                             /* 34 */
    folder_load(&f);
    assert_finding(&f, "settings.limit", "y.yaml", 5, 5);
    assert_finding(&f, "settings.limit", "y.yaml", 6, 5);
    assert_finding(&f, "settings.limit", "y.yaml", 7, 5);
    assert_finding(&f, "settings.limit", "y.yaml", 8, 5);
    const struct finding *row = assert_finding(&f, "settings.amount", "y.yaml", 9, 19);
    assert_text_has(row->message, "EUR has 2 decimals");
    assert_finding(&f, "settings.twice", "y.yaml", 9, 37);
    assert_text_has(assert_finding(&f, "settings.unknown_key", "y.yaml", 10, 25)->message,
                    "did you mean `then`?");
    assert_finding(&f, "settings.limit", "y.yaml", 11, 5);
    row = assert_finding(&f, "settings.id_twice", "y.yaml", 11, 5);
    assert_text_has(row->message, ":5 already");
    assert_text_has(assert_finding(&f, "settings.type", "y.yaml", 11, 32)->message, "equal");
    assert_text_has(assert_finding(&f, "settings.type", "y.yaml", 11, 53)->message,
                    "did you mean `year`?");
    assert_finding(&f, "settings.missing", "y.yaml", 12, 5);
    assert_text_has(assert_finding(&f, "settings.amount", "y.yaml", 12, 11)->message,
                    "thousands separators");
    assert_text_has(assert_finding(&f, "settings.type", "y.yaml", 12, 35)->message, "quotes");
    assert_finding(&f, "settings.limit", "y.yaml", 13, 5);
    assert_finding(&f, "settings.twice", "y.yaml", 15, 25);
    assert_finding(&f, "settings.choice", "y.yaml", 15, 37);
    assert_finding(&f, "settings.id_twice", "y.yaml", 15, 5);
    assert_finding(&f, "settings.type", "y.yaml", 16, 31);
    assert_text_has(assert_finding(&f, "settings.unknown_key", "y.yaml", 18, 3)->message,
                    "did you mean `kyc.tiers`?");
    assert_finding(&f, "settings.type", "y.yaml", 19, 10);
    assert_text_has(assert_finding(&f, "settings.unknown_key", "y.yaml", 20, 1)->message,
                    "did you mean `kyc.tiers`?");
    assert_finding(&f, "settings.type", "y.yaml", 22, 15);
    assert_finding(&f, "settings.range", "y.yaml", 24, 22);
    assert_finding(&f, "settings.id_twice", "y.yaml", 24, 7);
    assert_finding(&f, "settings.not_a_map", "y.yaml", 25, 7);
    assert_finding(&f, "settings.no_needs", "y.yaml", 27, 12);
    assert_finding(&f, "settings.type", "y.yaml", 28, 14);
    assert_finding(&f, "settings.type", "y.yaml", 30, 14);
    assert_text_has(assert_finding(&f, "settings.choice", "y.yaml", 31, 26)->message,
                    "did you mean `merchant`?");
    assert_finding(&f, "settings.range", "y.yaml", 32, 24);
    assert_finding(&f, "settings.unknown_key", "y.yaml", 33, 1);
    assert_finding(&f, "settings.range", "y.yaml", 34, 1);
    assert_int_equal(f.findings.count, 33); /* and nothing besides */
    folder_drop(&f);
}

static void a_list_has_at_most_512_entries(void **state)
{
    (void)state;
    static char text[32768];
    for (int entries = 512; entries <= 513; entries++) {
        struct folder f;
        struct writer w = writer_over(text, sizeof text);
        writer_text(&w, HEAD("many") "limits:\n");
        for (int i = 0; i < entries; i++)
            writer_format(&w, "  - {id: l%d, max: 1 EUR}\n", i);
        assert_int_equal(writer_terminate(&w), STATUS_OK);
        folder_make(&f, "mode: sandbox\n");
        file_write(&f, "regions/many.yaml", text);
        folder_load(&f);
        if (entries == 512)
            assert_int_equal(settings_region(f.settings, VIEW("many"))->limits_count, 512);
        else
            assert_finding(&f, "settings.range", "many.yaml", 5, 3);
        folder_drop(&f);
    }
}

/* One wrong gateway.yaml, one error. */
static void assert_gateway_refused(const char *gateway, const char *id, uint32_t line,
                                   uint32_t column, const char *part)
{
    struct folder f;
    folder_make(&f, gateway);
    folder_load(&f);
    assert_text_has(assert_finding(&f, id, "gateway.yaml", line, column)->message, part);
    assert_int_equal(f.findings.errors, 1);
    folder_drop(&f);
}

static void keys_and_lists_of_the_gateway(void **state)
{
    (void)state;
    assert_gateway_refused("authentication: {code_key: codse}\n"
                           "keys:\n  - {name: codes, kind: hmac_sha256, hex_file: a}\n",
                           "settings.no_such_key", 1, 1, "did you mean `codes`?");
    assert_gateway_refused("authentication: {code_key: codes}\n"
                           "keys:\n  - {name: codes, kind: seal, hex_file: a}\n",
                           "settings.key_kind", 1, 1, "is a seal; this needs hmac_sha256");
    assert_gateway_refused("issuers:\n  - {name: a, key: b}\n", "settings.no_such_key", 2, 1,
                           "no key `b`");
    assert_gateway_refused("issuers:\n  - {name: a, key: b}\n"
                           "keys:\n  - {name: b, kind: sign_es256, file: x}\n",
                           "settings.key_kind", 2, 1, "verify_es256");
    assert_gateway_refused("lists:\n  - {name: a, format: csv, path: x}\n"
                           "  - {name: a, format: csv, path: y}\n",
                           "settings.name_twice", 3, 1, "line 2");
    assert_gateway_refused("lists:\n  - {name: a, format: xlsx, path: x}\n", "settings.choice", 2,
                           23, "ofac_sdn|un_xml|csv");
    assert_gateway_refused("store: {country: Germany}\n", "settings.type", 1, 18, "two capitals");
}

static void what_profiles_refer_to(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f, "region: base\nlists:\n  - {name: ofac, format: csv, path: x}\n");
    file_write(&f, "regions/base.yaml", HEAD("base") "abstract: yes\nscreening: {lists: [nope]}\n");
    file_write(&f, "regions/de.yaml", HEAD("de") "extends: base\n");
    file_write(&f, "regions/fr.yaml", HEAD("fr") "screening: {lists: [ofca]}\n");
    file_write(&f, "regions/fs.yaml", HEAD("fr") "shadow: yes\n");
    file_write(&f, "regions/ft.yaml", HEAD("fr") "shadow: yes\n");
    file_write(&f, "regions/it.yaml", HEAD("it") "shadow: yes\n");
    file_write(&f, "regions/ix.yaml", HEAD("fr") "");
    folder_load(&f);
    assert_finding(&f, "settings.abstract_region", "gateway.yaml", 1, 1);
    const struct finding *row = assert_finding(&f, "settings.no_such_list", "de.yaml", 1, 1);
    assert_text_has(row->message, "base.yaml");
    row = assert_finding(&f, "settings.no_such_list", "fr.yaml", 4, 1);
    assert_text_has(row->message, "did you mean `ofac`?");
    assert_finding(&f, "settings.name_twice", "ft.yaml", 1, 1);
    assert_finding(&f, "settings.shadow_alone", "it.yaml", 1, 1);
    assert_finding(&f, "settings.name_twice", "ix.yaml", 1, 1);
    assert_int_equal(f.findings.errors, 6);
    folder_drop(&f);

    /* A shadow does not stand for the profile itself. */
    folder_make(&f, "region: default\n");
    file_write(&f, "regions/a.yaml", HEAD("default") "shadow: yes\nowner: other\n");
    folder_load(&f);
    assert_int_equal(f.status, STATUS_OK);
    assert_int_equal(f.settings->regions_count, 2);
    assert_string_equal(settings_region(f.settings, VIEW_EMPTY)->owner, "");
    folder_drop(&f);
    folder_make(&f, "region: it\n");
    file_write(&f, "regions/it.yaml", HEAD("it") "shadow: yes\n");
    folder_load(&f);
    assert_finding(&f, "settings.no_such_region", "gateway.yaml", 1, 1);
    folder_drop(&f);
}

/* --- extends -------------------------------------------------------------------------------- */

static const char base[] =
    HEAD("base") "abstract: yes\n" /* 4 */
                 "owner: base people\n"
                 "rails: [card, bank]\n"                           /* 6 */
                 "authentication: {required: yes, wrong_max: 3}\n" /* 7 */
                 "limits:\n"
                 "  - {id: one, max: 1 EUR}\n" /* 9 */
                 "  - {id: two, max: 2 EUR}\n" /* 10 */
                 "kyc: {tiers: [{tier: 1, single: 1 EUR}, {tier: 2, single: 2 EUR}]}\n"
                 "data: {mask: [{fact: payer.name}], retention: 5y}\n";
static const char child[] = HEAD("eu") "extends: base\n"                  /* 4 */
                                       "authentication: {wrong_max: 4}\n" /* 5 */
                                       "limits:\n"
                                       "  - {id: three, max: 3 EUR}\n"
                                       "  - {id: one, max: 5 EUR}\n" /* 8 */
                                       "kyc: {tiers: [{tier: 3, single: 3 EUR}]}\n"
                                       "data: {mask: [{fact: payer.account}]}\n";

static void a_profile_extends_another(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f, "mode: sandbox\n");
    file_write(&f, "regions/base.yaml", base);
    file_write(&f, "regions/eu.yaml", child);
    file_write(&f, "regions/de.yaml", HEAD("de") "extends: eu\nrails: []\n");
    folder_load(&f);
    assert_int_equal(f.status, STATUS_OK);
    const struct region_settings *r = settings_region(f.settings, VIEW("eu"));
    assert_false(r->abstract);
    assert_string_equal(r->owner, "");
    assert_string_equal(r->region, "eu");
    assert_int_equal(r->rails.count, 2);
    assert_true(r->authentication_required);
    assert_int_equal(r->authentication_wrong_max, 4);
    assert_int_equal(r->data_retention_days, 1826);
    assert_int_equal(r->limits_count, 3);
    assert_string_equal(r->limits[0].id, "one"); /* in the place of that which it replaces */
    assert_money(&r->limits[0].max, 0, 500, "EUR");
    assert_int_equal(r->limits[0].line, 8);
    assert_string_equal(r->limits[0].file + strlen(r->limits[0].file) - 7, "eu.yaml");
    assert_string_equal(r->limits[1].id, "two");
    assert_string_equal(r->limits[1].file + strlen(r->limits[1].file) - 9, "base.yaml");
    assert_string_equal(r->limits[2].id, "three");
    assert_int_equal(r->tiers_count, 1);
    assert_int_equal(r->tiers[0].tier, 3);
    assert_int_equal(r->masks_count, 2);
    assert_string_equal(r->masks[0].fact, "payer.name");
    size_t index = 0;
    (void)section_row(&section_region, offsetof(struct region_settings, rails), &index);
    assert_int_equal(r->from[index], 6);
    assert_string_equal(r->given_in[index] + strlen(r->given_in[index]) - 9, "base.yaml");

    /* Two levels; an empty list is something that is said. */
    const struct region_settings *de = settings_region(f.settings, VIEW("de"));
    assert_int_equal(de->rails.count, 0);
    assert_int_equal(de->limits_count, 3);
    assert_int_equal(de->tiers[0].tier, 3);
    assert_int_equal(de->authentication_wrong_max, 4);
    assert_true(de->authentication_required);

    /* The version of a profile changes with that of what it extends. */
    char eu_hash[33], de_hash[33], base_hash[33];
    memcpy(eu_hash, r->content_hash, sizeof eu_hash);
    memcpy(de_hash, de->content_hash, sizeof de_hash);
    memcpy(base_hash, settings_region(f.settings, VIEW("base"))->content_hash, sizeof base_hash);
    settings_free(f.settings);
    char changed[1024];
    snprintf(changed, sizeof changed, "%s# changed\n", base);
    file_write(&f, "regions/base.yaml", changed);
    folder_load(&f);
    assert_string_not_equal(settings_region(f.settings, VIEW("base"))->content_hash, base_hash);
    assert_string_not_equal(settings_region(f.settings, VIEW("eu"))->content_hash, eu_hash);
    assert_string_not_equal(settings_region(f.settings, VIEW("de"))->content_hash, de_hash);
    settings_free(f.settings);
    file_write(&f, "regions/base.yaml", base);
    folder_load(&f);
    assert_string_equal(settings_region(f.settings, VIEW("de"))->content_hash, de_hash);
    folder_drop(&f);
}

static void what_is_wrong_with_extending(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f, "mode: sandbox\n");
    file_write(&f, "regions/a.yaml", HEAD("a") "extends: b\n");
    file_write(&f, "regions/b.yaml", HEAD("b") "extends: a\n");
    file_write(&f, "regions/c.yaml", HEAD("c") "extends: a\n"); /* only leads into the circle */
    file_write(&f, "regions/d.yaml", HEAD("d") "extends: d\n");
    file_write(&f, "regions/e.yaml", HEAD("e") "extends: defaut\n");
    file_write(&f, "regions/l1.yaml", HEAD("l1") "extends: default\n");
    file_write(&f, "regions/l2.yaml", HEAD("l2") "extends: l1\n");
    file_write(&f, "regions/l3.yaml", HEAD("l3") "extends: l2\n");
    file_write(&f, "regions/l4.yaml", HEAD("l4") "extends: l3\n");
    file_write(&f, "regions/l5.yaml", HEAD("l5") "extends: l4\n");
    folder_load(&f);
    assert_finding(&f, "settings.circle", "a.yaml", 4, 1);
    assert_finding(&f, "settings.circle", "b.yaml", 4, 1);
    assert_finding(&f, "settings.circle", "d.yaml", 4, 1);
    assert_text_has(assert_finding(&f, "settings.no_such_region", "e.yaml", 4, 1)->message,
                    "did you mean `default`?");
    assert_finding(&f, "settings.too_deep", "l5.yaml", 4, 1);
    assert_int_equal(f.findings.errors, 5);
    folder_drop(&f);

    /* An id of another kind of entry in the extended profile; in whichever list it stands. */
    folder_make(&f, "mode: sandbox\n");
    file_write(&f, "regions/base.yaml",
               HEAD("base") "limits: [{id: x, max: 1 EUR}]\nrules: [{id: y, then: deny}]\n");
    file_write(&f, "regions/eu.yaml",
               HEAD("eu") "extends: base\nrules: [{id: x, then: deny}]\n"
                          "limits: [{id: y, max: 1 EUR}]\n");
    folder_load(&f);
    assert_finding(&f, "settings.id_twice", "eu.yaml", 5, 9);
    assert_finding(&f, "settings.id_twice", "eu.yaml", 6, 10);
    assert_int_equal(f.findings.errors, 2);
    folder_drop(&f);
}

static void a_shadow_may_extend_what_it_shadows(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f, "mode: sandbox\n");
    file_write(&f, "regions/eu.yaml", HEAD("eu") "limits: [{id: one, max: 1 EUR}]\n");
    file_write(&f, "regions/eu2.yaml", HEAD("eu") "extends: eu\nshadow: yes\n");
    folder_load(&f);
    assert_int_equal(f.status, STATUS_OK);
    size_t seen = 0;
    for (size_t i = 0; i < f.settings->regions_count; i++) {
        const struct region_settings *r = &f.settings->regions[i];
        if (!r->shadow)
            continue;
        assert_int_equal(r->limits_count, 1);
        seen++;
    }
    assert_int_equal(seen, 1);
    folder_drop(&f);
}

static void a_profile_from_bytes(void **state)
{
    (void)state;
    struct folder f;
    struct arena arena;
    struct region_settings r;
    folder_make(&f, "mode: sandbox\n");
    file_write(&f, "regions/base.yaml", base);
    file_write(&f, "regions/eu.yaml", child);
    folder_load(&f);
    arena_init(&arena, (size_t)4 * 1024 * 1024);
    assert_int_equal(
        settings_region_read(f.settings, view_text(child), "eu", &arena, &f.findings, &r),
        STATUS_OK);
    assert_int_equal(r.limits_count, 3);
    assert_string_equal(r.content_hash, settings_region(f.settings, VIEW("eu"))->content_hash);
    assert_int_equal(f.findings.errors, 0);
    struct view wrong = VIEW(HEAD("de") "extends: uu\n");
    assert_int_equal(settings_region_read(f.settings, wrong, "de", &arena, &f.findings, &r),
                     STATUS_MALFORMED);
    assert_finding(&f, "settings.no_such_region", "de", 4, 1);
    wrong = VIEW(HEAD("base") "extends: eu\n"); /* which extends base */
    assert_int_equal(settings_region_read(f.settings, wrong, "b", &arena, &f.findings, &r),
                     STATUS_MALFORMED);
    assert_finding(&f, "settings.circle", "b", 4, 1);
    wrong = VIEW(HEAD("x") "screening: {lists: [a]}\n");
    assert_int_equal(settings_region_read(f.settings, wrong, "x", &arena, &f.findings, &r),
                     STATUS_MALFORMED);
    assert_finding(&f, "settings.no_such_list", "x", 4, 1);
    assert_int_equal(settings_region_read(f.settings, VIEW("a: [\n"), "z", &arena, &f.findings, &r),
                     STATUS_MALFORMED);
    struct arena small;
    arena_init(&small, 3000);
    assert_int_equal(
        settings_region_read(f.settings, view_text(child), "eu", &small, &f.findings, &r),
        STATUS_NO_MEMORY);
    arena_reset(&small);
    arena_reset(&arena);
    folder_drop(&f);
}

/* --- the schema ----------------------------------------------------------------------------- */

/* What editors do with it: test_schema.py. */
static void the_schema_is_written(void **state)
{
    (void)state;
    static char text[131072];
    struct writer w = writer_over(text, sizeof text);
    settings_region_schema(&w);
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    assert_text_has(text, "\"https://json-schema.org/draft/2020-12/schema\"");
    assert_text_has(text, "\"required\":[\"region\",\"version\",\"effective_from\"]");
    for (size_t i = 0; i < section_limit.count; i++)
        assert_text_has(text, section_limit.rows[i].path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_section_is_read),
        cmocka_unit_test(figures_are_exact),
        cmocka_unit_test(hours_and_windows),
        cmocka_unit_test(all_mistakes_of_a_profile),
        cmocka_unit_test(a_list_has_at_most_512_entries),
        cmocka_unit_test(keys_and_lists_of_the_gateway),
        cmocka_unit_test(what_profiles_refer_to),
        cmocka_unit_test(a_profile_extends_another),
        cmocka_unit_test(what_is_wrong_with_extending),
        cmocka_unit_test(a_shadow_may_extend_what_it_shadows),
        cmocka_unit_test(a_profile_from_bytes),
        cmocka_unit_test(the_schema_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
