"""The life of a payment, as its merchant sees it: create, read, list, capture, cancel, refund, timeline,
waiting. Each story ends by comparing the gateway's records with the card host's books.

Test card numbers from published ranges only (see rgtest.py).
"""

from rgledger import attempts_of, compare, settle
from rgtest import DECLINES, Story, authorisation, main, sale

EUR = "EUR"


def amount(value, currency=EUR):
    return {"amount": {"value": value, "currency": currency}}


class Create(Story):
    def setUp(self):
        super().setUp()
        self.sim, self.gateway, self.api = self.pair()

    def test_a_sale_is_approved_and_can_be_read(self):
        answer = self.api.post("/v1/payments", sale(1250, reference="order-4711", description="two cups",
                               metadata={"table": "7"}, payer={"id": "cus_1", "country": "DE"}, purpose="GDDS"))  # fmt: skip
        self.assertEqual(answer.status, 201, answer)
        self.assertEqual(answer.headers["content-type"], "application/json")
        self.assertFalse(answer.replayed)
        payment = answer.json()
        self.assertRegex(payment["id"], r"^pay_[0-9a-z]{13}$")
        self.assertEqual(payment["status"], "succeeded")
        self.assertEqual(payment["amount"], {"value": 1250, "currency": EUR})
        self.assertEqual((payment["captured"], payment["refunded"], payment["refundable"]), (1250, 0, 1250))
        self.assertEqual(payment["outcome"]["result"], "approved")
        self.assertEqual(payment["outcome"]["code"], "00")
        self.assertEqual(payment["route"]["channel"], "card_demo")
        self.assertEqual(payment["decision"]["result"], "allow")
        self.assertEqual(payment["decision"]["profile"], "default")
        self.assertEqual(payment["decision"]["version"], "1")
        self.assertIn("reasons", payment["decision"])
        self.assertIsNone(payment["next_action"])
        self.assertEqual(payment["reference"], "order-4711")
        self.assertEqual(payment["metadata"], {"table": "7"})
        self.assertEqual(payment["method"]["card"]["last4"], "1111")
        self.assertNotIn("pan", payment["method"]["card"])
        self.assertEqual(self.api.payment(payment["id"]), payment)
        compare(self.api, self.sim)

    def test_a_decline_is_a_payment_that_failed_and_no_error(self):
        for pan, value, code in ((DECLINES, 100, "05"), ("4000000000009995", 100, "51"), ("4111111111111111", 9061, "61")):
            with self.subTest(code=code):
                answer = self.api.post("/v1/payments", sale(value, pan=pan))
                payment = answer.json()
                self.assertEqual((answer.status, payment["status"]), (201, "failed"), answer)
                self.assertEqual((payment["outcome"]["result"], payment["outcome"]["code"]), ("declined", code))
                self.assertTrue(payment["outcome"]["message"])
                self.assertTrue(payment["outcome"]["category"])
                self.assertEqual(payment["captured"], 0)
                again = self.api.post(f"/v1/payments/{payment['id']}/refunds", {})
                self.problem(again, 409, "wrong_status")
        compare(self.api, self.sim)

    def test_a_partial_approval_is_taken_as_far_as_it_goes(self):
        answer = self.api.post("/v1/payments", sale(9010))
        payment = answer.json()
        self.assertEqual((answer.status, payment["status"]), (201, "succeeded"), answer)
        self.assertEqual((payment["amount"]["value"], payment["authorized"], payment["captured"]), (9010, 4505, 4505))
        compare(self.api, self.sim)

    def test_a_denied_payment_says_why(self):
        gateway = self.stage.gateway(self.sim, region={"currencies": ["USD"]})
        answer = gateway.client().post("/v1/payments", sale(100))
        payment = answer.json()
        self.assertEqual((answer.status, payment["status"]), (201, "failed"), answer)
        self.assertEqual(payment["decision"]["result"], "deny")
        self.assertTrue(payment["decision"]["reasons"])
        self.assertEqual(self.sim.entries(), [])

    def test_other_currencies_and_methods(self):
        answer = self.api.post("/v1/payments", sale(500, currency="JPY"))
        self.assertEqual((answer.status, answer.json()["status"]), (201, "succeeded"), answer)
        self.problem(self.api.post("/v1/payments", sale(500, currency="CHF")), 422, "method_not_available")
        codes = {"a code to show": ("qr", {"mode": "present"}), "a code for a bank": ("qr", {"mode": "scan", "code": "SPC\n0200\n1"})}
        others = {**codes, "a transfer": ("bank", {"direction": "receive"}), "a wallet": ("cbdc", {"action": "issue"})}
        for name, (rail, body) in others.items():
            with self.subTest(name):
                answer = self.api.post("/v1/payments", {**sale(500), "method": {"type": rail, rail: body}})
                told = self.problem(answer, 422, "method_not_available", "/method/type")["detail"]
                self.assertIn(f"No channel takes {'bank' if 'bank' in name else rail} in EUR", told)
        compare(self.api, self.sim)

    def test_reading_what_is_not_there(self):
        self.problem(self.api.get("/v1/payments/pay_1m81se8t60000"), 404, "not_found")
        self.problem(self.api.get("/v1/payments/pay_nonsense"), 404, "not_found")
        self.problem(self.api.get("/v1/payments/1"), 404, "not_found")
        self.problem(self.api.get("/v1/nothing"), 404, "not_found")
        self.problem(self.api.post("/v1/payments/pay_1m81se8t60000", {}), 405, "method_not_allowed")

    def test_one_merchant_does_not_see_another(self):
        mine = self.api.post("/v1/payments", authorisation(700)).json()["id"]
        other = self.gateway.client()
        self.problem(other.get(f"/v1/payments/{mine}"), 404, "not_found")
        self.problem(other.get(f"/v1/payments/{mine}/events"), 404, "not_found")
        self.problem(other.post(f"/v1/payments/{mine}/capture", {}), 404, "not_found")
        self.problem(other.post(f"/v1/payments/{mine}/cancel", {}), 404, "not_found")
        self.assertEqual(other.payments(), [])
        self.assertEqual(self.api.payment(mine)["status"], "authorized")

    def test_confirm_has_nothing_to_do_for_cards(self):
        payment = self.api.post("/v1/payments", sale()).json()["id"]
        code = {"authentication": {"type": "code", "code": "12345678"}}
        self.problem(self.api.post(f"/v1/payments/{payment}/confirm", code), 409, "no_action_required")


