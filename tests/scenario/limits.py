"""Limits of a region profile: exactly at the figure and one minor unit over it, whose sum it is, what gives a sum back,
200 payments at one moment against one limit, and the same with the power failing in the middle.

Test card numbers from published ranges only (see rgtest.py).
"""

import os
import random
import threading

import rgbank
import rgrails
from durability import LOST
from rgledger import compare, compare_cbdc, settle
from rgprofile import created, noon, patient, rules
from rgrails import cbdc_channel, cbdc_sale, store_is_sound
from rgtest import DECLINES, MASTERCARD, Failure, Stage, Story, authorisation, main, sale, together, until

STEPS = ("before_record", "after_record", "after_send", "after_exchange", "before_settle", "after_settle")
SEED = int(os.environ.get("RAILGATE_TEST_SEED", "1"))
OPEN = ("processing", "requires_action")


def by(payer, value, **more):
    return sale(value, payer={"id": payer}, **more)


def limit(name, **row):
    return {"limits": [{"id": name, **row}]}


DAY = limit("day", per="payer", window="day", max=["100.00 EUR"], source="a house rule")


class Limits(Story):
    def start(self, *rows, **profile):
        self.sim, self.gateway, self.api = self.pair(region=noon(limits=list(rows), **profile))

    def passes(self, body, api=None):
        payment = created((api or self.api).post("/v1/payments", body))
        self.assertEqual((payment["status"], payment["decision"]["result"]), ("succeeded", "allow"), payment)
        return payment

    def denied(self, body, rule, api=None):
        before = len(self.sim.entries())
        payment = created((api or self.api).post("/v1/payments", body))
        self.assertEqual((payment["status"], payment["decision"]["result"]), ("failed", "deny"), payment)
        self.assertIn(rule, rules(payment, "deny"), payment)
        self.assertEqual((payment["captured"], payment["outcome"]["result"]), (0, "rejected"), payment)
        self.assertEqual(payment["outcome"]["code"], "denied_by_profile", payment)
        self.assertEqual(len(self.sim.entries()), before, "nothing was sent")
        self.assertEqual((api or self.api).payment(payment["id"]), payment)
        return payment


class Single(Limits):
    def test_the_largest_and_the_smallest(self):
        self.start({"id": "single", "max": ["50.00 EUR"]}, {"id": "smallest", "min": "1.00 EUR"})
        for value in (5000, 4999, 100, 101):
            self.passes(sale(value))
        self.denied(sale(5001), "limit.single")
        self.denied(sale(99), "limit.smallest")
        self.passes(sale(9000, currency="USD"))  # a figure speaks of its own currency
        compare(self.api, self.sim)

    def test_hours_of_the_regions_own_zone(self):
        now = {"hours": "09:00-16:00", "max": ["10.00 EUR"]}
        night = {"hours": "20:00-06:00", "max": ["5.00 EUR"]}
        self.start({"id": "at_noon", **now}, {"id": "at_night", **night})
        self.passes(sale(1000))
        payment = self.denied(sale(1001), "limit.at_noon")
        self.assertEqual(rules(payment), ["limit.at_noon"])
        compare(self.api, self.sim)


