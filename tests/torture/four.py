"""four - a gateway with all four rails, their counterparts, some merchants and a receiver of webhooks, and what must be
true of them whatever was done to the gateway.

    four = Four(stage, merchants=3)
    four.pay(merchant, "card", dice, number)     # (path, body) of a payment of that rail
    four.settle(); four.check()                  # books, answers, journal, limits, webhooks, database

The gateway's books are read through its API, once for each merchant and not payment by payment, so that thousands of
payments are compared in seconds (rgledger.py does the comparing).

Test card numbers from ranges that card schemes publish for sandboxes (see rgtest.py).
"""

import datetime
import http.client
import http.server
import json
import os
import random
import sqlite3
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))

import rgbank  # pylint: disable=wrong-import-position
import rgprofile
import rgrails
import rgtest
import rgwallet
from rgledger import compare, compare_cbdc, compare_wallet
from rgrails import cbdc_channel, cbdc_sale, qr_channel, qr_sale, qr_scan, store_is_sound
from rgtest import SLOW, Failure, sale, until

LOST = (OSError, http.client.HTTPException)  # the connection broke
RAILS = ("card", "qr", "bank", "cbdc")
OPEN = ("processing", "requires_action")
PAYS_ITSELF = 9101  # a phone scans the code 50 ms after it is shown (modulo 10000)
CHALLENGED = 5000  # card payments of so much and more are confirmed by their payer
CAPPED, CAP = "capped", 20000  # what this payer of each merchant may pay in a day
TIMES = {"deadline": f"{int(2000 * SLOW)}ms", "late_window": "1s"}


def profile():
    """The calendar day does not end while a test runs (rgprofile.noon)."""
    day = {"id": "day", "per": "payer", "window": "day", "rails": ["card"], "max": [f"{CAP // 100}.00 EUR"]}
    large = {"id": "large", "rails": ["card"], "from": [f"{CHALLENGED // 100}.00 EUR"], "then": "challenge"}
    return rgprofile.noon(limits=[{**day, "when": [f"payer.id={CAPPED}"]}, large])


class Receiver:
    """One server for the webhooks of all merchants; each has a path. Now and then it fails."""

    def __init__(self, seed, failures_percent=3):
        self.got, self.lock, self.dice = {}, threading.Lock(), random.Random(seed)
        self.failed, self.failures_percent = 0, failures_percent
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # pylint: disable=invalid-name
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(receiver.take(self.path, self.headers["webhook-id"]))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):  # the gateway dies in the middle of requests
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def take(self, path, event):
        with self.lock:
            if self.dice.randrange(100) < self.failures_percent:
                self.failed += 1
                return 503
            self.got.setdefault(path, []).append(event)
            return 200

    def url(self, path):
        return f"http://127.0.0.1:{self.server.server_address[1]}{path}"

    def events(self, path):
        with self.lock:
            return list(self.got.get(path, ()))

    def count(self):
        with self.lock:
            return sum(len(rows) for rows in self.got.values())

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Books:
    """A merchant's payments and events, read once; in place of a client for rgledger."""

    def __init__(self, client):
        self.merchant, self.rows, self.by_payment = client.merchant, client.payments(), {}
        self.journal = client.all("/v1/events")
        for event in self.journal:
            self.by_payment.setdefault(event["payment"], []).append(event)

    def payments(self):
        return [dict(row) for row in self.rows]

    def events(self, payment_id):
        return self.by_payment.get(payment_id, [])


