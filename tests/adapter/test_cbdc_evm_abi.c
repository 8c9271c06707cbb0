/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cbdc_evm_abi.c - the coding of contract calls and 256-bit amounts, against values written
 * out by hand or taken from a node's answers.
 */
#include "kits/evm_abi.h"
#include "kits/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct rg_bytes view(const char *text)
{
    return (struct rg_bytes){ (const uint8_t *)text, strlen(text) };
}

#define LARGEST "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

static struct evm_word word(const char *text)
{
    struct evm_word w;
    assert_int_equal(evm_read_word(view(text), &w), 1);
    return w;
}

static void test_words_do_not_wrap(void **state)
{
    (void)state;
    struct evm_word largest = word(LARGEST), one = evm_word_of(1), w = largest, zero = { { 0 } };
    assert_int_equal(evm_add(&w, &one), 0);
    w = zero;
    assert_int_equal(evm_subtract(&w, &one), 0);
    w = largest;
    assert_int_equal(evm_subtract(&w, &one), 1);
    assert_int_equal(evm_compare(&w, &largest), -1);
    assert_int_equal(evm_add(&w, &one), 1);
    assert_int_equal(evm_compare(&w, &largest), 0);
    /* A borrow that runs through all limbs, and a limb of all ones taken from one of none. */
    w = word("0x8000000000000000000000000000000000000000000000000000000000000000");
    assert_int_equal(evm_subtract(&w, &one), 1);
    struct evm_word below =
        word("0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff");
    assert_int_equal(evm_compare(&w, &below), 0);
    w = word("0x0000000000000000000000000000000000000000000000010000000000000000");
    struct evm_word ones =
        word("0x000000000000000000000000000000000000000000000000ffffffffffffffff");
    assert_int_equal(evm_subtract(&w, &ones), 1);
    assert_int_equal(evm_compare(&w, &one), 0);
}

static void test_scaling_is_exact(void **state)
{
    (void)state;
    struct evm_word w = evm_word_of(999999999999999);
    int64_t minor = 0;
    assert_int_equal(evm_scale_up(&w, 28), 1);
    /* 999999999999999 * 10^28 */
    struct evm_word expected =
        word("0x000000000000000000000000000072cb5bd86321c33ce870285de59ef0000000");
    assert_int_equal(evm_compare(&w, &expected), 0);
    struct evm_word check = w;
    assert_int_equal(evm_scale_down(&check, 28), 1);
    assert_int_equal(evm_word_i64(&check, &minor), 1);
    assert_int_equal(minor, 999999999999999);
    struct evm_word one = evm_word_of(1);
    assert_int_equal(evm_add(&w, &one), 1);
    assert_int_equal(evm_scale_down(&w, 28), 0); /* something was cut off */
    assert_int_equal(evm_word_i64(&w, &minor), 1);
    assert_int_equal(minor, 999999999999999);
    w = evm_word_of(1);
    assert_int_equal(evm_scale_up(&w, 77), 1); /* 10^77 < 2^256 < 10^78 */
    w = evm_word_of(1);
    assert_int_equal(evm_scale_up(&w, 78), 0);
    w = word(LARGEST);
    assert_int_equal(evm_scale_up(&w, 1), 0);
    w = evm_word_of(12345);
    assert_int_equal(evm_scale_down(&w, 2), 0);
    assert_int_equal(evm_word_i64(&w, &minor), 1);
    assert_int_equal(minor, 123);
}

static void test_what_fits_an_amount(void **state)
{
    (void)state;
    int64_t minor = 0;
    struct evm_word w = evm_word_of(INT64_MAX);
    assert_int_equal(evm_word_i64(&w, &minor), 1);
    assert_true(minor == INT64_MAX);
    w = evm_word_of((uint64_t)INT64_MAX + 1);
    assert_int_equal(evm_word_i64(&w, &minor), 0);
    w = word("0x0000000000000000000000000000000000000000000000010000000000000000");
    assert_int_equal(evm_word_i64(&w, &minor), 0);
}

