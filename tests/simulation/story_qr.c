/* story_qr.c - QR: a merchant shows a code and a phone scans it, or a merchant scans somebody's
 * code.
 *
 * A phone pays soon, twice, late, with another amount, is refused, or never comes; sometimes the
 * merchant cancels at the same time. Somebody who is not the provider sends a notice that says
 * "paid" (unsigned, or signed with a key of their own); nothing may come of that.
 */
#include "sim.h"

#include "http_plant.h"

#include "base/ensure.h"

#include <stdio.h>

#define STATIC_PERCENT 15

/* Of an order: paid by itself, the amount is wrong, late, twice, slow, declined. */
static const int64_t shown_magic[] = { 9101, 9104, 9105, 9106, 9102, 9103 };
/* Of what is paid at once: declined, open and then paid, open and then declined, open for ever. */
static const int64_t scanned_magic[] = { 9051, 9062, 9005, 9111, 9112, 9113 };

/* --- codes of others -----------------------------------------------------------------------------
 */

static void put_field(struct writer *w, const char *id, const char *text)
{
    writer_format(w, "%s%02zu%s", id, strlen(text), text);
}

/* CRC-16/CCITT-FALSE over all before it (EMVCo merchant-presented, 4.7.3). */
static unsigned checksum(struct view text)
{
    unsigned crc = 0xffff;
    for (size_t i = 0; i < text.len; i++) {
        crc ^= (unsigned)text.ptr[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc << 1 ^ ((crc & 0x8000) != 0 ? 0x1021 : 0)) & 0xffff;
    }
    return crc;
}

/* A merchant-presented code of somebody who is not with our provider. */
static void foreign_code(struct story *story, char *out, size_t room)
{
    struct dice *dice = &story->dice;
    struct writer w = writer_over(out, room - 1);
    char amount[24], reference[16], more[24];
    bool dynamic = dice_percent(dice, 50);
    put_field(&w, "00", "01");
    put_field(&w, "01", dynamic ? "12" : "11");
    put_field(&w, "26", "0016org.example.them0104acct");
    put_field(&w, "52", "5812");
    put_field(&w, "53", strcmp(story->currency, "EUR") == 0 ? "978" : "840");
    (void)snprintf(amount, sizeof amount, "%lld.%02lld", (long long)(story->amount / 100),
                   (long long)(story->amount % 100));
    if (dynamic || dice_percent(dice, 50))
        put_field(&w, "54", amount);
    put_field(&w, "58", "DE");
    put_field(&w, "59", "Their shop");
    put_field(&w, "60", "Hamburg");
    (void)snprintf(reference, sizeof reference, "S%06u", story->number);
    (void)snprintf(more, sizeof more, "05%02zu%s", strlen(reference), reference);
    put_field(&w, "62", more);
    writer_text(&w, "6304");
    writer_format(&w, "%04X", checksum(writer_done(&w)));
    out[w.len] = '\0';
}

static bool text_in(const char *json, const char *name, char *out, size_t room)
{
    char pattern[32];
    (void)snprintf(pattern, sizeof pattern, "\"%s\":\"", name);
    const char *at = strstr(json, pattern);
    if (at == NULL)
        return false;
    at += strlen(pattern);
    size_t len = strcspn(at, "\"");
    if (len >= room)
        return false;
    memcpy(out, at, len);
    out[len] = '\0';
    return true;
}

/* A code that a phone shows to the merchant. */
static bool consumer_code(struct story *story, char *out, size_t room)
{
    char answer[600];
    const char *phone = dice_percent(&story->dice, 80) ? "phone-2" : "phone-blocked";
    char body[64];
    (void)snprintf(body, sizeof body, "{\"phone\":\"%s\"}", phone);
    return http_side_command(story->world->sides[RAIL_QR], "/present", body, answer,
                             sizeof answer) &&
           text_in(answer, "code", out, room);
}

/* --- create --------------------------------------------------------------------------------------
 */

static void create_scan(struct story *story, struct ask *ask)
{
    char code[STORY_PAYLOAD_MAX];
    (void)story_amount(story, scanned_magic, COUNT_OF(scanned_magic), 5);
    if (dice_percent(&story->dice, 50) || !consumer_code(story, code, sizeof code))
        foreign_code(story, code, sizeof code);
    if (story->amount == 9113)
        story->excuses |= EXCUSE_FOREVER;
    (void)snprintf(ask->body, sizeof ask->body,
                   "{\"amount\":{\"value\":%lld,\"currency\":\"%s\"},\"reference\":\"story-%u\","
                   "\"method\":{\"type\":\"qr\",\"qr\":{\"mode\":\"scan\",\"code\":\"%s\"}}}",
                   (long long)story->amount, story->currency, story->number, code);
}

static void create_shown(struct story *story, struct ask *ask)
{
    struct dice *dice = &story->dice;
    char expires[48] = "";
    bool is_static = story->is_static = dice_percent(dice, STATIC_PERCENT);
    (void)story_amount(story, shown_magic, COUNT_OF(shown_magic), 4);
    if (is_static) /* it hangs somewhere: who scans it after its end pays all the same */
        story->excuses |= EXCUSE_LATE;
    /* Static codes have an end here, or nobody would ever stop to wait. */
    int64_t expires_s = is_static ? dice_between(dice, 20, 120) : dice_between(dice, 10, 90);
    if (is_static || dice_percent(dice, 80))
        (void)snprintf(expires, sizeof expires, ",\"expires_in\":%lld", (long long)expires_s);
    if (!is_static) {
        story->excuses |= story->amount == 9102 ? EXCUSE_AMOUNT : 0;
        story->excuses |= story->amount == 9103 ? EXCUSE_LATE : 0;
    }
    (void)snprintf(
        ask->body, sizeof ask->body,
        "{\"amount\":{\"value\":%lld,\"currency\":\"%s\"},\"reference\":\"story-%u\","
        "\"method\":{\"type\":\"qr\",\"qr\":{\"mode\":\"present\",\"code_type\":\"%s\"%s}}}",
        (long long)story->amount, story->currency, story->number, is_static ? "static" : "dynamic",
        expires);
}

