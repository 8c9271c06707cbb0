"""A seed is the same run alone and in a worker, its line and its story; and the command that a wrong one prints
makes the same again.

usage: alone_and_together.py RAILGATE_SIMULATE
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

PARTS = (
    "the story of pay_",
    "What the merchant asked for",
    "What the gateway wrote into its journal",
    "What it sent, attempt by attempt",
    "What was said between",
    "What does not fit",
)


def run(*args):
    done = subprocess.run(args, capture_output=True, text=True, errors="replace", check=False, timeout=500)
    assert done.returncode in (0, 1), f"{args} ended with {done.returncode}: {done.stderr[-2000:]}"
    return done.returncode, done.stdout


def seeds_of(said):
    """Line by seed: hash and counts."""
    return dict(re.findall(r"^seed (\d+) (.*)$", said, re.MULTILINE))


def main():
    simulate = sys.argv[1]
    options = ("--seed", "21", "--seeds", "6", "--payments", "60", "--payments-per-crash", "20")
    alone = run(simulate, *options)
    with tempfile.TemporaryDirectory() as folder:
        record = pathlib.Path(folder) / "record"
        together = run(simulate, *options, "--jobs", "3", "--summary", "--record", str(record))
        told = json.loads(record.read_text())
    assert alone[0] == 0 and together[0] == 0, alone[1] + together[1]
    assert len(seeds_of(alone[1])) == 6 and seeds_of(alone[1]) == seeds_of(together[1]), alone[1] + together[1]
    assert (told["seeds"], told["payments"], told["seeds_wrong"]) == (6, 360, 0), told
    crashes = sum(int(row) for row in re.findall(r" crashes (\d+) restarts ", alone[1]))
    assert told["crashes"] == crashes and 5 <= crashes <= 60, (told["crashes"], crashes)

    planted = ("--seed", "301", "--payments", "60", "--rails", "qr", "--plant", "wrong_amount")
    _, story = run(simulate, *planted, "--jobs", "2", "--quiet")
    for part in PARTS:
        assert part in story, f"{part} is missing in:\n{story[:4000]}"
    again = re.search(r"repeat with: railgate-simulate (.*)$", story, re.MULTILINE)
    assert again is not None, story[-2000:]
    assert run(simulate, *again[1].split())[1] == story, "the command that it prints does not make the same again"


main()
