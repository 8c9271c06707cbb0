/* watch.c - counts of attempts in trouble, and the alert when they are too many or too old.
 *
 * An attempt in trouble is an entry: found by its id (map), and in the list of its sum (channel,
 * currency, class), oldest first. Entries come nearly in the order of their age, so a place is
 * looked for from the end. The map is made twice as large when it is full.
 *
 * The alert begins with the attempt, or at the moment, that passes a threshold, and is over when
 * nothing has passed it for CALM_US: attempts that come and go around a threshold shall not fill
 * the log.
 */
#include "payment/watch.h"

#include "base/ensure.h"
#include "base/list.h"
#include "base/map.h"

#include <stdlib.h>

#define PLACES_FIRST 1024
#define CALM_US      (10 * LOOP_US_PER_S)
#define LOOK_MOST_US (60 * LOOP_US_PER_S) /* the wall clock may be set meanwhile */
enum { ALERTS = WATCH_ALERT_COUNT };

struct sum {
    struct watch_sum shown;
    struct list entries; /* by since_us */
};

struct entry {
    struct list link;
    struct sum *sum;
    int64_t id, since_us, amount;
};

struct alert {
    bool on;
    int64_t passed_us; /* monotonic: when it was last seen beyond its threshold */
};

struct watch {
    struct watch_options o;
    struct map *entries; /* attempt id -> entry */
    size_t places;
    struct sum **sums;
    size_t sum_count, sum_room;
    struct alert alerts[ALERTS + 1];
    struct timer later;
};

/* --- rows ------------------------------------------------------------------------------------ */

const char *watch_class_word(enum watch_class class)
{
    switch (class) {
    case WATCH_UNKNOWN: return "unknown";
    case WATCH_PARKED: return "parked";
    case WATCH_CONFLICT: return "conflict";
    }
    return "?";
}

const char *watch_alert_word(enum watch_alert alert)
{
    return alert == WATCH_ALERT_AGE ? "unknown_age" : "unknown_count";
}

enum watch_class watch_class_of(const struct attempt_row *row)
{
    if (row->parent != 0)
        return 0;
    switch (row->state) {
    case ATTEMPT_UNKNOWN:
    case ATTEMPT_REVERSING: return WATCH_UNKNOWN;
    case ATTEMPT_SENDING: return row->tries > 1 ? WATCH_UNKNOWN : 0;
    case ATTEMPT_PARKED: return WATCH_PARKED;
    case ATTEMPT_CONFLICT: return WATCH_CONFLICT;
    default: return 0;
    }
}

int64_t watch_since_us(const struct attempt_row *row)
{
    switch (watch_class_of(row)) {
    case WATCH_PARKED:
    case WATCH_CONFLICT: return row->updated_us;
    default: break;
    }
    /* What was shown to a person until next_us was not unknown before. */
    if (row->state == ATTEMPT_REVERSING && row->next_us != 0)
        return row->next_us < row->updated_us ? row->next_us : row->updated_us;
    return row->created_us;
}

int64_t watch_amount(const struct attempt_row *row)
{
    return row->verb == OPERATION_CANCEL && row->amount == 0 ? row->original : row->amount;
}

/* --- entries ---------------------------------------------------------------------------------- */

static struct view id_key(const int64_t *id)
{
    return view_of(id, sizeof *id);
}

static struct sum *sum_of(struct watch *watch, const struct attempt_row *row,
                          enum watch_class class)
{
    for (size_t i = 0; i < watch->sum_count; i++) {
        struct watch_sum *shown = &watch->sums[i]->shown;
        if (shown->class == class && view_is(row->channel, shown->channel) &&
            memcmp(shown->currency, row->currency, sizeof shown->currency) == 0)
            return watch->sums[i];
    }
    if (watch->sum_count == watch->sum_room) {
        size_t room = watch->sum_room == 0 ? 16 : watch->sum_room * 2;
        struct sum **sums = realloc(watch->sums, room * sizeof *sums);
        if (sums == NULL)
            return NULL;
        watch->sums = sums;
        watch->sum_room = room;
    }
    struct sum *sum = calloc(1, sizeof *sum);
    if (sum == NULL)
        return NULL;
    sum->shown.class = class;
    if (view_to_text(row->channel, sum->shown.channel, sizeof sum->shown.channel) != STATUS_OK) {
        free(sum); /* no channel has such a name */
        return NULL;
    }
    memcpy(sum->shown.currency, row->currency, sizeof sum->shown.currency);
    list_init(&sum->entries);
    watch->sums[watch->sum_count++] = sum;
    return sum;
}

