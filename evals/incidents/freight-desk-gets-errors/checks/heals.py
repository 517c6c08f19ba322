"""Exit 0 when the service quotes the fares of the printed table (tree: first argument, or here)."""
import logging
import sys
from pathlib import Path

root = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
sys.path.insert(0, str(root / "src"))
logging.disable(logging.CRITICAL)

FARES = {  # (route, length, day, freight) -> cents, with the default surcharges
    ("SKR-HLM", 2.1, "2026-05-28", False): 1034,
    ("SKR-HLM", 4.4, "2026-05-28", False): 2554,
    ("SKR-HLM", 5.0, "2026-06-15", False): 3055,
    ("HLM-TJR", 5.6, "2026-12-31", False): 2055,
    ("SKR-LIN", 7.9, "2026-07-01", False): 8233,
    ("SKR-LIN", 12.0, "2026-05-28", True): 11460,
    ("SKR-LIN", 16.5, "2026-05-28", True): 17468,
    ("HLM-TJR", 18.75, "2026-02-01", True): 7655,
    ("SKR-LIN", 19.0, "2026-05-28", True): 17555,
    ("SKR-LIN", 19.5, "2026-05-28", True): 17893,
    ("SKR-HLM", 22.0, "2026-08-31", True): 15398,
    ("SKR-LIN", 25.25, "2026-05-28", True): 21774,
    ("HLM-TJR", 34.5, "2026-11-02", True): 18126,
}
REFUSED = ("/quote?route=SKR-OSL&length=4.2&day=2026-05-28", "/quote?route=SKR-HLM&length=0&day=2026-05-28", "/quote?route=SKR-HLM&length=wide&day=2026-05-28")

try:
    from tariffs.app import answer
    from tariffs.surcharges import Surcharges

    surcharges = Surcharges()
    for (route, length, day, freight), cents in FARES.items():
        target = f"/quote?route={route}&length={length}&day={day}" + ("&freight=1" if freight else "")
        status, body = answer(target, surcharges)
        if status != 200 or body["total"] != cents:
            sys.exit(1)
    if any(answer(target, surcharges)[0] != 400 for target in REFUSED) or answer("/healthz", surcharges)[0] != 200:
        sys.exit(1)
except (Exception, SystemExit):  # whatever the code under test does, it is not healed
    sys.exit(1)
