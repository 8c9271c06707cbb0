"""Attempts in trouble are seen (railgate attempts, /metrics, an alert), and a person settles what is parked or in
conflict: both ways, once, with the ledgers equal afterwards, and whole or not at all when the gateway is killed."""

import json
import sqlite3

from pending import EXPIRED_AT_ONCE, Played
from rgledger import attempts_of, compare
from rgrails import journal, metric, store_is_sound
from rgtest import Story, authorisation, main, sale, together, until

BY = ("--by", "Ops One", "--why", "the bank was asked", "--evidence", "statement 12, line 7")
REFUSES_TO_UNDO = {"fault": "code", "code": "12", "mti": "042", "next": 1}


def gauge(gateway, name, channel="card_demo"):
    return metric(gateway, f'railgate_attempts_{name}{{channel="{channel}"}}')


class Trouble(Story):
    settings = None
    channel = None

    def setUp(self):
        super().setUp()
        self.sim = self.stage.simulator()
        self.gateway = self.stage.gateway(self.sim, settings=self.settings, channel=self.channel)
        self.api = self.gateway.client()

    def kinds(self, payment):
        return [event["kind"] for event in self.api.events(payment)]

    def waits(self, payment, state):
        """The id of the attempt that waits for a person."""
        until(f"an attempt is {state}", lambda: f"attempt.{state}" in self.kinds(payment))
        self.sim.calm()
        rows = [a for a in attempts_of(self.api.events(payment), payment) if a.state == state and a.operation != "reverse"]
        self.assertEqual(len(rows), 1, rows)
        return rows[0].id

    def parked(self, body=None, booked=True, path="/v1/payments", mti="0200"):
        """The answer is lost, and the card host will not undo it. (payment, attempt)"""
        lost = "drop_after_booking" if booked else "drop_before_booking"
        self.sim.knobs(faults=[{"fault": lost, "mti": mti, "next": 1}, REFUSES_TO_UNDO])
        answer = self.api.post(path, body)
        self.assertEqual(answer.status, 202, answer)
        payment = answer.json().get("payment", answer.json()["id"])
        return payment, self.waits(payment, "parked")

    def in_conflict(self, path, body, mti):
        self.sim.fault("wrong_amount", mti=mti, next=1)
        answer = self.api.post(path, body)
        self.assertIn(answer.status, (200, 201, 202), answer)
        payment = path.split("/")[3] if path.count("/") > 2 else answer.json()["id"]
        return payment, self.waits(payment, "conflict")

    def resolve(self, attempt, word, *more, code=0):
        return self.gateway.cli("attempt", "resolve", attempt, "--as", word, *(more or BY), code=code)

    def listed(self, *options):
        return json.loads(self.gateway.cli("attempts", "--json", *options)[1])

    def ids(self, *options):
        return [row["id"] for row in self.listed(*options)["data"]]

    def resolved_event(self, payment):
        rows = [event["data"] for event in self.api.events(payment) if event["kind"] == "attempt.resolved"]
        self.assertEqual(len(rows), 1, rows)
        return rows[0]


