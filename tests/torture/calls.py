"""The n-th call fails: one payment after another, and each time a later call of the gateway fails, until a payment
passes without the failure. Allocations, calls on files (SQLite's and the log's) and on sockets (merchant's, channel's
and webhook's), each with the errors that it may have.

    python3 tests/torture/calls.py [--full] [--seed N] [--only WORD] [--rail RAIL]

For each n: the failure is armed, a merchant makes a payment and what follows it (capture or refund), the failure is
disarmed. Then
    the answer was clean: 2xx, or a problem document; a broken connection only where one can be the victim,
    asked again with the same keys, both requests have one answer for ever, and the payment is settled,
    the gateway lives; libuv ends the process when the kernel or malloc leave it no way (epoll_ctl, its table of
    descriptors): then that is in the log, and started again everything is as it should be.
In between and at the end of each loop the ledgers are compared with the books, and the journal has no gap.

Without --full each loop is a sample: a few of the n, evenly spread, from where the seed says.
"""

import argparse
import errno
import os
import random
import re
import sys
import threading
import time

sys.path[:0] = [os.path.dirname(__file__), os.path.join(os.path.dirname(__file__), "..", "support")]

import inject  # pylint: disable=wrong-import-position
import rgbank
import rgtest
import rgwallet
from four import CHALLENGED, LOST, OPEN, RAILS, Asked, Four, is_clean, told
from rgrails import cbdc_sale, qr_scan
from rgtest import Failure, Stage, authorisation, sale, until

SHORT = inject.SHORT

# name: (kinds of calls, errors, whether the victim may be the connection itself)
LOOPS = {
    "malloc": (inject.MALLOC, (errno.ENOMEM,), True),
    "vault": (inject.VAULT, (errno.ENOMEM,), True),
    "write": (inject.FILE_WRITE, (errno.EIO, errno.ENOSPC, SHORT), False),
    "sync": (inject.FILE_SYNC, (errno.EIO, errno.ENOSPC), False),
    "truncate": (inject.FILE_TRUNCATE, (errno.EIO,), False),
    "open": (inject.FILE_OPEN, (errno.EMFILE, errno.EIO), False),
    "read": (inject.FILE_READ, (errno.EIO,), False),
    "log": (inject.LOG, (errno.ENOSPC, SHORT), False),
    "socket": (inject.SOCKET, (errno.EMFILE, errno.ENOBUFS), True),
    "connect": (inject.CONNECT, (errno.ECONNRESET, errno.EADDRNOTAVAIL, errno.EINTR), True),
    "accept": (inject.ACCEPT, (errno.EMFILE, errno.ENOBUFS, errno.ECONNABORTED, errno.EINTR), True),
    "send": (inject.SEND, (errno.ECONNRESET, errno.EPIPE, errno.EINTR, errno.EAGAIN, errno.ENOBUFS, SHORT), True),
    "receive": (inject.RECEIVE, (errno.ECONNRESET, errno.ETIMEDOUT, errno.EINTR, errno.EAGAIN, SHORT), True),
    "option": (inject.OPTION, (errno.ENOBUFS,), True),
    "epoll": (inject.EPOLL, (errno.ENOMEM,), True),
}
# Every payment has such calls: a loop that reaches none of them tests nothing.
ALWAYS = ("malloc", "vault", "write", "sync", "accept", "send", "receive")
N_MAX = 100000  # no payment has so many calls of one kind
TOGETHER = 40  # payments between two comparisons
SAMPLES = 3
# Answers that are lost are given up soon: that only makes more of them unknown.
TIMES = {"deadline": f"{int(500 * rgtest.SLOW)}ms", "late_window": "200ms", "connect_timeout": "500ms"}
VERBS = {"card": ("capture", "refunds", "confirm"), "qr": ("refunds",), "bank": ("refunds",), "cbdc": ("capture",)}


def torture_program():
    return os.environ.get("RAILGATE_TORTURE_BIN") or os.path.join(rgtest.ROOT, "build/railgate-torture")


