"""Exit 0 when the tree heals the cluster (tree: first argument, or here)."""
import sys
from pathlib import Path

import yaml

root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
docs = [doc for file in sorted((root / "deploy").rglob("*.y*ml")) for doc in yaml.safe_load_all(file.read_text()) if doc]
named = {(doc["kind"], doc["metadata"]["name"]): doc for doc in docs}


def pod(kind, name):
    return named[kind, name]["spec"]["template"]["spec"]


claims = [doc for doc in docs if doc["kind"] == "PersistentVolumeClaim"]
sys.exit(0 if all(doc["spec"].get("storageClassName", "gp3") == "gp3" for doc in claims) and ("Deployment", "upload") in named else 1)
