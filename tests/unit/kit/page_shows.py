#!/usr/bin/env python3
"""What a page quotes stands in the file that it names.

    page_shows.py ROOT PAGE

A fenced block whose first line is "```LANGUAGE of PATH" is compared with that file: its lines stand there, together
and in order. Fails as well when the page has no such block.
"""
import os
import re
import sys

root, page = sys.argv[1:3]
text = open(os.path.join(root, page), encoding="utf-8").read()
quoted = re.findall(r"^```\w+ of (\S+)\n(.*?)^```$", text, re.M | re.S)
wrong = 0
for path, block in quoted:
    whole = open(os.path.join(root, path), encoding="utf-8").read()
    if "\n" + block not in "\n" + whole:
        print(f"{page}: this does not stand in {path}:\n{block}")
        wrong += 1
print(f"{len(quoted)} quotations, {wrong} wrong")
sys.exit(1 if wrong or not quoted else 0)
