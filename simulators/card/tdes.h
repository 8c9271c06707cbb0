/* tdes.h - two-key triple DES as card systems use it; the only file here that knows OpenSSL.
 *
 * A key is prepared once (the key schedule is what costs) and then used without allocation. These
 * functions are for the simulator: they know published test keys only. Pure; any thread.
 */
#ifndef SIM_CARD_TDES_H
#define SIM_CARD_TDES_H

#include "base/bytes.h"

#define TDES_KEY_SIZE 16
#define TDES_BLOCK    8

struct tdes_key {
    uint8_t bytes[TDES_KEY_SIZE];
    uint64_t left[16], right[16]; /* key schedules of the two halves */
};

void tdes_key_set(struct tdes_key *key, const uint8_t bytes[TDES_KEY_SIZE]);
/* Triple DES of one block (encrypt left, decrypt right, encrypt left); in and out may be the same.
 */
void tdes_encrypt(const struct tdes_key *key, const uint8_t in[TDES_BLOCK],
                  uint8_t out[TDES_BLOCK]);
void tdes_decrypt(const struct tdes_key *key, const uint8_t in[TDES_BLOCK],
                  uint8_t out[TDES_BLOCK]);
/* Key check value: the first three bytes of eight zero bytes encrypted. */
void tdes_check_value(const struct tdes_key *key, uint8_t out[3]);
/* Sets the lowest bit of every byte so that the byte has odd parity. */
void tdes_odd_parity(uint8_t *bytes, size_t len);

/* ISO/IEC 9797-1 padding methods. */
enum mac_padding {
    MAC_PADDING_ZEROS = 1, /* method 1: zero bytes up to a whole block, none when whole already */
    MAC_PADDING_BIT,       /* method 2: 80, then zero bytes */
};
/* ISO/IEC 9797-1 MAC algorithm 3 ("retail MAC"): DES-CBC under the left half, the last block
 * decrypted under the right half and encrypted under the left again. All 8 bytes. */
void tdes_retail_mac(const struct tdes_key *key, enum mac_padding padding, struct view data,
                     uint8_t out[TDES_BLOCK]);

#endif
