"""rgnames - a name server on loopback that answers, keeps silent or talks nonsense, for tests.

    server = NameServer({"shop.good.example": "127.0.0.1"})    # all other names do not exist
    settings={"webhooks": {"name_servers": [server.address]}}

Names that end in .slow.example are never answered; those that end in .bad.example are answered with what
their first label says (NONSENSE). DNS as in RFC 1035 4, by hand: a question, an A record, an error.
"""

import socket
import struct
import threading

A = 1


def _question(data):
    """(name, type, where the question ends)"""
    labels, at = [], 12
    while data[at] != 0:
        labels.append(data[at + 1 : at + 1 + data[at]].decode("ascii").lower())
        at += 1 + data[at]
    return ".".join(labels), struct.unpack_from(">H", data, at + 1)[0], at + 5


def _answer(data, end, records=b"", count=0, code=0, more=0):
    """Response, recursion desired and available."""
    head = data[:2] + struct.pack(">HHHHH", 0x8180 | more | code, 1, count, 0, 0)
    return head + data[12:end] + records


def _record(address, name=b"\xc0\x0c"):
    return name + struct.pack(">HHIH", A, 1, 1, 4) + socket.inet_aton(address)


NONSENSE = {
    "loop": lambda data, end: _answer(data, end, b"\xc0" + bytes([end]) + _record("127.0.0.1", b""), 1),
    "beyond": lambda data, end: _answer(data, end, _record("127.0.0.1", b"\xff\xff"), 1),
    "cut": lambda data, end: _answer(data, end, _record("127.0.0.1")[:-3], 1),
    "many": lambda data, end: _answer(data, end, _record("127.0.0.1")[:-6] + b"\xff\xff", 65535),
    "other": lambda data, end: bytes([data[0] ^ 1]) + _answer(data, end, _record("127.0.0.1"), 1)[1:],
    "noise": lambda data, end: data[:2] + bytes(range(7, 250)),
    "nothing": lambda data, end: b"",
    "long": lambda data, end: _answer(data, end, more=0x0200),  # to be asked again over TCP; nobody listens
    "broken": lambda data, end: _answer(data, end, code=2),
}


class NameServer:
    def __init__(self, names):
        self.names, self.asked, self.lock = dict(names), set(), threading.Lock()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            data, peer = self.socket.recvfrom(2048)
            if not data:
                return
            answer = self._answer_to(data)
            if answer is not None:
                self.socket.sendto(answer, peer)

    def _answer_to(self, data):
        name, kind, end = _question(data)
        with self.lock:
            self.asked.add(name)
            address = self.names.get(name)
        if address is not None:
            return _answer(data, end, _record(address), 1) if kind == A else _answer(data, end)
        if name.endswith(".slow.example"):
            return None
        if name.endswith(".bad.example"):
            return NONSENSE[name.split(".")[0]](data, end)
        return _answer(data, end, code=3)

    def learn(self, name, address):
        with self.lock:
            self.names[name] = address

    def asked_for(self, names):
        """All of them."""
        with self.lock:
            return set(names) <= self.asked

    def close(self):
        """An empty datagram ends it."""
        host, port = self.address.split(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ender:
            ender.sendto(b"", (host, int(port)))
        self.thread.join()
        self.socket.close()
