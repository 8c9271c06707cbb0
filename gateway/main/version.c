/* version.c - `railgate version`: ours and that of the adapter interface. */
#include "main/cli.h"

#include "base/ensure.h"
#include "channel/loader.h"

#ifndef RAILGATE_VERSION
#define RAILGATE_VERSION "0.0.0"
#endif

int command_version(int argc, char **argv)
{
    const struct usage usage = { .command = "version",
                                 .sentence = "Prints the version.",
                                 .arguments = "" };
    int count;
    enum options_result options = options_read(&usage, argc, argv, &count);
    if (options != OPTIONS_GO)
        return options == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    printf("railgate %s\nadapter ABI %u.%u\ncompiler %s\n", RAILGATE_VERSION, RG_ABI_MAJOR,
           RG_ABI_MINOR, __VERSION__);
    return EXIT_GOOD;
}
