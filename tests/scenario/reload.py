"""Profiles change while payments run: none is lost, each keeps the version that it was decided by, and what is wrong
changes nothing.

Test card numbers from published ranges only (see rgtest.py).
"""

import json
import os
import threading
import time

from rgledger import compare, settle
from rgprofile import confirm_rightly, created, hang_up, noon, put_profile, put_text, reload_now, reloads, rules, sca
from rgtest import Story, main, ops, sale, until, yaml

LOAD_S = 8
TIMES_A_SECOND = 10
AT_ONCE = 8


def version(number, **more):
    """Each version lets other amounts through: an answer tells by which one it was decided."""
    return noon(version=str(number), limits=[{"id": "single", "max": [f"{100 + number}.00 EUR"]}], **more)


class Changing(threading.Thread):
    """Renames a new version over the file, ten times a second, and asks for a reload by SIGHUP. `known` tells when
    each version was written."""

    def __init__(self, gateway, broken_every=0):
        super().__init__(daemon=True)
        self.gateway, self.broken_every = gateway, broken_every
        self.known, self.broken, self.end, self.error = {"1": 0.0}, 0, threading.Event(), None

    def run(self):
        number = 1
        try:
            while not self.end.wait(1 / TIMES_A_SECOND):
                number += 1
                if self.broken_every and number % self.broken_every == 0:
                    self.broken += 1
                    put_text(self.gateway, yaml(version(number)) + "limitz: []\n")
                else:
                    self.known[str(number)] = time.monotonic()
                    put_profile(self.gateway, version(number))
                hang_up(self.gateway)
        except BaseException as error:  # pylint: disable=broad-except
            self.error = error


