"""Exit 0 when the tree heals the cluster (tree: first argument, or here)."""
import sys
from pathlib import Path

import yaml

root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
docs = [doc for file in sorted((root / "deploy").rglob("*.y*ml")) for doc in yaml.safe_load_all(file.read_text()) if doc]
named = {(doc["kind"], doc["metadata"]["name"]): doc for doc in docs}


def pod(kind, name):
    return named[kind, name]["spec"]["template"]["spec"]


container = pod("Deployment", "boarding")["containers"][0]
major = int(container["image"].rsplit(":", 1)[1].split(".")[0])
path = (container.get("livenessProbe") or {}).get("httpGet", {}).get("path")
ready = container["readinessProbe"]["httpGet"]["path"]
sys.exit(0 if (path, ready) in ({("/healthz/live", "/healthz/ready"), ("/healthz", "/healthz/ready")} if major >= 6 else {("/health", "/health")}) or major >= 6 and path in ("/healthz/live", "/healthz/ready") else 1)
