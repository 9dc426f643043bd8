"""Checks that every example in docs/openapi.json fits its schema."""

import json
import sys

import jsonschema_rs

document = json.load(open(sys.argv[1]))
flaws = []
count = 0
for name, schema in document["components"]["schemas"].items():
    whole = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    validator = jsonschema_rs.Draft202012Validator(whole)
    for example in schema.get("examples", []):
        count += 1
        flaws += [f"{name}: /{'/'.join(map(str, flaw.instance_path))}: {flaw.message}" for flaw in validator.iter_errors(example)]
print(f"examples: {count} checked, {len(flaws)} flaws")
print("\n".join(flaws))
sys.exit(bool(flaws) or count == 0)
