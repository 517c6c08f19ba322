#!/usr/bin/env python3
"""Exit 0 when the signer's service account is part of the tree."""
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
signer = next(t for t in things if t["kind"] == "Deployment" and t["metadata"]["name"] == "signer")
accounts = {t["metadata"]["name"] for t in things if t["kind"] == "ServiceAccount"} | {"default"}
sys.exit(0 if signer["spec"]["template"]["spec"].get("serviceAccountName", "default") in accounts else 1)
