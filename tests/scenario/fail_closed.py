"""Whatever is missing, out of date or too much: the payment fails with that reason, and nothing is sent.

Test card numbers from published ranges only (see rgtest.py).
"""

import os
import time

from rgledger import compare
from rgprofile import created, hang_up, noon, put_profile, reload_now, reloads, rules
from rgtest import REGION, Story, main, sale, until

NAMED = {"payer": {"name": "Quentin Marrow"}}


def list_text(published):
    return f"# published: {published}\nid,name,aliases\nX-1,Ottokar Vandelleure,\n"


class Closed(Story):
    def start(self, region=None, settings=None, regions=(), files=()):
        """regions: more profiles, (name, profile); files: (path below the configuration, text)."""
        self.sim = self.stage.simulator()
        self.gateway = self.stage.gateway(self.sim, region=region, settings=settings)
        if regions or files:
            self.gateway.stop()
            for name, profile in regions:
                put_profile(self.gateway, profile, name)
            for path, text in files:
                self.put(path, text)
            self.gateway.start()
        self.api = self.gateway.client()

    def put(self, path, text):
        path = os.path.join(self.gateway.config, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def denied(self, rule, words, body=None, profile="default"):
        before = len(self.sim.entries())
        payment = created(self.api.post("/v1/payments", body or sale(500)))
        self.assertEqual((payment["status"], payment["captured"]), ("failed", 0), payment)
        decision = payment["decision"]
        self.assertEqual((decision["result"], decision["profile"]), ("deny", profile), payment)
        told = [row["text"] for row in decision["reasons"] if row["rule"] == rule and row["result"] == "deny"]
        self.assertEqual(len(told), 1, payment)
        self.assertIn(words, told[0])
        self.assertEqual((payment["outcome"]["result"], payment["outcome"]["code"]), ("rejected", "denied_by_profile"))
        self.assertEqual(self.api.payment(payment["id"]), payment)
        self.assertEqual(len(self.sim.entries()), before, "nothing was sent")
        self.assertFalse([e for e in self.api.events(payment["id"]) if e["kind"].startswith("attempt.")])
        return payment

    def passes(self, body=None):
        payment = created(self.api.post("/v1/payments", body or sale(500)))
        self.assertEqual((payment["status"], rules(payment, "deny")), ("succeeded", []), payment)
        return payment


class Profiles(Closed):
    def test_a_region_that_nobody_knows(self):
        self.start()
        payment = self.denied("region.none", "no region profile", sale(500, region="xx"), profile="")
        self.assertEqual(payment["decision"]["version"], "")
        self.passes(sale(500, region="DEFAULT"))
        compare(self.api, self.sim)

    def test_one_that_is_only_there_to_be_extended(self):
        base = {**REGION, "region": "ground", "abstract": True}
        own = {**REGION, "region": "own", "extends": "ground"}
        self.start(regions=[("ground", base), ("own", own)])
        self.denied("region.abstract", "abstract", sale(500, region="ground"), profile="ground")
        self.passes(sale(500, region="own"))
        compare(self.api, self.sim)

    def test_one_that_only_runs_beside(self):
        """A shadow is not a profile that anybody can name; what it would have said changes nothing."""
        beside = {**REGION, "version": "2", "shadow": True, "currencies": ["USD"]}
        self.start(regions=[("beside", beside)])
        payment = self.passes()
        self.assertEqual(payment["decision"]["version"], "1")
        compare(self.api, self.sim)

    def test_not_yet_and_not_any_more(self):
        early = {**REGION, "region": "early", "effective_from": "2999-01-01"}
        late = {**REGION, "region": "late", "effective_from": "2020-01-01", "effective_until": "2020-12-31"}
        self.start(regions=[("early", early), ("late", late)])
        self.denied("region.effective_from", "not in force before 2999-01-01", sale(500, region="early"), profile="early")
        self.denied("region.effective_until", "not in force from 2020-12-31", sale(500, region="late"), profile="late")
        compare(self.api, self.sim)

    def test_until_a_moment_that_comes(self):
        """In force at first, and not any more from its own second on."""
        end = int(time.time()) + 3
        told = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end))
        self.start(region={"effective_until": told})

        def over():
            asked = time.time()
            payment = created(self.api.post("/v1/payments", sale(500)))
            if asked >= end:
                self.assertEqual(payment["status"], "failed", payment)
            elif time.time() < end:
                self.assertEqual(payment["status"], "succeeded", payment)
            return asked >= end

        until("its time is over", over, 15)
        self.denied("region.effective_until", f"from {told[:19]}")
        compare(self.api, self.sim)

    def test_rails_and_currencies(self):
        self.start(region={"rails": ["bank", "cbdc"]})
        self.denied("region.rails", "rail card is not allowed")
        put_profile(self.gateway, {**REGION, "version": "2", "currencies": ["USD"]})
        reload_now(self.gateway)
        self.denied("region.currencies", "currency EUR is not allowed")
        compare(self.api, self.sim)


