"""railgate-sim wallet as a program: real sockets, the control port, notices out over HTTP and TLS, accidents of the
connection, start and stop.

usage: test_program.py PATH-OF-railgate-sim

Requests are signed here by hand, so this is another reader of docs/rails/qr-wire.md.
"""
import binascii
import hashlib
import hmac
import http.client
import http.server
import json
import os
import queue
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

KEY = bytes.fromhex("0f0e0d0c0b0a09080706050403020100000102030405060708090a0b0c0d0e0f")


def signature(method, path, body, at=None):
    at = int(time.time()) if at is None else at
    text = b"%d.%s.%s." % (at, method.encode(), path.encode()) + body
    return "t=%d,v1=%s" % (at, hmac.new(KEY, text, hashlib.sha256).hexdigest())


def crc(text):
    return "%04X" % binascii.crc_hqx(text.encode(), 0xFFFF)


def element(name, value):
    return "%s%02d%s" % (name, len(value), value)


def code(reference, amount=None, dynamic=True):
    text = "000201" + element("01", "12" if dynamic else "11") + element("29", element("00", "TEST"))
    text += "520459995303978" + (element("54", amount) if amount else "") + "5802DE5904Shop6006Berlin"
    text += element("62", element("01", reference)) + "6304"
    return text + crc(text)


class Receiver:
    """A tiny place for notices: checks their signatures and keeps them."""

    def __init__(self, context=None):
        self.got = queue.Queue()
        self.answers = []  # HTTP statuses to give, then 200
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sent = self.headers["x-signature"]
                ok = sent == signature("POST", self.path, body, int(sent[2:sent.index(",")])) if sent else None
                receiver.got.put((self.path, ok, json.loads(body)))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = "%s://127.0.0.1:%d/notices/wallet?c=1" % ("https" if context else "http",
                                                            self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self, signed=True):
        path, ok, notice = self.got.get(timeout=30)
        assert path == "/notices/wallet?c=1"
        assert ok is (True if signed else None), notice
        return notice


class Program:
    def __init__(self, path, *options, context=None):
        self.log, self.context = tempfile.TemporaryFile(), context
        self.process = subprocess.Popen([path, "wallet", *options], stdout=subprocess.PIPE, stderr=self.log)
        self.ready = json.loads(self.process.stdout.readline() or self.fail())

    def fail(self):
        self.log.seek(0)
        sys.exit("did not start: " + self.log.read().decode())

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        ended = self.process.wait(timeout=30)
        self.log.seek(0)
        log = self.log.read().decode()
        assert ended == 0, (ended, log)
        for line in log.splitlines():
            json.loads(line)
        return log

    def connection(self):
        if self.context is None:
            return http.client.HTTPConnection(self.ready["listen"], timeout=30)
        return http.client.HTTPSConnection(self.ready["listen"], timeout=30, context=self.context)

    def ask(self, method, path, body=None, connection=None):
        text = b"" if body is None else json.dumps(body).encode()
        link = connection or self.connection()
        link.request(method, path, text, {"X-Merchant": "shop-1", "X-Signature": signature(method, path, text)})
        answer = link.getresponse()
        result = answer.status, json.loads(answer.read())
        if connection is None:
            link.close()
        return result

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.ready["control"] + path, data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def order(self, name, amount, url, ends_in=600, connection=None):
        self.ends = int(time.time()) + ends_in
        return self.ask("POST", "/v1/orders", {
            "order_id": name, "reference": name, "amount": amount, "currency": "EUR", "code": code(name, amount),
            "expires_at": self.ends, "notice_url": url}, connection)


