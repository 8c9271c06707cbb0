/* map_test.c - the bounded map against a plain array, and SipHash against its reference vectors. */
#include "base/ensure.h"
#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

/* SipHash-2-4 of the bytes 00 01 .. n-1 under the key 00 01 .. 0f, for n from 0 to 63: the vectors
 * of the reference implementation (vectors_sip64), recomputed with OpenSSL's SIPHASH. */
static const uint64_t siphash_vectors[64] = {
    UINT64_C(0x726FDB47DD0E0E31), UINT64_C(0x74F839C593DC67FD), UINT64_C(0x0D6C8009D9A94F5A),
    UINT64_C(0x85676696D7FB7E2D), UINT64_C(0xCF2794E0277187B7), UINT64_C(0x18765564CD99A68D),
    UINT64_C(0xCBC9466E58FEE3CE), UINT64_C(0xAB0200F58B01D137), UINT64_C(0x93F5F5799A932462),
    UINT64_C(0x9E0082DF0BA9E4B0), UINT64_C(0x7A5DBBC594DDB9F3), UINT64_C(0xF4B32F46226BADA7),
    UINT64_C(0x751E8FBC860EE5FB), UINT64_C(0x14EA5627C0843D90), UINT64_C(0xF723CA908E7AF2EE),
    UINT64_C(0xA129CA6149BE45E5), UINT64_C(0x3F2ACC7F57C29BDB), UINT64_C(0x699AE9F52CBE4794),
    UINT64_C(0x4BC1B3F0968DD39C), UINT64_C(0xBB6DC91DA77961BD), UINT64_C(0xBED65CF21AA2EE98),
    UINT64_C(0xD0F2CBB02E3B67C7), UINT64_C(0x93536795E3A33E88), UINT64_C(0xA80C038CCD5CCEC8),
    UINT64_C(0xB8AD50C6F649AF94), UINT64_C(0xBCE192DE8A85B8EA), UINT64_C(0x17D835B85BBB15F3),
    UINT64_C(0x2F2E6163076BCFAD), UINT64_C(0xDE4DAAACA71DC9A5), UINT64_C(0xA6A2506687956571),
    UINT64_C(0xAD87A3535C49EF28), UINT64_C(0x32D892FAD841C342), UINT64_C(0x7127512F72F27CCE),
    UINT64_C(0xA7F32346F95978E3), UINT64_C(0x12E0B01ABB051238), UINT64_C(0x15E034D40FA197AE),
    UINT64_C(0x314DFFBE0815A3B4), UINT64_C(0x027990F029623981), UINT64_C(0xCADCD4E59EF40C4D),
    UINT64_C(0x9ABFD8766A33735C), UINT64_C(0x0E3EA96B5304A7D0), UINT64_C(0xAD0C42D6FC585992),
    UINT64_C(0x187306C89BC215A9), UINT64_C(0xD4A60ABCF3792B95), UINT64_C(0xF935451DE4F21DF2),
    UINT64_C(0xA9538F0419755787), UINT64_C(0xDB9ACDDFF56CA510), UINT64_C(0xD06C98CD5C0975EB),
    UINT64_C(0xE612A3CB9ECBA951), UINT64_C(0xC766E62CFCADAF96), UINT64_C(0xEE64435A9752FE72),
    UINT64_C(0xA192D576B245165A), UINT64_C(0x0A8787BF8ECB74B2), UINT64_C(0x81B3E73D20B49B6F),
    UINT64_C(0x7FA8220BA3B2ECEA), UINT64_C(0x245731C13CA42499), UINT64_C(0xB78DBFAF3A8D83BD),
    UINT64_C(0xEA1AD565322A1A0B), UINT64_C(0x60E61C23A3795013), UINT64_C(0x6606D7E446282B93),
    UINT64_C(0x6CA4ECB15C5F91E1), UINT64_C(0x9F626DA15C9625F3), UINT64_C(0xE51B38608EF25F57),
    UINT64_C(0x958A324CEB064572),
};

