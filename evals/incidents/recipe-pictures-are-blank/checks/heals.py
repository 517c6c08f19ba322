#!/usr/bin/env python3
"""Exit 0 when the claim that media mounts asks for an access mode of its volume."""
import pathlib
import sys

import yaml

MODES = {"nfs-media-a": {"ReadOnlyMany"}, "nfs-media-b": {"ReadWriteOnce"}}
root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
things = [t for f in root.rglob("*.yaml") for t in yaml.safe_load_all(f.read_text()) if isinstance(t, dict) and "kind" in t]
media = next(t for t in things if t["kind"] == "Deployment" and t["metadata"]["name"] == "media")
name = next(v["persistentVolumeClaim"]["claimName"] for v in media["spec"]["template"]["spec"]["volumes"] if "persistentVolumeClaim" in v)
claim = next((t["spec"] for t in things if t["kind"] == "PersistentVolumeClaim" and t["metadata"]["name"] == name), None)
sys.exit(0 if claim and set(claim["accessModes"]) <= MODES.get(claim["volumeName"], set()) else 1)
