#!/usr/bin/env python3
"""Exit 0 when every projected key of the risk service exists in its ConfigMap."""
import pathlib
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
maps = {thing["metadata"]["name"]: set(thing.get("data") or {}) for thing in things if thing["kind"] == "ConfigMap"}
risk = next(thing for thing in things if thing["kind"] == "Deployment" and thing["metadata"]["name"] == "risk")
sources = [
    source["configMap"]
    for volume in risk["spec"]["template"]["spec"].get("volumes", [])
    for source in (volume.get("projected") or {}).get("sources", [])
    if "configMap" in source
]
good = bool(sources) and all(
    source.get("optional") or all(item["key"] in maps.get(source["name"], ()) for item in source.get("items", []))
    for source in sources
) and any(item["key"] == "limits.yaml" for source in sources for item in source.get("items", []))
sys.exit(0 if good else 1)
