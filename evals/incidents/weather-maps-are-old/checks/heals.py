"""Exit 0 when the model runner may go to the compute nodes (tree: first argument, or here)."""
import sys
from pathlib import Path

import yaml

root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
docs = [doc for file in sorted((root / "deploy").rglob("*.y*ml")) for doc in yaml.safe_load_all(file.read_text()) if doc]
pod = next(doc["spec"]["template"]["spec"] for doc in docs if doc["kind"] == "Deployment" and doc["metadata"]["name"] == "model-runner")


def tolerates(one):
    key = one.get("key") in (None, "workload") and (one.get("key") or one.get("operator") == "Exists")
    value = one.get("operator") == "Exists" or one.get("value") == "numeric"
    return bool(key and value and one.get("effect") in (None, "", "NoSchedule"))


free = pod.get("nodeSelector", {}).get("pool") == "general"
sys.exit(0 if free or any(map(tolerates, pod.get("tolerations") or [])) else 1)