static void show_oldest(struct sum *sum)
{
    sum->shown.oldest_us =
        list_empty(&sum->entries)
            ? 0
            : CONTAINER_OF(sum->entries.next, const struct entry, link)->since_us;
}

static void entry_drop(struct watch *watch, struct entry *entry)
{
    struct sum *sum = entry->sum;
    ENSURE(sum->shown.count > 0);
    sum->shown.count--;
    sum->shown.amount -= entry->amount;
    list_remove(&entry->link);
    show_oldest(sum);
    (void)map_take(watch->entries, id_key(&entry->id));
    free(entry);
}

static enum status more_places(struct watch *watch)
{
    size_t position = 0;
    struct view key;
    void *value;
    struct map *larger = map_open(watch->places * 2, loop_random_u64(watch->o.loop));
    if (larger == NULL)
        return STATUS_NO_MEMORY;
    while (map_next(watch->entries, &position, &key, &value))
        if (map_put(larger, key, value) != STATUS_OK) {
            map_close(larger);
            return STATUS_NO_MEMORY;
        }
    map_close(watch->entries);
    watch->entries = larger;
    watch->places *= 2;
    return STATUS_OK;
}

static void list_by_age(struct sum *sum, struct entry *entry)
{
    struct list *after = sum->entries.prev;
    while (after != &sum->entries &&
           CONTAINER_OF(after, struct entry, link)->since_us > entry->since_us)
        after = after->prev;
    entry->link.prev = after;
    entry->link.next = after->next;
    after->next->prev = &entry->link;
    after->next = &entry->link;
}

static enum status entry_add(struct watch *watch, const struct attempt_row *row,
                             enum watch_class class)
{
    struct sum *sum = sum_of(watch, row, class);
    struct entry *entry = calloc(1, sizeof *entry);
    if (sum == NULL || entry == NULL) {
        free(entry);
        return STATUS_NO_MEMORY;
    }
    *entry = (struct entry){
        .sum = sum, .id = row->id, .since_us = watch_since_us(row), .amount = watch_amount(row)
    };
    if (entry->amount > INT64_MAX - sum->shown.amount) /* saturated; taken back as much as added */
        entry->amount = INT64_MAX - sum->shown.amount;
    enum status status = map_put(watch->entries, id_key(&entry->id), entry);
    if (status == STATUS_FULL && more_places(watch) == STATUS_OK)
        status = map_put(watch->entries, id_key(&entry->id), entry);
    if (status != STATUS_OK) {
        free(entry);
        return status;
    }
    list_by_age(sum, entry);
    sum->shown.count++;
    sum->shown.amount += entry->amount;
    show_oldest(sum);
    return STATUS_OK;
}

/* --- the alert -------------------------------------------------------------------------------- */

struct unknown {
    uint64_t count;
    int64_t oldest_us; /* 0: none */
};

static struct unknown all_unknown(const struct watch *watch)
{
    struct unknown all = { 0 };
    for (size_t i = 0; i < watch->sum_count; i++) {
        const struct watch_sum *sum = &watch->sums[i]->shown;
        if (sum->class != WATCH_UNKNOWN || sum->count == 0)
            continue;
        all.count += sum->count;
        if (all.oldest_us == 0 || sum->oldest_us < all.oldest_us)
            all.oldest_us = sum->oldest_us;
    }
    return all;
}

static void say(const struct watch *watch, enum watch_alert alert, const struct unknown *all)
{
    bool on = watch->alerts[alert].on;
    int64_t now_us = loop_wall_us(watch->o.loop);
    /* A clock that was set back makes nothing younger than now. */
    int64_t oldest_us =
        all->oldest_us != 0 && all->oldest_us < now_us ? now_us - all->oldest_us : 0;
    LOG(watch->o.log, LOG_WARN, "attempts.unknown_alert",
        LOG_TEXT("alert", watch_alert_word(alert)), LOG_TEXT("state", on ? "begun" : "over"),
        LOG_INT("unknown", all->count), LOG_INT("oldest_s", oldest_us / LOOP_US_PER_S),
        LOG_TEXT("what_to_do", on ? "railgate attempts --unknown lists them; see whether their "
                                    "channels answer"
                                  : "nothing"));
}

