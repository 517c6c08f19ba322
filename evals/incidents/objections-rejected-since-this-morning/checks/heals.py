#!/usr/bin/env python3
"""Exit 0 when sixty working days from the eighth of October lie early in January."""
import pathlib
import sys
from datetime import date

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
sys.dont_write_bytecode = True
sys.path.insert(0, str(root / "src"))
try:
    from objections.deadlines import answer_by

    answered = answer_by(date(2026, 10, 8), "building")
    simple = answer_by(date(2026, 6, 1), "simple")
except (KeyError, ImportError):
    sys.exit(1)
sys.exit(0 if date(2026, 12, 31) < answered < date(2027, 1, 8) and simple == date(2026, 6, 29) else 1)
