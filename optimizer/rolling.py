"""The rolling horizon: a question about a city as it stands, an answer that says who goes now, who next, and why not.

The question holds values alone, so that it can be answered in another process, or on another machine, that may be
killed at any time: what the policy has learned travels in it, and comes back with the answer.

Empty hands are sent by `dispatching`. What is left over, and all that crews hold already, is planned by `solve`: it
says which crew with work in hand takes an order behind it, in which order a crew best visits what it holds, and why
an order finds nobody. What a crew has accepted stays with it; what it was only told of may move, at a price.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
from msgspec import Struct

from geo import Conditions, FactoredTravel, TravelChoice, TravelFactors, TravelTimes, make_travel
from optimizer.dispatching import Dispatcher, DispatchSettings
from optimizer.plan import Plan, Stop
from optimizer.problem import UNREACHABLE, Crew, Job, Prices, Problem
from optimizer.situation import Ground, IdleCrew, Move, Reported, Situation, WaitingOrder
from optimizer.solving import solve
from optimizer.stopping import Stopping

PRICES = Prices(change=100 * Prices().lateness)
"""To take from a crew what it was told of costs as much as 100 s of lateness of severity 1."""


class Held(Struct, frozen=True):
    """Work in a crew's hands. `begun`: it is on its way there, or there. `told`: it was assigned and may still move.

    `work_s` is how long the work is expected to last from its beginning, or from now if the crew is at it.
    """

    id: str
    lon: float
    lat: float
    severity: int
    due_at: datetime
    work_s: float
    begun: bool = False
    told: bool = False
    required_skills: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


class Worker(Struct, frozen=True):
    """A crew with work in hand, at (lon, lat) now, with room for so many orders more.

    `taken` is how many orders fell to it in the `on_shift_s` seconds of its shift, those in hand included.
    """

    id: str
    lon: float
    lat: float
    skills: tuple[str, ...]
    until: datetime | None
    held: tuple[Held, ...]
    room: int = 0
    taken: int = 0
    on_shift_s: float = 0.0


class Question(Struct, frozen=True):
    """A city as it stands. `work_s`: the expected work of each waiting order; `dispatcher`: what was learned so far."""

    now: datetime
    idle: tuple[IdleCrew, ...]
    workers: tuple[Worker, ...]
    waiting: tuple[WaitingOrder, ...]
    work_s: Mapping[str, float]
    travel: TravelChoice
    ground: Ground
    factors: TravelFactors = TravelFactors()
    conditions: Conditions = Conditions(0, "")
    reported: tuple[Reported, ...] = ()
    dispatcher: Dispatcher | None = None
    settings: DispatchSettings = DispatchSettings()


class Given(Struct, frozen=True):
    """A waiting order goes to a crew."""

    order: str
    crew: str
    why: str


class Moved(Struct, frozen=True):
    """An order that a crew was told of goes to another."""

    order: str
    crew: str
    to: str
    why: str


class Due(Struct, frozen=True):
    """A stop of a crew, and when it will be there."""

    order: str
    at: datetime


class Answer(Struct, frozen=True):
    """What to do. `left` says of each waiting order that nobody gets now why; `routes` has crews with several stops.

    `travel_pairs` is how many travel times came from where (`geo.travel_fallback.Tally`).
    """

    given: tuple[Given, ...] = ()
    moved: tuple[Moved, ...] = ()
    left: Mapping[str, str] = {}
    routes: Mapping[str, tuple[Due, ...]] = {}
    advice: tuple[Move, ...] = ()
    dispatcher: Dispatcher | None = None
    travel_pairs: Mapping[str, int] = {}


def answer(question: Question, *, stop: Stopping, seed: int = 0) -> Answer:
    """Answer a question; pure but for the clock that `stop` goes by."""
    source, counted = _source(question.travel)
    counted.clear()
    travel = FactoredTravel(source, question.factors, question.conditions)
    dispatcher = question.dispatcher or Dispatcher(question.ground, question.settings)
    choice = dispatcher(Situation(question.now, question.idle, (), question.waiting, travel, question.reported))
    given = [Given(sending.order, sending.crew, sending.why) for sending in choice.sendings]
    gone, sent = {each.order for each in given}, {each.crew for each in given}
    rest = [order for order in question.waiting if order.id not in gone]
    idle = [crew for crew in question.idle if crew.id not in sent]
    if not rest and not any(len(worker.held) > 1 or any(h.told for h in worker.held) for worker in question.workers):
        return Answer(tuple(given), advice=choice.moves, dispatcher=dispatcher, travel_pairs=dict(counted))
    plan = solve(_problem(question, idle, rest, travel), initial=_as_it_is(question), stop=stop, seed=seed)
    reading = _Reading(question, plan, rest, {held.order: held.why for held in choice.held})
    return Answer(
        given=(*given, *reading.given()),
        moved=tuple(reading.moved()),
        left=reading.left(),
        routes=reading.routes(),
        advice=choice.moves,
        dispatcher=dispatcher,
        travel_pairs=dict(counted),
    )


_sources: dict[str, tuple[TravelTimes, Counter[str]]] = {}


def _source(choice: TravelChoice) -> tuple[TravelTimes, Counter[str]]:
    """Return the bare source of travel times, and what counts where they came from; a map is read once a process."""
    key = repr(choice)
    if key not in _sources:
        counted: Counter[str] = Counter()

        def tally(outcome: str, pairs: int) -> None:
            counted[outcome] += pairs

        _sources[key] = make_travel(choice, tally=tally), counted
    return _sources[key]


def _as_it_is(question: Question) -> dict[str, tuple[str, ...]]:
    return {worker.id: tuple(held.id for held in worker.held) for worker in question.workers}


def _problem(
    question: Question, idle: Sequence[IdleCrew], rest: Sequence[WaitingOrder], travel: TravelTimes
) -> Problem:
    """Return the planning problem; its clock starts `_origin` seconds before now, so that what is overdue has a due."""
    now, origin = question.now, _origin(question)
    held = [(worker, each) for worker in question.workers for each in worker.held]
    places = [(crew.lon, crew.lat) for crew in idle] + [(worker.lon, worker.lat) for worker in question.workers]
    places += [(each.lon, each.lat) for _, each in held] + [(order.lon, order.lat) for order in rest]
    seconds = travel.matrix(places, places) if places else np.zeros((0, 0))
    matrix = np.where(np.isfinite(seconds), seconds, UNREACHABLE).astype(np.int32)
    everybody = frozenset([crew.id for crew in idle] + [worker.id for worker in question.workers])

    def due(at: datetime) -> int:
        return max(origin + int((at - now).total_seconds()), 0)

    def shift_end(until: datetime | None) -> int | None:
        return None if until is None else max(origin + int((until - now).total_seconds()), 0)

    crews = [
        Crew(
            id=crew.id,
            start=row,
            earliest=origin,
            shift_end=shift_end(crew.until),
            skills=frozenset(crew.skills),
            orders_done=crew.taken,
            on_shift=int(crew.on_shift_s),
        )
        for row, crew in enumerate(idle)
    ]
    crews += [
        Crew(
            id=worker.id,
            start=row,
            earliest=origin,
            shift_end=None,  # what it holds it will finish
            skills=frozenset(worker.skills),
            committed=tuple(each.id for each in worker.held if each.begun),
            orders_done=max(worker.taken - len(worker.held), 0),
            on_shift=int(worker.on_shift_s),
        )
        for row, worker in enumerate(question.workers, len(idle))
    ]
    jobs = [
        Job(
            id=each.id,
            place=place,
            service=math.ceil(each.work_s),
            due=due(each.due_at),
            weight=each.severity,
            skills=frozenset(each.required_skills) if each.told else frozenset(),
            excluded=frozenset(each.excluded) if each.told else everybody - {worker.id},
            priority=100,
            told=worker.id,
        )
        for place, (worker, each) in enumerate(held, len(crews))
    ]
    jobs += [
        Job(
            id=order.id,
            place=place,
            service=math.ceil(question.work_s.get(order.id, 0.0)),
            due=due(order.due_at),
            weight=order.severity,
            skills=frozenset(order.required_skills),
            excluded=frozenset(order.excluded),
        )
        for place, order in enumerate(rest, len(crews) + len(held))
    ]
    return Problem(crews=tuple(crews), jobs=tuple(jobs), travel=(matrix,), prices=PRICES)


def _origin(question: Question) -> int:
    """Return by how many seconds the problem's clock is ahead: as long as the most overdue order is late."""
    due = [order.due_at for order in question.waiting]
    due += [each.due_at for worker in question.workers for each in worker.held]
    return max((math.ceil((question.now - at).total_seconds()) for at in due if at < question.now), default=0)


