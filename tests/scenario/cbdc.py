"""CBDC: transfers, locks that are released or canceled, limits of the other side, against the ledger simulator. Every
story ends with both ledgers compared, and the other one's own proof."""

import itertools

import rgrails
from rgledger import attempts_of, compare_cbdc, settle
from rgrails import cbdc_sale, refund, settled
from rgtest import Story, main, together, until

NOTHING_MOVED = ("failed", "reversed")


def money(value, currency="EUR"):
    return {"amount": {"value": value, "currency": currency}}


class Core(Story):
    """A gateway with one channel to a ledger."""

    channel = {}

    def setUp(self):
        super().setUp()
        self.ledger = rgrails.start_ledger(self.stage)
        self.gateway = rgrails.rails(self.stage, [rgrails.cbdc_channel(self.ledger, **self.channel)])
        self.api = self.gateway.client()

    def pay(self, value, expected="succeeded", **how):
        answer = self.api.post("/v1/payments", cbdc_sale(value, **how))
        self.assertEqual((answer.status, answer.json().get("status")), (201, expected), answer)
        return answer.json()

    def post(self, payment, verb, body=None):
        return self.api.post(f"/v1/payments/{payment['id']}/{verb}", {} if body is None else body)

    def balance(self, wallet):
        return self.ledger.wallet(wallet)["balance_minor"]

    def locked(self):
        return self.ledger.ledger()["totals"]["locked_minor"]

    def settled_entries(self):
        return [(row["from"], row["to"], row["amount_minor"]) for row in self.ledger.entries() if row["state"] == "settled"]

    def attempts(self, payment):
        return attempts_of(self.api.events(payment["id"]), payment["id"])

    def compare(self, **how):
        return compare_cbdc(self.api, self.ledger, **how)


