"""`qiangdan plan`: VROOM's JSON in and out, each job answered, faults named by their place and no traceback."""

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from optimizer import Fault, Iterations, ProblemError, solve
from optimizer.vroom import reading
from optimizer.vroom.writing import write

HARBIN = [126.63, 45.75]
NEAR = [126.64, 45.76]


def planned(document: dict[str, Any], *, iterations: int = 2_000) -> dict[str, Any]:
    problem = reading.read(json.dumps(document).encode())
    return write(problem, solve(problem, stop=Iterations(iterations)), document, computing_ms={})


def command(*arguments: str, given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dispatch.cli", "plan", *arguments], input=given, capture_output=True, text=True
    )


def two_jobs() -> dict[str, Any]:
    return {
        "vehicles": [{"id": 7, "start_index": 0, "end_index": 0, "description": "Li"}],
        "jobs": [
            {"id": 1, "location_index": 1, "service": 300, "setup": 60, "due": 100, "weight": 3},
            {"id": 2, "location_index": 2, "service": 300, "time_windows": [[2000, 3000]], "priority": 4},
        ],
        "matrices": {"car": {"durations": [[0, 120, 240], [120, 0, 60], [240, 60, 0]]}},
    }


def test_steps_carry_their_times() -> None:
    out = planned(two_jobs())
    steps = out["routes"][0]["steps"]
    assert [step["type"] for step in steps] == ["start", "job", "job", "end"]
    assert [(step["arrival"], step["duration"], step["waiting_time"]) for step in steps] == [
        (0, 0, 0),
        (120, 120, 0),
        (540, 180, 1460),
        (2540, 420, 0),
    ]
    assert [step["id"] for step in steps if step["type"] == "job"] == [1, 2]
    assert out["code"] == 0
    assert out["summary"]["weighted_tardiness"] == 3 * 20
    assert out["summary"]["priority"] == 4
    assert (out["summary"]["service"], out["summary"]["duration"], out["summary"]["waiting_time"]) == (600, 420, 1460)


def test_without_deadlines_travel_alone_decides() -> None:
    two = {
        "vehicles": [{"id": 1, "start_index": 0}, {"id": 2, "start_index": 0}],
        "jobs": [{"id": 1, "location_index": 1}, {"id": 2, "location_index": 2}],
        "matrices": {"car": {"durations": [[0, 40, 45], [40, 0, 5], [45, 5, 0]]}},
    }
    assert planned(two)["summary"]["cost"] == 45
    line = [0, *range(1_000, 1_400, 20)]
    many = {
        "vehicles": two["vehicles"],
        "jobs": [{"id": n, "location_index": n} for n in range(1, 21)],
        "matrices": {"car": {"durations": [[abs(a - b) for b in line] for a in line]}},
    }
    assert planned(many)["summary"]["cost"] == 1_380


def test_distances_are_added_up_where_they_are_given() -> None:
    document = two_jobs()
    document["matrices"]["car"]["distances"] = [[0, 1200, 2400], [1100, 0, 600], [2300, 500, 0]]
    out = planned(document)
    assert [step["distance"] for step in out["routes"][0]["steps"]] == [0, 1200, 1800, 4100]
    assert (out["routes"][0]["distance"], out["summary"]["distance"]) == (4100, 4100)
    assert "distance" not in planned(two_jobs())["summary"]
    document["matrices"]["bike"] = {"durations": document["matrices"]["car"]["durations"]}
    assert planned(document)["summary"]["distance"] == 4100, "nobody rides a bike"
    document["vehicles"].append({"id": 8, "start_index": 0, "profile": "bike"})
    with pytest.raises(ProblemError, match="/matrices/bike/distances"):
        reading.read(json.dumps(document).encode())


