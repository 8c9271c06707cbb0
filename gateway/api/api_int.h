/* api_int.h - a call: one HTTP request on its way through the room. */
#ifndef API_INT_H
#define API_INT_H

#include "api/api.h"

#include "base/list.h"
#include "base/map.h"
#include "payment/problem.h"
#include "payment/render.h"
#include "json/json_read.h"

#define API_MAGIC       0x41504921u
#define CALL_MAGIC      0x43414c4cu
#define KEYS_CACHED_MAX 4096

/* A key as it was when it was last read; also remembers for a second that a key does not exist. */
struct cached_key {
    struct list link;
    uint8_t hash[32];
    bool known;
    struct key_row row;
    int64_t read_us;      /* monotonic */
    int64_t tokens_micro; /* token bucket, millionths of a request */
    int64_t filled_us;
};

struct call;
typedef void call_fn(struct call *call);

struct call {
    uint32_t magic;
    struct list link;
    struct api *api;
    struct http_request *http;
    const struct route_row_api *route;
    const char *allow[8]; /* methods that the path does take, for 405 */
    size_t allow_count;
    struct arena arena;
    struct store_read read;
    bool reading; /* the store holds our memory */
    uint8_t key_hash[32];
    int64_t merchant;
    int64_t payment;  /* from the path, 0: none; or the endpoint or event that the path names */
    char currency[4]; /* of the payment, once it was read */
    call_fn *then;    /* after the payment was read */
    void *context;    /* the route's own; in the arena */
};

struct route_row_api {
    const char *method;
    const char *path; /* {id} stands for a payment's id */
    uint32_t scope;   /* that the API key must have; 0: no key is needed */
    call_fn *run;
    const char *query; /* the parameters that may be in its query, a blank between them; or "" */
};

struct api {
    uint32_t magic;
    struct api_options o;
    struct http_server *server;
    struct map *keys;                     /* hash -> struct cached_key */
    struct list keys_known, keys_unknown; /* the same, read longest ago first */
    struct list calls;
    struct secret_key *key_hash, *idem;
    struct api_stats stats;
    struct id_source ids; /* of webhook endpoints */
    struct secret_key *seal;
    struct streams *streams; /* event_stream.c */
    struct task scrub;       /* wipes the stack once at the end of a turn that read card data */
};

/* --- reply.c: each ends the call ------------------------------------------------------------- */
/* A problem is answered as OVERLOADED when the call's arena has starved (then want of memory may be
 * all that is wrong), except reply_payment's. */
