"""Exit 0 when the tree heals the cluster (tree: first argument, or here)."""
import sys
from pathlib import Path

import yaml

root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
docs = [doc for file in sorted((root / "deploy").rglob("*.y*ml")) for doc in yaml.safe_load_all(file.read_text()) if doc]
named = {(doc["kind"], doc["metadata"]["name"]): doc for doc in docs}


def pod(kind, name):
    return named[kind, name]["spec"]["template"]["spec"]


maps = {doc["metadata"]["name"] for doc in docs if doc["kind"] == "ConfigMap"}
wanted = {x["configMapRef"]["name"] for x in pod("Deployment", "labels")["containers"][0].get("envFrom") or []}
target = named["Service", "slots"]["spec"]["ports"][0]["targetPort"]
sys.exit(0 if wanted <= maps and target in ("http", 8080) else 1)
