#!/usr/bin/env python3
"""Exit 0 when the premium pods together may use the two cores and a half of a Monday."""

import pathlib
import sys

import yaml

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
things = [t for f in root.rglob("*.yaml") if ".git" not in f.parts for t in yaml.safe_load_all(f.read_text()) if isinstance(t, dict) and "kind" in t]


def pick(kind, name):
    return next((t for t in things if t["kind"] == kind and t["metadata"]["name"] == name), None)


def number(text):
    for unit, factor in (("Ki", 2**10), ("Mi", 2**20), ("Gi", 2**30), ("Ti", 2**40), ("m", 0.001)):
        if str(text).endswith(unit):
            return float(str(text)[: -len(unit)]) * factor
    return float(text)


spec = pick("Deployment", "premium")["spec"]
limit = spec["template"]["spec"]["containers"][0]["resources"].get("limits", {}).get("cpu", "16")
sys.exit(0 if spec.get("replicas", 1) * number(limit) >= 2.5 else 1)
