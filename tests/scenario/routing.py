"""routing - several channels of one rail: which one carries a payment, and what the answer says of it.

A gateway with two card hosts behind two channels: the cheaper one first, what each takes, how large a payment
may be, a circuit that is open, a message that was not sent and one whose outcome nobody knows.

Test card numbers in here are from ranges that card schemes publish for sandboxes.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))

from rgledger import compare
from rgtest import MASTERCARD, VISA, Story, authorisation, main, ops, sale, together, until

CHEAP = {"name": "cheap", "cost": {"fixed_minor": 5}, "settings": {"terminal_id": "TERM0001"}}
DEAR = {"name": "dear", "cost": {"basis_points": 100, "fixed_minor": 10}, "settings": {"terminal_id": "TERM0002"}}


class Routing(Story):
    def begin(self, cheap=None, dear=None):
        self.cheap, self.dear = self.stage.simulator(), self.stage.simulator()
        channels = [{**CHEAP, **(cheap or {})}, {**DEAR, **(dear or {})}]
        self.gateway = self.stage.gateway(self.cheap, self.dear, channels=channels)
        until("both channels are ready", lambda: b"0 of" not in ops(self.gateway, "/readyz").body)
        self.api = self.gateway.client()

    def paid(self, body, channel):
        """The payment succeeds on this channel; its route.why."""
        answer = self.api.post("/v1/payments", body)
        payment = answer.json()
        self.assertEqual((answer.status, payment["status"]), (201, "succeeded"), answer)
        self.assertEqual(payment["route"]["channel"], channel, answer)
        return payment["route"]["why"]

    def offers(self, query):
        rows = self.api.get("/v1/methods?" + query).json()["data"]
        return [(row["channel"], row["usable"], row["reason"]) for row in rows]

    def tearDown(self):
        if hasattr(self, "api"):
            compare(self.api, [self.cheap, self.dear])
        super().tearDown()

    def test_the_cheapest_first(self):
        self.begin()
        why = self.paid(sale(1000), "cheap")  # 5 against 20
        self.assertRegex(why, r"^the cheapest of 2 that can: costs 5 minor units, \d+ of 512 in flight$")
        self.assertEqual(self.offers("currency=EUR&amount=1000"), [("cheap", True, "usable"), ("dear", True, "usable")])

    def test_what_a_channel_takes(self):
        self.begin(cheap={"takes": ["pan=4*", "entry=manual|chip"]})
        self.paid(sale(1000, pan=VISA), "cheap")
        why = self.paid(sale(1000, pan=MASTERCARD), "dear")
        self.assertIn("cheap is passed over: does not take payments with this `pan`", why)
        self.assertNotIn("5555", why)
        track2 = {"type": "card", "card": {"entry": "stripe", "track2": "4242424242424242=30121011234500000"}}
        self.assertIn("`entry`", self.paid({**sale(1000), "method": track2}, "dear"))
        row = self.api.get("/v1/methods?currency=EUR").json()["data"][0]
        self.assertEqual((row["channel"], row["modes"]), ("cheap", ["manual", "chip"]))

    def test_a_detail_that_no_channel_takes(self):
        self.begin(cheap={"takes": ["pan=4*"]}, dear={"takes": ["pan=34*"]})
        answer = self.api.post("/v1/payments", sale(1000, pan=MASTERCARD))
        detail = self.problem(answer, 422, "method_not_available", "/method/type")["detail"]
        self.assertIn("does not take payments with this `pan`", detail)
        self.assertNotIn("5555", detail)

    def test_limits_of_the_amount(self):
        self.begin(cheap={"amount": {"min_minor": 500, "max_minor": 2000}}, dear={"amount": {"max_minor": 5000}})
        self.paid(sale(500), "cheap")
        self.assertIn("cheap is passed over: carries at least 500 minor units", self.paid(sale(499), "dear"))
        self.assertIn("cheap is passed over: carries at most 2000 minor units", self.paid(sale(2001), "dear"))
        answer = self.api.post("/v1/payments", sale(5001))
        self.problem(answer, 422, "amount_not_possible", "/amount/value")
        self.assertEqual(
            self.offers("currency=EUR&amount=2001"), [("dear", True, "usable"), ("cheap", False, "over_amount")]
        )
        # What is held stays where it is, whatever the limits are for new payments.
        held = self.api.post("/v1/payments", authorisation(600)).json()
        part = self.api.post(f"/v1/payments/{held['id']}/capture", {"amount": {"value": 100, "currency": "EUR"}})
        self.assertEqual((part.status, part.json()["captured"]), (200, 100), part)
        self.api.post(f"/v1/payments/{held['id']}/cancel", {})

    def test_currencies_and_regions(self):
        self.begin(cheap={"currencies": ["EUR"]})
        self.assertIn("cheap is passed over: does not take USD", self.paid(sale(1000, "USD"), "dear"))
        self.assertEqual(
            self.offers("currency=USD"), [("dear", True, "usable"), ("cheap", False, "wrong_currency")]
        )

    def silent(self, **more):
        """A sale on the cheap channel that is booked and never answered, nor is its reversal until calm()."""
        rules = [{"fault": "drop_after_booking", "mti": "0200", "next": 1}, {"fault": "drop_before_booking", "mti": "0420"}]
        self.cheap.knobs(faults=rules)
        payment = self.api.post("/v1/payments", sale(1000, **more)).json()
        self.assertEqual((payment["status"], payment["route"]["channel"]), ("processing", "cheap"), payment)
        self.assertEqual(payment["outcome"]["result"], "unknown")
        return payment["id"]

    def test_a_circuit_that_is_open_is_passed_over(self):
        self.begin(cheap={"circuit": {"failures": 1, "open_for": "5s"}})
        first = self.silent()
        self.assertIn("cheap is passed over: circuit open", self.paid(sale(1200), "dear"))
        self.assertEqual(self.offers("currency=EUR"), [("dear", True, "usable"), ("cheap", False, "circuit_open")])
        # What is unknown stays where it is: the other channel has never heard of it.
        self.assertEqual([e["amount_minor"] for e in self.dear.entries("sale")], [1200])
        self.cheap.calm()
        self.assertEqual(self.api.final(first)["status"], "reversed")
        self.paid(sale(1100), "cheap")  # any answer closes the circuit, that of a reversal too

    def test_after_its_pause_one_payment_tries_the_circuit(self):
        # The reversal is not repeated meanwhile: its answer would close the circuit.
        self.begin(cheap={"circuit": {"failures": 1, "open_for": "10ms"}, "reversal": {"retry_every": "5s", "first_delay": "5s"}})
        first = self.silent()

        def tried():
            payment = self.api.post("/v1/payments", sale(1300)).json()
            return payment["route"]["channel"] == "cheap" and payment

        payment = until("the cheap channel is tried again", tried)
        self.assertEqual(payment["status"], "succeeded")
        self.assertIn("is tried again after a pause", payment["route"]["why"])
        self.assertNotIn("tried again", self.paid(sale(1400), "cheap"), "its answer has closed the circuit")
        self.cheap.calm()
        self.assertEqual(self.api.final(first)["status"], "reversed")

    def test_what_was_not_sent_moves_on(self):
        """Neither channel has a link when the payment comes: it waits a second for one of the cheap channel, is
        certainly not sent, and goes on to the other."""
        self.begin()
        for sim in (self.cheap, self.dear):
            sim.knobs(down_ms=-1)
        until("the gateway has noticed", lambda: ops(self.gateway, "/readyz").status == 503)
        answers = together([
            lambda: self.api.post("/v1/payments", sale(1700)),
            lambda: until("it is recorded", self.api.payments) and self.dear.calm(),
        ])  # fmt: skip
        payment = answers[0].json()
        self.assertEqual((payment["status"], payment["route"]["channel"]), ("succeeded", "dear"), payment)
        kinds = [event["kind"] for event in self.api.events(payment["id"])]
        self.assertIn("attempt.not_sent", kinds)
        self.assertEqual(self.cheap.entries(), [])
        self.cheap.calm()

    def test_a_channel_without_a_link_is_passed_over(self):
        self.begin()
        self.cheap.knobs(down_ms=-1)
        until("the gateway has noticed", lambda: b"0 of 2 links ready" in ops(self.gateway, "/readyz").body)
        why = self.paid(sale(1500), "dear")
        self.assertIn("cheap is passed over: no link is ready", why)
        self.assertEqual(len(self.cheap.entries()), 0)
        self.cheap.calm()

    def test_what_is_unknown_never_moves_on(self):
        self.begin()
        for fault in ("drop_before_booking", "drop_after_booking"):
            self.cheap.fault(fault, mti="0200", next=1)
            payment = self.api.post("/v1/payments", sale(1600)).json()
            self.assertEqual(payment["route"]["channel"], "cheap", payment)
            self.assertEqual(self.api.final(payment["id"])["status"], "reversed")
        first = self.silent()
        self.cheap.calm()
        self.assertEqual(self.api.final(first)["status"], "reversed")
        self.assertEqual(self.dear.entries(), [])


if __name__ == "__main__":
    main()
