/* masked.c - see masked.h. What masking is: payment/mask.h. */
#include "main/masked.h"

#include "base/ensure.h"
#include "base/json_out.h"
#include "main/deciding.h"
#include "payment/render.h"

/* For payments of profiles that cannot be read. */
static const struct mask_settings strict_masks[] = { { .fact = "payer.account" },
                                                     { .fact = "payee.account" },
                                                     { .fact = "payer.national_id" },
                                                     { .fact = "payee.national_id" },
                                                     { .fact = "payer.birth_date" } };
static const struct region_settings strict_region = { .masks = strict_masks,
                                                      .masks_count = COUNT_OF(strict_masks) };

enum status masked_payment(const struct settings *settings, const struct payment_row *row,
                           struct arena *arena, struct masks *masks, struct view *out)
{
    size_t room = 8192 + row->facts_json.len + row->outcome_json.len + 6 * row->reference.len;
    char *bytes = arena_alloc(arena, room), sentence[256];
    struct writer w = writer_over(bytes, bytes != NULL ? room : 0);
    struct writer why = writer_over(sentence, sizeof sentence);
    struct json_out j;
    const struct json_node *root = NULL;
    struct compliance_facts facts;
    struct view name = VIEW_EMPTY;
    *masks = (struct masks){ 0 };
    json_out_init(&j, &w);
    render_payment(&j, NULL, row);
    if (w.overflow)
        return STATUS_NO_MEMORY;
    struct json_limits limits = { .bytes_max = w.len + 1, .nodes_max = 65536, .depth_max = 20 };
    TRY(json_read(writer_done(&w), &limits, arena, &root, NULL));
    bool known = deciding_facts(root, settings, row->created_us, &facts, &why) == STATUS_OK;
    IGNORE_STATUS(json_text(json_member(json_member(root, "decision"), "profile"), &name));
    const struct region_settings *region = name.len > 0 ? settings_region(settings, name) : NULL;
    if (settings->regions_count == 0)
        masks_take(masks, &strict_region, "operator", root, known ? &facts : NULL);
    for (size_t i = 0; i < settings->regions_count; i++)
        if (region == NULL || region == &settings->regions[i])
            masks_take(masks, &settings->regions[i], "operator", root, known ? &facts : NULL);
    return masked_json(masks, writer_done(&w), arena, out);
}
