/* cbdc_int.h - the brain's own parts.
 *
 *   cbdc_brain.c    life, time, the table that http_brain.h asks for
 *   cbdc_access.c   clients, proofs, access tokens
 *   cbdc_api.c      a request to a route, an ask, a booking, an answer
 *   cbdc_control.c  commands, settings, books and statistics for the control port
 *   cbdc_settle.c   the ledger as it is given out
 *   cbdc_book.h     the ledger
 */
#ifndef SIM_CBDC_CBDC_INT_H
#define SIM_CBDC_CBDC_INT_H

#include "cbdc_book.h"
#include "cbdc_brain.h"

#define CBDC_MAGIC         0x43424443u
#define CBDC_CLIENTS_MAX   8u
#define CBDC_KEY_MAX       64u
#define CBDC_TOKENS_MAX    64u
#define CBDC_TOKEN_LEN     40u
#define CBDC_TIME_WINDOW_S 300

struct cbdc_client {
    char name[CBDC_CLIENT_MAX + 1];
    uint8_t key[CBDC_KEY_MAX];
    size_t key_len;
};
struct cbdc_token {
    char text[CBDC_TOKEN_LEN + 1]; /* "" none */
    unsigned client;
    int64_t until_us;
};

struct cbdc_settings {
    char currency[4];
    int64_t token_s;    /* how long a token holds */
    int64_t lock_max_s; /* how far away an expiry may be */
    int64_t day_s;      /* length of a day, from the start on; 0: only POST /day ends one */
    int64_t slow_ms;    /* of the magic amount */
    bool token_required;
};

struct cbdc_stats {
    int64_t tokens, refused_401, booked, declined, again, id_reused, malformed, troubled;
};

struct cbdc {
    uint32_t magic;
    uint64_t seed, random;
    int64_t wall_offset_us;
    struct cbdc_settings settings;
    struct cbdc_books *books;
    struct cbdc_client clients[CBDC_CLIENTS_MAX];
    unsigned client_count;
    struct cbdc_token tokens[CBDC_TOKENS_MAX];
    unsigned token_next;
    int64_t day_ends_us; /* same clock as now_us */
    struct cbdc_stats stats;
};

static inline int64_t cbdc_wall_us(const struct cbdc *c, int64_t now_us)
{
    return now_us + c->wall_offset_us;
}
/* Ends days and locks whose time has come. */
void cbdc_advance(struct cbdc *c, int64_t now_us);

/* --- access --- */
void cbdc_clients_init(struct cbdc *c);
/* NOT_FOUND, or FULL, RANGE (1 to 64 bytes). Adds the client or changes its key. */
enum status cbdc_client_set(struct cbdc *c, struct view name, struct view key);
/* FINE and the client's number, or TOKEN. */
enum cbdc_refusal cbdc_token_check(const struct cbdc *c, struct view headers, int64_t now_us,
                                   unsigned *client);
/* FINE and a token, or CLIENT. */
enum cbdc_refusal cbdc_token_give(struct cbdc *c, struct view client_id, int64_t time_s,
                                  struct view proof_hex, int64_t now_us,
                                  const struct cbdc_token **token);
struct view cbdc_header(struct view headers, const char *name);
void cbdc_sha256(struct view bytes, uint8_t out[static 32]);

/* --- api --- */
void cbdc_request(struct cbdc *c, const struct sim_request *request, int64_t now_us,
                  struct sim_answer *answer);
void cbdc_write_limits(struct json_out *j, enum cbdc_tier tier);
void cbdc_write_purposes(struct json_out *j, const struct cbdc_wallet *w);

/* --- control --- */
enum status cbdc_command(void *brain, struct view method, struct view path,
                         const struct json_node *body, int64_t now_us, struct json_out *out,
                         struct writer *why);
enum status cbdc_set(void *brain, const struct json_node *settings, const struct json_node *keys,
                     int64_t now_us, struct writer *why);
void cbdc_settings_init(struct cbdc_settings *s);
void cbdc_write_settings(const void *brain, struct json_out *out);
void cbdc_write_ledger(const void *brain, struct json_out *out, uint64_t from, size_t limit);
size_t cbdc_ledger_room(const void *brain, uint64_t from, size_t limit);
void cbdc_write_stats(const void *brain, struct json_out *out);

/* --- the ledger as it is given out --- */
enum status cbdc_settlement(void *brain, struct view query, int64_t now_us,
                            struct settle_source *out, struct writer *why);

#endif
