"""CBDC on contracts that nobody here wrote: Norges Bank's published sandbox on a local Ethereum node.

The node and the contracts come from npm (tests/support/rgevm.py); where npm or its registry is missing, the tests
say 'skipped' and why. After each story the balances on the chain are compared with what the gateway says happened.
"""

import functools
import http.client
import os
import re
import threading
import unittest

import rgevm
import rgrails
import rgtest
from rgtest import Story, main, together, until

LOST = (OSError, http.client.HTTPException)


@functools.cache
def packages():
    """(folder, None), or (None, why not); tried once."""
    try:
        return rgevm.install(), None
    except rgevm.Skipped as why:
        print(f"skipped: {why}", flush=True)
        return None, str(why)


def transfer(value, payer, **more):
    cbdc = {"payer": {"wallet": payer}, **more}
    return {"amount": {"value": value, "currency": "NOK"}, "method": {"type": "cbdc", "cbdc": cbdc}}


def issue(value, **more):
    return {"amount": {"value": value, "currency": "NOK"}, "method": {"type": "cbdc", "cbdc": {"action": "issue", **more}}}


def redeem(value, **more):
    return {"amount": {"value": value, "currency": "NOK"}, "method": {"type": "cbdc", "cbdc": {"action": "redeem", **more}}}


def channel(sandbox, listen, settings=None, **more):
    return rgtest.merge(
        {
            **rgrails.BASE,
            "late_window": "300ms",
            "name": "norges",
            "adapter": rgrails.adapter("cbdc_evm"),
            "rail": "cbdc",
            "currencies": ["NOK"],
            "endpoints": [listen],
            "settings": {
                "contract": sandbox.token,
                "chain_id": sandbox.chain,
                "currency": "NOK",
                "decimals": rgevm.DECIMALS,
                "merchant": sandbox.merchant,
                "minter": sandbox.bank,
                "burner": sandbox.bank,
                **(settings or {}),
            },
        },
        more,
    )


class Chain(Story):
    """A node with the sandbox's contracts, a gateway, and a wire between them that may have accidents."""

    history = None

    def setUp(self):
        super().setUp()
        folder, why = packages()
        if why is not None:
            self.skipTest(why)
        self.sandbox = rgevm.Sandbox(self.stage, folder, self.history)
        self.wire = rgevm.Wire(self.stage, self.sandbox.node)

    def open(self, **how):
        self.gateway = rgrails.rails(self.stage, [channel(self.sandbox, self.wire.listen, **how)])
        self.api = self.gateway.client()
        self.before = self.sandbox.balances()

    def pays(self, body, **headers):
        answer = self.api.post("/v1/payments", body, **headers)
        self.assertIn(answer.status, (201, 202), answer)
        return rgrails.settled(self.api, answer.json()["id"])

    def refused(self, body, category, code):
        payment = self.pays(body)
        self.assertEqual(payment["status"], "failed", payment)
        outcome = payment["outcome"]
        self.assertEqual((outcome["category"], outcome["code"]), (category, code), payment)
        self.assertEqual(payment["captured"], 0, payment)
        return payment

    def moved(self, **minor):
        """What changed since open(), by account; all others must have what they had."""
        now = self.sandbox.balances()
        changes = {name: now[name] - self.before[name] for name in now if now[name] != self.before[name]}
        self.assertEqual(changes, minor)


class Codes(unittest.TestCase):
    def test_selectors_are_what_the_signatures_say(self):
        with open(os.path.join(rgtest.ROOT, "adapters", "kits", "evm_abi.h"), encoding="utf-8") as file:
            text = file.read()
        rows = re.findall(r"#define EVM_SELECTOR_\w+ +0x([0-9a-f]{8})u /\* (\w+\([a-z0-9,]*\))", text)
        self.assertEqual(len(rows), 5)
        for selector, signature in rows:
            self.assertEqual(rgevm.keccak256(signature.encode())[:4].hex(), selector, signature)
        self.assertIn(f'"{rgevm.TRANSFER_TOPIC}"', text)
        # The sponge itself: the digest of nothing, as everybody knows it.
        self.assertEqual(rgevm.keccak256(b"").hex(), "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")


