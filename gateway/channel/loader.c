/* loader.c - from a file name to an adapter that may be called. Interface: loader.h.
 *
 * Two halves that know nothing of each other:
 *
 *   the file    open_file, check_pin, open_object: who may have written these bytes, are they the
 *               pinned ones, and does the dynamic linker take them. One descriptor is opened,
 *               looked at, hashed and then loaded through /proc/self/fd/N, so there is no moment in
 *               which somebody could exchange the file between the check and the load. The
 *               descriptor stays open as long as the object: glibc knows objects by the name they
 *               were loaded under, and a number used a second time would give us the first object
 *               again.
 *
 *   the struct  take_struct: magic, major, minor and size before anything else is read, because
 *               only they tell what the rest means; then the struct is copied by size into a zeroed
 *               one, and only the copy is looked at. check_identity, take_settings, take_abilities,
 *               check_limits, check_functions follow; each names what is wrong in one sentence.
 *
 * A struct of version 1 must reach at least to `resume` (what follows was added, or could have
 * been, after the first adapters), a setting row to `max`, an ability row to `amount_minor_max`.
 *
 * What cannot be checked here: whether strings and tables end where they say. An adapter runs in
 * our address space; these checks stop mistakes and old files, not malice.
 */
#include "channel/loader.h"

#include "base/ensure.h"
#include "domain/words.h"
#include "secret/digest.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ADAPTER_SIZE_MIN offsetof(struct rg_adapter, frame)
#define SETTING_SIZE_MIN offsetof(struct rg_setting, unit)
#define ABILITY_SIZE_MIN offsetof(struct rg_ability, currencies)
#define SIZE_MAX_SANE    65536u /* a later minor version may be larger, but not this large */

#define HOST_ABI ((RG_ABI_MAJOR << 16) | RG_ABI_MINOR)

#define ABLE_ALL                                                                                   \
    (RG_ABLE_REPEAT | RG_ABLE_INQUIRE | RG_ABLE_REVERSE | RG_ABLE_PARTIAL |                        \
     RG_ABLE_PARTIAL_APPROVAL)

/* Writes "FILE: reason" and gives the status back, so that a check is one line. */
#define REFUSE(status, ...)                                                                        \
    do {                                                                                           \
        writer_text(why, adapter->path);                                                           \
        writer_text(why, ": ");                                                                    \
        writer_format(why, __VA_ARGS__);                                                           \
        return (status);                                                                           \
    } while (0)

/* --- strings --------------------------------------------------------------------------------- */

/* 1..max bytes of printable ASCII, or UTF-8 without control characters. */
static bool text_fits(const char *text, size_t max)
{
    if (text == NULL)
        return false;
    size_t len = strnlen(text, max + 1);
    if (len < 1 || len > max || !view_is_utf8(view_of(text, len)))
        return false;
    for (size_t i = 0; i < len; i++)
        if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return true;
}

static bool is_name(const char *text)
{
    if (!text_fits(text, 32))
        return false;
    return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(text);
}

/* --- the file -------------------------------------------------------------------------------- */

static enum status check_folder(struct loaded_adapter *adapter, struct writer *why)
{
    char folder[sizeof adapter->path];
    memcpy(folder, adapter->path, sizeof folder);
    char *slash = strrchr(folder, '/');
    ENSURE(slash != NULL); /* the path is absolute */
    slash[slash == folder ? 1 : 0] = '\0';
    struct stat info;
    if (stat(folder, &info) != 0)
        REFUSE(STATUS_IO, "its folder cannot be looked at: %s", strerror(errno));
    if ((info.st_mode & S_IWOTH) != 0 && (info.st_mode & S_ISVTX) == 0)
        REFUSE(STATUS_DENIED, "its folder may be written by everybody (mode %04o)",
               (unsigned)(info.st_mode & 07777));
    return STATUS_OK;
}

