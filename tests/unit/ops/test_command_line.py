import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SQUARES = [(126.0, 126.1), (126.1, 126.2)]


def qiangdan(*arguments: str | Path, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "dispatch.cli", *map(str, arguments)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), **variables},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def zones_file(folder: Path, *west_east: tuple[float, float]) -> Path:
    features = [
        {
            "type": "Feature",
            "properties": {"id": f"z{i}", "name": f"片区{i}"},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[west, 45.0], [east, 45.0], [east, 45.1], [west, 45.1], [west, 45.0]]],
            },
        }
        for i, (west, east) in enumerate(west_east)
    ]
    file = folder / "zones.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return file


def test_help_names_every_command_of_the_contract(tmp_path: Path) -> None:
    done = qiangdan("--help", folder=tmp_path)
    assert done.returncode == 0
    commands = [
        "serve",
        "engine",
        "planner",
        "clocks",
        "migrate",
        "token",
        "city",
        "doctor",
        "zones",
        "reports",
        "crew",
    ]
    assert [name for name in commands if f"\n  {name} " not in done.stdout] == []


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "qiangdan --help"),
        (["zones"], "qiangdan zones --help"),
        (["serv"], "serv"),
        (["serve", "--port", "eighty"], "--port"),
        (["serve", "--workers", "0"], "--workers"),
        (["token", "--role", "crew"], "--subject"),
        (["zones", "check", "none.geojson"], "none.geojson"),
        (["bench", "none"], "none"),
        (["serve", "--config", "none.toml"], "none.toml"),
    ],
)
def test_wrong_usage_is_one_sentence_and_status_2(tmp_path: Path, arguments: list[str], word: str) -> None:
    done = qiangdan(*arguments, folder=tmp_path)
    assert done.returncode == 2
    assert word in done.stderr and len(done.stderr.splitlines()) == 1
    assert len(done.stderr) < 300


def test_an_unknown_variable_is_refused_by_name(tmp_path: Path) -> None:
    done = qiangdan("doctor", folder=tmp_path, QIANGDAN_DATABSE_URL="x")
    assert done.returncode == 2
    assert done.stderr == (
        "The environment variable QIANGDAN_DATABSE_URL is not known; did you mean QIANGDAN_DATABASE_URL?\n"
    )


def test_a_misspelt_folder_does_not_become_a_second_installation(tmp_path: Path) -> None:
    done = qiangdan("token", "--data-dir", tmp_path / "dta", folder=tmp_path)
    assert done.returncode == 1
    assert "There is no data in" in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "dta").exists()


def test_a_database_that_is_not_there_is_said_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://u:geheim@127.0.0.1:1/x"
    done = qiangdan("migrate", "--database-url", url, folder=tmp_path)
    assert done.returncode == 1
    assert "127.0.0.1:1" in done.stderr and "geheim" not in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_traceback_is_shown_to_those_who_ask(tmp_path: Path) -> None:
    done = qiangdan("--debug", "migrate", "--database-url", "postgresql://127.0.0.1:1/x", folder=tmp_path)
    assert "Traceback" in done.stderr


def test_good_zones_pass(tmp_path: Path) -> None:
    done = qiangdan("zones", "check", zones_file(tmp_path, *SQUARES), folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 zones" in done.stdout


def test_an_overlap_is_named_with_zones_place_and_area(tmp_path: Path) -> None:
    done = qiangdan("zones", "check", zones_file(tmp_path, (126.0, 126.1), (126.09, 126.2)), folder=tmp_path)
    assert done.returncode == 1
    assert all(word in done.stdout for word in ("z0", "z1", "m²", "126.09", "45.05"))


def test_gaps_are_named_beside_overlaps_and_policies_are_checked(tmp_path: Path) -> None:
    # From the second zone to the third it is 4 m.
    file = zones_file(tmp_path, (126.0, 126.1), (126.09, 126.2), (126.20005, 126.3))
    document = json.loads(file.read_text(encoding="utf-8"))
    document["features"][2]["properties"]["policy"] = {"mode": "auction"}
    file.write_text(json.dumps(document), encoding="utf-8")
    done = qiangdan("zones", "check", file, folder=tmp_path)
    assert done.returncode == 1
    assert "zones 'z0' and 'z1' overlap by" in done.stdout
    assert "no zone serves a gap of" in done.stdout
    assert "the policy of zone 'z2'" in done.stdout and "/features/2/properties/policy/mode" in done.stdout
    assert "2 problem(s)" in done.stderr


def test_the_doctor_says_what_is_wrong_and_how_to_mend_it(tmp_path: Path) -> None:
    well = qiangdan("doctor", "--port", "0", folder=tmp_path)
    assert well.returncode == 0, well.stdout
    ill = qiangdan("doctor", "--port", "0", "--database-url", "postgresql://127.0.0.1:1/x", folder=tmp_path)
    assert ill.returncode == 1
    [line] = [line for line in ill.stdout.splitlines() if line.startswith("problem")]
    assert "start the database" in line


def test_bench_prints_a_list_even_of_nothing(tmp_path: Path) -> None:
    done = qiangdan("bench", "--help", folder=tmp_path)
    assert done.returncode == 0 and "--json" in done.stdout


def test_a_broken_pipe_is_nobody_s_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m dispatch.cli --help | true"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        ["sh", "-c", command], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
