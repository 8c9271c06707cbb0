/* tiny_adapter.h - an adapter for the tests of channel/: the smallest protocol with links, keys and
 * correlation, and every way of misbehaving.
 *
 * A frame is a 2-byte big-endian length and so many bytes of text. A length of 0 breaks the stream.
 *
 *     request   "Q" OP(2) TRACE(6) AMOUNT(12) REPEAT(1), with setting mac_key also 8 bytes MAC
 *     answer    "R" OP(2) TRACE(6) LETTER rest          see tiny_adapter.c for the letters
 *     unasked   "N" word                                acknowledged by "A" word
 */
#ifndef TINY_ADAPTER_H
#define TINY_ADAPTER_H

#include <railgate/adapter.h>

#define TINY_ANSWER_MAX 200u
#define TINY_MAC_LEN    8u

const struct rg_adapter *tiny_adapter(uint32_t host_abi);
/* The same, local: begin() is done at once. */
const struct rg_adapter *tiny_local_adapter(uint32_t host_abi);

#endif
