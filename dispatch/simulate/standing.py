"""How things stood when a day began: which orders were open, who was on shift, and who held what.

A day that begins in the middle of a city's life goes on from here. What a crew holds it finishes under every policy;
an offer that was open keeps the moment at which it was opened, under the terms of the policy that is run; what was with
a dispatcher comes back at the moment at which it came back then.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from crew_client.protocol import Location, PublicOrder
from dispatch import offers
from dispatch.city import City
from dispatch.crews import Crew
from dispatch.orders import WITH_CREW, Order, State
from dispatch.simulate.scenario import ScenarioCrew, ScenarioReport


class StandingOrder(Struct, frozen=True):
    """An order that was open: as it was told last, and what it had been through.

    `opened_at` is when its open offer began; `claimed_at`, `departed_at` and `arrived_at` are of the crew that holds
    it; `back_at` is when it came back from a dispatcher's list. Each None where there is no such moment.
    """

    report: ScenarioReport
    order: PublicOrder
    cycle: int
    excluded: tuple[str, ...] = ()
    opened_at: datetime | None = None
    claimed_at: datetime | None = None
    departed_at: datetime | None = None
    arrived_at: datetime | None = None
    back_at: datetime | None = None

    @property
    def holder(self) -> str | None:
        """The crew that holds the order, None for nobody."""
        return self.order.crew if State(self.order.state) in WITH_CREW else None


class OnShift(Struct, frozen=True):
    """A crew that was on shift, since when, and how many orders it had taken by then."""

    since: datetime
    taken: int


class Standing(Struct, frozen=True):
    """A city at the moment `at`: its open orders and its crews on shift, both by id."""

    at: datetime
    orders: Mapping[str, StandingOrder]
    on_shift: Mapping[str, OnShift]


def crew_rows(standing: Standing, crews: Collection[ScenarioCrew]) -> list[Crew]:
    """Return the crews as the engine knew them."""
    rows = []
    for crew in crews:
        row = Crew(crew.id, crew.id, crew.skills, crew.home_zone, crew.capacity)
        load = sum(each.holder == crew.id for each in standing.orders.values())
        if (on := standing.on_shift.get(crew.id)) is not None:
            here = Location(crew.lon, crew.lat)
            row = replace(
                row, on_shift=True, shift_since=on.since, taken=on.taken, position=here, position_at=standing.at
            )
        rows.append(replace(row, load=load))
    return rows


def order_of(standing: StandingOrder, crews: Collection[Crew], city: City) -> Order:
    """Return the order as the engine had it; `crews` are those who may be asked for it where it is open."""
    told = standing.order
    order = Order(
        id=told.id,
        version=told.version,
        state=State(told.state),
        cycle=standing.cycle,
        zone=told.zone,
        category=told.category,
        severity=told.severity,
        location=told.location,
        address=None,
        required_skills=tuple(told.required_skills),
        crew=standing.holder,  # what a crew suspended waits for a dispatcher's word here
        claimed_by=told.claimed_by,
        reported_at=told.reported_at,
        clocks=told.clocks,
        incident=told.incident,
        unverified=told.unverified,
        excluded=standing.excluded,
    )
    if order.state is not State.OFFERED:
        return order
    before = replace(order, cycle=order.cycle - 1)
    opened_at = standing.opened_at or told.reported_at
    opened, _ = offers.opened(before, crews, city, now=opened_at, excluded=standing.excluded)
    return opened
