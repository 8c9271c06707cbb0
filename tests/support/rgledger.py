"""rgledger - do the gateway's records and the card host's books tell the same story?

    compare(client, sim)              # raises Failure with every difference, or returns a summary
    compare([client, ...], sim)       # several merchants on one card host
    settle(client)                    # waits until no payment and no operation is open

What is compared, payment by payment: each attempt that the payment's timeline shows is looked up in the
card host's books by its trace number, time and terminal; each entry of the books must belong to an attempt. An
approved attempt must be booked, once, with its amount; a reversed, declined or unsent one must have left
no money behind; the sums of captures and refunds must be those of the payment. Attempts that wait for a
person (conflict, parked) are listed, not judged: `allow_open`.
"""

from rgtest import Failure, until

MONEY = ("authorise", "sale", "capture", "refund", "cancel")


class Attempt:
    def __init__(self, payment, attempt_id):
        self.payment, self.id = payment, attempt_id
        self.operation = self.state = self.of = None
        self.amount, self.tries = 0, 1
        self.stan = self.time = self.terminal = None
        self.entry = None

    def __repr__(self):
        return f"{self.operation} {self.id} of {self.payment} ({self.state}, STAN {self.stan})"


def attempts_of(events, payment_id):
    """The attempts that a timeline tells of, in order."""
    found = {}
    for event in events:
        data = event["data"]
        if not event["kind"].startswith("attempt."):
            continue
        attempt = found.setdefault(data["attempt"], Attempt(payment_id, data["attempt"]))
        attempt.operation, attempt.state = data["operation"], data["state"]
        attempt.amount = data["amount"]
        attempt.of = data.get("of_attempt", attempt.of)
        attempt.tries = max(attempt.tries, data.get("tries", 1))
        refs = data.get("refs") or {}
        if event["kind"] == "attempt.sending":
            attempt.stan, attempt.time = refs.get("stan"), refs.get("time")
            attempt.terminal = refs.get("terminal", "").strip()
        if event["kind"] == "attempt.reversed" and attempt.of in found:
            found[attempt.of].state = "reversed"
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
    def __init__(self, clients, sims, allow_open):
        self.differences, self.open, self.allow_open = [], [], allow_open
        self.entries, self.payments, self.attempts, self.canceled = [], [], [], set()
        for number, sim in enumerate(sims):
            self.entries += [dict(row, sim=number) for row in sim.ledger()["entries"]]
        for client in clients:
            for payment in client.payments():
                self.payments.append(payment)
                attempts = attempts_of(client.events(payment["id"]), payment["id"])
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
        if any(a.state in ("conflict", "parked") for a in attempts):
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


def compare(clients, sims, allow_open=False):
    """Returns {"payments", "entries", "captured", "refunded", "open"}; raises Failure."""
    clients = clients if isinstance(clients, list) else [clients]
    sims = sims if isinstance(sims, list) else [sims]
    work = Comparison(clients, sims, allow_open)
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
