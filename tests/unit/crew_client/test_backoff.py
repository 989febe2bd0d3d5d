"""When a client comes back, and when it does not."""

import itertools
import random

import pytest

from crew_client.backoff import jittered, why_give_up
from crew_client.errors import BadTokenError, IncompatibleError, ReplacedError


def test_delays_stay_under_a_ceiling_that_doubles_up_to_the_longest() -> None:
    delays = list(itertools.islice(jittered(random.Random(7), first_s=1, longest_s=8), 2000))
    assert all(delay <= ceiling for delay, ceiling in zip(delays, [1, 2, 4, 8], strict=False))
    assert max(delays[3:]) > 7.5 and max(delays) <= 8


def test_delays_are_spread_over_the_whole_interval() -> None:
    first = [next(jittered(random.Random(seed))) for seed in range(1000)]
    assert min(first) < 0.05 and max(first) > 0.95
    assert 0.45 < sum(first) / len(first) < 0.55


def test_the_same_seed_gives_the_same_delays() -> None:
    assert list(itertools.islice(jittered(random.Random(1)), 9)) == list(
        itertools.islice(jittered(random.Random(1)), 9)
    )


@pytest.mark.parametrize("bad", [{"first_s": 0}, {"first_s": 60}, {"factor": 0.5}])
def test_delays_that_make_no_sense_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="jittered needs"):
        next(jittered(random.Random(1), **bad))


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1006, 1011, 1012, 1013, 4408, 4999, 408, 429, 500, 502, 503])
def test_what_passes_by_itself_is_tried_again(code: int) -> None:
    assert why_give_up(code) is None


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (4401, BadTokenError),
        (401, BadTokenError),
        (403, BadTokenError),
        (4409, ReplacedError),
        (4400, IncompatibleError),
        (1009, IncompatibleError),
        (404, IncompatibleError),
        (426, IncompatibleError),
    ],
)
def test_what_would_only_repeat_itself_ends_with_its_own_error(code: int, error: type[Exception]) -> None:
    assert why_give_up(code) is error
