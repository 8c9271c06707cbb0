/* http_plant.h - bugs put in on purpose at the counterparts that speak HTTP (see sim_plant). */
#ifndef SIMULATION_HTTP_PLANT_H
#define SIMULATION_HTTP_PLANT_H

#include "http/http_brain.h"

/* "t=...,v1=..." of a notice, by the key of the wallet's shop-1. */
void plant_sign(struct writer *out, int64_t at_s, struct view path, struct view body);
/* The notice with its paid_amount as asked, signed anew. False: there is nothing to change. */
bool plant_right_amount(struct view url, struct view body, int64_t at_s, struct writer *headers,
                        struct writer *out);
/* The same transfer with another id. False: it is none. */
bool plant_new_id(const struct sim_request *request, struct writer *headers, struct writer *body);

#endif
