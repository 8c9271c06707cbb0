/* scaffold.c - writes the files a new adapter begins with. Interface: scaffold.h. */
#include "kit/scaffold.h"

#include "base/ensure.h"
#include "domain/words.h"
#include "scaffold_text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX 32768

struct scaffold {
    const char *folder, *name, *rail, *transport;
    struct writer *why;
};

/* Is a line with this mark written for this transport? */
static bool wanted(struct view mark, const char *transport)
{
    bool local = strcmp(transport, "local") == 0;
    if (view_is(mark, "WIRE"))
        return !local;
    if (view_is(mark, "FRAMED"))
        return strcmp(transport, "framed") == 0;
    if (view_is(mark, "HTTP"))
        return strcmp(transport, "http") == 0;
    return local; /* LOCAL */
}

static bool is_mark(struct view word)
{
    return view_is(word, "WIRE") || view_is(word, "FRAMED") || view_is(word, "HTTP") ||
           view_is(word, "LOCAL");
}

/* "@WORD@" at the front of `text`: WORD, else an empty view. */
static struct view mark_of(struct view text)
{
    if (text.len < 3 || text.ptr[0] != '@')
        return VIEW_EMPTY;
    size_t end = view_find(view_slice(text, 1, text.len), '@');
    return end > 10 ? VIEW_EMPTY : view_slice(text, 1, end);
}

static void fill_line(const struct scaffold *s, struct view line, struct writer *out)
{
    struct view mark = mark_of(line);
    if (is_mark(mark)) {
        if (!wanted(mark, s->transport))
            return;
        line = view_slice(line, mark.len + 2, line.len);
    }
    for (size_t i = 0; i < line.len;) {
        struct view word = mark_of(view_slice(line, i, line.len));
        if (view_is(word, "NAME") || view_is(word, "RAIL")) {
            writer_text(out, view_is(word, "NAME") ? s->name : s->rail);
            i += word.len + 2;
        } else {
            writer_u8(out, line.ptr[i++]);
        }
    }
    writer_u8(out, '\n');
}

static enum status write_file(const struct scaffold *s, const char *file, const char *text)
{
    static const mode_t mode = 0644;
    char path[PATH_MAX];
    uint8_t filled[FILE_MAX];
    struct writer name = writer_over(path, sizeof path), out = writer_over(filled, sizeof filled);
    writer_format(&name, "%s/%s", s->folder, file);
    TRY(writer_terminate(&name));
    for (struct view rest = view_text(text); rest.len > 0;) {
        size_t end = view_find(rest, '\n');
        fill_line(s, view_slice(rest, 0, end), &out);
        rest = view_slice(rest, end + 1, rest.len);
    }
    ENSURE(writer_status(&out) == STATUS_OK);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    bool done = fd >= 0 && write(fd, out.ptr, out.len) == (ssize_t)out.len;
    if (!done)
        writer_format(s->why, "%s: cannot be written: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return done ? STATUS_OK : STATUS_IO;
}

static enum status make_folder(const struct scaffold *s, const char *tail)
{
    char path[PATH_MAX];
    struct writer name = writer_over(path, sizeof path);
    writer_format(&name, "%s%s", s->folder, tail);
    TRY(writer_terminate(&name));
    if (mkdir(path, 0755) == 0)
        return STATUS_OK;
    writer_format(s->why, "%s: cannot be made: %s", path, strerror(errno));
    return errno == EEXIST ? STATUS_EXISTS : STATUS_IO;
}

static enum status check_words(const struct scaffold *s)
{
    enum rail rail;
    size_t len = strlen(s->name);
    if (len < 1 || len > 32 || s->name[0] < 'a' || s->name[0] > 'z' ||
        strspn(s->name, "abcdefghijklmnopqrstuvwxyz0123456789_") != len) {
        writer_text(s->why, "a name is 1 to 32 of a-z, 0-9 and _, and begins with a letter");
        return STATUS_MALFORMED;
    }
    if (rail_parse(view_text(s->rail), &rail) != STATUS_OK) {
        writer_text(s->why, "a rail is card, qr, bank or cbdc");
        return STATUS_NOT_FOUND;
    }
    if (strcmp(s->transport, "http") != 0 && strcmp(s->transport, "framed") != 0 &&
        strcmp(s->transport, "local") != 0) {
        writer_text(s->why, "a transport is http, framed or local");
        return STATUS_NOT_FOUND;
    }
    return STATUS_OK;
}

enum status scaffold_write(const char *folder, const char *name, const char *rail,
                           const char *transport, struct writer *why)
{
    struct scaffold s = { folder, name, rail, transport, why };
    char source[40];
    struct writer file = writer_over(source, sizeof source);
    TRY(check_words(&s));
    TRY(make_folder(&s, ""));
    TRY(make_folder(&s, "/transcripts"));
    writer_format(&file, "%s.c", name);
    TRY(writer_terminate(&file));
    TRY(write_file(&s, source, scaffold_source));
    TRY(write_file(&s, "transcripts/first.txt", scaffold_transcript));
    return write_file(&s, "CMakeLists.txt", scaffold_cmake);
}
