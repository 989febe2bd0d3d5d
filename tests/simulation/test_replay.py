"""A seed is lived through the same way every time, on every machine, and what went wrong can be seen again."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.run import Failure, report

ROOT = Path(__file__).parents[2]


def command(*words: str, hash_seed: int) -> "subprocess.CompletedProcess[str]":
    """Run the simulation's command as a person does, with strings hashed in another way."""
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_a_seed_has_one_trace_however_strings_are_hashed() -> None:
    one, other = (command("17", hash_seed=seed) for seed in (1, 2))
    assert one.returncode == 0
    assert one.stdout.count("\n") > 50, "the trace says what happened"
    assert one.stdout == other.stdout


def test_the_command_of_a_report_replays_it_exactly() -> None:
    found = command("--seeds", "500", "--planted", "check_then_write", hash_seed=1)
    assert found.returncode == 1, found.stdout + found.stderr
    *shown, last = found.stdout.strip().splitlines()
    words = last.removeprefix("The whole of it again: python -m tests.simulation ").split()
    again = command(*words, hash_seed=2)
    assert again.returncode == 1
    assert re.search(r"VIOLATION", again.stdout)
    assert again.stdout.splitlines()[:-1][-20:] == shown[-20:], "the trace is the one that was reported"
    mended = command(*words[:3], hash_seed=2)
    assert mended.returncode == 0, "without the bug the same script goes well"


@pytest.mark.parametrize("words", [(), ("1", "--seeds", "2")])
def test_it_asks_for_either_a_seed_or_a_number_of_seeds(words: tuple[str, ...]) -> None:
    said = command(*words, hash_seed=1)
    assert said.returncode == 2 and "either a seed" in said.stderr


def test_a_seed_that_went_wrong_by_a_disturbance_from_outside_is_said_to_have_gone_well_again() -> None:
    said = report(Failure(seed=17, wrong="Failed: Timeout (>120.0s)", after=18))
    assert said == "Seed 17 went wrong once, and not again (a time limit, or a signal?): Failed: Timeout (>120.0s)"
