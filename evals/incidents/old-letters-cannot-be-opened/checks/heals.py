#!/usr/bin/env python3
"""Exit 0 when the claim that the vault mounts fits on its volume."""
import pathlib
import sys

import yaml

SIZES = {"nfs-vault-01": 200, "nfs-vault-02": 500}
root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
things = [t for f in root.rglob("*.yaml") for t in yaml.safe_load_all(f.read_text()) if isinstance(t, dict) and "kind" in t]
vault = next(t for t in things if t["kind"] == "Deployment" and t["metadata"]["name"] == "vault")
name = next(v["persistentVolumeClaim"]["claimName"] for v in vault["spec"]["template"]["spec"]["volumes"] if "persistentVolumeClaim" in v)
claim = next((t["spec"] for t in things if t["kind"] == "PersistentVolumeClaim" and t["metadata"]["name"] == name), None)
sys.exit(0 if claim and int(claim["resources"]["requests"]["storage"].removesuffix("Gi")) <= SIZES.get(claim["volumeName"], 0) else 1)
