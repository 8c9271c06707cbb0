/* main.c - railgate-sim: which counterpart is asked for? */
#include "card_shell.h"
#include "http_shell.h"

#include <stdio.h>
#include <string.h>

/* The counterparts that speak HTTP, as far as they are built in. */
#ifdef RAILGATE_SIM_WALLET
extern const struct sim_brain wallet_brain;
#endif
#ifdef RAILGATE_SIM_BANK
extern const struct sim_brain bank_brain;
#endif
#ifdef RAILGATE_SIM_CBDC
extern const struct sim_brain cbdc_brain;
#endif

static const struct sim_brain *const BRAINS[] = {
#ifdef RAILGATE_SIM_WALLET
    &wallet_brain,
#endif
#ifdef RAILGATE_SIM_BANK
    &bank_brain,
#endif
#ifdef RAILGATE_SIM_CBDC
    &cbdc_brain,
#endif
    NULL,
};

static void usage(FILE *to)
{
    fputs("usage: railgate-sim card", to);
    for (size_t i = 0; BRAINS[i] != NULL; i++)
        fprintf(to, "|%s", BRAINS[i]->name);
    fputs(" [options]\n\nStands in for the other side of a payment rail.\n"
          "  card    an acquirer's host with an issuer behind it, ISO 8583 over framed TCP\n",
          to);
    for (size_t i = 0; BRAINS[i] != NULL; i++)
        fprintf(to, "  %-7s %s\n", BRAINS[i]->name, BRAINS[i]->sentence);
    fputs("\nrailgate-sim card --help tells the options, and so do the others.\n", to);
}

int main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "card") == 0)
        return card_shell_main(argc - 1, argv + 1);
    for (size_t i = 0; argc >= 2 && BRAINS[i] != NULL; i++)
        if (strcmp(argv[1], BRAINS[i]->name) == 0)
            return http_shell_main(BRAINS[i], argc - 1, argv + 1);
    bool asked = argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    usage(asked ? stdout : stderr);
    return asked ? 0 : 2;
}