class Money(Chain):
    def setUp(self):
        super().setUp()
        self.open()

    def test_transfer_and_refunds(self):
        payment = self.pays(transfer(12_345, self.sandbox.known))
        self.assertEqual((payment["status"], payment["captured"]), ("succeeded", 12_345), payment)
        self.moved(known=-12_345, merchant=12_345)
        for value in (345, 12_000):
            body = {"amount": {"value": value, "currency": "NOK"}}
            refund = self.api.post(f"/v1/payments/{payment['id']}/refunds", body)
            self.assertEqual((refund.status, refund.json()["status"]), (201, "succeeded"), refund)
        self.moved()

    def test_issue_and_redeem_and_their_refunds(self):
        supply = self.sandbox.supply()
        issued = self.pays(issue(5_000))
        self.assertEqual(issued["status"], "succeeded", issued)
        self.moved(merchant=5_000)
        redeemed = self.pays(redeem(3_000))
        self.assertEqual(redeemed["status"], "succeeded", redeemed)
        self.moved(merchant=2_000)
        self.assertEqual(self.sandbox.supply(), supply + 2_000)
        for payment in (issued, redeemed):
            refund = self.api.post(f"/v1/payments/{payment['id']}/refunds", {})
            self.assertEqual((refund.status, refund.json()["status"]), (201, "succeeded"), refund)
        self.moved()
        self.assertEqual(self.sandbox.supply(), supply)

    def test_over_the_balance(self):
        self.refused(transfer(2_000_000, self.sandbox.known), "insufficient_funds", "insufficient_balance")
        self.refused(redeem(2_000_000), "insufficient_funds", "insufficient_balance")
        self.moved()

    def test_limits_of_the_unknown_and_none_of_the_known(self):
        self.refused(transfer(rgevm.ANONYMOUS_LIMIT, self.sandbox.anonymous), "limit_exceeded", "transaction_limit")
        self.assertEqual(self.pays(transfer(rgevm.ANONYMOUS_LIMIT - 1, self.sandbox.anonymous))["status"], "succeeded")
        self.refused(transfer(rgevm.ANONYMOUS_LIMIT - 1, self.sandbox.anonymous), "limit_exceeded", "daily_limit")
        self.assertEqual(self.pays(transfer(300_000, self.sandbox.known))["status"], "succeeded")
        self.moved(anonymous=1 - rgevm.ANONYMOUS_LIMIT, known=-300_000, merchant=300_000 + rgevm.ANONYMOUS_LIMIT - 1)

    def test_wallets_that_are_none(self):
        self.refused(transfer(100, "0x" + "12" * 20), "wrong_credential", "no_signer")
        self.moved()

    def test_many_at_once_from_one_wallet(self):
        # The node gives nonces away twice when it is asked at once, and drops what lost. That is found out: what is
        # said to have failed has not moved.
        values = range(101, 113)
        payments = together([lambda v=v: self.pays(transfer(v, self.sandbox.known)) for v in values])
        self.assertLessEqual({p["status"] for p in payments}, {"succeeded", "failed"})
        paid = sum(p["amount"]["value"] for p in payments if p["status"] == "succeeded")
        self.assertGreater(paid, 0)
        self.moved(known=-paid, merchant=paid)


class Trap(Chain):
    def setUp(self):
        super().setUp()
        # While an answer is held the test moves the chain on; who asks again before that sends back too early.
        self.open(deadline="60s")

    def full(self, room):
        """The merchant may hold `room` more than he has."""
        self.sandbox.hold(self.sandbox.merchant, self.sandbox.balance(self.sandbox.merchant) + room)

    def test_a_part_moved_and_is_sent_back(self):
        self.full(1_000)
        payment = self.refused(transfer(5_000, self.sandbox.known), "limit_exceeded", "partial_returned")
        self.moved()
        self.assertEqual(self.wire.methods.count("eth_sendTransaction"), 2, "there and back")
        fits = self.pays(transfer(1_000, self.sandbox.known))
        self.assertEqual(fits["status"], "succeeded", fits)
        self.refused(transfer(1_000, self.sandbox.known), "limit_exceeded", "holding_limit")
        self.moved(known=-1_000, merchant=1_000)

    def test_what_cannot_be_sent_back_is_a_conflict(self):
        # The payer is full by the time the money comes back: it stays, and a person must look.
        self.full(1_000)
        self.wire.accident("eth_sendTransaction", 1, "hold")
        sandbox, answers = self.sandbox, []
        thread = threading.Thread(target=lambda: answers.append(self.api.post("/v1/payments", transfer(5_000, sandbox.known))))
        thread.start()
        until("the payment is on the chain", self.wire.held)
        sandbox.hold(sandbox.known, sandbox.balance(sandbox.known))
        self.wire.calm()
        thread.join()
        payment = answers[0].json()["id"]
        kinds = lambda: {e["data"].get("state") for e in self.api.events(payment) if e["kind"].startswith("attempt.")}
        until("the conflict is recorded", lambda: "conflict" in kinds())
        self.assertEqual(self.api.payment(payment)["status"], "processing")
        self.moved(known=-1_000, merchant=1_000)

    def test_a_refund_that_moves_in_part_is_a_conflict(self):
        payment = self.pays(transfer(5_000, self.sandbox.known))
        self.sandbox.hold(self.sandbox.known, self.sandbox.balance(self.sandbox.known) + 2_000)
        self.api.post(f"/v1/payments/{payment['id']}/refunds", {})
        states = lambda: {e["data"].get("state") for e in self.api.events(payment["id"]) if e["kind"].startswith("attempt.")}
        until("the conflict is recorded", lambda: "conflict" in states())
        self.moved(known=-3_000, merchant=3_000)


