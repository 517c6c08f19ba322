#!/usr/bin/env python3
"""Exit 0 when the claim that the vault mounts selects a volume that exists."""
import pathlib
import sys

import yaml

VOLUMES = ({"medium": "nfs", "generation": "g1"}, {"medium": "nfs", "generation": "g2"})
root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
things = [
    thing
    for file in root.rglob("*.y*ml")
    if ".git" not in file.parts
    for thing in yaml.safe_load_all(file.read_text())
    if isinstance(thing, dict) and "kind" in thing
]
vault = next(thing for thing in things if thing["kind"] == "Deployment" and thing["metadata"]["name"] == "vault")
name = vault["spec"]["template"]["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"]
claims = [t for t in things if t["kind"] == "PersistentVolumeClaim" and t["metadata"]["name"] == name]
if not claims:
    sys.exit(1)
selector = claims[0]["spec"].get("selector") or {}


def fits(labels):
    return all(labels.get(k) == v for k, v in (selector.get("matchLabels") or {}).items()) and all(
        rule["operator"] == "Exists" or (rule["operator"] == "In" and labels.get(rule["key"]) in rule["values"])
        for rule in selector.get("matchExpressions") or ()
    )


sys.exit(0 if any(map(fits, VOLUMES)) else 1)
