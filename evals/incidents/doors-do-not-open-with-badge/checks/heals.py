#!/usr/bin/env python3
"""Exit 0 when nothing beside the application claims port 9901 in the policy pods."""
import pathlib
import re
import sys

import yaml

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
things = [
    thing
    for file in root.rglob("*.y*ml")
    if ".git" not in file.parts
    for thing in yaml.safe_load_all(file.read_text())
    if isinstance(thing, dict) and "kind" in thing
]
policy = next(t for t in things if t["kind"] == "Deployment" and t["metadata"]["name"] == "policy")
containers = [c["name"] for c in policy["spec"]["template"]["spec"]["containers"]]
config = next((t["data"]["envoy.yaml"] for t in things if t["metadata"]["name"] == "telemetry-envoy"), "")
clash = "telemetry" in containers and re.search(r"port_value: *9901", config)
sys.exit(1 if clash or "policy" not in containers else 0)
