"""What the benchmarks say: one row per figure, ours beside the peer's."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]


def row(bench: str, figure: str, unit: str, *, ours: float, peer: float, peer_name: str) -> Row:
    """Return a row without a target: `ratio` is ours by the peer's."""
    return {
        "bench": bench,
        "figure": figure,
        "unit": unit,
        "ours": _short(ours),
        "peer": _short(peer),
        "peer_name": peer_name,
        "ratio": round(ours / peer, 3) if peer else None,
        "target": None,
        "holds": None,
    }


def at_least(target: float, measured: Row) -> Row:
    """Return the row with the promise that ours is at least `target` times the peer's."""
    return {**measured, "target": target, "holds": measured["ratio"] >= target}


def at_most(target: float, measured: Row) -> Row:
    """Return the row with the promise that ours is at most `target` times the peer's."""
    return {**measured, "target": target, "holds": measured["ratio"] <= target}


def within(target: float, measured: Row) -> Row:
    """Return the row with the promise that ours, in its own unit, is at most `target`."""
    return {**measured, "target": target, "holds": measured["ours"] <= target}


def reaching(target: float, measured: Row) -> Row:
    """Return the row with the promise that ours, in its own unit, is at least `target`."""
    return {**measured, "target": target, "holds": measured["ours"] >= target}


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def _short(value: float) -> float:
    return round(value, 3) if value < 100 else round(value)
