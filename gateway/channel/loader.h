/* loader.h - from a file name to an adapter that may be called.
 *
 * The one place that calls dlopen. A load either gives an adapter whose every table, string, limit
 * and function pointer was checked, or says in one sentence which file is wrong and why; it never
 * leaves half of something behind. Blocking (reads and hashes a file): call it at start or reload,
 * on any one thread, not on a loop that carries payments.
 *
 *     adapter_load / adapter_load_static
 *     use loaded->api, adapter_setting, adapter_ability      (constant, any thread)
 *     adapter_unload                                         (when no instance is in use any more)
 */
#ifndef CHANNEL_LOADER_H
#define CHANNEL_LOADER_H

#include "base/bytes.h"

#include <railgate/adapter.h>

#define ADAPTER_FILE_SIZE_MAX    (64u << 20)
#define ADAPTER_SETTING_FILE_MAX (256u << 10) /* what a file that a setting names may hold */

struct loaded_adapter {
    /* Copied by size into a zeroed one: what an older adapter does not have is NULL or 0, what a
     * newer one has beyond ours is not seen. api.settings and api.abilities point at tables of
     * ours, copied row by row in the same way, so indexing them is safe too. */
    struct rg_adapter api;
    void *object;       /* of dlopen; NULL for a static one */
    int fd;             /* the file whose bytes were checked and loaded; -1 for a static one */
    char path[1024];    /* as given; "static:ID" for a static one */
    uint8_t sha256[32]; /* of the file; zeros for a static one */
    struct rg_setting settings[64];
    struct rg_ability abilities[16];
};

/* Loads the object at `absolute_path`. It must be a regular file (no symbolic link) that belongs to
 * root or to us and that neither its group nor others may write, in a folder that others may not
 * write unless it is sticky. With `sha256_hex` (64 hex letters, or NULL for no pin) the bytes must
 * have that digest. The bytes that were checked are those that are loaded (one descriptor).
 * A new version must be a new file renamed over the old one, never written into it.
 *
 * `why`: on failure one sentence, "FILE: reason", no line break. Errors:
 * NOT_FOUND    no such file
 * DENIED       owner, mode or folder
 * MISMATCH     not the pinned digest, or the ABI (magic, major version) is not ours
 * UNSUPPORTED  the adapter says that it cannot serve this host
 * MALFORMED    not a shared object, entry missing, or something in its struct is wrong
 * RANGE        a size, a count or a limit of its struct is out of range; or the path is not
 *              absolute
 * IO, NO_MEMORY */
enum status adapter_load(const char *absolute_path, const char *sha256_hex,
                         struct loaded_adapter **out, struct writer *why);
/* The same checks for an adapter that is linked in: simulation and tests. */
enum status adapter_load_static(const struct rg_adapter *(*entry)(uint32_t host_abi),
                                struct loaded_adapter **out, struct writer *why);
/* Leaves NULL behind. *adapter may be NULL. Instances configured with it must be gone. */
void adapter_unload(struct loaded_adapter **adapter);

/* Row `index` (0 .. api.settings_count - 1, api.abilities_count - 1), else NULL. Texts may be NULL
 * where the ABI says so; `sentence` never is. */
const struct rg_setting *adapter_setting(const struct loaded_adapter *adapter, uint64_t index);
const struct rg_ability *adapter_ability(const struct loaded_adapter *adapter, uint64_t index);
/* The row of this operation, or NULL when the adapter does not have it. */
const struct rg_ability *adapter_ability_of(const struct loaded_adapter *adapter,
                                            uint32_t operation);

#endif
