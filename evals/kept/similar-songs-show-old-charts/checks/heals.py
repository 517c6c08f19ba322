#!/usr/bin/env python3
"""Exit 0 when the claim that the pods mount fits on a local volume of the cluster (150Gi each)."""

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


volumes = pick("Deployment", "similar")["spec"]["template"]["spec"]["volumes"]
claims = [pick("PersistentVolumeClaim", v["persistentVolumeClaim"]["claimName"]) for v in volumes if "persistentVolumeClaim" in v]
good = all(c and (c["spec"].get("storageClassName") != "local-ssd" or number(c["spec"]["resources"]["requests"]["storage"]) <= 150 * 2**30) for c in claims)
sys.exit(0 if claims and good else 1)
