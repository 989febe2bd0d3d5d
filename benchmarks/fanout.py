"""Short events to 10,000 sockets of one engine: crews were offered orders, and hear that these are gone.

Once all crews are of one zone, so each event goes to every one of them, as when a main bursts; once they are dealt out
among 100 zones, so each goes to a hundred, as on other days. A dispatcher holds the orders one by one, at planned
moments, whether or not the last was told to all; the frame (`offer_closed`, some 100 bytes) comes after the commit of
the override. Both make 12,500 deliveries a second. Delays count from the plan and over every phone. Deliveries a second
of one core are those of the whole run by the engine's processor seconds. The peer sends the same frame with
`await ws.send` to the sockets of a plain Sanic server, at the same moments.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter

from benchmarks.figures import Row, percentile, reaching, row, within
from benchmarks.phones import Phone, hang_up, join, masked, pinged, until
from benchmarks.report_to_phone import Poster
from benchmarks.stage import ADMIN_TOKEN, HOST, Served, Stage, postgres, run_async, served_echo, served_engine, token_of
from benchmarks.watched import Span, Watched, sockets_allowed

NAME = "fanout"
PEER = "broadcast on plain Sanic websockets"
LEAST_PER_CORE_S = 12_500
MOST_P99_MS = 200.0
EVERY_S = 0.8
"""10,000 sockets that each hear an event every 0.8 s are 12,500 deliveries a second."""


def run(*, sockets: int = 10_000, events: int = 30, zones: Sequence[int] = (1, 100)) -> list[Row]:
    """Measure so many events to each of so many sockets, once for each number of zones."""
    sockets = sockets_allowed(sockets)
    rows: list[Row] = []
    for count in zones:
        with postgres() as url:
            rows += run_async(_measure(url, sockets, events, count))
    return rows


async def _measure(url: str, sockets: int, events: int, zones: int) -> list[Row]:
    stage = await Stage.build(url, zones=zones, crews=sockets)
    phones: list[Phone] = []
    with served_engine(url) as served:
        async with pinged(phones):
            await join(phones, served.port, [token_of(crew.id) for crew in stage.crews])
            orders = await _offered(stage, phones, events, zones)
            _, desk = await asyncio.get_running_loop().create_connection(Poster, HOST, served.port)
            causes = [partial(desk.post, _hold(order)) for order in orders]
            ours = await _told(served, [phones[zone::zones] for zone in range(zones)], causes)
        await hang_up(phones)
    await stage.close()
    others: list[Phone] = []
    groups: list[Sequence[Phone]] = []
    frame = masked(f'{{"type":"offer_closed","seq":1000000,"order":"{orders[0]}","reason":"withdrawn"}}'.encode())
    with served_echo() as served:
        for zone in range(zones):
            at = len(others)
            await join(others, served.port, [None] * len(range(zone, sockets, zones)), path=f"/all/{zone}")
            groups.append(others[at:])
        peer = await _told(served, groups, [partial(group[0].send, frame) for group in groups] * events)
        await hang_up(others)
    prefix = "" if zones == 1 else f"{zones}-zones-"
    rate = row(NAME, f"{prefix}deliveries-per-core-second", "1/s", ours=ours[0], peer=peer[0], peer_name=PEER)
    rows = [reaching(LEAST_PER_CORE_S, rate)]
    for share, target in ((0.5, None), (0.99, MOST_P99_MS)):
        ms = [1e3 * percentile(each[1], share) for each in (ours, peer)]
        figure = f"{prefix}planned-to-heard-p{share * 100:.0f}"
        delay = row(NAME, figure, "ms", ours=ms[0], peer=ms[1], peer_name=PEER)
        rows.append(delay if target is None else within(target, delay))
    return rows


async def _told(
    served: Served, groups: Sequence[Sequence[Phone]], causes: Sequence[Callable[[], None]]
) -> tuple[float, list[float]]:
    """Return deliveries by processor second of the server, and the delay of each in seconds."""
    span = Span(Watched(served.process.pid))
    delays = await Broadcast(groups, b"offer_closed").run(causes)
    return len(delays) / span.cpu_s, delays


async def _offered(stage: Stage, phones: Sequence[Phone], events: int, zones: int) -> list[str]:
    """Open `events` orders in each zone, zone by zone, and return them when the phones have their offers."""
    heard = 0

    def hear(_: Phone, frame: bytes) -> None:
        nonlocal heard
        heard += frame.startswith(b'{"type":"offer"')

    for phone in phones:
        phone.heard = hear
    orders = []
    for number in range(events):
        orders += await stage.open_orders(range(zones))
        least = (number + 1) * len(phones)
        await until(lambda least=least: heard >= least, within_s=60)  # type: ignore[misc]
    return orders


class Broadcast:
    """Events to groups of phones in turn, at planned moments, and how long after them each phone heard each."""

    def __init__(self, groups: Sequence[Sequence[Phone]], kind: bytes) -> None:
        self._head = b'{"type":"' + kind
        self._planned: list[float] = []
        self._group = {phone: place for place, group in enumerate(groups) for phone in group}
        self._groups = len(groups)
        self._heard = dict.fromkeys(self._group, 0)
        self._delays: list[float] = []

    async def run(self, causes: Sequence[Callable[[], None]]) -> list[float]:
        """Cause the events, each the next group's, and return the delays at every phone, in seconds."""
        begun = perf_counter() + 0.2
        every_s = EVERY_S / self._groups
        self._planned = [begun + every_s * number for number in range(len(causes))]
        for phone in self._group:
            phone.heard = self._hear
        for planned, cause in zip(self._planned, causes, strict=True):
            await asyncio.sleep(max(planned - perf_counter(), 0))
            cause()
        all_told = len(causes) // self._groups * len(self._group)
        await until(lambda: len(self._delays) >= all_told, within_s=60)
        return self._delays

    def _hear(self, phone: Phone, frame: bytes) -> None:
        if frame.startswith(self._head):
            number = self._heard[phone]
            self._heard[phone] = number + 1
            self._delays.append(perf_counter() - self._planned[number * self._groups + self._group[phone]])


def _hold(order: str) -> bytes:
    body = '{"action":"hold","reason":"bench"}'
    return (
        f"POST /api/v1/orders/{order}/override HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
