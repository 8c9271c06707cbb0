"""Notices: what a provider says unasked comes twice, late, out of order, broken, unsigned, to the wrong place, while
the gateway is down or its disk full. What is not signed is not believed, and what was acknowledged is recorded.

Test card numbers from published ranges only.
"""

import json
import resource
import ssl

import rgrails
import rgwallet
from rgledger import attempts_of, compare_wallet, settle
from rgrails import metric, notice_of, qr_sale, settled, sign, tell
from rgtest import Authority, Gateway, Raw, Story, main, tls_context, together, until

KINDS = ("received", "acknowledged", "refused", "again")


class Notices(Story):
    settings = None

    def setUp(self):
        super().setUp()
        self.wallet = rgwallet.start(self.stage)
        channels = [rgrails.qr_channel(self.wallet), rgrails.qr_channel(self.wallet, "other", currencies=["USD"])]
        self.gateway = rgrails.rails(self.stage, channels, settings=self.settings)
        self.api = self.gateway.client()

    def shown(self, value=1250):
        answer = self.api.post("/v1/payments", qr_sale(value))
        self.assertEqual(answer.status, 202, answer)
        return answer.json()

    def attempts(self, payment):
        return attempts_of(self.api.events(payment["id"]), payment["id"])

    def order(self, payment, **more):
        """The order as the provider would tell of it; it says nothing by itself."""
        row = self.wallet.order(self.attempts(payment)[0].id)
        if more.get("state") == "paid":
            row["paid_amount"] = row["amount"]
        return {**row, **more}

    def paid_in_silence(self, value=1250):
        """Paid at the provider, whose own notice is lost; the body of the notice it should have sent."""
        payment = self.shown(value)
        self.wallet.fault("notice_drop")
        self.assertEqual(self.wallet.scan(code=payment["next_action"]["payload"])[0]["state"], "paid")
        until("the notice was dropped", lambda: self.wallet.stats()["http"]["notices_dropped"] > 0)
        self.wallet.calm()
        return payment, notice_of(self.order(payment))

    def status(self, payment):
        return self.api.payment(payment["id"])["status"]

    def counts(self):
        return {kind: metric(self.gateway, f"railgate_notices_{kind}_total") for kind in KINDS}

    def compare(self, **how):
        return compare_wallet(self.api, self.wallet, **how)


