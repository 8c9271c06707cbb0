"""kill -9 at any moment on the rails that speak HTTP: codes, scans and refunds at a wallet provider, transfers, locks
and releases at a central bank's ledger. The gateway kills itself at a named step (RAILGATE_CRASH_AT, see
durability.py), is started again on the same records, the merchant repeats with the same key, and in the end both
sides tell the same story, attempt by attempt."""

import os
import random
import threading

import durability
import rgrails
import rgwallet
from durability import LOST
from rgledger import attempts_of, compare, compare_cbdc, compare_wallet, settle
from rgrails import cbdc_channel, cbdc_sale, qr_channel, qr_sale, qr_scan, store_is_sound
from rgtest import Failure, Stage, Story, authorisation, main, sale, together, until

STEPS = ("before_record", "after_record", "after_send", "after_exchange", "before_settle", "after_settle")
AT_ONCE = 4
PAYS_ITSELF = 9101  # a phone scans it 50 ms after the order

# verb: (what it is in the end, where its way through the other side may have been cut off)
IN_THE_END = {
    "sale": ("succeeded", "failed", "reversed"),
    "scan": ("succeeded", "failed", "reversed"),
    "charge": ("succeeded", "failed", "reversed"),
    "authorise": ("authorized", "failed", "reversed"),
    "capture": ("succeeded", "failed"),
    "cancel": ("canceled", "authorized"),
    "refund": ("succeeded", "failed"),
}
MAY_BE_LOST = ("after_record", "after_send")


def money(value):
    return {"amount": {"value": value, "currency": "EUR"}}


class Rail:
    """One gateway, one counterpart, and the request that ends in a crash."""

    def __init__(self, stage, verb):
        self.verb, self.path = verb, "/v1/payments"
        self.other, channel = self.counterpart(stage)
        self.gateway = rgrails.rails(stage, [channel])
        self.api = self.gateway.client()
        self.body = self.prepare()

    def made(self, body):
        answer = self.api.post("/v1/payments", body)
        if answer.status not in (201, 202):
            raise Failure(f"the payment before it: {answer}")
        return answer.json()

    def of(self, payment, path, body):
        self.path = f"/v1/payments/{payment['id']}/{path}"
        return body

    def operation(self):
        """Status of the operation in question."""
        payment = self.api.payments()[0]
        if self.verb not in ("capture", "refund"):
            return payment["status"]
        rows = self.api.get(f"/v1/payments/{payment['id']}/{self.verb}s").json()["data"]
        if len(rows) != 1:
            raise Failure(f"{len(rows)} rows of one {self.verb}")
        return rows[0]["status"]


class Qr(Rail):
    def counterpart(self, stage):
        wallet = rgwallet.start(stage)
        return wallet, qr_channel(wallet)

    def prepare(self):
        if self.verb == "sale":
            return qr_sale(PAYS_ITSELF)
        if self.verb == "scan":
            return qr_scan(500, rgwallet.make_code("DUR1", "5.00"))
        if self.verb == "charge":
            return qr_scan(500, self.other.present())
        payment = self.made(qr_sale(1000))
        if self.verb == "cancel":
            return self.of(payment, "cancel", {})
        self.other.scan(code=payment["next_action"]["payload"])
        rgrails.settled(self.api, payment["id"])
        return self.of(payment, "refunds", money(400))

    def compare(self):
        compare_wallet(self.api, self.other)
        if self.other.booked_twice():
            raise Failure(f"booked twice: {self.other.booked_twice()}")


class Cbdc(Rail):
    def counterpart(self, stage):
        ledger = rgrails.start_ledger(stage)
        return ledger, cbdc_channel(ledger)

    def prepare(self):
        if self.verb == "sale":
            return cbdc_sale(1000)
        if self.verb == "authorise":
            return cbdc_sale(1000, capture="manual")
        if self.verb == "refund":
            return self.of(self.made(cbdc_sale(1000)), "refunds", money(400))
        payment = self.made(cbdc_sale(1000, capture="manual"))
        return self.of(payment, self.verb, {} if self.verb == "cancel" else money(400))

    def compare(self):
        compare_cbdc(self.api, self.other)


