/* iso_check.c - a message against iso_types.def, the shape that the schemas give it.
 *
 * A type's children are one string, read as it is walked: an element must match the next word of
 * its type, optional words may be passed over. BIC and IBAN are only texts here: a wrong one has
 * reason codes of its own (RC01, AC01), which a bank that looks at more than the schema prefers.
 */
#include "iso_check.h"

#include "base/ensure.h"
#include "money.h"

#include <ctype.h>

static const struct iso_message MESSAGES[] = {
    { "pain.001.001.03", ISO_PAIN_001, "CstmrCdtTrfInitn", "CustomerCreditTransferInitiationV03" },
    { "pain.001.001.09", ISO_PAIN_001, "CstmrCdtTrfInitn", "CustomerCreditTransferInitiationV09" },
    { "pacs.008.001.08", ISO_PACS_008, "FIToFICstmrCdtTrf", "FIToFICustomerCreditTransferV08" },
    { "pacs.004.001.09", ISO_PACS_004, "PmtRtr", "PaymentReturnV09" },
    { "pacs.004.001.10", ISO_PACS_004, "PmtRtr", "PaymentReturnV10" },
    { "pacs.028.001.03", ISO_PACS_028, "FIToFIPmtStsReq", "FIToFIPaymentStatusRequestV03" },
    { "camt.056.001.08", ISO_CAMT_056, "FIToFIPmtCxlReq", "FIToFIPaymentCancellationRequestV08" },
};

static const struct {
    const char *name, *children;
} TYPES[] = {
#define TYPE(name, children) { name, children },
#include "iso_types.def"
#undef TYPE
};

const struct iso_message *iso_message_of(const struct xml_node *document)
{
    struct view name = view_slice(document->ns, sizeof ISO_NAMESPACE - 1, document->ns.len);
    if (!view_starts_with(document->ns, VIEW(ISO_NAMESPACE)))
        return NULL;
    for (size_t i = 0; i < COUNT_OF(MESSAGES); i++)
        if (view_is(name, MESSAGES[i].name))
            return &MESSAGES[i];
    return NULL;
}

static const char *type_named(struct view name)
{
    size_t low = 0, high = COUNT_OF(TYPES); /* the list is sorted */
    while (low < high) {
        size_t middle = (low + high) / 2;
        size_t len = strlen(TYPES[middle].name), common = len < name.len ? len : name.len;
        int order = memcmp(TYPES[middle].name, name.ptr, common);
        if (order == 0 && len == name.len)
            return TYPES[middle].children;
        if (order < 0 || (order == 0 && len < name.len))
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* --- texts ---------------------------------------------------------------------------------- */
static size_t letters(struct view text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += (text.ptr[i] & 0xC0) != 0x80;
    return count;
}

static bool text_between(struct view text, size_t least, size_t most)
{
    size_t count = letters(text);
    return count >= least && count <= most;
}

static bool decimal(struct view text, size_t digits_max, size_t fraction_max, bool signed_)
{
    size_t digits = 0, fraction = 0;
    bool point = false;
    if (signed_ && text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+'))
        text = view_slice(text, 1, text.len);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '.' && !point) {
            point = true;
            continue;
        }
        if (!isdigit(text.ptr[i]))
            return false;
        digits++;
        fraction += point;
    }
    return digits > 0 && digits <= digits_max && fraction <= fraction_max;
}

static bool all_of(struct view text, size_t least, size_t most, int (*is)(int))
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] >= 0x80 || !is(text.ptr[i]))
            return false;
    return text.len >= least && text.len <= most;
}

static bool one_of(struct view words, struct view text)
{
    while (words.len > 0) {
        size_t len = view_find(words, '|');
        if (view_equal(view_slice(words, 0, len), text))
            return true;
        words = view_slice(words, len + 1, words.len);
    }
    return false;
}

static bool pattern(struct view name, struct view text)
{
    if (view_is(name, "@BIC"))
        return text_between(text, 1, 35);
    if (view_is(name, "@IBAN"))
        return text_between(text, 1, 34);
    if (view_is(name, "@CCY"))
        return all_of(text, 3, 3, isupper);
    if (view_is(name, "@CC"))
        return all_of(text, 2, 2, isupper);
    if (view_is(name, "@LEI"))
        return all_of(text, 20, 20, isalnum);
    if (view_is(name, "@UETR"))
        return uetr_valid(text);
    if (view_is(name, "@N15"))
        return all_of(text, 1, 15, isdigit);
    if (view_is(name, "@A4"))
        return all_of(text, 4, 4, isalnum);
    if (view_is(name, "@D2"))
        return all_of(text, 2, 2, isdigit);
    ENSURE(view_is(name, "@PHONE"));
    size_t dash = view_find(text, '-');
    return text.len >= 4 && text.ptr[0] == '+' && dash >= 2 && dash <= 4 && dash + 1 < text.len &&
           text.len - dash <= 31 && view_is_digits(view_slice(text, 1, dash - 1));
}

