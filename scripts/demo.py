"""scripts/demo.py - a gateway with all four rails and the simulators that stand in for the other sides: payments
through all of them, and what each side's books say.

Started by scripts/demo, which installs and builds first. Everything is on loopback, on free ports, in
var/demo/. With --serve everything stays up until SIGINT or SIGTERM. The steps are in scripts/story/.

Card numbers in here are test numbers that card schemes publish for sandboxes; none belongs to a person.
"""

import http.client
import json
import os
import shutil
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from story.actors import ROOT, Actors, rgtest  # pylint: disable=wrong-import-position
from story import bank, books, card, cbdc, qr, region  # pylint: disable=wrong-import-position
from story.teller import NAMES, Teller  # pylint: disable=wrong-import-position

DEMO = os.environ.get("RAILGATE_DEMO_FOLDER") or os.path.join(ROOT, "var", "demo")
READY = os.path.join(DEMO, "ready.json")


def tell(actors):
    print(f"\ngateway           {actors.gateway.url}  (records in {os.path.relpath(actors.gateway.database, ROOT)})")
    for name, process in actors.simulators().items():
        print(f"{NAMES[name]:<16}  {process.listen}  (its books: {process.control_url.rstrip('/')}/ledger)")
    print("\nThe merchant posts JSON to railgate; railgate speaks to each of them in its own protocol.")
    opening = books.wallet_of(actors.ledger)
    teller = Teller(actors)
    card.tell(teller)
    alone = qr.tell(teller)
    bank.tell(teller)
    cbdc.tell(teller)
    region.tell(teller)
    teller.chapter("At the end")
    qr.nobody_came(teller, alone)
    books.compare(teller, opening)
    books.reconcile(teller)
    return teller.summary()


# --- --serve ---------------------------------------------------------------------------------------


class Stop(Exception):
    """SIGINT or SIGTERM."""


def stop_on_signals():
    def stop(number, _):
        raise Stop(signal.Signals(number).name)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def serve(actors):
    gateway = actors.gateway
    key = gateway.create_key()["key"]
    with open(READY + ".new", "w", encoding="utf-8") as file:
        os.chmod(READY + ".new", 0o600)
        json.dump(actors.ready(key), file)
        file.write("\n")
    os.rename(READY + ".new", READY)
    body = json.dumps(rgtest.sale(1250, reference="order-4711"))
    sims = "\n".join(
        f"  {NAMES[name]:<16} {process.listen:<16} books and knobs: {process.control_url.rstrip('/')}/ledger  .../knobs"
        for name, process in actors.simulators().items()
    )  # fmt: skip
    print(f"""
railgate runs: pid {gateway.pid}; this is also in {os.path.relpath(READY, ROOT)}

  merchant API     {gateway.url}
  operators        {gateway.ops_url}/readyz  {gateway.ops_url}/metrics
  notices          {gateway.ready['notices']}
{sims}
  logs             {os.path.relpath(DEMO, ROOT)}/*.log

Post a payment (a new Idempotency-Key for each payment, the same one to repeat it):

  curl -i {gateway.url}/v1/payments \\
    -H 'Authorization: Bearer {key}' \\
    -H 'Content-Type: application/json' \\
    -H "Idempotency-Key: $(od -An -N8 -tx1 /dev/urandom | tr -d ' \\n')" \\
    -d '{body}'

and look at what there is:

  curl -H 'Authorization: Bearer {key}' {gateway.url}/v1/payments

The other rails: README.md and docs/rails/. Ctrl-C ends all of it.""", flush=True)
    watched = [("gateway", gateway)] + [(NAMES[name], process) for name, process in actors.simulators().items()]
    while True:
        for name, process in watched:
            if not process.alive():
                code = process.popen.returncode
                how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
                print(f"\ndemo: the {name} has ended ({how}); the end of its log:", file=sys.stderr)
                sys.stderr.write("\n".join(process.log_text().splitlines()[-15:]) + "\n")
                return 1
        time.sleep(0.2)


def run(stay):
    stop_on_signals()
    shutil.rmtree(DEMO, ignore_errors=True)
    os.makedirs(DEMO, mode=0o700)
    with rgtest.Stage(DEMO) as stage:
        actors = None
        try:
            actors = Actors(stage, reserve=not stay)
            code = serve(actors) if stay else tell(actors)
            if actors.gateway.alive():
                actors.gateway.stop()
            return code
        except Stop as stopped:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            print(f"\ndemo: {stopped}, ending", flush=True)
            code = actors.gateway.stop() if stay and actors else 1
            print("demo: ended" if code == 0 else f"demo: the gateway ended with {code}")
            return code
        except (rgtest.Failure, OSError, KeyError, http.client.HTTPException) as failure:
            print(f"\ndemo: {type(failure).__name__}: {failure}", file=sys.stderr)
            print(stage.report(), file=sys.stderr)
            return 1
        finally:
            if os.path.exists(READY):
                os.unlink(READY)


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    sys.exit(run("--serve" in sys.argv[1:]))
