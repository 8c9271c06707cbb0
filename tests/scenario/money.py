"""Money is exact, and every field that is not acceptable is named with a JSON pointer.

Test card numbers from published ranges only (see rgtest.py).
"""

import json

from rgledger import compare
from rgtest import Story, main, sale

WITH = '{"amount":{"value":%s,"currency":"EUR"},"method":{"type":"card","card":{"entry":"manual",' \
       '"pan":"4111111111111111","expiry":"3012"}}}'  # fmt: skip


class Amount(Story):
    def setUp(self):
        super().setUp()
        self.sim, self.gateway, self.api = self.pair()

    def post(self, value):
        return self.api.post("/v1/payments", WITH % value)

    def test_integers_are_taken_exactly(self):
        for value in ("1", "999999999999", "100000000001"):
            with self.subTest(value=value):
                answer = self.post(value)
                self.assertEqual(answer.status, 201, answer)
                self.assertEqual(answer.json()["amount"]["value"], int(value))
                self.assertEqual(self.sim.entries("sale")[-1]["amount_minor"], int(value))
        compare(self.api, self.sim)

    def test_2_53_plus_1_is_read_exactly_and_too_large_for_cards(self):
        for value in ("9007199254740993", "9007199254740992", "1000000000000", "9223372036854775807"):
            with self.subTest(value=value):
                body = self.problem(self.post(value), 422, "amount_not_possible")
                self.assertIn(value, body["detail"], "the exact number")
                self.assertIn("999999999999", body["detail"], "what would be possible")
        self.assertEqual(self.sim.entries(), [])

    def test_everything_else_is_refused_with_a_pointer(self):
        for value in ("1e2", "1E2", "10.0", "0.1", '"12"', "-1", "0", "-0", "9223372036854775808", "1e400",
                      "18446744073709551617", "-9223372036854775809", "null", "true", "[1]", "{}"):  # fmt: skip
            with self.subTest(value=value):
                self.problem(self.post(value), 422, "invalid_field", "/amount/value")
        for value in ("01", "+1", ".5", "1.", "0x10", "1_000", "NaN", "Infinity", "- 1", "1 2", ""):
            with self.subTest(value=value):
                self.problem(self.post(value), 400, "malformed_json")
        self.assertEqual(self.sim.entries(), [])

    def test_of_captures_and_refunds_too(self):
        payment = self.api.post("/v1/payments", sale(1000)).json()["id"]
        path = f"/v1/payments/{payment}/refunds"
        for value in ("1e2", "10.0", '"12"', "-1", "0", "9223372036854775808"):
            with self.subTest(value=value):
                body = '{"amount":{"value":%s,"currency":"EUR"}}' % value
                self.problem(self.api.post(path, body), 422, "invalid_field", "/amount/value")
        self.problem(self.api.post(path, '{"amount":{"value":9007199254740993,"currency":"EUR"}}'), 422, "amount_exceeds_refundable")
        self.assertEqual(len(self.sim.entries()), 1)

    def test_currency(self):
        for currency in ("eur", "EURO", "XXZ", "", "EU", "\u20ac"):
            with self.subTest(currency=currency):
                answer = self.api.post("/v1/payments", sale(100, currency))
                self.problem(answer, 422, "invalid_field", "/amount/currency")


