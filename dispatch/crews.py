"""Crews: who they are, when they are on shift, and who of them may take an order.

`candidates` is the one place that says why a crew may or may not be given an order; offers, assignment and the
dispatcher's list of candidates all ask it.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from crew_client.protocol import Location
from dispatch.errors import Invalid
from dispatch.events import Event
from geo import TravelTimes, distance_m

if TYPE_CHECKING:
    from crew_client.protocol import PublicOrder
    from dispatch.orders import Order
    from dispatch.store import Tx
    from dispatch.store.crews import Fix

Skill = Annotated[str, Meta(min_length=1, max_length=64)]
ZoneId = Annotated[str, Meta(min_length=1, max_length=64)]


class Crew(Struct, frozen=True):
    """One technician or van. `load` counts the orders held now, `taken` those that fell to the crew this shift.

    `position` is the last fix, WGS-84, received at `position_at`; `score` is the service score, 0 to 1. In the zones
    of `zones_lent` it is offered orders as if each were its home. `revision` counts the changes of what it can do
    and where.
    """

    id: str
    name: str
    skills: tuple[str, ...]
    home_zone: str | None
    capacity: int
    on_shift: bool = False
    shift_since: datetime | None = None
    load: int = 0
    taken: int = 0
    score: float = 0.5
    position: Location | None = None
    position_at: datetime | None = None
    zones_lent: tuple[str, ...] = ()
    revision: int = 0

    def serves(self, zones: Collection[str]) -> bool:
        """Return whether the crew belongs to one of the zones, or is lent to one."""
        return self.home_zone in zones or any(zone in zones for zone in self.zones_lent)

    def hears(self, at: datetime) -> bool:
        """Return whether an offer that was made at a moment is open to the crew: it is of the shift that it is on."""
        return self.on_shift and (self.shift_since is None or at >= self.shift_since)

    def placed_as(self, seen: "Crew | None") -> "Crew":
        """Return the crew where it is by a newer fix, if memory has `seen` one; without any place it stays so."""
        if seen is None or self.position_at is None or seen.position_at is None or seen.position_at <= self.position_at:
            return self
        return msgspec.structs.replace(self, position=seen.position, position_at=seen.position_at)

    @property
    def state(self) -> Literal["off", "idle", "busy"]:
        """`off`, `idle` or `busy`."""
        if not self.on_shift:
            return "off"
        return "busy" if self.load else "idle"


class Candidate(Struct, frozen=True):
    """A crew seen from one order. `reasons` are the codes of why not, empty where `eligible`."""

    crew: str
    eta_s: float | None
    distance_m: float | None
    eligible: bool
    reasons: tuple[str, ...]


def obstacles(
    order: "Order | PublicOrder", crew: Crew, *, zones: tuple[str, ...] | None, excluded: Iterable[str]
) -> tuple[str, ...]:
    """Return the codes of everything that stands between a crew and an order; `zones` None is the whole city."""
    reasons = []
    if not crew.on_shift:
        reasons.append("off_shift")
    if crew.load >= crew.capacity:
        reasons.append("at_capacity")
    if crew.position is None:
        reasons.append("no_position")
    if order.required_skills and (missing := set(order.required_skills).difference(crew.skills)):
        reasons.extend(f"lacks_skill:{skill}" for skill in sorted(missing))
    if zones is not None and not crew.serves(zones):
        reasons.append("outside_ring")
    if crew.id in excluded:
        reasons.append("excluded")
    return tuple(reasons)


def arrivals(place: Location | None, crews: Collection[Crew], travel: TravelTimes) -> dict[str, float]:
    """Return in how many seconds each crew could be at a place, asked for all of them at once.

    A crew without a position, and one that no road leads from, is not in it; nobody is where there is no place.
    """
    located = [(crew.id, crew.position) for crew in crews if crew.position is not None]
    if place is None or not located:
        return {}
    if len(located) == 1:
        crew, at = located[0]
        found = [(crew, travel.seconds(at.lon, at.lat, place.lon, place.lat))]
    else:
        column = travel.matrix([(at.lon, at.lat) for _, at in located], [(place.lon, place.lat)])[:, 0]
        found = list(zip((crew for crew, _ in located), column.tolist(), strict=True))
    return {crew: eta for crew, eta in found if math.isfinite(eta)}


def candidates(
    order: "Order",
    crews: Iterable[Crew],
    *,
    travel: TravelTimes,
    zones: tuple[str, ...] | None = None,
    etas: Mapping[str, float] | None = None,
) -> list[Candidate]:
    """Rank crews for an order: the eligible by predicted arrival, then the others, each with its reasons.

    An order without a place, and a crew without a position, have no predicted arrival: those come last. `etas` are
    the predicted arrivals where the caller knows them already; otherwise `travel` is asked, once.
    """
    crews = list(crews)
    excluded = frozenset(order.excluded)
    place = order.location
    if etas is None:
        etas = arrivals(place, crews, travel)
    ranked = []
    for crew in crews:
        reasons = obstacles(order, crew, zones=zones, excluded=excluded)
        distance = None
        if place is not None and crew.position is not None:
            distance = round(distance_m(crew.position.lon, crew.position.lat, place.lon, place.lat), 1)
        ranked.append(Candidate(crew.id, etas.get(crew.id), distance, not reasons, reasons))
    ranked.sort(key=lambda c: (not c.eligible, c.eta_s if c.eta_s is not None else float("inf"), c.crew))
    return ranked


def hours_on_shift(crew: Crew, now: datetime) -> float:
    """Return the hours since the shift began, at least a quarter, so that rates stay sane at its start."""
    if crew.shift_since is None:
        return 0.25
    return max((now - crew.shift_since) / timedelta(hours=1), 0.25)


class ShiftWord(Struct, frozen=True):
    """A dispatcher's word on a crew's shift: who says it (`actor`), and why."""

    actor: str
    reason: str


async def set_shift(
    tx: "Tx", crew_id: str, on: bool, *, fix: "Fix | None" = None, word: ShiftWord | None = None
) -> None:
    """Begin or end a crew's shift, by its own word or a dispatcher's; a repeated word changes nothing.

    `fix` is where the crew is as it begins. Whereabouts belong to the shift: they are forgotten when it ends. What the
    crew holds stays with it.
    """
    crew = await tx.crews.lock_one(crew_id)
    if crew.on_shift != on:
        await tx.crews.set_shift(crew_id, on, tx.now)
        kind = "crew.shift_started" if on else "crew.shift_ended"
        said = {"on": on, "by": "dispatcher" if word else "crew", "reason": word.reason if word else None}
        tx.record(Event.of_crew(kind, crew_id, actor=word.actor if word else f"crew:{crew_id}", **said))
    if not on:
        await tx.crews.forget_position(crew_id)
    elif fix is not None:
        await tx.crews.save_fixes([fix])


class CrewChange(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What to change about a crew; what is left out, or null, stays as it is. `zones_lent` replaces the list of before.

    A `home_zone` of null takes the crew out of every zone.
    """

    name: Annotated[str, Meta(min_length=1, max_length=200)] | UnsetType | None = UNSET
    skills: Annotated[tuple[Skill, ...], Meta(max_length=64)] | UnsetType | None = UNSET
    home_zone: ZoneId | UnsetType | None = UNSET
    capacity: Annotated[int, Meta(ge=1, le=1000)] | UnsetType | None = UNSET
    zones_lent: Annotated[tuple[ZoneId, ...], Meta(max_length=100)] | UnsetType | None = UNSET


