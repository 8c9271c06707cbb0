"""check_tree.py - a check of sources, run on a tree that its test has made up."""

import pathlib
import subprocess
import sys
import tempfile


def run_check(check, files):
    """Writes the tree (path: text) and runs the check, a program beside this file, on it: (exit code, lines)."""
    program = pathlib.Path(__file__).with_name(check)
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        done = subprocess.run([sys.executable, str(program), folder], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.splitlines()
