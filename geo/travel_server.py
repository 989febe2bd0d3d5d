"""Travel times of a routing server over HTTP: Valhalla's `sources_to_targets`, OSRM's `table`.

A matrix larger than the server takes in one call is asked in blocks, all within one time limit. Whatever goes wrong
(silence, a refusal, an answer of another shape) is `TravelUnavailable`; a pair that the server knows no way for is
infinity.
"""

import math
from collections.abc import Callable
from time import monotonic
from typing import Literal

import httpx
import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from geo.travel import Floats, check_quantile, place_rows
from geo.travel_fallback import TravelUnavailable

Rows = list[list[float | None]]
MOST_PLACES = 100
"""Places in one call: OSRM's default limit, and a URL of some 2,500 characters."""


class Cell(Struct, frozen=True):
    """One pair of Valhalla's matrix."""

    time: float | None = None


class ValhallaAnswer(Struct, frozen=True):
    """What Valhalla's `sources_to_targets` answers, in its long form."""

    sources_to_targets: list[list[Cell]]


class OsrmAnswer(Struct, frozen=True):
    """What OSRM's `table` answers; None where there is no way."""

    code: str
    durations: Rows = []


class TravelServer:
    """Asks one server, and waits for it at most `timeout_s` a matrix."""

    def __init__(
        self,
        kind: Literal["valhalla", "osrm"],
        url: str,
        *,
        timeout_s: float = 2.0,
        pairs_per_call: int = 2_500,
        client: httpx.Client | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Take the server's kind and address; `pairs_per_call` is the most that it takes (Valhalla: 2,500)."""
        self.kind = kind
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._pairs = pairs_per_call
        self._client = client or httpx.Client(follow_redirects=True)
        self._clock = clock

    def __repr__(self) -> str:
        """Show who is asked."""
        return f"TravelServer({self.kind!r}, {self.url!r})"

    def seconds(self, lon1: float, lat1: float, lon2: float, lat2: float, *, quantile: float = 0.5) -> float:
        """Return the whole seconds from the first place to the second; infinity where there is no way."""
        return float(self.matrix([(lon1, lat1)], [(lon2, lat2)], quantile=quantile)[0, 0])

    def matrix(self, origins: npt.ArrayLike, destinations: npt.ArrayLike, *, quantile: float = 0.5) -> Floats:
        """Return whole seconds of shape (n, m), the same for every quantile; infinity where there is no way.

        Raises:
            TravelUnavailable: the server did not answer in time, or not as promised.
            ValueError: an argument is not rows of two finite numbers.
        """
        check_quantile(quantile)
        start, end = place_rows(origins, "origins"), place_rows(destinations, "destinations")
        until = self._clock() + self._timeout_s
        height = max(min(len(start), MOST_PLACES // 2, self._pairs), 1)
        width = max(min(MOST_PLACES - height, self._pairs // height), 1)
        seconds = np.empty((len(start), len(end)))
        for top in range(0, len(start), height):
            for left in range(0, len(end), width):
                block = np.s_[top : top + height, left : left + width]
                seconds[block] = self._block(start[block[0]], end[block[1]], until)
        return seconds

    def _block(self, start: Floats, end: Floats, until: float) -> Floats:
        try:
            return self._ask(start, end, until)
        except _NoRoadNear:
            # The whole block is refused for one place off the map: find which, and ask for the others.
            there, here = self._on_map(start, until), self._on_map(end, until)
            seconds = np.full((len(start), len(end)), math.inf)
            if there.any() and here.any():
                try:
                    seconds[np.ix_(there, here)] = self._ask(start[there], end[here], until)
                except _NoRoadNear as error:
                    raise TravelUnavailable(f"{self.url} knows roads near each place, and none near all") from error
            return seconds

    def _on_map(self, places: Floats, until: float) -> npt.NDArray[np.bool_]:
        found = np.ones(len(places), dtype=bool)
        for n in range(len(places)):
            try:
                self._ask(places[n : n + 1], places[n : n + 1], until)
            except _NoRoadNear:
                found[n] = False
        return found

    def _ask(self, start: Floats, end: Floats, until: float) -> Floats:
        left_s = until - self._clock()
        if left_s <= 0.0:
            raise TravelUnavailable(f"{self.url} took longer than {self._timeout_s:g} s")
        request = _valhalla_request if self.kind == "valhalla" else _osrm_request
        try:
            response = self._client.send(request(self._client, self.url, start, end, left_s))
            if response.status_code == httpx.codes.BAD_REQUEST and _is_no_road(response.content):
                raise _NoRoadNear
            response.raise_for_status()
            rows = read_valhalla(response.content) if self.kind == "valhalla" else read_osrm(response.content)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TravelUnavailable(f"{self.url}: {str(error) or type(error).__name__}") from error
        except msgspec.MsgspecError as error:
            raise TravelUnavailable(f"{self.url} did not answer as a {self.kind} server does: {error}") from error
        return whole_seconds(rows, (len(start), len(end)), self.url)


class _NoRoadNear(Exception):
    """One of the places has no road near it."""


class _Refusal(Struct, frozen=True):
    error_code: int = 0
    code: str = ""


def _is_no_road(content: bytes) -> bool:
    """Return whether a refusal says so: Valhalla's error 171 (no suitable edges), OSRM's `NoSegment`."""
    try:
        refusal = msgspec.json.decode(content, type=_Refusal)
    except msgspec.MsgspecError:
        return False
    return refusal.error_code == 171 or refusal.code == "NoSegment"


def whole_seconds(rows: Rows, shape: tuple[int, int], whom: str) -> Floats:
    """Return the rows as whole seconds, infinity for None; raise `TravelUnavailable` where they are no such matrix."""
    if len(rows) != shape[0] or any(len(row) != shape[1] for row in rows):
        raise TravelUnavailable(f"{whom} answered a matrix of another size than {shape[0]} x {shape[1]}")
    seconds = np.array([[math.inf if each is None else each for each in row] for row in rows], dtype=np.float64)
    if np.isnan(seconds).any() or (seconds < 0.0).any():
        raise TravelUnavailable(f"{whom} answered a time below zero")
    return np.ceil(seconds).reshape(shape)


def read_valhalla(content: bytes) -> Rows:
    """Return the seconds of Valhalla's answer; raise `msgspec.ValidationError` where it is none."""
    answer = msgspec.json.decode(content, type=ValhallaAnswer)
    return [[cell.time for cell in row] for row in answer.sources_to_targets]


def read_osrm(content: bytes) -> Rows:
    """Return the seconds of OSRM's answer; raise `msgspec.ValidationError` where it is none."""
    answer = msgspec.json.decode(content, type=OsrmAnswer)
    if answer.code != "Ok":
        raise msgspec.ValidationError(f"its code is {answer.code!r}")
    return answer.durations


def valhalla_question(start: Floats, end: Floats) -> dict[str, object]:
    """Return the body of `sources_to_targets`."""
    sources, targets = ([{"lon": lon, "lat": lat} for lon, lat in places.tolist()] for places in (start, end))
    return {"sources": sources, "targets": targets, "costing": "auto", "units": "kilometers"}


def _valhalla_request(client: httpx.Client, url: str, start: Floats, end: Floats, timeout_s: float) -> httpx.Request:
    question = valhalla_question(start, end)
    return client.build_request("POST", f"{url}/sources_to_targets", json=question, timeout=timeout_s)


def _osrm_request(client: httpx.Client, url: str, start: Floats, end: Floats, timeout_s: float) -> httpx.Request:
    places = ";".join(f"{lon:.6f},{lat:.6f}" for lon, lat in [*start.tolist(), *end.tolist()])
    numbers = list(map(str, range(len(start) + len(end))))
    asked = {"sources": ";".join(numbers[: len(start)]), "destinations": ";".join(numbers[len(start) :])}
    # Semicolons stand as they are: OSRM does not read them encoded.
    query = "&".join(f"{name}={value}" for name, value in {**asked, "annotations": "duration"}.items())
    return client.build_request("GET", f"{url}/table/v1/driving/{places}?{query}", timeout=timeout_s)
