from pathlib import Path
from typing import Any

import pytest

from dispatch.config import Settings, load_settings, to_environment
from dispatch.operator_errors import ConfigError
from geo import Conditions


def settings_of(tmp_path: Path, toml: str = "", **variables: str) -> Settings:
    file = tmp_path / "qiangdan.toml"
    file.write_text(toml, encoding="utf-8")
    return load_settings(file, environ=variables)


def refusal(tmp_path: Path, toml: str = "", **variables: str) -> str:
    with pytest.raises(ConfigError) as caught:
        settings_of(tmp_path, toml, **variables)
    return str(caught.value)


def test_without_any_setting_the_contract_s_defaults_hold() -> None:
    settings = load_settings(environ={})
    assert (settings.host, settings.port, settings.workers, settings.database_url) == ("127.0.0.1", 8000, 1, None)
    assert (settings.grab.mode, settings.grab.window_s, settings.grab.tie_s) == ("sealed", 6, 30)
    assert (settings.grab.ring_s, settings.grab.assign_after_s) == ((15, 30), 60)
    assert [settings.clocks.target_s(clock, 1) for clock in ("hand_down", "arrival", "resolve")] == [600, 900, 86_400]


def test_the_environment_wins_over_the_file_and_a_flag_over_both(tmp_path: Path) -> None:
    file = tmp_path / "qiangdan.toml"
    file.write_text("port = 1\nworkers = 2\nhost = 'a'\n", encoding="utf-8")
    environ = {"QIANGDAN_PORT": "3", "QIANGDAN_WORKERS": "4", "QIANGDAN_CONFIG": str(file)}
    settings = load_settings(None, {"port": 5, "workers": None}, environ=environ)
    assert (settings.host, settings.workers, settings.port) == ("a", 4, 5)


def test_a_table_is_merged_key_by_key(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        "[clocks]\narrival_s = 800\n[clocks.severity.5]\narrival_s = 400\n",
        QIANGDAN_CLOCKS_HAND_DOWN_S="300",
        QIANGDAN_GRAB_RING_S="1, 2",
    )
    assert settings.clocks.target_s("arrival", 5) == 400
    assert settings.clocks.target_s("arrival", 4) == 800
    assert settings.clocks.target_s("hand_down", 5) == 300
    assert settings.grab.ring_s == (1, 2)


def test_an_unknown_key_is_refused_by_name_with_the_nearest_known_one(tmp_path: Path) -> None:
    assert "clocks.arival_s" in (text := refusal(tmp_path, "[clocks]\narival_s = 3")) and "arrival_s?" in text
    assert "clocks.severity.5.arival_s" in refusal(tmp_path, "[clocks.severity.5]\narival_s = 3")
    text = refusal(tmp_path, QIANGDAN_DATABSE_URL="x")
    assert "QIANGDAN_DATABSE_URL" in text and "QIANGDAN_DATABASE_URL?" in text


def test_variables_of_the_tests_and_of_others_are_left_alone(tmp_path: Path) -> None:
    assert settings_of(tmp_path, QIANGDAN_TEST_POSTGRES="15", PATH="x", QIANGDAN_PORT="") == Settings()


@pytest.mark.parametrize(
    ("toml", "names"),
    [
        ("port = 70000", ["port", "65535"]),
        ("port = 'x'", ["port", "number"]),
        ("[clocks]\narrival_s = -1", ["clocks.arrival_s", "> 0"]),
        ("[clocks]\nat_risk_share = 1.0", ["clocks.at_risk_share", "< 1"]),
        ("[clocks.severity.9]\narrival_s = 1", ["severity 9"]),
        ("[grab]\nmode = 'fast'", ["grab.mode", "fast"]),
        ("[grab]\nring_s = [9, 3]", ["ring_s"]),
        ("database_url = 'mysql://x'", ["database_url", "postgresql://"]),
        ("clocks = 3", ["clocks"]),
        ("data_dir = ''", ["data_dir"]),
        ("port = ", ["not TOML"]),
    ],
)
def test_a_wrong_value_is_named_with_its_place_in_one_sentence(tmp_path: Path, toml: str, names: list[str]) -> None:
    text = refusal(tmp_path, toml)
    assert all(name in text for name in [*names, "qiangdan.toml"])
    assert "\n" not in text


def test_a_value_from_the_environment_is_named_as_such(tmp_path: Path) -> None:
    assert "environment" in refusal(tmp_path, "port = 5", QIANGDAN_PORT="x")


