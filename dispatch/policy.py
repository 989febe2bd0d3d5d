"""The grab policy of a zone: how long an offer stays sealed, how it widens, when the machine takes over."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from dispatch.errors import Invalid
from dispatch.problems import problem_of
from optimizer.grab_chance import PRIOR as GRAB_PRIOR
from optimizer.grab_chance import GrabChance, latest_assignment_s

Seconds = Annotated[float, Meta(ge=0, le=86400)]


class GrabPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """How orders of a zone are given out; all in seconds.

    `ring_s` holds when the offer widens to the neighbouring zones, and when to the city; a single number n means n
    and 2n. `assign_after_s` is when the optimizer assigns what nobody won, or earlier where the deadline asks for it.
    `leave_to_grabs` is `always`, or `when_safe`: then only crews near enough are asked (`near_enough_to_grab`), and the
    machine has at once what the first circle would serve badly (`safe_to_grab`). That costs technicians their choice,
    and residents less waiting; docs/optimizer.md has figures. `replans` says whether a better plan moves work that a
    crew was told of and has not begun (`apply`), or proposes the move to a dispatcher (`propose`).
    """

    mode: Literal["first", "sealed"] = "sealed"
    window_s: Seconds = 6.0
    tie_s: Seconds = 30.0
    # Not `tuple[Seconds, Seconds]`: msgspec 0.22 crashes in the garbage collector on a union with a fixed tuple.
    ring_s: Annotated[tuple[Seconds, ...], Meta(min_length=2, max_length=2)] | Seconds = (15.0, 30.0)
    assign_after_s: Seconds = 60.0
    leave_to_grabs: Literal["always", "when_safe"] = "always"
    replans: Literal["apply", "propose"] = "apply"

    @property
    def rings(self) -> tuple[float, float]:
        """The seconds after which ring 1 and ring 2 open."""
        if isinstance(self.ring_s, tuple):
            return self.ring_s[0], self.ring_s[1]
        return self.ring_s, 2 * self.ring_s


def read_policy(raw: Mapping[str, Any] | None, default: GrabPolicy, *, pointer: str) -> GrabPolicy:
    """Return the policy that a zone's `properties.policy` asks for; what it leaves out is the default's.

    Raises `Invalid`, with a pointer below `pointer`, for an unknown key or a value out of range.
    """
    if raw is None:
        return default
    try:
        policy = msgspec.convert({**msgspec.to_builtins(default), **raw}, GrabPolicy)
    except msgspec.ValidationError as error:
        problem = problem_of(error, GrabPolicy)
        raise Invalid.field(pointer + problem.pointer, problem.detail) from None
    first, second = policy.rings
    if second < first:
        raise Invalid.field(f"{pointer}/ring_s", "the ring of the city cannot open before that of the neighbours")
    return policy


def machine_takes_over(
    policy: GrabPolicy,
    opened_at: datetime,
    *,
    arrival_due: datetime | None,
    best_eta_s: float | None,
    late_eta_s: float | None = None,
    chance: GrabChance = GRAB_PRIOR,
    margin_s: float = 20,
) -> datetime:
    """Return when assignment takes over: after `assign_after_s`, or earlier where the deadline asks for it.

    It is never later than the last moment at which the nearest crew, `best_eta_s` away, can still be at the door at
    `arrival_due` with `margin_s` to spare. It is earlier where the waiting would cost chance, since that crew may take
    `late_eta_s` (0.9 quantile) and a grab is not to be counted on (`optimizer.grab_chance`), but leaves a sealed
    window its time. Where no crew can make the deadline any more there is no such moment, and the policy's time stands.
    """
    usual = opened_at + timedelta(seconds=policy.assign_after_s)
    if arrival_due is None or best_eta_s is None:
        return usual
    last = arrival_due - timedelta(seconds=best_eta_s)
    if last < opened_at:
        return usual
    latest = min(usual, max(opened_at, last - timedelta(seconds=margin_s)))
    longest_s = (latest - opened_at).total_seconds()
    wait_s = latest_assignment_s(
        longest_s=longest_s,
        due_in_s=(arrival_due - opened_at).total_seconds(),
        eta_s=best_eta_s,
        late_eta_s=best_eta_s if late_eta_s is None else late_eta_s,
        chance=chance,
    )
    if policy.mode == "sealed":
        wait_s = max(wait_s, min(policy.window_s, longest_s))
    return latest if wait_s >= longest_s else opened_at + timedelta(seconds=wait_s)


def safe_to_grab(etas_s: Collection[float], *, best_eta_s: float | None, margin_s: float = 150) -> bool:
    """Return whether an offer may be left to its first circle, who are near enough for it and `etas_s` away.

    It may where the nearest crew of the city, `best_eta_s` away, is among them, to `margin_s`. Where no crew can go,
    the machine has it, for whoever is freed first and best.
    """
    return best_eta_s is not None and bool(etas_s) and min(etas_s) <= best_eta_s + margin_s


def near_enough_to_grab(
    eta_s: float, *, due_in_s: float | None, margin_s: float = 60, near_s: float = 450, patience_s: float = 2700
) -> bool:
    """Return whether a crew is asked to grab an order where only what is safe is left to grabs.

    It is where it would be at the door in time, `margin_s` to spare, or within `near_s`. An order that is overdue by
    `patience_s` is for everybody, so that it never waits for the machine alone.
    """
    return due_in_s is None or due_in_s < -patience_s or eta_s <= max(due_in_s - margin_s, near_s)
