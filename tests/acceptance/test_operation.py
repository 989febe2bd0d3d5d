"""What an operator looks at: health, readiness, metrics, pages, and the published documents."""

import json
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from prometheus_client.parser import text_string_to_metric_families

from dispatch.http.app import all_routes
from tests.acceptance.city import City, Installation
from tests.acceptance.test_roles import ALLOWED, template

FOLDER = Path(__file__).parent / "asyncapi"


def fetch(installation: Installation, path: str) -> httpx.Response:
    return httpx.get(f"{installation.url}{path}", trust_env=False, verify=False)


def test_health_and_readiness_answer(installation: Installation) -> None:
    for path, status in (("/healthz", "ok"), ("/readyz", "ready")):
        answer = fetch(installation, path)
        assert (answer.status_code, answer.json()["status"]) == (200, status)


@pytest.mark.parametrize("path", ["/", "/crew", "/console", "/sla"])
def test_the_pages_are_there(installation: Installation, path: str) -> None:
    answer = fetch(installation, path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src" in answer.headers["content-security-policy"]


FAMILIES = {
    "qiangdan_reports": {"outcome": "taken"},
    "qiangdan_offers": {},
    "qiangdan_grabs": {"verdict": "won"},
    "qiangdan_commit_batch_size": {},
    "qiangdan_commit_seconds": {},
    "qiangdan_overrides": {"action": "hold"},
    "qiangdan_progress": {"to": "en_route"},
    "qiangdan_sockets": {"kind": "crew"},
    "qiangdan_reader_lag_events": {},
    "qiangdan_reader_seq": {},
    "qiangdan_alarms": {},
    "qiangdan_http_seconds": {},
    "qiangdan_database_up": {},
}
"""One family or more for each step of the issue: reports, offers, grabs, commits, sockets, lag of readers, clocks."""


async def test_every_step_is_measured(quick: City) -> None:
    _, phone = await quick.working()
    order = (await quick.report())["id"]
    await phone.expect("offer", order=order)
    await phone.verdict(order, won=True)
    await phone.progress(order, "en_route")
    await quick.override(order, "hold")
    answer = fetch(quick.installation, "/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert set(FAMILIES) <= set(families)
    for name, labels in FAMILIES.items():
        values = [s.value for s in families[name].samples if labels.items() <= s.labels.items()]
        if labels:
            assert max(values) >= 1, name
    assert [s.value for s in families["qiangdan_database_up"].samples] == [1]


def test_the_openapi_document_is_valid_and_has_every_route(installation: Installation) -> None:
    document = fetch(installation, "/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()
    known = {
        (method.upper(), path.removeprefix("/api/v1"))
        for path, item in document["paths"].items()
        if path.startswith("/api/v1/")
        for method in item
    }
    names = {(m, "/".join("{}" if s.startswith("{") else s for s in p.split("/"))) for m, p in known}
    assert set(ALLOWED) <= names
    assert names == {(route.method, template(route)) for route in all_routes().table}


def test_the_openapi_document_has_georeport_in_both_formats(installation: Installation) -> None:
    paths = fetch(installation, "/openapi.json").json()["paths"]
    ours = {
        (method.upper(), path.removeprefix("/open311/v2/")): operation["responses"]
        for path, item in paths.items()
        if path.startswith("/open311/v2/")
        for method, operation in item.items()
    }
    names = ["discovery", "services", "services/{service_code}", "requests", "requests/{service_request_id}"]
    resources = [*(("GET", name) for name in [*names, "tokens/{token}"]), ("POST", "requests")]
    formats = {"": {"application/json", "text/xml"}, ".json": {"application/json"}, ".xml": {"text/xml"}}
    told = {(method, f"{name}{ending}"): kinds for method, name in resources for ending, kinds in formats.items()}
    told["GET", ""] = formats[""]
    assert set(ours) == set(told)
    for operation, responses in ours.items():
        assert all(set(answer["content"]) == told[operation] for answer in responses.values())
    form = paths["/open311/v2/requests.json"]["post"]["requestBody"]["content"]
    assert set(form) == {"application/x-www-form-urlencoded", "multipart/form-data"}


def test_the_asyncapi_document_is_valid(installation: Installation) -> None:
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules").is_dir():
        pytest.skip("the validator needs node, and 'npm ci' in tests/acceptance/asyncapi: tools/install-test-packages")
    document = fetch(installation, "/asyncapi.json").content
    assert json.loads(document)["asyncapi"] == "3.0.0"
    done = subprocess.run([node, "check.mjs"], input=document, capture_output=True, cwd=FOLDER, check=True, timeout=60)
    wrong = [found for found in json.loads(done.stdout) if found["severity"] < 2]  # errors and warnings
    assert wrong == []


def test_the_asyncapi_document_has_every_message_of_the_contract(installation: Installation) -> None:
    document = fetch(installation, "/asyncapi.json").json()

    def names(operation: str) -> set[str]:
        references = document["operations"][operation]["messages"]
        return {document["components"]["messages"][r["$ref"].rsplit("/", 1)[1]]["name"] for r in references}

    assert {channel["address"] for channel in document["channels"].values()} == {"/ws/v1/crew", "/ws/v1/console"}
    beyond = {"hand_back"}
    contract = {"hello", "shift", "position", "grab", "decline", "progress", "ack", "ping"}
    assert names("receive_crew") == contract | beyond
    assert names("send_crew") == {
        "welcome",
        "offer",
        "offer_closed",
        "grab_ack",
        "grab_result",
        "assigned",
        "revoked",
        "updated",
        "progress_ack",
        "route",
        *("advice", "shift_changed"),  # beyond the contract
        "error",
        "pong",
    }
    assert {"hello", "ping"} <= names("receive_console")
    assert {"snapshot", "event", "positions", "error", "pong"} <= names("send_console")
