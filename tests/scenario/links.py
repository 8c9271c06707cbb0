"""Links to a card host and what goes over them: every packaging and framing, sign-on, echo, key change
while payments run, and every way in which a card can be entered.

Test card numbers from published ranges only (see rgtest.py).
"""

import threading

from rgchip import emv, pin_block
from rgledger import compare, settle
from rgtest import MASTERCARD, VISA, Story, authorisation, main, ops, sale, until


class Packaging(Story):
    def test_every_packaging_with_every_framing(self):
        for packaging in ("iso87-ascii", "iso87-bcd", "iso87-binary"):
            for framing in ("len2", "len2_tpdu", "ascii4"):
                with self.subTest(packaging=packaging, framing=framing):
                    sim, gateway, api = self.pair(
                        "--packaging", packaging, "--framing", framing,
                        channel={"settings": {"packaging": packaging, "framing": framing}})  # fmt: skip
                    self.whole_life(sim, api)
                    gateway.stop()
                    sim.kill()

    def whole_life(self, sim, api):
        payment = api.post("/v1/payments", authorisation(1001)).json()
        self.assertEqual(payment["status"], "authorized", payment)
        path = f"/v1/payments/{payment['id']}"
        self.assertEqual(api.post(path + "/capture", {"amount": {"value": 501, "currency": "EUR"}}).status, 200)
        self.assertEqual(api.post(path + "/cancel").status, 200)
        self.assertEqual(api.post(path + "/refunds", {"amount": {"value": 1, "currency": "EUR"}}).status, 201)
        chip = {"entry": "chip", "pan": VISA, "expiry": "3012", "emv": emv(VISA, 333)}
        answer = api.post("/v1/payments", sale(333, method={"type": "card", "card": chip}))
        self.assertEqual(answer.json()["status"], "succeeded", answer)
        sim.fault("drop_after_booking", mti="0200", next=1)
        api.post("/v1/payments", sale(444))
        settle(api)
        compare(api, sim)


class Entry(Story):
    def setUp(self):
        super().setUp()
        self.sim, self.gateway, self.api = self.pair()

    def pay(self, card, value=1250):
        answer = self.api.post("/v1/payments", sale(value, method={"type": "card", "card": card}))
        self.assertEqual(answer.status, 201, answer)
        return answer.json()

    def test_every_way(self):
        track2 = f"{MASTERCARD}=30121010000012300000"
        for name, card in {
            "manual": {"entry": "manual", "pan": VISA, "expiry": "3012"},
            "manual with CVV2": {"entry": "manual", "pan": VISA, "expiry": "3012", "cvv": "123"},
            "stripe": {"entry": "stripe", "track2": track2},
            "stripe with D": {"entry": "stripe", "track2": track2.replace("=", "D")},
            "stripe with PIN": {"entry": "stripe", "track2": track2, "pin_block": pin_block("1234", MASTERCARD)},
            "fallback": {"entry": "fallback", "track2": track2},
            "chip": {"entry": "chip", "pan": VISA, "expiry": "3012", "emv": emv(VISA, atc=2)},
            "chip with PIN": {"entry": "chip", "pan": VISA, "expiry": "3012", "emv": emv(VISA, atc=3), "pin_block": pin_block("1234", VISA)},
            "chip with track 2": {"entry": "chip", "track2": track2, "emv": emv(MASTERCARD, atc=2)},
            "contactless": {"entry": "contactless", "pan": VISA, "expiry": "3012", "emv": emv(VISA, atc=4)},
            "with sequence number": {"entry": "chip", "pan": VISA, "expiry": "3012", "psn": "01", "emv": emv(VISA, atc=5, psn=1)},
        }.items():  # fmt: skip
            with self.subTest(entry=name):
                payment = self.pay(card)
                self.assertEqual(payment["status"], "succeeded", payment)
                self.assertEqual(payment["method"]["card"]["entry"], card["entry"])
        compare(self.api, self.sim)

    def test_what_the_issuer_does_not_like(self):
        manual = {"entry": "manual", "pan": VISA, "expiry": "3012"}
        track2 = f"{VISA}=30121010000012300000"
        chip = {"entry": "chip", "pan": VISA, "expiry": "3012"}
        for name, card, code in (
            ("wrong CVV2", {**manual, "cvv": "321"}, "82"),
            ("expired", {**manual, "expiry": "2001"}, "54"),
            ("wrong PIN", {"entry": "stripe", "track2": track2, "pin_block": pin_block("4321", VISA)}, "55"),
            ("cryptogram for another amount", {**chip, "emv": emv(VISA, 1250, atc=9)[:-4] + "FFFF"}, "82"),
            ("unknown card", {**manual, "pan": "4222222222222"}, "14"),
        ):
            with self.subTest(name=name):
                payment = self.pay(card)
                self.assertEqual((payment["status"], payment["outcome"]["code"]), ("failed", code), payment)
        compare(self.api, self.sim)

    def test_the_issuers_chip_data_comes_back(self):
        payment = self.pay({"entry": "chip", "pan": VISA, "expiry": "3012", "emv": emv(VISA, atc=7)})
        self.assertRegex(str(payment["outcome"].get("rail")), "(?i)91[0-9a-f]{2}", "tag 91, the ARPC, for the terminal")


