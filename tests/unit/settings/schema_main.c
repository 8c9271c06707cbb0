/* schema_main.c - prints the JSON Schema of region profiles, for test_schema.py. */
#include "settings/settings.h"

#include <stdio.h>

int main(void)
{
    static char text[262144];
    struct writer w = writer_over(text, sizeof text);
    settings_region_schema(&w);
    if (writer_terminate(&w) != STATUS_OK || fputs(text, stdout) < 0)
        return 1;
    return 0;
}
