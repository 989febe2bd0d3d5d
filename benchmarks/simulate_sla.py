"""What the product's policies come to on real call logs, beside plainer ones on the same days in the same run.

Six points: three days of San Francisco's fire calls and one of Montgomery County's 911 calls fitted onto Harbin's
compounds, each with three counts of crews. The peer is `rule`, the best of one line; `nearest` stands beside an
independent simulation of the same points whose figures are written down here. A seventh point drives on Harbin's roads
in place of straight lines. The scenarios are made by the tool that stands beside the test data; where either is absent,
that is said and there are no rows.

`hybrid` throws dice for its crews: its figures are means over `seeds`.
"""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from benchmarks.data import data_folder
from benchmarks.figures import Row, at_most, row
from dispatch.config import Settings
from dispatch.simulate import runs
from dispatch.simulate.behaviour import CrewBehaviour
from dispatch.simulate.results import Summary

NAME = "simulate-sla"
PEER = "rule"
TARGETS = {"weighted tardiness": 0.85, "late share": 0.9, "mean response": 1.1}
"""What `optimizer` and `hybrid` promise to stay under at every point, as a multiple of the rule's."""
ROUNDING = 1.05
"""How far `nearest` may be from the independent figures: one second of rounding early on moves a whole day."""


class Point(Struct, frozen=True):
    """One scenario: the log, the crews, and what an independent simulation of `nearest` came to, where there is one."""

    log: str
    crews: int
    share_15: float | None = None
    weighted_tardiness_s: float | None = None
    roads: bool = False

    @property
    def name(self) -> str:
        """How the point is called in the rows."""
        return f"{self.log}, {self.crews} crews{', roads' if self.roads else ''}"


POINTS = (
    Point("sffd", 18, 0.591, 2_045_000),
    Point("sffd", 22, 0.864, 362_000),
    Point("sffd", 26, 0.959, 51_000),
    Point("montco", 22, 0.379, 1_597_000),
    Point("montco", 28, 0.794, 168_000),
    Point("montco", 34, 0.912, 33_600),
    Point("montco", 22, roads=True),
)


def run(*, points: Sequence[Point] = POINTS, seeds: Sequence[int] = (1, 2, 3)) -> list[Row]:
    """Simulate every point under every policy; returns the rows, none where the data is absent."""
    if not (tool := _tool()).is_file():
        print(f"{NAME}: no {tool}; set QIANGDAN_TEST_DATA to the folder of the call logs.", file=sys.stderr)
        return []
    rows: list[Row] = []
    for point in points:
        with tempfile.TemporaryDirectory(prefix="qiangdan-sla-") as folder:
            make_scenario(Path(folder), point)
            rows += _measure(Path(folder), point, seeds)
    return rows


def _tool() -> Path:
    return data_folder().parent / "tools" / "scenario.py"


def make_scenario(folder: Path, point: Point, *, day: str | None = None, calls: Path | None = None) -> None:
    """Write a point's scenario, or the same of another day or of another file of calls."""
    data = data_folder()
    which = {
        "sffd": [calls or data / "sffd-2017" / "calls.csv", folder, "--days", "3"],
        "montco": [
            *(calls or data / "montco911" / "calls.csv", folder, "--day", day or "2015-12-17"),
            *("--places", data / "harbin" / "harbin_compounds_landuse_residential_wgs84.geojson"),
        ],
    }[point.log]
    command = [sys.executable, _tool(), point.log, *which, "--crews", point.crews]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    if point.roads:
        (folder / "travel.toml").write_text(f'kind = "roads"\nfile = "{data / "harbin" / "harbin.osm.pbf"}"\n')


def _measure(folder: Path, point: Point, seeds: Sequence[int]) -> list[Row]:
    scenario, city = runs.prepare(folder, Settings())

    def days(policy: str, seeds: Sequence[int]) -> list[Summary]:
        behaviour = CrewBehaviour()
        return [runs.simulate(scenario, city, policy, behaviour=behaviour, seed=seed).summary for seed in seeds]

    rule = _figures(days(PEER, seeds[:1]))
    nearest = _figures(days("nearest", seeds[:1]))
    rows: list[Row] = []
    if point.share_15 is not None and point.weighted_tardiness_s is not None:
        independent = {"late share": 1 - point.share_15, "weighted tardiness": point.weighted_tardiness_s}
        rows += [
            at_most(ROUNDING, _row(point, "nearest", figure, nearest[figure], peer, "independent simulation"))
            for figure, peer in independent.items()
        ]
    for policy, dice in (("optimizer", seeds[:1]), ("hybrid", seeds)):
        ours = _figures(days(policy, dice))
        rows += [
            at_most(target, _row(point, policy, figure, ours[figure], rule[figure], PEER))
            for figure, target in TARGETS.items()
        ]
    return rows


def _figures(days: Sequence[Summary]) -> dict[str, float]:
    return {
        "weighted tardiness": statistics.fmean(day.weighted_tardiness_s for day in days),
        "late share": statistics.fmean(1 - day.share_15 for day in days),
        "mean response": statistics.fmean(day.mean_s or 0.0 for day in days),
    }


def _row(point: Point, policy: str, figure: str, ours: float, peer: float, peer_name: str) -> Row:
    unit = "share" if figure == "late share" else "s"
    return row(NAME, f"{point.name}: {policy}, {figure}", unit, ours=ours, peer=peer, peer_name=peer_name)
