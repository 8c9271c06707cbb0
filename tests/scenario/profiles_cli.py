"""Region profiles from the command line: check, explain, diff, backtest, region new, schema, reload (command and
SIGHUP), history and rollback, review, payments with masks. Exit codes: 0 good, 1 findings, 2 could not run."""

import contextlib
import glob
import json
import os
import re
import signal
import sqlite3
import stat
import subprocess

from rgprofile import noon_zone
from rgtest import ROOT, Gateway, Story, Failure, gateway_program, main, ops, sale, until

try:
    import jsonschema
    import yaml as pyyaml
except ImportError:
    jsonschema = pyyaml = None

PROFILE = """\
region: {region}
version: "{version}"
effective_from: 2026-01-01
owner: tests
time_zone: Europe/Berlin
countries: [DE]
currencies: [EUR]
limits:
  - id: single
    max: {single} EUR
    then: deny
    source: own policy
  - id: look
    max: {look} EUR
    then: review
    source: own policy
  - id: night
    hours: 22:00-06:00
    max: 50.00 EUR
    then: challenge
    source: own policy
"""


def profile(region="default", version="1", single="500.00", look="400.00", more=""):
    return PROFILE.format(region=region, version=version, single=single, look=look) + more


def at_noon(text):
    return text.replace("time_zone: Europe/Berlin", f"time_zone: {noon_zone()}")


def run(*arguments, text=None, env=None):
    done = subprocess.run([gateway_program(), *arguments], capture_output=True, text=True, input=text,
                          stdin=None if text is not None else subprocess.DEVNULL, timeout=60, check=False,
                          env={**os.environ, **(env or {})})  # fmt: skip
    return done.returncode, done.stdout, done.stderr


