"""The test's side of inject.c: makes calls of a running gateway fail, and moves its wall clock.

    injection = Injection(stage)
    gateway = stage.gateway(..., env=injection.environment)
    injection.arm(MALLOC, errno.ENOMEM, 17)       # the 17th allocation from now on
    ...
    if injection.disarm():                        # did it fail?
        print(injection.told())                   # which function, called from where

The two share one page of a file. Offsets below are those of `struct control`.
"""

import errno
import mmap
import os
import struct
import subprocess

import rgtest

MALLOC, VAULT, FILE_WRITE, FILE_SYNC, FILE_TRUNCATE, FILE_OPEN, FILE_READ, LOG = (1 << n for n in range(8))
SOCKET, CONNECT, ACCEPT, SEND, RECEIVE, OPTION, EPOLL = (1 << n for n in range(8, 15))
SHORT = -1
EVER = (1 << 63) - 1

_MAGIC = 0x6E6A6563
_KINDS, _ERROR, _FIRST, _LAST, _CALLS, _FIRED, _CLOCK, _FUNCTION, _DEPTH = 8, 12, 16, 24, 32, 40, 48, 56, 88
_FRAMES_MAX = 24
_OFFSETS = _DEPTH + 8 + 8 * _FRAMES_MAX
_OBJECTS = _OFFSETS + 8 * _FRAMES_MAX
_OBJECT_BYTES = 96


def library():
    return os.environ.get("RAILGATE_INJECT_LIBRARY") or os.path.join(rgtest.ROOT, "build/tests/torture/libinject.so")


def unavailable():
    """Why calls cannot be made to fail here, or None."""
    if os.environ.get("RAILGATE_TEST_SANITIZED"):
        return "a sanitizer replaces the functions that this test makes fail"
    if not os.path.exists(library()):
        return f"{library()} is not there: build it first (scripts/test)"
    return None


def name_of(error):
    return "short" if error == SHORT else errno.errorcode.get(error, str(error))


class Injection:
    def __init__(self, stage):
        self.path = os.path.join(stage.folder, "inject")
        with open(self.path, "wb") as file:
            file.write(struct.pack("<I", _MAGIC) + bytes(4092))
        with open(self.path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), 4096)

    @property
    def environment(self):
        return {"LD_PRELOAD": library(), "RAILGATE_INJECT": self.path}

    def _put(self, form, at, value):
        struct.pack_into(form, self.page, at, value)

    def _get(self, form, at):
        return struct.unpack_from(form, self.page, at)[0]

    def arm(self, kinds, error, first, last=None):
        """The first-th call of these kinds fails, or all from the first-th to the last-th."""
        self.disarm()
        self._put("<q", _FIRST, first)
        self._put("<q", _LAST, first if last is None else last)
        self._put("<i", _ERROR, error)
        self._put("<q", _CALLS, 0)
        self._put("<q", _FIRED, 0)
        self._put("<Q", _DEPTH, 0)
        self._put("<I", _KINDS, kinds)

    def disarm(self):
        """How many calls have failed."""
        self._put("<I", _KINDS, 0)
        return self.fired

    @property
    def fired(self):
        return self._get("<q", _FIRED)

    @property
    def calls(self):
        return self._get("<q", _CALLS)

    @property
    def attached(self):
        """The process that listens."""
        return self._get("<I", 4)

    def move_clock(self, seconds):
        """From now on the wall clock is so much ahead (or, negative, behind)."""
        self._put("<q", _CLOCK, int(seconds * 1_000_000))

    def _text(self, at, length):
        return bytes(self.page[at : at + length]).split(b"\0")[0].decode(errors="replace")

    def told(self):
        """What failed first since it was armed: function, error, and who called."""
        text = f"{self._text(_FUNCTION, 32)} with {name_of(self._get('<i', _ERROR))}"
        for index in range(min(self._get("<Q", _DEPTH), _FRAMES_MAX)):
            thing = self._text(_OBJECTS + _OBJECT_BYTES * index, _OBJECT_BYTES)
            if os.path.basename(thing) == os.path.basename(library()):
                continue
            text += f"\n    {_line(thing, self._get('<Q', _OFFSETS + 8 * index))}"
        return text


_known = {}


def _line(thing, offset):
    """function at file:line, when addr2line can tell."""
    if (thing, offset) in _known:
        return _known[thing, offset]
    line = f"{os.path.basename(thing)}+{offset:#x}"
    if os.path.exists(thing):
        try:
            command = ["addr2line", "-f", "-s", "-e", thing, hex(offset - 1)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            function, _, place = done.stdout.strip().partition("\n")
            if done.returncode == 0 and not function.startswith("?"):
                line = f"{function} {place}"
        except (OSError, subprocess.TimeoutExpired):
            pass
    _known[thing, offset] = line
    return line