def crash(run, step):
    """What the merchant heard before the crash, or None."""
    if step == "after_send":
        run.other.fault("delay", method="POST", path="/v1/", ms=300, next=1)  # the answer comes after the crash
    run.gateway.stop()
    run.gateway.start(env={"RAILGATE_CRASH_AT": step})
    try:
        answer = run.api.post(run.path, run.body, "the-key")
    except LOST:
        answer = None
    code = run.gateway.wait_end()
    if code != -9:
        raise Failure(f"the gateway ended with {code}, not by SIGKILL")
    if answer is not None:
        raise Failure(f"the merchant got an answer before the crash: {answer}")
    store_is_sound(run.gateway)


def repeat(run):
    def asked():
        answer = run.api.post(run.path, run.body, "the-key")
        return answer if answer.status not in (409, 503) else None

    return until("the repeat is answered", asked, 15)


class Steps(Story):
    def run_one(self, rail, verb, step, seconds=30):
        with Stage() as stage:
            try:
                run = rail(stage, verb)
                crash(run, step)
                run.gateway.start()
                answer = repeat(run)
                settle(run.api, seconds)
                if len(run.api.payments()) != 1:
                    raise Failure(f"{len(run.api.payments())} payments instead of one")
                ends = IN_THE_END[verb]
                allowed = ends if step in MAY_BE_LOST else ends[:1]
                if run.operation() not in allowed:
                    raise Failure(f"in the end it is {run.operation()}, expected {allowed}")
                again = run.api.post(run.path, run.body, "the-key")
                if (again.status, again.body) != (answer.status, answer.body):
                    raise Failure(f"another answer to the same key: {answer} and then {again}")
                run.compare()
                store_is_sound(run.gateway)
                run.gateway.stop()
            except Exception as error:
                what = f"{rail.__name__} {verb}, killed at {step}: {type(error).__name__}: {error}"
                raise Failure(f"{what}\n{stage.report()}") from error

    def all_of(self, rail, *verbs):
        jobs = [lambda v=v, s=s: self.run_one(rail, v, s) for v in verbs for s in STEPS]
        together(jobs, AT_ONCE)

    def test_codes_that_are_shown(self):
        self.all_of(Qr, "sale")

    def test_codes_that_are_canceled(self):
        together([lambda s=s: self.run_one(Qr, "cancel", s) for s in STEPS if s != "after_settle"], AT_ONCE)

    def test_a_cancel_that_was_recorded_and_no_more(self):
        self.run_one(Qr, "cancel", "after_settle", 4)

    def test_codes_that_are_scanned(self):
        self.all_of(Qr, "scan", "charge")

    def test_refunds_of_a_wallet(self):
        self.all_of(Qr, "refund")

    def test_transfers(self):
        self.all_of(Cbdc, "sale", "refund")

    def test_locks(self):
        self.all_of(Cbdc, "authorise", "capture", "cancel")


class Asking(Story):
    """Killed while it finds out what became of a lost answer."""

    def run_one(self, rail, path, step):
        with Stage() as stage:
            try:
                run = rail(stage, "sale")
                lost = {"fault": "drop_after_booking", "method": "POST", "path": path, "next": 1}
                slow = {"fault": "delay", "method": "GET", "path": "/v1/", "ms": 300, "next": 1}
                run.other.knobs(faults=[lost, slow])
                crash(run, step)
                run.other.calm()
                run.gateway.start()
                repeat(run)
                settle(run.api, 30)
                if run.operation() != "succeeded":
                    raise Failure(f"in the end it is {run.operation()}")
                rows = attempts_of(run.api.events(run.api.payments()[0]["id"]), "")
                if sum(a.operation == "sale" for a in rows) != 1:
                    raise Failure(f"sent a second time: {rows}")
                run.compare()
            except Exception as error:
                raise Failure(f"{rail.__name__}, killed at {step}: {error}\n{stage.report()}") from error

    def test_while_it_asks(self):
        jobs = []
        for step in ("reversal_recorded", "reversal_sent"):
            jobs.append(lambda s=step: self.run_one(Cbdc, "/v1/transfers", s))
            jobs.append(lambda s=step: self.run_one(Qr, "/v1/orders", s))
        together(jobs, AT_ONCE)


