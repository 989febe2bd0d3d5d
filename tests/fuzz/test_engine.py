"""A served engine under fuzz: every route by schemathesis, both sockets by sessions of a grammar.

Each session is a seed, and a failing one tells it: with it in `QIANGDAN_TEST_FUZZ_SEED`, the test says it again.
`make fuzz MINUTES=n` takes its time instead of a few seconds.
"""

import json
import os
from typing import Any, get_args

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from schemathesis import Case, Response
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance

from crew_client.protocol import FromCrew
from dispatch.http.app import all_routes
from dispatch.http.asyncapi import FROM_CONSOLE
from dispatch.http.openapi import openapi_document
from tests.acceptance.documents import AsyncApi
from tests.fuzz.engine import ROLES, Fuzzed, minutes, until_due
from tests.fuzz.grammar import Grammar
from tests.fuzz.sessions import EndOfSession, Session
from tests.fuzz.wire import Gone

DOCUMENT = json.loads(openapi_document(all_routes()))
EXAMPLES = 12
SESSIONS = 120
MOST_FAILURES = 8
schema = schemathesis.openapi.from_dict(DOCUMENT)

NOT_PROMISED = [positive_data_acceptance, ignored_auth]
"""What fits the schema may be refused for what it means, as a map whose zones overlap; tokens are ours to send."""

MAY = {
    operation["operationId"]: operation["description"].splitlines()[0].removeprefix("Roles: ").rstrip(".").split(", ")
    for item in DOCUMENT["paths"].values()
    for operation in item.values()
    if operation["description"].startswith("Roles: ")
}
"""Who may call an operation, as the document tells everybody."""


@schema.given(role=st.sampled_from([None, *ROLES]), real=st.integers(0, 3), pick=st.integers(0, 7))
@schema.parametrize()
@settings(
    max_examples=max(EXAMPLES, int(minutes() * 100)),
    derandomize=minutes() == 0,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
def test_no_request_fails_whoever_sends_it(
    case: Case[Any], fuzzed: Fuzzed, role: str | None, real: int, pick: int
) -> None:
    may = MAY.get(case.operation.definition.raw["operationId"])
    if role is None and may:
        role = may[pick % len(may)]
    if real:
        for name in case.path_parameters or {}:
            ids = fuzzed.ids[name]
            case.path_parameters[name] = ids[real % len(ids)]
    headers = {"Authorization": f"Bearer {fuzzed.tokens[role]}"} if role else {}
    answer = case.call(base_url=fuzzed.url, headers=headers)
    left_out = "" in (case.query or {}).values()  # an empty parameter counts as one that is not there
    georeport = case.operation.path.startswith("/open311/")
    by_item = case.operation.path.endswith("/overrides")  # where a wrong item is refused in an answer that is none
    excluded = [*NOT_PROMISED, negative_data_rejection] if left_out or by_item else NOT_PROMISED
    case.validate_response(answer, headers=headers, excluded_checks=excluded)
    if may and role not in may:
        # A key may stand in GeoReport's form, which is read first.
        assert answer.status_code in (401, 403, 404, 405, *((400,) if georeport else ())), (
            f"{role} got {answer.status_code}"
        )
    if answer.status_code == 422 and not georeport:
        names_what_is_wrong(answer)


def names_what_is_wrong(answer: Response) -> None:
    """A refused input is a problem document that points at each thing wrong, and says what."""
    document = answer.json()
    if document["code"] == "key_reused":
        return
    assert document["errors"], document
    for error in document["errors"]:
        assert error["detail"] and (error["pointer"] == "" or error["pointer"].startswith("/")), error


def test_the_engine_serves_the_document_that_it_was_fuzzed_by(fuzzed: Fuzzed) -> None:
    assert schemathesis.openapi.from_url(f"{fuzzed.url}/openapi.json").raw_schema == DOCUMENT


@pytest.fixture(scope="module")
def grammars(fuzzed: Fuzzed, naughty_strings: list[str]) -> dict[str, Grammar]:
    """What a phone and a console may say."""
    orders = fuzzed.ids["order_id"]
    return {
        "crew": Grammar(get_args(FromCrew), texts=naughty_strings, orders=orders),
        "console": Grammar(FROM_CONSOLE, texts=naughty_strings, orders=orders),
    }


def test_whatever_a_socket_says_it_is_answered_or_refused_by_name(
    fuzzed: Fuzzed, grammars: dict[str, Grammar], asyncapi: AsyncApi
) -> None:
    found: list[str] = []
    chosen = os.environ.get("QIANGDAN_TEST_FUZZ_SEED")
    for seed in [int(chosen)] if chosen else until_due(SESSIONS):
        session = Session(fuzzed, asyncapi, seed, grammars)
        try:
            session.run()
        except EndOfSession:
            continue
        except (AssertionError, TimeoutError, Gone) as error:
            found.append("\n  ".join([f"seed {seed}, {session.channel}: {error!r}", *session.trace]))
            if len(found) == MOST_FAILURES:
                break
    assert not found, "\n".join(found)
