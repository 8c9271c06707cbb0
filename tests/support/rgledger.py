"""rgledger - do the gateway's records and the card host's books tell the same story?

    compare(client, sim)              # raises Failure with every difference, or returns a summary
    compare([client, ...], sim)       # several merchants on one card host
    compare_wallet(client, wallet)    # the same with a wallet provider (rgwallet.py)
    compare_cbdc(client, ledger)      # and with a central bank's ledger (rgrails.py)
    settle(client)                    # waits until no payment and no operation is open

What is compared, payment by payment: each attempt that the payment's timeline shows is looked up in the
card host's books by its trace number, time and terminal; each entry of the books must belong to an attempt. An
approved attempt must be booked, once, with its amount; a reversed, declined or unsent one must have left
no money behind; the sums of captures and refunds must be those of the payment. Attempts that wait for a
person (conflict, parked) are listed, not judged: `allow_open`. With several rails in one gateway, `channels`
names those whose attempts are in these books.
"""

from rgtest import Failure, until

MONEY = ("authorise", "sale", "capture", "refund", "cancel")


class Attempt:
    def __init__(self, payment, attempt_id):
        self.payment, self.id = payment, attempt_id
        self.operation = self.state = self.of = self.channel = self.reference = None
        self.amount, self.tries = 0, 1
        self.stan = self.time = self.terminal = None
        self.entry = None

    def __repr__(self):
        return f"{self.operation} {self.id} of {self.payment} ({self.state}, STAN {self.stan})"


# What an inquiry or reversal says of the attempt that it is about; None: what it found.
OF_THE_SUBJECT = {
    "attempt.reversed": "reversed",
    "attempt.found": None,
    "attempt.conflict": "conflict",
    "attempt.parked": "parked",
}


def attempts_of(events, payment_id):
    """The attempts that a timeline tells of, in order."""
    found = {}
    for event in events:
        data = event["data"]
        if not event["kind"].startswith("attempt."):
            continue
        attempt = found.setdefault(data["attempt"], Attempt(payment_id, data["attempt"]))
        attempt.operation, attempt.state = data["operation"], data["state"]
        attempt.channel = data.get("channel", attempt.channel)
        attempt.amount = data["amount"]
        attempt.of = data.get("of_attempt", attempt.of)
        attempt.tries = max(attempt.tries, data.get("tries", 1))
        refs = data.get("refs") or {}
        attempt.reference = refs.get("reference", attempt.reference)
        if event["kind"] == "attempt.sending":
            attempt.stan, attempt.time = refs.get("stan"), refs.get("time")
            attempt.terminal = refs.get("terminal", "").strip()
        if attempt.of in found and event["kind"] in OF_THE_SUBJECT:
            found[attempt.of].state = OF_THE_SUBJECT[event["kind"]] or data["state"]
    return list(found.values())


UNSETTLED = ("sending", "unknown", "reversing", "pending")


def is_open(client):
    """The first payment found that is not settled: processing, or with an attempt that is not. A conflict
    or what is parked waits for a person and is not open."""
    for payment in client.payments():
        attempts = attempts_of(client.events(payment["id"]), payment["id"])
        if any(a.state in ("conflict", "parked") for a in attempts):
            continue
        if payment["status"] == "processing" or any(a.state in UNSETTLED for a in attempts):
            return payment["id"]
    return None


def settle(client, seconds=20):
    until("nothing is open any more", lambda: not is_open(client), seconds)


def net(entry):
    """What an entry of the card host's books still moves or holds."""
    if entry["state"] not in ("booked", "reversed"):
        return 0
    return entry["approved_minor"] - entry["reversed_minor"]