def test_a_missing_file_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(tmp_path / "none.toml", environ={})


def test_a_child_process_gets_exactly_the_same_settings(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "[clocks.severity.5]\narrival_s = 400\n", QIANGDAN_DATABASE_URL="postgresql://x/y")
    child = load_settings(environ={**to_environment(settings), "QIANGDAN_PORT": "1"})
    assert child == settings


def test_printed_settings_withhold_what_is_secret(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, QIANGDAN_DATABASE_URL="postgresql://u:geheim@h/d", QIANGDAN_ADMIN_TOKEN="g" * 30)
    assert "geheim" not in repr(settings) and "ggg" not in repr(settings)


def test_the_kind_of_travel_is_chosen_by_table_or_variables(tmp_path: Path) -> None:
    town = tmp_path / "town.osm.pbf"
    town.touch()
    settings = settings_of(
        tmp_path,
        f'[travel]\nkind = "roads"\nfile = "{town}"\n[travel.weather_factors]\nsnow = 1.4\n',
        QIANGDAN_TRAVEL_WEATHER="snow",
        QIANGDAN_TRAVEL_HOUR_FACTORS=",".join(["1.5"] * 24),
    )
    assert (settings.travel.kind, settings.travel.file) == ("roads", town)
    assert settings.travel.factors.factor(Conditions(3, "snow")) == pytest.approx(1.5 * 1.4)
    chosen = settings_of(tmp_path, QIANGDAN_TRAVEL_KIND="osrm", QIANGDAN_TRAVEL_URL="http://osrm:5000").travel
    assert (chosen.kind, chosen.url) == ("osrm", "http://osrm:5000")
    assert load_settings(environ=to_environment(settings)) == settings


@pytest.mark.parametrize(
    ("toml", "complaint"),
    [
        ('[travel]\nkind = "roads"', "needs file"),
        ('[travel]\nkind = "roads"\nfile = "/nowhere/town.osm.pbf"', "/nowhere/town.osm.pbf"),
        ('[travel]\nkind = "osrm"', "needs url"),
        ('[travel]\nkind = "walk"', "travel.kind"),
        ("[travel]\nhour_factors = [1, 2]", "travel.hour_factors"),
        ('[travel]\nweather = "snow"', "'snow'"),
        ('time_zone = "Asia/Haerbing"', "time_zone"),
    ],
)
def test_a_kind_of_travel_that_cannot_work_is_refused_at_the_start(tmp_path: Path, toml: str, complaint: str) -> None:
    assert complaint in refusal(tmp_path, toml)


def archive(folder: Path, *, tile_type: int = 2, magic: bytes = b"PMTiles\x03") -> Path:
    file = folder / "map.pmtiles"
    header = bytearray(127)
    header[: len(magic)], header[99] = magic, tile_type
    file.write_bytes(header)
    return file


def test_a_basemap_s_file_is_an_archive_of_images(tmp_path: Path) -> None:
    file = archive(tmp_path)
    assert settings_of(tmp_path, QIANGDAN_BASEMAP_FILE=str(file)).basemap.file == file


@pytest.mark.parametrize(
    ("header", "way_out"),
    [
        ({"tile_type": 1}, "holds vector tiles, and the map draws images"),
        ({"tile_type": 0}, "does not say that its tiles are images"),
        ({"magic": b"SQLite format 3"}, "make one with 'pmtiles convert'"),
    ],
)
def test_a_basemap_s_file_that_no_map_can_draw_is_refused(tmp_path: Path, header: dict[str, Any], way_out: str) -> None:
    assert way_out in refusal(tmp_path, QIANGDAN_BASEMAP_FILE=str(archive(tmp_path, **header)))


@pytest.mark.parametrize(
    ("toml", "way_out"),
    [
        ('file = "/nowhere/map.pmtiles"', "cannot be read"),
        ('url = "https://a.example/{z}/{x}/{y}.png"\nfile = "/srv/map.pmtiles"', "leave one out"),
        ('url = "https://a.example/{z}/{x}/{y}.png"\ndatum = "bd09"', "take Tianditu's (wgs84)"),
        ('url = "https://a.example/map.pmtiles"\ndatum = "gcj02"', "as a template with {z}, {x}, {y}"),
    ],
)
def test_a_basemap_that_would_be_drawn_wrong_is_refused_with_the_way_out(
    tmp_path: Path, toml: str, way_out: str
) -> None:
    assert way_out in refusal(tmp_path, f"[basemap]\n{toml}")
