/* SPDX-License-Identifier: Apache-2.0
 *
 * qr_codes_int.h - what the files of the QR kit share and others need not know.
 *
 *   qr_mpm.c      merchant-presented codes
 *   qr_cpm.c      consumer-presented codes
 *   qr_amount.c   amounts
 *   qr_finding.c  findings and masking
 *   qr_schemes.c  national schemes: their file, recognising them
 *   qr_make.c     building a code
 */
#ifndef KITS_QR_CODES_INT_H
#define KITS_QR_CODES_INT_H

#include "kits/qr_schemes.h"

#define QR_NO_TAG 0xFFFFFFFFu

/* Clears `out`; the number of letters, or 0 with a finding when the text cannot be read at all. */
uint64_t qr_open(struct qr_code *out, uint32_t presented, struct rg_bytes text, uint32_t mode);
/* Adds a finding about `tag` (QR_NO_TAG: none) inside of the template `parent` (-1: top). */
void qr_say(struct qr_code *code, uint32_t kind, int32_t parent, uint32_t tag, uint64_t at_byte,
            uint64_t at_letter, uint64_t letters);
/* The value has the letters and the length that the field wants. */
uint32_t qr_field_fits(const struct qr_field *field, struct rg_bytes value);
/* Days since 1970-01-01. */
int64_t qr_days_of(uint64_t year, uint64_t month, uint64_t day);

#endif
