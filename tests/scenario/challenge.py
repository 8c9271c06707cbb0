"""Payments that wait for their payer: when one must be authenticated, what confirms a payment and what does not, and that
nothing is sent before.

Test card numbers from published ranges only (see rgtest.py).
"""

import json
import time

import rgrails
from durability import LOST
from rgchip import emv, pin_block
from rgledger import attempts_of, compare, compare_cbdc, settle
from rgprofile import Issuer, confirm, confirm_rightly, created, files_with, noon, one_time_code, rules, sca, wrong_code
from rgrails import cbdc_channel, cbdc_sale, metric, store_is_sound
from rgtest import DECLINES, VISA, Story, authorisation, main, sale, together, until

ALWAYS = {"authentication": {"required": True, "source": "a house rule"}}
LOW_VALUE = {
    "authentication": {
        "required": True,
        "exemptions": [{"id": "low_value", "max": ["30.00 EUR"], "total": ["100.00 EUR"], "count": 5}],
    }
}
AT_ONCE = {"authentication": {"required": True, "valid_for": "1s"}}
DAY = {"limits": [{"id": "day", "per": "payer", "window": "day", "max": ["100.00 EUR"]}]}


def by(payer, value=1250, **more):
    return sale(value, payer={"id": payer}, **more)


class Asked(Story):
    profile = ALWAYS
    issuers = ()

    def setUp(self):
        super().setUp()
        self.sim, self.gateway, self.api = self.pair(settings=sca(self.issuers), region=noon(**self.profile))

    def waits(self, body, api=None):
        answer = (api or self.api).post("/v1/payments", body)
        payment = answer.json()
        self.assertEqual((answer.status, payment["status"]), (202, "requires_action"), answer)
        return payment

    def passes(self, body):
        payment = created(self.api.post("/v1/payments", body))
        self.assertEqual((payment["status"], payment["decision"]["result"]), ("succeeded", "allow"), payment)
        return payment

    def goes_ahead(self, payment, payer="p1", payee="", status="succeeded"):
        answer = confirm_rightly(self.api, payment, payer, payee)
        self.assertEqual((answer.status, answer.json()["status"]), (200, status), answer)
        self.assertEqual(answer.json()["id"], payment["id"])
        self.assertIsNone(answer.json()["next_action"])
        return answer.json()

    def still_waits(self, payment):
        self.assertEqual(self.api.payment(payment["id"]), payment)
        self.assertEqual(self.sim.entries(), [], "nothing was sent")

    def kinds(self, payment):
        return [event["kind"] for event in self.api.events(payment["id"])]


