"""The JSON Schema of region profiles, as an editor uses it: usage: test_schema.py PROGRAM REGIONS_FOLDER

PROGRAM prints the schema. It must be a valid one (draft 2020-12), take every profile of the folder, and refuse what
railgate refuses.
"""
import copy
import glob
import json
import os
import re
import subprocess
import sys

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

GOOD = """
region: eu
version: 1
effective_from: 2026-01-01
countries: [DE, NO]
limits:
  - {id: night, when: scheme=pix, hours: 20:00-06:00, per: payer, window: day, max: 1000.00 BRL, verify: yes}
  - {id: large, from: [10000 USD, 15000.00 EUR], then: report}
rules: [{id: casino, when: [payee.mcc=7995], then: deny}]
kyc: {without_tier: review, tiers: [{tier: 1, rails: [bank], day: 50000 NGN}]}
authentication: {fraud_rate: 0.13%, exemptions: [{id: low, max: 30 EUR, count: 5, fraud_rate_max: 100%}]}
cross_border: {corridors: [{id: kp, to: [KP], then: deny}], fields: [{id: travel, needs: [payer.name]}]}
screening: {lists: [ofac], threshold: 90}
data: {retention: 5y, mask: [{fact: payer.account, for: [merchant]}]}
review: {valid_for: 2d}
"""

# (path of keys, value): each alone makes the good profile a bad one.
BAD = [
    (["region"], "EU"), (["region"], None), (["effective_from"], "tomorrow"), (["unknown"], 1),
    (["limits", 0, "max"], "1,000.00 BRL"), (["limits", 0, "max"], "1000"), (["limits", 0, "hours"], "20-06"),
    (["limits", 0, "window"], "yesterday"), (["limits", 0, "per"], "everyone"), (["limits", 0, "id"], None),
    (["limits", 0, "tehn"], "deny"), (["limits", 0, "verify"], "true"), (["limits", 0, "count"], -1),
    (["limits", 1, "from"], ["10 USD", "10 USD"]), (["limits"], {"id": "a"}), (["rules", 0, "then"], "reject"),
    (["kyc", "tiers", 0, "tier"], 10), (["kyc", "teirs"], []), (["kyc", "tiers", 0, "rails"], ["boat"]),
    (["authentication", "fraud_rate"], "0.00001%"), (["authentication", "fraud_rate"], "101%"),
    (["authentication", "exemptions", 0, "max"], {"EUR": 30}), (["cross_border", "corridors", 0, "to"], ["DEU"]),
    (["screening", "threshold"], 101), (["data", "retention"], "5"), (["data", "mask", 0, "for"], ["everyone"]),
    (["review", "valid_for"], 5),
]


class Yaml12(yaml.SafeLoader):
    """Texts and numbers as YAML 1.2 has them: yes, no, dates and 20:00 are texts."""


Yaml12.yaml_implicit_resolvers = {}
Yaml12.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789"))
Yaml12.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+\.[0-9]+$"), list("-+0123456789"))
Yaml12.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(~|null|)$"), ["~", "n", ""])


def read(text):
    return yaml.load(text, Loader=Yaml12)


def changed(profile, path, value):
    """A copy with the value put at the path; None removes it."""
    profile = copy.deepcopy(profile)
    place = profile
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return profile


def described(schema, path=""):
    """Every property that is a row has its sentence."""
    for name, one in schema.get("properties", {}).items():
        inner = one["items"] if one.get("type") == "array" and "properties" in one.get("items", {}) else one
        if "properties" in inner:
            assert inner["additionalProperties"] is False, path + name
            described(inner, f"{path}{name}.")
        else:
            assert one["description"].endswith("."), path + name


def main():
    schema = json.loads(subprocess.run([sys.argv[1]], check=True, capture_output=True).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    described(schema)
    validator = jsonschema.Draft202012Validator(schema)
    good = read(GOOD)
    validator.validate(good)
    for path, value in BAD:
        assert not validator.is_valid(changed(good, path, value)), f"{path} = {value!r} was taken"
    files = [f for f in sorted(glob.glob(os.path.join(sys.argv[2], "*.yaml"))) if not f.endswith(".tests.yaml")]
    assert files, "no profile found"
    for name in files:
        with open(name, encoding="utf-8") as file:
            problems = list(validator.iter_errors(read(file.read())))
        assert not problems, f"{name}: {problems[0].json_path}: {problems[0].message}"
    print(f"{len(BAD)} bad profiles refused, {len(files)} shipped ones taken")


if __name__ == "__main__":
    main()
