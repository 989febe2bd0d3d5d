"""A real HTTP server on this machine that speaks the matrices of Valhalla and OSRM, for tests."""

import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from geo.travel import distance_m

EAST_END = 127.0
"""Beyond this longitude there are no roads."""
ISLAND = 126.9
"""Beyond this one there are roads, but no bridge to them."""


def seconds(a: tuple[float, float], b: tuple[float, float]) -> float | None:
    """A twelfth of a second a metre, half as long again to the west; None to and from the island."""
    if (a[0] > ISLAND) != (b[0] > ISLAND):
        return None
    return distance_m(*a, *b) / 12.0 * (1.5 if b[0] < a[0] else 1.0)


class RoutingServer(ThreadingHTTPServer):
    """Counts what it is asked; `broken` makes it answer something else, `silent` not at all until it is set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, int]] = []
        self.broken: bytes | None = None
        self.status = 200
        self.answering = threading.Event()
        self.answering.set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def routing_server() -> Iterator[RoutingServer]:
    """Run a server until the block ends."""
    server = RoutingServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.answering.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: RoutingServer

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        places = [tuple(map(float, each.split(","))) for each in path.rsplit("/", 1)[1].split(";")]
        asked = dict(each.split("=") for each in query.split("&"))
        sources, targets = ([places[int(n)] for n in asked[name].split(";")] for name in ("sources", "destinations"))
        if not path.startswith("/table/v1/driving/"):
            self._answer(404, {})
        elif any(place[0] > EAST_END for place in places):
            self._answer(400, {"code": "NoSegment", "message": "Could not find a matching segment for coordinate 0"})
        else:
            self._matrix("osrm", sources, targets, {"code": "Ok"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        sources, targets = ([(p["lon"], p["lat"]) for p in body[name]] for name in ("sources", "targets"))
        if self.path != "/sources_to_targets" or body["costing"] != "auto":
            self._answer(404, {})
        elif len(sources) * len(targets) > 2500:
            self._answer(400, {"error_code": 150, "error": "Exceeded max locations", "status_code": 400})
        elif any(lon > EAST_END for lon, _ in [*sources, *targets]):
            self._answer(400, {"error_code": 171, "error": "No suitable edges near location", "status_code": 400})
        else:
            self._matrix("valhalla", sources, targets, {"units": "kilometers"})

    def _matrix(self, kind: str, sources: Any, targets: Any, answer: dict[str, Any]) -> None:
        self.server.asked.append((kind, len(sources) * len(targets)))
        rows = [[seconds(a, b) for b in targets] for a in sources]
        if kind == "osrm":
            answer["durations"] = rows
        else:
            answer["sources_to_targets"] = [
                [
                    {"time": None if t is None else math.floor(t), "distance": 1.0, "from_index": i, "to_index": j}
                    for j, t in enumerate(row)
                ]
                for i, row in enumerate(rows)
            ]
        self._answer(self.server.status, answer)

    def _answer(self, status: int, answer: dict[str, Any]) -> None:
        self.server.answering.wait(30)
        content = self.server.broken if self.server.broken is not None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        try:
            self.wfile.write(content)
        except OSError:
            return  # who asked has gone

    def log_message(self, format: str, *args: Any) -> None:
        return
