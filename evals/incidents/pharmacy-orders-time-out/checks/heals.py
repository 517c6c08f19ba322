"""Exit 0 when the tree heals the cluster (tree: first argument, or here)."""
import sys
from pathlib import Path

import yaml

root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
docs = [doc for file in sorted((root / "deploy").rglob("*.y*ml")) for doc in yaml.safe_load_all(file.read_text()) if doc]
named = {(doc["kind"], doc["metadata"]["name"]): doc for doc in docs}


def pod(kind, name):
    return named[kind, name]["spec"]["template"]["spec"]


env = {e["name"]: e.get("value") for e in pod("Deployment", "orders")["containers"][0]["env"]}
wanted = int(env.get("DB_POOL_SIZE") or 10) * named["Deployment", "orders"]["spec"].get("replicas", 1)
args = " ".join(pod("StatefulSet", "postgres")["containers"][0].get("args") or [])
have = int(args.partition("max_connections=")[2].split()[0]) if "max_connections=" in args else 100
sys.exit(0 if wanted <= have - 45 else 1)
