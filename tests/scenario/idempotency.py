"""Idempotency to the letter: one key, one execution, one answer, whatever happens in between.

Test card numbers from published ranges only.
"""

import os
import random
import re
import threading
import uuid

from rgledger import compare, settle
from rgtest import Raw, Story, authorisation, main, request, sale, together, until


class Key(Story):
    def setUp(self):
        super().setUp()
        self.sim, self.gateway, self.api = self.pair()

    def without(self, path, body=None):
        """A POST without Idempotency-Key."""
        return request(self.gateway.url, "POST", path, body, self.api.headers())

    def test_is_required_wherever_money_moves(self):
        payment = self.api.post("/v1/payments", authorisation()).json()["id"]
        self.problem(self.without("/v1/payments", sale()), 400, "idempotency_key_missing")
        for verb in ("capture", "cancel", "refunds", "confirm"):
            with self.subTest(verb=verb):
                self.problem(self.without(f"/v1/payments/{payment}/{verb}", {}), 400, "idempotency_key_missing")
        self.assertEqual(len(self.sim.entries()), 1)

    def test_is_1_to_255_visible_characters(self):
        self.problem(self.api.post("/v1/payments", sale(), ""), 400, "idempotency_key_missing")
        for key in ("x" * 256, "with blank", "tab\there", "caf\xe9"):
            with self.subTest(key=key):
                self.problem(self.api.post("/v1/payments", sale(), key), 400, "idempotency_key_invalid")
        for key in ("x", "!", "~" * 255):
            with self.subTest(key=key):
                self.assertEqual(self.api.post("/v1/payments", sale(), key).status, 201)

    def test_uuids_are_keys(self):
        """Also those whose groups of digits, read over the dashes, would pass as a card number."""
        dice, body = random.Random(1), sale(-1)
        for _ in range(20000):
            key = str(uuid.UUID(int=dice.getrandbits(128), version=4))
            digits = max(re.findall(r"[0-9-]+", key), key=len).replace("-", "")
            if len(digits) >= 13:
                self.problem(self.api.post("/v1/payments", body, key), 422, "invalid_field", "/amount/value")

    def test_twice_in_one_request_is_refused(self):
        body = b'{"amount":{"value":1,"currency":"EUR"}}'
        with Raw(self.gateway.address) as raw:
            raw.send(
                b"POST /v1/payments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + self.api.key.encode() +
                b"\r\nContent-Type: application/json\r\nIdempotency-Key: one\r\nIdempotency-Key: two\r\n"
                b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)  # fmt: skip
            self.problem(raw.read_answer(), 400, "idempotency_key_invalid")
        self.assertEqual(self.sim.entries(), [])

    def test_its_scope_is_the_merchant(self):
        other = self.gateway.client()
        first, second = self.api.post("/v1/payments", sale(100), "same"), other.post("/v1/payments", sale(200), "same")
        self.assertEqual((first.status, second.status), (201, 201))
        self.assertNotEqual(first.json()["id"], second.json()["id"])
        # A second key of the same merchant is the same merchant.
        colleague = self.gateway.client("--merchant", self.api.merchant)
        again = colleague.post("/v1/payments", sale(100), "same")
        self.assertEqual((again.body, again.replayed), (first.body, True))
        compare([self.api, other], self.sim)


