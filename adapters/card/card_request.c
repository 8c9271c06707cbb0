/* SPDX-License-Identifier: Apache-2.0
 *
 * card_request.c - from a command to an ISO 8583 message.
 *
 * shapes[] says for each operation which message it is; the put_ functions below write groups of
 * fields in the order of docs/rails/card-wire.md. x->self collects what goes into refs: those
 * values are stored before the bytes leave, so they, and nothing else, must be enough for the
 * message that undoes this one.
 *
 * A repeat is built from the same command and so comes out the same, but for the MTI.
 */
#include "card_int.h"

#include <string.h>

static const struct card_shape shapes[] = {
    { RG_OP_AUTHORISE, FAMILY_REQUEST, "0100", NULL, "0110", "000000", NULL, 0 },
    { RG_OP_SALE, FAMILY_REQUEST, "0200", NULL, "0210", "000000", NULL, 0 },
    { RG_OP_REFUND, FAMILY_REQUEST, "0200", NULL, "0210", "200000", "0100 0200 0220", 0 },
    { RG_OP_CAPTURE, FAMILY_CAPTURE, "0220", "0221", "0230", "000000", "0100", 0 },
    { RG_OP_CANCEL, FAMILY_REVERSAL, "0400", "0401", "0410", NULL, "0100", 0 },
    { RG_OP_REVERSE, FAMILY_REVERSAL, "0420", "0421", "0430", NULL, "0100 0200 0220", 0 },
    { RG_OP_SIGN_ON, FAMILY_LINK, "0800", NULL, "0810", NULL, NULL, 1 },
    { RG_OP_SIGN_OFF, FAMILY_LINK, "0800", NULL, "0810", NULL, NULL, 2 },
    { RG_OP_KEY_CHANGE, FAMILY_LINK, "0800", NULL, "0810", NULL, NULL, 101 },
    { RG_OP_ECHO, FAMILY_LINK, "0800", NULL, "0810", NULL, NULL, 301 },
};

