"""Payments that wait for an operator: parked, listed, let through or turned down, with who and why on record."""

import json

import rgrails

from rgledger import compare, compare_cbdc, settle
from rgprofile import confirm_rightly, created, files_with, noon, rules, sca
from rgrails import cbdc_channel, cbdc_sale, metric, store_is_sound
from rgtest import VISA, Story, authorisation, main, sale, together

LOOK = {"rules": [{"id": "look", "when": ["purpose=LOOK"], "then": "review", "reason": "somebody looks at these"}]}
DAY = {"limits": [{"id": "day", "per": "payer", "window": "day", "max": ["100.00 EUR"]}]}
ASKED = {"authentication": {"required": True}}
BY = ("--by", "Ops One", "--why", "the invoice was seen")


def looked_at(body, payer="p1"):
    return {**body, "purpose": "LOOK", "payer": {"id": payer}}


class Reviewed(Story):
    profile = {**LOOK, **DAY}

    def setUp(self):
        super().setUp()
        self.ledger = rgrails.start_ledger(self.stage)
        self.sim = self.stage.simulator()
        self.gateway = rgrails.rails(self.stage, [cbdc_channel(self.ledger)], self.sim, settings=sca(), region=noon(**self.profile))
        self.api = self.gateway.client()

    def compare(self):
        compare(self.api, self.sim, channels=["card_demo"])
        compare_cbdc(self.api, self.ledger, channels=["cbdc"])
        store_is_sound(self.gateway)

    def parked(self, body):
        answer = self.api.post("/v1/payments", body)
        payment = answer.json()
        self.assertEqual((answer.status, payment["status"]), (202, "processing"), answer)
        self.assertEqual((payment["outcome"]["result"], payment["outcome"]["code"]), ("pending", "under_review"), payment)
        self.assertIsNone(payment["next_action"])
        return payment

    def waiting(self):
        """Ids, oldest first."""
        return [row["payment"]["id"] for row in json.loads(self.gateway.cli("review", "list", "--json")[1])["data"]]

    def decide(self, word, payment, *options, code=0):
        return self.gateway.cli("review", word, payment["id"], *(options or BY), code=code)

    def event(self, payment, kind):
        found = [event["data"] for event in self.api.events(payment["id"]) if event["kind"] == kind]
        self.assertEqual(len(found), 1, (kind, found))
        return found[0]

    def nothing_was_sent(self):
        self.assertEqual((self.sim.entries(), self.ledger.entries()), ([], []))


