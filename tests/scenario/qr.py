"""QR: codes that are shown, scanned, paid late, twice, wrongly or never, against the wallet provider. Every story
ends with both ledgers compared, attempt by attempt.

Test card numbers from published ranges only.
"""

import base64
import json

import rgrails
import rgwallet
from rgledger import attempts_of, compare_wallet, settle
from rgrails import journal, metric, qr_sale, qr_scan, refund, settled
from rgtest import Story, main, together, until

EUR = "EUR"
NOTHING_MOVED = ("failed", "reversed")


class Wallet(Story):
    """A gateway with one wallet channel; when a test is over, both sides must tell the same story."""

    settings = None  # of the channel's adapter

    def setUp(self):
        super().setUp()
        self.wallet = rgwallet.start(self.stage)
        self.channel = rgrails.qr_channel(self.wallet, settings=self.settings or {})
        self.gateway = rgrails.rails(self.stage, [self.channel])
        self.wallet.settings(notice_url=self.gateway.ready["notices"] + "wallet", slow_ms=150)
        self.api = self.gateway.client()

    def shown(self, value, **qr):
        answer = self.api.post("/v1/payments", qr_sale(value, **qr))
        self.assertEqual(answer.status, 202, answer)
        payment = answer.json()
        self.assertEqual(payment["status"], "requires_action", payment)
        self.assertEqual(payment["next_action"]["type"], "show_code")
        return payment

    def paid(self, value, **qr):
        """One that a phone has paid."""
        payment = self.shown(value, **qr)
        self.scanned(payment)
        payment = settled(self.api, payment["id"])
        self.assertEqual(payment["status"], "succeeded", payment)
        return payment

    def scanned(self, payment, **how):
        return self.wallet.scan(code=payment["next_action"]["payload"], **how)

    def sale_of(self, payment):
        """Its attempt as the timeline tells of it."""
        rows = attempts_of(self.api.events(payment["id"]), payment["id"])
        return next(a for a in rows if a.operation == "sale")

    def in_conflict(self, payment):
        return until("the conflict is recorded", lambda: self.sale_of(payment).state == "conflict")

    def booked(self, *expected):
        rows = [(row["kind"], row["amount_minor"]) for row in self.wallet.entries()]
        self.assertEqual(rows, list(expected))

    def compare(self, **how):
        return compare_wallet(self.api, self.wallet, **how)

    def compare_with_conflict(self, payment):
        """The one payment waits for a person; all others are the same on both sides."""
        found = self.compare(allow_open=True)["open"]
        self.assertEqual([a.payment for a in found], [payment["id"]])


