/* wallet_int.h - what the files of the wallet provider share.
 *
 *     codes.c          reads codes, amounts
 *     wallet_book.c    states, money, entries
 *     wallet_sign.c    HMAC signatures, both ways
 *     wallet_api.c     requests of merchants
 *     wallet_read.c    their JSON: exact members, amounts, codes
 *     wallet_phones.c  what phones do: scans, now and later; what is open and settles later
 *     wallet_control.c the control port: scan, present, cancel, settings, ledger
 *     wallet_write.c   JSON out: orders, payments, refunds; notices
 *     wallet_ledger.c  the books as JSON
 *     wallet_settle.c  the bill that the merchant gets
 *     wallet_brain.c   the whole
 */
#ifndef SIM_WALLET_WALLET_INT_H
#define SIM_WALLET_WALLET_INT_H

#include "http/http_brain.h"
#include "wallet_book.h"

#define WALLET_MAGIC 0x77616c6cu
#define WALLET_CODES 4096 /* consumer-presented codes that are remembered */

struct wallet_settings {
    int64_t slow_ms, code_valid_ms, signature_window_s;
    int64_t fee_bp; /* of an amount, in hundredths of a per cent; told in the bill */
    bool magic;     /* obey magic amounts */
    char notice_url[WALLET_URL_MAX + 1]; /* on file, for static codes */
};

/* How a phone scans. */
struct scan {
    struct deal *order; /* NULL: a static code */
    char *code;         /* of a static code; owned by the job that waits */
    size_t merchant;    /* of a static code */
    struct wallet_phone *phone;
    int64_t amount_minor; /* -1: what the code asks for */
    unsigned times;
    bool late, never;
    bool decided; /* what the phone's habit makes of it is in the rest already */
};

enum job_kind { JOB_EXPIRE = 1, JOB_SCAN, JOB_SETTLE, JOB_SETTLE_REFUND };
struct job {
    int64_t at_us; /* the host's clock */
    uint64_t order;
    enum job_kind kind;
    struct deal *deal;
    struct refund *refund;
    const char *reason; /* NULL: as the books allow */
    struct scan scan;
};

/* A consumer-presented code that a phone has shown. */
struct shown {
    char token[21];
    struct wallet_phone *phone;
    int64_t until_us;
};

struct wallet {
    uint32_t magic;
    struct sim_config config;
    struct wallet_settings settings;
    struct book *book;
    struct job *jobs; /* a heap */
    size_t job_count, job_room;
    uint64_t job_order;
    struct shown shown[WALLET_CODES]; /* a ring */
    uint64_t shown_count, notice_count;
    uint64_t scans, refused_requests, bad_signatures, notices_acknowledged, notices_failed;
    int64_t now_us; /* of the call that runs */
};

static inline int64_t wallet_wall_us(const struct wallet *w)
{
    return w->now_us + w->config.wall_offset_us;
}

/* wallet_sign.c: "t=...,v1=..." over "<t>.<METHOD>.<path>.<body>". */
void wallet_sign(struct writer *out, const struct wallet_merchant *m, int64_t at_s,
                 struct view method, struct view path, struct view body);
/* NULL: good; else a word for the error: "signature", "timestamp". */
const char *wallet_check(const struct wallet_merchant *m, struct view header, int64_t now_s,
                         int64_t window_s, struct view method, struct view path, struct view body);

/* wallet_read.c: what a request's body asks for. */
struct asked {
    struct view order_id, refund_id, reference, code, notice_url;
    const struct wallet_currency *currency;
    int64_t amount_minor;
    int64_t expires_at_s; /* INT64_MAX: never */
    uint64_t fingerprint; /* of all of it */
};
#define ASKED_ORDER   1u /* order_id reference amount currency code expires_at notice_url */
#define ASKED_PAYMENT 2u /* order_id code amount currency notice_url */
#define ASKED_REFUND  3u /* refund_id order_id amount currency notice_url */
/* NULL: read; else the word of an error and its sentence. Views live in `arena` or body. */
const char *asked_read(struct view body, unsigned what, struct arena *arena, struct asked *out,
                       const char **sentence);

/* wallet_api.c */
void wallet_request(void *brain, const struct sim_request *request, int64_t now_us,
                    struct sim_answer *answer);

/* wallet_phones.c */
void wallet_job_add(struct wallet *w, const struct job *job);
void wallet_jobs_clear(struct wallet *w);
void wallet_tick(void *brain, int64_t now_us);
int64_t wallet_next_us(const void *brain);
/* Runs a scan now; writes what came of it, an array of {"state", "reason"?, payment...}. */
void wallet_scan(struct wallet *w, const struct scan *scan, struct json_out *out);
/* Magic amounts: */
void wallet_order_magic(struct wallet *w, struct deal *order);
/* Of payments, charges, refunds. True: stays open (a job settles it, or none does). */
bool wallet_settle_magic(struct wallet *w, int64_t amount_minor, struct deal *deal,
                         struct refund *refund, const char **reason);
/* A code that this phone shows now. */
void wallet_show(struct wallet *w, struct wallet_phone *phone, struct writer *code);
/* Whose it is; `*why` when nobody can be charged. */
struct wallet_phone *wallet_shown_by(struct wallet *w, const char *token, const char **why);

/* wallet_write.c */
void wallet_write_deal(struct json_out *j, const char *key, const struct deal *d);
void wallet_write_refund(struct json_out *j, const char *key, const struct refund *r);
/* For book_events. */
void wallet_tell_deal(void *wallet, const struct deal *deal);
void wallet_tell_refund(void *wallet, const struct refund *refund);
/* A type of its own, "order.canceled". */
void wallet_tell_as(struct wallet *w, const char *type, const struct deal *deal);

/* wallet_control.c */
enum status wallet_command(void *brain, struct view method, struct view path,
                           const struct json_node *body, int64_t now_us, struct json_out *out,
                           struct writer *why);
enum status wallet_set(void *brain, const struct json_node *settings, const struct json_node *keys,
                       int64_t now_us, struct writer *why);
void wallet_write_settings(const void *brain, struct json_out *out);
void wallet_settings_init(struct wallet_settings *s);

/* wallet_ledger.c */
void wallet_write_ledger(const void *brain, struct json_out *out, uint64_t from, size_t limit);
size_t wallet_ledger_room(const void *brain, uint64_t from, size_t limit);
void wallet_write_stats(const void *brain, struct json_out *out);

/* wallet_settle.c */
enum status wallet_settlement(void *brain, struct view query, int64_t now_us,
                              struct settle_source *out, struct writer *why);

#endif
