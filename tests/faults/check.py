"""Holds recorded histories to the promises: `python -m tests.faults.check FILE...`. Linear in the history, and pure.

What must hold, for every city:

    holders     an order has at most one holder at any version, and each cycle at most one winner
    kept        what was acknowledged is there, once; what failed is not; what is unknown is there at most once
    verdicts    the same key has the same answer, however often and wherever it is asked
    told        every client hears exactly what the log owes it from its welcome on, in order, under one epoch
    alarms      each deadline that passes alarms exactly once, and none that does not
    overrides   every override is in the audit; what it or a crew holds is not moved by grab or machine
    cities      nobody sees anything of another city

Exit status 0 where all hold, 1 where one does not, 2 where a file cannot be read.
"""

import sys
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain
from operator import itemgetter
from pathlib import Path
from time import perf_counter
from typing import NamedTuple, Protocol

import msgspec

from tests.faults.history import Due, Event, Head, Kept, Op, Record, Strange, Told, Verdict, Welcome, read

HELD = frozenset({"claimed", "en_route", "arrived"})
LISTED = HELD | {"suspended"}
FREE = frozenset({"offered", "unzoned"})
AUDITED = {"override": "override", "report": "report", "rating": "rating"}
GRACE_S = 3.0
"""How long before the log's end a deadline may pass without its alarm being there yet."""


class Violation(NamedTuple):
    """A broken promise: which, of which city, and how."""

    promise: str
    city: str
    text: str


def _is_done(op: Op) -> bool:
    return op.outcome == "ok" and (op.result or "").startswith("2")


class Check(Protocol):
    """One promise: takes every record, and says at the end what broke it."""

    def take(self, record: Record) -> None:
        """Take the next record in."""

    def end(self) -> Iterator[Violation]:
        """Return what was broken."""


class Holders:
    """An order has at most one holder at any version, and each cycle at most one winner."""

    def __init__(self) -> None:
        self.versions: dict[tuple[str, str, int], tuple[str | None, str | None]] = {}
        self.claimed: dict[tuple[str, str, int], str | None] = {}
        self.standing: dict[tuple[str, str], tuple[str | None, str | None, int]] = {}
        self.won: dict[tuple[str, str, str], str] = {}
        self.cycles: dict[tuple[str, str, str], tuple[str, int]] = {}
        self.found: list[Violation] = []

    def take(self, record: Record) -> None:
        """Compare every sight of an order with every other."""
        if isinstance(record, Event):
            if record.order is not None:
                self._see(record.city, record.order, record.version, record.state, record.holder, "the log")
                self._follow(record)
        elif isinstance(record, (Told, Op)):
            if record.version is not None and record.order is not None:
                self._see(record.city, record.order, record.version, record.state, record.holder, record.client)
        elif isinstance(record, Verdict):
            if record.result == "won":
                self.won[(record.city, record.client, record.key)] = record.order
        elif isinstance(record, Kept) and record.table == "grab":
            self.cycles[(record.city, record.client, record.key)] = (record.order, record.number)

    def _see(self, city: str, order: str, version: int, state: str | None, holder: str | None, who: str) -> None:
        sight = (state, holder)
        first = self.versions.setdefault((city, order, version), sight)
        if first != sight:
            self.found.append(
                Violation("holders", city, f"{order} at version {version} is {first}, and {sight} to {who}")
            )

    def _follow(self, event: Event) -> None:
        assert event.order is not None
        key = (event.city, event.order)
        state, holder, version = self.standing.get(key, (None, None, 0))
        if event.version < version:
            self.found.append(Violation("holders", event.city, f"{event.order} went back to version {event.version}"))
        if event.kind == "order.claimed":
            cycle = (*key, event.cycle)
            if cycle in self.claimed:
                self.found.append(Violation("holders", event.city, f"{event.order} was claimed twice in {event.cycle}"))
            if state in HELD:
                text = f"{event.order} was claimed by {event.holder} while {holder} held it ({event.seq})"
                self.found.append(Violation("holders", event.city, text))
            self.claimed[cycle] = event.holder
        self.standing[key] = (event.state, event.holder, event.version)

    def end(self) -> Iterator[Violation]:
        """Return what was broken."""
        yield from self.found
        winners: dict[tuple[str, str, int], set[str]] = defaultdict(set)
        for (city, client, key), order in self.won.items():
            kept = self.cycles.get((city, client, key))
            if kept is not None:
                winners[(city, kept[0], kept[1])].add(client)
                if kept[0] != order:
                    yield Violation(
                        "holders", city, f"{client} was told that {key} won {order}, it asked for {kept[0]}"
                    )
        for (city, order, cycle), clients in winners.items():
            if len(clients) > 1:
                yield Violation("holders", city, f"{order} was won in cycle {cycle} by {sorted(clients)}")


