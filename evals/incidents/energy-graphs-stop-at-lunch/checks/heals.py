#!/usr/bin/env python3
"""Exit 0 when what the series database keeps fits on its volume (about a gigabyte a day)."""
import pathlib
import re
import sys

import yaml

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
things = list(yaml.safe_load_all((root / "deploy/tsdb.yaml").read_text()))
args = " ".join(next(t for t in things if t["kind"] == "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"])
days = int(re.search(r"retention=(\d+)d", args)[1])
size = next(t for t in things if t["kind"] == "PersistentVolumeClaim")["spec"]["resources"]["requests"]["storage"]
gigabytes = float(size[:-2]) * {"Gi": 1, "Ti": 1024}[size[-2:]]
sys.exit(0 if days * 0.95 < gigabytes or gigabytes >= 60 else 1)
