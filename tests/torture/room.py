"""No room on the disk, no descriptors, and a wall clock that jumps, under load on all four rails.

    python3 tests/torture/room.py [--seed N] [--short] [--only disk|descriptors|clock]

disk         every write to a file fails with ENOSPC for a while, several times (inject.c). Nobody is told 2xx for what is
             not recorded, what was recorded goes on when there is room again, and the gateway needs no restart.
descriptors  merchants keep more connections open than there are descriptors. Who is connected goes on, payments that run
             are settled, reversals reach the card host, and when the others leave everybody is served again.
clock        CLOCK_REALTIME goes hours back and forth. No id is used twice, timers go on (they are monotonic), keys
             that were answered stay answered, a limit of the day is never exceeded, and a restart in the middle of it
             changes nothing.

Afterwards, each time: no payment is open, the ledgers equal the books, and all that four.py looks at.
"""

import argparse
import errno
import json
import os
import random
import resource
import socket
import sys
import threading
import time

sys.path[:0] = [os.path.dirname(__file__), os.path.join(os.path.dirname(__file__), "..", "support")]

import inject  # pylint: disable=wrong-import-position
import rgtest
from four import CAP, CAPPED, LOST, Four, told
from kills import Load, finish
from rgtest import SLOW, Failure, Raw, Stage, sale, until

HOUR = 3600
DESCRIPTORS = 120  # that the gateway may have
TIMES = {"deadline": f"{int(1000 * SLOW)}ms", "late_window": "500ms"}


class Room:
    """A gateway under load, and one thing that is taken away from it."""

    settings = None

    def __init__(self, stage, seed, short):
        self.stage, self.seed, self.short, self.dice = stage, seed, short, random.Random(seed)
        self.injection = inject.Injection(stage)
        self.four = Four(stage, seed=seed, env=self.injection.environment, times=TIMES, settings=self.settings)
        self.gateway, self.host = self.four.gateway, self.four.host
        self.figures = {}
        until("the library is loaded", lambda: self.injection.attached == self.gateway.pid)

    def run(self):
        load = Load(self.four, self.seed).start()
        try:
            load.more(20)
            self.take(load)
            load.more(20)  # and nobody had to start anything again
        finally:
            load.end()
        if load.errors:
            raise load.errors[0]
        if not self.gateway.alive():
            raise Failure(f"the gateway ended with {self.gateway.wait_end()}")
        for sim in self.four.counterparts.values():
            sim.calm()
        self.four.ready()
        load.asked.finish()
        self.four.settle()
        self.afterwards(load)
        return {**self.figures, **finish(self.four, load.asked, self.seed)}

    def take(self, load):
        raise NotImplementedError

    def afterwards(self, load):
        """What only this one can tell."""

    def refused(self, load):
        """Asks until the gateway says no, or nothing at all. The merchant will ask again (finish)."""
        api = self.four.merchants[0]

        def asked():
            key, body = rgtest.fresh_key(), sale(100)
            load.asked.requests[key] = (api, "/v1/payments", body)
            try:
                answer = api.post("/v1/payments", body, key)
            except LOST:
                return "closed"
            return answer.status if answer.status not in (201, 202) else None

        return until("a payment is refused", asked, 60)


class Disk(Room):
    def take(self, load):
        for _ in range(2 if self.short else 10):
            rail = self.dice.choice(("card", "qr", "cbdc", "bank"))
            where = {} if rail == "card" else {"method": "POST"}
            self.four.counterparts[rail].fault("drop_after_booking", next=2, **where)  # something to find out meanwhile
            kinds = inject.FILE_WRITE | inject.FILE_TRUNCATE | inject.LOG
            self.injection.arm(kinds, errno.ENOSPC, self.dice.randrange(1, 200), inject.EVER)
            answers = load.answers
            until("the disk is full", lambda: self.injection.fired > 0 or load.errors, 60)
            status = self.refused(load)
            if status != 503:
                raise Failure(f"without room for a record, a payment is answered with {status}")
            until("it was tried several times", lambda: self.injection.fired > 20 or load.errors, 60)
            failed = self.injection.disarm()
            self.figures["writes that failed"] = self.figures.get("writes that failed", 0) + failed
            self.figures["answers before the disk was full"] = self.figures.get("answers before the disk was full", 0) + answers
            load.more(15)
            until("it is ready again", lambda: rgtest.ops(self.gateway, "/readyz").status == 200, 60)