/* How long until it has to be looked at again; 0: no need. */
static int64_t alert_turn(struct watch *watch, enum watch_alert which, bool passed,
                          const struct unknown *all)
{
    struct alert *alert = &watch->alerts[which];
    int64_t now_us = loop_now_us(watch->o.loop);
    if (passed) {
        alert->passed_us = now_us;
        if (!alert->on) {
            alert->on = true;
            say(watch, which, all);
        }
        return 0; /* it ends with an attempt, and that is told */
    }
    if (!alert->on)
        return 0;
    if (now_us - alert->passed_us < CALM_US)
        return alert->passed_us + CALM_US - now_us;
    alert->on = false;
    say(watch, which, all);
    return 0;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static void look(struct watch *watch)
{
    const struct watch_options *o = &watch->o;
    struct unknown all = all_unknown(watch);
    int64_t left_us = all.oldest_us + o->unknown_age_us - loop_wall_us(o->loop);
    bool old = o->unknown_age_us > 0 && all.count > 0 && left_us < 0;
    bool many = all.count > (uint64_t)o->unknown_count;
    int64_t again_us = alert_turn(watch, WATCH_ALERT_AGE, old, &all);
    again_us = sooner(again_us, alert_turn(watch, WATCH_ALERT_COUNT, many, &all));
    if (o->unknown_age_us > 0 && all.count > 0 && !old)
        again_us = sooner(again_us, left_us + 1);
    timer_stop(&watch->later);
    if (again_us != 0)
        timer_start(&watch->later, again_us < LOOK_MOST_US ? again_us : LOOK_MOST_US);
}

static void look_again(struct timer *timer, void *arg)
{
    (void)timer;
    look(arg);
}

/* --- in and out ------------------------------------------------------------------------------- */

void watch_note(struct watch *watch, const struct attempt_row *row)
{
    enum watch_class class = watch_class_of(row);
    struct entry *known = map_get(watch->entries, id_key(&row->id));
    if (known == NULL && class == 0)
        return; /* nearly always */
    if (known != NULL && known->sum->shown.class == class && known->since_us == watch_since_us(row))
        return;
    if (known != NULL)
        entry_drop(watch, known);
    if (class != 0 && entry_add(watch, row, class) != STATUS_OK)
        LOG(watch->o.log, LOG_ERROR, "attempts.not_counted", LOG_INT("attempt", row->id),
            LOG_TEXT("what_to_do", "no memory: /metrics counts too few until the next start"));
    look(watch);
}

void watch_commit(struct watch *watch, const struct store_txn *txn)
{
    if (txn->result != STORE_COMMITTED)
        return;
    if (txn->write_attempt == STORE_INSERT || txn->write_attempt == STORE_UPDATE)
        watch_note(watch, &txn->attempt);
    if (txn->write_parent == STORE_INSERT || txn->write_parent == STORE_UPDATE)
        watch_note(watch, &txn->parent);
}

struct watch *watch_open(const struct watch_options *options)
{
    struct watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL)
        return NULL;
    watch->o = *options;
    watch->places = PLACES_FIRST;
    watch->entries = map_open(watch->places, loop_random_u64(options->loop));
    timer_init(&watch->later, options->loop, look_again, watch);
    if (watch->entries == NULL) {
        free(watch);
        return NULL;
    }
    return watch;
}

void watch_close(struct watch *watch)
{
    if (watch == NULL)
        return;
    timer_stop(&watch->later);
    for (size_t i = 0; i < watch->sum_count; i++) {
        struct list *item;
        while ((item = list_take_first(&watch->sums[i]->entries)) != NULL)
            free(CONTAINER_OF(item, struct entry, link));
        free(watch->sums[i]);
    }
    free(watch->sums);
    map_close(watch->entries);
    free(watch);
}

size_t watch_sum_count(const struct watch *watch)
{
    return watch->sum_count;
}

const struct watch_sum *watch_sum_at(const struct watch *watch, size_t i)
{
    ENSURE(i < watch->sum_count);
    return &watch->sums[i]->shown;
}

bool watch_alert_is_on(const struct watch *watch, enum watch_alert alert)
{
    ENSURE(alert >= WATCH_ALERT_AGE && alert <= WATCH_ALERT_COUNT);
    return watch->alerts[alert].on;
}
