/* SPDX-License-Identifier: Apache-2.0
 *
 * kits/qr_transfer.h - bank transfers that stand in a QR code, and the numbers in them.
 *
 *     EPC069-12 v2/v3.1    "BCD" SEPA Credit Transfer, EUR
 *     Swiss QR-bill 2.3    "SPC" CHF or EUR, with QR or creditor reference
 *
 * Pure, no memory taken. Results are views into the text that was handed in: the text must live as
 * long. What scanners hand on is UTF-8, whatever character set the code declares.
 *
 *     struct qr_transfer transfer;
 *     struct qr_transfer_fault fault;
 *     if (qr_transfer_looks_like(text) && qr_transfer_read(text, &transfer, &fault)) ...
 *     else qr_transfer_fault_text(fault.kind), line fault.line, byte fault.at
 */
#ifndef KITS_QR_TRANSFER_H
#define KITS_QR_TRANSFER_H

#include <railgate/adapter.h>

enum qr_transfer_format { QR_TRANSFER_EPC = 1, QR_TRANSFER_SPC };

enum qr_reference_kind {
    QR_REFERENCE_NONE = 1,
    QR_REFERENCE_QRR,   /* 27 digits, Swiss QR reference */
    QR_REFERENCE_SCOR,  /* RF..., ISO 11649 */
    QR_REFERENCE_OTHER, /* EPC: structured, and not RF (a national form); not checked further */
};

enum qr_transfer_fault_kind {
#define QR_TRANSFER_FAULT(name, text) QR_TRANSFER_##name,
    QR_TRANSFER_NO_FAULT = 0,
#include "kits/qr_transfer_faults.def"
#undef QR_TRANSFER_FAULT
    QR_TRANSFER_FAULTS
};

struct qr_transfer_fault {
    uint32_t kind; /* enum qr_transfer_fault_kind */
    uint32_t line; /* from 1; 0: the text as a whole */
    uint64_t at;   /* byte of the text at which that line begins */
};

struct qr_transfer_party {
    uint32_t combined; /* 1: Swiss address type K: line1, line2; 0: structured */
    struct rg_bytes name;
    struct rg_bytes street, house, postcode, town; /* structured; EPC has none of them */
    struct rg_bytes line1, line2;                  /* combined */
    struct rg_bytes country;                       /* ISO 3166, two letters; empty: not said */
};

struct qr_transfer {
    uint32_t format;         /* enum qr_transfer_format */
    struct rg_bytes version; /* "001", "002"; "0200" */
    struct rg_bytes iban;    /* valid; without blanks, upper case */
    struct rg_bytes bic;     /* EPC only, may be empty */
    struct qr_transfer_party creditor;
    struct qr_transfer_party debtor; /* Swiss only; name empty: not said */
    int64_t amount_minor;            /* hundredths; 0: the payer decides */
    char currency[4];                /* "EUR", "CHF", zero-terminated */
    uint32_t reference_kind;         /* enum qr_reference_kind */
    struct rg_bytes reference;
    struct rg_bytes message;          /* unstructured remittance information */
    struct rg_bytes purpose;          /* EPC: ISO 20022 purpose code */
    struct rg_bytes information;      /* EPC: for the payer's eyes */
    struct rg_bytes bill_information; /* Swiss: "//S1/..." */
    struct rg_bytes alternative[2];   /* Swiss: other procedures */
};

/* Begins like one ("BCD" or "SPC" and a line end): what it is, decided without checking it. */
uint32_t qr_transfer_looks_like(struct rg_bytes text);
/* 1 and all of `out`; 0 and the first fault. */
uint32_t qr_transfer_read(struct rg_bytes text, struct qr_transfer *out,
                          struct qr_transfer_fault *fault);
/* A sentence, never NULL. */
const char *qr_transfer_fault_text(uint32_t kind);

/* --- numbers ------------------------------------------------------------------------------- */

/* ISO 13616: upper case, no blanks, 15..34 letters, mod 97 is 1. Lengths of countries are checked
 * for those of SEPA and Liechtenstein/Switzerland. */
uint32_t iban_valid(struct rg_bytes iban);
/* Swiss or Liechtenstein IBAN whose institution is 30000..31999: for QRR and nothing else. */
uint32_t iban_is_qr(struct rg_bytes iban);
/* ISO 11649: "RF", two check digits, 1..21 letters or digits; upper case, no blanks. */
uint32_t reference_rf_valid(struct rg_bytes reference);
/* 27 digits, the last one the recursive mod-10 check digit of the others. */
uint32_t reference_qrr_valid(struct rg_bytes reference);
/* Check digit 0..9 over digits (mod 10 recursive); 10 when one is none. */
uint32_t reference_mod10_recursive(struct rg_bytes digits);
/* Writes RF + check digits + text (1..21 upper-case letters and digits) into 25 bytes; length, or
 * 0. */
uint64_t reference_rf_make(struct rg_bytes text, uint8_t out[25]);
/* ISO 9362: 8 or 11, four letters, country, then letters or digits. */
uint32_t bic_valid(struct rg_bytes bic);

#endif
