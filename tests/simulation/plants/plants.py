#!/usr/bin/env python3
"""Known bugs, planted one at a time into a gateway that is built beside the real one.

    plants.py make PLANT FILE ROOT OUT        the source FILE of ROOT, with the bug in it
    plants.py run PLANT BUGGY CLEAN [RESULT]  seed after seed until the bug is found; RESULT: a file
    plants.py table RESULTS README [--write]  the table of README.md, from the files that runs left

A plant is a text:

    What the bug is, in a sentence or two, up to the first line with a word and a colon.
    file: gateway/payment/work.c
    run: --rails card --payments 40
    seeds: 20
    --- old
    exact text of the file, which must stand there exactly once
    --- new
    what stands there instead
    --- end

There may be several pieces of old and new, and several files, each with its pieces behind it. `run` are
options of railgate-simulate; `seeds` (20) is how many runs may pass before the bug has to be found. A bug
that is found only because the gateway's own assertion stops it, or because a run takes for ever, was not
found by a checker, and counts as not found.

`guarded: by what` says that a second guard makes the bug harmless: then nothing may be found in any of
`seeds` runs. The bug with that guard taken out as well is a plant of its own, which must be found.
"""
import json
import pathlib
import re
import subprocess
import sys

SEEDS = 20
PAYMENTS = 40
RUN_SECONDS_MAX = 120  # a net below the bound of seeds: a gateway that spins would never come back


class Plant:
    def __init__(self, path):
        self.name = pathlib.Path(path).stem
        self.settings, self.pieces = {}, {}
        sentence, part, lines = [], None, []
        for line in pathlib.Path(path).read_text().splitlines():
            if line in ("--- old", "--- new", "--- end"):
                if part in ("old", "new"):
                    self.pieces[self.settings["file"]][-1].append(lines)
                if line == "--- old":
                    self.pieces.setdefault(self.settings.get("file", ""), []).append([])
                part, lines = line[4:], []
            elif part in ("old", "new"):
                lines.append(line)
            elif (setting := re.fullmatch(r"(file|run|seeds|guarded): (.+)", line)) is not None:
                self.settings[setting[1]] = setting[2]
            elif line:
                sentence.append(line)
        self.sentence = " ".join(sentence)
        self.seeds = int(self.settings.get("seeds", SEEDS))
        self.guard = self.settings.get("guarded", "")
        whole = all(len(piece) == 2 and piece[0] for pieces in self.pieces.values() for piece in pieces)
        if not self.sentence or not self.pieces or "" in self.pieces or part != "end" or not whole:
            sys.exit(f"{path}: a plant needs a sentence, a file, and pieces of old and new up to --- end")

    def options(self):
        options = self.settings.get("run", "").split()
        return options if "--payments" in options else options + ["--payments", str(PAYMENTS)]

    def payments(self):
        options = self.options()
        return int(options[options.index("--payments") + 1])


def make(plant, file, root, out):
    source = pathlib.Path(root) / file
    text = source.read_text()
    for old, new in plant.pieces[file]:
        old_text, new_text = "\n".join(old) + "\n", "\n".join(new) + "\n" if new else ""
        found = text.count(old_text)
        if found != 1:
            sys.exit(f"plant {plant.name}: its old text stands {found} times in {file}, "
                     f"and must stand there once. It begins with:\n{old[0]}\nAdapt the plant to the source.")
        text = text.replace(old_text, new_text)
    out = pathlib.Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(f'#line 1 "{source}"\n{text}')


def simulate(binary, options, seed):
    """The complaints of one run, and how it ended."""
    try:
        done = subprocess.run([binary, "--seed", str(seed), *options], capture_output=True, text=True,
                              errors="replace", timeout=RUN_SECONDS_MAX, check=False)
    except subprocess.TimeoutExpired:
        return [], f"it took more than {RUN_SECONDS_MAX} s"
    wrongs = re.findall(r"^  WRONG (?:pay_\w+)?: ?(.*)", done.stdout, re.MULTILINE)
    if done.returncode in (0, 1):
        return wrongs, ""
    last = (done.stderr.strip().splitlines() or [""])[-1]
    return wrongs, f"it ended with {done.returncode}: {last}"


