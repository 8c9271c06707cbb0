"""books.py - the last step: the books of every counterpart against the gateway's records.

tests/support/rgledger.py and rgbank.py compare payment by payment and attempt by attempt, and raise Failure with every
difference. The sums told here are added up once from the gateway's payments and once from the other side's books.
"""

import datetime
import json
import os
import urllib.request

import rgbank
import rgledger
import rgtest

from story.teller import money

MERCHANT_WALLET = "w_merchant"


def signed(minor):
    return ("-" if minor < 0 else "") + money(abs(minor))


def ours(payments, rail):
    """What came in by this rail less what went out and what was given back, by the gateway's records."""
    total = 0
    for payment in payments:
        if payment["method"]["type"] == rail:
            details = payment["method"].get(rail, {})
            outwards = details.get("mode") == "scan" or details.get("direction") == "send" or "scanned" in details
            net = payment["captured"] - payment["refunded"]
            total += -net if outwards else net
    return total


def wallet_of(ledger):
    return ledger.wallet(MERCHANT_WALLET)["balance_minor"]


def compare(t, opening):
    actors, client = t.actors, t.client
    t.step("All books, payment by payment")
    rgledger.settle(client)
    cards = [actors.card] + ([actors.reserve] if actors.reserve else [])
    checks = (
        ("card", cards, sum(host.totals()["charged_minor"] for host in cards),
         lambda: rgledger.compare(client, cards, channels=["card_demo", "card_reserve"])),
        ("qr", [actors.wallet], actors.wallet.net_minor(),
         lambda: rgledger.compare_wallet(client, actors.wallet, channels=["wallet"])),
        ("bank", [actors.bank], actors.bank.moved(rgbank.MERCHANT),
         lambda: rgbank.compare_bank(client, actors.bank, channels=["bank"])),
        ("cbdc", [actors.ledger], wallet_of(actors.ledger) - opening,
         lambda: rgledger.compare_cbdc(client, actors.ledger, channels=["cbdc"])),
    )  # fmt: skip
    payments = client.payments()
    for rail, sims, theirs, check in checks:
        try:
            check()
        except rgtest.Failure as failure:
            t.expect(f"{rail}: the same on both sides, but: {failure}", False)
            continue
        count = sum(payment["method"]["type"] == rail for payment in payments)
        mine = ours(payments, rail)
        entries = sum(len(sim.entries()) for sim in sims)
        t.line(rail, f"{count} payments, {signed(mine)} here; {entries:2} entries, {signed(theirs)} there")
        t.expect(f"{rail}: equal sums", mine == theirs)
    t.line("", "(what came in, less what was given back or paid to others)")
    t.done(f"{len(payments)} payments, and every entry has its attempt")


def reconcile(t):
    """What an operator does the next day, with the card host's own record; then with one that lacks a line."""
    host, gateway = t.actors.card, t.actors.gateway
    path = os.path.join(gateway.place, "settlement.csv")
    t.step("The card host's own record, compared by the operator")
    yesterday = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)).strftime("%Y-%m-%d")
    lines = 0
    for faults in ([], [{"fault": "omit", "line": 1}]):
        host.knobs(settlement={"seed": 1, "faults": faults})
        with urllib.request.urlopen(f"{host.control_url.rstrip('/')}/settlement") as answer, open(path, "wb") as file:
            file.write(answer.read())
        command = ["reconcile", "--channel", "card_demo", "--from", yesterday, "--tolerance", "0s", "--json", "--file"]
        t.line("operator", " ".join(["railgate", *command, "settlement.csv"]))
        if faults:
            t.plain("(a record without its first line)")
        code, out, _ = gateway.cli(*command, path, code=None)
        told = json.loads(out)
        for row in told["found"]:
            here, there = money(row["here_minor"]), money(row["there_minor"])
            t.plain(f"{row['kind']}  {here} here, {there} there  {row['attempt']}")
        summary = told["summary"]
        t.plain(f"{summary['lines']} lines, {summary['matched']} attempts match, {summary['differences']} differ")
        right = (code, summary["differences"]) == (len(faults), len(faults))
        t.expect(f"exit code {len(faults)}, {len(faults)} differences", right)
        lines = max(lines, summary["lines"])
    host.knobs(settlement={"faults": []})
    t.done(f"{lines} lines match; a missing one is found, and named")
