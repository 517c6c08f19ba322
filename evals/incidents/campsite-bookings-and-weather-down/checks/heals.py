#!/usr/bin/env python3
"""Exit 0 when no flag of the weather service is left without its value."""
import pathlib
import sys

import yaml

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
things = list(yaml.safe_load_all((root / "deploy/weather.yaml").read_text()))
args = next(t for t in things if t["kind"] == "Deployment")["spec"]["template"]["spec"]["containers"][0].get("args", [])
words = " ".join(args).replace("=", " ").split()
sys.exit(0 if len(words) % 2 == 0 and all(w.startswith("--") == (k % 2 == 0) for k, w in enumerate(words)) else 1)
