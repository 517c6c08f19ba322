#!/usr/bin/env python3
"""Exit 0 when the budget of the customs service lets at least one pod go."""
import math
import pathlib
import sys

import yaml

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
things = [
    thing
    for file in root.rglob("*.y*ml")
    if ".git" not in file.parts
    for thing in yaml.safe_load_all(file.read_text())
    if isinstance(thing, dict) and "kind" in thing
]
find = lambda kind: [t["spec"] for t in things if t["kind"] == kind and t["metadata"]["name"] == "customs"]
pods = find("Deployment")[0]["replicas"]
count = lambda v: math.ceil(pods * int(v[:-1]) / 100) if str(v).endswith("%") else int(v)
spare = [count(b["maxUnavailable"]) if "maxUnavailable" in b else pods - count(b["minAvailable"]) for b in find("PodDisruptionBudget")]
sys.exit(0 if all(one > 0 for one in spare) else 1)
