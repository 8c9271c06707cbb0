#!/usr/bin/env python3
"""Holds the #include lines of the tree against the law of its rooms.

The law is the list of railgate_room() lines in gateway/CMakeLists.txt: a room may include itself
and the rooms it names, and nobody includes another room's *_int.h. The linker enforces the first
half already (scripts/cmake/Rooms.cmake); this check also sees what compiles by chance, and the
single doors: each outside library is included by the rooms that own it and by nobody else.

    check_layers.py [ROOT]        ROOT: a tree like this project's; default: this one

Prints file:line: message for each violation and exits 1; one line and 0 when there is none; 2 when
there is nothing to check, because a check of nothing would pass for ever.
"""

import pathlib
import re
import sys

# Outside headers and the rooms of gateway/ that may include them. A pattern is matched against the
# text between the brackets. `files` limits how many files of the tree may do so.
DOORS = [
    # name           pattern                              rooms               files
    ("libuv",        r"uv(\.h|/.*)",                      {"loop", "wire"},   None),
    ("llhttp",       r"llhttp\.h",                        {"wire"},           None),
    ("c-ares",       r"ares(_.*)?\.h",                    {"wire"},           1),
    ("OpenSSL",      r"openssl/.*",                       {"wire", "secret"}, None),
    ("SQLite",       r"sqlite3(ext)?\.h",                 {"store"},          None),
    ("libpq",        r"(postgresql/)?libpq-.*|pg_config.*", {"store"},        None),
    ("libfyaml",     r"libfyaml\.h|libfyaml/.*",          {"settings"},       None),
    ("yajl",         r"yajl/.*|yajl_.*",                  {"json"},           1),
    ("utf8proc",     r"utf8proc\.h",                      {"screening"},      1),
    ("ICU",          r"unicode/.*",                       {"screening"},      1),
    ("libxml2",      r"libxml/.*",                        {"xml"},            1),
    ("dlopen",       r"dlfcn\.h",                         {"channel"},        None),
    ("adapter ABI",  r"railgate/.*",                      {"channel"},        None),
]

# What the simulators may use: they stand for the other side and share no codec with our adapters.
SIMULATOR_ROOMS = {"base", "json", "loop", "wire", "settings"}
SIMULATOR_DOORS = {"OpenSSL"}

# An adapter does no input or output, and knows neither clock nor thread nor heap.
ADAPTER_LIBC = {"stddef.h", "stdint.h", "string.h", "limits.h", "stdbool.h"}

# Libraries that an adapter may stand on, each behind one file (gateway/kit/symbols.c says why and which functions).
ADAPTER_DOORS = {"kits/xml_in.c": ("libxml/",)}

# The one place where the host uses a codec of the adapters: `railgate qr` reads and builds codes on the
# command line. The kit is pure (no input, output, clock, heap) and the command runs in no gateway; a
# second codec of codes for the command line alone would differ from the adapter's one day.
HOST_KITS = {"main": {"kits/qr_schemes.h", "kits/qr_transfer.h", "kits/text.h"}}

FORBIDDEN_NAMES = {"util.c", "util.h", "utils.c", "utils.h", "common.c", "common.h"}

INCLUDE = re.compile(r'^\s*#\s*include(?:_next)?\s*(?:<([^>]+)>|"([^"]+)")')
COMPUTED = re.compile(r"^\s*#\s*include\b")
ROOM_CALL = re.compile(r"railgate_room\s*\(([^)]*)\)", re.S)


def read_rooms(text):
    """{room: {rooms it may include}} from the railgate_room() lines; itself is one of them."""
    rooms = {}
    text = re.sub(r"#[^\n]*", "", text)
    for call in ROOM_CALL.finditer(text):
        words = call.group(1).split()
        if not words:
            continue
        allowed, section = {words[0]}, None
        for word in words[1:]:
            if word in ("ROOMS", "LIBRARIES"):
                section = word
            elif section == "ROOMS":
                allowed.add(word)
        rooms[words[0]] = allowed
    return rooms


