#!/usr/bin/env python3
"""Offsets and sizes of the adapter ABI, version 1.

    pins.py make HEADER_DIR CC    prints pins_v1.def, measured with the compiler CC
    pins.py check HEADER FILE     exit 1 when a member or a number of HEADER is not in FILE

pins_v1.def was made once, from the frozen header, and is never made again: test_pins.c holds today's
header against it. A later minor version adds rows by hand.
"""
import os
import re
import subprocess
import sys
import tempfile


def without_comments(text):
    return re.sub(r'/\*.*?\*/', ' ', text, flags=re.S)


def members(text):
    """(struct, member) in the order of the header."""
    for name, body in re.findall(r'struct (rg_\w+) \{(.*?)\n\};', without_comments(text), re.S):
        for declaration in body.split(';'):
            declaration = ' '.join(declaration.split())
            if not declaration:
                continue
            pointer = re.match(r'.*?\(\*(\w+)\)', declaration)
            if pointer:
                yield name, pointer.group(1)
                continue
            for part in declaration.split(','):
                yield name, re.search(r'(\w+)(\[\d+\])?$', part.strip()).group(1)


def numbers(text):
    text = without_comments(text).replace('\\\n', ' ')
    return [name for name, value in re.findall(r'#define (RG_\w+)\s+(\S+)', text)
            if re.match(r'(0x)?[0-9a-f]+u$', value) and name != 'RG_ABI_MINOR']


def make(folder, compiler):
    text = open(os.path.join(folder, 'railgate/adapter.h')).read()
    lines = ['#include <railgate/adapter.h>', '#include <stdio.h>', 'int main(void) {']
    seen = []
    for name, member in members(text):
        if name not in seen:
            seen.append(name)
            lines.append(f'printf("SIZE({name}, %zu)\\n", sizeof(struct {name}));')
        lines.append(f'printf("MEMBER({name}, {member}, %zu, %zu)\\n", '
                     f'offsetof(struct {name}, {member}), sizeof(((struct {name} *)0)->{member}));')
    for name in numbers(text):
        lines.append(f'printf("NUMBER({name}, 0x%xu)\\n", (unsigned){name});')
    lines.append('return 0; }')
    with tempfile.TemporaryDirectory() as room:
        source, program = os.path.join(room, 'pins.c'), os.path.join(room, 'pins')
        open(source, 'w').write('\n'.join(lines))
        subprocess.run([compiler, '-I', folder, source, '-o', program], check=True)
        print('/* pins_v1.def - made once by pins.py from frozen/v1; never made again. */')
        sys.stdout.flush()
        subprocess.run([program], check=True)


def check(header, pins):
    text, pinned = open(header).read(), open(pins).read()
    missing = [f'MEMBER({n}, {m},' for n, m in members(text) if f'MEMBER({n}, {m},' not in pinned]
    missing += [f'NUMBER({n},' for n in numbers(text) if f'NUMBER({n},' not in pinned]
    for row in missing:
        print(f'{pins}: no row {row} ...')
    if len(list(members(text))) < 100 or len(numbers(text)) < 50:
        print(f'{header}: this script does not understand the header any more')
        missing.append('')
    return 1 if missing else 0


if sys.argv[1] == 'make':
    make(sys.argv[2], sys.argv[3])
else:
    sys.exit(check(sys.argv[2], sys.argv[3]))
