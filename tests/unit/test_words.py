"""One word for one thing: terminal, ledger, GeoReport, web apps and documents say the same."""

import re
from pathlib import Path

import pytest

from crew_client.protocol import words
from dispatch.orders import State

ROOT = Path(__file__).parents[2]


def web_words(group: str) -> tuple[dict[str, str], dict[str, str]]:
    """What the web apps call the codes of a group, in Chinese and in English."""
    text = (ROOT / "web" / "src" / "shared" / "wire-words.ts").read_text("utf-8")
    chinese, english = (
        dict(re.findall(r'(\w+): "([^"]*)"', told))
        for told in re.findall(rf"^    {group}: {{(.*?)}},$", text, re.M | re.S)
    )
    return chinese, english


@pytest.mark.parametrize(
    ("group", "ours"),
    [
        ("state", words.STATES),
        ("category", words.FAULTS),
        ("clock", words.CLOCKS),
        ("claimedBy", words.CLAIMS),
        ("channel", words.CHANNELS),
        ("grabReason", words.GRAB_REASONS),
        ("offerClosed", words.OFFERS_CLOSED),
        ("suspendReason", words.SUSPEND_REASONS),
    ],
)
def test_the_web_apps_say_what_terminal_and_ledger_say(group: str, ours: dict[str, str]) -> None:
    chinese, english = web_words(group)
    assert chinese == ours
    assert set(english) == set(chinese)


def test_every_state_has_its_word_in_both_languages_and_the_documents_name_it() -> None:
    chinese, english = web_words("state")
    assert set(words.STATES) == set(State)
    page = (ROOT / "docs" / "states.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|", page, re.M)
    assert {code: (zh, en) for code, zh, en in rows if code in chinese} == {
        state: (chinese[state], english[state]) for state in chinese
    }


def test_the_glossary_knows_the_word_of_every_state() -> None:
    page = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    entries = {code: row for row in page.splitlines() for code in re.findall(r"`(\w+)`", row)}
    for state, word in words.STATES.items():
        assert word.removeprefix("已") in entries[state], f"{state} is {word} on screens"
