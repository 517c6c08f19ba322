#!/usr/bin/env python3
"""Exit 0 when no pod of the pensions stands under more than one budget, and under one."""

import pathlib
import sys

import yaml

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
things = [t for f in root.rglob("*.yaml") if ".git" not in f.parts for t in yaml.safe_load_all(f.read_text()) if isinstance(t, dict) and "kind" in t]


def pick(kind, name):
    return next((t for t in things if t["kind"] == kind and t["metadata"]["name"] == name), None)


labels = pick("Deployment", "pensions")["spec"]["template"]["metadata"]["labels"]
budgets = [t for t in things if t["kind"] == "PodDisruptionBudget" and labels.items() >= t["spec"]["selector"].get("matchLabels", {}).items()]
sys.exit(0 if len(budgets) == 1 else 1)