async def change_crew(tx: "Tx", crew_id: str, change: CrewChange, *, zones: Collection[str], actor: str) -> Crew:
    """Change a crew and return it; raises `NotFound`, and `Invalid` where it is sent to a zone that is not in `zones`.

    What it holds and was offered stays; a grab is judged by what the crew is then.
    """
    given = {
        name: value
        for name, value in msgspec.structs.asdict(change).items()
        if value is not UNSET and (value is not None or name == "home_zone")
    }
    wanted = {"/home_zone": given.get("home_zone")} | {
        f"/zones_lent/{n}": zone for n, zone in enumerate(given.get("zones_lent", ()))
    }
    for pointer, zone in wanted.items():
        if zone is not None and zone not in zones:
            raise Invalid.field(pointer, f"there is no zone {zone} in the map in force")
    for name in ("skills", "zones_lent"):
        if name in given:
            given[name] = tuple(dict.fromkeys(given[name]))
    before = await tx.crews.lock_one(crew_id)
    crew = msgspec.structs.replace(before, **given, revision=before.revision + 1)
    await tx.crews.change(crew)
    tx.record(Event.of_crew("crew.changed", crew_id, actor=actor, **_particulars(crew)))
    return crew


def _particulars(crew: Crew) -> dict[str, Any]:
    """Return what the log may hold of a crew: everything that offers depend on, and no name."""
    return {
        "skills": crew.skills,
        "home_zone": crew.home_zone,
        "capacity": crew.capacity,
        "zones_lent": crew.zones_lent,
        "revision": crew.revision,
    }


async def add_crew(tx: "Tx", crew: Crew, *, actor: str) -> None:
    """Write a new crew; its name stays out of the log."""
    await tx.crews.insert(crew)
    tx.record(Event.of_crew("crew.added", crew.id, actor=actor, **_particulars(crew)))