static bool text_good(struct view type, const struct xml_node *node)
{
    struct view text = node->text;
    int64_t wall_us;
    if (type.ptr[0] == '=')
        return one_of(view_slice(type, 1, type.len), text);
    if (type.ptr[0] == '@')
        return pattern(type, text);
    if (view_is(type, "AMT"))
        return decimal(text, 18, 5, false) && all_of(xml_attribute(node, "Ccy"), 3, 3, isupper);
    if (view_is(type, "DEC"))
        return decimal(text, 18, 17, true);
    if (view_is(type, "DATE"))
        return view_find(text, 'T') == text.len && wall_read(text, &wall_us) == STATUS_OK;
    if (view_is(type, "DTTM"))
        return view_find(text, 'T') < text.len && wall_read(text, &wall_us) == STATUS_OK;
    if (view_is(type, "TIME"))
        return text.len >= 8 && text.ptr[2] == ':' && text.ptr[5] == ':';
    if (view_is(type, "BOOL"))
        return one_of(VIEW("true|false|1|0"), text);
    uint64_t most = 0;
    IGNORE_STATUS(view_to_u64(view_slice(type, 1, type.len), 4096, &most)); /* 0: nothing fits */
    return text_between(text, 1, (size_t)most);
}

/* --- elements ------------------------------------------------------------------------------- */
struct word {
    struct view name, type;
    char times; /* ' ' once, '?', '*', '+' */
};

static bool next_word(struct view *children, struct word *word)
{
    if (children->len == 0)
        return false;
    struct view text = view_slice(*children, 0, view_find(*children, ' '));
    *children = view_slice(*children, text.len + 1, children->len);
    size_t colon = view_find(text, ':');
    uint8_t last = text.ptr[colon - 1];
    word->times = last == '?' || last == '*' || last == '+' ? (char)last : ' ';
    word->name = view_slice(text, 0, word->times == ' ' ? colon : colon - 1);
    word->type = view_slice(text, colon + 1, text.len);
    return true;
}

static enum status wrong(struct writer *why, const char *what, const struct xml_node *node,
                         struct view name)
{
    writer_text(why, what);
    writer_text(why, " ");
    writer_view(why, view_slice(name, 0, 40));
    if (node->parent != NULL && node->parent->name.len < 40) {
        writer_text(why, " in ");
        writer_view(why, node->parent->name);
    }
    return STATUS_MALFORMED;
}

static enum status check_text(const struct xml_node *node, struct view type, struct writer *why)
{
    bool amount = view_is(type, "AMT");
    if (node->first != NULL)
        return wrong(why, "no element is expected inside", node, node->name);
    for (const struct xml_attribute *a = node->attributes; a != NULL; a = a->next)
        if (!view_starts_with(a->name, VIEW("xmlns")) && !(amount && view_is(a->name, "Ccy")))
            return wrong(why, "unexpected attribute at", node, node->name);
    return text_good(type, node) ? STATUS_OK : wrong(why, "wrong content of", node, node->name);
}

static enum status check_element(const struct xml_node *node, struct view type, struct view ns,
                                 struct writer *why);

static enum status check_children(const struct xml_node *node, struct view children, struct view ns,
                                  struct writer *why)
{
    bool choice = children.ptr[0] == '|';
    struct view words = view_slice(children, choice ? 1 : 0, children.len);
    const struct xml_node *child = node->first;
    struct word word;
    unsigned taken = 0;
    while (next_word(&words, &word)) {
        unsigned times = 0;
        bool many = word.times == '*' || word.times == '+';
        while (child != NULL && view_equal(child->name, word.name) && (many || times == 0)) {
            TRY(check_element(child, word.type, ns, why));
            child = child->next;
            times++;
        }
        taken += times;
        if (choice && times > 0)
            break;
        if (!choice && times == 0 && (word.times == ' ' || word.times == '+')) {
            writer_text(why, "missing ");
            writer_view(why, word.name);
            writer_text(why, " in ");
            writer_view(why, node->name);
            return STATUS_MALFORMED;
        }
    }
    if (child != NULL)
        return wrong(why, "not expected here:", child, child->name);
    return !choice || taken > 0 ? STATUS_OK : wrong(why, "a choice is empty:", node, node->name);
}

static enum status check_element(const struct xml_node *node, struct view type, struct view ns,
                                 struct writer *why)
{
    if (!view_equal(node->ns, ns))
        return wrong(why, "foreign namespace of", node, node->name);
    if (view_is(type, "ANY"))
        return STATUS_OK;
    const char *children = type_named(type);
    if (children == NULL)
        return check_text(node, type, why);
    if (view_trim(node->text).len > 0)
        return wrong(why, "text between the elements of", node, node->name);
    return check_children(node, view_text(children), ns, why);
}

enum status iso_check(const struct iso_message *kind, const struct xml_node *document,
                      struct writer *why)
{
    const struct xml_node *message = document->first;
    if (message == NULL || message->next != NULL || !view_is(message->name, kind->element))
        return wrong(why, "Document does not hold", document, view_text(kind->element));
    return check_element(message, view_text(kind->type), document->ns, why);
}
