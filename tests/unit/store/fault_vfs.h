/* fault_vfs.h - a disk that fails when told to: SQLite's own file layer with a countdown.
 *
 * Every write, truncation and flush of a database or log counts; the n-th fails, and, when the
 * fault is lasting, all after it. A write that fails leaves half of its bytes behind, as disks do.
 */
#ifndef TESTS_FAULT_VFS_H
#define TESTS_FAULT_VFS_H

#include <stdint.h>

enum fault_kind { FAULT_IO = 1, FAULT_DISK_FULL };
enum fault_span { FAULT_ONCE = 1, FAULT_LASTING };

/* Becomes the default file layer of this process. */
void fault_vfs_install(void);
/* The n-th operation from now fails; 0: none does. */
void fault_vfs_arm(int nth, enum fault_kind kind, enum fault_span span);
/* Operations that failed since the last arming. */
int fault_vfs_failures(void);
/* Only flushes count and fail. */
void fault_vfs_arm_flush(int nth, enum fault_span span);
/* How much of the log, from its first byte on, was written since the last arming, and then flushed:
 * that lasts, whatever became of what had been there. */
int64_t fault_vfs_log_flushed(void);

#endif
