"""scripts/demo.py - a card host and a gateway, payments through both, and what each side's books say.

Started by scripts/demo, which installs and builds first. Everything is on loopback, on free ports, in
var/demo/. With --serve both stay up until SIGINT or SIGTERM.

Card numbers in here are test numbers that card schemes publish for sandboxes; none belongs to a person.
"""

import http.client
import json
import os
import shutil
import signal
import sys
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), ".."))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))

import rgtest  # pylint: disable=wrong-import-position
from rgledger import compare, settle  # pylint: disable=wrong-import-position
from rgtest import DECLINES, MASTERCARD, VISA, authorisation, sale  # pylint: disable=wrong-import-position

DEMO = os.environ.get("RAILGATE_DEMO_FOLDER") or os.path.join(ROOT, "var", "demo")
READY = os.path.join(DEMO, "ready.json")

# A time-out shall not bore anybody, and what is unknown is resolved at once.
CHANNEL = {
    "deadline": "1s",
    "reversal": {"first_delay": "100ms", "retry_every": "1s"},
    "settings": {"merchant_name_location": "Corner shop          Berlin       DE"},
}


def money(minor, currency="EUR"):
    return f"{minor // 100}.{minor % 100:02d} {currency}"


def masked(pan):
    return f"card ...{pan[-4:]}"


class Wrong(Exception):
    """A step did not match its expectation."""


class Demo:
    """One step after the other, told as it goes."""

    def __init__(self, gateway, sim, client):
        self.gateway, self.sim, self.client = gateway, sim, client
        self.rows = []  # (title, in short, right or not)
        self.seen = 0  # entries of the card host's books that were told already
        self.title, self.wrong = "", []

    # --- telling

    def step(self, title):
        self.title, self.wrong = title, []
        print(f"\n{len(self.rows) + 1}. {title}")

    def sent(self, text):
        print(f"     sent      {text}")

    def got(self, text):
        print(f"     came      {text}")

    def expect(self, what, right):
        if not right:
            self.wrong.append(what)
            print(f"     WRONG     expected: {what}")

    def books(self, *expected):
        """Tells the new entries of the card host and compares them with (kind, state, booked amount)."""
        entries = self.sim.entries()
        new, self.seen = entries[self.seen :], len(entries)
        told = [(e["kind"], e["state"], e["approved_minor"] if e["state"] != "declined" else 0) for e in new]
        for kind, state, amount in told:
            print(f"     card host {kind}, {state}" + (f", {money(amount)}" if amount else ""))
        if not told:
            print("     card host nothing new in its books")
        self.expect(f"card host: {list(expected)}", told == list(expected))

    def done(self, in_short):
        """Ends the step; in_short is for the summary."""
        self.rows.append((self.title, in_short, not self.wrong))

    # --- asking

    def post(self, path, body, what, key=None):
        self.sent(f"POST {path}  {what}")
        return self.client.post(path, body, key)

    def told(self, answer, more=""):
        body = answer.json()
        if answer.status >= 400:
            self.got(f"{answer.status} {body['code']}")
            print(f"               {body['detail']}")
            for error in body.get("errors", []):
                print(f"               {error['pointer']}: {error['detail']}")
            return body
        outcome = body.get("outcome") or {}
        words = [str(answer.status), body["status"]]
        if outcome.get("message") and outcome.get("result") != "approved":
            words.append(f"({outcome.get('code', '')} {outcome['message']})")
        self.got(" ".join(words) + more)
        return body


# --- the story -----------------------------------------------------------------------------------


def approved(demo):
    demo.step("A sale is approved")
    answer = demo.post("/v1/payments", sale(1250, reference="order-1"), f"{money(1250)}, {masked(VISA)}")
    body = demo.told(answer)
    demo.expect("201 succeeded, all of it captured", (answer.status, body["status"], body["captured"]) == (201, "succeeded", 1250))
    demo.books(("sale", "booked", 1250))
    demo.done("12.50 taken")
    return body


def declined(demo):
    demo.step("A sale is declined by the issuer")
    answer = demo.post("/v1/payments", sale(990, pan=DECLINES), f"{money(990)}, {masked(DECLINES)}")
    body = demo.told(answer)
    demo.expect("201 failed, outcome declined", (answer.status, body["status"], body["outcome"]["result"]) == (201, "failed", "declined"))
    demo.books(("sale", "declined", 0))
    demo.done("failed, 05 do not honour")


