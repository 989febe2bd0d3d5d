"""The benchmarks run, on real servers and sockets, and give rows of the right shape. Speed is nobody's promise here."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks import (
    churn,
    density,
    fanout,
    grab_commit,
    grab_e2e,
    grab_storm,
    plan_snapshot,
    plan_trsp,
    report_to_phone,
    simulate_sla,
    soak,
)
from benchmarks.data import data_folder
from benchmarks.figures import at_least, row, within
from dispatch.cli.bench import COLUMNS, find_benchmarks, print_table


def test_each_is_found_by_its_name() -> None:
    names = "churn density fanout grab-commit grab-e2e grab-storm plan-snapshot plan-trsp plan-vrptw report-to-phone"
    assert set(find_benchmarks()) == {*names.split(), "roads-matrix", "simulate-sla", "soak", "zone-lookup"}


@pytest.mark.parametrize(
    ("module", "small"),
    [
        (grab_commit, {"crews": 20, "claims": 40, "rounds": 1}),
        (grab_e2e, {"crews": 10, "each": 4, "rounds": 1}),
        (grab_storm, {"crews": 20, "storms": 2}),
        (report_to_phone, {"crews": 36, "seconds": 0.5}),
        (density, {"sockets": 20, "seconds": 1.0}),
        (fanout, {"sockets": 20, "events": 2, "zones": (1, 4)}),
        (churn, {"sockets": 20, "seconds": 0.2}),
        (soak, {"minutes": 0.05, "crews": 36}),
    ],
    ids=lambda value: getattr(value, "NAME", ""),
)
def test_rows_are_complete(module: Any, small: dict[str, float]) -> None:
    check(module, module.run(**small))


def test_policies_are_measured_where_the_call_logs_are_at_hand(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if rows := simulate_sla.run(points=simulate_sla.POINTS[-2:-1], seeds=(1,)):
        check(simulate_sla, rows)
    else:
        assert "QIANGDAN_TEST_DATA" in capsys.readouterr().err
    monkeypatch.setenv("QIANGDAN_TEST_DATA", str(tmp_path / "data"))
    assert simulate_sla.run() == []
    assert "QIANGDAN_TEST_DATA" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "small"),
    [
        (plan_snapshot, {"sizes": ((5, 12, (0.05,)),), "seeds": (1,)}),
        (plan_trsp, {"degrees": (90,), "instances": 1, "before": 500, "each": 100}),
    ],
    ids=lambda value: getattr(value, "NAME", ""),
)
def test_plans_are_measured(module: Any, small: dict[str, Any]) -> None:
    if module is plan_trsp and not (data_folder() / "trsp").exists():
        pytest.skip(f"the instances are not at {data_folder() / 'trsp'}; set QIANGDAN_TEST_DATA")
    rows = module.run(**small)
    for each in rows:
        assert tuple(each) == COLUMNS
        assert each["bench"] == module.NAME
    assert rows


def test_the_table_cuts_no_column_short_and_names_each_peer(capsys: pytest.CaptureFixture[str]) -> None:
    peer = "pgbench, 8 clients, one claim per transaction, prepared, no counter row"
    long = row("grab-commit", "durable claims of distinct orders", "claims/s", ours=10825, peer=9103, peer_name=peer)
    short = row("grab-commit", "p50", "ms", ours=0.80, peer=9.9, peer_name="another")
    print_table([at_least(3, long), long, within(1.0, short)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "grab-commit"
    assert lines[1].split() == ["figure", "unit", "ours", "peer", "ratio", "target", "holds"]
    assert lines[2].split()[-5:] == ["10,825", "9,103", "1.189", "3", "NO"]
    assert lines[4] == f"    peer: {peer}" and lines[6] == "    peer: another"
    assert lines[5].split() == ["p50", "ms", "0.8", "9.9", "0.081", "1", "yes"]


def check(module: Any, rows: list[dict[str, Any]]) -> None:
    assert rows
    for each in rows:
        assert tuple(each) == COLUMNS
        assert each["bench"] == module.NAME
        assert each["ours"] > 0 and each["peer"] > 0 and each["ratio"] > 0
        assert each["holds"] in ((None,) if each["target"] is None else (True, False))
