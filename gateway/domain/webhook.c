/* webhook.c - URLs, address ranges, filters and secrets of webhooks; see webhook.h.
 *
 * The reader of URLs takes less than RFC 3986 has: what is sent on is exactly what was stored, so a
 * form that two readers might understand differently is refused.
 */
#include "domain/webhook.h"

#include "base/ensure.h"
#include "domain/time.h"

#include <arpa/inet.h>
#include <stdio.h>

/* --- URL -------------------------------------------------------------------------------------- */

static bool letter_of_path(uint8_t c)
{
    return c > 0x20 && c < 0x7f && strchr("\"<>\\^`{|}#", c) == NULL;
}

static bool letter_of_host(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.';
}

static enum status read_host(struct view *rest, struct web_url *out)
{
    struct view host;
    if (rest->len > 0 && rest->ptr[0] == '[') {
        struct in6_addr ignored;
        size_t end = view_find(*rest, ']');
        host = view_slice(*rest, 1, end > 0 ? end - 1 : 0);
        *rest = view_slice(*rest, end + 1, rest->len);
        TRY(view_to_text(host, out->host, sizeof out->host));
        return inet_pton(AF_INET6, out->host, &ignored) == 1 ? STATUS_OK : STATUS_MALFORMED;
    }
    size_t len = 0;
    while (len < rest->len && letter_of_host(rest->ptr[len]))
        len++;
    host = view_slice(*rest, 0, len);
    *rest = view_slice(*rest, len, rest->len);
    if (len == 0 || host.ptr[0] == '.' || host.ptr[0] == '-')
        return STATUS_MALFORMED;
    return view_to_text(host, out->host, sizeof out->host);
}

enum status web_url_parse(struct view text, struct web_url *out)
{
    *out = (struct web_url){ 0 };
    if (text.len > WEBHOOK_URL_MAX)
        return STATUS_RANGE;
    out->https = view_equal_nocase(view_slice(text, 0, 8), VIEW("https://"));
    if (!out->https && !view_equal_nocase(view_slice(text, 0, 7), VIEW("http://")))
        return STATUS_MALFORMED;
    struct view rest = view_slice(text, out->https ? 8 : 7, text.len);
    if (read_host(&rest, out) != STATUS_OK)
        return STATUS_MALFORMED;
    uint64_t port = out->https ? 443 : 80;
    if (rest.len > 0 && rest.ptr[0] == ':') {
        size_t end = 1;
        while (end < rest.len && rest.ptr[end] >= '0' && rest.ptr[end] <= '9')
            end++;
        if (view_to_u64(view_slice(rest, 1, end - 1), 65535, &port) != STATUS_OK || port == 0)
            return STATUS_MALFORMED;
        rest = view_slice(rest, end, rest.len);
    }
    out->port = (uint16_t)port;
    out->path = rest.len == 0 ? VIEW("/") : rest;
    if (out->path.ptr[0] != '/') /* also `user@host` ends here */
        return STATUS_MALFORMED;
    for (size_t i = 0; i < out->path.len; i++)
        if (!letter_of_path(out->path.ptr[i]))
            return STATUS_MALFORMED;
    return STATUS_OK;
}

/* --- addresses -------------------------------------------------------------------------------- */

struct range4 {
    uint8_t at[4];
    uint8_t bits;
};
/* IANA IPv4 special-purpose address registry (RFC 6890 and later), multicast and reserved. */
static const struct range4 not_public4[] = {
    { { 0, 0, 0, 0 }, 8 },      /* this network, RFC 791 */
    { { 10, 0, 0, 0 }, 8 },     /* private, RFC 1918 */
    { { 100, 64, 0, 0 }, 10 },  /* shared, RFC 6598 */
    { { 127, 0, 0, 0 }, 8 },    /* loopback, RFC 1122 */
    { { 169, 254, 0, 0 }, 16 }, /* link-local, RFC 3927: also where clouds keep credentials */
    { { 172, 16, 0, 0 }, 12 },  /* private */
    { { 192, 0, 0, 0 }, 24 },   /* protocol assignments, RFC 6890 */
    { { 192, 0, 2, 0 }, 24 },   /* documentation, RFC 5737 */
    { { 192, 88, 99, 0 }, 24 }, /* 6to4 relays, RFC 7526 */
    { { 192, 168, 0, 0 }, 16 }, /* private */
    { { 198, 18, 0, 0 }, 15 },  /* benchmarking, RFC 2544 */
    { { 198, 51, 100, 0 }, 24 }, { { 203, 0, 113, 0 }, 24 }, /* documentation */
    { { 224, 0, 0, 0 }, 3 }, /* multicast, reserved, broadcast: 224.0.0.0 and up */
};

struct range6 {
    uint8_t at[16];
    uint8_t bits;
};
/* Inside 2000::/3, the only part of IPv6 that is given out. */
static const struct range6 not_public6[] = {
    { { 0x20, 0x01, 0x00, 0x00 }, 23 }, /* Teredo, ORCHID, benchmarking: RFC 2928 */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, /* documentation, RFC 3849 */
    { { 0x3f, 0xff, 0x00, 0x00 }, 20 }, /* documentation, RFC 9637 */
};

