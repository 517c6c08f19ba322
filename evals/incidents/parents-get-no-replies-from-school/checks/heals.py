#!/usr/bin/env python3
"""Exit 0 when what the shell of the messages container is given ends in the server process."""

import pathlib
import sys

import yaml

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
things = [t for f in root.rglob("*.yaml") if ".git" not in f.parts for t in yaml.safe_load_all(f.read_text()) if isinstance(t, dict) and "kind" in t]


def pick(kind, name):
    return next((t for t in things if t["kind"] == kind and t["metadata"]["name"] == name), None)


container = pick("Deployment", "messages")["spec"]["template"]["spec"]["containers"][0]
words = [*container.get("command", []), *container.get("args", [])]
script = words[words.index("-c") + 1] if "-c" in words else " ".join(words)
sys.exit(0 if "php-fpm" in script or not words else 1)