class Sums(Limits):
    def test_a_payers_day(self):
        self.start(*DAY["limits"])
        self.passes(by("p1", 6000))
        self.passes(by("p1", 3999))
        payment = self.denied(by("p1", 2), "limit.day")
        reason = next(row for row in payment["decision"]["reasons"] if row["rule"] == "limit.day")
        self.assertIn("100.01 EUR", reason["text"])
        self.assertEqual(reason["source"], "a house rule")
        self.denied(by("p1", 9999999), "limit.day")  # who is denied spends nothing
        self.passes(by("p1", 1))
        self.denied(by("p1", 1), "limit.day")
        self.passes(by("p2", 8000))  # another payer, another sum
        self.passes(by("p1", 5000, currency="USD"))  # another currency is another sum, and has no figure
        self.denied(sale(100), "fact.missing")  # whose sum would that be?
        compare(self.api, self.sim)

    def test_an_account_in_the_last_hour(self):
        self.start({"id": "hour", "per": "account", "window": "1h", "max": ["20.00 EUR"]})
        self.passes(sale(2000))
        self.denied(sale(1), "limit.hour")
        self.passes(sale(2000, pan=MASTERCARD))
        self.denied(sale(1, pan=MASTERCARD), "limit.hour")
        self.denied(by("somebody", 1), "limit.hour")  # whoever holds the card
        compare(self.api, self.sim)

    def test_a_count_of_a_device(self):
        self.start({"id": "phone", "per": "device", "window": "day", "count": 3})
        for value in (1, 100000, 7):
            self.passes(sale(value, device={"id": "d1"}))
        self.denied(sale(1, device={"id": "d1"}), "limit.phone")
        self.passes(sale(1, device={"id": "d2"}))
        compare(self.api, self.sim)

    def test_several_windows_at_once(self):
        """The one that does not fit denies, and the others are not spent."""
        self.start({"id": "day", "per": "payer", "window": "day", "max": ["30.00 EUR"]},
                   {"id": "month", "per": "payer", "window": "month", "max": ["1000.00 EUR"]},
                   {"id": "merchant", "per": "merchant", "window": "24h", "max": ["50.00 EUR"]})  # fmt: skip
        self.passes(by("p1", 3000))
        payment = self.denied(by("p1", 100), "limit.day")
        self.assertEqual(rules(payment), ["limit.day"])
        payment = self.denied(by("p2", 2001), "limit.merchant")
        self.assertEqual(rules(payment), ["limit.merchant"])
        self.passes(by("p2", 2000))
        compare(self.api, self.sim)

    def test_a_limit_that_only_reports(self):
        self.start({"id": "large", "per": "payer", "window": "day", "from": ["50.00 EUR"], "then": "report"})
        self.passes(by("p1", 4999))
        self.assertEqual(rgrails.journal(self.gateway, "compliance.report"), [])
        self.passes(by("p1", 1))  # reaches it
        self.passes(by("p1", 100))  # and goes on
        told = rgrails.journal(self.gateway, "compliance.report")
        self.assertEqual([[row["rule"] for row in event["reports"]] for event in told], [["limit.large"]])
        self.assertEqual(rgrails.metric(self.gateway, "railgate_compliance_reports_total"), 1)
        compare(self.api, self.sim)


class Whose(Story):
    def test_names_of_payers_belong_to_their_merchant(self):
        sim, gateway, one = self.pair(region=noon(**DAY))
        other = gateway.client()
        self.assertNotEqual(one.merchant, other.merchant)
        for api in (one, other):
            self.assertEqual(created(api.post("/v1/payments", by("p1", 10000)))["status"], "succeeded")
            self.assertEqual(rules(created(api.post("/v1/payments", by("p1", 1)))), ["limit.day"])
        compare([one, other], sim)

    def test_a_card_is_the_same_everywhere(self):
        sim, gateway, one = self.pair(region=noon(**limit("card", per="account", window="24h", max=["10.00 EUR"])))
        other = gateway.client()
        self.assertEqual(created(one.post("/v1/payments", sale(600)))["status"], "succeeded")
        self.assertEqual(rules(created(other.post("/v1/payments", sale(401)))), ["limit.card"])
        self.assertEqual(created(other.post("/v1/payments", sale(400)))["status"], "succeeded")
        compare([one, other], sim)

    def test_a_bank_account_is_the_same_everywhere(self):
        bank = rgbank.start(self.stage, settings={"scheme": "sepa"})
        row = {"per": "account", "window": "day", "max": ["10.00 EUR"]}
        gateway = rgbank.gateway(self.stage, [rgbank.bank_channel(bank)], region=noon(**limit("iban", **row)))
        one, other = gateway.client(), gateway.client()
        account = rgbank.MERCHANT
        written = {one: account, other: " ".join(account[i : i + 4] for i in range(0, len(account), 4))}

        def send(api, value):
            answer = api.post("/v1/payments", {**rgbank.bank_send(value), "payer": {"account": written[api]}})
            payment = created(answer)
            return rgrails.settled(api, payment["id"])

        self.assertEqual(send(one, 600)["status"], "succeeded")
        over = send(other, 401)
        self.assertEqual((over["status"], rules(over)), ("failed", ["limit.iban"]), over)
        self.assertEqual(send(other, 400)["status"], "succeeded")
        self.assertEqual(rules(send(one, 1)), ["limit.iban"])
        rgbank.compare_bank([one, other], bank)

    def test_a_wallet_is_the_same_everywhere(self):
        ledger = rgrails.start_ledger(self.stage)
        row = {"per": "account", "window": "day", "max": ["10.00 EUR"]}
        gateway = rgrails.rails(self.stage, [cbdc_channel(ledger)], region=noon(**limit("wallet", **row)))
        one, other = gateway.client(), gateway.client()
        self.assertEqual(created(one.post("/v1/payments", cbdc_sale(1000)))["status"], "succeeded")
        self.assertEqual(rules(created(other.post("/v1/payments", cbdc_sale(1)))), ["limit.wallet"])
        self.assertEqual(created(other.post("/v1/payments", cbdc_sale(1, payer="w_standard")))["status"], "succeeded")
        compare_cbdc([one, other], ledger)


