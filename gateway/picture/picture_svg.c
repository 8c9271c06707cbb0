/* picture_svg.c - a QR symbol as SVG 1.1: a white ground and one path whose sub-paths are the dark
 * runs of each row. Coordinates are modules; width and height scale them. */
#include "picture_int.h"

enum status picture_svg(struct view text, unsigned module_px, struct writer *out)
{
    struct modules m;
    if (module_px < 1 || module_px > PICTURE_PIXEL_MAX)
        return STATUS_RANGE;
    TRY(modules_of(text, &m));
    unsigned side = m.side + 2 * PICTURE_QUIET;
    writer_format(out,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%u\" "
                  "height=\"%u\" viewBox=\"0 0 %u %u\" shape-rendering=\"crispEdges\">\n"
                  "<rect width=\"%u\" height=\"%u\" fill=\"#fff\"/>\n<path fill=\"#000\" d=\"",
                  side * module_px, side * module_px, side, side, side, side);
    for (unsigned y = 0; y < side; y++) {
        for (unsigned x = 0; x < side; x++) {
            unsigned run = 0;
            while (module_dark(&m, x + run, y))
                run++;
            if (run > 0)
                writer_format(out, "M%u %uh%uv1h-%uz", x, y, run, run);
            x += run;
        }
    }
    writer_text(out, "\"/>\n</svg>\n");
    return writer_status(out);
}
