/* screening_fuzz.c - any bytes as a sanctions list, and any bytes as a name.
 *
 * The first byte says what follows: 'c' a plain CSV, 'u' the XML, 'o' sdn.csv, alt.csv and add.csv
 * with a byte FE between them (no UTF-8 has it), else a name to be looked up in a small list. What
 * was read is weighed and indexed, and every name that was taken must be found by itself.
 */
#include "base/ensure.h"
#include "screening/find_int.h"
#include "screening/read_int.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEPARATOR 0xFE
#define NAMES_MAX 64 /* looked up again */

static FILE *file_of(struct view bytes)
{
    static uint8_t nothing[1];
    FILE *file = bytes.len > 0 ? fmemopen((void *)(uintptr_t)bytes.ptr, bytes.len, "rb")
                               : fmemopen(nothing, 1, "rb");
    ENSURE(file != NULL);
    if (bytes.len == 0)
        ENSURE(fgetc(file) == 0);
    return file;
}

static struct view part_take(struct view *rest)
{
    size_t end = view_find(*rest, SEPARATOR);
    struct view part = view_slice(*rest, 0, end);
    *rest = view_slice(*rest, end + 1, rest->len);
    return part;
}

static enum status read_list(struct reading *r, uint8_t format, struct view bytes)
{
    FILE *files[3];
    enum status s;
    for (size_t i = 0; i < COUNT_OF(files); i++)
        files[i] = file_of(format == 'o' ? part_take(&bytes) : bytes);
    if (format == 'o')
        s = read_ofac(r, files[0], files[1], files[2]);
    else
        s = format == 'u' ? read_un_xml(r, files[0]) : read_csv(r, files[0]);
    for (size_t i = 0; i < COUNT_OF(files); i++)
        fclose(files[i]);
    return s;
}

/* With `all`, every name of the book too. */
static void look_up(const struct book *book, struct view name, bool all)
{
    static const char *const lists[1] = { "fuzz" };
    struct index index;
    struct find_room room;
    struct screening_hit hits[SCREENING_HITS_MAX];
    uint32_t best;
    if (index_open(&index, book) != STATUS_OK || find_room_open(&room, book) != STATUS_OK)
        abort();
    struct screening_query query = { .name = name, .birth_date = name, .threshold = 50 };
    size_t count = find_names(book, &index, &room, &query, 1, lists, hits, &best);
    ENSURE(best <= 100 && count <= SCREENING_HITS_MAX);
    for (size_t i = 0; all && i < book->names.count && i < NAMES_MAX; i++) {
        const struct book_name *row = &book_names(book)[i];
        query = (struct screening_query){ .name = view_text(book_text(book, row->text_at)),
                                          .threshold = 50 };
        count = find_names(book, &index, &room, &query, 1, lists, hits, &best);
        /* What is cut may be cut elsewhere once "SURNAME, Given" was turned round. */
        ENSURE(count > 0 || row->tokens == BOOK_TOKENS_MAX || query.name.len > 400);
        for (size_t n = 0; n < book->names.count; n++)
            ENSURE(room.marks[n].by == 0);
        for (size_t w = 0; w < book->words.count; w++)
            ENSURE(room.shared[w] == 0);
    }
    find_room_close(&room);
    index_close(&index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct letters *speller; /* opening one takes milliseconds */
    static const char sample[] =
        "id,name,aliases\n1,Tarvold Mesk,T. Mesk;\xD0\x96\xD1\x83\xD0\xBA\n"
        "2,al-Mesk bin Tar Vold,\n3,Mesk Ltd,\n";
    if (size < 1)
        return 0;
    if (speller == NULL && letters_open(&speller) != STATUS_OK)
        abort();
    struct book book;
    struct screening_list list = { .name = "fuzz" };
    struct reading r = { .book = &book, .list = &list, .file = "fuzz" };
    struct view bytes = view_of(data + 1, size - 1);
    bool is_list = data[0] == 'c' || data[0] == 'u' || data[0] == 'o';
    if (names_book_open(&book, speller) != STATUS_OK)
        abort();
    struct book_mark mark = book_mark(&book);
    enum status s = is_list ? read_list(&r, data[0], bytes)
                            : read_list(&r, 'c', view_of(sample, sizeof sample - 1));
    ENSURE(is_list || (s == STATUS_OK && book.names.count == 5));
    ENSURE(s != STATUS_NO_MEMORY && (s == STATUS_OK || list.why[0] != '\0'));
    ENSURE(memchr(list.why, 0, sizeof list.why) != NULL);
    if (s != STATUS_OK)
        book_rewind(&book, mark);
    book_weigh(&book);
    look_up(&book, is_list ? VIEW("Tarvold Mesk 1970") : bytes, is_list);
    names_book_close(&book);
    return 0;
}