def story_of_an_order(path, folder):
    ready, scenario = os.path.join(folder, "ready.json"), os.path.join(folder, "scenario.json")
    notices = Receiver()
    with open(scenario, "w") as file:
        json.dump({"settings": {"slow_ms": 20, "notice_url": notices.url}}, file)
    program = Program(path, "--scenario", scenario, "--ready-file", ready, "--seed", "5",
                      "--knobs", '{"settings":{"code_valid_ms":60000}}')
    with open(ready) as file:
        assert json.load(file) == program.ready
    link = program.connection()
    status, order = program.order("att_1", "12.50", notices.url, connection=link)
    assert status == 201 and order["state"] == "open", order
    assert program.ask("GET", "/v1/orders/att_1", connection=link) == (200, order)  # the same connection
    notices.answers = [503]
    status, done = program.call("POST", "/scan", {"order_id": "att_1", "times": 2})
    assert [r["state"] for r in done["results"]] == ["paid", "refused"], done
    for _ in range(2):  # the first was not acknowledged
        notice = notices.next()
        assert notice["type"] == "order.paid" and notice["data"]["paid_amount"] == "12.50", notice
    assert program.call("POST", "/scan", {"code": code("t", "1.00", False)})[0] == 200
    assert notices.next()["data"]["reference"] == "t"
    status, ledger = program.call("GET", "/ledger?from=2")
    assert ledger["totals"]["paid_minor"] == 1350 and len(ledger["entries"]) == 1, ledger
    status, shown = program.call("POST", "/present", {"phone": "phone-2"})
    status, charge = program.ask("POST", "/v1/charges", {
        "order_id": "att_2", "code": shown["code"], "amount": "91.11", "currency": "EUR", "notice_url": notices.url})
    assert status == 202, charge
    assert notices.next()["type"] == "charge.paid"  # by the timer
    status, refund = program.ask("POST", "/v1/refunds", {"refund_id": "ref_1", "order_id": "att_2", "amount": "1.00",
                                                         "currency": "EUR"})
    assert (status, refund["state"]) == (201, "done")
    assert program.ask("POST", "/v1/orders", [])[0] == 400
    status, knobs = program.call("POST", "/reset")
    assert status == 200
    status, knobs = program.call("GET", "/knobs")
    assert knobs["settings"]["slow_ms"] == 20 and knobs["settings"]["code_valid_ms"] == 60000
    assert program.ask("GET", "/v1/orders/att_1")[0] == 404
    assert program.call("DELETE", "/knobs")[0] == 405
    log = program.stop()
    assert "wallet.request" in log and "wallet.notice" in log


