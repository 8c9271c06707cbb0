/* SPDX-License-Identifier: Apache-2.0
 *
 * bank_configure.c - settings to instance. What a scheme wants of us (an account, a name of our
 * bank, a clearing number) is asked for here, so that a channel which cannot pay does not load.
 */
#include "bank_int.h"
#include "kits/xml_in.h"

#include <string.h>

static uint32_t refuse(struct rg_diag *diag, enum bank_setting row, const char *why)
{
    diag->row = row;
    rg_put_text(&diag->text, why);
    return 0;
}

/* Every setting of type TEXT and where it is kept. */
static const struct {
    uint32_t row;
    uint64_t at;
} texts[] = {
#define TEXT(row, member) { row, offsetof(struct bank_instance, member) },
    TEXT(SET_NAME, name) TEXT(SET_COUNTRY, country) TEXT(SET_IBAN, iban) TEXT(SET_ACCOUNT, account)
        TEXT(SET_ACCOUNT_TYPE, account_type) TEXT(SET_PARTY_ID, party_id) TEXT(SET_BIC, bic)
            TEXT(SET_MEMBER, member) TEXT(SET_TO_BIC, to_bic) TEXT(SET_TO_MEMBER, to_member)
                TEXT(SET_RECEIVE_IBAN, receive_iban) TEXT(SET_QRR_PREFIX, qrr_prefix)
                    TEXT(SET_PATH, path) TEXT(SET_SIGN_KEY_ID, sign_key_id)
                        TEXT(SET_BANK_KEY_ID, bank_key_id) TEXT(SET_TOKEN_PATH, token_path)
                            TEXT(SET_TOKEN_AUDIENCE, token_audience) TEXT(SET_CLIENT_ID, client_id)
#undef TEXT
};

static uint32_t take_texts(struct bank_instance *bank, const struct rg_value *values,
                           struct rg_diag *diag)
{
    for (uint64_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const struct rg_value *value = &values[texts[i].row];
        struct bank_text *text = (struct bank_text *)(void *)((uint8_t *)bank + texts[i].at);
        uint32_t is_name = texts[i].row == SET_NAME, good = 1;
        if (value->present == 0)
            continue;
        for (uint64_t k = 0; k < value->text.len && !is_name; k++)
            if (value->text.ptr[k] < 0x20 || value->text.ptr[k] > 0x7E)
                return refuse(diag, texts[i].row, "write printable ASCII characters");
        (void)text_letters(value->text, &good);
        if (value->text.len < 1 || value->text.len > sizeof text->bytes || good == 0)
            return refuse(diag, texts[i].row, "the text is empty, too long or not UTF-8");
        memcpy(text->bytes, value->text.ptr, value->text.len);
        text->len = (uint32_t)value->text.len;
    }
    return 1;
}

/* In place: blanks out, upper case. */
static uint32_t normalise_iban(struct bank_text *text)
{
    uint8_t iban[ACCOUNT_IBAN_MAX];
    uint64_t len;
    if (text->len == 0)
        return 1;
    if (!account_iban_read(bank_view(text), iban, &len))
        return 0;
    memcpy(text->bytes, iban, len);
    text->len = (uint32_t)len;
    return 1;
}

static uint32_t member_fits(const struct bank_profile *profile, const struct bank_text *member)
{
    return member->len == 0 || profile->member_digits == 0 ||
           (member->len == profile->member_digits && text_digits(bank_view(member)));
}

static uint32_t check_account(struct bank_instance *bank, struct rg_diag *diag)
{
    const struct bank_profile *profile = bank->profile;
    if (!normalise_iban(&bank->iban))
        return refuse(diag, SET_IBAN, "this is not an IBAN: its length or check digits are wrong");
    if (!normalise_iban(&bank->receive_iban))
        return refuse(diag, SET_RECEIVE_IBAN,
                      "this is not an IBAN: its length or check digits are wrong");
    if (profile->account == ACCOUNT_IBAN && bank->iban.len == 0)
        return refuse(diag, SET_IBAN, "this scheme needs the IBAN of the account");
    if (profile->account == ACCOUNT_OTHER && bank->account.len == 0)
        return refuse(diag, SET_ACCOUNT, "this scheme needs the number of the account");
    if (bank->iban.len == 0 && bank->account.len == 0)
        return refuse(diag, SET_IBAN, "give the account: iban, or account where it has none");
    if (bank->bic.len > 0 && !bic_valid(bank_view(&bank->bic)))
        return refuse(diag, SET_BIC, "this is not a BIC");
    if (bank->to_bic.len > 0 && !bic_valid(bank_view(&bank->to_bic)))
        return refuse(diag, SET_TO_BIC, "this is not a BIC");
    if (!member_fits(profile, &bank->member))
        return refuse(diag, SET_MEMBER, "the scheme's clearing numbers have another length");
    if (!member_fits(profile, &bank->to_member))
        return refuse(diag, SET_TO_MEMBER, "the scheme's clearing numbers have another length");
    if ((profile->flags & PROFILE_NEEDS_MEMBER) != 0 && bank->member.len == 0)
        return refuse(diag, SET_MEMBER, "this scheme needs the clearing number of our bank");
    if (bank->initiation == INITIATION_PARTICIPANT && bank->bic.len + bank->member.len == 0)
        return refuse(diag, SET_BIC, "a participant needs a name of its own: bic or member");
    if (bank->initiation == INITIATION_PARTICIPANT && bank->to_bic.len + bank->to_member.len == 0)
        return refuse(diag, SET_TO_MEMBER, "say to whom messages go: to_bic or to_member");
    return 1;
}

