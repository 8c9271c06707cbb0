/* SPDX-License-Identifier: Apache-2.0
 *
 * iso20022_fuzz.c - any bytes as an ISO 20022 message, and as what a bank says to two channels
 * unasked. Every item must be readable by its index, texts must end, and a notice must keep its
 * promises: an attempt is named where one must be, money has an amount, nothing is approved
 * without.
 */
#include "bank_int.h"

#include <stdlib.h>
#include <string.h>

#define ITEMS_MAX 12u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int good)
{
    if (!good)
        abort();
}

static void check_item(const struct iso_item *item)
{
#define FIELD(name, longest) must(memchr(item->name, 0, sizeof item->name) != NULL);
    ISO_FIELDS(FIELD)
#undef FIELD
}

static struct iso_rows kept; /* as the host keeps it; what is said of it before is written over */

static void check_notice(const struct bank_instance *bank, const uint8_t *data, size_t size,
                         uint32_t index)
{
    static uint8_t rooms[10][4096];
    static struct rg_named rows[16];
    struct rg_notice in = { .size = sizeof in,
                            .verified = 1,
                            .bytes = { data, size },
                            .index = index,
                            .http_method = RG_HTTP_POST,
                            .memory = &kept };
    struct rg_notice_out out;
    struct rg_buffer *const buffers[] = { &out.bytes,     &out.signature, &out.sign_key,
                                          &out.reference, &out.rail_code, &out.attempt_id,
                                          &out.message,   &out.diagnosis, &out.acknowledgement,
                                          &out.refs.text };
    memset(&out, 0, sizeof out);
    out.size = sizeof out;
    out.refs.rows = rows;
    out.refs.room = 16;
    for (unsigned i = 0; i < 10; i++)
        *buffers[i] = (struct rg_buffer){ rooms[i], i == 4 ? 32 : sizeof rooms[i], 0, 0, 0 };
    uint32_t answer = bank_notice(bank, &in, &out);
    must(answer == RG_NOTICE_DONE || answer == RG_NOTICE_BROKEN);
    for (unsigned i = 0; i < 10; i++)
        must(buffers[i]->overflow == 0);
    if (answer == RG_NOTICE_BROKEN) {
        must(out.diagnosis.len > 0);
        return;
    }
    must(out.about >= RG_ABOUT_STATUS && out.about <= RG_ABOUT_LINK);
    uint32_t names = out.about == RG_ABOUT_STATUS || out.about == RG_ABOUT_RETURN;
    uint32_t money = out.about == RG_ABOUT_RETURN || out.about == RG_ABOUT_CREDIT;
    must((out.attempt_id.len == ATTEMPT_TEXT_LEN) == (names != 0));
    must(!money || (out.amount_minor >= 0 && out.currency_number != 0 && out.reference.len > 0));
    must(out.about != RG_ABOUT_LINK || out.outcome == 0);
}

static void open_channel(struct bank_instance *bank, uint32_t participant)
{
    memset(bank, 0, sizeof *bank);
    bank->magic = BANK_INSTANCE_MAGIC;
    bank->initiation = participant ? INITIATION_PARTICIPANT : INITIATION_CUSTOMER;
    bank->profile = bank_profile_named(text_of("generic"));
    memcpy(bank->qrr_prefix.bytes, "7246310", 7);
    bank->qrr_prefix.len = 7;
}

/* One reading for all says what the readings for each say. */
static void check_rows(struct rg_bytes bytes, uint64_t items, uint32_t good)
{
    struct iso_message one, row;
    const char *why = iso_rows_read(bytes, ISO_ROWS_MAX, ISO_ALL_ROWS, &kept);
    must(kept.read == (why == NULL));
    must(why != NULL || (good != 0 && kept.count == items));
    must(why == NULL || good == 0 || items > ISO_ROWS_MAX);
    for (uint64_t i = 0; i <= kept.count && why == NULL && i < ITEMS_MAX; i++) {
        iso_rows_get(&kept, i, &row);
        must(iso_read(bytes, i, &one) == NULL && memcmp(&one, &row, sizeof one) == 0);
    }
    kept.read = 0;
    (void)iso_rows_read(bytes, BANK_HINTS_MAX, ISO_FIRST_ROWS, &kept);
    must(kept.count <= BANK_HINTS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct iso_message m;
    struct bank_instance bank;
    const char *why = iso_read((struct rg_bytes){ data, size }, 0, &m);
    uint64_t items = why == NULL ? m.items : 0;
    for (uint64_t i = 0; i < items && i < ITEMS_MAX; i++) {
        must(iso_read((struct rg_bytes){ data, size }, i, &m) == NULL && m.items == items);
        must(m.kind > 0 && m.kind < ISO_KIND_END);
        check_item(&m.item);
    }
    kept.read = 0;
    check_rows((struct rg_bytes){ data, size }, items, why == NULL);
    kept.read = 0;
    for (uint32_t participant = 0; participant < 2; participant++) {
        open_channel(&bank, participant);
        for (uint32_t i = 0; i <= items && i < ITEMS_MAX; i++)
            check_notice(&bank, data, size, i);
    }
    return 0;
}