class Comparison:
    def __init__(self, clients, sims, allow_open, channels=None):
        self.differences, self.open, self.allow_open, self.channels = [], [], allow_open, channels
        self.entries, self.payments, self.attempts, self.canceled = [], [], [], set()
        for number, sim in enumerate(sims):
            self.entries += [dict(row, sim=number) for row in sim.ledger()["entries"]]
        for client in clients:
            for payment in client.payments():
                self.payments.append(payment)
                attempts = attempts_of(client.events(payment["id"]), payment["id"])
                attempts = [a for a in attempts if channels is None or a.channel in channels]
                self.attempts += attempts
                payment["attempts"] = attempts

    def differ(self, text):
        self.differences.append(text)

    def match(self):
        by_trace = {(a.stan, a.time, a.terminal, a.operation in ("reverse", "cancel")): a for a in self.attempts}
        for entry in self.entries:
            undo = entry["kind"] == "reversal"
            attempt = by_trace.get((entry["stan"], entry["transmitted"], entry["terminal"], undo))
            if attempt is None:
                self.differ(f"the card host has booked what no record tells of: {describe(entry)}")
            else:
                attempt.entry = entry
            if entry["booked"] > 1:
                self.differ(f"booked {entry['booked']} times: {describe(entry)}")

    def attempt(self, a):
        entry = a.entry
        booked = entry is not None and entry["state"] == "booked"
        if a.operation not in MONEY:
            return
        if a.state in ("conflict", "parked"):
            self.open.append(a)
        elif a.state in UNSETTLED:
            self.differ(f"not settled: {a}")
        elif a.state == "approved":
            given_back = a.operation == "authorise" and entry and a.payment in self.canceled
            if not booked and not given_back and not (a.operation == "cancel" and entry):
                there = describe(entry) if entry else "nothing"
                self.differ(f"approved, but the card host has {there}: {a}")
            elif a.operation in ("sale", "refund", "capture") and entry["approved_minor"] > a.amount:
                self.differ(f"booked more than asked: {a}: {describe(entry)}")
        elif entry is not None and net(entry) != 0 and a.operation != "cancel":
            self.differ(f"{a.state}, but money is booked: {a}: {describe(entry)}")

    def sums(self, payment):
        attempts = payment["attempts"]
        of_other_books = self.channels is not None and not attempts
        if of_other_books or any(a.state in ("conflict", "parked") for a in attempts):
            return
        captured = sum(net(a.entry) for a in attempts if a.entry and a.operation in ("sale", "capture"))
        refunded = sum(net(a.entry) for a in attempts if a.entry and a.operation == "refund")
        for name, theirs in (("captured", captured), ("refunded", refunded)):
            if payment[name] != theirs:
                self.differ(f"{payment['id']}: {name} is {payment[name]} here and {theirs} at the card host")

        holds = [a.entry for a in attempts if a.entry and a.operation == "authorise"]
        held = sum(net(entry) - entry["captured_minor"] for entry in holds)
        here = payment["capturable"] if payment["status"] == "authorized" else 0
        if payment["status"] in ("authorized", "canceled") and held != here:
            self.differ(f"{payment['id']}: {here} can still be captured here, and {held} is held at the card host")

    def run(self):
        self.match()
        self.canceled = {a.payment for a in self.attempts if a.operation == "cancel" and a.state == "approved"}
        for attempt in self.attempts:
            self.attempt(attempt)
        for payment in self.payments:
            self.sums(payment)
        if self.open and not self.allow_open:
            self.differences += [f"waits for a person: {a}" for a in self.open]


def describe(entry):
    return (
        f"entry {entry['number']} {entry['kind']} {entry['state']} {entry['approved_minor']} of "
        f"{entry['amount_minor']} (MTI {entry['mti']}, STAN {entry['stan']}, response {entry['response']}, "
        f"{entry['arrivals']} arrivals)"
    )


def compare(clients, sims, allow_open=False, channels=None):
    """Returns {"payments", "entries", "captured", "refunded", "open"}; raises Failure."""
    clients = clients if isinstance(clients, list) else [clients]
    sims = sims if isinstance(sims, list) else [sims]
    work = Comparison(clients, sims, allow_open, channels)
    work.run()
    if work.differences:
        raise Failure("the ledgers differ:\n  " + "\n  ".join(work.differences))
    for sim in sims:
        twice = sim.totals()["booked_more_than_once"]
        if twice != 0:
            raise Failure(f"the card host booked {twice} entries more than once")
    return {
        "payments": len(work.payments),
        "entries": len(work.entries),
        "captured": sum(p["captured"] for p in work.payments),
        "refunded": sum(p["refunded"] for p in work.payments),
        "open": work.open,
    }


# --- books whose entries name the attempt ------------------------------------------------------------

# Which entry an approved operation must have. A cancel of a code moves nothing and has none.
ENTRY_OF = {
    "sale": ("paid", "charge", "payment", "transfer", "issue", "redeem"),
    "authorise": ("lock",),
    "capture": ("release",),
    "cancel": ("cancel",),
    "refund": ("refund", "transfer"),
}


def told(entry):
    return f"{entry['kind']} {entry['id'] or entry.get('reference')} {entry['amount_minor']} {entry['currency']} {entry['state']}"


