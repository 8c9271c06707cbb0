/* card_out.c - answers on their way out.
 *
 * Everything the host wants done on a link is a `struct card_out` in one heap, ordered by due time
 * and then by the order in which it was put there, so an answer without delay leaves before any
 * that comes after it. Outs are pooled. The MAC of an answer is made when it is built; if the
 * link's key changed while it waited, it is made anew when it leaves, since after a key change
 * everything is under the new key.
 */
#include "host_int.h"

#include <stdlib.h>

/* --- the heap ---------------------------------------------------------------------------- */
static bool earlier(const struct card_out *a, const struct card_out *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void place(struct card_host *h, size_t i, struct card_out *o)
{
    h->heap[i] = o;
    o->heap_index = i;
}

static void sift_up(struct card_host *h, size_t i)
{
    struct card_out *o = h->heap[i];
    for (; i > 0 && earlier(o, h->heap[(i - 1) / 2]); i = (i - 1) / 2)
        place(h, i, h->heap[(i - 1) / 2]);
    place(h, i, o);
}

static void sift_down(struct card_host *h, size_t i)
{
    struct card_out *o = h->heap[i];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= h->heap_len)
            break;
        if (child + 1 < h->heap_len && earlier(h->heap[child + 1], h->heap[child]))
            child++;
        if (!earlier(h->heap[child], o))
            break;
        place(h, i, h->heap[child]);
        i = child;
    }
    place(h, i, o);
}

static void heap_remove(struct card_host *h, struct card_out *o)
{
    size_t i = o->heap_index;
    ENSURE(i < h->heap_len && h->heap[i] == o);
    struct card_out *last = h->heap[--h->heap_len];
    if (last == o)
        return;
    place(h, i, last);
    sift_up(h, i);
    sift_down(h, last->heap_index);
}

static void heap_put(struct card_host *h, struct card_out *o)
{
    ENSURE(h->heap_len < h->heap_room);
    o->order = ++h->order;
    h->heap[h->heap_len] = o;
    o->heap_index = h->heap_len++;
    sift_up(h, o->heap_index);
}

/* An out and a place in the heap for it; NULL at the limit. */
static struct card_out *out_new(struct card_host *h)
{
    if (h->heap_len == h->heap_room) {
        size_t room = h->heap_room > 0 ? h->heap_room * 2 : 64;
        struct card_out **heap =
            room <= CARD_OUTS_MAX ? realloc(h->heap, room * sizeof(struct card_out *)) : NULL;
        if (heap == NULL) {
            h->stats.outs_full++;
            return NULL;
        }
        h->heap = heap;
        h->heap_room = room;
    }
    struct card_out *o = h->free_outs;
    if (o != NULL)
        h->free_outs = o->next_free;
    else if ((o = malloc(sizeof *o)) == NULL)
        return NULL;
    o->next_free = NULL;
    o->len = o->payload_at = o->mac_at = 0;
    o->mac_may_be_renewed = false;
    o->generation = 0;
    return o;
}

static void out_free(struct card_host *h, struct card_out *o)
{
    o->next_free = h->free_outs;
    h->free_outs = o;
}

void card_out_forget_link(struct card_host *h, struct card_link *link)
{
    size_t kept = 0;
    link->held = NULL;
    for (size_t i = 0; i < h->heap_len; i++) {
        if (h->heap[i]->link == link->id)
            out_free(h, h->heap[i]);
        else
            place(h, kept++, h->heap[i]);
    }
    h->heap_len = kept;
    for (size_t i = kept / 2; i-- > 0;)
        sift_down(h, i);
}

void card_out_fini(struct card_host *h)
{
    for (size_t i = 0; i < h->heap_len; i++)
        free(h->heap[i]);
    for (struct card_out *o = h->free_outs, *next; o != NULL; o = next) {
        next = o->next_free;
        free(o);
    }
    free(h->taken);
    free(h->heap);
}

/* --- taking ------------------------------------------------------------------------------ */
int64_t card_host_next_us(const struct card_host *h)
{
    return h->heap_len > 0 ? h->heap[0]->at_us : INT64_MAX;
}

