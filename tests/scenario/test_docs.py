"""test_docs - what the documentation shows is what happens.

    python3 tests/scenario/test_docs.py            runs it all
    python3 tests/scenario/test_docs.py --write    makes the generated tables anew

In README.md and docs/ a fenced block is run when its first line says so; the blocks of a page are run in
their order, on a gateway and a card host of the page's own:

    ```json request POST /v1/payments/{id}/capture -> 200     sends the block; {id}: the last payment made
    ```json answer                           the answer to it has at least these members; "..." is any text
    ```sh run                                a shell runs it, all blocks of a page in one shell, exit code 0
    ```text output                           what it printed; ... is anything, alone on a line any lines

The shell has API, KEY, OPS, CARD_HOST, CONFIG, ADAPTER, DATABASE, HOST_KEY, BACKUP, the programs in its PATH, and
begins in a folder with var/demo/ready.json as `scripts/demo --serve` leaves it.

Besides: links lead somewhere, files that are named exist, tables are those of the sources, log lines and
metrics that operators are told to watch exist.

Test card numbers from published ranges only.
"""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))

from rgtest import ROOT, Story, card_adapter, fresh_key, gateway_program, main, ops, until

sys.path.insert(0, os.path.join(ROOT, "scripts"))
from story.actors import Actors  # pylint: disable=wrong-import-position

# Pages that are run against all four rails, as `scripts/demo --serve` starts them; docs/operator.md has a card host.
RAIL_PAGES = tuple(f"docs/rails/{rail}.md" for rail in ("card", "qr", "bank", "cbdc"))
FOUR_RAILS = ("README.md", "docs/merchant.md", *RAIL_PAGES)

# The key pair printed in RFC 8037, appendix A, of no value anywhere.
PEM = {
    "own": "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n",
    "theirs": "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n",
}

END_OF_BLOCK = "-----end-of-block-----"


def pages():
    names = ["README.md"] + glob.glob("docs/**/*.md", root_dir=ROOT, recursive=True)
    return sorted(name for name in names if os.path.exists(os.path.join(ROOT, name)))


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def blocks(text):
    """(info line, content, number of its first line) of each fenced block."""
    out, info, begin, lines = [], None, 0, []
    for number, line in enumerate(text.split("\n"), 1):
        if info is None and line.startswith("```"):
            info, begin, lines = line[3:].strip(), number, []
        elif info is not None and line.startswith("```"):
            out.append((info, "\n".join(lines), begin))
            info = None
        elif info is not None:
            lines.append(line)
    return out


def text_pattern(text):
    return ".*".join(re.escape(part) for part in text.split("..."))


def fits(wanted, got, at=""):
    """What of `wanted` is not in `got`; "" when all of it is."""
    if isinstance(wanted, dict):
        if not isinstance(got, dict):
            return f"{at}: {got!r} is no object"
        for name, item in wanted.items():
            if name not in got:
                return f"{at}/{name} is missing"
            wrong = fits(item, got[name], f"{at}/{name}")
            if wrong:
                return wrong
        return ""
    if isinstance(wanted, list):
        if not isinstance(got, list) or len(got) != len(wanted):
            return f"{at}: {got!r} has not {len(wanted)} elements"
        return next(filter(None, (fits(w, g, f"{at}/{i}") for i, (w, g) in enumerate(zip(wanted, got)))), "")
    if isinstance(wanted, str) and "..." in wanted:
        right = isinstance(got, str) and re.fullmatch(text_pattern(wanted), got, re.S)
    else:
        right = type(wanted) is type(got) and wanted == got
    return "" if right else f"{at}: {got!r}, the page says {wanted!r}"


def output_fits(wanted, got):
    lines = [r"(?:.*\n)*" if line.strip() == "..." else text_pattern(line.rstrip()) + r"[ ]*\n" for line in wanted.split("\n")]
    return re.fullmatch("".join(lines), got.rstrip() + "\n") is not None


