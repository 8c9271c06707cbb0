/* code.c - GET /v1/payments/{id}/code.svg and code.png: the QR picture that the payer has to scan.
 *
 * Made anew each time from the payment's next_action, so it is there as long as the payment waits
 * for that and not a moment longer. ?size= is the width of one module in pixels.
 */
#include "api/api_int.h"

#include "base/ensure.h"
#include "domain/time.h"
#include "picture/picture.h"

#define MODULE_PX_DEFAULT 8
#define MODULE_PX_MAX     64

struct view code_of(struct arena *arena, struct view outcome_json, int64_t now_us)
{
    struct view payload = VIEW_EMPTY, type = VIEW_EMPTY, expires = VIEW_EMPTY;
    const struct json_node *root;
    size_t room = outcome_json.len + 2;
    uint8_t *bytes = arena_alloc(arena, room);
    if (bytes == NULL)
        return VIEW_EMPTY;
    struct writer w = writer_over(bytes, room);
    writer_text(&w, "{");
    writer_view(&w, outcome_json);
    writer_text(&w, "}");
    if (json_read(writer_done(&w), NULL, arena, &root, NULL) != STATUS_OK)
        return VIEW_EMPTY;
    const struct json_node *action = json_member(root, "next_action");
    if (json_text(json_member(action, "type"), &type) != STATUS_OK || !view_is(type, "show_code") ||
        json_text(json_member(action, "payload"), &payload) != STATUS_OK)
        return VIEW_EMPTY;
    if (json_text(json_member(action, "expires"), &expires) == STATUS_OK) {
        char now[40];
        struct writer n = writer_over(now, sizeof now);
        time_format(&n, now_us);
        /* Both in UTC and of the same form, so their order is that of their letters. */
        if (n.len != expires.len || memcmp(now, expires.ptr, n.len) >= 0)
            return VIEW_EMPTY;
    }
    return payload;
}

static bool size_parameter(struct call *call, unsigned *module_px)
{
    struct view size;
    uint64_t number = MODULE_PX_DEFAULT;
    if (!parameter(call, "size", 8, &size))
        return false;
    if (size.len > 0 && (view_to_u64(size, MODULE_PX_MAX, &number) != STATUS_OK || number == 0)) {
        reply_problem(call, PROBLEM_INVALID_PARAMETER,
                      "`size` must be 1 to %d pixels for a module.", MODULE_PX_MAX);
        return false;
    }
    *module_px = (unsigned)number;
    return true;
}

typedef enum status draw_fn(struct view text, unsigned module_px, struct writer *out);

static void reply_code(struct call *call, const char *type, draw_fn *draw)
{
    const struct payment_row *row = &call->read.payments[0];
    unsigned module_px;
    if (!size_parameter(call, &module_px))
        return;
    struct view payload = VIEW_EMPTY;
    if (row->status == PAYMENT_REQUIRES_ACTION)
        payload = code_of(&call->arena, row->outcome_json, loop_wall_us(call->api->o.loop));
    if (payload.len == 0) {
        reply_problem(call, PROBLEM_NOT_FOUND, "The payment is %s and has no code to show.",
                      payment_status_word(row->status));
        return;
    }
    uint8_t *room = arena_alloc(&call->arena, PICTURE_BYTES_MAX);
    struct writer w = writer_over(room, room != NULL ? PICTURE_BYTES_MAX : 0);
    if (draw(payload, module_px, &w) != STATUS_OK || w.overflow)
        reply_problem(call, PROBLEM_INTERNAL, "The code cannot be drawn; show its payload.");
    else
        reply_bytes(call, type, writer_done(&w));
}

static void svg_read(struct call *call)
{
    reply_code(call, "image/svg+xml", picture_svg);
}

static void png_read(struct call *call)
{
    reply_code(call, "image/png", picture_png);
}

void run_code_svg(struct call *call)
{
    call->then = svg_read;
    run_read(call);
}

void run_code_png(struct call *call)
{
    call->then = png_read;
    run_read(call);
}