class _Reading:
    """A plan read as what it means for the city: only what can be done now is done."""

    def __init__(
        self, question: Question, plan: Plan, rest: Sequence[WaitingOrder], held_back: Mapping[str, str]
    ) -> None:
        self._question = question
        self._rest = {order.id for order in rest}
        self._held_back = held_back
        self._origin = _origin(question)
        self._workers = {worker.id: worker for worker in question.workers}
        self._holder = {each.id: worker.id for worker in question.workers for each in worker.held}
        self._routes = {route.crew: route.stops for route in plan.routes}
        self._left_out = {each.job: each.detail for each in plan.left_out}
        self._room = {worker.id: worker.room for worker in question.workers}

    def given(self) -> Iterator[Given]:
        """What crews with work in hand take behind it."""
        for crew, stops in self._routes.items():
            for stop in stops:
                if stop.job in self._rest and self._room.get(crew, 0) > 0:
                    self._room[crew] -= 1
                    self._rest.discard(stop.job)
                    yield Given(stop.job, crew, f"behind the work that it has, there in {self._minutes(stop)} min")

    def moved(self) -> Iterator[Moved]:
        """What was told to one crew and is better done by another with room."""
        for crew, stops in self._routes.items():
            for stop in stops:
                holder = self._holder.get(stop.job, crew)
                if holder != crew and self._room.get(crew, 1) > 0:
                    self._room[crew] = self._room.get(crew, 1) - 1
                    yield Moved(
                        stop.job, holder, crew, f"there in {self._minutes(stop)} min, sooner than crew {holder}"
                    )

    def left(self) -> dict[str, str]:
        """Why each order that is still left finds nobody now."""
        planned = {
            stop.job: f"nobody is free: crew {crew} could be there in {self._minutes(stop)} min, after other work"
            for crew, stops in self._routes.items()
            for stop in stops
        }
        return {
            order: self._held_back.get(order) or planned.get(order) or self._left_out.get(order, "nobody can go")
            for order in sorted(self._rest)
        }

    def routes(self) -> dict[str, tuple[Due, ...]]:
        """In which order crews with several stops best visit them."""
        return {
            crew: tuple(Due(stop.job, self._question.now + timedelta(seconds=self._ahead(stop))) for stop in stops)
            for crew, all_stops in self._routes.items()
            if len(stops := [stop for stop in all_stops if self._holder.get(stop.job) == crew]) > 1
        }

    def _ahead(self, stop: Stop) -> int:
        return max(stop.begins - self._origin, 0)

    def _minutes(self, stop: Stop) -> int:
        return max(round(self._ahead(stop) / 60), 1)