class SignOn(Story):
    def test_nothing_is_sent_before_it(self):
        sim = self.stage.simulator()
        sim.fault("no_sign_on_answer")
        gateway = self.stage.gateway(sim, ready=False)
        api = gateway.client()
        self.assertEqual(ops(gateway, "/readyz").status, 503)
        payment = api.post("/v1/payments", sale()).json()
        self.assertEqual((payment["status"], payment["outcome"]["result"]), ("failed", "not_sent"), payment)
        self.assertEqual(sim.entries(), [])
        sim.calm()
        gateway.ready_for_payments()
        self.assertEqual(api.post("/v1/payments", sale()).json()["status"], "succeeded")
        compare(api, sim)

    def test_a_host_that_answers_something_else(self):
        sim = self.stage.simulator()
        sim.fault("wrong_stan", mti="0800")
        gateway = self.stage.gateway(sim, ready=False)
        self.assertEqual(ops(gateway, "/readyz").status, 503)
        self.assertEqual(gateway.client().post("/v1/payments", sale()).json()["status"], "failed")
        self.assertEqual(sim.entries(), [])

    def test_again_after_every_reconnect(self):
        sim, gateway, api = self.pair()
        for _ in range(3):
            before = sim.stats()["sign_ons"]
            sim.drop_links("close")
            until("signed on again", lambda: sim.stats()["sign_ons"] >= before + 2)
            gateway.ready_for_payments()
            self.assertEqual(api.post("/v1/payments", sale()).json()["status"], "succeeded")
        compare(api, sim)

    def test_echo_keeps_a_quiet_link_alive(self):
        sim, _, api = self.pair(channel={"echo_every": "100ms"})
        until("echoes have come", lambda: sim.stats()["echoes"] >= 4)
        sim.send("301")
        self.assertEqual(api.post("/v1/payments", sale()).json()["status"], "succeeded")


class KeyChange(Story):
    def steady(self, api, stop, results):
        while not stop.is_set():
            results.append(api.post("/v1/payments", sale(100 + len(results))).json()["status"])

    def test_at_every_sign_on(self):
        sim, _, api = self.pair(channel={"key_change": True})
        until("both links have new keys", lambda: sim.stats()["key_changes"] >= 2)
        self.assertEqual(api.post("/v1/payments", sale()).json()["status"], "succeeded")
        compare(api, sim)

    def test_when_the_host_asks_for_it_while_payments_run(self):
        sim, gateway, api = self.pair(channel={"deadline": "5s", "key_change": True})
        sim.fault("delay", mti="0200", ms=5)
        stop, results = threading.Event(), []
        threads = [threading.Thread(target=self.steady, args=(api, stop, results)) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for number in range(1, 6):
                before = sim.stats()["key_changes"]
                sim.send("101")
                until(f"key change {number}", lambda: sim.stats()["key_changes"] >= before + 2)
                count = len(results)
                until("payments go on", lambda: len(results) >= count + 5)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        settle(api)
        self.assertEqual(set(results), {"succeeded"})
        self.assertIn("channel.key_changed", gateway.log_text())
        compare(api, sim)

    def test_a_wrong_key_means_nobody_believes_the_other(self):
        sim = self.stage.simulator("--mac-key", "0123456789abcdef1111111111111111")
        gateway = self.stage.gateway(sim)
        api = gateway.client()
        answer = api.post("/v1/payments", sale())
        self.assertNotEqual(answer.json()["status"], "succeeded")
        self.assertEqual(sim.entries(), [])


if __name__ == "__main__":
    main()
