/* zone_file.c - reads TZif (RFC 9636), versions 1 to 4, "fat" and "slim".
 *
 *     header, data with 32-bit times                        all there is in version 1
 *     header, data with 64-bit times, "\n" rule "\n"        from version 2 on
 *
 * The times of the table are taken as they are; after the last, the rule makes two steps a year
 * until 2100. A file whose numbers do not agree with its size or with each other is refused; one
 * with leap seconds too, because its times are not those of the system's clock.
 */
#include "compliance/zone_int.h"

#define HEADER_BYTES 44
#define COUNT_MAX    20000 /* times, types: more are in no zone that there is */
#define RULE_STEPS   ((ZONE_YEAR_LAST - ZONE_YEAR_FIRST + 3) * 2)

struct header {
    uint8_t version; /* 1..4 */
    uint32_t isut_count, isstd_count, leap_count, time_count, type_count, char_count;
};
/* The parts of a data block that matter. */
struct block {
    struct view times, indexes, types;
    uint32_t time_count, type_count, time_bytes;
};

static enum status header_read(struct cursor *c, struct header *out)
{
    struct view magic, reserved;
    uint8_t version;
    TRY(cursor_take(c, 4, &magic));
    if (!view_is(magic, "TZif"))
        return STATUS_MALFORMED;
    TRY(cursor_u8(c, &version));
    TRY(cursor_take(c, 15, &reserved));
    TRY(cursor_u32_be(c, &out->isut_count));
    TRY(cursor_u32_be(c, &out->isstd_count));
    TRY(cursor_u32_be(c, &out->leap_count));
    TRY(cursor_u32_be(c, &out->time_count));
    TRY(cursor_u32_be(c, &out->type_count));
    TRY(cursor_u32_be(c, &out->char_count));
    if (version != 0 && (version < '2' || version > '9')) /* later ones add, they do not change */
        return STATUS_MALFORMED;
    out->version = version == 0 ? 1 : (uint8_t)(version - '0');
    if (out->time_count > COUNT_MAX || out->type_count == 0 || out->type_count > 256 ||
        out->char_count > COUNT_MAX || out->leap_count > COUNT_MAX ||
        out->isut_count > out->type_count || out->isstd_count > out->type_count)
        return STATUS_MALFORMED;
    return STATUS_OK;
}

static enum status block_read(struct cursor *c, const struct header *header, uint32_t time_bytes,
                              struct block *out)
{
    struct view rest;
    *out = (struct block){ .time_count = header->time_count,
                           .type_count = header->type_count,
                           .time_bytes = time_bytes };
    TRY(cursor_take(c, (size_t)header->time_count * time_bytes, &out->times));
    TRY(cursor_take(c, header->time_count, &out->indexes));
    TRY(cursor_take(c, (size_t)header->type_count * 6, &out->types));
    return cursor_take(c,
                       (size_t)header->char_count + (size_t)header->leap_count * (time_bytes + 4) +
                           header->isstd_count + header->isut_count,
                       &rest);
}

static enum status type_offset(const struct block *block, size_t type, int32_t *out)
{
    if (type >= block->type_count)
        return STATUS_MALFORMED;
    struct cursor c = cursor_over(view_slice(block->types, type * 6, 4));
    uint32_t bits;
    TRY(cursor_u32_be(&c, &bits));
    *out = (int32_t)bits;
    return *out > -ZONE_OFFSET_MAX && *out < ZONE_OFFSET_MAX ? STATUS_OK : STATUS_MALFORMED;
}

static enum status time_at(struct cursor *c, uint32_t time_bytes, int64_t *out)
{
    if (time_bytes == 8) {
        uint64_t bits;
        TRY(cursor_u64_be(c, &bits));
        *out = (int64_t)bits;
    } else {
        uint32_t bits;
        TRY(cursor_u32_be(c, &bits));
        *out = (int32_t)bits;
    }
    return STATUS_OK;
}

/* --- steps --------------------------------------------------------------------------------- */

struct steps {
    struct zone_step *rows;
    size_t count;
};

/* What was before 1970 only matters as what holds at its beginning; equal neighbours are one. */
static void step_add(struct steps *steps, struct zone_step step)
{
    struct zone_step *last = &steps->rows[steps->count - 1];
    if (step.at_s < 0) {
        steps->rows[0] = (struct zone_step){ INT64_MIN, step.offset_s };
        return;
    }
    if (step.offset_s != last->offset_s)
        steps->rows[steps->count++] = step;
}

