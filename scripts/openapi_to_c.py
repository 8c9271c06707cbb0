"""openapi_to_c.py IN.yaml OUT.c - docs/openapi.yaml as JSON inside a C array (called by the build).

The JSON is compact, keeps the file's order, and must hold nothing but JSON's own types: an unquoted date or
status code in the YAML is an error here, not a surprise in somebody's client.
"""

import json
import sys

import yaml


class Loader(yaml.SafeLoader):
    """Refuses a key that comes twice; the plain loader would silently take the last one."""


def mapping(loader, node):
    names = [key.value for key, _ in node.value]
    for key, _ in node.value:
        if key.tag != "tag:yaml.org,2002:str":
            sys.exit(f"{key.start_mark}: the key {key.value} must be quoted")
        if names.count(key.value) > 1:
            sys.exit(f"{key.start_mark}: the key {key.value} comes twice")
    return loader.construct_mapping(node, deep=True)


Loader.add_constructor("tag:yaml.org,2002:map", mapping)


def main(source, target):
    with open(source, encoding="utf-8") as file:
        document = yaml.load(file, Loader)
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    rows = [", ".join(str(byte) for byte in text[at : at + 24]) for at in range(0, len(text), 24)]
    with open(target, "w", encoding="ascii") as file:
        file.write("/* Made from docs/openapi.yaml by scripts/openapi_to_c.py. */\n#include <stddef.h>\n\n")
        file.write("extern const unsigned char openapi_json[];\nextern const size_t openapi_json_len;\n\n")
        file.write("const unsigned char openapi_json[] = {\n    " + ",\n    ".join(rows) + "\n};\n")
        file.write(f"const size_t openapi_json_len = {len(text)};\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
