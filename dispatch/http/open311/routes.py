"""The routes of GeoReport: discovery, services, and requests as they come in; those that go out are in `listing`."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from sanic import HTTPResponse, Request

from dispatch.errors import Forbidden, Invalid, NotFound
from dispatch.georeport import (
    SERVICES,
    SERVICES_CHANGED,
    Discovery,
    Endpoint,
    RequestOfToken,
    RequestTaken,
    Service,
    ServiceDefinition,
    ServiceRequest,
    service_notice,
)
from dispatch.georeport_form import CityAsked, Parameters, RequestForm, RequestsQuery, read_report
from dispatch.http.idempotency import once, read_key
from dispatch.http.incoming import bearer, origin_of, read_body
from dispatch.http.open311.formats import FORMATS, Document, refusal, refused, written
from dispatch.http.open311.forms import read_form
from dispatch.http.open311.keys import READERS, check_jurisdiction, city_of, identify, query_of
from dispatch.http.open311.listing import get_request, get_requests, get_token
from dispatch.http.reports import INTAKE, take
from dispatch.http.routing import LOOK, SMALL, App, answering

if TYPE_CHECKING:
    from dispatch.access import Role
    from dispatch.engine import Engine
    from dispatch.store import Tx

PREFIX = "/open311/v2"
_ENDINGS = ("", *(f".{name}" for name in FORMATS))

Answer = Callable[["Engine", Request, str], Coroutine[Any, Any, HTTPResponse]]


class Given(Struct, frozen=True):
    """What an answer holds: `kind` as JSON, or as XML within an element `root`."""

    root: str
    kind: Any
    status: int = 200


REQUESTS = Given("service_requests", list[ServiceRequest])


class Resource(Struct, frozen=True):
    """One resource: `roles` may use it, everybody where there are none; `name` is what its path ends with."""

    method: str
    path: str
    answer: Answer
    gives: Given
    query: type[Struct] | None = None
    form: type[Struct] | None = None
    roles: "frozenset[Role]" = frozenset()
    name: str = ""

    @property
    def endings(self) -> tuple[str, ...]:
        """What may follow its path to say in which format it answers."""
        return _ENDINGS if self.path else ("",)


def mount_open311(app: App, engine: "Engine") -> None:
    """Serve GeoReport; every resource with `.json`, `.xml`, or neither (then `Accept` decides).

    An engine makes one list at a time: whoever reads must not take what those need who dispatch.
    """
    listing = asyncio.Lock()
    for resource in RESOURCES:
        method, answer = resource.method, resource.answer
        name = f"open311_{method.lower()}_{resource.path.replace('/<name:str>', '_one') or 'root'}"

        async def serve(request: Request, path: dict[str, str], answer: Answer = answer) -> HTTPResponse:
            async with listing if answer is get_requests else nullcontext():
                return await answer(engine, request, _without_ending(path.get("name", "")))

        handler = answering(engine, name, serve, refused)
        for number, ending in enumerate(resource.endings if resource.path.isalpha() else ("",)):
            app.route(
                f"{PREFIX}/{resource.path}{ending}",
                methods=LOOK if method == "GET" else [method],
                name=f"{name}_{number}",
                stream=method != "GET",
                ignore_body=method == "GET",
            )(handler)


def is_open311(path: str) -> bool:
    """Return whether a requested path is GeoReport's, so that its errors are told as GeoReport asks."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def methods_of(path: str) -> list[str]:
    """Return the methods that a requested path knows, sorted."""
    resource, _, name = path.removeprefix(PREFIX).strip("/").partition("/")
    known = f"{_without_ending(resource)}{'/<name:str>' if name else ''}"
    methods = {resource.method for resource in RESOURCES if resource.path == known}
    return sorted(methods | set(LOOK if "GET" in methods else ()))


def _without_ending(name: str) -> str:
    stem, _, ending = name.rpartition(".")
    return stem if ending in FORMATS else name