class Place:
    """A gateway of its own whose calls can be made to fail, and one merchant."""

    def __init__(self, stage, seed, program=None):
        self.stage, self.injection = stage, inject.Injection(stage)
        before = os.environ.get("RAILGATE_BIN")
        if program:
            os.environ["RAILGATE_BIN"] = program
        try:
            self.four = Four(stage, merchants=1, seed=seed, env=self.injection.environment, times=TIMES)
        finally:
            if program:
                os.environ.pop("RAILGATE_BIN")
                if before:
                    os.environ["RAILGATE_BIN"] = before
        self.api, self.asked, self.number = self.four.merchants[0], Asked(), 0
        self.deaths, self.paid = 0, None
        until("the library is loaded", lambda: self.injection.attached == self.four.gateway.pid)

    def body(self, rail, verb):
        value = 100 + self.number % 700
        if rail == "card":
            if verb == "confirm":
                return sale(CHALLENGED + value, payer={"id": "p1"})
            payer = {"id": f"p{self.number % 50}"}  # the profile denies a card payment of nobody
            return authorisation(value, payer=payer) if verb == "capture" else sale(value, payer=payer)
        if rail == "qr":
            return qr_scan(value, rgwallet.make_code(f"C{self.number}", f"{value / 100:.2f}"))
        if rail == "bank":
            return rgbank.bank_send(value)
        return cbdc_sale(value, capture="manual" if verb == "capture" else "automatic")

    def post(self, key, path, body, may_break):
        """What the merchant hears the first time; None: the connection broke."""
        self.asked.requests[key] = (self.api, path, body)
        try:
            answer = self.api.post(path, body, key)
        except LOST as error:
            if not may_break:
                raise Failure(f"no answer to {path}: {type(error).__name__} {error}") from error
            return None
        if not is_clean(answer):
            raise Failure(f"no clean answer to {path}: {answer}")
        if answer.status not in (200, 201, 202, 503):
            raise Failure(f"nothing is wrong with the request, so the answer must be to ask again: {answer}")
        return answer

    def one(self, rail, verb, kinds, error, number, may_break):
        """One payment whose number-th call fails. Returns whether it did."""
        self.number += 1
        body, key = self.body(rail, verb), f"n{self.number}"
        self.injection.arm(kinds, error, number)
        try:
            try:
                answer = self.post(key, "/v1/payments", body, may_break)
                following = self.four.follow(answer.json(), verb) if answer is not None and answer.status < 300 else None
                if following:
                    self.post(key + "-next", *following, may_break or not self.four.gateway.alive())
            finally:
                fired = self.injection.disarm()
            if fired:
                self.alive_or_well_buried()
            self.settled(key, verb)
        except BaseException as problem:
            where = f"{rail}, {verb}: call {number} of {kinds:#x} was {self.injection.told() if self.injection.fired else 'not reached'}"
            raise Failure(f"{where}\n{type(problem).__name__}: {problem}") from problem
        return fired > 0

    def alive_or_well_buried(self):
        """A gateway that ended did so on purpose, said so, and is started again."""
        gateway = self.four.gateway
        try:
            rgtest.ops(gateway, "/livez")
            return
        except OSError:
            pass
        code = gateway.wait_end()
        if code != -6 or "gateway.aborted" not in gateway.log_text()[-2000:] or "ensure failed" in gateway.log_text()[-4000:]:
            raise Failure(f"the gateway ended with {code}: {gateway.log_text()[-1500:]}")
        self.deaths += 1
        gateway.start()

    def settled(self, key, verb):
        """Asks again until both requests are answered for good, and the payment is settled."""
        stop = threading.Event()

        def answered(name):
            api, path, body = self.asked.requests[name]
            return until(f"{name} is answered", lambda: self.asked.once(api, name, path, body), 60)

        answer = answered(key)
        if answer.status not in (201, 202):
            raise Failure(f"{key} was refused for good: {answer}")
        name = answer.json()["id"]
        waits = until("the payment is settled", lambda: self.settled_or_waits(name, verb), 60)
        following = self.four.follow(waits, verb)
        if key + "-next" in self.asked.requests:
            answered(key + "-next")
        elif following:
            self.asked.ask(self.api, key + "-next", *following, stop)
        until("the payment is settled", lambda: self.api.payment(name)["status"] not in OPEN, 60)
        self.paid = self.api.payment(name)
        self.whole(self.paid)

    def whole(self, payment):
        """What ended was recorded with all that was said about it, not with what memory was left for."""
        outcome = payment.get("outcome") or {}
        if "result" not in outcome or "channel" not in payment["route"]:
            raise Failure(f"the record is cut short: {payment}")
        said = ("rail_reference", "rail") if payment["status"] == "succeeded" and payment["route"]["channel"] == "card_demo" else ()
        if [name for name in said if name not in outcome]:
            raise Failure(f"something that the card host said is gone: {payment}")

    def settled_or_waits(self, name, verb):
        """The payment, when only its payer can do something about it now, or nobody."""
        payment = self.api.payment(name)
        waits = payment["status"] == "requires_action" and verb == "confirm"
        return payment if waits or payment["status"] not in OPEN else None

    def compare(self):
        """All that was paid here so far."""
        self.four.ready()
        until("nothing is open any more", lambda: self.four.open_attempts() == 0, 60)
        books = self.four.read()
        waiting = self.four.compare(books)
        self.four.journal_is_gapless()
        self.asked.all_exist(books)
        return waiting

    def measure(self, rail, verb, kinds):
        """How many such calls a payment has here."""
        self.one(rail, verb, kinds, errno.EIO, inject.EVER, False)
        if self.paid["status"] == "failed":
            raise Failure(f"it does not even reach a channel: {self.paid}")
        return self.injection.calls

    def finish(self):
        figures = self.four.check()
        figures["asked again, same bytes"] = self.asked.replay(random.Random(self.number))
        if self.four.gateway.stop() != 0:
            raise Failure(f"the gateway ended with {self.four.gateway.wait_end()}")
        self.four.database_is_sound()
        return figures


