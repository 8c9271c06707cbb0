"""What counterparts say was booked (docs/rails/settlement.md): payments of every kind on every rail, and then the
record has exactly what the ledger has, every line is found among the gateway's attempts, and trailer, hash, sums and balances
fit. Then the record is made wrong, in every way that there is, and is wrong in that way only.

Test card numbers from published ranges only.
"""

import os
import re
import socket

import rgbank
import rgrails
import rgsettle
import rgwallet
from rgledger import attempts_of, compare, compare_cbdc, compare_wallet, settle
from rgrails import cbdc_sale, qr_sale, refund, settled
from rgsettle import Broken, fetch
from rgtest import Story, authorisation, main, sale

DECLINED, BOOKED_UNSEEN = 9051, 9102  # of the card host: DE39 51; booked, and the answer is lost


def money(value, currency="EUR"):
    return {"amount": {"value": value, "currency": currency}}


class Record:
    """A rail: the counterpart, its record read, and the names of lines. Mixed into a Story."""

    names = ()  # of a line, by which a fault may call it

    def attempts(self):
        rows = []
        for payment in self.api.payments():
            rows += attempts_of(self.api.events(payment["id"]), payment["id"])
        return {a.id: a for a in rows}

    def read(self, **query):
        raise NotImplementedError

    def amount(self, line):
        return line["amount_minor"]

    def post(self, payment, verb, body=None):
        answer = self.api.post(f"/v1/payments/{payment['id']}/{verb}", {} if body is None else body)
        self.assertIn(answer.status, (200, 201, 202), answer)
        return answer.json()

    def made(self, body, status):
        answer = self.api.post("/v1/payments", body)
        self.assertIn(answer.status, (201, 202), answer)
        payment = answer.json()
        self.assertEqual(payment["status"], status, payment)
        return payment

    def same(self, lines, expected, what):
        """All but hidden differences: names, amounts and directions of lines, in order."""
        self.assertEqual([self.core(line) for line in lines], [self.core(line) for line in expected], what)

    def core(self, line):
        return (tuple(line[name] for name in self.names), self.amount(line))

    def time_of(self, line):
        return line["booked_at"]

    def check_windows(self):
        """Two halves are the whole; nothing is in both."""
        whole = self.read()
        middle = self.time_of(whole[len(whole) // 2])
        before, after = self.read(to=middle), self.read(from_=middle)
        self.same(before + after, whole, "cut in two")
        self.assertTrue(all(self.time_of(line) < middle for line in before))
        self.assertGreater(len(after), 0)
        self.assertEqual(self.read(to="1999-12-31"), [])
        self.assertEqual(self.read(from_="2199-12-31"), [])
        for bad in ({"from_": "yesterday"}, {"to": "2026-02-30"}, {"oops": 1}, {"from_": "2026-01-01T00:00:00"}):
            fetch(self.sim, expected=400, **bad)

    def check_faults(self):  # pylint: disable=too-many-statements
        whole, data = self.read(), fetch(self.sim)
        self.assertGreaterEqual(len(whole), 4)
        for name in self.names:  # any name of a line will do
            at = next(i for i, line in enumerate(whole) if line[name])
            rgsettle.fault(self.sim, {"fault": "omit", "id": whole[at][name]})
            self.same(self.read(), [line for line in whole if line[name] != whole[at][name]], f"omit by {name}")
        rgsettle.fault(self.sim, {"fault": "omit", "line": 2})
        self.same(self.read(), whole[:1] + whole[2:], "omit")

        rgsettle.fault(self.sim, {"fault": "amount", "line": 3, "by_minor": -7}, {"fault": "amount", "line": 1})
        lines = self.read()
        changes = [abs(self.amount(line)) - abs(self.amount(true)) for line, true in zip(lines, whole)]
        self.assertEqual(changes, [1, 0, -7] + [0] * (len(whole) - 3))

        rgsettle.fault(self.sim, {"fault": "repeat", "line": 2})
        self.same(self.read(), whole[:2] + whole[1:], "repeat")

        rgsettle.fault(self.sim, {"fault": "invent", "line": 1, "amount_minor": 321}, {"fault": "invent", "line": 1000})
        lines = self.read()
        self.assertEqual((abs(self.amount(lines[1])), abs(self.amount(lines[-1]))), (321, 4711))
        self.same(lines[:1] + lines[2:-1], whole, "invent")
        for line in (lines[1], lines[-1]):
            self.assertIsNone(self.attempt_of(line, self.attempts()), line)
            self.assertNotIn(self.core(line)[0], [self.core(true)[0] for true in whole])
        self.same(self.read(), lines, "the same seed")

        for line in (0, 2, len(whole), 1000):
            rgsettle.fault(self.sim, {"fault": "truncate", "line": line})
            cut = fetch(self.sim)
            with self.assertRaises(Broken):
                self.parse(cut)
            self.assertLess(len(cut), len(data))
        rgsettle.fault(self.sim, {"fault": "trailer"})
        with self.assertRaises(Broken):
            self.read()

        rgsettle.fault(self.sim, {"fault": "omit", "per_million": 500000}, seed=5)
        some = self.read()
        self.same(self.read(), some, "the same dice")
        by_seed = set()
        for seed in range(12):
            rgsettle.fault(self.sim, {"fault": "omit", "per_million": 500000}, seed=seed)
            by_seed.add(tuple(map(self.core, self.read())))
        self.assertGreater(len(by_seed), 1)
        rgsettle.fault(self.sim, {"fault": "omit", "per_million": 1000000})
        self.assertEqual(self.read(), [])
        rgsettle.fault(self.sim)
        self.same(self.read(), whole, "calm again")

    def check_at_the_end(self, option_path):
        """--settlement-file: the same, once the program has stopped."""
        lines = self.read()
        self.assertEqual(self.sim.stop(), 0)
        with open(option_path, "rb") as file:
            self.same(self.parse(file.read()), lines, "--settlement-file")

    def path(self):
        return os.path.join(self.stage.folder, "settlement-file")


class Card(Record, Story):
    names = ("stan", "rrn")

    def setUp(self):
        super().setUp()
        self.sim = self.stage.simulator("--settlement-file", self.path())
        self.gateway = self.stage.gateway(self.sim)
        self.api = self.gateway.client()

    parse = staticmethod(rgsettle.card)

    def read(self, **query):
        return self.parse(fetch(self.sim, **query))

    def attempt_of(self, line, attempts):
        undo = line["record"] == "REVERSAL"
        for a in attempts.values():
            same = (a.stan, a.time, a.terminal) == (line["stan"], line["transmitted"], line["terminal"])
            if same and (a.operation in ("reverse", "cancel")) == undo:
                return a
        return None

    def expected(self):
        """What the ledger has that moved money, as lines."""
        entries = {row["number"]: row for row in self.sim.entries()}
        for row in entries.values():
            of = entries[row["parent"]]["kind"] if row["kind"] == "reversal" and row["parent"] else row["kind"]
            if row["booked"] and of != "authorisation":
                yield row, of

    def test_every_line(self):
        first = self.made(sale(1250), "succeeded")
        self.post(first, "refunds", money(250))
        self.made(sale(DECLINED), "failed")
        lost = self.made(sale(BOOKED_UNSEEN), "reversed")
        held = self.made(authorisation(3000), "authorized")
        self.post(held, "capture", {"amount": money(1000)["amount"]})
        self.post(held, "cancel")
        self.post(self.made(authorisation(700), "authorized"), "cancel")
        self.made(sale(1234, currency="JPY"), "succeeded")
        settle(self.api)
        self.assertEqual(self.api.payment(lost["id"])["status"], "reversed")
        compare(self.api, self.sim)

        lines, expected = self.read(), list(self.expected())
        self.assertEqual(len(lines), len(expected))
        for line, (row, of) in zip(lines, expected):
            self.assertEqual(line["record"], row["kind"].upper())
            self.assertEqual(line["direction"], "C" if (of == "refund") == (row["kind"] == "reversal") else "D")
            for name in ("stan", "transmitted", "terminal", "rrn", "merchant", "mti", "response", "pan"):
                self.assertEqual(line[name], row[name], name)
            self.assertEqual(line["approval_code"], row["auth_code"])
            self.assertEqual(line["amount_minor"], row["approved_minor"])
            self.assertEqual(int(line["requested_minor"]), row["amount_minor"])
            self.assertEqual(line["currency"], {"978": "EUR", "392": "JPY"}[row["currency"]])
            self.assertEqual(line["original_stan"], row.get("original_stan", ""))
            self.assertEqual(line["original_transmitted"], row.get("original_transmitted", ""))
            self.assertRegex(line["pan"], r"^\d{6}\*+\d{4}$")
            self.assertRegex(line["local_date"] + line["local_time"], r"^\d{10}$")
        kinds = [line["record"] for line in lines]
        self.assertEqual(sorted(kinds), ["CAPTURE", "REFUND", "REVERSAL", "SALE", "SALE", "SALE"])
        net = sum(line["amount_minor"] * (1 if line["direction"] == "C" else -1) for line in lines)
        self.assertEqual(net, self.sim.totals()["charged_minor"])

        attempts = self.attempts()
        found = [self.attempt_of(line, attempts) for line in lines]
        self.assertNotIn(None, found)
        self.assertEqual(len({a.id for a in found}), len(found))
        money_verbs = ("sale", "capture", "refund")
        moved = {a.id for a in attempts.values() if a.operation in money_verbs and a.state == "approved"}
        self.assertEqual({a.id for a in found if a.state == "approved" and a.operation != "reverse"}, moved)
        undone = next(line for line in lines if line["record"] == "REVERSAL")
        self.assertEqual(len([line for line in lines if line["stan"] == undone["original_stan"]]), 1)

        self.assertEqual(self.read(terminal=lines[0]["terminal"]), lines)
        self.assertEqual(self.read(terminal="NOBODY"), [])
        self.check_windows()
        self.check_faults()
        self.check_at_the_end(self.path())

    def test_what_was_forgotten_is_not_kept_quiet(self):
        sim = self.stage.simulator("--ledger-entries", "16")
        api = self.stage.gateway(sim).client()
        for _ in range(17):
            self.assertEqual(api.post("/v1/payments", sale()).json()["status"], "succeeded")
        self.assertIn(b"forgotten", fetch(sim, expected=400))

    def test_wrong_knobs_change_nothing(self):
        rgsettle.fault(self.sim, {"fault": "omit", "line": 1}, seed=9)
        before = self.sim.call("GET", "/knobs")
        self.assertEqual(before["settlement"], {"seed": 9, "faults": [{"fault": "omit", "line": 1}]})
        for bad in (
            {"fault": "omit"},
            {"fault": "omit", "id": "1", "line": 1},
            {"fault": "none"},
            {"fault": "trailer", "line": 1},
            {"fault": "amount", "line": 1, "by_minor": "1"},
            {"fault": "invent", "amount_minor": 0},
            {"fault": "omit", "per_million": 1000001},
        ):
            with self.assertRaises(AssertionError, msg=bad):
                rgsettle.fault(self.sim, bad)
            self.assertEqual(self.sim.call("GET", "/knobs"), before)
        self.sim.call("POST", "/reset")
        self.assertNotIn("settlement", self.sim.call("GET", "/knobs"))


class Wallet(Record, Story):
    names = ("trade_no", "order_no", "refund_no", "refund_trade_no")

    def setUp(self):
        super().setUp()
        self.sim = rgwallet.start(self.stage, "--settlement-file", self.path())
        self.gateway = rgrails.rails(self.stage, [rgrails.qr_channel(self.sim)])
        self.sim.settings(notice_url=self.gateway.ready["notices"] + "wallet")
        self.api = self.gateway.client()

    parse = staticmethod(rgsettle.bill)

    def read(self, **query):
        return self.parse(fetch(self.sim, **query))

    def core(self, line):
        # A refund names its deal too; a fault that calls the deal means the payment.
        own = ("refund_trade_no", "refund_no") if line["type"] == "REFUND" else ("trade_no", "order_no")
        return (tuple(line[name] for name in own), line["amount_minor"])

    def attempt_of(self, line, attempts):
        if line["type"] == "REFUND":
            return attempts.get(line["refund_no"])
        if line["order_no"]:
            return attempts.get(line["order_no"])
        return next((a for a in attempts.values() if a.reference == line["reference"]), None)

    def paid(self, value, **qr):
        payment = self.made(qr_sale(value, **qr), "requires_action")
        self.sim.scan(code=payment["next_action"]["payload"])
        payment = settled(self.api, payment["id"])
        self.assertEqual(payment["status"], "succeeded", payment)
        return payment

    def check_faults(self):
        """Names of payments stand in their refunds as well: the payments that are called here have none."""
        whole = self.read()
        given_back = [line["order_no"] for line in whole if line["type"] == "REFUND"]
        plain = next(line for line in whole if line["order_no"] and line["order_no"] not in given_back)
        for name in ("trade_no", "order_no"):
            rgsettle.fault(self.sim, {"fault": "omit", "id": plain[name]})
            self.same(self.read(), [line for line in whole if line is not plain], name)
        static = next(line for line in whole if not line["order_no"])
        rgsettle.fault(self.sim, {"fault": "omit", "id": static["reference"]})
        self.same(self.read(), [line for line in whole if line is not static], "reference")
        back = next(line for line in whole if line["type"] == "REFUND")
        for name in ("refund_no", "refund_trade_no"):
            rgsettle.fault(self.sim, {"fault": "omit", "id": back[name]})
            self.same(self.read(), [line for line in whole if line is not back], name)
        rgsettle.fault(self.sim, {"fault": "omit", "id": back["trade_no"]})  # the payment, not its refund
        self.same(self.read(), [l for l in whole if l["type"] == "REFUND" or l["trade_no"] != back["trade_no"]], "deal")
        rgsettle.fault(self.sim)
        names, type(self).names = self.names, ()
        try:
            super().check_faults()
        finally:
            type(self).names = names

    def test_every_line(self):
        first = self.paid(1250)
        self.assertEqual(refund(self.api, first, 250).json()["status"], "succeeded")
        self.paid(999)
        self.paid(400, code_type="static")
        nobody = self.made(qr_sale(777), "requires_action")
        self.post(nobody, "cancel")
        self.assertIn(refund(self.api, first, 1001).status, (409, 422))
        settle(self.api)
        compare_wallet(self.api, self.sim)

        lines, rows = self.read(), self.sim.entries()
        self.assertEqual(len(lines), len(rows))
        for line, row in zip(lines, rows):
            back = row["kind"] == "refund"
            self.assertEqual(line["type"], "REFUND" if back else "PAYMENT")
            self.assertEqual(line["refund_trade_no" if back else "trade_no"], row["provider_id"])
            self.assertEqual(line["refund_no" if back else "order_no"], row["id"])
            self.assertEqual(line["order_no"], row.get("order_id", row["id"]))
            for name in ("merchant", "reference", "currency", "amount_minor", "state"):
                self.assertEqual(line[name], row[name], name)
            self.assertEqual(line["booked_at"], row["time"])
            self.assertEqual(line["fee_minor"], (line["amount_minor"] * 60 + 5000) // 10000)
        self.assertEqual([line["trade_type"] for line in lines], ["order", "order", "order", "static"])
        attempts = self.attempts()
        found = [self.attempt_of(line, attempts) for line in lines]
        self.assertNotIn(None, found)
        moved = {a.id for a in attempts.values() if a.operation in ("sale", "refund") and a.state == "approved"}
        self.assertEqual({a.id for a in found}, moved)

        self.assertEqual(self.read(merchant=rgwallet.MERCHANT), lines)
        fetch(self.sim, expected=400, merchant="nobody")
        self.check_windows()
        self.check_faults()
        self.check_at_the_end(self.path())


class Bank(Record, Story):
    names = ("ref", "EndToEndId", "TxId", "UETR")

    def setUp(self):
        super().setUp()
        self.sim = rgbank.start(self.stage, "--settlement-file", self.path())
        self.gateway = rgbank.gateway(self.stage, [rgbank.bank_channel(self.sim)])
        self.sim.settings(notice_url=self.gateway.ready["notices"] + "bank")
        self.api = self.gateway.client()

    @staticmethod
    def parse(data):
        return rgsettle.camt(data)[0]

    def read(self, **query):
        statement = rgsettle.camt(fetch(self.sim, **query))
        notice = rgsettle.camt(fetch(self.sim, format="camt.054", **query))
        self.assertEqual(statement[0], notice[0], "both tell of the same entries")
        self.head = statement[1]  # pylint: disable=attribute-defined-outside-init
        return statement[0]

    def amount(self, line):
        return line["change"]

    def time_of(self, line):
        return line["time"]

    def attempt_of(self, line, attempts):
        names = [line["EndToEndId"]]
        if line["sub"] == "RRTN" and line["change"] < 0:
            names = [line["TxId"]]
        elif line["change"] > 0 and line["sub"] == "ESCT":
            names = [line["reference"]]
        return next(filter(None, (attempts.get(rgbank.attempt_of_id(name)) for name in names)), None)

    def test_every_line(self):
        self.made(rgbank.bank_send(1250), "succeeded")
        back = self.made(rgbank.bank_send(2000), "succeeded")
        self.made(rgbank.bank_send(300, iban=rgbank.CLOSED), "failed")
        bill = self.made(rgbank.bank_receive(4500), "requires_action")
        reference = self.reference_of(bill)
        self.sim.credit(4500, account=rgbank.MERCHANT, reference=reference)
        self.assertEqual(settled(self.api, bill["id"])["status"], "succeeded")
        sent = next(row for row in self.sim.transfers() if row["amount_minor"] == 2000)
        self.sim.give_back(sent, reason="AC04")
        refund(self.api, bill, 500)
        settle(self.api)
        rgbank.compare_bank(self.api, self.sim)
        self.assertIsNotNone(back)

        lines = self.read()
        rows = [
            row for row in self.sim.entries()
            if row["booked"] and row["currency"] == "EUR" and rgbank.MERCHANT in (row["debit"], row["credit"])
        ]  # fmt: skip
        self.assertEqual(len(lines), len(rows))
        for line, row in zip(lines, rows):
            self.assertEqual(line["ref"], f"A{row['number']:015d}")
            self.assertEqual(line["change"], row["amount_minor"] * (1 if row["credit"] == rgbank.MERCHANT else -1))
            self.assertEqual(line["EndToEndId"], row["id"] or "NOTPROVIDED")
            self.assertEqual((line["TxId"], line["UETR"]), (row.get("tx_id"), row.get("uetr")))
            self.assertEqual(line["reference"], row.get("reference"))
            self.assertEqual(line["family"], "RCDT" if line["change"] > 0 else "ICDT")
            self.assertEqual(line["sub"], "RRTN" if row["kind"] == "return" else "ESCT")
            self.assertEqual(line["reason"], row.get("reason") if row["kind"] == "return" else None)
        accounts = {row["account"]: row["moved"] for row in self.sim.ledger()["accounts"]}
        account = accounts[rgbank.MERCHANT]["EUR"]
        self.assertEqual(self.head["opening"], account["opening_minor"])
        self.assertEqual(self.head["closing"], account["balance_minor"])
        attempts = self.attempts()
        for line in lines:
            self.assertIsNotNone(self.attempt_of(line, attempts), line)

        other = rgsettle.camt(fetch(self.sim, account=rgbank.CUSTOMER))[0]
        self.assertEqual([line["change"] for line in other if line["change"] > 0], [1250, 2000])
        self.assertEqual(rgsettle.camt(fetch(self.sim, currency="USD"))[0], [])
        for bad in ({"account": "DE00"}, {"currency": "XXX"}, {"format": "mt940"}):
            fetch(self.sim, expected=400, **bad)
        self.check_windows()
        middle = lines[2]["time"]
        self.read(to=middle)
        closing = self.head["closing"]
        self.read(from_=middle)
        self.assertEqual(self.head["opening"], closing)
        self.check_faults()
        self.check_at_the_end(self.path())

    def test_a_reader_who_takes_his_time(self):
        # More than is written ahead of a reader: the rest comes as he reads, and is whole. One who leaves is no harm.
        for _ in range(900):
            self.sim.credit(100, account=rgbank.MERCHANT)
        address = re.sub(r"^https?://", "", self.sim.control_url).rstrip("/").rpartition(":")
        request = b"GET /settlement HTTP/1.1\r\nHost: bank\r\n\r\n"
        with socket.create_connection((address[0], int(address[2])), timeout=20) as leaver:
            leaver.sendall(request)
            self.assertTrue(leaver.recv(100))
        with socket.create_connection((address[0], int(address[2])), timeout=20) as reader:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            reader.sendall(request)
            pieces = [reader.recv(1000)]
            self.sim.credit(100, account=rgbank.MERCHANT)  # not in this record any more
            while pieces[-1]:
                pieces.append(reader.recv(1000))
        body = b"".join(pieces).partition(b"\r\n\r\n")[2]
        self.assertGreater(len(body), 700000)
        self.assertEqual(len(self.parse(body)), 900)
        self.assertEqual(len(self.read()), 901)
        self.assertEqual(self.sim.stop(), 0)

    def reference_of(self, payment):
        return next(a.reference for a in self.attempts().values() if a.payment == payment["id"] and a.reference)


class Cbdc(Record, Story):
    names = ("id",)

    def setUp(self):
        super().setUp()
        self.sim = rgrails.start_ledger(self.stage, "--settlement-file", self.path())
        self.gateway = rgrails.rails(self.stage, [rgrails.cbdc_channel(self.sim)])
        self.api = self.gateway.client()

    parse = staticmethod(rgsettle.ledger)

    def read(self, **query):
        return self.parse(fetch(self.sim, **query))

    def time_of(self, line):
        return line["time"]

    def attempt_of(self, line, attempts):
        return attempts.get(line["id"])

    def test_every_line(self):
        first = self.made(cbdc_sale(1250), "succeeded")
        self.assertEqual(refund(self.api, first, 250).json()["status"], "succeeded")
        self.made(cbdc_sale(300, payer="w_blocked"), "failed")
        held = self.made(cbdc_sale(3000, capture="manual"), "authorized")
        self.post(held, "capture", {"amount": money(1000)["amount"]})
        self.post(held, "cancel")
        expiring = self.made(cbdc_sale(500, capture="manual"), "authorized")
        settle(self.api)
        compare_cbdc(self.api, self.sim)
        lock = next(a.id for a in self.attempts().values() if a.payment == expiring["id"])
        self.sim.call("POST", "/expire", {"id": lock})

        lines = self.read()
        rows = [row for row in self.sim.entries() if row["state"] != "declined"]
        self.assertEqual(len(lines), len(rows))
        for line, row in zip(lines, rows):
            self.assertEqual((line["seq"], line["time"]), (row["number"], row["time"]))
            for name in ("kind", "id", "client", "amount_minor", "currency", "state"):
                self.assertEqual(line[name], row[name], name)
            for name in ("from", "to", "lock"):
                self.assertEqual(line[name], row.get(name), name)
        self.assertLess(len(lines), len(self.sim.entries()), "what was declined is not in it")
        kinds = ["transfer", "transfer", "lock", "release", "cancel", "lock", "expire"]
        self.assertEqual([line["kind"] for line in lines], kinds)
        attempts = self.attempts()
        for line in lines:
            self.assertIsNotNone(self.attempt_of(line, attempts), line)
        self.assertEqual(self.read(client="railgate"), [line for line in lines if line["client"] == "railgate"])
        self.assertEqual(self.read(client="nobody"), [])
        rgsettle.fault(self.sim, {"fault": "repeat", "line": 1}, {"fault": "invent", "line": 2})
        numbers = [line["seq"] for line in self.read()]
        self.assertEqual(numbers, sorted(set(numbers)), "they rise, whatever is wrong")
        rgsettle.fault(self.sim)
        self.check_windows()
        self.check_faults()
        self.check_at_the_end(self.path())


if __name__ == "__main__":
    main()
