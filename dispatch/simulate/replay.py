"""A day as the city's own log has it: what to run again under another policy, and what really happened beside it.

A report counts from the moment at which the city took it. How long a work took is from the door to done; where that is
not in the log, the median of the period's others stands in. A crew begins where its phone was last heard before the
period, else where it was first heard in it, else where it first arrived, else in the middle of its home zone. What was
open when the period began is taken over as it stood (`replay_start`) and counts, but for what somebody had reached by
then. What was cancelled, merged or handed on before anybody arrived is left out of both, and so is what has no place.

Both sides end where the period does: what nobody had reached by then is unserved in either, whatever came of it later.
"""

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from crew_client.protocol import PublicOrder
from dispatch.city import City
from dispatch.orders import OPEN
from dispatch.simulate import replay_start
from dispatch.simulate.results import Visit, summarise
from dispatch.simulate.runs import Outcome
from dispatch.simulate.scenario import Scenario, ScenarioCrew, ScenarioReport, Shift
from dispatch.simulate.standing import Standing
from dispatch.store.crews import CREWS
from dispatch.store.tx import LOG

if TYPE_CHECKING:
    import asyncpg

AS_LOGGED = "as logged"
USUAL_SERVICE_S = 1200.0
LONGEST_SHIFT = timedelta(days=2)
"""How long after a period the ends of its shifts are looked for."""
GONE = ("order.cancelled", "order.merged", "order.transferred")
_public = msgspec.json.Decoder(PublicOrder)


class Rows(Struct, frozen=True):
    """What the database has of a period: reports and what was open before, what became of each, crews with shifts.

    `turns` and `last_fixes` are of the shifts that had begun when the period does.
    """

    reported: Sequence[Mapping[str, Any]]
    open_before: Sequence[Mapping[str, Any]]
    moments: Sequence[Mapping[str, Any]]
    crews: Sequence[Mapping[str, Any]]
    shifts: Sequence[Mapping[str, Any]]
    turns: Sequence[Mapping[str, Any]]
    fixes: Sequence[Mapping[str, Any]]
    last_fixes: Sequence[Mapping[str, Any]]


class LoggedDay(Struct, frozen=True):
    """A period to run again, what it began with, what really happened in it, and how many reports were left out."""

    scenario: Scenario
    standing: Standing
    outcome: Outcome
    left_out: int


async def read_rows(conn: "asyncpg.Connection[asyncpg.Record]", city_id: str, start: datetime, end: datetime) -> Rows:
    """Read a period of a city from its log."""
    reported = await conn.fetch(LOG["reported_orders"], city_id, start, end)
    open_before = await conn.fetch(LOG["open_orders"], city_id, start, [state.value for state in OPEN])
    shifts = await conn.fetch(LOG["shifts"], city_id, end + LONGEST_SHIFT)
    earliest = min(replay_start.on_since(shifts, start).values(), default=start)
    orders = [row["order_id"] for row in (*reported, *open_before)]
    return Rows(
        reported,
        open_before,
        await conn.fetch(LOG["order_moments"], city_id, orders),
        await conn.fetch(CREWS["find_crews"], city_id, None),
        shifts,
        await conn.fetch(LOG["turns"], city_id, earliest, start),
        await conn.fetch(CREWS["first_fixes"], city_id, start, end),
        await conn.fetch(CREWS["last_fixes"], city_id, earliest, start),
    )


class _Course(Struct):
    """What the log says of one order: the visit that led to the door, as far as it went."""

    crew: str | None = None
    claimed_at: datetime | None = None
    claimed_by: str = "dispatcher"
    departed_at: datetime | None = None
    arrived_at: datetime | None = None
    done_at: datetime | None = None
    gone_at: datetime | None = None


def logged_day(rows: Rows, city: City, start: datetime, end: datetime) -> LoggedDay:
    """Return a period as a scenario with what it began with, and as it went."""
    courses = _courses(rows.moments)
    known = {row["order_id"]: (row["at"], _public.decode(row["first"])) for row in rows.reported}
    known |= {row["order_id"]: (row["at"], _public.decode(row["told"])) for row in rows.open_before}
    stories = replay_start.stories(rows.open_before, rows.moments, start)
    wanted = {
        order_id: (at, order)
        for order_id, (at, order) in known.items()
        if order.location is not None
        and not ((gone_at := courses[order_id].gone_at) is not None and gone_at >= start)
        and (order_id not in stories or stories[order_id].goes_on(end))
    }
    usual = _usual_service_s([courses[order_id] for order_id in wanted])
    anew = {order_id for order_id, story in stories.items() if story.begins_anew}
    reports = {
        order_id: _report(order_id, at, order, _Course() if order_id in anew else courses[order_id], usual)
        for order_id, (at, order) in wanted.items()
    }
    standing = replay_start.standing(rows, reports, stories, start)
    for order_id in [order_id for order_id, story in stories.items() if story.reached]:
        reports.pop(order_id, None)
    visits = [
        visit
        for order_id, report in reports.items()
        if (visit := _visit(report, courses[order_id], wanted[order_id][1].zone)) is not None
    ]
    scenario = Scenario(
        name=f"{city.id} {start.isoformat()} / {end.isoformat()}",
        crews=tuple(_crews(rows, city, visits, standing, start, end)),
        reports=tuple(sorted(reports.values(), key=lambda report: report.at)),
        travel=city.travel,
        factors=city.factors,
        weather=city.weather,
        offset=start.tzinfo or end.tzinfo,  # type: ignore[arg-type]  # both have an offset
    )
    outcome = Outcome(AS_LOGGED, visits, summarise(len(reports), visits))
    return LoggedDay(scenario, standing, reached_by(end, outcome), len(known) - len(wanted))