class Facts(Closed):
    def test_a_fact_that_a_rule_needs(self):
        rules_ = [{"id": "young", "when": ["payer.age<18"], "then": "deny"}]
        self.start(region={"rules": rules_})
        self.denied("fact.missing", "payer.age")
        self.passes(sale(500, payer={"birth_date": "1980-02-29"}))
        self.denied("rule.young", "young", sale(500, payer={"birth_date": time.strftime("%Y-01-01", time.gmtime())}))
        compare(self.api, self.sim)

    def test_a_fact_that_a_sum_needs(self):
        self.start(region=noon(limits=[{"id": "day", "per": "payer", "window": "day", "max": ["10.00 EUR"]}]))
        self.denied("fact.missing", "payer.id")
        self.passes(sale(1000, payer={"id": "p1"}))
        compare(self.api, self.sim)

    def test_what_the_travel_rule_needs(self):
        field = {"id": "travel", "scope": "any", "from": ["100.00 EUR"], "needs": ["payer.name", "payer.address|payer.birth_date"]}
        self.start(region={"cross_border": {"fields": [field]}})
        self.passes(sale(9999 - 1000))
        self.denied("field.travel", "payer.name", sale(10000))
        self.denied("field.travel", "payer.address", sale(10000, payer=NAMED["payer"]))
        self.passes(sale(10000, payer={**NAMED["payer"], "birth_date": "1980-02-29"}))
        compare(self.api, self.sim)

    def test_a_tier_that_is_not_there(self):
        tier = {"tier": 1, "single": ["10.00 EUR"]}
        self.start(region={"kyc": {"without_tier": "deny", "tiers": [tier]}})
        payment = created(self.api.post("/v1/payments", sale(500)))
        self.assertEqual((payment["status"], payment["decision"]["result"]), ("failed", "deny"), payment)
        payment = created(self.api.post("/v1/payments", sale(500, payer={"kyc_tier": 2})))
        self.assertEqual((payment["status"], payment["decision"]["result"]), ("failed", "deny"), payment)
        self.assertEqual(self.sim.entries(), [])
        self.passes(sale(1000, payer={"kyc_tier": 1}))
        compare(self.api, self.sim)


LISTS = {"lists": [{"name": "house", "format": "csv", "path": "lists/house.csv", "max_age": "7d"}]}
SCREENS = {"screening": {"lists": ["house"]}}
FRESH = ("lists/house.csv", list_text(time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400))))


class Lists(Closed):
    def test_never_there(self):
        self.start(region=SCREENS, settings=LISTS)
        self.denied("screening.lists", "is not there", sale(500, **NAMED))
        self.denied("screening.lists", "is not there")  # nameless ones, too: nobody can tell
        compare(self.api, self.sim)

    def test_it_comes(self):
        self.start(region=SCREENS, settings=LISTS)
        self.put(*FRESH)
        reload_now(self.gateway)
        self.passes(sale(500, **NAMED))
        compare(self.api, self.sim)

    def test_taken_away(self):
        self.start(region=SCREENS, settings=LISTS, files=[FRESH])
        self.passes(sale(500, **NAMED))
        os.unlink(os.path.join(self.gateway.config, FRESH[0]))
        reload_now(self.gateway, code=1)  # what was loaded is better than nothing
        self.passes(sale(500, **NAMED))
        self.gateway.stop()
        self.gateway.start()
        self.denied("screening.lists", "is not there", sale(500, **NAMED))
        compare(self.api, self.sim)

    def test_old(self):
        self.start(region=SCREENS, settings=LISTS, files=[("lists/house.csv", list_text("2020-01-01"))])
        self.denied("screening.lists", "older than it may be", sale(500, **NAMED))
        self.put(*FRESH)
        done, failed = reloads(self.gateway)
        hang_up(self.gateway)
        until("it is loaded anew", lambda: reloads(self.gateway) == (done + 1, failed))
        self.passes(sale(500, **NAMED))
        compare(self.api, self.sim)

    def test_dated_in_the_future(self):
        self.start(region=SCREENS, settings=LISTS, files=[("lists/house.csv", list_text("2999-01-01"))])
        self.denied("screening.lists", "older than it may be", sale(500, **NAMED))
        compare(self.api, self.sim)

    def test_cut_off(self):
        self.start(region=SCREENS, settings=LISTS, files=[("lists/house.csv", "id,aliases\n")])
        self.denied("screening.lists", "is not there", sale(500, **NAMED))
        compare(self.api, self.sim)


class Residency(Closed):
    only = {"data": {"residency": ["DE", "FR"], "retention": "5y"}}

    def test_records_live_elsewhere(self):
        self.start(region=self.only, settings={"store": {"country": "US"}})
        payment = self.denied("data.residency", "records live in US")
        self.assertEqual(payment["decision"]["data"], {"retention_days": 1826, "residency": ["DE", "FR"]})
        compare(self.api, self.sim)

    def test_nobody_said_where(self):
        self.start(region=self.only)
        self.denied("data.residency", "store.country is not given")
        compare(self.api, self.sim)

    def test_where_they_may(self):
        self.start(region=self.only, settings={"store": {"country": "FR"}})
        payment = self.passes()
        self.assertEqual(payment["decision"]["data"], {"retention_days": 1826, "residency": ["DE", "FR"]})
        compare(self.api, self.sim)


class TooMuch(Closed):
    def windows(self, count):
        return noon(limits=[{"id": f"day{n}", "per": "payer", "window": "day", "max": ["100.00 EUR"]} for n in range(count)])

    def test_more_sums_than_a_decision_has_room_for(self):
        self.start(region=self.windows(17))
        self.denied("evaluation.limit", "more counters", sale(500, payer={"id": "p1"}))
        put_profile(self.gateway, {**self.windows(16), "version": "2"})
        reload_now(self.gateway)
        self.passes(sale(10000, payer={"id": "p1"}))  # the denied one spent nothing
        payment = created(self.api.post("/v1/payments", sale(1, payer={"id": "p1"})))
        self.assertEqual(sorted(rules(payment, "deny")), sorted(f"limit.day{n}" for n in range(16)), payment)
        compare(self.api, self.sim)

    def test_more_reasons_than_a_decision_has_room_for(self):
        many = [{"id": f"r{n}", "when": ["amount>=5.00 EUR"], "then": "challenge"} for n in range(40)]
        self.start(region={"rules": many})
        self.denied("evaluation.limit", "more reasons")
        self.passes(sale(499))
        compare(self.api, self.sim)


if __name__ == "__main__":
    main()
