/* test_tls.c - TLS over loopback: versions, client certificates, names, time-outs, the end.
 *
 * Keys and certificates are made when the test starts, in a folder of their own, and deleted after.
 */
#include "base/ensure.h"
#include "wire/http_client.h"
#include "wire/http_server.h"
#include "wire/tls.h"

#include "../../support/scratch.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* --- certificates ------------------------------------------------------------------------ */
static char folder[SCRATCH_MAX];

static const char *path_of(char *out, size_t room, const char *name, const char *suffix)
{
    (void)snprintf(out, room, "%s/%s.%s", folder, name, suffix);
    return out;
}

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    ENSURE(extension != NULL && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

/* issuer NULL: signs itself, a CA. alt: subjectAltName or NULL. Written to <file>.pem and .key. */
static struct identity make_identity(const char *file, const char *name,
                                     const struct identity *issuer, const char *alt)
{
    static long serial = 1;
    char path[SCRATCH_FILE_MAX];
    struct identity made = { .key = EVP_EC_gen("P-256"), .certificate = X509_new() };
    ENSURE(made.key != NULL && made.certificate != NULL);
    X509_set_version(made.certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(made.certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made.certificate), 3600);
    X509_set_pubkey(made.certificate, made.key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made.certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    const struct identity *signer = issuer != NULL ? issuer : &made;
    X509_set_issuer_name(made.certificate, X509_get_subject_name(signer->certificate));
    add_extension(made.certificate, NID_basic_constraints,
                  issuer == NULL ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (alt != NULL)
        add_extension(made.certificate, NID_subject_alt_name, alt);
    ENSURE(X509_sign(made.certificate, signer->key, EVP_sha256()) > 0);

    FILE *out = fopen(path_of(path, sizeof path, file, "pem"), "w");
    ENSURE(out != NULL && PEM_write_X509(out, made.certificate) == 1 && fclose(out) == 0);
    out = fopen(path_of(path, sizeof path, file, "key"), "w");
    ENSURE(out != NULL && PEM_write_PrivateKey(out, made.key, NULL, NULL, 0, NULL, NULL) == 1);
    ENSURE(fclose(out) == 0);
    return made;
}

static void drop_identity(struct identity *identity)
{
    EVP_PKEY_free(identity->key);
    X509_free(identity->certificate);
}

static int make_certificates(void **state)
{
    (void)state;
    scratch_folder(folder, "tls");
    struct identity ca = make_identity("ca", "Test CA", NULL, NULL);
    struct identity stranger = make_identity("stranger_ca", "Strange CA", NULL, NULL);
    struct identity made[] = {
        make_identity("server", "server", &ca, "DNS:gateway.test,IP:127.0.0.1"),
        make_identity("old_server", "gateway.test", &ca, NULL), /* named as before RFC 6125 */
        make_identity("other_names", "gateway.test", &ca, "email:host@gateway.test"),
        make_identity("client", "merchant-1", &ca, NULL),
        make_identity("stranger", "merchant-1", &stranger, NULL),
    };
    for (size_t i = 0; i < COUNT_OF(made); i++)
        drop_identity(&made[i]);
    drop_identity(&ca);
    drop_identity(&stranger);
    return 0;
}

static int drop_certificates(void **state)
{
    (void)state;
    static const char *const files[] = { "ca",          "stranger_ca", "server",  "old_server",
                                         "other_names", "client",      "stranger" };
    char path[SCRATCH_FILE_MAX];
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        (void)unlink(path_of(path, sizeof path, files[i], "pem"));
        (void)unlink(path_of(path, sizeof path, files[i], "key"));
    }
    return rmdir(folder);
}

static struct tls_context *context(bool server, const char *identity, const char *ca,
                                   const char *name, uint32_t min_version)
{
    char certificate[SCRATCH_FILE_MAX], key[SCRATCH_FILE_MAX], trust[SCRATCH_FILE_MAX], text[512];
    struct writer why = writer_over(text, sizeof text);
    struct tls_options options = {
        .certificate_path =
            identity != NULL ? path_of(certificate, sizeof certificate, identity, "pem") : NULL,
        .key_path = identity != NULL ? path_of(key, sizeof key, identity, "key") : NULL,
        .ca_path = ca != NULL ? path_of(trust, sizeof trust, ca, "pem") : NULL,
        .server_name = name,
        .min_version = min_version
    };
    struct tls_context *made = NULL;
    enum status status =
        server ? tls_open_server(&options, &made, &why) : tls_open_client(&options, &made, &why);
    if (status != STATUS_OK)
        fail_msg("%s: %.*s", status_name(status), (int)why.len, text);
    return made;
}

/* --- two ends ---------------------------------------------------------------------------- */
struct end {
    struct loop *loop;
    struct conn *conn;
    int opened, ended, closed;
    enum status why;
    size_t received;
    bool echo, pause_at_once;
    char version[16], peer_name[64];
};

struct world {
    struct loop *loop;
    struct wire *wire;
    struct listener *listener;
    struct tls_context *server_tls, *client_tls;
    struct end client, server;
    int accepted;
};

static void note_tls(struct end *end, struct conn *conn)
{
    (void)snprintf(end->version, sizeof end->version, "%s", conn_tls_version(conn));
    (void)snprintf(end->peer_name, sizeof end->peer_name, "%s", conn_tls_peer_name(conn));
}

static void on_opened(struct conn *conn, void *arg)
{
    struct end *end = arg;
    end->opened++;
    note_tls(end, conn);
    loop_stop(end->loop);
}

static void on_bytes(struct conn *conn, void *arg, struct view bytes)
{
    struct end *end = arg;
    end->received += bytes.len;
    if (end->pause_at_once)
        conn_pause(conn);
    if (end->echo)
        IGNORE_STATUS(conn_write(conn, bytes));
    loop_stop(end->loop);
}

static void on_ended(struct conn *conn, void *arg)
{
    struct end *end = arg;
    (void)conn;
    end->ended++;
    loop_stop(end->loop);
}

static void on_closed(struct conn *conn, void *arg, enum status why)
{
    struct end *end = arg;
    (void)conn;
    end->conn = NULL;
    end->closed++;
    end->why = why;
    loop_stop(end->loop);
}

static const struct conn_events events = {
    .opened = on_opened, .bytes = on_bytes, .ended = on_ended, .closed = on_closed
};

static void on_accept(struct listener *listener, void *arg, struct conn *conn)
{
    struct world *world = arg;
    (void)listener;
    world->accepted++;
    world->server.conn = conn;
    note_tls(&world->server, conn);
    conn_set_events(conn, &events, &world->server);
    loop_stop(world->loop);
}

static void on_limit(struct timer *timer, void *arg)
{
    (void)timer, (void)arg;
    fail_msg("nothing happened for 20 s");
}

static void until(struct world *world, const int *value, int least)
{
    struct timer limit;
    timer_init(&limit, world->loop, on_limit, NULL);
    timer_start(&limit, 20 * LOOP_US_PER_S);
    while (*value < least)
        loop_run(world->loop);
    timer_stop(&limit);
}

static void open_world(struct world *world, struct tls_context *server, struct tls_context *client)
{
    struct endpoint at;
    memset(world, 0, sizeof *world);
    world->server_tls = server;
    world->client_tls = client;
    world->loop = world->client.loop = world->server.loop = loop_open_real();
    assert_int_equal(wire_open_real(&world->wire, world->loop), STATUS_OK);
    assert_int_equal(endpoint_parse(VIEW("127.0.0.1:0"), &at), STATUS_OK);
    struct listen_options listen = { .accept = on_accept,
                                     .arg = world,
                                     .tls = server,
                                     .handshake_timeout_us = 300 * LOOP_US_PER_MS };
    assert_int_equal(listen_open(world->wire, &at, &listen, &world->listener), STATUS_OK);
    struct conn_options options = { .events = &events, .arg = &world->client, .tls = client };
    assert_int_equal(conn_connect(world->wire, listener_endpoint(world->listener), &options,
                                  &world->client.conn),
                     STATUS_OK);
}

static void close_world(struct world *world)
{
    wire_close(world->wire);
    loop_close(world->loop);
    tls_close(world->server_tls);
    tls_close(world->client_tls);
}

static void test_tls_1_3_with_client_certificate(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, context(true, "server", "ca", NULL, 13),
               context(false, "client", "ca", "gateway.test", 13));
    until(&world, &world.client.opened, 1);
    until(&world, &world.accepted, 1);
    assert_string_equal(world.client.version, "TLSv1.3");
    assert_string_equal(world.server.version, "TLSv1.3");
    assert_string_equal(world.server.peer_name, "merchant-1");
    assert_string_equal(world.client.peer_name, "server");

    /* half a megabyte there and back */
    static uint8_t bytes[500000];
    world.server.echo = true;
    assert_int_equal(conn_write(world.client.conn, view_of(bytes, sizeof bytes)), STATUS_OK);
    while (world.client.received < sizeof bytes)
        loop_run(world.loop);

    /* paused between two records that came in one read: the second waits inside the session, and
     * no more bytes will come to wake it */
    world.server.echo = false;
    world.client.pause_at_once = true;
    size_t before = world.client.received;
    assert_int_equal(conn_write(world.server.conn, view_of(bytes, 40000)), STATUS_OK);
    while (world.client.received < before + 40000) {
        loop_run(world.loop);
        conn_resume(world.client.conn);
    }
    world.client.pause_at_once = false;

    /* paused while bytes come from the network */
    conn_pause(world.client.conn);
    assert_int_equal(conn_write(world.server.conn, view_of(bytes, 100000)), STATUS_OK);
    assert_int_equal(conn_write(world.client.conn, VIEW("x")), STATUS_OK);
    while (world.server.received < sizeof bytes + 1)
        loop_run(world.loop);
    assert_int_equal(world.client.received, sizeof bytes + 40000);
    conn_resume(world.client.conn);
    while (world.client.received < sizeof bytes + 140000)
        loop_run(world.loop);

    /* close_notify is seen as an orderly end */
    conn_close(world.client.conn);
    until(&world, &world.server.ended, 1);
    conn_close(world.server.conn);
    until(&world, &world.client.closed, 1);
    until(&world, &world.server.closed, 1);
    assert_int_equal(world.client.why, STATUS_OK);
    assert_int_equal(world.server.why, STATUS_OK);
    close_world(&world);
}

static void test_address_in_the_certificate(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, context(true, "server", NULL, NULL, 0),
               context(false, NULL, "ca", NULL, 0)); /* 127.0.0.1 is named */
    until(&world, &world.client.opened, 1);
    until(&world, &world.accepted, 1);
    assert_string_equal(world.server.peer_name, "");
    close_world(&world);
}

