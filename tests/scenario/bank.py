"""Bank: transfers sent and awaited, told late, twice, wrongly or never, recalled and returned, against a bank that
checks what it gets. Every story ends with both ledgers compared, attempt by attempt."""

import http.client
import time

import rgbank
from rgbank import CUSTOMER, bank_receive, bank_send, compare_bank
from rgledger import attempts_of, settle
from rgrails import journal, metric, refund, settled, store_is_sound
from rgtest import Failure, Stage, Story, fresh_key, main, together, until

LOST = (OSError, http.client.HTTPException)


class Bank(Story):
    """A gateway with one bank channel; when a test is over, both sides must tell the same story."""

    scheme = "sepa"
    alg = "EdDSA"
    of_bank = {}  # settings of the simulator
    of_channel = {}  # of the adapter
    more = {}  # of the channel

    def setUp(self):
        super().setUp()
        _, theirs, self.currency = rgbank.SCHEMES[self.scheme]
        known = {"scheme": self.scheme, "delay_ms": 150, "jws_alg": self.alg, **theirs, **self.of_bank}
        self.bank = rgbank.start(self.stage, settings=known)
        self.channel = rgbank.bank_channel(self.bank, scheme=self.scheme, alg=self.alg, settings=self.of_channel, **self.more)
        self.gateway = rgbank.gateway(self.stage, [self.channel])
        self.bank.settings(notice_url=self.gateway.ready["notices"] + "bank")
        self.api = self.gateway.client()

    def send(self, value, expected=(201, "succeeded"), iban=CUSTOMER, **bank):
        answer = self.api.post("/v1/payments", bank_send(value, iban, self.currency, **bank))
        if expected is not None:
            self.assertEqual((answer.status, answer.json().get("status")), expected, answer)
        return answer.json()

    def awaited(self, value, **bank):
        answer = self.api.post("/v1/payments", bank_receive(value, self.currency, **bank))
        self.assertEqual((answer.status, answer.json().get("status")), (202, "requires_action"), answer)
        return answer.json()

    def ends(self, payment, status):
        payment = settled(self.api, payment["id"])
        self.assertEqual(payment["status"], status, payment)
        return payment

    def pay_in(self, payment, value, **what):
        more = {"debtor": "Anna Beispiel", "debtor_account": CUSTOMER, "currency": self.currency, **what}
        return self.bank.credit(value, reference=payment["next_action"]["reference"], **more)

    def received(self, value):
        payment = self.awaited(value)
        self.pay_in(payment, value)
        return self.ends(payment, "succeeded")

    def attempt(self, payment, operation="sale"):
        rows = attempts_of(self.api.events(payment["id"]), payment["id"])
        return next(a for a in rows if a.operation == operation)

    def in_conflict(self, payment):
        return until("the conflict is recorded", lambda: self.attempt(payment).state == "conflict")

    def said(self):
        """All that the bank has to say was heard."""

        def quiet():
            stats = self.bank.stats()["http"]
            return not stats["notices_waiting"] and not stats["notices_in_flight"]

        until("all notices are acknowledged", quiet, 20)

    def refund_ends(self, payment, status):
        def asked():
            row = self.api.get(f"/v1/payments/{payment['id']}/refunds").json()["data"][0]
            return row if row["status"] != "pending" else None

        row = until("the refund is settled", asked)
        self.assertEqual(row["status"], status, row)
        return row

    def compare(self, **how):
        return compare_bank(self.api, self.bank, **how)

    def compare_with_conflict(self, *payments):
        found = self.compare(allow_open=True)["open"]
        self.assertEqual([a.payment for a in found], [p["id"] for p in payments])


