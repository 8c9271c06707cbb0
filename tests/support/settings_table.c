/* settings_table.c - prints the table of all settings, for docs/operator.md
 * (tests/scenario/test_docs.py). */
#include "settings/settings.h"

#include <stdio.h>

int main(void)
{
    static char text[128 * 1024];
    struct writer w = writer_over(text, sizeof text);
    settings_describe(&w);
    if (w.overflow)
        return 1;
    return fwrite(text, 1, w.len, stdout) == w.len ? 0 : 1;
}