class Fields(Story):
    def setUp(self):
        super().setUp()
        self.sim, self.gateway, self.api = self.pair()

    def tearDown(self):
        self.assertEqual(self.sim.entries(), [], "nothing that was refused has reached the card host")
        super().tearDown()

    def test_unknown_and_read_only_fields(self):
        for extra, pointer in (
            ({"id": "pay_1m81se8t60000"}, "/id"), ({"status": "succeeded"}, "/status"), ({"captured": 0}, "/captured"),
            ({"outcome": {}}, "/outcome"), ({"created": "2026-01-01"}, "/created"), ({"decision": {}}, "/decision"),
            ({"ammount": 1}, "/ammount"), ({"a/b~c": 1}, "/a~1b~0c"),
        ):  # fmt: skip
            with self.subTest(pointer=pointer):
                self.problem(self.api.post("/v1/payments", {**sale(), **extra}), 422, "unknown_field", pointer)
        nested = sale()
        nested["amount"]["cents"] = 1
        self.problem(self.api.post("/v1/payments", nested), 422, "unknown_field", "/amount/cents")
        nested = sale()
        nested["method"]["card"]["pin"] = "1234"
        self.problem(self.api.post("/v1/payments", nested), 422, "unknown_field", "/method/card/pin")

    def test_all_errors_at_once(self):
        body = {
            "amount": {"value": 0, "currency": "eur"}, "capture": "later", "kind": "gift", "reference": "",
            "method": {"type": "card", "card": {"entry": "manual", "pan": "4111111111111112", "expiry": "3013"}},
            "payer": {"country": "de", "kyc_tier": 10}, "metadata": {"a": 1}, "surprise": True,
        }  # fmt: skip
        self.problem(
            self.api.post("/v1/payments", body), 422, "invalid_field", "/amount/value", "/amount/currency",
            "/capture", "/kind", "/reference", "/method/card/pan", "/method/card/expiry", "/payer/country",
            "/payer/kyc_tier", "/metadata/a", "/surprise")  # fmt: skip

    def test_what_is_missing(self):
        self.problem(self.api.post("/v1/payments", {}), 422, "invalid_field", "/amount", "/method")
        body = sale()
        del body["method"]["card"]["expiry"], body["amount"]["currency"]
        self.problem(self.api.post("/v1/payments", body), 422, "invalid_field", "/method/card/expiry", "/amount/currency")
        body = sale()
        body["method"]["card"] = {"entry": "chip", "track2": "4111111111111111=30121010000000000"}
        self.problem(self.api.post("/v1/payments", body), 422, "invalid_field", "/method/card/emv")
        body["method"]["card"] = {"entry": "stripe"}
        self.problem(self.api.post("/v1/payments", body), 422, "invalid_field", "/method/card/track2")

    def test_duplicate_names_are_refused_with_a_pointer(self):
        good = WITH % "100"
        for text, pointer in (
            (good.replace('"value":100', '"value":100,"value":1'), "/amount/value"),
            (good[:-1] + ',"amount":{"value":1,"currency":"EUR"}}', "/amount"),
            (good.replace('"entry"', '"p\\u0061n":"4242424242424242","entry"'), "/method/card/pan"),
        ):
            with self.subTest(pointer=pointer):
                self.problem(self.api.post("/v1/payments", text), 400, "malformed_json", pointer)

    def test_a_card_number_in_the_wrong_place_is_refused_and_not_repeated(self):
        pan = "4242424242424242"
        for extra, pointer in (
            ({"reference": pan}, "/reference"), ({"description": f"card {pan[:4]} {pan[4:8]} {pan[8:12]} {pan[12:]}"}, "/description"),
            ({"metadata": {"note": f"x{pan}"}}, "/metadata/note"), ({"payer": {"id": pan}}, "/payer/id"),
        ):  # fmt: skip
            with self.subTest(pointer=pointer):
                answer = self.api.post("/v1/payments", {**sale(), **extra})
                self.problem(answer, 422, "invalid_field", pointer)
                self.assertNotIn(pan, answer.body.decode())
        answer = self.api.post("/v1/payments", sale(), pan)
        self.problem(answer, 400, "idempotency_key_invalid")
        self.assertNotIn(pan, answer.body.decode())

    def test_content_type(self):
        body = json.dumps(sale())
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp"):
            with self.subTest(kind=kind):
                self.problem(self.api.post("/v1/payments", body, Content_Type=kind), 415, "unsupported_media_type")


if __name__ == "__main__":
    main()
