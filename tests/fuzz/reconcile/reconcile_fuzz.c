/* reconcile_fuzz.c - any bytes as a counterpart's record. The first byte says which: 'c' card, 'w'
 * wallet, 'b' bank, else a ledger. What is handed out keeps the readers' promises; what is refused
 * says why, in one short line.
 */
#include "base/ensure.h"
#include "reconcile/reconcile_int.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum status take(const struct record_line *line, void *arg)
{
    int64_t *count = arg;
    ENSURE(line->name.len > 0 && line->name.len <= NAME_MAX_BYTES && view_is_utf8(line->name));
    ENSURE(line->role == ROLE_FORWARD || line->role == ROLE_BACK);
    ENSURE(line->amount_minor > 0 && line->line > 0 && line->what != NULL);
    ENSURE(strlen(line->currency) == 3);
    ++*count;
    return STATUS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t nothing[1];
    char why_room[512];
    struct writer why = writer_over(why_room, sizeof why_room);
    int64_t count = 0;
    if (size == 0)
        return 0;
    struct record r = { .path = "record", .why = &why, .take = take, .arg = &count };
    r.file = size > 1 ? fmemopen((void *)(uintptr_t)(data + 1), size - 1, "rb")
                      : fmemopen(nothing, 1, "rb");
    ENSURE(r.file != NULL);
    enum status status = data[0] == 'c'   ? record_read_card(&r)
                         : data[0] == 'w' ? record_read_wallet(&r)
                         : data[0] == 'b' ? record_read_camt(&r)
                                          : record_read_ledger(&r);
    ENSURE(fclose(r.file) == 0);
    ENSURE(status == STATUS_OK ? why.len == 0 : why.len > 0 || status == STATUS_NO_MEMORY);
    ENSURE(status != STATUS_OK || r.lines <= count + 1 || data[0] == 'l');
    return 0;
}
