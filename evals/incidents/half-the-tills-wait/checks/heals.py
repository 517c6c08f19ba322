"""Exit 0 when every wanted fiscal pod finds a node: three workers, one taint (tree: first argument, or here)."""
import sys
from pathlib import Path

import yaml

root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
docs = [doc for file in sorted((root / "deploy").rglob("*.y*ml")) for doc in yaml.safe_load_all(file.read_text()) if doc]
spec = next(doc["spec"] for doc in docs if doc["kind"] == "Deployment" and doc["metadata"]["name"] == "fiscal")
affinity = spec["template"]["spec"].get("affinity") or {}
strict = (affinity.get("podAntiAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution")
sys.exit(0 if not strict or 1 <= spec.get("replicas", 1) <= 3 else 1)