class List(Story):
    def test_pages_and_filters(self):
        _, _, api = self.pair()
        made = []
        for number in range(25):
            body = authorisation(100 + number) if number % 5 == 0 else sale(100 + number)
            made.append(api.post("/v1/payments", {**body, "reference": f"order-{number % 3}"}).json()["id"])
        page, cursor, seen = None, "", []
        while page is None or page["has_more"]:
            answer = api.get(f"/v1/payments?limit=10{cursor}")
            self.assertEqual(answer.status, 200, answer)
            page = answer.json()
            self.assertLessEqual(len(page["data"]), 10)
            seen += [row["id"] for row in page["data"]]
            cursor = f"&cursor={page['next_cursor']}"
        self.assertIsNone(page["next_cursor"])
        self.assertEqual(len(seen), len(set(seen)))
        self.assertIn(seen, (made, made[::-1]), "in order of their creation")
        self.assertEqual(len(api.get("/v1/payments").json()["data"]), 20)
        authorized = [row["id"] for row in api.all("/v1/payments?status=authorized")]
        self.assertEqual(sorted(authorized), sorted(made[::5]))
        self.assertEqual(sorted(row["id"] for row in api.all("/v1/payments?reference=order-1")), sorted(made[1::3]))
        both = [row["id"] for row in api.all("/v1/payments?reference=order-0&status=authorized")]
        self.assertEqual(sorted(both), sorted(set(made[::5]) & set(made[::3])))
        self.assertEqual(api.all("/v1/payments?reference=nobody"), [])

    def test_wrong_parameters_are_refused(self):
        _, _, api = self.pair()
        for query in ("limit=0", "limit=101", "limit=-1", "limit=ten", "limit=", "limit=99999999999999999999",
                      "cursor=nonsense", "cursor=", "status=paid", "status=", "reference=", "reference=%zz",
                      "reference=" + "x" * 129):  # fmt: skip
            with self.subTest(query=query):
                self.problem(api.get(f"/v1/payments?{query}"), 400, "invalid_parameter")


