"""Six of the seven promises as checks of a recorded history; the seventh, what clients are told, is `hearing`.

A check says which records it takes, sees each of them once, in the order of the file, and says at the end what was
broken. It keeps what it must remember in tables by key, so that all of it is linear in the history.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from tests.faults.history import Event, Head, Kept, Op, Strange, Told, Verdict

HELD = frozenset({"claimed", "en_route", "arrived"})
LISTED = HELD | {"suspended"}
FREE = frozenset({"offered", "unzoned"})
AUDITED = frozenset({"override", "report", "rating"})
"""Operations over REST, each with its row in the table of its name."""
GRACE_S = 3.0
"""How long before the log's end a deadline may pass without its alarm being there yet."""

Handlers = dict[type, Callable[[Any], None]]
OrderKey = tuple[str, str]
CycleKey = tuple[str, str, int]
Key = tuple[str, str, str]


class Violation(NamedTuple):
    """A broken promise: which, of which city, and how."""

    promise: str
    city: str
    text: str


class Check(Protocol):
    """One promise."""

    def handlers(self) -> Handlers:
        """Return what is to be called with each record of a type."""

    def end(self) -> Iterator[Violation]:
        """Return what was broken."""


def is_done(op: Op) -> bool:
    """Return whether a request was acknowledged as done, and not refused."""
    return op.outcome == "ok" and op.result is not None and op.result[0] == "2"


class Holders:
    """An order has at most one holder at any version, and each cycle at most one winner."""

    def __init__(self) -> None:
        self._sights: dict[CycleKey, tuple[str | None, str | None]] = {}
        self._claimed: set[CycleKey] = set()
        self._standing: dict[OrderKey, Event] = {}
        self._won: dict[Key, str] = {}
        self._cycles: dict[Key, tuple[str, int]] = {}
        self._found: list[Violation] = []

    def handlers(self) -> Handlers:
        """Every sight of an order, and every win."""
        return {Event: self._follow, Told: self._see, Op: self._see, Verdict: self._hear, Kept: self._keep}

    def _see(self, seen: Event | Told | Op) -> None:
        if seen.version is None or seen.order is None:
            return
        sight = (seen.state, seen.holder)
        first = self._sights.setdefault((seen.city, seen.order, seen.version), sight)
        if first != sight:
            text = f"{seen.order} at version {seen.version} is {first}, elsewhere {sight}"
            self._found.append(Violation("holders", seen.city, text))

    def _follow(self, event: Event) -> None:
        if event.order is None:
            return
        self._see(event)
        key = (event.city, event.order)
        before = self._standing.get(key)
        self._standing[key] = event
        if before is not None and event.version < before.version:
            self._found.append(Violation("holders", event.city, f"{event.order} went back to version {event.version}"))
        if event.kind == "order.claimed":
            cycle = (*key, event.cycle)
            if cycle in self._claimed:
                text = f"{event.order} was claimed twice in cycle {event.cycle}"
                self._found.append(Violation("holders", event.city, text))
            if before is not None and before.state in HELD:
                text = f"{event.order} was claimed by {event.holder} while {before.holder} held it ({event.seq})"
                self._found.append(Violation("holders", event.city, text))
            self._claimed.add(cycle)

    def _hear(self, verdict: Verdict) -> None:
        if verdict.result == "won":
            self._won[(verdict.city, verdict.client, verdict.key)] = verdict.order

    def _keep(self, kept: Kept) -> None:
        if kept.table == "grab":
            self._cycles[(kept.city, kept.client, kept.key)] = (kept.order, kept.number)

    def end(self) -> Iterator[Violation]:
        """Return what was broken."""
        yield from self._found
        winners: dict[CycleKey, set[str]] = defaultdict(set)
        for key, order in self._won.items():
            city, client, message = key
            asked, cycle = self._cycles.get(key, (order, None))
            if asked != order:
                yield Violation("holders", city, f"{client} was told that {message} won {order}, it asked for {asked}")
            elif cycle is not None:
                winners[(city, order, cycle)].add(client)
        for (city, order, cycle), clients in winners.items():
            if len(clients) > 1:
                yield Violation("holders", city, f"{order} was won in cycle {cycle} by {sorted(clients)}")


