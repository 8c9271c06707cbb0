/* describe.c - tells people what an adapter is. Interface: describe.h. */
#include "kit/describe.h"

#include "domain/words.h"

static const char *transport_word(uint32_t transport)
{
    static const char *const words[] = { "?", "http", "framed", "local" };
    return words[transport <= RG_TRANSPORT_LOCAL ? transport : 0];
}

static const char *type_word(uint32_t type)
{
    static const char *const words[] = { "?", "text", "number", "choice", "flag", "key", "file" };
    return words[type <= RG_SETTING_FILE ? type : 0];
}

static void print_setting(const struct rg_setting *row, FILE *out)
{
    fprintf(out, "  %-22s %-7s", row->name, type_word(row->type));
    if (row->required != 0)
        fprintf(out, " required");
    if (row->type == RG_SETTING_CHOICE)
        fprintf(out, " %s", row->choices);
    bool bytes = row->type == RG_SETTING_TEXT || row->type == RG_SETTING_FILE;
    if (row->type == RG_SETTING_NUMBER || bytes)
        fprintf(out, " %lld..%lld %s", (long long)row->min, (long long)row->max,
                row->unit != NULL ? row->unit
                : bytes           ? "bytes"
                                  : "");
    if (row->fallback != NULL)
        fprintf(out, " default %s", row->fallback);
    if (row->secret != 0)
        fprintf(out, " secret");
    fprintf(out, "\n      %s\n", row->sentence);
}

static void print_ability(const struct rg_ability *row, FILE *out)
{
    static const struct {
        uint32_t flag;
        const char *word;
    } flags[] = { { RG_ABLE_REPEAT, "repeat" },
                  { RG_ABLE_INQUIRE, "inquire" },
                  { RG_ABLE_REVERSE, "reverse" },
                  { RG_ABLE_PARTIAL, "partial" },
                  { RG_ABLE_PARTIAL_APPROVAL, "partial_approval" } };
    fprintf(out, "  %-11s up to %lld, %s, deadline %u ms, late until %u ms:",
            operation_word((enum operation)row->operation), (long long)row->amount_minor_max,
            row->currencies != NULL ? row->currencies : "any currency", (unsigned)row->deadline_ms,
            (unsigned)row->late_window_ms);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if ((row->flags & flags[i].flag) != 0)
            fprintf(out, " %s", flags[i].word);
    fputc('\n', out);
}

void adapter_describe_short(const struct loaded_adapter *adapter, FILE *out)
{
    const struct rg_adapter *api = &adapter->api;
    fprintf(out, "%-12s %-8s %-5s %-7s %s\n", api->id, api->version, api->rail,
            transport_word(api->transport), adapter->path);
}

void adapter_describe(const struct loaded_adapter *adapter, FILE *out)
{
    const struct rg_adapter *api = &adapter->api;
    char digest[65];
    struct writer hex = writer_over(digest, sizeof digest);
    writer_hex_lower(&hex, view_of(adapter->sha256, sizeof adapter->sha256));
    if (writer_terminate(&hex) != STATUS_OK)
        digest[0] = '\0';
    fprintf(out, "%s %s, ABI %u.%u, rail %s, transport %s\n", api->id, api->version,
            (unsigned)api->abi_major, (unsigned)api->abi_minor, api->rail,
            transport_word(api->transport));
    fprintf(out, "from %s, %s\n%s\nsha256 %s\n", api->origin, api->licence, adapter->path, digest);
    fprintf(out, "messages up to %llu bytes out and %llu in, at most %u steps\n",
            (unsigned long long)api->request_max, (unsigned long long)api->answer_max,
            (unsigned)api->steps_max);
    fprintf(out, "notices: %s\n", api->notice != NULL ? "taken" : "none");
    fprintf(out, "settings:\n");
    for (uint64_t i = 0; i < api->settings_count; i++)
        print_setting(adapter_setting(adapter, i), out);
    fprintf(out, "abilities:\n");
    for (uint64_t i = 0; i < api->abilities_count; i++)
        print_ability(adapter_ability(adapter, i), out);
}
