"""A bank for scenario tests: railgate-sim bank as a process of a Stage (rgtest.py), its keys, its books, and channels
that speak to it.

    bank = rgbank.start(stage, settings={"scheme": "sepa"})
    gateway = rgbank.gateway(stage, [rgbank.bank_channel(bank)])
    api = gateway.client()
    payment = api.post("/v1/payments", rgbank.bank_send(1250)).json()
    rgbank.compare_bank(api, bank)

Keys: the published test keys of docs/rails/bank-simulator.md, of no value anywhere.
"""

import base64
import json
import os
import subprocess
import tempfile
import time

import rgrails
import rgtest
import rgwallet
from rgledger import MONEY, UNSETTLED, attempts_of

MERCHANT = "DE21990000010000000000"
CUSTOMER = "DE91990000010000000001"
POOR = "DE37990000010000000003"
CLOSED = "DE10990000010000000004"
SANCTIONED = "DE80990000010000000005"


def _hex(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex()


# By algorithm of JWS: (our private key, the bank's public key) as the gateway wants them.
PAIRS = {
    "EdDSA": (
        ("sign_ed25519", _hex("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")),
        ("verify_ed25519", _hex("PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw")),
    ),
    "ES256": (
        ("sign_es256", _hex("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI")),
        (
            "verify_es256",
            "04" + _hex("YP7UuiVanTHJYet0xjVtaMBJuJI7Yfps5mliLmDyn7Z5A_4QCLi8maQa6elWKLxk8vGyDC1-n1F3o8KU1EYimQ"),
        ),
    ),
}


def keys():
    """For gateway.yaml, beside those of the other rails."""
    rows = rgrails.keys_with()
    for name, pair in PAIRS.items():
        for role, (kind, value) in zip(("own", "bank"), pair):
            rows.append({"name": f"{role}_{name.lower()}", "kind": kind, "test_value": value})
    return rows


class Bank(rgwallet.Brain):
    brain = "bank"

    def settings(self, **settings):
        return self.knobs(settings=settings)

    def credit(self, amount, **what):
        """Money comes in: account, currency (EUR), reference, end_to_end_id, debtor, debtor_account, ..."""
        return self.call("POST", "/credit", {"currency": "EUR", "amount": amount, **what})

    def give_back(self, entry, **what):
        """The beneficiary's bank returns a payment, or a part of it."""
        return self.call("POST", "/return", {"end_to_end_id": entry["id"], **what})

    def settle(self, entry, result, **what):
        return self.call("POST", "/settle", {"end_to_end_id": entry["id"], "result": result, **what})

    def say(self, entry, status, reason=""):
        """Any status of a payment, true or not."""
        return self.call("POST", "/status", {"end_to_end_id": entry["id"], "status": status, "reason": reason})

    def statement(self, **what):
        return self.call("POST", "/statement", what)["statement"]

    def transfers(self):
        return self.entries("transfer")

    def moved(self, account, currency="EUR"):
        """What an account has more (or less) than at the start."""
        row = next(row for row in self.ledger()["accounts"] if row["account"] == account)
        row = row["moved"].get(currency)
        return 0 if row is None else row["balance_minor"] - row["opening_minor"]


def start(stage, *options, settings=None, keys=None):  # pylint: disable=redefined-outer-name
    more = list(options)
    knobs = {name: value for name, value in (("settings", settings), ("keys", keys)) if value}
    if knobs:
        more += ["--knobs", json.dumps(knobs)]
    number = sum(isinstance(process, Bank) for process in stage.processes) + 1
    return Bank(stage, f"bank{number}", more).start()


# --- channels -----------------------------------------------------------------------------------------

# By scheme: settings of the channel and of the bank, and the currency.
SCHEMES = {
    "sepa": ({"iban": MERCHANT, "bic": "SIMBDEFFXXX"}, {}, "EUR"),
    "sepa_inst": ({"iban": MERCHANT, "bic": "SIMBDEFFXXX"}, {}, "EUR"),
    "generic": ({"iban": MERCHANT, "bic": "SIMBDEFFXXX"}, {}, "EUR"),
    "uk_fps": ({"iban": "GB96SIMB99000100000000", "member": "990001", "bic": "SIMBGB2LXXX"}, {"bic": "SIMBGB2LXXX"}, "GBP"),
    "swiss": ({"iban": "CH3999001000000000000", "bic": "SIMBCHZZXXX"}, {"bic": "SIMBCHZZXXX"}, "CHF"),
    "fednow": ({"account": "990000000001", "member": "111000025", "to_member": "021150706"}, {"connection": "participant"}, "USD"),
    "pix": (
        {"account": "0001000001", "account_type": "CACC", "party_id": "12345678000195", "member": "12345678",
         "to_member": "00038166"},
        {"connection": "participant"}, "BRL",
    ),
}  # fmt: skip


def bank_channel(bank, name="bank", scheme="sepa", alg="EdDSA", **more):
    own, _, currency = SCHEMES[scheme]
    signed = alg.lower()
    settings = {
        "scheme": scheme,
        "name": "Merchant One",
        **own,
        "sign_alg": signed,
        "sign_key": f"own_{signed}",
        "sign_key_id": "channel-1",
        "bank_key": f"bank_{signed}",
        "bank_key_id": "bank-1",
    }
    row = {
        **rgrails.BASE,
        "name": name,
        "adapter": rgrails.adapter("bank"),
        "rail": "bank",
        "currencies": [currency],
        "endpoints": [bank.listen],
        "settings": settings,
    }
    return rgtest.merge(row, more)


def gateway(stage, channels, **how):
    return rgrails.rails(stage, channels, settings=rgtest.merge({"keys": keys()}, how.pop("settings", None)), **how)


# --- what merchants post ------------------------------------------------------------------------------------


def bank_send(value, iban=CUSTOMER, currency="EUR", name="Customer One", creditor=None, **bank):
    creditor = {"name": name, "iban": iban} if creditor is None else creditor
    return {
        "amount": {"value": value, "currency": currency},
        "method": {"type": "bank", "bank": {"direction": "send", "creditor": creditor, **bank}},
        "reference": f"order-{value}",
    }


def bank_receive(value, currency="EUR", **bank):
    return {
        "amount": {"value": value, "currency": currency},
        "method": {"type": "bank", "bank": {"direction": "receive", **bank}},
        "reference": f"bill-{value}",
    }


# --- do both sides tell the same story? --------------------------------------------------------------------

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _attempt(digits, base):
    """The attempt whose number this is, or None."""
    number = 0
    for digit in digits:
        value = _DIGITS.find(digit)
        if not 0 <= value < base:
            return None
        number = number * base + value
    text = ""
    for _ in range(13):
        text = _CROCKFORD[number % 32] + text
        number //= 32
    return "att_" + text


def attempt_of_id(text):
    """The attempt in one of our references: RGE..., RF..RG..., a QR reference of ours, Pix's E and D."""
    text = (text or "").replace(" ", "")
    if len(text) == 16 and text.startswith("RG"):
        return _attempt(text[3:], 36)
    if len(text) == 19 and text.startswith("RF") and text[4:6] == "RG":
        return _attempt(text[6:], 36)
    if len(text) == 27 and text.startswith("7246310"):
        return _attempt(text[7:26], 10)
    if len(text) == 32 and text[0] in "ED" and text[1:9] == "12345678":
        return _attempt(text[21:], 62)
    return None


def told(entry):
    return f"{entry['kind']} {entry['number']} ({entry['id']}) {entry['amount_minor']} {entry['currency']} {entry['state']}"


class Comparison:
    def __init__(self, clients, bank, allow_open, channels):
        self.differences, self.open, self.unasked, self.allow_open = [], [], [], allow_open
        self.ledger = bank.ledger()
        self.entries = {row["number"]: row for row in self.ledger["entries"]}
        self.payments, self.attempts = [], {}
        for client in clients:
            for payment in client.payments():
                rows = attempts_of(client.events(payment["id"]), payment["id"])
                payment["attempts"] = [a for a in rows if a.operation in MONEY and (channels is None or a.channel in channels)]
                self.payments.append(payment)
                for attempt in payment["attempts"]:
                    attempt.entries, attempt.returned = [], 0
                    self.attempts[attempt.id] = attempt

    def differ(self, text):
        self.differences.append(text)

    def owner(self, entry):
        """The attempt that an entry is about: asked for, awaited; None: nobody's."""
        if entry["kind"] == "return" and entry.get("message", "").startswith("pacs.004"):
            own = attempt_of_id(entry.get("tx_id"))
            if own is not None:
                return self.attempts.get(own), "asked"
            original = self.entries[entry["original"]]
            return self.attempts.get(attempt_of_id(original["id"])), "came back"
        if entry["kind"] == "credit":
            found = attempt_of_id(entry.get("reference")) or attempt_of_id(entry["id"])
            return self.attempts.get(found), "awaited"
        return self.attempts.get(attempt_of_id(entry["id"])), "asked"

    def match(self):
        for entry in self.entries.values():
            if entry["booked"] > 1:
                self.differ(f"booked {entry['booked']} times: {told(entry)}")
            if entry["kind"] == "recall" or entry["booked"] == 0:
                continue
            attempt, how = self.owner(entry)
            if attempt is None and entry["kind"] == "credit":
                self.unasked.append(entry)
            elif attempt is None:
                self.differ(f"booked there, and no record tells of it: {told(entry)}")
            elif how == "came back":
                attempt.returned += entry["amount_minor"]
            else:
                attempt.entries.append(entry)

    def attempt(self, a):
        booked = sum(entry["amount_minor"] for entry in a.entries)
        if a.state in ("conflict", "parked"):
            self.open.append(a)
        elif a.state in UNSETTLED:
            self.differ(f"not settled: {a}")
        elif len(a.entries) > 1 and a.operation != "sale":
            self.differ(f"booked {len(a.entries)} times: {a}")
        elif a.operation == "sale" and a.state == "approved":
            if not a.entries or a.entries[0]["amount_minor"] != a.amount:
                self.differ(f"approved, and there is {[told(e) for e in a.entries]}: {a}")
            self.unasked += a.entries[1:]  # a payer who paid his bill twice
        elif a.operation == "refund" and a.state == "approved":
            if a.entries and booked != a.amount:
                self.differ(f"given back {booked}: {a}")
        elif booked - a.returned != 0:
            self.differ(f"{a.state}, but money moved: {[told(e) for e in a.entries]}: {a}")

    def sums(self, payment):
        attempts = payment["attempts"]
        if not attempts or any(a.state in ("conflict", "parked") for a in attempts):
            return
        sales = [a for a in attempts if a.operation == "sale"]
        theirs = {
            "captured": sum(a.entries[0]["amount_minor"] for a in sales if a.entries and a.state == "approved"),
            "refunded": sum(a.returned for a in sales if a.state == "approved")
            + sum(e["amount_minor"] for a in attempts if a.operation == "refund" and a.state == "approved" for e in a.entries),
        }
        for name, value in theirs.items():
            if payment[name] != value:
                self.differ(f"{payment['id']}: {name} is {payment[name]} here and {value} there")

    def run(self):
        totals = self.ledger["totals"]
        if not totals["balanced"] or totals["booked_more_than_once"]:
            self.differ(f"the bank contradicts itself: {totals}")
        self.match()
        for attempt in self.attempts.values():
            self.attempt(attempt)
        for payment in self.payments:
            self.sums(payment)
        if self.open and not self.allow_open:
            self.differences += [f"waits for a person: {a}" for a in self.open]
        if self.differences:
            raise rgtest.Failure("the ledgers differ:\n  " + "\n  ".join(self.differences))
        return {"payments": len(self.payments), "open": self.open, "unasked": self.unasked}


def compare_bank(clients, bank, allow_open=False, channels=None):
    """Returns {"payments", "open", "unasked"}; raises Failure with every difference. unasked: credits that no attempt
    waits for, and those that came again."""
    clients = clients if isinstance(clients, list) else [clients]
    return Comparison(clients, bank, allow_open, channels).run()


# --- said by hand -------------------------------------------------------------------------------------------


def tell(gateway_, body, signature=None, path="/notices/bank", content_type="application/xml"):  # pylint: disable=unused-argument
    """One notice; its answer. signature None: without one."""
    headers = {"Content-Type": content_type}
    if signature is not None:
        headers["X-JWS-Signature"] = signature
    url = gateway_.ready["notices"].partition("/notices")[0]
    return rgtest.request(url, "POST", path, body, headers)


BANK_PRIVATE = _hex("TM0Imyj_ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U-4pvs")
OWN_PRIVATE = _hex("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")


def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(body, private=BANK_PRIVATE, kid="bank-1", age_s=0):
    """x-jws-signature of the bank (docs/rails/bank-wire.md), Ed25519, made by openssl."""
    header = json.dumps({"alg": "EdDSA", "kid": kid, "iat": int(time.time()) - age_s}).encode()
    signed = (_base64url(header) + "." + _base64url(body)).encode()
    der = bytes.fromhex("302e020100300506032b657004220420" + private)
    with tempfile.TemporaryDirectory() as folder:
        names = [os.path.join(folder, name) for name in ("key", "in")]
        for name, data in zip(names, (der, signed)):
            with open(name, "wb") as file:
                file.write(data)
        done = subprocess.run(
            ["openssl", "pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", names[0], "-in", names[1]],
            capture_output=True, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    if done.returncode != 0:
        raise rgtest.Failure(f"openssl pkeyutl: {done.stderr.decode()}")
    return _base64url(header) + ".." + _base64url(done.stdout)