class Send(Bank):
    def test_at_once(self):
        payment = self.send(1250)
        self.assertEqual(payment["outcome"]["code"], "ACSC")
        self.said()
        entry = self.bank.transfers()[0]
        self.assertEqual((entry["amount_minor"], entry["currency"], entry["creditor_account"]), (1250, "EUR", CUSTOMER))
        self.assertEqual(entry["id"], payment["outcome"]["rail"]["end_to_end_id"])
        self.compare()

    def test_refused(self):
        cases = {
            9004: "AC04", 9034: "AM04", 9069: "RR04", 9031: "AM02", 9001: "AC01", 9061: "FRAD", 9067: "NARR",
            9057: "ED06", 9071: "TM01",
        }  # fmt: skip
        for value, code in cases.items():
            with self.subTest(code=code):
                outcome = self.send(value, (201, "failed"))["outcome"]
                self.assertEqual((outcome["result"], outcome["code"]), ("declined", code), outcome)
        accounts = {rgbank.CLOSED: "AC04", rgbank.SANCTIONED: "RR04", "DE53990000010000000006": "AC06"}
        for iban, code in accounts.items():
            with self.subTest(iban=iban):
                self.assertEqual(self.send(100, (201, "failed"), iban)["outcome"]["code"], code)
        self.assertEqual(self.send(10**9, (201, "failed"))["outcome"]["code"], "AM04", "more than is there")
        self.assertEqual(self.bank.totals()["transfer"]["booked"], 0)
        self.compare()

    def test_refused_before_anything_is_sent(self):
        wrong = self.api.post("/v1/payments", bank_send(100, "DE91990000010000000002"))
        self.assertIn(wrong.status, (201, 422), wrong)
        over = self.api.post("/v1/payments", bank_send(99999999999 + 1))
        self.assertIn(over.status, (201, 422), over)
        self.assertEqual(self.bank.stats()["messages"], 0)
        self.compare()

    def test_pending_then_booked_or_refused(self):
        booked, refused = self.send(9101, (202, "processing")), self.send(9102, (202, "processing"))
        self.ends(booked, "succeeded")
        self.assertEqual(self.ends(refused, "failed")["outcome"]["code"], "AC04")
        answer = self.api.post("/v1/payments", bank_send(9101), Prefer="wait=20")
        self.assertEqual((answer.status, answer.json()["status"]), (201, "succeeded"), answer)
        self.said()
        self.compare()

    def test_told_twice_and_out_of_order(self):
        for value in (9106, 9107):
            with self.subTest(value=value):
                self.ends(self.send(value, (202, "processing")), "succeeded")
        self.said()
        self.assertEqual(journal(self.gateway, "payment.paid_again"), [], "a status and its debit are one movement")
        self.compare()

    def test_a_contradiction_calls_a_person(self):
        payment = self.send(9105)
        self.in_conflict(payment)
        self.assertEqual(self.api.payment(payment["id"])["status"], "succeeded", "nothing is taken back by itself")
        self.assertEqual(metric(self.gateway, "railgate_attempts_conflict_total"), 1)
        self.compare_with_conflict(payment)

    def test_an_approval_after_a_refusal_calls_a_person(self):
        payment = self.send(9102, (202, "processing"))
        self.ends(payment, "failed")
        self.bank.say(self.bank.transfers()[0], "ACSC")
        self.in_conflict(payment)
        self.assertEqual(self.api.payment(payment["id"])["status"], "failed")
        self.compare_with_conflict(payment)

    def test_another_amount_or_currency_is_never_an_approval(self):
        payments = [self.send(value, (202, "processing")) for value in (9108, 9109)]
        for payment in payments:
            self.in_conflict(payment)
            self.assertEqual(self.api.payment(payment["id"])["captured"], 0)
        self.compare_with_conflict(*reversed(payments))

    def test_statuses_that_decide_nothing(self):
        payment = self.send(9104, (202, "processing"))
        entry = self.bank.transfers()[0]
        for status in ("RCVD", "ACTC", "PDNG", "ACSP", "ZZZZ"):
            self.bank.say(entry, status)
        self.said()
        self.assertEqual(self.api.payment(payment["id"])["status"], "processing")
        self.bank.settle(entry, "book")
        self.ends(payment, "succeeded")
        self.compare()

    def test_somebody_elses_status(self):
        payment = self.send(9112, (202, "processing"))
        self.ends(payment, "succeeded")
        self.compare()

    def test_an_execution_date(self):
        day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 3 * 86400))
        payment = self.send(1250, (202, "processing"), execution_date=day)
        self.bank.settle(self.bank.transfers()[0], "book")
        self.ends(payment, "succeeded")
        self.compare()

    def test_many_at_once(self):
        answers = together([lambda n=n: self.api.post("/v1/payments", bank_send(1000 + n)) for n in range(20)])
        self.assertEqual({a.status for a in answers}, {201})
        self.said()
        self.assertEqual(len({row["id"] for row in self.bank.transfers()}), 20)
        self.compare()


class Delayed(Bank):
    of_bank = {"booking": "delayed", "final_status": "ACCC"}

    def test_booked_later(self):
        self.ends(self.send(1250, (202, "processing")), "succeeded")
        self.compare()

    def test_the_gateway_is_restarted_meanwhile(self):
        for end in (self.gateway.stop, self.gateway.kill):
            with self.subTest(end=end.__name__):
                payment = self.send(1250, (202, "processing"))
                end()
                self.gateway.start()
                self.ends(payment, "succeeded")
        self.compare()

    def test_every_notice_is_lost(self):
        self.bank.fault("notice_drop")
        self.ends(self.send(1250, (202, "processing")), "succeeded")
        self.assertGreater(self.bank.stats()["messages"], 1, "it was asked for")
        self.compare()

    def test_unsigned_notices_are_hints(self):
        self.bank.fault("notice_unsigned")
        self.ends(self.send(1250, (202, "processing")), "succeeded")
        self.assertEqual(metric(self.gateway, "railgate_attempts_conflict_total"), 0)
        self.bank.calm()
        self.compare()

    def test_garbled_notices_are_refused(self):
        self.bank.fault("notice_garble", bytes=1)
        payment = self.send(1250, (202, "processing"))
        self.ends(payment, "succeeded")
        self.bank.calm()
        self.compare()


