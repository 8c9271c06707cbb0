"""bank.py - the bank steps of the demo: ISO 20022 messages, sent and awaited."""

import rgbank
from rgbank import bank_receive, bank_send

from story.teller import amount, money


def send(t, value, what, **bank):
    answer = t.post("/v1/payments", bank_send(value, **bank), f"{money(value)} {what}")
    return answer, t.told(answer)


def entry_of(t, payment):
    name = payment["outcome"]["rail"]["end_to_end_id"]
    return next(entry for entry in t.sims["bank"].entries() if entry["id"] == name)


def instant(t):
    t.step("An instant transfer: the bank says at once that it is settled")
    answer, payment = send(t, 2500, "to Customer One, speed instant", speed="instant")
    t.expect("201 succeeded", (answer.status, payment["status"], payment["outcome"].get("code")) == (201, "succeeded", "ACSC"))
    t.line("", f"{payment['outcome']['code']} {payment['outcome']['message']}")
    t.quiet("bank")
    t.books("bank", ("transfer", "booked", 2500))
    t.done("25.00 sent, pain.001 answered ACSC")


def later(t):
    t.step("A transfer that takes its time: 202, then a notice")
    answer, payment = send(t, 9101, "to Customer One (91.01: this bank works on it for a while)")
    t.expect("202 processing", (answer.status, payment["status"]) == (202, "processing"))
    t.books("bank", ("transfer", "pending", 9101))
    now = t.stands(payment["id"], settled=True)
    t.expect("succeeded", (now["status"], now["captured"]) == ("succeeded", 9101))
    t.quiet("bank")
    t.books("bank")
    t.expect("booked now", entry_of(t, payment)["state"] == "booked")
    t.done("91.01 sent, settled by a notice")


def closed_account(t):
    t.step("The other account is closed")
    answer, payment = send(t, 4200, "to a closed account", iban=rgbank.CLOSED, name="Closed Account")
    outcome = payment["outcome"]
    t.expect("failed, AC04", (answer.status, payment["status"], outcome.get("code")) == (201, "failed", "AC04"))
    t.line("", f"category for programs: {outcome['category']}")
    t.books("bank", ("transfer", "rejected", 0))
    t.done("failed, AC04")


def incoming(t):
    t.step("A customer pays by bank transfer")
    answer = t.post("/v1/payments", bank_receive(5000), f"{money(5000)} to be received")
    payment = t.told(answer)
    action = payment["next_action"]
    t.line("", f"to {action['iban']}, {action['name']}, reference {action['reference']}")
    t.expect("202 requires_action", (answer.status, payment["status"]) == (202, "requires_action"))
    t.line("customer", "transfers 50.00 EUR with that reference")
    t.sims["bank"].credit("50.00", reference=action["reference"], debtor="Customer One", debtor_account=rgbank.CUSTOMER)
    now = t.stands(payment["id"], settled=True)
    t.expect("succeeded", (now["status"], now["captured"]) == ("succeeded", 5000))
    t.quiet("bank")
    t.books("bank", ("credit", "booked", 5000))
    answer = t.post(f"/v1/payments/{payment['id']}/refunds", amount(1000), f"{money(1000)}, back to where it came from")
    t.told(answer)
    t.expect("201 succeeded", (answer.status, answer.json().get("status")) == (201, "succeeded"))
    t.quiet("bank")
    t.books("bank", ("transfer", "booked", 1000))
    t.done("50.00 came in, 10.00 given back")


def scanned(t):
    t.step("A scanned code of a European invoice becomes a bank transfer")
    lines = ["BCD", "002", "1", "SCT", "SIMBDEFFXXX", "Customer Two", "DE64990000010000000002", "EUR12.34", "", "RF18539007547034", "", ""]
    t.line("code", " / ".join(lines[:8]))
    body = {**amount(1234), "method": {"type": "qr", "qr": {"mode": "scan", "code": "\n".join(lines)}}}
    answer = t.post("/v1/payments", body, f"{money(1234)}, the code as it was scanned")
    payment = t.told(answer)
    t.line("route", f"{payment['route']['channel']}, scanned: {payment['method'].get('bank', {}).get('scanned')}")
    t.expect("succeeded by bank", (payment["status"], payment["method"]["type"]) == ("succeeded", "bank"))
    t.quiet("bank")
    t.books("bank", ("transfer", "booked", 1234))
    t.done("12.34 sent")


def recalled(t):
    t.step("A transfer is called back before the bank has booked it")
    answer, payment = send(t, 9101, "to Customer One, and the merchant thinks better of it")
    t.expect("202 processing", (answer.status, payment["status"]) == (202, "processing"))
    answer = t.post(f"/v1/payments/{payment['id']}/cancel", {}, "")
    now = t.told(answer)
    t.expect("200 canceled", (answer.status, now["status"]) == (200, "canceled"))
    t.quiet("bank")
    t.books("bank", ("transfer", "rejected", 0), ("recall", "booked", 9101))
    t.done("stopped: camt.056 answered by camt.029")


def called_back(t):
    t.step("A transfer that is booked already is called back")
    _, payment = send(t, 2100, "to Customer One")
    t.expect("succeeded", payment["status"] == "succeeded")
    answer = t.post(f"/v1/payments/{payment['id']}/refunds", {}, "all of it")
    refund = t.told(answer)
    t.line("", f"{refund['outcome'].get('code')} {refund['outcome'].get('message')}")
    t.quiet("bank")
    now = t.stands(payment["id"])
    t.expect("refunded", (answer.status, now["status"], now["refunded"]) == (201, "refunded", 2100))
    t.books("bank", ("transfer", "booked", 2100), ("recall", "booked", 2100), ("return", "booked", 2100))
    t.done("21.00 sent, 21.00 back")


def returned(t):
    t.step("A transfer comes back by itself")
    _, payment = send(t, 2000, "to Customer One")
    t.expect("succeeded", payment["status"] == "succeeded")
    t.line("bank", "the other bank sends it back: AC04, account closed meanwhile")
    t.sims["bank"].give_back(entry_of(t, payment))
    t.quiet("bank")
    now = t.stands(payment["id"])
    t.expect("refunded", (now["status"], now["refunded"]) == ("refunded", 2000))
    t.books("bank", ("transfer", "booked", 2000), ("return", "booked", 2000))
    t.done("20.00 sent, 20.00 back")


def tell(t):
    t.chapter("Bank: ISO 20022 over HTTP, signed XML",
              "Orders go out as pain.001 and are answered with pain.002; what is booked later, what comes in and",
              "what comes back is told by notices (pain.002, camt.054).")  # fmt: skip
    instant(t)
    later(t)
    closed_account(t)
    incoming(t)
    scanned(t)
    recalled(t)
    called_back(t)
    returned(t)
