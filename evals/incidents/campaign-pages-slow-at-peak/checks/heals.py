#!/usr/bin/env python3
"""Exit 0 when all wanted landing pods fit into the namespace's memory budget."""
import pathlib
import sys

import yaml

UNITS = {"Ki": 1 / 1024, "Mi": 1, "Gi": 1024, "Ti": 1024 * 1024}
OTHERS = 7808
root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
things = [
    thing
    for file in root.rglob("*.y*ml")
    if ".git" not in file.parts
    for thing in yaml.safe_load_all(file.read_text())
    if isinstance(thing, dict) and "kind" in thing
]
mebibytes = lambda text: float(text[:-2]) * UNITS[text[-2:]]
landing = next(t for t in things if t["kind"] == "Deployment" and t["metadata"]["name"] == "landing")["spec"]
limit = mebibytes(landing["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"])
budget = next((t["spec"]["hard"].get("limits.memory") for t in things if t["kind"] == "ResourceQuota"), None)
sys.exit(0 if budget is None or OTHERS + landing["replicas"] * limit <= mebibytes(budget) else 1)
