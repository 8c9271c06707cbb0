/* letters.c - from a name as written to the letters that are compared.
 *
 *     1 read        UTF-8; a byte that is not part of it is read as Windows-1252
 *     2 compose     one letter, one code point; capitals to small letters
 *     3 spell       letters.def: Cyrillic and the Latin letters that have no decomposition
 *     4 romanise    what is in another script: ICU "Any-Latin; Latin-ASCII", where it was built in
 *     5 strip       decompose, drop marks, fold case (utf8proc); apostrophes vanish (O'Neill is
 *                   oneill), whatever is neither letter nor digit becomes one blank
 *
 * Cyrillic does not go through ICU, because its rules there are those of a library catalogue: sukin
 * for what every passport spells shchukin. Without ICU names in other scripts are compared in their
 * own. ICU's rules spell Arabic and Hebrew without short vowels (mhmd); match.c knows about that.
 *
 * One name never takes more room than the arrays below; what does not fit is cut. utf8proc works in
 * these arrays; only ICU allocates, and only for names in scripts of step 4.
 */
#include "screening/letters_int.h"

#include "base/ensure.h"

#include <stdlib.h>
#include <utf8proc.h>
#ifdef RAILGATE_ICU
#include <unicode/utrans.h>
#endif

#define WORK_MAX                                                                                   \
    4096 /* code points half way; decomposed and romanised names are longer than names */

struct letters {
    int32_t first[WORK_MAX], second[WORK_MAX];
    uint16_t wide[WORK_MAX]; /* UTF-16 for ICU */
    uint16_t out[LETTERS_MAX];
#ifdef RAILGATE_ICU
    UTransliterator *roman; /* NULL: could not be opened */
#endif
};

/* --- reading --------------------------------------------------------------------------------- */

/* Windows-1252 differs from Latin-1 in 0x80..0x9F. */
static int32_t letter_of_1252(uint8_t byte)
{
    static const uint16_t high[32] = { 0x20AC, ' ',    0x201A, 0x0192, 0x201E, 0x2026, 0x2020,
                                       0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, ' ',
                                       0x017D, ' ',    ' ',    0x2018, 0x2019, 0x201C, 0x201D,
                                       0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A,
                                       0x0153, ' ',    0x017E, 0x0178 };
    return byte >= 0x80 && byte < 0xA0 ? high[byte - 0x80] : byte;
}

void letters_from_1252(struct view bytes, struct writer *out)
{
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t utf8[4];
        utf8proc_ssize_t len = utf8proc_encode_char(letter_of_1252(bytes.ptr[i]), utf8);
        writer_bytes(out, utf8, (size_t)len);
    }
}

static size_t read_letters(struct view name, int32_t *out)
{
    size_t count = 0, at = 0;
    while (at < name.len && count < WORK_MAX) {
        utf8proc_int32_t letter;
        utf8proc_ssize_t len =
            utf8proc_iterate(name.ptr + at, (utf8proc_ssize_t)(name.len - at), &letter);
        if (len > 0) {
            out[count++] = letter;
            at += (size_t)len;
        } else {
            out[count++] = letter_of_1252(name.ptr[at++]);
        }
    }
    return count;
}

/* Decomposes (with case folding, compatibility forms and so on as `options` say); letters that
 * would not fit are cut. */
static size_t decompose(const int32_t *from, size_t count, int32_t *to, utf8proc_option_t options)
{
    size_t len = 0;
    int boundary = 0;
    for (size_t i = 0; i < count; i++) {
        utf8proc_ssize_t added = utf8proc_decompose_char(
            from[i], to + len, (utf8proc_ssize_t)(WORK_MAX - len), options, &boundary);
        if (added < 0 || (size_t)added > WORK_MAX - len)
            break;
        len += (size_t)added;
    }
    return len;
}

/* --- spelling -------------------------------------------------------------------------------- */

static const char *spelling_of(int32_t letter)
{
    switch (letter) {
#define LETTER(code, text)                                                                         \
    case code:                                                                                     \
        return text;
#include "screening/letters.def"
#undef LETTER
    default: return NULL;
    }
}

/* Returns true when letters of another script are left. */
static bool spell(const int32_t *from, size_t count, int32_t *to, size_t *to_count)
{
    size_t len = 0;
    bool foreign = false;
    for (size_t i = 0; i < count && len < WORK_MAX; i++) {
        int32_t small = utf8proc_tolower(from[i]);
        const char *text = from[i] < 0x80 ? NULL : spelling_of(small);
        if (text == NULL) {
            to[len++] = small;
            /* Latin letters end at U+024F, with those of Vietnamese from U+1E00; marks and
             * punctuation between are no script. */
            foreign |= small >= 0x0370 && !(small >= 0x1E00 && small < 0x1F00) &&
                       !(small >= 0x2000 && small < 0x2E80);
        }
        for (; text != NULL && *text != '\0' && len < WORK_MAX; text++)
            to[len++] = (unsigned char)*text;
    }
    *to_count = len;
    return foreign;
}

