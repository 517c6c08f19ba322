#!/usr/bin/env python3
"""Exit 0 when the launcher's role lets it create and list jobs, and no wildcard was handed out."""
import pathlib
import sys

import yaml

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
things = [t for f in root.rglob("*.yaml") for t in yaml.safe_load_all(f.read_text()) if isinstance(t, dict) and "kind" in t]
rules = next(t["rules"] for t in things if t["kind"] == "Role" and t["metadata"]["name"] == "launcher")
wide = any("*" in rule[key] for rule in rules for key in ("apiGroups", "resources", "verbs"))
good = any("batch" in r["apiGroups"] and "jobs" in r["resources"] and {"create", "list"} <= set(r["verbs"]) for r in rules)
sys.exit(0 if good and not wide else 1)
