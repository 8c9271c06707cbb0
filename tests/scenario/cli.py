"""The command line: exit codes for scripts (0 done, 1 the answer is no, 2 could not run), help everywhere, all errors of
a broken configuration at once with file and line, keys, payments, adapters."""

import contextlib
import hashlib
import http.client
import json
import os
import re
import resource
import signal
import sqlite3
import subprocess
import threading
import unittest

from rgrails import refund
from rgtest import ROOT, Gateway, Story, authorisation, card_adapter, gateway_program, main, sale, until

LOST = (OSError, http.client.HTTPException)


def run(*arguments):
    done = subprocess.run([gateway_program(), *arguments], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=60, check=False)  # fmt: skip
    return done.returncode, done.stdout, done.stderr


class Help(Story):
    def test_everywhere(self):
        for command in ([], ["serve"], ["check"], ["payments"], ["payments", "list"], ["payments", "show"], ["keys"],
                        ["keys", "create"], ["keys", "list"], ["keys", "revoke"], ["adapter"], ["adapter", "list"], ["version"]):  # fmt: skip
            with self.subTest(command=command):
                code, out, err = run(*command, "--help")
                self.assertEqual((code, err), (0, ""))
                self.assertIn("usage: railgate", out)

    def test_wrong_usage_is_2_and_says_so_on_stderr(self):
        for command in ([], ["nonsense"], ["serv"], ["serve", "--nonsense"], ["check", "--config"], ["keys"], ["keys", "nonsense"],
                        ["keys", "revoke"], ["payments", "show"], ["payments", "list", "--limit", "0"], ["adapter", "nonsense"],
                        ["keys", "create", "--scopes", "everything"], ["payments", "list", "--config", "--json"],
                        ["payments", "list", "--status", "paid"], ["backtest", "x.yaml", "--since", "30"],
                        ["attempts", "--older-than", "soon"], ["reconcile"], ["trigger", "payment.failed"]):  # fmt: skip
            with self.subTest(command=command):
                code, out, err = run(*command)
                self.assertEqual((code, out), (2, ""), err)
                self.assertTrue(err)
        self.assertIn("serve", run("serv")[2], "did you mean")
        self.assertIn("a value is missing after `--config`", run("payments", "list", "--config", "--json")[2])

    def test_durations_are_the_same_everywhere(self):
        for command in (["attempts", "--older-than"], ["backtest", "none.yaml", "--since"],
                        ["reconcile", "--channel", "x", "--file", "y", "--tolerance"]):  # fmt: skip
            with self.subTest(command=command):
                self.assertIn("DURATION", run(command[0], "--help")[1])
                self.assertIn("a duration such as", run(*command, "90")[2])
                for text in ("90s", "90m", "12h", "3d"):
                    self.assertNotIn("a duration", run(*command, text, "--config", "/nowhere")[2])

    def test_version(self):
        code, out, _ = run("version")
        self.assertEqual(code, 0)
        self.assertRegex(out, r"railgate \d+\.\d+\.\d+")


class Output(Story):
    def record(self, lines):
        """A card host's record of messages that nobody here sent; its path."""
        text = "record,direction,stan,transmitted,terminal,booked_at,amount_minor,currency,"
        text += "original_stan,original_transmitted\n"
        for number in range(1, lines + 1):
            text += f"SALE,C,{number:06},1122120000,TERM1,2026-11-22T12:00:00.500Z,1000,EUR,,\n"
        digest = hashlib.sha256(text.encode()).hexdigest()
        path = os.path.join(self.stage.folder, "day.csv")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"{text}TRAILER,{lines},{lines * 1000},0,{digest}\n")
        return path

    def test_what_is_not_written_to_its_end_is_2(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([gateway_program(), "version"], stdout=full, stderr=subprocess.PIPE,
                                  timeout=60, check=False)  # fmt: skip
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"standard output could not be written", done.stderr)

    def test_a_period_from_the_beginning_of_time(self):
        gateway = Gateway(self.stage, "gateway", [self.stage.simulator()])
        gateway.create_key()
        command = ["reconcile", "--channel", "card_demo", "--file", self.record(2), "--force", "--dry-run", "--json"]
        for text, begins in ((None, "2026-11-22T"), ("1970-01-01", "1970-01-01T")):
            period = ["--to", "2026-11-23"] + (["--from", text] if text is not None else [])
            found = json.loads(gateway.cli(*command, *period, code=1)[1])
            self.assertEqual(found["from"][:11], begins)

    def test_who_reads_a_page_and_goes_does_not_end_a_reconciliation(self):
        """As with `railgate reconcile ... | head`: what differs is printed while it is recorded."""
        gateway = Gateway(self.stage, "gateway", [self.stage.simulator()])
        gateway.create_key()
        reader, writer = os.pipe()
        os.close(reader)
        command = ["reconcile", "--channel", "card_demo", "--file", self.record(300), "--force"]
        done = subprocess.run([gateway_program(), *command, "--config", gateway.config], stdout=writer,
                              stderr=subprocess.PIPE, timeout=60, check=False)  # fmt: skip
        os.close(writer)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn(b"what was asked for is done", done.stderr)
        rows = json.loads(gateway.cli("reconcile", "list", "--json")[1])
        self.assertEqual([(row["state"], row["differences"]) for row in rows], [("finished", 300)])