class Capture(Story):
    def setUp(self):
        super().setUp()
        self.sim, self.gateway, self.api = self.pair()

    def authorized(self, value):
        answer = self.api.post("/v1/payments", authorisation(value))
        self.assertEqual((answer.status, answer.json()["status"]), (201, "authorized"), answer)
        return answer.json()["id"]

    def capture(self, payment, body=None):
        return self.api.post(f"/v1/payments/{payment}/capture", body)

    def test_in_parts_until_nothing_is_left(self):
        payment = self.authorized(10000)
        for value, captured, status in ((2500, 2500, "authorized"), (2500, 5000, "authorized"), (None, 10000, "succeeded")):
            answer = self.capture(payment, amount(value) if value else None)
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual((answer.json()["status"], answer.json()["captured"]), (status, captured))
        self.problem(self.capture(payment), 409, "wrong_status")
        rows = self.api.get(f"/v1/payments/{payment}/captures").json()["data"]
        self.assertEqual(sorted(row["amount"]["value"] for row in rows), [2500, 2500, 5000])
        self.assertTrue(all(row["id"].startswith("cap_") and row["status"] == "succeeded" for row in rows))
        compare(self.api, self.sim)

    def test_not_more_than_was_authorized(self):
        payment = self.authorized(1000)
        self.problem(self.capture(payment, amount(1001)), 422, "amount_exceeds_capturable")
        self.assertEqual(self.capture(payment, amount(600)).status, 200)
        self.problem(self.capture(payment, amount(401)), 422, "amount_exceeds_capturable")
        self.problem(self.capture(payment, amount(400, "USD")), 422, "currency_mismatch")
        self.assertEqual(self.capture(payment, amount(400)).status, 200)
        compare(self.api, self.sim)

    def test_cancel_gives_back_what_is_left(self):
        whole, part = self.authorized(1000), self.authorized(1000)
        answer = self.api.post(f"/v1/payments/{whole}/cancel")
        self.assertEqual((answer.status, answer.json()["status"]), (200, "canceled"), answer)
        self.capture(part, amount(300))
        answer = self.api.post(f"/v1/payments/{part}/cancel", {"reference": "no-show"})
        self.assertEqual((answer.status, answer.json()["status"], answer.json()["captured"]), (200, "succeeded", 300))
        self.problem(self.capture(whole), 409, "wrong_status")
        self.problem(self.api.post(f"/v1/payments/{whole}/cancel"), 409, "wrong_status")
        self.problem(self.api.post(f"/v1/payments/{whole}/cancel", amount(1)), 422, "unknown_field", "/amount")
        totals = self.sim.totals()
        self.assertEqual((totals["held_minor"], totals["charged_minor"]), (0, 300))
        compare(self.api, self.sim)


