"""Killed at any moment, hundreds of times: several merchants pay on all four rails while the gateway gets SIGKILL, is
started again on the same records, and gets it again; in between a counterpart is down, hangs or loses answers.

    python3 tests/torture/kills.py [--kills 300] [--seed N] [--short]

Merchants create, capture, cancel, refund and confirm, do not take a broken connection for an answer, and repeat keys that
were answered. In the end nothing may be open, and then: all four ledgers and the gateway's books tell the same story,
each 2xx exists, each key that is asked again gets the same bytes, the journal has no gap, nobody spent more than his
limit, all webhooks came in order, and SQLite finds its file sound (four.py).

The seed decides what happens and when: after so many answers, at a named step of a payment, after so many lines of
the log. Which payment is hit then depends on the machine.

    load    SIGKILL after so many answers
    step    it kills itself at a step of a payment (RAILGATE_CRASH_AT)
    start   SIGKILL while it starts and takes up what was open, after so many lines of its log
    drain   SIGTERM, and SIGKILL while it lets running requests end
"""

import argparse
import os
import random
import signal
import sys
import threading
import time

sys.path[:0] = [os.path.dirname(__file__), os.path.join(os.path.dirname(__file__), "..", "support")]

from four import RAILS, Asked, Four, told  # pylint: disable=wrong-import-position
from rgtest import Failure, Stage, until

SHOPS, TILLS = 3, 8  # merchants, and threads that work for them
STEPS = ("before_record", "after_record", "after_send", "after_exchange", "before_settle", "after_settle",
         "reversal_recorded", "reversal_sent")  # fmt: skip


class Load:
    """Merchants at work until they are told to stop."""

    def __init__(self, four, seed):
        self.four, self.asked, self.stop, self.errors = four, Asked(), threading.Event(), []
        self.threads = [threading.Thread(target=self._work, args=(n, random.Random(seed * 1000 + n))) for n in range(TILLS)]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    @property
    def answers(self):
        return len(self.asked.answers)

    def more(self, count, seconds=120):
        """Until so many answers more have come."""
        wanted = self.answers + count
        until(f"{count} more answers", lambda: self.answers >= wanted or self.errors, seconds)
        if self.errors:
            raise self.errors[0]

    def _work(self, till, dice):
        number = 0
        try:
            while not self.stop.is_set():
                number += 1
                self._one(f"t{till}-{number}", dice, till * 100000 + number)
        except BaseException as error:  # pylint: disable=broad-except
            self.errors.append(error)

    def _one(self, key, dice, number):
        api = self.four.merchants[number % SHOPS]
        body, verb = self.four.pay(dice.choice(RAILS), dice, number)
        answer = self.asked.ask(api, key, "/v1/payments", body, self.stop)
        if answer is None:
            return
        if dice.random() < 0.1:
            self.asked.once(api, key, "/v1/payments", body)  # again, and known() compares the bytes
        payment = answer.json()
        if answer.status == 202 and dice.random() < 0.3:
            payment = self._now(api, payment)
        if answer.status not in (201, 202) or dice.random() < 0.3:
            return
        following = self.four.follow(payment, verb)
        if following is None:
            return
        then = self.asked.ask(api, key + "-next", *following, self.stop)
        if then is not None and dice.random() < 0.1:
            self.asked.once(api, key + "-next", *following)

    @staticmethod
    def _now(api, payment):
        try:
            return api.payment(payment["id"])
        except (OSError, Failure):
            return payment


