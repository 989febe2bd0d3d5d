"""Half an hour of work on one engine process: memory that stays, and nothing left behind.

Reports come at planned moments into the zones of a city, one crew of each zone grabs its order, drives, arrives and
resolves it, and the resident rates it, so that it leaves the city's memory. Meanwhile two phones a second lose their
connection without a word and come back. Memory is compared between the last fifth of the time and the second fifth,
by medians, once everything has been touched. At the end everybody hangs up, and the engine may have no more
descriptors and tasks than before the first phone came.
"""

import asyncio
import re
from collections.abc import Sequence
from statistics import median
from time import perf_counter

import httpx

from benchmarks.figures import Row, at_most, row
from benchmarks.phones import Phone, grab, hang_up, ignore, masked, pinged, sign_in, until
from benchmarks.report_to_phone import Poster
from benchmarks.stage import ADMIN_TOKEN, HOST, Served, Stage, middle, postgres, run_async, served_engine, token_of
from benchmarks.watched import Watched

NAME = "soak"
ZONES = 18
CREWS = 540
REPORTS_PER_S = 5.0
DROPS_PER_S = 2.0
MOST_GROWTH = 1.1
SPARE_DESCRIPTORS = 10
"""Connections of the pool that were not open before."""

NEXT = {"en_route": "arrived", "arrived": "resolved"}

_TASKS = re.compile(r"^qiangdan_tasks (\S+)$", re.M)
_DONE = "2026-01-15T08:30:00+08:00"


def run(*, minutes: float = 30.0, crews: int = CREWS) -> list[Row]:
    """Work for so many minutes."""
    with postgres() as url:
        return run_async(_measure(url, 60 * minutes, crews))


async def _measure(url: str, seconds: float, crews: int) -> list[Row]:
    stage = await Stage.build(url, zones=ZONES, crews=crews)
    tokens = [token_of(crew.id) for crew in stage.crews]
    with served_engine(url) as served:
        watched = Watched(served.process.pid)
        before = await _held(served, settle_s=1)
        crowd = Workers(served, tokens)
        await crowd.begin()
        memory: list[float] = []
        async with pinged(crowd.phones):
            working = [asyncio.create_task(work) for work in (crowd.report(seconds), crowd.lose(seconds))]
            ends_at = perf_counter() + seconds
            while perf_counter() < ends_at:
                memory.append(watched.kib)
                await asyncio.sleep(min(seconds / 100, 5))
            await asyncio.gather(*working)
        await crowd.end()
        after = await _held(served, settle_s=3)
    closed = await stage.count("SELECT count(*) FROM orders WHERE state = 'closed'")
    await stage.close()
    if closed != crowd.reported:
        raise RuntimeError(f"of {crowd.reported} reports {closed} were brought to their end")
    fifth = len(memory) // 5
    early, late = median(memory[fifth : 2 * fifth] or memory), median(memory[-fifth:])
    earlier = "the same engine, the second fifth of the time"
    first = "the same engine before the first phone"
    rows = [at_most(MOST_GROWTH, row(NAME, "memory", "MiB", ours=late / 1024, peer=early / 1024, peer_name=earlier))]
    for figure, spare, now, then in (
        ("descriptors-left", SPARE_DESCRIPTORS, after[0], before[0]),
        ("tasks-left", 0, after[1], before[1]),
    ):
        left = row(NAME, figure, "", ours=now, peer=then, peer_name=first)
        rows.append({**left, "target": spare, "holds": now <= then + spare})
    return rows


async def _held(served: Served, *, settle_s: float) -> tuple[int, float]:
    """Return the descriptors and tasks of an engine, after a while in which nobody asks anything of it."""
    await asyncio.sleep(settle_s)
    async with httpx.AsyncClient(trust_env=False) as http:
        page = (await http.get(f"http://{HOST}:{served.port}/metrics")).text
    found = _TASKS.search(page)
    assert found is not None
    return Watched(served.process.pid).descriptors, float(found[1])


class Workers:
    """Crews that grab what they are offered and bring it to its end, and the desk where reports come in."""

    def __init__(self, served: Served, tokens: Sequence[str]) -> None:
        self.phones: list[Phone] = []
        self.reported = self.done = 0
        self._port = served.port
        self._tokens = tokens
        self._desk: Poster
        self._taken: set[str] = set()

    async def begin(self) -> None:
        """Sign everybody in."""
        self.phones += await sign_in(self._port, self._tokens)
        for number, phone in enumerate(self.phones):
            phone.heard = ignore if _is_restless(number) else self._hear
        _, self._desk = await asyncio.get_running_loop().create_connection(Poster, HOST, self._port)

    async def end(self) -> None:
        """Hang up, and leave the desk."""
        await hang_up(self.phones)
        self._desk.close()

    async def report(self, seconds: float) -> None:
        """Post reports at planned moments, and return when the last of them is done."""
        began = perf_counter()
        for number in range(int(seconds * REPORTS_PER_S)):
            await asyncio.sleep(max(began + number / REPORTS_PER_S - perf_counter(), 0))
            self._desk.post(_post("/reports", _report(number)))
            self.reported += 1
        await until(lambda: self.done >= self.reported, within_s=60)
        await asyncio.sleep(1)  # for the last rating

    async def lose(self, seconds: float) -> None:
        """Let one restless phone after the other lose its connection and come back."""
        began = perf_counter()
        restless = [number for number in range(len(self.phones)) if _is_restless(number)]
        for number in range(int(seconds * DROPS_PER_S)):
            await asyncio.sleep(max(began + number / DROPS_PER_S - perf_counter(), 0))
            place = restless[number % len(restless)]
            self.phones[place].transport.abort()
            [self.phones[place]] = await sign_in(self._port, [self._tokens[place]])

    def _hear(self, phone: Phone, frame: bytes) -> None:
        """Do the next thing with the order that a frame is about: grab, drive, arrive, resolve, have it rated."""
        if frame.startswith(b'{"type":"offer"'):
            order = _after(b'"id":"', frame)
            if order not in self._taken:
                self._taken.add(order)
                phone.send(grab(f"g-{order}", order))
        elif frame.startswith(b'{"type":"grab_result"') and b'"won":true' in frame:
            phone.send(_progress("en_route", _after(b'"order":"', frame)))
        elif frame.startswith(b'{"type":"progress_ack"'):
            order, state = _after(b'"order":"', frame), _after(b'"state":"', frame)
            if state in NEXT:
                phone.send(_progress(NEXT[state], order))
            elif state == "resolved":
                self._desk.post(_post(f"/orders/{order}/rating", '{"stars":5,"resolved":true}'))
                self._taken.discard(order)
                self.done += 1


def _after(head: bytes, frame: bytes) -> str:
    """Return the text that begins after `head`, empty where it is not there."""
    return frame.partition(head)[2].partition(b'"')[0].decode()


def _is_restless(number: int) -> bool:
    """Return whether a crew is one of the half of each zone that only comes and goes."""
    return number // ZONES % 2 == 1


def _progress(to: str, order: str) -> bytes:
    return masked(f'{{"type":"progress","id":"{to}-{order}","order":"{order}","to":"{to}","at":"{_DONE}"}}'.encode())


def _report(number: int) -> str:
    place = middle(number % ZONES)
    return (
        f'{{"channel":"bench","category":"no_heat","description":"cold","external_id":"{number}",'
        f'"location":{{"lon":{place.lon},"lat":{place.lat}}},"required_skills":["heating"]}}'
    )


def _post(path: str, body: str) -> bytes:
    return (
        f"POST /api/v1{path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
