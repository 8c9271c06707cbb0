/* shop.c - see shop.h. */
#include "shop.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>

static const uint8_t KEY[32] = { 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5,  4,  3,  2,  1,  0,
                                 0,  1,  2,  3,  4,  5,  6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

void shop_open(struct shop *s)
{
    struct http_host_config config = { .brain = &wallet_brain,
                                       .seed = 3,
                                       .wall_offset_us = WALL_S * 1000000LL };
    *s = (struct shop){ .merchant = "shop-1", .acknowledge = 200 };
    s->host = http_host_open(&config);
    assert_non_null(s->host);
}

void shop_close(struct shop *s)
{
    http_host_close(s->host);
}

static void sign(char out[65], const char *text)
{
    uint8_t mac[32];
    unsigned len = 0;
    assert_non_null(
        HMAC(EVP_sha256(), KEY, sizeof KEY, (const uint8_t *)text, strlen(text), mac, &len));
    for (size_t i = 0; i < 32; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", mac[i]);
}

static void take_notice(struct shop *s, const struct http_host_action *action)
{
    char text[8192], wanted[65], header[128];
    struct view signature = sim_header(action->headers, "x-signature");
    s->notices++;
    (void)snprintf(s->notice, sizeof s->notice, "%.*s", (int)action->body.len,
                   (const char *)action->body.ptr);
    if (signature.len > 0) {
        size_t comma = view_find(signature, ',');
        (void)snprintf(text, sizeof text, "%.*s.POST./notices/wallet.%s", (int)(comma - 2),
                       (const char *)signature.ptr + 2, s->notice);
        sign(wanted, text);
        (void)snprintf(header, sizeof header, "%.*s,v1=%s", (int)comma, (const char *)signature.ptr,
                       wanted);
        assert_true(view_is(signature, header));
    }
    http_host_notice_done(s->host, action->id, s->acknowledge, s->now_us);
}

static void take(struct shop *s)
{
    struct http_host_action action;
    while (http_host_take(s->host, s->now_us, &action)) {
        if (action.what == HTTP_HOST_NOTICE) {
            take_notice(s, &action);
            continue;
        }
        assert_int_equal(action.how, HTTP_HOST_WHOLE);
        s->http_status = action.http_status;
        (void)snprintf(s->body, sizeof s->body, "%.*s", (int)action.body.len,
                       (const char *)action.body.ptr);
    }
}

void shop_ask(struct shop *s, const char *method, const char *target, const char *format, ...)
{
    char body[4096], text[8192], headers[512], mac[65];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(body, sizeof body, format, args);
    va_end(args);
    long long t = (long long)(s->now_us / 1000000 + WALL_S + s->clock_error_s);
    (void)snprintf(text, sizeof text, "%lld.%s.%s.%s", t, method, target, body);
    sign(mac, text);
    if (s->bad_signature)
        mac[5] = mac[5] == '0' ? '1' : '0';
    (void)snprintf(headers, sizeof headers, "host: x\nx-merchant: %s\nx-signature: t=%lld,v1=%s\n",
                   s->merchant, t, mac);
    struct sim_request request = { .method = view_text(method),
                                   .target = view_text(target),
                                   .headers = view_text(headers),
                                   .body = view_text(body) };
    s->http_status = 0;
    http_host_request(s->host, ++s->asked, &request, s->now_us);
    take(s);
    assert_int_not_equal(s->http_status, 0);
}

void shop_expect(struct shop *s, int http_status, const char *part)
{
    if (s->http_status != http_status || strstr(s->body, part) == NULL)
        fail_msg("wanted %d %s, got %d %s", http_status, part, s->http_status, s->body);
}

static void control(struct shop *s, const char *method, const char *path, const char *json)
{
    size_t room = http_host_control_room(s->host, view_text(method), view_text(path), VIEW_EMPTY);
    char *text = malloc(room);
    struct writer w = writer_over(text, room);
    assert_non_null(text);
    s->http_status = http_host_control(s->host, view_text(method), view_text(path), VIEW_EMPTY,
                                       view_text(json), s->now_us, &w);
    (void)snprintf(s->body, sizeof s->body, "%.*s", (int)w.len, text);
    free(text);
}

void shop_control(struct shop *s, const char *method, const char *path, const char *json,
                  const char *part)
{
    control(s, method, path, json);
    shop_expect(s, 200, part);
    take(s);
}

void shop_wait(struct shop *s, int64_t ms)
{
    int64_t end_us = s->now_us + ms * 1000;
    take(s);
    while (http_host_next_us(s->host) <= end_us) {
        s->now_us = http_host_next_us(s->host);
        take(s);
    }
    s->now_us = end_us;
}

const char *shop_code(const char *order_id, const char *amount, bool dynamic)
{
    static char text[512];
    uint16_t crc = 0xffff;
    int len = snprintf(text, sizeof text,
                       "0002010102%s2908000400AB52045999530397854%02zu%s5802DE5904Shop6006Berlin"
                       "62%02zu01%02zu%s6304",
                       dynamic ? "12" : "11", strlen(amount), amount, strlen(order_id) + 4,
                       strlen(order_id), order_id);
    for (int i = 0; i < len; i++) {
        crc = (uint16_t)(crc ^ (uint8_t)text[i] << 8);
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
    }
    (void)snprintf(text + len, sizeof text - (size_t)len, "%04X", crc);
    return text;
}

void shop_order(struct shop *s, const char *order_id, const char *amount, int ends_in_s)
{
    shop_ask(s, "POST", "/v1/orders",
             "{\"order_id\":\"%s\",\"reference\":\"%s\",\"amount\":\"%s\",\"currency\":\"EUR\","
             "\"code\":\"%s\",\"expires_at\":%lld,\"notice_url\":\"" NOTICE_URL "\"}",
             order_id, order_id, amount, shop_code(order_id, amount, true),
             (long long)(WALL_S + s->now_us / 1000000 + ends_in_s));
}

int64_t shop_total(struct shop *s, const char *name)
{
    char key[64];
    control(s, "GET", "/ledger", "");
    (void)snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = strstr(s->body, key);
    assert_non_null(at);
    return atoll(at + strlen(key));
}

static unsigned count(const char *text, const char *word)
{
    unsigned n = 0;
    for (; (text = strstr(text, word)) != NULL; text += strlen(word))
        n++;
    return n;
}

unsigned shop_entries(struct shop *s)
{
    control(s, "GET", "/ledger", "");
    return count(s->body, "\"number\":");
}

int64_t shop_all_money(struct shop *s)
{
    int64_t sum = 0;
    control(s, "GET", "/ledger", "");
    for (const char *at = s->body; (at = strstr(at, "\"balance_minor\":")) != NULL; at += 16)
        sum += atoll(at + 16);
    return sum;
}
