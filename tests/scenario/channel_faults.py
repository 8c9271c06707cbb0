"""What can go wrong between the gateway and the card host, and that money is right afterwards: time-outs,
lost, late, repeated, broken and contradicting answers, a host that is down.

deadline is 1 s here and late_window 2 s: what the card host has never seen is final after about 3 s.
"""

import os
import signal
import threading
import time

from rgledger import attempts_of, compare, net, settle
from rgtest import Story, authorisation, main, ops, sale, together, until


class Fault(Story):
    def setUp(self):
        super().setUp()
        self.sim, self.gateway, self.api = self.pair()

    def sale_under(self, fault, status, value=100, **rule):
        """A sale that meets an accident; returns the payment once it is final."""
        self.sim.fault(fault, mti="0200", next=1, **rule)
        answer = self.api.post("/v1/payments", sale(value))
        self.assertIn(answer.status, (201, 202), answer)
        if answer.status == 202:
            self.assertEqual(answer.json()["status"], "processing")
            self.assertEqual(answer.json()["outcome"]["result"], "unknown")
        payment = self.api.final(answer.json()["id"])
        self.assertEqual(payment["status"], status, payment)
        return payment

    def goes_on(self):
        """The next payment is as good as any."""
        answer = self.api.post("/v1/payments", sale(77))
        self.assertEqual((answer.status, answer.json()["status"]), (201, "succeeded"), answer)

    def kinds(self, payment):
        return [event["kind"] for event in self.api.events(payment["id"])]


class NoAnswer(Fault):
    def test_booked_and_the_answer_lost(self):
        payment = self.sale_under("drop_after_booking", "reversed")
        self.assertEqual(self.sim.entries("sale")[0]["state"], "reversed")
        kinds = self.kinds(payment)
        self.assertLess(kinds.index("attempt.unknown"), kinds.index("attempt.reversed"))
        self.assertLess(kinds.index("attempt.reversed"), kinds.index("payment.reversed"))
        self.goes_on()
        compare(self.api, self.sim)

    def test_lost_before_it_was_booked(self):
        self.sale_under("drop_before_booking", "reversed")
        self.assertEqual(self.sim.entries("sale"), [])
        self.goes_on()
        compare(self.api, self.sim)

    def test_a_hold(self):
        self.sim.fault("drop_after_booking", mti="0100", next=1)
        answer = self.api.post("/v1/payments", authorisation(100))
        self.assertEqual(self.api.final(answer.json()["id"])["status"], "reversed")
        self.assertEqual(self.sim.totals()["held_minor"], 0)
        compare(self.api, self.sim)

    def test_the_reversal_is_repeated_until_it_is_answered(self):
        # 91.22: booked, the first reversal is lost; 91.23: the first reversal is booked, its answer lost.
        for value in (9122, 9123):
            answer = self.api.post("/v1/payments", sale(value))
            self.assertEqual(self.api.final(answer.json()["id"])["status"], "reversed")
        reversals = self.sim.entries("reversal")
        self.assertEqual([entry["booked"] for entry in reversals], [1, 1])
        self.assertEqual(reversals[1]["arrivals"], 2)
        compare(self.api, self.sim)

    def test_a_capture_is_sent_again_and_booked_once(self):
        for fault in ("drop_before_booking", "drop_after_booking"):
            with self.subTest(fault=fault):
                payment = self.api.post("/v1/payments", authorisation(1000)).json()["id"]
                self.sim.fault(fault, mti="022", next=1)
                answer = self.api.post(f"/v1/payments/{payment}/capture")
                self.assertIn(answer.status, (200, 202), answer)
                settle(self.api)
                self.assertEqual(self.api.payment(payment)["captured"], 1000)
        self.assertEqual([entry["booked"] for entry in self.sim.entries("capture")], [1, 1])
        self.assertEqual(self.sim.entries("capture")[1]["arrivals"], 2)
        compare(self.api, self.sim)

    def test_a_refund_is_reversed_and_can_be_asked_for_again(self):
        payment = self.api.post("/v1/payments", sale(1000)).json()["id"]
        self.sim.fault("drop_after_booking", mti="0200", next=1)
        answer = self.api.post(f"/v1/payments/{payment}/refunds")
        settle(self.api)
        rows = self.api.get(f"/v1/payments/{payment}/refunds").json()["data"]
        self.assertEqual([row["status"] for row in rows], ["failed"], answer)
        self.assertEqual(self.api.payment(payment)["refundable"], 1000)
        self.assertEqual(self.api.post(f"/v1/payments/{payment}/refunds").json()["status"], "succeeded")
        compare(self.api, self.sim)

    def test_a_cancel_is_sent_again(self):
        payment = self.api.post("/v1/payments", authorisation(1000)).json()["id"]
        self.sim.fault("drop_after_booking", mti="0400", next=1)
        self.api.post(f"/v1/payments/{payment}/cancel")
        until("canceled", lambda: self.api.payment(payment)["status"] == "canceled", 15)
        self.assertEqual(self.sim.totals()["held_minor"], 0)
        compare(self.api, self.sim)

    def test_meanwhile_the_merchant_sees_unknown(self):
        self.sim.fault("drop_after_booking")  # everything, the reversal too
        answer = self.api.post("/v1/payments", sale(100))
        self.assertEqual((answer.status, answer.json()["status"]), (202, "processing"), answer)
        payment = self.api.payment(answer.json()["id"])
        self.assertEqual((payment["status"], payment["outcome"]["result"]), ("processing", "unknown"))
        self.problem(self.api.post(f"/v1/payments/{payment['id']}/refunds"), 409, "wrong_status")
        self.sim.calm()
        self.assertEqual(self.api.final(payment["id"])["status"], "reversed")
        compare(self.api, self.sim)


