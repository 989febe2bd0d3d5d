"""What is learned from one part of a real log holds for the part that comes after it."""

import csv
import math
import os
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from optimizer.demand import Demand, HourSeen, learn_demand
from optimizer.service_times import PRIOR, SHORTEST_S, Visit, learn_service_times

DATA = Path(os.environ.get("QIANGDAN_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))


def rows_of(name: str) -> list[dict[str, str]]:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"the log is not at {path}; set QIANGDAN_TEST_DATA")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def fire_visits() -> list[Visit]:
    """Units of the San Francisco fire department at the scene, in the order of the calls."""
    form = "%m/%d/%Y %I:%M:%S %p"
    visits = []
    for row in sorted(rows_of("sffd-2017/calls.csv"), key=lambda row: row["Call Number"]):
        if row["On Scene DtTm"] and row["Available DtTm"]:
            begun, done = (datetime.strptime(row[name], form) for name in ("On Scene DtTm", "Available DtTm"))
            severity = 3 if row["Final Priority"] == "3" else 1
            visits.append(Visit(row["Call Type"], severity, (done - begun).total_seconds()))
    return visits


def missed_by(visits: list[Visit], predicted: Callable[[Visit], float], share: float) -> float:
    """The pinball loss of a predicted quantile, on the logarithm: the less, the better."""
    errors = [math.log(visit.service_s / predicted(visit)) for visit in visits]
    return sum(max(share * error, (share - 1) * error) for error in errors) / len(errors)


def test_service_times_of_every_second_visit_tell_the_quantiles_of_the_others() -> None:
    visits = fire_visits()
    times = learn_service_times(visits[::2])
    others = [visit for visit in visits[1::2] if visit.service_s > SHORTEST_S]
    assert len(others) > 2500
    for share, predicted in (
        (0.5, [times.of(v.category, v.severity).median_s for v in others]),
        (0.9, [times.of(v.category, v.severity).p90_s for v in others]),
    ):
        below = sum(visit.service_s <= s for visit, s in zip(others, predicted, strict=True))
        assert below / len(others) == pytest.approx(share, abs=0.02)


def test_service_times_of_half_a_week_foresee_the_other_half_the_better_the_more_is_known_of_the_work() -> None:
    visits = fire_visits()
    half = len(visits) // 2
    times = learn_service_times(visits[:half])
    coming = [visit for visit in visits[half:] if visit.service_s > SHORTEST_S]
    of_kind = missed_by(coming, lambda v: times.of(v.category, v.severity).median_s, 0.5)
    assert of_kind < 0.9 * missed_by(coming, lambda v: times.overall.median_s, 0.5)
    cautious = missed_by(coming, lambda v: times.of(v.category, v.severity).p90_s, 0.9)
    assert cautious < missed_by(coming, lambda v: times.overall.p90_s, 0.9)
    assert cautious < missed_by(coming, lambda v: PRIOR.p90_s, 0.9)


def test_four_weeks_of_calls_foresee_the_fifth() -> None:
    begins = datetime(2015, 12, 11)
    counts: dict[datetime, Counter[str]] = {begins + timedelta(hours=n): Counter() for n in range(35 * 24)}
    for row in rows_of("montco911/calls.csv"):
        hour = datetime.fromisoformat(row["timeStamp"]).replace(minute=0, second=0)
        if hour in counts:
            counts[hour][row["twp"] or "?"] += 1
    zones = sorted({zone for counted in counts.values() for zone in counted})
    seen = [HourSeen(hour, dict(counted)) for hour, counted in counts.items()]
    past, coming = seen[: 28 * 24], seen[28 * 24 :]
    learned = learn_demand(past, zones, Demand())
    flat = Demand(level=sum(sum(h.reports.values()) for h in past) / len(past), week=(1.0,) * 168)
    raw = learn_demand(past, zones, Demand(), worth=1e-6)

    def missed(demand: Demand) -> float:
        """Poisson deviance an hour."""
        total = 0.0
        for hour in coming:
            n, rate = sum(hour.reports.values()), max(demand.rate(None, hour.begins), 1e-9)
            total += 2 * ((n * math.log(n / rate) if n else 0.0) - (n - rate))
        return total / len(coming)

    assert missed(learned) < 0.6 * missed(flat)
    assert missed(learned) < missed(raw), "shrinkage pays"
    busiest = Counter({zone: sum(h.reports.get(zone, 0) for h in coming) for zone in zones}).most_common(5)
    total = sum(sum(h.reports.values()) for h in coming)
    for zone, calls in busiest:
        assert learned.shares[zone] == pytest.approx(calls / total, rel=0.35)
