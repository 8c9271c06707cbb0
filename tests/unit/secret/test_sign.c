/* Signatures and tokens: published vectors, what must be refused, PEM files.
 *
 * Ed25519: RFC 8032 section 7.1 (tests 1 and 2), PEM from RFC 8410 section 10. ES256: the key and a
 * signature of RFC 6979 appendix A.2.5, its PEM forms made from it. */
#include "base/ensure.h"
#include "base/vault.h"
#include "secret/secret.h"

#include "../../support/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ED_SEED   "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
#define ED_PUBLIC "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
#define ED_SIGNATURE                                                                               \
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9" \
    "b46bd25bf5f0595bbe24655141438e7a100b"
#define ED_SEED_2   "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
#define ED_PUBLIC_2 "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
#define ED_SIGNATURE_2                                                                             \
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f1" \
    "1d8c387b2eaeb4302aeeb00d291612bb0c00"
#define EC_SCALAR "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721"
#define EC_POINT                                                                                   \
    "0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"                           \
    "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"
#define EC_SIGNATURE                                                                               \
    "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"                             \
    "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
#define EC_ORDER "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551"

static const char ec_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                             "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgya+p2EW6dRZrXCFX\n"
                             "Z7HWk05Qw9s26JsSe4piKxIPZyGhRANCAARg/tS6JVqdMclh63TGNW1owEm4kjth\n"
                             "+mzmaWIuYPKftnkD/hAIuLyZpBrp6VYovGTy8bIMLX6fUXejwpTURiKZ\n"
                             "-----END PRIVATE KEY-----\n";
