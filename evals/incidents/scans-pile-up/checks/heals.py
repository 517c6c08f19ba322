"""Exit 0 when the segmentation pods fit the node with the cards (tree: first argument, or here)."""
import sys
from pathlib import Path

import yaml

NODE = {
    "kubernetes.io/arch": "amd64",
    "kubernetes.io/os": "linux",
    "kubernetes.io/hostname": "hx-gpu-1",
    "halcyon.example/class": "gpu-l4",
    "topology.kubernetes.io/zone": "hx-b",
}
GENERAL = {"halcyon.example/class": "std-8", "halcyon.example/pool": "general", "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
files = [file for file in sorted((root / "deploy").rglob("*")) if file.suffix in (".yaml", ".yml")]
docs = [doc for file in files for doc in yaml.safe_load_all(file.read_text()) if isinstance(doc, dict)]
specs = {doc["metadata"]["name"]: doc["spec"]["template"]["spec"] for doc in docs if doc.get("kind") == "Deployment"}


def tolerates(spec):
    return any(one.get("key") in (None, "nvidia.com/gpu") and one.get("effect") in (None, "NoSchedule") for one in spec.get("tolerations") or [])


try:
    pod = specs["segmentation"]
    fits = (pod.get("nodeSelector") or {}).items() <= NODE.items() and tolerates(pod) and not (pod.get("affinity") or {}).get("nodeAffinity")
    card = str(pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"]) == "1"
    others = all((spec.get("nodeSelector") or {}).items() <= GENERAL.items() for name, spec in specs.items() if name != "segmentation")
    healed = fits and card and others
except (KeyError, TypeError, IndexError):
    healed = False
sys.exit(0 if healed else 1)
