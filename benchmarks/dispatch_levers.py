"""What each part of the policy in real time brings, on days that its settings were fitted on and on those of the bench.

    python -m benchmarks.dispatch_levers [--held-out]

Geometric means over the days of each figure as a multiple of the one-line rule's on the same day. Without a word the
days are those for fitting: three others of Montgomery County's and San Francisco's calls from the fourth day on. With
`--held-out` they are the six points of `simulate-sla`. docs/optimizer.md shows a run of both.
"""

import csv
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.data import data_folder
from benchmarks.simulate_sla import POINTS, make_scenario
from dispatch.config import Settings
from dispatch.simulate import runs
from dispatch.simulate.behaviour import CrewBehaviour
from dispatch.simulate.day import Day
from dispatch.simulate.policies import POLICIES, Policy
from dispatch.simulate.results import Summary, summarise
from optimizer.dispatching import Dispatcher, DispatchSettings
from optimizer.situation import Dispatch, Ground
from optimizer.standby import StandbySettings

POLICY = "both, a crew moved once in 20 min: the policy"
COVER_ONLY = StandbySettings(per_drive=0.0, per_lateness=0.0, blur_s=1.0)
LEVERS = {
    "the rule's order, no waiting places": DispatchSettings(threshold=0.0, bend_s=1e12, work_s=1200.0, standby=None),
    "order by worth, no holding, no waiting places": DispatchSettings(threshold=0.0, standby=None),
    "holding, no waiting places": DispatchSettings(standby=None),
    "waiting places, no holding": DispatchSettings(threshold=0.0),
    "both, drives counted without their square": DispatchSettings(bend_s=1e12),
    "both, waiting places by cover within 15 min alone": DispatchSettings(standby=COVER_ONLY),
    "both, a crew moved once in 5 min": DispatchSettings(standby=StandbySettings(rest_s=300.0)),
    "both, a crew moved once in an hour": DispatchSettings(standby=StandbySettings(rest_s=3600.0)),
    POLICY: DispatchSettings(),
}
FITTED_ON = ("2015-12-11", "2015-12-22", "2016-01-13")
_STAMP = "%m/%d/%Y %I:%M:%S %p"


def main(*, held_out: bool) -> None:
    """Print a line for each lever."""
    rows: dict[str, list[tuple[float, float, float]]] = {name: [] for name in LEVERS}
    for folder in _held_out() if held_out else _for_fitting():
        rule = _day(folder, POLICIES["rule"])
        for name, settings in LEVERS.items():
            ours = _day(folder, _policy(settings))
            rows[name].append(_ratios(ours, rule))
        print(folder.name, *(f"{x:.3f}" for x in rows[POLICY][-1]), file=sys.stderr, flush=True)
    print("lever | weighted lateness | late share | mean response\n---|---|---|---")
    for name, ratios in rows.items():
        print(name, *(f"{x:.2f}" for x in np.exp(np.log(ratios).mean(axis=0))), sep=" | ")


def _policy(settings: DispatchSettings) -> Policy:
    def prepare(ground: Ground) -> Dispatch:
        return Dispatcher(ground, settings)

    return Policy("lever", grabs=False, prepare=prepare, moves=True)


def _day(folder: Path, policy: Policy) -> Summary:
    scenario, city = runs.prepare(folder, Settings())
    visits = Day(scenario, city, policy, behaviour=CrewBehaviour(), seed=1).run()
    return summarise(len(scenario.reports), visits)


def _ratios(ours: Summary, rule: Summary) -> tuple[float, float, float]:
    return (
        ours.weighted_tardiness_s / rule.weighted_tardiness_s,
        (1 - ours.share_15) / (1 - rule.share_15),
        (ours.mean_s or 0.0) / (rule.mean_s or 1.0),
    )


def _held_out() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as root:
        for point in POINTS:
            folder = Path(root) / f"{point.log}-{point.crews}"
            make_scenario(folder, point)
            yield folder


def _for_fitting() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as root:
        calls = Path(root) / "calls.csv"
        _write_later_calls(data_folder() / "sffd-2017" / "calls.csv", calls, skip=timedelta(days=3))
        for point in POINTS:
            for day in FITTED_ON if point.log == "montco" else ("",):
                folder = Path(root) / f"{point.log}-{point.crews}-{day}"
                make_scenario(folder, point, day=day or None, calls=None if day else calls)
                yield folder


def _write_later_calls(source: Path, target: Path, *, skip: timedelta) -> None:
    with source.open(encoding="utf-8", newline="") as file:
        calls = list(csv.DictReader(file))
    at = [datetime.strptime(call["Received DtTm"], _STAMP) for call in calls]
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(calls[0]))
        writer.writeheader()
        writer.writerows(call for call, when in zip(calls, at, strict=True) if when >= min(at) + skip)


if __name__ == "__main__":
    main(held_out="--held-out" in sys.argv[1:])