def partial_captures(demo):
    demo.step("A hold, captured in two parts")
    answer = demo.post("/v1/payments", authorisation(10000, pan=MASTERCARD), f"{money(10000)}, capture manual, {masked(MASTERCARD)}")
    body = demo.told(answer)
    demo.expect("201 authorized", (answer.status, body["status"], body["capturable"]) == (201, "authorized", 10000))
    demo.books(("authorisation", "booked", 10000))
    path = f"/v1/payments/{body['id']}/capture"
    for amount, taken, status in ((6000, 6000, "authorized"), (4000, 10000, "succeeded")):
        answer = demo.post(path, {"amount": {"value": amount, "currency": "EUR"}}, money(amount))
        body = demo.told(answer, f", captured so far {money(answer.json().get('captured', 0))}")
        demo.expect(f"200 {status}", (answer.status, body["status"], body["captured"]) == (200, status, taken))
        demo.books(("capture", "booked", amount))
    answer = demo.post(path, {"amount": {"value": 1, "currency": "EUR"}}, f"{money(1)}: one cent too much")
    demo.told(answer)
    demo.expect("refused", answer.status in (409, 422))
    demo.books()
    demo.done("60.00 + 40.00 taken, 0.01 more refused")


def refund(demo, payment):
    demo.step("A part of the first payment is refunded")
    path = f"/v1/payments/{payment['id']}/refunds"
    answer = demo.post(path, {"amount": {"value": 500, "currency": "EUR"}, "reference": "return-1"}, money(500))
    demo.told(answer)
    demo.expect("201 succeeded", (answer.status, answer.json().get("status")) == (201, "succeeded"))
    now = demo.client.payment(payment["id"])
    print(f"     payment   {now['status']}, captured {money(now['captured'])}, refunded {money(now['refunded'])}")
    demo.expect("partially_refunded", (now["status"], now["refunded"]) == ("partially_refunded", 500))
    demo.books(("refund", "booked", 500))
    demo.done("5.00 given back")


def repeated(demo):
    demo.step("The same request comes again")
    key, body = rgtest.fresh_key(), sale(2000)
    first = demo.post("/v1/payments", body, f"{money(2000)}, Idempotency-Key {key}", key)
    demo.told(first)
    again = demo.post("/v1/payments", body, "the same once more, same key", key)
    same = again.body == first.body and again.status == first.status
    demo.told(again, f", Idempotent-Replayed: {again.headers.get('idempotent-replayed')}, "
              f"{'byte for byte the same' if same else 'ANOTHER ANSWER'}")  # fmt: skip
    demo.expect("a replayed, identical answer", same and again.replayed)
    other = demo.post("/v1/payments", sale(2001), f"{money(2001)} with that key", key)
    demo.told(other)
    demo.expect("422", other.status == 422)
    demo.books(("sale", "booked", 2000))
    demo.done("20.00 taken once")


def lost_answer(demo):
    demo.step("The card host's answer is lost")
    demo.sim.fault("drop_after_booking", mti="0200", next=1)
    began = time.monotonic()
    answer = demo.post("/v1/payments", sale(3000), f"{money(3000)}, and the answer gets lost")
    demo.told(answer)
    demo.sim.calm()
    payment = demo.client.final(answer.json()["id"], 20)
    print(f"     payment   {payment['status']} after {time.monotonic() - began:.1f} s; its timeline:")
    for event in demo.client.events(payment["id"]):
        reason = event["data"].get("reason", "")
        print(f"                 {event['kind']:<18} {event['data'].get('operation', '')} {reason}".rstrip())
    demo.expect("reversed", payment["status"] == "reversed" and payment["captured"] == 0)
    demo.books(("sale", "reversed", 3000), ("reversal", "booked", 3000))
    demo.done("30.00 booked and reversed")


def exact(demo):
    demo.step("An amount that no card message can carry")
    answer = demo.post("/v1/payments", sale(9007199254740993), "value 9007199254740993")
    body = demo.told(answer)
    demo.expect("422 that names the number", answer.status == 422 and "9007199254740993" in body["detail"])
    demo.books()
    demo.done("refused, with the reason")


def ledgers(demo):
    demo.step("Both ledgers, payment by payment")
    settle(demo.client)
    result = compare(demo.client, demo.sim)
    totals = demo.sim.totals()
    net = result["captured"] - result["refunded"]
    demo.got(f"{result['payments']} payments, {result['entries']} entries at the card host, "
             f"{money(net)} here and {money(totals['charged_minor'])} there")  # fmt: skip
    demo.expect("equal sums", net == totals["charged_minor"])
    demo.done(f"{money(net)} here, {money(totals['charged_minor'])} there")


