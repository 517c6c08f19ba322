#!/usr/bin/env python3
"""Exit 0 when the lifts and a collector beside them do not want the same port for their metrics (the collector takes 8888 if not told otherwise)."""

import pathlib
import sys

import yaml

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
things = [t for f in root.rglob("*.yaml") if ".git" not in f.parts for t in yaml.safe_load_all(f.read_text()) if isinstance(t, dict) and "kind" in t]


def pick(kind, name):
    return next((t for t in things if t["kind"] == kind and t["metadata"]["name"] == name), None)


pod = pick("Deployment", "lifts")["spec"]["template"]["spec"]
beside = [c for c in [*pod.get("initContainers", []), *pod["containers"]] if "collector" in c["image"]]
config = yaml.safe_load(pick("ConfigMap", "otel-sidecar")["data"]["config.yaml"])
own = str(config["service"].get("telemetry", {}).get("metrics", {}).get("address", ":8888")).rsplit(":", 1)[-1]
level = config["service"].get("telemetry", {}).get("metrics", {}).get("level")
for argument in (a for c in beside for a in c.get("args", [])):
    if "telemetry::metrics::address" in argument:
        own = argument.rsplit(":", 1)[-1]
main = next(c for c in pod["containers"] if c not in beside)
wanted = next((e["value"].rsplit(":", 1)[-1] for e in main["env"] if e["name"] == "METRICS_ADDR"), None)
sys.exit(0 if not beside or level == "none" or wanted != own else 1)