/* The client must not open; the server must not accept. */
static void expect_refusal_at_client(struct tls_context *server, struct tls_context *client)
{
    struct world world;
    open_world(&world, server, client);
    until(&world, &world.client.closed, 1);
    assert_int_equal(world.client.opened, 0);
    assert_int_equal(world.client.why, STATUS_TLS);
    assert_int_equal(world.accepted, 0);
    close_world(&world);
}

static void test_wrong_host_name_and_wrong_ca(void **state)
{
    (void)state;
    expect_refusal_at_client(context(true, "server", NULL, NULL, 0),
                             context(false, NULL, "ca", "other.test", 0));
    expect_refusal_at_client(context(true, "server", NULL, NULL, 0),
                             context(false, NULL, "stranger_ca", "gateway.test", 0));
}

static void test_only_the_alternative_names_count(void **state)
{
    (void)state;
    struct world world;
    static const char *const without[] = { "old_server", "other_names" };
    for (size_t i = 0; i < COUNT_OF(without); i++)
        expect_refusal_at_client(context(true, without[i], NULL, NULL, 0),
                                 context(false, NULL, "ca", "gateway.test", 0));
    open_world(&world, context(true, "server", NULL, NULL, 0),
               context(false, NULL, "ca", "gateway.test", 0));
    until(&world, &world.client.opened, 1);
    until(&world, &world.accepted, 1);
    close_world(&world);
}

