"""Exit 0 when every app finds its settings and the manifest writer knows the cut-off (tree: first argument, or here)."""
import sys
from pathlib import Path

import yaml

root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
files = [file for file in sorted((root / "deploy").rglob("*")) if file.suffix in (".yaml", ".yml")]
docs = [doc for file in files for doc in yaml.safe_load_all(file.read_text()) if isinstance(doc, dict)]
maps = {doc["metadata"]["name"]: doc.get("data") or {} for doc in docs if doc.get("kind") == "ConfigMap"}


def environment(container):
    """The container's variables; KeyError where it could not be created."""
    found = {}
    for source in container.get("envFrom") or []:
        if "configMapRef" in source:
            found.update(maps[source["configMapRef"]["name"]])
    for one in container.get("env") or []:
        ref = (one.get("valueFrom") or {}).get("configMapKeyRef")
        if ref is None:
            found[one["name"]] = one.get("value")
        elif ref.get("optional"):
            found[one["name"]] = maps.get(ref["name"], {}).get(ref["key"])
        else:
            found[one["name"]] = maps[ref["name"]][ref["key"]]
    return found


try:
    apps = {
        doc["metadata"]["name"]: environment(container)
        for doc in docs
        if doc.get("kind") in ("Deployment", "StatefulSet")
        for container in doc["spec"]["template"]["spec"]["containers"]
    }
except (KeyError, TypeError):
    sys.exit(1)
healed = apps.get("manifest-writer", {}).get("MANIFEST_CUTOFF") == "16:45" and apps.get("sorting", {}).get("CUTOFF") == "16:45"
sys.exit(0 if healed else 1)
