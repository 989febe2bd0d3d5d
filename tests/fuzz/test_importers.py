"""Readers of files under hypothesis and, guided by coverage, under atheris: see `tests.fuzz.importers`."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.engine import minutes
from tests.fuzz.importers import TARGETS, seeds

EXAMPLES = 60
RUNS = 1_000
SEEDS = seeds()

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**30, -1, 2**63, 10**400]),
    st.floats(),
    st.sampled_from([90.0, 180.0, -180.0, 1e-320, 1e308]),
    st.text(alphabet=st.characters(exclude_categories=()), max_size=80),
)
JSON = st.recursive(
    ODD, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)


@st.composite
def documents(draw: st.DrawFn, target: str) -> bytes:
    """A right input with some of it replaced: members where it is JSON, cells and bytes where it is text."""
    raw = draw(st.sampled_from(SEEDS[target]))
    try:
        document = json.loads(raw)
    except ValueError:
        return _text(draw, raw)
    for _ in range(draw(st.integers(1, 3))):
        _replace(draw, document, draw(JSON))
    whole = json.dumps(document).encode()
    return _text(draw, whole) if draw(st.integers(0, 3)) == 0 else whole


def _replace(draw: st.DrawFn, document: Any, value: Any) -> None:
    """Go down a document at random, and replace, add or take away what is there."""
    while True:
        keys = list(document) if isinstance(document, dict) else list(range(len(document)))
        if not keys:
            return
        key = draw(st.sampled_from(keys))
        if isinstance(document[key], (dict, list)) and document[key] and draw(st.integers(0, 4)):
            document = document[key]
            continue
        way = draw(st.sampled_from(("replace", "remove", "repeat")))
        if way == "replace":
            document[key] = value
        elif way == "remove":
            del document[key]
        elif isinstance(document, list):
            document.append(document[key])
        else:
            document[draw(st.text(max_size=8))] = value
        return


def _text(draw: st.DrawFn, raw: bytes) -> bytes:
    """Replace a piece of a text by another."""
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(raw)))
        end = min(begin + draw(st.integers(0, 12)), len(raw))
        odd = st.text(max_size=30).map(str.encode) | st.binary(max_size=8) | st.sampled_from(PIECES)
        raw = raw[:begin] + draw(odd) + raw[end:]
    return raw


PIECES = [
    b'"',
    b"\n",
    b"\r",
    b",",
    b";",
    b"\0",
    b"nan",
    b"inf",
    b"1e999",
    b"9" * 40,
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
    b"{",
    b"=",
]


@pytest.mark.parametrize("target", TARGETS)
def test_a_file_is_read_or_refused_in_the_readers_own_words(target: str) -> None:
    @settings(
        max_examples=max(EXAMPLES, int(minutes() * 3_000)),
        derandomize=minutes() == 0,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(documents(target) | st.binary(max_size=200))
    def read(raw: bytes) -> None:
        TARGETS[target](raw)

    for seed in SEEDS[target]:
        TARGETS[target](seed)
    read()


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_that_coverage_leads_to_breaks_a_reader(target: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris has no wheel for this Python or platform")
    length = f"-max_total_time={int(minutes() * 60 / len(TARGETS))}" if minutes() else f"-runs={RUNS}"
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.importers", target, length, "-seed=1", f"-artifact_prefix={tmp_path}/"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60 + minutes() * 60,
    )
    assert done.returncode == 0, done.stderr[-3000:]