class Words(Reviewed):
    def test_parked_and_approved(self):
        payment = self.parked(looked_at(cbdc_sale(700)))
        self.assertEqual(rules(payment, "review"), ["rule.look"])
        self.assertEqual(payment["decision"]["result"], "review")
        self.event(payment, "payment.review_required")
        self.nothing_was_sent()
        self.assertEqual(self.waiting(), [payment["id"]])
        listed = self.gateway.cli("review", "list")[1]
        self.assertIn(payment["id"], listed)
        self.assertIn("somebody looks at these", listed)
        self.assertEqual(self.api.payment(payment["id"]), payment)
        said = self.decide("approve", payment, "--by", "Ops One", "--why", f"card {VISA} 1228 was seen")[1]
        self.assertEqual(said, f"{payment['id']}: Recorded: the payment goes ahead.\n")
        done = self.api.final(payment["id"])
        self.assertEqual((done["status"], done["captured"]), ("succeeded", 700), done)
        self.assertEqual(self.event(payment, "payment.review_approved"), {}, "who and why are for operators")
        self.assertEqual(self.waiting(), [])
        self.assertEqual([e["amount_minor"] for e in self.ledger.entries("transfer")], [700])
        shown = json.loads(self.gateway.cli("payments", "show", payment["id"], "--json")[1])
        told = [e["data"] for e in shown["events"] if e["kind"] == "compliance.review_approved"]
        masked = VISA[:6] + "******" + VISA[-4:]
        self.assertEqual(told, [{"by": "Ops One", "why": f"card {masked} 1228 was seen"}])
        self.compare()

    def test_parked_and_rejected(self):
        payment = self.parked(looked_at(cbdc_sale(10000)))
        over = created(self.api.post("/v1/payments", looked_at(cbdc_sale(1))))
        self.assertEqual((over["status"], rules(over, "deny")), ("failed", ["limit.day"]), "what waits counts")
        self.decide("reject", payment)
        failed = self.api.final(payment["id"])
        self.assertEqual((failed["status"], failed["outcome"]["code"]), ("failed", "rejected_by_review"), failed)
        self.assertEqual(self.event(payment, "payment.review_rejected"), {})
        self.nothing_was_sent()
        self.decide("reject", self.parked(looked_at(cbdc_sale(10000))))  # its sum is free again
        self.compare()

    def test_each_word_is_said_once(self):
        for first in ("approve", "reject"):
            payment = self.parked(looked_at(cbdc_sale(500)))
            self.decide(first, payment)
            done = self.api.final(payment["id"])
            for word in ("approve", "reject"):
                _, out, err = self.decide(word, payment, code=1)
                self.assertIn("wait", out + err)
            self.assertEqual(self.api.payment(payment["id"]), done)
        self.assertEqual(len(self.ledger.entries("transfer")), 1)
        self.compare()

    def test_both_at_once(self):
        for _ in range(4):
            payment = self.parked(looked_at(cbdc_sale(500)))
            codes = together([lambda w=w: self.decide(w, payment, code=None)[0] for w in ("approve", "reject", "approve", "reject")])
            self.assertEqual(sorted(codes), [0, 1, 1, 1])
            self.assertIn(self.api.final(payment["id"])["status"], ("succeeded", "failed"))
        self.compare()

    def test_who_and_why_must_be_said(self):
        payment = self.parked(looked_at(cbdc_sale(500)))
        self.decide("approve", payment, "--by", "Ops One", code=2)
        self.decide("approve", payment, "--why", "because", code=2)
        for by, why in (("", "because"), ("Ops One", ""), ("x" * 81, "because"), ("Ops One", "x" * 501), ("a\nb", "because")):
            self.decide("approve", payment, "--by", by, "--why", why, code=1)
        self.assertEqual(self.waiting(), [payment["id"]])
        self.nothing_was_sent()
        why = 'a "quoted" reason, <ünïcode> and \\ all'
        self.decide("approve", payment, "--by", "Ops Two", "--why", why)
        self.api.final(payment["id"])
        shown = json.loads(self.gateway.cli("payments", "show", payment["id"], "--json")[1])
        told = [e["data"] for e in shown["events"] if e["kind"] == "compliance.review_approved"]
        self.assertEqual(told, [{"by": "Ops Two", "why": why}])
        self.compare()

    def test_what_does_not_wait(self):
        done = created(self.api.post("/v1/payments", cbdc_sale(500) | {"payer": {"id": "p9"}}))
        self.assertEqual(done["status"], "succeeded", done)
        for word in ("approve", "reject"):
            self.decide(word, done, code=1)
            self.decide(word, {"id": "pay_1m81se8t60000"}, code=1)
            self.decide(word, {"id": "nonsense"}, code=2)
        self.compare()

    def test_nobody_else_may_say_it(self):
        """A merchant cannot confirm it; he can give up."""
        payment = self.parked(looked_at(cbdc_sale(10000)))
        self.problem(confirm_rightly(self.api, payment, "p1"), 409, "no_action_required")
        self.assertEqual(self.waiting(), [payment["id"]])
        answer = self.api.post(f"/v1/payments/{payment['id']}/cancel")
        self.assertEqual((answer.status, answer.json()["status"]), (200, "canceled"), answer)
        self.assertEqual(self.waiting(), [])
        self.decide("approve", payment, code=1)
        self.nothing_was_sent()
        self.decide("reject", self.parked(looked_at(cbdc_sale(10000))))
        self.compare()

    def test_many_in_order(self):
        made = [self.parked(looked_at(cbdc_sale(10 + n)))["id"] for n in range(12)]
        self.assertEqual(self.waiting(), made)
        rest = json.loads(self.gateway.cli("review", "list", "--json", "--after", made[4])[1])["data"]
        self.assertEqual([row["payment"]["id"] for row in rest], made[5:])
        self.assertEqual(metric(self.gateway, "railgate_payments_reviewed_total"), 12)
        for number, payment in enumerate(made):
            self.decide("approve" if number % 2 else "reject", {"id": payment})
        settle(self.api)
        self.assertEqual(sorted(e["amount_minor"] for e in self.ledger.entries("transfer")), list(range(11, 22, 2)))
        self.compare()

    def test_more_than_one_answer_holds(self):
        """What merchants say about their payments is theirs, and may be much."""
        much = {f"note{n}": "n" * 500 for n in range(50)}
        made = [self.parked({**looked_at(cbdc_sale(10)), "metadata": much})["id"] for _ in range(90)]
        listed, after = [], ()
        while True:
            page = json.loads(self.gateway.cli("review", "list", "--json", *after)[1])
            listed += [row["payment"]["id"] for row in page["data"]]
            if not page["has_more"]:
                break
            self.assertEqual(page["next"], listed[-1])
            after = ("--after", page["next"])
        self.assertEqual(listed, made)
        self.assertIn("more: --after pay_", self.gateway.cli("review", "list")[1])

    def test_cards(self):
        payment = self.parked(looked_at(sale(700)))
        held = self.parked(looked_at(authorisation(800)))
        self.assertEqual(files_with(self.gateway.place, VISA), [])
        self.assertNotIn(VISA, json.dumps(json.loads(self.gateway.cli("review", "list", "--json")[1])))
        self.decide("approve", payment)
        self.decide("approve", held)
        self.assertEqual(self.api.final(payment["id"])["status"], "succeeded")
        self.assertEqual(self.api.final(held["id"])["status"], "authorized")
        self.compare()

    def test_no_channel_at_that_moment(self):
        """Approved while the other side is away: it must not be lost and not be sent twice."""
        payment = self.parked(looked_at(cbdc_sale(700)))
        self.ledger.down()
        self.decide("approve", payment, code=None)
        self.ledger.up()
        if self.waiting():
            self.decide("approve", payment)
        settle(self.api, 30)
        self.assertIn(self.api.payment(payment["id"])["status"], ("succeeded", "failed", "reversed"))
        self.compare()