class Late(Fault):
    def test_an_approval_after_the_reversal_is_a_conflict_and_moves_nothing(self):
        payment = self.sale_under("late", "reversed", ms=2500)
        until("the late answer is recorded", lambda: {"attempt.conflict", "attempt.late_answer"} & set(self.kinds(payment)), 15)
        self.assertIn("attempt.conflict", self.kinds(payment))
        self.assertIn("payment.conflict", self.gateway.log_text())
        self.assertEqual(self.api.payment(payment["id"])["status"], "reversed")
        self.assertEqual(net(self.sim.entries("sale")[0]), 0)
        compare(self.api, self.sim, allow_open=True)
        self.goes_on()

    def test_just_in_time(self):
        self.sale_under("delay", "succeeded", ms=600)
        compare(self.api, self.sim)

    def test_in_time_for_a_gateway_that_was_stopped_meanwhile(self):
        """The machine slept, or gave the processor to others: what has come is read before time is judged."""
        sim, gateway, api = self.pair(channel={"deadline": "2s"})
        sim.fault("late", mti="0200", ms=500, next=1)
        answers = []
        payer = threading.Thread(target=lambda: answers.append(api.post("/v1/payments", sale(100))))
        payer.start()
        until("the card host has booked", lambda: sim.entries("sale"))
        os.kill(gateway.pid, signal.SIGSTOP)
        try:
            time.sleep(3)  # over the deadline; the answer came long before
        finally:
            os.kill(gateway.pid, signal.SIGCONT)
        payer.join()
        self.assertEqual((answers[0].status, answers[0].json()["status"]), (201, "succeeded"), answers[0])
        compare(api, sim)


class Broken(Fault):
    def test_a_link_that_is_reset_instead_of_an_answer(self):
        self.sale_under("reset", "reversed")
        self.goes_on()
        compare(self.api, self.sim)

    def test_a_link_that_is_reset_before_booking(self):
        self.sale_under("reset_before_booking", "reversed")
        self.goes_on()
        compare(self.api, self.sim)

    def test_half_an_answer(self):
        self.sale_under("truncate", "reversed")
        self.goes_on()
        compare(self.api, self.sim)

    def test_a_garbled_answer_is_never_a_decline(self):
        for number in range(6):  # another byte each time: the simulator draws it from its seed
            with self.subTest(number=number):
                payment = self.sale_under("garble", "reversed", bytes=3)
                self.assertNotIn("attempt.declined", self.kinds(payment))
        self.goes_on()
        compare(self.api, self.sim)

    def test_a_wrong_mac_is_not_believed(self):
        self.sale_under("wrong_mac", "reversed")
        self.sim.knobs(faults=[{"fault": "code", "mti": "0200", "code": "05", "next": 1},
                               {"fault": "wrong_mac", "mti": "0200", "next": 1}])  # fmt: skip
        answer = self.api.post("/v1/payments", sale(100))
        payment = self.api.final(answer.json()["id"])
        self.assertEqual(payment["status"], "reversed", "a decline with a wrong MAC is no decline")
        self.goes_on()
        compare(self.api, self.sim)

    def test_a_wrong_trace_number(self):
        self.sale_under("wrong_stan", "reversed")
        self.goes_on()
        compare(self.api, self.sim)

    def test_a_host_that_says_no_more_after_its_answer(self):
        self.sale_under("half_close", "succeeded")
        for _ in range(4):
            self.goes_on()
        compare(self.api, self.sim)

    def test_every_link_dropped_while_payments_run(self):
        self.sim.fault("delay", mti="0200", ms=200)

        def pay():
            return self.api.post("/v1/payments", sale(100))

        def drop():
            until("a sale is at the card host", lambda: self.sim.entries("sale"))
            return self.sim.drop_links("reset")

        together([drop] + [pay] * 12)
        self.sim.calm()
        settle(self.api)
        compare(self.api, self.sim)
        until("links are up again", lambda: ops(self.gateway, "/readyz").status == 200)
        self.goes_on()


