/* card_host.c - see card_host.h: links, frames, and the way of a message through the host.
 *
 *     receive    bytes -> frames; a broken frame closes the link
 *     message    decode; requests of the gateway, answers to ours, the rest is ignored
 *     plan       which accidents is this message to have?
 *     admit      signed on? MAC good? elements there? else an answer that books nothing
 *     book       card_net.c or card_book.c
 *     answer     card_out.c
 */
#include "host_int.h"

#include <stdlib.h>

static void prepare_keys(struct card_host *h)
{
    tdes_key_set(&h->zone, h->knobs.keys.zone);
    tdes_key_set(&h->imk, h->knobs.keys.imk);
    tdes_key_set(&h->pin, h->knobs.keys.pin);
}

struct card_host *card_host_open(const struct card_config *config)
{
    struct card_host *h = calloc(1, sizeof *h);
    if (h == NULL)
        return NULL;
    h->config = *config;
    h->random = config->seed;
    h->ledger = card_ledger_open(config->ledger_entries_max, card_random(&h->random));
    if (h->ledger == NULL) {
        free(h);
        return NULL;
    }
    card_knobs_init(&h->knobs);
    prepare_keys(h);
    card_host_reset(h, 0);
    card_mac_keys_set(&h->keys, h->knobs.keys.mac);
    return h;
}

void card_host_close(struct card_host *h)
{
    if (h == NULL)
        return;
    for (size_t i = 0; i < CARD_LINKS_MAX; i++)
        free(h->links[i].rx);
    card_out_fini(h);
    card_ledger_close(h->ledger);
    free(h);
}

void card_host_reset(struct card_host *h, int64_t now_us)
{
    struct card_key_bytes keys = h->knobs.keys;
    (void)now_us;
    card_knobs_init(&h->knobs);
    h->knobs.keys = keys; /* the gateway keeps its keys as well */
    card_accounts_reset(&h->accounts);
    card_ledger_clear(h->ledger);
    h->books++;
    h->stats = (struct card_stats){ 0 };
    h->down_until_us = INT64_MIN;
}

bool card_host_is_down(const struct card_host *h, int64_t now_us)
{
    return now_us < h->down_until_us;
}

enum status card_host_set(struct card_host *h, struct view json, enum card_knobs_mode mode,
                          int64_t now_us, struct writer *why)
{
    int64_t down_ms = -2;
    struct card_key_bytes before = h->knobs.keys;
    TRY(card_knobs_read(&h->knobs, json, mode, &down_ms, why));
    prepare_keys(h);
    if (memcmp(before.mac, h->knobs.keys.mac, TDES_KEY_SIZE) != 0) {
        card_mac_keys_set(&h->keys, h->knobs.keys.mac);
        for (size_t i = 0; i < CARD_LINKS_MAX; i++)
            card_mac_keys_set(&h->links[i].keys, h->knobs.keys.mac);
    }
    if (down_ms == -2)
        return STATUS_OK;
    h->down_until_us = down_ms == -1  ? INT64_MAX
                       : down_ms == 0 ? INT64_MIN
                                      : now_us + down_ms * 1000;
    if (card_host_is_down(h, now_us))
        card_host_drop_links(h, CARD_DROP_RESET, 0, now_us);
    return STATUS_OK;
}

/* --- links ------------------------------------------------------------------------------- */
struct card_link *card_find_link(struct card_host *h, uint64_t link)
{
    for (size_t i = 0; link != 0 && i < CARD_LINKS_MAX; i++)
        if (h->links[i].id == link)
            return &h->links[i];
    return NULL;
}

enum status card_host_link_open(struct card_host *h, uint64_t link, int64_t now_us)
{
    ENSURE(link != 0 && card_find_link(h, link) == NULL);
    if (card_host_is_down(h, now_us)) {
        h->stats.links_refused++;
        return STATUS_REFUSED;
    }
    for (size_t i = 0; i < CARD_LINKS_MAX; i++) {
        struct card_link *l = &h->links[i];
        if (l->id != 0)
            continue;
        uint8_t *rx = l->rx != NULL ? l->rx : malloc(ISO_FRAME_MAX + ISO_HEADER_MAX);
        if (rx == NULL)
            return STATUS_NO_MEMORY;
        *l = (struct card_link){ .id = link, .rx = rx };
        card_mac_keys_set(&l->keys, h->knobs.keys.mac);
        h->stats.links_opened++;
        return STATUS_OK;
    }
    h->stats.links_refused++;
    return STATUS_FULL;
}

