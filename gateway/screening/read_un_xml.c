/* read_un_xml.c - the consolidated list of the United Nations Security Council, XML.
 *
 *     CONSOLIDATED_LIST dateGenerated="..."
 *       INDIVIDUALS / INDIVIDUAL: DATAID, REFERENCE_NUMBER, FIRST_NAME .. FOURTH_NAME,
 *           NAME_ORIGINAL_SCRIPT, NATIONALITY/VALUE, INDIVIDUAL_ALIAS/(QUALITY, ALIAS_NAME),
 *           INDIVIDUAL_DATE_OF_BIRTH/(TYPE_OF_DATE, DATE | YEAR | FROM_YEAR, TO_YEAR)
 *       ENTITIES / ENTITY: the same with FIRST_NAME only and ENTITY_ALIAS
 *
 * The XML is read as a stream by xml/xml_stream.h, which stands against hostile bytes; the size of
 * the file, of a text and of a record have limits. What is cut off in the middle is not
 * well-formed, and then nothing of the list is used.
 *
 * A record is gathered until its element ends, since its number may come after its names.
 */
#include "screening/read_int.h"

#include "base/ensure.h"
#include "xml/xml_stream.h"

#include <stdlib.h>

#define TEXT_MAX    1024 /* of one element; what is longer is cut: no name, number or date is */
#define RECORD_MAX  32768
#define ALIASES_MAX 256
#define CIRCA_YEARS 3

// clang-format off
#define ELEMENTS(X)                                                      \
    X(CONSOLIDATED_LIST) X(INDIVIDUALS) X(ENTITIES) X(INDIVIDUAL)        \
    X(ENTITY) X(DATAID) X(REFERENCE_NUMBER) X(FIRST_NAME)                \
    X(SECOND_NAME) X(THIRD_NAME) X(FOURTH_NAME) X(NAME_ORIGINAL_SCRIPT)  \
    X(NATIONALITY) X(VALUE) X(INDIVIDUAL_ALIAS) X(ENTITY_ALIAS)          \
    X(QUALITY) X(ALIAS_NAME) X(INDIVIDUAL_DATE_OF_BIRTH)                 \
    X(TYPE_OF_DATE) X(DATE) X(YEAR) X(FROM_YEAR) X(TO_YEAR)
// clang-format on

enum element {
    EL_OTHER = XML_OTHER,
#define X(name) EL_##name,
    ELEMENTS(X)
#undef X
};

struct un_alias {
    struct view name;
    bool weak;
};

struct un {
    struct reading *r;
    const struct xml_place *place; /* its path: enum element */
    enum status status;            /* OK until something ends the reading */
    /* the record */
    uint8_t kept[RECORD_MAX];
    size_t kept_len;
    struct view id, reference, names[4], script, nationality;
    struct un_alias aliases[ALIASES_MAX];
    size_t aliases_count;
    struct book_birth births[BOOK_BIRTHS_MAX];
    size_t births_count;
    bool cut; /* did not fit */
    /* within an alias or a date of birth */
    struct view alias;
    bool weak, circa;
    int16_t year, from_year, to_year;
};

static void stop(struct un *u, enum status status, const char *what)
{
    u->status = what != NULL ? read_refuse(u->r, status, u->r->file, u->place->line, what) : status;
}

/* --- the record ------------------------------------------------------------------------------ */

static void record_begin(struct un *u)
{
    u->kept_len = 0;
    u->id = u->reference = u->script = u->nationality = VIEW_EMPTY;
    for (size_t i = 0; i < COUNT_OF(u->names); i++)
        u->names[i] = VIEW_EMPTY;
    u->aliases_count = u->births_count = 0;
    u->cut = false;
}

static struct view keep_text(struct un *u)
{
    struct view text = u->place->text;
    if (text.len > RECORD_MAX - u->kept_len) {
        u->cut = true;
        return VIEW_EMPTY;
    }
    uint8_t *to = u->kept + u->kept_len;
    memcpy(to, text.ptr, text.len);
    u->kept_len += text.len;
    return view_of(to, text.len);
}

