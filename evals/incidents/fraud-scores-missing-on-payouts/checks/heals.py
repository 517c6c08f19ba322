#!/usr/bin/env python3
"""Exit 0 when no claim that the scoring mounts asks block storage for several writers, or for one writer with several pods."""

import pathlib
import sys

import yaml

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
things = [t for f in root.rglob("*.yaml") if ".git" not in f.parts for t in yaml.safe_load_all(f.read_text()) if isinstance(t, dict) and "kind" in t]


def pick(kind, name):
    return next((t for t in things if t["kind"] == kind and t["metadata"]["name"] == name), None)


spec = pick("Deployment", "scoring")["spec"]
claims = [pick("PersistentVolumeClaim", v["persistentVolumeClaim"]["claimName"]) for v in spec["template"]["spec"].get("volumes", []) if "persistentVolumeClaim" in v]
wide = [c for c in claims if c is None or (c["spec"].get("storageClassName", "gp3") == "gp3" and c["spec"]["accessModes"] != ["ReadWriteOnce"])]
sys.exit(0 if not wide else 1)
