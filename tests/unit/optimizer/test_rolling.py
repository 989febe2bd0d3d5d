"""The rolling horizon: small cities whose right answer a person can see."""

import pickle
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from geo import TravelChoice
from optimizer.dispatching import DispatchSettings
from optimizer.rolling import Answer, Held, Question, Worker, answer
from optimizer.situation import Ground, IdleCrew, Reported, WaitingOrder
from optimizer.stopping import Iterations

NOW = datetime(2026, 1, 10, 8, tzinfo=UTC)
MINUTE = 60 * 6.0 / 1.3 / 111_195
"""A minute's drive to the north, degrees of latitude."""


@dataclass
class Sight:
    """A street that runs north; places are minutes of driving along it."""

    idle: list[IdleCrew] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    waiting: list[WaitingOrder] = field(default_factory=list)

    def question(self, **more: object) -> Question:
        question = Question(
            now=NOW,
            idle=tuple(self.idle),
            workers=tuple(self.workers),
            waiting=tuple(self.waiting),
            work_s={order.id: 1200.0 for order in self.waiting},
            travel=TravelChoice(),
            ground=Ground(126.5, 45.0, 126.7, 46.0),
            settings=DispatchSettings(threshold=0.0, standby=None),
        )
        return msgspec.structs.replace(question, **more)

    def ask(self, **more: object) -> Answer:
        return answer(self.question(**more), stop=Iterations(3000))


def idle(name: str, at_min: float, *skills: str) -> IdleCrew:
    return IdleCrew(name, 126.6, 45.0 + at_min * MINUTE, skills, None, NOW)


def order(
    name: str, at_min: float, *, due_min: float = 15, severity: int = 2, needs: tuple[str, ...] = ()
) -> WaitingOrder:
    due = NOW + timedelta(minutes=due_min)
    place = (126.6, 45.0 + at_min * MINUTE)
    return WaitingOrder(name, *place, None, "leak", severity, due - timedelta(minutes=15), due, needs, ())


def held(name: str, at_min: float, *, due_min: float = 15, **more: object) -> Held:
    place = (126.6, 45.0 + at_min * MINUTE)
    return msgspec.structs.replace(Held(name, *place, 2, NOW + timedelta(minutes=due_min), 1200.0), **more)


def worker(name: str, at_min: float, *works: Held, room: int = 0) -> Worker:
    return Worker(name, 126.6, 45.0 + at_min * MINUTE, (), None, works, room)


@pytest.mark.parametrize("busier", ["a", "b"])
def test_of_two_crews_that_would_do_as_well_the_one_with_fewer_orders_per_hour_takes_it(busier: str) -> None:
    workers = [
        msgspec.structs.replace(
            worker(name, 0, held(f"{name}-has", 0, begun=True), room=1),
            taken=7 if name == busier else 3,
            on_shift_s=4 * 3600.0,
        )
        for name in ("a", "b")
    ]
    assert given(Sight(workers=workers, waiting=[order("next", 5)]).ask()) == {"next": "b" if busier == "a" else "a"}
    longer = [msgspec.structs.replace(each, on_shift_s=12 * 3600.0) if each.id == busier else each for each in workers]
    assert given(Sight(workers=longer, waiting=[order("next", 5)]).ask()) == {"next": busier}, "7 in 12 h, 3 in 4"


def given(found: Answer) -> dict[str, str]:
    return {each.order: each.crew for each in found.given}


def test_empty_hands_go_first_and_each_order_to_the_nearer() -> None:
    found = Sight([idle("south", 0), idle("north", 20)], waiting=[order("up", 18), order("down", 3)]).ask()
    assert given(found) == {"up": "north", "down": "south"}
    assert found.left == {}


def test_what_is_left_over_goes_behind_the_work_of_a_crew_with_room_and_says_when() -> None:
    sight = Sight([idle("far", 90, "other")], [worker("near", 5, held("now", 5, begun=True), room=1)], [order("o", 6)])
    sight.waiting = [order("o", 6), order("p", 90)]
    found = sight.ask()
    assert given(found) == {"o": "near", "p": "far"}
    [why] = [each.why for each in found.given if each.order == "o"]
    assert "21 min" in why


