#!/usr/bin/env python3
"""scripts/disk: what it says, and when."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

DISK = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "disk"
HUGE = 10**9  # MiB


def disk(*arguments, tmpdir=None):
    env = {**os.environ, "TMPDIR": tmpdir} if tmpdir is not None else None
    done = subprocess.run([DISK, "story", *map(str, arguments)], capture_output=True, text=True, env=env, check=False)
    return done.returncode, done.stdout, done.stderr


def needed(told):
    return int(re.search(r"(\d+) MiB are needed", told).group(1))


class Disk(unittest.TestCase):
    def test_enough(self):
        self.assertEqual(disk(0, "no-such-folder=0"), (0, "", ""))

    def test_too_little_is_one_line(self):
        for arguments in ((HUGE, "no-such-folder=1"), (0, f"no-such-folder={HUGE}")):
            code, out, told = disk(*arguments)
            self.assertEqual((code, out), (1, ""))
            self.assertRegex(told, r"^story: the disk of \S+ has too little room: \d+ MiB are needed, \d+ MiB are free\n$")
            self.assertGreaterEqual(needed(told), HUGE)

    def test_what_is_built_already_counts(self):
        with tempfile.TemporaryDirectory() as folder:
            empty = needed(disk(0, f"{folder}={HUGE}")[2])
            with open(os.path.join(folder, "built"), "wb") as file:
                file.write(bytes(3 << 20))
            self.assertEqual(needed(disk(0, f"{folder}={HUGE}")[2]), empty - 3)

    def test_several_folders_are_added(self):
        self.assertEqual(needed(disk(0, f"no-such-folder={HUGE}", f"nor-this={HUGE}")[2]), 2 * HUGE)

    def test_no_place_for_temporary_files(self):
        code, out, told = disk(0, tmpdir="/no/such/folder")
        self.assertEqual((code, out), (1, ""))
        self.assertEqual(told.count("\n"), 1)
        self.assertIn("TMPDIR is /no/such/folder", told)


if __name__ == "__main__":
    unittest.main()
