#!/usr/bin/env python3
"""Exit 0 when the affinity of the journal agent lets it onto ordinary nodes."""

import pathlib
import sys

import yaml

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
things = [t for f in root.rglob("*.yaml") if ".git" not in f.parts for t in yaml.safe_load_all(f.read_text()) if isinstance(t, dict) and "kind" in t]


def pick(kind, name):
    return next((t for t in things if t["kind"] == kind and t["metadata"]["name"] == name), None)


pod = pick("DaemonSet", "journal-agent")["spec"]["template"]["spec"]
labels = {"row.io/class": "app", "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}


def holds(rule):
    there, value = rule["key"] in labels, labels.get(rule["key"])
    return {"In": there and value in rule.get("values", []), "NotIn": value not in rule.get("values", []), "Exists": there, "DoesNotExist": not there}[rule["operator"]]


required = pod.get("affinity", {}).get("nodeAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution")
terms = required["nodeSelectorTerms"] if required else [{"matchExpressions": []}]
fits = any(all(holds(rule) for rule in term.get("matchExpressions", [])) for term in terms)
sys.exit(0 if fits and labels.items() >= pod.get("nodeSelector", {}).items() else 1)