class Es256(Delayed):
    """The other algorithm, with tokens, by notice only."""

    alg = "ES256"
    of_bank = {"answer": "notice", "tokens_required": True, "client_id": "shop", "token_ttl_s": 60}
    of_channel = {"token": True, "client_id": "shop", "token_audience": "https://bank.example/oauth2/token"}

    def test_a_token_that_is_refused_is_fetched_anew(self):
        self.ends(self.send(100, (202, "processing")), "succeeded")
        self.said()
        self.assertEqual(self.bank.stats()["tokens_given"], 1)
        self.bank.stop()
        self.bank.start()  # with empty books, and without the tokens of before
        self.bank.settings(notice_url=self.gateway.ready["notices"] + "bank")
        self.ends(self.send(200, (202, "processing")), "succeeded")
        stats = self.bank.stats()
        self.assertEqual((stats["tokens_given"], stats["wrong_tokens"]), (1, 1))


class Lost(Bank):
    """The answer to an order is lost in every way there is; the order is never booked twice."""

    def test_after_it_was_booked(self):
        for fault in ("drop_after_booking", "cut", "reset", "half_close", "garble", "duplicate"):
            with self.subTest(fault=fault):
                self.bank.fault(fault, method="POST", path="/messages", next=1)
                self.ends(self.send(1250, None), "succeeded")
        settle(self.api)
        self.said()
        self.compare()

    def test_before_it_was_booked(self):
        for fault, more in (("drop_before_booking", {}), ("status", {"status": 500})):
            with self.subTest(fault=fault):
                self.bank.fault(fault, method="POST", path="/messages", next=1, **more)
                self.ends(self.send(1250, None), "reversed")
        settle(self.api)
        self.assertEqual(self.bank.transfers(), [])
        self.compare()

    def test_it_comes_too_late(self):
        """Handled after the gateway gave up waiting, and before the late window is over."""
        self.bank.fault("late_booking", method="POST", path="/messages", next=1, ms=1300)
        self.ends(self.send(1250, None), "succeeded")
        settle(self.api)
        self.compare()

    def test_busy(self):
        for value in (9113, 9114):
            payment = self.send(value, None)
            self.assertIn(settled(self.api, payment["id"])["status"], ("succeeded", "failed", "reversed"))
        settle(self.api)
        self.compare()

    def test_no_status_is_ever_sent(self):
        self.ends(self.send(9103, (202, "processing")), "succeeded")
        self.compare()

    def test_the_bank_is_down_for_a_while(self):
        lost = {"path": "/messages", "method": "POST"}
        self.bank.knobs(faults=[{"fault": "drop_after_booking", "next": 1, **lost}, {"fault": "drop_before_booking", "skip": 1, **lost},
                                {"fault": "notice_drop"}])  # fmt: skip
        payment = self.send(1250, None)
        self.gateway.kill()
        self.gateway.start()
        self.assertEqual(self.api.payment(payment["id"])["status"], "processing")
        self.bank.calm()
        self.ends(payment, "succeeded")
        self.compare()


class Participants(Story):
    """pacs.008 with the scheme's header and envelope."""

    def story(self, scheme, creditor, closed, refuse):
        with Stage() as stage:
            _, theirs, currency = rgbank.SCHEMES[scheme]
            bank = rgbank.start(stage, settings={"scheme": scheme, "delay_ms": 150, **theirs})
            gateway = rgbank.gateway(stage, [rgbank.bank_channel(bank, scheme=scheme)])
            bank.settings(notice_url=gateway.ready["notices"] + "bank")
            api = gateway.client()

            def sent(value, to=creditor):
                return api.post("/v1/payments", bank_send(value, currency=currency, creditor=to))

            try:
                for value, status in ((1250, "succeeded"), (9101, "succeeded"), (9102, "failed"), (refuse, "failed")):
                    answer = sent(value)
                    self.assertIn(answer.status, (201, 202), answer)
                    self.assertEqual(settled(api, answer.json()["id"])["status"], status, f"{scheme} {value}")
                self.assertEqual(sent(100, closed).json()["outcome"]["code"], "AC04")
                bank.fault("drop_after_booking", path="/messages", next=1)
                self.assertEqual(settled(api, sent(500).json()["id"])["status"], "succeeded")
                awaited = api.post("/v1/payments", bank_receive(700, currency)).json()
                self.assertEqual(awaited["status"], "requires_action", awaited)
                bank.credit(700, currency=currency, reference=awaited["next_action"]["reference"], debtor_account="123")
                self.assertEqual(settled(api, awaited["id"])["status"], "succeeded")
                given = refund(api, awaited, 200, currency)
                self.assertEqual((given.status, given.json()["status"]), (201, "succeeded"), given)
                entry = next(e for e in bank.transfers() if e["state"] == "booked")
                bank.give_back(entry)
                paid = next(p for p in api.payments() if p["amount"]["value"] == 1250)
                until("it is refunded", lambda: api.payment(paid["id"])["status"] == "refunded")
                settle(api)
                compare_bank(api, bank)
                self.assertEqual(bank.stats()["unreadable"], 0)
            except Exception as error:
                raise Failure(f"{scheme}: {type(error).__name__}: {error}\n{stage.report()}") from error

    def test_fednow(self):
        us = {"name": "Customer US", "agent": "021000021"}
        self.story("fednow", {**us, "account": "990000000002"}, {**us, "account": "990000000004"}, 9004)

    def test_pix(self):
        br = {"name": "Customer Pix", "agent": "87654321"}
        self.story("pix", {**br, "account": "0001000002"}, {**br, "account": "0001000004"}, 9069)


