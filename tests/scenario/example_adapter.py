"""The adapter that adapter-developer.md shows for HTTP, in the gateway and against the other side of its protocol
(adapters/null/null_http.c): what developers copy must also work, not only come out as its transcripts say."""

import http.server
import os
import threading

import rgrails
from rgledger import attempts_of
from rgtest import Story, main, until

KEY = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"


class Counterpart:
    """Orders by name; the last two digits of the amount are the state they get: 00 paid, 01 open, 02 refused."""

    STATES = {0: "paid", 1: "open", 2: "refused"}

    def __init__(self):
        self.orders, self.asked, self.silent = {}, [], False
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                said = dict(line.split("=", 1) for line in body.splitlines())
                status, lines = outer.answer(self.command, self.path, said)
                if status == 0:
                    self.close_connection = True
                    return
                data = "".join(f"{name}={value}\n" for name, value in lines).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = handle_one

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def tell(self, name, state=None, amount=None):
        order = self.orders[name]
        state, amount = state or order["state"], amount or order["amount"]
        return [("order", name), ("state", state), ("amount", amount), ("currency", order["currency"])]

    def answer(self, method, path, said):
        self.asked.append((method, path))
        parts = path.strip("/").split("/")
        if parts[0] == "token":
            return 200, [("token", "t0ken"), ("lifetime", 3600)]
        if parts[0] == "quotes":
            return 200, [("quote", "q1")]
        if method == "POST":
            name = said["order"]
            self.orders.setdefault(name, {"state": self.STATES[int(said["amount"]) % 100], **said})
            if self.silent:
                self.silent = False
                return 0, []
            return (402 if self.orders[name]["state"] == "refused" else 201), self.tell(name)
        if parts[1] not in self.orders:
            return 404, []
        if method == "PUT":
            return 200, self.tell(parts[1], "returned", said["amount"])
        if method == "DELETE" and self.orders[parts[1]]["state"] == "open":
            self.orders[parts[1]]["state"] = "closed"
        return 200, self.tell(parts[1])


class Example(Story):
    def setUp(self):
        super().setUp()
        self.other = Counterpart()
        self.addCleanup(self.other.close)
        layout = os.path.join(self.stage.folder, "layout")
        with open(layout, "w", encoding="ascii") as out:
            out.write("NULL1:*:PAY")
        channel = {
            **rgrails.BASE,
            "name": "example",
            "adapter": rgrails.adapter("null_http"),
            "rail": "qr",
            "endpoints": [self.other.address],
            "settings": {
                "client": "shop-1",
                "client_key": "example_key",
                "notice_key": "example_key",
                "code_layout": layout,
            },
        }
        self.gateway = rgrails.rails(self.stage, [channel], settings={"keys": rgrails.keys_with(("example_key", KEY))})
        self.api = self.gateway.client()

    def pay(self, value):
        body = {"amount": {"value": value, "currency": "EUR"}, "method": {"type": "qr", "qr": {"mode": "present"}}}
        return self.api.post("/v1/payments", body)

    def operations(self, payment):
        return [attempt.operation for attempt in attempts_of(self.api.events(payment["id"]), payment["id"])]

    def test_paid_and_refunded(self):
        answer = self.pay(1200)
        payment = answer.json()
        self.assertEqual((answer.status, payment["status"]), (201, "succeeded"), answer)
        self.assertEqual(rgrails.refund(self.api, payment, 200).json()["status"], "succeeded")
        self.assertEqual(self.operations(payment), ["sale", "refund"])

    def test_refused(self):
        self.assertEqual(self.pay(1202).json()["status"], "failed")

    def test_shown_and_canceled(self):
        payment = self.pay(1201).json()
        self.assertEqual((payment["status"], payment["next_action"]["type"]), ("requires_action", "show_code"), payment)
        self.assertRegex(payment["next_action"]["payload"], r"\ANULL1:att_\w{13}:PAY\Z")
        self.assertEqual(self.api.post(f"/v1/payments/{payment['id']}/cancel", {}).json()["status"], "canceled")

    def test_an_order_whose_answer_is_lost(self):
        self.other.silent = True
        payment = self.pay(1200).json()
        until("the payment is settled", lambda: self.api.payment(payment["id"])["status"] == "succeeded")
        self.assertEqual(self.operations(payment), ["sale", "inquire"])
        self.assertEqual(sum(asked == ("POST", "/orders") for asked in self.other.asked), 1)


if __name__ == "__main__":
    main()