class Load(Story):
    def load(self, api, seconds):
        """Answers with the moment in which each came, from several threads."""
        answers, errors, end = [], [], time.monotonic() + seconds

        def post(number):
            count = 0
            try:
                while time.monotonic() < end:
                    count += 1
                    value = 100 + number * 500 + count % 400
                    answer = api.post("/v1/payments", sale(value, reference=f"t{number}-{count}"))
                    answers.append((time.monotonic(), value, answer))
            except BaseException as error:  # pylint: disable=broad-except
                errors.append(error)

        threads = [threading.Thread(target=post, args=(n,), daemon=True) for n in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        return answers

    def under_load(self, broken_every):
        sim, gateway, api = self.pair(region=version(1))
        changing = Changing(gateway, broken_every)
        changing.start()
        answers = self.load(api, LOAD_S)
        changing.end.set()
        changing.join()
        if changing.error is not None:
            raise changing.error
        settle(api, 60)
        versions = set()
        recorded = {payment["id"]: payment for payment in api.payments()}
        self.assertEqual(len(recorded), len(answers), "no payment is lost and none is there twice")
        for at, value, answer in answers:
            payment = created(answer)
            self.assertEqual((payment["status"], payment["captured"]), ("succeeded", value), payment)
            decided = payment["decision"]["version"]
            self.assertIn(decided, changing.known, payment)
            self.assertGreater(at, changing.known[decided], "a version that was not written yet")
            self.assertEqual(recorded[payment["id"]]["decision"], payment["decision"])
            versions.add((decided, payment["decision"]["content_hash"]))
        self.assertEqual(len(versions), len({decided for decided, _ in versions}), "one version has one content")
        self.assertGreater(len(versions), LOAD_S, "too few versions were in force while payments ran")
        # The last word: the newest file, whole, is what is in force.
        put_profile(gateway, version(9999))
        reload_now(gateway)
        payment = created(api.post("/v1/payments", sale(700)))
        self.assertEqual(payment["decision"]["version"], "9999")
        compare(api, sim)
        return gateway, changing

    def test_ten_times_a_second(self):
        gateway, changing = self.under_load(0)
        done, failed = reloads(gateway)
        self.assertEqual(failed, 0)
        self.assertGreater(done, len(changing.known) / 4)
        history = json.loads(gateway.cli("profile", "history", "default", "--json")[1])
        self.assertEqual(history[0]["version"], "9999")

    def test_every_third_is_broken(self):
        gateway, changing = self.under_load(3)
        self.assertGreater(changing.broken, 3)
        self.assertGreater(reloads(gateway)[1], 0)
        self.assertIn("limitz", gateway.log_text())


class Broken(Story):
    def test_it_changes_nothing_and_is_told(self):
        sim, gateway, api = self.pair(region=version(1))
        broken = {
            "unknown key": yaml(version(2)) + "limitz: []\n",
            "half a file": yaml(version(2))[:-30] + '"',
            "nothing at all": "",
            "a number without a currency": yaml(version(2)).replace("102.00 EUR", "102.00"),
            "a zone that is not": yaml({**version(2), "time_zone": "Mars/Olympus"}),
            "a fact that is not": yaml({**version(2), "rules": [{"id": "r", "when": ["payer.shoe_size>44"], "then": "deny"}]}),
            "not UTF-8": None,
        }
        for number, (name, text) in enumerate(broken.items()):
            with self.subTest(name):
                if text is None:
                    with open(os.path.join(gateway.config, "regions", "default.yaml"), "wb") as file:
                        file.write(yaml(version(2)).encode() + b"owner: \xff\xfe\n")
                else:
                    put_text(gateway, text)
                told = len(gateway.log_text())
                hang_up(gateway)
                until("it was looked at", lambda n=number: reloads(gateway) == (0, n + 1))
                self.assertIn('"profile.reload_failed"', gateway.log_text()[told:])
                self.assertIn("default.yaml", gateway.log_text()[told:])
                payment = created(api.post("/v1/payments", sale(10100)))
                self.assertEqual((payment["status"], payment["decision"]["version"]), ("succeeded", "1"), payment)
        page = ops(gateway, "/metrics").body.decode()
        self.assertIn(f"railgate_profile_reload_failures_total {len(broken)}", page)
        self.assertIn('railgate_profile_info{region="default",version="1"', page)
        _, out, err = gateway.cli("reload", code=1)
        self.assertIn("default.yaml", out + err)
        put_profile(gateway, version(2))
        self.assertEqual(reload_now(gateway)["result"], "reloaded")
        payment = created(api.post("/v1/payments", sale(10200)))
        self.assertEqual((payment["status"], payment["decision"]["version"]), ("succeeded", "2"), payment)
        payment = created(api.post("/v1/payments", sale(10201)))
        self.assertEqual(rules(payment, "deny"), ["limit.single"])
        compare(api, sim)

    def test_an_operator_can_still_work(self):
        """A file that somebody spoiled keeps nobody from reviewing payments or from going back to the version before."""
        look = {"rules": [{"id": "look", "when": ["purpose=LOOK"], "then": "review"}]}
        sim, gateway, api = self.pair(region=version(1, **look))
        payment = created(api.post("/v1/payments", sale(500, purpose="LOOK")))
        put_profile(gateway, version(2))
        reload_now(gateway)
        put_text(gateway, "region: [\n")
        who = ("--by", "Ops One", "--why", "seen")
        listed = json.loads(gateway.cli("review", "list", "--json")[1])["data"]
        self.assertEqual([row["payment"]["id"] for row in listed], [payment["id"]])
        gateway.cli("review", "approve", payment["id"], *who)
        settle(api)
        self.assertEqual(api.payment(payment["id"])["status"], "succeeded")
        gateway.cli("payments", "show", payment["id"])
        gateway.cli("profile", "rollback", "default", "--by", "Ops One")
        self.assertEqual(created(api.post("/v1/payments", sale(10100)))["decision"]["version"], "1")
        compare(api, sim)

    def test_a_region_that_comes_and_goes(self):
        sim, gateway, api = self.pair(region=version(1))
        put_profile(gateway, {**version(1), "region": "north"}, "north")
        told = reload_now(gateway)
        self.assertEqual([row["region"] for row in told["regions"]], ["north"])
        payment = created(api.post("/v1/payments", sale(100, region="north")))
        self.assertEqual((payment["status"], payment["decision"]["profile"]), ("succeeded", "north"), payment)
        os.unlink(os.path.join(gateway.config, "regions", "north.yaml"))
        reload_now(gateway)
        gone = created(api.post("/v1/payments", sale(100, region="north")))
        self.assertEqual(rules(gone, "deny"), ["region.none"])
        self.assertEqual(api.payment(payment["id"])["decision"]["profile"], "north")
        compare(api, sim)


class Kept(Story):
    """What began under one version ends under it."""

    def test_confirmed_under_the_next_version(self):
        asked = {"authentication": {"required": True}}
        sim, gateway, api = self.pair(settings=sca(), region=version(1, **asked))
        first = created(api.post("/v1/payments", sale(10100, payer={"id": "p1"})))
        self.assertEqual((first["status"], first["decision"]["version"]), ("requires_action", "1"), first)
        put_profile(gateway, noon(version="2", limits=[{"id": "single", "max": ["1.00 EUR"]}], currencies=["USD"]))
        reload_now(gateway)
        denied = created(api.post("/v1/payments", sale(10100, payer={"id": "p1"})))
        self.assertEqual((denied["status"], denied["decision"]["version"]), ("failed", "2"), denied)
        answer = confirm_rightly(api, first, "p1")
        done = answer.json()
        self.assertEqual((answer.status, done["status"]), (200, "succeeded"), answer)
        self.assertEqual(done["decision"], first["decision"])
        self.assertEqual(api.payment(first["id"])["decision"], first["decision"])
        compare(api, sim)

    def test_confirmed_when_its_region_is_gone(self):
        asked = {"authentication": {"required": True}}
        sim, gateway, api = self.pair(settings=sca(), region=version(1))
        put_profile(gateway, {**version(1, **asked), "region": "north"}, "north")
        reload_now(gateway)
        waits = created(api.post("/v1/payments", sale(500, payer={"id": "p1"}, region="north")))
        self.assertEqual(waits["status"], "requires_action", waits)
        os.unlink(os.path.join(gateway.config, "regions", "north.yaml"))
        reload_now(gateway)
        answer = confirm_rightly(api, waits, "p1")
        self.assertEqual((answer.status, answer.json()["status"]), (200, "succeeded"), answer)
        self.assertEqual(answer.json()["decision"], waits["decision"])
        compare(api, sim)

    def test_sums_go_over_versions(self):
        """A counter is the limit's, whatever the version: raising a limit gives no second one."""
        day = [{"id": "day", "per": "payer", "window": "day", "max": ["100.00 EUR"]}]
        sim, gateway, api = self.pair(region=noon(limits=day))
        self.assertEqual(created(api.post("/v1/payments", sale(10000, payer={"id": "p1"})))["status"], "succeeded")
        put_profile(gateway, noon(version="2", limits=[{**day[0], "max": ["150.00 EUR"]}]))
        reload_now(gateway)
        over = created(api.post("/v1/payments", sale(5001, payer={"id": "p1"})))
        self.assertEqual((rules(over, "deny"), over["decision"]["version"]), (["limit.day"], "2"))
        self.assertEqual(created(api.post("/v1/payments", sale(5000, payer={"id": "p1"})))["status"], "succeeded")
        compare(api, sim)

    def test_back_to_the_version_before(self):
        sim, gateway, api = self.pair(region=version(1))
        put_profile(gateway, version(2))
        reload_now(gateway)
        self.assertEqual(created(api.post("/v1/payments", sale(10200)))["decision"]["version"], "2")
        gateway.cli("profile", "rollback", "default", "--by", "Ops One")
        payment = created(api.post("/v1/payments", sale(10200)))
        self.assertEqual((payment["status"], payment["decision"]["version"]), ("failed", "1"), payment)
        history = json.loads(gateway.cli("profile", "history", "default", "--json")[1])
        self.assertEqual([row["version"] for row in history], ["1", "2", "1"])
        self.assertIn("Ops One", history[0]["by"])
        gateway.stop()
        gateway.start()
        self.assertEqual(created(api.post("/v1/payments", sale(100)))["decision"]["version"], "1")
        compare(api, sim)


if __name__ == "__main__":
    main()
