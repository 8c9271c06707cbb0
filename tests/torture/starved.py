"""No memory in the middle of a merchant's request: one after another, each allocation of a request fails, until the
request passes without the failure. Every route that has a body to read or a page to write is asked, and what changes
something is asked as a repeat of a request that was carried out.

The answer is then 503 with Retry-After, or the one that would have been given anyway: never that something is wrong with
the request, or with us. (The connection may be the victim, too; then there is none.) And whatever it says must be true
although the first try was carried out: that nothing was done it cannot know.
"""

import errno
import http.client
import os
import re
import shutil
import socket
import sys

sys.path[:0] = [os.path.dirname(__file__), os.path.join(os.path.dirname(__file__), "..", "support")]

import inject  # pylint: disable=wrong-import-position
import rgtest
from calls import torture_program
from four import LOST
from hooks import FAST
from rgprofile import noon, put_profile
from rgtest import Story, ops, request, sale, until

ALLOCATIONS_MAX = 500  # no request has so many
RELOAD_ALLOCATIONS_MAX = 5000  # and no reload so many
HOOK = {"url": "https://shop.example/webhooks", "events": ["nothing.happens"]}


class Starving(Story):
    def setUp(self):
        super().setUp()
        why = inject.unavailable()
        if why:
            self.skipTest(why)
        self.injection = inject.Injection(self.stage)

    def start_gateway(self, **how):
        before = rgtest.gateway_program()
        os.environ["RAILGATE_BIN"] = torture_program()
        try:
            self.gateway = self.stage.gateway(self.stage.simulator(), env=self.injection.environment, **how)
        finally:
            os.environ["RAILGATE_BIN"] = before
        self.api = self.gateway.client()
        until("the library is loaded", lambda: self.injection.attached == self.gateway.pid)


class Starved(Starving):
    def setUp(self):
        super().setUp()
        hooks = {**FAST["webhooks"], "endpoints_per_merchant": 1000}
        self.start_gateway(settings={"webhooks": hooks, "limits": {"requests_per_second_per_key": 0}})

    def ask(self, method, path, body=None, key=None):
        return request(self.gateway.url, method, path, body, self.api.headers(key))

    def one(self, number, method, path, body, key):
        """The answer while the number-th allocation fails, None without one; and whether it did."""
        self.injection.arm(inject.VAULT, errno.ENOMEM, number)
        try:
            answer = self.ask(method, path, body, key)
        except LOST:
            answer = None
        finally:
            fired = self.injection.disarm()
        return answer, fired

    def starve(self, status, method, path, body=None, key=None):
        later = 0
        for number in range(1, ALLOCATIONS_MAX):
            answer, fired = self.one(number, method, path, body, key)
            where = f"{method} {path}, allocation {number}: {answer}\n{self.injection.told() if fired else 'none failed'}"
            if not fired:
                self.assertEqual(answer.status, status, where)
                break
            if answer is None or answer.status == status:
                continue
            later += 1
            self.assertEqual((answer.status, answer.headers.get("retry-after")), (503, "1"), where)
            self.assertNotRegex(answer.body.decode(), "(?i)nothing (was|has)", where)
        else:
            self.fail(f"{method} {path}: there is always an allocation that fails")
        self.assertGreater(later, 0, f"{method} {path}: no answer was 503")
        self.assertTrue(self.gateway.alive())

    def test_requests_that_were_carried_out(self):
        first = self.ask("POST", "/v1/payments", sale(1000), "key")
        self.assertEqual(first.status, 201, first)
        self.starve(201, "POST", "/v1/payments", sale(1000), "key")
        payment = "/v1/payments/" + first.json()["id"]
        refund = self.ask("POST", payment + "/refunds", {}, "refund")
        self.assertEqual(refund.status, 201, refund)
        self.starve(201, "POST", payment + "/refunds", {}, "refund")
        again = self.ask("POST", "/v1/payments", sale(1000), "key")
        self.assertEqual((again.body, again.replayed), (first.body, True))
        self.assertEqual(len(self.api.payments()), 1)

    def test_every_route(self):
        payment = self.ask("POST", "/v1/payments", sale(1000), "key").json()["id"]
        hook = self.ask("POST", "/v1/webhook_endpoints", HOOK, "hook")
        self.assertEqual(hook.status, 201, hook)
        path = "/v1/webhook_endpoints/" + hook.json()["id"]
        event = self.api.events(payment)[0]["id"]
        self.starve(201, "POST", "/v1/webhook_endpoints", HOOK, "hook")
        self.starve(201, "POST", "/v1/webhook_endpoints", HOOK)
        self.starve(200, "PATCH", path, {"events": ["nothing.*"], "description": "x" * 200})
        self.starve(200, "POST", path + "/rotate_secret", {})
        self.starve(202, "POST", path + "/test", {})
        self.starve(202, "POST", f"/v1/events/{event}/resend", {"endpoint": hook.json()["id"]})
        for read in (f"/v1/payments/{payment}", f"/v1/payments/{payment}/events?limit=5", f"/v1/payments/{payment}/refunds",
                     "/v1/payments?reference=x", "/v1/events?kind=payment.*", "/v1/methods?amount=1000&currency=EUR",
                     "/v1/webhook_endpoints?limit=5", path, path + "/deliveries"):  # fmt: skip
            self.starve(200, "GET", read)

    def test_a_start_with_an_open_attempt(self):
        """Of the allocations just before it is ready, recovery's are some: none may be told as a missing host key."""
        self.gateway.stop()
        self.gateway.start(env={"RAILGATE_CRASH_AT": "after_send"})
        with self.assertRaises(LOST):
            self.ask("POST", "/v1/payments", sale(1000), "key")
        self.gateway.wait_end()
        kept = self.stage.folder + "/kept"
        shutil.copytree(self.gateway.var, kept, ignore=shutil.ignore_patterns("*.sock"))
        calls = self.start_and_kill(kept, inject.EVER)
        fired = 0
        for number in range(max(1, calls - 40), calls + 1):
            before = len(self.gateway.log_text())
            self.start_and_kill(kept, number)
            log = self.gateway.log_text()[before:]
            self.assertNotIn("recovery_impossible", log, number)
            self.assertNotIn("wrong_host_key", log, number)
            fired += self.injection.fired
        self.assertGreater(fired, 20)
        self.gateway.start()
        self.assertEqual(self.api.final(self.api.payments()[0]["id"])["status"], "reversed")

    def start_and_kill(self, kept, number):
        """Starts with the records as they were kept, while the number-th allocation fails; it gets ready, or ends.
        How many there were."""
        shutil.rmtree(self.gateway.var)
        shutil.copytree(kept, self.gateway.var)
        self.injection.arm(inject.VAULT, errno.ENOMEM, number)
        before = len(self.gateway.log_text())
        self.gateway.start(wait=False)
        ends = ("payment.recovered", "payment.recovery_impossible", "payment.recovery_failed")
        until("it is ready, or ends", lambda: not self.gateway.alive() or any(
            end in self.gateway.log_text()[before:] for end in ends))  # fmt: skip
        calls = self.injection.calls
        self.gateway.kill()
        self.injection.disarm()
        return calls


