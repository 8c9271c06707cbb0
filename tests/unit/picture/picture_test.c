/* picture_test.c - the three pictures of one text show the same modules, and those are a QR symbol:
 * finder patterns, timing lines, quiet zone. The PNG is read back with libpng. */
#include "picture/picture.h"

#include <png.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIDE_MAX 192

struct grid {
    unsigned side; /* with the quiet zone */
    bool dark[SIDE_MAX][SIDE_MAX];
};

static uint8_t room[PICTURE_BYTES_MAX];

static void grid_of_svg(struct view svg, struct grid *grid)
{
    char *text = calloc(1, svg.len + 1);
    memcpy(text, svg.ptr, svg.len);
    memset(grid, 0, sizeof *grid);
    assert_int_equal(sscanf(strstr(text, "viewBox"), "viewBox=\"0 0 %u", &grid->side), 1);
    assert_true(grid->side <= SIDE_MAX);
    const char *at = strstr(text, " d=\"") + 4;
    unsigned x, y, run, back;
    int used;
    while (sscanf(at, "M%u %uh%uv1h-%uz%n", &x, &y, &run, &back, &used) == 4) {
        assert_true(run == back && x + run <= grid->side && y < grid->side);
        for (unsigned i = 0; i < run; i++)
            grid->dark[y][x + i] = true;
        at += used;
    }
    assert_memory_equal(at, "\"/>\n</svg>\n", 11);
    free(text);
}

static void grid_of_png(struct view bytes, unsigned module_px, struct grid *grid)
{
    png_image image = { .version = PNG_IMAGE_VERSION };
    assert_true(png_image_begin_read_from_memory(&image, bytes.ptr, bytes.len));
    image.format = PNG_FORMAT_GRAY;
    uint8_t *pixels = malloc(PNG_IMAGE_SIZE(image));
    assert_true(png_image_finish_read(&image, NULL, pixels, 0, NULL));
    assert_int_equal(image.width, image.height);
    assert_int_equal(image.width % module_px, 0);
    memset(grid, 0, sizeof *grid);
    grid->side = image.width / module_px;
    for (unsigned y = 0; y < image.height; y++)
        for (unsigned x = 0; x < image.width; x++) {
            uint8_t pixel = pixels[(size_t)y * image.width + x];
            assert_true(pixel == 0 || pixel == 255);
            if (y % module_px == 0 && x % module_px == 0)
                grid->dark[y / module_px][x / module_px] = pixel == 0;
            assert_int_equal(grid->dark[y / module_px][x / module_px], pixel == 0);
        }
    free(pixels);
}

static void grid_of_terminal(struct view text, unsigned side, struct grid *grid)
{
    memset(grid, 1, sizeof *grid); /* not drawn is dark */
    grid->side = side;
    unsigned x = 0, y = 0;
    for (size_t i = 0; i < text.len;) {
        if (text.ptr[i] == '\n') {
            assert_int_equal(x, side);
            x = 0, y += 2, i++;
            continue;
        }
        bool blank = text.ptr[i] == ' ';
        uint8_t last = blank ? 0 : text.ptr[i + 2];
        grid->dark[y][x] = !(last == 0x80 || last == 0x88);
        grid->dark[y + 1][x] = !(last == 0x84 || last == 0x88);
        i += blank ? 1 : 3;
        x++;
    }
    assert_int_equal(y, (side + 1) / 2 * 2);
}

static void finder(const struct grid *grid, unsigned left, unsigned top)
{
    for (unsigned y = 0; y < 7; y++)
        for (unsigned x = 0; x < 7; x++) {
            bool ring = x == 0 || x == 6 || y == 0 || y == 6;
            bool core = x >= 2 && x <= 4 && y >= 2 && y <= 4;
            assert_int_equal(grid->dark[top + y][left + x], ring || core);
        }
}