class Acknowledged:
    """What was acknowledged is there, once; what failed is not; what is unknown is there at most once."""

    def __init__(self) -> None:
        self.done: dict[tuple[str, str, str], str | None] = {}
        self.maybe: set[tuple[str, str, str]] = set()
        self.refused: set[tuple[str, str, str]] = set()
        self.judged: dict[tuple[str, str, str], str] = {}
        self.kept: Counter[tuple[str, str, str]] = Counter()
        self.results: dict[tuple[str, str, str, str], tuple[str, int, str | None]] = {}
        self.holders: dict[tuple[str, str, int], set[str | None]] = defaultdict(set)
        self.read: set[str] = set()

    def take(self, record: Record) -> None:
        """Gather what was said and what is there."""
        if isinstance(record, Op):
            if record.operation in AUDITED:
                key = (record.city, AUDITED[record.operation], record.key)
                if record.outcome == "unknown":
                    self.maybe.add(key)
                elif _is_done(record):
                    self.done[key] = record.order
                else:
                    self.refused.add(key)
        elif isinstance(record, Verdict):
            self.judged[(record.city, record.client, record.key)] = record.result
        elif isinstance(record, Kept):
            if record.table in AUDITED.values():
                self.kept[(record.city, record.table, record.key)] += 1
            else:
                self.results[(record.city, record.table, record.client, record.key)] = (
                    record.order,
                    record.number,
                    record.result,
                )
        elif isinstance(record, Event) and record.order is not None and record.state in HELD:
            self.holders[(record.city, record.order, record.cycle)].add(record.holder)
        elif isinstance(record, Head):
            self.read.add(record.city)

    def end(self) -> Iterator[Violation]:
        """Return what was broken; of cities alone whose rows were read."""
        yield from (violation for violation in self._broken() if violation.city in self.read)

    def _broken(self) -> Iterator[Violation]:
        for key in self.done:
            if self.kept[key] != 1:
                yield Violation(
                    "kept", key[0], f"{key[1]} {key[2]} was acknowledged and is there {self.kept[key]} times"
                )
        for key in self.maybe - self.done.keys():
            if self.kept[key] > 1:
                yield Violation("kept", key[0], f"{key[1]} {key[2]} has no answer and is there {self.kept[key]} times")
        for key in self.refused - self.done.keys() - self.maybe:
            if self.kept[key]:
                yield Violation("kept", key[0], f"{key[1]} {key[2]} was refused and is there all the same")
        for key in self.kept.keys() - self.done.keys() - self.maybe - self.refused:
            yield Violation("kept", key[0], f"{key[1]} {key[2]!r} is there and nobody asked for it")
        for (city, client, message), result in self.judged.items():
            grab = self.results.get((city, "grab", client, message))
            row = grab or self.results.get((city, "command", client, message))
            if row is None:
                yield Violation("kept", city, f"{client} was told {result} for {message}, and nothing is written")
            elif row[2] != result:
                yield Violation("kept", city, f"{client} was told {result} for {message}, written is {row[2]}")
            elif grab and result == "won" and client not in self.holders[(city, grab[0], grab[1])]:
                yield Violation("kept", city, f"{client} was told that it won {grab[:2]}, the log does not know it")