class Acknowledged:
    """What was acknowledged is there, once; what failed is not; what is unknown is there at most once."""

    def __init__(self) -> None:
        self._done: dict[Key, Op] = {}
        self._maybe: set[Key] = set()
        self._refused: set[Key] = set()
        self._judged: dict[Key, str] = {}
        self._rows: Counter[Key] = Counter()
        self._overrides: dict[Key, int] = {}
        self._results: dict[tuple[str, str, str, str], Kept] = {}
        self._holders: dict[CycleKey, set[str | None]] = defaultdict(set)
        self._read: set[str] = set()

    def handlers(self) -> Handlers:
        """What was said, and what is there."""
        return {Op: self._answer, Verdict: self._hear, Kept: self._keep, Event: self._follow, Head: self._end_of}

    def _answer(self, op: Op) -> None:
        if op.operation not in AUDITED:
            return
        key = (op.city, op.operation, op.key)
        if op.outcome == "unknown":
            self._maybe.add(key)
        elif is_done(op):
            self._done[key] = op
        else:
            self._refused.add(key)

    def _hear(self, verdict: Verdict) -> None:
        self._judged[(verdict.city, verdict.client, verdict.key)] = verdict.result

    def _keep(self, kept: Kept) -> None:
        if kept.table not in AUDITED:
            self._results[(kept.city, kept.table, kept.client, kept.key)] = kept
            return
        key = (kept.city, kept.table, kept.key)
        self._rows[key] += 1
        if kept.table == "override":
            self._overrides[key] = kept.number

    def _follow(self, event: Event) -> None:
        if event.order is not None and event.state in HELD:
            self._holders[(event.city, event.order, event.cycle)].add(event.holder)

    def _end_of(self, head: Head) -> None:
        self._read.add(head.city)

    def end(self) -> Iterator[Violation]:
        """Return what was broken; of cities alone whose rows were read."""
        broken = (*self._requests(), *self._verdicts())
        return (violation for violation in broken if violation.city in self._read)

    def _requests(self) -> Iterator[Violation]:
        def wrong(key: Key, how: str) -> Violation:
            return Violation("kept", key[0], f"{key[1]} {key[2]!r} {how}")

        done, rows = self._done.keys(), self._rows
        for key, op in self._done.items():
            if rows[key] != 1:
                yield wrong(key, f"was acknowledged and is there {rows[key]} times")
            elif self._overrides.get(key, op.version) != op.version:
                yield wrong(key, f"was acknowledged as version {op.version} and is there as {self._overrides[key]}")
        for key in self._maybe - done:
            if rows[key] > 1:
                yield wrong(key, f"has no answer and is there {rows[key]} times")
        for key in self._refused - done - self._maybe:
            if rows[key]:
                yield wrong(key, "was refused and is there all the same")
        for key in rows.keys() - done - self._maybe - self._refused:
            yield wrong(key, "is there and nobody asked for it")

    def _verdicts(self) -> Iterator[Violation]:
        for (city, client, message), result in self._judged.items():
            grab = self._results.get((city, "grab", client, message))
            row = grab or self._results.get((city, "command", client, message))
            said = f"{client} was told {result} for {message}"
            if row is None:
                yield Violation("kept", city, f"{said}, and nothing is written")
            elif row.result != result:
                yield Violation("kept", city, f"{said}, written is {row.result}")
            elif grab and result == "won" and client not in self._holders[(city, grab.order, grab.number)]:
                yield Violation("kept", city, f"{said}, and by the log it never held {grab.order} in {grab.number}")


class Verdicts:
    """The same key has the same answer, however often and wherever it is asked."""

    def __init__(self) -> None:
        self._first: dict[Key, str | None] = {}
        self._found: list[Violation] = []

    def handlers(self) -> Handlers:
        """Every answer."""
        return {Verdict: self._compare, Op: self._answer}

    def _answer(self, op: Op) -> None:
        if op.keyed and op.operation in AUDITED and is_done(op):
            self._compare(op)

    def _compare(self, said: Op | Verdict) -> None:
        first = self._first.setdefault((said.city, said.client, said.key), said.result)
        if first != said.result:
            text = f"{said.client} heard {first} for {said.key}, then {said.result}"
            self._found.append(Violation("verdicts", said.city, text))

    def end(self) -> Iterator[Violation]:
        """Return what was broken."""
        return iter(self._found)


