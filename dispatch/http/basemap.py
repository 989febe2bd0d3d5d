"""What the console's map is drawn on, where an operator has configured it: its description, and its file if any.

A PMTiles file is an archive of which a browser asks for pieces: `GET /basemap.pmtiles` answers `Range` with 206, so
that no other host is needed. It is streamed from the disk and never held whole.
"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import asdict
from sanic import HTTPResponse, Request
from sanic.exceptions import HeaderNotFound, InvalidRangeType, RangeNotSatisfiable
from sanic.handlers import ContentRangeHandler
from sanic.response import ResponseStream, file_stream, json

from dispatch.http.routing import LOOK, App

if TYPE_CHECKING:
    from dispatch.config import BasemapSettings

FILE = "/basemap.pmtiles"
BYTES = "application/octet-stream"
CHUNK = 64 * 1024
KEPT_FOR_S = 3600
"""A browser may keep its pieces so long; a file is replaced with a start."""


def mount_basemap(app: App, basemap: "BasemapSettings") -> None:
    """Tell pages what their map is drawn on, and serve its file where it is one of this machine's."""
    told = {name: value for name, value in asdict(basemap).items() if name != "file"}
    if basemap.file:
        told["url"] = FILE

    @app.route("/basemap.json", methods=LOOK)
    async def basemap_json(_request: Request) -> HTTPResponse:
        """Give what the map is drawn on; 204 where that is nothing."""
        return json(told) if told["url"] else HTTPResponse(status=204)

    if basemap.file:
        archive = basemap.file

        @app.route(FILE, methods=("GET",))  # type: ignore[arg-type]  # Sanic takes a stream, and does not say so
        async def basemap_file(request: Request) -> HTTPResponse | ResponseStream:
            """Give a piece of the file, or all of it."""
            return await _piece(request, archive)


async def _piece(request: Request, archive: Path) -> HTTPResponse | ResponseStream:
    stats = await asyncio.to_thread(archive.stat)
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": f"public, max-age={KEPT_FOR_S}",
        "Content-Length": str(stats.st_size),
        "ETag": f'"{stats.st_mtime_ns:x}-{stats.st_size:x}"',
    }
    try:
        wanted = ContentRangeHandler(request, stats)
    except HeaderNotFound:
        return await file_stream(archive, chunk_size=CHUNK, mime_type=BYTES, headers=headers)
    except (InvalidRangeType, RangeNotSatisfiable):
        return _no_such_piece(stats.st_size)
    first, last = wanted.start, wanted.end
    if first is None or last is None or not 0 <= first < stats.st_size:
        return _no_such_piece(stats.st_size)
    # A client cannot know how long the file is, and may ask for more than there is.
    wanted.end = min(last, stats.st_size - 1)
    wanted.size = wanted.end - first + 1
    headers["Content-Length"] = str(wanted.size)
    return await file_stream(archive, chunk_size=CHUNK, mime_type=BYTES, headers=headers, _range=wanted)


def _no_such_piece(size: int) -> HTTPResponse:
    return HTTPResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
