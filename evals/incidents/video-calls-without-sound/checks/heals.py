"""Exit 0 when some node satisfies the mixer's required rules (tree: first argument, or here)."""
import sys
from pathlib import Path

import yaml

NODES = [{"sonaro.example/audio": audio, "topology.kubernetes.io/zone": f"europe-west3-{zone}", "topology.kubernetes.io/region": "europe-west3",
          "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "cloud.google.com/gke-nodepool": "pool-1"}
         for audio, zone in (("rt", "a"), ("rt", "b"), ("no", "c"), ("no", "a"))]
root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
docs = [doc for file in sorted((root / "deploy").rglob("*.y*ml")) for doc in yaml.safe_load_all(file.read_text()) if doc]
pod = next(doc["spec"]["template"]["spec"] for doc in docs if doc["kind"] == "Deployment" and doc["metadata"]["name"] == "mixer")
required = ((pod.get("affinity") or {}).get("nodeAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution")


def fits(rule, node):
    value, values = node.get(rule["key"]), rule.get("values") or []
    return {"In": value in values, "NotIn": value not in values, "Exists": value is not None, "DoesNotExist": value is None}[rule["operator"]]


terms = required["nodeSelectorTerms"] if required else [{}]
good = any(all(fits(rule, node) for rule in term.get("matchExpressions") or []) for term in terms for node in NODES if node["sonaro.example/audio"] == "rt")
sys.exit(0 if good else 1)
