/* hook_sign.c - secrets of webhook endpoints, and the signatures that came.
 *
 * Signatures are made here anew from the specification (Standard Webhooks 1.0), with OpenSSL alone:
 * a mistake in the gateway's own code must not be shared.
 *
 * Which secrets have signed a delivery is noted when it comes; when one is not known yet (its
 * answer is lost, or still on its way) as soon as it is told. At the end, for each of them:
 *     it is signed with one secret, or with that and the one before it, and nothing else;
 *     with the newest that was answered before it was signed, or a newer one;
 *     with two from the change on until its overlap is over, and with one from then on.
 * When it was signed its timestamp says, to a second, by the gateway's clock; where that jumps only
 * the first of these is looked at. The change itself was somewhere between its first try and its
 * answer.
 */
#include "hooks.h"

#include "base/ensure.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <stdio.h>
#include <stdlib.h>

#define BASE64_LEN 44
#define NOT_KNOWN  UINT8_MAX

/* --- secrets ------------------------------------------------------------------------------------
 */

static void verify_again(struct hook_endpoint *e);

void hook_secret_asked(struct hook_endpoint *e, int64_t overlap_us)
{
    ENSURE(e->secret_count > 0 && e->secret_count < HOOK_SECRETS_MAX);
    e->secrets[e->secret_count].asked_us = loop_wall_us(e->side->world->loop);
    e->secrets[e->secret_count].overlap_us = overlap_us;
}

void hook_add_secret(struct hook_endpoint *e, struct view text)
{
    char base64[128];
    ENSURE(e->secret_count < HOOK_SECRETS_MAX && view_starts_with(text, VIEW("whsec_")));
    ENSURE(view_to_text(view_slice(text, 6, text.len), base64, sizeof base64) == STATUS_OK);
    struct hook_secret *secret = &e->secrets[e->secret_count++];
    size_t len = strlen(base64), pad = 0;
    while (pad < len && base64[len - 1 - pad] == '=')
        pad++;
    ENSURE(len <= 84);
    int got = EVP_DecodeBlock(secret->bytes, (const unsigned char *)base64, (int)len);
    ENSURE(got > 0);
    secret->len = (size_t)got - pad;
    secret->answered_us = loop_wall_us(e->side->world->loop);
    verify_again(e);
}

/* --- signatures ---------------------------------------------------------------------------------
 */

/* Which secret has made this signature; NOT_KNOWN: none that was told. */
static uint8_t signer(const struct hook_endpoint *e, struct view text, const char *signature)
{
    for (size_t i = e->secret_count; i > 0; i--) { /* mostly the newest */
        const struct hook_secret *secret = &e->secrets[i - 1];
        unsigned char mac[32], base64[BASE64_LEN + 4];
        unsigned len = 0;
        ENSURE(HMAC(EVP_sha256(), secret->bytes, (int)secret->len, text.ptr, text.len, mac, &len) !=
                   NULL &&
               len == sizeof mac);
        ENSURE(EVP_EncodeBlock(base64, mac, sizeof mac) == BASE64_LEN);
        if (memcmp(signature, base64, BASE64_LEN) == 0)
            return (uint8_t)(i - 1);
    }
    return NOT_KNOWN;
}

/* False: one of them is of a secret that nobody was told, yet. More than two, or something else in
 * the header, is told at once. */
static bool read_bears(const struct hook_endpoint *e, const struct hook_unverified *row,
                       struct hook_bears *out)
{
    const char *at = row->signature;
    *out = (struct hook_bears){ .at_s = row->at_s };
    for (;;) {
        size_t len = strcspn(at, " ");
        if (len != BASE64_LEN + 3 || strncmp(at, "v1,", 3) != 0 || out->count == 2) {
            wrong(e->side->world, 0, "endpoint %u: signatures %s", e->index, row->signature);
            return true;
        }
        uint8_t which = signer(e, view_of(row->text, row->len), at + 3);
        if (which == NOT_KNOWN)
            return false;
        out->which[out->count++] = which;
        if (at[len] == '\0')
            return true;
        at += len + 1;
    }
}