class Shown(Wallet):
    def test_a_code_is_paid(self):
        payment = self.shown(1250)
        code = rgwallet.read_code(payment["next_action"]["payload"])
        self.assertEqual((code["54"], code["53"], code["01"]), ("12.50", "978", "12"))
        for form, start in (("svg", b"<"), ("png", b"\x89PNG")):
            picture = self.api.get(payment["next_action"][form])
            self.assertEqual(picture.status, 200, picture)
            self.assertTrue(picture.body.startswith(start))
        self.scanned(payment)
        paid = settled(self.api, payment["id"])
        self.assertEqual(paid["status"], "succeeded", paid)
        self.assertIsNone(paid["next_action"])
        self.assertEqual(self.api.get(payment["next_action"]["svg"]).status, 404)
        given = refund(self.api, payment, 250)
        self.assertEqual((given.status, given.json()["status"]), (201, "succeeded"), given)
        self.booked(("paid", 1250), ("refund", 250))
        self.compare()

    def test_a_second_scan_of_a_dynamic_code_is_refused(self):
        payment = self.shown(1250)
        self.assertEqual(self.scanned(payment)[0]["state"], "paid")
        self.assertEqual(self.scanned(payment, phone="phone-2")[0]["state"], "refused")
        self.assertEqual(settled(self.api, payment["id"])["status"], "succeeded")
        self.booked(("paid", 1250))
        self.compare()

    def test_a_phone_that_is_refused_leaves_the_code_open(self):
        payment = self.shown(1250)
        for phone in ("phone-poor", "phone-blocked", "phone-declined", "phone-never"):
            self.scanned(payment, phone=phone)
        self.assertEqual(self.api.payment(payment["id"])["status"], "requires_action")
        self.scanned(payment, phone="phone-2")
        self.assertEqual(settled(self.api, payment["id"])["status"], "succeeded")
        self.compare()

    def test_paid_with_a_wrong_amount(self):
        for number, how in enumerate(({"amount": "12.49"}, {"amount": "12.51"}, {"phone": "phone-wrong"})):
            with self.subTest(how=how):
                payment = self.shown(1250)
                self.scanned(payment, **how)
                self.in_conflict(payment)
                payment = self.api.payment(payment["id"])
                self.assertEqual(payment["status"], "processing", payment)
                self.assertEqual((payment["captured"], payment["next_action"]), (0, None))
                outcome = payment["outcome"]
                self.assertEqual((outcome["result"], outcome["conflict"]), ("unknown", True), outcome)
                self.assertIn("do not ship", outcome["message"].lower())
                self.assertEqual(metric(self.gateway, "railgate_attempts_conflict_total"), number + 1)
        self.gateway.kill()
        self.gateway.start()
        self.assertEqual(self.api.payment(payment["id"])["status"], "processing", "a restart believes nothing else")
        self.assertEqual(len(self.compare(allow_open=True)["open"]), 3)

    def test_who_waits_gets_the_final_answer(self):
        answer = self.api.post("/v1/payments", qr_sale(9101), Prefer="wait=20")
        self.assertEqual((answer.status, answer.json()["status"]), (201, "succeeded"), answer)
        self.booked(("paid", 9101))
        self.compare()

    def test_who_waits_too_briefly_gets_the_code_and_repeats(self):
        answer = self.api.post("/v1/payments", qr_sale(1250), "key", Prefer="wait=1")
        self.assertEqual((answer.status, answer.json()["status"]), (202, "requires_action"), answer)
        self.scanned(answer.json())
        self.assertEqual(settled(self.api, answer.json()["id"])["status"], "succeeded")
        again = self.api.post("/v1/payments", qr_sale(1250), "key", Prefer="wait=1")
        self.assertEqual((again.status, again.body, again.replayed), (202, answer.body, True))
        self.assertEqual(len(self.wallet.orders()), 1)
        self.compare()

    def test_ways_in_which_codes_are_paid(self):
        cases = {9101: "succeeded", 9104: "succeeded", 9105: "succeeded", 9102: "processing", 9106: "requires_action"}
        payments = {}
        for value, status in cases.items():
            payments[value] = (self.api.post("/v1/payments", qr_sale(value)).json(), status)
        for value, (payment, status) in payments.items():
            if status == "succeeded":
                self.assertEqual(settled(self.api, payment["id"])["status"], status, value)
        self.in_conflict(payments[9102][0])
        until("two phones were refused", lambda: self.wallet.totals()["refused"] == 2)
        self.assertEqual(self.api.payment(payments[9106][0]["id"])["status"], "requires_action")
        canceled = self.api.post(f"/v1/payments/{payments[9106][0]['id']}/cancel")
        self.assertEqual(canceled.json()["status"], "canceled", canceled)
        self.compare_with_conflict(payments[9102][0])

    def test_what_a_card_number_in_the_reference_becomes(self):
        answer = self.api.post("/v1/payments", {**qr_sale(100), "reference": "4111111111111111"})
        self.assertEqual(answer.status, 422, answer)
        self.assertNotIn("4111111111111111", answer.body.decode() + self.gateway.log_text())
        self.assertEqual(self.wallet.orders(), [])


