"""A list of overrides that the database left in the midst of it."""

from types import SimpleNamespace
from typing import Any

import pytest

from dispatch.errors import Unavailable
from dispatch.http.idempotency import read_key
from dispatch.http.orders import post_overrides

ITEM = {"order": "o1", "action": "hold", "reason": "look"}


def call(key: str | None) -> Any:
    async def run(*_: Any, **__: Any) -> Any:
        raise Unavailable

    asked = read_key(key, city="town", subject="u", asked=())
    return SimpleNamespace(body=[ITEM], key=asked, engine=SimpleNamespace(run=run))


async def test_under_a_key_the_list_is_to_be_sent_again_as_a_whole() -> None:
    with pytest.raises(Unavailable):
        await post_overrides(call("k"))


async def test_without_a_key_the_item_says_that_nothing_was_taken() -> None:
    [item] = (await post_overrides(call(None))).items
    assert (item.order, item.status, item.code) == ("o1", 503, "unavailable")
