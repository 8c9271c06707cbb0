/* card_knobs.c - see card_knobs.h.
 *
 * The keys below are published test keys, made for tests and of no value anywhere else. Settings
 * are rows of a table: reader and writer walk the same rows. */
#include "card_knobs.h"

#include "base/ensure.h"
#include "json/json_read.h"

#define DELAY_MS_DEFAULT   1000
#define REORDER_MS_DEFAULT 200
#define MS_MAX             86400000 /* a day */

const char *card_fault_name(enum card_fault fault)
{
    static const char *const NAMES[] = {
        "none",
#define FAULT(name, json, text) json,
#include "faults.def"
#undef FAULT
    };
    return NAMES[fault < CARD_FAULT_COUNT ? fault : CARD_FAULT_NONE];
}

void card_knobs_init(struct card_knobs *k)
{
    memset(k, 0, sizeof *k);
    k->settings = (struct card_settings){ .key_scope = CARD_KEYS_PER_LINK,
                                          .repeat_answer = CARD_REPEAT_SAME,
                                          .late_original = CARD_LATE_REFUSE,
                                          .sign_on_required = true,
                                          .mac_required = true,
                                          .atc_check = true,
                                          .late_ms = 30000,
                                          .key_grace_ms = 10000 };
    k->keys = (struct card_key_bytes){
        .zone = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe, 0xdc, 0xba, 0x98, 0x76,
                  0x54, 0x32, 0x10 },
        .imk = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54,
                 0x32, 0x10 },
    };
    memset(k->keys.mac, 0xaa, 8);
    memset(k->keys.mac + 8, 0xbb, 8);
    memset(k->keys.pin, 0x11, 8);
    memset(k->keys.pin + 8, 0x22, 8);
}

uint64_t card_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* --- planning ---------------------------------------------------------------------------- */
void card_plan_add(struct card_plan *p, enum card_fault fault, int64_t ms, int64_t bytes,
                   const char *code, const struct card_settings *settings)
{
    p->faults |= 1u << fault;
    if (fault == CARD_FAULT_DELAY)
        p->delay_us += (ms >= 0 ? ms : DELAY_MS_DEFAULT) * 1000;
    if (fault == CARD_FAULT_LATE)
        p->delay_us += (ms >= 0 ? ms : settings->late_ms) * 1000;
    if (fault == CARD_FAULT_REORDER)
        p->reorder_us = (ms >= 0 ? ms : REORDER_MS_DEFAULT) * 1000;
    if (fault == CARD_FAULT_GARBLE)
        p->bytes = bytes > 0 ? bytes : 1;
    if (fault == CARD_FAULT_CODE)
        memcpy(p->code, code, sizeof p->code);
}

void card_knobs_plan(struct card_knobs *k, const char *mti, int64_t amount_minor, uint64_t *random,
                     struct card_plan *p)
{
    for (size_t i = 0; i < k->rule_count; i++) {
        struct card_fault_rule *r = &k->rules[i];
        if (r->next == 0 || strncmp(r->mti, mti, strlen(r->mti)) != 0)
            continue;
        if (r->amount_minor >= 0 && r->amount_minor != amount_minor)
            continue;
        if (r->skip > 0) {
            r->skip--;
            continue;
        }
        if (r->per_million < CARD_MILLION && card_random(random) % CARD_MILLION >= r->per_million)
            continue;
        if (r->next > 0)
            r->next--;
        r->hits++;
        card_plan_add(p, r->fault, r->ms, r->bytes, r->code, &k->settings);
    }
}

/* --- JSON in ----------------------------------------------------------------------------- */
static enum status refuse(struct writer *why, const char *where, const char *what)
{
    writer_format(why, "%s: %s", where, what);
    return STATUS_MALFORMED;
}

static enum status no_others(const struct json_node *object, const char *const *known, size_t count,
                             const char *where, struct writer *why)
{
    if (object->kind != JSON_OBJECT)
        return refuse(why, where, "must be an object");
    const struct json_node *other = json_unknown(object, known, count, NULL);
    if (other == NULL)
        return STATUS_OK;
    writer_format(why, "%s: no such member: ", where);
    writer_view(why, view_slice(other->key, 0, 40));
    return STATUS_MALFORMED;
}