class Static(Wallet):
    def test_paid_once_and_refunded(self):
        payment = self.shown(700, code_type="static")
        code = rgwallet.read_code(payment["next_action"]["payload"])
        self.assertEqual(code["01"], "11", "a code that may be paid again and again")
        self.scanned(payment, amount="7.00")
        self.assertEqual(settled(self.api, payment["id"])["status"], "succeeded")
        self.assertEqual(refund(self.api, payment, 700).json()["status"], "succeeded")
        self.booked(("paid", 700), ("refund", 700))
        self.compare()

    def test_paid_twice(self):
        """The first payment settles it; the second is money that nobody asked for, and must be noted."""
        payment = self.shown(700, code_type="static")
        self.scanned(payment, amount="7.00")
        self.assertEqual(settled(self.api, payment["id"])["status"], "succeeded")
        self.scanned(payment, amount="7.00", phone="phone-2")
        until("its notice is acknowledged", lambda: self.wallet.stats()["http"]["notices_acknowledged"] == 2)
        self.assertEqual(self.api.payment(payment["id"])["captured"], 700)
        surplus = self.compare()["surplus"]
        self.assertEqual([row["amount_minor"] for row in surplus], [700])
        noted = [(row["rail_reference"], row["amount"], row["currency"]) for row in journal(self.gateway, "payment.paid_again")]
        self.assertEqual(noted, [(surplus[0]["provider_id"], 700, EUR)], "the second payment is nowhere in the records")

    def test_paid_wrongly(self):
        """Anybody may pay anything with a printed code: a wrong amount is noted, and does not block the right one."""
        payment = self.shown(700, code_type="static")
        self.scanned(payment, amount="7.01")
        noted = until("it is noted", lambda: journal(self.gateway, "payment.paid_other_amount"))
        self.assertEqual([row["amount"] for row in noted], [701])
        self.assertEqual(self.api.payment(payment["id"])["status"], "requires_action")
        self.scanned(payment, amount="7.00", phone="phone-2")
        paid = settled(self.api, payment["id"])
        self.assertEqual((paid["status"], paid["captured"]), ("succeeded", 700), paid)
        self.booked(("paid", 701), ("paid", 700))

    def test_its_notice_is_lost(self):
        payment = self.shown(700, code_type="static")
        self.wallet.fault("notice_drop")
        self.scanned(payment, amount="7.00")
        self.assertEqual(settled(self.api, payment["id"])["status"], "succeeded", "found by its reference")
        self.compare()

    def test_paper_is_paid_after_the_payment_was_canceled(self):
        """Nobody can take a printed code off the wall: what comes all the same calls a person."""
        payment = self.shown(700, code_type="static")
        answer = self.api.post(f"/v1/payments/{payment['id']}/cancel")
        self.assertEqual((answer.status, answer.json()["status"]), (200, "canceled"), answer)
        self.scanned(payment, amount="7.00")
        self.in_conflict(payment)
        payment = self.api.payment(payment["id"])
        self.assertEqual((payment["status"], payment["captured"]), ("canceled", 0))
        self.compare_with_conflict(payment)

    def test_a_credit_that_nobody_asked_for(self):
        code = rgwallet.make_code("SOMEBODYELSE", dynamic=False)
        self.wallet.scan(code=code, amount="3.00", merchant=rgwallet.MERCHANT)
        rows = until("it is noted", lambda: journal(self.gateway, "channel.credit"))
        self.assertEqual([(row["channel"], row["amount"], row["currency"]) for row in rows], [("wallet", 300, EUR)])
        self.assertEqual(self.api.payments(), [])


