"""Routes of the wallboard: what its figures begin with, what is usual, and what could still be saved.

`/sla/board` and `/sla/hours` name the position in the event log that they were true at, so that a screen goes on from
there by the events alone: the board's tallies, and each order that may still change them.
"""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct

from crew_client.protocol import PublicOrder
from dispatch.alarms import WALLBOARD
from dispatch.city_time import day_of, each_hour, start_of, start_of_week
from dispatch.config import SEVERITIES
from dispatch.errors import Invalid
from dispatch.http.routing import Call, Routes
from dispatch.http.shapes import aware
from dispatch.rescues import Prospect, prospect
from dispatch.store.orders import ORDERS
from dispatch.store.rows import order_of
from dispatch.store.tx import LOG
from dispatch.usual import Usual, usual_by_hour, usual_since

if TYPE_CHECKING:
    from dispatch.access import Role

routes = Routes()
WATCHERS: "frozenset[Role]" = frozenset({"dispatcher", "monitor"})
ClockVerdict = Literal["met", "breached"]
LAST_MINUTE = 60
"""Arrivals later than so many minutes are counted together."""

MOST_DAYS = 62
"""How many days one answer may span."""


class Tally(Struct, frozen=True):
    """What became of the orders of one zone (null: of none) that were reported in a time."""

    zone: str | None
    reports: int
    hand_down_met: int
    hand_down_breached: int
    arrival_met: int
    arrival_breached: int
    grab: int
    optimizer: int
    dispatcher: int


class VerdictRow(Struct, frozen=True):
    """What one order counts as; a verdict is null while undecided. `arrival_s`: from report to door, without pauses."""

    order: str
    zone: str | None
    reported_at: datetime
    claimed_by: Literal["grab", "optimizer", "dispatcher"] | None
    hand_down: ClockVerdict | None
    arrival: ClockVerdict | None
    arrival_s: float | None


class Board(Struct, frozen=True):
    """The figures as they were at `seq`. `orders` are those of the last hour and all open ones.

    `arrivals` counts today's by whole minutes after the report, the last number those of an hour and more.
    `targets` are seconds by clock and severity.
    """

    seq: int
    epoch: str
    at: datetime
    time_zone: str
    today_from: datetime
    today_until: datetime
    week_from: datetime
    targets: dict[str, dict[str, float]]
    today: list[Tally]
    week: list[Tally]
    arrivals: list[int]
    orders: list[VerdictRow]


class Hour(Struct, frozen=True):
    """The reports of an hour, and what is usual at that time of such a day (null: too few days are known)."""

    hour: datetime
    count: int
    usual: Usual | None


class Hours(Struct, frozen=True):
    """Reports by hour as they were at `seq`; `usual_days` whole days from `usual_from` on say what is usual."""

    seq: int
    time_zone: str
    items: list[Hour]
    usual_from: datetime | None
    usual_days: int