class Replay(Story):
    def setUp(self):
        super().setUp()
        self.sim, self.gateway, self.api = self.pair()

    def same(self, first, again):
        self.assertEqual((again.status, again.body), (first.status, first.body))
        self.assertEqual(again.headers["content-type"], first.headers["content-type"])
        self.assertFalse(first.replayed)
        self.assertTrue(again.replayed, again)

    def every_verb(self):
        """(path, body, key, first answer) of all POSTs, good ones and refused ones."""
        api, done = self.api, []

        def post(path, body, key):
            answer = api.post(path, body, key)
            done.append((path, body, key, answer))
            return answer.json()

        one = post("/v1/payments", sale(1000), "sale")["id"]
        two = post("/v1/payments", authorisation(1000), "hold")["id"]
        post("/v1/payments", sale(9051), "declined")
        post(f"/v1/payments/{two}/capture", {"amount": {"value": 400, "currency": "EUR"}}, "capture")
        post(f"/v1/payments/{two}/capture", {"amount": {"value": 601, "currency": "EUR"}}, "too-much")
        post(f"/v1/payments/{two}/cancel", None, "cancel")
        post(f"/v1/payments/{one}/refunds", {"amount": {"value": 100, "currency": "EUR"}}, "refund")
        post(f"/v1/payments/{one}/refunds", {"amount": {"value": 901, "currency": "EUR"}}, "refund-too-much")
        self.assertEqual([a.status for *_, a in done], [201, 201, 201, 200, 422, 200, 201, 422])
        return done

    def test_byte_for_byte(self):
        for path, body, key, first in self.every_verb():
            with self.subTest(key=key):
                self.same(first, self.api.post(path, body, key))
                self.same(first, self.api.post(path, body, key))
        compare(self.api, self.sim)

    def test_across_a_clean_restart_and_a_kill(self):
        done = self.every_verb()
        for end in (self.gateway.stop, self.gateway.kill):
            end()
            self.gateway.start()
            for path, body, key, first in done:
                with self.subTest(key=key, end=end.__name__):
                    self.same(first, self.api.post(path, body, key))
        compare(self.api, self.sim)

    def test_later_changes_do_not_show(self):
        first = self.api.post("/v1/payments", sale(1000), "sale")
        self.api.post(f"/v1/payments/{first.json()['id']}/refunds", None)
        self.assertEqual(self.api.payment(first.json()["id"])["status"], "refunded")
        self.same(first, self.api.post("/v1/payments", sale(1000), "sale"))

    def test_another_request_with_the_key_is_refused(self):
        first = self.api.post("/v1/payments", sale(1000), "key").json()["id"]
        other = self.api.post("/v1/payments", authorisation(1000)).json()["id"]
        self.problem(self.api.post("/v1/payments", sale(1001), "key"), 422, "idempotency_key_reused")
        # Also on another path, and when only the order of members differs: bodies are compared as bytes.
        self.problem(self.api.post(f"/v1/payments/{first}/refunds", None, "key"), 422, "idempotency_key_reused")
        body = sale(1000)
        self.problem(self.api.post("/v1/payments", dict(reversed(body.items())), "key"), 422, "idempotency_key_reused")
        capture = f"/v1/payments/{other}/capture"
        self.assertEqual(self.api.post(capture, None, "capture").status, 200)
        self.problem(self.api.post(capture, {}, "capture"), 422, "idempotency_key_reused")
        compare(self.api, self.sim)

    def test_after_a_change_of_configuration(self):
        """What was done is told, also when it could not be done any more. "Not possible" would be paid twice."""
        hold = self.api.post("/v1/payments", authorisation(1000), "hold")
        capture = f"/v1/payments/{hold.json()['id']}/capture"
        captured = self.api.post(capture, None, "capture")
        self.gateway.stop()
        path = "channels/card_demo.yaml"
        with open(os.path.join(self.gateway.config, path), encoding="utf-8") as file:
            text = file.read()
        for change in (("name: card_demo", "name: another"), ("[EUR, USD, JPY, KWD]", "[USD]")):
            with self.subTest(change=change), open(
                os.path.join(self.gateway.config, path), "w", encoding="utf-8"
            ) as file:
                self.assertIn(change[0], text)
                file.write(text.replace(*change))
                file.flush()
                self.gateway.start()
                self.same(hold, self.api.post("/v1/payments", authorisation(1000), "hold"))
                self.same(captured, self.api.post(capture, None, "capture"))
                self.problem(self.api.post("/v1/payments", sale(1), "hold"), 422, "idempotency_key_reused")
                self.gateway.stop()
        # What is refused for the configuration does not use up the key.
        self.gateway.start()
        self.problem(self.api.post("/v1/payments", sale(70), "new"), 422, "method_not_available")
        self.gateway.stop()
        with open(os.path.join(self.gateway.config, path), "w", encoding="utf-8") as file:
            file.write(text)
        self.gateway.start()
        self.assertEqual(self.api.post("/v1/payments", sale(70), "new").status, 201)
        compare(self.api, self.sim)

    def test_what_was_malformed_does_not_use_up_the_key(self):
        self.problem(self.api.post("/v1/payments", "{", "key"), 400, "malformed_json")
        self.problem(self.api.post("/v1/payments", sale(-1), "key"), 422, "invalid_field")
        self.assertEqual(self.api.post("/v1/payments", sale(1000), "key").status, 201)


class Running(Story):
    def test_a_repeat_while_the_first_is_running(self):
        sim, _, api = self.pair(channel={"deadline": "20s"})
        sim.fault("delay", mti="0200", ms=1500, next=1)
        first = []
        thread = threading.Thread(target=lambda: first.append(api.post("/v1/payments", sale(100), "busy")))
        thread.start()
        until("the sale is at the card host", lambda: sim.entries("sale"))
        self.problem(api.post("/v1/payments", sale(100), "busy"), 409, "idempotency_key_running")
        self.problem(api.post("/v1/payments", sale(101), "busy"), 422, "idempotency_key_reused")
        thread.join()
        self.assertEqual(first[0].status, 201)
        again = api.post("/v1/payments", sale(100), "busy")
        self.assertEqual((again.body, again.replayed), (first[0].body, True))
        self.assertEqual(len(sim.entries("sale")), 1)
        compare(api, sim)

    def test_many_at_once_are_executed_once(self):
        sim, _, api = self.pair()
        answers = together([lambda: api.post("/v1/payments", sale(100), "one") for _ in range(30)])
        good = [a for a in answers if a.status == 201]
        self.assertGreaterEqual(len(good), 1)
        self.assertEqual(len({a.body for a in good}), 1)
        self.assertEqual(sum(not a.replayed for a in good), 1)
        for answer in answers:
            if answer.status != 201:
                self.problem(answer, 409, "idempotency_key_running")
        self.assertEqual(len(sim.entries("sale")), 1)
        compare(api, sim)

    def test_the_merchant_hangs_up_and_comes_back(self):
        sim, gateway, api = self.pair(channel={"deadline": "20s"})
        sim.fault("delay", mti="0200", ms=500, next=1)
        body = b'{"amount":{"value":100,"currency":"EUR"},"method":{"type":"card","card":' \
               b'{"entry":"manual","pan":"4111111111111111","expiry":"3012"}}}'  # fmt: skip
        head = "".join(f"{n}: {v}\r\n" for n, v in api.headers("gone").items()).encode()
        with Raw(gateway.address) as raw:
            raw.send(b"POST /v1/payments HTTP/1.1\r\nHost: x\r\n" + head +
                     b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)  # fmt: skip
            until("the sale is at the card host", lambda: sim.entries("sale"))

        def repeated():
            answer = api.post("/v1/payments", body, "gone")
            return answer if answer.status != 409 else None

        answer = until("the answer is there", repeated)
        self.assertEqual((answer.status, answer.json()["status"], answer.replayed), (201, "succeeded", True), answer)
        self.assertEqual(len(sim.entries("sale")), 1)
        settle(api)
        compare(api, sim)


if __name__ == "__main__":
    main()