class Verdicts:
    """The same key has the same answer, however often and wherever it is asked."""

    def __init__(self) -> None:
        self.first: dict[tuple[str, str, str], str | None] = {}
        self.found: list[Violation] = []

    def take(self, record: Record) -> None:
        """Compare an answer with the first under its key."""
        keyed = isinstance(record, Op) and record.operation in AUDITED and record.keyed and _is_done(record)
        if keyed or isinstance(record, Verdict):
            assert isinstance(record, (Op, Verdict))
            self._compare(record.city, record.client, record.key, record.result)

    def _compare(self, city: str, client: str, key: str, result: str | None) -> None:
        first = self.first.setdefault((city, client, key), result)
        if first != result:
            self.found.append(Violation("verdicts", city, f"{client} heard {first} for {key}, then {result}"))

    def end(self) -> Iterator[Violation]:
        """Return what was broken."""
        return iter(self.found)


class Deliveries:
    """Every client hears exactly what the log owes it from its welcome on, in order, under one epoch."""

    def __init__(self) -> None:
        self.heard: dict[tuple[str, str], list[Told | Welcome]] = defaultdict(list)
        self.due: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
        self.heads: dict[str, Head] = {}
        self.log: dict[str, list[Event]] = defaultdict(list)

    def take(self, record: Record) -> None:
        """Gather what each client heard and was owed."""
        if isinstance(record, (Told, Welcome)):
            self.heard[(record.city, record.client)].append(record)
        elif isinstance(record, Due):
            self.due[(record.city, record.client)].append((record.seq, record.digest))
        elif isinstance(record, Event):
            self.log[record.city].append(record)
        elif isinstance(record, Head):
            self.heads[record.city] = record

    def end(self) -> Iterator[Violation]:
        """Return what was broken."""
        for city, events in self.log.items():
            for place, event in enumerate(events, 1):
                if event.seq != place:
                    yield Violation("told", city, f"the log has {event.seq} in the place of {place}")
                    break
        for (city, client), heard in self.heard.items():
            head = self.heads.get(city)
            if head is not None:
                for text in _told_wrongly(heard, self.due[(city, client)], head):
                    yield Violation("told", city, f"{client}: {text}")
        yield from self._wrong_snapshots()

    def _wrong_snapshots(self) -> Iterator[Violation]:
        """Return the snapshots in which a crew held other orders than by the log."""
        snapshots: dict[str, list[Welcome]] = defaultdict(list)
        for (city, _), heard in self.heard.items():
            snapshots[city] += [each for each in heard if isinstance(each, Welcome) and each.held is not None]
        for city, welcomes in snapshots.items():
            welcomes.sort(key=lambda welcome: welcome.seq)
            holds: dict[str, set[str]] = defaultdict(set)
            holder: dict[str, str | None] = {}
            events = iter(self.log[city])
            event = next(events, None)
            for welcome in welcomes:
                while event is not None and event.seq <= welcome.seq:
                    if event.order is not None:
                        holds[holder.get(event.order) or ""].discard(event.order)
                        holder[event.order] = event.holder if event.state in LISTED else None
                        holds[holder[event.order] or ""].add(event.order)
                    event = next(events, None)
                head, held = self.heads.get(city), holds[welcome.client]
                if head is not None and welcome.seq <= head.seq and set(welcome.held or ()) != held:
                    text = f"{welcome.client} at {welcome.seq} was shown {welcome.held}, it held {sorted(held)}"
                    yield Violation("told", city, text)


