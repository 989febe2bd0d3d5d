"""`qiangdan serve` as an operator meets it: real processes, killed one by one."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from dispatch.store.embedded import running_database
from tests.processes import Serving, eventually, is_gone

pytestmark = pytest.mark.slow

START_WITHIN_S = 60.0


Serve = Callable[..., Serving]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts servers on one data folder and sees to it that none is left."""
    started: list[Serving] = []

    def start(*options: str, **variables: str) -> Serving:
        serving = Serving(tmp_path / "data", *options, **variables)
        started.append(serving)
        return serving

    yield start
    for serving in started:
        if serving.process.poll() is None:
            serving.stop()
        assert serving.process.stdout
        serving.process.stdout.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server that tests share, each of which leaves it healthy."""
    serving = Serving(tmp_path_factory.mktemp("shared") / "data")
    serving.wait_until_ready()
    yield serving
    assert serving.stop() == 0
    assert serving.process.stdout
    serving.process.stdout.close()


def test_it_serves_and_on_sigterm_nothing_is_left(serve: Serve) -> None:
    serving = serve()
    serving.wait_until_ready()
    assert serving.is_healthy()
    assert [len(serving.children(role)) for role in ("engine", "planner", "clocks")] == [1, 1, 1]
    assert serving.stop() == 0
    assert all(is_gone(pid) for pid in serving.family)
    assert not (serving.folder / "postgres" / "postmaster.pid").exists(), "PostgreSQL ended in good order"


def test_ctrl_c_on_a_terminal_is_an_orderly_end_too(serve: Serve) -> None:
    serving = serve()
    serving.wait_until_ready()
    assert serving.stop(signal.SIGINT) == 0
    assert all(is_gone(pid) for pid in serving.family)


def test_a_signal_while_it_starts_stops_it(serve: Serve) -> None:
    serving = serve()
    eventually(lambda: "postgres started" in serving.log.read_text())
    assert serving.stop() == 0
    assert all(is_gone(pid) for pid in serving.family)


@pytest.mark.parametrize("role", ["engine", "planner", "clocks"])
def test_a_killed_child_is_there_again_at_once(running: Serving, role: str) -> None:
    [killed] = running.children(role)
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: bool(running.children(role)) and running.children(role) != [killed], within_s=5)
    eventually(running.is_healthy)


def test_with_several_workers_one_dies_and_the_others_go_on(serve: Serve) -> None:
    serving = serve("--workers", "2")
    serving.wait_until_ready()
    eventually(lambda: len(serving.children("engine")) == 2)
    first, second = serving.children("engine")
    os.kill(first, signal.SIGKILL)
    eventually(lambda: len(serving.children("engine")) == 2 and first not in serving.children("engine"))
    assert second in serving.children("engine")
    eventually(serving.is_healthy)


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGQUIT])
def test_a_killed_postgres_is_there_again_and_the_engines_find_it(
    running: Serving, signal_number: signal.Signals
) -> None:
    killed, told = running.postgres, "postgres started again"
    before = running.log.read_text().count(told)
    os.kill(killed, signal_number)
    eventually(lambda: running.log.read_text().count(told) > before)
    assert running.postgres != killed
    eventually(running.is_healthy)


def test_when_the_supervisor_is_killed_everything_ends_and_the_next_start_finds_its_data(serve: Serve) -> None:
    serving = serve()
    serving.wait_until_ready()
    token = (serving.folder / "admin.token").read_text()
    serving.process.kill()
    serving.process.wait()
    eventually(lambda: all(is_gone(pid) for pid in serving.family))
    again = serve()
    again.wait_until_ready()
    assert (again.folder / "admin.token").read_text() == token
    assert again.is_healthy()


def test_the_administrator_s_token_is_for_his_eyes_only(running: Serving) -> None:
    file = running.folder / "admin.token"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().strip() not in running.log.read_text()


def test_a_token_set_by_the_environment_is_not_written_down(serve: Serve) -> None:
    serving = serve(QIANGDAN_ADMIN_TOKEN="a-token-of-our-own-choice")
    serving.wait_until_ready()
    assert not (serving.folder / "admin.token").exists()


def test_commands_work_beside_the_running_server_and_after_it(serve: Serve) -> None:
    serving = serve()
    serving.wait_until_ready()

    def token() -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "dispatch.cli", "token", "--data-dir", str(serving.folder)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    beside = token()
    assert beside.returncode == 0 and len(beside.stdout.strip()) > 20, beside.stderr
    assert serving.is_healthy()
    serving.stop()
    after = token()
    assert after.returncode == 0 and after.stdout != beside.stdout, after.stderr


def test_a_port_in_use_is_said_in_one_sentence(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        serving = serve("--port", str(other.getsockname()[1]))
        assert serving.process.wait(START_WITHIN_S) == 1
    [line] = serving.log.read_text().splitlines()[-1:]
    assert "is in use" in line and "--port" in line
    assert "Traceback" not in serving.log.read_text()


def test_a_folder_in_use_is_said_in_one_sentence_and_its_owner_goes_on(running: Serving) -> None:
    known = len(running.log.read_text().splitlines())
    second = Serving(running.folder)
    with second.process:
        assert second.process.wait(START_WITHIN_S) == 1
    told = second.log.read_text().splitlines()[known:]  # both write there
    [sentence] = [line for line in told if not line.startswith("{")]
    assert f"in use by process {running.process.pid}" in sentence
    assert not any("stopp" in line for line in told)
    assert running.is_healthy()


@pytest.mark.parametrize(
    ("folder", "url", "word"),
    [
        ("data", "postgresql://u:x@127.0.0.1:1/x", "127.0.0.1:1"),
        ("data", "nonsense", "database_url"),
        ("a-file/data", "", "a-file"),
    ],
)
def test_a_start_that_fails_says_one_sentence_and_nothing_else(
    tmp_path: Path, folder: str, url: str, word: str
) -> None:
    (tmp_path / "a-file").touch()
    log = tmp_path / "log"
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("QIANGDAN_")}
    with log.open("wb") as stderr:
        status = subprocess.run(
            [sys.executable, "-m", "dispatch.cli", "serve", "--port", "0", "--data-dir", str(tmp_path / folder)],
            env={
                **inherited,
                **({"QIANGDAN_DATABASE_URL": url} if url else {}),
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            stderr=stderr,
            timeout=START_WITHIN_S,
            check=False,
        ).returncode
    assert status in (1, 2)
    [sentence] = log.read_text().splitlines()
    assert word in sentence and sentence.endswith("."), sentence


async def test_a_schema_from_the_future_is_said_in_one_sentence(serve: Serve) -> None:
    serving = serve()
    serving.wait_until_ready()
    serving.stop()
    with running_database(serving.folder) as url:
        connection = await asyncpg.connect(url)
        await connection.execute("INSERT INTO schema_migration (version, name, sha256) VALUES (9999, 'later', 'x')")
        await connection.close()
    again = serve()
    assert again.process.wait(START_WITHIN_S) == 1
    assert "install the later qiangdan" in again.log.read_text()
    assert "Traceback" not in again.log.read_text()


def test_what_it_logs_is_one_json_object_a_line(serve: Serve) -> None:
    serving = serve()
    serving.wait_until_ready()
    serving.stop()
    lines = [json.loads(line) for line in serving.log.read_text().splitlines()]
    assert {"postgres started", "child started", "stopped"} <= {line["event"] for line in lines}
    assert all({"level", "timestamp", "process"} <= line.keys() for line in lines)
