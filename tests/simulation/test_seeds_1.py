"""The 1. quarter of the ten thousand seeds that are lived through with every run; a module each, to spread them."""

import pytest

from tests.simulation.seeds import PARTS, live_through


@pytest.mark.parametrize("part", PARTS)
def test_every_promise_holds_in_every_seed(part: int) -> None:
    live_through(0, part)
