#!/usr/bin/env python3
"""Exit 0 when the money library takes a currency's code again, or both services run the builds from before."""
import pathlib
import sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
library = (root / "libs/money/format.js").read_text()
before = all(
    image in (root / f"deploy/{name}.yaml").read_text()
    for name, image in (("receipts", "/receipts:1.11.2\n"), ("invoice-api", "/invoice-api:4.9.6\n"))
)
sys.exit(0 if before or "currency.code" not in library else 1)
