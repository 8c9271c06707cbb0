/* test_settlement.c - the settlement file: which messages have a line, and what is in it. Card
 * numbers are test card numbers from published ranges. */
#include "gateway.h"

#include "base/ensure.h"

#include <stdio.h>

#define VISA  "4111111111111111"
#define LINES 32

struct file {
    struct gateway g;
    char text[16384];
    char *line[LINES];
    size_t lines;
};

static int start(void **state)
{
    static struct file f;
    f.lines = 0;
    gateway_open(&f.g, ISO_ASCII, FRAMING_LEN2);
    gateway_sign_on(&f.g);
    *state = &f;
    return 0;
}

static int stop(void **state)
{
    struct file *f = *state;
    gateway_close(&f->g);
    return 0;
}

static enum status ask(struct file *f, const char *query)
{
    char why[256];
    struct settlement *s = NULL;
    struct writer reason = writer_over(why, sizeof why);
    enum status status =
        card_host_settlement(f->g.host, view_text(query), f->g.now_us, &s, &reason);
    f->lines = 0;
    if (status != STATUS_OK) {
        assert_null(s);
        assert_true(reason.len > 0);
        return status;
    }
    static uint8_t piece[2 * SETTLE_PIECE_MAX];
    struct writer w = writer_over(piece, sizeof piece);
    while (settlement_read(s, &w))
        ;
    settlement_close(s);
    assert_true(w.len < sizeof f->text);
    memcpy(f->text, piece, w.len);
    f->text[w.len] = '\0';
    for (char *at = f->text; *at != '\0'; at = strchr(at, '\0') + 1) {
        assert_true(f->lines < LINES);
        f->line[f->lines++] = at;
        *strchr(at, '\n') = '\0';
    }
    return status;
}

/* Field of a line (from 0, without header) in a place of its own. */
static const char *field(struct file *f, size_t line, unsigned column)
{
    static char text[64];
    const char *at = f->line[1 + line];
    for (; column > 0; column--)
        at = strchr(at, ',') + 1;
    snprintf(text, sizeof text, "%.*s", (int)strcspn(at, ","), at);
    return text;
}

static void line_is(struct file *f, size_t line, const char *record, const char *direction,
                    const struct iso_msg *m, const char *amount)
{
    assert_string_equal(field(f, line, 0), record);
    assert_string_equal(field(f, line, 1), direction);
    assert_true(view_is(view_of(m->mti, 4), field(f, line, 2)));
    assert_true(view_is(iso_msg_get(m, 3), field(f, line, 3)));
    assert_true(view_is(iso_msg_get(m, 11), field(f, line, 4)));
    assert_true(view_is(iso_msg_get(m, 7), field(f, line, 5)));
    assert_true(view_is(view_trim(iso_msg_get(m, 41)), field(f, line, 7)));
    assert_string_equal(field(f, line, 14), amount);
    assert_string_equal(field(f, line, 17), "411111******1111");
}

static void original_is(struct file *f, size_t line, const struct iso_msg *m)
{
    assert_true(view_is(view_of(m->mti, 4), field(f, line, 18)));
    assert_true(view_is(iso_msg_get(m, 11), field(f, line, 19)));
    assert_true(view_is(iso_msg_get(m, 7), field(f, line, 20)));
}

static void a_sale_and_what_came_of_it(void **state)
{
    struct file *f = *state;
    struct iso_msg sale, refund, back;
    gateway_build(&f->g, &sale, "0200", VISA, 1250);
    gateway_expect(&f->g, &sale, "00");
    gateway_expect(&f->g, &sale, "00"); /* a repeat books nothing */
    gateway_build(&f->g, &refund, "0200", VISA, 250);
    iso_msg_put(&refund, 3, VIEW("200000"));
    gateway_refer(&refund, &sale);
    gateway_expect(&f->g, &refund, "00");
    gateway_build(&f->g, &back, "0420", VISA, 250);
    gateway_refer(&back, &refund);
    gateway_expect(&f->g, &back, "00");
    assert_int_equal(ask(f, ""), STATUS_OK);
    assert_int_equal(f->lines, 1 + 3 + 1);
    line_is(f, 0, "SALE", "C", &sale, "1250");
    assert_string_equal(field(f, 0, 11), "2026-11-22T12:00:01.000Z");
    assert_string_equal(field(f, 0, 12), gateway_entry(&f->g, 1)->auth_code);
    assert_string_equal(field(f, 0, 13), "00");
    assert_string_equal(field(f, 0, 16), "EUR");
    assert_string_equal(field(f, 0, 18), "");
    line_is(f, 1, "REFUND", "D", &refund, "250");
    original_is(f, 1, &sale);
    line_is(f, 2, "REVERSAL", "C", &back,
            "250"); /* of a refund: the money is the merchant's again */
    original_is(f, 2, &refund);
    assert_true(strncmp(f->line[4], "TRAILER,3,1500,250,", 19) == 0);
    assert_int_equal(strlen(f->line[4]), 19 + 64);
}

