"""What a policy may know at a moment, and what it may say: the vocabulary of dispatch in real time.

A policy sees the orders that wait, the crews and where they are, and what has been reported; it does not see what is
not reported yet, nor how long a work will take before it is done. Work that a crew has been given does not come up
again: nothing here takes it away.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from geo import TravelTimes


class IdleCrew(Struct, frozen=True):
    """A crew with empty hands since `since`, on shift until `until` (None: open end), at (lon, lat) now.

    `heading` is the (lon, lat) of the waiting place that it is on its way to, None where it stands. `taken` is how many
    orders fell to it in the `on_shift_s` seconds of its shift.
    """

    id: str
    lon: float
    lat: float
    skills: tuple[str, ...]
    until: datetime | None
    since: datetime
    heading: tuple[float, float] | None = None
    taken: int = 0
    on_shift_s: float = 0.0


class BusyCrew(Struct, frozen=True):
    """A crew with work: the place of what it does now, and when it is (or was) there."""

    id: str
    lon: float
    lat: float
    skills: tuple[str, ...]
    until: datetime | None
    there_at: datetime
    severity: int
    category: str


class WaitingOrder(Struct, frozen=True):
    """An order that nobody holds and that the machine may give out."""

    id: str
    lon: float
    lat: float
    zone: str | None
    category: str
    severity: int
    reported_at: datetime
    due_at: datetime
    required_skills: tuple[str, ...]
    excluded: tuple[str, ...]

    def fits(self, crew: IdleCrew) -> bool:
        """Return whether the crew may have the order."""
        return crew.id not in self.excluded and set(self.required_skills) <= set(crew.skills)


class Reported(Struct, frozen=True):
    """A report as far as it says where the next ones may come from."""

    lon: float
    lat: float
    severity: int


class Situation(Struct, frozen=True):
    """All that a policy may know. Orders by the time of their report, idle crews by how long they have been so.

    `reported` is what was reported since the policy was last asked, whoever has it by now.
    """

    now: datetime
    idle: tuple[IdleCrew, ...]
    busy: tuple[BusyCrew, ...]
    waiting: tuple[WaitingOrder, ...]
    travel: TravelTimes
    reported: tuple[Reported, ...] = ()


class Sending(Struct, frozen=True):
    """An idle crew goes to a waiting order, and why."""

    crew: str
    order: str
    why: str


class Held(Struct, frozen=True):
    """An order that waits for a nearer crew although some crew is idle, and why."""

    order: str
    why: str


class Move(Struct, frozen=True):
    """An idle crew goes to wait somewhere else."""

    crew: str
    lon: float
    lat: float


class Choice(Struct, frozen=True):
    """What is to be done now; each crew and each order at most once.

    Where orders are held the policy wants to be asked again after `again_s` seconds, even if nothing happens.
    """

    sendings: tuple[Sending, ...] = ()
    moves: tuple[Move, ...] = ()
    held: tuple[Held, ...] = ()
    again_s: float | None = None


class Ground(Struct, frozen=True):
    """Where a policy is to work: the box of the zones in degrees, and where the crews begin.

    `expected` says where reports are to be expected, from the city's history: (lon, lat, share), shares adding up to 1.
    """

    west: float
    south: float
    east: float
    north: float
    posts: tuple[tuple[float, float], ...] = ()
    expected: tuple[tuple[float, float, float], ...] = ()


class Dispatch(Protocol):
    """Chooses what is to be done. The same situations, one after the other, give the same choices."""

    def __call__(self, situation: Situation, /) -> Choice:
        """Return the choice."""
        ...


Prepare = Callable[[Ground], Dispatch]
"""Makes a policy ready for a city and a run; whatever it learns, it learns from there on."""