class Kills:
    """One run: `count` ends of the gateway, decided by the seed."""

    def __init__(self, four, load, seed, say):
        self.four, self.load, self.dice, self.say = four, load, random.Random(seed), say
        self.gateway, self.done, self.accidents = four.gateway, {}, {}
        self.stopped = None

    def log_lines(self):
        with open(self.gateway.log, "rb") as file:
            return file.read().count(b"\n")

    def after_lines(self, count, ended):
        """Until the log has so many lines more, or it is done with what it does."""
        wanted = self.log_lines() + count
        until("the log goes on", lambda: self.log_lines() >= wanted or not self.gateway.alive() or ended(), 60)

    def accident(self):
        rail = self.dice.choice(RAILS)
        sim = self.four.counterparts[rail]
        kind = self.dice.choice(("down", "hangs", "drop_after_booking", "drop_before_booking", "reset"))
        name = f"{rail} {kind}"
        self.accidents[name] = self.accidents.get(name, 0) + 1
        if kind == "down":
            sim.knobs(down_ms=self.dice.randrange(50, 800))
        elif kind == "hangs" and rail != "qr" and self.stopped is None:  # a merchant asks the wallet for codes
            os.kill(sim.pid, signal.SIGSTOP)
            self.stopped = sim
        elif kind != "hangs":
            where = {} if rail == "card" else {"method": "POST"}
            sim.fault(kind, next=self.dice.randrange(1, 4), **where)

    def wake(self):
        if self.stopped is not None:
            os.kill(self.stopped.pid, signal.SIGCONT)
            self.stopped = None

    def begin(self, env=None):
        """Started again; a killed gateway must be ready, whatever its counterparts do. Now and then it is killed while
        it starts."""
        while env is None and self.dice.random() < 0.12:
            self.gateway.start(wait=False)
            lines = self.dice.randrange(0, 8)
            self.after_lines(lines, lambda: os.path.exists(self.gateway.ready_file))
            self.gateway.kill()
            self.count("start")
        self.gateway.start(env=env, wait=env is None, ready=False)
        if env is not None:  # the step may come while it takes up what was open
            try:
                self.gateway.wait_ready()
            except Failure:
                if self.gateway.alive():
                    raise

    def count(self, kind):
        self.done[kind] = self.done.get(kind, 0) + 1

    def one(self):
        kind = self.dice.choices(("load", "step", "drain"), (70, 20, 10))[0]
        if self.dice.random() < 0.12:
            self.accident()
        if kind == "step":
            step = f"{self.dice.choice(STEPS)}:{self.dice.randrange(1, 12)}"
            self.gateway.kill()
            self.count("load")
            self.begin(env={"RAILGATE_CRASH_AT": step})
            wanted = self.load.answers + 60  # steps of a reversal may not come
            until(step, lambda: not self.gateway.alive() or self.load.answers >= wanted or self.load.errors, 120)
        else:
            self.load.more(self.dice.randrange(1, 30))
        self.wake()
        if self.load.errors:
            raise self.load.errors[0]
        if not self.gateway.alive() and (kind != "step" or self.gateway.wait_end() != -signal.SIGKILL):
            raise Failure(f"the gateway ended by itself with {self.gateway.wait_end()}")
        if kind == "drain":
            self.gateway.popen.send_signal(signal.SIGTERM)
            self.after_lines(self.dice.randrange(1, 6), lambda: False)
        self.gateway.kill()
        self.count(kind)
        if self.dice.random() < 0.05:
            self.four.database_is_sound()
        self.begin()

    @property
    def total(self):
        return sum(self.done.values())

    def run(self, count):
        begun = told_at = time.monotonic()
        while self.total < count:
            self.one()
            if time.monotonic() - told_at > 10:
                told_at = time.monotonic()
                self.say(f"  {self.total} kills, {self.load.answers} answers, {told_at - begun:.0f} s")
        self.wake()


def run(count, seed, say=print):
    """One run; returns its figures."""
    begun = time.monotonic()
    with Stage() as stage:
        four = None
        try:
            four = Four(stage, merchants=SHOPS, seed=seed)
            load = Load(four, seed).start()
            try:
                kills = Kills(four, load, seed, say)
                kills.run(count)
            finally:
                load.end()
            if load.errors:
                raise load.errors[0]
            for sim in four.counterparts.values():
                sim.calm()
            four.ready()
            load.asked.finish()
            four.settle()
            figures = finish(four, load.asked, seed)
            return {"seed": seed, "kills": kills.total, **{f"kills: {k}": v for k, v in sorted(kills.done.items())},
                    **{f"accidents: {k}": v for k, v in sorted(kills.accidents.items())}, **figures,
                    "seconds": round(time.monotonic() - begun)}  # fmt: skip
        except BaseException:
            print(stage.report(), file=sys.stderr)
            raise
        finally:
            if four is not None:
                four.close()


def finish(four, asked, seed):
    figures = four.check()
    figures["requests answered"] = len(asked.answers)
    figures["connections broken"] = asked.broken
    figures["answers 2xx, all there"] = asked.all_exist(four.read())
    figures["asked again, same bytes"] = asked.replay(random.Random(seed))
    if four.gateway.stop() != 0:
        raise Failure(f"the gateway ended with {four.gateway.wait_end()}")
    four.database_is_sound()
    return figures


def main():
    options = argparse.ArgumentParser(description="Kills the gateway under load and compares all books.")
    options.add_argument("--kills", type=int, default=300)
    options.add_argument("--seed", type=int, default=int(os.environ.get("RAILGATE_TEST_SEED", "0")))
    options.add_argument("--short", action="store_true", help="25 kills")
    chosen = options.parse_args()
    seed = chosen.seed or random.SystemRandom().randrange(1, 1 << 30)
    count = 25 if chosen.short else chosen.kills
    print(f"kills: {count} kills, seed {seed}", flush=True)
    try:
        figures = run(count, seed, lambda text: print(text, flush=True))
    except BaseException:
        print(f"kills: FAILED with seed {seed}", flush=True)
        raise
    print(f"kills: held\n{told(figures)}", flush=True)


if __name__ == "__main__":
    main()
