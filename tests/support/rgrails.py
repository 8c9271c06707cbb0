"""Channels of the rails that speak HTTP, for scenario tests: whole channel files, and a gateway that has them.

    wallet = rgwallet.start(stage)
    gateway = rails(stage, [qr_channel(wallet)])
    api = gateway.client()
    payment = api.post("/v1/payments", qr_sale(1250)).json()     # 202, requires_action
    wallet.scan(code=payment["next_action"]["payload"])
    api.settled(payment["id"])
"""

import hashlib
import hmac
import itertools
import json
import os
import sqlite3
import time

import rgtest
import rgwallet

CBDC_KEY = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
QR_KEY = {"name": "wallet_key", "kind": "hmac_sha256", "test_value": rgwallet.KEY}
KEYS = [QR_KEY, {"name": "cbdc_client", "kind": "hmac_sha256", "test_value": CBDC_KEY}]


class Ledger(rgwallet.Brain):
    """The central bank's ledger: railgate-sim cbdc."""

    brain = "cbdc"

    def wallet(self, name):
        return next(row for row in self.ledger()["accounts"] if row["wallet"] == name)

    def check(self):
        """Its own proof: totals add up, and replaying all entries gives the balances."""
        return self.call("GET", "/check")


def start_ledger(stage, *options):
    number = sum(isinstance(process, Ledger) for process in stage.processes) + 1
    return Ledger(stage, f"cbdc{number}", list(options)).start()


def adapter(name):
    """The shared object of an adapter, beside the card adapter."""
    return os.path.join(os.path.dirname(os.path.realpath(rgtest.card_adapter())), f"{name}.so")


# Time-outs of a test shall not bore anybody.
BASE = {
    "deadline": "1s",
    "late_window": "1s",
    "connect_timeout": "1s",
    "reversal": {"first_delay": "50ms", "retry_every": "200ms"},
    "circuit": {"failures": 1000},
}


def qr_channel(wallet, name="wallet", **more):
    return rgtest.merge(
        {
            **BASE,
            "name": name,
            "adapter": adapter("qr"),
            "rail": "qr",
            "endpoints": [wallet.listen],
            "settings": {
                "merchant_id": rgwallet.MERCHANT,
                "provider_key": "wallet_key",
                "notice_path": f"/notices/{name}",
                "account_fields": "guid=org.example.pay; account=shop-1",
                "merchant_name": "Corner shop",
                "merchant_city": "Berlin",
                "merchant_category": "5411",
                "country": "DE",
            },
        },
        more,
    )


def cbdc_channel(ledger, name="cbdc", **more):
    return rgtest.merge(
        {
            **BASE,
            "name": name,
            "adapter": adapter("cbdc"),
            "rail": "cbdc",
            "currencies": ["EUR"],
            "endpoints": [ledger.listen],
            "settings": {"client_id": "railgate", "client_key": "cbdc_client", "merchant_wallet": "w_merchant"},
        },
        more,
    )


def rails(stage, channels, *sims, settings=None, **how):
    """A gateway with these channels (and card hosts), listening for notices."""
    whole = {"notify": {"listen": own_address()}, "keys": keys_with()}
    return stage.gateway(*sims, settings=rgtest.merge(whole, settings), others=channels, **how)


def keys_with(*more):
    """The keys of gateway.yaml, and some more: (name, hexadecimal value)."""
    rows = [{"name": name, "kind": "hmac_sha256", "test_value": value} for name, value in more]
    return rgtest.GATEWAY["keys"] + KEYS + rows


_ports = itertools.count(20000)


def own_address():
    """An address of this process alone: a gateway that is started again must be found where it was (providers
    repeat their notices to the same address), and no port that the system gave once stays free for sure."""
    pid = os.getpid()
    return f"127.{64 + (pid >> 16 & 63)}.{pid >> 8 & 255}.{pid & 255}:{next(_ports)}"


def notices_at(gateway):
    """host:port"""
    return gateway.ready["notices"].partition("://")[2].partition("/")[0]


def refund(api, payment, value, currency="EUR", **more):
    return api.post(f"/v1/payments/{payment['id']}/refunds", {"amount": {"value": value, "currency": currency}}, **more)


# --- notices, said by hand ------------------------------------------------------------------------------


def sign(body, path="/notices/wallet", key=rgwallet.KEY, age_s=0):
    """The provider's x-signature (docs/rails/qr-wire.md)."""
    seconds = int(time.time()) - age_s
    mac = hmac.new(bytes.fromhex(key), f"{seconds}.POST.{path}.".encode() + body, hashlib.sha256)
    return f"t={seconds},v1={mac.hexdigest()}"


def notice_of(row, kind="order", **more):
    """The body of a notice about an order, payment, charge or refund as the provider lists it."""
    data = {**row, **more}
    return json.dumps({"type": f"{kind}.{data['state']}", "data": data}).encode()


def tell(gateway, body, path="/notices/wallet", signature="right", method="POST", context=None, **how):
    """One notice; its answer. signature None: without one."""
    headers = {"Content-Type": "application/json"}
    if signature is not None:
        headers["X-Signature"] = sign(body, path, **how) if signature == "right" else signature
    url = gateway.ready["notices"].partition("/notices")[0]
    return rgtest.request(url, method, path, body, headers, context)


# --- what the gateway counted and wrote down -------------------------------------------------------------


def metric(gateway, name):
    for line in rgtest.ops(gateway, "/metrics").body.decode().splitlines():
        if line.startswith(name + " "):
            return int(line.split()[1])
    raise rgtest.Failure(f"there is no metric {name}")


def journal(gateway, kind):
    """The data of all entries of this kind, those of no payment too."""
    store = sqlite3.connect(f"file:{gateway.database}?mode=ro", uri=True, timeout=10)
    try:
        return [json.loads(row[0]) for row in store.execute("select data_json from journal where kind = ? order by seq", (kind,))]
    finally:
        store.close()


def store_is_sound(gateway):
    """The database file as SQLite itself sees it."""
    store = sqlite3.connect(gateway.database, timeout=10)
    try:
        found = store.execute("pragma integrity_check").fetchall() + store.execute("pragma foreign_key_check").fetchall()
    finally:
        store.close()
    if found != [("ok",)]:
        raise rgtest.Failure(f"the store is broken: {found}")


def qr_sale(value, currency="EUR", **qr):
    return {
        "amount": {"value": value, "currency": currency},
        "method": {"type": "qr", "qr": {"mode": "present", **qr}},
        "reference": f"order-{value}",
    }


def qr_scan(value, code, currency="EUR", **qr):
    return {
        "amount": {"value": value, "currency": currency},
        "method": {"type": "qr", "qr": {"mode": "scan", "code": code, **qr}},
    }


def cbdc_sale(value, payer="w_full", currency="EUR", capture="automatic", **cbdc):
    return {
        "amount": {"value": value, "currency": currency},
        "capture": capture,
        "method": {"type": "cbdc", "cbdc": {"payer": {"wallet": payer}, **cbdc}},
    }


def settled(api, payment_id, seconds=20):
    """The payment once nobody has to wait for it any more."""

    def asked():
        payment = api.payment(payment_id)
        return payment if payment["status"] not in ("processing", "requires_action") else None

    return rgtest.until(f"{payment_id} is settled", asked, seconds)
