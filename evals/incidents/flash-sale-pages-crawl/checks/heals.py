#!/usr/bin/env python3
"""Exit 0 when the autoscaler of the web pods has a cpu request to compute with."""
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
pick = lambda kind: next(t["spec"] for t in things if t["kind"] == kind and t["metadata"]["name"] == "web")
metric = pick("HorizontalPodAutoscaler")["metrics"][0]
containers = pick("Deployment")["template"]["spec"]["containers"]
requests = {c["name"]: "cpu" in (c.get("resources") or {}).get("requests", {}) for c in containers}
wanted = requests.values() if metric["type"] == "Resource" else [requests.get(metric["containerResource"]["container"])]
sys.exit(0 if all(wanted) else 1)
