"""Exit 0 when the tree heals the cluster (tree: first argument, or here)."""
import sys
from pathlib import Path

import yaml

root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
docs = [doc for file in sorted((root / "deploy").rglob("*.y*ml")) for doc in yaml.safe_load_all(file.read_text()) if doc]
named = {(doc["kind"], doc["metadata"]["name"]): doc for doc in docs}


def pod(kind, name):
    return named[kind, name]["spec"]["template"]["spec"]


spec = pod("Deployment", "sync")
servers = (spec.get("dnsConfig") or {}).get("nameservers") or []
sys.exit(0 if spec.get("dnsPolicy", "ClusterFirst") in ("ClusterFirst",) or "10.43.0.10" in servers and spec.get("dnsPolicy") == "None" and any("svc.cluster.local" in s for s in spec["dnsConfig"].get("searches") or []) else 1)
