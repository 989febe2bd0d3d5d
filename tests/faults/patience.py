"""How long something has taken, without the time for which a busy machine let our processes stand in line.

Ten seconds are a promise about the product, not about who else runs on the machine: where others take most of it, the
harness would otherwise report them. The kernel counts for each process how long it ran and how long it waited to run
(`/proc/PID/schedstat`); on a system without that the wall clock counts.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from time import monotonic

MOST_WALL_S = 180.0


class Patience:
    """Measures from its making on; `pids` gives the processes that have to do the work."""

    def __init__(self, pids: Callable[[], Iterable[int]]) -> None:
        self._pids = pids
        self._begun = self._at = monotonic()
        self._seen = self._look()
        self.granted_s = 0.0

    @property
    def wall_s(self) -> float:
        """Seconds by the clock on the wall."""
        return monotonic() - self._begun

    def over(self, most_s: float) -> bool:
        """Return whether more than so many seconds were granted by now; to be asked again and again."""
        at, seen = monotonic(), self._look()
        ran = waited = 0
        for pid, (now_ran, now_waited) in seen.items():
            had_run, had_waited = self._seen.get(pid, (0, 0))
            ran, waited = ran + max(now_ran - had_run, 0), waited + max(now_waited - had_waited, 0)
        share = ran / (ran + waited) if ran + waited else 1.0
        self.granted_s += (at - self._at) * share
        self._at, self._seen = at, seen
        return self.granted_s > most_s or self.wall_s > MOST_WALL_S

    def _look(self) -> dict[int, tuple[int, int]]:
        """Return for each process how long it ran, and how long it waited to run, in nanoseconds."""
        seen = {}
        for pid in self._pids():
            with suppress(OSError, ValueError):
                ran, waited, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
                seen[pid] = (int(ran), int(waited))
        return seen
