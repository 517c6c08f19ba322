#!/usr/bin/env python3
"""Exit 0 when a diagnostics command, which takes seconds, has the time to answer, or the probe runs none."""

import pathlib
import sys

import yaml

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
things = [t for f in root.rglob("*.yaml") if ".git" not in f.parts for t in yaml.safe_load_all(f.read_text()) if isinstance(t, dict) and "kind" in t]


def pick(kind, name):
    return next((t for t in things if t["kind"] == kind and t["metadata"]["name"] == name), None)


probe = pick("StatefulSet", "print-bus")["spec"]["template"]["spec"]["containers"][0].get("livenessProbe")
sys.exit(0 if probe and ("exec" not in probe or probe.get("timeoutSeconds", 1) >= 5) else 1)
