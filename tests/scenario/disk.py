"""The disk is full for a while, in the middle of a payment: nothing is sent that is not recorded, nothing that
was answered is forgotten, and when there is room again every payment ends by itself, without a restart."""

import json
import os
import resource
import signal
import threading
import time

from rgledger import compare, settle
from rgprofile import created, hang_up, noon, put_profile, reloads
from rgrails import metric
from rgtest import Gateway, Story, main, ops, sale, until

FULL_SECONDS = 6  # several tries to write; those that come after it only have to succeed
LOG_ROOM = 64 * 1024  # the gateway's log may grow to so much; its database is larger already, and may not


class FullDisk(Story):
    def start(self, *sims, **how):
        """A gateway that survives writing over its limit of file sizes: then it sees an error, as on a full disk."""
        gateway = Gateway(self.stage, "gateway", sims, **how)
        gateway.command = ["sh", "-c", 'trap "" XFSZ; exec "$@"', "sh"] + gateway.command
        gateway.start()
        return gateway, gateway.client()

    @staticmethod
    def room(gateway, size=resource.RLIM_INFINITY):
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def pay(self, api, key, body, answers):
        thread = threading.Thread(target=lambda: answers.append(api.post("/v1/payments", body, key)))
        thread.start()
        return thread

    def answer(self, api, key, body):
        def asked():
            answer = api.post("/v1/payments", body, key)
            return answer if answer.status in (201, 202) else None

        return until("the repeat is answered", asked)

    def test_while_an_answer_is_to_be_recorded(self):
        sim = self.stage.simulator()
        gateway, api = self.start(sim, channel={"deadline": "30s"})
        # A large payment: each try to record its outcome takes memory for all of it.
        body = sale(1000, metadata={f"m{n}": "x" * 480 for n in range(50)})
        sim.fault("delay", mti="0200", ms=700, next=1)
        answers = []
        thread = self.pay(api, "key", body, answers)
        until("the sale is at the card host", lambda: sim.entries("sale"))
        self.room(gateway, 1)
        time.sleep(FULL_SECONDS)
        self.room(gateway)
        thread.join()
        answer = self.answer(api, "key", body)
        self.assertEqual(api.final(answer.json()["id"])["status"], "succeeded")
        if answers[0].status == 201:
            self.assertEqual(answer.body, answers[0].body)
        compare(api, sim)

    def test_while_a_reversal_is_to_be_recorded(self):
        sim = self.stage.simulator()
        gateway, api = self.start(sim)
        sim.fault("drop_after_booking", mti="0200", next=1)
        answers = []
        thread = self.pay(api, "key", sale(1000), answers)
        until("the sale is at the card host", lambda: sim.entries("sale"))
        self.room(gateway, 1)
        time.sleep(FULL_SECONDS)
        self.assertEqual(sim.entries("reversal"), [], "sent without a record")
        self.room(gateway)
        thread.join()
        payment = self.answer(api, "key", sale(1000)).json()["id"]
        self.assertEqual(api.final(payment)["status"], "reversed")
        settle(api)
        compare(api, sim)

    def test_while_another_channel_is_to_be_tried(self):
        sims = self.stage.simulator(), self.stage.simulator()
        gateway, api = self.start(*sims, channels=[{}, {"settings": {"terminal_id": "TERM0002"}}])
        for sim in sims:
            sim.kill()  # no link anywhere: each channel is waited for a little
        answers = []
        thread = self.pay(api, "key", sale(1000), answers)
        payment = until("the payment is recorded", api.payments)[0]["id"]
        self.room(gateway, 1)
        time.sleep(FULL_SECONDS)
        self.room(gateway)
        thread.join()
        self.assertEqual(api.final(payment)["outcome"]["result"], "not_sent")
        self.assertEqual(api.payment(payment)["status"], "failed")
        self.assertEqual(self.answer(api, "key", sale(1000)).json()["id"], payment)

    def test_while_new_rules_are_to_be_recorded(self):
        sim = self.stage.simulator()
        gateway, api = self.start(sim, region=noon(version="1"))

        def in_force():
            page = ops(gateway, "/metrics").body.decode()
            return [number for number in "123" if f'railgate_profile_info{{region="default",version="{number}"' in page]

        def history():
            rows = json.loads(gateway.cli("profile", "history", "default", "--json")[1])
            return [row["version"] for row in rows]

        self.room(gateway, 1)
        put_profile(gateway, noon(version="2"))
        hang_up(gateway)
        until("it could not be recorded", lambda: metric(gateway, "railgate_store_failed_total") > 0)
        self.assertEqual((in_force(), reloads(gateway)), (["1"], (0, 0)), "in force, and its text is nowhere")
        put_profile(gateway, noon(version="3"))  # the words of 2 are in no file any more
        hang_up(gateway)
        self.room(gateway)
        until("both were recorded", lambda: reloads(gateway) == (2, 0))
        self.assertEqual((in_force(), history()), (["3"], ["3", "2", "1"]))
        self.assertEqual(created(api.post("/v1/payments", sale(700)))["decision"]["version"], "3")
        compare(api, sim)

    def test_for_so_long_that_new_rules_are_given_up(self):
        """An operator waits for the answer, and the socket has few places."""
        sim = self.stage.simulator()
        gateway, api = self.start(sim, region=noon(version="1"))
        put_profile(gateway, noon(version="2"))
        gateway.cli("reload")
        with open(os.path.join(gateway.config, "regions", "default.yaml"), encoding="utf-8") as file:
            text = file.read()
        self.room(gateway, 4096)  # for the profile's file, not for a page of the database
        code, out, err = gateway.cli("profile", "rollback", "default", "--by", "tester", code=None)
        self.assertEqual((code, out), (1, ""))
        self.assertIn("could not be recorded", err)
        self.assertEqual(reloads(gateway), (1, 1))
        with open(os.path.join(gateway.config, "regions", "default.yaml"), encoding="utf-8") as file:
            self.assertEqual(file.read(), text, "as it was before the rollback")
        self.room(gateway)
        self.assertEqual(created(api.post("/v1/payments", sale(700)))["decision"]["version"], "2")
        gateway.cli("profile", "rollback", "default", "--by", "tester")
        self.assertEqual(created(api.post("/v1/payments", sale(700)))["decision"]["version"], "1")
        compare(api, sim)

    def test_killed_while_new_rules_are_to_be_recorded(self):
        sim = self.stage.simulator()
        gateway, api = self.start(sim, region=noon(version="1"))
        self.room(gateway, 1)
        put_profile(gateway, noon(version="2"))
        hang_up(gateway)
        until("it could not be recorded", lambda: metric(gateway, "railgate_store_failed_total") > 0)
        gateway.kill()
        put_profile(gateway, noon(version="3"))
        gateway.start()
        payment = created(api.post("/v1/payments", sale(700)))
        self.assertEqual(payment["decision"]["version"], "3")
        rows = json.loads(gateway.cli("profile", "history", "default", "--json")[1])
        self.assertEqual([row["version"] for row in rows], ["3", "1"])
        compare(api, sim)

    def late_on_a_full_disk(self, drain):
        """An approval that comes after the reversal cannot be recorded, and the gateway is asked to end."""
        sim = self.stage.simulator()
        channel, settings = {"deadline": "1s", "late_window": "60s"}, {"shutdown": {"drain_time": drain}}
        gateway, api = self.start(sim, channel=channel, settings=settings)
        sim.fault("late", mti="0200", ms=5000, next=1)
        payment = api.final(api.post("/v1/payments", sale(100)).json()["id"])
        self.assertEqual(payment["status"], "reversed", payment)
        self.assertGreater(os.path.getsize(gateway.database + "-wal"), LOG_ROOM)
        self.room(gateway, LOG_ROOM)
        until("it cannot be recorded", lambda: "payment.late_answer_not_recorded" in gateway.log_text(), 30)
        gateway.popen.send_signal(signal.SIGTERM)
        until("it is asked to end", lambda: "gateway.stopping" in gateway.log_text())
        return sim, gateway, api, payment

    def test_a_stop_waits_until_it_is_recorded(self):
        sim, gateway, api, payment = self.late_on_a_full_disk("60s")
        self.room(gateway)
        self.assertEqual(gateway.wait_end(60), 0)
        self.assertNotIn("payment.late_answer_lost", gateway.log_text())
        self.assertIn("payment.conflict", gateway.log_text())
        gateway.start()
        self.assertIn("attempt.conflict", [event["kind"] for event in api.events(payment["id"])])
        compare(api, sim, allow_open=True)

    def test_what_a_stop_cannot_record_is_in_the_log(self):
        _, gateway, _, payment = self.late_on_a_full_disk("1s")
        self.assertEqual(gateway.wait_end(60), 0)
        lines = [json.loads(line) for line in gateway.log_text().splitlines() if "payment.late_answer_lost" in line]
        self.assertEqual(len(lines), 1, lines)
        told = {"level": "error", "payment": payment["id"], "operation": "sale", "outcome": "approved", "amount": 100,
                "currency": "EUR", "code": "00"}  # fmt: skip
        self.assertEqual(told, {name: lines[0][name] for name in told}, lines)
        self.assertRegex(lines[0]["attempt"], "^att_")
        self.assertIn("rrn=", lines[0]["refs"])


if __name__ == "__main__":
    main()