class Check(Story):
    def setUp(self):
        super().setUp()
        self.sim = self.stage.simulator()
        self.gateway = Gateway(self.stage, "gateway", [self.sim])

    def path(self, name):
        return os.path.join(self.gateway.config, name)

    def test_a_good_configuration(self):
        code, out, err = self.gateway.cli("check")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("1 channel", out)
        code, out, _ = self.gateway.cli("check", "--show")
        self.assertIn("api.listen", out)
        for secret in self.gateway.settings["keys"]:
            self.assertNotIn(secret["test_value"], out)
        self.assertEqual(run("check", self.gateway.config)[0], 0)
        self.assertEqual(run("check", "--config=" + self.path("gateway.yaml"))[0], 0)
        self.assertFalse(os.path.exists(self.gateway.database), "check makes no database")

    def test_all_errors_at_once_with_file_and_line(self):
        self.gateway.write("gateway.yaml", {k: v for k, v in self.gateway.settings.items() if k != "limits"})
        with open(self.path("gateway.yaml"), "a", encoding="utf-8") as file:
            file.write("limits:\n  body_bytes: 1MB\n  dept: 3\nshutdown:\n  drain_time: soon\n")
        with open(self.path("regions/default.yaml"), "a", encoding="utf-8") as file:
            file.write("currencies: [EUR, EURO]\nkycc: {}\n")
        with open(self.path("channels/second.yaml"), "w", encoding="utf-8") as file:
            file.write(f"name: second\nadapter: {card_adapter()}\nrail: card\nendpoints: [127.0.0.1:99999]\nsettings:\n"
                       "  terminal_id: TOO LONG FOR A TERMINAL\n")  # fmt: skip
        code, out, _ = self.gateway.cli("check", code=1)
        self.assertEqual(code, 1)
        found = re.findall(r"(?m)^.*?([a-z_]+/?[a-z_]*\.yaml):(\d+):(\d+): error: (.*)$", out)
        told = {(name.split("/")[-1], int(line)) for name, line, _, _ in found}
        lines = open(self.path("gateway.yaml"), encoding="utf-8").read().splitlines()  # pylint: disable=consider-using-with
        for text in ("body_bytes: 1MB", "dept: 3", "drain_time: soon"):
            at = next(i for i, line in enumerate(lines, 1) if text in line)
            self.assertIn(("gateway.yaml", at), told, out)
        lines = open(self.path("regions/default.yaml"), encoding="utf-8").read().splitlines()  # pylint: disable=consider-using-with
        for text in ("EURO", "kyc"):
            at = next(i for i, line in enumerate(lines, 1) if text in line)
            self.assertIn(("default.yaml", at), told, out)
        self.assertIn(("second.yaml", 4), told, out)
        self.assertIn("depth", next(text for *_, text in found if "dept" in text), "did you mean")
        self.assertRegex(out, r"(?m)^\d+ errors, \d+ warnings?$")
        code, _, err = self.gateway.cli("serve", code=2)
        self.assertTrue(err, "serve says the same")

    def test_errors_of_the_adapters_settings(self):
        path = self.path("channels/card_demo.yaml")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for name, old, new, needle in (
            ("unknown", "  framing: len2", "  framming: len2", "framming"),
            ("not a choice", "packaging: iso87-ascii", "packaging: iso87", "packaging"),
            ("missing", "  terminal_id: TERM0001\n", "", "terminal_id"),
            ("a key that is not there", "mac_key: card_mac", "mac_key: no_such_key", "mac_key"),
            ("no such adapter", "card.so", "nothing.so", "nothing.so"),
            ("undone too late", "retry_every: 200ms\n", "retry_every: 200ms\n  max_age: 2s\n", "reversal.max_age"),
        ):
            with self.subTest(name=name):
                with open(path, "w", encoding="utf-8") as file:
                    self.assertIn(old, text)
                    file.write(text.replace(old, new, 1))
                _, out, _ = self.gateway.cli("check", code=1)
                self.assertIn(needle, out)
                self.assertIn("card_demo.yaml", out)

    def test_certificates_that_are_not_there(self):
        for name in ("api", "notify"):
            tls = {"tls": {"certificate": f"{name}.pem", "key": f"{name}.key"}, "listen": "127.0.0.1:0"}
            self.gateway.settings[name] = tls
        self.gateway.settings["webhooks"] = {"ca": "webhooks.pem"}
        self.gateway.write("gateway.yaml", self.gateway.settings)
        with open(self.path("channels/card_demo.yaml"), "a", encoding="utf-8") as file:
            file.write("tls: {use: yes, ca: bank.pem}\n")
        _, out, _ = self.gateway.cli("check", code=1)
        for where, what, name in (
            ("gateway.yaml: error: `api.tls`:", "certificate", "api.pem"),
            ("gateway.yaml: error: `notify.tls`:", "certificate", "notify.pem"),
            ("gateway.yaml: error: `webhooks.ca`:", "CA certificates", "webhooks.pem"),
            ("card_demo.yaml: error: channel `card_demo`:", "CA certificates", "bank.pem"),
        ):
            self.assertIn(f"{where} cannot load the {what} {self.path(name)}: No such file or directory\n", out)
        self.assertIn("4 errors", out)

    def test_what_cannot_be_read_is_2(self):
        self.assertEqual(run("check", "--config", "/nonexistent")[0], 2)
        self.assertEqual(run("serve", "--config", "/nonexistent")[0], 2)

    @unittest.skipIf(os.environ.get("RAILGATE_TEST_SANITIZED"), "a sanitizer needs terabytes of addresses")
    def test_what_was_not_read_for_want_of_memory_is_not_good(self):
        """With little memory, and a megabyte more each time until it is enough: exit code 0 means good, and nothing
        else does. (OpenSSL does not get over it everywhere: then a signal ends the process.)"""
        said = False
        for megabytes in range(40, 1000):
            limit = (megabytes << 20, megabytes << 20)
            done = subprocess.run([gateway_program(), "check", os.path.join(ROOT, "config")], capture_output=True, text=True,
                                  stdin=subprocess.DEVNULL, timeout=60, check=False,
                                  preexec_fn=lambda limit=limit: resource.setrlimit(resource.RLIMIT_AS, limit))  # fmt: skip
            good = " is good: " in done.stdout
            self.assertEqual(good, done.returncode == 0, (megabytes, done))
            said = said or "memory is out" in done.stdout
            if good:
                break
        self.assertTrue(said and good)

    def test_live_refuses_test_keys(self):
        self.gateway.write("gateway.yaml", {**self.gateway.settings, "mode": "live"})
        _, out, _ = self.gateway.cli("check", code=1)
        self.assertIn("test_value", out)

    def test_yaml_that_is_refused(self):
        for text in ("mode: [", "mode: sandbox\nmode: live\n", "a: &x 1\nb: *x\n", "%YAML 1.1\n---\nmode: sandbox\n", "- 1\n", "\xff"):
            with self.subTest(text=text):
                with open(self.path("gateway.yaml"), "w", encoding="latin-1") as file:
                    file.write(text)
                code, out, _ = self.gateway.cli("check", code=1)
                self.assertEqual(code, 1)
                self.assertIn("gateway.yaml", out)


