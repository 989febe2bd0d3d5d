"""The web apps as they were built into `dispatch/http/site/`: pages, hashed assets, the phone's service worker.

Everything is read once at the start and served from memory, compressed where the browser takes it. Assets carry the
hash of their content in their name and may be kept for ever; pages are asked for again each time and answered with 304
while they are the same. No page may talk to another host, unless a basemap's is configured.
"""

import re
from collections.abc import Iterable
from hashlib import blake2b
from mimetypes import guess_type
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from sanic import HTTPResponse, Request
from sanic.response import json, raw

from dispatch import web_build
from dispatch.errors import Unavailable
from dispatch.http.basemap import mount_basemap
from dispatch.http.routing import LOOK, App, problem
from dispatch.logs import logger

if TYPE_CHECKING:
    from dispatch.engine import Engine

PAGES = {"/": "index.html", "/crew": "crew.html", "/console": "console.html", "/sla": "sla.html"}
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".webmanifest": "application/manifest+json"}
_HOST = re.compile(r"[\w.\-]+(:\d+)?|\[[0-9a-f:]+\](:\d+)?", re.IGNORECASE)
log = logger("pages")


class Asset(Struct, frozen=True):
    """One file of the site, in the encodings that it is served in; `""` is the plain one."""

    content_type: str
    cache: str
    etag: str
    bodies: dict[str, bytes]


def read_site(site: Path) -> dict[str, Asset]:
    """Return the files of a built site by their path in the address."""
    assets = {}
    for file in site.rglob("*"):
        inside = file.relative_to(site)
        if not file.is_file() or inside.parts[0].startswith(".") or file.suffix in (".gz", ".br"):
            continue
        plain = file.read_bytes()
        bodies = {"": plain}
        for encoding, ending in (("br", ".br"), ("gzip", ".gz")):
            packed = file.with_name(file.name + ending)
            if packed.exists():
                bodies[encoding] = packed.read_bytes()
        kind = _TYPES.get(file.suffix) or guess_type(file.name)[0] or "application/octet-stream"
        text = kind.startswith("text/") or kind.endswith(("json", "xml"))
        assets[f"/{inside.as_posix()}"] = Asset(
            content_type=f"{kind}; charset=utf-8" if text else kind,
            cache=FOR_EVER if inside.parts[0] == "assets" else ASK_AGAIN,
            etag=f'W/"{blake2b(plain, digest_size=12).hexdigest()}"',
            bodies=bodies,
        )
    return assets


def page_headers(host: str, map_hosts: Iterable[str] = ()) -> dict[str, str]:
    """Return what every page says of itself; `map_hosts` are the origins of a configured basemap, and nobody else's."""
    # Old browsers do not count a socket to the page's own host as 'self'.
    own = f"'self' ws://{host} wss://{host}" if _HOST.fullmatch(host) else "'self'"
    others = "".join(f" {origin}" for origin in map_hosts)
    return {
        "Content-Security-Policy": f"default-src 'self'; connect-src {own}{others}; "
        f"img-src 'self' data: blob:{others}; worker-src 'self' blob:; "
        "frame-ancestors 'none'; form-action 'self'; base-uri 'none'; object-src 'none'",
        "Permissions-Policy": "geolocation=(self), camera=(self), screen-wake-lock=(self)",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def mount_pages(app: App, engine: "Engine") -> None:
    """Serve the pages, and say in the log where they are missing or older than their sources."""
    assets = read_site(web_build.SITE) if web_build.SITE.exists() else {}
    if not assets:
        log.warning("the web apps are not built: run 'python -m dispatch.web_build' and start again")
    elif web_build.is_stale():
        log.warning("the web apps are older than their sources: run 'python -m dispatch.web_build' and start again")
    basemap = engine.settings.basemap
    origins = basemap.origins
    for path, name in PAGES.items():
        app.add_route(_shower(assets.get(f"/{name}"), origins), path, methods=LOOK, name=f"page_{name[:-5]}")
    for path, asset in assets.items():
        if path[1:] not in PAGES.values():
            name = "file_" + re.sub(r"\W", "_", path[1:])
            app.add_route(_shower(asset, origins), path, methods=LOOK, name=name)

    mount_basemap(app, basemap)

    @app.route("/demo.json", methods=LOOK)
    async def demo(_request: Request) -> HTTPResponse:
        """Give the sign-ins of made-up people, in a demo city alone; 204 everywhere else."""
        if not engine.settings.demo:
            return HTTPResponse(status=204)
        from dispatch.demo.population import Population

        people = Population.kept_in(engine.settings.data_dir)
        told: dict[str, Any] = {"crew": None, "console": None, "sla": None, "crew_at": None}
        if people is not None:
            you = people.technician
            told = {"crew": you.token, "console": people.dispatcher, "sla": people.monitor}
            told["crew_at"] = {"lon": you.lon, "lat": you.lat}
        return json(told, headers={"Cache-Control": "no-store"})


def _shower(asset: Asset | None, origins: tuple[str, ...]):  # type: ignore[no-untyped-def]  # a handler, as Sanic has them
    async def show(request: Request) -> HTTPResponse:
        if asset is None:
            return problem(
                Unavailable("the web apps are not built here: run 'python -m dispatch.web_build' and start again")
            )
        return _answer(request, asset, origins)

    return show


def _answer(request: Request, asset: Asset, origins: tuple[str, ...]) -> HTTPResponse:
    headers = {
        **page_headers(request.headers.get("host", ""), origins),
        "Cache-Control": asset.cache,
        "ETag": asset.etag,
        "Vary": "Accept-Encoding",
    }
    known = request.headers.get("if-none-match", "")
    if asset.etag in (tag.strip() for tag in known.split(",")):
        return HTTPResponse(status=304, headers=headers)
    accepted = {part.split(";")[0].strip() for part in request.headers.get("accept-encoding", "").split(",")}
    encoding = next((one for one in ("br", "gzip") if one in accepted and one in asset.bodies), "")
    if encoding:
        headers["Content-Encoding"] = encoding
    return raw(asset.bodies[encoding], content_type=asset.content_type, headers=headers)