class Transfers(Core):
    def test_a_transfer_and_its_refunds(self):
        payment = self.pay(1250)
        self.assertEqual(refund(self.api, payment, 250).json()["status"], "succeeded")
        self.problem(refund(self.api, payment, 1001), 422, "amount_exceeds_refundable")
        self.assertEqual(refund(self.api, payment, 1000).json()["status"], "succeeded")
        moved = [("w_full", "w_merchant", 1250), ("w_merchant", "w_full", 250), ("w_merchant", "w_full", 1000)]
        self.assertEqual(self.settled_entries(), moved)
        self.compare()

    def test_by_alias(self):
        for cbdc in (
            {"payer": {"alias": "alias:full@example.com"}},
            {"payer": {"wallet": "w_full"}, "payee": {"alias": "alias:shop2@example.com"}},
        ):
            answer = self.api.post("/v1/payments", {**money(300), "method": {"type": "cbdc", "cbdc": cbdc}})
            self.assertEqual((answer.status, answer.json()["status"]), (201, "succeeded"), answer)
            self.assertEqual(refund(self.api, answer.json(), 100).json()["status"], "succeeded")
        moved = [("w_full", "w_merchant", 300), ("w_merchant", "w_full", 100), ("w_full", "w_merchant2", 300), ("w_merchant2", "w_full", 100)]
        self.assertEqual(self.settled_entries(), moved)
        self.compare()

    def test_an_alias_that_nobody_has(self):
        body = {**money(300), "method": {"type": "cbdc", "cbdc": {"payer": {"alias": "alias:nobody@example.com"}}}}
        payment = self.api.post("/v1/payments", body).json()
        self.assertEqual((payment["status"], payment["outcome"]["code"]), ("failed", "unknown_wallet"), payment)
        self.compare()

    def test_money_is_issued_and_redeemed(self):
        for action, role, wallet in (("issue", "payee", "w_merchant"), ("redeem", "payer", "w_merchant")):
            before = self.ledger.totals()
            cbdc = {"action": action, role: {"wallet": wallet}}
            answer = self.api.post("/v1/payments", {**money(5000), "method": {"type": "cbdc", "cbdc": cbdc}})
            self.assertEqual((answer.status, answer.json()["status"]), (201, "succeeded"), answer)
            after = self.ledger.totals()
            name = "issued_minor" if action == "issue" else "redeemed_minor"
            self.assertEqual(after[name] - before[name], 5000)
        self.assertEqual(self.balance("w_merchant"), 10000000)
        self.compare()

    def test_the_other_side_refuses(self):
        for payer, value, code in (
            ("w_empty", 100, "insufficient_funds"),
            ("w_blocked", 100, "wallet_blocked"),
            ("w_basic", 15001, "single_limit"),
            ("w_nobody", 100, "unknown_wallet"),
            ("w_merchant", 100, "same_wallet"),
        ):
            with self.subTest(payer=payer):
                payment = self.pay(value, "failed", payer=payer)
                self.assertEqual((payment["outcome"]["result"], payment["outcome"]["code"]), ("declined", code))
        self.assertEqual(self.settled_entries(), [])
        self.compare()

    def test_limits_word_by_word(self):
        self.pay(15000, payer="w_basic")
        self.pay(15000, payer="w_basic")
        payment = self.pay(1, "failed", payer="w_basic")
        self.assertEqual((payment["outcome"]["code"], payment["outcome"]["category"]), ("day_limit", "limit_exceeded"), payment)
        self.ledger.call("POST", "/day", {})
        self.pay(1, payer="w_basic")
        body = cbdc_sale(1)
        body["method"]["cbdc"]["payee"] = {"wallet": "w_brim"}
        payment = self.api.post("/v1/payments", body).json()
        self.assertEqual(payment["outcome"]["code"], "holding_limit", payment)
        self.compare()

    def test_magic_refusals(self):
        words = ("insufficient_funds", "holding_limit", "single_limit", "day_limit", "wallet_blocked", "unknown_wallet", "wrong_purpose")
        for value, word in zip(itertools.count(9001), words):
            with self.subTest(word=word):
                payment = self.pay(value, "failed")
                self.assertEqual(payment["outcome"]["code"], word, payment)
                self.assertTrue(payment["outcome"]["message"])
        self.assertEqual(self.settled_entries(), [])
        self.compare()

    def test_many_refunds_at_once(self):
        payment = self.pay(1000)
        answers = together([lambda: refund(self.api, payment, 300) for _ in range(6)])
        good = [a for a in answers if a.status == 201 and a.json()["status"] == "succeeded"]
        self.assertEqual(len(good), 3, answers)
        self.compare()

    def test_a_refund_that_is_refused(self):
        payment = self.pay(1000)
        self.ledger.call("POST", "/wallets/change", {"wallet": "w_full", "blocked": True})
        given = refund(self.api, payment, 1000).json()
        self.assertEqual((given["status"], given["outcome"]["code"]), ("failed", "wallet_blocked"), given)
        self.assertEqual(self.api.payment(payment["id"])["refundable"], 1000)
        self.ledger.call("POST", "/wallets/change", {"wallet": "w_full", "blocked": False})
        self.assertEqual(refund(self.api, payment, 1000).json()["status"], "succeeded")
        self.compare()


