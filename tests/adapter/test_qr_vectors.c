/* SPDX-License-Identifier: Apache-2.0
 *
 * test_qr_vectors.c - real codes (vectors/emvco_qr.tsv, origins there) get the verdict that stands
 * beside them, and identifiers, country, currency, amount and name are read from them.
 */
#include "kits/qr_schemes.h"
#include "kits/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum column { PAYLOAD, VERDICT, GUIDS, COUNTRY, CURRENCY, AMOUNT, MERCHANT, ORIGIN, COLUMNS };

static struct qr_code code;

static struct rg_bytes bytes_of(const char *text)
{
    return (struct rg_bytes){ (const uint8_t *)text, strlen(text) };
}

/* Our findings in the words of the table. */
static void add_words(const struct qr_finding *f, char *words, size_t room)
{
    char word[64] = "";
    switch (f->kind) {
    case QR_FOUND_CITY_LONG: (void)strcpy(word, "city>15"); break;
    case QR_FOUND_NAME_LONG: (void)strcpy(word, "name>25"); break;
    case QR_FOUND_CRC_BAD: (void)strcpy(word, "crc_bad"); break;
    case QR_FOUND_CATEGORY: (void)strcpy(word, "mcc_fmt"); break;
    case QR_FOUND_DUPLICATE: (void)strcpy(word, "dup_id"); break;
    case QR_FOUND_MISSING_CRC: (void)strcpy(word, "nocrc+63_not_last"); break;
    case QR_FOUND_VERSION: (void)strcpy(word, "first_not_00=01"); break;
    case QR_FOUND_MISSING:
    case QR_FOUND_MISSING_CURRENCY: (void)snprintf(word, sizeof word, "no_%s", f->path); break;
    default: (void)snprintf(word, sizeof word, "%s(%s)", qr_finding_name(f->kind), f->path);
    }
    if (words[0] != '\0')
        (void)strncat(words, "+", room - strlen(words) - 1);
    (void)strncat(words, word, room - strlen(words) - 1);
}

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "b+a" to "a+b". */
static void sort_words(char *text)
{
    char copy[512], *words[32] = { NULL };
    size_t count = 0;
    (void)snprintf(copy, sizeof copy, "%s", text);
    for (char *word = strtok(copy, "+"); word != NULL && count < 32; word = strtok(NULL, "+"))
        words[count++] = word;
    qsort(words, count, sizeof words[0], compare_words);
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        (void)strcat(text, i > 0 ? "+" : "");
        (void)strcat(text, words[i]);
    }
}

static void check_verdict(char *columns[COLUMNS], unsigned number)
{
    char ours[512] = "", theirs[512] = "";
    for (uint32_t i = 0; i < code.findings_count; i++)
        if (code.findings[i].weight == QR_ERROR)
            add_words(&code.findings[i], ours, sizeof ours);
    if (strcmp(columns[VERDICT], "VALID") != 0)
        (void)snprintf(theirs, sizeof theirs, "%s", columns[VERDICT] + strlen("INVALID:"));
    sort_words(ours);
    sort_words(theirs);
    if (strcmp(ours, theirs) != 0)
        fail_msg("line %u (%s): '%s', not '%s'", number, columns[ORIGIN], ours, theirs);
    assert_int_equal(code.errors == 0, strcmp(columns[VERDICT], "VALID") == 0);
}

static void check_value(const char *path, const char *wanted, unsigned number)
{
    struct rg_bytes value = { NULL, 0 };
    (void)qr_mpm_value(&code, path, &value);
    if (!text_is(value, wanted))
        fail_msg("line %u: %s is not '%s'", number, path, wanted);
}