class Folder(Story):
    """A configuration in a folder; no gateway runs."""

    def setUp(self):
        super().setUp()
        self.sim = self.stage.simulator()
        self.gateway = Gateway(self.stage, "gateway", [self.sim])

    def put(self, name, text):
        path = os.path.join(self.gateway.config, "regions", name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def request(self, value, **more):
        path = os.path.join(self.stage.folder, "request.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(sale(value, payer={"id": "p1", "name": "Ann Ames", "country": "DE"}, **more), file)
        return path

    def explain(self, value, at="2026-03-02T11:00:00Z", **more):
        _, out, err = self.gateway.cli("explain", "--json", "--at", at, self.request(value, **more))
        self.assertEqual(err, "")
        return json.loads(out)


class Check(Folder):
    def test_all_errors_at_once(self):
        self.put("default.yaml", profile(more="rules:\n  - id: odd\n    when: [payer.contry=DE]\n    then: deny\n"))
        self.put("bad.yaml", profile("bad").replace("Europe/Berlin", "Europe/Berlinn"))
        self.put("bad.tests.yaml", "region: bad\ncases:\n  - name: one\n    facts: { rail: card, amount: 1.00 EUR }\n"
                                   "    expect: allow\n")  # fmt: skip
        _, out, err = self.gateway.cli("check", code=1)
        self.assertEqual(err, "")
        self.assertRegex(out, r"default\.yaml:\d+:\d+: error: .*payer\.contry")
        self.assertIn("payer.country", out, "a near name")
        self.assertRegex(out, r"bad\.yaml:\d+:\d+: error: .*Berlinn")
        self.assertRegex(out, r"(?m)^\d+ errors?, \d+ warnings?$")
        self.assertNotIn("\033", out, "no colour where nobody looks")

    def test_cases_are_run(self):
        self.put("default.yaml", profile())
        case = "  - name: {name}\n    at: 2026-03-02T11:00:00Z\n    facts: {{ rail: card, kind: purchase, amount: {amount} EUR }}\n    expect: {expect}\n"
        cases = case.format(name="at the limit", amount="400.00", expect="allow")
        cases += case.format(name="over it", amount="400.01", expect="review")
        self.put("default.tests.yaml", "region: default\ncases:\n" + cases)
        _, out, _ = self.gateway.cli("check")
        self.assertRegex(out, r"(?m)^default +1 +- +\d+ +3 +0 +2/2 +0$")
        cases += case.format(name="wrong", amount="500.01", expect="allow")
        self.put("default.tests.yaml", "region: default\ncases:\n" + cases)
        _, out, _ = self.gateway.cli("check", code=1)
        self.assertIn("profile.test", out)
        self.assertIn("2/3", out)

    def test_json(self):
        self.put("default.yaml", profile())
        _, out, err = self.gateway.cli("check", "--json")
        told = json.loads(out)
        self.assertEqual((told["result"], told["errors"], err), ("good", 0, ""))
        (region,) = told["regions"]
        self.assertEqual((region["region"], region["limits"], region["to_verify"]), ("default", 3, 0))
        self.put("default.yaml", profile().replace("EUR]", "EURO]"))
        _, out, _ = self.gateway.cli("check", "--json", code=1)
        told = json.loads(out)
        self.assertEqual(told["result"], "findings")
        row = told["findings"][0]
        self.assertTrue(row["file"].endswith("default.yaml"))
        self.assertEqual((row["line"], row["severity"]), (7, "error"))

    def test_figures_to_verify_are_warnings(self):
        self.put("default.yaml", profile().replace("    then: deny\n", "    then: deny\n    verify: yes\n"))
        _, out, _ = self.gateway.cli("check")
        self.assertIn("1 figure still to be verified", out)
        self.assertNotIn("[profile.verify]", out)
        _, out, _ = self.gateway.cli("check", "--verify")
        self.assertIn("[profile.verify]", out)

    def test_a_list_that_is_needed_and_not_there(self):
        settings = {**self.gateway.settings, "lists": [{"name": "own", "format": "csv", "path": "own.csv"}]}
        self.gateway.write("gateway.yaml", settings)
        self.put("default.yaml", profile(more="screening:\n  lists: [own]\n"))
        _, out, _ = self.gateway.cli("check", code=1)
        self.assertIn("lists.not_loaded", out)
        self.assertRegex(out, r"gateway\.yaml:\d+:1: error: list `own`.*; needed by default \[")
        for number in range(9):
            self.put(f"r{number}.yaml", profile(region=f"r{number}", more="screening:\n  lists: [own]\n"))
        _, out, _ = self.gateway.cli("check", code=1)
        self.assertIn("; needed by default, r0, r1, r2, r3, r4, r5, r6 and 2 more [", out)

    def test_shipped_profiles_fit_the_schema(self):
        code, out, _ = run("schema", "region")
        self.assertEqual(code, 0)
        schema = json.loads(out)
        if jsonschema is None:
            self.skipTest("skipped: python3 has no jsonschema or no yaml module")
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        files = [f for f in glob.glob(os.path.join(ROOT, "config/regions/*.yaml")) if not f.endswith(".tests.yaml")]
        self.assertGreater(len(files), 0)
        for path in files:
            with self.subTest(path=path), open(path, encoding="utf-8") as file:
                errors = [f"{list(e.path)}: {e.message}" for e in validator.iter_errors(plain(pyyaml.compose(file)))]
                self.assertEqual(errors, [])
        self.assertTrue(list(validator.iter_errors({"region": "x", "version": "1", "effective_from": "2026-01-01", "limit": []})))


def plain(node):
    """YAML as our reader takes it: texts and integers, nothing else by itself."""
    if isinstance(node, pyyaml.MappingNode):
        return {key.value: plain(value) for key, value in node.value}
    if isinstance(node, pyyaml.SequenceNode):
        return [plain(item) for item in node.value]
    return int(node.value) if node.style is None and re.fullmatch(r"-?\d+", node.value) else node.value


class Explain(Folder):
    def setUp(self):
        super().setUp()
        self.put("default.yaml", profile())

    def test_the_four_decisions(self):
        for value, result, rule in ((40000, "allow", None), (40001, "review", "limit.look"), (50001, "deny", "limit.single")):
            with self.subTest(value=value):
                told = self.explain(value)
                self.assertEqual(told["result"], result, told)
                if rule:
                    self.assertIn(rule, [r["rule"] for r in told["reasons"]])
        told = self.explain(5001, at="2026-03-02T22:30:00Z")  # 23:30 in Berlin
        self.assertEqual(told["result"], "challenge", told)
        self.assertEqual(self.explain(5001, at="2026-03-02T20:59:59Z")["result"], "allow", "21:59:59 in Berlin")
        self.assertEqual(self.explain(5001, at="2026-03-02T21:00:00Z")["result"], "challenge", "22:00:00")

    def test_the_tree(self):
        told = self.explain(50001)
        states = {row["rule"]: row["state"] for row in told["rules"]}
        self.assertEqual(states["limit.single"], "fired")
        self.assertEqual(states["limit.night"], "not about it")
        source = {row["rule"]: row.get("source") for row in told["rules"]}
        self.assertEqual(source["limit.single"], "own policy")
        self.assertEqual(told["channel"]["name"], "card_demo")
        _, out, _ = self.gateway.cli("explain", "--at", "2026-03-02T11:00:00Z", self.request(50001))
        for text in ("limits", "limit.single", "fired", "max 500.00 EUR", "own policy", "decision", "deny", "card_demo"):
            self.assertIn(text, out)
        self.assertNotIn("\033", out)
        self.assertNotIn("4111111111111111", out)

    def test_counted(self):
        self.put("default.yaml", profile(more="  - id: day\n    per: payer\n    window: day\n    max: 600.00 EUR\n"))
        told = self.explain(100)
        self.assertEqual([row["rule"] for row in told["counted_when_recorded"]], ["limit.day"])
        self.assertEqual({r["rule"]: r["state"] for r in told["rules"]}["limit.day"], "counted")

    def test_names_on_lists(self):
        with open(os.path.join(self.gateway.config, "own.csv"), "w", encoding="utf-8") as file:
            file.write("# published: 2026-11-22\nid,name\n1,Ann Ames\n")  # a file's own date is that of today
        settings = {**self.gateway.settings, "lists": [{"name": "own", "format": "csv", "path": "own.csv"}]}
        self.gateway.write("gateway.yaml", settings)
        self.put("default.yaml", profile(more="screening:\n  lists: [own]\n  hit: review\n"))
        told = self.explain(100, at="2026-11-22T12:00:00Z")
        self.assertEqual(told["result"], "review", told["reasons"])
        self.assertEqual([(h["party"], h["list"], h["score"]) for h in told["screening_hits"]], [("payer", "own", 100)])

    def test_standard_input_and_what_cannot_run(self):
        config = self.gateway.config
        with open(self.request(100), encoding="utf-8") as file:
            text = file.read()
        code, out, _ = run("explain", "--json", "--config", config, "-", text=text)
        self.assertEqual((code, json.loads(out)["profile"]), (0, "default"))
        for arguments, text in ((["-"], "{"), (["-"], '{"amount":1}'), (["/nonexistent"], ""), (["--at", "soon", "-"], "{}"), ([], "")):
            code, out, err = run("explain", "--config", config, *arguments, text=text)
            self.assertEqual((code, out), (2, ""), arguments)
            self.assertTrue(err)
        code, out, _ = run("explain", "--json", "--region", "nowhere", "--config", config, self.request(100))
        self.assertEqual((code, json.loads(out)["result"]), (0, "deny"), "no profile: fail closed")


class Files(Folder):
    def test_diff(self):
        self.put("default.yaml", profile())
        new = os.path.join(self.stage.folder, "new.yaml")
        with open(new, "w", encoding="utf-8") as file:
            file.write(profile(version="2", single="600.00", more="rules:\n  - id: games\n    when: [payee.mcc=7995]\n    then: deny\n"))
        _, out, _ = self.gateway.cli("diff", "default", new, code=1)
        self.assertIn("version: 1 -> 2", out)
        self.assertIn("limit single: max 500.00 EUR -> 600.00 EUR", out)
        self.assertIn("rule games: added", out)
        _, out, _ = self.gateway.cli("diff", "--json", new, "default", code=1)
        self.assertTrue(any(line.startswith("rule games: removed") for line in json.loads(out)["changes"]), out)
        self.gateway.cli("diff", "default", "default", code=0)
        self.gateway.cli("diff", "default", "/nonexistent.yaml", code=2)
        self.gateway.cli("diff", "default", "nowhere", code=2)
        self.gateway.cli("diff", "default", code=2)

    def test_region_new_passes_check(self):
        _, out, _ = self.gateway.cli("region", "new", "XX")
        self.assertIn("xx.yaml", out)
        _, out, _ = self.gateway.cli("check")
        self.assertRegex(out, r"(?m)^xx +1 .* 2/2 +0$")
        _, _, err = self.gateway.cli("region", "new", "xx", code=2)
        self.assertIn("already", err)
        self.gateway.cli("region", "new", "../x", code=2)
        self.gateway.cli("region", "new", "yy", "--extends", "nowhere", code=2)
        self.put("base.yaml", profile("base"))
        self.gateway.cli("region", "new", "yy", "--extends", "base")
        _, out, _ = self.gateway.cli("check", code=None)
        self.assertRegex(out, r"(?m)^yy +1 +base ")

    def test_without_a_gateway(self):
        for command in (["reload"], ["profile", "rollback", "default", "--by", "test"], ["review", "list"],
                        ["review", "approve", "pay_0000000000001", "--by", "a", "--why", "b"]):  # fmt: skip
            code, _, err = self.gateway.cli(*command, code=2)
            self.assertEqual(code, 2)
            self.assertIn("no gateway runs here", err)
            self.assertIn("railgate serve", err)

    def test_help_and_wrong_usage(self):
        commands = (["explain"], ["diff"], ["backtest"], ["reload"], ["profile"], ["profile", "history"], ["profile", "rollback"],
                    ["region"], ["region", "new"], ["schema"], ["review"], ["review", "list"], ["review", "approve"],
                    ["review", "reject"], ["authenticator"])  # fmt: skip
        for command in commands:
            with self.subTest(command=command):
                code, out, err = run(*command, "--help")
                self.assertEqual((code, err), (0, ""))
                self.assertIn("usage: railgate", out)
                code, out, err = run(*command, "--nonsense")
                self.assertEqual((code, out), (2, ""))
                self.assertTrue(err)


class Running(Story):
    """A gateway with a profile of its own."""

    def setUp(self):
        super().setUp()
        self.sim = self.stage.simulator()
        self.gateway = Gateway(self.stage, "gateway", [self.sim])
        self.put(profile())
        self.gateway.start()
        self.api = self.gateway.client()

    def put(self, text, name="default.yaml"):
        """Where it is about noon, so that `night` says nothing whenever this runs. Whole: a reload may be under way."""
        path = os.path.join(self.gateway.config, "regions", name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(at_noon(text))
        os.replace(path + ".new", path)

    def path(self):
        return os.path.join(self.gateway.config, "regions", "default.yaml")

    def text(self):
        with open(self.path(), encoding="utf-8") as file:
            return file.read()

    def kept(self):
        """What a rollback left beside the file: {path: text}."""
        found = {}
        for path in glob.glob(glob.escape(self.path()) + ".*"):
            with open(path, encoding="utf-8") as file:
                found[path] = file.read()
        return found

    def metric(self, name):
        for line in ops(self.gateway, "/metrics").body.decode().splitlines():
            if line.startswith(name + " ") or (line.startswith(name) and "{" not in line and line.split(" ")[0] == name):
                return float(line.rsplit(" ", 1)[1])
        raise Failure(f"no metric {name}")

    def version(self):
        (found,) = re.findall(r'railgate_profile_info\{region="default",version="([^"]*)"', ops(self.gateway, "/metrics").body.decode())
        return found

    def logged(self, event):
        return [row for row in map(json.loads, self.gateway.log_text().splitlines()) if row.get("event", row.get("id")) == event]

    def history(self):
        return json.loads(self.gateway.cli("profile", "history", "default", "--json")[1])

    def pay(self, value):
        return self.api.post("/v1/payments", sale(value, payer={"id": "p1", "name": "Ann Ames", "country": "DE"}))


class Reload(Running):
    def test_the_socket_is_ours_alone(self):
        path = os.path.join(self.gateway.var, "admin.sock")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertTrue(stat.S_ISSOCK(os.stat(path).st_mode))
        self.gateway.stop()
        self.assertFalse(os.path.exists(path))
        self.gateway.start()
        self.gateway.kill()  # it leaves the file behind
        self.assertTrue(os.path.exists(path))
        self.gateway.start()
        self.gateway.cli("reload")

    def test_good(self):
        self.assertEqual(self.pay(45000).json()["decision"]["result"], "review")
        self.put(profile(version="2", look="460.00"))
        _, out, _ = self.gateway.cli("reload")
        self.assertIn("default  1 -> 2", out)
        self.assertEqual(self.version(), "2")
        self.assertEqual(self.metric("railgate_profile_reloads_total"), 1)
        self.assertEqual(self.metric("railgate_profile_reload_failures_total"), 0)
        paid = self.pay(45000).json()
        self.assertEqual((paid["decision"]["result"], paid["decision"]["version"]), ("allow", "2"))
        self.assertEqual([(row["version"], row["by"]) for row in self.history()], [("2", "reload"), ("1", "start")])
        self.assertIn("profile.reloaded", self.gateway.log_text())
        told = json.loads(self.gateway.cli("reload", "--json")[1])
        self.assertEqual((told["result"], told["regions"], told["needs_restart"]), ("reloaded", [], []))
        self.assertEqual(len(self.history()), 2, "the same version is recorded once")

    def test_broken_changes_nothing(self):
        self.put(profile(version="2", single="many"))
        _, out, err = self.gateway.cli("reload", code=1)
        self.assertEqual(out, "")
        self.assertRegex(err, r"default\.yaml:\d+:\d+: error: ")
        self.assertEqual(self.version(), "1")
        self.assertEqual(self.metric("railgate_profile_reload_failures_total"), 1)
        self.assertIn("profile.reload_failed", self.gateway.log_text())
        self.assertEqual(self.pay(100).json()["decision"]["version"], "1")
        self.assertEqual(len(self.history()), 1, "history can be read while a file is broken")
        _, out, err = self.gateway.cli("attempts", "--json")
        self.assertEqual(json.loads(out)["data"], [])
        self.assertIn("the profiles cannot be read", err)

    def test_rollback_mends_a_broken_file(self):
        self.put(profile(version="2"))
        self.gateway.cli("reload")
        second = self.text()
        self.put("nonsense")
        self.gateway.cli("reload", code=1)
        newest = self.history()[0]
        back = ("profile", "rollback", "default", str(newest["seq"]), "--by", "Ann")
        _, out, _ = self.gateway.cli(*back)
        self.assertEqual((self.version(), self.text()), ("2", second))
        # Whoever wrote it may want it back: it was never in force, so it is in no history.
        kept = self.kept()
        self.assertEqual(list(kept.values()), ["nonsense"])
        self.assertIn(f"what the file held before: {next(iter(kept))}", out)
        self.assertEqual(self.gateway.cli("check", "--quiet")[2], "")
        self.put(profile(version="3"))
        os.chmod(self.path(), 0o600)
        third = self.text()
        self.assertIn(json.loads(self.gateway.cli(*back, "--json")[1])["kept"], self.kept())
        self.assertEqual(sorted(self.kept().values()), sorted([third, "nonsense"]))
        self.assertEqual(sorted(os.stat(path).st_mode & 0o777 for path in self.kept())[0], 0o600)
        self.assertNotIn("kept", json.loads(self.gateway.cli(*back, "--json")[1]), "it was in force")

    def test_rollback_over_a_file_that_cannot_be_read(self):
        self.put(profile(version="2"))
        self.gateway.cli("reload")
        large = at_noon(profile(version="3")) + "#" * 300000
        self.put(large)
        _, _, err = self.gateway.cli("profile", "rollback", "default", "--by", "Ann", code=1)
        self.assertIn("not written over; move it away", err)
        self.assertEqual((self.version(), self.text(), self.kept()), ("2", large, {}))
        os.rename(self.path(), os.path.join(self.stage.folder, "mine"))
        self.gateway.cli("profile", "rollback", "default", "--by", "Ann")
        self.assertEqual((self.version(), self.kept()), ("1", {}))

    def test_rollback_that_does_not_load_leaves_the_file(self):
        self.put(profile(version="2"))
        self.gateway.cli("reload")
        second = self.text()
        with open(os.path.join(self.gateway.config, "regions", "other.yaml"), "w", encoding="utf-8") as file:
            file.write("nonsense")
        for text in (second, second + "# and more\n"):
            self.put(text)
            self.gateway.cli("profile", "rollback", "default", "--by", "Ann", code=1)
            self.assertEqual((self.version(), self.text(), self.kept()), ("2", text, {}))

    def test_rollback_of_a_region_that_is_gone_leaves_no_file(self):
        """When it cannot be loaded: the next start would stumble over it."""
        north = os.path.join(self.gateway.config, "regions", "north.yaml")
        with open(north, "w", encoding="utf-8") as file:
            file.write(self.text().replace("region: default", "region: north"))
        self.gateway.cli("reload")
        newest = json.loads(self.gateway.cli("profile", "history", "north", "--json")[1])[0]
        os.unlink(north)
        self.gateway.cli("reload")
        other = os.path.join(self.gateway.config, "regions", "other.yaml")
        with open(other, "w", encoding="utf-8") as file:
            file.write("nonsense")
        back = ("profile", "rollback", "north", str(newest["seq"]), "--by", "Ann")
        _, out, err = self.gateway.cli(*back, code=1)
        self.assertNotIn("put back", out + err)
        self.assertFalse(os.path.exists(north))
        os.unlink(other)
        self.gateway.cli(*back)
        self.assertTrue(os.path.exists(north))

    def test_sighup(self):
        self.put(profile(version="2"))
        os.kill(self.gateway.pid, signal.SIGHUP)
        until("version 2 is in force", lambda: self.version() == "2")
        self.put("nonsense")
        os.kill(self.gateway.pid, signal.SIGHUP)
        until("the failure is counted", lambda: self.metric("railgate_profile_reload_failures_total") == 1)
        self.assertEqual(self.version(), "2")

    def test_what_needs_a_restart_is_said(self):
        settings = {**self.gateway.settings, "limits": {**self.gateway.settings["limits"], "wait_max": "30s"}}
        self.gateway.write("gateway.yaml", settings)
        told = json.loads(self.gateway.cli("reload", "--json")[1])
        self.assertEqual(told["needs_restart"], ["limits.wait_max"])

    def test_rollback(self):
        first = self.text()
        self.put(profile(version="2", look="460.00"))
        self.gateway.cli("reload")
        _, out, _ = self.gateway.cli("profile", "rollback", "default", "--by", "Ann")
        self.assertIn("2 -> 1", out)
        self.assertEqual((self.version(), self.text()), ("1", first))
        rows = self.history()
        self.assertEqual([(row["version"], row["by"]) for row in rows], [("1", "rollback by Ann"), ("2", "reload"), ("1", "start")])
        self.gateway.cli("profile", "rollback", "default", str(rows[1]["seq"]), "--by", "Ann")
        self.assertEqual(self.version(), "2")
        _, _, err = self.gateway.cli("profile", "rollback", "default", "999", "--by", "Ann", code=1)
        self.assertIn("profile history", err)
        self.gateway.cli("profile", "rollback", "default", code=2)
        _, _, err = self.gateway.cli("profile", "rollback", "default", "--by", "x" * 2000, code=2)
        self.assertIn("too long", err)
        for name in ("nowhere", "NO WHERE"):
            self.gateway.cli("profile", "rollback", name, "--by", "Ann", code=1)
        self.assertEqual(self.version(), "2")
        _, out, _ = self.gateway.cli("diff", "default@1", "default@2", code=1)
        self.assertIn("limit look: max 400.00 EUR -> 460.00 EUR", out)
        self.gateway.cli("profile", "history", "nowhere", code=1)

    def test_a_long_history(self):
        self.gateway.stop()
        with contextlib.closing(sqlite3.connect(self.gateway.database)) as database:
            rest = "at_us, region, version, content_hash, text, who FROM profiles WHERE seq = 1"
            for seq in range(2, 252):
                database.execute(f"INSERT INTO profiles SELECT {seq}, {rest}")
            database.commit()
        self.assertEqual([row["seq"] for row in self.history()], list(range(251, 0, -1)))
        lines = self.gateway.cli("profile", "history", "default")[1].splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["SEQ", *map(str, range(251, 0, -1))])
        self.assertEqual([line for line in lines if "(in force)" in line], lines[1:2])

    def test_many_reloads_and_payments(self):
        """Each payment finishes under a version that was in force, and none is lost."""
        seen = set()
        for number in range(2, 12):
            self.put(profile(version=str(number)))
            os.kill(self.gateway.pid, signal.SIGHUP)
            paid = self.pay(100)
            self.assertEqual(paid.status, 201, paid)
            seen.add(int(paid.json()["decision"]["version"]))
        self.assertTrue(seen <= set(range(1, 12)))
        until("the last version is in force", lambda: self.version() == "11")
        self.assertEqual(self.metric("railgate_profile_reload_failures_total"), 0)


class Payments(Running):
    def test_review(self):
        held = self.pay(45000).json()
        self.assertEqual(held["status"], "processing", held)
        self.assertEqual(self.sim.entries(), [], "nothing was sent")
        rows = json.loads(self.gateway.cli("review", "list", "--json")[1])["data"]
        self.assertEqual([row["payment"]["id"] for row in rows], [held["id"]])
        self.assertIn(held["id"], self.gateway.cli("review", "list")[1])
        self.gateway.cli("review", "approve", held["id"], "--by", "Ann", code=2)
        self.gateway.cli("review", "approve", held["id"], "--by", "Ann", "--why", "known customer")
        self.assertEqual(self.api.final(held["id"])["status"], "succeeded")
        _, _, err = self.gateway.cli("review", "reject", held["id"], "--by", "Ann", "--why", "late", code=1)
        self.assertTrue(err)
        other = self.pay(45000).json()
        self.gateway.cli("review", "reject", other["id"], "--by", "Ben", "--why", "not known")
        self.assertEqual(self.api.final(other["id"])["status"], "failed")
        self.assertIn("no payment waits", self.gateway.cli("review", "list")[1])
        shown = json.loads(self.gateway.cli("payments", "show", other["id"], "--json")[1])
        self.assertIn("not known", json.dumps(shown["events"]), "who and why stand in the journal")

    def test_show_is_readable_and_masked(self):
        self.put(profile(version="2", more="data:\n  mask:\n    - fact: payer.name\n      for: [operator]\n"))
        self.gateway.cli("reload")
        paid = self.pay(100).json()
        self.assertEqual(paid["payer"]["name"], "Ann Ames", "merchants see it")
        _, out, _ = self.gateway.cli("payments", "show", paid["id"])
        self.assertRegex(out, r"decision +allow +by default 2")
        _, out, _ = self.gateway.cli("payments", "show", paid["id"], "--json")
        self.assertEqual(json.loads(out)["payment"]["payer"]["name"], "****Ames")
        self.assertNotIn("Ann Ames", out)
        _, out, _ = self.gateway.cli("payments", "list", "--json")
        self.assertNotIn("Ann Ames", out)
        denied = self.pay(50001).json()
        _, out, _ = self.gateway.cli("payments", "show", denied["id"])
        self.assertIn("limit.single", out)

    def test_backtest(self):
        for value in (10000, 20000, 30000):
            self.assertEqual(self.pay(value).status, 201)
        new = os.path.join(self.stage.folder, "new.yaml")
        with open(new, "w", encoding="utf-8") as file:
            file.write(at_noon(profile(version="2", single="250.00", look="150.00")))
        _, out, _ = self.gateway.cli("backtest", new, "--json", code=1)
        told = json.loads(out)
        self.assertEqual((told["payments"], told["otherwise"]), (3, 2), told)
        groups = {(g["was"], g["would_be"], g["rule"]): g["count"] for g in told["groups"]}
        self.assertEqual(groups, {("allow", "deny", "limit.single"): 1, ("allow", "review", "limit.look"): 1})
        _, out, _ = self.gateway.cli("backtest", new, "--since", "1d", code=1)
        self.assertIn("2 would be decided otherwise", out)
        self.assertIn("Not known here", out)
        with open(new, "w", encoding="utf-8") as file:
            file.write(at_noon(profile(version="2")))
        self.gateway.cli("backtest", new, code=0)
        self.gateway.cli("backtest", new, "--since", "soon", code=2)

    def test_two_gateways_on_one_socket(self):
        other = Gateway(self.stage, "other", [self.sim])
        settings = {**other.settings, "admin": {"socket": os.path.join(self.gateway.var, "admin.sock")}}
        other.write("gateway.yaml", settings)
        code, _, _ = other.cli("serve", code=None)
        self.assertEqual(code, 2)
        self.assertIn("admin.socket", other.cli("serve", code=2)[2])
        self.gateway.cli("reload")


class Authenticator(Story):
    def test_code(self):
        sim = self.stage.simulator()
        keys = [{"name": "codes", "kind": "hmac_sha256", "test_value": "00" * 32}]
        gateway = Gateway(self.stage, "gateway", [sim])
        settings = {**gateway.settings, "authentication": {"code_key": "codes"}}
        settings["keys"] = settings["keys"] + keys
        gateway.write("gateway.yaml", settings)
        with open(os.path.join(gateway.config, "regions", "default.yaml"), "w", encoding="utf-8") as file:
            file.write(profile(more="authentication:\n  required: yes\n"))
        gateway.start()
        api = gateway.client()
        body = sale(1000, payer={"id": "p1", "name": "Ann Ames", "country": "DE"}, payee={"id": "shop", "name": "Shop"})
        held = api.post("/v1/payments", body).json()
        self.assertEqual(held["status"], "requires_action", held)
        _, code, _ = gateway.cli("authenticator", held["id"])
        self.assertRegex(code, r"^\d{8}\n$")
        answer = api.post(f"/v1/payments/{held['id']}/confirm", {"authentication": {"type": "code", "code": code.strip()}})
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(api.final(held["id"])["status"], "succeeded")
        gateway.cli("authenticator", held["id"], code=1)
        gateway.cli("authenticator", "nonsense", code=2)


if __name__ == "__main__":
    main()
