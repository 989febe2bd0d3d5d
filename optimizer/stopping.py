"""When a search stops. Tests stop by iterations and a seed, use stops by seconds; `FirstOf` stops by either.

A rule says which share of the search lies behind, from 0; at 1 it is over. The heat follows that share, so a search
makes the best of the time that it has.
"""

from typing import Protocol


class Stopping(Protocol):
    """A rule."""

    def share(self, *, iterations: int, seconds: float) -> float:
        """Return the share of the search that is behind after so many iterations and seconds."""
        ...


class Iterations:
    """Stops after a number of changes tried: the same seed gives the same plan anywhere."""

    def __init__(self, most: int) -> None:
        """Take the number, at least 0."""
        if most < 0:
            raise ValueError(f"iterations must be at least 0, not {most}")
        self.most = most

    def share(self, *, iterations: int, seconds: float) -> float:
        """Return the share of the iterations."""
        return iterations / self.most if self.most else 1.0


class Seconds:
    """Stops after a time."""

    def __init__(self, most: float) -> None:
        """Take the seconds, at least 0."""
        if not 0.0 <= most < float("inf"):
            raise ValueError(f"seconds must be a finite number of at least 0, not {most}")
        self.most = most

    def share(self, *, iterations: int, seconds: float) -> float:
        """Return the share of the time."""
        return seconds / self.most if self.most else 1.0


class Capped:
    """Stops after a number of changes tried; a time is but the cap for a machine that is too slow for them.

    The heat follows the changes alone: as long as the cap is not reached, the same seed gives the same plan anywhere.
    """

    def __init__(self, most: int, *, seconds: float) -> None:
        """Take the number of changes and the seconds, each at least 0."""
        self._iterations, self._seconds = Iterations(most), Seconds(seconds)

    def share(self, *, iterations: int, seconds: float) -> float:
        """Return the share of the iterations; 1 once the time is over."""
        if self._seconds.share(iterations=iterations, seconds=seconds) >= 1.0:
            return 1.0
        return self._iterations.share(iterations=iterations, seconds=seconds)


class FirstOf:
    """Stops as soon as one of its rules does."""

    def __init__(self, *rules: Stopping) -> None:
        """Take at least one rule."""
        if not rules:
            raise ValueError("FirstOf needs a rule")
        self.rules = rules

    def share(self, *, iterations: int, seconds: float) -> float:
        """Return the greatest share of all."""
        return max(rule.share(iterations=iterations, seconds=seconds) for rule in self.rules)
