/* main.c - railgate-sim: which counterpart is asked for? */
#include "card_shell.h"

#include <stdio.h>
#include <string.h>

static const char USAGE[] =
    "usage: railgate-sim card [options]\n"
    "\n"
    "Stands in for the other side of a payment rail.\n"
    "  card    an acquirer's host with an issuer behind it, ISO 8583 over framed TCP\n"
    "\n"
    "railgate-sim card --help tells the options.\n";

int main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "card") == 0)
        return card_shell_main(argc - 1, argv + 1);
    bool asked = argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    fputs(USAGE, asked ? stdout : stderr);
    return asked ? 0 : 2;
}
