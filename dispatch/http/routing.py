"""The table of routes, and the one mechanism that every request passes: token, role, body, key, answer.

A route says who may use it, what it takes and what it gives; the published OpenAPI document is made from the same
table. `read` routes look, `command` routes run as one transaction and keep their answer under the Idempotency-Key.
"""

from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from hmac import digest
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
from msgspec import Struct
from sanic import HTTPResponse, Request, Sanic
from sanic.exceptions import SanicException

from dispatch import errors
from dispatch.access import EVERY_ROLE, Identity, Role
from dispatch.errors import DispatchError, Forbidden, Unauthenticated, Unavailable
from dispatch.http.idempotency import Key, once, once_in_parts, read_key
from dispatch.http.incoming import bearer, origin_of, read_body
from dispatch.http.reading import malformed, read_json, read_list, read_query
from dispatch.logs import logger

if TYPE_CHECKING:
    from dispatch.engine import Engine
    from dispatch.mirror import Mirror
    from dispatch.store import Tx

App: TypeAlias = "Sanic[Any, Any]"
PREFIX = "/api/v1"
LOOK = ("GET", "HEAD")
"""The methods of what can be looked at: HEAD is answered as GET, without the body."""
SMALL = 1024 * 1024
LARGE = 32 * 1024 * 1024
log = logger("http")
encode = msgspec.json.Encoder().encode


class File(Struct, frozen=True):
    """An answer that is no JSON."""

    content_type: str
    body: bytes


class Download(Struct, frozen=True):
    """An answer that is a file to be kept, sent in parts as they are made; `file_name` has ASCII letters alone."""

    content_type: str
    file_name: str
    parts: AsyncGenerator[bytes, None]


class NoQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """A route without query parameters."""


class Call:
    """One request on its way: who asks, and what."""

    def __init__(self, engine: "Engine", identity: Identity, mirror: "Mirror", *, path: dict[str, str]) -> None:
        self.engine = engine
        self.identity = identity
        self.mirror = mirror
        self.path = path
        self.raw = b""
        self.body: Any = None
        self.query: Any = None
        self.key: Key
        self.given_key: str | None = None
        self.afterwards: Callable[[], None] | None = None
        """What a command wants done in this process once it is committed, before it is answered."""
        self.token = ""
        self.origin = ""

    @property
    def city(self) -> str:
        """The id of the city that the token belongs to."""
        return self.identity.city

    def derived_token(self) -> str | None:
        """Return the token to issue under an Idempotency-Key: the same for the same key, and never stored."""
        secret = self.derived_secret("")
        return f"qd_{secret}" if secret else None

    def derived_secret(self, purpose: str) -> str | None:
        """Return a secret that is the same for the same key, and never stored; None where no key was given."""
        if self.given_key is None:
            return None
        text = digest(self.token.encode(), f"{purpose}{self.path}/{self.given_key}".encode(), "sha256")
        return urlsafe_b64encode(text).decode().rstrip("=")


Reader = Callable[[Call], Coroutine[Any, Any, Any]]
Opener = Callable[["Engine", Any], Coroutine[Any, Any, Any]]
Commander = Callable[[Call, "Tx"], Coroutine[Any, Any, tuple[int, Any]]]
Handler = Callable[..., Coroutine[Any, Any, HTTPResponse | None]]
Server = Callable[[Request, dict[str, str]], Coroutine[Any, Any, HTTPResponse | None]]
Refuser = Callable[[Request, DispatchError], HTTPResponse]


class Route(Struct, frozen=True, kw_only=True):
    """One route: `roles` may use it; `body`, `query`, `answer` go in and out; a `secret` answer is not kept.

    Where `items` is given the body is a list, taken as it came, whose items the route reads and answers one by one.
    `takes` is the content type of a body that is taken as bytes, `gives` are those of the answer: beside JSON, files
    to be kept. An `opener` needs no token: it gets the engine and the body.
    """

    method: str
    path: str
    roles: frozenset[Role]
    summary: str
    body: Any = None
    items: Any = None
    query: type[Struct] = NoQuery
    answer: Any = None
    gives: tuple[str, ...] = ("application/json",)
    status: int = 200
    limit: int = SMALL
    takes: str = "application/geo+json"
    secret: bool = False
    reader: Reader | None = None
    commander: Commander | None = None
    opener: Opener | None = None

    @property
    def name(self) -> str:
        """The operation's id in the OpenAPI document."""
        words = [word.strip("<>").split(":")[0] for word in self.path.split("/") if word]
        return "_".join([self.method.lower(), *words])


