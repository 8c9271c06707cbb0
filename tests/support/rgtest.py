"""rgtest - a gateway and its card host, started in a folder of their own, for tests and the demo.

    with Stage() as stage:                    # a temporary folder; everything in it ends with it
        sim = stage.simulator()               # railgate-sim card
        gateway = stage.gateway(sim)          # railgate serve, configured for that card host
        api = gateway.client()                # with a fresh API key
        answer = api.post("/v1/payments", {...})
        gateway.kill(); gateway.start()       # SIGKILL, and up again on the same records
        compare(api, sim)                     # rgledger: both ledgers tell the same story

Ports: everything listens on port 0 and says in its ready-file which port it got. Nothing waits for a
fixed time: `until` asks again and again, up to a deadline that only a failure ever reaches. Children
die with the test (PR_SET_PDEATHSIG), whatever happens to it. When a test fails, the ends of all logs
are printed (`Story.run`).

Test card numbers in here are from ranges that the card schemes and payment service providers publish
for their sandboxes; none belongs to a person.

Where the programs are: RAILGATE_BIN, RAILGATE_SIM, RAILGATE_CARD_ADAPTER; else in build/.
"""

import http.client
import itertools
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))

# Everything takes longer under a sanitizer; deadlines (never expectations) are stretched by this.
SLOW = float(os.environ.get("RAILGATE_TEST_SLOW", "1"))

VISA = "4111111111111111"  # approves
MASTERCARD = "5555555555554444"  # approves
DECLINES = "4000000000000002"  # 05, do not honour

MAC_KEY = "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb"  # published test keys of the simulator
ZONE_KEY = "0123456789abcdeffedcba9876543210"


def _program(variable, *places):
    path = os.environ.get(variable)
    if path:
        return os.path.abspath(path)
    for place in places:
        path = os.path.join(ROOT, place)
        if os.path.exists(path):
            return path
    return os.path.join(ROOT, places[0])


def gateway_program():
    return _program("RAILGATE_BIN", "build/railgate")


def simulator_program():
    return _program("RAILGATE_SIM", "build/railgate-sim")


def card_adapter():
    return _program("RAILGATE_CARD_ADAPTER", "build/adapters/card.so", "build/adapters/card/card.so")


class Failure(AssertionError):
    """What a test expected did not come."""


def until(what, ask, seconds=10.0):
    """Asks until the answer is true and returns it. `seconds` is only for failures."""
    end = time.monotonic() + seconds * SLOW
    pause = 0.002
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failure(f"waited {seconds * SLOW:.0f} s in vain: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


# --- configuration as YAML ---------------------------------------------------------------------

_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./ -]*$")


