"""Exit 0 when the tree (first argument, or here) would run well."""
import re
import sys
from pathlib import Path

import yaml

root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
docs = [d for p in sorted(root.rglob("*.y*ml")) for d in yaml.safe_load_all(p.read_text()) if isinstance(d, dict) and "kind" in d]


def text(name):
    return (root / name).read_text() if (root / name).is_file() else ""


def get(kind, name, namespace=None):
    return next((d for d in docs if d["kind"] == kind and d["metadata"]["name"] == name and namespace in (None, d["metadata"].get("namespace"))), None)


def pod(name):
    one = next((d for d in docs if d["kind"] in ("Deployment", "StatefulSet", "DaemonSet") and d["metadata"]["name"] == name), None)
    return one["spec"]["template"] if one else None


def box(name, container=None):
    return next((c for c in (pod(name) or {"spec": {"containers": []}})["spec"]["containers"] if container in (None, c["name"])), {})


def env(name, key, container=None):
    one, value = box(name, container), None
    for source in one.get("envFrom", []):
        held = get("ConfigMap", source.get("configMapRef", {}).get("name")) or {}
        value = held.get("data", {}).get(key, value)
    for var in one.get("env", []):
        if var["name"] == key:
            ref = var.get("valueFrom", {}).get("configMapKeyRef")
            value = (get("ConfigMap", ref["name"]) or {}).get("data", {}).get(ref["key"]) if ref else var.get("value")
    return value


def size(value):
    found = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(value))
    units = {"": 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
    return float(found[1]) * units[found[2]] if found else 0


limit = box("calculator").get("resources", {}).get("limits", {}).get("cpu")
sys.exit(0 if limit is None or size(limit) >= 1 else 1)
