/* SPDX-License-Identifier: Apache-2.0
 *
 * kits/iso20022_out.h - writes the ISO 20022 messages with which a payment is asked for, enquired,
 * recalled and returned. The order of elements is that of the schemas named below; texts are
 * escaped. What a message says is the caller's: nothing is invented here and nothing checked but
 * what XML needs (an overflow latches in the buffer). An empty text leaves its element out.
 *
 *     pain.001.001.09 and .03   customer to bank          pacs.008.001.08   bank to bank
 *     pacs.028.001.03           what became of it         camt.056.001.08   please give it back
 *     pacs.004.001.09           here it comes back        head.001.001.01, .02   business header
 */
#ifndef KITS_ISO20022_OUT_H
#define KITS_ISO20022_OUT_H

#include <railgate/writer.h>

struct iso_agent {
    struct rg_bytes bic;
    struct rg_bytes member;        /* clearing member id: routing number, sort code, ISPB */
    struct rg_bytes member_system; /* external clearing system code, "USABA"; may be empty */
};

struct iso_party {
    struct rg_bytes name;
    struct rg_bytes street, building, postcode, town, country;
    struct rg_bytes lines[2]; /* address lines, <= 70 characters each */
    struct rg_bytes id;       /* tax or customer number, as a private id */
    struct rg_bytes iban;
    struct rg_bytes account;      /* when there is no IBAN */
    struct rg_bytes account_type; /* "CACC" */
    struct rg_bytes proxy;        /* alias: a key that names the account */
    struct iso_agent agent;
};

struct iso_money {
    int64_t minor;
    uint32_t exponent;
    struct rg_bytes currency;
};

/* Codes are constants of a scheme; NULL or "": not written. */
struct iso_terms {
    const char *priority;     /* InstrPrty: HIGH, NORM */
    const char *level;        /* SvcLvl/Cd */
    const char *level_own;    /* SvcLvl/Prtry */
    const char *local;        /* LclInstrm/Cd */
    const char *local_own;    /* LclInstrm/Prtry */
    const char *category_own; /* CtgyPurp/Prtry */
    const char *charges;      /* ChrgBr */
    const char *clearing;     /* SttlmInf/ClrSys/Cd */
};

struct iso_order {
    struct rg_bytes message_id, payment_info, instruction, end_to_end, transaction, uetr;
    struct rg_bytes created; /* 2026-11-22T13:14:15Z */
    struct rg_bytes date;    /* 2026-11-22: of execution or settlement */
    struct iso_money amount;
    struct iso_terms terms;
    struct iso_party debtor, creditor;
    struct iso_agent from, to; /* pacs: instructing and instructed agent */
    struct rg_bytes purpose;   /* four upper-case letters: a code; else proprietary */
    struct rg_bytes remittance;
    struct rg_bytes reference; /* structured creditor reference, and of which kind: */
    const char *reference_code, *reference_own; /* "SCOR" (ISO 11649); "QRR"; or neither */
};

/* What later messages say about an earlier one. */
struct iso_original {
    struct rg_bytes message_id, kind, created; /* kind: "pacs.008.001.08" */
    struct rg_bytes instruction, end_to_end, transaction, uetr;
    struct iso_money amount;
    struct rg_bytes date;
};

struct iso_follow_up {
    struct rg_bytes message_id;
    struct rg_bytes id; /* StsReqId, CxlId and Case/Id, RtrId */
    struct rg_bytes created, date;
    struct iso_original original;
    struct iso_agent from, to;
    struct iso_party assigner; /* camt.056 of a customer: its name; empty: the agent `from` */
    struct iso_money amount;   /* pacs.004 */
    const char *reason;        /* camt.056, pacs.004 */
    const char *clearing;      /* pacs.004 */
};

struct iso_header {
    const char *version; /* "head.001.001.02" */
    struct iso_agent from, to;
    struct rg_bytes message_id;
    const char *definition; /* "pacs.008.001.08" */
    const char *service;    /* BizSvc, or NULL */
    struct rg_bytes created;
};

/* <Document xmlns="...">...</Document>; `definition` "pain.001.001.09" or "pain.001.001.03". */
void iso_put_pain_001(struct rg_buffer *b, const char *definition, const struct iso_order *order);
void iso_put_pacs_008(struct rg_buffer *b, const struct iso_order *order);
void iso_put_pacs_028(struct rg_buffer *b, const struct iso_follow_up *m);
void iso_put_camt_056(struct rg_buffer *b, const struct iso_follow_up *m);
void iso_put_pacs_004(struct rg_buffer *b, const struct iso_follow_up *m);
/* <AppHdr xmlns="...">...</AppHdr> */
void iso_put_header(struct rg_buffer *b, const struct iso_header *header);

#endif
