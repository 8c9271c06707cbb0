/* SPDX-License-Identifier: Apache-2.0
 *
 * kits/iso20022.h - reads the ISO 20022 messages that tell of payments, one item at a time.
 *
 * A message is found anywhere in an envelope by namespace (`urn:iso:std:iso:20022:tech:xsd:<id>`)
 * and local name of its root (FIToFIPmtStsRpt, ...), so any wrapper will do, also one without
 * Document; the minor version (`.10`, `.12`) is of no matter. AppHdr is found in the same way
 * (head.001); when both name the message, they must agree. Exactly one message per text.
 *
 * An item is what is told of one payment: a TxInfAndSts, a TxDtls, a TxInf. What stands further out
 * (group, payment information, account entry) is told when nothing stands further in:
 *     status reports   transaction, else payment information, else the group
 *     camt.053, .054   TxDtls, else the Ntry
 * Which elements are taken, and to what they belong: iso20022_paths.def.
 *
 * iso_read() keeps nothing but the item asked for: reading all n items costs n readings. Whoever
 * wants all of them reads once with iso_rows_read(): a row is the places of its texts in one room,
 * so that what several items have in common is there once.
 */
#ifndef KITS_ISO20022_H
#define KITS_ISO20022_H

#include <railgate/adapter.h>
#include <railgate/writer.h>

#define ISO_TEXT_MAX 141 /* the longest text that is kept, and a zero byte */

enum iso_kind {
    ISO_PAIN_002 = 1, /* status, to a customer */
    ISO_PACS_002,     /* status, between banks */
    ISO_PACS_004,     /* return */
    ISO_PACS_008,     /* credit transfer */
    ISO_CAMT_029,     /* answer to a recall */
    ISO_CAMT_053,     /* statement */
    ISO_CAMT_054,     /* booking notice */
    ISO_CAMT_056,     /* recall */
    ISO_ADMI_002,     /* message reject */
    ISO_KIND_END,
};

/* FIELD(name, longest). Texts with a zero byte at the end; empty: not told. A text that is longer
 * is cut when it is for people (iso20022_paths.def) and else left empty. */
#define ISO_FIELDS(FIELD)                                                                          \
    FIELD(instruction, 35) /* InstrId of ours: OrgnlInstrId in statuses */                         \
    FIELD(end_to_end, 35)                                                                          \
    FIELD(transaction, 35) /* TxId */                                                              \
    FIELD(uetr, 36)                                                                                \
    FIELD(payment_info, 35)  /* PmtInfId */                                                        \
    FIELD(original, 35)      /* MsgId of the message that this is about */                         \
    FIELD(original_kind, 35) /* its message name */                                                \
    FIELD(case_id, 35)       /* camt.029: the case it resolves */                                  \
    FIELD(own, 35)           /* what the sender calls this item: RtrId, AcctSvcrRef */             \
    FIELD(clearing, 35)      /* ClrSysRef */                                                       \
    FIELD(status, 32)        /* TxSts, TxCxlSts, booking status */                                 \
    FIELD(reason, 32)        /* the first; of a booking: why it came back */                       \
    FIELD(reason_text, 140)                                                                        \
    FIELD(amount, 24)                                                                              \
    FIELD(currency, 3)                                                                             \
    FIELD(direction, 4) /* CRDT or DBIT */                                                         \
    FIELD(reversal, 5)  /* "true": the booking undoes another */                                   \
    FIELD(creditor_reference, 35)                                                                  \
    FIELD(remittance, 140)                                                                         \
    FIELD(debtor_name, 140)                                                                        \
    FIELD(debtor_account, 34)                                                                      \
    FIELD(debtor_agent, 35) /* BIC or clearing member id */                                        \
    FIELD(creditor_account, 34)                                                                    \
    FIELD(settlement_date, 10)                                                                     \
    FIELD(entry_ref, 35)

struct iso_item {
#define FIELD(name, longest) char name[longest + 1];
    ISO_FIELDS(FIELD)
#undef FIELD
};

struct iso_message {
    uint32_t kind;              /* enum iso_kind */
    char definition[36];        /* "pacs.002.001.10", from the namespace */
    char message_id[36];        /* MsgId, Assgnmt/Id, BizMsgIdr when there is none */
    char header_definition[36]; /* MsgDefIdr; empty: none */
    uint64_t
        items; /* in the whole message; status reports have at least 1, bookings may have none */
    uint32_t ordinal;     /* TxDtls: which of its entry it is, from 1; else 0 */
    uint32_t own_shared;  /* TxDtls: item.own is that of the entry, which has several */
    struct iso_item item; /* the one asked for; empty when index >= items */
};

/* Reads the message and its item `index` (from 0). NULL, or a sentence that says what is wrong
 * without anything of the message in it. */
const char *iso_read(struct rg_bytes bytes, uint64_t index, struct iso_message *out);

/* --- all items at once ------------------------------------------------------------------------ */

#define ISO_ROWS_MAX 4096u
/* Every text stands in an element whose tags are longer than its zero byte. */
#define ISO_ROWS_TEXT_MAX (1024u * 1024u)

enum iso_field {
#define FIELD(name, longest) ISO_FIELD_##name,
    ISO_FIELDS(FIELD)
#undef FIELD
        ISO_FIELD_COUNT
};

struct iso_row {
    uint32_t at[ISO_FIELD_COUNT]; /* where each text begins; 0: not told */
    uint32_t ordinal, own_shared; /* as in struct iso_message */
};

struct iso_rows {
    uint32_t read; /* not 0: `message`, `rows` and `text` are filled */
    uint32_t count, text_len;
    struct iso_message message; /* its item is of no meaning */
    struct iso_row rows[ISO_ROWS_MAX];
    char text[ISO_ROWS_TEXT_MAX];
};

/* Fills zeroed `rows`. `most` (1..ISO_ROWS_MAX): no more items than this may be in the message;
 * with ISO_FIRST_ROWS it is read no further than to that many, and then rows->message.items is only
 * what was seen. NULL, or what is wrong as with iso_read(). */
enum iso_extent { ISO_ALL_ROWS = 1, ISO_FIRST_ROWS };
const char *iso_rows_read(struct rg_bytes bytes, uint32_t most, enum iso_extent extent,
                          struct iso_rows *rows);
/* What iso_read() would give for this index; the item is empty when index >= rows->count. */
void iso_rows_get(const struct iso_rows *rows, uint64_t index, struct iso_message *out);

/* Exact decimal text (ISO 20022: up to 18 digits, 5 behind the point) to minor units: 1, or 0 when
 * it is none or cannot be said in that many fraction digits. */
uint32_t iso_amount(const char *text, uint32_t exponent, int64_t *minor);

/* ISO 4217: 1, or 0 for a code that is not in use. */
uint32_t iso_currency(const char *code, uint32_t *number, uint32_t *exponent);

#endif
