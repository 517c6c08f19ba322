#!/usr/bin/env python3
"""Exit 0 when the cards ask for no absent key and the Service of the routing leads to its port."""
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
pick = lambda kind, name: next(t["spec"] for t in things if t["kind"] == kind and t["metadata"]["name"] == name)
env = pick("Deployment", "greeting")["template"]["spec"]["containers"][0].get("env", [])
refs = [e["valueFrom"]["secretKeyRef"] for e in env if "secretKeyRef" in e.get("valueFrom", {})]
keys = all(r.get("optional") or r["key"] == "token" for r in refs if r["name"] == "greeting-fonts")
ports = pick("Service", "routing")["ports"][0].get("targetPort", 8090)
sys.exit(0 if keys and ports in (8090, "http") else 1)
