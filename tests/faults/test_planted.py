"""The harness is tested: known bugs, put into the real processes, are each found within a minute, as what they are.

`make planted` runs these, some ten minutes; the simulation finds the same bugs, and others, within seconds.
"""

import importlib
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.ledger import Ledger

ROOT = Path(__file__).parents[2]
SECONDS = 40
BUGS = {
    "acknowledge_before_commit": ("kept", "cut_commits"),
    "no_idempotency": ("verdicts", "disorder_commands,reset_clients"),
    "lease_only_alarm": ("alarms", "kill_keepers,two_lease_holders"),
    "version_check_left_out": ("overrides", "wrong_device_clocks"),
    "check_then_write": ("holders", "freeze_listening,notifications_off,freeze_processes"),
    "page_by_sequence": ("told", "slow_database,leave_transactions_open"),
    "cancelled_recv": ("told", "client_latency"),
}
"""For each bug the promise that it breaks, and faults under which it does."""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_that_is_put_back_is_found(bug: str, tmp_path: Path) -> None:
    promise, faults = BUGS[bug]
    assert importlib.import_module(f"tests.planted.{bug}").plant.__doc__
    seed = os.environ.get("QIANGDAN_TEST_SEED") or str(random.randrange(1, 2**31))
    command = [sys.executable, "-m", "tests.faults.run", "--minutes", "0.1", "--fault-s", str(SECONDS)]
    command += ["--seed", seed, "--planted", bug, "--faults", faults, "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 1, done.stdout + done.stderr
    ledger = Ledger.read(tmp_path / "ledger.json")
    assert any(violation.startswith(f"{promise} in") for violation in ledger.violations), ledger.violations
