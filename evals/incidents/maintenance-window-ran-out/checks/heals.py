#!/usr/bin/env python3
"""Exit 0 when the budget of the stock service leaves room for one eviction."""
import pathlib
import sys

import yaml

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
things = [t for f in root.rglob("*.yaml") for t in yaml.safe_load_all(f.read_text()) if isinstance(t, dict) and "kind" in t]
find = lambda kind: next(t["spec"] for t in things if t["kind"] == kind and t["metadata"]["name"] == "stock")
replicas, budget = find("Deployment")["replicas"], find("PodDisruptionBudget")
share = lambda value: -(-replicas * int(value[:-1]) // 100) if str(value).endswith("%") else int(value)
room = replicas - share(budget["minAvailable"]) if "minAvailable" in budget else share(budget["maxUnavailable"])
sys.exit(0 if room >= 1 else 1)