void card_host_link_closed(struct card_host *h, uint64_t link)
{
    struct card_link *l = card_find_link(h, link);
    if (l == NULL)
        return;
    card_out_forget_link(h, l);
    l->id = 0;
}

void card_host_drop_links(struct card_host *h, enum card_drop how, uint64_t link, int64_t now_us)
{
    for (size_t i = 0; i < CARD_LINKS_MAX; i++) {
        struct card_link *l = &h->links[i];
        if (l->id == 0 || l->finished || (link != 0 && l->id != link))
            continue;
        card_out_action(h, l->id, how == CARD_DROP_RESET ? CARD_ACTION_RESET : CARD_ACTION_CLOSE,
                        now_us);
        l->finished = true;
    }
}

/* --- the way of a message ---------------------------------------------------------------- */
void card_see(struct card_host *h, uint64_t link, int what, const struct iso_msg *m,
              uint32_t faults, const char *note)
{
    uint8_t masked[CARD_PAN_MAX + 1];
    struct writer pan = writer_over(masked, sizeof masked);
    struct card_sight s = { .link = link,
                            .mti = "",
                            .amount_minor = -1,
                            .faults = faults,
                            .note = note != NULL ? note : "" };
    if (h->config.saw == NULL)
        return;
    s.what = what;
    if (m != NULL) {
        s.mti = m->mti;
        s.stan = iso_msg_get(m, 11);
        s.terminal = view_trim(iso_msg_get(m, 41));
        s.rrn = view_trim(iso_msg_get(m, 37));
        s.response = iso_msg_get(m, 39);
        card_mask_pan(&pan, card_pan_of(m));
        s.pan_masked = writer_done(&pan);
        struct view amount = iso_msg_get(m, 4);
        if (amount.len > 0) {
            s.amount_minor = 0;
            for (size_t i = 0; i < amount.len; i++)
                s.amount_minor = s.amount_minor * 10 + (amount.ptr[i] - '0');
        }
    }
    h->config.saw(h->config.saw_arg, &s);
}

static bool mac_good(const struct card_call *c)
{
    struct mac_keys *keys = card_keys_of(c->h, c->link);
    struct view mac = iso_msg_get(c->req, c->req->present[1] != 0 ? 128 : 64);
    struct view data = view_slice(c->payload, 0, c->mac_at);
    uint8_t expected[TDES_BLOCK];
    if (mac.len != TDES_BLOCK)
        return !c->h->knobs.settings.mac_required;
    tdes_retail_mac(&keys->current, MAC_PADDING_ZEROS, data, expected);
    if (memcmp(expected, mac.ptr, TDES_BLOCK) == 0)
        return true;
    if (c->now_us >= keys->previous_until_us)
        return false;
    tdes_retail_mac(&keys->previous, MAC_PADDING_ZEROS, data, expected);
    return memcmp(expected, mac.ptr, TDES_BLOCK) == 0;
}

static bool elements_there(const struct iso_msg *m)
{
    static const uint8_t NEEDED[] = { 3, 4, 7, 11, 41, 49 };
    for (size_t i = 0; i < sizeof NEEDED; i++)
        if (!iso_msg_has(m, NEEDED[i]))
            return false;
    return m->mti[1] == '4' ? iso_msg_has(m, 90) : card_pan_of(m).len > 0;
}