static void keep(struct hook_endpoint *e, const struct hook_bears *bears)
{
    if (e->bears_count == e->bears_room) {
        e->bears_room = e->bears_room == 0 ? 64 : 2 * e->bears_room;
        e->bears = realloc(e->bears, e->bears_room * sizeof *e->bears);
        ENSURE(e->bears != NULL);
    }
    e->bears[e->bears_count++] = *bears;
}

static void verify_again(struct hook_endpoint *e)
{
    struct hook_unverified **at = &e->unverified, *row;
    struct hook_bears bears;
    while ((row = *at) != NULL) {
        if (!read_bears(e, row, &bears)) {
            at = &row->next;
            continue;
        }
        keep(e, &bears);
        *at = row->next;
        free(row);
    }
}

void hook_signed(struct hook_endpoint *e, const char *id, const char *timestamp,
                 const char *signature, struct view body)
{
    size_t room = body.len + 128;
    struct hook_unverified *row = calloc(1, sizeof *row + room);
    struct hook_bears bears;
    uint64_t at_s = 0;
    ENSURE(row != NULL);
    struct writer w = writer_over(row->text, room);
    writer_format(&w, "%s.%s.", id, timestamp);
    writer_view(&w, body);
    ENSURE(!w.overflow);
    row->len = w.len;
    if (view_to_u64(view_text(timestamp), INT64_MAX / LOOP_US_PER_S - 1, &at_s) != STATUS_OK)
        wrong(e->side->world, 0, "endpoint %u: timestamp %s", e->index, timestamp);
    row->at_s = (int64_t)at_s;
    (void)snprintf(row->signature, sizeof row->signature, "%s", signature);
    if (read_bears(e, row, &bears)) {
        keep(e, &bears);
        free(row);
        return;
    }
    row->next = e->unverified;
    e->unverified = row;
}

/* --- what must be true --------------------------------------------------------------------------
 */

/* When it was signed the clock was right. */
static void check_signed_then(const struct hook_endpoint *e, const struct hook_bears *bears)
{
    struct world *world = e->side->world;
    size_t newest = bears->which[0];
    const struct hook_secret *secret = &e->secrets[newest];
    int64_t from_us = bears->at_s * LOOP_US_PER_S, to_us = from_us + LOOP_US_PER_S;
    for (size_t i = newest + 1; i < e->secret_count; i++)
        if (e->secrets[i].answered_us <= from_us) {
            wrong(world, 0, "endpoint %u: signed with secret %zu %lld ms after %zu was told",
                  e->index, newest, (long long)((from_us - e->secrets[i].answered_us) / 1000), i);
            return;
        }
    if (newest == 0) /* it has none before it */
        return;
    if (bears->count == 1 && to_us <= secret->asked_us + secret->overlap_us)
        wrong(world, 0, "endpoint %u: not signed with the old secret, %lld s before its end",
              e->index,
              (long long)((secret->asked_us + secret->overlap_us - to_us) / LOOP_US_PER_S));
    else if (bears->count == 2 && from_us >= secret->answered_us + secret->overlap_us)
        wrong(world, 0, "endpoint %u: signed with the old secret %lld ms after its end", e->index,
              (long long)((from_us - secret->answered_us - secret->overlap_us) / 1000));
    world_tally(world, "webhooks: signed with %s",
                bears->count == 2 ? "both secrets" : "a new one");
}

void check_signatures(struct hook_endpoint *e)
{
    struct world *world = e->side->world;
    if (e->unverified != NULL)
        wrong(world, 0, "a webhook to endpoint %u has a signature of nobody: %.80s", e->index,
              e->unverified->text);
    for (size_t i = 0; i < e->bears_count; i++) {
        const struct hook_bears *bears = &e->bears[i];
        if (bears->count == 0) /* told already */
            continue;
        if (bears->count == 2 && bears->which[1] + 1 != bears->which[0])
            wrong(world, 0, "endpoint %u: signed with secrets %d and %d", e->index, bears->which[0],
                  bears->which[1]);
        else if (!world_clock_wrong(world))
            check_signed_then(e, bears);
    }
}

void hook_sign_forget(struct hook_endpoint *e)
{
    struct hook_unverified *row;
    while ((row = e->unverified) != NULL) {
        e->unverified = row->next;
        free(row);
    }
    free(e->bears);
}