def _matches(pattern: list[str], steps: list[str]) -> bool:
    return len(pattern) == len(steps) and all(p[:1] == "<" or p == s for p, s in zip(pattern, steps, strict=True))


class Routes:
    """Collects routes from the modules that define them."""

    def __init__(self) -> None:
        self.table: list[Route] = []

    def methods_of(self, path: str) -> list[str]:
        """Return the methods that a requested path knows, sorted."""
        steps = path.removeprefix(PREFIX).split("/")
        known = {route.method for route in self.table if _matches(route.path.split("/"), steps)}
        return sorted(known | set(LOOK if "GET" in known else ()))

    def read(self, path: str, *, roles: frozenset[Role] = EVERY_ROLE, **more: Any) -> Callable[[Reader], Reader]:
        """Add a GET route; the handler's first line is its summary."""

        def add(handler: Reader) -> Reader:
            summary = (handler.__doc__ or "").split("\n")[0]
            self.table.append(Route(method="GET", path=path, roles=roles, summary=summary, reader=handler, **more))
            return handler

        return add

    def command(
        self, method: str, path: str, *, roles: frozenset[Role], **more: Any
    ) -> Callable[[Commander], Commander]:
        """Add a route that runs as one transaction."""

        def add(handler: Commander) -> Commander:
            summary = (handler.__doc__ or "").split("\n")[0]
            self.table.append(Route(method=method, path=path, roles=roles, summary=summary, commander=handler, **more))
            return handler

        return add

    def batch(self, method: str, path: str, *, roles: frozenset[Role], **more: Any) -> Callable[[Reader], Reader]:
        """Add a route that opens its own transactions."""

        def add(handler: Reader) -> Reader:
            summary = (handler.__doc__ or "").split("\n")[0]
            self.table.append(Route(method=method, path=path, roles=roles, summary=summary, reader=handler, **more))
            return handler

        return add

    def open(self, method: str, path: str, **more: Any) -> Callable[[Opener], Opener]:
        """Add a route for who has no token yet."""

        def add(handler: Opener) -> Opener:
            summary = (handler.__doc__ or "").split("\n")[0]
            route = Route(method=method, path=path, roles=frozenset(), summary=summary, opener=handler, **more)
            self.table.append(route)
            return handler

        return add


def mount(app: App, engine: "Engine", routes: Routes) -> None:
    """Serve the routes under `/api/v1`."""
    for route in routes.table:
        has_body = route.method != "GET"
        methods = [route.method] if has_body else LOOK
        app.route(PREFIX + route.path, methods=methods, name=route.name, stream=has_body, ignore_body=not has_body)(
            _handler(engine, route)
        )


def _handler(engine: "Engine", route: Route) -> Handler:
    async def serve(request: Request, path: dict[str, str]) -> HTTPResponse | None:
        response = await _serve(engine, route, request, path)
        if isinstance(response, Download):
            await _send(request, response)
            return None
        return response

    return answering(engine, route.name, serve, lambda _request, error: problem(error))


def answering(engine: "Engine", name: str, serve: Server, refuse: Refuser) -> Handler:
    """Return the handler of a route: each request is counted under its name, and no error leaves it unanswered.

    `serve` gives the answer, None where it has sent it already; `refuse` is how an error is told here.
    """

    async def handle(request: Request, **path: str) -> HTTPResponse | None:
        begun = perf_counter()
        status = 500
        try:
            if engine.draining:
                raise Unavailable("this engine is ending; ask again, and another answers")
            response = await serve(request, path)
            status = 200 if response is None else response.status
        except DispatchError as error:
            response = refuse(request, error)
            status = response.status
        except SanicException:
            raise
        except Exception:
            log.exception("a request failed", route=name)
            response = refuse(request, DispatchError("something went wrong here; it has been written down"))
        finally:
            if engine.draining and request.stream is not None:
                request.stream.keep_alive = False  # type: ignore[attr-defined]  # HTTP/1: the answer says so
            engine.metrics.requests.labels(name, str(status)).observe(perf_counter() - begun)
        return response

    return handle


