"""The wallet provider of scenario tests: railgate-sim wallet as a process of a Stage (rgtest.py), its phones, its
books, and payment codes read and made by hand (a reader of its own, like rgchip.py for chip cards).

    with rgtest.Stage() as stage:
        wallet = rgwallet.start(stage, notice_ca=authority.path)
        ...                             # a payment whose code the merchant shows
        wallet.scan(code=code)          # a phone pays it
        assert [e["amount_minor"] for e in wallet.entries("paid")] == [1250]
"""

import binascii
import json
import re

import rgtest

MERCHANT = "shop-1"
KEY = "0f0e0d0c0b0a09080706050403020100000102030405060708090a0b0c0d0e0f"


class Brain(rgtest.Simulator):
    """A counterpart that speaks HTTP: wallet, bank, cbdc."""

    brain = None

    def __init__(self, stage, name, options):
        super().__init__(stage, name, options)
        self.command = self._command("127.0.0.1:0", "127.0.0.1:0")

    def _command(self, listen, control):
        return [rgtest.simulator_program(), self.brain, "--listen", listen, "--control", control] + self.options

    def start(self, env=None, wait=True):
        rgtest.Process.start(self, env, wait)
        # Started again it must be found where it was.
        if wait:
            control = re.sub(r"^https?://", "", self.ready["control"]).rstrip("/")
            self.command = self._command(self.ready["listen"], control)
        return self

    def fault(self, fault, **rule):
        """This accident instead of any other: path="/v1/orders", method="POST", next=1, ms=..., skip=..."""
        return super().fault(fault, **rule)

    def reset(self):
        return self.call("POST", "/reset")

    def ledger(self):
        """All of it, page by page."""
        whole, start = None, 1
        while start is not None:
            page = self.call("GET", f"/ledger?from={start}")
            if whole is None:
                whole = page
            else:
                whole["entries"] += page["entries"]
            start = page["next"] if page["entries"] else None
        whole["next"] = None
        return whole

    def down(self, milliseconds=-1):
        return self.knobs(down_ms=milliseconds)

    def up(self):
        return self.knobs(down_ms=0)

    def send(self, code):
        raise NotImplementedError("a card host's")

    def drop_links(self, how="reset"):
        raise NotImplementedError("a card host's")


class Wallet(Brain):
    brain = "wallet"

    def scan(self, code=None, order_id=None, **how):
        """A phone scans: phone=, amount="12.50", after_ms=, times=, late=, never=, merchant=. The results."""
        what = {"code": code} if code is not None else {"order_id": order_id}
        return self.call("POST", "/scan", {**what, **how})["results"]

    def present(self, phone="phone-1"):
        """The code that this phone shows, base64."""
        return self.call("POST", "/present", {"phone": phone})["code"]

    def cancel(self, order_id):
        """The provider cancels by itself."""
        return self.call("POST", "/cancel", {"order_id": order_id})

    def orders(self):
        return self.call("GET", "/orders")["orders"]

    def payments(self):
        return self.call("GET", "/payments")["payments"]

    def order(self, order_id):
        return next((row for row in self.orders() if row["order_id"] == order_id), None)

    def settings(self, **settings):
        return self.knobs(settings=settings)

    def net_minor(self):
        """What the merchants' customers paid, less what they got back."""
        signs = {"paid": 1, "charge": 1, "payment": -1}
        kinds = {row["id"]: row["kind"] for row in self.entries() if row["kind"] != "refund" and row["id"]}
        total = 0
        for row in self.entries():
            if row["kind"] == "refund":
                total -= row["amount_minor"] * signs[kinds.get(row["order_id"], "paid")]
            else:
                total += row["amount_minor"] * signs[row["kind"]]
        return total

    def booked_twice(self):
        """The ids of orders, charges, payments and refunds that moved money more than once: must be none."""
        ids = [row["id"] for row in self.entries() if row["id"]]
        return sorted({name for name in ids if ids.count(name) > 1})


def start(stage, *options, settings=None, keys=None, faults=None, notice_ca=None):
    more = list(options)
    knobs = {name: value for name, value in (("settings", settings), ("keys", keys), ("faults", faults)) if value}
    if knobs:
        more += ["--knobs", json.dumps(knobs)]
    if notice_ca:
        more += ["--notice-ca", str(notice_ca)]
    number = sum(isinstance(process, Wallet) for process in stage.processes) + 1
    return Wallet(stage, f"wallet{number}", more).start()


# --- payment codes ------------------------------------------------------------------------------------


def elements(text):
    """Merchant-presented code or template to {id: value}; lengths count characters."""
    found, at = {}, 0
    while at < len(text):
        name, size = text[at:at + 2], int(text[at + 2:at + 4])
        value = text[at + 4:at + 4 + size]
        if len(value) != size or name in found:
            raise rgtest.Failure(f"not a code at {at}: {text}")
        found[name] = value
        at += 4 + size
    return found


def checksum(text):
    """CRC of a code without its last four characters."""
    return f"{binascii.crc_hqx(text.encode(), 0xFFFF):04X}"


def read_code(text):
    """{id: value} after a look at the checksum."""
    if checksum(text[:-4]) != text[-4:].upper():
        raise rgtest.Failure(f"the checksum of {text} is wrong")
    return elements(text)


def element(name, value):
    return f"{name}{len(value):02d}{value}"


def make_code(reference, amount=None, dynamic=True, currency="978", country="DE", name="Other shop", city="Berlin"):
    """A merchant-presented code of somebody else's, to be scanned."""
    text = "000201" + element("01", "12" if dynamic else "11") + element("29", element("00", "org.example.pay"))
    text += element("52", "5999") + element("53", currency) + (element("54", amount) if amount else "")
    text += element("58", country) + element("59", name) + element("60", city)
    text += element("62", element("01", reference)) + "6304"
    return text + checksum(text)