class CustomerSchemes(Story):
    def test_uk_swiss_instant_generic(self):
        names = {"uk_fps": "GB69SIMB99000100000001", "swiss": "CH1299001000000000001", "sepa_inst": CUSTOMER, "generic": CUSTOMER}
        for scheme, iban in names.items():
            with self.subTest(scheme=scheme), Stage() as stage:
                _, theirs, currency = rgbank.SCHEMES[scheme]
                bank = rgbank.start(stage, settings={"scheme": scheme, "delay_ms": 150, **theirs})
                gateway = rgbank.gateway(stage, [rgbank.bank_channel(bank, scheme=scheme)])
                api = gateway.client()
                creditor = {"name": "Customer", "iban": iban, "country": iban[:2]}
                if scheme == "uk_fps":
                    creditor["agent"] = "990001"
                for value, status in ((1250, "succeeded"), (9101, "succeeded"), (9004, "failed")):
                    answer = api.post("/v1/payments", bank_send(value, currency=currency, creditor=creditor))
                    self.assertEqual(settled(api, answer.json()["id"])["status"], status, stage.report())
                settle(api)
                compare_bank(api, bank)


class Receive(Bank):
    def test_with_a_reference(self):
        payment = self.awaited(700)
        action = payment["next_action"]
        self.assertEqual((action["iban"], action["amount"], action["reference_type"]), (rgbank.MERCHANT, "7.00", "SCOR"))
        self.pay_in(payment, 700)
        self.ends(payment, "succeeded")
        self.compare()

    def test_where_payers_put_the_reference(self):
        for place in ("remittance", "end_to_end_id"):
            with self.subTest(place=place):
                payment = self.awaited(700)
                self.bank.credit(700, **{place: payment["next_action"]["reference"]})
                self.ends(payment, "succeeded")

    def test_paid_twice(self):
        payment = self.received(700)
        self.pay_in(payment | {"next_action": {"reference": self.bank.entries("credit")[0]["reference"]}}, 700)
        self.said()
        self.assertEqual(self.api.payment(payment["id"])["captured"], 700)
        self.assertEqual(len(journal(self.gateway, "payment.paid_again")), 1, "money that nobody asked for is noted")
        self.assertEqual([row["amount_minor"] for row in self.compare()["unasked"]], [700])

    def test_a_wrong_amount(self):
        """Anybody may transfer anything under a reference: it is noted, and does not block the right amount."""
        payment = self.awaited(700)
        self.pay_in(payment, 699)
        noted = until("it is noted", lambda: journal(self.gateway, "payment.paid_other_amount"))
        self.assertEqual([row["amount"] for row in noted], [699])
        self.assertEqual(self.api.payment(payment["id"])["captured"], 0)
        self.pay_in(payment, 700)
        self.assertEqual(self.ends(payment, "succeeded")["captured"], 700)
        self.assertEqual([row["amount_minor"] for row in self.bank.entries("credit")], [699, 700])

    def test_an_unknown_reference(self):
        self.bank.credit(333, reference="RF18539007547034", debtor="Somebody")
        rows = until("it is noted", lambda: journal(self.gateway, "channel.credit"))
        self.assertEqual([(row["channel"], row["amount"], row["currency"]) for row in rows], [("bank", 333, "EUR")])
        self.assertEqual([row["amount_minor"] for row in self.compare()["unasked"]], [333])

    def test_canceled_and_paid_all_the_same(self):
        payment = self.awaited(700)
        answer = self.api.post(f"/v1/payments/{payment['id']}/cancel", {})
        self.assertEqual((answer.status, answer.json()["status"]), (200, "canceled"), answer)
        self.compare()
        self.pay_in(payment, 700)
        self.in_conflict(payment)
        self.assertEqual((self.api.payment(payment["id"])["status"], self.api.payment(payment["id"])["captured"]), ("canceled", 0))
        self.compare_with_conflict(payment)

    def test_the_refund_is_a_transfer_back(self):
        payment = self.received(700)
        for value, left in ((200, 500), (500, 0)):
            given = refund(self.api, payment, value)
            self.assertEqual((given.status, given.json()["status"]), (201, "succeeded"), given)
            self.assertEqual(self.api.payment(payment["id"])["refundable"], left)
        self.said()
        self.assertEqual(self.bank.moved(CUSTOMER), 0)
        self.compare()

    def test_a_refund_that_comes_back_is_told(self):
        payment = self.received(700)
        given = refund(self.api, payment, 700)
        self.bank.give_back(self.bank.transfers()[0])
        until("the conflict is recorded", lambda: self.attempt(payment, "refund").state == "conflict")
        self.assertEqual(given.json()["status"], "succeeded")
        self.assertEqual(self.api.payment(payment["id"])["refunded"], 700, "nothing is counted by itself")
        self.assertEqual([a.payment for a in self.compare(allow_open=True)["open"]], [payment["id"]])

    def test_a_refund_whose_answer_is_lost(self):
        payment = self.received(1000)
        for fault in ("drop_after_booking", "cut", "reset", "drop_before_booking"):
            with self.subTest(fault=fault):
                self.bank.fault(fault, method="POST", path="/messages", next=1)
                refund(self.api, payment, 100)
                settle(self.api)
        self.assertEqual(self.api.payment(payment["id"])["refunded"], 300)
        self.compare()

    def test_a_statement_tells_nothing_new(self):
        payment = self.received(700)
        self.send(1250)
        self.bank.credit(333, reference="RF18539007547034")
        self.said()
        before = self.api.payments()
        for _ in range(2):
            statement = self.bank.statement(account=rgbank.MERCHANT)
            self.assertIn("camt.053.001.08", statement)
            self.said()
        self.assertEqual(self.api.payments(), before)
        self.assertEqual(len(journal(self.gateway, "channel.credit")), 1, "the same credit is noted once")
        self.assertEqual(journal(self.gateway, "payment.paid_again"), [])
        self.assertEqual(self.api.payment(payment["id"])["captured"], 700)
        self.compare()

    def test_a_statement_brings_what_was_lost(self):
        payment, sent = self.awaited(700), None
        self.bank.fault("notice_drop")
        self.pay_in(payment, 700)
        sent = self.send(9104, (202, "processing"))
        self.bank.calm()
        self.bank.statement(account=rgbank.MERCHANT)
        self.ends(payment, "succeeded")
        self.assertEqual(self.api.payment(sent["id"])["status"], "processing", "not booked, not in it")
        self.bank.settle(next(e for e in self.bank.transfers()), "book")
        self.ends(sent, "succeeded")
        self.compare()


