"""The database's time as a process knows it without asking: the one clock by which everything is judged."""

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

KEPT = 16
"""Comparisons that are remembered."""


class _Comparison(NamedTuple):
    theirs: datetime
    heard_s: float
    took_s: float


class DatabaseClock:
    """Time read from the database now and then, carried on by this machine's monotonic clock between.

    An answer was made somewhere between question and hearing it, so the middle is taken for it, and of the last
    comparisons the quickest counts (Cristian 1989): a process that was kept waiting for its answer does not fall
    behind. A comparison that contradicts it shows that the database's clock was set, and then it alone counts.
    """

    def __init__(self) -> None:
        self._kept: deque[_Comparison] = deque(maxlen=KEPT)
        self._best: _Comparison | None = None

    def compare(self, theirs: datetime, asked_s: float, heard_s: float) -> None:
        """Take the database's time, asked for and heard at these moments of `time.monotonic()`."""
        seen = _Comparison(theirs, heard_s, heard_s - asked_s)
        if self._best is not None and abs(_at(seen, heard_s) - self.at(heard_s)) > _doubt(seen) + _doubt(self._best):
            self._kept.clear()
        self._kept.append(seen)
        self._best = min(reversed(self._kept), key=lambda comparison: comparison.took_s)

    def at(self, monotonic_s: float) -> datetime:
        """Return the database's time at a moment of `time.monotonic()`; before any comparison, this machine's."""
        return datetime.now(UTC) if self._best is None else _at(self._best, monotonic_s)


def _at(seen: _Comparison, monotonic_s: float) -> datetime:
    return seen.theirs + timedelta(seconds=monotonic_s - seen.heard_s + seen.took_s / 2)


def _doubt(seen: _Comparison) -> timedelta:
    """Return by how much a comparison may be wrong: half the way, and what two clocks drift apart meanwhile."""
    return timedelta(seconds=seen.took_s / 2 + 0.005)