/* An optional integer in a range; `*out` stays when absent. */
static enum status take_i64(const struct json_node *object, const char *name, int64_t low,
                            int64_t high, int64_t *out, struct writer *why)
{
    const struct json_node *node = json_member(object, name);
    int64_t value = 0;
    if (node == NULL)
        return STATUS_OK;
    if (json_i64(node, &value) != STATUS_OK || value < low || value > high)
        return refuse(why, name, "not an integer in the allowed range");
    *out = value;
    return STATUS_OK;
}

static enum status take_bool(const struct json_node *object, const char *name, bool *out,
                             struct writer *why)
{
    const struct json_node *node = json_member(object, name);
    if (node != NULL && json_bool(node, out) != STATUS_OK)
        return refuse(why, name, "must be true or false");
    return STATUS_OK;
}

/* An optional word out of `words`, numbered from 1. */
static enum status take_word(const struct json_node *object, const char *name,
                             const char *const words[static 2], unsigned *out, struct writer *why)
{
    const struct json_node *node = json_member(object, name);
    struct view text;
    if (node == NULL)
        return STATUS_OK;
    if (json_text(node, &text) == STATUS_OK)
        for (unsigned i = 0; i < 2; i++)
            if (view_is(text, words[i])) {
                *out = i + 1;
                return STATUS_OK;
            }
    writer_format(why, "%s: must be \"%s\" or \"%s\"", name, words[0], words[1]);
    return STATUS_MALFORMED;
}

static const char *const SCOPES[2] = { "link", "host" };
static const char *const REPEATS[2] = { "same", "94" };
static const char *const LATES[2] = { "refuse", "book" };

static enum status read_settings(const struct json_node *o, struct card_settings *s,
                                 struct writer *why)
{
    static const char *const KNOWN[] = { "key_scope",        "repeat_answer", "late_original",
                                         "sign_on_required", "mac_required",  "atc_check",
                                         "late_ms",          "key_grace_ms" };
    unsigned scope = s->key_scope, repeat = s->repeat_answer, late = s->late_original;
    TRY(no_others(o, KNOWN, COUNT_OF(KNOWN), "settings", why));
    TRY(take_word(o, "key_scope", SCOPES, &scope, why));
    TRY(take_word(o, "repeat_answer", REPEATS, &repeat, why));
    TRY(take_word(o, "late_original", LATES, &late, why));
    TRY(take_bool(o, "sign_on_required", &s->sign_on_required, why));
    TRY(take_bool(o, "mac_required", &s->mac_required, why));
    TRY(take_bool(o, "atc_check", &s->atc_check, why));
    TRY(take_i64(o, "late_ms", 0, MS_MAX, &s->late_ms, why));
    TRY(take_i64(o, "key_grace_ms", 0, MS_MAX, &s->key_grace_ms, why));
    s->key_scope = (enum card_key_scope)scope;
    s->repeat_answer = (enum card_repeat_answer)repeat;
    s->late_original = (enum card_late_original)late;
    return STATUS_OK;
}

static enum status read_key(const struct json_node *o, const char *name, uint8_t *out,
                            struct writer *why)
{
    const struct json_node *node = json_member(o, name);
    struct view text;
    uint8_t bytes[TDES_KEY_SIZE];
    size_t len = 0;
    if (node == NULL)
        return STATUS_OK;
    if (json_text(node, &text) != STATUS_OK ||
        hex_decode(text, bytes, sizeof bytes, &len) != STATUS_OK || len != sizeof bytes)
        return refuse(why, name, "must be 32 hexadecimal characters");
    memcpy(out, bytes, sizeof bytes);
    return STATUS_OK;
}

