#!/usr/bin/env python3
"""Exit 0 when what the settlement may use is within the bounds of a container."""

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


bounds = next(b for b in pick("LimitRange", "container-bounds")["spec"]["limits"] if b["type"] == "Container")
pod = pick("CronJob", "daily-settlement")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
limits = [number(c["resources"].get("limits", bounds["default"]).get("memory", "256Mi")) for c in pod["containers"]]
top = number(bounds.get("max", {}).get("memory", "1000Gi"))
sys.exit(0 if all(limit <= top for limit in limits) else 1)
