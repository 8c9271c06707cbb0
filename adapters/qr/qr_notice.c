/* SPDX-License-Identifier: Apache-2.0
 *
 * qr_notice.c - what the provider tells unasked (docs/rails/qr-wire.md, Notices).
 *
 * The attempt comes out of the message alone: of refund.* it is refund_id, of everything else
 * order_id. Whether an attempt of that number is a refund at all only the host knows: nothing is
 * kept here.
 *
 * A payment of a static code (order.*, order_id empty) names the reference that stood in the code,
 * and that is the attempt's number in other letters. Anybody may pay such a code, and any amount:
 * it is a credit towards the attempt, and the host sees whether it is what was asked for. That
 * somebody tried in vain says nothing about the attempt. What names no attempt of ours is money
 * without an asking: a credit of nothing.
 */
#include "qr_int.h"

#include "kits/attempt.h"
#include "kits/hex.h"

static uint32_t broken(struct rg_notice_out *out, const char *why)
{
    rg_put_text(&out->diagnosis, why);
    return RG_NOTICE_BROKEN;
}

/* The value of a header; lines are "name: value\n". ptr NULL: not there. */
static struct rg_bytes header(struct rg_bytes lines, const char *name)
{
    struct rg_bytes wanted = text_of(name);
    while (lines.len > 0) {
        uint64_t end = 0;
        while (end < lines.len && lines.ptr[end] != '\n')
            end++;
        struct rg_bytes line = text_slice(lines, 0, end);
        if (line.len >= wanted.len + 2 && text_same(text_slice(line, 0, wanted.len), wanted) &&
            line.ptr[wanted.len] == ':' && line.ptr[wanted.len + 1] == ' ')
            return (struct rg_bytes){ line.ptr + wanted.len + 2, line.len - wanted.len - 2 };
        lines = text_slice(lines, end + 1, lines.len);
    }
    return (struct rg_bytes){ NULL, 0 };
}

/* "t=<seconds>,v1=<64 hex>" and the bytes it stands for. */
static uint32_t verify(const struct qr_instance *qr, const struct rg_notice *in,
                       struct rg_bytes signature, struct rg_notice_out *out)
{
    uint8_t mac[32];
    uint64_t comma = 0, seconds = 0;
    while (comma < signature.len && signature.ptr[comma] != ',')
        comma++;
    struct rg_bytes time = text_slice(signature, 2, comma > 2 ? comma - 2 : 0);
    struct rg_bytes hex = text_slice(signature, comma + 4, signature.len);
    if (!text_starts(signature, "t=") || !text_number(time, INT64_MAX / 2, &seconds) ||
        !text_starts(text_slice(signature, comma, 4), ",v1=") || hex.len != 64 ||
        !hex_read(hex.ptr, 64, mac, sizeof mac))
        return broken(out, "x-signature is not t=...,v1=...");
    int64_t now = in->time_unix_us / 1000000, age = now - (int64_t)seconds;
    if (age > QR_FRESH_S || age < -QR_FRESH_S)
        return broken(out, "x-signature is more than 300 seconds old or early");
    rg_put_bytes(&out->bytes, time);
    rg_put_text(&out->bytes, ".POST.");
    rg_put_bytes(&out->bytes, qr->notice_path);
    rg_put_bytes(&out->bytes, in->path);
    rg_put_text(&out->bytes, ".");
    rg_put_bytes(&out->bytes, in->bytes);
    rg_put(&out->signature, mac, sizeof mac);
    rg_put_text(&out->sign_key, qr->has_notice_key ? "notice_key" : "provider_key");
    return RG_NOTICE_VERIFY;
}

enum notice_of { OF_ORDER = 1, OF_PAYMENT, OF_REFUND };

static enum notice_of notice_of(struct rg_bytes type)
{
    return text_starts(type, "refund.")                                    ? OF_REFUND
           : text_starts(type, "order.")                                   ? OF_ORDER
           : text_starts(type, "payment.") || text_starts(type, "charge.") ? OF_PAYMENT
                                                                           : 0;
}

