"""`qiangdan demo` as somebody who tries it meets it: a city that lives, stops without a trace, and is there again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from dispatch.demo.city import generate_city

pytestmark = pytest.mark.slow

PACE = ("--crews", "20", "--speed", "200", "--reports-per-hour", "3600")


class Demo:
    """A running `qiangdan demo`, what it has said, and the API as one of its people."""

    def __init__(self, folder: Path, *options: str, command: str = "demo") -> None:
        self.folder = folder
        self.said = folder.parent / f"{folder.name}.txt"
        inherited = {name: text for name, text in os.environ.items() if not name.startswith("QIANGDAN_")}
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dispatch.cli", command, "--port", "0", "--data-dir", str(folder), *options],
                env={**inherited, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"},
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        self.family: set[int] = set()

    def text(self) -> str:
        return self.said.read_text(encoding="utf-8")

    def wait_until_begun(self) -> None:
        eventually(lambda: "stops everything" in self.text(), within_s=60, why=self.text)
        [link] = [line.split()[-1] for line in self.text().splitlines() if line.startswith("开始 start")]
        self.url = link.rstrip("/")

    @property
    def people(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "demo.json").read_text())
        return found

    def get(self, path: str, token: str) -> Any:
        answer = httpx.get(
            f"{self.url}/api/v1{path}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=20,
            trust_env=False,
            verify=False,
        )
        assert answer.is_success, answer.text
        return answer.json()

    def served(self) -> list[str]:
        states = "arrived,resolved,closed"
        return [order["id"] for order in self.get(f"/orders?state={states}", self.people["dispatcher"])["items"]]

    def end(self, signal_number: signal.Signals) -> int:
        self.family |= {child.pid for child in psutil.Process(self.process.pid).children(recursive=True)}
        self.process.send_signal(signal_number)
        return self.process.wait(30)

    def left(self) -> list[int]:
        return [pid for pid in self.family if not is_gone(pid)]


def is_gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def eventually(holds: Callable[[], Any], *, within_s: float, why: Callable[[], str] = lambda: "") -> None:
    give_up_at = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < give_up_at, f"did not come to hold in time: {why()}"
        time.sleep(0.1)


Start = Callable[..., Demo]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts demos on one data folder and sees to it that none is left."""
    started: list[Demo] = []

    def begin(*options: str, command: str = "demo") -> Demo:
        started.append(Demo(tmp_path / "data", *options, command=command))
        return started[-1]

    yield begin
    for demo in started:
        if demo.process.poll() is None:
            demo.end(signal.SIGTERM)


def test_crews_arrive_ctrl_c_leaves_nothing_and_the_next_start_finds_its_city(start: Start) -> None:
    demo = start(*PACE)
    demo.wait_until_begun()
    eventually(demo.served, within_s=60, why=demo.text)
    eventually(lambda: "首单到场" in demo.text(), within_s=10, why=demo.text)
    people, served = demo.people, demo.served()
    assert demo.end(signal.SIGINT) == 0
    assert demo.family and demo.left() == []

    again = start(*PACE)
    again.wait_until_begun()
    assert again.people == people
    assert set(served) <= set(again.served())
    assert len(again.get("/crews", people["dispatcher"])["items"]) == 20 + 1, "the fleet, and one for the onlooker"
    eventually(lambda: set(again.served()) - set(served), within_s=60, why=again.text)


def test_when_it_is_killed_nothing_is_left_and_more_crews_join_at_the_next_start(start: Start) -> None:
    demo = start("--crews", "3")
    demo.wait_until_begun()
    before = demo.people
    demo.end(signal.SIGKILL)
    eventually(lambda: demo.left() == [], within_s=30)
    more = start("--crews", "5")
    more.wait_until_begun()
    assert more.people["crews"][:3] == before["crews"]
    assert len(more.people["crews"]) == 5


def test_its_tokens_are_for_the_owner_s_eyes_and_sign_in_as_what_they_are(start: Start) -> None:
    demo = start("--crews", "1")
    demo.wait_until_begun()
    people = demo.people
    assert (demo.folder / "demo.json").stat().st_mode & 0o777 == 0o600
    for token in (people["dispatcher"], people["monitor"], people["technician"]["token"]):
        assert token in demo.text()
        assert len(demo.get("/zones", token)["features"]) == 18


def test_the_start_page_is_given_sign_ins_in_a_demo_and_nowhere_else(start: Start) -> None:
    demo = start("--crews", "1")
    demo.wait_until_begun()
    given = httpx.get(f"{demo.url}/demo.json", trust_env=False, verify=False).json()
    assert given == {
        "crew": demo.people["technician"]["token"],
        "console": demo.people["dispatcher"],
        "sla": demo.people["monitor"],
        "crew_at": {name: demo.people["technician"][name] for name in ("lon", "lat")},
    }
    demo.end(signal.SIGTERM)
    serve = start(command="serve")  # the same folder, in earnest
    eventually(lambda: "ready http" in serve.text(), within_s=60, why=serve.text)
    url = serve.text().split("ready http://")[1].split()[0]
    answer = httpx.get(f"http://{url}/demo.json", trust_env=False, verify=False)
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_city_of_somebody_s_own_is_left_alone(start: Start) -> None:
    serve = start(command="serve")
    eventually(lambda: "ready http" in serve.text(), within_s=60, why=serve.text)
    serve.url = serve.text().split("ready http://")[1].split()[0]
    zones = generate_city(1).zones
    token = (serve.folder / "admin.token").read_text().strip()
    answer = httpx.put(
        f"http://{serve.url}/api/v1/zones",
        json={**zones, "features": zones["features"][:4]},
        headers={"Authorization": f"Bearer {token}"},
        trust_env=False,
        verify=False,
    )
    assert answer.is_success
    serve.end(signal.SIGTERM)
    demo = start()
    assert demo.process.wait(60) == 1
    assert "holds a city of your own (4 zones)" in demo.text()
    assert "Traceback" not in demo.text()
