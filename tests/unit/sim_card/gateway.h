/* gateway.h - the other end of the line for the tests of the card host: builds requests, reads
 * answers. Uses the simulator's own codec, which test_codec.c holds against bytes by hand. */
#ifndef TEST_SIM_CARD_GATEWAY_H
#define TEST_SIM_CARD_GATEWAY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "card/card_host.h"

struct gateway {
    struct card_host *host;
    struct card_config config;
    int64_t now_us;
    uint64_t link;
    struct tdes_key mac;
    unsigned stan;
    /* what card_host_take gave last */
    struct card_action action;
    struct iso_msg answer;
    bool answer_mac_good;
    uint8_t sent[4096];
    size_t sent_len;
};

/* 2026-11-22 12:00:00 UTC */
#define GATEWAY_WALL_US 1795348800000000

void gateway_open(struct gateway *g, enum iso_packaging packaging, enum iso_framing framing);
void gateway_close(struct gateway *g);
void gateway_sign_on(struct gateway *g);
/* A request with STAN of its own and everything the host asks for; add or remove before sending. */
void gateway_build(struct gateway *g, struct iso_msg *m, const char *mti, const char *pan,
                   int64_t amount_minor);
/* DE90 of a message sent before. */
void gateway_refer(struct iso_msg *m, const struct iso_msg *original);
/* MACs (unless 08xx), frames and hands over in one piece. */
void gateway_send(struct gateway *g, const struct iso_msg *m);
/* Takes one action; true when it is a SEND, whose message is then in g->answer. */
bool gateway_take(struct gateway *g);
/* Sends, expects exactly one answer at once with a good MAC, and this DE39. */
void gateway_expect(struct gateway *g, const struct iso_msg *m, const char *code);
/* Sends and expects silence. */
void gateway_expect_nothing(struct gateway *g, const struct iso_msg *m);
void gateway_set(struct gateway *g, const char *json);
const struct card_entry *gateway_entry(struct gateway *g, uint64_t number);
const struct card_account *gateway_account(struct gateway *g, const char *pan);

#endif
