"""Everything that can be set, with its default; read once at the start and never changed after.

Three layers, the later wins: a TOML file (`--config FILE` or `QIANGDAN_CONFIG`), the environment
(`QIANGDAN_DATABASE_URL`, and for a table `QIANGDAN_CLOCKS_ARRIVAL_S`), the command line. An unknown key is
refused by name. Times are in seconds.

The data folder is `qiangdan-data` under the working directory unless set: it is in sight, beside what runs,
and two checkouts do not share it. A service should name its own with `--data-dir` or `QIANGDAN_DATA_DIR`.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta, Struct, field

from dispatch import config_sources
from dispatch.operator_errors import ConfigError
from dispatch.pmtiles import whats_wrong_with
from dispatch.policy import GrabPolicy
from geo.travel_choice import TravelChoice

Seconds = Annotated[float, Meta(gt=0, le=10_000_000)]
SecondsOrNone = Annotated[float, Meta(ge=0, le=10_000_000)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Share = Annotated[float, Meta(gt=0, lt=1)]

SEVERITIES = range(1, 6)


class ClockTargets(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Targets that replace the common ones for one severity; None keeps the common one."""

    hand_down_s: Seconds | None = None
    arrival_s: Seconds | None = None
    resolve_s: Seconds | None = None
    transfer_s: Seconds | None = None
    call_back_s: Seconds | None = None


class ClockSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long each clock may run (the table in docs/states.md), and when it counts as at risk."""

    hand_down_s: Seconds = 600
    arrival_s: Seconds = 900
    resolve_s: Seconds = 86_400
    transfer_s: Seconds = 1_800
    call_back_s: Seconds = 86_400
    at_risk_share: Share = 0.7
    severity: dict[int, ClockTargets] = {}

    def __post_init__(self) -> None:
        for severity in self.severity:
            if severity not in SEVERITIES:
                raise ValueError(f"severity {severity} does not exist, it goes from 1 to 5")

    def target_s(self, clock: str, severity: int) -> float:
        """Return the target of a clock (`arrival`, ...) in seconds for an order of this severity."""
        own = getattr(self.severity.get(severity), f"{clock}_s", None)
        target: float = own if own is not None else getattr(self, f"{clock}_s")
        return target


class GrabRateSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How fast one crew may grab before it is told `rate_limited`: a token bucket."""

    rate_per_s: Annotated[float, Meta(gt=0, le=100_000)] = 50
    burst: Count = 200


class SocketSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Limits of one socket: silence, a send that does not go out, messages that wait."""

    idle_timeout_s: Seconds = 60
    send_timeout_s: Seconds = 10
    queue: Count = 1_000


class PositionSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long the whereabouts of crews are kept, and how old they may be before the machine prefers other crews."""

    keep_days: Annotated[int, Meta(ge=1, le=366)] = 7
    stale_s: Seconds = 600


class PhotoSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long the photos of visits are kept."""

    keep_days: Annotated[int, Meta(ge=1, le=3_660)] = 90


class ForecastSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How often the planner process learns a city's forecasts anew, and from how many days."""

    every_s: Seconds = 900
    days: Annotated[int, Meta(ge=1, le=366)] = 28


class PlannerSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the planner process works.

    A search takes `solve_s`; a city in which something happened is planned anew after `debounce_s`. If `advise` is set,
    idle crews are advised where to wait, once `advise_after` reports were seen, at most `moves_per_hour` times each.
    The solver starts with the first question, or `warm_up_after_s` after the planner: a start is busy enough.
    Prometheus finds it at `metrics_host` and `metrics_port` (0: nowhere), where it holds the lease.
    """

    solve_s: Annotated[float, Meta(gt=0, le=60)] = 0.3
    debounce_s: Annotated[float, Meta(ge=0, le=600)] = 2.0
    advise: bool = True
    advise_after: Annotated[int, Meta(ge=0, le=1_000_000)] = 50
    moves_per_hour: Annotated[float, Meta(ge=0, le=60)] = 2.0
    warm_up_after_s: Seconds = 8.0
    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Meta(ge=0, le=65_535)] = 9471


class BasemapSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the console's map is drawn on; without `url` or `file` nothing but the zones, and no other host is asked.

    `url` is a template of raster tiles with {z}, {x}, {y}, or ends in .pmtiles (raster, on a server that knows Range).
    `file` is a PMTiles archive of raster tiles on this machine, which the engine serves.
    `datum` is the tiles': wgs84 (also CGCS2000, as Tianditu's), or gcj02 (Amap, Tencent), whose tiles are shifted.
    """

    url: Annotated[str, Meta(pattern=r"^(https?://[^\s'\";,]+|/[^\s'\";,]*)?$", max_length=1000)] = ""
    file: Path | None = None
    attribution: Annotated[str, Meta(max_length=200)] = ""
    datum: Literal["wgs84", "gcj02", "bd09"] = "wgs84"
    max_zoom: Annotated[int, Meta(ge=1, le=22)] = 18
    tile_size: Literal[256, 512] = 256

    def __post_init__(self) -> None:
        if self.url and self.file:
            raise ValueError("basemap.url and basemap.file are both given, and a map has one ground: leave one out")
        if self.datum == "bd09":
            raise ValueError(
                "basemap.datum cannot be bd09, since Baidu cuts its tiles by a scheme of its own: "
                "take Tianditu's (wgs84), or Amap's or Tencent's (gcj02)"
            )
        if self.datum != "wgs84" and (self.file or urlsplit(self.url).path.endswith(".pmtiles")):
            raise ValueError(
                "basemap.datum must be wgs84 for a PMTiles archive, which is drawn as it stands: "
                "give tiles of another datum as a template with {z}, {x}, {y}"
            )

    @property
    def origins(self) -> tuple[str, ...]:
        """The other hosts that a page must be let ask: one, or none."""
        parts = urlsplit(self.url)
        return (f"{parts.scheme}://{parts.netloc}",) if parts.netloc else ()


