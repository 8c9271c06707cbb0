/* bank_knobs.c - settings and keys: one row per setting in bank_settings.def; set as a whole or not
 * at all. */
#include "bank_int.h"

#include <stddef.h>

enum row_kind { ROW_CHOICE = 1, ROW_NUMBER, ROW_FLAG, ROW_TEXT };
static const struct row {
    const char *name;
    enum row_kind kind;
    size_t offset;
    const char *words;          /* choice: all; text: default */
    int64_t value, least, most; /* text: most letters */
} ROWS[] = {
#define AT(name)             offsetof(struct bank_settings, name)
#define CHOICE(name, words_) { #name, ROW_CHOICE, AT(name), words_, 0, 0, 0 },
#define NUMBER(name, value_, least_, most_)                                                        \
    { #name, ROW_NUMBER, AT(name), "", value_, least_, most_ },
#define FLAG(name, value_)          { #name, ROW_FLAG, AT(name), "", value_, 0, 1 },
#define TEXT(name, value_, longest) { #name, ROW_TEXT, AT(name), value_, 0, 0, longest },
#include "bank_settings.def"
#undef CHOICE
#undef NUMBER
#undef FLAG
#undef TEXT
#undef AT
};

static const struct row *row_named(struct view name)
{
    for (size_t i = 0; i < COUNT_OF(ROWS); i++)
        if (view_is(name, ROWS[i].name))
            return &ROWS[i];
    return NULL;
}

static void *place_of(const struct bank_settings *s, const struct row *row)
{
    return (uint8_t *)(uintptr_t)s + row->offset;
}

static struct view word_at(const char *words, unsigned index)
{
    struct view rest = view_text(words);
    for (; index > 0 && rest.len > 0; index--)
        rest = view_slice(rest, view_find(rest, '|') + 1, rest.len);
    return view_slice(rest, 0, view_find(rest, '|'));
}

const char *bank_word(const struct bank_settings *s, const char *name, char out[24])
{
    const struct row *row = row_named(view_text(name));
    ENSURE(row != NULL && row->kind == ROW_CHOICE);
    bank_copy(out, 24, word_at(row->words, *(uint8_t *)place_of(s, row)));
    return out;
}

bool bank_is(const struct bank_settings *s, const char *name, const char *word)
{
    char text[24];
    return strcmp(bank_word(s, name, text), word) == 0;
}

void bank_settings_default(struct bank_settings *s)
{
    *s = (struct bank_settings){ .scheme = 0 };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        const struct row *row = &ROWS[i];
        if (row->kind == ROW_NUMBER)
            *(int64_t *)place_of(s, row) = row->value;
        else if (row->kind == ROW_FLAG)
            *(bool *)place_of(s, row) = row->value != 0;
        else if (row->kind == ROW_TEXT)
            bank_copy(place_of(s, row), (size_t)row->most + 1, view_text(row->words));
    }
}

static enum status set_one(struct bank_settings *s, const struct row *row,
                           const struct json_node *value)
{
    struct view text;
    int64_t number;
    bool flag;
    switch (row->kind) {
    case ROW_CHOICE:
        TRY(json_text(value, &text));
        for (unsigned i = 0; word_at(row->words, i).len > 0; i++) {
            if (view_equal(word_at(row->words, i), text)) {
                *(uint8_t *)place_of(s, row) = (uint8_t)i;
                return STATUS_OK;
            }
        }
        return STATUS_RANGE;
    case ROW_NUMBER:
        TRY(json_i64(value, &number));
        if (number < row->least || number > row->most)
            return STATUS_RANGE;
        *(int64_t *)place_of(s, row) = number;
        return STATUS_OK;
    case ROW_FLAG:
        TRY(json_bool(value, &flag));
        *(bool *)place_of(s, row) = flag;
        return STATUS_OK;
    default:
        TRY(json_text(value, &text));
        if (value->has_nul || text.len > (size_t)row->most)
            return STATUS_RANGE;
        bank_copy(place_of(s, row), (size_t)row->most + 1, text);
        return STATUS_OK;
    }
}

/* --- keys ----------------------------------------------------------------------------------- */
/* Published test keys, of no value anywhere: the bank's from RFC 8032 (test 2) and RFC 6979
 * (A.2.5), the channel's from RFC 8037 (appendix A) and RFC 7515 (A.3). */
#define BANK_ED25519    "TM0Imyj_ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U-4pvs"
#define BANK_P256       "ya-p2EW6dRZrXCFXZ7HWk05Qw9s26JsSe4piKxIPZyE"
#define CHANNEL_ED25519 "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define CHANNEL_P256                                                                               \
    "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEXH8UTNG72bfocs3-257rn0s2ldbqkLJK2KRiMohYjlrQ"

void bank_keys_fini(struct bank_keys *k)
{
    for (int i = 0; i < 2; i++) {
        jose_key_fini(&k->own[i]);
        jose_key_fini(&k->channel[i]);
    }
}

