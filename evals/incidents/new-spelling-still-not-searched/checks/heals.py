#!/usr/bin/env python3
"""Exit 0 when a lookup pod, its init containers included, fits on a node of the cluster (about 15 GiB each)."""

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


pod = pick("Deployment", "lookup")["spec"]["template"]["spec"]


def asked(container):
    return number(container.get("resources", {}).get("requests", {}).get("memory", "0"))


need = max([sum(map(asked, pod["containers"])), *map(asked, pod.get("initContainers", []))])
sys.exit(0 if need <= 13.5 * 2**30 else 1)
