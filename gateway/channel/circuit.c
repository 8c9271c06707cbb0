/* circuit.c - passes over a channel that keeps failing, so that payments need not wait for it.
 *
 *     closed      everything may be sent; so many failures in a row open it
 *     open        route/ passes the channel over until `open_for` is over
 *     half open   one exchange may try: an answer closes the circuit, a failure opens it again. To
 *                 start the try pushes the end of `open_for` out, so a probe that is dropped by its
 *                 owner leaves nothing stuck.
 *
 * It is advice to those who choose a channel: what must go out anyway (a reversal) goes out, and
 * its answer closes the circuit as well. A failure is an exchange without a readable answer
 * (unknown, or not sent); a decline is an answer.
 *
 * An answer that contradicts its request (another amount or currency) counts as a failure, too. It
 * proves that the other side is there, but each one is money that a person must look for, so a
 * channel that gives nothing else must not get the next payment. One of them among answers that fit
 * is no outage, and opens nothing: only so many in a row do, as with all failures.
 */
#include "channel/channel_int.h"

void circuit_init(struct circuit *circuit, uint32_t failures_max, int64_t open_for_us)
{
    *circuit = (struct circuit){ .failures_max = failures_max, .open_for_us = open_for_us };
}

bool circuit_is_open(const struct circuit *circuit)
{
    return circuit->open_until_us != 0;
}

bool circuit_allows(const struct circuit *circuit, int64_t now_us)
{
    return circuit->open_until_us == 0 || now_us >= circuit->open_until_us;
}

static void circuit_open(struct circuit *circuit, int64_t now_us)
{
    circuit->open_until_us = now_us + circuit->open_for_us;
    if (circuit->open_until_us == 0)
        circuit->open_until_us = 1; /* 0 means closed */
}

void circuit_started(struct circuit *circuit, int64_t now_us)
{
    if (circuit->open_until_us != 0 && now_us >= circuit->open_until_us)
        circuit_open(circuit, now_us);
}

bool circuit_answered(struct circuit *circuit)
{
    bool was_open = circuit_is_open(circuit);
    circuit->failures = 0;
    circuit->open_until_us = 0;
    return was_open;
}

bool circuit_failed(struct circuit *circuit, int64_t now_us)
{
    if (circuit->failures_max == 0)
        return false;
    if (circuit->failures < circuit->failures_max)
        circuit->failures++;
    if (circuit->failures < circuit->failures_max)
        return false;
    bool was_open = circuit_is_open(circuit);
    circuit_open(circuit, now_us);
    return !was_open;
}
