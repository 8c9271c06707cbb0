/* The published vectors of everything the secret room computes, and what it must refuse.
 *
 * Retail MAC: pyemv/psec (MIT). CMAC: NIST SP 800-38B appendix D. HMAC: RFC 4231. Key wrap: RFC
 * 3394 section 4. HKDF: RFC 5869 appendix A. AES-GCM: NIST test case 16 of the GCM submission. */
#include "base/ensure.h"
#include "base/vault.h"
#include "secret/digest.h"
#include "secret/secret.h"
#include "secret/secret_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct fixture {
    struct loop *loop;
    struct secrets *secrets;
};

static int set_up(void **state)
{
    static struct fixture f;
    f.loop = loop_open_virtual(7, 1700000000000000);
    assert_non_null(f.loop);
    assert_int_equal(secrets_open(&f.secrets, f.loop), STATUS_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    secrets_close(f->secrets);
    loop_close(f->loop);
    return 0;
}

/* Hexadecimal into a buffer of the caller. */
static struct view hex(const char *text, uint8_t *room)
{
    size_t len = 0;
    assert_int_equal(hex_decode(view_text(text), room, 256, &len), STATUS_OK);
    return view_of(room, len);
}

static struct secret_key *put(struct fixture *f, const char *name, enum secret_kind kind,
                              const char *key)
{
    uint8_t room[256];
    assert_int_equal(secret_put(f->secrets, name, kind, hex(key, room)), STATUS_OK);
    struct secret_key *found = secret_find(f->secrets, name);
    assert_non_null(found);
    assert_int_equal(secret_kind_of(found), kind);
    return found;
}

static void assert_mac(struct secret_key *key, struct view bytes, const char *expected)
{
    uint8_t room[256], mac[SECRET_MAC_MAX];
    size_t len = 0;
    struct view want = hex(expected, room);
    assert_int_equal(secret_mac(key, bytes, mac, &len), STATUS_OK);
    assert_int_equal(len, want.len);
    assert_memory_equal(mac, want.ptr, want.len);
    assert_int_equal(secret_verify(key, bytes, want), STATUS_OK);
    for (size_t i = 0; i < len; i++) { /* any one bit wrong, and it is another MAC */
        room[i] ^= 0x10;
        assert_int_equal(secret_verify(key, bytes, want), STATUS_MISMATCH);
        room[i] ^= 0x10;
    }
    assert_int_equal(secret_verify(key, bytes, view_slice(want, 0, len - 1)), STATUS_MISMATCH);
    assert_int_equal(secret_verify(key, bytes, VIEW_EMPTY), STATUS_MISMATCH);
}

static void retail_mac(void **state)
{
    const char *two = "AAAAAAAAAAAAAAAABBBBBBBBBBBBBBBB";
    struct secret_key *pad1 = put(*state, "pad1", SECRET_RETAIL_MAC, two);
    struct secret_key *pad2 = put(*state, "pad2", SECRET_RETAIL_MAC_PAD2, two);
    for (int again = 0; again < 2; again++) { /* a context is used many times */
        assert_mac(pad1, VIEW("hello world"), "78DA3D3DEB48FD4D");
        assert_mac(pad2, VIEW("hello world"), "2BC2D9EDE0CF31F6");
    }
}

/* Padding by hand must give what the methods give, at every length around a block and a chunk. */
static void retail_mac_padding(void **state)
{
    const char *two = "0123456789ABCDEFFEDCBA9876543210";
    struct secret_key *pad1 = put(*state, "pad1", SECRET_RETAIL_MAC, two);
    struct secret_key *pad2 = put(*state, "pad2", SECRET_RETAIL_MAC_PAD2, two);
    for (size_t len = 0; len <= 600; len++) {
        uint8_t bytes[640] = { 0 }, a[SECRET_MAC_MAX], b[SECRET_MAC_MAX];
        size_t a_len, b_len;
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)(i * 7 + 1);
        size_t full = len == 0 ? 8 : (len + 7) / 8 * 8;
        assert_int_equal(secret_mac(pad1, view_of(bytes, len), a, &a_len), STATUS_OK);
        assert_int_equal(secret_mac(pad1, view_of(bytes, full), b, &b_len), STATUS_OK);
        assert_memory_equal(a, b, 8);
        assert_int_equal(secret_mac(pad2, view_of(bytes, len), a, &a_len), STATUS_OK);
        bytes[len] = 0x80;
        assert_int_equal(secret_mac(pad1, view_of(bytes, len / 8 * 8 + 8), b, &b_len), STATUS_OK);
        assert_memory_equal(a, b, 8);
    }
}

