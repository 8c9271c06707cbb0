"""kill -9 at any moment loses nothing and charges nothing twice.

The gateway kills itself with SIGKILL at a named step of a payment (RAILGATE_CRASH_AT=step, sandbox only),
is started again on the same records, and the merchant repeats his request with the same key. Then every
payment must be final, and the gateway's records and the card host's books must tell the same story.

    before_record      nothing is recorded, nothing was sent: the repeat is the first execution
    after_record       the attempt is recorded as SENDING, its bytes may or may not have left
    after_send         the bytes have left
    after_exchange     the answer was read; before_settle: it is about to be recorded
    after_settle       it is recorded, and the merchant has not heard of it
    reversal_recorded  the answer was lost, the reversal is recorded; reversal_sent: it has left
"""

import http.client
import os
import random
import threading

from rgledger import attempts_of, compare, settle
from rgtest import Failure, Stage, Story, authorisation, main, sale, together, until

BEFORE_ANSWER = ("before_record", "after_record", "after_send", "after_exchange", "before_settle", "after_settle")
REVERSAL = ("reversal_recorded", "reversal_sent")
LOST = (OSError, http.client.HTTPException)  # the connection broke
AT_ONCE = 4


class Crash:
    """One gateway and one card host; the verb's first request ends in a crash at the step."""

    def __init__(self, stage, verb, step):
        self.stage, self.verb, self.step = stage, verb, step
        self.sim = stage.simulator()
        self.gateway = stage.gateway(self.sim)
        self.api = self.gateway.client()
        self.path, self.body, self.mti = "/v1/payments", sale(1000), "0200"
        if verb == "authorise":
            self.body, self.mti = authorisation(1000), "0100"
        if verb in ("capture", "cancel"):
            payment = self.api.post(self.path, authorisation(1000)).json()["id"]
            self.path, self.body, self.mti = f"/v1/payments/{payment}/{verb}", {}, {"capture": "022", "cancel": "0400"}[verb]
            if verb == "capture":
                self.body = {"amount": {"value": 400, "currency": "EUR"}}
        if verb == "refund":
            payment = self.api.post(self.path, sale(1000)).json()["id"]
            self.path, self.body = f"/v1/payments/{payment}/refunds", {"amount": {"value": 400, "currency": "EUR"}}

    def crash(self):
        name = self.step.partition(":")[0]
        if name in REVERSAL or ":" in self.step:
            self.sim.fault("drop_after_booking", mti=self.mti, next=1)
        elif name == "after_send":
            self.sim.fault("delay", mti=self.mti, ms=300, next=1)
        if name == "reversal_sent" or ":" in self.step:
            # The second message is answered slowly, so that the crash comes before the answer.
            second = "0420" if name == "reversal_sent" else self.mti + "1"
            self.sim.knobs(faults=[{"fault": "drop_after_booking", "mti": self.mti, "next": 1},
                                   {"fault": "delay", "mti": second, "ms": 300, "next": 1}])  # fmt: skip
        self.gateway.stop()
        self.gateway.start(env={"RAILGATE_CRASH_AT": self.step})
        try:
            answer = self.api.post(self.path, self.body, "the-key")
        except LOST:
            answer = None
        code = self.gateway.wait_end()
        if code != -9:
            raise Failure(f"the gateway ended with {code}, not by SIGKILL")
        if answer is not None and name != "after_settle" and ":" not in self.step:
            raise Failure(f"the merchant got an answer before the crash: {answer}")
        self.sim.calm()
        return answer

    def repeat(self):
        """The merchant's repeats, until he has an answer."""

        def asked():
            answer = self.api.post(self.path, self.body, "the-key")
            return answer if answer.status not in (409, 503) else None

        return until("the repeat is answered", asked, 15)

    def operation(self):
        """Status of the operation in question, once it is final."""
        payment = self.api.payments()[0]
        if self.verb in ("sale", "authorise"):
            return payment["status"]
        if self.verb == "cancel":
            return payment["status"]
        rows = self.api.get(f"/v1/payments/{payment['id']}/{self.verb}s").json()["data"]
        if len(rows) != 1:
            raise Failure(f"{len(rows)} rows of one {self.verb}")
        return rows[0]["status"]