def cycles(rooms):
    """Rooms that can reach themselves: then no order of levels exists."""
    def reaches(start):
        seen, todo = set(), [r for r in rooms[start] if r != start]
        while todo:
            room = todo.pop()
            if room == start:
                return True
            if room not in seen:
                seen.add(room)
                todo += [r for r in rooms.get(room, ()) if r != room]
        return False
    return [room for room in sorted(rooms) if reaches(room)]


def includes(path):
    """(line number, header or None, with angle brackets?) of each include; None: a computed one.

    Comments are blanked first, so that neither a commented-out include counts nor one behind a
    comment is missed; spliced lines are joined."""
    text = path.read_text(encoding="utf-8", errors="replace")

    def blank(match):
        token = match.group(0)
        if token.startswith("/"):
            return re.sub(r"[^\n]", " ", token)
        return token

    text = re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        first, line = number, lines[number]
        while line.endswith("\\") and number + 1 < len(lines):
            number += 1
            line = line[:-1] + lines[number]
        number += 1
        match = INCLUDE.match(line)
        if match:
            yield first + 1, match.group(1) or match.group(2), match.group(1) is not None
        elif COMPUTED.match(line):
            yield first + 1, None, False


def door_of(header):
    for name, pattern, rooms, _ in DOORS:
        if re.fullmatch(pattern, header):
            return name, rooms
    return None, None


