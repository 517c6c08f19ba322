#!/usr/bin/env python3
"""Exit 0 when the geo service is told where its database is."""
import pathlib
import sys

import yaml

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
geo = next(
    thing["spec"]["template"]["spec"]["containers"][0]
    for file in root.rglob("*.y*ml")
    if ".git" not in file.parts
    for thing in yaml.safe_load_all(file.read_text())
    if isinstance(thing, dict) and thing.get("kind") == "Deployment" and thing["metadata"]["name"] == "geo"
)
wanted = {"name": "GEO_DB", "value": "/usr/share/geo/country.mmdb"}
sys.exit(0 if wanted in geo.get("env", []) else 1)