async def get_discovery(engine: "Engine", request: Request, _name: str) -> HTTPResponse:
    """Say where what is."""
    endpoint = Endpoint(
        specification="http://wiki.open311.org/GeoReport_v2",
        url=f"{origin_of(request)}{PREFIX}",
        changeset=SERVICES_CHANGED,
        type="test" if engine.settings.demo else "production",
        formats=list(FORMATS.values()),
    )
    known = Discovery(
        changeset=SERVICES_CHANGED,
        contact="本系统管理员",
        key_service="api_key 是角色为 intake 的令牌,由管理员发放",
        endpoints=[endpoint],
    )
    return written(request, Document("discovery", known))


async def get_services(engine: "Engine", request: Request, _name: str) -> HTTPResponse:
    """List what may be asked for."""
    await check_jurisdiction(engine, query_of(request))
    return written(request, Document("services", list(SERVICES.values())))


async def get_service(engine: "Engine", request: Request, code: str) -> HTTPResponse:
    """Show what a service asks of whoever wants it: nothing beyond the common parameters."""
    await check_jurisdiction(engine, query_of(request))
    if code not in SERVICES:
        raise NotFound(f"service_code: {code[:40]!r} was not found; `services` lists them")
    return written(request, Document("service_definition", ServiceDefinition(code)))


async def post_request(engine: "Engine", request: Request, _name: str) -> HTTPResponse:
    """Take a request; the same Idempotency-Key and form again give the first answer."""
    fields, files = read_form(request.headers.get("content-type"), await read_body(request, SMALL))
    given = Parameters({**query_of(request).values, **fields})
    token = bearer(request) or given.one("api_key")
    if token is None:
        raise Forbidden("api_key: was not provided; it is a token of role intake")
    identity = await identify(engine, token, INTAKE)
    city = city_of(identity, given)
    given.values.pop("api_key", None)
    report = read_report(given)
    mirror = (await engine.desk(city)).mirror
    key = read_key(
        request.headers.get("idempotency-key"),
        city=city,
        subject=identity.actor,
        asked=(b"open311", repr(sorted(given.values.items())).encode()),
    )

    async def step(tx: "Tx") -> tuple[int, Any]:
        taken = await take(tx, report, engine=engine, mirror=mirror, identity=identity)
        notice = service_notice(await tx.orders.find(taken.order))
        if files:
            notice = f"{notice}附件没有保存,请把照片的网址写在 media_url 里。"
        return 201, [RequestTaken(taken.order, notice, given.one("account_id"))]

    status, kept = await engine.command(once(engine, key, step))
    if status >= 400:  # what was refused once under a key is kept as REST says it
        return refusal(request, 400 if status == Invalid.status else status, msgspec.json.decode(kept)["detail"])
    return written(request, Document("service_requests", msgspec.json.decode(kept)), status)


RESOURCES = (
    Resource("GET", "", get_discovery, gives=Given("discovery", Discovery)),
    Resource("GET", "discovery", get_discovery, gives=Given("discovery", Discovery)),
    Resource("GET", "services", get_services, gives=Given("services", list[Service]), query=CityAsked),
    Resource(
        "GET",
        "services/<name:str>",
        get_service,
        gives=Given("service_definition", ServiceDefinition),
        query=CityAsked,
        name="service_code",
    ),
    Resource("GET", "requests", get_requests, gives=REQUESTS, query=RequestsQuery, roles=READERS),
    Resource(
        "POST",
        "requests",
        post_request,
        gives=Given("service_requests", list[RequestTaken], 201),
        form=RequestForm,
        roles=INTAKE,
    ),
    Resource(
        "GET",
        "requests/<name:str>",
        get_request,
        gives=REQUESTS,
        query=CityAsked,
        roles=READERS,
        name="service_request_id",
    ),
    Resource(
        "GET",
        "tokens/<name:str>",
        get_token,
        gives=Given("service_requests", list[RequestOfToken]),
        query=CityAsked,
        roles=READERS,
        name="token",
    ),
)
"""Every resource; the published document is made from this table."""
