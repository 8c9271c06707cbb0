/* xml_out.c - see xml_out.h. */
#include "xml_out.h"

#include "base/ensure.h"
#include "money.h"

void xml_out_init(struct xml_out *x, struct writer *w)
{
    *x = (struct xml_out){ .w = w };
}

void xml_open(struct xml_out *x, const char *name)
{
    ENSURE(x->depth < XML_OUT_DEPTH_MAX);
    x->open[x->depth++] = name;
    writer_u8(x->w, '<');
    writer_text(x->w, name);
    writer_u8(x->w, '>');
}

void xml_open_ns(struct xml_out *x, const char *name, const char *ns)
{
    ENSURE(x->depth < XML_OUT_DEPTH_MAX);
    x->open[x->depth++] = name;
    writer_u8(x->w, '<');
    writer_text(x->w, name);
    writer_text(x->w, " xmlns=\"");
    writer_text(x->w, ns);
    writer_text(x->w, "\">");
}

void xml_close(struct xml_out *x)
{
    ENSURE(x->depth > 0);
    writer_text(x->w, "</");
    writer_text(x->w, x->open[--x->depth]);
    writer_u8(x->w, '>');
}

void xml_close_to(struct xml_out *x, unsigned depth)
{
    while (x->depth > depth)
        xml_close(x);
}

void xml_leaf(struct xml_out *x, const char *name, struct view text)
{
    xml_open(x, name);
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '&': writer_text(x->w, "&amp;"); break;
        case '<': writer_text(x->w, "&lt;"); break;
        case '>': writer_text(x->w, "&gt;"); break;
        case '\r': writer_text(x->w, "&#13;"); break;
        default: writer_u8(x->w, text.ptr[i]);
        }
    }
    xml_close(x);
}

void xml_leaf_text(struct xml_out *x, const char *name, const char *text)
{
    xml_leaf(x, name, view_text(text));
}

void xml_leaf_if(struct xml_out *x, const char *name, struct view text)
{
    if (text.len > 0)
        xml_leaf(x, name, text);
}

void xml_leaf_if_text(struct xml_out *x, const char *name, const char *text)
{
    xml_leaf_if(x, name, view_text(text));
}

void xml_path(struct xml_out *x, const char *outer, const char *inner, const char *text)
{
    xml_open(x, outer);
    xml_leaf_text(x, inner, text);
    xml_close(x);
}

void xml_amount(struct xml_out *x, const char *name, int64_t amount_minor, const char *currency)
{
    writer_u8(x->w, '<');
    writer_text(x->w, name);
    writer_text(x->w, " Ccy=\"");
    writer_text(x->w, currency);
    writer_text(x->w, "\">");
    money_write(x->w, amount_minor, currency);
    writer_text(x->w, "</");
    writer_text(x->w, name);
    writer_u8(x->w, '>');
}

static void put_time(struct xml_out *x, const char *name, int64_t wall_us, bool only_date)
{
    char text[32];
    struct writer w = writer_over(text, sizeof text);
    wall_write(&w, wall_us, only_date);
    xml_leaf(x, name, writer_done(&w));
}

void xml_time(struct xml_out *x, const char *name, int64_t wall_us)
{
    put_time(x, name, wall_us, false);
}

void xml_date(struct xml_out *x, const char *name, int64_t wall_us)
{
    put_time(x, name, wall_us, true);
}
