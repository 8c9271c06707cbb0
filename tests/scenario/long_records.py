"""Long records, and a key that may only read them: lists and event streams with a filter that fits nothing, or one row
of thousands. Questions run on the thread that commits payments, so each looks at a bounded number of rows and
comes back short; nothing is asked twice, and nobody asks when nothing happens to them.

Test card numbers in here are from ranges that card schemes publish for sandboxes.
"""

import contextlib
import http.client
import os
import re
import sqlite3
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))

from rgrails import metric
from rgtest import SLOW, Story, main, sale, until

LOOK_MAX = 500  # STORE_LOOK_MAX
NEW = 300  # more than what a test itself appends, which is looked at until it is indexed
EVENTS = 4000
PAYMENTS = 2000


class LongRecords(Story):
    def setUp(self):
        super().setUp()
        _, self.gateway, self.api = self.pair()
        created = self.api.post("/v1/payments", sale())
        self.assertEqual(created.status, 201, created)
        self.gateway.stop()
        with contextlib.closing(sqlite3.connect(self.gateway.database)) as database:
            self.grow(database)
            database.commit()
        self.gateway.start()
        merchant = ("--merchant", self.api.merchant)
        self.reader = self.gateway.client("--scopes", "payments:read", *merchant)
        self.other = self.gateway.client()

    def grow(self, database):
        """As if the merchant had been here for long: payments before the one that is there, events behind it."""
        names = [row[1] for row in database.execute("PRAGMA table_info(payments)")]
        last, merchant = database.execute("SELECT id, merchant FROM payments").fetchone()
        copied = ", ".join("?1" if name == "id" else "?2" if name == "status" else name for name in names)
        failed = 5  # a status of which there is one, far back
        status = database.execute("SELECT status FROM payments").fetchone()[0]
        self.assertNotEqual(status, failed)
        for number in range(PAYMENTS):
            row = (last - 8 * (PAYMENTS - number), failed if number == 7 else status)
            database.execute(f"INSERT INTO payments SELECT {copied} FROM payments WHERE id = {last}", row)
        database.execute("INSERT OR IGNORE INTO payments_of_merchant SELECT merchant, id FROM payments")
        database.execute("UPDATE meta SET payments_indexed = ?", (last,))
        end = database.execute("SELECT max(seq) FROM journal").fetchone()[0]
        for seq in range(end + 1, end + 1 + EVENTS):
            kind = "rare.kind" if seq == end + EVENTS - 3 else "some.kind"
            row = (seq, int(time.time() * 1e6), merchant, last, kind, "{}")
            database.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)", row)
        database.execute("INSERT OR IGNORE INTO journal_of_merchant SELECT merchant, seq FROM journal")
        database.execute("UPDATE meta SET events_indexed = ?", (end + EVENTS,))

    def looked(self):
        return metric(self.gateway, "railgate_store_looked_rows_total")

    def each_was_bounded(self):
        self.assertLessEqual(metric(self.gateway, "railgate_store_looked_rows_max"), LOOK_MAX + NEW)

    def pages(self, path):
        """(rows, number of pages) of a list, and that its pages keep what they promise."""
        rows, count, cursor = [], 0, ""
        while True:
            answer = self.reader.get(f"{path}&limit=20{cursor}")
            self.assertEqual(answer.status, 200, answer)
            page = answer.json()
            rows, count = rows + page["data"], count + 1
            self.assertEqual(page["next_cursor"] is not None, page["has_more"])
            if not page["has_more"]:
                return rows, count
            self.assertNotEqual(cursor, f"&cursor={page['next_cursor']}")
            cursor = f"&cursor={page['next_cursor']}"

    def stream(self, client, query):
        host, port = client.gateway.address
        connection = http.client.HTTPConnection(host, port, timeout=30 * SLOW)
        self.addCleanup(connection.close)
        connection.request("GET", "/v1/events/stream" + query, None, client.headers())
        answer = connection.getresponse()
        self.assertEqual(answer.status, 200)
        return answer

    @staticmethod
    def next_kind(stream):
        while True:
            line = stream.readline().decode()
            if found := re.match("event: (.*)\n", line):
                return found.group(1)

    def test_lists_come_back_short_and_go_on(self):
        rows, pages = self.pages("/v1/events?kind=no.such")
        self.assertEqual(rows, [])
        self.assertGreater(pages, EVENTS // LOOK_MAX)
        rows, _ = self.pages("/v1/events?kind=rare.*")
        self.assertEqual([row["kind"] for row in rows], ["rare.kind"])
        rows, pages = self.pages("/v1/payments?status=canceled")
        self.assertEqual(rows, [])
        self.assertGreaterEqual(pages, PAYMENTS // LOOK_MAX)
        rows, _ = self.pages("/v1/payments?status=failed")
        self.assertEqual([row["status"] for row in rows], ["failed"])
        everything = self.reader.all("/v1/payments")
        self.assertEqual(len({row["id"] for row in everything}), PAYMENTS + 1)
        self.assertEqual(everything[0], self.reader.get("/v1/payments?limit=1").json()["data"][0])
        self.each_was_bounded()

    def test_streams_search_once_and_sleep(self):
        first = self.reader.get("/v1/events?limit=1").json()["data"][0]["id"]
        before = self.looked()
        never = [self.stream(self.reader, f"?kind=no.such&cursor={first}") for _ in range(3)]
        rare = self.stream(self.reader, f"?kind=rare.*&cursor={first}")
        self.assertEqual(self.next_kind(rare), "rare.kind")
        until("all have searched", lambda: self.looked() - before >= 4 * (EVENTS - 10), 60)
        live = self.stream(self.reader, "?kind=payment.succeeded")
        self.assertEqual(live.readline(), b":\n")
        before = self.looked()
        for client in 10 * [self.other] + [self.api]:
            self.assertEqual(client.post("/v1/payments", sale()).status, 201)
        self.assertEqual(self.next_kind(live), "payment.succeeded")
        self.assertLess(self.looked() - before, LOOK_MAX)
        self.each_was_bounded()
        for stream in never:
            self.assertFalse(stream.closed)


if __name__ == "__main__":
    main()