class Expiry(Wallet):
    settings = {"code_expires_s": 3}  # on the wire in whole seconds: the last begun one does not count

    def expired(self, value=1250):
        payment = settled(self.api, self.shown(value)["id"])
        self.assertEqual((payment["status"], payment["outcome"]["code"]), ("failed", "expired"), payment)
        return payment

    def test_never_paid(self):
        payment = self.expired()
        self.assertIsNone(payment["next_action"])
        self.assertEqual(payment["outcome"]["result"], "declined")
        self.assertEqual(self.wallet.order(self.sale_of(payment).id)["state"], "expired")
        self.booked()
        self.compare()

    def test_paid_after_it_failed(self):
        """A provider that books it all the same: the payment stays failed, and a person is called."""
        shown = self.shown(1250)
        payment = settled(self.api, shown["id"])
        self.assertEqual(payment["status"], "failed")
        self.scanned(shown, phone="phone-late")
        self.in_conflict(payment)
        payment = self.api.payment(payment["id"])
        self.assertEqual((payment["status"], payment["captured"]), ("failed", 0))
        event = next(e for e in self.api.events(payment["id"]) if e["kind"] == "attempt.conflict")
        self.assertEqual(event["data"]["code"], "paid", "what the provider said is kept")
        self.assertIn("payment.conflict", self.gateway.log_text())
        self.assertEqual(metric(self.gateway, "railgate_attempts_conflict_total"), 1)
        self.booked(("paid", 1250))
        self.compare_with_conflict(payment)

    def test_paid_in_the_last_moment_and_nobody_said_so(self):
        payment = self.shown(1250)
        self.wallet.fault("notice_drop")
        self.scanned(payment)
        self.assertEqual(settled(self.api, payment["id"])["status"], "succeeded", "found by asking after the expiry")
        self.compare()

    def test_the_provider_is_down_when_it_expires(self):
        payment = self.shown(1250)
        self.scanned(payment)
        self.wallet.down()
        attempt = self.sale_of(payment)

        def asked():
            rows = attempts_of(self.api.events(payment["id"]), payment["id"])
            return any(a.operation == "inquire" and a.tries > 1 for a in rows)

        if attempt.state != "approved":
            until("it was asked, and asked again", asked, 20)
        self.assertIn(self.api.payment(payment["id"])["status"], ("requires_action", "processing", "succeeded"))
        self.wallet.up()
        self.assertEqual(settled(self.api, payment["id"])["status"], "succeeded")
        self.compare()

    def test_it_expires_while_the_gateway_is_down(self):
        payment = self.shown(1250)
        self.gateway.kill()
        until("the order expired", lambda: self.wallet.orders()[0]["state"] == "expired")
        self.gateway.start()
        self.assertEqual(settled(self.api, payment["id"])["outcome"]["code"], "expired")
        self.compare()


class Cancel(Wallet):
    def cancel(self, payment, **how):
        return self.api.post(f"/v1/payments/{payment['id']}/cancel", {}, **how)

    def test_canceled_by_the_merchant(self):
        payment = self.shown(1250)
        answer = self.cancel(payment)
        self.assertEqual((answer.status, answer.json()["status"]), (200, "canceled"), answer)
        self.assertIsNone(answer.json()["next_action"])
        self.assertEqual(self.wallet.order(self.sale_of(payment).id)["state"], "canceled")
        self.assertEqual(self.scanned(payment)[0]["state"], "refused")
        self.problem(self.cancel(payment), 409, "wrong_status")
        self.assertEqual(self.api.payment(payment["id"])["outcome"]["code"], "canceled")
        self.booked()
        self.compare()

    def test_canceled_by_the_provider(self):
        payment = self.shown(1250)
        self.wallet.cancel(self.sale_of(payment).id)
        payment = settled(self.api, payment["id"])
        self.assertEqual((payment["status"], payment["outcome"]["code"]), ("failed", "canceled"), payment)
        self.compare()

    def test_paid_before_and_the_merchant_has_not_heard(self):
        payment = self.shown(1250)
        self.wallet.fault("notice_drop")
        self.scanned(payment)
        answer = self.cancel(payment)
        self.assertNotEqual(answer.json().get("status"), "canceled", answer)
        payment = settled(self.api, payment["id"], 4)
        self.assertEqual((payment["status"], payment["captured"]), ("succeeded", 1250), "it is asked at once, not when it expires")
        self.compare()

    def test_the_answer_of_a_refused_cancel_says_why(self):
        payment = self.shown(1250)
        self.wallet.fault("notice_drop")
        self.scanned(payment)
        answer = self.cancel(payment)
        self.assertRegex(answer.body.decode(), "already_paid|succeeded")

    def test_the_answer_of_a_cancel_is_lost(self):
        for fault in ("drop_before_booking", "drop_after_booking", "cut", "status"):
            with self.subTest(fault=fault):
                payment = self.shown(1250)
                more = {"status": 503} if fault == "status" else {}
                self.wallet.fault(fault, method="POST", path="/v1/orders/", next=1, **more)
                self.cancel(payment)
                self.assertEqual(settled(self.api, payment["id"])["status"], "canceled")
        settle(self.api)
        self.booked()
        self.compare()

    def test_paid_and_canceled_at_the_same_moment(self):
        for number in range(12):
            payment = self.shown(1000 + number)
            scan, answer = together([lambda p=payment: self.scanned(p), lambda p=payment: self.cancel(p)])
            end = settled(self.api, payment["id"])["status"]
            self.assertEqual(end, "succeeded" if scan[0]["state"] == "paid" else "canceled", f"{scan}, {answer}")
        settle(self.api)
        self.compare()

    def test_a_late_phone_pays_what_was_canceled(self):
        payment = self.shown(1250)
        self.assertEqual(self.cancel(payment).json()["status"], "canceled")
        self.scanned(payment, phone="phone-late", late=True)
        self.wallet.scan(code=payment["next_action"]["payload"], late=True, after_ms=0)
        self.wallet.stats()
        self.assertEqual(self.api.payment(payment["id"])["captured"], 0)
        self.compare(allow_open=True)