class Open311Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What GeoReport tells without a key: if `public`, where work is done (to 100 m) and how far it is or nothing."""

    public: bool = True


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All settings of one process. `database_url` None means the embedded PostgreSQL of `data_dir`.

    `demo` lets the start page hand out the sign-ins of the demo city's made-up people; `qiangdan demo` sets it.
    `time_zone` is where the cities are: its days and hours are those of every sum and report.
    """

    database_url: str | None = None
    data_dir: Path = Path("qiangdan-data")
    admin_token: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    bus_url: str | None = None
    solver_url: str | None = None
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8000
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "text"] = "auto"
    demo: bool = False
    clocks: ClockSettings = field(default_factory=ClockSettings)
    grab: GrabPolicy = field(default_factory=GrabPolicy)
    travel: TravelChoice = field(default_factory=TravelChoice)
    time_zone: str = "Asia/Shanghai"
    grabs: GrabRateSettings = field(default_factory=GrabRateSettings)
    sockets: SocketSettings = field(default_factory=SocketSettings)
    positions: PositionSettings = field(default_factory=PositionSettings)
    photos: PhotoSettings = field(default_factory=PhotoSettings)
    forecasts: ForecastSettings = field(default_factory=ForecastSettings)
    planner: PlannerSettings = field(default_factory=PlannerSettings)
    basemap: BasemapSettings = field(default_factory=BasemapSettings)
    open311: Open311Settings = field(default_factory=Open311Settings)

    def __post_init__(self) -> None:
        for name, schemes in _URL_SCHEMES.items():
            url = getattr(self, name)
            if url is not None and url.partition("://")[0] not in schemes:
                raise ValueError(f"{name} must start with {' or '.join(s + '://' for s in schemes)}")
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("time_zone must be the name of a time zone, such as Asia/Shanghai") from None
        first, second = self.grab.rings
        if second < first:
            raise ValueError("grab.ring_s must not decrease: first to the neighbouring zones, then to the city")

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        shown = {name: getattr(self, name) for name in self.__struct_fields__}
        secret = {name: "(withheld)" for name in _SECRET if shown[name] is not None}
        return list({**shown, **secret}.items())

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"


_SECRET = frozenset({"database_url", "admin_token", "bus_url", "solver_url"})
_URL_SCHEMES = {
    "database_url": ("postgresql", "postgres"),
    "bus_url": ("nats", "tls", "ws", "wss"),
    "solver_url": ("tcp", "tls", "ucx", "ws", "wss"),
}

_WHOLE = "QIANGDAN_SETTINGS"


def load_settings(
    config_file: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Return the settings from file, environment and flags; a flag of None counts as not given.

    Raises `ConfigError` with one sentence that names the key, where it stood, and what would do.
    """
    environ = os.environ if environ is None else environ
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    if whole := environ.get(_WHOLE):
        return _convert([config_sources.Layer(_WHOLE, msgspec.json.decode(whole)), _flag_layer(given)])
    file = config_file or (Path(environ["QIANGDAN_CONFIG"]) if environ.get("QIANGDAN_CONFIG") else None)
    layers = [config_sources.read_toml(file, Settings)] if file else []
    layers.append(config_sources.read_environment(environ, Settings))
    layers.append(_flag_layer(given))
    settings = _convert(layers)
    for name in ("file", "tiles"):
        path = getattr(settings.travel, name)
        if path is not None and not path.exists():
            raise ConfigError(f"The setting travel.{name} names {path}, and nothing is there: name the map's file.")
    if settings.basemap.file and (wrong := whats_wrong_with(settings.basemap.file)):
        raise ConfigError(f"The setting basemap.file is not right: {wrong}.")
    return settings


def to_environment(settings: Settings) -> dict[str, str]:
    """Return the variable that hands these settings whole to a child process; `load_settings` there reads it."""
    return {_WHOLE: msgspec.json.encode(settings, enc_hook=str).decode()}


def _flag_layer(given: Mapping[str, Any]) -> "config_sources.Layer":
    return config_sources.Layer("the command line", {name: _plain(value) for name, value in given.items()})


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _convert(layers: list["config_sources.Layer"]) -> Settings:
    merged: dict[str, Any] = {}
    for layer in layers:
        config_sources.merge_into(merged, layer.values)
    try:
        # Not strict: numbers come as text from the environment.
        return msgspec.convert(merged, Settings, strict=False, str_keys=True, dec_hook=_decode_path)
    except msgspec.ValidationError as error:
        raise ConfigError(config_sources.explain(error, layers)) from None


def _decode_path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str) and value:
        return Path(value)
    raise ValueError("must be a path")