static void put_mac(struct card_out *o, const struct mac_keys *keys, enum iso_packaging p)
{
    uint8_t mac[TDES_BLOCK];
    struct writer w = writer_over(o->bytes + o->mac_at, sizeof o->bytes - o->mac_at);
    tdes_retail_mac(&keys->current, MAC_PADDING_ZEROS,
                    view_of(o->bytes + o->payload_at, (size_t)(o->mac_at - o->payload_at)), mac);
    if (p == ISO_ASCII)
        writer_hex_upper(&w, view_of(mac, sizeof mac));
    else
        writer_bytes(&w, mac, sizeof mac);
    o->generation = keys->generation;
}

bool card_host_take(struct card_host *h, int64_t now_us, struct card_action *out)
{
    if (h->taken != NULL)
        out_free(h, h->taken);
    h->taken = NULL;
    if (h->heap_len == 0 || card_host_next_us(h) > now_us)
        return false;
    struct card_out *o = h->taken = h->heap[0];
    heap_remove(h, o);
    struct card_link *link = card_find_link(h, o->link);
    if (link != NULL && link->held == o)
        link->held = NULL;
    if (link != NULL && o->mac_may_be_renewed) {
        struct mac_keys *keys = card_keys_of(h, link);
        if (o->generation != keys->generation)
            put_mac(o, keys, h->config.packaging);
    }
    *out = (struct card_action){ .kind = o->kind,
                                 .link = o->link,
                                 .bytes = view_of(o->bytes, o->len) };
    return true;
}

/* --- putting ----------------------------------------------------------------------------- */
void card_out_action(struct card_host *h, uint64_t link, enum card_action_kind kind, int64_t at_us)
{
    struct card_out *o = out_new(h);
    if (o == NULL)
        return;
    o->kind = kind;
    o->link = link;
    o->at_us = at_us;
    heap_put(h, o);
}

/* Header and message into a new out; with element 64 or 128 present, its place gets the MAC. */
static struct card_out *frame(struct card_host *h, struct card_link *link, const struct iso_msg *m,
                              bool with_mac)
{
    uint8_t payload[CARD_OUT_BYTES - ISO_HEADER_MAX];
    struct writer w = writer_over(payload, sizeof payload);
    size_t mac_at = 0;
    struct card_out *o = out_new(h);
    if (o == NULL)
        return NULL;
    ENSURE(iso_msg_encode(m, h->config.packaging, &w, &mac_at) == STATUS_OK);
    struct writer f = writer_over(o->bytes, sizeof o->bytes);
    iso_frame_header(h->config.framing, w.len, view_of(link->tpdu, link->tpdu_len), &f);
    o->payload_at = (uint16_t)f.len;
    writer_view(&f, writer_done(&w));
    ENSURE(!f.overflow);
    o->kind = CARD_ACTION_SEND;
    o->link = link->id;
    o->len = (uint16_t)f.len;
    o->mac_at = (uint16_t)(o->payload_at + mac_at);
    if (with_mac) {
        put_mac(o, card_keys_of(h, link), h->config.packaging);
        o->mac_may_be_renewed = true;
    }
    return o;
}

void card_out_message(struct card_host *h, struct card_link *link, const struct iso_msg *m,
                      int64_t now_us)
{
    struct card_out *o = frame(h, link, m, false);
    if (o == NULL)
        return;
    o->at_us = now_us;
    heap_put(h, o);
    card_see(h, link->id, CARD_SAW_ANSWER, m, 0, "begun by the host");
}

void card_answer_init(const struct card_call *c, struct iso_msg *answer)
{
    static const uint8_t ECHOED[] = { 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49 };
    char mti[5] = { '0', c->req->mti[1], (char)(c->req->mti[2] + 1), '0', '\0' };
    iso_msg_init(answer, mti);
    for (size_t i = 0; i < sizeof ECHOED; i++)
        if (iso_msg_has(c->req, ECHOED[i]))
            iso_msg_put(answer, ECHOED[i], iso_msg_get(c->req, ECHOED[i]));
    if (c->req->mti[1] == '4' && iso_msg_has(c->req, 90))
        iso_msg_put(answer, 90, iso_msg_get(c->req, 90));
    iso_msg_put(answer, 39, view_text(c->code));
}

