"""`railgate listen`: shows a merchant's events as they happen and forwards them, signed; goes on after the
gateway was away; says clearly why it cannot; ends cleanly.

Test card numbers in here are from ranges that card schemes publish for sandboxes.
"""

import json
import os
import pty
import queue
import re
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))

from hooks import FAST, Receiver, signature
from rgtest import SLOW, Story, gateway_program, main, ops, request, sale, until


class Listener:
    """`railgate listen` with its lines as they come."""

    def __init__(self, key, *arguments, stdout=subprocess.PIPE, env=None):
        env = {**os.environ, "RAILGATE_API_KEY": key or "", "TERM": "xterm", **(env or {})}
        if key is None:
            del env["RAILGATE_API_KEY"]
        env.pop("NO_COLOR", None)
        self.process = subprocess.Popen(
            [gateway_program(), "listen", *arguments], stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, env=env
        )
        self.lines, self.said = queue.Queue(), []
        self.threads = [threading.Thread(target=self.read_errors, daemon=True)]
        if stdout == subprocess.PIPE:
            self.threads.append(threading.Thread(target=self.read_lines, daemon=True))
        for thread in self.threads:
            thread.start()

    def read_lines(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def read_errors(self):
        for line in self.process.stderr:
            self.said.append(line.decode().rstrip("\n"))

    def take(self, count):
        return [self.lines.get(timeout=20 * SLOW) for _ in range(count)]

    def secret(self):
        until("the secret is told", lambda: self.said and "whsec_" in self.said[0])
        return re.search(r"whsec_\S+", self.said[0]).group()

    def end(self, how=None):
        if how is not None:
            self.process.send_signal(how)
        code = self.process.wait(20 * SLOW)
        for thread in self.threads:
            thread.join(10 * SLOW)
        return code

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()
        if self.process.stdout:
            self.process.stdout.close()


class Listen(Story):
    def start(self, settings=None):
        sim = self.stage.simulator()
        gateway = self.stage.gateway(sim, settings={**FAST, **(settings or {})})
        return gateway, gateway.client()

    def receiver(self, plan=()):
        receiver = Receiver(plan)
        self.addCleanup(receiver.close)
        return receiver

    def listen(self, client, *arguments, key="", **how):
        key = client.key if key == "" else key
        listener = Listener(key, "--api", client.gateway.url, *arguments, **how)
        self.addCleanup(listener.close)
        return listener

    def pay(self, client):
        self.assertEqual(client.post("/v1/payments", sale()).status, 201)

    def begun(self, client, count=1):
        """The gateway has so many streams open."""
        until("it listens", lambda: f"railgate_event_streams {count}" in ops(client.gateway, "/metrics").body.decode())

    def test_events_are_forwarded_in_order_and_signed_as_webhooks_are(self):
        _, client = self.start()
        real, forwarded = self.receiver(), self.receiver([200, 500, "reset"])
        body = {"url": real.url}
        self.assertEqual(request(client.gateway.url, "POST", "/v1/webhook_endpoints", body, client.headers()).status, 201)
        listener = self.listen(client, "--forward-to", forwarded.url)
        secret = listener.secret()
        self.begun(client)
        self.pay(client)
        events = client.all("/v1/events")
        rows = listener.take(len(events))
        self.assertEqual([row["event"] for row in rows], events)
        told = [row["forwarded"].get("status", row["forwarded"].get("error")) for row in rows]
        self.assertEqual(told[:3], [200, 500, "connection closed"])
        self.assertEqual(set(told[3:]), {200})
        # Tried once each, and what is posted is what a real endpoint gets, to the byte.
        self.assertEqual([row["headers"]["webhook-id"] for row in forwarded.got], [row["id"] for row in events])
        until("the real ones came", lambda: len(real.taken()) == len(events))
        self.assertEqual([row["body"] for row in forwarded.got], [row["body"] for row in real.got])
        for row in forwarded.got:
            self.assertEqual(row["headers"]["webhook-signature"], signature(secret, row))
            self.assertEqual(row["path"], "/hook?shop=1")
        self.assertEqual(listener.end(signal.SIGINT), 1, "not all were accepted")
        self.assertEqual(listener.said[-1], f"{len(events)} events, {len(events) - 2} accepted, 2 not; go on with --cursor {events[-1]['id']}")

    def test_it_goes_on_where_it_was_when_the_gateway_comes_back(self):
        gateway, client = self.start()
        listener = self.listen(client)
        self.begun(client)
        port = gateway.address[1]
        gateway.kill()  # before a single event came: it knows where it began all the same
        gateway.write("gateway.yaml", {**gateway.settings, "api": {**gateway.settings.get("api", {}), "listen": f"127.0.0.1:{port}"}})
        gateway.start()
        self.pay(client)
        gateway.stop()
        gateway.start()
        self.pay(client)
        events = client.all("/v1/events")
        self.assertEqual([row["event"]["id"] for row in listener.take(len(events))], [row["id"] for row in events])
        self.assertEqual(listener.end(signal.SIGTERM), 0)
        self.assertIn("the connection to the gateway is lost; trying again", listener.said)
        self.assertIn("connected again", listener.said)
        self.assertNotIn("forwarded", json.dumps(events))

    def test_a_cursor_a_filter_and_a_count(self):
        _, client = self.start()
        self.pay(client)
        self.pay(client)
        events = client.all("/v1/events")
        listener = self.listen(client, "--cursor", events[0]["id"], "--count", "2")
        self.assertEqual(listener.end(), 0)
        self.assertEqual([row["event"] for row in listener.take(2)], events[1:3])
        self.assertEqual(listener.said, [f"2 events; go on with --cursor {events[2]['id']}"])
        wanted = [row["id"] for row in events[1:] if row["kind"] == "payment.succeeded"]
        listener = self.listen(client, "--cursor", events[0]["id"], "--count", str(len(wanted)), "--events", "payment.succeeded")
        self.assertEqual(listener.end(), 0)
        self.assertEqual([row["event"]["id"] for row in listener.take(len(wanted))], wanted)

    def test_a_slow_receiver_loses_nothing(self):
        """More events than are kept in memory wait for a receiver that takes its time."""
        _, client = self.start()
        receiver = self.receiver(["hang"])
        self.pay(client)
        first = client.all("/v1/events")[0]["id"]
        for _ in range(40):
            self.pay(client)
        events = client.all("/v1/events")
        listener = self.listen(client, "--cursor", first, "--forward-to", receiver.url)
        until("the first is held up", lambda: len(receiver.got) == 1)
        receiver.release.set()
        rows = listener.take(len(events) - 1)
        self.assertEqual([row["event"]["id"] for row in rows], [row["id"] for row in events[1:]])
        self.assertGreater(len(events), 128)  # twice the queue

    def test_what_waited_at_the_end_comes_again(self):
        """Ended while the first event is held up and others wait behind it: the cursor is before all of them."""
        _, client = self.start()
        receiver = self.receiver(["hang"])
        self.pay(client)
        first = client.all("/v1/events")[0]["id"]
        self.pay(client)
        listener = self.listen(client, "--cursor", first, "--forward-to", receiver.url)
        until("the first is held up", lambda: len(receiver.got) == 1)
        self.assertEqual(listener.end(signal.SIGINT), 0)
        self.assertEqual(listener.said[-1], f"0 events, 0 accepted, 0 not; go on with --cursor {first}")
        receiver.release.set()

    def test_on_a_terminal_it_is_for_people(self):
        _, client = self.start()
        receiver = self.receiver()
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        listener = self.listen(client, "--forward-to", receiver.url, stdout=slave)
        os.close(slave)
        self.begun(client)
        self.pay(client)
        count, text = len(client.all("/v1/events")), b""
        while text.count(b"\n") < count:
            text += os.read(master, 65536)
        self.assertRegex(text.decode(), r"\d\d:\d\d:\d\d  \x1b\[1mpayment\.succeeded\x1b\[0m  .*evt_\w+  pay_\w+.*\x1b\[32m-> 200\x1b\[0m \(\d+ ms\)")
        self.assertEqual(listener.end(signal.SIGINT), 0)

    def test_the_secret_of_a_file_and_the_key_of_a_file(self):
        gateway, client = self.start()
        receiver = self.receiver()
        secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        for name, text in (("secret", secret), ("key", client.key)):
            with open(os.path.join(self.stage.folder, name), "w", encoding="ascii") as file:
                file.write(text + "\n")
        secret_file, key_file = (os.path.join(self.stage.folder, name) for name in ("secret", "key"))
        listener = self.listen(client, "--forward-to", receiver.url, "--secret-file", secret_file, "--key-file", key_file, key=None)
        self.begun(client)
        self.pay(client)
        until("it came", lambda: receiver.got)
        self.assertEqual(receiver.got[0]["headers"]["webhook-signature"], signature(secret, receiver.got[0]))
        self.assertEqual(listener.end(signal.SIGINT), 0)
        self.assertNotIn("whsec_", "\n".join(listener.said))
        with open(f"/proc/{gateway.pid}/cmdline", "rb") as file:
            self.assertNotIn(client.key.encode(), file.read())

    def test_what_it_says_when_it_cannot(self):
        gateway, client = self.start()
        reader = gateway.client("--scopes", "payments:write")
        free = self.receiver()
        nobody = f"http://127.0.0.1:{free.port}"
        free.close()
        api = ("--api", gateway.url)
        for key, arguments, wanted in (
            (None, api, "give the merchant's API key"),
            ("rg_test_wrong", api, "answers 401"),
            (reader.key, api, "answers 403"),
            (client.key, ("--api", nobody), "cannot be reached: nobody listens there"),
            (client.key, ("--api", "127.0.0.1"), "--api needs a URL"),
            (client.key, (*api, "--forward-to", "localhost:3000"), "--forward-to needs a URL"),
            (client.key, (*api, "--cursor", "pay_1"), "--cursor takes the id of an event"),
            (client.key, (*api, "--events", "pay*"), "--events takes"),
            (client.key, (*api, "--count", "many"), "--count takes a number"),
            (client.key, (*api, "--key-file", "/nowhere"), "the API key cannot be read from /nowhere"),
            (client.key, (*api, "--forward-to", nobody, "--secret-file", os.devnull), "the webhook secret cannot be read"),
            (client.key, (*api, "--ca", "/nowhere"), "/nowhere"),
            (client.key, (*api, "--nothing"), "unknown option"),
        ):
            listener = Listener(key, *arguments)
            self.addCleanup(listener.close)
            self.assertEqual(listener.end(), 2, arguments)
            self.assertIn(wanted, " ".join(listener.said), arguments)
            self.assertNotIn(client.key, " ".join(listener.said))
        out = subprocess.run([gateway_program(), "listen", "--help"], capture_output=True, text=True, check=True).stdout
        for word in ("--forward-to", "--cursor", "--key-file", "Ctrl-C"):
            self.assertIn(word, out)

    def test_a_gateway_that_speaks_to_the_terminal(self):
        """An id that is none is not printed, nor asked for."""
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        listener = Listener("rg_test_x", "--api", f"http://127.0.0.1:{server.getsockname()[1]}", env={"TERM": "xterm"})
        self.addCleanup(listener.close)
        asked = []
        for _ in range(2):
            server.settimeout(20 * SLOW)
            peer = server.accept()[0]
            with peer:
                asked.append(peer.recv(65536))
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\nid: \x1b]0;x y\n\n")
        self.assertIn(b"GET /v1/events/stream HTTP/1.1\r\n", asked[1])
        self.assertEqual(listener.end(signal.SIGINT), 0)
        self.assertNotIn("]0;", "".join(listener.said))
        self.assertEqual(listener.said[-1], "0 events")

    def test_a_stream_ends_with_its_key(self):
        """Who has a stolen key hears nothing more once it is revoked, also on a stream that is open."""
        gateway, client = self.start()
        key = gateway.create_key("--merchant", client.merchant)
        listener = Listener(key["key"], "--api", gateway.url)
        self.addCleanup(listener.close)
        until("it listens", lambda: "railgate_event_streams 1" in ops(gateway, "/metrics").body.decode())
        gateway.cli("keys", "revoke", key["id"])
        self.assertEqual(listener.end(), 2)
        self.assertIn("This API key was revoked.", listener.said[-2])

    def test_a_receiver_that_is_not_there_is_shown_and_passed(self):
        _, client = self.start()
        free = self.receiver()
        free.close()
        listener = self.listen(client, "--forward-to", free.url)
        self.begun(client)
        self.pay(client)
        rows = listener.take(len(client.all("/v1/events")))
        self.assertEqual({row["forwarded"]["error"] for row in rows}, {"nobody listens there"})
        self.assertEqual(listener.end(signal.SIGINT), 1, "a script sees that nothing was accepted")


if __name__ == "__main__":
    main()