class Locks(Core):
    def lock(self, value=1000, **how):
        return self.pay(value, "authorized", capture="manual", **how)

    def test_released_in_parts_and_the_rest_canceled(self):
        payment = self.lock()
        self.assertEqual(self.post(payment, "capture", money(300)).json()["captured"], 300)
        self.assertEqual(self.post(payment, "capture", money(701)).status, 422)
        self.assertEqual(self.post(payment, "capture", money(200)).json()["captured"], 500)
        canceled = self.post(payment, "cancel")
        self.assertEqual((canceled.status, canceled.json()["status"]), (200, "succeeded"), canceled)
        self.assertEqual(self.balance("w_merchant"), 10000000 + 500)
        self.assertEqual(self.locked(), 0)
        self.assertEqual(refund(self.api, payment, 500).json()["status"], "succeeded")
        self.compare()

    def test_canceled_as_a_whole(self):
        payment = self.lock()
        self.assertEqual(self.post(payment, "cancel").json()["status"], "canceled")
        self.problem(self.post(payment, "capture", money(1)), 409, "wrong_status")
        self.assertEqual((self.locked(), self.balance("w_full")), (0, 8000000))
        self.compare()

    def test_bound_to_a_purpose(self):
        payment = self.lock(lock_purpose="groceries")
        self.assertEqual(self.post(payment, "capture", money(400)).json()["captured"], 400)
        self.assertEqual(self.ledger.entries()[0]["purpose"], "groceries")
        refused = self.pay(1000, "failed", capture="manual", lock_purpose="gambling")
        self.assertEqual((refused["outcome"]["code"], refused["outcome"]["result"]), ("wrong_purpose", "declined"))
        body = cbdc_sale(1000, capture="manual", lock_purpose="groceries")
        body["method"]["cbdc"]["payee"] = {"wallet": "w_merchant2"}
        refused = self.api.post("/v1/payments", body).json()
        self.assertEqual(refused["outcome"]["code"], "wrong_purpose", "that shop is not registered for it")
        self.compare()

    def test_one_that_has_expired(self):
        payment = self.lock(expires_in=3600)
        self.assertEqual(self.post(payment, "capture", money(400)).json()["captured"], 400)
        self.ledger.call("POST", "/expire", {})
        self.assertEqual((self.locked(), self.balance("w_full")), (0, 8000000 - 400))
        rows = self.post(payment, "capture", money(600))
        self.assertEqual(self.api.payment(payment["id"])["captured"], 400, rows)
        refused = next(row for row in self.api.get(f"/v1/payments/{payment['id']}/captures").json()["data"] if row["amount"]["value"] == 600)
        self.assertEqual((refused["status"], refused["outcome"]["code"]), ("failed", "lock_expired"), refused)
        canceled = self.post(payment, "cancel")
        self.assertEqual((canceled.status, canceled.json()["status"]), (200, "succeeded"), canceled)
        self.assertEqual(canceled.json()["capturable"], 0, "a cancel of what is gone ends it")
        said = [attempt.operation for attempt in self.attempts(payment)]
        self.assertNotIn("inquire", said, "the look at the lock was an answer: nothing is left to ask")
        self.compare()

    def test_captures_and_a_cancel_at_the_same_moment(self):
        for _ in range(6):
            payment = self.lock()
            together([lambda p=payment, v=v: self.post(p, "capture", money(v)) for v in (300, 400, 500)] + [lambda p=payment: self.post(p, "cancel")])
            settle(self.api)
            payment = self.api.payment(payment["id"])
            self.assertLessEqual(payment["captured"], 1000)
        self.compare()

    def test_captures_at_once_never_take_more(self):
        payment = self.lock()
        answers = together([lambda: self.post(payment, "capture", money(300)) for _ in range(6)])
        settle(self.api)
        self.assertLessEqual(self.api.payment(payment["id"])["captured"], 900, answers)
        self.assertEqual(self.locked(), 1000 - self.api.payment(payment["id"])["captured"])
        self.compare()

    def test_lost_answers_of_release_and_cancel(self):
        for fault in ("drop_after_booking", "cut", "reset", "duplicate"):
            with self.subTest(fault=fault):
                payment = self.lock()
                self.ledger.fault(fault, method="POST", path="/v1/locks/", next=1)
                self.post(payment, "capture", money(300))
                settle(self.api)
                self.assertEqual(self.api.payment(payment["id"])["captured"], 300)
                self.ledger.fault(fault, method="POST", path="/v1/locks/", next=1)
                self.post(payment, "cancel")
                settle(self.api)
                self.assertEqual(self.api.payment(payment["id"])["status"], "succeeded")
        self.assertEqual(self.locked(), 0)
        self.compare()


