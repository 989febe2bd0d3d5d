"""The reference: what the promises say, in dicts, without a line of the product.

It is told what was committed, in the order of the log, and what was sent to whom, and says what should not be. It knows
the log's rows as JSON, so it is as strict with a kind of event that it does not know as with a wrong one.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

HELD = {"claimed", "en_route", "arrived"}
LISTED = HELD | {"suspended"}
WAITING = {"unzoned", "held", "suspended", "transferred"}
OVER = {"resolved", "closed", "merged", "cancelled"}
STEPS = {
    "order.en_route": ("en_route", {"claimed", "suspended"}),
    "order.arrived": ("arrived", {"claimed", "en_route", "suspended"}),
    "order.resolved": ("resolved", {"arrived"}),
    "order.suspended": ("suspended", HELD),
}
"""What the crew that holds an order may say of it: the state that follows, and those from which it may."""
STILL = {
    "order.declined",
    "order.offered",
    "order.offered_to",
    "order.widened",
    "order.stranded",
    "order.bids_refused",
    "order.updated",
    "clock.at_risk",
    "clock.breached",
}
"""Events after which an order is where it was, with whom it was."""

Data = Mapping[str, Any]


class Told:
    """What one crew must be told: frames in order, and what it then has on its lists."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, str, Any]] = []
        self.lists: list[tuple[int, dict[str, int], dict[str, int]]] = [(0, {}, {})]

    def due_after(self, seq: int) -> int:
        """Return the place of the first frame after a position."""
        return bisect_right(self.frames, seq, key=lambda frame: frame[0])

    def at(self, seq: int) -> tuple[dict[str, int], dict[str, int]]:
        """Return the offers and orders, with their versions, as they were at a position of the log."""
        place = bisect_right(self.lists, seq, key=lambda entry: entry[0]) - 1
        return self.lists[place][1], self.lists[place][2]


