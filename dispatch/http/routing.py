"""The table of routes, and the one mechanism that every request passes: token, role, body, key, answer.

A route says who may use it, what it takes and what it gives; the published OpenAPI document is made from the same
table. `read` routes look, `command` routes run as one transaction and keep their answer under the Idempotency-Key.
"""

from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from hmac import digest
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from sanic import HTTPResponse, Request, Sanic
from sanic.exceptions import SanicException
from ulid import ULID

from dispatch import errors
from dispatch.access import EVERY_ROLE, Identity, Role
from dispatch.errors import DispatchError, Forbidden, Invalid, KeyReused, Malformed, TooLarge, Unauthenticated
from dispatch.http.reading import read_json, read_query
from dispatch.logs import logger
from dispatch.store.tx import LOG

if TYPE_CHECKING:
    from dispatch.engine import Engine
    from dispatch.mirror import Mirror
    from dispatch.store import Tx

PREFIX = "/api/v1"
SMALL = 1024 * 1024
LARGE = 32 * 1024 * 1024
MAX_KEY = 200
log = logger("http")
encode = msgspec.json.Encoder().encode


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
        self.key: str | None = None
        self.token = ""

    @property
    def city(self) -> str:
        """The id of the city that the token belongs to."""
        return self.identity.city

    def derived_token(self) -> str | None:
        """Return the token to issue under an Idempotency-Key: the same for the same key, and never stored."""
        if self.key is None:
            return None
        text = digest(self.token.encode(), f"{self.path}/{self.key}".encode(), "sha256")
        return f"qd_{urlsafe_b64encode(text).decode().rstrip('=')}"


Reader = Callable[[Call], Awaitable[Any]]
Commander = Callable[[Call, "Tx"], Awaitable[tuple[int, Any]]]


class Route(Struct, frozen=True, kw_only=True):
    """One route: `roles` who may use it, `body`, `query`, `answer` what goes in and out; `secret` answers are not kept."""

    method: str
    path: str
    roles: frozenset[Role]
    summary: str
    body: Any = None
    query: type[Struct] = NoQuery
    answer: Any = None
    status: int = 200
    limit: int = SMALL
    secret: bool = False
    reader: Reader | None = None
    commander: Commander | None = None

    @property
    def name(self) -> str:
        """The operation's id in the OpenAPI document."""
        words = [word.strip("<>").split(":")[0] for word in self.path.split("/") if word]
        return "_".join([self.method.lower(), *words])


class Routes:
    """Collects routes from the modules that define them."""

    def __init__(self) -> None:
        self.table: list[Route] = []

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


def mount(app: Sanic, engine: "Engine", routes: Routes) -> None:
    """Serve the routes under `/api/v1`."""
    for route in routes.table:
        app.add_route(_handler(engine, route), PREFIX + route.path, methods=[route.method], name=route.name)


def _handler(engine: "Engine", route: Route) -> Callable[..., Awaitable[HTTPResponse]]:
    async def handle(request: Request, **path: str) -> HTTPResponse:
        begun = perf_counter()
        status = 500
        try:
            response = await _serve(engine, route, request, path)
            status = response.status
        except DispatchError as error:
            response = problem(error)
            status = response.status
        except SanicException:
            raise
        except Exception:
            log.exception("a request failed", route=route.name)
            response = problem(DispatchError("something went wrong here; it has been written down"))
        finally:
            engine.metrics.requests.labels(route.name, str(status)).observe(perf_counter() - begun)
        return response

    return handle


async def _serve(engine: "Engine", route: Route, request: Request, path: dict[str, str]) -> HTTPResponse:
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
    call.query = read_query({name: request.args.getlist(name) for name in request.args}, route.query)
    call.raw = request.body or b""
    if len(call.raw) > route.limit:
        raise TooLarge(f"the body has {len(call.raw)} bytes, this route takes {route.limit}")
    if route.body is not None and route.body is not bytes:
        if not call.raw:
            raise Malformed("this route needs a JSON body")
        call.body = read_json(call.raw, route.body)
    if route.reader is not None:
        return respond(
            route.status,
            await engine.command(route.reader(call)) if route.method != "GET" else await route.reader(call),
        )
    return await engine.command(_transact(route, call, request.headers.get("idempotency-key")))


async def _transact(route: Route, call: Call, key: str | None) -> HTTPResponse:
    """Run a command as one transaction, its answer kept under the caller's key, or one of ours.

    With a key of ours an unknown commit can be asked about again, too; it is looked for only then.
    """
    if key is not None and (not key or len(key) > MAX_KEY or "\0" in key):
        raise Invalid.field("/Idempotency-Key", f"a key has 1 to {MAX_KEY} characters")
    call.key = key
    own = key is None
    stored = key if key is not None else f"own:{ULID()}"
    body_hash = blake2b(
        b"\0".join((route.name.encode(), repr(sorted(call.path.items())).encode(), call.raw)), digest_size=32
    ).digest()
    tried = False

    async def step(tx: "Tx") -> tuple[int, bytes]:
        nonlocal tried
        if not own or tried:
            if not await tx.conn.fetchval(LOG["claim_key"], tx.city_id, call.identity.actor, stored, body_hash, tx.now):
                first = await tx.conn.fetchrow(LOG["find_key"], tx.city_id, call.identity.actor, stored)
                if bytes(first["body_hash"]) != body_hash:
                    raise KeyReused
                if not route.secret:
                    return first["status"], bytes(first["answer"])
        elif own:
            tried = True
            await tx.conn.execute(LOG["claim_key"], tx.city_id, call.identity.actor, stored, body_hash, tx.now)
        assert route.commander is not None
        status, answer = await route.commander(call, tx)
        text = encode(answer)
        await tx.conn.execute(
            LOG["answer_key"], tx.city_id, call.identity.actor, stored, status, b"" if route.secret else text
        )
        return status, text

    status, text = await call.engine.run(call.city, step, repeatable=True)
    return HTTPResponse(text, status=status, content_type="application/json")


def bearer(request: Request) -> str | None:
    """Return the bearer token of a request, None where there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def respond(status: int, answer: Any) -> HTTPResponse:
    """Return an answer as JSON."""
    return HTTPResponse(encode(answer), status=status, content_type="application/json")


def problem(error: DispatchError) -> HTTPResponse:
    """Return an error as RFC 9457 asks."""
    document = {
        "type": f"urn:qiangdan:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        **error.extra,
    }
    if error.problems:
        document["errors"] = error.problems
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
    if error.status == 503:
        headers["Retry-After"] = "2"
    return HTTPResponse(encode(document), status=error.status, content_type="application/problem+json", headers=headers)


class Page(Struct, frozen=True):
    """A page of a list; `next` is the cursor of the next one, null at the end."""

    items: list[Any]
    next: str | None = None
