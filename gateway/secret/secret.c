/* secret.c - the table of named keys, the files they come from, and the host key.
 *
 * A table holds a few keys that are looked up when channels are configured, not per payment, so it
 * is a plain list. What is done with a key is in key.c, mac.c and seal.c.
 *
 * The host key file is made once: 32 random bytes are written to a new file beside it, flushed, and
 * linked to the name. link(2) and not rename(2): when two processes start at once, the second finds
 * the name taken and reads the first one's key, instead of replacing it under a running gateway.
 */
#include "secret/secret.h"

#include "base/ensure.h"
#include "base/vault.h"
#include "secret_int.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOST_KEY_LEN 32
#define KEY_FILE_MAX                                                                               \
    16384 /* bytes of a key's file: hexadecimal text with white space, PEM, token */

struct secrets {
    uint32_t magic;
    struct loop *loop;
    struct secret_key *first;
    size_t count;
};

enum status secrets_open(struct secrets **out, struct loop *loop)
{
    ENSURE(out != NULL && loop != NULL);
    struct secrets *secrets = vault_alloc(sizeof *secrets);
    *out = secrets;
    if (secrets == NULL)
        return STATUS_NO_MEMORY;
    secrets->magic = SECRETS_MAGIC;
    secrets->loop = loop;
    return STATUS_OK;
}

void secrets_close(struct secrets *secrets)
{
    if (secrets == NULL)
        return;
    ENSURE_MAGIC(secrets, SECRETS_MAGIC);
    while (secrets->first != NULL) {
        struct secret_key *key = secrets->first;
        secrets->first = key->next;
        secret_key_close(key);
    }
    vault_free(secrets);
}

struct secret_key *secret_find(struct secrets *secrets, const char *name)
{
    ENSURE_MAGIC(secrets, SECRETS_MAGIC);
    for (struct secret_key *key = secrets->first; key != NULL; key = key->next)
        if (strcmp(key->name, name) == 0)
            return key;
    return NULL;
}

enum status secret_put(struct secrets *secrets, const char *name, enum secret_kind kind,
                       struct view bytes)
{
    ENSURE_MAGIC(secrets, SECRETS_MAGIC);
    if (name[0] == '\0' || strlen(name) > SECRET_NAME_MAX)
        return STATUS_RANGE;
    if (secret_find(secrets, name) != NULL)
        return STATUS_EXISTS;
    if (secrets->count >= SECRET_KEYS_MAX)
        return STATUS_FULL;
    struct secret_key *key = NULL;
    TRY(secret_key_open(secrets->loop, kind, bytes, &key));
    TRY(view_to_text(view_text(name), key->name, sizeof key->name));
    key->next = secrets->first;
    secrets->first = key;
    secrets->count++;
    return STATUS_OK;
}

/* --- files ----------------------------------------------------------------------------------- */

/* What others than its owner must not be allowed to do with a file. */
enum guarded { GUARD_SECRET = S_IRWXG | S_IRWXO, GUARD_PUBLIC = S_IWGRP | S_IWOTH };

/* Opens a file that nobody but its owner (root or we) may read or write; a public one may be read.
 * NOT_FOUND is left to the caller to explain. */
static enum status open_private(const char *path, enum guarded guarded, int *fd, struct writer *why)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0 && errno == ENOENT)
        return STATUS_NOT_FOUND;
    struct stat info;
    if (*fd < 0 || fstat(*fd, &info) != 0) {
        writer_format(why, "%s: cannot be opened: %s", path, strerror(errno));
        return errno == EACCES ? STATUS_DENIED : STATUS_IO;
    }
    if (!S_ISREG(info.st_mode)) {
        writer_format(why, "%s: is not a regular file", path);
        return STATUS_DENIED;
    }
    if (info.st_uid != 0 && info.st_uid != geteuid()) {
        writer_format(why, "%s: belongs to user %u; a key file belongs to root or to user %u", path,
                      (unsigned)info.st_uid, (unsigned)geteuid());
        return STATUS_DENIED;
    }
    if ((info.st_mode & (mode_t)guarded) != 0) {
        writer_format(why, "%s: others than its owner may use it (mode %04o); chmod 600 it", path,
                      (unsigned)(info.st_mode & 07777));
        return STATUS_DENIED;
    }
    return STATUS_OK;
}

/* Reads to the end; RANGE when there is more than `room`. */
static enum status read_all(int fd, uint8_t *out, size_t room, size_t *len)
{
    *len = 0;
    for (;;) {
        uint8_t beyond;
        ssize_t got = *len < room ? read(fd, out + *len, room - *len) : read(fd, &beyond, 1);
        if (got < 0)
            return STATUS_IO;
        if (got == 0)
            return STATUS_OK;
        if (*len == room)
            return STATUS_RANGE;
        *len += (size_t)got;
    }
}

