"""What was accepted and waits for its final word: paid while it is being closed, told twice or with other money,
hinted at, canceled, too many of it, and found again after a crash.

Most stories are played against a provider whose every answer is chosen by the story (Provider below), because what
matters is what comes between a request and its answer."""

import http.server
import json
import sqlite3
import threading

import rgrails
import rgwallet
from rgrails import journal, metric, qr_sale, settled, tell
from rgtest import Story, main, until

EXPIRED_AT_ONCE = {"code_expires_s": 1}
LONG = {"code_expires_s": 3600}


class Provider:
    """The wallet provider of docs/rails/qr-wire.md as far as orders go. `closing` answers a cancel: it is called with
    the order and returns (status, body)."""

    def __init__(self):
        self.orders, self.asked, self.closing = {}, [], self.close
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.answer(*provider.heard("GET", self.path, b""))

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                self.answer(*provider.heard("POST", self.path, body))

            def answer(self, status, body):
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.listen = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def heard(self, method, path, body):
        self.asked.append((method, path))
        if (method, path) == ("POST", "/v1/orders"):
            order = {**json.loads(body), "state": "open", "provider_id": f"wp_{len(self.orders) + 1}"}
            self.orders[order["order_id"]] = order
            return 201, order
        order = self.orders.get(path.split("/")[3])
        if order is None:
            return 404, {"error": "not_found"}
        return self.closing(order) if path.endswith("/cancel") else (200, order)

    @staticmethod
    def close(order):
        order["state"] = "canceled"
        return 200, order

    @staticmethod
    def pay(order):
        order.update(state="paid", paid_amount=order["amount"])
        return {"type": "order.paid", "data": dict(order)}

    def times(self, order, what):
        return sum(path.endswith(f"/{order['order_id']}{what}") for _, path in self.asked)


class Played(Story):
    settings = LONG
    limits = None

    def setUp(self):
        super().setUp()
        self.provider = Provider()
        self.addCleanup(self.provider.server.server_close)
        self.addCleanup(self.provider.server.shutdown)
        channel = rgrails.qr_channel(self.provider, settings=self.settings)
        more = {"limits": self.limits} if self.limits else None
        self.gateway = rgrails.rails(self.stage, [channel], settings=more)
        self.api = self.gateway.client()

    def shown(self, value, **qr):
        answer = self.api.post("/v1/payments", qr_sale(value, **qr))
        self.assertEqual((answer.status, answer.json()["status"]), (202, "requires_action"), answer)
        return answer.json()

    def order_of(self, payment):
        amount = f"{payment['amount']['value'] / 100:.2f}"
        return next(order for order in self.provider.orders.values() if order["amount"] == amount)

    def tell(self, notice):
        answer = tell(self.gateway, json.dumps(notice).encode())
        self.assertEqual(answer.status, 200, answer)

    def kinds(self, payment):
        return [event["kind"] for event in self.api.events(payment["id"])]

    def in_conflict(self, payment, count=1):
        until("the conflict is written down", lambda: "attempt.conflict" in self.kinds(payment))
        self.assertEqual(metric(self.gateway, "railgate_attempts_conflict_total"), count)
        self.assertEqual(self.gateway.log_text().count('"payment.conflict"'), count)

    def cancel(self, payment):
        answer = self.api.post(f"/v1/payments/{payment['id']}/cancel")
        self.assertEqual(answer.status, 200, answer)
        return answer.json()


class Closed(Played):
    """Its time is over and nobody is known to have paid."""

    settings = EXPIRED_AT_ONCE

    def test_four_ways_in_which_closing_ends(self):
        quicker, late, nobody, busy = [self.shown(value) for value in (1001, 1002, 1003, 1004)]

        def closing(order):
            if order is self.order_of(quicker):  # paid a moment before; the notice overtakes the answer
                self.tell(self.provider.pay(order))
                return 409, {"error": "already_paid"}
            if order is self.order_of(late):  # said to be paid, and closed all the same
                self.tell(self.provider.pay(dict(order)))
            elif order is self.order_of(busy) and self.provider.times(order, "/cancel") < 4:
                return 409, {"error": "already_paid"}  # and its own record still says open
            return self.provider.close(order)

        self.provider.closing = closing
        self.assertEqual(settled(self.api, nobody["id"])["outcome"]["code"], "expired")
        paid = settled(self.api, quicker["id"])
        self.assertEqual((paid["status"], paid["captured"]), ("succeeded", 1001), self.kinds(quicker))

        self.in_conflict(late)
        held = self.api.payment(late["id"])
        self.assertEqual((held["status"], held["captured"], held["next_action"]), ("processing", 0, None), held)
        self.assertEqual((held["outcome"]["result"], held["outcome"].get("conflict")), ("unknown", True), held)

        self.assertEqual(settled(self.api, busy["id"])["status"], "failed")
        self.assertEqual(self.provider.times(self.order_of(busy), "/cancel"), 4)
        asked = self.provider.times(self.order_of(busy), "")
        self.assertLessEqual(asked, 6, "between closing and asking there are pauses")

    def test_a_crash_while_it_is_being_closed(self):
        self.provider.closing = lambda order: (500, {"error": "internal"})
        payment = self.shown(1250)
        until("it is being closed", lambda: self.provider.times(self.order_of(payment), "/cancel"))
        self.gateway.kill()
        self.provider.closing = self.provider.close
        self.gateway.start()
        payment = settled(self.api, payment["id"])
        self.assertEqual((payment["status"], payment["outcome"]["code"]), ("failed", "expired"), payment)


