/* authenticate.h - was it the payer, and did the payer mean this payment?
 *
 * Two kinds of result are taken, both bound to one payment, its payer, amount and payee (dynamic
 * linking, RTS 2018/389 Art. 5):
 *
 *   code       RFC 6238 with HMAC-SHA-256, 8 digits, steps of 30 s, one step of tolerance to
 *              either side. Key of a payer: HMAC(authentication.code_key, "payer\n" merchant "\n"
 *              id); key of a payment: HMAC(key of the payer, "payment\n" id "\n" minor units " "
 *              currency "\n" payee), with the payment's id as text (pay_...). So a code for
 *              another amount, payee or payment does not fit.
 *   assertion  a compact JWS (RFC 7515, EdDSA or ES256) of a configured issuer with the claims
 *              iss, aud, iat, exp (at most 10 minutes after iat), sub (payer), and payment, amount
 *              (minor units, an integer), currency, payee as they are.
 *
 * Pure but for keys; on the loop's thread. That a result is used once is the caller's: a payment
 * leaves its waiting state in the commit that uses it.
 */
#ifndef PAYMENT_AUTHENTICATE_H
#define PAYMENT_AUTHENTICATE_H

#include "domain/money.h"
#include "secret/secret.h"
#include "settings/settings.h"

#define AUTHENTICATION_CODE_DIGITS 8

struct authentication_of {
    int64_t merchant; /* whose name for the payer it is */
    int64_t payment;
    struct view payer; /* payer.id, else the account; "" cannot be authenticated */
    struct money amount;
    struct view payee; /* payee.id, else the account, else the name; may be empty */
};
enum authentication_result {
    AUTHENTICATION_RIGHT = 1,
    AUTHENTICATION_WRONG,      /* not the code, signature or issuer; malformed */
    AUTHENTICATION_LATE,       /* expired, or from the future */
    AUTHENTICATION_OTHER,      /* well signed, but for another payment, payer, amount or payee */
    AUTHENTICATION_IMPOSSIBLE, /* no key, no issuer or no payer is known */
    AUTHENTICATION_STARVED     /* memory is out: nothing is known about it, ask again */
};
/* `why`: a sentence for people; never the code. */
enum authentication_result authentication_code_check(struct secrets *secrets,
                                                     const struct settings *settings,
                                                     const struct authentication_of *of,
                                                     struct view code, int64_t wall_us,
                                                     struct writer *why);
enum authentication_result authentication_assertion_check(struct secrets *secrets,
                                                          const struct settings *settings,
                                                          const struct authentication_of *of,
                                                          struct view assertion, int64_t wall_us,
                                                          struct writer *why);
/* What the payer's authenticator shows now; `railgate authenticator` in mode sandbox. NOT_FOUND: no
 * key or no payer. */
enum status authentication_code(struct secrets *secrets, const struct settings *settings,
                                const struct authentication_of *of, int64_t wall_us,
                                char out[AUTHENTICATION_CODE_DIGITS + 1]);
/* "code", "assertion": what can be used here, for next_action; writes the words, blank between. */
void authentication_methods(const struct secrets *secrets, const struct settings *settings,
                            struct writer *out);

#endif