def summary(demo):
    width = max(len(title) for title, _, _ in demo.rows)
    line = "-" * (width + max(len(short) for _, short, _ in demo.rows) + 14)
    print("\n" + line)
    for number, (title, short, right) in enumerate(demo.rows, 1):
        print(f"  {'ok   ' if right else 'WRONG'}  {number}. {title:<{width}}  {short}")
    print(line)
    wrong = sum(not right for _, _, right in demo.rows)
    print(f"  {len(demo.rows) - wrong} of {len(demo.rows)} steps went as expected")
    return 0 if wrong == 0 else 1


def tell(gateway, sim):
    print(f"\ncard host  {sim.listen}  (ISO 8583:1987 over TCP, with MACs; its books: {sim.control_url}/ledger)")
    print(f"gateway    {gateway.url}  (records in {os.path.relpath(gateway.database, ROOT)})")
    demo = Demo(gateway, sim, gateway.client())
    first = approved(demo)
    declined(demo)
    partial_captures(demo)
    refund(demo, first)
    repeated(demo)
    lost_answer(demo)
    exact(demo)
    ledgers(demo)
    return summary(demo)


# --- --serve ---------------------------------------------------------------------------------------


class Stop(Exception):
    """SIGINT or SIGTERM."""


def stop_on_signals():
    def stop(number, _):
        raise Stop(signal.Signals(number).name)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def serve(gateway, sim):
    key = gateway.create_key()["key"]
    ready = {
        "api": gateway.url,
        "ops": gateway.ops_url,
        "key": key,
        "pid": gateway.pid,
        "simulators": {"card": {"listen": sim.listen, "control": sim.control_url}},
    }
    with open(READY + ".new", "w", encoding="utf-8") as file:
        json.dump(ready, file)
        file.write("\n")
    os.rename(READY + ".new", READY)
    body = json.dumps(sale(1250, reference="order-4711"))
    print(f"""
railgate runs: pid {gateway.pid}; this is also in {os.path.relpath(READY, ROOT)}

  merchant API   {gateway.url}
  operators      {gateway.ops_url}/readyz  {gateway.ops_url}/metrics
  card host      {sim.listen}, its books and knobs: {sim.control_url}/ledger  {sim.control_url}/knobs
  logs           {os.path.relpath(gateway.log, ROOT)}  {os.path.relpath(sim.log, ROOT)}

Post a payment (a new Idempotency-Key for each payment, the same one to repeat it):

  curl -i {gateway.url}/v1/payments \\
    -H 'Authorization: Bearer {key}' \\
    -H 'Content-Type: application/json' \\
    -H "Idempotency-Key: $(od -An -N8 -tx1 /dev/urandom | tr -d ' \\n')" \\
    -d '{body}'

and look at what there is:

  curl -H 'Authorization: Bearer {key}' {gateway.url}/v1/payments

Ctrl-C ends both.""", flush=True)
    while True:
        for process in (gateway, sim):
            if not process.alive():
                code = process.popen.returncode
                how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
                print(f"\ndemo: the {'gateway' if process is gateway else 'card host'} has ended ({how});"
                      f" the end of its log:", file=sys.stderr)  # fmt: skip
                sys.stderr.write("\n".join(process.log_text().splitlines()[-15:]) + "\n")
                return 1
        time.sleep(0.2)


def run(stay):
    stop_on_signals()
    shutil.rmtree(DEMO, ignore_errors=True)
    os.makedirs(DEMO, mode=0o700)
    with rgtest.Stage(DEMO) as stage:
        try:
            sim = stage.simulator()
            gateway = stage.gateway(sim, channel=CHANNEL)
            code = serve(gateway, sim) if stay else tell(gateway, sim)
            if gateway.alive():
                gateway.stop()
            return code
        except Stop as stopped:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            print(f"\ndemo: {stopped}, ending", flush=True)
            code = gateway.stop() if stay and "gateway" in locals() else 1
            print("demo: ended" if code == 0 else f"demo: the gateway ended with {code}")
            return code
        except (rgtest.Failure, OSError, http.client.HTTPException) as failure:
            print(f"\ndemo: {type(failure).__name__}: {failure}", file=sys.stderr)
            print(stage.report(), file=sys.stderr)
            return 1
        finally:
            if os.path.exists(READY):
                os.unlink(READY)


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    sys.exit(run("--serve" in sys.argv[1:]))
