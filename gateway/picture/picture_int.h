/* picture_int.h - the modules of a QR symbol, shared by the three ways to draw it.
 *
 *   picture.c            text to modules (libqrencode's only user)
 *   picture_svg.c        modules to SVG
 *   picture_terminal.c   modules to half blocks
 *   picture_png.c        modules to PNG (libpng's only user)
 */
#ifndef PICTURE_PICTURE_INT_H
#define PICTURE_PICTURE_INT_H

#include "picture/picture.h"

#define PICTURE_QUIET     4u   /* modules of margin, ISO/IEC 18004 clause 6.3.8 */
#define PICTURE_SIDE_MAX  177u /* version 40 */
#define PICTURE_PIXEL_MAX 64u

struct modules {
    unsigned side;
    uint8_t dark[PICTURE_SIDE_MAX * PICTURE_SIDE_MAX]; /* 1 or 0 */
};

/* MALFORMED: empty, not UTF-8, or with a zero byte. RANGE: too long. NO_MEMORY. */
enum status modules_of(struct view text, struct modules *out);

/* x and y count from the outer edge of the quiet zone. */
static inline bool module_dark(const struct modules *m, unsigned x, unsigned y)
{
    if (x < PICTURE_QUIET || y < PICTURE_QUIET || x >= m->side + PICTURE_QUIET ||
        y >= m->side + PICTURE_QUIET)
        return false;
    return m->dark[(y - PICTURE_QUIET) * m->side + (x - PICTURE_QUIET)] == 1;
}

#endif