class Run:
    def __init__(self, full, seed, say):
        self.full, self.say, self.dice = full, say, random.Random(seed)
        self.loops = self.failures = self.deaths = self.waiting = 0
        self.fired = dict.fromkeys(LOOPS, 0)

    def numbers(self, place, rail, verb, kinds):
        """1, 2, 3, ... or a sample of what a payment has."""
        calls = max(1, place.measure(rail, verb, kinds))
        if self.full:
            return range(1, N_MAX)
        stride = max(1, calls // SAMPLES)
        return range(1 + self.dice.randrange(stride), calls + 1, stride)

    def loop(self, place, name, rail, verb, error):
        kinds, _, may_break = LOOPS[name]
        missed = fired = since = last = 0
        for number in self.numbers(place, rail, verb, kinds):
            last = number
            if place.one(rail, verb, kinds, error, number, may_break):
                fired, missed, since = fired + 1, 0, since + 1
            else:
                missed += 1  # what happens beside a payment makes the count vary: once more
            if missed == 2:
                break
            if since == TOGETHER:
                since = 0
                place.compare()
        self.loops += 1
        self.failures += fired
        self.fired[name] += fired
        waiting = place.compare()
        self.say(f"  {name} {inject.name_of(error)}, {rail} {verb}: {fired} failed calls, the last n {last}"
                 f"{f', {waiting} wait for a person' if waiting else ''}")  # fmt: skip

    def place(self, names, rails, program=None):
        with Stage() as stage:
            place = None
            try:
                place = Place(stage, self.dice.randrange(1 << 30), program)
                for name in names:
                    for rail in rails:
                        errors = LOOPS[name][1] if self.full else (self.dice.choice(LOOPS[name][1]),)
                        verbs = VERBS[rail] if self.full else (self.dice.choice(VERBS[rail]),)
                        for error in errors:
                            for verb in verbs:
                                self.loop(place, name, rail, verb, error)
                figures = place.finish()
                self.deaths += place.deaths
                self.waiting += figures["waiting for a person"]
                return figures
            except BaseException:
                print(stage.report(), file=sys.stderr)
                raise
            finally:
                if place is not None:
                    place.four.close()


def run(full, seed, only=None, rails=RAILS, say=print):
    begun = time.monotonic()
    work = Run(full, seed, say)
    chosen = [name for name in LOOPS if only is None or re.fullmatch(only, name)]
    figures = {"seed": seed, "payments": 0, "journal": 0, "webhooks": 0}
    for names, program in (([n for n in chosen if n != "vault"], None), ([n for n in chosen if n == "vault"], torture_program())):
        if names:
            for name, value in work.place(names, rails, program).items():
                figures[name] = figures.get(name, 0) + value
    missed = [name for name in chosen if name in ALWAYS and work.fired[name] == 0]
    if missed or not chosen:
        raise Failure(f"no call failed in {missed or only}: is the library loaded?")
    figures.update({"loops": work.loops, "calls that failed": work.failures, "ends by libuv, and restarts": work.deaths,
                    "seconds": round(time.monotonic() - begun)})  # fmt: skip
    return figures


def main():
    options = argparse.ArgumentParser(description="Makes the n-th call fail, for n from 1.")
    options.add_argument("--full", action="store_true", help="every n, every error")
    options.add_argument("--short", action="store_true", help="a sample (the default)")
    options.add_argument("--seed", type=int, default=int(os.environ.get("RAILGATE_TEST_SEED", "0")))
    options.add_argument("--only", help="loops whose name matches: " + ", ".join(LOOPS))
    options.add_argument("--rail", action="append", choices=RAILS)
    chosen = options.parse_args()
    why = inject.unavailable()
    if why:
        print(f"calls: skipped: {why}")
        return
    seed = chosen.seed or random.SystemRandom().randrange(1, 1 << 30)
    print(f"calls: {'every n' if chosen.full else 'a sample'}, seed {seed}", flush=True)
    try:
        figures = run(chosen.full, seed, chosen.only, chosen.rail or RAILS, lambda text: print(text, flush=True))
    except BaseException:
        print(f"calls: FAILED with seed {seed}", flush=True)
        raise
    print(f"calls: held\n{told(figures)}", flush=True)


if __name__ == "__main__":
    main()
