import json
import logging

import pytest

from dispatch.logs import bound, configure_logs, logger


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_carries_the_process_and_the_ids_bound_around_it(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json", process="engine-1")
    with bound(city="harbin", order="o1", crew=None):
        logger("t").info("order claimed", attempt=2)
    logger("t").info("idle")
    first, second = lines(capsys)
    assert first["event"] == "order claimed" and first["process"] == "engine-1" and first["attempt"] == 2
    assert (first["city"], first["order"]) == ("harbin", "o1") and "crew" not in first
    assert "city" not in second


def test_names_phone_numbers_places_and_tokens_are_withheld(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")
    logger("t").info("report taken", phone="13800000000", body={"contact": {"name": "王"}, "lon": 126.5, "id": "r1"})
    [line] = lines(capsys)
    assert line["phone"] == "(withheld)"
    assert line["body"] == {"contact": "(withheld)", "lon": "(withheld)", "id": "r1"}


def test_lines_of_libraries_come_out_the_same_way_and_access_logs_do_not(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json", process="engine-1")
    logging.getLogger("sanic.root").warning("worker %s", 1)
    logging.getLogger("sanic.access").info("GET /")
    [line] = lines(capsys)
    assert (line["event"], line["level"], line["process"]) == ("worker 1", "warning", "engine-1")


def test_a_traceback_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")
    try:
        raise ValueError("broken")
    except ValueError:
        logger("t").exception("failed")
    [line] = lines(capsys)
    assert "broken" in json.dumps(line["exception"])


def test_a_traceback_does_not_show_the_variables_of_its_functions(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")

    def take(phone: str) -> None:
        raise ValueError(f"not taken ({len(phone)} digits)")

    try:
        take("13812345678")
    except ValueError:
        logger("t").exception("failed")
    assert "13812345678" not in capsys.readouterr().err


def test_the_level_is_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("warning", "json")
    logger("t").info("not this")
    logger("t").warning("this")
    assert [line["event"] for line in lines(capsys)] == ["this"]


def test_what_is_no_text_is_logged_as_its_escape(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json", process="engine-1")
    logger("t").error("a request failed", path="/\udcff", order="o1")
    [line] = lines(capsys)
    assert (line["path"], line["order"], line["process"]) == ("/\udcff", "o1", "engine-1")