class Page(Story):
    """One page, run from top to bottom. In paths and bodies {id} stands for the last payment, {payload} and
    {reference} for what its next_action says; `settled` waits until the payment is."""

    def run_page(self, name):
        marked = [b for b in blocks(read(name)) if re.match(r"(json (request|control|answer)|sh run|text output)", b[0])]
        self.assertTrue(marked, f"{name} has nothing to run; no test is needed for it")
        if name in FOUR_RAILS:
            actors = Actors(self.stage)
            self.gateway, self.client, self.sims = actors.gateway, actors.client, actors.simulators()
            self.ready = actors.ready(self.client.key)
        else:
            sim, self.gateway, self.client = self.pair()
            self.sims = {"card": sim}
            self.ready = {"api": self.gateway.url, "ops": self.gateway.ops_url, "key": self.client.key, "pid": self.gateway.pid}
        self.answer, self.payment, self.action, self.name = None, None, {}, name
        self.run_shell(name, [b for b in marked if b[0] in ("sh run", "text output")])
        for info, content, line in marked:
            if info.startswith("json request"):
                self.send(info, content, f"{name}:{line}")
            elif info.startswith("json control"):
                _, _, sim, method, path = info.split()
                self.answer = self.sims[sim].call(method, self.filled(path), json.loads(self.filled(content)))
            elif info == "json answer":
                self.assertEqual(fits(json.loads(content), self.told()), "", f"{name}:{line}: {self.answer}")

    def told(self):
        return self.answer if isinstance(self.answer, dict) else self.answer.json()

    def filled(self, text):
        text = text.replace("{id}", self.payment or "")
        for name in ("payload", "reference"):
            text = text.replace("{" + name + "}", json.dumps(self.action.get(name, ""))[1:-1])
        return text

    def send(self, info, content, where):
        told = re.fullmatch(r"json request (GET|POST) (\S+) -> (\d{3})( settled)?", info)
        self.assertIsNotNone(told, f"{where}: {info}")
        method, path, status, settled = told.groups()
        path = self.filled(path)
        if settled:
            waits = ("processing", "requires_action")
            until(f"{where}: it is settled", lambda: self.client.get(path).json()["status"] not in waits)
        self.answer = self.client.get(path) if method == "GET" else self.client.post(path, self.filled(content), fresh_key())
        self.assertEqual(self.answer.status, int(status), f"{where}: {self.answer}")
        if str(self.answer.json().get("id", "")).startswith("pay_"):
            self.payment, self.action = self.answer.json()["id"], self.answer.json()["next_action"] or {}

    def shell_place(self):
        place = os.path.join(self.stage.folder, "page")
        os.makedirs(os.path.join(place, "var/demo"))
        os.makedirs(os.path.join(place, "backup"))
        with open(os.path.join(place, "var/demo/ready.json"), "w", encoding="utf-8") as file:
            json.dump(self.ready, file)
        self.client.post("/v1/payments", {"amount": {"value": 100, "currency": "EUR"}, "method": {
            "type": "card", "card": {"entry": "manual", "pan": "4111111111111111", "expiry": "3012"}}})  # fmt: skip
        return place, {
            **os.environ,
            "PATH": os.path.dirname(gateway_program()) + ":" + os.environ["PATH"],
            "API": self.gateway.url, "KEY": self.client.key, "OPS": self.gateway.ops_url,
            "CARD_HOST": self.sims["card"].control_url.rstrip("/"),
            "CONFIG": self.gateway.config, "ADAPTER": card_adapter(), "DATABASE": self.gateway.database,
            "HOST_KEY": os.path.join(self.gateway.var, "host.key"), "BACKUP": os.path.join(place, "backup"),
        }  # fmt: skip

    def run_shell(self, name, marked):
        scripts = [b for b in marked if b[0] == "sh run"]
        if not scripts:
            return
        if any("curl" in script for _, script, _ in scripts) and not shutil.which("curl"):
            self.skipTest("skipped: curl is not installed")
        place, env = self.shell_place()
        text = "set -euo pipefail\n" + f"\necho {END_OF_BLOCK}\n".join(script for _, script, _ in scripts)
        done = subprocess.run(
            ["bash", "-c", text], cwd=place, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL,
            timeout=120, check=False,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, f"{name}\n{done.stdout}\n{done.stderr}")
        printed = iter(done.stdout.split(END_OF_BLOCK + "\n"))
        got = None
        for info, content, line in marked:
            if info == "sh run":
                got = next(printed)
            else:
                self.assertTrue(output_fits(content, got), f"{name}:{line}\n--- says\n{content}\n--- printed\n{got}")

    def test_readme(self):
        self.run_page("README.md")

    def test_merchant(self):
        self.run_page("docs/merchant.md")

    def test_card(self):
        self.run_page("docs/rails/card.md")

    def test_qr(self):
        self.run_page("docs/rails/qr.md")

    def test_bank(self):
        self.run_page("docs/rails/bank.md")

    def test_cbdc(self):
        self.run_page("docs/rails/cbdc.md")

    def test_operator(self):
        self.run_page("docs/operator.md")

    def test_what_readme_shows_of_the_demo(self):
        shown = next(text for info, text, _ in blocks(read("README.md")) if info == "text" and "wire " in text)
        env = {**os.environ, "RAILGATE_DEMO_FOLDER": os.path.join(self.stage.folder, "demo")}
        command = [sys.executable, os.path.join(ROOT, "scripts/demo.py")]
        done = subprocess.run(command, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for changes, mark in ((r"(pay|att)_[0-9a-z]{13}", r"\1_..."), (r"after [0-9.]+ s", "after ... s"), (r"RF\d\d\w{15}", "RF...")):
            shown = re.sub(changes, mark, shown)
        self.assertTrue(output_fits(f"...\n{shown}\n...", done.stdout), f"{shown}\n--- the demo says\n{done.stdout}")

    def test_the_region_in_readme(self):
        region = next(text for info, text, _ in blocks(read("README.md")) if info == "yaml")
        sim, gateway, client = self.pair()
        gateway.stop()
        with open(os.path.join(gateway.config, "regions/de.yaml"), "w", encoding="utf-8") as file:
            file.write(region + "\n")
        gateway.cli("check")
        gateway.start()

        def decided(value, currency="EUR"):
            card = {"entry": "manual", "pan": "4111111111111111", "expiry": "3012"}
            body = {"amount": {"value": value, "currency": currency}, "method": {"type": "card", "card": card}}
            return client.post("/v1/payments", {**body, "region": "de"}).json()

        self.assertEqual(decided(500000)["status"], "succeeded")
        for denied, rule in ((decided(500001), "limit.largest"), (decided(100, "USD"), "region.currencies")):
            self.assertEqual((denied["status"], denied["decision"]["result"]), ("failed", "deny"))
            self.assertEqual([reason["rule"] for reason in denied["decision"]["reasons"]], [rule])
        self.assertEqual(len(sim.entries()), 1)

    def test_the_configuration_that_is_shipped(self):
        """config/ with all examples taken as they are, and all keys that gateway.yaml tells of."""
        place = os.path.join(self.stage.folder, "shipped")
        shutil.copytree(os.path.join(ROOT, "config"), os.path.join(place, "config"))
        channels = glob.glob("config/channels/*.example", root_dir=place)
        self.assertEqual(len(channels), 4)
        for name in channels:
            with open(os.path.join(place, name), encoding="utf-8") as file:
                text = file.read().replace("../build/adapters", os.path.dirname(os.path.realpath(card_adapter())))
            with open(os.path.join(place, name.removesuffix(".example")), "w", encoding="utf-8") as file:
                file.write(text)
        with open(os.path.join(place, "config/gateway.yaml"), encoding="utf-8") as file:
            text = re.sub(r"(?ms)^# keys:\n.*", lambda keys: re.sub(r"(?m)^# ", "", keys.group()), file.read())
        with open(os.path.join(place, "config/gateway.yaml"), "w", encoding="utf-8") as file:
            file.write(text)
        self.assertEqual(set(re.findall(r"keys/bank_(\w+)\.pem", text)), set(PEM))
        os.mkdir(os.path.join(place, "config/keys"), mode=0o700)
        for name in re.findall(r"keys/\w+\.(?:hex|pem)", text):
            with open(os.path.join(place, "config", name), "w", encoding="utf-8") as file:
                os.chmod(file.name, 0o600)
                file.write(PEM[name.removeprefix("keys/bank_")[:-4]] if name.endswith("pem") else "0123456789abcdeffedcba9876543210")
        done = subprocess.run([gateway_program(), "check", os.path.join(place, "config")], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertRegex(done.stdout, r"(?m)is good: 4 channels, \d+ regions, \d+ warnings?$")

    def test_no_other_page_has_marked_blocks_that_nobody_runs(self):
        for name in pages():
            if name in (*FOUR_RAILS, "docs/operator.md", "docs/regions.md"):
                continue  # run above, and by regions_walk.py
            for info, _, line in blocks(read(name)):
                self.assertNotRegex(info, r"^(json request|json control|sh run)", f"{name}:{line}: add a test for this page")

    def test_metrics_that_operators_watch_exist(self):
        metrics = ops(Actors(self.stage).gateway, "/metrics").body.decode()
        told = set(re.findall(r"railgate_[a-z_]+", read("docs/operator.md")))
        self.assertGreater(len(told), 5)
        for name in told:
            self.assertRegex(metrics, rf"(?m)^{name}[ {{]", name)


# --- the text itself -------------------------------------------------------------------------------------------


def anchors(text):
    """GitHub's anchors of a page's headings."""
    out = set()
    for line in re.sub(r"(?ms)^```.*?^```", "", text).split("\n"):
        if line.startswith("#"):
            heading = re.sub(r"[`*]|\[|\]\([^)]*\)", "", line.lstrip("# ").strip().lower())
            out.add(re.sub(r"[^\w -]", "", heading).replace(" ", "-"))
    return out


def problems_table():
    rows = re.findall(r'^PROBLEM\(\w+, (\d+), "(\w+)", "([^"]+)"\)', read("gateway/payment/problem.def"), re.M)
    lines = "".join(f"| `{code}` | {status} | {title} |\n" for status, code, title in rows)
    return "\n| code | status | meaning |\n|---|---|---|\n" + lines + "\n"


def settings_table():
    program = os.path.join(os.path.dirname(gateway_program()), "settings_table")
    text = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    return "\n" + text.replace("## ", "### ") + "\n"


def facts_table():
    text = re.sub(r'"\s*\n\s*"', "", read("gateway/compliance/fact.def").partition("*/")[2])  # a text in two parts
    rows = re.findall(r'FACT\(\w+,\s*"([\w.]+)",\s*(\w+),\s*(\w+),\s*(?:NULL|"([^"]*)"),\s*"([^"]*)"\)', text)
    assert len(rows) == text.count("FACT("), "a row of fact.def is not understood"
    kinds = {"TEXT": "text", "COUNTRY": "ISO 3166 code", "NUMBER": "number", "FLAG": "yes, no", "MONEY": "amount", "DATE": "date"}
    missing = {"UNKNOWN": "unknown", "ABSENT": "none"}
    lines = "".join(
        f"| `{name}` | {choices.replace('|', ', ') or kinds[kind]} | {missing[without]} | {sentence} |\n"
        for name, kind, without, choices, sentence in rows
    )
    return "\n| fact | value | when it is missing | meaning |\n|---|---|---|---|\n" + lines + "\n"


TABLES = {
    "docs/merchant.md": ("problems", problems_table),
    "docs/operator.md": ("settings", settings_table),
    "docs/regions.md": ("facts", facts_table),
}


def with_table(text, mark, table):
    """The page with the table between its marks; None when the marks are not there."""
    found = re.fullmatch(rf"(.*<!-- {mark}:[^>]*-->\n)(.*?)(<!-- /{mark} -->.*)", text, re.S)
    return found and found.group(1) + table + found.group(3)


class Text(unittest.TestCase):
    maxDiff = None

    def test_tables_are_up_to_date(self):
        for name, (mark, make) in TABLES.items():
            text = read(name)
            self.assertEqual(
                text, with_table(text, mark, make()), f"{name}: run tests/scenario/test_docs.py --write"
            )

    def test_what_the_rail_pages_say_of_the_sandbox_is_what_the_simulators_say(self):
        for page in RAIL_PAGES:
            theirs = read(page.replace(".md", "-simulator.md"))
            table = read(page).partition("\n## Sandbox\n")[2]
            values = re.findall(r"(?m)^\| `([^`|]+)`", table)
            self.assertGreater(len(values), 5, page)
            for value in values:
                self.assertRegex(theirs, rf"(?m)(^\| |[ ,\n]){re.escape(value)}([ ,.:]|$)", f"{page}: {value}")

    def test_categories_are_those_of_the_gateway(self):
        table = read("docs/merchant.md").partition("\n### Categories\n")[2].partition("\n### ")[0]
        words = re.findall(r'CATEGORY\(\w+, \d+, "(\w+)"\)', read("gateway/domain/words.def"))
        self.assertEqual(re.findall(r"(?m)^\| `(\w+)` \|", table), words)
        for page in RAIL_PAGES:
            told = re.findall(r"(?m)^\| [^|]+ \| `(\w+)` \|$", read(page).partition("\n## Codes\n")[2].partition("\n## ")[0])
            self.assertGreater(len(told), 3, page)
            self.assertEqual(set(told) - set(words), set(), page)

    def test_links_lead_somewhere(self):
        for name in pages():
            text = re.sub(r"(?ms)^```.*?^```", "", read(name))
            for target in re.findall(r"\]\(([^)\s]+)\)", text):
                if re.match(r"[a-z]+:", target):
                    continue
                path, _, anchor = target.partition("#")
                full = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
                self.assertTrue(os.path.exists(os.path.join(ROOT, full)), f"{name}: {target}")
                if anchor:
                    self.assertIn(anchor, anchors(read(full)), f"{name}: {target}")

    def test_files_that_are_named_exist(self):
        tops = "adapters|bench|config|docs|gateway|include|scripts|simulators|tests"
        for name in pages():
            for path in re.findall(rf"`((?:{tops})/[A-Za-z0-9_./-]+)`", read(name)):
                self.assertTrue(os.path.exists(os.path.join(ROOT, path)), f"{name} names {path}")

    def test_log_lines_that_operators_know_exist(self):
        sources = [read(name) for name in glob.glob("gateway/**/*.c", root_dir=ROOT, recursive=True)]
        written = {line for text in sources for line in re.findall(r'"([a-z]+\.[a-z_]+)\\?"', text)}
        table = re.search(r"(?s)\| id \| level \|(.*?)\n\n", read("docs/operator.md")).group(1)
        told = set(re.findall(r"`([a-z]+\.[a-z_]+)`", "".join(row.split("|")[1] for row in table.split("\n")[2:])))
        self.assertGreater(len(told), 10)
        self.assertEqual(told - written, set())

    def test_crash_points_that_the_walk_names_are_those_of_the_sources(self):
        sources = "".join(read(name) for name in glob.glob("gateway/payment/*.c", root_dir=ROOT))
        steps = set(re.findall(r'"((?:before|after)_[a-z]+|reversal_[a-z]+)"', sources))
        told = set(re.findall(r"^\| `((?:before|after|reversal)_[a-z]+)` \|", read("docs/walks/crash-and-recovery.md"), re.M))
        self.assertEqual(told, steps)

    def test_says_no(self):
        self.assertNotEqual(fits({"a": 1}, {"a": True}), "")
        self.assertNotEqual(fits({"a": "x..."}, {"a": "y"}), "")
        self.assertNotEqual(fits([1], [1, 2]), "")
        self.assertEqual(fits({"a": ["x...", {"b": 1}]}, {"a": ["xy", {"b": 1, "c": 2}], "d": 0}), "")
        self.assertTrue(output_fits("a ...\n...\nz", "a b\nc\nd\nz\n"))
        self.assertFalse(output_fits("a ...\nz", "a b\nc\nz\n"))


def write():
    for name, (mark, make) in TABLES.items():
        text = with_table(read(name), mark, make())
        if text is None:
            sys.exit(f"{name}: the marks of {mark} are missing")
        with open(os.path.join(ROOT, name), "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    write() if sys.argv[1:] == ["--write"] else main()
