/* cbdc_brain.h - a central bank's ledger with a core API, docs/rails/cbdc-wire.md, as a brain for
 * simulators/http. What it can do and how it is told to misbehave: docs/rails/cbdc-simulator.md.
 */
#ifndef SIM_CBDC_BRAIN_H
#define SIM_CBDC_BRAIN_H

#include "http/http_brain.h"

extern const struct sim_brain cbdc_brain;

#endif