class Model:
    """The city as the log tells it."""

    def __init__(self, wrong: Callable[[str], None]) -> None:
        self._wrong = wrong
        self.seq = 0
        self.orders: dict[str, Data] = {}
        self.cycles: dict[str, int] = {}
        self.circles: dict[str, set[str]] = {}
        self.crews: dict[str, dict[str, Any]] = {}
        self.told: dict[str, Told] = {}
        self.won: dict[tuple[str, int], str] = {}
        self.claims: set[tuple[str, str]] = set()
        self.winners: dict[tuple[str, int], str] = {}
        self.verdicts: dict[tuple[str, str], Any] = {}
        self.alarms: set[tuple[str, str, str, str]] = set()
        self.owed: set[tuple[str, str, str, str]] = set()
        self.dispatched: dict[str, list[tuple[int, str]]] = {}
        self.stranded: set[str] = set()

    # What was committed

    def add(
        self, seq: int, at: datetime, kind: str, actor: str, order: str | None, crew: str | None, data: Data
    ) -> None:
        """Take the next event."""
        if seq != self.seq + 1:
            self._wrong(f"event {seq} follows {self.seq}")
        self.seq = seq
        if order is not None:
            self._move(seq, at, kind, actor, order, data)
        elif crew is not None:
            self._of_crew(seq, at, kind, crew, data)

    def _of_crew(self, seq: int, at: datetime, kind: str, crew: str, data: Data) -> None:
        known = self.crews.setdefault(crew, {"on_shift": False, "capacity": 0, "skills": []})
        if kind in ("crew.added", "crew.changed"):
            known |= data
            self.told.setdefault(crew, Told())
        elif kind in ("crew.shift_started", "crew.shift_ended"):
            known["on_shift"], known["since"] = kind == "crew.shift_started", at
            for circle in self.circles.values():
                circle.discard(crew)
            self._tell(crew, seq, "shift_changed", None)
            self._list(crew, seq)
        elif kind in ("crew.routed", "crew.advised"):
            self._tell(crew, seq, "route" if kind == "crew.routed" else "advice", None)

    def load(self, crew: str) -> int:
        """Return how many orders a crew holds."""
        return sum(1 for order in self.orders.values() if order["crew"] == crew and order["state"] in HELD)

    def _move(self, seq: int, at: datetime, kind: str, actor: str, key: str, data: Data) -> None:
        now, before = data["order"], self.orders.get(key)
        if before is None:
            if kind != "order.reported" or now["version"] != 1 or now["state"] not in ("unzoned", "offered"):
                self._wrong(f"{key} begins with {kind}, version {now['version']}, {now['state']}")
            before = {**now, "version": 0, "state": "unzoned", "crew": None}
            self.cycles[key] = 0
            self.circles[key] = set()
        if now["version"] == before["version"]:
            if now != before:
                self._wrong(f"{kind} of {key} changed it without a new version ({seq})")
        elif now["version"] != before["version"] + 1:
            self._wrong(f"{kind} brought {key} from version {before['version']} to {now['version']} ({seq})")
        if kind != "order.reported":
            self._judge(seq, kind, actor, key, before, data)
        self._place(kind, key, now)
        if kind.startswith("clock."):
            self._alarm(kind, key, data)
        if data.get("action") != "undo":  # which makes a deadline one that never was
            self._owe(key, at, before, now)
        if kind == "order.stranded":
            self.stranded.add(key)
        if actor.startswith("user:") and "action" in data:
            self.dispatched.setdefault(key, []).append((now["version"], data["action"]))
        self.orders[key] = now
        self._announce(seq, at, key, before, data)
        self.cycles[key] = data["cycle"]

    def _judge(self, seq: int, kind: str, actor: str, key: str, before: Data, data: Data) -> None:
        """Say whether this may follow."""
        now = data["order"]
        was, holder, crew = before["state"], before["crew"], now["crew"]
        if kind == "order.claimed":
            cycle = (key, data["cycle"])
            if was != "offered" or holder is not None:
                self._wrong(f"{crew} claimed {key}, which {holder} held, {was} ({seq})")
            if cycle in self.won:
                self._wrong(f"{key} was claimed twice in cycle {data['cycle']}: {self.won[cycle]}, {crew} ({seq})")
            self.won[cycle] = crew
            self.claims.add((key, crew))
            if now["claimed_by"] != "grab" or actor != f"crew:{crew}":
                self._wrong(f"{key} was claimed by {now['claimed_by']}, {actor} ({seq})")
            self._has_room(seq, key, crew)
        elif kind == "order.assigned" and actor == "system:planner":
            moved = was == "claimed" and before["claimed_by"] == "optimizer"
            if was != "offered" and not moved:
                self._wrong(f"the machine took {key}, {was} with {holder} by {before['claimed_by']} ({seq})")
            self.claims.add((key, crew))
            self._has_room(seq, key, crew)
        elif kind in STEPS and actor.startswith("crew:"):
            state, origins = STEPS[kind]
            if actor != f"crew:{holder}" or crew != holder or was not in origins or now["state"] != state:
                self._wrong(f"{actor} brought {key} of {holder} from {was} to {now['state']} ({seq})")
        elif kind == "order.handed_back":
            if actor != f"crew:{holder}" or was not in LISTED:
                self._wrong(f"{actor} handed back {key} of {holder}, {was} ({seq})")
        elif kind in STILL:
            if (now["state"], crew, data["cycle"]) != (was, holder, self.cycles[key]):
                self._wrong(f"{kind} moved {key} from {was} of {holder} to {now['state']} of {crew} ({seq})")
        elif not actor.startswith("user:"):
            self._wrong(f"{actor} did {kind} to {key} ({seq})")

    def _has_room(self, seq: int, key: str, crew: str) -> None:
        known = self.crews[crew]
        if not known["on_shift"]:
            self._wrong(f"{crew} got {key} off shift ({seq})")
        if self.load(crew) - (self.orders[key]["crew"] == crew) >= known["capacity"]:
            self._wrong(f"{crew} got {key} and was full ({seq})")
        if not set(self.orders[key]["required_skills"]) <= set(known["skills"]):
            self._wrong(f"{crew} got {key} and lacks the skill ({seq})")

    def _place(self, kind: str, key: str, now: Data) -> None:
        """Say whether it is in exactly one place: with a crew, open to grabs, on a dispatcher's list, or over."""
        state, crew = now["state"], now["crew"]
        if state not in HELD | WAITING | OVER | {"offered"}:
            self._wrong(f"{key} is {state}")
        if (state in HELD) != (crew is not None) and state not in ("suspended", "resolved", "closed"):
            self._wrong(f"after {kind} {key} is {state} and with {crew}")

    def _alarm(self, kind: str, key: str, data: Data) -> None:
        alarm = (key, data["clock"], data["deadline"], kind)
        if alarm in self.alarms:
            self._wrong(f"the alarm {kind} of {data['clock']} of {key} for {data['deadline']} came twice")
        self.alarms.add(alarm)

    def _owe(self, key: str, at: datetime, before: Data, now: Data) -> None:
        """Note the deadlines that had been missed by then and are replaced by others: they alarm all the same."""
        for name, clock in before["clocks"].items():
            due = clock["due_at"]
            if name in now["clocks"] and now["clocks"][name]["due_at"] == due:
                continue
            if clock.get("paused_at") is None and clock["state"] != "stopped":
                until = datetime.fromisoformat(clock["stopped_at"]) if clock.get("stopped_at") else at
                if until > datetime.fromisoformat(due):
                    self.owed.add((key, name, due, "clock.breached"))

    # What follows for the crews

    def _announce(self, seq: int, at: datetime, key: str, before: Data, data: Data) -> None:
        """Note whom this event must tell what."""
        now = data["order"]
        circle, holder = self.circles[key], now["crew"]
        # What is over is in no engine's memory: its holder hears of each event, also of two with one version.
        changed = now["version"] != before["version"] or before["state"] in OVER
        ended = now["state"] != "offered" or data["cycle"] != self.cycles[key]
        concerned = set(circle) | {crew for crew in (before["crew"], holder) if crew}
        if ended:
            for crew in sorted(circle - {holder}):
                self._tell(crew, seq, "offer_closed", key)
            circle.clear()
        loser = before["crew"]
        if loser is not None and loser != holder and before["state"] in LISTED:
            self._tell(loser, seq, "revoked", key)
        if holder is not None and now["state"] in HELD and holder != loser and now["claimed_by"] != "grab":
            self._tell(holder, seq, "assigned", now)
        elif holder is not None and holder != loser and now["state"] in HELD and "action" in data:
            self._tell(holder, seq, "assigned", now)  # an undo gives it back to whom it was taken from
        elif holder is not None and changed and now["state"] in LISTED | {"resolved"}:
            self._tell(holder, seq, "updated", now)
        offered = data.get("offered")
        fresh = {crew for crew, _, _ in offered["crews"] if self._hears(crew, at)} if offered else set()
        for crew in sorted(fresh):
            self._tell(crew, seq, "offer", now)
        if now["state"] == "offered" and changed and not ended:
            for crew in sorted(circle - fresh):
                self._tell(crew, seq, "updated", now)
        circle |= fresh
        for crew in sorted(concerned | fresh):
            self._list(crew, seq)

    def _hears(self, crew: str, at: datetime) -> bool:
        """Return whether an offer of a moment is for the shift that a crew is on."""
        known = self.crews[crew]
        return bool(known["on_shift"]) and at >= known["since"]

    def _tell(self, crew: str, seq: int, kind: str, what: Any) -> None:
        frames = self.told[crew].frames
        if frames and frames[-1][0] == seq:
            self._wrong(f"{crew} must be told two things as {seq}, and could not resume between them")
        frames.append((seq, kind, what))

    def _list(self, crew: str, seq: int) -> None:
        lists = self.told[crew].lists
        offers = {
            key: self.orders[key]["version"]
            for key, circle in self.circles.items()
            if crew in circle and self.orders[key]["state"] == "offered"
        }
        held = {
            key: order["version"]
            for key, order in self.orders.items()
            if order["crew"] == crew and order["state"] in LISTED
        }
        lists.append((seq, offers, held))

    # What was sent

    def verdict(self, crew: str, message: str, said: Any, *, by: str) -> None:
        """A crew is told what became of its message; it is told the same every time."""
        first = self.verdicts.setdefault((crew, message), said)
        if first != said:
            self._wrong(f"{crew} was told {said} for {message} by {by}, and {first} before")

    def win(self, crew: str, order: str, cycle: int) -> None:
        """A crew is told that it won: the log says so by now, and nobody else is told so of the same cycle."""
        if (order, crew) not in self.claims:
            self._wrong(f"{crew} was told that it won {order}, and the log does not say so")
        first = self.winners.setdefault((order, cycle), crew)
        if first != crew:
            self._wrong(f"{crew} was told that it won {order} in cycle {cycle}, and {first} was told so before")

    def missed_alarms(self, now: datetime, grace_s: float) -> list[str]:
        """Return the deadlines that are past and that nobody was told of."""
        missed = [f"breach of {name} of {key}, {due}" for key, name, due, _ in sorted(self.owed - self.alarms)]
        for key, order in self.orders.items():
            for turn, clock in order["clocks"].items():
                name, due = turn.partition("#")[0], clock["due_at"]
                alarmed = {kind for kind in ("at_risk", "breached") if (key, name, due, f"clock.{kind}") in self.alarms}
                if clock.get("paused_at") is not None:
                    continue
                until = datetime.fromisoformat(clock["stopped_at"]) if clock.get("stopped_at") else now
                late = (until - datetime.fromisoformat(due)).total_seconds()
                if late > (0 if clock.get("stopped_at") else grace_s) and clock["state"] != "stopped":
                    missed += [f"{kind} of {name} of {key}, {due}" for kind in {"at_risk", "breached"} - alarmed]
        return sorted(missed)
