/* decide.c - may this payment be made? Completes the facts, asks screening/ and compliance/, and
 * writes down what they said.
 *
 * What comes out is a `struct ruling` in the work's own memory: the policy may be swapped while the
 * commit is on its way, so nothing of it is kept but copies. Sums of other payments are not known
 * here: they are reservations, which the judge looks at inside the commit (judge_hold.c).
 *
 * Merchants see the decision with its reasons. What only operators may see (which entry of which
 * list a name looks like, what a shadow profile would have said) goes into events that belong to no
 * merchant.
 */
#include "payment/payment_int.h"

#include "base/ensure.h"
#include "payment/mask.h"
#include "payment/screen.h"

#include <strings.h>

#define REASON_BYTES  (6 * DECISION_TEXT_MAX + 1024) /* an escape takes six letters */
#define MEMBERS_BYTES 2048

/* --- policy -------------------------------------------------------------------------------------
 */

static struct profile *named(struct profile *const *profiles, size_t count, struct view region)
{
    for (size_t i = 0; i < count; i++) {
        if (view_equal_nocase(region, view_text(profile_settings(profiles[i])->region)))
            return profiles[i];
    }
    return NULL;
}

const struct profile *policy_profile(const struct policy *policy, struct view region)
{
    if (region.len == 0)
        region = policy->default_region;
    return named(policy->profiles, policy->profile_count, region);
}

void payments_use(struct payments *room, const struct policy *policy)
{
    ENSURE_MAGIC(room, PAYMENTS_MAGIC);
    ENSURE(policy != NULL);
    room->policy = policy;
}

enum status decide_open(struct payments *room)
{
    uint8_t digest[SECRET_MAC_MAX];
    size_t len = 0;
    room->policy = room->o.policy;
    TRY(secret_mac(room->idem, VIEW("keys of counters"), digest, &len));
    ENSURE(len >= sizeof room->counter_keys);
    memcpy(room->counter_keys, digest, sizeof room->counter_keys);
    return STATUS_OK;
}

/* --- what is written down
 * --------------------------------------------------------------------------
 */

struct members {
    uint8_t *room;
    struct writer w;
    struct json_out j;
};

static bool members_open(struct members *m, struct arena *arena, size_t size)
{
    m->room = arena_alloc(arena, size);
    m->w = writer_over(m->room, m->room != NULL ? size : 0);
    json_out_init(&m->j, &m->w);
    json_open_object(&m->j, NULL);
    return m->room != NULL;
}

/* Without the braces around them. */
static struct view members_close(struct members *m, struct arena *arena)
{
    json_close_object(&m->j);
    if (m->w.overflow || m->room == NULL)
        return VIEW_EMPTY;
    arena_trim(arena, m->room, m->w.len);
    return view_of(m->room + 1, m->w.len - 2);
}

static struct view head_members(struct arena *arena, const struct decision *decision)
{
    struct members m;
    if (!members_open(&m, arena, MEMBERS_BYTES))
        return VIEW_EMPTY;
    json_put_text(&m.j, "profile", view_text(decision->profile));
    json_put_text(&m.j, "version", view_text(decision->version));
    json_put_text(&m.j, "content_hash", view_text(decision->content_hash));
    return members_close(&m, arena);
}

static struct view tail_members(struct arena *arena, const struct decision *decision)
{
    struct members m;
    if (!members_open(&m, arena, MEMBERS_BYTES))
        return VIEW_EMPTY;
    json_put_text_if(&m.j, "exemption", view_text(decision->exemption));
    if (decision->retention_days > 0 || decision->residency.count > 0) {
        json_open_object(&m.j, "data");
        if (decision->retention_days > 0)
            json_put_i64(&m.j, "retention_days", decision->retention_days);
        if (decision->residency.count > 0) {
            json_open_array(&m.j, "residency");
            for (size_t i = 0; i < decision->residency.count; i++)
                json_put_text(&m.j, NULL, view_text(decision->residency.items[i]));
            json_close_array(&m.j);
        }
        json_close_object(&m.j);
    }
    return members_close(&m, arena);
}

