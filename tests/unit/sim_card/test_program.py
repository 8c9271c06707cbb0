"""railgate-sim card as a program: links, control port, TLS, start and stop.

usage: test_program.py PATH-OF-railgate-sim

Messages are put together here by hand (iso87-ascii), so this is a third reader of the contract in
docs/rails/card-wire.md. Card numbers are test card numbers from published ranges. MACs are tested in
C; here the scenario file says that none is required.
"""
import json
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

WIDTHS = {3: 6, 4: 12, 7: 10, 11: 6, 12: 6, 13: 4, 14: 4, 37: 12, 38: 6, 39: 2, 41: 8, 42: 15, 49: 3, 70: 3, 90: 42}
VARIABLE = {2: 2, 32: 2, 48: 3}


def pack(mti, fields):
    bits = sum(1 << (64 - n if n <= 64 else 128 + 64 - n) for n in fields if n <= 64)
    second = sum(1 << (128 - n) for n in fields if n > 64)
    text = mti + "%016X" % (bits | (1 << 63 if second else 0)) + ("%016X" % second if second else "")
    for n in sorted(fields):
        value = fields[n]
        text += "%0*d" % (VARIABLE[n], len(value)) + value if n in VARIABLE else value
        assert n in VARIABLE or len(value) == WIDTHS[n], n
    return text.encode()


def unpack(data):
    text = data.decode()
    mti, bits, at = text[:4], int(text[4:20], 16), 20
    wide = bits >> 63
    bits = bits << 64
    if wide:
        bits |= int(text[20:36], 16)
        at = 36
    fields = {}
    for n in range(2, 129):
        if not bits >> (128 - n) & 1:
            continue
        if n in VARIABLE:
            size = int(text[at:at + VARIABLE[n]])
            at += VARIABLE[n]
        else:
            size = WIDTHS[n]
        fields[n] = text[at:at + size]
        at += size
    assert at == len(text), text
    return mti, fields


