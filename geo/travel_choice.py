"""Which source of travel times a city uses: what a `travel.toml` or the table `[travel]` of the configuration says.

    kind = "metric"                          great circle x detour / speed
    kind = "roads", file = "city.osm.pbf"    an OpenStreetMap file, searched in this process
    kind = "valhalla", url = "http://..."    a Valhalla server; or `tiles`, a folder or tar of its tiles
    kind = "osrm", url = "http://..."        an OSRM server

`speed_mps` and `detour` also say what stands in where the other kinds have no answer. `hour_factors` (24 of them) and
`weather_factors` lengthen every trip by hour and by the `weather` in force, until arrivals teach better ones.
"""

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from geo.travel import MetricTravel, TravelTimes
from geo.travel_cache import CachedTravel
from geo.travel_factors import HOURS, Factor, TravelFactors, check_weather
from geo.travel_fallback import FallbackTravel, PromptTravel, Tally, no_tally

Kind = Literal["metric", "roads", "valhalla", "osrm"]


class TravelChoiceError(ValueError):
    """The choice cannot be made good: the message says which member is wrong and what would do."""


class TravelChoice(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where travel times come from; see the module."""

    kind: Kind = "metric"
    speed_mps: Annotated[float, Meta(ge=0.1, le=100)] = 6.0
    detour: Annotated[float, Meta(ge=1, le=10)] = 1.3
    file: Path | None = None
    url: str | None = None
    tiles: Path | None = None
    timeout_s: Annotated[float, Meta(gt=0, le=60)] = 2.0
    pairs_per_call: Annotated[int, Meta(ge=1, le=1_000_000)] = 2_500
    hour_factors: Annotated[tuple[Factor, ...], Meta(min_length=HOURS, max_length=HOURS)] = (1.0,) * HOURS
    weather_factors: dict[str, Factor] = {}
    weather: str = ""

    def __post_init__(self) -> None:
        """Refuse a kind without what it needs, and a weather without a factor."""
        if self.kind == "roads" and self.file is None:
            raise ValueError('kind "roads" needs file, the path of an OpenStreetMap file (.osm.pbf)')
        if self.kind == "osrm" and self.url is None:
            raise ValueError('kind "osrm" needs url, the address of an OSRM server')
        if self.kind == "valhalla" and (self.url is None) == (self.tiles is None):
            raise ValueError('kind "valhalla" needs either url, a Valhalla server, or tiles, a folder or tar of tiles')
        if self.url is not None and self.url.partition("://")[0] not in ("http", "https"):
            raise ValueError("url must start with http:// or https://")
        check_weather(self.weather, self.weather_factors)

    @property
    def asks_a_server(self) -> bool:
        """Whether an answer may take as long as a network does."""
        return self.kind in ("valhalla", "osrm") and self.tiles is None

    @property
    def metric(self) -> MetricTravel:
        """The answer that needs no map, which stands in for the others."""
        return MetricTravel(speed_mps=self.speed_mps, detour=self.detour)

    @property
    def factors(self) -> TravelFactors:
        """What is known of hours and weather before any arrival was seen."""
        return TravelFactors(hours=self.hour_factors, weather=self.weather_factors)


def read_travel(file: Path) -> TravelChoice:
    """Return what a `travel.toml` chooses; paths in it start from its folder.

    Raises:
        TravelChoiceError: the file cannot be read, is no TOML, or a member of it is unknown or wrong.
    """
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
        _require_known(values)
        choice = msgspec.convert(values, TravelChoice, dec_hook=_path)
    except OSError as error:
        raise TravelChoiceError(f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, msgspec.ValidationError) as error:  # tomllib's and Unicode's errors are ValueErrors
        raise TravelChoiceError(f"{file}: {str(error).replace('`', '')}") from None
    here = {name: file.parent / path for name in ("file", "tiles") if (path := getattr(choice, name)) is not None}
    return msgspec.structs.replace(choice, **here)


def _require_known(values: dict[str, object]) -> None:
    """Raise `ValueError` for a member or a kind that there is not, naming those that there are."""
    members, kinds = TravelChoice.__struct_fields__, get_args(Kind)
    for name in values:
        if name not in members:
            near = get_close_matches(name, members, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(members)}"
            raise ValueError(f"{name} is not known; {hint}")
    if "kind" in values and values["kind"] not in kinds:
        raise ValueError(f"there is no kind {values['kind']!r}; there are {', '.join(kinds)}")


def make_source(choice: TravelChoice) -> TravelTimes:
    """Return the bare source: infinity where it knows no way, `TravelUnavailable` raised where a server is silent.

    Raises:
        TravelChoiceError: the map or the tiles cannot be read here.
    """
    # Imported where they are chosen: scipy and osmium take longer to load than the rest of the product.
    if choice.kind == "metric":
        return choice.metric
    if choice.kind != "roads" and choice.url is not None:
        from geo.travel_server import TravelServer

        return TravelServer(choice.kind, choice.url, timeout_s=choice.timeout_s, pairs_per_call=choice.pairs_per_call)
    try:
        if choice.kind == "roads":
            from geo.roads import RoadTravel

            assert choice.file is not None
            return RoadTravel.load(choice.file)
        from geo.valhalla_tiles import ValhallaTiles

        assert choice.tiles is not None
        return ValhallaTiles.load(choice.tiles)
    except ValueError as error:
        raise TravelChoiceError(str(error)) from None


def make_travel(choice: TravelChoice, *, tally: Tally = no_tally) -> TravelTimes:
    """Return travel times that may take their time, for `simulate` and `plan`: every pair gets a finite answer.

    Where the source has none, that of the plain metric stands in, and `tally` hears of it.

    Raises:
        TravelChoiceError: see `make_source`.
    """
    source = make_source(choice)
    if choice.kind == "metric":
        return source
    return FallbackTravel(CachedTravel(source) if choice.asks_a_server else source, choice.metric, tally)


def make_prompt_travel(choice: TravelChoice, *, tally: Tally = no_tally) -> TravelTimes:
    """Return travel times that never wait for a server, for engines: `make_travel` with a cache before it.

    Raises:
        TravelChoiceError: see `make_source`.
    """
    source = make_source(choice)
    if choice.kind == "metric":
        return source
    cache = CachedTravel(source)
    return (PromptTravel if choice.asks_a_server else FallbackTravel)(cache, choice.metric, tally)


def _path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str) and value:
        return Path(value)
    raise ValueError("must be a path")
