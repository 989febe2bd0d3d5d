"""The routes of GeoReport: discovery, services, and requests as they come in; those that go out are in `listing`."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import msgspec
from sanic import HTTPResponse, Request

from dispatch.errors import Forbidden, Invalid, NotFound
from dispatch.georeport import SERVICES, SERVICES_CHANGED, service_notice
from dispatch.georeport_form import Parameters, read_report
from dispatch.http.idempotency import once, read_key
from dispatch.http.incoming import bearer, origin_of, read_body
from dispatch.http.open311.formats import FORMATS, Document, refusal, refused, written
from dispatch.http.open311.forms import read_form
from dispatch.http.open311.keys import check_jurisdiction, city_of, identify, query_of
from dispatch.http.open311.listing import get_request, get_requests, get_token
from dispatch.http.reports import INTAKE, take
from dispatch.http.routing import LOOK, SMALL, App, answering

if TYPE_CHECKING:
    from dispatch.engine import Engine
    from dispatch.store import Tx

PREFIX = "/open311/v2"
_ENDINGS = ("", *(f".{name}" for name in FORMATS))

Answer = Callable[["Engine", Request, str], Coroutine[Any, Any, HTTPResponse]]


def mount_open311(app: App, engine: "Engine") -> None:
    """Serve GeoReport; every resource with `.json`, `.xml`, or neither (then `Accept` decides).

    An engine makes one list at a time: whoever reads must not take what those need who dispatch.
    """
    listing = asyncio.Lock()
    for method, resource, answer in _ROUTES:
        name = f"open311_{method.lower()}_{resource.replace('/<name:str>', '_one') or 'root'}"

        async def serve(request: Request, path: dict[str, str], answer: Answer = answer) -> HTTPResponse:
            async with listing if answer is get_requests else nullcontext():
                return await answer(engine, request, _without_ending(path.get("name", "")))

        handler = answering(engine, name, serve, refused)
        for number, ending in enumerate(_ENDINGS if resource.isalpha() else ("",)):
            app.route(
                f"{PREFIX}/{resource}{ending}",
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
    methods = {method for method, resource, _ in _ROUTES if resource == known}
    return sorted(methods | set(LOOK if "GET" in methods else ()))


def _without_ending(name: str) -> str:
    stem, _, ending = name.rpartition(".")
    return stem if ending in FORMATS else name


async def get_discovery(engine: "Engine", request: Request, _name: str) -> HTTPResponse:
    """Say where what is."""
    endpoint = {
        "specification": "http://wiki.open311.org/GeoReport_v2",
        "url": f"{origin_of(request)}{PREFIX}",
        "changeset": SERVICES_CHANGED,
        "type": "test" if engine.settings.demo else "production",
        "formats": list(FORMATS.values()),
    }
    value = {
        "changeset": SERVICES_CHANGED,
        "contact": "本系统管理员",
        "key_service": "api_key 是角色为 intake 的令牌,由管理员发放",
        "endpoints": [endpoint],
    }
    return written(request, Document("discovery", value))


async def get_services(engine: "Engine", request: Request, _name: str) -> HTTPResponse:
    """List what may be asked for."""
    await check_jurisdiction(engine, query_of(request))
    return written(request, Document("services", list(SERVICES.values())))


async def get_service(engine: "Engine", request: Request, code: str) -> HTTPResponse:
    """Show what a service asks of whoever wants it: nothing beyond the common parameters."""
    await check_jurisdiction(engine, query_of(request))
    if code not in SERVICES:
        raise NotFound(f"service_code: {code[:40]!r} was not found; `services` lists them")
    return written(request, Document("service_definition", {"service_code": code, "attributes": []}))


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
        account = given.one("account_id")
        return 201, [{"service_request_id": taken.order, "service_notice": notice, "account_id": account}]

    status, kept = await engine.command(once(engine, key, step))
    if status >= 400:  # what was refused once under a key is kept as REST says it
        return refusal(request, 400 if status == Invalid.status else status, msgspec.json.decode(kept)["detail"])
    return written(request, Document("service_requests", msgspec.json.decode(kept)), status)


_ROUTES: tuple[tuple[str, str, Answer], ...] = (
    ("GET", "", get_discovery),
    ("GET", "discovery", get_discovery),
    ("GET", "services", get_services),
    ("GET", "services/<name:str>", get_service),
    ("GET", "requests", get_requests),
    ("POST", "requests", post_request),
    ("GET", "requests/<name:str>", get_request),
    ("GET", "tokens/<name:str>", get_token),
)
