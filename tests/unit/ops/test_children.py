import asyncio

import pytest

from dispatch.children import GIVE_UP_AFTER, Child, ChildSpec, back_off_s, lives_in_a_row


def test_the_first_restart_is_at_once_and_later_ones_wait_longer_up_to_a_limit() -> None:
    waits = [back_off_s(n) for n in range(1, 20)]
    assert waits[0] == 0
    assert waits == sorted(waits)
    assert waits[-1] == 10


def test_a_child_that_works_and_is_killed_every_few_seconds_is_always_started_again_at_once() -> None:
    short_lives = 0
    for _ in range(20):
        short_lives = lives_in_a_row(short_lives, 6.0)
        assert back_off_s(short_lives) == 0


async def test_a_child_that_ends_at_once_again_and_again_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatch.children.BACK_OFF_S", (0.0,))
    child = Child(ChildSpec("broken", ("no-such-command",)), {})
    child.start()
    async with asyncio.timeout(60):
        await child.failed_at_once.wait()
    assert child.restarts >= GIVE_UP_AFTER
    await child.stop(5)
    assert child.pid is None


async def test_a_child_stopped_while_it_waits_for_its_restart_stays_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatch.children.BACK_OFF_S", (600.0,))
    child = Child(ChildSpec("broken", ("no-such-command",)), {})
    child.start()
    async with asyncio.timeout(60):
        while not child.restarts:
            await asyncio.sleep(0.02)
        await child.stop(600)
    assert child.pid is None and child.restarts == 1