static void alias_add(struct un *u)
{
    if (u->alias.len == 0)
        return;
    if (u->aliases_count == ALIASES_MAX)
        u->cut = true;
    else
        u->aliases[u->aliases_count++] = (struct un_alias){ .name = u->alias, .weak = u->weak };
}

static void birth_add(struct un *u)
{
    int16_t from = u->year > 0 ? u->year : u->from_year, to = u->year > 0 ? u->year : u->to_year;
    int16_t wide = u->circa ? CIRCA_YEARS : 0;
    if (from == 0)
        from = to;
    if (to < from)
        to = from;
    if (from > 0 && u->births_count < BOOK_BIRTHS_MAX)
        u->births[u->births_count++] = (struct book_birth){ .from_year = (int16_t)(from - wide),
                                                            .to_year = (int16_t)(to + wide) };
}

static enum status name_add(struct un *u, uint32_t entry, struct view name, unsigned flags)
{
    enum status s = name.len > 0 ? book_name(u->r->book, entry, name, flags) : STATUS_OK;
    if (s == STATUS_MALFORMED) {
        read_skip(u->r, u->r->file, u->place->line, "an alias has no letter in it");
        return STATUS_OK;
    }
    return s;
}

static enum status record_fill(struct un *u, uint32_t entry)
{
    uint8_t room[4 * TEXT_MAX + 4];
    struct writer name = writer_over(room, sizeof room);
    for (size_t i = 0; i < COUNT_OF(u->names); i++) {
        if (name.len > 0 && u->names[i].len > 0)
            writer_u8(&name, ' ');
        writer_view(&name, u->names[i]);
    }
    TRY(book_name(u->r->book, entry, writer_done(&name), 0));
    TRY(name_add(u, entry, u->script, NAME_ALIAS));
    for (size_t i = 0; i < u->aliases_count; i++)
        TRY(name_add(u, entry, u->aliases[i].name,
                     NAME_ALIAS | (u->aliases[i].weak ? NAME_WEAK : 0)));
    for (size_t i = 0; i < u->births_count; i++)
        TRY(book_birth(u->r->book, u->births[i]));
    book_country(u->r->book, entry, u->nationality);
    return STATUS_OK;
}

static void record_end(struct un *u, enum entry_kind kind)
{
    struct book_mark mark = book_mark(u->r->book);
    struct view id = u->reference.len > 0 ? u->reference : u->id;
    uint32_t entry;
    enum status s = names_book_entry(u->r->book, u->r->list_number, kind, id, &entry);
    if (s == STATUS_OK)
        s = record_fill(u, entry);
    if (s == STATUS_MALFORMED) {
        book_rewind(u->r->book, mark);
        read_skip(u->r, u->r->file, u->place->line, "the entry has no name");
    } else if (s == STATUS_FULL) {
        IGNORE_STATUS(read_book_full(u->r, u->r->file, u->place->line)); /* the sentence only */
        stop(u, STATUS_FULL, NULL);
    } else if (s != STATUS_OK) {
        stop(u, s, NULL);
    } else if (u->cut) {
        read_skip(u->r, u->r->file, u->place->line, "the entry has more aliases than are read");
    }
}

/* --- the document ---------------------------------------------------------------------------- */

static void read_date(struct un *u)
{
    struct view text;
    int64_t time_us;
    if (!xml_attribute_value(u->place->attributes, VIEW("dateGenerated"), &text))
        return;
    if (read_time(text, &time_us) == STATUS_OK)
        u->r->list->published_us = time_us;
    else
        read_skip(u->r, u->r->file, u->place->line, "dateGenerated is no date");
}

static enum status on_open(void *arg, const struct xml_place *place)
{
    struct un *u = arg;
    u->place = place;
    enum element element = (enum element)place->path[place->depth - 1];
    if (place->depth == 1) {
        if (element != EL_CONSOLIDATED_LIST)
            stop(u, STATUS_MALFORMED, "this is not a CONSOLIDATED_LIST");
        else
            read_date(u);
    }
    if (place->depth == 3 && (element == EL_INDIVIDUAL || element == EL_ENTITY))
        record_begin(u);
    if (element == EL_INDIVIDUAL_ALIAS || element == EL_ENTITY_ALIAS) {
        u->alias = VIEW_EMPTY;
        u->weak = false;
    }
    if (element == EL_INDIVIDUAL_DATE_OF_BIRTH) {
        u->circa = false;
        u->year = u->from_year = u->to_year = 0;
    }
    return u->status;
}