class Keys(Story):
    def test_create_list_revoke(self):
        _, gateway, api = self.pair()
        made = gateway.create_key("--name", "till 7", "--scopes", "payments:read,refunds:write", "--rate", "9")
        self.assertRegex(made["key"], r"^rg_test_[0-9a-z]{32}$")
        self.assertRegex(made["id"], r"^key_")
        self.assertRegex(made["merchant"], r"^mer_")
        self.assertEqual(made["scopes"], "payments:read,refunds:write")
        live = gateway.create_key("--live", "--merchant", made["merchant"])
        self.assertTrue(live["key"].startswith("rg_live_"))
        self.assertEqual(live["merchant"], made["merchant"])
        rows = {row["id"]: row for row in json.loads(gateway.cli("keys", "list", "--json")[1])}
        row = rows[made["id"]]
        self.assertEqual((row["name"], row["rate_per_s"], row["live"]), ("till 7", 9, False))
        self.assertEqual(len(rows), 3)
        text = gateway.cli("keys", "list")[1]
        self.assertIn(made["id"], text)
        self.assertNotIn(made["key"][8:], text)
        gateway.cli("keys", "revoke", made["id"])
        self.assertIn("revoked", {row["id"]: row for row in json.loads(gateway.cli("keys", "list", "--json")[1])}[made["id"]])
        gateway.cli("keys", "revoke", made["id"])  # once more changes nothing
        gateway.cli("keys", "revoke", "key_0000000000001", code=1)
        self.assertEqual(api.get("/v1/payments").status, 200)

    def test_who_only_looks_makes_nothing(self):
        gateway = Gateway(self.stage, "gateway", [self.stage.simulator()])
        for command in (["payments", "list"], ["attempts"], ["keys", "list"], ["profile", "history", "default"],
                        ["restored"], ["keys", "revoke", "key_0000000000001"],
                        ["trigger", "payment.failed", "--merchant", "mer_0000000000001"],
                        ["reconcile", "--channel", "card_demo", "--file", "none"],
                        ["reconcile", "resolve", "dif_0000000000001", "--by", "a", "--why", "b"]):  # fmt: skip
            err = gateway.cli(*command, code=2)[2]
            self.assertEqual(err.count("there are no records yet"), 1, err)
        self.assertEqual(os.listdir(gateway.var), [])
        gateway.create_key()
        key = os.path.join(gateway.var, "host.key")
        os.rename(key, key + ".away")
        for command in (["payments", "list"], ["restored"], ["keys", "create"], ["serve"]):
            self.assertIn("host key", gateway.cli(*command, code=2)[2])
        self.assertFalse(os.path.exists(key), "another one would be in the way of the right one")

    def test_before_the_first_start(self):
        """The order in which an operator does things must not matter."""
        sim = self.stage.simulator()
        gateway = Gateway(self.stage, "gateway", [sim])
        made = gateway.create_key()
        gateway.start()
        from rgtest import Client  # pylint: disable=import-outside-toplevel

        self.assertEqual(Client(gateway, made).post("/v1/payments", sale()).status, 201)
        mode = os.stat(os.path.join(gateway.var, "host.key")).st_mode & 0o777
        self.assertEqual(mode, 0o600)