def story_of_accidents(path, folder):
    program = Program(path, "--log-level", "warn")
    notices = Receiver()

    def told(**rule):
        assert program.call("PUT", "/knobs", {"faults": [dict(next=1, **rule)]})[0] == 200

    def broken(name):
        try:
            program.order(name, "1.00", notices.url)
        except (http.client.HTTPException, ConnectionError, ValueError) as error:
            return type(error).__name__
        raise AssertionError(name + " was answered")

    told(fault="drop_before_booking")
    assert broken("att_1") == "RemoteDisconnected"
    assert program.order("att_1", "1.00", notices.url)[0] == 201
    told(fault="drop_after_booking", path="/v1/orders", amount_minor=100)
    assert broken("att_2") == "RemoteDisconnected"
    assert program.ask("GET", "/v1/orders/att_2")[0] == 200
    told(fault="reset")
    assert broken("att_3") == "ConnectionResetError"
    told(fault="cut", bytes=5)
    assert broken("att_4") == "IncompleteRead"
    told(fault="half_close")
    assert broken("att_5") == "RemoteDisconnected"
    told(fault="garble", bytes=200)
    assert broken("att_6") in ("JSONDecodeError", "UnicodeDecodeError")
    told(fault="status", status=502)
    assert program.order("att_7", "1.00", notices.url)[0] == 502
    told(fault="delay", ms=30)
    assert program.order("att_7", "1.00", notices.url)[0] == 201
    told(fault="late_booking", ms=30)
    assert program.order("att_8", "1.00", notices.url)[0] == 201
    told(fault="duplicate")
    assert program.order("att_9", "1.00", notices.url)[0] == 201
    assert program.call("PUT", "/knobs", {"faults": [], "down_ms": -1})[0] == 200
    assert broken("att_10") == "RemoteDisconnected"
    assert program.call("PUT", "/knobs", {"down_ms": 0})[0] == 200
    told(fault="notice_unsigned")
    program.call("POST", "/scan", {"order_id": "att_1"})
    assert notices.next(signed=False)["data"]["order_id"] == "att_1"
    told(fault="notice_duplicate")
    program.call("POST", "/scan", {"order_id": "att_2"})
    assert notices.next() == notices.next()
    program.order("att_11", "1.00", "http://127.0.0.1:%d/" % free_port())
    program.call("POST", "/scan", {"order_id": "att_11"})  # nobody listens there
    program.order("att_12", "1.00", "nonsense")
    program.call("POST", "/scan", {"order_id": "att_12"})
    assert program.ask("GET", "/v1/orders/att_12")[1]["state"] == "paid"

    with socket.create_connection(program.ready["listen"].split(":"), timeout=30) as odd:
        odd.sendall(b"NONSENSE\r\n\r\n")
        assert odd.recv(1000).startswith(b"HTTP/1.1 400")
    with socket.create_connection(program.ready["listen"].split(":"), timeout=30) as two:
        request = b"GET /v1/orders/x HTTP/1.1\r\nHost: x\r\n\r\n"
        two.sendall(request + request)  # the second waits for the first
        got = b""
        while got.count(b"HTTP/1.1 401") < 2:
            piece = two.recv(1000)
            assert piece, got
            got += piece
    with socket.create_connection(program.ready["listen"].split(":"), timeout=30) as chunked:
        chunked.sendall(b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                        b"2\r\n{}\r\n0\r\n\r\n")
        assert chunked.recv(1000).startswith(b"HTTP/1.1 401")
    program.stop()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def story_of_tls(path, folder):
    key, cert = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                           "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost",
                           "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], capture_output=True)
    if made.returncode != 0:
        print("skipped TLS: no openssl command to make a certificate with")
        return
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    notices = Receiver(server)
    context = ssl.create_default_context(cafile=cert)
    context.load_cert_chain(cert, key)
    program = Program(path, "--tls-certificate", cert, "--tls-key", key, "--tls-client-ca", cert, "--notice-ca", cert,
                      "--log-level", "warn", context=context)
    assert program.order("att_1", "1.00", notices.url)[0] == 201
    program.call("POST", "/scan", {"order_id": "att_1"})
    assert notices.next()["type"] == "order.paid"
    program.context = ssl.create_default_context(cafile=cert)
    try:
        program.order("att_2", "1.00", notices.url)
        raise AssertionError("accepted without a certificate")
    except (ssl.SSLError, ConnectionError, http.client.HTTPException):
        pass
    program.stop()


def story_of_bad_command_lines(path, folder):
    def run(*options):
        return subprocess.run([path, *options], capture_output=True, timeout=30)
    assert b"wallet" in run("--help").stdout
    assert b"--notice-ca" in run("wallet", "--help").stdout
    for options in (["--nonsense"], ["--listen", "x"], ["--seed", "-1"], ["--tls-certificate", "x"], ["word"]):
        assert run("wallet", *options).returncode == 2, options
    assert run("wallet", "--scenario", os.path.join(folder, "absent.json")).returncode == 1
    assert run("wallet", "--notice-ca", os.path.join(folder, "absent.pem")).returncode == 1
    assert b"no fault has this name" in run("wallet", "--knobs", '{"faults":[{"fault":"none such"}]}').stderr


def story_of_the_page_about_it(path, folder):
    """Every row of the tables that are compiled in is in docs/rails/qr-simulator.md."""
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")

    def read(*parts):
        with open(os.path.join(root, *parts)) as file:
            return file.read()
    page = read("docs", "rails", "qr-simulator.md")
    rows = [(("wallet", "phones.def"), r'^PHONE\("([\w-]+)"', 10),
            (("wallet", "magic_amounts.def"), r"^(?:PHONE_DOES|DECLINE|OPEN)\((\d+)", 10),
            (("wallet", "merchants.def"), r'^MERCHANT\("([\w-]+)"', 2),
            (("http", "faults.def"), r'^FAULT\(\w+, +"(\w+)"', 15)]
    for place, pattern, least in rows:
        found = re.findall(pattern, read("simulators", *place), re.M)
        assert len(found) > least, place
        for word in found:
            assert re.search(r"(?<![\w-])%s(?![\w-])" % word, page), (place, word)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        for story in (story_of_bad_command_lines, story_of_an_order, story_of_accidents, story_of_tls,
                      story_of_the_page_about_it):
            story(sys.argv[1], scratch)
            print(story.__name__, "ok")
