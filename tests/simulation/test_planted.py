"""The simulation is tested itself: each known bug that is put back, it finds within a minute."""

import re
import time

import pytest

from tests.simulation.test_replay import command

SEEDS = 2_000
"""Many more than it takes: docs/reliability.md has how many it took."""

PLANTED = {
    "acknowledge_before_commit": "is told|was told that it won",
    "no_idempotency": "is told|was told",
    "lease_only_alarm": "came twice",
    "version_check_left_out": "was for version",
    "check_then_write": "claimed|version|written",
}


@pytest.mark.parametrize("bug", PLANTED)
def test_a_bug_that_is_put_back_is_found(bug: str) -> None:
    begun = time.monotonic()
    found = command("--seeds", str(SEEDS), "--planted", bug, hash_seed=0)
    assert found.returncode == 1, f"{bug} was not found:\n{found.stdout}{found.stderr}"
    first = found.stdout.splitlines()[0]
    assert re.search(PLANTED[bug], first), first
    print(f"{bug}: {found.stderr.strip().splitlines()[-1]}, {time.monotonic() - begun:.0f} s with its report; {first}")
