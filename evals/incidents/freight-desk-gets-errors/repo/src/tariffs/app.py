"""HTTP: ``GET /quote?route=SKR-HLM&length=4.4&day=2026-05-01[&freight=1]`` and ``GET /healthz``."""

import json
import logging
import time
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tariffs.quote import ROUTES, Request, quote
from tariffs.surcharges import Surcharges, load

log = logging.getLogger("tariffs")


class BadRequest(Exception):
    """What was asked makes no sense."""


def answer(target: str, surcharges: Surcharges) -> tuple[int, dict]:
    """Status and body for a request target."""
    url = urlsplit(target)
    if url.path == "/healthz":
        return 200, {"ok": True}
    if url.path != "/quote":
        return 404, {"error": "not found"}
    try:
        return 200, quote(_read(parse_qs(url.query)), surcharges)
    except BadRequest as error:
        return 400, {"error": str(error)}
    except Exception:
        log.exception("no fare for %s", url.query)
        return 500, {"error": "internal error"}


def _read(query: dict[str, list[str]]) -> Request:
    try:
        request = Request(
            route=query["route"][0],
            length_m=float(query["length"][0]),
            day=date.fromisoformat(query["day"][0]),
            freight=query.get("freight") == ["1"],
        )
    except (KeyError, ValueError) as error:
        raise BadRequest(f"cannot read the request: {error}") from error
    if request.route not in ROUTES:
        raise BadRequest(f"no such route: {request.route}")
    if not 0 < request.length_m < 40:
        raise BadRequest("length is in metres")
    return request


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    surcharges = Surcharges()

    def do_GET(self) -> None:
        began = time.perf_counter()
        status, body = answer(self.path, self.surcharges)
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        if self.path != "/healthz":
            log.info("%s %s %d %.1fms", self.command, self.path, status, (time.perf_counter() - began) * 1000)

    def log_message(self, format: str, *args: object) -> None:
        """We log ourselves."""


def serve(port: int = 8080) -> None:
    """Serve for ever."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s", level=logging.INFO)
    Handler.surcharges = load()
    log.info("surcharges %s", Handler.surcharges)
    log.info("listening on :%d", port)
    ThreadingHTTPServer(("", port), Handler).serve_forever()
