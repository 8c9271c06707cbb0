/* dry.h - keys and channels of a configuration opened as serve does, without network or database.
 *
 * Channels are opened for real, on a virtual loop and an in-memory network whose time never runs:
 * so what is looked at is what serve does, not a second opinion. Blocks (files of keys and
 * adapters).
 */
#ifndef MAIN_DRY_H
#define MAIN_DRY_H

#include "channel/channel.h"

struct dry {
    const struct settings *settings;
    struct loop *loop;
    struct wire *wire;
    struct secrets *secrets;
    struct channels *channels;
    struct log silent;
    size_t errors; /* lines in `why` */
};

/* What is wrong goes to `why`, a line each; the rest is opened. NO_MEMORY. */
enum status dry_open(struct dry *dry, const struct settings *settings, struct writer *why);
/* The same with the certificates of gateway.yaml, which are let go again; after dry_open. */
void dry_open_tls(struct dry *dry, struct writer *why);
/* Also after an open that failed. */
void dry_close(struct dry *dry);

#endif
