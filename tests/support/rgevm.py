"""rgevm - a local Ethereum node with Norges Bank's published sandbox contracts on it, for tests of adapters/cbdc_evm.

    packages = rgevm.install()                # node and contracts from npm; raises rgevm.Skipped with the reason
    sandbox = rgevm.Sandbox(stage, packages)  # node started, token and policies deployed, balances given
    sandbox.balance(sandbox.merchant)

Nothing here shares code with the adapter: the coding of calls, Keccak and the reading of answers are written a
second time, and the contracts are other people's. What is needed of the packages is a program (anvil) and the
bytecode that stands in a JavaScript file as text; node itself is only needed by npm.

The packages are pinned by tests/support/evm/package-lock.json, integrity included. They are installed once into the
build folder. The node listens on a port of its own choice, says which, and dies with the test.
"""

import fcntl
import hashlib
import http.client
import http.server
import itertools
import json
import os
import re
import shutil
import subprocess
import threading
import time

from rgtest import DIE_WITH_PARENT, ROOT, SLOW, Failure, gateway_program, until

PACKAGES = os.path.join(ROOT, "tests", "support", "evm")
CONTRACTS = "node_modules/@symfoni/cbdc-sandbox-contracts-shared/dist/index.js"
INSTALL_SECONDS = 180
NO_NETWORK = ("ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "EAI_AGAIN", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH",
              "ERR_SOCKET_TIMEOUT", "E401", "E403", "E404", "E407", "E5", "network")  # fmt: skip


class Skipped(Exception):
    """It cannot be tried here, and why."""


# --- packages ---------------------------------------------------------------------------------


def _anvil(folder):
    """The node's program; its package has one for each kind of machine, and npm installs the one that fits."""
    place = os.path.join(folder, "node_modules", "@foundry-rs")
    for name in sorted(os.listdir(place)) if os.path.isdir(place) else []:
        path = os.path.join(place, name, "bin", "anvil")
        if os.path.isfile(path):
            return path
    return None


def _npm(folder):
    if shutil.which("npm") is None:
        raise Skipped("npm is not installed")
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline",
               "--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=2000",
               "--fetch-timeout=20000"]  # fmt: skip
    try:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=INSTALL_SECONDS * SLOW, check=False)  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Skipped("npm cannot reach its registry") from None
    if done.returncode != 0:
        code = re.search(r"npm (?:error|ERR!) code (\S+)", done.stderr)
        if code and code.group(1).startswith(NO_NETWORK):
            raise Skipped("npm cannot reach its registry")
        raise Failure(f"npm install: {done.returncode}\n{done.stderr}")


