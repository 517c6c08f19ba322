#!/usr/bin/env python3
"""Exit 0 when a node (3.9 cores, 1.2 for others) takes the log forwarder and two routing pods."""

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


def asked(kind, name):
    pod = pick(kind, name)["spec"]["template"]["spec"]
    return sum(number(c["resources"].get("requests", {}).get("cpu", "0")) for c in pod["containers"])


sys.exit(0 if 1.2 + asked("DaemonSet", "log-forwarder") + 2 * asked("Deployment", "routing") <= 3.92 else 1)