class Refund(Story):
    def setUp(self):
        super().setUp()
        self.sim, self.gateway, self.api = self.pair()

    def refund(self, payment, body=None):
        return self.api.post(f"/v1/payments/{payment}/refunds", body)

    def test_in_parts_until_nothing_is_left(self):
        payment = self.api.post("/v1/payments", sale(1000)).json()["id"]
        answer = self.refund(payment, {**amount(300), "reference": "return-1"})
        self.assertEqual(answer.status, 201, answer)
        row = answer.json()
        self.assertTrue(row["id"].startswith("ref_"))
        self.assertEqual((row["kind"], row["status"], row["amount"]["value"], row["payment"]), ("refund", "succeeded", 300, payment))
        self.assertEqual(self.api.payment(payment)["status"], "partially_refunded")
        self.problem(self.refund(payment, amount(701)), 422, "amount_exceeds_refundable")
        self.assertEqual(self.refund(payment, amount(200)).status, 201)
        self.assertEqual(self.refund(payment).json()["amount"]["value"], 500)
        read = self.api.payment(payment)
        self.assertEqual((read["status"], read["refunded"]), ("refunded", 1000))
        self.problem(self.refund(payment), 409, "wrong_status")
        rows = self.api.get(f"/v1/payments/{payment}/refunds").json()["data"]
        self.assertEqual(sorted(r["amount"]["value"] for r in rows), [200, 300, 500])
        compare(self.api, self.sim)

    def test_of_what_was_captured(self):
        payment = self.api.post("/v1/payments", authorisation(1000)).json()["id"]
        self.problem(self.refund(payment, amount(1)), 422, "amount_exceeds_refundable")
        self.api.post(f"/v1/payments/{payment}/capture", amount(400))
        self.problem(self.refund(payment, amount(401)), 422, "amount_exceeds_refundable")
        self.assertEqual(self.refund(payment, amount(400)).status, 201)
        compare(self.api, self.sim)

    def test_a_declined_refund_leaves_the_sums_as_they_were(self):
        payment = self.api.post("/v1/payments", sale(1000)).json()["id"]
        self.sim.fault("code", mti="0200", code="57", next=1)
        answer = self.refund(payment, amount(400))
        self.assertEqual((answer.status, answer.json()["status"]), (201, "failed"), answer)
        self.assertEqual(answer.json()["outcome"]["code"], "57")
        self.assertEqual(self.api.payment(payment)["refundable"], 1000)
        self.assertEqual(self.refund(payment).status, 201)
        compare(self.api, self.sim)


class Timeline(Story):
    def test_tells_what_happened_in_order(self):
        sim, _, api = self.pair()
        payment = api.post("/v1/payments", authorisation(1000)).json()["id"]
        api.post(f"/v1/payments/{payment}/capture", amount(400))
        api.post(f"/v1/payments/{payment}/refunds", amount(100))
        events = api.events(payment)
        kinds = [event["kind"] for event in events]
        for earlier, later in (
            ("payment.created", "attempt.sending"), ("attempt.sending", "attempt.approved"),
            ("attempt.approved", "payment.authorized"), ("payment.authorized", "capture.pending"),
            ("capture.pending", "capture.succeeded"), ("capture.succeeded", "refund.succeeded"),
        ):  # fmt: skip
            self.assertLess(kinds.index(earlier), kinds.index(later), kinds)
        sequences = [event["sequence"] for event in events]
        self.assertEqual(sequences, sorted(sequences))
        self.assertTrue(all(event["id"].startswith("evt_") and event["payment"] == payment for event in events))
        self.assertEqual([a.operation for a in attempts_of(events, payment)], ["authorise", "capture", "refund"])
        first = api.get(f"/v1/payments/{payment}/events?limit=2").json()
        self.assertEqual((len(first["data"]), first["has_more"]), (2, True))
        second = api.get(f"/v1/payments/{payment}/events?limit=100&cursor={first['next_cursor']}").json()
        self.assertEqual(first["data"] + second["data"], events)
        compare(api, sim)


class Waiting(Story):
    def test_prefer_wait(self):
        sim, _, api = self.pair(channel={"deadline": "10s"})
        sim.fault("delay", mti="0200", ms=700, next=2)
        answer = api.post("/v1/payments", sale(100), Prefer="wait=0")
        self.assertEqual((answer.status, answer.json()["status"]), (202, "processing"), answer)
        self.assertEqual(api.final(answer.json()["id"])["status"], "succeeded")
        answer = api.post("/v1/payments", sale(100), Prefer="respond-async, wait=8")
        self.assertEqual((answer.status, answer.json()["status"]), (201, "succeeded"), answer)
        self.problem(api.post("/v1/payments", sale(100), Prefer="wait=soon"), 400, "invalid_parameter")
        compare(api, sim)

    def test_a_repeat_after_202_gives_the_same_202(self):
        sim, _, api = self.pair(channel={"deadline": "10s"})
        sim.fault("delay", mti="0200", ms=300, next=1)
        first = api.post("/v1/payments", sale(100), "wait-key", Prefer="wait=0")
        api.final(first.json()["id"])
        again = api.post("/v1/payments", sale(100), "wait-key", Prefer="wait=0")
        self.assertEqual((again.status, again.body, again.replayed), (202, first.body, True))
        settle(api)
        compare(api, sim)


if __name__ == "__main__":
    main()
