"""Reads the city's log beside what each crew was told; returns what should not be, in words."""

from collections import Counter, defaultdict
from typing import Any

import msgspec

from dispatch.cities import load_city
from dispatch.config import Settings
from dispatch.deliveries import crew_delivery, deliveries
from dispatch.mirror import Mirror
from dispatch.orders import WITH_CREW
from dispatch.relay import logged
from dispatch.store import Database
from dispatch.store.tx import LOG
from tests.faults.storm import Diary
from tests.town import Town

HELD = {state.value for state in WITH_CREW}
Frames = dict[str, list[tuple[int, str]]]


class Books:
    """The log of the city, folded once from its beginning: what each crew had to be told, who held what when."""

    def __init__(self) -> None:
        self.events = 0
        self.frames: Frames = defaultdict(list)
        self.claims: set[tuple[str, int]] = set()
        self.holders: dict[tuple[str, int], set[str]] = defaultdict(set)
        self.violations: list[str] = []
        self.kinds: Counter[str] = Counter()

    @classmethod
    async def open(cls, db: Database, city_id: str, settings: Settings) -> "Books":
        """Read the whole log."""
        books = cls()
        async with db.snapshot() as conn:
            city = await load_city(conn, city_id, settings)
            rows = await conn.fetch(LOG["read_with_particulars"], city_id, 0, 10_000_000)
        mirror = Mirror(city, name=city_id, epoch="", seq=0)
        holding: dict[str, str | None] = {}
        capacity: dict[str, int] = {}
        held: dict[str, set[str]] = defaultdict(set)
        for row in rows:
            event = logged(row)
            books.events += 1
            books.kinds[event.kind] += 1
            data = mirror.fold(event, row["description"], row["contact"], row["name"])
            if event.kind == "crew.added" and event.crew:
                capacity[event.crew] = msgspec.json.decode(event.data)["capacity"]
            if (told := crew_delivery(event)) is not None:
                books.frames[told.crew].append((event.seq, told.frame))
            if data is None or event.order is None or mirror.last_order is None:
                continue
            live = mirror.last_order
            books._watch(event, live, data, holding, held, capacity)
            for delivery in deliveries(event.seq, event.order, data, live):
                if f'"seq":{event.seq}' in delivery.frame:
                    books.frames[delivery.crew].append((event.seq, delivery.frame))
        return books

    def _watch(
        self,
        event: Any,
        live: Any,
        data: Any,
        holding: dict[str, str | None],
        held: dict[str, set[str]],
        capacity: dict[str, int],
    ) -> None:
        order, crew = event.order, live.order.crew if live.order.state in HELD else None
        before = holding.get(order)
        if crew != before:
            if before is not None:
                held[before].discard(order)
                if crew is not None and data.lost is None:
                    self.violations.append(
                        f"{order} went from {before} to {crew} and {before} was not told ({event.seq})"
                    )
            if crew is not None:
                held[crew].add(order)
        holding[order] = crew
        if crew is not None:
            self.holders[(order, data.cycle)].add(crew)
        if event.kind == "order.claimed":
            assert crew is not None
            if before is not None:
                self.violations.append(f"{order} was claimed by {crew} while {before} held it ({event.seq})")
            if len(held[crew]) > capacity[crew]:
                self.violations.append(f"{crew} claimed {order} though it was full ({event.seq})")
            if (order, data.cycle) in self.claims:
                self.violations.append(f"{order} was claimed twice in cycle {data.cycle} ({event.seq})")
            self.claims.add((order, data.cycle))

    def gaps(self, diary: Diary) -> list[str]:
        """Return where a crew was not told exactly what the log says, from its first welcome to the log's end."""
        due = self.frames.get(diary.crew, [])
        found: list[str] = []
        seen: int | None = None
        since = 0
        told: list[tuple[int, str]] = []

        def close(until: int | None) -> None:
            expected = [each for each in due if each[0] > since and (until is None or each[0] <= until)]
            if told != expected:
                missing = [each for each in expected if each not in told]
                extra = [each for each in told if each not in expected]
                found.append(f"{diary.crew} since {since}: missed {missing[:2]}, was told {extra[:2]}")

        for heard in diary.heard:
            if heard.type == "welcome":
                if not heard.resumed:
                    if seen is not None:
                        close(seen)
                    since = seen = heard.seq
                    told = []
                continue
            if seen is None:
                found.append(f"{diary.crew} was told something before its welcome")
            elif heard.seq > seen:
                told.append((heard.seq, heard.frame))
                seen = heard.seq
            elif (heard.seq, heard.frame) not in told and heard.seq > since:
                found.append(f"{diary.crew} was told something else as {heard.seq} the second time")
        if seen is not None:
            close(None)
        return found


async def wrongs(town: Town, books: Books, diaries: list[Diary]) -> list[str]:
    """Return everything that breaks a promise of the contract."""
    found = list(books.violations)
    rows = await town.fetch("SELECT crew_id, message_id, order_id, cycle, reason FROM crew_grab WHERE city_id = $1")
    kept = {(row["crew_id"], row["message_id"]): row for row in rows}
    winners: dict[tuple[str, int], set[str]] = defaultdict(set)
    for diary in diaries:
        found += diary.changed
        for message, reason in diary.verdicts.items():
            row = kept.get((diary.crew, message))
            if row is None:
                found.append(f"{diary.crew} was told {reason} for {message}, and nothing is written")
                continue
            if row["reason"] != reason:
                found.append(f"{diary.crew} was told {reason} for {message}, written is {row['reason']}")
            if reason == "won":
                cycle = (row["order_id"], row["cycle"])
                winners[cycle].add(diary.crew)
                if diary.crew not in books.holders[cycle]:
                    found.append(f"{diary.crew} was told that it won {cycle}, the log does not know it")
        found += [
            f"{diary.crew} has no verdict for {message}" for message in diary.asked if message not in diary.verdicts
        ]
    found += [f"{cycle} was won by {crews}" for cycle, crews in winners.items() if len(crews) > 1]
    lost = await town.fetch(
        """SELECT c.order_id, c.clock, c.due_at FROM order_clock AS c LEFT JOIN clock_alarm AS a
           ON a.city_id = c.city_id AND a.order_id = c.order_id AND a.clock = c.clock AND a.deadline = c.due_at
           AND a.kind = 'breached'
           WHERE c.city_id = $1 AND c.state <> 'stopped' AND a.order_id IS NULL AND c.paused_at IS NULL
           AND coalesce(c.stopped_at, now() - interval '3 s') > c.due_at"""
    )
    found += [f"nobody was told that {row['clock']} of {row['order_id']} is breached" for row in lost]
    never = await town.fetch(
        """SELECT a.order_id, a.clock, a.kind FROM clock_alarm AS a WHERE a.city_id = $1 AND NOT EXISTS (
               SELECT FROM event AS e WHERE e.city_id = a.city_id AND e.order_id = a.order_id
               AND e.kind = 'clock.' || a.kind AND e.data ->> 'clock' = a.clock
               AND (e.data ->> 'deadline')::timestamptz = a.deadline)"""
    )
    found += [f"the alarm {row['kind']} of {row['clock']} of {row['order_id']} is not in the log" for row in never]
    return found
