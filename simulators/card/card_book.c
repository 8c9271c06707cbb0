/* card_book.c - what happens to the books when a message asks for money.
 *
 * card_book is called with a message that is signed on, has a good MAC and the elements it needs.
 *     known already           answered as before, nothing booked again
 *     undone before it came   declined, never booked
 *     0100, 0200              purchase: looked at by the issuer, then held or charged
 *     0200, DE3 20            refund
 *     0220                    capture: turns a hold into a charge
 *     0400, 0420              reversal: gives back all or a part
 * Sums (captures of an authorisation, refunds of a charge) are checked here, since nobody else
 * does.
 */
#include "host_int.h"

struct magic {
    unsigned tail;
    enum { MAGIC_CODE = 1, MAGIC_PARTIAL, MAGIC_TROUBLE } kind;
    const char *code;
    enum card_fault fault, reversal_fault;
};

static const struct magic MAGIC[] = {
#define CODE(tail_, code_) { .tail = (tail_), .kind = MAGIC_CODE, .code = (code_) },
#define PARTIAL(tail_)     { .tail = (tail_), .kind = MAGIC_PARTIAL },
#define TROUBLE(tail_, f, rf)                                                                      \
    { .tail = (tail_),                                                                             \
      .kind = MAGIC_TROUBLE,                                                                       \
      .fault = CARD_FAULT_##f,                                                                     \
      .reversal_fault = CARD_FAULT_##rf },
#include "magic_amounts.def"
#undef CODE
#undef PARTIAL
#undef TROUBLE
};

static const struct magic *magic_of(int64_t amount_minor)
{
    unsigned tail = (unsigned)(amount_minor % 10000);
    if (tail < 9000 || tail > 9199)
        return NULL;
    for (size_t i = 0; i < COUNT_OF(MAGIC); i++)
        if (MAGIC[i].tail == tail)
            return &MAGIC[i];
    return NULL;
}

/* The trouble an amount asks for; true when the message is lost before anything happened. */
static bool magic_trouble(struct card_call *c, enum card_fault fault)
{
    if (fault == CARD_FAULT_NONE)
        return false;
    card_plan_add(&c->plan, fault, -1, 1, "", &c->h->knobs.settings);
    c->h->stats.faults_hit++;
    c->lost = card_plan_has(&c->plan, CARD_FAULT_DROP_BEFORE_BOOKING) ||
              card_plan_has(&c->plan, CARD_FAULT_RESET_BEFORE_BOOKING);
    return c->lost;
}

/* --- entries ----------------------------------------------------------------------------- */
static void copy_text(char *out, size_t room, struct view v)
{
    v = view_slice(v, 0, room - 1);
    if (v.len > 0)
        memcpy(out, v.ptr, v.len);
    out[v.len] = '\0';
}

static void identity_of(const struct iso_msg *m, struct card_identity *id)
{
    memcpy(id->text, iso_msg_get(m, 11).ptr, 6);
    memcpy(id->text + 6, iso_msg_get(m, 7).ptr, 10);
    memcpy(id->text + 16, iso_msg_get(m, 41).ptr, 8);
}

/* From DE90; false without it. */
static bool original_of(const struct iso_msg *m, struct card_identity *id, char mti[5])
{
    struct view d = iso_msg_get(m, 90);
    if (d.len != 42)
        return false;
    copy_text(mti, 5, view_slice(d, 0, 4));
    memcpy(id->text, d.ptr + 4, 16); /* STAN and DE7 */
    memcpy(id->text + 16, iso_msg_get(m, 41).ptr, 8);
    return true;
}

static struct card_entry *new_entry(struct card_call *c, enum card_entry_kind kind)
{
    struct card_identity id;
    identity_of(c->req, &id);
    struct card_entry *e = card_ledger_add(c->h->ledger, &id);
    e->kind = kind;
    e->state = CARD_STATE_DECLINED;
    copy_text(e->mti, sizeof e->mti, view_of(c->req->mti, 4));
    copy_text(e->rrn, sizeof e->rrn, iso_msg_get(c->req, 37));
    copy_text(e->merchant, sizeof e->merchant, iso_msg_get(c->req, 42));
    copy_text(e->currency, sizeof e->currency, iso_msg_get(c->req, 49));
    copy_text(e->pan, sizeof e->pan, c->pan);
    copy_text(e->processing_code, sizeof e->processing_code, iso_msg_get(c->req, 3));
    copy_text(e->local_time, sizeof e->local_time, iso_msg_get(c->req, 12));
    copy_text(e->local_date, sizeof e->local_date, iso_msg_get(c->req, 13));
    e->amount_minor = c->amount_minor;
    e->link = c->link->id;
    e->at_us = c->now_us;
    if (!original_of(c->req, &e->original, e->original_mti))
        e->original.text[0] = '\0';
    if (e->rrn[0] == '\0') { /* the acquirer gave none: ours */
        struct writer w = writer_over(e->rrn, 12);
        writer_u64_padded(&w, e->number, 12);
        e->rrn[12] = '\0';
    }
    card_ledger_index(c->h->ledger, e);
    c->entry = e;
    return e;
}

/* Ends the walk: the answer's code is also what a repeat will hear. */
static void decide(struct card_call *c, const char *code, const char *note)
{
    memcpy(c->entry->response, code, 3);
    card_call_code(c, code, note);
    if (c->entry->state == CARD_STATE_DECLINED)
        card_ledger_totals(c->h->ledger)->declined++;
}

static void booked(struct card_call *c, struct card_entry *e, int64_t amount_minor)
{
    e->state = CARD_STATE_BOOKED;
    e->approved_minor = amount_minor;
    e->booked_us = c->now_us;
    if (++e->booked > 1)
        card_ledger_totals(c->h->ledger)->booked_more_than_once++;
    struct writer w = writer_over(e->auth_code, 6);
    writer_u64_padded(&w, c->h->next_auth++ % 1000000, 6);
    e->auth_code[6] = '\0';
}

static struct card_entry *parent_of(struct card_call *c, const struct card_entry *e)
{
    return card_ledger_change(c->h->ledger, e->parent);
}

/* --- purchases --------------------------------------------------------------------------- */
static bool luhn_and_issuer(struct card_call *c, struct card_account **a)
{
    const char *code = !luhn_valid(c->pan) ? "14" : !card_bin_known(c->pan) ? "15" : "";
    *a = code[0] == '\0' ? card_account_find(&c->h->accounts, c->pan) : NULL;
    if (*a != NULL)
        return true;
    decide(c, code[0] != '\0' ? code : "14", "card number");
    return false;
}

/* First reason to say no, or "". */
static const char *issuer_objection(const struct card_call *c, struct card_account *a,
                                    const struct magic *magic, const char *chip_code)
{
    const char *code;
    if (magic != NULL && magic->kind == MAGIC_CODE)
        return magic->code;
    if (a->decline[0] != '\0')
        return a->decline;
    if (!card_check_expiry(c))
        return "54";
    if (chip_code[0] != '\0')
        return chip_code;
    if ((code = card_check_pin(c, a))[0] != '\0' || (code = card_check_cvv2(c, a))[0] != '\0')
        return code;
    if (a->limit_minor > 0 && c->amount_minor > a->limit_minor)
        return "61";
    return "";
}

static void hold_or_charge(struct card_call *c, struct card_account *a, int64_t amount_minor)
{
    struct card_totals *t = card_ledger_totals(c->h->ledger);
    if (c->entry->kind == CARD_ENTRY_AUTHORISATION) {
        a->held_minor += amount_minor;
        t->authorisations++;
        t->authorised_minor += amount_minor;
        t->held_minor += amount_minor;
    } else {
        a->balance_minor -= amount_minor;
        t->sales++;
        t->sold_minor += amount_minor;
        t->charged_minor += amount_minor;
    }
    booked(c, c->entry, amount_minor);
}

static void purchase(struct card_call *c, enum card_entry_kind kind, const struct magic *magic)
{
    struct card_account *a = NULL;
    struct tdes_key mk;
    struct emv_data chip;
    struct card_entry *e = new_entry(c, kind);
    if (!luhn_and_issuer(c, &a))
        return;
    const char *chip_code = card_check_chip(c, a, &mk, &chip);
    const char *code = issuer_objection(c, a, magic, chip_code);
    if (code[0] == '\0') {
        bool partial = magic != NULL && magic->kind == MAGIC_PARTIAL;
        int64_t amount_minor = partial ? c->amount_minor / 2 : c->amount_minor;
        code = card_account_available(a) < amount_minor ? "51" : partial ? "10" : "00";
        if (code[0] != '5')
            hold_or_charge(c, a, amount_minor);
    }
    if (chip.arqc.len > 0)
        e->issuer_data_len = (uint8_t)emv_issuer_data(&mk, &chip, code, e->issuer_data);
    decide(c, code, e->state == CARD_STATE_BOOKED ? "" : "declined");
}

/* --- captures and refunds ---------------------------------------------------------------- */
/* Number of the entry that DE90 names, 0 none. Numbers survive what new_entry may forget. */
static uint64_t named_original(const struct card_call *c)
{
    struct card_identity id;
    char mti[5];
    if (!original_of(c->req, &id, mti))
        return 0;
    const struct card_entry *o = card_ledger_find(c->h->ledger, &id, mti);
    return o != NULL && (c->pan.len == 0 || view_is(c->pan, o->pan)) ? o->number : 0;
}

static void capture(struct card_call *c)
{
    struct card_totals *t = card_ledger_totals(c->h->ledger);
    uint64_t number = named_original(c);
    const struct card_entry *by_rrn =
        iso_msg_has(c->req, 90) ? NULL
                                : card_ledger_find_rrn(c->h->ledger, CARD_ENTRY_AUTHORISATION,
                                                       iso_msg_get(c->req, 37), c->pan);
    if (by_rrn != NULL)
        number = by_rrn->number;
    struct card_entry *e = new_entry(c, CARD_ENTRY_CAPTURE);
    struct card_entry *o = card_ledger_change(c->h->ledger, number);
    struct card_account *a = card_account_find(&c->h->accounts, c->pan);
    if (o == NULL || o->kind != CARD_ENTRY_AUTHORISATION || a == NULL) {
        decide(c, "25", "no such authorisation");
        return;
    }
    e->parent = o->number;
    int64_t left_minor = o->approved_minor - o->captured_minor - o->reversed_minor;
    if (o->state != CARD_STATE_BOOKED) {
        decide(c, "12", "authorisation was declined or reversed");
    } else if (c->amount_minor > left_minor || !view_is(view_text(e->currency), o->currency)) {
        decide(c, "13", "more than is left, or another currency");
    } else {
        o->captured_minor += c->amount_minor;
        a->held_minor -= c->amount_minor;
        a->balance_minor -= c->amount_minor;
        t->captures++;
        t->captured_minor += c->amount_minor;
        t->held_minor -= c->amount_minor;
        t->charged_minor += c->amount_minor;
        booked(c, e, c->amount_minor);
        decide(c, "00", "");
    }
}

/* What of this entry was really charged and not given back yet. */
static int64_t refundable_minor(const struct card_entry *o)
{
    return o->kind == CARD_ENTRY_AUTHORISATION
               ? o->captured_minor - o->refunded_minor
               : o->approved_minor - o->reversed_minor - o->refunded_minor;
}

static void refund(struct card_call *c)
{
    struct card_totals *t = card_ledger_totals(c->h->ledger);
    struct card_account *a = NULL;
    bool referenced = iso_msg_has(c->req, 90);
    uint64_t number = named_original(c);
    struct card_entry *e = new_entry(c, CARD_ENTRY_REFUND);
    struct card_entry *o = card_ledger_change(c->h->ledger, number);
    struct card_entry *root = o != NULL && o->kind == CARD_ENTRY_CAPTURE ? parent_of(c, o) : NULL;
    if (!luhn_and_issuer(c, &a))
        return;
    if (referenced && (o == NULL || o->kind == CARD_ENTRY_REFUND ||
                       o->kind == CARD_ENTRY_REVERSAL || o->booked == 0)) {
        decide(c, "25", "no such charge");
        return;
    }
    if (o != NULL) {
        e->parent = o->number;
        if (c->amount_minor > refundable_minor(o) ||
            (root != NULL && c->amount_minor > refundable_minor(root)) ||
            !view_is(view_text(e->currency), o->currency)) {
            decide(c, "13", "more than was charged, or another currency");
            return;
        }
        o->refunded_minor += c->amount_minor;
        if (root != NULL)
            root->refunded_minor += c->amount_minor;
    }
    a->balance_minor += c->amount_minor;
    t->refunds++;
    t->refunded_minor += c->amount_minor;
    t->charged_minor -= c->amount_minor;
    booked(c, e, c->amount_minor);
    decide(c, "00", "");
}

/* --- reversals --------------------------------------------------------------------------- */
static void give_back(struct card_call *c, struct card_entry *o, int64_t by_minor)
{
    struct card_totals *t = card_ledger_totals(c->h->ledger);
    struct card_account *a = card_account_find(&c->h->accounts, view_text(o->pan));
    struct card_entry *parent = parent_of(c, o);
    ENSURE(a != NULL); /* it was booked on this account */
    switch (o->kind) {
    case CARD_ENTRY_AUTHORISATION:
        a->held_minor -= by_minor;
        t->held_minor -= by_minor;
        break;
    case CARD_ENTRY_SALE:
        a->balance_minor += by_minor;
        t->charged_minor -= by_minor;
        break;
    case CARD_ENTRY_CAPTURE: /* the amount is held again */
        a->balance_minor += by_minor;
        t->charged_minor -= by_minor;
        if (parent != NULL) {
            parent->captured_minor -= by_minor;
            a->held_minor += by_minor;
            t->held_minor += by_minor;
        }
        break;
    case CARD_ENTRY_REFUND:
        a->balance_minor -= by_minor;
        t->charged_minor += by_minor;
        for (; parent != NULL; parent = parent_of(c, parent))
            parent->refunded_minor -= by_minor;
        break;
    case CARD_ENTRY_REVERSAL: ENSURE(false);
    }
    o->reversed_minor += by_minor;
    o->reversals++;
    if (o->reversed_minor == o->approved_minor)
        o->state = CARD_STATE_REVERSED;
    t->reversals++;
    t->reversed_minor += by_minor;
}

/* What stays in force: the first amount of DE95, or nothing. False when DE95 is no amounts. */
static bool in_force(const struct iso_msg *m, int64_t *minor)
{
    struct view d = view_slice(iso_msg_get(m, 95), 0, 12);
    *minor = 0;
    for (size_t i = 0; i < d.len; i++) {
        if (d.ptr[i] < '0' || d.ptr[i] > '9')
            return false;
        *minor = *minor * 10 + (d.ptr[i] - '0');
    }
    return true;
}

static void apply_reversal(struct card_call *c, struct card_entry *e, struct card_entry *o)
{
    int64_t keep_minor = 0;
    e->state = CARD_STATE_DECLINED;
    if (o == NULL || o->kind == CARD_ENTRY_REVERSAL) {
        e->state = CARD_STATE_NO_ORIGINAL;
        decide(c, "25", "no such original; remembered");
        return;
    }
    e->parent = o->number;
    e->parent_kind = o->kind;
    if (o->booked == 0) {
        e->state = CARD_STATE_NO_EFFECT;
        decide(c, "00", "original was declined");
        return;
    }
    if (!in_force(c->req, &keep_minor) || keep_minor > o->approved_minor) {
        decide(c, "13", "replacement amount");
        return;
    }
    int64_t by_minor = o->approved_minor - keep_minor - o->reversed_minor;
    int64_t used_minor =
        o->kind == CARD_ENTRY_AUTHORISATION ? o->captured_minor : o->refunded_minor;
    if (by_minor <= 0) {
        e->state = CARD_STATE_NO_EFFECT;
        decide(c, "00", "was reversed before");
    } else if (keep_minor < used_minor) {
        decide(c, "12", "captured or refunded by more than would stay");
    } else {
        give_back(c, o, by_minor);
        booked(c, e, by_minor);
        e->auth_code[0] = '\0';
        decide(c, "00", "");
    }
}

/* --- the door ---------------------------------------------------------------------------- */
/* True when the message was known: c has the answer. */
static bool repeated(struct card_call *c)
{
    struct card_identity id;
    identity_of(c->req, &id);
    struct card_entry *e = card_ledger_find(c->h->ledger, &id, c->req->mti);
    if (e == NULL)
        return false;
    e->arrivals++;
    card_ledger_totals(c->h->ledger)->arrivals_again++;
    if (!view_is(c->pan, e->pan) || c->amount_minor != e->amount_minor) {
        card_call_code(c, "94", "STAN was used for something else");
        return true;
    }
    c->entry = e;
    if (e->kind == CARD_ENTRY_REVERSAL && e->state == CARD_STATE_NO_ORIGINAL) {
        apply_reversal(
            c, e,
            card_ledger_change(c->h->ledger, named_original(c))); /* it may have come meanwhile */
        return true;
    }
    card_call_code(c, e->response, "repeat");
    if (c->h->knobs.settings.repeat_answer == CARD_REPEAT_94) {
        card_call_code(c, "94", "repeat");
        c->entry = NULL;
    }
    return true;
}

static bool undone_before(struct card_call *c, enum card_entry_kind kind)
{
    struct card_identity id;
    identity_of(c->req, &id);
    if (c->h->knobs.settings.late_original == CARD_LATE_BOOK ||
        card_ledger_find_early_reversal(c->h->ledger, &id, c->req->mti) == NULL)
        return false;
    new_entry(c, kind);
    decide(c, "94", "was reversed before it came");
    return true;
}

void card_book(struct card_call *c)
{
    const struct magic *magic = magic_of(c->amount_minor);
    bool first = c->req->mti[3] == '0';
    struct view type = view_slice(iso_msg_get(c->req, 3), 0, 2);
    bool is_refund = c->req->mti[1] == '2' && c->req->mti[2] == '0' && view_is(type, "20");
    enum card_entry_kind kind = c->req->mti[2] == '2'   ? CARD_ENTRY_CAPTURE
                                : is_refund             ? CARD_ENTRY_REFUND
                                : c->req->mti[1] == '1' ? CARD_ENTRY_AUTHORISATION
                                                        : CARD_ENTRY_SALE;
    if (repeated(c))
        return;
    if (c->req->mti[1] == '4') {
        if (first && magic != NULL && magic->kind == MAGIC_TROUBLE &&
            magic_trouble(c, magic->reversal_fault))
            return;
        uint64_t number = named_original(c);
        struct card_entry *e = new_entry(c, CARD_ENTRY_REVERSAL);
        apply_reversal(c, e, card_ledger_change(c->h->ledger, number));
        return;
    }
    if (undone_before(c, kind))
        return;
    if (first && magic != NULL && magic->kind == MAGIC_TROUBLE && magic_trouble(c, magic->fault))
        return;
    bool purchase_kind = kind == CARD_ENTRY_AUTHORISATION || kind == CARD_ENTRY_SALE;
    if (!purchase_kind && first && magic != NULL && magic->kind == MAGIC_CODE) {
        card_call_code(c, magic->code, "magic amount"); /* a repeat of it will be booked */
    } else if (kind == CARD_ENTRY_REFUND) {
        refund(c);
    } else if (kind == CARD_ENTRY_CAPTURE) {
        capture(c);
    } else if (view_is(type, "00") || view_is(type, "01") || view_is(type, "09")) {
        purchase(c, kind, magic);
    } else {
        card_call_code(c, "12", "processing code");
    }
}
