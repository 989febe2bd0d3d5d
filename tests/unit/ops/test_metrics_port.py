"""The small address at which a planner shows what it counts."""

import socket

import httpx
import pytest

from dispatch.metrics import MetricsPort, PlannerMetrics


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def test_the_page_is_where_the_settings_say_until_it_is_closed() -> None:
    metrics, number = PlannerMetrics("p1"), free_port()
    port = MetricsPort(metrics, "127.0.0.1", number)
    port.look()
    port.look()
    metrics.questions.labels("due").inc()
    try:
        page = httpx.get(f"http://127.0.0.1:{number}/metrics", trust_env=False, verify=False).text
    finally:
        port.close()
    assert 'qiangdan_plan_questions_total{kind="due"} 1.0' in page
    assert 'qiangdan_process_info{process="p1",role="planner"} 1.0' in page
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{number}/metrics", trust_env=False, verify=False)


def test_an_address_that_is_taken_stops_nothing_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MetricsPort, "AGAIN_S", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = int(other.getsockname()[1])
        port = MetricsPort(PlannerMetrics("p2"), "127.0.0.1", number)
        port.look()
        assert port._server is None
    port.look()
    try:
        assert (
            "qiangdan_process_info"
            in httpx.get(f"http://127.0.0.1:{number}/metrics", trust_env=False, verify=False).text
        )
    finally:
        port.close()


def test_port_0_is_no_address() -> None:
    port = MetricsPort(PlannerMetrics("p3"), "127.0.0.1", 0)
    port.look()
    assert port._server is None
    port.close()


def test_the_age_of_a_city_s_last_plan_grows_from_the_answer_on() -> None:
    metrics = PlannerMetrics("p4")
    metrics.count_answer("harbin", "rolling", seconds=0.2, travel={"source": 4, "unavailable": 2})
    page = metrics.page().decode()
    [age] = [float(line.split()[1]) for line in page.splitlines() if line.startswith("qiangdan_plan_age_seconds{")]
    assert 0 <= age < 60
    assert 'qiangdan_travel_pairs_total{outcome="unavailable"} 2.0' in page
    assert 'qiangdan_plan_answer_seconds_count{kind="rolling"} 1.0' in page
