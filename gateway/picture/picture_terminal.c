/* picture_terminal.c - a QR symbol for a terminal, two modules in one letter. Terminals are mostly
 * dark, so light modules are the drawn ones; on a light ground the symbol comes out inverted, which
 * the scanners of common phones read too. */
#include "picture_int.h"

enum status picture_terminal(struct view text, struct writer *out)
{
    /* blank, upper half, lower half, full block: by (upper light) + 2 * (lower light) */
    static const char *const letters[] = { " ", "\xE2\x96\x80", "\xE2\x96\x84", "\xE2\x96\x88" };
    struct modules m;
    TRY(modules_of(text, &m));
    unsigned side = m.side + 2 * PICTURE_QUIET;
    for (unsigned y = 0; y < side; y += 2) {
        for (unsigned x = 0; x < side; x++) {
            unsigned upper = module_dark(&m, x, y) ? 0 : 1;
            unsigned lower = y + 1 >= side || module_dark(&m, x, y + 1) ? 0 : 2;
            writer_text(out, letters[upper + lower]);
        }
        writer_text(out, "\n");
    }
    return writer_status(out);
}
