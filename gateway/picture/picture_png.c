/* picture_png.c - a QR symbol as a grey-scale PNG of one bit per pixel, through libpng into memory.
 *
 * libpng reports errors by longjmp. Nothing in this file holds a resource across it but the two
 * structs of libpng, which live in `struct drawing`, outside of the function that may be left. */
#include "picture_int.h"

#include <png.h>
#include <setjmp.h>

#define ROW_BYTES_MAX (((PICTURE_SIDE_MAX + 2 * PICTURE_QUIET) * PICTURE_PIXEL_MAX + 7) / 8)

struct drawing {
    png_structp png;
    png_infop info;
    struct writer *out;
    uint8_t row[ROW_BYTES_MAX];
};

static void on_bytes(png_structp png, png_bytep bytes, size_t len)
{
    struct drawing *drawing = png_get_io_ptr(png);
    writer_bytes(drawing->out, bytes, len);
    if (drawing->out->overflow)
        png_error(png, "full");
}

static void on_flush(png_structp png)
{
    (void)png;
}

/* libpng prints to stderr unless told otherwise. */
static void on_error(png_structp png, png_const_charp text)
{
    (void)text;
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

/* Everything that may jump away. */
static bool draw(struct drawing *drawing, const struct modules *m, unsigned module_px)
{
    if (setjmp(png_jmpbuf(drawing->png)) != 0)
        return false;
    unsigned modules = m->side + 2 * PICTURE_QUIET, pixels = modules * module_px;
    png_set_write_fn(drawing->png, drawing, on_bytes, on_flush);
    png_set_IHDR(drawing->png, drawing->info, pixels, pixels, 1, PNG_COLOR_TYPE_GRAY,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(drawing->png, drawing->info);
    for (unsigned y = 0; y < modules; y++) {
        memset(drawing->row, 0, sizeof drawing->row);
        for (unsigned x = 0; x < pixels; x++)
            if (!module_dark(m, x / module_px, y)) /* in grey scale 1 is white */
                drawing->row[x / 8] |= (uint8_t)(0x80u >> x % 8);
        for (unsigned i = 0; i < module_px; i++)
            png_write_row(drawing->png, drawing->row);
    }
    png_write_end(drawing->png, drawing->info);
    return true;
}

enum status picture_png(struct view text, unsigned module_px, struct writer *out)
{
    struct modules m;
    if (module_px < 1 || module_px > PICTURE_PIXEL_MAX)
        return STATUS_RANGE;
    TRY(modules_of(text, &m));
    struct drawing drawing = { .out = out };
    drawing.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
    if (drawing.png == NULL)
        return STATUS_NO_MEMORY;
    drawing.info = png_create_info_struct(drawing.png);
    bool drawn = drawing.info != NULL && draw(&drawing, &m, module_px);
    png_destroy_write_struct(&drawing.png, &drawing.info);
    if (drawn)
        return writer_status(out);
    return out->overflow ? STATUS_FULL : STATUS_NO_MEMORY;
}