class Old(Played):
    """A code that lives longer than a reversal is tried."""

    settings = {"code_expires_s": 3}

    def setUp(self):
        Story.setUp(self)
        self.provider = Provider()
        self.addCleanup(self.provider.server.server_close)
        self.addCleanup(self.provider.server.shutdown)
        channel = rgrails.qr_channel(self.provider, settings=self.settings, reversal={"max_age": "2500ms"})
        self.gateway = rgrails.rails(self.stage, [channel])
        self.api = self.gateway.client()

    def test_hinted_at_all_the_time_and_still_closed(self):
        payment, paid = self.shown(1250), self.shown(1251)
        self.provider.pay(self.order_of(paid))  # and the notice of it is lost

        def hinted():
            tell(self.gateway, rgrails.notice_of(self.order_of(payment)), signature=None)
            return self.api.payment(payment["id"])["status"] not in ("requires_action", "processing")

        until("it expires however often strangers say that there is news", hinted, 15)
        payment = self.api.payment(payment["id"])
        self.assertEqual((payment["status"], payment["outcome"]["code"]), ("failed", "expired"), payment)
        self.assertEqual(settled(self.api, paid["id"])["status"], "succeeded")
        self.assertNotIn("attempt.parked", self.kinds(payment) + self.kinds(paid))


class Canceled(Played):
    def test_paid_before_the_cancel_is_answered(self):
        payment = self.shown(1250)

        def closing(order):
            self.tell(self.provider.pay(dict(order)))
            return self.provider.close(order)

        self.provider.closing = closing
        self.assertEqual(self.cancel(payment)["status"], "succeeded")
        self.in_conflict(payment)
        self.assertEqual(self.api.payment(payment["id"])["captured"], 1250)
        self.assertIn("cancel.failed", self.kinds(payment))

    def test_paid_after_it_was_canceled(self):
        payment = self.shown(1250)
        self.assertEqual(self.cancel(payment)["status"], "canceled")
        self.tell(self.provider.pay(self.order_of(payment)))
        self.in_conflict(payment)
        self.assertEqual(self.api.payment(payment["id"])["status"], "canceled")

    def test_no_answer_then_open_then_canceled(self):
        heard, first = self.provider.heard, []

        def broken(method, path, body):
            answer = heard(method, path, body)
            if method == "POST" and not first:
                first.append(path)
                return 500, {"error": "internal"}
            return answer

        self.provider.heard = broken
        answer = self.api.post("/v1/payments", qr_sale(1250))
        self.assertEqual((answer.status, answer.json()["status"]), (202, "processing"), answer)
        payment = answer.json()
        shown = until("the inquiry found it", lambda: self.found_pending(payment))
        self.assertEqual(shown["status"], "processing", shown)
        self.assertEqual(self.cancel(payment)["status"], "canceled")
        self.assertEqual(self.order_of(payment)["state"], "canceled")

    def found_pending(self, payment):
        shown = self.api.payment(payment["id"])
        return shown if shown["outcome"]["result"] == "pending" else None


