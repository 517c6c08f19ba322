#!/usr/bin/env python3
"""Exit 0 when the database starts transactions that may write."""
import pathlib
import sys

import yaml

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
args = next(
    thing["spec"]["template"]["spec"]["containers"][0].get("args", [])
    for file in root.rglob("*.y*ml")
    if ".git" not in file.parts
    for thing in yaml.safe_load_all(file.read_text())
    if isinstance(thing, dict) and thing.get("kind") == "StatefulSet" and thing["metadata"]["name"] == "forum-db"
)
sys.exit(1 if "default_transaction_read_only=on" in args else 0)
