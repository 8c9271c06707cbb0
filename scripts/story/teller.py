"""teller.py - tells what happens, and holds it against what should.

A step is told in lines with a word in front:

    sent      what the merchant posted
    came      what railgate answered
    wire      what went between railgate and the other side, as the other side's own log has it
    phone, bank ...  what somebody else did
    because   a rule of the region profile that spoke
    payment   how it stands
    books     new entries in the other side's own books

`expect` and `books` compare; what is not as it should be is told with WRONG, and the demo ends with exit code 1.
"""

import json
import re
from textwrap import wrap

from rgtest import until

WIDTH = 104  # letters of a line's text
NAMES = {"card": "card host", "card_reserve": "reserve host", "wallet": "wallet provider", "bank": "bank", "cbdc": "central bank"}


def money(minor, currency="EUR"):
    return f"{minor // 100}.{minor % 100:02d} {currency}"


def amount(minor):
    return {"amount": {"value": minor, "currency": "EUR"}}


class Teller:
    def __init__(self, actors):
        self.actors, self.client = actors, actors.client
        self.sims = actors.simulators()
        self.rows = []  # (title, in short, right or not)
        self.title, self.wrong = "", []
        self.told_entries = dict.fromkeys(self.sims, 0)
        self.told_log = {name: len(sim.log_text()) for name, sim in self.sims.items()}

    # --- telling

    def chapter(self, title, *lines):
        print(f"\n\n=== {title}\n")
        for line in lines:
            print(f"    {line}")

    def step(self, title):
        self.title, self.wrong = title, []
        print(f"\n{len(self.rows) + 1}. {title}")

    def line(self, word, text):
        lines = [text] if word == "code" or len(text) <= WIDTH else wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
        for at, part in enumerate(lines):
            print(f"     {'' if at else word:<9} {part}")

    def plain(self, text):
        """A line of something longer, as it is."""
        print(f"               {text}".rstrip())

    def expect(self, what, right):
        if not right:
            self.wrong.append(what)
            self.line("WRONG", f"expected: {what}")

    def done(self, in_short):
        """Ends the step; in_short is for the summary."""
        self.rows.append((self.title, in_short, not self.wrong))

    # --- merchant and gateway

    def post(self, path, body, what, key=None):
        self.line("sent", f"POST {path}  {what}".rstrip())
        return self.client.post(path, body, key)

    def told(self, answer, more=""):
        body = answer.json()
        if answer.status >= 400:
            self.line("came", f"{answer.status} {body['code']}")
            self.line("", body["detail"])
            for error in body.get("errors", []):
                if error["detail"] != body["detail"]:
                    self.line("", f"{error['pointer']}: {error['detail']}")
            return body
        outcome = body.get("outcome") or {}
        words = [str(answer.status), body["status"]]
        if outcome.get("message") and body["status"] in ("failed", "processing", "reversed"):
            code = outcome.get("code", "")
            words.append(f"({outcome['message']})" if code in ("", body["status"]) else f"({code} {outcome['message']})")
        if body.get("next_action"):
            words[-1] += f", next_action {body['next_action']['type']}"
        self.line("came", " ".join(words) + more)
        return body

    def stands(self, payment_id, *, settled=False):
        """How the payment stands now, or once nobody has to wait for it any more."""
        if settled:
            payment = until(f"{payment_id} is settled", lambda: self._settled(payment_id), 20)
        else:
            payment = self.client.payment(payment_id)
        text = payment["status"]
        if payment["captured"]:
            text += f", captured {money(payment['captured'])}"
        if payment["refunded"]:
            text += f", refunded {money(payment['refunded'])}"
        if payment["status"] == "failed":
            outcome = payment["outcome"]
            text += f" ({outcome.get('code', '')} {outcome.get('message', '')})"
        self.line("payment", text)
        return payment

    def _settled(self, payment_id):
        payment = self.client.payment(payment_id)
        return payment if payment["status"] not in ("processing", "requires_action") else None

    def timeline(self, payment_id):
        """Every record of the payment; a step that comes again and again is told once."""
        last = None
        for event in self.client.events(payment_id):
            data = event["data"]
            line = f"{event['kind']:<24} {data.get('operation', '')} {data.get('reason', '')}".rstrip()
            if line != last:
                self.line("", line)
            last = line

    # --- the other side

    def quiet(self, name):
        """Waits until the counterpart has nothing more to tell."""
        idle = ("notices_in_flight", "notices_waiting", "answers_waiting")
        until(f"{NAMES[name]} has told everything", lambda: not any(self.sims[name].stats()["http"][what] for what in idle))

    def _wire(self, name):
        """What the counterpart's log says since the last time."""
        text = self.sims[name].log_text()
        new, self.told_log[name] = text[self.told_log[name] :], len(text)
        rows = [json.loads(row) for row in new.splitlines() if row.startswith("{")]
        lines = (card_wire if name.startswith("card") else http_wire)(rows, NAMES[name])
        for line in [line for at, line in enumerate(lines) if at == 0 or lines[at - 1] != line]:
            self.line("wire", line)

    def books(self, name, *expected):
        """Tells what the counterpart heard and said, and the new entries of its books; compares those with
        (kind, state, booked amount)."""
        self._wire(name)
        entries = self.sims[name].entries()
        new, self.told_entries[name] = entries[self.told_entries[name] :], len(entries)
        got = [(entry["kind"], entry["state"], booked(entry)) for entry in new]
        for (kind, state, minor), entry in zip(got, new):
            asked = f" ({entry['message']})" if entry.get("message") else ""
            self.line("books", f"{NAMES[name]}: {kind}{asked}, {state}" + (f", {money(minor)}" if minor else ""))
        if not got:
            self.line("books", f"{NAMES[name]}: nothing new")
        self.expect(f"{NAMES[name]}: {list(expected)}", got == list(expected))

    # --- the end

    def summary(self):
        width = max(len(title) for title, _, _ in self.rows)
        line = "-" * (width + max(len(short) for _, short, _ in self.rows) + 15)
        print("\n" + line)
        for number, (title, short, right) in enumerate(self.rows, 1):
            print(f"  {'ok   ' if right else 'WRONG'}  {number:2}. {title:<{width}}  {short}")
        print(line)
        wrong = sum(not right for _, _, right in self.rows)
        print(f"  {len(self.rows) - wrong} of {len(self.rows)} steps went as expected")
        return 0 if wrong == 0 else 1


