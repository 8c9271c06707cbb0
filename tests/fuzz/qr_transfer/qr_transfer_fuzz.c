/* SPDX-License-Identifier: Apache-2.0
 *
 * qr_transfer_fuzz.c - any bytes as an EPC069-12 or Swiss QR-bill code. What is accepted has a
 * valid IBAN and an amount in range; what is not has a reason and a place.
 */
#include "kits/qr_transfer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int good)
{
    if (!good)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qr_transfer transfer;
    struct qr_transfer_fault fault;
    struct rg_bytes text = { data, size };
    uint8_t rf[25];
    if (qr_transfer_read(text, &transfer, &fault)) {
        must((int)iban_valid(transfer.iban) && transfer.amount_minor >= 0 &&
             transfer.amount_minor <= 99999999999ll && transfer.creditor.name.len > 0);
    } else {
        must(fault.kind > QR_TRANSFER_NO_FAULT && fault.kind < QR_TRANSFER_FAULTS);
        must(fault.at <= size && fault.line <= 34);
    }
    (void)iban_valid(text);
    (void)iban_is_qr(text);
    (void)bic_valid(text);
    (void)reference_qrr_valid(text);
    uint64_t len = reference_rf_make(text, rf);
    must(len == 0 || reference_rf_valid((struct rg_bytes){ rf, len }));
    return 0;
}
