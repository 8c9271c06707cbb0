#!/usr/bin/env python3
"""Holds the comments of C sources to 100 columns.

clang-format sees to the code, but leaves comments as they are (.clang-format says why), so nothing else
would notice a long one. A string may be longer where it cannot be broken: only what lies in a comment counts.

    check_comments.py [ROOT]      ROOT: a tree like this project's; default: this one

Prints file:line: message for each line and exits 1; one line and 0 when there is none; 2 when there is
nothing to check, because a check of nothing would pass for ever.
"""

import pathlib
import re
import sys

COLUMNS = 100
FOLDERS = ("adapters", "bench", "gateway", "include", "simulators", "tests")
FROZEN = pathlib.PurePath("tests", "abi", "frozen")  # stays as it was delivered

# Strings and characters stand here so that what looks like a comment inside them is none.
TOKEN = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.S)


def long_lines(text):
    """(line number, columns) of each line in which a comment goes beyond the columns."""
    for match in TOKEN.finditer(text):
        if not match.group(0).startswith("/"):
            continue
        line = text.count("\n", 0, match.start()) + 1
        before = match.start() - (text.rfind("\n", 0, match.start()) + 1)
        for part in match.group(0).split("\n"):
            if before + len(part) > COLUMNS:
                yield line, before + len(part)
            line, before = line + 1, 0


def sources(root):
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.[ch]")):
            if path.is_file() and FROZEN not in path.relative_to(root).parents:
                yield path


def main(arguments):
    root = pathlib.Path(arguments[1]) if len(arguments) > 1 else pathlib.Path(__file__).resolve().parents[2]
    files = violations = 0
    for path in sources(root):
        files += 1
        for line, columns in long_lines(path.read_text(encoding="utf-8")):
            violations += 1
            print(f"{path.relative_to(root)}:{line}: the comment goes to column {columns}; {COLUMNS} is the last")
    if violations:
        print(f"{violations} lines in {files} files")
        return 1
    if files == 0:
        print("nothing to check: no files found", file=sys.stderr)
        return 2
    print(f"comments: {files} files keep to {COLUMNS} columns")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