/* TLS 1.3: the client's handshake is over before the server has judged its certificate, so it may
 * open; what counts is that the server never accepts and the client is told. */
static void expect_refusal_at_server(const char *identity)
{
    struct world world;
    open_world(&world, context(true, "server", "ca", NULL, 13),
               context(false, identity, "ca", "gateway.test", 13));
    until(&world, &world.client.closed, 1);
    assert_int_equal(world.client.why, STATUS_TLS);
    assert_int_equal(world.accepted, 0);
    close_world(&world);
}

static void test_client_certificate_is_demanded(void **state)
{
    (void)state;
    expect_refusal_at_server(NULL);
    expect_refusal_at_server("stranger");
}

static void test_silence_in_the_handshake_times_out(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, context(true, "server", NULL, NULL, 0), NULL); /* a plain client, silent */
    until(&world, &world.client.opened, 1);
    until(&world, &world.client.ended, 1);
    assert_int_equal(world.accepted, 0);
    close_world(&world);
}

static void test_nonsense_in_the_handshake(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, context(true, "server", NULL, NULL, 0), NULL);
    until(&world, &world.client.opened, 1);
    assert_int_equal(conn_write(world.client.conn, VIEW("GET / HTTP/1.1\r\n\r\n")), STATUS_OK);
    until(&world, &world.client.ended, 1);
    assert_int_equal(world.accepted, 0);
    close_world(&world);
}