#ifdef RAILGATE_ICU
static size_t romanise(struct letters *l, const int32_t *from, size_t count, int32_t *to)
{
    size_t len = 0, out = 0;
    for (size_t i = 0; i < count && len + 2 <= WORK_MAX; i++) {
        if (from[i] >= 0x10000) {
            l->wide[len++] = (uint16_t)(0xD7C0 + (from[i] >> 10));
            l->wide[len++] = (uint16_t)(0xDC00 + (from[i] & 0x3FF));
        } else {
            l->wide[len++] = (uint16_t)from[i];
        }
    }
    int32_t wide_len = (int32_t)len, limit = wide_len;
    UErrorCode error = U_ZERO_ERROR;
    if (l->roman != NULL)
        utrans_transUChars(l->roman, (UChar *)l->wide, &wide_len, WORK_MAX, 0, &limit, &error);
    if (l->roman == NULL || U_FAILURE(error) || wide_len < 0 || wide_len > WORK_MAX) {
        memcpy(to, from, count * sizeof *to); /* compared in its own letters */
        return count;
    }
    for (int32_t i = 0; i < wide_len; i++) {
        int32_t unit = l->wide[i];
        if ((unit & 0xFC00) == 0xD800 && i + 1 < wide_len && (l->wide[i + 1] & 0xFC00) == 0xDC00)
            unit = 0x10000 + ((unit & 0x3FF) << 10) + (l->wide[++i] & 0x3FF);
        if ((unit & 0xF800) != 0xD800)
            to[out++] = unit;
    }
    return out;
}
#endif

/* --- the whole ------------------------------------------------------------------------------- */

static bool is_apostrophe(int32_t letter)
{
    return letter == '\'' || letter == '`' || letter == 0xB4 || letter == 0x2018 ||
           letter == 0x2019 || letter == 0x201B || (letter >= 0x02B0 && letter <= 0x02FF) ||
           letter == 0x2032;
}

static bool is_word(int32_t letter)
{
    if (letter < 0x80)
        return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9');
    switch (utf8proc_category(letter)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return true;
    default: return false;
    }
}

static size_t drop_apostrophes(int32_t *letters, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_apostrophe(letters[i]))
            letters[len++] = letters[i];
    return len;
}

/* One blank between words, none at the ends. */
static size_t to_words(const int32_t *from, size_t count, uint16_t *out)
{
    size_t len = 0;
    bool blank = false;
    for (size_t i = 0; i < count && len + 2 <= LETTERS_MAX; i++) {
        if (!is_word(from[i])) {
            blank = len > 0;
            continue;
        }
        if (blank)
            out[len++] = ' ';
        blank = false;
        /* Letters above U+FFFF fold into the private use area. */
        out[len++] =
            (uint16_t)(from[i] < 0x10000 ? from[i] : 0xE000 + ((from[i] & 0xFFFF) % 0x1900));
    }
    return len;
}

static size_t ascii_words(struct view name, uint16_t *out)
{
    size_t len = 0;
    bool blank = false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        if (c >= 'A' && c <= 'Z')
            c += 'a' - 'A';
        if (c == '\'' || c == '`')
            continue;
        if (!is_word(c)) {
            blank = len > 0;
            continue;
        }
        if (blank)
            out[len++] = ' ';
        blank = false;
        out[len++] = c;
    }
    return len;
}

static bool is_ascii(struct view name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] >= 0x80)
            return false;
    return true;
}

uint16_t *letters_normalise(struct letters *l, struct view name, size_t *len)
{
    ENSURE(l != NULL);
    name = view_slice(name, 0, SCREENING_NAME_MAX);
    if (is_ascii(name)) {
        *len = ascii_words(name, l->out);
        return l->out;
    }
    size_t count = read_letters(name, l->first);
    count = decompose(l->first, count, l->second, UTF8PROC_DECOMPOSE);
    utf8proc_ssize_t composed = utf8proc_normalize_utf32(l->second, (utf8proc_ssize_t)count,
                                                         UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    count = drop_apostrophes(l->second, composed >= 0 ? (size_t)composed : count);
    int32_t *now = l->first, *next = l->second;
    bool foreign = spell(next, count, now, &count);
#ifdef RAILGATE_ICU
    if (foreign) {
        count = romanise(l, now, count, next);
        count = drop_apostrophes(next, count);
        now = l->second;
        next = l->first;
    }
#else
    (void)foreign;
#endif
    count = decompose(now, count, next,
                      UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD |
                          UTF8PROC_STRIPMARK | UTF8PROC_IGNORE);
    *len = to_words(next, count, l->out);
    return l->out;
}

enum status letters_open(struct letters **out)
{
    struct letters *l = calloc(1, sizeof *l);
    if (l == NULL)
        return STATUS_NO_MEMORY;
#ifdef RAILGATE_ICU
    static const UChar rules[] = u"Any-Latin; Latin-ASCII";
    UErrorCode error = U_ZERO_ERROR;
    l->roman = utrans_openU(rules, -1, UTRANS_FORWARD, NULL, 0, NULL, &error);
    if (U_FAILURE(error))
        l->roman = NULL;
#endif
    *out = l;
    return STATUS_OK;
}

void letters_warm(struct letters *l)
{
    /* One letter each: Greek, Armenian, Hebrew, Arabic, Devanagari, Bengali, Gurmukhi, Gujarati,
     * Tamil, Telugu, Kannada, Malayalam, Thai, Georgian, Hangul, Amharic, Hiragana, Katakana, Han.
     */
    static const char scripts[] = "α ա א ا अ অ ਅ અ அ అ ಅ അ ก ა 가 አ あ ア 王";
    size_t len;
    (void)letters_normalise(l, view_text(scripts), &len);
}

void letters_close(struct letters *l)
{
    if (l == NULL)
        return;
#ifdef RAILGATE_ICU
    if (l->roman != NULL)
        utrans_close(l->roman);
#endif
    free(l);
}

void screening_normalise(struct view name, struct writer *out)
{
    struct letters *l;
    if (letters_open(&l) != STATUS_OK)
        return;
    size_t len;
    const uint16_t *letters = letters_normalise(l, name, &len);
    for (size_t i = 0; i < len; i++) {
        uint8_t utf8[4];
        utf8proc_ssize_t bytes = utf8proc_encode_char(letters[i], utf8);
        writer_bytes(out, utf8, (size_t)bytes);
    }
    letters_close(l);
}
