/* http_options.c - the command line of railgate-sim wallet, bank, cbdc: one row per option. */
#include "http_shell.h"

#include "base/ensure.h"

#include <getopt.h>
#include <stdio.h>

enum option_id {
    OPTION_LISTEN = 1,
    OPTION_CONTROL,
    OPTION_SCENARIO,
    OPTION_KNOBS,
    OPTION_SEED,
    OPTION_READY_FILE,
    OPTION_TLS_CERTIFICATE,
    OPTION_TLS_KEY,
    OPTION_TLS_CLIENT_CA,
    OPTION_NOTICE_CA,
    OPTION_SETTLEMENT_FILE,
    OPTION_LOG_LEVEL,
    OPTION_HELP,
};

static const struct {
    enum option_id id;
    const char *name, *value, *text;
} ROWS[] = {
    { OPTION_LISTEN, "listen", "HOST:PORT",
      "where gateways connect (127.0.0.1:0; port 0: any free one)" },
    { OPTION_CONTROL, "control", "HOST:PORT", "HTTP control port (127.0.0.1:0)" },
    { OPTION_SCENARIO, "scenario", "FILE",
      "JSON with settings, keys and faults, as for PUT /knobs" },
    { OPTION_KNOBS, "knobs", "JSON", "the same on the command line; after the scenario" },
    { OPTION_SEED, "seed", "N", "of all dice (1)" },
    { OPTION_READY_FILE, "ready-file", "PATH",
      "gets JSON with the actual addresses once all is open" },
    { OPTION_TLS_CERTIFICATE, "tls-certificate", "PEM",
      "certificate chain; connections are then TLS" },
    { OPTION_TLS_KEY, "tls-key", "PEM", "its private key" },
    { OPTION_TLS_CLIENT_CA, "tls-client-ca", "PEM",
      "gateways must show a certificate of this authority" },
    { OPTION_NOTICE_CA, "notice-ca", "PEM",
      "who may sign the certificate of an https address that notices go to" },
    { OPTION_SETTLEMENT_FILE, "settlement-file", "PATH",
      "gets the record of everything booked when the program stops" },
    { OPTION_LOG_LEVEL, "log-level", "NAME",
      "debug, info, warn, error; a line per message at info (info)" },
    { OPTION_HELP, "help", NULL, "this" },
};

void http_options_help(const struct sim_brain *brain)
{
    printf("usage: railgate-sim %s [options]\n\n%s\n"
           "HTTP on --listen, JSON over HTTP on --control.\n"
           "Its addresses are printed as one JSON line once it is ready; log lines go to "
           "stderr.\n\n",
           brain->name, brain->sentence);
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        char left[64];
        (void)snprintf(left, sizeof left, "--%s%s%s", ROWS[i].name,
                       ROWS[i].value != NULL ? " " : "",
                       ROWS[i].value != NULL ? ROWS[i].value : "");
        printf("  %-24s %s\n", left, ROWS[i].text);
    }
    puts("\nControl port: GET /ledger /settlement /knobs /stats; PUT or POST /knobs; POST /reset; "
         "and more of "
         "its own");
}

static bool take_option(struct http_options *o, enum option_id id, const char *value)
{
    struct view text = view_text(value);
    switch (id) {
    case OPTION_LISTEN: return endpoint_parse(text, &o->listen) == STATUS_OK;
    case OPTION_CONTROL: return endpoint_parse(text, &o->control) == STATUS_OK;
    case OPTION_SCENARIO: o->scenario_path = value; return true;
    case OPTION_KNOBS: o->knobs_json = value; return true;
    case OPTION_SEED: return view_to_u64(text, UINT64_MAX, &o->seed) == STATUS_OK;
    case OPTION_READY_FILE: o->ready_path = value; return true;
    case OPTION_TLS_CERTIFICATE: o->tls.certificate_path = value; return true;
    case OPTION_TLS_KEY: o->tls.key_path = value; return true;
    case OPTION_TLS_CLIENT_CA: o->tls.ca_path = value; return true;
    case OPTION_NOTICE_CA: o->notice_tls.ca_path = value; return true;
    case OPTION_SETTLEMENT_FILE: o->settlement_path = value; return true;
    case OPTION_LOG_LEVEL: return log_level_parse(text, &o->log_level) == STATUS_OK;
    case OPTION_HELP: o->help = true; return true;
    }
    return false;
}

bool http_options_read(const struct sim_brain *brain, int argc, char **argv, struct http_options *o)
{
    struct option longs[COUNT_OF(ROWS) + 1] = { 0 };
    *o = (struct http_options){ .brain = brain, .log_level = LOG_INFO, .seed = 1 };
    ENSURE(endpoint_parse(VIEW("127.0.0.1:0"), &o->listen) == STATUS_OK);
    o->control = o->listen;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++)
        longs[i] =
            (struct option){ .name = ROWS[i].name,
                             .has_arg = ROWS[i].value != NULL ? required_argument : no_argument,
                             .val = (int)ROWS[i].id };
    for (int got, at = 0; (got = getopt_long(argc, argv, "", longs, &at)) != -1;) {
        if (got == '?')
            return false; /* getopt_long has said why */
        if (!take_option(o, (enum option_id)got, optarg)) {
            fprintf(stderr, "railgate-sim %s: --%s: cannot use this value\n", brain->name,
                    longs[at].name);
            return false;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "railgate-sim %s: %s: not an option\n", brain->name, argv[optind]);
        return false;
    }
    if ((o->tls.certificate_path == NULL) != (o->tls.key_path == NULL) ||
        (o->tls.ca_path != NULL && o->tls.key_path == NULL)) {
        fprintf(stderr, "railgate-sim %s: TLS needs both --tls-certificate and --tls-key\n",
                brain->name);
        return false;
    }
    return true;
}
