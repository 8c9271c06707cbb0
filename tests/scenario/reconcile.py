"""railgate reconcile: on each rail a mixed run (sales, captures, refunds, reversals, a kill -9 with recovery) matches
the counterpart's own record; then the record is made wrong in each way that records are, and each difference is
found, by name and amount; it is in the journal, is resolved by a person once, and no merchant sees any of it."""

import datetime
import hashlib
import http.client
import json
import os
import re

import rgbank
import rgrails
import rgwallet
from rgbank import bank_receive, bank_send
from rgledger import attempts_of, settle
from rgrails import cbdc_sale, journal, qr_sale, qr_scan, refund, settled, store_is_sound
from rgtest import DECLINES, SLOW, Story, authorisation, main, ops, sale, together, until

LOST = (OSError, http.client.HTTPException)


def money(value):
    return {"amount": {"value": value, "currency": "EUR"}}


class Reconcile(Story):
    """A gateway, a counterpart, and what is asked of both."""

    channel = None

    def record(self, name="day", **query):
        """The counterpart's own record, as bytes in a file; its path."""
        path = os.path.join(self.stage.folder, name)
        query = "&".join(f"{key}={value}" for key, value in query.items())
        host = re.sub(r"^https?://", "", self.sim.control_url).rstrip("/")
        connection = http.client.HTTPConnection(host, timeout=20 * SLOW)
        try:
            connection.request("GET", "/settlement" + ("?" + query if query else ""))
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        self.assertEqual(answer.status, 200, text)
        with open(path, "wb") as file:
            file.write(text)
        return path

    def command(self, path, *options):
        """Clocks are the same here, so nothing is near an edge; the period is that of no calendar day."""
        now = datetime.datetime.now(datetime.timezone.utc)
        days = [(now + datetime.timedelta(days=n)).strftime("%Y-%m-%d") for n in (-1, 1)]
        period = ("--tolerance", "0s", "--from", days[0], "--to", days[1])
        return ("reconcile", "--channel", self.channel, "--file", path, *period, *options)

    def run_on(self, path, *options, code=0):
        """What the command finds."""
        return json.loads(self.gateway.cli(*self.command(path, "--json", *options), code=code)[1])

    def matches(self, **query):
        """Everything matches; how many."""
        found = self.run_on(self.record("good", **query))
        self.assertEqual(found["found"], [])
        self.assertEqual(found["summary"]["differences"], 0, found)
        self.assertGreater(found["summary"]["matched"], 0, found)
        sums = found["summary"]["currencies"][0]["matched"]
        self.assertEqual(sums["here_minor"], sums["there_minor"], found)
        return found["summary"]

    def wrong(self, *faults, options=(), name="wrong"):
        """The differences that a record with these faults leads to."""
        self.sim.knobs(settlement={"seed": 7, "faults": list(faults)})
        path = self.record(name)
        self.sim.knobs(settlement={"seed": 7, "faults": []})
        return self.run_on(path, *options, code=1)["found"]

    def refused(self, *faults, says):
        self.sim.knobs(settlement={"seed": 7, "faults": list(faults)})
        path = self.record("cut")
        self.sim.knobs(settlement={"seed": 7, "faults": []})
        before = len(self.reconciliations())
        code, out, err = self.gateway.cli(*self.command(path), code=2)
        self.assertEqual((code, out), (2, ""))
        self.assertIn(says, err)
        self.assertIn(path, err)
        self.assertEqual(len(self.reconciliations()), before)

    def reconciliations(self):
        return json.loads(self.gateway.cli("reconcile", "list", "--json")[1])

    def differences(self, *options, code=None):
        return json.loads(self.gateway.cli("reconcile", "differences", "--json", *options, code=code)[1])

    def attempt(self, payment, operation):
        rows = attempts_of(self.api.events(payment), payment)
        return next(a for a in rows if a.operation == operation)

    def crash_and_recover(self, body, step="after_exchange"):
        self.gateway.stop()
        self.gateway.start(env={"RAILGATE_CRASH_AT": step})
        try:
            self.api.post("/v1/payments", body, "the-key")
            self.fail("it did not crash")
        except LOST:
            pass
        self.assertEqual(self.gateway.wait_end(), -9)
        self.gateway.start()

        def asked():
            answer = self.api.post("/v1/payments", body, "the-key")
            return answer if answer.status not in (409, 503) else None

        return until("the repeat is answered", asked, 15).json()

    def each_fault(self, victim, amount):
        """Every fault on the line of `victim`, an attempt of `amount` minor units."""
        one = self.wrong({"fault": "omit", "id": self.line_of(victim)})
        self.assertEqual([(d["kind"], d["here_minor"], d["there_minor"]) for d in one], [("missing_there", amount, 0)])
        self.assertEqual(one[0]["attempt"], victim.id)
        self.assertEqual(one[0]["payment"], victim.payment)
        self.assertNotIn("line", one[0])
        one = self.wrong({"fault": "amount", "id": self.line_of(victim), "by_minor": -100})
        self.assertEqual(
            [(d["kind"], d["attempt"], d["here_minor"], d["there_minor"]) for d in one],
            [("different_amount", victim.id, amount, amount - 100)],
        )
        self.assertGreater(one[0]["line"], 0)
        one = self.wrong({"fault": "repeat", "id": self.line_of(victim)})
        self.assertEqual(
            [(d["kind"], d["attempt"], d["here_minor"], d["there_minor"]) for d in one],
            [("booked_twice", victim.id, amount, 2 * amount)],
        )
        one = self.wrong({"fault": "invent", "line": 0, "amount_minor": 4711})
        self.assertEqual([(d["kind"], d["here_minor"], d["there_minor"]) for d in one], [("missing_here", 0, 4711)])
        self.assertNotIn("attempt", one[0])
        self.refused({"fault": "truncate", "line": 1}, says="cut")
        self.refused({"fault": "trailer"}, says="whole")
        # All at once: in the order of the record, those without a line last.
        found = self.wrong(
            {"fault": "invent", "line": 0, "amount_minor": 4711}, {"fault": "omit", "id": self.line_of(victim)}
        )
        self.assertEqual([d["kind"] for d in found], ["missing_here", "missing_there"])
        self.assertEqual(len(self.differences("--open", code=1)), 6)
        self.assertEqual(len(journal(self.gateway, "reconciliation.difference")), 6)
        store_is_sound(self.gateway)
        self.no_merchant_sees_it()

    def accidents(self, bodies):
        """Whatever went wrong on the way: nothing differs but what a person has to settle, and that is told with what
        the record says of it."""
        together([lambda body=body: self.api.post("/v1/payments", body) for body in bodies], at_once=4)
        settle(self.api, 40)
        path = self.record()
        found = json.loads(self.gateway.cli(*self.command(path, "--json"), code=None)[1])["found"]
        states = {a.id: a.state for p in self.api.payments() for a in attempts_of(self.api.events(p["id"]), p["id"])}
        for row in found:
            self.assertEqual(row["kind"], "unknown_here", row)
            self.assertIn(states[row["attempt"]], ("conflict", "parked"), row)
        return found

    def no_merchant_sees_it(self):
        for client in (self.api, self.gateway.client()):
            page = client.get("/v1/events?limit=100").json()
            kinds = {event["kind"] for event in page["data"]}
            self.assertFalse([kind for kind in kinds if kind.startswith("reconciliation")])
        for payment in self.api.payments():
            kinds = [event["kind"] for event in self.api.events(payment["id"])]
            self.assertFalse([kind for kind in kinds if kind.startswith("reconciliation")])