static bool in_range(const uint8_t *address, const uint8_t *range, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(address, range, whole) != 0)
        return false;
    return rest == 0 || (address[whole] ^ range[whole]) >> (8 - rest) == 0;
}

static bool ip4_is_public(const uint8_t *address)
{
    for (size_t i = 0; i < COUNT_OF(not_public4); i++)
        if (in_range(address, not_public4[i].at, not_public4[i].bits))
            return false;
    return true;
}

static bool ip6_is_public(const uint8_t *address)
{
    static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b }; /* RFC 6052 */
    static const uint8_t sixto4[2] = { 0x20, 0x02 };             /* RFC 3056 */
    if (memcmp(address, nat64, sizeof nat64) == 0)
        return ip4_is_public(address + 12);
    if (memcmp(address, sixto4, sizeof sixto4) == 0)
        return ip4_is_public(address + 2);
    /* Mapped addresses (::ffff:a.b.c.d) are refused whatever is inside: no resolver gives them for
     * a public host. */
    if (address[0] >> 5 != 1)
        return false;
    for (size_t i = 0; i < COUNT_OF(not_public6); i++)
        if (in_range(address, not_public6[i].at, not_public6[i].bits))
            return false;
    return true;
}

bool ip_is_public(struct view address)
{
    if (address.len == 4)
        return ip4_is_public(address.ptr);
    return address.len == 16 && ip6_is_public(address.ptr);
}

static bool ends_with(struct view host, const char *tail)
{
    size_t len = strlen(tail);
    return host.len >= len &&
           view_equal_nocase(view_slice(host, host.len - len, len), view_text(tail));
}

enum status web_host_check(const char *host)
{
    static const char *const local[] = { ".localhost", ".local",      ".internal", ".lan",
                                         ".home.arpa", ".intranet",   ".private",  ".corp",
                                         ".home",      ".localdomain" };
    uint8_t address[16];
    if (inet_pton(AF_INET, host, address) == 1)
        return ip4_is_public(address) ? STATUS_OK : STATUS_DENIED;
    if (inet_pton(AF_INET6, host, address) == 1)
        return ip6_is_public(address) ? STATUS_OK : STATUS_DENIED;
    struct view name = view_text(host);
    if (name.len > 0 && name.ptr[name.len - 1] == '.')
        name.len--;
    size_t last = name.len;
    while (last > 0 && name.ptr[last - 1] != '.')
        last--;
    struct view label = view_slice(name, last, name.len);
    /* No top-level domain is a number: whoever writes one means an address in disguise. */
    if (label.len == 0 || view_is_digits(label) ||
        (label.len > 1 && label.ptr[0] == '0' && (label.ptr[1] | 0x20) == 'x'))
        return STATUS_MALFORMED;
    if (last == 0) /* a single label: a machine of ours */
        return STATUS_DENIED;
    for (size_t i = 0; i < COUNT_OF(local); i++)
        if (ends_with(name, local[i]))
            return STATUS_DENIED;
    return STATUS_OK;
}

/* --- kinds ------------------------------------------------------------------------------------ */

bool webhook_kind_valid(struct view pattern)
{
    if (pattern.len == 0 || pattern.len > WEBHOOK_KIND_MAX)
        return false;
    for (size_t i = 0; i < pattern.len; i++) {
        uint8_t c = pattern.ptr[i];
        if (c == '*')
            return i + 1 == pattern.len && (i == 0 || pattern.ptr[i - 1] == '.');
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '.')
            return false;
    }
    return true;
}

static bool kind_matches(struct view pattern, struct view kind)
{
    if (pattern.len > 0 && pattern.ptr[pattern.len - 1] == '*')
        return view_starts_with(kind, view_slice(pattern, 0, pattern.len - 1));
    return view_equal(pattern, kind);
}

bool webhook_kinds_match(struct view patterns, struct view kind)
{
    while (patterns.len > 0) {
        size_t end = view_find(patterns, ' ');
        if (kind_matches(view_slice(patterns, 0, end), kind))
            return true;
        patterns = view_slice(patterns, end + 1, patterns.len);
    }
    return false;
}

bool webhook_event_leaves(struct view kind, int64_t merchant)
{
    return merchant > 0 && !view_starts_with(kind, VIEW("compliance.")) &&
           !view_starts_with(kind, VIEW("profile."));
}