class Expiry(Bank):
    of_channel = {"receive_expires_s": 1}

    def test_nobody_paid(self):
        payment = self.awaited(700)
        payment = self.ends(payment, "failed")
        self.assertEqual(payment["outcome"]["code"], "expired", payment)
        self.assertIsNone(payment["next_action"])
        self.compare()

    def test_paid_after_it_failed(self):
        """The payment stays failed; the money that came all the same is for a person to send back."""
        payment = self.awaited(700)
        self.ends(payment, "failed")
        self.pay_in(payment, 700)
        self.in_conflict(payment)
        self.assertEqual((self.api.payment(payment["id"])["status"], self.api.payment(payment["id"])["captured"]), ("failed", 0))
        self.assertEqual(len(self.compare(allow_open=True)["open"]), 1)

    def test_it_expires_while_the_gateway_is_down(self):
        payment = self.awaited(700)
        self.gateway.kill()
        self.gateway.start()
        self.assertEqual(self.ends(payment, "failed")["outcome"]["code"], "expired")
        self.compare()


class QrReferences(Bank):
    scheme = "swiss"
    of_channel = {"receive_iban": "CH4531999000000000000", "receive_reference": "qrr"}

    def test_received(self):
        payment = self.awaited(700)
        action = payment["next_action"]
        self.assertEqual((action["iban"], action["reference_type"], len(action["reference"])), ("CH4531999000000000000", "QRR", 27))
        self.pay_in(payment, 700, account="CH4531999000000000000", debtor_account="CH1299001000000000001")
        self.ends(payment, "succeeded")
        given = refund(self.api, payment, 200, "CHF")
        self.assertEqual(given.json()["status"], "succeeded", given)
        self.compare()

    def test_a_bill_that_was_scanned(self):
        bill = "\r\n".join(
            ["SPC", "0200", "1", "CH4431999123000889012", "S", "Max Muster & Söhne", "Musterstrasse", "123", "8000", "Seldwyla", "CH"]
            + [""] * 7 + ["1949.75", "CHF"] + [""] * 7 + ["QRR", "210000000003139471430009017", "Order of 15.06.2026", "EPD"]
        )  # fmt: skip
        answer = self.api.post("/v1/payments", {
            "amount": {"value": 194975, "currency": "CHF"},
            "method": {"type": "qr", "qr": {"mode": "scan", "code": bill}},
        })  # fmt: skip
        self.assertEqual((answer.status, answer.json().get("status")), (201, "succeeded"), answer)
        self.assertEqual(answer.json()["method"]["bank"]["scanned"], "swiss-qr-bill")
        entry = self.bank.transfers()[0]
        self.assertEqual((entry["creditor_account"], entry["reference"]), ("CH4431999123000889012", "210000000003139471430009017"))
        self.compare()


