"""Nothing sensitive leaks: card numbers, CVVs, track 2 and PIN blocks are sent through every way in, also in
wrong places, and then searched for in everything the gateway leaves behind: database, WAL, logs, answers,
timelines, metrics, command line output, and the memory that a core dump would contain.

The memory is read in two ways: what the kernel would dump (every readable mapping without the flag "dd",
do not dump) after the payments and with one in flight; and a real core dump of the aborted process, where
the kernel writes core dumps into the working directory.

Test card numbers from published ranges only, each used in this file alone, so that a find is a leak.
"""

import base64
import contextlib
import http.client
import os
import re
import resource
import signal
import threading

from rgchip import emv, pin_block
from rgledger import settle
from rgtest import Authority, Raw, Story, main, ops, request, sale, tls_context, until

# Published test numbers; the simulator knows them all.
MANUAL = "4000056655665556"
STRIPE = "5200828282828210"
CHIP = "6011000990139424"
CONTACTLESS = "2223003122003222"
DECLINED = "4000000000009995"
UNKNOWN = "4005519200000004"  # its answer is lost, so it is kept (sealed) for the reversal
WRONG_PLACE = "3566002020360505"
IN_FLIGHT = "371449635398431"
PANS = (MANUAL, STRIPE, CHIP, CONTACTLESS, DECLINED, UNKNOWN, WRONG_PLACE, IN_FLIGHT)

DISCRETIONARY = "201" + "7391846205"  # of track 2
TRACK2 = f"{STRIPE}=3012{DISCRETIONARY}"
CVV = "8317"


def forms(digits):
    """A number as it could lie around: text, hexadecimal of the text, BCD, UTF-16, base64."""
    text = digits.encode()
    out = {"text": text, "hex of the text": text.hex().encode(), "HEX of the text": text.hex().upper().encode(),
           "UTF-16": digits.encode("utf-16-le"),
           "reversed": text[::-1], "grouped": b" ".join(text[i : i + 4] for i in range(0, len(text), 4))}  # fmt: skip
    even = digits if len(digits) % 2 == 0 else digits + "F"
    out["BCD"] = bytes.fromhex(even)
    for shift in range(3):  # the part of the encoding that does not depend on the neighbours
        coded = base64.b64encode(b"\0" * shift + text)
        out[f"base64, {shift}"] = coded[4 if shift else 0 : -4]
    return out


