/* digest.c - what needs OpenSSL but no key table: SHA-256 and HKDF-SHA256.
 * Interfaces: digest.h, secret_int.h. */
#include "secret/digest.h"

#include "base/vault.h"
#include "secret_int.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <stdlib.h>
#include <unistd.h>

enum status secret_sha256(struct view bytes, uint8_t out[SECRET_SHA256_SIZE])
{
    if (EVP_Digest(bytes.ptr, bytes.len, out, NULL, EVP_sha256(), NULL) != 1)
        return STATUS_NO_MEMORY;
    return STATUS_OK;
}

static enum status digest_fd(EVP_MD_CTX *ctx, int fd, uint64_t size_max,
                             uint8_t out[SECRET_SHA256_SIZE])
{
    uint8_t buffer[16384];
    uint64_t at = 0;
    if (EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
        return STATUS_NO_MEMORY;
    for (;;) {
        ssize_t got = pread(fd, buffer, sizeof buffer, (off_t)at);
        if (got < 0)
            return STATUS_IO;
        if (got == 0)
            break;
        at += (uint64_t)got;
        if (at > size_max)
            return STATUS_RANGE;
        if (EVP_DigestUpdate(ctx, buffer, (size_t)got) != 1)
            return STATUS_NO_MEMORY;
    }
    return EVP_DigestFinal_ex(ctx, out, NULL) == 1 ? STATUS_OK : STATUS_NO_MEMORY;
}

enum status secret_sha256_fd(int fd, uint64_t size_max, uint8_t out[SECRET_SHA256_SIZE])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL)
        return STATUS_NO_MEMORY;
    enum status status = digest_fd(ctx, fd, size_max, out);
    EVP_MD_CTX_free(ctx);
    return status;
}

struct secret_digest {
    EVP_MD_CTX *ctx;
};

enum status secret_digest_open(struct secret_digest **out)
{
    struct secret_digest *digest = calloc(1, sizeof *digest);
    *out = NULL;
    if (digest == NULL)
        return STATUS_NO_MEMORY;
    digest->ctx = EVP_MD_CTX_new();
    if (digest->ctx == NULL || EVP_DigestInit_ex(digest->ctx, EVP_sha256(), NULL) != 1) {
        secret_digest_close(digest);
        return STATUS_NO_MEMORY;
    }
    *out = digest;
    return STATUS_OK;
}

enum status secret_digest_add(struct secret_digest *digest, struct view bytes)
{
    return EVP_DigestUpdate(digest->ctx, bytes.ptr, bytes.len) == 1 ? STATUS_OK : STATUS_NO_MEMORY;
}

enum status secret_digest_done(const struct secret_digest *digest, uint8_t out[SECRET_SHA256_SIZE])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool done = ctx != NULL && EVP_MD_CTX_copy_ex(ctx, digest->ctx) == 1 &&
                EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return done ? STATUS_OK : STATUS_NO_MEMORY;
}

void secret_digest_close(struct secret_digest *digest)
{
    if (digest == NULL)
        return;
    EVP_MD_CTX_free(digest->ctx);
    free(digest);
}

enum status secret_hkdf(struct view key, struct view salt, struct view info, uint8_t *out,
                        size_t out_len)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key.ptr, key.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info.ptr,
                                          info.len),
        OSSL_PARAM_construct_end(),
        OSSL_PARAM_construct_end(),
    };
    if (salt.len > 0) /* none is a row of zeros, RFC 5869 section 2.2; OpenSSL does the same */
        params[3] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT,
                                                      (void *)(uintptr_t)salt.ptr, salt.len);
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    int done = ctx != NULL && EVP_KDF_derive(ctx, out, out_len, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return done ? STATUS_OK : STATUS_NO_MEMORY;
}
