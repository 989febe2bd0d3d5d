"""The promise about what clients are told: exactly what the log owes them from their welcome on, in order."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from operator import itemgetter

from tests.faults.history import Due, Event, Head, Told, Welcome
from tests.faults.promises import LISTED, Handlers, Violation

Heard = list[Told | Welcome]
Owed = list[tuple[int, int]]
"""Of each frame that the log owes a client its seq and digest, in the order of the log."""


class Hearing:
    """Every client hears what it is owed, and a snapshot shows what its crew holds; the log itself has no gap."""

    def __init__(self) -> None:
        self._heard: dict[tuple[str, str], Heard] = defaultdict(list)
        self._owed: dict[tuple[str, str], Owed] = defaultdict(list)
        self._heads: dict[str, Head] = {}
        self._logs: dict[str, list[Event]] = defaultdict(list)

    def handlers(self) -> Handlers:
        """What each client heard and was owed."""
        return {Told: self._hear, Welcome: self._hear, Due: self._owe, Event: self._follow, Head: self._end_of}

    def _hear(self, record: Told | Welcome) -> None:
        self._heard[(record.city, record.client)].append(record)

    def _owe(self, due: Due) -> None:
        self._owed[(due.city, due.client)].append((due.seq, due.digest))

    def _follow(self, event: Event) -> None:
        self._logs[event.city].append(event)

    def _end_of(self, head: Head) -> None:
        self._heads[head.city] = head

    def end(self) -> Iterator[Violation]:
        """Return what was broken; of cities alone whose log was read."""
        for city, events in self._logs.items():
            gap = next((place for place, event in enumerate(events, 1) if event.seq != place), None)
            if gap is not None:
                yield Violation("told", city, f"the log has {events[gap - 1].seq} in the place of {gap}")
        snapshots: dict[str, list[Welcome]] = defaultdict(list)
        for (city, client), heard in self._heard.items():
            if (head := self._heads.get(city)) is not None:
                for text in told_wrongly(heard, self._owed[(city, client)], head):
                    yield Violation("told", city, f"{client}: {text}")
                snapshots[city] += [each for each in heard if isinstance(each, Welcome) and each.held is not None]
        for city, welcomes in snapshots.items():
            for text in _shown_wrongly(welcomes, self._logs[city], self._heads[city].seq):
                yield Violation("told", city, text)


def told_wrongly(heard: Heard, owed: Owed, head: Head) -> Iterator[str]:
    """Return how a client was told anything else than it was owed.

    Between two snapshots it must hear all that it was owed up to the last that it heard; from its last snapshot on, all
    up to the log's end. A frame may come again on a later connection, and must then be the same.
    """
    seen: int | None = None
    since = last = 0
    told: dict[int, int] = {}
    for record in heard:
        if isinstance(record, Welcome):
            if record.epoch and record.epoch != head.epoch:
                yield f"was welcomed to epoch {record.epoch}, the log is of {head.epoch}"
            last = record.seq
            if record.resumed:
                if seen is not None and record.seq != seen:
                    yield f"resumed after {record.seq}, it had seen {seen}"
                continue
            if seen is not None:
                yield from _missed(told, owed, since, min(seen, head.seq))
            since = seen = record.seq
            told = {}
            continue
        if seen is None:
            yield "was told something before its welcome"
            seen = since = record.seq
            continue
        if record.seq <= last:
            yield f"was told {record.seq} after {last} on one connection"
        last = record.seq
        if record.seq > seen:
            told[record.seq] = record.digest
            seen = record.seq
        elif record.seq > since and told.get(record.seq) != record.digest:
            yield f"was told something else as {record.seq} the second time"
    if seen is not None:
        yield from _missed(told, owed, since, head.seq)


def _missed(told: dict[int, int], owed: Owed, since: int, until: int) -> Iterator[str]:
    first, behind = bisect_right(owed, since, key=itemgetter(0)), bisect_right(owed, until, key=itemgetter(0))
    due = dict(owed[first:behind])
    for seq, digest in due.items():
        if seq not in told:
            yield f"was not told {seq} (from {since} to {until})"
        elif told[seq] != digest:
            yield f"was told something else than the log says as {seq}"
    for seq in told:
        if seq <= until and seq not in due:
            yield f"was told {seq}, which the log does not owe it"


def _shown_wrongly(welcomes: list[Welcome], log: list[Event], until: int) -> Iterator[str]:
    """Return the snapshots in which a crew held other orders than by the log at that place."""
    holds: dict[str | None, set[str]] = defaultdict(set)
    holder: dict[str, str | None] = {}
    events = iter(log)
    event = next(events, None)
    for welcome in sorted(welcomes, key=lambda welcome: welcome.seq):
        while event is not None and event.seq <= welcome.seq:
            if event.order is not None:
                holds[holder.get(event.order)].discard(event.order)
                holder[event.order] = event.holder if event.state in LISTED else None
                holds[holder[event.order]].add(event.order)
            event = next(events, None)
        held = holds[welcome.client]
        if welcome.seq <= until and set(welcome.held or ()) != held:
            yield f"{welcome.client} at {welcome.seq} was shown {welcome.held}, it held {sorted(held)}"