def is_shifted_in(data, digits):
    """BCD that begins in the middle of a byte. What stands in the other halves of the outer bytes is anything; the
    digits in them count: without, a number of many zeros is found where a pointer follows a count."""
    whole = len(digits) - 1 - (len(digits) - 1) % 2
    middle = bytes.fromhex(digits[1 : 1 + whole])
    at = data.find(middle)
    while at != -1:
        around = data[max(at - 1, 0) : at].hex()[1:] + data[at + whole // 2 : at + whole // 2 + 1].hex()[:1]
        if around.startswith(digits[0] + digits[1 + whole :]):
            return True
        at = data.find(middle, at + 1)
    return False


def needles():
    """What must be nowhere: name -> bytes."""
    out = {}
    for pan in PANS:
        for form, needle in forms(pan).items():
            out[f"card number {pan[:2]}...{pan[-2:]}, {form}"] = needle
    for separator in "=Dd":
        out[f"track 2 with {separator}"] = TRACK2.replace("=", separator).encode()
    out["track 2, BCD"] = bytes.fromhex((TRACK2.replace("=", "D") + "F")[: len(TRACK2) + len(TRACK2) % 2])
    out["track 2, its end"] = DISCRETIONARY.encode()
    block = pin_block("1234", STRIPE)
    out.update({"PIN block": bytes.fromhex(block), "PIN block, HEX": block.encode(), "PIN block, hex": block.lower().encode()})
    # Four digits alone prove nothing; with what stands around them they do.
    out["CVV in JSON"] = f'"cvv":"{CVV}'.encode()
    out["CVV in JSON, spaced"] = f'"cvv": "{CVV}'.encode()
    out["CVV in DE48"] = f"9204{CVV}".encode()
    out["CVV in DE48, BCD"] = bytes.fromhex(f"9204{CVV}")
    return out


NEEDLES = needles()
CVV_NEAR = re.compile(rb"cvv.{0,8}" + CVV.encode(), re.DOTALL)  # as a named value


def found_in(data):
    found = [name for name, needle in NEEDLES.items() if needle in data]
    found += [f"card number {pan[:2]}...{pan[-2:]}, BCD, shifted" for pan in PANS if is_shifted_in(data, pan)]
    if CVV_NEAR.search(data):
        found.append("CVV as a named value")
    return found


def is_of_file(line, data):
    """A mapping that is the bytes of a file and nothing else (a library's tables may hold any seven bytes)."""
    part = line.split(None, 5)
    if len(part) < 6 or "w" in part[1] or not part[5].startswith("/"):
        return False
    try:
        with open(part[5], "rb") as file:
            file.seek(int(part[2], 16))
            return file.read(len(data)).ljust(len(data), b"\0") == data
    except OSError:
        return False


def thread_state(pid):
    """Of the main thread, which is the loop: "S" sleeps, "R" runs or would like to."""
    with open(f"/proc/{pid}/task/{pid}/stat", encoding="ascii", errors="replace") as file:
        return file.read().rpartition(")")[2].split()[0]


def dumpable_memory(pid):
    """What a core dump of the process would contain, mapping by mapping: (name, bytes)."""
    with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as file:
        text = file.read()
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for block in re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", text)[1:]:
            line = block.split("\n", 1)[0]
            start, end = (int(part, 16) for part in line.split(" ", 1)[0].split("-"))
            flags = re.search(r"VmFlags: (.*)", block).group(1).split()
            if "r" not in line.split()[1] or "dd" in flags or "io" in flags or "[v" in line:
                continue
            try:
                memory.seek(start)
                data = memory.read(end - start)
            except OSError:
                continue
            if not is_of_file(line, data):
                yield line, data


class Leaks(Story):
    secure = False

    def setUp(self):
        super().setUp()
        self.context = None
        settings = {"core_dumps": "on", "log": {"level": "debug"}}
        if self.secure:
            authority = Authority(self.stage.folder, "ca")
            certificate, key = authority.issue("server")
            self.context = tls_context(authority)
            settings["api"] = {"tls": {"certificate": certificate, "key": key}}
            sim_tls = ["--tls-cert", certificate, "--tls-key", key]
            channel = {"tls": {"use": True, "ca": authority.certificate, "min_version": "1.3"}}
        else:
            sim_tls, channel = [], {}
        self.sim = self.stage.simulator(*sim_tls)
        self.gateway = self.stage.gateway(self.sim, settings=settings, channel=channel)
        self.api = self.gateway.client(context=self.context)
        self.answers = []

    def keep(self, answer):
        self.answers.append(str(sorted(answer.headers.items())).encode() + answer.body)
        return answer

    def pay(self, card, key=None, **more):
        return self.keep(self.api.post("/v1/payments", sale(1250, method={"type": "card", "card": card}, **more), key))

    def send_everything(self):
        expiry = {"expiry": "3012"}
        every_way = {
            "manual": {"entry": "manual", "pan": MANUAL, **expiry, "cvv": CVV, "cardholder_name": "A TESTER"},
            "stripe": {"entry": "stripe", "track2": TRACK2, "pin_block": pin_block("1234", STRIPE)},
            "stripe with D": {"entry": "stripe", "track2": TRACK2.replace("=", "D")},
            "fallback": {"entry": "fallback", "track2": TRACK2},
            "chip": {"entry": "chip", "pan": CHIP, **expiry, "emv": "5A08" + CHIP + emv(CHIP), "pin_block": pin_block("1234", CHIP)},
            "contactless": {"entry": "contactless", "pan": CONTACTLESS, **expiry, "emv": emv(CONTACTLESS)},
            "declined": {"entry": "manual", "pan": DECLINED, **expiry},
        }  # fmt: skip
        for name, card in every_way.items():
            with self.subTest(entry=name):
                self.assertEqual(self.pay(card, name.replace(" ", "-")).status, 201)
                self.assertTrue(self.pay(card, name.replace(" ", "-")).replayed)
        # A payment whose card number is needed later: captured, refunded, reversed from what was kept.
        self.sim.fault("drop_after_booking", mti="0200", next=1)
        self.pay({"entry": "manual", "pan": UNKNOWN, **expiry})
        hold = self.keep(self.api.post("/v1/payments", sale(500, pan=MANUAL, capture="manual"))).json()["id"]
        self.keep(self.api.post(f"/v1/payments/{hold}/capture"))
        self.keep(self.api.post(f"/v1/payments/{hold}/refunds"))
        settle(self.api)

    def wrong_places(self):
        pan, post = WRONG_PLACE, self.api.post
        good = {"entry": "manual", "pan": MANUAL, "expiry": "3012"}
        self.keep(post("/v1/payments", sale(1, reference=pan)))
        self.keep(post("/v1/payments", sale(1, description=f"card {pan}")))
        self.keep(post("/v1/payments", sale(1, metadata={"card": pan})))
        self.keep(post("/v1/payments", sale(1, metadata={pan: "x"})))
        self.keep(post("/v1/payments", sale(1, payer={"id": pan, "name": pan})))
        self.keep(post("/v1/payments", sale(1, region=pan)))
        self.keep(post("/v1/payments", sale(1), pan))
        self.keep(post("/v1/payments", {**sale(1), pan: pan}))
        self.keep(post("/v1/payments", {"pan": pan, "cvv": CVV, "track2": TRACK2}))
        self.keep(post("/v1/payments", '{"method":{"card":{"pan":"%s","cvv":"%s' % (pan, CVV)))
        self.keep(post("/v1/payments", pan))
        self.keep(post("/v1/payments", '"%s' % pan))
        self.keep(post("/v1/payments", '{"%s":1,"%s":2}' % (pan, pan)))
        self.pay({**good, "pan": pan[:-1] + "9"})
        self.pay({**good, "cardholder_name": pan})
        self.pay({**good, "entry": pan})
        self.pay({**good, "cvv": TRACK2})
        self.pay({"entry": "stripe", "track2": pan + "=99"})
        self.keep(self.api.get(f"/v1/payments/{pan}"))
        self.keep(self.api.get(f"/v1/payments?reference={pan}"))
        self.keep(self.api.get(f"/v1/payments?cursor={pan}&status={pan}"))
        self.keep(self.api.get(f"/{pan}"))
        self.keep(self.api.get("/v1/limits", X_Card=pan, Prefer=f"wait={pan}", User_Agent=pan))
        self.keep(request(self.gateway.url, "GET", "/v1/limits", None, {"Authorization": f"Bearer {pan}"}, self.context))
        self.keep(request(self.gateway.url, "POST", "/v1/payments", sale(1), {"Authorization": pan, "Idempotency-Key": pan}, self.context))
        for path in (f"/{pan}", f"/metrics?card={pan}"):
            self.keep(ops(self.gateway, path))
        if not self.secure:
            for data in (f"GET /{pan} HTTP/1.1\r\nHost: {pan}\r\nX-A : {pan}\r\n\r\n", f"{pan}\r\n\r\n", f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {pan}\r\n\r\n"):
                with Raw(self.gateway.address) as raw:
                    raw.send(data.encode())
                    raw.finish()
                    self.answers.append(raw.read_to_end())

    def read_back(self):
        for payment in self.api.payments():
            for path in ("", "/events", "/captures", "/refunds"):
                self.keep(self.api.get(f"/v1/payments/{payment['id']}{path}"))
            self.answers.append("".join(self.gateway.cli("payments", "show", payment["id"])[1:]).encode())
            self.answers.append("".join(self.gateway.cli("payments", "show", payment["id"], "--json")[1:]).encode())
        self.answers.append("".join(self.gateway.cli("payments", "list")[1:]).encode())
        self.keep(ops(self.gateway, "/metrics"))
        self.keep(ops(self.gateway, "/readyz"))

    def files(self):
        for folder, _, names in os.walk(self.stage.folder):
            for name in names:
                path = os.path.join(folder, name)
                ours = "config" not in os.path.relpath(path, self.stage.folder).split(os.sep) and not name.startswith("sim")
                if ours and os.path.isfile(path):  # not a socket
                    with open(path, "rb") as file:
                        yield os.path.relpath(path, self.stage.folder), file.read()

    def memory_is_clean(self, when):
        if os.environ.get("RAILGATE_TEST_SANITIZED"):
            print(f"skipped: memory {when}: a sanitizer keeps copies and terabytes of shadow", flush=True)
            return
        total = 0
        for mapping, data in dumpable_memory(self.gateway.pid):
            total += len(data)
            self.assertEqual(found_in(data), [], f"{when}: in memory that a core dump contains: {mapping}")
        self.assertGreater(total, 100_000, "the memory could be read")

    def core_is_clean(self):
        """A real one, of the kernel: the process is aborted with a payment in flight."""
        with open("/proc/sys/kernel/core_pattern", encoding="ascii") as file:
            pattern = file.read().strip()
        _, hard = resource.prlimit(self.gateway.pid, resource.RLIMIT_CORE)
        if pattern.startswith(("|", "/")) or hard == 0 or os.environ.get("RAILGATE_TEST_SANITIZED"):
            print(f"skipped: the kernel's own core dump (pattern {pattern}, hard limit {hard}); what it would "
                  "contain was searched in /proc/PID/mem", flush=True)  # fmt: skip
            return
        resource.prlimit(self.gateway.pid, resource.RLIMIT_CORE, (hard, hard))
        with self.in_flight():
            os.kill(self.gateway.pid, signal.SIGABRT)
            self.assertEqual(self.gateway.wait_end(60), -signal.SIGABRT)
        cores = [n for n in os.listdir(self.stage.folder) if n.startswith("core") and n[4:5] in ("", ".")]
        self.assertEqual(len(cores), 1, "a core dump was written")
        path = os.path.join(self.stage.folder, cores[0])
        with open(path, "rb") as file:
            data = file.read()
        os.unlink(path)
        self.assertGreater(len(data), 100_000)
        self.assertEqual(found_in(data), [], "in the core dump")
        self.gateway.start()
        settle(self.api)

    def test_nothing_is_found_anywhere(self):
        self.send_everything()
        self.wrong_places()
        self.read_back()
        self.memory_is_clean("after the payments")
        with self.in_flight():
            self.memory_is_clean("with a payment in flight")
        self.core_is_clean()
        for number, answer in enumerate(self.answers):
            self.assertEqual(found_in(answer), [], f"answer {number}: {answer[:300]}")
        for when in ("while it runs", "after it was stopped"):
            names = []
            for name, data in self.files():
                names.append(os.path.basename(name))
                self.assertEqual(found_in(data), [], f"{when}: in {name}")
            self.assertIn("railgate.db", names)
            if when == "while it runs":
                self.assertIn("railgate.db-wal", names)
                self.gateway.stop()

    @contextlib.contextmanager
    def in_flight(self):
        """A payment whose message is at the card host, and whose answer takes its time."""
        self.sim.fault("delay", mti="0200", ms=900, next=1)
        card = {"entry": "manual", "pan": IN_FLIGHT, "expiry": "3012", "cvv": CVV}
        before = len(self.sim.entries())

        def pay():
            try:
                self.pay(card)
            except (OSError, http.client.HTTPException):
                pass  # the gateway was aborted meanwhile

        thread = threading.Thread(target=pay)
        thread.start()
        until("the sale is at the card host", lambda: len(self.sim.entries()) > before)
        # The card host may have it before the turn that sent it is over, and then it is wiped.
        until("the gateway's loop waits", lambda: thread_state(self.gateway.pid) == "S")
        yield
        thread.join()
        if self.gateway.alive():
            settle(self.api)

    def test_the_search_finds_what_is_there(self):
        """The needles are sharp: what a careless program would leave is found."""
        for data in (MANUAL.encode(), bytes.fromhex(MANUAL), b"x" + TRACK2.encode(), bytes.fromhex("0" + MANUAL + "F"),
                     bytes.fromhex("7" + DECLINED + "0"), bytes.fromhex("1" + IN_FLIGHT), b'{"cvv":"8317"}',
                     b"\x03cvv\x00\x048317", pin_block("1234", STRIPE).encode(), IN_FLIGHT.encode(),
                     base64.b64encode(b"a" + MANUAL.encode()), base64.b64encode(b"ab" + MANUAL.encode() + b"c")):  # fmt: skip
            self.assertTrue(found_in(b"\0" * 10 + data + b"\0" * 10), data)
        for data in (f"411111******1111 {CVV}".encode(), bytes(8) + bytes.fromhex("09997163ec550000")):
            self.assertEqual(found_in(data), [])
        kept = bytearray(b"x" * 64 + MANUAL.encode())
        found = [name for _, data in dumpable_memory(os.getpid()) for name in found_in(data)]
        self.assertTrue(found and kept, "the memory of this very process holds them")


class LeaksOverTls(Leaks):
    secure = True

    def test_the_search_finds_what_is_there(self):
        """Said once."""


if __name__ == "__main__":
    main()