class ThenThePayer(Reviewed):
    profile = {**LOOK, **ASKED}

    def test_an_operators_yes_is_not_the_payers(self):
        payment = self.parked(looked_at(cbdc_sale(700)))
        self.assertIn("now waits for the payer", self.decide("approve", payment)[1])
        waits = self.api.payment(payment["id"])
        self.assertEqual((waits["status"], waits["next_action"]["type"]), ("requires_action", "authenticate"), waits)
        self.assertEqual(waits["next_action"]["methods"], ["code"])
        self.assertEqual(self.waiting(), [])
        self.nothing_was_sent()
        for word in ("approve", "reject"):
            self.decide(word, payment, code=1)  # it waits for somebody else now
        answer = confirm_rightly(self.api, payment, "p1")
        self.assertEqual((answer.status, answer.json()["status"]), (200, "succeeded"), answer)
        kinds = [event["kind"] for event in self.api.events(payment["id"])]
        steps = ["payment.review_required", "payment.review_approved", "payment.requires_action", "payment.confirmed"]
        self.assertEqual([kind for kind in kinds if kind in steps], steps)
        self.compare()

    def test_a_card_waits_for_both(self):
        payment = self.parked(looked_at(sale(700)))
        self.decide("approve", payment)
        answer = confirm_rightly(self.api, payment, "p1")
        self.assertEqual((answer.status, answer.json()["status"]), (200, "succeeded"), answer)
        self.compare()

    def test_one_who_only_waits_for_the_payer(self):
        payment = created(self.api.post("/v1/payments", {**cbdc_sale(600), "payer": {"id": "p1"}}))
        self.assertEqual(payment["status"], "requires_action", payment)
        for word in ("approve", "reject"):
            self.decide(word, payment, code=1)
        self.assertEqual(self.api.payment(payment["id"]), payment)
        self.assertEqual(self.waiting(), [])
        self.compare()


class Killed(Reviewed):
    def test_between_parking_and_the_word(self):
        yes, no = self.parked(looked_at(cbdc_sale(700))), self.parked(looked_at(cbdc_sale(800)))
        card, other = self.parked(looked_at(sale(900))), self.parked(looked_at(sale(901)))
        self.gateway.kill()
        self.gateway.start()
        self.assertEqual(self.waiting(), [yes["id"], no["id"], card["id"], other["id"]])
        for payment in (yes, no, card, other):
            self.assertEqual(self.api.payment(payment["id"]), payment)
        self.nothing_was_sent()
        self.decide("approve", yes)
        self.decide("reject", no)
        self.assertIn("the payment has failed", self.decide("approve", card, code=1)[1])
        said = json.loads(self.decide("approve", other, *BY, "--json", code=1)[1])
        self.assertEqual((said["payment"], said["result"]), (other["id"], "failed"), "a script sees that it does not go on")
        self.assertEqual(self.api.final(yes["id"])["status"], "succeeded")
        self.assertEqual(self.api.final(no["id"])["status"], "failed")
        gone = self.api.final(card["id"])
        self.assertEqual((gone["status"], gone["outcome"]["code"]), ("failed", "card_data_gone"), gone)
        self.assertEqual(self.sim.entries(), [])
        self.compare()

    def test_after_the_word(self):
        payment = self.parked(looked_at(cbdc_sale(700)))
        self.decide("reject", payment)
        self.gateway.kill()
        self.gateway.start()
        self.assertEqual(self.api.payment(payment["id"])["status"], "failed")
        self.assertEqual(self.waiting(), [])
        self.compare()

    def test_at_every_step_of_an_approval(self):
        for step in ("before_record", "after_record", "after_send", "after_exchange", "before_settle", "after_settle"):
            with self.subTest(step):
                payment = self.parked(looked_at(cbdc_sale(700)))
                self.gateway.stop()
                self.gateway.start(env={"RAILGATE_CRASH_AT": step})
                self.decide("approve", payment, code=None)
                self.assertEqual(self.gateway.wait_end(), -9)
                self.gateway.start()
                if step == "before_record":
                    self.assertEqual(self.waiting(), [payment["id"]])
                    self.decide("approve", payment)
                self.assertEqual(self.waiting(), [])
                settle(self.api, 30)
                lost = step in ("after_record", "after_send")
                done = self.api.payment(payment["id"])
                self.assertIn(done["status"], ("succeeded", "failed", "reversed") if lost else ("succeeded",), done)
                self.compare()


if __name__ == "__main__":
    main()
