/* picture.c - a text to the modules of a QR symbol. The library takes the smallest version that
 * holds the text and splits it into numeric, alphanumeric and byte segments; never Kanji, because
 * the text is UTF-8. */
#include "picture_int.h"

#include <errno.h>
#include <qrencode.h>

#define TEXT_MAX 5596 /* digits in version 40-M: no text that fits is longer */

enum status modules_of(struct view text, struct modules *out)
{
    char copy[TEXT_MAX + 1];
    if (text.len > TEXT_MAX)
        return STATUS_RANGE;
    if (text.len == 0 || !view_is_utf8(text) || view_find(text, 0) < text.len)
        return STATUS_MALFORMED;
    TRY(view_to_text(text, copy, sizeof copy));
    QRcode *code = QRcode_encodeString(copy, 0, QR_ECLEVEL_M, QR_MODE_8, 1);
    if (code == NULL)
        return errno == ERANGE ? STATUS_RANGE : STATUS_NO_MEMORY;
    if (code->width < 21 || code->width > (int)PICTURE_SIDE_MAX) {
        QRcode_free(code);
        return STATUS_RANGE;
    }
    out->side = (unsigned)code->width;
    for (size_t i = 0; i < (size_t)out->side * out->side; i++)
        out->dark[i] = code->data[i] & 1;
    QRcode_free(code);
    return STATUS_OK;
}
