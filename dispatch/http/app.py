"""The Sanic application of one engine: routes, sockets, health, pages, and the drain at its end."""

import asyncio
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sanic import HTTPResponse, Request, Sanic
from sanic.exceptions import MethodNotAllowed, NotFound, PayloadTooLarge, SanicException
from sanic.response import json, raw

from dispatch import errors
from dispatch.errors import DispatchError, Unavailable
from dispatch.http import alarms, orders, people, period, phones, replans, reports, sla, wallboard, zones
from dispatch.http.asyncapi import asyncapi_document
from dispatch.http.console_socket import ConsoleSession
from dispatch.http.crew_socket import CrewSession
from dispatch.http.heads import Head, write_readably
from dispatch.http.incoming import bearer
from dispatch.http.open311.formats import refused
from dispatch.http.open311.routes import is_open311, mount_open311
from dispatch.http.open311.routes import methods_of as open311_methods
from dispatch.http.openapi import openapi_document
from dispatch.http.pages import mount_pages
from dispatch.http.routing import LOOK, App, Routes, mount, problem
from dispatch.http.session import Session, Watch
from dispatch.logs import logger

if TYPE_CHECKING:
    from dispatch.engine import Engine

SUBPROTOCOL = "qiangdan.v1"
FRAME_LIMIT = 64 * 1024
STOPPING = (signal.SIGINT, signal.SIGTERM)
THROWN_AWAY = 256 * 1024 * 1024
log = logger("http")


def all_routes() -> Routes:
    """Return every route under `/api/v1`."""
    together = Routes()
    for module in (zones, people, phones, reports, orders, replans, sla, wallboard, alarms, period):
        together.table.extend(module.routes.table)
    return together


def make_app(engine: "Engine", *, name: str = "qiangdan") -> App:
    """Return the application of an engine; the engine is started and stopped with it."""
    app: App = Sanic(name, configure_logging=False, request_class=Head)
    app.config.update(
        # Routes keep no more of a body than they take; so much is thrown away, for its sender to hear why.
        REQUEST_MAX_SIZE=THROWN_AWAY,
        REQUEST_TIMEOUT=60,
        RESPONSE_TIMEOUT=60,
        KEEP_ALIVE_TIMEOUT=75,
        GRACEFUL_SHUTDOWN_TIMEOUT=5,
        WEBSOCKET_MAX_SIZE=FRAME_LIMIT,
        WEBSOCKET_PING_INTERVAL=None,  # by `Watch`: a task and a timer for each socket less
        ACCESS_LOG=False,
        OAS=False,
        INSPECTOR=False,
        FALLBACK_ERROR_FORMAT="json",
        MOTD=False,
    )
    routes = all_routes()
    mount(app, engine, routes)
    mount_open311(app, engine)
    _mount_health(app, engine, routes)
    _mount_sockets(app, engine)
    mount_pages(app, engine)
    _mount_errors(app, routes)

    @app.before_server_start
    async def _start(_app: App) -> None:
        await engine.start()

    _stop_once(app)

    @app.before_server_stop
    async def _drain(_app: App) -> None:
        for number in STOPPING:  # Sanic has let go of them: another would end us in the midst of it
            signal.signal(number, signal.SIG_IGN)
        await drain(engine)

    return app


def _stop_once(app: App) -> None:
    """Let the first signal end the server and the others nothing: a second would end the loop before the drain.

    Several come at once: from a terminal and from the supervisor, or from the kernel, once for each of its threads that
    ends, where the supervisor was killed.
    """
    stopping = False

    def stop() -> None:
        nonlocal stopping
        if not stopping:
            stopping = True
            app.stop(terminate=False)

    @app.after_server_start
    async def _take_over(_app: App) -> None:
        for number in STOPPING:
            asyncio.get_running_loop().add_signal_handler(number, stop)


async def drain(engine: "Engine") -> None:
    """Take no more, let commits in flight finish, tell the clients to come back."""
    engine.draining = True
    await engine.stop()
    lines = list(engine.hub.lines())
    for line in lines:
        line.close(1012, "restarting; come back")
    if lines:
        await asyncio.sleep(min(0.2 + len(lines) / 5000, 3))