class Four:
    def __init__(self, stage, merchants=3, seed=1, env=None, settings=None, quiet=True, times=None):
        self.stage = stage
        loud = ("--log-level", "warn") if quiet else ()
        self.host, self.wallet = stage.simulator(*loud), rgwallet.start(stage, *loud)
        self.ledger, self.bank = rgrails.start_ledger(stage, *loud), rgbank.start(stage, *loud)
        self.receiver = Receiver(seed)
        self.east = datetime.timedelta(hours=12 - time.gmtime().tm_hour)  # rgprofile.noon_zone
        self.clock_s = 0  # how far the gateway's wall clock is ahead of ours
        whole = rgprofile.sca(webhooks={"allow_http": True, "allow_private": True, "first_retry": "20ms"})
        whole["keys"] = rgbank.keys() + [row for row in whole["keys"] if row["name"] == "codes"]
        times = times or TIMES
        channels = [qr_channel(self.wallet, **times), cbdc_channel(self.ledger, **times), rgbank.bank_channel(self.bank, **times)]
        self.gateway = rgrails.rails(
            stage, channels, self.host, settings=rgtest.merge(whole, settings), channel=times, region=profile(), env=env
        )
        self.merchants = [self.gateway.client("--rate", "1000000") for _ in range(merchants)]
        for number, api in enumerate(self.merchants):
            body = {"url": self.receiver.url(f"/{number}")}
            answer = rgtest.request(self.gateway.url, "POST", "/v1/webhook_endpoints", body, api.headers())
            if answer.status != 201:
                raise Failure(f"the webhook endpoint: {answer}")

    def close(self):
        self.receiver.close()

    @property
    def counterparts(self):
        return {"card": self.host, "qr": self.wallet, "bank": self.bank, "cbdc": self.ledger}

    def ready(self):
        self.gateway.ready_for_payments()

    # --- what merchants ask for

    def pay(self, rail, dice, number):
        """(body of a payment of this rail, what may be asked of it once it has gone through)"""
        value = 100 + number % 700
        if rail == "card":
            payer = {"payer": {"id": f"p{number % 50}"}}
            return dice.choice((
                (sale(value, **payer), "refunds"),
                (sale(value, capture="manual", **payer), "capture"),
                (sale(value, capture="manual", **payer), "cancel"),
                (sale(CHALLENGED + value, **payer), "refunds"),
                (sale(value, payer={"id": CAPPED}), "refunds"),
            ))  # fmt: skip
        if rail == "qr":
            kind = dice.randrange(3)
            if kind == 0:
                return qr_sale(PAYS_ITSELF + 10000 * (number % 9000)), "refunds"
            if kind == 1:
                return qr_scan(value, rgwallet.make_code(f"T{number}", f"{value / 100:.2f}")), "refunds"
            return qr_scan(value, self.wallet.present()), "refunds"
        if rail == "bank":
            return rgbank.bank_send(value), "refunds"
        if dice.randrange(2):
            return cbdc_sale(value, capture="manual"), dice.choice(("capture", "cancel"))
        return cbdc_sale(value), "refunds"

    def follow(self, payment, verb):
        """(path, body) of what is asked next of a payment, or None."""
        path = f"/v1/payments/{payment['id']}"
        if payment["status"] == "requires_action":
            if payment["next_action"]["type"] != "authenticate":
                return None
            code = rgprofile.one_time_code(payment, payment["payer"]["id"], at=time.time() + self.clock_s)
            return f"{path}/confirm", {"authentication": {"type": "code", "code": code}}
        if payment["status"] == "authorized" and verb in ("capture", "cancel"):
            return f"{path}/{verb}", {}
        if payment["status"] == "succeeded" and verb == "refunds":
            return f"{path}/refunds", {}
        return None

    # --- what must be true

    def ask_store(self, *sql):
        """Answers of the database file itself, read only."""
        store = sqlite3.connect(f"file:{self.gateway.database}?mode=ro", uri=True, timeout=30)
        try:
            return [store.execute(text).fetchone() for text in sql]
        finally:
            store.close()

    def open_attempts(self):
        """Sending, pending, unknown or reversing (gateway/store/sqlite_open.c, attempts_open)."""
        return self.ask_store("select count(*) from attempts where state = 1 or state = 4 or state = 8 or state = 9")[0][0]

    def settle(self, seconds=120):
        """Codes that nobody paid and payments that nobody confirmed are canceled; then nothing is open any more."""

        def nothing_is_open():
            waiting = 0
            for api in self.merchants:
                for payment in api.payments():
                    if payment["status"] == "requires_action":
                        api.post(f"/v1/payments/{payment['id']}/cancel", {})
                    waiting += payment["status"] == "requires_action"
            return waiting == 0 and self.open_attempts() == 0

        until("nothing is open any more", nothing_is_open, seconds)

    def read(self):
        return [Books(api) for api in self.merchants]

    def compare(self, books=None):
        """The four ledgers and the gateway's books tell the same story. Returns how many attempts wait for a person."""
        books = books or self.read()
        waiting = compare(books, self.host, allow_open=True, channels=["card_demo"])["open"]
        waiting += compare_wallet(books, self.wallet, allow_open=True, channels=["wallet"])["open"]
        waiting += compare_cbdc(books, self.ledger, allow_open=True, channels=["cbdc"])["open"]
        waiting += rgbank.compare_bank(books, self.bank, allow_open=True, channels=["bank"])["open"]
        if self.wallet.booked_twice():
            raise Failure(f"booked twice at the wallet provider: {self.wallet.booked_twice()}")
        return len(waiting)

    def journal_is_gapless(self):
        """Returns how many entries it has."""
        first, last, count = self.ask_store("select min(seq), max(seq), count(*) from journal")[0]
        if (first, last) != (1, count):
            raise Failure(f"the journal goes from {first} to {last} and has {count} entries")
        return count

    def limits_hold(self, books):
        """Whoever is capped has paid no more than his cap on any day of the profile's zone."""
        for book in books:
            spent = {}
            for payment in book.rows:
                capped = (payment.get("payer") or {}).get("id") == CAPPED
                if capped and payment["status"] not in ("failed", "reversed", "canceled"):
                    day = (datetime.datetime.fromisoformat(payment["created"]) + self.east).date()
                    spent[day] = spent.get(day, 0) + payment["amount"]["value"]
            if spent and max(spent.values()) > CAP:
                raise Failure(f"{book.merchant}: {spent} spent of a limit of {CAP}")

    def still_missing(self, path, wanted, seconds):
        """What does not come, and nothing else either, for so long."""
        end, count = time.monotonic() + seconds * SLOW, -1
        while True:
            got = self.receiver.events(path)
            missing = wanted - set(got)
            if not missing or time.monotonic() > end:
                return missing
            if len(got) > count:
                end, count = time.monotonic() + seconds * SLOW, len(got)
            time.sleep(0.05)

    def webhooks_came(self, books=None, seconds=60):
        """Each event of the journal, at least once, the first of each in order. Returns how many."""
        books = books or self.read()
        for number, book in enumerate(books):
            wanted = [event["id"] for event in book.journal]
            lost = self.still_missing(f"/{number}", set(wanted), seconds)
            if lost:
                endpoint = self.ask_store(f"select status, cursor, failures, next_us, why from webhook_endpoints limit 1 offset {number}")
                delivered = len(self.receiver.events(f"/{number}"))
                raise Failure(
                    f"{book.merchant}: {len(lost)} of {len(wanted)} webhooks did not come: {sorted(lost)[:5]}; "
                    f"{delivered} came; status, cursor, failures, next try, why: {endpoint}"
                )
            known = set(wanted)
            first = [event for event in dict.fromkeys(self.receiver.events(f"/{number}")) if event in known]
            if first != wanted:
                at = next(i for i, pair in enumerate(zip(first, wanted)) if pair[0] != pair[1])
                raise Failure(f"{book.merchant}: webhook {at} is {first[at]}, and should be {wanted[at]}")
        return sum(len(book.journal) for book in books)

    def check(self):
        """All of it, once nothing is open. Returns figures."""
        books = self.read()
        waiting = self.compare(books)
        self.limits_hold(books)
        figures = {
            "payments": sum(len(book.rows) for book in books),
            "journal": self.journal_is_gapless(),
            "webhooks": self.webhooks_came(books),
            "webhook tries refused": self.receiver.failed,
            "waiting for a person": waiting,
        }
        for book in books:
            for payment in book.rows:
                name = f"payments {payment['status']}"
                figures[name] = figures.get(name, 0) + 1
        return figures

    def database_is_sound(self):
        store_is_sound(self.gateway)