class Believed(Notices):
    def test_the_same_again_and_again(self):
        payment, body = self.paid_in_silence()
        for _ in range(3):
            self.assertEqual(tell(self.gateway, body).status, 200)
        answers = together([lambda: tell(self.gateway, body) for _ in range(12)])
        self.assertEqual({a.status for a in answers}, {200})
        self.assertEqual(self.status(payment), "succeeded")
        kinds = [e["kind"] for e in self.api.events(payment["id"])]
        self.assertEqual((kinds.count("attempt.approved"), kinds.count("payment.succeeded")), (1, 1))
        self.assertEqual(self.counts(), {"received": 15, "acknowledged": 15, "refused": 0, "again": 0})
        self.compare()

    def test_all_at_once_the_first_time(self):
        payment, body = self.paid_in_silence()
        answers = together([lambda: tell(self.gateway, body) for _ in range(12)])
        self.assertEqual({a.status for a in answers}, {200})
        kinds = [e["kind"] for e in self.api.events(payment["id"])]
        self.assertEqual((kinds.count("attempt.approved"), kinds.count("payment.succeeded")), (1, 1))
        self.compare()

    def test_faults_of_the_provider(self):
        payments = {}
        for fault in ("notice_duplicate", "notice_reorder", "notice_delay", "notice_garble"):
            self.wallet.fault(fault, next=1, **({"ms": 300} if fault == "notice_delay" else {}))
            payments[fault] = self.shown()
            self.wallet.scan(code=payments[fault]["next_action"]["payload"])
            until("the fault has hit", lambda f=fault: self.status(payments[f]) == "succeeded")
        self.assertGreaterEqual(self.counts()["refused"], 1, "the garbled one was refused, and came again")
        self.compare()

    def test_before_the_answer_of_the_order(self):
        """The provider's answer is slow, and a phone was quick."""
        self.wallet.fault("delay", method="POST", path="/v1/orders", ms=700, next=1)
        answer = self.api.post("/v1/payments", qr_sale(9101))
        payment = settled(self.api, answer.json()["id"])
        self.assertEqual(payment["status"], "succeeded", payment)
        settle(self.api)
        self.compare()

    def test_before_the_answer_and_the_answer_is_lost(self):
        self.wallet.fault("drop_after_booking", method="POST", path="/v1/orders", next=1)
        answer = self.api.post("/v1/payments", qr_sale(9101), Prefer="wait=20")
        self.assertEqual(settled(self.api, answer.json()["id"])["status"], "succeeded")
        settle(self.api)
        self.compare()

    def test_reordered_with_what_came_before(self):
        """`expired` for a payment that is paid, and `open` long after: the first is a contradiction, the second old news."""
        payment, body = self.paid_in_silence()
        self.assertEqual(tell(self.gateway, body).status, 200)
        old = notice_of(self.order(payment, state="open"))
        self.assertEqual(tell(self.gateway, old).status, 200)
        self.assertEqual([a.state for a in self.attempts(payment)], ["approved"])
        self.compare()

    def test_one_that_contradicts_what_is_settled(self):
        for first, second in (("paid", "canceled"), ("canceled", "paid")):
            with self.subTest(first=first, second=second):
                payment = self.shown()
                self.assertEqual(tell(self.gateway, notice_of(self.order(payment, state=first))).status, 200)
                before = self.status(payment)
                self.assertEqual(before, "succeeded" if first == "paid" else "failed")
                self.assertEqual(tell(self.gateway, notice_of(self.order(payment, state=second))).status, 200)
                self.assertEqual(self.attempts(payment)[0].state, "conflict")
                self.assertEqual(self.status(payment), before, "a person decides")
        self.assertEqual(metric(self.gateway, "railgate_attempts_conflict_total"), 2)

    def test_another_amount_or_currency(self):
        for more in ({"paid_amount": "12.51", "state": "paid"}, {"paid_amount": "12.50", "state": "paid", "currency": "USD"}):
            with self.subTest(more=more):
                payment = self.shown()
                self.assertEqual(tell(self.gateway, notice_of(self.order(payment, **more))).status, 200)
                self.assertEqual((self.status(payment), self.attempts(payment)[0].state), ("processing", "conflict"))
        self.assertEqual(len(self.compare(allow_open=True)["open"]), 2)