def install():
    """The folder with both packages. Concurrent tests wait for each other."""
    folder = os.path.join(os.path.dirname(os.path.realpath(gateway_program())), "evm")
    os.makedirs(folder, exist_ok=True)
    digest = hashlib.sha256()
    for name in ("package.json", "package-lock.json"):
        with open(os.path.join(PACKAGES, name), "rb") as file:
            digest.update(file.read())
    with open(os.path.join(folder, "lock"), "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = os.path.join(folder, "installed")
        if os.path.exists(stamp):
            with open(stamp, encoding="ascii") as file:
                if file.read() == digest.hexdigest():
                    return folder
        shutil.rmtree(os.path.join(folder, "node_modules"), ignore_errors=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(os.path.join(PACKAGES, name), os.path.join(folder, name))
        _npm(folder)
        if _anvil(folder) is None:
            raise Skipped("the node's package has no program for this kind of machine")
        if not os.path.exists(os.path.join(folder, CONTRACTS)):
            raise Failure("the contracts' package is not laid out as its pinned version")
        with open(stamp, "w", encoding="ascii") as file:
            file.write(digest.hexdigest())
    return folder


def bytecodes(folder):
    """Name of a contract -> its bytecode, out of the package's JavaScript."""
    with open(os.path.join(folder, CONTRACTS), encoding="utf-8") as file:
        text = file.read()
    codes = dict(re.findall(r'^var (_bytecode\d*) = "0x([0-9a-f]+)";$', text, re.M))
    names = re.findall(r"^(\w+)__factory\.bytecode = (_bytecode\d*);$", text, re.M)
    return {name: codes[variable] for name, variable in names if variable in codes}


# --- Keccak-256 (the sponge before SHA-3's other padding) -------------------------------------

_ROTATE = [[0, 36, 3, 41, 18], [1, 44, 10, 45, 2], [62, 6, 43, 15, 61], [28, 55, 25, 21, 56], [27, 20, 39, 8, 14]]


def _round_constants():
    out, register = [], 1
    for _ in range(24):
        constant = 0
        for bit in range(7):
            if register & 1:
                constant |= 1 << ((1 << bit) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        out.append(constant)
    return out


def _rotated(value, by):
    return ((value << by) | (value >> (64 - by))) & 0xFFFFFFFFFFFFFFFF if by else value


def _permute(lanes):
    for constant in _round_constants():
        columns = [lanes[x][0] ^ lanes[x][1] ^ lanes[x][2] ^ lanes[x][3] ^ lanes[x][4] for x in range(5)]
        for x in range(5):
            mixed = columns[(x - 1) % 5] ^ _rotated(columns[(x + 1) % 5], 1)
            for y in range(5):
                lanes[x][y] ^= mixed
        moved = [[0] * 5 for _ in range(5)]
        for x in range(5):
            for y in range(5):
                moved[y][(2 * x + 3 * y) % 5] = _rotated(lanes[x][y], _ROTATE[x][y])
        for x in range(5):
            for y in range(5):
                lanes[x][y] = moved[x][y] ^ (~moved[(x + 1) % 5][y] & moved[(x + 2) % 5][y])
        lanes[0][0] ^= constant


def keccak256(data):
    rate = 136
    padded = bytearray(data + b"\x01" + b"\x00" * ((-len(data) - 1) % rate))
    padded[-1] |= 0x80
    lanes = [[0] * 5 for _ in range(5)]
    for at in range(0, len(padded), rate):
        for i in range(rate // 8):
            lanes[i % 5][i // 5] ^= int.from_bytes(padded[at + 8 * i : at + 8 * i + 8], "little")
        _permute(lanes)
    return b"".join(lanes[i % 5][i // 5].to_bytes(8, "little") for i in range(4))


# --- the coding of calls ----------------------------------------------------------------------


def encode(values):
    """Heads of 32 bytes each, texts behind them. An address is text that begins with 0x."""
    head, tail = b"", b""
    for value in values:
        if isinstance(value, str) and value.startswith("0x"):
            head += bytes(12) + bytes.fromhex(value[2:])
        elif isinstance(value, str):
            text = value.encode()
            head += (32 * len(values) + len(tail)).to_bytes(32, "big")
            tail += len(text).to_bytes(32, "big") + text + bytes(-len(text) % 32)
        elif isinstance(value, bytes):
            head += value.rjust(32, b"\0")
        else:
            head += int(value).to_bytes(32, "big")
    return head + tail


def calldata(signature, *values):
    return "0x" + (keccak256(signature.encode())[:4] + encode(values)).hex()


TRANSFER_TOPIC = "0x" + keccak256(b"Transfer(address,address,uint256)").hex()


# --- the node ---------------------------------------------------------------------------------


class Refused(Exception):
    """The node answered with an error; its text."""


class Node:
    """anvil: mines a block for each transaction, has ten accounts that it signs for."""

    def __init__(self, stage, folder, name="evm", options=()):
        self.stage, self.name = stage, name
        self.log = os.path.join(stage.folder, f"{name}.log")
        self.out = os.path.join(stage.folder, f"{name}.out")
        self._ids = itertools.count(1)
        # Old states: as many as a node has that is no archive, and none on the disk. Without that, thousands of
        # blocks are gigabytes in the home folder, and they stay there.
        command = [_anvil(folder), "--host", "127.0.0.1", "--port", "0", "--order", "fifo", "--prune-history", "128",
                   "--cache-path", os.path.join(stage.folder, f"{name}.cache"), *options]  # fmt: skip
        with open(self.log, "ab") as log, open(self.out, "ab") as out:
            self.popen = subprocess.Popen(DIE_WITH_PARENT + command, stdin=subprocess.DEVNULL, stdout=out, stderr=log,
                                          cwd=stage.folder, env={**os.environ, "HOME": stage.folder},
                                          start_new_session=True)  # fmt: skip
        stage.processes.append(self)
        self.listen = until("the Ethereum node listens", self._listens, 30)
        self.accounts = self.rpc("eth_accounts")

    def _listens(self):
        if self.popen.poll() is not None:
            raise Failure(f"the Ethereum node ended with {self.popen.returncode} before it was ready")
        with open(self.out, encoding="utf-8", errors="replace") as file:
            found = re.search(r"Listening on (127\.0\.0\.1:\d+)", file.read())
        return found.group(1) if found else None

    def kill(self):
        self.popen.kill()
        self.popen.wait()

    def rpc(self, method, *params):
        body = json.dumps({"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)})
        connection = http.client.HTTPConnection(self.listen, timeout=300 * SLOW)  # thousands of blocks
        try:
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if "error" in answer:
            raise Refused(json.dumps(answer["error"]))
        return answer["result"]

    def receipt(self, transaction):
        found = until("a receipt", lambda: self.rpc("eth_getTransactionReceipt", transaction), 60)
        if found["status"] != "0x1":
            raise Refused(f"transaction {transaction} was reverted")
        return found

    def deploy(self, sender, code, *values):
        data = "0x" + code + encode(values).hex()
        return self.receipt(self.rpc("eth_sendTransaction", {"from": sender, "data": data}))["contractAddress"]

    def send(self, sender, contract, signature, *values):
        data = calldata(signature, *values)
        # Not the node's estimate: interest makes the cost depend on the block's time.
        call = {"from": sender, "to": contract, "data": data, "gas": hex(1_000_000)}
        return self.receipt(self.rpc("eth_sendTransaction", call))

    def ask(self, contract, signature, *values):
        return int(self.rpc("eth_call", {"to": contract, "data": calldata(signature, *values)}, "latest"), 16)


def with_history(blocks, seconds):
    """Options of a node whose chain begins so long ago, and what to do with it before anything else."""
    begins = int(time.time()) - blocks * seconds

    def grow(node):
        node.rpc("anvil_mine", hex(blocks - 10), hex(seconds))
        node.rpc("evm_setNextBlockTimestamp", hex(int(time.time())))
        node.rpc("anvil_mine", "0x1")

    return ["--timestamp", str(begins)], grow


# --- the sandbox ------------------------------------------------------------------------------

DECIMALS = 4  # of the token; NOK has 2, so amounts are scaled by 100
UNIT = 10 ** (DECIMALS - 2)
ANONYMOUS_LIMIT = 50_000  # minor units of NOK for one payment: less than this
DAILY_LIMIT = 80_000
PLENTY = 1_000_000


class Sandbox:
    """Token and policies, in the order in which a transfer meets them:

        BalanceLimitPolicy   what the payee may hold; over it, only a part moves
        AuthenticatedPolicy  ends the chain when both are known to a bank: no further limits
        Anonymous...         one payment, one day

    bank mints, burns and administrates; known and merchant are authenticated, anonymous is not; nobody is limited in
    what he holds until hold() says so. Amounts are minor units of NOK everywhere here."""

    def __init__(self, stage, folder, history=None):
        """history: (blocks, seconds between them) that the chain has before anything happens."""
        options, grow = with_history(*history) if history else ((), lambda node: None)
        self.node = node = Node(stage, folder, options=options)
        grow(node)
        self.bank, self.merchant, self.known, self.anonymous, self.poor, self.other = node.accounts[:6]
        codes = bytecodes(folder)
        self.chain = int(node.rpc("eth_chainId"), 16)
        self.token = node.deploy(self.bank, codes["CBToken"], "Norwegian test krone", "NOK", DECIMALS, 2026)
        self.holding = node.deploy(self.bank, codes["BalanceLimitPolicy"], self.token)
        self.tiers = node.deploy(self.bank, codes["AuthenticatedPolicy"])
        self.single = node.deploy(self.bank, codes["AnonymousTransactionAmountLimitPolicy"])
        self.daily = node.deploy(self.bank, codes["AnonymousDailySpendingLimitPolicy"])
        self._roles()
        self.admin(self.token, "setInterestRate(uint256,bool)", 0, False)  # else balances grow while a test looks
        for account in (self.merchant, self.known, self.anonymous):
            self.mint(account, PLENTY)  # before there are policies: they hold for issued money too
        self._policies()

    def admin(self, contract, signature, *values):
        return self.node.send(self.bank, contract, signature, *values)

    def _roles(self):
        for contract in (self.token, self.holding, self.tiers, self.single, self.daily):
            for role in ("MINTER_ROLE", "BURNER_ROLE", "BANK_ROLE"):
                self.admin(contract, "grantRole(bytes32,address)", keccak256(role.encode()), self.bank)

    def _policies(self):
        self.admin(self.token, "setDefaultPolicy(address)", self.holding)
        self.admin(self.holding, "setNextPolicy(address)", self.tiers)
        self.admin(self.tiers, "setNextPolicy(address)", self.single)
        self.admin(self.single, "setNextPolicy(address)", self.daily)
        self.admin(self.single, "setDefaultLimit(uint256)", ANONYMOUS_LIMIT * UNIT)
        self.admin(self.daily, "setDefaultLimit(uint256)", DAILY_LIMIT * UNIT)
        self.admin(self.holding, "defaultBalanceLimit(uint256)", 2**128)
        self.admin(self.tiers, "authenticateBank(address,string)", self.bank, "Test bank")
        for account in (self.merchant, self.known):
            self.admin(self.tiers, "setAuthenticatedPerson(address)", account)

    def mint(self, account, minor):
        self.admin(self.token, "mint(address,uint256)", account, minor * UNIT)

    def hold(self, account, minor):
        """From now on the account may hold no more than this."""
        self.admin(self.holding, "setUserBalanceLimit(address,uint256)", account, minor * UNIT)

    def balance(self, account):
        units = self.node.ask(self.token, "balanceOf(address)", account)
        minor = (units + UNIT // 2) // UNIT
        # The interest of the moments before it was set to 0 stays in the token's scale: when they were long, what is
        # read is rounded by a unit or two.
        if abs(units - minor * UNIT) > UNIT // 20:
            raise Failure(f"{account} holds {units} units, which is no whole number of minor units")
        return minor

    def balances(self):
        return {name: self.balance(getattr(self, name)) for name in ("merchant", "known", "anonymous", "poor", "other")}

    def supply(self):
        return self.node.ask(self.token, "totalSupply()") // UNIT


# --- between gateway and node -----------------------------------------------------------------


class Wire:
    """Carries requests from the gateway to the node and can have one accident:

    accident(method, n, "drop")    the n-th request with this method gets no answer; the node has acted
    accident(method, n, "lose")    it never reaches the node, and gets no answer
    accident(method, n, "hold")    its answer waits until calm(); held() tells that it does

    methods: what passed, in order."""

    def __init__(self, stage, node):
        self.node, self.methods = node, []
        self._lock, self._accident = threading.Lock(), None
        self._held, self._go = threading.Event(), threading.Event()
        wire = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # pylint: disable=invalid-name
                body = self.rfile.read(int(self.headers["Content-Length"]))
                how = wire.passing(body)
                try:
                    answer = wire.forward(body) if how != "lose" else None
                except OSError:  # the node is gone
                    answer = None
                if how == "hold":
                    wire.hold()
                self.close_connection = how is not None or answer is None
                if self.close_connection:
                    return
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n"
                self.wfile.write(head.encode() + answer)  # at once: else each answer waits for an acknowledgement

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 128

            def handle_error(self, *_):
                """The gateway was killed, or the node is gone."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.listen = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.log = self.out = os.devnull
        stage.processes.append(self)

    def kill(self):
        """As a Stage ends its processes."""
        self._go.set()
        self.server.shutdown()
        self.server.server_close()

    def forward(self, body):
        connection = http.client.HTTPConnection(self.node.listen, timeout=300 * SLOW)  # thousands of blocks
        try:
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            return connection.getresponse().read()
        finally:
            connection.close()

    def passing(self, body):
        """What is to happen to this request; None: nothing."""
        question = json.loads(body)
        names = [q["method"] for q in (question if isinstance(question, list) else [question])]
        with self._lock:
            self.methods += names
            if self._accident is None or self._accident[0] not in names:
                return None
            method, count, how = self._accident
            self._accident = None if count == 1 else (method, count - 1, how)
            return how if count == 1 else None

    def hold(self):
        self._held.set()
        self._go.wait()

    def accident(self, method, count, how):
        self._held.clear()
        self._go.clear()
        with self._lock:
            self.methods = []
            self._accident = (method, count, how)

    def held(self):
        return self._held.is_set()

    def calm(self):
        with self._lock:
            self._accident = None
        self._go.set()