def _scalar(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    if _PLAIN.match(value) or re.match(r"\d+(us|ms|s|m|h|d|KiB|MiB)$", value):
        return value
    return json.dumps(value)


def yaml(value, indent=""):
    """Block YAML of nested dicts and lists; enough for configuration files."""
    out = ""
    for name, item in value.items():
        if isinstance(item, dict):
            out += f"{indent}{name}:\n{yaml(item, indent + '  ')}"
        elif isinstance(item, list) and item and isinstance(item[0], dict):
            out += f"{indent}{name}:\n"
            for row in item:
                lines = yaml(row, indent + "    ")
                out += indent + "  - " + lines[len(indent) + 4 :]
        elif isinstance(item, list):
            out += f"{indent}{name}: [{', '.join(_scalar(i) for i in item)}]\n"
        elif item is not None:
            out += f"{indent}{name}: {_scalar(item)}\n"
    return out


def merge(base, extra):
    """base with what is in extra; nested dicts are merged, None takes a member out."""
    out = dict(base)
    for name, item in (extra or {}).items():
        if isinstance(item, dict) and isinstance(out.get(name), dict):
            out[name] = merge(out[name], item)
        else:
            out[name] = item
    return out


# --- processes ------------------------------------------------------------------------------------

# A child must not outlive the test, whatever happens to it (PR_SET_PDEATHSIG). setpriv sets that and then
# becomes the program, so the pid is the program's. Mind that "parent" is the thread that started it.
DIE_WITH_PARENT = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []


class Process:
    """A program that says in a ready-file where it listens. The stage's folder is its home: what it may leave
    there goes with the folder, and the home of whoever runs the test stays as it is."""

    def __init__(self, stage, name, command, env=None):
        self.stage, self.name, self.command = stage, name, command
        self.env = env or {}
        self.log = os.path.join(stage.folder, f"{name}.log")
        self.out = os.path.join(stage.folder, f"{name}.out")
        self.ready_file = os.path.join(stage.folder, f"{name}.ready")
        self.popen = None
        self.ready = None
        stage.processes.append(self)

    def start(self, env=None, wait=True):
        if os.path.exists(self.ready_file):
            os.unlink(self.ready_file)
        with open(self.log, "ab") as log, open(self.out, "ab") as out:
            self.popen = subprocess.Popen(
                DIE_WITH_PARENT + self.command + ["--ready-file", self.ready_file],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                cwd=self.stage.folder,
                env={**os.environ, "HOME": self.stage.folder, **self.env, **(env or {})},
                start_new_session=True,  # Ctrl-C is for the test, which then tidies up
            )
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        until(f"{self.name} is ready", self._is_ready, 20)

    def _is_ready(self):
        if self.popen.poll() is not None:
            raise Failure(f"{self.name} ended with {self.popen.returncode} before it was ready")
        try:
            with open(self.ready_file, encoding="utf-8") as file:
                self.ready = json.load(file)
        except (FileNotFoundError, json.JSONDecodeError):
            return False
        return True

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen is not None and self.popen.poll() is None

    def kill(self):
        """SIGKILL: nothing is tidied up."""
        if self.popen is not None:
            self.popen.kill()
            self.popen.wait()

    def stop(self, how=signal.SIGTERM, seconds=20):
        """Asks it to end and returns its exit code."""
        if self.popen is None:
            return None
        if self.popen.poll() is None:
            self.popen.send_signal(how)
        return self.wait_end(seconds)

    def wait_end(self, seconds=20):
        try:
            return self.popen.wait(seconds * SLOW)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} did not end within {seconds * SLOW:.0f} s") from None

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()


