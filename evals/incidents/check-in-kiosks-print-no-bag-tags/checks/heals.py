#!/usr/bin/env python3
"""Exit 0 when every key of the site settings that a workload asks for exists."""

import pathlib
import sys

import yaml

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
things = [t for f in root.rglob("*.yaml") if ".git" not in f.parts for t in yaml.safe_load_all(f.read_text()) if isinstance(t, dict) and "kind" in t]


def pick(kind, name):
    return next((t for t in things if t["kind"] == kind and t["metadata"]["name"] == name), None)


keys = set(pick("ConfigMap", "site-settings")["data"])
asked = [
    e["valueFrom"]["configMapKeyRef"]
    for t in things
    if t["kind"] == "Deployment"
    for c in t["spec"]["template"]["spec"]["containers"]
    for e in c.get("env", [])
    if "configMapKeyRef" in e.get("valueFrom", {})
]
sys.exit(0 if all(a["key"] in keys or a.get("optional") for a in asked if a["name"] == "site-settings") else 1)
