"""Situations on a plane city of 20 by 20 km at the equator, where a second is 6 m, for the tests of dispatch."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from geo import MetricTravel, TravelTimes
from optimizer.situation import BusyCrew, Ground, IdleCrew, Reported, Situation, WaitingOrder

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
KM = 1000.0 / 111_195.0
"""Degrees of a kilometre."""
GROUND = Ground(0.0, 0.0, 20 * KM, 20 * KM)
TRAVEL = MetricTravel(speed_mps=6.0, detour=1.0)


def crew(id: str, x: float, y: float = 10.0, *, skills: tuple[str, ...] = (), until_s: float | None = None) -> IdleCrew:
    until = None if until_s is None else NOW + timedelta(seconds=until_s)
    return IdleCrew(id, x * KM, y * KM, skills, until, NOW)


def busy(id: str) -> BusyCrew:
    return BusyCrew(id, 0.0, 0.0, (), None, NOW, 1, "cold")


def order(
    id: str,
    x: float,
    y: float = 10.0,
    *,
    severity: int = 3,
    waited_s: float = 0.0,
    needs: tuple[str, ...] = (),
    excluded: tuple[str, ...] = (),
) -> WaitingOrder:
    at = NOW - timedelta(seconds=waited_s)
    due = at + timedelta(minutes=15)
    return WaitingOrder(id, x * KM, y * KM, None, "cold", severity, at, due, needs, excluded)


def situation(
    idle: Sequence[IdleCrew] = (),
    waiting: Sequence[WaitingOrder] = (),
    *,
    at_work: int = 0,
    after_s: float = 0.0,
    reported: Sequence[Reported] = (),
    travel: TravelTimes = TRAVEL,
) -> Situation:
    others = tuple(busy(f"busy{n}") for n in range(at_work))
    return Situation(
        NOW + timedelta(seconds=after_s), tuple(idle), others, tuple(waiting), travel, reported=tuple(reported)
    )