static void check_guids(const char *wanted, unsigned number)
{
    char guids[512] = "";
    static const char *const names[] = { "visa", "mastercard", "unionpay" };
    for (uint32_t i = 0; i < code.count; i++) {
        const struct qr_object *o = &code.objects[i];
        if (o->depth == 0 && (o->tag == 2 || o->tag == 4 || o->tag == 15)) {
            (void)strcat(guids, guids[0] != '\0' ? "," : "");
            (void)strcat(guids, names[o->tag == 2 ? 0 : o->tag == 4 ? 1 : 2]);
        }
        /* One code (twice) has a template in 02, where the standard has card schemes' own values.
         */
        struct rg_bytes inside;
        if (o->depth == 0 && o->tag == 2 && qr_mpm_value(&code, "02.00", &inside)) {
            (void)strcat(guids, ",");
            (void)strncat(guids, (const char *)inside.ptr, inside.len);
        }
        if (o->depth != 1 || o->tag != 0 || code.objects[o->parent].tag < 26 ||
            code.objects[o->parent].tag > 51)
            continue;
        (void)strcat(guids, guids[0] != '\0' ? "," : "");
        (void)strncat(guids, (const char *)o->value.ptr, o->value.len);
    }
    if (strcmp(guids, wanted) != 0)
        fail_msg("line %u: '%s', not '%s'", number, guids, wanted);
}

/* The table writes amounts as a number would print: 5000.0 and 98 stand there in other letters. */
static void check_amount(const char *wanted, unsigned number)
{
    struct rg_bytes value;
    int64_t ours = -1, theirs = -1;
    uint32_t there = qr_mpm_value(&code, "54", &value);
    assert_int_equal(there, wanted[0] != '\0');
    if (there && (!qr_amount_read(value, 4, &ours) ||
                  !qr_amount_read(bytes_of(wanted), 4, &theirs) || ours != theirs))
        fail_msg("line %u: the amount differs", number);
}

static void every_row_gets_its_verdict(void **state)
{
    (void)state;
    static char line[4096];
    unsigned number = 0, rows = 0;
    FILE *file = fopen(QR_VECTORS, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        char *columns[COLUMNS], *at = line;
        number++;
        if (line[0] == '#')
            continue;
        line[strcspn(line, "\n")] = '\0';
        for (int i = 0; i < COLUMNS; i++) {
            columns[i] = strsep(&at, "\t");
            assert_non_null(columns[i]);
        }
        rows++;
        qr_mpm_read(bytes_of(columns[PAYLOAD]), QR_STRICT, &code);
        check_verdict(columns, number);
        check_guids(columns[GUIDS], number);
        check_value("58", columns[COUNTRY], number);
        check_value("53", columns[CURRENCY], number);
        check_value("59", columns[MERCHANT], number);
        check_amount(columns[AMOUNT], number);
    }
    (void)fclose(file);
    assert_int_equal(rows, 54);
}

/* A changed letter is seen: the checksum, or something before it, does not fit any more. */
static void no_changed_letter_passes(void **state)
{
    (void)state;
    /* EMVCo's own example: a name and a city in Chinese. */
    static const char good[] =
        "00020101021229300012D156000000000510A93FO3230Q31280012D15600000001030812345678520441115802"
        "CN5914BEST TRANSPORT6007BEIJING64200002ZH0104"
        "\xE6\x9C\x80\xE4\xBD\xB3\xE8\xBF\x90\xE8\xBE\x93"
        "0202"
        "\xE5\x8C\x97\xE4\xBA\xAC"
        "540523.7253031565502016233030412340603***0708A60086670902ME91320016A0112233449988770708"
        "123456786304A13A";
    char text[sizeof good];
    qr_mpm_read(bytes_of(good), QR_STRICT, &code);
    assert_int_equal(code.errors, 0);
    assert_int_equal(code.crc, 0xA13A);
    for (size_t i = 0; i + 1 < sizeof good; i++)
        for (unsigned bit = 0; bit < 7; bit++) {
            (void)memcpy(text, good, sizeof good);
            text[i] = (char)(text[i] ^ (1 << bit));
            qr_mpm_read((struct rg_bytes){ (uint8_t *)text, sizeof good - 1 }, QR_LENIENT, &code);
            int case_only = i >= sizeof good - 5 && bit == 5 && code.errors == 0;
            if (code.errors == 0 && !case_only)
                fail_msg("bit %u of byte %zu changed and nobody saw it", bit, i);
        }
    for (size_t len = 0; len + 1 < sizeof good; len++) {
        uint8_t *copy = malloc(len > 0 ? len : 1);
        assert_non_null(copy);
        (void)memcpy(copy, good, len);
        qr_mpm_read((struct rg_bytes){ copy, len }, QR_LENIENT, &code);
        assert_int_not_equal(code.errors, 0);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_gets_its_verdict),
        cmocka_unit_test(no_changed_letter_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
