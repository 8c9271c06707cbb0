"""Webhooks out: real receivers, real sockets. Order, signatures, retries, 410, redirects, secrets that are
rotated, tests and resends, restarts and kill -9, and the event list and stream.

Signatures are checked by hand (Standard Webhooks 1.0: HMAC-SHA256 of id.timestamp.body, base64), and once more
with the public `standardwebhooks` package, which scripts/setup installs; without it that test says skipped.

Test card numbers in here are from ranges that card schemes publish for sandboxes.
"""

import base64
import glob
import http.client
import json
import os
import re
import signal
import sys
import time
from datetime import datetime

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))

from hooks import FAST, HookStory, signature, standardwebhooks
from rgtest import SLOW, Authority, Failure, main, ops, request, sale, together, until

class Webhooks(HookStory):
    def start(self, settings=None):
        sim = self.stage.simulator()
        gateway = self.stage.gateway(sim, settings={**FAST, **(settings or {})})
        return gateway, gateway.client()

    def endpoint(self, client, receiver, **more):
        body = {"url": receiver if isinstance(receiver, str) else receiver.url, **more}
        return self.call(client, "POST", "/v1/webhook_endpoints", body, 201)

    def pay(self, client, count=1):
        ids = []
        for _ in range(count):
            answer = client.post("/v1/payments", sale())
            self.assertEqual(answer.status, 201)
            ids.append(answer.json()["id"])
        return ids

    def journal(self, client, kind=None):
        return client.all("/v1/events" + (f"?kind={kind}" if kind else ""))

    def all_there(self, client, receiver, seconds=20):
        """Every event of the journal so far has come."""
        wanted = {row["id"] for row in self.journal(client)}
        until("all events have come", lambda: wanted <= set(receiver.ids()), seconds)

    def deliveries(self, client, endpoint):
        return self.call(client, "GET", f"/v1/webhook_endpoints/{endpoint['id']}/deliveries")["data"]

    def status(self, client, endpoint):
        return self.call(client, "GET", f"/v1/webhook_endpoints/{endpoint['id']}")

    # --- delivery

    def test_events_come_in_order_signed_and_as_the_api_shows_them(self):
        _, client = self.start()
        receiver = self.receiver()
        endpoint = self.endpoint(client, receiver, description="till")
        self.assertRegex(endpoint["secret"], r"^whsec_[A-Za-z0-9+/]{43}=$")
        self.assertNotIn("secret", self.status(client, endpoint))
        self.pay(client, 5)
        self.all_there(client, receiver)
        events = self.journal(client)
        self.assertEqual(receiver.ids(), [row["id"] for row in events])
        for row, event in zip(receiver.taken(), events):
            body = json.loads(row["body"])
            self.assertEqual(body, {"type": event["kind"], "timestamp": event["time"], "data": event})
            self.assertEqual(row["headers"]["webhook-signature"], signature(endpoint["secret"], row))
            self.assertEqual(row["headers"]["content-type"], "application/json")
            self.assertLess(abs(int(row["headers"]["webhook-timestamp"]) - row["at"]), 60)
            self.assertEqual(row["path"], "/hook?shop=1")
        self.assertEqual({row["result"] for row in self.deliveries(client, endpoint)}, {"delivered"})

    def test_the_public_package_accepts_our_signature(self):
        if standardwebhooks is None:
            self.skipTest("skipped: no standardwebhooks package; scripts/setup installs it")
        _, client = self.start()
        receiver = self.receiver()
        endpoint = self.endpoint(client, receiver)
        self.pay(client)
        self.all_there(client, receiver)
        hook = standardwebhooks.Webhook(endpoint["secret"])
        for row in receiver.taken():
            self.assertEqual(hook.verify(row["body"], row["headers"]), json.loads(row["body"]))
        with self.assertRaises(standardwebhooks.WebhookVerificationError):
            hook.verify(row["body"] + b" ", row["headers"])
        # While a secret is rotated either of the two opens it, and no other does.
        newer = self.call(client, "POST", f"/v1/webhook_endpoints/{endpoint['id']}/rotate_secret", {"overlap_seconds": 600})
        self.pay(client)
        self.all_there(client, receiver)
        row = receiver.taken()[-1]
        for secret in (endpoint["secret"], newer["secret"]):
            standardwebhooks.Webhook(secret).verify(row["body"], row["headers"])
        with self.assertRaises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").verify(row["body"], row["headers"])

    def test_failures_are_tried_again_and_nothing_overtakes(self):
        _, client = self.start()
        receiver = self.receiver([500, "reset", 200, "hang", 503, (302, {"Location": "/elsewhere"}), "large"])
        endpoint = self.endpoint(client, receiver)
        self.pay(client, 3)
        self.all_there(client, receiver)
        self.assertEqual(receiver.ids(), [row["id"] for row in self.journal(client)])
        tried = [row["headers"]["webhook-id"] for row in receiver.got]
        self.assertEqual(len(set(tried[:3])), 1)  # 500, reset, 200
        self.assertEqual(len(set(tried[3:7])), 1)  # hang, 503, redirect, a large answer
        self.assertNotIn("/elsewhere", [row["path"] for row in receiver.got])
        results = [row["result"] for row in reversed(self.deliveries(client, endpoint))]
        self.assertEqual([results[0], results[3], results[4], results[5]], ["status", "timeout", "status", "redirect"])
        row = self.status(client, endpoint)
        self.assertEqual((row["status"], row["failures"], row["failing_since"], row["next_try"]), ("enabled", 0, None, None))

    def test_a_pause_that_the_receiver_asks_for_is_kept(self):
        _, client = self.start()
        receiver = self.receiver([(503, {"Retry-After": "2"}), (429, {"Retry-After": "nonsense"})])
        endpoint = self.endpoint(client, receiver)
        self.pay(client)
        self.all_there(client, receiver)
        self.assertGreaterEqual(receiver.got[1]["at"] - receiver.got[0]["at"], 1.99)  # 20 ms otherwise
        self.assertEqual(len({row["headers"]["webhook-id"] for row in receiver.got[:3]}), 1)
        self.assertEqual([row["http_status"] for row in self.deliveries(client, endpoint)[-3:]], [200, 429, 503])

    def test_such_a_pause_has_a_bound(self):
        _, client = self.start({"webhooks": {**FAST["webhooks"], "first_retry": "1ms"}})
        receiver = self.receiver([(503, {"Retry-After": "31536000"})])
        endpoint = self.endpoint(client, receiver)
        self.pay(client)
        until("a try", lambda: self.deliveries(client, endpoint))
        row = self.deliveries(client, endpoint)[-1]
        pause = datetime.fromisoformat(row["next_try"]) - datetime.fromisoformat(row["time"])
        self.assertTrue(8.6 < pause.total_seconds() < 9.6, pause)  # 8640 times the first, and a tenth

    def test_gone_disables_at_once_with_an_event_for_the_others(self):
        gateway, client = self.start()
        gone, other = self.receiver([410]), self.receiver()
        endpoint = self.endpoint(client, gone)
        self.endpoint(client, other, events=["webhook_endpoint.*"])
        self.pay(client)
        until("the other hears of it", lambda: "webhook_endpoint.disabled" in other.kinds())
        event = json.loads(other.taken()[0]["body"])["data"]
        self.assertEqual(event["data"], {"endpoint": endpoint["id"], "reason": "gone"})
        row = self.status(client, endpoint)
        self.assertEqual((row["status"], row["disabled_reason"]), ("disabled", "gone"))
        self.assertEqual(len(gone.got), 1)
        answer = client.post(f"/v1/webhook_endpoints/{endpoint['id']}/test")
        self.assertEqual((answer.status, answer.json()["code"]), (409, "webhook_endpoint_disabled"))
        # Enabled again it goes on where it stopped.
        self.call(client, "PATCH", f"/v1/webhook_endpoints/{endpoint['id']}", {"status": "enabled"})
        self.all_there(client, gone)
        self.assertEqual(gone.ids(), [row["id"] for row in self.journal(client)])
        self.assertIn("railgate_webhook_disabled_total 1", ops(gateway, "/metrics").body.decode())

    def test_who_fails_too_long_is_disabled(self):
        _, client = self.start({"webhooks": {**FAST["webhooks"], "give_up_after": "300ms"}})
        receiver = self.receiver([500] * 100)
        endpoint = self.endpoint(client, receiver)
        self.pay(client)
        until("disabled", lambda: self.status(client, endpoint)["status"] == "disabled")
        self.assertEqual(self.status(client, endpoint)["disabled_reason"], "failing")
        self.assertEqual(len(self.journal(client, "webhook_endpoint.disabled")), 1)

    def test_slow_receivers_do_not_hold_up_others(self):
        settings = {"webhooks": {**FAST["webhooks"], "connections": 4, "timeout": f"{int(3000 * SLOW)}ms"}}
        _, client = self.start(settings)
        slow = [self.receiver(["hang"] * 50) for _ in range(3)]
        for receiver in slow:
            self.endpoint(client, receiver)
        quick = self.receiver()
        self.endpoint(client, quick)
        self.pay(client, 3)
        self.all_there(client, quick, 30)
        self.assertEqual([len(receiver.taken()) for receiver in slow], [0, 0, 0])

    def test_kill_and_restart_lose_nothing(self):
        gateway, client = self.start()
        receiver = self.receiver([500, 200, 500, "reset"])
        self.endpoint(client, receiver)
        for round_ in range(4):
            self.pay(client, 2)
            if round_ % 2 == 0:
                gateway.kill()
            else:
                self.assertEqual(gateway.stop(signal.SIGTERM), 0)
            gateway.start()
        self.all_there(client, receiver, 30)
        first = list(dict.fromkeys(receiver.ids()))
        self.assertEqual(first, [row["id"] for row in self.journal(client)])  # in order, repeats left out

    # --- TLS

    def test_receivers_prove_who_they_are(self):
        trusted = Authority(self.stage.folder, "trusted")
        stranger = Authority(self.stage.folder, "stranger")
        _, client = self.start({"webhooks": {**FAST["webhooks"], "allow_http": False, "ca": trusted.certificate}})
        good = self.receiver([500], certificate=trusted.issue("good"))
        refused = {
            "another name": self.receiver(certificate=trusted.issue("name", "DNS:shop.example,IP:127.0.0.2")),
            "another authority": self.receiver(certificate=stranger.issue("good")),
            "its own": self.receiver(certificate=(stranger.certificate, stranger.key)),
        }
        self.endpoint(client, good)
        endpoints = {why: self.endpoint(client, receiver) for why, receiver in refused.items()}
        address = self.endpoint(client, good.url.replace("localhost", "127.0.0.1"), description="an address")
        plain = self.receiver()
        endpoints["no TLS"] = self.endpoint(client, f"https://127.0.0.1:{plain.port}/")
        self.pay(client)
        self.all_there(client, good)
        for why, endpoint in endpoints.items():
            until(f"a try ({why})", lambda: self.deliveries(client, endpoint))
            self.assertEqual({row["result"] for row in self.deliveries(client, endpoint)}, {"tls"}, why)
            self.assertEqual(refused.get(why, plain).got, [], why)
        until("by its address too", lambda: "delivered" in {row["result"] for row in self.deliveries(client, address)})

    # --- who and what

    def test_filters_and_other_merchants(self):
        gateway, client = self.start()
        stranger = gateway.client()
        some, other = self.receiver(), self.receiver()
        self.endpoint(client, some, events=["payment.succeeded", "refund.*"])
        self.endpoint(stranger, other)
        (payment,) = self.pay(client)
        self.assertEqual(client.post(f"/v1/payments/{payment}/refunds", {}).status, 201)
        wanted = [r["id"] for r in self.journal(client) if r["kind"] == "payment.succeeded" or r["kind"].startswith("refund.")]
        self.assertGreaterEqual(len(wanted), 2)
        until("those asked for", lambda: some.ids() == wanted)
        self.assertEqual(other.got, [])
        self.assertEqual(self.journal(stranger), [])

    def test_rotation_signs_with_both_secrets_for_a_while(self):
        _, client = self.start()
        receiver = self.receiver()
        endpoint = self.endpoint(client, receiver)
        path = f"/v1/webhook_endpoints/{endpoint['id']}/rotate_secret"
        newer = self.call(client, "POST", path, {"overlap_seconds": 3600})
        self.assertNotEqual(newer["secret"], endpoint["secret"])
        self.assertIsNotNone(newer["old_secret_until"])
        self.pay(client)
        self.all_there(client, receiver)
        for row in receiver.taken():
            both = [signature(newer["secret"], row), signature(endpoint["secret"], row)]
            self.assertEqual(row["headers"]["webhook-signature"].split(" "), both)
        last = self.call(client, "POST", path, {"overlap_seconds": 0})
        self.pay(client)
        self.all_there(client, receiver)
        row = receiver.taken()[-1]
        self.assertEqual(row["headers"]["webhook-signature"], signature(last["secret"], row))

    def test_test_and_resend_go_to_one_endpoint(self):
        _, client = self.start()
        one, two = self.receiver(), self.receiver()
        endpoint = self.endpoint(client, one, events=["payment.succeeded"])
        self.endpoint(client, two, events=["payment.succeeded"])
        self.pay(client)
        until("both have it", lambda: len(one.ids()) == 1 and len(two.ids()) == 1)
        answer = self.call(client, "POST", f"/v1/webhook_endpoints/{endpoint['id']}/test", status=202)
        until("the test came", lambda: one.ids()[-1] == answer["event"])
        self.assertEqual(one.kinds()[-1], "webhook_endpoint.test")
        event = one.ids()[0]
        body = {"endpoint": endpoint["id"]}
        self.call(client, "POST", f"/v1/events/{event}/resend", body, 202)
        until("it came again", lambda: one.ids().count(event) == 2)
        self.assertEqual(one.taken()[0]["body"], one.taken()[-1]["body"])
        self.pay(client)
        until("two goes on", lambda: len(two.ids()) == 2)
        self.assertEqual(two.kinds(), ["payment.succeeded"] * 2)
        self.assertEqual(self.call(client, "POST", "/v1/events/evt_0000000zzzzzz/resend", body, 404)["code"], "not_found")

    def test_targets_that_are_refused(self):
        _, client = self.start({"webhooks": {"first_retry": "20ms"}})
        urls = {
            "http://shop.example/hook": "not_https", "https://127.0.0.1/": "address_not_allowed",
            "https://10.1.2.3/": "address_not_allowed", "https://[::1]:8443/": "address_not_allowed",
            "https://169.254.169.254/latest": "address_not_allowed", "https://[::ffff:10.0.0.1]/": "address_not_allowed",
            "https://224.0.0.1/": "address_not_allowed", "https://localhost/": "address_not_allowed",
            "https://printer.local/": "address_not_allowed", "https://2130706433/": "not_a_url",
            "https://0x7f.1/": "not_a_url", "https://user@shop.example/": "not_a_url",
            "https://shop.example/#top": "not_a_url", "ftp://shop.example/": "not_a_url", "https://": "not_a_url",
        }  # fmt: skip
        for url, code in urls.items():
            answer = request(client.gateway.url, "POST", "/v1/webhook_endpoints", {"url": url}, client.headers())
            self.assertEqual(answer.status, 422, f"{url}: {answer}")
            self.assertIn(code, [error["code"] for error in answer.json()["errors"]], url)
        self.endpoint(client, "https://shop.example/hook")

    def test_a_name_that_leads_inside_is_refused_when_connecting(self):
        with open("/etc/hosts", encoding="utf-8") as file:
            names = {row.split()[1] for row in file if re.match(r"(127|10|172|192)\.", row)}
        _, client = self.start({"webhooks": {**FAST["webhooks"], "allow_private": False}})
        dotted = [name for name in names if "." in name and not name.endswith((".localdomain", ".local", ".internal"))]
        if not dotted:
            self.skipTest("skipped: no name with a dot in it leads to a private address here")
        receiver = self.receiver()
        endpoint = self.endpoint(client, f"http://{dotted[0]}:{receiver.port}/")
        self.pay(client)
        until("a try", lambda: self.deliveries(client, endpoint))
        self.assertEqual(self.deliveries(client, endpoint)[0]["result"], "address_not_allowed")
        self.assertEqual(receiver.got, [])

    def test_an_address_allowed_at_create_is_looked_at_again_when_connecting(self):
        gateway, client = self.start()
        receiver = self.receiver()
        endpoint = self.endpoint(client, receiver)
        gateway.stop()
        gateway.write("gateway.yaml", {**gateway.settings, "webhooks": {**FAST["webhooks"], "allow_private": False}})
        gateway.start()
        self.pay(client)
        until("a try", lambda: self.deliveries(client, endpoint))
        self.assertEqual(self.deliveries(client, endpoint)[-1]["result"], "address_not_allowed")
        self.assertEqual(receiver.got, [])

    def test_endpoints_are_made_changed_deleted_and_are_the_merchants_own(self):
        gateway, client = self.start({"webhooks": {**FAST["webhooks"], "endpoints_per_merchant": 2}})
        stranger, receiver = gateway.client(), self.receiver()
        one = self.endpoint(client, receiver)
        path = f"/v1/webhook_endpoints/{one['id']}"
        for method, more in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/rotate_secret"), ("POST", "/test")):
            body = {} if method in ("PATCH", "POST") else None
            self.assertEqual(self.call(stranger, method, path + more, body, 404)["code"], "not_found")
        changed = self.call(client, "PATCH", path, {"events": ["refund.*", "payment.failed"], "description": "new"})
        self.assertEqual((changed["events"], changed["description"]), (["refund.*", "payment.failed"], "new"))
        self.endpoint(client, receiver)
        answer = request(gateway.url, "POST", "/v1/webhook_endpoints", {"url": receiver.url}, client.headers())
        self.assertEqual((answer.status, answer.json()["code"]), (409, "too_many_webhook_endpoints"))
        self.assertEqual(len(client.all("/v1/webhook_endpoints")), 2)
        self.assertEqual(self.call(client, "DELETE", path), {"id": one["id"], "deleted": True})
        self.call(client, "GET", path, status=404)
        for body, code in (({"url": receiver.url, "events": []}, "not_a_list"), ({"url": receiver.url, "events": ["Pay*"]}, "not_a_kind"),
                           ({}, "required")):  # fmt: skip
            errors = self.call(client, "POST", "/v1/webhook_endpoints", body, 422)["errors"]
            self.assertEqual([error["code"] for error in errors], [code])
        with open(gateway.database, "rb") as file:  # sealed
            self.assertNotIn(base64.b64decode(one["secret"].removeprefix("whsec_")), file.read())

    def test_an_endpoint_is_made_once_for_a_key(self):
        gateway, client = self.start({"webhooks": {**FAST["webhooks"], "endpoints_per_merchant": 1}})
        stranger, receiver = gateway.client(), self.receiver()
        body, headers = {"url": receiver.url}, {**client.headers(), "Idempotency-Key": "hook-1"}

        def create(headers, body=body):
            return request(gateway.url, "POST", "/v1/webhook_endpoints", body, headers)

        first = together([lambda: create(headers)] * 4)
        self.assertEqual([answer.status for answer in first], [201] * 4)
        self.assertEqual(len({answer.body for answer in first}), 1)
        self.assertEqual(sorted(answer.replayed for answer in first), [False, True, True, True])
        self.assertEqual(gateway.stop(), 0)
        gateway.start()
        again = create(headers)
        self.assertEqual((again.status, again.body, again.replayed), (201, first[0].body, True))
        other = create(headers, {"url": receiver.url + "2"})
        self.assertEqual((other.status, other.json()["code"]), (422, "idempotency_key_reused"))
        full = create({**client.headers(), "Idempotency-Key": "hook-2"})
        self.assertEqual((full.status, full.json()["code"]), (409, "too_many_webhook_endpoints"))
        self.assertEqual(create({**client.headers(), "Idempotency-Key": "a b"}).status, 400)
        theirs = create({**stranger.headers(), "Idempotency-Key": "hook-1"})
        self.assertEqual((theirs.status, theirs.replayed), (201, False))
        self.assertNotEqual(theirs.json()["id"], again.json()["id"])
        # A key that was refused may be used once there is room.
        self.call(client, "DELETE", f"/v1/webhook_endpoints/{again.json()['id']}")
        self.assertEqual(create({**client.headers(), "Idempotency-Key": "hook-2"}).status, 201)
        self.pay(client)
        self.all_there(client, receiver)
        gateway.stop()
        secret = again.json()["secret"]
        for name in glob.glob(gateway.database + "*"):
            with open(name, "rb") as file:  # the answer that is kept is sealed
                stored = file.read()
            self.assertNotIn(secret.encode(), stored)
            self.assertNotIn(base64.b64decode(secret.removeprefix("whsec_")), stored)
        self.assertNotIn(secret, gateway.log_text())

    def test_a_secret_is_rotated_once_for_a_key(self):
        gateway, client = self.start()
        receiver = self.receiver()
        endpoint = self.endpoint(client, receiver, events=["payment.succeeded"])
        path = f"/v1/webhook_endpoints/{endpoint['id']}/rotate_secret"
        headers = {**client.headers(), "Idempotency-Key": "rotate-1"}
        first = together([lambda: request(gateway.url, "POST", path, {}, headers)] * 4)
        self.assertEqual([answer.status for answer in first], [200] * 4)
        self.assertEqual(len({answer.body for answer in first}), 1)
        self.assertEqual(sorted(answer.replayed for answer in first), [False, True, True, True])
        newer = first[0].json()
        self.assertEqual({**newer, "secret": None}, {**self.status(client, endpoint), "secret": None})
        # The answer may have been lost each time: what the receiver has goes on to be good.
        self.pay(client)
        until("it came", lambda: receiver.ids())
        row = receiver.taken()[0]
        both = [signature(newer["secret"], row), signature(endpoint["secret"], row)]
        self.assertEqual(row["headers"]["webhook-signature"].split(" "), both)
        self.assertEqual(gateway.stop(), 0)
        for name in glob.glob(gateway.database + "*"):
            with open(name, "rb") as file:
                stored = file.read()
            self.assertNotIn(newer["secret"].encode(), stored)
            self.assertNotIn(base64.b64decode(newer["secret"].removeprefix("whsec_")), stored)
        gateway.start()
        again = request(gateway.url, "POST", path, {}, headers)
        self.assertEqual((again.status, again.body, again.replayed), (200, first[0].body, True))
        other = request(gateway.url, "POST", path, {"overlap_seconds": 60}, headers)
        self.assertEqual((other.status, other.json()["code"]), (422, "idempotency_key_reused"))
        another = self.endpoint(client, receiver)
        other = request(gateway.url, "POST", path.replace(endpoint["id"], another["id"]), {}, headers)
        self.assertEqual((other.status, other.json()["code"]), (422, "idempotency_key_reused"))

    def test_tests_and_resends_are_carried_out_once_for_a_key(self):
        gateway, client = self.start()
        receiver = self.receiver()
        endpoint = self.endpoint(client, receiver, events=["payment.succeeded"])
        self.pay(client)
        (event,) = [row["id"] for row in self.journal(client, "payment.succeeded")]
        path = f"/v1/webhook_endpoints/{endpoint['id']}"
        posts = {"test": (path + "/test", None), "resend": (f"/v1/events/{event}/resend", {"endpoint": endpoint["id"]})}

        def post(kind):
            headers = {**client.headers(), "Idempotency-Key": f"{kind}-1"}
            return request(gateway.url, "POST", *posts[kind], headers)

        self.call(client, "PATCH", path, {"status": "disabled"})
        self.assertEqual([post(kind).status for kind in posts], [409, 409])
        self.call(client, "PATCH", path, {"status": "enabled"})
        for kind in posts:  # what was refused has left its key free
            first, again = post(kind), post(kind)
            self.assertEqual((first.status, first.replayed, again.replayed), (202, False, True), kind)
            self.assertEqual((again.status, again.body), (202, first.body), kind)
            (row,) = self.journal(client, f"webhook_endpoint.{kind}")
            self.assertEqual(first.json(), {"endpoint": endpoint["id"], "event": row["id"] if kind == "test" else event})

    def test_no_more_endpoints_than_are_allowed_also_at_once(self):
        gateway, client = self.start({"webhooks": {**FAST["webhooks"], "endpoints_per_merchant": 3}})
        receiver = self.receiver()

        def create(number):
            headers = {**client.headers(), **({"Idempotency-Key": f"hook-{number}"} if number % 2 else {})}
            return request(gateway.url, "POST", "/v1/webhook_endpoints", {"url": receiver.url}, headers)

        answers = together([lambda number=number: create(number) for number in range(24)])
        self.assertEqual(sorted(answer.status for answer in answers), [201] * 3 + [409] * 21)
        made = client.all("/v1/webhook_endpoints")
        self.assertEqual(len(made), 3)
        self.call(client, "DELETE", f"/v1/webhook_endpoints/{made[0]['id']}")
        refused = next(n for n in range(1, 24, 2) if answers[n].status == 409)
        self.assertEqual(create(refused).status, 201, "its key is free, and what was refused counts for nothing")

    def test_live_refuses_what_is_for_the_sandbox(self):
        gateway, _ = self.start()
        gateway.write("gateway.yaml", {**gateway.settings, "mode": "live", "keys": None})
        _, out, err = gateway.cli("check", code=None)
        self.assertIn("webhooks.allow_http", out + err)
        self.assertIn("webhooks.allow_private", out + err)

    def test_trigger_writes_an_event_that_arrives(self):
        gateway, client = self.start()
        receiver = self.receiver()
        self.endpoint(client, receiver, events=["payment.*"])
        _, out, _ = gateway.cli("trigger", "payment.succeeded", "--merchant", client.merchant)
        until("it arrives", lambda: receiver.ids() == [out.strip()])
        self.assertEqual(json.loads(receiver.taken()[0]["body"])["data"]["data"], {"test": True})
        for words in (["payment.*"], ["compliance.report"], ["payment"], ["webhook_endpoint.test"], []):
            gateway.cli("trigger", *words, "--merchant", client.merchant, code=2)
        gateway.cli("trigger", "payment.succeeded", code=2)
        nobody = "mer_0000000000001"
        _, out, err = gateway.cli("trigger", "payment.succeeded", "--merchant", nobody, code=1)
        self.assertEqual(out, "")
        self.assertIn(f"there is no merchant {nobody}", err)
        gateway.cli("keys", "revoke", json.loads(gateway.cli("keys", "list", "--json")[1])[0]["id"])
        gateway.cli("trigger", "payment.succeeded", "--merchant", client.merchant)  # his endpoints go on
        gateway.write("gateway.yaml", {**gateway.settings, "mode": "live", "keys": None, "webhooks": None})
        _, _, err = gateway.cli("trigger", "payment.succeeded", "--merchant", client.merchant, code=2)
        self.assertIn("only in mode sandbox", err)

    # --- events

    def stream(self, client, query="", last=None):
        host, port = client.gateway.address
        connection = http.client.HTTPConnection(host, port, timeout=20 * SLOW)
        headers = client.headers()
        if last:
            headers["Last-Event-ID"] = last
        connection.request("GET", "/v1/events/stream" + query, None, headers)
        answer = connection.getresponse()
        self.addCleanup(connection.close)
        self.assertEqual((answer.status, answer.getheader("content-type")), (200, "text/event-stream"))
        return answer

    @staticmethod
    def pieces(answer, count):
        out, row = [], {}
        while len(out) < count:
            line = answer.readline()
            if not line:
                raise Failure("the stream ended")
            line = line.decode().rstrip("\n")
            if line.startswith(":"):
                continue
            if line == "" and row:
                if "data" in row:  # an id alone tells where the stream begins
                    out.append(row)
                row = {}
            elif line:
                name, _, value = line.partition(": ")
                row[name] = value
        return out

    def test_the_stream_tells_what_happens_and_resumes(self):
        _, client = self.start()
        live = self.stream(client)
        self.assertEqual(live.readline(), b":\n")
        self.pay(client, 2)
        events = self.journal(client)
        got = self.pieces(live, len(events))
        self.assertEqual([row["id"] for row in got], [row["id"] for row in events])
        self.assertEqual([json.loads(row["data"]) for row in got], events)
        self.assertEqual([row["event"] for row in got], [row["kind"] for row in events])
        again = self.pieces(self.stream(client, last=events[1]["id"]), len(events) - 2)
        self.assertEqual([row["id"] for row in again], [row["id"] for row in events[2:]])
        again = self.pieces(self.stream(client, f"?cursor={events[0]['id']}&kind=payment.succeeded"), 2)
        self.assertEqual({row["event"] for row in again}, {"payment.succeeded"})

    def test_streams_are_bounded_and_end_with_the_gateway(self):
        gateway, client = self.start()
        open_ = [self.stream(client) for _ in range(8)]
        answer = client.get("/v1/events/stream")
        self.assertEqual((answer.status, answer.json()["code"]), (429, "too_many_streams"))
        self.assertIn("railgate_event_streams 8", ops(gateway, "/metrics").body.decode())
        self.assertEqual(gateway.stop(), 0)
        for stream in open_:
            stream.read()  # to its end

    def test_the_list_of_events_has_pages_and_a_filter(self):
        _, client = self.start()
        self.pay(client, 3)
        events = self.journal(client)
        page = client.get("/v1/events?limit=2").json()
        self.assertEqual([row["id"] for row in page["data"]], [row["id"] for row in events[:2]])
        self.assertEqual(page["next_cursor"], events[1]["id"])
        some = self.journal(client, "payment.*")
        self.assertEqual(some, [row for row in events if row["kind"].startswith("payment.")])
        self.assertEqual(client.get("/v1/events?kind=pay*").status, 400)


if __name__ == "__main__":
    main()