class Refused(Notices):
    def test_without_a_signature_it_is_only_a_hint(self):
        payment, body = self.paid_in_silence()
        self.assertEqual(tell(self.gateway, body, signature=None).status, 200)
        self.assertEqual(settled(self.api, payment["id"])["status"], "succeeded", "asked at once, not when it expires")
        self.assertEqual(metric(self.gateway, "railgate_payment_hints_total"), 1)
        self.assertEqual(metric(self.gateway, "railgate_payment_notices_total"), 0)
        self.compare()

    def test_a_hint_that_lies(self):
        payment = self.shown()
        lie = notice_of(self.order(payment, state="paid", paid_amount="12.50"))
        for _ in range(5):
            self.assertEqual(tell(self.gateway, lie, signature=None).status, 200)
        until("the provider was asked", lambda: any(a.operation == "inquire" for a in self.attempts(payment)))
        self.assertEqual(self.status(payment), "requires_action")
        self.wallet.scan(code=payment["next_action"]["payload"])
        self.assertEqual(settled(self.api, payment["id"])["status"], "succeeded")
        self.compare()

    def test_a_flood_of_hints(self):
        """Whoever finds the address can send as much as it likes: the provider is not asked each time."""
        payment = self.shown()
        hint = notice_of(self.order(payment))
        before = self.wallet.stats()["http"]["requests"]
        for _ in range(20):
            together([lambda: tell(self.gateway, hint, signature=None) for _ in range(10)])
        asked = self.wallet.stats()["http"]["requests"] - before
        self.assertLessEqual(asked, 10, "200 hints")
        self.assertEqual(self.status(payment), "requires_action")
        self.wallet.scan(code=payment["next_action"]["payload"])
        self.assertEqual(settled(self.api, payment["id"])["status"], "succeeded")
        settle(self.api)
        self.compare()

    def test_signatures_that_are_wrong(self):
        payment = self.shown()
        body = notice_of(self.order(payment, state="paid", paid_amount="12.50"))
        good = sign(body)
        for name, signature in {
            "another key": sign(body, key=rgwallet.KEY[::-1]),
            "another body": sign(body.replace(b"12.50", b"12.51")),
            "another path": sign(body, "/notices/other"),
            "another time": "t=" + str(int(good[2:].split(",")[0]) - 1) + good[good.index(","):],
            "of the key of cbdc": sign(body, key=rgrails.CBDC_KEY),
        }.items():
            with self.subTest(name=name):
                self.assertEqual(tell(self.gateway, body, signature=signature).status, 401)
        for name, signature in {
            "old": sign(body, age_s=301),
            "early": sign(body, age_s=-330),
            "empty": "",
            "cut": good[:-2],
            "no time": good[good.index("v1"):],
            "letters": good[:-1] + "x",
            "long": good + "00" * 3000,
        }.items():
            with self.subTest(name=name):
                self.assertIn(tell(self.gateway, body, signature=signature).status, (400, 401, 431))
        self.assertEqual(self.status(payment), "requires_action")
        self.assertEqual([a.operation for a in self.attempts(payment)], ["sale"], "not even asked")
        counts = self.counts()
        self.assertEqual((counts["acknowledged"], counts["again"]), (0, 0))
        self.assertGreaterEqual(counts["refused"], 11)
        self.assertEqual(tell(self.gateway, notice_of(self.order(payment, state="open"))).status, 200)

    def test_bodies_that_are_wrong(self):
        payment = self.shown()
        row = self.order(payment)
        for name, body in {
            "nothing": b"",
            "no JSON": b"paid!",
            "cut": notice_of(row)[:-5],
            "no data": b'{"type":"order.paid"}',
            "another type": json.dumps({"type": "order_paid", "data": row}).encode(),
            "another state": notice_of(row, state="payed"),
            "no currency": notice_of(row, currency=""),
            "amount": notice_of(row, state="paid", paid_amount="12,50"),
            "negative": notice_of(row, state="paid", paid_amount="-12.50"),
            "huge": notice_of(row, state="paid", paid_amount="9" * 40),
            "deep": b'{"type":"order.paid","data":' + b"[" * 500 + b"]" * 500 + b"}",
            "zero byte": notice_of(row).replace(b"EUR", b"E\x00R"),
        }.items():
            with self.subTest(name=name):
                self.assertEqual(tell(self.gateway, body).status, 400)
        self.assertEqual(self.status(payment), "requires_action")
        self.assertEqual(self.counts()["acknowledged"], 0)

    def test_for_another_channel_or_an_unknown_attempt(self):
        payment = self.shown()
        body = notice_of(self.order(payment, state="paid", paid_amount="12.50"))
        tell(self.gateway, body, "/notices/other")  # rightly signed by the provider of another channel
        self.assertEqual(self.status(payment), "requires_action", "it is not that channel's to say")
        unknown = notice_of(self.order(payment, state="paid", order_id="att_0000000000009"))
        self.assertEqual(tell(self.gateway, unknown).status, 200)
        for path in ("/notices/nobody", "/notices/", "/", "/v1/payments"):
            self.assertEqual(tell(self.gateway, body, path).status, 404, path)
        for method in ("GET", "PUT", "DELETE"):
            self.assertEqual(tell(self.gateway, body, method=method).status, 405, method)
        self.assertEqual(self.status(payment), "requires_action")
        self.assertEqual(len(self.api.payments()), 1)

    def test_too_large(self):
        answer = tell(self.gateway, b'{"type":"' + b"x" * (2 << 20) + b'"}')
        self.assertEqual(answer.status, 413, answer)
        payment, body = self.paid_in_silence()
        self.assertEqual(tell(self.gateway, body).status, 200)
        self.assertEqual(self.status(payment), "succeeded")

    def test_noise(self):
        address = rgrails.notices_at(self.gateway).rsplit(":", 1)
        for data in (b"\x00" * 200, b"POST /notices/wallet HTTP/1.1\r\nHost: x\r\nContent-Length: 9x\r\n\r\n", b"\r\n\r\n", bytes(range(256))):
            with Raw((address[0], int(address[1]))) as raw:
                raw.send(data)
                raw.finish()
                self.assertNotIn(b" 200 ", raw.read_to_end())
        payment, body = self.paid_in_silence()
        self.assertEqual(tell(self.gateway, body).status, 200)
        self.assertEqual(self.status(payment), "succeeded")

    PAN = "4111111111111111"  # a published test number

    def told_with_a_card_number(self):
        pan, (payment, body) = self.PAN, self.paid_in_silence()
        row = self.order(payment)
        for told in (
            notice_of(row, state="paid", paid_amount="12.50", reason=pan, payer=pan),
            notice_of(row, order_id="", reference=pan, provider_id=pan),
            notice_of(row, provider_id=pan),
            json.dumps({"type": pan, "data": row}).encode(),
            pan.encode(),
        ):
            for signature in ("right", None, f"t={pan},v1={pan}"):
                tell(self.gateway, told, signature=signature)
            tell(self.gateway, told, f"/notices/{pan}")
        return payment, body

    def test_a_card_number_in_a_notice_is_not_logged(self):
        self.told_with_a_card_number()
        self.assertIn("notify.refused", self.gateway.log_text())
        self.assertNotIn(self.PAN, self.gateway.log_text())

    def test_a_card_number_in_a_notice_is_in_no_event(self):
        pan, payment = self.PAN, self.shown()
        tell(self.gateway, notice_of(self.order(payment), state="paid", paid_amount="12.50", provider_id=pan))
        self.assertEqual(self.status(payment), "succeeded")
        self.assertNotIn(pan, json.dumps([self.api.payments(), self.api.events(payment["id"])]))