/* A value directly below the record. */
static void end_of_value(struct un *u, enum element element)
{
    switch (element) {
    case EL_DATAID: u->id = keep_text(u); break;
    case EL_REFERENCE_NUMBER: u->reference = keep_text(u); break;
    case EL_FIRST_NAME: u->names[0] = keep_text(u); break;
    case EL_SECOND_NAME: u->names[1] = keep_text(u); break;
    case EL_THIRD_NAME: u->names[2] = keep_text(u); break;
    case EL_FOURTH_NAME: u->names[3] = keep_text(u); break;
    case EL_NAME_ORIGINAL_SCRIPT: u->script = keep_text(u); break;
    case EL_INDIVIDUAL_ALIAS:
    case EL_ENTITY_ALIAS: alias_add(u); break;
    case EL_INDIVIDUAL_DATE_OF_BIRTH: birth_add(u); break;
    default: break;
    }
}

/* A value one level further down. */
static void end_of_part(struct un *u, enum element within, enum element element)
{
    struct view text = u->place->text;
    if (within == EL_NATIONALITY && element == EL_VALUE && u->nationality.len == 0)
        u->nationality = keep_text(u);
    if (within == EL_INDIVIDUAL_ALIAS || within == EL_ENTITY_ALIAS) {
        if (element == EL_ALIAS_NAME)
            u->alias = keep_text(u);
        if (element == EL_QUALITY)
            u->weak = view_equal_nocase(text, VIEW("low"));
    }
    if (within == EL_INDIVIDUAL_DATE_OF_BIRTH) {
        if (element == EL_TYPE_OF_DATE)
            u->circa = view_equal_nocase(text, VIEW("approximately"));
        if (element == EL_DATE || element == EL_YEAR)
            u->year = read_year(text);
        if (element == EL_FROM_YEAR)
            u->from_year = read_year(text);
        if (element == EL_TO_YEAR)
            u->to_year = read_year(text);
    }
}

static enum status on_close(void *arg, const struct xml_place *place)
{
    struct un *u = arg;
    u->place = place;
    enum element element = (enum element)place->path[place->depth - 1];
    bool individual = place->depth >= 3 && place->path[1] == EL_INDIVIDUALS;
    bool entity = place->depth >= 3 && place->path[1] == EL_ENTITIES;
    if (place->depth == 3 && individual && element == EL_INDIVIDUAL)
        record_end(u, ENTRY_PERSON);
    else if (place->depth == 3 && entity && element == EL_ENTITY)
        record_end(u, ENTRY_ENTITY);
    else if (place->depth == 4 && (individual || entity))
        end_of_value(u, element);
    else if (place->depth == 5 && (individual || entity))
        end_of_part(u, (enum element)place->path[3], element);
    return u->status;
}

enum status read_un_xml(struct reading *r, FILE *file)
{
    static const struct view words[] = {
#define X(name) VIEW(#name),
        ELEMENTS(X)
#undef X
    };
    struct un *u = calloc(1, sizeof *u);
    if (u == NULL)
        return STATUS_NO_MEMORY;
    const struct xml_rules rules = { .words = words,
                                     .word_count = COUNT_OF(words),
                                     .text_max = TEXT_MAX,
                                     .bytes_max = READ_FILE_MAX,
                                     .too_large = "the file is larger than 256 MiB",
                                     .open = on_open,
                                     .close = on_close };
    struct xml_refusal refusal;
    u->r = r;
    u->status = STATUS_OK;
    enum status s = xml_stream(file, &rules, u, &refusal);
    if (refusal.what != NULL)
        s = read_refuse(r, s, r->file, refusal.line, refusal.what);
    free(u);
    return s;
}