class Payments(Story):
    def test_list_and_show(self):
        _, gateway, api = self.pair()
        one = api.post("/v1/payments", sale(1250, reference="order-1")).json()
        two = api.post("/v1/payments", authorisation(99)).json()
        text = gateway.cli("payments", "list")[1]
        self.assertIn(one["id"], text)
        self.assertIn("order-1", text)
        rows = json.loads(gateway.cli("payments", "list", "--json", "--status", "authorized")[1])
        self.assertEqual([row["id"] for row in rows], [two["id"]])
        self.assertEqual(len(json.loads(gateway.cli("payments", "list", "--json", "--limit", "1")[1])), 1)
        text = gateway.cli("payments", "show", one["id"])[1]
        for word in (one["id"], "succeeded", "attempt.approved", "timeline"):
            self.assertIn(word, text)
        shown = json.loads(gateway.cli("payments", "show", one["id"], "--json")[1])
        self.assertIn("events", shown)
        self.assertIn("operations", shown)
        gateway.cli("payments", "show", "pay_0000000000001", code=1)
        gateway.cli("payments", "show", "nonsense", code=2)
        gateway.stop()
        self.assertIn(one["id"], gateway.cli("payments", "list")[1], "also while the gateway does not run")


    def test_a_long_one_is_shown_whole(self):
        _, gateway, api = self.pair()
        one = api.post("/v1/payments", sale(1250)).json()
        for _ in range(30):
            self.assertEqual(refund(api, one, 1).status, 201)
        events = [event["id"] for event in api.events(one["id"])]
        self.assertGreater(len(events), 100, "more than a page of the records")
        shown = json.loads(gateway.cli("payments", "show", one["id"], "--json")[1])
        self.assertEqual([event["id"] for event in shown["events"]], events)
        self.assertEqual(len(shown["operations"]), 31)
        text = gateway.cli("payments", "show", one["id"])[1]
        self.assertEqual(text.partition("timeline\n")[2].count("\n"), len(events))


    def test_an_attempt_of_a_payment_with_very_many_events(self):
        _, gateway, api = self.pair()
        api.post("/v1/payments", sale(1250))
        gateway.stop()
        with contextlib.closing(sqlite3.connect(gateway.database)) as database:
            parked = 12
            database.execute("UPDATE attempts SET state = ?", (parked,))
            event = list(database.execute("SELECT * FROM journal WHERE kind = 'attempt.approved'").fetchone())
            event[-1] = json.dumps({**json.loads(event[-1]), "reason": "said long ago"})
            end = database.execute("SELECT max(seq) FROM journal").fetchone()[0]
            rows = ((seq, *event[1:]) for seq in range(end + 1, end + 15001))
            database.executemany("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)", rows)
            database.commit()
        found = json.loads(gateway.cli("attempts", "--json")[1])["data"]
        self.assertEqual([(row["state"], row["reason"]) for row in found], [("parked", "said long ago")])
        self.assertEqual(gateway.cli("attempts", "show", found[0]["id"])[1].count("said long ago"), 15001)