/* Which attempt of ours it is, and what that makes of the notice: enum RG_ABOUT_... */
static uint32_t put_attempt(const struct jl_value *data, enum notice_of of, uint32_t outcome,
                            struct rg_buffer *out)
{
    uint64_t number = 0;
    struct jl_value member;
    const char *name = of == OF_REFUND ? "refund_id" : "order_id";
    struct rg_bytes id = jl_plain(data, name);
    uint32_t about = RG_ABOUT_STATUS;
    uint32_t empty = !jl_member(data, name, &member) || member.kind == JL_NULL ||
                     (member.kind == JL_TEXT && member.raw.len == 0);
    uint32_t came = outcome == RG_OUTCOME_APPROVED && of != OF_REFUND;
    if (of == OF_ORDER && empty && qr_reference_read(jl_plain(data, "reference"), &number))
        about = came ? RG_ABOUT_CREDIT : RG_ABOUT_LINK;
    else if (!attempt_read(id, &number))
        return came ? RG_ABOUT_CREDIT : RG_ABOUT_LINK; /* nothing of ours */
    if (about != RG_ABOUT_LINK)
        attempt_put(out, number);
    return about;
}

static uint32_t tell(const struct jl_value *data, enum notice_of of, struct rg_notice_out *out)
{
    struct rg_bytes state = jl_plain(data, "state"), reason = jl_plain(data, "reason");
    struct rg_bytes id = jl_plain(data, "provider_id");
    uint32_t exponent = 0, outcome = qr_outcome_of(state);
    if (outcome == 0 || !qr_plain_id(id) ||
        !qr_currency_of(jl_plain(data, "currency"), &out->currency_number, &exponent) ||
        !qr_amount_read(qr_amount_of(data), exponent, &out->amount_minor))
        return broken(out, "state, provider_id, amount or currency cannot be read");
    struct rg_bytes refunded = jl_plain(data, "order_id");
    if (of == OF_REFUND && refunded.len > 0 && text_same(jl_plain(data, "refund_id"), refunded))
        return broken(out, "a refund has the id of what it gives back");
    out->about = put_attempt(data, of, outcome, &out->attempt_id);
    if (out->about == RG_ABOUT_CREDIT && out->amount_minor == 0)
        return broken(out, "nothing was paid");
    out->outcome = out->about == RG_ABOUT_LINK ? 0 : outcome;
    qr_put_provider(id, NULL, &out->reference, &out->refs);
    /* As it is: the host tells movements apart by it, and masks what it shows and keeps. */
    out->reference.len = 0;
    rg_put_bytes(&out->reference, id);
    if (outcome == RG_OUTCOME_DECLINED) {
        const struct qr_reason *row = qr_reason_of(reason.len > 0 ? reason : state);
        out->category = row->category;
        rg_put_text(&out->message, row->message);
    }
    qr_put_word(outcome == RG_OUTCOME_DECLINED && qr_plain_id(reason) ? reason : state, NULL,
                &out->rail_code);
    return RG_NOTICE_DONE;
}

uint32_t qr_notice(const void *instance, const struct rg_notice *in, struct rg_notice_out *out)
{
    const struct qr_instance *qr = instance;
    struct jl_value root, data;
    struct rg_bytes signature = header(in->headers, "x-signature");
    if (qr->magic != QR_INSTANCE_MAGIC || in->http_method != RG_HTTP_POST)
        return broken(out, "notices are posted");
    if (signature.ptr != NULL && in->verified == 0)
        return verify(qr, in, signature, out);
    if (!jl_read(in->bytes, &root) || !jl_member(&root, "data", &data) || data.kind != JL_OBJECT)
        return broken(out, "the body is not a JSON object with data");
    enum notice_of of = notice_of(jl_plain(&root, "type"));
    return of != 0 ? tell(&data, of, out) : broken(out, "the type is not known");
}
