"""What is usual: how many reports an hour of the day brings, by the days before. Pure.

A Sunday is held against Sundays, where there were `ENOUGH_ALIKE` of them; against every day until then. Percentiles
and never a mean: a single storm would lift a mean for weeks. Days on which nothing was reported count, days before the
city's first report do not. Fewer than `ENOUGH` days are no custom yet, and nothing is said. Holidays are as other days.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
from msgspec import Struct

from dispatch.city_time import HOUR, day_of, start_of

ENOUGH = 3
"""Whole days that there must be before anything counts as usual."""

ENOUGH_ALIKE = 4
"""Days of one weekday that there must be before it is held against its like alone."""

WEEKDAYS = range(7)


class Usual(Struct, frozen=True):
    """Reports in one hour of the day, over `days` days before: the middle, and the tenth from below and above.

    `of` says which days these are: those of the same weekday, or all.
    """

    p10: float
    p50: float
    p90: float
    days: int
    of: Literal["weekday", "all"]


def usual_since(before: datetime, first: datetime | None, *, days: int, zone: ZoneInfo) -> datetime | None:
    """Return since when whole days before `before` count: at most `days`, and all after that of the `first` report.

    None where these are fewer than `ENOUGH`.
    """
    if first is None:
        return None
    last = day_of(before, zone)
    began = max(last - timedelta(days=days), day_of(first, zone) + timedelta(days=1))
    return start_of(began, zone) if (last - began).days >= ENOUGH else None


def usual_by_hour(
    counts: Mapping[datetime, int], since: datetime, until: datetime, *, zone: ZoneInfo
) -> dict[tuple[int, int], Usual]:
    """Return what is usual by weekday (Monday is 0) and hour of the day (0 to 23).

    `counts` has the reports of each hour by its beginning, hours without any left out; the span is of whole days.
    """
    seen: dict[int, list[tuple[int, int]]] = {}
    moment = since
    while moment < until:
        local = moment.astimezone(zone)
        seen.setdefault(local.hour, []).append((local.weekday(), counts.get(moment, 0)))
        moment += HOUR
    return {(weekday, hour): _usual(weekday, days) for hour, days in seen.items() for weekday in WEEKDAYS}


def _usual(weekday: int, days: Sequence[tuple[int, int]]) -> Usual:
    """Return what is usual on a weekday, from the weekday and the count of each day."""
    alike = [count for day, count in days if day == weekday]
    enough = len(alike) >= ENOUGH_ALIKE
    counts = alike if enough else [count for _, count in days]
    p10, p50, p90 = (round(float(value), 1) for value in np.percentile(counts, (10, 50, 90)))
    return Usual(p10, p50, p90, days=len(counts), of="weekday" if enough else "all")