class BothWays(Trouble):
    def test_a_sale_that_was_booked(self):
        payment, attempt = self.parked(sale(1000))
        out = self.resolve(attempt, "approved")[1]
        self.assertEqual(out, f"{attempt} is approved; payment {payment} is succeeded\n")
        done = self.api.payment(payment)
        self.assertEqual((done["status"], done["captured"]), ("succeeded", 1000), done)
        self.assertEqual((done["outcome"]["result"], done["outcome"]["code"]), ("approved", "resolved"))
        event = self.resolved_event(payment)
        self.assertEqual((event["before"], event["state"], event["by"]), ("parked", "approved", "Ops One"))
        self.assertEqual((event["why"], event["evidence"]), ("the bank was asked", "statement 12, line 7"))
        self.assertEqual(self.kinds(payment)[-3:], ["attempt.resolved", "attempt.overtaken", "payment.succeeded"])
        compare(self.api, self.sim)
        self.assertEqual(self.api.post(f"/v1/payments/{payment}/refunds").json()["status"], "succeeded")
        compare(self.api, self.sim)
        store_is_sound(self.gateway)

    def test_a_sale_that_never_arrived(self):
        for word, status in (("declined", "failed"), ("reversed", "reversed")):
            payment, attempt = self.parked(sale(1000), booked=False)
            self.resolve(attempt, word)
            done = self.api.payment(payment)
            self.assertEqual((done["status"], done["captured"]), (status, 0), done)
        self.assertEqual(self.sim.entries("sale"), [])
        compare(self.api, self.sim)

    def test_an_authorisation_and_what_follows_it(self):
        payment, attempt = self.parked(authorisation(1000), mti="0100")
        self.resolve(attempt, "approved")
        self.assertEqual(self.api.payment(payment)["status"], "authorized")
        self.assertEqual(self.api.post(f"/v1/payments/{payment}/capture").status, 200)
        compare(self.api, self.sim)

    def test_a_capture_and_a_cancel(self):
        payment = self.api.post("/v1/payments", authorisation(1000)).json()["id"]
        _, attempt = self.in_conflict(f"/v1/payments/{payment}/capture", {"amount": {"value": 400, "currency": "EUR"}}, "022")
        self.assertEqual(self.api.payment(payment)["captured"], 0)
        self.resolve(attempt, "approved")
        self.assertEqual(self.api.payment(payment)["captured"], 400)
        other = self.api.post("/v1/payments", authorisation(700)).json()["id"]
        _, attempt = self.in_conflict(f"/v1/payments/{other}/cancel", {}, "0400")
        self.resolve(attempt, "approved")
        self.assertEqual(self.api.payment(other)["status"], "canceled")
        compare(self.api, self.sim)

    def test_a_refund(self):
        payment = self.api.post("/v1/payments", sale(1000)).json()["id"]
        path, body = f"/v1/payments/{payment}/refunds", {"amount": {"value": 300, "currency": "EUR"}}
        self.resolve(self.parked(body, path=path)[1], "approved")
        self.assertEqual(self.api.payment(payment)["refunded"], 300)
        self.resolve(self.parked(body, path=path, booked=False)[1], "declined")
        self.assertEqual(self.api.payment(payment)["refunded"], 300)
        rows = self.api.get(path).json()["data"]
        self.assertEqual(sorted(row["status"] for row in rows), ["failed", "succeeded"])
        self.assertEqual(self.api.payment(payment)["refundable"], 700)
        compare(self.api, self.sim)


class Refused(Trouble):
    def refused(self, attempt, word, text, *more):
        _, out, err = self.resolve(attempt, word, *more, code=1)
        self.assertIn(text, out + err)

    def test_a_second_word(self):
        payment, attempt = self.parked(sale(1000))
        self.resolve(attempt, "approved")
        done = self.api.payment(payment)
        for word in ("approved", "declined", "reversed"):
            self.refused(attempt, word, "Only what is parked or in conflict")
        for end in (self.gateway.stop, self.gateway.kill):
            end()
            self.gateway.start()
            self.refused(attempt, "reversed", "Only what is parked or in conflict")
            self.assertEqual(self.api.payment(payment), done)
        self.assertEqual(len(journal(self.gateway, "attempt.resolved")), 1)
        compare(self.api, self.sim)

    def test_many_at_once(self):
        payment, attempt = self.parked(sale(1000))
        words = ("approved", "declined") * 3
        codes = together([lambda w=w: self.resolve(attempt, w, *BY, code=None)[0] for w in words])
        self.assertEqual(sorted(codes), [0, 1, 1, 1, 1, 1])
        status = self.api.payment(payment)["status"]
        self.assertEqual(status, {"approved": "succeeded", "declined": "failed"}[self.resolved_event(payment)["state"]])

    def test_sentences(self):
        payment, attempt = self.parked(sale(1000))
        self.refused(attempt, "approved", "over what was asked, 1000", *BY, "--amount", "1001")
        self.refused(attempt, "reversed", "only be given with approved", *BY, "--amount", "10")
        remedy = next(a.id for a in attempts_of(self.api.events(payment), payment) if a.operation == "reverse")
        self.refused(remedy, "reversed", f"Resolve {attempt}")
        self.refused("att_0000000000001", "reversed", "no such attempt")
        good = self.api.post("/v1/payments", sale(500)).json()["id"]
        (settled,) = attempts_of(self.api.events(good), good)
        self.refused(settled.id, "reversed", "The attempt is approved")
        for options in ((), ("--by", "Ops"), ("--why", "x"), (*BY, "--amount", "0"), (*BY, "--amount", "1.5")):
            self.gateway.cli("attempt", "resolve", attempt, "--as", "approved", *options, code=2)
        self.resolve(attempt, "settled", *BY, code=2)
        for by, why in (("", "x"), ("x" * 81, "x"), ("a\nb", "x"), ("x", "y" * 501)):
            self.resolve(attempt, "approved", "--by", by, "--why", why, code=1)
        self.assertEqual(self.ids("--parked"), [attempt], "nothing has changed")
        self.gateway.stop()
        self.resolve(attempt, "approved", code=2)

    def test_what_merchants_were_told_stands(self):
        """The approval came after the reversal: the payment is reversed, and the card host has booked nothing."""
        self.sim.fault("late", mti="0200", ms=2500, next=1)
        payment = self.api.post("/v1/payments", sale(100)).json()["id"]
        attempt = self.waits(payment, "conflict")
        self.refused(attempt, "approved", "has failed, and the merchant was told so")
        self.resolve(attempt, "reversed")
        self.assertEqual(self.api.payment(payment)["status"], "reversed")
        compare(self.api, self.sim)


