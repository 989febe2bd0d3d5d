"""What a city learned from its own log: how long drives and work take, where reports come from, who grabs how soon.

`gather` reads the history, `learn` is pure and may take a second or two, `save` and `load` keep the result as one row
a kind. Nothing depends on it being there: what was never learned is its prior, and what this version cannot read is
logged and left out.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from dispatch.logs import logger
from dispatch.store.sql import load as load_sql
from geo import TravelFactors, TravelTimes, Trip, learn_factors
from optimizer.demand import Demand, HourSeen, learn_demand
from optimizer.grab_chance import GrabChances, OfferSeen, learn_grab_chances
from optimizer.service_times import ServiceTimes, Visit, learn_service_times

if TYPE_CHECKING:
    import asyncpg

FORECASTS = load_sql("forecasts")
MOST = 20_000
"""Trips, visits and offers that are looked at, the newest."""
log = logger("forecasts")


class Forecasts(Struct, frozen=True):
    """What a city knows to expect; each member its prior until it was learned. `travel` None: as configured."""

    travel: TravelFactors | None = None
    service: ServiceTimes = ServiceTimes()
    demand: Demand = Demand()
    grabs: GrabChances = GrabChances()


class Drive(Struct, frozen=True):
    """A drive of a crew to an order: from where, to where (lon, lat), the local hour it began, and its seconds."""

    start: tuple[float, float]
    end: tuple[float, float]
    hour: int
    seconds: float


class History(Struct, frozen=True):
    """What forecasts are learned from."""

    drives: Sequence[Drive]
    visits: Sequence[Visit]
    offers: Sequence[OfferSeen]
    hours: Sequence[HourSeen]
    zones: Sequence[str]


async def gather(
    conn: "asyncpg.Connection[asyncpg.Record]",
    city_id: str,
    zones: Sequence[str],
    *,
    now: datetime,
    since: datetime,
    time_zone: ZoneInfo,
) -> History:
    """Read a city's history since a moment."""
    trips = await conn.fetch(FORECASTS["trips"], city_id, since, MOST)
    visits = await conn.fetch(FORECASTS["visits"], city_id, since, MOST)
    offers = await conn.fetch(FORECASTS["offers"], city_id, since, MOST, now)
    counts = await conn.fetch(FORECASTS["reports"], city_id, since, time_zone.key)
    first = await conn.fetchval(FORECASTS["first_report"], city_id)
    begins = max(since, first) if first is not None else now
    return History(
        drives=[
            Drive(
                (row["from_lon"], row["from_lat"]),
                (row["to_lon"], row["to_lat"]),
                row["departed_at"].astimezone(time_zone).hour,
                row["seconds"],
            )
            for row in trips
        ],
        visits=[Visit(row["category"], row["severity"], row["seconds"]) for row in visits],
        offers=[
            OfferSeen(row["zone"], row["opened_at"].astimezone(time_zone).hour, row["seconds"], row["grabbed"])
            for row in offers
        ],
        hours=hours_between(begins, now, counts, time_zone),
        zones=zones,
    )


def hours_between(
    begins: datetime, ends: datetime, counts: Sequence[Mapping[str, Any]], time_zone: ZoneInfo
) -> list[HourSeen]:
    """Return every whole local hour from `begins` to `ends` with its reports; rows have `hour`, `zone`, `reports`."""
    found: dict[datetime, dict[str, int]] = {}
    for row in counts:
        found.setdefault(row["hour"], {})[row["zone"]] = row["reports"]
    hour = begins.astimezone(time_zone).replace(tzinfo=None, minute=0, second=0, microsecond=0) + timedelta(hours=1)
    last = ends.astimezone(time_zone).replace(tzinfo=None) - timedelta(hours=1)
    seen = []
    while hour <= last:
        seen.append(HourSeen(hour, found.get(hour, {})))
        hour += timedelta(hours=1)
    return seen


def learn(history: History, travel: TravelTimes, factors: TravelFactors) -> Forecasts:
    """Return what a history teaches; `factors` is the prior of travel, `travel` the source that they lengthen."""
    trips = []
    for drive in history.drives:
        predicted = travel.seconds(*drive.start, *drive.end)
        if math.isfinite(predicted):
            trips.append(Trip(drive.hour, predicted, drive.seconds))
    return Forecasts(
        travel=learn_factors(trips, factors),
        service=learn_service_times(history.visits),
        demand=learn_demand(history.hours, history.zones, Demand()),
        grabs=learn_grab_chances(history.offers),
    )


async def save(
    conn: "asyncpg.Connection[asyncpg.Record]", city_id: str, forecasts: Forecasts, *, now: datetime
) -> None:
    """Keep what was learned, in place of what was known before."""
    kinds = {name: getattr(forecasts, name) for name in forecasts.__struct_fields__}
    known = {name: msgspec.json.encode(value).decode() for name, value in kinds.items() if value is not None}
    await conn.execute(FORECASTS["save"], city_id, now, list(known), list(known.values()))


async def load(conn: "asyncpg.Connection[asyncpg.Record]", city_id: str) -> Forecasts:
    """Return what a city learned, the prior for what it did not."""
    types = {field.name: field.type for field in msgspec.structs.fields(Forecasts)}
    found = {}
    for row in await conn.fetch(FORECASTS["load"], city_id):
        if row["kind"] not in types:
            continue
        try:
            found[row["kind"]] = msgspec.json.decode(row["document"], type=types[row["kind"]])
        except msgspec.MsgspecError as error:
            log.warning("a forecast of another version is left out", city=city_id, kind=row["kind"], error=str(error))
    return Forecasts(**found)