/* Objects with commas between, as they are spliced between brackets. */
static struct view reason_objects(struct arena *arena, const struct decision *decision)
{
    struct members m;
    if (decision->reason_count == 0)
        return VIEW_EMPTY;
    if (!members_open(&m, arena, decision->reason_count * REASON_BYTES))
        return VIEW_EMPTY;
    json_open_array(&m.j, "r");
    size_t from = m.w.len;
    for (size_t i = 0; i < decision->reason_count; i++) {
        const struct decision_reason *reason = &decision->reasons[i];
        json_open_object(&m.j, NULL);
        json_put_text(&m.j, "rule", view_text(reason->rule));
        json_put_text(&m.j, "result", view_text(verdict_word(reason->verdict)));
        json_put_text(&m.j, "text", view_text(reason->text));
        json_put_text_if(&m.j, "source", view_text(reason->source));
        json_close_object(&m.j);
    }
    struct view objects = view_of(m.room + from, m.w.len - from);
    json_close_array(&m.j);
    (void)members_close(&m, arena);
    return m.w.overflow ? VIEW_EMPTY : objects;
}

static struct view report_objects(struct arena *arena, const struct decision *decision)
{
    struct members m;
    if (decision->report_count == 0)
        return VIEW_EMPTY;
    if (!members_open(&m, arena, decision->report_count * REASON_BYTES))
        return VIEW_EMPTY;
    json_open_array(&m.j, "r");
    size_t from = m.w.len;
    for (size_t i = 0; i < decision->report_count; i++) {
        const struct decision_report *report = &decision->reports[i];
        json_open_object(&m.j, NULL);
        json_put_text(&m.j, "rule", view_text(report->rule));
        json_put_text(&m.j, "text", view_text(report->text));
        json_put_text_if(&m.j, "source", view_text(report->source));
        json_close_object(&m.j);
    }
    struct view objects = view_of(m.room + from, m.w.len - from);
    json_close_array(&m.j);
    (void)members_close(&m, arena);
    return m.w.overflow ? VIEW_EMPTY : objects;
}

struct view ruling_members(struct arena *arena, const struct ruling *ruling, enum verdict verdict,
                           struct view more_reasons)
{
    const char *word = verdict_word(verdict);
    return arena_format(
        arena, "\"decision\":{\"result\":\"%s\",%.*s,\"reasons\":[%.*s%s%.*s]%s%.*s}", word,
        (int)ruling->head.len, (const char *)ruling->head.ptr, (int)ruling->reasons.len,
        (const char *)ruling->reasons.ptr,
        ruling->reasons.len > 0 && more_reasons.len > 0 ? "," : "", (int)more_reasons.len,
        (const char *)more_reasons.ptr, ruling->tail.len > 0 ? "," : "", (int)ruling->tail.len,
        (const char *)ruling->tail.ptr);
}

/* --- shadow
 * -----------------------------------------------------------------------------------------
 */

/* What the profile that runs beside would have said, when that is something else. */
static struct view shadow_members(struct work *work, const struct decision *decision)
{
    const struct policy *policy = work->room->policy;
    const struct profile *shadow =
        named(policy->shadows, policy->shadow_count, view_text(decision->profile));
    if (shadow == NULL)
        return VIEW_EMPTY;
    struct decision other;
    struct members m;
    compliance_decide(shadow, work->request->facts, NULL, &other);
    if (other.verdict == decision->verdict || !members_open(&m, &work->keep, MEMBERS_BYTES))
        return VIEW_EMPTY;
    work->room->stats.shadow_differences++;
    json_put_text(&m.j, "profile", view_text(other.profile));
    json_put_text(&m.j, "version", view_text(other.version));
    json_put_text(&m.j, "content_hash", view_text(other.content_hash));
    json_put_text(&m.j, "result", view_text(verdict_word(decision->verdict)));
    json_put_text(&m.j, "would_be", view_text(verdict_word(other.verdict)));
    json_open_array(&m.j, "rules");
    for (size_t i = 0; i < other.reason_count; i++)
        json_put_text(&m.j, NULL, view_text(other.reasons[i].rule));
    json_close_array(&m.j);
    return members_close(&m, &work->keep);
}

/* --- reservations
 * -----------------------------------------------------------------------------------
 */

static const char *text_kept(struct work *work, const char *text)
{
    const char *kept = arena_text(&work->keep, view_text(text));
    return kept != NULL ? kept : "";
}

