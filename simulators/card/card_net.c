/* card_net.c - network management: sign-on, sign-off, echo, key change.
 *
 * 0800 and 0820 carry no MAC: a link must be able to sign on before it has a key. A key change
 * makes a new key from the host's dice, sends it under the zone key, and counts from the answer on;
 * the old one is still accepted for requests under way (settings.key_grace_ms).
 */
#include "host_int.h"

#include <time.h>

void card_mac_keys_set(struct mac_keys *k, const uint8_t bytes[TDES_KEY_SIZE])
{
    tdes_key_set(&k->current, bytes);
    k->previous_until_us = 0;
    k->generation++;
}

/* DE48: K, the key under the zone key (32), check value (6). */
static void change_key(struct card_call *c, struct iso_msg *answer)
{
    struct card_host *h = c->h;
    struct mac_keys *keys = card_keys_of(h, c->link);
    uint8_t fresh[TDES_KEY_SIZE], wrapped[TDES_KEY_SIZE], kcv[3], text[39];
    for (size_t i = 0; i < sizeof fresh; i++)
        fresh[i] = (uint8_t)(card_random(&h->random) >> 24);
    tdes_odd_parity(fresh, sizeof fresh);
    keys->previous = keys->current;
    card_mac_keys_set(keys, fresh);
    keys->previous_until_us = c->now_us + h->knobs.settings.key_grace_ms * 1000;
    tdes_check_value(&keys->current, kcv);
    tdes_encrypt(&h->zone, fresh, wrapped);
    tdes_encrypt(&h->zone, fresh + 8, wrapped + 8);
    struct writer w = writer_over(text, sizeof text);
    writer_text(&w, "K");
    writer_hex_upper(&w, view_of(wrapped, sizeof wrapped));
    writer_hex_upper(&w, view_of(kcv, sizeof kcv));
    iso_msg_put(answer, 48, writer_done(&w));
    h->stats.key_changes++;
}

static void answer_init(struct card_call *c, struct iso_msg *answer)
{
    card_answer_init(c, answer);
    if (iso_msg_has(c->req, 70))
        iso_msg_put(answer, 70, iso_msg_get(c->req, 70));
}

void card_net_handle(struct card_call *c)
{
    struct card_host *h = c->h;
    struct iso_msg *answer = &h->answer;
    struct view code = iso_msg_get(c->req, 70);
    card_call_code(c, "00", "");
    if (!iso_msg_has(c->req, 7) || !iso_msg_has(c->req, 11) || !iso_msg_has(c->req, 70)) {
        card_call_code(c, "30", "element missing");
        answer_init(c, answer);
    } else if (view_is(code, "001")) {
        if (card_plan_has(&c->plan, CARD_FAULT_NO_SIGN_ON_ANSWER)) {
            card_see(h, c->link->id, CARD_SAW_LOST, c->req, c->plan.faults, "sign-on ignored");
            return;
        }
        c->link->signed_on = true;
        h->stats.sign_ons++;
        answer_init(c, answer);
    } else if (view_is(code, "002")) {
        c->link->signed_on = false;
        h->stats.sign_offs++;
        answer_init(c, answer);
    } else if (view_is(code, "301")) {
        h->stats.echoes++;
        answer_init(c, answer);
    } else if (view_is(code, "101")) {
        answer_init(c, answer);
        change_key(c, answer);
    } else {
        card_call_code(c, "12", "network management code");
        answer_init(c, answer);
    }
    card_answer_send(c, answer, false);
}

static void put_time(struct iso_msg *m, int64_t wall_us)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm t;
    char text[16] = "0101000000";
    if (gmtime_r(&seconds, &t) != NULL)
        (void)strftime(text, sizeof text, "%m%d%H%M%S", &t);
    iso_msg_put(m, 7, view_text(text));
}

enum status card_host_send(struct card_host *h, struct view code, uint64_t link, int64_t now_us)
{
    if (!view_is(code, "001") && !view_is(code, "002") && !view_is(code, "101") &&
        !view_is(code, "301"))
        return STATUS_MALFORMED;
    bool sent = false;
    for (size_t i = 0; i < CARD_LINKS_MAX; i++) {
        struct card_link *l = &h->links[i];
        if (l->id == 0 || l->finished || (link != 0 && l->id != link))
            continue;
        iso_msg_init(&h->answer, "0800");
        put_time(&h->answer, now_us + h->config.wall_offset_us);
        iso_msg_put_number(&h->answer, 11, h->next_stan++ % 999999 + 1);
        iso_msg_put(&h->answer, 70, code);
        card_out_message(h, l, &h->answer, now_us);
        h->stats.unsolicited_out++;
        sent = true;
    }
    return sent ? STATUS_OK : STATUS_NOT_FOUND;
}