static enum status table_add(const struct block *block, struct steps *steps, int64_t *last_s)
{
    struct cursor c = cursor_over(block->times);
    int64_t before = INT64_MIN;
    for (uint32_t i = 0; i < block->time_count; i++) {
        struct zone_step step;
        TRY(time_at(&c, block->time_bytes, &step.at_s));
        TRY(type_offset(block, block->indexes.ptr[i], &step.offset_s));
        if (i > 0 && step.at_s <= before)
            return STATUS_MALFORMED;
        before = step.at_s;
        step_add(steps, step);
    }
    *last_s = before;
    return STATUS_OK;
}

/* Steps of 1969 tell what held when 1970 began. At the same moment the end of one time and the
 * beginning of the other make a zone that is in one of them all year: the beginning wins, so it
 * comes later. */
static void rule_add(const struct zone_rule *rule, struct steps *steps, int64_t last_s)
{
    struct zone_step all[RULE_STEPS];
    size_t count = 0;
    for (int32_t year = ZONE_YEAR_FIRST - 1; year <= ZONE_YEAR_LAST + 1; year++, count += 2) {
        struct zone_step two[2];
        zone_rule_steps(rule, year, two);
        all[count] = two[1];
        all[count + 1] = two[0];
    }
    for (size_t i = 1; i < count; i++) { /* nearly sorted already */
        struct zone_step step = all[i];
        size_t j = i;
        for (; j > 0 && (all[j - 1].at_s > step.at_s ||
                         (all[j - 1].at_s == step.at_s && step.offset_s == rule->standard_s &&
                          all[j - 1].offset_s != rule->standard_s));
             j--)
            all[j] = all[j - 1];
        all[j] = step;
    }
    for (size_t i = 0; i < count; i++) {
        bool overtaken = i + 1 < count && all[i + 1].at_s == all[i].at_s;
        if (all[i].at_s > last_s && !overtaken)
            step_add(steps, all[i]);
    }
}

static enum status footer_read(struct cursor *c, struct view *out)
{
    struct view rest = cursor_rest(c);
    if (rest.len < 2 || rest.ptr[0] != '\n')
        return STATUS_MALFORMED;
    rest = view_slice(rest, 1, SIZE_MAX);
    size_t end = view_find(rest, '\n');
    if (end == rest.len)
        return STATUS_MALFORMED;
    *out = view_slice(rest, 0, end);
    return STATUS_OK;
}

/* The last block of the file and its rule, which may be empty. */
static enum status parts_read(struct view bytes, struct block *block, struct view *footer)
{
    struct cursor c = cursor_over(bytes);
    struct header header;
    *footer = VIEW_EMPTY;
    TRY(header_read(&c, &header));
    TRY(block_read(&c, &header, 4, block));
    if (header.version >= 2) {
        TRY(header_read(&c, &header));
        TRY(block_read(&c, &header, 8, block));
        TRY(footer_read(&c, footer));
    }
    return header.leap_count == 0 ? STATUS_OK : STATUS_MALFORMED;
}

static enum status steps_make(const struct block *block, struct view footer, struct steps *steps)
{
    struct zone_rule rule = { 0 };
    int64_t last_s = INT64_MIN;
    steps->count = 1;
    steps->rows[0].at_s = INT64_MIN;
    TRY(type_offset(block, 0, &steps->rows[0].offset_s));
    TRY(table_add(block, steps, &last_s));
    if (footer.len == 0)
        return STATUS_OK;
    TRY(zone_rule_read(footer, &rule));
    if (rule.has_summer)
        rule_add(&rule, steps, last_s);
    else if (block->time_count == 0)
        steps->rows[0].offset_s = rule.standard_s;
    return STATUS_OK;
}

enum status zone_file_read(struct view bytes, struct arena *arena, struct zone *out)
{
    struct block block;
    struct view footer;
    struct steps steps;
    enum status s = parts_read(bytes, &block, &footer);
    if (s != STATUS_OK)
        return STATUS_MALFORMED;
    size_t room = (1 + (size_t)block.time_count + RULE_STEPS) * sizeof *steps.rows;
    steps.rows = arena_alloc(arena, room);
    if (steps.rows == NULL)
        return STATUS_NO_MEMORY;
    if (steps_make(&block, footer, &steps) != STATUS_OK)
        return STATUS_MALFORMED;
    arena_trim(arena, steps.rows, steps.count * sizeof *steps.rows);
    *out = (struct zone){ .magic = ZONE_MAGIC, .steps = steps.rows, .count = steps.count };
    return STATUS_OK;
}
