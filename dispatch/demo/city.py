"""The made-up city of `qiangdan demo`: zones, heat-exchange stations, compounds, households. The same city per seed.

It has the size of one enterprise (18 zones, 91 stations, 113 compounds, the figures of DOMAIN.md) and lies where the
centre of Harbin is, but its borders, buildings and people are invented.
"""

import random
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dispatch.demo.faults import FAULT_KINDS, SKILLS, Fault, FaultKind, random_fault
from dispatch.demo.names import DISTRICTS, NUMERALS, compound_names, person_name, phone_number, street_address
from geo import ZoneIndex, distance_m, parse_zones

__all__ = [
    "FAULT_KINDS",
    "SKILLS",
    "Compound",
    "DemoCity",
    "Fault",
    "FaultKind",
    "Household",
    "Station",
    "generate_city",
    "random_fault",
    "random_household",
]

WEST, SOUTH, EAST, NORTH = 126.53, 45.68, 126.75, 45.82
"""The box that the zones tile, WGS-84 degrees."""
COLUMNS, ROWS = 6, 3
STATION_COUNT, COMPOUND_COUNT = 91, 113

_BENDS = 4
_DECIMALS = 6
_ROOMS_PER_FLOOR = 3
_BUILDING_SPACING_DEG = 0.0006

Place = tuple[float, float]


@dataclass(frozen=True)
class Station:
    """A heat-exchange station, and how it runs: degrees Celsius in the secondary circuit."""

    id: str
    name: str
    zone: str
    lon: float
    lat: float
    supply_c: float
    return_c: float


@dataclass(frozen=True)
class Compound:
    """A residential compound that hangs off a station: buildings of units, units of floors of three rooms."""

    id: str
    name: str
    street: str
    zone: str
    station: str
    lon: float
    lat: float
    buildings: int
    units: int
    floors: int
    in_warranty: bool

    @property
    def households(self) -> int:
        """How many households live here."""
        return self.buildings * self.units * self.floors * _ROOMS_PER_FLOOR


@dataclass(frozen=True)
class Household:
    """Somebody who may report: `address` as a report carries it, place in WGS-84 degrees."""

    address: dict[str, str]
    lon: float
    lat: float
    name: str
    phone: str


@dataclass(frozen=True)
class DemoCity:
    """The city: `zones` is what `PUT /zones` takes."""

    zones: dict[str, Any]
    stations: tuple[Station, ...]
    compounds: tuple[Compound, ...]

    @cached_property
    def zone_ids(self) -> tuple[str, ...]:
        """The ids of the zones, west to east and south to north."""
        return tuple(feature["properties"]["id"] for feature in self.zones["features"])

    @cached_property
    def _households(self) -> list[int]:
        return [compound.households for compound in self.compounds]


def generate_city(seed: int) -> DemoCity:
    """Make the city of a seed."""
    rng = random.Random(seed)
    zones = _zones(rng)
    index = ZoneIndex(parse_zones(zones))
    zone_ids = [feature["properties"]["id"] for feature in zones["features"]]
    stations = _stations(rng, index, zone_ids)
    return DemoCity(zones, stations, _compounds(rng, index, zone_ids, stations))


def random_household(city: DemoCity, rng: random.Random) -> Household:
    """Draw a household, each of the city's being as likely."""
    [compound] = rng.choices(city.compounds, weights=city._households)
    building, unit = rng.randint(1, compound.buildings), rng.randint(1, compound.units)
    floor, door = rng.randint(1, compound.floors), rng.randint(1, _ROOMS_PER_FLOOR)
    room = f"{floor}{door:02d}"
    lon, lat = _building_place(compound, building)
    address = {
        "compound": compound.name,
        "building": f"{building}",
        "unit": f"{unit}",
        "room": room,
        "station": compound.station,
        "text": f"{compound.street}{compound.name}{building}栋{unit}单元{room}室",
    }
    return Household(address, lon, lat, person_name(rng), phone_number(rng))