class HoursQuery(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """From when until when, today where left out; `days` before that may say what is usual."""

    from_: datetime | None = None
    to: datetime | None = None
    days: Annotated[int, Meta(ge=1, le=366)] = 28


class EndangeredRow(Struct, frozen=True):
    """A clock about to run out, and what could still save it."""

    order: str
    clock: str
    due_at: datetime
    zone: str | None
    category: str
    severity: int
    state: str
    prospect: Prospect


class Endangered(Struct, frozen=True):
    """The clocks that run out within the time asked for, the next first; `total` counts also those beyond `limit`."""

    at: datetime
    items: list[EndangeredRow]
    total: int


class EndangeredQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """How far to look ahead, in seconds, and how many clocks to look at."""

    within_s: Annotated[float, Meta(gt=0, le=86_400)] = 600.0
    limit: Annotated[int, Meta(ge=1, le=50)] = 12


@routes.read("/sla/board", roles=WATCHERS, answer=Board)
async def get_board(call: Call) -> Board:
    """Show the shares of today and of this week by zone, with each order that may still change them."""
    zone = ZoneInfo(call.engine.settings.time_zone)
    async with call.engine.db.snapshot() as conn:
        head = await conn.fetchrow(LOG["head"], call.city)
        now: datetime = await conn.fetchval("SELECT now()")
        day = day_of(now, zone)
        today, week = start_of(day, zone), start_of_week(now, zone)
        standing = []
        # Day by day: in a storm a whole week is more than one statement may take.
        for n in range((day - day_of(week, zone)).days + 1):
            began, ended = (start_of(day - timedelta(days=n - later), zone) for later in (0, 1))
            standing.append(await conn.fetch(WALLBOARD["standing"], call.city, began, ended))
        arrivals = await conn.fetch(WALLBOARD["arrivals"], call.city, today, None, LAST_MINUTE)
        recent = await conn.fetch(WALLBOARD["verdicts"], call.city, now - timedelta(hours=1))
    targets = call.mirror.city.targets
    return Board(
        seq=head["last_seq"],
        epoch=head["epoch"],
        at=now,
        time_zone=zone.key,
        today_from=today,
        today_until=start_of(day + timedelta(days=1), zone),
        week_from=week,
        targets={
            clock: {str(severity): targets.target_s(clock, severity) for severity in SEVERITIES}
            for clock in ("hand_down", "arrival")
        },
        today=tallied(standing[0]),
        week=tallied(row for rows in standing for row in rows),
        arrivals=by_minute(arrivals),
        orders=[VerdictRow(order=row["order_id"], **{name: row[name] for name in _OF_ORDER}) for row in recent],
    )


_OF_ORDER = VerdictRow.__struct_fields__[1:]
_COUNTS = Tally.__struct_fields__[1:]


def tallied(rows: Iterable[Mapping[str, Any]]) -> list[Tally]:
    """Return one tally a zone from rows that may name a zone more than once."""
    sums: dict[str | None, list[int]] = {}
    for row in rows:
        counts = sums.setdefault(row["zone"], [0] * len(_COUNTS))
        for place, name in enumerate(_COUNTS):
            counts[place] += row[name]
    return [Tally(zone, *counts) for zone, counts in sorted(sums.items(), key=lambda item: (item[0] is None, item[0]))]


def by_minute(rows: Iterable[Mapping[str, Any]]) -> list[int]:
    """Return the counts of each minute up to `LAST_MINUTE`, which holds all that are later."""
    counts = [0] * (LAST_MINUTE + 1)
    for row in rows:
        counts[row["minute"]] = row["count"]
    return counts


@routes.read("/sla/hours", roles=WATCHERS, query=HoursQuery, answer=Hours)
async def get_hours(call: Call) -> Hours:
    """Count reports by the hour, beside what is usual at that time of such a day by the days before."""
    zone = ZoneInfo(call.engine.settings.time_zone)
    today = day_of(call.engine.now(), zone)
    since = aware(call.query.from_, "from") or start_of(today, zone)
    until = aware(call.query.to, "to") or start_of(day_of(since, zone) + timedelta(days=1), zone)
    check_span(since, until)
    return await hours_of(call, since, until, days=call.query.days)


def check_span(since: datetime, until: datetime) -> None:
    """Raise `Invalid` where a span ends before it begins, or is longer than one answer holds."""
    if until <= since:
        raise Invalid.field("/to", "must be later than from")
    if until - since > timedelta(days=MOST_DAYS):
        raise Invalid.field("/to", f"at most {MOST_DAYS} days after from; ask for shorter times one after the other")


async def hours_of(call: Call, since: datetime, until: datetime, *, days: int) -> Hours:
    """Return the hours of a time; what is usual ends where the day of `since` begins."""
    zone = ZoneInfo(call.engine.settings.time_zone)
    before = start_of(day_of(since, zone), zone)
    async with call.engine.db.snapshot() as conn:
        head = await conn.fetchrow(LOG["head"], call.city)
        first = await conn.fetchval(WALLBOARD["first_report"], call.city)
        usual_from = usual_since(before, first, days=days, zone=zone)
        rows = await conn.fetch(WALLBOARD["hours"], call.city, usual_from or since, until, zone.key)
    counts = {row["hour"]: row["count"] for row in rows}
    usual = usual_by_hour(counts, usual_from, before, zone=zone) if usual_from else {}
    return Hours(
        seq=head["last_seq"],
        time_zone=zone.key,
        items=[
            Hour(hour, counts.get(hour, 0), usual.get((local.weekday(), local.hour)))
            for hour in each_hour(since, until, zone)
            for local in [hour.astimezone(zone)]
        ],
        usual_from=usual_from,
        usual_days=(day_of(before, zone) - day_of(usual_from, zone)).days if usual_from else 0,
    )


@routes.read("/sla/endangered", roles=WATCHERS, query=EndangeredQuery, answer=Endangered)
async def get_endangered(call: Call) -> Endangered:
    """Tell which clocks run out next, and who could still save them: computed from positions, skills and loads."""
    query: EndangeredQuery = call.query
    now = call.engine.now()
    until = now + timedelta(seconds=query.within_s)
    near = sorted(
        (clock.due_at, live.order.id, name)
        for live in call.mirror.orders.values()
        for name, clock in running(live.order)
        if now < clock.due_at <= until
    )
    async with call.engine.db.connection() as conn:
        chosen = list({order for _, order, _ in near[: query.limit]})
        orders = {row["order_id"]: order_of(row) for row in await conn.fetch(ORDERS["find_orders"], call.city, chosen)}
    items = []
    travel = call.mirror.city.travel_at(now)
    for due_at, order_id, name in near[: query.limit]:
        order = orders[order_id]
        remaining_s = (due_at - now).total_seconds()
        found = prospect(order, name, remaining_s, call.mirror.crews.values(), travel=travel)
        items.append(
            EndangeredRow(order_id, name, due_at, order.zone, order.category, order.severity, order.state.value, found)
        )
        await asyncio.sleep(0)  # each looks at every crew; grabs must not wait for all of them
    return Endangered(now, items, len(near))


def running(order: PublicOrder) -> Iterable[tuple[str, Any]]:
    """Return the clocks of an order that run towards their deadline, with their names."""
    return (
        (name, clock)
        for name, clock in order.clocks.items()
        if clock.stopped_at is None and clock.paused_at is None and clock.state in ("running", "at_risk")
    )
