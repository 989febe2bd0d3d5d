"""Step 10: what residents say of visits, and what becomes of a crew's score."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.feedback import WEIGHT, scored
from dispatch.store.orders import StandingRating

Stars = st.integers(1, 5)


@given(Stars, st.lists(Stars, min_size=1, max_size=5), st.lists(Stars, max_size=40))
def test_a_later_word_leaves_the_score_that_it_would_have_made_at_first(
    first: int, later: list[int], others: list[int]
) -> None:
    told, wanted = scored(0.5, first), scored(0.5, later[-1])
    for stars in others:
        told, wanted = scored(told, stars), scored(wanted, stars)
    for former, stars in pairwise([first, *later]):
        told = scored(told, stars, StandingRating(former, len(others)))
    assert told == pytest.approx(wanted, abs=1e-4)
    assert 0 <= told <= 1


def test_a_new_word_moves_the_score_a_tenth_of_the_way() -> None:
    assert scored(0.5, 5) == 0.5 + WEIGHT * 0.5
    assert scored(0.5, 1) == 0.5 - WEIGHT * 0.5
    assert scored(1.0, 5) == 1.0