static void test_siphash(void **state)
{
    (void)state;
    uint8_t bytes[64];
    for (size_t n = 0; n < 64; n++) {
        bytes[n] = (uint8_t)n;
        uint64_t hash =
            siphash(UINT64_C(0x0706050403020100), UINT64_C(0x0F0E0D0C0B0A0908), view_of(bytes, n));
        if (hash != siphash_vectors[n])
            fail_msg("of %zu bytes", n);
    }
}

static void test_map_rules(void **state)
{
    (void)state;
    int one, two;
    struct map *m = map_open(2, 1);
    assert_non_null(m);
    assert_null(map_get(m, VIEW("a")));
    assert_null(map_take(m, VIEW("a")));
    assert_int_equal(map_put(m, VIEW("a"), &one), STATUS_OK);
    assert_int_equal(map_put(m, VIEW("a"), &two), STATUS_EXISTS);
    assert_ptr_equal(map_get(m, VIEW("a")), &one);
    assert_int_equal(map_put(m, VIEW_EMPTY, &two), STATUS_OK); /* the empty key is a key */
    assert_int_equal(map_put(m, VIEW("b"), &two), STATUS_FULL);
    assert_int_equal(map_put(m, VIEW("a"), &two), STATUS_EXISTS); /* also when full */
    assert_ptr_equal(map_take(m, VIEW_EMPTY), &two);
    assert_int_equal(map_count(m), 1);

    char key[MAP_KEY_MAX + 1];
    memset(key, 'k', sizeof key);
    assert_int_equal(map_put(m, view_of(key, MAP_KEY_MAX + 1), &one), STATUS_RANGE);
    assert_null(map_get(m, view_of(key, MAP_KEY_MAX + 1)));
    assert_null(map_take(m, view_of(key, MAP_KEY_MAX + 1)));
    assert_int_equal(map_put(m, view_of(key, MAP_KEY_MAX), &two), STATUS_OK);
    key[0] = 'x'; /* keys are copied in */
    assert_null(map_get(m, view_of(key, MAP_KEY_MAX)));
    key[0] = 'k';
    assert_ptr_equal(map_get(m, view_of(key, MAP_KEY_MAX)), &two);
    map_close(m);
    map_close(NULL);
}

#define MODEL_KEYS 400
#define MODEL_MAX  256

/* A long random life against an array that cannot be wrong. */
static void test_map_against_model(void **state)
{
    (void)state;
    struct map *m = map_open(MODEL_MAX, 99);
    int values[MODEL_KEYS];
    bool present[MODEL_KEYS] = { false };
    size_t count = 0;
    unsigned seed = 7;
    for (int turn = 0; turn < 200000; turn++) {
        seed = seed * 1103515245u + 12345u;
        size_t n = (seed >> 16) % MODEL_KEYS;
        char text[16];
        struct view key = view_of(text, (size_t)snprintf(text, sizeof text, "key-%zu", n));
        if ((seed >> 8) % 2 == 0) {
            enum status expected = present[n]           ? STATUS_EXISTS
                                   : count == MODEL_MAX ? STATUS_FULL
                                                        : STATUS_OK;
            assert_int_equal(map_put(m, key, &values[n]), expected);
            count += expected == STATUS_OK;
            present[n] |= expected == STATUS_OK;
        } else {
            assert_ptr_equal(map_take(m, key), present[n] ? &values[n] : NULL);
            count -= present[n];
            present[n] = false;
        }
        assert_int_equal(map_count(m), count);
    }
    assert_true(count > 0);
    for (size_t n = 0; n < MODEL_KEYS; n++) {
        char text[16];
        struct view key = view_of(text, (size_t)snprintf(text, sizeof text, "key-%zu", n));
        assert_ptr_equal(map_get(m, key), present[n] ? &values[n] : NULL);
    }
    /* A walk meets each once. */
    size_t position = 0, met = 0;
    struct view key;
    void *value;
    while (map_next(m, &position, &key, &value)) {
        size_t n = (size_t)((int *)value - values);
        assert_true(present[n]);
        present[n] = false;
        assert_ptr_equal(map_get(m, key), value);
        met++;
    }
    assert_int_equal(met, count);
    map_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash),
        cmocka_unit_test(test_map_rules),
        cmocka_unit_test(test_map_against_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
