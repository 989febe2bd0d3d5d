"""The peer of the sockets: an echo on a Sanic websocket, as one writes it: `python -m benchmarks.echo PORT PARENT`."""

import signal
import sys
from collections import defaultdict
from typing import Any


def main(port: int, parent: int) -> None:
    """Serve the echo at `/ws` and broadcasts at `/all/GROUP`, in one process on uvloop, as an engine is served.

    It ends with the parent process.
    """
    from sanic import HTTPResponse, Request, Sanic
    from sanic.response import text

    from dispatch.limits import raise_open_file_limit
    from dispatch.store.embedded.launch import tie_to_parent

    tie_to_parent(parent, signal.SIGTERM)
    raise_open_file_limit()
    app = Sanic("echo", configure_logging=False)
    app.config.update(ACCESS_LOG=False, MOTD=False, OAS=False, INSPECTOR=False)

    @app.get("/")
    async def alive(_request: Request) -> HTTPResponse:
        return text("ok")

    async def echo(_request: Request, ws: Any) -> None:
        while True:
            await ws.send(await ws.recv())

    everybody: defaultdict[str, set[Any]] = defaultdict(set)

    async def tell_all(_request: Request, ws: Any, group: str) -> None:
        everybody[group].add(ws)
        try:
            while True:
                text = await ws.recv()
                for each in list(everybody[group]):
                    await each.send(text)
        finally:
            everybody[group].discard(ws)

    app.add_websocket_route(echo, "/ws")
    app.add_websocket_route(tell_all, "/all/<group:str>")
    app.run(host="127.0.0.1", port=port, single_process=True, motd=False, access_log=False)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