class Trouble(Wallet):
    """The order's answer is lost in every way there is."""

    def test_an_order_whose_answer_is_lost(self):
        for fault in ("drop_after_booking", "cut", "reset", "half_close", "status"):
            with self.subTest(fault=fault):
                more = {"status": 500} if fault == "status" else {}
                self.wallet.fault(fault, method="POST", path="/v1/orders", next=1, **more)
                payment = self.api.post("/v1/payments", qr_sale(9101)).json()
                self.wallet.calm()
                end = settled(self.api, payment["id"])
                self.assertIn(end["status"], NOTHING_MOVED if fault == "status" else ("succeeded",), end)
        settle(self.api)
        self.compare()

    def test_an_order_that_is_lost_on_the_way(self):
        self.wallet.fault("drop_before_booking", method="POST", path="/v1/orders", next=1)
        payment = self.api.post("/v1/payments", qr_sale(9101)).json()
        payment = settled(self.api, payment["id"])
        self.assertIn(payment["status"], NOTHING_MOVED, payment)
        self.booked()
        self.compare()

    def test_an_order_that_comes_too_late(self):
        """It is handled after the gateway gave up waiting, and before the late window is over."""
        self.wallet.fault("late_booking", method="POST", path="/v1/orders", next=1, ms=1300)
        payment = self.api.post("/v1/payments", qr_sale(9101)).json()
        self.assertEqual(settled(self.api, payment["id"])["status"], "succeeded")
        settle(self.api)
        self.compare()

    def test_an_order_that_nobody_paid_and_whose_answer_is_lost(self):
        self.wallet.fault("drop_after_booking", method="POST", path="/v1/orders", next=1)
        payment = self.api.post("/v1/payments", qr_sale(1250)).json()

        def usable():
            now = self.api.payment(payment["id"])
            canceled = self.api.post(f"/v1/payments/{payment['id']}/cancel")
            return now["status"] == "requires_action" or canceled.status == 200

        until("its code can be shown, or it can be canceled", usable, 4)


class Garbled(Wallet):
    settings = {"code_expires_s": 2}

    def test_answers_with_wrong_bytes(self):
        """Whatever two wrong bytes make of an answer: asked, never guessed; or a contradiction for a person."""
        payments = []
        for _ in range(12):
            self.wallet.fault("garble", method="POST", path="/v1/orders", next=1, bytes=2)
            payments.append(self.api.post("/v1/payments", qr_sale(1250)).json())
        self.wallet.calm()
        settle(self.api)
        for payment in payments:
            payment = self.api.payment(payment["id"])
            self.assertTrue(payment["status"] == "failed" or payment["outcome"].get("conflict"), payment)
        self.booked()
        self.compare(allow_open=True)


