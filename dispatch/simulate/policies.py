"""Who is sent where by the machine: the policies of a day, each a pure function of what is known now.

A policy sees the orders that wait, the crews and where they are; it does not see what is not reported yet, nor how long
a work will take before it is done.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import numpy as np
from msgspec import Struct

from geo import TravelTimes

NO_TIME_S = 20 * 60.0
"""What the rule adds to every drive: about the time that a work takes."""


class IdleCrew(Struct, frozen=True):
    """A crew with empty hands since `since`, on shift until `until`; `moving`: on its way to a waiting place."""

    id: str
    lon: float
    lat: float
    skills: tuple[str, ...]
    until: datetime | None
    since: datetime
    moving: bool = False


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


class Situation(Struct, frozen=True):
    """All that a policy may know. Orders by the time of their report, idle crews by how long they have been so."""

    now: datetime
    idle: tuple[IdleCrew, ...]
    busy: tuple[BusyCrew, ...]
    waiting: tuple[WaitingOrder, ...]
    travel: TravelTimes


class Sending(Struct, frozen=True):
    """An idle crew goes to a waiting order, and why."""

    crew: str
    order: str
    why: str


class Move(Struct, frozen=True):
    """An idle crew goes to wait somewhere else."""

    crew: str
    lon: float
    lat: float


class Choice(Struct, frozen=True):
    """What is to be done now; each crew and each order at most once."""

    sendings: tuple[Sending, ...] = ()
    moves: tuple[Move, ...] = ()


class Dispatch(Protocol):
    """Chooses what is to be done in a situation; the same situation gives the same choice."""

    def __call__(self, situation: Situation, /) -> Choice:
        """Return the choice."""
        ...


class Policy(Struct, frozen=True):
    """How a day is run. `grabs`: orders are open to grabs first. `dispatch`: what the machine does, None for nothing.

    With grabs the machine has what its time has come for (`Terms.assign_at`), without them everything at once.
    `moves` says that `dispatch` also wants to be asked where idle crews should wait.
    """

    name: str
    grabs: bool
    dispatch: Dispatch | None
    moves: bool = False


def send_nearest(situation: Situation) -> Choice:
    """Send the nearest idle crew to each waiting order, first come first served."""
    free = dict.fromkeys(range(len(situation.idle)))
    drive = _drives(situation)
    sendings = []
    for column, order in enumerate(situation.waiting):
        fit = [row for row in free if order.fits(situation.idle[row])]
        if not fit:
            continue
        best = min(fit, key=lambda row: drive[row, column])
        del free[best]
        sendings.append(Sending(situation.idle[best].id, order.id, f"nearest, {drive[best, column]:.0f} s"))
    return Choice(tuple(sendings))


def send_by_rule(situation: Situation) -> Choice:
    """Send by one line: a crew takes the waiting order with the greatest severity / (drive + 20 min).

    What is scarce chooses: where crews are fewer than orders, each in turn takes its best order, the longest idle
    first; else each order in turn, the oldest first, gets the nearest crew.
    """
    drive = _drives(situation)
    severity = np.array([order.severity for order in situation.waiting], dtype=np.float64)
    worth = severity / (drive + NO_TIME_S)
    for column, order in enumerate(situation.waiting):
        if order.required_skills or order.excluded:
            worth[[not order.fits(crew) for crew in situation.idle], column] = -1.0
    sendings: list[Sending] = []
    rows, columns = worth.shape
    for turn in range(min(rows, columns)):
        row, column = (turn, int(worth[turn].argmax())) if rows < columns else (int(worth[:, turn].argmax()), turn)
        if worth[row, column] > 0:
            why = f"most severity for the time, {drive[row, column]:.0f} s away"
            sendings.append(Sending(situation.idle[row].id, situation.waiting[column].id, why))
            worth[row, :] = worth[:, column] = -1.0
    return Choice(tuple(sendings))


def _drives(situation: Situation) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """Return the seconds from each idle crew (rows) to each waiting order (columns)."""
    matrix: np.ndarray[tuple[int, int], np.dtype[np.float64]] = situation.travel.matrix(
        _places(situation.idle), _places(situation.waiting)
    )
    return matrix


def _places(of: "Sequence[IdleCrew | WaitingOrder]") -> list[tuple[float, float]]:
    return [(each.lon, each.lat) for each in of]


POLICIES = {
    policy.name: policy
    for policy in (
        Policy("nearest", grabs=False, dispatch=send_nearest),
        Policy("rule", grabs=False, dispatch=send_by_rule),
        Policy("grab", grabs=True, dispatch=None),
        Policy("optimizer", grabs=False, dispatch=send_by_rule),
        Policy("hybrid", grabs=True, dispatch=send_by_rule),
    )
}
"""Every policy by its name on the command line; `hybrid` is how the product works."""