class Anytime(Story):
    """Three rails at once, killed at moments that a seed decides."""

    MERCHANTS, EACH, KILLS = 5, 30, 5

    def request(self, dice, wallet, number):
        """A payment of some kind, and the verb that may follow it."""
        value = 100 + number
        return dice.choice((
            lambda: (qr_sale(PAYS_ITSELF + 10000 * number), "refunds"),
            lambda: (qr_scan(value, rgwallet.make_code(f"ANY{number}", f"{value / 100:.2f}")), "refunds"),
            lambda: (qr_scan(value, wallet.present()), "refunds"),
            lambda: (cbdc_sale(value), "refunds"),
            lambda: (cbdc_sale(value, capture="manual"), "capture"),
            lambda: (cbdc_sale(value, capture="manual"), "cancel"),
            lambda: (sale(value), "refunds"),
            lambda: (authorisation(value), "capture"),
        ))()  # fmt: skip

    def test_mixed_rails_killed_under_load(self):
        seed = int(os.environ.get("RAILGATE_TEST_SEED", "1"))
        wallet, ledger, host = rgwallet.start(self.stage), rgrails.start_ledger(self.stage), self.stage.simulator()
        gateway = rgrails.rails(self.stage, [qr_channel(wallet), cbdc_channel(ledger)], host)
        api = gateway.client("--rate", "1000000")
        asked, answers, lock, stop, errors = {}, {}, threading.Lock(), threading.Event(), []

        def merchant(number):
            dice = random.Random(seed * 1000 + number)
            try:
                for count in range(self.EACH):
                    key = f"m{number}-{count}"
                    body, verb = self.request(dice, wallet, number * 1000 + count)
                    durability.AnyMoment.persist(api, key, "/v1/payments", body, asked, answers, lock, stop)
                    answer = answers.get(key)
                    if answer is None or answer.status != 201 or dice.random() < 0.4:
                        continue
                    payment = answer.json()
                    if payment["status"] in ("authorized", "succeeded"):
                        durability.AnyMoment.persist(api, key + "-next", f"/v1/payments/{payment['id']}/{verb}", {}, asked, answers, lock, stop)
            except BaseException as error:  # pylint: disable=broad-except
                errors.append(error)

        threads = [threading.Thread(target=merchant, args=(n,)) for n in range(1, self.MERCHANTS + 1)]
        for thread in threads:
            thread.start()
        dice = random.Random(seed)
        try:
            for kill in range(1, self.KILLS + 1):
                wanted = kill * self.MERCHANTS * self.EACH // (self.KILLS + 2) + dice.randint(0, 10)
                until(f"kill {kill}: {wanted} answers", lambda w=wanted: len(answers) >= w or errors, 60)
                gateway.kill()
                store_is_sound(gateway)
                gateway.start()
            for thread in threads:
                thread.join()
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        if errors:
            raise errors[0]
        settle(api, 60)
        result = compare(api, host, channels=["card_demo"])
        compare_wallet(api, wallet, channels=["wallet"])
        compare_cbdc(api, ledger, channels=["cbdc"])
        self.assertEqual(wallet.booked_twice(), [])
        creates = [key for key in asked if not key.endswith("-next")]
        self.assertEqual((result["payments"], len(creates)), (self.MERCHANTS * self.EACH,) * 2, f"seed {seed}")
        self.assertEqual(gateway.stop(), 0)
        store_is_sound(gateway)


if __name__ == "__main__":
    main()
