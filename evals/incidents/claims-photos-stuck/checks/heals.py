"""Exit 0 when no pod of the tree asks for the node's disk and the cleaner is still there (tree: first argument, or here)."""
import sys
from pathlib import Path

import yaml

root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
docs = [doc for file in sorted((root / "deploy").rglob("*.y*ml")) for doc in yaml.safe_load_all(file.read_text()) if doc]
pods = {doc["metadata"]["name"]: doc["spec"]["template"]["spec"] for doc in docs if doc["kind"] in ("Deployment", "StatefulSet")}
allowed = not any("hostPath" in volume for pod in pods.values() for volume in pod.get("volumes") or [])
sys.exit(0 if allowed and "exif-cleaner" in pods else 1)
