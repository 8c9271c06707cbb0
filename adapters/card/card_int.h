/* SPDX-License-Identifier: Apache-2.0
 *
 * card_int.h - what the files of the card adapter share.
 *
 *     card.c          settings, abilities, configure(), begin(), resume(), the exported struct
 *     card_request.c  command -> ISO 8583 message
 *     card_payer.c    the payer's details: card number, track 2, EMV data, PIN block
 *     card_reply.c    ISO 8583 message -> outcome
 *     card_codes.c    response_codes.def as a table
 *     card_line.c     framing, frame(), notice()
 *
 * Way of an exchange with a MAC; without one the SIGN steps fall away:
 *     begin          build, pack up to the MAC          -> SIGN
 *     resume SIGNED  add the MAC                        -> SEND
 *     resume REPLY   unpack, compare with what was sent -> SIGN
 *     resume SIGNED  compare the MACs, only now believe -> DONE
 */
#ifndef CARD_INT_H
#define CARD_INT_H

#include "kits/iso8583.h"
#include <railgate/adapter.h>
#include <railgate/writer.h>

#define CARD_INSTANCE_MAGIC 0x43494E53u
#define CARD_EXCHANGE_MAGIC 0x43455843u

#define CARD_HEADER_MAX 7u
#define CARD_FRAME_MAX  (ISO_MESSAGE_MAX + CARD_HEADER_MAX)
#define CARD_AMOUNT_MAX INT64_C(999999999999) /* DE4 holds 12 digits */
#define CARD_EMV_MAX    255u                  /* DE55, limit of the schemes */
#define CARD_TPDU_LEN   5u

/* Setting rows, in the order of the table in card.c. */
enum card_setting {
    SET_PACKAGING = 0,
    SET_PACKAGING_OVERRIDES,
    SET_FRAMING,
    SET_TPDU,
    SET_TERMINAL_ID,
    SET_MERCHANT_ID,
    SET_MERCHANT_NAME_LOCATION,
    SET_MERCHANT_CATEGORY,
    SET_ACQUIRER_ID,
    SET_FORWARDING_ID,
    SET_COUNTRY,
    SET_POS_CAPABILITY,
    SET_POS_CONDITION,
    SET_MAC_KEY,
    SET_ZONE_KEY,
    SET_COUNT,
};

enum card_framing {
    FRAMING_LEN2 = 1,
    FRAMING_LEN2_TPDU,
    FRAMING_ASCII4,
};

struct card_instance {
    uint32_t magic;
    uint32_t framing; /* enum card_framing */
    uint32_t category;
    uint32_t country;
    uint32_t pos_condition;
    uint8_t pin_digit; /* third digit of DE22 */
    uint8_t has_mac_key;
    uint8_t has_zone_key;
    uint8_t tpdu[CARD_TPDU_LEN];
    char terminal[9]; /* padded with spaces, zero byte at the end; so are the next two */
    char merchant[16];
    char name_location[41];
    char acquirer[12];
    char forwarding[12]; /* empty: none */
    struct iso_packaging packaging;
};

/* What later messages need of this one. Texts with a zero byte at the end; empty: not known.
 * REF(name, longest, flags) */
#define CARD_REFS(REF)                                                                             \
    REF(mti, 4, 0)                                                                                 \
    REF(stan, 6, 0)                                                                                \
    REF(time, 10, 0)                                                                               \
    REF(rrn, 12, 0)                                                                                \
    REF(acquirer, 11, 0)                                                                           \
    REF(forwarding, 11, 0)                                                                         \
    REF(amount, 12, 0)                                                                             \
    REF(currency, 3, 0)                                                                            \
    REF(terminal, 8, 0)                                                                            \
    REF(entry, 3, 0)                                                                               \
    REF(processing_code, 6, 0)                                                                     \
    REF(approval_code, 6, 0)                                                                       \
    REF(pan, 19, RG_NAMED_SENSITIVE)                                                               \
    REF(expiry, 4, RG_NAMED_SENSITIVE)

struct card_refs {
#define REF(name, longest, flags) char name[longest + 1];
    CARD_REFS(REF)
#undef REF
};

enum card_stage {
    STAGE_SIGN_REQUEST = 1,
    STAGE_WAIT_REPLY,
    STAGE_VERIFY_REPLY,
    STAGE_OVER,
};