def _told_wrongly(heard: list[Told | Welcome], due: list[tuple[int, int]], head: Head) -> Iterator[str]:
    seen: int | None = None
    since = last = 0
    told: dict[int, int] = {}
    for record in heard:
        if isinstance(record, Welcome):
            if record.epoch and record.epoch != head.epoch:
                yield f"was welcomed to epoch {record.epoch}, the log is of {head.epoch}"
            if record.resumed:
                if seen is not None and record.seq != seen:
                    yield f"resumed after {record.seq}, it had seen {seen}"
                last = record.seq
                continue
            if seen is not None:
                yield from _missed(told, due, since, min(seen, head.seq))
            since = seen = last = record.seq
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
        yield from _missed(told, due, since, head.seq)


def _missed(told: dict[int, int], due: list[tuple[int, int]], since: int, until: int) -> Iterator[str]:
    first, behind = bisect_right(due, since, key=itemgetter(0)), bisect_right(due, until, key=itemgetter(0))
    owed = dict(due[first:behind])
    for seq, digest in owed.items():
        if seq not in told:
            yield f"was not told {seq} (from {since} to {until})"
        elif told[seq] != digest:
            yield f"was told something else than the log says as {seq}"
    for seq in told:
        if seq <= until and seq not in owed:
            yield f"was told {seq}, which the log does not owe it"


class Alarms:
    """Each deadline that passes alarms exactly once, and none that does not."""

    def __init__(self) -> None:
        self.rung: set[tuple[str, str, str, float, str]] = set()
        self.passed: dict[tuple[str, str, str, float], float] = {}
        self.clocks: dict[tuple[str, str], Event] = {}
        self.heads: dict[str, Head] = {}
        self.found: list[Violation] = []

    def take(self, record: Record) -> None:
        """Note the deadlines that pass between two events of an order, and the alarms."""
        if isinstance(record, Head):
            self.heads[record.city] = record
        if not isinstance(record, Event) or record.order is None:
            return
        self._pass(record.city, record.order, record.at)
        before = self.clocks.get((record.city, record.order))
        self.clocks[(record.city, record.order)] = record
        if record.clock is None or record.deadline is None:
            return
        alarm = (record.city, record.order, record.clock, record.deadline, record.kind)
        if alarm in self.rung:
            self.found.append(Violation("alarms", record.city, f"{alarm[1:]} rang twice"))
        self.rung.add(alarm)
        known = before.clocks if before else ()
        if not any(clock.name == record.clock and clock.due == record.deadline for clock in known):
            self.found.append(Violation("alarms", record.city, f"{alarm[1:]} rang for a deadline that there was not"))
        if record.kind == "clock.breached" and record.deadline > record.at:
            self.found.append(Violation("alarms", record.city, f"{alarm[1:]} rang before its time"))

    def _pass(self, city: str, order: str, at: float) -> None:
        before = self.clocks.get((city, order))
        for clock in before.clocks if before else ():
            if clock.running and clock.due < at:
                self.passed.setdefault((city, order, clock.name, clock.due), at)

    def end(self) -> Iterator[Violation]:
        """Return what was broken."""
        for (city, order), _ in list(self.clocks.items()):
            if city in self.heads:
                self._pass(city, order, self.heads[city].at - GRACE_S)
        yield from self.found
        for city, order, clock, due in self.passed:
            if (city, order, clock, due, "clock.breached") not in self.rung:
                head = self.heads.get(city)
                if head is not None and due < head.at - GRACE_S:
                    yield Violation("alarms", city, f"{clock} of {order} passed its deadline {due} and nobody was told")