class Trouble(Core):
    def ends(self, value, status, **how):
        answer = self.api.post("/v1/payments", cbdc_sale(value, **how))
        self.assertIn(answer.status, (201, 202), answer)
        payment = settled(self.api, answer.json()["id"])
        self.assertIn(payment["status"], status if isinstance(status, tuple) else (status,), payment)
        return payment

    def test_an_answer_that_is_lost(self):
        for fault in ("drop_before_booking", "drop_after_booking", "cut", "reset", "half_close", "duplicate", "garble"):
            with self.subTest(fault=fault):
                self.ledger.fault(fault, path="/v1/transfers", next=1)
                self.ends(777, NOTHING_MOVED if fault == "drop_before_booking" else "succeeded")
        self.compare()

    def test_a_token_that_is_not_good_any_more(self):
        self.pay(100)
        for value in (101, 102):
            self.ledger.call("POST", "/tokens/drop", {})
            self.pay(value)
        payment = self.pay(1000, "authorized", capture="manual")
        self.ledger.call("POST", "/tokens/drop", {})
        self.assertEqual(self.post(payment, "capture", money(400)).json()["captured"], 400)
        self.ledger.call("POST", "/tokens/drop", {})
        self.assertEqual(self.post(payment, "cancel").json()["status"], "succeeded")
        self.ledger.call("POST", "/tokens/drop", {})
        answers = together([lambda v=v: self.api.post("/v1/payments", cbdc_sale(200 + v)) for v in range(10)])
        self.assertEqual({a.json()["status"] for a in answers}, {"succeeded"}, answers)
        self.compare()

    def test_no_token_at_all(self):
        self.pay(100)
        self.ledger.call("POST", "/tokens/drop", {})
        self.ledger.fault("status", path="/oauth/token", status=503)
        answer = self.api.post("/v1/payments", cbdc_sale(100))
        self.assertNotEqual(answer.json()["status"], "succeeded")
        self.ledger.calm()
        settle(self.api)
        self.assertIn(self.api.payment(answer.json()["id"])["status"], NOTHING_MOVED)
        until("it is paid again", lambda: self.api.post("/v1/payments", cbdc_sale(100)).json()["status"] == "succeeded")
        settle(self.api)
        self.compare()

    def test_500_though_booked(self):
        payment = self.ends(9021, "succeeded")
        rows = self.attempts(payment)
        self.assertEqual([a.operation for a in rows], ["sale", "inquire"], "asked, and not sent again")
        self.compare()

    def test_an_answer_that_is_cut(self):
        self.ends(9025, "succeeded")
        self.ends(9025, "authorized", capture="manual")
        self.compare()

    def test_an_answer_about_something_else_is_never_believed(self):
        """Another amount or currency contradicts; another id says nothing about ours, so it is asked."""
        for value in (9022, 9023):
            with self.subTest(value=value):
                answer = self.api.post("/v1/payments", cbdc_sale(value))
                payment = answer.json()
                until("a person is called", lambda p=payment: self.attempts(p)[0].state == "conflict")
                payment = self.api.payment(payment["id"])
                self.assertEqual((payment["status"], payment["captured"]), ("processing", 0), payment)
                self.assertTrue(payment["outcome"]["conflict"])
        self.ends(9024, "succeeded")
        self.assertEqual(len(self.compare(allow_open=True)["open"]), 2)

    def test_5xx_and_nothing_is_booked(self):
        for value in (9020, 9026):
            with self.subTest(value=value):
                self.ends(value, NOTHING_MOVED)
        self.assertEqual(self.settled_entries(), [])
        self.compare()

    def test_slower_than_the_deadline(self):
        self.ledger.knobs(settings={"slow_ms": 1400})
        answer = self.api.post("/v1/payments", cbdc_sale(9027))
        payment = settled(self.api, answer.json()["id"])
        self.assertEqual(payment["status"], "succeeded", answer)
        self.assertEqual([a.operation for a in self.attempts(payment)], ["sale", "inquire"], "found by asking")
        settle(self.api)
        self.compare()

    def test_the_request_itself_is_late(self):
        """Handled after the gateway gave up waiting: the inquiry finds nothing at first, and is not the end of it."""
        self.ledger.fault("late_booking", method="POST", path="/v1/transfers", next=1, ms=1400)
        self.ends(777, "succeeded")
        settle(self.api)
        self.compare()

    def test_the_ledger_is_down_for_a_while(self):
        self.pay(100)
        self.ledger.down()
        answer = self.api.post("/v1/payments", cbdc_sale(200))
        self.assertNotEqual(answer.json()["status"], "succeeded")
        self.ledger.up()
        settle(self.api)
        until("payments go through again", lambda: self.api.post("/v1/payments", cbdc_sale(300)).json()["status"] == "succeeded")
        settle(self.api)
        self.compare()

    def test_killed_ledger(self):
        self.pay(100)
        self.ledger.kill()
        payment = self.api.post("/v1/payments", cbdc_sale(200)).json()
        self.assertEqual((payment["status"], payment["outcome"]["result"]), ("failed", "not_sent"), payment)


if __name__ == "__main__":
    main()