class Repeated(Fault):
    def test_answers_that_come_twice_count_once(self):
        self.sim.fault("duplicate")
        payment = self.api.post("/v1/payments", authorisation(1000)).json()["id"]
        self.assertEqual(self.api.post(f"/v1/payments/{payment}/capture").status, 200)
        self.assertEqual(self.api.post(f"/v1/payments/{payment}/refunds").status, 201)
        self.assertEqual(self.api.payment(payment)["status"], "refunded")
        self.goes_on()
        self.assertNotIn("attempt.conflict", self.kinds({"id": payment}))
        compare(self.api, self.sim)

    def test_answers_that_come_in_another_order(self):
        self.sim.fault("reorder", mti="0200", ms=100)
        answers = together([lambda i=i: self.api.post("/v1/payments", sale(1000 + i)) for i in range(20)])
        for answer in answers:
            self.assertEqual((answer.status, answer.json()["status"]), (201, "succeeded"), answer)
            self.assertEqual(answer.json()["captured"], answer.json()["amount"]["value"])
        compare(self.api, self.sim)


class Contradiction(Fault):
    def test_another_amount_is_a_conflict_and_never_an_approval(self):
        self.sim.fault("wrong_amount", mti="0200", next=1)
        answer = self.api.post("/v1/payments", sale(100))
        self.assertIn(answer.status, (201, 202), answer)
        payment = self.api.payment(answer.json()["id"])
        self.assertEqual((payment["status"], payment["captured"]), ("processing", 0), payment)
        self.assertEqual(payment["outcome"]["result"], "unknown")
        self.assertTrue(payment["outcome"]["conflict"])
        until("the conflict is in the timeline", lambda: "attempt.conflict" in self.kinds(payment))
        self.assertIn("payment.conflict", self.gateway.log_text())
        states = [a.state for a in attempts_of(self.api.events(payment["id"]), payment["id"])]
        self.assertEqual(states, ["conflict"], "a person looks; nothing more is sent")
        metrics = ops(self.gateway, "/metrics").body.decode()
        self.assertRegex(metrics, r"(?m)^railgate_attempts_conflict_total 1$")
        self.goes_on()
        compare(self.api, self.sim, allow_open=True)

    def test_it_stays_so_over_a_restart(self):
        self.sim.fault("wrong_amount", mti="0200", next=1)
        first = self.api.post("/v1/payments", sale(100), "conflict")
        self.gateway.kill()
        self.gateway.start()
        again = self.api.post("/v1/payments", sale(100), "conflict")
        self.assertEqual((again.status, again.body), (first.status, first.body))
        self.assertEqual(len(self.sim.entries()), 1)
        compare(self.api, self.sim, allow_open=True)


class Down(Fault):
    def test_a_host_that_is_down_is_told_at_once_and_nothing_is_sent(self):
        self.sim.knobs(down_ms=-1)
        until("the gateway has noticed", lambda: ops(self.gateway, "/readyz").status == 503)
        answer = self.api.post("/v1/payments", sale(100))
        payment = answer.json()
        self.assertEqual((answer.status, payment["status"]), (201, "failed"), answer)
        self.assertEqual((payment["outcome"]["result"], payment["outcome"]["category"]), ("not_sent", "unavailable"))
        self.assertTrue(payment["outcome"]["message"])
        self.sim.calm()
        self.gateway.ready_for_payments()
        self.goes_on()
        self.assertEqual(len(self.sim.entries()), 1)
        compare(self.api, self.sim)

    def test_a_host_that_goes_down_with_a_payment_in_flight(self):
        self.sim.fault("delay", mti="0200", ms=800, next=1)
        answers = together([
            lambda: self.api.post("/v1/payments", sale(100)),
            lambda: until("booked", lambda: self.sim.entries("sale")) and self.sim.knobs(down_ms=600),
        ])  # fmt: skip
        payment = self.api.final(answers[0].json()["id"])
        self.assertEqual(payment["status"], "reversed")
        compare(self.api, self.sim)

    def test_the_next_channel_takes_over(self):
        second = self.stage.simulator()
        gateway = self.stage.gateway(
            self.sim, second, channels=[{"settings": {"terminal_id": f"TERM000{n}"}} for n in (1, 2)])  # fmt: skip
        api = gateway.client()
        first = api.post("/v1/payments", sale(100)).json()
        used, other = (self.sim, second) if self.sim.entries() else (second, self.sim)
        used.knobs(down_ms=-1)
        until("noticed", lambda: b"0 of 2 links ready" in ops(gateway, "/readyz").body)
        answer = api.post("/v1/payments", sale(200))
        self.assertEqual((answer.status, answer.json()["status"]), (201, "succeeded"), answer)
        self.assertNotEqual(answer.json()["route"]["channel"], first["route"]["channel"])
        self.assertTrue(answer.json()["route"]["why"])
        self.assertEqual([e["amount_minor"] for e in other.entries()], [200])
        used.calm()
        compare(api, [self.sim, second])


if __name__ == "__main__":
    main()
