/* platter.h - a file on a disk without a battery, twice: as programs see it, and as it lies on the
 * platter. What was written is seen at once; it is safe when it was flushed, and until then the
 * power may take any part of it, in any order, sector by sector.
 *
 *     platter_write, _truncate, _create, _remove   seen; noted as a change
 *     platter_flush                                every change is safe
 *     platter_power_fails                          some changes are safe, the others never were
 *
 * A directory is a journal, as in the usual file systems: a flush of any file makes every file's
 * coming and going safe that was before it (platter_flush_name).
 */
#ifndef SIMULATION_PLATTER_H
#define SIMULATION_PLATTER_H

#include "sim.h"

#define PLATTER_SECTOR_BYTES ((size_t)512)

struct platter_bytes {
    uint8_t *ptr;
    size_t len, room;
};

enum platter_change_kind { CHANGED_BYTES = 1, CHANGED_SIZE, CHANGED_CREATED, CHANGED_REMOVED };
struct platter_change {
    enum platter_change_kind kind;
    size_t at, len; /* CHANGED_SIZE: at is the new one */
    size_t in_log;  /* where the bytes are */
};

struct platter {
    char name[80];
    bool listed, listed_safe; /* the directory has it */
    struct platter_bytes seen, safe;
    bool apart;     /* seen and safe differ by more than bytes that were written, */
    bool forgotten; /* or by bytes that are no changes any more */
    struct platter_change *changes;
    size_t count, room;
    struct platter_bytes log; /* of all changes */
};

void platter_fini(struct platter *file);
void platter_create(struct platter *file);
void platter_remove(struct platter *file);
void platter_write(struct platter *file, size_t at, struct view bytes);
void platter_truncate(struct platter *file, size_t size);
/* How many bytes there were. */
size_t platter_read(const struct platter *file, size_t at, void *out, size_t len);

void platter_flush(struct platter *file);
void platter_flush_name(struct platter *file);
/* Some of the changes become safe, the others stay as they are. */
void platter_flush_some(struct platter *file, struct dice *dice);

/* The flush failed, and the system has thrown away what it could not write: it is not safe, and the
 * next flush knows nothing of it. SEEN: programs see it as long as they do not look at the disk. */
enum platter_forget { FORGET_BUT_SEEN = 1, FORGET_ALL };
void platter_forget(struct platter *file, enum platter_forget how);

enum platter_loss {
    LOSS_OF_ALL = 1, /* of what was not flushed */
    LOSS_OF_NONE,
    LOSS_OF_WRITES,  /* some as a whole */
    LOSS_OF_SECTORS, /* some, and of some a part */
};
/* True when something was lost. */
bool platter_power_fails(struct platter *file, enum platter_loss loss, struct dice *dice);

#endif
