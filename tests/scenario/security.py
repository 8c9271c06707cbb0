"""What a hostile merchant, a hostile card host, or a machine that runs out of something could do.

Card numbers that must not be left anywhere are published test numbers.
"""

import contextlib
import http.client
import json
import os
import re
import resource
import socket
import sqlite3
import subprocess
import threading
import time
import unittest

from leaks import dumpable_memory
from rgtest import Authority, Raw, Story, authorisation, main, request, sale, split_answers, tls_context, until

PAN = "3566002020360505"
ECHOED = "6011000990139424"
SANITIZED = os.environ.get("RAILGATE_TEST_SANITIZED")


def seen_in(data, pan):
    return pan.encode() in data or bytes.fromhex(pan) in data


class CardNumbers(Story):
    def memory_is_clean(self, gateway, pan, when):
        for mapping, data in dumpable_memory(gateway.pid):
            self.assertFalse(seen_in(data, pan), f"{when}: in memory that a core dump contains: {mapping}")

    @unittest.skipIf(SANITIZED, "a sanitizer keeps what was freed")
    def test_no_request_leaves_one_on_the_stack(self):
        _, gateway, api = self.pair(settings={"core_dumps": "on"})
        payment = api.post("/v1/payments", authorisation(1000)).json()["id"]
        for verb in ("", "/capture", "/refunds", "/cancel", "/confirm"):
            path = "/v1/payments" if verb == "" else f"/v1/payments/{payment}{verb}"
            for body in ({"reference": PAN}, {"description": f"card {PAN}"}, {"metadata": {PAN: PAN}}):
                self.assertGreaterEqual(api.post(path, body).status, 400)
                self.memory_is_clean(gateway, PAN, f"{path} {list(body)}")
            self.problem(api.post(path, {}, PAN), 400, "idempotency_key_invalid")
            self.memory_is_clean(gateway, PAN, f"{path} with a card number as Idempotency-Key")

    def test_what_a_host_sends_back_of_the_card_is_not_kept(self):
        """EMV data (field 55) of the answer with card number and track 2 in it."""
        sim = self.stage.simulator()
        sim.knobs(settings={"mac_required": False})
        emv = f"5A08{ECHOED}5711{ECHOED}D3012201" + "0" * 10 + "8A023030"

        def echo(message):
            if not message.startswith(b"0210"):
                return message
            bitmap = int(message[4:20], 16) | 1 << 64 - 55
            return b"0210%016X%s%03d%s" % (bitmap, message[20:], len(emv) // 2, emv.encode())

        line = Line(sim.listen, echo)
        self.addCleanup(line.close)
        # Without MACs, so that the line can change answers: fields 56 to 64 are not there then.
        gateway = self.stage.gateway(
            sim, settings={"core_dumps": "on", "log": {"level": "debug"}},
            channel={"endpoints": [line.address], "links": 1, "settings": {"mac_key": None, "zone_key": None}})  # fmt: skip
        api = gateway.client()
        answer = api.post("/v1/payments", sale())
        self.assertEqual(answer.json()["status"], "succeeded", answer)
        self.assertEqual(answer.json()["outcome"]["rail"]["emv_response"], "8A023030")
        self.assertNotIn(ECHOED, str(api.events(answer.json()["id"])))
        if not SANITIZED:
            self.memory_is_clean(gateway, ECHOED, "after the answer")
        gateway.stop()
        for folder, _, names in os.walk(gateway.place):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    self.assertFalse(seen_in(file.read(), ECHOED), name)
        self.assertFalse(seen_in(gateway.log_text().encode(), ECHOED))


class Line:
    """Between gateway and card host: framing len2; change(message) is what goes on to the gateway."""

    def __init__(self, listen, change=None):
        host, _, port = listen.rpartition(":")
        self.to, self.change = (host, int(port)), change
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.server.getsockname()[1]
        self.open = []  # towards the gateway
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        try:
            while True:
                near, _ = self.server.accept()
                far = socket.create_connection(self.to)
                self.open.append(near)
                threading.Thread(target=self._copy, args=(near, far, None), daemon=True).start()
                threading.Thread(target=self._copy, args=(far, near, self.change), daemon=True).start()
        except OSError:
            return

    @staticmethod
    def _copy(source, to, change):
        kept = b""
        try:
            while part := source.recv(65536):
                if change is None:
                    to.sendall(part)
                    continue
                kept += part
                while len(kept) >= 2 and len(kept) >= 2 + int.from_bytes(kept[:2], "big"):
                    size = 2 + int.from_bytes(kept[:2], "big")
                    to.sendall(framed(change(kept[2:size])))
                    kept = kept[size:]
        except OSError:
            pass
        for one in (source, to):
            one.close()

    def close(self):
        for one in [self.server, *self.open]:
            one.close()


def framed(message):
    return len(message).to_bytes(2, "big") + message


def iso(mti, **fields):
    """fields: f39="00"; ASCII packaging."""
    numbers = {int(name[1:]): value for name, value in fields.items()}
    width = 128 if max(numbers) > 64 else 64
    bitmap = sum(1 << width - number for number in numbers) | (1 << 127 if width == 128 else 0)
    return (f"{mti}{bitmap:0{width // 4}X}" + "".join(numbers[n] for n in sorted(numbers))).encode()


class TalkativeHost(Story):
    def test_a_flood_does_not_fill_the_log(self):
        """20,000 messages that nobody asked for: payments go on, the log gets a line now and then, and says how
        many were kept back."""
        sim = self.stage.simulator()
        line = Line(sim.listen)
        self.addCleanup(line.close)
        gateway = self.stage.gateway(sim, channel={"endpoints": [line.address], "links": 1})
        api = gateway.client()
        for name, message in {
            "answers to nothing": iso("0210", f7="1122144700", f11="999999", f39="00", f41="TERM0001"),
            "echo requests without a MAC": iso("0800", f7="1122144700", f11="000001", f70="301"),
            "notices": iso("0220", f7="1122144700", f11="000001", f39="00"),
        }.items():
            with self.subTest(flood=name):
                before = os.path.getsize(gateway.log)
                began = time.monotonic()
                for _ in range(40):
                    line.open[-1].sendall(framed(message) * 500)
                self.assertEqual(api.post("/v1/payments", sale()).json()["status"], "succeeded")
                seconds = time.monotonic() - began
                # Lines of about 150 bytes; the flood would have been 20,000 of them.
                self.assertLess(os.path.getsize(gateway.log) - before, 5000 + 2000 * seconds)
        line.open[-1].sendall(framed(iso("0210", f7="1122144700", f11="999999", f39="00", f41="TERM0001")))

        def told():
            line.open[-1].sendall(framed(iso("0210", f7="1122144700", f11="999999", f39="00", f41="TERM0001")))
            return [n for n in re.findall(r'unmatched_reply.*"kept_back":(\d+)', gateway.log_text()) if int(n) > 100]

        until("the log says how many were kept back", told)


class MadeUpKeys(Story):
    def test_they_do_not_make_the_gateway_forget_real_ones(self):
        """The rate of a key is remembered with the key. More made-up keys than are remembered must not give
        anybody a new second."""
        _, gateway, api = self.pair()
        slow = gateway.client("--rate", "1")
        asked = b"GET /v1/limits HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer rg_test_%032d\r\n\r\n"

        def rounds():
            began = time.monotonic()
            first = slow.get("/v1/limits").status
            if first != 200 or slow.get("/v1/limits").status != 429:
                return None
            with Raw(gateway.address) as raw:
                reader = threading.Thread(target=self.read_answers, args=(raw, 4500))
                reader.start()
                raw.send(b"".join(asked % number for number in range(4500)))
                reader.join()
            second = slow.get("/v1/limits").status
            # A whole second may have passed on a slow machine: then the answer proves nothing.
            return [second] if time.monotonic() - began < 0.9 else None

        self.assertEqual(until("4,500 requests in less than a second", rounds, 60), [429])
        self.assertEqual(api.get("/v1/limits").status, 200)

    @staticmethod
    def read_answers(raw, count):
        got = bytearray()
        while got.count(b"HTTP/1.1 401") < count:
            part = raw.socket.recv(1 << 20)
            if not part:
                return
            got += part


class OutOf(Story):
    """Something of the machine is used up for a while; afterwards everything is as before."""

    def limit(self, gateway, what, value):
        soft, hard = resource.prlimit(gateway.pid, what)
        resource.prlimit(gateway.pid, what, (value, hard))
        return lambda: resource.prlimit(gateway.pid, what, (soft, hard))

    def served_again(self, ask):
        def asked():
            try:
                return ask().status == 200
            except OSError:
                return False

        until("served again", asked, 15)

    def connect_many(self, gateway, count):
        many = []
        self.addCleanup(lambda: [one.close() for one in many])
        for _ in range(count):
            one = socket.socket()
            one.settimeout(2)
            try:
                one.connect(gateway.address)
            except OSError:
                one.close()
                break
            many.append(one)
        return many

    def test_room_for_files(self):
        """Nothing is sent that cannot be recorded, and the process does not end (SIGXFSZ)."""
        sim, gateway, api = self.pair()
        api.post("/v1/payments", sale())
        before = len(sim.entries())
        restore = self.limit(gateway, resource.RLIMIT_FSIZE, os.path.getsize(gateway.database + "-wal"))
        for _ in range(3):
            self.problem(api.post("/v1/payments", sale(), "when-full"), 503, "store_failed")
        self.assertEqual(len(sim.entries()), before)
        self.assertTrue(gateway.alive())
        restore()
        self.assertEqual(api.post("/v1/payments", sale(), "when-full").json()["status"], "succeeded")
        self.assertEqual(len(sim.entries()), before + 1)

    def test_readers_of_the_log(self):
        """A collector that stops reading, and a stranger whose every request is a line."""
        _, gateway, api = self.pair()
        gateway.stop()
        os.unlink(gateway.ready_file)
        with subprocess.Popen([*gateway.command, "--ready-file", gateway.ready_file], stderr=subprocess.PIPE) as started:
            self.addCleanup(started.kill)
            until("it is ready", lambda: os.path.exists(gateway.ready_file), 20)
            with open(gateway.ready_file, encoding="utf-8") as file:
                gateway.ready = json.load(file)
            for _ in range(900):
                with Raw(gateway.address) as raw:
                    raw.send(b"X\r\n\r\n")
                    self.assertEqual([answer.status for answer in split_answers(raw.read_to_end())], [400])
            self.assertEqual(api.get("/v1/limits").status, 200)
            # What was lost are whole lines: the rest can be read, and it goes on.
            kept = []
            while len(kept) < 100:
                kept.append(json.loads(started.stderr.readline()))
            self.assertEqual(api.get("/v1/limits").status, 200)
            started.kill()
            started.stderr.read()

    def test_descriptors(self):
        _, gateway, api = self.pair()
        restore = self.limit(gateway, resource.RLIMIT_NOFILE, len(os.listdir(f"/proc/{gateway.pid}/fd")) + 3)
        many = self.connect_many(gateway, 60)
        before = self.cpu(gateway)
        time_over = time.monotonic() + 0.5
        until("half a second", lambda: time.monotonic() > time_over)
        self.assertLess(self.cpu(gateway) - before, 0.3, "the accept loop spins")
        for one in many:
            one.close()
        restore()
        self.served_again(lambda: api.get("/v1/limits"))

    @staticmethod
    def cpu(gateway):
        with open(f"/proc/{gateway.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @unittest.skipIf(SANITIZED, "a sanitizer needs its address space")
    def test_memory_while_connections_come(self):
        """Who comes meanwhile is sent away; who comes later is served. (With TLS, because a plain connection
        hardly needs any.)"""
        sim = self.stage.simulator()
        authority = Authority(self.stage.folder, "ca")
        certificate, key = authority.issue("server")
        context = tls_context(authority)
        gateway = self.stage.gateway(sim, settings={"api": {"tls": {"certificate": certificate, "key": key}}})
        api = gateway.client(context=context)
        self.assertEqual(api.get("/v1/limits").status, 200)
        with open(f"/proc/{gateway.pid}/status", encoding="ascii") as file:
            size = int(re.search(r"VmSize:\s+(\d+)", file.read()).group(1)) * 1024
        restore = self.limit(gateway, resource.RLIMIT_AS, size)
        many = self.connect_many(gateway, 600)
        closed = 0
        for one in many[-50:]:
            one.settimeout(2)
            try:
                closed += one.recv(1) == b""
            except socket.timeout:
                pass
            except OSError:
                closed += 1
        self.assertGreater(closed, 0, "nobody was sent away: memory was never short, or the listener is deaf")
        for one in many:
            one.close()
        restore()
        self.served_again(lambda: request(gateway.url, "GET", "/v1/limits", None, api.headers(), context, timeout=2))
        self.assertEqual(api.post("/v1/payments", sale()).json()["status"], "succeeded")


class RowsThatNobodyWrote(Story):
    """Who can write the database file can do a lot (docs/THREAT-MODEL.md), but a value that cannot be is an error
    and neither the end of the process nor a right that nobody gave."""

    def changed(self, gateway, statement):
        gateway.stop()
        with contextlib.closing(sqlite3.connect(gateway.database)) as database:
            database.execute("PRAGMA ignore_check_constraints = ON")
            database.execute(statement)
            database.commit()
        gateway.start()

    def test_an_answer_that_is_no_http_status(self):
        _, gateway, api = self.pair()
        api.post("/v1/payments", sale(), "again")
        for status in (1, 199, 600, 2**32 + 200, -1):
            self.changed(gateway, f"UPDATE answers SET status = {status}")
            self.problem(api.post("/v1/payments", sale(), "again"), 503, "store_failed")
            self.assertTrue(gateway.alive())
        self.changed(gateway, "UPDATE answers SET status = 201")
        self.assertTrue(api.post("/v1/payments", sale(), "again").replayed)

    def test_a_key_of_no_merchant_is_no_key_to_all_of_them(self):
        _, gateway, api = self.pair()
        other = gateway.client()
        payment = other.post("/v1/payments", sale()).json()["id"]
        for merchant in (0, -1):
            self.changed(gateway, f"UPDATE api_keys SET merchant = {merchant}")
            for path in ("/v1/payments", f"/v1/payments/{payment}"):
                self.problem(api.get(path), 503, "store_failed")
            self.assertEqual(gateway.cli("keys", "list", code=2)[0], 2)

    def test_a_payment_of_no_merchant(self):
        _, gateway, api = self.pair()
        payment = api.post("/v1/payments", sale()).json()["id"]
        api.post("/v1/payments", sale())
        self.changed(gateway, "UPDATE payments SET merchant = 0 WHERE id = (SELECT min(id) FROM payments)")
        self.problem(api.get(f"/v1/payments/{payment}"), 404, "not_found")
        self.assertIn("cannot be read", gateway.cli("payments", "list", code=2)[2])


    def test_an_open_attempt_whose_references_are_damaged(self):
        _, gateway, api = self.pair()
        gateway.stop()
        gateway.start(env={"RAILGATE_CRASH_AT": "after_send"})
        with self.assertRaises((OSError, http.client.HTTPException)):
            api.post("/v1/payments", sale(), "lost")
        gateway.wait_end()
        self.changed(gateway, "UPDATE attempts SET refs = x'ff'")
        told = re.search(r'.*"payment.recovery_impossible".*', gateway.log_text()).group()
        self.assertIn('"status":"MALFORMED"', told)
        self.assertNotIn("host key", told)


class ManyKeys(Story):
    def test_all_are_listed(self):
        """One that is not listed could not be revoked."""
        gateway = self.stage.gateway(self.stage.simulator())
        self.assertEqual(json.loads(gateway.cli("keys", "list", "--json")[1]), [])
        made = [gateway.create_key()["id"] for _ in range(101)]
        self.assertEqual([row["id"] for row in json.loads(gateway.cli("keys", "list", "--json")[1])], made)
        self.assertEqual(re.findall("^key_[0-9a-z]+", gateway.cli("keys", "list")[1], re.M), made)


class LargeRows(Story):
    def test_a_list_of_the_largest_payments_can_be_read(self):
        """Pages are as long as they can be, and none of them is an error."""
        _, _, api = self.pair()
        large = {f"name{number}": "\u0001" * 500 for number in range(19)}
        made = {api.post("/v1/payments", sale(metadata=large)).json()["id"] for _ in range(60)}
        page = api.get("/v1/payments?limit=100")
        self.assertEqual(page.status, 200, page)
        self.assertTrue(page.json()["has_more"])
        self.assertEqual({row["id"] for row in api.payments()}, made)


class Displays(Story):
    def test_no_control_character_reaches_a_terminal(self):
        """ESC is not the only one: U+009B begins the same commands (ECMA-48 8.3.16)."""
        _, gateway, api = self.pair()
        self.problem(api.post("/v1/payments", sale(reference="a\u009b31m")), 422, "invalid_field", "/reference")
        payment = api.post("/v1/payments", sale(metadata={"a": "\u009b2J\u001b[2J"})).json()
        self.assertEqual(payment["metadata"]["a"], "\u009b2J\u001b[2J")
        for options in ((), ("--json",)):
            shown = gateway.cli("payments", "show", payment["id"], *options)[1]
            self.assertFalse(re.search("[\u0000-\u0009\u000b-\u001f\u0080-\u009f]", shown), ascii(shown))


class Files(Story):
    def test_an_open_database_is_told(self):
        _, gateway, _ = self.pair()
        self.assertNotIn("chmod 600", gateway.log_text())
        gateway.stop()
        os.chmod(gateway.database, 0o644)
        gateway.start()
        self.assertRegex(gateway.log_text(), r'"warn".*railgate\.db: others than its owner.*0644.*chmod 600')

    def test_a_link_beside_the_ready_file_is_not_followed(self):
        _, gateway, _ = self.pair()
        gateway.stop()
        precious = os.path.join(self.stage.folder, "precious")
        with open(precious, "w", encoding="ascii") as file:
            file.write("kept")
        os.symlink(precious, gateway.ready_file + ".new")
        gateway.start()
        with open(precious, encoding="ascii") as file:
            self.assertEqual(file.read(), "kept")
        for name in ("railgate.db", "railgate.db-wal", "railgate.db.lock", "host.key"):
            self.assertEqual(os.stat(os.path.join(gateway.var, name)).st_mode & 0o077, 0, name)


if __name__ == "__main__":
    main()
