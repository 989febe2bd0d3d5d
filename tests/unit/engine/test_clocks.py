"""The clocks of an order, as values."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crew_client.protocol import Clock
from dispatch import clocks
from dispatch.config import ClockSettings, ClockTargets

T0 = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)
TARGETS = ClockSettings(severity={5: ClockTargets(arrival_s=600)})


def after(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def started(severity: int = 3) -> dict[str, Clock]:
    return clocks.start({}, clocks.AT_REPORT, T0, severity=severity, targets=TARGETS)


def alarms_until(running: dict[str, Clock], seconds: float) -> list[tuple[str, str]]:
    """Every alarm up to a moment, looked for at each time that the clocks themselves name."""
    found: list[tuple[str, str]] = []
    while (moment := clocks.alarm_at(running)) is not None and moment <= after(seconds):
        running, alarms = clocks.ring(running, moment)
        found += [(alarm.clock, alarm.kind) for alarm in alarms]
    return found


def test_a_report_starts_the_clocks_of_hand_down_arrival_and_resolution() -> None:
    assert {name: (clock.due_at - T0).total_seconds() for name, clock in started().items()} == {
        "hand_down": 600,
        "arrival": 900,
        "resolve": 86400,
    }


def test_a_severity_may_have_its_own_target() -> None:
    assert started(5)["arrival"].due_at == after(600)
    assert started(5)["hand_down"].due_at == after(600)


def test_a_clock_stopped_by_its_deadline_is_met_and_after_it_breached() -> None:
    assert clocks.stop(started(), "arrival", after(900))["arrival"].state == "met"
    assert clocks.stop(started(), "arrival", after(901))["arrival"].state == "breached"


def test_a_clock_that_starts_anew_keeps_its_earlier_turns_and_their_alarms() -> None:
    late = clocks.stop(started(), "arrival", after(1000))  # and nobody has noticed yet
    again = clocks.start(late, ("arrival",), after(1010), severity=3, targets=TARGETS)
    third = clocks.start(again, ("arrival",), after(1020), severity=3, targets=TARGETS)
    assert {name: third[name].state for name in ("arrival#1", "arrival#2", "arrival")} == {
        "arrival#1": "breached",
        "arrival#2": "met",
        "arrival": "running",
    }
    assert third["arrival"].due_at == after(1920)
    _, alarms = clocks.ring(third, after(1025))
    assert [(alarm.kind, alarm.deadline) for alarm in alarms if alarm.clock == "arrival"] == [
        ("at_risk", after(900)),
        ("breached", after(900)),
    ]


def test_a_stopped_clock_is_not_stopped_again() -> None:
    once = clocks.stop(started(), "arrival", after(100))
    assert clocks.stop(once, "arrival", after(1000)) == once


def test_each_deadline_alarms_once_at_risk_and_once_breached() -> None:
    assert alarms_until(started(), 1000) == [
        ("hand_down", "at_risk"),
        ("hand_down", "breached"),
        ("arrival", "at_risk"),
        ("arrival", "breached"),
    ]


def test_a_clock_that_nobody_watched_has_both_alarms_at_once() -> None:
    _, alarms = clocks.ring(started(), after(5000))
    assert [(alarm.clock, alarm.kind) for alarm in alarms] == [
        ("hand_down", "at_risk"),
        ("hand_down", "breached"),
        ("arrival", "at_risk"),
        ("arrival", "breached"),
    ]


def test_a_clock_stopped_late_still_has_its_breach_told() -> None:
    late = clocks.stop(started(), "arrival", after(1000))
    assert clocks.alarm_at({"arrival": late["arrival"]}) == after(900)
    told, alarms = clocks.ring({"arrival": late["arrival"]}, after(1001))
    assert [alarm.kind for alarm in alarms] == ["at_risk", "breached"]
    assert clocks.alarm_at(told) is None


def test_a_clock_stopped_in_time_is_silent_for_ever() -> None:
    met = clocks.stop(started(), "arrival", after(899))
    assert clocks.alarm_at({"arrival": met["arrival"]}) is None


def test_a_pause_moves_the_deadline_by_its_length() -> None:
    paused = clocks.pause(started(), after(100), "waiting_part")
    assert clocks.alarm_at(paused) is None
    resumed = clocks.resume(paused, after(400))
    assert resumed["arrival"].due_at == after(1200)
    assert resumed["arrival"].at_risk_at == after(630 + 300)
    assert resumed["arrival"].paused_s == 300


def test_a_pause_does_not_hide_a_breach() -> None:
    breached, _ = clocks.ring(started(), after(1000))
    paused = clocks.pause(breached, after(1001), "waiting_part")
    assert paused["arrival"].state == "breached"
    assert clocks.resume(paused, after(2000))["arrival"].due_at == after(900)


def test_neither_a_pause_nor_an_end_hides_a_breach_that_nobody_has_noticed() -> None:
    for hidden in (clocks.pause(started(), after(5000), "waiting_part"), clocks.abandon(started(), after(5000))):
        assert hidden["hand_down"].state == "breached"
        _, alarms = clocks.ring(hidden, after(5001))
        assert ("hand_down", "breached") in [(alarm.clock, alarm.kind) for alarm in alarms]


def test_an_end_during_a_pause_counts_the_pause() -> None:
    ended = clocks.abandon(clocks.pause(started(), after(10), "waiting_part"), after(5000))
    assert ended["hand_down"].state == "stopped"
    assert ended["hand_down"].paused_s == 4990
    assert clocks.revive(ended)["hand_down"].due_at == started()["hand_down"].due_at + timedelta(seconds=4990)


def test_a_crew_that_loses_the_order_lets_the_hand_down_run_on_to_its_old_deadline() -> None:
    held = clocks.stop(started(), "hand_down", after(60))
    again = clocks.restart(held, "hand_down", after(120))
    assert (again["hand_down"].state, again["hand_down"].due_at) == ("running", after(600))


def test_an_abandoned_order_has_no_verdict_and_may_come_back() -> None:
    gone = clocks.abandon(started(), after(60))
    assert {clock.state for clock in gone.values()} == {"stopped"}
    assert clocks.alarm_at(gone) is None
    assert {clock.state for clock in clocks.revive(gone).values()} == {"running"}


def test_a_new_severity_counts_from_the_old_start() -> None:
    renewed = clocks.retarget(started(), after(1), severity=5, targets=TARGETS)
    assert renewed["arrival"].due_at == after(600)
    assert renewed["hand_down"] == started()["hand_down"]


def test_a_new_severity_does_not_excuse_a_breach_that_nobody_has_noticed_yet() -> None:
    noticed_late = after(650)  # past the deadline of severity 5, and before that of severity 1
    renewed = clocks.retarget(started(5), noticed_late, severity=1, targets=TARGETS)
    assert renewed["arrival"].due_at == after(600)
    _, alarms = clocks.ring(renewed, noticed_late)
    assert ("arrival", after(600), "breached") in [(alarm.clock, alarm.deadline, alarm.kind) for alarm in alarms]


@given(
    st.lists(
        st.tuples(st.floats(0, 4000), st.sampled_from(["pause", "resume", "stop", "restart", "ring"])), max_size=12
    )
)
def test_whatever_happens_a_deadline_alarms_at_most_once_of_each_kind(steps: list[tuple[float, str]]) -> None:
    running = started()
    seen = set()
    for at, action in sorted(steps):
        now = after(at)
        match action:
            case "pause":
                running = clocks.pause(running, now, "waiting_part")
            case "resume":
                running = clocks.resume(running, now)
            case "stop":
                running = clocks.stop(running, "arrival", now)
            case "restart":
                running = clocks.restart(running, "arrival", now)
            case _:
                running, alarms = clocks.ring(running, now)
                for alarm in alarms:
                    if alarm.kind == "breached":
                        assert alarm not in seen
                        seen.add(alarm)
    for clock in running.values():
        assert not (clock.state == "met" and clock.breached)


@pytest.mark.parametrize("name", ["arrival", "nothing"])
def test_stopping_an_unknown_clock_changes_nothing(name: str) -> None:
    bare: dict[str, Clock] = {}
    assert clocks.stop(bare, name, T0) == bare  # type: ignore[arg-type]