class Killed(Trouble):
    def test_around_the_commit(self):
        for word, status in (("approved", "succeeded"), ("declined", "failed")):
            for step in ("before_resolve", "after_resolve"):
                with self.subTest(word=word, step=step):
                    payment, attempt = self.parked(sale(1000), booked=word == "approved")
                    self.gateway.stop()
                    self.gateway.start(env={"RAILGATE_CRASH_AT": step})
                    self.resolve(attempt, word, *BY, code=2)
                    self.assertEqual(self.gateway.wait_end(), -9)
                    self.gateway.start()
                    found = self.api.payment(payment)["status"]
                    if step == "before_resolve":
                        self.assertEqual(found, "processing")
                        self.assertEqual(self.ids("--parked"), [attempt])
                        self.assertEqual(gauge(self.gateway, "parked"), 1)
                        self.resolve(attempt, word)
                    self.assertEqual(self.api.payment(payment)["status"], status)
                    self.assertEqual(self.ids("--parked"), [])
                    self.assertEqual(gauge(self.gateway, "parked"), 0)
                    self.resolved_event(payment)
        compare(self.api, self.sim)
        store_is_sound(self.gateway)


class Seen(Trouble):
    settings = {"alerts": {"unknown_count": 1, "unknown_age": "1h"}}

    def test_parked_and_conflict_are_listed_and_counted(self):
        self.assertEqual(self.gateway.cli("attempts")[1], "no such attempt\n")
        self.assertEqual(self.listed(), {"data": [], "totals": []})
        _, one = self.parked(sale(1000))
        _, two = self.parked(sale(250))
        _, three = self.in_conflict("/v1/payments", sale(7), "0200")
        self.api.post("/v1/payments", sale(1))
        for again in (False, True):
            if again:
                self.gateway.kill()
                self.gateway.start()
            self.assertEqual(self.ids(), [one, two, three])
            self.assertEqual(self.ids("--parked"), [one, two])
            self.assertEqual(self.ids("--conflict"), [three])
            self.assertEqual(self.ids("--all-open"), [one, two, three])
            self.assertEqual((self.ids("--unknown"), self.ids("--pending")), ([], []))
            self.assertEqual(self.ids("--older-than", "1h"), [])
            self.assertEqual(self.listed("--parked")["totals"], [{"currency": "EUR", "count": 2, "amount": 1250}])
            self.assertEqual((gauge(self.gateway, "parked"), gauge(self.gateway, "conflict")), (2, 1))
            self.assertEqual(gauge(self.gateway, "unknown"), 0)
            name = 'railgate_attempts_parked_amount{channel="card_demo",currency="EUR"}'
            self.assertEqual(metric(self.gateway, name), 1250)
            self.assertLess(gauge(self.gateway, "parked_age_seconds"), 600)
        text = self.gateway.cli("attempts", "--parked")[1].splitlines()
        self.assertEqual(len(text), 4, text)
        self.assertEqual([line.split()[0] for line in text[1:3]], [one, two])
        self.assertEqual(text[0].index("VERB"), text[1].index("sale"))
        self.assertIn("refuses to undo it", text[1])
        self.assertEqual(text[3], "total 12.50 EUR in 2 attempts")
        row = self.listed("--parked")["data"][0]
        self.assertEqual((row["state"], row["remedy"]["state"], row["amount"]["value"]), ("parked", "parked", 1000))
        shown = self.gateway.cli("attempts", "show", one)[1]
        self.assertIn("attempt.parked", shown)
        whole = json.loads(self.gateway.cli("attempts", "show", one, "--json")[1])
        self.assertEqual((whole["id"], whole["events"][0]["kind"]), (one, "attempt.sending"))
        self.gateway.cli("attempts", "show", "att_0000000000001", code=1)
        self.gateway.cli("attempts", "--older-than", "soon", code=2)
        for attempt in (one, two):
            self.resolve(attempt, "approved")
        self.assertEqual((self.ids(), gauge(self.gateway, "parked")), ([three], 0))

    def test_the_list_goes_on_over_many_pages(self):
        """Rows by hand: more of them than one answer of the store holds."""
        self.parked(sale(1))
        self.gateway.stop()
        store = sqlite3.connect(self.gateway.database)
        columns = [row[1] for row in store.execute("pragma table_info(attempts)")]
        rest = ", ".join(c for c in columns if c not in ("id", "state"))
        for n in range(450):
            store.execute(f"insert into attempts (id, state, {rest}) select id + 64 * ?, ?, {rest} from attempts where parent = 0 limit 1",
                          (n + 1, 11 + n % 2))  # fmt: skip
        store.commit()
        store.close()
        self.gateway.start()
        whole = self.listed()
        self.assertEqual(len({row["id"] for row in whole["data"]}), 451)
        self.assertEqual(whole["totals"], [{"currency": "EUR", "count": 451, "amount": 451}])
        self.assertEqual((len(self.ids("--parked")), len(self.ids("--conflict"))), (226, 225))
        self.assertEqual((gauge(self.gateway, "parked"), gauge(self.gateway, "conflict")), (226, 225))

    def test_each_has_its_own_remedy_and_reason(self):
        """Of payments with many attempts each, in turns, over some pages: what stands beside one is its own, and the last."""
        made = [self.parked(sale(amount))[0] for amount in (1, 2)]
        self.gateway.stop()
        store = sqlite3.connect(self.gateway.database)
        columns = [row[1] for row in store.execute("pragma table_info(attempts)")]
        rest = ", ".join(c for c in columns if c not in ("id", "parent", "tries"))
        copy = f"insert into attempts (id, parent, tries, {rest}) select ?, ?, ?, {rest} from attempts where id = ?"
        first = [row[0] for row in store.execute("select id from attempts where parent = 0 order by id")]
        last = store.execute("select max(id) from attempts").fetchone()[0]
        for n in range(1, 250):
            store.execute(copy, (last + 64 * n, 0, 1, first[n % 2]))
        store.commit()
        names = [row["id"] for row in self.listed()["data"]]
        ids = [row[0] for row in store.execute("select id from attempts where parent = 0 order by id")]
        self.assertEqual(len(names), 251)
        remedy = store.execute("select id from attempts where parent <> 0 limit 1").fetchone()[0]
        end = store.execute("select max(seq) from journal").fetchone()[0]
        told = range(2, 251, 7)
        for step in ("first", "then"):
            for n in told:
                payment = store.execute("select payment from attempts where id = ?", (ids[n],)).fetchone()[0]
                last = store.execute("select max(id) from attempts").fetchone()[0]
                store.execute(copy, (last + 64, ids[n], 1000 + n if step == "then" else 7, remedy))
                store.execute("update attempts set payment = ? where id = ?", (payment, last + 64))
                end += 1
                name = "attempt" if n % 2 else "of_attempt"
                data = json.dumps({name: names[n], "reason": f"{step} {n}" + " and more" * (n % 3)})
                store.execute("insert into journal values (?, 1, 1, ?, 'attempt.parked', ?)", (end, payment, data))
        store.commit()
        store.close()
        rows = self.listed()["data"]
        self.assertEqual([row["id"] for row in rows], names)
        self.assertEqual({row["payment"] for row in rows}, set(made))
        for n, row in enumerate(rows[2:], 2):
            said = (f"then {n}" + " and more" * (n % 3), 1000 + n) if n in told else (None, None)
            self.assertEqual((row.get("reason"), row.get("remedy", {}).get("tries")), said, n)
            if n in told[:3]:
                whole = json.loads(self.gateway.cli("attempts", "show", row["id"], "--json")[1])
                self.assertEqual((whole["reason"], whole["remedy"]), (row["reason"], row["remedy"]))
                self.assertEqual(len(whole["events"]), 2)

    def alert(self, name="unknown_count"):
        return metric(self.gateway, f'railgate_alert{{name="{name}"}}')

    def test_unknown_ones_raise_the_alert(self):
        self.sim.knobs(faults=[{"fault": "drop_after_booking", "mti": "0200"}, {"fault": "drop_after_booking", "mti": "042"}])
        first = self.api.post("/v1/payments", sale(100)).json()["id"]
        until("the first is counted", lambda: gauge(self.gateway, "unknown") == 1)
        self.assertEqual((self.alert(), self.gateway.log_text().count("attempts.unknown_alert")), (0, 0))
        self.api.post("/v1/payments", sale(200))
        until("the second is counted", lambda: gauge(self.gateway, "unknown") == 2)
        self.assertEqual((self.alert(), self.alert("unknown_age")), (1, 0))
        self.assertEqual(self.gateway.log_text().count("attempts.unknown_alert"), 1)
        rows = self.listed("--unknown")
        self.assertEqual({row["state"] for row in rows["data"]}, {"reversing"})
        self.assertEqual(rows["totals"], [{"currency": "EUR", "count": 2, "amount": 300}])
        self.assertEqual(metric(self.gateway, 'railgate_attempts_unknown_amount{channel="card_demo",currency="EUR"}'), 300)
        self.gateway.kill()
        self.gateway.start()
        until("both are counted again", lambda: gauge(self.gateway, "unknown") == 2)
        self.sim.calm()
        self.assertEqual(self.api.final(first)["status"], "reversed")
        until("none is left", lambda: gauge(self.gateway, "unknown") == 0)
        until("the alert is over", lambda: self.alert() == 0, 30)
        self.assertIn('"over"', self.gateway.log_text())
        compare(self.api, self.sim)


