/* picture.h - a text as a QR picture (ISO/IEC 18004), through libqrencode and libpng.
 *
 * Pure, on any thread. Error correction level M, a quiet zone of 4 modules, byte mode as the
 * library chooses; the text is UTF-8. Too long a text (some 2,300 bytes at level M): RANGE. FULL
 * when `out` has no room: PICTURE_BYTES_MAX always suffices.
 */
#ifndef PICTURE_PICTURE_H
#define PICTURE_PICTURE_H

#include "base/bytes.h"

#define PICTURE_BYTES_MAX ((size_t)512 * 1024)

/* A standalone SVG document; `module_px` pixels for a module (1..64). */
enum status picture_svg(struct view text, unsigned module_px, struct writer *out);
/* A grey-scale PNG. */
enum status picture_png(struct view text, unsigned module_px, struct writer *out);
/* For a terminal: two modules in one letter (half blocks), lines end with \n. */
enum status picture_terminal(struct view text, struct writer *out);

#endif