class Scanned(Bank):
    def test_an_epc_code(self):
        def code(amount):
            return "\n".join(["BCD", "002", "1", "SCT", "SIMBDEFFXXX", "Customer One", CUSTOMER, amount, "", "RF18539007547034"])

        body = {"amount": {"value": 1250, "currency": "EUR"}, "method": {"type": "qr", "qr": {"mode": "scan", "code": code("EUR12.50")}}}
        answer = self.api.post("/v1/payments", body)
        self.assertEqual((answer.status, answer.json().get("status")), (201, "succeeded"), answer)
        self.assertEqual(answer.json()["method"]["bank"]["scanned"], "epc069-12")
        entry = self.bank.transfers()[0]
        self.assertEqual((entry["creditor_account"], entry["reference"]), (CUSTOMER, "RF18539007547034"))
        body["method"]["qr"]["code"] = code("EUR12.51")
        other = self.api.post("/v1/payments", body)
        self.assertIn(other.status, (201, 422), other)
        self.assertNotEqual(other.json().get("status"), "succeeded", other)
        self.assertEqual(len(self.bank.transfers()), 1)
        self.compare()


class Recalls(Bank):
    """A refund of what was sent, and a cancel of what is on its way."""

    def test_accepted(self):
        payment = self.send(1250)
        given = refund(self.api, payment, 1250)
        self.assertEqual((given.status, given.json()["status"]), (201, "succeeded"), given)
        self.said()
        self.assertEqual(self.api.payment(payment["id"])["status"], "refunded")
        self.assertEqual(self.api.payment(payment["id"])["refunded"], 1250, "the return is covered by the refund")
        self.assertEqual(len(journal(self.gateway, "attempt.return_covered")), 1)
        self.assertEqual(self.bank.moved(CUSTOMER), 0)
        self.compare()

    def test_refused(self):
        for value, code in ((9202, "NOAS"), (9203, "LEGL"), (9204, "CUST"), (9201, "ARDT")):
            with self.subTest(code=code):
                payment = self.send(value)
                row = refund(self.api, payment, value).json()
                self.assertEqual((row["status"], row["outcome"]["code"]), ("failed", code), row)
                self.assertEqual(self.api.payment(payment["id"])["refundable"], value)
        self.said()
        self.compare()

    def test_decided_later(self):
        for value, status in ((9205, "succeeded"), (9206, "failed")):
            with self.subTest(value=value):
                payment = self.send(value)
                given = refund(self.api, payment, value)
                self.assertEqual((given.status, given.json()["status"]), (202, "pending"), given)
                self.refund_ends(payment, status)
        settle(self.api)
        self.said()
        self.compare()

    def test_decided_later_and_every_notice_is_lost(self):
        payment = self.send(9205)
        self.bank.fault("notice_drop")
        refund(self.api, payment, 9205)
        self.refund_ends(payment, "succeeded")
        self.bank.calm()
        self.compare()

    def test_a_part_cannot_be_recalled(self):
        payment = self.send(1250)
        row = refund(self.api, payment, 250)
        self.assertEqual(row.json().get("outcome", {}).get("code"), "AM09", row)
        self.assertEqual(self.api.payment(payment["id"])["refundable"], 1250)
        self.compare()

    def test_the_answer_is_lost(self):
        for fault in ("drop_after_booking", "cut", "reset", "duplicate"):
            with self.subTest(fault=fault):
                payment = self.send(1250)
                self.bank.fault(fault, method="POST", path="/messages", next=1)
                refund(self.api, payment, 1250)
                settle(self.api)
                self.assertEqual(self.api.payment(payment["id"])["refunded"], 1250)
        self.said()
        self.compare()

    def test_a_pending_payment_is_canceled(self):
        payment = self.send(9104, (202, "processing"))
        answer = self.api.post(f"/v1/payments/{payment['id']}/cancel", {})
        self.assertEqual((answer.status, answer.json()["status"]), (200, "canceled"), answer)
        self.assertEqual(self.bank.transfers()[0]["state"], "rejected")
        self.compare()

    def test_too_late_to_cancel(self):
        self.bank.settings(recall="CUST")
        payment = self.send(9103, (202, "processing"))
        self.api.post(f"/v1/payments/{payment['id']}/cancel", {})
        self.ends(payment, "succeeded")
        settle(self.api)
        self.compare()

    def test_returned_without_a_recall(self):
        payment = self.send(9111)
        until("it is refunded", lambda: self.api.payment(payment["id"])["status"] == "refunded")
        self.said()
        payment = self.api.payment(payment["id"])
        self.assertEqual((payment["captured"], payment["refunded"]), (9111, 9111))
        rows = self.api.get(f"/v1/payments/{payment['id']}/refunds").json()["data"]
        self.assertEqual([(row["status"], row["amount"]["value"]) for row in rows], [("succeeded", 9111)])
        self.compare()


class RecallsByNotice(Recalls):
    of_bank = {"recall_answer": "notice", "inquiry": "sync"}

    def test_accepted(self):
        payment = self.send(1250)
        given = refund(self.api, payment, 1250)
        self.assertEqual((given.status, given.json()["status"]), (202, "pending"), given)
        self.refund_ends(payment, "succeeded")
        self.said()
        self.assertEqual(self.api.payment(payment["id"])["refunded"], 1250)
        self.compare()

    def test_refused(self):
        payment = self.send(9204)
        refund(self.api, payment, 9204)
        self.assertEqual(self.refund_ends(payment, "failed")["outcome"]["code"], "CUST")
        self.compare()

    def test_a_pending_payment_is_canceled(self):
        payment = self.send(9104, (202, "processing"))
        self.api.post(f"/v1/payments/{payment['id']}/cancel", {})
        self.ends(payment, "canceled")
        settle(self.api)
        self.compare()


