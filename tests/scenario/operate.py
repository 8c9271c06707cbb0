"""What operators and monitoring see: /livez, /readyz, /metrics, JSON log lines without card numbers."""

import json
import re

from rgtest import DECLINES, VISA, Story, main, ops, sale, until


class Ops(Story):
    def setUp(self):
        super().setUp()
        self.sim, self.gateway, self.api = self.pair()

    def metrics(self):
        answer = ops(self.gateway, "/metrics")
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.headers["content-type"].startswith("text/plain; version=0.0.4"), answer.headers)
        values = {}
        typed = set()
        for line in answer.body.decode().splitlines():
            if line.startswith("# TYPE"):
                _, _, name, kind = line.split(" ")
                self.assertIn(kind, ("counter", "gauge", "histogram"))
                self.assertNotIn(name, typed, "told twice")
                typed.add(name)
            elif not line.startswith("# HELP"):
                match = re.match(r'([a-z_][a-z0-9_]*)(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? (-?\d+(\.\d+)?)$', line)
                self.assertTrue(match, line)
                self.assertIn(match.group(1), typed, line)
                self.assertTrue(match.group(1).startswith("railgate_"))
                self.assertNotIn((match.group(1), match.group(2)), values)
                values[match.group(1), match.group(2)] = float(match.group(4))
        return values

    def test_alive_and_ready(self):
        self.assertEqual(ops(self.gateway, "/livez").status, 200)
        self.assertEqual(ops(self.gateway, "/readyz").status, 200)
        self.assertEqual(ops(self.gateway, "/nothing").status, 404)
        self.sim.knobs(down_ms=-1)
        until("not ready without a channel", lambda: ops(self.gateway, "/readyz").status == 503)
        self.assertEqual(ops(self.gateway, "/livez").status, 200)
        self.sim.calm()
        self.gateway.ready_for_payments()

    def test_the_two_listeners_do_not_mix(self):
        for path in ("/livez", "/readyz", "/metrics"):
            self.problem(self.api.get(path), 404, "not_found")
        self.assertEqual(ops(self.gateway, "/v1/payments").status, 404)

    def test_metrics_count(self):
        before = self.metrics()
        self.api.post("/v1/payments", sale(), "one")
        self.api.post("/v1/payments", sale(), "one")
        self.api.post("/v1/payments", sale(pan=DECLINES))
        self.api.post("/v1/payments", sale(-1))
        after = self.metrics()

        def grown(name, labels=None):
            return after[name, labels] - before[name, labels]

        self.assertEqual(grown("railgate_http_requests_total"), 4)
        self.assertEqual(grown("railgate_payments_submitted_total"), 3)
        self.assertEqual(grown("railgate_payments_replayed_total"), 1)
        self.assertEqual(grown("railgate_http_answers_total", '{class="2xx"}'), 3)
        self.assertEqual(grown("railgate_http_answers_total", '{class="4xx"}'), 1)
        self.assertGreater(grown("railgate_store_commits_total"), 0)
        self.assertEqual(grown("railgate_channel_sent", '{channel="card_demo"}'), 2)
        self.assertEqual(after["railgate_payments_working", None], 0)

    def test_log_lines(self):
        self.api.post("/v1/payments", sale())
        self.sim.drop_links("reset")
        until("links are up again", lambda: ops(self.gateway, "/readyz").status == 200)
        self.gateway.stop()
        text = self.gateway.log_text()
        self.assertNotIn(VISA, text)
        ids = set()
        for line in text.splitlines():
            row = json.loads(line)
            self.assertRegex(row["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertIn(row["level"], ("debug", "info", "warn", "error"))
            ids.add(row["id"])
        for wanted in ("gateway.ready", "channel.link_up", "channel.link_down", "gateway.stopping", "gateway.stopped"):
            self.assertIn(wanted, ids)


if __name__ == "__main__":
    main()