def booked(entry):
    if entry["state"] in ("declined", "rejected"):
        return 0
    return entry.get("approved_minor", entry["amount_minor"])


def card_wire(rows, _):
    """Request and answer by trace number. Sign-on and echoes are not told."""
    answers = {(row["stan"], row["mti"]): row for row in rows if row["id"] == "card.answer"}
    lines = []
    for row in rows:
        if row["id"] in ("card.request", "card.answer") and row["mti"] in ("0100", "0200", "0220", "0400", "0420"):
            answer = answers.get((row["stan"], f"{int(row['mti']) + 10:04d}"))
            lost = answer is None or "drop" in answer["faults"]
            back = "no answer" if lost else f"{answer['mti']} back, response {answer['response']}"
            lines.append(f"{row['mti']} to the card host, {back}")
    return lines


def http_wire(rows, who):
    lines = []
    for row in rows:
        kind = row["id"].partition(".")[2]
        target = re.sub(r"^https?://[^/]+", "", row.get("target", ""))
        back = f"{row.get('status')} back" if row.get("status") else "no answer"
        if kind in ("request", "lost"):
            lines.append(f"{row['method']} {target} to the {who}, {'no answer' if 'drop' in row['faults'] else back}")
        elif kind == "notice_done":
            lines.append(f"{row['method']} {target} from the {who}, {back}")
    return lines
