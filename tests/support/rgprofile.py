"""Region profiles in scenario tests: written beside a gateway, loaded anew while it runs, and what a payer needs to
confirm a payment.

    gateway = stage.gateway(sim, region=noon(limits=[{"id": "day", "per": "payer", "window": "day", "max": ["100.00 EUR"]}]))
    put_profile(gateway, noon(version="2"))         # rename over the file: never half of it
    reload_now(gateway)                             # railgate reload
    payer.confirm(payment)                          # with the code that the payer's authenticator shows

Codes are computed here a second time, from the words of gateway/payment/authenticate.h; assertions are signed by
openssl with keys that live as long as the test.
"""

import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import time

import rgrails
import rgtest
from rgtest import Failure, until

CODE_KEY = "5ca1ab1e0ddba11c0ffee0facade0fadedbeef00feed00cafe00bead00dead00"
AUDIENCE = "railgate"


# --- profiles ----------------------------------------------------------------------------------------


def noon_zone():
    """A time zone where it is about noon: no day, and no window of hours, ends while a test runs."""
    east = 12 - time.gmtime().tm_hour
    return "UTC" if east == 0 else f"Etc/GMT{-east:+d}"  # POSIX counts to the west


def noon(**more):
    return rgtest.merge({**rgtest.REGION, "time_zone": noon_zone()}, more)


def put_text(gateway, text, name="default"):
    path = os.path.join(gateway.config, "regions", f"{name}.yaml")
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)


def put_profile(gateway, profile, name="default"):
    put_text(gateway, rgtest.yaml(profile), name)


def reload_now(gateway, code=0):
    """What `railgate reload --json` says."""
    return json.loads(gateway.cli("reload", "--json", code=code)[1])


def hang_up(gateway):
    gateway.popen.send_signal(signal.SIGHUP)


def reloads(gateway):
    """(how many took effect, how many changed nothing)"""
    return tuple(rgrails.metric(gateway, f"railgate_profile_{what}_total") for what in ("reloads", "reload_failures"))


# --- what an answer says -----------------------------------------------------------------------------


def rules(payment, result=None):
    """Ids of the rules that spoke, those with this result."""
    reasons = payment["decision"]["reasons"]
    return [row["rule"] for row in reasons if result is None or row["result"] == result]


def created(answer):
    """A payment that was made, whatever became of it."""
    if answer.status not in (201, 202):
        raise Failure(f"no payment: {answer}")
    return answer.json()


def patient(api, body, key, seconds=30):
    """Posts until the gateway is not too busy and the first request with this key is not running."""

    def asked():
        answer = api.post("/v1/payments", body, key)
        return answer if answer.status not in (409, 503) else None

    return until("the payment is answered", asked, seconds)


# --- who confirms ------------------------------------------------------------------------------------


def one_time_code(payment, payer, payee="", value=None, currency=None, at=None, key=CODE_KEY, payment_id=None, merchant=None):
    """What the payer's authenticator shows (RFC 6238, HMAC-SHA-256, 8 digits, 30 s)."""
    value = payment["amount"]["value"] if value is None else value
    currency = currency or payment["amount"]["currency"]
    merchant = merchant or rgtest.Client.merchant_of[payment["id"]]
    payer_key = hmac.digest(bytes.fromhex(key), f"payer\n{merchant}\n{payer}".encode(), hashlib.sha256)
    bound = f"payment\n{payment_id or payment['id']}\n{value} {currency}\n{payee}".encode()
    step = int(time.time() if at is None else at) // 30
    mac = hmac.digest(hmac.digest(payer_key, bound, hashlib.sha256), step.to_bytes(8, "big"), hashlib.sha256)
    at = mac[-1] & 15
    return f"{(int.from_bytes(mac[at:at + 4], 'big') & 0x7FFFFFFF) % 100000000:08d}"


def wrong_code(payment, payer, payee=""):
    """Eight digits that are no code of any minute around this one."""
    around = {one_time_code(payment, payer, payee, at=time.time() + 30 * step) for step in range(-12, 13)}
    return next(code for code in (f"{number:08d}" for number in range(100)) if code not in around)


