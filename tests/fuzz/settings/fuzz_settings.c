/* fuzz_settings.c - any bytes as a configuration file: findings, never a crash or a hang. The first
 * byte says which kind of file it is: 'c' channel, 'r' region, else gateway.yaml. */
#include "base/ensure.h"
#include "settings/load_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    static struct findings findings;
    if (size < 1)
        return 0;
    arena_init(&arena, (size_t)16 * 1024 * 1024);
    findings_init(&findings);
    const struct reader reader = { &arena, &findings, "fuzz.yaml", "/config" };
    struct view bytes = view_of(data + 1, size - 1);
    enum status s;
    if (data[0] == 'c') {
        struct channel_settings channel = { .file = "" };
        s = channel_read(&reader, bytes, &channel);
        for (size_t i = 0; s == STATUS_OK && i < channel.settings_count; i++)
            ENSURE(strlen(channel.settings[i].name) > 0 && channel.settings[i].text != NULL);
    } else if (data[0] == 'r') {
        struct region_settings region = { .file = "" };
        s = region_read(&reader, bytes, &region);
        ENSURE(s != STATUS_OK || findings.errors > 0 || region.effective_from_us > 0);
    } else {
        struct settings settings = { .file = "" };
        s = gateway_read(&reader, bytes, &settings);
        ENSURE(s != STATUS_OK || (settings.limit_depth >= 4 && settings.limit_depth <= 64));
    }
    ENSURE(s == STATUS_OK || s == STATUS_NO_MEMORY);
    ENSURE(findings.count + findings.dropped == findings.errors + findings.warnings);
    findings_clear(&findings);
    arena_reset(&arena);
    return 0;
}
