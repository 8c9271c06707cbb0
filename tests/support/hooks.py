"""hooks - a receiver of webhooks, and how a signature is made, for tests.

Signatures are computed by hand from Standard Webhooks 1.0: HMAC-SHA256 of id.timestamp.body, base64.
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time

from rgtest import ROOT, SLOW, Story, request

# The public package; scripts/setup puts it there, since Debian has none.
sys.path.append(os.path.join(ROOT, ".cache", "python"))
try:
    import standardwebhooks
except ImportError:
    standardwebhooks = None

FAST = {
    "webhooks": {
        "allow_http": True,
        "allow_private": True,
        "first_retry": "20ms",
        "timeout": f"{int(1000 * SLOW)}ms",
    }
}


class Receiver:
    """A merchant's server. `plan`: what to do with the next requests, one each; then 200. A number is a status;
    "reset", "hang" and "large" are accidents; (status, {header: value}) an answer with headers. With a
    certificate (paths of certificate and key) it speaks TLS, on `localhost`."""

    def __init__(self, plan=(), certificate=None):
        self.plan, self.got, self.lock = list(plan), [], threading.Lock()
        self.release = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                receiver.take(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):  # connections that are reset are what is tested
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.tls = certificate is not None
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            # The handshake is done by the thread that reads, not by the one that accepts.
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self):
        return f"{'https://localhost' if self.tls else 'http://127.0.0.1'}:{self.port}/hook?shop=1"

    def take(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        with self.lock:
            step = self.plan.pop(0) if self.plan else 200
            headers = {name.lower(): value for name, value in handler.headers.items()}
            self.got.append({"step": step, "headers": headers, "body": body, "path": handler.path, "at": time.time()})
        if step == "reset":
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.connection.close()
            handler.close_connection = True
            return
        if step == "hang":
            self.release.wait(60)
            handler.close_connection = True
            return
        text = b"x" * 50000 if step == "large" else b"ok"
        more = {}
        if isinstance(step, tuple):
            step, more = step
        handler.send_response(200 if step == "large" else step)
        for name, value in more.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        try:
            handler.wfile.write(text)
        except OSError:
            pass

    def taken(self):
        """What was answered with 2xx, in order."""
        with self.lock:
            return [row for row in self.got if row["step"] in (200, "large")]

    def kinds(self):
        return [json.loads(row["body"])["type"] for row in self.taken()]

    def ids(self):
        return [row["headers"]["webhook-id"] for row in self.taken()]

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


def signature(secret, row):
    """By hand, from the specification."""
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    head = f"{row['headers']['webhook-id']}.{row['headers']['webhook-timestamp']}.".encode()
    return "v1," + base64.b64encode(hmac.new(key, head + row["body"], hashlib.sha256).digest()).decode()


class HookStory(Story):
    def receiver(self, plan=(), certificate=None):
        receiver = Receiver(plan, certificate)
        self.addCleanup(receiver.close)
        return receiver

    def call(self, client, method, path, body=None, status=200):
        answer = request(client.gateway.url, method, path, body, client.headers())
        self.assertEqual(answer.status, status, f"{method} {path}: {answer}")
        return answer.json()
