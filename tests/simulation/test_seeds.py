"""Ten thousand seeds with every run of the tests, in parts that are spread over its processes."""

import pytest

from tests.simulation import run

SEEDS, PART = 10_000, 250


@pytest.mark.parametrize("first", range(0, SEEDS, PART))
def test_every_promise_holds_in_every_seed(first: int) -> None:
    lived = run.live_through(range(first, first + PART))
    if lived.wrong is not None:  # with its trace, and the command that replays it
        pytest.fail(run.report(run.Failure(*lived.wrong, lived.well + 1)), pytrace=False)
    assert lived.seen["crashes"] > PART / 10 and lived.seen["unknown outcomes"] > PART / 10, "there were faults"
    assert lived.seen["verdicts"] > PART, "there was something to be broken"
