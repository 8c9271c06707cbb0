"""Who may do what: API keys, their scopes, rates and revocation."""

from rgtest import Raw, Story, authorisation, main, request, sale, until


class Keys(Story):
    def setUp(self):
        super().setUp()
        self.sim, self.gateway, self.api = self.pair()

    def with_header(self, value):
        return request(self.gateway.url, "GET", "/v1/payments", None, {"Authorization": value} if value is not None else {})

    def test_without_a_valid_key_nothing_is_answered(self):
        key = self.api.key
        for value in (None, "", "Bearer", "Bearer ", key, f"Basic {key}", f"Bearer  {key}", f"Bearer {key}x", f"Bearer {key[:-1]}",
                      f"Bearer {key.upper()}", f"Bearer {key} {key}", "Bearer rg_test_" + "0" * 32,
                      "Bearer rg_live_" + key[8:], "Bearer " + "x" * 4000):  # fmt: skip
            with self.subTest(value=value):
                answer = self.with_header(value)
                self.problem(answer, 401, "unauthorized")
                self.assertIn("www-authenticate", answer.headers)
        self.assertEqual(self.with_header(f"bearer {key}").status, 200, "the scheme's case does not matter")
        self.problem(request(self.gateway.url, "POST", "/v1/payments", sale(), {"Idempotency-Key": "x"}), 401, "unauthorized")
        self.assertEqual(self.sim.entries(), [])

    def test_two_authorization_headers_are_refused(self):
        with Raw(self.gateway.address) as raw:
            line = f"Authorization: Bearer {self.api.key}\r\n".encode()
            raw.send(b"GET /v1/payments HTTP/1.1\r\nHost: x\r\n" + line + line + b"\r\n")
            self.problem(raw.read_answer(), 401, "unauthorized")

    def test_a_live_key_is_not_taken_by_a_sandbox(self):
        live = self.gateway.client("--live")
        self.assertTrue(live.key.startswith("rg_live_"))
        self.problem(live.get("/v1/payments"), 401, "unauthorized")

    def test_scopes(self):
        payment = self.api.post("/v1/payments", authorisation()).json()["id"]
        merchant = ("--merchant", self.api.merchant)
        may = {
            "payments:read": lambda c: c.get(f"/v1/payments/{payment}"),
            "payments:write": lambda c: c.post(f"/v1/payments/{payment}/capture", {"amount": {"value": 1, "currency": "EUR"}}),
            "refunds:write": lambda c: c.post(f"/v1/payments/{payment}/refunds", {"amount": {"value": 1, "currency": "EUR"}}),
        }  # fmt: skip
        self.assertEqual(may["payments:write"](self.api).status, 200)  # so that there is something to refund
        for scope in may:
            client = self.gateway.client("--scopes", scope, *merchant)
            for need, ask in may.items():
                with self.subTest(scope=scope, need=need):
                    answer = ask(client)
                    if need == scope:
                        self.assertLess(answer.status, 300, answer)
                    else:
                        self.assertIn(need, self.problem(answer, 403, "forbidden")["detail"])
        two = self.gateway.client("--scopes", "payments:read,refunds:write", *merchant)
        self.assertEqual(may["payments:read"](two).status, 200)
        self.problem(may["payments:write"](two), 403, "forbidden")

    def test_revoked_keys_stop_within_a_second_or_two(self):
        key = self.gateway.create_key("--merchant", self.api.merchant)
        ask = lambda: self.with_header(f"Bearer {key['key']}")  # noqa: E731
        self.assertEqual(ask().status, 200)
        self.gateway.cli("keys", "revoke", key["id"])
        answer = until("the key is refused", lambda: (lambda a: a if a.status == 401 else None)(ask()), 5)
        self.problem(answer, 401, "unauthorized")
        self.assertEqual(self.api.get("/v1/payments").status, 200, "the merchant's other key still works")

    def test_rates(self):
        slow = self.gateway.client("--rate", "3")
        answers = [slow.get("/v1/payments") for _ in range(12)]
        limited = [a for a in answers if a.status == 429]
        self.assertGreaterEqual(len(limited), 3, [a.status for a in answers])
        self.assertGreaterEqual(sum(a.status == 200 for a in answers), 3)
        self.problem(limited[0], 429, "rate_limited")
        self.assertIn("retry-after", limited[0].headers)
        until("the bucket has filled again", lambda: slow.get("/v1/payments").status == 200, 5)
        self.assertTrue(all(self.api.get("/v1/payments").status == 200 for _ in range(30)), "others are not slowed down")

    def test_keys_are_not_stored(self):
        for path in (self.gateway.database, self.gateway.database + "-wal", self.gateway.log):
            with open(path, "rb") as file:
                self.assertNotIn(self.api.key[8:].encode(), file.read(), path)

    def test_published_limits(self):
        limits = self.api.get("/v1/limits").json()
        self.assertEqual((limits["body_bytes"], limits["depth"], limits["header_bytes"]), (65536, 16, 16384))
        self.assertEqual(limits["idempotency_days"], 7)
        self.assertIn("requests_per_second_per_key", limits)


if __name__ == "__main__":
    main()