async def _send(request: Request, download: Download) -> None:
    """Send a download. Where its first part cannot be made the error is told; later the connection breaks off.

    A file that ends early must not look whole.
    """
    async with aclosing(download.parts) as parts:
        first = await anext(parts, b"")
        headers = {
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="{download.file_name}"',
        }
        response = await request.respond(content_type=download.content_type, headers=headers)
        assert response is not None
        try:
            await response.send(first)
            if request.method != "HEAD":
                async for part in parts:
                    await response.send(part)
        except Exception:
            log.exception("a download broke off", file=download.file_name)
            if request.transport is not None:
                request.transport.abort()  # type: ignore[attr-defined]  # asyncio's transports have it
            return
        await response.eof()


async def _serve(engine: "Engine", route: Route, request: Request, path: dict[str, str]) -> HTTPResponse | Download:
    if route.opener is not None:
        given = read_json(await read_body(request, route.limit), route.body)
        return respond(route.status, encode(await engine.command(route.opener(engine, given))))
    token = bearer(request)
    identity = await engine.identify(token) if token else None
    if identity is None:
        raise Unauthenticated("this token is not known" if token else None)
    if not identity.may(route.roles):
        raise Forbidden(
            f"needs role {' or '.join(sorted(route.roles - {'admin'}) or ['admin'])}, the token is {identity.role}'s"
        )
    for value in path.values():
        if "\0" in value:
            raise errors.NotFound("there is no such id")
    call = Call(engine, identity, (await engine.desk(identity.city)).mirror, path=path)
    call.token = token or ""
    call.origin = origin_of(request)
    args = request.get_args(keep_blank_values=True)
    call.query = read_query({name: args.getlist(name) for name in args}, route.query)
    call.raw = b"" if route.method == "GET" else await read_body(request, route.limit)
    if route.items is not None or route.body not in (None, bytes):
        if not call.raw:
            raise malformed("this route needs one")
        call.body = read_list(call.raw) if route.items is not None else read_json(call.raw, route.body)
    if route.method == "GET" and route.reader is not None:
        answer = await route.reader(call)
        if isinstance(answer, File):
            return _file(answer)
        if isinstance(answer, Download):
            return answer
        return respond(route.status, encode(answer))
    given_key = request.headers.get("idempotency-key") if route.method == "POST" else None
    call.given_key = given_key
    call.key = read_key(
        given_key,
        city=call.city,
        subject=call.identity.actor,
        asked=(route.name.encode(), repr(sorted(path.items())).encode(), call.raw),
    )
    return respond(*await engine.command(_obey(route, call)))


async def _obey(route: Route, call: Call) -> tuple[int, bytes]:
    """Run a command, once per key."""
    if route.commander is not None:
        commander = route.commander
        answer = await once(call.engine, call.key, lambda tx: commander(call, tx), secret=route.secret)
        if call.afterwards is not None:
            call.afterwards()
        return answer
    assert route.reader is not None
    if call.given_key is None:
        return route.status, encode(await route.reader(call))
    reader = route.reader

    async def work() -> tuple[int, Any]:
        return route.status, await reader(call)

    return await once_in_parts(call.engine, call.key, work)


def _file(answer: File) -> HTTPResponse:
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, max-age=86400"}
    return HTTPResponse(answer.body, content_type=answer.content_type, headers=headers)


def respond(status: int, answer: bytes) -> HTTPResponse:
    """Return an answer, which is JSON already: a problem document where the status is an error's."""
    kind = "application/problem+json" if status >= 400 else "application/json"
    return HTTPResponse(answer, status=status, content_type=kind)


def problem(error: DispatchError) -> HTTPResponse:
    """Return an error as RFC 9457 asks."""
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
    if error.status == 503:
        headers["Retry-After"] = "2"
    response = respond(error.status, encode(error.document()))
    response.headers.extend(headers)
    return response


class Page(Struct, frozen=True):
    """A page of a list; `next` is the cursor of the next one, null at the end."""

    items: list[Any]
    next: str | None = None
