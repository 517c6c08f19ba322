"""Exit 0 when the tree heals the cluster (tree: first argument, or here)."""
import sys
from pathlib import Path

import yaml

root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
docs = [doc for file in sorted((root / "deploy").rglob("*.y*ml")) for doc in yaml.safe_load_all(file.read_text()) if doc]
named = {(doc["kind"], doc["metadata"]["name"]): doc for doc in docs}


def pod(kind, name):
    return named[kind, name]["spec"]["template"]["spec"]


sys.path.insert(0, str(root / "libs"))
try:
    from money import parse

    good = parse("12.30") == 1230 and parse("1,200.00") == 120000 and parse("7.05") == 705
except Exception:  # whatever the judged tree raises: it does not parse amounts
    good = False
sys.exit(0 if good else 1)
