"""A backup is put back. What came after it is forgotten here, and known to merchants: no event may get an id that
they have seen already, and a cursor from the lost time leads to what comes next, or is refused.
"""

import glob
import http.client
import os
import shutil

from hooks import FAST, Receiver
from rgrails import journal
from rgtest import SLOW, Story, main, request, sale, until


class Restored(Story):
    def start(self):
        gateway = self.stage.gateway(self.stage.simulator(), settings=FAST)
        client = gateway.client()
        receiver = Receiver()
        self.addCleanup(receiver.close)
        answer = request(gateway.url, "POST", "/v1/webhook_endpoints", {"url": receiver.url}, client.headers())
        self.assertEqual(answer.status, 201)
        return gateway, client, receiver

    def pay(self, client, receiver):
        """One payment; gives the ids of all events so far, when all have been delivered."""
        self.assertEqual(client.post("/v1/payments", sale()).status, 201)
        ids = {row["id"] for row in client.all("/v1/events")}
        until("all events have come", lambda: ids <= set(receiver.ids()))
        return ids

    def files(self, gateway):
        return [name for name in glob.glob(gateway.database + "*") if not name.endswith(".lock")]

    def back_up(self, gateway):
        self.assertEqual(gateway.stop(), 0)
        folder = os.path.join(self.stage.folder, "backup")
        os.mkdir(folder)
        for name in self.files(gateway):
            shutil.copy2(name, folder)
        gateway.start()
        return folder

    def put_back(self, gateway, folder):
        gateway.kill()
        for name in self.files(gateway):
            os.remove(name)
        for name in os.listdir(folder):
            shutil.copy2(os.path.join(folder, name), gateway.var)

    def stream_status(self, client, query, headers=None):
        """Of the event stream; what a stream says has no end."""
        connection = http.client.HTTPConnection(*client.gateway.address, timeout=20 * SLOW)
        self.addCleanup(connection.close)
        connection.request("GET", "/v1/events/stream" + query, None, {**client.headers(), **(headers or {})})
        return connection.getresponse().status

    def test_no_id_is_given_twice_and_old_cursors_lead_on(self):
        gateway, client, receiver = self.start()
        kept = self.pay(client, receiver)
        backup = self.back_up(gateway)
        seen = set()
        for _ in range(3):
            seen |= self.pay(client, receiver)
        cursor = max(seen)
        self.assertGreater(cursor, max(kept))
        for round_ in range(2):  # the same backup, twice
            self.put_back(gateway, backup)
            last, after = gateway.cli("restored")[1].splitlines()
            self.assertTrue(last.startswith("the last event of the backup is evt_"), last)
            self.assertGreater(after.split()[-1], cursor)
            self.assertEqual(journal(gateway, "journal.restored"), [{"after": last.split()[-1]}])
            gateway.start()
            before = {row["id"] for row in client.all("/v1/events")}
            self.assertEqual(before, kept)
            new = self.pay(client, receiver) - kept  # waits until they have come
            self.assertTrue(new)
            self.assertEqual(new & seen, set(), f"given a second time (round {round_})")
            self.assertEqual({row["id"] for row in client.all(f"/v1/events?cursor={cursor}")}, new)
            seen |= new
            cursor = max(seen)
        self.assertEqual(gateway.stop(), 0)
        gateway.start()  # the journal is whole, and the jump in it no gap
        self.assertEqual(self.pay(client, receiver) & (seen - new - kept), set())

    def test_a_cursor_from_the_lost_time_is_refused_until_the_step_was_taken(self):
        gateway, client, receiver = self.start()
        self.pay(client, receiver)
        end = client.all("/v1/events")[-1]["id"]
        backup = self.back_up(gateway)
        lost = max(self.pay(client, receiver))
        for path in ("/v1/events", "/v1/events?kind=refund.*"):
            join = "&" if "?" in path else "?"
            self.assertEqual(client.get(f"{path}{join}cursor={lost}").json()["data"], [])
        self.put_back(gateway, backup)
        gateway.start()
        for path in (
            f"/v1/events?cursor={lost}",
            f"/v1/events?cursor={lost}&kind=payment.*",
            f"/v1/payments/{client.payments()[0]['id']}/events?cursor={lost}",
        ):
            answer = client.get(path)
            self.assertEqual((answer.status, answer.json().get("code")), (409, "cursor_unknown"), path)
        self.assertEqual(self.stream_status(client, f"?cursor={lost}"), 409)
        self.assertEqual(self.stream_status(client, "", {"Last-Event-ID": lost}), 409)
        self.assertEqual(self.stream_status(client, f"?cursor={end}"), 200)
        self.assertEqual(client.get(f"/v1/events?cursor={end}").json()["data"], [])
        _, _, why = gateway.cli("restored", code=2)
        self.assertIn("another gateway runs on this database; stop it first", why)
        self.assertEqual(gateway.stop(), 0)
        gateway.cli("restored")
        gateway.start()
        self.assertEqual(client.get(f"/v1/events?cursor={lost}").json()["data"], [])
        new = self.pay(client, receiver)
        page = client.get(f"/v1/events?cursor={lost}").json()["data"]
        self.assertEqual({row["id"] for row in page}, {identity for identity in new if identity > lost})
        self.assertTrue(page)


if __name__ == "__main__":
    main()
