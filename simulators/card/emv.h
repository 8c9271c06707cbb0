/* emv.h - the issuer's side of a chip transaction: read DE55, check the ARQC, make the ARPC.
 *
 * Two cryptogram versions, told by the third byte of the issuer application data (tag 9F10):
 *
 *     0A  CVN10: the ARQC under the card's master key over ten elements and the CVR (4 bytes of
 *         9F10), zero padding; ARPC method 1.
 *
 *     12  CVN18: the ARQC under the EMV common session key over the same ten elements and the
 *         whole of 9F10, padding 80 00..; ARPC method 2 with a card status update (CSU).
 *
 * Master keys by option A. Pure; any thread.
 */
#ifndef SIM_CARD_EMV_H
#define SIM_CARD_EMV_H

#include "tdes.h"

/* Views into the bytes that were read. Empty: absent. */
struct emv_data {
    struct view arqc;     /* 9F26, 8 */
    struct view cid;      /* 9F27, 1 */
    struct view iad;      /* 9F10, 7..32 */
    struct view un;       /* 9F37, 4 */
    struct view atc;      /* 9F36, 2 */
    struct view tvr;      /* 95, 5 */
    struct view date;     /* 9A, 3 */
    struct view type;     /* 9C, 1 */
    struct view amount;   /* 9F02, 6 */
    struct view other;    /* 9F03, 6 */
    struct view currency; /* 5F2A, 2 */
    struct view aip;      /* 82, 2 */
    struct view country;  /* 9F1A, 2 */
    struct view psn;      /* 5F34, 1 */
};

enum emv_verdict {
    EMV_GOOD = 1,
    EMV_WRONG_ARQC,  /* the cryptogram is not the one the card would make */
    EMV_INCOMPLETE,  /* an element the cryptogram is made over is absent or has another length */
    EMV_NOT_AN_ARQC, /* 9F27 says the card declined (AAC) or approved offline (TC) */
    EMV_UNKNOWN_CVN,
};

/* Walks BER-TLV; constructed objects are not entered. MALFORMED, SHORT; EXISTS for a doubled tag.
 */
enum status emv_read(struct view tlv, struct emv_data *out);
/* Counter of the transaction; only after EMV_GOOD. */
uint16_t emv_atc(const struct emv_data *data);

/* Option A of EMV book 2, A1.4.1: `pan` digits, `psn` 0..99. The key has odd parity. */
void emv_master_key(const struct tdes_key *imk, struct view pan, unsigned psn,
                    struct tdes_key *out);
/* EMV common session key derivation, EMV book 2, A1.3. */
void emv_session_key(const struct tdes_key *mk, const uint8_t atc[2], struct tdes_key *out);
/* The ARQC a card with this master key makes; EMV_GOOD, EMV_INCOMPLETE or EMV_UNKNOWN_CVN. Does not
 * look at data->arqc. */
enum emv_verdict emv_arqc(const struct tdes_key *mk, const struct emv_data *data, uint8_t out[8]);
enum emv_verdict emv_verify(const struct tdes_key *mk, const struct emv_data *data);

#define EMV_ISSUER_DATA_MAX 10
/* Value of tag 91 in the answer: CVN10: ARPC (8) and `arc` (2); CVN18: ARPC (4) and CSU (4). `arc`
 * is DE39 as text. Only after EMV_GOOD. Returns the length. */
size_t emv_issuer_data(const struct tdes_key *mk, const struct emv_data *data,
                       const char arc[static 2], uint8_t out[EMV_ISSUER_DATA_MAX]);
/* The two ARPC methods by themselves. */
void emv_arpc_1(const struct tdes_key *mk, struct view arqc, const uint8_t arc[2], uint8_t out[8]);
void emv_arpc_2(const struct tdes_key *sk, struct view arqc, struct view csu, uint8_t out[4]);

#endif
