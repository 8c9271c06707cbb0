"""Payments that wait, when something comes between: a key that was used before, a full disk, two words at one moment, a
cancel, a restart, thousands whose time is over at once; and what counts as an authentication, and what as a payment.

Test card numbers from published ranges only (see rgtest.py).
"""

import datetime
import os
import resource

import rgrails
from rgchip import emv, pin_block
from rgledger import compare
from rgprofile import confirm, confirm_rightly, created, noon, one_time_code, rules, sca
from rgrails import metric
from rgtest import MASTERCARD, SLOW, VISA, Gateway, Story, main, sale, together, until

ALWAYS = {"authentication": {"required": True, "source": "a house rule"}}
DAY = {"limits": [{"id": "day", "per": "payer", "window": "day", "max": ["100.00 EUR"]}]}


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def by(payer, value=1250, **more):
    return sale(value, payer={"id": payer}, **more)


class Held(Story):
    profile = {**ALWAYS, **DAY}

    def setUp(self):
        super().setUp()
        self.sim, self.gateway, self.api = self.pair(settings=sca(), region=noon(**self.profile))

    def waits(self, body, key=None):
        answer = self.api.post("/v1/payments", body, key)
        self.assertEqual((answer.status, answer.json()["status"]), (202, "requires_action"), answer)
        return answer.json()

    def goes_ahead(self, payment, key=None):
        answer = confirm_rightly(self.api, payment, "p1", key=key)
        self.assertEqual((answer.status, answer.json()["status"]), (200, "succeeded"), answer)
        return answer


class Between(Held):
    def test_a_confirmation_under_the_key_of_another_request(self):
        """It is refused, and the card data is still there for the next one."""
        payment = self.waits(by("p1"), "one-key")
        self.problem(confirm_rightly(self.api, payment, "p1", key="one-key"), 422, "idempotency_key_reused")
        self.assertEqual(self.api.payment(payment["id"]), payment)
        self.assertEqual(self.sim.entries(), [])
        self.goes_ahead(payment)
        compare(self.api, self.sim)

    def test_under_a_used_key_and_a_new_one_at_the_same_moment(self):
        """Whichever is first: nothing is charged twice, and the payment is not lost."""
        for round_ in range(5):
            payment = self.waits(by("p1", 100), f"k{round_}")
            code = one_time_code(payment, "p1")
            keys = [f"k{round_}"] * 2 + [f"new-{round_}-{n}" for n in range(3)]
            answers = together([lambda k=k: confirm(self.api, payment, k, code=code) for k in keys])
            self.assertTrue(all(answer.status in (200, 409, 422) for answer in answers), answers)
            if self.api.payment(payment["id"])["status"] == "requires_action":
                self.goes_ahead(payment)
            self.assertEqual(self.api.payment(payment["id"])["status"], "succeeded", answers)
        self.assertEqual(len(self.sim.entries("sale")), 5)
        compare(self.api, self.sim)

    def test_confirmed_and_canceled_at_the_same_moment(self):
        """One of the two; and the sum is as free as the payment is over."""
        spent = 0
        for round_ in range(8):
            payment = self.waits(by("p1", 1000))
            code = one_time_code(payment, "p1")
            path = f"/v1/payments/{payment['id']}/cancel"
            words = [lambda p=payment, c=code: confirm(self.api, p, code=c), lambda p=path: self.api.post(p, {})]
            together(words if round_ % 2 else words[::-1])
            done = rgrails.settled(self.api, payment["id"])
            self.assertIn(done["status"], ("succeeded", "canceled"), done)
            spent += 1000 if done["status"] == "succeeded" else 0
        self.assertEqual(sum(entry["approved_minor"] for entry in self.sim.entries("sale")), spent)
        over = created(self.api.post("/v1/payments", by("p1", 10001 - spent)))
        self.assertEqual(rules(over, "deny"), ["limit.day"], over)
        self.waits(by("p1", 10000 - spent))
        compare(self.api, self.sim)

    def test_the_answers_are_the_same_after_a_restart(self):
        body = by("p1")
        asked = self.api.post("/v1/payments", body, "create")
        payment = asked.json()
        code = one_time_code(payment, "p1")
        done = confirm(self.api, payment, "confirm", code=code)
        self.assertEqual(done.status, 200, done)
        for _ in range(2):
            again = self.api.post("/v1/payments", body, "create")
            self.assertEqual((again.status, again.body, again.replayed), (202, asked.body, True))
            again = confirm(self.api, payment, "confirm", code=code)
            self.assertEqual((again.status, again.body, again.replayed), (200, done.body, True))
            self.gateway.kill()
            self.gateway.start()
        self.assertEqual(len(self.sim.entries("sale")), 1)
        compare(self.api, self.sim)


