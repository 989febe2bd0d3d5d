"""`qiangdan simulate` as somebody types it: figures, files, and one sentence for whatever is wrong with a scenario."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from dispatch.cli import main
from tests.unit.geo.routing_server import routing_server
from tests.unit.simulate.folders import CREW_HEADER, REPORT_HEADER, at, crew, folder_of, made_up, report, rows_of

KEYS = [
    "reports",
    "arrived_15",
    "share_15",
    "p50_s",
    "p90_s",
    "p99_s",
    "mean_s",
    "weighted_tardiness_s",
    "travel_s",
    "claimed_by",
    "unserved",
]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command line; returns status, stdout, stderr."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["simulate", *map(str, arguments)])
        told = capfd.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return run


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "day", [crew("c1"), crew("c2", km=1)], [report("r1", 0), report("r2", 5)])


def test_the_figures_come_as_json_and_the_visits_as_csv(run: Run, scenario: Path, tmp_path: Path) -> None:
    status, out, err = run(scenario, "--policy", "nearest", "--seed", "3", "--out", tmp_path / "out", "--json")
    assert (status, err) == (0, "")
    figures = json.loads(out)
    assert list(figures) == KEYS
    assert figures["claimed_by"] == {"optimizer": 2}
    [first, _] = rows_of((tmp_path / "out" / "visits.csv").read_text())
    assert ",".join(first) == "report,crew,claimed_at,departed_at,arrived_at,done_at,claimed_by"
    assert first["claimed_at"] == at(0)


def test_a_comparison_is_one_page_that_needs_no_other_and_holds_the_figures(run: Run, tmp_path: Path) -> None:
    day = made_up(tmp_path / "day <b>", crews=6, reports=60)
    status, out, _ = run(day, "--compare", "nearest,grab,optimizer,hybrid", "--out", tmp_path / "out", "--json")
    assert status == 0
    figures = json.loads(out)
    assert list(figures) == ["nearest", "grab", "optimizer", "hybrid"]
    page = (tmp_path / "out" / "compare.html").read_text()
    assert not re.search(r"https?:|src=|url\(|@import", page), "nothing is fetched from anywhere"
    assert "<b>" not in page, "names are text, not markup"
    assert page.count("<svg") == 2 + len(figures)
    for name, own in figures.items():
        assert f"{own['share_15']:.1%}" in page
        assert f"{own['weighted_tardiness_s']:,}" in page
        assert (tmp_path / "out" / name / "visits.csv").exists()


def test_the_curve_over_crews_stands_in_the_page_and_in_the_figures(run: Run, tmp_path: Path) -> None:
    day = made_up(tmp_path / "day", crews=6, reports=60)
    words = (day, "--compare", "nearest,rule", "--crews", "6,2", "--out", tmp_path / "out", "--json")
    status, out, _ = run(*words)
    assert status == 0
    figures = json.loads(out)
    page = (tmp_path / "out" / "compare.html").read_text()
    for own in figures.values():
        assert list(own["by_crews"]) == ["2", "6"]
        few, all_of_them = own["by_crews"]["2"], own.pop("by_crews")["6"]
        assert all_of_them == own, "with all its crews the day is the day"
        assert few["arrived_15"] < own["arrived_15"]
        assert f"{few['weighted_tardiness_s']:,} s" in page
    assert "number of crews" in page


@pytest.mark.parametrize("crews", ["0", "7", "two", ","])
def test_crews_that_the_scenario_does_not_have_are_wrong_usage(run: Run, tmp_path: Path, crews: str) -> None:
    day = made_up(tmp_path / "day", crews=6, reports=6)
    status, _, err = run(day, "--compare", "nearest", "--crews", crews)
    assert status == 2
    assert "numbers from 1 to 6" in err
    assert run(day, "--crews", "2")[0] == 2, "a curve belongs to a comparison"


def test_as_configured_leaves_to_grabs_what_the_installation_leaves(run: Run, tmp_path: Path) -> None:
    day = folder_of(tmp_path / "day", [crew("far", km=6)], [report("r", 0)])
    (day / "crews.toml").write_text("keenness = 1.0\nkeen_within_m = 1e6\n")
    for words, claimed_by in (((), {"optimizer": 1}), (("--as-configured",), {"grab": 1})):
        _, out, _ = run(day, *words, "--json", "--out", tmp_path)
        assert json.loads(out)["claimed_by"] == claimed_by


def test_behaviour_comes_from_the_folder_or_from_a_file(run: Run, scenario: Path, tmp_path: Path) -> None:
    (scenario / "crews.toml").write_text("keenness = 0.0\n")
    _, out, _ = run(scenario, "--policy", "grab", "--json", "--out", tmp_path)
    assert json.loads(out)["unserved"] == 2
    (tmp_path / "eager.toml").write_text("keenness = 1.0\nkeen_within_m = 1e6\n")
    _, out, _ = run(scenario, "--policy", "grab", "--json", "--out", tmp_path, "--behaviour", tmp_path / "eager.toml")
    assert json.loads(out)["unserved"] == 0


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("crews.csv", None, "crews.csv is missing"),
        ("crews.csv", "", "line 1: the column id is missing"),
        ("crews.csv", CREW_HEADER.replace("lat,", ""), "line 1: the column lat is missing"),
        ("crews.csv", f"{CREW_HEADER}\n{crew('c')}\n{crew('c')}", "line 3, column id:"),
        (
            "crews.csv",
            f"{CREW_HEADER}\n{crew('c', capacity=0)}",
            "line 2, column capacity: must be a whole number from 1",
        ),
        ("crews.csv", f"{CREW_HEADER}\n{crew('c', shift=(at(9), at(3)))}", "line 2, column shift_end:"),
        ("crews.csv", f"{CREW_HEADER}\nc,181,45,,,1,,", "line 2, column lon: must be degrees"),
        ("crews.csv", f"{CREW_HEADER}\nc,nan,45,,,1,,", "line 2, column lon: must be degrees"),
        ("crews.csv", f"{CREW_HEADER}\nc,126", "line 2: there are 2 cells under 8 columns"),
        ("crews.csv", f'{CREW_HEADER}\n"c', "this is not CSV"),
        ("reports.csv", f"{REPORT_HEADER}\n{report('r', 0, severity=6)}", "line 2, column severity:"),
        ("reports.csv", f"{REPORT_HEADER}\n{report('r', 0, service_s=-1)}", "line 2, column service_s:"),
        ("reports.csv", f"{REPORT_HEADER}\n{report('r', 0)}\n\n{report('r', 9)}", "line 4, column id:"),
        (
            "reports.csv",
            f"{REPORT_HEADER}\n{report('r', 0).replace('+00:00', '')}",
            "line 2, column at: must be a time",
        ),
        ("reports.csv", f"{REPORT_HEADER}\nr,yesterday,1,1,leak,1,1,", "line 2, column at: must be a time"),
        ("zones.geojson", None, "zones.geojson is missing"),
        ("zones.geojson", "{}", "zones.geojson"),
        ("travel.toml", 'kind = "rocket"', "there is no kind 'rocket'; there are metric, roads, valhalla, osrm."),
        ("travel.toml", "wings = 2", "wings is not known; there are kind, speed_mps"),
        ("travel.toml", "speed_mps = 0", "speed_mps"),
        ("travel.toml", "speed_mps = 1e-300", "speed_mps"),
        ("travel.toml", "sped_mps = 6", "sped_mps is not known; did you mean speed_mps?"),
        ("crews.toml", "keenness = 2.0", "key keenness"),
        ("crews.toml", "keeness = 1.0", "did you mean keenness?"),
        ("crews.toml", "keenness = ", "not TOML"),
    ],
)
def test_what_is_wrong_with_a_scenario_is_one_sentence_that_names_the_place(
    run: Run, scenario: Path, tmp_path: Path, file: str, text: str | None, told: str
) -> None:
    if text is None:
        (scenario / file).unlink()
    else:
        (scenario / file).write_text(text)
    status, out, err = run(scenario, "--out", tmp_path / "out")
    assert (status, out) == (1, "")
    assert told in err
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_a_report_without_a_severity_is_routine(run: Run, scenario: Path, tmp_path: Path) -> None:
    rows = [report("r1", 0, severity=1), report("r2", 1, severity=5), report("r3", 1, severity=1)]
    folders = [folder_of(tmp_path / "said", [crew("c")], rows)]
    folders.append(folder_of(tmp_path / "empty", [crew("c")], [row.replace(",1,", ",,", 1) for row in rows]))
    said, empty = (run(folder, "--policy", "rule", "--json", "--out", tmp_path / "out") for folder in folders)
    assert said == empty


def test_latin_1_and_a_folder_that_cannot_be_written_are_told_too(run: Run, scenario: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be written" in run(scenario, "--out", tmp_path / "file" / "below")[2]
    (scenario / "reports.csv").write_bytes(REPORT_HEADER.encode() + b"\nr\xe9,x")
    assert "not UTF-8" in run(scenario, "--out", tmp_path)[2]


@pytest.mark.parametrize(
    "wrong",
    [
        ["--policy", "best"],
        ["--compare", "nearest,best"],
        ["--compare", "grab,grab"],
        ["--compare", ""],
        ["--compare", "nearest", "--crews", ""],
        ["--seed", "x"],
    ],
)
def test_wrong_usage_ends_with_2(run: Run, scenario: Path, wrong: list[str]) -> None:
    status, _, err = run(scenario, *wrong)
    assert status == 2
    assert "Traceback" not in err


def test_lines_in_any_order_with_any_offset_and_a_bom_are_the_same_day(run: Run, tmp_path: Path) -> None:
    reports = [report("r1", 0), report("r2", 5), report("r3", 6)]
    plain = folder_of(tmp_path / "plain", [crew("c", skills="gas;pipework")], reports)
    other = folder_of(tmp_path / "other", [crew("c", skills="gas pipework")], reports[::-1])
    text = (other / "reports.csv").read_text().replace("T08:06:00+00:00", "T16:06:00+08:00")
    (other / "reports.csv").write_text("\ufeff" + text)
    written = []
    for folder in (plain, other):
        run(folder, "--out", tmp_path / "out", "--policy", "nearest")
        written.append((tmp_path / "out" / "visits.csv").read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize("kind", ["osrm", "valhalla"])
def test_what_the_metric_stood_in_for_is_said_with_counts(run: Run, tmp_path: Path, kind: str) -> None:
    island = report("r2", 5).replace("126.58", "126.95")
    day = folder_of(tmp_path / "day", [crew("c")], [report("r1", 0), island])
    with routing_server() as server:
        (day / "travel.toml").write_text(f'kind = "{kind}"\nurl = "{server.url}"\n')
        status, out, err = run(day, "--policy", "nearest", "--json", "--out", tmp_path / "out")
    assert status == 0
    assert json.loads(out)["unserved"] == 0
    [line] = err.splitlines()
    assert re.fullmatch(
        r"The plain metric stood in for (\d+) of \d+ travel times \(\1: it knows no way between the places\)\.", line
    )


@pytest.mark.parametrize("broken", [b"<html>", None])
def test_a_server_that_answers_nothing_is_an_error(run: Run, tmp_path: Path, broken: bytes | None) -> None:
    day = folder_of(tmp_path / "day", [crew("c")], [report("r1", 0)])
    with routing_server() as server:
        server.broken = broken
        url = server.url if broken else "http://127.0.0.1:1"
        (day / "travel.toml").write_text(f'kind = "osrm"\nurl = "{url}"\n')
        status, out, err = run(day, "--policy", "nearest", "--json", "--out", tmp_path / "out")
    assert (status, out) == (1, "")
    assert url in err and 'kind = "metric"' in err and len(err.splitlines()) == 1


def test_a_policy_that_is_wrong_and_a_home_that_is_nowhere_are_named_with_the_way_out(run: Run, tmp_path: Path) -> None:
    day = folder_of(tmp_path / "a", [crew("c")], [report("r", 0)], policy={"mode": "auction"})
    status, _, err = run(day, "--out", tmp_path)
    assert status == 1
    assert "/features/0/properties/policy/mode" in err and "qiangdan zones check" in err
    day = folder_of(tmp_path / "b", [crew("c"), crew("d").replace("z0", "z9")], [report("r", 0)])
    status, out, err = run(day, "--policy", "nearest", "--json", "--out", tmp_path)
    assert (status, json.loads(out)["unserved"]) == (0, 0)
    assert "No zone of zones.geojson is the home_zone of d (z9)" in err and len(err.splitlines()) == 1


@pytest.mark.parametrize("start", ["yesterday", "2026-01-15T00:00:00", "0001-01-01T00:00:00+14:00"])
def test_a_replay_from_no_time_is_wrong_usage(capfd: pytest.CaptureFixture[str], start: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["replay", "--from", start, "--to", "2026-01-16T00:00:00+08:00"])
    assert ended.value.code == 2
    assert "'--from'" in capfd.readouterr().err
