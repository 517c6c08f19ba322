#!/usr/bin/env python3
"""Exit 0 when the accrual pods may run on nodes that exist (the pool of the ledger is tainted)."""

import pathlib
import sys

import yaml

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
things = [t for f in root.rglob("*.yaml") if ".git" not in f.parts for t in yaml.safe_load_all(f.read_text()) if isinstance(t, dict) and "kind" in t]


def pick(kind, name):
    return next((t for t in things if t["kind"] == kind and t["metadata"]["name"] == name), None)


pod = pick("Deployment", "accrual")["spec"]["template"]["spec"]
pool = pod.get("nodeSelector", {}).get("pool")
tolerated = any(
    t.get("key") in (None, "dedicated") and (t.get("operator") == "Exists" or t.get("value") == "ledger") and t.get("effect") in (None, "", "NoSchedule")
    for t in pod.get("tolerations", [])
)
sys.exit(0 if pool is None or (pool == "ledger" and tolerated) else 1)
