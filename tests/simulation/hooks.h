/* hooks.h - webhooks in the simulation: merchants' receivers, and what must be true of them.
 *
 *     hook_side.c    endpoints made through the API, the API calls about them
 *     hook_moves.c   other endpoints, which their merchants change: URL, kinds, enabled, deleted
 *     hook_resends.c events asked for once more
 *     event_reads.c  merchants who read the journal for themselves
 *     hook_sign.c    secrets and signatures
 *     hook_serve.c   the receivers on the memory network, and their accidents
 *     check_hooks.c  when all is quiet: what came against the journal
 *     check_moves.c  the same for endpoints that change
 *     check_resends.c  whether each resend that was promised has come
 *
 * Not every run has endpoints: a delivery is a commit, and most runs are about payments.
 */
#ifndef SIMULATION_HOOKS_H
#define SIMULATION_HOOKS_H

#include "sim.h"

#include "wire/http_client.h"

#define HOOK_ENDPOINTS_MAX 4
#define HOOK_SECRETS_MAX   8
#define HOOK_MOVERS_MAX    2
#define HOOK_VERSIONS_MAX  64

/* An event as an endpoint got it; in the order of first arrivals. */
struct hook_got {
    int64_t seq;
    uint64_t body_hash, data_hash; /* of the first arrival */
    uint64_t first_turn;           /* a counter of all that happens at receivers */
    uint64_t last_turn;            /* of the last arrival */
    uint64_t taken_turn;           /* first answered with 2xx; 0: never */
    uint32_t arrivals, taken;      /* all; those that we answered with a whole 2xx */
};

/* A secret of an endpoint, and how it came to be: made with it, or by a change of the secret. */
struct hook_secret {
    uint8_t bytes[64];
    size_t len;
    int64_t asked_us, answered_us; /* the gateway's clock: first try, answer; 0: none yet */
    int64_t overlap_us;            /* so long the one before signs, too */
};

/* What the signatures of an arrival said. */
struct hook_bears {
    int64_t at_s; /* its timestamp */
    uint8_t count;
    uint8_t which[2]; /* secrets, in the order of the header */
};

/* An arrival before the answer that tells the secret of one of its signatures. */
struct hook_unverified {
    struct hook_unverified *next;
    int64_t at_s;
    char signature[160];
    size_t len;
    char text[]; /* id.timestamp.body */
};

struct hook_mover;
struct hook_endpoint {
    struct hook_side *side;
    struct dice *dice;        /* for its receiver */
    struct hook_mover *mover; /* NULL: nobody changes it */
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
    struct hook_secret secrets[HOOK_SECRETS_MAX];
    size_t secret_count;
    bool rotating; /* a change of the secret is asked for, and not answered yet */
    struct hook_bears *bears;
    size_t bears_count, bears_room;
    struct hook_unverified *unverified;
    struct hook_got *got;
    size_t got_count, got_room;
};

/* Where an endpoint that is changed may lead to. */
enum hook_place {
    PLACE_GOOD = 1, /* as good as receivers are */
    PLACE_OTHER,    /* so is this one */
    PLACE_BROKEN,   /* never says 2xx */
    PLACE_GONE,     /* always 410 */
    PLACE_NOBODY,   /* nobody listens there */
    PLACE_END
};

/* An endpoint as it is from one change to the next. The change was committed somewhere between
 * asked and answered; what is not between them is certain. */
struct hook_version {
    enum hook_place place;
    const char *kinds;
    bool enables; /* the change that led here says so */
    bool deleted;
    int64_t asked_seq, answered_seq;    /* ends of the journal before it was asked, and after it was
                                           answered */
    uint64_t asked_turn, answered_turn; /* of hook_side.turn; answered: 0 before it was */
    int64_t asked_wall_us, answered_us; /* the gateway's clock; the loop's */
    unsigned strays;                    /* came there though it leads elsewhere since then */
};

struct hook_mover {
    struct hook_endpoint e;
    struct hook_version versions[HOOK_VERSIONS_MAX];
    size_t count;
    int64_t not_before_us; /* until then a lost request may still arrive */
    unsigned gone_places;  /* set of 1 << enum hook_place: they have said 410 */
    bool looked;           /* after all calmed down: enabled, at a good place */
    unsigned tests;
};

/* An event that a merchant has asked to be sent once more. */
struct hook_resend {
    struct hook_endpoint *e;
    int64_t event;
    uint64_t asked_turn; /* of hook_side.turn, before the first try */
    bool keyed; /* has an Idempotency-Key: however often it is sent, it is carried out once */
    unsigned tries;
    unsigned said;  /* answers 202 */
    unsigned takes; /* of the event at the endpoint, since it was asked for */
};