static void test_a_cut_without_close_notify_is_not_an_end(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, context(true, "server", NULL, NULL, 0),
               context(false, NULL, "ca", "gateway.test", 0));
    until(&world, &world.client.opened, 1);
    until(&world, &world.accepted, 1);
    conn_abort(world.client.conn);
    until(&world, &world.server.closed, 1);
    assert_int_equal(world.server.ended, 0);
    assert_int_equal(world.server.why, STATUS_CLOSED);
    close_world(&world);
}

static void test_bad_files_are_explained(void **state)
{
    (void)state;
    char text[512];
    struct writer why = writer_over(text, sizeof text - 1);
    struct tls_context *made = NULL;
    char certificate[SCRATCH_FILE_MAX], key[SCRATCH_FILE_MAX];
    struct tls_options options = { .certificate_path =
                                       path_of(certificate, sizeof certificate, "server", "pem"),
                                   .key_path = path_of(key, sizeof key, "client", "key") };
    assert_int_equal(tls_open_server(&options, &made, &why), STATUS_TLS);
    assert_null(made);
    assert_true(why.len > 0);
    options.certificate_path = "/nowhere/at/all.pem";
    why.len = 0;
    assert_int_equal(tls_open_server(&options, &made, &why), STATUS_TLS);
    text[why.len] = '\0';
    assert_string_equal(text, "cannot load the certificate /nowhere/at/all.pem: "
                              "No such file or directory");
    assert_int_equal(tls_open_server(&(struct tls_options){ 0 }, &made, &why), STATUS_NOT_FOUND);
    options.min_version = 11;
    assert_int_equal(tls_open_server(&options, &made, &why), STATUS_RANGE);
}

/* --- HTTP on top ------------------------------------------------------------------------- */
static void on_request(struct http_request *request, void *arg)
{
    (void)arg;
    http_respond(request, 200, "text/plain", NULL, 0, http_body(request));
}

struct https {
    struct loop *loop;
    int done;
    bool right;
};

static void on_answer(void *arg, const struct http_answer *answer)
{
    struct https *https = arg;
    https->right = answer->status == STATUS_OK && answer->http_status == 200 &&
                   view_is(answer->body, "over TLS");
    https->done++;
    loop_stop(https->loop);
}

static void test_http_over_tls(void **state)
{
    (void)state;
    struct tls_context *server_tls = context(true, "server", "ca", NULL, 13);
    struct tls_context *client_tls = context(false, "client", "ca", "gateway.test", 13);
    struct https https = { .loop = loop_open_real() };
    struct wire *wire;
    struct http_server *server;
    struct http_client *client;
    assert_int_equal(wire_open_real(&wire, https.loop), STATUS_OK);
    struct http_server_options serve = { .tls = server_tls, .handler = on_request };
    assert_int_equal(endpoint_parse(VIEW("127.0.0.1:0"), &serve.at), STATUS_OK);
    assert_int_equal(http_server_open(&server, wire, https.loop, &serve), STATUS_OK);
    struct http_client_options call = { .to = *http_server_endpoint(server), .tls = client_tls };
    assert_int_equal(http_client_open(&client, wire, https.loop, &call), STATUS_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(http_call(client, "POST", VIEW("/"), NULL, 0, VIEW("over TLS"),
                                   10 * LOOP_US_PER_S, on_answer, &https, NULL),
                         STATUS_OK);
        loop_run(https.loop);
        assert_int_equal(https.done, i + 1);
        assert_true(https.right);
    }
    assert_int_equal(http_server_conns(server), 1);
    http_client_close(client);
    http_server_close(server);
    wire_close(wire);
    loop_close(https.loop);
    tls_close(server_tls);
    tls_close(client_tls);
}

int main(void)
{
    if (wire_init_process() != STATUS_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tls_1_3_with_client_certificate),
        cmocka_unit_test(test_address_in_the_certificate),
        cmocka_unit_test(test_wrong_host_name_and_wrong_ca),
        cmocka_unit_test(test_only_the_alternative_names_count),
        cmocka_unit_test(test_client_certificate_is_demanded),
        cmocka_unit_test(test_silence_in_the_handshake_times_out),
        cmocka_unit_test(test_nonsense_in_the_handshake),
        cmocka_unit_test(test_a_cut_without_close_notify_is_not_an_end),
        cmocka_unit_test(test_bad_files_are_explained),
        cmocka_unit_test(test_http_over_tls),
    };
    return cmocka_run_group_tests(tests, make_certificates, drop_certificates);
}