static void holds_move_nothing(void **state)
{
    struct file *f = *state;
    struct iso_msg hold, capture, undo, cancel;
    gateway_build(&f->g, &hold, "0100", VISA, 3000);
    gateway_expect(&f->g, &hold, "00");
    assert_int_equal(ask(f, ""), STATUS_OK);
    assert_int_equal(f->lines, 2);
    gateway_build(&f->g, &capture, "0220", VISA, 1000);
    gateway_refer(&capture, &hold);
    gateway_expect(&f->g, &capture, "00");
    gateway_build(&f->g, &undo, "0420", VISA, 1000);
    gateway_refer(&undo, &capture);
    gateway_expect(&f->g, &undo, "00");
    gateway_build(&f->g, &cancel, "0400", VISA, 3000);
    gateway_refer(&cancel, &hold);
    gateway_expect(&f->g, &cancel, "00");
    assert_int_equal(ask(f, ""), STATUS_OK);
    assert_int_equal(f->lines, 1 + 2 + 1); /* the cancel gave back a hold */
    line_is(f, 0, "CAPTURE", "C", &capture, "1000");
    original_is(f, 0, &hold);
    line_is(f, 1, "REVERSAL", "D", &undo, "1000");
    assert_true(strncmp(f->line[3], "TRAILER,2,1000,1000,", 20) == 0);
}

static void what_was_not_booked_has_no_line(void **state)
{
    struct file *f = *state;
    struct iso_msg declined, early, late, part;
    gateway_build(&f->g, &declined, "0200", VISA, 9051);
    gateway_expect(&f->g, &declined, "51");
    gateway_build(&f->g, &late, "0200", VISA, 700); /* not sent yet */
    gateway_build(&f->g, &early, "0420", VISA, 700);
    gateway_refer(&early, &late);
    gateway_expect(&f->g, &early, "25");
    gateway_expect(&f->g, &late, "94");
    gateway_build(&f->g, &part, "0200", VISA, 9010); /* half of it */
    gateway_expect(&f->g, &part, "10");
    assert_int_equal(ask(f, ""), STATUS_OK);
    assert_int_equal(f->lines, 1 + 1 + 1);
    line_is(f, 0, "SALE", "C", &part, "4505");
    assert_string_equal(field(f, 0, 13), "10");
    assert_string_equal(field(f, 0, 15), "9010");
}

static void windows_and_terminals(void **state)
{
    struct file *f = *state;
    struct iso_msg m;
    char query[64];
    gateway_build(&f->g, &m, "0200", VISA, 100);
    gateway_expect(&f->g, &m, "00");
    f->g.now_us += 60000000;
    gateway_build(&f->g, &m, "0200", VISA, 200);
    gateway_expect(&f->g, &m, "00");
    assert_int_equal(ask(f, "from=2026-11-22T12:01:00Z"), STATUS_OK);
    assert_int_equal(f->lines, 3);
    assert_string_equal(field(f, 0, 14), "200");
    assert_int_equal(ask(f, "to=2026-11-22T12:01:00Z"), STATUS_OK);
    assert_int_equal(f->lines, 3);
    assert_string_equal(field(f, 0, 14), "100");
    snprintf(query, sizeof query, "terminal=%.*s", (int)view_trim(iso_msg_get(&m, 41)).len,
             (const char *)iso_msg_get(&m, 41).ptr);
    assert_int_equal(ask(f, query), STATUS_OK);
    assert_int_equal(f->lines, 4);
    assert_int_equal(ask(f, "terminal=OTHER"), STATUS_OK);
    assert_int_equal(f->lines, 2);
    assert_int_equal(ask(f, "merchant=1"), STATUS_MALFORMED);
}

static void a_line_that_nobody_made(void **state)
{
    struct file *f = *state;
    gateway_set(&f->g, "{\"settlement\":{\"seed\":4,\"faults\":[{\"fault\":\"invent\"}]}}");
    assert_int_equal(ask(f, ""), STATUS_OK);
    assert_int_equal(f->lines, 3);
    assert_string_equal(field(f, 0, 0), "SALE");
    assert_string_equal(field(f, 0, 14), "4711");
    assert_int_equal(strlen(field(f, 0, 4)), 6);
    assert_int_equal(strlen(field(f, 0, 6)), 12);
    assert_string_equal(field(f, 0, 5), "1122120001");
    assert_true(strncmp(f->line[2], "TRAILER,1,4711,0,", 17) == 0);
    card_host_reset(f->g.host, f->g.now_us);
    assert_int_equal(ask(f, ""), STATUS_OK);
    assert_int_equal(f->lines, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_sale_and_what_came_of_it, start, stop),
        cmocka_unit_test_setup_teardown(holds_move_nothing, start, stop),
        cmocka_unit_test_setup_teardown(what_was_not_booked_has_no_line, start, stop),
        cmocka_unit_test_setup_teardown(windows_and_terminals, start, stop),
        cmocka_unit_test_setup_teardown(a_line_that_nobody_made, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