class Accidents(Chain):
    """The answer is lost, or the gateway dies, at each request of a payment."""

    blocks_at_once = 4

    def setUp(self):
        super().setUp()
        self.open(settings={"clock_slack_s": 5, "blocks_at_once": self.blocks_at_once})

    def room(self, minor):
        self.sandbox.hold(self.sandbox.merchant, self.sandbox.balance(self.sandbox.merchant) + minor)

    def one(self, method, count, how, expected, room=None):
        """One payment with one accident; `expected` (status, what moved)."""
        if room is not None:
            self.room(room)
        self.before = self.sandbox.balances()
        self.wire.accident(method, count, how)
        payment = self.pays(transfer(5_000, self.sandbox.known))
        self.wire.calm()
        self.assertEqual(payment["status"], expected[0], (method, count, how, payment))
        self.moved(**expected[1])

    def test_answers_that_are_lost(self):
        paid = ("succeeded", {"known": -5_000, "merchant": 5_000})
        self.one("eth_sendTransaction", 1, "drop", paid)
        self.one("eth_getTransactionReceipt", 1, "drop", paid)
        self.one("eth_getBlockByNumber", 1, "drop", paid)
        # It never arrived, and no inquiry finds it: nothing moved, and the merchant may try again.
        self.one("eth_sendTransaction", 1, "lose", ("failed", {}))

    def test_answers_that_are_lost_on_the_way_back(self):
        back = ("failed", {})
        for method, count in (("eth_sendTransaction", 1), ("eth_getTransactionReceipt", 1), ("eth_getTransactionCount", 1),
                              ("eth_sendTransaction", 2), ("eth_getTransactionReceipt", 2)):  # fmt: skip
            self.one(method, count, "drop", back, room=1_000)
        self.one("eth_sendTransaction", 2, "lose", back, room=1_000)

    def killed(self, method, count, room, expected):
        if room is not None:
            self.room(room)
        self.before = self.sandbox.balances()
        self.wire.accident(method, count, "hold")
        key = rgtest.fresh_key()
        thread = threading.Thread(target=lambda: self.post(key))
        thread.start()
        until(f"request {count} with {method} is held", self.wire.held)
        self.gateway.kill()
        self.wire.calm()
        thread.join()
        self.gateway.start()
        payment = self.repeat(key)
        self.assertEqual(payment["status"], expected[0], (method, count, payment))
        self.moved(**expected[1])

    def post(self, key):
        try:
            return self.api.post("/v1/payments", transfer(5_000, self.sandbox.known), key)
        except LOST:
            return None

    def repeat(self, key):
        def asked():
            answer = self.post(key)
            return answer if answer is not None and answer.status not in (409, 503) else None

        return rgrails.settled(self.api, until("the repeat is answered", asked).json()["id"])

    def test_killed_while_an_answer_is_awaited(self):
        paid = ("succeeded", {"known": -5_000, "merchant": 5_000})
        self.killed("eth_sendTransaction", 1, None, paid)
        self.killed("eth_getTransactionReceipt", 1, None, paid)

    def test_killed_on_the_way_back(self):
        back = ("failed", {})
        for method, count in (("eth_sendTransaction", 1), ("eth_getTransactionCount", 1), ("eth_sendTransaction", 2),
                              ("eth_getTransactionReceipt", 2)):  # fmt: skip
            self.killed(method, count, 1_000, back)

    def test_killed_at_the_named_steps(self):
        for step in ("before_record", "after_record", "after_send", "after_exchange", "before_settle", "after_settle"):
            for room in (None, 1_000):
                self.step(step, room)

    def step(self, step, room):
        if room is not None:
            self.room(room)
        else:
            self.sandbox.hold(self.sandbox.merchant, 2**100)
        self.before = self.sandbox.balances()
        self.gateway.stop()
        self.gateway.start(env={"RAILGATE_CRASH_AT": step})
        key = rgtest.fresh_key()
        self.post(key)
        self.assertEqual(self.gateway.wait_end(), -9, step)
        self.gateway.start()
        payment = self.repeat(key)
        known = self.sandbox.balance(self.sandbox.known) - self.before["known"]
        self.assertIn(payment["status"], ("succeeded", "failed"), (step, room, payment))
        paid = payment["status"] == "succeeded"
        self.assertEqual(paid and room is not None, False, (step, payment))
        self.assertEqual(known, -5_000 if paid else 0, (step, room, payment))
        self.moved(**({"known": -5_000, "merchant": 5_000} if paid else {}))
        if step not in ("after_record", "after_send"):  # there the bytes may not have left
            self.assertEqual(payment["status"], "failed" if room else "succeeded", (step, payment))


