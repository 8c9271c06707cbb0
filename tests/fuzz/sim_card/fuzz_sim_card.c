/* fuzz_sim_card.c - any bytes on a link of the card host: no crash, and the books stay in balance.
 *
 * The first byte chooses packaging, framing and what else is done: bit 6 makes the rest a knobs
 * body. The second is the size of the pieces in which the rest arrives. MACs are not asked for, so
 * that the fuzzer gets past them; the link is signed on.
 */
#include "card/card_host.h"
#include "card/emv.h"

#include "base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the cards lost is what the ledger says was charged; what they hold is what it says is held.
 */
static void check_books(const struct card_host *h)
{
    const struct card_accounts *a = card_host_accounts(h);
    const struct card_totals *t = card_ledger_sums(card_host_ledger(h));
    int64_t charged_minor = 0, held_minor = 0;
    for (size_t i = 0; i < a->count; i++) {
        charged_minor += a->all[i].opening_minor - a->all[i].balance_minor;
        held_minor += a->all[i].held_minor;
    }
    ENSURE(charged_minor == t->charged_minor);
    ENSURE(held_minor == t->held_minor && held_minor >= 0);
    ENSURE(t->booked_more_than_once == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct card_config config = { .packaging = (enum iso_packaging)(1 + data[0] % 3),
                                  .framing = (enum iso_framing)(1 + data[0] / 3 % 3),
                                  .seed = 1,
                                  .ledger_entries_max = 16 };
    struct card_host *h = card_host_open(&config);
    ENSURE(h != NULL);
    uint8_t text[256];
    struct writer why = writer_over(text, sizeof text);
    struct view rest = view_of(data + 2, size - 2);
    if (data[0] & 0x40) {
        int64_t now_us = 0;
        IGNORE_STATUS(card_host_set(h, rest, CARD_KNOBS_ADD, now_us, &why)); /* either is fine */
        card_host_close(h);
        return 0;
    }
    ENSURE(card_host_set(h,
                         VIEW("{\"settings\":{\"mac_required\":false,\"sign_on_required\":false}}"),
                         CARD_KNOBS_ADD, 0, &why) == STATUS_OK);
    ENSURE(card_host_link_open(h, 1, 0) == STATUS_OK);
    struct card_action action;
    struct emv_data emv;
    IGNORE_STATUS(emv_read(rest, &emv)); /* either is fine */
    size_t piece = data[1] > 0 ? data[1] : rest.len + 1;
    for (size_t at = 0; at < rest.len; at += piece) {
        card_host_receive(h, 1, view_slice(rest, at, piece), (int64_t)at);
        while (card_host_take(h, (int64_t)at, &action))
            ENSURE(action.link == 1);
        check_books(h);
    }
    while (card_host_take(h, INT64_MAX, &action))
        ENSURE(action.kind != CARD_ACTION_SEND || action.bytes.len > 0);
    card_host_close(h);
    return 0;
}
