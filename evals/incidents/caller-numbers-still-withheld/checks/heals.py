#!/usr/bin/env python3
"""Exit 0 when a rollout of the edge, one pod on each of three nodes, frees a host port before it needs it."""

import pathlib
import sys

import yaml

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
things = [t for f in root.rglob("*.yaml") if ".git" not in f.parts for t in yaml.safe_load_all(f.read_text()) if isinstance(t, dict) and "kind" in t]


def pick(kind, name):
    return next((t for t in things if t["kind"] == kind and t["metadata"]["name"] == name), None)


spec = pick("Deployment", "sip-edge")["spec"]
strategy = spec.get("strategy", {})
rolling = strategy.get("rollingUpdate", {})
replicas = spec.get("replicas", 1)
down = rolling.get("maxUnavailable", "25%")
down = int(down[:-1]) * replicas // 100 if str(down).endswith("%") else int(down)
hosted = any("hostPort" in port for c in spec["template"]["spec"]["containers"] for port in c.get("ports", []))
sys.exit(0 if not hosted or strategy.get("type") == "Recreate" or down > 0 or replicas < 3 else 1)
