"""What stands in where a source of travel times has no answer, and that it did so.

Nobody is left without a predicted arrival because a server is down or a place lies off the map: the plain metric
answers instead. That is never silent: each pair is told to a `Tally` under where its time came from, which the engine
shows in /metrics.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import numpy as np
import numpy.typing as npt

from geo.travel import Floats, MetricTravel, TravelTimes, place_rows
from geo.travel_cache import CachedTravel

Tally = Callable[[str, int], None]
"""Hears where how many times came from: `source`, or `unreachable`, `unavailable`, `not_yet_known` (stood in for)."""

LONGEST_SILENCE_S = 30.0


class TravelUnavailable(Exception):
    """The server of travel times did not answer in time, or not with what it promises; the message says which."""


def no_tally(_outcome: str, _pairs: int) -> None:
    """Count nothing."""


class FallbackTravel:
    """A source, and the metric for every pair that the source has no finite time for."""

    def __init__(self, source: TravelTimes, metric: MetricTravel, tally: Tally = no_tally) -> None:
        """Take who is asked, who stands in, and who hears of it."""
        self.source = source
        self.metric = metric
        self._tally = tally

    def seconds(self, lon1: float, lat1: float, lon2: float, lat2: float, *, quantile: float = 0.5) -> float:
        """Return the whole seconds from the first place to the second, always finite."""
        try:
            found = self.source.seconds(lon1, lat1, lon2, lat2, quantile=quantile)
            outcome = "source" if np.isfinite(found) else "unreachable"
        except TravelUnavailable:
            found, outcome = np.inf, "unavailable"
        self._tally(outcome, 1)
        return found if outcome == "source" else self.metric.seconds(lon1, lat1, lon2, lat2)

    def matrix(self, origins: npt.ArrayLike, destinations: npt.ArrayLike, *, quantile: float = 0.5) -> Floats:
        """Return whole seconds of shape (n, m), always finite."""
        try:
            found = self.source.matrix(origins, destinations, quantile=quantile)
        except TravelUnavailable:
            stood_in = self.metric.matrix(origins, destinations)
            self._tally("unavailable", stood_in.size)
            return stood_in
        return stand_in(found, origins, destinations, self.metric, self._tally)


class PromptTravel:
    """A cached server that is never waited for: what is not known yet is stood in for, and fetched by a thread.

    So a transaction that asks for arrivals takes no longer when the server does. `patient` is the same server, with the
    same cache, for those who may wait (off the event loop, outside any transaction).
    """

    def __init__(
        self,
        cache: CachedTravel,
        metric: MetricTravel,
        tally: Tally = no_tally,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Take the cache with its server, who stands in, and who hears of it."""
        self.patient = FallbackTravel(cache, metric, tally)
        self._cache = cache
        self._metric = metric
        self._tally = tally
        self._clock = clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="travel")
        self._waiting = threading.Semaphore(64)
        self._silent_until = 0.0
        self._silence_s = 0.5
        self._closed = False

    def seconds(self, lon1: float, lat1: float, lon2: float, lat2: float, *, quantile: float = 0.5) -> float:
        """Return the whole seconds from the first place to the second, always finite and at once."""
        return float(self.matrix([(lon1, lat1)], [(lon2, lat2)], quantile=quantile)[0, 0])

    def matrix(self, origins: npt.ArrayLike, destinations: npt.ArrayLike, *, quantile: float = 0.5) -> Floats:
        """Return whole seconds of shape (n, m), always finite and at once."""
        start, end = place_rows(origins, "origins"), place_rows(destinations, "destinations")
        found = self._cache.known(start, end)
        missing = np.isnan(found)
        if missing.any():
            self._fetch_later(start[missing.any(axis=1)], end[missing.any(axis=0)])
        return stand_in(found, start, end, self._metric, self._tally)

    def close(self) -> None:
        """Fetch nothing more; what is not known stays the metric's."""
        self._closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)

    def settle(self) -> None:
        """Wait until everything asked so far was fetched, or given up."""
        self._thread.submit(lambda: None).result()

    def _fetch_later(self, start: Floats, end: Floats) -> None:
        """Let the thread fetch a matrix, unless too many wait already or the server was silent just now."""
        if self._closed or self._clock() < self._silent_until or not self._waiting.acquire(blocking=False):
            return
        self._thread.submit(self._fetch, start, end)

    def _fetch(self, start: Floats, end: Floats) -> None:
        try:
            if self._clock() >= self._silent_until:
                self._cache.matrix(start, end)
                self._silence_s = 0.5
        except TravelUnavailable:
            self._tally("unavailable", len(start) * len(end))
            self._silence_s = min(2 * self._silence_s, LONGEST_SILENCE_S)
            self._silent_until = self._clock() + self._silence_s
        finally:
            self._waiting.release()


def stand_in(
    found: Floats, origins: npt.ArrayLike, destinations: npt.ArrayLike, metric: MetricTravel, tally: Tally
) -> Floats:
    """Return the times found; the metric's where there is no way (infinity) or nothing is known yet (not a number)."""
    known, unreachable = np.isfinite(found), np.isinf(found)
    counted = {
        "source": int(known.sum()),
        "unreachable": int(unreachable.sum()),
        "not_yet_known": found.size - int((known | unreachable).sum()),
    }
    for outcome, pairs in counted.items():
        if pairs:
            tally(outcome, pairs)
    return found if known.all() else np.where(known, found, metric.matrix(origins, destinations))