def told(figures):
    return "\n".join(f"    {name:28} {value}" for name, value in figures.items())


class Asked:
    """Everything that merchants asked for, with what they heard: each key has one answer for ever."""

    def __init__(self):
        self.lock = threading.Lock()
        self.requests, self.answers = {}, {}
        self.repeats = self.broken = self.put_off = 0

    def known(self, key, answer):
        """Remembers a final answer; another one than before is the worst that can happen."""
        with self.lock:
            before = self.answers.setdefault(key, answer)
        if (before.status, before.body) != (answer.status, answer.body):
            raise Failure(f"two answers to {key}: {before} and then {answer}")

    def ask(self, api, key, path, body, stop):
        """Asks until there is an answer, like a merchant who will not be put off. None: stopped before."""
        with self.lock:
            self.requests[key] = (api, path, body)
        while True:
            answer = self.once(api, key, path, body)
            if answer is not None or stop.is_set():
                return answer
            stop.wait(0.02)

    def once(self, api, key, path, body):
        try:
            answer = api.post(path, body, key)
        except LOST:
            with self.lock:
                self.broken += 1
            return None
        if not is_clean(answer):
            raise Failure(f"no clean answer to {key} (POST {path}): {answer}")
        if is_final(answer):
            self.known(key, answer)
            return answer
        with self.lock:
            self.put_off += 1
        return None

    def finish(self):
        """Those that were cut off at the end."""
        for key, (api, path, body) in list(self.requests.items()):
            if key not in self.answers:
                until(f"{key} is answered", lambda a=(api, key, path, body): self.once(*a), 60)

    def replay(self, dice, most=1500):
        """Asks again with keys that were answered: the same bytes. Returns how many."""
        keys = [key for key in self.answers if is_kept(self.answers[key])]
        for key in dice.sample(keys, min(most, len(keys))):
            api, path, body = self.requests[key]
            again = api.post(path, body, key)
            self.known(key, again)
            if not again.replayed:
                raise Failure(f"{key} was carried out again: {again}")
        return min(most, len(keys))

    def all_exist(self, books):
        """Each 2xx is in the books. Returns how many."""
        payments = {row["id"]: row for book in books for row in book.rows}
        count = 0
        for key, answer in self.answers.items():
            if not is_kept(answer):
                continue
            count += 1
            _, path, body = self.requests[key]
            told_of = answer.json()
            name = told_of["payment"] if told_of.get("payment") else told_of["id"]
            if name not in payments:
                raise Failure(f"{key} was answered with {answer}, and there is no such payment")
            if path == "/v1/payments" and payments[name]["amount"] != body["amount"]:
                raise Failure(f"{key}: {body['amount']} became {payments[name]['amount']}")
        created = [a.json()["id"] for k, a in self.answers.items() if self.requests[k][1] == "/v1/payments" and is_kept(a)]
        if len(set(created)) != len(created):
            raise Failure("two keys, one payment")
        if len(payments) != len(created):
            raise Failure(f"{len(created)} payments were asked for, and there are {len(payments)}")
        return count


def is_kept(answer):
    return answer.status in (200, 201, 202)


# What says "nothing was decided, ask again".
_LATER = ("idempotency_key_running", "operation_running", "overloaded", "starting", "answer_not_kept", "store_failed", "internal")


def is_final(answer):
    return is_kept(answer) or answer.json()["code"] not in _LATER


def is_clean(answer):
    """2xx with JSON, or a problem document whose status fits its own words."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        return False
    if is_kept(answer):
        return isinstance(body, dict) and "id" in body
    return answer.headers.get("content-type") == "application/problem+json" and body.get("status") == answer.status