static void spoil_fields(struct card_call *c, struct iso_msg *answer)
{
    if (card_plan_has(&c->plan, CARD_FAULT_WRONG_STAN) && iso_msg_has(answer, 11)) {
        uint64_t other = card_random(&c->h->random) % 1000000;
        uint8_t text[6];
        struct writer w = writer_over(text, sizeof text);
        writer_u64_padded(&w, other, 6);
        if (view_equal(writer_done(&w), iso_msg_get(answer, 11)))
            text[5] = text[5] == '9' ? '0' : (uint8_t)(text[5] + 1);
        iso_msg_put(answer, 11, view_of(text, sizeof text));
    }
    if (card_plan_has(&c->plan, CARD_FAULT_WRONG_AMOUNT) && c->amount_minor >= 0 &&
        iso_msg_has(answer, 4))
        iso_msg_put_number(answer, 4, (uint64_t)(c->amount_minor + 1) % 1000000000000);
}

static void spoil_bytes(struct card_call *c, struct card_out *o, bool with_mac)
{
    struct card_host *h = c->h;
    if (with_mac && card_plan_has(&c->plan, CARD_FAULT_WRONG_MAC)) {
        /* As text it stays a hexadecimal digit: wrong, but readable. */
        uint8_t *digit = &o->bytes[o->mac_at];
        *digit = h->config.packaging != ISO_ASCII ? *digit ^ 1 : *digit == '0' ? '1' : '0';
        o->mac_may_be_renewed = false;
    }
    if (card_plan_has(&c->plan, CARD_FAULT_GARBLE)) {
        for (int64_t i = 0; i < c->plan.bytes; i++) {
            uint64_t dice = card_random(&h->random);
            size_t at = o->payload_at + dice % (uint64_t)(o->len - o->payload_at);
            o->bytes[at] ^= (uint8_t)(1 + (dice >> 32) % 255);
        }
        o->mac_may_be_renewed = false;
    }
    if (card_plan_has(&c->plan, CARD_FAULT_TRUNCATE)) {
        o->len /= 2;
        o->mac_may_be_renewed = false;
    }
}

/* What goes out after this answer may overtake it; what was held back follows this one. */
static void queue(struct card_call *c, struct card_out *o)
{
    struct card_host *h = c->h;
    o->at_us = c->now_us + c->plan.delay_us;
    if (card_plan_has(&c->plan, CARD_FAULT_REORDER) && c->link->held == NULL) {
        o->at_us += c->plan.reorder_us;
        heap_put(h, o);
        c->link->held = o;
        return;
    }
    heap_put(h, o);
    struct card_out *held = c->link->held;
    if (held != NULL) {
        heap_remove(h, held);
        if (held->at_us > o->at_us)
            held->at_us = o->at_us;
        heap_put(h, held);
        c->link->held = NULL;
    }
}

void card_answer_send(struct card_call *c, struct iso_msg *answer, bool with_mac)
{
    static const uint8_t NO_MAC_YET[TDES_BLOCK] = { 0 };
    struct card_host *h = c->h;
    spoil_fields(c, answer);
    if (with_mac)
        iso_msg_put(answer, answer->present[1] != 0 ? 128 : 64, view_of(NO_MAC_YET, TDES_BLOCK));
    ENSURE(!answer->overflow);
    if (card_plan_has(&c->plan, CARD_FAULT_RESET)) {
        card_out_action(h, c->link->id, CARD_ACTION_RESET, c->now_us);
        c->link->finished = true;
        h->stats.lost_out++;
        return;
    }
    if (card_plan_has(&c->plan, CARD_FAULT_DROP_AFTER_BOOKING)) {
        card_see(h, c->link->id, CARD_SAW_LOST, answer, c->plan.faults, "answer lost");
        h->stats.lost_out++;
        return;
    }
    unsigned copies = card_plan_has(&c->plan, CARD_FAULT_DUPLICATE) ? 2 : 1;
    for (unsigned i = 0; i < copies; i++) {
        struct card_out *o = frame(h, c->link, answer, with_mac);
        if (o == NULL)
            return;
        spoil_bytes(c, o, with_mac);
        queue(c, o);
        h->stats.answers_out++;
    }
    card_see(h, c->link->id, CARD_SAW_ANSWER, answer, c->plan.faults, c->note);
    int64_t after_us = c->now_us + c->plan.delay_us;
    if (card_plan_has(&c->plan, CARD_FAULT_TRUNCATE)) {
        card_out_action(h, c->link->id, CARD_ACTION_CLOSE, after_us);
        c->link->finished = true;
    } else if (card_plan_has(&c->plan, CARD_FAULT_HALF_CLOSE)) {
        card_out_action(h, c->link->id, CARD_ACTION_HALF_CLOSE, after_us);
    }
}