class Alarms:
    """Each deadline that passes alarms exactly once, and none that does not.

    A deadline has passed where its clock was stopped, paused or given another one only after it, or still runs.
    """

    def __init__(self) -> None:
        self._rung: set[tuple[str, str, str, float, str]] = set()
        self._passed: set[tuple[str, str, str, float]] = set()
        self._standing: dict[OrderKey, Event] = {}
        self._heads: dict[str, Head] = {}
        self._found: list[Violation] = []

    def handlers(self) -> Handlers:
        """The log, and where it ends."""
        return {Event: self._follow, Head: self._end_of}

    def _end_of(self, head: Head) -> None:
        self._heads[head.city] = head

    def _follow(self, event: Event) -> None:
        if event.order is None:
            return
        key = (event.city, event.order)
        before = self._standing.get(key)
        self._standing[key] = event
        clocks = before.clocks if before else ()
        going_on = {(clock.name, clock.due) for clock in event.clocks if clock.running}
        for clock in clocks:
            # An event's time is that of its transaction's beginning, so events of an order may overtake each other.
            if clock.running and clock.due < event.at and (clock.name, clock.due) not in going_on:
                self._passed.add((*key, clock.name, clock.due))
        if event.clock is None or event.deadline is None:
            return
        alarm = (*key, event.clock, event.deadline, event.kind)
        if alarm in self._rung:
            self._found.append(Violation("alarms", event.city, f"{alarm[1:]} rang twice"))
        self._rung.add(alarm)
        if not any(clock.name == event.clock and clock.due == event.deadline for clock in clocks):
            self._found.append(Violation("alarms", event.city, f"{alarm[1:]} rang for a deadline that there was not"))
        if event.kind == "clock.breached" and event.deadline > event.at:
            self._found.append(Violation("alarms", event.city, f"{alarm[1:]} rang before its time"))

    def end(self) -> Iterator[Violation]:
        """Return what was broken."""
        yield from self._found
        for key, event in self._standing.items():
            self._passed |= {(*key, clock.name, clock.due) for clock in event.clocks if clock.running}
        for city, order, clock, due in self._passed:
            head = self._heads.get(city)
            rung = (city, order, clock, due, "clock.breached") in self._rung
            if not rung and head is not None and due < head.at - GRACE_S:
                yield Violation("alarms", city, f"{clock} of {order} passed its deadline {due} and nobody was told")


class Overrides:
    """What a dispatcher has fixed, or a crew has taken, stays, and versions that are named are held to.

    The machine may take back what it has given itself, as long as the crew has not set out. Who loses an order is told.
    """

    def __init__(self) -> None:
        self._standing: dict[OrderKey, Event] = {}
        self._found: list[Violation] = []

    def handlers(self) -> Handlers:
        """The log, and which version each override was taken at."""
        return {Event: self._follow, Op: self._answer}

    def _answer(self, op: Op) -> None:
        if op.saw is not None and is_done(op) and op.version != op.saw + 1:
            text = f"{op.client} saw {op.order} at {op.saw}, and his override made it {op.version}"
            self._found.append(Violation("overrides", op.city, text))

    def _follow(self, event: Event) -> None:
        if event.order is None:
            return
        before = self._standing.get((event.city, event.order))
        self._standing[(event.city, event.order)] = event
        if before is None or (before.state, before.holder) == (event.state, event.holder):
            return
        own = before.holder is not None and event.actor == f"crew:{before.holder}"
        given = before.state == "claimed" and before.by == "optimizer" and event.actor == "system:planner"
        if before.state not in FREE and not (own or given or event.actor.startswith("user:")):
            text = f"{event.order} was {before.state} with {before.holder}; {event.actor} made it {event.state} with"
            self._found.append(Violation("overrides", event.city, f"{text} {event.holder} ({event.seq})"))
        parted = before.state in LISTED and before.holder is not None and event.holder != before.holder
        if parted and event.lost != before.holder:
            text = f"{event.order} went from {before.holder}, who was not told ({event.seq})"
            self._found.append(Violation("overrides", event.city, text))

    def end(self) -> Iterator[Violation]:
        """Return what was broken."""
        return iter(self._found)


class Cities:
    """Nobody sees anything of another city."""

    def __init__(self) -> None:
        self._homes: dict[str, str] = {}
        self._seen: dict[OrderKey, str] = {}
        self._found: list[Violation] = []

    def handlers(self) -> Handlers:
        """Whose each order is, and who has seen it."""
        return {Strange: self._wonder, Event: self._follow, Told: self._see, Op: self._answer}

    def _wonder(self, strange: Strange) -> None:
        self._found.append(Violation("cities", strange.city, f"{strange.client}: {strange.what}"))

    def _follow(self, event: Event) -> None:
        if event.order is not None and self._homes.setdefault(event.order, event.city) != event.city:
            self._found.append(Violation("cities", event.city, f"{event.order} is in two logs"))

    def _see(self, seen: Told | Op) -> None:
        if seen.order is not None:
            self._seen[(seen.city, seen.order)] = seen.client

    def _answer(self, op: Op) -> None:
        if op.operation == "pry":
            if op.outcome == "ok" and op.result != "404":
                text = f"{op.client} asked for {op.order} of another city and heard {op.result}"
                self._found.append(Violation("cities", op.city, text))
        elif op.version is not None:
            self._see(op)

    def end(self) -> Iterator[Violation]:
        """Return what was broken."""
        yield from self._found
        for (city, order), client in self._seen.items():
            if self._homes.get(order, city) != city:
                yield Violation("cities", city, f"{client} saw {order} of city {self._homes[order]}")
