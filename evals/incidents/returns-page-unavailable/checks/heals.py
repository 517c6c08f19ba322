#!/usr/bin/env python3
"""Exit 0 when every backend of the Ingress is a Service of the tree."""
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
services = {thing["metadata"]["name"] for thing in things if thing["kind"] == "Service"}
wanted = {
    path["backend"]["service"]["name"]
    for thing in things
    if thing["kind"] == "Ingress"
    for rule in thing["spec"]["rules"]
    for path in rule["http"]["paths"]
}
sys.exit(0 if wanted and wanted <= services else 1)
