"""Days in virtual time: honest visits, reproducible, and what happens at their edges."""

import subprocess
import sys
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dispatch.config import Settings
from dispatch.simulate import runs
from dispatch.simulate.behaviour import CrewBehaviour
from dispatch.simulate.policies import POLICIES
from dispatch.simulate.results import visits_csv
from tests.unit.simulate.folders import WEST, at, crew, folder_of, made_up, report, simulate
from tests.unit.simulate.visits_audit import audit


@pytest.fixture(scope="module")
def busy_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up(tmp_path_factory.mktemp("busy"), crews=14, reports=120)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("setting_off_median_s", [0.0, 45.0])
def test_every_visit_is_honest_and_the_figures_are_those_of_the_visits(
    busy_day: Path, policy: str, setting_off_median_s: float
) -> None:
    outcome = simulate(busy_day, policy, setting_off_median_s=setting_off_median_s)
    wrong, figures = audit(busy_day, visits_csv(outcome.visits))
    assert wrong == []
    assert figures == {name: getattr(outcome.summary, name) for name in figures}
    assert figures["unserved"] < 40, "most are served"


def test_the_same_seed_gives_the_same_bytes_in_another_process(busy_day: Path, tmp_path: Path) -> None:
    written = []
    for hash_seed in ("1", "2"):
        out = tmp_path / hash_seed
        command = [sys.executable, "-m", "dispatch.cli", "simulate", str(busy_day), "--seed", "7", "--out", str(out)]
        done = subprocess.run(
            [*command, "--json"], capture_output=True, check=True, env={"PYTHONHASHSEED": hash_seed, "PATH": ""}
        )
        written.append(((out / "visits.csv").read_bytes(), done.stdout))
    assert written[0] == written[1]


def test_another_seed_throws_other_dice(busy_day: Path) -> None:
    assert visits_csv(simulate(busy_day, "grab").visits) != visits_csv(simulate(busy_day, "grab", seed=2).visits)


def test_no_reports_and_no_crews_are_days_too(tmp_path: Path) -> None:
    empty = simulate(folder_of(tmp_path / "a", [crew("c")], []), "hybrid").summary
    assert (empty.reports, empty.unserved, empty.p50_s) == (0, 0, None)
    for policy in POLICIES:
        alone = simulate(folder_of(tmp_path / "b", [], [report("r", 0)]), policy).summary
        assert (alone.reports, alone.unserved, alone.share_15) == (1, 1, 0.0)


@pytest.mark.parametrize("policy", POLICIES)
def test_what_nobody_can_do_stays_unserved_and_the_day_ends(tmp_path: Path, policy: str) -> None:
    folder = folder_of(tmp_path, [crew("c")], [report("r1", 0, needs="gas"), report("r2", 1)])
    outcome = simulate(folder, policy)
    assert [visit.report.id for visit in outcome.visits] == ["r2"]
    assert outcome.summary.unserved == 1


def test_work_begun_is_finished_after_the_shift_and_work_not_begun_goes_to_others(tmp_path: Path) -> None:
    crews = [crew("early", capacity=2, shift=(at(0), at(30))), crew("late", km=3, shift=(at(60), at(600)))]
    reports = [report("r1", 1, service_s=3600), report("r2", 2, service_s=60)]
    outcome = simulate(folder_of(tmp_path, crews, reports), "grab", keenness=1.0, keenness_per_order=1.0)
    assert {visit.report.id: visit.crew for visit in outcome.visits} == {"r1": "early", "r2": "late"}
    assert min(visit.departed_at for visit in outcome.visits if visit.crew == "late").isoformat() >= at(60)


def test_a_shift_without_length_brings_nobody(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, [crew("c", shift=(at(5), at(5)))], [report("r", 0)])
    assert simulate(folder, "hybrid").summary.unserved == 1


def test_a_report_outside_every_zone_is_opened_by_the_dispatcher(tmp_path: Path) -> None:
    outside = report("r", 0).replace(f"{WEST + 0.02:.6f}", f"{WEST - 0.01:.6f}")
    folder = folder_of(tmp_path, [crew("c")], [outside])
    assert simulate(folder, "nearest").visits[0].claimed_at.isoformat() == at(0)
    assert simulate(folder, "optimizer", dispatcher_s=120).visits[0].claimed_at.isoformat() == at(2)
    assert simulate(folder, "hybrid", keenness=1.0, keen_within_m=1e6).visits[0].zone is None


def test_nearest_takes_the_nearest_idle_crew_and_then_first_come_first_served(tmp_path: Path) -> None:
    reports = [report("r1", 0, km=0.1), report("r2", 1), report("r3", 2, severity=1), report("r4", 3, severity=5)]
    outcome = simulate(folder_of(tmp_path, [crew("far", km=1.5), crew("near")], reports), "nearest")
    assert [visit.report.id for visit in outcome.visits] == ["r1", "r2", "r3", "r4"]
    assert [visit.crew for visit in outcome.visits[:2]] == ["near", "far"]


def test_the_rule_takes_the_severe_before_the_old(tmp_path: Path) -> None:
    reports = [report("r1", 0), report("r2", 1, severity=1), report("r3", 2, severity=5)]
    outcome = simulate(folder_of(tmp_path, [crew("c")], reports), "rule")
    assert [visit.report.id for visit in outcome.visits] == ["r1", "r3", "r2"]