def _mount_health(app: App, engine: "Engine", routes: Routes) -> None:
    openapi, asyncapi = openapi_document(routes), asyncapi_document()

    @app.route("/healthz", methods=LOOK)
    async def healthz(_request: Request) -> HTTPResponse:
        return json({"status": "ok", "draining": engine.draining})

    @app.route("/readyz", methods=LOOK)
    async def readyz(_request: Request) -> HTTPResponse:
        try:
            if engine.draining:
                raise Unavailable("this engine is draining")
            async with asyncio.timeout(2):
                await engine.touch_database()
        except TimeoutError:
            return problem(Unavailable("the database does not answer within 2 s"))
        except DispatchError as error:
            return problem(error)
        return json({"status": "ready"})

    @app.route("/metrics", methods=LOOK)
    async def metrics(_request: Request) -> HTTPResponse:
        return raw(engine.metrics.page(), content_type="text/plain; version=0.0.4; charset=utf-8")

    @app.route("/openapi.json", methods=LOOK)
    async def openapi_json(_request: Request) -> HTTPResponse:
        return raw(openapi, content_type="application/json")

    @app.route("/asyncapi.json", methods=LOOK)
    async def asyncapi_json(_request: Request) -> HTTPResponse:
        return raw(asyncapi, content_type="application/json")


def _mount_sockets(app: App, engine: "Engine") -> None:
    watch = Watch(engine.settings.sockets.idle_timeout_s)

    @app.on_request
    async def _write_readably(request: Request) -> None:
        if request.path.startswith("/ws/"):
            write_readably(request)

    @app.after_server_start
    async def _watch(_app: App) -> None:
        _app.ctx.watching = asyncio.create_task(watch.run())

    @app.before_server_stop
    async def _unwatch(_app: App) -> None:
        _app.ctx.watching.cancel()

    def serve(kind: type[Session]) -> Any:
        async def handler(request: Request, ws: Any) -> None:
            if engine.draining:
                await ws.close(1012, "restarting; come back")
            elif foreign(request):
                await ws.close(4403, "this origin may not open a socket here")
            else:
                session = kind(engine, ws, watch)
                with suppress(asyncio.CancelledError):
                    await session.run(bearer(request))

        return handler

    for path, kind in (("/ws/v1/crew", CrewSession), ("/ws/v1/console", ConsoleSession)):
        app.add_websocket_route(serve(kind), path, subprotocols=[SUBPROTOCOL], name=kind.kind)


def foreign(request: Request) -> bool:
    """Return whether a browser came from a page that is not ours; programs send no Origin."""
    origin = request.headers.get("origin")
    if not origin:
        return False
    host: str = request.headers.get("x-forwarded-host") or request.headers.get("host") or ""
    return str(urlsplit(origin).netloc).lower() != host.lower()


def _mount_errors(app: App, routes: Routes) -> None:
    @app.exception(Exception)
    async def failed(request: Request, error: Exception) -> HTTPResponse:
        told = _told(request, error)
        ours = is_open311(request.path)
        response = refused(request, told) if ours else problem(told)
        if isinstance(error, MethodNotAllowed):
            # Sanic forgets the methods of a route that has others below it.
            known = open311_methods(request.path) if ours else routes.methods_of(request.path)
            if request.method == "OPTIONS":
                response = HTTPResponse(status=204)
            response.headers["Allow"] = ", ".join(sorted({*(error.allowed_methods or known), "OPTIONS"}))
        return response


def _told(request: Request, error: Exception) -> DispatchError:
    """Return what a caller is told of an error that no route has answered; what he cannot mend is written down."""
    if isinstance(error, DispatchError):
        return error
    if isinstance(error, NotFound):
        return errors.NotFound(f"there is no {request.path} here")
    if isinstance(error, MethodNotAllowed):
        return errors.MethodNotAllowed()
    if isinstance(error, PayloadTooLarge):
        # Sanic has one error for both, and tells them apart in words.
        if "header" not in str(error):
            return errors.TooLarge()
        most = request.app.config.REQUEST_MAX_HEADER_SIZE
        return errors.HeadersTooLarge(f"address and headers have more than {most} bytes; send fewer of them")
    if isinstance(error, SanicException) and error.status_code < 500:
        return errors.TooLarge() if error.status_code == 413 else errors.Malformed(str(error) or None)
    if isinstance(error, SanicException) and error.status_code == 503:
        return Unavailable("this took too long")
    log.error("a request failed", path=request.path, exc_info=error)
    return DispatchError("something went wrong here; it has been written down")