class Overrides:
    """What a dispatcher has fixed, or a crew has taken, stays, and versions that are named are held to.

    The machine may take back what it has given itself, as long as the crew has not set out.
    """

    def __init__(self) -> None:
        self.standing: dict[tuple[str, str], Event] = {}
        self.found: list[Violation] = []

    def take(self, record: Record) -> None:
        """Look who moved an order, and at which version."""
        if isinstance(record, Op) and record.saw is not None and _is_done(record) and record.version != record.saw + 1:
            text = f"{record.client} saw {record.order} at {record.saw}, and his override made it {record.version}"
            self.found.append(Violation("overrides", record.city, text))
        if not isinstance(record, Event) or record.order is None:
            return
        before = self.standing.get((record.city, record.order))
        self.standing[(record.city, record.order)] = record
        if before is None or (before.state, before.holder) == (record.state, record.holder):
            return
        own = before.holder is not None and record.actor == f"crew:{before.holder}"
        told = before.state == "claimed" and before.by == "optimizer" and record.actor == "system:planner"
        if before.state not in FREE and not (own or told) and not record.actor.startswith("user:"):
            text = f"{record.order} was {before.state} with {before.holder}; {record.actor} made it {record.state} with"
            self.found.append(Violation("overrides", record.city, f"{text} {record.holder} ({record.seq})"))
        parted = before.state in LISTED and before.holder is not None and record.holder != before.holder
        if parted and record.lost != before.holder:
            text = f"{record.order} went from {before.holder}, who was not told ({record.seq})"
            self.found.append(Violation("overrides", record.city, text))

    def end(self) -> Iterator[Violation]:
        """Return what was broken."""
        return iter(self.found)


class Cities:
    """Nobody sees anything of another city."""

    def __init__(self) -> None:
        self.homes: dict[str, str] = {}
        self.seen: dict[tuple[str, str], str] = {}
        self.found: list[Violation] = []

    def take(self, record: Record) -> None:
        """Note whose each order is, and who has seen it."""
        if isinstance(record, Strange):
            self.found.append(Violation("cities", record.city, f"{record.client}: {record.what}"))
        elif isinstance(record, Event):
            if record.order is not None and self.homes.setdefault(record.order, record.city) != record.city:
                self.found.append(Violation("cities", record.city, f"{record.order} is in two logs"))
        elif isinstance(record, Told) and record.order is not None:
            self.seen[(record.city, record.order)] = record.client
        elif isinstance(record, Op):
            if record.operation == "pry":
                if record.outcome == "ok" and record.result != "404":
                    text = f"{record.client} asked for {record.order} of another city and heard {record.result}"
                    self.found.append(Violation("cities", record.city, text))
            elif record.order is not None and record.version is not None:
                self.seen[(record.city, record.order)] = record.client

    def end(self) -> Iterator[Violation]:
        """Return what was broken."""
        yield from self.found
        for (city, order), client in self.seen.items():
            if self.homes.get(order, city) != city:
                yield Violation("cities", city, f"{client} saw {order} of city {self.homes[order]}")


def check(records: Iterable[Record]) -> list[Violation]:
    """Return every violation in a history."""
    checks: list[Check] = [Holders(), Acknowledged(), Verdicts(), Deliveries(), Alarms(), Overrides(), Cities()]
    for record in records:
        for each in checks:
            each.take(record)
    return list(chain.from_iterable(each.end() for each in checks))


def main(arguments: list[str]) -> int:
    """Check each file by itself and print what is broken."""
    status = 0
    for name in arguments:
        begun = perf_counter()
        counts: Counter[str] = Counter()

        def counted(file: Path, counts: Counter[str] = counts) -> Iterator[Record]:
            for record in read(file):
                counts[type(record).__name__] += 1
                yield record

        try:
            violations = check(counted(Path(name)))
        except (OSError, msgspec.MsgspecError) as error:
            sys.stderr.write(f"{name} cannot be read: {error}\n")
            return 2
        took = perf_counter() - begun
        sizes = f"{counts.total()} records ({counts['Op']} operations) in {took:.1f} s"
        print(f"{name}: {sizes}, {len(violations)} violations")
        for violation in violations[:50]:
            print(f"  {violation.promise} in {violation.city}: {violation.text}")
        status = 1 if violations else status
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
