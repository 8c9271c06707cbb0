/* fuzz_sim_bank_xml.c - any bytes at the door of the bank: no crash, the tree of the XML reader
 * holds together, whatever the bank writes can be read again, and its books stay in balance.
 *
 * The first byte chooses scheme, connection and how answers come. Signatures are not asked for, so
 * that the fuzzer gets past them. The message comes twice, as if it had been repeated: the second
 * must change nothing.
 */
#include "bank/bank_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tree(const struct xml_node *root, struct view text)
{
    for (const struct xml_node *n = root; n != NULL; n = xml_walk(n, root)) {
        ENSURE(n->offset < text.len && text.ptr[n->offset] == '<');
        ENSURE(n->name.len > 0 && view_is_utf8(n->text));
        ENSURE(n->parent == NULL ? n == root : n->offset > n->parent->offset);
        ENSURE(n->next == NULL || n->next->offset > n->offset);
        ENSURE((n->first == NULL) == (n->last == NULL));
    }
}

static void must_be_xml(struct view body)
{
    struct arena arena;
    struct xml_error error;
    const struct xml_node *root = NULL;
    arena_init(&arena, (size_t)8 * 1024 * 1024);
    ENSURE(xml_read(body, &arena, &root, &error) == STATUS_OK);
    ENSURE(xml_find(root, "Document", ISO_NAMESPACE) != NULL);
    check_tree(root, body);
    arena_reset(&arena);
}

static void see_notice(void *arg, const struct sim_notice *notice)
{
    (void)arg;
    must_be_xml(notice->body);
}

static void post(struct bank *b, struct view body)
{
    static uint8_t room[SIM_HTTP_BODY_MAX];
    uint8_t headers[4096];
    struct sim_answer answer = { .http_status = 200,
                                 .headers = writer_over(headers, sizeof headers),
                                 .body = writer_over(room, sizeof room) };
    struct sim_request request = { .method = VIEW("POST"),
                                   .target = VIEW("/messages"),
                                   .headers = VIEW("x-notice-url: http://127.0.0.1:1/n\n"),
                                   .body = body };
    bank_brain.request(b, &request, 0, &answer);
    ENSURE(!answer.body.overflow && !answer.headers.overflow);
    if (answer.body.len > 0)
        must_be_xml(writer_done(&answer.body));
    ENSURE(bank_books_balanced(b));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct arena arena;
    struct xml_error error = { .message = NULL };
    const struct xml_node *root = NULL;
    struct view body = view_of(data + 1, size - 1);
    arena_init(&arena, (size_t)24 * 1024 * 1024);
    if (xml_read(body, &arena, &root, &error) == STATUS_OK)
        check_tree(root, body);
    else
        ENSURE(error.message != NULL && error.offset <= body.len);
    arena_reset(&arena);

    struct sim_config config = { .seed = 1,
                                 .wall_offset_us = INT64_C(1795348800000000),
                                 .send = see_notice };
    static struct bank *b; /* opened once: its tables are large */
    if (b == NULL)
        b = bank_brain.open(&config);
    ENSURE(b != NULL);
    bank_brain.reset(b, 0);
    b->settings.check_signature = false;
    b->settings.sign_notices = false;
    b->settings.scheme = data[0] % SCHEME_COUNT;
    b->settings.connection = data[0] >> 4 & 1;
    b->settings.answer = data[0] >> 5 & 1;
    b->settings.booking = data[0] >> 6 & 1;
    post(b, body);
    size_t entries = b->entry_count;
    post(b, body);
    bool busy = b->entry_count > 0 && entries == 0; /* magic: the first time it was 503 */
    ENSURE(b->entry_count == entries || busy);
    bank_brain.tick(b, INT64_C(10000000000));
    ENSURE(bank_books_balanced(b));
    return 0;
}