class Stage:
    """A folder and the programs that run in it."""

    def __init__(self, folder=None):
        self._own = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="railgate-test-")
        os.makedirs(self.folder, exist_ok=True)
        self.processes = []
        self._numbers = itertools.count(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for process in self.processes:
            process.kill()
        if self._own and not os.environ.get("RAILGATE_TEST_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def simulator(self, *options):
        number = next(self._numbers)
        return Simulator(self, f"sim{number}", options).start()

    def gateway(self, *sims, ready=True, **how):
        """Writes the configuration and starts it. ready: waits until a channel is; see Gateway for the
        other keywords."""
        gateway = Gateway(self, f"gateway{next(self._numbers)}", sims, **how)
        return gateway.start(ready=ready)

    def report(self):
        """The ends of all logs, for a failure."""
        text = ""
        for process in self.processes:
            for path in (process.log, process.out):
                if os.path.exists(path) and os.path.getsize(path) > 0:
                    with open(path, encoding="utf-8", errors="replace") as file:
                        lines = file.read().splitlines()
                    text += f"\n--- {os.path.basename(path)}, last {min(len(lines), 30)} lines\n"
                    text += "\n".join(line[:600] for line in lines[-30:])
        return text


# --- the card host ----------------------------------------------------------------------------------


class Simulator(Process):
    def __init__(self, stage, name, options):
        self.options = list(options)
        command = [simulator_program(), "card", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"]
        super().__init__(stage, name, command + self.options)

    def start(self, env=None, wait=True):
        super().start(env, wait)
        # Started again it must be found where it was.
        if wait:
            listen, control = self.ready["listen"], self.ready["control"]
            self.command = [simulator_program(), "card", "--listen", listen]
            self.command += ["--control", control.replace("http://", "").rstrip("/")] + self.options
        return self

    @property
    def listen(self):
        return self.ready["listen"]

    @property
    def control_url(self):
        control = self.ready["control"]
        return control if control.startswith("http") else "http://" + control

    def call(self, method, path, body=None):
        host = re.sub(r"^https?://", "", self.control_url).rstrip("/")
        connection = http.client.HTTPConnection(host, timeout=20 * SLOW)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise Failure(f"simulator: {method} {path}: {answer.status} {text.decode()}")
        return json.loads(text)

    def ledger(self):
        """All of it, page by page."""
        whole = page = self.call("GET", "/ledger")
        while page.get("next") is not None and page["entries"]:
            page = self.call("GET", f"/ledger?from={page['next']}")
            whole["entries"] += page["entries"]
        return whole

    def entries(self, kind=None):
        rows = self.ledger()["entries"]
        return [row for row in rows if kind is None or row["kind"] == kind]

    def totals(self):
        return self.ledger()["totals"]

    def knobs(self, **body):
        """faults=[...], settings={...}, keys={...}, down_ms=N; faults replace those there were."""
        return self.call("PUT", "/knobs", body)

    def fault(self, fault, **rule):
        """This accident instead of any other: mti="0200", next=1, ms=..., skip=..., code=..."""
        return self.knobs(faults=[dict(fault=fault, **rule)])

    def calm(self):
        return self.knobs(faults=[], down_ms=0)

    def stats(self):
        return self.call("GET", "/stats")

    def send(self, code):
        """An 0800 of its own accord on every link: 301 echo, 101 change keys."""
        return self.call("POST", "/send", {"code": code})

    def drop_links(self, how="reset"):
        return self.call("POST", "/links/drop", {"how": how})


# --- the gateway ---------------------------------------------------------------------------------------

GATEWAY = {
    "mode": "sandbox",
    "region": "default",
    "api": {"listen": "127.0.0.1:0"},
    "ops": {"listen": "127.0.0.1:0"},
    "store": {"path": "../var/railgate.db"},
    "log": {"level": "info"},
    "limits": {"requests_per_second_per_key": 0},  # comparing the books asks for every payment, as fast as it can
    "secrets": {"pepper_file": "../var/host.key"},
    "keys": [
        {"name": "card_mac", "kind": "retail_mac", "test_value": MAC_KEY},
        {"name": "card_zone", "kind": "wrap_tdes", "test_value": ZONE_KEY},
    ],
}

CHANNEL = {
    "adapter": None,  # filled in
    "rail": "card",
    "links": 2,
    "currencies": ["EUR", "USD", "JPY", "KWD"],
    "deadline": "1s",
    "late_window": "2s",
    "connect_timeout": "2s",
    "sign_on": True,
    "reversal": {"first_delay": "50ms", "retry_every": "200ms"},
    "circuit": {"failures": 1000},
    "settings": {
        "packaging": "iso87-ascii",
        "framing": "len2",
        "terminal_id": "TERM0001",
        "merchant_id": "MERCHANT0000001",
        "merchant_name_location": "Test shop            Berlin       DE",
        "merchant_category": 5411,
        "acquirer_id": "123456",
        "country": 276,
        "mac_key": "card_mac",
        "zone_key": "card_zone",
    },
}

REGION = {"region": "default", "version": "1", "effective_from": "2026-01-01", "owner": "tests"}


def _number_of_channel(index):
    return "card_demo" if index == 0 else f"card_demo{index + 1}"


class Gateway(Process):
    """settings, channel: merged over GATEWAY and CHANNEL above; channels: a list of them, one for each
    simulator; region: over REGION; others: whole channel files of other rails (rgrails.py). env: of the
    process."""

    def __init__(self, stage, name, sims, settings=None, channel=None, channels=None, region=None, env=None,
                 others=()):  # fmt: skip
        self.place = os.path.join(stage.folder, name)
        self.config = os.path.join(self.place, "config")
        self.var = os.path.join(self.place, "var")
        self.sims = list(sims)
        os.makedirs(os.path.join(self.config, "channels"))
        os.makedirs(os.path.join(self.config, "regions"))
        os.makedirs(self.var, mode=0o700)
        self.settings = merge(GATEWAY, settings)
        self.write("gateway.yaml", self.settings)
        self.write("regions/default.yaml", merge(REGION, region))
        for index, sim in enumerate(self.sims):
            row = merge(CHANNEL, channel)
            if channels:
                row = merge(row, channels[index])
            row = merge({"name": _number_of_channel(index)}, row)
            row["adapter"] = row["adapter"] or card_adapter()
            row.setdefault("endpoints", [sim.listen])
            self.write(f"channels/{row['name']}.yaml", row)
        for row in others:
            self.write(f"channels/{row['name']}.yaml", row)
        self.others = list(others)
        super().__init__(stage, name, [gateway_program(), "serve", "--config", self.config], env)

    def write(self, path, value):
        with open(os.path.join(self.config, path), "w", encoding="utf-8") as file:
            file.write(yaml(value))

    @property
    def url(self):
        return self.ready["api"]

    @property
    def ops_url(self):
        return self.ready["ops"]

    @property
    def address(self):
        """(host, port) of the merchant API."""
        host, _, port = re.sub(r"^https?://", "", self.url).rstrip("/").rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def database(self):
        return os.path.join(self.var, "railgate.db")

    def cli(self, *arguments, config=True, code=0):
        """Runs a subcommand; returns (exit code, stdout, stderr). code None: any is right."""
        command = [gateway_program(), *arguments]
        if config:
            command += ["--config", self.config]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60 * SLOW, check=False
        )
        if code is not None and done.returncode != code:
            raise Failure(
                f"{' '.join(command)}: exit code {done.returncode}, expected {code}\n"
                f"{done.stdout}\n{done.stderr}"
            )
        return done.returncode, done.stdout, done.stderr

    def create_key(self, *options):
        """{"id", "key", "merchant", "scopes"} of a new API key."""
        return json.loads(self.cli("keys", "create", "--json", *options)[1])

    def client(self, *options, **how):
        return Client(self, self.create_key(*options), **how)

    def ready_for_payments(self):
        def asked():
            try:
                return ops(self, "/readyz").status == 200
            except OSError:
                return False

        until("/readyz says 200", asked, 15)
        return self

    def start(self, env=None, wait=True, ready=True):  # pylint: disable=arguments-differ
        super().start(env, wait)
        if wait and ready and (self.sims or self.others):
            self.ready_for_payments()
        return self


def ops(gateway, path, context=None):
    return request(gateway.ops_url, "GET", path, context=context)


# --- HTTP ----------------------------------------------------------------------------------------------


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.headers = {name.lower(): value for name, value in headers}

    def json(self):
        return json.loads(self.body)

    @property
    def replayed(self):
        return self.headers.get("idempotent-replayed") == "true"

    def __repr__(self):
        return f"<{self.status} {self.body.decode(errors='replace')}>"


def request(url, method, path, body=None, headers=None, context=None, timeout=30):
    """One request on a connection of its own. body: bytes, text, or anything JSON can write."""
    secure = url.startswith("https")
    host = re.sub(r"^https?://", "", url).rstrip("/")
    if secure:
        connection = http.client.HTTPSConnection(host, timeout=timeout * SLOW, context=context)
    else:
        connection = http.client.HTTPConnection(host, timeout=timeout * SLOW)
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    if isinstance(body, str):
        body = body.encode()
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read())
    finally:
        connection.close()


_names = itertools.count(1)


def fresh_key():
    """An Idempotency-Key that was not used before."""
    return f"key-{os.getpid():x}-{next(_names)}-{os.urandom(8).hex().translate(_LETTERS)}"


_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")


class Client:
    """A merchant: an API key and a few verbs."""

    merchant_of = {}  # payment's id -> merchant's id, of what was created here

    def __init__(self, gateway, key, context=None):
        self.gateway, self.context = gateway, context
        self.key = key["key"] if isinstance(key, dict) else key
        self.merchant = key.get("merchant") if isinstance(key, dict) else None

    def headers(self, key=None, **more):
        out = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        if key is not None:
            out["Idempotency-Key"] = key
        out.update({name.replace("_", "-"): value for name, value in more.items()})
        return out

    def get(self, path, **headers):
        return request(self.gateway.url, "GET", path, None, self.headers(**headers), self.context)

    def post(self, path, body=None, key=None, **headers):
        """key None: a fresh one."""
        key = fresh_key() if key is None else key
        answer = request(self.gateway.url, "POST", path, body, self.headers(key, **headers), self.context)
        if path == "/v1/payments" and answer.status in (201, 202):
            Client.merchant_of[answer.json()["id"]] = self.merchant
        return answer

    def payment(self, payment_id):
        answer = self.get(f"/v1/payments/{payment_id}")
        if answer.status != 200:
            raise Failure(f"GET payment {payment_id}: {answer}")
        return answer.json()

    def final(self, payment_id, seconds=20):
        """The payment once it is not processing any more."""

        def asked():
            payment = self.payment(payment_id)
            return payment if payment["status"] != "processing" else None

        return until(f"{payment_id} is final", asked, seconds)

    def all(self, path):
        """All rows of a list, over its pages."""
        rows, cursor = [], ""
        while True:
            mark = "&" if "?" in path else "?"
            page = self.get(f"{path}{mark}limit=100{cursor}")
            if page.status != 200:
                raise Failure(f"GET {path}: {page}")
            page = page.json()
            rows += page["data"]
            if not page["has_more"]:
                return rows
            cursor = f"&cursor={page['next_cursor']}"

    def payments(self):
        return self.all("/v1/payments")

    def events(self, payment_id):
        return self.all(f"/v1/payments/{payment_id}/events")


def card(pan=VISA, **more):
    return {"entry": "manual", "pan": pan, "expiry": "3012", **more}


def sale(value=1250, currency="EUR", pan=VISA, **more):
    """The body of a payment that is captured at once."""
    out = {
        "amount": {"value": value, "currency": currency},
        "method": {"type": "card", "card": card(pan)},
    }
    out.update(more)
    return out


def authorisation(value=1250, **more):
    return sale(value, capture="manual", **more)


# --- raw bytes ---------------------------------------------------------------------------------------------


class Raw:
    """A connection on which the test decides every byte."""

    def __init__(self, address, timeout=10):
        self.socket = socket.create_connection(address, timeout * SLOW)
        self.got = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """False when the other side has closed already."""
        try:
            self.socket.sendall(data)
            return True
        except OSError:
            return False

    def finish(self):
        """No more from here."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def read_to_end(self):
        """All that comes until the other side closes; Failure when it does not."""
        try:
            while True:
                part = self.socket.recv(65536)
                if not part:
                    return self.got
                self.got += part
        except (ConnectionResetError, BrokenPipeError):
            return self.got
        except socket.timeout:
            raise Failure(f"the connection was left open; got so far: {self.got!r}") from None

    def read_answer(self):
        """One answer; what comes behind it stays in `got`."""
        while b"\r\n\r\n" not in self.got:
            self._more()
        head, _, rest = self.got.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        wanted = int(length.group(1)) if length else 0
        while len(rest) < wanted:
            self._more()
            rest = self.got.partition(b"\r\n\r\n")[2]
        self.got = rest[wanted:]
        return parse_head(head, rest[:wanted])

    def _more(self):
        part = self.socket.recv(65536)
        if not part:
            raise Failure(f"closed in the middle of an answer: {self.got!r}")
        self.got += part


def parse_head(head, body):
    lines = head.decode("latin-1").split("\r\n")
    headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
    return Answer(int(lines[0].split(" ")[1]), headers, body)


def split_answers(data):
    """The answers in a stream of bytes; every byte must belong to one."""
    answers = []
    while data:
        if not data.startswith(b"HTTP/1.1 ") or b"\r\n\r\n" not in data:
            raise Failure(f"not an answer: {data[:200]!r}")
        head, _, rest = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        wanted = int(length.group(1)) if length else 0
        if len(rest) < wanted:
            raise Failure(f"an answer is cut: {data!r}")
        answers.append(parse_head(head, rest[:wanted]))
        data = rest[wanted:]
    return answers


# --- doing things at once ---------------------------------------------------------------------------------------


def together(jobs, at_once=None):
    """Runs functions in threads, starts them at the same moment, returns their results in order; the
    first exception is raised again."""
    results, errors = [None] * len(jobs), []
    gate = threading.Barrier(len(jobs)) if at_once is None else None
    slots = threading.Semaphore(at_once or len(jobs))

    def run(index, job):
        try:
            if gate is not None:
                gate.wait()
            with slots:
                results[index] = job()
        except BaseException as error:  # pylint: disable=broad-except
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i, job), daemon=True) for i, job in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


# --- certificates ----------------------------------------------------------------------------------------------------


class Authority:
    """A certificate authority that lives as long as the test; made by openssl at run time."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.certificate = os.path.join(folder, f"{name}.pem")
        self.key = os.path.join(folder, f"{name}.key")
        self._openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.certificate,
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign",
        )  # fmt: skip

    @staticmethod
    def _openssl(*arguments):
        done = subprocess.run(
            ["openssl", *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
        if done.returncode != 0:
            raise Failure(f"openssl {arguments[0]}: {done.stderr}")

    def issue(self, name, names="IP:127.0.0.1,DNS:localhost"):
        """(certificate path, key path) for `names`."""
        key = os.path.join(self.folder, f"{self.name}-{name}.key")
        wish = os.path.join(self.folder, f"{self.name}-{name}.csr")
        certificate = os.path.join(self.folder, f"{self.name}-{name}.pem")
        extra = os.path.join(self.folder, f"{self.name}-{name}.ext")
        with open(extra, "w", encoding="ascii") as file:
            file.write(f"subjectAltName={names}\n")
        self._openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={name}", "-keyout", key, "-out", wish,
        )  # fmt: skip
        self._openssl(
            "x509", "-req", "-in", wish, "-CA", self.certificate, "-CAkey", self.key, "-days", "2",
            "-CAcreateserial", "-extfile", extra, "-out", certificate,
        )  # fmt: skip
        return certificate, key


def tls_context(authority, certificate=None, version=ssl.TLSVersion.TLSv1_3):
    context = ssl.create_default_context(cafile=authority.certificate)
    context.minimum_version = context.maximum_version = version
    if certificate:
        context.load_cert_chain(*certificate)
    return context


# --- unittest --------------------------------------------------------------------------------------------------------------


class Story(unittest.TestCase):
    """A test that prints the ends of all logs when it fails."""

    maxDiff = None

    def setUp(self):
        for program in (gateway_program(), simulator_program(), card_adapter()):
            if not os.path.exists(program):
                self.fail(f"{program} is not there: build it first (scripts/test)")
        self.stage = Stage()
        self.addCleanup(self.stage.close)
        self.addCleanup(self._report)

    def _report(self):
        outcome = getattr(self._outcome, "result", None)
        broken = [e for e in (outcome.errors + outcome.failures if outcome else []) if e[0] is self]
        if broken or self._failed_now():
            print(self.stage.report(), file=sys.stderr)

    def _failed_now(self):
        return getattr(self._outcome, "success", True) is False

    def pair(self, *options, **how):
        """A card host and a gateway for it, and a merchant's client."""
        sim = self.stage.simulator(*options)
        gateway = self.stage.gateway(sim, **how)
        return sim, gateway, gateway.client()

    def problem(self, answer, status, code, *pointers):
        """An RFC 9457 answer with this status and code; returns it."""
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.headers.get("content-type"), "application/problem+json", answer)
        body = answer.json()
        for member in ("type", "title", "status", "detail", "code"):
            self.assertIn(member, body)
        self.assertEqual(body["status"], status)
        self.assertEqual(body["code"], code, answer)
        told = [error.get("pointer") for error in body.get("errors", [])]
        for pointer in pointers:
            self.assertIn(pointer, told, answer)
        return body


def main():
    unittest.main(verbosity=2)