enum status bank_keys_default(struct bank_keys *k)
{
    *k = (struct bank_keys){ .own_kid = "bank-1" };
    TRY(jose_key_private(&k->own[0], VIEW(BANK_ED25519), JOSE_EDDSA));
    TRY(jose_key_private(&k->own[1], VIEW(BANK_P256), JOSE_ES256));
    TRY(jose_key_public(&k->channel[0], VIEW(CHANNEL_ED25519)));
    return jose_key_public(&k->channel[1], VIEW(CHANNEL_P256));
}

/* Takes the parts of `k` that `keys` names; the keys that are replaced are given back. */
static enum status set_key(struct bank_keys *k, const struct json_node *m, enum jose_alg alg)
{
    struct view text;
    TRY(json_text(m, &text));
    bool kid = view_is(m->key, "bank_kid") || view_is(m->key, "channel_kid");
    for (size_t i = 0; kid && i < text.len; i++) /* it goes into a header as it is */
        if (text.ptr[i] < 0x21 || text.ptr[i] > 0x7E || text.ptr[i] == '"' || text.ptr[i] == '\\')
            return STATUS_MALFORMED;
    if (view_is(m->key, "bank_kid"))
        return view_to_text(text, k->own_kid, sizeof k->own_kid);
    if (view_is(m->key, "channel_kid"))
        return view_to_text(text, k->channel_kid, sizeof k->channel_kid);
    struct jose_key key;
    if (view_is(m->key, "bank_private")) {
        TRY(jose_key_private(&key, text, alg));
        jose_key_fini(&k->own[key.alg - 1]);
        k->own[key.alg - 1] = key;
        return STATUS_OK;
    }
    if (!view_is(m->key, "channel_public"))
        return STATUS_NOT_FOUND;
    TRY(jose_key_public(&key, text));
    jose_key_fini(&k->channel[0]); /* only this one is good from now on */
    jose_key_fini(&k->channel[1]);
    k->channel[key.alg - 1] = key;
    return STATUS_OK;
}

static enum status set_keys(struct bank *b, const struct json_node *keys, enum jose_alg alg,
                            bool dry, struct writer *why)
{
    struct bank_keys tried = { 0 }, *into = dry ? &tried : &b->keys;
    enum status s = dry ? bank_keys_default(&tried) : STATUS_OK;
    for (const struct json_node *m = keys->first; m != NULL && s == STATUS_OK; m = m->next) {
        s = set_key(into, m, alg);
        if (s != STATUS_OK) {
            writer_text(why, "keys: wrong or not known: ");
            writer_view(why, view_slice(m->key, 0, 40));
        }
    }
    if (dry)
        bank_keys_fini(&tried);
    return s;
}

enum status bank_set(void *brain, const struct json_node *settings, const struct json_node *keys,
                     int64_t now_us, struct writer *why)
{
    struct bank *b = brain;
    struct bank_settings wanted = b->settings;
    (void)now_us;
    if ((settings != NULL && settings->kind != JSON_OBJECT) ||
        (keys != NULL && keys->kind != JSON_OBJECT)) {
        writer_text(why, "settings and keys are objects");
        return STATUS_MISMATCH;
    }
    for (const struct json_node *m = settings != NULL ? settings->first : NULL; m != NULL;
         m = m->next) {
        const struct row *row = row_named(m->key);
        enum status s = row != NULL ? set_one(&wanted, row, m) : STATUS_NOT_FOUND;
        if (s != STATUS_OK) {
            writer_text(why, row != NULL ? "settings: not a value of " : "settings: not known: ");
            writer_view(why, view_slice(m->key, 0, 40));
            return s == STATUS_NOT_FOUND ? STATUS_MISMATCH : s;
        }
    }
    if (!bic_valid(view_text(wanted.bic))) {
        writer_text(why, "settings: bic is no BIC");
        return STATUS_RANGE;
    }
    enum jose_alg alg = (enum jose_alg)(wanted.jws_alg + 1);
    if (keys != NULL) {
        if (set_keys(b, keys, alg, true, why) != STATUS_OK)
            return STATUS_MISMATCH;
        if (set_keys(b, keys, alg, false, why) != STATUS_OK)
            return STATUS_NO_MEMORY; /* they were good a moment ago */
    }
    b->settings = wanted;
    return STATUS_OK;
}

void bank_write_settings(const void *brain, struct json_out *out)
{
    const struct bank *b = brain;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        const struct row *row = &ROWS[i];
        const void *place = place_of(&b->settings, row);
        switch (row->kind) {
        case ROW_CHOICE:
            json_put_text(out, row->name, word_at(row->words, *(const uint8_t *)place));
            break;
        case ROW_NUMBER: json_put_i64(out, row->name, *(const int64_t *)place); break;
        case ROW_FLAG: json_put_bool(out, row->name, *(const bool *)place); break;
        case ROW_TEXT: json_put_text(out, row->name, view_text(place)); break;
        }
    }
}
