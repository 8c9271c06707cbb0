"""cbdc.py - the steps with digital central-bank money: transfers, locks, limits."""

import time

from rgrails import cbdc_sale

from story.teller import amount, money


def transfer(t):
    t.step("A transfer from wallet to wallet")
    answer = t.post("/v1/payments", cbdc_sale(1250), f"{money(1250)} from w_full")
    payment = t.told(answer)
    t.expect("201 succeeded", (answer.status, payment["status"], payment["captured"]) == (201, "succeeded", 1250))
    t.books("cbdc", ("transfer", "settled", 1250))
    t.done("12.50 moved")


def locked(t):
    t.step("Money is locked, paid out in two parts, and the rest is free again")
    answer = t.post("/v1/payments", cbdc_sale(10000, capture="manual", lock_purpose="groceries"),
                    f"{money(10000)} from w_full, capture manual, for groceries only")  # fmt: skip
    payment = t.told(answer)
    t.expect("201 authorized", (answer.status, payment["status"], payment["capturable"]) == (201, "authorized", 10000))
    t.books("cbdc", ("lock", "locked", 10000))
    path = f"/v1/payments/{payment['id']}"
    for value, taken in ((3000, 3000), (2000, 5000)):
        answer = t.post(path + "/capture", amount(value), money(value))
        now = t.told(answer, f", captured so far {money(answer.json().get('captured', 0))}")
        t.expect(f"captured {money(taken)}", (answer.status, now["captured"]) == (200, taken))
        t.books("cbdc", ("release", "settled", value))
    answer = t.post(path + "/cancel", {}, "")
    now = t.told(answer)
    t.expect("200 succeeded", (answer.status, now["status"], now["captured"], now["capturable"]) == (200, "succeeded", 5000, 0))
    t.books("cbdc", ("cancel", "canceled", 5000))
    t.expect("nothing is locked any more", t.sims["cbdc"].totals()["locked_minor"] == 0)
    t.done("100.00 locked, 50.00 taken, 50.00 free again")


def over_the_limit(t):
    t.step("More than the payer's wallet may pay at once")
    answer = t.post("/v1/payments", cbdc_sale(15001, payer="w_basic"), f"{money(15001)} from w_basic, whose limit is 150.00")
    payment = t.told(answer)
    t.expect("failed, single_limit", (payment["status"], payment["outcome"].get("code")) == ("failed", "single_limit"))
    t.books("cbdc", ("transfer", "declined", 0))
    t.done("refused as a whole")


def lost_request(t):
    t.step("The request is lost before it arrives")
    ledger = t.sims["cbdc"]
    ledger.fault("drop_before_booking", path="/v1/transfers", next=1)
    began = time.monotonic()
    answer = t.post("/v1/payments", cbdc_sale(1300), f"{money(1300)} from w_full, and the request gets lost")
    ledger.calm()
    payment = t.told(answer)
    t.expect("202 processing, unknown", (answer.status, payment["outcome"]["result"]) == (202, "unknown"))
    now = t.stands(payment["id"], settled=True)
    t.line("", f"after {time.monotonic() - began:.1f} s: not found counts only when a late arrival is ruled out")
    t.expect("failed, not_sent", (now["status"], now["outcome"]["result"]) == ("failed", "not_sent"))
    t.books("cbdc")
    t.done("nothing moved; safe to pay again")


def tell(t):
    t.chapter("CBDC: a central bank's ledger over HTTP",
              "Wallets with limits. A hold is a lock, a capture releases a part of it, a cancel unlocks the rest.")  # fmt: skip
    transfer(t)
    locked(t)
    over_the_limit(t)
    lost_request(t)
