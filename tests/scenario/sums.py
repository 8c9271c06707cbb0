"""Sums are safe: captures or refunds that come at once and together exceed the amount: exactly the allowed
ones succeed, here and at the card host."""

from rgledger import compare, settle
from rgtest import Story, authorisation, main, sale, together


def part(value):
    return {"amount": {"value": value, "currency": "EUR"}}


class AtOnce(Story):
    def setUp(self):
        super().setUp()
        self.sim, self.gateway, self.api = self.pair(channel={"deadline": "15s"})

    def outcome(self, answers, allowed, good, code):
        """Exactly `allowed` went through; all others were refused because of the sum."""
        taken = [a for a in answers if a.status == good]
        self.assertEqual(len(taken), allowed, sorted((a.status, a.body[:120]) for a in answers))
        for answer in answers:
            if answer.status != good:
                self.assertIn(answer.json()["code"], code, answer)

    def test_50_captures_of_100_from_1000(self):
        payment = self.api.post("/v1/payments", authorisation(1000)).json()["id"]
        path = f"/v1/payments/{payment}/capture"
        answers = together([lambda: self.api.post(path, part(100)) for _ in range(50)])
        self.outcome(answers, 10, 200, ("amount_exceeds_capturable", "nothing_left", "wrong_status"))
        settle(self.api)
        read = self.api.payment(payment)
        self.assertEqual((read["captured"], read["capturable"], read["status"]), (1000, 0, "succeeded"))
        self.assertEqual(self.sim.totals()["captured_minor"], 1000)
        self.assertEqual(len(self.sim.entries("capture")), 10, "the others never left the gateway")
        compare(self.api, self.sim)

    def test_50_refunds_of_30_from_1000(self):
        payment = self.api.post("/v1/payments", sale(1000)).json()["id"]
        path = f"/v1/payments/{payment}/refunds"
        answers = together([lambda: self.api.post(path, part(30)) for _ in range(50)])
        self.outcome(answers, 33, 201, ("amount_exceeds_refundable",))
        settle(self.api)
        read = self.api.payment(payment)
        self.assertEqual((read["refunded"], read["refundable"]), (990, 10))
        self.assertEqual(self.sim.totals()["refunded_minor"], 990)
        self.assertEqual(len(self.sim.entries("refund")), 33)
        compare(self.api, self.sim)

    def test_amounts_of_all_sizes(self):
        payment = self.api.post("/v1/payments", authorisation(1000)).json()["id"]
        path = f"/v1/payments/{payment}/capture"
        answers = together([lambda v=v: self.api.post(path, part(v)) for v in range(20, 520, 10)])
        settle(self.api)
        taken = [a for a in answers if a.status == 200]
        read = self.api.payment(payment)
        self.assertLessEqual(read["captured"], 1000)
        self.assertGreater(len(taken), 1)
        self.assertEqual(read["captured"], self.sim.totals()["captured_minor"])
        # What is left is less than any that was refused before it.
        self.assertEqual(read["capturable"] if read["status"] == "authorized" else 0, 1000 - read["captured"])
        compare(self.api, self.sim)

    def test_capture_and_cancel_race(self):
        for _ in range(5):
            payment = self.api.post("/v1/payments", authorisation(1000)).json()["id"]
            path = f"/v1/payments/{payment}"
            together([lambda p=path: self.api.post(p + "/capture", part(400)), lambda p=path: self.api.post(p + "/cancel"),
                      lambda p=path: self.api.post(p + "/capture", part(700))])  # fmt: skip
            settle(self.api)
            read = self.api.payment(payment)
            self.assertIn(read["captured"], (0, 400, 700))
        compare(self.api, self.sim)

    def test_many_payments_at_once(self):
        answers = together([lambda i=i: self.api.post("/v1/payments", sale(100 + i)) for i in range(64)])
        self.assertEqual([a.status for a in answers], [201] * 64)
        self.assertEqual(len({a.json()["id"] for a in answers}), 64)
        compare(self.api, self.sim)


if __name__ == "__main__":
    main()
