/* SPDX-License-Identifier: Apache-2.0
 *
 * transcript.c - plays transcripts against an adapter, and only that: what a line expects must come
 * out, each step well formed and the same twice. `railgate adapter test` does all the rest (every
 * cut, every changed byte, small rooms) with the same transcripts.
 *
 *     transcript ADAPTER.so FILE...
 *
 * The words of a transcript are in docs/adapter-developer.md; the player is gateway/kit.
 */
#include "kit/conformance.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static enum status play(const char *adapter, const char *const *files, size_t count)
{
    char *report = NULL;
    size_t len = 0;
    struct conformance_result result;
    struct conformance_options options = { .path = adapter,
                                           .transcripts = files,
                                           .transcripts_count = count,
                                           .depth = CONFORMANCE_PLAY,
                                           .budget_us = 1000000,
                                           .report = open_memstream(&report, &len) };
    if (options.report == NULL)
        return STATUS_NO_MEMORY;
    enum status status = conformance_run(&options, &result);
    fclose(options.report);
    if (status != STATUS_OK)
        fputs(report, stderr);
    free(report);
    return status;
}

int main(int argc, char **argv)
{
    char adapter[PATH_MAX];
    if (argc < 3 || realpath(argv[1], adapter) == NULL) {
        fprintf(stderr, "usage: transcript ADAPTER.so FILE...\n");
        return 2;
    }
    int code = 0;
    for (int i = 2; i < argc; i++) {
        const char *const file = argv[i];
        enum status status = play(adapter, &file, 1);
        printf("%s: %s\n", file, status == STATUS_OK ? "passed" : "failed");
        code = status != STATUS_OK ? 1 : code;
    }
    return code;
}