struct hook_server;
struct hook_moves;
struct hook_resends;
struct hook_reads;

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
    struct hook_moves *moves;
    struct hook_resends *resends;
    struct hook_reads *reads;
    uint64_t turn;
    /* calls */
    struct http_client *client;
    struct timer act;
    bool calling, stopped;
    struct hook_endpoint *about;
    int doing;
    unsigned acts_left, calm_acts_left; /* some more after all has calmed down */
};

/* --- hook_side.c */
/* One GET of a merchant, waiting for it, and again while it is told to come later: the body
 * (malloc, ended by a zero). False: it was answered otherwise, which is wrong and told; there is no
 * body. */
bool hook_get(struct hook_side *side, const struct merchant *merchant, const char *path,
              char **body, size_t *len);

/* Sends one request of a merchant. body: may be empty; key: NULL without one. */
enum status hook_call(struct http_client *client, const struct merchant *merchant,
                      const char *method, const char *path, const char *key, struct view body,
                      http_done_fn *done, void *arg);
/* "payment.* refund.*" to "payment.*","refund.*" */
void hook_put_kinds(struct writer *w, const char *kinds);

/* --- hook_moves.c */
/* Draws whether this run has such endpoints; moves are there in any case. */
enum status hook_moves_open(struct hook_moves **out, struct hook_side *side);
size_t hook_moves_count(const struct hook_moves *moves);
struct hook_mover *hook_moves_at(struct hook_moves *moves, size_t index);
void hook_moves_calm(struct hook_moves *moves);
/* The gateway is down: what its store was asked is not answered any more. */
void hook_moves_sleeps(struct hook_moves *moves);
/* All is as it shall stay; how many endpoints are left. */
bool hook_moves_quiet(const struct hook_moves *moves, size_t *left);
void hook_moves_stop(struct hook_moves *moves);
void hook_moves_close(struct hook_moves *moves);
void hook_url(const struct hook_mover *m, enum hook_place place, char out[64]);
/* An event has come there. */
void hook_moves_arrival(struct hook_mover *m, enum hook_place place, int64_t seq);

/* --- hook_resends.c */
/* After all endpoints: they are asked for in every run that has some. */
enum status hook_resends_open(struct hook_resends **out, struct hook_side *side);
void hook_resends_calm(struct hook_resends *resends);
/* Each has been answered, and there are no more to come. */
bool hook_resends_quiet(const struct hook_resends *resends);
void hook_resends_stop(struct hook_resends *resends);
void hook_resends_close(struct hook_resends *resends);
/* How many were asked for. */
unsigned hook_resends_of(const struct hook_resends *resends, const struct hook_endpoint *e,
                         int64_t event);
/* In the order in which they were asked for. */
const struct hook_resend *hook_resends_all(const struct hook_resends *resends, size_t *count);
/* An event was answered with a whole 2xx there. */
void hook_resends_taken(struct hook_resends *resends, const struct hook_endpoint *e, int64_t event);

/* --- check_hooks.c: the journal */
struct line {
    int64_t seq, merchant, time_us;
    char kind[64];
    int64_t names_endpoint, names_event; /* of its data; 0: none */
    bool gone;                           /* reason of a webhook_endpoint.disabled */
    uint64_t shown_hash;                 /* as GET /v1/events shows it; 0: it does not */
};
struct journal {
    struct line *lines;
    size_t count, room;
};
bool kind_wanted(const char *kinds, const char *kind);
/* Signatures and bodies of all that came. */
void check_signed_and_shown(struct hook_endpoint *e, const struct journal *j);
/* check_moves.c */
void check_moves(struct hook_side *side, const struct journal *j);

/* --- event_reads.c */
/* Draws whether this run has such readers; reads are there in any case. */
enum status hook_reads_open(struct hook_reads **out, struct hook_side *side);
size_t hook_reads_count(const struct hook_reads *reads);
bool hook_reads_quiet(const struct hook_reads *reads);
void hook_reads_stop(struct hook_reads *reads);
void hook_reads_close(struct hook_reads *reads);
/* After GET /v1/events was held against the journal: reads the rest, and holds all of it. */
void check_reads(struct hook_reads *reads, const struct journal *j);

/* check_resends.c */
void check_resends(struct hook_side *side, const struct journal *j);

/* --- hook_sign.c */
/* whsec_... of an answer. */
void hook_add_secret(struct hook_endpoint *e, struct view text);
/* Another secret is about to be asked for, with this overlap. */
void hook_secret_asked(struct hook_endpoint *e, int64_t overlap_us);
/* An arrival: id, timestamp and signature of its head. */
void hook_signed(struct hook_endpoint *e, const char *id, const char *timestamp,
                 const char *signature, struct view body);
/* When all is quiet: each arrival bears the signatures that it must. */
void check_signatures(struct hook_endpoint *e);
void hook_sign_forget(struct hook_endpoint *e);

/* --- hook_serve.c */
enum status hook_server_open(struct hook_server **out, struct hook_side *side);
void hook_server_close(struct hook_server *server);
uint64_t hook_hash(struct view bytes);

#endif