static enum status open_file(struct loaded_adapter *adapter, struct writer *why)
{
    TRY(check_folder(adapter, why));
    /* O_NONBLOCK: a pipe of that name must not stop us. */
    adapter->fd = open(adapter->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (adapter->fd < 0 && errno == ENOENT)
        REFUSE(STATUS_NOT_FOUND, "no such file");
    if (adapter->fd < 0 && errno == ELOOP)
        REFUSE(STATUS_DENIED, "is a symbolic link; name the file itself");
    if (adapter->fd < 0)
        REFUSE(errno == EACCES ? STATUS_DENIED : STATUS_IO, "cannot be opened: %s",
               strerror(errno));
    struct stat info;
    if (fstat(adapter->fd, &info) != 0)
        REFUSE(STATUS_IO, "cannot be looked at: %s", strerror(errno));
    if (!S_ISREG(info.st_mode))
        REFUSE(STATUS_DENIED, "is not a regular file");
    if (info.st_uid != 0 && info.st_uid != geteuid())
        REFUSE(STATUS_DENIED, "belongs to user %u; it must belong to root or to user %u",
               (unsigned)info.st_uid, (unsigned)geteuid());
    if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        REFUSE(STATUS_DENIED, "may be written by others than its owner (mode %04o); chmod go-w it",
               (unsigned)(info.st_mode & 07777));
    if (info.st_size < 1 || info.st_size > (off_t)ADAPTER_FILE_SIZE_MAX)
        REFUSE(STATUS_RANGE, "has %lld bytes; an adapter has 1 to %u", (long long)info.st_size,
               ADAPTER_FILE_SIZE_MAX);
    return STATUS_OK;
}

static enum status check_pin(struct loaded_adapter *adapter, const char *sha256_hex,
                             struct writer *why)
{
    if (secret_sha256_fd(adapter->fd, ADAPTER_FILE_SIZE_MAX, adapter->sha256) != STATUS_OK)
        REFUSE(STATUS_IO, "cannot be read to its end");
    if (sha256_hex == NULL)
        return STATUS_OK;
    uint8_t pin[sizeof adapter->sha256];
    size_t pin_len = 0;
    if (hex_decode(view_text(sha256_hex), pin, sizeof pin, &pin_len) != STATUS_OK ||
        pin_len != sizeof pin)
        REFUSE(STATUS_MALFORMED, "its pin is not a SHA-256 digest of 64 hex letters");
    if (memcmp(pin, adapter->sha256, sizeof pin) != 0) {
        char found[2 * sizeof pin + 1];
        struct writer hex = writer_over(found, sizeof found);
        writer_hex_lower(&hex, view_of(adapter->sha256, sizeof adapter->sha256));
        if (writer_terminate(&hex) != STATUS_OK)
            found[0] = '\0';
        REFUSE(STATUS_MISMATCH, "has SHA-256 %s, not the pinned one", found);
    }
    return STATUS_OK;
}

/* What dlerror says begins with the /proc name we loaded; people know the file by its path. */
static const char *dl_reason(const char *name)
{
    const char *text = dlerror();
    if (text == NULL)
        return "no reason given";
    size_t len = strlen(name);
    return strncmp(text, name, len) == 0 && strncmp(text + len, ": ", 2) == 0 ? text + len + 2
                                                                              : text;
}

typedef const struct rg_adapter *entry_fn(uint32_t host_abi);

static enum status open_object(struct loaded_adapter *adapter, entry_fn **entry, struct writer *why)
{
    char name[64];
    struct writer w = writer_over(name, sizeof name);
    writer_format(&w, "/proc/self/fd/%d", adapter->fd);
    TRY(writer_terminate(&w));
    adapter->object = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (adapter->object == NULL)
        REFUSE(STATUS_MALFORMED, "cannot be loaded: %s", dl_reason(name));
    void *symbol = dlsym(adapter->object, RG_ADAPTER_ENTRY);
    if (symbol == NULL)
        REFUSE(STATUS_MALFORMED, "does not export %s, so it is no adapter", RG_ADAPTER_ENTRY);
    memcpy(entry, &symbol, sizeof symbol); /* ISO C has no cast from object to function pointer */
    return STATUS_OK;
}

/* --- the struct ------------------------------------------------------------------------------ */

/* Nothing behind `size` may be read before this is through. */
static enum status take_struct(struct loaded_adapter *adapter, const struct rg_adapter *theirs,
                               struct writer *why)
{
    if (theirs == NULL)
        REFUSE(STATUS_UNSUPPORTED, "says that it cannot serve host ABI %u.%u", RG_ABI_MAJOR,
               RG_ABI_MINOR);
    if (theirs->magic != RG_ABI_MAGIC)
        REFUSE(STATUS_MISMATCH, "its struct begins with %08x instead of the magic number %08x",
               (unsigned)theirs->magic, RG_ABI_MAGIC);
    if (theirs->abi_major != RG_ABI_MAJOR)
        REFUSE(STATUS_MISMATCH, "was made for ABI %u.%u, this host has %u.%u",
               (unsigned)theirs->abi_major, (unsigned)theirs->abi_minor, RG_ABI_MAJOR,
               RG_ABI_MINOR);
    if (theirs->size < ADAPTER_SIZE_MIN || theirs->size > SIZE_MAX_SANE || theirs->size % 8 != 0)
        REFUSE(STATUS_RANGE, "its struct says it has %llu bytes; version 1 has %u to %u",
               (unsigned long long)theirs->size, (unsigned)ADAPTER_SIZE_MIN, SIZE_MAX_SANE);
    /* 1.0 is the smallest minor there is. A host that needs what a later minor brought compares
     * abi_minor here; a larger minor than ours is welcome, the rest of it is simply not seen. */
    size_t len = theirs->size < sizeof adapter->api ? theirs->size : sizeof adapter->api;
    adapter->api = (struct rg_adapter){ 0 };
    memcpy(&adapter->api, theirs, len);
    return STATUS_OK;
}

static enum status check_identity(struct loaded_adapter *adapter, struct writer *why)
{
    const struct rg_adapter *api = &adapter->api;
    enum rail rail;
    if (!is_name(api->id))
        REFUSE(STATUS_MALFORMED, "its id is not 1 to 32 of a-z, 0-9 and _");
    if (!text_fits(api->version, 32))
        REFUSE(STATUS_MALFORMED, "its version is not 1 to 32 characters");
    if (!text_fits(api->licence, 64))
        REFUSE(STATUS_MALFORMED, "its licence is not 1 to 64 characters");
    if (!text_fits(api->origin, 128))
        REFUSE(STATUS_MALFORMED, "its origin is not 1 to 128 characters");
    if (!text_fits(api->rail, 32) || rail_parse(view_text(api->rail), &rail) != STATUS_OK)
        REFUSE(STATUS_MALFORMED, "its rail is none of card, qr, bank, cbdc");
    if (api->transport < RG_TRANSPORT_HTTP || api->transport > RG_TRANSPORT_LOCAL)
        REFUSE(STATUS_RANGE, "its transport %u is not known", (unsigned)api->transport);
    return STATUS_OK;
}

/* Number of the choice called `word` in "a|b|c", from 0; -1 when there is none. */
static int choice_index(const char *choices, const char *word)
{
    size_t len = strlen(word);
    for (int index = 0;; index++) {
        size_t part = strcspn(choices, "|");
        if (part == len && memcmp(choices, word, len) == 0)
            return index;
        if (choices[part] == '\0')
            return -1;
        choices += part + 1;
    }
}

/* Every part 1..32 bytes, no part twice. */
static bool choices_valid(const char *choices)
{
    if (!text_fits(choices, 1024))
        return false;
    int index = 0;
    for (const char *at = choices;; index++) {
        size_t part = strcspn(at, "|");
        char word[33];
        if (part < 1 || part > 32)
            return false;
        memcpy(word, at, part);
        word[part] = '\0';
        if (choice_index(choices, word) != index)
            return false;
        if (at[part] == '\0')
            return true;
        at += part + 1;
    }
}

static bool fallback_valid(const struct rg_setting *row)
{
    if (row->fallback == NULL)
        return true;
    int64_t number = 0;
    size_t len = strnlen(row->fallback, 1025);
    switch (row->type) {
    case RG_SETTING_NUMBER:
        return view_to_i64(view_text(row->fallback), &number) == STATUS_OK && number >= row->min &&
               number <= row->max;
    case RG_SETTING_TEXT:
        return len <= 1024 && (int64_t)len >= row->min && (int64_t)len <= row->max;
    case RG_SETTING_CHOICE: return choice_index(row->choices, row->fallback) >= 0;
    case RG_SETTING_FLAG:
        return strcmp(row->fallback, "yes") == 0 || strcmp(row->fallback, "no") == 0;
    case RG_SETTING_FILE: return false;    /* an operator's file has no name that we could know */
    default: return len >= 1 && len <= 64; /* a key's name */
    }
}

static enum status check_setting(struct loaded_adapter *adapter, uint64_t index, struct writer *why)
{
    struct rg_setting *row = &adapter->settings[index];
    if (!is_name(row->name))
        REFUSE(STATUS_MALFORMED, "the name of setting row %u is not 1 to 32 of a-z, 0-9 and _",
               (unsigned)index);
    for (uint64_t i = 0; i < index; i++)
        if (strcmp(adapter->settings[i].name, row->name) == 0)
            REFUSE(STATUS_MALFORMED, "has two settings called %s", row->name);
    if (row->type < RG_SETTING_TEXT || row->type > RG_SETTING_FILE)
        REFUSE(STATUS_RANGE, "setting %s has the unknown type %u", row->name, (unsigned)row->type);
    if (row->type == RG_SETTING_CHOICE && !choices_valid(row->choices))
        REFUSE(STATUS_MALFORMED, "setting %s has no proper list of choices", row->name);
    if (row->type <= RG_SETTING_NUMBER && row->min > row->max)
        REFUSE(STATUS_RANGE, "setting %s has a smallest value over its largest", row->name);
    if (row->type == RG_SETTING_TEXT && (row->min < 0 || row->max < 1 || row->max > 65536))
        REFUSE(STATUS_RANGE, "setting %s: a text has 0 to 65536 bytes", row->name);
    if (row->type == RG_SETTING_FILE &&
        (row->min < 0 || row->max < 1 || row->max > ADAPTER_SETTING_FILE_MAX ||
         row->min > row->max))
        REFUSE(STATUS_RANGE, "setting %s: a file has 0 to %u bytes", row->name,
               ADAPTER_SETTING_FILE_MAX);
    if (!fallback_valid(row))
        REFUSE(STATUS_MALFORMED, "the default of setting %s does not fit its own type and range",
               row->name);
    if (row->unit != NULL && !text_fits(row->unit, 16))
        REFUSE(STATUS_MALFORMED, "the unit of setting %s is not 1 to 16 characters", row->name);
    if (row->sentence == NULL && row->size < sizeof *row)
        row->sentence = ""; /* from before there were sentences */
    else if (!text_fits(row->sentence, 400))
        REFUSE(STATUS_MALFORMED, "the sentence of setting %s is not 1 to 400 characters",
               row->name);
    row->size = sizeof *row;
    return STATUS_OK;
}

/* Rows of another minor version are shorter or longer than ours: their own size is the step. */
static enum status copy_row(struct loaded_adapter *adapter, const char *table, const void *rows,
                            uint64_t index, size_t size_min, void *out, size_t room,
                            struct writer *why)
{
    uint64_t step, size;
    memcpy(&step, rows, sizeof step);
    if (step < size_min || step > SIZE_MAX_SANE || step % 8 != 0)
        REFUSE(STATUS_RANGE, "its %s rows say they have %llu bytes; version 1 has %u to %u", table,
               (unsigned long long)step, (unsigned)size_min, SIZE_MAX_SANE);
    const uint8_t *row = (const uint8_t *)rows + index * step;
    memcpy(&size, row, sizeof size);
    if (size != step)
        REFUSE(STATUS_RANGE, "%s row %u says it has %llu bytes, the first one %llu", table,
               (unsigned)index, (unsigned long long)size, (unsigned long long)step);
    memcpy(out, row, step < room ? step : room);
    return STATUS_OK;
}

static enum status take_settings(struct loaded_adapter *adapter, struct writer *why)
{
    struct rg_adapter *api = &adapter->api;
    if (api->settings_count > COUNT_OF(adapter->settings))
        REFUSE(STATUS_RANGE, "has %llu settings; at most %u are allowed",
               (unsigned long long)api->settings_count, (unsigned)COUNT_OF(adapter->settings));
    if (api->settings_count > 0 && api->settings == NULL)
        REFUSE(STATUS_MALFORMED, "counts settings but has no table of them");
    for (uint64_t i = 0; i < api->settings_count; i++) {
        TRY(copy_row(adapter, "setting", api->settings, i, SETTING_SIZE_MIN, &adapter->settings[i],
                     sizeof adapter->settings[i], why));
        TRY(check_setting(adapter, i, why));
    }
    api->settings = adapter->settings;
    return STATUS_OK;
}

static bool currencies_valid(const char *list)
{
    if (!text_fits(list, 1024))
        return false;
    for (const char *at = list;; at += 4) {
        if (strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3)
            return false;
        if (at[3] == '\0')
            return true;
        if (at[3] != ' ')
            return false;
    }
}

static enum status check_ability(struct loaded_adapter *adapter, uint64_t index, struct writer *why)
{
    struct rg_ability *row = &adapter->abilities[index];
    bool newer = adapter->api.abi_minor > RG_ABI_MINOR; /* may know operations that we do not */
    if (row->operation < RG_OP_AUTHORISE || (row->operation > RG_OP_TOKEN && !newer))
        REFUSE(STATUS_RANGE, "ability row %u has the unknown operation %u", (unsigned)index,
               (unsigned)row->operation);
    for (uint64_t i = 0; i < index; i++)
        if (adapter->abilities[i].operation == row->operation)
            REFUSE(STATUS_MALFORMED, "has two ability rows for operation %u",
                   (unsigned)row->operation);
    if ((row->flags & ~(uint32_t)ABLE_ALL) != 0 && !newer)
        REFUSE(STATUS_RANGE, "ability row %u has unknown flags %08x", (unsigned)index,
               (unsigned)row->flags);
    row->flags &= ABLE_ALL;
    if (row->operation <= RG_OP_REFUND && row->amount_minor_max < 1)
        REFUSE(STATUS_RANGE, "ability row %u has no largest amount", (unsigned)index);
    if (adapter->api.transport != RG_TRANSPORT_LOCAL && row->deadline_ms < 1)
        REFUSE(STATUS_RANGE, "ability row %u does not say how long to wait for an answer",
               (unsigned)index);
    if (row->currencies != NULL && !currencies_valid(row->currencies))
        REFUSE(STATUS_MALFORMED, "the currencies of ability row %u are not like \"EUR USD\"",
               (unsigned)index);
    row->size = sizeof *row;
    return STATUS_OK;
}

/* An adapter that says "can be reversed" must be able to say the reversal; the same for inquiries.
 */
static enum status check_promises(struct loaded_adapter *adapter, struct writer *why)
{
    for (uint64_t i = 0; i < adapter->api.abilities_count; i++) {
        const struct rg_ability *row = &adapter->abilities[i];
        if ((row->flags & RG_ABLE_REVERSE) != 0 &&
            adapter_ability_of(adapter, RG_OP_REVERSE) == NULL)
            REFUSE(STATUS_MALFORMED,
                   "operation %u can be reversed, but there is no row for reverse",
                   (unsigned)row->operation);
        if ((row->flags & RG_ABLE_INQUIRE) != 0 &&
            adapter_ability_of(adapter, RG_OP_INQUIRE) == NULL)
            REFUSE(STATUS_MALFORMED,
                   "operation %u can be inquired, but there is no row for inquire",
                   (unsigned)row->operation);
    }
    return STATUS_OK;
}

static enum status take_abilities(struct loaded_adapter *adapter, struct writer *why)
{
    struct rg_adapter *api = &adapter->api;
    if (api->abilities_count < 1 || api->abilities_count > COUNT_OF(adapter->abilities))
        REFUSE(STATUS_RANGE, "has %llu abilities; 1 to %u are allowed",
               (unsigned long long)api->abilities_count, (unsigned)COUNT_OF(adapter->abilities));
    if (api->abilities == NULL)
        REFUSE(STATUS_MALFORMED, "counts abilities but has no table of them");
    for (uint64_t i = 0; i < api->abilities_count; i++) {
        TRY(copy_row(adapter, "ability", api->abilities, i, ABILITY_SIZE_MIN,
                     &adapter->abilities[i], sizeof adapter->abilities[i], why));
        TRY(check_ability(adapter, i, why));
    }
    api->abilities = adapter->abilities;
    return check_promises(adapter, why);
}

static enum status check_limits(struct loaded_adapter *adapter, struct writer *why)
{
    const struct rg_adapter *api = &adapter->api;
    const struct {
        const char *name;
        uint64_t value, min, max;
    } limits[] = {
        { "instance_size", api->instance_size, 0, 1u << 20 },
        { "notice_size", api->notice_size, 0, 4u << 20 },
        { "exchange_size", api->exchange_size, 0, 64u << 10 },
        { "request_max", api->request_max, api->transport != RG_TRANSPORT_LOCAL, 1u << 20 },
        { "answer_max", api->answer_max, api->transport != RG_TRANSPORT_LOCAL, 1u << 20 },
        { "steps_max", api->steps_max, 1, 64 },
    };
    for (size_t i = 0; i < COUNT_OF(limits); i++)
        if (limits[i].value < limits[i].min || limits[i].value > limits[i].max)
            REFUSE(STATUS_RANGE, "%s is %llu; it must be %llu to %llu", limits[i].name,
                   (unsigned long long)limits[i].value, (unsigned long long)limits[i].min,
                   (unsigned long long)limits[i].max);
    return STATUS_OK;
}

static enum status check_functions(struct loaded_adapter *adapter, struct writer *why)
{
    const struct rg_adapter *api = &adapter->api;
    if (api->configure == NULL)
        REFUSE(STATUS_MALFORMED, "has no configure function");
    if (api->begin == NULL)
        REFUSE(STATUS_MALFORMED, "has no begin function");
    if (api->resume == NULL && api->transport != RG_TRANSPORT_LOCAL)
        REFUSE(STATUS_MALFORMED, "has no resume function");
    if (api->frame == NULL && api->transport == RG_TRANSPORT_FRAMED)
        REFUSE(STATUS_MALFORMED, "has a framed transport but no frame function");
    if (api->frame != NULL && api->transport != RG_TRANSPORT_FRAMED)
        REFUSE(STATUS_MALFORMED, "has a frame function but no framed transport");
    return STATUS_OK;
}

static enum status check_struct(struct loaded_adapter *adapter, const struct rg_adapter *theirs,
                                struct writer *why)
{
    TRY(take_struct(adapter, theirs, why));
    TRY(check_identity(adapter, why));
    TRY(take_settings(adapter, why));
    TRY(take_abilities(adapter, why));
    TRY(check_limits(adapter, why));
    return check_functions(adapter, why);
}

/* --- interface ------------------------------------------------------------------------------- */

static struct loaded_adapter *new_adapter(const char *path)
{
    struct loaded_adapter *adapter = calloc(1, sizeof *adapter);
    if (adapter == NULL)
        return NULL;
    adapter->fd = -1;
    size_t len = strnlen(path, sizeof adapter->path - 1);
    memcpy(adapter->path, path, len);
    return adapter;
}

static enum status load_file(struct loaded_adapter *adapter, const char *sha256_hex,
                             struct writer *why)
{
    entry_fn *entry = NULL;
    TRY(open_file(adapter, why));
    TRY(check_pin(adapter, sha256_hex, why));
    TRY(open_object(adapter, &entry, why));
    return check_struct(adapter, entry(HOST_ABI), why);
}

enum status adapter_load(const char *absolute_path, const char *sha256_hex,
                         struct loaded_adapter **out, struct writer *why)
{
    ENSURE(absolute_path != NULL && out != NULL && why != NULL);
    *out = NULL;
    struct loaded_adapter *adapter = new_adapter(absolute_path);
    if (adapter == NULL) {
        writer_format(why, "%s: out of memory", absolute_path);
        return STATUS_NO_MEMORY;
    }
    enum status status = STATUS_RANGE;
    if (absolute_path[0] != '/')
        writer_format(why, "%s: an adapter is named by an absolute path", absolute_path);
    else if (strlen(absolute_path) >= sizeof adapter->path)
        writer_format(why, "%s...: the path is longer than %u bytes", adapter->path,
                      (unsigned)sizeof adapter->path - 1);
    else
        status = load_file(adapter, sha256_hex, why);
    if (status != STATUS_OK) {
        adapter_unload(&adapter);
        return status;
    }
    *out = adapter;
    return STATUS_OK;
}

enum status adapter_load_static(const struct rg_adapter *(*entry)(uint32_t host_abi),
                                struct loaded_adapter **out, struct writer *why)
{
    ENSURE(entry != NULL && out != NULL && why != NULL);
    *out = NULL;
    struct loaded_adapter *adapter = new_adapter("static");
    if (adapter == NULL) {
        writer_text(why, "static: out of memory");
        return STATUS_NO_MEMORY;
    }
    enum status status = check_struct(adapter, entry(HOST_ABI), why);
    if (status != STATUS_OK) {
        adapter_unload(&adapter);
        return status;
    }
    struct writer path = writer_over(adapter->path, sizeof adapter->path);
    writer_format(&path, "static:%s", adapter->api.id);
    ENSURE(writer_terminate(&path) == STATUS_OK);
    *out = adapter;
    return STATUS_OK;
}

void adapter_unload(struct loaded_adapter **adapter)
{
    struct loaded_adapter *old = *adapter;
    *adapter = NULL;
    if (old == NULL)
        return;
    if (old->object != NULL)
        dlclose(old->object);
    if (old->fd >= 0)
        close(old->fd); /* after dlclose: see the head of this file */
    free(old);
}

const struct rg_setting *adapter_setting(const struct loaded_adapter *adapter, uint64_t index)
{
    return index < adapter->api.settings_count ? &adapter->settings[index] : NULL;
}

const struct rg_ability *adapter_ability(const struct loaded_adapter *adapter, uint64_t index)
{
    return index < adapter->api.abilities_count ? &adapter->abilities[index] : NULL;
}

const struct rg_ability *adapter_ability_of(const struct loaded_adapter *adapter,
                                            uint32_t operation)
{
    for (uint64_t i = 0; i < adapter->api.abilities_count; i++)
        if (adapter->abilities[i].operation == operation)
            return &adapter->abilities[i];
    return NULL;
}
