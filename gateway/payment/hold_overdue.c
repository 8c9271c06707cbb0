/* hold_overdue.c - held payments whose time is over fail by themselves: a timer looks as long as
 * any are held. How many that are is counted when the room starts.
 */
#include "payment/hold_int.h"

#include "base/ensure.h"

#define LOOK_EVERY_US (5 * LOOP_US_PER_S)
#define LOOK_NEXT_US  (100 * LOOP_US_PER_MS) /* there are more */
#define LOOK_AT_ONCE  50

static void look_later(struct payments *room)
{
    if (room->held_count > 0 && !timer_is_armed(&room->hold_look) && !room->stopping)
        timer_start(&room->hold_look, LOOK_EVERY_US);
}

void hold_one_more(struct payments *room)
{
    room->held_count++;
    look_later(room);
}

void hold_one_less(struct payments *room)
{
    if (room->held_count > 0)
        room->held_count--;
}

/* Thousands may be over at once, and some may be unreadable: the next look goes on behind these. */
static void look_on(struct payments *room, const struct store_read *read)
{
    bool more = read->result == STATUS_OK && read->more && read->count > 0;
    room->hold_after = more ? read->held[read->count - 1].payment : 0;
    if (more)
        timer_start(&room->hold_look, LOOK_NEXT_US);
    else
        look_later(room);
}

static void overdue_read(struct store_read *read, void *arg)
{
    struct payments *room = arg;
    ENSURE_MAGIC(room, PAYMENTS_MAGIC);
    room->hold_reading = false;
    if (room->stopping)
        return;
    for (size_t i = 0; read->result == STATUS_OK && i < read->count; i++) {
        struct work *work = work_new(room, WORK_RECOVERED);
        if (work == NULL)
            break;
        /* The rows live in the room's arena: what the work keeps of them is copied. */
        struct held_row held = read->held[i];
        held.data = arena_copy(&work->keep, held.data);
        enum status opened = hold_open(work, &read->payments[i], &held);
        if (opened == STATUS_OK) {
            hold_forgo_late(work);
        } else { /* looked at again; memory that was out has come back then */
            char id[ID_TEXT_MAX];
            LOG(room->o.log, LOG_ERROR, "payment.held_unreadable",
                LOG_TEXT("payment", id_format(ID_PAYMENT, held.payment, id)),
                LOG_STATUS("status", opened));
            work_finish(work);
        }
    }
    look_on(room, read);
    arena_reset(&room->hold_arena);
}

static void look(struct timer *timer, void *arg)
{
    struct payments *room = arg;
    (void)timer;
    ENSURE_MAGIC(room, PAYMENTS_MAGIC);
    if (room->stopping || room->hold_reading)
        return;
    room->hold_read = (struct store_read){ .question = STORE_HELD,
                                           .arena = &room->hold_arena,
                                           .held_until_us = loop_wall_us(room->o.loop),
                                           .after = room->hold_after,
                                           .limit = LOOK_AT_ONCE,
                                           .done = overdue_read,
                                           .arg = room };
    room->hold_reading = true;
    if (store_ask(room->o.store, &room->hold_read) != STATUS_OK) {
        room->hold_reading = false;
        look_later(room);
    }
}

static void count_page(struct payments *room, int64_t after);

static void counted(struct store_read *read, void *arg)
{
    struct payments *room = arg;
    ENSURE_MAGIC(room, PAYMENTS_MAGIC);
    room->hold_reading = false;
    if (room->stopping)
        return;
    int64_t last = 0;
    if (read->result == STATUS_OK) {
        room->held_count += read->count;
        if (read->count > 0)
            last = read->held[read->count - 1].payment;
    } else {
        room->held_count++; /* not known: keep looking */
    }
    bool more = read->result == STATUS_OK && read->more;
    arena_reset(&room->hold_arena);
    if (more)
        count_page(room, last);
    else
        look_later(room);
}

static void count_page(struct payments *room, int64_t after)
{
    room->hold_read = (struct store_read){ .question = STORE_HELD,
                                           .arena = &room->hold_arena,
                                           .after = after,
                                           .done = counted,
                                           .arg = room };
    room->hold_reading = true;
    if (store_ask(room->o.store, &room->hold_read) != STATUS_OK) {
        room->hold_reading = false;
        room->held_count++; /* not known: keep looking */
        look_later(room);
    }
}

enum status hold_init(struct payments *room)
{
    timer_init(&room->hold_look, room->o.loop, look, room);
    arena_init(&room->hold_arena, (size_t)16 * 1024 * 1024);
    return hold_kept_open(room);
}

void hold_start(struct payments *room)
{
    count_page(room, 0);
}

void hold_fini(struct payments *room)
{
    timer_stop(&room->hold_look);
    hold_kept_close(room);
    arena_reset(&room->hold_arena);
}
