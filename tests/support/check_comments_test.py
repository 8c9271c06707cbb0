#!/usr/bin/env python3
"""check_comments_test.py - the check of comments must find each long one, wherever it stands, and nothing else."""

import unittest

from check_tree import run_check

CHECK = "check_comments.py"


def filled(before, columns, after=""):
    return before + "x" * (columns - len(before) - len(after)) + after + "\n"


class Comments(unittest.TestCase):
    def refused(self, text, *lines, name="gateway/base/a.c"):
        code, said = run_check(CHECK, {name: text})
        self.assertEqual(code, 1, said)
        self.assertEqual([line.split(": ")[0] for line in said[:-1]], [f"{name}:{line}" for line in lines], said)

    def accepted(self, text, name="gateway/base/a.c"):
        code, said = run_check(CHECK, {"gateway/base/other.h": "", name: text})
        self.assertEqual((code, len(said)), (0, 1), said)

    def test_last_column(self):
        self.accepted(filled("/* ", 100, " */"))
        self.refused(filled("/* ", 101, " */"), 1)
        self.accepted(filled("// ", 100))
        self.refused(filled("// ", 101), 1)

    def test_rows_of_a_comment(self):
        self.accepted("/* a\n" + filled(" * ", 100) + " */\n")
        self.refused("int a;\n/* a\n" + filled(" * ", 101) + " * b\n" + filled(" * ", 120) + " */\n", 3, 5)

    def test_behind_code(self):
        self.accepted("    int a; " + filled("/* ", 89, " */"))
        self.refused("    int a; " + filled("/* ", 90, " */"), 1)

    def test_columns_are_letters(self):
        self.accepted("/* " + "\u00e9" * 94 + " */\n")

    def test_strings_are_none(self):
        self.accepted(filled('const char *a = "/* ', 140, '";'))
        self.accepted(filled('const char *a = "http://', 140, '";'))
        self.accepted(filled("""char a = '"'; const char *b = "\\" // """, 140, '";'))
        self.refused(filled('const char *a = "x"; // ', 101), 1)
        self.refused("char a = '\"'; " + filled("/* ", 90, " */"), 1)

    def test_which_files(self):
        long = filled("// ", 101)
        for folder in ("adapters/x", "bench", "include/railgate", "simulators/x", "tests/unit/x"):
            self.refused(long, 1, name=f"{folder}/a.h")
        self.accepted(long, name="tests/abi/frozen/1.0/adapter.h")
        self.accepted(long, name="build/a.c")

    def test_nothing_to_check(self):
        self.assertEqual(run_check(CHECK, {"README.md": ""})[0], 2)


if __name__ == "__main__":
    unittest.main()
