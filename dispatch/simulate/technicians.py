"""The crews of a simulated day: where each is, what it holds, and which offers its phone shows.

Their answers are dice of `crew_client.Behaviour`, from a generator of their own each, so that what one crew does never
shifts the dice of another.
"""

import random
from datetime import datetime, timedelta

from msgspec import Struct

from crew_client.behaviour import Behaviour
from crew_client.ground import Place, between, metres_between
from dispatch.simulate.scenario import ScenarioCrew, ScenarioReport

MOST_READ = 20
"""How many of the offers on a long list a technician reads: the nearest."""


class Leg(Struct, frozen=True):
    """A drive from one place to another; `order` None on the way to a waiting place."""

    start: Place
    end: Place
    departed_at: datetime
    arrives_at: datetime
    order: str | None

    def at(self, now: datetime) -> Place:
        """Return where on the way the crew is."""
        whole = self.arrives_at - self.departed_at
        return between(self.start, self.end, (now - self.departed_at) / whole if whole else 1.0)


class Work(Struct):
    """An order that a crew holds, as it goes on."""

    report: ScenarioReport
    claimed_at: datetime
    claimed_by: str
    departed_at: datetime | None = None
    arrived_at: datetime | None = None


class Shown(Struct):
    """An offer on a crew's screen; `answered` says that the crew has thought about it once."""

    cycle: int
    place: Place
    answered: bool = False


class Technician:
    """One crew at work."""

    def __init__(self, crew: ScenarioCrew, behaviour: Behaviour, seed: str) -> None:
        self.crew = crew
        self.id = crew.id
        self.behaviour = behaviour
        self.rng = random.Random(seed)
        self.place = Place(crew.lon, crew.lat)
        self.leg: Leg | None = None
        self.held: dict[str, Work] = {}
        self.doing: str | None = None
        self.screen: dict[str, Shown] = {}
        self.bids: set[str] = set()
        self.on_shift = False
        self.until: datetime | None = None
        self.free_since: datetime | None = None
        self.looking = False
        self.messages = 0

    @property
    def idle(self) -> bool:
        """Whether the crew could be sent: on shift, with empty hands."""
        return self.on_shift and not self.held

    @property
    def has_room(self) -> bool:
        """Whether one more grab makes sense to the crew."""
        return self.on_shift and len(self.held) + len(self.bids) < self.crew.capacity

    @property
    def moving(self) -> bool:
        """Whether the crew is on its way to a waiting place."""
        return self.leg is not None and self.leg.order is None

    def where(self, now: datetime) -> Place:
        """Return where the crew is."""
        return self.leg.at(now) if self.leg is not None else self.place

    def halt(self, now: datetime) -> None:
        """Stay where the drive has led so far."""
        if self.leg is not None:
            self.place, self.leg = self.leg.at(now), None

    def next_work(self) -> Work | None:
        """Return what the crew does next of what it holds: the most severe, then what it has held longest."""
        return min(self.held.values(), key=lambda work: (-work.report.severity, work.claimed_at), default=None)

    def message(self) -> str:
        """Return the next id of a message of this crew's phone."""
        self.messages += 1
        return f"{self.id}-{self.messages}"

    def reaction(self) -> timedelta:
        """Return how long the crew looks at its screen before it answers."""
        return timedelta(milliseconds=round(1000 * self.behaviour.reaction_s(self.rng)))

    def setting_off(self) -> timedelta:
        """Return how long the crew takes to drive off; no dice are thrown where that is no time at all."""
        if self.behaviour.setting_off_median_s == 0:
            return timedelta(0)
        return timedelta(milliseconds=round(1000 * self.behaviour.setting_off_s(self.rng)))

    def nearest_shown(self, now: datetime) -> list[tuple[float, str, Shown]]:
        """Return the offers that the crew reads, with their metres, the nearest first."""
        here = self.where(now)
        listed = [(metres_between(here, shown.place), order_id, shown) for order_id, shown in self.screen.items()]
        return sorted(listed, key=lambda entry: entry[:2])[:MOST_READ]