const struct card_shape *card_shape_of(uint32_t operation)
{
    for (unsigned i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        if (shapes[i].operation == operation)
            return &shapes[i];
    return NULL;
}

/* A text of decimal numbers, each with its width; ends the text with a zero byte. 0 when a number
 * does not fit its width. */
struct digits {
    uint64_t value;
    unsigned width;
};

static uint32_t write_digits(char *room, uint64_t size, const struct digits *parts, unsigned count)
{
    struct rg_buffer out = { (uint8_t *)room, size, 0, 0, 0 };
    for (unsigned i = 0; i < count; i++)
        rg_put_digits(&out, parts[i].value, parts[i].width);
    rg_put_u8(&out, 0);
    return out.overflow == 0;
}

/* --- what a command refers to ---------------------------------------------------------------- */

static uint32_t take_ref(const struct rg_command *command, const char *name, char *room,
                         uint64_t longest)
{
    const struct rg_named *row = rg_find(command->refs, command->refs_count, name);
    if (row == NULL)
        return 1;
    if (row->value.len > longest)
        return 0;
    if (row->value.len > 0)
        memcpy(room, row->value.ptr, row->value.len);
    room[row->value.len] = '\0';
    return 1;
}

static uint32_t is_digits(const char *text, uint64_t len)
{
    for (uint64_t i = 0; i < len; i++)
        if (text[i] < '0' || text[i] > '9')
            return 0;
    return text[len] == '\0';
}

/* blank-separated list of four-digit types */
static uint32_t is_listed(const char *list, const char *mti)
{
    for (; strlen(list) >= 4; list += list[4] == ' ' ? 5 : 4)
        if (memcmp(list, mti, 4) == 0)
            return 1;
    return 0;
}

static const char *take_original(struct card_exchange *x, const struct rg_command *command)
{
    struct card_refs *o = &x->original;
    uint32_t good = 1;
#define REF(name, longest, flags) good &= take_ref(command, #name, o->name, longest);
    CARD_REFS(REF)
#undef REF
    /* The other side's own retrieval reference is the better one, once there is an answer. */
    good &= take_ref(command, "host_rrn", o->rrn, 12);
    good &= take_ref(command, "approved_amount", x->approved_amount, 12);
    if (good == 0)
        return "a reference of the original attempt is too long";
    if (!is_digits(o->mti, 4) || !is_digits(o->stan, 6) || !is_digits(o->time, 10) ||
        !is_digits(o->amount, 12) || !is_digits(o->currency, 3) ||
        !is_digits(o->processing_code, 6) || !is_digits(o->entry, 3) || o->pan[0] == '\0' ||
        strlen(o->terminal) != 8 || !is_digits(o->acquirer, strlen(o->acquirer)) ||
        !is_digits(o->forwarding, strlen(o->forwarding)) ||
        (x->approved_amount[0] != '\0' && !is_digits(x->approved_amount, 12)))
        return "the references of the original attempt are not complete";
    if (!is_listed(x->shape->originals, o->mti))
        return "this operation cannot refer to an attempt of that kind";
    return NULL;
}

/* --- fields ---------------------------------------------------------------------------------- */

static uint64_t day_of_year(const struct rg_civil *date)
{
    static const uint16_t before[12] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
    uint32_t leap = (date->year % 4 == 0 && date->year % 100 != 0) || date->year % 400 == 0;
    if (date->month < 1 || date->month > 12)
        return 1000; /* does not fit three digits: refused */
    return before[date->month - 1] + date->day + (leap != 0 && date->month > 2 ? 1 : 0);
}

static const char *put_times(struct card_exchange *x, const struct rg_command *command)
{
    const struct rg_civil *utc = &command->utc;
    const struct rg_civil *local = &command->local;
    char time[7];
    char date[5];
    if (command->trace < 1 || command->trace > 999999)
        return "the trace number is not 1 to 999999";
    uint32_t good = write_digits(x->self.stan, sizeof x->self.stan,
                                 (struct digits[]){ { command->trace, 6 } }, 1);
    good &= write_digits(x->self.time, sizeof x->self.time,
                         (struct digits[]){ { utc->month, 2 },
                                            { utc->day, 2 },
                                            { utc->hour, 2 },
                                            { utc->minute, 2 },
                                            { utc->second, 2 } },
                         5);
    good &= write_digits(
        time, sizeof time,
        (struct digits[]){ { local->hour, 2 }, { local->minute, 2 }, { local->second, 2 } }, 3);
    good &= write_digits(date, sizeof date,
                         (struct digits[]){ { local->month, 2 }, { local->day, 2 } }, 2);
    good &= write_digits(x->self.rrn, sizeof x->self.rrn,
                         (struct digits[]){ { utc->year % 10, 1 },
                                            { day_of_year(utc), 3 },
                                            { utc->hour, 2 },
                                            { command->trace, 6 } },
                         4);
    if (good == 0)
        return "the date or time is not one";
    iso_set_text(&x->iso, 7, x->self.time);
    iso_set_text(&x->iso, 11, x->self.stan);
    if (x->shape->family == FAMILY_LINK)
        return NULL;
    iso_set_text(&x->iso, 12, time);
    iso_set_text(&x->iso, 13, date);
    return NULL;
}

/* DE32, 33, 41 and, for payments, DE18, 19, 25, 42, 43. */
static void put_acceptor(const struct card_instance *card, struct card_exchange *x)
{
    memcpy(x->self.acquirer, card->acquirer, sizeof x->self.acquirer);
    iso_set_text(&x->iso, 32, x->self.acquirer);
    /* A later message comes from the terminal of the first, whatever is configured by then. */
    memcpy(x->self.terminal,
           x->original.terminal[0] != '\0' ? x->original.terminal : card->terminal,
           sizeof x->self.terminal);
    iso_set_text(&x->iso, 41, x->self.terminal);
    if (x->shape->family == FAMILY_LINK)
        return;
    memcpy(x->self.forwarding, card->forwarding, sizeof x->self.forwarding);
    if (x->self.forwarding[0] != '\0')
        iso_set_text(&x->iso, 33, x->self.forwarding);
    iso_set_number(&x->iso, 18, card->category);
    iso_set_number(&x->iso, 19, card->country);
    iso_set_number(&x->iso, 25, card->pos_condition);
    iso_set_text(&x->iso, 42, card->merchant);
    iso_set_text(&x->iso, 43, card->name_location);
}

/* DE95: what stays in force; see card-wire.md. */
static void put_replacement(struct card_exchange *x, int64_t stays_minor)
{
    uint8_t room[42];
    struct rg_buffer out = { room, sizeof room, 0, 0, 0 };
    rg_put_digits(&out, (uint64_t)stays_minor, 12);
    rg_put_digits(&out, 0, 12);
    rg_put_text(&out, "C00000000C00000000");
    iso_set(&x->iso, 95, room, sizeof room);
}

/* A cancel names what was held, and what stays of it when only a part is given back. Held is what
 * the issuer approved, which may be less than what was asked for. */
static const char *put_cancelled(struct card_exchange *x, const struct rg_command *command,
                                 int64_t *amount_minor)
{
    int64_t held_minor = command->original_minor;
    if (x->approved_amount[0] != '\0') {
        held_minor = 0;
        for (unsigned i = 0; i < 12; i++)
            held_minor = held_minor * 10 + (x->approved_amount[i] - '0');
    }
    if (held_minor == 0)
        return NULL; /* not known: the amount given back is all there was */
    if (held_minor < *amount_minor || held_minor > CARD_AMOUNT_MAX)
        return "more is to be cancelled than was authorised";
    if (held_minor > *amount_minor)
        put_replacement(x, held_minor - *amount_minor);
    *amount_minor = held_minor;
    return NULL;
}

static const char *put_amount(struct card_exchange *x, const struct rg_command *command)
{
    int64_t amount = command->amount_minor;
    uint64_t currency = command->currency_number;
    if (command->operation == RG_OP_REVERSE) {
        /* What the original message said, digit by digit. */
        memcpy(x->self.amount, x->original.amount, sizeof x->self.amount);
    } else {
        if (amount < 1 || amount > CARD_AMOUNT_MAX)
            return "the amount is not 1 to 999999999999 minor units";
        const char *fault = NULL;
        if (command->operation == RG_OP_CANCEL)
            fault = put_cancelled(x, command, &amount);
        if (fault != NULL)
            return fault;
        (void)write_digits(x->self.amount, sizeof x->self.amount,
                           (struct digits[]){ { (uint64_t)amount, 12 } }, 1);
    }
    if (x->original.currency[0] != '\0' && currency == 0) {
        memcpy(x->self.currency, x->original.currency, sizeof x->self.currency);
    } else if (currency < 1 || !write_digits(x->self.currency, sizeof x->self.currency,
                                             (struct digits[]){ { currency, 3 } }, 1)) {
        return "the currency is not an ISO 4217 number";
    }
    if (x->original.currency[0] != '\0' && strcmp(x->original.currency, x->self.currency) != 0)
        return "the currency is not that of the original attempt";
    iso_set_text(&x->iso, 4, x->self.amount);
    iso_set_text(&x->iso, 49, x->self.currency);
    return NULL;
}

/* What a later message takes from the one it refers to: DE22, 37, 38, 90. */
static void put_original(struct card_exchange *x)
{
    const struct card_refs *o = &x->original;
    uint8_t room[42];
    struct rg_buffer out = { room, sizeof room, 0, 0, 0 };
    const char *institutions[] = { o->acquirer, o->forwarding };
    memcpy(x->self.pan, o->pan, sizeof x->self.pan);
    memcpy(x->self.expiry, o->expiry, sizeof x->self.expiry);
    memcpy(x->self.entry, o->entry, sizeof x->self.entry);
    memcpy(x->self.approval_code, o->approval_code, sizeof x->self.approval_code);
    if (x->shape->operation != RG_OP_REFUND && o->rrn[0] != '\0')
        memcpy(x->self.rrn, o->rrn, sizeof x->self.rrn);
    if (o->approval_code[0] != '\0')
        iso_set_text(&x->iso, 38, o->approval_code);
    rg_put_text(&out, o->mti);
    rg_put_text(&out, o->stan);
    rg_put_text(&out, o->time);
    for (unsigned i = 0; i < 2; i++) {
        for (uint64_t len = strlen(institutions[i]); len < 11; len++)
            rg_put_u8(&out, '0');
        rg_put_text(&out, institutions[i]);
    }
    iso_set(&x->iso, 90, room, out.len);
}

static const char *build_payment(const struct card_instance *card, struct card_exchange *x,
                                 const struct rg_command *command)
{
    const char *fault = NULL;
    if (x->shape->originals != NULL)
        fault = take_original(x, command);
    if (fault == NULL)
        fault = put_amount(x, command);
    if (fault == NULL)
        fault = put_times(x, command);
    if (fault != NULL)
        return fault;
    if (x->shape->originals != NULL)
        put_original(x);
    else
        fault = card_put_payer(card, x, command);
    if (fault != NULL)
        return fault;
    put_acceptor(card, x);
    memcpy(x->self.processing_code,
           x->shape->processing != NULL ? x->shape->processing : x->original.processing_code,
           sizeof x->self.processing_code);
    iso_set_text(&x->iso, 2, x->self.pan);
    iso_set_text(&x->iso, 3, x->self.processing_code);
    if (x->self.expiry[0] != '\0')
        iso_set_text(&x->iso, 14, x->self.expiry);
    iso_set_text(&x->iso, 22, x->self.entry);
    iso_set_text(&x->iso, 37, x->self.rrn);
    return NULL;
}

static const char *build_link(const struct card_instance *card, struct card_exchange *x,
                              const struct rg_command *command)
{
    if (x->shape->operation == RG_OP_KEY_CHANGE &&
        (card->has_mac_key == 0 || card->has_zone_key == 0))
        return "a key change needs the settings mac_key and zone_key";
    const char *fault = put_times(x, command);
    if (fault != NULL)
        return fault;
    put_acceptor(card, x);
    iso_set_number(&x->iso, 70, x->shape->network_code);
    return NULL;
}

const char *card_build(const struct card_instance *card, struct card_exchange *x,
                       const struct rg_command *command)
{
    const struct card_shape *shape = card_shape_of(command->operation);
    if (shape == NULL)
        return "the card rail does not have this operation";
    if (command->repeat > 0 && shape->mti_repeat == NULL)
        return "this message is never repeated; reverse the attempt instead";
    x->shape = shape;
    x->repeat = command->repeat;
    x->amount_minor = command->amount_minor != 0 ? command->amount_minor : command->original_minor;
    /* Later messages name the first sending, so refs hold its type, whichever this one is. */
    memcpy(x->self.mti, shape->mti, sizeof x->self.mti);
    iso_message_init(&x->iso, command->repeat > 0 ? shape->mti_repeat : shape->mti);
    return shape->family == FAMILY_LINK ? build_link(card, x, command)
                                        : build_payment(card, x, command);
}