ENTRY = (
    '<Ntry><Amt Ccy="EUR">1.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><AcctSvcrRef>Q{n}</AcctSvcrRef>'
    "<NtryDtls><TxDtls><Refs><EndToEndId>FOREIGN{n}</EndToEndId></Refs><RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls>"
    "</NtryDtls></Ntry>"
)


def notification(count, pad=0):
    entries = "".join(ENTRY.format(n=n, text="x" * pad) for n in range(count))
    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"><BkToCstmrDbtCdtNtfctn><GrpHdr><MsgId>BIG</MsgId>'
        f"</GrpHdr><Ntfctn><Id>1</Id>{entries}</Ntfctn></BkToCstmrDbtCdtNtfctn></Document>"
    ).encode()


class Notices(Bank):
    def tell(self, body, signed=True):
        return rgbank.tell(self.gateway, body, rgbank.sign(body) if signed else None)

    def test_admi_002(self):
        payment = self.send(9104, (202, "processing"))
        message = self.bank.transfers()[0]["msg_id"]
        body = (
            '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:admi.002.001.01"><admi.002.001.01><RltdRef><Ref>%s</Ref></RltdRef>'
            "<Rsn><RjctgPtyRsn>FF01</RjctgPtyRsn></Rsn></admi.002.001.01></Document>"
        )
        self.assertEqual(self.tell((body % "SOMEBODYELSES").encode()).status, 200)
        self.assertEqual(self.api.payment(payment["id"])["status"], "processing")
        self.assertEqual(self.tell((body % message).encode()).status, 200)
        self.assertEqual(self.ends(payment, "failed")["outcome"]["code"], "FF01")

    def test_three_thousand_entries(self):
        body = notification(3000, 105)
        self.assertGreater(len(body), 900_000)
        self.assertLess(len(body), 1 << 20)
        begun = time.monotonic()
        answer = self.tell(body)  # waits as long as a bank would
        took = time.monotonic() - begun
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(len(journal(self.gateway, "channel.credit")), 3000)
        self.assertEqual(self.tell(body).status, 200)
        self.assertEqual(len(journal(self.gateway, "channel.credit")), 3000, "told again, noted once")
        print(f"3,000 entries acknowledged in {took:.2f} s", flush=True)

    def test_too_many_entries(self):
        self.assertEqual(self.tell(notification(4097)).status, 400)
        self.assertEqual(journal(self.gateway, "channel.credit"), [])

    def test_an_unsigned_one_changes_nothing_and_is_cheap(self):
        body = notification(3000, 105)
        for _ in range(20):
            self.assertIn(self.tell(body, signed=False).status, (200, 202))
        self.assertEqual(journal(self.gateway, "channel.credit"), [])

    def test_hostile_xml(self):
        document = notification(1)
        bombs = {
            "doctype": b"<!DOCTYPE a>" + document,
            "entities": b'<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
            + document.replace(b"FOREIGN0", b"&b;"),
            "a file": b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/hostname">]>' + document.replace(b"FOREIGN0", b"&f;"),
            "an entity nobody declared": document.replace(b"FOREIGN0", b"&lol;"),
            "not XML": b"{}",
            "nothing": b"",
            "cut": document[:-20],
            "deep": b"<a>" * 5000 + b"</a>" * 5000,
            "UTF-16": document.decode().encode("utf-16"),
            "Latin-1": b'<?xml version="1.0" encoding="ISO-8859-1"?>' + document,
            "attributes": b"<a " + b" ".join(b'a%d="1"' % n for n in range(5000)) + b"/>",
        }
        for name, body in bombs.items():
            for signed in (True, False):
                with self.subTest(name=name, signed=signed):
                    self.assertEqual(self.tell(body, signed).status, 400)
        self.assertTrue(self.gateway.alive())
        self.assertEqual(journal(self.gateway, "channel.credit"), [])

    def test_signatures(self):
        body = notification(1)
        good = rgbank.sign(body)
        wrong = {
            "another body": rgbank.sign(body + b" "),
            "another key": rgbank.sign(body, private=rgbank.OWN_PRIVATE),
            "old": rgbank.sign(body, age_s=400),
            "from the future": rgbank.sign(body, age_s=-400),
            "another kid": rgbank.sign(body, kid="bank-2"),
            "not detached": good.replace("..", ".e30."),
            "garbage": "a..b",
        }
        for name, signature in wrong.items():
            with self.subTest(name=name):
                self.assertIn(rgbank.tell(self.gateway, body, signature).status, (400, 401))
        self.assertEqual(journal(self.gateway, "channel.credit"), [])
        self.assertEqual(rgbank.tell(self.gateway, body, good).status, 200)
        self.assertEqual(len(journal(self.gateway, "channel.credit")), 1)


# --- kill -9 ----------------------------------------------------------------------------------------------

