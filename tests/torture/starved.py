"""No memory in the middle of a merchant's request: one after another, each allocation of a request fails, until the
request passes without the failure. Every route that has a body to read or a page to write is asked, and what changes
something is asked as a repeat of a request that was carried out.

The answer is then 503 with Retry-After, or the one that would have been given anyway: never that something is wrong with
the request, or with us. (The connection may be the victim, too; then there is none.) And whatever it says must be true
although the first try was carried out: that nothing was done it cannot know.
"""

import errno
import os
import shutil
import sys

sys.path[:0] = [os.path.dirname(__file__), os.path.join(os.path.dirname(__file__), "..", "support")]

import inject  # pylint: disable=wrong-import-position
import rgtest
from calls import torture_program
from four import LOST
from hooks import FAST
from rgtest import Story, request, sale, until

ALLOCATIONS_MAX = 500  # no request has so many
HOOK = {"url": "https://shop.example/webhooks", "events": ["nothing.happens"]}


class Starved(Story):
    def setUp(self):
        super().setUp()
        why = inject.unavailable()
        if why:
            self.skipTest(why)
        self.injection = inject.Injection(self.stage)
        before = rgtest.gateway_program()
        os.environ["RAILGATE_BIN"] = torture_program()
        try:
            hooks = {**FAST["webhooks"], "endpoints_per_merchant": 1000}
            settings = {"webhooks": hooks, "limits": {"requests_per_second_per_key": 0}}
            self.gateway = self.stage.gateway(self.stage.simulator(), settings=settings, env=self.injection.environment)
        finally:
            os.environ["RAILGATE_BIN"] = before
        self.api = self.gateway.client()
        until("the library is loaded", lambda: self.injection.attached == self.gateway.pid)

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


if __name__ == "__main__":
    rgtest.main()
