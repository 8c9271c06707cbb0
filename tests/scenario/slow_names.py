"""Names of webhooks' receivers that are never found, found late or answered with nonsense: payments go on, on a
channel whose own name is looked up again each time its links break, and so do other merchants' webhooks.

The gateway asks a name server of the test. And the system's own lookup (getaddrinfo) of the slow names hangs for
ever (tests/support/slow_names.c, preloaded), so a gateway that used it for them would be found out; not under a
sanitizer, which must be loaded first itself: there the story goes without.

Test card numbers in here are from ranges that card schemes publish for sandboxes.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))

from hooks import FAST, HookStory
from rgnames import NONSENSE, NameServer
from rgtest import SLOW, main, merge, sale, until

SLOW_NAMES = [f"h{i}.slow.example" for i in range(16)]  # as many endpoints as a merchant may have


class SlowNames(HookStory):
    def start(self, names=None, **webhooks):
        """A gateway whose channel is configured by name, a client, and the name server that it asks."""
        self.names = NameServer(names or {})
        self.addCleanup(self.names.close)
        self.sim = self.stage.simulator()
        settings = merge(FAST, {"webhooks": {"name_servers": [self.names.address], **webhooks}})
        preload = os.environ.get("RAILGATE_SLOW_NAMES")
        if not preload:
            print("slow_names.so is not there (a sanitizer?): the system's lookup does not hang in this run", file=sys.stderr)
        gateway = self.stage.gateway(
            self.sim,
            settings=settings,
            channel={"endpoints": [f"localhost:{self.sim.listen.rpartition(':')[2]}"]},
            env={"LD_PRELOAD": preload} if preload else None,
        )
        return gateway, gateway.client()

    def endpoint(self, client, name, port=443):
        """With something to deliver."""
        url = f"https://{name}/" if port == 443 else f"http://{name}:{port}/"
        endpoint = self.call(client, "POST", "/v1/webhook_endpoints", {"url": url}, 201)["id"]
        self.call(client, "POST", f"/v1/webhook_endpoints/{endpoint}/test", None, 202)
        return endpoint

    def results(self, client, endpoint):
        return [row["result"] for row in self.call(client, "GET", f"/v1/webhook_endpoints/{endpoint}/deliveries")["data"]]

    def comes_through(self, client):
        """Links that break are there again, each time, and then payments succeed."""
        for _ in range(3):
            self.sim.drop_links()
            until("a payment succeeds", lambda: client.post("/v1/payments", sale()).json()["status"] == "succeeded")

    def test_names_without_an_answer_hold_up_nobody(self):
        gateway, client = self.start({"shop.good.example": "127.0.0.1"}, timeout="1m")
        other, shop = gateway.client(), gateway.client()
        late = self.receiver()
        for name in SLOW_NAMES:
            self.endpoint(other, name, late.port)
        until("all of the names are looked up at once", lambda: self.names.asked_for(SLOW_NAMES))
        self.comes_through(client)
        # A receiver that is found gets what is its own meanwhile.
        receiver = self.receiver()
        self.endpoint(shop, "shop.good.example", receiver.port)
        until("the good receiver has it", receiver.taken)
        # And one of the slow ones as soon as its name is answered.
        self.assertEqual(late.got, [])
        self.names.learn(SLOW_NAMES[3], "127.0.0.1")
        until("the late receiver has it", late.taken, 30)
        self.assertEqual(gateway.stop(), 0)  # with lookups under way

    def test_a_lookup_ends_with_its_delivery_and_the_next_may_succeed(self):
        _, client = self.start(timeout=f"{int(200 * SLOW)}ms")
        receiver = self.receiver()
        endpoint = self.endpoint(client, "late.slow.example", receiver.port)
        missing = self.endpoint(client, "nobody.example")
        until("it is given up, again and again", lambda: len(self.results(client, endpoint)) >= 3)
        until("the other is told", lambda: self.results(client, missing))
        self.assertEqual(set(self.results(client, endpoint)), {"timeout"})
        self.assertEqual(set(self.results(client, missing)), {"name_not_found"})
        self.comes_through(client)
        self.names.learn("late.slow.example", "127.0.0.1")
        until("it is delivered", receiver.taken)

    def test_a_name_that_leads_inside_is_refused(self):
        _, client = self.start({"shop.good.example": "127.0.0.1"}, allow_private=False)
        receiver = self.receiver()
        endpoint = self.endpoint(client, "shop.good.example", receiver.port)
        until("it is refused", lambda: self.results(client, endpoint))
        self.assertEqual(set(self.results(client, endpoint)), {"address_not_allowed"})
        self.assertEqual(receiver.got, [])

    def test_nonsense_is_no_address(self):
        gateway, client = self.start({"shop.good.example": "127.0.0.1"}, timeout=f"{int(300 * SLOW)}ms")
        receiver = self.receiver()
        bad = [self.endpoint(client, f"{kind}.bad.example", receiver.port) for kind in NONSENSE]
        for kind, endpoint in zip(NONSENSE, bad):
            until(f"{kind}: it failed", lambda: self.results(client, endpoint))  # pylint: disable=cell-var-from-loop
            self.assertLessEqual(set(self.results(client, endpoint)), {"timeout", "name_not_found", "not_sent"}, kind)
        self.assertEqual(receiver.got, [])
        self.comes_through(client)
        shop = gateway.client()
        self.endpoint(shop, "shop.good.example", receiver.port)
        until("the good receiver has it", receiver.taken)
        self.assertEqual(gateway.stop(), 0)

    def test_a_name_server_is_an_address(self):
        gateway, _ = self.start()
        self.assertEqual(gateway.stop(), 0)
        for wrong in ("ns.example:53", "10.1.2:53", "[10.1.2.3]:53", "10.1.2.3:0"):
            gateway.write("gateway.yaml", merge(gateway.settings, {"webhooks": {"name_servers": [wrong]}}))
            told = gateway.cli("check", code=1)
            self.assertIn(wrong, told[1] + told[2])
        gateway.write("gateway.yaml", merge(gateway.settings, {"webhooks": {"name_servers": ["[::1]:53", "10.1.2.3:53"]}}))
        gateway.cli("check")


if __name__ == "__main__":
    main()