class Told(Played):
    """Whatever a verified notice says is written down, once."""

    def credit(self, reference, amount, **more):
        data = {"order_id": "", "provider_id": reference, "reference": "SOMEBODY-ELSE", "state": "paid"}
        data.update(amount=amount, paid_amount=amount, currency="EUR", **more)
        return {"type": "payment.paid", "data": data}

    def test_money_beyond_what_was_asked_for(self):
        payment = self.shown(700)
        order = self.order_of(payment)
        notice = self.provider.pay(order)
        for reference in ("wp_1", "wp_1", *(f"wp_again_{number}" for number in range(12)), "wp_again_3"):
            self.tell({**notice, "data": {**notice["data"], "provider_id": reference}})
        self.assertEqual(self.kinds(payment).count("payment.paid_again"), 12)
        rows = journal(self.gateway, "payment.paid_again")
        self.assertEqual(len({row["rail_reference"] for row in rows}), 12, rows)
        self.assertEqual(self.api.payment(payment["id"])["captured"], 700)
        self.assertEqual(metric(self.gateway, "railgate_attempts_conflict_total"), 12)

    def test_money_that_is_nobody_s(self):
        for reference, amount in (("a", "3.00"), ("b", "3.00"), ("a", "3.00"), ("a", "4.00"), ("a", "4.00")):
            self.tell(self.credit(reference, amount))
        credits = [(row["rail_reference"], row["amount"]) for row in journal(self.gateway, "channel.credit")]
        self.assertEqual(credits, [("a", 300), ("b", 300)])
        contradictions = [row["amount"] for row in journal(self.gateway, "channel.contradiction")]
        self.assertEqual(contradictions, [400], "the same reference with other money is not the same")

    def test_an_attempt_that_never_was(self):
        payment = self.shown(700)
        order = {**self.order_of(payment), "order_id": "att_0000000000001"}
        self.tell(self.provider.pay(order))
        self.assertEqual(len(journal(self.gateway, "channel.notice") + journal(self.gateway, "channel.credit")), 1)
        self.assertEqual(self.api.payment(payment["id"])["status"], "requires_action")


class Static(Story):
    """A code that hangs on a wall, against the provider's simulator."""

    def test_paid_with_other_money_first(self):
        wallet = rgwallet.start(self.stage)
        gateway = rgrails.rails(self.stage, [rgrails.qr_channel(wallet)])
        wallet.settings(notice_url=gateway.ready["notices"] + "wallet")
        api = gateway.client()
        payment = api.post("/v1/payments", qr_sale(700, code_type="static")).json()
        code = payment["next_action"]["payload"]
        wallet.scan(code=code, amount="5.00")
        told = until("the other amount is told", lambda: journal(gateway, "payment.paid_other_amount"))
        self.assertEqual([row["amount"] for row in told], [500])
        self.assertEqual(api.payment(payment["id"])["status"], "requires_action", "who was meant may still pay")
        wallet.scan(code=code, amount="7.00", phone="phone-2")
        paid = settled(api, payment["id"])
        self.assertEqual((paid["status"], paid["captured"]), ("succeeded", 700), paid)
        wallet.scan(code=code, amount="5.00", phone="phone-2")
        until("and again", lambda: journal(gateway, "payment.paid_again"))
        self.assertEqual(api.payment(payment["id"])["captured"], 700)


class Many(Played):
    limits = {"payments_in_flight": 2}

    def test_what_is_open_can_be_ended_at_the_limit(self):
        one, two = self.shown(1001), self.shown(1002)
        third = self.api.post("/v1/payments", qr_sale(1003))
        self.assertEqual((third.status, third.json()["code"]), (503, "overloaded"), third)
        self.assertEqual(self.cancel(one)["status"], "canceled")
        until("its work is over", lambda: metric(self.gateway, "railgate_payments_working") == 1)
        four = self.shown(1004)
        self.gateway.kill()
        self.gateway.settings["limits"]["payments_in_flight"] = 1
        self.gateway.write("gateway.yaml", self.gateway.settings)
        self.gateway.start()
        for payment in (two, four):
            self.assertEqual(self.cancel(payment)["status"], "canceled")


class Restart(Played):
    def test_thousands_are_taken_up(self):
        """Each open attempt has its work again before the gateway is ready, and what was asking about one that a
        notice has settled is closed."""
        first = self.shown(1250)
        self.gateway.kill()
        copies, orphans = 4000, 2500
        self.multiply(copies, orphans)
        self.gateway.start()
        until(
            "only those still wait that have no final word",
            lambda: metric(self.gateway, "railgate_payments_working") == 1 + copies - orphans,
        )
        self.assertNotIn('"payment.recovery_postponed"', self.gateway.log_text())
        self.assertEqual(self.cancel(first)["status"], "canceled")

    def multiply(self, copies, orphans):
        store = sqlite3.connect(self.gateway.database)
        for table in ("payments", "operations", "attempts"):
            rows = store.execute(f"select * from {table}")
            names = [column[0] for column in rows.description]
            row, more = dict(zip(names, rows.fetchone())), []
            for number in range(1, copies + 1):
                moved = {name: row[name] + number * 16 for name in ("id", "payment", "operation") if name in row}
                copy = {**row, **moved}
                more.append(copy)
                if table == "attempts" and number <= orphans:
                    copy["state"] = 2  # approved
                    more.append({**copy, "id": copy["id"] + 1, "parent": copy["id"], "verb": 6, "state": 1})
            store.executemany(
                f"insert into {table} values ({','.join('?' * len(names))})", [list(r.values()) for r in more]
            )
        store.commit()
        store.close()


if __name__ == "__main__":
    main()