# Who is paid, by scheme: settings of a channel, an amount and what a reader must find in the code.
SCHEMES = {
    "pix": ("BRL", 1250, "key=shop@example.com", {}, {"26.00": "br.gov.bcb.pix", "53": "986", "54": "12.50", "58": "BR"}),
    "promptpay": ("THB", 1250, "phone=0066812345678", {}, {"29.00": "A000000677010111", "53": "764", "54": "12.50", "58": "TH"}),
    "paynow": ("SGD", 1250, "key=201403121W", {}, {"26.00": "SG.PAYNOW", "53": "702", "54": "12.50", "58": "SG"}),
    "qris": ("IDR", 1250000, "acquirer=ID.CO.EXAMPLE.WWW; pan=9360091530000001; merchant_id=M0001; nmid=ID1020000000001; postcode=10110",
             {}, {"51.00": "ID.CO.QRIS.WWW", "53": "360", "54": "12500.00", "58": "ID"}),
    "khqr": ("KHR", 400000, "bakong_id=shop@bank; merchant_id=0001; bank=Example Bank", {}, {"53": "116", "54": "4000.00", "58": "KH"}),
    "vietqr": ("VND", 50000, "bank=970403; account=0011012345678", {}, {"38.00": "A000000727", "53": "704", "54": "50000", "58": "VN"}),
    "fps_hk": ("HKD", 1250, "fps_id=1234567", {}, {"26.00": "hk.com.hkicl", "53": "344", "54": "12.50", "58": "HK"}),
    "duitnow": ("MYR", 1250, "acquirer=588734; account=MERCHANT0001", {}, {"26.00": "A0000006150001", "53": "458", "54": "12.50", "58": "MY"}),
}  # fmt: skip


class Schemes(Story):
    def test_codes_of_many_countries(self):
        wallet = rgwallet.start(self.stage)
        channels = []
        for scheme, (currency, _, account, more, _) in SCHEMES.items():
            row = rgrails.qr_channel(wallet, scheme, currencies=[currency], takes=[f"scheme={scheme}"])
            row["settings"] = {name: value for name, value in row["settings"].items() if name != "country"}
            row["settings"] |= {"scheme": scheme, "account_fields": account, "notice_path": f"/notices/{scheme}", **more}
            channels.append(row)
        gateway = rgrails.rails(self.stage, channels)
        api = gateway.client()
        for scheme, (currency, value, _, _, expected) in SCHEMES.items():
            with self.subTest(scheme=scheme):
                answer = api.post("/v1/payments", qr_sale(value, currency, scheme=scheme))
                self.assertEqual(answer.status, 202, answer)
                payment = answer.json()
                self.assertEqual((payment["route"]["channel"], payment["next_action"]["scheme"]), (scheme, scheme))
                payload = payment["next_action"]["payload"]
                code = rgwallet.read_code(payload)
                flat = dict(code)
                for name in ("26", "29", "30", "38", "51", "62"):
                    for inner, text in rgwallet.elements(code.get(name, "")).items():
                        flat[f"{name}.{inner}"] = text
                self.assertEqual({name: flat.get(name) for name in expected}, expected, payload)
                self.assertEqual(code["01"], "12")
                self.assertIn(payment["next_action"]["reference"], flat.values(), "the reference stands in the code")
                self.assertEqual(wallet.scan(code=payload)[0]["state"], "paid")
                self.assertEqual(settled(api, payment["id"])["status"], "succeeded")
        refused = api.post("/v1/payments", qr_sale(1250, EUR, scheme="pix"))
        self.assertEqual(refused.status, 422, refused)
        compare_wallet(api, wallet)