class NamedComparison:
    """Wallet providers and ledgers: an entry's id is the attempt that asked for it. `entries` are those that
    moved money; a payment of a static code has only the code's reference."""

    def __init__(self, clients, channels, entries, allow_open):
        self.differences, self.open, self.surplus = [], [], []
        self.entries, self.allow_open = entries, allow_open
        self.payments, self.attempts = [], []
        for client in clients:
            for payment in client.payments():
                attempts = attempts_of(client.events(payment["id"]), payment["id"])
                payment["attempts"] = [a for a in attempts if channels is None or a.channel in channels]
                self.payments.append(payment)
                self.attempts += payment["attempts"]

    def differ(self, text):
        self.differences.append(text)

    def match(self):
        money = [a for a in self.attempts if a.operation in MONEY]
        by_id = {a.id: a for a in money}
        by_reference = {a.reference: a for a in money if a.operation == "sale" and a.reference}
        for entry in self.entries:
            attempt = by_id.get(entry["id"]) if entry["id"] else by_reference.get(entry.get("reference"))
            if attempt is None:
                self.differ(f"booked there, and no record tells of it: {told(entry)}")
            elif attempt.entry is None:
                attempt.entry = entry
            elif entry["id"]:
                self.differ(f"booked twice: {told(entry)}: {attempt}")
            else:
                self.surplus.append(entry)  # paper is paid as often as somebody scans it

    def attempt(self, a):
        if a.operation not in MONEY:
            return
        if a.state in ("conflict", "parked"):
            self.open.append(a)
        elif a.state in UNSETTLED:
            self.differ(f"not settled: {a}")
        elif a.state != "approved":
            if a.entry is not None:
                self.differ(f"{a.state}, but money moved: {a}: {told(a.entry)}")
        elif a.entry is None:
            if a.operation != "cancel" or self.cancel_must_be_booked(a):
                self.differ(f"approved, but nothing is booked there: {a}")
        elif a.entry["kind"] not in ENTRY_OF[a.operation]:
            self.differ(f"approved as {a.operation}, and booked as {told(a.entry)}: {a}")
        elif a.operation != "cancel" and a.entry["amount_minor"] != a.amount:
            self.differ(f"{a.amount} here and {told(a.entry)} there: {a}")

    def sums(self, payment):
        attempts = [a for a in payment["attempts"] if a.operation in MONEY]
        if not attempts or any(a.state in ("conflict", "parked") for a in attempts):
            return
        for name, operations in (("captured", ("sale", "capture")), ("refunded", ("refund",))):
            rows = [a.entry for a in attempts if a.entry and a.operation in operations]
            theirs = sum(row["amount_minor"] for row in rows)
            if payment[name] != theirs:
                self.differ(f"{payment['id']}: {name} is {payment[name]} here and {theirs} there")
            for row in rows:
                if row["currency"] != payment["amount"]["currency"]:
                    self.differ(f"{payment['id']} is in {payment['amount']['currency']} here, and there {told(row)}")

    def cancel_must_be_booked(self, attempt):
        raise NotImplementedError

    def more(self):
        """What only these books can tell."""

    def run(self):
        self.match()
        for attempt in self.attempts:
            self.attempt(attempt)
        for payment in self.payments:
            self.sums(payment)
        self.more()
        if self.open and not self.allow_open:
            self.differences += [f"waits for a person: {a}" for a in self.open]
        if self.differences:
            raise Failure("the ledgers differ:\n  " + "\n  ".join(self.differences))
        return {"payments": len(self.payments), "entries": len(self.entries), "open": self.open, "surplus": self.surplus}


class WalletComparison(NamedComparison):
    def __init__(self, clients, channels, wallet, allow_open):
        super().__init__(clients, channels, wallet.entries(), allow_open)
        self.orders = {row["order_id"]: row["state"] for row in wallet.orders() if row["order_id"]}

    def cancel_must_be_booked(self, attempt):
        return False  # it moves nothing: see more()

    def more(self):
        """Whoever is told that nobody paid must be able to rely on it: the order is closed there."""
        status = {payment["id"]: payment["status"] for payment in self.payments}
        for a in self.attempts:
            there = self.orders.get(a.id)
            if there == "open" and status[a.payment] not in ("requires_action", "processing"):
                self.differ(f"{status[a.payment]}, and the order is still open there: {a}")


class LedgerComparison(NamedComparison):
    def __init__(self, clients, channels, ledger, allow_open):
        rows = [row for row in ledger.entries() if row["kind"] != "expire"]
        super().__init__(clients, channels, [row for row in rows if row["state"] != "declined"], allow_open)
        self.proof = ledger.check()

    def cancel_must_be_booked(self, attempt):
        """Unless there was nothing left to give back, because the lock had expired."""
        locks = [a.entry for a in self.attempts if a.payment == attempt.payment and a.operation == "authorise" and a.entry]
        return not any(row["state"] == "expired" and row["locked_minor"] == 0 for row in locks)

    def more(self):
        if not (self.proof["balanced"] and self.proof["replayed"]):
            self.differ(f"the ledger contradicts itself: {self.proof}")
        for payment in self.payments:
            locks = [a.entry for a in payment["attempts"] if a.operation == "authorise" and a.entry]
            if not payment["attempts"] or any(a.state in ("conflict", "parked") for a in payment["attempts"]):
                continue
            held = sum(row["locked_minor"] for row in locks)
            expired = any(row["state"] == "expired" for row in locks)
            if held != payment["capturable"] and not expired:
                self.differ(f"{payment['id']}: {payment['capturable']} can be captured here, {held} is locked there")


def many(clients):
    return clients if isinstance(clients, list) else [clients]


def compare_wallet(clients, wallet, allow_open=False, channels=None):
    """Returns {"payments", "entries", "open", "surplus"}; raises Failure. surplus: payments of a static code
    beyond the first."""
    return WalletComparison(many(clients), channels, wallet, allow_open).run()


def compare_cbdc(clients, ledger, allow_open=False, channels=None):
    return LedgerComparison(many(clients), channels, ledger, allow_open).run()