class Waiting(Asked):
    def test_nothing_is_sent_before_the_payer_says_yes(self):
        payment = self.waits(by("p1"))
        action = payment["next_action"]
        self.assertEqual((action["type"], action["methods"]), ("authenticate", ["code"]))
        self.assertRegex(action["expires"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
        self.assertEqual(payment["outcome"]["result"], "pending")
        self.assertEqual(payment["outcome"]["code"], "authentication_required")
        self.assertEqual(payment["decision"]["result"], "challenge")
        self.assertEqual(rules(payment, "challenge"), ["authentication.required"])
        self.assertEqual((payment["captured"], payment["capturable"]), (0, 0))
        self.still_waits(payment)
        self.assertEqual(attempts_of(self.api.events(payment["id"]), payment["id"]), [])
        done = self.goes_ahead(payment)
        self.assertEqual((done["captured"], done["outcome"]["result"]), (1250, "approved"))
        self.assertEqual([e["approved_minor"] for e in self.sim.entries("sale")], [1250])
        self.assertEqual(self.api.payment(payment["id"]), done)
        kinds = self.kinds(payment)
        steps = ["payment.created", "payment.requires_action", "payment.confirmed", "payment.processing", "attempt.sending"]
        steps.append("payment.succeeded")
        self.assertEqual([kind for kind in kinds if kind in steps], steps)
        compare(self.api, self.sim)

    def test_the_code_of_the_command_line(self):
        payment = self.waits(by("p1", payee={"name": "Corner shop"}))
        code = self.gateway.cli("authenticator", payment["id"], "--json")[1]
        code = next(value for value in json.loads(code).values() if isinstance(value, str) and len(value) == 8 and value.isdigit())
        self.assertIn(code, [one_time_code(payment, "p1", "Corner shop", at=time.time() + off) for off in (0, -30)])
        answer = confirm(self.api, payment, code=code)
        self.assertEqual((answer.status, answer.json()["status"]), (200, "succeeded"), answer)
        self.gateway.cli("authenticator", payment["id"], code=1)  # it waits for nobody any more
        compare(self.api, self.sim)

    def test_a_hold_that_is_captured_later(self):
        payment = self.waits(authorisation(1000, payer={"id": "p1"}))
        held = self.goes_ahead(payment, status="authorized")
        self.assertEqual(held["capturable"], 1000)
        self.assertEqual(self.api.post(f"/v1/payments/{payment['id']}/capture", {}).status, 200)
        compare(self.api, self.sim)

    def test_confirmed_and_declined(self):
        payment = self.waits(by("p1", 9051))
        done = self.goes_ahead(payment, status="failed")
        self.assertEqual((done["outcome"]["result"], done["outcome"]["code"]), ("declined", "51"))
        compare(self.api, self.sim)

    def test_the_first_answer_is_kept(self):
        """Whatever became of the payment since: the same key is answered with the same bytes."""
        first = self.api.post("/v1/payments", by("p1"), "the-key")
        for _ in range(2):
            again = self.api.post("/v1/payments", by("p1"), "the-key")
            self.assertEqual((again.status, again.body, again.replayed), (first.status, first.body, True))
            if self.api.payment(first.json()["id"])["status"] == "requires_action":
                self.goes_ahead(first.json())
        self.assertEqual(len(self.sim.entries("sale")), 1)
        compare(self.api, self.sim)

    def test_who_does_not_wait_for_the_answer(self):
        payment = self.waits(by("p1"))
        self.sim.fault("delay", mti="0200", ms=300, next=1)
        code, path = one_time_code(payment, "p1"), f"/v1/payments/{payment['id']}/confirm"
        body = {"authentication": {"type": "code", "code": code}}
        answer = self.api.post(path, body, "the-key", Prefer="wait=0")
        self.assertEqual((answer.status, answer.json()["status"]), (202, "processing"), answer)
        self.assertEqual(self.api.final(payment["id"])["status"], "succeeded")
        again = self.api.post(path, body, "the-key")
        self.assertEqual((again.status, again.body, again.replayed), (202, answer.body, True))
        compare(self.api, self.sim)

    def test_an_answer_that_is_lost(self):
        payment = self.waits(by("p1"))
        self.sim.fault("drop_after_booking", mti="0200", next=1)
        answer = confirm_rightly(self.api, payment, "p1")
        self.assertIn(answer.status, (200, 202), answer)
        settle(self.api)
        done = self.api.payment(payment["id"])
        self.assertEqual((done["status"], done["captured"]), ("reversed", 0), done)
        compare(self.api, self.sim)

    def test_what_a_confirmation_must_look_like(self):
        payment = self.waits(by("p1"))
        path = f"/v1/payments/{payment['id']}/confirm"
        self.problem(self.api.post(path, {}), 422, "invalid_field", "/authentication")
        for wrong in ({"type": "code"}, {"type": "code", "code": "12ab5678"}, {"type": "code", "code": "123456789"},
                      {"type": "sms", "code": "12345678"}, {"type": "assertion", "assertion": "a b"}):  # fmt: skip
            self.problem(self.api.post(path, {"authentication": wrong}), 422, "invalid_field")
        self.problem(self.api.post("/v1/payments/pay_1m81se8t60000/confirm", {"authentication": {"type": "code", "code": "12345678"}}),
                     404, "not_found")  # fmt: skip
        self.problem(confirm_rightly(self.gateway.client(), payment, "p1"), 404, "not_found")
        answer = confirm(self.api, payment, assertion="e30.e30.AAAA")
        self.problem(answer, 409, "authentication_impossible")  # no issuer is configured
        self.still_waits(payment)
        self.goes_ahead(payment)
        compare(self.api, self.sim)

    def test_a_payer_who_is_authenticated_is_not_asked(self):
        """Chip and PIN; and who merely claims so is asked."""
        chip = {"entry": "chip", "pan": VISA, "expiry": "3012", "emv": emv(VISA, 700), "pin_block": pin_block("1234", VISA)}
        payment = created(self.api.post("/v1/payments", sale(700, method={"type": "card", "card": chip})))
        self.assertNotEqual(payment["status"], "requires_action", payment)
        self.assertEqual(payment["decision"]["result"], "allow", payment)
        chip = {"entry": "chip", "pan": VISA, "expiry": "3012", "emv": emv(VISA, 701)}
        self.waits(sale(701, payer={"id": "p1"}, method={"type": "card", "card": chip}))
        compare(self.api, self.sim)


class Refused(Asked):
    profile = {"authentication": {"required": True, "wrong_max": 3}}

    def test_wrong_codes_and_how_many(self):
        payment = self.waits(by("p1"))
        for left in (2, 1):
            told = self.problem(confirm(self.api, payment, code=wrong_code(payment, "p1")), 422, "authentication_wrong")
            self.assertIn("still waits", told["detail"])
            self.still_waits(payment)
            event = [e for e in self.api.events(payment["id"]) if e["kind"] == "payment.authentication_wrong"][-1]
            self.assertEqual((event["data"]["wrong"], event["data"]["left"]), (3 - left, left))
        told = self.problem(confirm(self.api, payment, code=wrong_code(payment, "p1")), 422, "authentication_wrong")
        self.assertIn("last try", told["detail"])
        failed = self.api.payment(payment["id"])
        self.assertEqual((failed["status"], failed["outcome"]["code"]), ("failed", "authentication_failed"), failed)
        self.assertIsNone(failed["next_action"])
        self.problem(confirm_rightly(self.api, payment, "p1"), 409, "no_action_required")
        self.assertEqual(metric(self.gateway, "railgate_wrong_results_total"), 3)
        self.assertEqual(self.sim.entries(), [])
        compare(self.api, self.sim)

    def test_a_wrong_code_repeated_with_its_key_counts_once(self):
        payment = self.waits(by("p1"))
        code = wrong_code(payment, "p1")
        first = confirm(self.api, payment, "the-key", code=code)
        for _ in range(5):
            again = confirm(self.api, payment, "the-key", code=code)
            self.assertEqual((again.status, again.body, again.replayed), (first.status, first.body, True))
        self.goes_ahead(payment)
        compare(self.api, self.sim)

    def test_codes_of_something_else(self):
        other = self.waits(by("p1", payee={"id": "shop"}))
        codes = {
            "another payer": lambda p: one_time_code(p, "p2", "shop"),
            "another payee": lambda p: one_time_code(p, "p1", "shop2"),
            "no payee": lambda p: one_time_code(p, "p1"),
            "another amount": lambda p: one_time_code(p, "p1", "shop", value=1251),
            "another currency": lambda p: one_time_code(p, "p1", "shop", currency="USD"),
            "another payment": lambda p: one_time_code(other, "p1", "shop"),
            "another key": lambda p: one_time_code(p, "p1", "shop", key="00" * 32),
        }
        for name, code in codes.items():
            with self.subTest(name):
                payment = self.waits(by("p1", payee={"id": "shop"}))
                self.problem(confirm(self.api, payment, code=code(payment)), 422, "authentication_wrong")
                self.still_waits(payment)
        self.goes_ahead(payment, "p1", "shop")
        compare(self.api, self.sim)

    def test_a_code_that_is_old(self):
        payment = self.waits(by("p1"))
        old = one_time_code(payment, "p1", at=time.time() - 120)
        self.problem(confirm(self.api, payment, code=old), 422, "authentication_late")
        early = one_time_code(payment, "p1", at=time.time() + 120)  # who guesses is not told that it will be right
        self.problem(confirm(self.api, payment, code=early), 422, "authentication_wrong")
        self.still_waits(payment)
        self.goes_ahead(payment)
        compare(self.api, self.sim)

    def test_a_result_is_used_once(self):
        payment = self.waits(by("p1"))
        code = one_time_code(payment, "p1")
        first = confirm(self.api, payment, "one", code=code)
        self.assertEqual(first.status, 200, first)
        self.problem(confirm(self.api, payment, "two", code=code), 409, "no_action_required")
        again = confirm(self.api, payment, "one", code=code)
        self.assertEqual((again.status, again.body, again.replayed), (200, first.body, True))
        self.problem(confirm(self.api, payment, "one", code="00000000"), 422, "idempotency_key_reused")
        self.assertEqual(len(self.sim.entries("sale")), 1)
        compare(self.api, self.sim)

    def test_two_at_the_same_moment(self):
        """Money moves once, whoever is first."""
        for _ in range(5):
            payment = self.waits(by("p1"))
            code = one_time_code(payment, "p1")
            answers = together([lambda k=k: confirm(self.api, payment, f"{payment['id']}-{k}", code=code) for k in range(6)])
            statuses = sorted(answer.status for answer in answers)
            self.assertEqual(statuses, [200] + 5 * [409], answers)
            self.assertEqual(self.api.payment(payment["id"])["status"], "succeeded")
        self.assertEqual(len(self.sim.entries("sale")), 5)
        compare(self.api, self.sim)


class Late(Asked):
    profile = {**AT_ONCE, **DAY}

    def failed(self, payment):
        failed = rgrails.settled(self.api, payment["id"], 30)
        self.assertEqual((failed["status"], failed["outcome"]["code"]), ("failed", "authentication_expired"), failed)
        return failed

    def test_it_fails_by_itself_and_gives_its_sum_back(self):
        payment = self.waits(by("p1", 10000))
        over = created(self.api.post("/v1/payments", by("p1", 1)))
        self.assertEqual((over["status"], rules(over, "deny")), ("failed", ["limit.day"]), "what waits counts")
        self.failed(payment)
        self.problem(confirm_rightly(self.api, payment, "p1"), 409, "no_action_required")
        free = self.waits(by("p1", 10000))
        self.failed(free)
        self.assertEqual(metric(self.gateway, "railgate_payments_expired_total"), 2)
        self.assertEqual(self.sim.entries(), [])
        compare(self.api, self.sim)

    def test_a_right_code_after_its_time(self):
        payment = self.waits(by("p1"))
        begun = time.monotonic()
        until("its time is over", lambda: time.monotonic() > begun + 1.1)
        answer = confirm_rightly(self.api, payment, "p1")
        self.assertIn((answer.status, answer.json()["code"]), ((422, "authentication_late"), (409, "no_action_required")))
        self.failed(payment)
        compare(self.api, self.sim)

    def test_it_fails_by_itself_after_a_restart(self):
        payment = self.waits(by("p1", 10000))
        self.gateway.kill()
        self.gateway.start()
        self.failed(payment)
        self.failed(self.waits(by("p1", 10000)))
        compare(self.api, self.sim)


class LowValue(Asked):
    profile = LOW_VALUE

    def exempt(self, body):
        payment = self.passes(body)
        self.assertEqual(payment["decision"]["exemption"], "exemption.low_value", payment)

    def test_five_in_a_row(self):
        for value in (100, 1, 3000, 200, 5):
            self.exempt(by("p1", value))
        self.exempt(by("p2", 100))
        payment = self.waits(by("p1", 100))
        self.assertEqual(rules(payment, "challenge"), ["exemption.low_value"])
        self.waits(by("p1", 1))  # who waits uses nothing up, and is no authentication
        self.goes_ahead(payment)
        for value in (100, 1, 3000, 200, 5):
            self.exempt(by("p1", value))
        self.waits(by("p1", 1))
        compare(self.api, self.sim)

    def test_the_sum_since_the_last_time(self):
        for value in (3000, 3000, 3000, 1000):
            self.exempt(by("p1", value))
        payment = self.waits(by("p1", 1))
        self.assertEqual(rules(payment, "challenge"), ["exemption.low_value"])
        self.goes_ahead(payment)
        self.exempt(by("p1", 3000))
        compare(self.api, self.sim)

    def test_the_largest(self):
        self.exempt(by("p1", 3000))
        payment = self.waits(by("p1", 3001))
        self.assertEqual(rules(payment, "challenge"), ["authentication.required"])
        self.waits(by("p1", 100, currency="USD"))
        compare(self.api, self.sim)

    def test_a_larger_one_that_is_confirmed_begins_anew(self):
        for _ in range(5):
            self.exempt(by("p1", 100))
        self.goes_ahead(self.waits(by("p1", 5000)))
        for _ in range(5):
            self.exempt(by("p1", 100))
        self.waits(by("p1", 100))
        compare(self.api, self.sim)

    def test_wrong_and_canceled_are_no_authentication(self):
        for _ in range(5):
            self.exempt(by("p1", 100))
        payment = self.waits(by("p1", 5000))
        self.problem(confirm(self.api, payment, code=wrong_code(payment, "p1")), 422, "authentication_wrong")
        self.waits(by("p1", 100))
        self.assertEqual(self.api.post(f"/v1/payments/{payment['id']}/cancel").status, 200)
        self.waits(by("p1", 100))
        compare(self.api, self.sim)

    def test_declined_ones_are_not_counted(self):
        for _ in range(5):
            payment = created(self.api.post("/v1/payments", by("p1", 100, pan="4000000000000002")))
            self.assertEqual(payment["status"], "failed", payment)
        for _ in range(5):
            self.exempt(by("p1", 100))
        compare(self.api, self.sim)

    def test_twenty_at_once(self):
        answers = together([lambda: self.api.post("/v1/payments", by("p1", 100)) for _ in range(20)])
        done = [created(a)["status"] for a in answers]
        self.assertEqual((done.count("succeeded"), done.count("requires_action")), (5, 15), done)
        compare(self.api, self.sim)


class Canceled(Asked):
    profile = {**ALWAYS, **DAY}

    def test_a_payment_that_waits(self):
        payment = self.waits(by("p1", 10000))
        answer = self.api.post(f"/v1/payments/{payment['id']}/cancel", {}, "the-key")
        self.assertEqual((answer.status, answer.json()["status"]), (200, "canceled"), answer)
        again = self.api.post(f"/v1/payments/{payment['id']}/cancel", {}, "the-key")
        self.assertEqual((again.status, again.body, again.replayed), (200, answer.body, True))
        self.problem(self.api.post(f"/v1/payments/{payment['id']}/cancel"), 409, "wrong_status")
        self.problem(confirm_rightly(self.api, payment, "p1"), 409, "no_action_required")
        self.problem(self.api.post(f"/v1/payments/{payment['id']}/refunds", {}), 409, "wrong_status")
        free = self.waits(by("p1", 10000))  # its sum is free again
        self.goes_ahead(free)
        compare(self.api, self.sim)

    def test_declined_after_all(self):
        payment = self.waits(by("p1", 10000, pan=DECLINES))
        self.goes_ahead(payment, status="failed")
        self.goes_ahead(self.waits(by("p1", 10000)))  # its sum was free again
        over = created(self.api.post("/v1/payments", by("p1", 1)))
        self.assertEqual(rules(over, "deny"), ["limit.day"])
        compare(self.api, self.sim)

    def test_canceled_and_confirmed_at_once(self):
        for number in range(5):
            payer = f"q{number}"
            payment = self.waits(by(payer, 500))
            together([lambda p=payment: self.api.post(f"/v1/payments/{p['id']}/cancel"),
                      lambda p=payment, q=payer: confirm_rightly(self.api, p, q)])  # fmt: skip
            settle(self.api)
            self.assertIn(self.api.payment(payment["id"])["status"], ("canceled", "succeeded"))
        compare(self.api, self.sim)


class Assertions(Story):
    def setUp(self):
        super().setUp()
        self.edwards = Issuer(self.stage.folder, "https://one.example", "EdDSA")
        self.nist = Issuer(self.stage.folder, "https://two.example", "ES256")
        settings = sca((self.edwards, self.nist))
        profile = noon(authentication={"required": True, "wrong_max": 20})
        self.sim, self.gateway, self.api = self.pair(settings=settings, region=profile)

    def waits(self, value=1250):
        payment = created(self.api.post("/v1/payments", by("p1", value, payee={"id": "shop"})))
        self.assertEqual(payment["status"], "requires_action", payment)
        self.assertEqual(payment["next_action"]["methods"], ["code", "assertion"])
        return payment

    def test_right(self):
        for issuer in (self.edwards, self.nist):
            with self.subTest(issuer.alg):
                payment = self.waits()
                answer = confirm(self.api, payment, assertion=issuer.assertion(payment, "p1", "shop"))
                self.assertEqual((answer.status, answer.json()["status"]), (200, "succeeded"), answer)
        compare(self.api, self.sim)

    def test_wrong(self):
        payment, other = self.waits(), self.waits(1300)
        now = int(time.time())
        for issuer in (self.edwards, self.nist):
            stranger = Issuer(self.stage.folder, issuer.name.replace("https://", "x-"), issuer.alg)
            right = issuer.assertion(payment, "p1", "shop")
            head, claims, mark = right.split(".")
            none = self.edwards.assertion(payment, "p1", "shop", alg="none").split(".")
            wrong = {
                "another's signature": (stranger.assertion(payment, "p1", "shop", iss=issuer.name), "wrong"),
                "an issuer nobody knows": (stranger.assertion(payment, "p1", "shop"), "wrong"),
                "a letter of the signature": (f"{head}.{claims}.{'B' if mark[0] == 'A' else 'A'}{mark[1:]}", "wrong"),
                "signature of other claims": (f"{head}.{issuer.assertion(other, 'p1', 'shop').split('.')[1]}.{mark}", "wrong"),
                "alg none": (f"{none[0]}.{none[1]}.AA", "wrong"),
                "alg none, signed": (".".join(none), "wrong"),
                "alg HS256": (issuer.assertion(payment, "p1", "shop", alg="HS256"), "wrong"),
                "another payment": (issuer.assertion(other, "p1", "shop"), "wrong"),
                "another payer": (issuer.assertion(payment, "p2", "shop"), "wrong"),
                "another payee": (issuer.assertion(payment, "p1", "shop2"), "wrong"),
                "another amount": (issuer.assertion(payment, "p1", "shop", amount=1251), "wrong"),
                "another currency": (issuer.assertion(payment, "p1", "shop", currency="USD"), "wrong"),
                "another audience": (issuer.assertion(payment, "p1", "shop", aud="somebody"), "wrong"),
                "expired": (issuer.assertion(payment, "p1", "shop", iat=now - 400, exp=now - 100), "late"),
                "from the future": (issuer.assertion(payment, "p1", "shop", iat=now + 300, exp=now + 400), "late"),
                "too long": (issuer.assertion(payment, "p1", "shop", exp=now + 100000), "wrong"),
            }  # fmt: skip
            if issuer is self.nist:  # enough of them for one payment
                payment = self.waits(1400)
                wrong = {name: row for name, row in wrong.items() if name in ("another's signature", "a letter of the signature", "alg none")}
            for name, (assertion, code) in wrong.items():
                with self.subTest(name, alg=issuer.alg):
                    self.problem(confirm(self.api, payment, assertion=assertion), 422, f"authentication_{code}")
            self.assertEqual(self.api.payment(payment["id"])["status"], "requires_action")
            self.assertEqual(self.sim.entries(), [])
        answer = confirm(self.api, payment, assertion=self.nist.assertion(payment, "p1", "shop"))
        self.assertEqual(answer.status, 200, answer)
        compare(self.api, self.sim)


class Restarted(Story):
    """What waits when the power fails."""

    def test_a_card_is_never_written_down(self):
        sim, gateway, api = self.pair(settings=sca(), region=noon(**ALWAYS, **DAY))
        payment = created(api.post("/v1/payments", by("p1", 10000)))
        self.assertEqual(payment["status"], "requires_action", payment)
        self.assertEqual(files_with(gateway.place, VISA), [])
        gateway.kill()
        self.assertEqual(files_with(gateway.place, VISA), [])
        gateway.start()
        self.assertEqual(api.payment(payment["id"]), payment)
        code = one_time_code(payment, "p1")
        answer = confirm(api, payment, "the-key", code=code)
        told = answer.json()
        self.assertEqual((answer.status, told["status"], told["outcome"]["code"]), (200, "failed", "card_data_gone"), answer)
        again = confirm(api, payment, "the-key", code=code)
        self.assertEqual((again.status, again.body, again.replayed), (200, answer.body, True))
        self.assertEqual(sim.entries(), [])
        free = created(api.post("/v1/payments", by("p1", 10000)))
        self.assertEqual(free["status"], "requires_action", "its sum is free again")
        self.assertEqual(confirm_rightly(api, free, "p1").json()["status"], "succeeded")
        self.assertEqual(files_with(gateway.place, VISA), [])
        self.assertNotIn(VISA, gateway.log_text())
        compare(api, sim)

    def ledger_and_gateway(self):
        ledger = rgrails.start_ledger(self.stage)
        gateway = rgrails.rails(self.stage, [cbdc_channel(ledger)], settings=sca(), region=noon(**ALWAYS, **DAY))
        return ledger, gateway, gateway.client()

    def test_a_transfer_goes_on(self):
        ledger, gateway, api = self.ledger_and_gateway()
        for end in (gateway.kill, gateway.stop):
            payment = created(api.post("/v1/payments", {**cbdc_sale(700), "payer": {"id": "p1"}}))
            self.assertEqual(payment["status"], "requires_action", payment)
            booked = len(ledger.entries())
            end()
            gateway.start()
            self.assertEqual(api.payment(payment["id"]), payment)
            self.assertEqual(len(ledger.entries()), booked, "nothing was sent")
            answer = confirm_rightly(api, payment, "p1")
            self.assertEqual((answer.status, answer.json()["status"]), (200, "succeeded"), answer)
        self.assertEqual([e["amount_minor"] for e in ledger.entries("transfer")], [700, 700])
        over = created(api.post("/v1/payments", {**cbdc_sale(8601), "payer": {"id": "p1"}}))
        self.assertEqual(rules(over, "deny"), ["limit.day"], "what was confirmed counts once")
        fits = created(api.post("/v1/payments", {**cbdc_sale(8600), "payer": {"id": "p1"}}))
        self.assertEqual(confirm_rightly(api, fits, "p1").json()["status"], "succeeded")
        compare_cbdc(api, ledger)

    def test_killed_at_every_step_of_a_confirmation(self):
        for step in ("before_record", "after_record", "after_send", "after_exchange", "before_settle", "after_settle"):
            with self.subTest(step):
                ledger, gateway, api = self.ledger_and_gateway()
                payment = created(api.post("/v1/payments", {**cbdc_sale(700), "payer": {"id": "p1"}}))
                gateway.stop()
                gateway.start(env={"RAILGATE_CRASH_AT": step})
                code = one_time_code(payment, "p1")
                try:
                    confirm(api, payment, "the-key", code=code)
                except LOST:
                    pass
                self.assertEqual(gateway.wait_end(), -9)
                gateway.start()

                def asked():
                    answer = confirm(api, payment, "the-key", code=code)
                    return answer if answer.status not in (409, 503) else None

                answer = until("the repeat is answered", asked, 20)
                lost = step in ("after_record", "after_send")
                known = step in ("before_record", "after_settle")  # else it may still be found out when we ask
                self.assertIn(answer.status, (200,) if known else (200, 202), answer)
                settle(api)
                done = api.payment(payment["id"])
                self.assertIn(done["status"], ("succeeded", "failed", "reversed") if lost else ("succeeded",), done)
                again = confirm(api, payment, "the-key", code=code)
                self.assertEqual((again.status, again.body), (answer.status, answer.body))
                compare_cbdc(api, ledger)
                store_is_sound(gateway)
                gateway.stop()
                ledger.kill()


if __name__ == "__main__":
    main()
