/* gateway.c - see gateway.h. Card numbers are test card numbers from published ranges. */
#include "gateway.h"

#include "base/ensure.h"

#include <stdio.h>

void gateway_open(struct gateway *g, enum iso_packaging packaging, enum iso_framing framing)
{
    *g = (struct gateway){ .link = 1, .stan = 1, .now_us = 1000000 };
    g->config = (struct card_config){ .packaging = packaging,
                                      .framing = framing,
                                      .seed = 7,
                                      .wall_offset_us = GATEWAY_WALL_US,
                                      .ledger_entries_max = 64 };
    g->host = card_host_open(&g->config);
    assert_non_null(g->host);
    static const uint8_t MAC[16] = { 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
                                     0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb };
    tdes_key_set(&g->mac, MAC);
    assert_int_equal(card_host_link_open(g->host, g->link, g->now_us), STATUS_OK);
}

void gateway_close(struct gateway *g)
{
    card_host_close(g->host);
}

void gateway_build(struct gateway *g, struct iso_msg *m, const char *mti, const char *pan,
                   int64_t amount_minor)
{
    char stan[16];
    iso_msg_init(m, mti);
    (void)snprintf(stan, sizeof stan, "%06u", g->stan++);
    iso_msg_put(m, 7, VIEW("1122120000"));
    iso_msg_put(m, 11, view_text(stan));
    iso_msg_put(m, 32, VIEW("123456"));
    iso_msg_put(m, 41, VIEW("TERM0001"));
    if (mti[1] == '8')
        return;
    iso_msg_put(m, 2, view_text(pan));
    iso_msg_put(m, 3, VIEW("000000"));
    iso_msg_put_number(m, 4, (uint64_t)amount_minor);
    iso_msg_put(m, 12, VIEW("120000"));
    iso_msg_put(m, 13, VIEW("1122"));
    iso_msg_put(m, 14, VIEW("2812"));
    iso_msg_put(m, 18, VIEW("5411"));
    iso_msg_put(m, 22, VIEW("012"));
    iso_msg_put(m, 25, VIEW("00"));
    char rrn[32];
    (void)snprintf(rrn, sizeof rrn, "632612%s", stan);
    iso_msg_put(m, 37, view_text(rrn));
    iso_msg_put(m, 42, VIEW("MERCHANT000001"));
    iso_msg_put(m, 49, VIEW("978"));
}

void gateway_refer(struct iso_msg *m, const struct iso_msg *original)
{
    uint8_t text[42];
    struct writer w = writer_over(text, sizeof text);
    writer_bytes(&w, original->mti, 3);
    writer_text(&w, "0");
    writer_view(&w, iso_msg_get(original, 11));
    writer_view(&w, iso_msg_get(original, 7));
    writer_text(&w, "0000012345600000000000");
    assert_int_equal(w.len, 42);
    iso_msg_put(m, 90, writer_done(&w));
    iso_msg_put(m, 37, iso_msg_get(original, 37));
}

void gateway_send(struct gateway *g, const struct iso_msg *request)
{
    struct iso_msg m = *request;
    size_t mac_at = 0;
    uint8_t bytes[2048], mac[8];
    bool with_mac = m.mti[1] != '8';
    unsigned field = m.present[1] != 0 ? 128 : 64;
    for (unsigned round = 0; round < (with_mac ? 2u : 1u); round++) {
        if (with_mac)
            iso_msg_put(&m, field, round == 0 ? view_of("\0\0\0\0\0\0\0\0", 8) : view_of(mac, 8));
        struct writer w = writer_over(bytes, sizeof bytes);
        assert_int_equal(iso_msg_encode(&m, g->config.packaging, &w, &mac_at), STATUS_OK);
        tdes_retail_mac(&g->mac, MAC_PADDING_ZEROS, view_of(bytes, mac_at), mac);
        struct writer f = writer_over(g->sent, sizeof g->sent);
        iso_frame_header(g->config.framing, w.len, VIEW_EMPTY, &f);
        writer_view(&f, writer_done(&w));
        g->sent_len = f.len;
    }
    card_host_receive(g->host, g->link, view_of(g->sent, g->sent_len), g->now_us);
}

bool gateway_take(struct gateway *g)
{
    struct view payload, tpdu;
    size_t used = 0, mac_at = 0;
    unsigned fault;
    g->action = (struct card_action){ 0 };
    if (!card_host_take(g->host, g->now_us, &g->action) || g->action.kind != CARD_ACTION_SEND)
        return false;
    if (iso_frame_next(g->config.framing, g->action.bytes, &payload, &tpdu, &used) != STATUS_OK)
        return true;
    if (iso_msg_decode(payload, g->config.packaging, &g->answer, &fault, &mac_at) != STATUS_OK)
        return true;
    uint8_t mac[8];
    struct view there = iso_msg_get(&g->answer, g->answer.present[1] != 0 ? 128 : 64);
    tdes_retail_mac(&g->mac, MAC_PADDING_ZEROS, view_slice(payload, 0, mac_at), mac);
    g->answer_mac_good = there.len == 8 && memcmp(there.ptr, mac, 8) == 0;
    return true;
}

void gateway_expect(struct gateway *g, const struct iso_msg *m, const char *code)
{
    gateway_send(g, m);
    assert_true(gateway_take(g));
    assert_int_equal(g->answer.mti[1], m->mti[1]);
    assert_int_equal(g->answer.mti[2], m->mti[2] + 1);
    assert_int_equal(g->answer.mti[3], '0');
    struct view got = iso_msg_get(&g->answer, 39);
    if (!view_is(got, code))
        fail_msg("DE39 is %.2s, not %s", (const char *)got.ptr, code);
    assert_true(view_equal(iso_msg_get(&g->answer, 11), iso_msg_get(m, 11)));
    assert_int_equal(g->answer_mac_good, m->mti[1] != '8');
    assert_false(card_host_take(g->host, g->now_us, &g->action));
}

void gateway_expect_nothing(struct gateway *g, const struct iso_msg *m)
{
    gateway_send(g, m);
    assert_false(gateway_take(g));
    assert_int_equal(g->action.kind, 0);
}

void gateway_sign_on(struct gateway *g)
{
    struct iso_msg m;
    gateway_build(g, &m, "0800", "", 0);
    iso_msg_put(&m, 70, VIEW("001"));
    gateway_expect(g, &m, "00");
}

void gateway_set(struct gateway *g, const char *json)
{
    char why[200];
    struct writer w = writer_over(why, sizeof why - 1);
    enum status s = card_host_set(g->host, view_text(json), CARD_KNOBS_REPLACE, g->now_us, &w);
    why[w.len] = '\0';
    if (s != STATUS_OK)
        fail_msg("%s", why);
}

const struct card_entry *gateway_entry(struct gateway *g, uint64_t number)
{
    const struct card_entry *e = card_ledger_get(card_host_ledger(g->host), number);
    assert_non_null(e);
    return e;
}

const struct card_account *gateway_account(struct gateway *g, const char *pan)
{
    struct card_accounts *all = (struct card_accounts *)(uintptr_t)card_host_accounts(g->host);
    const struct card_account *a = card_account_find(all, view_text(pan));
    assert_non_null(a);
    return a;
}
