#!/usr/bin/env python3
"""Exit 0 when the intake mounts a claim that does not want somebody else's volume."""
import pathlib
import sys

import yaml

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
things = [t for f in root.rglob("*.yaml") for t in yaml.safe_load_all(f.read_text()) if isinstance(t, dict) and "kind" in t]
intake = next(t for t in things if t["kind"] == "Deployment" and t["metadata"]["name"] == "intake")
names = [v["persistentVolumeClaim"]["claimName"] for v in intake["spec"]["template"]["spec"].get("volumes", []) if "persistentVolumeClaim" in v]
claims = {t["metadata"]["name"]: t["spec"] for t in things if t["kind"] == "PersistentVolumeClaim"}
good = all(n in claims and n != "sealed-files" and claims[n].get("volumeName") != "nfs-justice-1" and claims[n].get("storageClassName") != "nfs-static" for n in names)
sys.exit(0 if good else 1)