@pytest.mark.parametrize("policy", ["nearest", "rule", "optimizer", "hybrid"])
def test_of_crews_that_begin_in_one_moment_the_nearest_goes_whoever_stands_first(tmp_path: Path, policy: str) -> None:
    crews = [crew("far", km=1.9, shift=(at(0), "")), crew("near", km=0.05, shift=(at(0), ""))]
    [visit] = simulate(folder_of(tmp_path, crews, [report("r", -5)]), policy, keenness=0.0).visits
    assert visit.crew == "near"


@pytest.mark.parametrize("policy", ["nearest", "rule", "optimizer"])
def test_of_crews_that_are_freed_in_one_second_the_nearer_goes(tmp_path: Path, policy: str) -> None:
    crews = [crew("south", km=-1.5), crew("north", km=1.5)]
    reports = [report("r1", 0, km=-1.5), report("r2", 0, km=1.5), report("r3", 5, km=1.6)]
    visits = simulate(folder_of(tmp_path, crews, reports), policy).visits
    assert visits[0].done_at == visits[1].done_at, "both are freed in the same second"
    assert {visit.report.id: visit.crew for visit in visits} == {"r1": "south", "r2": "north", "r3": "north"}


@pytest.mark.parametrize(("policy", "first"), [("nearest", "r1"), ("rule", "r2"), ("optimizer", "r2")])
def test_of_reports_of_one_instant_the_severe_goes_first_but_under_nearest(
    tmp_path: Path, policy: str, first: str
) -> None:
    reports = [report("r1", 0, severity=1), report("r2", 0, severity=5)]
    outcome = simulate(folder_of(tmp_path, [crew("c")], reports), policy)
    assert outcome.visits[0].report.id == first


def test_under_nearest_a_report_off_every_zone_keeps_its_place_before_another_of_its_instant(tmp_path: Path) -> None:
    outside = report("off", 0).replace(f"{WEST + 0.02:.6f}", f"{WEST - 0.01:.6f}")
    folder = folder_of(tmp_path, [crew("c")], [outside, report("in", 0)])
    assert [visit.report.id for visit in simulate(folder, "nearest").visits] == ["off", "in"]


def test_of_two_keen_crews_the_nearer_wins_the_sealed_window(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, [crew("far", km=1.9), crew("near", km=0.1)], [report("r", 0)])
    [visit] = simulate(folder, "hybrid", keenness=1.0, keen_within_m=1e6, reaction_sigma=0.0).visits
    assert (visit.crew, visit.claimed_by) == ("near", "grab")
    assert visit.claimed_at - visit.report.at == timedelta(seconds=3.5), "the window closed once both had answered"


def test_what_nobody_grabs_the_machine_gives_out_in_hybrid_alone(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, [crew("c")], [report("r", 0)])
    [visit] = simulate(folder, "hybrid", keenness=0.0).visits
    assert visit.claimed_by == "optimizer"
    assert visit.claimed_at.isoformat() == at(1)
    assert simulate(folder, "grab", keenness=0.0).summary.unserved == 1


@pytest.mark.parametrize(
    ("zone", "as_configured", "who"),
    [
        ({}, False, ("near", "optimizer")),
        ({"window_s": 4}, False, ("near", "optimizer")),
        ({"leave_to_grabs": "always"}, False, ("far", "grab")),
        ({}, True, ("far", "grab")),
        ({"leave_to_grabs": "when_safe"}, True, ("near", "optimizer")),
    ],
)
def test_nobody_is_asked_to_grab_what_he_would_serve_late_unless_the_zone_or_the_word_says_otherwise(
    tmp_path: Path, zone: dict[str, Any], as_configured: bool, who: tuple[str, str]
) -> None:
    near = crew("near").replace("z0", "z1")
    folder = folder_of(tmp_path, [near, crew("far", km=6)], [report("r", 0)], policy=zone)
    scenario, city = runs.prepare(folder, Settings())
    behaviour = CrewBehaviour(keenness=1.0, keen_within_m=1e6)
    [visit] = runs.simulate(scenario, city, "hybrid", behaviour=behaviour, seed=1, as_configured=as_configured).visits
    assert (visit.crew, visit.claimed_by) == who
    assert (visit.claimed_at.isoformat() == at(0)) is (who[1] == "optimizer")


def test_a_busy_crew_without_room_grabs_nothing(busy_day: Path) -> None:
    one_at_a_time = [line.split(",") for line in (busy_day / "crews.csv").read_text().splitlines()[1:]]
    singles = {cells[0] for cells in one_at_a_time if cells[5] == "1"}
    own: dict[str, list[tuple[datetime, datetime]]] = {}
    for visit in simulate(busy_day, "grab").visits:
        if visit.crew in singles:
            own.setdefault(visit.crew, []).append((visit.claimed_at, visit.done_at))
    for spans in own.values():
        assert all(done <= claimed for (_, done), (claimed, _) in pairwise(sorted(spans)))


def test_a_drive_takes_what_the_hour_makes_of_it(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, [crew("c", km=1.5)], [report("r", 0)])
    plain = simulate(folder, "nearest").visits[0].response_s
    hours = [1.0] * 24
    hours[16] = 2.0  # eight in the morning in UTC
    (folder / "travel.toml").write_text(f"hour_factors = {hours}\n")
    assert simulate(folder, "nearest").visits[0].response_s == 2 * plain