# What the operation is in the end: (when nothing was recorded, when the outcome was lost, when it was kept).
IN_THE_END = {
    "sale": ("succeeded", "reversed", "succeeded"),
    "authorise": ("authorized", "reversed", "authorized"),
    "capture": ("succeeded", "succeeded", "succeeded"),  # repeated: booked once however often it comes
    "cancel": ("canceled", "canceled", "canceled"),
    "refund": ("succeeded", "failed", "succeeded"),
}


def expected(verb, step):
    at = 0 if step == "before_record" else 2 if step == "after_settle" else 1
    return IN_THE_END[verb][at]


class Steps(Story):
    def run_one(self, verb, step):
        with Stage() as stage:
            try:
                run = Crash(stage, verb, step)
                before = run.crash()
                run.gateway.start()
                answer = run.repeat()
                settle(run.api, 20)
                if len(run.api.payments()) != 1:
                    raise Failure(f"{len(run.api.payments())} payments instead of one")
                if run.operation() != expected(verb, step):
                    raise Failure(f"in the end it is {run.operation()}, expected {expected(verb, step)}")
                again = run.api.post(run.path, run.body, "the-key")
                if (again.status, again.body) != (answer.status, answer.body):
                    raise Failure(f"another answer to the same key: {answer} and then {again}")
                if before is not None and before.body != answer.body:
                    raise Failure(f"another answer after the crash: {before} and then {answer}")
                compare(run.api, run.sim)
                run.gateway.stop()
            except Exception as error:
                raise Failure(f"{verb}, killed at {step}: {type(error).__name__}: {error}\n{stage.report()}") from error

    def all_of(self, verb, steps):
        together([lambda s=s: self.run_one(verb, s) for s in steps], AT_ONCE)

    def test_sale(self):
        self.all_of("sale", BEFORE_ANSWER + REVERSAL)

    def test_authorise(self):
        self.all_of("authorise", BEFORE_ANSWER + REVERSAL)

    def test_capture(self):
        self.all_of("capture", BEFORE_ANSWER + ("after_send:2",))

    def test_cancel(self):
        self.all_of("cancel", BEFORE_ANSWER)

    def test_refund(self):
        self.all_of("refund", BEFORE_ANSWER + REVERSAL)


class Recovery(Story):
    def test_a_crash_in_the_middle_of_recovery(self):
        with_crash = Crash(self.stage, "sale", "after_exchange")
        with_crash.crash()
        gateway, api, sim = with_crash.gateway, with_crash.api, with_crash.sim
        for step in ("reversal_recorded", "reversal_sent"):
            sim.fault("delay", mti="042", ms=200)
            gateway.start(env={"RAILGATE_CRASH_AT": step}, wait=False)
            self.assertEqual(gateway.wait_end(), -9, step)
        sim.calm()
        gateway.start()
        settle(api)
        self.assertEqual(api.payments()[0]["status"], "reversed")
        reversals = [a for a in attempts_of(api.events(api.payments()[0]["id"]), "") if a.operation == "reverse"]
        self.assertEqual(len(reversals), 1, "the same reversal again, never a second one")
        compare(api, sim)

    def test_the_card_host_is_down_at_the_start(self):
        run = Crash(self.stage, "sale", "after_exchange")
        run.crash()
        run.sim.knobs(down_ms=-1)
        run.gateway.start(ready=False)
        payment = run.api.payments()[0]
        self.assertEqual(payment["status"], "processing")
        answer = run.api.post(run.path, run.body, "the-key")
        self.assertEqual((answer.status, answer.json()["status"]), (202, "processing"), answer)
        run.sim.calm()
        settle(run.api)
        self.assertEqual(run.api.payments()[0]["status"], "reversed")
        compare(run.api, run.sim)

    def test_a_reversal_is_kept_over_many_restarts(self):
        sim, gateway, api = self.pair()
        sim.knobs(faults=[{"fault": "drop_after_booking", "mti": "0200", "next": 1}, {"fault": "drop_before_booking", "mti": "042"}])
        answer = api.post("/v1/payments", sale(100))
        self.assertEqual(answer.json()["status"], "processing", answer)
        for end in (gateway.kill, gateway.stop, gateway.kill):
            end()
            gateway.start()
            self.assertEqual(api.payment(answer.json()["id"])["status"], "processing")
        sim.calm()
        self.assertEqual(api.final(answer.json()["id"])["status"], "reversed")
        compare(api, sim)

    def test_ids_and_trace_numbers_are_never_used_twice(self):
        sim, gateway, api = self.pair()
        for end in (gateway.kill, gateway.stop, gateway.kill, gateway.kill):
            together([lambda: api.post("/v1/payments", sale(100)) for _ in range(5)])
            end()
            gateway.start()
        payments = api.payments()
        self.assertEqual(len({p["id"] for p in payments}), 20)
        self.assertEqual(len({e["stan"] for e in sim.entries()}), 20)
        compare(api, sim)

    def test_stopping_answers_what_runs_and_takes_nothing_new(self):
        sim, gateway, api = self.pair(channel={"deadline": "10s"})
        sim.fault("delay", mti="0200", ms=600)
        answers = []
        thread = threading.Thread(target=lambda: answers.append(api.post("/v1/payments", sale(100))))
        thread.start()
        until("the sale is at the card host", lambda: sim.entries("sale"))
        self.assertEqual(gateway.stop(), 0)
        thread.join()
        self.assertEqual((answers[0].status, answers[0].json()["status"]), (201, "succeeded"))
        gateway.start()
        compare(api, sim)