class GivenBack(Limits):
    """What never moved does not count."""

    def setUp(self):
        super().setUp()
        self.start(*DAY["limits"])

    def whole_is_free(self, payer):
        self.passes(by(payer, 10000))
        self.denied(by(payer, 1), "limit.day")

    def test_declined(self):
        payment = created(self.api.post("/v1/payments", by("p1", 10000, pan=DECLINES)))
        self.assertEqual((payment["status"], payment["outcome"]["result"]), ("failed", "declined"), payment)
        payment = created(self.api.post("/v1/payments", by("p1", 9061)))
        self.assertEqual(payment["status"], "failed", payment)
        self.whole_is_free("p1")
        compare(self.api, self.sim)

    def test_canceled(self):
        held = created(self.api.post("/v1/payments", authorisation(10000, payer={"id": "p1"})))
        self.assertEqual(held["status"], "authorized", held)
        self.denied(by("p1", 1), "limit.day")  # what is held counts
        self.assertEqual(self.api.post(f"/v1/payments/{held['id']}/cancel").status, 200)
        self.whole_is_free("p1")
        compare(self.api, self.sim)

    def test_reversed(self):
        self.sim.fault("drop_after_booking", mti="0200", next=1)
        answer = self.api.post("/v1/payments", by("p1", 10000))
        payment = self.api.final(created(answer)["id"])
        settle(self.api)
        self.assertEqual(self.api.payment(payment["id"])["status"], "reversed", payment)
        self.whole_is_free("p1")
        compare(self.api, self.sim)

    def test_nobody_was_there(self):
        self.sim.knobs(down_ms=-1)
        try:
            answer = self.api.post("/v1/payments", by("p1", 10000))
            if answer.status != 503:
                payment = self.api.final(created(answer)["id"])
                self.assertEqual(payment["captured"], 0)
        finally:
            self.sim.calm()
        self.gateway.ready_for_payments()
        settle(self.api)
        self.whole_is_free("p1")
        compare(self.api, self.sim)

    def test_a_part_that_is_captured_keeps_its_sum(self):
        held = created(self.api.post("/v1/payments", authorisation(10000, payer={"id": "p1"})))
        path = f"/v1/payments/{held['id']}"
        self.assertEqual(self.api.post(path + "/capture", {"amount": {"value": 100, "currency": "EUR"}}).status, 200)
        self.assertEqual(self.api.post(path + "/cancel").status, 200)
        self.denied(by("p1", 1), "limit.day")
        compare(self.api, self.sim)

    def test_refunds_do_not(self):
        payment = self.passes(by("p1", 10000))
        self.assertEqual(self.api.post(f"/v1/payments/{payment['id']}/refunds", {}).status, 201)
        self.denied(by("p1", 1), "limit.day")
        compare(self.api, self.sim)

    def test_a_repeat_with_the_same_key_spends_once(self):
        first = self.api.post("/v1/payments", by("p1", 6000), "the-key")
        again = self.api.post("/v1/payments", by("p1", 6000), "the-key")
        self.assertTrue(again.replayed)
        self.assertEqual(first.body, again.body)
        self.passes(by("p1", 4000))
        compare(self.api, self.sim)

    def test_sums_outlive_a_restart(self):
        self.passes(by("p1", 7000))
        self.gateway.kill()
        self.gateway.start()
        self.denied(by("p1", 3001), "limit.day")
        self.passes(by("p1", 3000))
        compare(self.api, self.sim)


MANY = 200


def spent(payments):
    """(succeeded, still open) in minor units."""
    done = sum(p["captured"] for p in payments if p["status"] == "succeeded")
    return done, sum(p["amount"]["value"] for p in payments if p["status"] in OPEN)


def what_is_left_fits_exactly(api, cap=10000):
    """Sums and books are the same: what is left goes through, one cent more does not."""
    done, still = spent(api.payments())
    if still != 0 or done > cap:
        raise Failure(f"succeeded: {done}, open: {still}, cap: {cap}")
    left = cap - done
    over = created(api.post("/v1/payments", by("p1", left + 1)))
    if (over["status"], rules(over)) != ("failed", ["limit.day"]):
        raise Failure(f"{left} is left, and one cent more went through: {over}")
    if left > 0:
        fits = created(api.post("/v1/payments", by("p1", left)))
        if fits["status"] != "succeeded":
            raise Failure(f"{left} should be left: {fits}")
        last = created(api.post("/v1/payments", by("p1", 1)))
        if rules(last) != ["limit.day"]:
            raise Failure(f"a cent over the cap went through: {last}")
    return done


