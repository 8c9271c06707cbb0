/* bank_brain.h - the bank or clearing system: brain of a counterpart that speaks ISO 20022 over
 * HTTP (docs/rails/bank-wire.md). What it checks, books and says: docs/rails/bank-simulator.md. */
#ifndef SIM_BANK_BRAIN_H
#define SIM_BANK_BRAIN_H

#include "http/http_brain.h"

extern const struct sim_brain bank_brain;

#endif
