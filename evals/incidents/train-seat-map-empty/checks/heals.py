#!/usr/bin/env python3
"""Exit 0 when every key that the seat map mounts exists."""
import pathlib
import sys

import yaml

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
things = [t for f in root.rglob("*.yaml") for t in yaml.safe_load_all(f.read_text()) if isinstance(t, dict) and "kind" in t]
maps = {t["metadata"]["name"]: set(t["data"]) for t in things if t["kind"] == "ConfigMap"}
spec = next(t for t in things if t["kind"] == "Deployment" and t["metadata"]["name"] == "seatmap")["spec"]["template"]["spec"]
sources = [s["configMap"] for v in spec.get("volumes", []) for s in v.get("projected", {}).get("sources", []) if "configMap" in s]
paths = {item["path"] for s in sources for item in s["items"]}
known = all(item["key"] in maps.get(s["name"], set()) for s in sources for item in s["items"])
sys.exit(0 if known and {"coaches.json", "colours.json", "sets.json"} <= paths else 1)