static enum status reservations_keep(struct work *work, struct ruling *ruling,
                                     const struct decision *decision)
{
    ruling->reservation_count = decision->reservation_count;
    if (decision->reservation_count == 0)
        return STATUS_OK;
    ruling->reservations =
        arena_alloc(&work->keep, decision->reservation_count * sizeof *ruling->reservations);
    if (ruling->reservations == NULL)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < decision->reservation_count; i++) {
        struct reservation *kept = &ruling->reservations[i];
        *kept = decision->reservations[i];
        kept->rule = text_kept(work, kept->rule);
        kept->source = text_kept(work, kept->source);
        kept->counter = text_kept(work, kept->counter);
        kept->text = text_kept(work, kept->text);
        kept->subject = arena_copy(&work->keep, kept->subject);
    }
    return work->keep.overflow ? STATUS_NO_MEMORY : STATUS_OK;
}

static enum store_spend_kind spend_kind(enum reservation_kind kind)
{
    switch (kind) {
    case RESERVE_SLIDING: return STORE_SPEND_SLIDING;
    case RESERVE_PERIOD: return STORE_SPEND_PERIOD;
    case RESERVE_SINCE_AUTHENTICATION: return STORE_SPEND_SINCE_RESET;
    case RESERVE_RESET: return STORE_SPEND_RESET;
    }
    ENSURE(!"a kind of reservation");
    return STORE_SPEND_PERIOD;
}

/* What merchants call payer, payee and device is theirs; an account is the same at all of them. The
 * kind keeps a day's sum apart from a month's that begins at the same moment. What only counts
 * payments counts those of every currency. The first half of a key is about the subject alone, so
 * that the counters of one payment lie side by side in the database. */
static void spend_key(const struct work *work, const struct reservation *r, uint8_t key[16])
{
    uint8_t text[1024];
    struct writer w = writer_over(text, sizeof text);
    bool of_merchant = r->per == SETTINGS_PER_PAYER || r->per == SETTINGS_PER_PAYEE ||
                       r->per == SETTINGS_PER_DEVICE;
    bool auth = r->kind == RESERVE_SINCE_AUTHENTICATION || r->kind == RESERVE_RESET;
    bool only_counts = !auth && r->amount_max < 0 && r->amount_from < 0;
    writer_format(&w, "%lld\n", of_merchant ? (long long)work->merchant : 0LL);
    writer_view(&w, view_slice(r->subject, 0, 512));
    struct view of_subject = writer_done(&w);
    writer_u8(&w, '\n');
    writer_view(&w, work->ruling->region);
    writer_format(&w, "\n%s\n%s\n%d\n%d", r->counter, only_counts ? "*" : work->currency->code,
                  (int)r->per, auth ? (int)RESERVE_RESET : (int)r->kind);
    ENSURE(!w.overflow);
    const uint64_t *keys = work->room->counter_keys;
    struct writer out = writer_over(key, 16);
    writer_u64_be(&out, siphash(keys[0], keys[1], of_subject));
    writer_u64_be(&out, siphash(keys[2], keys[3], writer_done(&w)));
}

void decide_spends(struct work *work)
{
    const struct ruling *ruling = work->ruling;
    struct store_txn *txn = &work->txn;
    ENSURE(ruling->reservation_count <= STORE_SPENDS_MAX);
    txn->spend_count = ruling->reservation_count;
    txn->spend_now_us = work->change.now_us;
    for (size_t i = 0; i < ruling->reservation_count; i++) {
        const struct reservation *r = &ruling->reservations[i];
        struct store_spend *spend = &txn->spends[i];
        *spend = (struct store_spend){ .kind = spend_kind(r->kind),
                                       .window_us = r->window_us,
                                       .start_us = r->start_us,
                                       .amount = work->request->amount.minor };
        spend_key(work, r, spend->key);
    }
}

void decide_resets_later(struct work *work)
{
    const struct ruling *ruling = work->ruling;
    struct store_txn *txn = &work->txn;
    txn->spend_now_us = work->change.now_us;
    for (size_t i = 0; i < ruling->reservation_count; i++) {
        if (ruling->reservations[i].kind != RESERVE_RESET)
            continue;
        struct store_spend *spend = &txn->spends[txn->spend_count++];
        *spend = (struct store_spend){ .kind = STORE_SPEND_RESET };
        spend_key(work, &ruling->reservations[i], spend->key);
    }
}

/* --- decide
 * -----------------------------------------------------------------------------------------
 */

