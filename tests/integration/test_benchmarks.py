"""The benchmarks run, on real servers and sockets, and give rows of the right shape. Speed is nobody's promise here."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks import (
    grab_commit,
    grab_e2e,
    grab_storm,
    plan_snapshot,
    plan_trsp,
    report_to_phone,
    simulate_sla,
)
from benchmarks.data import data_folder
from dispatch.cli.bench import COLUMNS, find_benchmarks


def test_each_is_found_by_its_name() -> None:
    names = "grab-commit grab-e2e grab-storm plan-snapshot plan-trsp plan-vrptw report-to-phone roads-matrix"
    assert set(find_benchmarks()) == {*names.split(), "simulate-sla", "zone-lookup"}


@pytest.mark.parametrize(
    ("module", "small"),
    [
        (grab_commit, {"crews": 20, "claims": 40, "rounds": 1}),
        (grab_e2e, {"crews": 10, "each": 4, "rounds": 1}),
        (grab_storm, {"crews": 20, "storms": 2}),
        (report_to_phone, {"crews": 36, "seconds": 0.5}),
    ],
    ids=lambda value: getattr(value, "NAME", ""),
)
def test_rows_are_complete(module: Any, small: dict[str, int]) -> None:
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
    for row in rows:
        assert tuple(row) == COLUMNS
        assert row["bench"] == module.NAME
    assert rows


def check(module: Any, rows: list[dict[str, Any]]) -> None:
    assert rows
    for row in rows:
        assert tuple(row) == COLUMNS
        assert row["bench"] == module.NAME
        assert row["ours"] > 0 and row["peer"] > 0 and row["ratio"] > 0
        assert row["holds"] in ((None,) if row["target"] is None else (True, False))