class Slow(Chain):
    """A chain that does not answer with a block at once."""

    def started(self, value):
        answer = self.api.post("/v1/payments", transfer(value, self.sandbox.known))
        self.assertEqual((answer.status, answer.json()["status"]), (202, "processing"), answer)
        return answer.json()["id"]

    def asked_about(self, count=3):
        """Inquiries were answered, so often, and it is still open."""
        self.wire.accident("none", 1, "drop")  # forgets what passed
        until("inquiries", lambda: self.wire.methods.count("eth_chainId") >= count)

    def test_no_block_for_a_while(self):
        self.open()
        self.sandbox.node.rpc("evm_setAutomine", False)
        payment = self.started(700)
        self.asked_about()
        self.assertEqual(self.api.payment(payment)["status"], "processing")
        self.sandbox.node.rpc("anvil_mine", "0x1")
        self.assertEqual(rgrails.settled(self.api, payment)["status"], "succeeded")
        self.moved(known=-700, merchant=700)

    def test_blocks_that_must_follow(self):
        self.open(settings={"confirmations": 2})
        payment = self.started(700)
        self.asked_about(1)
        self.assertEqual(self.api.payment(payment)["status"], "processing")
        self.sandbox.node.rpc("anvil_mine", "0x2")
        self.assertEqual(rgrails.settled(self.api, payment)["status"], "succeeded")
        self.moved(known=-700, merchant=700)


class Long(Accidents):
    """A chain with thousands of blocks before: what happened is found by its time."""

    history, blocks_at_once = (3000, 60), 16

    def test_answers_that_are_lost_on_the_way_back(self):
        back = ("failed", {})
        self.one("eth_sendTransaction", 2, "drop", back, room=1_000)

    def test_answers_that_are_lost(self):
        self.one("eth_sendTransaction", 1, "drop", ("succeeded", {"known": -5_000, "merchant": 5_000}))
        self.sandbox.node.rpc("anvil_mine", "0x50")  # more than are looked through in any case, and ahead of our clock
        self.one("eth_sendTransaction", 1, "lose", ("failed", {}))

    test_killed_while_an_answer_is_awaited = test_killed_on_the_way_back = test_killed_at_the_named_steps = None


class Wrong(Chain):
    """A channel file that does not fit the chain: nothing is sent."""

    def test_chain_and_decimals(self):
        for settings, code in (({"chain_id": 5}, "wrong_chain"), ({"decimals": 6}, "wrong_token"),
                               ({"contract": "0x" + "34" * 20}, "wrong_token")):  # fmt: skip
            self.open(settings=settings)
            self.refused(transfer(500, self.sandbox.known), "request_not_accepted", code)
            self.assertNotIn("eth_sendTransaction", self.wire.methods)
            self.moved()
            self.gateway.stop()


if __name__ == "__main__":
    main()
