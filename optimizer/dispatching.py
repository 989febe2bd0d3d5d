"""Who goes now: the policy behind `optimizer`, and the machine's part of `hybrid`.

Three decisions, each time that something has happened:

1. *Which order is worth a crew's time.* severity x (1 + hours overdue) for each second that it costs, of the drive to
   it by the nearest crew and a usual work: the c-mu rule (Cox, Smith 1961, "Queues") with overdue work gaining rank.
   A drive counts with its square as well, since a long one takes a crew out of where it is needed and back.
2. *Whether to send at all.* A crew is worth what crews lately achieved in the same time: an order that is worth clearly
   less waits for somebody nearer, the sooner given up the more crews are idle, and never more than `patience_s` past
   its deadline. Take what beats the long-run average, leave the rest: the rule of average-reward decision processes
   (Charnov 1976, "Optimal foraging, the marginal value theorem"; for loads of trucks Kleywegt, Papastavrou 1998, "The
   dynamic and stochastic knapsack problem", Operations Research 46). The average is learned as crews are sent, so the
   threshold follows the city, its speed and its load; the first sendings have none.
3. *Where the others wait*: `optimizer.standby`.

Sent crews stay sent. Nothing is assumed of a work before it is done, not even its category's usual time: on the days
that the settings were fitted on, predicted times chose no better than one constant.
"""

import math
from datetime import datetime

import numpy as np
from msgspec import Struct, field

from optimizer.cells import Cells, Floats
from optimizer.situation import Choice, Ground, Held, IdleCrew, Move, Sending, Situation
from optimizer.standby import StandbySettings, advise


class DispatchSettings(Struct, frozen=True):
    """What the choice goes by; seconds. Fitted on other days than the benchmark's, see docs/optimizer.md.

    An order costs `work_s` + drive + drive² / `bend_s`. It is sent to where it is worth `threshold` of the average of
    about the last `recent` sendings; with every further idle crew that falls, by a factor e for each `ease` of all
    crews. Nothing is held while fewer than `learned` were sent, nor `patience_s` after its deadline. `again_s` is how
    soon held orders are looked at again.
    """

    work_s: float = 750.0
    bend_s: float = 1000.0 / 3.0
    overdue_per_h: float = 1.0
    threshold: float = 0.65
    ease: float = 0.3
    recent: int = 100
    learned: int = 10
    patience_s: float = 2700.0
    again_s: float = 30.0
    standby: StandbySettings | None = field(default_factory=StandbySettings)


class Dispatcher:
    """The policy for one city: remembers where reports came from, what sendings were worth, and whom it moved.

    The same situations in the same order give the same choices.
    """

    def __init__(self, ground: Ground, settings: DispatchSettings | None = None) -> None:
        """Begin with nothing learned."""
        self._ground = ground
        self._settings = settings or DispatchSettings()
        self._cells: Cells | None = None
        self._average = Average(self._settings.recent)
        self._moved: dict[str, datetime] = {}

    def __call__(self, situation: Situation, /) -> Choice:
        """Return who is sent where, what is held, and who waits elsewhere."""
        settings = self._settings
        if self._cells is None and settings.standby is not None:
            self._cells = Cells(self._ground, situation.travel)
        if self._cells is not None:
            self._cells.use(situation.travel)
            for report in situation.reported:
                self._cells.count(report)
        sendings, held = send(situation, self._average, settings)
        sent = {sending.crew for sending in sendings}
        left = [crew for crew in situation.idle if crew.id not in sent]
        return Choice(tuple(sendings), self._moves(situation, left), tuple(held), settings.again_s if held else None)

    def _moves(self, situation: Situation, idle: list[IdleCrew]) -> tuple[Move, ...]:
        standby = self._settings.standby
        if standby is None or self._cells is None or not idle:
            return ()
        cells, now = self._cells, situation.now
        movable = np.array([self._rested(crew, now, standby) for crew in idle])
        if not movable.any():
            return ()
        bound_for = cells.seconds_from([crew.heading or (crew.lon, crew.lat) for crew in idle])
        from_here = np.where(movable[:, np.newaxis], bound_for, np.inf)
        for row, crew in enumerate(idle):
            if crew.heading is not None:
                bound_for[row] += 0.5 * situation.travel.seconds(crew.lon, crew.lat, *crew.heading)
        again = [row for row, crew in enumerate(idle) if crew.heading is not None and movable[row]]
        if again:
            places = [(idle[row].lon, idle[row].lat) for row in again]
            from_here[again] = situation.travel.matrix(places, cells.centres)
        moves = []
        for row, cell in advise(bound_for, from_here, movable, cells, settings=standby):
            self._moved[idle[row].id] = now
            lon, lat = cells.centres[cell].tolist()
            moves.append(Move(idle[row].id, lon, lat))
        return tuple(moves)

    def _rested(self, crew: IdleCrew, now: datetime, standby: StandbySettings) -> bool:
        moved = self._moved.get(crew.id)
        return moved is None or (now - moved).total_seconds() >= standby.rest_s