/* What the answers to an operation mean. */
enum card_family {
    FAMILY_REQUEST = 1, /* 01xx, 0200 */
    FAMILY_CAPTURE,
    FAMILY_REVERSAL, /* cancel and reverse */
    FAMILY_LINK,
};

/* An operation as messages. */
struct card_shape {
    uint32_t operation;
    uint32_t family;        /* enum card_family */
    const char *mti;        /* first sending */
    const char *mti_repeat; /* NULL: never repeated */
    const char *mti_answer;
    const char *processing; /* DE3; NULL: the original's */
    const char *originals;  /* MTIs it may refer to, blank-separated; NULL: refers to none */
    uint32_t network_code;  /* DE70; link only */
};

struct card_exchange {
    uint32_t magic;
    uint32_t stage; /* enum card_stage */
    const struct card_shape *shape;
    uint32_t repeat;
    int64_t amount_minor;  /* the command's; a reversal may say only what the original was */
    struct card_refs self; /* of the message we send */
    struct card_refs original;
    char approved_amount[13]; /* of the original when it was approved for a part; else empty */
    uint8_t mac[8];           /* of the answer */
    uint32_t message_len;     /* the packed request, without framing */
    uint8_t message[ISO_MESSAGE_MAX];
    struct iso_message iso; /* the request, later the answer */
};

/* The host wipes instance and exchange memory, but our stack is nobody's: what held card data there
 * is wiped before it is left. volatile, or the compiler would leave it out. */
static inline void card_wipe(void *memory, uint64_t len)
{
    volatile uint8_t *bytes = memory;
    for (uint64_t i = 0; i < len; i++)
        bytes[i] = 0;
}

/* Writes the diagnosis and returns RG_STEP_FAIL. */
uint32_t card_fail(struct card_exchange *x, struct rg_out *out, const char *diagnosis);

/* --- card_request.c ------------------------------------------------------------------------ */

/* The shape of an operation, or NULL. */
const struct card_shape *card_shape_of(uint32_t operation);
/* Builds x->iso, x->self and x->original; NULL, or what is wrong with the command. */
const char *card_build(const struct card_instance *card, struct card_exchange *x,
                       const struct rg_command *command);

/* --- card_payer.c -------------------------------------------------------------------------- */

/* Sets the fields that come from the payer's card, and x->self.pan, expiry, entry; NULL, or what is
 * wrong with the details. */
const char *card_put_payer(const struct card_instance *card, struct card_exchange *x,
                           const struct rg_command *command);

/* --- card_reply.c -------------------------------------------------------------------------- */

/* x->iso is the answer: NULL when it answers what was sent, or what differs. */
const char *card_check_reply(const struct card_instance *card, struct card_exchange *x);
/* x->iso is the answer and may be believed: DONE or FAIL. */
uint32_t card_finish(struct card_exchange *x, struct rg_out *out);

/* --- card_codes.c -------------------------------------------------------------------------- */

enum card_verdict {
    VERDICT_APPROVED = 1,
    VERDICT_PARTIAL,
    VERDICT_DECLINED,
    VERDICT_REJECTED,
    VERDICT_NOT_FOUND,
    VERDICT_BOOKED_IF_REPEAT,
    VERDICT_OPEN,
};

struct card_code {
    char code[3];
    uint8_t request; /* enum card_verdict, so are the next two */
    uint8_t capture;
    uint8_t reversal;
    uint32_t category; /* RG_CATEGORY_... */
    const char *message;
};

/* The row of a response code; a row that stands for all others when there is none. Never NULL. */
const struct card_code *card_code_of(struct rg_bytes code);

/* --- card_line.c --------------------------------------------------------------------------- */

/* Appends the framing of a message of `len` bytes. tpdu: 5 bytes to write for FRAMING_LEN2_TPDU. */
void card_put_header(const struct card_instance *card, const uint8_t *tpdu, uint64_t len,
                     struct rg_buffer *out);
/* The message inside one whole frame; ptr NULL when the frame is not one of ours. */
struct rg_bytes card_frame_payload(const struct card_instance *card, struct rg_bytes frame);
/* The correlation key. */
void card_put_correlation(struct rg_buffer *out, const char *answer_mti, struct rg_bytes stan,
                          struct rg_bytes terminal);

uint32_t card_frame(const void *instance, const struct rg_bytes *bytes, struct rg_frame *out);
uint32_t card_notice(const void *instance, const struct rg_notice *in, struct rg_notice_out *out);

#endif