class AtOnce(Story):
    def test_200_payments_of_1_against_100(self):
        sim, _, api = self.pair(channel={"deadline": "15s"}, region=noon(**DAY))
        answers = together([lambda i=i: patient(api, by("p1", 100), f"k-{i}") for i in range(MANY)])
        settle(api, 60)
        payments = [api.payment(created(answer)["id"]) for answer in answers]
        self.assertEqual(len({p["id"] for p in payments}), MANY)
        done = [p for p in payments if p["status"] == "succeeded"]
        self.assertEqual(len(done), 100)
        for payment in payments:
            if payment["status"] != "succeeded":
                self.assertEqual((payment["status"], rules(payment)), ("failed", ["limit.day"]), payment)
        self.assertEqual(len(sim.entries("sale")), 100, "the others never left the gateway")
        what_is_left_fits_exactly(api)
        compare(api, sim)

    def test_amounts_of_all_sizes(self):
        sim, _, api = self.pair(channel={"deadline": "15s"}, region=noon(**DAY))
        draw = random.Random(SEED)
        values = [draw.randrange(1, 900) for _ in range(MANY)]
        together([lambda i=i, v=v: patient(api, by("p1", v), f"k-{i}") for i, v in enumerate(values)])
        settle(api, 60)
        self.assertGreater(spent(api.payments())[0], 10000 - 900, f"seed {SEED}")
        what_is_left_fits_exactly(api)
        compare(api, sim)


class Killed(Story):
    """200 payments of 1.00 against a limit of 100.00, and the power fails."""

    def load(self, api, heard, jobs, stop=None):
        """Posts each once with its own key; what was heard goes into `heard`."""

        def work():
            while stop is None or not stop.is_set():
                with lock:
                    if not jobs:
                        return
                    number = jobs.pop()
                try:
                    heard[number] = api.post("/v1/payments", by("p1", 100), f"k-{number}")
                except LOST:
                    return

        lock = threading.Lock()
        return [threading.Thread(target=work, daemon=True) for _ in range(16)]

    def cap_holds(self, api, when):
        done, still = spent(api.payments())
        if done + still > 10000:
            raise Failure(f"{when}: {done} succeeded and {still} open, over the cap of 10000")

    def after(self, gateway, api, sim, heard):
        """Up again: the cap holds at each moment, every key has one answer, and the books are the sums."""
        self.cap_holds(api, "found at the start")
        answers = together([lambda n=n: (n, patient(api, by("p1", 100), f"k-{n}")) for n in range(MANY)], 32)
        self.cap_holds(api, "after the repeats")
        settle(api, 60)
        self.cap_holds(api, "at the end")
        for number, answer in answers:
            before = heard.get(number)
            if before is not None and before.status in (201, 202) and before.body != answer.body:
                raise Failure(f"another answer after the crash: {before} and then {answer}")
        if len(api.payments()) != MANY:
            raise Failure(f"{len(api.payments())} payments of {MANY} keys")
        what_is_left_fits_exactly(api)
        compare(api, sim)
        store_is_sound(gateway)

    def at_step(self, step):
        with Stage() as stage:
            try:
                sim = stage.simulator()
                gateway = stage.gateway(sim, region=noon(**DAY))
                api = gateway.client()
                gateway.stop()
                gateway.start(env={"RAILGATE_CRASH_AT": step})
                heard, jobs = {}, list(range(MANY))
                threads = self.load(api, heard, jobs)
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                code = gateway.wait_end()
                if code != -9:
                    raise Failure(f"the gateway ended with {code}, not by SIGKILL")
                gateway.start()
                self.after(gateway, api, sim, heard)
                gateway.stop()
            except Exception as error:
                raise Failure(f"killed at {step}: {type(error).__name__}: {error}\n{stage.report()}") from error

    def test_at_every_step(self):
        chance = random.Random(SEED)
        steps = [f"{step}:{chance.randrange(1, 90)}" for step in STEPS]
        together([lambda s=s: self.at_step(s) for s in steps], 2)

    def test_under_load_at_any_moment(self):
        """SIGKILL by the test, when so many answers have come; twice on the same records."""
        chance = random.Random(SEED + 1)
        sim, gateway, api = self.pair(region=noon(**DAY))
        heard, jobs = {}, list(range(MANY))
        for _ in range(2):
            stop = threading.Event()
            threads = self.load(api, heard, jobs, stop)
            for thread in threads:
                thread.start()
            wanted = min(len(heard) + chance.randrange(5, 60), MANY - 20)
            until("so many answers have come", lambda n=wanted: len(heard) >= n, 30)
            stop.set()
            gateway.kill()
            for thread in threads:
                thread.join()
            gateway.start()
            self.cap_holds(api, f"after the crash, seed {SEED}")
        self.after(gateway, api, sim, heard)


if __name__ == "__main__":
    main()
