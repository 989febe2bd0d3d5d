"""A plan: for each crew its stops in order with their times, for each job left out the reason, and the costs."""

from typing import Literal

import msgspec

Reason = Literal[
    "no_crews",
    "excluded",
    "skill",
    "window",
    "unreachable",
    "shift",
    "travel",
    "capacity",
    "supplies",
    "no_room",
    "gives_way",
]
"""Why a job is left out, in the order in which they are looked for."""


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """A job on a crew's way. `arrival` is at the place, work begins `waiting` seconds later; `travel` led here.

    `store` says that the way leads over the store, where tools and parts are taken.
    """

    job: str
    arrival: int
    waiting: int
    setup: int
    service: int
    travel: int
    late: int
    committed: bool = False
    store: bool = False

    @property
    def begins(self) -> int:
        """When work can begin: the time that lateness is counted to."""
        return self.arrival + self.waiting

    @property
    def leaves(self) -> int:
        """When the crew is free again."""
        return self.begins + self.setup + self.service


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """What one crew does, first to last. `ends` is when it is free, or back at its end place `travel_home` later."""

    crew: str
    stops: tuple[Stop, ...] = ()
    begins: int = 0
    ends: int = 0
    travel_home: int = 0


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A job that nobody does: why, as a code and as a sentence."""

    job: str
    reason: Reason
    detail: str


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan costs, by the parts of the objective in their order."""

    left_out: int
    weighted_lateness: int
    late: int
    travel: int
    fairness: int
    changes: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a problem: every job is in exactly one route or left out."""

    routes: tuple[Route, ...]
    left_out: tuple[LeftOut, ...]
    figures: Figures
    cost: float
    iterations: int = 0

    def orders(self) -> dict[str, tuple[str, ...]]:
        """Return the ids of each crew's jobs in order."""
        return {route.crew: tuple(stop.job for stop in route.stops) for route in self.routes}
