"""The checker finds each broken promise in a history made by hand, and lets pass what only looks like one."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.faults.check import check, main
from tests.faults.history import (
    ClockAt,
    Due,
    Event,
    Head,
    History,
    Kept,
    Op,
    Outcome,
    Record,
    Strange,
    Told,
    Verdict,
    Welcome,
    read,
)

CITY = "c"
HEAD = Head(CITY, "epoch", 100, 1000.0)


def broken(*records: Record) -> list[str]:
    """The promises that a history breaks, each once."""
    return sorted({violation.promise for violation in check([*records, HEAD])})


def log(*rows: tuple[str, int, str | None, str | None, str], order: str = "o", **more: object) -> list[Event]:
    """Events of an order: kind, version, state, holder and actor of each, in a log of its own."""
    return [
        Event(CITY, seq, float(seq), kind, actor, order, 1, version, state, holder, lost=more.get("lost"))  # type: ignore[arg-type]
        for seq, (kind, version, state, holder, actor) in enumerate(rows, 1)
    ]


REPORTED = ("order.reported", 1, "offered", None, "user:x")
CLAIMED = ("order.claimed", 2, "claimed", "a", "crew:a")


def grab(crew: str, key: str, result: str, *, cycle: int = 1) -> list[Record]:
    """A grab of order o that was told and is kept."""
    return [Verdict(CITY, crew, 1.0, key, "o", result), Kept(CITY, "grab", crew, key, "o", cycle, result)]


def override(key: str, outcome: Outcome, result: str | None = None) -> Op:
    """One attempt at an override of order o."""
    version = 2 if (result or "").startswith("2") else None
    return Op(CITY, "d", "override", key, "o", 1.0, 2.0, outcome, result, version=version)


def audit_row(key: str, *, version: int = 2) -> Kept:
    """The row of an override in the audit."""
    return Kept(CITY, "override", "user:x", key, "o", version, "hold")


# Holders


def test_two_crews_that_won_the_same_cycle_are_found() -> None:
    assert "holders" in broken(*log(REPORTED, CLAIMED), *grab("a", "m", "won"), *grab("b", "n", "won"))


def test_two_crews_that_won_different_cycles_are_not() -> None:
    revoked = ("order.revoked", 3, "offered", None, "user:x")
    events = log(REPORTED, CLAIMED, revoked, lost="a")
    again = Event(CITY, 4, 4.0, "order.claimed", "crew:b", "o", 2, 4, "claimed", "b")
    assert not broken(*events, again, *grab("a", "m", "won"), *grab("b", "n", "won", cycle=2))


def test_a_version_that_two_clients_saw_with_different_holders_is_found() -> None:
    sights = [Told(CITY, crew, 1.0, 1, 0, "o", 2, "claimed", crew) for crew in ("a", "b")]
    assert "holders" in broken(*log(REPORTED, CLAIMED), sights[1])
    assert "holders" not in broken(*log(REPORTED, CLAIMED), sights[0])


def test_an_order_that_is_claimed_twice_in_a_cycle_is_found() -> None:
    assert "holders" in broken(*log(REPORTED, CLAIMED, ("order.claimed", 3, "claimed", "b", "crew:b"), lost="a"))


def test_a_version_that_goes_back_is_found() -> None:
    assert "holders" in broken(*log(REPORTED, CLAIMED, ("order.updated", 1, "offered", None, "user:x"), lost="a"))


# Kept


def test_a_win_that_is_not_in_the_log_is_found() -> None:
    assert broken(*log(REPORTED), *grab("a", "m", "won")) == ["kept"]
    assert not broken(*log(REPORTED, CLAIMED), *grab("a", "m", "won"))


def test_a_verdict_of_which_nothing_is_written_is_found() -> None:
    assert broken(Verdict(CITY, "a", 1.0, "m", "o", "taken")) == ["kept"]


def test_a_verdict_that_is_written_otherwise_is_found() -> None:
    said, kept = Verdict(CITY, "a", 1.0, "m", "o", "taken"), Kept(CITY, "grab", "a", "m", "o", 1, "closed")
    assert broken(said, kept) == ["kept"]


def test_an_acknowledged_override_must_be_in_the_audit_exactly_once() -> None:
    done = override("k", "ok", "200 1")
    assert broken(done) == ["kept"]
    assert not broken(done, audit_row("k"))
    assert broken(done, audit_row("k"), audit_row("k")) == ["kept"]
    assert broken(done, audit_row("k", version=3)) == ["kept"]


def test_an_override_without_an_answer_may_be_there_or_not_but_not_twice() -> None:
    lost = override("k", "unknown")
    assert not broken(lost)
    assert not broken(lost, audit_row("k"))
    assert broken(lost, audit_row("k"), audit_row("k")) == ["kept"]


def test_an_override_that_was_refused_must_not_be_there_unless_an_earlier_attempt_had_no_answer() -> None:
    refused = override("k", "ok", "409 1")
    assert broken(refused, audit_row("k")) == ["kept"]
    assert not broken(override("k", "unknown"), refused, audit_row("k"))


def test_an_override_that_never_left_or_nobody_asked_for_must_not_be_there() -> None:
    assert broken(override("k", "failed"), audit_row("k")) == ["kept"]
    assert broken(audit_row("k")) == ["kept"]


# Verdicts


def test_a_verdict_that_changes_is_found_and_one_that_is_repeated_is_not() -> None:
    rows = [*log(REPORTED, CLAIMED), *grab("a", "m", "won")]
    assert not broken(*rows, Verdict(CITY, "a", 9.0, "m", "o", "won"))
    assert "verdicts" in broken(*rows, Verdict(CITY, "a", 9.0, "m", "o", "taken"))


def test_the_same_id_of_another_crew_is_another_command() -> None:
    assert not broken(*log(REPORTED, CLAIMED), *grab("a", "m", "won"), *grab("b", "m", "taken"))


def test_a_request_under_a_key_has_one_answer() -> None:
    first = override("k", "ok", "200 1")
    assert not broken(first, override("k", "unknown"), first, audit_row("k"))
    assert broken(first, override("k", "ok", "200 2"), audit_row("k")) == ["verdicts"]


# Told


def told(*seqs: int, digest: int = 7) -> list[Told]:
    """Frames of crew a."""
    return [Told(CITY, "a", 1.0, seq, digest) for seq in seqs]


def due(*seqs: int) -> list[Due]:
    """What the log owes crew a."""
    return [Due(CITY, "a", seq, 7) for seq in seqs]


def welcome(seq: int, *, resumed: bool = False, epoch: str = "epoch") -> Welcome:
    """A connection of crew a comes about."""
    return Welcome(CITY, "a", 1.0, epoch, seq, resumed)


def test_a_client_that_heard_everything_over_two_connections_is_in_order() -> None:
    assert not broken(*due(2, 5, 8), welcome(1), *told(2, 5), welcome(5, resumed=True), *told(8))


@pytest.mark.parametrize(
    ("heard", "what"),
    [
        ([welcome(1), *told(2, 8)], "a gap"),
        ([welcome(1), *told(2, 5)], "the end is missing"),
        ([welcome(1), *told(5, 2, 8)], "a reorder"),
        ([welcome(1), *told(2, 2, 5, 8)], "the same twice on one connection"),
        ([welcome(1), *told(2, 3, 5, 8)], "something that it was not owed"),
        ([welcome(1), *told(2, 5), *told(8, digest=9)], "another text"),
        ([welcome(1), *told(2, 5), welcome(2, resumed=True), *told(8)], "a resume from elsewhere"),
        ([welcome(1, epoch="other"), *told(2, 5, 8)], "another epoch"),
        ([welcome(1), *told(2), welcome(6), *told(8)], "a gap before a snapshot that it had not reached"),
        (told(2, 5, 8), "something before the welcome"),
    ],
)
def test_what_a_client_hears_wrongly_is_found(heard: list[Record], what: str) -> None:
    if what == "a gap before a snapshot that it had not reached":
        assert not broken(*due(2, 5, 8), *heard), "a snapshot says what is missed; nothing is owed but what was seen"
        return
    assert broken(*due(2, 5, 8), *heard) == ["told"], what


def test_what_lies_beyond_the_audit_is_not_judged() -> None:
    assert not broken(*due(2, 101), welcome(1), *told(2))


def test_a_snapshot_must_show_what_the_crew_holds() -> None:
    events = log(REPORTED, CLAIMED)
    shown = Welcome(CITY, "a", 1.0, "epoch", 2, False, ("o",))
    empty = Welcome(CITY, "a", 1.0, "epoch", 2, False, ())
    early = Welcome(CITY, "a", 1.0, "epoch", 1, False, ())
    assert not broken(*events, shown)
    assert not broken(*events, early)
    assert broken(*events, empty) == ["told"]


def test_a_gap_in_the_log_itself_is_found() -> None:
    events = log(REPORTED, CLAIMED)
    assert broken(events[0], Event(CITY, 3, 3.0, *[getattr(events[1], f) for f in Event.__struct_fields__[3:]])) == [
        "told"
    ]


# Alarms


def clocked(seq: int, at: float, kind: str = "order.updated", *, due_at: float = 50.0, running: bool = True) -> Event:
    """An event of an order with one clock; an alarm where the kind says so."""
    clock = ("arrival", due_at) if kind.startswith("clock.") else (None, None)
    clocks = (ClockAt("arrival", due_at, running),)
    return Event(
        CITY, seq, at, kind, "user:x", "o", 1, seq, "offered", clock=clock[0], deadline=clock[1], clocks=clocks
    )


def test_a_deadline_that_passes_without_an_alarm_is_found() -> None:
    assert broken(clocked(1, 10.0)) == ["alarms"]
    assert not broken(clocked(1, 10.0), clocked(2, 51.0, "clock.breached"))


def test_a_deadline_whose_clock_was_stopped_paused_or_moved_in_time_needs_none() -> None:
    assert not broken(clocked(1, 10.0), clocked(2, 49.0, running=False))
    assert not broken(clocked(1, 10.0), clocked(2, 49.0, due_at=5000.0))


def test_a_deadline_that_was_met_by_a_transaction_which_began_before_one_that_overtook_it_needs_none() -> None:
    assert not broken(clocked(1, 10.0), clocked(2, 51.0), clocked(3, 49.5, running=False))


def test_a_deadline_whose_clock_was_stopped_or_moved_too_late_needs_one() -> None:
    assert broken(clocked(1, 10.0), clocked(2, 51.0, running=False)) == ["alarms"]
    assert broken(clocked(1, 10.0), clocked(2, 51.0, due_at=5000.0)) == ["alarms"]


def test_an_alarm_that_rings_twice_too_early_or_for_no_deadline_is_found() -> None:
    rung = clocked(2, 51.0, "clock.breached")
    assert broken(clocked(1, 10.0), rung, clocked(3, 52.0, "clock.breached")) == ["alarms"]
    assert broken(clocked(1, 10.0), clocked(2, 49.0, "clock.breached")) == ["alarms"]
    assert broken(clocked(1, 10.0, running=False), clocked(2, 51.0, "clock.breached", due_at=49.0)) == ["alarms"]
    assert not broken(clocked(1, 10.0), clocked(2, 49.0, "clock.at_risk"), clocked(3, 51.0, "clock.breached"))


def test_a_deadline_just_before_the_end_has_time_for_its_alarm() -> None:
    assert not broken(clocked(1, 10.0, due_at=998.0))


# Overrides


@pytest.mark.parametrize(
    ("state", "holder", "mover", "allowed"),
    [
        ("held", None, "system:planner", False),
        ("claimed", "a", "system:planner", False),
        ("claimed", "a", "crew:b", False),
        ("claimed", "a", "crew:a", True),
        ("claimed", "a", "user:y", True),
        ("offered", None, "system:planner", True),
    ],
)
def test_only_who_may_moves_an_order(state: str, holder: str | None, mover: str, allowed: bool) -> None:
    before = ("order.moved", 1, state, holder, "user:x")
    after = ("order.assigned", 2, "claimed", "z", mover)
    assert (broken(*log(before, after, lost=holder)) == []) is allowed


def test_the_machine_may_take_back_what_it_gave_until_the_crew_sets_out() -> None:
    given = Event(CITY, 1, 1.0, "order.assigned", "system:planner", "o", 1, 1, "claimed", "a", "optimizer")
    moved = Event(CITY, 2, 2.0, "order.assigned", "system:planner", "o", 1, 2, "claimed", "b", "optimizer", "a")
    grabbed = Event(CITY, 1, 1.0, "order.claimed", "crew:a", "o", 1, 1, "claimed", "a", "grab")
    assert not broken(given, moved)
    assert broken(grabbed, moved) == ["overrides"]


def test_a_crew_that_loses_its_order_and_is_not_told_is_found() -> None:
    taken = ("order.cancelled", 3, "cancelled", None, "user:x")
    assert broken(*log(REPORTED, CLAIMED, taken)) == ["overrides"]
    assert not broken(*log(REPORTED, CLAIMED, taken, lost="a"))


def test_an_override_at_another_version_than_its_dispatcher_saw_is_found() -> None:
    def named(saw: int) -> Op:
        return Op(CITY, "d", "override", "k", "o", 1.0, 2.0, "ok", "200 1", True, 3, "held", None, saw)

    assert not broken(named(2), audit_row("k", version=3))
    assert broken(named(1), audit_row("k", version=3)) == ["overrides"]


# Cities


def test_an_order_of_another_city_that_somebody_sees_is_found() -> None:
    other = Event("d", 1, 1.0, "order.reported", "user:x", "p", 1, 1, "offered")
    assert broken(other, Welcome(CITY, "x", 1.0, "epoch", 0, False), Told(CITY, "x", 1.0, 101, 0, "p", 1)) == ["cities"]


def test_who_asks_for_an_order_of_another_city_must_not_find_it() -> None:
    def pry(result: str) -> Op:
        return Op(CITY, "x", "pry", "k", "p", 1.0, 2.0, "ok", result)

    assert not broken(pry("404"))
    assert broken(pry("200")) == ["cities"]
    assert broken(Strange(CITY, "x", 1.0, "a word of another city")) == ["cities"]


# Files


def write(file: Path, records: Iterable[Record]) -> Path:
    """A recorded file."""
    history = History(file)
    for record in records:
        history.write(record)
    history.close()
    return file


def test_a_recorded_file_is_checked_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = write(tmp_path / "good", [*log(REPORTED, CLAIMED), *grab("a", "m", "won"), HEAD])
    bad = write(tmp_path / "bad", [*log(REPORTED), *grab("a", "m", "won"), HEAD])
    assert main([str(good)]) == 0
    assert main([str(good), str(bad)]) == 1
    assert "a was told won" in capsys.readouterr().out
    assert main([str(tmp_path / "nothing")]) == 2


def test_a_file_that_was_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    file = write(tmp_path / "cut", log(REPORTED, CLAIMED))
    file.write_bytes(file.read_bytes()[:-5])
    assert len(list(read(file))) == 1
