"""regions_walk - docs/regions.md from top to bottom: its files are written, its commands run, its outputs compared.

    python3 tests/scenario/regions_walk.py            runs it
    python3 tests/scenario/regions_walk.py --show     prints what each block prints, for writing the page

Everybody is there as `scripts/demo --serve` starts them; the shell begins in a folder with var/demo/ready.json.
Fenced blocks of the page, in their order, in one shell:

    ```sh run                        exit code 0; what goes to standard error counts as printed
    ```sh run -> 1                   another exit code
    ```yaml file config/x.yaml       the block is written to that file first (also json file, csv file)
    ```text output                   what the block before printed; ... is anything, alone on a line any lines

Besides: the tables of the page are those of the sources, and docs/region.schema.json is what `railgate schema region`
prints. Test card numbers from published ranges only.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

import test_docs
from rgtest import ROOT, SLOW, Story, gateway_program, main
from story.actors import Actors  # test_docs knows where

PAGE = "docs/regions.md"
END = test_docs.END_OF_BLOCK


def script(marked):
    """One shell script of all blocks; after each command block a line with END and its exit code."""
    text = "exec 2>&1\n"
    for info, content, _ in marked:
        told = re.fullmatch(r"(?:yaml|json|csv) file (\S+)", info)
        if told:
            text += f"cat > {told.group(1)} <<'END_OF_FILE'\n{content}\nEND_OF_FILE\n"
        elif info.startswith("sh run"):
            text += f"{content}\necho {END} $?\n"
    return text


def is_marked(info):
    return re.fullmatch(r"sh run( -> \d)?|text output|(yaml|json|csv) file \S+", info)


class Walk(Story):
    def run_page(self):
        """[(info, content, line, what it printed, exit code)] of the command and output blocks."""
        marked = [block for block in test_docs.blocks(test_docs.read(PAGE)) if is_marked(block[0])]
        actors = Actors(self.stage)
        place = os.path.join(self.stage.folder, "page")
        os.makedirs(os.path.join(place, "var/demo"))
        with open(os.path.join(place, "var/demo/ready.json"), "w", encoding="utf-8") as file:
            json.dump(actors.ready(actors.client.key), file)
        env = {**os.environ, "PATH": os.path.dirname(gateway_program()) + ":" + os.environ["PATH"]}
        done = subprocess.run(["bash", "-c", script(marked)], cwd=place, env=env, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=120 * SLOW, check=False)  # fmt: skip
        printed = re.findall(rf"(?s)(.*?){END} (\d+)\n", done.stdout)
        self.assertEqual(len(printed), sum(info.startswith("sh run") for info, _, _ in marked), done.stdout)
        got, rows = iter(printed), []
        for info, content, line in marked:
            if info.startswith("sh run"):
                said, code = next(got)
            if not info.split()[1].startswith("file"):
                rows.append((info, content, line, said, int(code)))
        return rows

    def test_the_walk(self):
        if not shutil.which("curl"):
            self.skipTest("skipped: curl is not installed")
        rows = self.run_page()
        self.assertGreater(len(rows), 30)
        for info, content, line, said, code in rows:
            where = f"{PAGE}:{line}"
            if info == "text output":
                right = test_docs.output_fits(content, said)
                self.assertTrue(right, f"{where}\n--- says\n{content}\n--- printed\n{said}")
            else:
                self.assertEqual(code, int(info.partition(" -> ")[2] or 0), f"{where}\n{content}\n--- printed\n{said}")


class Reference(unittest.TestCase):
    maxDiff = None

    def test_the_schema_is_that_of_the_program(self):
        done = subprocess.run([gateway_program(), "schema", "region"], capture_output=True, text=True, check=True)
        self.assertEqual(
            json.loads(done.stdout), json.loads(test_docs.read("docs/region.schema.json")),
            "railgate schema region > docs/region.schema.json",
        )  # fmt: skip

    def test_words_in_backticks_are_settings_or_facts(self):
        """What the reference calls `x.y` is a row of the sources."""
        known = set()
        for name in os.listdir(os.path.join(ROOT, "gateway/settings")):
            if name.endswith(".def"):
                known |= set(re.findall(r'SETTING\(\w+,\s*\w+,\s*"([\w.]+)"', test_docs.read(f"gateway/settings/{name}")))
        known |= set(re.findall(r'FACT\(\w+, "([\w.]+)"', test_docs.read("gateway/compliance/fact.def")))
        reference = test_docs.read(PAGE).partition("\n## Sections\n")[2]
        self.assertTrue(reference)
        sections = "authentication|cross_border|data|kyc|review|screening|store"
        told = set(re.findall(rf"`((?:{sections})\.[a-z_]+)`", reference))
        self.assertGreater(len(told), 10)
        told -= {"kyc.tiers", "authentication.exemptions", "cross_border.corridors", "cross_border.fields", "data.mask"}
        reasons = set(re.findall(r'"((?:screening|kyc|data)\.[a-z_]+)"', "".join(
            test_docs.read(f"gateway/compliance/{name}") for name in os.listdir(os.path.join(ROOT, "gateway/compliance")))))  # fmt: skip
        self.assertEqual(told - known - reasons, set())


def show():
    walk = Walk("test_the_walk")
    walk.setUp()
    try:
        for info, content, line, said, code in walk.run_page():
            if info.startswith("sh run"):
                print(f"--- {line} -> {code}\n{content}\n--- printed\n{said}")
    finally:
        walk.doCleanups()
        walk.stage.close()


if __name__ == "__main__":
    show() if sys.argv[1:] == ["--show"] else main()