static enum status read_keys(const struct json_node *o, struct card_key_bytes *k,
                             struct writer *why)
{
    static const char *const KNOWN[] = { "zone", "mac", "imk", "pin" };
    TRY(no_others(o, KNOWN, COUNT_OF(KNOWN), "keys", why));
    TRY(read_key(o, "zone", k->zone, why));
    TRY(read_key(o, "mac", k->mac, why));
    TRY(read_key(o, "imk", k->imk, why));
    TRY(read_key(o, "pin", k->pin, why));
    return STATUS_OK;
}

static enum status read_texts(const struct json_node *o, struct card_fault_rule *r,
                              struct writer *why)
{
    struct view text;
    if (json_text(json_member(o, "fault"), &text) != STATUS_OK)
        return refuse(why, "fault", "must be the name of a fault");
    for (unsigned f = CARD_FAULT_NONE + 1; f < CARD_FAULT_COUNT; f++)
        if (view_is(text, card_fault_name((enum card_fault)f)))
            r->fault = (enum card_fault)f;
    if (r->fault == CARD_FAULT_NONE)
        return refuse(why, "fault", "no fault has this name");
    const struct json_node *mti = json_member(o, "mti");
    if (mti != NULL && (json_text(mti, &text) != STATUS_OK || !view_is_digits(text) ||
                        view_to_text(text, r->mti, sizeof r->mti) != STATUS_OK))
        return refuse(why, "mti", "must be one to four digits in quotes");
    const struct json_node *code = json_member(o, "code");
    if (code != NULL && (json_text(code, &text) != STATUS_OK || text.len != 2 ||
                         view_to_text(text, r->code, sizeof r->code) != STATUS_OK))
        return refuse(why, "code", "must be two characters");
    if ((r->fault == CARD_FAULT_CODE) != (code != NULL))
        return refuse(why, "code", "belongs to the fault \"code\", and only there");
    for (const char *c = r->code; *c != '\0'; c++)
        if (!((*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z')))
            return refuse(why, "code", "must be digits and capital letters");
    return STATUS_OK;
}

static enum status read_rule(const struct json_node *o, struct card_fault_rule *r,
                             struct writer *why)
{
    static const char *const KNOWN[] = { "fault",        "mti", "per_million", "skip", "next",
                                         "amount_minor", "ms",  "bytes",       "code", "hits" };
    int64_t per_million = CARD_MILLION;
    *r = (struct card_fault_rule){ .next = -1, .amount_minor = -1, .ms = -1, .bytes = 1 };
    TRY(no_others(o, KNOWN, COUNT_OF(KNOWN), "faults", why));
    TRY(read_texts(o, r, why));
    TRY(take_i64(o, "per_million", 0, CARD_MILLION, &per_million, why));
    TRY(take_i64(o, "skip", 0, INT32_MAX, &r->skip, why));
    TRY(take_i64(o, "next", -1, INT32_MAX, &r->next, why));
    TRY(take_i64(o, "amount_minor", -1, 999999999999, &r->amount_minor, why));
    TRY(take_i64(o, "ms", -1, MS_MAX, &r->ms, why));
    TRY(take_i64(o, "bytes", 1, 64, &r->bytes, why));
    r->per_million = (uint32_t)per_million;
    return STATUS_OK;
}

static enum status read_body(const struct json_node *root, struct card_knobs *k,
                             enum card_knobs_mode mode, int64_t *down_ms, struct writer *why)
{
    static const char *const KNOWN[] = { "settings", "keys", "faults", "settlement", "down_ms" };
    TRY(no_others(root, KNOWN, COUNT_OF(KNOWN), "body", why));
    const struct json_node *settings = json_member(root, "settings");
    const struct json_node *keys = json_member(root, "keys");
    const struct json_node *faults = json_member(root, "faults");
    if (settings != NULL)
        TRY(read_settings(settings, &k->settings, why));
    if (keys != NULL)
        TRY(read_keys(keys, &k->keys, why));
    if (json_member(root, "settlement") != NULL)
        TRY(settle_faults_read(&k->settlement, json_member(root, "settlement"), why));
    TRY(take_i64(root, "down_ms", -1, MS_MAX, down_ms, why));
    if (faults == NULL)
        return STATUS_OK;
    if (faults->kind != JSON_ARRAY)
        return refuse(why, "faults", "must be an array");
    if (mode == CARD_KNOBS_REPLACE)
        k->rule_count = 0;
    for (JSON_EACH(rule, faults)) {
        if (k->rule_count == CARD_FAULT_RULES_MAX)
            return refuse(why, "faults", "there may be 32 at a time");
        TRY(read_rule(rule, &k->rules[k->rule_count], why));
        k->rule_count++;
    }
    return STATUS_OK;
}

enum status card_knobs_read(struct card_knobs *k, struct view json, enum card_knobs_mode mode,
                            int64_t *down_ms, struct writer *why)
{
    struct arena arena;
    struct json_error error;
    const struct json_node *root = NULL;
    struct card_knobs staged = *k;
    *down_ms = -2;
    arena_init(&arena, 1 << 20);
    enum status s = json_read(json, NULL, &arena, &root, &error);
    if (s != STATUS_OK)
        writer_format(why, "not JSON, at byte %zu: %s", error.offset, error.message);
    else
        s = read_body(root, &staged, mode, down_ms, why);
    arena_reset(&arena);
    if (s == STATUS_OK)
        *k = staged;
    return s;
}

/* --- JSON out ---------------------------------------------------------------------------- */
static void write_rule(struct json_out *j, const struct card_fault_rule *r)
{
    json_open_object(j, NULL);
    json_put_text(j, "fault", view_text(card_fault_name(r->fault)));
    json_put_text_if(j, "mti", view_text(r->mti));
    json_put_i64(j, "per_million", r->per_million);
    json_put_i64(j, "skip", r->skip);
    json_put_i64(j, "next", r->next);
    json_put_i64(j, "amount_minor", r->amount_minor);
    json_put_i64(j, "ms", r->ms);
    json_put_i64(j, "bytes", r->bytes);
    json_put_text_if(j, "code", view_text(r->code));
    json_put_i64(j, "hits", (int64_t)r->hits);
    json_close_object(j);
}

static void write_check_value(struct json_out *j, const char *name, const uint8_t *bytes)
{
    struct tdes_key key;
    uint8_t kcv[3], text[6];
    struct writer w = writer_over(text, sizeof text);
    tdes_key_set(&key, bytes);
    tdes_check_value(&key, kcv);
    writer_hex_upper(&w, view_of(kcv, sizeof kcv));
    json_put_text(j, name, writer_done(&w));
}

void card_knobs_write(const struct card_knobs *k, struct json_out *j, int64_t down_ms)
{
    const struct card_settings *s = &k->settings;
    json_open_object(j, NULL);
    json_open_object(j, "settings");
    json_put_text(j, "key_scope", view_text(SCOPES[s->key_scope - 1]));
    json_put_text(j, "repeat_answer", view_text(REPEATS[s->repeat_answer - 1]));
    json_put_text(j, "late_original", view_text(LATES[s->late_original - 1]));
    json_put_bool(j, "sign_on_required", s->sign_on_required);
    json_put_bool(j, "mac_required", s->mac_required);
    json_put_bool(j, "atc_check", s->atc_check);
    json_put_i64(j, "late_ms", s->late_ms);
    json_put_i64(j, "key_grace_ms", s->key_grace_ms);
    json_close_object(j);
    json_open_object(j, "key_check_values");
    write_check_value(j, "zone", k->keys.zone);
    write_check_value(j, "mac", k->keys.mac);
    write_check_value(j, "imk", k->keys.imk);
    write_check_value(j, "pin", k->keys.pin);
    json_close_object(j);
    json_open_array(j, "faults");
    for (size_t i = 0; i < k->rule_count; i++)
        write_rule(j, &k->rules[i]);
    json_close_array(j);
    settle_faults_write(&k->settlement, j);
    json_put_i64(j, "down_ms", down_ms);
    json_close_object(j);
}