static const char ec_public_pem[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7\n"
    "Yfps5mliLmDyn7Z5A/4QCLi8maQa6elWKLxk8vGyDC1+n1F3o8KU1EYimQ==\n"
    "-----END PUBLIC KEY-----\n";
static const char ec_compressed_pem[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgADYP7UuiVanTHJYet0xjVtaMBJuJI7\n"
    "Yfps5mliLmDyn7Y=\n"
    "-----END PUBLIC KEY-----\n";
static const char ec_encrypted_pem[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAiqtkXsPNCHxgICCAAw\n"
    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEOOQ5zHES4OovWJj0eJ/tf8EgZAz\n"
    "cN2yhlCk5o9h//eqcQsnRN6eyFdvSfOfii16QWX6uZ8qX040fTVd8HijzoQnAP+p\n"
    "aDuslSvV+L5VeaXusdzEmJxJnSjqoYEDP+3aWav4qu3x9ldJA3IptGF8eT6oB5Id\n"
    "7hWQk6up0HejZ4v1r0v4EUAZaTUkDL/z8R5e+JOVYpPRw8fiBLoTCGLEAdU9uT0=\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";
static const char ed_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                             "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
                             "-----END PRIVATE KEY-----\n";
static const char ed_public_pem[] = "-----BEGIN PUBLIC KEY-----\n"
                                    "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
                                    "-----END PUBLIC KEY-----\n";

struct fixture {
    struct loop *loop;
    struct secrets *secrets;
    size_t vault_before;
    char path[SCRATCH_MAX], why[512];
};

static int set_up(void **state)
{
    static struct fixture f;
    f.vault_before = vault_in_use();
    f.loop = loop_open_virtual(7, 1700000000000000);
    assert_int_equal(secrets_open(&f.secrets, f.loop), STATUS_OK);
    close(scratch_file(f.path, "sign"));
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    unlink(f->path);
    secrets_close(f->secrets);
    loop_close(f->loop);
    assert_int_equal(vault_in_use(), f->vault_before);
    return 0;
}

static enum status put_hex(struct fixture *f, const char *name, enum secret_kind kind,
                           const char *hex)
{
    struct writer why = writer_over(f->why, sizeof f->why - 1);
    enum status status = secret_put_hex(f->secrets, name, kind, view_text(hex), &why);
    f->why[why.len] = '\0';
    return status;
}

static struct secret_key *key(struct fixture *f, const char *name, enum secret_kind kind,
                              const char *hex)
{
    assert_int_equal(put_hex(f, name, kind, hex), STATUS_OK);
    return secret_find(f->secrets, name);
}

static enum status put_file(struct fixture *f, const char *name, enum secret_kind kind,
                            const char *text, unsigned mode)
{
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(f->path, mode), 0);
    struct writer why = writer_over(f->why, sizeof f->why - 1);
    enum status status = secret_put_file(f->secrets, name, kind, f->path, &why);
    f->why[why.len] = '\0';
    if (status != STATUS_OK)
        assert_non_null(strstr(f->why, f->path));
    return status;
}

static struct view bytes_of(const char *hex, uint8_t *room)
{
    size_t len = 0;
    assert_int_equal(hex_decode(view_text(hex), room, 128, &len), STATUS_OK);
    return view_of(room, len);
}

static void ed25519(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *seed, *public, *message, *signature;
    } rows[] = { { ED_SEED, ED_PUBLIC, "", ED_SIGNATURE },
                 { ED_SEED_2, ED_PUBLIC_2, "72", ED_SIGNATURE_2 } };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint8_t want[128], out[SECRET_SIGNATURE_MAX], message[128];
        size_t len = 0;
        struct secret_key *sign = key(f, i == 0 ? "s0" : "s1", SECRET_SIGN_ED25519, rows[i].seed);
        struct secret_key *verify =
            key(f, i == 0 ? "v0" : "v1", SECRET_VERIFY_ED25519, rows[i].public);
        struct view m = bytes_of(rows[i].message, message);
        assert_int_equal(secret_sign(sign, m, out, &len), STATUS_OK);
        assert_int_equal(len, 64);
        assert_memory_equal(out, bytes_of(rows[i].signature, want).ptr, 64);
        assert_int_equal(secret_verify(verify, m, view_of(out, 64)), STATUS_OK);
        assert_int_equal(secret_verify(verify, VIEW("other"), view_of(out, 64)), STATUS_MISMATCH);
        assert_int_equal(secret_verify(verify, m, view_of(out, 63)), STATUS_MISMATCH);
        for (size_t bit = 0; bit < 512; bit += 17) {
            out[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(secret_verify(verify, m, view_of(out, 64)), STATUS_MISMATCH);
            out[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

static void es256(void **state)
{
    struct fixture *f = *state;
    uint8_t known[128], out[SECRET_SIGNATURE_MAX], zeros[64] = { 0 };
    size_t len = 0;
    struct secret_key *sign = key(f, "s", SECRET_SIGN_ES256, EC_SCALAR);
    struct secret_key *verify = key(f, "v", SECRET_VERIFY_ES256, EC_POINT);
    struct view signature = bytes_of(EC_SIGNATURE, known);
    assert_int_equal(secret_verify(verify, VIEW("sample"), signature), STATUS_OK);
    assert_int_equal(secret_verify(verify, VIEW("sampl"), signature), STATUS_MISMATCH);
    for (int i = 0; i < 50; i++) { /* also with halves that begin with zeros */
        uint8_t message = (uint8_t)i;
        assert_int_equal(secret_sign(sign, view_of(&message, 1), out, &len), STATUS_OK);
        assert_int_equal(len, 64);
        assert_int_equal(secret_verify(verify, view_of(&message, 1), view_of(out, 64)), STATUS_OK);
        out[i] ^= 1;
        assert_int_equal(secret_verify(verify, view_of(&message, 1), view_of(out, 64)),
                         STATUS_MISMATCH);
    }
    assert_int_equal(secret_verify(verify, VIEW("x"), view_of(zeros, 64)), STATUS_MISMATCH);
    memset(zeros, 0xff, sizeof zeros);
    assert_int_equal(secret_verify(verify, VIEW("x"), view_of(zeros, 64)), STATUS_MISMATCH);
    assert_int_equal(secret_verify(verify, VIEW("x"), VIEW_EMPTY), STATUS_MISMATCH);
}

static void no_such_key(void **state)
{
    struct fixture *f = *state;
    char off_curve[] = EC_POINT;
    off_curve[20] = off_curve[20] == '0' ? '1' : '0';
    assert_int_equal(put_hex(f, "a", SECRET_SIGN_ED25519, "00112233"), STATUS_RANGE);
    assert_int_equal(put_hex(f, "a", SECRET_VERIFY_ES256, off_curve), STATUS_MALFORMED);
    assert_string_equal(f->why, "these bytes are no key of this kind");
    assert_int_equal(put_hex(f, "a", SECRET_SIGN_ES256, EC_ORDER), STATUS_MALFORMED);
    assert_int_equal(put_hex(f, "a", SECRET_SIGN_ES256,
                             "0000000000000000000000000000000000000000000000000000000000000000"),
                     STATUS_MALFORMED);
    assert_int_equal(put_hex(f, "a", SECRET_SIGN_ES256, "xyz"), STATUS_MALFORMED);
    assert_null(secret_find(f->secrets, "a"));
}

static void each_kind_for_its_own(void **state)
{
    struct fixture *f = *state;
    uint8_t out[SECRET_SIGNATURE_MAX], mac[SECRET_MAC_MAX], kcv[3];
    size_t len = 0, mac_len = 0;
    struct secret_key *sign = key(f, "s", SECRET_SIGN_ED25519, ED_SEED);
    struct secret_key *verify = key(f, "v", SECRET_VERIFY_ED25519, ED_PUBLIC);
    struct secret_key *hmac = key(f, "h", SECRET_HMAC_SHA256, ED_SEED);
    struct secret_key *token = key(f, "t", SECRET_TOKEN, "616263");
    assert_int_equal(secret_sign(verify, VIEW("x"), out, &len), STATUS_UNSUPPORTED);
    assert_int_equal(secret_sign(token, VIEW("x"), out, &len), STATUS_UNSUPPORTED);
    assert_int_equal(secret_verify(sign, VIEW("x"), view_of(out, 64)), STATUS_UNSUPPORTED);
    assert_int_equal(secret_verify(token, VIEW("x"), view_of(out, 64)), STATUS_UNSUPPORTED);
    assert_int_equal(secret_mac(sign, VIEW("x"), mac, &len), STATUS_UNSUPPORTED);
    assert_int_equal(secret_sign(hmac, VIEW("x"), out, &len), STATUS_OK); /* a MAC is one too */
    assert_int_equal(secret_mac(hmac, VIEW("x"), mac, &mac_len), STATUS_OK);
    assert_int_equal(len, 32);
    assert_memory_equal(out, mac, 32);
    assert_int_equal(secret_check_value(sign, kcv), STATUS_UNSUPPORTED);
    assert_int_equal(secret_check_value(token, kcv), STATUS_UNSUPPORTED);
}

static void tokens(void **state)
{
    struct fixture *f = *state;
    uint8_t room[8];
    struct secret_key *token = key(f, "t", SECRET_TOKEN, "746f6b 656e");
    struct secret_key *hmac = key(f, "h", SECRET_HMAC_SHA256, ED_SEED);
    struct writer w = writer_over(room, sizeof room);
    assert_int_equal(secret_token_put(token, &w), STATUS_OK);
    assert_true(view_is(writer_done(&w), "token"));
    assert_int_equal(secret_token_put(token, &w), STATUS_FULL);
    w = writer_over(room, sizeof room);
    assert_int_equal(secret_token_put(hmac, &w), STATUS_UNSUPPORTED);
    assert_int_equal(w.len, 0);
    assert_int_equal(put_hex(f, "a", SECRET_TOKEN, ""), STATUS_RANGE);
    assert_int_equal(put_hex(f, "a", SECRET_TOKEN, "610d0a"), STATUS_MALFORMED);
    assert_int_equal(put_hex(f, "a", SECRET_TOKEN, "00"), STATUS_MALFORMED);
    assert_int_equal(put_file(f, "file", SECRET_TOKEN, "  from-a-file\r\n", 0600), STATUS_OK);
    uint8_t more[32];
    w = writer_over(more, sizeof more);
    assert_int_equal(secret_token_put(secret_find(f->secrets, "file"), &w), STATUS_OK);
    assert_true(view_is(writer_done(&w), "from-a-file"));
    assert_int_equal(put_file(f, "b", SECRET_TOKEN, "two\nlines\n", 0600), STATUS_MALFORMED);
    assert_int_equal(put_file(f, "b", SECRET_TOKEN, "readable", 0644), STATUS_DENIED);
    static char longest[SECRET_TOKEN_MAX + 2];
    memset(longest, 'x', SECRET_TOKEN_MAX);
    assert_int_equal(put_file(f, "longest", SECRET_TOKEN, longest, 0600), STATUS_OK);
    longest[SECRET_TOKEN_MAX] = 'x';
    assert_int_equal(put_file(f, "longer", SECRET_TOKEN, longest, 0600), STATUS_RANGE);
}

static void assert_pair(struct fixture *f, const char *sign, const char *verify)
{
    uint8_t out[SECRET_SIGNATURE_MAX];
    size_t len = 0;
    assert_int_equal(secret_sign(secret_find(f->secrets, sign), VIEW("hello"), out, &len),
                     STATUS_OK);
    assert_int_equal(
        secret_verify(secret_find(f->secrets, verify), VIEW("hello"), view_of(out, len)),
        STATUS_OK);
}

static void pem_files(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put_file(f, "ec", SECRET_SIGN_ES256, ec_pem, 0600), STATUS_OK);
    assert_int_equal(put_file(f, "ec_pub", SECRET_VERIFY_ES256, ec_public_pem, 0644), STATUS_OK);
    assert_int_equal(put_file(f, "ec_short", SECRET_VERIFY_ES256, ec_compressed_pem, 0644),
                     STATUS_OK);
    assert_int_equal(put_file(f, "ed", SECRET_SIGN_ED25519, ed_pem, 0600), STATUS_OK);
    assert_int_equal(put_file(f, "ed_pub", SECRET_VERIFY_ED25519, ed_public_pem, 0644), STATUS_OK);
    assert_pair(f, "ec", "ec_pub");
    assert_pair(f, "ec", "ec_short");
    assert_pair(f, "ed", "ed_pub");
    assert_int_equal(put_file(f, "hex", SECRET_SIGN_ES256, EC_SCALAR "\n", 0600), STATUS_OK);
    assert_pair(f, "hex", "ec_pub");

    assert_int_equal(put_file(f, "x", SECRET_SIGN_ES256, ec_pem, 0644), STATUS_DENIED);
    assert_int_equal(put_file(f, "x", SECRET_VERIFY_ES256, ec_public_pem, 0664), STATUS_DENIED);
    assert_int_equal(put_file(f, "x", SECRET_SIGN_ED25519, ec_pem, 0600), STATUS_MISMATCH);
    assert_int_equal(put_file(f, "x", SECRET_VERIFY_ES256, ed_public_pem, 0600), STATUS_MISMATCH);
    assert_int_equal(put_file(f, "x", SECRET_SIGN_ES256, ec_public_pem, 0600), STATUS_NOT_FOUND);
    assert_int_equal(put_file(f, "x", SECRET_SIGN_ES256, ec_encrypted_pem, 0600), STATUS_NOT_FOUND);
    assert_int_equal(
        put_file(f, "x", SECRET_SIGN_ES256, "-----BEGIN PRIVATE KEY-----\nAAAA\n", 0600),
        STATUS_NOT_FOUND);
    assert_null(secret_find(f->secrets, "x"));
}

int main(void)
{
#define STORY(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        STORY(ed25519), STORY(es256),     STORY(no_such_key), STORY(each_kind_for_its_own),
        STORY(tokens),  STORY(pem_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