class FullDisk(Story):
    def test_while_a_confirmation_is_to_be_recorded(self):
        """Nothing is sent, and the same confirmation goes through when there is room again."""
        sim = self.stage.simulator()
        gateway = Gateway(self.stage, "gateway", [sim], settings=sca(), region=noon(**ALWAYS))
        gateway.command = ["sh", "-c", 'trap "" XFSZ; exec "$@"', "sh"] + gateway.command
        gateway.start()
        api = gateway.client()
        answer = api.post("/v1/payments", by("p1"))
        self.assertEqual(answer.status, 202, answer)
        payment = answer.json()
        for _ in range(2):
            resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
            full = confirm_rightly(api, payment, "p1", key="confirm")
            resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            self.problem(full, 503, "store_failed")
            self.assertEqual(sim.entries(), [])

        def confirmed():
            answer = confirm_rightly(api, payment, "p1")
            return answer if answer.status != 503 else None

        done = until("there is room again", confirmed)
        self.assertEqual((done.status, done.json()["status"]), (200, "succeeded"), done)
        compare(api, sim)


class Many(Held):
    profile = {"authentication": {"required": True, "valid_for": "1s"}}

    def ended(self, payment):
        return next(instant(event["time"]) for event in self.api.events(payment["id"]) if event["kind"] == "payment.failed")

    def test_many_whose_time_is_over_at_once(self):
        """They do not wait for each other: all are over soon after the first, not fifty every five seconds."""
        waiting = [self.waits(by("p1", 100)) for _ in range(160)]
        for payment in waiting:
            failed = rgrails.settled(self.api, payment["id"], 40)
            self.assertEqual((failed["status"], failed["outcome"]["code"]), ("failed", "authentication_expired"), failed)
        late = [self.ended(payment) - instant(payment["next_action"]["expires"]) for payment in waiting]
        self.assertLess(max(late), 12 * SLOW, "fifty every five seconds would be fifteen")
        self.assertEqual(metric(self.gateway, "railgate_payments_expired_total"), 160)
        self.assertEqual(self.sim.entries(), [])
        compare(self.api, self.sim)


class Authenticated(Held):
    profile = {
        "authentication": {
            "required": True,
            "exemptions": [{"id": "low_value", "per": "account", "max": ["30.00 EUR"], "count": 2}],
        }
    }  # fmt: skip

    def chip(self, value, pin, atc):
        body = {"entry": "chip", "pan": VISA, "expiry": "3012", "emv": emv(VISA, value, atc), "pin_block": pin_block(pin, VISA)}
        return created(self.api.post("/v1/payments", sale(value, method={"type": "card", "card": body})))

    def test_a_wrong_pin_is_no_authentication(self):
        """What is counted since the last authentication begins anew when the host has found the PIN right."""
        for value in (100, 200):
            self.assertEqual(created(self.api.post("/v1/payments", by("p1", value)))["status"], "succeeded")
        self.waits(by("p1", 1))
        declined = self.chip(700, "9999", 1)
        self.assertEqual((declined["status"], declined["outcome"]["code"]), ("failed", "55"), declined)
        self.waits(by("p1", 1))
        approved = self.chip(701, "1234", 2)
        self.assertEqual(approved["status"], "succeeded", approved)
        self.assertEqual(created(self.api.post("/v1/payments", by("p1", 100)))["status"], "succeeded")
        compare(self.api, self.sim)


class Counts(Held):
    profile = {"limits": [{"id": "often", "per": "account", "window": "24h", "count": 3}]}

    def test_a_count_is_about_every_currency(self):
        for currency in ("EUR", "USD", "EUR"):
            self.assertEqual(created(self.api.post("/v1/payments", sale(100, currency)))["status"], "succeeded")
        for currency in ("EUR", "USD"):
            over = created(self.api.post("/v1/payments", sale(100, currency)))
            self.assertEqual(rules(over, "deny"), ["limit.often"], over)
        self.assertEqual(created(self.api.post("/v1/payments", sale(100, "USD", MASTERCARD)))["status"], "succeeded")
        compare(self.api, self.sim)


class HostKey(Held):
    profile = ALWAYS

    def test_another_host_key_although_the_newest_payment_was_not_sent(self):
        self.goes_ahead(self.waits(by("p1")))
        self.waits(by("p1"))
        self.gateway.stop()
        key = os.path.join(self.gateway.var, "host.key")
        with open(key, "r+b") as file:
            first = file.read(1)
            file.seek(0)
            file.write(b"0" if first != b"0" else b"1")
        self.gateway.start(ready=False, wait=False)
        self.assertEqual(self.gateway.wait_end(), 2, self.gateway.log_text()[-500:])


if __name__ == "__main__":
    main()
