"""A command goes on when its caller goes away, and how it ended is said to whom it concerns."""

import asyncio
import gc
from typing import Any

import pytest

from dispatch import engine as module
from dispatch.engine import Engine
from dispatch.errors import Impossible


@pytest.mark.parametrize(("error", "news"), [(Impossible("too late"), []), (KeyError("a defect"), ["a defect"])])
async def test_a_refusal_is_no_news_when_its_caller_has_gone_and_a_defect_is(
    error: Exception, news: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    uncaught: list[Any] = []
    logged: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: uncaught.append(context))
    monkeypatch.setattr(module.log, "error", lambda event, exc_info: logged.append(exc_info.args[0]))
    engine = object.__new__(Engine)
    engine._commands = set()
    go_on = asyncio.Event()

    async def fails() -> None:
        await go_on.wait()
        raise error

    caller = asyncio.create_task(engine.command(fails()))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    go_on.set()
    while engine._commands:
        await asyncio.sleep(0)
    gc.collect()
    assert (logged, uncaught) == (news, [])
