"""Who is sent where by the machine: the policies that a day can be run under.

What a policy may know and say is `optimizer.situation`. The two plain ones are here, for others to be measured against;
`optimizer` and `hybrid` send by `optimizer.dispatching`.
"""

from typing import Literal

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from dispatch.city import City
from optimizer.dispatching import Dispatcher, drives
from optimizer.situation import Choice, Dispatch, Ground, Prepare, Sending, Situation

NO_TIME_S = 20 * 60.0
"""What the rule adds to every drive: about the time that a work takes."""


class Policy(Struct, frozen=True):
    """How a day is run. `grabs`: orders are open to grabs first. `prepare`: makes the machine, None for none.

    With grabs the machine has what its time has come for (`Terms.assign_at`), without them everything at once.
    `moves` says that it also wants to be asked where idle crews should wait. `leave_to_grabs` stands in for the word of
    that name in the grab policy of zones that do not say it themselves; None takes the installation's.
    """

    name: str
    grabs: bool
    prepare: Prepare | None
    moves: bool = False
    leave_to_grabs: Literal["always", "when_safe"] | None = None

    def in_force(self, city: City) -> City:
        """Return the city with the grab policy that this is run with."""
        if self.leave_to_grabs is None:
            return city
        return city.with_default_policy(replace(city.default_policy, leave_to_grabs=self.leave_to_grabs))


def send_nearest(situation: Situation) -> Choice:
    """Send the nearest idle crew to each waiting order, first come first served."""
    free = dict.fromkeys(range(len(situation.idle)))
    drive = drives(situation)
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
    drive = drives(situation)
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


def _as_it_is(dispatch: Dispatch) -> Prepare:
    """Return a policy that learns nothing and needs no preparation."""

    def prepare(_: Ground) -> Dispatch:
        return dispatch

    return prepare


POLICIES = {
    policy.name: policy
    for policy in (
        Policy("nearest", grabs=False, prepare=_as_it_is(send_nearest)),
        Policy("rule", grabs=False, prepare=_as_it_is(send_by_rule)),
        Policy("grab", grabs=True, prepare=None),
        Policy("optimizer", grabs=False, prepare=Dispatcher, moves=True),
        Policy("hybrid", grabs=True, prepare=Dispatcher, moves=True, leave_to_grabs="when_safe"),
    )
}
"""Every policy by its name on the command line; `hybrid` is how the product works (its grabs: decision 6)."""
