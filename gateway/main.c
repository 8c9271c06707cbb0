/* main.c - hands the command line to the room main/, which tests can link without this file. */
#include "main/cli.h"

int main(int argc, char **argv)
{
    return railgate_main(argc, argv);
}