class Check:
    def __init__(self, root):
        self.root = root
        self.violations = []
        self.files = 0
        self.door_files = {}
        law = root / "gateway" / "CMakeLists.txt"
        self.rooms = read_rooms(law.read_text(encoding="utf-8")) if law.exists() else {}

    def say(self, path, line, message):
        self.violations.append((str(path.relative_to(self.root)), line, message))

    def sources(self, folder):
        top = self.root / folder
        if not top.is_dir():
            return
        for path in sorted(top.rglob("*")):
            if path.suffix not in (".c", ".h", ".inc", ".def") or not path.is_file():
                continue
            self.files += 1
            if path.name in FORBIDDEN_NAMES:
                self.say(path, 1, f"a file named {path.name} belongs to no room in particular; "
                                  "name it after what it does")
            yield path

    def resolve(self, path, header, angled):
        """The file of this tree that a quoted or room-relative header means, or None."""
        if not angled:
            beside = path.parent / header
            if beside.is_file():
                return beside.resolve()
        for base in ("gateway", "adapters", "simulators", "include"):
            found = self.root / base / header
            if found.is_file():
                return found.resolve()
        return None

    def place(self, target):
        """('gateway', 'wire') and the like for a file of this tree."""
        parts = target.relative_to(self.root.resolve()).parts
        return parts[0], parts[1] if len(parts) > 2 else ""

    def run(self):
        law = self.root / "gateway" / "CMakeLists.txt"
        for room, allowed in sorted(self.rooms.items()):
            for other in sorted(allowed - set(self.rooms)):
                self.say(law, 1, f"room {room} names {other}, which is no room")
        for room in cycles(self.rooms):
            self.say(law, 1, f"room {room} can reach itself: the arrows form a ring")
        for path in self.sources("gateway"):
            self.check_gateway(path)
        for path in self.sources("adapters"):
            self.check_adapter(path)
        for path in self.sources("simulators"):
            self.check_simulator(path)
        for path in self.sources("include"):
            for line, header, _ in includes(path):
                if header is None or (header not in ("stddef.h", "stdint.h")
                                      and not header.startswith("railgate/")):
                    self.say(path, line, f"the adapter ABI needs only <stddef.h> and <stdint.h>, "
                                         f"not {header or 'a computed include'}")
        for name, _, _, limit in DOORS:
            files = sorted(self.door_files.get(name, ()))
            for path in files[limit:] if limit is not None else ():
                self.say(path, 1, f"{name} is included by {len(files)} files; one is the door")
        return sorted(self.violations)

    def check_gateway(self, path):
        parts = path.relative_to(self.root / "gateway").parts
        room = parts[0] if len(parts) > 1 else "main"  # gateway/main.c hands over to main/
        if room not in self.rooms:
            self.say(path, 1, f"{room}/ is no room: gateway/CMakeLists.txt does not name it")
            return
        for line, header, angled in includes(path):
            if header is None:
                self.say(path, line, "a computed include cannot be checked")
                continue
            name, allowed = door_of(header)
            if name is not None:
                if room in allowed:
                    self.door_files.setdefault(name, set()).add(path)
                else:
                    self.say(path, line, f"{room}/ includes {name} ({header}); only "
                                         f"{', '.join(sorted(allowed))} may")
                continue
            target = self.resolve(path, header, angled)
            first = header.split("/")[0]
            if target is not None:
                self.check_room_include(path, line, header, room, target)
            elif first in self.rooms and first not in self.rooms[room]:
                # Nothing there (yet), but the name says where it wants to go.
                self.say(path, line, f"{room}/ may not include {header}: {first} is not in its list")

    def check_room_include(self, path, line, header, room, target):
        top, other = self.place(target)
        if header in HOST_KITS.get(room, ()):
            return
        if top != "gateway":
            self.say(path, line, f"gateway/ may not include {header} of {top}/")
            return
        if other == room:
            return
        if other not in self.rooms[room]:
            self.say(path, line, f"{room}/ may not include {header}: {other} is not in its list")
        if target.name.endswith("_int.h"):
            self.say(path, line, f"{header} is internal to {other}/")

    def check_adapter(self, path):
        for line, header, angled in includes(path):
            if header is None:
                self.say(path, line, "a computed include cannot be checked")
                continue
            if header.startswith("railgate/") or header in ADAPTER_LIBC:
                continue
            if header.startswith(ADAPTER_DOORS.get(str(path.relative_to(self.root / "adapters")), ("\0",))):
                continue
            target = self.resolve(path, header, angled)
            own = path.relative_to(self.root / "adapters").parts[0]
            if target is not None:
                top, other = self.place(target)
                if top == "adapters" and other in (own, "kits"):
                    if own == "kits" and other != "kits":
                        self.say(path, line, f"kits/ may not include {header} of an adapter")
                    continue
                self.say(path, line, f"an adapter may not include {header}: it is in {top}/{other}")
                continue
            if header.split("/")[0] == "kits" or (not angled and "/" not in header):
                continue  # generated or not there; the compiler will say so
            self.say(path, line, f"an adapter may not include {header}: it needs no input, output, "
                                 "clock, thread or heap")

    def check_simulator(self, path):
        for line, header, angled in includes(path):
            if header is None:
                self.say(path, line, "a computed include cannot be checked")
                continue
            name, _ = door_of(header)
            if name is not None:
                if name not in SIMULATOR_DOORS:
                    self.say(path, line, f"a simulator may not include {name} ({header})")
                continue
            target = self.resolve(path, header, angled)
            first = header.split("/")[0]
            if target is not None:
                top, other = self.place(target)
                if top == "gateway" and (other not in SIMULATOR_ROOMS
                                         or target.name.endswith("_int.h")):
                    self.say(path, line, f"a simulator may not include {header} of gateway/{other}")
                elif top in ("adapters", "include"):
                    self.say(path, line, f"a simulator may not include {header} of {top}/: a mistake "
                                         "shared by both sides would pass every test")
            elif first in self.rooms and first not in SIMULATOR_ROOMS:
                self.say(path, line, f"a simulator may not include {header} of gateway/{first}")


def main(arguments):
    here = pathlib.Path(__file__).resolve().parents[2]
    check = Check(pathlib.Path(arguments[1]) if len(arguments) > 1 else here)
    violations = check.run()
    for path, line, message in violations:
        print(f"{path}:{line}: {message}")
    if violations:
        print(f"{len(violations)} violations in {check.files} files")
        return 1
    if not check.rooms or check.files == 0:
        print("nothing to check: no rooms or no files found", file=sys.stderr)
        return 2
    print(f"layers: {check.files} files in {len(check.rooms)} rooms and beside them keep to the law")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