class AnyMoment(Story):
    """Many payments at once, killed at moments that a seed decides."""

    def test_killed_under_load_again_and_again(self):
        seed = int(os.environ.get("RAILGATE_TEST_SEED", "1"))
        dice = random.Random(seed)
        sim, gateway, _ = self.pair()
        api = gateway.client("--rate", "1000000")
        asked = {}  # key -> (path, body)
        answers = {}
        lock = threading.Lock()
        stop = threading.Event()

        def merchant(number):
            count = 0
            while not stop.is_set():
                count += 1
                key, value = f"m{number}-{count}", 100 + count
                body = authorisation(value) if count % 3 == 0 else sale(value)
                self.persist(api, key, "/v1/payments", body, asked, answers, lock, stop)
                answer = answers.get(key)
                if answer is None or answer.status != 201:
                    continue
                payment = answer.json()
                verb = {"authorized": "capture", "succeeded": "refunds"}.get(payment["status"])
                if verb and count % 2 == 0:
                    path = f"/v1/payments/{payment['id']}/{verb}"
                    self.persist(api, key + "-next", path, {}, asked, answers, lock, stop)

        threads = [threading.Thread(target=merchant, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        try:
            for round_number in range(6):
                count = len(answers)
                wanted = count + dice.randint(5, 40)
                until(f"round {round_number}: {wanted} answers", lambda: len(answers) >= wanted, 30)
                gateway.kill()
                gateway.start()
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        for key, (path, body) in asked.items():  # those that were cut off at the end
            self.persist(api, key, path, body, asked, answers, lock, threading.Event())
        settle(api, 30)
        for key, (path, body) in list(asked.items())[:: max(1, len(asked) // 50)]:
            again = api.post(path, body, key)
            self.assertEqual((again.status, again.body), (answers[key].status, answers[key].body), f"{key}, seed {seed}")
        result = compare(api, sim)
        creates = [key for key in asked if not key.endswith("-next")]
        self.assertEqual(result["payments"], len(creates), f"one payment for each key, seed {seed}")

    @staticmethod
    def persist(api, key, path, body, asked, answers, lock, stop):
        """Asks until there is an answer, like a merchant who will not be put off."""
        with lock:
            asked[key] = (path, body)
        while True:
            try:
                answer = api.post(path, body, key)
                if answer.status not in (409, 503) or answer.json()["code"] in ("wrong_status", "nothing_left"):
                    with lock:
                        known = answers.setdefault(key, answer)
                    if known.body != answer.body:
                        raise Failure(f"two answers to {key}: {known} and {answer}")
                    return
            except LOST:
                pass
            if stop.is_set():
                return
            stop.wait(0.02)


if __name__ == "__main__":
    main()
