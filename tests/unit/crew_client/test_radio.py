"""A client whose phone loses the signal, in either way, loses nothing that it asked for."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from crew_client import CrewClient
from crew_client.protocol import Grab, GrabResult
from crew_client.radio import Radio
from crew_client.transport import open_socket

Connect = Callable[..., CrewClient]


async def test_without_signal_the_socket_is_gone_at_once_and_no_other_opens(server: Any, client: Connect) -> None:
    radio = Radio(open_socket)
    async with client(open_socket=radio.open) as crew:
        first = await server.phone()
        radio.lose(silent=False)
        await server.soon(first.socket.wait_closed())
        assert first.socket.close_code == 1006
        asking = asyncio.create_task(crew.grab("o1"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await server.phone()
        assert crew.state == "offline"
        assert len(server.tokens) == 1
        radio.regain()
        second = await server.phone()
        assert await second.next() == Grab(id="m1", order="o1")
        await second.send(GrabResult(id="m1", order="o1", won=True, reason="won"))
        assert (await server.soon(asking)).won


async def test_a_silent_loss_leaves_a_socket_on_which_nothing_passes(server: Any, client: Connect, make: Any) -> None:
    radio = Radio(open_socket)
    async with client(open_socket=radio.open) as crew:
        first = await server.phone()
        radio.lose(silent=True)
        asking = asyncio.create_task(crew.grab("o1"))
        await server.publish(first, make.offer(1))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await first.next()
        assert (crew.seq, crew.state) == (0, "online")
        radio.regain()
        second = await server.phone()
        assert await second.next() == Grab(id="m1", order="o1")
        await second.send(GrabResult(id="m1", order="o1", won=True, reason="won"))
        assert (await server.soon(asking)).won
        assert list(crew.offers) == ["o1"]
