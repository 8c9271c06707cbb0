/* SPDX-License-Identifier: Apache-2.0
 *
 * bank_ids.c - references that hold the attempt, and reading them back.
 *
 *     PLAIN    "RG", kind, 13 letters of base 36: 16 characters, as old systems like
 *     FEDNOW   message ids: yyyyMMdd, routing number, then PLAIN: 33; the rest is PLAIN
 *     PIX      E, D (return) or M, ISPB, yyyyMMddHHmm in UTC, 11 letters of base 62: 32
 *     RF       "RF", check digits, "RG", 13 letters of base 36: 19
 *     QRR      prefix of the channel (7 digits), 19 digits, check digit: 27
 *
 * Reading is strict: a text is ours with every character or not at all. In Pix other banks write
 * the same form, so the ISPB must be our own. A foreign reference of the same form cannot be told
 * from ours here; the host finds no such attempt then.
 */
#include "bank_int.h"

#include <string.h>

#define PLAIN_LEN  16u
#define PIX_LEN    32u
#define FEDNOW_LEN 33u

void bank_put_date(struct rg_buffer *out, const struct rg_civil *civil)
{
    rg_put_digits(out, civil->year, 4);
    rg_put_u8(out, '-');
    rg_put_digits(out, civil->month, 2);
    rg_put_u8(out, '-');
    rg_put_digits(out, civil->day, 2);
}

void bank_put_time(struct rg_buffer *out, const struct rg_civil *utc, uint32_t with_ms)
{
    bank_put_date(out, utc);
    rg_put_u8(out, 'T');
    rg_put_digits(out, utc->hour, 2);
    rg_put_u8(out, ':');
    rg_put_digits(out, utc->minute, 2);
    rg_put_u8(out, ':');
    rg_put_digits(out, utc->second, 2);
    rg_put_text(out, with_ms != 0 ? ".000Z" : "Z");
}

static void put_plain(char kind, uint64_t attempt, struct rg_buffer *out)
{
    rg_put_text(out, "RG");
    rg_put_u8(out, (uint8_t)kind);
    attempt_put_base36(out, attempt);
}

void bank_put_id(const struct bank_instance *bank, char kind, const struct rg_command *command,
                 uint64_t attempt, struct rg_buffer *out)
{
    const struct rg_civil *utc = &command->utc;
    if (bank->profile->ids == IDS_PIX) {
        rg_put_u8(out, (uint8_t)(kind == 'E' ? 'E' : kind == 'R' ? 'D' : 'M'));
        rg_put_bytes(out, bank_view(&bank->member));
        rg_put_digits(out, utc->year, 4);
        rg_put_digits(out, utc->month, 2);
        rg_put_digits(out, utc->day, 2);
        rg_put_digits(out, utc->hour, 2);
        rg_put_digits(out, utc->minute, 2);
        attempt_put_base62(out, attempt);
        return;
    }
    if (bank->profile->ids == IDS_FEDNOW &&
        (kind == 'M' || kind == 'S' || kind == 'C' || kind == 'B')) {
        rg_put_digits(out, utc->year, 4);
        rg_put_digits(out, utc->month, 2);
        rg_put_digits(out, utc->day, 2);
        rg_put_bytes(out, bank_view(&bank->member));
    }
    put_plain(kind, attempt, out);
}

static uint32_t read_plain(struct rg_bytes text, uint64_t *attempt, char *kind)
{
    if (text.len != PLAIN_LEN || !text_starts(text, "RG") ||
        strchr("MIEFTPSCBR", text.ptr[2]) == NULL ||
        !attempt_read_base36(text_slice(text, 3, 13), attempt))
        return 0;
    *kind = (char)text.ptr[2];
    return 1;
}

uint32_t bank_read_id(const struct bank_instance *bank, const char *letters, uint64_t *attempt,
                      char *kind)
{
    struct rg_bytes text = text_of(letters);
    if (bank->profile->ids == IDS_PIX) {
        if (text.len != PIX_LEN || strchr("EDM", text.ptr[0]) == NULL ||
            !text_same(text_slice(text, 1, 8), bank_view(&bank->member)) ||
            !text_digits(text_slice(text, 9, 12)) ||
            !attempt_read_base62(text_slice(text, 21, 11), attempt))
            return 0;
        *kind = text.ptr[0] == 'D' ? 'R' : (char)text.ptr[0];
        return 1;
    }
    if (bank->profile->ids == IDS_FEDNOW && text.len == FEDNOW_LEN &&
        text_digits(text_slice(text, 0, 8)) &&
        text_same(text_slice(text, 8, 9), bank_view(&bank->member)))
        text = text_slice(text, 17, PLAIN_LEN);
    return read_plain(text, attempt, kind);
}

void bank_put_reference(const struct bank_instance *bank, uint64_t attempt, struct rg_buffer *out)
{
    uint8_t room[32];
    struct rg_buffer body = { room, sizeof room, 0, 0, 0 };
    if (bank->receive_qrr != 0) {
        rg_put_bytes(&body, bank_view(&bank->qrr_prefix));
        attempt_put_digits(&body, attempt);
        account_put_qrr(out, (struct rg_bytes){ body.ptr, body.len });
        return;
    }
    uint8_t rf[25];
    rg_put_text(&body, "RG");
    attempt_put_base36(&body, attempt);
    rg_put(out, rf, reference_rf_make((struct rg_bytes){ body.ptr, body.len }, rf));
}

/* Both kinds, whatever the channel gives out today: payers may still hold the other. Blanks between
 * groups are for people, and some banks hand them on. */
uint32_t bank_read_reference(const struct bank_instance *bank, struct rg_bytes text,
                             uint64_t *attempt)
{
    uint8_t room[35];
    struct rg_buffer b = { room, sizeof room, 0, 0, 0 };
    for (uint64_t i = 0; i < text.len; i++)
        if (text.ptr[i] != ' ')
            rg_put_u8(&b, text.ptr[i]);
    struct rg_bytes plain = { room, b.overflow != 0 ? 0 : b.len };
    if (reference_rf_valid(plain))
        return plain.len == 19 && text_starts(text_slice(plain, 4, 2), "RG") &&
               attempt_read_base36(text_slice(plain, 6, 13), attempt);
    return reference_qrr_valid(plain) &&
           text_same(text_slice(plain, 0, 7), bank_view(&bank->qrr_prefix)) &&
           attempt_read_digits(text_slice(plain, 7, 19), attempt);
}