def _zones(rng: random.Random) -> dict[str, Any]:
    """Tile the box: a grid with moved corners and bent borders, each border made once and used by both sides."""
    corners = {(i, j): _corner(rng, i, j) for j in range(ROWS + 1) for i in range(COLUMNS + 1)}
    east = {(i, j): _border(rng, corners[i, j], corners[i + 1, j]) for j in range(ROWS + 1) for i in range(COLUMNS)}
    north = {(i, j): _border(rng, corners[i, j], corners[i, j + 1]) for j in range(ROWS) for i in range(COLUMNS + 1)}
    features = []
    for j in range(ROWS):
        for i in range(COLUMNS):
            around = [east[i, j], north[i + 1, j], east[i, j + 1][::-1], north[i, j][::-1]]
            ring = [list(place) for border in around for place in border[:-1]]
            properties = {"id": f"zone-{j * COLUMNS + i + 1:02d}", "name": f"{DISTRICTS[i]}{NUMERALS[j]}片"}
            geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
            features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    return {"type": "FeatureCollection", "features": features}


def _corner(rng: random.Random, i: int, j: int) -> Place:
    width, height = (EAST - WEST) / COLUMNS, (NORTH - SOUTH) / ROWS
    lon = WEST + i * width + (rng.uniform(-0.2, 0.2) * width if 0 < i < COLUMNS else 0.0)
    lat = SOUTH + j * height + (rng.uniform(-0.2, 0.2) * height if 0 < j < ROWS else 0.0)
    return round(lon, _DECIMALS), round(lat, _DECIMALS)


def _border(rng: random.Random, start: Place, end: Place) -> list[Place]:
    """Return a bent line between two corners; the moves are too small for two borders to meet."""
    run, rise = end[0] - start[0], end[1] - start[1]
    line = [start]
    for k in range(1, _BENDS + 1):
        along = (k + rng.uniform(-0.3, 0.3)) / (_BENDS + 1)
        aside = rng.uniform(-0.05, 0.05)
        lon, lat = start[0] + along * run - aside * rise, start[1] + along * rise + aside * run
        line.append((round(lon, _DECIMALS), round(lat, _DECIMALS)))
    return [*line, end]


def _place_in(rng: random.Random, index: ZoneIndex, zone: str) -> Place:
    """Draw a place well within a zone."""
    [shape] = [each.geometry for each in index.zone_map.zones if each.id == zone]
    west, south, east, north = shape.bounds
    while True:
        lon, lat = round(rng.uniform(west, east), _DECIMALS), round(rng.uniform(south, north), _DECIMALS)
        around = [(lon + x, lat + y) for x in (-0.002, 0.0, 0.002) for y in (-0.002, 0.0, 0.002)]
        if all(index.locate(*place) == zone for place in around):
            return lon, lat


def _stations(rng: random.Random, index: ZoneIndex, zone_ids: list[str]) -> tuple[Station, ...]:
    stations = []
    for number in range(1, STATION_COUNT + 1):
        zone = zone_ids[(number - 1) % len(zone_ids)]
        lon, lat = _place_in(rng, index, zone)
        supply = round(rng.gauss(41.0, 1.5), 1)
        name = f"{number}号换热站"
        stations.append(Station(f"station-{number:02d}", name, zone, lon, lat, supply, round(supply - 7.0, 1)))
    return tuple(stations)


def _compounds(
    rng: random.Random, index: ZoneIndex, zone_ids: list[str], stations: tuple[Station, ...]
) -> tuple[Compound, ...]:
    compounds = []
    for number, name in enumerate(compound_names(rng, COMPOUND_COUNT), start=1):
        zone = zone_ids[(number - 1) % len(zone_ids)]
        lon, lat = _place_in(rng, index, zone)
        own = [station for station in stations if station.zone == zone]
        station = min(own, key=lambda each: distance_m(lon, lat, each.lon, each.lat))
        compound = Compound(
            id=f"compound-{number:03d}",
            name=name,
            street=street_address(rng),
            zone=zone,
            station=station.id,
            lon=lon,
            lat=lat,
            buildings=rng.randint(4, 14),
            units=rng.randint(2, 4),
            floors=rng.choice((6, 7, 7, 11, 18)),
            in_warranty=rng.random() < 0.08,
        )
        compounds.append(compound)
    return tuple(compounds)


def _building_place(compound: Compound, building: int) -> Place:
    """Return where a building stands: in rows of four around the compound's middle."""
    row, column = divmod(building - 1, 4)
    lon = compound.lon + (column - 1.5) * _BUILDING_SPACING_DEG
    lat = compound.lat + (row - 1.5) * _BUILDING_SPACING_DEG
    return round(lon, _DECIMALS), round(lat, _DECIMALS)
