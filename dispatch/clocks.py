"""Step 9: the service clocks of an order, and the alarms when they run out.

A clock runs on the wall clock from `started_at` to `due_at`. It may pause only for a listed reason, and a pause
moves `due_at` by its length; a breach that was there before the pause stays. Each deadline alarms at most once
as `at_risk` and at most once as `breached`: the row (order, clock, deadline, kind) is unique in the database,
so it does not matter how many clock-keepers look, or which of them dies.

A clock that starts anew (the order was transferred again, or the resident says that it is still cold) leaves its
earlier turn in the order under `name#1`, `name#2`: a verdict is never overwritten, and sums count every turn.

Promise: who stops a clock late has breached it, even where no clock-keeper was awake to see it; the alarm
follows as soon as one is.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec
from msgspec import Struct

from crew_client.protocol import Clock
from dispatch.events import Event

if TYPE_CHECKING:
    from dispatch.orders import Order
    from dispatch.store import Tx

ClockName = Literal["hand_down", "arrival", "resolve", "transfer", "call_back"]
AlarmKind = Literal["at_risk", "breached"]
Clocks = Mapping[str, Clock]

PAUSE_REASONS = ("resident_absent", "waiting_part", "waiting_utility")
"""The reasons for which a clock may stand still."""

AT_REPORT: tuple[ClockName, ...] = ("hand_down", "arrival", "resolve")
"""The clocks that start with the report."""


class Targets(Protocol):
    """How many seconds each clock has, and after which share of them an order is at risk."""

    @property
    def at_risk_share(self) -> float:
        """Between 0 and 1."""
        ...

    def target_s(self, clock: str, severity: int) -> float:
        """Return the target of a clock at a severity, in seconds."""
        ...


class Alarm(Struct, frozen=True):
    """A deadline that is near or past: fires once per (order, clock, deadline, kind)."""

    clock: str
    deadline: datetime
    kind: AlarmKind


def start(
    clocks: Clocks, names: tuple[ClockName, ...], at: datetime, *, severity: int, targets: Targets
) -> dict[str, Clock]:
    """Start the named clocks at `at`. One that was there before is kept with its verdict, as `name#1` and so on."""
    started = dict(clocks)
    for name in names:
        if name in started:
            turn = sum(base_of(kept) == name for kept in clocks)
            started[f"{name}#{turn}"] = stop(clocks, name, at)[name]
        target = timedelta(seconds=targets.target_s(name, severity))
        started[name] = Clock(
            state="running", started_at=at, due_at=at + target, at_risk_at=at + target * targets.at_risk_share
        )
    return started


def base_of(name: str) -> str:
    """Return the name of a clock without the number of its turn."""
    return name.partition("#")[0]


def stop(clocks: Clocks, name: ClockName, at: datetime) -> dict[str, Clock]:
    """Stop a clock: it is met, or breached if `at` lies past its deadline. A stopped clock stays as it is."""
    clock = clocks.get(name)
    if clock is None or clock.stopped_at is not None:
        return dict(clocks)
    clock = _resumed(clock, at) if clock.paused_at else clock
    late = _is_late(clock, at)
    return {**clocks, name: msgspec.structs.replace(clock, state="breached" if late else "met", stopped_at=at)}


def restart(clocks: Clocks, name: ClockName, now: datetime) -> dict[str, Clock]:
    """Let a stopped clock run on towards its old deadline, as when a crew loses the order again."""
    clock = clocks.get(name)
    if clock is None or clock.stopped_at is None:
        return dict(clocks)
    state = "breached" if clock.state == "breached" else "running"
    return {**clocks, name: msgspec.structs.replace(clock, state=state, stopped_at=None)}


def abandon(clocks: Clocks, at: datetime) -> dict[str, Clock]:
    """Stop every running clock without a verdict: the order was cancelled or merged. A breach stays a breach."""
    return {
        name: clock
        if clock.stopped_at
        else msgspec.structs.replace(clock, state="breached" if _is_late(clock, at) else "stopped", stopped_at=at)
        for name, clock in resume(clocks, at).items()
    }


def _is_late(clock: Clock, at: datetime) -> bool:
    """Return whether a clock that does not stand still is past its deadline, also where nobody has noticed yet."""
    return clock.state == "breached" or at > clock.due_at


def revive(clocks: Clocks) -> dict[str, Clock]:
    """Undo `abandon`: what was stopped without a verdict runs on."""
    return {
        name: msgspec.structs.replace(clock, state="running", stopped_at=None) if clock.state == "stopped" else clock
        for name, clock in clocks.items()
    }


def pause(clocks: Clocks, at: datetime, reason: str) -> dict[str, Clock]:
    """Let every running clock stand still from `at` on. One past its deadline is breached, noticed or not."""
    return {
        name: clock
        if clock.stopped_at is not None or clock.state not in ("running", "at_risk")
        else msgspec.structs.replace(clock, state="breached")
        if _is_late(clock, at)
        else msgspec.structs.replace(clock, state="paused", paused_at=at, pause_reason=reason)
        for name, clock in clocks.items()
    }


def resume(clocks: Clocks, at: datetime) -> dict[str, Clock]:
    """End the pause: deadlines move by its length."""
    return {name: _resumed(clock, at) if clock.paused_at else clock for name, clock in clocks.items()}


def _resumed(clock: Clock, at: datetime) -> Clock:
    assert clock.paused_at is not None
    stood = max(at - clock.paused_at, timedelta(0))
    return msgspec.structs.replace(
        clock,
        state="running",
        due_at=clock.due_at + stood,
        at_risk_at=clock.at_risk_at + stood if clock.at_risk_at else None,
        paused_at=None,
        pause_reason=None,
        paused_s=clock.paused_s + stood.total_seconds(),
    )


def retarget(clocks: Clocks, at: datetime, *, severity: int, targets: Targets) -> dict[str, Clock]:
    """Give the clocks that still run the targets of a new severity, from their old start.

    One past its deadline is breached, noticed or not, and keeps that deadline: a new target excuses nobody.
    """
    renewed = dict(clocks)
    for name, clock in clocks.items():
        if clock.stopped_at is not None or clock.state == "breached":
            continue
        if clock.paused_at is None and _is_late(clock, at):
            renewed[name] = msgspec.structs.replace(clock, state="breached")
            continue
        target = timedelta(seconds=targets.target_s(name, severity))
        paused = timedelta(seconds=clock.paused_s)
        due_at = clock.started_at + target + paused
        if due_at != clock.due_at:
            at_risk_at = clock.started_at + target * targets.at_risk_share + paused
            state = "paused" if clock.paused_at else "running"
            renewed[name] = msgspec.structs.replace(clock, state=state, due_at=due_at, at_risk_at=at_risk_at)
    return renewed


def _next(clock: Clock) -> datetime | None:
    """Return when this clock must be looked at next."""
    if clock.state == "breached":
        return None if clock.breached else clock.due_at
    if clock.stopped_at is not None or clock.paused_at is not None:
        return None
    if clock.state == "running" and clock.at_risk_at is not None:
        return clock.at_risk_at
    return clock.due_at


def alarm_at(clocks: Clocks) -> datetime | None:
    """Return the next moment at which a clock of the order has something to say, or None."""
    return min((moment for clock in clocks.values() if (moment := _next(clock)) is not None), default=None)


def ring(clocks: Clocks, now: datetime) -> tuple[dict[str, Clock], list[Alarm]]:
    """Move every clock to where it stands at `now`, and list the alarms that are due.

    A breach that comes to light before anybody noticed the risk has both alarms, so that each deadline that was missed
    is counted once in either list. Those that fired before are sorted out where they are recorded.
    """
    moved, alarms = dict(clocks), []
    for name, clock in clocks.items():
        moment = _next(clock)
        if moment is None or moment > now:
            continue
        if now >= clock.due_at:
            moved[name] = msgspec.structs.replace(clock, state="breached", breached=True)
            if clock.state != "at_risk":
                alarms.append(Alarm(base_of(name), clock.due_at, "at_risk"))
            alarms.append(Alarm(base_of(name), clock.due_at, "breached"))
        else:
            moved[name] = msgspec.structs.replace(clock, state="at_risk")
            alarms.append(Alarm(base_of(name), clock.due_at, "at_risk"))
    return moved, alarms


async def sound_due(tx: "Tx", now: datetime, *, limit: int = 200) -> int:
    """Sound the alarms of one city that are due, each once; return how many orders had one."""
    woken = await tx.orders.lock_alarmed(now, limit=limit)
    moments = {order.id: moment for order in woken if (moment := alarm_at(order.clocks)) is not None and moment <= now}
    due = sorted((order for order in woken if order.id in moments), key=lambda order: (moments[order.id], order.id))
    if len(due) < len(woken):
        await tx.orders.set_alarms(woken)  # those that are due are set again as they are saved
    for order in due:
        moved, alarms = ring(order.clocks, now)
        changed: Order = order.changed(clocks=moved)
        fresh = await tx.orders.record_alarms(order.id, alarms)
        await tx.orders.save(changed)
        for alarm in sorted(fresh, key=lambda alarm: (alarm.kind, alarm.deadline)):
            tx.record(
                Event.of_order(
                    f"clock.{alarm.kind}",
                    changed,
                    actor="system:clocks",
                    clock=alarm.clock,
                    deadline=alarm.deadline,
                )
            )
        if not fresh:
            tx.record(Event.of_order("order.updated", changed, actor="system:clocks"))
    return len(due)
