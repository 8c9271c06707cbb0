/* http_faults.h - the rules by which accidents happen, and the knobs body they come in. */
#ifndef SIM_HTTP_FAULTS_H
#define SIM_HTTP_FAULTS_H

#include "http_brain.h"

#define HTTP_FAULT_RULES_MAX 32
#define HTTP_MS_MAX          86400000 /* a day */
#define HTTP_MILLION         1000000u

enum http_fault {
    HTTP_FAULT_NONE = 0,
#define FAULT(name, json, phase, ms, bytes, text) HTTP_FAULT_##name,
#include "faults.def"
#undef FAULT
    HTTP_FAULT_COUNT
};
/* When it is decided whether a fault happens. */
enum http_phase { HTTP_PHASE_BEFORE = 1, HTTP_PHASE_AFTER, HTTP_PHASE_NOTICE };

struct http_fault_rule {
    enum http_fault fault;
    char method[16], path[256]; /* "": all */
    int64_t skip, next;         /* next -1: for ever */
    uint32_t per_million;
    int64_t amount_minor; /* -1: any */
    int64_t ms, bytes;
    int http_status;
    uint64_t hits;
};

struct http_faults {
    struct http_fault_rule rules[HTTP_FAULT_RULES_MAX];
    size_t count;
    uint64_t dice;
};

/* What happens to one message: a bit for each fault, and its numbers. */
struct http_plan {
    uint32_t faults; /* 1 << enum http_fault */
    int64_t wait_us;
    int64_t garble_bytes, cut_bytes;
    int http_status;
};
static inline bool http_plan_has(const struct http_plan *p, enum http_fault fault)
{
    return (p->faults >> fault & 1u) != 0;
}

const char *http_fault_name(enum http_fault fault);
/* Adds the first rule of each kind of this phase that matches. amount_minor -1: none. */
void http_faults_plan(struct http_faults *f, enum http_phase phase, struct view method,
                      struct view path, int64_t amount_minor, struct http_plan *plan);
/* The next number of the dice (splitmix64). */
uint64_t http_faults_random(struct http_faults *f);
/* An array of rules, added behind those there are. On an error `why` has a sentence and `f` is in
 * pieces: read into a copy. */
enum status http_faults_read(struct http_faults *f, const struct json_node *array,
                             struct writer *why);
/* Writes the array's elements. */
void http_faults_write(const struct http_faults *f, struct json_out *out);

#endif