void story_qr_create(struct story *story)
{
    struct ask *ask = story_ask(story, OPERATION_SALE);
    memcpy(story->currency, dice_percent(&story->dice, 70) ? "EUR" : "USD", sizeof story->currency);
    (void)snprintf(ask->path, sizeof ask->path, "/v1/payments");
    if (dice_percent(&story->dice, 30))
        create_scan(story, ask);
    else
        create_shown(story, ask);
    story_launch(ask);
}

/* --- the phone -----------------------------------------------------------------------------------
 */

static void scan(struct story *story, const char *phone, int64_t after_ms, const char *more)
{
    char body[STORY_PAYLOAD_MAX + 200], answer[600];
    (void)snprintf(body, sizeof body, "{\"code\":\"%s\",\"phone\":\"%s\",\"after_ms\":%lld%s}",
                   story->payload, phone, (long long)after_ms, more);
    (void)http_side_command(story->world->sides[RAIL_QR], "/scan", body, answer, sizeof answer);
}

/* "paid", says somebody who cannot know. */
static void forge(struct story *story)
{
    static const char path[] = "/notices/qr_a";
    char body[512], headers[256];
    bool planted = story->world->options->plant == PLANT_UNSIGNED;
    int len = snprintf(body, sizeof body,
                       "{\"type\":\"order.paid\",\"data\":{\"order_id\":\"\",\"provider_id\":"
                       "\"wp_99%06u\",\"reference\":\"%s\",\"state\":\"paid\",\"amount\":"
                       "\"%lld.%02lld\",\"paid_amount\":\"%lld.%02lld\",\"currency\":\"%s\"}}",
                       story->number, story->code_reference, (long long)(story->amount / 100),
                       (long long)(story->amount % 100), (long long)(story->amount / 100),
                       (long long)(story->amount % 100), story->currency);
    struct view text = view_of(body, (size_t)len);
    int64_t at_s = loop_wall_us(story->world->loop) / LOOP_US_PER_S;
    struct writer h = writer_over(headers, sizeof headers);
    writer_text(&h, "content-type: application/json\n");
    if (planted || dice_percent(&story->dice, 50)) {
        writer_text(&h, "x-signature: ");
        /* Signed for another address: as good as by another key. */
        plant_sign(&h, at_s, planted ? view_text(path) : VIEW("/"), text);
        writer_text(&h, "\n");
    }
    http_side_forge(story->world->sides[RAIL_QR], path, writer_done(&h), text);
}

static void pay_wrong(struct story *story, int64_t soon_ms)
{
    char more[64];
    int64_t paid = story->amount + dice_between(&story->dice, 1, 500);
    story->excuses |= EXCUSE_AMOUNT;
    (void)snprintf(more, sizeof more, ",\"amount\":\"%lld.%02lld\"", (long long)(paid / 100),
                   (long long)(paid % 100));
    if (story->amount > 1 && dice_percent(&story->dice, 50))
        scan(story, "phone-wrong", soon_ms, "");
    else
        scan(story, "phone-1", soon_ms, more);
}

void story_qr_act(struct story *story)
{
    struct dice *dice = &story->dice;
    int64_t soon_ms = dice_percent(dice, 30) ? 0 : dice_between(dice, 1, 9000);
    unsigned throw = (unsigned)dice_below(dice, 100);
    bool wrong_ones = story->world->options->plant == PLANT_WRONG_AMOUNT;
    if (dice_percent(dice, story->world->options->plant == PLANT_UNSIGNED ? 50 : 10))
        forge(story);
    if (story->is_static && throw >= 46 && throw < 58)
        story->excuses |= EXCUSE_TWICE;
    if (wrong_ones && dice_percent(dice, 50))
        throw = 60;
    if (throw < 40) {
        scan(story, dice_percent(dice, 80) ? "phone-1" : "phone-2", soon_ms, "");
    } else if (throw < 46) {
        scan(story, "phone-slow", soon_ms, "");
    } else if (throw < 52) {
        scan(story, "phone-twice", soon_ms, "");
    } else if (throw < 58) {
        scan(story, "phone-1", soon_ms, "");
        scan(story, "phone-2", dice_between(dice, 0, 9000), "");
    } else if (throw < 66) {
        pay_wrong(story, soon_ms);
    } else if (throw < 72) {
        story->excuses |= EXCUSE_LATE;
        scan(story, dice_percent(dice, 50) ? "phone-late" : "phone-1", soon_ms, ",\"late\":true");
    } else if (throw < 78) {
        scan(story, dice_percent(dice, 50) ? "phone-blocked" : "phone-declined", soon_ms, "");
        if (dice_percent(dice, 50))
            scan(story, "phone-1", soon_ms + dice_between(dice, 0, 4000), "");
    } else if (throw < 82) {
        scan(story, "phone-1", dice_between(dice, 10000, 100000), ""); /* in time or refused */
    } else if (throw < 90) {
        if (dice_percent(dice, 60))
            scan(story, "phone-1", soon_ms, "");
        story_cancel(story);
    } else if (throw < 94) {
        scan(story, "phone-closed", soon_ms, ""); /* takes nothing back */
    }                                             /* else nobody comes */
}
