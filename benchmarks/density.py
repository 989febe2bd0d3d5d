"""Idle crews on one engine process: memory of each socket, and the share of a core that all of them take.

20,000 crews of 100 zones are signed in and on shift and then do what a phone in a pocket does: a `ping` every 25 s,
and an answer to the server's own. The peer is the echo on a plain Sanic websocket with a fifth of the sockets and the
same pings; its share of a core is scaled to as many sockets as ours. Memory is what the process grows by.
"""

import asyncio
from collections.abc import Sequence

from benchmarks.figures import Row, row, within
from benchmarks.phones import PING_EVERY_S, Phone, hang_up, join, pinged
from benchmarks.stage import Served, Stage, postgres, run_async, served_echo, served_engine, token_of
from benchmarks.watched import Span, Watched, sockets_allowed

NAME = "density"
PEER = "echo on a Sanic websocket"
MOST_KIB = 30.0
MOST_CORES = 0.25
ZONES = 100


def run(*, sockets: int = 20_000, seconds: float = 50.0) -> list[Row]:
    """Measure `sockets` sockets for so many seconds, and a fifth of them on the peer for as long."""
    sockets = sockets_allowed(sockets)
    with postgres() as url:
        return run_async(_measure(url, sockets, seconds))


async def _measure(url: str, sockets: int, seconds: float) -> list[Row]:
    stage = await Stage.build(url, zones=min(ZONES, sockets), crews=sockets)
    with served_engine(url) as served:
        ours = await _held(served, [token_of(crew.id) for crew in stage.crews], seconds)
    await stage.close()
    fewer = max(sockets // 5, 1)
    with served_echo() as served:
        peer = await _held(served, [None] * fewer, seconds)
    memory = row(NAME, "memory-per-socket", "KiB", ours=ours[0], peer=peer[0], peer_name=PEER)
    scaled = peer[1] * sockets / fewer
    cores = row(NAME, f"idle-cores-{sockets}-sockets", "cores", ours=ours[1], peer=scaled, peer_name=PEER)
    return [within(MOST_KIB, memory), within(MOST_CORES, cores)]


async def _held(served: Served, tokens: Sequence[str | None], seconds: float) -> tuple[float, float]:
    """Return the KiB of each socket and the share of a core of all, while they do nothing but ping."""
    watched = Watched(served.process.pid)
    before = watched.kib
    phones: list[Phone] = []
    async with pinged(phones):
        await join(phones, served.port, tokens)
        await asyncio.sleep(min(seconds, PING_EVERY_S))
        span = Span(watched)
        await asyncio.sleep(seconds)
        measured = (watched.kib - before) / len(phones), span.share
    if lost := [phone.code for phone in phones if phone.lost.done()]:
        raise RuntimeError(f"{len(lost)} of {len(phones)} idle sockets were lost, closed with {set(lost)}")
    await hang_up(phones)
    return measured
