/* card_options.c - the command line of railgate-sim card: one row per option. */
#include "card_shell.h"

#include "base/ensure.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum option_id {
    OPTION_LISTEN = 1,
    OPTION_CONTROL,
    OPTION_PACKAGING,
    OPTION_FRAMING,
    OPTION_SCENARIO,
    OPTION_SEED,
    OPTION_READY_FILE,
    OPTION_TLS_CERT,
    OPTION_TLS_KEY,
    OPTION_TLS_CLIENT_CA,
    OPTION_ZONE_KEY,
    OPTION_MAC_KEY,
    OPTION_IMK,
    OPTION_PIN_KEY,
    OPTION_LEDGER_ENTRIES,
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
    { OPTION_PACKAGING, "packaging", "NAME",
      "iso87-ascii, iso87-bcd or iso87-binary (iso87-ascii)" },
    { OPTION_FRAMING, "framing", "NAME", "len2, len2_tpdu or ascii4 (len2)" },
    { OPTION_SCENARIO, "scenario", "FILE",
      "JSON with settings, keys and faults, as for PUT /knobs" },
    { OPTION_SEED, "seed", "N", "of all dice (1)" },
    { OPTION_READY_FILE, "ready-file", "PATH",
      "gets JSON with the actual addresses once all is open" },
    { OPTION_TLS_CERT, "tls-cert", "PEM", "certificate chain; links are then TLS" },
    { OPTION_TLS_KEY, "tls-key", "PEM", "its private key" },
    { OPTION_TLS_CLIENT_CA, "tls-client-ca", "PEM",
      "gateways must show a certificate of this authority" },
    { OPTION_ZONE_KEY, "zone-key", "HEX", "two-key TDES, 32 characters; likewise the next three" },
    { OPTION_MAC_KEY, "mac-key", "HEX", "first MAC key of every link" },
    { OPTION_IMK, "imk", "HEX", "issuer master key of chip cards" },
    { OPTION_PIN_KEY, "pin-key", "HEX", "of PIN blocks" },
    { OPTION_LEDGER_ENTRIES, "ledger-entries", "N",
      "how many are kept (262144); then the oldest go" },
    { OPTION_SETTLEMENT_FILE, "settlement-file", "PATH",
      "gets the settlement file of everything when the program stops" },
    { OPTION_LOG_LEVEL, "log-level", "NAME",
      "debug, info, warn, error; a line per message at info (info)" },
    { OPTION_HELP, "help", NULL, "this" },
};

void card_options_help(void)
{
    puts("usage: railgate-sim card [options]\n\n"
         "A card host for tests: ISO 8583:1987 on --listen, JSON over HTTP on --control.\n"
         "Its addresses are printed as one JSON line once it is ready; log lines go to stderr.\n");
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        char left[64];
        (void)snprintf(left, sizeof left, "--%s%s%s", ROWS[i].name,
                       ROWS[i].value != NULL ? " " : "",
                       ROWS[i].value != NULL ? ROWS[i].value : "");
        printf("  %-24s %s\n", left, ROWS[i].text);
    }
    puts("\nControl port: GET /ledger /knobs /stats; PUT or POST /knobs; POST /reset /send "
         "/links/drop");
}

static bool take_key(struct card_options *o, const char *name, const char *value)
{
    uint8_t key[TDES_KEY_SIZE];
    size_t len = 0;
    if (hex_decode(view_text(value), key, sizeof key, &len) != STATUS_OK || len != sizeof key)
        return false;
    size_t used = strlen(o->keys_json);
    struct writer w = writer_over(o->keys_json + used, sizeof o->keys_json - used);
    writer_format(&w, "%s\"%s\":\"%s\"", used > 0 ? "," : "{\"keys\":{", name, value);
    return writer_terminate(&w) == STATUS_OK;
}

static bool take_option(struct card_options *o, enum option_id id, const char *value)
{
    uint64_t number = 0;
    struct view text = view_text(value);
    switch (id) {
    case OPTION_LISTEN: return endpoint_parse(text, &o->listen) == STATUS_OK;
    case OPTION_CONTROL: return endpoint_parse(text, &o->control) == STATUS_OK;
    case OPTION_PACKAGING: return iso_packaging_parse(text, &o->card.packaging) == STATUS_OK;
    case OPTION_FRAMING: return iso_framing_parse(text, &o->card.framing) == STATUS_OK;
    case OPTION_SCENARIO: o->scenario_path = value; return true;
    case OPTION_SEED: return view_to_u64(text, UINT64_MAX, &o->card.seed) == STATUS_OK;
    case OPTION_READY_FILE: o->ready_path = value; return true;
    case OPTION_TLS_CERT: o->tls.certificate_path = value; return true;
    case OPTION_TLS_KEY: o->tls.key_path = value; return true;
    case OPTION_TLS_CLIENT_CA: o->tls.ca_path = value; return true;
    case OPTION_ZONE_KEY: return take_key(o, "zone", value);
    case OPTION_MAC_KEY: return take_key(o, "mac", value);
    case OPTION_IMK: return take_key(o, "imk", value);
    case OPTION_PIN_KEY: return take_key(o, "pin", value);
    case OPTION_LEDGER_ENTRIES:
        if (view_to_u64(text, 16777216, &number) != STATUS_OK || number < 1)
            return false;
        o->card.ledger_entries_max = (size_t)number;
        return true;
    case OPTION_SETTLEMENT_FILE: o->settlement_path = value; return true;
    case OPTION_LOG_LEVEL: return log_level_parse(text, &o->log_level) == STATUS_OK;
    case OPTION_HELP: o->help = true; return true;
    }
    return false;
}

bool card_options_read(int argc, char **argv, struct card_options *o)
{
    struct option longs[COUNT_OF(ROWS) + 1] = { 0 };
    *o = (struct card_options){ .log_level = LOG_INFO };
    o->card = (struct card_config){ .packaging = ISO_ASCII, .framing = FRAMING_LEN2, .seed = 1 };
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
            fprintf(stderr, "railgate-sim card: --%s: cannot use this value\n", longs[at].name);
            return false;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "railgate-sim card: %s: not an option\n", argv[optind]);
        return false;
    }
    if ((o->tls.certificate_path == NULL) != (o->tls.key_path == NULL) ||
        (o->tls.ca_path != NULL && o->tls.key_path == NULL)) {
        fputs("railgate-sim card: TLS needs both --tls-cert and --tls-key\n", stderr);
        return false;
    }
    if (o->keys_json[0] != '\0')
        strcat(o->keys_json, "}}"); /* four keys of 45 bytes leave room */
    return true;
}
