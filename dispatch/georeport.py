"""Orders as GeoReport v2 has them: the services that a city offers, and its service requests. Pure.

The specification: http://wiki.open311.org/GeoReport_v2. Where it leaves something open:
docs/decisions/0008-open311.md.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from crew_client.protocol.words import FAULTS, STATES
from dispatch.ledger import address_text
from dispatch.orders import DONE, Order, State

SERVICES_CHANGED = "2026-11-22T00:00:00Z"
"""When the list below changed last: clients keep it until then."""

NEAR = 3
"""Decimals of a degree that are told to everybody: some 100 m, so that no flat can be told from its neighbours."""

_ZIP_CODES = ("zipcode", "postcode", "zip")


class Service(Struct, frozen=True):
    """A member of `services`: what somebody may ask for. Its code is an order's `category`."""

    service_code: str
    service_name: str
    description: str
    keywords: str
    group: str
    metadata: bool = False
    type: str = "realtime"


class ServiceRequest(Struct, frozen=True):
    """A member of `requests`; times with their offset, `lat` and `long` in WGS-84."""

    service_request_id: str
    status: Literal["open", "closed"]
    status_notes: str
    service_name: str
    service_code: str
    description: str | None
    agency_responsible: str
    service_notice: str | None
    requested_datetime: str
    updated_datetime: str
    expected_datetime: str | None
    address: str | None
    address_id: str | None
    zipcode: str | None
    lat: float | None
    long: float | None
    media_url: str | None


class ServiceDefinition(Struct, frozen=True):
    """What a service asks of whoever wants it, beyond the common parameters: nothing."""

    service_code: str
    attributes: list[dict[str, str]] = []


class RequestTaken(Struct, frozen=True):
    """What whoever sent a request is told: its id, what happens next, and the `account_id` that came with it."""

    service_request_id: str
    service_notice: str | None
    account_id: str | None


class RequestOfToken(Struct, frozen=True):
    """The id of a request that was given a token in its place."""

    service_request_id: str
    token: str


class Endpoint(Struct, frozen=True):
    """Where GeoReport is spoken, and in which formats."""

    specification: str
    url: str
    changeset: str
    type: Literal["production", "test"]
    formats: list[str]


class Discovery(Struct, frozen=True):
    """What a client that knows the host alone needs to know."""

    changeset: str
    contact: str
    key_service: str
    endpoints: list[Endpoint]


class GeoReportError(Struct, frozen=True):
    """What went wrong: the HTTP status again, and a description that begins with the parameter."""

    code: int
    description: str


def _service(code: str, description: str, *, keywords: str, group: str) -> Service:
    return Service(code, FAULTS[code], description, keywords, group)


SERVICES = {
    service.service_code: service
    for service in (
        _service("no_heat", "家里的暖气全都不热", keywords="不热,没暖气,停暖", group="不热"),
        _service("low_temperature", "暖气是热的,但室温低于供热标准", keywords="温度低,室温不达标,冷", group="不热"),
        _service("radiator_air", "暖气片上热下凉或有流水声", keywords="窝气,集气,放气,半边不热", group="不热"),
        _service("valve_closed", "入户阀门或暖气片阀门没有打开,或拧不动", keywords="阀门,未开,关闭", group="不热"),
        _service("filter_clogged", "入户过滤器堵塞,整户温度偏低", keywords="过滤器,堵塞,除污", group="不热"),
        _service("leak", "暖气片、阀门或管道滴水、漏水", keywords="跑水,冒水,滴水,漏水,渗水", group="漏水"),
        _service("burst", "管道破裂、大量喷水,请先关闭阀门并远离热水", keywords="爆管,喷水,破裂,抢修", group="漏水"),
        _service("no_pressure", "管道压力不足,高层不热", keywords="压力,无压力,高层不热", group="管网"),
        _service("noise", "管道或暖气片有异常响声", keywords="噪音,异响,水锤", group="管网"),
    )
}
"""The faults that residents can tell apart, the commonest first; any other report's category is its own service."""


class Details(Struct, frozen=True):
    """What a service request tells beside its order: `agency` answers for the city."""

    description: str | None
    updated_at: datetime
    media_url: str | None
    agency: str


def service_request(order: Order, details: Details, *, zone: ZoneInfo, whole: bool) -> ServiceRequest:
    """Return an order as a member of `requests`, times in a time zone.

    Who has no key (`whole` False) learns where work is done to some 100 m, and neither words nor pictures nor
    addresses: they may name people, and say who is at home.
    """
    resolve = order.clocks.get("resolve")
    place = order.location
    address = (order.address or {}) if whole else {}
    return ServiceRequest(
        service_request_id=order.id,
        status="closed" if order.state in DONE else "open",
        status_notes=status_notes(order),
        service_name=FAULTS.get(order.category, order.category),
        service_code=order.category,
        description=details.description if whole else None,
        agency_responsible=order.transferred_to if whole and order.transferred_to else details.agency,
        service_notice=service_notice(order),
        requested_datetime=w3c(order.reported_at, zone),
        updated_datetime=w3c(details.updated_at, zone),
        expected_datetime=w3c(resolve.due_at, zone) if resolve else None,
        address=address_text(address) or None,
        address_id=_first(address, ("address_id",)),
        zipcode=_first(address, _ZIP_CODES),
        lat=_coordinate(place.lat if place else None, whole=whole),
        long=_coordinate(place.lon if place else None, whole=whole),
        media_url=details.media_url if whole else None,
    )


def status_notes(order: Order) -> str:
    """Return the word for an order's state, and which order goes on with it where it was merged."""
    word = STATES[order.state.value]
    return f"{word},并入 {order.merged_into}" if order.state is State.MERGED and order.merged_into else word


def service_notice(order: Order) -> str | None:
    """Return what happens next with an order; None where it is done."""
    if order.state in DONE:
        return None
    if order.state is State.UNZONED:
        return "已受理,调度员正在核实地点。"
    return "已受理,维修人员会上门处理。"


def w3c(moment: datetime, zone: ZoneInfo) -> str:
    """Return a moment as GeoReport writes it: seconds, with the offset of a time zone."""
    return moment.astimezone(zone).isoformat(timespec="seconds")


def _coordinate(degrees: float | None, *, whole: bool) -> float | None:
    return degrees if degrees is None or whole else round(degrees, NEAR)


def _first(parts: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((str(parts[name]) for name in names if isinstance(parts.get(name), str | int)), None)
