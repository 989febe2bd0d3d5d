"""Step 1: a report comes in, once per key, and is never refused for a bad address or place.

Report, order, clocks and, where its zone is known, the first offer are one transaction. What has no place, or lies
outside every zone, waits in state `unzoned` on the dispatcher's list with its clocks running.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from crew_client.protocol import Location
from dispatch import clocks, offers
from dispatch.city import City
from dispatch.crews import Crew
from dispatch.errors import Invalid
from dispatch.events import Event
from dispatch.orders import Order, State
from dispatch.problems import instant
from dispatch.store import TryAgain
from geo import to_wgs84

if TYPE_CHECKING:
    from dispatch.store import Tx

Skill = Annotated[str, Meta(min_length=1, max_length=64)]
DEFAULT_SEVERITY = {"burst": 5, "leak": 4, "no_pressure": 4, "no_heat": 3}
CLOCK_SKEW = timedelta(minutes=10)
MOST_ADDRESS_BYTES = 8 * 1024
"""An address goes to every phone with each version of its order."""
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""Nobody reports what broke before that; the database could not even keep the year 1."""


class Place(Struct, frozen=True, forbid_unknown_fields=True):
    """Where something is; `crs` says in which datum the numbers are."""

    lon: Annotated[float, Meta(ge=-180, le=180)]
    lat: Annotated[float, Meta(ge=-90, le=90)]
    crs: Literal["wgs84", "gcj02", "bd09"] | None = "wgs84"

    def location(self) -> Location:
        """Return the place in WGS-84."""
        lon, lat = to_wgs84(self.lon, self.lat, self.crs or "wgs84")
        return Location(round(lon, 7), round(lat, 7))


class ReportedPlace(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a report says it is. Numbers that are no place on earth are kept as they came; a dispatcher finds it."""

    lon: float
    lat: float
    crs: Literal["wgs84", "gcj02", "bd09"] | None = "wgs84"

    def location(self) -> Location | None:
        """Return the place in WGS-84, None where the numbers are no place."""
        if not (-180 <= self.lon <= 180 and -90 <= self.lat <= 90):
            return None
        return Place(self.lon, self.lat, self.crs).location()


class ContactIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to call. Kept with the order and told to the crew that holds it, never to the log."""

    name: Annotated[str, Meta(max_length=200)] | None = None
    phone: Annotated[str, Meta(max_length=64)] | None = None


class ReportIn(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A resident's report, from whatever channel. `severity` 1 (routine) to 5 (burst).

    `extra` is what else the channel knows: kept with the report as it came, told to nobody but who reads the report.
    """

    channel: Annotated[str, Meta(min_length=1, max_length=64)]
    category: Annotated[str, Meta(min_length=1, max_length=64)]
    description: Annotated[str, Meta(max_length=10_000)] | None = None
    severity: Annotated[int, Meta(ge=1, le=5)] | None = None
    contact: ContactIn | None = None
    address: Annotated[dict[str, Any], Meta(max_length=100)] | None = None
    location: ReportedPlace | None = None
    external_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    reported_at: datetime | None = None
    required_skills: Annotated[tuple[Skill, ...], Meta(max_length=32)] | None = ()
    extra: Annotated[dict[str, Any], Meta(max_length=100)] | None = None


class Taken(Struct, frozen=True):
    """A report that was taken; `fresh` False where the same one had come before."""

    report: str
    order: str
    fresh: bool


async def take_report(
    tx: "Tx", report: ReportIn, *, city: City, crews: Collection[Crew], report_id: str, order_id: str, actor: str
) -> Taken:
    """Take a report and open its order. Raises `Invalid` for a time or an address out of all reason."""
    if report.external_id is not None and (seen := await tx.orders.find_external(report.channel, report.external_id)):
        return Taken(seen["report_id"], seen["order_id"], fresh=False)
    if report.address is not None and len(msgspec.json.encode(report.address)) > MOST_ADDRESS_BYTES:
        raise Invalid.field("/address", f"has over {MOST_ADDRESS_BYTES} bytes; put the rest into description")
    order = new_order(report, order_id, city, tx.now)
    circle = None
    if order.zone is not None:
        order, circle = offers.opened(order, crews, city, now=tx.now)
    if not await tx.orders.insert_report(
        report_id, order_id, channel=report.channel, external_id=report.external_id, body=report
    ):
        raise TryAgain  # the same report came in elsewhere at the same time: look at its answer
    await tx.orders.insert(order, description=report.description, contact=report.contact)
    tx.record(Event.of_order("order.reported", order, actor=actor, report=report_id, channel=report.channel))
    if circle is not None:
        await offers.announce(tx, order, circle, actor="system:offers")
    return Taken(report_id, order_id, fresh=True)


def new_order(report: ReportIn, order_id: str, city: City, now: datetime) -> Order:
    """Return the order of a report: its clocks run from `reported_at`."""
    reported_at = instant(report.reported_at, "/reported_at") if report.reported_at else now
    if reported_at > now + CLOCK_SKEW:
        raise Invalid.field("/reported_at", "lies in the future; check the sender's clock or leave it out")
    if reported_at < EARLIEST:
        raise Invalid.field("/reported_at", f"lies before {EARLIEST.year}; give the real time or leave it out")
    severity = report.severity or DEFAULT_SEVERITY.get(report.category, 2)
    place = report.location.location() if report.location else None
    return Order(
        id=order_id,
        version=1,
        state=State.UNZONED,
        cycle=0,
        zone=city.locate(place),
        category=report.category,
        severity=severity,
        location=place,
        address=report.address,
        required_skills=tuple(dict.fromkeys(report.required_skills or ())),
        crew=None,
        claimed_by=None,
        reported_at=min(reported_at, now),
        clocks=clocks.start({}, clocks.AT_REPORT, min(reported_at, now), severity=severity, targets=city.targets),
    )