LIST = {"name": "house", "format": "csv", "path": "lists/house.csv", "max_age": "30d"}
# libfyaml 0.7 writes into memory that it did not get: no gateway survives that one.
LIBRARY_ENDS_IT = "fy_input_alloc"


class StarvedReload(Starving):
    """New profiles, while one after another each allocation of a reload fails: they come into force as a whole, or
    those from before stay, and somebody is told why."""

    def version(self, number):
        limits = [{"id": "single", "max": [f"{100 + number}.00 EUR"]}]
        return noon(version=str(number), limits=limits, screening={"lists": [row["name"] for row in self.lists]})

    def start_with(self, *lists):
        self.lists = lists  # pylint: disable=attribute-defined-outside-init
        self.start_gateway(region=self.version(1), settings={"lists": list(lists)})

    def write_list(self):
        os.makedirs(os.path.join(self.gateway.config, "lists"), exist_ok=True)
        with open(os.path.join(self.gateway.config, "lists", "house.csv"), "w", encoding="utf-8") as file:
            file.write("name\nTarvold Mesk\n")

    def in_force(self):
        page = ops(self.gateway, "/metrics").body.decode()
        (version,) = re.findall(r'railgate_profile_info\{region="default",version="([^"]*)"', page)
        return int(version)

    def reload(self):
        """Status and body, or None when the line was lost."""
        line = http.client.HTTPConnection("localhost")
        line.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            line.sock.settimeout(60 * rgtest.SLOW)
            line.sock.connect(os.path.join(self.gateway.var, "admin.sock"))
            line.request("POST", "/reload")
            answer = line.getresponse()
            return answer.status, answer.read().decode()
        except LOST:
            return None
        finally:
            line.close()

    def survived(self):
        """Connections are lost for want of memory, too; then the gateway goes on."""
        try:
            return ops(self.gateway, "/livez").status == 200
        except LOST:
            self.gateway.wait_end()
            self.assertIn(LIBRARY_ENDS_IT, self.injection.told())
            self.gateway.start()
            return False

    def each_allocation(self, kinds, otherwise):
        """What was answered, whether an allocation failed, the versions in force before and afterwards, and for a
        failing test all of it. `otherwise`: the answer when none fails."""
        number, fired = 0, True
        while fired:
            number += 1
            self.assertLess(number, RELOAD_ALLOCATIONS_MAX)
            before = self.in_force()
            put_profile(self.gateway, self.version(before + 1))
            self.injection.arm(kinds, errno.ENOMEM, number)
            answer = self.reload()
            fired = self.injection.disarm()
            where = f"allocation {number}: {answer}\n{self.injection.told() if fired else 'none failed'}"
            if answer is None and self.survived():
                self.assertEqual(self.reload()[0], otherwise, where)
            yield answer, fired, before, self.in_force(), where
        self.assertEqual(answer[0], otherwise, where)

    def whole_or_not_at_all(self, kinds):
        refused = 0
        for answer, _, before, now, where in self.each_allocation(kinds, 200):
            self.assertIn(now, (before, before + 1), where)
            if answer is None:
                continue
            status, body = answer
            self.assertEqual(now, before + (status == 200), where)
            if status != 200:
                refused += 1
                self.assertIn(status, (422, 503), where)
                self.assertRegex(body, "(?i)memory|overloaded", where)
        self.assertGreater(refused, 5)
        payment = self.api.post("/v1/payments", sale(1000)).json()
        self.assertEqual(int(payment["decision"]["version"]), self.in_force())

    def test_memory_of_profiles(self):
        self.start_with(LIST)
        self.write_list()
        self.whole_or_not_at_all(inject.VAULT)

    def test_all_other_memory(self):
        self.start_with()  # no list: ICU, which reads their letters, ends the process when it gets none
        self.whole_or_not_at_all(inject.MALLOC)

    def test_a_list_that_is_missing_is_never_passed_over(self):
        self.start_with(LIST)
        for answer, fired, _, now, where in self.each_allocation(inject.VAULT, 422):
            self.assertEqual(now, 1, where)
            self.assertTrue(answer is None or answer[0] in (422, 503), where)
            self.assertTrue(fired or "house.csv" in answer[1], where)


if __name__ == "__main__":
    rgtest.main()
