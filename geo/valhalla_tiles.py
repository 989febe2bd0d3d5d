"""Travel times from Valhalla's tiles in this process, where its Python wheel exists (`qiangdan[valhalla]`)."""

from pathlib import Path
from typing import Any

import msgspec
import numpy.typing as npt

from geo.travel import Floats, check_quantile, place_rows
from geo.travel_fallback import TravelUnavailable
from geo.travel_server import read_valhalla, valhalla_question, whole_seconds


class ValhallaTiles:
    """Asks Valhalla's library, which reads a folder or a tar of tiles."""

    def __init__(self, actor: Any, tiles: Path) -> None:
        """Take the library's actor, and the tiles that it reads, for messages."""
        self._actor = actor
        self._tiles = tiles

    @classmethod
    def load(cls, tiles: Path) -> "ValhallaTiles":
        """Open tiles.

        Raises:
            ValueError: there are no tiles, or the library is not installed.
        """
        try:
            import valhalla
        except ImportError:
            raise ValueError(
                'kind "valhalla" with tiles needs the package pyvalhalla, on Python 3.12 or later '
                "(pip install 'qiangdan[valhalla]'); or take kind \"roads\" with the OpenStreetMap file"
            ) from None
        if not tiles.exists():
            raise ValueError(f"there are no Valhalla tiles at {tiles}; valhalla_build_tiles makes them")
        place = {"tile_extract": str(tiles)} if tiles.is_file() else {"tile_dir": str(tiles)}
        return cls(valhalla.Actor(valhalla.get_config(**place)), tiles)

    def seconds(self, lon1: float, lat1: float, lon2: float, lat2: float, *, quantile: float = 0.5) -> float:
        """Return the whole seconds from the first place to the second; infinity where there is no way."""
        return float(self.matrix([(lon1, lat1)], [(lon2, lat2)], quantile=quantile)[0, 0])

    def matrix(self, origins: npt.ArrayLike, destinations: npt.ArrayLike, *, quantile: float = 0.5) -> Floats:
        """Return whole seconds of shape (n, m), the same for every quantile; infinity where there is no way.

        Raises:
            TravelUnavailable: the library refused, which it does where one of the places is off the map.
        """
        check_quantile(quantile)
        start, end = place_rows(origins, "origins"), place_rows(destinations, "destinations")
        try:
            answer = self._actor.matrix(msgspec.json.encode(valhalla_question(start, end)).decode())
            rows = read_valhalla(answer.encode())
        except (RuntimeError, msgspec.MsgspecError) as error:
            raise TravelUnavailable(f"Valhalla's tiles {self._tiles}: {error}") from error
        return whole_seconds(rows, (len(start), len(end)), f"Valhalla's tiles {self._tiles}")