class Average:
    """The geometric mean of what the last sendings were worth, older ones counting less and less."""

    def __init__(self, recent: int) -> None:
        """Count about the last `recent` of them."""
        self._recent, self._log, self.count = recent, 0.0, 0

    def add(self, worth: float) -> None:
        """Count a sending of a worth above 0."""
        self.count += 1
        self._log += (math.log(worth) - self._log) / min(self.count, self._recent)

    @property
    def worth(self) -> float:
        """The mean; 1 before anything was counted."""
        return math.exp(self._log)


def send(situation: Situation, average: Average, settings: DispatchSettings) -> tuple[list[Sending], list[Held]]:
    """Return who is sent and what is held; counts what was sent into `average`.

    An order that nobody idle may have is neither.
    """
    idle, waiting, now = situation.idle, situation.waiting, situation.now
    if not idle or not waiting:
        return [], []
    drive = drives(situation)
    overdue = np.array([max((now - order.due_at).total_seconds(), 0.0) for order in waiting])
    stake = np.array([order.severity for order in waiting]) * (1.0 + settings.overdue_per_h * overdue / 3600.0)
    open_orders = np.ones(len(waiting), dtype=bool)
    nearest = drive.argmin(axis=0)
    seconds = drive[nearest, np.arange(len(waiting))]
    crews, free, sendings = len(idle) + len(situation.busy), len(idle), []
    while free:
        worth = np.where(open_orders, worth_of(stake, seconds, settings), 0.0)
        if average.count >= settings.learned:
            least = settings.threshold * math.exp(-(free - 1) / (settings.ease * crews)) * average.worth
            worth[(worth < least) & (overdue < settings.patience_s)] = 0.0
        best = int(worth.argmax())
        if worth[best] <= 0.0:
            break
        row = int(nearest[best])
        average.add(float(worth[best]))
        sendings.append(Sending(idle[row].id, waiting[best].id, f"worth most for the time, {seconds[best]:.0f} s away"))
        open_orders[best] = False
        free -= 1
        drive[row] = np.inf
        stale = np.flatnonzero(open_orders & (nearest == row))
        nearest[stale] = drive[:, stale].argmin(axis=0)
        seconds[stale] = drive[nearest[stale], stale]
    held = [
        Held(
            waiting[column].id, f"the nearest idle crew is {seconds[column] / 60:.0f} min away: waits for a nearer one"
        )
        for column in np.flatnonzero(open_orders & np.isfinite(seconds)).tolist()
    ]
    return sendings, held


def worth_of(stake: Floats, seconds: Floats, settings: DispatchSettings) -> Floats:
    """Return what orders are worth per second of a crew's time; 0 where they cannot be reached."""
    reachable = np.isfinite(seconds)
    drive = np.where(reachable, seconds, 0.0)
    return np.where(reachable, stake / (settings.work_s + drive + drive * drive / settings.bend_s), 0.0)


def drives(situation: Situation) -> Floats:
    """Return the seconds from each idle crew (rows) to each waiting order (columns).

    Infinity where there is no way, where the crew may not have the order, or its shift ends before it would be there.
    """
    idle, waiting = situation.idle, situation.waiting
    matrix = np.array(situation.travel.matrix([(c.lon, c.lat) for c in idle], [(o.lon, o.lat) for o in waiting]))
    for column, order in enumerate(waiting):
        if order.required_skills or order.excluded:
            matrix[[not order.fits(crew) for crew in idle], column] = np.inf
    for row, crew in enumerate(idle):
        if crew.until is not None:
            matrix[row, matrix[row] > (crew.until - situation.now).total_seconds()] = np.inf
    return matrix