class Scanned(Wallet):
    def pay(self, value, code, expected=(201, "succeeded"), **qr):
        answer = self.api.post("/v1/payments", qr_scan(value, code, **qr))
        self.assertEqual((answer.status, answer.json().get("status")), expected, answer)
        return answer.json()

    def test_a_code_of_another_merchant_is_paid_from_the_float(self):
        before = next(row for row in self.wallet.ledger()["accounts"] if row.get("merchant") == rgwallet.MERCHANT)
        payment = self.pay(1250, rgwallet.make_code("INV1", "12.50"))
        after = next(row for row in self.wallet.ledger()["accounts"] if row.get("merchant") == rgwallet.MERCHANT)
        self.assertEqual(before["balance_minor"] - after["balance_minor"], 1250)
        self.booked(("payment", 1250))
        self.assertEqual(refund(self.api, payment, 1250).json()["status"], "succeeded")
        self.compare()

    def test_a_code_without_an_amount(self):
        self.pay(300, rgwallet.make_code("INV2", dynamic=False))
        self.booked(("payment", 300))
        self.compare()

    def refused(self, body, words):
        """Nothing is sent, nothing is booked, and the answer says what is wrong, and where."""
        answer = self.api.post("/v1/payments", body)
        self.assertRegex(answer.body.decode(), words)
        self.assertTrue(answer.status == 422 or answer.json()["outcome"]["result"] == "rejected", answer)
        self.assertEqual(self.wallet.stats()["http"]["requests"], 0, "nothing was sent")
        return answer

    def broken(self):
        good = rgwallet.make_code("INV4", "12.50")
        return {
            "checksum": good[:-1] + ("0" if good[-1] != "0" else "1"),
            "cut": good[:40],
            "a length that is too long": good.replace("5910Other", "5999Other"),
            "a letter changed": good.replace("Berlin", "Berlim"),
        }

    def test_what_the_code_says_must_be_what_is_asked(self):
        self.refused(qr_scan(1249, rgwallet.make_code("INV3", "12.50")), "amount")
        self.refused(qr_scan(1250, rgwallet.make_code("INV3", "12.50", currency="840")), "currency")
        self.booked()
        self.compare()

    def test_broken_codes_and_where(self):
        for name, code in self.broken().items():
            with self.subTest(name=name):
                self.refused(qr_scan(1250, code), r"letter \d+")
        self.compare()

    def test_a_code_shown_by_a_consumer_is_charged_once(self):
        code = self.wallet.present("phone-2")
        payment = self.pay(800, code)
        again = self.pay(800, code, (201, "failed"))
        self.assertEqual(again["outcome"]["code"], "code_used", again)
        self.booked(("charge", 800))
        self.assertEqual(refund(self.api, payment, 300).json()["status"], "succeeded")
        self.assertEqual(self.compare()["entries"], 2)

    def test_the_consumers_code_is_written_nowhere(self):
        code = self.wallet.present("phone-2")
        payment = self.pay(800, code)
        self.gateway.stop()
        with open(self.gateway.database, "rb") as file:
            written = file.read()
        raw = base64.b64decode(code)
        pan = raw[raw.index(b"\x5a") + 2:][:8]  # tag 5A: the card's number
        for secret in (code.encode(), raw, code[20:44].encode(), pan):
            self.assertGreater(len(secret), 5)
            self.assertNotIn(secret, written)
            self.assertNotIn(secret, self.gateway.log_text().encode())
        self.assertNotIn(code[20:44], json.dumps(payment))
        self.gateway.start()
        self.compare()

    def test_declines(self):
        for value, word, category in (
            (9051, "insufficient_funds", "funds"),
            (9062, "wallet_blocked", "restricted"),
            (9005, "declined_by_issuer", "other"),
        ):
            for code in (rgwallet.make_code(f"INV{value}", f"{value / 100:.2f}"), self.wallet.present()):
                with self.subTest(value=value):
                    payment = self.pay(value, code, (201, "failed"))
                    outcome = payment["outcome"]
                    self.assertEqual((outcome["result"], outcome["code"]), ("declined", word), outcome)
                    self.assertIn(category, outcome["category"])
        self.booked()
        self.compare()

    def test_an_answer_that_comes_by_notice(self):
        for value, end in ((9111, "succeeded"), (9112, "failed")):
            for code in (rgwallet.make_code(f"INV{value}", f"{value / 100:.2f}"), self.wallet.present()):
                with self.subTest(value=value):
                    payment = self.pay(value, code, (202, "processing"))
                    self.assertEqual(settled(self.api, payment["id"])["status"], end)
        answer = self.api.post("/v1/payments", qr_scan(9111, self.wallet.present()), Prefer="wait=20")
        self.assertEqual((answer.status, answer.json()["status"]), (201, "succeeded"), answer)
        self.compare()

    def test_lost_answers(self):
        for path, code in (("/v1/payments", lambda n: rgwallet.make_code(f"L{n}", "5.00")), ("/v1/charges", lambda n: self.wallet.present())):
            for fault in ("drop_before_booking", "drop_after_booking", "cut", "reset", "duplicate"):
                with self.subTest(path=path, fault=fault):
                    self.wallet.fault(fault, method="POST", path=path, next=1)
                    payment = self.api.post("/v1/payments", qr_scan(500, code(fault.upper().replace("_", "")))).json()
                    end = settled(self.api, payment["id"])
                    self.assertIn(end["status"], NOTHING_MOVED if fault == "drop_before_booking" else ("succeeded",), end)
        settle(self.api)
        self.assertEqual(self.wallet.booked_twice(), [])
        self.compare()

    def test_the_float_is_empty(self):
        channel = rgrails.qr_channel(self.wallet, settings={"merchant_id": "shop-poor", "provider_key": "poor_key"})
        keys = rgrails.keys_with(("poor_key", "c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"))
        gateway = rgrails.rails(self.stage, [channel], settings={"keys": keys})
        api = gateway.client()
        payment = api.post("/v1/payments", qr_scan(1001, rgwallet.make_code("INV5", "10.01"))).json()
        self.assertEqual((payment["status"], payment["outcome"]["code"]), ("failed", "insufficient_funds"), payment)
        compare_wallet(api, self.wallet)


