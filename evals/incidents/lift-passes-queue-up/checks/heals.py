"""Exit 0 when everything that the tree wants fits the budget for memory (tree: first argument, or here)."""
import sys
from pathlib import Path

import yaml

UNITS = {"Mi": 1, "Gi": 1024}


def mebibytes(text):
    return int(text[:-2]) * UNITS[text[-2:]]


root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
docs = [doc for file in sorted((root / "deploy").rglob("*.y*ml")) for doc in yaml.safe_load_all(file.read_text()) if doc]
wanted = 0
for doc in docs:
    if doc["kind"] in ("Deployment", "StatefulSet"):
        for container in doc["spec"]["template"]["spec"]["containers"]:
            wanted += mebibytes(container["resources"]["limits"]["memory"]) * doc["spec"].get("replicas", 1)
quotas = [doc["spec"]["hard"].get("limits.memory") for doc in docs if doc["kind"] == "ResourceQuota"]
sys.exit(0 if all(limit is None or wanted <= mebibytes(limit) for limit in quotas) else 1)
