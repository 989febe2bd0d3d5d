"""Who wins a sealed window: the earliest arrival; in a near tie the better score, then whom fewer orders fell to."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from crew_client.protocol import Location
from dispatch.crews import Crew
from dispatch.grabs import close_window
from dispatch.orders import Order, State, Terms
from dispatch.store import Tx
from dispatch.store.crews import GrabRow
from dispatch.store.memory import MemoryCity
from dispatch.verdicts import Bid, Decision, choose, judge

NOW = datetime(2026, 1, 15, 8, tzinfo=UTC)
PLACE = Location(126.6, 45.7)
TERMS = Terms(
    mode="sealed",
    window_s=6,
    tie_s=30,
    opened_at=NOW,
    closes_at=NOW + timedelta(seconds=6),
    assign_at=NOW + timedelta(seconds=60),
)
ORDER = Order(
    id="o1",
    version=3,
    state=State.OFFERED,
    cycle=1,
    zone="z",
    category="leak",
    severity=4,
    location=PLACE,
    address=None,
    required_skills=("gas",),
    crew=None,
    claimed_by=None,
    reported_at=NOW,
    clocks={},
    offer=TERMS,
)


def crew(id: str, *, score: float = 0.5, taken: int = 0, hours: float = 4, **fields: Any) -> Crew:
    known = {
        "name": id,
        "skills": ("gas", "weld"),
        "home_zone": "z",
        "capacity": 2,
        "on_shift": True,
        "position": PLACE,
        "shift_since": NOW - timedelta(hours=hours),
    }
    return Crew(id=id, score=score, taken=taken, **{**known, **fields})


def decide(*bidders: tuple[Crew, float], tie_s: float = 30, order: Order = ORDER) -> Decision:
    bids = [Bid(who.id, f"m-{who.id}", eta, NOW + timedelta(seconds=n)) for n, (who, eta) in enumerate(bidders)]
    return choose(order, bids, {who.id: who for who, _ in bidders}, tie_s=tie_s, now=NOW)


@pytest.mark.parametrize(
    ("first", "second", "winner", "reason"),
    [
        ((crew("a"), 100), (crew("b"), 131), "a", "earliest_arrival"),
        ((crew("a"), 131), (crew("b", score=0.1, taken=9), 100), "b", "earliest_arrival"),
        ((crew("a"), 100), (crew("b", score=0.6), 130), "b", "near_tie_score"),
        ((crew("a", score=0.6), 130), (crew("b", taken=9), 100), "a", "near_tie_score"),
        ((crew("a", taken=2), 100), (crew("b", taken=1), 120), "b", "near_tie_fewer_orders"),
        ((crew("a", taken=2, hours=8), 120), (crew("b", taken=2, hours=4), 100), "a", "near_tie_fewer_orders"),
        ((crew("a"), 101), (crew("b"), 100), "b", "near_tie_arrival"),
    ],
)
def test_two_bids(first: tuple[Crew, float], second: tuple[Crew, float], winner: str, reason: str) -> None:
    for bidders in ((first, second), (second, first)):
        decision = decide(*bidders)
        assert (decision.winner, decision.reason) == (winner, reason)
        assert {entry.crew for entry in decision.ranking} == {"a", "b"}
        assert decision.ranking[0].crew == winner


def test_one_bid_wins() -> None:
    assert (decide((crew("a"), 900)).winner, decide((crew("a"), 900)).reason) == ("a", "only_bid")


def test_the_tie_is_measured_from_the_earliest_not_from_the_next() -> None:
    decision = decide((crew("a"), 100), (crew("b", score=0.9), 129), (crew("c", score=1.0), 150))
    assert decision.winner == "b"
    assert [entry.tie for entry in decision.ranking] == [True, True, False]


def test_without_a_tie_only_arrival_counts() -> None:
    assert decide((crew("a"), 100), (crew("b", score=1.0), 100.5), tie_s=0).winner == "a"


def test_the_speed_of_the_finger_counts_for_nothing() -> None:
    even = [(crew(id), 100.0) for id in ("a", "b", "c", "d")]
    winners = {decide(*even[n:], *even[:n]).winner for n in range(4)}
    assert len(winners) == 1
    lots = {decide(*even, order=msgspec.structs.replace(ORDER, id=f"o{n}")).winner for n in range(40)}
    assert len(lots) == 4, "nobody is always drawn"


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({"on_shift": False}, "off_shift"),
        ({"load": 2}, "at_capacity"),
        ({"skills": ("weld",)}, "not_eligible"),
        ({"position": None}, "not_eligible"),
    ],
)
def test_who_can_no_longer_take_it_does_not_win(fields: dict[str, Any], verdict: str) -> None:
    decision = decide((crew("near", **fields), 10), (crew("far"), 500))
    assert (decision.winner, decision.unfit) == ("far", {"near": verdict})
    alone = decide((crew("near", **fields), 10))
    assert (alone.winner, alone.unfit) == (None, {"near": verdict})


def test_a_crews_first_bid_counts() -> None:
    who = crew("a")
    bids = [Bid("a", "m1", 300, NOW), Bid("a", "m2", 10, NOW + timedelta(seconds=1))]
    decision = choose(ORDER, bids, {"a": who}, tie_s=30, now=NOW)
    assert [entry.eta_s for entry in decision.ranking] == [300]


@pytest.mark.parametrize(
    ("order", "who", "verdict"),
    [
        (ORDER, crew("a"), "bid"),
        (msgspec.structs.replace(ORDER, offer=msgspec.structs.replace(TERMS, mode="first")), crew("a"), "won"),
        (None, crew("a"), "unknown_order"),
        (ORDER, crew("a", on_shift=False), "off_shift"),
        (ORDER, crew("a", load=2), "at_capacity"),
        (ORDER, crew("a", position=None), "not_eligible"),
        (ORDER, crew("a", skills=()), "not_eligible"),
        (msgspec.structs.replace(ORDER, excluded=("a",)), crew("a"), "not_eligible"),
        (
            msgspec.structs.replace(ORDER, offer=msgspec.structs.replace(TERMS, zones=("y",))),
            crew("a"),
            "not_eligible",
        ),
        (msgspec.structs.replace(ORDER, state=State.CLAIMED, offer=None, crew="b"), crew("a"), "taken"),
        (msgspec.structs.replace(ORDER, state=State.CLAIMED, offer=None, crew="a"), crew("a"), "won"),
        (msgspec.structs.replace(ORDER, state=State.HELD, offer=None), crew("a"), "closed"),
    ],
)
def test_a_grab_is_judged_by_how_order_and_crew_stand(order: Order | None, who: Crew, verdict: str) -> None:
    assert judge(order, who) == verdict


def test_a_bidder_to_whom_no_way_is_known_does_not_count_as_being_there() -> None:
    memory = MemoryCity("city")
    memory.begin_with([crew("cut-off", score=0.9), crew("near")], [ORDER])

    async def bid(tx: Tx) -> None:
        rows = [
            GrabRow("cut-off", "m1", "o1", ORDER.cycle, None, 80.0, None),
            GrabRow("near", "m1", "o1", ORDER.cycle, 90.0, 300.0, None),
        ]
        await tx.crews.insert_grabs(tx.now, rows)

    memory.run(NOW, bid)
    assert memory.run(NOW + timedelta(seconds=6), lambda tx: close_window(tx, "o1"))
    assert memory.tables.orders["o1"].order.crew == "near"