class Refunds(Wallet):
    def test_in_parts_up_to_what_was_paid(self):
        payment = self.paid(1000)
        for value, status, left in ((400, "succeeded", 600), (600, "succeeded", 0)):
            self.problem(refund(self.api, payment, left + value + 1), 422, "amount_exceeds_refundable")
            self.assertEqual(refund(self.api, payment, value).json()["status"], status)
            self.assertEqual(self.api.payment(payment["id"])["refundable"], left)
        self.problem(refund(self.api, payment, 1), 409, "wrong_status")
        self.assertEqual(self.api.payment(payment["id"])["status"], "refunded")
        self.booked(("paid", 1000), ("refund", 400), ("refund", 600))
        self.compare()

    def test_many_at_once_never_give_back_more(self):
        payment = self.paid(1000)
        answers = together([lambda: refund(self.api, payment, 300) for _ in range(6)])
        good = [a for a in answers if a.status == 201 and a.json()["status"] == "succeeded"]
        self.assertEqual(len(good), 3, answers)
        settle(self.api)
        self.compare()

    def test_done_later(self):
        payment = self.paid(50000)
        for value, end in ((9111, "succeeded"), (9112, "failed")):
            answer = refund(self.api, payment, value)
            self.assertEqual((answer.status, answer.json()["status"]), (202, "pending"), answer)
            name = answer.json()["id"]

            def known(name=name):
                rows = self.api.get(f"/v1/payments/{payment['id']}/refunds").json()["data"]
                return next(row["status"] for row in rows if row["id"] == name) != "pending"

            until("the refund is settled", known)
            rows = self.api.get(f"/v1/payments/{payment['id']}/refunds").json()["data"]
            self.assertEqual(next(row["status"] for row in rows if row["id"] == name), end)
        self.assertEqual(self.api.payment(payment["id"])["refunded"], 9111)
        self.compare()

    def test_refused_by_the_other_side(self):
        payment = self.shown(1000)
        self.scanned(payment, phone="phone-closed")
        settled(self.api, payment["id"])
        given = refund(self.api, payment, 1000).json()
        self.assertEqual((given["status"], given["outcome"]["code"]), ("failed", "account_closed"), given)
        self.assertEqual(self.api.payment(payment["id"])["refundable"], 1000)
        self.compare()

    def test_lost_answers(self):
        payment = self.paid(1000)
        for fault in ("drop_before_booking", "drop_after_booking", "cut", "reset", "duplicate"):
            with self.subTest(fault=fault):
                self.wallet.fault(fault, method="POST", path="/v1/refunds", next=1)
                refund(self.api, payment, 100)
                settle(self.api)
        self.assertEqual(self.wallet.booked_twice(), [])
        self.assertEqual(self.api.payment(payment["id"])["refunded"], 400, "all but the one that never arrived")
        self.compare()


if __name__ == "__main__":
    main()
