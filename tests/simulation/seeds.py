"""The ten thousand seeds of a test run, in four quarters, each in parts that end well before a test's time is over."""

import pytest

from tests.simulation import run

SEEDS, QUARTERS = 10_000, 4
PART = 500
PARTS = range(SEEDS // QUARTERS // PART)


def live_through(quarter: int, part: int) -> None:
    """Live through some seeds; one that goes wrong is shown with its trace and the command that replays it."""
    first = quarter * (SEEDS // QUARTERS) + part * PART
    lived = run.live_through(range(first, first + PART))
    if lived.wrong is not None:
        pytest.fail(run.report(run.Failure(*lived.wrong, lived.well + 1)), pytrace=False)
