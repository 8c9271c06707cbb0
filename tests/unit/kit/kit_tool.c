/* kit_tool.c - the kit by hand, for scripts: kit_tool new FOLDER NAME RAIL TRANSPORT
 *                                            kit_tool test PATH.so TRANSCRIPT...
 *                                            kit_tool list PATH.so */
#include "kit/conformance.h"
#include "kit/describe.h"
#include "kit/scaffold.h"

int main(int argc, char **argv)
{
    char text[1500];
    struct writer why = writer_over(text, sizeof text);
    enum status status = STATUS_NOT_FOUND;
    if (argc == 6 && strcmp(argv[1], "new") == 0) {
        status = scaffold_write(argv[2], argv[3], argv[4], argv[5], &why);
    } else if (argc >= 3 && strcmp(argv[1], "test") == 0) {
        struct conformance_result result;
        struct conformance_options options = { .path = argv[2],
                                               .transcripts = (const char *const *)argv + 3,
                                               .transcripts_count = (size_t)argc - 3,
                                               .report = stdout };
        status = conformance_run(&options, &result);
    } else if (argc == 3 && strcmp(argv[1], "list") == 0) {
        struct loaded_adapter *adapter = NULL;
        status = adapter_load(argv[2], NULL, &adapter, &why);
        if (status == STATUS_OK)
            adapter_describe(adapter, stdout);
        adapter_unload(&adapter);
    }
    printf("%.*s\n%s\n", (int)why.len, text, status_text(status));
    return status == STATUS_OK ? 0 : 1;
}
