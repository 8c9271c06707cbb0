"""card.py - the card steps of the demo.

Card numbers in here are test numbers that card schemes publish for sandboxes; none belongs to a person.
"""

import time

import rgtest
from rgtest import DECLINES, MASTERCARD, VISA, authorisation, ops, sale, until

from story.teller import amount, money


def masked(pan):
    return f"card ...{pan[-4:]}"


def approved(t):
    t.step("A sale is approved")
    answer = t.post("/v1/payments", sale(1250, reference="order-1"), f"{money(1250)}, {masked(VISA)}")
    body = t.told(answer)
    t.expect("201 succeeded, all of it captured", (answer.status, body["status"], body["captured"]) == (201, "succeeded", 1250))
    t.books("card", ("sale", "booked", 1250))
    t.done("12.50 taken")
    return body


def declined(t):
    t.step("A sale is declined by the issuer")
    answer = t.post("/v1/payments", sale(990, pan=DECLINES), f"{money(990)}, {masked(DECLINES)}")
    body = t.told(answer)
    t.expect("201 failed, outcome declined", (answer.status, body["status"], body["outcome"]["result"]) == (201, "failed", "declined"))
    t.books("card", ("sale", "declined", 0))
    t.done("failed, 05 do not honour")


def partial_captures(t):
    t.step("A hold, captured in two parts")
    answer = t.post("/v1/payments", authorisation(10000, pan=MASTERCARD), f"{money(10000)}, capture manual, {masked(MASTERCARD)}")
    body = t.told(answer)
    t.expect("201 authorized", (answer.status, body["status"], body["capturable"]) == (201, "authorized", 10000))
    t.books("card", ("authorisation", "booked", 10000))
    path = f"/v1/payments/{body['id']}/capture"
    for value, taken, status in ((6000, 6000, "authorized"), (4000, 10000, "succeeded")):
        answer = t.post(path, amount(value), money(value))
        body = t.told(answer, f", captured so far {money(answer.json().get('captured', 0))}")
        t.expect(f"200 {status}", (answer.status, body["status"], body["captured"]) == (200, status, taken))
        t.books("card", ("capture", "booked", value))
    answer = t.post(path, amount(1), f"{money(1)}: one cent too much")
    t.told(answer)
    t.expect("refused", answer.status in (409, 422))
    t.books("card")
    t.done("60.00 + 40.00 taken, 0.01 more refused")


def refund(t, payment):
    t.step("A part of the first payment is refunded")
    path = f"/v1/payments/{payment['id']}/refunds"
    answer = t.post(path, {**amount(500), "reference": "return-1"}, money(500))
    t.told(answer)
    t.expect("201 succeeded", (answer.status, answer.json().get("status")) == (201, "succeeded"))
    now = t.stands(payment["id"])
    t.expect("partially_refunded", (now["status"], now["refunded"]) == ("partially_refunded", 500))
    t.books("card", ("refund", "booked", 500))
    t.done("5.00 given back")


def repeated(t):
    t.step("The same request comes again")
    key, body = rgtest.fresh_key(), sale(2000)
    first = t.post("/v1/payments", body, f"{money(2000)}, Idempotency-Key {key}", key)
    t.told(first)
    again = t.post("/v1/payments", body, "the same once more, same key", key)
    same = again.body == first.body and again.status == first.status
    t.told(again, f", Idempotent-Replayed: {again.headers.get('idempotent-replayed')}, "
                  f"{'byte for byte the same' if same else 'ANOTHER ANSWER'}")  # fmt: skip
    t.expect("a replayed, identical answer", same and again.replayed)
    other = t.post("/v1/payments", sale(2001), f"{money(2001)} with that key", key)
    t.told(other)
    t.expect("422", other.status == 422)
    t.books("card", ("sale", "booked", 2000))
    t.done("20.00 taken once")


def lost_answer(t):
    t.step("The card host's answer is lost")
    host = t.sims["card"]
    host.fault("drop_after_booking", mti="0200", next=1)
    began = time.monotonic()
    answer = t.post("/v1/payments", sale(3000), f"{money(3000)}, and the answer gets lost")
    t.told(answer)
    host.calm()
    payment = t.client.final(answer.json()["id"], 20)
    t.line("payment", f"{payment['status']} after {time.monotonic() - began:.1f} s; its timeline:")
    t.timeline(payment["id"])
    t.expect("reversed", payment["status"] == "reversed" and payment["captured"] == 0)
    t.books("card", ("sale", "reversed", 3000), ("reversal", "booked", 3000))
    t.done("30.00 booked and reversed")


def exact(t):
    t.step("An amount that no card message can carry")
    answer = t.post("/v1/payments", sale(9007199254740993), "value 9007199254740993")
    body = t.told(answer)
    t.expect("422 that names the number", answer.status == 422 and "9007199254740993" in body["detail"])
    t.books("card")
    t.done("refused, with the reason")


def other_channel(t):
    t.step("The card host is down: the payment takes the other channel")
    t.sims["card"].knobs(down_ms=-1)
    gateway = t.actors.gateway
    until("the gateway has noticed", lambda: b"0 of 2 links ready" in ops(gateway, "/readyz").body)
    answer = t.post("/v1/payments", sale(1500), f"{money(1500)}, {masked(VISA)}")
    body = t.told(answer)
    t.line("route", body["route"]["channel"])
    t.line("", body["route"]["why"])
    t.expect("succeeded on card_reserve", (body["status"], body["route"]["channel"]) == ("succeeded", "card_reserve"))
    t.books("card")
    t.books("card_reserve", ("sale", "booked", 1500))
    t.sims["card"].calm()
    t.done("15.00 taken by card_reserve")


def tell(t):
    t.chapter("Cards: ISO 8583 over TCP, with MACs",
              "The card host answers at once. What it does not answer is undone, so that it is known.")  # fmt: skip
    first = approved(t)
    declined(t)
    partial_captures(t)
    refund(t, first)
    repeated(t)
    lost_answer(t)
    exact(t)
    other_channel(t)