class Link:
    def __init__(self, address, context=None):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.stan = 0

    def send(self, mti, fields):
        self.stan += 1
        whole = {7: "1122120000", 11: "%06d" % self.stan, 41: "TERM0001", **fields}
        data = pack(mti, whole)
        self.socket.sendall(struct.pack(">H", len(data)) + data)
        return whole

    def receive(self):
        head = self.exactly(2)
        return unpack(self.exactly(struct.unpack(">H", head)[0]))

    def exactly(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def ask(self, mti, fields):
        sent = self.send(mti, fields)
        got, answer = self.receive()
        assert got == mti[:2] + "%d" % (int(mti[2]) + 1) + "0", got
        assert answer[11] == sent[11]
        return answer

    def sign_on(self):
        assert self.ask("0800", {70: "001"})[39] == "00"


def sale(amount):
    return {2: "4111111111111111", 3: "000000", 4: "%012d" % amount, 37: "632612%06d" % amount, 42: "MERCHANT".ljust(15),
            49: "978"}


def call(base, method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data=data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


class Program:
    def __init__(self, path, *options):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen([path, "card", *options], stdout=subprocess.PIPE, stderr=self.log)
        self.ready = json.loads(self.process.stdout.readline() or self.fail())

    def fail(self):
        self.log.seek(0)
        sys.exit("did not start: " + self.log.read().decode())

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        self.log.seek(0)
        log = self.log.read().decode()
        assert code == 0, (code, log)
        return log


def story_of_plain_links(path, folder):
    scenario = os.path.join(folder, "scenario.json")
    ready = os.path.join(folder, "ready.json")
    with open(scenario, "w") as file:
        json.dump({"settings": {"mac_required": False},
                   "faults": [{"fault": "code", "code": "96", "mti": "0200", "next": 1}]}, file)
    program = Program(path, "--scenario", scenario, "--ready-file", ready, "--seed", "5")
    with open(ready) as file:
        assert json.load(file) == program.ready
    base = program.ready["control"]
    link, other = Link(program.ready["listen"]), Link(program.ready["listen"])
    assert link.ask("0200", sale(100))[39] == "91"  # not signed on, yet the fault waits for no one
    link.sign_on()
    other.sign_on()
    call(base, "POST", "/reset")
    assert link.ask("0200", sale(101))[39] == "96"
    answer = link.ask("0200", sale(102))
    assert answer[39] == "00" and answer[4] == "%012d" % 102, answer
    assert other.ask("0100", sale(9051))[39] == "51"

    status, ledger = call(base, "GET", "/ledger")
    assert status == 200 and ledger["totals"]["sold_minor"] == 102, ledger
    entries = [(e["kind"], e["state"], e["booked"]) for e in ledger["entries"]]
    assert entries == [("sale", "booked", 1), ("authorisation", "declined", 0)], entries
    assert ledger["entries"][0]["pan"] == "411111******1111"
    status, page = call(base, "GET", "/ledger?from=2&limit=1")
    assert [e["number"] for e in page["entries"]] == [2] and page["next"] is None

    status, knobs = call(base, "PUT", "/knobs", {"faults": [{"fault": "reorder", "ms": 60000, "next": 1}]})
    assert status == 200 and len(knobs["faults"]) == 1
    link.send("0200", sale(103))
    link.send("0200", sale(104))
    assert link.receive()[1][4] == "%012d" % 104
    assert link.receive()[1][4] == "%012d" % 103  # the one that was held back
    assert call(base, "PUT", "/knobs", {"faults": [{"fault": "delay", "ms": 5, "next": 1}]})[0] == 200
    assert link.ask("0200", sale(105))[39] == "00"  # leaves by the timer
    assert call(base, "POST", "/knobs", {"faults": [{"fault": "oops"}]})[0] == 400
    assert call(base, "GET", "/nothing")[0] == 404
    assert call(base, "DELETE", "/knobs")[0] == 405

    assert call(base, "POST", "/send", {"code": "301", "link": 1})[0] == 200
    mti, fields = link.receive()
    assert mti == "0800" and fields[70] == "301"
    assert call(base, "POST", "/send", {"code": "301", "link": 99})[0] == 404
    assert call(base, "POST", "/links/drop", {"how": "close", "link": 1})[0] == 200
    try:
        link.receive()
        raise AssertionError("link 1 is still open")
    except EOFError:
        pass
    assert other.ask("0800", {70: "301"})[39] == "00"
    assert call(base, "POST", "/links/drop", {"how": "reset"})[0] == 200
    try:
        other.receive()
        raise AssertionError("link 2 is still open")
    except (EOFError, ConnectionResetError):
        pass
    status, stats = call(base, "GET", "/stats")
    assert stats["sign_ons"] == 0 and stats["echoes"] == 1 and stats["not_signed_on"] == 0, stats
    log = program.stop()
    assert "4111111111111111" not in log and "411111******1111" in log
    for line in log.splitlines():
        json.loads(line)


def story_of_tls(path, folder):
    key, cert = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                           "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost",
                           "-addext", "subjectAltName=DNS:localhost"], capture_output=True)
    if made.returncode != 0:
        print("skipped TLS: no openssl command to make a certificate with")
        return
    program = Program(path, "--tls-cert", cert, "--tls-key", key, "--tls-client-ca", cert, "--log-level", "warn")
    context = ssl.create_default_context(cafile=cert)
    context.load_cert_chain(cert, key)
    link = Link(program.ready["listen"], context)
    assert link.socket.version() == "TLSv1.3"
    link.sign_on()
    stranger = ssl.create_default_context(cafile=cert)
    try:
        Link(program.ready["listen"], stranger).sign_on()
        raise AssertionError("accepted without a certificate")
    except (ssl.SSLError, EOFError, ConnectionResetError):
        pass
    link.sign_on()
    program.stop()


def story_of_bad_command_lines(path, folder):
    def run(*options):
        return subprocess.run([path, *options], capture_output=True, timeout=30)
    assert run().returncode == 2
    assert run("--help").returncode == 0
    assert b"--packaging" in run("card", "--help").stdout
    for options in (["--nonsense"], ["--framing", "len3"], ["--mac-key", "12"], ["--tls-cert", "x"], ["word"]):
        assert run("card", *options).returncode == 2, options
    assert run("card", "--scenario", os.path.join(folder, "absent.json")).returncode == 1
    bad = os.path.join(folder, "bad.json")
    with open(bad, "w") as file:
        file.write('{"faults":[{"fault":"none such"}]}')
    assert b"no fault has this name" in run("card", "--scenario", bad).stderr


def story_of_the_page_about_it(path, folder):
    """Every row of the tables that are compiled in is in docs/rails/card-simulator.md."""
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")

    def read(*parts):
        with open(os.path.join(root, *parts)) as file:
            return file.read()
    page = read("docs", "rails", "card-simulator.md")
    rows = [("test_cards.def", r'^CARD\("(\d+)"'), ("magic_amounts.def", r"(?:CODE|PARTIAL|TROUBLE)\((\d+)"),
            ("faults.def", r'^FAULT\(\w+, +"(\w+)"')]
    for name, pattern in rows:
        found = re.findall(pattern, read("simulators", "card", name), re.M)
        assert len(found) > 10, name
        for word in found:
            assert re.search(r"\b%s\b" % word, page), (name, word)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        for story in (story_of_bad_command_lines, story_of_plain_links, story_of_tls,
                      story_of_the_page_about_it):
            story(sys.argv[1], scratch)
            print(story.__name__, "ok")
