"""Exit 0 when the tree heals the cluster (tree: first argument, or here)."""
import sys
from pathlib import Path

import yaml

root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
docs = [doc for file in sorted((root / "deploy").rglob("*.y*ml")) for doc in yaml.safe_load_all(file.read_text()) if doc]
named = {(doc["kind"], doc["metadata"]["name"]): doc for doc in docs}


def pod(kind, name):
    return named[kind, name]["spec"]["template"]["spec"]


claim = named.get(("PersistentVolumeClaim", "studies-2026"))
size = claim["spec"]["resources"]["requests"]["storage"] if claim else "0Ti"
mebi = float(size[:-2]) * {"Mi": 1, "Gi": 1024, "Ti": 1024 * 1024}[size[-2:]]
sys.exit(0 if mebi <= 2 * 1024 * 1024 else 1)