def run_guarded(plant, buggy, result_path):
    for seed in range(1, plant.seeds + 1):
        wrongs, broke = simulate(buggy, plant.options(), seed)
        if wrongs or broke:
            sys.exit(f"seed {seed}: {broke} {wrongs[:3]}: it does harm, though it is guarded: {plant.guard}")
    print(f"{plant.seeds} runs: nothing is wrong; {plant.guard}")
    if result_path:
        pathlib.Path(result_path).write_text(json.dumps({"payments": 0, "wrong": ""}))


def run(plant, buggy, clean, result_path):
    print(f"{plant.name}: {plant.sentence}")
    if plant.guard:
        run_guarded(plant, buggy, result_path)
        return
    options, seeds, payments = plant.options(), plant.seeds, plant.payments()
    for seed in range(1, seeds + 1):
        wrongs, broke = simulate(buggy, options, seed)
        if broke and not wrongs:
            sys.exit(f"seed {seed}: {broke}: that is no finding of a checker")
        if wrongs:
            break
    else:
        sys.exit(f"NOT FOUND in {seeds} runs of {payments} payments: railgate-simulate {' '.join(options)}")
    print(f"found in run {seed}, after at most {seed * payments} payments:\n  " + "\n  ".join(wrongs[:6]))
    innocent, broke = simulate(clean, options, seed)
    if innocent or broke:
        sys.exit(f"but seed {seed} is not clean without the bug either: {broke} {innocent[:3]}")
    print(f"seed {seed} without the bug: nothing is wrong")
    if result_path:
        pathlib.Path(result_path).write_text(json.dumps({"payments": seed * payments, "wrong": wrongs[0]}))


BEGIN, END = "<!-- table: written by plants.py -->", "<!-- end of table -->"


def found_by(wrong):
    """A complaint without the names and figures of one run, short enough for a table."""
    text = re.sub(r"\{.*", "...", wrong)
    text = re.sub(r"\b(pay|att|ref|cap)_\w+", "...", text)
    text = text.replace("|", "/")
    return text if len(text) <= 110 else text[:107] + "..."


def table(results, readme, write):
    folder = pathlib.Path(__file__).parent
    lines = ["| bug | in | found after | what was said first |", "| --- | --- | --- | --- |"]
    for path in sorted(folder.glob("*.plant")):
        plant = Plant(path)
        result_path = pathlib.Path(results) / f"{plant.name}.json"
        if not result_path.exists():
            sys.exit(f"{result_path} is missing: run ctest -L plants first")
        result = json.loads(result_path.read_text())
        where = ", ".join(file.removeprefix("gateway/") for file in plant.pieces)
        found = f"{result['payments']} | {found_by(result['wrong'])}"
        if plant.guard:
            found = f"never ({plant.seeds * plant.payments()}) | harmless: {plant.guard}"
        lines.append(f"| `{plant.name}`: {plant.sentence} | {where} | {found} |")
    readme = pathlib.Path(readme)
    text = readme.read_text()
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    fresh = head + BEGIN + "\n" + "\n".join(lines) + "\n" + END + tail
    if write:
        readme.write_text(fresh)
    elif fresh != text:
        sys.exit(f"{readme} is not what the runs say: plants.py table {results} {readme} --write")


def main(args):
    match args:
        case ["make", plant, file, root, out]:
            make(Plant(plant), file, root, out)
        case ["run", plant, buggy, clean, *result]:
            run(Plant(plant), buggy, clean, result[0] if result else "")
        case ["table", results, readme, *write] if write in ([], ["--write"]):
            table(results, readme, bool(write))
        case _:
            sys.exit(__doc__)


main(sys.argv[1:])