static enum status read_private(const char *path, enum guarded guarded, uint8_t *out, size_t room,
                                size_t *len, struct writer *why)
{
    int fd = -1;
    enum status status = open_private(path, guarded, &fd, why);
    if (status == STATUS_OK) {
        status = read_all(fd, out, room, len);
        if (status != STATUS_OK)
            writer_format(why, "%s: %s", path,
                          status == STATUS_RANGE ? "is too long for a key" : "cannot be read");
    }
    if (fd >= 0)
        close(fd);
    return status;
}

/* White space out, in place. */
static size_t squeeze(uint8_t *text, size_t len)
{
    size_t kept = 0;
    for (size_t i = 0; i < len; i++)
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r' && text[i] != '\n')
            text[kept++] = text[i];
    return kept;
}

/* What went wrong with a key from `place`, a path or "". */
static void explain(enum status status, const char *place, const char *name, size_t len,
                    struct writer *why)
{
    if (status == STATUS_OK)
        return;
    if (place[0] != '\0')
        writer_format(why, "%s: ", place);
    if (status == STATUS_RANGE)
        writer_format(why, "%u bytes are no length for a key of this kind", (unsigned)len);
    else if (status == STATUS_MALFORMED)
        writer_text(why, "these bytes are no key of this kind");
    else
        writer_format(why, "key %s: %s", name, status_text(status));
}

/* `text` is overwritten. */
static enum status put_hex(struct secrets *secrets, const char *name, enum secret_kind kind,
                           const char *place, uint8_t *text, size_t text_len, struct writer *why)
{
    size_t len = 0;
    size_t kept = squeeze(text, text_len);
    enum status status = hex_decode(view_of(text, kept), text, kept, &len); /* a byte for two */
    if (status != STATUS_OK) {
        writer_format(why, "%s%sis not hexadecimal, two letters a byte", place,
                      place[0] != '\0' ? ": " : "");
        return status;
    }
    status = secret_put(secrets, name, kind, view_of(text, len));
    explain(status, place, name, len, why);
    return status;
}

static enum status put_token(struct secrets *secrets, const char *name, const char *path,
                             struct view text, struct writer *why)
{
    while (text.len > 0 && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r'))
        text.len--;
    text = view_trim(text);
    enum status status = secret_put(secrets, name, SECRET_TOKEN, text);
    explain(status, path, name, text.len, why);
    return status;
}

static enum status put_pem(struct secrets *secrets, const char *name, enum secret_kind kind,
                           const char *path, struct view text, struct writer *why)
{
    uint8_t raw[65];
    size_t len = 0;
    enum status status = secret_pem_read(text, kind, raw, &len);
    if (status == STATUS_OK) {
        status = secret_put(secrets, name, kind, view_of(raw, len));
        explain(status, path, name, len, why);
    } else {
        writer_format(why, "%s: its PEM %s", path,
                      status == STATUS_MISMATCH ? "is of another algorithm"
                                                : "holds no key that can be used here (private for "
                                                  "sign_, public for verify_, without passphrase)");
    }
    vault_wipe(raw, sizeof raw);
    return status;
}

static bool has_pem(struct view text)
{
    static const char begin[] = "-----BEGIN ";
    for (size_t i = 0; i + sizeof begin <= text.len; i++)
        if (memcmp(text.ptr + i, begin, sizeof begin - 1) == 0)
            return true;
    return false;
}

enum file_form { FORM_BY_KIND = 1, FORM_HEX };

static enum status put_file(struct secrets *secrets, const char *name, enum secret_kind kind,
                            const char *path, enum file_form form, struct writer *why)
{
    uint8_t *text = vault_alloc(KEY_FILE_MAX);
    if (text == NULL)
        return STATUS_NO_MEMORY;
    size_t len = 0;
    bool public = kind == SECRET_VERIFY_ED25519 || kind == SECRET_VERIFY_ES256;
    enum status status =
        read_private(path, public ? GUARD_PUBLIC : GUARD_SECRET, text, KEY_FILE_MAX, &len, why);
    if (status == STATUS_NOT_FOUND)
        writer_format(why, "%s: no such file", path);
    if (status == STATUS_OK && form == FORM_BY_KIND && kind == SECRET_TOKEN)
        status = put_token(secrets, name, path, view_of(text, len), why);
    else if (status == STATUS_OK && form == FORM_BY_KIND && secret_is_pair(kind) &&
             has_pem(view_of(text, len)))
        status = put_pem(secrets, name, kind, path, view_of(text, len), why);
    else if (status == STATUS_OK)
        status = put_hex(secrets, name, kind, path, text, len, why);
    vault_free(text);
    return status;
}

enum status secret_put_file(struct secrets *secrets, const char *name, enum secret_kind kind,
                            const char *path, struct writer *why)
{
    return put_file(secrets, name, kind, path, FORM_BY_KIND, why);
}

enum status secret_put_hex_file(struct secrets *secrets, const char *name, enum secret_kind kind,
                                const char *path, struct writer *why)
{
    return put_file(secrets, name, kind, path, FORM_HEX, why);
}

enum status secret_put_hex(struct secrets *secrets, const char *name, enum secret_kind kind,
                           struct view text, struct writer *why)
{
    ENSURE_MAGIC(secrets, SECRETS_MAGIC);
    if (text.len > KEY_FILE_MAX)
        return STATUS_RANGE;
    uint8_t *copy = vault_alloc(text.len);
    if (copy == NULL)
        return STATUS_NO_MEMORY;
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    enum status status = put_hex(secrets, name, kind, "", copy, text.len, why);
    vault_free(copy);
    return status;
}

/* --- the host key ---------------------------------------------------------------------------- */

enum status secret_set_host_key(struct secrets *secrets, struct view bytes32)
{
    /* Labels are for ever: another label is another key, and what was sealed or hashed is lost. */
    static const struct {
        const char *name, *label;
        enum secret_kind kind;
    } rows[] = {
        { "host.api_keys", "railgate v1 host.api_keys", SECRET_HMAC_SHA256 },
        { "host.idempotency", "railgate v1 host.idempotency", SECRET_HMAC_SHA256 },
        { "host.seal", "railgate v1 host.seal", SECRET_SEAL },
    };
    if (bytes32.len != HOST_KEY_LEN)
        return STATUS_RANGE;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint8_t derived[32];
        enum status status =
            secret_hkdf(bytes32, VIEW_EMPTY, view_text(rows[i].label), derived, sizeof derived);
        if (status == STATUS_OK)
            status =
                secret_put(secrets, rows[i].name, rows[i].kind, view_of(derived, sizeof derived));
        vault_wipe(derived, sizeof derived);
        TRY(status);
    }
    return STATUS_OK;
}

