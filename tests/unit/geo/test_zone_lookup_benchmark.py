"""The zone-lookup benchmark: gives complete rows, and compares two that answer alike."""

import shapely

from benchmarks import zone_lookup
from geo import ZoneIndex

FIELDS = {"bench", "figure", "unit", "ours", "peer", "peer_name", "ratio", "target", "holds"}


def test_rows_are_complete_and_agree_with_themselves() -> None:
    rows = zone_lookup.run(seconds=0.05)
    assert {"single", "batch"} <= {row["figure"] for row in rows}
    for row in rows:
        assert set(row) == FIELDS
        assert abs(row["ratio"] - row["ours"] / row["peer"]) < 0.02
        assert row["holds"] is (row["ratio"] <= row["target"])


def test_lookup_is_within_its_target_of_the_peer() -> None:
    assert [row for row in zone_lookup.run(seconds=0.2) if not row["holds"]] == []


def test_the_synthetic_map_has_77_zones_and_the_peer_finds_the_same_one() -> None:
    zone_map = zone_lookup.synthetic_map(4)
    assert len(zone_map.zones) == 77
    assert zone_map.warnings == ()
    index = ZoneIndex(zone_map)
    shapes = [zone.geometry for zone in zone_map.zones]
    inside = [shapely.point_on_surface(shape) for shape in shapes]
    assert index.locate_many(shapely.get_x(inside), shapely.get_y(inside)) == [zone.id for zone in zone_map.zones]
