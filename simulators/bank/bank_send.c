/* bank_send.c - the paper a message is written on: envelope, header, signature, address. */
#include "bank_int.h"

#include <stdlib.h>

#define BANK_ISPB "00038166"

/* --- where to ------------------------------------------------------------------------------- */
uint32_t bank_url_intern(struct bank *b, struct view url)
{
    if (url.len == 0 || url.len > SIM_HTTP_URL_MAX)
        return 0;
    size_t held = b->url_count < BANK_URLS_MAX ? b->url_count : BANK_URLS_MAX;
    for (size_t i = 0; i < held; i++)
        if (view_is(url, b->urls[i]))
            return (uint32_t)i + 1;
    char *copy = malloc(url.len + 1);
    if (copy == NULL)
        return 0;
    bank_copy(copy, url.len + 1, url);
    size_t place = b->url_count++ % BANK_URLS_MAX; /* more than that: the oldest is forgotten */
    free(b->urls[place]);
    b->urls[place] = copy;
    return (uint32_t)place + 1;
}

/* --- ids ------------------------------------------------------------------------------------ */
void bank_new_id(struct bank *b, char out[36], char letter, int64_t wall_us)
{
    struct writer w = writer_over(out, 35);
    if (b->settings.scheme == SCHEME_pix) {
        writer_u8(&w, (uint8_t)letter);
        writer_text(&w, BANK_ISPB);
        unsigned digits = 23;
        if (letter != 'M') { /* yyyyMMddHHmm */
            char time[32];
            struct writer t = writer_over(time, sizeof time);
            wall_write(&t, wall_us, false);
            for (size_t i = 0; i < 16; i++)
                if (time[i] >= '0' && time[i] <= '9')
                    writer_u8(&w, (uint8_t)time[i]);
            digits = 11;
        }
        writer_u64_padded(&w, b->next_id++, digits);
    } else {
        writer_text(&w, letter == 'M' ? "SB" : "SR");
        writer_format(&w, "%08x-", (unsigned)(b->config.seed * 2654435761u));
        writer_u64_padded(&w, b->next_id++, 12);
    }
    out[w.len] = '\0';
}

/* --- the paper ------------------------------------------------------------------------------ */
bool bank_enveloped(const struct bank *b, bool same)
{
    return bank_is(&b->settings, "envelope", "always") ||
           (same && bank_is(&b->settings, "envelope", "same"));
}

void bank_paper_open(struct bank *b, struct bank_paper *p, struct writer *w, const char *msg_name,
                     const char *element, bool enveloped, int64_t wall_us)
{
    char ns[64];
    struct xml_out *x = &p->x;
    p->w = w;
    xml_out_init(x, w);
    bank_new_id(b, p->id, 'M', wall_us);
    writer_text(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    if (enveloped) {
        xml_open_ns(x, "Message", "urn:railgate:sim:bank");
        xml_open_ns(x, "AppHdr", ISO_NAMESPACE "head.001.001.02");
        xml_open(x, "Fr");
        xml_open(x, "FIId");
        xml_path(x, "FinInstnId", "BICFI", b->settings.bic);
        xml_close_to(x, x->depth - 2);
        xml_open(x, "To");
        xml_open(x, "FIId");
        xml_open(x, "FinInstnId");
        xml_path(x, "Othr", "Id", "PARTICIPANT");
        xml_close_to(x, x->depth - 3);
        xml_leaf_text(x, "BizMsgIdr", p->id);
        xml_leaf_text(x, "MsgDefIdr", msg_name);
        xml_time(x, "CreDt", wall_us);
        xml_close(x);
    }
    struct writer name = writer_over(ns, sizeof ns - 1);
    writer_text(&name, ISO_NAMESPACE);
    writer_text(&name, msg_name);
    ns[name.len] = '\0';
    xml_open_ns(x, "Document", ns);
    xml_open(x, element);
}

void bank_paper_close(struct bank_paper *p)
{
    xml_close_to(&p->x, 0);
    writer_text(p->w, "\n");
}

/* --- sending -------------------------------------------------------------------------------- */
void bank_sign(struct bank *b, struct view body, int64_t wall_us, struct writer *headers)
{
    const struct jose_key *key = &b->keys.own[b->settings.jws_alg];
    writer_text(headers, "content-type: application/xml; charset=utf-8\n");
    if (!b->settings.sign_notices || body.len == 0)
        return;
    uint8_t text[512];
    struct writer w = writer_over(text, sizeof text);
    if (jose_sign_detached(key, b->keys.own_kid, wall_us / 1000000, body, &w) != STATUS_OK)
        return; /* unsigned: the other side will refuse it, which is what should happen */
    writer_text(headers, "x-jws-signature: ");
    writer_view(headers, writer_done(&w));
    writer_text(headers, "\n");
}

struct writer bank_notice_begin(struct bank *b)
{
    return writer_over(b->scratch, SIM_HTTP_BODY_MAX);
}

void bank_notice_send(struct bank *b, const struct writer *w, uint32_t url, int64_t at_us)
{
    struct view to = view_text(b->settings.notice_url);
    uint8_t text[SIM_HTTP_HEADERS_MAX];
    struct writer headers = writer_over(text, sizeof text);
    if (to.len == 0 && url == 0)
        url = b->last_url;
    if (to.len == 0 && url != 0)
        to = view_text(b->urls[url - 1]);
    if (to.len == 0 || w->overflow || b->config.send == NULL) {
        b->stats.notices_without_url++;
        return;
    }
    bank_sign(b, writer_done(w), bank_wall(b, at_us), &headers);
    b->stats.notices_written++;
    struct sim_notice notice = { .url = to,
                                 .headers = writer_done(&headers),
                                 .body = writer_done(w),
                                 .at_us = at_us,
                                 .tag = b->stats.notices_written };
    b->config.send(b->config.send_arg, &notice);
}