def test_coordinates_are_travelled_by_great_circle() -> None:
    out = planned({"vehicles": [{"id": 1, "start": HARBIN}], "jobs": [{"id": 1, "location": NEAR, "service": 5}]})
    assert out["routes"][0]["steps"][1]["location"] == NEAR
    assert 250 < out["routes"][0]["steps"][1]["arrival"] < 350  # 1.36 km x 1.3 / 6 m/s
    faster = {"vehicles": [{"id": 1, "start": HARBIN, "speed_factor": 2}], "jobs": [{"id": 1, "location": NEAR}]}
    assert planned(faster)["routes"][0]["duration"] == -(-out["routes"][0]["duration"] // 2)


def test_what_nobody_can_do_is_unassigned_with_its_reason() -> None:
    document = two_jobs()
    document["jobs"][0]["skills"] = [9]
    document["matrices"]["car"]["durations"][0][2] = None
    out = planned(document)
    assert [(left["id"], left["type"], left["location_index"]) for left in out["unassigned"]] == [
        (1, "job", 1),
        (2, "job", 2),
    ]
    assert [left["reason"] for left in out["unassigned"]] == ["no crew has the skill 9", "no crew can reach it"]
    assert out["summary"]["unassigned"] == 2


@pytest.mark.parametrize(
    ("at", "value", "pointer"),
    [
        (("jobs", 0, "due"), -1, "/jobs/0/due"),
        (("jobs", 0, "due"), 10**30, "/jobs/0/due"),
        (("jobs", 0, "due"), "soon", "/jobs/0/due"),
        (("jobs", 1, "id"), 1, "/jobs/1/id"),
        (("jobs", 1, "location_index"), 3, "/jobs/1/location_index"),
        (("jobs", 1, "location_index"), None, "/jobs/1/location_index"),
        (("jobs", 1, "time_windows"), [[5, 1]], "/jobs/1/time_windows/0"),
        (("jobs", 1, "Due"), 900, "/jobs/1/Due"),
        (("jobs", 1, "weigth"), 3, "/jobs/1/weigth"),
        (("jobs", 1, "deu"), 900, "/jobs/1/deu"),
        (("jobs", 0, "time_window"), [0, 900], "/jobs/0/time_window"),
        (("jobs", 0, "skill"), [4], "/jobs/0/skill"),
        (("vehicles", 0, "timeWindow"), [0, 900], "/vehicles/0/timeWindow"),
        (("vehicles", 0, "time_windows"), [[0, 900]], "/vehicles/0/time_windows"),
        (("job",), [{"id": 3, "location_index": 1}], "/job"),
        (("Vehicles",), [], "/Vehicles"),
        (("jobs", 1, "service_per_type"), {"van": 60}, "/jobs/1/service_per_type"),
        (("vehicles", 0, "max_travel_time"), -1, "/vehicles/0/max_travel_time"),
        (("vehicles", 0, "max_distance"), 900, "/vehicles/0/max_distance"),
        (("vehicles", 0, "max_tasks"), -1, "/vehicles/0/max_tasks"),
        (("vehicles", 0, "costs"), {"fixed": 100}, "/vehicles/0/costs"),
        (("vehicles", 0, "start_index"), 8, "/vehicles/0/start_index"),
        (("vehicles", 0, "end_index"), 3, "/vehicles/0/end_index"),
        (("vehicles", 0), {"id": 7}, "/vehicles/0/start_index"),
        (("vehicles", 0, "speed_factor"), 1e-300, "/vehicles/0/speed_factor"),
        (("vehicles", 0, "time_window"), [9, 1], "/vehicles/0/time_window"),
        (("vehicles", 0, "breaks"), [{"id": 1, "time_windows": [[0, 9]]}], "/vehicles/0/breaks"),
        (("vehicles", 0, "profile"), "bike", "/vehicles/0/profile"),
        (("matrices", "car", "durations"), [[0, 1], [1, 0, 1], [1, 1]], "/matrices/car/durations/0"),
        (("matrices", "car", "durations"), [[0, -1, 1], [1, 0, 1], [1, 1, 0]], "/matrices/car/durations/0/1"),
        (("matrices", "car", "distances"), [[0, 1], [1, 0]], "/matrices/car/distances"),
        (("matrices", "car", "distances"), [[0, 1, 1], [1, 0], [1, 1, 0]], "/matrices/car/distances/1"),
        (("matrices", "car", "distances"), [[0, 1, 1], [1, 0, None], [1, 1, 0]], "/matrices/car/distances/1/2"),
        (("matrices", "car", "costs"), [[0, 1, 1], [1, 0, 1], [1, 1, 0]], "/matrices/car/costs"),
        (("matrices", "car", "distances"), "far", "/matrices/car/distances"),
        (("vehicles", 0, "costs"), {"per_minute": 3}, "/vehicles/0/costs/per_minute"),
        (("shipments",), [{"pickup": {"id": 1}}], "/shipments"),
        (("matrix",), [[0, 1, 1], [1, 0, 1], [1, 1, 0]], "/matrix"),
    ],
)
def test_a_fault_is_named_by_its_place(at: tuple[str | int, ...], value: Any, pointer: str) -> None:
    document: Any = two_jobs()
    inner = document
    for step in at[:-1]:
        inner = inner[step]
    inner[at[-1]] = value
    with pytest.raises(ProblemError) as caught:
        reading.read(json.dumps(document).encode())
    assert caught.value.faults[0].pointer.startswith(pointer)


def test_a_fault_speaks_the_words_of_the_document() -> None:
    with pytest.raises(ProblemError) as caught:
        reading.read(b'{"vehicles": [{"id": 1, "start": [1e400, 1]}], "jobs": []}')
    assert caught.value.faults[0].pointer == "/vehicles/0/start/0"
    with pytest.raises(ProblemError) as caught:
        reading.read(b'{"vehicles": [], "jobs": [], "seen": {"by": [1e400]}}')
    assert caught.value.faults[0] == Fault("", "Number out of range within it")
    document = two_jobs()
    document["vehicles"] *= 2
    with pytest.raises(ProblemError) as caught:
        reading.read(json.dumps(document).encode())
    assert caught.value.faults[0] == Fault("/vehicles/1/id", "7 is the id of /vehicles/0 too")


def test_what_changes_no_plan_is_taken_as_vroom_takes_it() -> None:
    document = two_jobs()
    plain = planned(two_jobs())
    document |= {"shipments": [], "version": 3}
    document["jobs"][0] |= {"colour": "red", "description": "a burst"}
    document["vehicles"][0] |= {"breaks": [], "steps": [], "costs": {"fixed": 0}, "type": "van", "plate": "A 1"}
    again = planned(document)
    assert [step.get("id") for step in again["routes"][0]["steps"]] == [
        step.get("id") for step in plain["routes"][0]["steps"]
    ]
    assert again["summary"]["weighted_tardiness"] == plain["summary"]["weighted_tardiness"]


def test_the_older_member_for_one_matrix_is_travelled_by_as_vroom_does() -> None:
    document = two_jobs()
    again = planned(two_jobs())
    document["matrix"] = document.pop("matrices")["car"]["durations"]
    assert planned(document) == again
    document["matrix"][1].pop()
    with pytest.raises(ProblemError) as caught:
        reading.read(json.dumps(document).encode())
    assert caught.value.faults == (Fault("/matrix/1", "has 2 columns in a matrix of 3 rows"),)


def test_a_vehicle_with_an_end_alone_starts_at_its_first_job() -> None:
    document = two_jobs()
    del document["vehicles"][0]["start_index"]
    out = planned(document)
    steps = out["routes"][0]["steps"]
    assert [(step["type"], step["arrival"], step["duration"]) for step in steps] == [
        ("job", 0, 0),
        ("job", 420, 60),
        ("end", 2540, 300),
    ]
    document["vehicles"][0]["end_index"] = 3
    with pytest.raises(ProblemError, match="/vehicles/0/end_index"):
        reading.read(json.dumps(document).encode())
    by_place = {"vehicles": [{"id": 1, "end": HARBIN}], "jobs": [{"id": 1, "location": NEAR}]}
    steps = planned(by_place)["routes"][0]["steps"]
    assert [(step["type"], step["duration"] > 0) for step in steps] == [("job", False), ("end", True)]


@pytest.mark.parametrize("seed", range(5))
def test_with_ends_alone_no_longer_routes_are_found_than_by_vroom_itself(seed: int, tmp_path: Path) -> None:
    vroom = pytest.importorskip("vroom")
    chance = random.Random(seed)
    places = [(chance.randint(0, 1000), chance.randint(0, 1000)) for _ in range(12)]
    document = {
        "vehicles": [{"id": n, "end_index": n, "capacity": [6]} for n in range(2)],
        "jobs": [{"id": n, "location_index": n, "delivery": [1]} for n in range(2, 12)],
        "matrices": {"car": {"durations": [[abs(a - c) + abs(b - d) for c, d in places] for a, b in places]}},
    }
    peer = vroom.Input.from_json(write_down(tmp_path / "problem.json", document)).solve(
        exploration_level=5, nb_threads=1
    )
    assert planned(document, iterations=20_000)["summary"]["cost"] == peer.summary.cost


@pytest.mark.parametrize(("most", "capacity"), [(1, []), (1, [5]), (0, [])])
def test_a_vehicle_takes_no_more_tasks_than_it_may(most: int, capacity: list[int]) -> None:
    document = two_jobs()
    document["vehicles"][0] |= {"max_tasks": most, "capacity": capacity}
    out = planned(document)
    jobs = [step for route in out["routes"] for step in route["steps"] if step["type"] == "job"]
    assert len(jobs) == most
    assert len(out["unassigned"]) == 2 - most
    document["vehicles"].append({"id": 8, "start_index": 0})
    assert planned(document)["unassigned"] == [], "another vehicle has no limit"


def test_loads_are_of_the_kinds_that_the_document_has_and_no_others() -> None:
    document = two_jobs()
    document["vehicles"][0]["max_tasks"] = 2
    out = planned(document)
    assert out["summary"]["delivery"] == out["routes"][0]["delivery"] == out["routes"][0]["steps"][0]["load"] == []
    document["vehicles"][0]["capacity"] = [4, 9]
    document["jobs"][0] |= {"delivery": [3, 5]}
    document["jobs"][1] |= {"pickup": [2]}
    out = planned(document)
    assert (out["summary"]["delivery"], out["summary"]["pickup"]) == ([3, 5], [2, 0])
    assert [step["load"] for step in out["routes"][0]["steps"]] == [[3, 5], [0, 0], [2, 0], [2, 0]]


@pytest.mark.parametrize(("most", "served"), [(419, [1]), (420, [1, 2]), (239, []), (240, [1])])
def test_a_vehicle_travels_no_longer_than_it_may_the_way_home_included(most: int, served: list[int]) -> None:
    document = two_jobs()
    document["vehicles"][0]["max_travel_time"] = most
    document["jobs"][0]["priority"] = 9
    out = planned(document)
    assert [step["id"] for route in out["routes"] for step in route["steps"] if step["type"] == "job"] == served
    assert all(route["duration"] <= most for route in out["routes"])
    if not served:
        assert "further than it may travel" in out["unassigned"][0]["reason"]


def limited(seed: int) -> dict[str, Any]:
    """A few vehicles that may not travel long, some faster than others, some with few tasks; jobs all around."""
    chance = random.Random(seed)
    places = [(chance.randint(0, 1000), chance.randint(0, 1000)) for _ in range(13)]
    rows = [[abs(a - c) + abs(b - d) for c, d in places] for a, b in places]
    vehicles = [
        {
            "id": number,
            "start_index": number,
            "end_index": number if chance.random() < 0.5 else None,
            "max_travel_time": chance.randint(600, 2500),
            "speed_factor": chance.choice([0.5, 1.0, 2.0]),
            "max_tasks": chance.randint(1, 5),
        }
        for number in range(3)
    ]
    jobs = [{"id": number, "location_index": number, "service": 300} for number in range(3, 13)]
    plain = [{name: value for name, value in vehicle.items() if value is not None} for vehicle in vehicles]
    return {"vehicles": plain, "jobs": jobs, "matrices": {"car": {"durations": rows}}}


@pytest.mark.parametrize("seed", range(15))
def test_under_limits_no_fewer_jobs_are_served_than_by_vroom_itself(seed: int, tmp_path: Path) -> None:
    vroom = pytest.importorskip("vroom")
    document = limited(seed)
    out = planned(document, iterations=20_000)
    limits = {vehicle["id"]: vehicle for vehicle in document["vehicles"]}
    for route in out["routes"]:
        vehicle = limits[route["vehicle"]]
        assert route["duration"] <= vehicle["max_travel_time"]
        assert sum(step["type"] == "job" for step in route["steps"]) <= vehicle["max_tasks"]
    peer = vroom.Input.from_json(write_down(tmp_path / "problem.json", document)).solve(
        exploration_level=5, nb_threads=1
    )
    assert out["summary"]["unassigned"] <= len(peer.unassigned)


def write_down(path: Path, document: dict[str, Any]) -> Path:
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("place", [[126.0, 95.0], [200.0, 45.0]])
def test_a_place_off_the_map_is_refused(place: list[float]) -> None:
    document = {"vehicles": [{"id": 1, "start": HARBIN}], "jobs": [{"id": 1, "location": place}]}
    with pytest.raises(ProblemError, match="/jobs/0/location"):
        reading.read(json.dumps(document).encode())


def test_what_has_begun_is_kept() -> None:
    document = two_jobs()
    document["vehicles"].append({"id": 8, "start_index": 2})
    former = {"routes": [{"vehicle": 7, "steps": [{"type": "start"}, {"type": "job", "id": 2, "arrival": 240}]}]}
    problem = reading.begun(
        reading.read(json.dumps(document).encode()), reading.read_former(json.dumps(former).encode())
    )
    plan = solve(problem, stop=Iterations(2_000))
    assert plan.orders()["7"][0] == "2"


@pytest.mark.parametrize(
    ("former", "pointer"),
    [
        (b'{"hello": "world"}', ""),
        (b'{"routes": [{"vehicle": 7, "steps": [{"type": "start"}, {"type": "job"}]}]}', "/routes/0/steps/1/id"),
    ],
)
def test_what_is_no_former_output_is_refused(former: bytes, pointer: str) -> None:
    with pytest.raises(ProblemError) as caught:
        reading.read_former(former)
    assert caught.value.faults[0].pointer == pointer


def test_a_former_step_may_name_its_job_as_older_outputs_do() -> None:
    former = reading.read_former(b'{"routes": [{"vehicle": 7, "steps": [{"type": "job", "job": 2}]}]}')
    assert reading.orders_of(former) == {"7": ("2",)}


def test_the_command_reads_standard_input_and_starts_from_a_former_output(tmp_path: Any) -> None:
    given = json.dumps(two_jobs())
    first = command("--time-limit", "0.05", given=given)
    assert (first.returncode, json.loads(first.stdout)["summary"]["unassigned"]) == (0, 0)
    former = tmp_path / "former.json"
    former.write_text(first.stdout)
    again = command("-", "--time-limit", "0.05", "--initial", str(former), "--freeze", given=given)
    assert json.loads(again.stdout)["routes"] == json.loads(first.stdout)["routes"]


def many_jobs(count: int) -> dict[str, Any]:
    chance = random.Random(3)
    places = [(chance.randint(0, 3000), chance.randint(0, 3000)) for _ in range(count)]
    return {
        "vehicles": [{"id": n, "start_index": n} for n in range(3)],
        "jobs": [{"id": n, "location_index": n, "service": 300, "due": 900} for n in range(3, count)],
        "matrices": {"car": {"durations": [[abs(a - c) + abs(b - d) for c, d in places] for a, b in places]}},
    }


@pytest.mark.parametrize(
    ("jobs", "options"), [(10, ("--time-limit", "5")), (90, ("--iterations", "3000"))], ids=["small", "counted"]
)
def test_the_same_seed_gives_the_same_output_but_for_the_times(jobs: int, options: tuple[str, ...]) -> None:
    given, outs = json.dumps(many_jobs(jobs)), []
    for _ in range(2):
        outs.append(json.loads(command("--seed", "7", *options, given=given).stdout))
        outs[-1]["summary"].pop("computing_times")
    assert outs[0] == outs[1]
    assert outs[0]["summary"]["stopped_by"] == "iterations"


def test_where_the_clock_decides_the_output_says_so() -> None:
    out = command("--time-limit", "0.2", given=json.dumps(many_jobs(90)))
    assert json.loads(out.stdout)["summary"]["stopped_by"] == "time"
    capped = command("--time-limit", "0.2", "--iterations", "1000000000", given=json.dumps(many_jobs(20)))
    assert json.loads(capped.stdout)["summary"]["stopped_by"] == "time", "a limit that is named is kept"


@pytest.mark.parametrize(
    "given", ["", "nonsense", "[]", '{"jobs": [{"id": 1}]}', "[" * 100_000, '{"vehicles": [], "x": %s}' % ("1" * 5000)]
)
def test_a_bad_document_is_one_sentence_on_stderr(given: str) -> None:
    done = command(given=given)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("The problem cannot be planned: /")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("unread", [b'"\xff"', b'"\\ud800"', b"1" * 5000])
def test_what_is_not_read_must_be_json_too(unread: bytes) -> None:
    with pytest.raises(ProblemError):
        reading.read(b'{"vehicles": [], "jobs": [], "x": %s}' % unread)


def test_freezing_needs_a_former_output() -> None:
    assert command("--freeze", given="{}").returncode == 2


@pytest.mark.parametrize("limit", ["nan", "inf", "-1", "soon"])
def test_a_time_limit_that_is_none_is_wrong_usage(limit: str) -> None:
    done = command("--time-limit", limit, given=json.dumps(two_jobs()))
    assert (done.returncode, done.stdout) == (2, "")
    assert "'--time-limit'" in done.stderr


def test_a_former_output_of_another_problem_is_told(tmp_path: Path) -> None:
    former: Any = {"routes": [{"vehicle": 7, "steps": [{"type": "job", "id": 99}]}]}
    file = str(write_down(tmp_path / "former.json", former))
    done = command("--initial", file, "--iterations", "100", given=json.dumps(two_jobs()))
    assert done.stderr == f"No job of the problem stands in {file}: the plan is made anew.\n"
    assert json.loads(done.stdout)["summary"]["unassigned"] == 0
    former["routes"][0]["steps"].append({"type": "job", "id": 1})
    write_down(tmp_path / "former.json", former)
    done = command("--initial", file, given=json.dumps(two_jobs()))
    assert done.stderr == ""