STEPS = ("before_record", "after_record", "after_send", "after_exchange", "before_settle", "after_settle")


class Crash:
    """One gateway and one bank; the first request ends in a crash at the step."""

    def __init__(self, stage, verb, step):
        self.stage, self.verb, self.step = stage, verb, step
        self.bank = rgbank.start(stage, settings={"scheme": "sepa", "delay_ms": 150})
        self.gateway = rgbank.gateway(stage, [rgbank.bank_channel(self.bank)])
        self.bank.settings(notice_url=self.gateway.ready["notices"] + "bank")
        self.api = self.gateway.client()
        self.path, self.body, self.payment = "/v1/payments", bank_send(1250), None
        if verb == "receive":
            self.body = bank_receive(700)
        if verb == "recall":
            self.payment = self.api.post(self.path, bank_send(1250)).json()
            self.path, self.body = f"/v1/payments/{self.payment['id']}/refunds", {}
        if verb == "refund":
            self.payment = self.paid_in()
            self.path, self.body = f"/v1/payments/{self.payment['id']}/refunds", {"amount": {"value": 400, "currency": "EUR"}}
        if verb == "cancel":
            self.payment = self.api.post(self.path, bank_send(9104)).json()
            self.path, self.body = f"/v1/payments/{self.payment['id']}/cancel", {}

    def paid_in(self):
        payment = self.api.post("/v1/payments", bank_receive(700)).json()
        self.bank.credit(700, reference=payment["next_action"]["reference"], debtor_account=CUSTOMER, debtor="Anna")
        return settled(self.api, payment["id"])

    def canceled_or_not(self):
        """A recall that never arrived leaves the payment on its way, and the bank books it in the end."""

        def known():
            rows = attempts_of(self.api.events(self.payment["id"]), self.payment["id"])
            return all(a.state not in ("sending", "unknown") for a in rows if a.operation == "cancel")

        until("it is known what became of the recall", known, 20)
        entry = self.bank.transfers()[0]
        if entry["state"] == "pending":
            self.bank.settle(entry, "book")

    def run(self):
        if self.step == "after_send":
            self.bank.fault("delay", path="/messages", ms=300, next=1)
        self.gateway.stop()
        self.gateway.start(env={"RAILGATE_CRASH_AT": self.step})
        key = fresh_key()
        try:
            self.api.post(self.path, self.body, key)
        except LOST:
            pass
        code = self.gateway.wait_end()
        if code != -9:
            raise Failure(f"the gateway ended with {code}, not by SIGKILL")
        self.bank.calm()
        self.gateway.start()

        def asked():
            answer = self.api.post(self.path, self.body, key)
            return answer if answer.status not in (409, 503) else None

        answer = until("the repeat is answered", asked, 15)
        if self.verb == "receive":
            # Killed before it was settled, the payer was not told; a transfer with that reference settles it.
            events = self.api.events(self.api.payments()[0]["id"])
            reference = next(e["data"]["refs"]["reference"] for e in events if e["data"].get("refs"))
            self.bank.credit(700, reference=reference, debtor_account=CUSTOMER)
        if self.verb == "cancel":
            self.canceled_or_not()
        for payment in self.api.payments():
            settled(self.api, payment["id"])
        settle(self.api, 20)
        again = self.api.post(self.path, self.body, key)
        if (again.status, again.body) != (answer.status, answer.body):
            raise Failure(f"another answer to the same key: {answer} and then {again}")
        compare_bank(self.api, self.bank)
        self.gateway.stop()
        store_is_sound(self.gateway)


class Killed(Story):
    def all_of(self, verb, steps=STEPS):
        def one(step):
            with Stage() as stage:
                try:
                    Crash(stage, verb, step).run()
                except Exception as error:
                    raise Failure(f"{verb}, killed at {step}: {type(error).__name__}: {error}\n{stage.report()}") from error

        together([lambda s=s: one(s) for s in steps], 3)

    def test_send(self):
        self.all_of("send")

    def test_receive(self):
        self.all_of("receive", tuple(step for step in STEPS if step != "after_send"))

    def test_recall(self):
        self.all_of("recall")

    def test_refund(self):
        self.all_of("refund")

    def test_cancel(self):
        self.all_of("cancel")


class KilledByANotice(Bank):
    def test_again_and_again(self):
        """Killed as soon as the bank has begun to tell of a credit or a booking; it tells again, and it counts once."""
        payments = [self.awaited(700 + n) for n in range(6)] + [self.send(9104, None) for _ in range(3)]
        entries = {row["id"]: row for row in self.bank.transfers()}
        for payment in payments[:6]:
            self.pay_in(payment, payment["amount"]["value"])
            self.gateway.kill()
            self.gateway.start()
        for entry in entries.values():
            self.bank.settle(entry, "book")
            self.gateway.kill()
            self.gateway.start()
        for payment in payments:
            self.ends(payment, "succeeded")
        self.said()
        settle(self.api)
        self.assertEqual(journal(self.gateway, "payment.paid_again"), [])
        self.compare()
        self.gateway.stop()
        store_is_sound(self.gateway)


if __name__ == "__main__":
    main()
