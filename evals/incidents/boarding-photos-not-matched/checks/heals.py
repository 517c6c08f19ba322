#!/usr/bin/env python3
"""Exit 0 when the matcher keeps to the allowed ratio of limit to request."""
import pathlib
import sys

import yaml

UNITS = {"Mi": 1, "Gi": 1024}
root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
things = [
    thing
    for file in root.rglob("*.y*ml")
    if ".git" not in file.parts
    for thing in yaml.safe_load_all(file.read_text())
    if isinstance(thing, dict) and "kind" in thing
]
mebibytes = lambda text: float(text[:-2]) * UNITS[text[-2:]]
matcher = next(t for t in things if t["kind"] == "Deployment" and t["metadata"]["name"] == "matcher")
resources = matcher["spec"]["template"]["spec"]["containers"][0]["resources"]
ranges = [t for t in things if t["kind"] == "LimitRange"]
ratio = min((float(t["spec"]["limits"][0].get("maxLimitRequestRatio", {}).get("memory", 1e9)) for t in ranges), default=1e9)
given = mebibytes(resources["limits"]["memory"]) / mebibytes(resources["requests"]["memory"])
sys.exit(0 if given <= ratio else 1)