static void test_texts_that_are_read(void **state)
{
    (void)state;
    struct evm_address a, b;
    assert_int_equal(evm_read_address(view("0x70997970C51812dc3A010C7d01b50e0d17dc79C8"), &a), 1);
    assert_int_equal(
        evm_read_padded_address(
            view("0x00000000000000000000000070997970c51812dc3a010c7d01b50e0d17dc79c8"), &b),
        1);
    assert_int_equal(evm_same(&a, &b), 1);
    assert_int_equal(
        evm_read_padded_address(
            view("0x00000000000000000000000170997970c51812dc3a010c7d01b50e0d17dc79c8"), &b),
        0);
    static const char *const no_address[] = { "",
                                              "0x",
                                              "70997970c51812dc3a010c7d01b50e0d17dc79c8",
                                              "0x70997970c51812dc3a010c7d01b50e0d17dc79c",
                                              "0x70997970c51812dc3a010c7d01b50e0d17dc79c80",
                                              "0x70997970c51812dc3a010c7d01b50e0d17dc79cg" };
    for (unsigned i = 0; i < sizeof no_address / sizeof no_address[0]; i++)
        assert_int_equal(evm_read_address(view(no_address[i]), &a), 0);
    uint64_t n = 0;
    assert_int_equal(evm_read_quantity(view("0x0"), &n), 1);
    assert_int_equal(n, 0);
    assert_int_equal(evm_read_quantity(view("0x7a69"), &n), 1);
    assert_int_equal(n, 31337);
    assert_int_equal(evm_read_quantity(view("0xffffffffffffffff"), &n), 1);
    assert_true(n == UINT64_MAX);
    static const char *const no_quantity[] = {
        "", "0x", "0x00", "0x01", "7a69", "0x7a6g", "0x10000000000000000"
    };
    for (unsigned i = 0; i < sizeof no_quantity / sizeof no_quantity[0]; i++)
        assert_int_equal(evm_read_quantity(view(no_quantity[i]), &n), 0);
}

#define WORD0 "0000000000000000000000000000000000000000000000000000000000000000"

static void test_reasons(void **state)
{
    (void)state;
    static const char whole[] =
        "0x08c379a00000000000000000000000000000000000000000000000000000000000000020"
        "0000000000000000000000000000000000000000000000000000000000000026"
        "45524332303a207472616e7366657220616d6f756e7420657863656564732062616c616e6365"
        "0000000000000000000000000000000000000000000000000000";
    uint8_t room[64];
    uint64_t len = 0;
    assert_int_equal(evm_read_reason(view(whole), room, sizeof room, &len), 1);
    assert_int_equal(len, 38);
    assert_memory_equal(room, "ERC20: transfer amount exceeds balance", 38);
    assert_int_equal(evm_read_reason(view(whole), room, 5, &len), 1);
    assert_int_equal(len, 5);
    /* Every cut is refused as long as the text is not whole, and never read beyond. */
    for (uint64_t cut = 0; cut < 2 + 8 + 128 + 76; cut++) {
        uint8_t *copy = malloc(cut + 1);
        memcpy(copy, whole, cut);
        struct rg_bytes text = { copy, cut };
        assert_int_equal(evm_read_reason(text, room, sizeof room, &len), 0);
        free(copy);
    }
    /* Offsets and lengths that point anywhere. */
    assert_int_equal(evm_read_reason(view("0x08c379a0" LARGEST WORD0), room, sizeof room, &len), 0);
    assert_int_equal(
        evm_read_reason(view("0x08c379a0000000000000000000000000000000000000000000000000"
                             "0000000000000020ffffffffffffffffffffffffffffffffffffffffffffffff"
                             "ffffffffffffffff"),
                        room, sizeof room, &len),
        0);
    assert_int_equal(evm_read_reason(view("0x4e487b71" WORD0), room, sizeof room, &len), 0);
}

static void test_calls(void **state)
{
    (void)state;
    struct evm_address to;
    struct evm_word number = evm_word_of(500);
    uint8_t room[256];
    struct rg_buffer b = { room, sizeof room, 0, 0, 0 };
    assert_int_equal(evm_read_address(view("0x70997970C51812dc3A010C7d01b50e0d17dc79C8"), &to), 1);
    evm_put_call(&b, EVM_SELECTOR_TRANSFER, &to, &number);
    assert_true(text_is((struct rg_bytes){ room, b.len },
                        "0xa9059cbb"
                        "00000000000000000000000070997970c51812dc3a010c7d01b50e0d17dc79c8"
                        "00000000000000000000000000000000000000000000000000000000000001f4"));
    static const struct {
        uint64_t value;
        const char *text;
    } quantities[] = { { 0, "0x0" },
                       { 15, "0xf" },
                       { 16, "0x10" },
                       { 31337, "0x7a69" },
                       { UINT64_MAX, "0xffffffffffffffff" } };
    for (unsigned i = 0; i < sizeof quantities / sizeof quantities[0]; i++) {
        b.len = 0;
        evm_put_quantity(&b, quantities[i].value);
        assert_true(text_is((struct rg_bytes){ room, b.len }, quantities[i].text));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_do_not_wrap),
        cmocka_unit_test(test_scaling_is_exact),
        cmocka_unit_test(test_what_fits_an_amount),
        cmocka_unit_test(test_texts_that_are_read),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
