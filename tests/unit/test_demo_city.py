"""The made-up city: of the promised size, consistent, the same for the same seed."""

import json
import random
from collections import Counter

import pytest

from crew_client.protocol.words import FAULTS
from dispatch.demo.city import (
    FAULT_KINDS,
    SKILLS,
    Compound,
    DemoCity,
    Station,
    generate_city,
    random_fault,
    random_household,
)
from geo import ZoneIndex, parse_zones


@pytest.fixture(scope="module", params=[1, 2, 77])
def city(request: pytest.FixtureRequest) -> DemoCity:
    return generate_city(request.param)


def test_the_city_has_the_size_of_one_enterprise(city: DemoCity) -> None:
    assert (len(city.zone_ids), len(city.stations), len(city.compounds)) == (18, 91, 113)
    assert 30_000 < sum(compound.households for compound in city.compounds) < 200_000
    assert len(set(city.zone_ids)) == 18


@pytest.mark.parametrize("seed", range(30))
def test_zones_tile_the_centre_with_neither_gap_nor_overlap(seed: int) -> None:
    zone_map = parse_zones(json.dumps(generate_city(seed).zones).encode())
    assert zone_map.warnings == ()
    index = ZoneIndex(zone_map)
    rng = random.Random(seed)
    places = [(rng.uniform(126.54, 126.74), rng.uniform(45.69, 45.81)) for _ in range(500)]
    assert None not in index.locate_many(*zip(*places, strict=True))
    assert all(2 <= len(index.neighbours(zone.id)) <= 6 for zone in zone_map.zones)


def test_stations_and_compounds_lie_in_the_zone_that_they_name(city: DemoCity) -> None:
    index = ZoneIndex(parse_zones(city.zones))
    places: list[Station | Compound] = [*city.stations, *city.compounds]
    for place in places:
        assert index.locate(place.lon, place.lat) == place.zone
    assert {station.zone for station in city.stations} == set(city.zone_ids)


def test_a_compound_hangs_off_a_station_of_its_zone(city: DemoCity) -> None:
    zone_of = {station.id: station.zone for station in city.stations}
    assert all(zone_of[compound.station] == compound.zone for compound in city.compounds)
    assert len({compound.name for compound in city.compounds}) == 113


def test_households_live_in_a_room_that_exists_and_in_the_zone_of_their_compound(city: DemoCity) -> None:
    index = ZoneIndex(parse_zones(city.zones))
    compounds = {compound.name: compound for compound in city.compounds}
    rng = random.Random(5)
    for _ in range(500):
        household = random_household(city, rng)
        compound = compounds[household.address["compound"]]
        assert household.address["station"] == compound.station
        assert 1 <= int(household.address["building"]) <= compound.buildings
        assert 1 <= int(household.address["unit"]) <= compound.units
        assert 1 <= int(household.address["room"][:-2]) <= compound.floors
        assert compound.name in household.address["text"]
        assert index.locate(household.lon, household.lat) == compound.zone


def test_a_large_compound_reports_more_than_a_small_one(city: DemoCity) -> None:
    by_size = sorted(city.compounds, key=lambda compound: compound.households)
    small, large = ({compound.name for compound in part} for part in (by_size[:30], by_size[-30:]))
    rng = random.Random(8)
    drawn = [random_household(city, rng).address["compound"] for _ in range(2000)]
    assert sum(name in large for name in drawn) > 3 * sum(name in small for name in drawn)


def test_no_household_has_a_number_that_could_ring(city: DemoCity) -> None:
    rng = random.Random(6)
    numbers = {random_household(city, rng).phone for _ in range(200)}
    assert all(len(number) == 11 and number.startswith("120") for number in numbers)


def test_the_same_seed_gives_the_same_city_and_another_seed_another(city: DemoCity) -> None:
    assert generate_city(1) == generate_city(1)
    assert generate_city(1) != generate_city(2)
    assert random_household(city, random.Random(3)) == random_household(city, random.Random(3))
    assert random_fault(random.Random(3)) == random_fault(random.Random(3))


def test_faults_come_in_the_published_mix() -> None:
    rng = random.Random(4)
    drawn = Counter(random_fault(rng).category for _ in range(20_000))
    assert set(drawn) == set(FAULTS)
    assert sum(kind.share for kind in FAULT_KINDS) == pytest.approx(1.0)
    simple = sum(drawn[code] for code in ("radiator_air", "valve_closed", "filter_clogged"))
    assert simple > 20_000 / 2
    assert drawn["burst"] < drawn["leak"] < drawn["radiator_air"]


def test_a_fault_unpacks_and_agrees_with_its_kind() -> None:
    kinds = {kind.code: kind for kind in FAULT_KINDS}
    rng = random.Random(9)
    for _ in range(500):
        category, severity, description, skills = random_fault(rng)
        assert severity == kinds[category].severity
        assert description in kinds[category].descriptions
        assert set(skills) <= set(SKILLS)
    assert kinds["burst"].severity == 5
    assert min(kind.severity for kind in FAULT_KINDS) == 1
