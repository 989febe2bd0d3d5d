"""The database's time as a process keeps it: right to half an answer's way, whatever keeps the process waiting."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dispatch.database_time import KEPT, DatabaseClock

START = datetime(2026, 1, 15, tzinfo=UTC)


def true_time(monotonic_s: float) -> datetime:
    return START + timedelta(seconds=monotonic_s)


def compare(clock: DatabaseClock, asked_s: float, answered_s: float, heard_s: float) -> None:
    clock.compare(true_time(answered_s), asked_s, heard_s)


def test_before_any_comparison_it_is_this_machine_s_time() -> None:
    before = datetime.now(UTC)
    assert before <= DatabaseClock().at(7.0) <= datetime.now(UTC)


def test_an_answer_heard_late_does_not_set_the_clock_back() -> None:
    clock = DatabaseClock()
    compare(clock, 10.0, 10.001, 10.002)
    compare(clock, 11.0, 11.001, 11.9)  # the process was kept from hearing it
    assert abs(clock.at(12.0) - true_time(12.0)) < timedelta(milliseconds=2)


def test_a_database_whose_clock_was_set_is_followed_at_once() -> None:
    clock = DatabaseClock()
    compare(clock, 10.0, 10.001, 10.002)
    for hours in (1, -2):
        clock.compare(true_time(11.001) + timedelta(hours=hours), 11.0, 11.002)
        assert abs(clock.at(12.0) - true_time(12.0) - timedelta(hours=hours)) < timedelta(milliseconds=2)


def test_a_clock_that_runs_slower_is_followed() -> None:
    clock = DatabaseClock()
    for second in range(100):
        slow = START + timedelta(seconds=second * 0.999)
        clock.compare(slow, second - 0.001, second + 0.001)
        assert abs(clock.at(second) - slow) < timedelta(milliseconds=KEPT)


@given(
    st.lists(
        st.tuples(st.floats(0.0001, 2.0), st.floats(0.0, 1.0), st.floats(0.0, 5.0)),
        min_size=1,
        max_size=40,
    )
)
def test_it_is_never_further_off_than_half_the_quickest_answer(ways: list[tuple[float, float, float]]) -> None:
    clock, at, took = DatabaseClock(), 100.0, []
    for way, part, wait in ways:
        compare(clock, at, at + way * part, at + way)
        took.append(way)
        at += way + wait
        quickest = min(took[-KEPT:])
        assert abs(clock.at(at) - true_time(at)) <= timedelta(seconds=quickest / 2 + 1e-5)
