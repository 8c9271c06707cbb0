/* signer.c - the keys of a transcript, in the secret room. Interface: signer.h. */
#include "kit/signer.h"

#include "loop/loop.h"
#include "secret/secret.h"

#include <stdlib.h>

struct signer {
    struct loop *loop; /* the secret room takes its randomness from one; signing needs none */
    struct secrets *secrets;
};

enum status signer_open(struct signer **out)
{
    struct signer *signer = calloc(1, sizeof *signer);
    *out = signer;
    if (signer == NULL)
        return STATUS_NO_MEMORY;
    signer->loop = loop_open_virtual(1, 0);
    return signer->loop != NULL ? secrets_open(&signer->secrets, signer->loop) : STATUS_NO_MEMORY;
}

void signer_close(struct signer *signer)
{
    if (signer == NULL)
        return;
    secrets_close(signer->secrets);
    if (signer->loop != NULL)
        loop_close(signer->loop);
    free(signer);
}

enum status signer_key(struct signer *signer, struct view name, struct view kind, struct view bytes)
{
    char text[SECRET_NAME_MAX + 1];
    enum secret_kind parsed;
    TRY(secret_kind_parse(kind, &parsed));
    TRY(view_to_text(name, text, sizeof text));
    return secret_put(signer->secrets, text, parsed, bytes);
}

static enum status find(struct signer *signer, struct view name, struct secret_key **key)
{
    char text[SECRET_NAME_MAX + 1];
    TRY(view_to_text(name, text, sizeof text));
    *key = secret_find(signer->secrets, text);
    return *key != NULL ? STATUS_OK : STATUS_NOT_FOUND;
}

enum status signer_sign(struct signer *signer, struct view name, struct view bytes,
                        struct writer *out)
{
    struct secret_key *key = NULL;
    uint8_t signature[SECRET_SIGNATURE_MAX];
    size_t len = 0;
    TRY(find(signer, name, &key));
    TRY(secret_sign(key, bytes, signature, &len));
    writer_bytes(out, signature, len);
    return writer_status(out);
}

enum status signer_verify(struct signer *signer, struct view name, struct view bytes,
                          struct view signature)
{
    struct secret_key *key = NULL;
    TRY(find(signer, name, &key));
    return secret_verify(key, bytes, signature);
}
