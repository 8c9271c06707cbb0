/* null_int.h - what the two files of this adapter share.
 *
 *   null.c        the adapter: tables, configure, begin, resume, notice
 *   null_line.c   the protocol: writing and reading one line, where a line ends
 */
#ifndef NULL_INT_H
#define NULL_INT_H

#include <railgate/adapter.h>
#include <railgate/writer.h>

#define LINE_MAX   1024u          /* bytes of one line, its end included */
#define AMOUNT_MAX 999999999999ll /* 12 digits */
#define MAC_DIGITS 16u

/* Rows of the settings table, in its order: values[ROW_...] in configure(). */
enum {
    ROW_TERMINAL,
    ROW_VERSION,
    ROW_SEPARATOR,
    ROW_SCRIPT,
    ROW_SIGN,
    ROW_MAC_KEY,
    ROW_WRAP_KEY,
    ROW_NOTE,
    ROW_COUNT
};

/* Instance memory: constant after configure(). Views of texts may be kept: they live as long. */
struct null_instance {
    struct rg_bytes terminal;
    uint64_t version;
    uint8_t separator; /* '|' or ';' */
    uint8_t script;    /* 1: the amount's last two digits ask for a code */
    uint8_t sign;      /* 1: lines carry a MAC */
};

/* A line taken apart: fields between separators, without the line's end. */
#define FIELDS_MAX 12u
struct null_line {
    struct rg_bytes fields[FIELDS_MAX];
    uint64_t count;
    struct rg_bytes signed_part; /* what the MAC covers: all before the last field */
};

/* One row of null_codes.def. */
struct null_code {
    char code[3];
    uint32_t outcome, category;
    const char *message;
};

/* Position of the fields of a reply (RE) and of a notice (NO). */
enum { IN_KIND, IN_TRACE, IN_CODE, IN_AMOUNT, IN_CURRENCY, IN_REFERENCE, IN_TEXT, IN_COUNT };

/* Writes a request up to and including the separator before the MAC. `original`: trace number of
 * the attempt this one refers to, or an empty view. 0 when a value of the command cannot be
 * written; `diagnosis` says which. */
uint32_t null_line_write(const struct null_instance *instance, const struct rg_command *command,
                         struct rg_bytes original, struct rg_buffer *out,
                         struct rg_buffer *diagnosis);
/* The payer's account: of the details, else of the refs; NULL when there is none. */
const struct rg_named *null_account(const struct rg_command *command);
/* Takes a line (with its end) apart. 0 when it is not one. */
uint32_t null_line_read(const struct null_instance *instance, struct rg_bytes bytes,
                        struct null_line *out);
/* Number of the first byte behind the first line; 0: no end yet; LINE_MAX + 1: it will not come. */
uint64_t null_line_end(struct rg_bytes bytes);

/* "51" to its row, or NULL. */
const struct null_code *null_code_find(struct rg_bytes code);
/* The code that the last two digits of an amount ask for; "00" when they are none. */
const char *null_code_by_amount(int64_t amount_minor);

/* Exact decimal, no sign: 0 when it is not one or is over `max`. */
uint32_t null_number(struct rg_bytes digits, uint64_t max, uint64_t *out);
uint32_t null_equal(struct rg_bytes a, struct rg_bytes b);
uint32_t null_is(struct rg_bytes a, const char *text);
/* Upper-case hexadecimal; null_unhex gives the number of bytes, 0 when the text is none. */
void null_hex(struct rg_buffer *out, struct rg_bytes bytes);
uint64_t null_unhex(struct rg_bytes text, uint8_t *out, uint64_t room);

#endif