def forge(path, old, new, only):
    """Writes `new` for `old` in lines of a CSV record that begin with `only`, and the digest that fits."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines(keepends=True)
    body = "".join(line.replace(old, new) if line.startswith(only) else line for line in lines[:-1])
    trailer = lines[-1].rpartition(",")[0]
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{body}{trailer},{hashlib.sha256(body.encode()).hexdigest()}\n")


def forge_ledger(path, attempt, change):
    """The same for a ledger: `change` is made to the entry of an attempt."""
    with open(path, encoding="utf-8") as file:
        *entries, summary = [json.loads(line) for line in file]
    for entry in entries:
        if entry["id"] == attempt.id:
            change(entry)
    body = "".join(json.dumps(entry, separators=(",", ":")) + "\n" for entry in entries)
    summary["sha256"] = hashlib.sha256(body.encode()).hexdigest()
    with open(path, "w", encoding="utf-8") as file:
        file.write(body + json.dumps(summary) + "\n")


class Card(Reconcile):
    channel = "card_demo"

    def setUp(self):
        super().setUp()
        self.sim = self.stage.simulator()
        self.gateway = self.stage.gateway(self.sim, channel={"name": self.channel, "deadline": "1s"})
        self.api = self.gateway.client()

    def gauge_says(self, count):
        """A scrape shows what was true when the one before asked."""

        def asked():
            lines = ops(self.gateway, "/metrics").body.decode().splitlines()
            return f"railgate_reconciliation_differences_open {count}" in lines

        until(f"{count} differences are open", asked)

    def line_of(self, attempt):
        return f"{attempt.stan}/{attempt.time}/{attempt.terminal}"

    def mixed(self):
        """Payments of all kinds; the first is a plain sale of 1250."""
        first = self.api.post("/v1/payments", sale(1250)).json()
        held = self.api.post("/v1/payments", authorisation(3000)).json()["id"]
        self.api.post(f"/v1/payments/{held}/capture", money(1000))
        gone = self.api.post("/v1/payments", authorisation(3000)).json()["id"]
        self.api.post(f"/v1/payments/{gone}/cancel", {})
        self.api.post(f"/v1/payments/{first['id']}/refunds", money(250))
        self.api.post("/v1/payments", sale(700, DECLINES))
        self.sim.fault("drop_after_booking", mti="0200", next=1)  # booked there, no answer: reversed
        self.api.post("/v1/payments", sale(800))
        self.sim.calm()
        self.crash_and_recover(sale(900))
        settle(self.api)
        return self.attempt(first["id"], "sale")

    def test_a_mixed_day_and_each_difference(self):
        victim = self.mixed()
        summary = self.matches()
        self.assertGreaterEqual(summary["lines"], 5)
        self.each_fault(victim, 1250)

    def test_what_is_journaled_and_resolved(self):
        victim = self.mixed()
        found = self.wrong({"fault": "omit", "id": self.line_of(victim)})
        row = self.reconciliations()[0]
        self.assertEqual((row["state"], row["channel"], row["differences"]), ("finished", "card_demo", 1))
        ended = journal(self.gateway, "reconciliation.finished")[-1]
        self.assertEqual((ended["reconciliation"], ended["sha256"]), (row["id"], row["sha256"]))
        self.assertEqual(ended["summary"]["matched"], row["summary"]["matched"])
        sums = ended["summary"]["currencies"][0]["missing_there"]
        self.assertEqual(sums, {"count": 1, "here_minor": 1250, "there_minor": 0})
        told = journal(self.gateway, "reconciliation.difference")[-1]
        self.assertEqual((told["difference"], told["attempt"]), (found[0]["id"], victim.id))
        # The operator's timeline of the payment tells of it.
        self.assertIn("reconciliation.difference", self.gateway.cli("payments", "show", victim.payment)[1])
        shown = json.loads(self.gateway.cli("reconcile", "show", row["id"], "--json")[1])
        self.assertEqual([d["id"] for d in shown["differences"]], [found[0]["id"]])
        self.assertIn("missing_there", self.gateway.cli("reconcile", "show", row["id"])[1])
        self.gauge_says(1)

        one = found[0]["id"]
        self.gateway.cli("reconcile", "resolve", one, "--by", "ops", code=2)  # no reason
        word = ("--by", "ops", "--why", "in tomorrow's file", "--evidence", "mail 7")
        self.gateway.cli("reconcile", "resolve", one, *word)
        again = self.gateway.cli("reconcile", "resolve", one, "--by", "another", "--why", "me too", code=1)
        self.assertIn("resolved already, by ops: in tomorrow's file", again[2])
        nobodys = one[:-1] + ("0" if one[-1] != "0" else "1")
        self.gateway.cli("reconcile", "resolve", nobodys, "--by", "a", "--why", "b", code=1)
        nobodys = row["id"][:-1] + ("0" if row["id"][-1] != "0" else "1")
        self.assertIn("no such reconciliation", self.gateway.cli("reconcile", "show", nobodys, code=1)[2])
        self.assertEqual(self.differences("--open", code=0), [])
        self.assertEqual([(d["status"], d["by"]) for d in self.differences(code=0)], [("resolved", "ops")])
        word = journal(self.gateway, "reconciliation.resolved")
        told = [(w["difference"], w["by"], w["why"], w["evidence"]) for w in word]
        self.assertEqual(told, [(one, "ops", "in tomorrow's file", "mail 7")])
        self.gauge_says(0)
        self.no_merchant_sees_it()
        # The journal has no gap, though two processes write it, and the gateway goes on.
        self.assertEqual(self.api.post("/v1/payments", sale(100)).status, 201)
        store_is_sound(self.gateway)

    def test_the_same_file_twice(self):
        self.mixed()
        path = self.record()
        first = self.run_on(path)
        second = self.run_on(path)
        self.assertEqual(second["known"], first["reconciliation"])
        self.assertNotIn("reconciliation", second)
        self.assertEqual(len(self.reconciliations()), 1)
        out = self.gateway.cli(*self.command(path))[1]
        self.assertIn(f"reconciled before: {first['reconciliation']}", out)
        # One whose differences nobody explained is no success, however often it comes.
        self.sim.knobs(settlement={"seed": 7, "faults": [{"fault": "invent"}]})
        bad = self.record("bad")
        self.sim.calm()
        found = self.run_on(bad, code=1)["found"]
        self.run_on(bad, code=1)
        self.assertIn("are still open", self.gateway.cli(*self.command(bad), code=1)[1])
        self.gateway.cli("reconcile", "resolve", found[0]["id"], "--by", "a", "--why", "b")
        self.run_on(bad)
        third = self.run_on(path, "--again")
        self.assertNotEqual(third["reconciliation"], first["reconciliation"])
        self.assertEqual(len(self.reconciliations()), 3)

    def test_what_does_not_belong_together(self):
        self.mixed()
        other = self.stage.simulator()
        gateway = self.stage.gateway(other, channel={"name": "elsewhere"})
        gateway.client().post("/v1/payments", sale(1250))
        own, self.sim = self.sim, other
        foreign = self.record("foreign")
        self.sim = own
        err = self.gateway.cli(*self.command(foreign), code=2)[2]
        self.assertIn("record of another channel", err)
        self.assertEqual(self.reconciliations(), [])
        self.assertGreater(len(self.run_on(foreign, "--force", "--dry-run", code=1)["found"]), 2)
        err = self.gateway.cli("reconcile", "--channel", "nobody", "--file", foreign, code=2)[2]
        self.assertIn("there is no channel `nobody`", err)
        err = self.gateway.cli("reconcile", "--channel", self.channel, "--file", foreign + "x", code=2)[2]
        self.assertIn("No such file", err)
        self.gateway.cli("reconcile", code=2)
        self.gateway.cli("reconcile", "--channel", self.channel, "--file", foreign, "--from", "noon", code=2)
        self.gateway.cli("reconcile", "--channel", self.channel, "--file", foreign, "--tolerance", "5", code=2)

    def test_what_another_record_may_have_is_carried_over(self):
        victim = self.mixed()
        self.sim.knobs(settlement={"seed": 7, "faults": [{"fault": "omit", "id": self.line_of(victim)}]})
        first = self.run_on(self.record("first"), "--tolerance", "1h")
        self.assertEqual((first["found"], first["summary"]["differences"]), ([], 0))
        self.assertEqual(first["summary"]["carried_over"], 1)
        self.assertEqual(self.run_on(self.record("first"), "--again", "--tolerance", "1h")["summary"]["taken_up"], 0)
        shown = self.gateway.cli("reconcile", "show", first["reconciliation"])[1]
        self.assertRegex(shown, r"carried over +1 (.|\n)*nothing differs so far; the next record decides")
        self.assertEqual(self.api.post("/v1/payments", sale(400)).status, 201)
        second = self.run_on(self.record("second"), code=1)
        told = [(d["kind"], d["attempt"], d["here"]) for d in second["found"]]
        self.assertEqual(told, [("missing_there", victim.id, "sale approved, carried over")])
        self.assertEqual((second["summary"]["taken_up"], second["summary"]["carried_over"]), (1, 0))
        store_is_sound(self.gateway)

    def test_a_dry_run_writes_nothing(self):
        self.mixed()
        before = len(journal(self.gateway, "reconciliation.finished"))
        found = self.run_on(self.record(), "--dry-run")
        self.assertTrue(found["dry_run"])
        self.assertNotIn("reconciliation", found)
        self.assertEqual(self.reconciliations(), [])
        self.assertEqual(len(journal(self.gateway, "reconciliation.finished")), before)

    def test_the_text_for_people(self):
        victim = self.mixed()
        self.sim.knobs(settlement={"seed": 7, "faults": [{"fault": "omit", "id": self.line_of(victim)}]})
        out = self.gateway.cli(*self.command(self.record()), code=1)[1]
        one = rf"""(dif_\w+)  missing_there
    here     12\.50 EUR - sale approved
    there    0\.00 EUR - nothing
    attempt  {victim.id} of {victim.payment}
    name     {self.line_of(victim)}
    next     what is approved here is not in the record: .*"""
        sums = r"missing_there +1 +12\.50 EUR +0\.00 EUR"
        for text in (sums, r"matched +\d+ ", r"record +card settlement, ", one):
            self.assertRegex(out, text)
        self.assertLess(out.index("matched"), out.index("dif_"))
        rec, dif = re.search(r"rec_\w+", out)[0], re.search(one, out)[1]
        # The same from the records; then with a person's word, long as it may be.
        shown = self.gateway.cli("reconcile", "show", rec)[1]
        for text in (rf"^{rec}, finished ", sums, r"record +card settlement, day\n", one):
            self.assertRegex(shown, text)
        found = self.gateway.cli("reconcile", "differences", "--open", code=1)[1]
        self.assertRegex(found, one + rf"\n.*\n    found    in {rec} of channel card_demo")
        why = "booked a day later: " + "the line was in the record of the 24th " * 5 + "x" * 200
        self.gateway.cli("reconcile", "resolve", dif, "--by", "Ann, operations", "--why", why, "--evidence", "mail")
        resolved = self.gateway.cli("reconcile", "show", rec)[1]
        self.assertRegex(resolved, r"    resolved by Ann, operations - booked a day later: ")
        self.assertNotIn("next ", resolved)
        listed = self.gateway.cli("reconcile", "list")[1]
        self.assertRegex(listed, rf"{rec} .* 1\n    card_demo, card settlement, day\n")
        for text in (shown, found, resolved, listed, self.gateway.cli("reconcile", "differences")[1]):
            self.assertNotIn("{", text)
            self.assertNotIn("\x1b", out + text)
            self.assertLessEqual(max(map(len, text.splitlines())), 80, text)

    def test_an_unknown_outcome_is_settled_by_the_record(self):
        self.sim.knobs(faults=[{"fault": "drop_after_booking"}])  # everything, reversals too
        payment = self.api.post("/v1/payments", sale(1250)).json()
        self.sim.knobs(faults=[], down_ms=600000)
        path = self.record()
        found = self.run_on(path, "--force", code=1)["found"]
        self.assertEqual([(d["kind"], d["payment"]) for d in found], [("unknown_here", payment["id"])])
        self.sim.calm()
        settle(self.api)
        self.assertEqual(self.run_on(self.record("later"), "--again")["summary"]["differences"], 0)

    def test_only_a_part_of_the_day(self):
        """Two records of one day: what stands in the other one is not missed in either."""
        early = self.mixed()
        noon = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        late = self.api.post("/v1/payments", sale(400)).json()["id"]
        first = self.run_on(self.record("first", to=noon[:-4] + "Z"), "--to", noon)
        second = self.run_on(self.record("second", **{"from": noon[:-4] + "Z"}), "--from", noon)
        self.assertEqual((first["summary"]["differences"], second["summary"]["differences"]), (0, 0))
        self.assertEqual(second["summary"]["matched"], 1)
        self.assertNotEqual(early.payment, late)


class CardAccidents(Reconcile):
    channel = "card_demo"

    def test_every_accident_of_the_card_host(self):
        self.sim = self.stage.simulator()
        self.gateway = self.stage.gateway(self.sim, channel={"name": self.channel, "deadline": "1s"})
        self.api = self.gateway.client()
        amounts = (9005, 9010, 9101, 9102, 9104, 9105, 9106, 9107, 9108, 9109, 9110, 9111, 9112, 9121, 9122, 9123)
        found = self.accidents([sale(value) for value in amounts] + [authorisation(9102), sale(100)])
        self.assertLess(len(found), 4, found)


class Wallet(Reconcile):
    channel = "wallet"

    def setUp(self):
        super().setUp()
        self.sim = rgwallet.start(self.stage)
        self.gateway = rgrails.rails(self.stage, [rgrails.qr_channel(self.sim)])
        self.api = self.gateway.client()

    def line_of(self, attempt):
        return attempt.id

    def paid(self, value, **how):
        payment = self.api.post("/v1/payments", qr_sale(value, **how)).json()
        self.sim.scan(code=payment["next_action"]["payload"])
        return settled(self.api, payment["id"])

    def test_a_mixed_day_and_each_difference(self):
        first = self.paid(1250)
        refund(self.api, first, 250)
        self.api.post("/v1/payments", qr_scan(500, rgwallet.make_code("REC1", "5.00")))
        self.api.post("/v1/payments", qr_scan(600, self.sim.present()))
        canceled = self.api.post("/v1/payments", qr_sale(700)).json()
        self.api.post(f"/v1/payments/{canceled['id']}/cancel", {})
        self.crash_and_recover(qr_scan(800, rgwallet.make_code("REC2", "8.00")))
        settle(self.api)
        waits = self.api.post("/v1/payments", qr_sale(900)).json()
        summary = self.matches()
        self.assertGreaterEqual(summary["matched"], 5)
        self.assertEqual(summary["waiting"], 1, waits)  # nobody has scanned it yet
        self.each_fault(self.attempt(first["id"], "sale"), 1250)

    def test_every_accident_of_the_provider(self):
        self.sim.settings(slow_ms=200)
        amounts = (9051, 9062, 9005, 9111, 9112)
        scans = [qr_scan(v, rgwallet.make_code(f"ACC{v}", f"{v // 100}.{v % 100:02}")) for v in amounts]
        found = self.accidents([qr_sale(v) for v in (9101, 9102, 9104)] + scans)
        self.assertEqual([d["here_minor"] for d in found], [9102], "one minor unit less was paid")
        self.assertEqual([d["there_minor"] for d in found], [9101])
        shown = self.gateway.cli("reconcile", "show", self.reconciliations()[0]["id"])[1]
        word = rf" +railgate attempt resolve {found[0]['attempt']} --as approved \\\n +--amount 9101 --by WHO "
        self.assertRegex(shown, word)

    def test_a_refund_of_another_payment(self):
        """The provider gave back under our number, and the right amount, but of what somebody else had paid."""
        first, other = self.paid(1250), self.paid(700)
        refund(self.api, first, 250)
        self.assertEqual(self.matches()["matched"], 3)
        path = self.record("another")
        forge(path, self.attempt(first["id"], "sale").id, self.attempt(other["id"], "sale").id, only="REFUND")
        found = self.run_on(path, code=1)["found"]
        told = [(d["kind"], d["attempt"], d["here_minor"], d["there_minor"]) for d in found]
        self.assertEqual(told, [("different_original", self.attempt(first["id"], "refund").id, 250, 250)])

    def test_money_that_went_the_other_way(self):
        """Under our number and with our amount the merchant has paid, and was not paid."""
        first = self.paid(1250)
        self.api.post("/v1/payments", qr_scan(500, rgwallet.make_code("WAY1", "5.00")))  # is paid by us
        self.assertEqual(self.matches()["matched"], 2)
        path = self.record("turned")
        forge(path, ",order,", ",payment,", only="PAYMENT,order")
        found = self.run_on(path, code=1)["found"]
        told = [(d["kind"], d["payment"], d["here_minor"], d["there_minor"]) for d in found]
        self.assertEqual(told, [("different_amount", first["id"], 1250, -1250)])

    def test_a_printed_code_that_is_paid_twice(self):
        """It is named by its reference; the second payment is a difference until a person has explained it."""
        payment = self.api.post("/v1/payments", qr_sale(700, code_type="static")).json()
        code = payment["next_action"]["payload"]
        self.sim.scan(code=code, amount="7.00")
        settled(self.api, payment["id"])
        refund(self.api, payment, 200)
        self.assertEqual(self.matches()["matched"], 2)
        self.sim.scan(code=code, amount="7.00", phone="phone-2")
        found = self.run_on(self.record("twice"), code=1)["found"]
        self.assertEqual(
            [(d["kind"], d["payment"], d["here_minor"], d["there_minor"]) for d in found],
            [("booked_twice", payment["id"], 700, 1400)],
        )


class Cbdc(Reconcile):
    channel = "cbdc"

    def setUp(self):
        super().setUp()
        self.sim = rgrails.start_ledger(self.stage)
        self.gateway = rgrails.rails(self.stage, [rgrails.cbdc_channel(self.sim)])
        self.api = self.gateway.client()

    def line_of(self, attempt):
        return attempt.id

    def test_a_mixed_day_and_each_difference(self):
        first = self.api.post("/v1/payments", cbdc_sale(1250)).json()
        refund(self.api, first, 250)
        held = self.api.post("/v1/payments", cbdc_sale(2000, capture="manual")).json()["id"]
        self.api.post(f"/v1/payments/{held}/capture", money(1500))
        gone = self.api.post("/v1/payments", cbdc_sale(2000, capture="manual")).json()["id"]
        self.api.post(f"/v1/payments/{gone}/cancel", {})
        self.expiry(300)
        self.crash_and_recover(cbdc_sale(900))
        settle(self.api)
        self.assertGreaterEqual(self.matches(client="railgate")["matched"], 7)
        self.each_fault(self.attempt(first["id"], "sale"), 1250)

    def expiry(self, value):
        """Locks so much, and lets it and what is locked beside it expire; when that was."""
        body = cbdc_sale(value, capture="manual", expires_in=10)
        self.assertEqual(self.api.post("/v1/payments", body).status, 201)

        def expired():
            self.sim.call("POST", "/expire", {})
            with open(self.record("expired"), encoding="utf-8") as file:
                entries = [json.loads(line) for line in file]
            over = [e["time"] for e in entries if e.get("kind") == "expire" and e["amount"] == str(value)]
            return over[0] if over else None

        return until("the lock expires", expired)

    def test_money_that_went_the_other_way(self):
        """Each entry is held against the wallet that was ours, and against what was asked for."""
        sold = self.api.post("/v1/payments", cbdc_sale(1250)).json()
        refund(self.api, sold, 250)
        held = self.api.post("/v1/payments", cbdc_sale(2000, capture="manual")).json()
        self.api.post(f"/v1/payments/{held['id']}/capture", money(500))
        self.api.post(f"/v1/payments/{held['id']}/cancel", {})
        out = cbdc_sale(100)
        out["method"]["cbdc"] = {"payee": {"wallet": "w_standard"}}
        paid = self.api.post("/v1/payments", out).json()
        self.assertEqual(paid["status"], "succeeded", paid)
        self.assertEqual(self.matches(client="railgate")["matched"], 6)

        def turn(entry):
            entry["from"], entry["to"] = entry["to"], entry["from"]

        def nobodys(entry):
            entry["kind"], entry["to"] = "redeem", None

        def issued(entry):
            entry["kind"] = "issue"

        for payment, operation, amount, change in ((sold, "sale", 1250, turn), (sold, "refund", 250, turn),
                                                   (held, "authorise", 2000, turn), (held, "capture", 500, turn),
                                                   (paid, "sale", 100, turn), (sold, "sale", 1250, nobodys),
                                                   (sold, "sale", 1250, issued)):  # fmt: skip
            victim = self.attempt(payment["id"], operation)
            path = self.record("turned")
            forge_ledger(path, victim, change)
            found = self.run_on(path, "--dry-run", code=1)["found"]
            told = [(d["kind"], d["attempt"], d["here_minor"], d["there_minor"]) for d in found]
            self.assertEqual(told, [("different_amount", victim.id, amount, -amount)])

    def test_a_cancel_of_a_lock_that_had_expired(self):
        """It is approved, since nothing is locked any more, and the ledger has booked nothing under its id."""
        held = self.api.post("/v1/payments", cbdc_sale(2000, capture="manual")).json()
        self.expiry(300)
        canceled = self.api.post(f"/v1/payments/{held['id']}/cancel", {}).json()
        self.assertEqual(canceled["operation"]["outcome"]["code"], "expired")
        self.assertEqual(self.matches()["matched"], 2)

    def test_an_alias_is_the_wallet_that_the_ledger_named(self):
        sim = rgrails.start_ledger(self.stage)
        alias = {"merchant_wallet": "alias:shop@example.com"}
        gateway = rgrails.rails(self.stage, [rgrails.cbdc_channel(sim, settings=alias)])
        self.sim, self.gateway, self.api = sim, gateway, gateway.client()
        sold = self.api.post("/v1/payments", cbdc_sale(1250)).json()
        self.api.post("/v1/payments", cbdc_sale(700))
        self.assertEqual(self.matches()["matched"], 2)
        path, victim = self.record("turned"), self.attempt(sold["id"], "sale")
        forge_ledger(path, victim, lambda entry: entry.update(to="w_standard"))
        self.assertEqual([d["kind"] for d in self.run_on(path, code=1)["found"]], ["different_amount"])

    def test_a_record_that_begins_with_an_expiry(self):
        """Its period is the day of that, not all days since 1970; and one of another day is refused as such."""
        at = self.expiry(300)
        self.api.post("/v1/payments", cbdc_sale(700))
        path = self.record("tail", **{"from": at})
        command = ("reconcile", "--channel", self.channel, "--file", path, "--json", "--dry-run")
        found = json.loads(self.gateway.cli(*command, code=None)[1])
        self.assertEqual(found["from"], at[:10] + "T00:00:00.000Z")
        self.assertEqual((found["summary"]["lines"], found["summary"]["matched"]), (2, 1))
        err = self.gateway.cli(*command, "--from", "2020-01-01", "--to", "2020-01-02", code=2)[2]
        self.assertIn("of another day", err)

    def test_every_accident_of_the_ledger(self):
        amounts = (9001, 9004, 9007, 9021, 9022, 9023, 9024, 9025)
        self.accidents([cbdc_sale(v) for v in amounts] + [cbdc_sale(v, capture="manual") for v in amounts])


class Bank(Reconcile):
    channel = "bank"

    def setUp(self):
        super().setUp()
        self.sim = rgbank.start(self.stage, settings={"scheme": "sepa", "delay_ms": 100})
        self.gateway = rgbank.gateway(self.stage, [rgbank.bank_channel(self.sim)])
        self.sim.settings(notice_url=self.gateway.ready["notices"] + "bank")
        self.api = self.gateway.client()

    def line_of(self, attempt):
        return self.end_to_end[attempt.id]

    def test_a_mixed_day_and_each_difference(self):
        first = self.api.post("/v1/payments", bank_send(1250)).json()
        self.api.post("/v1/payments", bank_send(9004))  # refused
        awaited = self.api.post("/v1/payments", bank_receive(2000)).json()
        self.sim.credit(2000, reference=awaited["next_action"]["reference"], debtor="Anna Beispiel",
                        debtor_account=rgbank.CUSTOMER)  # fmt: skip
        settled(self.api, awaited["id"])
        refund(self.api, awaited, 500)
        recalled = self.api.post("/v1/payments", bank_send(1700)).json()
        refund(self.api, recalled, 1700)
        returned = self.api.post("/v1/payments", bank_send(1800)).json()
        entry = next(e for e in self.sim.transfers() if e["amount_minor"] == 1800)
        self.sim.give_back(entry)
        until("the return is heard of", lambda: self.api.payment(returned["id"])["refunded"] == 1800)
        self.crash_and_recover(bank_send(900))
        settle(self.api)
        self.end_to_end = {}
        victim = self.attempt(first["id"], "sale")
        self.end_to_end[victim.id] = first["outcome"]["rail"]["end_to_end_id"]
        self.assertGreaterEqual(self.matches()["matched"], 6)
        notification = self.run_on(self.record("camt054", format="camt.054"))
        self.assertEqual((notification["format"], notification["summary"]["differences"]), ("camt.054", 0))
        self.each_fault(victim, 1250)

    def test_every_accident_of_the_bank(self):
        self.accidents([bank_send(v) for v in (9001, 9004, 9101, 9102, 9103, 9105, 9106, 9107, 9108, 9111)])


if __name__ == "__main__":
    main()
