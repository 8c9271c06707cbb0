#!/usr/bin/env python3
"""check_layers_test.py - the layer check must find what is wrong: a small bad tree per rule."""

import unittest

from check_tree import run_check

CHECK = "check_layers.py"

LAW = """\
# railgate_room(commented ROOMS base)
railgate_room(base LIBRARIES Threads::Threads)
railgate_room(json ROOMS base LIBRARIES lib_yajl)
railgate_room(wire ROOMS base LIBRARIES lib_uv
                   lib_openssl)
railgate_room(channel ROOMS wire
                            base LIBRARIES railgate_abi dl)
"""

CLEAN = {
    "gateway/CMakeLists.txt": LAW,
    "gateway/base/bytes.h": "#include <stdint.h>\n",
    "gateway/base/base_int.h": '#include "bytes.h"\n',
    "gateway/base/bytes.c": '#include "base_int.h"\n#include "bytes.h"\n',
    "gateway/json/json_read.h": '#include "base/bytes.h"\n',
    "gateway/json/json_read.c": '#include "json_read.h"\n#include <yajl/yajl_parse.h>\n',
    "gateway/wire/conn.h": '#include "base/bytes.h"\n#include <uv.h>\n',
    "gateway/wire/tls.c": '#include "conn.h"\n#include <openssl/ssl.h>\n',
    "gateway/channel/load.c": '#include "wire/conn.h"\n#include <dlfcn.h>\n'
                              "#include <railgate/adapter.h>\n",
    "include/railgate/adapter.h": "#include <stdint.h>\n",
    "adapters/kits/tlv.h": "#include <stddef.h>\n",
    "adapters/card/card.c": '#include <railgate/adapter.h>\n#include "kits/tlv.h"\n'
                            '#include "own.h"\n#include <string.h>\n',
    "adapters/card/own.h": "",
    "simulators/card/host.c": '#include "base/bytes.h"\n#include "wire/conn.h"\n'
                              "#include <openssl/evp.h>\n#include <stdio.h>\n",
}


class Layers(unittest.TestCase):
    def refused(self, place, change):
        """The clean tree with this change is refused at `place`, and only there."""
        code, lines = run_check(CHECK, {**CLEAN, **change})
        self.assertEqual(code, 1, lines)
        self.assertEqual([line.split(": ")[0] for line in lines[:-1]], [place], lines)

    def test_clean(self):
        code, lines = run_check(CHECK, CLEAN)
        self.assertEqual((code, len(lines)), (0, 1), lines)

    def test_nothing_to_check(self):
        self.assertEqual(run_check(CHECK, {"gateway/base/x.c": ""})[0], 1)  # a folder that is no room
        self.assertEqual(run_check(CHECK, {"README.md": ""})[0], 2)
        self.assertEqual(run_check(CHECK, {"gateway/CMakeLists.txt": LAW})[0], 2)

    def test_room_not_in_list(self):
        self.refused("gateway/json/a.c:2",
                     {"gateway/json/a.c": '\n#include "wire/conn.h"\n'})
        self.refused("gateway/base/a.c:1", {"gateway/base/a.c": '#include "json/json_read.h"\n'})
        self.refused("gateway/base/a.c:1", {"gateway/base/a.c": "#include <json/json_read.h>\n"})
        # By a way round, and to a header that is not there yet.
        self.refused("gateway/base/a.c:1", {"gateway/base/a.c": '#include "../wire/conn.h"\n'})
        self.refused("gateway/base/a.c:1", {"gateway/base/a.c": '#include "wire/later.h"\n'})

    def test_forms_of_include(self):
        self.refused("gateway/base/a.c:3",
                     {"gateway/base/a.c": '/* x\n */\n/* c */ # include\t"wire/conn.h" // y\n'})
        self.refused("gateway/base/a.c:1", {"gateway/base/a.c": '#include \\\n"wire/conn.h"\n'})
        self.refused("gateway/base/a.c:2",
                     {"gateway/base/a.c": '#define X "wire/conn.h"\n#include X\n'})
        code, lines = run_check(CHECK, {**CLEAN, "gateway/base/a.c":
                           '// #include "wire/conn.h"\n/*\n#include "wire/conn.h"\n*/\n'
                           'const char *s = "/*";\n'})
        self.assertEqual(code, 0, lines)

    def test_internal_header(self):
        self.refused("gateway/json/a.c:1", {"gateway/json/a.c": '#include "base/base_int.h"\n'})

    def test_doors(self):
        for header in ("uv.h", "openssl/evp.h", "sqlite3.h", "libfyaml.h", "llhttp.h", "dlfcn.h",
                       "railgate/adapter.h", "yajl/yajl_gen.h"):
            self.refused("gateway/base/a.c:1", {"gateway/base/a.c": f"#include <{header}>\n"})

    def test_second_file_at_a_single_door(self):
        self.refused("gateway/json/second.c:1",
                     {"gateway/json/second.c": "#include <yajl/yajl_gen.h>\n"})

    def test_adapter(self):
        for header in ("<stdio.h>", "<stdlib.h>", "<time.h>", "<pthread.h>", "<sys/socket.h>",
                       '"base/bytes.h"', "<base/bytes.h>", '"../../gateway/base/bytes.h"',
                       "<openssl/evp.h>"):
            self.refused("adapters/card/a.c:1", {"adapters/card/a.c": f"#include {header}\n"})
        self.refused("adapters/other/a.c:1", {"adapters/other/a.c": '#include "card/own.h"\n'})
        self.refused("adapters/kits/a.c:1", {"adapters/kits/a.c": '#include "card/own.h"\n'})

    def test_simulator(self):
        for header in ('"channel/load.h"', "<railgate/adapter.h>", '"kits/tlv.h"',
                       '"../../adapters/kits/tlv.h"', '"base/base_int.h"', "<yajl/yajl_parse.h>"):
            self.refused("simulators/card/a.c:1", {"simulators/card/a.c": f"#include {header}\n"})

    def test_abi(self):
        self.refused("include/railgate/b.h:1", {"include/railgate/b.h": "#include <stdio.h>\n"})

    def test_names(self):
        self.refused("gateway/base/util.c:1", {"gateway/base/util.c": ""})
        self.refused("simulators/card/common.h:1", {"simulators/card/common.h": ""})

    def test_law(self):
        ring = LAW.replace("railgate_room(base ", "railgate_room(base ROOMS json ")
        code, lines = run_check(CHECK, {**CLEAN, "gateway/CMakeLists.txt": ring})
        self.assertEqual(code, 1, lines)
        self.assertTrue(any("ring" in line for line in lines), lines)
        self.refused("gateway/CMakeLists.txt:1",
                     {"gateway/CMakeLists.txt": LAW + "railgate_room(x ROOMS nowhere)\n"})


if __name__ == "__main__":
    unittest.main()
