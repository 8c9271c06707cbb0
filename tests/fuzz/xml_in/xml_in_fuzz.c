/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_in_fuzz.c - any bytes as XML. Events must nest, keep to the limits, and hand out valid UTF-8;
 * a reader that refuses half way must end the reading; and what was read once is read the same
 * again.
 */
#include "kits/text.h"
#include "kits/xml_in.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    uint64_t depth, elements, stop_at, sum;
    uint32_t stopped;
};

static void must(int good)
{
    if (!good)
        abort();
}

static void add(struct seen *seen, struct rg_bytes text)
{
    uint32_t good;
    (void)text_letters(text, &good);
    must(good);
    for (uint64_t i = 0; i < text.len; i++)
        seen->sum = seen->sum * 31 + text.ptr[i];
}

static uint32_t on_open(void *arg, const struct xml_in_element *element,
                        const struct xml_in_attribute *attributes, uint64_t count)
{
    struct seen *seen = arg;
    must(!seen->stopped && element->depth == ++seen->depth && seen->depth <= XML_IN_DEPTH_MAX);
    must(++seen->elements <= XML_IN_ELEMENTS_MAX && count <= XML_IN_ATTRIBUTES_MAX);
    add(seen, element->name);
    add(seen, element->namespace);
    for (uint64_t i = 0; i < count; i++) {
        add(seen, attributes[i].name);
        add(seen, attributes[i].value);
    }
    seen->stopped = seen->elements == seen->stop_at;
    return seen->stopped == 0;
}

static uint32_t on_close(void *arg, const struct xml_in_element *element, uint32_t leaf,
                         struct rg_bytes text)
{
    struct seen *seen = arg;
    must(!seen->stopped && element->depth == seen->depth--);
    must(text.len <= XML_IN_TEXT_KEPT && (leaf != 0 || text.len == 0));
    add(seen, text);
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen one = { .stop_at = UINT64_MAX }, two = one, three = { .stop_at = size % 7 + 1 };
    struct rg_bytes bytes = { data, size };
    const char *why = xml_in_read(bytes, &(struct xml_in_events){ &one, on_open, on_close });
    const char *again = xml_in_read(bytes, &(struct xml_in_events){ &two, on_open, on_close });
    must(why == again && one.sum == two.sum);
    must(why != NULL || (one.depth == 0 && one.elements > 0));
    why = xml_in_read(bytes, &(struct xml_in_events){ &three, on_open, on_close });
    must(three.stopped == 0 || why != NULL);
    return 0;
}