/* False, with the code of the answer, for what must not reach the books. */
static bool admit(struct card_call *c)
{
    struct card_host *h = c->h;
    if (h->knobs.settings.sign_on_required && !c->link->signed_on) {
        h->stats.not_signed_on++;
        card_call_code(c, "91", "link is not signed on");
        return false;
    }
    if (!mac_good(c)) {
        h->stats.wrong_macs++;
        card_call_code(c, "63", "MAC is wrong or missing");
        return false;
    }
    if (!elements_there(c->req)) {
        h->stats.format_errors++;
        card_call_code(c, "30", "element missing");
        return false;
    }
    if (c->amount_minor == 0) {
        card_call_code(c, "13", "no amount");
        return false;
    }
    if (card_plan_has(&c->plan, CARD_FAULT_CODE)) {
        card_call_code(c, c->plan.code, "fault");
        return false;
    }
    return true;
}

static void lost(struct card_call *c)
{
    c->h->stats.lost_in++;
    card_see(c->h, c->link->id, CARD_SAW_LOST, c->req, c->plan.faults, "request lost");
    if (card_plan_has(&c->plan, CARD_FAULT_RESET_BEFORE_BOOKING)) {
        card_out_action(c->h, c->link->id, CARD_ACTION_RESET, c->now_us);
        c->link->finished = true;
    }
}

static void answer_money(struct card_call *c)
{
    struct iso_msg *answer = &c->h->answer;
    const struct card_entry *e = c->entry;
    bool with_mac =
        c->req->mti[1] != '8' && (c->mac_at < c->payload.len || c->h->knobs.settings.mac_required);
    card_answer_init(c, answer);
    if (e != NULL && !iso_msg_has(c->req, 37))
        iso_msg_put(answer, 37, view_text(e->rrn));
    if (e != NULL && e->auth_code[0] != '\0')
        iso_msg_put(answer, 38, view_text(e->auth_code));
    if (e != NULL && memcmp(c->code, "10", 2) == 0)
        iso_msg_put_number(answer, 4, (uint64_t)e->approved_minor);
    if (e != NULL && e->issuer_data_len > 0) {
        uint8_t tlv[32];
        struct writer w = writer_over(tlv, sizeof tlv);
        writer_u8(&w, 0x91);
        writer_u8(&w, e->issuer_data_len);
        writer_bytes(&w, e->issuer_data, e->issuer_data_len);
        writer_bytes(&w, "\x8a\x02", 2);
        writer_bytes(&w, c->code, 2);
        iso_msg_put(answer, 55, writer_done(&w));
    }
    card_answer_send(c, answer, with_mac);
}

static bool is_money(const char *mti)
{
    static const char *const KNOWN[] = { "0100", "0101", "0200", "0201", "0220",
                                         "0221", "0400", "0401", "0420", "0421" };
    for (size_t i = 0; i < COUNT_OF(KNOWN); i++)
        if (strcmp(mti, KNOWN[i]) == 0)
            return true;
    return false;
}

static void request(struct card_call *c, enum status decoded)
{
    struct card_host *h = c->h;
    const char *mti = c->req->mti;
    card_see(h, c->link->id, CARD_SAW_REQUEST, c->req, 0, "");
    card_knobs_plan(&h->knobs, mti, c->amount_minor, &h->random, &c->plan);
    if (c->plan.faults != 0)
        h->stats.faults_hit++;
    if (card_plan_has(&c->plan, CARD_FAULT_DROP_BEFORE_BOOKING) ||
        card_plan_has(&c->plan, CARD_FAULT_RESET_BEFORE_BOOKING)) {
        lost(c);
        return;
    }
    if (decoded != STATUS_OK) {
        h->stats.format_errors++;
        card_call_code(c, "30", c->note);
        answer_money(c);
        return;
    }
    if (mti[1] == '8') {
        card_net_handle(c);
        return;
    }
    if (!is_money(mti)) {
        card_call_code(c, "12", "message type");
        answer_money(c);
        return;
    }
    if (admit(c))
        card_book(c);
    if (c->lost)
        lost(c);
    else
        answer_money(c);
}

static int64_t amount_of(const struct iso_msg *m)
{
    struct view v = iso_msg_get(m, 4);
    int64_t amount_minor = 0;
    for (size_t i = 0; i < v.len; i++)
        amount_minor = amount_minor * 10 + (v.ptr[i] - '0');
    return v.len > 0 ? amount_minor : -1;
}