static void is_symbol(const struct grid *grid)
{
    unsigned last = grid->side - 4;
    assert_int_equal((grid->side - 8 - 17) % 4, 0);
    for (unsigned i = 0; i < grid->side; i++)
        for (unsigned k = 0; k < 4; k++)
            assert_false(grid->dark[k][i] || grid->dark[grid->side - 1 - k][i] ||
                         grid->dark[i][k] || grid->dark[i][grid->side - 1 - k]);
    finder(grid, 4, 4);
    finder(grid, last - 7, 4);
    finder(grid, 4, last - 7);
    for (unsigned i = 8; i < grid->side - 16; i++) {
        assert_int_equal(grid->dark[10][4 + i], i % 2 == 0);
        assert_int_equal(grid->dark[4 + i][10], i % 2 == 0);
    }
}

static void three_pictures_show_the_same(void **state)
{
    (void)state;
    static struct grid svg, png, terminal;
    const char *texts[] = { "1", "HELLO WORLD", "00020101021229300012D156000000000510A93FO3230Q",
                            "\xE6\x9C\x80\xE4\xBD\xB3\xE8\xBF\x90\xE8\xBE\x93" };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        for (unsigned px = 1; px <= 5; px += 2) {
            struct writer w = writer_over(room, sizeof room);
            assert_int_equal(picture_svg(view_text(texts[i]), px, &w), STATUS_OK);
            grid_of_svg(writer_done(&w), &svg);
            is_symbol(&svg);
            w = writer_over(room, sizeof room);
            assert_int_equal(picture_png(view_text(texts[i]), px, &w), STATUS_OK);
            grid_of_png(writer_done(&w), px, &png);
            assert_memory_equal(&svg, &png, sizeof svg);
            w = writer_over(room, sizeof room);
            assert_int_equal(picture_terminal(view_text(texts[i]), &w), STATUS_OK);
            grid_of_terminal(writer_done(&w), svg.side, &terminal);
            for (unsigned y = 0; y < svg.side; y++)
                assert_memory_equal(svg.dark[y], terminal.dark[y], svg.side);
        }
}

static void limits_are_statuses(void **state)
{
    (void)state;
    char *text = malloc(8000);
    memset(text, 'a', 8000);
    struct writer w = writer_over(room, sizeof room);
    assert_int_equal(picture_svg(view_of(text, 2331), 64, &w), STATUS_OK);
    w = writer_over(room, sizeof room);
    assert_int_equal(picture_png(view_of(text, 2331), 64, &w), STATUS_OK);
    w = writer_over(room, sizeof room);
    assert_int_equal(picture_terminal(view_of(text, 2331), &w), STATUS_OK);
    for (size_t len = 2332; len <= 8000; len += 5668) {
        w = writer_over(room, sizeof room);
        assert_int_equal(picture_svg(view_of(text, len), 1, &w), STATUS_RANGE);
        assert_int_equal(picture_png(view_of(text, len), 1, &w), STATUS_RANGE);
        assert_int_equal(picture_terminal(view_of(text, len), &w), STATUS_RANGE);
    }
    assert_int_equal(picture_png(VIEW("a"), 0, &w), STATUS_RANGE);
    assert_int_equal(picture_png(VIEW("a"), 65, &w), STATUS_RANGE);
    assert_int_equal(picture_svg(VIEW("a"), 65, &w), STATUS_RANGE);
    assert_int_equal(picture_svg(VIEW(""), 1, &w), STATUS_MALFORMED);
    assert_int_equal(picture_svg(VIEW("\xC3"), 1, &w), STATUS_MALFORMED);
    assert_int_equal(picture_svg(VIEW("a\0b"), 1, &w), STATUS_MALFORMED);
    free(text);
}

static void too_small_a_room_is_full(void **state)
{
    (void)state;
    for (size_t size = 0; size < 120; size += 17) {
        uint8_t *small = malloc(size + 1);
        struct writer w = writer_over(small, size);
        assert_int_equal(picture_svg(VIEW("hello"), 4, &w), STATUS_FULL);
        w = writer_over(small, size);
        assert_int_equal(picture_png(VIEW("hello"), 4, &w), STATUS_FULL);
        w = writer_over(small, size);
        assert_int_equal(picture_terminal(VIEW("hello"), &w), STATUS_FULL);
        free(small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_pictures_show_the_same),
        cmocka_unit_test(limits_are_statuses),
        cmocka_unit_test(too_small_a_room_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
