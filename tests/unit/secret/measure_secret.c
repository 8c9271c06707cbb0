/* What the secret room costs on this machine, microseconds a call; build target measure_secret. */
#include "base/ensure.h"
#include "secret/secret.h"

#include <stdio.h>
#include <time.h>

#define ROUNDS 100000

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

int main(void)
{
    static const struct {
        const char *word;
        size_t key_len;
    } rows[] = {
        { "retail_mac", 16 }, { "retail_mac_pad2", 16 }, { "aes_cmac", 16 }, { "hmac_sha256", 32 }
    };
    static const uint8_t key_bytes[32] = { 1, 2, 3 };
    uint8_t message[200] = { 5 }, out[SECRET_MAC_MAX], sealed[256];
    size_t len;
    struct secrets *secrets;
    struct loop *loop = loop_open_virtual(1, 1700000000000000);
    ENSURE(loop != NULL && secrets_open(&secrets, loop) == STATUS_OK);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum secret_kind kind;
        ENSURE(secret_kind_parse(view_text(rows[i].word), &kind) == STATUS_OK);
        ENSURE(secret_put(secrets, rows[i].word, kind, view_of(key_bytes, rows[i].key_len)) ==
               STATUS_OK);
        struct secret_key *key = secret_find(secrets, rows[i].word);
        double start = now_us();
        for (int n = 0; n < ROUNDS; n++)
            ENSURE(secret_mac(key, view_of(message, sizeof message), out, &len) == STATUS_OK);
        printf("%-16s 200 bytes  %.2f us\n", rows[i].word, (now_us() - start) / ROUNDS);
    }
    ENSURE(secret_put(secrets, "seal", SECRET_SEAL, view_of(key_bytes, 32)) == STATUS_OK);
    struct secret_key *key = secret_find(secrets, "seal");
    double start = now_us();
    for (int n = 0; n < ROUNDS; n++) {
        struct writer w = writer_over(sealed, sizeof sealed);
        ENSURE(secret_seal(key, VIEW("context"), view_of(message, 40), &w) == STATUS_OK);
    }
    printf("%-16s  40 bytes  %.2f us\n", "seal", (now_us() - start) / ROUNDS);
    secrets_close(secrets);
    loop_close(loop);
    return 0;
}
