"""Virtual time: what happens next, and what first of what happens in one moment."""

from datetime import UTC, datetime, timedelta

from dispatch.simulate.agenda import Agenda, Rank

T0 = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)


def test_things_happen_by_moment_then_rank_then_as_they_came() -> None:
    agenda = Agenda(T0)
    told: list[str] = []
    later = T0 + timedelta(seconds=1)
    for at, rank, name in (
        (later, Rank.WORK, "done"),
        (later, Rank.REPORT, "first report"),
        (T0, Rank.RING, "ring"),
        (later, Rank.REPORT, "second report"),
        (T0, Rank.WINDOW, "window"),
        (later, Rank.SHIFT, "shift"),
    ):
        agenda.put(at, rank, lambda name=name: told.append(name))  # type: ignore[misc]
    agenda.run(lambda: None)
    assert told == ["window", "ring", "shift", "first report", "second report", "done"]


def test_what_is_late_happens_at_once_and_what_comes_of_it_too() -> None:
    agenda = Agenda(T0)
    told: list[datetime] = []
    looked: list[int] = []
    agenda.put(T0, Rank.REPORT, lambda: agenda.put(T0 - timedelta(1), Rank.WORK, lambda: told.append(agenda.now)))
    agenda.run(lambda: looked.append(len(told)))
    assert told == [T0]
    assert looked == [1], "once all of the moment has happened"


def test_whoever_looks_sees_the_whole_moment_and_again_what_came_of_looking() -> None:
    agenda = Agenda(T0)
    told: list[str] = []
    looked: list[list[str]] = []

    def look() -> None:
        looked.append(list(told))
        if len(looked) == 1:
            agenda.put(T0, Rank.CREW, lambda: told.append("departed"))

    for name in ("far", "near"):
        agenda.put(T0, Rank.SHIFT, lambda name=name: told.append(name))  # type: ignore[misc]
    agenda.put(T0 + timedelta(seconds=1), Rank.WORK, lambda: told.append("later"))
    agenda.run(look)
    assert looked == [["far", "near"], ["far", "near", "departed"], ["far", "near", "departed", "later"]]
