"""What is usual: how many reports an hour of the day brings, by the days before. Pure.

Percentiles and never a mean: a single storm would lift a mean for weeks. Days on which nothing was reported count, days
before the city's first report do not. Fewer than `ENOUGH` days are no custom yet, and nothing is said.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from msgspec import Struct

from dispatch.city_time import HOUR, day_of, start_of

ENOUGH = 3
"""Whole days that there must be before anything counts as usual."""


class Usual(Struct, frozen=True):
    """Reports in one hour of the day, over the days before: the middle, and the tenth from below and above."""

    p10: float
    p50: float
    p90: float


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
) -> dict[int, Usual]:
    """Return what is usual in each hour of the day (0 to 23).

    `counts` has the reports of each hour by its beginning, hours without any left out; the span is of whole days.
    """
    seen: dict[int, list[int]] = {}
    hour = since
    while hour < until:
        seen.setdefault(hour.astimezone(zone).hour, []).append(counts.get(hour, 0))
        hour += HOUR
    return {
        hour: Usual(*(round(float(value), 1) for value in np.percentile(values, (10, 50, 90))))
        for hour, values in seen.items()
    }
