#!/usr/bin/env python3
"""Exit 0 when the reminders role may renew its lease."""
import pathlib
import sys

import yaml

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
role = next(
    thing
    for file in root.rglob("*.y*ml")
    if ".git" not in file.parts
    for thing in yaml.safe_load_all(file.read_text())
    if isinstance(thing, dict) and thing.get("kind") == "Role" and thing["metadata"]["name"] == "reminders"
)
verbs = {verb for rule in role["rules"] if {"leases", "*"} & set(rule["resources"]) for verb in rule["verbs"]}
sys.exit(0 if "*" in verbs or {"get", "update"} <= verbs else 1)
