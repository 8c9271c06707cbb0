/* web_adapter.h - an adapter for the tests of HTTP channels: the smallest protocol with two steps,
 * tokens, keys in headers and actions, and every way of misbehaving.
 *
 *     POST /pay       "PAY OP AMOUNT ATTEMPT"     begin
 *     PUT  /confirm   "CONFIRM"                   after an answer "2"
 *     POST /token     "TOKEN"                     answered by "VALUE LIFETIME"
 *
 * Settings: access (yes: authorization: Bearer TOKEN), api_key (KEY: x-api-key), letter (FILE).
 * An answer's first letter says what it means; see web_adapter.c. What begin() does wrong is asked
 * for by the detail "begin".
 */
#ifndef WEB_ADAPTER_H
#define WEB_ADAPTER_H

#include <railgate/adapter.h>

#define WEB_ANSWER_MAX 4096u

enum { WEB_ACCESS = 0, WEB_API_KEY, WEB_LETTER, WEB_SIGN_KEY, WEB_SETTINGS };

const struct rg_adapter *web_adapter(uint32_t host_abi);

#endif