static void cmac(void **state)
{
    uint8_t room[256];
    struct view message = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
                              "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
                              room);
    struct secret_key *k128 =
        put(*state, "128", SECRET_AES_CMAC, "2b7e151628aed2a6abf7158809cf4f3c");
    assert_mac(k128, VIEW_EMPTY, "bb1d6929e9593728");
    assert_mac(k128, view_slice(message, 0, 16), "070a16b46b4d4144");
    assert_mac(k128, view_slice(message, 0, 40), "dfa66747de9ae630");
    assert_mac(k128, message, "51f0bebf7e3b9d92");
    struct secret_key *k256 =
        put(*state, "256", SECRET_AES_CMAC,
            "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
    assert_mac(k256, view_slice(message, 0, 16), "28a7023f452e8f82");
}

static void hmac(void **state)
{
    struct secret_key *key =
        put(*state, "h", SECRET_HMAC_SHA256, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
    assert_mac(key, VIEW("Hi There"),
               "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    uint8_t kcv[3];
    assert_int_equal(secret_check_value(key, kcv), STATUS_UNSUPPORTED);
}

/* The label of RFC 4231 test case 1, so that the derived key's bytes are published. */
static void derived_keys(void **state)
{
    struct fixture *f = *state;
    struct secret_key *key =
        put(f, "d", SECRET_HMAC_SHA256, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
    struct secret_key *same =
        put(f, "same", SECRET_HMAC_SHA256,
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    struct secret_key *cmac = put(f, "c", SECRET_AES_CMAC, "2b7e151628aed2a6abf7158809cf4f3c");
    struct secret_key *derived = NULL, *other = NULL;
    uint8_t mac[SECRET_MAC_MAX], expected[SECRET_MAC_MAX];
    size_t len = 0;
    assert_int_equal(secret_derive(key, VIEW("Hi There"), &derived), STATUS_OK);
    assert_int_equal(secret_kind_of(derived), SECRET_HMAC_SHA256);
    assert_null(secret_find(f->secrets, "")); /* it is in no table */
    assert_int_equal(secret_mac(derived, VIEW("x"), mac, &len), STATUS_OK);
    assert_int_equal(len, 32);
    assert_int_equal(secret_mac(same, VIEW("x"), expected, &len), STATUS_OK);
    assert_memory_equal(mac, expected, 32);
    assert_int_equal(secret_derive(key, VIEW("Hi there"), &other), STATUS_OK);
    assert_int_equal(secret_mac(other, VIEW("x"), mac, &len), STATUS_OK);
    assert_memory_not_equal(mac, expected, 32);
    secret_key_close(other);
    assert_int_equal(secret_derive(derived, VIEW_EMPTY, &other), STATUS_OK); /* and again */
    secret_key_close(other);
    secret_key_close(derived);
    other = key;
    assert_int_equal(secret_derive(cmac, VIEW("Hi There"), &other), STATUS_UNSUPPORTED);
    assert_null(other);
}

static void check_values(void **state)
{
    uint8_t kcv[3];
    struct secret_key *key = put(*state, "t", SECRET_WRAP_TDES, "0123456789ABCDEFFEDCBA9876543210");
    assert_int_equal(secret_check_value(key, kcv), STATUS_OK);
    assert_memory_equal(kcv, "\x08\xD7\xB4", 3);
    struct secret_key *same =
        put(*state, "m", SECRET_RETAIL_MAC, "0123456789ABCDEFFEDCBA9876543210");
    assert_int_equal(secret_check_value(same, kcv), STATUS_OK);
    assert_memory_equal(kcv, "\x08\xD7\xB4", 3);
}

/* An unwrapped key must behave as the same key put in by hand. */
static void assert_unwraps(struct fixture *f, const char *wrapping, enum secret_kind kind,
                           const char *wrapped, const char *plain)
{
    uint8_t room[256], a[SECRET_MAC_MAX], b[SECRET_MAC_MAX], kcv[3];
    size_t a_len, b_len;
    struct secret_key *out = NULL, *by_hand = put(f, plain, kind, plain);
    struct secret_key *kek = secret_find(f->secrets, wrapping);
    struct view bytes = hex(wrapped, room);
    assert_int_equal(secret_check_value(by_hand, kcv), STATUS_OK);
    assert_int_equal(secret_unwrap(kek, kind, bytes, VIEW_EMPTY, &out), STATUS_OK);
    secret_key_close(out);
    assert_int_equal(secret_unwrap(kek, kind, bytes, view_of(kcv, 3), &out), STATUS_OK);
    assert_int_equal(secret_mac(by_hand, VIEW("the same"), a, &a_len), STATUS_OK);
    assert_int_equal(secret_mac(out, VIEW("the same"), b, &b_len), STATUS_OK);
    assert_memory_equal(a, b, a_len);
    secret_key_close(out);

    kcv[2] ^= 1;
    assert_int_equal(secret_unwrap(kek, kind, bytes, view_of(kcv, 3), &out), STATUS_MISMATCH);
    assert_null(out);
    assert_int_equal(secret_unwrap(kek, kind, bytes, view_of(kcv, 2), &out), STATUS_RANGE);
    assert_int_equal(
        secret_unwrap(kek, kind, view_slice(bytes, 0, bytes.len - 1), VIEW_EMPTY, &out),
        STATUS_RANGE);
    assert_int_equal(secret_unwrap(by_hand, kind, bytes, VIEW_EMPTY, &out), STATUS_UNSUPPORTED);
}

static void unwrap_aes(void **state)
{
    put(*state, "kek128", SECRET_WRAP_AES, "000102030405060708090A0B0C0D0E0F");
    put(*state, "kek256", SECRET_WRAP_AES,
        "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F");
    assert_unwraps(*state, "kek128", SECRET_AES_CMAC,
                   "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5",
                   "00112233445566778899AABBCCDDEEFF");
    assert_unwraps(*state, "kek256", SECRET_AES_CMAC,
                   "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD"
                   "21",
                   "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F");
    struct fixture *f = *state;
    uint8_t room[256];
    struct secret_key *out = NULL;
    struct view broken = hex("1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE4", room);
    assert_int_equal(
        secret_unwrap(secret_find(f->secrets, "kek128"), SECRET_AES_CMAC, broken, VIEW_EMPTY, &out),
        STATUS_MISMATCH);
    /* and the context still works after that */
    room[23] = 0xE5;
    assert_int_equal(
        secret_unwrap(secret_find(f->secrets, "kek128"), SECRET_AES_CMAC, broken, VIEW_EMPTY, &out),
        STATUS_OK);
    secret_key_close(out);
    /* RFC 3394 unwraps it, but 16 bytes make no seal key */
    assert_int_equal(
        secret_unwrap(secret_find(f->secrets, "kek128"), SECRET_SEAL, broken, VIEW_EMPTY, &out),
        STATUS_RANGE);
}

static void unwrap_tdes(void **state)
{
    put(*state, "kek", SECRET_WRAP_TDES, "0123456789ABCDEFFEDCBA9876543210");
    /* ECB: psec's vector twice */
    assert_unwraps(*state, "kek", SECRET_RETAIL_MAC, "3EB3B72576BBBE834E074EFBDEE32063",
                   "112233445566778811223344556677FF");
}

static void hkdf(void **state)
{
    (void)state;
    uint8_t key[256], salt[256], info[256], want[256], out[42];
    assert_int_equal(secret_hkdf(hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", key),
                                 hex("000102030405060708090a0b0c", salt),
                                 hex("f0f1f2f3f4f5f6f7f8f9", info), out, sizeof out),
                     STATUS_OK);
    hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        want);
    assert_memory_equal(out, want, sizeof out);
    assert_int_equal(secret_hkdf(hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", key),
                                 VIEW_EMPTY, VIEW_EMPTY, out, sizeof out),
                     STATUS_OK);
    hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        want);
    assert_memory_equal(out, want, sizeof out);
}

static void unseal_vector(void **state)
{
    uint8_t sealed_room[256], plain_room[256], aad_room[256], out_room[128];
    struct secret_key *key =
        put(*state, "seal", SECRET_SEAL,
            "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
    struct view sealed = hex("01cafebabefacedbaddecaf888"
                             "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                             "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
                             "76fc6ece0f4e1768cddf8853bb2d551b",
                             sealed_room);
    struct view plain = hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                            "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
                            plain_room);
    struct view aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2", aad_room);
    struct writer out = writer_over(out_room, sizeof out_room);
    assert_int_equal(secret_unseal(key, aad, sealed, &out), STATUS_OK);
    assert_true(view_equal(writer_done(&out), plain));
}

static void seal_and_unseal(void **state)
{
    struct secret_key *key =
        put(*state, "seal", SECRET_SEAL,
            "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F");
    for (size_t len = 0; len < 70; len++) {
        uint8_t plain[70], sealed[128], again[128], opened[70];
        memset(plain, (int)len, sizeof plain);
        struct writer a = writer_over(sealed, sizeof sealed);
        struct writer b = writer_over(again, sizeof again);
        struct writer o = writer_over(opened, sizeof opened);
        struct view text = view_of(plain, len);
        assert_int_equal(secret_seal(key, VIEW("att_1 pan"), text, &a), STATUS_OK);
        assert_int_equal(secret_seal(key, VIEW("att_1 pan"), text, &b), STATUS_OK);
        assert_int_equal(a.len, len + SECRET_SEAL_OVERHEAD);
        assert_memory_not_equal(sealed, again, a.len); /* another nonce each time */
        assert_int_equal(secret_unseal(key, VIEW("att_1 pan"), writer_done(&a), &o), STATUS_OK);
        assert_true(view_equal(writer_done(&o), text));
        /* another context, every cut and every flipped byte */
        o = writer_over(opened, sizeof opened);
        assert_int_equal(secret_unseal(key, VIEW("att_2 pan"), writer_done(&a), &o),
                         STATUS_MISMATCH);
        for (size_t i = 0; i < a.len; i++) {
            assert_int_equal(secret_unseal(key, VIEW("att_1 pan"), view_of(sealed, i), &o),
                             STATUS_MISMATCH);
            sealed[i] ^= 1;
            assert_int_equal(secret_unseal(key, VIEW("att_1 pan"), writer_done(&a), &o),
                             STATUS_MISMATCH);
            sealed[i] ^= 1;
        }
        assert_int_equal(o.len, 0);
    }
}

static void seal_needs_room(void **state)
{
    struct secret_key *key =
        put(*state, "seal", SECRET_SEAL,
            "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F");
    uint8_t sealed[5 + SECRET_SEAL_OVERHEAD], opened[5];
    for (size_t room = 0; room < sizeof sealed; room++) {
        struct writer w = writer_over(sealed, room);
        assert_int_equal(secret_seal(key, VIEW_EMPTY, VIEW("12345"), &w), STATUS_FULL);
        assert_true(w.overflow);
    }
    struct writer w = writer_over(sealed, sizeof sealed);
    assert_int_equal(secret_seal(key, VIEW_EMPTY, VIEW("12345"), &w), STATUS_OK);
    struct writer small = writer_over(opened, 4);
    assert_int_equal(secret_unseal(key, VIEW_EMPTY, writer_done(&w), &small), STATUS_FULL);
    assert_true(small.overflow);
}

static void lengths_and_names(void **state)
{
    struct fixture *f = *state;
    static const uint8_t bytes[129] = { 1 };
    static const struct {
        enum secret_kind kind;
        uint64_t lengths; /* bit n: n bytes (or 64 + n steps of 8) are fine */
    } rows[] = {
        { SECRET_RETAIL_MAC, 1ull << 16 },
        { SECRET_RETAIL_MAC_PAD2, 1ull << 16 },
        { SECRET_AES_CMAC, 1ull << 16 | 1ull << 24 | 1ull << 32 },
        { SECRET_WRAP_TDES, 1ull << 16 | 1ull << 24 },
        { SECRET_WRAP_AES, 1ull << 16 | 1ull << 24 | 1ull << 32 },
        { SECRET_SEAL, 1ull << 32 },
    };
    for (size_t r = 0; r < COUNT_OF(rows); r++) {
        for (size_t len = 0; len < 64; len++) {
            char name[32];
            snprintf(name, sizeof name, "k%zu_%zu", r, len);
            assert_int_equal(secret_put(f->secrets, name, rows[r].kind, view_of(bytes, len)),
                             (rows[r].lengths >> len & 1) != 0 ? STATUS_OK : STATUS_RANGE);
        }
    }
    assert_int_equal(secret_put(f->secrets, "h", SECRET_HMAC_SHA256, view_of(bytes, 15)),
                     STATUS_RANGE);
    assert_int_equal(secret_put(f->secrets, "h", SECRET_HMAC_SHA256, view_of(bytes, 129)),
                     STATUS_RANGE);
    assert_int_equal(secret_put(f->secrets, "h", SECRET_HMAC_SHA256, view_of(bytes, 128)),
                     STATUS_OK);
    assert_int_equal(secret_put(f->secrets, "h", SECRET_HMAC_SHA256, view_of(bytes, 128)),
                     STATUS_EXISTS);
    assert_int_equal(secret_put(f->secrets, "", SECRET_SEAL, view_of(bytes, 32)), STATUS_RANGE);
    assert_null(secret_find(f->secrets, "nobody"));
}

static void kinds_have_words(void **state)
{
    (void)state;
    static const char *const words[] = { "retail_mac",     "retail_mac_pad2", "aes_cmac",
                                         "hmac_sha256",    "wrap_tdes",       "wrap_aes",
                                         "seal",           "token",           "sign_ed25519",
                                         "verify_ed25519", "sign_es256",      "verify_es256" };
    enum secret_kind kind;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        assert_int_equal(secret_kind_parse(view_text(words[i]), &kind), STATUS_OK);
        assert_int_equal(kind, (int)i + 1);
    }
    assert_int_equal(secret_kind_parse(VIEW("retail"), &kind), STATUS_NOT_FOUND);
}

static void wrong_kind_is_refused(void **state)
{
    struct secret_key *mac =
        put(*state, "m", SECRET_RETAIL_MAC, "0123456789ABCDEFFEDCBA9876543210");
    struct secret_key *wrap = put(*state, "w", SECRET_WRAP_AES, "0123456789ABCDEFFEDCBA9876543210");
    uint8_t out[SECRET_MAC_MAX], room[64];
    size_t len;
    struct writer w = writer_over(room, sizeof room);
    assert_int_equal(secret_mac(wrap, VIEW("x"), out, &len), STATUS_UNSUPPORTED);
    assert_int_equal(secret_seal(mac, VIEW_EMPTY, VIEW("x"), &w), STATUS_UNSUPPORTED);
    assert_int_equal(secret_unseal(mac, VIEW_EMPTY, VIEW("x"), &w), STATUS_UNSUPPORTED);
}

static void sha256(void **state)
{
    (void)state;
    uint8_t want[256], out[SECRET_SHA256_SIZE];
    assert_int_equal(secret_sha256(VIEW("abc"), out), STATUS_OK);
    hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", want);
    assert_memory_equal(out, want, sizeof out);
}

int main(void)
{
#define STORY(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        STORY(retail_mac),
        STORY(retail_mac_padding),
        STORY(cmac),
        STORY(hmac),
        STORY(derived_keys),
        STORY(check_values),
        STORY(unwrap_aes),
        STORY(unwrap_tdes),
        STORY(hkdf),
        STORY(unseal_vector),
        STORY(seal_and_unseal),
        STORY(seal_needs_room),
        STORY(lengths_and_names),
        STORY(kinds_have_words),
        STORY(wrong_kind_is_refused),
        STORY(sha256),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
