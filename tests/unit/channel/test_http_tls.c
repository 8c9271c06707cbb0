/* test_http_tls.c - HTTP channels over TLS on loopback. The certificate is made when the test
 * starts, in a folder of its own, and deleted after. */
#include "web_fixture.h"

#include "../../support/scratch.h"

#include "base/ensure.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[SCRATCH_MAX], certificate[SCRATCH_FILE_MAX], key[SCRATCH_FILE_MAX];

static int make_certificate(void **state)
{
    (void)state;
    scratch_folder(folder, "http-tls");
    (void)snprintf(certificate, sizeof certificate, "%s/server.pem", folder);
    (void)snprintf(key, sizeof key, "%s/server.key", folder);
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    X509 *made = X509_new();
    ENSURE(pair != NULL && made != NULL);
    X509_set_version(made, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
    X509_gmtime_adj(X509_getm_notBefore(made), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made), 3600);
    X509_set_pubkey(made, pair);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_ASC,
                               (const unsigned char *)"bank", -1, -1, 0);
    X509_set_issuer_name(made, X509_get_subject_name(made));
    X509_EXTENSION *name =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:bank.test,IP:127.0.0.1");
    ENSURE(name != NULL && X509_add_ext(made, name, -1) == 1);
    X509_EXTENSION_free(name);
    ENSURE(X509_sign(made, pair, EVP_sha256()) > 0);
    FILE *out = fopen(certificate, "w");
    ENSURE(out != NULL && PEM_write_X509(out, made) == 1 && fclose(out) == 0);
    out = fopen(key, "w");
    ENSURE(out != NULL && PEM_write_PrivateKey(out, pair, NULL, NULL, 0, NULL, NULL) == 1);
    ENSURE(fclose(out) == 0);
    EVP_PKEY_free(pair);
    X509_free(made);
    return 0;
}

static int drop_certificate(void **state)
{
    (void)state;
    unlink(certificate);
    unlink(key);
    return rmdir(folder);
}

static struct web_call *one(struct web *w, const char *ca, const char *server_name)
{
    assert_true(web_open(w, &(struct web_plan){ .servers = 1,
                                                .real = true,
                                                .certificate = certificate,
                                                .key = key,
                                                .ca = ca,
                                                .server_name = server_name }));
    w->servers[0].answer = "A";
    struct web_call *c = web_call(w, "");
    web_run_until_done(w);
    return c;
}

static void test_trusted(void **state)
{
    (void)state;
    struct web w;
    assert_int_equal(one(&w, certificate, NULL)->result.outcome, OUTCOME_APPROVED);
    web_close(&w);
    assert_int_equal(one(&w, certificate, "bank.test")->result.outcome, OUTCOME_APPROVED);
    web_close(&w);
}

/* Whoever cannot prove that they are the bank get nothing, and that is certain. */
static void test_stranger(void **state)
{
    (void)state;
    struct web w;
    assert_int_equal(one(&w, NULL, NULL)->result.outcome, OUTCOME_NOT_SENT);
    assert_int_equal(w.requests_count, 0);
    web_close(&w);
    assert_int_equal(one(&w, certificate, "other.test")->result.outcome, OUTCOME_NOT_SENT);
    assert_int_equal(w.requests_count, 0);
    web_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trusted),
        cmocka_unit_test(test_stranger),
    };
    return cmocka_run_group_tests(tests, make_certificate, drop_certificate);
}
