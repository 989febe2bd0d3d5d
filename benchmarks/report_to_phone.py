"""From the POST of a report to the `offer` frame on the phones of its zone, at 50 reports a second.

1,000 crews in 18 zones are connected to one `qiangdan engine` process; mode `first`. Reports come at planned moments,
whether or not the last was answered, and the time counts from the plan, so that a server that falls behind shows it.
Every frame on every phone counts (some 55 per report), and beside that the last phone of each report. The peer is a
bare durable commit: pgbench with one client that inserts one number. The targets are milliseconds.
"""

import asyncio
from collections.abc import Sequence
from time import perf_counter
from typing import cast

from benchmarks.figures import Row, percentile, row, within
from benchmarks.pgbench import Pgbench
from benchmarks.phones import Phone, sign_in
from benchmarks.stage import ADMIN_TOKEN, HOST, Stage, another_database, engine, middle, postgres, run_async, token_of

NAME = "report-to-phone"
PEER = "pgbench, 1 client, one insert per transaction (mean)"
TARGETS_MS = {0.5: 10.0, 0.99: 50.0}
ZONES = 18
PER_S = 50
MARK = b'"address":{"n":"'


def run(*, crews: int = 1_000, seconds: float = 20.0) -> list[Row]:
    """Measure for `seconds`, and the peer before and after for a fifth of that each."""
    with postgres() as url:
        return run_async(_measure(url, crews, seconds))


async def _measure(url: str, crews: int, seconds: float) -> list[Row]:
    peer_stage = await Stage.build(await another_database(url, "peer"), zones=1, crews=1)
    await peer_stage.open_orders([0])
    await peer_stage.close()
    pgbench = await Pgbench.on(peer_stage.url)
    stage = await Stage.build(url, zones=ZONES, crews=crews)
    peer_s = max(int(seconds / 5), 1)
    with engine(url) as port:
        phones = await sign_in(port, [token_of(crew.id) for crew in stage.crews])
        desk = await Reporters.open(port)
        warm = int(PER_S * min(seconds, 2.0))
        await desk.send(phones, range(warm), crews // ZONES)
        bare = [await pgbench.bare_commit_ms(peer_s)]
        arrivals = await desk.send(phones, range(warm, warm + int(PER_S * seconds)), crews // ZONES)
        bare.append(await pgbench.bare_commit_ms(peer_s))
    await stage.close()
    every = [1e3 * delay for delays in arrivals for delay in delays]
    last = [1e3 * max(delays) for delays in arrivals]
    peer = sum(bare) / len(bare)
    rows = []
    for figure, values in (("every-phone", every), ("last-phone", last)):
        for share, target in TARGETS_MS.items():
            name = f"{figure}-p{share * 100:.0f}"
            measured = row(NAME, name, "ms", ours=percentile(values, share), peer=peer, peer_name=PEER)
            rows.append(within(target, measured))
    return rows


class Reporters:
    """A few connections kept open, on which reports are posted in turn."""

    def __init__(self, connections: list["Poster"]) -> None:
        self._connections = connections

    @classmethod
    async def open(cls, port: int, *, connections: int = 8) -> "Reporters":
        """Connect."""
        loop = asyncio.get_running_loop()
        return cls([(await loop.create_connection(Poster, HOST, port))[1] for _ in range(connections)])

    async def send(self, phones: Sequence[Phone], numbers: range, expected: int) -> list[list[float]]:
        """Post the reports of these numbers at their moments; return for each the delays at the phones of its zone.

        `expected` is the least number of phones of a zone; raises where a frame is missing after ten seconds.
        """
        begun = perf_counter() + 0.1
        planned = {number: begun + place / PER_S for place, number in enumerate(numbers)}
        delays: dict[int, list[float]] = {number: [] for number in numbers}

        def heard(phone: Phone, frame: bytes) -> None:
            if frame.startswith(b'{"type":"offer"'):
                at = frame.find(MARK) + len(MARK)
                number = int(frame[at : frame.index(b'"', at)])
                delays[number].append(perf_counter() - planned[number])

        for phone in phones:
            phone.heard = heard
        for number in numbers:
            if (wait := planned[number] - perf_counter()) > 0:
                await asyncio.sleep(wait)
            self._connections[number % len(self._connections)].post(_report(number))
        give_up_at = perf_counter() + 10
        while any(len(own) < expected for own in delays.values()):
            if perf_counter() > give_up_at:
                short = sum(len(own) < expected for own in delays.values())
                raise RuntimeError(f"{short} of {len(delays)} reports did not reach every phone of their zone")
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.2)
        if not all(poster.answered == poster.posted for poster in self._connections):
            raise RuntimeError("a report was not taken")
        return list(delays.values())


class Poster(asyncio.Protocol):
    """One HTTP connection; answers are counted, and one that is not 201 does not count."""

    def __init__(self) -> None:
        self.posted = 0
        self.answered = 0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def post(self, request: bytes) -> None:
        """Send a request; the connection takes the next before the answer to the last is there."""
        self.posted += 1
        self._transport.write(request)

    def close(self) -> None:
        """Leave."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Count answers."""
        self.answered += data.count(b"HTTP/1.1 201")


def _report(number: int) -> bytes:
    place = middle(number % ZONES)
    body = (
        f'{{"channel":"bench","category":"no_heat","description":"cold since the morning","address":{{"n":"{number}"}},'
        f'"location":{{"lon":{place.lon},"lat":{place.lat}}},"required_skills":["heating"],"external_id":"{number}"}}'
    )
    return (
        f"POST /api/v1/reports HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