static uint32_t check_receiving(struct bank_instance *bank, struct rg_diag *diag)
{
    struct rg_bytes iban =
        bank_view(bank->receive_iban.len > 0 ? &bank->receive_iban : &bank->iban);
    uint32_t is_qr = iban.len > 0 && iban_is_qr(iban);
    if (!text_digits(bank_view(&bank->qrr_prefix)) || bank->qrr_prefix.len != 7)
        return refuse(diag, SET_QRR_PREFIX, "write 7 digits");
    if (bank->receive_qrr != 0 && is_qr == 0)
        return refuse(diag, SET_RECEIVE_REFERENCE,
                      "QR references need a QR-IBAN (receive_iban with institution 30000-31999)");
    if (bank->receive_qrr == 0 && is_qr != 0)
        return refuse(diag, SET_RECEIVE_REFERENCE,
                      "a QR-IBAN takes QR references only: choose qrr");
    return 1;
}

static uint32_t check_link(struct bank_instance *bank, struct rg_diag *diag)
{
    if (bank->path.len == 0 || bank->path.bytes[0] != '/')
        return refuse(diag, SET_PATH, "begin the path with '/'");
    if (bank->token_path.len == 0 || bank->token_path.bytes[0] != '/')
        return refuse(diag, SET_TOKEN_PATH, "begin the path with '/'");
    if (bank->has_sign_key != 0 && bank->sign_key_id.len == 0)
        return refuse(diag, SET_SIGN_KEY_ID, "say how the bank calls our key (kid)");
    if (bank->use_token == 0)
        return 1;
    if (bank->has_sign_key == 0)
        return refuse(diag, SET_SIGN_KEY,
                      "a token is asked for with a signed assertion: set a key");
    if (bank->client_id.len == 0)
        return refuse(diag, SET_CLIENT_ID, "a token is asked for in a name: set it");
    if (bank->token_audience.len == 0)
        return refuse(diag, SET_TOKEN_AUDIENCE, "an assertion is for somebody: set the audience");
    return 1;
}

static uint32_t take_scheme(struct bank_instance *bank, const struct rg_value *values,
                            struct rg_diag *diag)
{
    static const char *const headers[] = { NULL, NULL, "head.001.001.01", "head.001.001.02" };
    int64_t scheme = values[SET_SCHEME].number, initiation = values[SET_INITIATION].number,
            header = values[SET_HEADER].number;
    bank->profile = scheme >= 0 ? bank_profile_at((uint64_t)scheme) : NULL;
    if (bank->profile == NULL)
        return refuse(diag, SET_SCHEME, "choose one of the schemes");
    if (initiation < 0 || initiation > 2)
        return refuse(diag, SET_INITIATION, "choose scheme, customer or participant");
    if (header < 0 || header > 3)
        return refuse(diag, SET_HEADER, "choose scheme, none, head_01 or head_02");
    uint32_t chooses = (bank->profile->flags & PROFILE_CHOOSES) != 0;
    if (initiation != 0 && !chooses)
        return refuse(diag, SET_INITIATION, "this scheme leaves no choice: leave it out");
    if (header != 0 && !chooses)
        return refuse(diag, SET_HEADER, "this scheme leaves no choice: leave it out");
    bank->initiation = initiation != 0 ? (uint32_t)initiation : bank->profile->initiation;
    bank->header = header != 0 ? headers[header] : bank->profile->header;
    if (bank->header != NULL && bank->initiation != INITIATION_PARTICIPANT)
        return refuse(diag, SET_HEADER, "a header names two banks: participants only");
    bank->amount_max = bank->profile->amount_max;
    if (values[SET_AMOUNT_MAX].present != 0) {
        if (values[SET_AMOUNT_MAX].number < 1 ||
            values[SET_AMOUNT_MAX].number > bank->profile->amount_max)
            return refuse(diag, SET_AMOUNT_MAX, "this is more than the scheme carries");
        bank->amount_max = values[SET_AMOUNT_MAX].number;
    }
    return 1;
}

uint32_t bank_configure(void *instance, const struct rg_value *values, struct rg_diag *diag)
{
    struct bank_instance *bank = instance;
    int64_t expires_s = values[SET_RECEIVE_EXPIRES_S].number;
    xml_in_start();
    memset(bank, 0, sizeof *bank);
    if (!take_scheme(bank, values, diag) || !take_texts(bank, values, diag))
        return 0;
    bank->pain_03 = values[SET_PAIN_VERSION].number == 1;
    bank->acsp_is_final = values[SET_ACSP_IS_FINAL].number != 0;
    bank->inquiry = values[SET_INQUIRY].number != 0;
    bank->use_token = values[SET_TOKEN].number != 0;
    bank->receive_qrr = values[SET_RECEIVE_REFERENCE].number == 1;
    bank->es256 = values[SET_SIGN_ALG].number == 1;
    bank->has_sign_key = values[SET_SIGN_KEY].present != 0;
    bank->has_bank_key = values[SET_BANK_KEY].present != 0;
    if (expires_s < 1 || expires_s > 31536000)
        return refuse(diag, SET_RECEIVE_EXPIRES_S, "write 1 to 31536000 seconds");
    bank->receive_expires_s = (uint32_t)expires_s;
    if (!check_account(bank, diag) || !check_receiving(bank, diag) || !check_link(bank, diag))
        return 0;
    bank->magic = BANK_INSTANCE_MAGIC;
    return 1;
}