class Adapters(Story):
    def test_list(self):
        sim = self.stage.simulator()
        gateway = Gateway(self.stage, "gateway", [sim])
        for arguments, config in ((["adapter", "list"], True), (["adapter", "list", card_adapter()], False)):
            _, out, _ = gateway.cli(*arguments, config=config)
            for word in ("card", "terminal_id", "packaging", "authorise", "capture", "reverse", "999999999999"):
                self.assertIn(word, out)
        broken = os.path.join(self.stage.folder, "broken.so")
        with open(broken, "wb") as file:
            file.write(b"\x7fELF nothing")
        code, _, err = run("adapter", "list", broken)
        self.assertNotEqual(code, 0)
        self.assertIn("broken.so", err)
        self.assertNotEqual(run("adapter", "list", "/nonexistent.so")[0], 0)


class Signals(Story):
    def test_term_and_int_end_with_0_and_hup_is_survived(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            _, gateway, api = self.pair()
            os.kill(gateway.pid, signal.SIGHUP)
            self.assertEqual(api.post("/v1/payments", sale()).status, 201)
            self.assertEqual(gateway.stop(number), 0)
            for line in gateway.log_text().splitlines():
                json.loads(line)  # every line of the log is JSON

    def test_the_second_one_does_not_wait(self):
        sim, gateway, api = self.pair(channel={"deadline": "30s"})
        sim.fault("delay", mti="0200", ms=25000, next=1)
        asking = threading.Thread(target=lambda: self.assertRaises(LOST, api.post, "/v1/payments", sale()))
        asking.start()
        until("the sale is at the card host", lambda: sim.entries("sale"))
        os.kill(gateway.pid, signal.SIGTERM)
        until("it drains", lambda: "gateway.stopping" in gateway.log_text())
        os.kill(gateway.pid, signal.SIGHUP)  # nothing is loaded any more, and nothing breaks
        self.assertTrue(gateway.alive())
        os.kill(gateway.pid, signal.SIGINT)
        self.assertEqual(gateway.wait_end(), 130)
        asking.join()

    def test_a_port_that_is_taken(self):
        _, gateway, _ = self.pair()
        host, port = gateway.address
        second = Gateway(self.stage, "second", [], settings={"api": {"listen": f"{host}:{port}"}},
                         region={"authentication": {"required": True}})  # fmt: skip
        self.assertEqual(second.start(wait=False).wait_end(), 2)
        lines = [json.loads(line) for line in second.log_text().splitlines() if "gateway.configuration" in line]
        errors = [line["text"] for line in lines if line["level"] == "error"]
        self.assertEqual(errors, [f"api.listen: error: cannot listen on {host}:{port}: another program listens there"])
        self.assertIn("want payers authenticated", "".join(line["text"] for line in lines if line["level"] == "warn"))

    def test_a_database_that_is_in_use(self):
        _, gateway, api = self.pair()
        second = Gateway(self.stage, "second", [], settings={"store": {"path": gateway.database}})
        self.assertEqual(second.start(wait=False).wait_end(), 2, "two gateways on one database")
        self.assertEqual(api.post("/v1/payments", sale()).status, 201)

    def test_another_host_key(self):
        """With another host key nothing that was sealed can be opened: it must not start as if nothing were."""
        _, gateway, api = self.pair()
        api.post("/v1/payments", sale())
        gateway.stop()
        key = os.path.join(gateway.var, "host.key")
        with open(key, "r+b") as file:
            data = bytearray(file.read())
            data[0] = data[0] ^ 1 if chr(data[0] ^ 1) in "0123456789abcdef" else ord("0")
            file.seek(0)
            file.write(data)
        gateway.start(ready=False, wait=False)
        code = None
        try:
            code = gateway.wait_end(3)
        except AssertionError:
            pass
        self.assertEqual(code, 2, gateway.log_text()[-500:])
        self.assertIn('"payment.wrong_host_key"', gateway.log_text())


if __name__ == "__main__":
    main()
