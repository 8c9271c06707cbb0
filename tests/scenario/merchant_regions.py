"""Which regions a merchant may name: `merchants` in gateway.yaml.

Test card numbers from published ranges only (see rgtest.py).
"""

from rgledger import compare
from rgprofile import created, noon, put_profile, rules
from rgtest import REGION, Story, main, sale


class Regions(Story):
    def start(self, merchants):
        """Two regions: `default` lets 5.00 EUR pass, `lax` all."""
        self.sim = self.stage.simulator()
        strict = noon(limits=[{"id": "small", "max": "5.00 EUR", "source": "own policy"}])
        self.gateway = self.stage.gateway(self.sim, region=strict)
        self.api, self.other = self.gateway.client(), self.gateway.client()
        self.gateway.stop()
        put_profile(self.gateway, {**REGION, "region": "lax"}, "lax")
        self.put([{"merchant": self.api.merchant, **own} for own in merchants])
        self.gateway.start()

    def put(self, merchants):
        self.gateway.write("gateway.yaml", {**self.gateway.settings, "merchants": merchants})

    def pay(self, api, **more):
        return created(api.post("/v1/payments", sale(501, **more)))

    def test_only_those_that_are_its_own(self):
        self.start([{}])
        payment = self.pay(self.api, region="lax")
        self.assertEqual((payment["status"], rules(payment, "deny")), ("failed", ["region.none"]), payment)
        self.assertEqual(self.sim.entries(), [])
        self.assertEqual(rules(self.pay(self.api), "deny"), ["limit.small"])
        self.assertEqual(rules(self.pay(self.api, region="DEFAULT"), "deny"), ["limit.small"])
        self.assertEqual(self.pay(self.other, region="lax")["status"], "succeeded", "in the sandbox others may")
        compare(self.other, self.sim)

    def test_further_ones(self):
        self.start([{"regions": ["lax"]}])
        self.assertEqual(self.pay(self.api, region="lax")["status"], "succeeded")
        self.assertEqual(rules(self.pay(self.api), "deny"), ["limit.small"])
        compare(self.api, self.sim)

    def test_another_home(self):
        self.start([{"region": "lax"}])
        payment = self.pay(self.api)
        self.assertEqual((payment["status"], payment["decision"]["profile"]), ("succeeded", "lax"))
        self.assertEqual(rules(self.pay(self.api, region="default"), "deny"), ["region.none"])
        compare(self.api, self.sim)

    def test_names_are_checked(self):
        self.start([{}])
        self.put([{"merchant": "somebody", "region": "laxx"}])
        code, out, _ = self.gateway.cli("check", code=1)
        self.assertEqual(code, 1)
        self.assertIn("`merchant`: `somebody` is not", out)
        self.put([{"merchant": self.api.merchant, "region": "laxx"}])
        _, out, _ = self.gateway.cli("check", code=1)
        self.assertIn("did you mean `lax`", out)


if __name__ == "__main__":
    main()
