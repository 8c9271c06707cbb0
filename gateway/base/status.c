/* status.c - names and texts of the status list, from the one list in status.h. */
#include "status.h"

#include <stddef.h>

static const char *const status_names[STATUS_COUNT] = { [STATUS_INVALID] = "INVALID",
#define X(name, text) [STATUS_##name] = #name,
                                                        STATUS_LIST(X)
#undef X
};

static const char *const status_texts[STATUS_COUNT] = { [STATUS_INVALID] = "not a status",
#define X(name, text) [STATUS_##name] = (text),
                                                        STATUS_LIST(X)
#undef X
};

static size_t status_row(enum status s)
{
    return (unsigned)s < STATUS_COUNT ? (size_t)s : STATUS_INVALID;
}

const char *status_text(enum status s)
{
    return status_texts[status_row(s)];
}

const char *status_name(enum status s)
{
    return status_names[status_row(s)];
}