/* --- base64, secrets -------------------------------------------------------------------------- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_write(struct writer *w, struct view bytes)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t three = (uint32_t)bytes.ptr[i] << 16;
        three |= left > 1 ? (uint32_t)bytes.ptr[i + 1] << 8 : 0;
        three |= left > 2 ? bytes.ptr[i + 2] : 0;
        writer_u8(w, (uint8_t)alphabet[three >> 18]);
        writer_u8(w, (uint8_t)alphabet[three >> 12 & 63]);
        writer_u8(w, left > 1 ? (uint8_t)alphabet[three >> 6 & 63] : '=');
        writer_u8(w, left > 2 ? (uint8_t)alphabet[three & 63] : '=');
    }
}

enum status base64_read(struct view text, struct writer *out)
{
    if (text.len % 4 != 0)
        return STATUS_MALFORMED;
    for (size_t i = 0; i < text.len; i += 4) {
        bool last = i + 4 == text.len;
        size_t pad = last && text.ptr[i + 3] == '=' ? (text.ptr[i + 2] == '=' ? 2 : 1) : 0;
        uint32_t three = 0;
        for (size_t k = 0; k < 4; k++) {
            const char *at = memchr(alphabet, text.ptr[i + k], 64);
            if (at == NULL && k < 4 - pad)
                return STATUS_MALFORMED;
            three = three << 6 | (at != NULL && k < 4 - pad ? (uint32_t)(at - alphabet) : 0);
        }
        if ((pad == 1 && (three & 0xff) != 0) || (pad == 2 && (three & 0xffff) != 0))
            return STATUS_MALFORMED;
        writer_u8(out, (uint8_t)(three >> 16));
        if (pad < 2)
            writer_u8(out, (uint8_t)(three >> 8));
        if (pad < 1)
            writer_u8(out, (uint8_t)three);
    }
    return writer_status(out);
}

void webhook_secret_write(struct writer *w, struct view bytes)
{
    writer_text(w, "whsec_");
    base64_write(w, bytes);
}

enum status webhook_secret_read(struct view text, struct writer *out)
{
    if (!view_starts_with(text, VIEW("whsec_")))
        return STATUS_MALFORMED;
    size_t before = out->len;
    TRY(base64_read(view_slice(text, 6, text.len), out));
    size_t len = out->len - before;
    return len >= WEBHOOK_SECRET_MIN && len <= WEBHOOK_SECRET_MAX ? STATUS_OK : STATUS_RANGE;
}

struct view webhook_seal_context(int64_t endpoint, char out[48])
{
    char id[ID_TEXT_MAX];
    (void)snprintf(out, 48, "webhook secret %s", id_format(ID_ENDPOINT, endpoint, id));
    return view_text(out);
}

/* --- back-off --------------------------------------------------------------------------------- */

int64_t webhook_backoff_us(int64_t failures, int64_t first_us)
{
    /* In units of the first delay: 5 s, 30 s, 2 min, 10 min, 1 h, 3 h, 6 h, 12 h. */
    static const int64_t times[] = { 1, 6, 24, 120, 720, 2160, 4320, 8640 };
    ENSURE(failures >= 1 && first_us > 0);
    size_t at = failures > (int64_t)COUNT_OF(times) ? COUNT_OF(times) - 1 : (size_t)failures - 1;
    return first_us > INT64_MAX / times[at] ? INT64_MAX : times[at] * first_us;
}

static bool two_digits(struct view text, size_t at, int32_t most, int32_t *out)
{
    if (text.ptr[at] < '0' || text.ptr[at] > '9' || text.ptr[at + 1] < '0' ||
        text.ptr[at + 1] > '9')
        return false;
    *out = (text.ptr[at] - '0') * 10 + text.ptr[at + 1] - '0';
    return *out <= most;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT"; the two obsolete forms are not taken. */
static enum status read_http_date(struct view text, int64_t *out_us)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const char form[] = "???, ?? ??? ???? ??:??:?? GMT";
    struct civil c = { 0 };
    int32_t century = 0, year = 0;
    if (text.len != sizeof form - 1)
        return STATUS_MALFORMED;
    for (size_t i = 0; i < text.len; i++)
        if (form[i] != '?' && text.ptr[i] != (uint8_t)form[i])
            return STATUS_MALFORMED;
    for (int32_t month = 0; month < 12; month++)
        if (memcmp(text.ptr + 8, months + 3 * month, 3) == 0)
            c.month = month + 1;
    if (c.month == 0 || !two_digits(text, 5, 31, &c.day) || c.day == 0 ||
        !two_digits(text, 12, 99, &century) || !two_digits(text, 14, 99, &year) ||
        !two_digits(text, 17, 23, &c.hour) || !two_digits(text, 20, 59, &c.minute) ||
        !two_digits(text, 23, 60, &c.second))
        return STATUS_MALFORMED;
    c.year = century * 100 + year;
    if (c.year < 1970)
        return STATUS_MALFORMED;
    *out_us = civil_to_us(&c);
    return STATUS_OK;
}

enum status webhook_retry_after_us(struct view value, int64_t now_us, int64_t *out)
{
    const int64_t most_s = 365 * 86400; /* whoever asks has a lower bound of its own */
    int64_t seconds = 0, at_us = 0;
    *out = 0;
    value = view_trim(value);
    if (view_is_digits(value)) { /* leading zeros are allowed here */
        for (size_t i = 0; i < value.len && seconds < most_s; i++)
            seconds = seconds * 10 + value.ptr[i] - '0';
        *out = (seconds < most_s ? seconds : most_s) * 1000000;
        return STATUS_OK;
    }
    TRY(read_http_date(value, &at_us));
    *out = at_us > now_us ? at_us - now_us : 0;
    return STATUS_OK;
}
