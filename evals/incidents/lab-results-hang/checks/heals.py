"""Exit 0 when the tree heals the cluster (tree: first argument, or here)."""
import sys
from pathlib import Path

import yaml

root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
docs = [doc for file in sorted((root / "deploy").rglob("*.y*ml")) for doc in yaml.safe_load_all(file.read_text()) if doc]
named = {(doc["kind"], doc["metadata"]["name"]): doc for doc in docs}


def pod(kind, name):
    return named[kind, name]["spec"]["template"]["spec"]


volumes = pod("Deployment", "results").get("volumes") or []
claims = [v["persistentVolumeClaim"]["claimName"] for v in volumes if "persistentVolumeClaim" in v]
bad = [c for c in claims if c not in ("quality-files",) and named.get(("PersistentVolumeClaim", c), {"spec": {"volumeName": "lab-files"}})["spec"].get("volumeName") == "lab-files"]
sys.exit(1 if bad else 0)