/* The folder's entry must be on the disk as well, or a power failure could lose the name. */
static void flush_folder(const char *path)
{
    char folder[PATH_MAX];
    if (view_to_text(view_text(path), folder, sizeof folder) != STATUS_OK)
        return;
    char *slash = strrchr(folder, '/');
    if (slash != NULL)
        slash[slash == folder ? 1 : 0] = '\0';
    int fd = open(slash != NULL ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

static enum status write_new(const char *path, struct view bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return STATUS_IO;
    bool done = write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len && fsync(fd) == 0;
    close(fd);
    if (!done)
        unlink(path);
    return done ? STATUS_OK : STATUS_IO;
}

/* EXISTS when somebody else was quicker. */
static enum status make_host_key(struct secrets *secrets, const char *path, struct writer *why)
{
    uint8_t bytes[HOST_KEY_LEN];
    char temporary[PATH_MAX];
    struct writer name = writer_over(temporary, sizeof temporary);
    writer_format(&name, "%s.%016llx", path, (unsigned long long)loop_random_u64(secrets->loop));
    TRY(writer_terminate(&name));
    loop_random(secrets->loop, bytes, sizeof bytes);
    enum status status = write_new(temporary, view_of(bytes, sizeof bytes));
    vault_wipe(bytes, sizeof bytes);
    if (status != STATUS_OK) {
        writer_format(why, "%s: cannot be created: %s", path, strerror(errno));
        return status;
    }
    if (link(temporary, path) != 0) {
        status = errno == EEXIST ? STATUS_EXISTS : STATUS_IO;
        if (status == STATUS_IO)
            writer_format(why, "%s: cannot be created: %s", path, strerror(errno));
    }
    unlink(temporary);
    flush_folder(path);
    return status;
}

static enum status read_host_key(struct secrets *secrets, const char *path, struct writer *why)
{
    uint8_t bytes[HOST_KEY_LEN];
    size_t len = 0;
    TRY(read_private(path, GUARD_SECRET, bytes, sizeof bytes, &len, why));
    if (len != sizeof bytes) {
        vault_wipe(bytes, sizeof bytes);
        writer_format(why, "%s: has %u bytes; a host key has %u", path, (unsigned)len,
                      (unsigned)sizeof bytes);
        return STATUS_RANGE;
    }
    enum status status = secret_set_host_key(secrets, view_of(bytes, sizeof bytes));
    vault_wipe(bytes, sizeof bytes);
    if (status != STATUS_OK)
        writer_format(why, "%s: host key: %s", path, status_text(status));
    return status;
}

enum status secret_open_host_key(struct secrets *secrets, const char *path, struct writer *why)
{
    ENSURE_MAGIC(secrets, SECRETS_MAGIC);
    enum status status = read_host_key(secrets, path, why);
    if (status != STATUS_NOT_FOUND)
        return status;
    status = make_host_key(secrets, path, why);
    if (status != STATUS_OK && status != STATUS_EXISTS)
        return status;
    return read_host_key(secrets, path, why);
}