class Descriptors(Room):
    def take(self, load):
        for _ in range(1 if self.short else 4):
            self.once(load)

    def once(self, load):
        """The ops connection is kept, so that one can see; a merchant who is connected stays so."""
        api = self.four.merchants[0]
        connected = Raw(self.gateway.address, 60)
        idle = []
        soft, hard = resource.prlimit(self.gateway.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.gateway.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
        try:
            self.ask(connected, api, load)
            self.host.fault("drop_after_booking", mti="0200", next=1)  # then a reversal must find its way
            while len(idle) < 2 * DESCRIPTORS:
                try:
                    idle.append(socket.create_connection(self.gateway.address, 10 * SLOW))
                except OSError:
                    break  # it waits in line no more
            until("descriptors are out", lambda: self.used() >= DESCRIPTORS - 2, 60)
            for _ in range(3):
                answer = self.ask(connected, api, load)
                if answer.status not in (201, 202, 503):
                    raise Failure(f"connected before, and now {answer}")
            until("the reversal has come", lambda: self.host.entries("reversal"), 60)
            self.figures["idle connections"] = self.figures.get("idle connections", 0) + len(idle)
            self.figures["descriptors used"] = max(self.figures.get("descriptors used", 0), self.used())
        finally:
            for one in idle:
                one.close()
            connected.socket.close()
        load.more(15)
        resource.prlimit(self.gateway.pid, resource.RLIMIT_NOFILE, (soft, hard))

    def used(self):
        return len(os.listdir(f"/proc/{self.gateway.pid}/fd"))

    @staticmethod
    def ask(connected, api, load):
        key, what = rgtest.fresh_key(), sale(100)
        load.asked.requests[key] = (api, "/v1/payments", what)
        body = json.dumps(what).encode()
        head = "".join(f"{name}: {value}\r\n" for name, value in api.headers(key).items())
        connected.send(f"POST /v1/payments HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        return connected.read_answer()


class Clock(Room):
    # After a restart the next try of a webhook goes by the wall clock, but is never further away than the longest
    # pause, 8640 times the first.
    settings = {"webhooks": {"first_retry": "1ms"}}
    MOVES = (-3, 5, -26, 30, -1, 2)  # hours, from where it is

    def take(self, load):
        api, at = self.four.merchants[0], 0
        key, body = "before-the-clock-moved", sale(777)
        first = load.asked.ask(api, key, "/v1/payments", body, load.stop)
        self.fill(load)
        for hours in self.MOVES[:3] if self.short else self.MOVES * 2:
            at += hours
            self.injection.move_clock(at * HOUR)
            self.four.clock_s = at * HOUR
            self.host.fault("drop_after_booking", mti="0200", next=1)  # a deadline and a reversal run meanwhile
            load.more(20)
            again = api.post("/v1/payments", body, key)
            if (again.status, again.body) != (first.status, first.body) or not again.replayed:
                raise Failure(f"{at} h away the same key is answered with {again}, before with {first}")
            if self.dice.random() < 0.4:
                self.gateway.kill()
                self.gateway.start(ready=False)
                self.figures["restarts meanwhile"] = self.figures.get("restarts meanwhile", 0) + 1
                self.four.ready()
            self.figures["moves of the clock"] = self.figures.get("moves of the clock", 0) + 1
        self.injection.move_clock(0)
        self.four.clock_s = 0
        load.more(10)

    def fill(self, load):
        """All that the capped payer may spend in a day, in parts; what is over it is denied, then and later."""
        api = self.four.merchants[0]
        for number in range(CAP // 1000 + 1):
            body = sale(1000, payer={"id": CAPPED})
            load.asked.ask(api, f"capped-{number}", "/v1/payments", body, load.stop)

    def afterwards(self, load):
        """Back on the day on which it was full, it is still full."""
        api = self.four.merchants[0]
        answer = load.asked.ask(api, "capped-again", "/v1/payments", sale(1000, payer={"id": CAPPED}), threading.Event())
        payment = answer.json()
        if payment["status"] != "failed" or payment["decision"]["result"] != "deny":
            raise Failure(f"over the limit of the day: {payment}")


def run(kind, seed, short):
    begun = time.monotonic()
    with Stage() as stage:
        room = None
        try:
            room = kind(stage, seed, short)
            figures = room.run()
            return {"seed": seed, **figures, "seconds": round(time.monotonic() - begun)}
        except BaseException:
            print(stage.report(), file=sys.stderr)
            raise
        finally:
            if room is not None:
                room.four.close()


KINDS = {"disk": Disk, "descriptors": Descriptors, "clock": Clock}


def main():
    options = argparse.ArgumentParser(description="No room, no descriptors, another time.")
    options.add_argument("--seed", type=int, default=int(os.environ.get("RAILGATE_TEST_SEED", "0")))
    options.add_argument("--short", action="store_true")
    options.add_argument("--only", choices=KINDS)
    chosen = options.parse_args()
    why = inject.unavailable()
    if why:
        print(f"room: skipped: {why}")
        return
    seed = chosen.seed or random.SystemRandom().randrange(1, 1 << 30)
    for name, kind in KINDS.items():
        if chosen.only not in (None, name):
            continue
        print(f"{name}: seed {seed}", flush=True)
        try:
            figures = run(kind, seed, chosen.short)
        except BaseException:
            print(f"{name}: FAILED with seed {seed}", flush=True)
            raise
        print(f"{name}: held\n{told(figures)}", flush=True)


if __name__ == "__main__":
    main()