def test_a_crew_without_room_gets_nothing_and_the_order_says_when_it_could_come() -> None:
    found = Sight([], [worker("near", 5, held("now", 5, begun=True))], [order("o", 7)]).ask()
    assert found.given == ()
    assert "near" in found.left["o"] and "22 min" in found.left["o"]


def test_an_order_that_nobody_can_do_has_a_computed_reason() -> None:
    found = Sight([idle("c", 0)], waiting=[order("o", 1, needs=("gas",))]).ask()
    assert found.given == ()
    assert "gas" in found.left["o"]
    assert Sight(waiting=[order("o", 1)]).ask().left == {"o": "there is no crew"}


def test_an_overdue_order_is_an_order_like_any_other() -> None:
    late = order("late", 2, due_min=-40)
    assert given(Sight([idle("c", 0)], waiting=[late, order("new", 12)]).ask()) == {"late": "c"}
    assert given(Sight([], [worker("w", 0, held("now", 0, begun=True), room=1)], [late]).ask()) == {"late": "w"}


def test_a_crew_with_several_orders_is_told_the_best_way_round() -> None:
    works = (held("far", 12, due_min=60), held("near", 3, due_min=60))
    found = Sight([], [worker("w", 0, *works)]).ask()
    assert [stop.order for stop in found.routes["w"]] == ["near", "far"]
    minutes = [(stop.at - NOW) / timedelta(minutes=1) for stop in found.routes["w"]]
    assert minutes == pytest.approx([3, 3 + 20 + 9], abs=0.05)


def test_what_has_begun_stays_first() -> None:
    works = (held("far", 12, begun=True), held("near", 3))
    found = Sight([], [worker("w", 0, *works)]).ask()
    assert [stop.order for stop in found.routes["w"]] == ["far", "near"]


def test_accepted_work_never_moves_and_told_work_moves_only_where_it_pays() -> None:
    behind = held("second", 30, due_min=15)
    busy = worker("busy", 0, held("first", 0, begun=True), behind)
    assert Sight([idle("there", 30)], [busy]).ask().moved == ()
    told = worker("busy", 0, held("first", 0, begun=True), held("second", 30, due_min=15, told=True))
    [moved] = Sight([idle("there", 30)], [told]).ask().moved
    assert (moved.order, moved.crew, moved.to) == ("second", "busy", "there")
    in_time = worker("calm", 0, held("only", 5, told=True))
    assert Sight([idle("there", 4)], [in_time]).ask().moved == (), "a minute less is not worth another phone call"


def test_question_and_answer_travel_between_processes_with_what_was_learned() -> None:
    sight = Sight([idle("c", 0), idle("d", 30)], waiting=[order("o", 1)])
    reported = (Reported(126.6, 45.1, 5),) * 20
    first = sight.ask(settings=DispatchSettings(), reported=reported)
    again: Answer = pickle.loads(pickle.dumps(first))
    second = sight.ask(settings=DispatchSettings(), dispatcher=again.dispatcher)
    assert given(second) == given(first)
    assert again.dispatcher is not None and again.dispatcher._average.count == 2
    assert len(pickle.dumps(second)) < 200_000


def test_the_same_question_has_the_same_answer() -> None:
    sight = Sight([idle("a", 0)], [worker("w", 9, held("x", 9, begun=True), held("y", 2), room=2)])
    sight.waiting = [order(f"o{n}", 3 * n) for n in range(6)]
    first, second = sight.ask(), sight.ask()
    assert (first.given, first.left, first.routes) == (second.given, second.left, second.routes)
    assert {*given(first), *first.left} == {each.id for each in sight.waiting}, "each is given, or has its reason"


def test_the_answer_says_where_its_travel_times_came_from() -> None:
    sight = Sight(idle=[idle("near", 1)], waiting=[order("o", 0)])
    assert sight.ask().travel_pairs == {}, "the plain metric stands in for nobody"
    silent = TravelChoice(kind="osrm", url="http://127.0.0.1:9", timeout_s=0.5)
    answered = sight.ask(travel=silent)
    assert [given.crew for given in answered.given] == ["near"]
    assert answered.travel_pairs["unavailable"] > 0