static void count_screening(struct payments *room, const struct screened *screened)
{
    room->stats.screened += screened->looked_up;
    room->stats.screening_hits += screened->payer.count + screened->payee.count;
}

static void ruling_times(struct ruling *ruling, const struct profile *profile)
{
    const struct region_settings *settings = profile != NULL ? profile_settings(profile) : NULL;
    ruling->authenticate_for_us =
        settings != NULL ? settings->authentication_valid_for_us : 600 * LOOP_US_PER_S;
    ruling->review_for_us =
        settings != NULL ? settings->review_valid_for_us : 86400 * LOOP_US_PER_S;
    ruling->wrong_max = settings != NULL ? settings->authentication_wrong_max : 1;
}

static struct view strictest_text(struct work *work, const struct decision *decision)
{
    for (size_t i = 0; i < decision->reason_count; i++) {
        if (decision->reasons[i].verdict == decision->verdict)
            return arena_copy(&work->keep, view_text(decision->reasons[i].text));
    }
    return VIEW_EMPTY;
}

static bool asks_for_authentication(const struct decision *decision)
{
    for (size_t i = 0; i < decision->reason_count; i++) {
        if (decision->reasons[i].verdict == VERDICT_CHALLENGE)
            return true;
    }
    return decision->authentication_needed;
}

/* A merchant that could name any region would choose the laxest. NULL: it may not name this one. */
static const struct profile *profile_for(const struct work *work)
{
    const struct settings *settings = work->room->o.settings;
    const struct merchant_settings *own = NULL;
    char id[ID_TEXT_MAX];
    (void)id_format(ID_MERCHANT, work->merchant, id);
    for (size_t i = 0; i < settings->merchants_count && own == NULL; i++) {
        if (strcmp(settings->merchants[i].merchant, id) == 0)
            own = &settings->merchants[i];
    }
    struct view home =
        view_text(own != NULL && own->region[0] != '\0' ? own->region : settings->region);
    struct view named = work->region.len > 0 ? work->region : home;
    bool may =
        view_equal_nocase(named, home) || (own == NULL && settings->mode == SETTINGS_SANDBOX);
    for (size_t i = 0; own != NULL && i < own->regions.count; i++)
        may = may || view_equal_nocase(named, view_text(own->regions.items[i]));
    return may ? policy_profile(work->room->policy, named) : NULL;
}

enum status decide_request(struct work *work)
{
    struct payments *room = work->room;
    struct compliance_facts *facts = work->request->facts;
    const struct profile *profile = profile_for(work);
    struct ruling *ruling = ARENA_NEW(&work->keep, struct ruling);
    struct screened screened;
    struct decision decision;
    if (ruling == NULL || facts == NULL)
        return STATUS_NO_MEMORY;
    facts->wall_us = loop_wall_us(room->o.loop);
    facts->store_country = view_text(room->o.settings->store_country);
    policy_look_up(room->policy, profile, facts, &screened);
    count_screening(room, &screened);
    compliance_decide(profile, facts, NULL, &decision);
    work->ruling = ruling;
    ruling->verdict = decision.verdict;
    ruling->challenged = asks_for_authentication(&decision);
    ruling->region = arena_copy(&work->keep, view_text(decision.profile));
    ruling->head = head_members(&work->keep, &decision);
    ruling->tail = tail_members(&work->keep, &decision);
    ruling->reasons = reason_objects(&work->keep, &decision);
    ruling->reports = report_objects(&work->keep, &decision);
    ruling->reason = strictest_text(work, &decision);
    ruling->screening = screened_members(&work->keep, &screened);
    ruling->shadow = shadow_members(work, &decision);
    ruling->decision_json = ruling_members(&work->keep, ruling, decision.verdict, VIEW_EMPTY);
    ruling_times(ruling, profile);
    ruling->request_json = work->request->facts_json;
    if (profile != NULL)
        TRY(masked_members(profile_settings(profile), "merchant", facts, &work->keep,
                           work->request->facts_json, &ruling->request_json));
    TRY(reservations_keep(work, ruling, &decision));
    uint8_t words[64];
    struct writer methods = writer_over(words, sizeof words);
    authentication_methods(room->o.secrets, room->o.settings, &methods);
    ruling->methods = arena_copy(&work->keep, writer_done(&methods));
    return work->keep.overflow ? STATUS_NO_MEMORY : STATUS_OK;
}