void reply(struct call *call, int http_status, struct view body);
/* 200 with something else than JSON. */
void reply_bytes(struct call *call, const char *type, struct view body);
void reply_problem(struct call *call, enum problem problem, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void reply_errors(struct call *call, enum problem problem, struct view detail,
                  const struct problem_error *errors, size_t count);
void reply_payment(void *call, int http_status, struct view body, bool replayed);
http_refusal_fn refuse_http;

/* api.c: runs call->route, or answers 400 when its query has a parameter that the route has not: a
 * filter with a misspelt name would find everything. */
void run_route(struct call *call);

/* --- auth.c ------------------------------------------------------------------------------------
 */
/* Finds the key, its scope and its rate; then runs the route, or answers 401, 403, 429. */
void authenticate(struct call *call);

/* --- fields.c: typed reading of a JSON body, all errors at once --------------------------------
 */
struct fields {
    struct arena *arena;
    struct problem_error errors[PROBLEM_ERRORS_MAX];
    size_t count;
    bool unknown; /* one of them is an unknown field */
};
void field_error(struct fields *f, const struct json_node *node, const char *code,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same for a member that is not there: the pointer is the parent's and the name. */
void field_missing(struct fields *f, const struct json_node *parent, const char *name,
                   const char *what);
/* Of UTF-8 text. */
size_t characters(struct view text);
/* Text of min..max characters without control characters. Absent: required ? error : empty view. */
struct view field_text(struct fields *f, const struct json_node *parent, const char *name,
                       size_t min, size_t max, bool required);
/* The same, but line ends (CR, LF) may be in it. */
struct view field_lines(struct fields *f, const struct json_node *parent, const char *name,
                        size_t min, size_t max, bool required);
/* Also only letters of `kind`: 'd' digits, 'h' hexadecimal. */
struct view field_code(struct fields *f, const struct json_node *parent, const char *name,
                       char kind, size_t min, size_t max, bool required);
/* An object member; NULL when absent (an error if required) or no object (an error). */
const struct json_node *field_object(struct fields *f, const struct json_node *parent,
                                     const char *name, bool required);
/* {"value": n, "currency": "EUR"}: exact, > 0. False when an error was noted. */
bool field_amount(struct fields *f, const struct json_node *parent, const char *name, bool required,
                  struct money *out);
/* The same, never required, but it may be zero. */
bool field_balance(struct fields *f, const struct json_node *parent, const char *name,
                   struct money *out);
void fields_known(struct fields *f, const struct json_node *object, const char *const *names,
                  size_t count);
/* Free text must not hold a card number: it would be stored and shown. */
void field_no_pan(struct fields *f, const struct json_node *node);
bool looks_like_pan(struct view text);
/* field_no_pan for each member of an object, but not for those named (their nature is digits). */
void field_no_pan_but(struct fields *f, const struct json_node *object, const char *const *names,
                      size_t count);
struct view pointer_without_pan(struct arena *arena, struct view pointer);

/* --- kinds.c: values that several methods have -------------------------------------------------
 */
/* One of `words`. Absent: required ? error : empty view. */
struct view field_word(struct fields *f, const struct json_node *parent, const char *name,
                       const char *const *words, size_t count, bool required);
/* An integer min..max; -1 when absent or an error was noted. */
int64_t field_number(struct fields *f, const struct json_node *parent, const char *name,
                     int64_t min, int64_t max);
/* true or false. False when absent or an error was noted; *out is set only when this is true. */
bool field_flag(struct fields *f, const struct json_node *parent, const char *name, bool *out);
/* Two capital letters (ISO 3166 alpha-2). */
struct view field_country(struct fields *f, const struct json_node *parent, const char *name);
/* YYYY-MM-DD, a day that exists, of this year or a later one. */
struct view field_date(struct fields *f, const struct json_node *parent, const char *name,
                       int32_t year_min);
/* Capital letters and digits, min..max of them; blanks between them are left out (how IBANs and
 * references are printed): the answer is in f->arena. */
struct view field_identifier(struct fields *f, const struct json_node *parent, const char *name,
                             size_t min, size_t max);
/* ISO 13616: two letters, two digits, at most 30 letters and digits. Its check digits are the
 * adapter's to look at. */
struct view field_iban(struct fields *f, const struct json_node *parent, const char *name);
/* ISO 9362: 8 or 11 letters and digits. */
struct view field_bic(struct fields *f, const struct json_node *parent, const char *name);
/* An account, alias or wallet in the answer: as it is, unless a card number seems to stand in it;
 * then only its last four digits. */
void put_account(struct json_out *facts, const char *name, struct view value);
/* A row for the adapter, named prefix_name; nothing when the value is empty. What looks like a card
 * number is marked sensitive. */
void put_detail(struct writer *details, const char *prefix, const char *name, struct view value);

/* --- requests ------------------------------------------------------------------------------------
 */
/* Parses the body (bounded, strict) into the arena. False: the call was answered. An empty body is
 * an empty object when `may_be_empty`. */
bool body_json(struct call *call, struct arena *arena, bool may_be_empty,
               const struct json_node **root);
/* A request with key, digest and Prefer filled in; NULL: the call was answered. */
/* The Idempotency-Key. False: there is none, or no good one, and the call was answered. */
bool call_key(struct call *call, struct view *key);
/* Keyed digest of path and body, for idempotency. */
enum status call_digest(struct call *call, struct arena *arena, uint8_t out[32]);
struct payment_request *request_new(struct call *call);
/* Whether there was no memory for what was read: then the request is dropped and answered with
 * OVERLOADED, whatever else was found wrong with it. After every reading, before the errors. */
bool request_starved(struct call *call, struct payment_request *r);
void run_create(struct call *call);
void run_capture(struct call *call);
void run_cancel(struct call *call);
void run_refund(struct call *call);
void run_confirm(struct call *call);
/* "metadata": {...} copied to `facts`. */
void read_metadata(struct fields *f, const struct json_node *root, struct json_out *facts);
/* create_party.c. details: NULL for card, whose channel is told nothing of them; there a card
 * number may stand nowhere, while accounts and aliases of the other rails may be digits by nature.
 * currency: the payment's, in which the payee's balance must be; NULL when it is not known. */
void read_payer(struct fields *f, const struct json_node *root, struct writer *details,
                struct json_out *facts);
void read_payee(struct fields *f, const struct json_node *root, const struct currency *currency,
                struct writer *details, struct json_out *facts);
/* `device`, `risk`, `initiator`, `cash`. */
void read_circumstances(struct fields *f, const struct json_node *root, struct json_out *facts);
/* create_facts.c: r->facts, from a body in which nothing was found wrong and what the request has
 * of it already (rail, kind, amount, merchant, details). `key` (hmac_sha256) hides card numbers.
 * All in the request's arena. NO_MEMORY. */
enum status facts_of_request(struct payment_request *r, const struct json_node *root,
                             struct secret_key *key, int64_t wall_us);
/* confirm.c: the body of a confirmation into `r`, copied. */
void read_confirm(struct fields *f, const struct json_node *root, struct payment_request *r);
/* create_qr.c, create_bank.c, create_cbdc.c: the same for the other rails. */
void read_qr(struct fields *f, const struct json_node *qr, struct writer *details,
             struct json_out *facts);
void read_bank(struct fields *f, const struct json_node *bank, struct writer *details,
               struct json_out *facts);
void read_cbdc(struct fields *f, const struct json_node *cbdc, struct writer *details,
               struct json_out *facts);
/* A scanned code that is an order for a bank (EPC069-12, Swiss QR-bill): its name, else NULL. Such
 * a payment takes the bank rail; read_qr_bank writes its details and facts. */
const char *bank_code(const struct json_node *qr);
void read_qr_bank(struct fields *f, const struct json_node *qr, struct writer *details,
                  struct json_out *facts);
/* create_card.c: method.card into details and facts. */
void read_card(struct fields *f, const struct json_node *card, struct writer *details,
               struct json_out *facts);

/* --- reads
 * ---------------------------------------------------------------------------------------- */
void run_read(struct call *call);
void run_list(struct call *call);
void run_events(struct call *call);
void run_refunds_list(struct call *call);
void run_captures_list(struct call *call);
void run_limits(struct call *call);
/* One query parameter, decoded, into the call's arena; absent: *out is empty. False when the call
 * was answered. max: bytes. */
bool parameter(struct call *call, const char *name, size_t max, struct view *out);
/* methods.c */
void run_methods(struct call *call);
/* code.c: the picture of the code that a payment waits to be shown. */
void run_code_svg(struct call *call);
void run_code_png(struct call *call);
/* The payload of `outcome_json`'s next_action (members without braces, as stored), when it is a
 * code to show that has not expired at `now_us`; else an empty view. In `arena`. */
struct view code_of(struct arena *arena, struct view outcome_json, int64_t now_us);
/* True when the read went well; else the call was answered, with `missing` for what is not there.
 */
bool read_succeeded(struct call *call, struct store_read *read, const char *missing);
/* Asks call->read for the call's merchant. */
void ask_store(struct call *call, void (*done)(struct store_read *read, void *arg));
/* `cursor` (of that kind) and `limit` into call->read. False: the call was answered. */
bool page_parameters(struct call *call, enum id_kind cursor_kind);
/* After STORE_JOURNAL_ENDS: whether call->read.after, a cursor of events, is not beyond the end.
 * False: the call was answered. */
bool cursor_known(struct call *call);
/* `kind`, a pattern of event kinds, into call->read.event_kind. False: the call was answered. */
bool kind_parameter(struct call *call);
void run_all_events(struct call *call);
/* webhooks.c */
void run_endpoint_create(struct call *call);
void run_endpoints_list(struct call *call);
void run_endpoint_read(struct call *call);
void run_endpoint_change(struct call *call);
void run_endpoint_delete(struct call *call);
void run_endpoint_rotate(struct call *call);
void run_endpoint_test(struct call *call);
void run_endpoint_deliveries(struct call *call);
void run_event_resend(struct call *call);
/* event_stream.c */
void run_event_stream(struct call *call);
enum status streams_open(struct api *api);
/* Ends all of them in order. */
void streams_drain(struct api *api);
void streams_close(struct api *api);
/* Before streams_close when the store lives on. */
void streams_unwatch(struct api *api);
uint64_t streams_count(const struct api *api);
/* Ends a call whose answer was given otherwise. */
void call_forget(struct call *call);
/* openapi.c */
void run_openapi(struct call *call);

#endif