class Afterwards(Played):
    """A notice that comes after a person's word is compared with it."""

    settings = EXPIRED_AT_ONCE

    def test_it_says_the_same_or_contradicts(self):
        def closing(order):  # said to be paid, and closed all the same
            self.tell(self.provider.pay(dict(order)))
            return self.provider.close(order)

        self.provider.closing = closing
        for value, word, status, conflicts in ((1001, "approved", "succeeded", 1), (1002, "reversed", "reversed", 2)):
            shown = self.shown(value)
            until("it is in conflict", lambda p=shown: "attempt.conflict" in self.kinds(p))
            rows = json.loads(self.gateway.cli("attempts", "--conflict", "--json")[1])["data"]
            (attempt,) = [row["id"] for row in rows if row["payment"] == shown["id"]]
            self.gateway.cli("attempt", "resolve", attempt, "--as", word, *BY)
            done = self.api.payment(shown["id"])
            self.assertEqual((done["status"], done["captured"]), (status, value if word == "approved" else 0), done)
            self.tell(self.provider.pay(dict(self.order_of(shown))))
            self.assertEqual(self.kinds(shown).count("attempt.conflict"), conflicts, word)
            self.assertEqual(self.api.payment(shown["id"]), {**done, "updated": self.api.payment(shown["id"])["updated"]})
        self.assertEqual(gauge(self.gateway, "conflict", "wallet"), 1)


if __name__ == "__main__":
    main()