def reached_by(end: datetime, outcome: Outcome) -> Outcome:
    """Return what an outcome had come to at a moment: visits that had not reached the door by then are none."""
    visits = [visit for visit in outcome.visits if visit.arrived_at < end]
    return Outcome(outcome.policy, visits, summarise(outcome.summary.reports, visits))


def _courses(moments: Sequence[Mapping[str, Any]]) -> defaultdict[str, _Course]:
    courses: defaultdict[str, _Course] = defaultdict(_Course)
    for row in moments:
        course, kind = courses[row["order_id"]], row["kind"]
        if course.arrived_at is not None:
            if kind == "order.resolved" and course.done_at is None:
                course.done_at = row["at"]
        elif kind in ("order.claimed", "order.assigned"):
            claimed = _Course(row["crew_id"], row["at"], row["claimed_by"] or "dispatcher", gone_at=course.gone_at)
            courses[row["order_id"]] = claimed
        elif kind == "order.en_route":
            course.departed_at = course.departed_at or row["at"]
        elif kind == "order.arrived":
            course.arrived_at = row["at"]
        elif kind in GONE:
            course.gone_at = row["at"]
    return courses


def _usual_service_s(courses: Sequence[_Course]) -> float:
    known = [_service(course) for course in courses]
    return statistics.median([seconds for seconds in known if seconds is not None] or [USUAL_SERVICE_S])


def _service(course: _Course) -> float | None:
    if course.arrived_at is None or course.done_at is None:
        return None
    return (course.done_at - course.arrived_at).total_seconds()


def _report(order_id: str, at: datetime, order: PublicOrder, course: _Course, usual_s: float) -> ScenarioReport:
    assert order.location is not None
    service_s = _service(course)
    return ScenarioReport(
        id=order_id,
        at=at,
        lon=order.location.lon,
        lat=order.location.lat,
        category=order.category,
        severity=order.severity,
        service_s=usual_s if service_s is None else service_s,
        required_skills=tuple(order.required_skills),
    )


def _visit(report: ScenarioReport, course: _Course, zone: str | None) -> Visit | None:
    """Return the visit of an order that somebody arrived for, None where nobody has."""
    if course.crew is None or course.claimed_at is None or course.arrived_at is None:
        return None
    return Visit(
        report=report,
        crew=course.crew,
        zone=zone,
        claimed_at=course.claimed_at,
        departed_at=course.departed_at or course.claimed_at,
        arrived_at=course.arrived_at,
        done_at=course.done_at or course.arrived_at + timedelta(seconds=report.service_s),
        claimed_by=course.claimed_by,
    )


def _crews(
    rows: Rows, city: City, visits: Sequence[Visit], standing: Standing, start: datetime, end: datetime
) -> list[ScenarioCrew]:
    """Return the crews that were on shift within the period, or held something, and whose place is known somehow."""
    places = replay_start.last_places(rows, standing)
    for row in rows.fixes:
        places.setdefault(row["crew_id"], (row["lon"], row["lat"]))
    for visit in sorted(visits, key=lambda visit: visit.arrived_at):
        places.setdefault(visit.crew, (visit.report.lon, visit.report.lat))
    middles = {
        zone.id: zone.geometry.representative_point() for zone in (city.zones.zone_map.zones if city.zones else ())
    }
    holders: dict[str, tuple[float, float]] = {}
    for each in standing.orders.values():
        if each.holder is not None:
            holders.setdefault(each.holder, (each.report.lon, each.report.lat))
    shifts = _shifts(rows.shifts, start, end)
    crews = []
    for row in rows.crews:
        crew_id, middle = row["crew_id"], middles.get(row["home_zone"])
        place = places.get(crew_id) or ((middle.x, middle.y) if middle is not None else None) or holders.get(crew_id)
        if place is not None and (shifts.get(crew_id) or crew_id in holders):
            skills = tuple(row["skills"])
            own = tuple(shifts.get(crew_id, ()))
            lon, lat = place
            crews.append(ScenarioCrew(crew_id, lon, lat, row["home_zone"], skills, row["capacity"], own))
    return crews


def _shifts(rows: Sequence[Mapping[str, Any]], start: datetime, end: datetime) -> dict[str, list[Shift]]:
    """Return the shifts of each crew that reach into the period; who has not gone home yet is on without end."""
    shifts: defaultdict[str, list[Shift]] = defaultdict(list)
    since: dict[str, datetime] = {}
    for row in rows:
        if row["began"]:
            if row["at"] < end:
                since.setdefault(row["crew_id"], row["at"])
        elif (began := since.pop(row["crew_id"], None)) is not None and row["at"] > start:
            shifts[row["crew_id"]].append(Shift(max(began, start), row["at"]))
    for crew_id, began in since.items():
        shifts[crew_id].append(Shift(max(began, start), None))
    return dict(shifts)
