"""Dynamic technician routing: requests rejected of 100, beside the published regret-3 results for the same instances.

The instances are those of the test data (`QIANGDAN_TEST_DATA`); without it there is nothing to measure. By iterations
and a seed, so that the figures are the same on every machine.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from benchmarks.data import data_folder
from benchmarks.figures import Row, at_most, row
from benchmarks.technicians import Instance, faults, live_through, read

NAME = "plan-trsp"
PEER = "regret-3, Pillac et al. 2013, published"
DEGREES = (10, 30, 50, 70, 90)
TARGET = 0.8


def run(
    *,
    degrees: Sequence[int] = DEGREES,
    instances: int | None = None,
    before: int = 20_000,
    each: int = 5_000,
    seed: int = 1,
) -> list[Row]:
    """Live through the day of each instance at each degree of dynamism; returns a row a degree, means of rejected."""
    folder = data_folder() / "trsp"
    rows: list[Row] = []
    published = _published(folder / "results" / "dynamic-regret-3.csv")
    for degree in degrees:
        ours, theirs = [], []
        for path in sorted((folder / "crew25").glob("*.txt"))[:instances]:
            dates = folder / "crew25" / "dyn" / f"{path.stem}_rd_{degree}.txt"
            if dates.exists() and (path.stem, degree) in published:
                ours.append(_rejected(read(path, dates), before=before, each=each, seed=seed))
                theirs.append(published[path.stem, degree])
        if ours:
            figure = f"rejected of 100, {degree} % dynamic, {len(ours)} instances"
            measured = row(NAME, figure, "less is better", ours=fmean(ours), peer=fmean(theirs), peer_name=PEER)
            rows.append(at_most(TARGET, measured) if measured["peer"] else measured)
    return rows


def _rejected(instance: Instance, *, before: int, each: int, seed: int) -> int:
    day = live_through(instance, before=before, each=each, seed=seed)
    if wrong := faults(instance, day):
        raise AssertionError(f"{instance.name}: {wrong[0]}")
    return len(day.rejected)


def _published(path: Path) -> dict[tuple[str, int], int]:
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file, delimiter=";"))
    return {
        (line["instance"], int(line["comment"].rsplit("_", 1)[1].removesuffix(".txt"))): int(line["rejected_count"])
        for line in lines
    }