static void message(struct card_host *h, struct card_link *link, struct view payload,
                    int64_t now_us)
{
    unsigned fault = 0;
    struct card_call c = { .h = h,
                           .link = link,
                           .req = &h->request,
                           .payload = payload,
                           .mac_at = payload.len,
                           .now_us = now_us,
                           .code = "00" };
    enum status s = iso_msg_decode(payload, h->config.packaging, &h->request, &fault, &c.mac_at);
    const char *mti = h->request.mti;
    char note[64] = "";
    h->stats.messages_in++;
    if (s != STATUS_OK) {
        struct writer w = writer_over(note, sizeof note - 1);
        writer_format(&w, "element %u: %s", fault, status_text(s));
        c.note = note;
    }
    if (mti[0] != '0' || (mti[2] != '0' && mti[2] != '2')) {
        /* The answer to a message of ours, or nothing this host knows. */
        if (mti[0] == '0' && mti[1] == '8' && s == STATUS_OK)
            h->stats.unsolicited_answered++;
        else
            h->stats.unreadable++;
        card_see(h, link->id, CARD_SAW_GARBAGE, mti[0] != '\0' ? &h->request : NULL, 0,
                 s == STATUS_OK ? "no request" : note);
        if (mti[0] == '\0')
            card_host_drop_links(h, CARD_DROP_CLOSE, link->id, now_us);
        return;
    }
    c.amount_minor = amount_of(&h->request);
    c.pan = card_pan_of(&h->request);
    request(&c, s);
}

/* Handles whole frames at the head of `bytes`; returns how many bytes they took. */
static size_t frames(struct card_host *h, struct card_link *link, struct view bytes, int64_t now_us)
{
    size_t done = 0;
    while (!link->finished) {
        struct view payload, tpdu;
        size_t used = 0;
        enum status s = iso_frame_next(h->config.framing, view_slice(bytes, done, bytes.len),
                                       &payload, &tpdu, &used);
        if (s == STATUS_SHORT)
            break;
        if (s != STATUS_OK) {
            h->stats.unreadable++;
            card_see(h, link->id, CARD_SAW_GARBAGE, NULL, 0, "broken frame");
            card_host_drop_links(h, CARD_DROP_CLOSE, link->id, now_us);
            break;
        }
        link->tpdu_len = tpdu.len;
        if (tpdu.len > 0)
            memcpy(link->tpdu, tpdu.ptr, tpdu.len);
        message(h, link, payload, now_us);
        done += used;
    }
    return link->finished ? bytes.len : done;
}

void card_host_receive(struct card_host *h, uint64_t id, struct view bytes, int64_t now_us)
{
    struct card_link *link = card_find_link(h, id);
    if (link == NULL)
        return;
    h->stats.bytes_in += bytes.len;
    /* What was left over is completed piece by piece; everything else is read where it lies. */
    while (bytes.len > 0 && link->rx_len > 0) {
        size_t room = ISO_FRAME_MAX + ISO_HEADER_MAX - link->rx_len;
        size_t take = bytes.len < room ? bytes.len : room;
        memcpy(link->rx + link->rx_len, bytes.ptr, take);
        size_t had = link->rx_len;
        size_t done = frames(h, link, view_of(link->rx, had + take), now_us);
        if (done == 0) { /* still no whole frame, so all bytes fitted */
            ENSURE(take == bytes.len);
            link->rx_len = had + take;
            return;
        }
        if (done >= had) { /* the rest lies in `bytes` again */
            link->rx_len = 0;
            bytes = view_slice(bytes, done - had, bytes.len);
        } else { /* cannot be: what was left over was no whole frame */
            ENSURE(false);
        }
    }
    size_t done = bytes.len > 0 ? frames(h, link, bytes, now_us) : 0;
    size_t rest = bytes.len - done;
    ENSURE(link->rx_len == 0 || rest == 0);
    if (rest > 0) {
        ENSURE(rest <= ISO_FRAME_MAX + ISO_HEADER_MAX);
        memcpy(link->rx, bytes.ptr + done, rest);
        link->rx_len = rest;
    }
}
