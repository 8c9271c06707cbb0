/* hooks.h - webhooks in the simulation: merchants' receivers, and what must be true of them.
 *
 *     hook_side.c    endpoints made through the API, the API calls about them
 *     hook_serve.c   the receivers on the memory network, and their accidents
 *     check_hooks.c  when all is quiet: what came against the journal
 *
 * Not every run has endpoints: a delivery is a commit, and most runs are about payments.
 */
#ifndef SIMULATION_HOOKS_H
#define SIMULATION_HOOKS_H

#include "sim.h"

#define HOOK_ENDPOINTS_MAX 4
#define HOOK_SECRETS_MAX   8

/* An event as an endpoint got it; in the order of first arrivals. */
struct hook_got {
    int64_t seq;
    uint64_t body_hash, data_hash; /* of the first arrival */
    uint64_t first_turn;           /* a counter of all that happens at receivers */
    uint64_t taken_turn;           /* first answered with 2xx; 0: never */
    uint32_t arrivals, taken;      /* all; those that we answered with a whole 2xx */
};

/* An arrival before the answer that tells the first secret. */
struct hook_unverified {
    struct hook_unverified *next;
    char signature[160];
    size_t len;
    char text[]; /* id.timestamp.body */
};

struct hook_endpoint {
    struct hook_side *side;
    const struct merchant *merchant;
    unsigned index;
    const char *kinds; /* one blank between */
    bool dead;         /* answers nothing but 500: it must be disabled in the end */
    bool nobody;       /* dead as well: nobody listens there, so nothing ever comes */
    char id[ID_TEXT_MAX];
    bool made, looked; /* looked: enabled, after all calmed down */
    bool found_off;    /* it was seen disabled */
    bool said_gone;    /* we have answered 410 */
    int64_t sure_from; /* the event that was recorded after it was made; 0: not known yet */
    uint8_t secrets[HOOK_SECRETS_MAX][64];
    size_t secret_lens[HOOK_SECRETS_MAX], secret_count;
    int64_t secret_from_us[HOOK_SECRETS_MAX]; /* when the receiver is told it */
    bool secret_lost;                         /* there is one that nobody was told */
    struct hook_unverified *unverified;
    struct hook_got *got;
    size_t got_count, got_room;
};

struct hook_server;

#define HOOK_MAGIC 0x484f4f4bu
struct hook_side {
    uint32_t magic;
    struct world *world;
    struct dice dice;
    bool trouble;
    int64_t calm_us; /* since when there are no accidents */
    struct hook_endpoint endpoints[HOOK_ENDPOINTS_MAX];
    size_t count; /* 0: this run is without */
    struct hook_server *server;
    uint64_t turn;
    /* calls */
    struct http_client *client;
    struct timer act;
    bool calling, stopped;
    struct hook_endpoint *about;
    int doing;
    unsigned acts_left;
};

/* --- hook_side.c */
/* One GET of a merchant, waiting for it: status and body (malloc, ended by a zero). */
int hook_get(struct hook_side *side, const struct merchant *merchant, const char *path, char **body,
             size_t *len);

/* --- hook_serve.c */
enum status hook_server_open(struct hook_server **out, struct hook_side *side);
void hook_server_close(struct hook_server *server);
/* Tries once more those that no secret fitted. */
void hook_verify_again(struct hook_endpoint *endpoint);
uint64_t hook_hash(struct view bytes);

#endif
