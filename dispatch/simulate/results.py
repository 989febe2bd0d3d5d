"""What a simulated day came to: `visits.csv`, and the figures that sum it up."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from dispatch.simulate.scenario import ScenarioReport

if TYPE_CHECKING:
    from dispatch.simulate.technicians import Work

TARGET_S = 900.0
"""The quarter of an hour in which somebody should be at the door."""
COLUMNS = ("report", "crew", "claimed_at", "departed_at", "arrived_at", "done_at", "claimed_by")


class Visit(Struct, frozen=True):
    """One report served. `zone` None lies outside every zone."""

    report: ScenarioReport
    crew: str
    zone: str | None
    claimed_at: datetime
    departed_at: datetime
    arrived_at: datetime
    done_at: datetime
    claimed_by: str

    @classmethod
    def of(cls, work: "Work", *, crew: str, zone: str | None, done_at: datetime) -> "Visit":
        """Return the visit that a piece of work has become."""
        assert work.departed_at is not None and work.arrived_at is not None
        return cls(
            work.report, crew, zone, work.claimed_at, work.departed_at, work.arrived_at, done_at, work.claimed_by
        )

    @property
    def response_s(self) -> float:
        """Seconds from the report to the door."""
        return (self.arrived_at - self.report.at).total_seconds()


class Summary(Struct, frozen=True):
    """The figures of a day, in seconds from the report to the door; percentiles and mean are of the served.

    `weighted_tardiness_s` is the sum of severity x seconds late past 15 minutes over the served; `travel_s` is spent on
    the way to residents.
    """

    reports: int
    arrived_15: int
    share_15: float
    p50_s: float | None
    p90_s: float | None
    p99_s: float | None
    mean_s: float | None
    weighted_tardiness_s: int
    travel_s: float
    claimed_by: dict[str, int]
    unserved: int


def summarise(reports: int, visits: Sequence[Visit]) -> Summary:
    """Return the figures of a day with so many reports."""
    response = sorted(visit.response_s for visit in visits)
    in_time = sum(seconds <= TARGET_S for seconds in response)
    late = sum(visit.report.severity * max(0.0, visit.response_s - TARGET_S) for visit in visits)
    return Summary(
        reports=reports,
        arrived_15=in_time,
        share_15=round(in_time / reports, 4) if reports else 1.0,
        p50_s=_quantile(response, 0.5),
        p90_s=_quantile(response, 0.9),
        p99_s=_quantile(response, 0.99),
        mean_s=round(sum(response) / len(response), 1) if response else None,
        weighted_tardiness_s=round(late),
        travel_s=round(sum((visit.arrived_at - visit.departed_at).total_seconds() for visit in visits), 1),
        claimed_by=dict(sorted(Counter(visit.claimed_by for visit in visits).items())),
        unserved=reports - len(visits),
    )


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    """Return the value that this share of the values lie below."""
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else None


def visits_csv(visits: Sequence[Visit]) -> str:
    """Return the visits as CSV, by arrival; times in UTC."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for visit in sorted(visits, key=lambda visit: (visit.arrived_at, visit.report.id)):
        times = (visit.claimed_at, visit.departed_at, visit.arrived_at, visit.done_at)
        rows.writerow((visit.report.id, visit.crew, *(moment.isoformat() for moment in times), visit.claimed_by))
    return text.getvalue()


def as_json(summary: Summary) -> dict[str, Any]:
    """Return the figures as the command prints them."""
    return {name: getattr(summary, name) for name in Summary.__struct_fields__}


def difference(before: Summary, after: Summary) -> dict[str, float]:
    """Return what each figure of `after` is more than in `before`, where both have a number."""
    pairs = {name: (getattr(before, name), getattr(after, name)) for name in Summary.__struct_fields__}
    return {
        name: round(second - first, 4)
        for name, (first, second) in pairs.items()
        if isinstance(first, (int, float)) and isinstance(second, (int, float))
    }