class Away(Notices):
    def test_the_gateway_is_down(self):
        payments = [self.shown(1000 + n) for n in range(5)]
        self.gateway.kill()
        for payment in payments:
            self.assertEqual(self.wallet.scan(code=payment["next_action"]["payload"])[0]["state"], "paid")
        until("it was tried in vain", lambda: self.wallet.stats()["http"]["notices_waiting"] == len(payments))
        self.gateway.start()
        for payment in payments:
            self.assertEqual(settled(self.api, payment["id"])["status"], "succeeded")
        self.compare()

    def test_a_refund_is_done_while_the_gateway_is_down(self):
        self.wallet.settings(slow_ms=300)
        payment = self.shown(50000)
        self.wallet.scan(code=payment["next_action"]["payload"])
        settled(self.api, payment["id"])
        for value in (9111, 9112):  # done later, declined later
            self.assertEqual(rgrails.refund(self.api, payment, value).json()["status"], "pending")
        self.gateway.kill()
        until("both are over", lambda: self.wallet.stats()["http"]["notices_waiting"] == 2)
        self.gateway.start()
        settle(self.api)
        rows = self.api.get(f"/v1/payments/{payment['id']}/refunds").json()["data"]
        self.assertEqual({row["amount"]["value"]: row["status"] for row in rows}, {9111: "succeeded", 9112: "failed"})
        self.assertEqual(self.api.payment(payment["id"])["refunded"], 9111)
        self.compare()

    def test_killed_while_notices_come(self):
        payments = [self.shown(1000 + n) for n in range(30)]
        for number, payment in enumerate(payments):
            self.wallet.scan(code=payment["next_action"]["payload"])
            if number % 10 == 5:
                self.gateway.kill()
                self.gateway.start()
        for payment in payments:
            self.assertEqual(settled(self.api, payment["id"], 30)["status"], "succeeded")
        until("all are acknowledged", lambda: self.wallet.stats()["http"]["notices_waiting"] == 0, 30)
        self.compare()
        rgrails.store_is_sound(self.gateway)