def confirm(api, payment, key=None, **result):
    """POST .../confirm with code="12345678" or assertion="eyJ..."."""
    kind = next(iter(result))
    return api.post(f"/v1/payments/{payment['id']}/confirm", {"authentication": {"type": kind, **result}}, key)


def confirm_rightly(api, payment, payer, payee="", key=None):
    """With the code of now. One that was made in the last moment of its half minute holds half a minute longer."""
    return confirm(api, payment, key, code=one_time_code(payment, payer, payee))


def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _openssl(*arguments, data=None):
    done = subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=False)
    if done.returncode != 0:
        raise Failure(f"openssl {arguments[0]}: {done.stderr.decode()}")
    return done.stdout


def _integers(der):
    """r and s of a DER signature, 32 bytes each."""
    out, at = b"", 2
    for _ in range(2):
        length = der[at + 1]
        out += der[at + 2 : at + 2 + length].lstrip(b"\0").rjust(32, b"\0")
        at += 2 + length
    return out


class Issuer:
    """Who says that a payer was authenticated: a key pair of this test."""

    def __init__(self, folder, name, alg):
        self.name, self.alg, self.key_name = name, alg, f"issuer_{alg.lower()}"
        self.folder = folder
        self.file = os.path.join(folder, f"issuer-{os.urandom(8).hex()}.key")
        kind = ["-algorithm", "ED25519"] if alg == "EdDSA" else ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
        _openssl("genpkey", *kind, "-out", self.file)
        public = _openssl("pkey", "-in", self.file, "-pubout", "-outform", "DER")
        self.public = public[-32:] if alg == "EdDSA" else public[-65:]

    def key(self):
        """For `keys:` of gateway.yaml."""
        kind = "verify_ed25519" if self.alg == "EdDSA" else "verify_es256"
        return {"name": self.key_name, "kind": kind, "test_value": self.public.hex()}

    def row(self):
        """For `issuers:`."""
        return {"name": self.name, "key": self.key_name, "audience": AUDIENCE}

    def sign(self, data):
        if self.alg != "EdDSA":
            return _integers(_openssl("dgst", "-sha256", "-sign", self.file, data=data))
        path = os.path.join(self.folder, f"issuer-{os.urandom(8).hex()}.in")
        with open(path, "wb") as file:
            file.write(data)
        try:
            return _openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.file, "-in", path)
        finally:
            os.unlink(path)

    def assertion(self, payment, payer, payee="", alg=None, **claims):
        now = int(time.time())
        body = {
            "iss": self.name, "aud": AUDIENCE, "iat": now, "exp": now + 300, "sub": payer, "payment": payment["id"],
            "amount": payment["amount"]["value"], "currency": payment["amount"]["currency"], "payee": payee,
        }  # fmt: skip
        body.update(claims)
        parts = ({"alg": alg or self.alg, "typ": "JWT"}, body)
        signed = ".".join(_base64url(json.dumps(part).encode()) for part in parts)
        return f"{signed}.{_base64url(self.sign(signed.encode()))}"


def sca(issuers=(), **more):
    """gateway.yaml of a gateway whose payers can be asked."""
    keys = rgrails.keys_with(("codes", CODE_KEY)) + [issuer.key() for issuer in issuers]
    whole = {"keys": keys, "authentication": {"code_key": "codes"}}
    if issuers:
        whole["issuers"] = [issuer.row() for issuer in issuers]
    return rgtest.merge(whole, more)


# --- what is on disk ---------------------------------------------------------------------------------


def files_with(folder, secret):
    """Files below the folder that hold these letters, also as the digits of packed decimals."""
    wanted, found = [secret.encode()], []
    if len(secret) % 2 == 0 and secret.isdigit():
        wanted.append(bytes.fromhex(secret))
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            if not os.path.isfile(path):
                continue
            with open(path, "rb") as file:
                data = file.read()
            if any(text in data for text in wanted):
                found.append(os.path.relpath(path, folder))
    return found