class FullDisk(Story):
    def test_what_cannot_be_recorded_is_not_acknowledged(self):
        wallet = rgwallet.start(self.stage)
        settings = {"notify": {"listen": "127.0.0.1:0"}, "keys": rgrails.keys_with()}
        gateway = Gateway(self.stage, "gateway", [], settings=settings, others=[rgrails.qr_channel(wallet)])
        gateway.command = ["sh", "-c", 'trap "" XFSZ; exec "$@"', "sh"] + gateway.command
        gateway.start()
        api = gateway.client()
        payment = api.post("/v1/payments", qr_sale(1250)).json()
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        wallet.scan(code=payment["next_action"]["payload"])
        until("the provider is asked to come again", lambda: metric(gateway, "railgate_notices_again_total") >= 2)
        self.assertEqual(api.payment(payment["id"])["status"], "requires_action")
        self.assertEqual(metric(gateway, "railgate_notices_acknowledged_total"), 0)
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.assertEqual(settled(api, payment["id"], 30)["status"], "succeeded")
        compare_wallet(api, wallet)


class Tls(Story):
    def test_certificates_on_both_sides(self):
        folder = self.stage.folder
        ours, theirs, strangers = (Authority(folder, name) for name in ("gateway-ca", "provider-ca", "stranger-ca"))
        server, client, stranger = ours.issue("notices"), theirs.issue("provider"), strangers.issue("stranger")
        wallet = rgwallet.start(self.stage)
        tls = {"certificate": server[0], "key": server[1], "client_ca": theirs.certificate}
        gateway = rgrails.rails(self.stage, [rgrails.qr_channel(wallet)], settings={"notify": {"listen": "127.0.0.1:0", "tls": tls}})
        api = gateway.client()
        self.assertTrue(gateway.ready["notices"].startswith("https://"))
        payment = api.post("/v1/payments", qr_sale(1250)).json()
        wallet.fault("notice_drop")
        wallet.scan(code=payment["next_action"]["payload"])
        body = notice_of(wallet.orders()[0])
        for name, context in {"none": tls_context(ours), "a stranger's": tls_context(ours, stranger)}.items():
            with self.subTest(name=name), self.assertRaises((ssl.SSLError, OSError)):
                tell(gateway, body, context=context)
        self.assertEqual(api.payment(payment["id"])["status"], "requires_action")
        self.assertEqual(metric(gateway, "railgate_notices_received_total"), 0)
        self.assertEqual(tell(gateway, body, context=tls_context(ours, client)).status, 200)
        self.assertEqual(api.payment(payment["id"])["status"], "succeeded")
        compare_wallet(api, wallet)

    def test_the_provider_trusts_whom_it_was_told_to(self):
        ours = Authority(self.stage.folder, "gateway-ca")
        server = ours.issue("notices")
        wallet = rgwallet.start(self.stage, notice_ca=ours.certificate)
        tls = {"certificate": server[0], "key": server[1]}
        gateway = rgrails.rails(self.stage, [rgrails.qr_channel(wallet)], settings={"notify": {"listen": "127.0.0.1:0", "tls": tls}})
        answer = gateway.client().post("/v1/payments", qr_sale(9101), Prefer="wait=20")
        self.assertEqual((answer.status, answer.json()["status"]), (201, "succeeded"), answer)


if __name__ == "__main__":
    main()
